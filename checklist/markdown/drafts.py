"""One item of a Markdown list, while it is read: what was said of it, and where."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from checklist.language import gettext as _
from checklist.language import marked
from checklist.markdown.blocks import Block, Line, Piece, box, command, keyed, reference, source, words
from checklist.markdown.keys import NOT_TAKEN, item_key

Say = Callable[[int, str], None]
"""Reports a problem: its line and what could not be placed."""

_LISTS = ("bullet_list", "ordered_list")
_JOINED = {"cause": "; ", "action taken": "; "}
_KINDS = {
    "fence": marked("a code block is not taken over: {text!r}"),
    "code_block": marked("a code block is not taken over: {text!r}"),
    "blockquote": marked("a quotation is not taken over: {text!r}"),
    "html_block": marked("HTML is not taken over: {text!r}"),
}
QUOTED = 200
"""How many characters of a text a problem repeats."""


@dataclass
class Draft:
    """What a list says of one item.

    Attributes:
        line: Where it begins.
        title: What must be true.
        section: The heading above.
        above: The heading that this one is below, if there is one besides the title.
        mark: What its box holds; see `blocks.box`.
        values: The text and the line of each key that was given.
        steps: Text, line and whether it is ticked.
        links: Where to read more.
        notes: What else was said.
    """

    line: int
    title: str
    section: str
    mark: str
    values: dict[str, tuple[str, int]] = field(default_factory=dict)
    steps: dict[str, bool] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    above: str = ""

    def refuse(self, key: str, say: Say, message: str) -> None:
        """Report a value that cannot be used, and keep it as a note."""
        text, line = self.values.pop(key)
        self.notes.append(f"{key}: {text}")
        say(line, message)


def is_list(block: Block) -> bool:
    """Tell whether a block is a list."""
    return block.kind in _LISTS


def has_item_keys(block: Block) -> bool:
    """Tell whether something is said below a list entry that is said of items only."""
    lines = [
        line for part in block.children if is_list(part) for entry in part.children for line in first(entry)
    ]
    return any((found := keyed(line)) and item_key(found[0]) for line in lines)


def first(entry: Block) -> list[Line]:
    """Return the lines of the paragraph that a list entry begins with, or none."""
    return entry.children[0].text if entry.children and entry.children[0].kind == "paragraph" else []


def read_item(entry: Block, section: str, say: Say) -> Draft:
    """Read a list entry as an item."""
    lines = first(entry)
    found = box(lines[0]) if lines else None
    mark, head = found or (" ", lines[0] if lines else Line(entry.line, ()))
    head, *others = _unwrapped([head, *lines[1:]])
    title, rest = _title(head)
    if title is None:
        say(entry.line, _("an item without a title"))
    if mark == "?":
        say(entry.line, _("a box that is neither [ ] nor [x]: the item is kept open"))
    draft = Draft(head.number, title or _("(no title)"), section, mark)
    if rest:
        draft.notes.append(rest)
    for line in others:
        _say_of(draft, line, (), say)
    for block in entry.children[1 if lines else 0 :]:
        _below(draft, block, say)
    return draft


def _unwrapped(lines: Sequence[Line]) -> list[Line]:
    """Return lines of which each says something of its own; a text that was wrapped is put together."""
    found: list[Line] = []
    for line in lines:
        if found and not _begins(line, found[-1].pieces):
            number, before = found[-1]
            space = Piece(" ", strong=bool(before) and before[-1].strong)
            found[-1] = Line(number, (*before, space, *line.pieces))
        else:
            found.append(line)
    return found


def _begins(line: Line, before: Sequence[Piece]) -> bool:
    """Tell whether a line begins something: a key, a box, a lone link, or what follows a bold title."""
    key = keyed(line)
    if key and (key[1] or item_key(key[0])):
        return True
    titled = bool(before) and all(piece.strong for piece in before)
    plain = bool(line.pieces) and not line.pieces[0].strong
    return (titled and plain) or box(line) is not None or reference(line.pieces) is not None


def _title(line: Line) -> tuple[str | None, str | None]:
    """Return the title and what follows it: a bold title ends at a dash, a colon or a bracket."""
    pieces = list(line.pieces)
    bold = next((index for index, piece in enumerate(pieces) if not piece.strong), len(pieces))
    rest = (words(pieces[bold:]) or "").strip()
    if bold and rest and rest[0] in ":(-\u2013\u2014\uff1a":
        return words(pieces[:bold]), rest.lstrip(":-\u2013\u2014\uff1a ") or None
    return words(pieces), None


def _below(draft: Draft, block: Block, say: Say) -> None:
    if block.kind == "paragraph":
        for line in _unwrapped(block.text):
            _say_of(draft, line, (), say)
    elif is_list(block):
        for entry in block.children:
            _entry(draft, entry, say, ordered=block.kind == "ordered_list")
    else:
        lost(block, say)


def lost(block: Block, say: Say, kind: str = "") -> None:
    """Report each text of a block that nothing is made of."""
    kind = kind or _KINDS.get(block.kind, marked("this is not taken over: {text!r}"))
    for part in block.children:
        lost(part, say, kind)
    for line in block.text:
        if text := words(line.pieces):
            say(line.number, _(kind).format(text=text[:QUOTED]))
    for index, text in enumerate(block.content.splitlines()):
        if text.strip():
            number = block.line + index + (block.kind == "fence")
            say(number, _(kind).format(text=text.strip()[:QUOTED]))


def _entry(draft: Draft, entry: Block, say: Say, *, ordered: bool) -> None:
    lines = first(entry)
    below = entry.children[1 if lines else 0 :]
    if not lines:
        for block in below:
            _below(draft, block, say)
        return
    found = box(lines[0])
    if found or (ordered and not keyed(lines[0])):
        _step(draft, entry, say)
        return
    nested = [part for block in below if is_list(block) for part in block.children]
    head, *others = _unwrapped(lines)
    _say_of(draft, head, nested, say)
    for line in others:
        _say_of(draft, line, (), say)
    for block in below:
        if not is_list(block):
            lost(block, say)


def _step(draft: Draft, entry: Block, say: Say) -> None:
    lines = first(entry)
    mark, head = (box(lines[0]) if lines else None) or (" ", lines[0] if lines else Line(entry.line, ()))
    text = words([piece for line in (head, *lines[1:]) for piece in (*line.pieces, Piece(" "))])
    if text is None:
        say(entry.line, _("a step without a text"))
    elif text in draft.steps:
        say(entry.line, _("the step {text!r} stands here twice").format(text=text))
    else:
        draft.steps[text] = mark == "x"
        if mark in "~?":
            message = _("the box of the step {text!r} is neither [ ] nor [x]: it is not ticked")
            say(entry.line, message.format(text=text))
    for block in entry.children[1 if lines else 0 :]:
        if is_list(block):
            for part in block.children:
                _step(draft, part, say)
        else:
            lost(block, say)


def _say_of(draft: Draft, line: Line, nested: Sequence[Block], say: Say) -> None:
    """Take over one line about an item, with the list below it."""
    found = keyed(line)
    key = item_key(found[0]) if found else None
    if found and key in NOT_TAKEN:
        say(line.number, _(NOT_TAKEN[key]))
    elif found and key in ("steps", "links", "notes"):
        _many(draft, key, _Said(line.number, found[2], nested), say)
    elif found and key:
        _one(draft, key, _Said(line.number, found[2], nested), say)
    elif (link := reference(line.pieces)) is not None:
        draft.links.append(link)
        _notes(draft, "", nested, say)
    else:
        text = words(line.pieces)
        if text and not (nested and found and not words(found[2])):
            draft.notes.append(text)
        _notes(draft, f"{found[0]}: " if found else "", nested, say)


def _notes(draft: Draft, label: str, nested: Sequence[Block], say: Say) -> None:
    for text in _texts(nested, say):
        draft.notes.append(f"{label}{text}")


def _texts(nested: Sequence[Block], say: Say) -> list[str]:
    """Return the text of each entry of a list; what is below them is reported."""
    found = []
    for entry in nested:
        lines = first(entry)
        text = _text(lines)
        if text:
            found.append(text)
        for block in entry.children[1 if lines else 0 :]:
            lost(block, say)
    return found


def _text(lines: Sequence[Line]) -> str | None:
    link = reference(lines[0].pieces) if len(lines) == 1 else None
    return link or words([piece for line in lines for piece in (*line.pieces, Piece(" "))])


class _Said(NamedTuple):
    """What follows a key: the rest of its line, and the list below it."""

    line: int
    value: tuple[Piece, ...]
    nested: Sequence[Block]


def _many(draft: Draft, key: str, said: _Said, say: Say) -> None:
    own = reference(said.value) or words(said.value)
    if key == "steps":
        if own in draft.steps:
            say(said.line, _("the step {text!r} stands here twice").format(text=own))
        elif own is not None:
            draft.steps[own] = False
        for entry in said.nested:
            _step(draft, entry, say)
        return
    place = draft.links if key == "links" else draft.notes
    place.extend([own] if own is not None else [])
    place.extend(_texts(said.nested, say))


def said_twice(key: str, text: str) -> str:
    """Say that a key stands there again."""
    return _("{key} is said twice: {text!r} is kept as a note").format(key=key, text=text)


def _one(draft: Draft, key: str, said: _Said, say: Say) -> None:
    own = words(said.value)
    if own is not None and key == "probe":
        own = source(said.value)
    elif own is not None and key == "repair":
        own = command(said.value)
    below = _texts(said.nested, say)
    text = _JOINED.get(key, ", ").join(below if own is None else [own, *below])
    if key in draft.values:
        say(said.line, said_twice(key, text))
        draft.notes.append(f"{key}: {text}")
    elif own is not None or text:
        draft.values[key] = (text, said.line)
