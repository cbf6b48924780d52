"""Makes text from outside harmless: no escape sequences, no secrets. Applied once, by the runner."""

import math
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from urllib.parse import unquote, urlsplit

import msgspec

from probes.outcome import WEIGHT, Check, Figure, Outcome, worst

MAX_TEXT = 2_000
"""Characters of a summary or message that are kept; what is longer ends in an ellipsis."""

MAX_CHECKS = 500
"""Lines of evidence that are kept, the heaviest ones if there are more."""

MAX_METRICS = 200
"""Figures for trends, and entries of a probe's memory, that are kept."""

# Escape sequences go whole (CSI, OSC up to its terminator or the end, two-character ones), then what is left
# of C0 (except newline and tab), DEL, C1, the bidirectional controls and lone surrogates. A terminal would
# obey the first, a reader would be misled by the last, and a file could not be encoded.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
)
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)

# What could start anywhere is bounded: the time to clean grows with the text, not with its square.
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30}://)[^\s/\"'<>]{1,500}@")
# What follows "token" or "Basic" may be an ordinary word, unless it is long or holds a digit.
_HEADER = re.compile(
    r"(?i)\b(?P<name>bearer\s+|sentry_key=|sentry_secret="
    r"|(?:basic|token)\s+(?=[a-z._~+/=-]{0,200}\d|[a-z._~+/=-]{24}))[a-z0-9._~+/=-]{8,}"
)
_SECRET_NAME = re.compile(
    r"(?i)(pass|pwd|(?:^|_)pw(?:_|$)|secret|tok(?:en|$)|key|dsn|credential|auth|private)"
    r"(?!\w*_(?:file|path|dir)$)"
)
# Letters and digits in one long word, as in no host, path, name or sentence.
_OPAQUE = re.compile(r"(?=\D*\d)(?=[^A-Za-z]*[A-Za-z])[^\s/.:@,_-]{12,}")
_MASK = "***"


def strip(text: str) -> str:
    """Return text without escape sequences and control characters, other than newline and tab."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text))


def is_secret_name(name: str) -> bool:
    """Tell whether the name of a variable or a key means a secret."""
    return _SECRET_NAME.search(name) is not None


def secrets_of(values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the parts of named values, such as environment variables, that must not be shown, longest first.

    The whole value counts when its name or its form says so; of a URL its user information counts under any
    name, as written and percent-decoded. A host or a path stays legible: an operator has to know what was
    looked at.
    """
    parts: set[str] = set()
    for name, value in values.items():
        if is_secret_name(name) or _OPAQUE.fullmatch(value):
            parts.add(value)
        try:
            address = urlsplit(value)
        except ValueError:
            parts.add(value)
            continue
        for part in (address.password, address.username if not address.password else None):
            if part:
                parts |= {part, unquote(part)}
    return tuple(sorted((part for part in parts if len(part) >= 4), key=len, reverse=True))  # noqa: PLR2004  # shorter ones would blank ordinary words


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return text with known secrets, user information in URLs and authorization values masked."""
    for secret in secrets:
        # Whatever its case: who writes a sentence may have begun it with the secret.
        text = re.sub(re.escape(secret), _MASK, text, flags=re.IGNORECASE)
    text = _USERINFO.sub(rf"\g<scheme>{_MASK}@", text)
    return _HEADER.sub(rf"\g<name>{_MASK}", text)


def clean_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return text stripped, redacted and cut to `MAX_TEXT` characters."""
    text = redact(strip(text), secrets)
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"


def _figure(value: Figure, secrets: Iterable[str]) -> Figure:
    if isinstance(value, str):
        return clean_text(value, secrets)
    # JSON has no word for these, and a figure that is not a number is no figure.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def clean(outcome: Outcome, secrets: Iterable[str] = ()) -> Outcome:
    """Return the outcome with every text in it made harmless and every figure finite."""
    known = tuple(secrets)

    def check(line: Check) -> Check:
        return msgspec.structs.replace(
            line,
            name=clean_text(line.name, known),
            observed=_figure(line.observed, known),
            unit=None if line.unit is None else clean_text(line.unit, known),
            limit=_figure(line.limit, known),
            message=clean_text(line.message, known),
            hint=clean_text(line.hint, known),
        )

    return msgspec.structs.replace(
        outcome,
        summary=clean_text(outcome.summary, known),
        hint=clean_text(outcome.hint, known),
        checks=tuple(check(line) for line in _heaviest(outcome.checks)),
        metrics={
            clean_text(name, known): float(value)
            for name, value in islice(outcome.metrics.items(), MAX_METRICS)
            if math.isfinite(value)
        },
        memory={
            clean_text(name, known): clean_text(value, known) if isinstance(value, str) else value
            for name, value in islice(outcome.memory.items(), MAX_METRICS)
            if isinstance(value, str) or math.isfinite(value)
        },
    )


def _heaviest(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    if len(checks) <= MAX_CHECKS:
        return checks
    kept = sorted(checks, key=lambda check: -WEIGHT[check.verdict])[: MAX_CHECKS - 1]
    left = len(checks) - len(kept)
    verdict = worst(check.verdict for check in kept)
    return (
        *kept,
        Check(name="more", verdict=verdict, observed=left, message=f"{left} more lines are not kept."),
    )
