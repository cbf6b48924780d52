"""The board: every item on the left, the one under the cursor on the right, the verdict above."""

from collections.abc import Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.events import ScreenResume
from textual.widgets import Input

from checklist.events import Changed, CheckEnded, CheckStarted, Ended, Started
from checklist.language import gettext as _
from checklist.reports.status_report import ItemReport, StatusReport
from checklist.reports.text import ago
from checklist.session import Session
from tui import endings, keys, marking, possible, terminal, words
from tui.marking import Answers, Mark
from tui.messages import (
    CheckOpened,
    Filtered,
    FilterLeft,
    Highlighted,
    Left,
    Opened,
    SessionEvent,
    StepTicked,
)
from tui.page import Page
from tui.runs import Runs
from tui.screens.choice import Choice
from tui.screens.evidence import EvidenceScreen
from tui.screens.prompt import Prompt
from tui.widgets.banner import Banner, warnings
from tui.widgets.detail import Detail
from tui.widgets.filter import Filter
from tui.widgets.item_list import ItemList
from tui.widgets.key_line import KeyLine
from tui.widgets.progress import Progress
from tui.widgets.verdict import VerdictLine

if TYPE_CHECKING:
    from textual.timer import Timer

SPIN = 0.25
"""Seconds between two frames while something runs. Faster would cost a visible share of a core."""

FOLLOW = 0.5
"""Seconds between two looks at whether others have changed the files: it is to be seen within one."""

HISTORY = 8
"""Lines of an item's history that are shown; `gonogo log --item` tells them all."""

AGE = 20.0
"""Seconds between two looks at the clock: evidence grows stale and waivers run out by themselves."""


