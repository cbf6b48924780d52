"""Judges what counters say: how much was refused, evicted and missed since the last look, and is now.

A counter since the start of a server says nothing about today. So each look is told what the last one kept,
and tells the next one; where there was none, two samples of the same look are compared. What happened before
the last look is not held against anybody: after a repair one more run passes.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import NamedTuple

from probes.figures import held
from probes.outcome import Check, Memory, Verdict, now
from probes.redis.memory import more_memory
from probes.redis.sample import Info, Sample, evicts_any, lasting, number
from probes.redis.settings import RedisParameters

_SHORTEST, _LONGEST = 10.0, 900.0
"""Seconds since the last look over which a rate is averaged; the server counts its uptime in whole ones."""

_FEWEST_LOOKUPS = 1000
_WARM = 3600.0
_A_DAY = 20 * 3600.0
_WATCHED = ("evicted", "refused_clients", "refused_writes")
_RESET = ("hits", "misses", *_WATCHED)


class Growth(NamedTuple):
    """How counters grew.

    Attributes:
        total: Their values.
        since: Growth since the last look; None if there was none of the same run of the same server.
        current: Growth in the last `watched` seconds; nothing where nothing had to be watched.
        interval: Seconds since the last look.
        watched: Seconds.
    """

    total: Mapping[str, int]
    since: Mapping[str, int] | None
    current: Mapping[str, int]
    interval: float
    watched: float

    @property
    def start(self) -> str:
        """When the last look was, in local time, or the server's start in words."""
        if self.since is None:
            return "the server's start"
        moment = now() - timedelta(seconds=self.interval)
        return f"{moment:%H:%M}" if self.interval < _A_DAY else f"{moment:%Y-%m-%d %H:%M}"


def counters(info: Info) -> dict[str, int]:
    """Return the counters that a server tells."""
    told = {
        "evicted": number(info, "evicted_keys"),
        "refused_clients": number(info, "rejected_connections"),
        "hits": number(info, "keyspace_hits"),
        "misses": number(info, "keyspace_misses"),
    }
    # Servers that count errors by kind leave out those that never occurred.
    if "total_error_replies" in info:
        told["refused_writes"] = _count(info, "errorstat_OOM", "count")
    told["flushes"] = sum(_count(info, f"cmdstat_{name}", "calls") for name in ("flushall", "flushdb"))
    return {name: int(value) for name, value in told.items() if value is not None}


def _count(info: Info, field: str, part: str) -> float:
    value = info.get(field)
    return (number(value, part) or 0) if isinstance(value, dict) else 0


def needs_watching(info: Info, memory: Memory) -> bool:
    """Tell whether a second sample would say more: a counter has moved since the last look.

    Without a last look the server's start takes its place: a counter at zero has not moved since.
    """
    if info.get("redis_mode") == "sentinel":
        return False
    total, since = counters(info), _since(info, memory)
    return any((total if since is None else since).get(name) for name in _WATCHED)


def _since(info: Info, memory: Memory) -> dict[str, int] | None:
    """Return the growth since the last look; None if it was of another run, or before a CONFIG RESETSTAT."""
    total, uptime = counters(info), number(info, "uptime_in_seconds")
    if not info.get("run_id") or memory.get("run_id") != str(info["run_id"]) or uptime is None:
        return None
    last = {name: memory.get(name) for name in total}
    since = {name: total[name] - value for name, value in last.items() if isinstance(value, int)}
    fell = any(since.get(name, 0) < 0 for name in _RESET)
    return None if fell or uptime < float(memory.get("uptime", uptime + 1)) else since


def growth(sample: Sample, memory: Memory) -> Growth:
    """Compare a look with the last one and with itself."""
    info = sample.later or sample.info
    first, total = counters(sample.info), counters(info)
    since = _since(info, memory)
    interval = (
        (number(info, "uptime_in_seconds") or 0) - float(memory.get("uptime", 0)) if since is not None else 0
    )
    current = {name: max(0, total[name] - first.get(name, 0)) for name in total} if sample.later else {}
    return Growth(total, since, current, interval, sample.watched)


def remember(sample: Sample) -> dict[str, float | int | str]:
    """Return what the next look has to be told."""
    info = sample.later or sample.info
    uptime, run = number(info, "uptime_in_seconds"), info.get("run_id")
    if uptime is None or not run:
        return {}
    kept: dict[str, float | int | str] = {"run_id": str(run), "uptime": int(uptime), **counters(info)}
    if sample.written == "OOM" and "refused_writes" in kept:
        # The probe's own write, refused after the counters were read, is nobody's trouble the next time.
        kept["refused_writes"] = counters(info)["refused_writes"] + 1
    return kept


