"""What is known about a checklist: facts only. `lifecycle` and `gate` work out what they amount to."""

from datetime import date
from functools import cached_property
from hashlib import sha256

import msgspec

from probes.outcome import Moment, Outcome


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody's word that an item is resolved.

    Attributes:
        by: Who says so.
        on: The day on which it was resolved.
        action: What was done.
        at: When the claim was recorded. Only evidence that is younger proves it.
    """

    by: str
    on: date
    action: str
    at: Moment


class Attestation(msgspec.Struct, frozen=True, kw_only=True):
    """A named person's word that a manual item is done.

    Attributes:
        by: Who says so.
        note: What was seen or agreed.
        at: When it was recorded.
        item: Hash of the item's definition at that time.
    """

    by: str
    note: str
    at: Moment
    item: str


class Waiver(msgspec.Struct, frozen=True, kw_only=True):
    """An item accepted as it is, for now.

    Attributes:
        by: Who approved.
        why: The reason.
        until: The last day on which it holds, up to its end in `zone`.
        zone: The IANA name of the time zone in which that day ends.
        at: When it was recorded.
        item: Hash of the item's definition at that time.
    """

    by: str
    why: str
    until: date
    zone: str = "UTC"
    at: Moment
    item: str


class Reopening(msgspec.Struct, frozen=True, kw_only=True):
    """An item taken back to open by hand; evidence from before proves nothing any more."""

    by: str
    why: str
    at: Moment


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The newest outcome of the item's own probe.

    Attributes:
        outcome: What was found.
        run: Id of the run; the runs of one final check share it.
        item: Hash of the item's definition when the probe ran.
    """

    outcome: Outcome
    run: str
    item: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known about one item.

    Attributes:
        claim: The standing claim, if any.
        attestation: The standing word of a person, for a manual item.
        waiver: The standing waiver, expired or not.
        reopening: Set when the item was reopened by hand after its last claim.
        evidence: The newest evidence.
        last_pass: When the probe last passed.
        steps: The texts of the steps that are ticked.
    """

    claim: Claim | None = None
    attestation: Attestation | None = None
    waiver: Waiver | None = None
    reopening: Reopening | None = None
    evidence: Evidence | None = None
    last_pass: Moment | None = None
    steps: tuple[str, ...] = ()


class FinalCheck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run of every probe in one go.

    Attributes:
        run: The id its evidence carries.
        started_at: When the first probe started.
        finished_at: When the last probe ended.
        checklist: Hash of the checklist it ran.
        facts: Digest of all facts as it left them: a merge of two status files may keep the revision.
        revision: The revision that recorded it. Any later revision is a change after the check.
        by: Who ran it.
    """

    run: str
    started_at: Moment
    finished_at: Moment
    checklist: str
    facts: str
    revision: int
    by: str = ""


class UnfinishedCheck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A final check that has begun and not ended: it is running, or it was stopped and can be gone on with.

    Attributes:
        run: The id its evidence carries.
        started_at: When the first probe started.
        checklist: Hash of the checklist it runs.
        facts: Digest of all facts as it left them last.
        revision: The revision that recorded the last thing it did. With any later one, or with other facts,
            something else has changed, and the check cannot be gone on with.
        failed: The items that it has found anything but good.
    """

    run: str
    started_at: Moment
    checklist: str
    facts: str
    revision: int
    failed: tuple[str, ...] = ()


class Status(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Everything known about a checklist.

    Attributes:
        revision: Grows by one with every change that is saved.
        items: Facts by item id; ids that the checklist no longer has are kept.
        final_check: The last final check that ran to its end.
        unfinished_check: The final check that has begun since and not ended.
        journal: The line of the journal that tells of the last change.
    """

    revision: int = 0
    items: dict[str, Facts] = {}
    final_check: FinalCheck | None = None
    unfinished_check: UnfinishedCheck | None = None
    journal: str = ""

    @cached_property
    def digest(self) -> str:
        """Identity of all facts."""
        return "sha256:" + sha256(msgspec.json.encode(self.items, order="deterministic")).hexdigest()

    def of(self, item: str) -> Facts:
        """Return the facts of an item; of an unknown one there are none."""
        return self.items.get(item, _NOTHING)

    def having(self, item: str, facts: Facts) -> "Status":
        """Return this status with other facts for one item."""
        return msgspec.structs.replace(self, items={**self.items, item: facts})


_NOTHING = Facts()
