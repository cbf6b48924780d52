"""Cuts a plain dump into its statements and the data between them, as a stream, without running anything.

Where it errs the server meets half a statement and refuses it; nothing else can come of it.
"""

import re
from collections.abc import Callable, Iterator

from probes.restore.drill import DamagedError

_CHUNK = 2**18
_BLOCK = 2**16
_MAX_STATEMENT = 2**30
"""The server takes no longer one."""

_COMMENT = re.compile(rb"\s*--")
_NOTE = re.compile(r"-- ((?:PostgreSQL|Dumped) .+)")
# With these two a dump guards itself against commands of others in it.
_GUARD = re.compile(rb"\\(?:un)?restrict [A-Za-z0-9]+\s*")
_COMMAND = re.compile(rb"\\(?:[A-Za-z]+|.)?")
_ROUTINE = re.compile(rb"\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:FUNCTION|PROCEDURE)\b", re.IGNORECASE)
_STRINGS = re.compile(rb"SET\s+standard_conforming_strings\s*(?:=|TO)\s*'?(\w+)", re.IGNORECASE)
_TOKEN = re.compile(
    rb"--[^\n]*|/\*|\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$|[eE]'|['\";()\\]"
    rb"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*"
)
# A quote that is doubled ends a quoted part and begins the next, which comes to the same.
_PLAIN, _ESCAPED, _NAME = re.compile(rb"'"), re.compile(rb"'|\\.", re.DOTALL), re.compile(rb'"')
_REMARK = re.compile(rb"/\*|\*/")


class MetaCommandError(Exception):
    r"""The dump holds a command for psql. The text is that command, as `\connect`."""


class Script:
    """A dump that is being read.

    Attributes:
        line: Number of the line that is being read.
        notes: What pg_dump says about itself between the statements, so far.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        """Take the function that reads up to so many bytes of the dump, and none at its end."""
        self._lines = self._numbered(read)
        self.line = 0
        self.notes: list[str] = []

    def statements(self) -> Iterator[bytes]:
        """Yield each statement. After a COPY FROM stdin, read `data` before the next one.

        Raises:
            DamagedError: If the dump ends within one.
            MetaCommandError: If it holds a command for psql.
        """
        scanner = _Scanner()
        parts: list[bytes] = []
        length = 0
        for line in self._lines:
            if not parts and self._between(line):
                continue
            start = 0
            while (end := scanner.end(line, start, parts[0] if parts else line[start:])) is not None:
                statement = b"".join([*parts, line[start:end]]).strip()
                parts, length, start = [], 0, end
                if match := _STRINGS.match(statement):
                    scanner.backslashes = match[1].lower() == b"off"
                yield statement
            rest = line[start:] if parts else line[start:].lstrip()
            if rest:
                parts.append(rest)
                length += len(rest)
                if length > _MAX_STATEMENT:
                    raise DamagedError("it holds a statement without an end")
        if parts:
            raise DamagedError("it ends within a statement")

    def data(self) -> Iterator[bytes]:
        """Yield the data that follows a COPY FROM stdin, in blocks of whole lines.

        Raises:
            DamagedError: If the dump ends within it.
        """
        block: list[bytes] = []
        length = 0
        for line in self._lines:
            if line.rstrip(b"\r\n") == b"\\.":
                yield b"".join(block)
                return
            block.append(line)
            length += len(line)
            if length > _BLOCK:
                yield b"".join(block)
                block, length = [], 0
        raise DamagedError("it ends within the data of a table")

    def _numbered(self, read: Callable[[int], bytes]) -> Iterator[bytes]:
        for line in _lines(read):
            self.line += 1
            yield line

    def _between(self, line: bytes) -> bool:
        """Tell whether a line where no statement has begun is none of one; note what pg_dump says there."""
        if _COMMENT.match(line):
            if match := _NOTE.fullmatch(line.decode(errors="replace").strip()):
                self.notes.append(match[1])
            return True
        return _GUARD.fullmatch(line) is not None


class _Scanner:
    """Finds the ends of statements, from line to line."""

    def __init__(self) -> None:
        self.backslashes = False
        self._quote: re.Pattern[bytes] | None = None
        self._remarks = 0
        self._parentheses = 0
        self._blocks = 0

    def end(self, line: bytes, position: int, first: bytes) -> int | None:
        """Return where a statement ends, or None if it goes on in the next line.

        Args:
            line: The line.
            position: Where in it to begin.
            first: The first line of the statement.
        """
        while position < len(line):
            if self._quote:
                position = self._skip(self._quote, line, position)
                continue
            token = _TOKEN.search(line, position)
            if token is None:
                break
            position = token.end()
            if token[0] == b"\\":
                command = _COMMAND.match(line, token.start())
                raise MetaCommandError(command[0].decode(errors="replace") if command else "\\")
            if token[0] == b";" and not self._parentheses and not self._blocks:
                return position
            self._open(token[0], first)
        return None

    def _skip(self, quote: re.Pattern[bytes], line: bytes, position: int) -> int:
        match = quote.search(line, position)
        if match is None:
            return len(line)
        if quote is _REMARK:
            self._remarks += 1 if match[0] == b"/*" else -1
        if not self._remarks and not match[0].startswith(b"\\"):
            self._quote = None
        return match.end()

    def _open(self, token: bytes, first: bytes) -> None:
        word = token.upper()
        if word == b"/*":
            self._quote, self._remarks = _REMARK, 1
        elif word in {b"'", b"E'"}:
            self._quote = _ESCAPED if self.backslashes or word == b"E'" else _PLAIN
        elif word == b'"':
            self._quote = _NAME
        elif word.startswith(b"$"):
            self._quote = re.compile(re.escape(token))
        elif word in {b"(", b")"}:
            self._parentheses = max(0, self._parentheses + (1 if word == b"(" else -1))
        elif word in {b"BEGIN", b"CASE", b"END"} and _ROUTINE.match(first):
            # The body of a routine may be statements of its own: BEGIN ATOMIC … END.
            step = -1 if word == b"END" else int(word == b"BEGIN" or self._blocks > 0)
            self._blocks = max(0, self._blocks + step)


def _lines(read: Callable[[int], bytes]) -> Iterator[bytes]:
    pending: list[bytes] = []
    while chunk := read(_CHUNK):
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            yield b"".join([*pending, line, b"\n"])
            pending.clear()
        if rest:
            pending.append(rest)
    if pending:
        yield b"".join(pending)
