import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from checklist.reports.blocks import one_line
from checklist.reports.prometheus import render
from checklist.reports.view import View
from checklist.status import Facts
from probes.outcome import Check, Figure, Verdict
from tests.checklist.making import (
    CHECKED,
    LOOKED,
    NOW,
    SAID,
    checklist,
    days,
    evidence,
    outcome,
    proven,
    waiver,
)
from tests.checklist.test_format_shared import (
    ANY_TEXT,
    CACHE,
    FAILED,
    HOSTILE,
    LIST,
    UNFINISHED,
    VIEWS,
    WAIVED,
    hostile,
    knowing,
    view,
)

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
HEAD = {"checklist": "Test", "environment": "production"}


def samples(shown: View) -> Series:
    """Return the value of each series; no series may be there twice, no sample may have a timestamp."""
    read = [sample for family in text_string_to_metric_families(render(shown)) for sample in family.samples]
    keys = [(sample.name, frozenset(sample.labels.items())) for sample in read]
    assert [key for key, count in Counter(keys).items() if count > 1] == []
    assert not any(sample.timestamp for sample in read)
    return dict(zip(keys, (sample.value for sample in read), strict=True))


def value(shown: View, name: str, **labels: str) -> float | None:
    return samples(shown).get((name, frozenset((HEAD | labels).items())))


def checked(*checks: tuple[str, Figure]) -> View:
    """Return a view of a cache whose evidence has these figures, of a limit of 2."""
    lines = tuple(Check(name=name, verdict=Verdict.PASS, observed=seen, limit=2) for name, seen in checks)
    proof = replace(evidence(CACHE), outcome=replace(outcome(at=LOOKED), checks=lines))
    return view(knowing("cache", Facts(evidence=proof)))


def test_the_gate_or_the_choice_is_one_figure() -> None:
    assert value(view(proven(LIST)), "gonogo_go") == 1
    assert value(view(UNFINISHED), "gonogo_go") == 0
    assert value(view(UNFINISHED), "gonogo_reasons") == 1
    chosen = view(UNFINISHED, chosen=("cache",))
    assert (value(chosen, "gonogo_proven"), value(chosen, "gonogo_go")) == (1, None)


def test_items_are_counted_by_state_and_every_state_has_a_figure() -> None:
    shown = view(WAIVED)
    found = {state: value(shown, "gonogo_items", state=state) for state in ("waived", "attested", "open")}
    assert found == {"waived": 1, "attested": 1, "open": 0}


def test_an_item_has_its_state_delay_verdict_and_times() -> None:
    shown = view(WAIVED)
    kind = {"section": "House", "owner": "Ann", "severity": "blocker", "state": "waived"}
    assert value(shown, "gonogo_item_state", item="cache", **kind) == 1
    assert value(shown, "gonogo_item_verdict", item="cache", verdict="fail") == 1
    assert value(shown, "gonogo_item_late_seconds", item="cache") == 0
    assert value(view(FAILED), "gonogo_item_late_seconds", item="cache") == 2 * 86_400
    assert value(shown, "gonogo_item_evidence_timestamp_seconds", item="cache") == LOOKED.timestamp()
    assert value(shown, "gonogo_item_evidence_duration_seconds", item="cache") == 0.25
    assert value(shown, "gonogo_item_attestation_timestamp_seconds", item="sign-off") == SAID.timestamp()
    assert value(shown, "gonogo_final_check_timestamp_seconds") == CHECKED.timestamp()


def test_a_waiver_ends_with_its_last_day_in_its_zone() -> None:
    name = "gonogo_item_waiver_end_timestamp_seconds"
    end = NOW.replace(hour=23, minute=59, second=59).timestamp() + 3 * 86_400
    assert value(view(WAIVED), name, item="cache") == end
    seoul = Facts(waiver=replace(waiver(days(3)), zone="Asia/Seoul"))
    assert value(view(knowing("cache", seoul)), name, item="cache") == end - 9 * 3600
    for_ever = Facts(waiver=replace(waiver(days(3)), until=days(0).max))
    assert value(view(knowing("cache", for_ever)), name, item="cache") is not None


def test_figures_are_held_against_their_limits_and_a_yes_is_no_figure() -> None:
    shown = checked(("memory", 1.5), ("on", True), ("policy", "lru"), ("count", 10**18))
    observed = {
        name: value(shown, "gonogo_check_observed", item="cache", check=name) for name in ("memory", "count")
    }
    assert observed == {"memory": 1.5, "count": 1e18}
    assert value(shown, "gonogo_check_limit", item="cache", check="memory") == 2
    assert not [
        key for key in samples(shown) if key[0] == "gonogo_check_observed" and ("check", "on") in key[1]
    ]
    unit = {"item": "notes", "check": "said", "unit": "s"}
    assert value(shown, "gonogo_check_observed", **unit) == 1.5


def test_checks_of_one_name_are_numbered() -> None:
    names = ("disk", "disk", "disk 2", "disk\n", "", "")
    shown = checked(*((name, float(place)) for place, name in enumerate(names)))
    found = {
        dict(labels).get("check", ""): seen
        for (name, labels), seen in samples(shown).items()
        if name == "gonogo_check_observed" and ("item", "cache") in labels
    }
    assert found == {"disk": 0, "disk 2": 1, "disk 2 2": 2, "disk 3": 3, "": 4, "2": 5}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["a", "a 2", "a 2 2", "a 3", " a", ""]), max_size=8))
def test_no_names_make_a_series_twice(names: list[str]) -> None:
    found = samples(checked(("first", 1.0), *((name, 1.0) for name in names)))
    assert sum(name == "gonogo_check_observed" for name, _ in found) == len(names) + 1 + 1


@pytest.mark.parametrize("case", VIEWS)
def test_help_and_type_are_written_once_and_before_their_series(case: str) -> None:
    lines = render(VIEWS[case][0]).splitlines()
    names = [re.split(r"[{ ]", part)[0] for part in lines if not part.startswith("#")]
    assert list(dict.fromkeys(names)) == [part.split()[2] for part in lines if part.startswith("# TYPE")]
    assert [part.split()[2] for part in lines if part.startswith("# HELP")] == list(dict.fromkeys(names))
    groups = [name for place, name in enumerate(names) if not place or names[place - 1] != name]
    assert len(groups) == len(set(groups))


@settings(max_examples=100, deadline=None)
@given(ANY_TEXT | st.sampled_from(HOSTILE))
def test_any_text_is_a_label_that_is_read_back_as_it_was_said(words: str) -> None:
    found = [labels for name, labels in samples(hostile(words)) if name == "gonogo_item_state"]
    assert len(found) == 5
    owners = {dict(labels).get("owner", "") for labels in found if ("item", "failed") in labels}
    assert owners == {one_line(words)}


def test_a_checklist_without_a_name_for_its_environment_has_no_such_label() -> None:
    whole = replace(checklist(*LIST.items), environment="")
    assert 'gonogo_go{checklist="Test"} 0\n' in render(view(proven(LIST), whole))


def test_names_have_no_unit_but_seconds() -> None:
    """What `promtool check metrics` asks for: base units, and what belongs to other types left to them."""
    names = re.findall(r"^# TYPE (\S+) gauge$", render(view(FAILED)), re.MULTILINE)
    words = {word for name in names for word in name.split("_")}
    assert "seconds" in words
    assert not words & {"minutes", "hours", "days", "weeks", "s", "ms", "m", "h", "d", "gauge", "counter"}
    assert not [name for name in names if name.endswith(("_total", "_count", "_sum", "_bucket", "_info"))]
