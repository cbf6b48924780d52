"""What every key does, read from the list the keys themselves come from, and what the glyphs mean."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from checklist.language import gettext as _
from checklist.language import marked
from checklist.lifecycle import MEANING
from probes.outcome import Verdict
from tui import keymap, keys
from tui.page import Window
from tui.settings import config_file
from tui.words import outside, state, verdict

if TYPE_CHECKING:
    from tui.app import Console

COLUMN = 20
"""Cells for keys and states, before what they mean."""

NARROW = 50
"""Cells below which the meaning stands under the key."""

VERDICTS = {
    Verdict.PASS: marked("what was measured is as it must be"),
    Verdict.WARN: marked("it works, and is near its limit or worse than it should be; it proves nothing"),
    Verdict.FAIL: marked("what was measured is not as it must be"),
    Verdict.UNKNOWN: marked("the probe could not tell; the reason says why, and it never counts as passed"),
}

Line = tuple[Content, str]


class Help(Window[None]):
    """Keys, states and verdicts."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.HELP)
    DEFAULT_CSS = """
    Help {
        align: center middle;
    }
    """

    def compose(self) -> ComposeResult:
        """One text."""
        with VerticalScroll(classes="window") as window:
            window.border_title = _("Help")
            window.border_subtitle = _("esc goes back")
            yield _Text()

    def action_close(self) -> None:
        """Go back."""
        self.dismiss()

    def action_scroll(self, lines: int) -> None:
        """Go up or down by lines."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_page(self, way: int) -> None:
        """Go up or down by a page."""
        window = self.query_one(VerticalScroll)
        window.scroll_relative(y=way * max(1, window.scrollable_content_region.height - 1), animate=False)

    def action_edge(self, way: int) -> None:
        """Go to the beginning or to the end."""
        window = self.query_one(VerticalScroll)
        window.scroll_to(y=0 if way < 0 else window.max_scroll_y, animate=False)


class _Text(Widget):
    """The text, broken into lines for the width there is."""

    DEFAULT_CSS = """
    _Text {
        height: auto;
    }
    """

    def _lines(self, width: int) -> Content:
        return text(cast("Console", self.app).settings.keys, width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the number of lines."""
        del container, viewport
        return self._lines(width).plain.count("\n") + 1

    def render(self) -> Content:
        """Return the lines."""
        return self._lines(self.size.width)


def text(chosen: Mapping[str, str], width: int) -> Content:
    """Return the whole help in lines of at most so many cells.

    Args:
        chosen: The keys that the operator has set, by the id of their binding.
        width: Cells.
    """
    groups = [_part(_(title), [_row(one, chosen) for one in some], width) for title, some in keys.GROUPS]
    meanings = [(state(one), _(meaning)) for one, meaning in MEANING.items()]
    advisory = (Content("( )"), _("advisory: it does not hold the gate"))
    states = _part(_("States"), [*meanings, advisory], width)
    verdicts = _part(_("Verdicts"), [(verdict(one), _(meaning)) for one, meaning in VERDICTS.items()], width)
    where = _("Keys, bell and mouse are set in {file}.").format(file=config_file())
    settings = _part(_("Settings"), [(Content(), where)], width)
    # First what is wanted most: what can be done with an item, and what its glyph means.
    return Content("\n\n").join([groups[0], states, verdicts, *groups[1:], settings])


def _row(binding: Binding, chosen: Mapping[str, str]) -> Line:
    written = " ".join(map(keymap.written, keymap.keys_of(binding, chosen)))
    return Content.styled(written, "bold"), _(binding.tooltip)


def _part(title: str, rows: Iterable[Line], width: int) -> Content:
    lines = [Content.styled(title, "bold $text-primary")]
    column = 2 if width < NARROW else COLUMN
    for first, meaning in rows:
        wrapped = outside(meaning).wrap(max(1, width - column))
        # What is too long for its column stands on a line of its own, as every key does on a narrow screen.
        if first.cell_length >= column or not first:
            lines += first.wrap(max(1, width)) if first else []
            lines += [Content(" " * column if first else "") + line for line in wrapped]
        else:
            lines.append(first.pad_right(column - first.cell_length) + wrapped[0])
            lines += [Content(" " * column) + line for line in wrapped[1:]]
    return Content("\n").join(lines)
