import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import psutil
import pytest

from probes.outcome import Outcome, Reason, Verdict
from probes.runner import Runner
from tests.conftest import wait_until

RunProbe = Callable[..., Awaitable[Outcome]]


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def pids(file: Path) -> list[int]:
    return [int(word) for word in file.read_text().split()] if file.exists() else []


async def end_early(runner: Runner, raw: dict[str, object], note: Path, processes: int) -> None:
    """Cancel a run once it has noted the ids of so many processes."""
    run = asyncio.create_task(runner.run("test-blocking", raw))
    while len(pids(note)) < processes:
        await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


@pytest.mark.parametrize("use", ["test-async", "test-blocking"])
async def test_an_outcome_comes_back_whole_and_stamped(run_probe: RunProbe, use: str) -> None:
    outcome = await run_probe(use, text="fine")
    assert (outcome.probe, outcome.verdict, outcome.summary) == (use, Verdict.PASS, "fine")
    assert outcome.checks[0].limit == 2
    assert outcome.started_at.utcoffset() is not None
    assert outcome.duration > 0


@pytest.mark.parametrize("use", ["test-async", "test-blocking"])
async def test_a_deadline_ends_the_run_as_unknown_timeout(run_probe: RunProbe, use: str) -> None:
    outcome = await run_probe(use, do="sleep", timeout="200ms")
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.TIMEOUT)
    assert "0.2 s" in outcome.summary


@pytest.mark.parametrize("use", ["test-async", "test-blocking"])
async def test_a_bug_in_a_probe_names_itself_its_place_and_whom_to_tell(
    run_probe: RunProbe, use: str
) -> None:
    outcome = await run_probe(use, do="raise", text="boom")
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.INTERNAL)
    assert re.search(r"ValueError: boom \(third_party\.py:\d+\)", outcome.summary)
    assert outcome.hint == (
        "Report this line to the makers of gonogo-test-probes 1.0: https://example.org/probes/issues."
    )


@pytest.mark.parametrize("use", ["test-async", "test-blocking"])
async def test_a_probe_that_returns_no_outcome_is_a_bug(run_probe: RunProbe, use: str) -> None:
    outcome = await run_probe(use, do="nothing")
    assert outcome.reason is Reason.INTERNAL
    assert "NoneType" in outcome.summary


async def test_a_probe_own_timeout_error_is_not_the_deadline(run_probe: RunProbe) -> None:
    outcome = await run_probe("test-async", do="timeout", text="socket")
    assert outcome.reason is Reason.INTERNAL


@pytest.mark.parametrize("do", ["ignore-term", "stop"])
async def test_a_run_that_takes_no_term_is_killed(run_probe: RunProbe, tmp_path: Path, do: str) -> None:
    note = tmp_path / "pids"
    outcome = await run_probe("test-blocking", do=do, file=str(note), timeout="3s")
    assert outcome.reason is Reason.TIMEOUT
    assert not [pid for pid in pids(note) if alive(pid)]


async def test_a_run_that_is_ended_cleans_up_first(runner: Runner, tmp_path: Path) -> None:
    mark, note = tmp_path / "mark", tmp_path / "pids"
    await end_early(runner, {"do": "clean-up", "text": str(mark), "file": str(note)}, note, 1)
    await asyncio.to_thread(wait_until, mark.exists, "it cleaned up")


async def test_descendants_that_forked_twice_out_of_the_session_are_ended(
    runner: Runner, tmp_path: Path
) -> None:
    note = tmp_path / "pids"
    await end_early(runner, {"do": "escape", "file": str(note)}, note, 2)
    await asyncio.to_thread(wait_until, lambda: not any(map(alive, pids(note))), "nothing is left")


