"""The verdict line: may it go, the one reason that holds it most, and what to do about that."""

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static

from checklist.glyphs import glyphs
from checklist.language import gettext as _
from checklist.language import ngettext
from checklist.lifecycle import GREEN, counts
from checklist.reports.status_report import StatusReport
from tui.advice import next_step
from tui.words import cut, flat, key_of

NARROW = 60
"""Cells below which the verdict stands in the first line instead of beside all three."""

BLOCK = 9
"""Cells of the verdict in its block; the same for both, so that the words beside it stay where they are."""


class VerdictLine(Horizontal):
    """The top of the board: the verdict, and beside it three lines: where it stands, why, what to do."""

    DEFAULT_CSS = """
    VerdictLine {
        height: auto;
        max-height: 25vh;
        #verdict { width: 9; height: 3; }
        #words { width: 1fr; height: auto; padding: 0 1; }
        #words Static { height: 1; text-wrap: nowrap; }
        &.-narrow #verdict { display: none; }
        &.-narrow #words { padding: 0; }
    }
    """

    def __init__(self) -> None:
        """Show nothing yet."""
        super().__init__()
        self._report: StatusReport | None = None
        self._helpless = False

    def compose(self) -> ComposeResult:
        """The verdict, where it stands, why, and what to do."""
        yield Static(id="verdict")
        with Vertical(id="words"):
            yield Static(id="what")
            yield Static(id="why")
            yield Static(id="how")

    def show(self, report: StatusReport, *, helpless: bool = False) -> None:
        """Show the decision as it stands.

        Args:
            report: The state of everything.
            helpless: Whether no key helps: the first reason is about a file that cannot be read or saved,
                or nothing may be changed.
        """
        self._report, self._helpless = report, helpless
        self._draw()

    def on_resize(self) -> None:
        """Fit the words anew."""
        self._draw()

    def _draw(self) -> None:
        if (report := self._report) is None:
            return
        gate = report.gate
        narrow = self.size.width < NARROW
        self.set_class(narrow, "-narrow")
        style = "bold reverse $text-success" if gate.go else "bold reverse $text-error"
        blank = " " * BLOCK
        block = f"{blank}\n{gate.verdict:^{BLOCK}}\n{blank}"
        self.query_one("#verdict", Static).update(Content.styled(block, style), layout=False)
        room = self.size.width - (0 if narrow else BLOCK + 2)
        first = Content.styled(f" {gate.verdict} ", style) + Content(" ") if narrow else Content("")
        head = cut(stands(report), room - first.cell_length)
        name = cut(_name(report), room - first.cell_length - Content(head).cell_length - 2)
        why, more = (proof(report), "") if gate.go else (gate.reasons[0], _more(len(gate.reasons) - 1))
        how = _rests_on(report) if gate.go else "" if self._helpless else next_step(report, self._key_of)
        arrow = f"{glyphs().arrow} " if how and not gate.go else ""
        # A narrow terminal has room for the reason alone.
        more = more if room > NARROW // 2 else ""
        room_why = room - Content(more).cell_length
        lines = {
            "#what": Content.assemble(first, head, "  ", (name, "$foreground-muted")),
            "#why": Content.assemble((cut(why, room_why), "bold"), (more, "$foreground-muted")),
            "#how": Content.assemble((arrow, "bold $text-primary"), cut(how, room - len(arrow))),
        }
        for line, words in lines.items():
            # Nothing changes its size, so that no frame is drawn with a verdict that is cut.
            self.query_one(line, Static).update(words, layout=False)

    def _key_of(self, binding: str) -> str:
        return key_of(self.app, binding)


def stands(report: StatusReport) -> str:
    """Say how far it is, and what is only accepted."""
    green = sum(item.state in GREEN for item in report.items)
    text = _("{green} of {total} green").format(green=green, total=len(report.items))
    if not (waived := report.gate.waived):
        return text
    told = ngettext("{number} waived until {day}", "{number} waived until {day}", len(waived))
    return f"{text} {glyphs().dot} {told.format(number=len(waived), day=min(waived.values()))}"


def _name(report: StatusReport) -> str:
    head = report.checklist
    return f" {glyphs().dot} ".join(
        flat(part) for part in (head.title, head.release, head.environment) if part
    )


def _more(number: int) -> str:
    return "  " + _("and {number} more").format(number=number) if number else ""


def proof(report: StatusReport) -> str:
    """Say on what a GO rests: what was sensed, what somebody answers for, what is only accepted."""
    blockers = {item.id: item.state for item in report.items if item.severity == "blocker"}
    told = [
        _("{number} {state}").format(number=number, state=_(state.value))
        for state, number in counts(blockers).items()
    ]
    return _("Nothing holds it: {counts}.").format(counts=", ".join(told))


def _rests_on(report: StatusReport) -> str:
    """Say what is not green beside it, and when all was proven in one go."""
    if (final := report.final_check) is None:
        return ""
    text = _("Final check of {day} by {by}.").format(
        day=f"{final.finished_at.astimezone():%Y-%m-%d %H:%M}", by=final.by
    )
    beside = sum(item.severity != "blocker" and item.state not in GREEN for item in report.items)
    if not beside:
        return text
    more = ngettext("{number} advisory item is not green.", "{number} advisory items are not green.", beside)
    return f"{more.format(number=beside)} {text}"
