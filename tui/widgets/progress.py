"""One line while probes run: how far a check is, what is running and for how long, what is wrong so far."""

from collections.abc import Mapping

from textual.content import Content
from textual.widgets import Static

from probes.outcome import Verdict
from tui.words import VERDICT_STYLE, elapsed, spinner

BAR = 20
"""Cells of the bar."""


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
        if not self.has_class("-running"):
            return
        filled = BAR * len(done) // total if total else 0
        parts: list[Content] = [
            Content.styled(f"{spinner(frame)} {title} {len(done)}/{total} ", "bold"),
            Content.styled("━" * filled, "$text-primary"),
            Content.styled("─" * (BAR - filled), "$foreground-muted"),
        ]
        for verdict, word in (
            (Verdict.FAIL, "failed"),
            (Verdict.WARN, "degraded"),
            (Verdict.UNKNOWN, "unknown"),
        ):
            if number := sum(found is verdict for found in done.values()):
                parts.append(Content.styled(f" {number} {word}", VERDICT_STYLE[verdict]))
        oldest = sorted(running.items(), key=lambda entry: -entry[1])
        parts.append(Content("  " + ", ".join(f"{item} {elapsed(seconds)}" for item, seconds in oldest)))
        self.update(Content("").join(parts), layout=False)
