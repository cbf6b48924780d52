"""Text exposition for Prometheus, as the textfile collector of node_exporter reads it.

Every series is a gauge and carries the checklist and its environment, since the files of several of them may
lie in the collector's one folder. Samples have no timestamps: the collector refuses a file that has any.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from checklist.lifecycle import State
from checklist.reports.blocks import one_line
from checklist.reports.status_report import ItemReport
from checklist.reports.view import View, number

_HELP = {
    "gonogo_go": "1 if the gate is open (GO), else 0.",
    "gonogo_proven": "1 if every chosen item is verified or attested, else 0.",
    "gonogo_reasons": "How many reasons hold the gate.",
    "gonogo_final_check_timestamp_seconds": "When the last final check ended.",
    "gonogo_items": "How many items are in a state.",
    "gonogo_item_state": "1 for the state that an item is in.",
    "gonogo_item_verdict": "1 for what the newest evidence of an item says.",
    "gonogo_item_late_seconds": "By how long, in whole days, an item was claimed late or is late.",
    "gonogo_item_evidence_timestamp_seconds": "When the run began that the newest evidence is from.",
    "gonogo_item_evidence_duration_seconds": "How long that run took.",
    "gonogo_item_attestation_timestamp_seconds": "When a manual item was last attested.",
    "gonogo_item_waiver_end_timestamp_seconds": "When the last day ends for which an item is waived.",
    "gonogo_check_observed": "What a line of evidence observed, in the unit of the label.",
    "gonogo_check_limit": "The limit it was held against, in the unit of the label.",
}
"""What each metric means, in the order in which they are written."""

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


class _Sample(NamedTuple):
    name: str
    value: float
    labels: dict[str, str]


def render(view: View) -> str:
    """Return the report in the text exposition format."""
    head = view.report.checklist
    common = {"checklist": head.title, "environment": head.environment}
    written: dict[str, list[str]] = {name: [] for name in _HELP}
    for name, value, labels in (*_whole(view), *_each(view.report.items)):
        written[name].append(f"{name}{_labels(common | labels)} {repr(value).removesuffix('.0')}\n")
    return "".join(
        f"# HELP {name} {_HELP[name]}\n# TYPE {name} gauge\n{''.join(series)}"
        for name, series in written.items()
        if series
    )


def _labels(labels: dict[str, str]) -> str:
    cleaned = {name: one_line(value) for name, value in labels.items()}
    written = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in cleaned.items() if value)
    return f"{{{written}}}" if written else ""


def _whole(view: View) -> Iterator[_Sample]:
    yield _Sample("gonogo_proven" if view.chosen else "gonogo_go", int(view.code == 0), {})
    if not view.chosen:
        yield _Sample("gonogo_reasons", len(view.report.gate.reasons), {})
    if final := view.report.final_check:
        yield _Sample("gonogo_final_check_timestamp_seconds", final.finished_at.timestamp(), {})
    for state in State:
        count = sum(item.state is state for item in view.report.items)
        yield _Sample("gonogo_items", count, {"state": state})


def _each(items: Iterable[ItemReport]) -> Iterator[_Sample]:
    for item in items:
        about = {"item": item.id}
        kind = {"section": item.section, "owner": item.owner, "severity": item.severity}
        yield _Sample("gonogo_item_state", 1, {**about, **kind, "state": item.state})
        # Seconds, since promtool asks for base units.
        late = timedelta(days=item.days_late).total_seconds()
        yield _Sample("gonogo_item_late_seconds", late, about)
        if item.attestation:
            said = item.attestation.at.timestamp()
            yield _Sample("gonogo_item_attestation_timestamp_seconds", said, about)
        if item.state is State.WAIVED and item.waiver:
            last = datetime.combine(item.waiver.until, time(23, 59, 59), ZoneInfo(item.waiver.zone))
            yield _Sample("gonogo_item_waiver_end_timestamp_seconds", last.timestamp(), about)
        yield from _evidence(item)


def _evidence(item: ItemReport) -> Iterator[_Sample]:
    if (found := item.evidence) is None:
        return
    about = {"item": item.id}
    yield _Sample("gonogo_item_verdict", 1, {**about, "verdict": found.verdict})
    yield _Sample("gonogo_item_evidence_timestamp_seconds", found.started_at.timestamp(), about)
    if (duration := number(found.duration)) is not None:
        yield _Sample("gonogo_item_evidence_duration_seconds", duration, about)
    for name, check in zip(_apart(check.name for check in found.checks), found.checks, strict=True):
        labels = {**about, "check": name, "unit": check.unit or ""}
        for metric, figure in (("observed", check.observed), ("limit", check.limit)):
            if (value := number(figure)) is not None:
                yield _Sample(f"gonogo_check_{metric}", value, labels)


def _apart(names: Iterable[str]) -> list[str]:
    """Return names as labels show them, with a number behind each that is there already: no series twice."""
    taken: dict[str, None] = {}
    for name in map(one_line, names):
        free, count = name, 1
        while free in taken:
            count += 1
            free = f"{name} {count}".strip()
        taken[free] = None
    return list(taken)
