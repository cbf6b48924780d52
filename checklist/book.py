"""What is known about a checklist here, kept in step with what is on disk."""

import asyncio
import contextlib
from collections.abc import Callable

from msgspec.structs import replace

from checklist import definition, journal, lifecycle
from checklist.definition import Checklist, Item
from checklist.events import Changed, Event
from checklist.gate import Gate, decide
from checklist.language import gettext as _
from checklist.lifecycle import RefusedError, State
from checklist.opening import Clock, Place, open_store
from checklist.reading import FileError, no_item
from checklist.reports import status_report
from checklist.status import Status
from checklist.store import Change, ConflictError, Store, StoreError
from checklist.store.toml_file import stamp
from checklist.tasks import in_thread
from probes.outcome import Outcome, now


class Book:
    """A checklist and its status as they are known here.

    It belongs to one event loop. Every change is on disk before it is announced.
    """

    def __init__(self, place: Place, checklist: Checklist, store: Store, clock: Clock = now) -> None:
        """Read the status.

        Raises:
            StoreError: If there is one that cannot be read.
        """
        self.place = place
        self.checklist = checklist
        self.status = store.load()
        self.clock = clock
        self.readonly = False
        """Whether nothing is to be changed from here."""
        self.unsaved: str | None = None
        """Why the last save failed, until one succeeds. Meanwhile the gate is shut: something is missing."""
        self.unread: Exception | None = None
        """Why the files could not be read again, until they can. Meanwhile the gate is shut likewise."""
        self._store = store
        self._listeners: list[Callable[[Event], None]] = []
        self._saving = asyncio.Lock()
        self._stamps = self._stamp()

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Have every event told, in order, on the event loop."""
        self._listeners.append(listener)

    def states(self) -> dict[str, State]:
        """Return the state of every item now."""
        return lifecycle.states(self.checklist, self.status, self.clock())

    def gate(self) -> Gate:
        """Return the decision as it stands now."""
        return self._held(decide(self.checklist, self.status, self.clock()))

    def report(self, status: Status | None = None) -> status_report.StatusReport:
        """Return the state of everything now, or as it would be with another status."""
        report = status_report.build(self.checklist, status or self.status, self.clock())
        return replace(report, gate=self._held(report.gate))

    def _held(self, gate: Gate) -> Gate:
        """Return the gate, shut while what is known here and what is on disk may differ."""
        if self.unsaved:
            gate = gate.held_by(_("not everything is saved: {why}").format(why=self.unsaved))
        if self.unread:
            gate = gate.held_by(_("what is on disk cannot be read, so this may not be how things are"))
        return gate

    async def line(self, item: str) -> int:
        """Return the line of the checklist at which to look: where it is broken, or an item begins."""
        path = self.place.checklist

        def find() -> int:
            try:
                return definition.lines(path).get(item, 1)
            except FileError as error:
                return error.line or 1

        return await in_thread(find)

    async def history(self, item: str, last: int) -> list[journal.Entry]:
        """Return the last of what happened to an item, oldest first.

        Raises:
            FileError: If the journal cannot be read.
        """
        path = self.place.journal
        return await in_thread(lambda: journal.history(path, item, last))

    async def trend(self, item: str) -> list[Outcome]:
        """Return what the last final checks found about an item, oldest first; see `trend.past`."""
        # Records are read by the console alone: no command waits for what reads them.
        from checklist.reports import trend

        folder, told = self.place.records, self.place.journal
        return await in_thread(lambda: trend.past(folder, told, item))

    async def refresh(self) -> None:
        """Take in what others have changed on disk, in the checklist and in its status.

        Raises:
            FileError: If the checklist cannot be read any more, or sets other variables; the last good one
                stays.
            StoreError: If its status cannot be read; likewise.
        """
        async with self._saving:
            # Those before it was read; and none are taken over by somebody who is stopped half way.
            stamps = self._stamp()
            try:
                checklist, status = await in_thread(self._read)
            except Exception as error:
                # Also a bug: what is known here may not be how things are.
                self.unread = error
                raise
            self._stamps, self.unread = stamps, None
            if checklist.hash != self.checklist.hash:
                self.checklist = checklist
                self._store = open_store(self.place, checklist, self.clock)
            elif status == self.status:
                return
            self.status = status
        self.tell(Changed(None))

    def is_behind(self) -> bool:
        """Tell whether one of the files may have changed since it was read, without reading it."""
        return self.unread is not None or self._stamp() != self._stamps

    async def follow(self) -> None:
        """Do `refresh` if it is needed; otherwise nothing."""
        if self.is_behind():
            await self.refresh()

    def _read(self) -> tuple[Checklist, Status]:
        path, environment = self.place
        checklist = definition.load(path, environment)
        if checklist.variables != self.checklist.variables:
            # They were set for programs when it was opened: what those find is about the old ones.
            why = _("[environments.{name}] was edited; open it again, so that programs get what it sets")
            raise FileError(path, None, why.format(name=environment))
        return checklist, self._store.load()

    def _stamp(self) -> object:
        return (stamp(self.place.checklist), self._store.stamp())

    async def save(self, change: Change) -> None:
        """Have one change on disk, and then here.

        Raises:
            RefusedError: If nothing is to be changed from here.
            ConflictError: If somebody else changed the same facts since they were known here.
            StoreError: If it could not be saved. What is on disk is known here then.
        """
        self.writable()
        async with self._saving:
            known = self.status
            try:
                self.status = await in_thread(lambda: self._store.apply(change, known))
                self.unsaved = None
            except StoreError as error:
                if not isinstance(error, ConflictError):
                    self.unsaved = str(error)
                await self._reload()
                raise
        self.tell(Changed(change.item or None))

    def writable(self) -> None:
        """Do nothing if things may be changed from here.

        Raises:
            RefusedError: If they may not.
        """
        if self.readonly:
            raise RefusedError(_("this console is read-only: nothing is run or changed from here"))

    async def _reload(self) -> None:
        """Show what is on disk, whatever was meant to be there."""
        with contextlib.suppress(StoreError):
            self.status = await in_thread(self._store.load)
        self.tell(Changed(None))

    def item(self, item: str) -> Item:
        """Return an item by its id.

        Raises:
            RefusedError: If there is none.
        """
        try:
            return self.checklist.by_id[item]
        except KeyError:
            raise RefusedError(no_item(item, self.checklist.by_id)) from None

    def tell(self, event: Event) -> None:
        """Announce an event."""
        for listener in self._listeners:
            listener(event)
