"""`gonogo resolve`, `attest`, `waive` and `reopen`: what people say about an item."""

from datetime import datetime
from typing import TYPE_CHECKING

import click

from cli.exits import narrate
from cli.options import DATE, by_option, meaning, place_options
from cli.sessions import open_session, run

if TYPE_CHECKING:
    from checklist.opening import Place


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--action", required=True, help="What was done.")
@click.option("--on", type=DATE, metavar="DATE", help="The day on which it was resolved. Default: today.")
@by_option
@place_options
def resolve(id_: str, action: str, on: datetime | None, by: str | None, place: "Place") -> None:
    """Claim an item resolved. A claim is proven by `gonogo check ID`."""
    session = open_session(place, by)
    day = on.date() if on else None
    run(session, lambda: session.claim(id_, by=session.operator, action=action, on=day))
    narrate(f"{id_}: resolved, not yet proven; prove it with: gonogo check {id_}{meaning(place)}")


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--note", required=True, help="What was seen or agreed.")
@by_option
@place_options
def attest(id_: str, note: str, by: str | None, place: "Place") -> None:
    """Answer by name for a manual item."""
    session = open_session(place, by)
    run(session, lambda: session.attest(id_, by=session.operator, note=note))
    narrate(f"{id_}: attested")


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--why", required=True, help="Why it is accepted for now.")
@click.option(
    "--until", type=DATE, metavar="DATE", required=True, help="The last day on which the waiver holds."
)
@click.option("--by", metavar="NAME", help="Who approves. Default: git's user.name, then the login name.")
@place_options
def waive(id_: str, why: str, until: datetime, by: str | None, place: "Place") -> None:
    """Accept an item as it is, up to and including a day. Waivers stay counted in the verdict.

    The day ends in the time zone of the checklist's [policy], which is UTC unless it says otherwise.
    """
    session = open_session(place, by)
    run(session, lambda: session.waive(id_, by=session.operator, why=why, until=until.date()))
    narrate(f"{id_}: waived until {until:%Y-%m-%d}, {session.checklist.policy.time_zone}")


@click.command()
@click.argument("id_", metavar="ID")
@click.option("--why", required=True, help="Why it is open again.")
@by_option
@place_options
def reopen(id_: str, why: str, by: str | None, place: "Place") -> None:
    """Take an item back to open: claim, attestation and waiver go, older evidence proves nothing."""
    session = open_session(place, by)
    run(session, lambda: session.reopen(id_, by=session.operator, why=why))
    narrate(f"{id_}: reopened")
