"""Names what stands in the way to a server, out of what redis-py raises.

The library's classes are coarse, so causes and texts decide. `probes.redis` imports this module when it runs,
because redis-py is slow to import.
"""

import asyncio
import socket
import ssl

import redis.exceptions as raised
from redis.asyncio import ConnectionPool, SSLConnection

from probes.outcome import CannotTell, Reason

# redis-py takes these off the text of an answer and makes a class of them.
_CODES = (
    (raised.OutOfMemoryError, "OOM"),
    (raised.ReadOnlyError, "READONLY"),
    (raised.ClusterDownError, "CLUSTERDOWN"),
    (raised.MasterDownError, "MASTERDOWN"),
    (raised.MovedError, "MOVED"),
    (raised.AskError, "ASK"),
    (raised.TryAgainError, "TRYAGAIN"),
    (raised.NoPermissionError, "NOPERM"),
)

_CLIENT = "If it wants a client certificate, name one: ?ssl_certfile=FILE&ssl_keyfile=FILE; see its log too."


def code(error: Exception) -> str:
    """Return the code of an error answer: its first word, as the server wrote it."""
    known = next((code for kind, code in _CODES if isinstance(error, kind)), None)
    first = str(error).partition(" ")[0]
    # What a server answers without a code of its own begins with ERR, which redis-py takes off too.
    return known or (first if first.isalpha() and first.isupper() else "ERR")


def where(pool: ConnectionPool) -> str:
    """Return HOST:PORT or the path of the socket; never user information."""
    options = pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}")


async def obstacle(error: raised.RedisError, pool: ConnectionPool, wait: float) -> CannotTell:
    """Name what stood in the way, looking again with other eyes where the error does not tell."""
    place, text = where(pool), str(error)
    if isinstance(error, raised.AuthenticationError) or code(error) in {"NOAUTH", "WRONGPASS", "DENIED"}:
        if pool.connection_kwargs.get("password"):
            return CannotTell(
                Reason.AUTH,
                f"{place} refuses this user name or password.",
                "Correct it in the address, with special characters as %XX.",
            )
        return CannotTell(
            Reason.AUTH,
            f"{place} wants a password.",
            "Give it in the address, as :password@ before the host.",
        )
    if "max number of clients" in text or "Connection not ready" in text:
        return CannotTell(
            Reason.LIMIT,
            f"{place} turns new clients away: all its connections are taken.",
            "Close idle clients, look for pools that leak, or raise the limit: CONFIG SET maxclients.",
        )
    if isinstance(error, raised.InvalidResponse):
        return not_redis(place)
    if isinstance(error, raised.ResponseError):
        return _refused_command(error, place)
    return _no_connection(error.__context__, pool) or await _hung_up(pool, wait)


def not_redis(place: str) -> CannotTell:
    """Return the finding that another kind of server answers."""
    return CannotTell(
        Reason.PROTOCOL,
        f"What answers at {place} is no Redis server.",
        "Correct host and port in the address.",
    )


def _refused_command(error: raised.ResponseError, place: str) -> CannotTell:
    text = str(error).lower()
    if isinstance(error, raised.NoPermissionError):
        return CannotTell(
            Reason.FORBIDDEN,
            f"This user may not look into {place}.",
            "Allow it: ACL SETUSER <user> +ping +info.",
        )
    if "db index is out of range" in text:
        return CannotTell(
            Reason.CONFIG,
            f"{place} has no database of this number.",
            "Correct the number at the end of the address: CONFIG GET databases.",
        )
    if "select" in text and ("unknown command" in text or "not allowed" in text):
        return CannotTell(
            Reason.CONFIG,
            f"{place} has no numbered databases, as a node of a cluster or a Sentinel.",
            "Remove the number from the end of the address.",
        )
    if "unknown command" in text and "hello" in text:
        return CannotTell(
            Reason.CONFIG,
            f"{place} knows only an older protocol.",
            "Append ?protocol=2 to the address.",
        )
    if "unknown command" in text:
        return CannotTell(
            Reason.FORBIDDEN,
            f"INFO is renamed or switched off at {place}.",
            "Allow it for this probe: remove rename-command INFO from the server's configuration.",
        )
    # No more than its first word: an answer may repeat its question, and the handshake holds the password.
    return CannotTell(
        Reason.PROTOCOL, f"{place} refuses to be looked at: {code(error)}.", "See the log of that server."
    )


