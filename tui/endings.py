"""How a run or a check ended, in words for an operator who may have looked away."""

from textual.notifications import SeverityLevel

from checklist.events import CheckEnded, Ended
from checklist.language import gettext as _
from checklist.language import ngettext
from checklist.lifecycle import GREEN
from checklist.reports.status_report import StatusReport
from probes.outcome import Verdict
from tui.messages import Announced
from tui.runs import Runs
from tui.widgets.verdict import proof
from tui.words import KeyOf

LONG = 5.0
"""Seconds after which somebody may have looked away from a single run, so that its end is told."""


def of_run(ended: Ended, runs: Runs) -> Announced | None:
    """Return what to tell of a single run; nothing if it was short, was stopped, or belongs to a check."""
    if runs.check or ended.outcome is None or runs.lasted < LONG:
        return None
    severity: SeverityLevel = "information" if ended.outcome.verdict is Verdict.PASS else "error"
    return Announced(f"{ended.item}: {_(ended.outcome.verdict.value)}", ended.outcome.summary, severity)


def of_check(ended: CheckEnded, report: StatusReport, key_of: KeyOf, *, resumable: bool) -> Announced:
    """Return what to tell of a check of several items."""
    key = key_of("final-check")
    title = _("Final check") if ended.final else _("Run open")
    if not ended.final:
        return Announced(title, _open(report, key) if ended.whole else _("It was stopped."))
    if not ended.whole:
        on = _("It was stopped, so it does not count. {key} goes on with it.")
        anew = _("It was stopped, so it does not count. {key} begins anew: something changed since.")
        return Announced(title, (on if resumable else anew).format(key=key), "warning")
    if ended.record is None:
        why = _("It does not count: another was begun, the checklist was edited, or it was not saved.")
        return Announced(title, why, "error")
    gate = report.gate
    return Announced(gate.line, proof(report)) if gate.go else Announced(gate.line, gate.reasons[0], "error")


def _open(report: StatusReport, key: str) -> str:
    # An advisory item that is not green would be one item more than there is to do.
    number = sum(item.severity == "blocker" and item.state not in GREEN for item in report.items)
    if number == 0:
        return _("No item holds the gate. {key} runs the final check, which alone can make GO.").format(
            key=key
        )
    text = ngettext("{number} item holds the gate.", "{number} items hold the gate.", number)
    return text.format(number=number)
