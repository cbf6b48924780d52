"""`gonogo demo` in a real pseudo-terminal: repaired with what the screen and the report say, and left."""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
import pytest

from tests.conftest import REPOSITORY, wait_until
from tests.tui.terminal import Terminal

ITEMS = ("cache", "host", "dependencies", "secrets", "sentry", "restore", "sign-off")
BROKEN = [item for item in ITEMS if item not in {"host", "sign-off"}]
REASONS = {
    "cache": "noeviction",
    "dependencies": "psutil",
    "secrets": "holds a key",
    "sentry": "429",
    "restore": ".sha256",
}


@pytest.fixture
def room() -> Iterator[str]:
    """A folder for temporary files with a short name: a command is read from the screen in one line."""
    with tempfile.TemporaryDirectory(prefix="", dir="/tmp") as folder:
        yield folder


@pytest.fixture
def environment(tmp_path: Path, room: str) -> dict[str, str]:
    (tmp_path / "home").mkdir()
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "HOME": str(tmp_path / "home"),
        "TMPDIR": room,
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "LOGNAME": "operator",
        # What runs on loopback is reached whatever stands in between elsewhere.
        "http_proxy": "http://127.0.0.1:1",
    }


def folder_of(terminal: Terminal) -> Path:
    """The folder that was told before the console opened."""
    found = re.search(rb"production in (\S+):", terminal.raw)
    assert found
    return Path(os.fsdecode(found[1]))


def repair_on_screen(terminal: Terminal, item: str) -> str:
    terminal.see(f"/fix/{item} ")
    found = re.search(rf"\$ (.*/fix/{item}) ", terminal.text)
    assert found
    return found[1]


def family_of(terminal: Terminal) -> list[psutil.Process]:
    return psutil.Process(terminal.pid).children(recursive=True)


def expect_nothing_left(family: list[psutil.Process], environment: dict[str, str]) -> None:
    wait_until(lambda: not any(process.is_running() for process in family), "no process is left")
    # No server without its process, so no port either; and a folder is the last thing that goes.
    wait_until(lambda: not list(Path(environment["TMPDIR"]).iterdir()), "no folder is left")


