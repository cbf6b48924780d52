"""What is on a screen, as text that a person can review, and as an SVG.

pytest-textual-snapshot is not used: it pins a syrupy that holds pytest back to 8.x, and its pictures are SVG
alone, in which nobody sees what has changed. This reads the very strips that Textual makes an SVG of.
"""

import io
import re
from collections.abc import Mapping, Sequence
from html import escape, unescape
from itertools import groupby
from string import ascii_letters
from typing import Any, NamedTuple

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.cells import cell_len
from rich.console import Console as Printer
from rich.console import RenderableType
from rich.style import Style
from textual._compositor import LayoutUpdate
from textual.app import App

Cell = tuple[str, str]
"""A character and how it is drawn."""

WIDTH = 12.2
"""Units between two columns in an SVG of Rich."""

_FONT = re.compile(r"\s*@font-face \{\{.*?\}\}", re.DOTALL)
_TEXT = re.compile(
    r'<text class="(?P<style>[^"]+)" x="(?P<x>[^"]+)" (?P<y>y="[^"]+") '
    r'textLength="[^"]+" (?P<clip>clip-path="[^"]+")>(?P<text>[^<]*)</text>'
)


class Shot(NamedTuple):
    """A screen at one moment."""

    width: int
    height: int
    drawn: RenderableType
    lines: list[list[Cell]]

    @property
    def size(self) -> str:
        """Columns and lines, as in "80x24"."""
        return f"{self.width}x{self.height}"

    @property
    def text(self) -> list[str]:
        """The characters of each line."""
        return ["".join(char for char, _ in line) for line in self.lines]


def shoot(app: App[Any]) -> Shot:
    """Take the screen as it is now, with what shows through from behind it."""
    update = app.screen._compositor.render_update(
        full=True, screen_stack=app._background_screens, simplify=True
    )
    assert isinstance(update, LayoutUpdate)
    lines = [
        [(char, _words(style)) for strip in line for text, style, _ in strip for char in text]
        for line in update.strips
    ]
    return Shot(*app.size, update, lines)


def _words(style: Style | None) -> str:
    """Say how something is drawn: colour, ground, and what else there is to it."""
    if style is None:
        return "plain"
    colours = [
        color.get_truecolor().hex if color and not color.is_default else "default"
        for color in (style.color, style.bgcolor)
    ]
    kinds = ("bold", "dim", "italic", "underline", "reverse", "strike", "blink")
    return " ".join([" on ".join(colours), *(kind for kind in kinds if getattr(style, kind))])


def written(shots: Sequence[Mapping[str, Shot]], before: str = "") -> str:
    """Return screens as text: at each size, the characters, then which style each of them has.

    Themes differ in nothing but styles, so that one map serves all: a letter stands for one style in each.

    Args:
        shots: For each size, the screen by theme; they are alike.
        before: Such a text from before: letters stay as they were in it, so that a change stays small.
    """
    letters = _legend(before)
    known = set(letters.values())
    free = (name for name in _names() if name not in known)
    parts, used = [], set()
    for themes in shots:
        first = next(iter(themes.values()))
        parts += [f"== {first.size}", *(line.rstrip() for line in first.text), "-- styles"]
        for line in zip(*(shot.lines for shot in themes.values()), strict=True):
            runs = []
            cells = zip(*([style for _, style in side] for side in line), strict=True)
            for styles, run in groupby(cells):
                shown = " | ".join(f"{theme} {style}" for theme, style in zip(themes, styles, strict=True))
                name = letters.setdefault(shown, "") or letters.update({shown: next(free)}) or letters[shown]
                used.add(shown)
                runs.append(f"{name}{len(list(run))}")
            parts.append(" ".join(runs))
    legend = [f"{name:<2} {shown}" for shown, name in letters.items() if shown in used]
    return "\n".join(
        [*parts, "== legend", *sorted(legend, key=lambda line: (len(line.split()[0]), line)), ""]
    )


def alike(themes: Mapping[str, Shot]) -> bool:
    """Tell whether the screens of all themes show the same: one theme must not hide what another shows."""
    first, *others = themes.values()
    return all(other.text == first.text for other in others)


def _legend(text: str) -> dict[str, str]:
    lines = text.partition("== legend\n")[2].splitlines()
    return {shown.strip(): name for name, shown in (line.split(" ", 1) for line in lines)}


def _names() -> Any:
    yield from ascii_letters
    yield from (letter + other for other in ascii_letters for letter in ascii_letters)


def svg(shot: Shot, title: str = "gonogo") -> str:
    """Return a screen as an SVG that refers to nothing outside of it."""
    printer = Printer(
        width=shot.width,
        height=shot.height,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        record=True,
        legacy_windows=False,
        safe_box=False,
    )
    printer.print(shot.drawn)
    form = _FONT.sub("", CONSOLE_SVG_FORMAT)
    drawn = printer.export_svg(title=title, code_format=form, unique_id="gonogo")
    return "\n".join(line.rstrip() for line in _TEXT.sub(_spread, drawn).splitlines()) + "\n"


def _spread(found: re.Match[str]) -> str:
    """Put every wide character where its columns are: Rich gives it the room of one."""
    x, parts = float(found["x"]), []
    for _, run in groupby(unescape(found["text"]), cell_len):
        text = "".join(run)
        ends = x + cell_len(text) * WIDTH
        inner = text.strip("\N{NO-BREAK SPACE}")
        x += (len(text) - len(text.lstrip("\N{NO-BREAK SPACE}"))) * WIDTH
        places = [x + cell_len(inner[:number]) * WIDTH for number in range(len(inner))]
        if cell_len(inner) == len(inner):
            where = f'x="{x:g}" {found["y"]} textLength="{cell_len(inner) * WIDTH:g}"'
        else:
            where = f'x="{" ".join(f"{place:g}" for place in places)}" {found["y"]}'
        words = escape(inner).replace("\N{NO-BREAK SPACE}", "&#160;")
        if inner:
            parts.append(f'<text class="{found["style"]}" {where} {found["clip"]}>{words}</text>')
        x = ends
    return "\n".join(parts)
