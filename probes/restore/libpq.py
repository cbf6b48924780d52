"""A connection to PostgreSQL, through the library that its own programs are made with.

psql would obey what a dump tells it: a backslash can run programs and change the database. Here everything
goes to the one server session as SQL, the server names each error by its code, and no password stands in a
process list.
"""

import contextlib
import ctypes
import functools
import re
import select
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

from probes.outcome import CannotTell, Reason

CONNECT = 10.0
"""Seconds to wait for a server that says nothing, where connect_timeout is not given: a house value."""

_NAMES = (
    ("libpq.5.dylib", "/opt/homebrew/opt/libpq/lib/libpq.5.dylib", "/usr/local/opt/libpq/lib/libpq.5.dylib")
    if sys.platform == "darwin"
    else ("libpq.so.5",)
)
_BAD = 1  # CONNECTION_BAD
_READING, _WRITING, _OK, _FAILED = 1, 2, 3, 0  # PostgresPollingStatusType
_COPY_OUT, _COPY_IN, _COPY_BOTH = 3, 4, 8  # ExecStatusType
_FATAL = {5, 7}  # PGRES_BAD_RESPONSE, PGRES_FATAL_ERROR
_VERBOSE = 2  # PQERRORS_VERBOSE
_SQLSTATE, _PRIMARY = ord("C"), ord("M")  # postgres_ext.h

_NO_LIMITS = (
    b"SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN "
    b"('statement_timeout', 'lock_timeout', 'idle_session_timeout', 'transaction_timeout')"
)

# Behind the severity, which is a word of five capitals too, but without a digit.
_CODE = re.compile(r":\s+(?=[A-Z]*[0-9])([0-9A-Z]{5}): ")
_BY_CODE = {
    "28P01": Reason.AUTH,
    "28000": Reason.AUTH,
    "3D000": Reason.CONFIG,
    "42501": Reason.FORBIDDEN,
    "53300": Reason.LIMIT,
    "57P03": Reason.REFUSED,
}
# What libpq itself says, in English whatever the locale: Python sets none for messages.
_BY_TEXT = (
    (Reason.AUTH, r"no password supplied|authentication method|password file"),
    (Reason.DNS, r"could not translate host name"),
    (Reason.PROTOCOL, r"invalid response to SSL|expected authentication request|unsupported frontend"),
    (Reason.TLS, r"SSL|certificate|GSSAPI"),
    (Reason.FORBIDDEN, r"Permission denied"),
    (Reason.REFUSED, r"refused|No such file|closed the connection|unreachable|No route|reset by peer"),
    (Reason.TIMEOUT, r"timeout expired|timed out"),
    (Reason.CONFIG, r"invalid|does not exist|must"),
)
_ADVICE = {
    Reason.AUTH: "Correct user and password: server, PGPASSWORD or ~/.pgpass; and see pg_hba.conf there.",
    Reason.CONFIG: "Correct server; its database has to be there: postgres is on every server.",
    Reason.DNS: "Correct the host in server.",
    Reason.FORBIDDEN: "Let this role connect, or run as a user who may use the socket.",
    Reason.LIMIT: "Wait for a free connection, or raise max_connections of the scratch server.",
    Reason.PROTOCOL: "Correct host and port in server: something else than PostgreSQL answers there.",
    Reason.REFUSED: "Start the scratch server, or correct host and port in server; try psql with them.",
    Reason.TIMEOUT: "Look at the network and the firewall between here and the scratch server.",
    Reason.TLS: "Correct sslmode and sslrootcert in server to fit what the scratch server offers.",
}


class ServerError(Exception):
    """The server refused a statement.

    Attributes:
        code: Its SQLSTATE, five characters; empty where the connection was lost.
        message: Its first line. Values of the data in it are masked.
    """

    def __init__(self, code: str, message: str) -> None:
        """Take what the server said."""
        # These quote what they stumble over: a customer's, maybe, if damage made a value a name.
        quotes = code.startswith("22") or code in {"42601", "42703"}
        masked = re.sub(r'"[^"]*"', '"…"', message) if quotes else message
        super().__init__(masked)
        self.code = code
        self.message = masked.rstrip(". ")


class _Option(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_char_p) for name in ("keyword", "envvar", "compiled", "val", "label", "dispchar")),
        ("dispsize", ctypes.c_int),
    ]


_SILENT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)(lambda *_: None)


