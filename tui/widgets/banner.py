"""Says what is wrong with the files, or what this console may not do, for as long as it is so."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from tui.words import outside


class Banner(Static):
    """A few lines below the verdict; not there while there is nothing to say."""

    DEFAULT_CSS = """
    Banner {
        height: auto;
        max-height: 4;
        padding: 0 1;
        color: $text-warning;
        background: $warning-muted;
        display: none;
        &.-said { display: block; }
    }
    """

    def show(self, lines: Sequence[str]) -> None:
        """Show lines, or nothing."""
        self.set_class(bool(lines), "-said")
        self.update(Content("\n").join(map(outside, lines)).stylize("bold"))
