"""What is known about an item besides its evidence, in words for somebody who is tired."""

from collections.abc import Sequence
from datetime import datetime

from textual.content import Content

from checklist.glyphs import glyphs
from checklist.journal import Entry
from checklist.language import gettext as _
from checklist.language import ngettext
from checklist.lifecycle import State
from checklist.reports.status_report import ItemReport, StepReport
from checklist.reports.text import ago, event, void
from probes.outcome import Verdict
from tui.widgets.evidence import HEADING, MUTED, hint, repair, took
from tui.words import STATE_STYLE, KeyOf, outside, state, verdict


def head(item: ItemReport, key_of: KeyOf) -> list[Content]:
    """Say what it is about, how it stands, and what that asks for.

    Args:
        item: The item.
        key_of: How the key of a binding is written.
    """
    lines = [
        outside(item.title).stylize("bold"),
        Content.assemble(state(item.state), "  ", _asked(item, key_of)),
    ]
    if item.severity != "blocker":
        lines.append(Content.styled(_("advisory: it does not hold the gate"), MUTED))
    if item.overdue:
        late = ngettext("{days} day late (due {due})", "{days} days late (due {due})", item.days_late)
        lines.append(Content.styled(late.format(days=item.days_late, due=item.due), "bold $text-error"))
    return lines


def _asked(item: ItemReport, key_of: KeyOf) -> str:
    """Say what the state asks for, and the key that does it."""
    run, mark = key_of("run"), key_of("mark")
    match item.state:
        case State.VERIFIED:
            return _("proven by its own probe")
        case State.ATTESTED:
            return _("a person's word, not measured")
        case State.WAIVED if item.waiver:
            return _("accepted for now, up to {day}").format(day=item.waiver.until)
        case State.RESOLVED if item.is_wrong:
            return _("claimed; its probe could not tell: see to that, then {key} looks again").format(key=run)
        case State.RESOLVED:
            return _("claimed, not proven: {key} runs its probe").format(key=run)
        case State.INHIBITED:
            return _("waits for {items}").format(items=", ".join(item.waits_for))
        case State.STALE if item.probe is None:
            return _("edited since it was attested: {key} attests it anew").format(key=mark)
        case State.STALE if item.edited:
            return _("edited since it was proven: {key} runs its probe").format(key=run)
        case State.STALE:
            return _("its proof is too old: {key} runs its probe").format(key=run)
        case _:
            return _open(item, run, mark)


def _open(item: ItemReport, run: str, mark: str) -> str:
    if item.probe is None:
        return _("nobody answers for it yet: {key} attests it").format(key=mark)
    if item.evidence is None:
        return _("never looked at: {key} runs its probe").format(key=run)
    if item.outdated or item.evidence.verdict is Verdict.PASS:
        return _("not proven: {key} runs its probe").format(key=run)
    return _("repair it, then {key} looks again").format(key=run)


def holds(item: ItemReport, key_of: KeyOf) -> list[Content]:
    """Say what is wrong, and what to do about it: the keys as in `head`.

    Nothing once that may be done already, nor while what it waits for is wrong: that comes first.
    """
    found = item.evidence
    if found is None or not item.is_wrong:
        return []
    lines = [Content.assemble(verdict(found.verdict), ": ", outside(found.summary).stylize("bold"))]
    lines += [hint(found.hint)] if found.hint else []
    if item.repair:
        shell = _("{key}: the shell; fg: back here").format(key=key_of("suspend"))
        lines += [repair(item.repair), Content.styled(shell, MUTED)]
    return lines


def evidence_head(item: ItemReport, now: datetime, key_of: KeyOf) -> list[Content]:
    """Say from where and when the evidence is, or why there is none."""
    title = Content.styled(_("Evidence"), HEADING)
    found = item.evidence
    if item.probe is None:
        words = _("None: no probe is bound to this item, so a person answers for it.")
        return [title, Content(words)]
    if found is None:
        return [title, Content(_("None yet: {key} runs the probe.").format(key=key_of("run")))]
    age = ago((now - found.started_at).total_seconds())
    facts = ", ".join([found.probe, age, took(found.duration)])
    lines = [Content.assemble(title, ("  " + facts, MUTED))]
    if item.outdated:
        claimed = item.claim and found.started_at <= item.claim.at
        words = _("Found before it was resolved.") if claimed else _("Found before it was reopened.")
        lines.append(Content(words))
    if not item.is_wrong:
        said = any(check.message and check.message in found.summary for check in found.checks)
        lines += [] if said else [outside(found.summary)]
    return lines


def step(one: StepReport) -> Content:
    """Draw a step with its box."""
    box = glyphs().boxes[one.done]
    return Content.styled(f"{box} ", "$text-success" if one.done else "") + outside(one.text)


def people(item: ItemReport, now: datetime) -> list[Content]:
    """Return who answers for it, until when, and every word that was given about it."""
    lines = [_said(_("Owner: {name}"), name=item.owner or _("nobody"))]
    if item.due and not item.overdue:
        lines.append(_said(_("Due: {day}"), day=str(item.due)))
    lines += [_said(_("See: {link}"), link=link) for link in item.links]
    lines += [_said(_("Note: {note}"), note=note) for note in item.notes]
    if claim := item.claim:
        words = _("Resolved by {name} on {day}: {words}")
        lines.append(_word(words, name=claim.by, day=str(claim.on), words=claim.action))
    if word := item.attestation:
        age = ago((now - word.at).total_seconds())
        lines.append(_word(_("Attested by {name}, {age}: {words}"), name=word.by, age=age, words=word.note))
    if waiver := item.waiver:
        why = waiver.why + void(item.waiver_void)
        words = _("Waived by {name} until {day}: {words}")
        lines.append(_word(words, name=waiver.by, day=str(waiver.until), words=why))
    if reopening := item.reopening:
        age = ago((now - reopening.at).total_seconds())
        words = _("Reopened by {name}, {age}: {words}")
        lines.append(_word(words, name=reopening.by, age=age, words=reopening.why))
    return lines


def _said(sentence: str, **values: str) -> Content:
    """Fill in a sentence, muted up to its first field."""
    start = sentence.find("{")
    return outside(sentence.format(**values)).stylize(MUTED, 0, start)


def _word(sentence: str, **values: str) -> Content:
    start = sentence.find("{")
    return outside(sentence.format(**values)).stylize(STATE_STYLE[State.RESOLVED], 0, start)


def past(entries: Sequence[Entry], trouble: str, now: datetime) -> list[Content]:
    """Say what happened, the newest first: an operator looks for what was done last."""
    if not (entries or trouble):
        return []
    lines = [Content.styled(_("History"), HEADING)]
    lines += [outside(trouble)] if trouble else []
    for entry in reversed(entries):
        age = ago((now - entry.at).total_seconds())
        lines.append(Content.styled(f"{age}  ", MUTED) + outside(event(entry)))
    return lines
