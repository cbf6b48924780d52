"""A private folder to restore into: fresh, and gone afterwards, also after a run that was killed."""

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from probes.figures import size
from probes.outcome import CannotTell, Reason

_PREFIX = "gonogo-restore-"
_LOCK = "lock"


@contextlib.contextmanager
def folder(parent: str) -> Iterator[Path]:
    """Make a folder that only this user can enter, and remove it at the end whatever happened.

    What killed runs of this user left in `parent` is removed first. A folder in use is known by the lock on
    the file `lock` in it, which other hosts and containers see too, unlike a process number.

    Args:
        parent: Where to make it; empty for the system's folder for temporary files.

    Raises:
        CannotTell: If it cannot be made.
    """
    base = Path(parent or tempfile.gettempdir()).expanduser().absolute()
    try:
        _sweep(base)
        made, lock = _make(base)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CannotTell(
            Reason.MISSING,
            f"There is no folder {base} to restore into.",
            f"Make it or correct scratch: mkdir {base}.",
        ) from error
    except OSError as error:
        raise CannotTell(
            Reason.FORBIDDEN,
            f"Cannot restore into {base}: {error.strerror}.",
            "Set scratch to another folder.",
        ) from error
    with lock:
        try:
            yield made
        finally:
            _remove(made)


def room(target: Path, wanted: int) -> int:
    """Return how many bytes may be written to the disk of a folder.

    Raises:
        CannotTell: If that is less than is wanted.
    """
    # Never all of it: the disk may be the one that production writes to.
    usable = int(shutil.disk_usage(target).free * 0.9)
    if usable < wanted:
        raise CannotTell(
            Reason.LIMIT,
            f"{size(usable)} may be used to restore into and {size(wanted)} are wanted.",
            "Set scratch to a folder with more space.",
        )
    return usable


def _make(base: Path) -> tuple[Path, IO[bytes]]:
    while True:
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        try:
            lock = (made / _LOCK).open("xb")
        except OSError:
            made.rmdir()
            raise
        if _hold(lock) and Path(lock.name).exists():
            return made, lock
        # Another drill came in between and swept the new folder as one that was left.
        lock.close()


def _hold(lock: IO[bytes]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # On a disk without locks no sweep can take this one either.
        return True
    return True


def _sweep(base: Path) -> None:
    for entry in base.iterdir():
        if not re.fullmatch(rf"{_PREFIX}\w{{8}}", entry.name):
            continue
        with contextlib.suppress(OSError):
            info = entry.lstat()
            if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
                continue
            with (entry / _LOCK).open("r+b") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(entry)


def _remove(made: Path) -> None:
    # Restored folders may be read-only, which would keep their own files from being removed.
    for root, names, _ in os.walk(made):
        for name in names:
            path = Path(root, name)
            if not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.chmod(0o700)
    with contextlib.suppress(OSError):
        for inner in made.iterdir():
            if inner.is_dir() and not inner.is_symlink():
                shutil.rmtree(inner, ignore_errors=True)
            elif inner.name != _LOCK:
                inner.unlink()
        # The lock goes last: without it, what is left by a removal that is killed would never be swept.
        if {inner.name for inner in made.iterdir()} <= {_LOCK}:
            shutil.rmtree(made, ignore_errors=True)
