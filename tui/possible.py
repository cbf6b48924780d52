"""What can be done now, and if it cannot, why: a key that does nothing says so."""

from collections.abc import Container

from checklist.language import gettext as _
from checklist.lifecycle import GREEN
from checklist.reports.status_report import ItemReport, StatusReport
from checklist.session import Session
from tui.runs import Runs
from tui.words import KeyOf

CHANGES = frozenset(
    {"mark", "run", "run_open", "final_check", "cancel", "reopen", "waive", "undo", "edit", "tick"}
)
"""Actions that run or change something; all others only move, look or leave."""


def why_not(
    action: str,
    item: ItemReport | None,
    session: Session,
    report: StatusReport,
    runs: Runs,
    *,
    key_of: KeyOf,
) -> str:
    """Return why an action cannot be done now, as a sentence; nothing if it can."""
    if session.readonly and action in CHANGES:
        return _("This console is read-only.")
    if item is None and action in {"run", "mark", "reopen", "waive", "copy"}:
        return _("There is no item here.")
    match action:
        case "run" if item:
            return _why_not_run(item, runs, key_of)
        case "run_open" | "final_check" if runs.check:
            return _("A check is running already; {key} stops it.").format(key=key_of("cancel"))
        case "run_open" if not to_run(report, runs):
            return _("Nothing to run: every item with a probe is green or running.")
        case "cancel" if not runs:
            return _("Nothing is running.")
        case "undo" if session.undoable is None:
            return _("There is no mark of this session to take back.")
        case "copy" if item and item.evidence is None:
            return _("{item} has no evidence yet.").format(item=item.id)
        case _:
            return ""


def to_run(report: StatusReport, runs: Container[str]) -> list[str]:
    """Return the items whose probe is to be run because they are not green, and are not running."""
    return [
        item.id for item in report.items if item.probe and item.state not in GREEN and item.id not in runs
    ]


def _why_not_run(item: ItemReport, runs: Container[str], key_of: KeyOf) -> str:
    if item.probe is None:
        manual = _("{item} is manual: it has no probe; {key} attests it.")
        return manual.format(item=item.id, key=key_of("mark"))
    if item.id in runs:
        return _("{item} is running already; {key} stops it.").format(item=item.id, key=key_of("cancel"))
    if item.waits_for:
        return _("{item} waits for {parents}.").format(item=item.id, parents=", ".join(item.waits_for))
    return ""
