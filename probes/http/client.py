"""The wire side of the http probe: one request and its answer, or the obstacle that stood in the way.

Kept apart because it imports urllib3, which is slow to import.
"""

import base64
import contextlib
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from http import HTTPStatus
from http.client import HTTPException, RemoteDisconnected
from typing import NamedTuple
from urllib.parse import unquote, urljoin

from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import Url, parse_url

from probes import network
from probes.outcome import CannotTell, Reason

_HTTPS = "Write https:// in the address, or correct its port."
_PIECE = 16384
_PORTS = {"http": 80, "https": 443}
_FORM = "Write http://HOST/PATH or https://HOST/PATH, with special characters in it as %XX."


class Place(NamedTuple):
    """What an address leads to.

    Attributes:
        scheme: "http" or "https".
        host: Name or IP address, without brackets.
        port: Of TCP.
        path: With its leading slash.
        query: With its question mark; it may hold a secret.
        credentials: The value of the header that stands for the address's user information; or "".
    """

    scheme: str
    host: str
    port: int
    path: str
    query: str
    credentials: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What has to be the same for a secret to be sent there too."""
        return self.scheme, self.host, self.port

    @property
    def where(self) -> str:
        """Name the server as `network` does."""
        return str(network.Address(self.host, self.port))

    @property
    def shown(self) -> str:
        """Write it without user information and query."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


