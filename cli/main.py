"""The `gonogo` command. Commands parse and print; what they do is done by a `Session`.

What a command needs is imported inside it: `gonogo status` in a pipeline loads neither the console nor a
client library.
"""

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from cli.exits import Exit, narrate, of_gate, of_items, refuse
from cli.options import DEFAULT, by_option, checklist_option, format_option, output_option, put
from cli.probe import probe

if TYPE_CHECKING:
    from checklist.events import Event
    from checklist.session import Session

T = TypeVar("T")


class Door(click.Group):
    """A group whose first word may also be a checklist to open."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read `gonogo [CHECKLIST]` as `gonogo console [CHECKLIST]`."""
        if not args or self._is_checklist(args[0]):
            args = ["console", *args]
        return super().parse_args(ctx, args)

    def _is_checklist(self, word: str) -> bool:
        """Tell a path from a mistyped command: it is there, or it looks like one."""
        if word in self.commands or word.startswith("-"):
            return False
        return Path(word).exists() or "/" in word or "." in word


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gonogo", message="%(prog)s %(version)s")
def command() -> None:
    """Prove a production-readiness checklist before a release: GO or NO-GO.

    `gonogo [CHECKLIST]` opens the console; the commands below are for shells and pipelines.

    Exit codes: 0 GO, 1 NO-GO, 2 the checklist, its status or the call is wrong, 3 a probe could not tell,
    130 interrupted.
    """


command.add_command(probe)

DATE = click.DateTime(["%Y-%m-%d"])


