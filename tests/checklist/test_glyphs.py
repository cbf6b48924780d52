import pytest
from rich.cells import cell_len

from checklist.glyphs import ASCII, UNICODE, Glyphs, choose, glyphs
from checklist.language import is_utf8
from checklist.lifecycle import State
from probes.outcome import Verdict

SETS = pytest.mark.parametrize("one", [UNICODE, ASCII], ids=["unicode", "ascii"])


@SETS
def test_every_state_and_every_verdict_has_a_glyph_of_its_own_in_one_cell(one: Glyphs) -> None:
    for kind, found in ((State, one.states), (Verdict, one.verdicts)):
        assert set(found) == set(kind)
        assert len(set(found.values())) == len(found)
        assert {cell_len(glyph) for glyph in found.values()} == {1}


@SETS
def test_what_is_drawn_in_columns_has_the_width_that_it_says(one: Glyphs) -> None:
    assert cell_len(one.branch) == 2
    for single in (one.full, one.rest, one.mark, one.dot, one.cursor, *one.spinner, *one.heights):
        assert cell_len(single) == 1
    assert {cell_len(box) for box in one.boxes} == {3}


@SETS
def test_the_frame_of_the_panel_with_the_cursor_is_another_one_without_colour_too(one: Glyphs) -> None:
    assert [cell_len(part) for part in one.frame] == [1] * 6
    assert [cell_len(part) for part in one.frame_here] == [1] * 6
    assert one.frame[4:] != one.frame_here[4:]


def test_the_ascii_set_is_ascii() -> None:
    for part in ASCII:
        assert (str(part) if not hasattr(part, "values") else "".join(part.values())).isascii()


@pytest.mark.parametrize(
    ("environment", "utf8"),
    [
        ({"LANG": "ko_KR.UTF-8"}, True),
        ({"LANG": "C.utf8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LC_CTYPE": "en_US.UTF-8", "LANG": "C"}, True),
        ({"LANG": "ko_KR.eucKR"}, False),
        ({}, False),
    ],
)
def test_the_name_of_the_locale_tells_which_set_the_terminal_shows(
    environment: dict[str, str], *, utf8: bool
) -> None:
    assert is_utf8(environment, coerced=False) is utf8


def test_a_c_locale_that_python_has_made_utf8_stays_a_c_locale() -> None:
    assert not is_utf8({"LC_CTYPE": "C.UTF-8"}, coerced=True)


def test_a_set_can_be_chosen_by_hand() -> None:
    try:
        choose(unicode=False)
        assert glyphs() is ASCII
    finally:
        choose(unicode=True)
    assert glyphs() is UNICODE
