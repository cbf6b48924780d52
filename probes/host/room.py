"""Room on this machine: on disks, in memory and swap, for work and for open files; and how long it is up.

What a platform does not tell (`/proc` outside Linux) is left out.
"""

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

from probes import groups
from probes.figures import held, sentence, size, span
from probes.host.parameters import HostParameters
from probes.outcome import CannotTell, Check, Memory, Reason, Verdict
from probes.parameters import seconds

_WATCH_SWAP = 1.0
_LARGE = 10
_FEW_PERIODS = 50
"""Fewer scheduling periods, of a tenth of a second each, say nothing about throttling."""

_SWAP_GROWTH = 0.01
"""The share of all swap by which its use has to have grown to count as growing; our own choice."""

_NEVER = 100.0


def counters() -> dict[str, float | int | str]:
    """Return what only means something when compared with the last run, and what tells a reboot between."""
    import psutil

    found: dict[str, float | int | str] = {"swap_used_bytes": psutil.swap_memory().used}
    try:
        found["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        found["boot"] = ""
    if quotas := groups.cpu_quotas():
        tightest = min(quotas)
        found["cpu_group"] = tightest.group
        found |= {"cpu_periods": tightest.periods, "cpu_throttled": tightest.throttled}
    return found


def grown(name: str, before: Memory, now: Memory) -> float | None:
    """Return by how much a counter has grown since the last run; None if that cannot be known.

    A reboot, or a counter that has become smaller, means that it began anew.
    """
    old, new = before.get(name), now.get(name)
    if isinstance(old, str | None) or isinstance(new, str | None):
        return None
    return new - old if before.get("boot") == now.get("boot") and new >= old else None


def disk(path: str, params: HostParameters) -> Iterator[Check]:
    """Judge the space and the inodes of the disk that a path is on.

    Raises:
        CannotTell: If the path is not there, or on nothing that could fill.
    """
    try:
        stat = os.statvfs(path)
    except OSError as error:
        reason = Reason.FORBIDDEN if isinstance(error, PermissionError) else Reason.MISSING
        found = f"{path} cannot be looked at: {error.strerror}."
        raise CannotTell(reason, found, "Mount that disk, or correct paths.") from None
    left = stat.f_bavail * stat.f_frsize
    # What is reserved for root is neither used nor free to anybody else.
    total = (stat.f_blocks - stat.f_bfree) * stat.f_frsize + left
    if not total:
        raise CannotTell(Reason.CONFIG, f"{path} is on no disk that could fill.", "Correct paths.")
    figures = f"{size(left)} of {size(total)} ({100 * left / total:.0f} %) free on {path}"
    hint = f"find what fills it, delete or move it, or grow the disk: du -xh {path} | sort -h | tail"
    floor = params.disk_fail_bytes
    if left < floor and total > _LARGE * floor:
        yield Check(
            name=f"disk {path}",
            verdict=Verdict.FAIL,
            observed=left,
            unit="B",
            limit=floor,
            message=f"{figures}, limit {size(floor)}.",
            hint=sentence(hint),
        )
    else:
        limits = (params.disk_warn, params.disk_fail)
        yield held(f"disk {path}", 100 * left / total, limits, (figures, hint), falling=True)
    # Some file systems (btrfs, vfat) have no fixed number of inodes and say 0.
    if inodes := stat.f_files - stat.f_ffree + stat.f_favail:
        share = 100 * stat.f_favail / inodes
        figures = f"{stat.f_favail} of {inodes} inodes ({share:.0f} %) free on {path}"
        hint = f"find the folder of very many small files: du -x --inodes {path} | sort -n | tail"
        limits = (params.inodes_warn, params.inodes_fail)
        yield held(f"inodes {path}", share, limits, (figures, hint), falling=True)


def memory(params: HostParameters) -> Iterator[Check]:
    """Judge the memory that is available to this process."""
    import psutil

    machine = psutil.virtual_memory()
    rooms = [groups.Room(machine.total, machine.available, "the machine's"), *groups.memory_rooms()]
    tightest = min(rooms, key=lambda room: room.left / room.total)
    share = 100 * tightest.left / tightest.total
    figures = (
        f"{size(tightest.left)} of {tightest.whose} {size(tightest.total)} memory ({share:.0f} %) available"
    )
    hint = "stop what needs it, lower its limits, or add memory: ps aux --sort=-rss | head"
    limits = (params.memory_warn, params.memory_fail)
    yield held("memory", share, limits, (figures, hint), falling=True)


def pressure(
    resource: str, limit: float, stall_limit: float = math.inf, folder: Path = Path("/proc/pressure")
) -> Iterator[Check]:
    """Judge how long work waited for a resource (`memory`, `cpu`, `io`) in the last minute.

    Raises:
        CannotTell: If the kernel does not tell, and a limit below 100 for processors or disks asks for it.
    """
    try:
        lines = (folder / resource).read_text().splitlines()
        waited = {words[0]: float(words[2].removeprefix("avg60=")) for words in map(str.split, lines)}
        some = waited["some"]
    except (OSError, ValueError, LookupError):
        # The kernel was built or started without it. For memory a limit is the default, and asks nothing.
        if resource != "memory" and limit < _NEVER:
            found = f"The kernel does not tell how long work waits for {resource}."
            hint = f"Start it with psi=1, or take {resource}_pressure_warn away."
            raise CannotTell(Reason.MISSING, found, hint) from None
        return
    hint = "find what uses it up, or add some: "
    hint += {"memory": "ps aux --sort=-rss | head", "cpu": "ps aux --sort=-pcpu | head"}.get(
        resource, "iotop"
    )
    figures = f"Something waited for {resource} in {some:g} % of the last minute"
    yield held(f"{resource} pressure", some, (limit, math.inf), (figures, hint))
    if "full" in waited and math.isfinite(stall_limit):
        figures = f"Everything waited for {resource} in {waited['full']:g} % of the last minute"
        yield held(f"{resource} stall", waited["full"], (math.inf, stall_limit), (figures, hint))


def swap(params: HostParameters, before: Memory, now: Memory) -> Iterator[Check]:
    """Judge the use of swap, if there is any."""
    import psutil

    first = psutil.swap_memory()
    if not first.total:
        # A deliberate choice on many servers, and not a fault.
        yield Check(name="swap", verdict=Verdict.PASS, observed=0, unit="%", message="There is no swap.")
        return
    growth = grown("swap_used_bytes", before, now) or 0
    moves = False
    if first.used / first.total > params.swap_warn / 100:
        time.sleep(_WATCH_SWAP)
        second = psutil.swap_memory()
        moves = (second.sin, second.sout) != (first.sin, first.sout)
    yield judge_swap(first.used, first.total, params.swap_warn, growth=growth, moves=moves)


def judge_swap(used: int, total: int, limit: float, *, growth: float, moves: bool) -> Check:
    """Judge used swap, in bytes.

    Args:
        used: What is in use.
        total: All of it.
        limit: In % of all.
        growth: By how much it has grown since the last run, if at all.
        moves: Whether pages go in or out at this moment.
    """
    figures = f"{size(used)} of {size(total)} swap used"
    hint = "stop what needs memory, or add memory: ps aux --sort=-rss | head"
    share = 100 * used / total
    grows = growth > _SWAP_GROWTH * total
    if grows:
        figures += f", {size(growth)} more than at the last run"
    if moves:
        figures += ", and pages move"
    if share > limit and not (grows or moves):
        return Check(
            name="swap",
            verdict=Verdict.PASS,
            observed=round(share, 2),
            unit="%",
            limit=limit,
            message=f"{figures}, limit {limit:g} %, but it rests.",
        )
    return held("swap", share, (limit, math.inf), (figures, hint))


def load(params: HostParameters) -> Iterator[Check]:
    """Judge the load of the machine for each of its cores."""
    try:
        _, average, _ = os.getloadavg()
    except OSError:
        return
    cores = os.cpu_count() or 1
    figures = f"Load {average:.2f} over five minutes on {cores} cores, {average / cores:.2f} for each"
    hint = "find what keeps the processors busy, or add some: ps aux --sort=-pcpu | head"
    yield held("load", average / cores, (params.load_warn, params.load_fail), (figures, hint), unit=None)


def throttling(params: HostParameters, before: Memory, now: Memory) -> Iterator[Check]:
    """Judge how often the control group had to wait for processor time since the last run."""
    quotas = groups.cpu_quotas()
    if not quotas:
        return
    # Another login or container of this machine may have run the check the last time.
    last = before if before.get("cpu_group") == now.get("cpu_group") else {}
    periods, throttled = grown("cpu_periods", last, now), grown("cpu_throttled", last, now)
    yield judge_throttling(min(quotas).cores, periods, throttled, params.throttled_warn)


def judge_throttling(cores: float, periods: float | None, throttled: float | None, limit: float) -> Check:
    """Judge a limit of processor time.

    Args:
        cores: How many processors' time may be used.
        periods: The scheduling periods since the last run, if that is known.
        throttled: Those of them in which all of it was used up.
        limit: In % of the periods.
    """
    if periods is None or throttled is None or periods < _FEW_PERIODS:
        line = f"The control group may use {cores:g} cores; how often it waits shows from the next run on."
        return Check(name="throttling", verdict=Verdict.PASS, unit="%", message=line)
    share = 100 * throttled / periods
    figures = f"The control group used up its {cores:g} cores in {share:.0f} % of the time since the last run"
    hint = "raise its limit of processor time (cpu.max, CPUQuota=, --cpus), or find what uses it up"
    return held("throttling", share, (limit, math.inf), (figures, hint))


def files(params: HostParameters, table: Path = Path("/proc/sys/fs/file-nr")) -> Iterator[Check]:
    """Judge the open files of the whole system."""
    try:
        used, _, most = map(int, table.read_text().split())
    except (OSError, ValueError):
        return
    figures = f"{used} of {most} open files that the kernel allows"
    hint = "find the process that leaks them (lsof), or raise the limit: sysctl fs.file-max"
    yield held("files", 100 * used / most, (params.files_warn, params.files_fail), (figures, hint))


def uptime(params: HostParameters) -> Iterator[Check]:
    """Judge how long the machine is up."""
    import psutil

    up = max(0.0, time.time() - psutil.boot_time())
    limit = seconds(params.uptime_warn) or -math.inf
    hint = "find out why it was started again: last -x reboot shutdown; journalctl -b -1 -e"
    yield held("uptime", up, (limit, -math.inf), (f"Up for {span(up)}", hint), unit="s", falling=True)
