"""The item under the cursor: what it is about, its steps, every word given about it, and the evidence."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.style import Style
from textual.widgets import Static

from checklist.glyphs import glyphs
from checklist.journal import Entry
from checklist.lifecycle import State
from checklist.reports.status_report import ItemReport
from checklist.reports.text import ago, days, event, figure, void
from probes.outcome import WEIGHT, Check, Verdict
from tui import keys
from tui.messages import Left, StepTicked
from tui.words import STATE_STYLE, VERDICT_STYLE, elapsed, outside, state, verdict

HEADING = "bold $text-primary"
MUTED = "$foreground-muted"


class Detail(VerticalScroll, can_focus=True):
    """One item, whole. With the focus, its steps can be ticked and everything scrolls."""

    BINDINGS: ClassVar[list[BindingType]] = list(keys.DETAIL)
    DEFAULT_CSS = """
    Detail {
        border: round $foreground 35%;
        border-title-color: $text;
        padding: 0 1;
        scrollbar-size-vertical: 1;
        &:focus { border: round $primary; }
        Static {
            link-color: $foreground;
            link-background: transparent;
            link-style: none;
            link-color-hover: $foreground;
            link-background-hover: $boost;
            link-style-hover: none;
        }
    }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002  # Textual's name
        """Make an empty pane."""
        super().__init__(id=id)
        self._item: ItemReport | None = None
        self._now = datetime.now().astimezone()
        self._elapsed: float | None = None
        self._step = 0
        self._history: tuple[str, Sequence[Entry], str] = ("", (), "")

    def compose(self) -> ComposeResult:
        """One text; it wraps and scrolls as a whole."""
        yield Static()

    def show(self, item: ItemReport | None, now: datetime, running: float | None) -> None:
        """Show an item.

        Args:
            item: The item; None for an empty list.
            now: The moment from which ages count.
            running: For how many seconds its probe has been running, if it is.
        """
        if item is None or self._item is None or item.id != self._item.id:
            self._step = 0
            self.scroll_home(animate=False)
        self._item, self._now, self._elapsed = item, now, running
        self._draw()

    def tell(self, item: str, history: Sequence[Entry], trouble: str = "") -> None:
        """Show what happened to an item, or why that cannot be told, while it is the one shown."""
        if self._history != (item, history, trouble):
            self._history = (item, history, trouble)
            self._draw()

    def on_focus(self) -> None:
        """Show the step cursor."""
        self._draw()

    def on_blur(self) -> None:
        """Hide the step cursor."""
        self._draw()

    def action_back(self) -> None:
        """Go back to the list."""
        self.post_message(Left())

    def action_step(self, by: int) -> None:
        """Move to another step; beyond the last one, scroll."""
        steps = len(self._item.steps) if self._item else 0
        if by > 0 and self._step < steps - 1:
            self._step += 1
            self._draw()
        elif by < 0 and self.scroll_offset.y > 0:
            self.scroll_relative(y=-1, animate=False)
        elif by < 0 and self._step > 0:
            self._step -= 1
            self._draw()
        elif by > 0:
            self.scroll_relative(y=1, animate=False)

    def action_tick(self) -> None:
        """Tick the step under the cursor, or untick it."""
        self.action_tick_step(self._step)

    def action_tick_step(self, number: int) -> None:
        """Tick a step by its number from 0, or untick it."""
        if self._item and number < len(self._item.steps):
            self._step = number
            self.post_message(StepTicked(self._item.id, self._item.steps[number].text))

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        item = self._item
        if item is None:
            self.border_title = ""
            self.query_one(Static).update(Content("The checklist has no items."))
            return
        self.border_title = item.id  # of letters, digits, dots and dashes, so never markup
        parts = [_head(item, self._now), self._evidence(item), self._steps(item), _people(item)]
        parts.append(self._past(item))
        self.query_one(Static).update(Content("\n\n").join(part for part in parts if part))

    def _steps(self, item: ItemReport) -> Content:
        if not item.steps and not item.cause:
            return Content("")
        lines = [Content.styled("Steps", HEADING)]
        if item.cause:
            lines.append(Content.assemble(("Suspected: ", MUTED), outside(item.cause)))
        for number, step in enumerate(item.steps):
            box = Content.styled("[x] " if step.done else "[ ] ", "$text-success" if step.done else "")
            line = box + outside(step.text)
            if self.has_focus and number == self._step:
                line = line.stylize("$block-cursor-foreground on $block-cursor-background")
            lines.append(line.stylize(Style.from_meta({"@click": f"tick_step({number})"})))
        return Content("\n").join(lines)

    def _past(self, item: ItemReport) -> Content:
        """What happened, the newest first: an operator looks for what was done last."""
        whose, entries, trouble = self._history
        if whose != item.id or not (entries or trouble):
            return Content("")
        lines = [Content.styled("History", HEADING)]
        if trouble:
            lines.append(outside(trouble))
        for entry in reversed(entries):
            age = ago((self._now - entry.at).total_seconds())
            lines.append(Content.styled(f"{age}  ", MUTED) + outside(event(entry)))
        return Content("\n").join(lines)

    def _evidence(self, item: ItemReport) -> Content:
        title = Content.styled("Evidence", HEADING)
        if self._elapsed is not None:
            title += Content.styled(f"  running for {elapsed(self._elapsed)}", "$text-primary")
        found = item.evidence
        if item.probe is None:
            return title + Content("\nNone: no probe is bound to this item, so a person answers for it.")
        if found is None:
            return title + Content("\nNone yet. ") + Content.styled("r", "bold") + Content(" runs the probe.")
        age = ago((self._now - found.started_at).total_seconds())
        facts = f"  {found.probe}, {age}, took {found.duration:.2g} s"
        if item.claim and found.started_at < item.claim.at:
            facts += ", older than the claim"
        head = Content.assemble(verdict(found.verdict), (facts, MUTED))
        summary = Content("") if _said_below(found.summary, found.checks) else outside(found.summary)
        # What holds the item stands first; a long list of passes must not hide it.
        checks = sorted(found.checks, key=lambda check: -WEIGHT[check.verdict])
        lines = [title, head, *([summary] if summary else [])]
        # The hint of a line of evidence stands with it; one about the whole run stands first.
        if found.hint and not any(check.hint == found.hint for check in checks):
            lines.append(_hint(found.hint))
        lines += map(_check, checks)
        return Content("\n").join(lines)


