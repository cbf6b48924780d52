"""Where status lives. Nothing but a store knows."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from checklist.journal import Note
from checklist.language import gettext as _
from checklist.status import Status


class Change(NamedTuple):
    """One change, to be applied to whatever the status is when it is this change's turn.

    Attributes:
        apply: From the status before, with the new revision already set, to the status after.
        note: What the journal is to tell of it.
        item: The item it is about; empty if it is about none or several.
        facts: Which of its facts a person changes. If another writer changed one of them since it was read,
            it is a conflict.
    """

    apply: Callable[[Status], Status]
    note: Note
    item: str = ""
    facts: tuple[str, ...] = ()


class StoreError(Exception):
    """The status could not be read or saved; what was there before still stands."""


class ConflictError(StoreError):
    """Another writer changed the same fact of the same item first."""

    def __init__(self, item: str, fact: str, theirs: object, meant: object) -> None:
        """Take the fact in dispute, as the other writer left it and as it was to become."""
        words = _(
            "{item}: somebody else changed its {fact} meanwhile. It is now {theirs}; not saved: {meant}."
            " Look at it, and mark it again if yours should stand."
        )
        super().__init__(words.format(item=item, fact=_(fact), theirs=_said(theirs), meant=_said(meant)))
        self.item = item
        self.fact = fact


def _said(fact: object) -> str:
    """Return a fact in a few words."""
    if fact is None or fact == ():
        return _("none")
    if isinstance(fact, tuple):
        return ", ".join(map(str, fact))
    said = [getattr(fact, name) for name in ("action", "note", "why") if hasattr(fact, name)]
    if not said:
        return str(fact)
    return _('"{words}" by {name}').format(words=said[0], name=getattr(fact, "by", "?"))


class Store(Protocol):
    """Keeps a status where it outlives the program."""

    def load(self) -> Status:
        """Return the status as it is now; an empty one if none was ever saved.

        Raises:
            StoreError: If there is one but it cannot be read.
        """

    def stamp(self) -> object:
        """Return something that is equal as long as nobody has changed what is stored. Cheap."""

    def apply(self, change: Change, known: Status) -> Status:
        """Apply one change and return the status after it. When this returns, the change is on disk.

        Args:
            change: What to do.
            known: The status that whoever made the change was looking at.

        Raises:
            ConflictError: If a fact that the change is about is no longer as in `known`.
            StoreError: If it could not be saved.
        """
