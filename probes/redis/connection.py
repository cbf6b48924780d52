"""The wire side of the redis probe: one look at a server, or the obstacle that stood in the way.

`probes.redis` imports this module when it runs, because redis-py is slow to import.
"""

import asyncio
import re
import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

import redis.exceptions as raised
from redis.asyncio import ConnectionPool, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from probes.outcome import CannotTell, Reason

Info = Mapping[str, Any]

_FORM = (
    "write redis://host:port/db, rediss:// for TLS or unix:///path, with user:password@ before the host and"
    " special characters in them as %XX"
)
_PINGS = 20
_FEWEST_PINGS = 5
_ROUNDS = 3


class Sample(NamedTuple):
    """What one look at a server brought.

    Attributes:
        where: HOST:PORT or the path of the socket; never user information.
        info: The fields of INFO; empty if the server refuses even that.
        refusal: What PING was answered instead of PONG; empty if it was PONG or PING is not permitted.
        cluster_state: `ok` or `fail`; empty if asking is not permitted, None outside a cluster.
        min_replicas_to_write: Fewer good replicas than this and writes are refused; None if that is off or
            asking is not permitted.
        may_ping: Whether PING is answered with PONG.
        pings: Round trips in ms.
    """

    where: str
    info: Info
    refusal: str = ""
    cluster_state: str | None = None
    min_replicas_to_write: int | None = None
    may_ping: bool = False
    pings: tuple[float, ...] = ()


async def look(url: str, wait: float, latency_limit: float) -> Sample:
    """Connect once, without retries, and read what the judgement needs. Nothing is written.

    Args:
        url: Where the server is.
        wait: Seconds to wait for the connection and its first answers, and for the PINGs.
        latency_limit: Round trip in ms above which PINGs are sent again, to be sure.

    Raises:
        CannotTell: If there was nothing to see.
    """
    pool = _pool(url, wait)
    where = _where(pool)
    try:
        async with Redis.from_pool(pool) as client:
            async with asyncio.timeout(wait):
                sample = await _state(client, where)
            if not sample.may_ping:
                return sample
            async with asyncio.timeout(wait):
                return sample._replace(pings=await _pings(client, latency_limit, wait / 2))
    except TimeoutError:
        raise await _silence(pool, wait, connecting=False) from None
    except raised.TimeoutError:
        raise await _silence(pool, wait, connecting=True) from None
    except raised.RedisError as error:
        if _word(error) == "BUSY":
            return Sample(where, {}, str(error))
        raise await _obstacle(error, pool, wait) from None
    except ValueError:
        # The stream gives up on a line without an end.
        raise CannotTell(
            Reason.PROTOCOL, f"{where} does not speak the Redis protocol: check the port."
        ) from None


