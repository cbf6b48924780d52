"""The gate: may we go? A pure function; every doubt is NO-GO."""

from collections.abc import Mapping
from datetime import date, datetime

import msgspec

from checklist.definition import Checklist, Item
from checklist.lifecycle import GREEN, State, states
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

    @property
    def line(self) -> str:
        """The verdict as it is announced: waivers stay in sight."""
        if not self.waived:
            return self.verdict
        return f"{self.verdict}, {len(self.waived)} waived until {min(self.waived.values())}"


def decide(checklist: Checklist, status: Status, now: datetime) -> Gate:
    """Decide from everything that is recorded.

    GO only if there is something to check, every blocker is verified, attested or waived now, and the last
    final check ran on this very checklist, after the last change, and proved every item that has a probe.
    """
    found = states(checklist, status, now)
    blockers = [item for item in checklist.items if item.severity == "blocker"]
    held = [(item, _hold(item, status.of(item.id), found[item.id])) for item in blockers]
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


def _hold(item: Item, facts: Facts, state: State) -> tuple[int, str]:
    """Return how heavily an item holds the gate (0 the most) and why, in words; no words when it does not."""
    if state in GREEN:
        return 9, ""
    evidence = facts.evidence
    if state in (State.OPEN, State.REOPENED) and evidence is not None:
        verdict = evidence.outcome.verdict
        words = {Verdict.FAIL: "fails", Verdict.WARN: "degraded", Verdict.UNKNOWN: "could not tell"}
        if verdict in words and (facts.reopening is None or evidence.outcome.started_at > facts.reopening.at):
            weight = {Verdict.FAIL: 0, Verdict.WARN: 1}.get(verdict, 2)
            return weight, f"{item.id}: {words[verdict]}: {evidence.outcome.summary}"
    match state:
        case State.REOPENED:
            why = facts.reopening.why if facts.reopening else "its probe no longer passes"
            return 3, f"{item.id}: reopened: {why}"
        case State.RESOLVED if facts.claim is not None:
            text = f"{item.id}: resolved by {facts.claim.by}, not proven"
            if evidence is not None and evidence.outcome.started_at > facts.claim.at:
                return 4, f"{text}: {evidence.outcome.summary}"
            return 4, f"{text}: its probe has not run since"
        case State.STALE:
            return 5, f"{item.id}: its proof is stale"
        case State.INHIBITED:
            return 6, f"{item.id}: waits for {', '.join(item.after)}"
    if item.probe is None:
        return 3, f"{item.id}: nobody has attested it"
    return 3, f"{item.id}: its probe has never run"


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
    return [
        f"{item.id}: the final check did not prove it"
        for item in blockers
        if found[item.id] is State.VERIFIED and not _proven_in(status.of(item.id), final.run)
    ]


def _proven_in(facts: Facts, run: str) -> bool:
    return facts.evidence is not None and facts.evidence.run == run
