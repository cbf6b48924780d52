from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from checklist.definition import Checklist
from checklist.glyphs import UNICODE
from checklist.lifecycle import State
from checklist.reports import readiness, status_report, text
from checklist.status import Claim, Facts, Status
from probes.outcome import Check, Figure, Outcome, Reason, Verdict, unknown
from tests.checklist.making import (
    NOW,
    RUN,
    attestation,
    bound,
    checklist,
    claim,
    days,
    evidence,
    final,
    item,
    manual,
    outcome,
    proven,
    reopening,
    sealed,
    waiver,
)

CACHE = item("cache", steps=("Tune it", "Grow it"), due=days(-2), section="House", owner="Ann")
LIST = checklist(CACHE, item("notes", severity="advisory"), manual("sign-off", section="Release"))


def build(status: Status, whole: Checklist = LIST) -> status_report.StatusReport:
    return status_report.build(whole, status, NOW)


def record(status: Status) -> readiness.ReadinessCheck:
    return readiness.build(build(status), run="run-1", final=True, time=NOW)


def test_a_report_says_of_each_item_what_is_known() -> None:
    facts = Facts(claim=claim(on=days(0)), evidence=evidence(CACHE, "fail"), steps=("Grow it",))
    found = build(proven(LIST).having("cache", facts)).items[0]
    assert (found.id, found.section, found.owner, found.due) == ("cache", "House", "Ann", days(-2))
    assert (found.state, found.probe, found.severity) == (State.REOPENED, "test-async", "blocker")
    assert [(step.text, step.done) for step in found.steps] == [("Tune it", False), ("Grow it", True)]
    assert (found.overdue, found.days_late, found.claim) == (True, 2, claim(on=days(0)))
    assert (found.evidence, found.run) == (evidence(CACHE, "fail").outcome, RUN)
    linked = checklist(item("host"), item("cache", after=("host",), links=("https://example.com/",)))
    found = build(Status(), linked).items[1]
    assert (found.after, found.links) == (("host",), ("https://example.com/",))


@pytest.mark.parametrize(
    ("due", "facts", "left"),
    [(2, {}, 2), (0, {}, 0), (-1, {}, None), (None, {}, None), (-1, {"claim": claim(on=days(-3))}, None)],
)
def test_days_are_left_until_the_day_is_past(
    due: int | None, facts: dict[str, Any], left: int | None
) -> None:
    only = item(due=None if due is None else days(due))
    known = Status(items={only.id: Facts(**facts)})
    (found,) = status_report.build(checklist(only), known, NOW).items
    assert found.days_left == left


def test_a_report_of_an_item_that_never_ran_names_no_run() -> None:
    assert [found.run for found in build(Status()).items] == [None] * len(LIST.items)


# The readiness check

DEGRADED = Facts(evidence=evidence(LIST.by_id["notes"], "warn"))
WAIVED = Facts(waiver=waiver(days(3)), evidence=evidence(CACHE, "fail"))


@pytest.mark.parametrize(
    ("status", "health"),
    [
        (proven(LIST), "pass"),
        (sealed(proven(LIST).having("notes", DEGRADED)), "warn"),
        (sealed(bound(proven(LIST).having("cache", WAIVED), LIST)), "warn"),
        (proven(LIST).having("cache", Facts()), "fail"),
        (Status(), "fail"),
    ],
    ids=["proven", "advisory item degraded", "waived", "open", "nothing known"],
)
def test_health_of_a_readiness_check(status: Status, health: str) -> None:
    assert record(status).status == health


def test_each_line_of_evidence_is_a_check_of_health_json() -> None:
    whole = msgspec.json.decode(status_report.encode(record(proven(LIST))))
    assert (whole["releaseId"], whole["description"], whole["run"]) == ("1.0", "Test", "run-1")
    assert whole["checks"]["cache:said"] == [
        {
            "componentId": "cache",
            "componentType": "test-async",
            "status": "pass",
            "time": "2025-06-27T11:00:00Z",
            "observedValue": 1.5,
            "observedUnit": "s",
            "limit": 2,
            "output": "seen",
        }
    ]
    assert set(whole["checks"]) == {"cache:said", "notes:said"}


