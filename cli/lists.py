"""`gonogo import` and `gonogo export`: the Markdown list that a team has already."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from checklist.language import gettext as _
from checklist.language import ngettext
from cli.exits import narrate, refuse
from cli.help import Command, Option
from cli.options import DEFAULT, by_option, name_of, not_written, output_option, place_options, put

if TYPE_CHECKING:
    from checklist.markdown import Imported
    from checklist.opening import Place


@click.command("import", cls=Command)
@click.argument("list_", type=click.Path(path_type=Path), metavar="LIST.md")
@click.option(
    "-o",
    "folder",
    type=click.Path(path_type=Path),
    default=".",
    metavar="DIR",
    help="Write there instead of here.",
    cls=Option,
)
@click.option(
    "--force",
    is_flag=True,
    help="Overwrite a checklist and its status that are there already.",
    cls=Option,
)
@by_option
def import_(list_: Path, folder: Path, force: bool, by: str | None) -> None:
    """Read a Markdown checklist: write checklist.toml, and the claims of ticked boxes beside it.

    A ticked box becomes a claim, never proof. What could not be placed is told line by line.
    """
    from checklist import importing, markdown
    from checklist.opening import Place
    from checklist.reading import FileError, read_text
    from checklist.store import StoreError
    from probes.outcome import now

    place = Place(folder / DEFAULT)
    if not folder.is_dir():
        refuse(_("{folder}: no such folder").format(folder=folder))
    there = [path for path in (place.checklist, place.status) if path.exists()]
    if there and not force:
        refuse(_("{file} is there already; --force overwrites it").format(file=there[0]))
    # As it can be written down: a file may have any bytes for a name.
    source = Path(str(list_).encode(errors="replace").decode())
    try:
        found = markdown.read(read_text(list_), source, by=name_of(by), at=now())
        importing.save(found, place, source, name_of(by))
    except (FileError, StoreError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(not_written(place.checklist, error))
    _tell(found, list_, place)


def _tell(found: "Imported", path: Path, place: "Place") -> None:
    from checklist.reports.text import items
    from probes.parameters import needed

    for problem in found.problems:
        narrate(f"{path}:{problem.line}: {problem.message}")
    for name, use in found.suggested.items():
        words = _("{item}: suggested probe: {probe}; look whether its parameters fit")
        narrate(words.format(item=name, probe=use))
    for item in found.checklist.items:
        if item.probe is not None and "command" in item.probe.parameters:
            # A list from elsewhere must not make a program run unseen.
            command = item.probe.parameters["command"]
            words = _("{item}: its probe runs a program that the list names; look at it first: {command}")
            narrate(words.format(item=item.id, command=command))
        if item.probe is None and item.id in found.facts and found.facts[item.id].claim:
            words = _("{item}: claimed, and no probe could prove it: attest it, or bind it to a probe")
            narrate(words.format(item=item.id))
    if names := needed([item.probe.parameters for item in found.checklist.items if item.probe]):
        narrate(_("for the probes set: {names}").format(names=", ".join(names)))
    claims = sum(facts.claim is not None for facts in found.facts.values())
    number = len(found.problems)
    words = _("{file}: {items}, {number} resolved, none proven")
    said = words.format(file=place.checklist, items=items(len(found.checklist.items)), number=claims)
    left = ngettext(", {number} line not taken over", ", {number} lines not taken over", number)
    narrate(f"{said}{left.format(number=number)}" if number else said)


@click.command(cls=Command)
@output_option
@place_options
def export(output: Path | None, place: "Place") -> None:
    """Write the checklist and what is claimed as Markdown; `gonogo import` reads it again."""
    from checklist import definition, markdown
    from checklist.opening import open_store
    from checklist.reading import FileError, parse_toml, read_text
    from checklist.store import StoreError
    from probes.outcome import now

    try:
        text = read_text(place.checklist)
        known = definition.parse(text, place.checklist, place.environment)
        written = definition.parse(text, place.checklist)
        named = parse_toml(text, place.checklist).get("environments")
        put(markdown.write(known, open_store(place, known).load(), now(), written), output)
    except (FileError, StoreError) as error:
        refuse(str(error))
    if named:
        narrate(_("[environments] is not written: a Markdown list is about one environment"))
