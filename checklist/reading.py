"""Reads files that people write, and says what is wrong with them: file, line, key, and what was expected."""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, get_args, get_type_hints

import msgspec

from checklist.language import gettext as _
from checklist.language import marked

MAX_BYTES = 16 * 1024 * 1024
"""Size of the largest checklist or status file that is read: about 40,000 items."""


class FileError(Exception):
    """A file that cannot be used, with the place in it: shown as `FILE:LINE: message`."""

    def __init__(self, path: Path, line: int | None, message: str) -> None:
        """Take the file, the line from 1 (None where there is no line to name) and what is wrong there."""
        super().__init__(f"{path}:{line}: {message}" if line else f"{path}: {message}")
        self.path = path
        self.line = line
        self.message = message


class Wrong(Exception):  # noqa: N818  # half of a FileError
    """What is wrong at a path of a file, for whoever knows the file to make a `FileError` of."""

    def __init__(self, path: Sequence[str | int], message: str) -> None:
        super().__init__(message)
        self.path = path
        self.message = message


def read_text(path: Path) -> str:
    """Read a TOML file as text, with a limit on its size.

    Raises:
        FileError: If it is not there, too large, not readable or not UTF-8.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise FileError(path, None, _("no such file")) from None
    except OSError as error:
        raise FileError(path, None, _("cannot be read: {why}").format(why=error.strerror)) from None
    if len(data) > MAX_BYTES:
        raise FileError(path, None, _("larger than {number} bytes").format(number=MAX_BYTES))
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileError(path, line, _("not UTF-8 text")) from None


def parse_toml(text: str, path: Path) -> dict[str, object]:
    """Parse TOML; `path` is for the message only.

    Raises:
        FileError: If the text is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Python 3.14 keeps the line as an attribute; before, it is in the message alone.
        place = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", str(error))
        line = int(place[1]) if place and place[1] else text.count("\n") + 1
        what = str(error)[: place.start()] if place else str(error)
        if is_merge_marker(text.splitlines()[line - 1 : line]):
            raise FileError(path, line, _(MERGED)) from None
        why = f"{what[:1].lower()}{what[1:]}"
        raise FileError(path, line, _("not valid TOML: {why}").format(why=why)) from None
    except RecursionError:
        raise FileError(path, None, _("not usable TOML: nested too deeply")) from None
    except ValueError as error:
        raise FileError(path, None, _("not usable TOML: {why}").format(why=error)) from None


MERGED = marked("a merge left both sides here: keep one of them")
"""What is wrong with a file in which git has left the marks of a conflict; translated where it is shown."""


def is_merge_marker(lines: Sequence[str]) -> bool:
    """Tell whether the first of some lines is a mark that git leaves in a file where two sides meet."""
    return bool(lines) and lines[0].startswith(("<<<<<<< ", "=======", ">>>>>>> "))


