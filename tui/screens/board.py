"""The board: every item on the left, the one under the cursor on the right, the verdict above."""

import time
from collections.abc import Coroutine
from datetime import date, timedelta
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Footer

from checklist import operator
from checklist.lifecycle import GREEN
from checklist.opening import now
from checklist.reports.status_report import ItemReport, StatusReport
from checklist.session import Changed, CheckEnded, CheckStarted, Ended, Session, Started
from checklist.store import StoreError
from probes.outcome import Verdict as ProbeVerdict
from tui import keys
from tui.messages import Highlighted, Left, Opened, Refused, SessionEvent, StepTicked
from tui.screens.prompt import Prompt, Question
from tui.widgets.detail import Detail
from tui.widgets.item_list import ItemList
from tui.widgets.progress import Progress
from tui.widgets.verdict import Verdict

if TYPE_CHECKING:
    from textual.timer import Timer

SPIN = 0.25
"""Seconds between two frames while something runs. Faster would cost a visible share of a core."""

AGE = 20.0
"""Seconds between two looks at the clock: evidence grows stale and waivers run out by themselves."""


class Board(Screen[None]):
    """The main screen."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.BOARD)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (60, "-usual"), (120, "-wide")]  # noqa: RUF012  # Textual's name
    DEFAULT_CSS = """
    Board {
        ItemList { width: 55%; }
        Detail { width: 45%; }
        &.-narrow {
            Horizontal { layout: vertical; }
            ItemList { width: 100%; height: 1fr; }
            Detail { width: 100%; height: 1fr; }
        }
    }
    """

    def __init__(self, session: Session) -> None:
        """Show a session."""
        super().__init__()
        self._session = session
        self._report: StatusReport = session.report()
        self._items: dict[str, ItemReport] = {}
        self._started: dict[str, float] = {}
        self._check: CheckStarted | None = None
        self._done: dict[str, ProbeVerdict | None] = {}
        self._frame = 0
        self._spinner: Timer | None = None

    def compose(self) -> ComposeResult:
        """Verdict, list and detail, progress, keys."""
        yield Verdict()
        with Horizontal():
            yield ItemList()
            yield Detail()
        yield Progress()
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Show what is known; look at the clock now and then."""
        self._spinner = self.set_interval(SPIN, self._spin, pause=True)
        self.set_interval(AGE, self._look_again)
        self._look_again()
        self.query_one(ItemList).focus()

    # Showing

    def _look_again(self) -> None:
        """Work everything out anew from what is recorded, and show it."""
        moment = now()
        self._report = self._session.report()
        self._items = {item.id: item for item in self._report.items}
        self.query_one(Verdict).show(self._report)
        self.query_one(ItemList).show(self._report, moment)
        self._show_detail()

    def _show_detail(self) -> None:
        item = self._items.get(self.query_one(ItemList).highlighted or "")
        self.query_one(Detail).show(item, now(), self._seconds().get(item.id) if item else None)

    def _seconds(self) -> dict[str, float]:
        moment = time.monotonic()
        return {item: moment - started for item, started in self._started.items()}

    def _spin(self) -> None:
        self._frame += 1
        self._show_running()
        if self.query_one(ItemList).highlighted in self._started:
            self._show_detail()

    def _show_running(self) -> None:
        seconds = self._seconds()
        self.query_one(ItemList).show_running(seconds, self._frame)
        check = self._check
        title = "Final check" if check and check.final else "Running"
        total = len(check.items) if check else len(seconds)
        self.query_one(Progress).show(
            seconds, self._frame, title=title, done=self._done if check else {}, total=total
        )
        if self._spinner:
            if seconds or check:
                self._spinner.resume()
            else:
                self._spinner.pause()

    @on(Highlighted)
    def _highlighted(self) -> None:
        self._show_detail()

    @on(Opened)
    def _opened(self) -> None:
        self.query_one(Detail).focus()

    @on(Left)
    def _left(self) -> None:
        self.query_one(ItemList).focus()

    @on(SessionEvent)
    def _session_event(self, message: SessionEvent) -> None:
        match message.event:
            case Started(_, item):
                self._started[item] = time.monotonic()
                self._show_running()
                self._show_detail()
            case Ended(run, item, outcome):
                self._started.pop(item, None)
                if self._check and run == self._check.run:
                    self._done[item] = outcome.verdict if outcome else None
                self._show_running()
                self._look_again()
            case CheckStarted():
                self._check, self._done = message.event, {}
                self._show_running()
            case CheckEnded(_, final, record):
                self._check, self._done = None, {}
                self._show_running()
                self._look_again()
                if final:
                    self._announce(recorded=record is not None)
            case Changed():
                self._look_again()

    def _announce(self, *, recorded: bool) -> None:
        if not recorded:
            self.notify(
                "It was stopped, so it is not recorded.",
                title="Final check",
                severity="warning",
                markup=False,
            )
        elif self._report.gate.go:
            self.notify("Every item is proven.", title=self._report.gate.line, markup=False)
        else:
            reason = self._report.gate.reasons[0]
            self.notify(reason, title=self._report.gate.line, severity="error", markup=False)

    @on(Refused)
    def _refused(self, message: Refused) -> None:
        self.notify(message.why, severity="warning", markup=False)

    # Doing

    @work(group="session", exit_on_error=False, description="do one thing with the session")
    async def _do(self, action: Coroutine[object, object, object]) -> None:
        try:
            await action
        except* (ValueError, StoreError, OSError) as group:
            self.post_message(Refused("; ".join(str(error) for error in _flat(group))))

    def _here(self) -> ItemReport | None:
        return self._items.get(self.query_one(ItemList).highlighted or "")

    def action_run(self) -> None:
        """Run the probe of the item under the cursor."""
        if item := self._here():
            self._do(self._session.run(item.id))

    def action_run_open(self) -> None:
        """Run the probes of all that is not green."""
        items = [
            item.id
            for item in self._report.items
            if item.probe and item.state not in GREEN and item.id not in self._started
        ]
        if self._check:
            self._refuse("A check is running already; x stops it.")
        elif not items:
            self._refuse("Nothing to run: every item with a probe is green or running.")
        else:
            self._do(self._session.check(items))

    def action_final_check(self) -> None:
        """Run every probe in one go."""
        if self._check:
            self._refuse("A check is running already; x stops it.")
        else:
            self._do(self._session.check())

    def action_cancel(self) -> None:
        """Stop the run of the item under the cursor; if it is not running, stop all."""
        item = self._here()
        if item and item.id in self._started:
            self._session.cancel(item.id)
        elif self._started:
            self._session.cancel()
        else:
            self._refuse("Nothing is running.")

    def action_mark(self) -> None:
        """Claim the item under the cursor resolved, or attest it if it is manual."""
        if item := self._here():
            if item.probe is None:
                self._attest(item)
            else:
                self._claim(item)

    @work(group="prompt", exclusive=True, exit_on_error=False, description="ask what was done")
    async def _claim(self, item: ItemReport) -> None:
        lead = f"{item.title}\nThis is a claim; r then runs its probe, and only that proves it."
        questions = [Question("action", "What was done?"), Question("by", "Who says so?", operator.name())]
        answers = await self.app.push_screen_wait(Prompt(f"Resolve {item.id}", lead, questions))
        if answers:
            self._do(self._session.claim(item.id, by=answers["by"], action=answers["action"]))

    @work(group="prompt", exclusive=True, exit_on_error=False, description="ask what was agreed")
    async def _attest(self, item: ItemReport) -> None:
        lead = f"{item.title}\nNo probe can prove this: it will rest on your word, under your name."
        questions = [
            Question("note", "What was seen or agreed?"),
            Question("by", "Who says so?", operator.name()),
        ]
        answers = await self.app.push_screen_wait(Prompt(f"Attest {item.id}", lead, questions))
        if answers:
            self._do(self._session.attest(item.id, by=answers["by"], note=answers["note"]))

    @work(group="prompt", exclusive=True, exit_on_error=False, description="ask why it is open again")
    async def action_reopen(self) -> None:
        """Take the item under the cursor back to open."""
        if item := self._here():
            lead = (
                f"{item.title}\nClaim, attestation and waiver go; only new evidence counts. u takes it back."
            )
            questions = [
                Question("why", "Why is it open again?"),
                Question("by", "Who says so?", operator.name()),
            ]
            answers = await self.app.push_screen_wait(Prompt(f"Reopen {item.id}", lead, questions))
            if answers:
                self._do(self._session.reopen(item.id, by=answers["by"], why=answers["why"]))

    @work(group="prompt", exclusive=True, exit_on_error=False, description="ask for how long")
    async def action_waive(self) -> None:
        """Accept the item under the cursor as it is, up to a day."""
        if item := self._here():
            week = (now().date() + timedelta(days=7)).isoformat()
            lead = (
                f"{item.title}\nIt will not hold the gate up to that day, and stays counted in the verdict."
            )
            questions = [
                Question("why", "Why is it acceptable for now?"),
                Question("until", "Up to and including which day?", week, day=True),
                Question("by", "Who approves?", operator.name()),
            ]
            answers = await self.app.push_screen_wait(Prompt(f"Waive {item.id}", lead, questions))
            if answers:
                until = date.fromisoformat(answers["until"])
                self._do(self._session.waive(item.id, by=answers["by"], why=answers["why"], until=until))

    def action_undo(self) -> None:
        """Take the last mark back."""
        self._do(self._undo())

    async def _undo(self) -> None:
        item = await self._session.undo()
        if item is None:
            self.post_message(Refused("There is no mark of this session to take back."))
        else:
            self.notify(f"{item}: the last mark is taken back.", markup=False)

    @on(StepTicked)
    def _step_ticked(self, message: StepTicked) -> None:
        self._do(self._session.tick(message.item, message.step))

    def _refuse(self, why: str) -> None:
        self.post_message(Refused(why))


def _flat(group: BaseExceptionGroup[Exception]) -> list[BaseException]:
    """Return the exceptions of a group, and of the groups in it."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _flat(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
