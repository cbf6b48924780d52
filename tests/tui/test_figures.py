import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from checklist import glyphs
from checklist.reports.trend import Point
from tests.checklist.making import hours, item
from tests.tui.showing import check, found, shown
from tui.widgets.evidence import bar, copied, figures, sparkline, took

TIRED = item(cause="too little memory", steps=("Grow it", "Look again"), owner="Ann", repair="grow --by 2G")
FULL = check("memory", "fail", observed=91, unit="%", limit=80, message="Memory at 91 %.", hint="Grow it.")
WELL = check("clients", observed=12, limit=100, message="12 clients.")


@pytest.fixture(autouse=True)
def _same_glyphs() -> Iterator[None]:
    glyphs.choose(unicode=True)
    yield
    glyphs.choose(unicode=True)


@pytest.mark.parametrize(
    ("observed", "limit", "verdict", "drawn"),
    [
        (0, 10, "pass", "───────┃──"),
        (0.001, 10, "pass", "━──────┃──"),
        (5, 10, "pass", "━━━────┃──"),
        (9.99, 10, "pass", "━━━━━━─┃──"),
        (10, 10, "pass", "━━━━━━━┃──"),
        (10.01, 10, "warn", "━━━━━━━!━─"),
        (1e300, 1e-300, "fail", "━━━━━━━✗━━"),
        # A limit may be the least there is to be.
        (30, 14, "pass", "━━━━━━━┃━━"),
        (3, 14, "fail", "━──────✗──"),
        (-3, 14, "fail", "───────✗──"),
        (0, 0, "pass", None),
        (1, 0, "fail", None),
        (-1, 0, "fail", None),
        (5, 10, "unknown", "━━━────?──"),
        (5, -10, "pass", None),
        (math.nan, 10, "fail", None),
        (5, math.inf, "pass", None),
        (10**400, 10, "fail", None),
        (True, 1, "pass", None),
        ("5", 10, "pass", None),
        (None, 10, "pass", None),
        (5, None, "pass", None),
    ],
)
def test_a_bar_holds_a_figure_against_its_limit(
    observed: Any, limit: Any, verdict: str, drawn: str | None
) -> None:
    line = bar(check(verdict=verdict, observed=observed, limit=limit))
    assert (line.plain if line else None) == drawn


@pytest.mark.parametrize(
    ("observed", "limit", "verdict", "said"),
    [
        # Room that is free must not read as room that is used up.
        (94, 15, "pass", "94 % / ≥ 15 %"),
        (3, 15, "fail", "3 % / ≥ 15 %"),
        (3, 15, "pass", "3 % / 15 %"),
        (94, 15, "fail", "94 % / 15 %"),
        (15, 15, "pass", "15 % / 15 %"),
        # Nearly too much or nearly too little: it does not show which.
        (14, 15, "warn", "14 % / 15 %"),
        (94, None, "pass", "94 %"),
    ],
)
def test_a_limit_that_is_the_least_there_is_to_be_says_so(
    observed: int, limit: int | None, verdict: str, said: str
) -> None:
    line = figures(check(verdict=verdict, observed=observed, limit=limit, unit="%"))
    assert line
    assert line.plain == said


@given(
    st.floats() | st.integers(),
    st.floats(min_value=0, allow_infinity=False),
    st.integers(min_value=4, max_value=60),
)
def test_a_bar_is_as_wide_as_asked_for_and_what_goes_beyond_the_limit_is_seen(
    observed: float, limit: float, cells: int
) -> None:
    line = bar(check(observed=observed, limit=limit), cells)
    if line is not None:
        before, _mark, beyond = line.plain.partition("┃")
        assert line.cell_length == cells
        assert ("━" in beyond) is (float(observed) > limit)
        assert ("━" in before) is (observed > 0 and limit > 0)
        assert ("─" in before) is (float(observed) < limit and limit > 0)


def over(*values: float) -> tuple[Point, ...]:
    return tuple(Point(hours(number), value) for number, value in enumerate(values))


@pytest.mark.parametrize(
    ("values", "limit", "drawn"),
    [
        ((), None, ""),
        ((1, 2), None, ""),
        ((1, 2, 3), None, "▁▅█"),
        ((3, 2, 1), None, "█▅▁"),
        ((5, 5, 5), 10, "▁▁▁"),
        ((0, 0, 0), 0, "▁▁▁"),
        # Noise is no storm.
        ((50, 50.01, 50), 100, "▁▁▁"),
        ((-1e308, 0, 1e308), None, "▁▅█"),
        ((5e-324, 0, 5e-324), 5e-324, "▁▁▁"),
    ],
)
def test_a_trend_is_drawn_from_its_least_to_its_most(values: Any, limit: Any, drawn: str) -> None:
    assert sparkline(over(*values), limit) == drawn


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20), st.none() | st.floats(0, 1e300)
)
def test_every_point_of_a_trend_is_one_cell(values: list[float], limit: float | None) -> None:
    assert cell_len(sparkline(over(*values), limit)) == (len(values) if len(values) > 2 else 0)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0004, "0 ms"), (0.25, "250 ms"), (2.5, "2.5 s"), (600, "10.0 min")]
)
def test_how_long_a_run_took_is_said_in_a_fitting_unit(seconds: float, words: str) -> None:
    assert took(seconds) == f"took {words}"


def test_what_is_copied_is_what_the_command_prints_and_what_repairs_it() -> None:
    report = shown(found(FULL, WELL, hint="Grow it.", summary="Memory at 91 %."), TIRED)
    assert copied(report) == (
        "✗ cache: fail: Memory at 91 %.\n"
        "  → Grow it.\n"
        "  ✗ memory  91 % (limit 80 %)  Memory at 91 %.\n"
        "  ✓ clients  12 (limit 100)  12 clients.\n"
        "  → grow --by 2G\n"
    )
    assert copied(report, FULL) == "✗ cache: memory  91 % (limit 80 %)  Memory at 91 %.\n  → Grow it.\n"
    assert copied(shown()) == "□ cache: not run\n"


def test_no_terminal_obeys_what_is_copied() -> None:
    evil = "a\x1b]52;c;aGk=\x07b\x9b31m\tc\nrm -rf\r\x00\u202e"
    line = check(evil, "fail", observed=evil, message=evil, hint=evil)
    report = shown(found(line, summary=evil, hint=evil), item(repair=evil))
    for text in (copied(report), copied(report, line)):
        assert text.replace("\n", "").isprintable()
        assert not any(line.startswith("rm") for line in text.splitlines())
