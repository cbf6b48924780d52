"""Is a Redis server healthy: reachable, with room for data and clients, saving, replicating and quick?

One connection, PING and INFO, and twenty PINGs for the latency. So it works on managed servers and with a
user that may do no more than `+ping +info`; in a cluster it needs `+cluster|info` too. It writes nothing.
"""

import math
import re
import statistics
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from probes.figures import Count, Limit, held, size
from probes.outcome import CannotTell, Check, Outcome, Reason, Verdict, conclude
from probes.parameters import Duration, Parameters, seconds

if TYPE_CHECKING:
    from probes.redis.connection import Info, Sample

_MIB = 1024 * 1024
_PATIENCE = 3.0
_SWAPPED = 0.9
_NEEDS_MORE = {"good replicas", "cluster"}
"""The checks that take more permissions than PING and INFO."""


class RedisParameters(Parameters, frozen=True):
    """What to look at, what it is for, and where its limits are.

    A figure above its `_warn` limit is degraded, above its `_fail` limit it fails, wherever the other lies.

    Attributes:
        timeout: The deadline of the whole run.
        url: `redis://[[user]:password@]host[:port][/db]`, `rediss://` for TLS, `unix:///path/to.sock?db=0`.
            Special characters in the password are percent-encoded.
        role: What the data is for. A `cache` is meant to evict; a `queue`, `session` or `store` loses data
            when it does.
        memory_warn: Use of `maxmemory` in %, unless the policy makes a full server its normal state. 75 and
            90 are what published Redis alert rules use; at 100 % writes are refused.
        memory_fail: As `memory_warn`.
        system_memory_fail: Resident memory in % of the machine's, where `maxmemory` sets no bound. The
            kernel's out-of-memory killer goes by resident memory.
        expiring_warn: A cache under a `volatile-*` policy should have at least this share of keys with an
            expiry, in %; the others can never be evicted.
        eviction_lag_warn: How long the server has been above `maxmemory` without evicting enough;
            zero even on a busy, full cache.
        eviction_lag_fail: As `eviction_lag_warn`.
        clients_warn: Connected clients in % of `maxclients`. 80 and 90 leave room for one more deployment.
        clients_fail: As `clients_warn`.
        maxclients: The connection limit, for a server that does not tell it; 0 reads it from the server.
        fragmentation_warn: Resident over used memory. Judged only where it also costs more bytes than
            `fragmentation_bytes_warn`, for small servers read 4 and more while healthy.
        fragmentation_fail: As `fragmentation_warn`, with `fragmentation_bytes_fail`.
        fragmentation_bytes_warn: Bytes, 100 MiB.
        fragmentation_bytes_fail: Bytes, 500 MiB.
        replicas: How many replicas must be in step.
        min_replicas_to_write: The server's setting of this name, where it is on and CONFIG is not permitted;
            0 reads it from the server.
        replication_lag_warn: Silence of a replica's master while the link is up; an idle one pings every
            10 s.
        latency_warn: The slowest of 20 PINGs, round trip.
        latency_fail: As `latency_warn`.
    """

    timeout: Duration = "10s"
    url: str = "redis://localhost:6379/0"
    role: Literal["cache", "queue", "session", "store"] = "store"
    memory_warn: Limit = 75.0
    memory_fail: Limit = 90.0
    system_memory_fail: Limit = 80.0
    expiring_warn: Limit = 50.0
    eviction_lag_warn: Duration = "0s"
    eviction_lag_fail: Duration = "1s"
    clients_warn: Limit = 80.0
    clients_fail: Limit = 90.0
    maxclients: Count = 0
    fragmentation_warn: Limit = 1.5
    fragmentation_fail: Limit = 2.0
    fragmentation_bytes_warn: Count = 100 * _MIB
    fragmentation_bytes_fail: Count = 500 * _MIB
    replicas: Count = 0
    min_replicas_to_write: Count = 0
    replication_lag_warn: Duration = "15s"
    latency_warn: Duration = "10ms"
    latency_fail: Duration = "50ms"


