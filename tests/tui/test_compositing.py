"""What lies over something else is drawn whole: a wide letter is never cut where something ends below it."""

from pathlib import Path

import pyte
import pytest
from textual.widgets._toast import Toast

from tests.tui.conftest import Desk, open_desk
from tui.screens.board import Board
from tui.widgets.item_list import ItemList

WORDS = "가나다라마바사 아자차카타파하 " * 4


def unbroken(text: str) -> str:
    """Only the letters of the message, in order."""
    return "".join(letter for letter in text if letter in WORDS and letter != " ")


def toast(desk: Desk, lines: list[str]) -> str:
    """What stands where the message is."""
    region = desk.app.screen.query_one(Toast).region
    return unbroken("".join(lines[region.y : region.bottom]))


@pytest.mark.parametrize("width", [79, 80, 81, 82])
async def test_a_message_over_two_panes_loses_no_letter(tmp_path: Path, width: int) -> None:
    async with open_desk(tmp_path, size=(width, 24)) as desk:
        desk.app.notify(WORDS)
        await desk.see("가나다라")
        assert toast(desk, desk.text.splitlines()) == WORDS.replace(" ", "")


@pytest.mark.parametrize("width", [79, 80, 81, 82])
async def test_it_loses_none_when_only_what_is_below_it_is_drawn_anew(tmp_path: Path, width: int) -> None:
    async with open_desk(tmp_path, size=(width, 24)) as desk:
        desk.app.notify(WORDS)
        await desk.see("가나다라")
        assert isinstance(desk.app.screen, Board)
        compositor, items = desk.app.screen._compositor, desk.app.screen.query_one(ItemList)
        terminal = pyte.Screen(width, 24)
        stream = pyte.Stream(terminal)
        stream.feed(compositor.render_full_update().render_segments(desk.app.console).replace("\n", "\r\n"))
        items.refresh()
        compositor.update_widgets({items})
        partial = compositor.render_partial_update()
        assert partial is not None
        stream.feed(partial.render_segments(desk.app.console).replace("\n", ""))
        assert toast(desk, list(terminal.display)) == WORDS.replace(" ", "")
