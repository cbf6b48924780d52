"""One exit-code rule for every format, and no format that says another thing than the code."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from junitparser import JUnitXml
from prometheus_client.parser import text_string_to_metric_families

from cli.options import FORMATS
from tests.cli.conftest import Call, files
from tests.cli.test_exits import (
    GO,
    NO_GO,
    UNKNOWN,
    USAGE,
    Setting,
    advisory_doubt,
    attest,
    attested,
    broken_checklist,
    broken_status,
    check,
    doubtful,
    once_proven,
    plain,
    waive,
    with_session,
)

Situation = tuple[Setting, tuple[str, ...], int]

TABLE: dict[str, Situation] = {
    "status, GO": (with_session(attest, check), ("status",), GO),
    "status, GO with a waiver": (with_session(attest, waive, check, door="fail"), ("status",), GO),
    "status, nothing known": (plain, ("status",), NO_GO),
    "status, failed": (with_session(attest, check, door="fail"), ("status",), NO_GO),
    "status, could not tell": (with_session(attest, check, door="unknown"), ("status",), UNKNOWN),
    "status, changed since": (with_session(attest, check, attest), ("status",), NO_GO),
    "status of one that is proven": (with_session(attest, check), ("status", "--only", "door"), GO),
    "status of one that is not": (plain, ("status", "--only", "door"), NO_GO),
    "status of one that is waived": (
        with_session(attest, waive, check, door="fail"),
        ("status", "--only", "door"),
        NO_GO,
    ),
    "status of one that could not tell": (
        with_session(check, door="unknown"),
        ("status", "--section", "house", "--only", "door"),
        UNKNOWN,
    ),
    "check, GO": (with_session(attest), ("check",), GO),
    "check, GO with a waiver": (with_session(attest, waive, door="fail"), ("check",), GO),
    "check, degraded": (with_session(attest, door="warn"), ("check",), NO_GO),
    "check, failed": (with_session(attest, door="fail"), ("check",), NO_GO),
    "check, could not tell": (with_session(attest, door="unknown"), ("check",), UNKNOWN),
    "check, one failed and one could not tell": (attested(doubtful("fail")), ("check",), NO_GO),
    "check, only an advisory item could not tell": (attested(advisory_doubt), ("check",), GO),
    "check of one that passes": (plain, ("check", "light"), GO),
    "check of one that could not tell": (with_session(door="unknown"), ("check", "door"), UNKNOWN),
    "check of one that waits": (once_proven, ("check", "alarm"), NO_GO),
    "check of one that fails and is waived": (with_session(waive, door="fail"), ("check", "door"), NO_GO),
    "check of a manual one": (plain, ("check", "--state", "open", "--section", "Release"), NO_GO),
    "a broken checklist": (broken_checklist, ("status",), USAGE),
    "a broken status": (broken_status, ("check",), USAGE),
    "an unknown item": (plain, ("check", "dor"), USAGE),
    "an empty selection": (plain, ("status", "--state", "verified"), USAGE),
}


def junit(text: str) -> bool:
    suites = list(JUnitXml.fromstring(text.encode()))
    return not sum(suite.failures + suite.errors for suite in suites)


def prometheus(text: str) -> bool:
    found = {family.name: family.samples for family in text_string_to_metric_families(text)}
    (sample,) = found.get("gonogo_go") or found["gonogo_proven"]
    return sample.value == 1


def as_json(text: str) -> bool:
    found = json.loads(text)
    return found["gate"]["verdict"] == "GO"


SAYS_SO: dict[str, Callable[[str], bool]] = {
    "text": lambda text: text.startswith(("GO", "PROVEN")),
    "json": as_json,
    "junit": junit,
    "markdown": lambda text: re.match(r"#+ (GO|PROVEN)", text) is not None,
    "prometheus": prometheus,
    "nagios": lambda text: text.startswith("GONOGO OK"),
    "github": lambda text: "\n::error" not in f"\n{text}",
}
"""How each format says that all is well."""


@pytest.mark.parametrize("case", TABLE)
def test_every_format_ends_alike_and_says_what_its_code_says(call: Call, tmp_path: Path, case: str) -> None:
    setting, args, code = TABLE[case]
    setting(tmp_path)
    assert set(SAYS_SO) == set(FORMATS)
    for form in FORMATS:
        before = files(tmp_path)
        done = call(*args, "--format", form)
        assert (form, done.returncode, "Traceback" in done.stderr) == (form, code, False), done.stderr
        if code == USAGE:
            assert (done.stdout, files(tmp_path)) == ("", before)
        elif len(args) == 1 or (form != "json" and (form, args[0]) != ("text", "check")):
            # Of a choice of items, JSON tells the gate as it is, and the text of a check the outcomes.
            assert (form, SAYS_SO[form](done.stdout)) == (form, code == GO), done.stdout


def test_nagios_has_a_word_for_each_code(call: Call, tmp_path: Path) -> None:
    words = {"GO": "OK", "failed": "WARNING", "could not tell": "UNKNOWN"}
    for situation, word in words.items():
        folder = tmp_path / word
        folder.mkdir()
        setting, args, _ = TABLE[f"status, {situation}"]
        setting(folder)
        said = call(*args, "--format", "nagios", cwd=folder).stdout
        assert said.startswith(f"GONOGO {word}: ")
        assert said.count("\n") == 1


def test_annotations_name_file_and_line_of_the_item_from_where_one_stands(call: Call, folder: Path) -> None:
    (folder / "below").mkdir()
    before, _, _ = (folder / "checklist.toml").read_text().partition('[[items]]\nid = "light"')
    line = before.count("\n") + 1
    said = call("status", "--format", "github").stdout
    assert f"::error file=checklist.toml,line={line},title=light" in said
    said = call("status", "--format", "github", cwd=folder / "below").stdout
    assert f"::error file={folder}/checklist.toml,line={line}," in said


def test_output_for_a_collector_is_replaced_whole_and_may_be_read_by_others(call: Call, folder: Path) -> None:
    for _ in range(2):
        call("status", "--format", "prometheus", "-o", "gonogo.prom")
    assert (folder / "gonogo.prom").stat().st_mode & 0o777 == 0o644
    assert "gonogo_go" in (folder / "gonogo.prom").read_text()
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []
    assert call("status", "-o", "/dev/stdout").stdout.startswith("NO-GO")