def nearest(word: str, known: Sequence[str] | Mapping[str, object]) -> str:
    """Return a hint at the known word that looks most like this one, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return _("; did you mean {word!r}?").format(word=near[0]) if near else ""


def no_item(id_: str, known: Sequence[str] | Mapping[str, object]) -> str:
    """Say that no item has an id, and which one might be meant."""
    return _("no item is called {id!r}").format(id=id_) + nearest(id_, known)


_WORDS = {
    "str": marked("a text"),
    "int": marked("a whole number"),
    "float": marked("a number"),
    "bool": marked("true or false"),
    "array": marked("a list"),
    "object": marked("a table"),
    "date": marked("a date such as 2026-12-31"),
    "datetime": marked("a date and time with its UTC offset"),
    "null": marked("nothing"),
}
"""What TOML calls the types that a converter speaks of."""

_FORMS = {
    r"^[0-9]{1,6}(\.[0-9]{1,6})?(ms|s|m|h|d)$(?!\n)": marked('a length of time such as "10s" or "24h"'),
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)": marked("letters, digits, . _ -"),
    r"\S": marked("a text that is not empty"),
}
"""What the forms of texts are called."""


class Fault(NamedTuple):
    """What does not fit, for the person who wrote the file.

    Attributes:
        path: Where it is.
        message: What is wrong there.
        missing: The key that is needed there, if that is what is wrong.
        named: Whether the message names the key itself.
    """

    path: tuple[str | int, ...]
    message: str
    missing: str = ""
    named: bool = False

    def under(self, path: Sequence[str | int]) -> str:
        """Return the message with the key at a path before it, unless it names the key itself."""
        keys = [str(part) for part in path if isinstance(part, str)]
        return self.message if self.named or not keys else f"{'.'.join(keys)}: {self.message}"


def explain(error: msgspec.ValidationError, raw: object, kinds: Mapping[str, type]) -> Fault:
    """Turn a validation error into the path it is about and words for the person who wrote the file.

    Args:
        error: What was raised.
        raw: What was being converted.
        kinds: The structs that say what is known at the root (under "") and in each of its tables.
    """
    text, _at, place = str(error).replace(" - at `key` in `$", " of a key - at `$").partition(" - at `$")
    path: tuple[str | int, ...] = tuple(
        int(index) if index else key.replace("\\", "")
        for key, index in re.findall(r"\.?([^.\[\]`]+)|\[(\d+)\]", place.rstrip("`").replace("[...]", ""))
    )
    kind = kinds.get(str(path[0]) if path else "", kinds.get(""))
    if unknown := re.fullmatch(r"Object contains unknown field `(.+)`", text):
        known = getattr(kind, "__struct_fields__", ())
        there = _("; there are {names}").format(names=", ".join(known)) if known else ""
        message = _("unknown key {key!r}").format(key=unknown[1]) + (nearest(unknown[1], known) or there)
        return Fault((*path, unknown[1]), message, named=True)
    if missing := re.fullmatch(r"Object missing required field `(.+)`", text):
        return Fault(path, needs(missing[1]), missing[1])
    # Which entry of a table it is, the converter does not say.
    value = None if place.endswith("[...]`") else value_at(raw, path)
    return Fault(path, _expectation(text, value, kind, path))


def needs(key: str) -> str:
    """Say that a key is missing."""
    return _("needs a key {key!r}").format(key=key)


def _expectation(text: str, value: object, kind: object, path: Sequence[str | int]) -> str:
    """Say what was expected, in the words of the file."""
    got = _got(repr(value)) if isinstance(value, str | int | float) else ""
    if form := re.match(r"Expected `str` matching regex '(.+)'( of a key)?$", text):
        pattern = form[1].replace("\\\\", "\\")
        known = _FORMS.get(pattern)
        what = _(known) if known else _("a text of the form {pattern}").format(pattern=pattern)
        said = _("expected every key to be {what}") if form[2] else _("expected {what}")
        return said.format(what=what) + got
    if text.startswith("Invalid enum value"):
        hints = get_type_hints(kind) if isinstance(kind, type) else {}
        allowed = get_args(hints.get(str(path[-1]))) if path else ()
        said = _("expected one of {words}") if allowed else _("not allowed")
        return said.format(words=", ".join(map(str, allowed))) + got
    if text.startswith("Invalid RFC3339"):
        kind_word = _WORDS["datetime" if "datetime" in text else "date"]
        return _("expected {what}").format(what=_(kind_word)) + got
    if types := re.fullmatch(r"Expected `([^`]+)`(, got `.+`)?(.*)", text):
        names = [word for word in types[1].split(" | ") if word != "null"]
        found = re.fullmatch(r", got `(.+)`", types[2] or "")
        found_word = _WORDS.get(found[1]) if found else None
        what = _bounded([_(_WORDS.get(name, name)) for name in names], types[3])
        return _("expected {what}").format(what=what) + (got or _got(_(found_word or _type_word(value))))
    return text[:1].lower() + text[1:].replace("`", "'")


def _bounded(words: Sequence[str], bound: str) -> str:
    """Say of which kinds a value may be and, where the converter says so, what bounds it."""
    if bound.strip() == "of length >= 1":
        return _("{kind} that is not empty").format(kind=_either(words))
    return f"{_either(words)}{bound}"


def _either(words: Sequence[str]) -> str:
    first, *others = words
    for other in others:
        first = _("{one} or {other}").format(one=first, other=other)
    return first


def _got(what: str) -> str:
    return _(", got {what}").format(what=what)


def _type_word(value: object) -> str:
    if isinstance(value, list):
        return _WORDS["array"]
    return _WORDS["object"] if isinstance(value, dict) else marked("something else")


def value_at(raw: object, path: Sequence[str | int]) -> object:
    """Return what stands at a path of a parsed file, or None."""
    for part in path:
        if isinstance(raw, Mapping) and isinstance(part, str):
            raw = raw.get(part)
        elif isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            raw = raw[part]
        else:
            return None
    return raw
