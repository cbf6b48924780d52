"""`gonogo resolve`, `attest`, `waive` and `reopen`: what people say about an item."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from checklist.language import gettext as _
from cli.exits import narrate
from cli.help import Command, Option
from cli.options import DATE, by_option, meaning, place_options
from cli.sessions import open_session, run

if TYPE_CHECKING:
    from checklist.opening import Place


@click.command(cls=Command)
@click.argument("id_", metavar="ID")
@click.option("--action", required=True, help="What was done.", cls=Option)
@click.option(
    "--on",
    type=DATE,
    metavar="DATE",
    help="The day on which it was resolved. Default: today.",
    cls=Option,
)
@by_option
@place_options
def resolve(id_: str, action: str, on: datetime | None, by: str | None, place: "Place") -> None:
    """Claim an item resolved. A claim is proven by `gonogo check ID`."""
    session = open_session(place, by)
    day = on.date() if on else None
    run(session, lambda: session.claim(id_, by=session.operator, action=action, on=day))
    words = _("{item}: resolved, not yet proven; prove it with: {command}")
    narrate(words.format(item=id_, command=f"gonogo check {id_}{meaning(place)}"))


@click.command(cls=Command)
@click.argument("id_", metavar="ID")
@click.option("--note", required=True, help="What was seen or agreed.", cls=Option)
@by_option
@place_options
def attest(id_: str, note: str, by: str | None, place: "Place") -> None:
    """Answer by name for a manual item."""
    session = open_session(place, by)
    run(session, lambda: session.attest(id_, by=session.operator, note=note))
    narrate(_("{item}: attested").format(item=id_))


@click.command(cls=Command)
@click.argument("id_", metavar="ID")
@click.option("--why", required=True, help="Why it is accepted for now.", cls=Option)
@click.option(
    "--until",
    type=DATE,
    metavar="DATE",
    required=True,
    help="The last day on which the waiver holds.",
    cls=Option,
)
@click.option(
    "--by",
    metavar="NAME",
    help="Who approves. Default: git's user.name, then the login name.",
    cls=Option,
)
@place_options
def waive(id_: str, why: str, until: datetime, by: str | None, place: "Place") -> None:
    """Accept an item as it is, up to and including a day. Waivers stay counted in the verdict.

    The day ends in the time zone of the checklist's [policy], which is UTC unless it says otherwise.
    """
    session = open_session(place, by)
    run(session, lambda: session.waive(id_, by=session.operator, why=why, until=until.date()))
    zone = session.checklist.policy.time_zone
    narrate(_("{item}: waived until {day}, {zone}").format(item=id_, day=until.date(), zone=zone))


@click.command(cls=Command)
@click.argument("id_", metavar="ID")
@click.option("--why", required=True, help="Why it is open again.", cls=Option)
@by_option
@place_options
def reopen(id_: str, why: str, by: str | None, place: "Place") -> None:
    """Take an item back to open: claim, attestation and waiver go, older evidence proves nothing."""
    session = open_session(place, by)
    run(session, lambda: session.reopen(id_, by=session.operator, why=why))
    narrate(_("{item}: reopened").format(item=id_))
