"""What the command writes: the contract with whoever reads it by program."""

import json
import os
import re
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.checklist.making import HEAD, LITTLE, little, today
from tests.cli.conftest import Call, Done, files
from tests.conftest import REPOSITORY

# RFC 3339 with an offset.
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
HASH = re.compile(r"sha256:[0-9a-f]{64}")

OUTCOME = {"probe", "verdict", "summary", "hint", "reason", "checks", "metrics"} | {
    *("memory", "started_at", "duration")
}
LINE = {"name", "verdict", "observed", "unit", "limit", "message", "hint"}
GATE = {"verdict", "reasons", "waived"}
CHECKLIST = {"title", "release", "environment", "hash"}
ITEM = {
    *("id", "section", "title", "owner", "due", "overdue", "days_late", "severity", "state", "probe"),
    *("cause", "steps", "claim", "attestation", "waiver", "reopening", "evidence", "run"),
    *("after", "links", "notes", "waits_for", "waiver_void", "days_left", "edited", "repair"),
}
READINESS = {
    *("status", "releaseId", "description", "time", "run", "final", "checklist", "gate", "items", "checks"),
    *("by", "evidence_hash", "changes", "problem", "chosen", "proven"),
}
HEALTH = {"componentId", "componentType", "status", "time", "observedValue", "limit", "output"}


def data(done: Done) -> dict[str, Any]:
    """Return what stands on standard output: one JSON object and a newline, nothing else."""
    assert done.stdout.startswith("{\n")
    assert done.stdout.endswith("}\n")
    found: dict[str, Any] = json.loads(done.stdout, parse_constant=pytest.fail)
    return found


# probe


def test_probe_as_json(call: Call, tmp_path: Path) -> None:
    done = call("probe", "test-async", "text=fine", "--format", "json")
    found = data(done)
    assert set(found) == OUTCOME
    assert (found["probe"], found["verdict"], found["summary"]) == ("test-async", "pass", "fine")
    assert (found["reason"], found["metrics"]) == (None, {})
    assert MOMENT.fullmatch(found["started_at"])
    assert isinstance(found["duration"], float)
    assert found["checks"] == [
        {
            "name": "said",
            "verdict": "pass",
            "observed": 1.0,
            "unit": None,
            "limit": 2,
            "message": "fine",
            "hint": "",
        }
    ]
    assert done.stderr == ""
    assert files(tmp_path) == {}


def test_probe_as_json_when_it_could_not_tell_has_the_same_keys_and_a_reason(call: Call) -> None:
    found = data(call("probe", "test-async", "do=sleep", "timeout=100ms", "--format", "json"))
    assert set(found) == OUTCOME
    assert (found["verdict"], found["reason"], found["checks"]) == ("unknown", "timeout", [])


def test_probe_in_another_time_zone_says_its_offset(call: Call) -> None:
    found = data(call("probe", "test-async", "--format", "json", TZ="Asia/Tokyo"))
    assert found["started_at"].endswith("+09:00")


def test_probe_reads_variables_and_toml_values_and_never_shows_a_secret(call: Call) -> None:
    done = call("probe", "test-async", "text=is ${HOUSE_TOKEN} ${NONE:-shut}", HOUSE_TOKEN="hunter2hunter2")
    assert done.stdout == "✓ test-async: pass: is *** shut\n  ✓ said  1 (limit 2)  is *** shut\n"
    refused = call("probe", "test-async", "count=${HOUSE_TOKEN}", HOUSE_TOKEN="hunter2hunter2")
    assert refused.returncode == 2
    assert "hunter2" not in refused.stderr
    refused = call("probe", "test-async", "timeout=${HOUSE_TOKEN}", HOUSE_TOKEN="hunter2hunter2")
    assert refused.returncode == 2
    assert "hunter2" not in refused.stderr
    wrong = call("probe", "test-async", "text=[1, 2]")
    assert (wrong.returncode, wrong.stderr) == (
        2,
        "gonogo: probe test-async: text: expected a text, got a list\n",
    )


