"""The board: every item on the left, the one under the cursor on the right, the verdict above."""

import time
from collections.abc import Callable, Coroutine
from datetime import date, timedelta
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Footer

from checklist.events import Changed, CheckEnded, CheckStarted, Ended, Started
from checklist.lifecycle import GREEN, RefusedError
from checklist.reading import FileError
from checklist.reports.status_report import ItemReport, StatusReport
from checklist.reports.text import ago
from checklist.session import Session
from checklist.store import StoreError
from checklist.zones import day
from probes.clean import strip
from probes.outcome import Verdict, now
from tui import keys
from tui.messages import Highlighted, Left, Opened, Refused, SessionEvent, StepTicked
from tui.screens.choice import Choice
from tui.screens.prompt import Prompt, Question
from tui.widgets.detail import Detail
from tui.widgets.item_list import ItemList
from tui.widgets.progress import Progress
from tui.widgets.verdict import VerdictLine, proof

if TYPE_CHECKING:
    from textual.timer import Timer

SPIN = 0.25
"""Seconds between two frames while something runs. Faster would cost a visible share of a core."""

FOLLOW = 2.0
"""Seconds between two looks at the files, which others may change."""

HISTORY = 8
"""Lines of an item's history that are shown; `gonogo log --item` tells them all."""

AGE = 20.0
"""Seconds between two looks at the clock: evidence grows stale and waivers run out by themselves."""


