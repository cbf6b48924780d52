"""Owns the processes and the folder of a demo, and takes them away when gonogo ends, however that was.

`python -m cli.demo.keeper` makes the production and then waits for the end of its standard input, which is
a pipe that only gonogo holds: killed or not, the end of gonogo is its end. Standard output tells in lines of
JSON what is being made: `{"folder": "/tmp/gonogo-x4k"}`, `{"making": "cache"}`, and at last `{"ready":
{...}}` with the variables that the probes are told by, or `{"failed": "why"}`.
"""

import contextlib
import os
import secrets
import shutil
import signal
import string
import sys
import tempfile
import time
from pathlib import Path

import msgspec

_LETTERS = string.ascii_lowercase + string.digits
_LEAVE_S = 5.0


def _tell(**what: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


def _new_folder() -> Path:
    """Make a folder for this user alone. Its name is short, so that commands fit into half a screen."""
    while True:
        name = "gonogo-" + "".join(secrets.choice(_LETTERS) for _ in range(3))
        folder = Path(tempfile.gettempdir()).resolve() / name
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            return folder


def _remove(folder: Path) -> None:
    """Remove a folder, also while somebody in another terminal still writes into it."""
    ends = time.monotonic() + _LEAVE_S
    while folder.exists() and time.monotonic() < ends:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.02)


def main() -> None:
    """Make the production, keep it until nobody needs it, and take it away."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    folder = _new_folder()
    # A pipe that nobody reads any more is the end of gonogo as well.
    with contextlib.suppress(BrokenPipeError):
        try:
            _keep(folder)
        finally:
            for number in (signal.SIGHUP, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)
            os.chdir("/")
            _remove(folder)


def _keep(folder: Path) -> None:
    from cli.demo import production

    os.chdir(folder)
    _tell(folder=str(folder))
    try:
        with production.running(folder, lambda item: _tell(making=item)) as variables:
            _tell(ready=variables)
            sys.stdin.buffer.read()
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever stops it is told; nobody else could tell
        _tell(failed=str(error) or type(error).__name__)


if __name__ == "__main__":
    main()
