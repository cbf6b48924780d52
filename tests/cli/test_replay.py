"""The whole story of examples/2025-05-13, by command alone, on real servers."""

import json
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from cli.options import FORMATS
from tests.cli.conftest import Call, Done
from tests.cli.replay import LIST, Production, production
from tests.cli.test_exits import GO, NO_GO
from tests.cli.test_format_codes import SAYS_SO
from tests.conftest import wait_until

Enter = Callable[..., Done]

IDS = ("redis", "dependencies", "secrets", "sentry", "restore")
RESOLVED = dict.fromkeys(IDS, "resolved")
VERIFIED = dict.fromkeys(IDS, "verified")
TWO_REOPENED = {**VERIFIED, "redis": "reopened", "restore": "reopened"}
FULL, DAMAGED = "redis: fails: 2.0 MiB of 2.0 MiB", "restore: fails: shop.tar.gz is not as shop.tar.gz.sha256"
ACTION = "maxmemory를 올리고 축출 정책을 allkeys-lru로 설정"
SUFFIXES = (".json", ".md", ".html")


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Production]:
    (tmp_path / "production").mkdir()
    with production(tmp_path / "production") as made:
        yield made


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder with nothing but the list that the team has kept."""
    (tmp_path / "release").mkdir()
    shutil.copy(LIST, tmp_path / "release")
    return tmp_path / "release"


@pytest.fixture
def enter(call: Call, parts: Production, release: Path) -> Iterator[Enter]:
    """Enter a command that ends with a code; whatever it changed, the journal proves itself afterwards."""

    def enter_(code: int, *args: str, cwd: Path = release) -> Done:
        done = call(*args, cwd=cwd, **parts.variables)
        assert done.returncode == code, done.stdout + done.stderr
        if args[0] in {"import", "resolve", "check"}:
            verified = call("log", "--verify", cwd=cwd)
            assert (verified.returncode, verified.stdout) == (0, ""), verified.stderr
        return done

    yield enter_
    wait_until(lambda: not _running_with(parts.variables), "no process of gonogo is left")


def _running_with(variables: Mapping[str, str]) -> list[int]:
    """Return the processes that were told where the backups of this test are."""
    found = []
    for process in psutil.process_iter():
        try:
            told = process.environ().get("BACKUP_DIR")
        except psutil.Error:
            continue
        if told == variables["BACKUP_DIR"]:
            found.append(process.pid)
    return found


def states(folder: Path) -> dict[str, str]:
    """Return the state of each item as the status file tells it."""
    items = tomllib.loads((folder / "checklist.status.toml").read_text())["items"]
    return {name: items[name]["state"] for name in IDS}


def reasons(text: str) -> list[str]:
    """Return what holds the gate, as a check or the status says it in words."""
    verdict, *blocks = text.split("\n\n")
    assert verdict.startswith("NO-GO  ")
    return [line.strip() for line in blocks[0].splitlines()]


def record(enter: Enter, folder: Path, number: int) -> dict[str, Any]:
    """Return the newest readiness check, which is the record of this number, in all its forms."""
    path = folder / enter(0, "report", "readiness").stdout.strip()
    assert re.fullmatch(r"readiness_check_\d{8}_\d{6}(_\d+)?\.json", path.name)
    for suffix in SUFFIXES:
        assert len([*path.parent.glob(f"readiness_check_*{suffix}")]) == number
    found: dict[str, Any] = json.loads(path.read_text())
    for suffix in SUFFIXES[1:]:
        text = path.with_suffix(suffix).read_text()
        assert found["gate"]["verdict"] in text
        assert all(item["title"].strip("`") in text.replace("\\", "") for item in found["items"])
    return found


def moved(changes: dict[str, Any], what: str) -> dict[str, tuple[str, str]]:
    return {one["item"]: (one["before"], one["after"]) for one in changes[what]}


def agree(enter: Enter, code: int) -> dict[str, str]:
    """Hold every format of the status against the one exit code; return what each says."""
    said = {form: enter(code, "status", "--format", form).stdout for form in FORMATS}
    assert {form: SAYS_SO[form](text) for form, text in said.items()} == dict.fromkeys(FORMATS, code == GO)
    return said


def test_the_story_of_2025_05_13(enter: Enter, parts: Production, release: Path) -> None:
    _imported(enter, release)
    first = _two_fail(enter, release)
    _repaired(enter, parts, release)
    second = _go(enter, first, release)
    parts.exhaust_the_cache()
    third = _broken_again(enter, second, release)
    _reported(enter, third, release)
    _logged(enter)


def _imported(enter: Enter, release: Path) -> None:
    """A ticked box is somebody's word."""
    done = enter(0, "import", "LIST.md")
    assert "5 items, 5 resolved, none proven" in done.stderr
    assert states(release) == RESOLVED
    done = enter(NO_GO, "status")
    assert "no final check has run" in reasons(done.stdout)
    assert "due 2025-06-25, 2 days late" in done.stdout
    assert done.stdout.endswith("5 items: 5 resolved, none verified, 1 late\n")


