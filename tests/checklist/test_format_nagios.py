import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from checklist.lifecycle import State
from checklist.reports.nagios import render
from checklist.reports.view import View
from checklist.status import Facts, Status
from tests.checklist.making import checklist, days, evidence, hours, item, outcome, proven, waiver
from tests.checklist.test_format_shared import (
    ANY_TEXT,
    CACHE,
    DOUBTFUL,
    FAILED,
    HOSTILE,
    LIST,
    UNFINISHED,
    WAIVED,
    hostile,
    knowing,
    view,
)

# Monitoring Plugins Development Guidelines, "Performance data"; our labels need no quotes.
FIGURE = re.compile(r"[a-z_]+=-?[0-9.]+s?;;;0(;[0-9]+)?")


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (view(proven(LIST)), "GONOGO OK: GO"),
        (view(FAILED), "GONOGO WARNING: NO-GO, cache: fails: seen"),
        (view(DOUBTFUL), "GONOGO UNKNOWN: NO-GO, cache: could not tell: seen"),
        (view(WAIVED), "GONOGO OK: GO, 1 waived until 2025-06-30, waived: cache"),
        (view(UNFINISHED), "GONOGO WARNING: NO-GO, no final check has run"),
        (view(Status()), "GONOGO WARNING: NO-GO, cache: its probe has never run (and 2 more)"),
        (view(UNFINISHED, chosen=("cache",)), "GONOGO OK: PROVEN"),
        (view(FAILED, chosen=("cache", "notes")), "GONOGO WARNING: NOT PROVEN, cache: fails: seen"),
        (view(DOUBTFUL, chosen=("cache",)), "GONOGO UNKNOWN: NOT PROVEN, cache: could not tell: seen"),
    ],
    ids=["go", "fails", "doubt", "waived", "no check", "nothing", "proven", "not proven", "chosen doubt"],
)
def test_the_word_follows_the_exit_code_and_the_heaviest_reason_is_named(shown: View, said: str) -> None:
    assert render(shown).partition(" | ")[0] == said


def test_the_figures_are_counts_by_state_the_oldest_evidence_and_the_longest_delay() -> None:
    older = Facts(evidence=evidence(CACHE, "fail", hours(-2)))
    figures = render(view(knowing("cache", older))).partition(" | ")[2].split()
    assert figures[: len(State)] == [
        f"{state}={count};;;0;3" for state, count in zip(State, (1, 1, 0, 0, 0, 0, 0, 1), strict=True)
    ]
    assert figures[len(State) :] == ["oldest_evidence=7200s;;;0", "days_late=2;;;0"]


def test_without_evidence_there_is_no_age_and_from_the_future_it_has_none() -> None:
    assert "oldest_evidence" not in render(view(Status()))
    whole = checklist(item("cache"))
    early = Status(items={"cache": Facts(evidence=evidence(whole.items[0], at=hours(1)))})
    assert "oldest_evidence=0s;" in render(view(early, whole))


def is_sound(written: str) -> None:
    """Hold a line against the guidelines."""
    assert len(written.encode()) < 4096
    assert written.endswith("\n")
    assert len(written.splitlines()) == 1
    words, bar, figures = written.rstrip("\n").partition(" | ")
    assert (bar, "|" in words, "\\" in words) == (" | ", False, False)
    assert [figure for figure in figures.split(" ") if not FIGURE.fullmatch(figure)] == []


@settings(max_examples=100, deadline=None)
@given(ANY_TEXT | st.sampled_from(HOSTILE))
def test_any_text_gives_one_line_with_figures_that_are_ours(words: str) -> None:
    is_sound(render(hostile(words)))


@pytest.mark.parametrize("letter", ["x", "|", "🚀"])
def test_the_line_stays_below_4_kib_and_the_figures_are_whole(letter: str) -> None:
    names = [f"{place:04}".ljust(64, "x") for place in range(1000)]
    whole = checklist(item("cache"), *(item(name) for name in names))
    long = replace(evidence(whole.items[0]), outcome=outcome("fail", hours(-1), letter * 5000))
    given_ = {name: Facts(waiver=replace(waiver(days(3)), item=whole.by_id[name].hash)) for name in names}
    written = render(view(Status(items={**given_, "cache": Facts(evidence=long)}), whole))
    is_sound(written)
    assert "…" in written
    assert "waived=1000;;;0;1001" in written
    assert "(and 1 more)" in written
