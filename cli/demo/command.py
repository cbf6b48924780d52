"""`gonogo demo`: the console on a production that is really broken."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, NoReturn

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
    told = (msgspec.json.decode(line, type=_Said) for line in keeper.stdout or ())
    folder: Path | None = None
    try:
        folder = _begun(told)
        yield _Demo(folder, _made(told))
    finally:
        if keeper.stdin:
            keeper.stdin.close()
        if keeper.stdout:
            keeper.stdout.close()
        if folder is not None:
            _take_leave(keeper, folder)


def _begun(told: Iterator[_Said]) -> Path:
    """Return the folder in which all is made."""
    for said in told:
        narrate(_("gonogo: building a throw-away production in {folder}:").format(folder=said.folder))
        return Path(said.folder)
    return _not_built()


def _made(told: Iterator[_Said]) -> dict[str, str]:
    """Tell what is being made, until all is; return the variables that the probes are told by."""
    for said in told:
        if said.making:
            narrate(f"  {_(_BROKEN[said.making])}")
        elif said.ready is not None:
            return said.ready
        else:
            _not_built(_(said.failed))
    return _not_built()


def _not_built(why: str = "") -> NoReturn:
    why = why or _("the process that builds it has ended")
    refuse(_("the demo cannot be built: {why}").format(why=why))


def _take_leave(keeper: subprocess.Popen[bytes], folder: Path) -> None:
    """Say how much of the demo is gone."""
    try:
        keeper.wait(_LEAVE_S)
    except subprocess.TimeoutExpired:
        narrate(_("gonogo: the demo is over; what it made is still being taken away"))
        return
    # It may have been killed, or not be allowed to remove what others have put there.
    words = (
        _("gonogo: the demo is over, but {folder} is left: remove it")
        if folder.exists()
        else _("gonogo: the demo is over, and nothing of it is left")
    )
    narrate(words.format(folder=folder))
