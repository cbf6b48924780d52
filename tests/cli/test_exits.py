"""Every way in which a command can end, in one table a command."""

import asyncio
import json
import os
import re
import subprocess
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from checklist.session import Session
from tests.checklist.making import LITTLE, little, today
from tests.cli.conftest import Call, files

GO, NO_GO, USAGE, UNKNOWN = 0, 1, 2, 3

TODAY, TOMORROW = f"{today()}", f"{today() + timedelta(days=2)}"
YESTERDAY = f"{today() - timedelta(days=2)}"

Setting = Callable[[Path], None]


def plain(folder: Path) -> None:
    little(folder)


def with_session(*steps: Callable[[Session], Awaitable[object]], door: str = "pass") -> Setting:
    """Return a setting in which these things were done before."""

    def make(folder: Path) -> None:
        async def whole() -> None:
            session = Session.open(little(folder, door))
            for step in steps:
                await step(session)
            await session.close()

        asyncio.run(whole())

    return make


def attest(session: Session) -> Awaitable[None]:
    return session.attest("sign-off", by="Ann", note="looked")


def waive(session: Session) -> Awaitable[None]:
    return session.waive("door", by="Bob", why="Monday", until=today())


def check(session: Session) -> Awaitable[object]:
    return session.check()


def doubt(text: str) -> str:
    """Return the checklist with a light that cannot be told."""
    return text.replace('use = "test-async"', 'use = "test-async"\ndo = "raise"', 1)


def doubtful(door: str) -> Setting:
    def make(folder: Path) -> None:
        little(folder, door, doubt(LITTLE))

    return make


def attested(setting: Setting) -> Setting:
    def make(folder: Path) -> None:
        setting(folder)
        text = (folder / "checklist.toml").read_text()
        with_session(attest)(folder)
        (folder / "checklist.toml").write_text(text)
        setting(folder)

    return make


def advisory_doubt(folder: Path) -> None:
    light = 'title = "The light is out"\n'
    little(folder, text=doubt(LITTLE).replace(light, light + 'severity = "advisory"\n'))


def once_proven(folder: Path) -> None:
    """Prove everything, then open the door and see it."""
    with_session(check)(folder)
    with_session(lambda session: session.run("door"), door="fail")(folder)


def broken_checklist(folder: Path) -> None:
    little(folder, text=LITTLE + 'onwer = "me"\n')


def broken_status(folder: Path) -> None:
    little(folder)
    (folder / "checklist.status.toml").write_text("revision = 1\nx = 1\n")


def nothing(_: Path) -> None:
    return


ready = with_session(attest)
WRONG_LINE = r"gonogo: \S*checklist\.toml:40: item 'sign-off': unknown key 'onwer'"
WRONG_STATUS = r"gonogo: \S*checklist\.status\.toml:2: x: unknown key 'x'"

Row = tuple[Setting, tuple[str, ...], int, str]

STATUS: dict[str, Row] = {
    "GO": (with_session(attest, check), ("status",), GO, ""),
    "GO with a waiver": (with_session(attest, waive, check, door="fail"), ("status",), GO, ""),
    "nothing known": (plain, ("status",), NO_GO, ""),
    "failed": (with_session(attest, check, door="fail"), ("status",), NO_GO, ""),
    "degraded": (with_session(attest, check, door="warn"), ("status",), NO_GO, ""),
    "could not tell": (with_session(attest, check, door="unknown"), ("status",), UNKNOWN, ""),
    "changed since": (with_session(attest, check, attest), ("status",), NO_GO, ""),
    "in a folder below": (with_session(attest, check), ("status", "--checklist", "."), GO, ""),
    "broken checklist": (broken_checklist, ("status",), USAGE, WRONG_LINE),
    "broken status": (broken_status, ("status",), USAGE, WRONG_STATUS),
    "no checklist": (nothing, ("status",), USAGE, "no checklist.toml here"),
    "no such checklist": (plain, ("status", "--checklist", "other.toml"), USAGE, "other.toml: no such file"),
    "unknown format": (plain, ("status", "--format", "xml"), USAGE, "xml"),
    "unknown option": (plain, ("status", "--colour"), USAGE, "--colour"),
    "unwritable output": (plain, ("status", "-o", "gone/file"), USAGE, "gone/file cannot be written"),
    "a folder as output": (plain, ("status", "-o", "."), USAGE, "cannot be written"),
    "advisory item could not tell": (attested(advisory_doubt), ("status",), NO_GO, ""),
}

