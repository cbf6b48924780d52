"""Is this machine fit for the release: has it room, does it run what it must, and listen only where it may?

It looks at the machine gonogo runs on. In a container the limits of the container's control group count for
memory, where they are tighter; load, pressure, swap and uptime are the whole machine's.
"""

from collections.abc import Callable, Iterator
from functools import partial

from probes.host import clock, processes, room
from probes.host.parameters import HostParameters
from probes.outcome import CannotTell, Check, Memory, Outcome, Reason, Verdict, conclude

__all__ = ["HostParameters", "probe"]

_METRICS = {
    "memory": "memory_available_percent",
    "memory pressure": "memory_pressure_percent",
    "memory stall": "memory_stall_percent",
    "cpu pressure": "cpu_pressure_percent",
    "io pressure": "io_pressure_percent",
    "swap": "swap_used_percent",
    "load": "load_per_core",
    "throttling": "throttled_percent",
    "files": "files_used_percent",
    "clock": "clock_skew_s",
    "uptime": "uptime_s",
}
_DISK_METRICS = {"disk": "disk_free_percent", "inodes": "inodes_free_percent"}


def probe(params: HostParameters, memory: Memory) -> Outcome:
    """Look at one thing after the other. One that cannot be seen does not hide the others."""
    now = room.counters()
    checks: list[Check] = []
    reasons: list[Reason] = []
    for name, look in _looks(params, memory, now):
        try:
            checks += look()
        except CannotTell as doubt:
            checks.append(Check(name=name, verdict=Verdict.UNKNOWN, message=doubt.message, hint=doubt.hint))
            reasons.append(doubt.reason)
    metrics = _metrics(checks)
    return conclude(
        checks, _summary(metrics, params), metrics, memory=now, reason=next(iter(reasons), Reason.FORBIDDEN)
    )


def _looks(
    params: HostParameters, memory: Memory, now: Memory
) -> Iterator[tuple[str, Callable[[], Iterator[Check]]]]:
    """List what to look at, and what the line is called if it cannot be seen."""
    for path in _given(params.paths) or ["/"]:
        yield f"disk {path}", partial(room.disk, path, params)
    limit, stall_limit = params.memory_pressure_warn, params.memory_stall_fail
    yield "memory", partial(room.memory, params)
    yield "memory pressure", partial(room.pressure, "memory", limit, stall_limit)
    yield "cpu pressure", partial(room.pressure, "cpu", params.cpu_pressure_warn)
    yield "io pressure", partial(room.pressure, "io", params.io_pressure_warn)
    yield "swap", partial(room.swap, params, memory, now)
    yield "load", partial(room.load, params)
    yield "throttling", partial(room.throttling, params, memory, now)
    yield "files", partial(room.files, params)
    yield "uptime", partial(room.uptime, params)
    for pattern in _given(params.files_of):
        yield f"files of {pattern}", partial(processes.files_of, pattern, params)
    for words, look, entries in (
        ("listening", processes.listening, params.listening),
        ("not listening", processes.not_listening, params.not_listening),
        ("running", processes.running, params.running),
        ("not running", processes.not_running, params.not_running),
    ):
        for entry in _given(entries):
            yield f"{words} {entry}", partial(look, entry)
    if params.clock.strip():
        yield "clock", partial(clock.clock, params)


def _given(entries: list[str]) -> list[str]:
    """Return the entries once each, without those that a variable left empty."""
    return [*dict.fromkeys(entry.strip() for entry in entries if entry.strip())]


def _metrics(checks: list[Check]) -> dict[str, float]:
    metrics: dict[str, float] = {}
    for check in checks:
        name = _METRICS.get(check.name) or _DISK_METRICS.get(check.name.partition(" ")[0])
        if name and isinstance(check.observed, int | float) and check.unit != "B":
            # Of several disks the fullest.
            metrics[name] = min(metrics.get(name, check.observed), check.observed)
    return metrics


def _summary(metrics: dict[str, float], params: HostParameters) -> str:
    words = {
        "disk_free_percent": "{:.0f} % of the disk free",
        "memory_available_percent": "{:.0f} % of memory available",
        "load_per_core": "load {:.2f} for each core",
    }
    found = [text.format(metrics[name]) for name, text in words.items() if name in metrics]
    lists = (params.listening, params.not_listening, params.running, params.not_running)
    if asked := sum(len(_given(entries)) for entries in lists):
        found.append(f"{asked} of {asked} expectations met")
    return f"This machine is fit: {', '.join(found)}."
