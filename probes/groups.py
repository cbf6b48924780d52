"""Reads what its control groups allow a process: memory and processor time. Judges nothing.

A container sees the memory and the load of the whole machine, but the kernel holds it to the limits of its
group and of every group above that one. Both versions of control groups are read. There are none
outside Linux.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MEMBERSHIP = Path("/proc/self/cgroup")
"""Where the kernel says in which groups this process is; `/proc/PID/cgroup` for another one."""

MOUNT = Path("/sys/fs/cgroup")
"""Where the groups are mounted."""

_NO_LIMIT = 2**60
_DROPPED = ("inactive_file", "active_file", "slab_reclaimable")
"""What `MemAvailable` takes as available for the whole machine too."""


class Room(NamedTuple):
    """A memory limit in bytes, what is left below it, and whose it is."""

    total: int
    left: int
    whose: str


class Quota(NamedTuple):
    """A limit of processor time.

    Attributes:
        cores: How many processors' time the group may use.
        periods: The periods so far in which it wanted to run.
        throttled: Those in which it used up its time and had to wait.
        group: Which group it is; the counters of another one say nothing about this one.
    """

    cores: float
    periods: int
    throttled: int
    group: str = ""


def memory_rooms(membership: Path = MEMBERSHIP, mount: Path = MOUNT) -> list[Room]:
    """Return the memory limits that hold for a process, of its control group and those above it."""
    rooms = []
    for folder, second in _folders("memory", membership, mount):
        try:
            limit = _read(folder / ("memory.max" if second else "memory.limit_in_bytes"))
            usage = int(_read(folder / ("memory.current" if second else "memory.usage_in_bytes")))
            # Cached files count as usage, but the kernel drops them before it ends anything.
            stat = _table(folder / "memory.stat")
            cache = sum(stat.get(name if second else f"total_{name}", 0) for name in _DROPPED)
            total = _NO_LIMIT if limit == "max" else int(limit)
        except (OSError, ValueError):
            continue
        if 0 < total < _NO_LIMIT:
            rooms.append(Room(total, max(0, total - usage + cache), "the control group's"))
    return rooms


def cpu_quotas(membership: Path = MEMBERSHIP, mount: Path = MOUNT) -> list[Quota]:
    """Return the limits of processor time that hold for a process."""
    quotas = []
    for folder, second in _folders("cpu", membership, mount):
        try:
            if second:
                quota, period = _read(folder / "cpu.max").split()
            else:
                quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
            stat = _table(folder / "cpu.stat")
            if quota not in {"max", "-1"}:
                cores = int(quota) / int(period)
                place = folder.stat()
                group = f"{place.st_dev}:{place.st_ino}"
                quotas.append(Quota(cores, stat["nr_periods"], stat["nr_throttled"], group))
        except (OSError, ValueError, LookupError, ZeroDivisionError):
            continue
    return quotas


def _folders(controller: str, membership: Path, mount: Path) -> Iterator[tuple[Path, bool]]:
    """Find the folders of the groups of a process, and whether they are of the second version."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            mounts = (mount, mount / "unified")
        elif controller in controllers.split(","):
            mounts = (mount / controller, mount / controllers)
        else:
            continue
        # In a container the path may lead out of it, or not be there; what holds then is at the root.
        inner = Path() if ".." in path else Path(path.lstrip("/"))
        for root in dict.fromkeys(mounts):
            for group in (inner, *inner.parents):
                yield root / group, not controllers


def _read(path: Path) -> str:
    return path.read_text().strip()


def _table(path: Path) -> dict[str, int]:
    return {name: int(value) for name, value in map(str.split, _read(path).splitlines())}
