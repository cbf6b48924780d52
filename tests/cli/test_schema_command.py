"""`gonogo schema` and `gonogo init`: how they end, and what they write."""

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from checklist import starter
from checklist.schema import SCHEMAS
from cli.schema import WHATS
from tests.checklist.making import little
from tests.cli.conftest import Call, files

GO, NO_GO, USAGE = 0, 1, 2

Row = tuple[Callable[[Path], object], tuple[str, ...], int, str]


def nothing(_: Path) -> None:
    return


def only_a_status(folder: Path) -> None:
    (folder / "checklist.status.toml").write_text("revision = 1\n")


def link_to_nowhere(folder: Path) -> None:
    (folder / "checklist.toml").symlink_to("elsewhere")


def a_file(folder: Path) -> None:
    (folder / "file").write_text("mine")


def a_folder(folder: Path) -> None:
    (folder / "with space").mkdir()


SCHEMA: dict[str, Row] = {
    "of a checklist": (nothing, ("schema",), GO, "^$"),
    "of a checklist, by name": (nothing, ("schema", "checklist"), GO, "^$"),
    "of a readiness check": (nothing, ("schema", "readiness"), GO, "^$"),
    "of an issue resolution report": (nothing, ("schema", "resolution"), GO, "^$"),
    "of an outcome": (nothing, ("schema", "outcome"), GO, "^$"),
    "to a file": (nothing, ("schema", "-o", "checklist.schema.json"), GO, "^$"),
    "of nothing there is": (nothing, ("schema", "checklists"), USAGE, "checklists.*'readiness'"),
    "unwritable output": (nothing, ("schema", "-o", "gone/file"), USAGE, "gone/file cannot be written"),
    "two at once": (nothing, ("schema", "outcome", "readiness"), USAGE, "readiness"),
}

INIT: dict[str, Row] = {
    "here": (nothing, ("init",), GO, "checklist.toml: written; .*: gonogo checklist.toml"),
    "in a folder": (a_folder, ("init", "with space"), GO, "gonogo 'with space/checklist.toml'"),
    "a checklist is there": (little, ("init",), USAGE, "^gonogo: checklist.toml: exists already"),
    "a status is there": (only_a_status, ("init",), USAGE, "^gonogo: checklist.status.toml: exists already"),
    "a link is there": (link_to_nowhere, ("init",), USAGE, "^gonogo: checklist.toml: exists already"),
    "no such folder": (nothing, ("init", "gone"), USAGE, "gone"),
    "a file for a folder": (a_file, ("init", "file"), USAGE, "file"),
    "unknown option": (nothing, ("init", "--force"), USAGE, "--force"),
}

TABLE = {
    f"{name}: {case}": row
    for name, rows in {"schema": SCHEMA, "init": INIT}.items()
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
        assert done.stderr
        assert done.stdout == ""
        assert files(tmp_path) == before


def test_the_command_offers_the_schemas_there_are() -> None:
    assert list(SCHEMAS) == list(WHATS)


def test_a_schema_is_json_and_the_same_in_a_file(call: Call, tmp_path: Path) -> None:
    printed = call("schema")
    assert call("schema", "-o", "checklist.schema.json").stdout == ""
    assert (tmp_path / "checklist.schema.json").read_text() == printed.stdout
    jsonschema.Draft7Validator.check_schema(json.loads(printed.stdout))
    assert "test-async" in printed.stdout  # a third party's probe


def test_status_works_right_after_init_and_says_no_go(call: Call, tmp_path: Path) -> None:
    begun = call("init")
    assert (begun.returncode, begun.stdout) == (GO, "")
    path = tmp_path / "checklist.toml"
    assert files(tmp_path) == {"checklist.toml": starter.text()}
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR
    done = call("status")
    assert (done.returncode, done.stderr) == (NO_GO, "")
    assert "NO-GO" in done.stdout
    assert call("init").returncode == USAGE
