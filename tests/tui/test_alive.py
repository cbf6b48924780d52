"""The board and what others do to its files meanwhile."""

import asyncio
from pathlib import Path

import pytest

from checklist.session import Session
from checklist.store import StoreError
from tests.tui.conftest import CHECKLIST, Desk, open_desk, wait_for
from tui.screens.board import Board
from tui.screens.prompt import Prompt
from tui.widgets.banner import Banner
from tui.widgets.item_list import ItemList

MORE = CHECKLIST.replace(
    '[[items]]\nid = "slow"', '[[items]]\nid = "first"\ntitle = "A new one"\n[[items]]\nid = "slow"'
)


async def test_an_edit_from_outside_appears_under_an_open_question_and_loses_nothing(desk: Desk) -> None:
    await desk.press("G", "space")
    await desk.see("Attest manual")
    await desk.type("half a sen")
    desk.session.place.checklist.write_text(MORE.replace("릴리스 노트를 읽었다", "Notes are read"))
    await Session.open(desk.session.place.checklist).claim("cache", by="Bob", action="grew it")
    await wait_for(lambda: "first" in desk.session.checklist.by_id, "the edit is read")
    await desk.type("tence")
    assert "half a sentence" in desk.text
    await desk.press("enter")
    await desk.state("manual", "attested")
    await desk.see("Notes are read")
    assert desk.app.screen.query_one(ItemList).highlighted == "manual"
    assert desk.session.status.of("manual").attestation.note == "half a sentence"


async def test_an_item_that_is_gone_meanwhile_is_refused_with_what_was_typed_kept(desk: Desk) -> None:
    await desk.press("G", "space")
    await desk.type("read")
    desk.session.place.checklist.write_text(CHECKLIST.partition('[[items]]\nid = "manual"')[0])
    await wait_for(lambda: "manual" not in desk.session.checklist.by_id, "the edit is read")
    await desk.press("enter")
    await desk.see("no item is called 'manual'")
    assert isinstance(desk.app.screen, Prompt)
    assert "read" in desk.text
    await desk.press("escape")
    await wait_for(lambda: not isinstance(desk.app.screen, Prompt), "it is closed")


async def test_a_mark_that_could_not_be_saved_is_asked_again_with_its_words(desk: Desk) -> None:
    status = desk.folder / "checklist.status.toml"
    status.mkdir()
    await desk.press("space")
    await desk.type("grew it")
    await desk.press("enter")
    await desk.see("checklist.status.toml")
    await wait_for(lambda: isinstance(desk.app.screen, Prompt), "it asks again")
    assert "grew it" in desk.text
    status.rmdir()
    await desk.press("enter")
    await desk.state("cache", "resolved")


async def test_what_was_not_saved_is_said_with_its_cause_until_something_is(desk: Desk) -> None:
    status = desk.folder / "checklist.status.toml"
    status.mkdir()
    desk.verdict("cache", "pass")
    await desk.press("r")
    await wait_for(lambda: desk.session.unsaved, "it cannot be saved")
    status.rmdir()
    banner = desk.app.screen.query_one(Banner)
    await wait_for(
        lambda: "does not count" in str(banner.content), "it is said, also when nothing is wrong now"
    )
    assert "checklist.status.toml" in str(banner.content)
    await desk.press("r")
    await wait_for(lambda: not banner.display, "it is said no more")
    await desk.state("cache", "verified")


async def test_two_who_mark_the_same_item_are_told_and_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The other one is first, and this console has not seen it yet.
    monkeypatch.setattr(desk.session, "is_behind", lambda: False)
    await Session.open(desk.session.place.checklist).claim("cache", by="Bob", action="moved it")
    await desk.press("space")
    await desk.type("grew it")
    await desk.press("enter")
    await desk.see("somebody else")
    assert '"moved it" by Bob' in desk.app.screen._wrong
    await desk.press("enter")
    await wait_for(lambda: desk.session.status.of("cache").claim.action == "grew it", "mine stands")


async def test_a_broken_edit_is_a_banner_with_its_line_for_as_long_as_it_is_broken(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        banner = desk.app.screen.query_one(Banner)
        assert not banner.display
        desk.session.place.checklist.write_text(CHECKLIST.replace('id = "slow"', "id = slow"))
        await wait_for(lambda: banner.display, "a banner")
        text = str(banner.content)
        assert text.startswith("checklist.toml:19: not valid TOML")
        assert "What was read last is shown; e opens" in text
        assert "Something that takes long" in desk.text
        desk.session.place.checklist.write_text(CHECKLIST)
        await wait_for(lambda: not banner.display, "no banner")


async def test_what_another_console_marks_is_seen_here_and_the_cursor_stays(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.press("j")
        other = Session.open(desk.session.place.checklist, operator="Zoe")
        try:
            await other.run("cache")
        finally:
            await other.close()
        await desk.state("cache", "verified")
        await desk.see("verified")
        assert desk.app.screen.query_one(ItemList).highlighted == "slow"


async def test_nothing_is_read_again_while_nothing_changes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = []
    monkeypatch.setattr(desk.session, "_read", lambda: reads.append(1))
    board = desk.app.screen
    assert isinstance(board, Board)
    for _ in range(3):
        board._follow_if_behind()
        await board.workers.wait_for_complete()
    assert reads == []


async def test_what_could_not_be_saved_is_not_asked_for_in_front_of_another_question(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    full, refused = asyncio.Event(), asyncio.Event()

    async def claim(*_: object, **__: object) -> None:
        await full.wait()
        refused.set()
        raise StoreError("No space is left.")

    monkeypatch.setattr(desk.session, "claim", claim)
    await desk.press("space")
    await desk.type("grew it")
    await desk.press("enter", "j", "o")
    await desk.see("Reopen slow")
    await desk.type("half a ")
    full.set()
    await refused.wait()
    await desk.hear("No space is left.")
    await desk.type("reason")
    await desk.see("half a reason")
    await desk.press("enter")
    await desk.state("slow", "reopened")
    assert desk.session.status.of("slow").reopening.why == "half a reason"
    await desk.see("Resolve cache")
    await desk.see("grew it")


async def test_a_bug_while_something_is_read_is_told_and_shuts_the_gate(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ValueError("bang")

    with monkeypatch.context() as bug:
        bug.setattr(desk.session, "_read", broken)
        desk.session.place.checklist.write_text(CHECKLIST + "\n")
        await desk.see("This is a bug in gonogo: ValueError: bang")
        assert "cannot be read" in desk.session.gate().reasons[0]
    await desk.see_not("This is a bug")


async def test_a_bug_while_the_past_is_read_is_told_beside_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_item: str) -> None:
        raise ValueError("bang")

    monkeypatch.setattr(desk.session, "trend", broken)
    await desk.press("j")
    await desk.see("ValueError: bang")


async def test_a_slow_disk_gathers_no_looks_at_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, released = [], asyncio.Event()

    async def follow() -> None:
        looks.append(1)
        await released.wait()

    monkeypatch.setattr(desk.session, "is_behind", lambda: True)
    monkeypatch.setattr(desk.session, "follow", follow)
    board = desk.app.screen
    assert isinstance(board, Board)
    for _ in range(3):
        board._follow_if_behind()
        await desk.pilot.pause()
    assert len(looks) == 1
    released.set()
    await wait_for(lambda: len(looks) > 1, "it looks again")
