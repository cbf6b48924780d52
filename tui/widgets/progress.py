"""One line while probes run: how far a check is, what is running and for how long, what is wrong so far."""

from collections.abc import Callable, Mapping
from functools import partial

from textual.content import Content
from textual.widgets import Static

from checklist.glyphs import glyphs
from probes.outcome import Verdict
from tui.words import VERDICT_STYLE, elapsed, spinner

BAR = 20
NARROW_BAR = 7
"""Cells of the bar, where there is room and where there is not."""

WIDE = 100
"""Cells from which there is room."""


class Progress(Static):
    """The line above the footer; it is there only while something runs."""

    DEFAULT_CSS = """
    Progress {
        height: 1;
        padding: 0 1;
        background: $surface;
        display: none;
        text-wrap: nowrap;
        text-overflow: ellipsis;
        &.-running { display: block; }
    }
    """

    _again: Callable[[], None] | None = None

    def on_resize(self) -> None:
        """Fit the line anew."""
        if self._again:
            self._again()

    def show(
        self,
        running: Mapping[str, float],
        frame: int,
        *,
        title: str,
        done: Mapping[str, Verdict | None],
        total: int,
    ) -> None:
        """Show a moment of a run.

        Args:
            running: Seconds by item that is running.
            frame: Which frame of the spinner.
            title: What kind of run it is.
            done: The verdict by item that has ended; None for one that was stopped.
            total: How many items the run has.
        """
        self.set_class(bool(running) or len(done) < total, "-running")
        self._again = partial(self.show, running, frame, title=title, done=done, total=total)
        if not self.has_class("-running"):
            return
        room = self.app.size.width >= WIDE
        cells = BAR if room else NARROW_BAR
        filled = cells * len(done) // total if total else 0
        parts: list[Content] = [
            Content.styled(f"{title} {len(done)}/{total} ", "bold"),
            Content.styled(glyphs().full * filled, "$text-primary"),
            Content.styled(glyphs().rest * (cells - filled), "$foreground-muted"),
        ]
        for verdict in (Verdict.FAIL, Verdict.WARN, Verdict.UNKNOWN):
            if items := [item for item, found in done.items() if found is verdict]:
                parts.append(Content.styled(f"  {glyphs().verdicts[verdict]} ", VERDICT_STYLE[verdict]))
                parts.append(Content.styled(", ".join(items), VERDICT_STYLE[verdict]))
        oldest = sorted(running.items(), key=lambda entry: -entry[1])
        running_now = ", ".join(f"{item} {elapsed(seconds)}" for item, seconds in oldest)
        if running_now:
            parts.append(Content(f"  {spinner(frame)} {running_now}"))
        self.update(Content("").join(parts), layout=False)
