"""What lies over something else is drawn whole: a wide letter is never cut where something ends below it."""

from pathlib import Path

import pytest
from textual.widgets._toast import Toast

from tests.tui.conftest import open_desk

WORDS = "가나다라마바사 아자차카타파하 " * 4


@pytest.mark.parametrize("width", [60, 79, 80, 81, 82, 100, 121])
async def test_a_message_in_wide_letters_loses_none_of_them(tmp_path: Path, width: int) -> None:
    async with open_desk(tmp_path, size=(width, 30)) as desk:
        desk.app.notify(WORDS)
        await desk.see("가나다라")
        region = desk.app.screen.query_one(Toast).region
        lines = desk.text.splitlines()[region.y : region.bottom]
        shown = "".join(letter for line in lines for letter in line if letter in WORDS and letter != " ")
        assert shown == WORDS.replace(" ", "")
