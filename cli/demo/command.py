"""`gonogo demo`: the console on a production that is really broken."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from checklist.language import gettext as _
from checklist.language import marked
from cli.exits import narrate, refuse
from cli.help import Command
from cli.options import place_of
from cli.sessions import need_terminal, open_session

_BROKEN = {
    "cache": marked("a Redis that is short of memory"),
    "sentry": marked("an error tracker that turns events away"),
    "restore": marked("a backup with one byte changed"),
    "secrets": marked("a source tree with a key in it"),
    "dependencies": marked("two environments with different versions of psutil"),
}
_LEAVE_S = 10.0


class _Demo(NamedTuple):
    folder: Path
    variables: dict[str, str]


class _Said(msgspec.Struct):
    folder: str = ""
    making: str = ""
    ready: dict[str, str] | None = None
    failed: str = ""


@click.command(cls=Command)
def demo() -> None:
    """Open the console on a throw-away production that is really broken.

    It has the five issues of the production check of 2025-05-13: each was claimed resolved, and none is.
    Each item names the command that repairs it. With all five repaired, the final check gives GO.
    Everything runs on this machine alone, and is gone when you leave.
    """
    need_terminal()
    with _kept() as made:
        os.environ.update(made.variables)
        session = open_session(place_of(made.folder / "checklist.toml", ""))
        from tui.app import open_console

        code = open_console(session)
    sys.exit(code)


@contextlib.contextmanager
def _kept() -> Iterator[_Demo]:
    """Have the demo made by a process that takes it away again, also if this one is killed."""
    keeper = subprocess.Popen(
        # Without the current folder on the path: it may hold a `cli` of its own.
        [sys.executable, "-P", "-m", "cli.demo.keeper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # A session of its own: ctrl-c and ctrl-z in the terminal are not for it.
        start_new_session=True,
    )
    try:
        yield _made(keeper)
    finally:
        if keeper.stdin:
            keeper.stdin.close()
        if keeper.stdout:
            keeper.stdout.close()
        try:
            keeper.wait(_LEAVE_S)
            narrate(_("gonogo: the demo is over, and nothing of it is left"))
        except subprocess.TimeoutExpired:
            narrate(_("gonogo: the demo is over; what it made is still being taken away"))


def _made(keeper: subprocess.Popen[bytes]) -> _Demo:
    """Tell what is being made, until all is."""
    folder, why = Path(), _("the process that builds it has ended")
    for line in keeper.stdout or ():
        said = msgspec.json.decode(line, type=_Said)
        if said.folder:
            folder = Path(said.folder)
            narrate(_("gonogo: building a throw-away production in {folder}:").format(folder=folder))
        elif said.making:
            narrate(f"  {_(_BROKEN[said.making])}")
        elif said.failed:
            why = said.failed
        elif said.ready is not None:
            return _Demo(folder, said.ready)
    return refuse(_("the demo cannot be built: {why}").format(why=why))
