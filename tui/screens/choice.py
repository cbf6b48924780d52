"""Asks which of a few ways to go. Leaving it goes none."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from tui.words import outside


class Choice(ModalScreen[str | None]):
    """Ways to go in a small window; dismissed with the key of the one that was chosen, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", tooltip="Go back; nothing is done", id="choice-cancel"),
        Binding("j", "next", "Down", show=False, id="choice-down"),
        Binding("k", "previous", "Up", show=False, id="choice-up"),
    ]
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
            yield OptionList(*(Option(Content(words), id=key) for key, words in self._ways))
            yield Label(Content("enter chooses   esc goes back"), classes="hint")

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
