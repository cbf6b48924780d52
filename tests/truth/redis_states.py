"""The states of the redis rows of the table of truth."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.servers.redis_server import (
    RedisServer,
    cannot_save,
    closed_port,
    encrypted_server,
    is_busy,
    never_answers,
    occupied,
    redis_cluster,
    redis_server,
    turned_away,
    until,
    writing,
)
from tests.servers.stub import Answer, stub
from tests.truth.table import row

State = Iterator[dict[str, Any]]

# Where speed is not the point, a busy machine must not decide the verdict.
CALM = {"timeout": "30s", "latency_warn": "1m", "latency_fail": "2m", "slow_command": "1m"}
BOUNDED = ("--maxmemory", "64mb")
FULL = ("--maxmemory", "2mb", "--maxmemory-policy")
FEW = ("--maxclients", "10")


def ask(server: RedisServer, **parameters: object) -> dict[str, Any]:
    return {"url": server.url, **CALM, "eviction_lag_warn": "1m", "eviction_lag_fail": "1m", **parameters}


# Healthy


@row("redis", "healthy", "pass")
def healthy(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        yield ask(server)


@row("redis", "healthy, every option on", "pass")
def healthy_in_full(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        server.run("SET", "key", "value")
        server.run("BGSAVE")
        with server.client() as client:
            until(lambda: client.info("persistence")["rdb_changes_since_last_save"] == 0)
        yield ask(server, write_test=True, snapshot_age_warn="1s", blocked_warn=1)


@row("redis", "healthy append-only file", "pass")
def healthy_append_only(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--appendonly", "yes") as server:
        yield ask(server, write_test=True)


@row("redis", "healthy allkeys-lru at 100 % memory", "pass")
def healthy_full_cache(folder: Path) -> State:
    with redis_server(folder, *FULL, "allkeys-lru") as server:
        server.fill()
        yield ask(server, role="cache")


@row("redis", "healthy volatile-lru at 100 % memory, keys expire", "pass")
def healthy_full_volatile(folder: Path) -> State:
    with redis_server(folder, *FULL, "volatile-lru") as server:
        server.fill(expiring=True)
        yield ask(server, role="cache")


@row("redis", "healthy, its counters from before it was repaired", "pass")
def healthy_again(folder: Path) -> State:
    with redis_server(folder, *FULL, "noeviction", *FEW) as server:
        server.fill()
        server.run("CONFIG", "SET", "maxmemory", "64mb")
        with occupied(server, 8), turned_away(server):
            pass
        until(lambda: server.run("INFO", "clients")["connected_clients"] == 1)
        yield ask(server)


@row("redis", "healthy, ACL +ping +info only", "pass")
def acl_least(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        server.run("ACL", "SETUSER", "watch", "on", ">watching", "resetkeys", "-@all", "+ping", "+info")
        yield ask(server, url=f"redis://watch:watching@127.0.0.1:{server.port}/0")


@row("redis", "healthy, CONFIG renamed", "pass")
def config_renamed(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--rename-command", "CONFIG", "") as server:
        yield ask(server)


@row("redis", "healthy, password", "pass")
def password(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--requirepass", "right-word") as server:
        yield ask(server, url=f"redis://:right-word@127.0.0.1:{server.port}")


@row("redis", "healthy, unix socket", "pass")
def unix_socket(folder: Path) -> State:
    # The path of a socket has little room.
    with tempfile.TemporaryDirectory() as short:
        path = Path(short) / "r.sock"
        with redis_server(folder, *BOUNDED, "--unixsocket", str(path)) as server:
            yield ask(server, url=f"unix://{path}?db=1")


@row("redis", "healthy, TLS", "pass")
def tls(folder: Path) -> State:
    with encrypted_server(folder, *BOUNDED) as (server, certificate):
        yield ask(server, url=f"rediss://127.0.0.1:{server.port}?ssl_ca_certs={certificate}")


# Memory


@row("redis", "noeviction full", "fail memory")
def noeviction_full(folder: Path) -> State:
    with redis_server(folder, *FULL, "noeviction") as server:
        server.fill()
        yield ask(server)


@row("redis", "noeviction full, of a cache", "fail memory; warn eviction policy, expiring keys")
def noeviction_full_cache(folder: Path) -> State:
    with redis_server(folder, *FULL, "noeviction") as server:
        server.fill()
        yield ask(server, role="cache")


@row("redis", "volatile-lru without TTLs full", "fail memory; warn expiring keys")
def volatile_full(folder: Path) -> State:
    with redis_server(folder, *FULL, "volatile-lru") as server:
        server.fill()
        yield ask(server, role="cache")


@row("redis", "over maxmemory with nothing to evict", "fail memory, eviction lag; warn expiring keys")
def eviction_lag(folder: Path) -> State:
    with redis_server(folder, *FULL, "volatile-lru") as server:
        server.fill()
        server.run("CONFIG", "SET", "maxmemory", "1500kb")
        with server.client() as client:
            # The server counts how long it has been over its limit.
            until(lambda: client.info("stats")["current_eviction_exceeded_time"] > 1000)
        yield ask(server, role="cache", eviction_lag_warn="0s", eviction_lag_fail="1s")


@row("redis", "80 % full", "warn memory")
def nearly_full(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        server.run("SET", "key", "x" * 20_000_000)
        used = server.run("INFO", "memory")["used_memory"]
        server.run("CONFIG", "SET", "maxmemory", int(used / 0.8))
        yield ask(server)


@row("redis", "maxmemory 0", "warn memory")
def maxmemory_0(folder: Path) -> State:
    with redis_server(folder) as server:
        yield ask(server)


@row("redis", "maxmemory 0 and resident memory at its limit", "fail memory")
def maxmemory_0_full(folder: Path) -> State:
    with redis_server(folder) as server:
        yield ask(server, system_memory_fail=0.0)


@row("redis", "maxmemory above the machine's memory", "warn memory")
def maxmemory_above_all(folder: Path) -> State:
    with redis_server(folder, "--maxmemory", "100000gb") as server:
        yield ask(server)


@row("redis", "a store that evicts any key", "warn eviction policy")
def store_allkeys(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--maxmemory-policy", "allkeys-lru") as server:
        yield ask(server)


@row("redis", "a cache without expiries or bound", "warn memory, eviction policy, expiring keys")
def cache_without_expiries(folder: Path) -> State:
    with redis_server(folder) as server:
        server.run("SET", "key", "value")
        yield ask(server, role="cache")


@row("redis", "fragmented, and it costs bytes", "fail fragmentation")
def fragmented(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        yield ask(server, fragmentation_bytes_warn=0, fragmentation_bytes_fail=0)


# Rates


@row("redis", "evictions thrashing", "warn evictions")
def thrashing(folder: Path) -> State:
    with redis_server(folder, *FULL, "allkeys-lru") as server:
        server.fill()
        with writing(server):
            yield ask(server, role="cache", watch="2s", evictions_warn=20)


@row("redis", "evictions from a session store", "warn eviction policy, evictions")
def evicting_sessions(folder: Path) -> State:
    with redis_server(folder, *FULL, "allkeys-lru") as server:
        server.fill()
        with writing(server):
            yield ask(server, role="session", watch="2s")


@row("redis", "writes refused for lack of memory growing", "fail memory, refused writes")
def refusing_writes(folder: Path) -> State:
    with redis_server(folder, *FULL, "noeviction") as server:
        server.fill()
        with writing(server):
            yield ask(server, watch="2s")


@row("redis", "refused connections growing", "fail refused clients, clients")
def refusing_clients(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, *FEW) as server, occupied(server, 8), turned_away(server):
        yield ask(server, watch="2s")


# Clients and service


@row("redis", "maxclients exhausted", "unknown limit")
def maxclients_exhausted(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, *FEW) as server, occupied(server, 10):
        yield ask(server)


def clients(folder: Path, idle: int) -> State:
    with redis_server(folder, *BOUNDED, *FEW) as server, occupied(server, idle):
        yield ask(server)


@row("redis", "80 % of maxclients", "pass")
def clients_80(folder: Path) -> State:
    yield from clients(folder, 7)


@row("redis", "90 % of maxclients", "warn clients")
def clients_90(folder: Path) -> State:
    yield from clients(folder, 8)


@row("redis", "100 % of maxclients", "fail clients")
def clients_100(folder: Path) -> State:
    yield from clients(folder, 9)


@row("redis", "clients blocked above a declared limit", "warn blocked clients")
def blocked(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server, ExitStack() as waiting:
        for _ in range(2):
            waiting.enter_context(server.send("BLPOP none 0"))
        with server.client() as client:
            until(lambda: client.info("clients")["blocked_clients"] == 2)
        yield ask(server, blocked_warn=1)


@row("redis", "slow log filling", "warn slow log")
def slow_log(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--enable-debug-command", "yes") as server:
        for _ in range(11):
            server.run("DEBUG", "SLEEP", "0.02")
        yield ask(server, slow_command="10ms")


@row("redis", "PINGs above both limits", "fail latency")
def slow_pings(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        yield ask(server, latency_warn="0ms", latency_fail="0ms")


@row("redis", "started a moment ago, uptime declared", "warn uptime")
def young(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        yield ask(server, uptime_warn="1h")


@row("redis", "DEBUG SLEEP", "unknown timeout")
def sleeping(folder: Path) -> State:
    debug = ("--enable-debug-command", "yes")
    with redis_server(folder, *BOUNDED, *debug) as server, server.send("DEBUG SLEEP 600"):
        yield ask(server, timeout="3s")


@row("redis", "busy script", "fail answers")
def busy(folder: Path) -> State:
    script = 'EVAL "while true do end" 0'
    with redis_server(folder, *BOUNDED, "--busy-reply-threshold", "50") as server, server.send(script):
        until(lambda: is_busy(server))
        yield ask(server)


@row("redis", "loading", "fail answers")
def loading(folder: Path) -> State:
    with redis_server(folder, "--enable-debug-command", "yes") as server:
        server.run("DEBUG", "POPULATE", "50000")
        server.run("SAVE")
    slow = ("--key-load-delay", "2000", "--loading-process-events-interval-bytes", "1024")
    with redis_server(folder, *BOUNDED, *slow) as server:
        yield ask(server)


# Persistence


@row("redis", "MISCONF", "fail answers, snapshot")
def misconf(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--enable-protected-configs", "yes", "--save", "3600 1") as server:
        cannot_save(server)
        yield ask(server)


@row("redis", "changes not in a snapshot, age declared", "warn snapshot age")
def unsaved(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        server.run("SET", "key", "value")
        time.sleep(1)
        yield ask(server, snapshot_age_warn="10ms")


# Replication


@contextmanager
def replicated(folder: Path, *options: str) -> Iterator[tuple[RedisServer, RedisServer]]:
    """Start a master with these options and a replica that is in step with it."""
    with redis_server(folder / "master", *BOUNDED, "--repl-diskless-sync-delay", "0", *options) as master:
        to = ("--replicaof", f"127.0.0.1 {master.port}")
        with redis_server(folder / "replica", *BOUNDED, *to) as replica:
            with master.client() as client:
                until(lambda: client.info("replication").get("slave0", {}).get("state") == "online")
            with replica.client() as client:
                until(lambda: client.info("replication")["master_link_status"] == "up")
            yield master, replica


@row("redis", "healthy master with its replica", "pass")
def healthy_master(folder: Path) -> State:
    with replicated(folder) as (master, _):
        yield ask(master, replicas=1, replication_lag_warn="10m")


@row("redis", "healthy replica", "pass")
def healthy_replica(folder: Path) -> State:
    with replicated(folder) as (_, replica):
        yield ask(replica, replication_lag_warn="10m")


@row("redis", "a replica missing", "fail replicas")
def replica_missing(folder: Path) -> State:
    with replicated(folder) as (master, _):
        yield ask(master, replicas=2, replication_lag_warn="10m")


@row("redis", "a replica that lags", "warn replica lag")
def replica_lags(folder: Path) -> State:
    with replicated(folder) as (master, replica):
        os.kill(replica.pid, signal.SIGSTOP)
        with master.client() as client:
            until(lambda: client.info("replication")["slave0"]["lag"] >= 3)
        yield ask(master, replicas=1, replication_lag_warn="1s")


@row("redis", "a replica whose master is silent", "warn replication")
def master_silent(folder: Path) -> State:
    with replicated(folder) as (master, replica):
        os.kill(master.pid, signal.SIGSTOP)
        with replica.client() as client:
            until(lambda: client.info("replication")["master_last_io_seconds_ago"] >= 3)
        yield ask(replica, replication_lag_warn="1s")


@row("redis", "broken replica", "fail replication")
def broken_replica(folder: Path) -> State:
    with closed_port() as port, redis_server(folder, *BOUNDED, "--replicaof", f"127.0.0.1 {port}") as server:
        yield ask(server)


@row("redis", "broken replica that refuses old data", "fail answers, replication")
def broken_replica_silent(folder: Path) -> State:
    with closed_port() as port:
        options = ("--replicaof", f"127.0.0.1 {port}", "--replica-serve-stale-data", "no")
        with redis_server(folder, *BOUNDED, *options) as server:
            yield ask(server)


@row("redis", "a replica being filled", "fail replication")
def replica_filling(folder: Path) -> State:
    slow = ("--repl-diskless-sync-delay", "0", "--rdb-key-save-delay", "60000000")
    with redis_server(folder / "master", *BOUNDED, *slow) as master:
        master.run("SET", "key", "value")
        to = ("--replicaof", f"127.0.0.1 {master.port}")
        with redis_server(folder / "replica", *BOUNDED, *to) as replica:
            with replica.client() as client:
                until(lambda: client.info("replication")["master_sync_in_progress"] == 1)
            yield ask(replica)


@row("redis", "too few good replicas to write", "fail good replicas")
def no_good_replicas(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--min-replicas-to-write", "1") as server:
        yield ask(server)


# Cluster


@row("redis", "healthy cluster", "pass")
def healthy_cluster(folder: Path) -> State:
    with redis_cluster(folder, [60_000] * 3, *BOUNDED) as nodes:
        yield ask(nodes[1], write_test=True)


@row("redis", "cluster without slots", "fail cluster, cluster slots")
def cluster_without_slots(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--cluster-enabled", "yes") as server:
        yield ask(server)


@row("redis", "cluster with some slots unassigned, but up", "fail cluster slots")
def cluster_some_slots(folder: Path) -> State:
    options = ("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no")
    with redis_server(folder, *BOUNDED, *options) as server:
        server.run("CLUSTER", "ADDSLOTSRANGE", "0", "16000")
        until(lambda: server.run("CLUSTER INFO")["cluster_state"] == "ok")
        yield ask(server)


@row("redis", "cluster with a node that one other does not reach", "warn cluster slots")
def cluster_doubt(folder: Path) -> State:
    # Only the one that is asked gives up on the node soon, and alone it may not declare it failed.
    with redis_cluster(folder, [2000, 600_000, 600_000], *BOUNDED) as nodes:
        os.kill(nodes[2].pid, signal.SIGKILL)
        until(lambda: nodes[0].run("CLUSTER INFO")["cluster_slots_pfail"] != "0")
        yield ask(nodes[0])


@row("redis", "cluster with a failed node", "fail cluster, cluster slots")
def cluster_failed(folder: Path) -> State:
    with redis_cluster(folder, [1000] * 3, *BOUNDED) as nodes:
        os.kill(nodes[2].pid, signal.SIGKILL)
        until(lambda: nodes[0].run("CLUSTER INFO")["cluster_slots_fail"] != "0")
        yield ask(nodes[0])


@row("redis", "cluster, CLUSTER INFO not permitted", "unknown forbidden; unknown cluster")
def cluster_forbidden(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--cluster-enabled", "yes") as server:
        server.run("ACL", "SETUSER", "watch", "on", ">watching", "resetkeys", "-@all", "+ping", "+info")
        yield ask(server, url=f"redis://watch:watching@127.0.0.1:{server.port}")


# Sentinel


@contextmanager
def watched(folder: Path, quorum: int = 1) -> Iterator[tuple[RedisServer, RedisServer]]:
    """Start a Sentinel and the master that it watches."""
    with redis_server(folder / "master", *BOUNDED) as master:
        lines = f"sentinel monitor main 127.0.0.1 {master.port} {quorum}\n"
        with redis_server(folder / "sentinel", sentinel=lines) as sentinel:
            with sentinel.client() as client:
                # Before it has looked for the first time, the master has no run id.
                until(lambda: client.sentinel_masters()["main"]["runid"])
            yield sentinel, master


@row("redis", "healthy Sentinel", "pass")
def healthy_sentinel(folder: Path) -> State:
    with watched(folder) as (sentinel, _):
        yield ask(sentinel)


@row("redis", "healthy Sentinel, asked for one master", "pass")
def healthy_sentinel_named(folder: Path) -> State:
    with watched(folder) as (sentinel, _):
        yield ask(sentinel, sentinel="main")


@row("redis", "Sentinel without quorum", "fail quorum")
def sentinel_without_quorum(folder: Path) -> State:
    with watched(folder, quorum=2) as (sentinel, _):
        yield ask(sentinel)


def down(folder: Path, quorum: int, status: str) -> State:
    with watched(folder, quorum) as (sentinel, master):
        sentinel.run("SENTINEL", "SET", "main", "down-after-milliseconds", "200")
        os.kill(master.pid, signal.SIGKILL)
        with sentinel.client() as client:
            until(lambda: client.info("sentinel")["master0"]["status"] == status)
        yield ask(sentinel)


@row("redis", "Sentinel whose master is down, and all agree", "fail master")
def sentinel_o_down(folder: Path) -> State:
    yield from down(folder, 1, "odown")


@row("redis", "Sentinel whose master is down, without quorum", "fail master, quorum")
def sentinel_s_down(folder: Path) -> State:
    yield from down(folder, 2, "sdown")


@row("redis", "Sentinel whose master misses a replica", "fail replicas")
def sentinel_replica_missing(folder: Path) -> State:
    with watched(folder) as (sentinel, _):
        yield ask(sentinel, replicas=1)


@row("redis", "Sentinel whose master's only replica has died", "fail replicas")
def sentinel_replica_dead(folder: Path) -> State:
    with watched(folder) as (sentinel, master):
        sentinel.run("SENTINEL", "SET", "main", "down-after-milliseconds", "200")
        with sentinel.client() as client:
            with redis_server(folder / "replica", *BOUNDED, "--replicaof", f"127.0.0.1 {master.port}"):
                # It learns of replicas from the master, whom it asks every 10 s.
                until(lambda: client.sentinel_slaves("main"), 30)
            until(lambda: client.sentinel_slaves("main")[0]["is_sdown"])
        yield ask(sentinel, replicas=1)


@row("redis", "Sentinel that watches nothing", "fail master")
def sentinel_of_nothing(folder: Path) -> State:
    with redis_server(folder, sentinel="") as sentinel:
        yield ask(sentinel)


@row("redis", "Sentinel in TILT", "warn tilt")
def sentinel_tilt(folder: Path) -> State:
    with watched(folder) as (sentinel, _):
        os.kill(sentinel.pid, signal.SIGSTOP)
        time.sleep(2.5)
        os.kill(sentinel.pid, signal.SIGCONT)
        with sentinel.client() as client:
            until(lambda: client.info("sentinel")["sentinel_tilt"] == 1)
        yield ask(sentinel)


@row("redis", "Sentinel, CKQUORUM not permitted", "unknown forbidden; unknown quorum")
def sentinel_forbidden(folder: Path) -> State:
    with watched(folder) as (sentinel, _):
        sentinel.run("ACL", "SETUSER", "watch", "on", ">watching", "resetkeys", "-@all", "+ping", "+info")
        yield ask(sentinel, url=f"redis://watch:watching@127.0.0.1:{sentinel.port}")


@row("redis", "Sentinel that does not watch this master", "unknown config")
def sentinel_other(folder: Path) -> State:
    with watched(folder) as (sentinel, _):
        yield ask(sentinel, sentinel="other")


@row("redis", "a server where a Sentinel is declared", "unknown config")
def no_sentinel(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        yield ask(server, sentinel="main")


# Test write


@row("redis", "test write, OOM", "fail memory, write test")
def write_oom(folder: Path) -> State:
    with redis_server(folder, *FULL, "noeviction") as server:
        server.fill()
        # What is left of a page may take a small key still.
        server.run("CONFIG", "SET", "maxmemory", "1mb")
        yield ask(server, write_test=True)


@row("redis", "test write, READONLY", "fail write test")
def write_readonly(folder: Path) -> State:
    with replicated(folder) as (_, replica):
        yield ask(replica, write_test=True, replication_lag_warn="10m")


@row("redis", "test write, MISCONF", "fail answers, snapshot, write test")
def write_misconf(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--enable-protected-configs", "yes", "--save", "3600 1") as server:
        cannot_save(server)
        yield ask(server, write_test=True)


@row("redis", "test write, NOREPLICAS", "fail good replicas, write test")
def write_noreplicas(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--min-replicas-to-write", "1") as server:
        yield ask(server, write_test=True)


@row("redis", "test write, cluster without slots", "fail cluster, cluster slots, write test")
def write_clusterdown(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--cluster-enabled", "yes") as server:
        yield ask(server, write_test=True)


@row("redis", "test write, cluster node without slots of its own", "fail write test")
def write_moved(folder: Path) -> State:
    options = (*BOUNDED, "--cluster-enabled", "yes")
    with (
        redis_cluster(folder, [60_000], *BOUNDED) as (full,),
        redis_server(folder / "idle", *options) as idle,
    ):
        bus = full.run("CONFIG", "GET", "cluster-port")["cluster-port"]
        idle.run("CLUSTER", "MEET", "127.0.0.1", full.port, bus)
        until(lambda: idle.run("CLUSTER INFO")["cluster_state"] == "ok")
        yield ask(idle, write_test=True)


@row("redis", "test write, writes paused", "fail write test")
def write_paused(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        server.run("CLIENT", "PAUSE", "600000", "WRITE")
        yield ask(server, write_test=True)


@row("redis", "test write, not permitted", "unknown forbidden; unknown write test")
def write_forbidden(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        server.run("ACL", "SETUSER", "watch", "on", ">watching", "resetkeys", "-@all", "+ping", "+info")
        yield ask(server, write_test=True, url=f"redis://watch:watching@127.0.0.1:{server.port}/0")


# Not let in


def locked(folder: Path, user: str) -> State:
    with redis_server(folder, *BOUNDED, "--requirepass", "right-word") as server:
        yield ask(server, url=f"redis://{user}127.0.0.1:{server.port}")


@row("redis", "wrong password", "unknown auth")
def wrong_password(folder: Path) -> State:
    yield from locked(folder, ":wrong-word@")


@row("redis", "unknown user", "unknown auth")
def unknown_user(folder: Path) -> State:
    yield from locked(folder, "nobody:right-word@")


@row("redis", "no password", "unknown auth")
def no_password(folder: Path) -> State:
    yield from locked(folder, "")


@row("redis", "ACL without +info", "unknown forbidden")
def acl_blind(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        server.run("ACL", "SETUSER", "blind", "on", ">blindly", "resetkeys", "-@all", "+ping")
        yield ask(server, url=f"redis://blind:blindly@127.0.0.1:{server.port}")


@row("redis", "INFO renamed", "unknown forbidden")
def info_renamed(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--rename-command", "INFO", "") as server:
        yield ask(server)


@row("redis", "HELLO renamed", "unknown config")
def hello_renamed(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--rename-command", "HELLO", "") as server:
        yield ask(server)


# Not reached


@row("redis", "closed port", "unknown refused")
def port_closed(_: Path) -> State:
    with closed_port() as port:
        yield {"url": f"redis://127.0.0.1:{port}/0"}


@row("redis", "socket file missing", "unknown refused")
def socket_missing(folder: Path) -> State:
    yield {"url": f"unix://{folder}/none.sock"}


@row("redis", "silent listener", "unknown timeout")
def silent(_: Path) -> State:
    with never_answers() as port:
        yield {"url": f"redis://127.0.0.1:{port}", "timeout": "1s"}


@row("redis", "silent listener, TLS", "unknown timeout")
def silent_tls(_: Path) -> State:
    with never_answers() as port:
        yield {"url": f"rediss://127.0.0.1:{port}", "timeout": "1s"}


@row("redis", "HTTP server on the port", "unknown protocol")
def http_server(_: Path) -> State:
    with stub(lambda _: Answer()) as web:
        yield {"url": f"redis://127.0.0.1:{web.port}", **CALM}


@row("redis", "TLS to plain", "unknown tls")
def tls_to_plain(folder: Path) -> State:
    with redis_server(folder, *BOUNDED) as server:
        yield ask(server, url=f"rediss://127.0.0.1:{server.port}", timeout="3s")


@row("redis", "plain to TLS", "unknown tls")
def plain_to_tls(folder: Path) -> State:
    with encrypted_server(folder, *BOUNDED) as (server, _):
        yield ask(server)


@row("redis", "untrusted certificate", "unknown tls")
def untrusted(folder: Path) -> State:
    with encrypted_server(folder, *BOUNDED) as (server, _):
        yield ask(server, url=f"rediss://127.0.0.1:{server.port}")


@row("redis", "certificate for another name", "unknown tls")
def other_name(folder: Path) -> State:
    with encrypted_server(folder, *BOUNDED) as (server, certificate):
        yield ask(server, url=f"rediss://localhost:{server.port}?ssl_ca_certs={certificate}")


@row("redis", "client certificate wanted", "unknown tls")
def client_certificate(folder: Path) -> State:
    with encrypted_server(folder, *BOUNDED, "--tls-auth-clients", "yes") as (server, certificate):
        yield ask(server, url=f"rediss://127.0.0.1:{server.port}?ssl_ca_certs={certificate}")


@row("redis", "unknown host", "unknown dns")
def unknown_host(_: Path) -> State:
    # Nobody is asked for this name: it is an address with an interface that this machine does not have.
    yield {"url": "redis://[::1%25no-such-interface]:6379", **CALM}


@row("redis", "host name that cannot be one", "unknown dns")
def impossible_host(_: Path) -> State:
    yield {"url": f"redis://{'a' * 64}:6379", **CALM}


@row("redis", "database number out of range", "unknown config")
def database_out_of_range(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--databases", "2") as server:
        yield ask(server, url=f"redis://127.0.0.1:{server.port}/7")


@row("redis", "database number in a cluster", "unknown config")
def database_in_a_cluster(folder: Path) -> State:
    with redis_server(folder, *BOUNDED, "--cluster-enabled", "yes") as server:
        yield ask(server, url=f"redis://127.0.0.1:{server.port}/1")


@row("redis", "database number at a Sentinel", "unknown config")
def database_at_a_sentinel(folder: Path) -> State:
    with redis_server(folder, sentinel="") as server:
        yield ask(server, url=f"redis://127.0.0.1:{server.port}/1")


BAD = {
    "empty": "",
    "no scheme": "localhost:6379",
    "another scheme": "http://localhost",
    "no host": "redis://",
    "port in words": "redis://localhost:port",
    "port above all": "redis://localhost:99999",
    "database in words": "redis://localhost/first",
    "slash in the password": "redis://:hid/den@localhost",
    "hash in the password": "redis://:#hidden@localhost:6379/0",
    "half an IPv6 address": "redis://[::1",
    "unknown option": "redis://localhost?no_such_option=1",
    "bad TLS option": "rediss://localhost?ssl_cert_reqs=whatever",
}


def bad_url(url: str) -> State:
    yield {"url": url}


for _name, _url in BAD.items():
    row("redis", f"bad URL: {_name}", "unknown config")(lambda _, url=_url: bad_url(url))
