"""The command as a process: what it loads, how it is interrupted, what it leaves behind."""

import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checklist.making import LITTLE, little
from tests.cli.conftest import Call, files
from tests.conftest import REPOSITORY, wait_until

HEAVY = {"textual", "rich", "redis", "sentry_sdk", "psutil", "asyncio"}


def loaded(gonogo: str, *args: str, cwd: Path, environment: dict[str, str]) -> set[str]:
    """Return the top-level modules that a call of the command imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", gonogo, *args],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("form", ["text", "json"])
def test_status_loads_neither_the_console_nor_a_client_library(
    gonogo: str, tmp_path: Path, surroundings: dict[str, str], form: str
) -> None:
    shutil.copy(REPOSITORY / "checklist.toml", tmp_path)
    found = loaded(gonogo, "status", "--format", form, cwd=tmp_path, environment=surroundings)
    assert {"click", "msgspec", "checklist"} <= found
    assert found & HEAVY == set()


def test_a_check_loads_no_console(gonogo: str, folder: Path, surroundings: dict[str, str]) -> None:
    found = loaded(gonogo, "check", cwd=folder, environment=surroundings)
    assert {"asyncio", "probes"} <= found
    assert found & {"textual", "rich", "redis", "sentry_sdk"} == set()


CONSOLE = """
import asyncio, sys
from pathlib import Path
from checklist.session import Session
from tui.app import Console

async def shown():
    session = Session.open(Path(sys.argv[1]))
    async with Console(session).run_test() as pilot:
        await pilot.pause()
        print(*{name.partition(".")[0] for name in sys.modules})
    await session.close()

asyncio.run(shown())
"""


def test_the_console_shows_itself_before_anything_is_loaded_that_only_a_run_needs(
    tmp_path: Path, surroundings: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CONSOLE, str(little(tmp_path))],
        cwd=REPOSITORY,
        env=surroundings,
        capture_output=True,
        text=True,
        check=True,
    )
    found = {*done.stdout.split()}
    assert {"textual", "probes"} <= found
    assert found & {"redis", "sentry_sdk", "psutil"} == set()


EVERYTHING = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(module.name)
print(*sorted(name for name in sys.modules if "." not in name))
"""


@pytest.mark.parametrize("package", ["checklist", "probes"])
def test_rules_and_senses_never_import_what_draws(package: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EVERYTHING, package],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    found = {*done.stdout.split()}
    assert {package, "msgspec"} <= found
    assert found & {"textual", "rich", "click", "tui", "cli"} == set()
    if package == "probes":
        assert "checklist" not in found


# Interrupted


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def pids(folder: Path) -> list[int]:
    note = folder / "pids"
    return [int(word) for word in note.read_text().split()] if note.exists() else []


def ending(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Return what a program said until it ended; one that does not end is killed, not waited for."""
    try:
        return process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


STUBBORN = LITTLE.replace(
    'do = "read"\nfile = "door.verdict"', 'do = "escape"\nfile = "pids"\ntimeout = "10m"'
)


@pytest.mark.parametrize("args", [("check",), ("check", "door")], ids=" ".join)
def test_ctrl_c_ends_a_check_with_130_and_leaves_no_process(
    gonogo: str, tmp_path: Path, surroundings: dict[str, str], args: tuple[str, ...]
) -> None:
    little(tmp_path, text=STUBBORN)
    with subprocess.Popen(
        [gonogo, *args],
        cwd=tmp_path,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        wait_until(lambda: len(pids(tmp_path)) == 2, "the probe and what it started run")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
        out, err = ending(process)
    assert (process.returncode, out) == (130, "")
    assert "interrupted" in err
    assert ("go on with: gonogo check --resume" in err) is (args == ("check",))
    assert "Traceback" not in err
    assert [pid for pid in pids(tmp_path) if alive(pid)] == []
    assert "reports" not in {path.name for path in tmp_path.iterdir()}
    status = files(tmp_path).get("checklist.status.toml", b"")
    assert b"final_check" not in status
    assert b"[items.door" not in status


def test_a_check_that_was_killed_is_gone_on_with(
    gonogo: str, tmp_path: Path, surroundings: dict[str, str], call: Call
) -> None:
    little(tmp_path)
    call("attest", "sign-off", "--note", "looked")
    (tmp_path / "door.verdict").unlink()
    os.mkfifo(tmp_path / "door.verdict")
    with subprocess.Popen(
        [gonogo, "check"], cwd=tmp_path, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert b"light" in process.stderr.readline()
        process.kill()
    assert call("status").returncode == 1
    (tmp_path / "door.verdict").unlink()
    (tmp_path / "door.verdict").write_text("pass")
    done = call("check", "--resume")
    assert (done.returncode, done.stdout.startswith("GO")) == (0, True)
    assert "1 of 3 have run already" in done.stderr
    assert [line.split()[0] for line in done.stderr.splitlines()[1:]] == ["[2/3]", "[3/3]", "the"]
    assert "found pass" in call("log", "--item", "light").stdout
    assert call("log", "--item", "light").stdout.count("found") == 1


def test_ctrl_c_ends_a_probe_with_130_and_leaves_no_process(
    gonogo: str, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    command = [gonogo, "probe", "test-blocking", "do=escape", "file=pids", "timeout=10m"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_until(lambda: len(pids(tmp_path)) == 2, "the probe and what it started run")
        process.send_signal(signal.SIGINT)
        out, err = ending(process)
    assert (process.returncode, out, "Traceback" in err) == (130, "", False)
    assert [pid for pid in pids(tmp_path) if alive(pid)] == []


# Terminals


def test_the_console_without_a_terminal_refuses_and_says_what_to_use(call: Call, folder: Path) -> None:
    for args in ((), ("checklist.toml",), ("nowhere.toml",)):
        done = call(*args)
        assert (done.returncode, done.stdout) == (2, "")
        assert "needs a terminal" in done.stderr
        assert "gonogo status" in done.stderr
    assert set(files(folder)) == {"checklist.toml", "door.verdict"}


def test_a_broken_checklist_is_named_before_the_console_takes_the_terminal(
    gonogo: str, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    little(tmp_path, text=LITTLE + 'onwer = "me"\n')
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [gonogo],
            cwd=tmp_path,
            env=surroundings,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            timeout=60,
            check=False,
        )
        said = os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2
    assert "checklist.toml:40: item 'sign-off': unknown key 'onwer'" in said
    assert "\x1b" not in said
