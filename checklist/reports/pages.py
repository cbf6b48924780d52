"""The pages that release managers read: what matters first, then the items, then the evidence."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby

from checklist.gate import Gate
from checklist.glyphs import UNICODE
from checklist.lifecycle import MEANING, State, counts
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
from checklist.reports.resolution import ResolutionReport, ResolvedItem
from checklist.reports.status_report import ChecklistReport, ItemReport, StepReport
from checklist.reports.text import days, figure, tally, void
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
    title = f"{record.gate.line}: readiness check of {_name(record.checklist)}"
    kind = "final check" if record.final else "check of some items, which cannot make GO"
    who = f" by {record.by}" if record.by else ""
    return Page(
        title,
        (
            *_head(record.checklist, record.gate, "Readiness check"),
            _said(f"A {kind}, ended {_moment(record.time)}{who}, run {record.run}."),
            *_why(record.gate),
            *_waived(record),
            *_changes(record),
            Heading(2, _plain("Items")),
            _said(f"{tally(counts({item.id: item.state for item in record.items}))}."),
            *_overview(record.items),
            Heading(2, _plain("Evidence")),
            *(_evidence(item, record.evidence_hash.get(item.id, "")) for item in record.items),
            *_colophon(record.checklist),
        ),
    )


def resolution_page(report: ResolutionReport) -> Page:
    """Return the page of an issue resolution report."""
    report = harmless(report)
    return Page(
        f"Issue resolution report of {_name(report.checklist)}",
        (
            *_head(report.checklist, report.gate, "Issue resolution report"),
            _said(f"Made {_moment(report.time)}."),
            *_why(report.gate),
            Heading(2, _plain("Items")),
            _said(f"{tally(report.counts)}."),
            Table(
                ("Item", "State", "Owner", "Due", "Claimed on", "Early or late", "Action taken"),
                tuple(_resolution_row(item) for item in report.items),
            ),
            *(block for item in report.items for block in _resolved(item)),
            *_colophon(report.checklist),
        ),
    )


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
    return Words(f"{UNICODE.states[state]} {state}", _TONES[state])


def _verdict(verdict: Verdict) -> Words:
    return Words(f"{UNICODE.verdicts[verdict]} {verdict}", _VERDICT_TONES[verdict])


def _head(checklist: ChecklistReport, gate: Gate, kind: str) -> Iterator[Block]:
    passed = Verdict.PASS if gate.go else Verdict.FAIL
    verdict = Words(f"{UNICODE.verdicts[passed]} {gate.line}", _VERDICT_TONES[passed])
    yield Heading(1, (verdict, Words(checklist.title)))
    about = [("Release", checklist.release), ("Environment", checklist.environment)]
    named = [
        word for label, value in about if value for word in (Words(f"{label}:"), Words(value, strong=True))
    ]
    yield Paragraph((Words(kind, strong=True), *named))


def _why(gate: Gate) -> Iterator[Block]:
    if gate.reasons:
        yield Heading(2, _plain("What holds the gate"))
        yield Bullets(tuple(_plain(reason) for reason in gate.reasons))


def _colophon(checklist: ChecklistReport) -> Iterator[Block]:
    yield Heading(2, _plain("What the states mean"))
    yield Bullets(tuple((_state(state), Words(meaning)) for state, meaning in MEANING.items()))
    yield _said(f"Checklist {checklist.hash}")


def _words(item: ItemReport | ResolvedItem) -> Iterator[tuple[str, str]]:
    """Return what people said about an item besides a claim, under a name each."""
    if word := item.attestation:
        yield "Attested", f"by {word.by} at {_moment(word.at)}: {word.note}"
    if waiver := item.waiver:
        yield "Waived", f"{_approved(waiver)}{void(item.waiver_void)}"
    if reopening := item.reopening:
        yield "Reopened", f"by {reopening.by} at {_moment(reopening.at)}: {reopening.why}"


def _approved(waiver: Waiver) -> str:
    return f"by {waiver.by} until {waiver.until} ({waiver.zone}): {waiver.why}"


def _facts(named: Iterable[tuple[str, str]]) -> tuple[Simple, ...]:
    """Return named facts as a table; none if nothing is named."""
    rows = tuple((_plain(name), _plain(value)) for name, value in named if value)
    return (Table(("What", "Said"), rows),) if rows else ()


# The readiness check


def _waived(record: ReadinessCheck) -> Iterator[Block]:
    lines = [
        (Words(item.id, strong=True), Words(_approved(item.waiver)))
        for item in record.items
        if item.waiver and item.id in record.gate.waived
    ]
    if lines:
        yield Heading(2, _plain("What is waived"))
        yield Bullets(tuple(lines))


def _changes(record: ReadinessCheck) -> Iterator[Block]:
    yield Heading(2, _plain("What has changed"))
    if record.problem:
        yield Paragraph((Words("?", "wait"), Words(record.problem)))
    elif record.changes is None:
        yield _said("There is no check before this one to compare with.")
    else:
        since = record.changes
        lines = sentences(since)
        words = "Since" if lines else "Nothing, since"
        yield _said(
            f"{words} the check of {_moment(since.time)}, which said {since.verdict} ({since.previous})."
        )
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
        yield Table(("Item", "State", "What must be true", "Owner", "Due", "What its probe found"), rows)


def _due(item: ItemReport) -> Line:
    late = (Words(f"{days(item.days_late)} late", "bad"),) if item.overdue else ()
    return (Words(str(item.due or "")), *late)


def _evidence(item: ItemReport, digest: str) -> Block:
    said = [("Severity", item.severity if item.severity != "blocker" else "")]
    if claim := item.claim:
        said.append(("Claimed", f"by {claim.by} on {claim.on}: {claim.action}"))
    said += _words(item)
    said += [("Waits for", ", ".join(item.waits_for))] if item.state is State.INHIBITED else []
    found = item.evidence
    blocks = [*_facts(said), *(_outcome(found, item.run or "", digest) if found else _unseen(item))]
    return Details((_state(item.state), Words(item.id, strong=True), Words(item.title)), tuple(blocks))


def _unseen(item: ItemReport) -> Iterator[Simple]:
    yield _said("Its probe has never run." if item.probe else "It is manual: there is no probe to prove it.")


def _outcome(found: Outcome, run: str, digest: str) -> Iterator[Simple]:
    reason = f"({found.reason})" if found.reason else ""
    yield Paragraph((_verdict(found.verdict), Words(reason), Words(found.summary)))
    if found.hint:
        yield _said(f"→ {found.hint}")
    if found.checks:
        rows = tuple(_check(check) for check in found.checks)
        yield Table(("Evidence", "Verdict", "Observed", "Limit", "What was found"), rows)
    yield _said(
        f"Probe {found.probe}, {_moment(found.started_at)}, {found.duration:.2f} s, run {run}. {digest}"
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
    again = ", open again" if item.claimed_on and item.state is State.REOPENED else ""
    if number > 0:
        return (Words(f"{days(number)} late{again}", "bad"),)
    return (
        Words(f"{days(-number)} early{again}" if number else f"on the day{again}", "bad" if again else ""),
    )


def _resolved(item: ResolvedItem) -> Iterator[Block]:
    yield Heading(2, (_state(item.state), Words(f"{item.id}:"), Words(item.title)))
    proof, found = item.proof, item.found
    named = [
        ("Section", item.section),
        ("Severity", item.severity),
        (
            "Found",
            f"{found.verdict} at {_moment(found.at)}: {found.summary}" if found else _found_nothing(item),
        ),
        ("Suspected cause", item.cause),
        ("Owner", item.owner),
        ("Due", str(item.due or "")),
        ("Claimed on", f"{item.claimed_on} by {item.claimed_by}" if item.claimed_on else "not claimed"),
        ("Early or late", "".join(words.text for words in _in_time(item))),
        ("Action taken", item.action),
        ("Proof", "none"),
    ]
    if proof:
        seconds = f"{proof.duration:.2f} s"
        named[-1] = ("Proof", f"{_moment(proof.at)}: {proof.summary} ({seconds}, run {proof.run})")
    yield from _facts([*named, *_words(item)])
    yield from _listed("Steps", [_plain(_step(step)) for step in item.steps])
    yield from _listed("Notes", [_plain(note) for note in item.notes])
    yield from _listed("Links", [(Words(link, href=link),) for link in item.links])
    if item.history:
        yield Paragraph((Words("History", strong=True),))
        rows = tuple(
            (
                _plain(_moment(event.at)),
                _plain(event.what),
                _plain(event.by),
                _plain(event.why),
                _plain(
                    ", ".join(
                        f"{name} {value}" for name, value in event.data.items() if _is_told(name, value)
                    )
                ),
            )
            for event in item.history
        )
        yield Table(("When", "What", "By", "Why", "More"), rows)


def _found_nothing(item: ResolvedItem) -> str:
    seen = item.proof is not None or any(event.what == "found" for event in item.history)
    return "nothing but passes" if seen else "nothing: no probe has looked"


def _is_told(name: str, value: str) -> bool:
    # The hash of the evidence is for programs, which have it in the JSON.
    return bool(value) and name != "evidence"


def _step(step: StepReport) -> str:
    return f"☑ {step.text}" if step.done else f"☐ {step.text} (not ticked)"


def _listed(name: str, lines: Sequence[Line]) -> Iterator[Simple]:
    if lines:
        yield Paragraph((Words(name, strong=True),))
        yield Bullets(tuple(lines))