def test_probe_describe_tells_what_it_can_be_told(call: Call) -> None:
    said = call("probe", "test-async", "--describe").stdout
    assert said.startswith("What to do.\n")
    assert "\n\ncount  (whole number; default 0)\n    How many.\n" in said
    assert "\n\nretries  (whole number, at least 0 and at most 10; default 0)\n    How many times" in said
    # Its own keys first, then those common to all probes.
    assert said.index("\n\ncount ") < said.index('\n\ntimeout  (length of time; default "30s")\n')


def test_probe_finds_files_in_the_current_folder(call: Call, folder: Path) -> None:
    (folder / "door.verdict").write_text("warn")
    done = call("probe", "test-blocking", "do=read", "file=door.verdict")
    assert done.stdout.startswith("! test-blocking: warn: ")


# status


def test_status_as_json_when_nothing_is_known(call: Call, folder: Path) -> None:
    found = data(call("status", "--format", "json"))
    assert set(found) == {"checklist", "gate", "items", "final_check", "chosen", "proven"}
    assert set(found["checklist"]) == CHECKLIST
    assert (
        found["checklist"].items() >= {"title": "Test", "release": "1.0", "environment": "production"}.items()
    )
    assert HASH.fullmatch(found["checklist"]["hash"])
    assert set(found["gate"]) == GATE
    assert found["gate"]["verdict"] == "NO-GO"
    assert found["gate"]["reasons"][-1] == "no final check has run"
    assert [item["id"] for item in found["items"]] == ["door", "light", "alarm", "sign-off"]
    for item in found["items"]:
        assert set(item) == ITEM
        assert item["claim"] is item["evidence"] is item["waiver"] is item["run"] is None
    assert (found["items"][2]["after"], found["items"][0]["after"]) == (["door"], [])
    first = found["items"][0]
    assert (first["section"], first["title"], first["owner"]) == ("House", "The door is shut", "Keeper")
    assert (first["due"], first["overdue"], first["severity"]) == ("2025-06-25", True, "blocker")
    assert (first["state"], first["probe"]) == ("open", "test-blocking")
    assert first["steps"] == [{"text": "Shut it", "done": False}, {"text": "Lock it", "done": False}]
    assert (found["items"][1]["due"], found["items"][1]["overdue"]) == (None, False)
    assert (found["items"][2]["state"], found["items"][3]["probe"]) == ("inhibited", None)
    assert set(files(folder)) == {"checklist.toml", "door.verdict"}


@pytest.mark.usefixtures("folder")
def test_status_as_json_with_every_fact(call: Call) -> None:
    this_day = f"{today()}"
    call("resolve", "door", "--action", "shut it", "--by", "Ann", "--on", "2025-06-27")
    call("attest", "sign-off", "--note", "looked", "--by", "Bob")
    call("waive", "alarm", "--why", "Monday", "--until", this_day, "--by", "Cleo")
    call("reopen", "light", "--why", "seen it", "--by", "Dan")
    call("check", "door")
    items = {item["id"]: item for item in data(call("status", "--format", "json"))["items"]}
    claim, attestation = items["door"]["claim"], items["sign-off"]["attestation"]
    assert MOMENT.fullmatch(claim.pop("at"))
    assert claim == {"by": "Ann", "on": "2025-06-27", "action": "shut it"}
    assert MOMENT.fullmatch(attestation.pop("at"))
    assert HASH.fullmatch(attestation.pop("item"))
    assert attestation == {"by": "Bob", "note": "looked"}
    assert items["alarm"]["waiver"].items() >= {"by": "Cleo", "why": "Monday", "until": this_day}.items()
    assert items["light"]["reopening"].items() >= {"by": "Dan", "why": "seen it"}.items()
    evidence = items["door"]["evidence"]
    assert set(evidence) == OUTCOME
    assert {frozenset(line) for line in evidence["checks"]} == {frozenset(LINE)}
    states = {name: item["state"] for name, item in items.items()}
    assert states == {"door": "verified", "light": "reopened", "alarm": "waived", "sign-off": "attested"}
    assert (items["door"]["overdue"], items["door"]["days_late"]) == (True, 2)


