"""The list of items, on a stage of its own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from checklist.definition import Item
from checklist.glyphs import choose
from checklist.reports.status_report import StatusReport, build
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
    waiver,
)
from tests.tui.conftest import screen_text, wait_for
from tui.messages import Filtered, Highlighted, Opened
from tui.ordering import Order
from tui.widgets.item_list import ItemList
from tui.widgets.rows import SOON


class Stage(App[None]):
    """Nothing but the list."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        yield ItemList()

    @property
    def list(self) -> ItemList:
        return self.query_one(ItemList)

    def on_highlighted(self, message: Highlighted) -> None:
        self.heard.append(message.item)

    def on_opened(self, message: Opened) -> None:
        self.heard.append(f"open {message.item}")

    def on_filtered(self, message: Filtered) -> None:
        self.heard.append(f"filter {message.words}")

    def line(self, title: str) -> str:
        """The line that tells of an item."""
        return next(line for line in screen_text(self).splitlines() if title in line)


def report(*items: Item, **facts: Facts) -> StatusReport:
    whole = checklist(*items)
    return build(whole, bound(Status(items=dict(facts)), whole), NOW)


@asynccontextmanager
async def stage(found: StatusReport, size: tuple[int, int] = (60, 20)) -> AsyncIterator[tuple[Stage, Any]]:
    app = Stage()
    async with app.run_test(size=size) as pilot:
        app.list.show(found, NOW)
        app.list.focus()
        await pilot.pause()
        yield app, pilot


@pytest.fixture
def ascii_glyphs() -> Iterator[None]:
    choose(unicode=False)
    yield
    choose(unicode=True)


def all_states() -> StatusReport:
    items = {name: item(name) for name in ("proven", "old", "said", "back", "new")}
    sworn, spared = manual("sworn"), item("spared")
    facts = {
        "proven": Facts(evidence=evidence(items["proven"])),
        "old": Facts(evidence=evidence(items["old"], at=hours(-30))),
        "said": Facts(claim=claim()),
        "back": Facts(claim=claim(), evidence=evidence(items["back"], "fail")),
        "sworn": Facts(attestation=attestation(sworn)),
        "spared": Facts(waiver=waiver(days(3))),
    }
    return report(*items.values(), sworn, spared, item("later", after=("new",)), **facts)


async def test_each_state_has_its_own_glyph_and_its_word() -> None:
    async with stage(all_states()) as (app, _):
        for title, told in {
            "proven": "✓ verified",
            "old": "◌ stale r",
            "said": "○ resolved r",
            "back": "✗ reopened",
            "new": "□ open",
            "sworn": "● attested",
            "spared": "≈ waived",
            "later": "· inhibited",
        }.items():
            assert told in app.line(f"{title} is well"), title


async def test_verified_and_attested_differ_in_colour_too() -> None:
    async with stage(all_states()) as (app, _):
        colours = {app.list._style(state).color for state in ("verified", "attested", "resolved")}
        assert len(colours) == 3


async def test_only_an_item_that_a_run_can_prove_shows_the_key_of_a_run() -> None:
    gone = manual("sworn")
    stale = Facts(attestation=replace(attestation(gone), item="another"))
    async with stage(report(gone, item("said"), sworn=stale, said=Facts(claim=claim()))) as (app, _):
        assert "stale  " in app.line("sworn is well")
        assert "resolved r" in app.line("said is well")


async def test_the_mark_of_a_run_is_the_key_that_the_operator_has_given_it() -> None:
    async with stage(report(item("said"), said=Facts(claim=claim()))) as (app, _):
        app.set_keymap({"run": "p"})
        app.list.show(report(item("said"), said=Facts(claim=claim())), NOW)
        await wait_for(lambda: "resolved p" in screen_text(app), "the key is the new one")


def dated() -> StatusReport:
    green = item("green", due=days(-2))
    return report(
        item("late", due=days(-3)),
        item("ages", due=days(-800)),
        item("soon", due=days(SOON)),
        item("now", due=days(0)),
        item("then", due=days(SOON + 1)),
        item("never"),
        green,
        green=Facts(evidence=evidence(green)),
        never=Facts(evidence=evidence(item("never"), "fail", hours(-5))),
    )


