"""Markdown for a comment on a pull request: CommonMark with the tables of GitHub.

Whatever a text from outside holds, it opens no block, link, tag, mention or table cell: in prose all
punctuation is escaped, and what a machine said stands in code spans. Every block of ours is one line, so that
the whole can be cut after any of them.
"""

import re
from collections.abc import Iterable

from checklist.glyphs import UNICODE
from checklist.language import gettext as _
from checklist.lifecycle import State
from checklist.reports.blocks import literal, one_line
from checklist.reports.status_report import ItemReport
from checklist.reports.text import said, summary, waived
from checklist.reports.view import (
    View,
    age,
    due,
    found,
    held,
    is_proven,
    sections,
    verdict,
)

ROOM = 60_000
"""Characters that are written at most: GitHub refuses a comment of more than 65,536."""

# GitHub makes a mention or a reference of these, even of escaped ones.
_REFERENCE = re.compile(r"([@#]|\bGH-)(?=\w)", re.IGNORECASE)
_BACKTICKS = re.compile("`+")


def render(view: View) -> str:
    """Return the report as Markdown."""
    head = view.report.checklist
    name = " · ".join(filter(None, map(prose, (head.title, head.release, head.environment))))
    lines = [f"## {verdict(view)}", "", summary(view.report), "", name]
    lines += _list(prose(hold.line) for hold in held(view))
    for section, items in sections(view.report.items).items():
        lines += ["", f"### {prose(section)}", "", *_table(items, view)]
    if view.changes:
        lines += ["", f"### {_('About this check')}", *_list(map(prose, view.changes))]
    unproven = [item for item in view.report.items if not is_proven(item)]
    if unproven:
        lines += ["", f"### {_('Not proven')}"]
        for item in unproven:
            state = f"{UNICODE.states[item.state]} {_(item.state)}"
            lines += ["", f"#### {state}: {prose(f'{item.id}: {item.title}')}"]
            lines += _list([*map(prose, said(item)), *map(code, found(item, view.now))])
    return _within_room(lines)


def prose(words: str) -> str:
    """Return text from outside as one line of Markdown that shows it literally."""
    return _REFERENCE.sub(r"\1&#8203;", literal(words))


def code(words: str) -> str:
    """Return text from outside as a code span in one line; not for a table, whose bars it does not escape."""
    shown = one_line(words)
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}" if shown else ""


def _list(entries: Iterable[str]) -> list[str]:
    lines = [f"- {entry}" for entry in entries]
    return ["", *lines] if lines else []


def _table(items: list[ItemReport], view: View) -> list[str]:
    heads = (_("State"), _("Item"), _("Title"), _("Owner"), _("Due"), _("Evidence"))
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for item in items:
        state = f"{UNICODE.states[item.state]} {_(item.state)}"
        state += f", {_('advisory')}" if item.severity == "advisory" else ""
        cells = (item.id, item.title, item.owner, due(item), _proof(item, view))
        lines.append(f"| {state} | {' | '.join(map(prose, cells))} |")
    return lines


def _proof(item: ItemReport, view: View) -> str:
    """Return what an item rests on, in a line."""
    if item.state is State.WAIVED and item.waiver:
        return waived(item.waiver)
    if item.attestation:
        when = age(item.attestation.at, view.now)
        words = _("attested by {name}, {age}: {note}")
        return words.format(name=item.attestation.by, age=when, note=item.attestation.note)
    if item.evidence:
        when = age(item.evidence.started_at, view.now)
        return f"{_(item.evidence.verdict)}, {when}: {item.evidence.summary}"
    return _("never run") if item.probe else _("manual")


def _within_room(lines: list[str]) -> str:
    kept: list[str] = []
    room = ROOM
    for written in lines:
        room -= len(written) + 1
        if room < 0:
            words = _("{number} more lines are left out: a comment has no room for them.")
            kept += ["", words.format(number=len(lines) - len(kept))]
            break
        kept.append(written)
    return "\n".join(kept) + "\n"
