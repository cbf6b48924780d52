"""How the command ends, and the only place that writes to standard error."""

import contextlib
import sys
from collections.abc import Iterable
from enum import IntEnum
from typing import NoReturn

from checklist.lifecycle import GREEN
from checklist.reports.status_report import ItemReport, StatusReport
from checklist.reports.view import is_proven
from probes.clean import strip
from probes.outcome import Verdict


class Exit(IntEnum):
    """What the exit code of the command means; the same for every format."""

    GO = 0
    """The gate is open; or the items asked for are verified or attested; or the change is saved."""
    NO_GO = 1
    """The gate is closed; or an item asked for is not proven; or the journal is not as it was written."""
    USAGE = 2
    """The checklist, its status or the call is wrong: nothing was changed; or not everything was saved."""
    UNKNOWN = 3
    """Not GO, no item failed or is degraded, and at least one probe could not tell."""
    INTERRUPTED = 130
    """Stopped from the keyboard: 128 + SIGINT."""


def of_outcome(verdict: Verdict) -> Exit:
    """Return the exit code for the outcome of a single probe."""
    if verdict is Verdict.PASS:
        return Exit.GO
    return Exit.UNKNOWN if verdict is Verdict.UNKNOWN else Exit.NO_GO


def of_gate(report: StatusReport) -> Exit:
    """Return the exit code for the gate."""
    if report.gate.go:
        return Exit.GO
    return _shut(item for item in report.items if item.severity == "blocker" and item.state not in GREEN)


def of_items(items: Iterable[ItemReport]) -> Exit:
    """Return the exit code for a choice of items: each must be proven; a waiver is no proof."""
    unproven = [item for item in items if not is_proven(item)]
    return _shut(unproven) if unproven else Exit.GO


def _shut(items: Iterable[ItemReport]) -> Exit:
    verdicts = {item.evidence.verdict for item in items if item.evidence}
    doubtful = Verdict.UNKNOWN in verdicts and not verdicts & {Verdict.FAIL, Verdict.WARN}
    return Exit.UNKNOWN if doubtful else Exit.NO_GO


def narrate(text: str) -> None:
    """Say something about what is going on, in one line on standard error, if anybody listens there."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(" ".join(strip(text).splitlines()) + "\n")
            sys.stderr.flush()


def refuse(message: str) -> NoReturn:
    """Say what is wrong and end with `Exit.USAGE`."""
    narrate(f"gonogo: {message}")
    sys.exit(Exit.USAGE)
