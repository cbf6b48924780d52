"""Judges how the server serves: whether it answers, to how many, how fast, and whether it takes a write."""

import re
import statistics
import time
from collections.abc import Iterator

from probes.figures import held, span
from probes.outcome import Check, Memory, Verdict
from probes.parameters import seconds
from probes.redis.persistence import SAVE_AGAIN
from probes.redis.sample import Info, Sample, evicts_any, lasting, number, server_time, word
from probes.redis.settings import RedisParameters

_RECENT = 900.0

_REFUSALS = {
    "MISCONF": SAVE_AGAIN,
    "LOADING": "Wait until it has loaded its data, then look again.",
    "BUSY": (
        "End the script: SCRIPT KILL; if it has already written, only SHUTDOWN NOSAVE does, which loses what"
        " is not saved."
    ),
    "MASTERDOWN": (
        "Repair the link to its master, or let it serve old data: CONFIG SET replica-serve-stale-data yes."
    ),
}

_UNWRITTEN = {
    "READONLY": (
        "A write was refused: this is a read-only replica.",
        "Give the address of its master: INFO replication names it.",
    ),
    "MISCONF": ("A write was refused because the last snapshot failed.", SAVE_AGAIN),
    "CLUSTERDOWN": (
        "A write was refused: the cluster is down, or nobody serves the key's slot.",
        "Find the missing slots and repair: redis-cli --cluster check, then redis-cli --cluster fix.",
    ),
    "MOVED": (
        "This node of the cluster took none of the keys tried: it is a replica, or serves no slots.",
        "Give the address of a master of the cluster that serves slots: CLUSTER NODES lists them.",
    ),
    "MASTERDOWN": ("A write was refused: this is a replica without its master.", _REFUSALS["MASTERDOWN"]),
    "NOREPLICAS": (
        "A write was refused for want of good replicas.",
        "Start replicas or look into their lag: INFO replication; CONFIG GET min-replicas-to-write.",
    ),
    "BUSY": ("A write was refused: a script runs.", _REFUSALS["BUSY"]),
    "LOST": (
        "A key was written, and was not there a moment later.",
        "Look for evictions (INFO stats), and for a policy that evicts what expires first: volatile-ttl.",
    ),
    "TIMEOUT": (
        "A write was not answered, though the server answers PING.",
        "End a pause of writes: CLIENT UNPAUSE; otherwise look for what holds it up: CLIENT LIST.",
    ),
}

_NOT_ALLOWED = (
    "This user may not make the test write.",
    "Allow it: ACL SETUSER <user> +set +get +del ~gonogo:probe:*.",
)


def answers(sample: Sample) -> Check:
    """Tell what answers, or what keeps it from answering."""
    info, where = sample.info, sample.where
    if info.get("loading") == 1:
        line = (
            f"{where} is loading its data ({info.get('loading_loaded_perc', '?')} % done, about"
            f" {info.get('loading_eta_seconds', '?')} s to go) and serves nobody yet."
        )
        return word("answers", "loading", None, (line, _REFUSALS["LOADING"]))
    if sample.refusal:
        code = sample.refusal.partition(" ")[0]
        # Some go on for a paragraph of advice for all cases.
        first = re.split(r"(?<=[.!?])\s", sample.refusal, maxsplit=1)[0]
        line = f"{where} answers, but refuses commands: {first}"
        hint = _REFUSALS.get(code, "See the server's log, and correct what it names.")
        return word("answers", code, None, (line if line.endswith(".") else f"{line}.", hint))
    product = "Valkey" if "valkey_version" in info else "Redis"
    version = str(info.get("valkey_version") or info.get("redis_version") or "?")
    kinds = [str(info[field]) for field in ("redis_mode", "role") if field in info]
    line = f"{product} {version} answers at {where}" + (f" ({', '.join(kinds)})." if kinds else ".")
    return word("answers", version, None, (line, ""), Verdict.PASS)


def judge(sample: Sample, params: RedisParameters, memory: Memory) -> Iterator[Check]:
    """Hold the service to clients against its limits."""
    yield from _clients(sample.info, params)
    yield from _blocked(sample.info, params)
    yield from _latency(sample, params)
    yield from _slow(sample, params)
    yield from _uptime(sample.info, params, memory)
    yield from _write(sample)


