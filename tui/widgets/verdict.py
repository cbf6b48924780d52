"""The verdict line: what is released where, whether it may go, and the one reason that holds it most."""

from textual.content import Content
from textual.widgets import Static

from checklist.lifecycle import GREEN
from checklist.reports.status_report import StatusReport
from tui.words import outside


class Verdict(Static):
    """The top of the board."""

    DEFAULT_CSS = """
    Verdict {
        height: auto;
        max-height: 3;
        padding: 0 1;
    }
    """

    def show(self, report: StatusReport) -> None:
        """Show the decision as it stands."""
        head = report.checklist
        green = sum(item.state in GREEN for item in report.items)
        parts = [outside(part) for part in (head.title, head.release, head.environment) if part]
        title = Content("  ") + Content(" · ").join(parts).stylize("bold")
        count = Content.styled(f"  {green} of {len(report.items)} green", "$text-muted")
        gate = report.gate
        if gate.go:
            badge = Content.styled(f" {gate.line} ", "bold $text-success on $success-muted")
            why = Content("Every item is proven by the final check.")
        else:
            badge = Content.styled(f" {gate.line} ", "bold $text-error on $error-muted")
            first, *others = gate.reasons
            why = outside(first.replace("\n", " "))
            if others:
                why = Content.assemble(why, (f"  (and {len(others)} more)", "$text-muted"))
        self.update(Content.assemble(badge, title, count, "\n", why))
