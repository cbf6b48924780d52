"""What every key does, read from the list the keys themselves come from, and what the glyphs mean."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.events import Resize
from textual.widgets import Static

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
            yield Static()

    def on_resize(self, event: Resize) -> None:
        """Break the lines anew."""
        del event
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        chosen = cast("Console", self.app).settings.keys
        window = self.query_one(VerticalScroll)
        self.query_one(Static).update(text(chosen, window.scrollable_content_region.width))

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


def text(chosen: Mapping[str, str], width: int) -> Content:
    """Return the whole help in lines of at most so many cells.

    Args:
        chosen: The keys that the operator has set, by the id of their binding.
        width: Cells.
    """
    parts: list[Content] = []
    for title, bindings in keys.GROUPS:
        rows = [
            (
                Content.styled(" ".join(map(keymap.written, keymap.keys_of(one, chosen))), "bold"),
                _(one.tooltip),
            )
            for one in bindings
        ]
        parts.append(_part(_(title), rows, width))
    parts.append(_part(_("States"), [(state(one), _(meaning)) for one, meaning in MEANING.items()], width))
    parts.append(
        _part(_("Verdicts"), [(verdict(one), _(meaning)) for one, meaning in VERDICTS.items()], width)
    )
    where = _("Keys, bell and mouse are set in {file}.").format(file=config_file())
    parts.append(_part(_("Settings"), [(Content(), where)], width))
    return Content("\n\n").join(parts)


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
