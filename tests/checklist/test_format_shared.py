"""What all formats hold to, and the short words that their own tests share."""

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from checklist.definition import Checklist
from checklist.reports import github, junit, markdown, nagios, prometheus, status_report
from checklist.reports.blocks import one_line
from checklist.reports.status_report import StatusReport
from checklist.reports.view import View, held, number
from checklist.status import Attestation, Claim, Evidence, Facts, Reopening, Status, Waiver
from cli.exits import of_gate, of_items
from probes.outcome import Check, Verdict
from tests.checklist.making import (
    LOOKED,
    NOW,
    RUN,
    SAID,
    bound,
    checklist,
    claim,
    days,
    evidence,
    hours,
    item,
    manual,
    outcome,
    proven,
    sealed,
    waiver,
)
from tests.checklist.test_gate_properties import World, worlds

FORMATS: dict[str, Callable[[View], str]] = {
    "junit": junit.render,
    "markdown": markdown.render,
    "prometheus": prometheus.render,
    "nagios": nagios.render,
    "github": github.render,
}

CACHE = item("cache", section="House", owner="Ann", due=days(-2), title="The cache is well")
LIST = checklist(CACHE, item("notes", section="House", severity="advisory"), manual("sign-off"))


def view(
    status: Status, whole: Checklist = LIST, chosen: tuple[str, ...] | None = None, **fields: Any
) -> View:
    """Return what `gonogo status` would show, of some items if they are named."""
    report = status_report.build(whole, status, fields.get("now", NOW))
    code = of_gate(report)
    if chosen is not None:
        report = replace(report, items=tuple(entry for entry in report.items if entry.id in chosen))
        code = of_items(report.items)
    lines = {entry.id: 10 * number for number, entry in enumerate(whole.items, 1)}
    rest = {"now": NOW, "path": "checklist.toml", "lines": lines, "changes": (), **fields}
    return View(report=report, chosen=chosen is not None, code=code, **rest)


def knowing(name: str, facts: Facts) -> Status:
    """Return the status in which all is proven, but for one item of LIST."""
    return sealed(bound(proven(LIST).having(name, facts), LIST))


FAILED = knowing("cache", Facts(evidence=evidence(CACHE, "fail")))
WAIVED = knowing("cache", Facts(evidence=evidence(CACHE, "fail"), waiver=waiver(days(3))))
DEGRADED = knowing("notes", Facts(evidence=evidence(LIST.by_id["notes"], "warn")))
DOUBTFUL = knowing("cache", Facts(evidence=evidence(CACHE, "unknown")))
UNFINISHED = replace(proven(LIST), final_check=None)

VIEWS: dict[str, tuple[View, int]] = {
    "proven": (view(proven(LIST)), 0),
    "failed": (view(FAILED), 1),
    "could not tell": (view(DOUBTFUL), 3),
    "waived": (view(WAIVED), 0),
    "advisory degraded": (view(DEGRADED), 0),
    "no final check": (view(UNFINISHED), 1),
    "nothing to prove": (view(Status(), checklist()), 1),
    "chosen, proven": (view(UNFINISHED, chosen=("cache", "sign-off")), 0),
    "chosen, waived": (view(WAIVED, chosen=("cache",)), 1),
    "chosen, advisory": (view(DEGRADED, chosen=("notes",)), 1),
    "chosen, could not tell": (view(DOUBTFUL, chosen=("cache", "notes")), 3),
}
"""What there is to show, and the exit code that goes with it."""


PLAIN = "zzz"


