"""The pages that release managers read: what matters first, then the items, then the evidence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from checklist.gate import Gate
from checklist.glyphs import UNICODE
from checklist.language import gettext as _
from checklist.lifecycle import GREEN, MEANING, State, counts
from checklist.reports.blocks import (
    Block,
    Bullets,
    Details,
    Heading,
    Line,
    Page,
    Paragraph,
    Simple,
    Table,
    Tone,
    Words,
    harmless,
)
from checklist.reports.comparison import sentences
from checklist.reports.readiness import ReadinessCheck
from checklist.reports.resolution import Found, Proof, ResolutionReport, ResolvedItem
from checklist.reports.status_report import ChecklistReport, ItemReport, StepReport
from checklist.reports.text import datum, days, figure, tally, void
from checklist.status import Waiver
from probes.outcome import Check, Figure, Outcome, Verdict

_TONES: Mapping[State, Tone] = {
    State.VERIFIED: "good",
    State.ATTESTED: "word",
    State.WAIVED: "wait",
    State.RESOLVED: "wait",
    State.STALE: "wait",
    State.INHIBITED: "wait",
    State.REOPENED: "bad",
    State.OPEN: "bad",
}
_VERDICT_TONES: Mapping[Verdict, Tone] = {
    Verdict.PASS: "good",
    Verdict.WARN: "wait",
    Verdict.FAIL: "bad",
    Verdict.UNKNOWN: "wait",
}


def readiness_page(record: ReadinessCheck) -> Page:
    """Return the page of a readiness check."""
    record = harmless(record)
    title = _("{verdict}: readiness check of {checklist}")
    return Page(
        title.format(verdict=record.gate.line, checklist=_name(record.checklist)),
        (
            *_head(record.checklist, record.gate, _("Readiness check")),
            _said(_ended(record)),
            *_why(record.gate),
            *_waived(record),
            *_changes(record),
            Heading(2, _plain(_("Items"))),
            _said(f"{tally(counts({item.id: item.state for item in record.items}))}."),
            *_overview(record.items),
            Heading(2, _plain(_("Evidence"))),
            *(_evidence(item, record.evidence_hash.get(item.id, "")) for item in record.items),
            *_colophon(record.checklist),
        ),
    )


def resolution_page(report: ResolutionReport) -> Page:
    """Return the page of an issue resolution report."""
    report = harmless(report)
    return Page(
        _("Issue resolution report of {checklist}").format(checklist=_name(report.checklist)),
        (
            *_head(report.checklist, report.gate, _("Issue resolution report")),
            _said(_("Made {moment}.").format(moment=_moment(report.time))),
            *_why(report.gate),
            Heading(2, _plain(_("Items"))),
            _said(f"{tally(report.counts)}."),
            Table(
                (
                    *(_("Item"), _("State"), _("Owner"), _("Due")),
                    *(_("Claimed on"), _("Early or late"), _("Action taken")),
                ),
                tuple(_resolution_row(item) for item in report.items),
            ),
            *(block for item in report.items for block in _resolved(item)),
            *_colophon(report.checklist),
        ),
    )


def _ended(record: ReadinessCheck) -> str:
    """Return what kind of check it was, when it ended and who ran it."""
    if record.final and record.by:
        words = _("A final check, ended {moment} by {name}, run {run}.")
    elif record.final:
        words = _("A final check, ended {moment}, run {run}.")
    elif record.by:
        words = _("A check of some items, which cannot make GO, ended {moment} by {name}, run {run}.")
    else:
        words = _("A check of some items, which cannot make GO, ended {moment}, run {run}.")
    return words.format(moment=_moment(record.time), name=record.by, run=record.run)


# What both have


def _plain(text: str) -> Line:
    return (Words(text),)


def _said(text: str) -> Paragraph:
    return Paragraph(_plain(text))


def _name(checklist: ChecklistReport) -> str:
    return " · ".join(part for part in (checklist.title, checklist.release, checklist.environment) if part)


def _moment(at: datetime) -> str:
    return at.isoformat(" ", "seconds")


def _state(state: State) -> Words:
    return Words(f"{UNICODE.states[state]} {_(state)}", _TONES[state])


def _verdict(verdict: Verdict) -> Words:
    return Words(f"{UNICODE.verdicts[verdict]} {_(verdict)}", _VERDICT_TONES[verdict])


def _head(checklist: ChecklistReport, gate: Gate, kind: str) -> Iterator[Block]:
    passed = Verdict.PASS if gate.go else Verdict.FAIL
    verdict = Words(f"{UNICODE.verdicts[passed]} {gate.line}", _VERDICT_TONES[passed])
    yield Heading(1, (verdict, Words(checklist.title)))
    about = [(_("Release"), checklist.release), (_("Environment"), checklist.environment)]
    named = [
        word for label, value in about if value for word in (Words(f"{label}:"), Words(value, strong=True))
    ]
    yield Paragraph((Words(kind, strong=True), *named))


def _why(gate: Gate) -> Iterator[Block]:
    if gate.reasons:
        yield Heading(2, _plain(_("What holds the gate")))
        yield Bullets(tuple(_plain(reason) for reason in gate.reasons))


def _colophon(checklist: ChecklistReport) -> Iterator[Block]:
    yield Heading(2, _plain(_("What the states mean")))
    yield Bullets(tuple((_state(state), Words(_(meaning))) for state, meaning in MEANING.items()))
    yield _said(_("Checklist {hash}").format(hash=checklist.hash))


def _words(item: ItemReport | ResolvedItem) -> Iterator[tuple[str, str]]:
    """Return what people said about an item besides a claim, under a name each."""
    if word := item.attestation:
        yield _("Attested"), _by(word.by, word.at, word.note)
    if waiver := item.waiver:
        yield _("Waived"), f"{_approved(waiver)}{void(item.waiver_void)}"
    if reopening := item.reopening:
        yield _("Reopened"), _by(reopening.by, reopening.at, reopening.why)


def _by(name: str, at: datetime, words: str) -> str:
    return _("by {name} at {moment}: {words}").format(name=name, moment=_moment(at), words=words)


def _approved(waiver: Waiver) -> str:
    words = _("by {name} until {day} ({zone}): {why}")
    return words.format(name=waiver.by, day=waiver.until, zone=waiver.zone, why=waiver.why)


def _facts(named: Iterable[tuple[str, str]]) -> tuple[Simple, ...]:
    """Return named facts as a table; none if nothing is named."""
    rows = tuple((_plain(name), _plain(value)) for name, value in named if value)
    return (Table((_("What"), _("Said")), rows),) if rows else ()


# The readiness check


def _waived(record: ReadinessCheck) -> Iterator[Block]:
    lines = [
        (Words(item.id, strong=True), Words(_approved(item.waiver)))
        for item in record.items
        if item.waiver and item.id in record.gate.waived
    ]
    if lines:
        yield Heading(2, _plain(_("What is waived")))
        yield Bullets(tuple(lines))


def _changes(record: ReadinessCheck) -> Iterator[Block]:
    yield Heading(2, _plain(_("What has changed")))
    if record.problem:
        yield Paragraph((Words("?", "wait"), Words(record.problem)))
    elif record.changes is None:
        yield _said(_("There is no check before this one to compare with."))
    else:
        since = record.changes
        lines = sentences(since)
        words = (
            _("Since the check of {moment}, which said {verdict} ({file}).")
            if lines
            else _("Nothing, since the check of {moment}, which said {verdict} ({file}).")
        )
        yield _said(words.format(moment=_moment(since.time), verdict=since.verdict, file=since.previous))
        if lines:
            yield Bullets(tuple(_plain(line) for line in lines))


def _overview(items: Sequence[ItemReport]) -> Iterator[Block]:
    for section, group in groupby(items, key=lambda item: item.section):
        yield Heading(3, _plain(section))
        rows = tuple(
            (
                _plain(item.id),
                (_state(item.state),),
                _plain(item.title),
                _plain(item.owner),
                _due(item),
                _plain(item.evidence.summary if item.evidence else ""),
            )
            for item in group
        )
        heads = (*(_("Item"), _("State"), _("What must be true")), *(_("Owner"), _("Due")))
        yield Table((*heads, _("What its probe found")), rows)


def _due(item: ItemReport) -> Line:
    late = (Words(_late(item.days_late), "bad"),) if item.overdue else ()
    return (Words(str(item.due or "")), *late)


def _late(number: int) -> str:
    return _("{days} late").format(days=days(number))


def _evidence(item: ItemReport, digest: str) -> Block:
    said = [(_("Severity"), _(item.severity) if item.severity != "blocker" else "")]
    if claim := item.claim:
        words = _("by {name} on {day}: {action}")
        said.append((_("Claimed"), words.format(name=claim.by, day=claim.on, action=claim.action)))
    said += _words(item)
    said += [(_("Waits for"), ", ".join(item.waits_for))] if item.state is State.INHIBITED else []
    said += [(_("Repair"), item.repair)] if item.state not in GREEN else []
    found = item.evidence
    blocks = [*_facts(said), *(_outcome(found, item.run or "", digest) if found else _unseen(item))]
    return Details((_state(item.state), Words(item.id, strong=True), Words(item.title)), tuple(blocks))


def _unseen(item: ItemReport) -> Iterator[Simple]:
    yield _said(
        _("Its probe has never run.") if item.probe else _("It is manual: there is no probe to prove it.")
    )


def _outcome(found: Outcome, run: str, digest: str) -> Iterator[Simple]:
    reason = f"({_(found.reason)})" if found.reason else ""
    yield Paragraph((_verdict(found.verdict), Words(reason), Words(found.summary)))
    if found.hint:
        yield _said(f"→ {found.hint}")
    if found.checks:
        rows = tuple(_check(check) for check in found.checks)
        heads = (_("Evidence"), _("Verdict"), _("Observed"), _("Limit"), _("What was found"))
        yield Table(heads, rows)
    words = _("Probe {probe}, {moment}, {seconds} s, run {run}. {hash}")
    moment, seconds = _moment(found.started_at), f"{found.duration:.2f}"
    yield _said(
        words.format(probe=found.probe, moment=moment, seconds=seconds, run=run, hash=digest).rstrip()
    )


def _check(check: Check) -> tuple[Line, ...]:
    hint = f"→ {check.hint}" if check.hint else ""
    return (
        _plain(check.name),
        (_verdict(check.verdict),),
        _plain(_figure(check.observed, check.unit)),
        _plain(_figure(check.limit, check.unit)),
        (Words(check.message), Words(hint)),
    )


def _figure(value: Figure, unit: str | None) -> str:
    return "" if value is None else figure(value, unit)


# The issue resolution report


def _resolution_row(item: ResolvedItem) -> tuple[Line, ...]:
    return (
        _plain(item.id),
        (_state(item.state),),
        _plain(item.owner),
        _plain(str(item.due or "")),
        _plain(str(item.claimed_on or "")),
        _in_time(item),
        _plain(item.action),
    )


def _in_time(item: ResolvedItem) -> Line:
    number = item.days_early_or_late
    if number is None:
        return ()
    # The days are those of the claim, which did not last.
    again = bool(item.claimed_on) and item.state is State.REOPENED
    if number > 0:
        words = _("{days} late, open again") if again else _("{days} late")
    elif number:
        words = _("{days} early, open again") if again else _("{days} early")
    else:
        words = _("on the day, open again") if again else _("on the day")
    return (Words(words.format(days=days(abs(number))), "bad" if again or number > 0 else ""),)


def _resolved(item: ResolvedItem) -> Iterator[Block]:
    yield Heading(2, (_state(item.state), Words(f"{item.id}:"), Words(item.title)))
    proof, found = item.proof, item.found
    named = [
        (_("Section"), item.section),
        (_("Severity"), _(item.severity)),
        (_("Found"), _finding(found) if found else _found_nothing(item)),
        (_("Suspected cause"), item.cause),
        (_("Owner"), item.owner),
        (_("Due"), str(item.due or "")),
        (_("Claimed on"), _claimed(item)),
        (_("Early or late"), "".join(words.text for words in _in_time(item))),
        (_("Action taken"), item.action),
        (_("Proof"), _proven(proof) if proof else _("none")),
    ]
    yield from _facts([*named, *_words(item)])
    yield from _listed(_("Steps"), [_plain(_step(step)) for step in item.steps])
    yield from _listed(_("Notes"), [_plain(note) for note in item.notes])
    yield from _listed(_("Links"), [(Words(link, href=link),) for link in item.links])
    if item.history:
        yield Paragraph((Words(_("History"), strong=True),))
        rows = tuple(
            (
                _plain(_moment(event.at)),
                _plain(_(event.what)),
                _plain(event.by),
                _plain(event.why),
                _plain(
                    ", ".join(
                        f"{_(name)} {datum(name, value)}"
                        for name, value in event.data.items()
                        if _is_told(name, value)
                    )
                ),
            )
            for event in item.history
        )
        yield Table((_("When"), _("What"), _("By"), _("Why"), _("More")), rows)


def _finding(found: Found) -> str:
    words = _("{verdict} at {moment}: {summary}")
    return words.format(verdict=_(found.verdict), moment=_moment(found.at), summary=found.summary)


def _claimed(item: ResolvedItem) -> str:
    if item.claimed_on is None:
        return _("not claimed")
    return _("{day} by {name}").format(day=item.claimed_on, name=item.claimed_by)


def _proven(proof: Proof) -> str:
    words = _("{moment}: {summary} ({seconds} s, run {run})")
    seconds = f"{proof.duration:.2f}"
    return words.format(moment=_moment(proof.at), summary=proof.summary, seconds=seconds, run=proof.run)


def _found_nothing(item: ResolvedItem) -> str:
    seen = item.proof is not None or any(event.what == "found" for event in item.history)
    return _("nothing but passes") if seen else _("nothing: no probe has looked")


def _is_told(name: str, value: str) -> bool:
    # The hash of the evidence is for programs, which have it in the JSON.
    return bool(value) and name != "evidence"


def _step(step: StepReport) -> str:
    return f"☑ {step.text}" if step.done else f"☐ {step.text} {_('(not ticked)')}"


def _listed(name: str, lines: Sequence[Line]) -> Iterator[Simple]:
    if lines:
        yield Paragraph((Words(name, strong=True),))
        yield Bullets(tuple(lines))
