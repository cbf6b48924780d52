import gettext
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets._footer import FooterKey

from checklist import language
from tests.conftest import REPOSITORY
from tests.tui.conftest import Desk, open_desk, wait_for
from tui import keymap, keys
from tui.app import Console
from tui.page import Page
from tui.screens.board import Board
from tui.screens.choice import Choice
from tui.screens.help import Help
from tui.screens.prompt import Prompt
from tui.widgets.detail import Detail
from tui.widgets.item_list import ItemList
from tui.widgets.key_line import KeyLine

ALL = [binding for group in keys.GROUPS for binding in group.bindings]
SHOWN = (Console, Board, Choice, Help, Prompt, Detail, ItemList)


def test_every_binding_has_an_id_of_its_own_a_name_and_a_tooltip() -> None:
    assert [id_ for id_, times in Counter(one.id for one in ALL).items() if times > 1] == []
    for one in ALL:
        assert one.id
        assert one.description
        assert one.tooltip


@pytest.mark.parametrize("shown", SHOWN)
def test_every_key_of_the_console_stands_in_the_one_list(shown: type[Screen[object]]) -> None:
    for binding in shown.BINDINGS:
        assert isinstance(binding, Binding)
        assert binding in ALL


def test_no_key_of_a_place_is_dead_as_it_comes() -> None:
    for place in keys.PLACES:
        taken: dict[str, str] = {}
        for binding in place:
            for key in binding.key.split(","):
                taken.setdefault(key, str(binding.id))
        # An inner part may take a key from an outer one, which then has another or no meaning there.
        for binding in place:
            alive = [key for key in binding.key.split(",") if taken[key] == binding.id]
            assert alive or binding.id in {"mark", "palette"}, binding.id


def test_the_keys_as_they_come_are_ones_that_may_be_chosen() -> None:
    chosen, wrong = keymap.checked({str(one.id): one.key for one in ALL if one.id not in keymap.FIXED})
    assert wrong == {}
    assert {*chosen} == {str(one.id) for one in ALL} - {*keymap.FIXED}


def test_keys_can_be_swapped_and_a_key_that_is_free_by_then_can_be_had() -> None:
    swapped = {"run": "u", "undo": "r"}
    assert keymap.checked(swapped) == (swapped, {})
    freed = {"run": "q", "quit": "Q"}
    assert keymap.checked(freed) == (freed, {})


def test_what_gives_way_takes_along_what_rested_on_it() -> None:
    chosen, wrong = keymap.checked({"run": "x", "cancel": "F", "undo": "U"})
    assert chosen == {"undo": "U"}
    assert {*wrong} == {"run", "cancel"}


def test_esc_goes_back_whatever_else_was_chosen() -> None:
    assert keymap.checked({"back": "b"})[0] == {"back": "b,escape"}


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("question_mark", "?"),
        ("slash", "/"),
        ("escape", "esc"),
        ("ctrl+p", "ctrl+p"),
        ("R", "R"),
        ("space", "space"),
    ],
)
def test_a_key_is_written_as_people_write_it(key: str, written: str) -> None:
    assert keymap.written(key) == written


def test_a_key_can_be_chosen_as_it_is_written() -> None:
    keys_ = {str(one.id): one.key for one in ALL if one.id not in keymap.FIXED}
    written = {name: ",".join(map(keymap.written, key.split(","))) for name, key in keys_.items()}
    assert written["page-down"] == "pgdn,ctrl+d"
    assert keymap.checked(written) == (keys_, {})


def test_the_documentation_names_every_binding_with_its_keys() -> None:
    text = (REPOSITORY / "docs" / "console.md").read_text()
    for one in ALL:
        written = " ".join(map(keymap.written, one.key.split(",")))
        assert f"| `{one.id}` | `{written}` | {one.tooltip} |" in text