async def test_what_a_finished_run_left_behind_is_ended(run_probe: RunProbe, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    outcome = await run_probe("test-blocking", do="leave-child", file=str(note))
    assert outcome.verdict is Verdict.PASS
    assert len(pids(note)) == 2
    assert not [pid for pid in pids(note) if alive(pid)]


async def test_one_ended_run_leaves_its_neighbours_alone(runner: Runner, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    neighbour = asyncio.create_task(runner.run("test-blocking", {"do": "leave-child", "file": str(note)}))
    sleeper = asyncio.create_task(runner.run("test-blocking", {"do": "sleep", "file": str(note)}))
    while len(pids(note)) < 3:
        await asyncio.sleep(0.01)
    ended = await runner.run("test-blocking", {"do": "ignore-term", "timeout": "200ms"})
    assert ended.reason is Reason.TIMEOUT
    assert (await neighbour).verdict is Verdict.PASS
    assert not sleeper.done()
    sleeper.cancel()


@pytest.mark.parametrize(("do", "said"), [("segfault", "SIGSEGV"), ("exit", "exit code 3")])
async def test_a_crash_is_unknown_crashed(run_probe: RunProbe, do: str, said: str) -> None:
    outcome = await run_probe("test-blocking", do=do)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CRASHED)
    assert said in outcome.summary
    assert (await run_probe("test-blocking")).verdict is Verdict.PASS


async def test_cancelling_ends_the_process(runner: Runner, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    task = asyncio.create_task(runner.run("test-blocking", {"do": "sleep", "file": str(note)}))
    while not pids(note):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(wait_until, lambda: not alive(pids(note)[0]), "the process ended")


async def test_closing_ends_every_run_and_the_server(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    runner = Runner(tmp_path)
    runs = [
        asyncio.create_task(runner.run("test-blocking", {"do": do, "file": str(note)}))
        for do in ("sleep", "ignore-term", "escape")
    ]
    while len(pids(note)) < 4:
        await asyncio.sleep(0.01)
    server = psutil.Process(pids(note)[0]).parent()
    await runner.close()
    assert not [pid for pid in pids(note) if alive(pid)]
    assert server is not None
    assert not alive(server.pid)
    assert {(await run).verdict for run in runs} == {Verdict.UNKNOWN}


def test_nothing_outlives_a_program_that_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "pids"
    program = (
        "import asyncio, sys; from pathlib import Path; from probes.runner import Runner\n"
        "r = Runner(Path('.'))\n"
        "asyncio.run(r.run('test-blocking', {'do': 'escape', 'file': sys.argv[1]}))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(note)]) as process:
        wait_until(lambda: len(pids(note)) == 2, "the probe runs")
        os.kill(process.pid, signal.SIGKILL)
    wait_until(lambda: not any(alive(pid) for pid in pids(note)), "the probe's processes ended")


async def test_an_outcome_too_large_to_take_is_cut(run_probe: RunProbe) -> None:
    outcome = await run_probe("test-blocking", do="huge", count=100_000)
    assert outcome.verdict is Verdict.PASS
    assert len(outcome.summary) == 2_000
    outcome = await run_probe("test-blocking", do="huge", count=9_000_000)
    assert (outcome.verdict, len(outcome.summary)) == (Verdict.PASS, 2_000)


async def test_a_probe_runs_in_the_folder_of_the_checklist(run_probe: RunProbe, tmp_path: Path) -> None:
    assert (await run_probe("test-blocking", do="folder")).summary == str(tmp_path)


async def test_doubt_names_the_variable_to_set_or_to_check(tmp_path: Path) -> None:
    raw = {"do": "doubt", "text": "No such place."}
    defaulted = {**raw, "file": "${WHERE:-somewhere}"}
    empty = {**raw, "file": "${WHERE:-}"}
    runner = Runner(tmp_path, {"ELSEWHERE": str(tmp_path / "pids")})
    literal = await runner.run("test-blocking", raw)
    assert (literal.summary, literal.hint) == ("No such place.", "Look again.")
    assert (await runner.run("test-blocking", defaulted)).hint == "Look again. Set WHERE."
    assert (await runner.run("test-blocking", empty)).hint == "Look again."
    read = await runner.run("test-blocking", {**raw, "file": "${ELSEWHERE}"})
    assert read.hint == "Look again. Check ELSEWHERE."
    missing = await runner.run("test-blocking", {"file": "${NOWHERE}"})
    assert (missing.reason, missing.hint) == (Reason.CONFIG, "Set NOWHERE.")
    assert missing.summary == "Not configured: NOWHERE is not set."
    await runner.close()


async def test_secrets_from_the_environment_never_come_back(tmp_path: Path) -> None:
    runner = Runner(tmp_path, {"API_TOKEN": "hunter2hunter2", "PLACE_URL": "redis://user:swordfish@host:1/0"})
    raw: dict[str, object] = {"text": "${API_TOKEN} at ${PLACE_URL} and swordfish"}
    for use in ("test-async", "test-blocking"):
        outcome = await runner.run(use, raw)
        assert outcome.summary == "*** at redis://***@host:1/0 and ***"
        assert outcome.checks[0].message == outcome.summary
    await runner.close()


async def test_bad_parameters_are_unknown_config(run_probe: RunProbe) -> None:
    for use, raw in (("test-async", {"dooo": 1}), ("test-async", {"timeout": "soon"}), ("nobody", {})):
        outcome = await run_probe(use, **raw)
        assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)


async def test_a_package_whose_entry_point_leads_nowhere_is_unknown(run_probe: RunProbe) -> None:
    outcome = await run_probe("test-broken")
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.INTERNAL)
    assert "test-broken" in outcome.summary


@pytest.mark.parametrize("use", ["test-async", "test-blocking"])
async def test_evidence_and_verdict_cannot_contradict_each_other(run_probe: RunProbe, use: str) -> None:
    outcome = await run_probe(use, do="contradict")
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.INTERNAL)
    assert "lighter than the worst" in outcome.summary


@pytest.mark.parametrize("use", ["test-async", "test-blocking"])
async def test_what_cannot_be_encoded_does_not_lose_the_verdict(run_probe: RunProbe, use: str) -> None:
    outcome = await run_probe(use, do="surrogate")
    assert (outcome.verdict, outcome.summary) == (Verdict.FAIL, "file  is damaged")
    outcome = await run_probe(use, do="nan")
    assert (outcome.verdict, outcome.metrics, outcome.checks[0].observed) == (Verdict.FAIL, {}, None)
    outcome = await run_probe(use, do="text-metric")
    assert outcome.reason is Reason.INTERNAL


async def test_code_in_the_folder_that_is_judged_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "probes").mkdir()
    (tmp_path / "probes" / "__init__.py").touch()
    (tmp_path / "psutil.py").write_text("open('executed', 'w')")
    monkeypatch.chdir(tmp_path)
    runner = Runner(tmp_path)
    outcome = await runner.run("test-blocking", {})
    await runner.close()
    assert outcome.verdict is Verdict.PASS
    assert not (tmp_path / "executed").exists()


