"""The filter of the list: one line to type words in, which stays in sight as long as it holds."""

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Input, Static

from checklist.language import gettext as _
from tui import keys
from tui.messages import Filtered, FilterLeft
from tui.words import key_of


class Filter(Horizontal):
    """One line, there only while words are typed or hold. With every letter it says what the words are."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.FILTER)
    DEFAULT_CSS = """
    Filter {
        display: none;
        height: 1;
        background: $surface;
        .filter--slash { width: 1; text-style: bold; color: $text-primary; }
        .filter--how { width: auto; padding: 0 1; color: $foreground-muted; }
        Input { width: 1fr; background: $surface; text-style: bold; }
    }
    """

    def compose(self) -> ComposeResult:
        """A slash, the words, and how to be rid of them."""
        yield Static("/", classes="filter--slash")
        # A blinking cursor would send bytes all night.
        words = Input(compact=True, select_on_focus=False)
        words.cursor_blink = False
        yield words
        yield Static(classes="filter--how")

    @property
    def words(self) -> str:
        """The words as they are typed."""
        return self.query_one(Input).value

    def open(self) -> None:
        """Type words, or go on with those that hold; the next key is a letter already."""
        how = Content(_("{key} shows all").format(key=key_of(self.app, "clear")))
        self.query_one(".filter--how", Static).update(how)
        self.display = True
        self.screen.set_focus(self.query_one(Input))

    def close(self) -> None:
        """Forget the words, whoever wanted every item again."""
        self.query_one(Input).value = ""
        self.display = False

    @on(Input.Changed)
    def _changed(self, message: Input.Changed) -> None:
        message.stop()
        self.post_message(Filtered(message.value))

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.action_keep()

    def on_descendant_blur(self) -> None:
        """Make room when nothing was typed."""
        if not self.words:
            self.display = False

    def action_keep(self) -> None:
        """Keep the words and go to the list."""
        self.post_message(FilterLeft())

    def action_clear(self) -> None:
        """Show every item again and go to the list."""
        self.close()
        self.post_message(FilterLeft())