@pytest.mark.parametrize("width", [44, 66, 110])
async def test_what_is_late_or_soon_due_is_marked_at_every_width(width: int) -> None:
    async with stage(dated(), (width, 14)) as (app, _):
        for title, told in {"late": "late 3d", "ages": "late 2y", "soon": "due 3d", "now": "today"}.items():
            assert told in app.line(f"{title} is well")
        for quiet in ("then", "green"):
            assert "late" not in app.line(f"{quiet} is well")
            assert "due" not in app.line(f"{quiet} is well")
        assert "✗ 5h" in " ".join(app.line("never is well").split())
        assert ("07-01" in app.line("then is well")) is (width > 44)


async def test_the_owner_has_a_column_where_there_is_room() -> None:
    found = report(item("a", owner="인프라 팀"))
    async with stage(found, (80, 6)) as (app, _):
        assert "인프라 팀" in app.line("a is well")
    async with stage(found, (60, 6)) as (app, _):
        assert "인프라 팀" not in screen_text(app)


async def test_an_advisory_item_looks_lighter_also_without_colour() -> None:
    async with stage(report(item("a", severity="advisory"), item("b"))) as (app, _):
        assert "(a is well)" in app.line("a is well")
        assert "(b" not in app.line("b is well")


async def test_a_panel_tells_what_is_green_and_how_many_hold_the_gate() -> None:
    rest = [item("b"), item("c"), item("d", section="Other")]
    facts = {name: Facts(evidence=evidence(item(name))) for name in "a"}
    facts["d"] = Facts(evidence=evidence(rest[-1]))
    for width, told in ((60, "2 hold the gate · 1/3"), (27, "2 hold · 1/3"), (18, "1/3")):
        async with stage(report(item("a"), *rest, **facts), (width, 12)) as (app, _):
            assert told in app.line("Gene")
            assert "hold" not in app.line("Other")
            assert "1/1" in app.line("Other")


async def test_the_panel_with_the_cursor_stands_out_without_colour() -> None:
    async with stage(report(item("a", section="One"), item("b", section="Two"))) as (app, pilot):
        assert app.line("One").startswith("┏━ One ━")
        assert app.line("Two").startswith("╭─ Two ─")
        await pilot.press("tab")
        assert app.line("One").startswith("╭─ One ─")
        assert app.line("Two").startswith("┏━ Two ━")
        assert app.line("b is well").startswith("┃▌")
        assert app.line("a is well").startswith("│ ")


@pytest.mark.usefixtures("ascii_glyphs")
async def test_with_ascii_glyphs_an_ascii_checklist_is_drawn_in_ascii() -> None:
    async with stage(all_states(), (44, 20)) as (app, _):
        assert screen_text(app).isascii()
        assert app.line("proven is well").startswith("H>+ verified")
        app.list.filter("no such")
        assert screen_text(app).isascii()


async def test_what_waits_stands_below_its_cause_or_says_what_it_waits_for() -> None:
    found = report(item("far", section="Other", after=("root",)), item("near", after=("root",)), item("root"))
    for width in (44, 66, 110):
        async with stage(found, (width, 12)) as (app, _):
            lines = screen_text(app).splitlines()
            root = next(number for number, line in enumerate(lines) if "root is well" in line)
            assert "└ near is well" in lines[root + 1]
            assert "waits for root" in app.line("far is")
            assert "waits for" not in lines[root + 1]


async def test_what_waits_for_something_with_a_long_name_points_to_it_where_there_is_little_room() -> None:
    cause = item("the-cache-of-sessions", title="The cause")
    async with stage(report(cause, item("far", section="Other", after=(cause.id,))), (44, 8)) as (app, _):
        assert "→ the-cache" in app.line("far is")


