import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace

from checklist.reports.blocks import one_line
from checklist.reports.markdown import ROOM, code, prose, render
from checklist.reports.view import View
from checklist.status import Facts, Status
from tests.checklist.making import NOW, checklist, claim, evidence, item, outcome, proven
from tests.checklist.test_format_shared import (
    DEGRADED,
    FAILED,
    HOSTILE,
    LIST,
    PLAIN,
    UNFINISHED,
    VIEWS,
    WAIVED,
    hostile,
    view,
)

# With everything that GitHub adds and this reader knows.
READER = MarkdownIt("commonmark", {"linkify": True}).enable(["table", "strikethrough", "linkify"])

ANY_WORDS = st.text(
    # An escape sequence takes what follows it along, so what is left of a line cannot be foretold.
    st.characters(exclude_characters="\x1b\x90\x98\x9b\x9d\x9e\x9f\u200b", exclude_categories=())
    | st.sampled_from("|\\`*_<>&[]()#@:!~=+-.$\n\r\x00 \t1")
)


def tokens(text: str) -> list[Token]:
    return READER.parse(text)


def blocks(text: str) -> list[tuple[str, str, int]]:
    return [(token.type, token.tag, token.level) for token in tokens(text)]


def shown(text: str) -> list[str]:
    """Return what a reader sees of each block with words in it; spaces do not count."""
    inline = [token.children or [] for token in tokens(text) if token.type == "inline"]
    assert {child.type for children in inline for child in children} <= {"text", "code_inline"}
    words = ["".join(child.content for child in children) for children in inline]
    return [re.sub(r"[\s\u200b]", "", said) for said in words]


def rows(view_: View) -> list[list[str]]:
    """Return the cells of every row of every table, without the heads."""
    cells: list[list[str]] = []
    for token in tokens(render(view_)):
        if token.type == "tr_open":
            cells.append([])
        elif token.type == "inline" and token.level and cells and token.map and token.level > 3:
            cells[-1].append("".join(child.content for child in token.children or []))
    return [row for row in cells if row and row[0] != "State"]


def test_the_verdict_comes_first() -> None:
    assert render(view(proven(LIST))).splitlines()[:5] == [
        "## GO",
        "",
        "3 items: 2 verified, 1 attested",
        "",
        "Test · 1.0 · production",
    ]
    assert render(view(WAIVED)).startswith("## GO, 1 waived until 2025-06-30\n")
    assert render(view(UNFINISHED)).startswith("## NO-GO\n")
    assert render(view(UNFINISHED, chosen=("cache",))).startswith("## PROVEN\n")
    assert render(view(FAILED, chosen=("cache",))).startswith("## NOT PROVEN\n")


def test_reasons_changes_and_sections_are_told() -> None:
    seen = shown(render(view(FAILED, changes=("cache broke",))))
    assert "Aboutthischeck" not in shown(render(view(FAILED)))
    assert {"cache:fails:seen", "House", "General", "Aboutthischeck", "cachebroke"} <= set(seen)
    assert "Changedsincethecheckbefore" not in shown(render(view(FAILED)))


def test_an_item_is_a_row_of_its_section() -> None:
    assert rows(view(FAILED)) == [
        ["□ open", "cache", "The cache is well", "Ann", "2025-06-25, 2 days late", "fail, 60 min ago: seen"],
        ["✓ verified, advisory", "notes", "notes is well", "", "", "pass, 60 min ago: seen"],
        ["● attested", "sign-off", "sign-off is well", "", "", "attested by Ann, 2 h ago: seen it"],
    ]
    assert rows(view(WAIVED))[0][5] == "waived until 2025-06-30 by Bob: next week"
    assert [row[5] for row in rows(view(Status()))] == ["never run", "never run", "manual"]


def test_what_is_not_proven_is_told_line_by_line() -> None:
    facts = Facts(claim=claim(), evidence=evidence(LIST.items[0], "fail"))
    text = render(view(Status(items={"cache": facts}))).partition("### Not proven\n")[2]
    assert text.startswith(
        "\n#### ✗ reopened: cache: The cache is well\n\n"
        "- resolved by Ann on 2025-06-27: fixed it\n"
        "- `✗ test-async: fail: seen (60 min ago)`\n"
        "- `✗ said 1.5 s (limit 2 s) seen`\n"
    )
    assert "### Not proven" not in render(view(proven(LIST)))
    assert "waived by Bob until 2025-06-30: next week" in render(view(WAIVED))
    assert "#### □ open: notes" in render(view(DEGRADED))


@pytest.mark.parametrize("case", VIEWS)
def test_there_is_a_table_for_every_section_and_a_row_for_every_item(case: str) -> None:
    view_, _ = VIEWS[case]
    assert len(rows(view_)) == len(view_.report.items)
    sections = {entry.section for entry in view_.report.items}
    assert sum(kind == "table_open" for kind, *_ in blocks(render(view_))) == len(sections)


def is_ours(words: str) -> None:
    """Check that words from outside are seen as they were said, in blocks that are ours."""
    plain, written = render(hostile(PLAIN)), render(hostile(words))
    assert blocks(written) == blocks(plain)
    said = re.sub(r"\s|\u200b", "", one_line(words))
    assert shown(written) == [part.replace(PLAIN, said) for part in shown(plain)]


@pytest.mark.parametrize("words", [words for words in HOSTILE if words and "\x1b" not in words], ids=ascii)
def test_no_text_changes_the_structure(words: str) -> None:
    is_ours(words)


@settings(max_examples=150, deadline=None)
@given(ANY_WORDS.filter(lambda words: one_line(words) and words != "B"))  # a figure in bytes is rounded
def test_no_text_at_all_changes_the_structure(words: str) -> None:
    is_ours(words)


@settings(max_examples=300, deadline=None)
@given(ANY_WORDS)
def test_prose_and_code_show_the_words_as_they_were_said(words: str) -> None:
    said = one_line(words)
    for written in (prose(words), code(words)):
        (children,) = [
            token.children or [] for token in tokens(f"- {written}") if token.type == "inline"
        ] or [[]]
        assert "".join(child.content for child in children).replace("\u200b", "") == said


def test_nobody_is_called_and_nothing_referred_to() -> None:
    assert prose("@org/team #12 GH-12 ann@example.com") == (
        r"@&#8203;org/team \#&#8203;12 GH-&#8203;12 ann\@&#8203;example\.com"
    )
    assert prose("www.example.com https://example.com") == r"www\.example\.com https:\//example\.com"


def test_what_has_no_room_in_a_comment_is_left_out_and_counted() -> None:
    whole = checklist(*(item(f"n{place}", title="x" * 200) for place in range(300)))
    facts = {
        entry.id: Facts(evidence=replace(evidence(entry), outcome=outcome("fail", NOW, "y" * 500)))
        for entry in whole.items
    }
    written = render(view(Status(items=facts), whole))
    assert ROOM < 65_536
    assert ROOM - 3000 < len(written) < ROOM + 100
    assert written.startswith("## NO-GO\n")
    assert re.search(r"\n\n\d+ more lines are left out: a comment has no room for them\.\n$", written)