def test_the_record_of_2025_05_13_is_five_claims_and_no_proof(call: Call, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "examples" / "2025-05-13", tmp_path, dirs_exist_ok=True)
    done = call("status")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("NO-GO  Production check of 2025-05-13, WBS 7.5.2")
    assert lines[-1] == "5 items: 5 resolved, none verified, 1 late"
    found = data(call("status", "--format", "json"))
    assert {item["state"] for item in found["items"]} == {"resolved"}
    assert {item["id"]: item["days_late"] for item in found["items"] if item["overdue"]} == {"cache": 2}
    assert not [item for item in found["items"] if item["evidence"]]


def test_status_changes_nothing(call: Call, folder: Path) -> None:
    call("resolve", "door", "--action", "x")
    before = files(folder)
    call("status")
    call("status", "--format", "json")
    assert files(folder) == before


# check


def records(folder: Path) -> list[Path]:
    return sorted((folder / "reports").glob("*.json"))


def test_check_as_json_is_the_record_that_is_saved(call: Call, folder: Path) -> None:
    call("attest", "sign-off", "--note", "looked")
    done = call("check", "--format", "json")
    found = data(done)
    (record,) = records(folder)
    assert record.read_text() == done.stdout
    assert re.fullmatch(r"readiness_check_\d{8}_\d{6}\.json", record.name)
    assert set(found) == READINESS
    assert (found["status"], found["final"], found["gate"]["verdict"]) == ("pass", True, "GO")
    assert (found["releaseId"], found["description"]) == ("1.0", "Test")
    assert MOMENT.fullmatch(found["time"])
    assert f"{datetime.fromisoformat(found['time']):%Y%m%d_%H%M%S}" in record.name
    assert (set(found["checklist"]), set(found["gate"])) == (CHECKLIST, GATE)
    assert {frozenset(item) for item in found["items"]} == {frozenset(ITEM)}
    assert set(found["checks"]) == {"door:said", "light:said", "alarm:said"}
    ((line,),) = {name: lines for name, lines in found["checks"].items() if name == "door:said"}.values()
    assert set(line) == HEALTH
    assert (line["componentId"], line["componentType"], line["status"]) == ("door", "test-blocking", "pass")
    status = data(call("status", "--format", "json"))
    assert (status["items"], status["gate"]) == (found["items"], found["gate"])


def test_check_of_one_item_as_json_is_no_final_check_and_saves_no_record(call: Call, folder: Path) -> None:
    found = data(call("check", "light", "--format", "json"))
    assert (set(found), found["final"], found["gate"]["verdict"]) == (READINESS, False, "NO-GO")
    assert (found["chosen"], found["proven"]) == (["light"], True)
    assert records(folder) == []


def test_every_final_check_leaves_a_record_whatever_it_found(call: Call, folder: Path) -> None:
    (folder / "door.verdict").write_text("fail")
    call("check")
    call("check")
    assert [json.loads(path.read_text())["status"] for path in records(folder)] == ["fail", "fail"]


def test_progress_goes_to_standard_error_and_data_to_standard_output(call: Call, folder: Path) -> None:
    (folder / "door.verdict").write_text("fail")
    done = call("check")
    assert re.findall(r"^\[(\d)/3\]", done.stderr, re.MULTILINE) == ["1", "2"]
    assert "✗ door: all is well" in done.stderr
    assert "[1/3]" not in done.stdout
    assert done.stdout.startswith("NO-GO  Test · 1.0 · production\n")
    assert done.stdout.splitlines()[-1].startswith("4 items: ")
    one = call("check", "light")
    assert one.stdout == "✓ light: pass: all is well\n  ✓ said  1 (limit 2)  all is well\n"
    assert one.stderr == "[1/1] ✓ light: all is well\n"


def test_check_of_an_item_tells_only_what_this_run_found(call: Call, folder: Path) -> None:
    call("check")
    (folder / "door.verdict").write_text("fail")
    both = call("check", "door", "alarm")
    assert both.returncode == 1
    assert both.stdout.startswith("✗ door: fail: all is well\n")
    # It has passed before; that is no finding of this run.
    assert both.stdout.endswith("\n· alarm: not run: waits for door\n")
    assert call("check", "sign-off").stdout == "□ sign-off: open: manual, so there is nothing to run\n"