CHECK: dict[str, Row] = {
    "GO": (ready, ("check",), GO, ""),
    "GO with a waiver": (with_session(attest, waive, door="fail"), ("check",), GO, ""),
    "manual item open": (plain, ("check",), NO_GO, ""),
    "failed": (with_session(attest, door="fail"), ("check",), NO_GO, ""),
    "degraded": (with_session(attest, door="warn"), ("check",), NO_GO, ""),
    "could not tell": (with_session(attest, door="unknown"), ("check",), UNKNOWN, ""),
    "could not tell and failed": (attested(doubtful("fail")), ("check",), NO_GO, ""),
    "could not tell and degraded": (attested(doubtful("warn")), ("check",), NO_GO, ""),
    "one that passes": (plain, ("check", "light"), GO, ""),
    "two that pass": (plain, ("check", "light", "door"), GO, ""),
    "one of two fails": (with_session(door="fail"), ("check", "light", "door"), NO_GO, ""),
    "one that could not tell": (with_session(door="unknown"), ("check", "door"), UNKNOWN, ""),
    "one that is inhibited": (plain, ("check", "alarm"), NO_GO, ""),
    "a manual one": (plain, ("check", "sign-off"), NO_GO, ""),
    "a manual one, attested": (ready, ("check", "sign-off"), GO, ""),
    "one that passed before and now waits": (once_proven, ("check", "alarm"), NO_GO, ""),
    "one that fails and is waived": (with_session(waive, door="fail"), ("check", "door"), NO_GO, ""),
    "one that could not tell and is waived": (
        with_session(waive, door="unknown"),
        ("check", "door"),
        UNKNOWN,
        "",
    ),
    "one that passes and is waived": (with_session(waive), ("check", "door"), GO, ""),
    "an advisory item could not tell": (advisory_doubt, ("check",), NO_GO, ""),
    "an advisory item could not tell, all else GO": (attested(advisory_doubt), ("check",), GO, ""),
    "unwritable output": (plain, ("check", "-o", "gone/file"), USAGE, "gone/file cannot be written"),
    "unknown item": (plain, ("check", "light", "dor"), USAGE, "no item is called 'dor'.*'door'"),
    "broken checklist": (broken_checklist, ("check",), USAGE, WRONG_LINE),
    "broken status": (broken_status, ("check",), USAGE, WRONG_STATUS),
    "no checklist": (nothing, ("check",), USAGE, "no checklist.toml here"),
}

PROBE: dict[str, Row] = {
    "pass": (plain, ("probe", "test-async"), GO, ""),
    "degraded": (
        with_session(door="warn"),
        ("probe", "test-blocking", "do=read", "file=door.verdict"),
        1,
        "",
    ),
    "fail": (with_session(door="fail"), ("probe", "test-blocking", "do=read", "file=door.verdict"), 1, ""),
    "doubt": (plain, ("probe", "test-blocking", "do=doubt"), UNKNOWN, ""),
    "bug": (plain, ("probe", "test-async", "do=raise"), UNKNOWN, ""),
    "deadline": (plain, ("probe", "test-async", "do=sleep", "timeout=100ms"), UNKNOWN, ""),
    "variable not set": (plain, ("probe", "test-async", "text=${NOT_SET_ANYWHERE}"), UNKNOWN, ""),
    "number as text": (plain, ("probe", "test-async", "count=3"), GO, ""),
    "value with an equals sign": (plain, ("probe", "test-async", "text=a=b"), GO, ""),
    "list": (plain, ("probe", "--list"), GO, ""),
    "describe": (plain, ("probe", "test-async", "--describe"), GO, ""),
    "describe nothing": (plain, ("probe", "--describe"), USAGE, "name a probe"),
    "describe an unknown one": (plain, ("probe", "rediz", "--describe"), USAGE, "'rediz'"),
    "a key twice": (plain, ("probe", "test-async", "count=1", "count=2"), USAGE, "count is given twice"),
    "unwritable output": (
        plain,
        ("probe", "test-blocking", "do=pass", "file=ran", "-o", "gone/file"),
        USAGE,
        "gone/file cannot be written",
    ),
    "unknown probe": (plain, ("probe", "rediz"), USAGE, "no probe is called 'rediz'; there are .*redis"),
    "probe that does not import": (plain, ("probe", "test-broken"), USAGE, "cannot be loaded"),
    "unknown key": (plain, ("probe", "test-async", "cuont=3"), USAGE, "unknown key 'cuont'.*'count'"),
    "wrong type": (plain, ("probe", "test-async", "count=three"), USAGE, "count"),
    "wrong length of time": (plain, ("probe", "test-async", "timeout=soon"), USAGE, "timeout.*'soon'"),
    "no equals sign": (plain, ("probe", "test-async", "count"), USAGE, "'count': expected KEY=VALUE"),
    "an entry of a wrong type": (
        plain,
        ("probe", "dependencies", "environments={a=5}"),
        USAGE,
        "environments: expected a text or a list, got a whole number",
    ),
    "a key of a wrong form": (
        plain,
        ("probe", "secrets", 'accepted={zz="known"}'),
        USAGE,
        r"accepted: expected every key to be a text of the form \^\[0-9a-f\]\{10\}\$",
    ),
    "no key": (plain, ("probe", "test-async", "=3"), USAGE, "expected KEY=VALUE"),
    "broken TOML value": (plain, ("probe", "test-async", "text=[1"), USAGE, "text: not a TOML value"),
}

