"""A page as neutral blocks, and its two renderings: Markdown and one self-contained HTML page.

Every text in a block may come from outside. Neither rendering obeys anything in it: it stays text, on a line
of its own, in reading order.
"""

import html
import re
from base64 import b64encode
from collections.abc import Callable, Iterable
from datetime import date, datetime
from hashlib import sha256
from typing import Literal, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from checklist.language import current
from probes.clean import strip

Document = TypeVar("Document", bound=msgspec.Struct)

Tone = Literal["", "good", "word", "wait", "bad"]
"""What colour underlines, never the only sign: proven, somebody's word, not yet, wrong."""


class Words(NamedTuple):
    """A run of text in one style.

    Attributes:
        text: What it says.
        tone: See `Tone`; a run that has one is strong too.
        strong: Whether it stands out.
        href: Where it leads; only an http or https address makes a link of it.
    """

    text: str
    tone: Tone = ""
    strong: bool = False
    href: str = ""


Line = tuple[Words, ...]
"""Runs of text with a space between them."""


class Heading(NamedTuple):
    """A heading; level 1 is that of the page."""

    level: int
    line: Line


class Paragraph(NamedTuple):
    """A paragraph of one line."""

    line: Line


class Bullets(NamedTuple):
    """A list."""

    lines: tuple[Line, ...]


class Table(NamedTuple):
    """A table; the first cell of a row is what the row is about.

    Attributes:
        head: The names of its columns.
        rows: Its cells.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Line, ...], ...]


Simple = Heading | Paragraph | Bullets | Table


class Details(NamedTuple):
    """Blocks under a line that folds them away; they stand open at first, so that they are printed.

    Markdown has no such thing: there the line is a heading of level 3.
    """

    summary: Line
    blocks: tuple[Simple, ...]


Block = Simple | Details


class Page(NamedTuple):
    """A page: its title, and what is on it."""

    title: str
    blocks: tuple[Block, ...]


def one_line(text: str) -> str:
    """Return text from outside on one line, without control, escape and direction characters."""
    return " ".join(strip(" ".join(text.splitlines())).split())


def rewritten(value: object, change: Callable[[str], str]) -> object:
    """Return a value of plain parts (see `msgspec.to_builtins`) with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {rewritten(name, change): rewritten(part, change) for name, part in value.items()}
    return [rewritten(part, change) for part in value] if isinstance(value, list | tuple) else value


def harmless(document: Document) -> Document:
    """Return a document in which every text is on one line, as `one_line` has it.

    Done before texts are put together: what is left open in one would otherwise swallow the next.
    """
    plain = msgspec.to_builtins(document, builtin_types=(datetime, date))
    return msgspec.convert(rewritten(plain, one_line), type(document))


_SAFE = "%/:?#@!$&'()*+,;=~-._"


