import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from checklist import definition, lifecycle
from checklist.definition import Checklist
from checklist.reading import MAX_BYTES, FileError, parse_toml
from checklist.status import Facts, Status
from tests.checklist.making import HEAD, NOW, evidence
from tests.conftest import REPOSITORY

PATH = Path("here/checklist.toml")
ITEM = f'{HEAD}[[items]]\nid = "cache"\ntitle = "The cache is well"\n'  # ends at line 7
PROBE = f'{ITEM}\n[items.probe]\nuse = "test-async"\n'  # ends at line 10


def parse(text: str) -> Checklist:
    return definition.parse(text, PATH)


def refusal(text: str) -> FileError:
    with pytest.raises(FileError) as error:
        parse(text)
    return error.value


def load_bytes(folder: Path, data: bytes) -> Checklist:
    path = folder / "checklist.toml"
    path.write_bytes(data)
    return definition.load(path)


# What is wrong, the line that must be named, and the words that must be said.
WRONG: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "empty file": ("", 1, ("checklist",)),
    "nothing but items": ('[[items]]\nid = "a"\ntitle = "A"\n', 1, ("checklist",)),
    "no title": ('[checklist]\nrelease = "1"\n', 1, ("checklist", "title")),
    "empty title": ('[checklist]\n\ntitle = ""\n', 3, ("checklist", "title")),
    "unknown table": (f"{HEAD}[itmes]\n", 5, ("itmes", "did you mean 'items'")),
    "unknown key of the head": (f'{HEAD}relase = "1"\n', 5, ("checklist", "relase", "'release'")),
    "head is no table": ("checklist = 3\n", 1, ("checklist: expected a table, got 3",)),
    "items is no array": (f"items = 3\n{HEAD}", 1, ("items: expected a list, got 3",)),
    "items is one table": (f'{HEAD}[items]\nid = "a"\n', 5, ("items",)),
    "an item is no table": (f'items = ["a"]\n{HEAD}', 1, ("item number 1: expected a table, got 'a'",)),
    "no id": (f'{HEAD}[[items]]\ntitle = "A"\n', 5, ("item number 1", "id")),
    "no item title": (f'{HEAD}[[items]]\nid = "a"\n', 5, ("'a'", "title")),
    "empty item title": (f'{ITEM}[[items]]\nid = "a"\ntitle = ""\n', 10, ("'a'", "title")),
    "bad id": (f'{HEAD}[[items]]\ntitle = "A"\nid = "a b"\n', 7, ("'a b'", "id")),
    "empty id": (f'{HEAD}[[items]]\nid = ""\ntitle = "A"\n', 6, ("id",)),
    "id of two lines": (f'{HEAD}[[items]]\nid = "a\\n"\ntitle = "A"\n', 6, ("id",)),
    "id too long": (f'{HEAD}[[items]]\nid = "{"a" * 65}"\ntitle = "A"\n', 6, ("id",)),
    "id is a number": (f'{HEAD}[[items]]\nid = 3\ntitle = "A"\n', 6, ("item number 1: id: expected a text",)),
    "double id": (f'{ITEM}[[items]]\ntitle = "Again"\nid = "cache"\n', 10, ("'cache'", "id")),
    "unknown key": (f'{ITEM}onwer = "me"\n', 8, ("'cache'", "'onwer'", "did you mean 'owner'?")),
    "unknown key without a hint": (
        f"{ITEM}xyzzy = 1\n",
        8,
        ("'cache'", "unknown key 'xyzzy'; there are id, title, section"),
    ),
    "wrong type": (f"{ITEM}\nowner = 3\n", 9, ("'cache'", "owner: expected a text, got 3")),
    "wrong type in an array": (
        f'{ITEM}steps = [\n  "a",\n  3,\n]\n',
        8,
        ("'cache'", "steps: expected a text"),
    ),
    "empty step": (f'{ITEM}steps = [""]\n', 8, ("'cache'", "steps", "not empty")),
    "a step twice": (f'{ITEM}steps = [\n"a", "b",\n"a"]\n', 8, ("'cache'", "steps", "two steps")),
    "unknown severity": (
        f'{ITEM}severity = "high"\n',
        8,
        ("'cache'", "severity", "one of blocker, advisory, got 'high'"),
    ),
    "due with a time": (f"{ITEM}due = 2025-06-25T10:00:00\n", 8, ("'cache'", "due", "date")),
    "due is no date": (f'{ITEM}due = "soon"\n', 8, ("'cache'", "due")),
    "bad fresh_for": (f'{ITEM}fresh_for = "soon"\n', 8, ("'cache'", "fresh_for", "24h", "soon")),
    "after is no array": (f'{ITEM}after = "cache"\n', 8, ("'cache'", "after: expected a list, got 'cache'")),
    "after nobody": (f'{ITEM}after = ["cahce"]\n', 8, ("'cache'", "after", "'cahce'", "mean 'cache'")),
    "after itself": (f'{ITEM}after = ["cache"]\n', 8, ("'cache'", "after", "cache after cache")),
    "probe is no table": (f"{ITEM}probe = 3\n", 8, ("'cache'", "probe")),
    "probe without use": (f'{ITEM}[items.probe]\nurl = "x"\n', 8, ("'cache'", "use")),
    "use is a number": (f"{ITEM}[items.probe]\nuse = 3\n", 9, ("'cache'", "use")),
    "unknown probe": (f'{ITEM}[items.probe]\nuse = "rediz"\n', 9, ("'cache'", "'rediz'", "redis")),
    "probe that does not import": (
        f'{ITEM}[items.probe]\nuse = "test-broken"\n',
        9,
        ("'cache'", "test-broken", "cannot be loaded"),
    ),
    "unknown parameter": (f"{PROBE}cuont = 3\n", 11, ("'cache'", "test-async", "'cuont'", "'count'")),
    "parameter of a wrong type": (
        f'{PROBE}\ncount = "1"\n',
        12,
        ("'cache'", "test-async", "count: expected a whole number, got '1'"),
    ),
    "a variable that never ends": (
        f'{PROBE}\ntext = "a ${{HOME"\n',
        12,
        ("'cache'", "test-async: text: expected ${NAME}", "got '${HOME'"),
    ),
    "a variable that has no name": (f'{PROBE}text = "${{}}"\n', 11, ("'cache'", "text", "'${}'")),
    "a variable with another default": (f'{PROBE}text = "${{A-b}}"\n', 11, ("text", "got '${A-b}'")),
    "a wrong variable beside a right one": (f'{PROBE}text = "${{A}}${{b c}}"\n', 11, ("'${b c}'",)),
    "parameter that breaks a rule": (f'{PROBE}timeout = "soon"\n', 11, ("'cache'", "timeout", "soon")),
    "wrong beside a variable": (
        f'{PROBE}timeout = "${{T}}"\ncount = "x"\n',
        12,
        ("'cache'", "count"),
    ),
    "unknown parameter with a variable": (
        f'{PROBE}cuont = "${{T}}"\n',
        11,
        ("'cache'", "'cuont'", "'count'"),
    ),
    "parameter in an inline table": (
        f'{ITEM}probe = {{ use = "test-async", count = "x" }}\n',
        8,
        ("'cache'", "count"),
    ),
    "not TOML": (f"{ITEM}owner = me\n", 8, ("TOML",)),
    "a key twice": (f'{ITEM}title = "B"\n', 8, ("TOML",)),
    "a value that never ends": (f"{ITEM}steps = [\n", 9, ("TOML",)),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_file_line_item_and_key(case: str) -> None:
    text, line, words = WRONG[case]
    error = refusal(text)
    assert str(error).startswith(f"{PATH}:{line}: ")
    for word in words:
        assert word in error.message


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_items_that_wait_for_each_other_in_a_circle_are_named(size: int) -> None:
    # A lead-in that is no part of the circle must not be blamed.
    text = HEAD + '[[items]]\nid = "lead"\ntitle = "L"\nafter = ["n0"]\n'
    for number in range(size):
        text += f'[[items]]\nid = "n{number}"\ntitle = "N"\nafter = ["n{(number + 1) % size}"]\n'
    error = refusal(text)
    circle = [f"n{number % size}" for number in range(size + 1)]
    assert " after ".join(circle) in error.message
    assert error.line == 12
    assert "lead" not in error.message


