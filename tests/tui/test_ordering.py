"""Which items stand where: no screen is needed to say."""

from typing import Any
from unicodedata import normalize

import pytest
from msgspec.structs import replace

from checklist.definition import Item
from checklist.lifecycle import State
from checklist.reports.status_report import StatusReport, build
from checklist.status import Facts, Status
from tests.checklist.making import (
    NOW,
    attestation,
    checklist,
    claim,
    days,
    evidence,
    hours,
    item,
    manual,
    reopening,
)
from tui import ordering
from tui.ordering import ORDERS, Order, nested, panels, pressing


def report(*items: Item, **facts: Facts) -> StatusReport:
    return build(checklist(*items), Status(items=dict(facts)), NOW)


def failed(of: Item) -> Facts:
    return Facts(evidence=evidence(of, "fail"))


def listed(found: StatusReport, order: Order, words: str = "") -> dict[str, list[str]]:
    return {panel.title: [row.item.id for row in panel.rows] for panel in panels(found.items, order, words)}


def every_state() -> StatusReport:
    names = ("green", "never", "stale", "claimed", "unknown", "degraded", "failing")
    items = {name: item(name) for name in names}
    after = item("after", after=("failing",))
    light = item("light", severity="advisory")
    facts = {
        "green": Facts(evidence=evidence(items["green"])),
        "stale": Facts(evidence=evidence(items["stale"], at=hours(-30))),
        "claimed": Facts(claim=claim()),
        "unknown": Facts(evidence=evidence(items["unknown"], "unknown")),
        "degraded": Facts(evidence=evidence(items["degraded"], "warn")),
        "failing": failed(items["failing"]),
        "light": failed(light),
        "back": Facts(evidence=evidence(item("back"), "fail", hours(-3)), reopening=reopening()),
    }
    return report(after, light, *items.values(), item("back"), **facts)


def test_the_most_pressing_order_is_that_of_the_gate() -> None:
    found = every_state()
    held = [about for about in found.gate.about if about]
    (order,) = listed(found, Order.PRESSING).values()
    assert order == [*held, "light", "green"]
    assert order[0] == "failing"


def test_what_is_overdue_presses_most_among_its_like() -> None:
    items = [item("one"), item("soon", due=days(1)), item("late", due=days(-1)), item("later", due=days(9))]
    found = report(*items, one=failed(items[0]))
    assert [one.id for one in sorted(found.items, key=pressing)] == ["one", "late", "soon", "later"]


def test_by_the_day_it_is_due_what_is_done_and_what_has_no_day_stands_last() -> None:
    done = item("done", due=days(-9))
    found = report(
        item("none"),
        done,
        item("b", due=days(2)),
        item("a", due=days(-2)),
        done=Facts(evidence=evidence(done)),
    )
    assert listed(found, Order.DUE) == {"By the day it is due": ["a", "b", "none", "done"]}


def test_by_owner_every_owner_has_a_panel_and_nobody_too() -> None:
    found = report(item("a", owner="Kim"), item("b"), item("c", owner="Kim"))
    assert listed(found, Order.OWNER) == {"Owner: Kim": ["a", "c"], "Owner: nobody": ["b"]}


def test_the_orders_follow_one_another_around_the_end() -> None:
    order, seen = Order.CHECKLIST, []
    for _ in Order:
        seen.append(order)
        order = order.following
    assert seen == list(Order)
    assert order is Order.CHECKLIST
    assert set(ORDERS) == set(Order)


def test_a_panel_counts_what_is_green_and_what_holds_the_gate_whatever_is_filtered() -> None:
    found = report(
        item("a"), item("b"), item("c", severity="advisory"), a=Facts(evidence=evidence(item("a")))
    )
    for words in ("", "b"):
        (panel,) = panels(found.items, Order.CHECKLIST, words)
        assert (panel.total, panel.green, panel.holding) == (3, 1, 1)


def places(found: StatusReport, words: str = "") -> list[tuple[str, int, tuple[str, ...]]]:
    return [
        (row.item.id, row.depth, row.waits_for)
        for panel in panels(found.items, Order.CHECKLIST, words)
        for row in panel.rows
    ]


def test_what_waits_stands_right_below_what_it_waits_for_and_chains_nest() -> None:
    found = report(
        item("last", after=("middle",)),
        item("root"),
        item("other"),
        item("middle", after=("root",)),
        item("also", after=("root",)),
    )
    assert places(found) == [
        ("root", 0, ()),
        ("middle", 1, ()),
        ("last", 2, ()),
        ("also", 1, ()),
        ("other", 0, ()),
    ]


def test_what_waits_for_an_item_of_another_section_or_out_of_sight_says_so() -> None:
    found = report(item("root"), item("far", section="Other", after=("root",)), item("near", after=("root",)))
    assert places(found) == [("root", 0, ()), ("near", 1, ()), ("far", 0, ("root",))]
    assert places(found, "near") == [("near", 0, ("root",))]


def test_an_item_whose_cause_is_green_stands_in_its_own_place() -> None:
    found = report(item("a", after=("b",)), item("b"), b=Facts(evidence=evidence(item("b"))))
    assert places(found) == [("a", 0, ()), ("b", 0, ())]


def test_nothing_vanishes_even_if_items_wait_for_one_another_in_a_circle() -> None:
    one, two = report(item("one", after=("root",)), item("root")).items
    circle = [replace(one, id="a", waits_for=("b",)), replace(one, id="b", waits_for=("a",)), two]
    assert sorted(row.item.id for row in nested(circle)) == ["a", "b", "root"]


def test_a_chain_of_ten_thousand_is_nested() -> None:
    names = [f"i{number}" for number in range(10_000)]
    whole = report(item("seed")).items[0]
    chain: list[Any] = [whole] + [
        replace(whole, id=name, state=State.INHIBITED, waits_for=(before,))
        for before, name in zip(["seed", *names], names, strict=False)
    ]
    assert [row.depth for row in nested(chain)] == list(range(10_001))


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("cache", ["cache"]),
        ("HEALTHY", ["cache"]),
        ("kim", ["notes"]),
        ("infra", ["cache"]),
        ("릴리스", ["notes"]),
        ("ＣＡＣＨＥ", ["cache"]),  # noqa: RUF001  # as a Korean keyboard may give them
        ("attested", ["notes"]),
        ("cache infra", ["cache"]),
        ("cache kim", []),
        ("  ", ["cache", "notes"]),
        ("[/", []),
    ],
)
def test_an_item_is_found_by_all_of_its_words(words: str, ids: list[str]) -> None:
    notes = manual("notes", title="릴리스 노트를 읽었다", owner="Kim", section="Release")
    cache = item("cache", title="It is Healthy", section="Infrastructure")
    found = report(cache, notes, notes=Facts(attestation=attestation(notes)))
    assert [item for ids_ in listed(found, Order.CHECKLIST, words).values() for item in ids_] == ids


def test_hangul_in_parts_is_found_by_whole_hangul() -> None:
    found = report(item("a", title=normalize("NFD", "캐시가 정상이다")))
    assert listed(found, Order.CHECKLIST, "캐시") == {"General": ["a"]}


def test_a_state_is_found_in_every_language(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.ordering.every", lambda text: (text, {"open": "미해결"}.get(text, text)))
    ordering._state_words.cache_clear()
    try:
        found = report(item("a"), item("b"), b=Facts(evidence=evidence(item("b"))))
        assert listed(found, Order.CHECKLIST, "미해결") == {"General": ["a"]}
        assert listed(found, Order.CHECKLIST, "OPEN") == {"General": ["a"]}
    finally:
        ordering._state_words.cache_clear()
