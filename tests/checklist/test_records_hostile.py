import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace

from checklist.journal import Entry
from checklist.reports import readiness, resolution, status_report
from checklist.reports.blocks import Document, Page, address, one_line, rewritten, to_html, to_markdown
from checklist.reports.comparison import compare
from checklist.reports.pages import readiness_page, resolution_page
from checklist.reports.readiness import ReadinessCheck
from checklist.status import Attestation, Claim, Evidence, Facts, Reopening, Status, Waiver
from probes.outcome import Check, Outcome, Verdict
from tests.checklist.making import (
    CHECKED,
    LOOKED,
    NOW,
    SAID,
    bound,
    checklist,
    days,
    hours,
    item,
    manual,
    proven,
)

MARK = "TEXT"
LINK = "https://example.com/a_b?c=1&copy=2"
GIVEN: dict[str, Any] = {
    **dict.fromkeys(("title", "section", "cause", "owner"), MARK),
    **dict.fromkeys(("steps", "notes"), (MARK,)),
    "links": (LINK, MARK),
}
CACHE = item("cache", due=days(-2), **GIVEN)
SIGN = manual("sign-off", **GIVEN)
LIST = replace(checklist(CACHE, item("jobs", after=("cache",), **GIVEN), SIGN), title=MARK, release=MARK)


def found(verdict: str) -> Evidence:
    """Return evidence with a text from outside in every place."""
    words = dict.fromkeys(("name", "message", "hint", "unit"), MARK)
    line = Check(verdict=Verdict(verdict), observed=7, limit=3, **words)
    word = Check(verdict=Verdict(verdict), observed=MARK, limit=MARK, name="word")
    outcome = Outcome(
        probe=MARK, verdict=line.verdict, summary=MARK, hint=MARK, checks=(line, word), started_at=LOOKED
    )
    return Evidence(outcome=outcome, run=MARK, item=CACHE.hash)


BROKEN = bound(
    Status(
        items={
            "cache": Facts(
                claim=Claim(by=MARK, on=days(0), action=MARK, at=SAID),
                reopening=Reopening(by=MARK, why=MARK, at=hours(-9)),
                evidence=found("fail"),
            ),
            "sign-off": Facts(
                attestation=Attestation(by=MARK, note=MARK, at=CHECKED, item=SIGN.hash),
                waiver=Waiver(by=MARK, why=MARK, until=days(1), at=SAID, item=SIGN.hash),
            ),
        }
    ),
    LIST,
)
REPORT = status_report.build(LIST, BROKEN, NOW)


def check(status: Status, **changes: Any) -> ReadinessCheck:
    report = status_report.build(LIST, status, NOW)
    return replace(
        readiness.build(report, run="run-1", final=True, time=NOW, by="Ann"),
        **changes,
    )


GOOD = proven(LIST).having("cache", Facts(evidence=found("pass")))
RECORD = check(BROKEN, by=MARK, changes=compare(check(GOOD), check(BROKEN), MARK))
UNREAD = check(BROKEN, problem=MARK)
HISTORY = Entry(
    number=1,
    at=SAID,
    what=MARK,
    by=MARK,
    item="cache",
    why=MARK,
    run="",
    data={"verdict": MARK},
    edited=False,
    revision=1,
    checklist="",
    facts="",
    previous="",
)
RESOLUTION = resolution.build(REPORT, [HISTORY], NOW)


def saying(document: Document, text: str) -> Document:
    """Return a document with this text wherever one came from outside."""

    plain = rewritten(msgspec.to_builtins(document), lambda words: words.replace(MARK, text))
    return msgspec.convert(plain, type(document))


def pages(text: str) -> list[Page]:
    checks = [readiness_page(saying(record, text)) for record in (RECORD, UNREAD)]
    return [*checks, resolution_page(saying(RESOLUTION, text))]


class Reader(HTMLParser):
    """Keeps every element with its attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.other: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.elements.append((f"/{tag}", ()))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.other.append(data)

    handle_pi = unknown_decl = handle_comment


def plain(tokens: list[Token]) -> str:
    return "".join(token.content if token.type.startswith("text") else "" for token in tokens)


def outline(text: str) -> tuple[list[tuple[str, str, object]], list[str]]:
    """Return what GitHub's kind of Markdown makes of a text: its elements, and its lines of plain text."""
    elements: list[tuple[str, str, object]] = []
    lines = []
    for token in MarkdownIt("gfm-like", {"html": True}).parse(text):
        children = token.children or []
        elements.append((token.type, token.tag, token.attrs))
        elements += [
            (child.type, child.tag, child.attrs) for child in children if not child.type.startswith("text")
        ]
        if token.type == "inline":
            lines.append(plain(children))
    return elements, lines


HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "</style></title><script>alert(1)</script>",
    "\" onmouseover='alert(1)' x=\"",
    "<!-- --><?php ?><![CDATA[ x ]]>",
    "javascript:alert(1)",
    "data:text/html,x",
    "[a](javascript:alert(1)) ![b](https://example.org/b.png) <https://example.org> [c]: https://example.org",
    "https://user@www.example.org/ and www.example.org, example.org, //example.org or ann@example.org",
    "a | b || c \\| d \\\\| e \\",
    "`code` ``` ~~~ ~~gone~~ **b** __b__ *e* _e_ $x$",
    "- item",
    "+ item",
    "1. item",
    "2) item",
    "# heading #",
    "> quote",
    "---",
    "===",
    ":---: | :---:",
    "    indented",
    "&copy; &#60;b&#62; &amp;lt;",
    "one\ntwo\r\n\r\n# three\u2028four\x85five\x0bsix",
    "\x00\x1b[2J\x1b]8;;https://example.org\x07link\x1b]8;;\x07\x9b31m",
    "캐시 서버가 정상이다",
    "\u202egnp.exe\u2066 שלום \u200f",
    "\ud800 lone \udfff",
    "😀 ﷽ \u200b\ufeff",
    "^[1] [^1]: note [ ] [x] task",
]


