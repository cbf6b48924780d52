"""Asks for a few words before something is marked. Nothing is marked unless every question is answered."""

from collections.abc import Sequence
from datetime import date
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from tui.words import outside


class Question(NamedTuple):
    """One thing to ask.

    Attributes:
        key: What the answer is called.
        label: The question.
        answer: What stands there already.
        day: Whether the answer is a day, as YYYY-MM-DD.
    """

    key: str
    label: str
    answer: str = ""
    day: bool = False


class Prompt(ModalScreen[dict[str, str] | None]):
    """Questions in a small window; dismissed with the answers, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Cancel", tooltip="Go back; nothing is marked", id="prompt-cancel"),
    ]
    DEFAULT_CSS = """
    Prompt {
        align: center middle;
        Label { width: 1fr; }
        .hint { color: $foreground-muted; }
        .wrong { color: $text-error; height: auto; display: none; }
        Input { border: tall $border-blurred; &:focus { border: tall $border; } }
    }
    """

    def __init__(self, title: str, lead: str, questions: Sequence[Question]) -> None:
        """Ask questions, in order.

        Args:
            title: What will be marked.
            lead: One sentence on what that means.
            questions: What to ask.
        """
        super().__init__()
        self._title = title
        self._lead = lead
        self._questions = tuple(questions)

    def compose(self) -> ComposeResult:
        """A title, a field a question, and the keys."""
        with Vertical(classes="window") as window:
            window.border_title = self._title
            yield Label(outside(self._lead))
            for question in self._questions:
                yield Label(Content(question.label), classes="hint")
                field = Input(question.answer, id=question.key, select_on_focus=False)
                field.cursor_blink = False
                yield field
            yield Label("", classes="wrong")
            yield Label(Content("enter saves   tab next field   esc goes back"), classes="hint")

    @on(Input.Submitted)
    def submit(self) -> None:
        """Take the answers, or go to the first one that is missing."""
        answers: dict[str, str] = {}
        for question in self._questions:
            field = self.query_one(f"#{question.key}", Input)
            answer = field.value.strip()
            if wrong := _wrong(question, answer):
                field.focus()
                label = self.query_one(".wrong", Label)
                label.update(Content(wrong))
                label.styles.display = "block"
                return
            answers[question.key] = answer
        self.dismiss(answers)

    def action_cancel(self) -> None:
        """Go back."""
        self.dismiss(None)


def _wrong(question: Question, answer: str) -> str:
    if not answer:
        return f"{question.label}: an answer is needed"
    if question.day:
        try:
            date.fromisoformat(answer)
        except ValueError:
            return f"{question.label}: a day is written like 2026-12-31"
    return ""
