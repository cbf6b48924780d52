"""Reports as plain text for a terminal or a log. One glyph and one word a state: nothing rests on colour."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from unicodedata import east_asian_width

from checklist.glyphs import glyphs
from checklist.journal import Entry
from checklist.language import gettext as _
from checklist.language import ngettext
from checklist.lifecycle import State, counts
from checklist.reports.status_report import ItemReport, StatusReport
from checklist.status import Waiver
from probes.figures import size
from probes.outcome import Check, Figure, Outcome


def status(
    report: StatusReport,
    now: datetime,
    changes: Sequence[str] = (),
    told: tuple[str, Sequence[str]] | None = None,
) -> str:
    """Return the verdict, its reasons, what changed since the check before, and every item.

    Verdict and reasons are those of the gate, or those that are told instead.
    """
    verdict, reasons = told or (report.gate.line, report.gate.reasons)
    head = report.checklist
    name = " · ".join(part for part in (head.title, head.release, head.environment) if part)
    lines = [f"{verdict}  {name}"]
    if reasons:
        lines += ["", *(f"  {reason}" for reason in reasons)]
    if changes:
        lines += ["", *(f"  {change}" for change in changes)]
    section = ""
    room = max(_cells(_(state)) for state in State)
    width = max((len(item.id) for item in report.items), default=0)
    for item in report.items:
        if item.section != section:
            section = item.section
            lines += ["", section]
        word = _(item.state)
        state = f"{glyphs().states[item.state]} {item.id:<{width}}  {word}{' ' * (room - _cells(word))}"
        lines.append(f"  {state}  {item.title}")
        lines += [f"    {' ' * width}  {detail}" for detail in _details(item, now)]
    return _lines([*lines, "", summary(report)])


def _cells(text: str) -> int:
    """Return how many cells of a terminal a text of ours takes."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _lines(lines: Iterable[str]) -> str:
    """Join lines. A line break inside one, from outside, must not make it look like two of ours."""
    return "".join(" ".join(line.splitlines()) + "\n" for line in lines)


def summary(report: StatusReport) -> str:
    """Return one line that counts: "7 items: 5 resolved, 2 open, none verified, 1 late"."""
    late = sum(item.overdue for item in report.items)
    counted = tally(counts({item.id: item.state for item in report.items}))
    return _("{counted}, {number} late").format(counted=counted, number=late) if late else counted


def tally(found: Mapping[State, int]) -> str:
    """Return how many items there are, and in which states: "7 items: 5 resolved, 2 open, none verified"."""
    parts = [_("{number} {state}").format(number=number, state=_(state)) for state, number in found.items()]
    if State.VERIFIED not in found:
        parts.append(_("none verified"))
    return f"{items(sum(found.values()))}: {', '.join(parts)}"


def said(item: ItemReport) -> list[str]:
    """Return what people said about an item, a line each."""
    lines = []
    if item.claim:
        words = _("resolved by {name} on {day}: {action}")
        lines.append(words.format(name=item.claim.by, day=item.claim.on, action=item.claim.action))
    if item.attestation:
        words = _("attested by {name}: {note}")
        lines.append(words.format(name=item.attestation.by, note=item.attestation.note))
    if item.waiver:
        words = _("waived by {name} until {day}: {why}")
        line = words.format(name=item.waiver.by, day=item.waiver.until, why=item.waiver.why)
        lines.append(line + void(item.waiver_void))
    if item.reopening:
        words = _("reopened by {name}: {why}")
        lines.append(words.format(name=item.reopening.by, why=item.reopening.why))
    return lines


def waived(waiver: Waiver) -> str:
    """Return until when an item is waived, by whom and why."""
    words = _("waived until {day} by {name}: {why}")
    return words.format(day=waiver.until, name=waiver.by, why=waiver.why)


def void(why: str) -> str:
    """Return what stands behind a waiver that does not hold; nothing if it does."""
    return _(" (does not hold: {why})").format(why=why) if why else ""


def _details(item: ItemReport, now: datetime) -> list[str]:
    lines = said(item)
    if item.due and item.overdue:
        lines.append(_("due {day}, {days} late").format(day=item.due, days=days(item.days_late)))
    elif item.due:
        lines.append(_("due {day}").format(day=item.due))
    if item.evidence:
        age = ago((now - item.evidence.started_at).total_seconds())
        head = f"{_(item.evidence.verdict)}, {age}"
        if item.outdated:
            words = _("{verdict}, {age}, before it was {state}")
            head = words.format(verdict=_(item.evidence.verdict), age=age, state=_(item.state))
        lines.append(f"{head}: {item.evidence.summary}")
        lines += advice(item)
    return lines


