"""How the command ends, and the only place that writes to standard error."""

import sys
from enum import IntEnum
from typing import NoReturn

from checklist.lifecycle import GREEN
from checklist.reports.status_report import ItemReport, StatusReport
from probes.clean import strip
from probes.outcome import Verdict


class Exit(IntEnum):
    """What the exit code of the command means; the same for every format."""

    GO = 0
    """The gate is open; or the items that were asked for are verified; or the change is saved."""
    NO_GO = 1
    """The gate is closed; or an item that was asked for is not verified."""
    USAGE = 2
    """The checklist, its status or the call is wrong; nothing was changed."""
    UNKNOWN = 3
    """Not GO, no item failed, and at least one probe could not tell."""
    INTERRUPTED = 130
    """Stopped from the keyboard: 128 + SIGINT."""


def of_outcome(verdict: Verdict) -> Exit:
    """Return the exit code for the outcome of a single probe."""
    if verdict is Verdict.PASS:
        return Exit.GO
    return Exit.UNKNOWN if verdict is Verdict.UNKNOWN else Exit.NO_GO


def of_gate(report: StatusReport) -> Exit:
    """Return the exit code for the gate."""
    return Exit.GO if report.gate.go else _closed(report.items)


def of_items(items: tuple[ItemReport, ...]) -> Exit:
    """Return the exit code for a choice of items: each must be green."""
    return Exit.GO if all(item.state in GREEN for item in items) else _closed(items)


def _closed(items: tuple[ItemReport, ...]) -> Exit:
    verdicts = [item.evidence.verdict if item.evidence else None for item in items if item.state not in GREEN]
    doubtful = Verdict.UNKNOWN in verdicts and Verdict.FAIL not in verdicts and Verdict.WARN not in verdicts
    return Exit.UNKNOWN if doubtful else Exit.NO_GO


def narrate(text: str) -> None:
    """Say something about what is going on, on standard error."""
    print(strip(text), file=sys.stderr, flush=True)  # noqa: T201  # this is the place that prints


def refuse(message: str) -> NoReturn:
    """Say what is wrong and end with `Exit.USAGE`."""
    narrate(f"gonogo: {message}")
    sys.exit(Exit.USAGE)
