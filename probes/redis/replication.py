"""Judges replication and clusters: the link to the master, the replicas, and the slots that are served."""

import math
import re
from collections.abc import Iterator

from probes.figures import held, span
from probes.outcome import Check, Verdict
from probes.parameters import seconds
from probes.redis.sample import Info, Sample, number, word
from probes.redis.settings import RedisParameters

SLOTS = 16384
"""How many slots every cluster has (the cluster specification of Redis)."""


def judge(sample: Sample, params: RedisParameters) -> Iterator[Check]:
    """Hold a replica's link, a master's replicas and a cluster's slots against what should be."""
    yield from _link(sample.info, params)
    yield from _replicas(sample.info, params)
    yield from _good_replicas(sample, params)
    yield from _cluster(sample)


def _link(info: Info, params: RedisParameters) -> Iterator[Check]:
    if info.get("role") != "slave":
        return
    master = f"{info.get('master_host')}:{info.get('master_port')}"
    status = str(info.get("master_link_status", "unknown"))
    if status != "up":
        yield word("replication", status, "up", _broken(info, master))
        return
    quiet = number(info, "master_last_io_seconds_ago")
    if quiet is None:
        line = f"The server does not tell when it last heard of its master {master}."
        yield Check(
            name="replication", verdict=Verdict.UNKNOWN, message=line, hint="Ask its provider for it."
        )
        return
    limits = (seconds(params.replication_lag_warn), math.inf)
    figures = f"Master {master} was last heard {quiet:.0f} s ago"
    hint = "check the master's load and the network between them"
    yield held("replication", quiet, limits, (figures, hint), unit="s")


def _broken(info: Info, master: str) -> tuple[str, str]:
    if info.get("master_sync_in_progress") == 1:
        line = f"This replica is being filled by its master {master}, and its data is not complete."
        return line, "Wait until it is through, then look again: INFO replication."
    down = number(info, "master_link_down_since_seconds")
    since = f" for {span(down)}" if down is not None and down >= 0 else ""
    line = f"This replica has had no link to its master {master}{since}, so its data is old."
    return (
        line,
        "Check the master, the network between them, and masterauth: INFO replication, and the server's log.",
    )


def _replicas(info: Info, params: RedisParameters) -> Iterator[Check]:
    told = [
        value for name, value in info.items() if re.fullmatch(r"slave\d+", name) and isinstance(value, dict)
    ]
    online = [replica for replica in told if replica.get("state") == "online"]
    if params.replicas:
        enough = len(online) >= params.replicas
        yield Check(
            name="replicas",
            verdict=Verdict.PASS if enough else Verdict.FAIL,
            observed=len(online),
            limit=params.replicas,
            message=f"{len(online)} of {params.replicas} expected replicas are online.",
            hint="" if enough else "Start the missing ones, and look into their logs.",
        )
    lags = [lag for replica in online if (lag := number(replica, "lag")) is not None]
    if lags:
        figures = f"Of {len(lags)} replicas the quietest was last heard {max(lags):.0f} s ago"
        hint = "look for the replica's load and the network between them: INFO replication"
        limits = (seconds(params.replication_lag_warn), math.inf)
        yield held("replica lag", max(lags), limits, (figures, hint), unit="s")


def _good_replicas(sample: Sample, params: RedisParameters) -> Iterator[Check]:
    good = number(sample.info, "min_slaves_good_slaves")
    # The field is there only where the setting is on, and a replica does not heed it.
    if good is None or sample.info.get("role") == "slave":
        return
    needed = params.min_replicas_to_write or sample.min_replicas_to_write
    if good and not needed:
        verdict = Verdict.UNKNOWN
        line = f"{good:.0f} replicas are good; to ask how many writes need is not permitted."
        hint = "Allow +config|get, or declare it as min_replicas_to_write."
    else:
        needed = needed or 1
        verdict = Verdict.PASS if good >= needed else Verdict.FAIL
        line = f"{good:.0f} of {needed} good replicas that writes need (min-replicas-to-write)"
        line += "." if good >= needed else ": writes are refused."
        hint = "" if good >= needed else "Start replicas, or look into their lag: INFO replication."
    yield Check(name="good replicas", verdict=verdict, observed=good, limit=needed, message=line, hint=hint)


def _cluster(sample: Sample) -> Iterator[Check]:
    told = sample.cluster
    if told is None:
        return
    state = told.get("cluster_state", "")
    if not state:
        line = "To ask for the state of the cluster is not permitted."
        hint = "Allow it: ACL SETUSER <user> +cluster|info."
        yield Check(name="cluster", verdict=Verdict.UNKNOWN, limit="ok", message=line, hint=hint)
        return
    if state == "ok":
        words, verdict = ("The cluster is ok.", ""), Verdict.PASS
    else:
        hint = f"Find out which node or slot is missing: redis-cli --cluster check {sample.where}."
        words, verdict = (f"The cluster is in state {state}: keys are refused.", hint), Verdict.FAIL
    yield word("cluster", state, "ok", words, verdict)
    yield _slots(told, sample.where)


def _slots(told: Info, where: str) -> Check:
    assigned, failed, doubted = (
        int(told.get(f"cluster_slots_{kind}", 0)) for kind in ("assigned", "fail", "pfail")
    )
    verdict, hint = Verdict.PASS, ""
    line = f"{assigned} of {SLOTS} slots are assigned"
    if failed:
        line += f", {failed} of them to nodes that have failed"
        hint = "Start the failed nodes, or let a replica take over: CLUSTER NODES, CLUSTER FAILOVER."
    elif doubted:
        line += f", {doubted} of them to nodes that this one does not reach"
        hint = "Check those nodes and the network to them: CLUSTER NODES."
    if assigned < SLOTS:
        hint = f"Assign the others: redis-cli --cluster fix {where}."
    if failed or assigned < SLOTS:
        verdict = Verdict.FAIL
    elif doubted:
        verdict = Verdict.WARN
    return Check(
        name="cluster slots",
        verdict=verdict,
        observed=assigned - failed - doubted,
        limit=SLOTS,
        message=f"{line}.",
        hint=hint,
    )
