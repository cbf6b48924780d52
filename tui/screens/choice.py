"""Asks which of a few ways to go. Leaving it goes none."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from checklist.glyphs import glyphs
from checklist.language import gettext as _
from tui import keys
from tui.page import Window
from tui.words import outside


class Choice(Window[str | None]):
    """Ways to go in a small window; dismissed with the key of the one that was chosen, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.CHOICE)
    DEFAULT_CSS = """
    Choice {
        align: center middle;
        Label { width: 1fr; }
        .hint { color: $foreground-muted; }
        OptionList { height: auto; margin: 1 0; padding: 0; border: none; &:focus { border: none; } }
    }
    """

    def __init__(self, title: str, lead: str, ways: Sequence[tuple[str, str]]) -> None:
        """Offer ways, the usual one first.

        Args:
            title: What is about to be done.
            lead: What there is to know.
            ways: A key and a sentence for each.
        """
        super().__init__()
        self._title = title
        self._lead = lead
        self._ways = tuple(ways)

    def compose(self) -> ComposeResult:
        """A title, the ways, and the keys."""
        with Vertical(classes="window") as window:
            window.border_title = self._title
            yield Label(outside(self._lead))
            yield OptionList(*(Option("", id=key) for key, _words in self._ways))
            yield Label(Content(_("enter chooses   esc goes back")), classes="hint")

    @on(OptionList.OptionHighlighted)
    def mark(self, event: OptionList.OptionHighlighted) -> None:
        """Mark the way under the cursor, so that it is seen without colour too."""
        for index, (key, words) in enumerate(self._ways):
            mark = glyphs().cursor if index == event.option_index else " "
            event.option_list.replace_option_prompt(key, Content(f"{mark} {words}"))

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        """Go that way."""
        self.dismiss(event.option.id)

    def action_next(self) -> None:
        """Go to the next way."""
        self.query_one(OptionList).action_cursor_down()

    def action_previous(self) -> None:
        """Go to the way before."""
        self.query_one(OptionList).action_cursor_up()

    def action_cancel(self) -> None:
        """Go back."""
        self.dismiss(None)