def test_what_could_not_be_looked_at_is_not_missing_from_the_checks_of_health_json() -> None:
    found = unknown(Reason.REFUSED, "Nobody answers.", "Start it.")
    facts = Facts(evidence=replace(evidence(LIST.by_id["cache"]), outcome=found))
    ((line,),) = [record(Status(items={"cache": facts})).checks["cache"]]
    assert (line.status, line.component_id) == ("unknown", "cache")
    assert line.output == "Nobody answers. Start it."


def test_no_colon_but_ours_is_in_the_name_of_a_check_of_health_json() -> None:
    known = evidence(LIST.by_id["cache"])
    checks = tuple(replace(known.outcome.checks[0], name=name) for name in ("port a:1", "port a 1"))
    facts = Facts(evidence=replace(known, outcome=replace(known.outcome, checks=checks)))
    assert len(record(Status(items={"cache": facts})).checks["cache:port a 1"]) == 2


# Text


def test_the_text_names_verdict_reasons_sections_items_and_counts() -> None:
    facts = Facts(claim=claim(on=days(0)), waiver=waiver(days(-1)), reopening=reopening())
    status = proven(LIST).having("cache", facts)
    lines = text.status(build(status), NOW).splitlines()
    assert lines[0] == "NO-GO  Test · 1.0 · production"
    held = "  cache: resolved by Ann, not proven: its probe has not run since"
    assert f"{held}; its waiver does not hold: the item was reopened since" in lines
    assert lines.index("House") < lines.index("General") < lines.index("Release")
    said = [line.strip() for line in lines]
    for words in (
        "○ cache     resolved   cache is well",
        "resolved by Ann on 2025-06-27: fixed it",
        "waived by Bob until 2025-06-26: next week (does not hold: the item was reopened since)",
        "reopened by Cleo: seen it fail",
        "due 2025-06-25, 2 days late",
        "✓ notes     verified   notes is well",
        "● sign-off  attested   sign-off is well",
        "attested by Ann: seen it",
        "pass, 60 min ago: seen",
        "3 items: 1 verified, 1 attested, 1 resolved, 1 late",
    ):
        assert words in said


def test_the_text_of_a_go_says_go_and_keeps_waivers_in_sight() -> None:
    assert text.status(build(proven(LIST)), NOW).startswith("GO  Test")
    status = sealed(bound(proven(LIST).having("cache", WAIVED), LIST))
    assert text.status(build(status), NOW).startswith("GO, 1 waived until 2025-06-30  Test")


def test_an_empty_checklist_has_a_text_too() -> None:
    whole = checklist()
    said = text.status(build(Status(final_check=final(whole)), whole), NOW)
    assert said.startswith("NO-GO")
    assert said.endswith("0 items: none verified\n")


def test_every_state_and_verdict_has_a_glyph_of_its_own() -> None:
    assert set(UNICODE.states) == set(State)
    assert len(set(UNICODE.states.values())) == len(State)
    assert set(UNICODE.verdicts) == set(Verdict)
    assert len(set(UNICODE.verdicts.values())) == len(Verdict)


def test_an_outcome_is_told_line_by_line() -> None:
    assert text.outcome(outcome("unknown", summary="no answer")) == (
        "? test-async: unknown (timeout): no answer\n  ? said  1.5 s (limit 2 s)  no answer\n"
    )
    assert text.outcome(Outcome(probe="p", verdict=Verdict.FAIL, summary="gone")) == "✗ p: fail: gone\n"
    assert text.outcome(Outcome(probe="p", verdict=Verdict.WARN, summary="hot"), "id") == "! id: warn: hot\n"
    assert text.check_line(Check(name="n", verdict=Verdict.PASS, observed="on")) == "n  on"
    assert text.check_line(Check(name="n", verdict=Verdict.PASS, limit=3)) == "n"


@pytest.mark.parametrize("end", ["\n", "\r\n", "\u2028", "\x85"], ids=ascii)
def test_text_from_outside_cannot_pass_for_lines_of_ours(end: str) -> None:
    forged = f"seen{end}  ✓ other  verified"
    lines = text.outcome(outcome("fail", summary=forged)).split("\n")
    assert (len(lines), lines[0]) == (3, "✗ test-async: fail: seen   ✓ other  verified")
    facts = Facts(claim=Claim(by=forged, on=days(0), action=forged, at=NOW), waiver=waiver())
    whole = checklist(item("cache", title=forged, section=forged))
    plain_facts = Facts(claim=claim(), waiver=waiver())
    plain = text.status(build(Status(items={"cache": plain_facts}), checklist(item("cache"))), NOW)
    said = text.status(build(Status(items={"cache": facts}), whole), NOW)
    assert len(said.splitlines()) == len(plain.splitlines())


