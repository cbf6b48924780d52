from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from textual.app import App

from checklist import glyphs
from checklist.reports.status_report import ItemReport
from checklist.reports.trend import Point, Trend
from tests.checklist.making import NOW, claim, hours, item
from tests.tui.conftest import Desk, open_desk, screen_text, wait_for
from tests.tui.showing import check, found, shown
from tui.screens.evidence import EvidenceScreen
from tui.screens.help import Help
from tui.widgets.pane import Pane

FULL = check("memory", "fail", observed=91, unit="%", limit=80, message="Memory at 91 %.", hint="Grow it.")
WELL = check("clients", observed=12, limit=100, message="12 clients.")
WORD = check("policy", observed="lru", message="The policy is lru.")
ABOUT = item(repair="grow --by 2G")
REPORT = shown(found(WORD, WELL, FULL), ABOUT)
TREND = {"memory": tuple(Point(hours(-5 + n), value) for n, value in enumerate((40, 95, 91)))}


@pytest.fixture(autouse=True)
def _same_glyphs() -> Iterator[None]:
    glyphs.choose(unicode=True)
    yield
    glyphs.choose(unicode=True)


class OneScreen(App[None]):
    """A console that shows one line of evidence."""

    def __init__(
        self, report: ItemReport = REPORT, name: str = "memory", trends: dict[str, Trend] = TREND
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self.whole = EvidenceScreen(report, name, trends, by="Bob", now=NOW)

    def on_mount(self) -> None:
        self.push_screen(self.whole)

    @property
    def text(self) -> str:
        return screen_text(self)

    async def see(self, words: str) -> None:
        await wait_for(lambda: words in self.text, f"{words!r} on the screen:\n{self.text}")


async def test_everything_about_a_line_of_evidence_is_told() -> None:
    app = OneScreen()
    async with app.run_test(size=(100, 40)):
        for words in (
            "cache · 1/3",
            "cache is well",
            "✗ fail  memory",
            "91 % / 80 %  11 % above the limit",
            "━" * 42 + "✗" + "━━━━━",
            "→ Grow it.",
            "$ grow --by 2G",
            "Memory at 91 %.",
            "▁█▇  over the last 3 runs",
            "first 40 % (5 h ago), last 91 %, least 40 %, most 95 %",
            "test-async, run by Bob, 60 min ago, 2025-06-27 11:00:00 +0000",
            "took 250 ms",
            "run-1",
        ):
            await app.see(words)


async def test_the_other_lines_of_evidence_are_a_key_away_around_the_end() -> None:
    app = OneScreen()
    async with app.run_test(size=(100, 40)) as pilot:
        for key, name in (("n", "policy"), ("right", "clients"), ("l", "memory"), ("p", "clients")):
            await pilot.press(key)
            await app.see(f"  {name} ")
        assert "88 below the limit" in app.text
        await pilot.press("p")
        await app.see("The policy is lru.")
        assert "Trend" not in app.text


async def test_what_is_shown_is_sent_to_the_clipboard() -> None:
    app = OneScreen()
    async with app.run_test(size=(100, 40), notifications=True) as pilot:
        await pilot.press("y")
        await app.see("Sent to the clipboard of the terminal.")
        assert app.clipboard == "✗ cache: memory  91 % (limit 80 %)  Memory at 91 %.\n  → Grow it.\n"


async def test_long_output_wraps_and_scrolls_to_its_end() -> None:
    words = "\n".join(f"line {number} [/" for number in range(300)) + " " + "길다 " * 40 + "the end"
    long = check("log", "fail", message=words)
    app = OneScreen(shown(found(long)), "log")
    async with app.run_test(size=(60, 20)) as pilot:
        await app.see("line 9 [/")
        await pilot.press("end")
        await app.see("the end")
        await pilot.press("home", "j", "down", "k", "pagedown")
        await app.see("line 20 [/")


async def test_it_follows_what_the_probe_finds_while_it_is_open() -> None:
    app = OneScreen()
    async with app.run_test(size=(100, 40)):
        better = check("memory", observed=40, unit="%", limit=80)
        app.whole.show(shown(found(WORD, better)), now=NOW)
        await app.see("✓ pass  memory")
        assert "cache · 2/2" in app.text
        assert "Grow it." not in app.text
        app.whole.show(shown(found(WORD)), now=NOW)
        await app.see("The newest run did not find “memory”.")
        assert "pass: seen" in app.text
        app.whole.show(shown(found(WORD, FULL)), now=NOW)
        await app.see("✗ fail  memory")
        app.whole.show(replace(shown(), id="another"), now=NOW)
        assert "✗ fail  memory" in app.text


async def test_what_is_shown_again_unchanged_is_not_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    app = OneScreen()
    async with app.run_test(size=(100, 40)) as pilot:
        await app.see("60 min ago")
        drawn: list[int] = []
        real = Pane.render_line
        monkeypatch.setattr(Pane, "render_line", lambda pane, y: drawn.append(y) or real(pane, y))
        app.whole.show(REPORT, TREND, by="Bob", now=NOW)
        await pilot.pause()
        assert drawn == []
        app.whole.show(REPORT, TREND, by="Bob", now=hours(1))
        await pilot.pause()
        assert len(set(drawn)) == 2
        await app.see("2 h ago")


async def test_nothing_is_advised_again_that_may_be_done_already() -> None:
    app = OneScreen(shown(found(WELL, FULL), ABOUT, claim=claim(NOW)))
    async with app.run_test(size=(100, 40)):
        await app.see("✗ fail  memory")
        assert "$ grow" not in app.text


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("size", [(10, 4), (20, 10), (80, 24), (200, 60)])
async def test_any_size_and_any_script_fits(size: tuple[int, int], *, unicode: bool) -> None:
    glyphs.choose(unicode=unicode)
    line = check(
        "메모리 [/", "fail", observed="값" * 90, message="메모리가 부족합니다. " * 50, hint="늘린다 " * 30
    )
    app = OneScreen(shown(found(line, FULL)), "메모리 [/")
    async with app.run_test(size=size) as pilot:
        await pilot.press("n", "end", "home", "n", "end")
        assert all(cell_len(line) == size[0] for line in app.text.splitlines())


async def test_the_board_opens_it_on_the_line_under_the_cursor_and_esc_comes_back(desk: Desk) -> None:
    desk.verdict("cache", "fail")
    await desk.press("r")
    await desk.see("cache: fails")
    await desk.press("enter", "enter")
    await desk.see("cache · 1/1")
    await desk.see("✗ fail  said")
    await desk.press("y")
    assert "cache: said  1 (limit 2)" in desk.app.clipboard
    for key in ("escape", "q", "left", "h"):
        await desk.press(key)
        await desk.see("NO-GO")
        await desk.press("enter")
        await desk.see("cache · 1/1")


async def test_the_board_lets_it_follow_a_run(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.verdict("cache", "fail")
        await desk.press("r")
        await desk.see("cache: fails")
        await desk.press("enter", "enter")
        await desk.see("✗ fail  said")
        desk.verdict("cache", "pass")
        await desk.session.run("cache")
        await desk.see("✓ pass  said")


async def test_it_follows_a_run_behind_help_too(desk: Desk) -> None:
    await desk.press("r")
    await desk.state("cache", "verified")
    await desk.press("enter", "enter")
    await wait_for(lambda: isinstance(desk.app.screen, EvidenceScreen), "the line is whole")
    await desk.press("question_mark")
    await wait_for(lambda: isinstance(desk.app.screen, Help), "help is in front of it")
    desk.verdict("cache", "fail")
    await desk.session.run("cache")
    await desk.press("escape")
    await desk.see("fail")
    assert isinstance(desk.app.screen, EvidenceScreen)