def troubled() -> View:
    """Return a view of one item in each kind of trouble; every text from outside says PLAIN."""
    whole = checklist(
        item("failed", title=PLAIN, section=PLAIN, owner=PLAIN, due=days(-2)),
        item("claimed", title=PLAIN, section=PLAIN, owner=PLAIN, due=days(-2)),
        item("waived", title=PLAIN, section="Waivers", owner=PLAIN),
        item("advisory", title=PLAIN, severity="advisory"),
        manual("attested", title=PLAIN, owner=PLAIN),
    )
    whole = replace(whole, title=PLAIN, release=PLAIN, environment=PLAIN)
    words: dict[str, Any] = {"message": PLAIN, "hint": PLAIN, "name": PLAIN, "unit": PLAIN, "limit": 2}
    seen = tuple(Check(verdict=Verdict.FAIL, observed=figure, **words) for figure in (1.5, PLAIN))
    failure = replace(outcome("fail", LOOKED, PLAIN), probe=PLAIN, hint="other", checks=seen)
    proof = Evidence(outcome=failure, run=RUN, item="")
    sworn = Attestation(by=PLAIN, note=PLAIN, at=SAID, item=whole.by_id["attested"].hash)
    facts = {
        "failed": Facts(evidence=proof, reopening=Reopening(by=PLAIN, why=PLAIN, at=hours(-3))),
        "claimed": Facts(claim=Claim(by=PLAIN, on=days(0), action=PLAIN, at=SAID)),
        "waived": Facts(waiver=Waiver(by=PLAIN, why=PLAIN, until=days(3), at=SAID, item="")),
        "advisory": Facts(evidence=proof),
        "attested": Facts(attestation=sworn),
    }
    return view(bound(Status(items=facts), whole), whole, path=PLAIN, changes=(PLAIN,))


def put(value: Any, words: str) -> Any:
    """Return a report, as plain data, in which these words stand for PLAIN."""
    match value:
        case str():
            return value.replace(PLAIN, words)
        case dict():
            return {key: put(entry, words) for key, entry in value.items()}
        case list() | tuple():
            return [put(entry, words) for entry in value]
    return value


def hostile(words: str) -> View:
    """Return the view of every kind of trouble, in which every text from outside says these words."""
    shown = troubled()
    report = msgspec.convert(put(msgspec.to_builtins(shown.report), words), StatusReport)
    return shown._replace(report=report, path=words, changes=(words,))


HOSTILE = (
    "\n::error::forged",
    "\r::error::forged",
    "\u2028::error::forged\x85::warning::x\x0b\x0c\x1c\x1d\x1e::notice::y",
    "100%0A::error::forged, title=x",
    "a | b || c \\| d",
    "|---|---|\n|x|y|",
    "]]> <![CDATA[ &amp; <script>alert('x')</script> <!-- ",
    "`code` ``` ~~~ `",
    "# head\n## head\n\n- [ ] list\n\n    indented\n\n---\n> quote",
    "1. one\n2) two\n===\n***bold*** __x__ ~~gone~~ [a](b) ![c](d) [e]: f <https://example.com>",
    "@owner #12 GH-12 https://example.com/ www.example.com ann@example.com :smile: $x$",
    '"quoted" \\ \\n back\\',
    "\x00 nul \x1b[31mred\x1b[0m \x9b31m \x7f \ufffe\uffff",
    "\ud800 lone \udfff",
    "\u202egnp.exe\u2066\u200f",
    "ends with \\",
    "  spaces\t\u3000 ",
    "",
    "'single' = 5;;;",
    "캐시 서버 🚀",
)
"""Texts that would be obeyed, or would break the form, where somebody forgot to escape them."""

ANY_TEXT = st.text(
    st.characters(exclude_categories=()) | st.sampled_from("|\\`*_<>&[]#@:%,;'\"=~-\n\r\x00\x1b")
)


def shows_success(name: str, written: str) -> bool:
    """Tell whether a reader of a format would take it for a success."""
    match name:
        case "junit":
            root = ET.fromstring(written)  # noqa: S314  # our own
            return not [*root.iter("failure"), *root.iter("error")]
        case "markdown":
            heading = MarkdownIt("commonmark").parse(written)[1].content
            return re.match(r"(GO|PROVEN)\b", heading) is not None
        case "prometheus":
            families = {family.name: family.samples for family in text_string_to_metric_families(written)}
            (sample,) = families.get("gonogo_go") or families["gonogo_proven"]
            return sample.value == 1
        case "nagios":
            return written.startswith("GONOGO OK: ")
        case _:
            return not any(part.startswith("::error") for part in written.splitlines())


@pytest.mark.parametrize("case", VIEWS)
def test_the_views_of_these_tests_have_the_exit_codes_they_claim(case: str) -> None:
    shown, code = VIEWS[case]
    assert shown.code == code


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("case", VIEWS)
def test_every_format_shows_success_exactly_when_the_exit_code_is_0(form: str, case: str) -> None:
    shown, code = VIEWS[case]
    assert shows_success(form, FORMATS[form](shown)) is (code == 0)


