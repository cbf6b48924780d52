"""What several commands share: their options, and the one way to write data."""

import functools
import os
import shlex
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from checklist.language import gettext as _
from cli.exits import refuse
from cli.help import Option

if TYPE_CHECKING:
    from checklist.opening import Place

DEFAULT = "checklist.toml"

FORMATS = ("text", "json", "junit", "markdown", "prometheus", "nagios", "github")
"""How `check` and `status` can tell what they know."""

Command = Callable[..., None]
DATE = click.DateTime(["%Y-%m-%d"])


def find(path: Path | None) -> Path:
    """Return the checklist that is meant: the one named, or the nearest above the current folder."""
    if path is not None:
        return path / DEFAULT if path.is_dir() else path
    found = _nearest()
    if found is None:
        refuse(_("no {file} here or in a parent folder; name one: gonogo PATH").format(file=DEFAULT))
    return found


def _nearest() -> Path | None:
    here = Path.cwd()
    paths = (folder / DEFAULT for folder in (here, *here.parents))
    return next((path for path in paths if path.is_file()), None)


def meaning(place: "Place") -> str:
    """Return the options by which a command that is advised means the same place, if it needs any."""
    words = [] if place.checklist == _nearest() else ["--checklist", str(place.checklist)]
    words += ["--env", place.environment] if place.environment else []
    return "".join(f" {shlex.quote(word)}" for word in words)


def place_options(function: Command) -> Command:
    """Add `--checklist PATH` and `--env NAME`; the command is given the `place` that they mean."""

    @click.option(
        "--checklist",
        type=click.Path(path_type=Path),
        help="The checklist. Default: checklist.toml here or in a parent folder.",
        cls=Option,
    )
    @env_option
    @functools.wraps(function)
    def with_place(*, checklist: Path | None, env: str, **others: object) -> None:
        place, output = place_of(checklist, env), others.get("output")
        kept = (place.checklist.resolve(), place.status, place.journal)
        if isinstance(output, Path) and output.resolve() in kept:
            words = _("{file}: nothing is written over the checklist, its status or its journal")
            refuse(words.format(file=output))
        function(place=place, **others)

    return with_place


def place_of(path: Path | None, env: str) -> "Place":
    """Return where the checklist that is meant and its records lie."""
    from checklist.opening import Place

    return Place(find(path), env)


def env_option(function: Command) -> Command:
    """Add `--env NAME`."""
    help_ = "The environment: its variables, and a status, journal and reports of its own."
    return click.option("--env", default="", metavar="NAME", help=help_, cls=Option)(function)


def format_option(*formats: str) -> Callable[[Command], Command]:
    """Add `--format` with a choice of formats, the first one being the default."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help="For people or for programs.",
        cls=Option,
    )


def selection_options(function: Command) -> Command:
    """Add `--only`, `--owner`, `--section` and `--state`; the command is given the `selection` they mean."""
    from checklist.lifecycle import State

    def patterns(name: str, help_: str) -> Callable[[Command], Command]:
        return click.option(f"--{name}", multiple=True, metavar="PATTERN", help=help_, cls=Option)

    @patterns("only", "Items with such an id; * stands for anything.")
    @patterns("owner", "Items with such an owner.")
    @patterns("section", "Items in such a section.")
    @click.option(
        "--state",
        multiple=True,
        type=click.Choice([state.value for state in State]),
        help="Items in this state.",
        cls=Option,
    )
    @functools.wraps(function)
    def with_selection(
        *,
        only: tuple[str, ...],
        owner: tuple[str, ...],
        section: tuple[str, ...],
        state: tuple[str, ...],
        **others: object,
    ) -> None:
        from checklist.selection import Selection

        states = tuple(State(word) for word in state)
        function(selection=Selection((), only, section, owner, states), **others)

    return with_selection


def output_option(function: Command) -> Command:
    """Add `-o FILE`."""

    def check(_ctx: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
        # Before anything is run: a long check must not end in a file that could never be written.
        if path is not None and (
            path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK)
        ):
            raise click.BadParameter(_("{file} cannot be written").format(file=path))
        return path

    help_ = "Write there instead of to standard output."
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path),
        metavar="FILE",
        callback=check,
        help=help_,
        cls=Option,
    )(function)


def by_option(function: Command) -> Command:
    """Add `--by NAME`."""
    return click.option(
        "--by",
        metavar="NAME",
        help="Who says so. Default: git's user.name, then the login name.",
        cls=Option,
    )(function)


def name_of(by: str | None) -> str:
    """Return who is speaking: `--by`, else git's user.name, else the login name."""
    from checklist.identity import name

    said = by if by is not None else name()
    try:
        said.encode()
    except UnicodeEncodeError:
        refuse(_("by: this is not UTF-8 text; say who it is: --by NAME"))
    return said


def put(data: str | bytes, output: Path | None) -> None:
    """Write data where it was asked for; standard output carries nothing else."""
    from probes.clean import strip

    raw = strip(data).encode() if isinstance(data, str) else data
    if output is not None:
        try:
            _write(output, raw)
        except OSError as error:
            refuse(not_written(output, error))
        return
    if sys.stdout is None:
        refuse(_("standard output is closed"))
    try:
        sys.stdout.buffer.write(raw)
        sys.stdout.buffer.flush()
    except OSError as error:
        # Nothing more can be written there, not even at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            # Whoever read us had enough; the usual death of a program in a pipe.
            sys.exit(128 + signal.SIGPIPE)
        refuse(not_written(_("standard output"), error))


def not_written(what: object, error: OSError) -> str:
    """Say that something could not be written, and why."""
    return _("{file}: not written: {why}").format(file=what, why=error.strerror or error)


def _write(path: Path, raw: bytes) -> None:
    """Write a file so that whoever collects it sees the old one or the new one; a device or pipe as it is."""
    from checklist import durable

    if path.exists() and not stat.S_ISREG(path.stat().st_mode):
        path.write_bytes(raw)
    else:
        durable.replace(path.resolve(), raw, private=False)