async def test_when_the_server_is_killed_its_runs_end_and_the_next_one_works(
    runner: Runner, tmp_path: Path
) -> None:
    note = tmp_path / "pids"
    run = asyncio.create_task(runner.run("test-blocking", {"do": "escape", "file": str(note)}))
    while len(pids(note)) < 2:
        await asyncio.sleep(0.01)
    server = psutil.Process(pids(note)[0]).parent()
    assert server is not None
    family = server.children(recursive=True)
    server.kill()
    outcome = await run
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CRASHED)
    # What hid from the server itself (another session, an empty environment) is beyond anybody now.
    await asyncio.to_thread(wait_until, lambda: not alive(pids(note)[0]), "the run ended")
    assert (await runner.run("test-blocking", {})).verdict is Verdict.PASS
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


async def test_a_closed_runner_starts_nothing_more(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    assert (await runner.run("test-blocking", {})).verdict is Verdict.PASS
    await runner.close()
    outcome = await runner.run("test-blocking", {})
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CRASHED)


async def test_a_secret_that_stands_literally_in_a_parameter_never_comes_back(run_probe: RunProbe) -> None:
    outcome = await run_probe("test-blocking", text="redis://u:swordfish@h said swordfish")
    assert "swordfish" not in outcome.summary


@pytest.mark.parametrize("use", ["test-async", "test-blocking"])
async def test_a_probe_is_told_what_its_last_run_kept(runner: Runner, use: str) -> None:
    first = await runner.run(use, {"do": "count"})
    second = await runner.run(use, {"do": "count"}, first.memory)
    assert (first.memory, second.memory) == ({"runs": 1}, {"runs": 2})
    assert second.checks[0].observed == 2


@pytest.mark.parametrize("use", ["test-async", "test-blocking"])
async def test_a_pass_on_a_retry_says_so(run_probe: RunProbe, tmp_path: Path, use: str) -> None:
    outcome = await run_probe(
        use, do="count", file=str(tmp_path / "runs"), count=3, retries=4, retry_wait="1ms"
    )
    assert outcome.verdict is Verdict.PASS
    assert outcome.summary == "Run 3. Passed on attempt 3 of 5."
    attempts = outcome.checks[0]
    assert (attempts.name, attempts.observed, attempts.limit) == ("attempts", 3, 5)
    assert attempts.message == "Passed on attempt 3 of 5; the one before found fail: Run 2."


async def test_without_being_asked_nothing_is_retried(run_probe: RunProbe) -> None:
    outcome = await run_probe("test-async", do="count", count=2)
    assert (outcome.verdict, outcome.memory) == (Verdict.FAIL, {"runs": 1})


async def test_a_probe_that_never_passes_has_its_last_outcome(run_probe: RunProbe, tmp_path: Path) -> None:
    runs = str(tmp_path / "runs")
    outcome = await run_probe("test-async", do="count", file=runs, count=9, retries=2, retry_wait="1ms")
    assert (outcome.verdict, outcome.summary, outcome.hint) == (Verdict.FAIL, "Run 3.", "Wait.")


