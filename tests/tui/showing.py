"""Items to show, and a console of one pane."""

from datetime import datetime
from typing import Any

from msgspec.structs import replace
from textual.app import App, ComposeResult
from textual.message import Message

from checklist.definition import Item
from checklist.reports import status_report
from checklist.reports.status_report import ItemReport
from checklist.status import Evidence, Facts, Status
from probes.outcome import Check, Outcome, Verdict, worst
from tests.checklist.making import LOOKED, NOW, checklist, item, outcome
from tui.messages import CheckOpened, Left, StepTicked
from tui.widgets.detail import Detail


def check(name: str = "memory", verdict: str = "pass", **facts: Any) -> Check:
    return Check(name=name, verdict=Verdict(verdict), **facts)


def found(*checks: Check, at: datetime = LOOKED, hint: str = "", summary: str = "seen") -> Outcome:
    verdict = worst(one.verdict for one in checks)
    return replace(outcome(verdict, at), checks=checks, hint=hint, summary=summary)


def shown(evidence: Outcome | None = None, about: Item | None = None, **facts: Any) -> ItemReport:
    """Return an item as a face gets it to show."""
    about = about or item()
    if evidence is not None:
        facts["evidence"] = Evidence(outcome=evidence, run="run-1", item=about.hash)
        if evidence.verdict is Verdict.PASS:
            facts["last_pass"] = evidence.started_at
    status = Status(items={about.id: Facts(**facts)})
    return status_report.build(checklist(about), status, NOW).items[0]


class OnePane(App[None]):
    """A console that is nothing but the pane of an item."""

    def __init__(self, item: ItemReport) -> None:
        super().__init__()
        self.animation_level = "none"
        self.item = item
        self.messages: list[Message] = []

    def compose(self) -> ComposeResult:
        yield Detail()

    def on_mount(self) -> None:
        self.detail.show(self.item, NOW, None)
        self.detail.focus()

    @property
    def detail(self) -> Detail:
        return self.query_one(Detail)

    @property
    def cursor(self) -> str:
        """What the cursor is on."""
        return self.detail.cursor[1] if self.detail.cursor else ""

    def on_check_opened(self, message: CheckOpened) -> None:
        self.messages.append(message)

    def on_step_ticked(self, message: StepTicked) -> None:
        self.messages.append(message)

    def notify(self, message: str, **_: object) -> None:
        self.messages.append(message)

    def on_left(self, message: Left) -> None:
        self.messages.append(message)
