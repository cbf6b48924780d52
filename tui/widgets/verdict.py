"""The verdict line: what is released where, whether it may go, and the one reason that holds it most."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from checklist.lifecycle import GREEN
from checklist.reports.status_report import StatusReport
from tui.words import outside


class Verdict(Vertical):
    """The top of the board: one line that says what, up to two that say why."""

    DEFAULT_CSS = """
    Verdict {
        height: auto;
        padding: 0 1;
        #what { height: 1; text-wrap: nowrap; text-overflow: ellipsis; }
        #why { height: auto; max-height: 2; }
    }
    """

    def compose(self) -> ComposeResult:
        """What, and why."""
        yield Static(id="what")
        yield Static(id="why")

    def show(self, report: StatusReport) -> None:
        """Show the decision as it stands."""
        head = report.checklist
        green = sum(item.state in GREEN for item in report.items)
        parts = [
            outside(part.replace("\n", " ")) for part in (head.title, head.release, head.environment) if part
        ]
        title = Content(" · ").join(parts).stylize("bold")
        gate = report.gate
        if gate.go:
            style, why = "bold reverse $text-success", Content("Every item is proven by the final check.")
        else:
            first, *others = gate.reasons
            style, why = "bold reverse $text-error", outside(first.replace("\n", " "))
            if others:
                why = Content.assemble(why, (f"  (and {len(others)} more)", "$foreground-muted"))
        count = f"  {green} of {len(report.items)} green  "
        what = Content.assemble((f" {gate.line} ", style), (count, "$foreground-muted"), title)
        self.query_one("#what", Static).update(what)
        self.query_one("#why", Static).update(why)