def _no_connection(cause: BaseException | None, pool: ConnectionPool) -> CannotTell | None:
    place = where(pool)
    if isinstance(cause, socket.gaierror | UnicodeError):
        host = pool.connection_kwargs.get("host")
        return CannotTell(
            Reason.DNS, f"The name {host} does not resolve.", "Correct the address or the name service."
        )
    if isinstance(cause, ssl.SSLError):
        return _no_tls(cause, place)
    if isinstance(cause, FileNotFoundError) and issubclass(pool.connection_class, SSLConnection):
        return CannotTell(
            Reason.CONFIG, "A certificate file named in the address does not exist.", "Correct its path."
        )
    # With several addresses for one name (localhost) asyncio joins the errors into one without a class.
    if isinstance(cause, ConnectionRefusedError | FileNotFoundError) or "Connect call failed" in str(cause):
        return CannotTell(
            Reason.REFUSED,
            f"Connection refused by {place}.",
            "Start it, or correct the address.",
        )
    if isinstance(cause, PermissionError):
        return CannotTell(
            Reason.FORBIDDEN,
            f"This user may not open {place}.",
            "Correct the permissions of the socket (unixsocketperm).",
        )
    if isinstance(cause, OSError) and not isinstance(cause, ConnectionError) and cause.strerror:
        return CannotTell(
            Reason.REFUSED,
            f"{place} cannot be reached ({cause.strerror}).",
            "Check the address and the network.",
        )
    return None


def _no_tls(cause: ssl.SSLError, place: str) -> CannotTell:
    if isinstance(cause, ssl.SSLCertVerificationError):
        line = f"The certificate of {place} is not trusted ({cause.verify_message.rstrip('.')})."
        hint = "Install its authority, or name it in the address with ?ssl_ca_certs=FILE."
        if "mismatch" in cause.verify_message:
            hint = "Write a name in the address that the certificate bears, or have it made out to this one."
        return CannotTell(Reason.TLS, line, hint)
    hint = "Check certificates and TLS versions on both sides."
    if "CERTIFICATE_REQUIRED" in str(cause.reason):
        hint = _CLIENT
    return CannotTell(Reason.TLS, f"TLS with {place} failed ({cause.reason}).", hint)


async def silence(pool: ConnectionPool, wait: float, *, connecting: bool) -> CannotTell:
    """Name what kept silent: a firewall, a server that hangs, or one that waits for the other dialect."""
    place = where(pool)
    if issubclass(pool.connection_class, SSLConnection) and await _understands(pool, wait, tls=False):
        return CannotTell(
            Reason.TLS,
            f"{place} speaks plain Redis, not TLS.",
            "Switch TLS on there, or write redis:// in the address.",
        )
    if connecting:
        return CannotTell(
            Reason.TIMEOUT,
            f"No connection to {place} within {wait:.2g} s.",
            "Check the address, and firewalls on the way.",
        )
    return CannotTell(
        Reason.TIMEOUT,
        f"{place} takes connections but did not answer within {wait:.2g} s.",
        "Find out whether it is a Redis server, and what holds it up: swapping, load, a slow command.",
    )


async def _hung_up(pool: ConnectionPool, wait: float) -> CannotTell:
    place = where(pool)
    if issubclass(pool.connection_class, SSLConnection):
        # In TLS 1.3 a server refuses a client's certificate when that believes the handshake is over, and its
        # word may be lost in the end of the connection.
        return CannotTell(Reason.TLS, f"{place} closed the encrypted connection without an answer.", _CLIENT)
    if "path" not in pool.connection_kwargs and await _understands(pool, wait, tls=True):
        return CannotTell(Reason.TLS, f"{place} wants TLS.", "Write rediss:// in the address.")
    return CannotTell(
        Reason.PROTOCOL,
        f"{place} closed the connection without an answer.",
        "Find out whether it is a Redis server, and whether it has just been ended.",
    )


async def _understands(pool: ConnectionPool, wait: float, *, tls: bool) -> bool:
    """Tell whether the other dialect, TLS or plain Redis, is what this port understands."""
    context = None
    if tls:
        # Nothing is sent through it: only whether a handshake is possible counts.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = pool.connection_kwargs.get("host", "localhost"), pool.connection_kwargs.get("port", 6379)
    try:
        async with asyncio.timeout(wait):
            reader, writer = await asyncio.open_connection(host, port, ssl=context)
            try:
                writer.write(b"" if tls else b"PING\r\n")
                return tls or await reader.read(1) in {b"+", b"-"}
            finally:
                # Without a farewell, which in TLS would be another round trip.
                writer.transport.abort()
    except (OSError, TimeoutError):
        return False
