"""The default store: `checklist.status.toml` beside the checklist, for people to read and for git to keep."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from checklist import durable
from checklist.reading import MAX_BYTES, FileError, read_text
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

    def stamp(self) -> object:
        """Return identity, time and size of the file; see `Store.stamp`."""
        return stamp(self._path)

    def apply(self, change: Change, known: Status) -> Status:
        """Apply one change on disk; see `Store.apply`."""
        try:
            with FileLock(f"{self._path}.lock", timeout=LOCK_SECONDS):
                fresh = self.load()
                status = change.apply(msgspec.structs.replace(fresh, revision=fresh.revision + 1))
                _refuse_conflict(change, known, fresh, status)
                data = format_status(status, self._state_words(status)).encode()
                if len(data) > MAX_BYTES:
                    raise StoreError(f"{self._path}: not saved: it would be too large to be read again")
                durable.replace(self._path, data)
                return status
        except Timeout:
            raise StoreError(f"{self._path}: another program holds its lock") from None
        except OSError as error:
            raise StoreError(f"{self._path}: not saved: {error.strerror or error}") from None


def stamp(path: Path) -> object:
    """Return what tells one content of a file from the next without reading it; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size)


def _refuse_conflict(change: Change, known: Status, fresh: Status, meant: Status) -> None:
    for fact in change.facts:
        theirs = getattr(fresh.of(change.item), fact)
        if getattr(known.of(change.item), fact) != theirs:
            raise ConflictError(change.item, fact, theirs, getattr(meant.of(change.item), fact))
