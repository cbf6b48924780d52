"""What several commands share: their options, and the one way to write data."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import click

from cli.exits import refuse

DEFAULT = "checklist.toml"


def checklist_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add `--checklist PATH`."""
    return click.option(
        "--checklist",
        type=click.Path(path_type=Path),
        help=f"The checklist. Default: {DEFAULT} here or in a parent folder.",
    )(function)


def format_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add `--format text|json`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="For people or for programs.",
    )(function)


def output_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add `-o FILE`."""

    def check(_ctx: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
        # Before anything is run: a long check must not end in a file that could never be written.
        if path is not None and (
            path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK)
        ):
            raise click.BadParameter(f"{path} cannot be written")
        return path

    help_ = "Write there instead of to standard output."
    return click.option("-o", "--output", type=click.Path(path_type=Path), callback=check, help=help_)(
        function
    )


def by_option(function: Callable[..., None]) -> Callable[..., None]:
    """Add `--by NAME`."""
    return click.option("--by", help="Who says so. Default: git's user.name, then the login name.")(function)


def put(data: str | bytes, output: Path | None) -> None:
    """Write data where it was asked for; standard output carries nothing else."""
    from probes.clean import strip

    raw = strip(data).encode() if isinstance(data, str) else data
    if output is not None:
        try:
            output.write_bytes(raw)
        except OSError as error:
            refuse(f"{output}: not written: {error.strerror}")
        return
    if sys.stdout is None:
        refuse("standard output is closed")
    try:
        sys.stdout.buffer.write(raw)
        sys.stdout.buffer.flush()
    except OSError as error:
        # Nothing more can be written there, not even at the end of the program.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            # Whoever read us had enough; the usual death of a program in a pipe.
            sys.exit(128 + signal.SIGPIPE)
        refuse(f"standard output: not written: {error.strerror}")
