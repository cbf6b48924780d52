"""The gate: may we go? A pure function; every doubt is NO-GO."""

from collections.abc import Mapping
from datetime import date, datetime

import msgspec

from checklist.definition import Checklist, Item
from checklist.lifecycle import GREEN, State, states, waits_for, why_void
from checklist.status import Facts, Status
from probes.outcome import Verdict

GO = "GO"
NO_GO = "NO-GO"


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """The decision.

    Attributes:
        verdict: "GO" or "NO-GO".
        reasons: What holds the gate, the heaviest first; empty exactly when the verdict is GO.
        waived: The items that do not hold it only because they are waived, with the last day of each waiver.
    """

    verdict: str
    reasons: tuple[str, ...]
    waived: Mapping[str, date]

    @property
    def go(self) -> bool:
        """Whether the release may go out."""
        return self.verdict == GO

    def held_by(self, reason: str) -> "Gate":
        """Return the gate held by one more reason, the heaviest."""
        return Gate(verdict=NO_GO, reasons=(reason, *self.reasons), waived=self.waived)

    @property
    def line(self) -> str:
        """The verdict as it is announced: waivers stay in sight."""
        if not self.waived:
            return self.verdict
        return f"{self.verdict}, {len(self.waived)} waived until {min(self.waived.values())}"


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
        reasons.append("the checklist has no item that holds the gate, so nothing can be proven")
    reasons += _final_check(checklist, status, now, blockers, found)
    waived: dict[str, date] = {}
    for item in blockers:
        waiver = status.of(item.id).waiver
        if found[item.id] is State.WAIVED and waiver is not None:
            waived[item.id] = waiver.until
    return Gate(verdict=NO_GO if reasons else GO, reasons=tuple(reasons), waived=waived)


_OUTCOMES = {
    Verdict.FAIL: (0, "fails"),
    Verdict.WARN: (1, "degraded"),
    Verdict.UNKNOWN: (2, "could not tell"),
}


def _hold_in_words(item: Item, facts: Facts, found: Mapping[str, State], now: datetime) -> tuple[int, str]:
    if found[item.id] is State.INHIBITED:
        weight, words = 6, f"{item.id}: waits for {', '.join(waits_for(item, found))}"
    else:
        weight, words = _hold(item, facts, found[item.id], now)
    if words and (void := why_void(item, facts, now)):
        words += f"; its waiver does not hold: {void}"
    return weight, words


def _hold(item: Item, facts: Facts, state: State, now: datetime) -> tuple[int, str]:
    """Return how heavily an item holds the gate (0 the most) and why, in words; no words when it does not."""
    if state in GREEN:
        return 9, ""
    moments = {
        "evidence": facts.evidence.outcome.started_at if facts.evidence else now,
        "claim": facts.claim.at if facts.claim else now,
        "attestation": facts.attestation.at if facts.attestation else now,
    }
    for what, at in moments.items():
        if at > now:
            return 3, f"{item.id}: its {what} is dated in the future: a clock is wrong"
    if state in (State.OPEN, State.REOPENED) and facts.evidence is not None:
        found = facts.evidence.outcome
        taken_back = facts.reopening is not None and found.started_at <= facts.reopening.at
        if found.verdict in _OUTCOMES and not taken_back:
            weight, words = _OUTCOMES[found.verdict]
            return weight, f"{item.id}: {words}: {found.summary}"
    return _unproven(item, facts, state)


def _unproven(item: Item, facts: Facts, state: State) -> tuple[int, str]:
    match state:
        case State.REOPENED:
            why = facts.reopening.why if facts.reopening else "its probe no longer passes"
            return 3, f"{item.id}: reopened: {why}"
        case State.RESOLVED if facts.claim is not None:
            text = f"{item.id}: resolved by {facts.claim.by}, not proven"
            if item.probe is None:
                return 4, f"{text}: it is manual, so it has to be attested"
            if facts.evidence is not None and facts.evidence.outcome.started_at > facts.claim.at:
                return 4, f"{text}: {facts.evidence.outcome.summary}"
            return 4, f"{text}: its probe has not run since"
        case State.STALE:
            edited = facts.evidence is None or facts.evidence.item != item.hash
            why = "the item was edited since" if edited else f"older than {item.fresh_for}"
            return 5, f"{item.id}: its proof is stale: {why}"
    return 3, f"{item.id}: " + ("its probe has never run" if item.probe else "nobody has attested it")


def _final_check(
    checklist: Checklist, status: Status, now: datetime, blockers: list[Item], found: Mapping[str, State]
) -> list[str]:
    final = status.final_check
    if final is None:
        return ["no final check has run"]
    if final.checklist != checklist.hash:
        return ["the checklist was edited after the final check"]
    if final.revision != status.revision or final.facts != status.digest:
        return ["something changed after the final check"]
    if not final.started_at <= final.finished_at <= now:
        return ["the final check is dated in the future"]
    # What a wrong clock had dated in the future then must not count by waiting: time alone opens no gate.
    then = states(checklist, status, final.finished_at)
    return [
        f"{item.id}: the final check did not prove it{_elsewhere(status.of(item.id), final.run)}"
        for item in blockers
        if found[item.id] in GREEN
        and not _proven_in(status.of(item.id), final.run, then[item.id], found[item.id])
    ]


def _elsewhere(facts: Facts, run: str) -> str:
    """Tell that a proof is from another run, such as of a check that somebody ran at the same time."""
    return (
        ": its proof is from another run" if facts.evidence is not None and facts.evidence.run != run else ""
    )


def _proven_in(facts: Facts, run: str, then: State, state: State) -> bool:
    """Tell whether an item that is green was so in the final check; a waiver may have taken over since."""
    if state is State.WAIVED:
        return then in GREEN
    by_run = facts.evidence is not None and facts.evidence.run == run
    return then is state and (by_run or state is State.ATTESTED)
