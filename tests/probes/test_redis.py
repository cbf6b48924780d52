"""The redis probe against real servers, healthy and in every broken state they can be brought into."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import psutil
import pytest
import redis

from probes.outcome import Check, Outcome, Reason, Verdict
from probes.parameters import convert
from probes.redis import RedisParameters
from probes.redis.bounds import memory_bound
from probes.redis.memory import judge as memory_checks
from probes.redis.memory import more_memory
from probes.redis.rates import Growth, judge
from probes.redis.sample import Sample, lasting
from probes.runner import Runner
from tests.servers.redis_server import (
    RedisServer,
    cannot_save,
    closed_port,
    encrypted_server,
    is_busy,
    occupied,
    redis_server,
    turned_away,
    until,
    writing,
)

RunProbe = Callable[..., Awaitable[Outcome]]
Start = Callable[..., RedisServer]
Tls = tuple[RedisServer, Path]

# Where latency is not the point, a busy machine must not decide the verdict.
PATIENT = {"latency_warn": "1m", "latency_fail": "2m", "timeout": "30s", "watch": "100ms"}
BOUNDED = ("--maxmemory", "64mb")
FULL = ("--maxmemory", "2mb")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with contextlib.ExitStack() as servers:

        def one(*options: str, sentinel: str | None = None) -> RedisServer:
            folder = tmp_path / f"redis{len(list(tmp_path.glob('redis*')))}"
            return servers.enter_context(redis_server(folder, *options, sentinel=sentinel))

        yield one


@pytest.fixture
def nowhere() -> Iterator[int]:
    with closed_port() as port:
        yield port


def line(outcome: Outcome, name: str) -> Check:
    found = [check for check in outcome.checks if check.name == name]
    assert len(found) == 1, f"{name!r} among {[check.name for check in outcome.checks]}"
    return found[0]


def bad(outcome: Outcome) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in outcome.checks if check.verdict is not Verdict.PASS}


# Hints


def test_a_rewrite_is_recommended_only_where_the_server_has_a_file() -> None:
    assert (
        lasting({"config_file": "/etc/redis.conf"}, "CONFIG SET x 1") == "CONFIG SET x 1, then CONFIG REWRITE"
    )
    without = "CONFIG SET x 1, and set it in the server's start command too"
    assert lasting({"config_file": ""}, "CONFIG SET x 1") == without


async def test_a_server_without_a_file_is_not_told_to_write_it(start: Start, run_probe: RunProbe) -> None:
    server = start("--maxmemory-policy", "noeviction")
    outcome = await run_probe("redis", url=server.url, role="cache", **PATIENT)
    hints = [check.hint for check in outcome.checks if "CONFIG SET" in check.hint]
    assert len(hints) == 2
    assert not [hint for hint in hints if "REWRITE" in hint or "start command" not in hint]
    with pytest.raises(redis.exceptions.ResponseError, match="without a config file"):
        server.run("CONFIG", "REWRITE")


@pytest.mark.parametrize(("policy", "told"), [("allkeys-lru", False), ("volatile-lru", True)])
def test_who_evicts_any_key_already_is_not_told_to(policy: str, told: bool) -> None:
    info = {"maxmemory": 2**20, "maxmemory_policy": policy, "current_eviction_exceeded_time": 500}
    params = convert({"role": "cache"}, RedisParameters)
    grown = Growth({"refused_writes": 3}, {"refused_writes": 3}, {"refused_writes": 1}, 10.0, 1.0)
    lines = [*judge(grown, info, params), *memory_checks(Sample("here", info, written="OOM"), params)]
    hints = [one.hint for one in lines if one.name in {"refused writes", "eviction lag"}]
    assert len(hints) == 2
    assert [("allkeys-lru" in hint) for hint in hints] == [told, told]


# Healthy


async def test_a_healthy_store_passes_with_its_version_and_figures(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED)
    outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert (outcome.verdict, outcome.reason, bad(outcome)) == (Verdict.PASS, None, {})
    assert line(outcome, "answers").observed == server.run("INFO", "server")["redis_version"]
    assert outcome.metrics["maxmemory_bytes"] == 64 * 1024 * 1024
    assert outcome.metrics["ping_p50_ms"] <= outcome.metrics["ping_p99_ms"]
    assert f"127.0.0.1:{server.port}" in outcome.summary


async def test_looking_takes_one_connection_and_leaves_no_trace(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED)
    before = server.run("INFO", "all")
    outcome = await run_probe("redis", url=server.url, **PATIENT)
    after = server.run("INFO", "all")
    assert outcome.verdict is Verdict.PASS
    # The probe's own connection, and the one that asks.
    assert after["total_connections_received"] - before["total_connections_received"] == 2
    assert after["total_error_replies"] == before["total_error_replies"]
    assert after["connected_clients"] == before["connected_clients"]
    assert server.run("DBSIZE") == 0


async def test_a_user_who_may_only_ping_and_read_info_suffices(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED)
    server.run("ACL", "SETUSER", "watch", "on", ">pa/ss", "resetkeys", "-@all", "+ping", "+info")
    outcome = await run_probe("redis", url=f"redis://watch:pa%2Fss@127.0.0.1:{server.port}/0", **PATIENT)
    assert outcome.verdict is Verdict.PASS


async def test_a_server_without_config_is_judged_all_the_same(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED, "--rename-command", "CONFIG", "")
    outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert outcome.verdict is Verdict.PASS
    assert line(outcome, "clients").verdict is Verdict.PASS


async def test_a_unix_socket_is_an_address_too(start: Start, run_probe: RunProbe, tmp_path: Path) -> None:
    path = tmp_path / "r.sock"
    start(*BOUNDED, "--unixsocket", str(path))
    outcome = await run_probe("redis", url=f"unix://{path}?db=1", **PATIENT)
    assert outcome.verdict is Verdict.PASS
    assert str(path) in outcome.summary


# Memory and eviction


async def test_a_full_noeviction_server_fails_until_memory_and_policy_are_set(
    start: Start, run_probe: RunProbe
) -> None:
    server = start(*FULL, "--maxmemory-policy", "noeviction")
    server.fill()
    ask = {"url": server.url, "role": "cache", **PATIENT}

    outcome = await run_probe("redis", **ask)
    memory = line(outcome, "memory")
    assert (outcome.verdict, memory.verdict, memory.unit, memory.limit) == (
        Verdict.FAIL,
        Verdict.FAIL,
        "%",
        90,
    )
    assert memory.observed == pytest.approx(100, abs=3)
    assert "2.0 MiB (" in memory.message
    assert "CONFIG SET maxmemory 4mb" in memory.hint
    assert outcome.summary.startswith(memory.message)
    assert outcome.hint == memory.hint
    assert outcome.metrics["oom_errors_total"] >= 1

    server.run("CONFIG", "SET", "maxmemory", "100mb")
    outcome = await run_probe("redis", **ask)
    expected = {"eviction policy": Verdict.WARN, "expiring keys": Verdict.WARN}
    assert (outcome.verdict, bad(outcome)) == (Verdict.WARN, expected)
    assert "CONFIG SET maxmemory-policy allkeys-lru" in outcome.hint

    server.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    outcome = await run_probe("redis", **ask)
    assert (outcome.verdict, bad(outcome)) == (Verdict.PASS, {})
    assert outcome.metrics["oom_errors_total"] >= 1


async def test_for_a_store_more_memory_alone_is_the_repair(start: Start, run_probe: RunProbe) -> None:
    server = start(*FULL)
    server.fill()
    outcome = await run_probe("redis", url=server.url, role="store", **PATIENT)
    assert bad(outcome) == {"memory": Verdict.FAIL}
    assert "allkeys" not in line(outcome, "memory").hint
    server.run("CONFIG", "SET", "maxmemory", "100mb")
    assert (await run_probe("redis", url=server.url, role="store", **PATIENT)).verdict is Verdict.PASS


async def test_between_both_limits_memory_is_degraded(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED)
    outcome = await run_probe("redis", url=server.url, memory_warn=0.1, **PATIENT)
    memory = line(outcome, "memory")
    assert (outcome.verdict, memory.verdict, memory.limit) == (Verdict.WARN, Verdict.WARN, 0.1)


async def test_a_fail_limit_holds_wherever_the_warn_limit_lies(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED)
    outcome = await run_probe("redis", url=server.url, memory_warn=99, memory_fail=0.1, **PATIENT)
    assert bad(outcome) == {"memory": Verdict.FAIL}
    outcome = await run_probe("redis", url=server.url, memory_warn=99, memory_fail=98, **PATIENT)
    assert outcome.verdict is Verdict.PASS


async def test_a_full_cache_that_evicts_is_healthy(start: Start, run_probe: RunProbe) -> None:
    server = start("--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
    server.fill()
    outcome = await run_probe("redis", url=server.url, role="cache", **{**PATIENT, "watch": "2s"})
    assert (outcome.verdict, bad(outcome)) == (Verdict.PASS, {})
    assert line(outcome, "memory").observed > 90
    assert outcome.metrics["evicted_keys_total"] > 0


@pytest.mark.parametrize("role", ["queue", "session", "store"])
async def test_eviction_of_any_key_is_a_finding_where_data_must_stay(
    start: Start, run_probe: RunProbe, role: str
) -> None:
    server = start(*BOUNDED, "--maxmemory-policy", "allkeys-lru")
    outcome = await run_probe("redis", url=server.url, role=role, **PATIENT)
    assert bad(outcome) == {"eviction policy": Verdict.WARN}
    assert "maxmemory-policy noeviction" in outcome.hint


async def test_volatile_eviction_without_expiring_keys_is_full_for_good(
    start: Start, run_probe: RunProbe
) -> None:
    server = start(*FULL, "--maxmemory-policy", "volatile-lru")
    server.fill()
    server.run("CONFIG", "SET", "maxmemory", "1500kb")
    with server.client() as client:
        # The server counts how long it has been over its limit.
        until(lambda: client.info("stats")["current_eviction_exceeded_time"] > 1000)
    outcome = await run_probe("redis", url=server.url, role="cache", **PATIENT)
    assert bad(outcome) == {
        "memory": Verdict.FAIL,
        "expiring keys": Verdict.WARN,
        "eviction lag": Verdict.FAIL,
    }
    assert "0 % of the keys expire" in line(outcome, "expiring keys").message


async def test_a_full_cache_whose_keys_expire_evicts_under_a_volatile_policy(
    start: Start, run_probe: RunProbe
) -> None:
    server = start("--maxmemory", "3mb", "--maxmemory-policy", "volatile-lru")
    server.fill(expiring=True)
    outcome = await run_probe("redis", url=server.url, role="cache", **{**PATIENT, "watch": "2s"})
    assert (outcome.verdict, bad(outcome)) == (Verdict.PASS, {})
    held = await run_probe("redis", url=server.url, role="session", **PATIENT)
    assert line(held, "memory").verdict is Verdict.FAIL


async def test_no_memory_bound_is_degraded_and_a_failure_once_the_machine_is_full(
    start: Start, run_probe: RunProbe
) -> None:
    server = start()
    outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert bad(outcome) == {"memory": Verdict.WARN}
    assert "CONFIG SET maxmemory" in outcome.hint
    outcome = await run_probe("redis", url=server.url, system_memory_fail=0.0, **PATIENT)
    assert bad(outcome) == {"memory": Verdict.FAIL}


async def test_fragmentation_counts_only_where_it_costs_bytes(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED)
    small = await run_probe("redis", url=server.url, **PATIENT)
    assert line(small, "fragmentation").observed > 2
    assert line(small, "fragmentation").verdict is Verdict.PASS
    floors = {"fragmentation_bytes_warn": 0, "fragmentation_bytes_fail": 0}
    assert bad(await run_probe("redis", url=server.url, **floors, **PATIENT)) == {
        "fragmentation": Verdict.FAIL
    }
    floors["fragmentation_bytes_fail"] = 10**12
    assert bad(await run_probe("redis", url=server.url, **floors, **PATIENT)) == {
        "fragmentation": Verdict.WARN
    }


# Clients


@pytest.mark.parametrize(("idle", "verdict", "limit"), [(5, "pass", 80), (8, "warn", 80), (9, "fail", 90)])
async def test_clients_are_held_against_maxclients(
    start: Start, run_probe: RunProbe, idle: int, verdict: str, limit: float
) -> None:
    server = start(*BOUNDED, "--maxclients", "10")
    with contextlib.ExitStack() as connections:
        for _ in range(idle):
            connection = connections.enter_context(server.send("PING"))
            assert connection.recv(7) == b"+PONG\r\n"
        outcome = await run_probe("redis", url=server.url, **PATIENT)
    clients = line(outcome, "clients")
    assert (clients.verdict, clients.limit) == (verdict, limit)
    assert clients.observed == 10 * (idle + 1)


async def test_a_server_without_a_free_connection_cannot_be_judged(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED, "--maxclients", "3")
    with contextlib.ExitStack() as connections:
        for _ in range(3):
            connection = connections.enter_context(server.send("PING"))
            assert connection.recv(7) == b"+PONG\r\n"
        outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.LIMIT)
    assert "CONFIG SET maxclients" in outcome.hint


# Reached, and not well


async def test_a_slow_server_is_degraded_and_a_slower_one_fails(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED)
    outcome = await run_probe("redis", url=server.url, latency_warn="0ms", latency_fail="1h")
    assert bad(outcome) == {"latency": Verdict.WARN}
    outcome = await run_probe("redis", url=server.url, latency_warn="0ms", latency_fail="0ms")
    assert bad(outcome) == {"latency": Verdict.FAIL}
    assert line(outcome, "latency").unit == "ms"


async def test_a_server_that_cannot_save_fails_and_says_so(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED, "--enable-protected-configs", "yes", "--save", "3600 1")
    cannot_save(server)
    outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert bad(outcome) == {"answers": Verdict.FAIL, "snapshot": Verdict.FAIL}
    answers = line(outcome, "answers")
    assert answers.observed == "MISCONF"
    assert answers.message.count(". ") == 0
    assert answers.message.endswith("unable to persist to disk.")


async def test_an_append_only_file_is_looked_at_where_there_is_one(start: Start, run_probe: RunProbe) -> None:
    outcome = await run_probe("redis", url=start(*BOUNDED, "--appendonly", "yes").url, **PATIENT)
    assert outcome.verdict is Verdict.PASS
    assert line(outcome, "append-only file").observed == "ok"
    without = await run_probe("redis", url=start(*BOUNDED).url, **PATIENT)
    assert "append-only file" not in {check.name for check in without.checks}


async def test_an_append_only_file_that_cannot_be_rewritten_fails(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED, "--appendonly", "yes")
    server.run("CONFIG", "SET", "rdb-key-save-delay", "60000000")
    server.run("SET", "key", "value")
    server.run("BGREWRITEAOF")
    (rewriting,) = psutil.Process(server.pid).children()
    rewriting.kill()
    with server.client() as client:
        until(lambda: client.info("persistence")["aof_last_bgrewrite_status"] == "err")
    outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert bad(outcome) == {"append-only rewrite": Verdict.FAIL}


async def test_a_server_caught_in_a_script_fails(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED, "--busy-reply-threshold", "50")
    with server.send('EVAL "while true do end" 0'):
        until(lambda: is_busy(server))
        outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert bad(outcome) == {"answers": Verdict.FAIL}
    assert "SCRIPT KILL" in outcome.hint


async def test_a_server_still_loading_its_data_fails(tmp_path: Path, run_probe: RunProbe) -> None:
    folder = tmp_path / "data"
    with redis_server(folder, "--enable-debug-command", "yes") as server:
        server.run("DEBUG", "POPULATE", "50000")
        server.run("SAVE")
    slow = ("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")
    with redis_server(folder, *BOUNDED, *slow) as server:
        outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert line(outcome, "answers").observed == "loading"
    assert line(outcome, "answers").verdict is Verdict.FAIL
    assert "Wait" in outcome.hint


async def test_a_replica_without_its_master_fails(start: Start, run_probe: RunProbe, nowhere: int) -> None:
    server = start(*BOUNDED, "--replicaof", f"127.0.0.1 {nowhere}")
    outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert bad(outcome) == {"replication": Verdict.FAIL}


async def test_a_replica_that_refuses_stale_reads_fails_and_is_still_judged(
    start: Start, run_probe: RunProbe, nowhere: int
) -> None:
    options = ("--replicaof", f"127.0.0.1 {nowhere}", "--replica-serve-stale-data", "no")
    outcome = await run_probe("redis", url=start(*BOUNDED, *options).url, **PATIENT)
    assert bad(outcome) == {"answers": Verdict.FAIL, "replication": Verdict.FAIL}


async def test_replicas_are_counted_and_their_link_is_looked_at(start: Start, run_probe: RunProbe) -> None:
    master = start(*BOUNDED, "--repl-diskless-sync-delay", "0")
    replica = start(*BOUNDED, "--replicaof", f"127.0.0.1 {master.port}")
    with master.client() as client:
        until(lambda: client.info("replication").get("slave0", {}).get("state") == "online")
    with replica.client() as client:
        until(lambda: client.info("replication")["master_link_status"] == "up")
    assert (await run_probe("redis", url=master.url, replicas=1, **PATIENT)).verdict is Verdict.PASS
    short = await run_probe("redis", url=master.url, replicas=2, **PATIENT)
    assert bad(short) == {"replicas": Verdict.FAIL}
    assert (line(short, "replicas").observed, line(short, "replicas").limit) == (1, 2)
    healthy = await run_probe("redis", url=replica.url, **PATIENT, replication_lag_warn="1h")
    assert line(healthy, "replication").verdict is Verdict.PASS


async def test_a_cluster_with_unserved_slots_fails_until_they_are_served(
    start: Start, run_probe: RunProbe
) -> None:
    server = start(*BOUNDED, "--cluster-enabled", "yes")
    unserved = {"cluster": Verdict.FAIL, "cluster slots": Verdict.FAIL}
    assert bad(await run_probe("redis", url=server.url, **PATIENT)) == unserved
    server.run("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    with server.client() as client:
        until(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")
    assert (await run_probe("redis", url=server.url, **PATIENT)).verdict is Verdict.PASS


async def test_a_cluster_whose_state_may_not_be_asked_for_is_unknown(
    start: Start, run_probe: RunProbe
) -> None:
    server = start(*BOUNDED, "--cluster-enabled", "yes")
    server.run("ACL", "SETUSER", "watch", "on", ">watching", "resetkeys", "-@all", "+ping", "+info")
    url = f"redis://watch:watching@127.0.0.1:{server.port}"
    outcome = await run_probe("redis", url=url, **PATIENT)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.FORBIDDEN)
    assert bad(outcome) == {"cluster": Verdict.UNKNOWN}
    assert "+cluster|info" in line(outcome, "cluster").hint
    server.run("ACL", "SETUSER", "watch", "+cluster|info")
    outcome = await run_probe("redis", url=url, **PATIENT)
    assert bad(outcome) == {"cluster": Verdict.FAIL, "cluster slots": Verdict.FAIL}


@contextlib.contextmanager
def in_step(start: Start, count: int, *options: str) -> Iterator[RedisServer]:
    """Start a server with these options, and as many replicas as it counts as good ones."""
    master = start(*BOUNDED, "--repl-diskless-sync-delay", "0", *options)
    for _ in range(count):
        start(*BOUNDED, "--replicaof", f"127.0.0.1 {master.port}")
    with master.client() as client:
        until(lambda: client.info("replication")["min_slaves_good_slaves"] == count)
    yield master


async def test_a_server_that_takes_no_write_for_want_of_replicas_fails(
    start: Start, run_probe: RunProbe
) -> None:
    server = start(*BOUNDED, "--min-replicas-to-write", "1")
    with pytest.raises(redis.exceptions.ResponseError, match="NOREPLICAS"):
        server.run("SET", "key", "value")
    outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert bad(outcome) == {"good replicas": Verdict.FAIL}
    assert (line(outcome, "good replicas").observed, line(outcome, "good replicas").limit) == (0, 1)
    assert "min-replicas-to-write" in outcome.summary


async def test_writes_need_as_many_good_replicas_as_are_set(start: Start, run_probe: RunProbe) -> None:
    with in_step(start, 1, "--min-replicas-to-write", "2") as master:
        short = await run_probe("redis", url=master.url, **PATIENT)
        master.run("CONFIG", "SET", "min-replicas-to-write", "1")
        master.run("SET", "key", "value")
        enough = await run_probe("redis", url=master.url, **PATIENT)
    assert bad(short) == {"good replicas": Verdict.FAIL}
    assert (line(short, "good replicas").observed, line(short, "good replicas").limit) == (1, 2)
    assert enough.verdict is Verdict.PASS
    assert line(enough, "good replicas").observed == 1


async def test_without_config_none_is_too_few_and_any_other_number_is_unknown_until_declared(
    start: Start, run_probe: RunProbe
) -> None:
    hidden = ("--min-replicas-to-write", "1", "--rename-command", "CONFIG", "")
    none = await run_probe("redis", url=start(*BOUNDED, *hidden).url, **PATIENT)
    with in_step(start, 1, *hidden) as master:
        some = await run_probe("redis", url=master.url, **PATIENT)
        declared = await run_probe("redis", url=master.url, min_replicas_to_write=1, **PATIENT)
        higher = await run_probe("redis", url=master.url, min_replicas_to_write=2, **PATIENT)
    assert bad(none) == {"good replicas": Verdict.FAIL}
    assert (some.verdict, some.reason) == (Verdict.UNKNOWN, Reason.FORBIDDEN)
    assert "Allow +config|get" in line(some, "good replicas").hint
    assert "min_replicas_to_write" in line(some, "good replicas").hint
    assert declared.verdict is Verdict.PASS
    assert bad(higher) == {"good replicas": Verdict.FAIL}


async def test_a_replica_needs_no_replicas_of_its_own(
    start: Start, run_probe: RunProbe, nowhere: int
) -> None:
    server = start(*BOUNDED, "--replicaof", f"127.0.0.1 {nowhere}", "--min-replicas-to-write", "1")
    outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert bad(outcome) == {"replication": Verdict.FAIL}


# Not reached


async def test_a_closed_port_says_where_to_start_the_server(run_probe: RunProbe, nowhere: int) -> None:
    outcome = await run_probe("redis", url=f"redis://:hidden@127.0.0.1:{nowhere}/0")
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.REFUSED)
    assert outcome.summary == f"Connection refused by 127.0.0.1:{nowhere}."
    assert outcome.hint == "Start it, or correct the address."


async def test_a_closed_port_behind_a_name_is_refused_too(run_probe: RunProbe, nowhere: int) -> None:
    outcome = await run_probe("redis", url=f"redis://localhost:{nowhere}")
    assert outcome.reason is Reason.REFUSED


async def test_a_socket_file_that_is_not_there_is_a_refusal(run_probe: RunProbe, tmp_path: Path) -> None:
    outcome = await run_probe("redis", url=f"unix://{tmp_path}/none.sock")
    assert outcome.reason is Reason.REFUSED


@pytest.mark.parametrize("host", ["[::1%25no-such-interface]", "a" * 64])
async def test_a_host_that_does_not_resolve(run_probe: RunProbe, host: str) -> None:
    outcome = await run_probe("redis", url=f"redis://{host}:6379")
    assert outcome.reason is Reason.DNS


@pytest.mark.parametrize(
    "url",
    [
        "",
        "  ",
        "localhost:6379",
        "http://localhost",
        "redis://localhost:port",
        "redis://localhost:99999",
        "redis://localhost/first",
        "redis://localhost?db=first",
        "redis://:hid/den@localhost",
        "redis://:#hidden@localhost:6379/0",
        "redis://:12#hidden@localhost:6379/0",
        "redis://:?hidden@localhost:6379/0",
        "redis://",
        "redis://[::1",
        "redis://localhost?no_such_option=1",
        "rediss://localhost?ssl_cert_reqs=whatever",
    ],
)
async def test_a_bad_address_is_a_matter_of_configuration(run_probe: RunProbe, url: str) -> None:
    outcome = await run_probe("redis", url=url)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert "hid" not in outcome.summary


async def test_a_database_number_out_of_range_is_a_matter_of_configuration(
    start: Start, run_probe: RunProbe
) -> None:
    server = start(*BOUNDED, "--databases", "2")
    outcome = await run_probe("redis", url=f"redis://127.0.0.1:{server.port}/7", **PATIENT)
    assert outcome.reason is Reason.CONFIG


@pytest.mark.parametrize("user", ["", ":wrong-word@", "nobody:wrong-word@"])
@pytest.mark.parametrize("protocol", [2, 3])
async def test_without_the_right_password_nobody_is_let_in(
    start: Start, run_probe: RunProbe, user: str, protocol: int
) -> None:
    server = start(*BOUNDED, "--requirepass", "right-word")
    outcome = await run_probe(
        "redis", url=f"redis://{user}127.0.0.1:{server.port}?protocol={protocol}", **PATIENT
    )
    assert outcome.reason is Reason.AUTH
    assert "wrong-word" not in outcome.summary
    right = f"redis://:right-word@127.0.0.1:{server.port}?protocol={protocol}"
    assert (await run_probe("redis", url=right, **PATIENT)).verdict is Verdict.PASS


async def test_a_user_who_may_not_look_learns_which_permission_is_missing(
    start: Start, run_probe: RunProbe
) -> None:
    server = start(*BOUNDED)
    server.run("ACL", "SETUSER", "blind", "on", ">blindly", "resetkeys", "-@all", "+ping")
    outcome = await run_probe("redis", url=f"redis://blind:blindly@127.0.0.1:{server.port}", **PATIENT)
    assert outcome.reason is Reason.FORBIDDEN
    assert "+ping +info" in outcome.hint


async def test_a_server_without_info_cannot_be_judged(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED, "--rename-command", "INFO", "")
    assert (await run_probe("redis", url=server.url, **PATIENT)).reason is Reason.FORBIDDEN


async def test_a_server_of_the_older_protocol_is_named_and_can_be_asked_in_it(
    start: Start, run_probe: RunProbe
) -> None:
    server = start(*BOUNDED, "--rename-command", "HELLO", "", "--requirepass", "right-word")
    url = f"redis://:right-word@127.0.0.1:{server.port}"
    outcome = await run_probe("redis", url=url, **PATIENT)
    assert outcome.reason is Reason.CONFIG
    assert "?protocol=2" in outcome.hint
    assert "right-word" not in outcome.summary
    assert (await run_probe("redis", url=f"{url}?protocol=2", **PATIENT)).verdict is Verdict.PASS


async def test_a_server_that_hangs_is_told_before_the_deadline(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED, "--enable-debug-command", "yes")
    with server.send("DEBUG SLEEP 600"):
        outcome = await asyncio.wait_for(run_probe("redis", url=server.url, timeout="3s"), 30)
    assert outcome.reason is Reason.TIMEOUT
    assert "did not answer within 1 s" in outcome.summary


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
async def test_a_silent_listener_is_a_timeout(run_probe: RunProbe, scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = (
            f"{scheme}://127.0.0.1:{listener.getsockname()[1]}?socket_timeout=600&socket_connect_timeout=600"
        )
        outcome = await asyncio.wait_for(run_probe("redis", url=url, timeout="1s"), 30)
    assert outcome.reason is Reason.TIMEOUT


async def test_a_web_server_on_the_port_is_another_kind_of_server(run_probe: RunProbe) -> None:
    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        try:
            outcome = await run_probe("redis", url=f"redis://:hidden@127.0.0.1:{web.server_port}")
        finally:
            web.shutdown()
            thread.join()
    assert outcome.reason is Reason.PROTOCOL
    assert "hidden" not in outcome.summary


async def test_a_server_that_hangs_up_at_once_is_another_kind_of_server(run_probe: RunProbe) -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        outcome = await run_probe("redis", url=f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert outcome.reason is Reason.PROTOCOL


@pytest.mark.parametrize("steps", range(8))
async def test_a_cancelled_run_hangs_up(run_probe: RunProbe, steps: int) -> None:
    connected, gone = asyncio.Event(), asyncio.Event()

    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()
        await reader.read()
        writer.close()
        await writer.wait_closed()
        gone.set()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    async with server:
        url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        run = asyncio.create_task(run_probe("redis", url=url, timeout="10m"))
        await asyncio.wait_for(connected.wait(), 20)
        for _ in range(steps):
            await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        await asyncio.wait_for(gone.wait(), 20)


# TLS


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[Tls]:
    with encrypted_server(tmp_path / "encrypted", *BOUNDED) as encrypted:
        yield encrypted


async def test_tls_with_a_trusted_certificate_passes(encrypted: Tls, run_probe: RunProbe) -> None:
    server, certificate = encrypted
    url = f"rediss://127.0.0.1:{server.port}?ssl_ca_certs={certificate}"
    assert (await run_probe("redis", url=url, **PATIENT)).verdict is Verdict.PASS


async def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    encrypted: Tls, run_probe: RunProbe
) -> None:
    outcome = await run_probe("redis", url=f"rediss://127.0.0.1:{encrypted[0].port}", **PATIENT)
    assert outcome.reason is Reason.TLS
    assert "not trusted" in outcome.summary


async def test_plain_redis_to_a_tls_port_names_the_remedy(encrypted: Tls, run_probe: RunProbe) -> None:
    outcome = await run_probe("redis", url=encrypted[0].url, **PATIENT)
    assert outcome.reason is Reason.TLS
    assert "rediss://" in outcome.hint


async def test_tls_to_a_plain_port_names_the_remedy(start: Start, run_probe: RunProbe) -> None:
    url = f"rediss://127.0.0.1:{start(*BOUNDED).port}"
    outcome = await run_probe("redis", url=url, timeout="3s")
    assert outcome.reason is Reason.TLS
    assert "plain Redis" in outcome.summary


async def test_a_certificate_file_that_is_not_there_is_a_matter_of_configuration(
    run_probe: RunProbe, tmp_path: Path, nowhere: int
) -> None:
    url = f"rediss://127.0.0.1:{nowhere}?ssl_ca_certs={tmp_path}/none.pem"
    assert (await run_probe("redis", url=url)).reason is Reason.CONFIG


# Servers that are only like Redis


@contextlib.asynccontextmanager
async def scripted(
    info: str, refused: bytes = b"", config: bytes = b"-ERR unknown command 'CONFIG'\r\n"
) -> AsyncIterator[str]:
    """Answer HELLO and PING, INFO and CONFIG with these, or refuse every command with this line."""

    serving: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(serve(reader, writer)))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while count := (await reader.readline())[1:].strip():
                words = []
                for _ in range(int(count)):
                    await reader.readline()
                    words.append((await reader.readline()).strip())
                if refused:
                    writer.write(refused)
                elif words[0] == b"HELLO":
                    writer.write(b"%1\r\n$5\r\nproto\r\n:3\r\n")
                elif words[0] == b"CONFIG":
                    writer.write(config)
                elif words == [b"INFO", b"all"]:
                    writer.write(b"-ERR syntax error\r\n")
                elif words[0] == b"INFO":
                    writer.write(b"$%d\r\n%s\r\n" % (len(info), info.encode()))
                else:
                    writer.write(b"+PONG\r\n")
                await writer.drain()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.wait_for(asyncio.gather(*serving), 20)


async def test_limits_that_the_server_does_not_tell_are_unknown_until_declared(run_probe: RunProbe) -> None:
    sparse = "redis_version:6.0.0\r\nconnected_clients:5\r\nused_memory:1000\r\nmaxmemory:100000\r\n"
    async with scripted(sparse) as url:
        outcome = await run_probe("redis", url=url, **PATIENT)
        declared = await run_probe("redis", url=url, maxclients=100, **PATIENT)
    assert (outcome.verdict, bad(outcome)) == (Verdict.UNKNOWN, {"clients": Verdict.UNKNOWN})
    assert "maxclients" in outcome.hint
    assert declared.verdict is Verdict.PASS


async def test_an_older_server_is_asked_for_its_client_limit(run_probe: RunProbe) -> None:
    sparse = "redis_version:6.0.0\r\nconnected_clients:5\r\nused_memory:1000\r\nmaxmemory:100000\r\n"
    async with scripted(sparse, config=b"%1\r\n$10\r\nmaxclients\r\n$3\r\n100\r\n") as url:
        outcome = await run_probe("redis", url=url, **PATIENT)
    assert (outcome.verdict, line(outcome, "clients").observed) == (Verdict.PASS, 5)


async def test_a_server_that_tells_nothing_is_never_a_pass(run_probe: RunProbe) -> None:
    async with scripted("") as url:
        outcome = await run_probe("redis", url=url, **PATIENT)
    assert outcome.verdict is Verdict.UNKNOWN


async def test_protected_mode_lets_nobody_in(run_probe: RunProbe) -> None:
    async with scripted("", b"-DENIED Redis is running in protected mode\r\n") as url:
        assert (await run_probe("redis", url=url, **PATIENT)).reason is Reason.AUTH


async def test_an_answer_that_repeats_the_password_is_not_shown(run_probe: RunProbe) -> None:
    async with scripted("", b"-STRANGE HELLO 3 AUTH default hidden\r\n") as url:
        outcome = await run_probe("redis", url=url.replace("//", "//:hidden@"), **PATIENT)
    assert outcome.reason is Reason.PROTOCOL
    assert "hidden" not in outcome.summary


# Parameters


@pytest.mark.parametrize(
    "raw",
    [
        {"latency_warn": "soon"},
        {"clients_warn": -1},
        {"role": "database"},
        {"maxclients": 1.5},
        {"no_such_key": 1},
    ],
)
def test_impossible_parameters_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        convert(raw, RedisParameters)


async def test_a_line_without_an_end_is_another_protocol(run_probe: RunProbe) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(b"x" * 200_000)
            await writer.drain()
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        outcome = await run_probe("redis", url=f"redis://127.0.0.1:{port}", **PATIENT)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.PROTOCOL)


# What counters say, from look to look


@pytest.fixture
def look_again(runner: Runner) -> RunProbe:
    """Look, telling the probe what it kept the last time."""

    async def look(last: Outcome, **raw: object) -> Outcome:
        return await runner.run("redis", raw, last.memory)

    return look


async def test_refused_clients_fail_while_it_goes_on_warn_once_and_are_then_forgotten(
    start: Start, run_probe: RunProbe, look_again: RunProbe
) -> None:
    server = start(*BOUNDED, "--maxclients", "10")
    ask = {**PATIENT, "url": server.url, "clients_warn": 1000, "clients_fail": 1000}
    first = await run_probe("redis", **ask)
    with occupied(server, 8), turned_away(server):
        going_on = await look_again(first, **{**ask, "watch": "2s"})
    until(lambda: server.run("INFO", "clients")["connected_clients"] == 1)
    repaired = await look_again(first, **ask)
    forgotten = await look_again(repaired, **ask)
    anew = await run_probe("redis", **ask)

    assert line(first, "refused clients").message.startswith("No connections were turned away")
    assert bad(going_on) == {"refused clients": Verdict.FAIL}
    assert "maxclients 20" in going_on.hint
    assert bad(repaired) == {"refused clients": Verdict.WARN}
    assert ", none of them in the last 0.1 s." in repaired.summary
    assert "run this again" in repaired.hint
    assert line(repaired, "refused clients").observed == repaired.metrics["rejected_connections_total"] > 0
    assert (bad(forgotten), bad(anew)) == ({}, {})
    assert line(forgotten, "refused clients").observed == line(anew, "refused clients").observed == 0


async def test_refused_writes_are_told_the_same_way(
    start: Start, run_probe: RunProbe, look_again: RunProbe
) -> None:
    server = start(*FULL)
    ask = {**PATIENT, "url": server.url}
    first = await run_probe("redis", **ask)
    server.fill()
    with writing(server):
        going_on = await look_again(first, **{**ask, "watch": "2s"})
    server.run("CONFIG", "SET", "maxmemory", "100mb")
    repaired = await look_again(first, **ask)
    forgotten = await look_again(repaired, **ask)
    assert bad(going_on) == {"memory": Verdict.FAIL, "refused writes": Verdict.FAIL}
    assert bad(repaired) == {"refused writes": Verdict.WARN}
    assert forgotten.verdict is Verdict.PASS


async def test_one_evicted_key_is_a_finding_where_data_must_stay(
    start: Start, run_probe: RunProbe, look_again: RunProbe
) -> None:
    server = start(*FULL, "--maxmemory-policy", "volatile-lru")
    ask = {**PATIENT, "url": server.url, "role": "session"}
    first = await run_probe("redis", **ask)
    server.fill(expiring=True)
    server.run("CONFIG", "SET", "maxmemory", "100mb")
    lost = await look_again(first, **ask)
    assert bad(lost) == {"evictions": Verdict.WARN}
    assert line(lost, "evictions").observed == lost.metrics["evicted_keys_total"] > 0
    assert (await look_again(lost, **ask)).verdict is Verdict.PASS


async def test_the_own_refused_write_is_not_held_against_the_server_the_next_time(
    start: Start, run_probe: RunProbe, look_again: RunProbe
) -> None:
    server = start(*FULL)
    server.fill()
    server.run("CONFIG", "SET", "maxmemory", "1mb")
    ask = {**PATIENT, "url": server.url}
    refused = await run_probe("redis", **ask, write_test=True)
    server.run("CONFIG", "SET", "maxmemory", "100mb")
    assert bad(refused) == {"memory": Verdict.FAIL, "write test": Verdict.FAIL}
    assert (await look_again(refused, **ask, write_test=True)).verdict is Verdict.PASS


@pytest.mark.parametrize("what", ["restart", "reset"])
async def test_counters_of_another_run_are_not_compared(
    tmp_path: Path, run_probe: RunProbe, look_again: RunProbe, what: str
) -> None:
    ask = {**PATIENT, "memory_warn": 1000, "memory_fail": 1000}
    with redis_server(tmp_path / "first", *FULL) as server:
        server.fill()
        last = await run_probe("redis", url=server.url, **ask)
        if what == "reset":
            server.run("CONFIG", "RESETSTAT")
            server.run("CONFIG", "SET", "maxmemory", "1500kb")
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                server.run("SET", "key", "value")
            again = await look_again(last, url=server.url, **ask)
    if what == "restart":
        with redis_server(tmp_path / "second", *FULL) as server:
            server.fill()
            again = await look_again(last, url=server.url, **ask)
        assert "restarted" in line(again, "uptime").message
    assert again.verdict is Verdict.PASS
    assert "since the server's start, none in the last 0.1 s" in line(again, "refused writes").message


async def test_a_healthy_server_is_not_watched(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED)
    outcome = await run_probe("redis", url=server.url, latency_warn="1m", timeout="600s", watch="60s")
    assert outcome.duration < 30


def rates(since: dict[str, int], uptime: int = 100_000, **raw: object) -> dict[str, Check]:
    """Judge a cache whose counters grew like this in the last 5 min."""
    params = convert({"role": "cache", **raw}, RedisParameters)
    total = {"evicted": 10**6, "hits": 10**6, "misses": 10**6}
    grown = Growth(total, since, {}, interval=300.0, watched=0.0)
    return {check.name: check for check in judge(grown, {"uptime_in_seconds": uptime}, params)}


@pytest.mark.parametrize(
    ("hits", "misses", "verdict"), [(1600, 400, "pass"), (1599, 401, "warn"), (0, 1001, "warn")]
)
def test_a_cache_that_misses_is_degraded(hits: int, misses: int, verdict: str) -> None:
    check = rates({"hits": hits, "misses": misses})["hit ratio"]
    assert (check.verdict, check.unit, check.limit) == (verdict, "%", 80)


def test_too_few_lookups_say_nothing_about_a_cache() -> None:
    assert "hit ratio" not in rates({"hits": 0, "misses": 1000})
    assert "hit ratio" not in rates({})


def test_a_cache_that_warms_up_is_healthy() -> None:
    cold = {"hits": 100, "misses": 10_000}
    assert rates(cold)["hit ratio"].verdict is Verdict.WARN
    assert rates(cold, uptime=1800)["hit ratio"].verdict is Verdict.PASS
    assert rates({**cold, "flushes": 1})["hit ratio"].verdict is Verdict.PASS
    assert rates(cold, hit_ratio_warn=0)["hit ratio"].verdict is Verdict.PASS


async def test_a_flush_is_seen_by_the_next_look(
    start: Start, run_probe: RunProbe, look_again: RunProbe
) -> None:
    server = start(*BOUNDED, "--maxmemory-policy", "allkeys-lru")
    ask = {**PATIENT, "url": server.url, "role": "cache"}
    first = await run_probe("redis", **ask)
    server.run("FLUSHALL")
    with server.client() as client:
        pipeline = client.pipeline(transaction=False)
        for _ in range(1100):
            pipeline.get("nothing")
        pipeline.execute()
    again = await look_again(first, **ask)
    assert (again.verdict, line(again, "hit ratio").observed) == (Verdict.PASS, 0)
    assert again.memory["flushes"] == 1


def test_the_rate_of_evictions_is_averaged_since_the_last_look() -> None:
    assert rates({"evicted": 300 * 100})["evictions"].verdict is Verdict.PASS
    thrashing = rates({"evicted": 300 * 101})["evictions"]
    assert (thrashing.verdict, thrashing.observed, thrashing.unit) == (Verdict.WARN, 101, "1/s")


def test_long_ago_only_what_goes_on_now_counts_as_thrashing() -> None:
    params = convert({"role": "cache"}, RedisParameters)
    for current, verdict in ((0, Verdict.PASS), (4000, Verdict.WARN)):
        grown = Growth({"evicted": 10**7}, {"evicted": 10**7}, {"evicted": current}, 86_400.0, 1.0)
        (check,) = (check for check in judge(grown, {}, params) if check.name == "evictions")
        assert (check.verdict, check.observed) == (verdict, current)


# The memory that there is for a server


def test_a_cgroup_counts_only_for_the_very_process_of_the_server(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(*BOUNDED)
    told = server.run("INFO", "all")
    monkeypatch.setattr("probes.redis.bounds.cgroup_limit", lambda _: 1000)
    total = told["total_system_memory"]
    assert memory_bound(told, server.url) == 1000
    assert memory_bound({**told, "total_system_memory": 0}, server.url) == 1000
    assert memory_bound(told, "unix:///tmp/r.sock") == 1000
    # Elsewhere, or in a container, the number means another process or none.
    assert memory_bound(told, "redis://192.0.2.1:6379") == total
    assert memory_bound({**told, "process_id": 1}, server.url) == total
    assert memory_bound({**told, "executable": "/usr/bin/valkey-server"}, server.url) == total
    assert memory_bound({**told, "uptime_in_seconds": 3600}, server.url) == total
    assert memory_bound({}, server.url) == 0


async def test_memory_is_judged_against_the_cgroup(
    start: Start, run_probe: RunProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start("--maxmemory", "1gb")
    monkeypatch.setattr("probes.redis.bounds.cgroup_limit", lambda _: 512 * 1024 * 1024)
    outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert bad(outcome) == {"memory": Verdict.WARN}
    assert "maxmemory, 1.0 GiB, is more than its cgroup has" in outcome.summary
    assert "of the 512.0 MiB of its cgroup" in outcome.summary
    assert "CONFIG SET maxmemory 384mb" in outcome.hint
    monkeypatch.setattr("probes.redis.bounds.cgroup_limit", lambda _: 8 * 1024 * 1024)
    outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert bad(outcome) == {"memory": Verdict.FAIL}


async def test_resident_memory_is_judged_where_maxmemory_is_a_bound_too(
    start: Start, run_probe: RunProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start("--maxmemory", "3mb")
    resident = server.run("INFO", "memory")["used_memory_rss"]
    monkeypatch.setattr("probes.redis.bounds.cgroup_limit", lambda _: int(resident * 1.05))
    outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert bad(outcome) == {"resident memory": Verdict.WARN}
    outcome = await run_probe("redis", url=server.url, **PATIENT, resident_warn=100)
    assert outcome.verdict is Verdict.PASS


# Slow commands, snapshots and writes


async def test_the_slow_log_counts_what_is_slow_and_recent_and_shows_no_argument(
    start: Start, run_probe: RunProbe
) -> None:
    server = start(*BOUNDED, "--slowlog-log-slower-than", "0")
    for _ in range(20):
        server.run("SET", "hidden-key", "hidden-value")
    ask = {**PATIENT, "url": server.url}
    assert (await run_probe("redis", **ask, slow_command="10s")).verdict is Verdict.PASS
    slow = await run_probe("redis", **ask, slow_command="0ms")
    assert bad(slow) == {"slow log": Verdict.WARN}
    assert "hidden" not in str(slow)
    server.run("SLOWLOG", "RESET")
    assert "SLOWLOG RESET" in slow.hint
    assert (
        await run_probe("redis", **ask, slow_command="0ms", slow_commands_warn=50)
    ).verdict is Verdict.PASS


async def test_without_permission_the_slow_log_is_left_out(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED)
    server.run("ACL", "SETUSER", "watch", "on", ">watching", "resetkeys", "-@all", "+ping", "+info")
    url = f"redis://watch:watching@127.0.0.1:{server.port}"
    outcome = await run_probe("redis", url=url, **PATIENT)
    assert "slow log" not in {check.name for check in outcome.checks}
    server.run("ACL", "SETUSER", "watch", "+slowlog|get")
    assert line(await run_probe("redis", url=url, **PATIENT), "slow log").verdict is Verdict.PASS


async def test_the_age_of_a_snapshot_counts_where_changes_are_at_risk(
    start: Start, run_probe: RunProbe
) -> None:
    server = start(*BOUNDED)
    ask = {**PATIENT, "url": server.url, "snapshot_age_warn": "1ms"}
    assert (await run_probe("redis", **ask)).verdict is Verdict.PASS
    server.run("SET", "key", "value")
    with server.client() as client:
        stats = client.info("all")
        until(lambda: client.time()[0] > stats["rdb_last_save_time"])
    outcome = await run_probe("redis", **ask)
    assert bad(outcome) == {"snapshot age": Verdict.WARN}
    assert "BGSAVE" in outcome.hint
    server.run("CONFIG", "SET", "appendonly", "yes")
    assert "snapshot age" not in {check.name for check in (await run_probe("redis", **ask)).checks}


async def test_a_test_write_leaves_no_key_behind(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED)
    rules = ("resetkeys", "-@all", "+ping", "+info", "+set", "+get", "+del", "~gonogo:probe:*")
    server.run("ACL", "SETUSER", "watch", "on", ">watching", *rules)
    url = f"redis://watch:watching@127.0.0.1:{server.port}"
    outcome = await run_probe("redis", url=url, write_test=True, **PATIENT)
    assert (outcome.verdict, line(outcome, "write test").observed) == (Verdict.PASS, "ok")
    assert server.run("DBSIZE") == 0
    assert server.run("INFO", "stats")["keyspace_hits"] == 1


# Sentinel


async def test_each_master_of_a_sentinel_has_lines_of_its_own(
    start: Start, run_probe: RunProbe, nowhere: int
) -> None:
    master = start(*BOUNDED)
    watching = (
        f"sentinel monitor good 127.0.0.1 {master.port} 1\nsentinel monitor bad 127.0.0.1 {nowhere} 2\n"
    )
    sentinel = start(sentinel=watching)
    outcome = await run_probe("redis", url=sentinel.url, **PATIENT)
    one = await run_probe("redis", url=sentinel.url, sentinel="good", **PATIENT)
    assert bad(outcome) == {"quorum bad": Verdict.FAIL}
    assert {"master good", "quorum good", "master bad"} < {check.name for check in outcome.checks}
    assert one.verdict is Verdict.PASS
    assert line(one, "quorum").observed == "OK"


async def test_a_sentinel_is_asked_which_replicas_are_in_step(start: Start, run_probe: RunProbe) -> None:
    master = start(*BOUNDED)
    sentinel = start(sentinel=f"sentinel monitor main 127.0.0.1 {master.port} 1\n")
    sentinel.run(
        "ACL", "SETUSER", "watch", "on", ">watching", "-@all", "+ping", "+info", "+sentinel|ckquorum"
    )
    url = f"redis://watch:watching@127.0.0.1:{sentinel.port}"
    outcome = await run_probe("redis", url=url, replicas=1, **PATIENT)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.FORBIDDEN)
    assert "+sentinel|slaves" in line(outcome, "replicas").hint


# Clients


async def test_replicas_count_against_maxclients_as_the_server_counts_them(
    start: Start, run_probe: RunProbe
) -> None:
    server = start(*BOUNDED, "--maxclients", "10")
    with contextlib.ExitStack() as held:
        for _ in range(8):
            replica = held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
            replica.sendall(b"PSYNC ? -1\r\n")
            assert replica.recv(1) == b"+"
        outcome = await run_probe("redis", url=server.url, **PATIENT)
    assert line(outcome, "clients").verdict is Verdict.WARN
    assert line(outcome, "clients").observed == 90


def test_no_hint_asks_for_more_than_the_machine_has() -> None:
    info = {"total_system_memory": 16 * 2**30, "maxmemory": 12 * 2**30}
    assert "CONFIG SET" not in more_memory(info)
    assert more_memory({**info, "maxmemory": 8 * 2**30}).startswith("CONFIG SET maxmemory 12288mb")


async def test_without_ping_the_latency_is_unknown(start: Start, run_probe: RunProbe) -> None:
    server = start(*BOUNDED)
    server.run("ACL", "SETUSER", "watch", "on", ">watching", "resetkeys", "-@all", "+info")
    outcome = await run_probe("redis", url=f"redis://watch:watching@127.0.0.1:{server.port}", **PATIENT)
    assert (outcome.reason, bad(outcome)) == (Reason.FORBIDDEN, {"latency": Verdict.UNKNOWN})
