"""`gonogo report` and `gonogo log`: what is on record."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from checklist.language import gettext as _
from cli.exits import Exit, narrate, refuse
from cli.help import Command, Option
from cli.options import format_option, meaning, output_option, place_options, put

if TYPE_CHECKING:
    from checklist.journal import Entry
    from checklist.opening import Place
    from checklist.reports.readiness import ReadinessCheck
    from checklist.reports.resolution import ResolutionReport


class _Number(click.IntRange):
    """A number whose name is translated where it is said."""

    @property
    def name(self) -> str:  # type: ignore[override]  # click names its types before a language is chosen
        """What click calls it."""
        return _("number")


_SUFFIXES = {"json": ".json", "markdown": ".md", "html": ".html"}


@click.command(cls=Command)
@click.argument("kind", type=click.Choice(["resolution", "readiness"]), default="resolution")
@click.option("--format", "form", type=click.Choice([*_SUFFIXES]), help="Write it, save nothing.", cls=Option)
@output_option
@place_options
def report(kind: str, form: str | None, output: Path | None, place: "Place") -> None:
    """Report on every item as it stands (resolution), or on the last final check (readiness).

    Without a format the resolution report is saved under reports/ as JSON, Markdown and HTML, as the
    readiness check is when a final check ends; the JSON file is named. `-o` goes by the end of its name.
    """
    from checklist.lifecycle import RefusedError
    from checklist.reading import FileError
    from checklist.reports import readiness, records
    from checklist.store import StoreError

    suffix = _SUFFIXES[form] if form else output.suffix.lower() if output else None
    if suffix is not None and suffix not in _SUFFIXES.values():
        words = _("{file}: say which --format; a name that ends in .json, .md or .html would")
        refuse(words.format(file=output))
    try:
        if kind == "resolution":
            document: ReadinessCheck | ResolutionReport = _resolution(place)
            if suffix is None:
                put(f"{records.save(document, place.records)}\n", None)
                return
        else:
            path = _newest(place)
            document = readiness.read(path)
            if suffix is None:
                put(f"{path}\n", None)
                return
    except (FileError, StoreError, RefusedError) as error:
        refuse(str(error))
    except OSError as error:
        words = _("{folder}: not saved: {why}")
        refuse(words.format(folder=place.records / "reports", why=error.strerror or error))
    put(records.render(document)[suffix], output)


def _resolution(place: "Place") -> "ResolutionReport":
    from checklist import definition, journal
    from checklist.opening import open_store
    from checklist.reports import resolution, status_report
    from probes.outcome import now

    known, moment = definition.load(place.checklist, place.environment), now()
    found = status_report.build(known, open_store(place, known).load(), moment)
    return resolution.build(found, journal.read(place.journal), moment)


def _newest(place: "Place") -> Path:
    from checklist import definition
    from checklist.reports import readiness

    definition.load(place.checklist, place.environment)
    path = readiness.newest(place.records, place.journal)
    if path is None:
        words = _("no final check is on record yet: {command}")
        refuse(words.format(command=f"gonogo check{meaning(place)}"))
    return path


@click.command(cls=Command)
@click.option("--item", "items", multiple=True, metavar="ID", help="Only lines about this item.", cls=Option)
@click.option("-n", "last", type=_Number(min=1), metavar="N", help="Only the last N lines.", cls=Option)
@click.option(
    "--verify", is_flag=True, help="Prove that no line was changed, added or taken away.", cls=Option
)
@format_option("text", "json")
@output_option
@place_options
def log(
    *,
    items: tuple[str, ...],
    last: int | None,
    verify: bool,
    form: str,
    output: Path | None,
    place: "Place",
) -> None:
    """Tell what happened: every claim, waiver, outcome and decision, oldest first.

    `--verify` exits 1 and names the first broken line if the journal is not as it was written.
    """
    from checklist import definition, journal
    from checklist.opening import open_store
    from checklist.reading import FileError, no_item
    from checklist.reports import status_report
    from checklist.store import StoreError

    if verify and (items or last):
        refuse(_("--verify proves the whole journal: it takes neither --item nor -n"))
    try:
        known = definition.load(place.checklist, place.environment)
        if verify:
            store = open_store(place, known)
            _verify(place, store.verify(), journal.owed(place.journal, store.load()))
        entries = journal.read(place.journal)
    except (FileError, StoreError) as error:
        refuse(str(error))
    # An item that is gone from the checklist still has its history.
    named = {*known.by_id, *(entry.item for entry in entries)}
    for item in items:
        if item not in named:
            refuse(no_item(item, sorted(named)))
    if items:
        meant = {entry.number for item in items for entry in journal.of_item(entries, item)}
        entries = [entry for entry in entries if entry.number in meant]
    entries = entries[-last:] if last else entries
    put(_as_text(entries) if form == "text" else status_report.encode(entries), output)


def _verify(place: "Place", broken: tuple[int, str] | None, owed: int | None) -> None:
    if broken:
        narrate(f"{place.journal}:{broken[0]}: {broken[1]}")
        sys.exit(Exit.NO_GO)
    if owed:
        words = _(
            "{file}: every line is as it was written; line {number} is missing, but the status has it:"
            " the next change writes it"
        )
    elif place.journal.exists():
        words = _("{file}: every line is as it was written")
    else:
        words = _("{file}: nothing is recorded yet")
    narrate(words.format(file=place.journal, number=owed))
    sys.exit(Exit.GO)


def _as_text(entries: "Sequence[Entry]") -> str:
    from checklist.reports import text

    return "".join(text.entry(entry) for entry in entries)
