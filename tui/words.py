"""How facts are said on screen. Text from outside becomes `Content` here, never markup."""

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from checklist.lifecycle import State
from checklist.reports.text import GLYPHS, VERDICT_GLYPHS
from probes.clean import strip
from probes.outcome import Verdict

SPINNER = "⠋⠙⠸⠴⠦⠇"
"""One frame a quarter of a second, only while something runs."""

STATE_STYLE = {
    State.VERIFIED: "$text-success",
    State.ATTESTED: "$text-accent",
    State.WAIVED: "$text-secondary",
    State.RESOLVED: "$text-warning",
    State.STALE: "$text-warning",
    State.INHIBITED: "$foreground-muted",
    State.REOPENED: "$text-error",
    State.OPEN: "$text-error",
}
VERDICT_STYLE = {
    Verdict.PASS: "$text-success",
    Verdict.WARN: "$text-warning",
    Verdict.FAIL: "$text-error",
    Verdict.UNKNOWN: "$text-accent",
}


def state(found: State) -> Content:
    """Return a state as glyph and word."""
    return Content.styled(f"{GLYPHS[found]} {found}", STATE_STYLE[found])


def verdict(found: Verdict) -> Content:
    """Return a verdict as glyph and word."""
    return Content.styled(f"{VERDICT_GLYPHS[found]} {found}", VERDICT_STYLE[found])


def outside(text: str) -> Content:
    """Return text from outside as it is, with nothing in it that a terminal or Textual would obey."""
    return Content(strip(text))


def one_line(text: str, width: int) -> str:
    """Return text from outside in exactly `width` cells, with an ellipsis where it was cut."""
    flat = strip(text).replace("\n", " ").replace("\t", " ")
    if cell_len(flat) <= width:
        return set_cell_size(flat, width)
    return set_cell_size(set_cell_size(flat, max(0, width - 1)).rstrip() + "…", max(0, width))


def elapsed(seconds: float) -> str:
    """Return how long something has been running: "3 s", "2 min 5 s"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
