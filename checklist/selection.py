"""Which items are meant: by id, section, owner or state."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import NamedTuple

from checklist.language import gettext as _
from checklist.lifecycle import RefusedError, State
from checklist.reading import nearest, no_item
from checklist.reports.status_report import ItemReport


class Selection(NamedTuple):
    """What an item must match in every respect that is named; in each of them, one of the patterns will do.

    Patterns know `*`, `?` and `[…]`, cover the whole text and do not mind the case. Ids are exact.
    """

    ids: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    states: tuple[State, ...] = ()


def select(items: Iterable[ItemReport], selection: Selection) -> tuple[ItemReport, ...] | None:
    """Return the items that are meant, in their order; None if nothing is said about which.

    Raises:
        RefusedError: If no item at all is called so, stands in such a section or has such an owner, or none
            is left: what was mistyped must not pass for proven.
    """
    if not any(selection):
        return None
    known = tuple(items)
    for wanted in selection.ids:
        if wanted not in (names := [item.id for item in known]):
            raise RefusedError(no_item(wanted, names))
    _refuse_unknown(_("no item is called {id!r}"), selection.only, {item.id for item in known})
    _refuse_unknown(_("no section is called {id!r}"), selection.sections, {item.section for item in known})
    _refuse_unknown(_("no item is owned by {id!r}"), selection.owners, {item.owner for item in known})
    chosen = tuple(item for item in known if _is_meant(item, selection))
    if not chosen:
        raise RefusedError(_("no item is in this selection"))
    return chosen


def _refuse_unknown(refusal: str, patterns: tuple[str, ...], known: set[str]) -> None:
    for pattern in patterns:
        if not any(_matches(name, (pattern,)) for name in known):
            raise RefusedError(refusal.format(id=pattern) + nearest(pattern, sorted(known)))


def _is_meant(item: ItemReport, selection: Selection) -> bool:
    return (
        (not selection.ids or item.id in selection.ids)
        and _matches(item.id, selection.only)
        and _matches(item.section, selection.sections)
        and _matches(item.owner, selection.owners)
        and (not selection.states or item.state in selection.states)
    )


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether a text matches one of some patterns; without any, every text does."""
    return not patterns or any(fnmatchcase(text.casefold(), pattern.casefold()) for pattern in patterns)