def _clients(info: Info, params: RedisParameters) -> Iterator[Check]:
    connected, most = number(info, "connected_clients"), params.maxclients or number(info, "maxclients")
    if connected is not None:
        # The server counts these against maxclients too, but does not tell them as clients.
        connected += sum(number(info, field) or 0 for field in ("connected_slaves", "cluster_connections"))
    if connected is None or not most:
        yield Check(
            name="clients",
            verdict=Verdict.UNKNOWN,
            observed=connected,
            message="The server does not tell how many connections it has and may have.",
            hint="Declare the limit as maxclients."
            if connected is not None
            else "Ask its provider for both figures.",
        )
        return
    share = 100 * connected / most
    figures = f"{connected:.0f} of {most:.0f} connections ({share:.0f} %) taken"
    hint = (
        "before new clients are turned away, close idle ones, look for pools that leak (CLIENT LIST), or"
        f" raise the limit: {lasting(info, f'CONFIG SET maxclients {2 * most:.0f}')}"
    )
    yield held("clients", share, (params.clients_warn, params.clients_fail), (figures, hint))


def _blocked(info: Info, params: RedisParameters) -> Iterator[Check]:
    blocked = number(info, "blocked_clients")
    if blocked is None or not params.blocked_warn:
        return
    figures = f"{blocked:.0f} clients wait in blocking commands"
    hint = "look for consumers without work, or producers that stopped: CLIENT LIST"
    yield held("blocked clients", blocked, (params.blocked_warn, float("inf")), (figures, hint), unit=None)


def _latency(sample: Sample, params: RedisParameters) -> Iterator[Check]:
    if not sample.pings:
        if not sample.refusal and not sample.may_ping:
            line, hint = (
                "PING is not permitted, so nothing is known of the latency.",
                "Allow it: ACL SETUSER <user> +ping.",
            )
            yield Check(name="latency", verdict=Verdict.UNKNOWN, unit="ms", message=line, hint=hint)
        return
    slowest, middle = max(sample.pings), statistics.median(sample.pings)
    figures = f"{len(sample.pings)} PINGs took {middle:.1f} ms (median), at most {slowest:.1f} ms"
    hint = "look for slow commands (SLOWLOG GET), swapping, or a long way between here and there"
    limits = (1000 * seconds(params.latency_warn), 1000 * seconds(params.latency_fail))
    yield held("latency", slowest, limits, (figures, hint), unit="ms")


def _slow(sample: Sample, params: RedisParameters) -> Iterator[Check]:
    if sample.slow is None:
        return
    since, least = server_time(sample.info, time.time()) - _RECENT, 1000 * seconds(params.slow_command)
    slow = [one for one in sample.slow if one.at >= since and one.took >= least]
    figures = f"{len(slow)} commands took {least:g} ms or more in the last 15 min"
    if slow:
        slowest = max(slow, key=lambda one: one.took)
        figures += f", the slowest of them {slowest.name} with {slowest.took:.0f} ms"
    hint = "see which they are: SLOWLOG GET 128; after the repair SLOWLOG RESET, then look again"
    yield held("slow log", len(slow), (params.slow_commands_warn, float("inf")), (figures, hint), unit=None)


def _uptime(info: Info, params: RedisParameters, memory: Memory) -> Iterator[Check]:
    uptime, least = number(info, "uptime_in_seconds"), seconds(params.uptime_warn)
    if uptime is None:
        return
    figures = f"Up for {span(uptime)}"
    if memory.get("run_id", str(info.get("run_id"))) != str(info.get("run_id")):
        figures += "; restarted, or another server, since the last look"
    hint = "find out why it started anew: see the server's and the machine's logs"
    limits = (least or float("-inf"), float("-inf"))
    yield held("uptime", uptime, limits, (figures, hint), unit="s", falling=True)


def _write(sample: Sample) -> Iterator[Check]:
    code = sample.written
    if code == "ok":
        yield word("write test", code, code, ("A key was written, read and deleted.", ""), Verdict.PASS)
    elif code in {"NOPERM", "ERR"}:
        yield word("write test", code, "ok", _NOT_ALLOWED, Verdict.UNKNOWN)
    elif code == "OOM":
        evict = lasting(sample.info, "CONFIG SET maxmemory-policy allkeys-lru")
        hint = "Raise maxmemory or remove data."
        if not evicts_any(sample.info):
            hint = f"Raise maxmemory, remove data, or let a cache evict: {evict}."
        yield word("write test", code, "ok", ("A write was refused for lack of memory.", hint))
    elif code:
        words = _UNWRITTEN.get(
            code, (f"A write was refused: {code}.", "See the server's log, and correct what it names.")
        )
        yield word("write test", code, "ok", words)
