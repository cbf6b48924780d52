"""The list of items on a stage of its own, for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from textual.app import App, ComposeResult

from checklist.definition import Item
from checklist.reports.status_report import StatusReport, build
from checklist.status import Facts, Status
from tests.checklist.making import NOW, bound, checklist
from tests.tui.conftest import screen_text
from tui.messages import Filtered, Highlighted, Opened
from tui.widgets.item_list import ItemList


class Stage(App[None]):
    """Nothing but the list."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[object] = []

    def compose(self) -> ComposeResult:
        yield ItemList()

    @property
    def list(self) -> ItemList:
        return self.query_one(ItemList)

    def on_highlighted(self, message: Highlighted) -> None:
        self.heard.append(message.item)

    def on_opened(self, message: Opened) -> None:
        self.heard.append(f"open {message.item}")

    def on_filtered(self, message: Filtered) -> None:
        self.heard.append(f"filter {message.words}")

    def line(self, title: str) -> str:
        """The line that tells of an item."""
        return next(line for line in screen_text(self).splitlines() if title in line)


def report(*items: Item, **facts: Facts) -> StatusReport:
    whole = checklist(*items)
    return build(whole, bound(Status(items=dict(facts)), whole), NOW)


@asynccontextmanager
async def stage(found: StatusReport, size: tuple[int, int] = (60, 20)) -> AsyncIterator[tuple[Stage, Any]]:
    app = Stage()
    async with app.run_test(size=size) as pilot:
        app.list.show(found, NOW)
        app.list.focus()
        await pilot.pause()
        yield app, pilot
