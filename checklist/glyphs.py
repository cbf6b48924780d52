"""Every glyph there is, for terminals that show Unicode and for those that do not."""

from collections.abc import Mapping
from typing import NamedTuple

from checklist.language import is_utf8
from checklist.lifecycle import State
from probes.outcome import Verdict


class Glyphs(NamedTuple):
    """One set of glyphs; each is one cell wide unless it says otherwise.

    Attributes:
        states: One for each state; verified and attested differ: green belongs to the sensor.
        verdicts: One for each verdict.
        arrow: Before what to do next; one or two cells.
        ellipsis: Where text was cut; one or two cells.
        dot: Between parts of a line.
        branch: Before an item that stands under the one it waits for; two cells.
        spinner: Frames of something that runs.
        full: A cell of a bar that is filled.
        rest: A cell of a bar that is not.
        mark: Where the limit is in a bar.
        least: Before a limit that is the least there is to be; one or two cells.
        heights: Cells of a line of figures, from the lowest to the highest.
        frame: Corners and lines of a panel: top left, top right, bottom left, bottom right, across, down.
        frame_here: The same of the panel that has the cursor, so that it stands out without colour.
        boxes: A step that is to do, and one that is done; three cells each.
        cursor: Before the line of the cursor where no colour tells it.
    """

    states: Mapping[State, str]
    verdicts: Mapping[Verdict, str]
    arrow: str
    ellipsis: str
    dot: str
    branch: str
    spinner: str
    full: str
    rest: str
    mark: str
    least: str
    heights: str
    frame: str
    frame_here: str
    boxes: tuple[str, str]
    cursor: str


UNICODE = Glyphs(
    states={
        State.VERIFIED: "✓",
        State.ATTESTED: "●",
        State.WAIVED: "≈",
        State.RESOLVED: "○",
        State.REOPENED: "✗",
        State.STALE: "◌",
        State.INHIBITED: "·",
        State.OPEN: "□",
    },
    verdicts={Verdict.PASS: "✓", Verdict.WARN: "!", Verdict.FAIL: "✗", Verdict.UNKNOWN: "?"},
    arrow="→",
    ellipsis="…",
    dot="·",
    branch="└ ",
    spinner="⠋⠙⠸⠴⠦⠇",
    full="━",
    rest="─",
    mark="┃",
    least="≥",
    heights="▁▂▃▄▅▆▇█",
    frame="╭╮╰╯─│",
    frame_here="┏┓┗┛━┃",
    boxes=("[ ]", "[x]"),
    cursor="▌",
)
ASCII = Glyphs(
    states={
        State.VERIFIED: "+",
        State.ATTESTED: "@",
        State.WAIVED: "~",
        State.RESOLVED: "o",
        State.REOPENED: "x",
        State.STALE: "%",
        State.INHIBITED: ".",
        State.OPEN: "#",
    },
    verdicts={Verdict.PASS: "+", Verdict.WARN: "!", Verdict.FAIL: "x", Verdict.UNKNOWN: "?"},
    arrow="->",
    ellipsis="..",
    dot="-",
    branch="` ",
    spinner="|/-\\",
    full="#",
    rest="-",
    mark="|",
    least=">=",
    heights="_.-=+*%#",
    frame="++++-|",
    frame_here="++++=H",
    boxes=("[ ]", "[x]"),
    cursor=">",
)


class _Current:
    glyphs = UNICODE


def glyphs() -> Glyphs:
    """Return the set that was chosen."""
    return _Current.glyphs


def choose(*, unicode: bool | None = None) -> None:
    """Choose a set; without a word, the one for the locale of the environment."""
    _Current.glyphs = UNICODE if (is_utf8() if unicode is None else unicode) else ASCII
