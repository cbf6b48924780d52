"""One line of evidence, whole: what was found, how it came to be so, and what to do."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content

from checklist.glyphs import glyphs
from checklist.language import gettext as _
from checklist.language import ngettext
from checklist.reports.status_report import ItemReport
from checklist.reports.text import advice, ago, figure
from checklist.reports.trend import Trend
from checklist.reports.view import number
from probes.outcome import WEIGHT, Check
from probes.outcome import now as clock
from tui import keys, terminal
from tui.page import Page
from tui.widgets.evidence import HEADING, MUTED, bar, copied, figures, hint, repair, sparkline, took
from tui.widgets.key_line import KeyLine
from tui.widgets.pane import Block, Pane, block
from tui.words import one_line, outside, verdict

WIDEST = 60
"""Cells of the widest bar: a longer one is not read any better."""


class Whole(Pane):
    """Text that scrolls; nothing in it is chosen."""

    def __init__(self) -> None:
        """Make an empty pane."""
        super().__init__()
        self.parts: list[list[Content]] = []
        self.check: Check | None = None

    def whole(self, width: int) -> list[Block]:
        """Return the parts that there are; the bar is as wide as there is room."""
        wide = bar(self.check, max(4, min(WIDEST, width))) if self.check else None
        parts = [[*part, wide] if place == 1 and wide else part for place, part in enumerate(self.parts)]
        blocks = [one for part in parts if part for one in (block(part), block([Content("")]))]
        return blocks[:-1]

    def action_page(self, by: int) -> None:
        """Scroll by a page."""
        height = self.scrollable_content_region.height
        self.go_to(self.scroll_offset.y + by * max(1, height - 1))


class EvidenceScreen(Page[None]):
    """One line of evidence of an item; the others are a key away."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.EVIDENCE)
    DEFAULT_CSS = """
    EvidenceScreen {
        background: $background;
    }
    """

    def __init__(
        self,
        item: ItemReport,
        name: str,
        trends: Mapping[str, Trend] | None = None,
        *,
        by: str = "",
        now: datetime | None = None,
    ) -> None:
        """Show a line of evidence.

        Args:
            item: The item it is of.
            name: The name of the check; of several of that name the heaviest is shown.
            trends: The figures of the item over time, by the name of the check.
            by: Who ran its probe; empty if that is not known.
            now: The moment from which ages count; if not said, that of the clock.
        """
        super().__init__()
        self._item = item
        self._trends = trends or {}
        self._by = by
        self._now = now or clock()
        self._called = name
        names = [check.name for check in self._checks]
        self._place = names.index(name) if name in names else 0

    def compose(self) -> ComposeResult:
        """The text, and the keys."""
        yield Whole()
        yield KeyLine()

    def on_mount(self) -> None:
        """Show it."""
        self._draw()

    def show(
        self,
        item: ItemReport,
        trends: Mapping[str, Trend] | None = None,
        *,
        by: str = "",
        now: datetime | None = None,
    ) -> None:
        """Show what is known now; the line of evidence stays the same as long as there is one of its name.

        An item that is another one is not shown: this screen is about the one it was opened on.
        """
        if item.id != self._item.id:
            return
        self._item, self._trends, self._by, self._now = item, trends or {}, by, now or clock()
        names = [check.name for check in self._checks]
        if self._called in names and not (self._place < len(names) and names[self._place] == self._called):
            self._place = names.index(self._called)
        # A run may end between opening and mounting; mounting draws what is known by then.
        if self.is_mounted:
            self._draw()

    @property
    def item(self) -> str:
        """The id of the item that is shown."""
        return self._item.id

    @property
    def _checks(self) -> list[Check]:
        """The lines of evidence in the order of the pane: what holds the item stands first."""
        found = self._item.evidence
        return sorted(found.checks, key=lambda check: -WEIGHT[check.verdict]) if found else []

    @property
    def _check(self) -> Check | None:
        """The one that is shown; None if the newest run found nothing of that name."""
        checks = self._checks
        known = self._place < len(checks) and checks[self._place].name == self._called
        return checks[self._place] if known else None

    def _draw(self) -> None:
        pane = self.query_one(Whole)
        check, checks = self._check, self._checks
        pane.check = check
        pane.parts = self._parts(check)
        dot = glyphs().dot
        place = f" {dot} {self._place + 1}/{len(checks)}" if check else ""
        title = f"{self._item.id}{place}"  # of letters, digits, dots and dashes, so never markup
        if pane.border_title != title:
            pane.border_title = title
        pane.draw()

    def _parts(self, check: Check | None) -> list[list[Content]]:
        item, found = self._item, self._item.evidence
        title = outside(item.title).stylize(MUTED)
        if check is None or found is None:
            gone = _("The newest run did not find “{name}”.").format(name=one_line(self._called, 60).rstrip())
            words = [Content.assemble(verdict(found.verdict), ": ", outside(found.summary))] if found else []
            return [[title], [outside(gone), *words], self._run()]
        head = Content.assemble(verdict(check.verdict), "  ", outside(check.name).stylize("bold"))
        todo = [hint(check.hint)] if check.hint else []
        if advice(item) and item.repair:
            todo.append(repair(item.repair))
        message = [outside(check.message)] if check.message else []
        # What to do stands before what was said: that may be long.
        return [[title, head], _figures(check), todo, message, self._trend(check), self._run()]

    def _trend(self, check: Check) -> list[Content]:
        trend = self._trends.get(check.name, ())
        shape = sparkline(trend, number(check.limit))
        if not shape:
            return []
        count = ngettext("over the last {count} run", "over the last {count} runs", len(trend))
        values = [point.value for point in trend]
        words = {
            "first": figure(values[0], check.unit),
            "last": figure(values[-1], check.unit),
            "least": figure(min(values), check.unit),
            "most": figure(max(values), check.unit),
            "age": ago((self._now - trend[0].at).total_seconds()),
        }
        return [
            Content.styled(_("Trend"), HEADING),
            Content.assemble((shape, "bold"), "  ", (count.format(count=len(trend)), MUTED)),
            outside(_("first {first} ({age}), last {last}, least {least}, most {most}").format(**words)),
        ]

    def _run(self) -> list[Content]:
        """Say who looked when, and with what."""
        found = self._item.evidence
        if found is None:
            return []
        words = {
            "probe": found.probe,
            "name": self._by,
            "age": ago((self._now - found.started_at).total_seconds()),
            "time": f"{found.started_at:%Y-%m-%d %H:%M:%S %z}",
        }
        line = _("{probe}, run by {name}, {age}, {time}") if self._by else _("{probe}, {age}, {time}")
        lines = [Content.styled(_("Run"), HEADING), outside(line.format(**words))]
        lines.append(Content(took(found.duration)))
        if self._item.run:
            lines.append(outside(self._item.run).stylize(MUTED))
        return lines

    # Keys

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()

    def action_other(self, by: int) -> None:
        """Show another line of evidence of the item, around the end."""
        if checks := self._checks:
            self._place = (self._place + by) % len(checks) if self._check else 0
            self._called = checks[self._place].name
            self.query_one(Whole).go_to(0)
            self._draw()

    def action_copy(self) -> None:
        """Send it to the clipboard of the terminal."""
        self.notify(terminal.copy(self.app, copied(self._item, self._check)), markup=False)

    def action_scroll_down(self) -> None:
        """Scroll by a line."""
        self.query_one(Whole).action_scroll_down()

    def action_scroll_up(self) -> None:
        """Scroll by a line."""
        self.query_one(Whole).action_scroll_up()


def _figures(check: Check) -> list[Content]:
    found = figures(check)
    if found is None:
        return []
    observed, limit = number(check.observed), number(check.limit)
    words = ""
    if observed is not None and limit is not None and observed != limit:
        apart = figure(abs(observed - limit), check.unit)
        words = _("{figure} above the limit") if observed > limit else _("{figure} below the limit")
        words = "  " + words.format(figure=apart)
    return [Content.assemble(found, (words, MUTED))]