Mark = Callable[[dict[str, str]], Coroutine[object, object, object]]


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
        self._done: dict[str, Verdict | None] = {}
        self._frame = 0
        self._spinner: Timer | None = None
        self._shown: object = None
        self._trouble = ""

    def compose(self) -> ComposeResult:
        """Verdict, list and detail, progress, keys."""
        yield VerdictLine()
        with Horizontal():
            yield ItemList()
            yield Detail()
        yield Progress()
        yield Footer(compact=True, show_command_palette=False)

    def on_mount(self) -> None:
        """Show what is known; look at the clock now and then."""
        self._spinner = self.set_interval(SPIN, self._spin, pause=True)
        self.set_interval(FOLLOW, self._follow)
        self.set_interval(AGE, self._look_again)
        self._look_again()
        self.query_one(ItemList).focus()

    # Showing

    @work(group="follow", exclusive=True, exit_on_error=False, description="see what others changed")
    async def _follow(self) -> None:
        try:
            await self._session.follow()
            if self._trouble:
                self._trouble = ""
                self._look_again()
        except (FileError, StoreError) as error:
            # Said once, not every two seconds; what was last good stays on screen.
            if str(error) != self._trouble:
                self._trouble = str(error)
                self.post_message(Refused(self._trouble))
                self._look_again()

    def _look_again(self) -> None:
        """Work everything out anew from what is recorded, and show it if it is not what is shown."""
        moment = now()
        self._report = self._session.report()
        ages = [ago((moment - at).total_seconds()) for item in self._report.items for at in item.moments]
        if self._shown == (self._report, ages):
            return
        self._shown = (self._report, ages)
        self._items = {item.id: item for item in self._report.items}
        self.query_one(VerdictLine).show(self._report)
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
        self._show_history()

    @work(group="history", exclusive=True, exit_on_error=False, description="read what happened to an item")
    async def _show_history(self) -> None:
        if item := self._here():
            try:
                self.query_one(Detail).tell(item.id, await self._session.history(item.id, HISTORY))
            except FileError as error:
                self.query_one(Detail).tell(item.id, (), str(error))

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
                self._show_detail()
            case CheckStarted(done=done):
                evidence = {item: self._items[item].evidence for item in done if item in self._items}
                self._check = message.event
                self._done = {item: found.verdict if found else None for item, found in evidence.items()}
                self._show_running()
            case CheckEnded():
                self._check, self._done = None, {}
                self._show_running()
                self._look_again()
                if message.event.final:
                    self._announce(message.event)
            case Changed(item):
                self._look_again()
                if item in (None, self.query_one(ItemList).highlighted):
                    self._show_history()

    def _announce(self, ended: CheckEnded) -> None:
        gate = self._report.gate
        if not ended.whole:
            way = "goes on with it" if self._session.unfinished() else "begins anew: something changed since"
            self._say(f"It was stopped, so it does not count. F {way}.", "Final check", "warning")
        elif ended.record is None:
            self._say(
                "It does not count: another was begun, the checklist was edited, or it was not saved.",
                "Final check",
                "error",
            )
        elif gate.go:
            self._say(proof(self._report), gate.line)
        else:
            self._say(gate.reasons[0], gate.line, "error")

    @on(Refused)
    def _refused(self, message: Refused) -> None:
        self._say(message.why, severity="warning")

    def _say(self, text: str, title: str = "", severity: SeverityLevel = "information") -> None:
        """Notify the operator; nothing in the text is obeyed, by Textual or by the terminal."""
        self.notify(strip(text), title=strip(title), severity=severity, markup=False)

    # Doing

    @work(group="session", exit_on_error=False, description="do one thing with the session")
    async def _do(self, action: Coroutine[object, object, object]) -> None:
        try:
            await action
        except (RefusedError, FileError, StoreError) as error:
            self.post_message(Refused(str(error)))
        except Exception as error:  # noqa: BLE001  # a bug must neither end the console nor pass unseen
            self.post_message(Refused(f"This is a bug in gonogo: {type(error).__name__}: {error}"))

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
        elif (stopped := self._session.unfinished()) and (done := len(self._session.seen_by(stopped.run))):
            total = sum(item.probe is not None for item in self._report.items)
            self.app.push_screen(
                Choice(
                    "Final check",
                    f"The last one was stopped after {done} of {total} probes. Nothing has changed since.",
                    [("resume", "Go on where it was stopped"), ("anew", "Begin anew")],
                ),
                self._check_all,
            )
        else:
            self._check_all("anew")

    def _check_all(self, way: str | None) -> None:
        if way:
            self._do(self._session.check(resume=way == "resume"))

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
        item = self._here()
        if item and item.probe is None:
            self._ask(
                "Attest",
                "No probe can prove this: it will rest on your word, under your name.",
                [Question("note", "What was seen or agreed?")],
                lambda said: self._session.attest(item.id, by=said["by"], note=said["note"]),
            )
        elif item:
            self._ask(
                "Resolve",
                "This is a claim; r then runs its probe, and only that proves it.",
                [Question("action", "What was done?")],
                lambda said: self._session.claim(item.id, by=said["by"], action=said["action"]),
            )

    def action_reopen(self) -> None:
        """Take the item under the cursor back to open."""
        if item := self._here():
            self._ask(
                "Reopen",
                "Claim, attestation and waiver go; only new evidence counts. u takes it back.",
                [Question("why", "Why is it open again?")],
                lambda said: self._session.reopen(item.id, by=said["by"], why=said["why"]),
            )

    def action_waive(self) -> None:
        """Accept the item under the cursor as it is, up to a day."""
        if item := self._here():
            zone = self._session.checklist.policy.time_zone
            week = (day(now(), zone) + timedelta(days=7)).isoformat()
            until = Question("until", f"Up to the end of which day ({zone})?", week, day=True)
            self._ask(
                "Waive",
                "It will not hold the gate up to that day, and stays counted in the verdict.",
                [Question("why", "Why is it acceptable for now?"), until],
                lambda said: self._session.waive(
                    item.id, by=said["by"], why=said["why"], until=date.fromisoformat(said["until"])
                ),
                "Who approves it?",
            )

    def _ask(
        self, verb: str, lead: str, questions: list[Question], mark: Mark, who: str = "Under which name?"
    ) -> None:
        """Ask, and then mark the item under the cursor with what was answered.

        The window is there before the next key is read, so that no word of an answer is taken for a command.
        """
        if item := self._here():

            def answered(said: dict[str, str] | None) -> None:
                if said:
                    self._do(mark(said))

            questions = [*questions, Question("by", who, self._session.operator)]
            self.app.push_screen(Prompt(f"{verb} {item.id}", f"{item.title}\n{lead}", questions), answered)

    def action_undo(self) -> None:
        """Take the last mark back."""
        self._do(self._undo())

    async def _undo(self) -> None:
        item = await self._session.undo()
        if item is None:
            self.post_message(Refused("There is no mark of this session to take back."))
        else:
            self._say(f"{item}: the last mark is taken back.")

    @on(StepTicked)
    def _step_ticked(self, message: StepTicked) -> None:
        self._do(self._session.tick(message.item, message.step))

    def _refuse(self, why: str) -> None:
        self.post_message(Refused(why))