def test_items_may_share_what_they_come_after() -> None:
    text = HEAD
    for name, after in {"d": "b,c", "b": "a", "c": "a", "a": ""}.items():
        ids = ", ".join(f'"{parent}"' for parent in after.split(",") if parent)
        text += f'[[items]]\nid = "{name}"\ntitle = "T"\nafter = [{ids}]\n'
    assert parse(text).by_id["d"].after == ("b", "c")


def test_a_long_chain_of_items_loads() -> None:
    text = HEAD + '[[items]]\nid = "n0"\ntitle = "N"\n'
    text += "".join(f'[[items]]\nid = "n{n}"\ntitle = "N"\nafter = ["n{n - 1}"]\n' for n in range(1, 3000))
    assert len(parse(text).items) == 3000


@pytest.mark.parametrize("key", ["timeout", "count"])
def test_a_variable_is_accepted_where_a_constraint_applies(key: str) -> None:
    binding = parse(f'{PROBE}{key} = "${{SOMETHING:-}}"\n').items[0].probe
    assert binding is not None
    assert binding.parameters == {key: "${SOMETHING:-}"}


def test_every_default_is_the_documented_one() -> None:
    found = parse(ITEM).items[0]
    assert (found.section, found.severity, found.fresh_for) == ("General", "blocker", "24h")
    assert (found.cause, found.owner, found.due, found.probe) == ("", "", None, None)
    assert (found.steps, found.links, found.after) == ((), (), ())


