from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from checklist.definition import Checklist, Item
from checklist.gate import decide
from checklist.status import Facts, Status
from tests.checklist.making import (
    NOW,
    attestation,
    bound,
    checklist,
    claim,
    days,
    evidence,
    hours,
    item,
    manual,
    proven,
    reopening,
    sealed,
    waiver,
)

LIST = checklist(
    item("cache"),
    item("jobs", after=("cache",)),
    item("notes", severity="advisory"),
    manual("sign-off"),
)
GOOD = proven(LIST)


def with_(item_: str, **facts: object) -> Status:
    """Return the good status with other facts for one item."""
    return sealed(bound(GOOD.having(item_, replace(GOOD.of(item_), **facts)), LIST))


def with_final(**fields: object) -> Status:
    assert GOOD.final_check is not None
    return replace(GOOD, final_check=replace(GOOD.final_check, **fields))


def test_the_gate_opens_when_everything_is_proven_by_the_final_check() -> None:
    gate = decide(LIST, GOOD, NOW)
    assert (gate.verdict, gate.go, gate.reasons, gate.waived, gate.line) == ("GO", True, (), {}, "GO")


def test_the_gate_tells_which_item_each_of_its_reasons_is_about() -> None:
    gate = decide(LIST, with_("cache", evidence=evidence(LIST.by_id["cache"], "fail")), NOW)
    told = dict(zip(gate.about, gate.reasons, strict=True))
    assert told["cache"] == "cache: fails: seen"
    assert gate.held_by("not everything is saved: cache: no room").about == ("", *gate.about)


CACHE, SIGN = LIST.by_id["cache"], LIST.by_id["sign-off"]

