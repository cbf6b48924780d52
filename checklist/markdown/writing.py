"""Writes a checklist as Markdown, in the shape that `read` reads."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from checklist.definition import Binding, Checklist, Item
from checklist.language import gettext as _
from checklist.lifecycle import GREEN, State, states
from checklist.markdown.blocks import code_span
from checklist.markdown.toml_text import UNSEEN, scalar, string, value
from checklist.status import Facts, Status

_ADDRESS = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'()*+,;=%\[\]-]+")
_CODE = re.compile(r"(?<![`\\])`(?! )[^`\"]+(?<! )`(?!`)")
_SPECIAL = re.compile(r"[\\`*\[\]<~]|&(?=#|[A-Za-z][A-Za-z0-9]*;)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_START = re.compile(r"^(?:[#+>=-]|\d+(?=[.)]))")


def write(checklist: Checklist, status: Status, now: datetime, written: Checklist | None = None) -> str:
    """Return the Markdown of a checklist, with everything that its definition says and people have claimed.

    A box is ticked where there is a claim, or where the item is verified or attested. What a Markdown file
    cannot vouch for (evidence, waivers, attestations, reopenings) is told to readers, and `read` leaves it.

    Args:
        checklist: What must be true.
        status: What is known about it.
        now: The moment it is written for.
        written: The same checklist for no environment, if one was chosen: a probe is shown as it is written,
            since what a variable stands for may be a secret.
    """
    return "\n".join(_lines(checklist, status, now, written or checklist)) + "\n"


def _lines(checklist: Checklist, status: Status, now: datetime, written: Checklist) -> Iterator[str]:
    yield f"# {_heading(checklist.title)}"
    zone = checklist.policy.time_zone
    head = [
        *([f"- release: {inline(checklist.release)}"] if checklist.release else []),
        *([f"- environment: {inline(checklist.environment)}"] if checklist.environment else []),
        *([f"- time zone: {inline(zone)}"] if zone != "UTC" else []),
        *(["- four eyes: yes"] if checklist.policy.four_eyes else []),
    ]
    yield from ["", *head] if head else []
    found = states(checklist, status, now)
    section = None
    for item in checklist.items:
        if item.section != section:
            section = item.section
            yield from ("", f"## {_heading(section)}")
        yield ""
        yield from _item(item, written.by_id[item.id].probe, status.of(item.id), found[item.id])
    if checklist.plan:
        yield from ("", "## Action plan", "")
        yield from (f"{number}. {_entry(step)}" for number, step in enumerate(checklist.plan, 1))
    for heading, texts in (("References", checklist.links), ("Notes", checklist.notes)):
        if texts:
            yield from ("", f"## {heading}", "")
            yield from (f"- {_entry(text)}" for text in texts)


def _item(item: Item, probe: Binding | None, facts: Facts, state: State) -> Iterator[str]:
    # What was seen to fail after it was claimed is not done, whatever was claimed.
    claimed = facts.claim is not None and state is not State.REOPENED
    ticked = claimed or (state in GREEN and state is not State.WAIVED)
    yield f"- [{'x' if ticked else ' '}] **{inline(item.title)}**"
    yield f"  - id: {item.id}"
    if item.severity != "blocker":
        yield f"  - severity: {item.severity}"
    for key, text in (("cause", item.cause), ("owner", item.owner)):
        if text:
            yield f"  - {key}: {inline(text)}"
    if item.due is not None:
        yield f"  - due: {item.due.isoformat()}"
    if item.after:
        yield f"  - after: {', '.join(item.after)}"
    if item.fresh_for != "24h":
        yield f"  - fresh for: {item.fresh_for}"
    yield f"  - probe: {_probe(probe)}"
    yield from _nested(
        "steps", (f"[{'x' if step in facts.steps else ' '}] {inline(step)}" for step in item.steps)
    )
    yield from _claim(facts)
    yield from _nested("links", map(_entry, item.links))
    yield from _nested("notes", map(_entry, item.notes))
    if item.repair:
        yield f"  - repair: {_command(item.repair)}"
    yield from _words(facts)


def _probe(probe: Binding | None) -> str:
    if probe is None:
        return "none"
    return code_span(value({"use": probe.use, **probe.parameters}))


def _command(text: str) -> str:
    """Return a command as it is typed, in a code span; as `inline` where it would not be read back so."""
    as_it_is = text == scalar(text).strip() and not text.startswith('"') and not UNSEEN.search(text)
    return code_span(text if as_it_is else string(text))


def _nested(key: str, entries: Iterable[str]) -> Iterator[str]:
    lines = [f"    - {entry}" for entry in entries]
    yield from [f"  - {key}:", *lines] if lines else []


def _claim(facts: Facts) -> Iterator[str]:
    if facts.claim is not None:
        yield f"  - resolved on: {facts.claim.on.isoformat()}"
        yield f"  - resolved by: {inline(facts.claim.by)}"
        yield f"  - action taken: {inline(facts.claim.action)}"


def _words(facts: Facts) -> Iterator[str]:
    """Tell readers what is known beyond the claim."""
    if (waiver := facts.waiver) is not None:
        words = _("until {day} by {name}: {why}")
        said = words.format(day=waiver.until, name=inline(waiver.by), why=inline(waiver.why))
        yield f"  - waived: {said}"
    if (attestation := facts.attestation) is not None:
        yield f"  - attested: {_by(attestation.by, attestation.note)}"
    if (reopening := facts.reopening) is not None:
        yield f"  - reopened: {_by(reopening.by, reopening.why)}"
    if facts.evidence is not None:
        found = facts.evidence.outcome
        when = found.started_at.isoformat(sep=" ", timespec="seconds")
        words = _("{verdict} at {moment}: {summary}")
        said = words.format(verdict=_(found.verdict), moment=when, summary=inline(found.summary))
        yield f"  - evidence: {said}"


def _by(name: str, words: str) -> str:
    return _("by {name}: {words}").format(name=inline(name), words=inline(words))


def _heading(text: str) -> str:
    """Return a text for a heading, in which hashes at the end would be taken for the closing of it."""
    written = inline(text)
    return f"{written[:-1]}\\#" if written.endswith("#") else written


def _entry(text: str) -> str:
    """Return a text that stands at the beginning of a list entry."""
    return f"<{text}>" if _ADDRESS.fullmatch(text) else _START.sub(_escape_start, inline(text))


def _escape_start(found: re.Match[str]) -> str:
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def inline(text: str) -> str:
    """Return Markdown that says exactly this text, on one line, and can be nothing but text.

    What Markdown cannot carry (an empty text, line breaks, spaces around it, characters that are not seen)
    becomes a code span with the text as TOML.
    """
    text = scalar(text)
    if not text or text != text.strip() or UNSEEN.search(text):
        return code_span(string(text))
    written, end = [], 0
    for code in _CODE.finditer(text):
        written += [_SPECIAL.sub(r"\\\g<0>", text[end : code.start()]), code[0]]
        end = code.end()
    written.append(_SPECIAL.sub(r"\\\g<0>", text[end:]))
    return "".join(written)
