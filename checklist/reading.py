"""Reads files that people write, and says what is wrong with them: file, line, key, and what was expected."""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args, get_type_hints

import msgspec

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
        raise FileError(path, None, "no such file") from None
    except OSError as error:
        raise FileError(path, None, f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise FileError(path, None, f"larger than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileError(path, line, "not UTF-8 text") from None


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
            raise FileError(path, line, MERGED) from None
        raise FileError(path, line, f"not valid TOML: {what[:1].lower()}{what[1:]}") from None
    except RecursionError:
        raise FileError(path, None, "not usable TOML: nested too deeply") from None
    except ValueError as error:
        raise FileError(path, None, f"not usable TOML: {error}") from None


MERGED = "a merge left both sides here: keep one of them"
"""What is wrong with a file in which git has left the marks of a conflict."""


def is_merge_marker(lines: Sequence[str]) -> bool:
    """Tell whether the first of some lines is a mark that git leaves in a file where two sides meet."""
    return bool(lines) and lines[0].startswith(("<<<<<<< ", "=======", ">>>>>>> "))


def nearest(word: str, known: Sequence[str] | Mapping[str, object]) -> str:
    """Return a hint at the known word that looks most like this one, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "date": "a date such as 2026-12-31",
    "datetime": "a date and time with its UTC offset",
    "null": "nothing",
}
"""What TOML calls the types that a converter speaks of."""

_FORMS = {
    r"^[0-9]{1,6}(\.[0-9]{1,6})?(ms|s|m|h|d)$(?!\n)": 'a length of time such as "10s" or "24h"',
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)": "letters, digits, . _ -",
    r"\S": "a text that is not empty",
}
"""What the forms of texts are called."""


def explain(
    error: msgspec.ValidationError, raw: object, kinds: Mapping[str, type]
) -> tuple[tuple[str | int, ...], str]:
    """Turn a validation error into the path it is about and words for the person who wrote the file.

    Args:
        error: What was raised.
        raw: What was being converted.
        kinds: The structs that say what is known at the root (under "") and in each of its tables.
    """
    text, _, place = str(error).replace(" - at `key` in `$", " of a key - at `$").partition(" - at `$")
    path: tuple[str | int, ...] = tuple(
        int(index) if index else key.replace("\\", "")
        for key, index in re.findall(r"\.?([^.\[\]`]+)|\[(\d+)\]", place.rstrip("`").replace("[...]", ""))
    )
    kind = kinds.get(str(path[0]) if path else "", kinds.get(""))
    if unknown := re.fullmatch(r"Object contains unknown field `(.+)`", text):
        known = getattr(kind, "__struct_fields__", ())
        near = nearest(unknown[1], known) or (f"; there are {', '.join(known)}" if known else "")
        return (*path, unknown[1]), f"unknown key {unknown[1]!r}{near}"
    if missing := re.fullmatch(r"Object missing required field `(.+)`", text):
        return path, f"needs a key {missing[1]!r}"
    # Which entry of a table it is, the converter does not say.
    value = None if place.endswith("[...]`") else value_at(raw, path)
    return path, _expectation(text, value, kind, path)


def _expectation(text: str, value: object, kind: object, path: Sequence[str | int]) -> str:
    """Say what was expected, in the words of the file."""
    got = f", got {value!r}" if isinstance(value, str | int | float) else ""
    if form := re.match(r"Expected `str` matching regex '(.+)'( of a key)?$", text):
        pattern, subject = form[1].replace("\\\\", "\\"), "every key to be " if form[2] else ""
        return f"expected {subject}{_FORMS.get(pattern) or f'a text of the form {pattern}'}{got}"
    if text.startswith("Invalid enum value"):
        hints = get_type_hints(kind) if isinstance(kind, type) else {}
        allowed = get_args(hints.get(str(path[-1]))) if path else ()
        return f"expected one of {', '.join(map(str, allowed))}{got}" if allowed else f"not allowed{got}"
    if text.startswith("Invalid RFC3339"):
        return f"expected {_WORDS['datetime' if 'datetime' in text else 'date']}{got}"
    if types := re.fullmatch(r"Expected `([^`]+)`(, got `.+`)?(.*)", text):
        words = [_WORDS.get(word, word) for word in types[1].split(" | ") if word != "null"]
        bound = types[3].replace("of length >= 1", "that is not empty")
        found = re.fullmatch(r", got `(.+)`", types[2] or "")
        kind_word = _WORDS.get(found[1]) if found else None
        return f"expected {' or '.join(words)}{bound}" + (got or f", got {kind_word or _type_word(value)}")
    return text[:1].lower() + text[1:].replace("`", "'")


def _type_word(value: object) -> str:
    return "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else "something else"


def keyed(path: Sequence[str | int], message: str) -> str:
    """Name the key before the message, unless the message names it itself."""
    keys = [str(part) for part in path if isinstance(part, str)]
    return message if not keys or message.startswith("unknown key") else f"{'.'.join(keys)}: {message}"


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
