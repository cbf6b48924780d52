"""One definition, many environments: each with variables and records of its own."""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from checklist.opening import Place, export
from checklist.reading import FileError
from cli.sessions import open_session
from probes.clean import secrets_of
from tests.checklist.making import HEAD
from tests.cli.conftest import Call, files
from tests.conftest import REPOSITORY

MANY = f"""{HEAD}
[environments.staging]
HOUSE = "staging house"
KEEPER = "${{STAGING_KEEPER}}"

[environments.production]
HOUSE = "production house"

[[items]]
id = "house"
title = "The house stands"
[items.probe]
use = "test-async"
text = "${{HOUSE:-no house}}"

[[items]]
id = "keeper"
title = "The keeper is there"
[items.probe]
use = "test-async"
text = "keeper ${{KEEPER}}"

[[items]]
id = "set"
title = "Both are set for programs"
[items.probe]
use = "secrets"
paths = []
variables = ["HOUSE", "KEEPER"]
"""


@pytest.fixture
def many(tmp_path: Path) -> Path:
    (tmp_path / "checklist.toml").write_text(MANY)
    return tmp_path


def summaries(call: Call, *args: str) -> dict[str, str]:
    """Return what is recorded of each item that has evidence."""
    items = json.loads(call("status", *args, "--format", "json").stdout)["items"]
    return {item["id"]: item["evidence"]["summary"] for item in items if item["evidence"]}


def test_each_environment_has_its_variables_and_its_records(call: Call, many: Path) -> None:
    call("check", "--env", "staging", STAGING_KEEPER="Ann", HOUSE="somebody's house", KEEPER="Zoe")
    done = call("check", "--env", "production", HOUSE="somebody's house", KEEPER="Zoe")
    assert done.returncode == 0
    call("resolve", "house", "--action", "built", "--env", "staging")
    assert summaries(call, "--env", "staging") == {
        "house": "staging house",
        "keeper": "keeper Ann",
        "set": "2 variables set.",
    }
    assert summaries(call, "--env", "production")["keeper"] == "keeper Zoe"
    assert summaries(call) == {}
    assert {"checklist.status.toml", "checklist.journal.jsonl"} <= {
        path.name for path in (many / "environments" / "staging").iterdir()
    }
    assert len([*(many / "environments" / "production" / "reports").glob("*.html")]) == 1
    assert not (many / "checklist.status.toml").exists()
    assert call("status", "--env", "production").returncode == 0
    assert call("status", "--env", "staging").returncode == 1
    assert "resolved" in call("log", "--env", "staging").stdout
    assert "resolved" not in call("log", "--env", "production").stdout
    assert call("log", "--verify", "--env", "staging").returncode == 0
    head = json.loads(call("status", "--env", "staging", "--format", "json").stdout)["checklist"]
    assert head["environment"] == "staging"


@pytest.mark.usefixtures("many")
def test_what_a_variable_refers_to_is_named_and_another_environments_value_is_not_taken(
    call: Call,
) -> None:
    # HOUSE and KEEPER are set for somewhere else; staging has its own.
    done = call("check", "--env", "staging", HOUSE="somebody's house", KEEPER="Zoe")
    assert done.returncode == 1
    assert "STAGING_KEEPER is not set" in done.stderr
    assert summaries(call, "--env", "staging")["set"] == "KEEPER is not set in this environment."


def test_an_edit_of_its_variables_takes_the_go_away_and_no_other_environments(call: Call, many: Path) -> None:
    for name in ("staging", "production"):
        assert call("check", "--env", name, STAGING_KEEPER="Ann", KEEPER="Zoe").returncode == 0
    (many / "checklist.toml").write_text(MANY.replace("staging house", "another house"))
    assert call("status", "--env", "production").returncode == 0
    done = call("status", "--env", "staging")
    assert done.returncode == 1
    assert "house: its proof is stale" in done.stdout


