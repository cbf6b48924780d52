"""Values as TOML on one line, in which no character of a text can mislead a reader or a parser."""

import re
from collections.abc import Mapping

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}

UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
"""Characters that cannot be seen, or that change the order in which others are: they are escaped."""

_ESCAPED = re.compile(rf'["\\]|{UNSEEN.pattern}')
_SURROGATE = re.compile("[\ud800-\udfff]")


def scalar(text: str) -> str:
    """Return a text that can be written as UTF-8: half of a surrogate pair becomes U+FFFD."""
    return _SURROGATE.sub("\ufffd", text)


def string(text: str) -> str:
    """Return a text as a TOML basic string."""
    return f'"{_ESCAPED.sub(_escape, scalar(text))}"'


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04X}"


def value(of: object) -> str:
    """Return what a TOML file can hold (texts, numbers, dates, lists, tables) as TOML on one line."""
    if isinstance(of, bool):
        return "true" if of else "false"
    if isinstance(of, str):
        return string(of)
    if isinstance(of, Mapping):
        pairs = ", ".join(f"{key(name)} = {value(part)}" for name, part in of.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(of, list | tuple):
        return f"[{', '.join(map(value, of))}]"
    return str(of)


def key(name: str) -> str:
    """Return the name of a key, in quotes where it needs them."""
    return name if _BARE.fullmatch(name) else string(name)


def lines(name: str, texts: tuple[str, ...]) -> list[str]:
    """Return a list of texts as a key, one a line."""
    if len(texts) <= 1:
        return [f"{name} = {value(texts)}"] if texts else []
    return [f"{name} = [", *(f"    {string(text)}," for text in texts), "]"]


def comment(text: str) -> str:
    """Return a comment; nothing in the text can end it."""
    return "# " + UNSEEN.sub(" ", scalar(text))
