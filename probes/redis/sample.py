"""What one look at a server brought: plain data, between the wire and the judgement."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from probes.outcome import Check, Verdict

Info = Mapping[str, Any]
"""The fields of INFO: numbers, texts, and mappings of these."""


class SlowCommand(NamedTuple):
    """An entry of the slow log.

    Attributes:
        name: The command's first word; its arguments may be secrets.
        at: When it ran, in seconds since 1970 by the server's clock.
        took: Milliseconds.
    """

    name: str
    at: float
    took: float


class Sample(NamedTuple):
    """What one look at a server brought.

    Attributes:
        where: HOST:PORT or the path of the socket; never user information.
        info: The fields of INFO; empty if the server refuses even that.
        refusal: What PING was answered instead of PONG, beginning with its code; empty if it was PONG or PING
            is not permitted.
        memory_bound: Bytes that the server's machine, or its cgroup, has for it; 0 if nobody tells.
        cluster: The fields of CLUSTER INFO; empty if asking is not permitted, None outside a cluster.
        quorums: Of a Sentinel: for each master, what CKQUORUM was answered; empty if asking is not permitted.
        replicas: Of a Sentinel: for each master, how many of its replicas are in step; empty if asking is not
            permitted, or was not needed.
        min_replicas_to_write: Fewer good replicas than this and writes are refused; None if that is off or
            asking is not permitted.
        may_ping: Whether PING is answered with PONG.
        pings: Round trips in ms.
        slow: The slow log; None if asking is not permitted.
        later: The fields of INFO `watched` seconds after `info`; None if nothing had to be watched.
        watched: Seconds between `info` and `later`.
        written: What became of the test write: `ok`, or the code of its refusal; empty if there was none.
    """

    where: str
    info: Info
    refusal: str = ""
    memory_bound: int = 0
    cluster: Mapping[str, str] | None = None
    quorums: Mapping[str, str] = {}
    replicas: Mapping[str, int] = {}
    min_replicas_to_write: int | None = None
    may_ping: bool = False
    pings: tuple[float, ...] = ()
    slow: tuple[SlowCommand, ...] | None = None
    later: Info | None = None
    watched: float = 0.0
    written: str = ""


def number(info: Info, field: str) -> float | None:
    """Return a field of INFO that is a number, or None."""
    value = info.get(field)
    return value if isinstance(value, int | float) else None


def lasting(info: Info, command: str) -> str:
    """Return a CONFIG SET with what makes it outlive a restart.

    CONFIG REWRITE is an error where the server was started without a file, as in most containers.
    """
    if info.get("config_file") == "":
        return f"{command}, and set it in the server's start command too"
    return f"{command}, then CONFIG REWRITE"


def evicts_any(info: Info) -> bool:
    """Tell whether the server may already evict any key."""
    return str(info.get("maxmemory_policy", "")).startswith("allkeys-")


def word(
    name: str,
    observed: str,
    limit: str | None,
    words: tuple[str, str],
    verdict: Verdict = Verdict.FAIL,
) -> Check:
    """Return the line of evidence of a word; the hint, the second of `words`, is left out of a pass."""
    message, hint = words
    return Check(
        name=name,
        verdict=verdict,
        observed=observed,
        limit=limit,
        message=message,
        hint="" if verdict is Verdict.PASS else hint,
    )


def masters(info: Info) -> dict[str, Info]:
    """Return what a Sentinel tells of the masters it watches, by their names."""
    told = [value for field, value in info.items() if field.removeprefix("master").isdecimal()]
    return {str(one["name"]): one for one in told if isinstance(one, dict) and "name" in one}


def server_time(info: Info, otherwise: float) -> float:
    """Return the time by the server's clock, in seconds since 1970; `otherwise` if it does not tell."""
    told = number(info, "server_time_usec")
    return told / 1_000_000 if told else otherwise