async def probe(params: RedisParameters) -> Outcome:
    """Look once, then judge."""
    from probes.redis.connection import look

    # Below the deadline, so that a silent server is told from a slow one before the runner ends the run.
    wait = min(_PATIENCE, seconds(params.timeout) / 3)
    return _judge(await look(params.url, wait, _ms(params.latency_warn)), params)


def _judge(sample: "Sample", params: RedisParameters) -> Outcome:
    info, where = sample.info, sample.where
    if info.get("redis_mode") == "sentinel":
        raise CannotTell(Reason.CONFIG, f"{where} is a Sentinel: give the address of the server it watches.")
    checks = [_answers(sample)]
    if info or not sample.refusal:
        checks += _memory(info, params)
        checks += _eviction(info, params)
        checks += _clients(info, params)
        checks += _fragmentation(info, params)
        checks += _persistence(info)
        checks += _replication(info, params)
        checks += _replicas(sample, params)
        checks += _cluster(sample)
        checks += _refusals(info)
        checks += _latency(sample, params)
    summary = " ".join(check.message for check in checks[:2])
    # What is missing otherwise is what the server does not tell anybody.
    forbidden = any(check.verdict is Verdict.UNKNOWN and check.name in _NEEDS_MORE for check in checks)
    reason = Reason.FORBIDDEN if forbidden else Reason.PROTOCOL
    return conclude(checks, summary, _metrics(sample), reason=reason)


def _answers(sample: "Sample") -> Check:
    info, where = sample.info, sample.where
    if info.get("loading") == 1:
        line = (
            f"{where} is loading its data ({info.get('loading_loaded_perc', '?')} % done, about"
            f" {info.get('loading_eta_seconds', '?')} s to go) and serves nobody yet: wait, then look again."
        )
        return _word("answers", "loading", None, line)
    if sample.refusal:
        line = f"{where} answers, but refuses commands: {sample.refusal}"
        return _word("answers", sample.refusal.partition(" ")[0], None, line)
    product = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version") or "?")
    line = f"{product} {version} answers at {where} ({info.get('redis_mode', '?')}, {info.get('role', '?')})."
    return Check(name="answers", verdict=Verdict.PASS, observed=version, message=line)


def _memory(info: "Info", params: RedisParameters) -> Iterator[Check]:
    used, limit = _number(info, "used_memory"), _number(info, "maxmemory")
    if used is None or limit is None:
        line = "The server does not tell its memory use and limit: ask its provider for them."
        yield Check(name="memory", verdict=Verdict.UNKNOWN, message=line)
        return
    if not limit:
        yield _unbounded_memory(info, params, used)
        return
    # As the server itself holds it against maxmemory: buffers of replicas and append-only file do not count.
    used -= _number(info, "mem_not_counted_for_evict") or 0
    share, policy = 100 * used / limit, str(info.get("maxmemory_policy", "an unknown policy"))
    figures = f"{size(used)} of {size(limit)} ({share:.0f} %) used under {policy}"
    if _makes_room(info, params):
        line = f"{figures}, which makes room when it is full."
        yield Check(name="memory", verdict=Verdict.PASS, observed=round(share, 2), unit="%", message=line)
        return
    more = f"CONFIG SET maxmemory {math.ceil(2 * limit / _MIB)}mb"
    # A cache that may evict is healthy however full it is; anything else needs the room.
    if params.role == "cache":
        way_out = f"let it evict: CONFIG SET maxmemory-policy allkeys-lru; for more room: {more}"
    else:
        way_out = f"raise maxmemory ({more}, then CONFIG REWRITE) or remove data"
    advice = f"writes are refused when it is full; {way_out}"
    yield held("memory", share, (params.memory_warn, params.memory_fail), (figures, advice))


