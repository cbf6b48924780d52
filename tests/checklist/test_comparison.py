import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from checklist.definition import Checklist
from checklist.lifecycle import GREEN
from checklist.reports import readiness, status_report
from checklist.reports.comparison import Comparison, compare, sentences
from checklist.reports.readiness import ReadinessCheck
from checklist.status import Evidence, Facts, Status
from probes.outcome import Check, Figure, Outcome, Verdict, worst
from tests.checklist.making import LOOKED, NOW, RUN, checklist, claim, evidence, item, manual, proven
from tests.checklist.test_gate_properties import World, worlds

LIST = checklist(item("cache"), item("jobs"), manual("sign-off"))
CACHE = LIST.by_id["cache"]


def check(status: Status, whole: Checklist = LIST, run: str = "run-2") -> ReadinessCheck:
    return readiness.build(status_report.build(whole, status, NOW), run=run, final=True, time=NOW)


def compared(before: Status, after: Status, whole: Checklist = LIST) -> Comparison:
    return compare(check(before, run="run-1"), check(after, whole), "before.json")


def seen(*checks: Check) -> Status:
    """Return the good status with this evidence about the cache."""
    verdict = worst(line.verdict for line in checks)
    found = Outcome(probe="p", verdict=verdict, summary="seen", checks=checks, started_at=LOOKED)
    return proven(LIST).having("cache", Facts(evidence=Evidence(outcome=found, run=RUN, item=CACHE.hash)))


def line(
    observed: Figure,
    verdict: str = "pass",
    name: str = "memory",
    unit: str | None = "B",
    limit: Figure = 100,
) -> Check:
    return Check(name=name, verdict=Verdict(verdict), observed=observed, unit=unit, limit=limit)


def test_a_comparison_names_the_check_it_is_made_with() -> None:
    found = compared(proven(LIST), proven(LIST))
    assert found == Comparison(previous="before.json", run="run-1", time=NOW, verdict="GO")
    assert sentences(found) == ()


def test_what_was_green_and_is_not_broke_and_the_reverse_is_fixed() -> None:
    broken = proven(LIST).having("cache", Facts(evidence=evidence(CACHE, "fail"), last_pass=LOOKED))
    found = compared(proven(LIST), broken)
    assert [(one.item, one.before, one.after) for one in found.broke] == [("cache", "verified", "reopened")]
    assert (found.fixed, found.changed, found.verdict) == ((), (), "GO")
    assert sentences(found) == (
        "cache broke: verified → reopened: seen",
        "cache said: pass → fail",
    )
    found = compared(broken, proven(LIST))
    assert [(one.item, one.before, one.after) for one in found.fixed] == [("cache", "reopened", "verified")]
    assert (found.broke, found.changed, found.verdict) == ((), (), "NO-GO")
    assert sentences(found)[0] == "cache fixed: reopened → verified"


def test_a_state_that_is_another_but_as_green_has_changed() -> None:
    found = compared(Status(), Status(items={"cache": Facts(claim=claim())}))
    assert (found.broke, found.fixed) == ((), ())
    assert sentences(found) == ("cache changed: open → resolved",)