# Each spoils the good case in one way: what changed, the clock, and what the reason must say.
SPOILT: dict[str, tuple[Checklist, Status, datetime, str]] = {
    "never run": (LIST, with_("cache", evidence=None), NOW, "cache: its probe has never run"),
    "failed": (LIST, with_("cache", evidence=evidence(CACHE, "fail")), NOW, "cache: fails: seen"),
    "degraded": (LIST, with_("cache", evidence=evidence(CACHE, "warn")), NOW, "cache: degraded: seen"),
    "could not tell": (
        LIST,
        with_("cache", evidence=evidence(CACHE, "unknown"), last_pass=None),
        NOW,
        "cache: could not tell: seen",
    ),
    "passed in another run": (
        LIST,
        with_("cache", evidence=evidence(CACHE, run="another")),
        NOW,
        "cache: the final check did not prove it: its proof is from another run",
    ),
    "passed in the future": (
        LIST,
        with_("cache", evidence=evidence(CACHE, at=hours(0.001))),
        NOW,
        "cache",
    ),
    "claimed since": (
        LIST,
        with_("cache", claim=claim(hours(-0.1))),
        NOW,
        "cache: resolved by Ann, not proven: its probe has not run since",
    ),
    "taken back since": (
        LIST,
        with_("cache", reopening=reopening(hours(-0.1))),
        NOW,
        "cache: reopened: seen it fail",
    ),
    "evidence too old": (LIST, GOOD, NOW + timedelta(hours=23, seconds=1), "cache: its proof is stale"),
    "evidence of another definition": (
        LIST,
        with_("cache", evidence=evidence(item("cache", title="other"))),
        NOW,
        "cache: its proof is stale",
    ),
    "inhibited": (LIST, with_("cache", evidence=None), NOW, "jobs: waits for cache"),
    "not attested": (LIST, with_("sign-off", attestation=None), NOW, "sign-off: nobody has attested it"),
    "attested, then edited": (
        LIST,
        with_("sign-off", attestation=attestation(manual("sign-off", title="other"))),
        NOW,
        "sign-off: its proof is stale",
    ),
    "manual item taken back": (
        LIST,
        with_("sign-off", attestation=None, reopening=reopening()),
        NOW,
        "sign-off: reopened: seen it fail",
    ),
    "waiver over": (
        LIST,
        with_("cache", evidence=evidence(CACHE, "fail"), waiver=waiver(days(-1))),
        NOW,
        "cache: fails",
    ),
    "waived, then edited": (
        LIST,
        with_("cache", evidence=None, waiver=replace(waiver(), item=item("cache", title="other").hash)),
        NOW,
        "cache: its probe has never run",
    ),
    "waived in the future": (
        LIST,
        with_("cache", evidence=evidence(CACHE, "fail"), waiver=waiver(at=hours(0.001))),
        NOW,
        "cache: fails",
    ),
    "attested in the future": (
        LIST,
        with_("sign-off", attestation=attestation(SIGN, hours(0.001))),
        NOW,
        "sign-off: its attestation is dated in the future",
    ),
    "no final check": (LIST, replace(GOOD, final_check=None), NOW, "no final check has run"),
    "changed since": (LIST, replace(GOOD, revision=8), NOW, "something changed after the final check"),
    "merged at the same revision": (
        LIST,
        GOOD.having("cache", replace(GOOD.of("cache"), steps=("one",))),
        NOW,
        "something changed after the final check",
    ),
    "older revision": (LIST, replace(GOOD, revision=6), NOW, "something changed after the final check"),
    "other checklist": (
        replace(LIST, release="2.0"),
        GOOD,
        NOW,
        "the checklist was edited after the final check",
    ),
    "an item more": (
        checklist(*LIST.items, item("more", severity="advisory")),
        GOOD,
        NOW,
        "the checklist was edited after the final check",
    ),
    "an item less": (checklist(*LIST.items[:3]), GOOD, NOW, "the checklist was edited"),
    "final check in the future": (
        LIST,
        with_final(finished_at=hours(0.001)),
        NOW,
        "the final check is dated in the future",
    ),
    "final check begins in the future": (
        LIST,
        with_final(started_at=hours(0.001)),
        NOW,
        "the final check is dated in the future",
    ),
    "final check of another run": (
        LIST,
        with_final(run="another"),
        NOW,
        "jobs: the final check did not prove it: its proof is from another run",
    ),
    "clock set back": (LIST, GOOD, hours(-0.75), "the final check is dated in the future"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_one_thing_amiss_closes_the_gate_and_is_named(case: str) -> None:
    whole, status, now, reason = SPOILT[case]
    gate = decide(whole, status, now)
    assert (gate.verdict, gate.go) == ("NO-GO", False)
    assert [text for text in gate.reasons if text.startswith(reason)]


@pytest.mark.parametrize("items", [(), (item("notes", severity="advisory"),)], ids=["none", "advisory only"])
def test_with_nothing_to_prove_there_is_no_go(items: tuple[Item, ...]) -> None:
    whole = checklist(*items)
    gate = decide(whole, proven(whole), NOW)
    assert not gate.go
    assert "nothing can be proven" in gate.reasons[0]


def test_nothing_recorded_at_all_is_no_go() -> None:
    gate = decide(LIST, Status(), NOW)
    assert gate.verdict == "NO-GO"
    assert gate.reasons[-1] == "no final check has run"
    assert len(gate.reasons) == 4


@pytest.mark.parametrize("facts", [Facts(), Facts(evidence=evidence(LIST.by_id["notes"], "fail"))])
def test_an_advisory_item_does_not_hold_the_gate(facts: Facts) -> None:
    gate = decide(LIST, sealed(GOOD.having("notes", facts)), NOW)
    assert (gate.go, gate.reasons, gate.waived) == (True, (), {})


def test_a_waived_item_opens_the_gate_and_stays_in_sight() -> None:
    facts = {"evidence": evidence(CACHE, "fail"), "waiver": waiver(days(10))}
    gate = decide(LIST, with_("cache", **facts), NOW)
    assert (gate.go, gate.waived) == (True, {"cache": days(10)})
    assert gate.line == "GO, 1 waived until 2025-07-07"
    status = with_("cache", **facts).having("sign-off", Facts(waiver=waiver(days(3))))
    status = sealed(bound(status, LIST))
    assert decide(LIST, status, NOW).line == "GO, 2 waived until 2025-06-30"
    assert decide(LIST, replace(status, final_check=None), NOW).line.startswith("NO-GO, 2 waived")


def test_a_waived_item_that_is_proven_all_the_same_is_not_counted_as_waived() -> None:
    assert decide(LIST, with_("cache", waiver=waiver(days(10))), NOW).line == "GO"


def test_a_go_passes_with_the_last_day_of_its_waiver() -> None:
    status = with_("cache", evidence=evidence(CACHE, "fail"), waiver=waiver(days(0)))
    assert decide(LIST, status, NOW.replace(hour=23, minute=59)).go
    gate = decide(LIST, status, NOW + timedelta(hours=12))
    assert (gate.go, gate.waived) == (False, {})


def test_the_heaviest_reason_comes_first() -> None:
    names = ("stale", "claimed", "open", "doubt", "warn", "fail")
    whole = checklist(*(item(name) for name in names), item("waits", after=("fail",)))
    of = whole.by_id
    facts = {
        "stale": Facts(evidence=evidence(of["stale"], at=hours(-30))),
        "claimed": Facts(claim=claim()),
        "doubt": Facts(evidence=evidence(of["doubt"], "unknown")),
        "warn": Facts(evidence=evidence(of["warn"], "warn")),
        "fail": Facts(evidence=evidence(of["fail"], "fail")),
    }
    reasons = decide(whole, Status(items=facts), NOW).reasons
    assert [reason.partition(":")[0] for reason in reasons] == [
        *("fail", "warn", "doubt", "open", "claimed", "stale", "waits"),
        "no final check has run",
    ]


def test_a_claim_whose_proof_could_not_tell_says_why() -> None:
    facts = Facts(claim=claim(), evidence=evidence(CACHE, "unknown"))
    gate = decide(LIST, GOOD.having("cache", facts), NOW)
    assert gate.reasons[0] == "cache: resolved by Ann, not proven: seen"


def test_a_failure_from_before_the_item_was_taken_back_is_not_its_reason() -> None:
    facts = Facts(reopening=reopening(hours(-1)), evidence=evidence(CACHE, "fail", hours(-2)))
    assert decide(LIST, GOOD.having("cache", facts), NOW).reasons[0] == "cache: reopened: seen it fail"