def test_sections_keep_the_order_in_which_they_first_appear() -> None:
    text = HEAD
    for number, section in enumerate("zaz"):
        text += f'[[items]]\nid = "n{number}"\ntitle = "N"\nsection = "{section}"\n'
    sections = parse(text).sections
    assert {name: [entry.id for entry in items] for name, items in sections.items()} == {
        "z": ["n0", "n2"],
        "a": ["n1"],
    }
    assert list(sections) == ["z", "a"]


# Bytes


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    plain = load_bytes(tmp_path, ITEM.encode())
    assert load_bytes(tmp_path, b"\xef\xbb\xbf" + ITEM.replace("\n", "\r\n").encode()).hash == plain.hash


def test_an_error_in_a_file_with_windows_line_ends_names_the_right_line(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=re.escape("checklist.toml:8: item 'cache': owner")):
        load_bytes(tmp_path, f"{ITEM}owner = 3\n".replace("\n", "\r\n").encode())


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"checklist\.toml:3: .*UTF-8"):
        load_bytes(tmp_path, b"[checklist]\n# fine\ntitle = '\xe9'\n")


def test_a_file_that_is_not_there_a_folder_and_a_huge_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"checklist\.toml: no such file"):
        definition.load(tmp_path / "checklist.toml")
    with pytest.raises(FileError, match=re.escape(str(tmp_path))):
        definition.load(tmp_path)
    (tmp_path / "huge.toml").write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(FileError, match="larger than"):
        definition.load(tmp_path / "huge.toml")


@pytest.mark.parametrize(
    "value",
    ["[" * 5_000 + "]" * 5_000, "{a=" * 5_000 + "1" + "}" * 5_000, "1" * 10_000],
    ids=["arrays in arrays", "tables in tables", "huge integer"],
)
def test_values_beyond_every_measure_are_refused(value: str) -> None:
    assert str(refusal(f"{PROBE}text = {value}\n")).startswith(f"{PATH}:")


@pytest.mark.parametrize("depth", [200, 900, 5_000])
def test_keys_nested_beyond_every_measure_are_refused(depth: int) -> None:
    assert str(refusal(f"{PROBE}text{'.a' * depth} = 1\n")).startswith(f"{PATH}:")


def test_an_integer_beyond_64_bits_never_ends_the_program() -> None:
    assert parse(f"{PROBE}count = {10**30}\n").hash.startswith("sha256:")


@given(st.text(alphabet="[]{}=\"'.,\\#ab1 \n\t-:", max_size=60))
def test_whatever_is_in_a_file_it_is_a_checklist_or_an_error_that_names_it(text: str) -> None:
    for document in (text, HEAD + text, PROBE + text):
        try:
            assert parse(document).hash
        except FileError as error:
            assert str(error).startswith(f"{PATH}:")  # noqa: PT017  # both ends are right
            assert error.line is None or 1 <= error.line <= document.count("\n") + 1  # noqa: PT017  # as above


