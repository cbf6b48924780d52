"""What the list says, at every width."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace
from rich.cells import cell_len

from checklist.glyphs import choose
from checklist.reports.status_report import StatusReport
from checklist.status import Facts
from tests.checklist.making import (
    NOW,
    attestation,
    claim,
    days,
    evidence,
    hours,
    item,
    manual,
    waiver,
)
from tests.tui.conftest import screen_text, wait_for
from tests.tui.stage import report, stage
from tui.ordering import Order
from tui.widgets.rows import SOON


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
