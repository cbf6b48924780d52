"""Judges whether the data would survive: snapshots and the append-only file."""

import math
import time
from collections.abc import Iterator

from probes.figures import held, span
from probes.outcome import Check, Verdict
from probes.parameters import seconds
from probes.redis.sample import Info, lasting, number, server_time, word
from probes.redis.settings import RedisParameters

SAVE_AGAIN = (
    "See the server's log, correct space and permissions of its data folder (CONFIG GET dir), then BGSAVE."
)


def judge(info: Info, params: RedisParameters) -> Iterator[Check]:
    """Hold what was saved last against what should be."""
    fields = {"snapshot": ("rdb_last_bgsave_status", SAVE_AGAIN)}
    if info.get("aof_enabled") == 1:
        wait = SAVE_AGAIN.replace("then BGSAVE", "then wait for the next write")
        fields["append-only file"] = ("aof_last_write_status", wait)
        rewrite = SAVE_AGAIN.replace("BGSAVE", "BGREWRITEAOF")
        fields["append-only rewrite"] = ("aof_last_bgrewrite_status", rewrite)
    for name, (field, repair) in fields.items():
        status = str(info.get(field, ""))
        if status == "ok":
            yield word(name, status, "ok", (f"The {name} is ok.", ""), Verdict.PASS)
        elif status:
            line = f"The last {name} failed: data may be lost, and writes refused."
            yield word(name, status, "ok", (line, repair))
    yield from _age(info, params)


def _age(info: Info, params: RedisParameters) -> Iterator[Check]:
    limit, saved = seconds(params.snapshot_age_warn), number(info, "rdb_last_save_time")
    changes = number(info, "rdb_changes_since_last_save")
    if not limit or saved is None or changes is None or info.get("aof_enabled") == 1:
        return
    # Before the first snapshot the server tells when it started.
    age = max(0.0, server_time(info, time.time()) - saved) if changes else 0.0
    figures = f"{changes:.0f} changes are not in a snapshot"
    if changes:
        figures += f", the oldest of them for up to {span(age)}"
    save = lasting(info, "CONFIG SET save '3600 1'")
    hint = f"save them: BGSAVE; then let the server do so by itself: {save}"
    yield held("snapshot age", age, (limit, math.inf), (figures, hint), unit="s")
