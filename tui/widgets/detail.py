"""The item under the cursor: what holds it and what to do, the evidence, the steps, and what was said."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content

from checklist.journal import Entry
from checklist.language import gettext as _
from checklist.reports.status_report import ItemReport
from checklist.reports.text import ago
from checklist.reports.trend import Trend, trends
from probes.outcome import WEIGHT, Check, Outcome
from tui import keys
from tui.messages import CheckOpened, Left, StepTicked
from tui.widgets import facts
from tui.widgets.evidence import HEADING, MUTED, copied, line
from tui.widgets.pane import Block, Pane, Stop, block
from tui.words import elapsed, key_of, outside


class Detail(Pane):
    """One item, whole. With the focus, a cursor goes over its lines of evidence and its steps."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.DETAIL)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        """Make an empty pane."""
        super().__init__(id=id)
        self._item: ItemReport | None = None
        self._now = datetime.now().astimezone()
        self._elapsed = ""
        self._history: tuple[str, Sequence[Entry], str] = ("", (), "")
        self._past: tuple[str, Sequence[Outcome]] = ("", ())
        self._shown: object = None

    # What is shown

    def show(self, item: ItemReport | None, now: datetime, running: float | None) -> None:
        """Show an item. Nothing is drawn but what has changed.

        Args:
            item: The item; None for an empty list.
            now: The moment from which ages count.
            running: For how many seconds its probe has been running, if it is.
        """
        if item is None or self._item is None or item.id != self._item.id:
            self.forget()
        self._item, self._now = item, now
        self._elapsed = "" if running is None else elapsed(running)
        self._draw()

    def tell(self, item: str, history: Sequence[Entry], trouble: str = "") -> None:
        """Show what happened to an item, or why that cannot be told, while it is the one shown."""
        self._history = (item, history, trouble)
        self._draw()

    def trace(self, item: str, past: Sequence[Outcome]) -> None:
        """Show how the figures of an item came to be what they are, while it is the one shown."""
        self._past = (item, past)
        self._draw()

    @property
    def trends(self) -> dict[str, Trend]:
        """The figures of the item over time, by the name of the check."""
        item = self._item
        if item is None or item.evidence is None:
            return {}
        whose, past = self._past
        return trends(past if whose == item.id else (), item.evidence)

    @property
    def ran_by(self) -> str:
        """Who ran the probe of the item last; empty if that is not known."""
        whose, entries, _trouble = self._history
        item = self._item
        if item is None or whose != item.id:
            return ""
        return next((one.by for one in entries if one.what == "found" and one.run == item.run), "")

    @property
    def copied(self) -> str:
        """The text to copy: the line of evidence under the cursor, or else all the evidence of the item."""
        if self._item is None:
            return ""
        return copied(self._item, self._check(self.cursor) if self.has_focus else None)

    def _draw(self) -> None:
        state = (self._item, self._history, self._past, self._ages(), self._elapsed)
        if self.is_mounted and self._shown != state:
            self._shown = state
            title = self._item.id if self._item else ""
            if self.border_title != title:
                self.border_title = title  # of letters, digits, dots and dashes, so never markup
            self.draw()

    def _ages(self) -> list[str]:
        item = self._item
        if item is None:
            return []
        moments = [*item.moments, *(entry.at for entry in self._history[1])]
        return [ago((self._now - at).total_seconds()) for at in moments]

    def whole(self, width: int) -> list[Block]:
        """Return everything there is to show, what a tired operator needs first standing first."""
        item = self._item
        if item is None:
            # The list says why it is empty.
            return []
        whose, entries, trouble = self._history
        told = (entries, trouble) if whose == item.id else ((), "")
        key = partial(key_of, self.app)
        running = _("running for {time}; {key} stops it").format(time=self._elapsed, key=key("cancel"))
        parts: list[list[Block]] = [
            [
                block(facts.head(item, key)),
                block([Content.styled(running, "bold $text-primary")] if self._elapsed else []),
                block(facts.holds(item, key)),
            ],
            [block(facts.evidence_head(item, self._now, key)), *self._evidence(item, width)],
            _steps(item),
            [block(facts.people(item, self._now))],
            [block(facts.past(*told, self._now))],
        ]
        gap = block([Content("")])
        whole = [block for part in parts if any(one.lines for one in part) for block in (*part, gap)]
        return whole[:-1]

    def _evidence(self, item: ItemReport, width: int) -> list[Block]:
        if item.evidence is None:
            return []
        found = item.evidence
        told, advised = (found.summary, found.hint) if item.is_wrong else ("", "")
        trends = self.trends
        return [
            Block(
                line(check, trends.get(check.name, ()), width, told, advised), ("check", check.name, number)
            )
            for check, number in _checks(item)
        ]

    # Doing

    def action_back(self) -> None:
        """Go back to the list."""
        self.post_message(Left())

    def action_whole(self) -> None:
        """Show the line of evidence under the cursor whole, or tick the step."""
        if self.cursor is None:
            self.notify(_("There is no line of evidence and no step here."), severity="warning")
        else:
            self._open(self.cursor)

    def action_tick(self) -> None:
        """Tick the step under the cursor, or untick it."""
        if self.cursor is None or self.cursor[0] != "step":
            self.notify(_("Only a step can be ticked, and the cursor is on none."), severity="warning")
        else:
            self._open(self.cursor)

    def on_click(self, event: events.Click) -> None:
        """Show the line of evidence that was clicked whole, or tick the step."""
        place = event.get_content_offset(self)
        if place and (stop := self.stop_at(place.y)):
            self.move_to(stop)
            self._open(stop)

    def _open(self, stop: Stop) -> None:
        kind, name, _number = stop
        if self._item is None:
            return
        if kind == "step":
            self.post_message(StepTicked(self._item.id, name))
        else:
            self.post_message(CheckOpened(self._item.id, name))

    def _check(self, stop: Stop | None) -> Check | None:
        if self._item is None or stop is None or stop[0] != "check":
            return None
        return next(
            (check for check, number in _checks(self._item) if (check.name, number) == stop[1:]), None
        )


def _checks(item: ItemReport) -> list[tuple[Check, int]]:
    """Return the lines of evidence, each with its number among those of its name.

    What holds the item stands first; a long list of passes must not hide it.
    """
    checks = sorted(item.evidence.checks if item.evidence else (), key=lambda check: -WEIGHT[check.verdict])
    return list(zip(checks, _numbers(check.name for check in checks), strict=True))


def _numbers(names: Iterable[str]) -> list[int]:
    """Return for each name how often it stood there before."""
    seen: Counter[str] = Counter()
    numbers = []
    for name in names:
        numbers.append(seen[name])
        seen[name] += 1
    return numbers


def _steps(item: ItemReport) -> list[Block]:
    if not item.steps and not item.cause:
        return []
    head = [Content.styled(_("Steps"), HEADING)] if item.steps else []
    if item.cause:
        cause = outside(_("Suspected: {cause}").format(cause=item.cause))
        head.append(cause.stylize(MUTED, 0, cause.plain.find(":") + 1))
    return [
        block(head),
        *(
            Block([(0, facts.step(one))], ("step", one.text, number))
            for one, number in zip(item.steps, _numbers(one.text for one in item.steps), strict=True)
        ),
    ]