@settings(max_examples=150, deadline=None)
@given(worlds(), st.data())
def test_no_format_ever_contradicts_the_exit_code(world: World, data: st.DataObject) -> None:
    ids = [entry.id for entry in world.whole.items]
    chosen = data.draw(
        st.none() | st.lists(st.sampled_from(ids), min_size=1).map(tuple) if ids else st.none()
    )
    shown = view(world.status, world.whole, chosen, now=world.now)
    event(f"{'chosen' if chosen else 'gate'} {shown.code}")
    assert bool(held(shown)) is (shown.code != 0)
    for form, render in FORMATS.items():
        assert shows_success(form, render(shown)) is (shown.code == 0), form


IN_SIGHT = {
    "junit": ('<skipped message="waived until 2025-06-30 by Bob: next week" />', 'value="attested"'),
    "markdown": ("| ≈ waived | cache |", "| ● attested | sign-off |"),
    "prometheus": ('severity="blocker",state="waived"} 1', 'severity="blocker",state="attested"} 1'),
    "nagios": ("waived: cache", "attested=1;"),
    "github": ("title=cache%3A The cache is well::waived until 2025-06-30 by Bob: next week", "1 attested"),
}
"""How each format tells that an item is waived, and that another is attested."""


@pytest.mark.parametrize("form", FORMATS)
def test_a_waived_item_stays_in_sight_and_an_attested_one_looks_like_no_verified_one(form: str) -> None:
    waived, attested = IN_SIGHT[form]
    written = FORMATS[form](view(WAIVED))
    assert waived in written
    assert attested in written
    sensed = checklist(CACHE, item("sign-off"))
    written = FORMATS[form](view(proven(sensed), sensed))
    assert waived not in written
    assert attested not in written


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_makes_a_format_say_another_thing_or_one_that_no_file_can_hold(form: str, words: str) -> None:
    written = FORMATS[form](hostile(words))
    written.encode()
    assert not shows_success(form, written)
    assert written.endswith("\n")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2028\u2029]", written)


@settings(max_examples=50, deadline=None)
@given(ANY_TEXT)
def test_any_text_can_be_written_in_every_format(words: str) -> None:
    for form, render in FORMATS.items():
        written = render(hostile(words))
        written.encode()
        assert not shows_success(form, written), form


def test_what_holds_a_choice_is_told_in_the_words_of_the_gate_and_the_rest_in_its_own() -> None:
    facts = {
        "cache": Facts(waiver=waiver(days(3))),
        "notes": Facts(evidence=evidence(LIST.by_id["notes"], "warn")),
        "sign-off": Facts(),
    }
    status = bound(Status(items=facts), LIST)
    assert [hold.line for hold in held(view(status, chosen=("cache", "notes", "sign-off")))] == [
        "sign-off: nobody has attested it",
        "cache: waived until 2025-06-30 by Bob: next week",
        "notes: open: warn: seen",
    ]


def test_what_the_gate_does_not_say_of_an_item_is_said_by_its_state() -> None:
    whole = checklist(
        item("first"),
        item("waits", severity="advisory", after=("first",)),
        item("claimed", severity="advisory"),
        item("old", severity="advisory"),
    )
    facts = {
        "claimed": Facts(claim=claim()),
        "old": Facts(evidence=evidence(whole.by_id["old"], at=hours(-30))),
    }
    lines = [hold.line for hold in held(view(Status(items=facts), whole, ("waits", "claimed", "old")))]
    assert lines[0] == "waits: inhibited: waits for first"
    assert lines[1] == "claimed: resolved: claimed; its probe has yet to prove it"
    assert lines[2].startswith("old: stale: it passed, but too long ago")


@pytest.mark.parametrize(
    ("words", "said"), [("a\n b", "a b"), ("\x1b[1mx\x1b[0m", "x"), ("\u202ea\u2028b", "a b")]
)
def test_a_text_from_outside_is_one_harmless_line(words: str, said: str) -> None:
    assert one_line(words) == said


@pytest.mark.parametrize(
    ("figure", "value"),
    [(3, 3.0), (1.5, 1.5), (True, None), ("3", None), (None, None), (float("nan"), None), (10**400, None)],
    ids=["int", "float", "bool", "text", "none", "nan", "huge"],
)
def test_a_figure_is_a_number_if_it_is_finite_and_counts(figure: Any, value: float | None) -> None:
    assert number(figure) == value
