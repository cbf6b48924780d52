"""What is written is read back as it was, whatever the texts are; and nothing that is read can crash."""

from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace

from checklist import definition
from checklist.definition import Binding, Checklist, Item, Policy
from checklist.markdown import read, write
from checklist.markdown.toml_text import scalar, value
from checklist.markdown.writing import inline
from checklist.reading import FileError, parse_toml
from checklist.status import Claim, Facts, Status
from tests.checklist.making import attestation, checklist, evidence, item, manual, reopening, waiver
from tests.conftest import REPOSITORY

AT = datetime(2025, 6, 28, 9, 0, tzinfo=UTC)
FILE = Path("LIST.md")
LIST = (REPOSITORY / "examples/2025-05-13/LIST.md").read_text()

BITS = [
    *(
        "# ",
        "- ",
        "* ",
        "1. ",
        "1) ",
        "> ",
        "[ ] ",
        "[x] ",
        "[~]",
        "**",
        "__",
        "*",
        "_",
        "`",
        "``",
        "```",
        "~~",
    ),
    *(
        "\\",
        "&amp;",
        "&#10;",
        "<b>",
        "<!--",
        "-->",
        "<https://example.com>",
        "[a](b)",
        "![a](b)",
        "[a]: b",
        "|",
    ),
    *(
        "owner: ",
        "담당자\uff1a",
        "id: x",
        ":",
        "\uff1a",
        "---",
        "===",
        '"',
        "'",
        '`"a"`',
        "`a`",
        "#",
        "##",
        "\n",
        "\r",
    ),
    *(
        "\t",
        " ",
        "    ",
        "\x00",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\xa0",
        "\u2028",
        "\u202e",
        "\ufeff",
        "\u3000",
        "]]>",
    ),
    *(
        "한국어",
        "캐시",
        "Redis",
        "backup",
        "é",
        "🚀",
        "👩\u200d🚀",
        "a",
        "B",
        "7",
        "none",
        "https://example.com/a_b",
        "${A",
    ),
]
ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.lists(
    st.sampled_from(BITS), max_size=6
).map("".join)
SOME = ANY.filter(bool)
IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
DAYS = st.dates()
REAL = [
    None,
    Binding("redis", {"url": "${REDIS_URL}", "role": "cache", "timeout": "10s"}),
    Binding(
        "dependencies", {"project": ".", "environments": {"a b": "${A:-`x`}", "c": "d"}, "critical": ["x"]}
    ),
    Binding("tcp", {"address": "example.com:5"}),
]
PROBES = st.sampled_from(REAL) | st.builds(
    Binding,
    st.just("test-blocking"),
    st.fixed_dictionaries(
        {},
        optional={
            "text": ANY.filter(lambda text: "${" not in text),
            "count": st.integers(-(2**60), 2**60),
            "do": SOME.filter(lambda text: "${" not in text),
        },
    ),
)


@st.composite
def wholes(draw: st.DrawFn) -> tuple[Checklist, Status]:
    """Draw a checklist, and claims and ticked steps of some of its items."""
    release, environment = draw(ANY), draw(ANY)
    zone = draw(st.sampled_from(["UTC", "Asia/Seoul"]))
    policy = Policy(four_eyes=draw(st.booleans()), time_zone=zone)
    items: list[Item] = []
    facts: dict[str, Facts] = {}
    for name in draw(st.lists(IDS, min_size=1, max_size=4, unique=True)):
        before = [one.id for one in items]
        one = item(
            name,
            section=draw(SOME),
            title=draw(SOME),
            severity=draw(st.sampled_from(["blocker", "advisory"])),
            cause=draw(ANY),
            owner=draw(ANY),
            due=draw(st.none() | DAYS),
            steps=tuple(draw(st.lists(SOME, max_size=3, unique=True))),
            links=tuple(draw(st.lists(SOME, max_size=2))),
            notes=tuple(draw(st.lists(SOME, max_size=2))),
            repair=draw(ANY),
            after=tuple(draw(st.lists(st.sampled_from(before), max_size=2))) if before else (),
            fresh_for=draw(st.sampled_from(["24h", "1.5h", "000m"])),
            probe=draw(PROBES),
            release=release,
            environment=environment,
            policy=policy,
        )
        items.append(one)
        on = st.dates(max_value=AT.date())
        claim = st.none() | st.builds(Claim, by=ANY, on=on, action=ANY, at=st.just(AT))
        ticked = tuple(step for step in one.steps if draw(st.booleans()))
        facts[name] = Facts(claim=draw(claim), steps=ticked)
    texts = st.lists(SOME, max_size=2).map(tuple)
    whole = Checklist(
        title=draw(SOME),
        release=release,
        environment=environment,
        items=tuple(items),
        policy=policy,
        plan=draw(texts),
        links=draw(texts),
        notes=draw(texts),
    )
    return whole, Status(items={name: of for name, of in facts.items() if of != Facts()})


@given(wholes())
def test_what_is_written_is_read_back_as_it_was(whole: tuple[Checklist, Status]) -> None:
    before, status = whole
    text = write(before, status, AT)
    found = read(text, FILE, by="nobody", at=AT)
    assert found.checklist == before
    assert found.checklist.hash == before.hash
    assert found.facts == status.items
    assert found.problems == ()
    assert found.suggested == {}
    assert write(found.checklist, Status(items=found.facts), AT) == text
    assert definition.parse(found.toml.encode().decode(), FILE) == before


