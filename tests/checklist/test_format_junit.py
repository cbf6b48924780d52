from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from junitparser import Error, Failure, JUnitXml, Skipped
from msgspec.structs import replace

from checklist.reports.junit import render
from checklist.reports.view import View
from checklist.status import Facts, Status
from tests.checklist.making import checklist, evidence, item, outcome, proven
from tests.checklist.test_format_shared import (
    ANY_TEXT,
    CACHE,
    DEGRADED,
    DOUBTFUL,
    FAILED,
    HOSTILE,
    UNFINISHED,
    VIEWS,
    WAIVED,
    hostile,
    knowing,
    view,
)


def parsed(shown: View) -> ET.Element:
    return ET.fromstring(render(shown).encode())  # noqa: S314  # our own


def case_of(shown: View, name: str) -> ET.Element:
    (found,) = [
        case for case in parsed(shown).iter("testcase") if case.attrib["name"].startswith(f"{name}: ")
    ]
    return found


def test_a_suite_is_a_section_and_a_case_an_item() -> None:
    root = parsed(view(FAILED))
    assert [(suite.attrib["name"], len(suite)) for suite in root] == [("House", 2), ("General", 1)]
    case = root[0][0]
    assert case.attrib == {"classname": "House", "name": "cache: The cache is well", "time": "0.250"}
    assert {entry.attrib["name"]: entry.attrib["value"] for entry in case.iter("property")} == {
        "state": "open",
        "severity": "blocker",
        "owner": "Ann",
        "due": "2025-06-25, 2 days late",
    }


def test_an_item_that_holds_is_a_failure_with_its_evidence() -> None:
    case = case_of(view(FAILED), "cache")
    failure, said = case.find("failure"), case.findtext("system-out")
    assert failure is not None
    assert failure.attrib == {"type": "open", "message": "fails: seen"}
    assert failure.text == said == "✗ test-async: fail: seen (60 min ago)\n  ✗ said  1.5 s (limit 2 s)  seen"


def test_an_item_whose_probe_could_not_tell_is_an_error_by_its_reason() -> None:
    error = case_of(view(DOUBTFUL), "cache").find("error")
    assert error is not None
    assert error.attrib == {"type": "timeout", "message": "could not tell: seen"}


@pytest.mark.parametrize(
    ("status", "name", "message"),
    [
        (WAIVED, "cache", "waived until 2025-06-30 by Bob: next week"),
        (DEGRADED, "notes", "open: warn: seen"),
        (knowing("notes", Facts()), "notes", "open: not proven"),
    ],
    ids=["waived", "advisory degraded", "advisory never run"],
)
def test_an_item_that_is_not_proven_and_holds_nothing_is_skipped(
    status: Status, name: str, message: str
) -> None:
    skipped = case_of(view(status), name).find("skipped")
    assert skipped is not None
    assert skipped.attrib == {"message": message}


def test_every_chosen_item_has_to_be_proven() -> None:
    waived = case_of(view(WAIVED, chosen=("cache",)), "cache").find("failure")
    assert waived is not None
    assert waived.attrib["message"] == "waived until 2025-06-30 by Bob: next week"
    assert case_of(view(DEGRADED, chosen=("notes",)), "notes").find("failure") is not None


def test_what_no_item_shows_is_a_case_of_its_own() -> None:
    *_, last = parsed(view(UNFINISHED))
    assert (last.attrib["name"], len(last)) == ("gate", 1)
    failure = last[0].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "no final check has run"
    assert [suite.attrib["name"] for suite in parsed(view(UNFINISHED, chosen=("cache",)))] == ["House"]


def test_an_item_that_the_final_check_did_not_prove_fails_itself() -> None:
    status = knowing("cache", Facts(evidence=evidence(CACHE, run="another")))
    failure = case_of(view(status), "cache").find("failure")
    assert failure is not None
    assert failure.attrib == {
        "type": "verified",
        "message": "the final check did not prove it: its proof is from another run",
    }


@pytest.mark.parametrize("case", VIEWS)
def test_junitparser_counts_what_the_attributes_say(case: str, tmp_path: Path) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(render(VIEWS[case][0]).encode())
    read = JUnitXml.fromfile(str(path))
    for suite in [*read, read]:
        said = (suite.tests, suite.failures, suite.errors, suite.skipped, suite.time)
        suite.update_statistics()
        assert said == (suite.tests, suite.failures, suite.errors, suite.skipped, suite.time)


def test_junitparser_reads_results_and_output() -> None:
    waived, doubtful, failed = (
        next(iter(next(iter(JUnitXml.fromstring(render(view(status)).encode())))))
        for status in (WAIVED, DOUBTFUL, FAILED)
    )
    assert [type(case.result[0]) for case in (waived, doubtful, failed)] == [Skipped, Error, Failure]
    assert "waived by Bob until 2025-06-30: next week" in waived.system_out


def shape(shown: View) -> list[tuple[str, tuple[str, ...]]]:
    return [(element.tag, tuple(element.attrib)) for element in parsed(shown).iter()]


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_changes_the_elements(words: str) -> None:
    bare = [entry for entry in shape(hostile(words)) if entry[0] != "property"]
    assert bare == [entry for entry in shape(hostile("plain")) if entry[0] != "property"]


@settings(max_examples=100, deadline=None)
@given(ANY_TEXT)
def test_any_text_gives_well_formed_xml(words: str) -> None:
    assert [entry[0] for entry in shape(hostile(words)) if entry[0] == "testcase"] == ["testcase"] * 6


def test_a_text_is_read_back_as_it_was_said() -> None:
    words = "]]> <b> & \"quoted\" 'x' 캐시 🚀 \\"
    assert case_of(hostile(words), "failed").attrib["name"] == f"failed: {words}"


def test_a_duration_that_is_no_number_counts_as_none() -> None:
    proof = evidence(CACHE)
    odd = replace(proof, outcome=replace(outcome(), duration=float("nan")))
    assert case_of(view(knowing("cache", Facts(evidence=odd))), "cache").attrib["time"] == "0.000"


def test_sections_that_come_and_go_are_one_suite_each() -> None:
    whole = checklist(item("a", section="A"), item("b", section="B"), item("c", section="A"))
    root = parsed(view(proven(whole), whole))
    assert [[case.attrib["name"][0] for case in suite] for suite in root] == [["a", "c"], ["b"]]
