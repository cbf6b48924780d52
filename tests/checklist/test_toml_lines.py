import tomllib

import pytest

from checklist.toml_lines import find_line

TRICKY = r'''title = "a [[items]] in a string"   # id = "none"
text = """
[[items]]
id = "not an item"
"quoted" """
literal = \'\'\'
[[items]]
id = 'nor this'\'\'\'
array = [
    "[[items]]",
    # id = "nor this ]]",
    [
        "x",
    ],
    "]",
]
dotted.key."with a dot.in it".end = 1

[[items]]   # the first
id = "a"
inline = { id = "b", deep = [1,
    2] }

[items.probe]
use = "x"
["items".probe.'sub table']
key = 1

[[items]]
id = "c"
dotted.key = 2

[[items.parts]]
size = 1
[[items.parts]]
size = 2
[other."with ] bracket"]
key = 3
'''.replace("\\'", "'")

LINES: dict[tuple[str | int, ...], int] = {
    ("title",): 1,
    ("text",): 2,
    ("literal",): 6,
    ("array",): 9,
    ("array", 2): 9,
    ("dotted", "key", "with a dot.in it", "end"): 17,
    ("items", 0): 19,
    ("items", 0, "id"): 20,
    ("items", 0, "inline"): 21,
    ("items", 0, "inline", "deep", 1): 21,
    ("items", 0, "probe"): 24,
    ("items", 0, "probe", "use"): 25,
    ("items", 0, "probe", "sub table", "key"): 27,
    ("items", 1): 29,
    ("items", 1, "id"): 30,
    ("items", 1, "dotted", "key"): 31,
    ("items", 1, "parts", 0, "size"): 34,
    ("items", 1, "parts", 1): 35,
    ("items", 1, "parts", 1, "size"): 36,
    ("other", "with ] bracket", "key"): 38,
}


def test_the_document_under_test_is_toml() -> None:
    document = tomllib.loads(TRICKY)
    assert document["items"][1]["parts"] == [{"size": 1}, {"size": 2}]


@pytest.mark.parametrize("path", LINES, ids=str)
def test_a_key_is_found_where_it_is_written(path: tuple[str | int, ...]) -> None:
    assert find_line(TRICKY, path) == LINES[path]


def test_a_key_that_is_not_written_has_the_line_of_its_nearest_table() -> None:
    assert find_line(TRICKY, ("items", 1, "title")) == 29
    assert find_line(TRICKY, ("items", 1, "probe", "use")) == 29
    assert find_line(TRICKY, ("items", 0, "probe", "url")) == 24


def test_what_is_nowhere_has_no_line() -> None:
    assert find_line(TRICKY, ("nowhere",)) is None
    assert find_line("", ("nowhere",)) is None
    assert find_line(TRICKY, ()) is None


# Ends of strings that look like something else.
STRINGS = {
    "escaped backslash before the end": r'a = """x\\"""',
    "escaped quote before the end": r'a = """x\""""',
    "escaped quotes inside": 'a = """x\\"""\n[b]\nc = 9\n"""',
    "three escaped quotes inside": 'a = """x\\"\\"\\"\n[b]\nc = 9\n"""',
    "two quotes before the end": 'a = """x"""""',
    "two quotes before the end in an array": 'a = ["""x""""", "]"]',
    "apostrophe before the end": "a = '''x''''",
    "backslash before the end of a literal": "a = '''x\\'''",
    "backslash in a one-line literal": "a = 'x\\'",
    "empty strings": "a = [\"\", '', \"\"\"\"\"\", '''''']",
    "hash in a string": 'a = ["#", \'#\', """#"""]',
    "quotes in a comment": 'a = [ # """ \' " [\n]',
    "brackets in a comment": "a = 1 # [[[ {",
    "array that opens a table and goes on": 'a = [{x = 1},\n["b"],\n]',
    "array over many lines": 'a = [[\n"[b]"\n],\n{x = "}"}]',
}


@pytest.mark.parametrize("case", STRINGS)
def test_what_follows_a_value_is_found(case: str) -> None:
    text = STRINGS[case] + "\n[b]\nc = 1\n"
    assert tomllib.loads(text)["b"] == {"c": 1}
    lines = text.split("\n")
    assert find_line(text, ("b", "c")) == len(lines) - 1
    assert find_line(text, ("b",)) == len(lines) - 2
