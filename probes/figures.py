"""Figures held against limits, and figures in words."""

import math
from typing import Annotated

import msgspec

from probes.outcome import Check, Verdict

Limit = Annotated[float, msgspec.Meta(ge=0)]
"""A parameter that figures are held against."""

Count = Annotated[int, msgspec.Meta(ge=0)]
"""A parameter that counts something."""

CLOCK_TOLERANCE = 300.0
"""Seconds by which the clocks of two machines may differ before a time counts as in the future."""


def grade(observed: float, limits: tuple[float, float], *, falling: bool = False) -> tuple[Verdict, float]:
    """Hold a figure against its limits.

    Args:
        observed: The figure.
        limits: From where on it is degraded, and from where on it has failed. The second holds wherever the
            first one lies.
        falling: Lower is worse; crossing a limit then means being below it.

    Returns:
        The verdict, and the limit that was crossed or, where none was, that would be crossed first.
    """
    verdict, limit = Verdict.PASS, (max if falling else min)(limits)
    if math.isnan(observed):
        return Verdict.UNKNOWN, limit
    for step, bound in zip((Verdict.WARN, Verdict.FAIL), limits, strict=True):
        if observed < bound if falling else observed > bound:
            verdict, limit = step, bound
    return verdict, limit


def held(
    name: str,
    observed: float,
    limits: tuple[float, float],
    words: tuple[str, str],
    *,
    unit: str | None = "%",
    falling: bool = False,
) -> Check:
    """Return the line of evidence of a figure against its limits.

    Args:
        name: Of the check.
        observed: See `grade`.
        limits: See `grade`; an infinite one is no limit and is not shown.
        words: The figures in words, without a full stop, and the hint that goes with a crossed limit.
        unit: Of the figure and its limits.
        falling: See `grade`.
    """
    verdict, limit = grade(observed, limits, falling=falling)
    line, hint = words
    if math.isfinite(limit):
        line += f", limit {limit:g}" + (f" {unit}" if unit else "")
    return Check(
        name=name,
        verdict=verdict,
        observed=round(observed, 2),
        unit=unit,
        limit=limit if math.isfinite(limit) else None,
        message=f"{line}.",
        hint="" if verdict is Verdict.PASS else sentence(hint),
    )


def sentence(words: str) -> str:
    """Write words as a sentence: a capital first, a full stop last."""
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


def size(count: float) -> str:
    """Write a number of bytes in binary multiples: "512 B", "2.1 MiB"."""
    if abs(count) < 1024:  # noqa: PLR2004  # what a KiB is
        return f"{count:.0f} B"
    for unit in ("KiB", "MiB", "GiB"):
        count /= 1024
        if abs(count) < 1024:  # noqa: PLR2004  # as above
            return f"{count:.1f} {unit}"
    return f"{count / 1024:.1f} TiB"


def span(length: float) -> str:
    """Write a length of time, given in seconds: "3.2 s", "5.0 min", "26.0 h", "3.1 d"."""
    for unit, part in (("d", 86400), ("h", 3600), ("min", 60)):
        if abs(length) >= 2 * part:
            return f"{length / part:.1f} {unit}"
    return f"{length:.1f} s"