def _pool(url: str, wait: float) -> ConnectionPool:
    if not url.strip():
        raise CannotTell(Reason.CONFIG, f"No address given: {_FORM}.")
    try:
        parts = urlsplit(url)
        _refuse_ambiguous(parts)
        pool = ConnectionPool.from_url(url)
        # Set afterwards, because options in the address would win over arguments.
        pool.connection_kwargs |= {
            "retry": Retry(NoBackoff(), 0),
            "retry_on_timeout": False,
            # Timeouts are kept here: redis-py's own use asyncio.wait_for, which can swallow a cancellation
            # before Python 3.12. The one for connecting tells a firewall from a server that says nothing.
            "socket_timeout": None,
            "socket_connect_timeout": wait * 0.9,
            # Introducing itself and subscribing count as errors on servers that do not know these.
            "driver_info": None,
            "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        }
        pool.make_connection()  # type: ignore[no-untyped-call]
    except (ValueError, raised.RedisError):
        # The library's own words quote the part it stumbled over, and that may be half a password.
        raise CannotTell(Reason.CONFIG, f"The address is not a Redis URL: {_FORM}.") from None
    except TypeError:
        raise CannotTell(
            Reason.CONFIG, "The address has an option after its '?' that redis-py does not know: remove it."
        ) from None
    return pool


def _refuse_ambiguous(parts: SplitResult) -> None:
    """Refuse what redis-py would take for another server or database than was meant.

    Raises:
        ValueError: With words that say no more than the form of an address does.
    """
    if parts.fragment:
        # A `#` in a password that is not percent-encoded cuts the address short.
        raise ValueError("a fragment")
    if parts.scheme == "unix":
        return
    if not parts.hostname:
        raise ValueError("no host")
    if not re.fullmatch(r"(/\d*)?", parts.path):
        raise ValueError("the database is no number")


def _where(pool: ConnectionPool) -> str:
    options = pool.connection_kwargs
    return str(options.get("path") or f"{options.get('host', 'localhost')}:{options.get('port', 6379)}")


async def _state(client: Redis, where: str) -> Sample:
    try:
        async with client.pipeline(transaction=False) as pipeline:
            pipeline.ping()
            pipeline.info("all")
            pong, info = await pipeline.execute(raise_on_error=False)
    except raised.BusyLoadingError as error:
        return Sample(where, await client.info(), f"LOADING {error}")
    if isinstance(info, raised.ResponseError):
        if isinstance(info, raised.NoPermissionError):
            raise info
        info = await client.info()
    state = await _cluster_state(client) if info.get("cluster_enabled") == 1 else None
    replicas = await _min_replicas_to_write(client) if "min_slaves_good_slaves" in info else None
    refused = isinstance(pong, raised.ResponseError)
    refusal = str(pong) if refused and not isinstance(pong, raised.NoPermissionError) else ""
    return Sample(where, info, refusal, state, replicas, may_ping=not refused)


async def _cluster_state(client: Redis) -> str:
    try:
        answer: Mapping[str, str] = await client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
    except raised.ResponseError:
        return ""
    return answer.get("cluster_state", "")


async def _min_replicas_to_write(client: Redis) -> int | None:
    try:
        # The pattern takes in the older name, min-slaves-to-write.
        answer = await client.config_get("min-*-to-write")
    except raised.ResponseError:
        return None
    return max((int(value) for value in answer.values() if value), default=None)


async def _pings(client: Redis, limit: float, budget: float) -> tuple[float, ...]:
    """Return the best of up to three rounds: a hiccup on this side must not look like a slow server."""
    end = time.monotonic() + budget
    rounds = [await _round(client, end)]
    while max(rounds[-1]) > limit and len(rounds) < _ROUNDS and time.monotonic() < end:
        rounds.append(await _round(client, end))
    return min(rounds, key=lambda samples: (-len(samples), max(samples)))


async def _round(client: Redis, end: float) -> tuple[float, ...]:
    samples: list[float] = []
    while len(samples) < _PINGS and (len(samples) < _FEWEST_PINGS or time.monotonic() < end):
        start = time.perf_counter()
        await client.ping()
        samples.append((time.perf_counter() - start) * 1000)
    return tuple(samples)


async def _obstacle(error: raised.RedisError, pool: ConnectionPool, wait: float) -> CannotTell:
    """Name what stood in the way. The library's classes are coarse, so causes and texts decide."""
    where, text = _where(pool), str(error)
    if isinstance(error, raised.AuthenticationError) or _word(error) in {"NOAUTH", "WRONGPASS", "DENIED"}:
        if pool.connection_kwargs.get("password"):
            return CannotTell(
                Reason.AUTH, f"{where} refuses this user name or password: correct it in the address."
            )
        return CannotTell(
            Reason.AUTH, f"{where} wants a password: give it in the address, as :password@ before the host."
        )
    if "max number of clients" in text or "Connection not ready" in text:
        return CannotTell(
            Reason.LIMIT,
            f"{where} turns new clients away, all its connections are taken: close idle clients, look for"
            " pools that leak, or raise the limit: CONFIG SET maxclients.",
        )
    if isinstance(error, raised.InvalidResponse):
        return CannotTell(
            Reason.PROTOCOL, f"What answers at {where} is no Redis server: correct the address."
        )
    if isinstance(error, raised.ResponseError):
        return _refused_command(error, where)
    return _no_connection(error.__context__, pool) or await _hung_up(pool, wait)


def _refused_command(error: raised.ResponseError, where: str) -> CannotTell:
    text = str(error).lower()
    if isinstance(error, raised.NoPermissionError):
        return CannotTell(
            Reason.FORBIDDEN,
            f"This user may not look into {where}; allow it: ACL SETUSER <user> +ping +info.",
        )
    if "db index is out of range" in text:
        return CannotTell(
            Reason.CONFIG, f"{where} has no database of this number: correct the end of the address."
        )
    if "unknown command" in text and "hello" in text:
        return CannotTell(
            Reason.CONFIG, f"{where} knows only an older protocol: append ?protocol=2 to the address."
        )
    if "unknown command" in text:
        return CannotTell(
            Reason.FORBIDDEN, f"INFO is renamed or switched off at {where}: allow it for this probe."
        )
    # No more than its first word: an answer may repeat its question, and the handshake holds the password.
    return CannotTell(Reason.PROTOCOL, f"{where} refuses to be looked at: {_word(error)}.")


def _no_connection(cause: BaseException | None, pool: ConnectionPool) -> CannotTell | None:
    where = _where(pool)
    if isinstance(cause, socket.gaierror | UnicodeError):
        host = pool.connection_kwargs.get("host")
        return CannotTell(
            Reason.DNS, f"The name {host} does not resolve: correct the address or the name service."
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return CannotTell(
            Reason.TLS,
            f"The certificate of {where} is not trusted ({cause.verify_message}): install its authority, or"
            " name it in the address with ?ssl_ca_certs=FILE.",
        )
    if isinstance(cause, ssl.SSLError):
        return CannotTell(
            Reason.TLS, f"TLS with {where} failed ({cause.reason}): check certificates and versions."
        )
    if isinstance(cause, FileNotFoundError) and issubclass(pool.connection_class, SSLConnection):
        return CannotTell(
            Reason.CONFIG, "A certificate file named in the address does not exist: correct its path."
        )
    # With several addresses for one name (localhost) asyncio joins the errors into one without a class.
    if isinstance(cause, ConnectionRefusedError | FileNotFoundError) or "Connect call failed" in str(cause):
        return CannotTell(
            Reason.REFUSED, f"Connection refused by {where}: start the server there or set its address."
        )
    if isinstance(cause, PermissionError):
        return CannotTell(
            Reason.FORBIDDEN, f"This user may not open {where}: correct the socket's permissions."
        )
    if isinstance(cause, OSError) and not isinstance(cause, ConnectionError) and cause.strerror:
        return CannotTell(
            Reason.REFUSED, f"{where} cannot be reached ({cause.strerror}): check address and network."
        )
    return None


async def _silence(pool: ConnectionPool, wait: float, *, connecting: bool) -> CannotTell:
    where = _where(pool)
    if issubclass(pool.connection_class, SSLConnection) and await _understands(pool, wait, tls=False):
        return CannotTell(
            Reason.TLS,
            f"{where} speaks plain Redis, not TLS: switch TLS on there or write redis:// in the address.",
        )
    if connecting:
        return CannotTell(
            Reason.TIMEOUT, f"No connection to {where} within {wait:.2g} s: check the address and firewalls."
        )
    return CannotTell(
        Reason.TIMEOUT,
        f"{where} takes connections but did not answer within {wait:.2g} s: it hangs, or is no Redis server.",
    )


async def _hung_up(pool: ConnectionPool, wait: float) -> CannotTell:
    where = _where(pool)
    plain_tcp = "path" not in pool.connection_kwargs and not issubclass(pool.connection_class, SSLConnection)
    if plain_tcp and await _understands(pool, wait, tls=True):
        return CannotTell(Reason.TLS, f"{where} wants TLS: write rediss:// in the address.")
    return CannotTell(
        Reason.PROTOCOL, f"{where} closed the connection without an answer: is it a Redis server?"
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


def _word(error: Exception) -> str:
    return str(error).partition(" ")[0]