def address(text: str) -> str:
    """Return an http or https address with everything else percent-encoded; empty if it is none."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.netloc or one_line(text) != text or " " in text:
        return ""
    # Square brackets have their place around a host that is a number, and nowhere else.
    end = text.index(parts.netloc) + len(parts.netloc)
    return quote(text[:end], safe=f"{_SAFE}[]") + quote(text[end:], safe=_SAFE)


# Markdown: CommonMark with tables

_SPECIAL = re.compile(r"[\\`*_\[\]<>|~&#$]")
_OPENING = re.compile(r"^(?:[-+=]|[0-9]+[.)](?= |$))")
# Where a reader makes a link of what looks like an address.
_LINKING = re.compile(r"(?<=\w)[.@](?=\w*[^\W\d])|/(?=/)")


def to_markdown(page: Page) -> str:
    """Return a page as CommonMark with tables; there is no HTML in it."""
    return "\n\n".join(part for block in page.blocks for part in _markdown(block)) + "\n"


def _markdown(block: Block) -> Iterable[str]:
    match block:
        case Heading(level, line):
            yield f"{'#' * level} {_markdown_line(line)}"
        case Paragraph(line):
            yield _markdown_line(line)
        case Bullets(lines):
            yield "\n".join(f"- {_markdown_line(line)}" for line in lines)
        case Table(head, rows):
            titles = [_escaped(name) for name in head]
            cells = [[_markdown_line(cell) for cell in row] for row in rows]
            table = [titles, ["---"] * len(head), *cells]
            yield "\n".join(f"| {' | '.join(row)} |" for row in table)
        case Details(summary, blocks):
            yield f"### {_markdown_line(summary)}"
            for part in blocks:
                yield from _markdown(part)


def _markdown_line(line: Line) -> str:
    return _unopened(" ".join(_pieces(line)))


def literal(text: str) -> str:
    """Return text from outside as one line of Markdown that shows it as it is."""
    return _unopened(_escaped(text))


def _unopened(line: str) -> str:
    # Only what begins a line can be taken for the mark of a list, a rule or a heading.
    return _OPENING.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", line)


def _pieces(line: Line) -> Iterable[str]:
    for words in line:
        text = _escaped(words.text)
        if not text:
            continue
        if href := address(words.href):
            text = f"[{text}](<{href.replace('&', '&amp;')}>)"
        yield f"**{text}**" if words.strong or words.tone else text


def _escaped(text: str) -> str:
    return _LINKING.sub(r"\\\g<0>", _SPECIAL.sub(r"\\\g<0>", one_line(text)))


# HTML

_STYLE = """
:root { color-scheme: light dark; --text: #1c2024; --back: #fff; --soft: #5a6169; --line: #d5d9de;
  --panel: #f5f6f8; --good: #10692f; --word: #14568f; --wait: #7a4d00; --bad: #b0151f; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e7eb; --back: #14171a; --soft: #a3abb4;
  --line: #363c43; --panel: #1d2126; --good: #62cf86; --word: #79b8f5; --wait: #e3b04b; --bad: #ff8a88; } }
body { margin: 0 auto; padding: 1.5rem; max-width: 70rem; color: var(--text); background: var(--back);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { margin: 0 0 .5rem; font-size: 1.7rem; line-height: 1.25; }
h2 { margin: 2rem 0 .5rem; font-size: 1.25rem; border-bottom: 1px solid var(--line); }
h3 { margin: 1.5rem 0 .25rem; font-size: 1.05rem; }
p { margin: .4rem 0; } ul { margin: .4rem 0; padding-left: 1.3rem; }
.table { overflow-x: auto; }
table { width: 100%; margin: .5rem 0; border-collapse: collapse; font-size: .92rem; }
th, td { padding: .3rem .7rem .3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); font-weight: inherit; }
td, tbody th { min-width: 5rem; overflow-wrap: break-word; }
td strong, .short { white-space: nowrap; }
thead th { color: var(--soft); font-weight: 600; }
details { margin: .6rem 0; padding: .4rem .9rem; background: var(--panel); border-radius: .4rem; }
summary { cursor: pointer; }
span, strong, a { unicode-bidi: isolate; }
a { color: var(--word); }
.good { color: var(--good); } .word { color: var(--word); }
.wait { color: var(--wait); } .bad { color: var(--bad); }
@media print { body { padding: 0; max-width: none; font-size: 10pt; color: #000; background: #fff; }
  details { padding: 0; background: none; } tr, li, h2, h3, summary { break-inside: avoid; }
  h2, h3, summary, thead { break-after: avoid; } a { color: inherit; } }
"""

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}';"
    " base-uri 'none'; form-action 'none'"
)


def to_html(page: Page) -> str:
    """Return a page as one HTML file that loads nothing, runs nothing and can be printed."""
    body = "\n".join(_html(block) for block in page.blocks)
    return f"""<!DOCTYPE html>
<html lang="{current()}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{html.escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{_safe(page.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def _html(block: Block) -> str:
    match block:
        case Heading(level, line):
            return f"<h{level}>{_html_line(line)}</h{level}>"
        case Paragraph(line):
            return f"<p>{_html_line(line)}</p>"
        case Bullets(lines):
            return "<ul>" + "".join(f"<li>{_html_line(line)}</li>" for line in lines) + "</ul>"
        case Table(head, rows):
            titles = "".join(f'<th scope="col">{_safe(name)}</th>' for name in head)
            body = "\n".join(_html_row(row) for row in rows)
            return (
                '<div class="table"><table>\n'
                f"<thead><tr>{titles}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
            )
        case Details(summary, blocks):
            inner = "\n".join(_html(part) for part in blocks)
            return f"<details open><summary>{_html_line(summary)}</summary>\n{inner}\n</details>"


def _html_row(row: tuple[Line, ...]) -> str:
    cells = "".join(f"<td>{_html_line(cell)}</td>" for cell in row[1:])
    return f'<tr><th scope="row">{_html_line(row[0])}</th>{cells}</tr>'


def _html_line(line: Line) -> str:
    return " ".join(_html_words(words) for words in line if one_line(words.text))


def _html_words(words: Words) -> str:
    text = _safe(words.text)
    if href := address(words.href):
        text = f'<a href="{html.escape(href)}" rel="noreferrer">{text}</a>'
    if words.tone:
        return f'<strong class="{words.tone}">{text}</strong>'
    if words.strong:
        return f"<strong>{text}</strong>"
    # A date that is broken in two is hard to read down a column.
    return f'<span class="short">{text}</span>' if _DATE.fullmatch(words.text) else f"<span>{text}</span>"


def _safe(text: str) -> str:
    return html.escape(one_line(text))