async def test_sorting_names_the_order_and_keeps_the_cursor_on_its_item() -> None:
    found = report(item("a", section="One", owner="Kim"), item("b", section="Two", due=days(1)))
    async with stage(found) as (app, pilot):
        assert app.list.order is Order.CHECKLIST
        await pilot.press("j")
        for order, title in (
            (Order.PRESSING, "Most pressing first"),
            (Order.DUE, "By the day it is due"),
            (Order.OWNER, "Owner: Kim"),
        ):
            app.list.sort(order)
            await wait_for(lambda title=title: title in screen_text(app), title)
            assert "One" not in screen_text(app)
            assert app.list.highlighted == "b"
            assert app.list.order is order
        app.list.sort(Order.CHECKLIST)
        await wait_for(lambda: "One" in screen_text(app), "the sections are back")


async def test_a_filter_keeps_the_cursor_on_its_item_and_counts_what_it_shows() -> None:
    found = report(*(item(name) for name in ("one", "two", "three")))
    async with stage(found) as (app, pilot):
        await pilot.press("j", "j")
        app.list.filter("t is")
        await wait_for(lambda: "2 of 3 shown" in screen_text(app) or "3 of 3" in screen_text(app), "counted")
        app.list.filter("three")
        await wait_for(lambda: "1 of 3 shown" in screen_text(app), "counted")
        assert app.list.highlighted == "three"
        app.list.filter("one")
        assert app.list.highlighted == "one"
        app.list.filter("")
        assert app.list.highlighted == "one"
        await wait_for(lambda: "shown" not in screen_text(app), "all are back")


async def test_a_filter_that_nothing_has_says_how_to_be_rid_of_it() -> None:
    async with stage(report(item("one"), item("two"))) as (app, pilot):
        await pilot.press("j")
        app.heard.clear()
        app.list.filter("[/ none")
        await wait_for(lambda: 'No item has "[/ none": esc shows all.' in screen_text(app), "it is said")
        assert app.list.highlighted is None
        await pilot.press("j", "G", "enter", "tab", "pageup", "escape")
        assert app.heard == ["", "filter "]
        app.list.filter("")
        assert app.list.highlighted == "two"


async def test_an_empty_checklist_says_what_to_do() -> None:
    async with stage(report()) as (app, _):
        assert "The checklist has no items: e edits it." in screen_text(app)


SIZES = [(3, 3), (10, 4), (20, 10), (44, 19), (66, 36), (110, 56)]


@pytest.mark.parametrize("size", SIZES)
async def test_every_line_is_as_wide_as_the_terminal_whatever_the_text(size: tuple[int, int]) -> None:
    odd = [
        "한국어 제목이 아주 길어서 다 들어가지 않는다",
        "nul\u200bwidth e\u0301 \u202e over",
        "가족 👨\u200d👩\u200d👧 과 ❤\ufe0f 마음",
        "tab\tand\nline",
        "[/] [b]bold[/b]",
        "\u1112\u1161\u11ab 자모",
    ]
    items = [
        item(f"i{n}", title=text, owner=text, section=text, due=days(n - 3)) for n, text in enumerate(odd)
    ]
    items.append(item("i9", after=("i0",), title=odd[0], section=odd[0], severity="advisory"))
    facts = {"i1": Facts(evidence=evidence(items[1], "unknown")), "i2": Facts(claim=claim())}
    async with stage(report(*items, **facts), size) as (app, pilot):
        for order in Order:
            app.list.sort(order)
            await pilot.press("j", "tab", "G", "g")
            lines = screen_text(app).splitlines()
            assert {cell_len(line) for line in lines} == {size[0]}


async def test_at_20_by_10_every_item_still_has_its_glyph_and_its_title() -> None:
    async with stage(all_states(), (20, 10)) as (app, pilot):
        assert app.line("proven is").startswith("┃▌✓ proven is well")
        await pilot.press("G")
        assert "┃▌≈ spared is well" in screen_text(app)


KOREAN = {
    "verified": "검증됨",
    "resolved": "해결됨",
    "open": "미해결",
    "stale": "오래됨",
    "inhibited": "대기",
}


