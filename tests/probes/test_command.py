"""The command probe: what real programs say, and the plugin protocol word by word."""

import json
import math
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.command import plugin
from probes.outcome import Check, Outcome, Reason, Verdict
from tests.conftest import wait_until

RunProbe = Callable[..., Awaitable[Outcome]]


def line(outcome: Outcome, name: str) -> Check:
    found = [check for check in outcome.checks if check.name == name]
    assert len(found) == 1, f"{name!r} among {[check.name for check in outcome.checks]}"
    return found[0]


def sh(text: str) -> dict[str, object]:
    return {"command": ["sh", "-c", text]}


def shell(text: str) -> dict[str, object]:
    return {"command": text, "shell": True}


# Ranges


@pytest.mark.parametrize(
    ("text", "quiet", "alerting"),
    [
        ("10", (0, 5, 10), (-0.1, 10.1)),
        ("10:", (10, 1e9), (9.9, -1)),
        ("~:10", (-1e9, 0, 10), (10.1,)),
        ("10:20", (10, 15, 20), (9.9, 20.1)),
        ("@10:20", (9.9, 20.1), (10, 15, 20)),
        ("@10", (-0.1, 10.1), (0, 10)),
        ("-20:-10", (-20, -10), (-21, 0)),
        ("0", (0,), (-0.1, 0.1)),
        (":10", (0, 10), (-0.1, 10.1)),
        ("~:", (-1e9, 1e9), ()),
        ("@~:", (), (-1e9, 0, 1e9)),
        (".5:1.", (0.5, 1), (0.4, 1.1)),
        ("5.000", (5,), (5.01,)),
        ("1e3", (1000,), (1001,)),
    ],
)
def test_a_range_alerts_as_the_guidelines_say(
    text: str, quiet: tuple[float, ...], alerting: tuple[float, ...]
) -> None:
    bounds = plugin.parse_range(text)
    assert [value for value in quiet if bounds.alerts(value)] == []
    assert [value for value in alerting if not bounds.alerts(value)] == []


@pytest.mark.parametrize(
    "text",
    ["20:10", "-1", "~:-inf", "10:~", "~", "a", "1:2:3", "@@1", "1,5", "10%", " 1", "1 ", "nan", "0x1"],
)
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"range|above"):
        plugin.parse_range(text)


numbers = st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 3))


@given(numbers, numbers, numbers)
def test_at_sign_turns_any_range_round(start: float, end: float, value: float) -> None:
    start, end = sorted((start, end))
    bounds = plugin.parse_range(f"{start!r}:{end!r}")
    assert bounds.alerts(value) is (value < start or value > end)
    assert plugin.parse_range(f"@{start!r}:{end!r}").alerts(value) is not bounds.alerts(value)


# Performance data


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip),
    numbers,
    st.sampled_from(["", "s", "ms", "us", "%", "B", "KB", "c"]),
)
def test_every_label_survives_quoting(label: str, value: float, unit: str) -> None:
    quoted = label.replace("'", "''").replace("|", "/")
    said = plugin.read(f"OK|'{quoted}'={value!r}{unit};1:2;;0 other=1")
    first, second = said.measured
    assert (first.label, first.value, first.unit) == (label.replace("|", "/"), value, unit)
    assert (second.label, said.broken) == ("other", ())


@given(st.text())
def test_no_output_at_all_breaks_the_reader(text: str) -> None:
    said = plugin.read(text)
    assert all(each.value is None or math.isfinite(each.value) for each in said.measured)


# As real plugins wrote them.
LOAD = "LOAD OK - total load average: 0.27, 1.35|load1=0.270;5.000;10.000;0; load5=1.350;4.000;8.000;0; "
DISK = "DISK OK - free space: / 76846MiB (73%);| /=28363980800B;243497277849;257024904396;0;270552530944"
HTTP = "HTTP OK: HTTP/1.1 200 OK - 281 bytes |time=0.002603s;;;0.000000;3.000000 size=281B;;;0;"
PROCS = "PROCS OK: 89 processes | procs=89;1:500;1:1000;0;"


