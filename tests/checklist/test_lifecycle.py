from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec.structs import replace

from checklist import lifecycle
from checklist.definition import Checklist, Item, Policy
from checklist.gate import decide
from checklist.lifecycle import GREEN, RefusedError, State
from checklist.status import Facts, Status, Waiver
from tests.checklist.making import (
    LOOKED,
    NOW,
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

CACHE = item("cache", steps=("one", "two"))
EDITED = item("cache", title="The cache is better")
SIGN = manual("sign-off")


def found(verdict: str, at: float = -1, about: Item = CACHE) -> dict[str, Any]:
    return {"evidence": evidence(about, verdict, hours(at))}


def passed(at: float = -1) -> dict[str, Any]:
    return {"last_pass": hours(at)}


def state(of: Item, facts: Facts, now: datetime = NOW) -> State:
    whole = checklist(of)
    return lifecycle.states(whole, bound(Status(items={of.id: facts}), whole), now)[of.id]


SECOND = 1 / 3600

SENSED: dict[str, tuple[dict[str, Any], State]] = {
    "nothing known": ({}, State.OPEN),
    # Evidence alone.
    "passed": (found("pass"), State.VERIFIED),
    "passed this very moment": (found("pass", 0), State.VERIFIED),
    "degraded": (found("warn"), State.OPEN),
    "failed": (found("fail"), State.OPEN),
    "could not tell": (found("unknown"), State.OPEN),
    "could not tell after it had passed": (found("unknown") | passed(-2), State.OPEN),
    "failed after it had passed": (found("fail") | passed(-2), State.REOPENED),
    "degraded after it had passed": (found("warn") | passed(-2), State.REOPENED),
    # Age and edits.
    "passed exactly fresh_for ago": (found("pass", -24), State.VERIFIED),
    "passed longer than fresh_for ago": (found("pass", -24 - SECOND), State.STALE),
    "passed for another definition": (found("pass", about=EDITED), State.STALE),
    "failed for another definition": (found("fail", about=EDITED), State.OPEN),
    "failed long ago": (found("fail", -1000), State.OPEN),
    # A clock that was wrong.
    "passed in the future": (found("pass", SECOND), State.OPEN),
    "claimed, passed in the future": ({"claim": claim()} | found("pass", SECOND), State.RESOLVED),
    "failed in the future": (found("fail", 1) | passed(), State.OPEN),
    "claimed in the future, passed now": ({"claim": claim(hours(1))} | found("pass"), State.RESOLVED),
    # Claims.
    "claimed": ({"claim": claim()}, State.RESOLVED),
    "claimed, then passed": ({"claim": claim()} | found("pass"), State.VERIFIED),
    "passed, then claimed": ({"claim": claim()} | found("pass", -3), State.RESOLVED),
    "passed at the moment of the claim": ({"claim": claim(LOOKED)} | found("pass"), State.RESOLVED),
    "claimed, then degraded": ({"claim": claim()} | found("warn"), State.REOPENED),
    "claimed, then failed": ({"claim": claim()} | found("fail"), State.REOPENED),
    "claimed, then could not tell": ({"claim": claim()} | found("unknown"), State.RESOLVED),
    "failed, then claimed": ({"claim": claim()} | found("fail", -3), State.RESOLVED),
    "claimed, passed, too long ago": ({"claim": claim(hours(-30))} | found("pass", -25), State.STALE),
    "claimed, passed for another definition": (
        {"claim": claim()} | found("pass", about=EDITED),
        State.STALE,
    ),
    # Taken back by hand.
    "taken back": ({"reopening": reopening()}, State.REOPENED),
    "passed, then taken back": ({"reopening": reopening()} | found("pass", -3), State.REOPENED),
    "passed at the moment it was taken back": (
        {"reopening": reopening(LOOKED)} | found("pass"),
        State.REOPENED,
    ),
    "taken back, then passed": ({"reopening": reopening()} | found("pass"), State.VERIFIED),
    "taken back, then failed": ({"reopening": reopening()} | found("fail"), State.REOPENED),
    "taken back, then could not tell": ({"reopening": reopening()} | found("unknown"), State.REOPENED),
    # Waivers.
    "waived until a later day": ({"waiver": waiver(days(5))}, State.WAIVED),
    "waived until today": ({"waiver": waiver(days(0))}, State.WAIVED),
    "waived until yesterday": ({"waiver": waiver(days(-1))}, State.OPEN),
    "failed and waived": ({"waiver": waiver()} | found("fail"), State.WAIVED),
    "claimed and waived": ({"waiver": waiver(), "claim": claim()}, State.WAIVED),
    "stale and waived": ({"waiver": waiver()} | found("pass", -25), State.WAIVED),
    "passed and waived": ({"waiver": waiver()} | found("pass"), State.VERIFIED),
    "claimed, waiver over": ({"waiver": waiver(days(-1)), "claim": claim()}, State.RESOLVED),
    "failed after a pass, waiver over": (
        {"waiver": waiver(days(-1))} | found("fail") | passed(-2),
        State.REOPENED,
    ),
    "taken back, then waived": ({"reopening": reopening(hours(-3)), "waiver": waiver()}, State.WAIVED),
    "waived, then edited": ({"waiver": replace(waiver(), item=EDITED.hash)}, State.OPEN),
    "waived in the future": ({"waiver": waiver(at=hours(SECOND))}, State.OPEN),
    "waived this very moment": ({"waiver": waiver(at=NOW)}, State.WAIVED),
    # What does not count.
    "attested though it has a probe": ({"attestation": attestation(CACHE)}, State.OPEN),
    "failed though attested": ({"attestation": attestation(CACHE)} | found("fail"), State.OPEN),
    "every step ticked": ({"steps": CACHE.steps}, State.OPEN),
    "has passed once": (passed(), State.OPEN),
}

SWORN: dict[str, tuple[dict[str, Any], State]] = {
    "nothing known": ({}, State.OPEN),
    "attested": ({"attestation": attestation(SIGN)}, State.ATTESTED),
    "attested long ago": ({"attestation": attestation(SIGN, hours(-10_000))}, State.ATTESTED),
    "attested, then edited": ({"attestation": attestation(manual(title="Other"))}, State.STALE),
    "attested, edited, waived": (
        {"attestation": attestation(manual(title="Other")), "waiver": waiver()},
        State.WAIVED,
    ),
    "attested in the future": ({"attestation": attestation(SIGN, hours(SECOND))}, State.OPEN),
    "attested this very moment": ({"attestation": attestation(SIGN, NOW)}, State.ATTESTED),
    "waived, then edited": ({"waiver": replace(waiver(), item=EDITED.hash)}, State.OPEN),
    "attested and waived": ({"attestation": attestation(SIGN), "waiver": waiver()}, State.ATTESTED),
    "waived": ({"waiver": waiver()}, State.WAIVED),
    "waived until yesterday": ({"waiver": waiver(days(-1))}, State.OPEN),
    "taken back": ({"reopening": reopening()}, State.REOPENED),
    "claimed all the same": ({"claim": claim()}, State.RESOLVED),
    "evidence all the same": (found("pass", about=SIGN), State.OPEN),
}


@pytest.mark.parametrize("case", SENSED)
def test_state_of_an_item_with_a_probe(case: str) -> None:
    facts, expected = SENSED[case]
    assert state(CACHE, Facts(**facts)) is expected


@pytest.mark.parametrize("case", SWORN)
def test_state_of_a_manual_item(case: str) -> None:
    facts, expected = SWORN[case]
    assert state(SIGN, Facts(**facts)) is expected


@pytest.mark.parametrize("of", [CACHE, SIGN], ids=["probe", "manual"])
@pytest.mark.parametrize("word", ["attestation", "waiver"])
def test_a_word_from_before_the_item_was_taken_back_counts_no_more(of: Item, word: str) -> None:
    # The program clears it; a status merged from two branches may hold both.
    given = {"attestation": attestation(of, hours(-3)), "waiver": waiver(days(5), hours(-3))}[word]
    assert state(of, Facts(**{word: given}, reopening=reopening(hours(-2)))) is State.REOPENED


@pytest.mark.parametrize("change", [{"release": "2.0"}, {"environment": "staging"}], ids=str)
def test_no_word_and_no_evidence_outlives_its_release_and_environment(change: dict[str, str]) -> None:
    of, sign = replace(CACHE, **change), replace(SIGN, **change)
    assert state(of, Facts(evidence=evidence(CACHE))) is State.STALE
    assert state(of, Facts(waiver=replace(waiver(), item=CACHE.hash))) is State.OPEN
    assert state(sign, Facts(attestation=attestation(SIGN))) is State.STALE


@pytest.mark.parametrize("clock", [-11, 0, 9, 14])
@pytest.mark.parametrize(
    ("zone", "last"),
    [
        ("UTC", "2025-06-27T23:59:59+00:00"),
        ("Asia/Seoul", "2025-06-27T14:59:59+00:00"),
        ("America/New_York", "2025-06-28T03:59:59+00:00"),
    ],
)
def test_a_waiver_holds_through_its_last_day_in_its_own_zone_whatever_clock_looks(
    zone: str, last: str, clock: int
) -> None:
    facts = Facts(waiver=replace(waiver(days(0), hours(-3)), zone=zone))
    moment = datetime.fromisoformat(last).astimezone(timezone(timedelta(hours=clock)))
    assert state(CACHE, facts, moment) is State.WAIVED
    assert state(CACHE, facts, moment + timedelta(seconds=1)) is State.OPEN


@pytest.mark.parametrize("approver", ["Ann", "ann", " ANN "])
def test_with_four_eyes_nobody_approves_the_waiver_of_what_they_claimed(approver: str) -> None:
    eyes = item("cache", policy=Policy(four_eyes=True))
    claimed = Facts(claim=claim())
    with pytest.raises(RefusedError, match="somebody else"):
        lifecycle.waive(claimed, eyes, by=approver, why="x", until=days(1), at=NOW)
    granted = lifecycle.waive(claimed, eyes, by="Bob", why="x", until=days(1), at=NOW)
    assert state(eyes, granted) is State.WAIVED
    # Whichever comes first, the claim or the waiver.
    own = replace(claimed, waiver=Waiver(by=approver, why="x", until=days(1), at=SAID, item=eyes.hash))
    assert state(eyes, own) is State.RESOLVED
    gate = decide(checklist(eyes), Status(items={"cache": own}), NOW)
    assert "approval of somebody who did not claim it" in gate.reasons[0]
    assert lifecycle.waive(claimed, CACHE, by="Ann", why="x", until=days(1), at=NOW).waiver


def test_days_are_those_of_the_policy() -> None:
    seoul = item("cache", policy=Policy(time_zone="Asia/Seoul"))
    late = NOW.replace(hour=16)  # one in the morning of the 28th there
    assert lifecycle.claim(Facts(), seoul, by="Ann", on=days(1), action="x", at=late).claim
    with pytest.raises(RefusedError, match="not come"):
        lifecycle.claim(Facts(), CACHE, by="Ann", on=days(1), action="x", at=late)
    with pytest.raises(RefusedError, match="past"):
        lifecycle.waive(Facts(), seoul, by="Ann", why="x", until=days(0), at=late)
    waived = lifecycle.waive(Facts(), seoul, by="Ann", why="x", until=days(1), at=late)
    assert waived.waiver is not None
    assert waived.waiver.zone == "Asia/Seoul"


# Chains


def chain(length: int, **first: Any) -> tuple[Checklist, Status]:
    """Return items each after the one before, all passed, the first with facts of its own."""
    items = [item("n0", probe=CACHE.probe)]
    items += [item(f"n{n}", after=(f"n{n - 1}",)) for n in range(1, length)]
    facts = {entry.id: Facts(evidence=evidence(entry)) for entry in items}
    facts["n0"] = Facts(**first)
    whole = checklist(*items)
    return whole, bound(Status(items=facts), whole)


def test_items_after_a_green_one_speak_for_themselves() -> None:
    whole, status = chain(3, evidence=evidence(item("n0")))
    assert set(lifecycle.states(whole, status, NOW).values()) == {State.VERIFIED}


@pytest.mark.parametrize(
    "first",
    [{}, found("fail"), {"claim": claim()}, found("pass", -25), {"waiver": waiver(days(-1))}],
    ids=["open", "failed", "resolved", "stale", "waiver over"],
)
def test_what_comes_after_an_item_that_is_not_green_is_inhibited_down_the_whole_chain(
    first: dict[str, Any],
) -> None:
    whole, status = chain(4, **first)
    found = lifecycle.states(whole, status, NOW)
    assert found["n0"] not in GREEN | {State.INHIBITED}
    assert [found[f"n{n}"] for n in (1, 2, 3)] == [State.INHIBITED] * 3


def test_a_waived_item_inhibits_nothing() -> None:
    whole, status = chain(3, waiver=waiver(), **found("fail"))
    assert list(lifecycle.states(whole, status, NOW).values()) == [
        State.WAIVED,
        State.VERIFIED,
        State.VERIFIED,
    ]


@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_a_valid_waiver_holds_whatever_the_item_comes_after(verdict: str) -> None:
    whole, status = chain(3)
    status = status.having("n1", Facts(waiver=waiver(), **found(verdict, about=whole.by_id["n1"])))
    status = bound(status, whole)
    assert list(lifecycle.states(whole, status, NOW).values()) == [State.OPEN, State.WAIVED, State.VERIFIED]


def test_one_parent_that_is_not_green_is_enough() -> None:
    whole = checklist(item("a"), manual("b"), item("c", after=("a", "b")))
    status = Status(
        items={
            "b": Facts(attestation=attestation(whole.by_id["b"])),
            "c": Facts(evidence=evidence(whole.by_id["c"])),
        }
    )
    assert lifecycle.states(whole, status, NOW)["c"] is State.INHIBITED
    status = status.having("a", Facts(evidence=evidence(whole.by_id["a"])))
    assert lifecycle.states(whole, status, NOW)["c"] is State.VERIFIED


def test_items_may_stand_before_what_they_come_after() -> None:
    whole = checklist(item("late", after=("early",)), item("early"))
    status = Status(items={"late": Facts(evidence=evidence(whole.by_id["late"]))})
    assert lifecycle.states(whole, status, NOW) == {"late": State.INHIBITED, "early": State.OPEN}


def test_long_chains_and_many_crossing_ones_are_settled() -> None:
    whole, status = chain(3000, evidence=evidence(item("n0")))
    backwards = Checklist(title="T", release="", environment="", items=whole.items[::-1])
    assert set(lifecycle.states(backwards, status, NOW).values()) == {State.VERIFIED}
    ladder = [item("a0"), item("b0")]
    for n in range(1, 40):
        ladder += [item(f"{side}{n}", after=(f"a{n - 1}", f"b{n - 1}")) for side in "ab"]
    assert lifecycle.states(checklist(*ladder[::-1]), Status(), NOW)["a39"] is State.INHIBITED


# From facts to new facts


def test_a_claim_takes_the_place_of_an_older_one_and_of_a_reopening() -> None:
    facts = Facts(claim=claim(), reopening=reopening(), steps=("one",))
    new = lifecycle.claim(facts, CACHE, by="Dan", on=days(-1), action="again", at=NOW)
    assert new.claim is not None
    assert (new.claim.by, new.claim.on, new.claim.action, new.claim.at) == ("Dan", days(-1), "again", NOW)
    assert (new.reopening, new.steps) == (None, ("one",))


def test_only_a_manual_item_can_be_attested() -> None:
    with pytest.raises(RefusedError, match="cache has a probe"):
        lifecycle.attest(Facts(), CACHE, by="Ann", note="looks fine", at=NOW)
    facts = lifecycle.attest(Facts(reopening=reopening()), SIGN, by="Ann", note="seen", at=NOW)
    assert state(SIGN, facts) is State.ATTESTED


def test_reopening_takes_every_word_back_and_keeps_what_was_seen_and_done() -> None:
    facts = Facts(
        claim=claim(), attestation=attestation(SIGN), waiver=waiver(), steps=("one",), last_pass=LOOKED
    )
    facts = replace(facts, evidence=evidence(CACHE))
    new = lifecycle.reopen(facts, by="Cleo", why="it is back", at=NOW)
    assert (new.claim, new.attestation, new.waiver) == (None, None, None)
    assert (new.evidence, new.steps, new.last_pass) == (facts.evidence, ("one",), LOOKED)
    for of in (CACHE, SIGN):
        assert state(of, new) is State.REOPENED


def test_a_step_is_ticked_and_unticked_and_the_others_keep_their_order() -> None:
    facts = lifecycle.tick(lifecycle.tick(Facts(), CACHE, "two"), CACHE, "one")
    assert facts.steps == ("two", "one")
    assert lifecycle.tick(facts, CACHE, "two").steps == ("one",)


def test_a_waiver_is_for_the_item_as_it_is() -> None:
    facts = lifecycle.waive(Facts(), CACHE, by="Bob", why="Monday", until=days(0), at=NOW)
    assert (state(CACHE, facts), state(EDITED, facts)) == (State.WAIVED, State.OPEN)


REFUSED: dict[str, tuple[Callable[[], Facts], str]] = {
    "claim of a manual item": (
        lambda: lifecycle.claim(Facts(), SIGN, by="A", on=days(0), action="x", at=NOW),
        "sign-off is manual",
    ),
    "claim for tomorrow": (
        lambda: lifecycle.claim(Facts(), CACHE, by="A", on=days(1), action="x", at=NOW),
        "2025-06-28 has not come yet",
    ),
    "waiver until yesterday": (
        lambda: lifecycle.waive(Facts(), CACHE, by="A", why="x", until=days(-1), at=NOW),
        "2025-06-26 is past",
    ),
    "step of another item": (lambda: lifecycle.tick(Facts(), CACHE, "three"), "cache has no step 'three'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_mark_that_the_rules_do_not_allow_is_refused(case: str) -> None:
    mark, words = REFUSED[case]
    with pytest.raises(RefusedError, match=words):
        mark()


def test_a_newer_outcome_replaces_an_older_one_and_remembers_the_last_pass() -> None:
    one, two = evidence(CACHE, "pass", hours(-2)), evidence(CACHE, "fail", hours(-1))
    facts = lifecycle.record(lifecycle.record(Facts(), one, NOW), two, NOW)
    assert (facts.evidence, facts.last_pass) == (two, hours(-2))
    assert state(CACHE, facts) is State.REOPENED


@pytest.mark.parametrize("known", ["pass", "warn", "fail", "unknown"])
def test_an_older_pass_that_comes_late_changes_nothing(known: str) -> None:
    facts = lifecycle.record(Facts(), evidence(CACHE, known, hours(-1)), NOW)
    assert lifecycle.record(facts, evidence(CACHE, "pass", hours(-2)), NOW) == facts


@pytest.mark.parametrize("late", ["warn", "fail", "unknown"])
def test_an_older_doubt_that_comes_late_counts(late: str) -> None:
    # Clocks are set back, and a slow run ends after a quick one: a green item must not hide it.
    facts = lifecycle.record(Facts(), evidence(CACHE, "pass", hours(-1)), NOW)
    found = evidence(CACHE, late, hours(-2))
    new = lifecycle.record(facts, found, NOW)
    assert (new.evidence, new.last_pass) == (found, hours(-1))
    assert state(CACHE, new) is not State.VERIFIED


def test_evidence_from_a_wrong_clock_does_not_keep_later_runs_out() -> None:
    facts = lifecycle.record(Facts(), evidence(CACHE, "pass", hours(5)), NOW)
    found = evidence(CACHE, "fail", hours(-0.1))
    assert lifecycle.record(facts, found, NOW).evidence == found


def test_recording_keeps_every_word() -> None:
    facts = Facts(claim=claim(), waiver=waiver(), reopening=reopening(), steps=("one",))
    new = lifecycle.record(facts, evidence(CACHE), NOW)
    assert replace(new, evidence=None, last_pass=None) == facts


# Dates

DUE = item("cache", due=days(-2))

LATE: dict[str, tuple[Item, dict[str, Any], State, int]] = {
    "no due date": (CACHE, {}, State.OPEN, 0),
    "open before its day": (item(due=days(1)), {}, State.OPEN, 0),
    "open on its day": (item(due=days(0)), {}, State.OPEN, 0),
    "open after its day": (DUE, {}, State.OPEN, 2),
    "inhibited after its day": (DUE, {}, State.INHIBITED, 2),
    "claimed in time": (DUE, {"claim": claim(on=days(-3))}, State.RESOLVED, 0),
    "claimed on its day": (DUE, {"claim": claim(on=days(-2))}, State.RESOLVED, 0),
    "claimed late": (DUE, {"claim": claim(on=days(-1))}, State.RESOLVED, 1),
    "claimed late, verified": (DUE, {"claim": claim(on=days(0))}, State.VERIFIED, 2),
    "verified without a claim": (DUE, {}, State.VERIFIED, 0),
    "waived": (DUE, {"waiver": waiver()}, State.WAIVED, 0),
}


@pytest.mark.parametrize("case", LATE)
def test_days_late(case: str) -> None:
    about, facts, given, expected = LATE[case]
    assert lifecycle.days_late(about, Facts(**facts), given, days(0)) == expected


def test_a_claim_that_its_probe_refuted_no_longer_makes_the_item_timely() -> None:
    facts = Facts(claim=claim(on=days(-3)), evidence=evidence(DUE, "fail"))
    assert lifecycle.days_late(DUE, facts, State.REOPENED, days(0)) == 2


def test_counts_name_only_what_occurs_the_proven_first() -> None:
    found = {"a": State.OPEN, "b": State.VERIFIED, "c": State.OPEN}
    assert list(lifecycle.counts(found).items()) == [(State.VERIFIED, 1), (State.OPEN, 2)]
    assert lifecycle.counts({}) == {}


def test_a_stopped_check_is_not_gone_on_with_after_a_merge_that_keeps_the_revision() -> None:
    whole = checklist(CACHE, SIGN)
    begun = lifecycle.begin(Status(revision=3), run="r", at=NOW, checklist=whole.hash)
    status = lifecycle.record_in(replace(begun, revision=4), "cache", evidence(CACHE, run="r"), NOW)
    assert lifecycle.resumable(whole, status)
    merged = status.having("cache", Facts())
    assert lifecycle.resumable(whole, merged) is None
    later = lifecycle.record_in(replace(merged, revision=5), "cache", evidence(CACHE, run="r"), NOW)
    assert lifecycle.resumable(whole, later) is None


def test_what_a_check_found_wrong_stays_so_for_it_whatever_is_found_in_between() -> None:
    whole = checklist(CACHE)
    status = lifecycle.begin(Status(revision=1), run="R", at=hours(-4), checklist=whole.hash)
    for verdict, at, run in (("fail", -3, "R"), ("pass", -2, "by hand"), ("pass", -1, "R")):
        seen = evidence(CACHE, verdict, hours(at), run)
        status = lifecycle.record_in(replace(status, revision=status.revision + 1), "cache", seen, NOW)
    found = status.of("cache").evidence
    assert found is not None
    assert found.run == "by hand"
    closed = lifecycle.close(status, run="R", started=hours(-4), at=NOW, checklist=whole.hash, by="Ann")
    assert decide(whole, closed, NOW).reasons == (
        "cache: the final check did not prove it: its proof is from another run",
    )
