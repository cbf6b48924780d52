import copy
import json
import math
import tomllib
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import tomli_w
from hypothesis import example, given, settings
from hypothesis import strategies as st

from checklist import definition, schema
from checklist.reading import FileError
from checklist.reports import readiness, resolution, status_report
from checklist.session import Session
from probes import registry
from probes.outcome import Outcome
from probes.parameters import Parameters
from tests.checklist.making import HEAD, NOW, RUN, checklist, item, little, outcome, proven
from tests.checklist.test_definition import WRONG
from tests.conftest import REPOSITORY

SCHEMA = schema.of_checklist()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA, format_checker=jsonschema.FormatChecker(["date"]))
OURS = [REPOSITORY / "checklist.toml", *sorted(REPOSITORY.glob("examples/**/checklist.toml"))]
KINDS = {name: kind for name in registry.names() if (kind := schema._kind(name))}

ITEM = f'{HEAD}[[items]]\nid = "a"\ntitle = "A"\n'
FULL = f"""{HEAD}
plan = ["first", "then"]
links = ["https://example.com"]
notes = ["a note"]

[policy]
four_eyes = true
time_zone = "Asia/Seoul"

[environments.staging]
NAME = "text with ${{ANOTHER:-one}}"
[environments."other.one"]

[[items]]
id = "everything"
section = "Section"
title = "Title"
severity = "advisory"
cause = "cause"
owner = "owner"
due = 2025-06-25
steps = ["one", "two"]
links = ["x"]
notes = ["y"]
repair = "sh mend"
after = ["nothing"]
fresh_for = "1.5h"
[items.probe]
use = "redis"
timeout = "${{T}}"
retries = "${{RETRIES:-1}}"
write_test = "${{W}}"
memory_warn = inf
role = "${{ROLE}}"

[[items]]
id = "nothing"
title = "Nothing"
probe = {{ use = "http", url = "${{U}}", status = ["2xx", 301], json = {{ a = true, b = 1, c = "${{C}}" }} }}
"""

# What a schema cannot say, by the name it has among the wrong documents of the definition.
CANNOT_SAY = {
    "double id",
    "after nobody",
    "after itself",
    "probe that does not import",  # its parameters are free: an editor still helps with the rest
}

WRONG_PARAMETERS = {
    "command": ("command = 3", 'command = "x"\noutput_limit = 1', 'command = ["x"]\nenvironment = "PATH"'),
    "dependencies": ("extras = 3", "environments = { a = 1 }", "exact = [1]"),
    "host": ("disk_warn = -1", 'paths = "/"', "disk_fail_bytes = 1.5"),
    "http": ("", 'url = "x"\nmethod = "PUT"', 'url = "x"\nstatus = []', 'url = "x"\nstatus = ["6xx"]'),
    "redis": ('role = "disk"', "write_test = 1", "retries = 11", 'url = "${A"', 'timeout = "10"', "a = 1"),
    "restore": ("shrink = 101", "max_files = 0", 'outside_links = "keep"'),
    "secrets": ('accepted = { zz = "x" }', 'accepted = { aaaaaaaaaa = " " }', 'rotated = { A = "soon" }'),
    "sentry": ("", 'dsn = "x"\ndropped_warn = "many"'),
    "tcp": ('tls = "yes"', 'address = "x"\ntls = "yes"', 'address = "x"\nuse_ = 1'),
    "tls": ("", 'address = "x"\nversion = "1.1"', 'adress = "${A}"'),
}


def seen(value: object) -> Any:
    """Return a TOML value as a JSON Schema is held against it: taplo takes inf and nan for null."""
    match value:
        case dict():
            return {key: seen(part) for key, part in value.items()}
        case list():
            return [seen(part) for part in value]
        case date() | datetime() | time():
            return value.isoformat()
        case float() if not math.isfinite(value):
            return None
    return value


def conforms(text: str) -> bool:
    return bool(VALIDATOR.is_valid(seen(tomllib.loads(text))))


def parses(text: str) -> bool:
    try:
        definition.parse(text, Path("checklist.toml"))
    except FileError:
        return False
    return True


def is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def test_the_schemas_are_schemas() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    for name in ("readiness", "resolution", "outcome"):
        jsonschema.Draft202012Validator.check_schema(schema.SCHEMAS[name]())
    assert "$id" not in SCHEMA
    assert not {*KINDS} & {"test-broken", "test-hidden", "test-twice"}


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.parent.name)
def test_the_checklists_of_this_repository_conform(path: Path) -> None:
    assert [error.message for error in VALIDATOR.iter_errors(seen(tomllib.loads(path.read_text())))] == []


