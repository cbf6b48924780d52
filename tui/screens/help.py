"""What every key does, read from the list the keys themselves come from."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from checklist.lifecycle import MEANING
from tui import keys
from tui.words import state


class Help(ModalScreen[None]):
    """Keys and states."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "Back", tooltip="Back", id="help-back"),
    ]
    DEFAULT_CSS = """
    Help {
        align: center middle;
    }
    """

    def compose(self) -> ComposeResult:
        """One text."""
        with VerticalScroll(classes="window") as window:
            window.border_title = "Keys"
            window.border_subtitle = "esc goes back"
            yield Static(_text())


def _text() -> Content:
    parts: list[Content] = []
    for title, bindings in keys.GROUPS:
        lines = [Content.styled(title, "bold $text-primary")]
        for binding in bindings:
            shown = binding.key_display or binding.key.replace(",", " ").replace("question_mark", "?")
            lines.append(Content.assemble((f"{shown:<12}", "bold"), binding.tooltip))
        parts.append(Content("\n").join(lines))
    lines = [Content.styled("States", "bold $text-primary")]
    lines += [
        state(one).pad_right(max(0, 12 - len(state(one)))) + Content(text) for one, text in MEANING.items()
    ]
    parts.append(Content("\n").join(lines))
    return Content("\n\n").join(parts)
