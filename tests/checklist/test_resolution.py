from datetime import datetime

import pytest
from hypothesis import given, settings

from checklist.definition import Item
from checklist.journal import Entry
from checklist.lifecycle import State
from checklist.reports import resolution, status_report
from checklist.reports.resolution import Found, ResolvedItem
from checklist.status import Facts, Status
from tests.checklist.making import (
    LOOKED,
    NOW,
    RUN,
    SAID,
    TODAY,
    attestation,
    bound,
    checklist,
    claim,
    days,
    evidence,
    hours,
    item,
    manual,
    outcome,
    proven,
    reopening,
    waiver,
)
from tests.checklist.test_gate_properties import World, worlds


def entry(what: str, at: datetime = SAID, about: str = "cache", why: str = "", **data: str) -> Entry:
    return Entry(
        number=1,
        at=at,
        what=what,
        by="Ann",
        item=about,
        why=why,
        run="",
        data=data,
        edited=False,
        revision=1,
        checklist="",
        facts="",
        previous="",
    )


def resolved(about: Item, facts: Facts, *entries: Entry) -> ResolvedItem:
    """Return what the report says of one item."""
    whole = checklist(about)
    status = bound(Status(items={about.id: facts}), whole)
    return resolution.build(status_report.build(whole, status, NOW), entries, NOW).items[0]


CACHE = item("cache", due=days(-2), cause="too small", owner="Ann", links=("https://example.com/",))
FAILED = entry("found", hours(-5), why="full", probe="test-async", verdict="fail")


def test_the_report_says_which_checklist_when_and_what_the_gate_says() -> None:
    whole = checklist(CACHE, manual("sign-off"), item("jobs"))
    status = proven(whole).having("jobs", Facts())
    report = status_report.build(whole, status, NOW)
    found = resolution.build(report, [], NOW)
    assert (found.checklist, found.time, found.gate) == (report.checklist, NOW, report.gate)
    assert found.counts == {State.VERIFIED: 1, State.ATTESTED: 1, State.OPEN: 1}
    assert [one.id for one in found.items] == ["cache", "sign-off", "jobs"]


def test_an_item_that_was_found_claimed_and_proven_tells_the_whole_story() -> None:
    facts = Facts(claim=claim(), evidence=evidence(CACHE), last_pass=LOOKED)
    passed = entry("found", LOOKED, why="well", verdict="pass")
    lines = [FAILED, entry("resolved", on="2025-06-27"), entry("found", about="other"), passed]
    found = resolved(CACHE, facts, *lines)
    assert found.state is State.VERIFIED
    assert found.found == Found(at=hours(-5), verdict="fail", summary="full")
    assert (found.claimed_by, found.claimed_on, found.action) == ("Ann", TODAY, "fixed it")
    assert found.days_early_or_late == 2
    assert found.proof == resolution.Proof(at=LOOKED, run=RUN, summary="seen", duration=0.25)
    assert [(event.what, event.at) for event in found.history] == [
        ("found", hours(-5)),
        ("resolved", SAID),
        ("found", LOOKED),
    ]
    assert (found.cause, found.owner, found.links) == ("too small", "Ann", ("https://example.com/",))


def test_an_import_is_part_of_the_history_of_every_item_as_in_the_log() -> None:
    lines = [entry("imported", about=""), entry("found", about="other"), FAILED]
    history = resolved(CACHE, Facts(claim=claim()), *lines).history
    assert [event.what for event in history] == ["imported", "found"]


def test_what_stands_against_an_item_now_is_what_was_found() -> None:
    found = resolved(CACHE, Facts(evidence=evidence(CACHE, "unknown")), FAILED)
    assert found.found == Found(at=LOOKED, verdict="unknown", summary="seen")


def test_the_newest_of_several_findings_counts_and_a_pass_is_none() -> None:
    later = entry("found", hours(-4), why="slow", verdict="warn")
    passed = entry("found", hours(-3), why="well", verdict="pass")
    found = resolved(CACHE, Facts(evidence=evidence(CACHE)), FAILED, later, passed)
    assert found.found == Found(at=hours(-4), verdict="warn", summary="slow")
    assert resolved(CACHE, Facts(evidence=evidence(CACHE)), passed).found is None
    assert resolved(CACHE, Facts(), entry("reopened", why="full")).found is None


@pytest.mark.parametrize("verdict", ["warn", "fail", "unknown"])
def test_only_a_verified_item_has_a_proof(verdict: str) -> None:
    assert resolved(CACHE, Facts(claim=claim(), evidence=evidence(CACHE, verdict))).proof is None
    assert resolved(CACHE, Facts(claim=claim(hours(-0.1)), evidence=evidence(CACHE))).proof is None
    assert resolved(CACHE, Facts(evidence=evidence(CACHE))).proof is not None


DUE_SOON = item("cache", due=days(3))
UNDATED = item("cache")


@pytest.mark.parametrize(
    ("about", "facts", "expected"),
    [
        (CACHE, Facts(claim=claim(on=days(0))), 2),
        (CACHE, Facts(claim=claim(on=days(-2))), 0),
        (CACHE, Facts(claim=claim(on=days(-5))), -3),
        (DUE_SOON, Facts(claim=claim(on=days(0))), -3),
        (CACHE, Facts(), 2),
        (DUE_SOON, Facts(), None),
        (UNDATED, Facts(claim=claim()), None),
        (UNDATED, Facts(), None),
        (CACHE, Facts(evidence=evidence(CACHE)), None),
        (CACHE, Facts(claim=claim(on=days(-5)), evidence=evidence(CACHE, "fail")), -3),
        (DUE_SOON, Facts(claim=claim(on=days(-5)), evidence=evidence(DUE_SOON, "fail")), -8),
    ],
    ids=[
        *("claimed late", "claimed on the day", "claimed early", "early from today", "still open"),
        *("open, not due yet", "claimed, no due date", "open, no due date", "green without a claim"),
        *("claimed early, then failed again", "failed again, not due yet"),
    ],
)
def test_days_are_counted_from_the_due_date(about: Item, facts: Facts, expected: int | None) -> None:
    assert resolved(about, facts).days_early_or_late == expected


def test_words_of_people_are_all_in_it() -> None:
    about = manual("sign-off", steps=("Look", "Sign"), notes=("by post",))
    facts = Facts(
        attestation=attestation(about),
        waiver=waiver(days(1)),
        reopening=reopening(hours(-9)),
        steps=("Look",),
    )
    found = resolved(about, facts)
    assert (found.attestation, found.reopening) == (facts.attestation, facts.reopening)
    assert found.waiver is not None
    assert (found.waiver.by, found.waiver.until) == ("Bob", days(1))
    assert [(step.text, step.done) for step in found.steps] == [("Look", True), ("Sign", False)]
    assert (found.notes, found.claimed_by, found.claimed_on, found.action) == (("by post",), "", None, "")


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_proof_and_verified_go_together_whatever_is_known(world: World) -> None:
    report = status_report.build(world.whole, world.status, world.now)
    found = resolution.build(report, [], world.now)
    assert [one.id for one in found.items] == [one.id for one in report.items]
    for one, known in zip(found.items, report.items, strict=True):
        assert (one.proof is not None) is (one.state is State.VERIFIED)
        if one.proof and known.evidence:
            assert (one.proof.at, one.proof.run) == (known.evidence.started_at, known.run)
        if known.evidence and known.evidence.verdict != "pass":
            assert one.found is not None
            assert one.found.summary == outcome().summary
        assert sum(found.counts.values()) == len(found.items)
