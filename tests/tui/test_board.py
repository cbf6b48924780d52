import os
import re
from pathlib import Path

import pytest

from checklist.session import Session
from tests.tui.conftest import CHECKLIST, Desk, open_desk, wait_for
from tui.widgets.detail import Detail
from tui.widgets.item_list import ItemList


async def test_the_board_shows_panels_items_and_the_reason_that_holds_the_release(desk: Desk) -> None:
    for text in (
        "NO-GO",
        "Release [/ night",
        "Infrastructure",
        "0/2",
        "The cache is healthy",
        "릴리스 노트를",
    ):
        assert text in desk.text
    assert "cache: its probe has never run" in desk.text
    assert re.search(r"late \d+y", desk.text)


async def test_the_cursor_moves_by_item_and_by_panel_and_the_detail_follows(desk: Desk) -> None:
    shown = desk.app.screen.query_one(Detail)
    assert shown.border_title == "cache"
    for key, item in (("j", "slow"), ("k", "cache"), ("down", "slow"), ("tab", "manual"), ("tab", "cache")):
        await desk.press(key)
        assert shown.border_title == item, key
    await desk.press("G")
    assert shown.border_title == "manual"
    await desk.press("shift+tab")
    assert shown.border_title == "cache"


async def test_a_click_puts_the_cursor_on_an_item(desk: Desk) -> None:
    await desk.pilot.click(ItemList, offset=(5, 2))
    assert desk.app.screen.query_one(Detail).border_title == "slow"
    await desk.pilot.click(ItemList, offset=(5, 1), times=2)
    await wait_for(lambda: desk.app.screen.query_one(Detail).has_focus, "the item is open")


async def test_a_claim_is_resolved_and_only_its_own_probe_verifies_it(desk: Desk) -> None:
    desk.verdict("cache", "fail")
    await desk.press("r")
    await desk.see("cache: fails: all is well")
    await desk.press("space")
    await desk.see("Resolve cache")
    await desk.type("grew the cache")
    await desk.press("enter")
    await desk.state("cache", "resolved")
    await desk.see("resolved")
    await desk.see("grew")
    await desk.press("r")
    await desk.state("cache", "reopened")
    desk.verdict("cache", "pass")
    await desk.press("r")
    await desk.state("cache", "verified")
    await desk.see("proven by its own probe")


async def test_the_item_tells_its_history_newest_first_and_follows_what_others_do(tmp_path: Path) -> None:
    async with open_desk(tmp_path, size=(120, 50)) as desk:
        assert "History" not in desk.text
        await desk.press("space")
        await desk.type("grew the cache")
        await desk.press("enter")
        await desk.see("just now  operator: resolved")
        await desk.press("r")
        await desk.see("operator: found pass")
        lines = [line for line in desk.text.splitlines() if "operator: " in line]
        assert ["found" in line for line in lines] == [True, False]
        await Session.open(desk.session.place.checklist).reopen("cache", by="Zoe", why="seen it fail")
        await desk.see("Zoe: reopened: seen it fail")
        await desk.press("j")
        await desk.see_not("Zoe: reopened")
        (tmp_path / "checklist.journal.jsonl").write_text('{"item":"cache",}\n')
        await desk.press("k")
        # It is broken into lines wherever the path of the folder happens to reach.
        detail = desk.app.screen.query_one(Detail)
        await wait_for(lambda: "journal.jsonl:1: not a line" in detail._history[2], "the trouble is told")
        await desk.see("History")


async def test_what_did_not_pass_says_what_to_do_next(tmp_path: Path) -> None:
    items = (
        '[items.probe]\nuse = "test-async"\ndo = "count"\ncount = 9\n',
        '[items.probe]\nuse = "test-blocking"\ndo = "doubt"\ntext = "No such place."\n',
    )
    heads = [f'[[items]]\nid = "i{number}"\nsection = "S"\ntitle = "T"\n' for number in range(2)]
    text = '[checklist]\ntitle = "T"\n' + "".join(map("".join, zip(heads, items, strict=True)))
    async with open_desk(tmp_path, text) as desk:
        await desk.press("r")
        await desk.see("→ Wait.")
        # Once at the top, and once with the evidence.
        assert desk.text.count("→ Wait.") == 2
        await desk.press("j", "r")
        await desk.see("→ Look again.")
        assert "No such place." in desk.text


