"""The list of items: one framed panel a section, drawn line by line, so that only what is visible costs."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from checklist.glyphs import glyphs
from checklist.lifecycle import GREEN, State
from checklist.reports.status_report import ItemReport, StatusReport
from checklist.reports.text import short_ago
from probes.outcome import Verdict
from tui import keys
from tui.messages import Highlighted, Opened
from tui.words import elapsed, one_line, spinner

MIN_WIDTH_DUE = 50
MIN_WIDTH_OWNER = 78
"""Cells from which there is room for the column."""


class Line(NamedTuple):
    """One line of the list: the top or bottom of a panel, or an item."""

    section: str
    item: ItemReport | None
    top: bool = False


class ItemList(ScrollView, can_focus=True):
    """All items, in panels by section, with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.LIST)
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"item-list--{state}" for state in State),
        "item-list--frame",
        "item-list--frame-here",
        "item-list--cursor",
        "item-list--cursor-blurred",
        "item-list--late",
        "item-list--muted",
        "item-list--running",
        *(f"item-list--{verdict}" for verdict in Verdict),
    }
    DEFAULT_CSS = """
    ItemList {
        background: $background;
        scrollbar-size-vertical: 1;
        .item-list--frame { color: $foreground 35%; }
        .item-list--frame-here { color: $primary; text-style: bold; }
        .item-list--cursor {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: bold;
        }
        .item-list--cursor-blurred { background: $surface; text-style: bold; }
        .item-list--late { color: $text-error; text-style: bold; }
        .item-list--muted { color: $foreground-muted; }
        .item-list--running { color: $text-primary; text-style: bold; }
        .item-list--verified { color: $text-success; }
        .item-list--attested { color: $text-accent; }
        .item-list--waived { color: $text-secondary; }
        .item-list--resolved { color: $text-warning; }
        .item-list--stale { color: $text-warning; }
        .item-list--inhibited { color: $foreground-muted; }
        .item-list--reopened { color: $text-error; }
        .item-list--open { color: $text-error; }
        .item-list--pass { color: $text-success; }
        .item-list--warn { color: $text-warning; }
        .item-list--fail { color: $text-error; }
        .item-list--unknown { color: $text-accent; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        """Make an empty list."""
        super().__init__(id=id)
        self._lines: list[Line] = []
        self._item_lines: list[int] = []
        self._cursor = 0
        self._now = datetime.now().astimezone()
        self._elapsed: Mapping[str, float] = {}
        self._frame = 0
        self._green: dict[str, tuple[int, int]] = {}

    @property
    def highlighted(self) -> str | None:
        """The id of the item under the cursor; None if there is no item."""
        item = self._lines[self._item_lines[self._cursor]].item if self._item_lines else None
        return item.id if item else None

    def show(self, report: StatusReport, now: datetime) -> None:
        """Show a report; the cursor stays on its item."""
        here = self.highlighted
        lines: list[Line] = []
        sections: dict[str, list[ItemReport]] = {}
        for item in report.items:
            sections.setdefault(item.section, []).append(item)
        self._green = {}
        for section, items in sections.items():
            lines.append(Line(section, None, top=True))
            lines += [Line(section, item) for item in items]
            lines.append(Line(section, None))
            self._green[section] = (sum(item.state in GREEN for item in items), len(items))
        changed = len(lines) != len(self._lines)
        self._lines, self._now = lines, now
        self._item_lines = [number for number, line in enumerate(lines) if line.item]
        ids = [line.item.id for line in lines if line.item]
        self._cursor = ids.index(here) if here in ids else min(self._cursor, max(0, len(ids) - 1))
        if changed:
            self.virtual_size = Size(0, len(lines))
        self.refresh()
        if self.highlighted != here and self.highlighted:
            self.post_message(Highlighted(self.highlighted))

    def show_running(self, running: Mapping[str, float], frame: int) -> None:
        """Show which items run, and for how many seconds; draws only their lines."""
        touched = running.keys() | self._elapsed.keys()
        self._elapsed, self._frame = running, frame
        for number in self._item_lines:
            item = self._lines[number].item
            if item and item.id in touched:
                self._refresh_line(number)

    def _refresh_line(self, number: int) -> None:
        self.refresh(Region(0, number - self.scroll_offset.y, self.size.width, 1))

    # Drawing

    def render_line(self, y: int) -> Strip:
        """Draw one visible line."""
        number = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if number >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        line = self._lines[number]
        here = self._item_lines and line.section == self._lines[self._item_lines[self._cursor]].section
        frame = self._style("frame-here" if here else "frame")
        if line.item is None:
            return self._border(line, width, frame)
        return self._item(line.item, number == self._item_lines[self._cursor], width, frame)

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"item-list--{name}")

    def _border(self, line: Line, width: int, frame: Style) -> Strip:
        if not line.top:
            return Strip([Segment("╰" + "─" * (width - 2) + "╯", frame)], width)
        green, total = self._green[line.section]
        count = f" {green}/{total} "
        name = one_line(line.section, min(len(line.section) * 2, width - len(count) - 6)).rstrip()
        left = Segment("╭─ " + name + " ", frame)
        rest = width - left.cell_length - len(count) - 2
        return Strip([left, Segment("─" * max(0, rest) + count + "─╮", frame)], width)

    def _item(self, item: ItemReport, cursor: bool, width: int, frame: Style) -> Strip:
        state = self._style(item.state)
        there = "cursor" if self.has_focus else "cursor-blurred"
        cover = self._style(there) if cursor else self.rich_style
        ground = Style(bgcolor=cover.bgcolor)
        # On the cursor's own ground every word takes the cursor's colour: it must stay legible.
        text = cover if cursor else self.rich_style
        muted = text if cursor else self._style("muted")

        cells: list[tuple[str, Style]] = []
        seconds = self._elapsed.get(item.id)
        if seconds is None:
            glyph, word, tone = glyphs().states[item.state], str(item.state), state
        else:
            glyph = spinner(self._frame)
            word, tone = elapsed(seconds), self._style("running")
        tone = text if cursor and self.has_focus else tone
        room = width - 2
        right: list[tuple[str, Style]] = [(" " + one_line(word, 9), tone)]
        if width >= MIN_WIDTH_OWNER:
            right.append((" " + one_line(item.owner, 20), muted))
        if width >= MIN_WIDTH_DUE:
            due = f"{item.due:%m-%d}" if item.due else ""
            late = self._style("late") if item.overdue and not cursor else muted
            right.append((" " + one_line(due + ("!" if item.overdue else ""), 6), late))
        if (found := item.evidence) is None:
            right.append((" " * 7, muted))
        else:
            age = short_ago((self._now - found.started_at).total_seconds())
            # The state alone does not tell a doubt from a failure.
            right.append(
                (f" {glyphs().verdicts[found.verdict]}", text if cursor else self._style(found.verdict))
            )
            right.append((f"{age:>4} ", muted))
        taken = sum(Segment(part).cell_length for part, _ in right)
        cells.append((f" {glyph} ", tone))
        cells.append((one_line(item.title, max(0, room - taken - 3)), text))
        cells += right
        segments = [Segment(part, style + ground) for part, style in cells]
        return Strip([Segment("│", frame), *segments, Segment("│", frame)]).adjust_cell_length(
            width, self.rich_style
        )

    # Moving

    def move_to(self, index: int) -> None:
        """Put the cursor on an item by its place in the list."""
        if not self._item_lines:
            return
        index = max(0, min(index, len(self._item_lines) - 1))
        if index == self._cursor:
            return
        self._cursor = index
        number = self._item_lines[index]
        self._show_line(number)
        self.refresh()
        if self.highlighted:
            self.post_message(Highlighted(self.highlighted))

    def _show_line(self, number: int) -> None:
        """Scroll so that an item is visible, with the frame above or below it where it is at the edge."""
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        first = number - 1 if self._lines[number - 1].top else number
        last = number + 1 if self._lines[number + 1].item is None else number
        if first < top:
            self.scroll_to(y=first, animate=False)
        elif last >= top + height:
            self.scroll_to(y=last - height + 1, animate=False)

    def action_move(self, by: int) -> None:
        """Move the cursor by items."""
        self.move_to(self._cursor + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.move_to(self._cursor + by * max(1, self.scrollable_content_region.height - 2))

    def action_edge(self, to: int) -> None:
        """Move the cursor to the first or the last item."""
        self.move_to(0 if to < 0 else len(self._item_lines) - 1)

    def action_panel(self, by: int) -> None:
        """Move the cursor to the first item of another panel, around the end."""
        if not self._item_lines:
            return
        sections = list(self._green)
        here = self._lines[self._item_lines[self._cursor]].section
        there = sections[(sections.index(here) + by) % len(sections)]
        for index, number in enumerate(self._item_lines):
            if self._lines[number].section == there:
                self.move_to(index)
                return

    def action_open(self) -> None:
        """Go into the item under the cursor."""
        if self.highlighted:
            self.post_message(Opened(self.highlighted))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on an item; a double click goes into it."""
        number = event.y + self.scroll_offset.y
        if number in self._item_lines:
            self.move_to(self._item_lines.index(number))
            if event.chain == 2:  # noqa: PLR2004  # a double click
                self.action_open()
