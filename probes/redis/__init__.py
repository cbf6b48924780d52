"""Is a Redis server healthy: reachable, with room for data and clients, saving, replicating and quick?

One connection, PING and INFO, and twenty PINGs for the latency. So it works on managed servers and with a
user that may do no more than `+ping +info`; in a cluster it needs `+cluster|info` too, at a Sentinel
`+sentinel|ckquorum` and, where replicas are expected, `+sentinel|slaves`. It writes nothing, unless asked to.
"""

import statistics

from probes.outcome import CannotTell, Memory, Outcome, Reason, Verdict, conclude
from probes.redis import memory as room
from probes.redis import persistence, rates, replication, sentinel, service
from probes.redis.sample import Sample, number
from probes.redis.settings import RedisParameters

__all__ = ["RedisParameters", "probe"]

_NEEDS_MORE = ("good replicas", "cluster", "latency", "quorum", "replicas", "write test")
"""The checks that take more permissions than INFO."""


async def probe(params: RedisParameters, memory: Memory) -> Outcome:
    """Look once, then judge."""
    from probes.redis.connection import look

    return _judge(await look(params, memory), params, memory)


def _judge(sample: Sample, params: RedisParameters, memory: Memory) -> Outcome:
    info = sample.info
    watches = info.get("redis_mode") == "sentinel"
    if params.sentinel and info and not watches:
        line = f"{sample.where} is no Sentinel, so it cannot tell of the master that is asked for."
        hint = "Give the address of a Sentinel (its port is usually 26379), or remove the parameter sentinel."
        raise CannotTell(Reason.CONFIG, line, hint)
    checks = [service.answers(sample)]
    if watches:
        checks += sentinel.judge(sample, params)
        checks += service.judge(sample, params, memory)
    elif info or not sample.refusal:
        checks += room.judge(sample, params)
        checks += rates.judge(rates.growth(sample, memory), info, params)
        checks += persistence.judge(info, params)
        checks += replication.judge(sample, params)
        checks += service.judge(sample, params, memory)
    summary = " ".join(check.message for check in checks[:2])
    doubtful = [check.name for check in checks if check.verdict is Verdict.UNKNOWN]
    # What is missing otherwise is what the server does not tell anybody.
    reason = Reason.FORBIDDEN if any(name.startswith(_NEEDS_MORE) for name in doubtful) else Reason.PROTOCOL
    return conclude(checks, summary, _metrics(sample), memory=rates.remember(sample), reason=reason)


def _metrics(sample: Sample) -> dict[str, float]:
    # The totals count since the server's start: they make rates, and say nothing about today by themselves.
    info = sample.later or sample.info
    fields = {
        "used_memory_bytes": "used_memory",
        "used_memory_rss_bytes": "used_memory_rss",
        "maxmemory_bytes": "maxmemory",
        "connected_clients": "connected_clients",
        "blocked_clients": "blocked_clients",
        "connected_replicas": "connected_slaves",
        "evicted_keys_total": "evicted_keys",
        "rejected_connections_total": "rejected_connections",
        "keyspace_hits_total": "keyspace_hits",
        "keyspace_misses_total": "keyspace_misses",
        "uptime_s": "uptime_in_seconds",
    }
    found = {name: number(info, field) for name, field in fields.items()}
    found["oom_errors_total"] = rates.counters(info).get("refused_writes")
    found["expiring_keys_percent"] = room.expiring(info)
    if sample.pings:
        found |= {"ping_p50_ms": statistics.median(sample.pings), "ping_p99_ms": max(sample.pings)}
    # Since the server's start too, of the command that is slowest by its 99th percentile.
    served = [
        number(value, "p99")
        for name, value in info.items()
        if name.startswith("latency_percentiles_usec_") and isinstance(value, dict)
    ]
    if told := [value for value in served if value is not None]:
        found["slowest_command_p99_ms"] = max(told) / 1000
    return {name: value for name, value in found.items() if value is not None}