async def test_a_mark_is_on_disk_when_the_screen_shows_it(desk: Desk) -> None:
    await desk.press("space")
    await desk.type("done")
    await desk.press("enter")
    await desk.see("claimed, not proven")
    assert Session.open(desk.session.place.checklist).states()["cache"] == "resolved"


async def test_nothing_is_marked_without_an_answer_or_after_escape(desk: Desk) -> None:
    await desk.press("space", "enter")
    await desk.see("an answer is needed")
    await desk.press("escape")
    await desk.see_not("Resolve cache")
    assert desk.session.status.revision == 0


async def test_a_manual_item_is_attested_and_cannot_be_run(desk: Desk) -> None:
    await desk.press("G", "r")
    await desk.see("manual is manual")
    await desk.press("space")
    await desk.see("Attest manual")
    await desk.type("read")
    await desk.press("enter")
    await desk.state("manual", "attested")
    await desk.see("a person's word")


async def test_steps_are_ticked_inside_the_item(desk: Desk) -> None:
    await desk.press("enter", "j", "space")
    await desk.see("[x] Look [again]")
    assert "[ ] Grow it" in desk.text
    await desk.press("space", "k", "space")
    await desk.see("[x] Grow it")
    await desk.see("[ ] Look [again]")
    await desk.press("escape")
    assert desk.app.screen.query_one(ItemList).has_focus


async def test_undo_takes_the_last_mark_back(desk: Desk) -> None:
    await desk.press("enter", "space")
    await desk.see("[x] Grow it")
    await desk.press("u")
    await desk.see("[ ] Grow it")
    await desk.press("u")
    await desk.see("no mark of this session")


async def test_reopening_and_waiving_ask_why(desk: Desk) -> None:
    await desk.press("r")
    await desk.state("cache", "verified")
    await desk.press("o")
    await desk.type("wrong server")
    await desk.press("enter")
    await desk.state("cache", "reopened")
    await desk.see("cache: reopened: wrong server")
    await desk.press("w")
    await desk.type("no traffic yet")
    await desk.press("tab", "end", *["backspace"] * 10)
    await desk.type("tomorrow")
    await desk.press("enter")
    await desk.see("a day is written like")
    await desk.press(*["backspace"] * 8)
    await desk.type("2999-12-31")
    await desk.press("enter")
    await desk.state("cache", "waived")
    await desk.see("1 waived until 2999-12-31")


async def test_the_final_check_alone_makes_go(desk: Desk) -> None:
    await desk.press("G", "space")
    await desk.type("read")
    await desk.press("enter")
    await desk.state("manual", "attested")
    await desk.press("R")
    await desk.state("cache", "verified")
    await desk.state("slow", "verified")
    assert not desk.session.gate().go
    await desk.see("no final check has run")
    await wait_for(lambda: not desk.checking, "the check has ended")
    await desk.press("F")
    await wait_for(lambda: desk.session.gate().go, "GO")
    await desk.see("Nothing holds it: 1 verified, 1 attested.")
    assert "NO-GO" not in desk.text
    assert list(desk.folder.glob("reports/readiness_check_*.json"))


SLOW = CHECKLIST.replace('do = "read"\nfile = "slow.verdict"', 'do = "sleep"\ntimeout = "10m"')


async def test_keys_are_answered_while_probes_run_and_a_final_check_can_be_stopped(tmp_path: Path) -> None:
    async with open_desk(tmp_path, SLOW) as desk:
        await desk.press("F")
        await desk.see("Final check 1/2")
        await desk.press("j")
        await desk.see("running for")
        await desk.press("F")
        await desk.see("A check is running already")
        await desk.press("x")
        await desk.hear("it does not count")
        assert desk.session.status.final_check is None
        assert not desk.session.running
        await desk.press("x")
        await desk.see("Nothing is running")


async def test_a_stopped_final_check_that_cannot_be_gone_on_with_promises_nothing(tmp_path: Path) -> None:
    async with open_desk(tmp_path, SLOW) as desk:
        await desk.press("F")
        await desk.see("Final check 1/2")
        await desk.press("G", "space")
        await desk.type("read")
        await desk.press("enter")
        await desk.state("manual", "attested")
        await desk.press("x")
        await desk.hear("it does not count. F begins")


