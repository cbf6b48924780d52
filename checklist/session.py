"""The one way through the house: a face asks, the probes look, the rules decide, the store keeps.

A session belongs to one event loop. Every change is on disk before it is announced.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import cast

from msgspec.structs import replace

from checklist import definition, lifecycle
from checklist.definition import Binding, Checklist, Item
from checklist.events import Changed, CheckEnded, CheckStarted, Ended, Event, Started
from checklist.gate import Gate, decide
from checklist.lifecycle import GREEN, RefusedError, State
from checklist.opening import Clock, open_store
from checklist.reading import FileError, nearest
from checklist.reports import readiness, status_report
from checklist.status import Evidence, Facts, FinalCheck, Status
from checklist.store import Change, ConflictError, Store, StoreError
from checklist.store.toml_file import stamp
from checklist.tasks import in_thread, is_cancelled
from probes.outcome import Outcome, now
from probes.runner import Runner

_WORDS = ("claim", "attestation", "waiver", "reopening", "steps")
"""The facts that people give."""


class Session:
    """One checklist being worked through."""

    def __init__(
        self, path: Path, checklist: Checklist, store: Store, runner: Runner, clock: Clock = now
    ) -> None:
        """Put a session together; see `open` for the usual parts.

        Raises:
            StoreError: If there is a status that cannot be read.
        """
        self.path = path
        self.checklist = checklist
        self.status = store.load()
        self.running: dict[str, str] = {}
        """Ids of the items whose probe is running, with the id of the run."""
        self.unsaved: str | None = None
        """Why the last save failed, until one succeeds. Meanwhile the gate is shut: something is missing."""
        self.unread: str | None = None
        """Why the files could not be read again, until they can. Meanwhile the gate is shut likewise."""
        self._store = store
        self._runner = runner
        self._clock = clock
        self._listeners: list[Callable[[Event], None]] = []
        self._tasks: dict[str, asyncio.Task[Outcome | None]] = {}
        self._check: asyncio.Task[readiness.ReadinessCheck] | None = None
        self._marks: list[tuple[str, Facts, Facts]] = []
        self._saving = asyncio.Lock()
        self._stamps = self._stamp()

    @classmethod
    def open(cls, path: Path) -> "Session":
        """Open the session of a checklist file.

        Raises:
            FileError: If the checklist cannot be read.
            StoreError: If its status cannot be read.
        """
        checklist = definition.load(path)
        folder = path.resolve().parent
        return cls(path, checklist, open_store(path, checklist), Runner(folder))

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Have every event told, in order, on the event loop."""
        self._listeners.append(listener)

    def states(self) -> dict[str, State]:
        """Return the state of every item now."""
        return lifecycle.states(self.checklist, self.status, self._clock())

    def gate(self) -> Gate:
        """Return the decision as it stands now."""
        return self._held(decide(self.checklist, self.status, self._clock()))

    def report(self) -> status_report.StatusReport:
        """Return the state of everything now."""
        report = status_report.build(self.checklist, self.status, self._clock())
        return replace(report, gate=self._held(report.gate))

    def _held(self, gate: Gate) -> Gate:
        """Return the gate, shut while what is known here and what is on disk may differ."""
        if self.unsaved:
            gate = gate.held_by(f"not everything is saved: {self.unsaved}")
        return gate.held_by(self.unread) if self.unread else gate

    async def refresh(self) -> None:
        """Take in what others have changed on disk, in the checklist and in its status.

        Raises:
            FileError: If the checklist cannot be read any more; the last good one stays.
            StoreError: If its status cannot; likewise.
        """
        async with self._saving:
            self._stamps = self._stamp()
            try:
                checklist, status = await in_thread(lambda: (definition.load(self.path), self._store.load()))
            except (FileError, StoreError) as error:
                self.unread = str(error)
                raise
            self.unread = None
            if checklist.hash != self.checklist.hash:
                self.checklist = checklist
                self._store = open_store(self.path, checklist)
            elif status == self.status:
                return
            self.status = status
        self._tell(Changed(None))

    async def follow(self) -> None:
        """Do `refresh` if one of the files has changed since the last time; otherwise nothing."""
        if self.unread or self._stamp() != self._stamps:
            await self.refresh()

    def _stamp(self) -> object:
        return (stamp(self.path), self._store.stamp())

    # Marks

    async def claim(self, item: str, *, by: str, action: str, on: date | None = None) -> None:
        """Claim an item resolved, by default today.

        Raises:
            RefusedError: If the rules do not allow it; see `lifecycle.claim`.
            ConflictError: If somebody else changed the same facts since they were shown here.
            StoreError: If it could not be saved.
        """
        _require(by=by, action=action)
        entry, at = self._item(item), self._clock()
        day = on or at.date()
        await self._mark(
            item,
            ("claim", "reopening"),
            lambda facts: lifecycle.claim(facts, entry, by=by, on=day, action=action, at=at),
        )

    async def attest(self, item: str, *, by: str, note: str) -> None:
        """Answer for a manual item by name; raises as `claim`."""
        _require(by=by, note=note)
        entry, at = self._item(item), self._clock()
        await self._mark(
            item,
            ("attestation", "reopening"),
            lambda facts: lifecycle.attest(facts, entry, by=by, note=note, at=at),
        )

    async def waive(self, item: str, *, by: str, why: str, until: date) -> None:
        """Accept an item as it is up to a day; raises as `claim`."""
        _require(by=by, why=why)
        entry, at = self._item(item), self._clock()
        await self._mark(
            item,
            ("waiver", "reopening"),
            lambda facts: lifecycle.waive(facts, entry, by=by, why=why, until=until, at=at),
        )

    async def reopen(self, item: str, *, by: str, why: str) -> None:
        """Take an item back to open; raises as `claim`."""
        _require(by=by, why=why)
        self._item(item)
        at = self._clock()
        await self._mark(
            item,
            ("claim", "attestation", "waiver", "reopening"),
            lambda facts: lifecycle.reopen(facts, by=by, why=why, at=at),
        )

    async def tick(self, item: str, step: str) -> None:
        """Tick a step or untick it; raises as `claim`."""
        entry = self._item(item)
        await self._mark(item, ("steps",), lambda facts: lifecycle.tick(facts, entry, step))

    async def undo(self) -> str | None:
        """Take back the last mark made in this session; evidence is no mark and stays.

        Returns:
            The item it was about, or None if there is no mark to take back.

        Raises:
            ConflictError: If somebody else changed since what the mark had changed.
            StoreError: If it could not be saved.
        """
        if not self._marks:
            return None
        item, before, after = self._marks[-1]
        changed = tuple(word for word in _WORDS if getattr(before, word) != getattr(after, word))
        for word in changed:
            if (theirs := getattr(self.status.of(item), word)) != getattr(after, word):
                raise ConflictError(item, word, theirs, getattr(before, word))

        def back(status: Status) -> Status:
            words = {word: getattr(before, word) for word in changed}
            return status.having(item, replace(status.of(item), **words))

        await self._save(Change(back, item, changed))
        self._marks.pop()
        return item

    # Runs

    async def run(self, item: str, run: str | None = None) -> Outcome | None:
        """Run the probe of an item and record what it found.

        Returns:
            The outcome, or None if the run was cancelled.

        Raises:
            RefusedError: If the item is manual, is running already, or comes after one that is not green.
            StoreError: If the outcome could not be saved.
        """
        entry = self._item(item)
        if entry.probe is None:
            raise RefusedError(f"{item} is manual: it has no probe to run")
        if item in self.running:
            raise RefusedError(f"{item} is running already")
        states = self.states()
        if closed := [parent for parent in entry.after if states[parent] not in GREEN]:
            raise RefusedError(f"{item} waits for {', '.join(closed)}: its probe would tell nothing yet")
        run = run or _new_run()
        self.running[item] = run
        task = self._tasks[item] = asyncio.create_task(self._look(entry, entry.probe, run))
        # Also where it is cancelled before it has begun.
        task.add_done_callback(lambda ended: self._forget(item) if self._tasks.get(item) is ended else None)
        try:
            return await task
        except asyncio.CancelledError:
            if is_cancelled():
                task.cancel()
                raise
            return None

    async def _look(self, item: Item, probe: Binding, run: str) -> Outcome | None:
        self._tell(Started(run, item.id))
        recorded: Outcome | None = None
        try:
            last = self.status.of(item.id).evidence
            memory = last.outcome.memory if last else None
            found = await self._runner.run(probe.use, probe.parameters, memory)
            await self._record(item, Evidence(outcome=found, run=run, item=item.hash))
            recorded = found
        finally:
            self._forget(item.id)
            self._tell(Ended(run, item.id, recorded))
        return recorded

    def _forget(self, item: str) -> None:
        self.running.pop(item, None)
        self._tasks.pop(item, None)

    def cancel(self, item: str | None = None) -> None:
        """Cancel the run of an item, or all runs and the check that they belong to."""
        if item is None and self._check is not None:
            self._check.cancel()
        for name, task in list(self._tasks.items()):
            if item in (None, name):
                task.cancel()

    async def check(self, items: Iterable[str] | None = None) -> readiness.ReadinessCheck | None:
        """Run several probes side by side; without a choice of items, this is the final check.

        An item whose `after` items are not green when its turn comes is not run. A final check counts only
        if no run of it was cancelled, the checklist is still the same at its end, and its record is saved.

        Returns:
            The record of the check, or None if it was stopped.

        Raises:
            RefusedError: If an item is not known, or a check is running already.
            FileError: If the checklist cannot be read any more.
            StoreError: If something could not be saved.
        """
        if self._check is not None:
            raise RefusedError("a check is running already")
        task = self._check = asyncio.create_task(self._check_items(None if items is None else list(items)))
        try:
            return await task
        except asyncio.CancelledError:
            if is_cancelled():
                task.cancel()
                raise
            return None
        except ExceptionGroup as group:
            raise _first(group) from None
        finally:
            self._check = None

    async def close(self) -> None:
        """End every run and everything that was started for it; return when nothing is left."""
        self.cancel()
        tasks = [*self._tasks.values(), *([self._check] if self._check else [])]
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._runner.close()

    # Inside

    async def _check_items(self, items: list[str] | None) -> readiness.ReadinessCheck:
        await self.refresh()
        checklist, final = self.checklist, items is None
        chosen = {name: self._item(name) for name in (checklist.by_id if items is None else items)}
        run, started = _new_run(), self._clock()
        ready = {name: entry for name, entry in chosen.items() if entry.probe is not None}
        self._tell(CheckStarted(run, tuple(ready), final))
        whole, record = False, None
        try:
            whole = await self._run_in_order(checklist, ready, run)
            await self.refresh()
            counts = final and whole and self.checklist.hash == checklist.hash
            if counts:
                await self._close_final_check(run, started)
            result = readiness.build(self.report(), run=run, final=counts, time=self._clock())
            if counts:
                record = await self._save_record(result)
        finally:
            self._tell(CheckEnded(run, final, whole, record))
        return result

    async def _run_in_order(self, checklist: Checklist, ready: dict[str, Item], run: str) -> bool:
        """Run each probe as soon as the items it comes after have run; tell whether none was cancelled."""
        finished = {name: asyncio.Event() for name in ready}
        whole = True

        async def one(entry: Item) -> None:
            nonlocal whole
            try:
                for parent in entry.after:
                    if parent in finished:
                        await finished[parent].wait()
                states = lifecycle.states(checklist, self.status, self._clock())
                if all(states[parent] in GREEN for parent in entry.after):
                    if running := self._tasks.get(entry.id):
                        await asyncio.wait([running])
                    try:
                        whole = await self.run(entry.id, run) is not None and whole
                    except RefusedError:
                        whole = False  # somebody changed what it comes after at this very moment
            finally:
                finished[entry.id].set()

        async with asyncio.TaskGroup() as group:
            for entry in ready.values():
                group.create_task(one(entry))
        return whole

    async def _close_final_check(self, run: str, started: datetime) -> None:
        finished, checklist = self._clock(), self.checklist.hash

        def close(status: Status) -> Status:
            final = FinalCheck(
                run=run,
                started_at=started,
                finished_at=finished,
                checklist=checklist,
                facts=status.digest,
                revision=status.revision,
            )
            return replace(status, final_check=final)

        await self._save(Change(close))

    async def _save_record(self, result: readiness.ReadinessCheck) -> Path:
        folder = self.path.resolve().parent
        try:
            return await in_thread(lambda: readiness.save(result, folder))
        except OSError as error:
            # Without its record a final check is none.
            await self._save(Change(lambda status: replace(status, final_check=None)))
            why = error.strerror or error
            raise StoreError(f"the final check does not count: its record was not saved: {why}") from None

    async def _record(self, item: Item, evidence: Evidence) -> None:
        moment = self._clock()

        def record(status: Status) -> Status:
            return status.having(item.id, lifecycle.record(status.of(item.id), evidence, moment))

        await self._save(Change(record), item.id)

    async def _mark(self, item: str, facts: tuple[str, ...], mark: Callable[[Facts], Facts]) -> None:
        made: list[tuple[str, Facts, Facts]] = []

        def apply(status: Status) -> Status:
            before = status.of(item)
            made.append((item, before, mark(before)))
            return status.having(item, made[-1][2])

        await self._save(Change(apply, item, facts))
        self._marks += made

    async def _save(self, change: Change, item: str | None = None) -> None:
        # The status on screen is replaced only by one that is on disk.
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
        self._tell(Changed(change.item or item))

    async def _reload(self) -> None:
        """Show what is on disk, whatever was meant to be there."""
        with contextlib.suppress(StoreError):
            self.status = await in_thread(self._store.load)
        self._tell(Changed(None))

    def _item(self, item: str) -> Item:
        try:
            return self.checklist.by_id[item]
        except KeyError:
            near = nearest(item, self.checklist.by_id)
            raise RefusedError(f"no item is called {item!r}{near}") from None

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """Return the first exception of a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return cast("Exception", error)


def _require(**texts: str) -> None:
    words = {"by": "who says so (--by)", "action": "what was done", "note": "what was seen", "why": "why"}
    for name, text in texts.items():
        if not text.strip():
            raise RefusedError(f"say {words[name]}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RefusedError(f"{name}: this is not UTF-8 text") from None


def _new_run() -> str:
    """Return an id for a run: sortable by time, unique among machines."""
    return f"{now():%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
