"""Markdown as a tree of blocks, and each line of its text as pieces that know how they were written."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

_NESTING = 60
"""How deep the parser follows; the library's 20 is less than lists of people hold. Nothing reads as deep."""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ALMOST_BOX = re.compile(r"\[\s*[xXvVoO\u2713\u2714\u2611-]?\s*\]")
_BOX = re.compile(r"\[([ \t\u00a0xX~])\](?:\s+|$)")
_LONGEST_KEY = 40
_WIDE_COLON = "\uff1a"
"""How a colon is typed in Korean, Chinese and Japanese."""

_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
"""A TOML string in a code span."""


class TooDeepError(Exception):
    """A list within lists within lists, at a line from 1: what lies deeper would be lost."""

    def __init__(self, line: int) -> None:
        super().__init__(f"nested too deeply at line {line}")
        self.line = line


class Piece(NamedTuple):
    """A run of text.

    Attributes:
        text: What a reader sees, in plain text; a code span keeps its backticks.
        strong: Whether it is bold.
        code: What a code span holds; None for anything else.
        literal: Whether it was escaped, so that it can be no box and no colon of ours.
        link: Label and target of a link.
    """

    text: str
    strong: bool = False
    code: str | None = None
    literal: bool = False
    link: tuple[str, str] | None = None


class Line(NamedTuple):
    """A line of text and its number in the file, from 1."""

    number: int
    pieces: tuple[Piece, ...]


class Block(NamedTuple):
    """A block: `kind` is the parser's word, `line` counts from 1; paragraphs and headings have `text`."""

    kind: str
    line: int
    tag: str
    content: str
    children: list["Block"]
    text: list[Line]


class Reference(NamedTuple):
    """A link that stands by itself: `[label]: target`."""

    line: int
    title: str
    target: str


def parse(source: str) -> tuple[list[Block], list[Reference]]:
    """Return the blocks of a document, and the references that it defines and no link uses.

    Raises:
        TooDeepError: If the parser may have left something out.
    """
    parser = MarkdownIt("commonmark", {"maxNesting": _NESTING}).disable("text_join")
    # A target is kept as it is written: nothing here follows it.
    parser.normalizeLink = parser.normalizeLinkText = str  # type: ignore[method-assign, assignment]  # the library's way
    environment: dict[str, object] = {}
    root = Block("root", 1, "", "", [], [])
    open_: list[Block] = [root]
    used: set[str] = set()
    for token in parser.parse(source, environment):
        parent = open_[-1]
        line = token.map[0] + 1 if token.map else parent.line
        # A container opens its content one level deeper, and the parser leaves out what begins at its limit.
        if token.level >= _NESTING - 2:
            raise TooDeepError(line)
        if token.type == "inline":
            parts = token.children or []
            parent.text.extend(_lines(parts, line))
            used |= {str(part.attrs["href"]) for part in parts if part.type == "link_open"}
            used |= {str(part.attrs["src"]) for part in parts if part.type == "image"}
        elif token.nesting < 0:
            open_.pop()
        else:
            block = Block(token.type.removesuffix("_open"), line, token.tag, token.content, [], [])
            parent.children.append(block)
            if token.nesting > 0:
                open_.append(block)
    return root.children, [one for one in _references(environment) if one.target not in used]


def _references(environment: dict[str, object]) -> Iterator[Reference]:
    defined = environment.get("references")
    again = environment.get("duplicate_refs")
    found = [
        *(defined.values() if isinstance(defined, dict) else ()),
        *(again if isinstance(again, list) else ()),
    ]
    for one in found:
        yield Reference(one["map"][0] + 1, str(one.get("title") or ""), str(one["href"]))


def _lines(tokens: Sequence[Token], first: int) -> list[Line]:
    lines: list[list[Piece]] = [[]]
    strong = 0
    link: tuple[str, list[Piece], bool] | None = None
    for token in tokens:
        pieces = link[1] if link else lines[-1]
        match token.type:
            case "strong_open" | "strong_close":
                strong += token.nesting
            case "softbreak" | "hardbreak" if link:
                pieces.append(Piece(" ", strong > 0))
            case "softbreak" | "hardbreak":
                lines.append([])
            case "link_open":
                link = (str(token.attrs["href"]), [], token.markup == "autolink")
            case "link_close" if link:
                lines[-1].append(_link(*link, strong=strong > 0))
                link = None
            case _:
                pieces.extend(_piece(token, strong=strong > 0))
    return [Line(first + index, tuple(pieces)) for index, pieces in enumerate(lines)]