@pytest.fixture
def shouting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A language in which everything is loud."""

    class Loud(gettext.NullTranslations):
        def gettext(self, message: str) -> str:
            if not message:
                return "the head of the catalogue"
            return re.sub(
                r"\{\w+\}|[^{]+", lambda part: part[0] if part[0][0] == "{" else part[0].upper(), message
            )

    monkeypatch.setattr(language._Current, "catalogue", Loud())
    return iter(())


@pytest.mark.usefixtures("shouting")
async def test_footer_help_and_palette_speak_the_language_that_was_chosen(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.see("r RUN")
        await desk.press("question_mark")
        await desk.see("RUN EVERY PROBE IN ONE GO")
        assert "head of the catalogue" not in desk.text
        await desk.press("escape")
        await desk.press("colon")
        await desk.see("RUN THIS ITEM'S OWN PROBE AGAIN")
        # Whoever knows the English name finds it by that too.
        await desk.type("Theme")
        await desk.see("THEME")


class Guarded(Board):
    def why_not(self, action: str) -> str:
        return "There is nothing [/ to take back." if action == "undo" else ""

    def label(self, action: str) -> str:
        return "Attest" if action == "mark" else ""


@pytest.fixture
async def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr("tui.app.Board", Guarded)
    async with open_desk(tmp_path) as desk:
        yield desk


async def test_a_key_that_does_nothing_is_grey_and_says_why_when_it_is_pressed(guarded: Desk) -> None:
    page = guarded.app.screen
    assert isinstance(page, Page)
    assert not page.active_bindings["u"].enabled
    assert page.active_bindings["r"].enabled
    await guarded.press("u")
    await guarded.see("There is nothing [/ to take back.")


async def test_a_click_on_a_grey_key_says_why(guarded: Desk) -> None:
    undo = next(one for one in guarded.app.screen.query(FooterKey) if one.key == "u")
    await guarded.pilot.click(undo)
    await guarded.see("There is nothing [/ to take back.")


async def test_the_line_of_keys_stays_as_it_is_until_a_key_looks_otherwise(desk: Desk) -> None:
    await desk.see("space Resolve")
    line = desk.app.screen.query_one(KeyLine)
    keys_ = list(line.query(FooterKey))
    await desk.press("j", "k", "j")
    await desk.pilot.pause()
    assert list(line.query(FooterKey)) == keys_
    await desk.press("G")
    await desk.see("space Attest")
    run = next(one for one in line.query(FooterKey) if one.key == "r")
    assert run.has_class("-disabled")
    assert "manual is manual" in str(run.tooltip)
    await desk.press("g")
    await desk.see("space Resolve")


async def test_a_click_on_a_key_does_what_it_does(guarded: Desk) -> None:
    run = next(one for one in guarded.app.screen.query(FooterKey) if one.key == "r")
    await guarded.pilot.click(run)
    await guarded.state("cache", "verified")


async def test_the_palette_offers_what_cannot_be_done_and_says_why(guarded: Desk) -> None:
    await guarded.press("ctrl+p")
    await guarded.see("What is to be done?")
    await guarded.type("undo")
    await guarded.see("Take the last mark back")
    await guarded.press("enter")
    await guarded.see("There is nothing [/ to take back.")


async def test_a_key_is_called_what_it_does_to_what_is_under_the_cursor(guarded: Desk) -> None:
    await guarded.see("space Attest")
    assert "Resolve" not in guarded.text


async def test_a_key_that_is_pressed_again_and_again_says_it_once(guarded: Desk) -> None:
    await guarded.press(*["u"] * 5)
    await guarded.see("There is nothing")
    assert guarded.text.count("There is nothing") == 1


@pytest.mark.parametrize("opened", ["question_mark", "f1", "colon", "ctrl+p", "space", "o"])
async def test_esc_leaves_every_window_and_never_the_console(tmp_path: Path, opened: str) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.press(opened)
        await wait_for(lambda: not isinstance(desk.app.screen, Board), "a window is open")
        await desk.press("escape")
        await wait_for(lambda: isinstance(desk.app.screen, Board), "it is closed")
        await desk.press("escape", "escape", "escape")
        assert isinstance(desk.app.screen, Board)
        assert desk.app.is_running


async def test_q_leaves_from_the_board(desk: Desk) -> None:
    await desk.press("q")
    await wait_for(lambda: desk.app._exit, "it ends")


async def test_help_scrolls_by_every_habit(tmp_path: Path) -> None:
    async with open_desk(tmp_path, size=(60, 12)) as desk:
        await desk.press("question_mark")
        await desk.see("The item under the cursor")
        top = desk.text
        for down, up in (
            ("j", "k"),
            ("down", "up"),
            ("pagedown", "pageup"),
            ("ctrl+d", "ctrl+u"),
            ("G", "g"),
        ):
            await desk.press(down)
            assert desk.text != top
            await desk.press(up)
            assert desk.text == top
        await desk.press("end")
        await desk.see("config.toml")


@pytest.mark.parametrize("size", [(20, 10), (30, 8), (80, 24), (200, 60)])
async def test_help_fits_any_terminal(tmp_path: Path, size: tuple[int, int]) -> None:
    async with open_desk(tmp_path, size=size) as desk:
        await desk.press("question_mark")
        await desk.see("Verdicts" if size[1] > 50 else "space")
        assert max(len(line.rstrip()) for line in desk.text.splitlines()) <= size[0]
