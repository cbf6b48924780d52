"""The life of an item: pure functions from facts to new facts, and from facts and the clock to a state.

Nothing here reads a clock or a file. There is no function that makes an item verified: only evidence does.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum

from msgspec.structs import replace

from checklist.definition import Checklist, Item
from checklist.status import Attestation, Claim, Evidence, Facts, Reopening, Status, Waiver
from probes.outcome import Verdict
from probes.parameters import seconds


class State(StrEnum):
    """What the facts about an item amount to."""

    VERIFIED = "verified"
    """Its own probe passed, after the claim if there is one."""
    ATTESTED = "attested"
    """A manual item that a named person answers for."""
    WAIVED = "waived"
    """Accepted for now, by a named person, until a day that has not passed."""
    RESOLVED = "resolved"
    """Claimed, not yet proven."""
    REOPENED = "reopened"
    """Its probe found it wanting after it was claimed or had passed, or somebody took it back."""
    STALE = "stale"
    """The evidence passed, but it is too old, or the item was edited since."""
    INHIBITED = "inhibited"
    """An item it comes after is not green, so its own probe would tell nothing."""
    OPEN = "open"
    """Anything else."""


GREEN = frozenset({State.VERIFIED, State.ATTESTED, State.WAIVED})
"""The states that do not hold the gate."""


def claim(facts: Facts, *, by: str, on: date, action: str, at: datetime) -> Facts:
    """Claim an item resolved."""
    return replace(facts, claim=Claim(by=by, on=on, action=action, at=at), reopening=None)


def attest(facts: Facts, item: Item, *, by: str, note: str, at: datetime) -> Facts:
    """Answer for a manual item by name.

    Raises:
        ValueError: If the item has a probe: then only its probe can speak for it.
    """
    if item.probe is not None:
        raise ValueError(f"{item.id} has a probe; only a passing run can prove it")
    return replace(facts, attestation=Attestation(by=by, note=note, at=at, item=item.hash), reopening=None)


def waive(facts: Facts, *, by: str, why: str, until: date, at: datetime) -> Facts:
    """Accept an item as it is, up to and including a day."""
    return replace(facts, waiver=Waiver(by=by, why=why, until=until, at=at))


def reopen(facts: Facts, *, by: str, why: str, at: datetime) -> Facts:
    """Take claim, attestation and waiver back; evidence from before proves nothing any more."""
    reopening = Reopening(by=by, why=why, at=at)
    return replace(facts, claim=None, attestation=None, waiver=None, reopening=reopening)


def tick(facts: Facts, step: str) -> Facts:
    """Tick a step, or untick it if it is ticked."""
    if step in facts.steps:
        return replace(facts, steps=tuple(done for done in facts.steps if done != step))
    return replace(facts, steps=(*facts.steps, step))


def record(facts: Facts, evidence: Evidence, now: datetime) -> Facts:
    """Record an outcome. An older run never replaces a newer one, unless that one is dated in the future."""
    if facts.evidence is not None and evidence.outcome.started_at < facts.evidence.outcome.started_at <= now:
        return facts
    passed = evidence.outcome.verdict is Verdict.PASS
    last_pass = evidence.outcome.started_at if passed else facts.last_pass
    return replace(facts, evidence=evidence, last_pass=last_pass)


def states(checklist: Checklist, status: Status, now: datetime) -> dict[str, State]:
    """Return the state of every item, in the order of the checklist."""
    own = {item.id: _own_state(item, status.of(item.id), now) for item in checklist.items}
    green: dict[str, bool] = {}
    for start in checklist.by_id:
        pending = [start]
        while pending:
            item = pending[-1]
            unsettled = [parent for parent in checklist.by_id[item].after if parent not in green]
            if unsettled:
                pending.extend(unsettled)
                continue
            pending.pop()
            clear = all(green[parent] for parent in checklist.by_id[item].after)
            if not clear:
                own[item] = State.WAIVED if _waived(status.of(item), now) else State.INHIBITED
            green[item] = own[item] in GREEN
    return own


def _own_state(item: Item, facts: Facts, now: datetime) -> State:
    """Return what an item's own facts amount to, whatever it comes after."""
    state = _sworn_state(item, facts) if item.probe is None else _sensed_state(item, facts, now)
    return State.WAIVED if state not in GREEN and _waived(facts, now) else state


def _waived(facts: Facts, now: datetime) -> bool:
    return facts.waiver is not None and now.date() <= facts.waiver.until and _stands(facts.waiver.at, facts)


def _stands(at: datetime, facts: Facts) -> bool:
    """Tell whether a word was given after the item was last taken back; a merged file may hold both."""
    return facts.reopening is None or at > facts.reopening.at


def _sworn_state(item: Item, facts: Facts) -> State:
    if facts.attestation is not None and _stands(facts.attestation.at, facts):
        return State.ATTESTED if facts.attestation.item == item.hash else State.STALE
    return _unproven(facts)


def _sensed_state(item: Item, facts: Facts, now: datetime) -> State:
    evidence = facts.evidence
    # Evidence from the future comes from a wrong clock: it is none.
    if evidence is None or evidence.outcome.started_at > now or not _speaks(evidence, facts):
        return _unproven(facts)
    match evidence.outcome.verdict:
        case Verdict.PASS:
            age = now - evidence.outcome.started_at
            if evidence.item != item.hash or age > timedelta(seconds=seconds(item.fresh_for)):
                return State.STALE
            return State.VERIFIED
        case Verdict.WARN | Verdict.FAIL:
            return State.REOPENED if facts.claim or facts.reopening or facts.last_pass else State.OPEN
        case Verdict.UNKNOWN:
            return _unproven(facts)


def _speaks(evidence: Evidence, facts: Facts) -> bool:
    """Tell whether the evidence is younger than every word given about the item."""
    words = [word.at for word in (facts.claim, facts.reopening) if word is not None]
    return all(evidence.outcome.started_at > at for at in words)


def _unproven(facts: Facts) -> State:
    if facts.claim is not None:
        return State.RESOLVED
    return State.REOPENED if facts.reopening is not None else State.OPEN


def days_late(item: Item, facts: Facts, state: State, today: date) -> int:
    """Return by how many days an item was claimed after it was due, or is still not; 0 when in time.

    An item that is green without a claim is in time.
    """
    if item.due is None:
        return 0
    if facts.claim is not None and state is not State.REOPENED:
        return max(0, (facts.claim.on - item.due).days)
    return 0 if state in GREEN else max(0, (today - item.due).days)


def counts(states_by_id: Mapping[str, State]) -> dict[State, int]:
    """Return how many items are in each state that occurs."""
    return {state: n for state in State if (n := sum(one is state for one in states_by_id.values()))}
