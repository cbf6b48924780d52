"""The state of everything at one moment: what `gonogo status` prints and every other report builds on."""

from datetime import date, datetime

import msgspec

from checklist.definition import Checklist
from checklist.gate import Gate, decide
from checklist.lifecycle import GREEN, State, days_late, states, waits_for, why_void
from checklist.status import Attestation, Claim, FinalCheck, Reopening, Status, Waiver
from checklist.zones import day
from probes.outcome import Outcome, Verdict


class ChecklistReport(msgspec.Struct, frozen=True):
    """Which checklist this is about."""

    title: str
    release: str
    environment: str
    hash: str


class StepReport(msgspec.Struct, frozen=True):
    """One step, and whether it is ticked."""

    text: str
    done: bool


class ItemReport(msgspec.Struct, frozen=True, kw_only=True):
    """One item with all that is known of it.

    Attributes:
        overdue: Whether it was claimed after it was due, or is still not green after it.
        days_late: By how many days.
        probe: The name of its probe; None for a manual item.
        evidence: The newest outcome of its probe.
        run: The id of the run that it is from.
        waits_for: The items that it comes after and that are not green.
        waiver_void: Why its waiver does not hold; empty if it holds, or there is none.
        days_left: How many days are left until it is due; None if it is green, or that day is past or none.
        edited: Whether the item was edited since its evidence was found.

    The other attributes are those of the item and its facts.
    """

    id: str
    section: str
    title: str
    owner: str
    due: date | None
    overdue: bool
    days_late: int
    severity: str
    state: State
    probe: str | None
    cause: str
    steps: tuple[StepReport, ...]
    claim: Claim | None
    attestation: Attestation | None
    waiver: Waiver | None
    reopening: Reopening | None
    evidence: Outcome | None
    run: str | None
    after: tuple[str, ...]
    links: tuple[str, ...]
    notes: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    waiver_void: str = ""
    days_left: int | None = None
    edited: bool = False
    repair: str = ""

    @property
    def outdated(self) -> bool:
        """Whether the evidence is older than what a person has said since: what it advised may be done."""
        said = [word.at for word in (self.claim, self.reopening) if word]
        return self.evidence is not None and any(self.evidence.started_at <= at for at in said)

    @property
    def is_wrong(self) -> bool:
        """Whether its probe found something wrong that still stands, so that another run is not all it takes.

        While it waits for another item, that one comes first.
        """
        found = self.evidence
        wrong = found is not None and found.verdict is not Verdict.PASS
        return wrong and not self.outdated and self.state is not State.INHIBITED

    @property
    def moments(self) -> list[datetime]:
        """When what is shown with its age was found or said."""
        words = [word.at for word in (self.attestation, self.reopening) if word]
        return [*words, self.evidence.started_at] if self.evidence else words


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """The state of everything at one moment.

    Attributes:
        checklist: Which checklist this is about.
        gate: The decision.
        items: Every item, or those of a selection.
        final_check: The last final check.
        chosen: The ids of a selection; None if there is none.
        proven: Whether each item of the selection is verified or attested; None if there is none.
    """

    checklist: ChecklistReport
    gate: Gate
    items: tuple[ItemReport, ...]
    final_check: FinalCheck | None = None
    chosen: tuple[str, ...] | None = None
    proven: bool | None = None


def build(checklist: Checklist, status: Status, now: datetime) -> StatusReport:
    """Put together what is known at a moment."""
    found = states(checklist, status, now)
    items = []
    for item in checklist.items:
        facts, state = status.of(item.id), found[item.id]
        today = day(now, checklist.policy.time_zone)
        late = days_late(item, facts, state, today)
        left = (item.due - today).days if item.due and item.due >= today and state not in GREEN else None
        items.append(
            ItemReport(
                id=item.id,
                section=item.section,
                title=item.title,
                owner=item.owner,
                due=item.due,
                overdue=late > 0,
                days_late=late,
                severity=item.severity,
                state=state,
                probe=item.probe.use if item.probe else None,
                cause=item.cause,
                steps=tuple(StepReport(text, text in facts.steps) for text in item.steps),
                claim=facts.claim,
                attestation=facts.attestation,
                waiver=facts.waiver,
                reopening=facts.reopening,
                evidence=facts.evidence.outcome if facts.evidence else None,
                run=facts.evidence.run if facts.evidence else None,
                after=item.after,
                links=item.links,
                notes=item.notes,
                waits_for=waits_for(item, found),
                waiver_void=why_void(item, facts, now),
                days_left=left,
                edited=facts.evidence is not None and facts.evidence.item != item.hash,
                repair=item.repair,
            )
        )
    return StatusReport(
        checklist=ChecklistReport(checklist.title, checklist.release, checklist.environment, checklist.hash),
        gate=decide(checklist, status, now),
        items=tuple(items),
        final_check=status.final_check,
    )


def encode(document: object) -> bytes:
    """Return a report, an outcome or whatever else as JSON, indented, with a newline at the end."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
