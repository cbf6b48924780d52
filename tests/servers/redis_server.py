"""Starts real redis-servers on free ports of 127.0.0.1."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry

_START = 30.0
_ATTEMPTS = 5


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(condition: Callable[[], object], limit: float = _START) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition never held")
        time.sleep(0.02)


class RedisServer:
    """A running server."""

    def __init__(self, port: int, pid: int, folder: Path) -> None:
        self.port = port
        self.pid = pid
        self.folder = folder
        self.url = f"redis://127.0.0.1:{port}/0"

    @contextmanager
    def client(self, **options: Any) -> Iterator["redis.Redis"]:
        """Connect as an administrator would."""
        with redis.Redis(
            host="127.0.0.1",
            port=self.port,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=_START,
            decode_responses=True,
            driver_info=None,
            maint_notifications_config=MaintNotificationsConfig(enabled=False),
            **options,
        ) as client:
            yield client

    def run(self, *command: object) -> Any:
        """Run one command on a connection of its own."""
        with self.client() as client:
            return client.execute_command(*command)

    def send(self, line: str) -> socket.socket:
        """Send a command and do not wait for the answer; the caller closes the connection."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=_START)
        connection.sendall(line.encode() + b"\r\n")
        return connection

    def fill(self, *, expiring: bool = False) -> None:
        """Write until the server refuses more or begins to evict."""
        with self.client() as client:
            for round_ in range(1000):
                try:
                    pipeline = client.pipeline(transaction=False)
                    for number in range(100):
                        pipeline.set(f"{round_}:{number}", "x" * 1000, ex=3600 if expiring else None)
                    pipeline.execute()
                except redis.exceptions.OutOfMemoryError:
                    return
                if client.info("stats")["evicted_keys"]:
                    return
        raise AssertionError("the server never became full")


@contextmanager
def closed_port() -> Iterator[int]:
    """Hold a port where nobody listens, so that no other test can start a server there."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield int(holder.getsockname()[1])


def _listens(process: psutil.Popen, port: int) -> bool:
    """Tell whether this process listens there: on a busy machine somebody else may have been quicker."""
    try:
        sockets = process.net_connections("tcp")
    except psutil.Error:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in sockets)


def _command(folder: Path, port: int, options: tuple[str, ...], *, sentinel: bool) -> list[str]:
    command = ["redis-server"]
    if sentinel:
        configuration = folder / "sentinel.conf"
        configuration.write_text("sentinel monitor main 127.0.0.1 1 1\n")
        command += [str(configuration), "--sentinel"]
    else:
        command += ["--save", ""]
    if "--tls-port" not in options:
        command += ["--port", str(port)]
    if "--cluster-enabled" in options:
        # Its default is 10000 above the other, which may be above all ports.
        command += ["--cluster-port", str(free_port())]
    command += ["--bind", "127.0.0.1", "--dir", str(folder), *options]
    return [part.replace("{port}", str(port)) for part in command]


@contextmanager
def redis_server(folder: Path, *options: str, sentinel: bool = False) -> Iterator[RedisServer]:
    """Run a redis-server with these command line options; `{port}` in them is its port.

    It keeps its files in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "redis.log"
    for _ in range(_ATTEMPTS):
        port = free_port()
        with log.open("wb") as output:
            process = psutil.Popen(
                _command(folder, port, options, sentinel=sentinel),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            until(lambda: process.poll() is not None or _listens(process, port))  # noqa: B023  # called at once
            if process.poll() is None:
                yield RedisServer(port, process.pid, folder)
                return
        finally:
            # Not TERM: a server that cannot save refuses to end, and one caught in a script does not hear it.
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    raise RuntimeError(log.read_text())
