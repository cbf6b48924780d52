"""How much memory there is for a server: its cgroup's limit, or its machine's memory."""

import time
from pathlib import Path
from urllib.parse import urlsplit

from probes import groups
from probes.redis.sample import Info, number

_LATE = 5.0
"""Seconds between the start of a process and its server's, which counts whole ones."""


def memory_bound(info: Info, url: str) -> int:
    """Return how many bytes the server's machine or cgroup has for it; 0 if nobody tells."""
    told = int(number(info, "total_system_memory") or 0)
    pid = number(info, "process_id")
    limit = cgroup_limit(int(pid)) if pid and _is_local(url) and _is_process(int(pid), info) else None
    return min(told, limit) if told and limit else limit or told


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "unix" or host in {"localhost", "::1"} or host.startswith("127.")


def _is_process(pid: int, info: Info) -> bool:
    """Tell whether the process of this number is that server.

    A loopback address may lead into a container or a tunnel, where process numbers mean something else. So
    the name of the program and the moment of its start have to be the same too.
    """
    import psutil

    uptime, program = number(info, "uptime_in_seconds"), Path(str(info.get("executable", ""))).name
    if uptime is None or not program:
        return False
    try:
        process = psutil.Process(pid)
        started, name = process.create_time(), process.name()
    except psutil.Error:
        return False
    return name == program and abs(time.time() - uptime - started) < _LATE


def cgroup_limit(pid: int) -> int | None:
    """Return the lowest memory limit of a process's cgroup and those above it, in bytes; None without one."""
    rooms = groups.memory_rooms(Path(f"/proc/{pid}/cgroup"))
    return min((room.total for room in rooms), default=None)
