"""Makes items of what a Markdown list says: their ids, their tables in TOML, and the claims about them."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

from checklist import definition
from checklist.language import gettext as _
from checklist.markdown.drafts import Draft, Say
from checklist.markdown.keys import day
from checklist.markdown.suggestions import TABLES, Suggestion, suggest
from checklist.markdown.toml_text import comment, key, lines, string, value
from checklist.reading import FileError, parse_toml
from checklist.status import Claim, Facts
from checklist.zones import day as day_in

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_ID = 64
_LONGEST_STEM = 57
_MANUAL = frozenset({"none", "manual", "없음"})
_HEAD = '[checklist]\ntitle = "One item"\n\n'
_RESOLVED = ("resolved on", "resolved by", "action taken")


class Built(NamedTuple):
    """An item as it is written: its id, its TOML, what is claimed, and the probe that was suggested."""

    id: str
    toml: list[str]
    facts: Facts
    suggestion: Suggestion | None


def build(drafts: Sequence[Draft], path: Path, say: Say, *, by: str, at: datetime, zone: str) -> list[Built]:
    """Make items of drafts.

    Raises:
        FileError: If items come after each other in a circle.
    """
    tables = {id(draft): _probe(draft, say) for draft in drafts}
    suggestions = {id(draft): _suggestion(draft, tables[id(draft)]) for draft in drafts}
    names = _ids(drafts, [suggestions[id(draft)] for draft in drafts], say)
    after = {name: _after(draft, set(names), say) for name, draft in zip(names, drafts, strict=True)}
    _refuse_circle(after, {name: draft.line for name, draft in zip(names, drafts, strict=True)}, path)
    today = day_in(at, zone)
    built = []
    for name, draft in zip(names, drafts, strict=True):
        suggestion = suggestions[id(draft)]
        facts = Facts(
            claim=_claim(draft, path, say, by=by, at=at, today=today),
            steps=tuple(step for step, ticked in draft.steps.items() if ticked),
        )
        toml = [*_table(name, draft, after[name], say), *_probe_lines(tables[id(draft)], suggestion)]
        built.append(Built(name, toml, facts, suggestion))
    return built


def _probe(draft: Draft, say: Say) -> dict[str, object] | None:
    """Return the probe a draft names; empty where it is to have none, None where nothing is said of one."""
    text, _line = draft.values.get("probe", ("", 0))
    if not text:
        return None
    if text.casefold() in _MANUAL:
        del draft.values["probe"]
        return {}
    try:
        table = parse_toml(f"probe = {text}", Path("probe"))["probe"]
        if not isinstance(table, dict):
            message = _('expected a table such as {{ use = "redis" }}, got {text!r}').format(text=text)
            draft.refuse("probe", say, f"probe: {message}")
            return {}
        written = f'{_HEAD}[[items]]\nid = "it"\ntitle = "It"\nprobe = {value(table)}\n'
        _hash = definition.parse(written, Path("probe")).hash
    except (FileError, OverflowError, ValueError) as error:
        why = _of_it(error) if isinstance(error, FileError) else str(error)
        message = _("this probe cannot be used, so the item is manual: {why}")
        draft.refuse("probe", say, message.format(why=why))
        return {}
    del draft.values["probe"]
    return table


def _of_it(error: FileError) -> str:
    """Return what is wrong with the one item of a trial."""
    return error.message.removeprefix(definition.about("it", ""))


def _suggestion(draft: Draft, table: dict[str, object] | None) -> Suggestion | None:
    if table is not None:
        return None
    return suggest(draft.title, draft.values.get("cause", ("", 0))[0])


def _probe_lines(table: dict[str, object] | None, suggestion: Suggestion | None) -> Iterator[str]:
    if suggestion is not None:
        yield ""
        words = _(
            'Suggested, because the item speaks of "{word}". Check what it is told, or take\n'
            "it out; `gonogo probe --list` shows what else there is."
        )
        yield from map(comment, words.format(word=suggestion.word).split("\n"))
        table = {"use": suggestion.probe, **TABLES[suggestion.probe]}
    if not table:
        yield comment(_("Manual until it has a probe: `gonogo probe --list`"))
        return
    if suggestion is None:
        yield ""
    yield "[items.probe]"
    for name, part in table.items():
        yield f"{key(name)} = {value(part)}"


def _ids(drafts: Sequence[Draft], suggestions: Sequence[Suggestion | None], say: Say) -> list[str]:
    """Return an id for each item: its own, else of its title, its suggested probe or its section.

    Where the titles of several have no ASCII to make one of, a digest of the title tells them apart.
    """
    names: list[str | None] = []
    taken: set[str] = set()
    for draft in drafts:
        wanted = draft.values.get("id", ("", 0))[0]
        if not wanted:
            names.append(None)
        elif not _ID.fullmatch(wanted):
            message = _("expected letters, digits, . _ - (at most 64), got {text!r}").format(text=wanted)
            draft.refuse("id", say, f"id: {message}")
            names.append(None)
        elif wanted in taken:
            draft.refuse("id", say, _("another item has the id {id!r} already").format(id=wanted))
            names.append(None)
        else:
            names.append(wanted)
            taken.add(wanted)
    stems = [
        (suggestion.probe if suggestion else _slug(draft.section)) or "item"
        for draft, suggestion in zip(drafts, suggestions, strict=True)
    ]
    needed = Counter(stem for stem, draft in zip(stems, drafts, strict=True) if not _slug(draft.title))
    counts: dict[str, int] = {}
    found = []
    for name, stem, draft in zip(names, stems, drafts, strict=True):
        if name is None:
            if stem == "item" or needed[stem] > 1:
                stem = f"{stem[:_LONGEST_STEM]}-{_digest(draft.title)}"  # noqa: PLW2901  # one for several
            name = _free(_slug(draft.title) or stem, taken, counts)  # noqa: PLW2901  # the id that was missing
            taken.add(name)
        found.append(name)
    return found


def _digest(title: str) -> str:
    """Return what stays with a title wherever it stands: a number would become another item's."""
    return hashlib.sha256(title.encode()).hexdigest()[:6]