def outcome(found: Outcome, name: str | None = None) -> str:
    """Return an outcome with its evidence line by line, under the name of the item or else of the probe."""
    reason = f" ({_(found.reason)})" if found.reason else ""
    head = f"{glyphs().verdicts[found.verdict]} {name or found.probe}: {_(found.verdict)}{reason}"
    lines = [f"{head}: {found.summary}", *(f"  {line}" for line in hint(found.hint))]
    for check in found.checks:
        lines.append(f"  {glyphs().verdicts[check.verdict]} {check_line(check)}")
        if check.hint != found.hint:
            lines += (f"    {line}" for line in hint(check.hint))
    return _lines(lines)


def hint(words: str) -> list[str]:
    """Return the line that says what to do next, if there is anything to say."""
    return [f"{glyphs().arrow} {words}"] if words else []


def advice(item: ItemReport) -> list[str]:
    """Return what to do next about an item, unless it may be done already: then its probe has to run."""
    if item.evidence is None or not item.is_wrong:
        return []
    return [*hint(item.evidence.hint), *hint(item.repair)]


def checked(chosen: Iterable[ItemReport], run: str) -> str:
    """Return what a run found about each of some items, or why it did not look at one."""
    return "".join(
        outcome(item.evidence, item.id)
        if item.evidence and item.run == run
        else _lines([f"{glyphs().states[item.state]} {item.id}: {_not_run(item)}"])
        for item in chosen
    )


_FOUND = {"verdict", "probe", "reason", "evidence"}
"""What the journal keeps of an outcome besides its words."""


def entry(line: Entry) -> str:
    """Return a line of the journal, for people: when, who, and what about what."""
    about = f"{line.item} " if line.item else ""
    lines = [f"{line.number:>4}  {line.at:%Y-%m-%d %H:%M:%S%z}  {line.by or '?'}  {about}{_happened(line)}"]
    if line.edited:
        lines.insert(0, f"      {_('before this, something other than gonogo changed the status')}")
    return _lines(lines)


def event(line: Entry) -> str:
    """Return a line of the journal where its item and its age are told already."""
    return f"{line.by or '?'}: {_happened(line)}"


def _happened(line: Entry) -> str:
    what = " ".join(_(part) for part in (line.what, line.data.get("verdict", "")) if part)
    data = [datum(key, value) for key, value in line.data.items() if key not in _FOUND and value]
    details = f" ({', '.join(data)})" if data else ""
    return f"{what}{details}: {line.why}" if line.why else f"{what}{details}"


def datum(name: str, value: str) -> str:
    """Return what the journal keeps under a name, for people: some of it is a word of ours."""
    return _(value) if name in {"verdict", "reason", "mark"} else value


def _not_run(item: ItemReport) -> str:
    if item.probe is None:
        return _("{state}: manual, so there is nothing to run").format(state=_(item.state))
    if item.waits_for:
        return _("not run: waits for {items}").format(items=", ".join(item.waits_for))
    return _("not run")


def check_line(check: Check) -> str:
    """Return one line of evidence: name, observed value against its limit, message."""
    line = check.name
    if check.observed is not None:
        line += f"  {figure(check.observed, check.unit)}"
        if check.limit is not None:
            line += _(" (limit {figure})").format(figure=figure(check.limit, check.unit))
    return f"{line}  {check.message}" if check.message else line


def figure(value: Figure, unit: str | None) -> str:
    """Return a figure with its unit, bytes in binary multiples, no more digits than mean something."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if unit == "B":
        return size(value)
    number = f"{value:,}" if isinstance(value, int) else f"{value:,.2f}".rstrip("0").rstrip(".")
    return f"{number} {unit}" if unit else number


_SKEW = 60
"""Seconds that two clocks may be apart before it is told: ours."""


def ago(seconds: float) -> str:
    """Return an age in its largest unit: "just now", "3 min ago", "5 h ago", "2 d ago"."""
    if seconds < -_SKEW:
        return _("dated in the future")
    unit, number = _in_largest_unit(seconds)
    words = {"d": _("{number} d ago"), "h": _("{number} h ago"), "m": _("{number} min ago")}
    return words[unit].format(number=number) if unit else _("just now")


def short_ago(seconds: float) -> str:
    """Return an age in few cells: "now" up to a minute, then "3m", "5h", "2d"."""
    unit, number = _in_largest_unit(seconds)
    return f"{number}{unit}" if unit else _("now")


def _in_largest_unit(seconds: float) -> tuple[str, int]:
    for unit, length, least in (("d", 86_400, 2), ("h", 3_600, 2), ("m", 60, 1)):
        if seconds >= least * length:
            return unit, int(seconds // length)
    return "", 0


def items(number: int) -> str:
    """Return a number of items in words."""
    return ngettext("{number} item", "{number} items", number).format(number=number)


def days(number: int) -> str:
    """Return a number of days in words."""
    return ngettext("{number} day", "{number} days", number).format(number=number)
