"""The host probe against this very machine: its real figures, held against limits on either side of them."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from probes import groups
from probes.host import HostParameters, clock, processes, room
from probes.outcome import CannotTell, Check, Outcome, Reason, Verdict
from probes.parameters import convert
from probes.runner import Runner
from tests.servers.network import dripping, server

RunProbe = Callable[..., Awaitable[Outcome]]

# Limits that no machine crosses, so that a busy one decides nothing; each test moves the one it is about.
CALM = {
    "disk_warn": 0,
    "disk_fail": 0,
    "disk_fail_bytes": 0,
    "inodes_warn": 0,
    "inodes_fail": 0,
    "memory_warn": 0,
    "memory_fail": 0,
    "memory_pressure_warn": 100,
    "memory_stall_fail": 100,
    "throttled_warn": 100,
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
    # More than all of it cannot be free.
    outcome = await run_probe("host", **(CALM | {f"{name}_{step}": 101}), paths=[str(tmp_path)])
    if name == "inodes" and not os.statvfs(tmp_path).f_files:
        # A file system without a fixed number of them cannot run out.
        assert outcome.verdict is Verdict.PASS
        return
    check = line(outcome, name if name == "memory" else f"{name} {tmp_path}")
    assert bad(outcome) == {check.name: verdict}
    assert (check.limit, check.unit) == (101, "%")
    assert check.message.endswith(", limit 101 %.")
    assert check.hint


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
    check = next(room.disk(str(tmp_path), convert(CALM | {"disk_fail_bytes": total // 11}, HostParameters)))
    assert check.verdict is (Verdict.FAIL if free < total // 11 else Verdict.PASS)


async def test_a_reference_that_drips_does_not_hide_the_rest(run_probe: RunProbe) -> None:
    with server(dripping(b"HTTP/1.1 200 OK\r\nX: ")) as port:
        outcome = await run_probe("host", clock=f"http://127.0.0.1:{port}/", disk_fail=101, timeout="30s")
    found = {check.name: check for check in outcome.checks}
    assert (found["disk /"].verdict, found["clock"].verdict) == (Verdict.FAIL, Verdict.UNKNOWN)
    assert "does not answer" in found["clock"].message


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


def test_what_the_platform_does_not_tell_is_left_out(tmp_path: Path) -> None:
    assert list(room.files(HostParameters(), tmp_path / "file-nr")) == []
    assert list(room.pressure("memory", 10, 60, tmp_path)) == []
    assert groups.memory_rooms(tmp_path / "cgroup", tmp_path) == []
    assert groups.cpu_quotas(tmp_path / "cgroup", tmp_path) == []


def group(folder: Path, **files: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def test_the_limits_of_a_control_group_and_those_above_it_count(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/app/worker\n")
    cached = "anon 100\ninactive_file 100\nactive_file 150\nslab_reclaimable 50"
    group(tmp_path / "app", memory__max=2000, memory__current=1500, memory__stat=cached)
    group(tmp_path / "app/worker", memory__max="max", memory__current=900, memory__stat=cached)
    rooms = groups.memory_rooms(tmp_path / "membership", tmp_path)
    assert rooms == [groups.Room(2000, 800, "the control group's")]


def test_in_a_container_the_root_of_what_it_sees_is_its_own_group(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("0::/../../kubepods/pod1\n")
    group(tmp_path, memory__max=2000, memory__current=2500, memory__stat="inactive_file 0")
    assert groups.memory_rooms(tmp_path / "membership", tmp_path) == [
        groups.Room(2000, 0, "the control group's")
    ]


def test_the_first_version_of_control_groups_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("3:cpu,cpuacct:/\n4:memory:/docker/1\n0::/\n")
    names = {"memory__usage_in_bytes": 1000, "memory__stat": "total_inactive_file 100\ntotal_active_file 300"}
    group(tmp_path / "memory", memory__limit_in_bytes=2**63 - 4096, **names)
    group(tmp_path / "memory/docker/1", memory__limit_in_bytes=4000, **names)
    rooms = groups.memory_rooms(tmp_path / "membership", tmp_path)
    assert rooms == [groups.Room(4000, 3400, "the control group's")]


def test_limits_of_processor_time_are_read_of_both_versions(tmp_path: Path) -> None:
    (tmp_path / "membership").write_text("3:cpu,cpuacct:/docker/1\n0::/app\n")
    stat = "nr_periods 200\nnr_throttled 50\nthrottled_time 9"
    group(tmp_path / "cpu,cpuacct/docker", cpu__cfs_quota_us=-1, cpu__cfs_period_us=100000, cpu__stat=stat)
    group(
        tmp_path / "cpu,cpuacct/docker/1", cpu__cfs_quota_us=50000, cpu__cfs_period_us=100000, cpu__stat=stat
    )
    group(tmp_path / "app", cpu__max="150000 100000", cpu__stat="usage_usec 1\nnr_periods 9\nnr_throttled 1")
    group(tmp_path, cpu__max="max 100000", cpu__stat="usage_usec 1")
    quotas = groups.cpu_quotas(tmp_path / "membership", tmp_path)
    assert sorted(quota[:3] for quota in quotas) == [(0.5, 200, 50), (1.5, 9, 1)]
    assert len({quota.group for quota in quotas}) == 2


@pytest.mark.parametrize(
    ("before", "grown"),
    [
        ({"boot": "a", "count": 5}, 2),
        ({"boot": "a", "count": 7}, 0),
        ({"boot": "b", "count": 5}, None),
        ({"boot": "a", "count": 8}, None),
        ({"boot": "a"}, None),
        ({"boot": "a", "count": "5"}, None),
        ({}, None),
    ],
)
def test_a_counter_grows_within_one_boot_only(before: dict[str, int | str], grown: float | None) -> None:
    assert room.grown("count", before, {"boot": "a", "count": 7}) == grown


@pytest.mark.parametrize(
    ("growth", "moves", "used", "verdict", "words"),
    [
        (0, False, 600, Verdict.PASS, "600 B of 1000 B swap used, limit 50 %, but it rests."),
        (5, False, 600, Verdict.PASS, "600 B of 1000 B swap used, limit 50 %, but it rests."),
        (0, True, 600, Verdict.WARN, "600 B of 1000 B swap used, and pages move, limit 50 %."),
        (
            90,
            False,
            600,
            Verdict.WARN,
            "600 B of 1000 B swap used, 90 B more than at the last run, limit 50 %.",
        ),
        (
            90,
            True,
            400,
            Verdict.PASS,
            "400 B of 1000 B swap used, 90 B more than at the last run, and pages move, limit 50 %.",
        ),
    ],
)
def test_swap_counts_while_it_moves_or_grows(
    growth: int, moves: bool, used: int, verdict: Verdict, words: str
) -> None:
    check = room.judge_swap(used, 1000, 50, growth=growth, moves=moves)
    assert (check.verdict, check.message, check.limit) == (verdict, words, 50)
    assert bool(check.hint) is (verdict is Verdict.WARN)


@pytest.mark.parametrize(
    ("periods", "throttled", "verdict", "observed"),
    [
        (1000, 250, Verdict.PASS, 25),
        (1000, 251, Verdict.WARN, 25.1),
        (10, 10, Verdict.PASS, None),
        (None, 10, Verdict.PASS, None),
        (1000, None, Verdict.PASS, None),
    ],
)
def test_throttling_is_judged_since_the_last_run(
    periods: int | None, throttled: int | None, verdict: Verdict, observed: float | None
) -> None:
    check = room.judge_throttling(0.5, periods, throttled, 25)
    assert (check.verdict, check.observed) == (verdict, observed)
    assert "0.5 cores" in check.message


async def test_what_was_counted_is_kept_for_the_next_run(runner: Runner) -> None:
    first = await runner.run("host", CALM)
    assert first.memory["swap_used_bytes"] == psutil.swap_memory().used
    again = await runner.run("host", CALM, first.memory)
    assert again.verdict is Verdict.PASS
    assert again.memory.get("boot") == first.memory.get("boot")


SOME, FULL = (
    "some avg10=0.00 avg60=12.50 avg300=1.00 total=9",
    "full avg10=9.00 avg60=70.25 avg300=1.00 total=9",
)


def test_pressure_is_that_of_the_last_minute(tmp_path: Path) -> None:
    (tmp_path / "memory").write_text(f"{SOME}\n{FULL}\n")
    waits, stalls = room.pressure("memory", 10, 60, tmp_path)
    assert (waits.name, waits.verdict, waits.observed, waits.limit) == (
        "memory pressure",
        Verdict.WARN,
        12.5,
        10,
    )
    assert (stalls.name, stalls.verdict, stalls.observed, stalls.limit) == (
        "memory stall",
        Verdict.FAIL,
        70.25,
        60,
    )
    waits, stalls = room.pressure("memory", 13, 71, tmp_path)
    assert (waits.verdict, stalls.verdict) == (Verdict.PASS, Verdict.PASS)


def test_pressure_that_is_asked_for_and_not_told_is_a_doubt(tmp_path: Path) -> None:
    assert list(room.pressure("io", 100, folder=tmp_path)) == []
    with pytest.raises(CannotTell, match="io") as caught:
        list(room.pressure("io", 20, folder=tmp_path))
    assert (caught.value.reason, bool(caught.value.hint)) == (Reason.MISSING, True)


@pytest.mark.parametrize("resource", ["memory", "cpu", "io"])
def test_this_kernel_s_pressure_is_read(resource: str) -> None:
    found = list(room.pressure(resource, 100, 100))
    told = os.access(f"/proc/pressure/{resource}", os.R_OK)
    assert [check.name for check in found[:1]] == [f"{resource} pressure"] * told
    assert all(0 <= float(check.observed or 0) <= 100 for check in found)


# Where something listens


@pytest.mark.parametrize(
    ("bound", "wanted", "covered"),
    [
        ("127.0.0.1:80", "80", True),
        ("127.0.0.1:80", "*:80", True),
        ("127.0.0.1:80", "81", False),
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("127.0.0.1:80", "127.0.0.2:80", False),
        ("127.0.0.1:80", "0.0.0.0:80", False),
        ("0.0.0.0:80", "127.0.0.1:80", True),
        ("0.0.0.0:80", "0.0.0.0:80", True),
        ("0.0.0.0:80", "[::]:80", False),
        ("0.0.0.0:80", "[::1]:80", False),
        ("[::]:80", "127.0.0.1:80", True),
        ("[::]:80", "0.0.0.0:80", True),
        ("[::]:80", "[::1]:80", True),
        ("[::]:80", "[::]:80", True),
        ("[::1]:80", "[::]:80", False),
        ("[::1]:80", "127.0.0.1:80", False),
        ("[2001:db8::1]:80", "[2001:DB8:0::1]:80", True),
    ],
)
def test_a_socket_answers_where_its_address_reaches(bound: str, wanted: str, covered: bool) -> None:
    assert processes._covers(processes.place(bound), processes.place(wanted)) is covered


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "65536",
        "http",
        "1.2.3.4",
        "1.2.3:80",
        "::1",
        "::1:80",
        "[1.2.3.4]:80",
        "[::1]",
        "localhost:80",
        ":80x",
        "-1",
        "²",
    ],
)
def test_what_is_no_place_is_a_wrong_parameter(text: str) -> None:
    with pytest.raises(CannotTell) as caught:
        processes.place(text)
    assert (caught.value.reason, bool(caught.value.hint)) == (Reason.CONFIG, True)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_socket_of_our_own_is_found_with_its_process(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as server:
        try:
            server.bind((address, 0))
        except OSError:
            assert ":" in address  # a machine without IPv6 has nothing to find
            return
        port = server.getsockname()[1]
        text = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        assert [check.verdict for check in processes.listening(text)] == [Verdict.FAIL]
        server.listen()
        (check,) = processes.listening(text)
        assert (check.verdict, check.observed) == (Verdict.PASS, text)
        assert f"(pid {os.getpid()}) listens on {text}." in check.message


def test_a_socket_for_ipv6_alone_does_not_answer_over_ipv4() -> None:
    for alone in (True, False):
        with socket.socket(socket.AF_INET6) as six:
            six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, alone)
            try:
                six.bind(("::", 0))
            except OSError:
                return  # a machine without IPv6
            six.listen()
            port = six.getsockname()[1]
            verdicts = [
                check.verdict
                for where in ("127.0.0.1:", "0.0.0.0:", "[::1]:", "")
                for check in processes.listening(f"{where}{port}")
            ]
            ipv4 = Verdict.FAIL if alone else Verdict.PASS
            assert verdicts == [ipv4, ipv4, Verdict.PASS, Verdict.PASS]


def test_a_mapped_address_is_that_of_ipv4() -> None:
    assert str(processes._plain("::ffff:127.0.0.1")) == "127.0.0.1"
    assert str(processes._plain("fe80::1%eth0")) == "fe80::1"


# What runs


def test_gonogo_itself_is_not_looked_at_and_what_started_it_by_its_name_alone() -> None:
    above = [parent.pid for parent in psutil.Process().parents()]
    seen = {process.pid: process for process in processes.processes()}
    assert {os.getpid(), *above[:2]} & set(seen) == set()
    assert [(bool(seen[pid].name), seen[pid].line) for pid in above[2:] if pid in seen] == [
        (True, "") for pid in above[2:] if pid in seen
    ]


def test_what_gonogo_was_started_by_runs(tmp_path: Path) -> None:
    shell = tmp_path / "loginshell"
    shutil.copy(os.path.realpath("/bin/bash"), shell)
    code = (
        "import sys, subprocess; from probes.host import processes\n"
        "if sys.argv[2:]: print(*(c.verdict for look in (processes.running, processes.not_running)"
        " for c in look('loginshell')))\n"
        "else: subprocess.run([sys.executable, '-c', sys.orig_argv[2], *sys.argv[1:], 'x'])"
    )
    # As in life: the shell, the program, the server that it starts.
    argv = [str(shell), "-c", '"$@"; true', "sh", sys.executable, "-c", code]
    said = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["pass", "fail"]


def test_a_pattern_is_for_the_name_or_the_whole_command_line() -> None:
    mark = f"gonogo-pattern-{os.getpid()}"
    with subprocess.Popen([sys.executable, "-c", "input()", mark], stdin=subprocess.PIPE) as started:
        try:
            found = {
                pattern: [process.pid for process in processes.matching(pattern)]
                for pattern in (
                    f"*{mark}",
                    mark,
                    f"*input() gonogo-pattern-{os.getpid()}",
                    f"*{mark.upper()}",
                )
            }
            name = psutil.Process(started.pid).name()
            assert started.pid in [process.pid for process in processes.matching(name)]
        finally:
            started.kill()
    assert [*found.values()] == [[started.pid], [], [started.pid], []]


def test_hidden_processes_are_a_doubt_and_not_an_absence() -> None:
    seen = processes.Process(5, "sshd", "sshd: someone", "sleeping")
    hidden = processes.Process(6, "", None, "")
    gone = processes.Process(7, "sshd", None, "zombie")
    assert processes._sees_all([seen, gone]) is (1 in psutil.pids())
    assert not processes._sees_all([seen, hidden])


# The clock


@pytest.mark.parametrize(
    ("date", "before", "after", "ahead"),
    [
        (100, 100.0, 100.1, 0),
        (100, 100.9, 100.95, 0),
        (100, 99.5, 100.4, 0),
        (100, 90.0, 110.0, 0),
        (100, 101.5, 101.6, -0.5),
        (100, 98.0, 98.5, 1.5),
        (100, 160.0, 160.5, -59),
        (160, 100.0, 100.5, 59.5),
    ],
)
def test_only_what_neither_rounding_nor_the_way_explains_is_a_difference(
    date: float, before: float, after: float, ahead: float
) -> None:
    assert clock.offset(date, before, after) == pytest.approx(ahead)


def test_of_the_reference_only_the_host_is_shown() -> None:
    assert clock._host("https://user:secret@example.org:8443/health?key=secret") == "example.org:8443"


@pytest.mark.parametrize(
    "raw",
    [
        {"disk_fail": -1},
        {"paths": "/"},
        {"load_warn": "high"},
        {"no_such_key": 1},
        {"listening": [443]},
        {"clock_warn": 5},
    ],
)
def test_impossible_parameters_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        convert(raw, HostParameters)
