"""`gonogo import` and `gonogo export`: the Markdown list that a team has already."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.exits import narrate, refuse
from cli.options import DEFAULT, by_option, name_of, output_option, place_options, put

if TYPE_CHECKING:
    from checklist.markdown import Imported
    from checklist.opening import Place


@click.command("import")
@click.argument("list_", type=click.Path(path_type=Path), metavar="LIST.md")
@click.option(
    "-o",
    "folder",
    type=click.Path(path_type=Path),
    default=".",
    metavar="DIR",
    help="Write there instead of here.",
)
@click.option("--force", is_flag=True, help="Overwrite a checklist and its status that are there already.")
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
        refuse(f"{folder}: no such folder")
    there = [path for path in (place.checklist, place.status) if path.exists()]
    if there and not force:
        refuse(f"{there[0]} is there already; --force overwrites it")
    # As it can be written down: a file may have any bytes for a name.
    source = Path(str(list_).encode(errors="replace").decode())
    try:
        found = markdown.read(read_text(list_), source, by=name_of(by), at=now())
        importing.save(found, place, source, name_of(by))
    except (FileError, StoreError) as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{place.checklist}: not written: {error.strerror or error}")
    _tell(found, list_, place)


def _tell(found: "Imported", path: Path, place: "Place") -> None:
    from checklist.reports.text import items
    from probes.parameters import needed

    for problem in found.problems:
        narrate(f"{path}:{problem.line}: {problem.message}")
    for name, use in found.suggested.items():
        narrate(f"{name}: suggested probe: {use}; look whether its parameters fit")
    for item in found.checklist.items:
        if item.probe is not None and "command" in item.probe.parameters:
            # A list from elsewhere must not make a program run unseen.
            command = item.probe.parameters["command"]
            narrate(f"{item.id}: its probe runs a program that the list names; look at it first: {command}")
        if item.probe is None and item.id in found.facts and found.facts[item.id].claim:
            narrate(f"{item.id}: claimed, and no probe could prove it: attest it, or bind it to a probe")
    if names := needed([item.probe.parameters for item in found.checklist.items if item.probe]):
        narrate(f"for the probes set: {', '.join(names)}")
    claims = sum(facts.claim is not None for facts in found.facts.values())
    number = len(found.problems)
    left = f", {number} line{'' if number == 1 else 's'} not taken over" if number else ""
    narrate(f"{place.checklist}: {items(len(found.checklist.items))}, {claims} resolved, none proven{left}")


@click.command()
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
        narrate("[environments] is not written: a Markdown list is about one environment")
