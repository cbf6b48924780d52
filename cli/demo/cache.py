"""The cache of the demo: a real redis-server that is short of memory and may drop nothing."""

import contextlib
import ctypes
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from checklist.language import marked
from cli.demo import scripts

_ATTEMPTS = 5
_START_S = 10.0
_LEFT = 2 * 1024 * 1024
"""Bytes of memory that the server is left."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
# Loaded here, because a child must not load anything before it has become the server.
_C = ctypes.CDLL(None)

_CONFIGURATION = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir .
logfile redis.log
save ""
maxmemory 100mb
maxmemory-policy noeviction
"""

_FIX = """\
# A cache may drop what it holds; this one may not, and has 2 MB. Give it room, and let it evict.
export REDISCLI_AUTH={password}
redis-cli -p {port} CONFIG SET maxmemory 100mb
redis-cli -p {port} CONFIG SET maxmemory-policy allkeys-lru
redis-cli -p {port} CONFIG REWRITE
"""

_FIX_BY_PYTHON = """\
# A cache may drop what it holds; this one may not, and has 2 MB. Give it room, and let it evict.
exec {python} -P - {password} {port} <<'END'
import sys, redis
server = redis.Redis(password=sys.argv[1], port=int(sys.argv[2]))
server.config_set("maxmemory", "100mb")
server.config_set("maxmemory-policy", "allkeys-lru")
server.config_rewrite()
END
"""

NOWHERE = "redis://127.0.0.1:1/0"
"""Where nothing listens. Without a server of its own the demo must not look at anybody else's."""


def is_possible() -> bool:
    """Tell whether there is a redis-server to run."""
    return shutil.which("redis-server") is not None


@contextlib.contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run the server and fill it, and write the script that repairs it; yields its URL.

    Raises:
        RuntimeError: If it does not come up.
    """
    password, home = secrets.token_hex(16), folder / "redis"
    home.mkdir()
    for _ in range(_ATTEMPTS):
        port = _free_port()
        (home / "redis.conf").write_text(_CONFIGURATION.format(port=port, password=password))
        process = subprocess.Popen(
            ["redis-server", "redis.conf"],  # noqa: S607  # the operator's own, wherever it is
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=partial(_end_with, os.getpid()),  # noqa: PLW1509  # the keeper has no threads
        )
        try:
            if _fill(process, port, password):
                text = _FIX if shutil.which("redis-cli") else _FIX_BY_PYTHON
                values = {"port": port, "password": password, "python": sys.executable}
                scripts.write(folder, "cache", text, **values)
                yield f"redis://:{password}@127.0.0.1:{port}/0"
                return
        finally:
            # Not TERM: one that is busy does not hear it, and what it holds is for nobody.
            process.kill()
            process.wait()
    raise RuntimeError(marked("redis-server does not start; another time it may"))


def _end_with(keeper: int) -> None:
    """Have the kernel end this process when the keeper is killed, since nobody else would. Linux only."""
    if sys.platform == "linux":
        _C.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != keeper:
            # It was killed before the kernel knew.
            os._exit(1)


def _free_port() -> int:
    """Return a port that was free a moment ago: somebody may be quicker, hence several attempts."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _fill(process: subprocess.Popen[bytes], port: int, password: str) -> bool:
    """Fill the server beyond the memory that it is then left; tell whether it is ours and came up."""
    import redis

    with redis.Redis(port=port, password=password, socket_timeout=_START_S) as server:
        ends = time.monotonic() + _START_S
        while process.poll() is None and time.monotonic() < ends:
            try:
                server.ping()
            except redis.exceptions.AuthenticationError:
                return False
            except redis.exceptions.RedisError:
                time.sleep(0.02)
                continue
            # A little more than it is left: to let it evict first must not throw out so much that it warns.
            for number in itertools.count():
                if server.info("memory")["used_memory"] > 1.05 * _LEFT:
                    break
                server.set(f"basket:{number}", "x" * 10_000, ex=7 * 86_400)
            server.config_set("maxmemory", _LEFT)
            return True
    return False
