import pytest

from checklist.lifecycle import RefusedError, State
from checklist.reports import status_report
from checklist.selection import Selection, select
from tests.checklist.making import NOW, checklist, item, manual, proven

LIST = checklist(
    item("cache", section="Infrastructure", owner="Ops team"),
    item("cache-2", section="Infrastructure", owner="Ann"),
    item("keys", section="Security", owner="ann"),
    manual("sign-off", section="Release"),
)
ITEMS = status_report.build(LIST, proven(LIST), NOW).items

MEANT: dict[str, tuple[Selection, str]] = {
    "ids": (Selection(ids=("keys", "cache")), "cache keys"),
    "one pattern": (Selection(only=("cache*",)), "cache cache-2"),
    "a pattern covers the whole id": (Selection(only=("cache",)), "cache"),
    "two patterns": (Selection(only=("cache", "k?ys")), "cache keys"),
    "a section in any case": (Selection(sections=("infra*",)), "cache cache-2"),
    "an owner in any case": (Selection(owners=("ANN",)), "cache-2 keys"),
    "no owner": (Selection(owners=("",)), "sign-off"),
    "a state": (Selection(states=(State.ATTESTED,)), "sign-off"),
    "either state": (Selection(states=(State.ATTESTED, State.VERIFIED)), "cache cache-2 keys sign-off"),
    "every respect counts": (Selection(owners=("ann",), sections=("Security",)), "keys"),
    "ids too": (Selection(ids=("keys", "cache"), owners=("ann",)), "keys"),
}


@pytest.mark.parametrize("case", MEANT)
def test_who_is_meant(case: str) -> None:
    selection, names = MEANT[case]
    assert [found.id for found in select(ITEMS, selection) or ()] == names.split()


def test_nothing_said_is_no_selection() -> None:
    assert select(ITEMS, Selection()) is None


REFUSED: dict[str, tuple[Selection, str]] = {
    "unknown id": (Selection(ids=("cash",)), "no item is called 'cash'; did you mean 'cache'"),
    "an id is no pattern": (Selection(ids=("cache*",)), "no item is called"),
    "a pattern for nothing": (Selection(only=("cache", "cash")), "no item is called 'cash'"),
    "unknown section": (Selection(sections=("Securty",)), "no section is called 'Securty'.*'Security'"),
    "unknown owner": (Selection(owners=("Ops",)), "no item is owned by 'Ops'"),
    "nothing left": (Selection(sections=("Security",), owners=("Ops team",)), "no item is in this selection"),
    "no such state now": (Selection(states=(State.OPEN,)), "no item is in this selection"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_was_mistyped_does_not_pass_for_proven(case: str) -> None:
    selection, message = REFUSED[case]
    with pytest.raises(RefusedError, match=message):
        select(ITEMS, selection)
