"""The filter, in the console: what is typed narrows the list, and no letter of it is a command."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.tui.conftest import CHECKLIST, Desk, open_desk, wait_for
from tests.tui.terminal import Terminal
from tui.screens.board import Board
from tui.widgets.filter import Filter
from tui.widgets.item_list import ItemList

GONOGO = str(Path(sys.executable).parent / "gonogo")


@pytest.fixture
async def wide(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, size=(110, 30)) as desk:
        yield desk


def shown(desk: Desk) -> list[str]:
    return list(desk.app.screen.query_one(ItemList)._numbers)


async def test_the_list_narrows_with_every_letter_and_widens_when_one_is_taken_back(wide: Desk) -> None:
    assert not wide.app.screen.query_one(Filter).display
    await wide.press("slash", "c", "a")
    await wait_for(lambda: shown(wide) == ["cache"], "only the cache is shown")
    await wide.see("/ca")
    await wide.see("1 of 2 shown")
    await wide.press("backspace", "backspace")
    await wait_for(lambda: len(shown(wide)) == 3, "all are shown")


async def test_what_is_kept_stays_in_sight_until_it_is_cleared_from_the_list(wide: Desk) -> None:
    await wide.press("slash", *"slow", "enter")
    await wait_for(lambda: wide.app.screen.query_one(ItemList).has_focus, "the list has the focus")
    await wide.see("/slow")
    await wide.see("esc shows all")
    await wide.press("r")
    await wide.state("slow", "verified")
    await wide.see("/slow")
    await wide.press("escape")
    await wait_for(lambda: len(shown(wide)) == 3, "all are shown")
    await wide.see_not("/slow")
    assert wide.app.screen.query_one(ItemList).highlighted == "slow"


async def test_a_filter_that_holds_is_gone_on_with(wide: Desk) -> None:
    await wide.press("slash", *"al", "down")
    await wait_for(lambda: wide.app.screen.query_one(ItemList).has_focus, "the list has the focus")
    await wide.press("slash", "l")
    await wide.see("/all")


async def test_escape_while_typing_shows_all_again_and_goes_to_the_list(wide: Desk) -> None:
    await wide.press("slash", *"slow")
    await wait_for(lambda: shown(wide) == ["slow"], "it is filtered")
    await wide.press("escape")
    await wait_for(lambda: len(shown(wide)) == 3, "all are shown")
    await wait_for(lambda: wide.app.screen.query_one(ItemList).has_focus, "the list has the focus")
    assert not wide.app.screen.query_one(Filter).display
    assert isinstance(wide.app.screen, Board)


async def test_a_filter_without_words_leaves_no_trace(wide: Desk) -> None:
    for key in ("enter", "down", "escape"):
        await wide.press("slash", key)
        await wait_for(lambda: wide.app.screen.query_one(ItemList).has_focus, "the list has the focus")
        await wait_for(lambda: not wide.app.screen.query_one(Filter).display, "the filter is gone")


async def test_every_letter_and_a_slash_are_letters_of_the_filter(wide: Desk) -> None:
    letters = "rRFxouwsyemqgGjkhl?:/"
    await wide.press("slash", *letters)
    field = wide.app.screen.query_one(Input)
    await wait_for(lambda: field.value == letters, "all of it is typed")
    assert isinstance(wide.app.screen, Board)
    assert not wide.session.running
    assert wide.session.status.revision == 0


async def test_the_footer_names_only_keys_that_are_not_typed(wide: Desk) -> None:
    await wide.press("slash")
    await wide.see("esc Clear f1 Help")
    await wide.press("f1")
    await wide.see("The item under the cursor")


async def test_a_key_that_the_operator_gave_to_the_filter_is_a_letter_in_it(wide: Desk) -> None:
    wide.app.set_keymap({"filter": "f"})
    await wide.press("f", *"fff")
    await wait_for(lambda: wide.app.screen.query_one(Input).value == "fff", "it is typed")


async def test_no_markup_in_the_words_is_obeyed(wide: Desk) -> None:
    await wide.press("slash", *"[/")
    await wide.see('No item has "[/"')


def test_the_filter_is_one_line_of_ascii_where_nothing_else_is_shown(tmp_path: Path) -> None:
    (tmp_path / "checklist.toml").write_text(CHECKLIST.replace("릴리스 노트를 읽었다", "Notes are read"))
    environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C", "HOME": str(tmp_path)}
    with Terminal([GONOGO], tmp_path, environment, (80, 24)) as terminal:
        terminal.see("Infrastructure")
        terminal.press("/cache")
        terminal.see("/cache ")
        terminal.see("1 of 2 shown - 0/2 -+")
        assert terminal.text.isascii()


@pytest.mark.parametrize("typed", ["/Rlow", "/r", "/Fx/"])
def test_what_is_typed_or_pasted_at_once_is_not_taken_for_commands(tmp_path: Path, typed: str) -> None:
    (tmp_path / "checklist.toml").write_text(CHECKLIST)
    environment = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "HOME": str(tmp_path)}
    with Terminal([GONOGO], tmp_path, environment, (100, 30)) as terminal:
        terminal.see("Infrastructure")
        terminal.see("Help")
        terminal.press(typed)
        terminal.see(typed + " ")
    assert not (tmp_path / "checklist.status.toml").exists()


async def test_a_filter_that_nothing_has_says_so_once_and_no_item_is_shown(wide: Desk) -> None:
    await wide.press("slash", *"nowhere")
    await wide.see('No item has "nowhere"')
    assert "The checklist has no items" not in wide.text
    assert "Steps" not in wide.text
