"""The installed command in a real pseudo-terminal, against a real redis-server."""

import json
import os
import signal
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import wait_until
from tests.servers.redis_server import RedisServer, redis_server
from tests.tui.terminal import Terminal

CHECKLIST = """
[checklist]
title = "Tonight"
[[items]]
id = "cache"
section = "Infrastructure"
title = "The cache is healthy"
[items.probe]
use = "redis"
url = "${REDIS_URL:-redis://127.0.0.1:1/0}"
role = "cache"
timeout = "10s"
[[items]]
id = "slow"
section = "Infrastructure"
title = "Something slow"
severity = "advisory"
[items.probe]
use = "test-blocking"
do = "ignore-term"
file = "pids"
timeout = "10m"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checklist.toml").write_text(CHECKLIST)
    return tmp_path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "HOME": str(tmp_path),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "LOGNAME": "operator",
    }


@pytest.fixture
def redis_full(tmp_path: Path) -> Iterator[RedisServer]:
    options = ("--maxmemory", "2mb", "--maxmemory-policy", "noeviction")
    with redis_server(tmp_path / "redis", *options) as server:
        server.fill()
        yield server


def status(folder: Path) -> dict[str, dict[str, object]]:
    found = tomllib.loads((folder / "checklist.status.toml").read_text())["items"]
    assert isinstance(found, dict)
    return found


def test_the_whole_story_of_a_full_cache(
    gonogo: str, folder: Path, environment: dict[str, str], redis_full: RedisServer
) -> None:
    with Terminal([gonogo], folder, environment) as terminal:
        terminal.see("cache: its probe has never run")
        terminal.press("r")
        terminal.see("Connection refused")
        terminal.see("Set REDIS_URL.")
        terminal.press("q")
        assert terminal.ended() == 0

    environment["REDIS_URL"] = redis_full.url
    with Terminal([gonogo], folder, environment, size=(120, 40)) as terminal:
        terminal.see("Connection refused")
        terminal.press("r")
        terminal.see("cache: fails:")
        terminal.see("maxmemory")
        assert status(folder)["cache"]["state"] == "open"

        redis_full.run("CONFIG", "SET", "maxmemory", "100mb")
        redis_full.run("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        terminal.press(" ")
        terminal.see("Resolve cache")
        terminal.press("maxmemory to 100 MB\r")
        terminal.see("claimed, not proven")
        assert status(folder)["cache"]["state"] == "resolved"
        assert status(folder)["cache"]["action"] == "maxmemory to 100 MB"
        terminal.press("r")
        terminal.see("proven by its own probe")
        assert status(folder)["cache"]["state"] == "verified"
        terminal.press("q")
        assert terminal.ended() == 0
        # The operator gets the terminal back as it was: main screen, cursor, no mouse reports.
        for taken, given_back in ((b"?1049h", b"?1049l"), (b"?25l", b"?25h"), (b"?1000h", b"?1000l")):
            assert -1 < terminal.raw.rfind(taken) < terminal.raw.rfind(given_back)

    with Terminal([gonogo], folder, environment) as terminal:
        terminal.see("verified")
        terminal.press("q")
        assert terminal.ended() == 0

    report = subprocess.run(
        [gonogo, "status", "--format", "json"], cwd=folder, env=environment, capture_output=True, check=False
    )
    cache = json.loads(report.stdout)["items"][0]
    assert cache["state"] == "verified"
    assert cache["claim"]["by"] == "operator"
    assert cache["claim"]["action"] == "maxmemory to 100 MB"


@pytest.fixture
def pids(folder: Path) -> Iterator[Path]:
    note = folder / "pids"
    yield note
    for word in note.read_text().split() if note.exists() else []:
        if psutil.pid_exists(int(word)):
            os.kill(int(word), 9)


@pytest.mark.parametrize("how", ["q", "closed terminal", "SIGHUP", "SIGINT", "SIGTERM", "SIGKILL"])
def test_leaving_while_a_probe_runs_leaves_no_process(
    gonogo: str, folder: Path, environment: dict[str, str], pids: Path, how: str
) -> None:
    with Terminal([gonogo], folder, environment) as terminal:
        terminal.see("Something slow")
        terminal.press("jr")
        terminal.see("running for")
        wait_until(lambda: pids.exists() and pids.read_text(), "the probe runs")
        family = psutil.Process(terminal.pid).children(recursive=True)
        assert int(pids.read_text()) in [process.pid for process in family]
        match how:
            case "q":
                terminal.press("q")
            case "closed terminal":
                terminal.close()
            case _:
                os.kill(terminal.pid, signal.Signals[how])
        code = terminal.ended()
        assert (code == 0) == (how == "q")
        if how in {"SIGHUP", "SIGINT", "SIGTERM"}:
            assert code == 128 + signal.Signals[how]
            assert -1 < terminal.raw.rfind(b"?1049h") < terminal.raw.rfind(b"?1049l")
    wait_until(lambda: not any(process.is_running() for process in family), "no process is left")


def test_the_screen_follows_a_resize(gonogo: str, folder: Path, environment: dict[str, str]) -> None:
    with Terminal([gonogo], folder, environment) as terminal:
        terminal.see("The cache is healthy")
        terminal.resize(120, 36)
        terminal.press("?")
        terminal.see("Run every probe in one go")
        terminal.press("\x1b")
        terminal.gone("Run every probe in one go")
        terminal.press("q")
        assert terminal.ended() == 0


def test_words_that_come_in_one_burst_with_the_key_are_no_commands(
    gonogo: str, folder: Path, environment: dict[str, str]
) -> None:
    with Terminal([gonogo], folder, environment, size=(100, 30)) as terminal:
        terminal.see("The cache is healthy")
        terminal.press(" rRFoq")
        terminal.see("What was done?")
        terminal.press("mended it\r")
        terminal.see("claimed, not proven")
        assert "mended it" in str(status(folder)["cache"]["action"])
        assert "evidence" not in status(folder)["cache"]
        terminal.press("q")
        assert terminal.ended() == 0