def _two_fail(enter: Enter, release: Path) -> dict[str, Any]:
    """The probes know better: two of the claims do not hold."""
    done = enter(NO_GO, "check")
    cache, backup = reasons(done.stdout)
    assert cache.startswith(FULL)
    assert backup.startswith(DAMAGED)
    assert "[5/5]" in done.stderr
    assert states(release) == TWO_REOPENED
    found = record(enter, release, 1)
    assert (found["status"], found["final"], found["by"]) == ("fail", True, "operator")
    assert (found["releaseId"], found["changes"], found["problem"]) == ("1.0.0", None, "")
    assert found["checks"]["redis:memory"][0]["status"] == "fail"
    return found


def _repaired(enter: Enter, parts: Production, release: Path) -> None:
    """To repair it and to say so proves nothing; their own probes do, and yet there is no GO."""
    parts.repair_the_cache()
    parts.repair_the_backup()
    for name, day, action in (("redis", "2025-06-27", ACTION), ("restore", "2025-06-26", "백업을 다시 만듦")):
        done = enter(0, "resolve", name, "--by", "인프라팀", "--on", day, "--action", action)
        assert f"prove it with: gonogo check {name}" in done.stderr
    assert states(release) == {**VERIFIED, "redis": "resolved", "restore": "resolved"}
    enter(NO_GO, "status")

    done = enter(0, "check", "redis", "restore")
    assert "✓ redis: pass" in done.stdout
    assert "✓ restore: pass" in done.stdout
    assert states(release) == VERIFIED
    assert reasons(enter(NO_GO, "status").stdout) == ["something changed after the final check"]


def _go(enter: Enter, before: dict[str, Any], release: Path) -> dict[str, Any]:
    """Only a final check lets the release go."""
    done = enter(GO, "check")
    assert done.stdout.startswith("GO  운영 환경 점검 2025-05-13")
    assert "redis fixed: reopened → verified" in done.stdout
    assert "5 items: 5 verified, 1 late" in done.stdout
    found = record(enter, release, 2)
    assert (found["status"], found["gate"]["reasons"]) == ("pass", [])
    assert {item["run"] for item in found["items"]} == {found["run"]}
    assert found["changes"]["run"] == before["run"]
    assert moved(found["changes"], "fixed") == dict.fromkeys(("redis", "restore"), ("reopened", "verified"))
    assert moved(found["changes"], "broke") == {}
    agree(enter, GO)
    return found


