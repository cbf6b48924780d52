"""The line of keys keeps what leads to all the others, however short it is and in either language."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from checklist import language
from tests.tui.conftest import Desk, open_desk, wait_for


@pytest.fixture(params=["en", "ko"])
def speech(request: pytest.FixtureRequest) -> Iterator[str]:
    language.choose(request.param, {})
    yield request.param
    language.choose("en", {})


def last(desk: Desk) -> str:
    return desk.text.splitlines()[-1]


@pytest.mark.parametrize("width", [24, 40, 60, 80, 100])
async def test_help_and_menu_are_in_sight_on_the_board_and_inside_an_item(
    tmp_path: Path, speech: str, width: int
) -> None:
    ends = {"en": "? Help : Menu", "ko": "? 도움말 : 메뉴"}[speech]
    async with open_desk(tmp_path, size=(width, 24)) as desk:
        await wait_for(lambda: last(desk).rstrip().endswith(ends), "help and menu")
        await desk.press("enter")
        await wait_for(lambda: last(desk).startswith("esc"), "the keys inside an item")
        assert last(desk).rstrip().endswith(ends)


async def test_there_are_more_keys_where_there_is_more_room(tmp_path: Path) -> None:
    async with open_desk(tmp_path, size=(40, 24)) as desk:
        await wait_for(lambda: last(desk).rstrip().endswith(": Menu"), "the keys")
        assert "Final check" not in last(desk)
        await desk.pilot.resize_terminal(100, 24)
        await wait_for(lambda: "Final check" in last(desk), "the keys that there is room for")
        assert "Stop" in last(desk)


async def test_what_does_nothing_now_makes_room_first(tmp_path: Path) -> None:
    async with open_desk(tmp_path, size=(72, 24)) as desk:
        await wait_for(lambda: last(desk).rstrip().endswith(": Menu"), "the keys")
        assert "Quit" in last(desk)
        assert "Undo" not in last(desk)


async def test_a_click_on_the_menu_offers_all_there_is_to_do(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await wait_for(lambda: ": Menu" in last(desk), "the menu")
        await desk.pilot.click(offset=(last(desk).index(": Menu") + 1, 29))
        await desk.see("What is to be done?")
