"""The states of the host rows of the table of truth."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from pathlib import Path
from time import sleep, time
from typing import Any

import psutil

from tests.truth.table import row

# Limits that no machine crosses, so that a busy one decides nothing; each row moves the one it is about.
CALM = {
    **dict.fromkeys(("disk_warn", "disk_fail", "disk_fail_bytes", "inodes_warn", "inodes_fail"), 0),
    **dict.fromkeys(("memory_warn", "memory_fail"), 0),
    **dict.fromkeys(("memory_pressure_warn", "memory_stall_fail", "swap_warn", "throttled_warn"), 100),
    **dict.fromkeys(("load_warn", "load_fail"), 1e6),
    **dict.fromkeys(("files_warn", "files_fail"), 100),
    "timeout": "60s",
}
DISKS = {"disk_warn": 15, "disk_fail": 5, "inodes_warn": 15, "inodes_fail": 5}


def host(state: str, expected: str, **raw: Any) -> None:
    """Add a row about this machine as it is."""

    def make(_: Path) -> Iterator[dict[str, Any]]:
        yield CALM | raw

    row("host", state, expected)(make)


host("healthy", "pass")
host("available memory below its warning", "warn memory", memory_warn=101)
host("available memory below its limit", "fail memory", memory_fail=101)
host("available memory below both", "fail memory", memory_warn=101, memory_fail=101)
host("open files above their warning", "warn files", files_warn=0)
host("open files above their limit", "fail files", files_fail=0)
host("up for less than asked", "warn uptime", uptime_warn="999999d")
host("up for long enough", "pass", uptime_warn="1ms")
host("disk path missing", "unknown missing; unknown disk unmounted", paths=["/", "unmounted"])
host("disk path on no disk", "unknown config; unknown disk /proc", paths=["/proc"])
host("a failure beside a doubt", "fail memory; unknown disk gone", paths=["gone"], memory_fail=101)


# Disks


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[Path | None]:
    """Mount a small file system; None where that is not allowed."""
    path = folder / "small"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        yield None
        return
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def filled(state: str, expected: str, percent: int, otherwise: dict[str, Any], **raw: Any) -> None:
    """Add a row with a disk of 8 MiB that is really filled, or else with limits no disk is within."""

    def make(folder: Path) -> Iterator[dict[str, Any]]:
        with small_disk(folder, "size=8m") as path:
            if path is None:
                yield CALM | {"paths": ["small"]} | otherwise
            else:
                (path / "data").write_bytes(bytes(8 * 1024 * 1024 * percent // 100))
                yield CALM | DISKS | {"paths": ["small"]} | raw

    row("host", state, expected)(make)


filled("disk half full", "pass", 50, {})
filled("disk above its warning", "warn disk small", 90, {"disk_warn": 101})
filled("disk above its limit", "fail disk small", 97, {"disk_fail": 101})
filled("disk full", "fail disk small", 100, {"disk_fail": 101})
# 700 KiB: less than a tenth of it, and more than the 6 % that are left.
filled("few bytes left", "fail disk small", 94, {"disk_fail": 101}, disk_fail_bytes=700 * 1024)
filled("few bytes left, but on a small disk", "pass", 80, {}, disk_fail_bytes=1024**3)


for state, expected, most, made in (
    ("inodes above their warning", "warn inodes small", 100, 90),
    ("no inodes left", "fail inodes small", 20, 20),
):

    def without_inodes(
        folder: Path, expected: str = expected, most: int = most, made: int = made
    ) -> Iterator[dict[str, Any]]:
        with small_disk(folder, f"size=8m,nr_inodes={most}") as path:
            if path is not None:
                with suppress(OSError):
                    for number in range(made):
                        (path / str(number)).touch()
                yield CALM | DISKS | {"paths": ["small"]}
            else:
                yield CALM | {"paths": ["small"], f"inodes_{expected.split(maxsplit=1)[0]}": 101}

    row("host", state, expected)(without_inodes)


# Work


@contextmanager
def busy(until: Callable[[], bool]) -> Iterator[None]:
    """Keep every processor and one more busy, at least until something shows."""
    workers = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range((os.cpu_count() or 1) + 1)
    ]
    try:
        while not until():
            sleep(0.05)
        yield
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def loaded() -> bool:
    return os.getloadavg()[1] > 0.02


@row("host", "load above its warning", "warn load")
def load_warn(_: Path) -> Iterator[dict[str, Any]]:
    with busy(loaded):
        yield CALM | {"load_warn": 0}


@row("host", "load above its limit", "fail load")
def load_fail(_: Path) -> Iterator[dict[str, Any]]:
    with busy(loaded):
        yield CALM | {"load_fail": 0}


TELLS = os.access("/proc/pressure/cpu", os.R_OK)


def waiting() -> bool:
    return not TELLS or "avg60=0.00" not in Path("/proc/pressure/cpu").read_text().partition("\n")[0]


@row(
    "host",
    "work waits for processors" if TELLS else "work waits, but the kernel does not tell",
    "warn cpu pressure" if TELLS else "unknown missing; unknown cpu pressure",
)
def cpu_pressure(_: Path) -> Iterator[dict[str, Any]]:
    with busy(waiting):
        yield CALM | {"cpu_pressure_warn": 0}


# Processes. What they are called is told apart from any other process, the runner of these tests included.


@contextmanager
def process(mark: str, code: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """Run a Python process that says it is ready, until the end of the block."""
    code = f"{code}\nprint(flush=True); input()"
    command = [sys.executable, "-c", code, mark]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as started:
        try:
            assert started.stdout is not None
            started.stdout.readline()
            yield started
        finally:
            started.kill()


@row("host", "a process that must run does", "pass")
def runs(_: Path) -> Iterator[dict[str, Any]]:
    with process("gonogo-truth-serves"):
        yield CALM | {"running": ["*gonogo-truth-serves"], "not_running": ["gonogo-truth-serves"]}


host(
    "a process that must run does not",
    "fail running gonogo-truth-absent",
    running=["gonogo-truth-absent"],
)
host("a process that must not run does not", "pass", not_running=["gonogo-truth-absent", "*-truth-absent *"])


@row("host", "a process that must not run does", "fail not running *gonogo-truth-forbidden*")
def forbidden_process(_: Path) -> Iterator[dict[str, Any]]:
    with process("gonogo-truth-forbidden"):
        yield CALM | {"not_running": ["*gonogo-truth-forbidden*"]}


@row("host", "a process that must run is stopped", "fail running *gonogo-truth-stopped*")
def stopped_process(_: Path) -> Iterator[dict[str, Any]]:
    with process("gonogo-truth-stopped") as started:
        started.send_signal(signal.SIGSTOP)
        while psutil.Process(started.pid).status() != psutil.STATUS_STOPPED:
            sleep(0.01)
        yield CALM | {"running": ["*gonogo-truth-stopped*"]}


@contextmanager
def zombie(folder: Path, name: str) -> Iterator[None]:
    shutil.copy("/bin/true", folder / name)
    started = subprocess.Popen([folder / name])
    try:
        while psutil.Process(started.pid).status() != psutil.STATUS_ZOMBIE:
            sleep(0.01)
        yield
    finally:
        started.wait()


@row("host", "a process that must run is a zombie", "fail running truth-zombie")
def zombie_process(folder: Path) -> Iterator[dict[str, Any]]:
    with zombie(folder, "truth-zombie"):
        yield CALM | {"running": ["truth-zombie"]}


@row("host", "a process that must not run is a zombie", "pass")
def forbidden_zombie(folder: Path) -> Iterator[dict[str, Any]]:
    with zombie(folder, "truth-zombie-2"):
        yield CALM | {"not_running": ["truth-zombie-2"]}


# With 40 files allowed, and the standard three open.
LEAK = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
kept = [open("/dev/null") for _ in range({})]
"""

