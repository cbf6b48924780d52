"""Blocks of text that scroll as one; a cursor goes over some of them. Only what changes is drawn."""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.content import Content
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.visual import Visual

from checklist.glyphs import glyphs

Stop = tuple[str, str, int]
"""Where the cursor can be: the kind of thing, its name, and its number among those of that name."""

Lines = Sequence[tuple[int, Content]]
"""Texts with the cells by which each is indented, where it wraps too."""


class Block(NamedTuple):
    """A part of the pane.

    Attributes:
        lines: What stands there.
        stop: What the cursor is on there; None where it cannot be.
    """

    lines: Lines
    stop: Stop | None = None

    def is_same(self, other: "Block") -> bool:
        """Tell whether it looks the same."""
        return len(self.lines) == len(other.lines) and all(
            one[0] == two[0] and one[1].is_same(two[1])
            for one, two in zip(self.lines, other.lines, strict=True)
        )


def block(texts: Sequence[Content]) -> Block:
    """Return a block of texts that are not indented."""
    return Block([(0, text) for text in texts])


class Pane(ScrollView, can_focus=True):
    """Blocks of text. Whoever shows something with it says in `whole` what."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"pane--cursor"}
    DEFAULT_CSS = """
    Pane {
        border: round $foreground 35%;
        border-title-color: $text;
        background: $background;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
        scrollbar-gutter: stable;
        &:focus { border: heavy $primary; }
        .pane--cursor { background: $surface; color: $primary; }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        """Make an empty pane."""
        super().__init__(id=id)
        self._chosen: Stop | None = None
        self._blocks: list[Block] = []
        self._strips: list[list[Strip]] = []
        self._stops: list[Stop] = []
        self._lines: list[tuple[Strip, Stop | None]] = []

    def whole(self, width: int) -> list[Block]:
        """Return everything there is to show in so many cells."""
        raise NotImplementedError

    def draw(self) -> None:
        """Show what there is to show now, and draw the lines that are not what they were."""
        if not self.is_mounted or not self.size.width:
            return
        width = max(1, self.scrollable_content_region.width - 1)
        blocks = self.whole(width)
        before, known = self._lines, zip(self._blocks, self._strips, strict=True)
        strips = []
        for one in blocks:
            old, drawn = next(known, (None, []))
            strips.append(drawn if old and drawn and one.is_same(old) else self._drawn(one, width))
        self._blocks, self._strips = blocks, strips
        self._lines = [
            (strip, one.stop) for one, drawn in zip(blocks, strips, strict=True) for strip in drawn
        ]
        self._stops = [one.stop for one in blocks if one.stop]
        if len(before) != len(self._lines):
            self.virtual_size = Size(0, len(self._lines))
            self.refresh()
            return
        for number, (was, now) in enumerate(zip(before, self._lines, strict=True)):
            if was[0] != now[0]:
                self.refresh_line(number)

    def draw_anew(self) -> None:
        """Wrap and draw everything."""
        self._blocks, self._strips = [], []
        self.draw()

    def _drawn(self, one: Block, width: int) -> list[Strip]:
        drawn = []
        for indent, content in one.lines:
            left = [Segment(" " * min(indent, width - 1), self.rich_style)] if indent else []
            strips = Visual.to_strips(self, content, max(1, width - indent), None, self.visual_style)
            drawn += [Strip([*left, *strip]) for strip in strips]
        return drawn

    def on_mount(self) -> None:
        """Show what is known by now."""
        self.draw()

    def on_resize(self) -> None:
        """Wrap anew; on a small terminal this is the first time that there is room at all."""
        self.draw_anew()
        if self.has_focus and self.cursor:
            self._reveal(self.cursor)

    def notify_style_update(self) -> None:
        """Take on other colours."""
        super().notify_style_update()
        self.draw_anew()

    def render_line(self, y: int) -> Strip:
        """Draw one visible line; the cursor is a glyph beside it, too."""
        number = y + self.scroll_offset.y
        width = self.scrollable_content_region.width
        if number >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        strip, stop = self._lines[number]
        if stop is None or stop != self.cursor or not self.has_focus:
            return Strip([Segment(" ", self.rich_style), *strip]).adjust_cell_length(width, self.rich_style)
        cover = self.get_component_rich_style("pane--cursor")
        ground = Style(bgcolor=cover.bgcolor)
        segments = [Segment(text, (style or Style()) + ground) for text, style, _control in strip]
        return Strip([Segment(glyphs().cursor, cover), *segments]).adjust_cell_length(
            width, self.rich_style + ground
        )

    # Moving

    @property
    def cursor(self) -> Stop | None:
        """Where the cursor is: the first stop, until it is moved; None if there is none."""
        return self._chosen if self._chosen in self._stops else next(iter(self._stops), None)

    def forget(self) -> None:
        """Begin at the top again."""
        self._chosen = None
        self.go_to(0)

    def _span(self, stop: Stop | None) -> tuple[int, int]:
        """Return the first line of a stop and the one after its last."""
        numbers = [number for number, (_strip, there) in enumerate(self._lines) if there and there == stop]
        return (numbers[0], numbers[-1] + 1) if numbers else (0, 0)

    def move_to(self, stop: Stop) -> None:
        """Put the cursor on a stop, and as much of it as there is room for in sight."""
        self._chosen = stop
        self._reveal(stop)
        self.refresh()

    def _reveal(self, stop: Stop) -> None:
        first, end = self._span(stop)
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        if first < top:
            self.go_to(first)
        elif end > top + height:
            self.go_to(min(first, end - height))

    def go_to(self, line: int) -> None:
        """Scroll so that a line is the first one in sight, also where the scroll bar is yet to appear."""
        self.scroll_to(y=line, animate=False, force=True)

    def on_focus(self) -> None:
        """Show the cursor."""
        if self.cursor:
            self._reveal(self.cursor)
        self.refresh()

    def on_blur(self) -> None:
        """Hide the cursor."""
        self.refresh()

    def action_go(self, by: int) -> None:
        """Move to another stop; what is longer than the pane is scrolled first."""
        stops = self._stops
        here = stops.index(self.cursor) if self.cursor in stops else -1
        first, end = self._span(self.cursor)
        top, height = self.scroll_offset.y, self.scrollable_content_region.height
        hidden = top + height < end if by > 0 else top > first
        there = here + by
        if (self.cursor and hidden) or not 0 <= there < len(stops):
            self.go_to(top + by)
        else:
            self.move_to(stops[there])

    def action_page(self, by: int) -> None:
        """Scroll by a page; the cursor comes along."""
        height = self.scrollable_content_region.height
        top = min(max(0, self.scroll_offset.y + by * max(1, height - 1)), self.max_scroll_y)
        self.go_to(top)
        visible = [stop for _strip, stop in self._lines[top : top + height] if stop]
        if visible and self.cursor not in visible:
            self._chosen = visible[0] if by > 0 else visible[-1]
        self.refresh()

    def action_edge(self, to: int) -> None:
        """Go to the beginning or to the end."""
        if stops := self._stops:
            self._chosen = stops[0 if to < 0 else -1]
        self.go_to(0 if to < 0 else self.max_scroll_y)
        self.refresh()

    def stop_at(self, y: int) -> Stop | None:
        """Return what stands in a visible line, counted from the top, if the cursor can be on it."""
        number = y + self.scroll_offset.y
        return self._lines[number][1] if 0 <= number < len(self._lines) else None
