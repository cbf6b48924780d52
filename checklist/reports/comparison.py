"""What has changed from one readiness check to the next: items that broke or were fixed, and figures."""

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, TypeGuard

import msgspec

from checklist.language import gettext as _
from checklist.lifecycle import GREEN, State
from checklist.reports.blocks import harmless
from checklist.reports.status_report import ItemReport
from checklist.reports.text import figure
from probes.outcome import Check, Figure, Moment, Outcome, Verdict

if TYPE_CHECKING:
    from checklist.reports.readiness import ReadinessCheck

MOVED = 0.1
"""By which share of its limit a figure has to move to be told: ours. Less is noise from run to run."""


class ItemChange(msgspec.Struct, frozen=True, kw_only=True):
    """An item that is not in the state it was in.

    Attributes:
        item: Its id.
        before: Its state in the check before; None if it was not there.
        after: Its state now; None if it is gone.
        why: What it waits for, or what its probe found where that was not a pass.
    """

    item: str
    before: State | None
    after: State | None
    why: str = ""


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that is not what it was.

    Attributes:
        item: The id of the item.
        check: The name of its line of evidence.
        before: What was read in the check before, in `unit`.
        after: What was read now, in `unit`.
        unit: See `Check`.
        was: What the line said before.
        verdict: What it says now.
    """

    item: str
    check: str
    before: Figure
    after: Figure
    unit: str | None
    was: Verdict
    verdict: Verdict


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What has changed since another check.

    Attributes:
        previous: The name of the file of that check.
        run: The id of its run.
        time: When it ended.
        verdict: What its gate said.
        edited: Whether the checklist is another since, so that what has changed may be what is asked for.
        broke: Items that were green and are not.
        fixed: Items that are green and were not.
        changed: Items whose state is another, but as green as before.
        added: Items that were not in the checklist.
        gone: Items that are in it no more.
        moved: Figures that moved by `MOVED` or more, or whose verdict is another.
    """

    previous: str
    run: str
    time: Moment
    verdict: str
    edited: bool = False
    broke: tuple[ItemChange, ...] = ()
    fixed: tuple[ItemChange, ...] = ()
    changed: tuple[ItemChange, ...] = ()
    added: tuple[ItemChange, ...] = ()
    gone: tuple[ItemChange, ...] = ()
    moved: tuple[Movement, ...] = ()


def compare(before: "ReadinessCheck", after: "ReadinessCheck", file: str) -> Comparison:
    """Return what has changed from one check to another; `file` is the name of the first one's file."""
    old = {item.id: item for item in before.items}
    new = {item.id: item for item in after.items}
    both = [(old[name], item) for name, item in new.items() if name in old]
    changes = [_change(was, now) for was, now in both if was.state is not now.state]
    return Comparison(
        previous=file,
        run=before.run,
        time=before.time,
        verdict=before.gate.verdict,
        edited=before.checklist.hash != after.checklist.hash,
        broke=tuple(one for one in changes if one.before in GREEN and one.after not in GREEN),
        fixed=tuple(one for one in changes if one.before not in GREEN and one.after in GREEN),
        changed=tuple(one for one in changes if (one.before in GREEN) is (one.after in GREEN)),
        added=tuple(_change(None, item) for name, item in new.items() if name not in old),
        gone=tuple(_change(item, None) for name, item in old.items() if name not in new),
        moved=tuple(line for was, now in both for line in _moved(was, now)),
    )


def _change(was: ItemReport | None, now: ItemReport | None) -> ItemChange:
    item = now or was
    return ItemChange(
        item=item.id if item else "",
        before=was.state if was else None,
        after=now.state if now else None,
        why=_why(now) if now else "",
    )


def _why(item: ItemReport) -> str:
    if item.state is State.INHIBITED:
        return _("waits for {items}").format(items=", ".join(item.waits_for))
    found = item.evidence
    return found.summary if found and found.verdict is not Verdict.PASS else ""


def _moved(was: ItemReport, now: ItemReport) -> Iterator[Movement]:
    if was.evidence is None or now.evidence is None:
        return
    old = dict(_placed(was.evidence))
    for place, check in _placed(now.evidence):
        before = old.get(place)
        # A figure in another unit is another figure.
        if before is None or before.unit != check.unit or not _has_moved(before, check):
            continue
        yield Movement(
            item=now.id,
            check=check.name,
            before=before.observed,
            after=check.observed,
            unit=check.unit,
            was=before.verdict,
            verdict=check.verdict,
        )


def _placed(outcome: Outcome) -> Iterator[tuple[tuple[str, int], Check]]:
    """Return the lines of evidence by name, and those of one name by their order."""
    lines = sorted(outcome.checks, key=lambda check: check.name)
    for name, alike in groupby(lines, key=lambda check: check.name):
        for number, check in enumerate(alike):
            yield (name, number), check


def _has_moved(before: Check, after: Check) -> bool:
    old, new, limit = before.observed, after.observed, after.limit
    if before.verdict is not after.verdict:
        return True
    # Without a limit nobody can say what a movement means: an uptime moves all the time.
    return (
        _is_number(old)
        and _is_number(new)
        and _is_number(limit)
        and old != new
        and abs(new - old) >= MOVED * abs(limit)
    )


def _is_number(value: Figure) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def sentences(comparison: Comparison) -> tuple[str, ...]:
    """Return a comparison line by line, the worst first; nothing if nothing has changed."""
    comparison = harmless(comparison)
    told = (
        (comparison.broke, _("{item} broke: {before} → {reason}")),
        (comparison.fixed, _("{item} fixed: {before} → {after}")),
        (comparison.changed, _("{item} changed: {before} → {reason}")),
        (comparison.added, _("{item} is new: {reason}")),
        (comparison.gone, _("{item} is gone: it was {before}")),
    )
    lines = [_sentence(words, one) for changes, words in told for one in changes]
    lines += [_movement(one) for one in comparison.moved]
    if comparison.edited:
        lines.append(_("the checklist was edited since the check before"))
    return tuple(lines)


def _sentence(words: str, change: ItemChange) -> str:
    before, after = (_(state) if state else "" for state in (change.before, change.after))
    reason = f"{after}: {change.why}" if change.why else after
    return words.format(item=change.item, before=before, after=after, reason=reason)


def _movement(moved: Movement) -> str:
    figures = [_said(value, moved.unit) for value in (moved.before, moved.after)]
    verdicts = [_(moved.was), _(moved.verdict)]
    # Two alike would say that nothing happened.
    pairs = [" → ".join(pair) for pair in (figures, verdicts) if pair[0] != pair[1]]
    return f"{moved.item} {moved.check}: {', '.join(pairs)}"


def _said(value: Figure, unit: str | None) -> str:
    return _("nothing") if value is None else figure(value, unit)
