"""Puts an imported list on disk: the checklist, and its claims as a status with a journal."""

import contextlib
from pathlib import Path

from msgspec.structs import replace

from checklist import durable
from checklist.journal import Note
from checklist.markdown import Imported
from checklist.opening import Place, open_store
from checklist.status import Status
from checklist.store import Change


def save(found: Imported, place: Place, source: Path, by: str) -> None:
    """Write the checklist and its status, both or neither; what was there is replaced.

    Args:
        found: What was read.
        place: Where it goes.
        source: The list that it was read from, for the journal.
        by: Who imports it.

    Raises:
        OSError: If the checklist could not be written.
        StoreError: If the status could not; then the checklist is as it was.
    """
    store = open_store(place, found.checklist)
    old = place.checklist.read_bytes() if place.checklist.exists() else None
    known = store.load() if old is not None else Status()
    note = Note("imported", by, data={"file": source.name})

    def take(status: Status) -> Status:
        return replace(status, items=found.facts, final_check=None, unfinished_check=None)

    durable.replace(place.checklist, found.toml.encode(), private=False)
    try:
        store.apply(Change(take, lambda _: note), known)
    except BaseException:
        if old is None:
            with contextlib.suppress(OSError):
                place.checklist.unlink()
        else:
            durable.replace(place.checklist, old)
        raise
