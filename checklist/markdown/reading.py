"""Reads a Markdown list as a checklist: a ticked box becomes a claim, and nothing becomes proof."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from checklist import definition
from checklist.definition import Checklist
from checklist.language import gettext as _
from checklist.markdown.blocks import (
    Block,
    Line,
    Piece,
    TooDeepError,
    box,
    is_comment,
    keyed,
    parse,
    reference,
    words,
)
from checklist.markdown.drafts import (
    QUOTED,
    Draft,
    Say,
    first,
    has_item_keys,
    is_list,
    lost,
    read_item,
    said_twice,
)
from checklist.markdown.items import Built, build
from checklist.markdown.keys import head_key, item_key, place, truth
from checklist.markdown.toml_text import comment, lines, scalar, string, value
from checklist.reading import MAX_BYTES, FileError
from checklist.status import Facts
from checklist.zones import is_zone

_SPACE = Piece(" ")
_FRONT_MATTER = re.compile(r"---[ \t]*\r?\n(?=[A-Za-z_-]+:)(?:.*\n)*?(?:---|\.\.\.)[ \t]*(?:\r?\n|$)")


class Problem(NamedTuple):
    """What was not taken over, or not as it stands in the list; `line` counts from 1."""

    line: int
    message: str


class Imported(NamedTuple):
    """What a Markdown list becomes.

    Attributes:
        checklist: The checklist that `toml` describes.
        toml: The text of a checklist.toml, with a comment at each item that has no probe of its own.
        facts: Claims and ticked steps by item id.
        problems: What could not be placed or was not taken over, by line.
        suggested: The probe that was suggested, by item id.
    """

    checklist: Checklist
    toml: str
    facts: dict[str, Facts]
    problems: tuple[Problem, ...]
    suggested: dict[str, str]


@dataclass
class _Sheet:
    """A whole list, while it is read."""

    title: str = ""
    section: str = ""
    above: list[tuple[str, str]] = field(default_factory=list)
    place: str | None = None
    head: dict[str, str] = field(default_factory=dict)
    plan: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    drafts: list[Draft] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def say(self, line: int, message: str) -> None:
        """Report what could not be placed."""
        self.problems.append(Problem(line, message))


def read(text: str, path: Path, *, by: str, at: datetime) -> Imported:
    """Read a Markdown list.

    Args:
        text: The list.
        path: Its file, for messages and for the words of a claim.
        by: Who resolved a ticked item that names neither who resolved it nor an owner.
        at: When the claims are recorded.

    Raises:
        FileError: If it is too large, has no item, is nested too deeply, or items come after each other in a
            circle; names the line where there is one.
    """
    text = scalar(text).removeprefix("\ufeff")
    if len(text.encode()) > MAX_BYTES:
        raise FileError(path, None, _("larger than {number} bytes").format(number=MAX_BYTES))
    sheet = _Sheet()
    text = _without_front_matter(text, sheet.say)
    try:
        blocks, references = parse(text)
    except TooDeepError as error:
        raise FileError(path, error.line, _("nested too deeply")) from None
    for block in blocks:
        _block(sheet, block)
    for one in references:
        if one.target:
            sheet.links.append(f"{one.title}: {one.target}" if one.title.strip() else one.target)
    if not sheet.drafts:
        message = _('no items: a list of boxes such as "- [ ] **The cache is well**" is expected')
        raise FileError(path, None, message)
    title = sheet.title or path.stem.strip() or "Checklist"
    zone = sheet.head.get("time zone", "UTC")
    _tell_apart(sheet.drafts)
    built = build(sheet.drafts, path, sheet.say, by=by, at=at, zone=zone)
    toml = _toml(sheet, title, path, built)
    try:
        whole = definition.parse(toml, path)
    except FileError as error:
        raise FileError(path, None, error.message) from None
    facts = {item.id: item.facts for item in built if item.facts != Facts()}
    suggested = {item.id: item.suggestion.probe for item in built if item.suggestion}
    return Imported(whole, toml, facts, tuple(sorted(sheet.problems)), suggested)


def _without_front_matter(text: str, say: Say) -> str:
    """Return a list without the settings that issue templates begin with: Markdown sees a heading in them."""
    found = _FRONT_MATTER.match(text)
    if found is None:
        return text
    for number, line in enumerate(found[0].rstrip().split("\n")[1:-1], 2):
        if line.strip():
            words = _("front matter is not taken over: {text!r}")
            say(number, words.format(text=line.strip()[:QUOTED]))
    return "\n" * found[0].count("\n") + text[found.end() :]


def _block(sheet: _Sheet, block: Block) -> None:
    if block.kind == "heading":
        _heading(sheet, block)
    elif is_list(block):
        for entry in block.children:
            _entry(sheet, entry, sheet.section, ordered=block.kind == "ordered_list")
    elif block.kind == "paragraph":
        for line in block.text:
            _line(sheet, line)
    elif block.kind != "hr" and not is_comment(block):
        lost(block, sheet.say)


def _heading(sheet: _Sheet, block: Block) -> None:
    text = words([piece for line in block.text for piece in (*line.pieces, _SPACE)])
    if block.tag == "h1" and not sheet.title and text:
        sheet.title, sheet.section, sheet.place = text, "", None
        return
    sheet.section, sheet.place = text or "", place(text or "")
    sheet.above = [(tag, name) for tag, name in sheet.above if tag < block.tag] + [(block.tag, sheet.section)]


def _tell_apart(drafts: Sequence[Draft]) -> None:
    """Put the heading above before sections of one name that stand below different ones."""
    above: dict[str, set[str]] = {}
    for draft in drafts:
        above.setdefault(draft.section, set()).add(draft.above)
    for draft in drafts:
        if len(above[draft.section]) > 1 and draft.above:
            draft.section = f"{draft.above} / {draft.section}"


def _line(sheet: _Sheet, line: Line) -> None:
    """Read a line that stands by itself, outside of any list."""
    found = keyed(line)
    if found and head_key(found[0]):
        _head(sheet, found[0], words(found[2]) or "", line.number)
    elif sheet.place == "links" and (link := reference(line.pieces)):
        sheet.links.append(link)
    elif sheet.place == "notes" and (text := words(line.pieces)):
        sheet.notes.append(text)
    elif text := words(line.pieces):
        sheet.say(line.number, _no_place(text))


def _entry(sheet: _Sheet, entry: Block, section: str, *, ordered: bool) -> None:
    """Read an entry of a list that is not part of an item."""
    own = first(entry)
    boxed = bool(own) and box(own[0]) is not None
    if boxed or has_item_keys(entry):
        draft = read_item(entry, section or "General", sheet.say)
        draft.above = sheet.above[-2][1] if section == sheet.section and len(sheet.above) > 1 else ""
        sheet.drafts.append(draft)
        if not boxed:
            sheet.say(entry.line, _("an item without a box: it is open"))
        return
    nested = [part for block in entry.children if is_list(block) for part in block.children]
    if any(_holds_items(part) for part in nested):
        section = words(own[0].pieces) or section if own else section
        for block in entry.children[1 if own else 0 :]:
            if is_list(block):
                for part in block.children:
                    _entry(sheet, part, section, ordered=block.kind == "ordered_list")
            else:
                lost(block, sheet.say)
        return
    _plain(sheet, entry, own, ordered=ordered)
    for block in entry.children[1 if own else 0 :]:
        lost(block, sheet.say)


def _holds_items(entry: Block) -> bool:
    own = first(entry)
    if (own and box(own[0])) or has_item_keys(entry):
        return True
    return any(_holds_items(part) for block in entry.children if is_list(block) for part in block.children)


def _plain(sheet: _Sheet, entry: Block, own: Sequence[Line], *, ordered: bool) -> None:
    """Read an entry that is no item: a step of the plan, a link, a note, or something said of the list."""
    text = words([piece for line in own for piece in (*line.pieces, _SPACE)])
    if text is None:
        return
    link = reference(own[0].pieces) if len(own) == 1 else None
    found = keyed(own[0])
    if sheet.place is not None:
        {"plan": sheet.plan, "links": sheet.links, "notes": sheet.notes}[sheet.place].append(link or text)
    elif link:
        sheet.links.append(link)
    elif found and head_key(found[0]) and len(own) == 1:
        _head(sheet, found[0], words(found[2]) or "", entry.line)
    elif ordered:
        sheet.plan.append(text)
    elif found and item_key(found[0]):
        message = _("belongs to an item, but stands outside of one: {text!r}")
        sheet.say(entry.line, message.format(text=text[:QUOTED]))
    elif found and found[1]:
        sheet.notes.append(text)
    else:
        sheet.say(entry.line, _no_place(text))


def _no_place(text: str) -> str:
    return _("has no place in a checklist: {text!r}").format(text=text[:QUOTED])


def _head(sheet: _Sheet, word: str, text: str, line: int) -> None:
    key = head_key(word) or word
    if key in sheet.head:
        sheet.say(line, said_twice(key, text))
    elif key == "time zone" and not is_zone(text):
        message = _('expected the name of a time zone such as "Asia/Seoul", got {text!r}')
        sheet.say(line, f"{key}: {message.format(text=text)}")
    elif key == "four eyes" and truth(text) is None:
        sheet.say(line, f"{key}: {_('expected yes or no, got {text!r}').format(text=text)}")
    else:
        sheet.head[key] = text
        return
    sheet.notes.append(f"{key}: {text}")


def _toml(sheet: _Sheet, title: str, path: Path, built: Sequence[Built]) -> str:
    head = sheet.head
    written = [
        comment(_("Made from {file} by gonogo import.").format(file=path.name)),
        "",
        "[checklist]",
        f"title = {string(title)}",
    ]
    written += [f"{key} = {string(head[key])}" for key in ("release", "environment") if head.get(key)]
    written += lines("plan", tuple(sheet.plan))
    written += lines("links", tuple(sheet.links))
    written += lines("notes", tuple(sheet.notes))
    policy = {key: head[word] for key, word in (("time_zone", "time zone"),) if word in head}
    eyes = truth(head.get("four eyes", ""))
    if policy or eyes is not None:
        written += ["", "[policy]", *(f"{key} = {string(text)}" for key, text in policy.items())]
        written += [f"four_eyes = {value(eyes)}"] if eyes is not None else []
    for item in built:
        written += ["", *item.toml]
    return "\n".join(written) + "\n"
