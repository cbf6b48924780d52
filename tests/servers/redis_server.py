"""Starts real redis-servers on free ports of 127.0.0.1, and brings them into trouble."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
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


def _command(folder: Path, port: int, options: tuple[str, ...], sentinel: str | None) -> list[str]:
    command = ["redis-server"]
    if sentinel is not None:
        configuration = folder / "sentinel.conf"
        configuration.write_text(sentinel)
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
def redis_server(folder: Path, *options: str, sentinel: str | None = None) -> Iterator[RedisServer]:
    """Run a redis-server with these command line options; `{port}` in them is its port.

    It keeps its files in the folder. With the lines of a configuration it is a Sentinel.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "redis.log"
    for _ in range(_ATTEMPTS):
        port = free_port()
        with log.open("wb") as output:
            process = psutil.Popen(
                _command(folder, port, options, sentinel),
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


@contextmanager
def occupied(server: RedisServer, count: int) -> Iterator[None]:
    """Hold idle connections."""
    with ExitStack() as connections:
        for _ in range(count):
            connection = connections.enter_context(server.send("PING"))
            if connection.recv(7) != b"+PONG\r\n":
                raise AssertionError("the server takes no more connections")
        yield


@contextmanager
def _meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Do a piece of work again and again until the end of the block."""
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            work()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def writing(server: RedisServer) -> Iterator[None]:
    """Go on writing large values, whether they are refused or not."""
    number = iter(range(10**12))
    with server.client() as client:

        def work() -> None:
            pipeline = client.pipeline(transaction=False)
            for _ in range(200):
                pipeline.set(f"more:{next(number)}", "x" * 1000)
            pipeline.execute(raise_on_error=False)

        work()
        with _meanwhile(work):
            yield


@contextmanager
def turned_away(server: RedisServer) -> Iterator[None]:
    """Go on connecting wherever all connections are taken, but leave the last free one to others.

    The server must have one free connection, and one more for this to look through.
    """
    with server.client() as client:

        def connect() -> None:
            with suppress(OSError), server.send("PING") as connection:
                connection.recv(100)

        def work() -> None:
            clients = client.info("clients")
            if clients["connected_clients"] >= clients["maxclients"]:
                connect()
            time.sleep(0.005)

        client.ping()
        # Somebody has been turned away before.
        with server.send("PING") as last:
            last.recv(7)
            connect()
        until(lambda: client.info("clients")["connected_clients"] < client.info("clients")["maxclients"])
        with _meanwhile(work):
            yield


@contextmanager
def never_answers() -> Iterator[int]:
    """Listen, and say nothing to anybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 and no name, that only itself vouches for, and its key."""
    folder.mkdir(parents=True, exist_ok=True)
    key, path = folder / "key.pem", folder / "certificate.pem"
    request = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    name = ("-subj", "/CN=redis.test", "-addext", "subjectAltName=IP:127.0.0.1")
    files = ("-keyout", str(key), "-out", str(path))
    subprocess.run(("openssl", *request, *name, *files), check=True, capture_output=True)
    return path, key


@contextmanager
def encrypted_server(folder: Path, *options: str) -> Iterator[tuple[RedisServer, Path]]:
    """Run a redis-server that speaks TLS alone; yields it and its certificate."""
    path, key = certificate(folder / "tls")
    files = ("--tls-cert-file", str(path), "--tls-key-file", str(key), "--tls-ca-cert-file", str(path))
    clients = ("--tls-auth-clients", "no")
    with redis_server(folder, "--port", "0", "--tls-port", "{port}", *files, *clients, *options) as server:
        yield server, path


@contextmanager
def redis_cluster(folder: Path, timeouts: Sequence[int], *options: str) -> Iterator[list[RedisServer]]:
    """Run a cluster of masters that share the slots, each with this node timeout in ms."""
    with ExitStack() as running:
        nodes = [
            running.enter_context(
                redis_server(
                    *(folder / f"node{number}", "--cluster-enabled", "yes"),
                    *("--cluster-node-timeout", str(timeout), *options),
                )
            )
            for number, timeout in enumerate(timeouts)
        ]
        share = 16384 // len(nodes)
        for number, node in enumerate(nodes):
            last = 16383 if node is nodes[-1] else (number + 1) * share - 1
            node.run("CLUSTER", "ADDSLOTSRANGE", number * share, last)
            node.run("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in nodes[1:]:
            bus = node.run("CONFIG", "GET", "cluster-port")["cluster-port"]
            nodes[0].run("CLUSTER", "MEET", "127.0.0.1", node.port, bus)

        def joined(node: RedisServer) -> bool:
            told = node.run("CLUSTER INFO")
            return told["cluster_state"] == "ok" and told["cluster_known_nodes"] == str(len(nodes))

        for node in nodes:
            until(lambda: joined(node))  # noqa: B023  # called at once
        yield nodes


def cannot_save(server: RedisServer) -> None:
    """Let a snapshot fail; the server needs `--enable-protected-configs yes` and a save point."""
    (server.folder / "bad.rdb").mkdir()
    server.run("CONFIG", "SET", "dbfilename", "bad.rdb")
    server.run("SET", "key", "value")
    server.run("BGSAVE")
    with server.client() as client:
        until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err")


def is_busy(server: RedisServer) -> bool:
    """Tell whether a script keeps the server from answering."""
    try:
        server.run("PING")
    except redis.exceptions.ResponseError as error:
        return str(error).startswith("BUSY")
    return False
