"""Anything may happen to a checklist, in any order: a model kept beside it knows when GO is deserved."""

from collections import Counter
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from itertools import count
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace as with_

from checklist import lifecycle
from checklist.definition import Checklist, Item, Policy
from checklist.gate import decide
from checklist.lifecycle import GREEN, RefusedError
from checklist.status import Facts, Status
from tests.checklist.making import NOW, checklist, evidence, item, manual

EYES = Policy(four_eyes=True)
PROBED = ("a", "b", "n")
ORDER = ("a", "b", "n", "m")
HOLDING = ("a", "b", "m")
AFTER = {"b": ("a",)}
STEPS = ("one", "two")


def listed(versions: dict[str, int]) -> Checklist:
    """Return two items after each other, an advisory and a manual one, as edited so far."""

    def made(name: str) -> Item:
        kind = manual if name == "m" else item
        severity = "advisory" if name == "n" else "blocker"
        title = f"{name} as edited {versions[name]}"
        after = AFTER.get(name, ())
        return kind(name, title=title, severity=severity, after=after, steps=STEPS, policy=EYES)

    return checklist(*map(made, ORDER))


@dataclass(frozen=True)
class Word:
    """What somebody said: who, when, about which version, and up to when."""

    by: str
    at: datetime
    version: int
    over: datetime = NOW


@dataclass(frozen=True)
class Sight:
    """What a probe saw."""

    verdict: str
    at: datetime
    run: str
    version: int


@dataclass(frozen=True)
class Known:
    """All that the model knows about an item."""

    claim: Word | None = None
    attestation: Word | None = None
    waiver: Word | None = None
    reopening: Word | None = None
    steps: tuple[str, ...] = ()
    sight: Sight | None = None
    passed: datetime | None = None


@dataclass(frozen=True)
class Check:
    """A final check: begun, or ended with all as it was known then."""

    run: str
    versions: dict[str, int]
    began: datetime
    ended: datetime | None = None
    items: dict[str, Known] | None = None
    revision: int = 0
    spoilt: bool = False
    resumed: bool = False
    failed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Branch:
    """A copy of the status, as another branch of a repository has it."""

    status: Status
    items: dict[str, Known]
    final: Check | None
    going: Check | None