def judge(grown: Growth, info: Info, params: RedisParameters) -> Iterator[Check]:
    """Hold what the counters say against the limits."""
    most = params.maxclients or number(info, "maxclients") or 10_000
    yield from _none(
        "refused clients",
        "refused_clients",
        grown,
        (
            "connection was turned away at the client limit",
            "connections were turned away at the client limit",
        ),
        "close idle clients, look for pools that leak (CLIENT LIST), or raise the limit:"
        f" {lasting(info, f'CONFIG SET maxclients {2 * most:.0f}')}",
    )
    room = f"raise maxmemory: {more_memory(info)}"
    if params.role == "cache" and not evicts_any(info):
        room += f"; or let it evict: {lasting(info, 'CONFIG SET maxmemory-policy allkeys-lru')}"
    yield from _none(
        "refused writes",
        "refused_writes",
        grown,
        ("write was refused for lack of memory", "writes were refused for lack of memory"),
        room,
    )
    if params.role == "cache":
        yield from _thrashing(grown, info, params)
        yield from _hits(grown, info, params)
    else:
        yield from _none(
            "evictions",
            "evicted",
            grown,
            ("key was evicted", "keys were evicted"),
            f"what was evicted is lost; raise maxmemory: {more_memory(info)}; or refuse writes instead:"
            f" {lasting(info, 'CONFIG SET maxmemory-policy noeviction')}",
            worst=Verdict.WARN,
        )


def _none(
    name: str,
    counter: str,
    grown: Growth,
    things: tuple[str, str],
    repair: str,
    *,
    worst: Verdict = Verdict.FAIL,
) -> Iterator[Check]:
    """Judge a counter that should not grow: going on is `worst`, over since the last look is degraded."""
    if counter not in grown.total:
        return
    total, current = grown.total[counter], grown.current.get(counter, 0)
    # Without a last look, only what happens under the probe's own eyes counts.
    count = current if grown.since is None else max(current, grown.since.get(counter, 0))
    verdict = worst if current else Verdict.WARN if count else Verdict.PASS
    shown = count or total
    line = f"{shown or 'No'} {things[0] if shown == 1 else things[1]}"
    if count and grown.since is None:
        line += f" in the last {grown.watched:.1f} s, {total} since the server's start"
    elif count:
        line += f" since {grown.start}, {current or 'none'} of them in the last {grown.watched:.1f} s"
    else:
        line += " since the server's start"
        if total and grown.since is not None:
            line += f", none since {grown.start}"
        elif total:
            line += f", none in the last {grown.watched:.1f} s"
    hint = ""
    if count:
        hint = f"{repair[:1].upper()}{repair[1:]}. Then run this again: the count starts anew at each look."
    yield Check(name=name, verdict=verdict, observed=count, limit=0, message=f"{line}.", hint=hint)


def _thrashing(grown: Growth, info: Info, params: RedisParameters) -> Iterator[Check]:
    if "evicted" not in grown.total:
        return
    count, period = grown.current.get("evicted", 0), grown.watched
    if grown.since is not None and (
        _SHORTEST <= grown.interval <= _LONGEST or not grown.since.get("evicted")
    ):
        count, period = grown.since.get("evicted", 0), grown.interval
    rate = count / period if period else 0.0
    figures = f"{rate:.0f} keys/s evicted in the last {period:.1f} s" if period else "No key was ever evicted"
    hint = (
        "the data in use does not fit and is thrown out to be fetched again; raise maxmemory:"
        f" {more_memory(info)}, or store less"
    )
    yield held("evictions", rate, (params.evictions_warn, float("inf")), (figures, hint), unit="1/s")


def _hits(grown: Growth, info: Info, params: RedisParameters) -> Iterator[Check]:
    since, uptime = grown.since or {}, number(info, "uptime_in_seconds") or 0
    lookups = since.get("hits", 0) + since.get("misses", 0)
    if lookups <= _FEWEST_LOOKUPS:
        return
    ratio = 100 * since.get("hits", 0) / lookups
    figures = f"{ratio:.0f} % of {lookups} lookups since {grown.start} found their key"
    warming = uptime < _WARM or since.get("flushes")
    if warming:
        figures += "; the cache is warming up, so that is not judged"
    hint = (
        "look for keys that expire too soon or never come back, and for a working set larger than maxmemory;"
        " hit_ratio_warn = 0 switches this off"
    )
    limits = (0.0 if warming else params.hit_ratio_warn, float("-inf"))
    yield held("hit ratio", ratio, limits, (figures, hint), falling=True)
