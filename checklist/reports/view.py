"""What every format of `gonogo check` and `gonogo status` shows, whatever it is written in.

A format is a module with one function, `render(view)`. All of them take what counts from `held` and what does
not from `excused`, so that none can say another thing than the exit code does.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from checklist.language import gettext as _
from checklist.lifecycle import MEANING, State
from checklist.reports import text
from checklist.reports.status_report import ItemReport, StatusReport
from probes.outcome import Figure, Verdict


class View(NamedTuple):
    """What a command has to say.

    Attributes:
        report: The state of everything; its items are narrowed already to a selection, if there is one.
        chosen: Whether a selection narrows it: then `code` speaks of these items, not of the gate.
        code: The exit code of the command: 0 GO or items proven, 1 NO-GO, 3 a probe could not tell.
        now: When it is said; ages are counted up to here.
        path: The checklist file as annotations should name it.
        lines: The line of each item in that file, from 1, by id.
        changes: What changed since the check before, and why this one does not count if so, a sentence each.
    """

    report: StatusReport
    chosen: bool
    code: int
    now: datetime
    path: str
    lines: Mapping[str, int]
    changes: tuple[str, ...]


class Hold(NamedTuple):
    """An item that is not proven, or a reason that no item shows, in words."""

    item: ItemReport | None
    words: str

    @property
    def line(self) -> str:
        """The words with the id of the item."""
        return f"{self.item.id}: {self.words}" if self.item else self.words


def verdict(view: View) -> str:
    """Return the verdict as it is announced: of the gate with its waivers, or of the chosen items."""
    if view.chosen:
        return _("NOT PROVEN") if view.code else _("PROVEN")
    return view.report.gate.line


def is_proven(item: ItemReport) -> bool:
    """Tell whether an item is verified or attested: a waiver is no proof."""
    return item.state in (State.VERIFIED, State.ATTESTED)


def held(view: View) -> list[Hold]:
    """Return what keeps the exit code from 0, the heaviest first; empty exactly when it is 0."""
    items = {item.id: item for item in view.report.items}
    holds = []
    for reason, about in zip(view.report.gate.reasons, view.report.gate.about, strict=True):
        item = items.get(about)
        holds.append(Hold(item, reason.removeprefix(f"{about}: ") if item else reason))
    if not view.chosen:
        return holds
    shown = [hold for hold in holds if hold.item and not is_proven(hold.item)]
    return shown + _unproven(view, shown)


def excused(view: View) -> list[Hold]:
    """Return the items that are not proven and yet hold nothing: waived ones, and advisory ones."""
    return _unproven(view, held(view))


def _unproven(view: View, known: Iterable[Hold]) -> list[Hold]:
    named = {hold.item.id for hold in known if hold.item}
    items = (item for item in view.report.items if not is_proven(item) and item.id not in named)
    return [Hold(item, _why(item)) for item in items]


def _why(item: ItemReport) -> str:
    """Return why an item is not proven, where the gate does not say it."""
    if item.state is State.WAIVED and item.waiver:
        return text.waived(item.waiver)
    if item.state is State.INHIBITED:
        return _("inhibited: waits for {items}").format(items=", ".join(item.waits_for))
    found = item.evidence
    if item.state in (State.OPEN, State.REOPENED) and found and found.verdict is not Verdict.PASS:
        return f"{_(item.state)}: {_(found.verdict)}: {found.summary}"
    return f"{_(item.state)}: {_(MEANING[item.state])}"


def sections(items: Iterable[ItemReport]) -> dict[str, list[ItemReport]]:
    """Return the items by section, in the order in which the sections first appear."""
    found: dict[str, list[ItemReport]] = {}
    for item in items:
        found.setdefault(item.section, []).append(item)
    return found


def found(item: ItemReport, now: datetime) -> list[str]:
    """Return the evidence of an item line by line, the first one with its age; nothing if there is none."""
    if item.evidence is None:
        return []
    head, *lines = text.outcome(item.evidence).splitlines()
    return [f"{head} ({age(item.evidence.started_at, now)})", *lines]


def age(moment: datetime, now: datetime) -> str:
    """Return how long ago a moment was, in words."""
    return text.ago((now - moment).total_seconds())


def due(item: ItemReport) -> str:
    """Return the last day of an item, and by how much it was missed; empty if it has none."""
    if item.due is None:
        return ""
    if not item.overdue:
        return str(item.due)
    return _("{day}, {days} late").format(day=item.due, days=text.days(item.days_late))


def number(figure: Figure) -> float | None:
    """Return a figure as a finite number, or None if it is none: a yes or no counts nothing."""
    if isinstance(figure, bool) or not isinstance(figure, int | float):
        return None
    try:
        value = float(figure)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None
