"""The one way through the house: a face asks, the probes look, the rules decide, the store keeps."""

import asyncio
import contextlib
import functools
import os
import secrets
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import cast

from msgspec.structs import replace

from checklist import definition, lifecycle
from checklist.definition import Binding, Checklist, Item
from checklist.events import CheckEnded, CheckStarted, Ended, Started
from checklist.journal import Note
from checklist.language import gettext as _
from checklist.lifecycle import GREEN, RefusedError
from checklist.marks import Marks
from checklist.opening import Clock, Place, open_store
from checklist.reports import readiness, records
from checklist.status import Evidence, Status, UnfinishedCheck
from checklist.store import Change, Store, StoreError
from checklist.tasks import in_thread, is_cancelled, to_its_end
from probes.outcome import Outcome, now
from probes.runner import Runner


class _OvertakenError(Exception):
    """Somebody else changed something while a final check was being recorded."""


class Session(Marks):
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
        super().__init__(place, checklist, store, clock=clock, operator=operator)
        self.running: dict[str, str] = {}
        """Ids of the items whose probe is running, with the id of the run."""
        self._runner = runner
        self._tasks: dict[str, asyncio.Task[Outcome | None]] = {}
        self._check: asyncio.Task[readiness.ReadinessCheck] | None = None

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

    # Runs

    async def run(self, item: str, run: str | None = None) -> Outcome | None:
        """Run the probe of an item and record what it found.

        Returns:
            The outcome, or None if the run was cancelled.

        Raises:
            RefusedError: If the item is manual, is running already, or comes after one that is not green.
            StoreError: If the outcome could not be saved.
        """
        self.writable()
        entry = self.item(item)
        if entry.probe is None:
            raise RefusedError(_("{item} is manual: it has no probe to run").format(item=item))
        if item in self.running:
            raise RefusedError(_("{item} is running already").format(item=item))
        states = self.states()
        if closed := [parent for parent in entry.after if states[parent] not in GREEN]:
            why = _("{item} waits for {items}: its probe would tell nothing yet")
            raise RefusedError(why.format(item=item, items=", ".join(closed)))
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
        if no run of it was cancelled, no other has begun since, the checklist is still the same at its end,
        and its record is saved.

        Returns:
            The record of the check, or None if it was stopped.

        Raises:
            RefusedError: If an item is not known, a check is running already, or there is none to resume.
            FileError: If the checklist cannot be read any more.
            StoreError: If something could not be saved.
        """
        self.writable()
        if self._check is not None:
            raise RefusedError(_("a check is running already"))
        if resume and items is not None:
            raise RefusedError(_("only a whole final check can be gone on with, not a choice of items"))
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
                if final and whole and self.checklist.hash == checklist.hash and self._is_going_on(run):
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
                _("there is no final check to go on with: none was stopped, or all has changed since")
            )
        return stopped.run, stopped.started_at, self.seen_by(stopped.run)

    async def _begin(self, run: str, started: datetime) -> None:
        note, checklist = Note("check begun", self.operator, run=run), self.checklist.hash
        begin = functools.partial(lifecycle.begin, run=run, at=started, checklist=checklist)
        await self.save(Change(begin, note))

    def _is_going_on(self, run: str) -> bool:
        """Tell whether it is still this final check that is going on, and no other has begun since."""
        check = self.status.unfinished_check
        return check is not None and check.run == run

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
            await self.save(Change(close, note))
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
            why = _("the final check does not count: its record was not saved: {why}")
            raise StoreError(why.format(why=error.strerror or error)) from None

    async def _record(self, item: Item, evidence: Evidence) -> None:
        moment, found = self.clock(), evidence.outcome
        data = {"probe": found.probe, "verdict": found.verdict.value, "reason": found.reason or ""}
        data["evidence"] = readiness.evidence_hash(found)
        note = Note("found", self.operator, item.id, found.summary, evidence.run, data)

        def record(status: Status) -> Status:
            return lifecycle.record_in(status, item.id, evidence, moment)

        await self.save(Change(record, note, item.id))


def _first(group: BaseExceptionGroup[Exception]) -> Exception:
    """Return the first exception of a group of groups."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return cast("Exception", error)


def _new_run() -> str:
    """Return an id for a run: sortable by time, unique among machines."""
    return f"{now():%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