def _head(item: ItemReport, now: datetime) -> Content:
    title = outside(item.title).stylize("bold")
    words = _words(item, now)
    state_line = Content.assemble(state(item.state), "  ", _about(item))
    return Content("\n").join([title, state_line, *([words] if words else [])])


def _people(item: ItemReport) -> Content:
    people = Content.assemble(("Owner: ", MUTED), outside(item.owner or "nobody"))
    if item.due:
        due = f"{item.due}" + (f", {days(item.days_late)} late" if item.overdue else "")
        people += Content.assemble(("\nDue: ", MUTED), (due, "bold $text-error" if item.overdue else ""))
    for link in item.links:
        people += Content.assemble(("\nSee: ", MUTED), outside(link))
    return people


def _about(item: ItemReport) -> Content:
    """Say in a few words what the state asks for."""
    words = {
        State.VERIFIED: "proven by its own probe",
        State.ATTESTED: "a person's word, not measured",
        State.RESOLVED: "claimed, not proven: r runs its probe",
        State.STALE: "too old or edited since: r runs its probe"
        if item.probe
        else "the item was edited since",
        State.INHIBITED: "waits for another item",
        State.WAIVED: "accepted for now",
        State.REOPENED: "no longer as it should be",
        State.OPEN: "not proven",
    }
    severity = "" if item.severity == "blocker" else "  advisory: does not hold the gate"
    return Content.styled(words[item.state] + severity, MUTED)


def _words(item: ItemReport, now: datetime) -> Content:
    """Every word that people gave about the item."""
    lines: list[Content] = []

    def say(label: str, by: str, when: str, text: str) -> None:
        lines.append(
            Content.assemble((f"{label} ", STATE_STYLE[State.RESOLVED]), outside(f"by {by}, {when}: {text}"))
        )

    if claim := item.claim:
        say("Resolved", claim.by, f"on {claim.on}", claim.action)
    if word := item.attestation:
        say("Attested", word.by, ago((now - word.at).total_seconds()), word.note)
    if waiver := item.waiver:
        say("Waived", waiver.by, f"until {waiver.until}", waiver.why + void(item.waiver_void))
    if reopening := item.reopening:
        say("Reopened", reopening.by, ago((now - reopening.at).total_seconds()), reopening.why)
    return Content("\n").join(lines)


def _said_below(summary: str, checks: tuple[Check, ...]) -> bool:
    return any(check.message and check.message in summary for check in checks)


def _check(check: Check) -> Content:
    """One line of evidence: name, observed against its limit, and what to do if it did not pass."""
    style = VERDICT_STYLE[check.verdict]
    line = Content.styled(f"{glyphs().verdicts[check.verdict]} ", style) + outside(check.name).stylize("bold")
    if check.observed is not None:
        line += Content("  ") + outside(figure(check.observed, check.unit)).stylize(style)
        if check.limit is not None:
            line += Content.styled(" / ", MUTED) + outside(figure(check.limit, check.unit)).stylize(MUTED)
    if check.message:
        message = outside(check.message)
        line += Content("\n  ") + (message.stylize(MUTED) if check.verdict is Verdict.PASS else message)
    if check.hint:
        line += Content("\n  ") + _hint(check.hint)
    return line


def _hint(words: str) -> Content:
    """What to do next."""
    return Content.styled("→ ", "bold $text-primary") + outside(words).stylize("bold")