for state, expected, count in (
    ("a process with few open files", "pass", 2),
    ("a process near its limit of open files", "warn files of *gonogo-truth-leaks-29", 29),
    ("a process at its limit of open files", "fail files of *gonogo-truth-leaks-36", 36),
):

    def leaks(_: Path, count: int = count) -> Iterator[dict[str, Any]]:
        mark = f"gonogo-truth-leaks-{count}"
        with process(mark, LEAK.format(count)):
            yield CALM | {"files_of": [f"*{mark}"], "files_warn": 70, "files_fail": 90}

    row("host", state, expected)(leaks)

host(
    "files of a process that does not run",
    "unknown missing; unknown files of gonogo-truth-absent",
    files_of=["gonogo-truth-absent"],
)


# Ports. The name of a check holds the port, so it cannot be any free one; these are outside of the range that
# systems hand out, and shared with whoever runs the same tests at the same time.

PORT, CLOSED = 29517, 29518


@contextmanager
def listener(address: str = "127.0.0.1") -> Iterator[None]:
    with socket.create_server((address, PORT), reuse_port=True):
        yield


def ports(state: str, expected: str, **raw: Any) -> None:
    """Add a row in which port 29517 is open on 127.0.0.1 and nowhere else."""

    def make(_: Path) -> Iterator[dict[str, Any]]:
        with listener():
            yield CALM | raw

    row("host", state, expected)(make)


