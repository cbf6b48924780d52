"""The order in which results come decides nothing; marks come off again; a run is no second try."""

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import Literal
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from checklist import lifecycle
from checklist.definition import Checklist, Item, Policy
from checklist.gate import GO, Gate, decide
from checklist.lifecycle import RefusedError, State
from checklist.reports import readiness, status_report
from checklist.status import Evidence, Facts, Status
from tests.checklist.making import (
    LOOKED,
    NOW,
    RUN,
    SAID,
    attestation,
    bound,
    checklist,
    claim,
    days,
    evidence,
    hours,
    item,
    manual,
    reopening,
    waiver,
)

# Results in any order

CHAINS = checklist(
    *(item(f"alone{n}") for n in range(4)),
    item("top"),
    *(item(f"chain{n}", after=(f"chain{n - 1}" if n else "top",)) for n in range(4)),
    item("both", after=("chain1", "alone0")),
    item("advice", severity="advisory", after=("alone1",)),
    manual("sign-off", after=("both",)),
)
PROBED = [entry for entry in CHAINS.items if entry.probe]

# Which items do not pass in the final check, which passed before, and what the gate must say.
RESULTS: dict[str, tuple[dict[str, str], str]] = {
    "all pass": ({}, "GO"),
    "an advisory item fails": ({"advice": "fail"}, "GO"),
    "one fails in the middle of a chain": ({"chain1": "fail"}, "NO-GO"),
    "all of a kind": ({"alone0": "warn", "alone1": "fail", "alone2": "unknown", "top": "fail"}, "NO-GO"),
    "one of another run": ({"chain3": "missing"}, "NO-GO"),
}


def after_a_check(found: list[Evidence], names: list[str]) -> Status:
    """Return the status after a final check whose results came in this order."""
    facts = {entry.id: Facts(evidence=evidence(entry, at=hours(-5), run="before")) for entry in PROBED}
    facts |= {"alone3": Facts(claim=claim()), "sign-off": Facts(attestation=attestation(CHAINS.items[-1]))}
    status = Status(revision=1, items=facts)
    status = lifecycle.begin(status, run=RUN, at=hours(-1.1), checklist=CHAINS.hash)
    for name, proof in zip(names, found, strict=True):
        status = replace(status, revision=status.revision + 1)
        status = lifecycle.record_in(status, name, proof, hours(-0.6))
        assert lifecycle.resumable(CHAINS, status)
    return lifecycle.close(
        replace(status, revision=status.revision + 1),
        run=RUN,
        started=hours(-1.1),
        at=hours(-0.5),
        checklist=CHAINS.hash,
        by="Ann",
    )


def told(whole: Checklist, status: Status) -> tuple[Gate, dict[str, State], readiness.ReadinessCheck]:
    report = status_report.build(whole, status, NOW)
    record = readiness.build(report, run=RUN, final=True, time=NOW, by="Ann")
    return decide(whole, status, NOW), lifecycle.states(whole, status, NOW), record


@pytest.mark.parametrize("case", RESULTS)
def test_a_thousand_orders_of_results_give_one_verdict_and_one_record(case: str) -> None:
    bad, verdict = RESULTS[case]
    results = [
        (entry.id, evidence(entry, bad.get(entry.id, "pass"), LOOKED + timedelta(seconds=n)))
        for n, entry in enumerate(PROBED)
        if bad.get(entry.id) != "missing"
    ]
    random, seen = Random(case), []  # noqa: S311  # a shuffle that is the same in every run
    for _ in range(1000):
        random.shuffle(results)
        names, found = zip(*results, strict=True)
        seen.append(told(CHAINS, after_a_check(list(found), list(names))))
    assert seen[0][0].verdict == verdict
    assert [one for one in seen if one != seen[0]] == []


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from([entry.id for entry in PROBED]), st.sampled_from(["fail", "unknown"])),
    st.permutations(range(len(PROBED))),
    st.permutations(range(len(PROBED))),
)
def test_any_results_in_any_two_orders_are_told_alike(
    bad: dict[str, str], one: list[int], other: list[int]
) -> None:
    def result(order: list[int]) -> tuple[Gate, dict[str, State], readiness.ReadinessCheck]:
        found = [evidence(PROBED[n], bad.get(PROBED[n].id, "pass")) for n in order]
        return told(CHAINS, after_a_check(found, [PROBED[n].id for n in order]))

    assert result(one) == result(other)
    assert (result(one)[0].verdict == GO) is (not bad.keys() - {"advice"})


