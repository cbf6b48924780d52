"""Finds the line of a TOML file that an error is about; `tomllib` forgets lines once it has parsed."""

import re
from collections.abc import Iterator, Sequence

Path = tuple[str | int, ...]

_BARE = r"[A-Za-z0-9_-]+"
_PART = rf"(?:{_BARE}|\"[^\"\n]*\"|'[^'\n]*')"
_KEY = re.compile(rf"^\s*(?P<key>{_PART}(?:\s*\.\s*{_PART})*)\s*=")
_HEADER = re.compile(rf"^\s*(?P<open>\[\[?)\s*(?P<key>{_PART}(?:\s*\.\s*{_PART})*)\s*\]")
_TOKEN = re.compile(r"\"\"\"|'''|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|#[^\n]*|[\[\]{}]")


def find_line(text: str, path: Sequence[str | int]) -> int | None:
    """Return the line (from 1) of the key at `path`, or of the nearest table above it that is written out.

    Args:
        text: A valid TOML document.
        path: Keys and array indices from the root, such as `("items", 3, "probe", "url")`.
    """
    wanted = tuple(path)
    best, line = 0, None
    for number, found in _statements(text):
        length = len(found)
        if best < length <= len(wanted) and wanted[:length] == found:
            best, line = length, number
    return line


def lines_of(text: str, array: str) -> list[int]:
    """Return the lines on which the headers of an array of tables stand, such as every `[[items]]`."""
    return [number for number, path in _statements(text) if len(path) == 2 and path[0] == array]  # noqa: PLR2004  # name and index


def _statements(text: str) -> Iterator[tuple[int, Path]]:
    """Yield the line and the full path of every table header and key."""
    table: Path = ()
    counts: dict[Path, int] = {}
    inside: str | None = None
    depth = 0
    for number, line in enumerate(text.split("\n"), 1):
        if inside is None and depth == 0:
            if header := _HEADER.match(line):
                table = _table(_parts(header["key"]), counts, array=header["open"] == "[[")
                yield number, table
                continue
            if key := _KEY.match(line):
                yield number, table + _parts(key["key"])
                line = line[key.end() :]  # noqa: PLW2901  # only the value can open something
        inside, depth = _carry(line, inside, depth)


def _parts(key: str) -> Path:
    return tuple(part.strip("\"'") for part in re.findall(_PART, key))


def _table(keys: Path, counts: dict[Path, int], *, array: bool) -> Path:
    """Return the path of a header with the index of each array of tables it passes through."""
    path: Path = ()
    for position, key in enumerate(keys):
        path += (key,)
        if array and position == len(keys) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path += (counts[path],)
    return path


def _carry(line: str, inside: str | None, depth: int) -> tuple[str | None, int]:
    """Return what is still open at the end of a line: a multi-line string, and how many brackets."""
    position = 0
    while position < len(line):
        if inside is not None:
            end = line.find(inside, position)
            while end > 0 and inside == '"""' and _escaped(line, end):
                end = line.find(inside, end + 1)
            if end < 0:
                return inside, depth
            position, inside = end + 3, None
            continue
        token = _TOKEN.search(line, position)
        if token is None:
            break
        position = token.end()
        match token[0]:
            case '"""' | "'''" as quotes:
                inside = quotes
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
    return inside, max(depth, 0)


def _escaped(line: str, position: int) -> bool:
    """Tell whether an odd number of backslashes stands before a position."""
    before = line[:position]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1
