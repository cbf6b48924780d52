"""Judges memory: its use against its bound, what makes room once it is full, and fragmentation."""

import math
import re
from collections.abc import Iterator

from probes.figures import held, size
from probes.outcome import Check, Verdict
from probes.parameters import seconds
from probes.redis.sample import Info, Sample, evicts_any, lasting, number, word
from probes.redis.settings import MIB, RedisParameters

_FULL = 100.0
_SWAPPED = 0.9

_EVICT = "CONFIG SET maxmemory-policy allkeys-lru"

_SENSIBLE = 0.75
"""The share of a machine's memory that its data may take: the rest is for buffers, and a snapshot's copy."""


def judge(sample: Sample, params: RedisParameters) -> Iterator[Check]:
    """Hold the memory of a server against its limits."""
    info = sample.info
    yield _use(sample, params)
    yield from _resident(sample, params)
    yield from _policy(info, params)
    yield from _expiries(info, params)
    yield from _lag(info, params)
    yield from _fragmentation(info, params)


def expiring(info: Info) -> float | None:
    """Return the share of keys with an expiry, in %; None without keys."""
    spaces = [
        space for name, space in info.items() if re.fullmatch(r"db\d+", name) and isinstance(space, dict)
    ]
    keys = sum(space.get("keys", 0) for space in spaces)
    return 100 * sum(space.get("expires", 0) for space in spaces) / keys if keys else None


def more_memory(info: Info) -> str:
    """Return the command that doubles `maxmemory` for good, or raises it as far as the machine allows."""
    limit, machine = number(info, "maxmemory") or 512 * MIB, number(info, "total_system_memory")
    more = min(2 * limit, _SENSIBLE * machine) if machine else 2 * limit
    if more <= limit:
        return "once its machine has more memory"
    return lasting(info, f"CONFIG SET maxmemory {math.ceil(more / MIB)}mb")


def _use(sample: Sample, params: RedisParameters) -> Check:
    info = sample.info
    used, limit = number(info, "used_memory"), number(info, "maxmemory")
    if used is None or limit is None:
        return Check(
            name="memory",
            verdict=Verdict.UNKNOWN,
            message="The server does not tell its memory use and limit.",
            hint="Ask its provider for both figures.",
        )
    if not limit or 0 < sample.memory_bound < limit:
        return _unbounded(sample, params, used, limit)
    # As the server itself holds it against maxmemory: buffers of replicas and append-only file do not count.
    used -= number(info, "mem_not_counted_for_evict") or 0
    share, policy = 100 * used / limit, str(info.get("maxmemory_policy", "an unknown policy"))
    figures = f"{size(used)} of {size(limit)} ({share:.0f} %) used under {policy}"
    if _makes_room(info, params):
        line = f"{figures}, which makes room when it is full."
        return Check(name="memory", verdict=Verdict.PASS, observed=round(share, 2), unit="%", message=line)
    # A cache that may evict is healthy however full it is; anything else needs the room.
    if params.role == "cache":
        hint = f"let it evict: {lasting(info, _EVICT)}; for more room: {more_memory(info)}"
    else:
        way = f"raise maxmemory ({more_memory(info)}) or remove data"
        hint = f"writes are refused now: {way}" if share >= _FULL else f"before writes are refused, {way}"
    return held("memory", share, (params.memory_warn, params.memory_fail), (figures, hint))


def _resident(sample: Sample, params: RedisParameters) -> Iterator[Check]:
    rss, limit = number(sample.info, "used_memory_rss"), number(sample.info, "maxmemory")
    bound = sample.memory_bound
    # Without a bound of its own, or with one above that, its use has been judged by it already.
    if not rss or not limit or not bound or bound < limit:
        return
    figures = f"{size(rss)} of the {size(bound)} that there are for the server are resident"
    hint = (
        "lower maxmemory, give the server more memory, or end fragmentation (MEMORY PURGE), before the kernel"
        " kills it"
    )
    limits = (params.resident_warn, math.inf)
    yield held("resident memory", 100 * rss / bound, limits, (figures, hint))


def _unbounded(sample: Sample, params: RedisParameters, used: float, maxmemory: float) -> Check:
    info, bound = sample.info, sample.memory_bound
    rss = number(info, "used_memory_rss") or used
    bounds = "its cgroup" if bound < (number(info, "total_system_memory") or 0) else "its machine"
    share, limit = 100 * rss / bound if bound else None, params.system_memory_fail
    line = f"maxmemory, {size(maxmemory)}, is more than {bounds} has" if maxmemory else "No maxmemory is set"
    line += f", and {size(rss)} are resident"
    if share is not None:
        line += f", {share:.1f} % of the {size(bound)} of {bounds}, limit {limit:g} %"
    command = f"CONFIG SET maxmemory {_sensible(bound)}mb"
    if params.role == "cache" and not evicts_any(info):
        command += f" and {_EVICT}"
    hint = f"Set a bound, or the kernel kills the server one day: {lasting(info, command)}"
    if params.role != "cache" and used > _sensible(bound) * MIB:
        # Such a bound would refuse every write, or throw data away, from that moment on.
        command = "CONFIG SET maxmemory <bytes>"
        hint = f"Give its machine more memory or remove data, and only then: {lasting(info, command)}"
    return Check(
        name="memory",
        verdict=Verdict.FAIL if share is not None and share > limit else Verdict.WARN,
        observed=None if share is None else round(share, 2),
        unit="%",
        limit=limit,
        message=f"{line}.",
        hint=f"{hint}.",
    )