def assert_is_only_text(page: Page, marked: Page, text: str) -> None:
    """Assert that a page has the elements of the marked one, and this text wherever that one has the mark."""
    read, expected = Reader(to_html(page)), Reader(to_html(marked))
    assert read.elements == expected.elements
    assert read.other == []
    assert read.text == expected.text.replace(MARK, one_line(text))
    elements, lines = outline(to_markdown(page))
    marked_elements, marked_lines = outline(to_markdown(marked))
    assert elements == marked_elements
    assert lines == [line.replace(MARK, one_line(text)) for line in marked_lines]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_text_adds_an_element_or_an_attribute_to_a_page(text: str) -> None:
    for page, marked in zip(pages(text), pages(MARK), strict=True):
        assert_is_only_text(page, marked, text)


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_no_text_at_all_changes_what_a_page_is_made_of(text: str) -> None:
    assume(one_line(text))
    assume(not address(text))
    assert_is_only_text(resolution_page(saying(RESOLUTION, text)), resolution_page(RESOLUTION), text)


@settings(max_examples=100, deadline=None)
@given(st.text(st.sampled_from("\\`*_[]()<>|~&#$-+=!:;/.@1a \n\"'%^{}"), min_size=1, max_size=12))
def test_no_marks_of_markdown_mean_anything(text: str) -> None:
    assume(one_line(text))
    assume(not address(text))
    assert_is_only_text(readiness_page(saying(RECORD, text)), readiness_page(RECORD), text)


@pytest.mark.parametrize("text", HOSTILE[:3], ids=ascii)
def test_a_page_holds_our_elements_and_nothing_that_loads_or_runs(text: str) -> None:
    for page in pages(text):
        elements = Reader(to_html(page)).elements
        names = {tag for tag, _ in elements if not tag.startswith("/")}
        assert names <= {
            *(
                "html",
                "head",
                "meta",
                "title",
                "style",
                "body",
                "main",
                "h1",
                "h2",
                "h3",
                "p",
                "ul",
                "li",
                "div",
            ),
            *("table", "thead", "tbody", "tr", "th", "td", "details", "summary", "span", "strong", "a"),
        }
        attributes = {name for _, pairs in elements for name, _ in pairs}
        assert attributes <= {
            *("lang", "charset", "http-equiv", "content", "name", "class", "scope", "open", "href", "rel"),
        }
        assert dict(elements[0][1]) == {"lang": "en"}
        for tag, pairs in elements:
            if tag == "a":
                assert pairs == (("href", LINK), ("rel", "noreferrer"))
            if tag == "th":
                assert dict(pairs)["scope"] in ("col", "row")


def test_the_policy_of_a_page_allows_its_own_style_and_nothing_else() -> None:
    made = to_html(readiness_page(RECORD))
    style = re.findall(r"<style>(.*?)</style>", made, re.DOTALL)
    assert len(style) == 1
    digest = b64encode(sha256(style[0].encode()).digest()).decode()
    policy = dict(next(pairs for tag, pairs in Reader(made).elements if len(pairs) == 2 and tag == "meta"))
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert str(policy["content"]).split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert not re.search(r"url\(|@import|src=|expression", style[0])
    for words in ("prefers-color-scheme: dark", "@media print"):
        assert words in style[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.com/a?b=1#c", "https://example.com/a?b=1#c"),
        ("http://[::1]:80/", "http://[::1]:80/"),
        ('https://example.com/"><b>|`', "https://example.com/%22%3E%3Cb%3E%7C%60"),
        ("https://example.com/한", "https://example.com/%ED%95%9C"),
        ("HTTPS://example.com", "HTTPS://example.com"),
        ("docs/redis.md", ""),
        ("//example.com", ""),
        ("https:", ""),
        ("https:///path", ""),
        ("javascript:alert(1)", ""),
        ("java\nscript:alert(1)", ""),
        (" https://example.com", ""),
        ("https://example.com/a b", ""),
        ("https://example.com/\u202e", ""),
        ("https://example.com/\ud800", ""),
        ("https://[", ""),
        ("data:text/html,x", ""),
        ("file:///etc/passwd", ""),
        ("file://example.com/a", ""),
        ("ftp://example.com/", ""),
    ],
    ids=ascii,
)
def test_only_a_web_address_is_a_link(text: str, expected: str) -> None:
    assert address(text) == expected


@pytest.mark.parametrize(
    "link",
    [
        "https://example.com/\"onclick='alert(1)'><b>",
        "https://example.com/a|b`c\\d>e<f)g(h]i[j*k_l",
        "https://example.com/?a=1&copy=2&lt;3&#60;",
        "https://example.com/?a='1'&b=%22",
        "https://example.com/캐시",
    ],
    ids=ascii,
)
def test_a_link_leads_where_it_says_and_nowhere_else(link: str) -> None:
    linked = replace(RESOLUTION, items=tuple(replace(one, links=(link,)) for one in RESOLUTION.items))
    page = resolution_page(linked)
    links = [dict(pairs) for tag, pairs in Reader(to_html(page)).elements if tag == "a"]
    assert links == [{"href": address(link), "rel": "noreferrer"}] * 3
    elements, lines = outline(to_markdown(page))
    hrefs = [attrs for kind, _, attrs in elements if kind == "link_open"]
    assert hrefs == [{"href": address(link)}] * 3
    assert lines.count(link) == 3


def test_the_words_of_these_tests_reach_the_pages() -> None:
    assert all(to_html(page).count(MARK) > 20 for page in pages(MARK))
