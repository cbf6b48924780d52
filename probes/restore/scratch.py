"""A private folder to restore into: fresh, and gone afterwards, also after a run that was killed."""

import contextlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from probes.outcome import CannotTell, Reason

_PREFIX = "gonogo-restore-"


@contextlib.contextmanager
def folder(parent: str) -> Iterator[Path]:
    """Make a folder that only this user can enter, and remove it at the end whatever happened.

    What killed runs of this user left in `parent` is removed first.

    Args:
        parent: Where to make it; empty for the system's folder for temporary files.

    Raises:
        CannotTell: If it cannot be made.
    """
    base = Path(parent or tempfile.gettempdir()).expanduser().absolute()
    try:
        _sweep(base)
        made = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CannotTell(
            Reason.MISSING, f"There is no folder {base} to restore into; correct scratch."
        ) from error
    except OSError as error:
        raise CannotTell(
            Reason.FORBIDDEN, f"Cannot restore into {base} ({error.strerror}); set scratch to another folder."
        ) from error
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
            f"{usable} bytes may be used to restore into and {wanted} are wanted; "
            "set scratch to a folder with more space.",
        )
    return usable


def _sweep(base: Path) -> None:
    for entry in base.iterdir():
        match = re.fullmatch(rf"{_PREFIX}(\d{{1,10}})-\w+", entry.name)
        if not match:
            continue
        with contextlib.suppress(FileNotFoundError):
            info = entry.lstat()
            if stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid() and not _alive(int(match[1])):
                _remove(entry)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _remove(made: Path) -> None:
    # Restored folders may be read-only, which would keep their own files from being removed.
    for root, names, _ in os.walk(made):
        for name in names:
            path = Path(root, name)
            if not path.is_symlink():
                with contextlib.suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(made, ignore_errors=True)