async def test_an_edit_of_its_variables_shuts_the_gate_of_who_has_it_open(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOUSE", raising=False)
    path, ask = many / "checklist.toml", 'import os; print(os.environ["HOUSE"])'
    item = f"""[[items]]
id = "asked"
title = "A program is told"
[items.probe]
use = "command"
command = [{json.dumps(sys.executable)}, "-c", {json.dumps(ask)}]
environment = ["HOUSE"]
"""
    path.write_text(f'{HEAD}[environments.production]\nHOUSE = "the old house"\n{item}')
    session = open_session(Place(path, "production"))
    try:
        assert await session.check() is not None
        assert session.gate().go
        text = path.read_text()
        path.write_text(text.replace("old house", "new house"))
        # The program would still be told of the old house.
        with pytest.raises(FileError, match=r"\[environments.production\] was edited; open it again"):
            await session.check()
        assert not session.gate().go
        path.write_text(text)
        await session.follow()
        assert session.gate().go
    finally:
        await session.close()
        os.environ.pop("HOUSE")


def test_a_secret_that_stands_in_the_table_is_masked_by_the_name_of_its_variable(
    call: Call, many: Path
) -> None:
    text = MANY.replace('HOUSE = "staging house"', 'HOUSE = "x"\nDOOR_TOKEN = "open sesame"')
    (many / "checklist.toml").write_text(text.replace("${HOUSE:-no house}", "say ${DOOR_TOKEN}"))
    assert secrets_of({"DOOR_TOKEN": "open sesame"})
    done = call("check", "house", "--env", "staging")
    assert "say ***" in done.stdout
    assert b"open sesame" not in b"".join(
        content for name, content in files(many).items() if name != "checklist.toml"
    )


def test_a_secret_is_masked_by_the_name_of_its_variable_whatever_it_is_made_of(
    call: Call, tmp_path: Path
) -> None:
    (tmp_path / "checklist.toml").write_text(f"""{HEAD}
[environments.staging]
DOOR_TOKEN = "open ${{WORD}}"
[[items]]
id = "door"
title = "The door is shut"
[items.probe]
use = "command"
command = ["echo", "say ${{DOOR_TOKEN}}"]
""")
    done = call("check", "--env", "staging", WORD="sesame")
    assert "say ***" in done.stdout
    assert not [name for name, content in files(tmp_path).items() if b"open sesame" in content]


def test_what_a_variable_refers_to_is_never_another_one_of_its_table() -> None:
    environment = {"HOUSE": "outside", "WAY": "anywhere"}
    export({"HOUSE": "inside", "WAY": "to the ${HOUSE}", "GONE": "${NOBODY}"}, environment)
    assert environment == {"HOUSE": "inside", "WAY": "to the outside"}


def test_a_secret_that_stands_in_the_table_is_not_exported(call: Call, many: Path) -> None:
    text = MANY.replace('HOUSE = "staging house"', 'HOUSE = "x"\nDOOR_TOKEN = "open sesame"')
    (many / "checklist.toml").write_text(text.replace("${HOUSE:-no house}", "say ${DOOR_TOKEN}"))
    call("check", "house", "--env", "staging")
    done = call("export", "--env", "staging")
    exported = done.stdout
    assert "[environments] is not written" in done.stderr
    assert "say ${DOOR_TOKEN}" in exported
    assert "open sesame" not in exported
    assert re.search(r"- \[x\] .*\n  - id: house\n", exported), exported


WRONG = {
    "unknown": (("--env", "stagin"), "no environment 'stagin'; did you mean 'staging'"),
    "a path": (("--env", "../staging"), "no environment '../staging'"),
    "a command afterwards": (("--env",), "--env"),
}


@pytest.mark.parametrize("command", ["status", "check", "log", "report", "export"])
@pytest.mark.parametrize("case", WRONG)
def test_an_environment_that_is_not_there_is_refused(call: Call, many: Path, command: str, case: str) -> None:
    args, said = WRONG[case]
    before = files(many)
    done = call(command, *args)
    assert (done.returncode, done.stdout, said in done.stderr) == (2, "", True), done.stderr
    assert files(many) == before


BROKEN = {
    "a value that is no text": ("HOUSE = 3", r"9: [environments.staging]: HOUSE: expected a text"),
    "an empty value": ('HOUSE = ""', "expected a text that is not empty"),
    "a name that is none": ('"A B" = "x"', "expected the name of a variable"),
    "a broken reference": ('HOUSE = "${HOUSE"', "expected ${NAME} or ${NAME:-default}"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_mistake_in_an_environment_is_named_with_its_line_whichever_is_chosen(
    call: Call, many: Path, case: str
) -> None:
    line, said = BROKEN[case]
    (many / "checklist.toml").write_text(MANY.replace('HOUSE = "staging house"', line))
    for args in ((), ("--env", "production")):
        done = call("status", *args)
        assert done.returncode == 2
        assert "checklist.toml:7: [environments.staging]" in done.stderr
        assert said.partition(": ")[2] in done.stderr or said in done.stderr


@pytest.mark.usefixtures("many")
def test_the_environment_may_stand_before_the_command_or_open_the_console(call: Call) -> None:
    assert call("--env", "production", "status").returncode == 1
    for args in (("--env", "production"), ("--env=production",), ("checklist.toml", "--env", "production")):
        assert "the console needs a terminal" in call(*args).stderr


def test_the_shipped_checklist_has_no_environments_and_says_so(call: Call) -> None:
    done = call("status", "--env", "staging", "--checklist", f"{REPOSITORY}/checklist.toml")
    assert (done.returncode, "no environment 'staging'" in done.stderr) == (2, True)
    assert not os.path.lexists(REPOSITORY / "environments")


def test_what_is_advised_is_about_the_same_checklist_and_environment(call: Call, many: Path) -> None:
    (many / "checklist.toml").rename(many / "my list.toml")
    place = ("--checklist", "my list.toml", "--env", "staging")
    said = call("resolve", "house", "--action", "built", *place).stderr
    assert said.endswith("prove it with: gonogo check house --checklist 'my list.toml' --env staging\n")
    said = call("report", "readiness", *place).stderr
    assert said.endswith(": gonogo check --checklist 'my list.toml' --env staging\n")
