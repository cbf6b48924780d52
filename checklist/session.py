"""The one way through the house: a face asks, the probes look, the rules decide, the store keeps."""

import asyncio
import contextlib
import functools
import os
import secrets
from collections.abc import Callable, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import cast

from msgspec.structs import replace

from checklist import definition, lifecycle
from checklist.book import Book
from checklist.definition import Binding, Checklist, Item
from checklist.events import CheckEnded, CheckStarted, Ended, Started
from checklist.journal import Note
from checklist.lifecycle import GREEN, RefusedError
from checklist.opening import Clock, Place, open_store
from checklist.reports import readiness, records
from checklist.status import Evidence, Facts, Status, UnfinishedCheck
from checklist.store import Change, ConflictError, Store, StoreError
from checklist.tasks import in_thread, is_cancelled, to_its_end
from checklist.zones import day
from probes.outcome import Outcome, now
from probes.runner import Runner


class _OvertakenError(Exception):
    """Somebody else changed something while a final check was being recorded."""


class Session(Book):
    """One checklist being worked through."""

    def __init__(
        self,
        place: Place,
        checklist: Checklist,
        store: Store,
        runner: Runner,
        *,
        clock: Clock = now,
        operator: str = "",
    ) -> None:
        """Put a session together; see `open` for the usual parts.

        Raises:
            StoreError: If there is a status that cannot be read.
        """
        super().__init__(place, checklist, store, clock)
        self.operator = operator
        """Who is at the keyboard: who runs what is run."""
        self.running: dict[str, str] = {}
        """Ids of the items whose probe is running, with the id of the run."""
        self._runner = runner
        self._tasks: dict[str, asyncio.Task[Outcome | None]] = {}
        self._check: asyncio.Task[readiness.ReadinessCheck] | None = None
        self._marks: list[tuple[Note, Facts, Facts]] = []

    @classmethod
    def open(cls, path: Path, environment: str = "", operator: str = "") -> "Session":
        """Open the session of a checklist file, in one of its environments if one is named.

        Raises:
            FileError: If the checklist cannot be read, or has no such environment.
            StoreError: If its status cannot be read.
        """
        checklist = definition.load(path, environment)
        place = Place(path, environment)
        # As it is now: what the chosen environment sets for programs must not fill in its own references.
        runner = Runner(place.folder, dict(os.environ))
        return cls(place, checklist, open_store(place, checklist), runner, operator=operator)

    # Marks

    async def claim(self, item: str, *, by: str, action: str, on: date | None = None) -> None:
        """Claim an item resolved, by default today.

        Raises:
            RefusedError: If the rules do not allow it; see `lifecycle.claim`.
            ConflictError: If somebody else changed the same facts since they were shown here.
            StoreError: If it could not be saved.
        """
        _require(by=by, action=action)
        entry, at = self.item(item), self.clock()
        when = on or day(at, entry.policy.time_zone)
        await self._mark(
            Note("resolved", by, item, action, data={"on": str(when)}),
            ("claim", "reopening"),
            lambda facts: lifecycle.claim(facts, entry, by=by, on=when, action=action, at=at),
        )

    async def attest(self, item: str, *, by: str, note: str) -> None:
        """Answer for a manual item by name; raises as `claim`."""
        _require(by=by, note=note)
        entry, at = self.item(item), self.clock()
        await self._mark(
            Note("attested", by, item, note),
            ("attestation", "reopening"),
            lambda facts: lifecycle.attest(facts, entry, by=by, note=note, at=at),
        )

    async def waive(self, item: str, *, by: str, why: str, until: date) -> None:
        """Accept an item as it is up to a day; raises as `claim`."""
        _require(by=by, why=why)
        entry, at = self.item(item), self.clock()
        await self._mark(
            Note("waived", by, item, why, data={"until": str(until), "zone": entry.policy.time_zone}),
            ("waiver", "reopening"),
            lambda facts: lifecycle.waive(facts, entry, by=by, why=why, until=until, at=at),
        )

    async def reopen(self, item: str, *, by: str, why: str) -> None:
        """Take an item back to open; raises as `claim`."""
        _require(by=by, why=why)
        self.item(item)
        at = self.clock()
        await self._mark(
            Note("reopened", by, item, why),
            ("claim", "attestation", "waiver", "reopening"),
            lambda facts: lifecycle.reopen(facts, by=by, why=why, at=at),
        )

    async def tick(self, item: str, step: str) -> None:
        """Tick a step or untick it; raises as `claim`."""
        entry = self.item(item)
        what = "unticked" if step in self.status.of(item).steps else "ticked"
        note = Note(what, self.operator, item, data={"step": step})
        await self._mark(note, ("steps",), lambda facts: lifecycle.tick(facts, entry, step))

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
        mark, before, after = self._marks[-1]
        item = mark.item
        changed = tuple(word for word in lifecycle.WORDS if getattr(before, word) != getattr(after, word))
        for word in changed:
            if (theirs := getattr(self.status.of(item), word)) != getattr(after, word):
                raise ConflictError(item, word, theirs, getattr(before, word))

        def back(status: Status) -> Status:
            return status.having(item, lifecycle.undo(status.of(item), before, after))

        note = Note("undone", self.operator, item, mark.why, data={"mark": mark.what})
        await self.save(Change(back, lambda _: note, item, changed))
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
        entry = self.item(item)
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
        self.tell(Started(run, item.id))
        recorded: Outcome | None = None
        try:
            last = self.status.of(item.id).evidence
            memory = last.outcome.memory if last else None
            variables = self.checklist.variables
            found = await self._runner.run(probe.use, probe.parameters, memory, variables=variables)
            await self._record(item, Evidence(outcome=found, run=run, item=item.hash))
            recorded = found
        finally:
            self._forget(item.id)
            self.tell(Ended(run, item.id, recorded))
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

    def unfinished(self) -> UnfinishedCheck | None:
        """Return the final check that was stopped and can be gone on with, if there is one."""
        return lifecycle.resumable(self.checklist, self.status)

    def seen_by(self, run: str) -> tuple[str, ...]:
        """Return the items whose evidence is from a run."""
        known = ((name, self.status.of(name).evidence) for name in self.checklist.by_id)
        return tuple(name for name, evidence in known if evidence is not None and evidence.run == run)

    async def check(
        self, items: Iterable[str] | None = None, *, resume: bool = False
    ) -> readiness.ReadinessCheck | None:
        """Run several probes side by side; without a choice of items, this is the final check.

        One that was stopped can be gone on with: what it has found stands, and only the rest is run.

        An item whose `after` items are not green when its turn comes is not run. A final check counts only
        if no run of it was cancelled, the checklist is still the same at its end, and its record is saved.

        Returns:
            The record of the check, or None if it was stopped.

        Raises:
            RefusedError: If an item is not known, a check is running already, or there is none to resume.
            FileError: If the checklist cannot be read any more.
            StoreError: If something could not be saved.
        """
        if self._check is not None:
            raise RefusedError("a check is running already")
        if resume and items is not None:
            raise RefusedError("only a whole final check can be gone on with, not a choice of items")
        chosen = None if items is None else list(items)
        task = self._check = asyncio.create_task(self._check_items(chosen, resume=resume))
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

    async def _check_items(self, items: list[str] | None, *, resume: bool) -> readiness.ReadinessCheck:
        await self.refresh()
        checklist, final = self.checklist, items is None
        chosen = {name: self.item(name) for name in (checklist.by_id if items is None else items)}
        run, started = _new_run(), self.clock()
        done: tuple[str, ...] = ()
        if resume:
            run, started, done = self._resume()
        elif final:
            await self._begin(run, started)
        ready = {name: entry for name, entry in chosen.items() if entry.probe is not None}
        self.tell(CheckStarted(run, tuple(ready), final, done))
        whole, record, result = False, None, None
        try:
            rest = {name: entry for name, entry in ready.items() if name not in done}
            whole = await self._run_in_order(checklist, rest, run)
            while result is None:
                await self.refresh()
                if final and whole and self.checklist.hash == checklist.hash:
                    with contextlib.suppress(_OvertakenError):
                        result, record = await to_its_end(self._conclude(run, started))
                else:
                    report, by = self.report(), self.operator
                    result = readiness.build(report, run=run, final=False, time=self.clock(), by=by)
        finally:
            self.tell(CheckEnded(run, final, whole, record))
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
                states = lifecycle.states(checklist, self.status, self.clock())
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

    def _resume(self) -> tuple[str, datetime, tuple[str, ...]]:
        """Return id, beginning and finished items of the check that was stopped."""
        stopped = self.unfinished()
        if stopped is None:
            raise RefusedError(
                "there is no final check to go on with: none was stopped, or all has changed since"
            )
        return stopped.run, stopped.started_at, self.seen_by(stopped.run)

    async def _begin(self, run: str, started: datetime) -> None:
        note, checklist = Note("check begun", self.operator, run=run), self.checklist.hash
        begin = functools.partial(lifecycle.begin, run=run, at=started, checklist=checklist)
        await self.save(Change(begin, lambda _: note))

    async def _conclude(self, run: str, started: datetime) -> tuple[readiness.ReadinessCheck, Path]:
        """End a final check: its record first, so that there is no GO without one.

        Raises:
            _OvertakenError: If somebody else has changed something meanwhile: nothing is recorded then.
            StoreError: If something could not be saved.
        """
        at, by = self.clock(), self.operator
        next_ = replace(self.status, revision=self.status.revision + 1)
        closed = lifecycle.close(next_, run=run, started=started, at=at, checklist=self.checklist.hash, by=by)
        result = readiness.build(self.report(closed), run=run, final=True, time=at, by=by)
        result, path = await self._save_record(result)
        note = Note(
            "decided",
            by,
            why="; ".join(result.gate.reasons[:3]),
            run=run,
            data={"gate": result.gate.line, "record": path.name},
        )

        def close(status: Status) -> Status:
            # What has come between is not in the record, which must not say what never was.
            if (status.revision, status.digest) != (closed.revision, closed.digest):
                raise _OvertakenError
            return replace(status, final_check=closed.final_check, unfinished_check=None)

        try:
            await self.save(Change(close, lambda _: note))
        except (StoreError, _OvertakenError):
            if self.status.final_check != closed.final_check:
                await in_thread(functools.partial(records.remove, path))
            raise
        return result, path

    async def _save_record(self, result: readiness.ReadinessCheck) -> tuple[readiness.ReadinessCheck, Path]:
        def save() -> tuple[readiness.ReadinessCheck, Path]:
            whole = readiness.compared(result, self.place.records, self.place.journal)
            return whole, records.save(whole, self.place.records)

        try:
            return await in_thread(save)
        except OSError as error:
            why = error.strerror or error
            raise StoreError(f"the final check does not count: its record was not saved: {why}") from None

    async def _record(self, item: Item, evidence: Evidence) -> None:
        moment, found = self.clock(), evidence.outcome
        data = {"probe": found.probe, "verdict": found.verdict.value, "reason": found.reason or ""}
        data["evidence"] = readiness.evidence_hash(found)
        note = Note("found", self.operator, item.id, found.summary, evidence.run, data)

        def record(status: Status) -> Status:
            return lifecycle.record_in(status, item.id, evidence, moment)

        await self.save(Change(record, lambda _: note, item.id))

    async def _mark(self, note: Note, facts: tuple[str, ...], mark: Callable[[Facts], Facts]) -> None:
        made: list[tuple[Note, Facts, Facts]] = []

        def apply(status: Status) -> Status:
            before = status.of(note.item)
            made.append((note, before, mark(before)))
            return status.having(note.item, made[-1][2])

        await self.save(Change(apply, lambda _: note, note.item, facts))
        self._marks += made


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
