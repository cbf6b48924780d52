"""What a line of the list says, as texts with a tone each; the list gives each tone its colour."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from rich.cells import cell_len

from checklist.glyphs import glyphs
from checklist.language import gettext as _
from checklist.language import ngettext
from checklist.lifecycle import GREEN, State
from checklist.reports.status_report import ItemReport
from checklist.reports.text import short_ago
from tui.ordering import Panel, Row
from tui.words import cut, elapsed, flat, one_line, spinner

SOON = 3
"""Days before an item is due from which it is marked: what is due on Monday is marked on Friday."""

MAX_DEPTH = 4
"""Steps that a chain of waiting items is indented at most: the title must stay legible."""

LEAST_TITLE, SHORT_TITLE = 12, 10
"""Cells of a title below which all but the glyph gives way; beside what it waits for, it may be short."""

ROOMY_TITLE = 24
"""Cells of a title from which there is room for columns."""

DUE, AGE, OWNER = 8, 6, 20
"""Cells of these columns."""

Cell = tuple[str, str]
"""A text and its tone: a state, a verdict, or "text", "muted", "late", "soon", "running", "key"."""


class Columns(NamedTuple):
    """Cells of each column; 0 where there is no room for it."""

    title: int
    state: int = 0
    due: int = 0
    age: int = 0
    owner: int = 0


def state_width(key: str) -> int:
    """Return the cells that every state fits in, with the key that some of them ask for."""
    return max(cell_len(_(state.value)) + (1 + cell_len(key)) * (state in _UNPROVEN) for state in State)


def columns(width: int, state: int) -> Columns:
    """Return what there is room for in a panel of a width in cells, given those of a state."""
    # Frame, cursor, glyph, and a blank before what follows each.
    title = max(0, width - 6)
    if title - state - 1 < LEAST_TITLE:
        return Columns(title)
    title -= state + 1
    if title - DUE - AGE - 2 < ROOMY_TITLE:
        return Columns(title, state)
    title -= DUE + AGE + 2
    if title - OWNER - 1 < ROOMY_TITLE:
        return Columns(title, state, DUE, AGE)
    return Columns(title - OWNER - 1, state, DUE, AGE, OWNER)


_UNPROVEN = (State.RESOLVED, State.STALE)


def wants_run(item: ItemReport) -> bool:
    """Tell whether a run of its probe is all that an item asks for."""
    return item.probe is not None and item.state in _UNPROVEN


def cells(
    row: Row, there: Columns, now: datetime, *, running: float | None, frame: int, key: str
) -> list[Cell]:
    """Return what the line of an item says, after the mark of the cursor.

    Args:
        row: The item in its place.
        there: The columns there is room for.
        now: The moment from which ages count.
        running: For how many seconds its probe has been running, if it is.
        frame: Which frame of the spinner.
        key: The key that runs a probe.
    """
    item = row.item
    tone = str(item.state) if running is None else "running"
    line: list[Cell] = [(f"{glyphs().states[item.state] if running is None else spinner(frame)} ", tone)]
    if there.state and running is not None:
        line.append((one_line(elapsed(running), there.state) + " ", tone))
    elif there.state:
        line += _state(item, there.state, key if wants_run(item) else "")
    waits = _waits(row.waits_for, there.owner or max(0, there.title - SHORT_TITLE - 1))
    line += _title(row, there.title, _tail(item, waits, there, now))
    if there.due:
        line += _fitted(_urgent(item) or _day(item, now), there.due)
        line += _fitted(_age(item, now), there.age)
    if there.owner:
        line += _fitted([(waits or cut(item.owner, there.owner), "muted")], there.owner)
    return line


def _state(item: ItemReport, width: int, key: str) -> list[Cell]:
    word = _(item.state.value)
    if not key:
        return [(one_line(word, width) + " ", str(item.state))]
    rest = width - cell_len(word) - cell_len(key)
    return [(f"{word} ", str(item.state)), (key, "key"), (" " * rest, "text")]


def _waits(items: Sequence[str], width: int) -> str:
    """What has to be seen to first, in at most so many cells."""
    names = ", ".join(items)
    told = _("waits for {items}").format(items=names)
    if cell_len(told) > width:
        told = f"{glyphs().arrow} {names}"
    return cut(told, width) if items else ""


def _title(row: Row, width: int, tail: Sequence[Cell]) -> list[Cell]:
    """The title, and at its end what there is no column for, if that leaves room for the title."""
    indent = "  " * (min(row.depth, MAX_DEPTH) - 1) + glyphs().branch if row.depth else ""
    title, tone = row.item.title, "text"
    if row.item.severity != "blocker":
        # Parentheses tell what is beside the point also where no colour does.
        title, tone = f"({title})", "muted"
    taken = sum(cell_len(text) for text, _tone in tail)
    left = width - taken - 1 if taken and width - taken > SHORT_TITLE else width
    if cell_len(indent) > left // 2:
        indent = ""
    line: list[Cell] = [(indent, "muted"), (one_line(title, left - cell_len(indent)), tone)]
    return line if left == width else [*line, (" ", "text"), *tail]


def _urgent(item: ItemReport) -> list[Cell]:
    """A mark of what is late or soon due; what is green presses no more."""
    if item.state in GREEN:
        return []
    if item.overdue:
        return [(_("late {age}").format(age=_days(item.days_late)), "late")]
    if item.days_left is None or item.days_left > SOON:
        return []
    mark = _("due {age}").format(age=_days(item.days_left)) if item.days_left else _("today")
    return [(mark, "soon")]


_YEAR = 365


def _days(number: int) -> str:
    """Return days in at most three cells: "3d", "20w", "7y"."""
    if number >= _YEAR:
        return f"{min(number // _YEAR, 99)}y"
    return f"{number // 7}w" if number > 99 else f"{number}d"  # noqa: PLR2004  # two digits fit


def _day(item: ItemReport, now: datetime) -> list[Cell]:
    if item.due is None:
        return []
    return [(f"{item.due:%m-%d}" if item.due.year == now.year else f"{item.due:%Y-%m}", "muted")]


def _age(item: ItemReport, now: datetime) -> list[Cell]:
    """When its probe last looked, and what it found: a state alone does not tell a doubt from a failure."""
    if (found := item.evidence) is None:
        return []
    age = short_ago((now - found.started_at).total_seconds())
    past = item.outdated or item.state is State.STALE
    return [(f"{glyphs().verdicts[found.verdict]} ", "muted" if past else str(found.verdict)), (age, "muted")]


def _tail(item: ItemReport, waits: str, there: Columns, now: datetime) -> list[Cell]:
    """What is told at the end of the title, as there is no column for it; only one thing has room."""
    if not there.state or there.owner:
        return []
    if waits:
        return [(waits, "muted")]
    if there.due:
        return []
    # What was found is one glyph; behind it, how the item presses matters more than when that was.
    found = _age(item, now)
    return [*found[:1], *urgent] if (urgent := _urgent(item)) else found


def _fitted(part: Sequence[Cell], width: int) -> list[Cell]:
    """A column: a blank, and what it says in exactly its cells; what is longer is cut."""
    line: list[Cell] = [(" ", "text")]
    for text, tone in part:
        line.append((text if cell_len(text) <= width else cut(text, width), tone))
        width -= cell_len(line[-1][0])
    return [*line, (" " * width, "text")]


def top(panel: Panel, width: int, *, here: bool) -> list[Cell]:
    """Return the upper frame of a panel: its name, how much of it is green, how much of it holds the gate."""
    frame = glyphs().frame_here if here else glyphs().frame
    left, right, across = frame[0], frame[1], frame[4]
    room = max(0, width - 8)
    name = flat(panel.title)
    # The name gives way to the shortest count, but not all of it.
    least = min(LEAST_TITLE, room // 2)
    counts = [text for text in _counts(panel) if cell_len(text) + min(cell_len(name), least) <= room]
    count = next((text for text in counts if cell_len(name) + cell_len(text) <= room), (counts or [""])[-1])
    name = cut(name, room - cell_len(count))
    line = across * (room - cell_len(name) - cell_len(count))
    return [
        (f"{left}{across} ", "frame"),
        (name, "text"),
        (f" {line} ", "frame"),
        (count, "muted"),
        (f" {across}{right}", "frame"),
    ]


def _counts(panel: Panel) -> list[str]:
    """What is told of a panel, the most telling first, so that the first which fits is taken."""
    green = f"{panel.green}/{panel.total}"
    if len(panel.rows) < panel.total:
        shown = _("{shown} of {total} shown").format(shown=len(panel.rows), total=panel.total)
        return [f"{shown} {glyphs().dot} {green}", shown]
    if not panel.holding:
        return [green]
    long = ngettext("{number} holds the gate", "{number} hold the gate", panel.holding)
    short = ngettext("{number} holds", "{number} hold", panel.holding)
    told = [text.format(number=panel.holding) for text in (long, short)]
    return [*(f"{text} {glyphs().dot} {green}" for text in told), green]


def bottom(width: int, *, here: bool) -> str:
    """Return the lower frame of a panel."""
    frame = glyphs().frame_here if here else glyphs().frame
    return f"{frame[2]}{frame[4] * max(0, width - 2)}{frame[3]}"
