"""`gonogo check` and `gonogo status`: the gate, in whatever format it is asked for."""

import contextlib
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from checklist.language import gettext as _
from cli.exits import Exit, narrate, of_gate, of_items, refuse
from cli.help import Command, Option
from cli.options import (
    FORMATS,
    by_option,
    format_option,
    meaning,
    output_option,
    place_options,
    put,
    selection_options,
)
from cli.sessions import interrupted, open_session, run

if TYPE_CHECKING:
    from checklist.events import Event
    from checklist.opening import Place
    from checklist.reports.readiness import ReadinessCheck
    from checklist.reports.status_report import StatusReport
    from checklist.selection import Selection
    from checklist.session import Session


@click.command(cls=Command)
@selection_options
@format_option(*FORMATS)
@output_option
@place_options
def status(*, form: str, output: Path | None, place: "Place", selection: "Selection") -> None:
    """Show the gate and every item from what is recorded. Runs nothing.

    With a selection only its items are shown, and the exit code is about them.
    """
    from checklist import definition
    from checklist.lifecycle import RefusedError
    from checklist.opening import open_store
    from checklist.reading import FileError
    from checklist.reports import status_report
    from checklist.selection import select
    from checklist.store import StoreError
    from probes.outcome import now

    try:
        known = definition.load(place.checklist, place.environment)
        moment = now()
        report = status_report.build(known, open_store(place, known).load(), moment)
        chosen = select(report.items, selection)
    except (FileError, StoreError, RefusedError) as error:
        refuse(str(error))
    code = of_gate(report) if chosen is None else of_items(chosen)
    if chosen is not None:
        ids = tuple(item.id for item in chosen)
        report = msgspec.structs.replace(report, items=chosen, chosen=ids, proven=code is Exit.GO)
    if form == "json":
        data: str | bytes = status_report.encode(report)
    else:
        data = _render(form, report, place, code, moment, chosen=chosen is not None)
    put(data, output)
    sys.exit(code)


@click.command(cls=Command)
@click.argument("ids", nargs=-1)
@click.option("--resume", is_flag=True, help="Go on with the final check that was stopped.", cls=Option)
@selection_options
@format_option(*FORMATS)
@output_option
@by_option
@place_options
def check(
    *,
    ids: tuple[str, ...],
    resume: bool,
    form: str,
    output: Path | None,
    by: str | None,
    place: "Place",
    selection: "Selection",
) -> None:
    """Run probes and record the evidence. Without a selection it is the final check, which alone can make GO.

    With IDS or another selection only its items are run, and the exit code is about them.
    """
    from checklist.lifecycle import RefusedError
    from checklist.selection import select

    session = open_session(place, by)
    session.listen(_narrator())
    try:
        selected = select(session.report().items, selection._replace(ids=ids))
    except RefusedError as error:
        refuse(str(error))
    names = None if selected is None else tuple(item.id for item in selected)
    result = None
    with contextlib.suppress(KeyboardInterrupt):
        result = run(session, lambda: session.check(names, resume=resume))
    if result is None:
        resumable = names is None and session.unfinished() is not None
        command = f"gonogo check --resume{meaning(session.place)}"
        interrupted(_("; go on with: {command}").format(command=command) if resumable else "")
    _finish(session, result, names, form, output)


def _finish(
    session: "Session",
    result: "ReadinessCheck",
    names: tuple[str, ...] | None,
    form: str,
    output: Path | None,
) -> None:
    """Tell what a check found, and end with its exit code."""
    from checklist.reports import comparison, status_report, text

    report = session.report()
    changes = comparison.sentences(result.changes) if result.changes else ()
    changes = (result.problem, *changes) if result.problem else changes
    if names is None:
        if not result.final:
            why = _(
                "this was no final check: another one was begun, or the checklist edited, while it ran;"
                " or a run of it was stopped"
            )
            changes = (why, *changes)
        code = of_gate(report)
    else:
        chosen = tuple(item for item in result.items if item.id in names)
        code = of_items(chosen)
        report = msgspec.structs.replace(report, items=chosen)
        result = msgspec.structs.replace(result, chosen=names, proven=code is Exit.GO)
    if form == "json":
        data: str | bytes = status_report.encode(result)
    elif form == "text" and names is not None:
        data = text.checked(report.items, result.run)
    else:
        data = _render(
            form, report, session.place, code, result.time, chosen=names is not None, changes=changes
        )
    put(data, output)
    sys.exit(code)


def _render(
    form: str,
    report: "StatusReport",
    place: "Place",
    code: Exit,
    moment: datetime,
    *,
    chosen: bool,
    changes: tuple[str, ...] = (),
) -> str:
    from checklist import definition
    from checklist.reading import FileError
    from checklist.reports import formats
    from checklist.reports.view import View

    lines: dict[str, int] = {}
    # Edited beyond reading since: what was found is told all the same.
    with contextlib.suppress(FileError):
        lines = definition.lines(place.checklist)
    path = _shown(place.checklist)
    return formats.render(form, View(report, chosen, int(code), moment, path, lines, changes))


def _shown(path: Path) -> str:
    """Return a path as it looks from here, as annotations name files."""
    whole, here = path.absolute(), Path.cwd()
    return str(whole.relative_to(here)) if whole.is_relative_to(here) else str(path)


def _narrator() -> "Callable[[Event], None]":
    """Return a listener that tells on standard error what is going on."""
    from checklist.events import CheckEnded, CheckStarted, Ended
    from checklist.glyphs import glyphs
    from checklist.reports import text

    total = done = 0

    def tell(event: "Event") -> None:
        nonlocal total, done
        if isinstance(event, CheckStarted):
            total, done = len(event.items), len(event.done)
            if event.done:
                words = _("going on with the final check {run}: {done} of {total} have run already")
                narrate(words.format(run=event.run, done=done, total=total))
        elif isinstance(event, Ended) and event.outcome is None:
            narrate(_("{item}: stopped").format(item=event.item))
        elif isinstance(event, CheckEnded) and event.record:
            narrate(_("the record of this final check: {file}").format(file=event.record))
        elif isinstance(event, Ended) and event.outcome:
            done += 1
            found = event.outcome
            words = " ".join([found.summary, *text.hint(found.hint)])
            narrate(f"[{done}/{total}] {glyphs().verdicts[found.verdict]} {event.item}: {words}")

    return tell