@given(st.from_regex(r"\d{1,4}(\.\d{1,3})?(ms|s|m|h|d)\s?", fullmatch=True))
@example("10s\n")
@example("٣h")
@example("99999999999999d")
@example("9" * 400 + "d")
def test_whatever_length_of_time_loads_can_be_reckoned_with(length: str) -> None:
    try:
        loaded = parse(f"{ITEM}fresh_for = {_toml_string(length)}\n[items.probe]\nuse = 'test-async'\n")
    except FileError as error:
        assert "fresh_for" in error.message  # noqa: PT017  # refused is as good
        return
    facts = Facts(evidence=evidence(loaded.items[0], at=NOW))
    found = lifecycle.states(loaded, Status(items={"cache": facts}), NOW)
    assert found == {"cache": lifecycle.State.VERIFIED}


def _toml_string(text: str) -> str:
    escaped = "".join(char if char.isalnum() or char == "." else f"\\U{ord(char):08x}" for char in text)
    return f'"{escaped}"'


# Identity

FULL = f"""{HEAD}
[[items]]
id = "cache"
section = "Infrastructure"
title = "The cache is well"
severity = "blocker"
cause = "Memory"
owner = "Ann"
due = 2025-06-25
steps = ["one", "two"]
links = ["https://example.com/"]
fresh_for = "12h"
[items.probe]
use = "test-async"
text = "fine"
count = 2
"""

LAID_OUT_ANEW = """# a comment
[[items]]
links = [
    "https://example.com/",  # a comment
]
probe = { count = 2, text = 'fine', use = "test-async" }
fresh_for = '12h'
steps = ["one",
  "two"]
due = 2025-06-25
owner = "Ann"
cause = "Memory"
title = "The cache is well"
section = "Infrastructure"
id = "cache"

[checklist]
environment = "production"
release = "1.0"
title = "Test"
"""


def test_comments_layout_and_order_of_keys_do_not_change_the_identity() -> None:
    assert parse(LAID_OUT_ANEW).hash == parse(FULL).hash
    assert parse(LAID_OUT_ANEW).items[0].hash == parse(FULL).items[0].hash


@pytest.mark.parametrize("word", [line for line in FULL.splitlines() if "=" in line])
def test_every_value_is_part_of_the_identity(word: str) -> None:
    key, _, value = word.partition(" = ")
    if key == "use":
        other = '"test-blocking"'
    elif key == "severity":
        other = '"advisory"'
    elif key == "fresh_for":
        other = '"13h"'
    else:
        other = re.sub(r'\d(?=[^\d]*$)|[a-z](?="\]?$)|/(?="\]$)', "4", value)
    assert other != value
    changed = parse(FULL.replace(word, f"{key} = {other}"))
    assert changed.hash != parse(FULL).hash
    # What must be true is true for one release in one place; what the list is called does not matter.
    of_item = word != 'title = "Test"'
    assert (changed.items[0].hash != parse(FULL).items[0].hash) is of_item


def test_the_order_of_items_and_their_number_are_part_of_the_identity() -> None:
    one, two = '[[items]]\nid = "a"\ntitle = "T"\n', '[[items]]\nid = "b"\ntitle = "T"\n'
    hashes = {parse(HEAD + text).hash for text in (one, two, one + two, two + one, "")}
    assert len(hashes) == 5


def test_an_after_is_part_of_the_identity() -> None:
    other = '[[items]]\nid = "b"\ntitle = "T"\n'
    assert parse(ITEM + 'after = ["b"]\n' + other).hash != parse(ITEM + other).hash


# What ships


@pytest.mark.parametrize("name", ["checklist.toml", "examples/2025-05-13/checklist.toml"])
def test_the_checklists_that_ship_load(name: str) -> None:
    shipped = definition.load(REPOSITORY / name)
    issues = {"cache": "redis", "dependencies": "dependencies", "secrets": "secrets"}
    issues |= {"sentry": "sentry", "restore": "restore"}
    bound = {entry.id: entry.probe.use for entry in shipped.items if entry.probe}
    assert issues.items() <= bound.items()
    assert all(entry.owner and entry.steps for entry in shipped.items)


def test_toml_errors_of_every_python_name_the_line() -> None:
    with pytest.raises(FileError) as error:
        parse_toml("a = 1\nb = \nc = 3\n", PATH)
    assert (error.value.line, "at line" in error.value.message) == (2, False)
