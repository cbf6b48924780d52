"""How facts are said on screen. Text from outside becomes `Content` here, never markup."""

import re
from collections.abc import Callable
from typing import Any
from unicodedata import normalize

from rich.cells import cell_len, set_cell_size
from textual.app import App
from textual.content import Content

from checklist.glyphs import glyphs
from checklist.language import gettext as _
from checklist.lifecycle import RefusedError, State
from checklist.reading import FileError
from checklist.store import StoreError
from probes.clean import strip
from probes.outcome import Verdict
from tui import keymap

KeyOf = Callable[[str], str]
"""How the key of a binding is written, by the binding's id."""

STATE_STYLE = {
    State.VERIFIED: "$text-success",
    State.ATTESTED: "$text-primary",
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
    return Content(_even(strip(text)))


def trouble(error: Exception) -> str:
    """Say what went wrong. What is none of the console's own refusals is a bug, and is called so."""
    if isinstance(error, (RefusedError, FileError, StoreError)):
        return str(error)
    return _("This is a bug in gonogo: {what}").format(what=f"{type(error).__name__}: {error}")


# Joiners and variation selectors make other glyphs of their neighbours, and every terminal knows other ones.
_JOINER = re.compile("[\u200b-\u200d\u2060\ufe00-\ufe0f\ufeff]")


def flat(text: str) -> str:
    """Return text from outside as one line that every terminal draws in the same number of cells."""
    return _even(" ".join(strip(text).split()))


def _even(text: str) -> str:
    # Hangul may come in parts that are drawn apart.
    return _JOINER.sub("", normalize("NFC", text))


def one_line(text: str, width: int) -> str:
    """Return text from outside in exactly `width` cells, with an ellipsis where it was cut."""
    return padded(cut(text, width), width)


def cut(text: str, width: int) -> str:
    """Return text from outside in at most `width` cells, with an ellipsis where it was cut."""
    line = flat(text)
    if cell_len(line) <= width:
        return line
    more = glyphs().ellipsis
    if width <= len(more):
        return more[: max(0, width)]
    return set_cell_size(line, width - len(more)).rstrip() + more


def padded(text: str, width: int) -> str:
    """Return a line with blanks behind it up to a width in cells."""
    return text + " " * (width - cell_len(text))


def key_of(app: App[Any], name: str) -> str:
    """Return how the key of a binding is written, by the id of the binding; people may have given it another.

    It is the same wherever the focus is: what stands on screen does not change with that.
    """
    chosen = app._keymap  # noqa: SLF001  # Textual has no other way to ask for it
    return keymap.written(keymap.keys_of(keymap.bindings()[name], chosen)[0])


def spinner(frame: int) -> str:
    """Return one frame of the glyph of something that runs."""
    frames = glyphs().spinner
    return frames[frame % len(frames)]


def elapsed(seconds: float) -> str:
    """Return how long something has been running: "3 s", "2 min 5 s"."""
    minutes, rest = divmod(int(seconds), 60)
    return _("{0} min {1} s").format(minutes, rest) if minutes else _("{0} s").format(rest)