def test_a_checklist_that_uses_every_key_conforms() -> None:
    assert parses(FULL)
    assert conforms(FULL)


@pytest.mark.parametrize("name", [name for name, (text, *_) in WRONG.items() if is_toml(text)])
def test_what_the_definition_refuses_the_schema_refuses(name: str) -> None:
    assert conforms(WRONG[name][0]) is (name in CANNOT_SAY)


@pytest.mark.parametrize(
    "lines",
    [
        "[policy]\nfour_eyes = 1",
        "[policy]\ntime_zone = 3",
        "[policy]\neyes = 4",
        "[environments]\nstaging = 3",
        '[environments."a b"]',
        '[environments.staging]\n"1A" = "x"',
        '[environments.staging]\nA = ""',
        "[environments.staging]\nA = 1",
        '[environments.staging]\nA = "${b c}"',
        "[checklist.plan]",
        'plan = "first"\n',
        "notes = [1]",
        'links = [""]',
    ],
)
def test_tables_beside_the_items_are_held_to_their_rules(lines: str) -> None:
    assert not parses(f"{HEAD}{lines}\n")
    assert not conforms(f"{HEAD}{lines}\n")


@pytest.mark.parametrize(
    ("use", "lines"),
    [(use, lines) for use, wrong in WRONG_PARAMETERS.items() for lines in wrong],
)
def test_wrong_parameters_are_refused(use: str, lines: str) -> None:
    text = f'{ITEM}[items.probe]\nuse = "{use}"\n{lines}\n'
    assert not parses(text)
    assert not conforms(text)


def test_every_built_in_probe_has_wrong_parameters_above() -> None:
    assert {*WRONG_PARAMETERS} == {name for name in KINDS if not name.startswith("test-")}


def test_a_probe_that_cannot_be_loaded_is_named_and_its_parameters_are_free() -> None:
    assert conforms(f'{ITEM}[items.probe]\nuse = "test-broken"\nanything = 1\n')
    assert not conforms(f'{ITEM}[items.probe]\nuse = "test-brokem"\n')


TEXTS = st.one_of(
    st.sampled_from(["", "x", "10s", "soon", "cache", "GET", "2xx", "${A}", "${A:-1}", "a ${B", "auto"]),
    st.text("${}A:-b\n ", max_size=8),
)
# What only Python tells apart is left out: 3.0 from 3, a date from a text, nan from inf.
SCALARS = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-3, 700),
    st.floats(-2, 200).filter(lambda number: not number.is_integer()),
    st.just(math.inf),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "${K}", ""]), inner),
    max_leaves=4,
)
PARAMETERS = [(name, key) for name, kind in KINDS.items() for key in kind.__struct_encode_fields__]


def needed(kind: type[Parameters]) -> dict[str, object]:
    required = len(kind.__struct_encode_fields__) - len(kind.__struct_defaults__)
    return dict.fromkeys(kind.__struct_encode_fields__[:required], "${GIVEN}")


@settings(deadline=None)
@given(st.sampled_from(PARAMETERS), VALUES)
@example(("redis", "url"), "$${A}{")
@example(("redis", "url"), "${A:-${B}")
@example(("redis", "retries"), "${A")
@example(("redis", "memory_warn"), math.inf)
@example(("http", "status"), ["3xx", "${A}", 7])
@example(("http", "headers"), {"${K}": 1})
@example(("dependencies", "environments"), {"a": ["${A}", 1], "b": "${"})
def test_schema_and_definition_agree_on_every_parameter(parameter: tuple[str, str], value: object) -> None:
    use, key = parameter
    probe = {"use": use, **needed(KINDS[use]), key: value}
    raw = {"checklist": {"title": "T"}, "items": [{"id": "a", "title": "A", "probe": probe}]}
    text = tomli_w.dumps(raw)
    assert conforms(text) is parses(text)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the path of everything in a document."""
    found = [path]
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(part, (*path, key))
    return found


DOCUMENTS = [tomllib.loads(text) for text in (FULL, *(path.read_text() for path in OURS))]


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """Return a good checklist in which something was replaced, taken away or added."""
    document: Any = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    *way, last = draw(st.sampled_from(places(document)[1:]))
    table = document
    for key in way:
        table = table[key]
    values = VALUES | st.dates() | st.floats() | st.just([{}]) | st.just({})
    match draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            table[last] = draw(values)
        case "remove":
            del table[last]
        case "add" if isinstance(table, dict):
            key = draw(st.sampled_from([*definition.Item.__struct_fields__, "use", "url", "${A}", "x"]))
            table[key] = draw(values)
        case _:
            table.append(draw(values))
    return tomli_w.dumps(document)


@settings(deadline=None)
@given(mutants())
def test_an_editor_never_shows_an_error_where_there_is_none(text: str) -> None:
    assert conforms(text) or not parses(text)


def offered(node: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of a schema that taplo completes from: it sees no `if`."""
    found = dict(node.get("properties", {}))
    for part in (*node.get("allOf", ()), *node.get("anyOf", ()), *node.get("oneOf", ())):
        found.update(offered(part))
    return found