@pytest.mark.parametrize(
    ("output", "figures"),
    [
        (LOAD, {"load1": 0.27, "load5": 1.35}),
        (DISK, {"/_bytes": 28363980800}),
        (HTTP, {"time_s": 0.002603, "size_bytes": 281}),
        (PROCS, {"procs": 89}),
    ],
)
async def test_figures_of_real_plugins_become_metrics(
    run_probe: RunProbe, output: str, figures: dict[str, float]
) -> None:
    outcome = await run_probe("command", command=["echo", output])
    assert outcome.verdict is Verdict.PASS
    assert outcome.metrics == pytest.approx(figures)
    assert outcome.summary == output.partition("|")[0].strip()


async def test_a_figure_is_shown_with_its_unit_and_the_range_that_was_crossed(run_probe: RunProbe) -> None:
    outcome = await run_probe(
        "command", **sh("echo 'BAD|a=9s;5;8 b=1;3: c=4%;@3:5;9 d=1;~:2;;; e=U'; exit 2")
    )
    found = {
        check.name: (check.verdict, check.observed, check.unit, check.limit) for check in outcome.checks[1:]
    }
    assert found == {
        "a": (Verdict.FAIL, 9, "s", 8),
        "b": (Verdict.WARN, 1, None, 3),
        "c": (Verdict.WARN, 4, "%", "@3:5"),
        "d": (Verdict.PASS, 1, None, 2),
        "e": (Verdict.PASS, None, None, None),
    }
    assert outcome.metrics == {"a_s": 9, "b": 1, "c_percent": 4, "d": 1}


async def test_what_cannot_be_read_is_named_and_the_rest_still_counts(run_probe: RunProbe) -> None:
    data = "free text a=x b=1;20:10 c=1;2;3;4;5;6 'd=1 e=5;6;7 f=1,5 =3 g=1;2;3;x"
    outcome = await run_probe("command", command=["echo", f"OK|{data}"])
    assert outcome.metrics == {"e": 5}
    assert line(outcome, "performance data").message == (
        "Not readable and left out: free text a=x b=1;20:10 c=1;2;3;4;5;6 'd=1 f=1,5 =3 g=1;2;3;x."
    )


async def test_a_crossed_range_under_exit_0_is_told_but_not_held_against_it(run_probe: RunProbe) -> None:
    outcome = await run_probe("command", command=["echo", "SWAP OK|swap=500MB;50;20"])
    check = line(outcome, "swap")
    assert (outcome.verdict, check.verdict, check.limit) == (Verdict.PASS, Verdict.PASS, 20)
    assert "the exit code says OK" in check.message


# Words


async def test_lines_after_the_first_are_kept_apart(run_probe: RunProbe) -> None:
    outcome = await run_probe("command", **sh("printf 'SLOW|a=1\\none\\ntwo|b=2\\nc=3\\n'; exit 1"))
    assert outcome.summary == "SLOW"
    assert line(outcome, "long output").message == "one\ntwo"
    assert outcome.metrics == {"a": 1, "b": 2, "c": 3}


@pytest.mark.parametrize("words", ["checklist.status.toml", "/var: 4% free (inode=96%);", "e.g. x", "Fine!"])
async def test_the_words_of_a_program_stay_as_they_are(run_probe: RunProbe, words: str) -> None:
    outcome = await run_probe("command", **sh(f"echo '{words}'; exit 1"))
    assert (outcome.summary, line(outcome, "exit").message) == (words, words)


async def test_a_program_that_complains_to_stderr_alone_is_quoted(run_probe: RunProbe) -> None:
    outcome = await run_probe("command", **sh("echo trace >&2; echo 'no route' >&2; exit 2"))
    assert outcome.summary == "no route"
    outcome = await run_probe("command", **sh("echo warning >&2; echo fine"))
    assert outcome.summary == "fine"


async def test_garbage_is_made_harmless(run_probe: RunProbe) -> None:
    outcome = await run_probe(
        "command", command=["printf", r"\033[31mred\033[0m \377\376\000\r\033]0;title\007 end"]
    )
    assert outcome.summary == "red \ufffd\ufffd end"


