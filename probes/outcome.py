"""What a probe run found: the one vocabulary of evidence, from the probes up to every screen and report."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec

Figure = float | int | str | bool | None

Memory = Mapping[str, float | int | str]
"""What a probe keeps from one run for the next one: counters, of which only the growth means something."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A point in time with its UTC offset."""


class Verdict(StrEnum):
    """What the evidence says. Anything but `PASS` keeps an item from being verified."""

    PASS = "pass"  # noqa: S105  # a verdict
    WARN = "warn"
    """Degraded: it works, but a limit is crossed."""
    FAIL = "fail"
    UNKNOWN = "unknown"
    """The probe could not tell; the outcome's `reason` says why."""


class Reason(StrEnum):
    """Why a probe could not tell."""

    CONFIG = "config"
    """A parameter or an environment variable is missing or wrong."""
    DNS = "dns"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    TLS = "tls"
    AUTH = "auth"
    """Nobody is let in with these credentials."""
    FORBIDDEN = "forbidden"
    """Let in, but not allowed to look."""
    PROTOCOL = "protocol"
    """Something answers, but it is another kind of server."""
    LIMIT = "limit"
    """A quota or connection limit of the target turned the probe away."""
    MISSING = "missing"
    """A tool, file or package that the probe needs is not there."""
    CRASHED = "crashed"
    """The probe's process was killed by a signal."""
    INTERNAL = "internal"
    """A bug in the probe."""


class Check(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of evidence.

    Attributes:
        name: What was looked at, in a few words; stable from run to run, so that figures can be compared.
        verdict: What this line alone says.
        observed: The figure or word that was read, in `unit`.
        unit: Unit of `observed` and `limit`: "%", "B", "s", "ms", "1/s", or None for a count or a word.
        limit: The nearest limit that `observed` was held against, or None where there is none.
        message: One sentence for the operator: what was found.
        hint: Where the verdict is not pass, one sentence that says what to do next, with the command to type
            where there is one.
    """

    name: str
    verdict: Verdict
    observed: Figure = None
    unit: str | None = None
    limit: Figure = None
    message: str = ""
    hint: str = ""


def now() -> datetime:
    """Return the time of the wall clock with its UTC offset."""
    return datetime.now().astimezone()


class Outcome(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one run of a probe found.

    One that contradicts itself cannot be made, nor read from a file: see the rules of `verdict` and `reason`.

    Attributes:
        probe: The name it was run by; the runner fills it in.
        verdict: Never lighter than the worst of the checks (see `WEIGHT`); a pass has at least one check.
        summary: One line: what an operator reads first.
        hint: What to do next, in one line; empty for a pass.
        reason: Why the probe could not tell; None exactly when `verdict` is not unknown.
        checks: The evidence, line by line.
        metrics: Figures worth a trend, by name; the unit is the end of the name (`ping_p99_ms`).
        memory: What the next run of the same item is told; a probe that wants it has a second parameter.
        started_at: When the run began, with its UTC offset; the runner fills it in.
        duration: Seconds the run took on the monotonic clock; the runner fills it in.
    """

    probe: str = ""
    verdict: Verdict
    summary: str
    hint: str = ""
    reason: Reason | None = None
    checks: tuple[Check, ...] = ()
    metrics: dict[str, float] = {}
    memory: dict[str, float | int | str] = {}
    started_at: Moment = msgspec.field(default_factory=now)
    duration: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a contradiction: evidence must not say less than its verdict.

        Raises:
            ValueError: If verdict, checks and reason do not fit together.
        """
        if self.verdict is Verdict.PASS and not self.checks:
            raise ValueError("a pass needs at least one check")
        if any(WEIGHT[check.verdict] > WEIGHT[self.verdict] for check in self.checks):
            raise ValueError(f"verdict {self.verdict} is lighter than the worst of its checks")
        if (self.verdict is Verdict.UNKNOWN) is not (self.reason is not None):
            raise ValueError("an unknown verdict has a reason, and no other verdict has one")


class CannotTell(Exception):  # noqa: N818  # not an error: a finding that there is no finding
    """Raised by a probe that could not look. It becomes an `unknown` outcome with this reason."""

    def __init__(self, reason: Reason, message: str, hint: str = "") -> None:
        """Take the class of the obstacle, one sentence that names it, and one that says what to do next."""
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.hint = hint


WEIGHT = {Verdict.PASS: 0, Verdict.WARN: 1, Verdict.UNKNOWN: 2, Verdict.FAIL: 3}
"""How heavy a verdict is: a sure failure outweighs a doubt, and a doubt could hide a failure."""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the heaviest verdict: fail, then unknown, then warn, then pass; unknown when there is none."""
    return max(verdicts, key=WEIGHT.__getitem__, default=Verdict.UNKNOWN)


def conclude(
    checks: Iterable[Check],
    summary: str | None = None,
    metrics: Mapping[str, float] | None = None,
    *,
    memory: Memory | None = None,
    reason: Reason = Reason.FORBIDDEN,
) -> Outcome:
    """Build the outcome that follows from the checks.

    Args:
        checks: The evidence. None at all concludes nothing: unknown, `internal`.
        summary: What to say when every check passed; otherwise message and hint of the worst check speak.
        metrics: Figures worth a trend.
        memory: What the next run is to be told.
        reason: The reason to give if the conclusion is unknown.
    """
    lines = tuple(checks)
    verdict = worst(check.verdict for check in lines)
    if not lines:
        return unknown(Reason.INTERNAL, "The probe looked at nothing.")
    decisive = [check for check in lines if check.verdict is verdict]
    if verdict is not Verdict.PASS or summary is None:
        summary = decisive[0].message or decisive[0].name
        if len(decisive) > 1 and verdict is not Verdict.PASS:
            summary += f" (and {len(decisive) - 1} more)"
    return Outcome(
        verdict=verdict,
        summary=summary,
        hint="" if verdict is Verdict.PASS else next((check.hint for check in decisive if check.hint), ""),
        reason=reason if verdict is Verdict.UNKNOWN else None,
        checks=lines,
        metrics=dict(metrics or {}),
        memory=dict(memory or {}),
    )


def unknown(reason: Reason, summary: str, hint: str = "") -> Outcome:
    """Build the outcome of a run that could not tell."""
    return Outcome(verdict=Verdict.UNKNOWN, summary=summary, hint=hint, reason=reason)
