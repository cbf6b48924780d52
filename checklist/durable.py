"""Files that survive a power cut: what is acknowledged is on disk."""

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, so that they survive a power cut as what is put into them does.

    Raises:
        OSError: If it could not be made.
    """
    if not path.is_dir():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def replace(path: Path, data: bytes, *, private: bool = True) -> None:
    """Replace a file so that at every moment either the old or the new content is on disk.

    When this returns the new content survives a power cut. A new file is private to its owner unless that is
    not asked for; an existing one keeps its mode.

    Raises:
        OSError: If it could not be written: the old file stands, and nothing is left beside it. Only when the
            last step fails, the sync of the folder, the new one stands but may not survive a power cut.
    """

    def move(temporary: str) -> None:
        os.replace(temporary, path)  # noqa: PTH105  # the one call this is about

    _put(path, data, move, private=private)


def create(path: Path, data: bytes, *, private: bool = True) -> None:
    """Write a new file, whole or not at all; as `replace`.

    Raises:
        FileExistsError: If there is one of this name; it is left alone.
        OSError: As `replace`.
    """

    def link(temporary: str) -> None:
        os.link(temporary, path)
        os.unlink(temporary)  # noqa: PTH108  # beside its sisters

    _put(path, data, link, private=private)


def _put(path: Path, data: bytes, place: Callable[[str], None], *, private: bool) -> None:
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                if not private:
                    os.fchmod(file.fileno(), 0o666 & ~_umask())
                with contextlib.suppress(FileNotFoundError):
                    os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            place(temporary)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108  # beside its sisters
            raise
        _sync(folder)
    finally:
        os.close(folder)


def sync_folder(path: Path) -> None:
    """Have the names in a folder survive a power cut.

    Raises:
        OSError: If that failed. A network file system that knows no such thing is let be.
    """
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _sync(folder)
    finally:
        os.close(folder)


def _sync(folder: int) -> None:
    try:
        os.fsync(folder)
    except OSError as error:
        # Some network file systems cannot sync a folder; one that can and fails is told.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
