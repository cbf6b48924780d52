"""The readiness check: the record of one check run that a release refers to.

Its envelope (`status`, `releaseId`, `description`, `checks` with `componentId`, `observedValue`,
`observedUnit`, `status`, `time`, `output`) follows the IETF draft "Health Check Response Format for HTTP
APIs" (draft-inadarei-api-health-check-06); everything else is ours. Ours too are the status `unknown` of a
line of evidence, the name of a probe as its `componentType`, and the `output` of a line that passes.
"""

import re
from hashlib import sha256
from pathlib import Path
from typing import Literal

import msgspec

from checklist.gate import Gate
from checklist.journal import last_records
from checklist.language import gettext as _
from checklist.reading import FileError
from checklist.reports.blocks import one_line
from checklist.reports.comparison import Comparison, compare
from checklist.reports.status_report import ChecklistReport, ItemReport, StatusReport
from probes.outcome import Figure, Moment, Outcome, Verdict

Health = Literal["pass", "warn", "fail"]


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One line of evidence as health+json has it; `limit` is ours."""

    component_id: str
    component_type: str
    status: str
    time: Moment
    observed_value: Figure = None
    observed_unit: str | None = None
    limit: Figure = None
    output: str = ""


class ReadinessCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One check run.

    Attributes:
        status: `pass` for GO, `warn` for GO with waivers or a degraded advisory item, `fail` for NO-GO.
        releaseId: The release the checklist is for.
        description: The title of the checklist.
        time: When the run ended.
        run: Its id, which the evidence carries.
        final: Whether it ran every probe; only then can the gate be GO.
        checklist: What was checked, with its hash.
        gate: The decision after the run.
        items: Every item as `gonogo status` shows it.
        checks: The evidence by `item:check`; by `item` alone where the probe could not look at all.
        by: Who ran it; empty if that is not known.
        evidence_hash: The hash of each item's outcome, by id; see `evidence_hash`.
        changes: What has changed since the check before; None if there is none, or it could not be read.
        problem: Why the check before could not be read; empty if it could, or there is none.
        chosen: The ids of the items that were run; None if it was no choice.
        proven: Whether each of them is verified or attested; None if it was no choice.
    """

    status: Health
    releaseId: str  # noqa: N815  # the draft's name
    description: str
    time: Moment
    run: str
    final: bool
    checklist: ChecklistReport
    gate: Gate
    items: tuple[ItemReport, ...]
    checks: dict[str, list[HealthCheck]]
    by: str = ""
    evidence_hash: dict[str, str] = {}
    changes: Comparison | None = None
    problem: str = ""
    chosen: tuple[str, ...] | None = None
    proven: bool | None = None


def build(report: StatusReport, *, run: str, final: bool, time: Moment, by: str = "") -> ReadinessCheck:
    """Put the record of a run together.

    Args:
        report: The state of everything after the run.
        run: The id of the run.
        final: Whether it was a final check.
        time: When it ended.
        by: Who ran it.
    """
    return ReadinessCheck(
        status=_health(report),
        releaseId=report.checklist.release,
        description=report.checklist.title,
        time=time,
        run=run,
        final=final,
        checklist=report.checklist,
        gate=report.gate,
        items=report.items,
        checks=_checks(report.items),
        by=one_line(by),
        evidence_hash={item.id: evidence_hash(item.evidence) for item in report.items if item.evidence},
    )


def evidence_hash(outcome: Outcome) -> str:
    """Return the identity of an outcome: the SHA-256 of its JSON with sorted keys."""
    return "sha256:" + sha256(msgspec.json.encode(outcome, order="deterministic")).hexdigest()


def _health(report: StatusReport) -> Health:
    if not report.gate.go:
        return "fail"
    degraded = [item for item in report.items if item.evidence and item.evidence.verdict is not Verdict.PASS]
    return "warn" if report.gate.waived or degraded else "pass"


def _checks(items: tuple[ItemReport, ...]) -> dict[str, list[HealthCheck]]:
    checks: dict[str, list[HealthCheck]] = {}
    for item in items:
        if (outcome := item.evidence) is None:
            continue
        if not outcome.checks:
            # What could not be looked at has no evidence: left out, it would look as if nothing was wrong.
            checks[item.id] = [
                HealthCheck(
                    component_id=item.id,
                    component_type=outcome.probe,
                    status=outcome.verdict.value,
                    time=outcome.started_at,
                    output=f"{outcome.summary} {outcome.hint}".strip(),
                )
            ]
        for check in outcome.checks:
            # In the draft a colon stands between the two parts of a name, and in neither.
            name = f"{item.id}:{check.name.replace(':', ' ')}"
            line = HealthCheck(
                component_id=item.id,
                component_type=outcome.probe,
                status=check.verdict.value,
                time=outcome.started_at,
                observed_value=check.observed,
                observed_unit=check.unit,
                limit=check.limit,
                output=f"{check.message} {check.hint}".strip(),
            )
            checks.setdefault(name, []).append(line)
    return checks


_NAME = re.compile(r"readiness_check_[0-9]{8}_[0-9]{6}(?:_[0-9]{1,4})?\.json")


def latest(folder: Path, journal: Path, number: int) -> list[Path]:
    """Return the records under `reports/` of a folder of the last final checks that a journal tells of.

    The time in a name does not say which is the last one: it is that of somebody's zone, of a clock that may
    be set back. Another checklist in the same folder may have made it, or a final check that never counted.

    Raises:
        FileError: If the journal cannot be read, or names no record.
    """
    names = last_records(journal, number)
    for name in names:
        if not _NAME.fullmatch(name):
            message = _("{name!r} is no name of a readiness check").format(name=one_line(name))
            raise FileError(journal, None, message)
    return [folder / "reports" / name for name in names]


def newest(folder: Path, journal: Path) -> Path | None:
    """Return the record of the last final check; see `latest`.

    Raises:
        FileError: See `latest`.
    """
    return next(iter(latest(folder, journal, 1)), None)


def read(path: Path) -> ReadinessCheck:
    """Read a record.

    Raises:
        FileError: If it cannot be read, or is no readiness check.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileError(path, None, _("no such file")) from None
    except OSError as error:
        raise FileError(path, None, _("cannot be read: {why}").format(why=error.strerror)) from None
    try:
        return msgspec.json.decode(data, type=ReadinessCheck)
    except msgspec.ValidationError as error:
        message = _("not a readiness check: {why}").format(why=one_line(str(error)))
        raise FileError(path, None, message) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        place = re.search(r"\(byte ([0-9]+)\)", str(error))
        line = data.count(b"\n", 0, int(place[1])) + 1 if place else None
        message = _("not valid JSON: {why}").format(why=one_line(str(error)))
        raise FileError(path, line, message) from None
    except RecursionError:
        raise FileError(path, None, _("not a readiness check: nested too deeply")) from None


def compared(record: ReadinessCheck, folder: Path, journal: Path) -> ReadinessCheck:
    """Return a record with what has changed since the one before it; see `newest`.

    That one may be unreadable: then the record says so, and why.
    """
    try:
        path = newest(folder, journal)
        changes = compare(read(path), record, path.name) if path else None
    except FileError as error:
        place = f"{error.path.name}:{error.line}" if error.line else error.path.name
        words = _("not compared with the check before: {place}: {why}")
        problem = one_line(words.format(place=place, why=error.message))
        return msgspec.structs.replace(record, changes=None, problem=problem)
    return msgspec.structs.replace(record, changes=changes, problem="")