@settings(max_examples=100, deadline=None)
@given(st.permutations(CHAINS.items))
def test_the_order_of_the_items_in_the_checklist_decides_nothing(items: list[Item]) -> None:
    bad = {"chain0": "fail"}
    status = Status(
        items={about.id: Facts(evidence=evidence(about, bad.get(about.id, "pass"))) for about in items}
    )
    found = lifecycle.states(checklist(*items), status, NOW)
    assert found == lifecycle.states(CHAINS, status, NOW)
    assert found["chain3"] is State.INHIBITED


# Marks come off again

EYES = Policy(four_eyes=True)
CACHE = item("cache", policy=EYES, steps=("one", "two"))
SIGN = manual("sign-off", policy=EYES, steps=("one", "two"))

MARKS: dict[str, Callable[[Facts, Item], Facts]] = {
    "claim": lambda f, i: lifecycle.claim(f, i, by="Dan", on=days(0), action="x", at=NOW),
    "attest": lambda f, i: lifecycle.attest(f, i, by="Dan", note="x", at=NOW),
    "waive": lambda f, i: lifecycle.waive(f, i, by="Dan", why="x", until=days(3), at=NOW),
    "reopen": lambda f, _: lifecycle.reopen(f, by="Dan", why="x", at=NOW),
    "tick": lambda f, i: lifecycle.tick(f, i, "two"),
}


def facts_about(about: Item) -> st.SearchStrategy[Facts]:
    proof = evidence(about) if about.probe else None
    return st.builds(
        Facts,
        claim=st.sampled_from([None, claim(), claim(LOOKED)]),
        attestation=st.sampled_from([None, attestation(about)]),
        waiver=st.sampled_from([None, replace(waiver(days(2)), item=about.hash)]),
        reopening=st.sampled_from([None, reopening(), reopening(LOOKED)]),
        evidence=st.sampled_from([None, proof]),
        last_pass=st.sampled_from([None, LOOKED]),
        steps=st.sampled_from([(), ("one",), ("two", "one")]),
    )


ABOUT = st.sampled_from([CACHE, SIGN]).flatmap(lambda about: st.tuples(st.just(about), facts_about(about)))


@pytest.mark.parametrize("mark", MARKS)
@settings(max_examples=60, deadline=None)
@given(ABOUT, st.sampled_from([None, "pass", "fail", "unknown"]))
def test_a_mark_taken_back_leaves_what_was_and_what_a_probe_has_seen_since(
    mark: str, known: tuple[Item, Facts], seen: str | None
) -> None:
    about, facts = known
    try:
        after = MARKS[mark](facts, about)
    except RefusedError:
        return
    assert after != facts
    later = after
    if seen:
        later = lifecycle.record(after, evidence(about, seen, hours(1), run="later"), hours(1))
    back = lifecycle.undo(later, facts, after)
    assert back == replace(facts, evidence=later.evidence, last_pass=later.last_pass)
    assert lifecycle.undo(after, facts, after) == facts


@settings(max_examples=200, deadline=None)
@given(ABOUT, st.lists(st.sampled_from(list(MARKS)), max_size=6))
def test_many_marks_come_off_one_by_one(known: tuple[Item, Facts], marks: list[str]) -> None:
    about, facts = known
    trail = [facts]
    for mark in marks:
        try:
            trail.append(MARKS[mark](trail[-1], about))
        except RefusedError:
            continue
    now = trail[-1]
    for before, after in reversed([*pairwise(trail)]):
        now = lifecycle.undo(now, before, after)
        assert now == before


def test_what_somebody_else_said_in_between_stays() -> None:
    before = Facts(claim=claim())
    after = MARKS["tick"](before, CACHE)
    theirs = replace(after, waiver=waiver(), claim=claim(LOOKED))
    assert lifecycle.undo(theirs, before, after) == replace(theirs, steps=())