def _unbounded_memory(info: "Info", params: RedisParameters, used: float) -> Check:
    rss, total = _number(info, "used_memory_rss") or used, _number(info, "total_system_memory")
    repair = f"CONFIG SET maxmemory {int(0.75 * total / _MIB) if total else 1024}mb"
    if params.role == "cache":
        repair += " and CONFIG SET maxmemory-policy allkeys-lru"
    share, limit = 100 * rss / total if total else None, params.system_memory_fail
    failed = share is not None and share > limit
    line = f"No maxmemory is set and {size(rss)} are resident"
    if total:
        line += f", {share:.1f} % of the machine's {size(total)}, limit {limit:g} %"
    return Check(
        name="memory",
        verdict=Verdict.FAIL if failed else Verdict.WARN,
        observed=None if share is None else round(share, 2),
        unit="%",
        limit=limit,
        message=f"{line}: the kernel kills a server that outgrows its machine; set a bound: {repair}.",
    )


def _makes_room(info: "Info", params: RedisParameters) -> bool:
    policy, expiring = str(info.get("maxmemory_policy", "")), _expiring(info)
    if policy.startswith("volatile-") and params.role == "cache":
        return expiring is not None and expiring >= params.expiring_warn
    return policy.startswith("allkeys-")


def _expiring(info: "Info") -> float | None:
    """Return the share of keys with an expiry, in %; None without keys."""
    spaces = [
        space for name, space in info.items() if re.fullmatch(r"db\d+", name) and isinstance(space, dict)
    ]
    keys = sum(space.get("keys", 0) for space in spaces)
    return 100 * sum(space.get("expires", 0) for space in spaces) / keys if keys else None


def _eviction(info: "Info", params: RedisParameters) -> Iterator[Check]:
    policy, bounded = str(info.get("maxmemory_policy", "")), _number(info, "maxmemory")
    if policy:
        fault = _policy_fault(policy, info, params)
        line = fault or f"The policy {policy} suits a {params.role}."
        yield _word("eviction policy", policy, None, line, Verdict.WARN if fault else Verdict.PASS)
    lag = _number(info, "current_eviction_exceeded_time")
    # Under noeviction the figure only repeats that memory is full, and without a bound it is never reset.
    if lag is not None and policy != "noeviction" and bounded:
        limits = (_ms(params.eviction_lag_warn), _ms(params.eviction_lag_fail))
        advice = "eviction is too slow or finds no key it may evict; raise maxmemory or use an allkeys policy"
        yield held("eviction lag", lag, limits, (f"Over maxmemory for {lag:.0f} ms", advice), unit="ms")


def _policy_fault(policy: str, info: "Info", params: RedisParameters) -> str:
    if params.role != "cache":
        if policy.startswith("allkeys-") and _number(info, "maxmemory"):
            return (
                f"{policy} drops any key once the server is full, and this is a {params.role}: CONFIG SET"
                ' maxmemory-policy noeviction; if it may lose data, declare role = "cache".'
            )
        return ""
    repair, expiring = "CONFIG SET maxmemory-policy allkeys-lru, then CONFIG REWRITE", _expiring(info)
    if policy == "noeviction":
        return f"A cache under noeviction refuses writes once it is full; let it evict: {repair}."
    if policy.startswith("volatile-") and expiring is not None and expiring < params.expiring_warn:
        return (
            f"{policy} evicts only keys with an expiry, and {expiring:.0f} % of the keys have one, limit"
            f" {params.expiring_warn:g} %: set expiries or {repair}."
        )
    return ""


