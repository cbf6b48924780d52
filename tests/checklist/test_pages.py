import pytest

from checklist.reports import readiness, resolution, status_report
from checklist.reports.blocks import to_html, to_markdown
from checklist.reports.comparison import compare
from checklist.reports.pages import readiness_page, resolution_page
from checklist.reports.readiness import ReadinessCheck
from checklist.reports.resolution import ResolutionReport
from checklist.status import Claim, Facts, Status
from tests.checklist.making import NOW, SAID, bound, checklist, days, evidence, item, waiver
from tests.checklist.test_records_hostile import BROKEN, GOOD, RECORD, RESOLUTION, check


def test_a_readiness_check_says_first_what_matters_most() -> None:
    made = to_markdown(
        readiness_page(check(BROKEN, changes=compare(check(GOOD), check(BROKEN), "before.json")))
    )
    order = [
        "# **✗ NO-GO** TEXT",
        "## What holds the gate",
        "- cache: fails: TEXT",
        "## What has changed",
        "Since the check of 2025-06-27 12:00:00+00:00, which said NO-GO (before\\.json).",
        "- cache broke: verified → reopened: TEXT",
        "## Items",
        "3 items: 1 attested, 1 reopened, 1 inhibited, none verified.",
        "| cache | **✗ reopened** | TEXT | TEXT | 2025-06-25 **2 days late** | TEXT |",
        "## Evidence",
        "### **✗ reopened** **cache** TEXT",
        "| Claimed | by TEXT on 2025-06-27: TEXT |",
        "| TEXT | **✗ fail** | 7 TEXT | 3 TEXT | TEXT → TEXT |",
    ]
    places = [made.find(words) for words in order]
    assert -1 not in places
    assert places == sorted(places)


def test_a_check_says_what_it_could_not_be_compared_with() -> None:
    assert "There is no check before this one to compare with." in to_markdown(readiness_page(check(GOOD)))
    made = to_markdown(readiness_page(check(GOOD, problem="not compared: broken")))
    assert "**?** not compared: broken" in made
    assert "There is no check" not in made
    same = check(GOOD, changes=compare(check(GOOD), check(GOOD), "before.json"))
    assert "Nothing, since the check of" in to_markdown(readiness_page(same))


def test_a_waiver_stays_in_sight_on_the_page() -> None:
    whole = checklist(item("cache"))
    facts = Facts(waiver=waiver(days(3)), evidence=evidence(whole.by_id["cache"], "fail"))
    status = bound(Status(items={"cache": facts}), whole)
    record = readiness.build(status_report.build(whole, status, NOW), run="r", final=False, time=NOW)
    made = to_markdown(readiness_page(record))
    assert made.startswith("# **✗ NO-GO, 1 waived until 2025-06-30** Test\n")
    assert "## What is waived\n\n- **cache** by Bob until 2025-06-30 (UTC): next week\n" in made
    assert "A check of some items, which cannot make GO," in made


def test_a_waiver_that_does_not_hold_says_so_on_both_pages() -> None:
    whole = checklist(item("cache"))
    report = status_report.build(
        whole, bound(Status(items={"cache": Facts(waiver=waiver(days(-1)))}), whole), NOW
    )
    record = readiness.build(report, run="r", final=False, time=NOW)
    for page in (readiness_page(record), resolution_page(resolution.build(report, [], NOW))):
        said = "by Bob until 2025-06-26 (UTC): next week (does not hold: its last day is past)"
        assert f"| Waived | {said} |" in to_markdown(page).replace("\\", "")


def test_what_repairs_an_item_stands_with_it_until_it_is_green() -> None:
    whole = checklist(item("cache", repair="sh fix/cache"))
    pages = []
    for verdict in ("fail", "pass"):
        status = Status(items={"cache": Facts(evidence=evidence(whole.by_id["cache"], verdict))})
        report = status_report.build(whole, bound(status, whole), NOW)
        record = readiness.build(report, run="r", final=False, time=NOW)
        pages.append(to_markdown(readiness_page(record)).replace("\\", ""))
    assert "| Repair | sh fix/cache |" in pages[0]
    assert "Repair" not in pages[1]


def test_one_item_is_counted_as_one() -> None:
    assert "1 item: 1 open, none verified." in resolved(Facts(), 0)


def resolved(facts: Facts, due: int) -> str:
    whole = checklist(item("cache", due=days(due)))
    report = status_report.build(whole, Status(items={"cache": facts}), NOW)
    return to_markdown(resolution_page(resolution.build(report, [], NOW)))


@pytest.mark.parametrize(
    ("due", "words"), [(-2, "2 days late"), (-1, "1 day late"), (0, "on the day"), (3, "3 days early")]
)
def test_the_resolution_report_says_how_early_or_late_an_item_was(due: int, words: str) -> None:
    claimed = Facts(claim=Claim(by="Ann", on=days(0), action="fixed it", at=SAID))
    made = resolved(claimed, due)
    assert f"| Early or late | {words} |" in made
    assert f"| cache | **○ resolved** |  | {days(due)} | 2025-06-27 |" in made
    assert "| Claimed on | 2025-06-27 by Ann |" in made
    assert "| Action taken | fixed it |" in made


def test_a_claim_in_time_that_did_not_last_does_not_look_as_if_all_were_well() -> None:
    facts = Facts(
        claim=Claim(by="Ann", on=days(0), action="fixed it", at=SAID),
        evidence=evidence(item("cache"), "fail"),
    )
    assert "| Early or late | 3 days early, open again |" in resolved(facts, 3)
    assert "| 2025-06-27 | **2 days late, open again** |" in resolved(facts, -2)


def test_what_nothing_was_found_wrong_with_says_whether_anybody_has_looked() -> None:
    assert "| Found | nothing: no probe has looked |" in resolved(Facts(), 0)
    assert "| Found | nothing but passes |" in resolved(
        Facts(evidence=evidence(item("cache", due=days(0)))), 0
    )


def test_the_resolution_report_shows_proof_history_steps_and_links() -> None:
    made = to_markdown(resolution_page(RESOLUTION))
    for words in (
        "| 2025-06-27 10:00:00+00:00 | TEXT | TEXT | TEXT | verdict TEXT |",
        "- ☐ TEXT (not ticked)",
        "- [https:\\//example\\.com/a\\_b?c=1\\&copy=2](<https://example.com/a_b?c=1&amp;copy=2>)",
        "| Found | fail at 2025-06-27 11:00:00+00:00: TEXT |",
        "| Proof | none |",
        "| Reopened | by TEXT at 2025-06-27 03:00:00+00:00: TEXT |",
    ):
        assert words in made
    proof = Facts(evidence=evidence(item("cache", due=days(0))))
    assert "| Proof | 2025-06-27 11:00:00+00:00: seen (0.25 s, run the-final-run) |" in resolved(proof, 0)


@pytest.mark.parametrize("document", [RECORD, RESOLUTION], ids=["readiness", "resolution"])
def test_every_state_has_its_colour_and_its_glyph_and_its_word(
    document: ReadinessCheck | ResolutionReport,
) -> None:
    page = readiness_page(document) if isinstance(document, ReadinessCheck) else resolution_page(document)
    made = to_html(page)
    for words in (
        '<strong class="bad">✗ reopened</strong>',
        '<strong class="wait">· inhibited</strong>',
        '<strong class="word">● attested</strong>',
        '<strong class="good">✓ verified</strong>',
    ):
        assert words in made