# A run is no second try, and time is no proof


@pytest.mark.parametrize("first", ["fail", "warn", "unknown"])
def test_a_run_that_looks_twice_cannot_make_good_what_it_has_found_wrong(first: str) -> None:
    # Two programs may go on with the same stopped check at once.
    facts = lifecycle.record(Facts(), evidence(CACHE, first, hours(-2)), NOW)
    assert lifecycle.record(facts, evidence(CACHE, "pass", hours(-1)), NOW) == facts
    again = evidence(CACHE, "pass", hours(-1), run="another")
    assert lifecycle.record(facts, again, NOW).evidence == again


@pytest.mark.parametrize("first", ["pass", "fail", "warn", "unknown"])
@pytest.mark.parametrize("second", ["fail", "warn", "unknown"])
def test_a_run_that_looks_twice_keeps_its_doubt(first: str, second: str) -> None:
    facts = lifecycle.record(Facts(), evidence(CACHE, first, hours(-1)), NOW)
    doubt = evidence(CACHE, second, hours(-1))
    assert lifecycle.record(facts, doubt, NOW).evidence == doubt


def test_a_check_that_runs_on_after_somebody_else_has_changed_something_stays_so() -> None:
    status = lifecycle.begin(Status(revision=1), run=RUN, at=SAID, checklist=CHAINS.hash)
    status = replace(status, revision=2).having("alone0", Facts(claim=claim()))
    for revision, name in enumerate(("alone1", "alone2", "alone3"), 3):
        status = replace(status, revision=revision)
        status = lifecycle.record_in(status, name, evidence(CHAINS.by_id[name]), NOW)
        assert lifecycle.resumable(CHAINS, status) is None


FUTURE: dict[str, tuple[Item, Facts]] = {
    "evidence": (CACHE, Facts(evidence=evidence(CACHE, at=hours(1)))),
    "waiver": (CACHE, Facts(waiver=waiver(days(2), hours(1)))),
    "attestation": (SIGN, Facts(attestation=attestation(SIGN, hours(1)))),
}


def closed(about: Item, facts: Facts, at: float) -> tuple[Checklist, Status]:
    """Return a checklist of one item, and its status after a final check that ended at that hour."""
    whole = checklist(about)
    status = bound(Status(revision=1, items={about.id: facts}), whole)
    return whole, lifecycle.close(status, run=RUN, started=NOW, at=hours(at), checklist=whole.hash, by="")


@pytest.mark.parametrize("case", FUTURE)
def test_what_lay_in_the_future_when_the_final_check_ended_never_counts_for_it(case: str) -> None:
    about, facts = FUTURE[case]
    assert not [h for h in (0, 1, 2, 13) if decide(*closed(about, facts, 0), hours(h)).go]
    assert [h for h in (0, 1, 2, 13) if decide(*closed(about, facts, 1), hours(h)).go] == [1, 2, 13]


def test_such_evidence_does_not_take_over_from_a_waiver_either() -> None:
    facts = Facts(evidence=evidence(CACHE, at=hours(1)), waiver=waiver(days(0)))
    found = {h: decide(*closed(CACHE, facts, 0), hours(h)).go for h in (0, 0.5, 1, 11, 13)}
    assert found == {0: True, 0.5: True, 1: False, 11: False, 13: False}


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@pytest.mark.parametrize("name", ["\uae40\ubbfc\uc9c0", "Jos\u00e9", "\uff21nn"])
def test_however_a_name_is_encoded_it_is_the_same_pair_of_eyes(
    name: str, form: Literal["NFC", "NFD", "NFKC", "NFKD"]
) -> None:
    # macOS takes apart what other systems compose: the two look the same and must count as the same.
    claimed = lifecycle.claim(Facts(), CACHE, by=name, on=days(0), action="x", at=NOW)
    other = normalize(form, name).upper()
    with pytest.raises(RefusedError, match="somebody else"):
        lifecycle.waive(claimed, CACHE, by=other, why="x", until=days(0), at=NOW)
