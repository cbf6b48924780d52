"""The verdict line: what is released where, whether it may go, and the one reason that holds it most."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from checklist.lifecycle import GREEN, counts
from checklist.reports.status_report import StatusReport
from tui.words import one_line, outside

WHY_LINES = 2


class VerdictLine(Vertical):
    """The top of the board: one line that says what, up to two that say why."""

    DEFAULT_CSS = """
    VerdictLine {
        height: auto;
        padding: 0 1;
        #what { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #why { height: auto; max-height: 2; }
    }
    """

    def __init__(self) -> None:
        """Show nothing yet."""
        super().__init__()
        self._report: StatusReport | None = None

    def compose(self) -> ComposeResult:
        """What, and why."""
        yield Static(id="what")
        yield Static(id="why")

    def show(self, report: StatusReport) -> None:
        """Show the decision as it stands."""
        self._report = report
        self._draw()

    def on_resize(self) -> None:
        """Fit the reason anew."""
        self._draw()

    def _draw(self) -> None:
        if (report := self._report) is None:
            return
        head, gate = report.checklist, report.gate
        green = sum(item.state in GREEN for item in report.items)
        parts = [
            outside(part.replace("\n", " ")) for part in (head.title, head.release, head.environment) if part
        ]
        title = Content(" · ").join(parts).stylize("bold")
        style = "bold reverse $text-success" if gate.go else "bold reverse $text-error"
        count = f"  {green} of {len(report.items)} green  "
        what = Content.assemble((f" {gate.line} ", style), (count, "$foreground-muted"), title)
        self.query_one("#what", Static).update(what)
        self.query_one("#why", Static).update(Content(proof(report)) if gate.go else self._why(gate.reasons))

    def _why(self, reasons: tuple[str, ...]) -> Content:
        more = f"  (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        # Words wrap, so that a line is never quite full.
        room = WHY_LINES * (self.size.width - 10) - len(more)
        why = one_line(reasons[0], max(10, room)).rstrip()
        return Content.assemble(Content(why), (more, "$foreground-muted"))


def proof(report: StatusReport) -> str:
    """Say on what a GO rests: what was sensed, what somebody answers for, what is only accepted."""
    blockers = {item.id: item.state for item in report.items if item.severity == "blocker"}
    return (
        "Nothing holds it: "
        + ", ".join(f"{number} {state}" for state, number in counts(blockers).items())
        + "."
    )
