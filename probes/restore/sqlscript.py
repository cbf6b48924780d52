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
# Only what psql knows is shown: where a dump is damaged, data may stand there.
_COMMAND = re.compile(rb"\\(?:connect|copy|restrict|unrestrict|set|gset|gexec|ir?|[cgio!.])(?![A-Za-z])")
_STRINGS = re.compile(rb"SET\s+standard_conforming_strings\s*(?:=|TO)\s*'?(\w+)", re.IGNORECASE)
_TOKEN = re.compile(
    # The body of a routine may be statements of its own. Alone, BEGIN may also be the name of a parameter.
    rb"--[^\n]*|/\*|(?P<block>(?i:BEGIN\s+ATOMIC)\b)|\$(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?\$|[eE]'|['\";()\\]"
    rb"|[A-Za-z_\x80-\xff][\w$\x80-\xff]*"
)
# A quote that is doubled ends a quoted part and begins the next: the same, where nothing escapes.
_PLAIN, _ESCAPED, _NAME = re.compile(rb"'"), re.compile(rb"''|'|\\.", re.DOTALL), re.compile(rb'"')
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
        """Yield each statement, without remarks. After a COPY FROM stdin, read `data` before the next one.

        Raises:
            DamagedError: If the dump ends within one.
            MetaCommandError: If it holds a command for psql.
        """
        scanner = _Scanner()
        for line in self._lines:
            if scanner.between and self._between(line):
                continue
            for statement in scanner.feed(line):
                if match := _STRINGS.match(statement):
                    scanner.backslashes = match[1].lower() == b"off"
                yield statement
        if not scanner.between:
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
    """Finds the ends of statements, from line to line. Takes remarks out, which may hide what one is."""

    def __init__(self) -> None:
        self.backslashes = False
        self._quote: re.Pattern[bytes] | None = None
        self._remarks = 0
        self._parentheses = 0
        self._blocks = 0
        self._parts: list[bytes] = []
        self._length = 0

    @property
    def between(self) -> bool:
        """Whether no statement and no remark has begun."""
        return not self._parts and not self._remarks

    def feed(self, line: bytes) -> Iterator[bytes]:
        """Yield the statements that end in a line."""
        start = position = 0
        while position < len(line):
            if self._quote:
                remark = self._quote is _REMARK
                position = self._skip(self._quote, line, position)
                start = position if remark else start
                continue
            token = _TOKEN.search(line, position)
            if token is None:
                break
            position = token.end()
            if token[0] == b"\\":
                command = _COMMAND.match(line, token.start())
                raise MetaCommandError(command[0].decode() if command else "\\")
            if token[0] == b";" and not self._parentheses and not self._blocks:
                self._keep(line[start:position])
                yield b"".join(self._parts)
                self._parts, self._length, start = [], 0, position
            elif token[0][:2] in {b"--", b"/*"}:
                self._keep(line[start : token.start()] + b" ")
                start = position
                self._open(token)
            else:
                self._open(token)
        self._keep(line[start:])

    def _keep(self, part: bytes) -> None:
        part = part if self._parts else part.lstrip()
        if part:
            self._parts.append(part)
            self._length += len(part)
            if self._length > _MAX_STATEMENT:
                raise DamagedError("it holds a statement without an end")

    def _skip(self, quote: re.Pattern[bytes], line: bytes, position: int) -> int:
        match = quote.search(line, position)
        if match is None:
            return len(line)
        if quote is _REMARK:
            self._remarks += 1 if match[0] == b"/*" else -1
        if not self._remarks and match[0] != b"''" and not match[0].startswith(b"\\"):
            self._quote = None
        return match.end()

    def _open(self, token: re.Match[bytes]) -> None:
        word = token[0].upper()
        if word == b"/*":
            self._quote, self._remarks = _REMARK, 1
        elif word in {b"'", b"E'"}:
            self._quote = _ESCAPED if self.backslashes or word == b"E'" else _PLAIN
        elif word == b'"':
            self._quote = _NAME
        elif word.startswith(b"$"):
            self._quote = re.compile(re.escape(token[0]))
        elif word in {b"(", b")"}:
            self._parentheses = max(0, self._parentheses + (1 if word == b"(" else -1))
        elif token["block"] or (self._blocks and word == b"CASE"):
            self._blocks += 1
        elif self._blocks and word == b"END":
            self._blocks -= 1


def _lines(read: Callable[[int], bytes]) -> Iterator[bytes]:
    pending: list[bytes] = []
    length = 0
    while chunk := read(_CHUNK):
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            yield b"".join([*pending, line, b"\n"])
            pending.clear()
            length = 0
        if rest:
            pending.append(rest)
            length += len(rest)
            if length > _MAX_STATEMENT:
                raise DamagedError("it holds a line without an end")
    if pending:
        yield b"".join(pending)
