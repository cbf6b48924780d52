"""Short words for making items, facts and checklists in tests."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from checklist.definition import Binding, Checklist, Item
from checklist.status import Attestation, Claim, Evidence, Facts, FinalCheck, Reopening, Status, Waiver
from probes.outcome import Check, Outcome, Reason, Verdict

NOW = datetime(2025, 6, 27, 12, 0, tzinfo=UTC)
TODAY = NOW.date()
RUN = "the-final-run"

HEAD = '[checklist]\ntitle = "Test"\nrelease = "1.0"\nenvironment = "production"\n'

LITTLE = f"""{HEAD}
[[items]]
id = "door"
section = "House"
title = "The door is shut"
owner = "Keeper"
due = 2025-06-25
steps = ["Shut it", "Lock it"]

[items.probe]
use = "test-blocking"
do = "read"
file = "door.verdict"

[[items]]
id = "light"
section = "House"
title = "The light is out"

[items.probe]
use = "test-async"

[[items]]
id = "alarm"
section = "House"
title = "The alarm is on"
after = ["door"]

[items.probe]
use = "test-async"

[[items]]
id = "sign-off"
section = "Release"
title = "Somebody has looked"
"""
"""A checklist of the test probes; what its first one finds stands in `door.verdict`."""


def little(folder: Path, door: str = "pass", text: str = LITTLE) -> Path:
    """Write the little checklist, and what its door will say."""
    (folder / "door.verdict").write_text(door)
    path = folder / "checklist.toml"
    path.write_text(text)
    return path


def hours(number: float) -> datetime:
    """Return the moment that many hours after NOW."""
    return NOW + timedelta(hours=number)


def today() -> date:
    """Return the day it is now, where a checklist says nothing else: in UTC."""
    return datetime.now(UTC).date()


def days(number: int) -> date:
    """Return the day that many days after TODAY."""
    return TODAY + timedelta(days=number)


SAID, LOOKED, CHECKED = hours(-2), hours(-1), hours(-0.5)
"""When people spoke, when probes looked, when the final check ended, unless a test says otherwise."""


def item(name: str = "cache", **changes: Any) -> Item:
    """Return an item with a probe, whose evidence keeps for 24 hours."""
    fields: dict[str, Any] = {
        "id": name,
        "section": "General",
        "title": f"{name} is well",
        "severity": "blocker",
        "cause": "",
        "owner": "",
        "due": None,
        "steps": (),
        "links": (),
        "after": (),
        "fresh_for": "24h",
        "probe": Binding("test-async", {}),
    }
    return Item(**{**fields, **changes})


def manual(name: str = "sign-off", **changes: Any) -> Item:
    """Return an item without a probe."""
    return item(name, probe=None, **changes)


def checklist(*items: Item) -> Checklist:
    """Return a checklist of these items."""
    return Checklist(title="Test", release="1.0", environment="production", items=items)


def outcome(verdict: Verdict | str = Verdict.PASS, at: datetime = NOW, summary: str = "seen") -> Outcome:
    """Return an outcome with one line of evidence."""
    verdict = Verdict(verdict)
    return Outcome(
        probe="test-async",
        verdict=verdict,
        summary=summary,
        reason=Reason.TIMEOUT if verdict is Verdict.UNKNOWN else None,
        checks=(Check(name="said", verdict=verdict, observed=1.5, unit="s", limit=2, message=summary),),
        metrics={"said_s": 1.5},
        started_at=at,
        duration=0.25,
    )


def evidence(
    about: Item, verdict: Verdict | str = Verdict.PASS, at: datetime = LOOKED, run: str = RUN
) -> Evidence:
    """Return what the item's probe found."""
    return Evidence(outcome=outcome(verdict, at), run=run, item=about.hash)


def claim(at: datetime = SAID, on: date = TODAY) -> Claim:
    return Claim(by="Ann", on=on, action="fixed it", at=at)


def attestation(about: Item, at: datetime = SAID) -> Attestation:
    return Attestation(by="Ann", note="seen it", at=at, item=about.hash)


def waiver(until: date = TODAY, at: datetime = SAID) -> Waiver:
    """Return a waiver; `bound` says for what."""
    return Waiver(by="Bob", why="next week", until=until, at=at, item="")


def bound(status: Status, whole: Checklist) -> Status:
    """Return the status with every waiver given for the item as the checklist has it."""
    for name, facts in status.items.items():
        if facts.waiver and not facts.waiver.item and name in whole.by_id:
            given = replace(facts.waiver, item=whole.by_id[name].hash)
            status = status.having(name, replace(facts, waiver=given))
    return status


def reopening(at: datetime = SAID) -> Reopening:
    return Reopening(by="Cleo", why="seen it fail", at=at)


def final(of: Checklist, revision: int = 7, at: datetime = CHECKED, run: str = RUN) -> FinalCheck:
    """Return a final check that ended at a time."""
    return FinalCheck(
        run=run,
        started_at=at - timedelta(minutes=1),
        finished_at=at,
        checklist=of.hash,
        facts="sha256:none",
        revision=revision,
    )


def sealed(status: Status) -> Status:
    """Return the status with its facts as the final check left them."""
    if status.final_check is None:
        return status
    return replace(status, final_check=replace(status.final_check, facts=status.digest))


def proven(of: Checklist) -> Status:
    """Return the status after a final check in which everything was as it should be."""
    facts = {
        entry.id: Facts(evidence=evidence(entry), last_pass=LOOKED)
        if entry.probe
        else Facts(attestation=attestation(entry))
        for entry in of.items
    }
    return sealed(Status(revision=7, items=facts, final_check=final(of)))
