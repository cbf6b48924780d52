"""Wires a session to the screens."""

import asyncio
import functools
import signal
from collections.abc import Iterable, Mapping
from typing import ClassVar

from textual.actions import ActionParseResult
from textual.app import App, SystemCommand
from textual.binding import BindingType
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

from checklist.events import Event
from checklist.session import Session
from tui import keys
from tui.messages import SessionEvent
from tui.page import Page
from tui.screens.board import Board


class Console(App[None]):
    """The console on one session."""

    TITLE = "gonogo"
    CSS = """
    .window {
        width: 76;
        max-width: 95%;
        height: auto;
        max-height: 95%;
        border: round $primary;
        background: $surface;
        padding: 0 1;
        scrollbar-size-vertical: 1;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = list(keys.CONSOLE)
    ENABLE_COMMAND_PALETTE = True

    def __init__(self, session: Session) -> None:
        """Show a session; whoever opened it closes it."""
        super().__init__()
        # Movement on screen costs bytes over ssh and tells an operator nothing.
        self.animation_level = "none"
        self._session = session
        self._board = Board(session)

    def on_mount(self) -> None:
        """Open the board and have every event of the session told to it."""
        self.push_screen(self._board)
        self._session.listen(self._tell)

    def _tell(self, event: Event) -> None:
        if self._board.is_attached:
            self._board.post_message(SessionEvent(event))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer in the palette what the keys do, before what Textual brings."""
        for binding in (*keys.BOARD, *keys.CONSOLE):
            if screen is self._board or binding in keys.CONSOLE:
                run = functools.partial(self.run_action, binding.action, self._board)
                yield SystemCommand(binding.description, binding.tooltip, run)
        yield from super().get_system_commands(screen)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Do what a key asks for, or say why it cannot be done now."""
        node = default_namespace or self
        page = node.screen if isinstance(node, Widget) else self.screen
        if isinstance(page, Page) and isinstance(action, str) and page.refuses(action, node):
            return True
        return await super().run_action(action, default_namespace, namespaces)

    def action_help(self) -> None:
        """Show what every key does."""
        from tui.screens.help import Help

        self.push_screen(Help())


def open_console(session: Session) -> int:
    """Run the console until the operator leaves, then end everything that runs.

    Returns:
        The exit code: 0, that of a crash, or 128 plus the number of the signal that ended it.
    """

    async def whole() -> int:
        app = Console(session)
        # Unhandled, they would end the program with the terminal still in the state of a full-screen program.
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            end = functools.partial(app.exit, return_code=128 + number)
            asyncio.get_running_loop().add_signal_handler(number, end)
        try:
            await app.run_async()
        finally:
            # The terminal is the operator's again already; only now may anything take time.
            await session.close()
        return app.return_code or 0

    return asyncio.run(whole())
