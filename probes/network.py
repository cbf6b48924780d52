"""Connections for the probes that look at a server from outside: addresses, sockets, TLS, and obstacles.

What keeps a probe from its answer is `unknown` with a reason; only a wrong answer is a failure.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import certifi

from probes.outcome import CannotTell, Reason
from probes.parameters import FOLDER

T = TypeVar("T")

_MAX_PORT = 65535
_ADDRESS = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+(?:%\w+)?)\]|(?P<name>[^\s:/@\[\]]+))(?::(?P<port>\d{1,5}))?"
)

# What OpenSSL says when the first bytes of an answer are no TLS.
_NO_TLS = frozenset(
    {
        "WRONG_VERSION_NUMBER",
        "HTTP_REQUEST",
        "RECORD_LAYER_FAILURE",
        "PACKET_LENGTH_TOO_LONG",
        "UNKNOWN_PROTOCOL",
    }
)
# What it says when the two sides have no version of TLS in common.
_TOO_OLD = frozenset({"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "SSLV3_ALERT_PROTOCOL_VERSION"})


# Many that read all of the system's authorities at once would leave the loop no processor.
_ONE_AT_A_TIME = threading.Lock()


class Address(NamedTuple):
    """Where a server listens: a host (name or IP address) and a port, or the path of a Unix socket."""

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        """Write it as `address` reads it."""
        return self.path or f"{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


class Stream(NamedTuple):
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def get(self, what: str) -> Any:  # noqa: ANN401  # what it is depends on its name
        """Return what asyncio knows of the connection, such as `ssl_object`."""
        return self.writer.get_extra_info(what)


def address(text: str, port: int | None = None) -> Address:
    """Read `host:port`, `[IPv6]:port` or the path of a Unix socket.

    Args:
        text: What the operator wrote. It is not repeated in any message: it may be a URL with a password.
        port: The port where the text names none; None if it has to.

    Raises:
        CannotTell: With `config`, if it is something else.
    """
    text = text.strip()
    if text.startswith(("/", "unix:/")):
        # Both unix:/path and unix:///path are in use.
        return Address("", 0, "/" + text.removeprefix("unix:").lstrip("/"))
    match = _ADDRESS.fullmatch(text)
    number = int(match["port"] or port or 0) if match else 0
    if match is None or not 0 < number <= _MAX_PORT:
        raise CannotTell(
            Reason.CONFIG,
            "The address is missing or malformed.",
            f"Write HOST{':PORT' if port is None else ' or HOST:PORT'}, with [ ] around an IPv6 address.",
        )
    return Address(match["six"] or match["name"], number)


def trusting(ca_file: str) -> ssl.SSLContext:
    """Return a context that wants TLS 1.2 or newer, and a certificate that fits the name and is trusted.

    It is the same under every version and build of Python, whose defaults differ: Debian's sets no lowest
    version of its own, and from 3.13 on private authorities that lack an extension are refused.

    Args:
        ca_file: The authorities to trust, PEM; or "" for the system's (`SSL_CERT_FILE` and `SSL_CERT_DIR`
            choose others), and certifi's where the system has none.

    Raises:
        CannotTell: With `config`, if the file cannot be read or has no certificate in it.
    """
    system = ssl.get_default_verify_paths()
    has_any = system.cafile or (system.capath and any(Path(system.capath).iterdir()))
    try:
        context = ssl.create_default_context(cafile=ca_file or (None if has_any else certifi.where()))
    except OSError as error:
        why = "has no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise CannotTell(
            Reason.CONFIG, f"The file of ca_file cannot be used ({why}).", "Correct its path: a PEM file."
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


async def trusted(ca_file: str, wait: float) -> ssl.SSLContext:
    """Return what `trusting` does, without holding up the loop: all authorities take a tenth of a second.

    Raises:
        CannotTell: With `config`, also if the file cannot be read in time.
    """
    path = str(FOLDER.get() / ca_file) if ca_file else ""

    def read() -> ssl.SSLContext:
        # A file that never ends holds up its own probe alone.
        with contextlib.nullcontext() if path else _ONE_AT_A_TIME:
            return trusting(path)

    try:
        async with asyncio.timeout(wait):
            return await asyncio.wrap_future(aside(read))
    except TimeoutError:
        message = "The authorities to trust could not be read in time."
        hint = "Name a regular file as ca_file, on a disk that answers."
        raise CannotTell(Reason.CONFIG, message, hint) from None


def aside(call: Callable[[], T]) -> Future[T]:
    """Make a call that may block in a thread that nobody's end waits for, as it does for the loop's own."""
    answer: Future[T] = Future()
    # From now on it cannot be cancelled: the thread always has somewhere to put its answer.
    answer.set_running_or_notify_cancel()

    def work() -> None:
        try:
            answer.set_result(call())
        except Exception as error:  # noqa: BLE001  # raised again where it is awaited
            answer.set_exception(error)

    threading.Thread(target=work, daemon=True, name="probe").start()
    return answer


def anybody() -> ssl.SSLContext:
    """Return a context that talks TLS with any server, to find out what it is. Nothing is told to it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def name_to_prove(place: Address, given: str) -> str:
    """Return the name that a certificate has to fit: the given one, or else the host.

    Raises:
        CannotTell: With `config`, if there is none.
    """
    name = given.strip() or place.host
    if not name:
        raise CannotTell(
            Reason.CONFIG, "A Unix socket has no name for its certificate to fit.", "Set server_name."
        )
    return name