@functools.cache
def _library() -> Any:  # noqa: ANN401  # a foreign library has no type
    for name in _NAMES:
        with contextlib.suppress(OSError):
            library = ctypes.CDLL(name)
            break
    else:
        raise CannotTell(
            Reason.MISSING,
            "The client library of PostgreSQL (libpq) is not installed here.",
            "Install it: apt install postgresql-client.",
        )
    text, pointer, number = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int
    options = ctypes.POINTER(_Option)
    for name, result, arguments in (
        ("PQconninfoParse", options, (text, ctypes.POINTER(pointer))),
        ("PQconninfo", options, (pointer,)),
        ("PQconninfoFree", None, (options,)),
        ("PQfreemem", None, (pointer,)),
        ("PQconnectStartParams", pointer, (ctypes.POINTER(text), ctypes.POINTER(text), number)),
        ("PQconnectPoll", number, (pointer,)),
        ("PQsetErrorVerbosity", number, (pointer, number)),
        ("PQsetNoticeProcessor", pointer, (pointer, type(_SILENT), pointer)),
        ("PQstatus", number, (pointer,)),
        ("PQsocket", number, (pointer,)),
        ("PQserverVersion", number, (pointer,)),
        ("PQerrorMessage", text, (pointer,)),
        ("PQfinish", None, (pointer,)),
        ("PQsendQuery", number, (pointer, text)),
        ("PQconsumeInput", number, (pointer,)),
        ("PQisBusy", number, (pointer,)),
        ("PQgetResult", pointer, (pointer,)),
        ("PQrequestCancel", number, (pointer,)),
        ("PQputCopyData", number, (pointer, text, number)),
        ("PQputCopyEnd", number, (pointer, text)),
        ("PQresultStatus", number, (pointer,)),
        ("PQresultErrorField", text, (pointer, number)),
        ("PQntuples", number, (pointer,)),
        ("PQnfields", number, (pointer,)),
        ("PQgetvalue", text, (pointer, number, number)),
        ("PQclear", None, (pointer,)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, list(arguments)
    return library


def parse(address: str) -> dict[str, str]:
    """Read a connection string or URL.

    Returns:
        The parameters by keyword.

    Raises:
        CannotTell: If it is none.
    """
    library = _library()
    error = ctypes.c_void_p()
    options = library.PQconninfoParse(_bytes(address), ctypes.byref(error))
    if not options:
        # What is wrong with it is not shown, because libpq repeats it with the password.
        library.PQfreemem(error)
        raise CannotTell(
            Reason.CONFIG,
            "server is no connection string and no URL of PostgreSQL.",
            'Write it as "host=HOST port=5432 user=ROLE dbname=postgres", the password in PGPASSWORD.',
        )
    return {keyword: value for keyword, _, value in _values(options)}


def _values(options: Any) -> list[tuple[str, str, str]]:  # noqa: ANN401  # a pointer
    """Return keyword, variable and value of the options that have one; free them all."""
    found = []
    for option in options:
        if option.keyword is None:
            break
        if option.val:
            parts = (option.keyword, option.envvar or b"", option.val)
            keyword, variable, value = (part.decode(errors="surrogateescape") for part in parts)
            found.append((keyword, variable, value))
    _library().PQconninfoFree(options)
    return found


def _bytes(text: str) -> bytes:
    """Return a value as it was given: a password need not be UTF-8."""
    return text.encode(errors="surrogateescape")


class Connection:
    """A session on a server. Waiting for it can be interrupted by a signal."""

    def __init__(self, keywords: Mapping[str, str]) -> None:
        """Connect, with parameters by libpq's keywords; what is missing comes from PGHOST and the like.

        Raises:
            CannotTell: If there is no connection, with the reason.
        """
        self._library = _library()
        # A firewall forgets a session that says nothing for long, as the one that waits for a restore.
        given = {"client_encoding": "UTF8", "keepalives_idle": "60", **keywords}
        names, values = (
            (ctypes.c_char_p * (len(given) + 1))(*(_bytes(part) for part in parts), None)
            for parts in (given.keys(), given.values())
        )
        self._handle = self._library.PQconnectStartParams(names, values, 0)
        try:
            self._library.PQsetErrorVerbosity(self._handle, _VERBOSE)
            self._library.PQsetNoticeProcessor(self._handle, _SILENT, None)
            patience = given.get("connect_timeout", "")
            self._connect(float(patience) if patience.isdecimal() and int(patience) else CONNECT)
            # Made for an application, they would end a long restore and the session that waits for it.
            with contextlib.suppress(ServerError):
                self.run(_NO_LIMITS)
        except BaseException:
            self.close()
            raise

    @property
    def version(self) -> int:
        """Version of the server: 150018 is 15.18."""
        return int(self._library.PQserverVersion(self._handle))

    @property
    def variables(self) -> dict[str, str | None]:
        """What the environment of a program has to be for it to connect to where this session is."""
        options = _values(self._library.PQconninfo(self._handle))
        # The settings of a service would go before them; they are among them already.
        return {**{variable: value for _, variable, value in options if variable}, "PGSERVICE": None}

    def close(self) -> None:
        """End the session."""
        if self._handle:
            self._library.PQfinish(self._handle)
            self._handle = None

    def run(self, statement: bytes, data: Iterable[bytes] = ()) -> list[list[str]]:
        """Run one statement, which ends with its own answer: nothing is cut off at a zero byte.

        Args:
            statement: SQL, in the session's encoding.
            data: What to send if it is a COPY FROM stdin.

        Returns:
            The rows of its last answer.

        Raises:
            ServerError: If the server refuses it.
        """
        if b"\0" in statement:
            raise ServerError("22021", "there is a zero byte in it")
        if not self._library.PQsendQuery(self._handle, statement):
            raise self._lost()
        rows: list[list[str]] = []
        problem: ServerError | None = None
        while result := self._next():
            try:
                status = self._library.PQresultStatus(result)
                if status in _FATAL:
                    problem = problem or self._refused(result)
                elif status == _COPY_IN:
                    self._send(data)
                elif status in {_COPY_OUT, _COPY_BOTH}:
                    raise ServerError("0A000", "it asks for data, which no dump does")
                else:
                    rows = self._rows(result)
            finally:
                self._library.PQclear(result)
        if problem:
            raise problem
        return rows

    def cancel(self) -> None:
        """End what the session is doing, if an interruption left it at that."""
        if self._library.PQisBusy(self._handle):
            self._library.PQrequestCancel(self._handle)
        while self._library.PQstatus(self._handle) != _BAD and (result := self._next()):
            self._library.PQclear(result)

    def _connect(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        state = _WRITING
        while state not in {_OK, _FAILED} and self._library.PQstatus(self._handle) != _BAD:
            poll = select.poll()
            poll.register(
                self._library.PQsocket(self._handle), select.POLLOUT if state == _WRITING else select.POLLIN
            )
            if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise CannotTell(
                    Reason.TIMEOUT, "The scratch server does not answer.", _ADVICE[Reason.TIMEOUT]
                )
            state = self._library.PQconnectPoll(self._handle)
        if state != _OK:
            raise self._not_connected()

    def _not_connected(self) -> CannotTell:
        said = self._said()
        match = _CODE.search(said)
        reason = _BY_CODE.get(match[1]) if match else None
        if reason is None:
            reason = next((why for why, sign in _BY_TEXT if re.search(sign, said)), Reason.PROTOCOL)
        shown = (said[match.end() :] if match else said).split("\n")[0].rstrip(". ")
        return CannotTell(reason, f"No connection to the scratch server: {shown}.", _ADVICE[reason])

    def _next(self) -> int | None:
        poll = select.poll()
        poll.register(self._library.PQsocket(self._handle), select.POLLIN)
        while self._library.PQisBusy(self._handle):
            poll.poll()
            if not self._library.PQconsumeInput(self._handle):
                raise self._lost()
        result: int | None = self._library.PQgetResult(self._handle)
        return result

    def _send(self, data: Iterable[bytes]) -> None:
        for block in data:
            if self._library.PQputCopyData(self._handle, block, len(block)) != 1:
                raise self._lost()
        if self._library.PQputCopyEnd(self._handle, None) != 1:
            raise self._lost()

    def _rows(self, result: int) -> list[list[str]]:
        return [
            [
                self._library.PQgetvalue(result, row, column).decode(errors="replace")
                for column in range(self._library.PQnfields(result))
            ]
            for row in range(self._library.PQntuples(result))
        ]

    def _refused(self, result: int) -> ServerError:
        code, message = (
            (self._library.PQresultErrorField(result, part) or b"").decode(errors="replace")
            for part in (_SQLSTATE, _PRIMARY)
        )
        return ServerError(code, message) if code else self._lost()

    def _lost(self) -> ServerError:
        return ServerError("", self._said().split("\n")[0])

    def _said(self) -> str:
        return str((self._library.PQerrorMessage(self._handle) or b"").decode(errors="replace")).strip()
