"""The journal: every change of a status on a line of its own, each bound to the line before by its hash.

`checklist.journal.jsonl` is only ever appended to. A line is a JSON object; its last key, `hash`, is the
SHA-256 of the bytes of the line before that key, and `previous` repeats the hash of the line before. Whoever
changes a line breaks its own hash, or else the `previous` of the next one. The status remembers the last
line, so that lines cut from the end are missed too, and an append that a crash prevented is made up for: the
last line alone may be missing from the file without being lost.
"""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from checklist import durable
from checklist.language import gettext as _
from checklist.reading import FileError, is_merge_marker
from checklist.status import Status
from probes.outcome import Moment

_HASH = b',"hash":"'
_TAIL = 1 << 16


What = Literal[
    "resolved",
    "attested",
    "waived",
    "reopened",
    "ticked",
    "unticked",
    "undone",
    "found",
    "check begun",
    "decided",
    "imported",
]
"""What can happen: the marks of people; the outcome of a probe; begin and end of a final check; an import."""


class Note(NamedTuple):
    """What a change is, told by whoever makes it.

    Attributes:
        what: What happened.
        by: Who did it.
        item: The item it is about; empty if it is about the checklist.
        why: The action, reason or finding, in words.
        run: The id of the run it belongs to, if it belongs to one.
        data: Everything else, by name.
    """

    what: What
    by: str = ""
    item: str = ""
    why: str = ""
    run: str = ""
    data: dict[str, str] = {}  # noqa: RUF012  # never written to


class Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the journal.

    Attributes:
        number: The number of the line, from 1.
        at: When it happened.
        what: See `Note`, as for `by`, `item`, `why`, `run` and `data`.
        edited: Whether something other than gonogo had changed the status since the line before.
        revision: The revision of the status that it made.
        checklist: Hash of the checklist it was about.
        facts: Digest of all facts after it.
        previous: Hash of the line before; empty for the first one.
        hash: Hash of this line up to here.
    """

    number: int
    at: Moment
    what: str
    by: str
    item: str
    why: str
    run: str
    data: dict[str, str]
    edited: bool
    revision: int
    checklist: str
    facts: str
    previous: str
    hash: str = ""


class Broken(NamedTuple):
    """The first thing wrong with a journal: the line, and what is wrong there."""

    line: int
    message: str


def compose(note: Note, *, at: datetime, checklist: str, before: Status, after: Status, last: str) -> str:
    """Return the line that tells of a change.

    Args:
        note: What the change is.
        at: When it happened.
        checklist: Hash of the checklist it is about.
        before: The status before.
        after: The status after, which has not got the line yet.
        last: The last line of the journal. What the status remembers goes before it.
    """
    known = _known(before.journal) or _known(last)
    entry = Entry(
        number=known.number + 1 if known else 1,
        at=at,
        **note._asdict(),
        edited=_edited(before, _known(before.journal)),
        revision=after.revision,
        checklist=checklist,
        facts=after.digest,
        previous=known.hash if known else "",
    )
    raw = msgspec.json.encode(entry).rpartition(_HASH)[0]
    return f'{raw.decode()}{_HASH.decode()}{_digest(raw)}"}}'


def _known(line: str) -> Entry | None:
    """Return a line if it is one, unchanged."""
    try:
        return _entry(line.encode()) if line else None
    except ValueError:
        return None


def _edited(before: Status, known: Entry | None) -> bool:
    if known is None:
        return before.revision > 0
    return (known.revision, known.facts) != (before.revision, before.digest)


def _digest(raw: bytes) -> str:
    return "sha256:" + sha256(raw).hexdigest()


def _entry(raw: bytes) -> Entry:
    """Read a line.

    Raises:
        ValueError: If it is none, or has been changed.
    """
    entry = _decode(raw)
    if entry.hash != _digest(raw.rpartition(_HASH)[0]):
        raise ValueError(_("it was changed after it was written"))
    return entry


def _decode(raw: bytes) -> Entry:
    try:
        return msgspec.json.decode(raw, type=Entry)
    except msgspec.DecodeError as error:
        if is_merge_marker([raw.decode(errors="replace")]):
            raise ValueError(
                _("a merge left both sides here: keep one of them, that of the status")
            ) from None
        raise ValueError(_no_line(error)) from None


def _no_line(error: Exception) -> str:
    return _("not a line of a journal: {why}").format(why=error)


def last_line(path: Path) -> str:
    """Return the last whole line of a journal that can be read as one; empty if there is none.

    Raises:
        OSError: If there is a file that cannot be read.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            length = _TAIL
            while True:
                file.seek(max(0, size - length))
                lines = file.read().split(b"\n")
                if len(lines) > 2 or length >= size:  # noqa: PLR2004  # a whole line, and what follows its end
                    break
                length *= 8
    except FileNotFoundError:
        return ""
    raw = lines[-2] if len(lines) > 1 else b""
    try:
        _entry(raw)
    except ValueError:
        return ""
    return raw.decode()


