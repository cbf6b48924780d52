"""A terminal in which not all has room: what one types and looks at is what is in sight."""

from pathlib import Path

import pytest

from tests.tui.conftest import CHECKLIST, open_desk


@pytest.mark.parametrize("size", [(40, 12), (20, 10)])
async def test_the_field_that_is_typed_in_is_in_sight_with_its_question(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with open_desk(tmp_path, size=size) as desk:
        await desk.press("w")
        for question, answer in (("acceptable", "abc"), ("which day", "def"), ("approves", "ghi")):
            await desk.see(question)
            await desk.type(answer)
            await desk.see(answer)
            await desk.press("tab")


async def test_what_is_wrong_with_an_answer_stands_above_its_field(tmp_path: Path) -> None:
    async with open_desk(tmp_path, size=(30, 12)) as desk:
        await desk.press("w", "enter")
        await desk.see("an answer is")
        await desk.type("xyz")
        await desk.see("xyz")


async def test_an_item_opens_where_its_cursor_is(tmp_path: Path) -> None:
    # Until it is opened the pane has no size here.
    notes = 'steps = ["Grow it"]\nnotes = ["' + "Something to know. " * 30 + '"]'
    long = CHECKLIST.replace('steps = ["Grow it", "Look [again]"]', notes)
    async with open_desk(tmp_path, long, size=(40, 12)) as desk:
        await desk.press("enter")
        await desk.see("[ ] Grow it")
