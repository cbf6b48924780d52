"""The top of the board: the verdict, the worst reason, and the next thing to do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from textual.app import App, ComposeResult

from checklist.definition import Item
from checklist.reports.status_report import StatusReport, build
from checklist.status import Evidence, Facts, Status
from tests.checklist.making import (
    NOW,
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
from tests.tui.conftest import screen_text, wait_for
from tui.advice import next_step
from tui.widgets.verdict import VerdictLine


class Top(App[None]):
    """Nothing but the verdict."""

    def compose(self) -> ComposeResult:
        yield VerdictLine()


@asynccontextmanager
async def top(
    report: StatusReport, size: tuple[int, int] = (80, 24), **how: bool
) -> AsyncIterator[tuple[Top, Any]]:
    app = Top()
    async with app.run_test(size=size) as pilot:
        app.query_one(VerdictLine).show(report, **how)
        await pilot.pause()
        yield app, pilot


def report(*items: Item, **facts: Facts) -> StatusReport:
    whole = checklist(*items)
    return build(whole, bound(Status(items=dict(facts)), whole), NOW)


def hinting(of: Item, hint: str, verdict: str = "fail") -> Evidence:
    found = evidence(of, verdict)
    return replace(found, outcome=replace(found.outcome, hint=hint))


def step(found: StatusReport) -> str:
    return next_step(found, lambda binding: f"<{binding}>")


def test_what_fails_is_repaired_as_its_probe_advises() -> None:
    found = report(item("a"), item("b"), a=Facts(evidence=hinting(item("a"), "Raise\nmaxmemory.")))
    assert step(found) == "Raise maxmemory.  (<run> on it runs its probe)"


def test_a_command_that_repairs_it_stands_before_what_its_probe_advises() -> None:
    broken = item("a", repair="systemctl restart a")
    found = report(broken, a=Facts(evidence=hinting(broken, "Restart it, or look in its log.")))
    assert step(found) == "$ systemctl restart a  (<run> on it runs its probe)"


def test_what_fails_without_advice_is_repaired_by_the_command_of_its_item() -> None:
    broken = item("a", repair="systemctl restart a")
    found = report(broken, a=Facts(evidence=evidence(broken, "warn")))
    assert step(found) == "$ systemctl restart a  (<run> on it runs its probe)"
    plain = item("a")
    assert step(report(plain, a=Facts(evidence=evidence(plain, "unknown")))).startswith(
        "Repair it; then <run>"
    )


def test_advice_from_before_a_claim_is_not_given_again() -> None:
    facts = Facts(claim=claim(at=NOW), evidence=hinting(item("a"), "Raise it."))
    assert step(report(item("a"), a=facts)) == "<run> on it runs its probe: only that proves it."
    facts = Facts(reopening=reopening(at=NOW), evidence=hinting(item("a"), "Raise it."))
    assert "<run>" in step(report(item("a"), a=facts))


def test_a_claim_that_its_probe_could_not_judge_is_advised_what_the_probe_says() -> None:
    of = item("a")
    facts = Facts(claim=claim(at=hours(-2)), evidence=evidence(of, "unknown", at=hours(-1)))
    doubted = replace(facts.evidence, outcome=replace(facts.evidence.outcome, hint="Set REDIS_URL."))
    found = report(of, a=replace(facts, evidence=doubted))
    assert found.items[0].state == "resolved"
    assert step(found) == "Set REDIS_URL.  (<run> on it runs its probe)"


def test_when_all_is_claimed_and_nothing_proven_it_is_plain_what_comes_next() -> None:
    found = report(*map(item, "abc"), **{name: Facts(claim=claim()) for name in "abc"})
    assert found.gate.reasons[0] == "a: resolved by Ann, not proven: its probe has not run since"
    assert (
        step(found)
        == "<run-open> runs all that is not green; then <final-check>, the final check, can make GO."
    )


def test_one_item_that_wants_a_run_is_run_alone() -> None:
    fine = Facts(evidence=evidence(item("a")))
    old = Facts(evidence=evidence(item("b"), at=hours(-30)))
    assert step(report(item("a"), item("b"), a=fine, b=old)).startswith("<run> on it runs its probe")


def test_a_manual_item_is_attested() -> None:
    assert step(report(manual())) == "<mark> on it attests it, once it is so."


def test_when_all_is_green_the_final_check_comes_next() -> None:
    of = item("a")
    assert step(report(of, a=Facts(evidence=evidence(of)))).startswith("<final-check> runs the final check")
    whole = checklist(of)
    elsewhere = Facts(evidence=evidence(of, run="another"), last_pass=NOW)
    found = build(whole, sealed(replace(proven(whole), items={"a": elsewhere})), NOW)
    assert found.gate.reasons[0].startswith("a: the final check did not prove it")
    assert step(found).startswith("<final-check>")


def test_a_blocker_that_waits_for_an_advisory_item_says_for_which() -> None:
    found = report(item("light", severity="advisory"), item("a", after=("light",)))
    assert step(found) == "See to light first."


def test_a_checklist_that_holds_nothing_is_edited() -> None:
    assert step(report()).startswith("<edit> edits the checklist")


async def test_the_verdict_comes_first_then_the_worst_reason_then_what_to_do() -> None:
    items = [item("a"), item("b"), item("c")]
    facts = {"b": Facts(evidence=hinting(items[1], "Look there.")), "c": Facts(claim=claim())}
    async with top(report(*items, **facts)) as (app, _):
        what, why, how = screen_text(app).splitlines()[:3]
        assert "0 of 3 green" in what
        assert "Test · 1.0 · production" in what
        assert why.startswith("  NO-GO   b: fails: seen  and 3 more")
        assert "→ Look there." in how


async def test_go_shows_on_what_it_rests() -> None:
    whole = checklist(item("a"), manual(), item("b"), item("light", severity="advisory"))
    status = proven(whole)
    spared = replace(status.of("b"), evidence=evidence(item("b"), "fail"), waiver=waiver(days(2)))
    status = status.having("b", spared).having("light", Facts())
    status = bound(status, whole)
    ended = replace(status.final_check, revision=status.revision, by="Ann")
    status = sealed(replace(status, final_check=ended))
    found = build(whole, status, NOW)
    assert found.gate.go, found.gate.reasons
    async with top(found, (90, 24)) as (app, _):
        text = screen_text(app)
        assert "   GO     Nothing holds it: 1 verified, 1 attested, 1 waived." in text
        assert "3 of 4 green · 1 waived until 2025-06-29" in text
        assert "1 advisory item is not green. Final check of 2025-06-2" in text
        assert "by Ann." in text
        assert "NO-GO" not in text


@pytest.mark.parametrize("size", [(20, 10), (40, 12), (59, 10), (60, 10), (80, 24), (200, 60)])
async def test_at_every_size_there_is_a_verdict_and_a_reason(size: tuple[int, int]) -> None:
    found = report(item("a", title="가" * 90), a=Facts(evidence=hinting(item("a"), "[/ 여기를 보세요 " * 20)))
    async with top(found, size) as (app, _):
        lines = screen_text(app).splitlines()
        shown = [line for line in lines if line.strip()]
        assert any("NO-GO" in line for line in shown)
        assert any("a: fails" in line for line in shown)
        assert len(shown) <= max(2, size[1] // 4)
        assert {cell_len(line) for line in lines} == {size[0]}


async def test_a_resize_fits_the_words_anew() -> None:
    found = report(*(item(f"item-{number}") for number in range(4)))
    async with top(found, (120, 24)) as (app, pilot):
        assert "item-0: its probe has never run  and 4 more" in screen_text(app)
        await pilot.resize_terminal(30, 24)
        await wait_for(lambda: screen_text(app).startswith(" NO-GO  0 of 4 green"), "it is narrow")
        await wait_for(lambda: "item-0: its probe has never r…" in screen_text(app), "it fits")


async def test_what_no_key_of_the_board_mends_is_given_no_key() -> None:
    found = report(item("a"))
    held = replace(found, gate=found.gate.held_by("not everything is saved: no room"))
    async with top(held, helpless=True) as (app, _):
        assert "not everything is saved: no room" in screen_text(app)
        assert "→" not in screen_text(app)


async def test_the_keys_are_those_that_the_operator_has_given() -> None:
    async with top(report(manual())) as (app, _):
        assert "→ space on it attests it" in screen_text(app)
        app.set_keymap({"mark": "ctrl+t,t"})
        app.query_one(VerdictLine).show(report(manual()))
        await wait_for(lambda: "→ ctrl+t on it attests it" in screen_text(app), "the key is the new one")


async def test_a_verdict_that_changes_is_never_cut() -> None:
    whole = checklist(item("a"))
    go, held = build(whole, proven(whole), NOW), report(item("a"))
    async with top(go) as (app, _):
        for found in (held, go, held):
            app.query_one(VerdictLine).show(found)
            await wait_for(lambda found=found: found.gate.verdict in screen_text(app).split(), "it is whole")
            assert app.query_one("#verdict").region.width == 9