def _clients(info: "Info", params: RedisParameters) -> Iterator[Check]:
    connected, most = _number(info, "connected_clients"), params.maxclients or _number(info, "maxclients")
    if connected is None or not most:
        line = "The server does not tell its connection limit: declare it as maxclients."
        yield Check(name="clients", verdict=Verdict.UNKNOWN, observed=connected, message=line)
        return
    share = 100 * connected / most
    figures = f"{connected:.0f} of {most:.0f} connections ({share:.0f} %) taken"
    advice = (
        "at 100 % new clients are turned away; close idle ones, look for pools that leak (CLIENT LIST) or"
        f" raise it: CONFIG SET maxclients {2 * most:.0f}"
    )
    yield held("clients", share, (params.clients_warn, params.clients_fail), (figures, advice))


def _fragmentation(info: "Info", params: RedisParameters) -> Iterator[Check]:
    ratio, lost = _number(info, "mem_fragmentation_ratio"), _number(info, "mem_fragmentation_bytes")
    if ratio is None or lost is None:
        return
    figures = f"Resident memory is {ratio:g} times the used, {size(abs(lost))} apart"
    if ratio < _SWAPPED and -lost > params.fragmentation_bytes_warn:
        line = f"{figures}, limit {_SWAPPED}: part of the data is swapped out; free memory on that machine."
        yield Check(name="fragmentation", verdict=Verdict.WARN, observed=ratio, limit=_SWAPPED, message=line)
        return
    limits = (
        params.fragmentation_warn if lost > params.fragmentation_bytes_warn else math.inf,
        params.fragmentation_fail if lost > params.fragmentation_bytes_fail else math.inf,
    )
    advice = "try MEMORY PURGE, then CONFIG SET activedefrag yes, or restart it at a quiet hour"
    yield held("fragmentation", ratio, limits, (figures, advice), unit=None)


def _persistence(info: "Info") -> Iterator[Check]:
    fields = {"snapshot": ("rdb_last_bgsave_status", "BGSAVE")}
    if info.get("aof_enabled") == 1:
        fields["append-only file"] = ("aof_last_write_status", "wait for the next write")
        fields["append-only rewrite"] = ("aof_last_bgrewrite_status", "BGREWRITEAOF")
    for name, (field, repair) in fields.items():
        status = str(info.get(field, ""))
        if status == "ok":
            yield _word(name, status, "ok", f"The {name} is ok.", Verdict.PASS)
        elif status:
            line = (
                f"The last {name} failed, data may be lost and writes refused: see the server's log, correct"
                f" space and permissions of its data folder, then {repair}."
            )
            yield _word(name, status, "ok", line)


def _replication(info: "Info", params: RedisParameters) -> Iterator[Check]:
    if info.get("role") != "slave":
        return
    master = f"{info.get('master_host')}:{info.get('master_port')}"
    status = str(info.get("master_link_status", "unknown"))
    if status != "up":
        line = (
            f"This replica has no link to its master {master}, so its data is old: check the master,"
            " the network between them, and masterauth."
        )
        yield _word("replication", status, "up", line)
        return
    quiet = _number(info, "master_last_io_seconds_ago") or 0
    limits = (seconds(params.replication_lag_warn), math.inf)
    figures = f"Master {master} was last heard {quiet:.0f} s ago"
    advice = "check the master's load and the network between them"
    yield held("replication", quiet, limits, (figures, advice), unit="s")


def _replicas(sample: "Sample", params: RedisParameters) -> Iterator[Check]:
    if params.replicas:
        replicas = [value for name, value in sample.info.items() if re.fullmatch(r"slave\d+", name)]
        online = sum(isinstance(replica, dict) and replica.get("state") == "online" for replica in replicas)
        enough = online >= params.replicas
        line = f"{online} of {params.replicas} expected replicas are online"
        line += "." if enough else ": start the missing ones and look into their logs."
        verdict = Verdict.PASS if enough else Verdict.FAIL
        yield Check(name="replicas", verdict=verdict, observed=online, limit=params.replicas, message=line)
    good = _number(sample.info, "min_slaves_good_slaves")
    # The field is there only where the setting is on, and a replica does not heed it.
    if good is None or sample.info.get("role") == "slave":
        return
    needed = params.min_replicas_to_write or sample.min_replicas_to_write
    if good and not needed:
        verdict = Verdict.UNKNOWN
        line = (
            f"{good:.0f} good replicas; to ask how many writes need is not permitted; allow +config|get, or"
            " declare it as min_replicas_to_write."
        )
    else:
        needed = needed or 1
        verdict = Verdict.PASS if good >= needed else Verdict.FAIL
        line = f"{good:.0f} of {needed} good replicas that writes need (min-replicas-to-write)"
        line += "." if good >= needed else ": writes are refused; start replicas or look into their lag."
    yield Check(name="good replicas", verdict=verdict, observed=good, limit=needed, message=line)


