"""Makes text from outside harmless: no escape sequences, no secrets. Applied once, by the runner."""

import math
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

import msgspec

from probes.outcome import Check, Figure, Outcome

MAX_TEXT = 2_000
"""Characters of a summary or message that are kept; what is longer ends in an ellipsis."""

MAX_CHECKS = 500
"""Lines of evidence that are kept."""

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
_HEADER = re.compile(
    r"(?i)\b(?P<name>(?:bearer|basic|token)\s+|sentry_key=|sentry_secret=)[A-Za-z0-9._~+/=-]{8,}"
)
_SECRET_NAME = re.compile(r"(?i)(pass|secret|token|key|dsn|credential|auth|private)")
_MASK = "***"


def strip(text: str) -> str:
    """Return text without escape sequences and control characters, other than newline and tab."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text))


def secrets_of(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the parts of environment values that must not be shown, longest first.

    The whole value counts when the variable's name says so; of a URL its user information counts under any
    name, as written and percent-decoded. A host or a path stays legible: an operator has to know what was
    looked at.
    """
    parts: set[str] = set()
    for name, value in variables.items():
        if _SECRET_NAME.search(name):
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
        text = text.replace(secret, _MASK)
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
        )

    return msgspec.structs.replace(
        outcome,
        summary=clean_text(outcome.summary, known),
        checks=tuple(check(line) for line in outcome.checks[:MAX_CHECKS]),
        metrics={
            clean_text(name, known): float(value)
            for name, value in outcome.metrics.items()
            if math.isfinite(value)
        },
    )