def test_items_that_came_and_went_are_told() -> None:
    whole = checklist(CACHE, item("new"), item("waits", after=("new",)), manual("sign-off"))
    said = sentences(compared(proven(LIST), proven(LIST), whole))
    assert said == (
        "new is new: open",
        "waits is new: inhibited: waits for new",
        "jobs is gone: it was verified",
        "the checklist was edited since the check before",
    )


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (line(100), line(110), "cache memory: 100 B → 110 B"),
        (line(100), line(109.9), None),
        (line(100), line(90), "cache memory: 100 B → 90 B"),
        (line(0), line(10), "cache memory: 0 B → 10 B"),
        (line(0), line(0), None),
        # What matters is the way to the limit, not the way it has come.
        (line(0.2), line(0.4), None),
        (line(1000), line(1010), "cache memory: 1000 B → 1010 B"),
        (line(1, limit=-100), line(11, limit=-100), "cache memory: 1 B → 11 B"),
        (line(1, limit=0), line(2, limit=0), "cache memory: 1 B → 2 B"),
        (line(100, limit=None), line(500, limit=None), None),
        (line(100, limit="few"), line(500, limit="few"), None),
        (line(1258291), line(2097152), "cache memory: 1.2 MiB → 2.0 MiB"),
        (line(100), line(101, "fail"), "cache memory: 100 B → 101 B, pass → fail"),
        (line(100), line(100, "fail"), "cache memory: pass → fail"),
        (line(2.001), line(2.002, "fail"), "cache memory: pass → fail"),
        (line("lru", unit=None), line("lfu", unit=None), None),
        (line("lru", unit=None), line("no", "fail", unit=None), "cache memory: lru → no, pass → fail"),
        (line("lru", unit=None), line("lru", "fail", unit=None), "cache memory: pass → fail"),
        (line(True, unit=None), line(False, unit=None), None),
        (line(True, unit=None), line(False, "fail", unit=None), "cache memory: True → False, pass → fail"),
        (line(None), line(5, "fail"), "cache memory: nothing → 5 B, pass → fail"),
        (line(None), line(None, "fail"), "cache memory: pass → fail"),
        (line(100), line(500, unit="s"), None),
        (line(100), line(500, name="clients"), None),
    ],
)
def test_a_figure_is_told_when_it_moved_by_a_tenth_of_its_limit_or_its_verdict_turned(
    before: Check, after: Check, told: str | None
) -> None:
    found = compared(seen(before), seen(after))
    assert [one for one in sentences(found) if "memory" in one] == ([told] if told else [])


def test_lines_of_one_name_are_paired_by_their_order() -> None:
    before = seen(line(100), line(7, name="other"), line(200))
    after = seen(line(7, name="other"), line(100), line(400), line(9))
    moved = compared(before, after).moved
    assert [(one.check, one.before, one.after) for one in moved] == [("memory", 200, 400)]


def test_an_item_that_was_never_looked_at_has_no_figures() -> None:
    assert compared(Status(), proven(LIST)).moved == ()


@pytest.mark.parametrize("end", ["\n", "\x85", "\x1b[2J", "\u202e"], ids=ascii)
def test_a_sentence_is_one_harmless_line(end: str) -> None:
    forged = replace(line(100, "fail", name=f"a{end}b"), message=f"x{end}y")
    found = compared(seen(line(1, name=f"a{end}b")), seen(forged))
    assert found.moved
    assert all(said.isprintable() for said in sentences(found))


def test_it_is_told_when_the_checklist_was_edited_in_between() -> None:
    # A limit that was raised is no repair.
    whole = checklist(item("cache", title="It asks for less"), *LIST.items[1:])
    found = compared(proven(LIST), proven(whole), whole)
    assert found.edited
    assert sentences(found) == ("the checklist was edited since the check before",)


@settings(max_examples=100, deadline=None)
@given(worlds(), worlds())
def test_every_item_is_told_of_once_at_most_and_by_its_own_states(before: World, after: World) -> None:
    old, new = (check(world.status, world.whole) for world in (before, after))
    found = compare(old, new, "before.json")
    states = [{one.id: one.state for one in record.items} for record in (old, new)]
    told = [*found.broke, *found.fixed, *found.changed, *found.added, *found.gone]
    assert len({one.item for one in told}) == len(told)
    assert {one.item for one in told} == {
        name for name in {**states[0], **states[1]} if states[0].get(name) != states[1].get(name)
    }
    for one in told:
        assert (one.before, one.after) == (states[0].get(one.item), states[1].get(one.item))
    assert all(one.before in GREEN and one.after not in GREEN for one in found.broke)
    assert all(one.before not in GREEN and one.after in GREEN for one in found.fixed)
    assert found.edited is (before.whole.hash != after.whole.hash)
    assert len(sentences(found)) == len(told) + len(found.moved) + found.edited
