import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from msgspec.structs import replace

from checklist import definition
from checklist.gate import GO, NO_GO
from checklist.lifecycle import State
from checklist.session import Session
from checklist.zones import day
from cli.demo import paper, production
from probes.outcome import Verdict, now
from tests.cli.conftest import Call
from tests.conftest import REPOSITORY, wait_until

BROKEN = {
    "cache": "under noeviction",
    "dependencies": "psutil: development",
    "secrets": "shop/payments.py:5 holds a key: stripe",
    "sentry": "turns events away with 429, quota used up, for 60 s",
    "restore": r"shop-.*\.tar is not as shop-.*\.tar\.sha256 says",
}
TOOLS = ("sh", "tar", "date", "sha256sum", "sed", "mv", "cp", "rm", "cat", "git")


@pytest.fixture
def demo(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The checklist of a demo; its parameter names the servers and clients there are, if not all."""
    # What a shell or a file of settings would take for its own.
    folder, programs = tmp_path / 'one\'s "demo" \\ $HOME {}', tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    if (installed := getattr(request, "param", None)) is not None:
        for program in (*TOOLS, *installed):
            (programs / program).symlink_to(str(shutil.which(program)))
        monkeypatch.setenv("PATH", str(programs))
    with production.running(folder, lambda _: None) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield folder / "checklist.toml"


@pytest.fixture
async def session(demo: Path) -> AsyncIterator[Session]:
    opened = Session.open(demo, operator="operator")
    yield opened
    await opened.close()


def repair(session: Session, item: str) -> None:
    """Type what the item says that repairs it."""
    [command] = [one.repair for one in session.report().items if one.id == item]
    subprocess.run(["sh", "-c", command], check=True, capture_output=True, cwd="/")


async def look(session: Session, states: dict[str, State]) -> None:
    """Run the probes of some items and expect these states; a busy machine may answer too late once."""
    for _ in range(3):
        found = await session.check(list(states))
        seen = {item.id: item.state for item in found.items if item.id in states}
        if seen == states:
            return
    summaries = [item.evidence.summary for item in found.items if item.evidence]
    assert seen == states, summaries


async def test_all_is_claimed_and_nothing_is_proven_as_it_was_then(session: Session) -> None:
    report = session.report()
    items = {item.id: item for item in report.items}
    assert report.gate.verdict == NO_GO
    assert {name: items[name].state for name in BROKEN} == dict.fromkeys(BROKEN, State.RESOLVED)
    cache = items["cache"]
    assert cache.claim
    assert (cache.claim.by, str(cache.claim.on), str(cache.due)) == (
        "Infrastructure team",
        "2025-06-27",
        "2025-06-25",
    )
    assert (cache.days_late, items["restore"].days_late) == (2, 0)
    assert items["sign-off"].state == State.ATTESTED
    assert items["sign-off"].attestation
    assert items["sign-off"].attestation.by == "Release manager"
    # The machine that the demo runs on is nobody's fault.
    assert items["host"].severity == "advisory"
    assert "Advisory in this demo" in items["host"].notes[0]
    # What the demo asks of the cache is less than what is asked of a real one, and it says so.
    assert "In this demo it may take a second to answer" in cache.notes[0]


async def test_its_checklist_is_the_shipped_one_and_says_what_it_adds(session: Session) -> None:
    shipped, played = definition.load(REPOSITORY / "checklist.toml"), session.checklist
    probe = shipped.by_id["cache"].probe
    assert probe
    patient = {**probe.parameters, "latency_warn": "1s", "latency_fail": "2s"}
    expected = [
        replace(
            item,
            due=played.by_id[item.id].due,
            repair=played.by_id[item.id].repair,
            notes=played.by_id[item.id].notes,
            severity="advisory" if item.id == "host" else item.severity,
            probe=replace(probe, parameters=patient) if item.id == "cache" else item.probe,
        )
        for item in shipped.items
    ]
    assert replace(shipped, items=tuple(expected)) == played
    assert [item.id for item in played.items if item.notes] == ["cache", "host"]


async def test_each_repair_turns_its_own_item_green_and_no_other_and_all_give_go(session: Session) -> None:
    found = await session.check()
    assert found.gate.verdict == NO_GO
    for item in found.items:
        if item.id in BROKEN:
            assert item.evidence
            assert item.evidence.verdict is Verdict.FAIL
            assert item.state is State.REOPENED
            assert re.search(BROKEN[item.id], item.evidence.summary)
            assert item.evidence.hint, "what the probe itself advises stays in sight"
            assert len(item.repair) < 30 + len(str(session.place.folder))
    for number, name in enumerate(BROKEN, 1):
        repair(session, name)
        green = list(BROKEN)[:number]
        await look(session, {one: State.VERIFIED if one in green else State.REOPENED for one in BROKEN})
    found = await session.check()
    assert found.gate.verdict == GO, found.gate.reasons
    assert not found.gate.waived


async def test_a_repair_may_be_run_twice(session: Session) -> None:
    for _ in range(2):
        for name in BROKEN:
            repair(session, name)
    await look(session, dict.fromkeys(BROKEN, State.VERIFIED))


@pytest.mark.parametrize("demo", [()], indirect=True, ids=["no Redis"])
async def test_without_redis_server_the_cache_is_waived_and_go_is_honest(session: Session) -> None:
    [cache] = [item for item in session.report().items if item.id == "cache"]
    assert cache.waiver
    assert (cache.state, cache.repair) == (State.WAIVED, "")
    assert cache.waiver.why == "redis-server is not installed here"
    assert cache.waiver.until == day(now(), "UTC") + timedelta(days=1)
    for name in set(BROKEN) - {"cache"}:
        repair(session, name)
    found = await session.check()
    assert "Connection refused" in next(
        i.evidence.summary for i in found.items if i.id == "cache" and i.evidence
    )
    assert found.gate.verdict == GO
    assert f"1 waived until {cache.waiver.until}" in found.gate.line


@pytest.mark.parametrize("demo", [("redis-server",)], indirect=True, ids=["server"])
async def test_without_redis_cli_the_cache_is_repaired_by_python(session: Session) -> None:
    repair(session, "cache")
    await look(session, {"cache": State.VERIFIED})


@contextmanager
def keeper(folder: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "cli.demo.keeper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(folder), **environment},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[bytes], key: str) -> Any:
    """Read until the keeper tells something, and return it."""
    assert process.stdout
    for line in process.stdout:
        if found := json.loads(line).get(key):
            return found
    pytest.fail(f"the keeper never told: {key}")


def refuses(url: str) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", urlsplit(url).port or 0)) != 0


@pytest.mark.parametrize("how", ["end of input", "SIGTERM", "SIGHUP"])
def test_nothing_is_left_when_it_ends(tmp_path: Path, how: str) -> None:
    with keeper(tmp_path) as process:
        variables = told(process, "ready")
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) == 2
        assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o700]
        if how == "end of input":
            assert process.stdin
            process.stdin.close()
        else:
            process.send_signal(signal.Signals[how])
        process.wait(20)
    assert not any(one.is_running() for one in family)
    assert refuses(variables["REDIS_URL"])
    assert refuses(variables["SENTRY_DSN"])
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_when_gonogo_ends_before_all_is_built(tmp_path: Path) -> None:
    with keeper(tmp_path) as process:
        assert told(process, "making") == "cache"
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        process.stdout.close()
        process.wait(20)
    assert list(tmp_path.iterdir()) == []


def test_no_server_is_left_when_the_keeper_itself_is_killed(tmp_path: Path) -> None:
    with keeper(tmp_path) as process:
        told(process, "ready")
        family = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    wait_until(lambda: not any(one.is_running() for one in family), "no server is left")


def test_it_says_why_it_cannot_be_built(tmp_path: Path) -> None:
    with keeper(tmp_path, PATH=str(tmp_path)) as process:
        assert "No such file or directory: 'sh'" in told(process, "failed")
        process.wait(20)
    assert list(tmp_path.iterdir()) == []


def test_it_is_not_built_where_git_has_a_say(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "ignored"
    folder.mkdir()
    with keeper(folder) as process:
        assert told(process, "failed") == production.IN_REPOSITORY
        process.wait(20)
    assert list(folder.iterdir()) == []


def test_it_needs_a_terminal_and_says_so(call: Call, tmp_path: Path) -> None:
    done = call("demo", TMPDIR=str(tmp_path))
    assert done.returncode == 2
    assert (
        done.stderr
        == "gonogo: the console needs a terminal; in a script use `gonogo status` or `gonogo check`\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_carries_what_it_begins_with(tmp_path: Path) -> None:
    built, site, demo = tmp_path / "dist", tmp_path / "site", tmp_path / "tmp"
    demo.mkdir()
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built))
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    shipped = site / "cli" / "demo" / "shipped"
    assert paper.shipped() == REPOSITORY
    assert (shipped / "checklist.toml").read_bytes() == (REPOSITORY / "checklist.toml").read_bytes()
    (site / "checklist.toml").write_text("somebody else's, and no checklist")
    with keeper(demo, PYTHONPATH=str(site)) as process:
        told(process, "ready")
        [folder] = demo.iterdir()
        assert "due = 2025-06-25" in (folder / "checklist.toml").read_text()
        assert process.stdin
        process.stdin.close()
        process.wait(20)
