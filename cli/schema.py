"""`gonogo schema` and `gonogo init`: what helps to write a checklist."""

import shlex
from pathlib import Path

import click

from checklist.language import gettext as _
from cli.exits import narrate, refuse
from cli.help import Command
from cli.options import DEFAULT, not_written, output_option, put

WHATS = ("checklist", "readiness", "resolution", "outcome")


@click.command(cls=Command)
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


@click.command(cls=Command)
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
def init(folder: Path) -> None:
    """Write a commented checklist.toml to begin with, in FOLDER or here. Never overwrites."""
    from checklist import starter

    if not folder.is_dir():
        refuse(_("{folder}: no such folder").format(folder=folder))
    path = folder / DEFAULT
    try:
        starter.write(path)
    except FileExistsError as error:
        words = _("{file}: exists already; nothing was written")
        refuse(words.format(file=error.filename2 or error.filename))
    except OSError as error:
        refuse(not_written(path, error))
    words = _("{file}: written; make it yours, then open it with: {command}")
    narrate(words.format(file=path, command=f"gonogo {shlex.quote(str(path))}"))
