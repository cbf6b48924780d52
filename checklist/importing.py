"""Puts an imported list on disk: the checklist, and its claims as a status with a journal."""

import contextlib
from pathlib import Path

from msgspec.structs import replace

from checklist import durable
from checklist.journal import Note
from checklist.markdown import Imported
from checklist.opening import Place, open_store
from checklist.status import Status
from checklist.store import Change, Store, StoreError


def save(found: Imported, place: Place, source: Path, by: str) -> None:
    """Write the checklist and its status, both or neither; what was there is replaced.

    Behind a symbolic link the checklist itself is replaced, not the link: its status lies beside it.

    Args:
        found: What was read.
        place: Where it goes.
        source: The list that it was read from, for the journal.
        by: Who imports it.

    Raises:
        OSError: If the checklist could not be written.
        StoreError: If the status could not; then the checklist is as it was. Or if it could and the journal
            could not; then both are written.
    """
    store, path = open_store(place, found.checklist), place.checklist.resolve()
    old = path.read_bytes() if path.exists() else None
    note = Note("imported", by, data={"file": source.name})

    def take(status: Status) -> Status:
        return replace(status, items=found.facts, final_check=None, unfinished_check=None)

    durable.replace(path, found.toml.encode(), private=False)
    try:
        store.apply(Change(take, note), Status())
    except BaseException:
        if not _took(store, found):
            _put_back(path, old)
        raise


def _took(store: Store, found: Imported) -> bool:
    try:
        return store.load().items == found.facts
    except StoreError:
        return False


def _put_back(path: Path, old: bytes | None) -> None:
    if old is not None:
        durable.replace(path, old)
        return
    with contextlib.suppress(OSError):
        path.unlink()