def test_what_a_run_found_is_told_by_item_and_nothing_of_other_runs() -> None:
    whole = checklist(item("cache"), item("jobs", after=("cache",)), manual("sign-off"))
    known = {name: Facts(evidence=evidence(whole.by_id[name])) for name in ("cache", "jobs")}
    items = build(Status(items=known), whole).items
    said = text.checked(items, RUN).splitlines()
    assert said[0] == "✓ cache: pass: seen"
    assert said[2] == "✓ jobs: pass: seen"
    assert said[4] == "□ sign-off: open: manual, so there is nothing to run"
    assert text.checked(items, "another") == (
        "✓ cache: not run\n✓ jobs: not run\n□ sign-off: open: manual, so there is nothing to run\n"
    )


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0, "B", "0 B"),
        (1023, "B", "1023 B"),
        (1024, "B", "1.0 KiB"),
        (2 * 1024**2, "B", "2.0 MiB"),
        (1536 * 1024**3, "B", "1.5 TiB"),
        (-2048, "B", "-2.0 KiB"),
        (12.345, "%", "12.35 %"),
        (12.0, "ms", "12 ms"),
        (1234567, None, "1,234,567"),
        (100, "%", "100 %"),
        (True, None, "True"),
        ("allkeys-lru", None, "allkeys-lru"),
    ],
)
def test_a_figure_has_its_unit_and_no_more_digits_than_mean_something(
    value: Figure, unit: str | None, said: str
) -> None:
    assert text.figure(value, unit) == said


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(days=-2), "dated in the future"),
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 min ago"),
        (timedelta(minutes=119), "119 min ago"),
        (timedelta(hours=2), "2 h ago"),
        (timedelta(hours=47), "47 h ago"),
        (timedelta(days=2), "2 d ago"),
        (timedelta(days=400), "400 d ago"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(age: timedelta, said: str) -> None:
    assert text.ago(age.total_seconds()) == said


def test_the_attested_item_of_these_tests_is_attested() -> None:
    facts = Facts(attestation=attestation(LIST.by_id["sign-off"]))
    assert build(Status(items={"sign-off": facts})).items[2].state is State.ATTESTED


def test_an_item_waits_only_for_what_is_not_green() -> None:
    whole = checklist(item("cache"), item("queue"), item("jobs", after=("cache", "queue")))
    known = {"cache": Facts(evidence=evidence(whole.by_id["cache"]))}
    report = build(Status(items=known), whole)
    assert report.items[2].waits_for == ("queue",)
    assert "jobs: waits for queue" in report.gate.reasons
    assert "□ queue: not run\n· jobs: not run: waits for queue\n" in text.checked(report.items, "another")


def test_a_waiver_that_does_not_hold_says_why() -> None:
    word = replace(waiver(days(-1)), item=item("cache").hash)
    report = build(Status(items={"cache": Facts(waiver=word)}), checklist(item("cache")))
    assert report.items[0].waiver_void == "its last day is past"
    assert "waived by Bob until 2025-06-26: next week (does not hold: its last day is past)" in text.status(
        report, NOW
    )


def test_advice_is_given_while_what_was_found_is_wrong_and_nothing_else_comes_first() -> None:
    linked = checklist(item("host"), item("cache", after=("host",), repair="restart it"))
    late = linked.items[1]

    def advised(**facts: Any) -> list[str]:
        known = proven(linked).having("cache", Facts(**facts))
        return text.advice(build(known, linked).items[1])

    assert advised(evidence=evidence(late, "warn")) == ["→ restart it"]
    assert advised(evidence=evidence(late)) == []
    assert advised(evidence=evidence(late, "fail"), claim=claim(at=NOW)) == []
    failing = proven(linked).having("host", Facts(evidence=evidence(linked.items[0], "fail")))
    waiting = failing.having("cache", Facts(evidence=evidence(late, "fail")))
    assert build(waiting, linked).items[1].state is State.INHIBITED
    assert text.advice(build(waiting, linked).items[1]) == []
