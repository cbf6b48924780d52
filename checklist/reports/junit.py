"""JUnit XML: a test suite a section, a test case an item, for whatever reads test results.

Well-formed XML 1.0 whatever the texts hold. An item that is not proven is an `error` if its probe could not
tell, or else a `failure`; one that is waived or advisory, and so holds nothing, is `skipped`.
"""

import re
from collections.abc import Iterable
from datetime import UTC
from xml.etree import ElementTree as ET

from checklist.reports.blocks import one_line
from checklist.reports.status_report import ItemReport
from checklist.reports.text import said
from checklist.reports.view import Hold, View, due, excused, found, held, number, sections
from probes.clean import strip
from probes.outcome import Verdict

_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write (its production `Char`)."""


def render(view: View) -> str:
    """Return the report as JUnit XML."""
    holds = held(view)
    failing = {hold.item.id: hold for hold in holds if hold.item}
    skipped = {hold.item.id: hold for hold in excused(view) if hold.item}
    root = ET.Element("testsuites", name=_line(view.report.checklist.title))
    for section, items in sections(view.report.items).items():
        cases = [_case(item, failing.get(item.id), skipped.get(item.id), view) for item in items]
        _suite(root, section, cases, view)
    untied = [hold.words for hold in holds if hold.item is None]
    if untied:
        case = ET.Element("testcase", classname="gate", name="gate", time="0.000")
        _result(case, "failure", "gate", "; ".join(untied), untied)
        _suite(root, "gate", [case], view)
    _count(root, list(root.iter("testcase")))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(root: ET.Element, name: str, cases: list[ET.Element], view: View) -> None:
    suite = ET.SubElement(root, "testsuite", name=_line(name))
    # The schema knows no time zone here.
    suite.set("timestamp", view.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"))
    _count(suite, cases)
    suite.extend(cases)


def _count(element: ET.Element, cases: list[ET.Element]) -> None:
    element.set("tests", str(len(cases)))
    for name, kind in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(name, str(sum(case.find(kind) is not None for case in cases)))
    element.set("time", f"{sum(float(case.attrib['time']) for case in cases):.3f}")


def _case(item: ItemReport, failing: Hold | None, skipped: Hold | None, view: View) -> ET.Element:
    case = ET.Element("testcase", classname=_line(item.section), name=_line(f"{item.id}: {item.title}"))
    duration = number(item.evidence.duration) if item.evidence else None
    case.set("time", f"{duration or 0:.3f}")
    properties = ET.SubElement(case, "properties")
    facts = {"state": item.state.value, "severity": item.severity, "owner": item.owner, "due": due(item)}
    for name, value in facts.items():
        if value:
            ET.SubElement(properties, "property", name=name, value=_line(value))
    lines = [*said(item), *found(item, view.now)]
    if failing and item.evidence and item.evidence.verdict is Verdict.UNKNOWN:
        _result(case, "error", str(item.evidence.reason), failing.words, lines)
    elif failing:
        _result(case, "failure", item.state, failing.words, lines)
    elif skipped:
        ET.SubElement(case, "skipped", message=_line(skipped.words))
    if lines:
        ET.SubElement(case, "system-out").text = _text(lines)
    return case


def _result(case: ET.Element, kind: str, type_: str, words: str, lines: Iterable[str]) -> None:
    ET.SubElement(case, kind, type=type_, message=_line(words)).text = _text(lines)


def _line(words: str) -> str:
    return _FORBIDDEN.sub("", one_line(words))


def _text(lines: Iterable[str]) -> str:
    # What is indented belongs to the line above, so the spaces stay.
    cleaned = (" ".join(strip(words).splitlines()) for words in lines)
    return _FORBIDDEN.sub("", "\n".join(cleaned))
