"""The wire side of the redis probe: one look at a server, or the obstacle that stood in the way.

`probes.redis` imports this module when it runs, because redis-py is slow to import.
"""

import asyncio
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

import redis.exceptions as raised
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from probes.network import Address, addresses
from probes.outcome import CannotTell, Memory, Reason
from probes.parameters import seconds
from probes.redis.bounds import memory_bound
from probes.redis.obstacles import code, not_redis, obstacle, silence, where
from probes.redis.rates import needs_watching
from probes.redis.sample import Info, Sample, SlowCommand, masters
from probes.redis.settings import RedisParameters

_FORM = (
    "Write redis://host:port/db, rediss:// for TLS or unix:///path, with user:password@ before the host and"
    " special characters in them as %XX."
)
_PATIENCE = 3.0
_PINGS = 20
_FEWEST_PINGS = 5
_ROUNDS = 3
_ENTRIES = 128
"""Slow log entries asked for: as many as a server keeps by default."""

_KEYS = 500
"""Keys to try in a cluster, until one falls to the node that is looked at."""


async def look(params: RedisParameters, memory: Memory) -> Sample:
    """Connect once, without retries, and read what the judgement needs. Nothing is written unless asked for.

    Raises:
        CannotTell: If there was nothing to see.
    """
    # Together below the deadline, so that a silent server is told from a slow one before the run is ended.
    deadline = seconds(params.timeout)
    wait, watch = min(_PATIENCE, deadline / 3), min(seconds(params.watch), deadline / 10)
    pool = _pool(params.url, wait)
    place = where(pool)
    try:
        await _resolve(pool, wait)
        async with Redis.from_pool(pool) as client:
            async with asyncio.timeout(wait):
                sample = await _state(client, place, params)
            if not sample.info or sample.info.get("loading") == 1:
                return sample
            async with asyncio.timeout(wait + watch):
                start = time.monotonic()
                sample = await _service(client, sample, 1000 * seconds(params.latency_warn), wait / 2)
                if needs_watching(sample.info, memory):
                    await asyncio.sleep(max(0.0, start + watch - time.monotonic()))
                    later = await _info(client)
                    sample = sample._replace(later=later, watched=time.monotonic() - start)
            if params.write_test:
                sample = sample._replace(written=await _write(client, wait / 2))
            return sample
    except TimeoutError:
        raise await silence(pool, wait, connecting=False) from None
    except raised.TimeoutError:
        raise await silence(pool, wait, connecting=True) from None
    except raised.BusyLoadingError as error:
        # It has just begun to, as a replica does that is filled anew.
        return Sample(place, {}, f"LOADING {error}")
    except raised.RedisError as error:
        if code(error) == "BUSY":
            return Sample(place, {}, str(error))
        raise await obstacle(error, pool, wait) from None
    except ValueError:
        # The stream gives up on a line without an end.
        raise not_redis(place) from None


def _pool(url: str, wait: float) -> ConnectionPool:
    if not url.strip():
        raise CannotTell(Reason.CONFIG, "No address is given.", _FORM)
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
        raise CannotTell(Reason.CONFIG, "The address is not a Redis URL.", _FORM) from None
    except TypeError:
        line = "The address has an option after its '?' that redis-py does not know."
        raise CannotTell(Reason.CONFIG, line, "Remove or correct that option.") from None
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


async def _resolve(pool: ConnectionPool, wait: float) -> None:
    """Look the name up, in a thread that no end waits for: redis-py's own would hold the program open."""
    options = pool.connection_kwargs
    if "path" not in options:
        await addresses(Address(options.get("host", "localhost"), options.get("port", 6379)), wait)


async def _state(client: Redis, place: str, params: RedisParameters) -> Sample:
    try:
        async with client.pipeline(transaction=False) as pipeline:
            pipeline.ping()
            pipeline.info("all")
            pong, info = await pipeline.execute(raise_on_error=False)
    except raised.BusyLoadingError as error:
        return Sample(place, await client.info(), f"LOADING {error}")
    if isinstance(info, raised.ResponseError):
        if isinstance(info, raised.NoPermissionError):
            raise info
        info = await _info(client)
    if not params.maxclients and "maxclients" not in info:
        # INFO tells it since Redis 6.2.
        info = {**info, "maxclients": await _setting(client, "maxclients")}
    sample = Sample(place, info, memory_bound=memory_bound(info, params.url))
    if isinstance(pong, raised.ResponseError):
        if not isinstance(pong, raised.NoPermissionError):
            sample = sample._replace(refusal=_told(pong))
    else:
        sample = sample._replace(may_ping=True)
    if info.get("redis_mode") == "sentinel":
        sample = sample._replace(quorums=await _quorums(client, info, params.sentinel))
        return sample._replace(replicas=await _replicas(client, info, params)) if params.replicas else sample
    if info.get("cluster_enabled") == 1:
        sample = sample._replace(cluster=await _cluster(client))
    if "min_slaves_good_slaves" in info:
        # The pattern takes in the older name, min-slaves-to-write.
        sample = sample._replace(min_replicas_to_write=await _setting(client, "min-*-to-write"))
    return sample