def test_a_line_break_from_outside_makes_no_line_of_ours(call: Call, folder: Path) -> None:
    forged = "all\n✓ door: pass"
    little(folder, text=LITTLE.replace('"test-async"', f'"test-async"\ntext = {json.dumps(forged)}'))
    call("resolve", "door", "--action", forged)
    for args in (("check", "light"), ("probe", "test-async", f"text={forged}"), ("check",), ("status",)):
        done = call(*args)
        assert "all ✓ door: pass" in done.stdout
        assert not re.search(r"^✓ door: pass", done.stdout + done.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    "args",
    [
        ("resolve", "door", "--action", "x"),
        ("attest", "sign-off", "--note", "x"),
        ("waive", "door", "--why", "x", "--until", f"{today()}"),
        ("reopen", "door", "--why", "x"),
    ],
    ids=lambda args: args[0],
)
def test_what_changes_something_says_so_on_standard_error_alone(
    call: Call, folder: Path, args: tuple[str, ...]
) -> None:
    done = call(*args)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(f"{args[1]}: ")
    assert "checklist.status.toml" in files(folder)


@pytest.mark.parametrize(
    "args", [("status",), ("status", "--format", "json"), ("probe", "--list")], ids=" ".join
)
def test_output_goes_to_the_file_that_is_named_instead(
    call: Call, folder: Path, args: tuple[str, ...]
) -> None:
    (folder / "out").write_text("old")
    done = call(*args, "-o", "out")
    assert done.stdout == ""
    assert (folder / "out").read_text() == call(*args).stdout


def test_output_follows_a_link_and_keeps_what_is_no_plain_file(
    gonogo: str, call: Call, folder: Path, surroundings: dict[str, str]
) -> None:
    (folder / "real").write_text("old")
    (folder / "real").chmod(0o640)
    (folder / "link").symlink_to("real")
    assert call("probe", "--list", "-o", "link").returncode == 0
    assert (folder / "link").is_symlink()
    assert (folder / "real").read_text() == call("probe", "--list").stdout
    assert (folder / "real").stat().st_mode & 0o777 == 0o640
    os.mkfifo(folder / "pipe")
    with subprocess.Popen([gonogo, "probe", "--list", "-o", "pipe"], cwd=folder, env=surroundings) as writer:
        assert (folder / "pipe").read_text() == (folder / "real").read_text()
    assert writer.returncode == 0
    assert (folder / "pipe").is_fifo()


# Text from outside is harmless

ESCAPE = "\x1b]0;owned\x07\x1b[2Jred\x1b[31m\u202e"


def test_no_text_from_outside_reaches_the_terminal_as_a_command(call: Call, folder: Path) -> None:
    toml = json.dumps(ESCAPE)
    little(folder, text=LITTLE.replace('"The door is shut"', toml).replace('"Keeper"', toml))
    call("resolve", "door", "--action", ESCAPE, "--by", ESCAPE)
    for args in (
        ("status",),
        ("check",),
        ("check", "no" + ESCAPE),
        ("probe", "test-async", f"text={ESCAPE}"),
    ):
        done = call(*args)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", done.stdout + done.stderr)
    assert "red" in call("status").stdout


def test_json_is_plain_whatever_is_in_it(call: Call, folder: Path) -> None:
    call("resolve", "door", "--action", ESCAPE)
    done = call("status", "--format", "json")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", done.stdout)
    assert data(done)["items"][0]["claim"]["action"] == ESCAPE
    assert (folder / "checklist.status.toml").is_file()