@pytest.mark.parametrize(
    ("text", "reason", "words"),
    [
        ("exit 9", Reason.PROTOCOL, "sh exited with 9."),
        ("echo no; exit 77", Reason.PROTOCOL, "sh exited with 77 and said: no."),
        ("kill -s KILL $$", Reason.CRASHED, "sh was killed by SIGKILL."),
        ("exit 143", Reason.CRASHED, "sh was killed by SIGTERM."),
        ("exit 255", Reason.PROTOCOL, "sh exited with 255."),
        ("exit 126", Reason.FORBIDDEN, "sh exited with 126."),
        ("exit 127", Reason.MISSING, "sh exited with 127."),
    ],
)
async def test_an_exit_that_is_no_verdict_is_named(
    run_probe: RunProbe, text: str, reason: Reason, words: str
) -> None:
    outcome = await run_probe("command", **sh(text))
    assert (outcome.verdict, outcome.reason, outcome.summary) == (Verdict.UNKNOWN, reason, words)
    assert outcome.hint


# Surroundings


async def test_only_listed_variables_are_handed_over(
    run_probe: RunProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKED_REGION", "north")
    monkeypatch.setenv("CHECKED_OTHER", "south")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    names = ["PATH", "CHECKED_REGION", "CHECKED_ABSENT"]
    outcome = await run_probe("command", command=["env"], environment=names)
    shown = "\n".join(check.message for check in outcome.checks)
    found = {word.partition("=")[0] for word in shown.split() if "=" in word}
    # The shell of nobody: PWD and the like are not made up by `env`.
    assert found | {"GONOGO_RUN"} == {"PATH", "CHECKED_REGION", "LC_ALL", "GONOGO_RUN"}
    assert "LC_ALL=C" in shown


async def test_a_secret_that_was_handed_over_is_not_shown(
    run_probe: RunProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKED_TOKEN", "s3cret-value")
    asked = {"environment": ["PATH", "CHECKED_TOKEN"]}
    outcome = await run_probe("command", **sh('echo "BAD $CHECKED_TOKEN|x$CHECKED_TOKEN=1"; exit 2'), **asked)
    assert "s3cret" not in repr(outcome)
    assert outcome.summary == "BAD ***"
    text = '{"verdict": "fail", "summary": "$CHECKED_TOKEN", "metrics": {"$CHECKED_TOKEN": 1}}'
    outcome = await run_probe("command", **shell(f"cat <<END\n{text}\nEND"), **asked)
    assert (outcome.verdict, outcome.summary) == (Verdict.FAIL, "***")
    assert "s3cret" not in repr(outcome)


async def test_a_secret_at_the_beginning_is_not_shown_either(
    run_probe: RunProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHECKED_TOKEN", "s3cret-value")
    outcome = await run_probe("command", **sh('echo "$CHECKED_TOKEN"'), environment=["PATH", "CHECKED_TOKEN"])
    assert outcome.summary == "***"


async def test_a_folder_is_no_program(run_probe: RunProbe, tmp_path: Path) -> None:
    outcome = await run_probe("command", command=[str(tmp_path)])
    assert (outcome.reason, outcome.summary) == (Reason.CONFIG, f"{tmp_path} is a folder.")
    assert "chmod" not in outcome.hint


async def test_arguments_are_repeated_nowhere(run_probe: RunProbe) -> None:
    for command in (
        ["no-such-program", "s3cret"],
        ["sh", "-c", "exit 2", "s3cret"],
        ["sh", "-c", "exit 77", "s3cret"],
        ["yes", "s3cret"],
        ["sh", "nul\0s3cret"],
    ):
        outcome = await run_probe("command", command=command)
        assert outcome.verdict is not Verdict.PASS
        assert "s3cret" not in repr(outcome)


async def test_it_runs_in_the_folder_it_is_told(run_probe: RunProbe, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    script = tmp_path / "inner" / "check"
    script.write_text("#!/bin/sh\npwd\n")
    script.chmod(0o755)
    outcome = await run_probe("command", command=["./check"], folder="inner")
    assert outcome.summary == f"{tmp_path}/inner"


async def test_standard_input_is_empty(run_probe: RunProbe) -> None:
    assert (await run_probe("command", command=["wc", "-c"])).summary == "0"


async def test_bytes_that_no_word_can_hold_are_a_wrong_command(run_probe: RunProbe) -> None:
    outcome = await run_probe("command", command=["sh", "nul\0"])
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)


# Ends


def pids(path: Path) -> list[int]:
    return [int(word) for word in path.read_text().split()] if path.exists() else []


FAMILY = "sleep 600 & echo $! > {0}; setsid sleep 600 & echo $! >> {0}; "


@pytest.mark.parametrize("ends", ["echo OK", "exec yes", "sleep 600"])
async def test_nothing_that_it_started_is_left(run_probe: RunProbe, tmp_path: Path, ends: str) -> None:
    noted = tmp_path / "pids"
    # Rather than a deadline that the family is not born by on a busy machine.
    outcome = await run_probe("command", **sh(FAMILY.format(noted) + ends), timeout="3s")
    expected = {"echo OK": None, "exec yes": Reason.LIMIT, "sleep 600": Reason.TIMEOUT}[ends]
    assert outcome.reason is expected
    assert len(pids(noted)) == 2
    wait_until(lambda: not any(map(psutil.pid_exists, pids(noted))), "its children have ended", 10)


async def test_what_holds_the_pipe_is_not_waited_for(run_probe: RunProbe) -> None:
    started = monotonic()
    outcome = await run_probe("command", **sh("sleep 600 & echo OK"), timeout="60s")
    assert outcome.verdict is Verdict.PASS
    assert monotonic() - started < 30


async def test_all_that_was_written_before_the_end_is_read(run_probe: RunProbe) -> None:
    # More than a pipe holds, from a program that is gone before it is read, while another holds the pipe.
    code = "import os, sys; os.write(1, b'x' * 60000); os.write(1, b'|a=1\\n')"
    outcome = await run_probe("command", **sh(f'sleep 600 & exec "{sys.executable}" -c "{code}"'))
    assert outcome.metrics == {"a": 1}


@pytest.mark.parametrize(("size", "verdict"), [(1024, Verdict.PASS), (1025, Verdict.UNKNOWN)])
async def test_output_is_cut_at_its_limit(run_probe: RunProbe, size: int, verdict: Verdict) -> None:
    outcome = await run_probe("command", command=["head", "-c", str(size), "/dev/zero"], output_limit=1024)
    assert outcome.verdict is verdict


# Outcomes in JSON


async def test_an_outcome_in_json_is_taken_over_whole(run_probe: RunProbe) -> None:
    check = {
        "name": "lag",
        "verdict": "warn",
        "observed": 7,
        "unit": "s",
        "limit": 5,
        "message": "7 s behind.",
    }
    text = json.dumps(
        {
            "verdict": "warn",
            "summary": "The replica lags.",
            "hint": "Look at its disk.",
            "checks": [check],
            "metrics": {"lag_s": 7},
            "memory": {"kept": 1},
        }
    )
    outcome = await run_probe("command", command=["echo", text])
    assert (outcome.probe, outcome.verdict) == ("command", Verdict.WARN)
    assert (outcome.summary, outcome.hint) == ("The replica lags.", "Look at its disk.")
    assert outcome.checks == (Check(**(check | {"verdict": Verdict.WARN})),)
    assert outcome.metrics == {"lag_s": 7}
    assert outcome.memory == {}


async def test_a_contradiction_names_both_sides(run_probe: RunProbe) -> None:
    check = '{"name": "a", "verdict": "pass"}'
    text = f'{{"verdict": "pass", "summary": "Fine.", "checks": [{check}]}}'
    outcome = await run_probe("command", **shell(f"echo '{text}'; exit 2"))
    assert outcome.summary == "The shell command wrote the verdict pass, but exited with 2, which is fail."


async def test_the_hint_of_a_line_is_that_of_the_outcome(run_probe: RunProbe) -> None:
    check = '{"name": "a", "verdict": "fail", "hint": "Mend it."}'
    text = f'{{"verdict": "fail", "summary": "Broken.", "checks": [{check}]}}'
    assert (await run_probe("command", command=["echo", text])).hint == "Mend it."