async def addresses(place: Address, wait: float) -> list[tuple[socket.AddressFamily, Any]]:
    """Return the addresses that a name leads to.

    Raises:
        CannotTell: If there are none, or not in time.
    """
    try:
        async with asyncio.timeout(wait):
            if place.path:
                return [(socket.AF_UNIX, place.path)]
            return await asyncio.wrap_future(aside(partial(resolve, place.host, place.port)))
    except TimeoutError:
        raise unresolved(place.host) from None
    except (OSError, UnicodeError) as error:
        raise obstacle(error, str(place)) from None


async def connect(place: Address, wait: float) -> tuple[socket.socket, float]:
    """Connect to the first of a name's addresses that answers; each gets its share of the time.

    Returns:
        The socket, and the seconds that this one address took.

    Raises:
        CannotTell: If none of them does.
    """
    clock = asyncio.get_running_loop().time
    ends = clock() + wait
    found = await addresses(place, wait)
    last = OSError("no address")
    for number, (family, where) in enumerate(found):
        started = clock()
        try:
            return await _open(family, where, (ends - started) / (len(found) - number)), clock() - started
        except OSError as error:
            last = error
    raise obstacle(last, str(place))


async def _open(family: socket.AddressFamily, where: Any, wait: float) -> socket.socket:  # noqa: ANN401  # as getaddrinfo gave it
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        async with asyncio.timeout(wait):
            await asyncio.get_running_loop().sock_connect(sock, where)
    except BaseException:
        sock.close()
        raise
    return sock


async def stream(sock: socket.socket, context: ssl.SSLContext | None, name: str, wait: float) -> Stream:
    """Make a stream of a fresh connection, after the TLS handshake if there is a context for it.

    Args:
        sock: From `connect`. It belongs to the stream from now on, and is closed if there is none.
        context: From `trusting` or `anybody`, or None for no TLS.
        name: What to call the server in the handshake, and to hold its certificate against.
        wait: Seconds for the handshake.

    Raises:
        OSError: As `ssl` and the system say it; `obstacle` puts it into words.
        CannotTell: With `config`, if the name cannot be one.
    """
    # Its own limit has to be the later one: it would be told as a lost connection.
    options: dict[str, Any] = (
        {"server_hostname": name, "ssl_handshake_timeout": abs(wait) + 60} if context else {}
    )
    try:
        async with asyncio.timeout(wait):
            return Stream(*await asyncio.open_connection(sock=sock, ssl=context, **options))
    except ssl.SSLError:
        raise
    except ValueError:
        sock.close()
        raise CannotTell(
            Reason.CONFIG, f"{name} cannot be the name of a server.", "Correct the address or server_name."
        ) from None


async def speaks_tls(place: Address, wait: float) -> bool:
    """Tell whether TLS is what this port understands. Only whether a handshake is possible counts."""
    try:
        async with asyncio.timeout(wait):
            sock, _ = await connect(place, wait)
            opened = await stream(sock, anybody(), place.host or "localhost", wait)
            opened.writer.transport.abort()
    except (OSError, CannotTell):
        return False
    return True


def ascii_host(url: str) -> str:
    """Write an international host name in an address as name servers know it: `xn--…` (RFC 3490).

    Raises:
        ValueError: If it cannot be one.
    """
    host = urlsplit(url).netloc.rpartition("@")[2].partition(":")[0]
    return url if host.isascii() else url.replace(host, host.encode("idna").decode(), 1)


def resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, Any]]:
    """Look a name up. It may take long, and no signal ends it."""
    lines = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(line[0], line[4]) for line in lines]


