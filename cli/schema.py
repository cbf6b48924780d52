"""`gonogo schema` and `gonogo init`: what helps to write a checklist."""

import shlex
from pathlib import Path

import click

from cli.exits import narrate, refuse
from cli.options import DEFAULT, output_option, put

WHATS = ("checklist", "readiness", "resolution", "outcome")


@click.command()
@click.argument("what", type=click.Choice(WHATS), default=WHATS[0])
@output_option
def schema(what: str, output: Path | None) -> None:
    """Print the JSON Schema of checklist.toml, or of a record.

    WHAT is checklist (default; with the parameters of every installed probe, for editors), readiness or
    resolution (the records under reports/), or outcome (what a probe run finds).
    """
    from checklist.reports.status_report import encode
    from checklist.schema import SCHEMAS

    put(encode(SCHEMAS[what]()), output)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True), default=Path())
def init(folder: Path) -> None:
    """Write a commented checklist.toml to begin with, in FOLDER or here. Never overwrites."""
    from checklist import starter

    path = folder / DEFAULT
    try:
        starter.write(path)
    except FileExistsError as error:
        refuse(f"{error.filename2 or error.filename}: exists already; nothing was written")
    except OSError as error:
        refuse(f"{path}: not written: {error.strerror}")
    narrate(f"{path}: written; make it yours, then open it with: gonogo {shlex.quote(str(path))}")
