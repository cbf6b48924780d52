"""Judges what a Sentinel sees: its masters, their replicas, and whether a failover would find its quorum."""

from collections.abc import Iterator

from probes.outcome import CannotTell, Check, Reason, Verdict
from probes.redis.sample import Info, Sample, masters, word
from probes.redis.settings import RedisParameters

_DOWN = {
    "odown": "the Sentinels agree that it is down (o_down)",
    "sdown": "this Sentinel does not reach it (s_down)",
}


def judge(sample: Sample, params: RedisParameters) -> Iterator[Check]:
    """Judge the masters that were asked for.

    Where they are several, the names of the checks end in the name of the master.

    Raises:
        CannotTell: With `config`, if the Sentinel does not watch the master that was asked for.
    """
    watched = masters(sample.info)
    if params.sentinel and params.sentinel not in watched:
        raise CannotTell(
            Reason.CONFIG,
            f"The Sentinel at {sample.where} watches {', '.join(watched) or 'nothing'}, and no other master.",
            "Correct the parameter sentinel.",
        )
    if not watched:
        words = (f"The Sentinel at {sample.where} watches no master.", "Give it one: SENTINEL MONITOR.")
        yield word("master", "none", None, words)
    if sample.info.get("sentinel_tilt") == 1:
        line = "This Sentinel is in TILT: its clock jumped or it was held up, and it fails nothing over."
        yield word(
            "tilt",
            "yes",
            "no",
            (line, "Look for load and clock jumps on its machine, wait 30 s, then look again."),
            Verdict.WARN,
        )
    judged = [params.sentinel] if params.sentinel else list(watched)
    for name in judged:
        suffix = f" {name}" if len(judged) > 1 else ""
        yield _master(name, watched[name], suffix)
        yield from _replicas(name, sample.replicas.get(name), suffix, params)
        yield _quorum(name, sample.quorums.get(name, ""), suffix)


def _master(name: str, told: Info, suffix: str) -> Check:
    status, address = str(told.get("status", "unknown")), told.get("address", "?")
    others = f"{told.get('slaves', '?')} replicas, {told.get('sentinels', '?')} Sentinels"
    if status == "ok":
        words = (f"Master {name} at {address} is up, with {others}.", "")
        return word(f"master{suffix}", status, "ok", words, Verdict.PASS)
    line = f"Master {name} at {address} is down: {_DOWN.get(status, status)}; {others}."
    hint = f"Start it, or have a replica take over: SENTINEL FAILOVER {name}."
    return word(f"master{suffix}", status, "ok", (line, hint))


def _replicas(name: str, count: int | None, suffix: str, params: RedisParameters) -> Iterator[Check]:
    if not params.replicas:
        return
    if count is None:
        # INFO counts those that were ever seen, dead ones too.
        line = f"To ask which replicas of {name} are in step is not permitted."
        hint = "Allow it: ACL SETUSER <user> +sentinel|slaves."
        yield Check(
            name=f"replicas{suffix}", verdict=Verdict.UNKNOWN, limit=params.replicas, message=line, hint=hint
        )
        return
    enough = count >= params.replicas
    yield Check(
        name=f"replicas{suffix}",
        verdict=Verdict.PASS if enough else Verdict.FAIL,
        observed=count,
        limit=params.replicas,
        message=f"Master {name} has {count} of {params.replicas} expected replicas in step.",
        hint=""
        if enough
        else f"Start the missing ones: SENTINEL REPLICAS {name} tells what it knows of each.",
    )


def _quorum(name: str, answer: str, suffix: str) -> Check:
    code = answer.partition(" ")[0]
    check = f"quorum{suffix}"
    if code == "OK":
        return word(
            check, code, "OK", (f"A failover of {name} would find its quorum: {answer}.", ""), Verdict.PASS
        )
    if not answer:
        line = f"To ask whether a failover of {name} would find its quorum is not permitted."
        hint = "Allow it: ACL SETUSER <user> +sentinel|ckquorum."
        return Check(name=check, verdict=Verdict.UNKNOWN, limit="OK", message=line, hint=hint)
    line = f"A failover of {name} would not find its quorum: {answer.rstrip('.')}."
    hint = f"Start the missing Sentinels, and look for the network between them: SENTINEL SENTINELS {name}."
    return word(check, code, "OK", (line, hint))