def unresolved(host: str) -> CannotTell:
    """Return the doubt about a name for which the name service has no answer in time."""
    return CannotTell(Reason.DNS, f"The name {host} was not resolved in time.", "Check the name service.")


def obstacle(error: Exception, where: str, doing: str = "connection") -> CannotTell:
    """Name what stood in the way.

    Args:
        error: As the socket or `ssl` raised it.
        where: The server in the operator's words; no user information.
        doing: What was awaited: "connection", "TLS handshake" or "answer".
    """
    match error:
        case socket.gaierror() | UnicodeError():
            host = where.rpartition(":")[0] or where
            return CannotTell(
                Reason.DNS, f"The name {host} does not resolve.", "Correct the address or the name service."
            )
        case ssl.SSLCertVerificationError():
            words = f"The certificate of {where} is not trusted: {error.verify_message.rstrip('.')}."
            return CannotTell(Reason.TLS, words, cure(error))
        case ssl.SSLError():
            return _no_tls(error, where)
        case TimeoutError():
            return _silence(where, doing)
        case ConnectionRefusedError() | FileNotFoundError():
            return CannotTell(
                Reason.REFUSED,
                f"{where} refuses the connection.",
                "Start the server there or correct the address.",
            )
        case PermissionError():
            return CannotTell(
                Reason.FORBIDDEN, f"This user may not connect to {where}.", "Correct permissions or firewall."
            )
        case ConnectionError():
            return CannotTell(
                Reason.PROTOCOL,
                f"{where} broke the connection off before the {doing} was complete.",
                "Look at its log, and check that it is the kind of server it is taken for.",
            )
        case _:
            why = getattr(error, "strerror", None) or type(error).__name__
            return CannotTell(
                Reason.REFUSED,
                f"{where} cannot be reached ({why}).",
                "Check the address, routes and firewalls.",
            )


def _silence(where: str, doing: str) -> CannotTell:
    if doing == "connection":
        return CannotTell(
            Reason.TIMEOUT,
            f"{where} does not take the connection in time.",
            "Check the address and the firewalls between, or raise the timeout.",
        )
    advice = "Find out whether it hangs"
    if doing == "TLS handshake":
        advice += " or speaks no TLS on this port"
    return CannotTell(
        Reason.TIMEOUT,
        f"{where} takes connections, but is silent: no {doing} in time.",
        f"{advice}, or raise the timeout.",
    )


def _no_tls(error: ssl.SSLError, where: str) -> CannotTell:
    if error.reason in _NO_TLS:
        return plain(where)
    if too_old(error):
        return CannotTell(
            Reason.TLS, f"{where} offers no TLS 1.2 or newer.", "Allow TLS 1.2 and 1.3 in its configuration."
        )
    # Without a word it hung up in the middle of the handshake.
    why = (error.reason or "it hung up").lower().replace("_", " ")
    return CannotTell(
        Reason.TLS,
        f"The TLS handshake with {where} failed: {why}.",
        "Check certificates, versions and ciphers, and that TLS is spoken on this port.",
    )


def wants_tls(where: str, hint: str) -> CannotTell:
    """Return the doubt about a server that was not asked in TLS and answers nothing else."""
    return CannotTell(Reason.TLS, f"{where} wants TLS.", hint)


def plain(where: str) -> CannotTell:
    """Return the doubt about a server that answers, but not in TLS."""
    return CannotTell(
        Reason.TLS,
        f"{where} answers, but does not speak TLS.",
        "Switch TLS on there, or correct address or port.",
    )


def too_old(error: ssl.SSLError) -> bool:
    """Tell whether a handshake failed because the server knows only older versions of TLS."""
    return error.reason in _TOO_OLD


def cure(error: ssl.SSLCertVerificationError) -> str:
    """Return what to do about a certificate that is not accepted, by OpenSSL's number of what is wrong."""
    match error.verify_code:
        case 10:
            return "Renew the certificate, and reload the server so that it serves the new one."
        case 9:
            return "Check the clocks of both machines, or serve a certificate that is valid already."
        case 62 | 64:
            return "Issue a certificate for this name, or correct the address or server_name."
        case 18 | 19:
            return "Serve a certificate of a known authority, or give the authority's file as ca_file."
        case 20 | 21:
            return "Serve the intermediate certificates too, or give the authority's file as ca_file."
        case _:
            return "Replace the certificate; openssl s_client -showcerts -connect HOST:PORT shows it."
