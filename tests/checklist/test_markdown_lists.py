"""Lists as teams keep them."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from checklist import definition
from checklist.markdown import Imported, read
from checklist.reading import MAX_BYTES, FileError
from checklist.status import Claim, Facts
from checklist.store.status_toml import parse_status
from tests.conftest import REPOSITORY

AT = datetime(2025, 6, 28, 9, 0, tzinfo=UTC)
FILE = Path("here/LIST.md")


def imported(text: str) -> Imported:
    return read(text, FILE, by="Ann", at=AT)


def problems(text: str) -> list[tuple[int, str]]:
    return [tuple(problem) for problem in imported(text).problems]


def below(keys: str, mark: str = " ") -> Imported:
    """Read one item with these lines below it."""
    return imported(f"- [{mark}] **It is well**\n" + "".join(f"  {line}\n" for line in keys.splitlines()))


def claim(of: Imported) -> Claim | None:
    return of.facts.get(of.checklist.items[0].id, Facts()).claim


def test_the_list_of_the_example_is_read_whole() -> None:
    path = REPOSITORY / "examples/2025-05-13/LIST.md"
    found = read(path.read_text(), path, by="nobody", at=AT)
    example = path.with_name("checklist.toml")
    original = definition.load(example)
    status = parse_status(path.with_name("checklist.status.toml").read_text(), example)

    assert found.problems == ()
    assert list(found.suggested.values()) == ["redis", "dependencies", "secrets", "sentry", "restore"]
    assert list(found.suggested.values()) == [item.probe.use for item in found.checklist.items if item.probe]
    assert (found.checklist.release, found.checklist.environment) == ("1.0.0", "production")
    for item, before in zip(found.checklist.items, original.items, strict=True):
        given, said = found.facts[item.id].claim, status.of(before.id).claim
        assert item.due == before.due
        assert len(item.steps) == len(before.steps)
        assert item.cause
        assert given is not None
        assert said is not None
        assert given.on == said.on
        assert given.by == item.owner
        assert given.action
        assert given.at == AT
    assert len(found.checklist.plan) == 4
    assert len(found.checklist.links) == 2
    assert found.checklist.links[0].endswith("https://redis.io/docs/latest/develop/reference/eviction/")


def test_a_ticked_box_is_a_claim_and_never_more() -> None:
    found = imported("- [x] done\n- [X] also\n- [ ] not yet\n")
    words = "The box was ticked in LIST.md."
    assert found.facts == {
        name: Facts(claim=Claim(by="Ann", on=AT.date(), action=words, at=AT)) for name in ("done", "also")
    }


@pytest.mark.parametrize(
    "text",
    [
        "- [ ] a\n- [ ] b\n",
        "* [ ] a\n* [ ] b\n",
        "+ [ ] a\n+ [ ] b\n",
        "1. [ ] a\n2. [ ] b\n",
        "1) [ ] a\n2) [ ] b\n",
        "- [ ]\ta\n- [ ] b",
        "\ufeff- [ ] a\r\n- [ ] b\r\n",
        "Team\n====\n\n- [ ] a\n\n\n- [ ] b\n",
        "- [ ] **a**\n- [ ] __b__\n",
        "- a and b\n  - [ ] a\n  - [ ] b\n",
        "<!--\n- [ ] c\n-->\n- [ ] a\n- [ ] b\n",
    ],
    ids=[
        *(
            "dash",
            "star",
            "plus",
            "dots",
            "brackets",
            "tab",
            "windows",
            "setext",
            "bold",
            "nested",
            "comment",
        ),
    ],
)
def test_every_kind_of_task_list_is_read(text: str) -> None:
    found = imported(text)
    assert [item.title for item in found.checklist.items] == ["a", "b"]
    assert found.problems == ()


def test_headings_are_sections_and_the_first_great_one_is_the_title() -> None:
    found = imported("# T\n\n- [ ] a\n\n## S\n\n- [ ] b\n\n### `U` #\n\n- [ ] c\n")
    assert found.checklist.title == "T"
    assert [item.section for item in found.checklist.items] == ["General", "S", "`U`"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_front_matter_is_no_heading_and_is_told(end: str) -> None:
    text = end.join(["---", "name: Release", "labels: [a]", "---", "- [ ] a", ""])
    found = imported(text)
    assert [(item.section, item.title) for item in found.checklist.items] == [("General", "a")]
    assert [tuple(problem) for problem in found.problems] == [
        (2, "front matter is not taken over: 'name: Release'"),
        (3, "front matter is not taken over: 'labels: [a]'"),
    ]
    ruled = imported("---\n\n# T\n\n- [ ] a\n\n---\n\n- [x] b\n")
    assert (ruled.checklist.title, len(ruled.checklist.items), ruled.problems) == ("T", 2, ())


def test_without_a_title_the_file_names_the_list() -> None:
    assert imported("- [ ] a").checklist.title == "LIST"


@pytest.mark.parametrize(
    "keys",
    [
        "- cause: full\n- owner: Ops\n- due: 2025-06-25",
        "- **cause**: full\n- **owner:** Ops\n- **due** : 2025.06.25",
        "- 예상 원인: full\n- 담당자: Ops\n- 해결 기한: 2025년 6월 25일",
        "- 원인\uff1afull\n- 담당\uff1aOps\n- 기한\uff1a2025. 6. 25.",
        "* Owner:Ops\n* CAUSE: full\n* Deadline: 2025/06/25",
        "\ncause: full\nowner: Ops\ndue: 2025-06-25 (수)",
        "- cause: full\n- owner: Ops\n- due: 2025-06-25 (Wed)",
        "- cause: full\n- owner: Ops\n- due: 2025-06-25(수요일)",
    ],
    ids=["english", "bold", "korean", "wide", "other", "lines", "weekday", "요일"],
)
def test_keys_are_known_in_two_languages(keys: str) -> None:
    found = below(keys)
    item = found.checklist.items[0]
    assert (item.cause, item.owner, item.due) == ("full", "Ops", date(2025, 6, 25))
    assert found.problems == ()


@pytest.mark.parametrize("keys", ["repair: `sh fix/a_b && *`", "복구 명령: sh fix/a_b && \\*"])
def test_a_command_is_read_with_and_without_the_marks_of_code(keys: str) -> None:
    assert below(f"- {keys}").checklist.items[0].repair == "sh fix/a_b && *"


def test_a_claim_takes_its_words_from_the_list() -> None:
    said = below("- 완료일: 2025-06-20\n- 완료자: Bob\n- 조치 내용: more disk\n- owner: Ops", "x")
    assert claim(said) == Claim(by="Bob", on=date(2025, 6, 20), action="more disk", at=AT)
    owned = claim(below("- owner: Ops", "x"))
    assert owned is not None
    assert owned.by == "Ops"


@pytest.mark.parametrize(
    ("keys", "mark", "line", "words"),
    [
        ("- resolved on: 2025-06-20", " ", 2, "the box is not ticked"),
        ("- 조치 내용: more disk", " ", 2, "the box is not ticked"),
        ("- due: soon", " ", 2, "due: expected a day such as 2025-06-25, got 'soon'"),
        ("- due: 2025-02-30", " ", 2, "due: expected a day"),
        ("- owner: A\n- owner: B", " ", 3, "owner is said twice: 'B'"),
        ("- severity: high", " ", 2, "severity: expected one of blocker, advisory, got 'high'"),
        ("- fresh for: long", " ", 2, 'fresh_for: expected a length of time such as "10s" or "24h"'),
        ("- id: a b", " ", 2, "id: expected letters"),
        ('- probe: `{ use = "nonesuch" }`', " ", 2, "the item is manual"),
        ("- probe: `{ use = `", " ", 2, "the item is manual"),
        ("- after: nobody", " ", 2, "after: no item has the id 'nobody'"),
        ("- waived: until 2025-07-01", " ", 2, "a waiver is not taken over: give it anew"),
        ("- evidence: pass", "x", 2, "evidence is not taken over"),
        ("- resolved on: 2025-07-01", "x", 2, "has not come yet, so this claims nothing"),
        ("- steps:\n  - [ ] a\n  - [x] a", " ", 4, "the step 'a' stands here twice"),
        ("", "~", 1, "the item is kept open"),
        ("\n```\ncode\n```", " ", 4, "a code block is not taken over: 'code'"),
    ],
)
def test_what_is_not_taken_over_is_told_with_its_line(keys: str, mark: str, line: int, words: str) -> None:
    found = below(keys, mark)
    (problem,) = found.problems
    assert problem.line == line
    assert words in problem.message
    if mark != "x":
        assert claim(found) is None
    if "resolved on" in keys:
        assert claim(found) is None


def test_a_value_that_cannot_be_used_is_kept_as_a_note() -> None:
    found = below("- due: soon\n- owner: A\n- owner: B\n- budget: none")
    assert sorted(found.checklist.items[0].notes) == ["budget: none", "due: soon", "owner: B"]


@pytest.mark.parametrize(
    "keys",
    [
        "- steps:\n  - [x] a\n  - b",
        "- 해결 방법:\n  1. [x] a\n  2. b",
        "- [x] a\n- [ ] b",
        "1. [x] a\n2. b",
        "- [x] a\n  - [ ] b",
    ],
    ids=["list", "numbers", "boxes", "bare numbers", "deep"],
)
def test_steps_are_read_wherever_they_stand(keys: str) -> None:
    found = below(keys)
    item = found.checklist.items[0]
    assert item.steps == ("a", "b")
    assert found.facts[item.id] == Facts(steps=("a",))
    assert found.problems == ()


def test_a_long_value_may_be_a_list() -> None:
    item = below("- cause: one\n  - two\n- links:\n  - [a](x.md)\n  - <https://example.com>").checklist.items[
        0
    ]
    assert item.cause == "one; two"
    assert item.links == ("a: x.md", "https://example.com")


def test_a_text_that_was_wrapped_is_put_together() -> None:
    text = (
        "- [ ] A title that is too long\n  for one line\n  owner: Ops\n"
        "  - cause: full, and\n    nobody saw it\n"
        "    due: 2025-06-25\n  - one word\n    and another\n\n  A word\n  as well\n"
        "- [ ] **Bold**\n  What is meant\n  by it\n- [ ] **Bold**: what is\n  meant\n"
        "- [ ] **Bold and\n  wrapped**\n"
    )
    found = imported(text)
    one, two, three, four = found.checklist.items
    assert (one.title, one.owner) == ("A title that is too long for one line", "Ops")
    assert (one.cause, one.due) == ("full, and nobody saw it", date(2025, 6, 25))
    assert one.notes == ("one word and another", "A word as well")
    assert (two.title, two.notes) == ("Bold", ("What is meant by it",))
    assert (three.title, three.notes) == ("Bold", ("what is meant",))
    assert four.title == "Bold and wrapped"
    assert found.problems == ()


def test_plan_and_links_are_kept_and_prose_is_told() -> None:
    text = (
        "Read this.\nAnd this.\n\n- [ ] a\n\n## Action plan\n\n1. one\n2. two\n   - more\n\n"
        "## References\n\n- [b](https://example.org/b)\n\n[c]: https://example.com/c\n"
    )
    found = imported(text)
    assert found.checklist.plan == ("one", "two")
    assert found.checklist.links == ("b: https://example.org/b", "https://example.com/c")
    assert [problem.line for problem in found.problems] == [1, 2, 10]


def test_code_is_no_list() -> None:
    found = imported("- [ ] a\n\n```\n- [ ] b\n```\n\n    - [ ] c\n")
    assert [item.id for item in found.checklist.items] == ["a"]
    assert [problem.line for problem in found.problems] == [4, 7]


def test_nothing_is_lost_in_silence() -> None:
    text = (
        "- [ ] a\n  - [ ] b\n    > one\n  - c\n    - d\n      - two\n\n> three\n> - [ ] four\n\n"
        "<div>\n- [ ] five\n</div>\n\n| six |\n\n- seven\n  eight\n\n- owner: nine\n"
    )
    found = imported(text)
    told = " ".join(problem.message for problem in found.problems)
    for line, word in (
        (3, "one"),
        (6, "two"),
        (8, "three"),
        (9, "four"),
        (12, "five"),
        (15, "six"),
        (17, "eight"),
    ):
        assert word in told
        assert line in {problem.line for problem in found.problems}
    assert [item.title for item in found.checklist.items] == ["a"]


@pytest.mark.parametrize("text", ["[] a", "[ x ] a", "[x]a", "[v] a", "[-] a", "[\u2713] a"])
def test_what_looks_like_a_box_is_an_open_item(text: str) -> None:
    found = imported(f"- {text}")
    assert [item.title for item in found.checklist.items] == ["a"]
    assert found.facts == {}
    assert [problem.line for problem in found.problems] == [1]


def test_ids_are_stable_unique_and_short() -> None:
    text = f"- [ ] Café is open!\n- [ ] cafe is open\n- [ ] {'a' * 80}\n- [ ] {'a' * 80}\n"
    names = [item.id for item in imported(text).checklist.items]
    assert names == ["cafe-is-open", "cafe-is-open-2", "a" * 64, f"{'a' * 62}-2"]


def test_a_title_in_another_script_keeps_its_id_when_a_line_is_added_above() -> None:
    def ids(text: str) -> dict[str, str]:
        return {item.title: item.id for item in imported(text).checklist.items}

    text = "- [ ] 하나\n- [ ] 둘\n\n## Ops\n\n- [ ] 셋\n- [ ] 넷\n- [ ] 캐시 하나\n- [ ] 캐시 둘\n"
    before, after = (
        ids(text),
        ids("- [ ] 새로\n" + text.replace("## Ops\n", "## Ops\n\n- [ ] 캐시\n- [ ] 새것\n")),
    )
    assert {title: after[title] for title in before} == before
    assert ids("- [ ] 캐시\n") == {"캐시": "redis"}


def test_an_id_that_is_written_goes_before_one_that_is_made() -> None:
    found = imported("- [ ] door\n- [ ] b\n  - id: door\n- [ ] c\n  - id: door\n")
    assert [item.id for item in found.checklist.items] == ["door-2", "door", "c"]
    assert problems("- [ ] b\n  - id: door\n- [ ] c\n  - id: door\n")[0][0] == 4


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", None, "no items"),
        ("# Title\n\n- plain\n", None, "no items"),
        ("- [ ] a\n  - id: a\n  - after: b\n- [ ] b\n  - id: b\n  - after: a\n", 1, "goes in a circle"),
        ("- [ ] a\n\n1. x\n" + "- " * 80 + "[ ] b", 4, "nested too deeply"),
        ("x" * (MAX_BYTES + 1), None, "larger than"),
    ],
    ids=["empty", "no box", "circle", "deep", "large"],
)
def test_a_list_that_is_none_is_refused(text: str, line: int | None, words: str) -> None:
    with pytest.raises(FileError, match=words) as error:
        imported(text)
    assert error.value.line == line


def test_an_item_without_a_suggestion_is_manual_and_the_file_says_so() -> None:
    found = imported("- [ ] Lunch is ready\n- [ ] Redis is well\n")
    assert found.toml.count("# Manual until it has a probe: `gonogo probe --list`") == 1
    assert found.toml.count('# Suggested, because the item speaks of "Redis".') == 1
    assert found.suggested == {"redis-is-well": "redis"}
    assert found.facts == {}


def test_sections_of_one_name_below_different_headings_are_told_apart() -> None:
    text = (
        "# Launch\n## Security\n### Access\n- [ ] **A**\n### Keys\n- [ ] **B**\n"
        "## Operations\n### Access\n- [ ] **C**\n## Access\n- [ ] **D**\n"
    )
    assert [item.section for item in imported(text).checklist.items] == [
        *("Security / Access", "Keys", "Operations / Access", "Access"),
    ]
