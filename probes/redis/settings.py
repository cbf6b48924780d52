"""What the redis probe can be told."""

from typing import Literal

from probes.figures import Count, Limit
from probes.parameters import Duration, Parameters

MIB = 1024 * 1024


class RedisParameters(Parameters, frozen=True):
    """What to look at, what it is for, and where its limits are.

    A figure above its `_warn` limit is degraded, above its `_fail` limit it fails, wherever the other lies.
    Limits in % lie between 0 and 100 unless said otherwise. A default without a source is our own choice.

    Rates come from counters. They are held against what the last look kept, as long as it is the same run of
    the same server; where there is no such look, against a second sample, `watch` later. Only a run of a
    checklist keeps one: `gonogo probe redis` by hand starts without, and leaves none.

    Attributes:
        timeout: The deadline of the whole run, 10 s: a healthy one takes a few ms, or `watch` where a counter
            has moved.
        url: `redis://[[user]:password@]host[:port][/db]`, `rediss://` for TLS, `unix:///path/to.sock?db=0`.
            Special characters in the password are percent-encoded. Database 0 of this machine's server by
            default, as redis-cli. The address may be that of a Sentinel: then the masters it watches are
            judged, through its eyes.
        role: What the data is for. A `cache` is meant to evict; a `queue`, `session` or `store` loses data
            when it does. A store by default, the strictest.
        watch: How long counters are watched to tell what goes on from what is over, 1 s; at most a tenth of
            `timeout`. Nothing is watched, and no time lost, where no counter has moved.
        memory_warn: Use of `maxmemory` in %, unless the policy makes a full server its normal state. 75 and
            90 are what published Redis alert rules use; at 100 % writes are refused.
        memory_fail: As `memory_warn`.
        system_memory_fail: Resident memory in % of the machine's, or of the server's cgroup where it runs on
            this machine, where `maxmemory` sets no bound below that. The kernel's out-of-memory killer goes
            by resident memory; 80 leaves room for the copy that a snapshot makes.
        resident_warn: The same where `maxmemory` does set such a bound: buffers and fragmentation come on top
            of it. 90, a house value, as a server that keeps to a common 75 % of its machine has room below.
        expiring_warn: A cache should have at least this share of keys with an expiry, in %, for the others
            stay until they are evicted: under `volatile-*` and `noeviction` never. 50 is half of them. It
            does not hold where an `allkeys-*` policy works against a `maxmemory`: there Redis' own manual
            advises against expiries.
        eviction_lag_warn: How long the server has been above `maxmemory` without evicting enough;
            0 s, for it is zero even on a busy, full cache.
        eviction_lag_fail: As `eviction_lag_warn`, 1 s.
        evictions_warn: Evicted keys per second above which a cache is thrashing, 100. Averaged since the last
            look where that was 10 s to 15 min ago, over `watch` otherwise: an average over hours would hide a
            cache that thrashes now. In any other role one evicted key is data lost, and degraded.
        hit_ratio_warn: Share of lookups that a cache should answer, in %, below which it is degraded; 80 is
            what published rules use, 0 switches it off. Judged only over more than 1000 lookups
            since the last look, and neither in the first hour of a server nor after a FLUSHALL or FLUSHDB
            since then: a cache that is warming up is healthy.
        clients_warn: Connected clients in % of `maxclients`. 80 and 90 leave room for one more deployment.
        clients_fail: As `clients_warn`.
        maxclients: The connection limit, for a server that does not tell it; 0 reads it from the server.
        blocked_warn: Clients that wait in BLPOP, XREAD and the like; 0 sets no limit, because queues block on
            purpose.
        fragmentation_warn: Resident over used memory, 1.5 and 2 as in the manual of Redis. Judged only where
            it also costs more bytes than `fragmentation_bytes_warn`, for small servers read 4 and more while
            healthy.
        fragmentation_fail: As `fragmentation_warn`, with `fragmentation_bytes_fail`.
        fragmentation_bytes_warn: Bytes, 100 MiB.
        fragmentation_bytes_fail: Bytes, 500 MiB.
        snapshot_age_warn: Age of the last snapshot above which unsaved changes are at risk. 0 s sets no
            limit: declare one where the data has to survive a restart, such as 24h. It does not hold where
            the append-only file is on.
        replicas: How many replicas must be in step, of a server or of each master that a Sentinel watches;
            0 asks for none.
        min_replicas_to_write: The server's setting of this name, where it is on and CONFIG is not permitted;
            0 reads it from the server.
        replication_lag_warn: Silence of a replica's master while the link is up, and of a master's replicas;
            15 s, for an idle master pings every 10 s.
        sentinel: Name of the one master to judge, where the address is a Sentinel's; empty for all that it
            watches.
        latency_warn: The slowest of 20 PINGs, round trip; 10 ms and 50 ms suit a server in the same network.
        latency_fail: As `latency_warn`.
        slow_command: How long a command of the slow log took to count as slow, 10 ms: the server's own
            default for `slowlog-log-slower-than`.
        slow_commands_warn: Slow commands in the last 15 min, 10. The slow log is read only where that is
            permitted (`+slowlog|get`).
        uptime_warn: How long the server should be up. 0 s sets no limit, because a restart is a usual repair
            on release night; uptime and restarts are told in any case.
        write_test: Also write, read and delete one key, `gonogo:probe:<random>`, which expires after 10 s.
            Off, because it writes. It needs `+set +get +del ~gonogo:probe:*`.
    """

    timeout: Duration = "10s"
    url: str = "redis://localhost:6379/0"
    role: Literal["cache", "queue", "session", "store"] = "store"
    watch: Duration = "1s"
    memory_warn: Limit = 75.0
    memory_fail: Limit = 90.0
    system_memory_fail: Limit = 80.0
    resident_warn: Limit = 90.0
    expiring_warn: Limit = 50.0
    eviction_lag_warn: Duration = "0s"
    eviction_lag_fail: Duration = "1s"
    evictions_warn: Limit = 100.0
    hit_ratio_warn: Limit = 80.0
    clients_warn: Limit = 80.0
    clients_fail: Limit = 90.0
    maxclients: Count = 0
    blocked_warn: Count = 0
    fragmentation_warn: Limit = 1.5
    fragmentation_fail: Limit = 2.0
    fragmentation_bytes_warn: Count = 100 * MIB
    fragmentation_bytes_fail: Count = 500 * MIB
    snapshot_age_warn: Duration = "0s"
    replicas: Count = 0
    min_replicas_to_write: Count = 0
    replication_lag_warn: Duration = "15s"
    sentinel: str = ""
    latency_warn: Duration = "10ms"
    latency_fail: Duration = "50ms"
    slow_command: Duration = "10ms"
    slow_commands_warn: Count = 10
    uptime_warn: Duration = "0s"
    write_test: bool = False
