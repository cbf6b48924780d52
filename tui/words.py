"""How facts are said on screen. Text from outside becomes `Content` here, never markup."""

from rich.cells import cell_len, set_cell_size
from textual.content import Content

from checklist.glyphs import glyphs
from checklist.language import gettext as _
from checklist.lifecycle import State
from probes.clean import strip
from probes.outcome import Verdict

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
    return Content.styled(f"{glyphs().states[found]} {_(found.value)}", STATE_STYLE[found])


def verdict(found: Verdict) -> Content:
    """Return a verdict as glyph and word."""
    return Content.styled(f"{glyphs().verdicts[found]} {_(found.value)}", VERDICT_STYLE[found])


def outside(text: str) -> Content:
    """Return text from outside as it is, with nothing in it that a terminal or Textual would obey."""
    return Content(strip(text))


def one_line(text: str, width: int) -> str:
    """Return text from outside in exactly `width` cells, with an ellipsis where it was cut."""
    flat = strip(text).replace("\n", " ").replace("\t", " ")
    if cell_len(flat) <= width:
        return set_cell_size(flat, width)
    more = glyphs().ellipsis
    return set_cell_size(set_cell_size(flat, max(0, width - len(more))).rstrip() + more, max(0, width))


def spinner(frame: int) -> str:
    """Return one frame of the glyph of something that runs."""
    frames = glyphs().spinner
    return frames[frame % len(frames)]


def elapsed(seconds: float) -> str:
    """Return how long something has been running: "3 s", "2 min 5 s"."""
    minutes, rest = divmod(int(seconds), 60)
    return _("{0} min {1} s").format(minutes, rest) if minutes else _("{0} s").format(rest)