@command.command(hidden=True)
@click.argument("path", type=click.Path(path_type=Path), required=False, metavar="[CHECKLIST]")
@click.option("--checklist", type=click.Path(path_type=Path), hidden=True)
def console(path: Path | None, checklist: Path | None) -> None:
    """Open the console."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        refuse("the console needs a terminal; in a script use `gonogo status` or `gonogo check`")
    session = _open(_find(path or checklist))
    from tui.app import open_console

    sys.exit(open_console(session))


@command.command()
@format_option
@output_option
@checklist_option
def status(form: str, output: Path | None, checklist: Path | None) -> None:
    """Show the gate and every item from what is recorded. Runs nothing."""
    from checklist import definition
    from checklist.opening import open_store
    from checklist.reading import FileError
    from checklist.reports import status_report, text
    from checklist.store import StoreError
    from probes.outcome import now

    path = _find(checklist)
    try:
        known = definition.load(path)
        moment = now()
        report = status_report.build(known, open_store(path, known).load(), moment)
    except (FileError, StoreError) as error:
        refuse(str(error))
    put(text.status(report, moment) if form == "text" else status_report.encode(report), output)
    sys.exit(of_gate(report))


@command.command()
@click.argument("ids", nargs=-1)
@format_option
@output_option
@checklist_option
def check(ids: tuple[str, ...], form: str, output: Path | None, checklist: Path | None) -> None:
    """Run probes and record the evidence. Without IDS this is the final check, which alone can make GO."""
    from checklist.reports import status_report, text

    session = _open(_find(checklist))
    session.listen(_narrator())
    result = _run(session, lambda: session.check(ids or None))
    if result is None:
        _interrupted()
    chosen = tuple(item for item in result.items if item.id in ids)
    if form == "json":
        put(status_report.encode(result), output)
    elif ids:
        put(text.checked(chosen, result.run), output)
    else:
        put(text.status(session.report(), result.time), output)
    sys.exit(of_items(chosen) if ids else of_gate(session.report()))


@command.command()
@click.argument("id_", metavar="ID")
@click.option("--action", required=True, help="What was done.")
@click.option("--on", type=DATE, help="The day on which it was resolved. Default: today.")
@by_option
@checklist_option
def resolve(id_: str, action: str, on: datetime | None, by: str | None, checklist: Path | None) -> None:
    """Claim an item resolved. A claim is proven by `gonogo check ID`."""
    session = _open(_find(checklist))
    day = on.date() if on else None
    _run(session, lambda: session.claim(id_, by=_name(by), action=action, on=day))
    narrate(f"{id_}: resolved, not yet proven; prove it with: gonogo check {id_}")


@command.command()
@click.argument("id_", metavar="ID")
@click.option("--note", required=True, help="What was seen or agreed.")
@by_option
@checklist_option
def attest(id_: str, note: str, by: str | None, checklist: Path | None) -> None:
    """Answer by name for a manual item."""
    session = _open(_find(checklist))
    _run(session, lambda: session.attest(id_, by=_name(by), note=note))
    narrate(f"{id_}: attested")


@command.command()
@click.argument("id_", metavar="ID")
@click.option("--why", required=True, help="Why it is accepted for now.")
@click.option("--until", type=DATE, required=True, help="The last day on which the waiver holds.")
@by_option
@checklist_option
def waive(id_: str, why: str, until: datetime, by: str | None, checklist: Path | None) -> None:
    """Accept an item as it is, up to and including a day. Waivers stay counted in the verdict."""
    session = _open(_find(checklist))
    _run(session, lambda: session.waive(id_, by=_name(by), why=why, until=until.date()))
    narrate(f"{id_}: waived until {until:%Y-%m-%d}")


@command.command()
@click.argument("id_", metavar="ID")
@click.option("--why", required=True, help="Why it is open again.")
@by_option
@checklist_option
def reopen(id_: str, why: str, by: str | None, checklist: Path | None) -> None:
    """Take an item back to open: claim, attestation and waiver go, older evidence proves nothing."""
    session = _open(_find(checklist))
    _run(session, lambda: session.reopen(id_, by=_name(by), why=why))
    narrate(f"{id_}: reopened")


def _find(path: Path | None) -> Path:
    """Return the checklist that is meant: the one named, or the nearest above the current folder."""
    if path is not None:
        return path / DEFAULT if path.is_dir() else path
    here = Path.cwd()
    found = next((folder for folder in (here, *here.parents) if (folder / DEFAULT).is_file()), None)
    if found is None:
        refuse(f"no {DEFAULT} here or in a parent folder; name one: gonogo PATH")
    return found / DEFAULT


def _open(path: Path) -> "Session":
    from checklist.reading import FileError
    from checklist.session import Session
    from checklist.store import StoreError

    try:
        return Session.open(path)
    except (FileError, StoreError) as error:
        refuse(str(error))


def _run(session: "Session", action: Callable[[], Awaitable[T]]) -> T:
    """Do one thing with a session and end everything it started, whatever happens."""
    import asyncio

    from checklist.lifecycle import RefusedError
    from checklist.reading import FileError
    from checklist.store import StoreError

    async def whole() -> T:
        try:
            return await action()
        finally:
            await session.close()

    try:
        return asyncio.run(whole())
    except (RefusedError, FileError, StoreError) as error:
        refuse(str(error))


def _interrupted() -> NoReturn:
    narrate("gonogo: interrupted; what had ended is recorded, the rest was stopped")
    sys.exit(Exit.INTERRUPTED)


def _narrator() -> "Callable[[Event], None]":
    """Return a listener that tells on standard error what is going on."""
    from checklist.events import CheckStarted, Ended
    from checklist.reports import text

    total = done = 0

    def tell(event: "Event") -> None:
        nonlocal total, done
        if isinstance(event, CheckStarted):
            total = len(event.items)
        elif isinstance(event, Ended):
            done += 1
            found = event.outcome
            said = event.item
            if found:
                words = " ".join([found.summary, *text.hint(found.hint)])
                said = f"{text.VERDICT_GLYPHS[found.verdict]} {event.item}: {words}"
            narrate(f"[{done}/{total}] {said}")

    return tell


def _name(by: str | None) -> str:
    """Return who is speaking: `--by`, else git's user.name, else the login name."""
    from checklist.identity import name

    return by if by is not None else name()


def main() -> None:
    """Run the command; every ending has its exit code."""
    try:
        command.main(standalone_mode=False)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(Exit.USAGE)
    except (click.Abort, KeyboardInterrupt):
        _interrupted()
