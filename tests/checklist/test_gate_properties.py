"""Whatever is known and whatever the clock says: no path leads to GO past anything unproven.

The rules are told a second time here, in the plainest words, and the gate has to agree with them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from random import Random
from typing import TypeVar
from zoneinfo import ZoneInfo

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from checklist.definition import Checklist, Item, Policy
from checklist.gate import decide
from checklist.lifecycle import State, states
from checklist.status import Attestation, Evidence, Facts, FinalCheck, Status, Waiver
from tests.checklist.making import (
    CHECKED,
    NOW,
    TODAY,
    attestation,
    bound,
    checklist,
    claim,
    days,
    evidence,
    final,
    hours,
    item,
    manual,
    proven,
    reopening,
    sealed,
    waiver,
)

# The rules in the plainest words


def counts(at: datetime, facts: Facts, now: datetime) -> bool:
    """Tell whether something said or seen at a moment counts: not from the future, not taken back since."""
    return at <= now and (facts.reopening is None or at > facts.reopening.at)


def ends(word: Waiver) -> datetime:
    """Return the moment at which a waiver is over: the midnight at the end of its last day."""
    night = datetime.combine(word.until + timedelta(days=1), time(), ZoneInfo(word.zone))
    return night.astimezone(UTC)


def is_waived(about: Item, facts: Facts, now: datetime) -> bool:
    if (word := facts.waiver) is None or word.item != about.hash:
        return False
    names = [other.by.strip().lower() for other in (word, facts.claim) if other is not None]
    if about.policy.four_eyes and names in (["ann", "ann"], ["bob", "bob"]):
        return False
    return counts(word.at, facts, now) and now < ends(word)


def own_state(about: Item, facts: Facts, now: datetime) -> str:
    """Return what the facts about one item that waits for nothing amount to."""
    state = "open"
    if facts.reopening:
        state = "reopened"
    if facts.claim:
        state = "resolved"
    if about.probe is None:
        sworn = facts.attestation
        if sworn and counts(sworn.at, facts, now):
            state = "attested" if sworn.item == about.hash else "stale"
    elif facts.evidence:
        seen = facts.evidence.outcome
        after_claim = facts.claim is None or seen.started_at > facts.claim.at
        if counts(seen.started_at, facts, now) and after_claim:
            if seen.verdict == "pass":
                fresh = now - seen.started_at <= timedelta(hours=24) and facts.evidence.item == about.hash
                state = "verified" if fresh else "stale"
            elif seen.verdict != "unknown":
                state = "reopened" if facts.claim or facts.reopening or facts.last_pass else "open"
    if state not in ("verified", "attested") and is_waived(about, facts, now):
        return "waived"
    return state


def is_green(whole: Checklist, status: Status, name: str, now: datetime) -> str:
    """Return how an item stands at a moment, or nothing if it does not."""
    about, facts = whole.by_id[name], status.of(name)
    waits = not all(is_green(whole, status, parent, now) for parent in about.after)
    if waits:
        return "waived" if is_waived(about, facts, now) else ""
    state = own_state(about, facts, now)
    return state if state in ("verified", "attested", "waived") else ""


def may_go(whole: Checklist, status: Status, now: datetime) -> bool:
    """Tell whether the release may go: as DESIGN.md has it, clause by clause."""
    check = status.final_check
    blockers = [entry.id for entry in whole.items if entry.severity == "blocker"]
    if check is None or not blockers or check.checklist != whole.hash:
        return False
    if (check.revision, check.facts) != (status.revision, status.digest):
        return False
    if check.started_at > check.finished_at or check.finished_at > now:
        return False
    for name in blockers:
        then = is_green(whole, status, name, check.finished_at)
        today = is_green(whole, status, name, now)
        seen = status.of(name).evidence
        if not then or not today or today not in (then, "waived"):
            return False
        if today == "verified" and (seen is None or seen.run != check.run):
            return False
    return True


# Every combination of a few values of each fact, for one item

CLAIMS = (None, *(claim(hours(h)) for h in (-3, -1, -0.75, 1)))
BACKS = (None, *(reopening(hours(h)) for h in (-3, -1.5, -0.9, 1)))
WAIVERS = (
    None,
    waiver(days(0)),
    waiver(days(-1)),
    waiver(at=hours(-0.25)),
    waiver(at=hours(1)),
    replace(waiver(), item="sha256:other"),
    replace(waiver(), by=" ANN "),
    replace(waiver(days(0)), zone="Pacific/Kiritimati"),  # there it is tomorrow already
    replace(waiver(days(1)), zone="Pacific/Kiritimati"),
)


def all_evidence(about: Item) -> Iterator[Evidence | None]:
    yield None
    edited = replace(about, title="other")
    for h, run, seen in product((-25, -24, -1, -0.25, 0.5), ("another", "the-final-run"), (about, edited)):
        yield evidence(seen, "pass", hours(h), run)
    for h, verdict in product((-25, -1, -0.25, 0.5), ("warn", "fail", "unknown")):
        yield evidence(about, verdict, hours(h))


def all_attestations(about: Item) -> tuple[Attestation | None, ...]:
    good, edited = attestation(about), replace(about, title="other")
    if about.probe:
        return (None, good)
    return (None, good, attestation(edited), *(attestation(about, hours(h)) for h in (-6, -0.25, 1)))


def all_facts(about: Item) -> Iterator[Facts]:
    proofs = tuple(all_evidence(about)) if about.probe else (None, evidence(about))
    for claimed, sworn, waived, back, proof in product(
        CLAIMS, all_attestations(about), WAIVERS, BACKS, proofs
    ):
        given = waived and replace(waived, item=waived.item or about.hash)
        yield Facts(claim=claimed, attestation=sworn, waiver=given, reopening=back, evidence=proof)


def finals(whole: Checklist) -> list[FinalCheck | None]:
    """Return final checks with each thing amiss that can be; the first is good."""
    good = final(whole)
    return [
        good,
        None,
        replace(good, checklist="sha256:other"),
        replace(good, run="yet another"),
        replace(good, facts="sha256:other"),
        replace(good, revision=6),
        replace(good, revision=8),
        replace(good, started_at=hours(0.1), finished_at=hours(0.1)),
        replace(good, finished_at=hours(0.1)),
        replace(good, started_at=hours(-0.1)),
        replace(good, finished_at=hours(-0.1)),
        replace(good, started_at=hours(-5), finished_at=hours(-4)),
    ]


@pytest.mark.parametrize("severity", ["blocker", "advisory"])
@pytest.mark.parametrize("four_eyes", [False, True], ids=["two eyes", "four eyes"])
@pytest.mark.parametrize("kind", [item, manual], ids=["probe", "manual"])
def test_every_combination_of_facts_about_one_item(kind: type[Item], four_eyes: bool, severity: str) -> None:
    about = kind("one", policy=Policy(four_eyes=four_eyes), severity=severity)
    whole = checklist(about)
    checks = finals(whole)
    go, seen = 0, set()
    for facts in all_facts(about):
        status = sealed(Status(revision=7, items={"one": facts}, final_check=checks[0]))
        state = states(whole, status, NOW)["one"]
        assert state == own_state(about, facts, NOW), facts
        expected = may_go(whole, status, NOW)
        assert decide(whole, status, NOW).go is expected, facts
        go += expected
        seen.add(state)
    assert seen == set(State) - {State.INHIBITED, State.VERIFIED if kind is manual else State.ATTESTED}
    assert (go > 100) is (severity == "blocker")


@pytest.mark.parametrize("four_eyes", [False, True], ids=["two eyes", "four eyes"])
@pytest.mark.parametrize("kind", [item, manual], ids=["probe", "manual"])
def test_every_final_check_that_is_amiss_in_one_way(kind: type[Item], four_eyes: bool) -> None:
    about = kind("one", policy=Policy(four_eyes=four_eyes))
    whole = checklist(about)
    verdicts: dict[int, set[bool]] = {}
    for facts in all_facts(about):
        if own_state(about, facts, NOW) not in ("verified", "attested", "waived"):
            continue
        for number, check in enumerate(finals(whole)):
            status = Status(revision=7, items={"one": facts}, final_check=check)
            status = status if check is None or check.facts == "sha256:other" else sealed(status)
            expected = may_go(whole, status, NOW)
            assert decide(whole, status, NOW).go is expected, (facts, check)
            verdicts.setdefault(number, set()).add(expected)
    assert [number for number, found in verdicts.items() if True not in found] == [1, 2, 4, 5, 6, 7, 8, 9]


def test_a_blocker_after_an_advisory_item_waits_for_it_all_the_same() -> None:
    first, second = item("first", severity="advisory"), item("second", after=("first",))
    whole = checklist(first, second)
    go = 0
    for facts in all_facts(first):
        known = {"first": facts, "second": Facts(evidence=evidence(second))}
        status = sealed(Status(revision=7, items=known, final_check=final(whole)))
        expected = may_go(whole, status, NOW)
        assert decide(whole, status, NOW).go is expected, facts
        go += expected
    assert go > 100


# Many items, drawn

T = TypeVar("T")


@dataclass
class World:
    """A checklist, what is known about it, and the clock."""

    whole: Checklist
    status: Status
    now: datetime


def mostly(good: T, *spoilt: T) -> st.SearchStrategy[T]:
    """Draw the good thing mostly, so that many worlds are one step from GO."""
    return st.sampled_from([*[good] * 3 * len(spoilt), *spoilt])


CLOCKS = mostly(NOW, *(hours(h) for h in (-30, -0.75, -0.5, 2, 3, 11.99, 12, 22, 23, 24, 48)))
ZONES = ("UTC", "Asia/Seoul", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/New_York")


@st.composite
def worlds(draw: st.DrawFn) -> World:
    policy = Policy(four_eyes=draw(st.booleans()), time_zone=draw(st.sampled_from(ZONES)))
    items: list[Item] = []
    for number in range(draw(st.integers(0, 4))):
        name, severity = f"n{number}", draw(mostly("blocker", "advisory"))
        after = tuple(f"n{parent}" for parent in range(number) if draw(mostly(False, True)))
        kind = draw(st.sampled_from([item, manual]))
        items.append(kind(name, severity=severity, after=after, policy=policy))
    whole = checklist(*draw(st.permutations(items)))
    zoned = [word and replace(word, zone=draw(st.sampled_from(ZONES))) for word in WAIVERS]
    known = {}
    for about in items:
        proof, sworn = evidence(about), attestation(about)
        known[about.id] = Facts(
            claim=draw(mostly(*CLAIMS)),
            reopening=draw(mostly(*BACKS)),
            waiver=draw(mostly(*zoned)),
            attestation=draw(mostly(None if about.probe else sworn, *all_attestations(about))),
            evidence=draw(mostly(proof if about.probe else None, *all_evidence(about))),
            last_pass=draw(st.sampled_from([None, hours(-1)])),
        )
    check = draw(mostly(*finals(whole)))
    status = bound(Status(revision=draw(mostly(7, 6, 8)), items=known, final_check=check), whole)
    return World(whole, draw(mostly(sealed(status), status)), draw(CLOCKS))


@settings(max_examples=1000, deadline=None)
@given(worlds())
def test_no_path_leads_to_go_past_anything_unproven(world: World) -> None:
    gate = decide(world.whole, world.status, world.now)
    event(gate.verdict)
    assert gate.go is (not gate.reasons)
    assert gate.go is may_go(world.whole, world.status, world.now)
    found = states(world.whole, world.status, world.now)
    for name, state in found.items():
        green = is_green(world.whole, world.status, name, world.now)
        assert (green or "not green") == (
            state if state in ("verified", "attested", "waived") else "not green"
        )
    if gate.go:
        holds = [entry.id for entry in world.whole.items if entry.severity == "blocker"]
        assert set(gate.waived) == {name for name in holds if found[name] is State.WAIVED}


@settings(max_examples=300, deadline=None)
@given(worlds(), st.lists(st.integers(0, 60 * 24 * 3), min_size=2, max_size=6))
def test_time_alone_never_makes_a_no_go_into_a_go(world: World, minutes: list[int]) -> None:
    if world.status.final_check is None:
        return
    ended = world.status.final_check.finished_at
    gates = [decide(world.whole, world.status, ended + timedelta(minutes=m)).go for m in sorted(minutes)]
    event(f"GO {sum(gates)} times of {len(gates)}")
    assert gates == sorted(gates, reverse=True)


@settings(max_examples=50, deadline=None)
@given(worlds())
def test_what_is_proven_in_every_way_is_go(world: World) -> None:
    # The other half: a gate that never opened would pass the tests above.
    if not world.whole.items or all(entry.severity == "advisory" for entry in world.whole.items):
        return
    known = proven(world.whole)
    assert decide(world.whole, known, NOW).verdict == "GO"


@settings(max_examples=50, deadline=None)
@given(worlds(), st.randoms())
def test_the_order_in_which_facts_are_kept_decides_nothing(world: World, random: Random) -> None:
    names = list(world.status.items)
    random.shuffle(names)
    shuffled = replace(world.status, items={name: world.status.items[name] for name in names})
    assert decide(world.whole, shuffled, world.now) == decide(world.whole, world.status, world.now)


@settings(max_examples=50, deadline=None)
@given(worlds())
def test_facts_about_items_that_are_gone_decide_nothing(world: World) -> None:
    gone = world.status.having("gone", Facts(evidence=evidence(item("gone"), "fail")))
    without = sealed(world.status)
    assert decide(world.whole, sealed(gone), world.now) == decide(world.whole, without, world.now)


# Midnights, also where clocks are put forward or back that night

NIGHTS = [
    *(("UTC", "2025-06-27"), ("Asia/Seoul", "2025-06-27"), ("Pacific/Apia", "2025-06-27")),
    *(("Europe/Berlin", "2025-03-29"), ("Europe/Berlin", "2025-10-25")),
    *(("America/Havana", "2025-03-08"), ("America/Havana", "2025-11-01")),
    *(("America/Sao_Paulo", "2018-11-03"), ("America/Sao_Paulo", "2018-02-17")),
    *(("Africa/Cairo", "2025-04-24"), ("Africa/Cairo", "2025-10-30")),
]


@pytest.mark.parametrize(("zone", "last"), NIGHTS, ids=lambda value: str(value).replace("/", "-"))
@settings(max_examples=40, deadline=None)
@given(st.integers(-4 * 3600, 4 * 3600), st.sampled_from(ZONES))
def test_a_waiver_opens_the_gate_up_to_the_last_second_of_its_last_day(
    zone: str, last: str, seconds: int, clock: str
) -> None:
    about = item("one", policy=Policy(time_zone=zone))
    whole = checklist(about)
    word = replace(waiver(date.fromisoformat(last)), zone=zone, item=about.hash)
    over = ends(word)
    word = replace(word, at=over - timedelta(hours=9))
    check = final(whole, at=over - timedelta(hours=8))
    status = sealed(Status(revision=7, items={"one": Facts(waiver=word)}, final_check=check))
    moment = (over + timedelta(seconds=seconds)).astimezone(ZoneInfo(clock))
    assert decide(whole, status, moment).go is (seconds < 0)


def test_the_moments_of_these_tests_are_in_order() -> None:
    assert hours(-1) < CHECKED < NOW
    assert NOW.date() == TODAY
