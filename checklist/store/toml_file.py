"""The default store: `checklist.status.toml` beside the checklist, for people to read and for git to keep."""

import contextlib
import errno
import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from checklist.reading import FileError, read_text
from checklist.status import Status
from checklist.store import Change, ConflictError, StoreError
from checklist.store.status_toml import format_status, parse_status

LOCK_SECONDS = 10
"""How long to wait for another writer; each holds the lock for a few milliseconds."""


class TomlFile:
    """A store in one TOML file."""

    def __init__(self, path: Path, state_words: Callable[[Status], dict[str, str]]) -> None:
        """Use the file at `path`, which need not exist yet.

        Args:
            path: The status file.
            state_words: Tells the state of each item, to be written for readers; it is never read back.
        """
        # Behind a symbolic link the file itself is replaced, not the link.
        self._path = Path(os.path.realpath(path))
        self._state_words = state_words

    def load(self) -> Status:
        """Return the status as it is on disk; see `Store.load`."""
        if not self._path.exists():
            return Status()
        try:
            return parse_status(read_text(self._path), self._path)
        except FileError as error:
            raise StoreError(str(error)) from None

    def apply(self, change: Change, known: Status) -> Status:
        """Apply one change on disk; see `Store.apply`."""
        try:
            with FileLock(f"{self._path}.lock", timeout=LOCK_SECONDS):
                fresh = self.load()
                _refuse_conflict(change, known, fresh)
                numbered = msgspec.structs.replace(fresh, revision=fresh.revision + 1)
                status = change.apply(numbered)
                write_durably(self._path, format_status(status, self._state_words(status)).encode())
                return status
        except Timeout:
            raise StoreError(f"{self._path}: another program holds its lock") from None
        except OSError as error:
            raise StoreError(f"{self._path}: not saved: {error.strerror or error}") from None


def _refuse_conflict(change: Change, known: Status, fresh: Status) -> None:
    for fact in change.facts:
        if getattr(known.of(change.item), fact) != getattr(fresh.of(change.item), fact):
            raise ConflictError(change.item, fact, fresh)


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file so that at every moment either the old or the new content is on disk.

    When this returns the new content survives a power cut. A new file is private to its owner; an existing
    one keeps its mode.

    Raises:
        OSError: If it could not be written: the old file stands, and nothing is left beside it. Only when the
            last step fails, the sync of the folder, the new one stands but may not survive a power cut.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _replace(path, data)
        try:
            os.fsync(folder)
        except OSError as error:
            # Some network file systems cannot sync a folder; one that can and fails is told.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
    finally:
        os.close(folder)


def _replace(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105  # the one call this is about
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108  # as above
        raise