ports(
    "ports open and closed as asked",
    "pass",
    listening=[f"{PORT}", f"127.0.0.1:{PORT}"],
    not_listening=[f"{CLOSED}"],
)
ports("port expected but closed", f"fail listening {CLOSED}", listening=[f"{CLOSED}"])
ports("port open on another address", f"fail listening 127.0.0.2:{PORT}", listening=[f"127.0.0.2:{PORT}"])
ports("port open on loopback only", f"fail listening 0.0.0.0:{PORT}", listening=[f"0.0.0.0:{PORT}"])
ports("forbidden port open", f"fail not listening {PORT}", not_listening=[f"{PORT}"])
ports(
    "forbidden port open on that address",
    f"fail not listening 127.0.0.1:{PORT}",
    not_listening=[f"127.0.0.1:{PORT}"],
)
ports(
    "port forbidden elsewhere open on loopback",
    "pass",
    not_listening=[f"127.0.0.2:{PORT}", f"0.0.0.0:{PORT}", f"[::]:{PORT}", f"[::1]:{PORT}"],
)
host("port that is none", "unknown config; unknown listening https", listening=["https"])
host("address that is none", "unknown config; unknown not listening ::1:80", not_listening=["::1:80"])


# The clock


@contextmanager
def reference(answer: Callable[[], bytes] | None, delay: float = 0) -> Iterator[str]:
    """Serve one answer to every connection, or none at all; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(4096)
                        ended.wait(delay if answer else None)
                        connection.sendall(answer() if answer else b"")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            ended.set()
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


def dated(ahead: float, more: str = "", status: str = "200 OK") -> Callable[[], bytes]:
    def answer() -> bytes:
        return f"HTTP/1.1 {status}\r\nDate: {formatdate(time() + ahead, usegmt=True)}\r\n{more}\r\n".encode()

    return answer


def clock(
    state: str,
    expected: str,
    answer: Callable[[], bytes] | None,
    scheme: str = "http",
    delay: float = 0,
) -> None:
    def make(_: Path) -> Iterator[dict[str, Any]]:
        with reference(answer, delay) as address:
            yield CALM | {"clock": f"{scheme}://{address}/"}

    row("host", f"clock: {state}", expected)(make)


clock("right", "pass", dated(0))
clock("right, by an error page", "pass", dated(0, status="503 Down"))
clock("right, by a redirect", "pass", dated(0, "Location: http://127.0.0.1:1/\r\n", "302 Found"))
clock("right, by a slow reference", "pass", dated(-2), delay=2)
clock("right, by an old cached answer", "pass", dated(-3600, "Age: 3600\r\n"))
clock("a minute behind", "warn clock", dated(60))
clock("a minute ahead", "warn clock", dated(-60))
clock("an hour behind", "fail clock", dated(3600))
clock("an hour ahead", "fail clock", dated(-3600))
clock("reference without a date", "unknown protocol; unknown clock", lambda: b"HTTP/1.1 200 OK\r\n\r\n")
clock(
    "reference with a broken date",
    "unknown protocol; unknown clock",
    lambda: b"HTTP/1.1 200 OK\r\nDate: soon\r\n\r\n",
)
clock("reference of another kind", "unknown protocol; unknown clock", lambda: b"-ERR unknown command\r\n")
clock("reference hangs up", "unknown protocol; unknown clock", lambda: b"")
clock("reference silent", "unknown timeout; unknown clock", None)
clock("reference without TLS", "unknown tls; unknown clock", dated(0), "https")
clock("address that is none", "unknown config; unknown clock", None, "ftp")


@row("host", "clock: reference down", "unknown refused; unknown clock")
def reference_down(_: Path) -> Iterator[dict[str, Any]]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield CALM | {"clock": f"http://127.0.0.1:{taken.getsockname()[1]}/"}


host(
    "clock: reference of an unknown name", "unknown dns; unknown clock", clock="http://no-such-host.invalid/"
)


@row("host", "healthy with everything asked for", "pass")
def everything(_: Path) -> Iterator[dict[str, Any]]:
    with reference(dated(0)) as address, listener(), process("gonogo-truth-everything"):
        yield {
            **CALM,
            "paths": ["/", "."],
            "uptime_warn": "1s",
            "listening": [f"127.0.0.1:{PORT}"],
            "not_listening": [f"0.0.0.0:{PORT}", f"{CLOSED}"],
            "running": ["*gonogo-truth-everything"],
            "not_running": ["gonogo-truth-absent"],
            "files_of": ["*gonogo-truth-everything"],
            "clock": f"http://{address}/health",
        }
