"""Has this machine room: on its disks, in memory and swap, for work and for open files?

It looks at the machine gonogo runs on. In a container the container's memory limit counts, where it is
tighter. What a platform does not tell (`/proc` outside Linux) is left out.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from probes.figures import Count, Limit, held, size
from probes.outcome import Check, Outcome, Reason, Verdict, conclude
from probes.parameters import Duration, Parameters

_GIB = 1024**3
_NO_LIMIT = 2**60
_WATCH_SWAP = 1.0
_LARGE = 10

_METRICS = {
    "disk": "disk_free_percent",
    "inodes": "inodes_free_percent",
    "memory": "memory_available_percent",
    "swap": "swap_used_percent",
    "load": "load_per_core",
    "files": "files_used_percent",
}


class HostParameters(Parameters, frozen=True):
    """Which disks to look at and where the limits are.

    Of what is free or available less is worse, of what is used more. A crossed `_fail` limit fails, wherever
    the `_warn` limit lies. The defaults are those of common monitoring rules.

    Attributes:
        timeout: The deadline of the whole run.
        paths: A file or folder on each disk to look at, `/` if none is given; relative ones start at the
            checklist's folder.
        disk_warn: Free space in %, as `df` counts it: of what an ordinary user can fill.
        disk_fail: As `disk_warn`.
        disk_fail_bytes: Free bytes below which a disk fails whatever their share, 1 GiB. Not held against
            disks smaller than ten times this.
        inodes_warn: Free inodes in %: a disk without any takes no new file, however much space is left.
        inodes_fail: As `inodes_warn`.
        memory_warn: Available memory in %, of the machine or of a control group, whichever is tighter.
        memory_fail: As `memory_warn`.
        swap_warn: Used swap in %. It counts only while pages move: what was swapped out once and rests does
            no harm.
        load_warn: Load average of five minutes for each core. Above 1 work queues.
        load_fail: As `load_warn`.
        files_warn: Open files of the whole system in % of what the kernel allows.
        files_fail: As `files_warn`.
    """

    timeout: Duration = "10s"
    paths: list[str] = msgspec.field(default_factory=lambda: ["/"])
    disk_warn: Limit = 15.0
    disk_fail: Limit = 5.0
    disk_fail_bytes: Count = _GIB
    inodes_warn: Limit = 15.0
    inodes_fail: Limit = 5.0
    memory_warn: Limit = 15.0
    memory_fail: Limit = 5.0
    swap_warn: Limit = 50.0
    load_warn: Limit = 1.0
    load_fail: Limit = 2.0
    files_warn: Limit = 70.0
    files_fail: Limit = 90.0


class Room(NamedTuple):
    """A memory limit in bytes, what is left below it, and whose it is."""

    total: int
    left: int
    whose: str


def probe(params: HostParameters) -> Outcome:
    """Measure and judge one after the other."""
    checks: list[Check] = []
    for path in [path for path in params.paths if path.strip()] or ["/"]:
        checks += _disk(path, params)
    checks.append(_memory(params))
    checks += _swap(params)
    checks += _load(params)
    checks += _files(params)
    metrics: dict[str, float] = {}
    for check in checks:
        name = _METRICS[check.name.partition(" ")[0]]
        if isinstance(check.observed, int | float) and check.unit != "B":
            # Of several disks the fullest.
            metrics[name] = min(metrics.get(name, check.observed), check.observed)
    room = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in metrics.items())
    return conclude(checks, f"This machine has room: {room}.", metrics, reason=Reason.MISSING)


def _disk(path: str, params: HostParameters) -> Iterator[Check]:
    try:
        stat = os.statvfs(path)
    except OSError as error:
        line = f"{path} cannot be looked at ({error.strerror}): mount it or correct paths."
        yield Check(name=f"disk {path}", verdict=Verdict.UNKNOWN, message=line)
        return
    left = stat.f_bavail * stat.f_frsize
    # What is reserved for root is neither used nor free to anybody else.
    total = (stat.f_blocks - stat.f_bfree) * stat.f_frsize + left
    if not total:
        line = f"{path} is on no disk that could fill: correct paths."
        yield Check(name=f"disk {path}", verdict=Verdict.UNKNOWN, message=line)
        return
    figures = f"{size(left)} of {size(total)} ({100 * left / total:.0f} %) free on {path}"
    advice = "delete or move data, or grow the disk"
    floor = params.disk_fail_bytes
    if left < floor and total > _LARGE * floor:
        line = f"{figures}, limit {size(floor)}: {advice}."
        yield Check(
            name=f"disk {path}", verdict=Verdict.FAIL, observed=left, unit="B", limit=floor, message=line
        )
    else:
        limits = (params.disk_warn, params.disk_fail)
        yield held(f"disk {path}", 100 * left / total, limits, (figures, advice), falling=True)
    # Some file systems (btrfs, vfat) have no fixed number of inodes and say 0.
    if inodes := stat.f_files - stat.f_ffree + stat.f_favail:
        share = 100 * stat.f_favail / inodes
        figures = f"{stat.f_favail} of {inodes} inodes ({share:.0f} %) free on {path}"
        advice = "without any no file can be made; look for folders of very many small files"
        limits = (params.inodes_warn, params.inodes_fail)
        yield held(f"inodes {path}", share, limits, (figures, advice), falling=True)


def _memory(params: HostParameters) -> Check:
    import psutil

    machine = psutil.virtual_memory()
    rooms = [Room(machine.total, machine.available, "the machine's"), *control_groups()]
    tightest = min(rooms, key=lambda room: room.left / room.total)
    share = 100 * tightest.left / tightest.total
    figures = (
        f"{size(tightest.left)} of {tightest.whose} {size(tightest.total)} memory ({share:.0f} %) available"
    )
    advice = "stop what needs it, lower its limits, or add memory"
    limits = (params.memory_warn, params.memory_fail)
    return held("memory", share, limits, (figures, advice), falling=True)


def control_groups(
    membership: Path = Path("/proc/self/cgroup"), mount: Path = Path("/sys/fs/cgroup")
) -> list[Room]:
    """Return the memory limits that hold for this process, of its control group and those above it.

    A container sees the host's memory, but the kernel ends what exceeds the limit of its group.

    Args:
        membership: Where the kernel says in which groups this process is.
        mount: Where the groups are mounted.
    """
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return []
    rooms = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mounts, names = (mount, mount / "unified"), ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            mounts = (mount / "memory", mount / controllers)
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # Inside a container the group's own path is often not visible, and its root is the container's.
        inner = Path(path.replace("/..", "").lstrip("/"))
        for root in dict.fromkeys(mounts):
            for group in (inner, *inner.parents):
                rooms += _limit(root / group, *names)
    return rooms


def _limit(group: Path, limit_name: str, usage_name: str, cache_name: str) -> list[Room]:
    try:
        limit = (group / limit_name).read_text().strip()
        usage = int((group / usage_name).read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return []
    if limit == "max" or int(limit) >= _NO_LIMIT or int(limit) == 0:
        return []
    # Cached files count as usage, but the kernel drops them before it ends anything.
    used = usage - int(stat.get(cache_name, 0))
    return [Room(int(limit), max(0, int(limit) - used), "the control group's")]


def _swap(params: HostParameters) -> Iterator[Check]:
    import psutil

    before = psutil.swap_memory()
    if not before.total:
        # A deliberate choice on many servers, and not a fault.
        yield Check(name="swap", verdict=Verdict.PASS, observed=0, unit="%", message="There is no swap.")
        return
    limit, figures = params.swap_warn, f"{size(before.used)} of {size(before.total)} swap used"
    share = round(100 * before.used / before.total, 2)
    line, verdict = f"{figures}, limit {limit:g} %.", Verdict.PASS
    if share > limit:
        time.sleep(_WATCH_SWAP)
        after = psutil.swap_memory()
        line = f"{figures}, but it rests."
        if (after.sin, after.sout) != (before.sin, before.sout):
            verdict = Verdict.WARN
            line = f"{figures}, limit {limit:g} %, and pages move: stop what needs memory, or add memory."
    yield Check(name="swap", verdict=verdict, observed=share, unit="%", limit=limit, message=line)


def _load(params: HostParameters) -> Iterator[Check]:
    try:
        _, load, _ = os.getloadavg()
    except OSError:
        return
    cores = os.cpu_count() or 1
    figures = f"Load {load:.2f} over five minutes on {cores} cores, {load / cores:.2f} for each"
    advice = "work queues; find what keeps the processors busy, or add some"
    limits = (params.load_warn, params.load_fail)
    yield held("load", load / cores, limits, (figures, advice), unit=None)


def _files(params: HostParameters, table: Path = Path("/proc/sys/fs/file-nr")) -> Iterator[Check]:
    try:
        used, _, most = map(int, table.read_text().split())
    except OSError:
        return
    figures = f"{used} of {most} open files that the kernel allows"
    advice = "find the process that leaks them (lsof), or raise fs.file-max"
    yield held("files", 100 * used / most, (params.files_warn, params.files_fail), (figures, advice))