def _link(target: str, pieces: list[Piece], auto: bool, *, strong: bool) -> Piece:
    label = "".join(piece.text for piece in pieces).strip()
    text = label if auto or label == target else f"{label} ({target})".strip()
    return Piece(text, strong, None, literal=True, link=(label, label if auto else target))


def _piece(token: Token, *, strong: bool) -> Iterator[Piece]:
    match token.type:
        case "text":
            if token.content:
                yield Piece(token.content, strong)
        case "text_special":
            yield Piece(token.content, strong, None, literal=True)
        case "code_inline":
            yield Piece(code_span(token.content), strong, token.content, literal=True)
        case "image":
            yield Piece(f"{token.content} ({token.attrs.get('src', '')})", strong, None, literal=True)
        case "html_inline" if not token.content.startswith("<!--"):
            yield Piece(token.content, strong, None, literal=True)


def code_span(content: str) -> str:
    """Return a code span that holds exactly this; it must be one line."""
    runs = [len(run) for run in re.findall("`+", content)]
    fence = "`" * (max(runs, default=0) + 1)
    room = " " if content[:1] == "`" or content[-1:] == "`" else ""
    return f"{fence}{room}{content}{room}{fence}"


def is_comment(block: Block) -> bool:
    """Tell whether a block of HTML is a comment and nothing else."""
    return block.kind == "html_block" and not _COMMENT.sub("", block.content).strip()


def words(pieces: Sequence[Piece]) -> str | None:
    """Return what pieces say in plain text; None if they say nothing at all.

    A code span that holds a TOML string, and stands alone, says that string: so `write` writes a text that
    Markdown cannot carry.
    """
    kept = _trimmed(pieces)
    if not kept:
        return None
    code = kept[0].code
    if len(kept) == 1 and code is not None and _TEXT.fullmatch(code):
        try:
            return str(tomllib.loads(f"text = {code}")["text"])
        except (tomllib.TOMLDecodeError, ValueError):
            return kept[0].text
    return "".join(piece.text for piece in kept).strip() or None


def source(pieces: Sequence[Piece]) -> str:
    """Return what a single code span holds, or what pieces say."""
    kept = _trimmed(pieces)
    if len(kept) == 1 and kept[0].code is not None:
        return kept[0].code
    return words(pieces) or ""


def command(pieces: Sequence[Piece]) -> str:
    """Return what a single code span holds, unless that is a TOML string, or what pieces say."""
    code = source(pieces)
    return words(pieces) or "" if _TEXT.fullmatch(code) else code


def reference(pieces: Sequence[Piece]) -> str | None:
    """Return the label and the target of a link that stands alone, or None."""
    kept = _trimmed(pieces)
    if len(kept) != 1 or kept[0].link is None:
        return None
    label, target = kept[0].link
    return target if not label or label == target else f"{label}: {target}"


def _trimmed(pieces: Sequence[Piece]) -> list[Piece]:
    kept = list(pieces)
    while kept and kept[0].code is None and not kept[0].text.strip():
        kept.pop(0)
    while kept and kept[-1].code is None and not kept[-1].text.strip():
        kept.pop()
    return kept


def box(line: Line) -> tuple[str, Line] | None:
    """Return the mark of a task box and what stands behind it, or None without a box.

    The mark is " ", "x", "~", or "?" for what looks like a box and is none that is agreed on.
    """
    if not line.pieces or line.pieces[0].literal:
        return None
    text = line.pieces[0].text
    if found := _BOX.match(text):
        mark = found[1].lower() if found[1] in "xX~" else " "
    elif found := _ALMOST_BOX.match(text):
        mark = "?"
    else:
        return None
    rest = line.pieces[0]._replace(text=text[found.end() :].lstrip())
    return mark, Line(line.number, (rest, *line.pieces[1:]) if rest.text else line.pieces[1:])


def keyed(line: Line) -> tuple[str, bool, tuple[Piece, ...]] | None:
    """Return a key, whether a space follows its colon, and the value; None where no colon makes a key."""
    key = ""
    for index, piece in enumerate(line.pieces):
        if piece.literal:
            return None
        colon = re.search(f"[:{_WIDE_COLON}]", piece.text)
        if colon is None:
            key += piece.text
            continue
        key = (key + piece.text[: colon.start()]).strip()
        if not key or len(key) > _LONGEST_KEY:
            return None
        after = piece.text[colon.end() :]
        rest = (piece._replace(text=after),) if after else ()
        spaced = not after or after[0].isspace() or colon[0] == _WIDE_COLON
        return key, spaced, (*rest, *line.pieces[index + 1 :])
    return None
