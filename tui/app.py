"""Wires a session to the screens."""

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.notifications import SeverityLevel
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.theme import Theme
from textual.widget import Widget
from textual.widgets import Input

from checklist import glyphs
from checklist.events import Event
from checklist.language import gettext as _
from checklist.session import Session
from probes.clean import strip
from tui import keymap, keys, palette, settings, styles, terminal, words
from tui.messages import Announced, SessionEvent
from tui.page import Page
from tui.screens.board import Board
from tui.settings import Settings


class _AsciiScrollBar(ScrollBarRender):
    VERTICAL_BARS: ClassVar[list[str]] = [" "] * 8
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "] * 8


class Console(App[None], inherit_bindings=False):
    """The console on one session."""

    TITLE = "gonogo"
    CSS = styles.CSS + styles.ASCII + styles.NO_COLOR
    BINDINGS: ClassVar[list[BindingType]] = list(keys.CONSOLE)

    def __init__(self, session: Session, set_: Settings | None = None) -> None:
        """Show a session; whoever opened it closes it.

        Args:
            session: What is shown.
            set_: What the operator has set; nothing if it is not said.
        """
        # Else Textual makes greys of the colours that are not wanted.
        wanted = True if "NO_COLOR" in os.environ else None
        super().__init__(driver_class=terminal.Driver, ansi_color=wanted)
        # Movement on screen costs bytes over ssh and tells an operator nothing.
        self.animation_level = "none"
        self.settings = set_ or Settings()
        self._session = session
        self._board = Board(session)
        self._said: dict[tuple[str, str], float] = {}
        if self.settings.theme in self.available_themes and "TEXTUAL_THEME" not in os.environ:
            self.theme = self.settings.theme
        is_ascii = glyphs.glyphs() is glyphs.ASCII
        self.set_class(is_ascii, "-ascii")
        ScrollBar.renderer = _AsciiScrollBar if is_ascii else ScrollBarRender

    def on_mount(self) -> None:
        """Open the board and have every event of the session told to it."""
        self.set_keymap(self.settings.keys)
        self.push_screen(self._board)
        self._session.listen(self._tell)
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        if self.settings.troubles:
            lines = "\n".join(self.settings.troubles)
            self.notify(strip(lines), title=_("What does not count"), severity="warning", timeout=20)

    def _tell(self, event: Event) -> None:
        if self._board.is_attached:
            self._board.post_message(SessionEvent(event))

    def _keep_theme(self, theme: Theme) -> None:
        try:
            settings.keep_theme(theme.name)
        except OSError as error:
            why = _("The theme holds for now, and is not kept: {why}.").format(why=error.strerror)
            self.notify(why, severity="warning")

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,  # noqa: ARG002  # Textual asks with True what is never to be obeyed here
    ) -> None:
        """Notify the operator; what is on screen still is not said twice, however often a key is pressed."""
        message, title = strip(message), strip(title)
        moment, seconds = time.monotonic(), timeout or self.NOTIFICATION_TIMEOUT
        self._said = {said: end for said, end in self._said.items() if end > moment}
        if (title, message) not in self._said:
            self._said[title, message] = moment + seconds
            super().notify(message, title=title, severity=severity, timeout=seconds, markup=False)

    def on_announced(self, message: Announced) -> None:
        """Say it on screen, and to whoever looks elsewhere, as far as they asked for that."""
        self.notify(message.text, title=message.title, severity=message.severity)
        terminal.announce(self, self.settings, message.title, message.text)

    def get_key_display(self, binding: Binding) -> str:
        """Write a key as help does."""
        return binding.key_display or keymap.written(binding.key)

    async def run_action(
        self,
        action: str | tuple[str, str, tuple[Any, ...]],
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

    def action_command_palette(self) -> None:
        """Show what can be done, by name."""
        palette.choose_command(self)

    def action_how_to_quit(self) -> None:
        """Say how to leave. In a field with a selection this key copies it."""
        if isinstance(self.focused, Input) and self.focused.selected_text:
            self.focused.action_copy()
            return
        self.notify(_("ctrl+q leaves. Every mark is saved already; what runs is stopped."))

    def action_toggle_mouse(self) -> None:
        """Leave the mouse to the terminal, or take it back."""
        terminal.give_mouse(self, console=not terminal.has_mouse(self))
        if terminal.has_mouse(self):
            self.notify(_("The mouse is the console's again: click and scroll."))
        else:
            text = _("The mouse is the terminal's: select text with it. {key} takes it back.")
            self.notify(text.format(key=words.key_of(self, "mouse")))

    def action_suspend_process(self) -> None:
        """Go back to the shell, until it brings the console back."""
        if why := terminal.stop(self):
            self.notify(why, severity="warning")


def open_console(session: Session) -> int:
    """Run the console until the operator leaves, then end everything that runs.

    Returns:
        The exit code: 0, that of a crash, or 128 plus the number of the signal that ended it.
    """

    async def whole() -> int:
        set_ = settings.load()
        app = Console(session, set_)

        def end(number: int) -> None:
            # The key in an editor that the console has opened is meant for the editor.
            if number != signal.SIGINT or not terminal.is_away(app):
                app.exit(return_code=128 + number)

        # Unhandled, they would end the program with the terminal still in the state of a full-screen program.
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, end, number)
        try:
            await app.run_async(mouse=set_.mouse)
        finally:
            # The terminal is the operator's again already; only now may anything take time.
            await session.close()
        return app.return_code or 0

    return asyncio.run(whole())
