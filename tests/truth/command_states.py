"""The states of the command rows of the table of truth."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep, time
from typing import Any

from tests.servers.stub import Answer, stub
from tests.truth.table import row

PLUGINS = Path("/usr/lib/nagios/plugins")
MANY, MORE = "100000,100000,100000", "200000,200000,200000"


# Plugins of Debian's. check_swap and check_file_age write limits that are none if read as ranges.


def plugin(state: str, expected: str, name: str, *arguments: str) -> None:
    """Add a row with a plugin that needs nothing made."""

    def make(_: Path) -> Iterator[dict[str, Any]]:
        yield {"command": [str(PLUGINS / name), *arguments]}

    row("command", f"{name}: {state}", expected)(make)


plugin("OK", "pass", "check_dummy", "0", "all well")
plugin("WARNING", "warn exit", "check_dummy", "1", "slow")
plugin("CRITICAL", "fail exit", "check_dummy", "2", "down")
plugin("UNKNOWN", "unknown config; unknown exit", "check_dummy", "3", "cannot say")
plugin("a state there is not", "unknown config; unknown exit", "check_dummy", "7")
plugin("no arguments", "unknown config; unknown exit", "check_dummy")
plugin("healthy", "pass", "check_load", "-w", MANY, "-c", MORE)
plugin("healthy", "pass", "check_disk", "-w", "1", "-c", "1", "-p", "/")
plugin("above its warning", "warn exit, /", "check_disk", "-w", "100%", "-c", "0%", "-p", "/")
plugin("above its limit", "fail exit, /", "check_disk", "-w", "100%", "-c", "100%", "-p", "/")
plugin("path missing", "fail exit", "check_disk", "-w", "1", "-c", "1", "-p", "/no/such/path")
plugin("healthy", "pass", "check_procs", "-w", "1:1000000", "-c", "1:2000000")
plugin("below its warning", "warn exit, procs", "check_procs", "-w", "1000000:", "-c", "1:")
plugin("below its limit", "fail exit, procs", "check_procs", "-w", "1:", "-c", "1000000:")
plugin("healthy", "pass", "check_users", "-w", "100000", "-c", "200000")
plugin("healthy, with or without swap", "pass", "check_swap", "-w", "2", "-c", "1", "-n", "ok")
plugin("less than asked for", "fail exit", "check_swap", "-w", f"{2**51}", "-c", f"{2**50}")


@row("command", "a folder for a program", "unknown config")
def folder_for_a_program(folder: Path) -> Iterator[dict[str, Any]]:
    yield {"command": [str(folder)]}


@row("command", "check_load: above its limit", "fail exit, load1, load5, load15")
def loaded(_: Path) -> Iterator[dict[str, Any]]:
    # Only a machine that has been idle for long needs this: the average of 15 minutes must not be 0.00.
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            while min(os.getloadavg()) < 0.02:
                sleep(0.1)
            yield {"command": [str(PLUGINS / "check_load"), "-w", "0,0,0", "-c", "0,0,0"]}
        finally:
            busy.kill()


def aged(folder: Path, age: float, size: int) -> list[str]:
    path = folder / "written"
    path.write_bytes(b"x" * size)
    os.utime(path, (time() - age,) * 2)
    return [str(PLUGINS / "check_file_age"), "-w", "3600", "-c", "7200", "-f", str(path)]


@row("command", "check_file_age: fresh", "pass")
def fresh_file(folder: Path) -> Iterator[dict[str, Any]]:
    yield {"command": aged(folder, 60, 100)}


@row("command", "check_file_age: old", "warn exit, age")
def old_file(folder: Path) -> Iterator[dict[str, Any]]:
    yield {"command": aged(folder, 5400, 0)}


@row("command", "check_file_age: very old", "fail exit, age")
def very_old_file(folder: Path) -> Iterator[dict[str, Any]]:
    yield {"command": aged(folder, 86400, 0)}


@row("command", "check_tcp: listening", "pass")
def port_open(_: Path) -> Iterator[dict[str, Any]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        yield {"command": [str(PLUGINS / "check_tcp"), "-H", "127.0.0.1", "-p", str(port)]}


@row("command", "check_tcp: refused", "fail exit")
def port_closed(_: Path) -> Iterator[dict[str, Any]]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        yield {"command": [str(PLUGINS / "check_tcp"), "-H", "127.0.0.1", "-p", str(port)]}


for status, verdict in ((200, "pass"), (404, "warn exit"), (503, "fail exit")):

    def answering(_: Path, status: int = status) -> Iterator[dict[str, Any]]:
        with stub(lambda _: Answer(status, b"hello")) as server:
            yield {"command": [str(PLUGINS / "check_http"), "-I", "127.0.0.1", "-p", str(server.port)]}

    row("command", f"check_http: status {status}", verdict)(answering)


# Programs of one's own.


def shell(state: str, expected: str, text: str, **raw: Any) -> None:
    """Add a row with an executable file in the folder, its text a shell script unless it says otherwise."""

    def make(folder: Path) -> Iterator[dict[str, Any]]:
        path = folder / "check"
        path.write_text(text if text.startswith("#!") else f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        yield {"command": ["./check"], **raw}

    row("command", state, expected)(make)


shell("exit 0 without a word", "pass", "exit 0")
shell("exit 2 without a word", "fail exit", "exit 2")
shell("exit 2, a word to stderr only", "fail exit", "echo 'no route' >&2; exit 2")
shell("exit 4", "unknown protocol", "echo 'all is well'; exit 4")
shell("exit 126", "unknown forbidden", "exit 126")
shell("exit 127, what it calls is missing", "unknown missing", "no-such-program-at-all")
shell("killed by a signal", "unknown crashed", "echo 'OK'; kill -s SEGV $$")
shell("what it calls is killed by a signal", "unknown crashed", "sh -c 'kill -s KILL $$'; exit $?")
shell("hangs", "unknown timeout", "sleep 600", timeout="500ms")
shell("hangs and takes no TERM", "unknown timeout", "trap '' TERM\nsleep 600\nsleep 600", timeout="500ms")
shell("floods its output", "unknown limit", "yes")
shell("floods its errors", "unknown limit", "yes >&2")
shell("says more than is taken", "unknown limit", "seq 2000", output_limit=4096)
shell("writes escape sequences and garbage", "pass", r"printf 'OK \033]0;x\007 \377\376 \000 fine\n'")
shell("something in the background holds the pipe", "pass", "sleep 600 &\necho OK", timeout="20s")
shell("a daemon holds the pipe", "pass", "setsid sleep 600 &\necho OK", timeout="20s")
shell("closes its output and goes on", "pass", "exec >&- 2>&-\nsleep 0.2\nexit 0")
shell("interpreter missing", "unknown missing", "#!/no/such/interpreter\n")
shell("figures within their ranges", "pass", "echo \"OK|'a b'=5s;10;20;0;100 c=U d=-3;~:0 e=7;@0:5;;;\"")
shell(
    "figures on later lines",
    "fail exit, b",
    "echo 'BAD|a=1;5'; echo more; echo 'and more|b=9;5;8'; echo 'c=3;@1:2'; exit 2",
)
shell("a figure beyond its range, but exit 0", "pass", "echo 'OK|free=90;20;10'")
shell("a figure beyond its limit, but exit 1", "warn exit, a", "echo 'SLOW|a=9;5;8'; exit 1")
shell("exit 3 with figures", "unknown config; unknown exit, a", "echo 'WHAT|a=9;5;8'; exit 3")
shell("figures that cannot be read", "pass", "echo 'OK | total a=x b=1;20:10 c=1;2;3;4;5;6 d=4'")


@row("command", "program missing", "unknown missing")
def program_missing(_: Path) -> Iterator[dict[str, Any]]:
    yield {"command": ["no-such-program-at-all"]}


@row("command", "program missing, and a folder on the path is closed", "unknown missing")
def program_missing_behind_a_closed_folder(folder: Path) -> Iterator[dict[str, Any]]:
    closed, path = folder / "closed", os.environ["PATH"]
    closed.mkdir()
    closed.chmod(0)
    os.environ["PATH"] = f"{closed}:{path}"
    try:
        yield {"command": ["no-such-program-at-all"]}
    finally:
        os.environ["PATH"] = path
        closed.chmod(0o700)


@row("command", "file may not be run", "unknown forbidden")
def not_executable(folder: Path) -> Iterator[dict[str, Any]]:
    (folder / "check").write_text("#!/bin/sh\nexit 0\n")
    yield {"command": ["./check"]}


@row("command", "file is no program", "unknown config")
def no_program(folder: Path) -> Iterator[dict[str, Any]]:
    (folder / "check").write_bytes(bytes(range(256)))
    (folder / "check").chmod(0o755)
    yield {"command": ["./check"]}


@row("command", "folder missing", "unknown missing")
def folder_missing(_: Path) -> Iterator[dict[str, Any]]:
    yield {"command": ["true"], "folder": "no/such/folder"}


@row("command", "a shell asked for", "pass")
def shell_asked_for(_: Path) -> Iterator[dict[str, Any]]:
    yield {"command": "echo one two | grep -q two && echo OK", "shell": True}


@row("command", "a shell asked for, and its command fails", "fail exit")
def shell_fails(_: Path) -> Iterator[dict[str, Any]]:
    yield {"command": "test -e no-such-file || { echo 'no file'; exit 2; }", "shell": True}


@row("command", "one text, but no shell asked for", "unknown config")
def shell_not_asked_for(_: Path) -> Iterator[dict[str, Any]]:
    yield {"command": "echo OK; exit 0"}


@row("command", "no command", "unknown config")
def no_command(_: Path) -> Iterator[dict[str, Any]]:
    yield {"command": []}


@row("command", "shell characters without a shell", "pass")
def no_shell_reads_it(folder: Path) -> Iterator[dict[str, Any]]:
    yield {"command": ["test", "$(touch made); echo `touch made`", "!=", ""]}
    assert not (folder / "made").exists()


for state, names, verdict in (
    ("environment variable not on the list", ["PATH"], "fail exit"),
    ("environment variable on the list", ["PATH", "CHECKED_TOKEN"], "pass"),
):

    def surrounded(_: Path, names: list[str] = names) -> Iterator[dict[str, Any]]:
        os.environ["CHECKED_TOKEN"] = "s3cret-value"
        try:
            look = 'test "$LC_ALL" = C && test "$CHECKED_TOKEN" = s3cret-value || exit 2'
            yield {"command": ["sh", "-c", look], "environment": names}
        finally:
            del os.environ["CHECKED_TOKEN"]

    row("command", state, verdict)(surrounded)


# Outcomes in JSON.

LINE = {"name": "replicas", "verdict": "pass", "observed": 3, "limit": 2, "message": "3 of 3 answer."}
GOOD = {"verdict": "pass", "summary": "All answer.", "checks": [LINE], "metrics": {"replicas": 3}}
BAD = {
    "verdict": "fail",
    "summary": "One answers.",
    "hint": "Start the others.",
    "checks": [LINE | {"verdict": "fail", "observed": 1}],
}


def offered(state: str, expected: str, outcome: object, code: int = 0) -> None:
    text = outcome if isinstance(outcome, str) else json.dumps(outcome, indent=1)
    shell(f"JSON: {state}", expected, f"cat <<'END'\n{text}\nEND\nexit {code}")


offered("pass", "pass", GOOD)
offered("pass, but exit 2", "unknown protocol", GOOD, 2)
offered("pass, but exit 1", "unknown protocol", GOOD, 1)
offered("pass, but exit 9", "unknown protocol", GOOD, 9)
offered("fail, exit 0", "fail replicas", BAD)
offered("fail, exit 1", "fail replicas", BAD, 1)
offered("fail, exit 2", "fail replicas", BAD, 2)
offered("warn without lines or hint", "warn", {"verdict": "warn", "summary": "Slow."})
offered("unknown", "unknown dns", {"verdict": "unknown", "reason": "dns", "summary": "No such name."}, 3)
offered("unknown without a reason", "unknown protocol", {"verdict": "unknown", "summary": "What?"})
offered("pass without evidence", "unknown protocol", {"verdict": "pass", "summary": "Trust me."})
offered("pass over a failed line", "unknown protocol", GOOD | {"checks": BAD["checks"]})
offered("a verdict there is not", "unknown protocol", GOOD | {"verdict": "OK"})
offered("a key there is not", "unknown protocol", GOOD | {"verdicts": 1})
offered("a figure that is text", "unknown protocol", GOOD | {"metrics": {"replicas": "3"}})
offered("without a summary", "unknown protocol", {"verdict": "pass", "checks": [LINE]})
offered("cut off", "unknown protocol", json.dumps(GOOD)[:-5])
offered("text after it", "unknown protocol", json.dumps(GOOD) + "\nand more")
offered("some other object", "pass", {"status": "up"})


@row("command", "JSON: another gonogo", "pass")
def another_gonogo(_: Path) -> Iterator[dict[str, Any]]:
    gonogo = str(Path(sys.executable).with_name("gonogo"))
    calm = ["memory_warn=0", "memory_fail=0", "disk_warn=0", "disk_fail=0", "disk_fail_bytes=0"]
    calm += ["load_warn=100000", "load_fail=100000", "swap_warn=100", "inodes_warn=0", "inodes_fail=0"]
    yield {"command": [gonogo, "probe", "host", *calm, "memory_pressure_warn=100", "--format", "json"]}


@row("command", "JSON: another gonogo finds a fault", "fail memory")
def another_gonogo_fails(_: Path) -> Iterator[dict[str, Any]]:
    parameters = next(another_gonogo(Path()))
    command = [word.replace("memory_fail=0", "memory_fail=101") for word in parameters["command"]]
    yield {"command": command}


OFFER = '{"verdict": "fail", "summary": "The database is down."}'
shell("an outcome after a line of a log", "unknown protocol", f"echo 'loading'; echo '{OFFER}'")
shell("an outcome after a byte order mark", "fail", f"printf '\\357\\273\\277'; echo '{OFFER}'")