def _sensible(bound: int) -> int:
    return int(_SENSIBLE * bound / MIB) if bound else 1024


def _makes_room(info: Info, params: RedisParameters) -> bool:
    policy, share = str(info.get("maxmemory_policy", "")), expiring(info)
    if policy.startswith("volatile-") and params.role == "cache":
        return share is not None and share >= params.expiring_warn
    return policy.startswith("allkeys-")


def _policy(info: Info, params: RedisParameters) -> Iterator[Check]:
    policy = str(info.get("maxmemory_policy", ""))
    if not policy:
        return
    verdict, words = Verdict.PASS, (f"The policy {policy} suits a {params.role}.", "")
    if params.role == "cache":
        if policy == "noeviction":
            verdict = Verdict.WARN
            words = (
                "A cache under noeviction refuses writes once it is full.",
                f"Let it evict: {lasting(info, _EVICT)}.",
            )
    elif policy.startswith("allkeys-") and number(info, "maxmemory"):
        verdict = Verdict.WARN
        keep = f"Keep the data: {lasting(info, 'CONFIG SET maxmemory-policy noeviction')}"
        words = (
            f"{policy} drops any key once the server is full, and this is a {params.role}.",
            f'{keep}; if it may be lost, declare role = "cache".',
        )
    yield word("eviction policy", policy, None, words, verdict)


def _expiries(info: Info, params: RedisParameters) -> Iterator[Check]:
    share, policy = expiring(info), str(info.get("maxmemory_policy", ""))
    if share is None or params.role != "cache":
        return
    if policy.startswith("allkeys-") and number(info, "maxmemory"):
        line = f"{share:.0f} % of the keys expire; {policy} evicts the others too."
        yield Check(
            name="expiring keys", verdict=Verdict.PASS, observed=round(share, 2), unit="%", message=line
        )
        return
    figures = f"{share:.0f} % of the keys expire"
    if share < params.expiring_warn:
        figures += f", and {policy or 'the server'} never removes the others"
    hint = (
        "set expiries (EXPIRE, SET with EX), or set a maxmemory and let any key be evicted:"
        f" {lasting(info, _EVICT)}"
    )
    limits = (params.expiring_warn, -math.inf)
    yield held("expiring keys", share, limits, (figures, hint), falling=True)


def _lag(info: Info, params: RedisParameters) -> Iterator[Check]:
    lag, policy = number(info, "current_eviction_exceeded_time"), str(info.get("maxmemory_policy", ""))
    # Under noeviction the figure only repeats that memory is full, and without a bound it is never reset.
    if lag is None or policy in {"", "noeviction"} or not number(info, "maxmemory"):
        return
    limits = (1000 * seconds(params.eviction_lag_warn), 1000 * seconds(params.eviction_lag_fail))
    hint = f"raise maxmemory ({more_memory(info)})"
    if not evicts_any(info):
        hint += f", or let any key be evicted: {lasting(info, _EVICT)}"
    yield held("eviction lag", lag, limits, (f"Over maxmemory for {lag:.0f} ms", hint), unit="ms")


def _fragmentation(info: Info, params: RedisParameters) -> Iterator[Check]:
    ratio, lost = number(info, "mem_fragmentation_ratio"), number(info, "mem_fragmentation_bytes")
    if ratio is None or lost is None:
        return
    figures = f"Resident memory is {ratio:g} times the used, {size(abs(lost))} apart"
    if ratio < _SWAPPED and -lost > params.fragmentation_bytes_warn:
        yield Check(
            name="fragmentation",
            verdict=Verdict.WARN,
            observed=ratio,
            limit=_SWAPPED,
            message=f"{figures}, limit {_SWAPPED}: part of the data is swapped out.",
            hint="Free memory on that machine, or move the server to a larger one.",
        )
        return
    limits = (
        params.fragmentation_warn if lost > params.fragmentation_bytes_warn else math.inf,
        params.fragmentation_fail if lost > params.fragmentation_bytes_fail else math.inf,
    )
    hint = (
        "give pages back: MEMORY PURGE, then CONFIG SET activedefrag yes where its build has that, or restart"
        " it at a quiet hour"
    )
    yield held("fragmentation", ratio, limits, (figures, hint), unit=None)
