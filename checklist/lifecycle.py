"""The life of an item: pure functions from facts to new facts, and from facts and the clock to a state.

Nothing here reads a clock or a file. There is no function that makes an item verified: only evidence does.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from unicodedata import normalize

from msgspec.structs import replace

from checklist.definition import Checklist, Item
from checklist.language import gettext as _
from checklist.language import marked
from checklist.status import (
    Attestation,
    Claim,
    Evidence,
    Facts,
    FinalCheck,
    Reopening,
    Status,
    UnfinishedCheck,
    Waiver,
)
from checklist.zones import day
from probes.outcome import Verdict
from probes.parameters import seconds


class State(StrEnum):
    """What the facts about an item amount to; `MEANING` says each in a line."""

    VERIFIED = "verified"
    ATTESTED = "attested"
    WAIVED = "waived"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    STALE = "stale"
    INHIBITED = "inhibited"
    OPEN = "open"


MEANING: Mapping[State, str] = {
    State.VERIFIED: marked("its own probe passed, after the claim if there is one"),
    State.ATTESTED: marked("manual: a named person answers for it"),
    State.WAIVED: marked("accepted up to a day, by name and with a reason"),
    State.RESOLVED: marked("claimed; its probe has yet to prove it"),
    State.REOPENED: marked("it was green or claimed, and no longer is"),
    State.STALE: marked("it passed, but too long ago, or the item was edited since"),
    State.INHIBITED: marked("waits for an item it comes after"),
    State.OPEN: marked("not proven"),
}
"""What each state means, in a line for an operator; translated where it is shown."""

GREEN = frozenset({State.VERIFIED, State.ATTESTED, State.WAIVED})
"""The states that do not hold the gate."""


class RefusedError(Exception):
    """A mark that the rules do not allow; the message says why, for the person who tried."""


def claim(facts: Facts, item: Item, *, by: str, on: date, action: str, at: datetime) -> Facts:
    """Claim an item resolved.

    Raises:
        RefusedError: If it is manual, or the day has not come yet.
    """
    if item.probe is None:
        why = _("{item} is manual: nothing can prove a claim about it, so attest it instead")
        raise RefusedError(why.format(item=item.id))
    if on > day(at, item.policy.time_zone):
        raise RefusedError(_("{day} has not come yet").format(day=on))
    return replace(facts, claim=Claim(by=by, on=on, action=action, at=at), reopening=None)


def attest(facts: Facts, item: Item, *, by: str, note: str, at: datetime) -> Facts:
    """Answer for a manual item by name.

    Raises:
        RefusedError: If the item has a probe: then only its probe can speak for it.
    """
    if item.probe is not None:
        why = _("{item} has a probe: only a passing run can prove it, so resolve and check it")
        raise RefusedError(why.format(item=item.id))
    return replace(facts, attestation=Attestation(by=by, note=note, at=at, item=item.hash), reopening=None)


def waive(facts: Facts, item: Item, *, by: str, why: str, until: date, at: datetime) -> Facts:
    """Accept an item as it is, up to and including a day in the time zone of its policy.

    Raises:
        RefusedError: If the day is past, or if whoever approves claimed the item resolved and the policy
            asks for four eyes.
    """
    zone = item.policy.time_zone
    if until < day(at, zone):
        raise RefusedError(_("{day} is past: a waiver must hold today at least").format(day=until))
    waiver = Waiver(by=by, why=why, until=until, zone=zone, at=at, item=item.hash)
    if self_approved(item, replace(facts, waiver=waiver)):
        refusal = _("{name} claimed {item} resolved: with four_eyes somebody else has to approve")
        raise RefusedError(refusal.format(name=by, item=item.id))
    return replace(facts, waiver=waiver)


def reopen(facts: Facts, *, by: str, why: str, at: datetime) -> Facts:
    """Take claim, attestation and waiver back; evidence from before proves nothing any more."""
    reopening = Reopening(by=by, why=why, at=at)
    return replace(facts, claim=None, attestation=None, waiver=None, reopening=reopening)


def tick(facts: Facts, item: Item, step: str) -> Facts:
    """Tick a step, or untick it if it is ticked.

    Raises:
        RefusedError: If the item has no such step.
    """
    if step not in item.steps:
        raise RefusedError(_("{item} has no step {step!r}").format(item=item.id, step=step))
    if step in facts.steps:
        return replace(facts, steps=tuple(done for done in facts.steps if done != step))
    return replace(facts, steps=(*facts.steps, step))


WORDS = ("claim", "attestation", "waiver", "reopening", "steps")
"""The facts that people give."""


def undo(facts: Facts, before: Facts, after: Facts) -> Facts:
    """Take a mark back: what it had changed from `before` to `after` becomes again what it was.

    Evidence is no mark and stays.
    """
    changed = {word: was for word in WORDS if (was := getattr(before, word)) != getattr(after, word)}
    return replace(facts, **changed)


def self_approved(item: Item, facts: Facts) -> bool:
    """Tell whether a waiver is void because the policy asks for four eyes and there are two."""
    if not item.policy.four_eyes or facts.waiver is None or facts.claim is None:
        return False
    return _same_name(facts.waiver.by, facts.claim.by)


def _same_name(one: str, other: str) -> bool:
    """Tell whether two names are one: case, spaces and the way in which letters are encoded say nothing."""
    first, second = (normalize("NFKC", normalize("NFKC", name).casefold()) for name in (one, other))
    return first.split() == second.split()


def record(facts: Facts, evidence: Evidence, now: datetime) -> Facts:
    """Record an outcome.

    A pass never replaces what a newer run found, unless that one is dated in the future, nor what its own run
    has found wrong: to run a check in two places at once is no second try. Anything but a pass is kept, even
    if a clock or a slow run makes it look older: doubt counts.
    """
    found, known = evidence.outcome, facts.evidence
    passed = found.verdict is Verdict.PASS
    if passed and known is not None:
        newer = found.started_at < known.outcome.started_at <= now
        if newer or (known.run == evidence.run and known.outcome.verdict is not Verdict.PASS):
            return facts
    last_pass = found.started_at if passed else facts.last_pass
    return replace(facts, evidence=evidence, last_pass=last_pass)


def begin(status: Status, *, run: str, at: datetime, checklist: str) -> Status:
    """Begin a final check."""
    check = UnfinishedCheck(
        run=run, started_at=at, checklist=checklist, facts=status.digest, revision=status.revision
    )
    return replace(status, unfinished_check=check)


def record_in(status: Status, item: str, evidence: Evidence, now: datetime) -> Status:
    """Record an outcome; one of the final check that is going on is no change from outside it.

    What that check has found wrong once no pass of its own makes good, whatever was found in between: it may
    be gone on with in two places at once.
    """
    recorded = status.having(item, record(status.of(item), evidence, now))
    check = status.unfinished_check
    if check is None or check.run != evidence.run:
        return recorded
    if evidence.outcome.verdict is not Verdict.PASS:
        check = replace(check, failed=tuple(dict.fromkeys((*check.failed, item))))
    elif item in check.failed:
        recorded = status
    if (check.revision, check.facts) == (status.revision - 1, status.digest):
        check = replace(check, revision=status.revision, facts=recorded.digest)
    return replace(recorded, unfinished_check=check)


def close(status: Status, *, run: str, started: datetime, at: datetime, checklist: str, by: str) -> Status:
    """End a final check: what the facts are now is what it found."""
    final = FinalCheck(
        run=run,
        started_at=started,
        finished_at=at,
        checklist=checklist,
        facts=status.digest,
        revision=status.revision,
        by=by,
    )
    return replace(status, final_check=final, unfinished_check=None)


def resumable(checklist: Checklist, status: Status) -> UnfinishedCheck | None:
    """Return the final check that was stopped and can be gone on with, if there is one.

    It can as long as nothing but itself has changed anything since it began.
    """
    check = status.unfinished_check
    if check is None or check.checklist != checklist.hash or check.revision != status.revision:
        return None
    return check if check.facts == status.digest else None


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
                waived = _waived(checklist.by_id[item], status.of(item), now)
                own[item] = State.WAIVED if waived else State.INHIBITED
            green[item] = own[item] in GREEN
    return own


def waits_for(item: Item, states_by_id: Mapping[str, State]) -> tuple[str, ...]:
    """Return the items that an item comes after and that are not green."""
    return tuple(parent for parent in item.after if states_by_id[parent] not in GREEN)


def _own_state(item: Item, facts: Facts, now: datetime) -> State:
    """Return what an item's own facts amount to, whatever it comes after."""
    state = _sensed_state(item, facts, now) if item.probe else _sworn_state(item, facts, now)
    return State.WAIVED if state not in GREEN and _waived(item, facts, now) else state


def _waived(item: Item, facts: Facts, now: datetime) -> bool:
    return facts.waiver is not None and not why_void(item, facts, now)


def why_void(item: Item, facts: Facts, now: datetime) -> str:
    """Return why the waiver of an item does not hold, in words; nothing if it holds, or there is none."""
    waiver = facts.waiver
    if waiver is None:
        return ""
    if not _stands(waiver.at, facts, now):
        return _("it is dated in the future") if waiver.at > now else _("the item was reopened since")
    if waiver.item != item.hash:
        return _("the item was edited since")
    if day(now, waiver.zone) > waiver.until:
        return _("its last day is past")
    if self_approved(item, facts):
        return _("it needs the approval of somebody who did not claim it")
    return ""


def _stands(at: datetime, facts: Facts, now: datetime) -> bool:
    """Tell whether a word was given by now, and since the item was last taken back: a merge may hold both."""
    return at <= now and (facts.reopening is None or at > facts.reopening.at)


def _sworn_state(item: Item, facts: Facts, now: datetime) -> State:
    if facts.attestation is not None and _stands(facts.attestation.at, facts, now):
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
