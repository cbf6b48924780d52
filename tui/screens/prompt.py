"""Asks for a few words before something is marked. Nothing is marked unless every question is answered."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import ClassVar, NamedTuple

from textual import events, on
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
            yield Label("", classes="wrong")
            for question in self._questions:
                yield Label(Content(question.label), id=f"{question.key}-asked", classes="hint")
                answer = self._answers.get(question.key, question.answer)
                field = Input(answer, id=question.key, select_on_focus=False)
                field.cursor_blink = False
                yield field
            yield Label(Content(_("enter saves   tab next field   esc goes back")), classes="hint")

    def on_mount(self) -> None:
        """Say what was wrong with what was answered before."""
        if self._wrong:
            self._say(self._wrong, self._questions[0].key)

    def on_resize(self) -> None:
        """Keep in sight what is typed."""
        self._reveal()

    @on(events.DescendantFocus)
    def _reveal(self) -> None:
        """Bring the field that is typed in into sight, below its question and what is wrong there."""
        if isinstance(self.focused, Input):
            above = self.query_one(f"#{self.focused.id}-asked", Label)
            wrong = self.query_one(".wrong", Label)
            asked = wrong if wrong.display and wrong.region.bottom == above.region.y else above
            asked.scroll_visible(animate=False, top=True)

    @on(Input.Submitted)
    def submit(self) -> None:
        """Take the answers, or go to the first one that is missing."""
        answers: dict[str, str] = {}
        for question in self._questions:
            field = self.query_one(f"#{question.key}", Input)
            answer = field.value.strip()
            if wrong := _wrong(question, answer):
                field.focus()
                self._say(wrong, question.key)
                return
            answers[question.key] = answer
        self.dismiss(answers)

    def _say(self, wrong: str, question: str) -> None:
        """Say what is wrong, where it is asked."""
        label = self.query_one(".wrong", Label)
        label.update(outside(wrong))
        label.display = True
        self.query_one(".window").move_child(label, before=self.query_one(f"#{question}-asked"))
        self.call_after_refresh(self._reveal)

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