def _broken_again(enter: Enter, before: dict[str, Any], release: Path) -> dict[str, Any]:
    """A GO holds for as long as nothing breaks."""
    done = enter(NO_GO, "check")
    (reason,) = reasons(done.stdout)
    assert reason.startswith(FULL)
    assert "redis broke: verified → reopened" in done.stdout
    assert states(release) == {**VERIFIED, "redis": "reopened"}
    found = record(enter, release, 3)
    assert found["changes"]["run"] == before["run"]
    assert moved(found["changes"], "broke") == {"redis": ("verified", "reopened")}
    assert moved(found["changes"], "fixed") == {}
    assert f"GONOGO WARNING: NO-GO, {FULL}" in agree(enter, NO_GO)["nagios"]
    return found


def _reported(enter: Enter, check: dict[str, Any], release: Path) -> None:
    """Look at what the resolution report makes of it after this check."""
    report = json.loads(enter(0, "report", "--format", "json").stdout)
    assert report["counts"] == {"verified": 4, "reopened": 1}
    items = {item["id"]: item for item in report["items"]}
    late = {name: item["days_early_or_late"] for name, item in items.items()}
    assert late == {"redis": 2, "dependencies": -1, "secrets": -1, "sentry": 0, "restore": 0}
    cache = items.pop("redis")
    assert (cache["due"], cache["claimed_on"]) == ("2025-06-25", "2025-06-27")
    assert (cache["owner"], cache["claimed_by"]) == ("인프라팀", "인프라팀")
    assert cache["action"] == ACTION
    assert (cache["found"]["verdict"], cache["proof"]) == ("fail", None)
    verdicts = [event["data"]["verdict"] for event in cache["history"] if event["what"] == "found"]
    assert verdicts == ["fail", "pass", "pass", "fail"]
    assert {item["proof"]["run"] for item in items.values()} == {check["run"]}
    assert items["restore"]["found"]["summary"].startswith("shop.tar.gz is not as")

    saved = release / enter(0, "report").stdout.strip()
    assert re.fullmatch(r"issue_resolution_report_\d{8}_\d{6}\.json", saved.name)
    for suffix in SUFFIXES[1:]:
        assert saved.with_suffix(suffix).read_text().count("2 days late") >= 1


def _logged(enter: Enter) -> None:
    """Look at what the journal tells of the whole night."""
    entries = json.loads(enter(0, "log", "--format", "json").stdout)
    assert entries[0]["what"] == "imported"
    assert [one["data"]["gate"] for one in entries if one["what"] == "decided"] == ["NO-GO", "GO", "NO-GO"]
    claims = [(one["item"], one["by"]) for one in entries if one["what"] == "resolved"]
    assert claims == [("redis", "인프라팀"), ("restore", "인프라팀")]
    told = enter(0, "log", "--item", "restore").stdout
    assert [*re.findall(r"restore found (\w+)", told)] == ["fail", "pass", "pass", "pass"]


def test_the_english_export_of_the_korean_list_is_the_same_checklist(
    enter: Enter, release: Path, tmp_path: Path
) -> None:
    english = tmp_path / "english"
    english.mkdir()
    enter(0, "import", "LIST.md")
    enter(0, "export", "-o", str(english / "LIST.md"))
    exported = (english / "LIST.md").read_text()
    assert "  - due: 2025-06-25\n" in exported
    assert "해결 기한:" not in exported
    done = enter(0, "import", "LIST.md", cwd=english)
    needed, last = done.stderr.splitlines()
    assert needed.startswith("for the probes set: REDIS_URL, ")
    assert last == "checklist.toml: 5 items, 5 resolved, none proven"
    assert enter(0, "export", cwd=english).stdout == exported

    known, again = (
        json.loads(enter(NO_GO, "status", "--format", "json", cwd=folder).stdout)
        for folder in (release, english)
    )
    for item in (*known["items"], *again["items"]):
        # When it was recorded, which is later the second time.
        del item["claim"]["at"]
    assert again == known

    done = enter(NO_GO, "check", cwd=english)
    assert all(words in done.stdout for words in (FULL, DAMAGED))
    assert states(english) == TWO_REOPENED
    assert states(release) == RESOLVED