async def test_neither_a_bug_nor_a_wrong_parameter_is_retried(run_probe: RunProbe, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    outcome = await run_probe("test-blocking", do="raise", file=str(note), retries=3, retry_wait="1ms")
    assert (outcome.reason, len(pids(note))) == (Reason.INTERNAL, 1)


async def test_each_attempt_has_the_whole_deadline(run_probe: RunProbe, tmp_path: Path) -> None:
    note = tmp_path / "pids"
    assert (await run_probe("test-blocking")).verdict is Verdict.PASS
    raw = {"do": "sleep", "file": str(note), "timeout": "1s", "retries": 1, "retry_wait": "1ms"}
    outcome = await run_probe("test-blocking", **raw)
    assert (outcome.reason, len(pids(note))) == (Reason.TIMEOUT, 2)


async def test_a_run_can_be_cancelled_while_it_waits_for_its_next_attempt(runner: Runner) -> None:
    raw: dict[str, object] = {"do": "count", "count": 9, "retries": 1, "retry_wait": "1h"}
    run = asyncio.create_task(runner.run("test-async", raw))
    await asyncio.sleep(0.05)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def test_a_probe_that_swallows_its_end_is_late_all_the_same(run_probe: RunProbe) -> None:
    outcome = await run_probe("test-async", do="linger", timeout="50ms")
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.TIMEOUT)


@pytest.mark.parametrize("use", ["test-async", "test-blocking"])
async def test_a_verdict_that_is_a_mere_text_is_held_to_the_same_rules(run_probe: RunProbe, use: str) -> None:
    outcome = await run_probe(use, do="text verdict")
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.INTERNAL)


@pytest.mark.parametrize("do", ["exit", "cancel"])
async def test_a_probe_cannot_end_the_program(run_probe: RunProbe, do: str) -> None:
    outcome = await run_probe("test-async", do=do)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.INTERNAL)


@pytest.mark.parametrize("use", ["test-async", "test-blocking"])
async def test_a_run_that_could_not_tell_forgets_nothing(runner: Runner, use: str) -> None:
    outcome = await runner.run(use, {"do": "sleep", "timeout": "50ms"}, {"runs": 7})
    assert (outcome.verdict, outcome.memory) == (Verdict.UNKNOWN, {"runs": 7})


async def test_each_attempt_is_told_what_the_last_run_kept(runner: Runner) -> None:
    raw = {"do": "count", "count": 9, "retries": 2, "retry_wait": "1ms"}
    assert (await runner.run("test-async", raw, {"runs": 4})).memory == {"runs": 5}


@pytest.mark.parametrize(
    ("use", "word"), [("test-hidden", "'Mapping' is not defined"), ("test-twice", "several packages")]
)
async def test_a_probe_that_cannot_be_loaded_is_unknown(run_probe: RunProbe, use: str, word: str) -> None:
    outcome = await run_probe(use)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.INTERNAL)
    assert word in outcome.summary


async def test_an_entry_of_a_list_that_is_left_empty_is_not_left_out(tmp_path: Path) -> None:
    runner = Runner(tmp_path, {"PORT": "80"})
    outcome = await runner.run("host", {"listening": ["${PORT}", "${OTHER:-}"]})
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert outcome.hint == "Set OTHER, or take that entry out of the checklist."
    await runner.close()


async def test_a_password_is_asked_about_only_where_one_was_refused(tmp_path: Path) -> None:
    environment = {"DRILL_PW": "swordfish", "PLACE": "somewhere", "CACHE_URL": "redis://h/0"}
    runner = Runner(tmp_path, environment)
    outcome = await runner.run("test-blocking", {"do": "doubt", "text": "${DRILL_PW} ${PLACE} ${CACHE_URL}"})
    assert (outcome.reason, outcome.hint) == (Reason.MISSING, "Look again. Check PLACE and CACHE_URL.")
    await runner.close()


@pytest.mark.parametrize("use", ["test-async", "test-blocking"])
async def test_a_secret_is_masked_by_its_form_and_whatever_its_case(tmp_path: Path, use: str) -> None:
    environment = {
        "TOK": "tokenabcdef123456",
        "DB_PW": "swordfish",
        "ANY": "8fA3kd92LmQx7",
        "RELEASE": "shop-1",
    }
    runner = Runner(tmp_path, environment)
    text = "Tokenabcdef123456 ${TOK} ${DB_PW} ${ANY} ${RELEASE}"
    outcome = await runner.run(use, {"text": text})
    assert outcome.summary == "*** *** *** *** shop-1"
    await runner.close()


async def test_where_no_process_can_be_started_the_run_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.touch(mode=0o600)
    monkeypatch.setattr("probes.workers.sys.executable", str(program))
    runner = Runner(tmp_path)
    outcome = await runner.run("test-blocking", {})
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.FORBIDDEN)
    assert str(program) in outcome.summary
    await runner.close()
