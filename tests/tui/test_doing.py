"""What can be done on the board, what cannot, and how it is told."""

from pathlib import Path

import pytest

from tests.tui.conftest import CHECKLIST, Desk, open_desk, wait_for
from tui import endings, keys, possible
from tui.messages import Announced
from tui.ordering import Order
from tui.settings import Settings
from tui.widgets.banner import Banner
from tui.widgets.detail import Detail
from tui.widgets.item_list import ItemList

SLOW = CHECKLIST.replace('do = "read"\nfile = "slow.verdict"', 'do = "sleep"\ntimeout = "10m"')


async def test_a_read_only_console_shows_everything_and_changes_nothing(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        desk.session.readonly = True
        await desk.press("r")
        await desk.hear("read-only")
        for key in "rRFxowue":
            await desk.press(key)
        await desk.press("space")
        await desk.pilot.pause()
        await desk.press("enter", "space", "escape")
        assert len(desk.app.screen_stack) == 2
        assert desk.session.status.revision == 0
        assert not (tmp_path / "checklist.status.toml").exists()


async def test_in_a_read_only_console_one_moves_looks_and_leaves_as_in_any(tmp_path: Path) -> None:
    async with open_desk(tmp_path, readonly=True) as desk:
        listed = desk.app.screen.query_one(ItemList)
        await desk.press("j")
        assert listed.highlighted == "slow"
        await desk.press("G", "tab", "enter")
        await wait_for(lambda: desk.app.screen.query_one(Detail).has_focus, "the item is open")
        await desk.press("j", "escape")
        await wait_for(lambda: listed.has_focus, "it is left")
        await desk.press("slash", "s", "escape", "s")
        await wait_for(lambda: listed.order is Order.PRESSING, "another order")
        await desk.press("question_mark")
        await desk.see("The item under the cursor")
        await desk.press("escape", "colon")
        await desk.see("What is to be done?")
        await desk.press("escape", "q")
        await wait_for(lambda: desk.app._exit, "it ends")
        assert not desk.said


def test_every_action_of_the_board_that_is_no_look_is_refused_where_nothing_may_be_changed() -> None:
    assert {one.action for one in keys.BOARD} - possible.CHANGES == {"copy", "filter", "sort"}
    assert possible.CHANGES - {one.action for one in keys.BOARD} == {"tick"}


async def test_a_read_only_console_says_so_all_the_time(tmp_path: Path) -> None:
    async with open_desk(tmp_path, readonly=True) as desk:
        assert "Read-only" in str(desk.app.screen.query_one(Banner).content)
        # Nor is a key advised that would be refused.
        assert "runs all that is not green" not in desk.text


@pytest.mark.parametrize(
    ("pressed", "why"),
    [
        (["x"], "Nothing is running."),
        (["u"], "There is no mark of this session to take back."),
        (["G", "r"], "manual is manual: it has no probe; space attests it."),
        (["y"], "cache has no evidence yet."),
    ],
)
async def test_a_key_that_does_nothing_says_why(desk: Desk, pressed: list[str], why: str) -> None:
    await desk.press(*pressed)
    await desk.hear(why)


async def test_the_footer_calls_the_mark_what_it_is_for_the_item(desk: Desk) -> None:
    await desk.see("Resolve")
    await desk.press("G")
    await desk.see("Attest")
    assert "Resolve" not in desk.text


async def test_run_open_tells_how_many_are_left(desk: Desk) -> None:
    desk.verdict("cache", "fail")
    await desk.press("R")
    await desk.hear("2 items hold the gate.")


async def test_a_run_that_took_long_tells_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endings, "LONG", 0.0)
    async with open_desk(tmp_path) as desk:
        desk.verdict("cache", "fail")
        await desk.press("r", "j")
        await desk.hear("cache: fail")


async def test_the_progress_of_a_check_names_what_has_failed_so_far(tmp_path: Path) -> None:
    async with open_desk(tmp_path, SLOW) as desk:
        desk.verdict("cache", "fail")
        await desk.press("F")
        await desk.see("Final check 1/2")
        await desk.see("✗ cache")
        await desk.see("slow 0 s")
        await desk.press("x")


async def test_two_ends_in_the_same_words_are_both_told(desk: Desk) -> None:
    for item in ("cache", "slow"):
        desk.app.screen.post_message(Announced(f"{item}: unknown", "It timed out.", "error"))
    await desk.hear("cache: unknown")
    await desk.hear("slow: unknown")


async def test_what_says_a_key_says_the_one_that_was_chosen(tmp_path: Path) -> None:
    keys_ = {"cancel": "f9", "run": "n", "mark": "f5", "undo": "Z", "final-check": "f6", "edit": "E"}
    async with open_desk(tmp_path, SLOW, settings=Settings(keys=keys_)) as desk:
        await desk.press("f6")
        await desk.see("Final check 1/2")
        await desk.press("f6")
        await desk.hear("A check is running already; f9 stops it.")
        await desk.press("j", "n")
        await desk.hear("slow is running already; f9 stops it.")
        await desk.press("f9", "k", "f9")
        await desk.hear("it does not count. f6 goes on with it.")
        await desk.press("G", "n")
        await desk.hear("it has no probe; f5 attests it.")
        await desk.press("k", "f5")
        await desk.see("This is a claim; n then runs")
        await desk.press("escape", "o")
        await desk.see("Z takes it")
        await desk.press("escape")
        desk.session.place.checklist.write_text("not toml")
        await desk.see("E opens the file")


def test_every_key_of_the_board_is_known_to_change_something_or_to_look_only() -> None:
    actions = {binding.action for binding in keys.BOARD}
    assert actions - possible.CHANGES == {"filter", "sort", "copy"}
    assert possible.CHANGES - actions == {"tick"}