async def test_columns_stand_straight_whatever_the_width_of_the_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tui.widgets.rows._", lambda text: KOREAN.get(text, text))
    for width in (44, 66, 110):
        async with stage(all_states(), (width, 20)) as (app, _):
            titled = [line for line in screen_text(app).splitlines() if "is well" in line and "└" not in line]
            starts = {cell_len(line.partition(" is well")[0].rpartition(" ")[0]) for line in titled}
            assert len(starts) == 1, titled
            assert "해결됨 r" in app.line("said is well")


async def test_a_run_shows_how_long_it_has_been_going_on_and_draws_only_its_own_line() -> None:
    async with stage(report(item("a"), item("b"))) as (app, pilot):
        await pilot.pause()
        drawn: list[int] = []
        draw = app.list.render_line
        app.list.render_line = lambda y: drawn.append(y) or draw(y)  # type: ignore[method-assign,func-returns-value]
        app.list.show_running({"b": 65.0}, 1)
        await wait_for(lambda: "⠙ 1 min 5 s" in app.line("b is well"), "it runs")
        assert set(drawn) <= {2}
        drawn.clear()
        app.list.show(report(item("a"), item("b")), NOW)
        await pilot.pause()
        assert not drawn
        app.list.show_running({}, 2)
        await wait_for(lambda: "□ open" in app.line("b is well"), "it has ended")


async def test_a_key_draws_no_more_than_what_it_changed() -> None:
    items = [item(f"i{number}", section=f"S{number // 5}") for number in range(2_000)]
    async with stage(report(*items), (60, 30)) as (app, pilot):
        await pilot.pause()
        drawn: list[int] = []
        draw = app.list.render_line
        app.list.render_line = lambda y: drawn.append(y) or draw(y)  # type: ignore[method-assign,func-returns-value]
        await pilot.press("j")
        await wait_for(lambda: "▌" in app.line("i1 is well"), "the cursor has moved")
        assert set(drawn) == {1, 2}


async def test_clicks_move_open_and_go_to_a_panel() -> None:
    found = report(item("a", section="One"), item("b", section="One"), item("c", section="Two"))
    async with stage(found) as (app, pilot):
        await pilot.click(ItemList, offset=(9, 2))
        assert app.list.highlighted == "b"
        await pilot.click(ItemList, offset=(9, 4))
        assert app.list.highlighted == "c"
        await pilot.click(ItemList, offset=(9, 0))
        assert app.list.highlighted == "a"
        await pilot.click(ItemList, offset=(9, 15))
        assert app.list.highlighted == "a"
        await pilot.click(ItemList, offset=(9, 5), times=2)
        await wait_for(lambda: "open c" in app.heard, "the item is opened")


async def scroll(pilot: Pilot[None], times: int) -> None:
    wheel = {"delta_x": 0, "delta_y": 1, "button": 0, "shift": False, "meta": False, "ctrl": False}
    for _ in range(times):
        pilot.app.post_message(events.MouseScrollDown(None, 5, 5, **wheel))
    await pilot.pause()


async def test_the_wheel_scrolls_and_the_next_key_brings_the_cursor_back() -> None:
    found = report(*(item(f"i{number}") for number in range(200)))
    async with stage(found) as (app, pilot):
        await scroll(pilot, 20)
        await wait_for(lambda: "i0 is well" not in screen_text(app), "it has scrolled")
        assert app.list.highlighted == "i0"
        app.list.show(found, NOW)
        assert "i0 is well" not in screen_text(app)
        await pilot.press("j")
        await wait_for(lambda: "▌" in app.line("i1 is well"), "the cursor is in sight")


async def test_the_cursor_stays_in_sight_when_the_terminal_or_the_list_changes() -> None:
    found = report(*(item(f"i{number}") for number in range(200)))
    async with stage(found, (60, 40)) as (app, pilot):
        await pilot.press("pagedown")
        here = f"{app.list.highlighted} is well"
        await pilot.resize_terminal(30, 8)
        await wait_for(lambda: here in screen_text(app), "it is in sight")
        app.list.filter(here.partition(" ")[0])
        await wait_for(lambda: "of 200" in screen_text(app), "it is filtered")
        app.list.filter("")
        await wait_for(lambda: "▌" in app.line(here), "it is in sight again")
