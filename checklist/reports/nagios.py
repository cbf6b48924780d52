"""One line and performance data, for Nagios and whatever runs its plugins.

The form is that of the Monitoring Plugins Development Guidelines: text, `|`, and
`label=value[unit];warn;crit;min;max` separated by spaces. Ages are in seconds, `days_late` in days.
"""

from checklist.language import gettext as _
from checklist.lifecycle import State
from checklist.reports.blocks import one_line
from checklist.reports.view import View, held, verdict

_WORDS = {0: "OK", 1: "WARNING", 3: "UNKNOWN"}
"""What Nagios makes of these exit codes."""

_ROOM = {"reason": 2_000, "waived": 1_000}
"""Bytes of text that are kept: NRPE and older Nagios cut a plugin's output at 4 KiB."""

# A bar begins the performance data. A backslash and an `n` are a line break in a passive result.
_HARMLESS = str.maketrans({"|": "¦", "\\": "/"})


def render(view: View) -> str:
    """Return the report as the output of a Nagios plugin."""
    words = [f"GONOGO {_WORDS.get(view.code, 'UNKNOWN')}: {verdict(view)}"]
    if holds := held(view):
        more = _(" (and {number} more)").format(number=len(holds) - 1) if holds[1:] else ""
        words.append(_cut(holds[0].line, _ROOM["reason"]) + more)
    waived = [item.id for item in view.report.items if item.state is State.WAIVED]
    if waived:
        words.append(_cut(_("waived: {items}").format(items=", ".join(waived)), _ROOM["waived"]))
    return f"{', '.join(words)} | {' '.join(_figures(view))}\n"


def _figures(view: View) -> list[str]:
    items = view.report.items
    figures = [f"{state}={sum(item.state is state for item in items)};;;0;{len(items)}" for state in State]
    ages = [(view.now - item.evidence.started_at).total_seconds() for item in items if item.evidence]
    if ages:
        # Evidence from the future has no age; that it counts for nothing is said by the states.
        figures.append(f"oldest_evidence={max(0, *ages):.0f}s;;;0")
    figures.append(f"days_late={max((item.days_late for item in items), default=0)};;;0")
    return figures


def _cut(words: str, room: int) -> str:
    harmless = one_line(words).translate(_HARMLESS)
    raw = harmless.encode()
    return harmless if len(raw) <= room else raw[:room].decode(errors="ignore") + "…"