async def test_a_stopped_final_check_is_gone_on_with_or_begun_anew(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.press("G", "space")
        await desk.type("read")
        await desk.press("enter")
        await desk.state("manual", "attested")
        (tmp_path / "slow.verdict").unlink()
        os.mkfifo(tmp_path / "slow.verdict")
        await desk.press("F")
        await desk.state("cache", "verified")
        await desk.press("x")
        await desk.hear("it does not count. F goes")
        await desk.press("F")
        await desk.see("stopped after 1 of 2 probes")
        await desk.press("escape")
        await desk.see_not("stopped after 1 of 2")
        assert not desk.session.running
        first = desk.session.status.of("cache").evidence
        (tmp_path / "slow.verdict").unlink()
        desk.verdict("slow", "pass")
        await desk.press("F", "enter")
        await wait_for(lambda: desk.session.gate().go and not desk.checking, "GO")
        assert desk.session.status.of("cache").evidence == first
        await desk.press("F")
        await wait_for(lambda: desk.session.status.of("cache").evidence != first, "it began anew, unasked")
        await wait_for(lambda: not desk.session.running, "it has ended")


async def test_one_run_can_be_stopped_and_run_again(tmp_path: Path) -> None:
    async with open_desk(tmp_path, SLOW) as desk:
        await desk.press("j", "r")
        await desk.see("running for")
        await desk.press("r")
        await desk.see("slow is running already")
        await desk.press("x")
        await wait_for(lambda: not desk.session.running, "it is stopped")
        await desk.see_not("running for")
        assert desk.session.status.of("slow").evidence is None
        await desk.press("r")
        await wait_for(lambda: "slow" in desk.session.running, "it runs again")


async def test_a_save_that_fails_is_told_and_not_shown_as_done(desk: Desk) -> None:
    (desk.folder / "checklist.status.toml").write_text("not = = toml")
    await desk.press("space")
    await desk.type("done")
    await desk.press("enter")
    await wait_for(lambda: "not valid TOML" in (desk.session.unsaved or ""), "it is told")
    assert "not everything is saved" in " ".join(desk.session.gate().reasons)
    await desk.see("NO-GO")
    assert desk.session.states()["cache"] == "open"
    assert (desk.folder / "checklist.status.toml").read_text() == "not = = toml"


async def reach_go(desk: Desk) -> None:
    await desk.session.attest("manual", by="Ann", note="read")
    await desk.press("F")
    await wait_for(lambda: desk.session.gate().go, "GO")
    await desk.see("Nothing holds it")


async def test_what_could_not_be_saved_keeps_the_gate_shut(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await reach_go(desk)
    desk.verdict("cache", "fail")
    with monkeypatch.context() as broken:
        broken.setattr("checklist.durable.os.replace", refuse_write)
        await desk.press("r")
        await desk.see("NO-GO")
        await desk.see("not everything is saved")
    await desk.press("r")
    await desk.see("cache: fails")


def refuse_write(*_: object) -> None:
    raise OSError(28, "No space left on device")


async def test_what_others_change_is_seen_and_a_go_does_not_outlive_it(desk: Desk) -> None:
    await reach_go(desk)
    other = Session.open(desk.session.place.checklist)
    await other.reopen("cache", by="Bob", why="wrong server")
    await desk.see("cache: reopened: wrong server")
    assert "NO-GO" in desk.text
    desk.session.place.checklist.write_text(CHECKLIST.replace("The cache is healthy", "Another title"))
    await desk.see("Another title")
    desk.session.place.checklist.write_text("not toml")
    await wait_for(lambda: "not valid TOML" in str(desk.session.unread), "it is told")
    await desk.see("NO-GO")
    assert "Another title" in desk.text
    assert "cannot be read" in desk.session.gate().reasons[0]
    desk.session.place.checklist.write_text(CHECKLIST)
    await desk.see("The cache is healthy")
    await wait_for(lambda: "cannot be read" not in desk.session.gate().reasons[0], "it is read again")


async def test_a_checklist_edited_during_its_final_check_does_not_count(tmp_path: Path) -> None:
    slow = CHECKLIST.replace('do = "read"\nfile = "slow.verdict"', 'do = "await"\nfile = "go"')
    async with open_desk(tmp_path, slow) as desk:
        await desk.session.attest("manual", by="Ann", note="read")
        await desk.press("F")
        await desk.see("Final check 1/2")
        desk.session.place.checklist.write_text(slow + '[[items]]\nid = "more"\ntitle = "One more"\n')
        (tmp_path / "go").write_text("")
        await desk.see("It does not count")
        assert desk.session.status.final_check is None
        await desk.see("One more")


async def test_stopping_all_starts_nothing_more(tmp_path: Path) -> None:
    chain = CHECKLIST.replace('do = "read"\nfile = "cache.verdict"', 'do = "sleep"').replace(
        'severity = "advisory"', 'after = ["cache"]'
    )
    async with open_desk(tmp_path, chain) as desk:
        await desk.press("G", "F")
        await desk.see("Final check 0/2")
        await desk.press("x")
        await desk.hear("it does not count")
        assert not desk.session.running


async def test_an_inhibited_item_is_not_run(tmp_path: Path) -> None:
    chain = CHECKLIST.replace('severity = "advisory"', 'after = ["cache"]')
    async with open_desk(tmp_path, chain) as desk:
        await desk.press("j", "r")
        await desk.see("waits for cache")
        assert desk.session.status.revision == 0


async def test_the_palette_offers_what_the_keys_do(desk: Desk) -> None:
    await desk.press("ctrl+p")
    await desk.see("What is to be done?")
    await desk.type("final")
    await desk.see("it alone can make GO")


async def test_ctrl_c_says_how_to_leave(desk: Desk) -> None:
    await desk.press("ctrl+c")
    await desk.see("ctrl+q leaves")


async def test_help_lists_every_key_and_every_state(desk: Desk) -> None:
    await desk.press("question_mark")
    await desk.see("Run this item's own probe again")
    await desk.press("pagedown")
    await desk.see("waits for an item it comes after")
    await desk.see("( )                 advisory: it does not hold the gate")
    await desk.press("escape")
    await desk.see("Infrastructure")


async def test_text_from_outside_is_shown_as_it_is_and_never_obeyed(tmp_path: Path) -> None:
    evil = r"[/] [b]x[/b] [@click=app.bell]\u001b]52;c;aGk=\u0007\u009b31m"
    checklist = CHECKLIST.replace("The cache is healthy", evil).replace("Grow it", evil).replace("2.0", evil)
    checklist = checklist.replace('do = "read"\nfile = "cache.verdict"', f'do = "pass"\ntext = "{evil}"')
    async with open_desk(tmp_path, checklist) as desk:
        await desk.press("r")
        await desk.state("cache", "verified")
        await desk.see("[/] [b]x[/b]")
        await desk.session.reopen("cache", by="Ann", why="[/] \x1b]52;c;aGk=\x07 \x9b31m")
        await desk.press("F")
        await wait_for(lambda: not desk.session.running, "it has run")
        await desk.press("space")
        await desk.see("Resolve cache")
        assert not [c for c in desk.text if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]


@pytest.mark.parametrize("size", [(80, 24), (200, 60), (40, 12), (20, 10), (10, 4)])
async def test_every_size_of_terminal_shows_something_and_nothing_crashes(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with open_desk(tmp_path, size=size) as desk:
        await desk.press("j", "tab", "enter", "j", "escape", "question_mark", "escape", "space", "escape")
        assert size < (20, 10) or "NO-GO" in desk.text


async def test_an_empty_checklist_says_so_and_every_key_is_harmless(tmp_path: Path) -> None:
    async with open_desk(tmp_path, '[checklist]\ntitle = "Nothing"\n') as desk:
        await desk.see("The checklist has no items: e edits it.")
        await desk.press(*"jkgGrRFxouw", "tab", "space", "enter", "pageup", "pagedown")
        await desk.see("NO-GO")


async def test_ten_thousand_items_scroll_and_keep_the_cursor_in_sight(tmp_path: Path) -> None:
    items = "".join(
        f'[[items]]\nid = "i{n}"\nsection = "Section {n // 250}"\ntitle = "Item {n}"\n' for n in range(10_000)
    )
    async with open_desk(tmp_path, f'[checklist]\ntitle = "Many"\n{items}') as desk:
        await desk.press("G")
        await desk.see("Item 9999")
        await desk.press("pageup", "tab")
        await desk.see("Item 0 ")
