import os
import re
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from checklist import definition, starter
from checklist.definition import Policy
from checklist.gate import NO_GO, decide
from checklist.status import Status
from tests.checklist.making import NOW
from tests.checklist.test_schema import SCHEMA, VALIDATOR, seen
from tests.checklist.test_schema_taplo import taplo, written

__all__ = ["written"]

PATH = Path("checklist.toml")
TEXT = starter.text().decode()
# With the tables that are only shown as an example.
UNCOMMENTED = TEXT.replace("\n# [", "\n[").replace("\n# four", "\nfour").replace("\n# time", "\ntime")
ALL = UNCOMMENTED.replace("\n# SERVICE", "\nSERVICE")


@pytest.fixture
def mask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.parametrize("text", [TEXT, ALL], ids=["as it stands", "with its examples"])
def test_the_starter_is_valid_for_everybody(text: str, tmp_path: Path, written: Path) -> None:
    definition.parse(text, PATH)
    assert [error.message for error in VALIDATOR.iter_errors(seen(tomllib.loads(text)))] == []
    path = tmp_path / "checklist.toml"
    path.write_text(text)
    assert taplo(path, written).returncode == 0


def test_its_examples_are_what_they_say() -> None:
    plain = definition.parse(TEXT, PATH)
    staging = definition.parse(ALL, PATH, "staging")
    assert (plain.policy.four_eyes, staging.policy.four_eyes) == (False, True)
    assert staging.policy.time_zone == "Europe/Berlin"
    [probe] = [item.probe for item in staging.items if item.id == "service"]
    assert probe
    assert probe.parameters["url"] == "https://staging.example.com/health"


def test_it_shows_each_kind_of_item_and_nothing_is_green_yet() -> None:
    checklist = definition.parse(TEXT, PATH)
    uses = [item.probe.use for item in checklist.items if item.probe]
    assert len(set(uses)) == len(uses) == len(checklist.items) - 1
    assert decide(checklist, Status(), NOW).verdict == NO_GO


HEAD_KEYS = SCHEMA["properties"]["checklist"]["properties"].keys() - {"links", "notes"}
ITEM_KEYS = SCHEMA["properties"]["items"]["items"]["properties"].keys() - {"probe"}


@pytest.mark.parametrize("key", sorted({*HEAD_KEYS, *ITEM_KEYS, *Policy.__struct_fields__, "use"}))
def test_every_key_is_shown_and_explained(key: str) -> None:
    assert re.search(rf"^(# )?{key} = .* # \S", TEXT, re.MULTILINE)


def test_it_fits_on_two_screens() -> None:
    lines = TEXT.splitlines()
    assert len(lines) < 90
    assert max(map(len, lines)) <= 110


@pytest.mark.usefixtures("mask")
def test_it_is_written_for_people_to_read(tmp_path: Path) -> None:
    path = tmp_path / "checklist.toml"
    starter.write(path)
    assert path.read_bytes() == starter.text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert os.umask(0o027) == 0o027
    assert [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("name", ["checklist.toml", "checklist.status.toml"])
def test_it_replaces_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsError) as error:
        starter.write(tmp_path / "checklist.toml")
    assert error.value.filename == str(tmp_path / name)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_a_link_to_nowhere_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "checklist.toml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        starter.write(tmp_path / "checklist.toml")
    assert not (tmp_path / "elsewhere").exists()