def test_an_editor_can_complete_every_parameter_with_its_words() -> None:
    keys = offered(SCHEMA["properties"]["items"]["items"]["properties"]["probe"])
    assert set(keys) == {"use", *(key for _, key in PARAMETERS)}
    assert all(entry["description"] for entry in keys.values())
    assert keys["use"]["enum"] == registry.names()
    assert keys["role"]["enum"] == ["cache", "queue", "session", "store"]
    assert "`redis`: What the data is for." in keys["role"]["description"]
    assert keys["paths"] != keys["role"]
    # The same key with another meaning: each probe's words, and no rule that holds for one alone.
    assert "`tls`: The deadline" in keys["timeout"]["description"]
    assert "default" not in keys["timeout"]


def test_every_key_of_a_checklist_has_words() -> None:
    tables = SCHEMA["properties"]
    for table in (SCHEMA, tables["checklist"], tables["policy"], tables["items"]["items"]):
        bare = [key for key, entry in table["properties"].items() if not entry.get("description")]
        assert bare in ([], ["items"])
    assert tables["items"]["items"]["properties"]["fresh_for"]["default"] == "24h"


class Node(msgspec.Struct):
    """A part of itself.

    Attributes:
        inner: More of it.
    """

    inner: list["Node"] = []
    size: float = 1.0


class Odd(Parameters, frozen=True):
    """Has what no probe of ours has.

    Attributes:
        tree: What is in it.
        made: Where nothing is said, what a function makes.
    """

    tree: Node
    opaque: complex | None = None
    made: list[str] = msgspec.field(default_factory=lambda: ["a"])


def test_parameters_of_another_maker_may_be_of_any_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_kind", lambda name: Odd if name == "tls" else None)
    odd = schema.of_checklist()
    jsonschema.Draft7Validator.check_schema(odd)
    validator = jsonschema.Draft7Validator(odd)

    def accepts(**parameters: object) -> bool:
        probe = {"use": "tls", **parameters}
        items = [{"id": "a", "title": "A", "probe": probe}]
        return bool(validator.is_valid({"checklist": {"title": "T"}, "items": items}))

    assert accepts(tree={"inner": [{"inner": []}]}, opaque="whatever", made=[])
    assert accepts(tree="${TREE}")
    assert not accepts(tree={"inner": [{"iner": []}], "size": "big"})
    assert not accepts()
    keys = offered(odd["properties"]["items"]["items"]["properties"]["probe"])
    assert keys["made"]["default"] == ["a"]
    assert keys["made"]["description"] == "`tls`: Where nothing is said, what a function makes."


def valid(record: bytes, name: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema.SCHEMAS[name]())
    return [error.message for error in validator.iter_errors(json.loads(record))]


def test_records_conform_to_their_schemas() -> None:
    whole = checklist(item("cache"), item("db", due=NOW.date(), steps=("a",)))
    report = status_report.build(whole, proven(whole), NOW)
    record = status_report.encode(readiness.build(report, run=RUN, final=True, time=NOW))
    assert valid(record, "readiness") == []
    assert valid(record.replace(b'"final": true', b'"final": 1'), "readiness") != []
    record = status_report.encode(resolution.build(report, (), NOW))
    assert valid(record, "resolution") == []
    assert valid(record.replace(b'"GO"', b"1"), "resolution") != []
    for verdict in ("pass", "warn", "fail", "unknown"):
        assert valid(status_report.encode(outcome(verdict)), "outcome") == []
    assert valid(b'{"verdict": "fine", "summary": ""}', "outcome") != []


async def test_the_record_of_a_real_check_conforms(tmp_path: Path) -> None:
    session = Session.open(little(tmp_path))
    await session.check()
    await session.close()
    [record] = (tmp_path / "reports").glob("readiness_check_*.json")
    assert valid(record.read_bytes(), "readiness") == []


def test_attributes_of_a_record_have_the_words_of_their_docstring() -> None:
    found = schema.of_record(Outcome)["$defs"]["Outcome"]
    assert found["properties"]["summary"]["description"] == "One line: what an operator reads first."
    assert "Attributes:" not in json.dumps(schema.of_record(Outcome))