async def _info(client: Redis) -> Info:
    try:
        told: Info = await client.info("all")
    except raised.NoPermissionError:
        raise
    except raised.ResponseError:
        # Servers that are only like Redis may not know its sections.
        told = await client.info()
    return told


def _told(error: raised.ResponseError) -> str:
    """Return an error answer as the server wrote it, with the code that redis-py may have taken off."""
    text, first = str(error), code(error)
    return text if text.startswith(first) else f"{first} {text}"


async def _cluster(client: Redis) -> Mapping[str, str]:
    try:
        answer: Mapping[str, str] = await client.execute_command("CLUSTER INFO")  # type: ignore[no-untyped-call]
    except raised.ResponseError:
        return {}
    return answer


async def _quorums(client: Redis, info: Info, only: str) -> Mapping[str, str]:
    """Ask a Sentinel whether a failover of its masters would find its quorum; none if not permitted."""
    found: dict[str, str] = {}
    for name in masters(info):
        if only in {"", name}:
            try:
                # The command's own name would have its answer turned into a boolean.
                answer = await client.execute_command("SENTINEL", "CKQUORUM", name)  # type: ignore[no-untyped-call]
            except raised.NoPermissionError:
                return {}
            except raised.ResponseError as error:
                found[name] = _told(error)
            else:
                found[name] = _text(answer)
    return found


async def _replicas(client: Redis, info: Info, params: RedisParameters) -> Mapping[str, int]:
    """Ask a Sentinel how many replicas of its masters are in step; none if not permitted."""
    found: dict[str, int] = {}
    for name in masters(info):
        if params.sentinel in {"", name}:
            try:
                told = await client.sentinel_slaves(name)
            except raised.ResponseError:
                return {}
            found[name] = sum(_in_step(replica) for replica in told)
    return found


def _in_step(replica: Mapping[str, Any]) -> bool:
    away = replica.get("is_sdown") or replica.get("is_odown") or replica.get("is_disconnected")
    return not away and replica.get("master-link-status") == "ok"


async def _setting(client: Redis, pattern: str) -> int | None:
    """Ask for a setting that is a number; None if that is not permitted."""
    try:
        answer = await client.config_get(pattern)
        return max((int(value) for value in answer.values() if value), default=None)
    except (raised.ResponseError, LookupError, TypeError, ValueError, AttributeError):
        return None


async def _service(client: Redis, sample: Sample, limit: float, budget: float) -> Sample:
    if sample.may_ping:
        sample = sample._replace(pings=await _pings(client, limit, budget))
    if sample.info.get("redis_mode") != "sentinel":
        sample = sample._replace(slow=await _slow_log(client))
    return sample


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


async def _slow_log(client: Redis) -> tuple[SlowCommand, ...] | None:
    try:
        entries = await client.slowlog_get(_ENTRIES)
        return tuple(
            SlowCommand(
                _text(entry["command"]).partition(" ")[0].upper(),
                float(entry["start_time"]),
                entry["duration"] / 1000,
            )
            for entry in entries
        )
    except (raised.ResponseError, LookupError, TypeError, ValueError):
        # Not permitted, or not known to a server that is only like Redis: nothing else suffers from that.
        return None


async def _write(client: Redis, wait: float) -> str:
    """Write, read and delete one key; return `ok` or the code of what was refused."""
    try:
        async with asyncio.timeout(wait):
            told = "MOVED"
            for _ in range(_KEYS):
                told = await _write_once(client)
                if told not in {"MOVED", "ASK", "TRYAGAIN"}:
                    break
            return told
    except TimeoutError:
        return "TIMEOUT"


async def _write_once(client: Redis) -> str:
    key = f"gonogo:probe:{uuid.uuid4().hex}"
    try:
        await client.set(key, "1", ex=10)
        found = await client.get(key)
        await client.delete(key)
    except raised.ResponseError as error:
        return code(error)
    return "ok" if found is not None and _text(found) == "1" else "LOST"


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer
