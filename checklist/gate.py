"""The gate: may we go? A pure function; every doubt is NO-GO."""

from collections.abc import Mapping
from datetime import date, datetime

import msgspec

from checklist.definition import Checklist, Item
from checklist.language import gettext as _
from checklist.language import marked
from checklist.lifecycle import GREEN, State, states, waits_for, why_void
from checklist.status import Facts, Status
from probes.outcome import Verdict

GO = "GO"
NO_GO = "NO-GO"


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The decision.

    Attributes:
        verdict: "GO" or "NO-GO".
        reasons: What holds the gate, the heaviest first; empty exactly when the verdict is GO. One about an
            item begins with its id and a colon, in every language.
        waived: The items that do not hold it only because they are waived, with the last day of each waiver.
    """

    verdict: str
    reasons: tuple[str, ...]
    waived: Mapping[str, date]

    @property
    def go(self) -> bool:
        """Whether the release may go out."""
        return self.verdict == GO

    @property
    def about(self) -> tuple[str, ...]:
        """The id of the item that each reason is about; empty for a reason about none."""
        heads = (reason.partition(": ") for reason in self.reasons)
        # An id has no blank, and every other reason is a sentence.
        return tuple(head if words and " " not in head else "" for head, _, words in heads)

    def held_by(self, reason: str) -> "Gate":
        """Return the gate held by one more reason, the heaviest."""
        return Gate(verdict=NO_GO, reasons=(reason, *self.reasons), waived=self.waived)

    @property
    def line(self) -> str:
        """The verdict as it is announced: waivers stay in sight."""
        if not self.waived:
            return self.verdict
        line = _("{verdict}, {number} waived until {day}")
        return line.format(verdict=self.verdict, number=len(self.waived), day=min(self.waived.values()))


def decide(checklist: Checklist, status: Status, now: datetime) -> Gate:
    """Decide from everything that is recorded.

    GO only if there is something to check, every blocker is verified, attested or waived now and was so when
    the last final check ended, and that check ran on this very checklist, after the last change, and itself
    proved every item that has a probe.
    """
    found = states(checklist, status, now)
    blockers = [item for item in checklist.items if item.severity == "blocker"]
    held = [(item, _hold_in_words(item, status.of(item.id), found, now)) for item in blockers]
    reasons = [text for _, (_, text) in sorted(held, key=lambda entry: entry[1][0]) if text]
    if not blockers:
        reasons.append(_("the checklist has no item that holds the gate, so nothing can be proven"))
    reasons += _final_check(checklist, status, now, blockers, found)
    waived: dict[str, date] = {}
    for item in blockers:
        waiver = status.of(item.id).waiver
        if found[item.id] is State.WAIVED and waiver is not None:
            waived[item.id] = waiver.until
    return Gate(verdict=NO_GO if reasons else GO, reasons=tuple(reasons), waived=waived)


_OUTCOMES = {
    Verdict.FAIL: (0, marked("fails: {summary}")),
    Verdict.WARN: (1, marked("degraded: {summary}")),
    Verdict.UNKNOWN: (2, marked("could not tell: {summary}")),
}


def _hold_in_words(item: Item, facts: Facts, found: Mapping[str, State], now: datetime) -> tuple[int, str]:
    if found[item.id] is State.INHIBITED:
        weight, words = 6, _("waits for {items}").format(items=", ".join(waits_for(item, found)))
    else:
        weight, words = _hold(item, facts, found[item.id], now)
    if not words:
        return weight, ""
    if void := why_void(item, facts, now):
        words += _("; its waiver does not hold: {why}").format(why=void)
    return weight, f"{item.id}: {words}"


def _hold(item: Item, facts: Facts, state: State, now: datetime) -> tuple[int, str]:
    """Return how heavily an item holds the gate (0 the most) and why, in words; no words when it does not."""
    if state in GREEN:
        return 9, ""
    if facts.evidence and facts.evidence.outcome.started_at > now:
        return 3, _("its evidence is dated in the future: a clock is wrong")
    if facts.claim and facts.claim.at > now:
        return 3, _("its claim is dated in the future: a clock is wrong")
    if facts.attestation and facts.attestation.at > now:
        return 3, _("its attestation is dated in the future: a clock is wrong")
    if state in (State.OPEN, State.REOPENED) and facts.evidence is not None:
        found = facts.evidence.outcome
        taken_back = facts.reopening is not None and found.started_at <= facts.reopening.at
        if found.verdict in _OUTCOMES and not taken_back:
            weight, words = _OUTCOMES[found.verdict]
            return weight, _(words).format(summary=found.summary)
    return _unproven(item, facts, state)


def _unproven(item: Item, facts: Facts, state: State) -> tuple[int, str]:
    match state:
        case State.REOPENED:
            why = facts.reopening.why if facts.reopening else _("its probe no longer passes")
            return 3, _("reopened: {why}").format(why=why)
        case State.RESOLVED if facts.claim is not None:
            if item.probe is None:
                why = _("it is manual, so it has to be attested")
            elif facts.evidence is not None and facts.evidence.outcome.started_at > facts.claim.at:
                why = facts.evidence.outcome.summary
            else:
                why = _("its probe has not run since")
            return 4, _("resolved by {name}, not proven: {why}").format(name=facts.claim.by, why=why)
        case State.STALE:
            edited = facts.evidence is None or facts.evidence.item != item.hash
            if edited:
                return 5, _("its proof is stale: the item was edited since")
            return 5, _("its proof is stale: older than {age}").format(age=item.fresh_for)
    return 3, _("its probe has never run") if item.probe else _("nobody has attested it")


def _final_check(
    checklist: Checklist, status: Status, now: datetime, blockers: list[Item], found: Mapping[str, State]
) -> list[str]:
    final = status.final_check
    if final is None:
        return [_("no final check has run")]
    if final.checklist != checklist.hash:
        return [_("the checklist was edited after the final check")]
    if final.revision != status.revision or final.facts != status.digest:
        return [_("something changed after the final check")]
    if not final.started_at <= final.finished_at <= now:
        return [_("the final check is dated in the future")]
    # What a wrong clock had dated in the future then must not count by waiting: time alone opens no gate.
    then = states(checklist, status, final.finished_at)
    return [
        f"{item.id}: {_unproven_by(final.run, status.of(item.id))}"
        for item in blockers
        if found[item.id] in GREEN
        and not _proven_in(status.of(item.id), final.run, then[item.id], found[item.id])
    ]


def _unproven_by(run: str, facts: Facts) -> str:
    """Tell that a final check proved nothing; another run, such as of a check beside it, may have."""
    if facts.evidence is not None and facts.evidence.run != run:
        return _("the final check did not prove it: its proof is from another run")
    return _("the final check did not prove it")


def _proven_in(facts: Facts, run: str, then: State, state: State) -> bool:
    """Tell whether an item that is green was so in the final check; a waiver may have taken over since."""
    if state is State.WAIVED:
        return then in GREEN
    by_run = facts.evidence is not None and facts.evidence.run == run
    return then is state and (by_run or state is State.ATTESTED)
