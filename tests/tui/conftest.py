import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

from checklist.session import Session
from tui.app import Console
from tui.screens.board import Board
from tui.settings import Settings

CHECKLIST = """
[checklist]
title = "Release [/ night"
release = "2.0"
environment = "production"

[[items]]
id = "cache"
section = "Infrastructure"
title = "The cache is healthy"
owner = "Infrastructure team"
steps = ["Grow it", "Look [again]"]
[items.probe]
use = "test-blocking"
do = "read"
file = "cache.verdict"

[[items]]
id = "slow"
section = "Infrastructure"
title = "Something that takes long"
severity = "advisory"
[items.probe]
use = "test-blocking"
do = "read"
file = "slow.verdict"

[[items]]
id = "manual"
section = "Release"
title = "릴리스 노트를 읽었다"
due = 2020-01-01
"""


def screen_text(app: App[Any]) -> str:
    """What a person reads on the screen."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def wait_for(condition: Callable[[], object], what: str, seconds: float = 20) -> None:
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() > deadline:
            pytest.fail(f"never came true: {what}")
        await asyncio.sleep(0.02)


class Desk:
    """A console at work in a folder."""

    def __init__(self, folder: Path, session: Session, app: Console, pilot: Pilot[None]) -> None:
        self.folder = folder
        self.session = session
        self.app = app
        self.pilot = pilot

    @property
    def text(self) -> str:
        return screen_text(self.app)

    @property
    def said(self) -> str:
        """What the messages in the corner say, whole."""
        return "\n".join(f"{one.title}\n{one.message}" for one in self.app._notifications)

    async def hear(self, text: str) -> None:
        await wait_for(lambda: text in self.said, f"{text!r} was said: {self.said}")

    @property
    def checking(self) -> bool:
        """Whether the board shows a check that has not ended."""
        return any(isinstance(screen, Board) and screen._runs.check for screen in self.app.screen_stack)

    def verdict(self, item: str, verdict: str) -> None:
        """Let the probe of an item find something."""
        (self.folder / f"{item}.verdict").write_text(verdict)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        await self.pilot.press(*["space" if key == " " else key for key in text])

    async def see(self, text: str) -> None:
        await wait_for(lambda: text in self.text, f"{text!r} on the screen:\n{self.text}")

    async def see_not(self, text: str) -> None:
        await wait_for(lambda: text not in self.text, f"no {text!r} on the screen")

    async def state(self, item: str, state: str) -> None:
        await wait_for(lambda: self.session.states()[item] == state, f"{item} is {state}")


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test changes what the console keeps for the person who runs the tests."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / ".state"))


OpenDesk = Callable[..., Any]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as desk:
        yield desk


@asynccontextmanager
async def open_desk(
    folder: Path,
    checklist: str = CHECKLIST,
    size: tuple[int, int] = (100, 30),
    settings: Settings | None = None,
    *,
    readonly: bool = False,
) -> AsyncIterator[Desk]:
    path = folder / "checklist.toml"
    path.write_text(checklist)
    for item in ("cache", "slow"):
        (folder / f"{item}.verdict").write_text("pass")
    session = Session.open(path, operator="operator")
    session.readonly = readonly
    app = Console(session, settings)
    try:
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            yield Desk(folder, session, app, pilot)
    finally:
        await session.close()
