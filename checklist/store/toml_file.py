"""The default store: `checklist.status.toml` beside the checklist, for people to read and for git to keep.

The journal lies beside it. A change is in the status first, together with the line that tells of it, and then
in the journal: whatever comes between is made up for by the next change.
"""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from checklist import durable, journal
from checklist.language import gettext as _
from checklist.reading import MAX_BYTES, FileError, read_text
from checklist.status import Status
from checklist.store import Change, ConflictError, StoreError
from checklist.store.status_toml import format_status, parse_status
from probes.outcome import now

LOCK_SECONDS = 10
"""How long to wait for another writer; each holds the lock for a few milliseconds."""


class TomlFile:
    """A store in one TOML file."""

    def __init__(
        self,
        path: Path,
        state_words: Callable[[Status], dict[str, str]],
        checklist: str = "",
        clock: Callable[[], datetime] = now,
    ) -> None:
        """Use the file at `path`, which need not exist yet.

        Args:
            path: The status file.
            state_words: Tells the state of each item, to be written for readers; it is never read back.
            checklist: Hash of the checklist that changes are about, for the journal.
            clock: Tells the time, for the journal.
        """
        # Behind a symbolic link the file itself is replaced, not the link.
        self._path = Path(os.path.realpath(path))
        self._journal = journal_path(self._path)
        self._state_words = state_words
        self._checklist = checklist
        self._clock = clock

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

    def verify(self) -> journal.Broken | None:
        """Return the first thing wrong with the journal and the status that it tells of; None if all is well.

        Raises:
            StoreError: If the status cannot be read.
            FileError: If the journal cannot.
        """
        status = self.load()
        while broken := journal.verify(self._journal, status):
            # Somebody may have written between the reading of the one and of the other.
            before, status = status, self.load()
            if status == before:
                return broken
        return None

    def apply(self, change: Change, known: Status) -> Status:
        """Apply one change on disk; see `Store.apply`."""
        try:
            durable.make_folder(self._path.parent)
            with FileLock(f"{self._path}.lock", timeout=LOCK_SECONDS):
                fresh = self.load()
                status = change.apply(msgspec.structs.replace(fresh, revision=fresh.revision + 1))
                _refuse_conflict(change, known, fresh, status)
                line = self._line(change, fresh, status)
                status = msgspec.structs.replace(status, journal=line)
                data = format_status(status, self._state_words(status)).encode()
                if len(data) > MAX_BYTES:
                    why = _("not saved: it would be too large to be read again")
                    raise StoreError(f"{self._path}: {why}")
                journal.prepare(self._journal, fresh.journal)
                durable.replace(self._path, data)
                self._append(line)
                return status
        except Timeout:
            raise StoreError(f"{self._path}: {_('another program holds its lock')}") from None
        except OSError as error:
            why = _("not saved: {why}").format(why=error.strerror or error)
            raise StoreError(f"{self._path}: {why}") from None

    def _line(self, change: Change, before: Status, after: Status) -> str:
        return journal.compose(
            change.note,
            at=self._clock(),
            checklist=self._checklist,
            before=before,
            after=after,
            last=journal.last_line(self._journal),
        )

    def _append(self, line: str) -> None:
        try:
            journal.append(self._journal, line)
        except OSError as error:
            words = _("the change is saved, but not told there yet: {why}")
            raise StoreError(f"{self._journal}: {words.format(why=error.strerror or error)}") from None


def journal_path(status: Path) -> Path:
    """Return where the journal of a status file lies: `checklist.journal.jsonl` beside it."""
    return status.with_name(f"{status.name.removesuffix('.status.toml')}.journal.jsonl")


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