def test_where_the_locale_is_not_utf8_our_glyphs_are_ascii(call: Call, folder: Path) -> None:
    done = call("status", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert done.returncode == 1
    assert "# door" in done.stdout
    check = call("check", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0")
    assert (check.returncode, "Traceback" in check.stderr) == (1, False)
    assert "checklist.status.toml" in files(folder)


# Which checklist


@pytest.mark.parametrize(
    ("cwd", "args"),
    [
        (".", ()),
        ("below/it", ()),
        ("below", ("--checklist", "..")),
        ("below", ("--checklist", "../checklist.toml")),
    ],
)
def test_the_checklist_is_found_here_above_or_where_it_is_said_to_be(
    call: Call, folder: Path, cwd: str, args: tuple[str, ...]
) -> None:
    (folder / "below" / "it").mkdir(parents=True)
    done = call("check", "door", *args, cwd=folder / cwd)
    assert done.returncode == 0
    assert (folder / "checklist.status.toml").is_file()
    assert not list((folder / "below").rglob("*.toml"))


def test_each_checklist_has_a_status_of_its_own(call: Call, folder: Path) -> None:
    shutil.copy(folder / "checklist.toml", folder / "staging.toml")
    call("resolve", "door", "--action", "x", "--checklist", "staging.toml")
    assert {"staging.status.toml"} == {name for name in files(folder) if name.endswith("status.toml")}
    assert "staging.status.toml" in files(folder)


# Who speaks


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("mark", ["resolve", "attest", "waive", "reopen"])
def test_a_mark_is_by_who_is_named_else_gits_user_else_the_login(
    call: Call, surroundings: dict[str, str], mark: str
) -> None:
    args, fact = {
        "resolve": (("resolve", "door", "--action", "x"), "claim"),
        "attest": (("attest", "sign-off", "--note", "x"), "attestation"),
        "waive": (("waive", "door", "--why", "x", "--until", f"{today()}"), "waiver"),
        "reopen": (("reopen", "door", "--why", "x"), "reopening"),
    }[mark]

    def said_by() -> str:
        items = data(call("status", "--format", "json"))["items"]
        (name,) = [item[fact]["by"] for item in items if item[fact]]
        return str(name)

    call(*args)
    assert said_by() == "operator"
    Path(surroundings["HOME"], ".gitconfig").write_text("[user]\n\tname = Grace Ops\n")
    call(*args)
    assert said_by() == "Grace Ops"
    call(*args, "--by", "Ann")
    assert said_by() == "Ann"


def test_without_git_the_login_name_speaks(call: Call, folder: Path) -> None:
    assert call("resolve", "door", "--action", "x", PATH="/nowhere").returncode == 0
    assert 'resolved_by = "operator"' in (folder / "checklist.status.toml").read_text()


@pytest.mark.parametrize(
    "args", [("status",), ("check",), ("report", "--format", "json"), ("log",), ("export",)]
)
def test_no_output_is_written_over_what_it_is_made_from(
    call: Call, folder: Path, args: tuple[str, ...]
) -> None:
    call("check")
    before = files(folder)
    for name in ("checklist.toml", "checklist.status.toml", "checklist.journal.jsonl"):
        done = call(*args, "-o", name)
        assert (done.returncode, done.stdout) == (2, "")
        assert f"{name}: nothing is written over" in done.stderr
    assert files(folder) == before


def test_a_final_check_that_does_not_count_says_so(call: Call, tmp_path: Path) -> None:
    words = 'use = "command"\ncommand = ["sed", "-i", "s/shut/open/", "checklist.toml"]'
    text = LITTLE.replace('use = "test-blocking"\ndo = "read"\nfile = "door.verdict"', words)
    little(tmp_path, text=text)
    done = call("check")
    assert done.returncode == 1
    assert "no final check: another one was begun, or the checklist edited, while it ran" in done.stdout
    assert "this was no final check" not in call("check").stdout


def test_a_final_check_during_which_another_began_says_so(call: Call, gonogo: str, tmp_path: Path) -> None:
    another = f"test -e begun || {{ touch begun; {gonogo} check; }} >nested 2>&1; echo OK"
    probe = f'[items.probe]\nuse = "command"\ncommand = ["sh", "-c", {json.dumps(another)}]\n'
    little(tmp_path, text=f'{HEAD}[[items]]\nid = "door"\ntitle = "The door is shut"\n{probe}')
    done = call("check")
    assert "this was no final check: another one was begun, " in done.stdout, done
