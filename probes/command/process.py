"""Starts a program, listens to it for as long as it runs, and leaves nothing of it behind."""

import contextlib
import errno
import os
import selectors
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from probes.outcome import CannotTell, Reason

_PAUSE = 0.02
"""Seconds between two looks whether the program has ended: what it started may hold its pipes open."""

_GRACE = 1.0
"""Seconds between TERM and KILL; less than the runner's, so that it is over before the runner's own KILL."""


class Ended(NamedTuple):
    """A program that has ended.

    Attributes:
        code: Its exit code, or minus the number of the signal that killed it.
        output: What it wrote to standard output.
        errors: What it wrote to standard error.
        cut: Whether it wrote more than allowed and was ended for it; `code` then says nothing.
    """

    code: int
    output: bytes
    errors: bytes
    cut: bool


def run(words: Sequence[str], folder: str, environment: Mapping[str, str], most: int) -> Ended:
    """Run a program to its end, or until it has written too much.

    It ends when the program does, even if something it started in the background still holds its pipes; that
    is then killed. There is no deadline here: the runner has one, and ends everything at it.

    Args:
        words: The program and its arguments.
        folder: Its working directory, "" for this process's own.
        environment: All of its environment.
        most: Bytes of output and errors together that are taken.

    Raises:
        CannotTell: If it does not start.
    """
    process = _start(words, folder, environment)
    try:
        received, cut = _listen(process, most)
        code = 0 if cut else process.wait()
    finally:
        _end(process)
    return Ended(code, *received, cut)


def _start(words: Sequence[str], folder: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    if folder and not Path(folder).is_dir():
        raise CannotTell(
            Reason.MISSING,
            f"There is no folder {folder} to run the command in.",
            "Make it, or correct folder.",
        )
    try:
        return subprocess.Popen(
            [*words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder or None,
            env=dict(environment),
            # A group of its own, to be ended as one.
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        raise _refusal(words[0], folder, environment.get("PATH"), error) from None


def _refusal(program: str, folder: str, path: str | None, error: OSError | ValueError) -> CannotTell:
    """Say why a program did not start. Its arguments are not repeated: they may hold a secret."""
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EACCES and "/" not in program and not shutil.which(program, os.F_OK, path):
        # A folder on the path that may not be entered hides that it is in none of them.
        number = errno.ENOENT
    if number in {errno.ENOENT, errno.ENOTDIR}:
        if "/" in program and Path(folder, program).exists():
            found = f"{program} is there, but the interpreter its first line names is not."
            return CannotTell(Reason.MISSING, found, "Install that interpreter, or correct the first line.")
        found = f"There is no program {program}."
        return CannotTell(Reason.MISSING, found, "Install it, or correct command.")
    if number == errno.EACCES and Path(folder, program).is_dir():
        return CannotTell(Reason.CONFIG, f"{program} is a folder.", "Name a program in it.")
    if number == errno.EACCES:
        found = f"{program} may not be run."
        return CannotTell(Reason.FORBIDDEN, found, f"Allow it: chmod +x {program}.")
    why = os.strerror(number) if number is not None else "a word of it cannot be passed to a program"
    found = f"{program} cannot be run: {why}."
    return CannotTell(Reason.CONFIG, found, "Name a program, or a script whose first line is #!INTERPRETER.")


def _listen(process: subprocess.Popen[bytes], most: int) -> tuple[tuple[bytes, bytes], bool]:
    output, errors = bytearray(), bytearray()
    cut = False
    with selectors.DefaultSelector() as selector:
        for pipe, received in ((process.stdout, output), (process.stderr, errors)):
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, received)
        while selector.get_map() and not cut:
            ended = process.poll() is not None
            ready = selector.select(0 if ended else _PAUSE)
            if ended and not ready:
                # All it wrote has been read; whoever else holds the pipe is not who was asked.
                break
            for key, _ in ready:
                data = os.read(key.fd, 65536)
                key.data.extend(data)
                if not data:
                    selector.unregister(key.fileobj)
            cut = len(output) + len(errors) > most
    return (bytes(output), bytes(errors)), cut


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            # Also ends a writer that runs with other rights and takes no signal from here.
            pipe.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        if process.poll() is None:
            _signal(process, signal.SIGTERM)
            process.wait(_GRACE)
    _signal(process, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
