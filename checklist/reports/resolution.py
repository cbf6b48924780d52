"""The issue resolution report: of each item what was found, what was done about it by whom, and the proof."""

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from checklist.gate import Gate
from checklist.journal import Entry
from checklist.lifecycle import State, counts
from checklist.reports.status_report import ChecklistReport, ItemReport, StatusReport, StepReport
from checklist.status import Attestation, Reopening, Waiver
from probes.outcome import Moment, Verdict


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What was wrong: an outcome other than a pass.

    Attributes:
        at: When it was found.
        verdict: What the outcome said.
        summary: What was found, in a line.
    """

    at: Moment
    verdict: str
    summary: str


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The passing run that verifies an item.

    Attributes:
        at: When it began.
        run: Its id.
        summary: What was found, in a line.
        duration: Seconds it took.
    """

    at: Moment
    run: str
    summary: str
    duration: float


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the journal; see `journal.Note`."""

    at: Moment
    what: str
    by: str
    why: str
    data: dict[str, str]


class ResolvedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One item, from what was found to its proof.

    Attributes:
        found: The newest outcome other than a pass; None if there never was one.
        claimed_by: Who claims it resolved; empty if nobody does.
        claimed_on: The day on which it was resolved, as claimed.
        action: What was done about it.
        days_early_or_late: Days from the day it was due to the day it was claimed, whether the claim has
            lasted or not; negative is early. An item that nobody claims and that is not green counts up to
            today once it is late. None where neither can be told.
        proof: What verifies it; None unless it is verified.
        history: What the journal tells of it, the oldest first.

    The other attributes are those of `ItemReport`.
    """

    id: str
    section: str
    title: str
    severity: str
    state: State
    found: Found | None
    cause: str
    owner: str
    due: date | None
    claimed_by: str
    claimed_on: date | None
    action: str
    days_early_or_late: int | None
    steps: tuple[StepReport, ...]
    proof: Proof | None
    attestation: Attestation | None
    waiver: Waiver | None
    waiver_void: str
    reopening: Reopening | None
    notes: tuple[str, ...]
    links: tuple[str, ...]
    history: tuple[Event, ...]


class ResolutionReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of every item of a checklist.

    Attributes:
        checklist: Which checklist, with its release, environment and hash.
        time: When the report was made.
        gate: The decision at that time.
        counts: How many items are in each state that occurs.
        items: Every item, in the order of the checklist.
    """

    checklist: ChecklistReport
    time: Moment
    gate: Gate
    counts: dict[State, int]
    items: tuple[ResolvedItem, ...]


def build(report: StatusReport, entries: Sequence[Entry], now: Moment) -> ResolutionReport:
    """Put the report together.

    Args:
        report: The state of everything.
        entries: The journal, the oldest line first.
        now: When the report is made.
    """
    histories: dict[str, list[Entry]] = {item.id: [] for item in report.items}
    for entry in entries:
        # As `journal.of_item` has it, in one go: an import is part of every item's history.
        for name in histories if entry.what == "imported" else (entry.item,):
            histories.setdefault(name, []).append(entry)
    return ResolutionReport(
        checklist=report.checklist,
        time=now,
        gate=report.gate,
        counts=counts({item.id: item.state for item in report.items}),
        items=tuple(_item(item, histories.get(item.id, [])) for item in report.items),
    )


def _item(item: ItemReport, history: Sequence[Entry]) -> ResolvedItem:
    return ResolvedItem(
        id=item.id,
        section=item.section,
        title=item.title,
        severity=item.severity,
        state=item.state,
        found=_found(item, history),
        cause=item.cause,
        owner=item.owner,
        due=item.due,
        claimed_by=item.claim.by if item.claim else "",
        claimed_on=item.claim.on if item.claim else None,
        action=item.claim.action if item.claim else "",
        days_early_or_late=_days(item),
        steps=item.steps,
        proof=_proof(item),
        attestation=item.attestation,
        waiver=item.waiver,
        waiver_void=item.waiver_void,
        reopening=item.reopening,
        notes=item.notes,
        links=item.links,
        history=tuple(
            Event(at=entry.at, what=entry.what, by=entry.by, why=entry.why, data=entry.data)
            for entry in history
        ),
    )


def _found(item: ItemReport, history: Iterable[Entry]) -> Found | None:
    standing = item.evidence
    if standing and standing.verdict is not Verdict.PASS:
        return Found(at=standing.started_at, verdict=standing.verdict.value, summary=standing.summary)
    # A line that names no verdict is no pass: doubt counts.
    bad = [
        entry
        for entry in history
        if entry.what == "found" and entry.data.get("verdict") != Verdict.PASS.value
    ]
    if not bad:
        return None
    return Found(at=bad[-1].at, verdict=bad[-1].data.get("verdict", ""), summary=bad[-1].why)


def _days(item: ItemReport) -> int | None:
    if item.due and item.claim:
        return (item.claim.on - item.due).days
    return item.days_late or None


def _proof(item: ItemReport) -> Proof | None:
    if item.state is not State.VERIFIED or item.evidence is None:
        return None
    found = item.evidence
    return Proof(at=found.started_at, run=item.run or "", summary=found.summary, duration=found.duration)
