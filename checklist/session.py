"""The one way through the house: a face asks, the probes look, the rules decide, the store keeps.

A session belongs to one event loop. Every change is on disk before it is announced.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from checklist import definition, lifecycle
from checklist.definition import Checklist, Item
from checklist.gate import Gate, decide
from checklist.lifecycle import GREEN, State
from checklist.opening import Clock, now, open_store
from checklist.reading import nearest
from checklist.reports import readiness, status_report
from checklist.status import Evidence, Facts, FinalCheck, Status
from checklist.store import Change, ConflictError, Store, StoreError
from probes.outcome import Outcome
from probes.runner import Runner


class Started(NamedTuple):
    """A probe started."""

    run: str
    item: str


class Ended(NamedTuple):
    """A probe ended; no outcome means that it was cancelled or could not be recorded."""

    run: str
    item: str
    outcome: Outcome | None


class Changed(NamedTuple):
    """Facts changed and are on disk. No item means that any may have changed."""

    item: str | None


class CheckStarted(NamedTuple):
    """A check of several items started."""

    run: str
    items: tuple[str, ...]
    final: bool


class CheckEnded(NamedTuple):
    """A check ended; for a final check that ran to its end, `record` is its saved record."""

    run: str
    final: bool
    record: Path | None


Event = Started | Ended | Changed | CheckStarted | CheckEnded


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
        self._store = store
        self._runner = runner
        self._clock = clock
        self._listeners: list[Callable[[Event], None]] = []
        self._tasks: dict[str, asyncio.Task[Outcome | None]] = {}
        self._marks: list[tuple[str, Facts, Facts]] = []
        self._saving = asyncio.Lock()

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
        return decide(self.checklist, self.status, self._clock())

    def report(self) -> status_report.StatusReport:
        """Return the state of everything now."""
        return status_report.build(self.checklist, self.status, self._clock())

    # Marks

    async def claim(self, item: str, *, by: str, action: str, on: date | None = None) -> None:
        """Claim an item resolved, by default today.

        Raises:
            ValueError: If it is manual, or the action or name is empty, or the day has not come yet.
            StoreError: If it could not be saved.
        """
        _require(by=by, action=action)
        if self._item(item).probe is None:
            raise ValueError(f"{item} is manual: nothing can prove a claim about it, so attest it instead")
        at = self._clock()
        day = on or at.date()
        if day > at.date():
            raise ValueError(f"{day} has not come yet")
        await self._mark(
            item, "claim", lambda facts: lifecycle.claim(facts, by=by, on=day, action=action, at=at)
        )

    async def attest(self, item: str, *, by: str, note: str) -> None:
        """Answer for a manual item by name; raises as `claim`, and `ValueError` if it has a probe."""
        _require(by=by, note=note)
        definition_ = self._item(item)
        if definition_.probe is not None:
            raise ValueError(f"{item} has a probe: only a passing run can prove it, so resolve and check it")
        at = self._clock()
        await self._mark(
            item, "attestation", lambda facts: lifecycle.attest(facts, definition_, by=by, note=note, at=at)
        )

    async def waive(self, item: str, *, by: str, why: str, until: date) -> None:
        """Accept an item as it is up to a day; raises as `claim`, and `ValueError` if the day is past."""
        _require(by=by, why=why)
        self._item(item)
        at = self._clock()
        if until < at.date():
            raise ValueError(f"{until} is past: a waiver must hold today at least")
        await self._mark(
            item, "waiver", lambda facts: lifecycle.waive(facts, by=by, why=why, until=until, at=at)
        )

    async def reopen(self, item: str, *, by: str, why: str) -> None:
        """Take an item back to open; raises as `claim`."""
        _require(by=by, why=why)
        self._item(item)
        at = self._clock()
        await self._mark(item, "reopening", lambda facts: lifecycle.reopen(facts, by=by, why=why, at=at))

    async def tick(self, item: str, step: str) -> None:
        """Tick a step or untick it.

        Raises:
            ValueError: If the item has no such step.
            StoreError: If it could not be saved.
        """
        if step not in self._item(item).steps:
            raise ValueError(f"{item} has no step {step!r}")
        await self._mark(item, "steps", lambda facts: lifecycle.tick(facts, step))

    async def undo(self) -> str | None:
        """Take back the last mark made in this session; evidence is no mark and stays.

        Returns:
            The item it was about, or None if there is no mark to take back.

        Raises:
            ConflictError: If somebody else marked the item since.
            StoreError: If it could not be saved.
        """
        if not self._marks:
            return None
        item, before, after = self._marks[-1]
        changed = tuple(word for word in _WORDS if getattr(before, word) != getattr(after, word))
        for word in changed:
            if getattr(self.status.of(item), word) != getattr(after, word):
                raise ConflictError(item, word, self.status)

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
            ValueError: If the item is manual, or is running already.
            StoreError: If the outcome could not be saved.
        """
        entry = self._item(item)
        if entry.probe is None:
            raise ValueError(f"{item} is manual: it has no probe to run")
        if item in self.running:
            raise ValueError(f"{item} is running already")
        run = run or _new_run()
        task = asyncio.create_task(self._runner.run(entry.probe.use, entry.probe.parameters))
        self.running[item], self._tasks[item] = run, task
        self._tell(Started(run, item))
        outcome: Outcome | None = None
        try:
            found = await task
            await self._record(entry, Evidence(outcome=found, run=run, item=entry.hash))
            outcome = found
        except asyncio.CancelledError:
            if (current := asyncio.current_task()) is not None and current.cancelling():
                task.cancel()
                raise
        finally:
            del self.running[item], self._tasks[item]
            self._tell(Ended(run, item, outcome))
        return outcome

    def cancel(self, item: str | None = None) -> None:
        """Cancel the run of an item, or all runs; nothing is recorded for them."""
        for name, task in list(self._tasks.items()):
            if item in (None, name):
                task.cancel()

    async def check(self, items: Iterable[str] | None = None) -> readiness.ReadinessCheck:
        """Run several probes side by side; without a choice of items, this is the final check.

        An item whose `after` items are not green when its turn comes is not run. A final check is recorded
        only if no run of it was cancelled.

        Raises:
            ValueError: If an item is not known.
            StoreError: If something could not be saved.
            OSError: If the record of a final check could not be saved.
        """
        final = items is None
        chosen = {name: self._item(name) for name in (self.checklist.by_id if items is None else items)}
        run, started = _new_run(), self._clock()
        ready = {name: entry for name, entry in chosen.items() if entry.probe is not None}
        self._tell(CheckStarted(run, tuple(ready), final))
        record: Path | None = None
        try:
            whole = await self._run_in_order(ready, run)
            if final and whole:
                await self._close_final_check(run, started)
            result = readiness.build(self.report(), run=run, final=final and whole, time=self._clock())
            if result.final:
                try:
                    record = await asyncio.to_thread(readiness.save, result, self.path.resolve().parent)
                except OSError:
                    # Without its record a final check is none.
                    await self._save(Change(lambda status: replace(status, final_check=None)))
                    raise
        finally:
            self._tell(CheckEnded(run, final, record))
        return result

    async def close(self) -> None:
        """End every run and everything that was started for it; return when nothing is left."""
        self.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._runner.close()

    # Inside

    async def _run_in_order(self, ready: dict[str, Item], run: str) -> bool:
        """Run each probe as soon as the items it comes after have run; tell whether none was cancelled."""
        finished = {name: asyncio.Event() for name in ready}
        whole = True

        async def one(entry: Item) -> None:
            nonlocal whole
            try:
                for parent in entry.after:
                    if parent in finished:
                        await finished[parent].wait()
                states = self.states()
                if all(states[parent] in GREEN for parent in entry.after):
                    while entry.id in self._tasks:
                        await asyncio.wait([self._tasks[entry.id]])
                        await asyncio.sleep(0)
                    whole = await self.run(entry.id, run) is not None and whole
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

    async def _record(self, item: Item, evidence: Evidence) -> None:
        moment = self._clock()

        def record(status: Status) -> Status:
            return status.having(item.id, lifecycle.record(status.of(item.id), evidence, moment))

        await self._save(Change(record), item.id)

    async def _mark(self, item: str, fact: str, mark: Callable[[Facts], Facts]) -> None:
        made: list[tuple[str, Facts, Facts]] = []

        def apply(status: Status) -> Status:
            before = status.of(item)
            made.append((item, before, mark(before)))
            return status.having(item, made[-1][2])

        await self._save(Change(apply, item, (fact,)))
        self._marks += made

    async def _save(self, change: Change, item: str | None = None) -> None:
        # The status on screen is replaced only by one that is on disk.
        async with self._saving:
            try:
                self.status = await asyncio.to_thread(self._store.apply, change, self.status)
            except StoreError:
                await self._reload()
                raise
        self._tell(Changed(change.item or item))

    async def _reload(self) -> None:
        """Show what is on disk, whatever was meant to be there."""
        with contextlib.suppress(StoreError):
            found = await asyncio.to_thread(self._store.load)
            if found != self.status:
                self.status = found
                self._tell(Changed(None))

    def _item(self, item: str) -> Item:
        try:
            return self.checklist.by_id[item]
        except KeyError:
            near = nearest(item, self.checklist.by_id)
            raise ValueError(f"no item is called {item!r}{near}") from None

    def _tell(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


_WORDS = ("claim", "attestation", "waiver", "reopening", "steps")
"""The facts that people give."""


def _require(**texts: str) -> None:
    words = {"by": "who says so (--by)", "action": "what was done", "note": "what was seen", "why": "why"}
    for name, text in texts.items():
        if not text.strip():
            raise ValueError(f"say {words[name]}")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{name}: this is not UTF-8 text") from None


def _new_run() -> str:
    """Return an id for a run: sortable by time, unique among machines."""
    return f"{now():%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