def _slug(text: str) -> str:
    """Return the ASCII words of a text, joined; nothing for a text of another script, General apart."""
    plain = "".join(
        letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter)
    )
    if any(letter.isalpha() and not letter.isascii() for letter in plain) or text == "General":
        return ""
    return "-".join(re.findall(r"[a-z0-9]+", plain.casefold()))[:_LONGEST_ID].strip("-")


def _free(base: str, taken: set[str], counts: dict[str, int]) -> str:
    if base not in taken:
        return base
    while True:
        counts[base] = counts.get(base, 1) + 1
        end = f"-{counts[base]}"
        name = base[: _LONGEST_ID - len(end)] + end
        if name not in taken:
            return name


def _after(draft: Draft, names: set[str], say: Say) -> tuple[str, ...]:
    text, line = draft.values.get("after", ("", 0))
    wanted = [part for part in re.split(r"[,\s]+", text) if part]
    for part in wanted:
        if part not in names:
            say(line, f"after: {_('no item has the id {id!r}').format(id=part)}")
    return tuple(part for part in wanted if part in names)


def _refuse_circle(after: dict[str, tuple[str, ...]], lines_: dict[str, int], path: Path) -> None:
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        circle = [str(name) for name in reversed(error.args[1])]
        message = f"after: {definition.in_a_circle(circle)}"
        raise FileError(path, lines_[circle[0]], message) from None


def _day(draft: Draft, name: str, say: Say) -> date | None:
    if name not in draft.values:
        return None
    text, _line = draft.values[name]
    found = day(text)
    if found is None and text:
        draft.refuse(
            name, say, f"{name}: {_('expected a day such as 2025-06-25, got {text!r}').format(text=text)}"
        )
    return found


def _claim(draft: Draft, path: Path, say: Say, *, by: str, at: datetime, today: date) -> Claim | None:
    """Return what a ticked box claims. Whatever says resolved without one is reported: it claims nothing."""
    if draft.mark == "~":
        draft.notes.append(_("marked as not applicable"))
        say(draft.line, _("marked as not applicable ([~]): the item is kept open; waive it, or take it out"))
    if draft.mark != "x":
        for name in _RESOLVED:
            if name in draft.values:
                say(draft.values[name][1], f"{name}: {_('the box is not ticked, so this claims nothing')}")
                draft.notes.append(f"{name}: {draft.values.pop(name)[0]}")
        return None
    on = _day(draft, "resolved on", say)
    if on is not None and on > today:
        message = _("{day} has not come yet, so this claims nothing").format(day=on)
        draft.refuse("resolved on", say, f"resolved on: {message}")
        return None
    owner = draft.values.get("owner", ("", 0))[0]
    return Claim(
        by=draft.values.get("resolved by", (owner or by, 0))[0],
        on=on or today,
        action=draft.values.get(
            "action taken", (_("The box was ticked in {file}.").format(file=path.name), 0)
        )[0],
        at=at,
    )


def _table(name: str, draft: Draft, after: tuple[str, ...], say: Say) -> list[str]:
    due = _day(draft, "due", say)
    written = ["[[items]]", f"id = {string(name)}", f"section = {string(draft.section)}"]
    written.append(f"title = {string(draft.title)}")
    written += _checked(draft, "severity", "severity", say)
    written += [
        f"{word} = {string(draft.values[word][0])}" for word in ("cause", "owner") if word in draft.values
    ]
    written += [f"due = {due.isoformat()}"] if due else []
    written += lines("steps", tuple(draft.steps))
    written += lines("links", tuple(draft.links))
    written += [f"after = {value(after)}"] if after else []
    written += _checked(draft, "fresh for", "fresh_for", say)
    written += lines("notes", tuple(draft.notes))
    return [
        *written,
        *([f"repair = {string(draft.values['repair'][0])}"] if "repair" in draft.values else []),
    ]


def _checked(draft: Draft, word: str, name: str, say: Say) -> list[str]:
    """Return a key whose value the definition knows how to judge, if it accepts it."""
    if word not in draft.values:
        return []
    line = f"{name} = {string(draft.values[word][0])}"
    try:
        definition.parse(f'{_HEAD}[[items]]\nid = "it"\ntitle = "It"\n{line}\n', Path("item"))
    except FileError as error:
        draft.refuse(word, say, _of_it(error))
        return []
    return [line]