def prepare(path: Path, known: str) -> None:
    """Make sure that a journal can be appended to, before anything is done that it has to tell of.

    A crash may have kept the line before from being appended, or left half of it: that is made up for here,
    as the status remembers no line but the last.

    Args:
        path: The journal. If it is not there it is made, private to its owner.
        known: The line before, as the status remembers it; empty if it does not.

    Raises:
        OSError: If it cannot.
    """
    handle = _open(path)
    try:
        size = os.fstat(handle).st_size
        torn = _torn(handle, size)
        if torn and known.encode().startswith(torn):
            os.ftruncate(handle, size - len(torn))
        elif torn:
            _append(handle, "")
        last, before = last_line(path), _known(known)
        if before and last != known and before.previous == _hash_of(last):
            _append(handle, known)
    finally:
        os.close(handle)
    if size == 0:
        durable.sync_folder(path.parent)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def append(path: Path, line: str) -> None:
    """Append a line to a journal that is prepared for it; when this returns it is on disk.

    Raises:
        OSError: If it could not be written. What is there already stands.
    """
    handle = _open(path)
    try:
        _append(handle, line)
    finally:
        os.close(handle)


def _append(handle: int, line: str) -> None:
    _write(handle, f"{line}\n".encode())
    os.fsync(handle)


def _torn(handle: int, size: int) -> bytes:
    """Return what stands after the last line end: half a line, if a write was cut short."""
    length = _TAIL
    while True:
        start = max(0, size - length)
        tail = os.pread(handle, size - start, start)
        if b"\n" in tail or start == 0:
            return tail.rpartition(b"\n")[2]
        length *= 8


def _hash_of(line: str) -> str:
    return entry.hash if (entry := _known(line)) else ""


def _write(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]


def read(path: Path) -> list[Entry]:
    """Return every line of a journal; none if there is no file.

    Raises:
        FileError: If it cannot be read, or a line is none; a changed line is read as it stands.
    """
    entries = []
    for number, raw in enumerate(_lines(path), 1):
        try:
            entries.append(_decode(raw))
        except ValueError as error:
            raise FileError(path, number, str(error)) from None
    return entries


def history(path: Path, item: str, last: int) -> list[Entry]:
    """Return the last lines of the history of an item, oldest first; as `of_item`, without reading the rest.

    Raises:
        FileError: If it cannot be read, or one of them is none.
    """
    named = f'"item":{msgspec.json.encode(item).decode()},'.encode()
    lines: deque[tuple[int, bytes]] = deque(maxlen=last)
    for number, raw in enumerate(_lines(path), 1):
        if named in raw or b'"what":"imported"' in raw:
            lines.append((number, raw))
    # The words of another item's line may look like its name.
    return of_item(_entries(path, lines), item)


def last_records(path: Path, number: int) -> list[str]:
    """Return the names of the records of the last final checks that a journal tells of, oldest first.

    Raises:
        FileError: If it cannot be read, or one of these lines is none.
    """
    # A long journal is mostly of other lines.
    told = ((line, raw) for line, raw in enumerate(_lines(path), 1) if b'"what":"decided"' in raw)
    names = (entry.data.get("record", "") for entry in _entries(path, deque(told, maxlen=number)))
    return [name for name in names if name]


def _entries(path: Path, lines: Iterable[tuple[int, bytes]]) -> list[Entry]:
    entries = []
    for number, raw in lines:
        try:
            entries.append(msgspec.json.decode(raw, type=Entry))
        except msgspec.DecodeError as error:
            raise FileError(path, number, _no_line(error)) from None
    return entries


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            for raw in file:
                # Half a line at the end is a write that was cut short: it was never acknowledged.
                if raw.endswith(b"\n"):
                    yield raw[:-1]
    except FileNotFoundError:
        return
    except OSError as error:
        raise FileError(path, None, _("cannot be read: {why}").format(why=error.strerror)) from None


def verify(path: Path, status: Status) -> Broken | None:
    """Return the first thing wrong with a journal and the status that it tells of; None if all is well.

    Raises:
        FileError: If it cannot be read.
    """
    count, last = 0, None
    for number, raw in enumerate(_lines(path), 1):
        try:
            entry = _entry(raw)
        except ValueError as error:
            return Broken(number, str(error))
        if wrong := _misplaced(entry, number, last):
            return wrong
        count, last = number, entry
    return _at_odds(count, last, status)


def owed(path: Path, status: Status) -> int | None:
    """Return the number of the last line, if a sound journal lacks it and its status holds it.

    Raises:
        FileError: If it cannot be read.
    """
    known = _known(status.journal)
    return known.number if known and len(list(_lines(path))) < known.number else None


def _misplaced(entry: Entry, number: int, last: Entry | None) -> Broken | None:
    if entry.number != number:
        words = _("it was written as line {number}: lines before it are missing, or new")
        return Broken(number, words.format(number=entry.number))
    if entry.previous != (last.hash if last else ""):
        words = _("it is not the line that line {number} was written after").format(number=number)
        return Broken(max(1, number - 1), words)
    return None


def _at_odds(count: int, last: Entry | None, status: Status) -> Broken | None:
    """Return what does not fit between the end of a journal and the status."""
    if not status.journal:
        if last is not None:
            words = _("the status knows nothing of it: it was replaced, or written by other means")
            return Broken(count, words)
        return None
    try:
        known = _entry(status.journal.encode())
    except ValueError:
        words = _("the status does not hold the line that it was last changed by: it was edited")
        return Broken(count, words)
    end = last.hash if last else ""
    if end not in {known.hash, known.previous}:
        words = _("missing: the status was last changed by line {number}")
        return Broken(count + 1, words.format(number=known.number))
    if (known.revision, known.facts) != (status.revision, status.digest):
        return Broken(known.number, _("the status was changed since by something other than gonogo"))
    return None


def of_item(entries: Iterable[Entry], item: str) -> list[Entry]:
    """Return the history of an item; an import is part of every item's."""
    return [entry for entry in entries if entry.item == item or entry.what == "imported"]
