"""Every screen of the console, brought about by the keys an operator would press."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from types import SimpleNamespace
from typing import NamedTuple
from unittest import mock

from textual.events import Key
from textual.keys import _character_to_key
from textual.message import Message
from textual.notifications import Notify
from textual.pilot import Pilot
from textual.widgets import Input
from textual.worker import Worker, WorkerState

from checklist import glyphs, language
from checklist.session import Session
from tests.tui import night
from tests.tui.picture import Shot, shoot
from tui.app import Console

SIZES = ((80, 24), (120, 40), (20, 10))
THEMES = {"dark": "textual-dark", "light": "textual-light"}
"""What a theme is called in the files, and in Textual."""

PATIENCE = 20.0
"""Seconds until something that should happen has not happened."""


CHARACTERS = {"space": " ", "slash": "/", "colon": ":", "question_mark": "?"}
"""What keys type, by those names that are longer than it."""


class Stage(NamedTuple):
    """A console that is looked at."""

    session: Session
    clock: night.Clock
    probes: night.Probes
    app: Console
    pilot: Pilot[None]

    async def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait until something is so."""
        deadline = monotonic() + PATIENCE
        while not condition():
            assert monotonic() < deadline, f"never came true: {what}"
            await asyncio.sleep(0.01)

    async def press(self, *names: str) -> None:
        """Press keys, and have each of them handled before the next one, but not every drawing done."""
        for name in names:
            key = _character_to_key(name) if len(name) == 1 else name
            character = name if len(name) == 1 else CHARACTERS.get(name)
            self.app.post_message(Key(key, character))
            for _ in range(2):
                await self.pilot._wait_for_screen()

    async def settle(self, *, thoroughly: bool = True) -> None:
        """Wait until nothing moves any more: all is handled, and thoroughly, the processor is idle."""
        for _ in range(2):
            for field in self.app.screen.query(Input):
                field.cursor_blink = False
            await (self.pilot.pause() if thoroughly else self.pilot._wait_for_screen())
            await self.wait(lambda: all(w.is_finished for w in self.app.workers), "every worker has ended")
        await self.pilot._wait_for_screen()

    async def shoot(self, size: tuple[int, int], theme: str, *, thoroughly: bool = True) -> Shot:
        """Take the screen at a size, in a theme."""
        if tuple(self.app.size) != size:
            await self.pilot.resize_terminal(*size)
        if self.app.theme != theme:
            self.app.theme = theme
        await self.settle(thoroughly=thoroughly)
        return shoot(self.app)


Act = Callable[[Stage], Awaitable[object]]


class Scene(NamedTuple):
    """How to come to a screen.

    Attributes:
        night: How far the night has come when the console is opened.
        keys: What is pressed then.
        act: What happens after that.
        readonly: Whether the console may change nothing.
    """

    night: night.Night
    keys: tuple[str, ...] = ()
    act: Act | None = None
    readonly: bool = False


async def _run(stage: Stage) -> None:
    def shown() -> bool:
        return "35" in "".join(shoot(stage.app).text)

    assert not shown()
    await night.start_slow(stage.session, stage.clock, stage.probes)
    await stage.wait(shown, "a minute and 35 seconds are shown")


async def _break(stage: Stage) -> None:
    stage.session.place.checklist.write_text('[checklist]\ntitle = "Production readiness\n', encoding="utf-8")
    await stage.wait(lambda: stage.session.unread, "the broken edit is seen")


async def nothing(session: Session, _clock: night.Clock, _probes: night.Probes) -> None:
    """A checklist without items."""
    session.place.checklist.write_text('[checklist]\ntitle = "Nothing yet"\n', encoding="utf-8")


