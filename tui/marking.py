"""What an operator can say about an item: what is asked, and what is done with the answers."""

from collections.abc import Callable, Coroutine, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from checklist.language import gettext as _
from checklist.reports.status_report import ItemReport
from checklist.session import Session
from checklist.zones import day
from tui.screens.prompt import Question
from tui.words import KeyOf

Answers = Mapping[str, str]


class Mark(NamedTuple):
    """A mark before it is made.

    Attributes:
        title: What will be marked.
        lead: What that means.
        questions: What is asked.
        save: Makes it with the answers.
    """

    title: str
    lead: str
    questions: tuple[Question, ...]
    save: Callable[[Answers], Coroutine[object, object, object]]


def resolve(session: Session, item: ItemReport, key_of: KeyOf) -> Mark:
    """Claim an item resolved."""
    meaning = _("This is a claim; {key} then runs its probe, and only that proves it.")
    return Mark(
        _("Resolve {item}").format(item=item.id),
        _lead(item, meaning.format(key=key_of("run"))),
        (Question("action", _("What was done?")), _name(session)),
        lambda said: session.claim(item.id, by=said["by"], action=said["action"]),
    )


def attest(session: Session, item: ItemReport, _key_of: KeyOf) -> Mark:
    """Answer for a manual item by name."""
    return Mark(
        _("Attest {item}").format(item=item.id),
        _lead(item, _("No probe can prove this: it will rest on your word, under your name.")),
        (Question("note", _("What was seen or agreed?")), _name(session)),
        lambda said: session.attest(item.id, by=said["by"], note=said["note"]),
    )


def reopen(session: Session, item: ItemReport, key_of: KeyOf) -> Mark:
    """Take an item back to open."""
    meaning = _("Claim, attestation and waiver go; only new evidence counts. {key} takes it back.")
    return Mark(
        _("Reopen {item}").format(item=item.id),
        _lead(item, meaning.format(key=key_of("undo"))),
        (Question("why", _("Why is it open again?")), _name(session)),
        lambda said: session.reopen(item.id, by=said["by"], why=said["why"]),
    )


def waive(session: Session, item: ItemReport) -> Mark:
    """Accept an item as it is, up to a day."""
    zone = session.checklist.policy.time_zone
    week = (day(session.clock(), zone) + timedelta(days=7)).isoformat()
    until = _("Up to the end of which day ({zone})?").format(zone=zone)
    return Mark(
        _("Waive {item}").format(item=item.id),
        _lead(item, _("It will not hold the gate up to that day, and stays counted in the verdict.")),
        (
            Question("why", _("Why is it acceptable for now?")),
            Question("until", until, week, day=True),
            Question("by", _("Who approves it?"), session.operator),
        ),
        lambda said: session.waive(
            item.id, by=said["by"], why=said["why"], until=date.fromisoformat(said["until"])
        ),
    )


def _lead(item: ItemReport, meaning: str) -> str:
    return f"{item.title}\n{meaning}"


def _name(session: Session) -> Question:
    return Question("by", _("Under which name?"), session.operator)
