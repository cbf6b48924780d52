"""The host probe against this very machine: its real figures, held against limits on either side of them."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from probes import host
from probes.host import HostParameters
from probes.outcome import Check, Outcome, Reason, Verdict
from probes.parameters import convert

RunProbe = Callable[..., Awaitable[Outcome]]

FILE_TABLE = Path("/proc/sys/fs/file-nr")

# Limits that no machine crosses, so that a busy one decides nothing; each test moves the one it is about.
CALM = {
    "disk_warn": 0,
    "disk_fail": 0,
    "disk_fail_bytes": 0,
    "inodes_warn": 0,
    "inodes_fail": 0,
    "memory_warn": 0,
    "memory_fail": 0,
    "swap_warn": 100,
    "load_warn": 1e6,
    "load_fail": 1e6,
    "files_warn": 100,
    "files_fail": 100,
    "timeout": "60s",
}


def line(outcome: Outcome, name: str) -> Check:
    found = [check for check in outcome.checks if check.name == name]
    assert len(found) == 1, f"{name!r} among {[check.name for check in outcome.checks]}"
    return found[0]


def bad(outcome: Outcome) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in outcome.checks if check.verdict is not Verdict.PASS}


async def test_a_machine_within_its_limits_passes_with_its_figures(run_probe: RunProbe) -> None:
    outcome = await run_probe("host", **CALM)
    assert (outcome.verdict, outcome.reason, bad(outcome)) == (Verdict.PASS, None, {})
    assert {"disk /", "memory", "swap", "load"} <= {check.name for check in outcome.checks}
    assert 0 < outcome.metrics["memory_available_percent"] <= 100
    assert all(check.message.endswith(".") for check in outcome.checks)


async def test_free_space_is_counted_as_df_does(run_probe: RunProbe, tmp_path: Path) -> None:
    outcome = await run_probe("host", **CALM, paths=[str(tmp_path)])
    used = psutil.disk_usage(str(tmp_path)).percent
    assert line(outcome, f"disk {tmp_path}").observed == pytest.approx(100 - used, abs=2)


@pytest.mark.parametrize("name", ["disk", "inodes", "memory"])
@pytest.mark.parametrize(("step", "verdict"), [("warn", Verdict.WARN), ("fail", Verdict.FAIL)])
async def test_less_left_than_a_limit_crosses_it(
    run_probe: RunProbe, tmp_path: Path, name: str, step: str, verdict: Verdict
) -> None:
    if name == "inodes" and not os.statvfs(tmp_path).f_files:
        pytest.skip("this file system has no fixed number of inodes")
    # More than all of it cannot be free.
    outcome = await run_probe("host", **(CALM | {f"{name}_{step}": 101}), paths=[str(tmp_path)])
    check = line(outcome, name if name == "memory" else f"{name} {tmp_path}")
    assert bad(outcome) == {check.name: verdict}
    assert (check.limit, check.unit) == (101, "%")
    assert "limit 101 %: " in check.message


@pytest.mark.skipif(not FILE_TABLE.exists(), reason="this platform does not count open files")
@pytest.mark.parametrize(("step", "verdict"), [("warn", Verdict.WARN), ("fail", Verdict.FAIL)])
async def test_more_open_files_than_a_limit_cross_it(
    run_probe: RunProbe, step: str, verdict: Verdict
) -> None:
    outcome = await run_probe("host", **(CALM | {f"files_{step}": 0}))
    assert bad(outcome) == {"files": verdict}


@pytest.mark.parametrize(("step", "verdict"), [("warn", Verdict.WARN), ("fail", Verdict.FAIL)])
async def test_load_is_judged_for_each_core(run_probe: RunProbe, step: str, verdict: Verdict) -> None:
    outcome = await run_probe("host", **(CALM | {f"load_{step}": 0}))
    check = line(outcome, "load")
    # A machine that did nothing at all for five minutes has no load to judge.
    assert check.verdict is (verdict if check.observed else Verdict.PASS)
    assert f"on {os.cpu_count()} cores" in check.message


async def test_few_free_bytes_fail_on_a_large_disk_only(run_probe: RunProbe, tmp_path: Path) -> None:
    usage = os.statvfs(tmp_path)
    free = usage.f_bavail * usage.f_frsize
    total = (usage.f_blocks - usage.f_bfree) * usage.f_frsize + free
    if free > total // 20:
        # The floor is more than a tenth of this disk: small disks are judged by their share alone.
        outcome = await run_probe("host", **(CALM | {"disk_fail_bytes": 2 * total}), paths=[str(tmp_path)])
        assert outcome.verdict is Verdict.PASS
    check = next(host._disk(str(tmp_path), convert(CALM | {"disk_fail_bytes": total // 11}, HostParameters)))
    assert check.verdict is (Verdict.FAIL if free < total // 11 else Verdict.PASS)


async def test_each_disk_is_a_line_of_its_own(run_probe: RunProbe, tmp_path: Path) -> None:
    outcome = await run_probe("host", **CALM, paths=["/", "", str(tmp_path)])
    assert {"disk /", f"disk {tmp_path}"} == {
        check.name for check in outcome.checks if check.name.startswith("disk ")
    }


@pytest.mark.parametrize("paths", [[], [""]])
async def test_without_a_path_the_root_is_looked_at(run_probe: RunProbe, paths: list[str]) -> None:
    assert line(await run_probe("host", **CALM, paths=paths), "disk /").verdict is Verdict.PASS


async def test_a_path_that_is_not_there_is_unknown_and_the_rest_is_still_judged(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    absent = tmp_path / "unmounted"
    outcome = await run_probe("host", **CALM, paths=["/", str(absent)])
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.MISSING)
    assert bad(outcome) == {f"disk {absent}": Verdict.UNKNOWN}
    assert str(absent) in outcome.summary
    outcome = await run_probe("host", **(CALM | {"memory_fail": 101}), paths=[str(absent)])
    assert outcome.verdict is Verdict.FAIL


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
async def test_a_path_on_no_disk_is_unknown(run_probe: RunProbe) -> None:
    outcome = await run_probe("host", **CALM, paths=["/proc"])
    assert bad(outcome) == {"disk /proc": Verdict.UNKNOWN}


def test_what_the_platform_does_not_tell_is_left_out(tmp_path: Path) -> None:
    assert list(host._files(HostParameters(), tmp_path / "file-nr")) == []
    assert host.control_groups(tmp_path / "cgroup", tmp_path) == []


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def test_the_limits_of_a_control_group_and_those_above_it_count(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/app/worker\n")
    cached = "anon 100\ninactive_file 300"
    group(tmp_path / "app", memory__max=2000, memory__current=1500, memory__stat=cached)
    group(tmp_path / "app/worker", memory__max="max", memory__current=900, memory__stat=cached)
    rooms = host.control_groups(tmp_path / "membership", tmp_path)
    assert rooms == [host.Room(2000, 800, "the control group's")]


def test_in_a_container_the_root_of_what_it_sees_is_its_own_group(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/../../kubepods/pod1\n")
    group(tmp_path, memory__max=2000, memory__current=2500, memory__stat="inactive_file 0")
    assert host.control_groups(tmp_path / "membership", tmp_path) == [
        host.Room(2000, 0, "the control group's")
    ]


def test_the_first_version_of_control_groups_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("3:cpu,cpuacct:/\n4:memory:/docker/1\n0::/\n")
    names = {"memory__usage_in_bytes": 1000, "memory__stat": "total_inactive_file 400"}
    group(tmp_path / "memory", memory__limit_in_bytes=2**63 - 4096, **names)
    group(tmp_path / "memory/docker/1", memory__limit_in_bytes=4000, **names)
    rooms = host.control_groups(tmp_path / "membership", tmp_path)
    assert rooms == [host.Room(4000, 3400, "the control group's")]


@pytest.mark.parametrize(
    "raw", [{"disk_fail": -1}, {"paths": "/"}, {"load_warn": "high"}, {"no_such_key": 1}]
)
def test_impossible_parameters_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        convert(raw, HostParameters)
