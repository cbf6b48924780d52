import re
from typing import NamedTuple
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from checklist.reports.blocks import one_line
from checklist.reports.github import render
from checklist.reports.view import View
from checklist.status import Facts
from tests.checklist.making import LOOKED, evidence, outcome, proven
from tests.checklist.test_format_shared import (
    ANY_TEXT,
    CACHE,
    DEGRADED,
    FAILED,
    HOSTILE,
    LIST,
    UNFINISHED,
    WAIVED,
    hostile,
    knowing,
    view,
)


class Command(NamedTuple):
    kind: str
    properties: dict[str, str]
    message: str


def read(written: str) -> list[Command]:
    """Read workflow commands as the runner does: a line each, properties up to the next `::`."""
    commands = []
    # Split at everything that any reader could take for the end of a line.
    for part in written.rstrip("\n").splitlines():
        assert part.startswith("::")
        head, _, message = part[2:].partition("::")
        kind, _, rest = head.partition(" ")
        pairs = dict(entry.split("=", 1) for entry in rest.split(",") if entry)
        # The runner undoes %25, %0A, %0D, %3A and %2C; we write no other.
        assert not re.search(r"%(?!25|0A|0D|3A|2C)", part)
        commands.append(Command(kind, {key: unquote(text) for key, text in pairs.items()}, unquote(message)))
    return commands


def test_a_go_is_one_notice() -> None:
    assert read(render(view(proven(LIST)))) == [
        Command("notice", {"title": "gonogo"}, "GO: 3 items: 2 verified, 1 attested")
    ]


def test_an_item_that_holds_is_an_error_at_its_line() -> None:
    place = {"file": "checklist.toml", "line": "10", "title": "cache: The cache is well"}
    assert read(render(view(FAILED)))[1:] == [Command("error", place, "fails: seen")]


def test_what_to_do_next_stands_below() -> None:
    hinted = replace(evidence(CACHE), outcome=replace(outcome("fail", LOOKED), hint="Grow it."))
    error = read(render(view(knowing("cache", Facts(evidence=hinted)))))[1]
    assert error.message == "fails: seen\n→ Grow it."


def test_what_no_item_shows_is_an_error_without_a_line() -> None:
    error = read(render(view(UNFINISHED)))[1]
    assert error == Command("error", {"file": "checklist.toml", "title": "gonogo"}, "no final check has run")


def test_waived_and_advisory_items_are_warnings_but_errors_where_they_were_chosen() -> None:
    waived = read(render(view(WAIVED)))[1]
    assert (waived.kind, waived.message) == ("warning", "waived until 2025-06-30 by Bob: next week")
    advisory = read(render(view(DEGRADED)))[1]
    assert (advisory.kind, advisory.properties["line"]) == ("warning", "20")
    chosen = read(render(view(WAIVED, chosen=("cache",))))
    assert [(command.kind, command.message) for command in chosen] == [
        ("notice", "NOT PROVEN: 1 item: 1 waived, none verified"),
        ("error", "waived until 2025-06-30 by Bob: next week"),
    ]


def test_what_is_not_known_of_a_place_is_left_out() -> None:
    shown = view(FAILED, path="", lines={})
    assert read(render(shown))[1].properties == {"title": "cache: The cache is well"}


def test_changes_stand_below_the_verdict() -> None:
    notice = read(render(view(FAILED, changes=("cache: broke", "notes: fixed"))))[0]
    assert notice.message.splitlines()[1:] == ["cache: broke", "notes: fixed"]


KINDS = ["notice", "error", "error", "error", "warning", "warning"]


def is_ours(shown: View, words: str) -> None:
    """Check that there are our commands only, and that what was said is read back."""
    commands = read(render(shown))
    assert [command.kind for command in commands] == KINDS
    titles = {command.properties.get("title") for command in commands}
    assert titles >= {one_line(f"{name}: {words}") for name in ("failed", "claimed", "waived", "advisory")}


@pytest.mark.parametrize("words", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_starts_a_command(words: str) -> None:
    is_ours(hostile(words), words)


@settings(max_examples=100, deadline=None)
@given(ANY_TEXT | st.text("%:,=\n\r02AD5C3"))
def test_no_text_at_all_starts_a_command(words: str) -> None:
    is_ours(hostile(words), words)