@given(SOME)
@example("The cache is `degraded`")
@example('`"a"`')
@example("allkeys_lru _and_ Q&A &amp; 2*3 [x] ~/a C:\\b")
def test_a_text_is_one_line_that_says_it_and_no_more(text: str) -> None:
    written = inline(text)
    assert "\n" not in written
    (paragraph, inside, end) = MarkdownIt("commonmark").parse(f"a {written}")
    assert (paragraph.type, end.type) == ("paragraph_open", "paragraph_close")
    assert {part.type for part in inside.children or []} <= {"text", "code_inline"}


def test_what_a_person_would_write_is_written_plainly() -> None:
    for text in ("The cache is `degraded`", "allkeys_lru & Q&A: 50 % (at most), #3 + 한국어!", "a.b@c -> d"):
        assert inline(text) == text


@given(
    st.recursive(
        SOME | st.integers() | st.booleans() | st.floats(allow_nan=False) | st.dates(min_value=date(1, 1, 1)),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner, max_size=3),
        max_leaves=8,
    )
)
def test_a_value_survives_toml(of: object) -> None:
    written = value(of)
    assert "\n" not in written
    assert parse_toml(f"a = {written}\n", FILE)["a"] == of


def test_what_only_a_person_or_a_probe_can_say_is_shown_and_not_read_back() -> None:
    one, two = item("cache", title="Cache"), manual()
    known = Facts(evidence=evidence(one, at=AT), waiver=waiver(), reopening=reopening(at=AT))
    status = Status(items={"cache": known, "sign-off": Facts(attestation=attestation(two))})
    text = write(checklist(one, two), status, AT)
    assert "- [ ] **Cache**" in text
    assert "- [x] **sign-off is well**" in text
    for words in (
        "waived: until 2025-06-27 by Bob: next week",
        "evidence: pass at 2025-06-28 09:00:00+00:00: seen",
    ):
        assert f"  - {words}\n" in text
    found = read(text, FILE, by="nobody", at=AT)
    assert len(found.problems) == 4
    assert found.facts.keys() == {"sign-off"}
    assert found.facts["sign-off"].attestation is None


def test_half_a_character_is_replaced() -> None:
    whole = checklist(item(title="a \udce9 b", probe=None))
    text = write(whole, Status(), AT)
    assert text.encode()
    assert read(text, FILE, by="x", at=AT).checklist.items[0].title == "a \ufffd b"
    assert read("- [ ] a \udce9", FILE, by="x", at=AT).checklist.items[0].title == scalar("a \udce9")


@given(
    st.text()
    | st.lists(st.sampled_from([*BITS, "\n- [ ] a", "\n  - steps:\n", "\n    "]), max_size=40).map("".join)
)
def test_any_text_is_a_list_or_is_refused(text: str) -> None:
    with suppress(FileError):
        found = read(text, FILE, by="Ann", at=AT)
        assert definition.parse(found.toml, FILE) == found.checklist


@given(st.data())
def test_a_real_list_with_mistakes_is_read_or_is_refused(data: st.DataObject) -> None:
    text = LIST
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(at, min(len(text), at + 40)))
        text = text[:at] + data.draw(st.sampled_from(BITS) | st.just(text[at:end] * 2)) + text[end:]
    with suppress(FileError):
        found = read(text, FILE, by="Ann", at=AT)
        exported = write(found.checklist, Status(items=found.facts), AT)
        again = read(exported, FILE, by="Ann", at=AT)
        assert again.checklist == found.checklist
        assert again.facts == found.facts


@pytest.mark.parametrize(
    "text",
    [
        "- " * 3000 + "[ ] a",
        ">" * 3000 + "- [ ] a",
        "- [ ] " + "*" * 4000 + "a" + "*" * 4000,
        "- [ ] " + "[" * 4000,
        "- [ ] " + "`" * 2000 + " " + "<" * 2000,
        "".join(f"{' ' * depth * 2}- [ ] a{depth}\n" for depth in range(200)),
        "- [ ] a\n  - probe: `{ a = " + "[" * 3000 + "`",
        '- [ ] a\n  - probe: `{ use = "test-blocking", count = ' + "9" * 5000 + " }`",
        '- [ ] a\n  - probe: `{ use = "test-blocking", count = ' + "9" * 30 + " }`",
    ],
    ids=["lists", "quotes", "stars", "links", "ticks", "steps", "probe", "digits", "number"],
)
def test_depth_and_length_are_no_way_to_crash(text: str) -> None:
    with suppress(FileError):
        read(text, FILE, by="Ann", at=AT)


def test_a_list_of_an_old_status_writes_what_the_checklist_still_has() -> None:
    one = item("cache", steps=("a",))
    known = Facts(steps=("gone", "a"))
    text = write(checklist(replace(one, title="Cache")), Status(items={"cache": known}), AT)
    assert "- [x] a" in text
    assert "gone" not in text


def test_distinct_texts_are_written_distinctly() -> None:
    texts = ["a", " a", "a ", "`a`", '`"a"`', "*a*", "\\*a\\*", "a\n", "", "#", "\\#", "&lt;", "<"]
    assert len({inline(text) for text in texts}) == len(texts)