def _cluster(sample: "Sample") -> Iterator[Check]:
    state = sample.cluster_state
    if state == "":
        line = "To ask for the state of the cluster is not permitted; allow +cluster|info."
        yield Check(name="cluster", verdict=Verdict.UNKNOWN, limit="ok", message=line)
    elif state == "ok":
        yield _word("cluster", state, "ok", "The cluster is ok.", Verdict.PASS)
    elif state:
        line = f"The cluster is in state {state}, some keys are served by nobody: redis-cli --cluster check."
        yield _word("cluster", state, "ok", line)


def _latency(sample: "Sample", params: RedisParameters) -> Iterator[Check]:
    if not sample.pings:
        return
    slowest = max(sample.pings)
    middle = statistics.median(sample.pings)
    figures = f"{len(sample.pings)} PINGs took {middle:.1f} ms (median), at most {slowest:.1f} ms"
    advice = "look for slow commands (SLOWLOG GET), swapping, or a long way between here and there"
    limits = (_ms(params.latency_warn), _ms(params.latency_fail))
    yield held("latency", slowest, limits, (figures, advice), unit="ms")


def _refusals(info: "Info") -> Iterator[Check]:
    """Tell what was refused since the server's start: worth knowing, but it may be over since long."""
    stat = info.get("errorstat_OOM")
    writes = _number(stat, "count") if isinstance(stat, dict) else None
    clients = _number(info, "rejected_connections")
    for name, count, why in (
        ("refused writes", writes, "writes were refused for lack of memory"),
        ("refused clients", clients, "clients were turned away at the connection limit"),
    ):
        if count:
            line = f"{count:.0f} {why} since the server's start."
            yield Check(name=name, verdict=Verdict.PASS, observed=count, message=line)


def _metrics(sample: "Sample") -> dict[str, float]:
    # The totals count since the server's start: they make rates, and say nothing about today by themselves.
    fields = {
        "used_memory_bytes": "used_memory",
        "used_memory_rss_bytes": "used_memory_rss",
        "maxmemory_bytes": "maxmemory",
        "connected_clients": "connected_clients",
        "blocked_clients": "blocked_clients",
        "evicted_keys_total": "evicted_keys",
        "rejected_connections_total": "rejected_connections",
        "keyspace_hits_total": "keyspace_hits",
        "keyspace_misses_total": "keyspace_misses",
        "uptime_s": "uptime_in_seconds",
    }
    found = {name: _number(sample.info, field) for name, field in fields.items()}
    refused = sample.info.get("errorstat_OOM")
    if isinstance(refused, dict):
        found["oom_errors_total"] = refused.get("count")
    if sample.pings:
        found |= {"ping_p50_ms": statistics.median(sample.pings), "ping_p99_ms": max(sample.pings)}
    return {name: value for name, value in found.items() if value is not None}


def _word(
    name: str, observed: str, limit: str | None, message: str, verdict: Verdict = Verdict.FAIL
) -> Check:
    return Check(name=name, verdict=verdict, observed=observed, limit=limit, message=message)


def _number(info: "Info", field: str) -> float | None:
    value = info.get(field)
    return value if isinstance(value, int | float) else None


def _ms(duration: str) -> float:
    return seconds(duration) * 1000
