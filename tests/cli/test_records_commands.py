"""`gonogo log`, `report`, `import` and `export`: every ending, and what is left on disk."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from tests.checklist.making import LITTLE, little
from tests.cli.conftest import Call, files
from tests.cli.test_exits import (
    GO,
    NO_GO,
    USAGE,
    WRONG_LINE,
    WRONG_STATUS,
    Row,
    attest,
    broken_checklist,
    broken_status,
    check,
    nothing,
    plain,
    with_session,
)

LIST = "# Night\n\n## House\n\n- [x] **The door is shut**\n  - owner: Keeper\n- [ ] **The light is out**\n"


def with_list(folder: Path) -> None:
    (folder / "LIST.md").write_text(LIST)


def with_list_and_checklist(folder: Path) -> None:
    little(folder)
    with_list(folder)


def with_list_and_status(folder: Path) -> None:
    with_list(folder)
    (folder / "checklist.status.toml").write_text("revision = 1\n")


def with_broken_status(folder: Path) -> None:
    with_list(folder)
    broken_status(folder)


def tampered(folder: Path) -> None:
    with_session(attest, check)(folder)
    journal = folder / "checklist.journal.jsonl"
    journal.write_text(journal.read_text().replace("looked", "loooked"))


def no_journal(folder: Path) -> None:
    with_session(attest)(folder)
    (folder / "checklist.journal.jsonl").write_text("hello\n")


def no_markdown(folder: Path) -> None:
    (folder / "LIST.md").write_text("Nothing to do.\n")


def latin(folder: Path) -> None:
    (folder / "LIST.md").write_bytes(b"- [ ] one\n- [ ] caf\xe9\n")


ready = with_session(attest)
final = with_session(attest, check)

TABLE: dict[str, Row] = {
    "log": (final, ("log",), GO, ""),
    "log of nothing": (plain, ("log",), GO, ""),
    "log as JSON": (final, ("log", "--format", "json"), GO, ""),
    "log, whole": (final, ("log", "--verify"), GO, "every line is as it was written"),
    "log, nothing to prove": (plain, ("log", "--verify"), GO, "nothing is recorded yet"),
    "log, tampered with": (tampered, ("log", "--verify"), NO_GO, r"journal\.jsonl:1: it was changed after"),
    "log, no journal": (no_journal, ("log",), USAGE, r"journal\.jsonl:1: not a line of a journal"),
    "log of an unknown item": (final, ("log", "--item", "dor"), USAGE, "'dor'; did you mean 'door'"),
    "log --verify of an item": (final, ("log", "--verify", "--item", "door"), USAGE, "the whole journal"),
    "log --verify of some lines": (final, ("log", "--verify", "-n", "3"), USAGE, "the whole journal"),
    "log of no lines": (final, ("log", "-n", "0"), USAGE, "-n"),
    "log without a checklist": (nothing, ("log",), USAGE, "no checklist.toml"),
    "log of a broken checklist": (broken_checklist, ("log",), USAGE, WRONG_LINE),
    "log --verify of a broken status": (broken_status, ("log", "--verify"), USAGE, WRONG_STATUS),
    "report": (final, ("report",), GO, ""),
    "report of nothing": (plain, ("report",), GO, ""),
    "report as HTML": (final, ("report", "--format", "html"), GO, ""),
    "report by name": (final, ("report", "-o", "r.md"), GO, ""),
    "report by no name": (final, ("report", "-o", "r.pdf"), USAGE, "say which --format"),
    "report, unwritable": (final, ("report", "-o", "gone/r.md"), USAGE, "cannot be written"),
    "report, unknown format": (final, ("report", "--format", "pdf"), USAGE, "pdf"),
    "report, readiness": (final, ("report", "readiness", "--format", "markdown"), GO, ""),
    "report, no readiness yet": (ready, ("report", "readiness"), USAGE, "no final check is on record"),
    "report, unknown kind": (final, ("report", "weather"), USAGE, "weather"),
    "report of a broken checklist": (broken_checklist, ("report",), USAGE, WRONG_LINE),
    "report of a broken status": (broken_status, ("report",), USAGE, WRONG_STATUS),
    "report with a broken journal": (no_journal, ("report",), USAGE, "journal"),
    "import": (with_list, ("import", "LIST.md"), GO, "2 items, 1 resolved, none proven"),
    "import into a folder": (with_list, ("import", "LIST.md", "-o", "gone"), USAGE, "gone: no such folder"),
    "import nothing": (nothing, ("import", "LIST.md"), USAGE, "LIST.md: no such file"),
    "import no list": (no_markdown, ("import", "LIST.md"), USAGE, "LIST.md"),
    "import what is no UTF-8": (latin, ("import", "LIST.md"), USAGE, "LIST.md:2: not UTF-8"),
    "import over a checklist": (with_list_and_checklist, ("import", "LIST.md"), USAGE, "--force"),
    "import over a status": (with_list_and_status, ("import", "LIST.md"), USAGE, r"status\.toml.*--force"),
    "import by force": (with_list_and_checklist, ("import", "LIST.md", "--force"), GO, ""),
    "import over what cannot be read": (
        with_broken_status,
        ("import", "LIST.md", "--force"),
        USAGE,
        WRONG_STATUS,
    ),
    "import a folder": (with_list, ("import", "."), USAGE, "directory"),
    "export": (final, ("export",), GO, ""),
    "export, unwritable": (final, ("export", "-o", "gone/x.md"), USAGE, "cannot be written"),
    "export of a broken checklist": (broken_checklist, ("export",), USAGE, WRONG_LINE),
    "export of a broken status": (broken_status, ("export",), USAGE, WRONG_STATUS),
    "resume nothing": (ready, ("check", "--resume"), USAGE, "no final check to go on with"),
    "resume a choice": (ready, ("check", "door", "--resume"), USAGE, "not a choice of items"),
}


@pytest.mark.parametrize("case", TABLE)
def test_exit_code(call: Call, tmp_path: Path, case: str) -> None:
    setting, args, code, said = TABLE[case]
    setting(tmp_path)
    before = files(tmp_path)
    done = call(*args)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert re.search(said, done.stderr, re.DOTALL), done.stderr
    if code == USAGE:
        assert done.stderr.count("\n") == 1
        assert (done.stdout, files(tmp_path)) == ("", before)


def test_the_log_tells_who_did_what_and_filters_by_item(call: Call, folder: Path) -> None:
    call("attest", "sign-off", "--note", "looked", "--by", "Ann")
    call("resolve", "door", "--action", "shut it", "--on", "2025-06-27", "--by", "Bob")
    call("check", "--by", "Cleo")
    call("waive", "door", "--why", "Monday", "--until", "2999-01-01", "--by", "Dan")
    lines = call("log").stdout.splitlines()
    (record,) = (folder / "reports").glob("*.json")
    assert [line.strip().split("  ")[2] for line in lines[:3]] == ["Ann", "Bob", "Cleo"]
    for line, words in {
        0: "sign-off attested: looked",
        1: "door resolved (2025-06-27): shut it",
        2: "check begun",
        -2: f"decided (GO, {record.name})",
        -1: "door waived (2999-01-01, UTC): Monday",
    }.items():
        assert lines[line].endswith(words)
    assert sum("found pass" in line for line in lines) == 3
    assert len(call("log", "--item", "door").stdout.splitlines()) == 3
    assert len(call("log", "--item", "door", "--item", "light").stdout.splitlines()) == 4
    last = call("log", "-n", "1", "--format", "json").stdout
    (entry,) = json.loads(last)
    assert (entry["by"], entry["data"]) == ("Dan", {"until": "2999-01-01", "zone": "UTC"})


def test_reports_are_saved_in_three_forms_or_written_where_they_are_wanted(call: Call, folder: Path) -> None:
    call("attest", "sign-off", "--note", "looked")
    call("check")
    path = Path(call("report").stdout.strip())
    assert path.parent == folder / "reports"
    assert {file.suffix for file in path.parent.glob(f"{path.stem}.*")} == {".json", ".md", ".html"}
    call("report", "-o", "out.html")
    assert (folder / "out.html").read_text().startswith("<!DOCTYPE html>")
    record = Path(call("report", "readiness").stdout.strip())
    assert json.loads(record.read_text())["gate"]["verdict"] == "GO"
    assert call("report", "readiness", "--format", "json").stdout == record.read_text()
    said = call("report", "readiness", "--format", "markdown").stdout
    assert said == record.with_suffix(".md").read_text()


def test_what_changed_since_the_check_before_is_told(call: Call, folder: Path) -> None:
    call("attest", "sign-off", "--note", "looked")
    call("check")
    (folder / "door.verdict").write_text("fail")
    broke = call("check").stdout
    assert re.search(r"door broke: verified → reopened", broke)
    (folder / "door.verdict").write_text("pass")
    call("resolve", "door", "--action", "shut it")
    assert re.search(r"door (was )?fixed", call("check").stdout)
    newest = max((folder / "reports").glob("*.json"), key=lambda path: path.stat().st_mtime)
    newest.write_text("{")
    assert "not compared with the check before" in call("check").stdout


def test_an_import_tells_line_by_line_what_it_could_not_place(call: Call, tmp_path: Path) -> None:
    (tmp_path / "LIST.md").write_text(LIST + "\nSome prose.\n")
    done = call("import", "LIST.md", "--by", "Ann")
    assert "LIST.md:9: " in done.stderr
    assert done.stderr.endswith("2 items, 1 resolved, none proven, 1 line not taken over\n")
    assert call("status").returncode == NO_GO
    assert "Ann  imported (LIST.md)" in call("log").stdout
    assert call("log", "--verify").returncode == GO
    again = call("export").stdout
    assert "- [x] **The door is shut**" in again


def test_an_import_tells_what_it_suggests_and_what_its_probes_need(call: Call, tmp_path: Path) -> None:
    (tmp_path / "LIST.md").write_text("- [ ] **Redis is healthy**\n- [x] **Nobody is on holiday**\n")
    said = call("import", "LIST.md").stderr
    assert "redis-is-healthy: suggested probe: redis" in said
    assert "for the probes set: REDIS_URL\n" in said
    assert "nobody-is-on-holiday: claimed, and no probe could prove it: attest it" in said
    assert call("status", "--only", "nobody*").stdout.splitlines()[0].startswith("NOT PROVEN")


def test_an_import_by_force_takes_claims_and_proofs_of_the_old_list_away(call: Call, folder: Path) -> None:
    call("attest", "sign-off", "--note", "looked")
    assert call("check").returncode == GO
    with_list(folder)
    assert call("import", "LIST.md", "--force").returncode == GO
    assert call("status").returncode == NO_GO
    assert (folder / "checklist.toml").read_text() != LITTLE
    assert call("log", "--verify").returncode == GO


def test_an_import_that_cannot_save_its_claims_leaves_nothing(call: Call, tmp_path: Path) -> None:
    with_list(tmp_path)
    (tmp_path / "checklist.journal.jsonl").mkdir()
    done = call("import", "LIST.md")
    assert (done.returncode, "Is a directory" in done.stderr) == (USAGE, True)
    assert not (tmp_path / "checklist.toml").exists()


def test_an_import_names_the_probes_that_came_with_the_list(call: Call, tmp_path: Path) -> None:
    probe = '{ use = "command", command = ["touch", "ran"] }'
    (tmp_path / "LIST.md").write_text(f"- [ ] **Quiet**\n  - probe: `{probe}`\n")
    done = call("import", "LIST.md")
    assert "quiet: its probe runs a program that the list names; look at it first: ['touch', " in done.stderr
    assert not (tmp_path / "ran").exists()


def test_the_last_final_check_is_told_of_in_whatever_zone_it_was_made(call: Call, folder: Path) -> None:
    with_session(attest)(folder)
    assert call("check", TZ="Asia/Seoul").returncode == GO
    (folder / "door.verdict").write_text("fail")
    assert call("check", TZ="America/Los_Angeles").returncode == NO_GO
    assert call("report", "readiness", "--format", "markdown").stdout.startswith("# **✗ NO-GO")


def test_two_checklists_in_one_folder_are_not_compared_with_each_other(call: Call, folder: Path) -> None:
    other = folder / "other.toml"
    other.write_text((folder / "checklist.toml").read_text().replace('"door"', '"gate"'))
    call("check")
    assert "is gone" not in call("check", "--checklist", str(other)).stdout
    said = json.loads(call("report", "readiness", "--format", "json").stdout)
    assert "door" in {item["id"] for item in said["items"]}


def test_the_log_of_a_status_behind_a_link_lies_beside_the_real_one(call: Call, tmp_path: Path) -> None:
    little(tmp_path)
    (tmp_path / "kept").mkdir()
    (tmp_path / "checklist.status.toml").symlink_to("kept/checklist.status.toml")
    call("attest", "sign-off", "--note", "looked")
    assert (tmp_path / "kept" / "checklist.journal.jsonl").exists()
    assert "looked" in call("log").stdout
    assert call("log", "--verify").returncode == GO


@pytest.mark.skipif(sys.platform == "darwin", reason="there every file name is UTF-8")
def test_a_list_whose_name_is_no_text_is_imported_all_the_same(call: Call, tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.md")
    (tmp_path / name).write_text(LIST)
    assert call("import", name).returncode == GO
    assert "?.md" in call("log").stdout


def test_two_checklists_in_a_folder_do_not_share_records(call: Call, tmp_path: Path) -> None:
    """What one was found to be is nothing that changed in the other, nor its last final check."""
    with_session(attest)(tmp_path)
    assert call("check").returncode == GO
    (tmp_path / "night.toml").write_text((tmp_path / "checklist.toml").read_text())
    done = call("report", "readiness", "--checklist", "night.toml")
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert "no final check is on record" in done.stderr
    done = call("check", "--checklist", "night.toml", "--format", "json")
    assert json.loads(done.stdout)["changes"] is None
    assert (
        call("report", "readiness", "--checklist", "night.toml").stdout != call("report", "readiness").stdout
    )


def test_a_final_check_names_its_record_and_a_choice_of_items_has_none(call: Call, tmp_path: Path) -> None:
    with_session(attest)(tmp_path)
    assert "the record of this" not in call("check", "door").stderr
    said = call("check").stderr.splitlines()[-1]
    assert said == f"the record of this final check: {call('report', 'readiness').stdout.strip()}"


def test_a_last_line_that_the_journal_lacks_is_told_although_it_is_not_lost(
    call: Call, tmp_path: Path
) -> None:
    """A crash leaves it so, and so does whoever takes the line away."""
    with_session(attest)(tmp_path)
    journal = tmp_path / "checklist.journal.jsonl"
    journal.unlink()
    done = call("log", "--verify")
    assert done.returncode == GO
    assert done.stderr.endswith(
        "written; line 1 is missing, but the status has it: the next change writes it\n"
    )


def test_a_reopened_item_is_exported_with_an_open_box(call: Call, folder: Path) -> None:
    call("resolve", "door", "--action", "shut it")
    assert "- [x] **The door is shut**" in call("export").stdout
    (folder / "door.verdict").write_text("fail")
    call("check", "door")
    assert "- [ ] **The door is shut**" in call("export").stdout


@pytest.mark.usefixtures("folder")
def test_json_of_a_choice_says_what_the_exit_code_says(call: Call) -> None:
    for args, code in (
        (("check", "light"), GO),
        (("status", "--only", "l*"), GO),
        (("status", "door"), USAGE),
    ):
        done = call(*args, "--format", "json")
        assert done.returncode == code
        if code == GO:
            found = json.loads(done.stdout)
            assert (found["chosen"], found["proven"], found["gate"]["verdict"]) == (["light"], True, "NO-GO")
    found = json.loads(call("status", "--state", "open", "--format", "json").stdout)
    assert found["proven"] is False
    assert json.loads(call("status", "--format", "json").stdout)["proven"] is None