SCENES: Mapping[str, Scene] = {
    "board": Scene(night.begins),
    "board-failed": Scene(night.failed),
    "board-go": Scene(night.proven),
    "board-readonly": Scene(night.failed, readonly=True),
    "board-empty": Scene(nothing),
    "item": Scene(night.failed, ("enter", "j", "j")),
    "item-waived": Scene(night.begins, ("tab", "tab", "G", "k", "k", "k", "k")),
    "evidence": Scene(night.failed, ("enter", "enter")),
    "running": Scene(night.begins, ("tab", "tab"), _run),
    "prompt": Scene(night.begins, ("space",)),
    "prompt-error": Scene(night.begins, ("space", "enter")),
    "choice": Scene(night.stopped, ("F",)),
    "help": Scene(night.begins, ("question_mark",)),
    "filter": Scene(night.failed, ("slash", *"team")),
    "filter-kept": Scene(night.failed, ("slash", *"redis", "enter")),
    "sort": Scene(night.failed, ("s",)),
    "banner": Scene(night.begins, (), _break),
    "toast": Scene(night.begins, ("x",)),
    "palette": Scene(night.begins, ("ctrl+p",)),
}


@contextlib.asynccontextmanager
async def on_stage(
    name: str, speech: str, keep: Path, size: tuple[int, int] = SIZES[0], *, unicode: bool = True
) -> AsyncIterator[Stage]:
    """Open the console and bring it to a scene.

    Args:
        name: Which of `SCENES`.
        speech: The language.
        keep: A folder for what all scenes begin with.
        size: Columns and lines of the terminal.
        unicode: Whether it can show more than ASCII.
    """
    scene = SCENES[name]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        stack.enter_context(_at_home(folder, speech, unicode=unicode))
        stack.enter_context(night.numbered())
        await night.make(scene.night, Path(), keep)
        session, clock, probes = night.open_session(Path("checklist.toml"), night.TONIGHT)
        stack.enter_context(_standing(clock))
        session.readonly = scene.readonly
        app = Console(session)
        app.NOTIFICATION_TIMEOUT = 3600
        troubles: list[object] = []

        def watch(message: Message) -> None:
            # A worker that fails does not end the console, and one of its own bugs is only told.
            if isinstance(message, Worker.StateChanged) and message.state is WorkerState.ERROR:
                troubles.append(message.worker.error)
            elif isinstance(message, Notify) and "bug" in str(message.notification.message):
                troubles.append(message.notification.message)

        try:
            async with app.run_test(size=size, notifications=True, message_hook=watch) as pilot:
                stage = Stage(session, clock, probes, app, pilot)
                await stage.settle()
                await stage.press(*scene.keys)
                if scene.act:
                    await scene.act(stage)
                yield stage
            assert not troubles, troubles
        finally:
            await session.close()


def _standing(clock: night.Clock) -> contextlib.AbstractContextManager[object]:
    """Have what runs measured by the clock of the night."""
    return mock.patch("tui.runs.time", SimpleNamespace(monotonic=lambda: clock().timestamp()))


@contextlib.contextmanager
def _at_home(folder: Path, speech: str, *, unicode: bool) -> Iterator[None]:
    """Be in a folder, where nobody has set anything, with a language and glyphs."""
    settings = {
        # Help shows it: as it would be with anybody, and with nothing in it.
        "XDG_CONFIG_HOME": "/home/operator/.config",
        "XDG_STATE_HOME": str(folder / ".state"),
        "HOME": str(folder),
        "EDITOR": "true",
    }
    gone = ("NO_COLOR", "TEXTUAL_THEME", "TMUX", "VISUAL")
    before = (language.current(), glyphs.glyphs())
    with contextlib.chdir(folder), mock.patch.dict(os.environ, settings):
        for name in gone:
            os.environ.pop(name, None)
        language.choose(speech, {})
        # A spinner of one frame is the same whenever it is looked at.
        still = glyphs.UNICODE._replace(spinner=glyphs.UNICODE.spinner[0])
        glyphs._Current.glyphs = still if unicode else glyphs.ASCII
        try:
            yield
        finally:
            language.choose(before[0], {})
            glyphs._Current.glyphs = before[1]