class Board(Page[None]):
    """The main screen."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.BOARD)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (60, "-usual"), (120, "-wide")]  # noqa: RUF012  # Textual's name
    VERTICAL_BREAKPOINTS = [(0, "-low"), (16, "-high")]  # noqa: RUF012  # Textual's name
    DEFAULT_CSS = """
    Board {
        #list { width: 55%; }
        Detail { width: 45%; }
        &.-narrow {
            #panes { layout: vertical; }
            #list { width: 100%; height: 1fr; }
            Detail { width: 100%; height: 1fr; }
        }
        &.-narrow.-low {
            Detail { display: none; }
            &.-inside Detail { display: block; }
            &.-inside #list { display: none; }
        }
    }
    """

    def __init__(self, session: Session) -> None:
        """Show a session."""
        super().__init__()
        self._session = session
        self._report: StatusReport = session.report()
        self._items: dict[str, ItemReport] = {}
        self._runs = Runs()
        self._frame = 0
        self._spinner: Timer | None = None
        self._shown: object = None
        self._following = False
        self._unsaved: list[tuple[Mark, Answers, str]] = []
        """Marks to ask for again, with what was answered and why it could not be saved."""

    def compose(self) -> ComposeResult:
        """Verdict, what is wrong with the files, list and detail, progress, keys."""
        yield VerdictLine()
        yield Banner()
        with Horizontal(id="panes"):
            with Vertical(id="list"):
                yield ItemList()
                yield Filter()
            yield Detail()
        yield Progress()
        yield KeyLine()

    def on_mount(self) -> None:
        """Show what is known; look at the clock now and then."""
        self._spinner = self.set_interval(SPIN, self._spin, pause=True)
        self.set_interval(FOLLOW, self._follow_if_behind)
        self.set_interval(AGE, self._look_again)
        self._look_again()
        self.query_one(ItemList).focus()

    # Showing

    def _follow_if_behind(self) -> None:
        # A slow disk must not gather looks at it.
        if not self._following and self._session.is_behind():
            self._following = True
            self._follow()

    @work(group="follow", exit_on_error=False, description="see what others changed")
    async def _follow(self) -> None:
        # What cannot be read stands in the banner for as long as that is so.
        with suppress(Exception):
            await self._session.follow()
        self._following = False
        self._look_again()

    def _look_again(self) -> None:
        """Work everything out anew from what is recorded, and show it if it is not what is shown."""
        moment = self._session.clock()
        self._report = self._session.report()
        ages = [ago((moment - at).total_seconds()) for item in self._report.items for at in item.moments]
        if self._shown == (self._report, ages, str(self._session.unread)):
            return
        self._shown = (self._report, ages, str(self._session.unread))
        self._items = {item.id: item for item in self._report.items}
        helpless = bool(self._session.unsaved or self._session.unread or self._session.readonly)
        self.query_one(VerdictLine).show(self._report, helpless=helpless)
        self.query_one(Banner).show(warnings(self._session, self._key_of))
        self.query_one(ItemList).show(self._report, moment)
        self._show_detail()
        self.refresh_bindings()

    def _show_detail(self) -> None:
        item = self._here()
        moment = self._session.clock()
        self.query_one(Detail).show(item, moment, self._runs.seconds.get(item.id) if item else None)
        self._show_evidence()

    def _show_evidence(self) -> None:
        """Let a line of evidence that is shown whole follow what has become of it."""
        detail = self.query_one(Detail)
        # Help may stand in front of it.
        for screen in self.app.screen_stack:
            if isinstance(screen, EvidenceScreen) and (item := self._items.get(screen.item)):
                screen.show(item, detail.trends, by=detail.ran_by, now=self._session.clock())

    def _spin(self) -> None:
        self._frame += 1
        self._show_running()
        if self.query_one(ItemList).highlighted in self._runs:
            self._show_detail()

    def _show_running(self) -> None:
        seconds, check = self._runs.seconds, self._runs.check
        self.query_one(ItemList).show_running(seconds, self._frame)
        title = _("Final check") if check and check.final else _("Running")
        total = len(check.items) if check else len(seconds)
        done = self._runs.done if check else {}
        self.query_one(Progress).show(seconds, self._frame, title=title, done=done, total=total)
        if self._spinner:
            if self._runs:
                self._spinner.resume()
            else:
                self._spinner.pause()

    @on(Highlighted)
    def _highlighted(self) -> None:
        self._show_detail()
        self._show_past()
        self.refresh_bindings()

    @work(group="history", exclusive=True, exit_on_error=False, description="read what happened to an item")
    async def _show_past(self) -> None:
        """Show history and trends of the item under the cursor, which are read from files."""
        if item := self._here():
            detail = self.query_one(Detail)
            try:
                detail.tell(item.id, await self._session.history(item.id, HISTORY))
                detail.trace(item.id, await self._session.trend(item.id))
            except Exception as error:  # noqa: BLE001  # a bug must not pass unseen
                detail.tell(item.id, (), words.trouble(error))
            self._show_evidence()

    @on(Opened)
    def _opened(self) -> None:
        self.add_class("-inside")
        self.query_one(Detail).focus()

    @on(Left)
    @on(FilterLeft)
    def _left(self) -> None:
        self.remove_class("-inside")
        self.query_one(ItemList).focus()

    @on(Filtered)
    def _filtered(self, message: Filtered) -> None:
        self.query_one(ItemList).filter(message.words)
        if not message.words and not self.query_one(Filter).has_focus_within:
            self.query_one(Filter).close()

    @on(CheckOpened)
    def _check_opened(self, message: CheckOpened) -> None:
        detail = self.query_one(Detail)
        if item := self._items.get(message.item):
            moment = self._session.clock()
            screen = EvidenceScreen(item, message.name, detail.trends, by=detail.ran_by, now=moment)
            self.app.push_screen(screen)

    @on(SessionEvent)
    def _session_event(self, message: SessionEvent) -> None:
        event = message.event
        self._runs.take(event, {item.id: item.evidence for item in self._report.items})
        match event:
            case Started() | CheckStarted():
                self._show_running()
                self._show_detail()
                self.refresh_bindings()
            case Ended():
                self._show_running()
                self._look_again()
                self._show_detail()
                self.refresh_bindings()
                if said := endings.of_run(event, self._runs):
                    self.post_message(said)
            case CheckEnded():
                self._show_running()
                self._look_again()
                self.refresh_bindings()
                resumable = self._session.unfinished() is not None
                self.post_message(endings.of_check(event, self._report, self._key_of, resumable=resumable))
            case Changed(item):
                self._look_again()
                if item in (None, self.query_one(ItemList).highlighted):
                    self._show_past()

    # What can be done now

    def _key_of(self, binding: str) -> str:
        return words.key_of(self.app, binding)

    def why_not(self, action: str) -> str:
        """Return why an action cannot be done now, as a sentence; nothing if it can."""
        here, key_of = self._here(), self._key_of
        return possible.why_not(action, here, self._session, self._report, self._runs, key_of=key_of)

    def label(self, action: str) -> str:
        """Return what an action is called for the item under the cursor; empty for its usual name."""
        item = self._here()
        return _("Attest") if action == "mark" and item and item.probe is None else ""

    def _here(self) -> ItemReport | None:
        return self._items.get(self.query_one(ItemList).highlighted or "")

    # Doing

    @work(group="session", exit_on_error=False, description="do one thing with the session")
    async def _do(self, action: Coroutine[object, object, object]) -> None:
        try:
            await action
        except Exception as error:  # noqa: BLE001  # a bug must neither end the console nor pass unseen
            self.refuse(words.trouble(error))

    def action_run(self) -> None:
        """Run the probe of the item under the cursor."""
        if item := self._here():
            self._do(self._session.run(item.id))

    def action_run_open(self) -> None:
        """Run the probes of all that is not green."""
        self._do(self._session.check(possible.to_run(self._report, self._runs)))

    def action_final_check(self) -> None:
        """Run every probe in one go."""
        stopped = self._session.unfinished()
        if stopped and (done := len(self._session.seen_by(stopped.run))):
            total = sum(item.probe is not None for item in self._report.items)
            lead = _("The last one was stopped after {done} of {total} probes. Nothing has changed since.")
            ways = [("resume", _("Go on where it was stopped")), ("anew", _("Begin anew"))]
            asked = Choice(_("Final check"), lead.format(done=done, total=total), ways)
            self.app.push_screen(asked, self._check_all)
        else:
            self._check_all("anew")

    def _check_all(self, way: str | None) -> None:
        if way:
            self._do(self._session.check(resume=way == "resume"))

    def action_cancel(self) -> None:
        """Stop the run of the item under the cursor; if it is not running, stop all."""
        item = self.query_one(ItemList).highlighted
        self._session.cancel(item if item in self._runs else None)

    def action_mark(self) -> None:
        """Claim the item under the cursor resolved, or attest it if it is manual."""
        if item := self._here():
            make = marking.attest if item.probe is None else marking.resolve
            self._ask(make(self._session, item, self._key_of))

    def action_reopen(self) -> None:
        """Take the item under the cursor back to open."""
        if item := self._here():
            self._ask(marking.reopen(self._session, item, self._key_of))

    def action_waive(self) -> None:
        """Accept the item under the cursor as it is, up to a day."""
        if item := self._here():
            self._ask(marking.waive(self._session, item))

    def _ask(self, mark: Mark, answers: Answers | None = None, wrong: str = "") -> None:
        """Ask, and then make the mark with what was answered.

        The window is there before the next key is read, so that no word of an answer is taken for a command.
        """

        def answered(said: dict[str, str] | None) -> None:
            if said:
                self._save(mark, said)

        self.app.push_screen(Prompt(mark.title, mark.lead, mark.questions, answers or {}, wrong), answered)

    @work(group="session", exit_on_error=False, description="save a mark")
    async def _save(self, mark: Mark, answers: Answers) -> None:
        try:
            await mark.save(answers)
        except Exception as error:  # noqa: BLE001  # as above
            # What was typed is not lost because it could not be saved.
            self._unsaved.append((mark, answers, words.trouble(error)))
            self._ask_again()

    @on(ScreenResume)
    def _ask_again(self) -> None:
        """Ask for what could not be saved; not in front of a window in which something is typed."""
        if self._unsaved and self.app.screen is self:
            self._ask(*self._unsaved.pop(0))
        elif self._unsaved:
            self.refuse(self._unsaved[-1][-1])

    def action_undo(self) -> None:
        """Take the last mark back."""
        self._do(self._undo())

    async def _undo(self) -> None:
        if item := await self._session.undo():
            self.notify(_("{item}: the last mark is taken back.").format(item=item))

    @on(StepTicked)
    def _step_ticked(self, message: StepTicked) -> None:
        if why := self.why_not("tick"):
            self.refuse(why)
        else:
            self._do(self._session.tick(message.item, message.step))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Leave a slash to the words of the filter while they are typed."""
        typing = action == "filter" and isinstance(self.focused, Input)
        return not typing and super().check_action(action, parameters)

    def action_filter(self) -> None:
        """Type the words of a filter."""
        self.remove_class("-inside")
        self.query_one(Filter).open()

    def action_sort(self) -> None:
        """Show the items in another order."""
        found = self.query_one(ItemList)
        found.sort(found.order.following)

    def action_copy(self) -> None:
        """Copy the evidence of the item under the cursor."""
        if text := self.query_one(Detail).copied:
            self.notify(terminal.copy(self.app, text))

    def action_edit(self) -> None:
        """Edit the checklist at the item under the cursor."""
        self._do(self._edit(self.query_one(ItemList).highlighted or ""))

    async def _edit(self, item: str) -> None:
        line = await self._session.line(item)
        if wrong := await terminal.edit(self.app, self._session.place.checklist, line):
            self.refuse(wrong)
        self._follow_if_behind()
