"""What moves the list's cursor and what is drawn anew then."""

from textual import events
from textual.pilot import Pilot

from tests.checklist.making import NOW, days, item
from tests.tui.conftest import screen_text, wait_for
from tests.tui.stage import report, stage
from tui.ordering import Order
from tui.widgets.item_list import ItemList


async def test_sorting_names_the_order_and_keeps_the_cursor_on_its_item() -> None:
    found = report(item("a", section="One", owner="Kim"), item("b", section="Two", due=days(1)))
    async with stage(found) as (app, pilot):
        assert app.list.order is Order.CHECKLIST
        await pilot.press("j")
        for order, title in (
            (Order.PRESSING, "Most pressing first"),
            (Order.DUE, "By the day it is due"),
            (Order.OWNER, "Owner: Kim"),
        ):
            app.list.sort(order)
            await wait_for(lambda title=title: title in screen_text(app), title)
            assert "One" not in screen_text(app)
            assert app.list.highlighted == "b"
            assert app.list.order is order
        app.list.sort(Order.CHECKLIST)
        await wait_for(lambda: "One" in screen_text(app), "the sections are back")


async def test_a_filter_keeps_the_cursor_on_its_item_and_counts_what_it_shows() -> None:
    found = report(*(item(name) for name in ("one", "two", "three")))
    async with stage(found) as (app, pilot):
        await pilot.press("j", "j")
        app.list.filter("t is")
        await wait_for(lambda: "2 of 3 shown" in screen_text(app), "counted")
        app.list.filter("three")
        await wait_for(lambda: "1 of 3 shown" in screen_text(app), "counted")
        assert app.list.highlighted == "three"
        app.list.filter("one")
        assert app.list.highlighted == "one"
        app.list.filter("")
        assert app.list.highlighted == "one"
        await wait_for(lambda: "shown" not in screen_text(app), "all are back")


async def test_a_filter_that_nothing_has_says_how_to_be_rid_of_it() -> None:
    async with stage(report(item("one"), item("two"))) as (app, pilot):
        await pilot.press("j")
        app.heard.clear()
        app.list.filter("[/ none")
        await wait_for(lambda: 'No item has "[/ none": esc shows all.' in screen_text(app), "it is said")
        assert app.list.highlighted is None
        await pilot.press("j", "G", "enter", "tab", "pageup", "escape")
        assert app.heard == ["", "filter "]
        app.list.filter("")
        assert app.list.highlighted == "two"


async def test_a_run_shows_how_long_it_has_been_going_on_and_draws_only_its_own_line() -> None:
    async with stage(report(item("a"), item("b"))) as (app, pilot):
        await pilot.pause()
        drawn: list[int] = []
        draw = app.list.render_line
        app.list.render_line = lambda y: drawn.append(y) or draw(y)  # type: ignore[method-assign,func-returns-value]
        app.list.show_running({"b": 65.0}, 1)
        await wait_for(lambda: "⠙ 1 min 5 s" in app.line("b is well"), "it runs")
        assert set(drawn) <= {2}
        drawn.clear()
        app.list.show(report(item("a"), item("b")), NOW)
        await pilot.pause()
        assert not drawn
        app.list.show_running({}, 2)
        await wait_for(lambda: "□ open" in app.line("b is well"), "it has ended")


async def test_a_key_draws_no_more_than_what_it_changed() -> None:
    items = [item(f"i{number}", section=f"S{number // 5}") for number in range(2_000)]
    async with stage(report(*items), (60, 30)) as (app, pilot):
        await pilot.pause()
        drawn: list[int] = []
        draw = app.list.render_line
        app.list.render_line = lambda y: drawn.append(y) or draw(y)  # type: ignore[method-assign,func-returns-value]
        await pilot.press("j")
        await wait_for(lambda: "▌" in app.line("i1 is well"), "the cursor has moved")
        assert set(drawn) == {1, 2}


async def test_clicks_move_open_and_go_to_a_panel() -> None:
    found = report(item("a", section="One"), item("b", section="One"), item("c", section="Two"))
    async with stage(found) as (app, pilot):
        await pilot.click(ItemList, offset=(9, 2))
        assert app.list.highlighted == "b"
        await pilot.click(ItemList, offset=(9, 4))
        assert app.list.highlighted == "c"
        await pilot.click(ItemList, offset=(9, 0))
        assert app.list.highlighted == "a"
        await pilot.click(ItemList, offset=(9, 15))
        assert app.list.highlighted == "a"
        await pilot.click(ItemList, offset=(9, 5), times=2)
        await wait_for(lambda: "open c" in app.heard, "the item is opened")


async def scroll(pilot: Pilot[None], times: int) -> None:
    wheel = {"delta_x": 0, "delta_y": 1, "button": 0, "shift": False, "meta": False, "ctrl": False}
    for _ in range(times):
        pilot.app.post_message(events.MouseScrollDown(None, 5, 5, **wheel))
    await pilot.pause()


async def test_the_wheel_scrolls_and_the_next_key_brings_the_cursor_back() -> None:
    found = report(*(item(f"i{number}") for number in range(200)))
    async with stage(found) as (app, pilot):
        await scroll(pilot, 20)
        await wait_for(lambda: "i0 is well" not in screen_text(app), "it has scrolled")
        assert app.list.highlighted == "i0"
        app.list.show(found, NOW)
        assert "i0 is well" not in screen_text(app)
        await pilot.press("j")
        await wait_for(lambda: "▌" in app.line("i1 is well"), "the cursor is in sight")


async def test_the_cursor_stays_in_sight_when_the_terminal_or_the_list_changes() -> None:
    found = report(*(item(f"i{number}") for number in range(200)))
    async with stage(found, (60, 40)) as (app, pilot):
        await pilot.press("pagedown")
        here = f"{app.list.highlighted} is well"
        await pilot.resize_terminal(30, 8)
        await wait_for(lambda: here in screen_text(app), "it is in sight")
        app.list.filter(here.partition(" ")[0])
        await wait_for(lambda: "of 200" in screen_text(app), "it is filtered")
        app.list.filter("")
        await wait_for(lambda: "▌" in app.line(here), "it is in sight again")
