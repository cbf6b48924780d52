"""What people say about the items of a checklist: every mark is one change, and the last can be undone."""

from collections.abc import Callable
from datetime import date

from checklist import lifecycle
from checklist.book import Book
from checklist.definition import Checklist
from checklist.journal import Note, What
from checklist.language import gettext as _
from checklist.lifecycle import RefusedError
from checklist.opening import Clock, Place
from checklist.status import Facts, Status
from checklist.store import Change, ConflictError, Store
from checklist.zones import day
from probes.outcome import now


class Marks(Book):
    """A book that people write into."""

    def __init__(
        self, place: Place, checklist: Checklist, store: Store, *, clock: Clock = now, operator: str = ""
    ) -> None:
        """Read the status; raises as `Book`.

        Args:
            place: Where everything lies.
            checklist: The checklist.
            store: Keeps its status.
            clock: Tells the time.
            operator: Who is at the keyboard.
        """
        super().__init__(place, checklist, store, clock)
        self.operator = operator
        self._marks: list[tuple[Note, Facts, Facts]] = []

    async def claim(self, item: str, *, by: str, action: str, on: date | None = None) -> None:
        """Claim an item resolved, by default today.

        Raises:
            RefusedError: If the rules do not allow it; see `lifecycle.claim`.
            ConflictError: If somebody else changed the same facts since they were shown here.
            StoreError: If it could not be saved.
        """
        _require(by=by, action=action)
        entry, at = self.item(item), self.clock()
        when = on or day(at, entry.policy.time_zone)
        await self._mark(
            Note("resolved", by, item, action, data={"on": str(when)}),
            ("claim", "reopening"),
            lambda facts: lifecycle.claim(facts, entry, by=by, on=when, action=action, at=at),
        )

    async def attest(self, item: str, *, by: str, note: str) -> None:
        """Answer for a manual item by name; raises as `claim`."""
        _require(by=by, note=note)
        entry, at = self.item(item), self.clock()
        await self._mark(
            Note("attested", by, item, note),
            ("attestation", "reopening"),
            lambda facts: lifecycle.attest(facts, entry, by=by, note=note, at=at),
        )

    async def waive(self, item: str, *, by: str, why: str, until: date) -> None:
        """Accept an item as it is up to a day; raises as `claim`."""
        _require(by=by, why=why)
        entry, at = self.item(item), self.clock()
        await self._mark(
            Note("waived", by, item, why, data={"until": str(until), "zone": entry.policy.time_zone}),
            ("waiver", "reopening"),
            lambda facts: lifecycle.waive(facts, entry, by=by, why=why, until=until, at=at),
        )

    async def reopen(self, item: str, *, by: str, why: str) -> None:
        """Take an item back to open; raises as `claim`."""
        _require(by=by, why=why)
        self.item(item)
        at = self.clock()
        await self._mark(
            Note("reopened", by, item, why),
            ("claim", "attestation", "waiver", "reopening"),
            lambda facts: lifecycle.reopen(facts, by=by, why=why, at=at),
        )

    async def tick(self, item: str, step: str) -> None:
        """Tick a step or untick it; raises as `claim`."""
        entry = self.item(item)
        what: What = "unticked" if step in self.status.of(item).steps else "ticked"
        note = Note(what, self.operator, item, data={"step": step})
        await self._mark(note, ("steps",), lambda facts: lifecycle.tick(facts, entry, step))

    @property
    def undoable(self) -> Note | None:
        """The last mark made in this session and not taken back, as the journal tells it."""
        return self._marks[-1][0] if self._marks else None

    async def undo(self) -> str | None:
        """Take back the last mark made in this session; evidence is no mark and stays.

        Returns:
            The item it was about, or None if there is no mark to take back.

        Raises:
            ConflictError: If somebody else changed since what the mark had changed.
            StoreError: If it could not be saved.
        """
        if not self._marks:
            return None
        mark, before, after = self._marks[-1]
        item = mark.item
        changed = tuple(word for word in lifecycle.WORDS if getattr(before, word) != getattr(after, word))
        for word in changed:
            if (theirs := getattr(self.status.of(item), word)) != getattr(after, word):
                raise ConflictError(item, word, theirs, getattr(before, word))

        def back(status: Status) -> Status:
            return status.having(item, lifecycle.undo(status.of(item), before, after))

        note = Note("undone", self.operator, item, mark.why, data={"mark": mark.what})
        await self.save(Change(back, note, item, changed))
        self._marks.pop()
        return item

    async def _mark(self, note: Note, facts: tuple[str, ...], mark: Callable[[Facts], Facts]) -> None:
        made: list[tuple[Note, Facts, Facts]] = []

        def apply(status: Status) -> Status:
            before = status.of(note.item)
            made.append((note, before, mark(before)))
            return status.having(note.item, made[-1][2])

        await self.save(Change(apply, note, note.item, facts))
        self._marks += made


def _require(**texts: str) -> None:
    words = {
        "by": _("say who says so (--by)"),
        "action": _("say what was done"),
        "note": _("say what was seen"),
        "why": _("say why"),
    }
    for name, text in texts.items():
        if not text.strip():
            raise RefusedError(words[name])
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RefusedError(_("{option}: this is not UTF-8 text").format(option=name)) from None