class Answer(NamedTuple):
    """What a server answered.

    Attributes:
        status: The status code.
        headers: The lines of the head, by name in any case.
        body: What was read of the body, decoded.
        whole: Whether that is all of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool


def place(url: str, base: Place | None = None) -> Place:
    """Read an address. No part of it is repeated in a message.

    Args:
        url: The address.
        base: Where it was found, for one that is relative. User information from there does not count.

    Raises:
        CannotTell: With `config`, if it is no address of an HTTP server.
    """
    text = url.strip()
    try:
        parts = parse_url(
            network.ascii_host(urljoin(base.shown + base.query, text) if base and text else text)
        )
    except ValueError:  # urllib3's own is one too
        parts = Url()
    if parts.scheme not in _PORTS or not parts.host or parts.port == 0:
        raise CannotTell(Reason.CONFIG, "The address is not one of an HTTP server.", _FORM)
    credentials = ""
    if parts.auth and base is None:
        credentials = "Basic " + base64.b64encode(unquote(parts.auth).encode()).decode()
    return Place(
        parts.scheme,
        parts.host.strip("[]"),
        parts.port or _PORTS[parts.scheme],
        parts.path or "/",
        f"?{parts.query}" if parts.query else "",
        credentials,
    )


def fetch(
    to: Place,
    method: str,
    headers: Mapping[str, str],
    body: str,
    *,
    context: ssl.SSLContext,
    ends: float,
    most: int,
) -> Answer:
    """Send one request and read its answer, on a connection of its own.

    Args:
        to: Where to.
        method: Of HTTP.
        headers: To send.
        body: To send; "" for none.
        context: What to trust.
        ends: When to stop waiting for the next byte, on the monotonic clock.
        most: Bytes of the decoded body to read at most.

    Raises:
        CannotTell: If there is no whole answer.
    """
    connection = _connected(to, context, ends)
    with closing(connection):
        connection.timeout = _left(ends)
        try:
            # It may have answered before it has heard everything.
            with contextlib.suppress(BrokenPipeError):
                connection.request(
                    method,
                    to.path + to.query,
                    body=body.encode() if body else None,
                    headers=headers,
                    preload_content=False,
                )
            with closing(connection.getresponse()) as response:
                pieces, count = [], 0
                while count <= most and (piece := response.read(_PIECE)):
                    pieces.append(piece)
                    count += len(piece)
        except (exceptions.HTTPError, HTTPException, OSError) as error:
            raise _broken(error, to, ends) from None
    if response.status == HTTPStatus.BAD_REQUEST and to.scheme == "http" and _speaks_tls(to, ends):
        raise network.wants_tls(to.where, _HTTPS)
    return Answer(response.status, response.headers, b"".join(pieces)[:most], count <= most)


def _left(ends: float) -> float:
    return max(0.05, ends - time.monotonic())


def _connected(to: Place, context: ssl.SSLContext, ends: float) -> HTTPConnection:
    try:
        # In a thread: a signal would not end the lookup, so that a hung name service had no name.
        network.aside(partial(network.resolve, to.host, to.port)).result(_left(ends))
    except TimeoutError:
        raise network.unresolved(to.host) from None
    except (OSError, UnicodeError) as error:
        raise network.obstacle(error, to.where) from None
    # A name may have two addresses, and each of them is given this long.
    patience = _left(ends) / 2
    if to.scheme == "https":
        connection: HTTPConnection = HTTPSConnection(to.host, to.port, timeout=patience, ssl_context=context)
    else:
        connection = HTTPConnection(to.host, to.port, timeout=patience)
    try:
        connection.connect()
    except exceptions.LocationValueError:
        raise CannotTell(Reason.CONFIG, "The host in the address cannot be one.", _FORM) from None
    except exceptions.ConnectTimeoutError as error:
        # The class of all that goes wrong before TLS; the system's own error says what it was.
        cause = error.__cause__ if isinstance(error.__cause__, OSError) else TimeoutError()
        raise network.obstacle(cause, to.where) from None
    except (OSError, exceptions.SSLError) as error:
        if isinstance(error, TimeoutError | ConnectionError) and _speaks_plain(to, ends):
            raise network.plain(to.where) from None
        raise network.obstacle(error, to.where, "TLS handshake") from None
    return connection


def _broken(error: Exception, to: Place, ends: float) -> CannotTell:
    where = to.where
    match error:
        case TimeoutError() | exceptions.TimeoutError():
            return network.obstacle(TimeoutError(), where, "answer")
        case ssl.SSLError() | exceptions.SSLError():
            return CannotTell(
                Reason.TLS,
                f"{where} ended TLS in the middle of the exchange.",
                "Find out whether it wants a certificate from its clients, and look at its log.",
            )
        case exceptions.DecodeError():
            return CannotTell(
                Reason.PROTOCOL,
                f"The body from {where} is not what its Content-Encoding says.",
                "Look at what compresses it: the server or a proxy before it.",
            )
    if isinstance(error, exceptions.HTTPError):
        return CannotTell(
            Reason.PROTOCOL,
            f"{where} broke off in the middle of the body.",
            "Look at its log, and at the proxies before it.",
        )
    if to.scheme == "http" and _speaks_tls(to, ends):
        return network.wants_tls(to.where, _HTTPS)
    if isinstance(error, HTTPException) and not isinstance(error, RemoteDisconnected):
        return CannotTell(
            Reason.PROTOCOL,
            f"What answers at {where} is no HTTP server.",
            "Correct host and port of the address.",
        )
    return network.obstacle(error, where, "answer")


def _second_look(to: Place, ends: float) -> socket.socket:
    """Connect again, to find out what a port understands that was asked in the wrong way."""
    sock = socket.create_connection((to.host, to.port), _left(ends) / 2)
    # It may be waiting for more of what it does not understand: that is no reason to wait for long.
    sock.settimeout(_left(ends) / 4)
    return sock


def _speaks_plain(to: Place, ends: float) -> bool:
    """Tell whether HTTP without TLS is what this port understands."""
    try:
        with _second_look(to, ends) as sock:
            sock.sendall(b"HEAD / HTTP/1.0\r\n\r\n")
            return sock.recv(5) == b"HTTP/"
    except (OSError, UnicodeError):
        return False


def _speaks_tls(to: Place, ends: float) -> bool:
    """Tell whether TLS is what this port understands. Only whether a handshake is possible counts."""
    try:
        with (
            _second_look(to, ends) as sock,
            network.anybody().wrap_socket(sock, server_hostname=to.host),
        ):
            return True
    except (OSError, ValueError):
        return False