def report(gonogo: str, folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """What `gonogo status` says in a second terminal."""
    words = ("status", "--format", "json", "--checklist", str(folder / "checklist.toml"))
    done = subprocess.run([gonogo, *words], env=environment, capture_output=True, check=False)
    return json.loads(done.stdout)


def states(folder: Path) -> dict[str, str]:
    items = tomllib.loads((folder / "checklist.status.toml").read_text())["items"]
    return {name: facts["state"] for name, facts in items.items()}


def until(terminal: Terminal, condition: Callable[[], object]) -> None:
    """Wait for something that is not on the screen, and read on: a program that nobody reads stands still."""

    deadline = monotonic() + 90  # the first scan for keys compiles its rules
    while not condition():
        if monotonic() > deadline:
            pytest.fail(f"never came true\n{terminal.text}")
        terminal._read(0.05)


def test_a_stranger_repairs_all_five_and_reaches_go(
    gonogo: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    with Terminal([gonogo, "demo"], tmp_path, environment, size=(140, 40)) as terminal:
        terminal.see("NO-GO")
        terminal.see("attested")
        folder, family = folder_of(terminal), family_of(terminal)
        assert b"a Redis that is short of memory" in terminal.raw
        assert all(states(folder)[item] == "resolved" for item in BROKEN), "all looks done, and NO-GO"
        terminal.press("F")
        until(terminal, lambda: list(states(folder).values()).count("reopened") == len(BROKEN))

        items = {item["id"]: item for item in report(gonogo, folder, environment)["items"]}
        for item in ITEMS:
            if item in BROKEN:
                assert states(folder)[item] == "reopened"
                assert REASONS[item] in items[item]["evidence"]["summary"]
                assert items[item]["repair"] == repair_on_screen(terminal, item)
                subprocess.run(["sh", "-c", items[item]["repair"]], check=True, capture_output=True)
                terminal.press("r")
                until(terminal, lambda: states(folder)[item] == "verified")  # noqa: B023  # called at once
            terminal.press("j")
        assert "NO-GO" in terminal.text, "only a final check makes GO"
        terminal.press("F")
        terminal.see("Nothing holds it: ")
        assert report(gonogo, folder, environment)["gate"]["verdict"] == "GO"
        family += family_of(terminal)
        terminal.press("q")
        assert terminal.ended() == 0
        assert b"nothing of it is left" in terminal.raw
    expect_nothing_left(family, environment)


@pytest.mark.parametrize("how", ["q", "closed terminal", "SIGHUP", "SIGINT", "SIGTERM", "SIGKILL"])
def test_nothing_is_left_however_it_ends(
    gonogo: str, tmp_path: Path, environment: dict[str, str], how: str
) -> None:
    with Terminal([gonogo, "demo"], tmp_path, environment) as terminal:
        terminal.see("NO-GO")
        terminal.press("r")
        terminal.see("reopened")
        family = family_of(terminal)
        assert {"redis-server"} <= {process.name() for process in family}
        match how:
            case "q":
                terminal.press("q")
            case "closed terminal":
                terminal.close()
            case _:
                os.kill(terminal.pid, signal.Signals[how])
        assert (terminal.ended() == 0) == (how == "q")
    expect_nothing_left(family, environment)


def test_what_is_left_when_the_keeper_was_killed_is_named(
    gonogo: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    with Terminal([gonogo, "demo"], tmp_path, environment, size=(140, 40)) as terminal:
        terminal.see("NO-GO")
        folder, family = folder_of(terminal), family_of(terminal)
        [keeper] = [process for process in family if "cli.demo.keeper" in process.cmdline()]
        keeper.kill()
        terminal.press("q")
        assert terminal.ended() == 0
        assert f"over, but {folder} is left" in terminal.raw.decode()
        assert b"nothing of it is left" not in terminal.raw
        shutil.rmtree(folder)
    expect_nothing_left(family, environment)


@pytest.mark.parametrize("how", ["ctrl+c", "SIGTERM", "SIGKILL"])
def test_nothing_is_left_when_it_ends_while_it_is_built(
    gonogo: str, tmp_path: Path, environment: dict[str, str], how: str
) -> None:
    with Terminal([gonogo, "demo"], tmp_path, environment) as terminal:
        terminal.see("a Redis")
        family = family_of(terminal)
        if how == "ctrl+c":
            terminal.press("\x03")
        else:
            os.kill(terminal.pid, signal.Signals[how])
        assert terminal.ended() != 0
        assert b"?1049h" not in terminal.raw
    expect_nothing_left(family, environment)


def test_ctrl_z_under_make_goes_back_to_the_shell_and_fg_comes_back(
    gonogo: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    (tmp_path / "Makefile").write_text(f"run:\n\t@{gonogo} demo\n")
    shell = ["/bin/bash", "--norc", "--noprofile", "-i"]
    with Terminal(shell, tmp_path, {**environment, "PS1": "prompt> "}) as terminal:
        terminal.see("prompt>")
        terminal.press("make run\r")
        terminal.see("NO-GO")
        family = family_of(terminal)
        terminal.press("\x1a")
        terminal.see("Stopped")
        terminal.press("echo back in $((40 + 2)) the shell\r")
        terminal.see("back in 42 the shell")
        terminal.press("fg\r")
        terminal.gone("Stopped")
        terminal.see("NO-GO")
        terminal.press("r")
        terminal.see("reopened")
        terminal.press("q")
        terminal.see("nothing of it is left")
        terminal.press("exit\r")
        assert terminal.ended() == 0
    expect_nothing_left(family, environment)


def test_ctrl_z_without_a_shell_stops_nothing(
    gonogo: str, tmp_path: Path, environment: dict[str, str]
) -> None:
    with Terminal([gonogo, "demo"], tmp_path, environment) as terminal:
        terminal.see("NO-GO")
        terminal.press("\x1a")
        terminal.see("There is no shell")
        terminal.press("q")
        assert terminal.ended() == 0


def test_make_run_opens_the_demo() -> None:
    told = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "--old-file", ".venv/run.stamp", "run"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines()[-1] == ".venv/bin/gonogo demo"