RESOLVE: dict[str, Row] = {
    "resolved": (plain, ("resolve", "door", "--action", "shut it", "--by", "Ann"), GO, ""),
    "on a day": (plain, ("resolve", "door", "--action", "x", "--on", YESTERDAY), GO, ""),
    "on a day to come": (plain, ("resolve", "door", "--action", "x", "--on", TOMORROW), USAGE, "not come"),
    "on no day": (plain, ("resolve", "door", "--action", "x", "--on", "soon"), USAGE, "soon"),
    "manual item": (plain, ("resolve", "sign-off", "--action", "x"), USAGE, "manual"),
    "unknown item": (plain, ("resolve", "dor", "--action", "x"), USAGE, "did you mean 'door'"),
    "no action": (plain, ("resolve", "door"), USAGE, "--action"),
    "empty action": (plain, ("resolve", "door", "--action", " "), USAGE, "say what was done"),
    "empty name": (plain, ("resolve", "door", "--action", "x", "--by", ""), USAGE, "--by"),
    "action that is no text": (plain, ("resolve", "door", "--action", "a\udcffb"), USAGE, "gonogo: "),
    "broken checklist": (broken_checklist, ("resolve", "door", "--action", "x"), USAGE, WRONG_LINE),
    "broken status": (broken_status, ("resolve", "door", "--action", "x"), USAGE, WRONG_STATUS),
    "no checklist": (nothing, ("resolve", "door", "--action", "x"), USAGE, "no checklist.toml"),
}

ATTEST: dict[str, Row] = {
    "attested": (plain, ("attest", "sign-off", "--note", "looked"), GO, ""),
    "item with a probe": (plain, ("attest", "door", "--note", "looked"), USAGE, "probe"),
    "unknown item": (plain, ("attest", "nobody", "--note", "looked"), USAGE, "'nobody'"),
    "no note": (plain, ("attest", "sign-off"), USAGE, "--note"),
    "empty note": (plain, ("attest", "sign-off", "--note", ""), USAGE, "what was seen"),
    "broken checklist": (broken_checklist, ("attest", "sign-off", "--note", "x"), USAGE, WRONG_LINE),
}

WAIVE: dict[str, Row] = {
    "waived": (plain, ("waive", "door", "--why", "Monday", "--until", TOMORROW), GO, ""),
    "until today": (plain, ("waive", "door", "--why", "Monday", "--until", TODAY), GO, ""),
    "until a day that is past": (
        plain,
        ("waive", "door", "--why", "x", "--until", YESTERDAY),
        USAGE,
        "is past",
    ),
    "for ever": (plain, ("waive", "door", "--why", "x"), USAGE, "--until"),
    "for no reason": (plain, ("waive", "door", "--until", TODAY), USAGE, "--why"),
    "unknown item": (plain, ("waive", "dor", "--why", "x", "--until", TODAY), USAGE, "'door'"),
    "broken status": (broken_status, ("waive", "door", "--why", "x", "--until", TODAY), USAGE, WRONG_STATUS),
}

REOPEN: dict[str, Row] = {
    "reopened": (plain, ("reopen", "door", "--why", "seen it"), GO, ""),
    "manual item": (plain, ("reopen", "sign-off", "--why", "seen it"), GO, ""),
    "for no reason": (plain, ("reopen", "door", "--why", " "), USAGE, "say why"),
    "unknown item": (plain, ("reopen", "dor", "--why", "x"), USAGE, "'door'"),
    "broken status": (broken_status, ("reopen", "door", "--why", "x"), USAGE, WRONG_STATUS),
}

