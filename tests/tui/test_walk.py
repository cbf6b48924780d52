"""A walk through the whole console: every key, every screen, any size of terminal, both sets of glyphs."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import pytest
from textual.binding import Binding

from tests.tui.picture import shoot
from tests.tui.scenes import Stage, on_stage
from tui import keys
from tui.screens.board import Board
from tui.widgets.item_list import ItemList

WAYS: dict[tuple[Binding, ...], tuple[str, ...]] = {
    keys.BOARD: (),
    keys.LIST: (),
    keys.FILTER: ("slash", "e"),
    keys.DETAIL: ("enter",),
    keys.EVIDENCE: ("enter", "enter"),
    keys.PROMPT: ("space",),
    keys.CHOICE: ("F",),
    keys.HELP: ("question_mark",),
    keys.CONSOLE: (),
}
"""What to press on the board to be where keys work."""

FIRST = {
    **dict.fromkeys(("up", "page-up", "first", "tick"), ("end",)),
    **dict.fromkeys(("stop-up", "detail-page-up", "detail-first"), ("end",)),
    **dict.fromkeys(("help-up", "help-page-up", "help-first"), ("end",)),
    "clear": ("slash", "e", "enter"),
    "evidence-up": ("down",),
    "choice-up": ("down",),
}
"""What to press before a key that would have nothing left to do, by the id of its binding."""

SMALL = (40, 12)
"""A size at which everything scrolls."""

LEAVING = {"q", "ctrl+q"}

TOUR = (
    *("j", "k", "tab", "shift+tab", "G", "g", "pagedown", "pageup"),
    *("question_mark", "down", "pagedown", "escape", "ctrl+p", "h", "down", "escape"),
    *("slash", "c", "a", "enter", "j", "escape", "slash", "z", "z", "escape", "s", "s", "s", "s"),
    *("space", "x", "tab", "enter", "escape", "w", "enter", "escape", "o", "y", "enter", "u"),
    *("r", "R", "F", "x", "F", "enter", "enter", "j", "j", "space", "space", "enter", "n", "p", "j", "y"),
    *("escape", "escape", "e", "m", "m", "y", "ctrl+c", "escape"),
)
"""Keys that lead through every screen."""


def seen(stage: Stage) -> object:
    """All that a person could notice."""
    app = stage.app
    return (
        shoot(app).lines,
        app.screen_stack[1:],
        app.screen.focused,
        app.clipboard,
        len(app._notifications),
        stage.session.status.revision,
    )


async def back(stage: Stage) -> None:
    """Go back to the first item of the board, by esc alone."""
    for _ in range(6):
        focused = stage.app.screen.focused
        if isinstance(stage.app.screen, Board) and isinstance(focused, ItemList):
            break
        await stage.press("escape")
    else:
        pytest.fail(f"esc does not lead back from {stage.app.screen}, {focused}")
    await stage.press("escape", "home")
    stage.app.clear_notifications()
    stage.app._said.clear()
    await stage.settle()


@contextmanager
def staying(stage: Stage) -> Iterator[list[str]]:
    """Let nothing end the console; tell how often it should have ended."""
    ended: list[str] = []

    def note(*_: object, **__: object) -> None:
        ended.append("ended")

    with mock.patch.object(stage.app, "exit", note):
        yield ended


@pytest.mark.parametrize("group", keys.GROUPS, ids=lambda group: group.title)
async def test_no_key_is_dead(group: keys.Group, tmp_path_factory: pytest.TempPathFactory) -> None:
    dead = []
    scene = "choice" if group.bindings is keys.CHOICE else "board-failed"
    async with on_stage(scene, "en", tmp_path_factory.getbasetemp(), SMALL) as stage:
        with staying(stage) as ended:
            for binding in group.bindings:
                for key in binding.key.split(","):
                    await back(stage)
                    for names in (WAYS[group.bindings], FIRST.get(binding.id or "", ())):
                        await stage.press(*names)
                        await stage.settle()
                    before = (seen(stage), len(ended))
                    await stage.press(key)
                    for number in range(5):
                        await stage.settle(thoroughly=number > 0)
                        if (seen(stage), len(ended)) != before:
                            break
                    else:
                        dead.append(f"{binding.id}: {key}")
    assert not dead


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("size", [(20, 10), (80, 24), (200, 60)], ids=str)
async def test_the_whole_console_works_at_any_size_while_it_changes(
    size: tuple[int, int], tmp_path_factory: pytest.TempPathFactory, *, unicode: bool
) -> None:
    sizes = [(10, 4), (60, 20), (119, 40), size]
    async with on_stage("board", "en", tmp_path_factory.getbasetemp(), size, unicode=unicode) as stage:
        for number, key in enumerate(TOUR):
            await stage.press(key)
            if number % 4 == 0:
                await stage.pilot.resize_terminal(*sizes[number // 4 % len(sizes)])
        await stage.pilot.resize_terminal(*size)
        await back(stage)
        shot = shoot(stage.app)
        assert shot.size == "x".join(map(str, size))
        assert "NO-GO" in "".join(shot.text)
        if not unicode:
            ours = "".join(shot.text)
            assert not set(ours) & set("╭╮╰╯─│━✓✗●○□≈◌…→▁▂▃▄▅▆▇█▌└")


@pytest.mark.parametrize("seed", range(3))
async def test_keys_pressed_at_random_break_nothing(
    seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    known = sorted(
        {key for group in keys.GROUPS for one in group.bindings for key in one.key.split(",")} - LEAVING
    )
    usual = ("enter", "escape", "space", "tab", "j", "k", "backspace", "a", "ctrl+w", "f5")
    chance = random.Random(seed)  # noqa: S311  # a walk that can be walked again
    size = chance.choice([SMALL, (80, 24), (130, 40)])
    pressed = [chance.choice(known if chance.random() < 0.6 else usual) for _ in range(100)]
    async with on_stage("board-failed", "en", tmp_path_factory.getbasetemp(), size) as stage:
        with staying(stage):
            for key in pressed:
                await stage.press(key)
                assert stage.app._exception is None, f"after {key} of {pressed}"
        await back(stage)
        assert "GO" in "".join(shoot(stage.app).text)
