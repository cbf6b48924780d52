"""Which items are listed, in which order and under which heading: pure functions over a report."""

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from functools import cache
from typing import NamedTuple
from unicodedata import normalize

from checklist.language import every, marked
from checklist.language import gettext as _
from checklist.lifecycle import GREEN, State
from checklist.reports.status_report import ItemReport
from probes.outcome import Verdict


class Order(StrEnum):
    """An order of the list; `ORDERS` names each."""

    CHECKLIST = "checklist"
    PRESSING = "pressing"
    DUE = "due"
    OWNER = "owner"

    @property
    def following(self) -> "Order":
        """The order after this one, around the end."""
        orders = list(Order)
        return orders[(orders.index(self) + 1) % len(orders)]


ORDERS = {
    Order.CHECKLIST: marked("In the order of the checklist"),
    Order.PRESSING: marked("Most pressing first"),
    Order.DUE: marked("By the day it is due"),
    Order.OWNER: marked("By owner"),
}
"""What each order is called; translated where it is shown."""


class Row(NamedTuple):
    """An item in its place.

    Attributes:
        item: The item.
        depth: How many items it stands below, each waiting for the one above it.
        waits_for: What it waits for, where its place does not tell.
    """

    item: ItemReport
    depth: int = 0
    waits_for: tuple[str, ...] = ()


class Panel(NamedTuple):
    """A framed part of the list.

    Attributes:
        title: Its heading.
        rows: The items that are shown, in order.
        total: How many there are.
        green: How many of them are green.
        holding: How many of them hold the gate.
    """

    title: str
    rows: tuple[Row, ...]
    total: int
    green: int
    holding: int


def panels(items: Sequence[ItemReport], order: Order, words: str = "") -> list[Panel]:
    """Return the items that have all the words, in panels; a panel with none of them is left out."""
    wanted = _plain(words).split()
    found = []
    for title, members in _grouped(items, order).items():
        kept = [item for item in members if _has(item, wanted)]
        if kept:
            rows = nested(kept) if order is Order.CHECKLIST else [Row(item, 0, _waits(item)) for item in kept]
            green = sum(item.state in GREEN for item in members)
            found.append(Panel(title, tuple(rows), len(members), green, sum(map(holds, members))))
    return found


def _grouped(items: Sequence[ItemReport], order: Order) -> dict[str, list[ItemReport]]:
    match order:
        case Order.PRESSING:
            return {_(ORDERS[order]): sorted(items, key=pressing)}
        case Order.DUE:
            return {_(ORDERS[order]): sorted(items, key=_due)}
    groups: dict[str, list[ItemReport]] = {}
    for item in items:
        owner = _("Owner: {owner}").format(owner=item.owner) if item.owner else _("Owner: nobody")
        groups.setdefault(item.section if order is Order.CHECKLIST else owner, []).append(item)
    return groups


def holds(item: ItemReport) -> bool:
    """Tell whether an item holds the gate."""
    return item.severity == "blocker" and item.state not in GREEN


def pressing(item: ItemReport) -> tuple[object, ...]:
    """Return a key that sorts the most pressing item first: as the gate weighs reasons, then what is late."""
    return item.state in GREEN, item.severity != "blocker", _weight(item), not item.overdue, _day(item)


def _due(item: ItemReport) -> tuple[object, ...]:
    """What is done is due no more."""
    return item.state in GREEN, _day(item)


def _day(item: ItemReport) -> date:
    return item.due or date.max


_FOUND = {Verdict.FAIL: 0, Verdict.WARN: 1, Verdict.UNKNOWN: 2}
_CLAIMED = {State.RESOLVED: 4, State.STALE: 5, State.INHIBITED: 6}


def _weight(item: ItemReport) -> int:
    if item.state in (State.OPEN, State.REOPENED) and (found := item.evidence) and found.verdict in _FOUND:
        taken_back = item.reopening is not None and found.started_at <= item.reopening.at
        return 3 if taken_back else _FOUND[found.verdict]
    return _CLAIMED.get(item.state, 3)


def nested(items: Sequence[ItemReport]) -> list[Row]:
    """Return items with what waits for one of them right below it; otherwise in the order they came in."""
    here = {item.id for item in items}
    below: dict[str, list[ItemReport]] = {}
    pending: list[tuple[ItemReport, int]] = []
    for item in items:
        cause = next((one for one in _waits(item) if one in here), None)
        if cause is None:
            pending.append((item, 0))
        else:
            below.setdefault(cause, []).append(item)
    rows = []
    pending.reverse()
    while pending:
        item, depth = pending.pop()
        rows.append(Row(item, depth, () if depth else _waits(item)))
        pending += [(one, depth + 1) for one in reversed(below.pop(item.id, []))]
    # A checklist holds no circle. If one came from elsewhere, what is in it must not vanish.
    return rows + [Row(item, 0, _waits(item)) for rest in below.values() for item in rest]


def _waits(item: ItemReport) -> tuple[str, ...]:
    return item.waits_for if item.state is State.INHIBITED else ()


def _has(item: ItemReport, words: Iterable[str]) -> bool:
    text = _plain(f"{item.id}\n{item.title}\n{item.owner}\n{item.section}") + _state_words(item.state)
    return all(word in text for word in words)


@cache
def _state_words(state: State) -> str:
    return "".join(f"\n{_plain(word)}" for word in every(state.value))


def _plain(text: str) -> str:
    """Return text for comparison: case, width and the way in which letters are encoded say nothing."""
    return normalize("NFKC", normalize("NFKC", text).casefold())
