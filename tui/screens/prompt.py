"""Asks for a few words before something is marked. Nothing is marked unless every question is answered."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Input, Label

from checklist.language import gettext as _
from tui import keys
from tui.page import Window
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


class Prompt(Window[dict[str, str] | None]):
    """Questions in a small window; dismissed with the answers, or with None."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.PROMPT)
    DEFAULT_CSS = """
    Prompt {
        align: center middle;
        Label { width: 1fr; }
        .hint { color: $foreground-muted; }
        .wrong { color: $text-error; height: auto; display: none; }
        Input { border: tall $border-blurred; &:focus { border: tall $border; } }
    }
    """

    def __init__(
        self,
        title: str,
        lead: str,
        questions: Sequence[Question],
        answers: Mapping[str, str],
        wrong: str = "",
    ) -> None:
        """Ask questions, in order.

        Args:
            title: What will be marked.
            lead: One sentence on what that means.
            questions: What to ask.
            answers: What was answered before, if it could not be used.
            wrong: Why it could not.
        """
        super().__init__()
        self._title = title
        self._lead = lead
        self._questions = tuple(questions)
        self._answers = dict(answers)
        self._wrong = wrong

    def compose(self) -> ComposeResult:
        """A title, a field a question, and the keys."""
        with Vertical(classes="window") as window:
            window.border_title = self._title
            yield Label(outside(self._lead))
            for question in self._questions:
                yield Label(Content(question.label), classes="hint")
                answer = self._answers.get(question.key, question.answer)
                field = Input(answer, id=question.key, select_on_focus=False)
                field.cursor_blink = False
                yield field
            yield Label("", classes="wrong")
            yield Label(Content(_("enter saves   tab next field   esc goes back")), classes="hint")

    def on_mount(self) -> None:
        """Say what was wrong with what was answered before."""
        if self._wrong:
            self._say(self._wrong)

    @on(Input.Submitted)
    def submit(self) -> None:
        """Take the answers, or go to the first one that is missing."""
        answers: dict[str, str] = {}
        for question in self._questions:
            field = self.query_one(f"#{question.key}", Input)
            answer = field.value.strip()
            if wrong := _wrong(question, answer):
                field.focus()
                self._say(wrong)
                return
            answers[question.key] = answer
        self.dismiss(answers)

    def _say(self, wrong: str) -> None:
        label = self.query_one(".wrong", Label)
        label.update(outside(wrong))
        label.display = True
        label.scroll_visible(animate=False)

    def action_cancel(self) -> None:
        """Go back."""
        self.dismiss(None)


def _wrong(question: Question, answer: str) -> str:
    if not answer:
        return _("{question}: an answer is needed").format(question=question.label)
    if question.day:
        try:
            date.fromisoformat(answer)
        except ValueError:
            return _("{question}: a day is written like 2026-12-31").format(question=question.label)
    return ""