DOOR: dict[str, Row] = {
    "no terminal": (plain, (), USAGE, "needs a terminal"),
    "no terminal, a checklist named": (plain, ("checklist.toml",), USAGE, "needs a terminal"),
    "help": (nothing, ("--help",), GO, ""),
    "version": (nothing, ("--version",), GO, ""),
    "an environment before the command": (plain, ("--env=x", "status"), USAGE, "no environment 'x'"),
    "a checklist before the command": (
        nothing,
        ("--checklist", "gone.toml", "status"),
        USAGE,
        "gone.toml: no such",
    ),
    "both before the command": (
        nothing,
        ("--env", "x", "--checklist=gone.toml", "status"),
        USAGE,
        "gone.toml: no",
    ),
    "a checklist by its option": (plain, ("--checklist", "checklist.toml"), USAGE, "needs a terminal"),
    "an option without a value": (plain, ("--checklist",), USAGE, "requires an argument"),
    "unknown option": (nothing, ("--verbose",), USAGE, "--verbose"),
    "mistyped command": (plain, ("stauts",), USAGE, "No such command 'stauts'"),
    "no such checklist": (plain, ("gone.toml",), USAGE, "needs a terminal"),
}

TABLE = {
    f"{command}: {case}": row
    for command, rows in {
        "status": STATUS,
        "check": CHECK,
        "probe": PROBE,
        "resolve": RESOLVE,
        "attest": ATTEST,
        "waive": WAIVE,
        "reopen": REOPEN,
        "gonogo": DOOR,
    }.items()
    for case, row in rows.items()
}


@pytest.mark.parametrize("case", TABLE)
def test_exit_code(call: Call, tmp_path: Path, case: str) -> None:
    setting, args, code, said = TABLE[case]
    setting(tmp_path)
    before = files(tmp_path)
    done = call(*args)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert re.search(said, done.stderr, re.DOTALL)
    if code == USAGE:
        assert done.stderr.startswith("gonogo: ")
        assert done.stderr.count("\n") == 1
        assert done.stdout == ""
        assert files(tmp_path) == before


def test_an_item_that_could_not_tell_beside_one_that_passes_is_code_3(call: Call, tmp_path: Path) -> None:
    attested(doubtful("pass"))(tmp_path)
    assert call("check").returncode == UNKNOWN
    assert call("status").returncode == UNKNOWN
    assert call("check", "door").returncode == GO


def test_the_probe_command_without_a_probe_names_them_and_is_a_wrong_call(call: Call, tmp_path: Path) -> None:
    done = call("probe")
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr.startswith("gonogo: name a probe; there are ")
    assert {"redis", "test-async"} <= {*done.stderr.strip().replace(",", "").split()}
    assert files(tmp_path) == {}


@pytest.mark.parametrize(
    "args",
    [("status",), ("status", "--format", "json"), ("check", "light"), ("probe", "test-async")],
    ids=" ".join,
)
@pytest.mark.parametrize("place", [(">&-", "is closed"), (">/dev/full", "No space left")], ids=str)
def test_output_that_goes_nowhere_is_an_error_in_one_line(
    gonogo: str, folder: Path, surroundings: dict[str, str], args: tuple[str, ...], place: tuple[str, str]
) -> None:
    to, said = place
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {to}', gonogo, *args],
        cwd=folder,
        env=surroundings,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    *progress, last = done.stderr.splitlines()
    assert (done.returncode, [line for line in progress if not line.startswith("[")]) == (USAGE, [])
    assert last.startswith("gonogo: standard output")
    assert said in last


def test_data_stays_data_when_nobody_reads_the_progress(
    gonogo: str, folder: Path, surroundings: dict[str, str]
) -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" 2>&-', gonogo, "check", "--format", "json"],
        cwd=folder,
        env=surroundings,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == NO_GO
    assert json.loads(done.stdout)["final"]


def test_a_reader_that_had_enough_is_no_error_of_ours(
    gonogo: str, folder: Path, surroundings: dict[str, str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [gonogo, "status"],
            cwd=folder,
            env=surroundings,
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (128 + 13, b"")


@pytest.mark.parametrize("command", ["check", "attest sign-off --note seen"])
def test_a_name_that_is_no_text_is_refused(call: Call, folder: Path, command: str) -> None:
    before = files(folder)
    done = call(*command.split(), "--by", os.fsdecode(b"\xff"))
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert done.stderr == "gonogo: by: this is not UTF-8 text; say who it is: --by NAME\n"
    assert files(folder) == before
