"""How the figures of an item have moved over the last final checks."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from checklist.reading import FileError
from checklist.reports.readiness import latest
from checklist.reports.view import number
from probes.outcome import Moment, Outcome

LAST = 12
"""Final checks that are looked back on."""


class Point(NamedTuple):
    """What a figure was when it was read."""

    at: Moment
    value: float


Trend = tuple[Point, ...]
"""A figure, oldest first, all in one unit."""


class _Item(msgspec.Struct, frozen=True):
    id: str
    evidence: Outcome | None = None


class _Record(msgspec.Struct, frozen=True):
    """What is read of a record. The rest may be as large as a checklist is long."""

    items: tuple[_Item, ...]


def past(folder: Path, journal: Path, item: str, last: int = LAST) -> list[Outcome]:
    """Return what the last final checks found about an item, oldest first.

    A record that is gone, broken or foreign is passed over: without it a trend is shorter, not wrong.

    Args:
        folder: Where the records lie, under `reports/`.
        journal: The journal that tells which of them are about this checklist.
        item: The id of the item.
        last: How many final checks to look back on; no more files are opened.
    """
    try:
        paths = latest(folder, journal, last)
    except FileError:
        return []
    found: list[Outcome] = []
    for path in paths:
        outcome = _found(path, item)
        # An item that was not run has the evidence that it had before.
        if outcome and outcome not in found:
            found.append(outcome)
    return found


def _found(path: Path, item: str) -> Outcome | None:
    try:
        record = msgspec.json.decode(path.read_bytes(), type=_Record)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return next((one.evidence for one in record.items if one.id == item), None)


def trends(before: Iterable[Outcome], newest: Outcome) -> dict[str, Trend]:
    """Return the figures of an outcome with what they were before, by the name of the check.

    A figure in another unit, or of another probe, is another figure; so is one of several of one name.

    Args:
        before: Outcomes of the same item, oldest first; the newest one may be among them.
        newest: What its probe found last.
    """
    known = {outcome.started_at: _figures(outcome) for outcome in before if outcome.probe == newest.probe}
    known.pop(newest.started_at, None)
    now = _figures(newest)
    moments = [*known.items(), (newest.started_at, now)]
    return {
        key[0]: tuple(Point(at, figures[key]) for at, figures in moments if key in figures) for key in now
    }


def _figures(outcome: Outcome) -> dict[tuple[str, str | None], float]:
    """Return the figures of an outcome by the name of the check and the unit."""
    counted = Counter(check.name for check in outcome.checks)
    return {
        (check.name, check.unit): value
        for check in outcome.checks
        if counted[check.name] == 1 and (value := number(check.observed)) is not None
    }
