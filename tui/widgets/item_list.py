"""The list of items: framed panels, drawn line by line, so that only what is visible costs."""

from collections.abc import Iterable, Mapping
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
from checklist.language import gettext as _
from checklist.lifecycle import State
from checklist.reports.status_report import ItemReport, StatusReport
from probes.outcome import Verdict
from tui import keys
from tui.messages import Filtered, Highlighted, Opened
from tui.ordering import Order, Panel, Row, panels
from tui.widgets import rows
from tui.words import cut, key_of


class Line(NamedTuple):
    """One line of the list: the top or bottom of a panel, or an item."""

    panel: int
    row: Row | None
    top: bool = False


class ItemList(ScrollView, can_focus=True):
    """All items, or those with the words of a filter, in panels, with a cursor."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.LIST)
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        *(f"item-list--{state}" for state in State),
        *(f"item-list--{verdict}" for verdict in Verdict),
        "item-list--frame",
        "item-list--frame-here",
        "item-list--frame-left",
        "item-list--cursor",
        "item-list--cursor-blurred",
        "item-list--text",
        "item-list--muted",
        "item-list--late",
        "item-list--soon",
        "item-list--running",
        "item-list--key",
    }
    DEFAULT_CSS = """
    ItemList {
        background: $background;
        scrollbar-size-vertical: 1;
        .item-list--frame { color: $foreground 35%; }
        .item-list--frame-here { color: $primary; text-style: bold; }
        .item-list--frame-left { color: $foreground-muted; text-style: bold; }
        .item-list--cursor {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: bold;
        }
        .item-list--cursor-blurred { background: $surface; text-style: bold; }
        .item-list--text { color: $foreground; }
        .item-list--muted { color: $foreground-muted; }
        .item-list--late { color: $text-error; text-style: bold; }
        .item-list--soon { color: $text-warning; text-style: bold; }
        .item-list--running { color: $text-primary; text-style: bold; }
        .item-list--key { color: $text-warning; text-style: bold reverse; }
        .item-list--verified { color: $text-success; }
        .item-list--attested { color: $text-primary; }
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

    def __init__(self) -> None:
        """Make an empty list."""
        super().__init__()
        self._items: tuple[ItemReport, ...] = ()
        self._order = Order.CHECKLIST
        self._words = ""
        self._panels: list[Panel] = []
        self._lines: list[Line] = []
        self._numbers: dict[str, int] = {}
        """The line of each item that is shown, by id, in order."""
        self._here: str | None = None
        """The item that the cursor is on, or was on when the last one went out of sight."""
        self._now = datetime.now().astimezone()
        self._elapsed: Mapping[str, float] = {}
        self._frame = 0
        self._key = ""
        self._drawn: dict[int, Strip] = {}
        """What stands on screen, by line of the screen."""
        self._styles: dict[str, Style] = {}
        """The style of each tone; to work one out takes longer than to draw a line."""

    @property
    def highlighted(self) -> str | None:
        """The id of the item under the cursor; None if there is no item."""
        return self._here if self._here in self._numbers else None

    @property
    def order(self) -> Order:
        """The order of the list."""
        return self._order

    @property
    def words(self) -> str:
        """The words of the filter; empty if every item is shown."""
        return self._words

    def show(self, report: StatusReport, now: datetime) -> None:
        """Show a report; the cursor stays on its item."""
        self._items, self._now = report.items, now
        self._arrange()

    def filter(self, words: str) -> None:
        """Show only the items that have all of some words; the cursor stays on its item if that is shown."""
        self._words = words.strip()
        self._arrange()

    def sort(self, order: Order) -> None:
        """Show the items in another order; the cursor stays on its item."""
        self._order = order
        self._arrange()

    def show_running(self, running: Mapping[str, float], frame: int) -> None:
        """Show which items run, and for how many seconds; draws only their lines."""
        touched = running.keys() | self._elapsed.keys()
        self._elapsed, self._frame = running, frame
        self._draw(self._numbers[item] for item in touched if item in self._numbers)

    def _arrange(self) -> None:
        """Put every line in its place."""
        before, was_here = list(self._numbers), self.highlighted
        was_at = self._numbers.get(self._here or "")
        self._panels = panels(self._items, self._order, self._words)
        self._lines = []
        for number, panel in enumerate(self._panels):
            self._lines.append(Line(number, None, top=True))
            self._lines += [Line(number, row) for row in panel.rows]
            self._lines.append(Line(number, None))
        self._numbers = {line.row.item.id: n for n, line in enumerate(self._lines) if line.row}
        self._key = key_of(self.app, "run")
        if self._here not in self._numbers and self._numbers:
            after = before[before.index(self._here) :] if self._here in before else []
            last_resort = list(self._numbers)[-1 if after else 0]
            self._here = next((item for item in after if item in self._numbers), last_resort)
        if self.virtual_size.height != len(self._lines):
            self.virtual_size = Size(0, len(self._lines))
        self._draw()
        # The wheel may have left the cursor out of sight; only what moves it brings it back.
        if self._numbers.get(self._here or "") != was_at:
            self._show_cursor()
        if self.highlighted != was_here:
            self.post_message(Highlighted(self.highlighted or ""))

    # Drawing

    def _draw(self, numbers: Iterable[int] | None = None) -> None:
        """Draw those lines anew, or all that are visible, that are no longer what stands on screen."""
        first, size = self.scroll_offset.y, self.scrollable_content_region.size
        lines = range(size.height) if numbers is None else [n - first for n in numbers]
        for y in lines:
            if 0 <= y < size.height and self._drawn.get(y) != self._line(y + first, size.width):
                self.refresh(Region(0, y, self.size.width, 1))

    def render_line(self, y: int) -> Strip:
        """Draw one visible line."""
        strip = self._line(y + self.scroll_offset.y, self.scrollable_content_region.width)
        self._drawn[y] = strip
        return strip

    def _line(self, number: int, width: int) -> Strip:
        if number >= len(self._lines):
            text = self._nothing() if number == 0 else ""
            return self._strip([Segment(" " + cut(text, width - 2), self._style("muted"))], width)
        line = self._lines[number]
        cursor = self._numbers.get(self._here or "", -1)
        here = cursor >= 0 and line.panel == self._lines[cursor].panel
        # Where the keys go must be seen without colour too.
        heavy = here and self.has_focus
        style = self._style("frame-here" if heavy else "frame-left" if here else "frame")
        if line.row is None and not line.top:
            return self._strip([Segment(rows.bottom(width, here=heavy), style)], width)
        if line.row is None:
            cells = rows.top(self._panels[line.panel], width, here=heavy)
            tones = [style if here or tone == "frame" else self._style(tone) for _text, tone in cells]
            return self._strip(
                [Segment(text, tone) for (text, _), tone in zip(cells, tones, strict=True)], width
            )
        edge = Segment((glyphs().frame_here if heavy else glyphs().frame)[-1], style)
        inside = self._inside(line.row, number == cursor, width)
        body = Strip(inside).adjust_cell_length(width - 2, self._ground(number == cursor))
        return self._strip([edge, *body, edge], width)

    def _strip(self, segments: list[Segment], width: int) -> Strip:
        return Strip(segments).adjust_cell_length(width, self._style(""))

    def _nothing(self) -> str:
        """Say why the list is empty, and what to do."""
        if self._words:
            text = _('No item has "{words}": {key} shows all.')
            return text.format(words=self._words, key=key_of(self.app, "clear"))
        return _("The checklist has no items: {key} edits it.").format(key=key_of(self.app, "edit"))

    def notify_style_update(self) -> None:
        """Work every style out anew: the theme is another."""
        super().notify_style_update()
        self._styles.clear()

    def _style(self, tone: str) -> Style:
        if tone not in self._styles:
            own = self.get_component_rich_style(f"item-list--{tone}") if tone else self.rich_style
            self._styles[tone] = own
        return self._styles[tone]

    def _cursor_style(self) -> Style:
        return self._style("cursor" if self.has_focus else "cursor-blurred")

    def _ground(self, cursor: bool) -> Style:
        return Style(bgcolor=(self._cursor_style() if cursor else self._style("")).bgcolor)

    def _inside(self, row: Row, cursor: bool, width: int) -> list[Segment]:
        there = rows.columns(width, rows.state_width(self._key))
        running = self._elapsed.get(row.item.id)
        cells = rows.cells(row, there, self._now, running=running, frame=self._frame, key=self._key)
        ground, cover = self._ground(cursor), self._cursor_style()
        segments = [Segment(glyphs().cursor if cursor else " ", cover if cursor else self._style(""))]
        for text, tone in cells:
            style = self._style(tone)
            # On the cursor's own ground every word takes the cursor's colour: it must stay legible.
            if cursor and (self.has_focus or tone in {"text", "muted"}):
                style = cover + Style(reverse=tone == "key")
            segments.append(Segment(text, style + ground))
        return segments

    # Moving

    def move_to(self, index: int) -> None:
        """Put the cursor on an item by its place in the list."""
        items = list(self._numbers)
        if not items:
            return
        item = items[max(0, min(index, len(items) - 1))]
        if item == self._here:
            return
        self._here = item
        self._show_cursor()
        self._draw()
        self.post_message(Highlighted(item))

    def _show_cursor(self) -> None:
        """Scroll so that the cursor is visible, with the frame above or below it where it is at the edge."""
        if self._here not in self._numbers:
            return
        number = self._numbers[self._here]
        offset, height = self.scroll_offset.y, self.scrollable_content_region.height
        first = number - 1 if self._lines[number - 1].top else number
        last = number + 1 if self._lines[number + 1].row is None else number
        if first < offset or last - first >= height:
            self.scroll_to(y=min(number, first), animate=False)
        elif last >= offset + height:
            self.scroll_to(y=last - height + 1, animate=False)

    def on_resize(self) -> None:
        """Keep the cursor in sight."""
        self._drawn.clear()
        self._show_cursor()

    def on_focus(self) -> None:
        """Show that the keys go here."""
        self._draw()

    def on_blur(self) -> None:
        """Show that they do so no more."""
        self._draw()

    def _index(self) -> int:
        return list(self._numbers).index(self._here) if self._here in self._numbers else 0

    def action_move(self, by: int) -> None:
        """Move the cursor by items."""
        self.move_to(self._index() + by)

    def action_page(self, by: int) -> None:
        """Move the cursor by pages."""
        self.move_to(self._index() + by * max(1, self.scrollable_content_region.height - 2))

    def action_edge(self, to: int) -> None:
        """Move the cursor to the first or the last item."""
        self.move_to(0 if to < 0 else len(self._numbers) - 1)

    def action_panel(self, by: int) -> None:
        """Move the cursor to the first item of another panel, around the end."""
        if self.highlighted:
            here = self._lines[self._numbers[self.highlighted]].panel
            self._go_to_panel((here + by) % len(self._panels))

    def _go_to_panel(self, number: int) -> None:
        first = self._panels[number].rows[0].item.id
        self.move_to(list(self._numbers).index(first))

    def action_open(self) -> None:
        """Go into the item under the cursor."""
        if self.highlighted:
            self.post_message(Opened(self.highlighted))

    def action_clear(self) -> None:
        """Show every item again."""
        self.post_message(Filtered(""))

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on an item, or the first of a panel; a double click goes into the item."""
        number = event.y + self.scroll_offset.y
        if number >= len(self._lines):
            return
        line = self._lines[number]
        if line.row is None:
            self._go_to_panel(line.panel)
            return
        self.move_to(list(self._numbers).index(line.row.item.id))
        if event.chain == 2:  # noqa: PLR2004  # a double click
            self.action_open()