class Life(RuleBasedStateMachine):
    """The functions of the life cycle on one side, the model on the other."""

    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.versions = dict.fromkeys(ORDER, 0)
        self.status = Status()
        self.items: dict[str, Known] = {}
        self.final: Check | None = None
        self.going: Check | None = None
        self.marks: list[tuple[str, Facts, Facts, Known, Known]] = []
        self.branches: list[Branch] = []
        self.merged = False
        self.runs = count()

    @property
    def whole(self) -> Checklist:
        return listed(self.versions)

    def known(self, name: str) -> Known:
        return self.items.get(name, Known())

    def next(self) -> Status:
        return with_(self.status, revision=self.status.revision + 1)

    def spoil(self) -> None:
        if self.going:
            self.going = replace(self.going, spoilt=True)

    # Marks

    def mark(self, name: str, made: Facts, meant: Known) -> None:
        self.marks.append((name, self.status.of(name), made, self.known(name), meant))
        self.status = self.next().having(name, made)
        self.items = {**self.items, name: meant}
        self.spoil()

    @rule(name=st.sampled_from(PROBED), by=st.sampled_from(["Ann", "Bob"]))
    def claim(self, name: str, by: str) -> None:
        about, facts = self.whole.by_id[name], self.status.of(name)
        made = lifecycle.claim(facts, about, by=by, on=self.now.date(), action="x", at=self.now)
        word = Word(by, self.now, self.versions[name])
        self.mark(name, made, replace(self.known(name), claim=word, reopening=None))

    @rule()
    def attest(self) -> None:
        made = lifecycle.attest(self.status.of("m"), self.whole.by_id["m"], by="Ann", note="x", at=self.now)
        word = Word("Ann", self.now, self.versions["m"])
        self.mark("m", made, replace(self.known("m"), attestation=word, reopening=None))

    @rule(name=st.sampled_from(ORDER), by=st.sampled_from(["Ann", "Bob", " bob"]), length=st.integers(-1, 3))
    def waive(self, name: str, by: str, length: int) -> None:
        about, facts = self.whole.by_id[name], self.status.of(name)
        until = self.now.date() + timedelta(days=length)
        claim = self.known(name).claim
        if length < 0 or (claim and claim.by.lower() == by.strip().lower()):
            with pytest.raises(RefusedError):
                lifecycle.waive(facts, about, by=by, why="x", until=until, at=self.now)
            return
        made = lifecycle.waive(facts, about, by=by, why="x", until=until, at=self.now)
        midnight = self.now.replace(hour=0, minute=0) + timedelta(days=length + 1)
        word = Word(by, self.now, self.versions[name], midnight)
        self.mark(name, made, replace(self.known(name), waiver=word))

    @rule(name=st.sampled_from(ORDER))
    def reopen(self, name: str) -> None:
        made = lifecycle.reopen(self.status.of(name), by="Cleo", why="x", at=self.now)
        word = Word("Cleo", self.now, self.versions[name])
        known = self.known(name)
        self.mark(
            name, made, Known(reopening=word, steps=known.steps, sight=known.sight, passed=known.passed)
        )

    @rule(name=st.sampled_from(ORDER), step=st.sampled_from(STEPS))
    def tick(self, name: str, step: str) -> None:
        made = lifecycle.tick(self.status.of(name), self.whole.by_id[name], step)
        done = self.known(name).steps
        left = tuple(one for one in done if one != step)
        steps = left if step in done else (*done, step)
        self.mark(name, made, replace(self.known(name), steps=steps))

    @rule()
    def undo(self) -> None:
        if not self.marks:
            return
        name, before, after, was, meant = self.marks.pop()
        self.status = self.next().having(name, lifecycle.undo(self.status.of(name), before, after))
        words = [field.name for field in fields(Known) if field.name not in ("sight", "passed")]
        back = {w: getattr(was, w) for w in words if getattr(was, w) != getattr(meant, w)}
        self.items = {**self.items, name: replace(self.known(name), **back)}
        self.spoil()

    # The clock and the checklist

    @rule(minutes=st.sampled_from([1, 1, 5, 60, 700, 1441]))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(minutes=st.sampled_from([1, 30, 1441]))
    def set_the_clock_back(self, minutes: int) -> None:
        self.now -= timedelta(minutes=minutes)

    @rule(name=st.sampled_from(ORDER), version=st.integers(0, 1))
    def edit(self, name: str, version: int) -> None:
        self.versions = {**self.versions, name: version}

    # Runs

    def look(self, name: str, verdict: str, run: str, lag: int) -> None:
        at = self.now - timedelta(minutes=lag)
        proof = evidence(self.whole.by_id[name], verdict, at, run)
        self.status = lifecycle.record_in(self.next(), name, proof, self.now)
        known, sight = self.known(name), Sight(verdict, at, run, self.versions[name])
        last, late = known.sight, False
        if last and verdict == "pass":
            # A run looks once: what it has found wrong cannot be made good by looking again.
            late = at < last.at <= self.now or (last.run == run and last.verdict != "pass")
        if self.going and self.going.run == run:
            # Nor by looking again after somebody else has looked.
            late = late or (verdict == "pass" and name in self.going.failed)
            if verdict != "pass":
                self.going = replace(self.going, failed=self.going.failed | {name})
        if not late:
            known = replace(known, sight=sight, passed=at if verdict == "pass" else known.passed)
        self.items = {**self.items, name: known}
        if self.going and self.going.run != run:
            self.spoil()

    @rule(
        name=st.sampled_from(PROBED),
        verdict=st.sampled_from(["pass", "fail", "warn", "unknown"]),
        lag=st.sampled_from([0, 2, 90]),
        by_hand=st.booleans(),
    )
    def run_one(self, name: str, verdict: str, lag: int, by_hand: bool) -> None:
        run = f"by hand {next(self.runs)}" if by_hand or not self.going else self.going.run
        self.look(name, verdict, run, lag)

    @rule(stop=st.integers(0, 3))
    def begin(self, stop: int) -> None:
        """Begin a final check and run a part of it."""
        run = f"check {next(self.runs)}"
        self.status = lifecycle.begin(self.next(), run=run, at=self.now, checklist=self.whole.hash)
        self.going = Check(run, self.versions, self.now)
        for name in PROBED[:stop]:
            self.look(name, "pass", run, 0)

    @rule(leave_out=st.booleans())
    def close(self, leave_out: bool) -> None:
        """End the check that is going on, whatever happened meanwhile; some items may have been left out."""
        if (check := self.going) is None:
            return
        for name in () if leave_out else PROBED:
            sight = self.known(name).sight
            if not sight or sight.run != check.run:
                self.look(name, "pass", check.run, 0)
        self.end(check)

    def end(self, check: Check) -> None:
        self.status = lifecycle.close(
            self.next(),
            run=check.run,
            started=check.began,
            at=self.now,
            checklist=listed(check.versions).hash,
            by="Ann",
        )
        known = {name: self.known(name) for name in ORDER}
        self.final = replace(check, ended=self.now, items=known, revision=self.status.revision)
        self.going = None

    @rule()
    def resume(self) -> None:
        """Go on with the check that was stopped, if it may be; only the rest is run."""
        found, check = lifecycle.resumable(self.whole, self.status), self.going
        if found is None or check is None:
            return
        assert found.run == check.run
        self.going = replace(check, resumed=True)
        self.close(leave_out=False)

    @rule(waived=st.sampled_from(["", *HOLDING]), stop=st.booleans())
    def make_it_good(self, waived: str, stop: bool) -> None:
        """Let everybody do what they should; perhaps one item is waived, or the final check is stopped."""
        for name in PROBED:
            self.claim(name, by="Ann")
        self.attest()
        if waived:
            self.waive(waived, by="Bob", length=1)
        self.now += timedelta(minutes=1)
        self.begin(stop=1 if stop else 3)
        if waived in PROBED:
            self.run_one(waived, "fail", 0, by_hand=False)
        if not stop:
            self.close(leave_out=False)

    # Branches

    @rule()
    def branch(self) -> None:
        self.branches.append(Branch(self.status, self.items, self.final, self.going))

    @rule(data=st.data())
    def merge(self, data: st.DataObject) -> None:
        """Take some of another branch, as a merge in git does; revisions may clash."""
        if not self.branches:
            return
        theirs = data.draw(st.sampled_from(self.branches))
        taken = data.draw(st.sets(st.sampled_from(ORDER)))
        whose = data.draw(st.fixed_dictionaries(dict.fromkeys(("final", "going", "revision"), st.booleans())))
        self.items = {
            name: (theirs.items if name in taken else self.items).get(name, Known()) for name in ORDER
        }
        facts = {name: (theirs.status if name in taken else self.status).of(name) for name in ORDER}
        self.final = theirs.final if whose["final"] else self.final
        self.going = theirs.going if whose["going"] else self.going
        self.status = Status(
            revision=(theirs.status if whose["revision"] else self.status).revision,
            items=facts,
            final_check=(theirs.status if whose["final"] else self.status).final_check,
            unfinished_check=(theirs.status if whose["going"] else self.status).unfinished_check,
        )
        self.merged = True

    # What must hold

    def own(self, name: str, at: datetime) -> str:
        """Return how an item stands at a moment, by the model; nothing if it does not."""
        known = self.known(name)
        back, claim = known.reopening, known.claim

        def counts(word: Word | Sight | None) -> bool:
            return word is not None and word.at <= at and (back is None or word.at > back.at)

        stands = ""
        sight, sworn, waived = known.sight, known.attestation, known.waiver
        if sight and counts(sight) and sight.verdict == "pass" and (not claim or sight.at > claim.at):
            fresh = at - sight.at <= timedelta(hours=24)
            stands = "verified" if fresh and sight.version == self.versions[name] else ""
        if sworn and counts(sworn) and sworn.version == self.versions[name]:
            stands = "attested"
        if any(not self.own(parent, at) for parent in AFTER.get(name, ())):
            stands = ""
        if not stands and waived and counts(waived) and waived.version == self.versions[name]:
            same = claim is not None and claim.by.lower() == waived.by.strip().lower()
            stands = "waived" if at < waived.over and not same else ""
        return stands

    def deserved(self) -> bool:
        """Tell whether every item that holds was proven by one run, and nothing has changed since."""
        final = self.final
        if final is None or final.ended is None or final.versions != self.versions:
            return False
        if final.items != {name: self.known(name) for name in ORDER}:
            return False
        if final.revision != self.status.revision or not final.began <= final.ended <= self.now:
            return False
        for name in HOLDING:
            then, today = self.own(name, final.ended), self.own(name, self.now)
            sight = self.known(name).sight
            if not then or not today or today not in (then, "waived"):
                return False
            if today == "verified" and (sight is None or sight.run != final.run):
                return False
        return True

    @invariant()
    def only_what_nothing_else_has_touched_can_be_gone_on_with(self) -> None:
        check = self.going
        may = check is not None and not check.spoilt and check.versions == self.versions
        if not self.merged:
            assert (lifecycle.resumable(self.whole, self.status) is not None) is may

    @invariant()
    def go_is_deserved(self) -> None:
        found = lifecycle.states(self.whole, self.status, self.now)
        for name, state in found.items():
            assert (state.value if state in GREEN else "") == self.own(name, self.now), name
        gate = decide(self.whole, self.status, self.now)
        assert gate.go is self.deserved()
        if gate.go:
            kinds = {"resumed": self.final is not None and self.final.resumed, "waived": bool(gate.waived)}
            kinds["merged"] = self.merged
            self.seen.update(["GO", *(kind for kind, so in kinds.items() if so)])
            event("GO")


def test_go_is_reached_and_never_undeserved() -> None:
    Life.seen.clear()
    checks = [*HealthCheck]
    many = settings(max_examples=400, stateful_step_count=40, deadline=None, suppress_health_check=checks)
    run_state_machine_as_test(Life, settings=many)
    assert {"GO", "resumed", "waived", "merged"} <= Life.seen.keys()
