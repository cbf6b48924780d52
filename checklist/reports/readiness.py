"""The readiness check: the record of one check run that a release refers to.

Its envelope (`status`, `releaseId`, `description`, `checks` with `componentId`, `observedValue`,
`observedUnit`, `status`, `time`, `output`) follows the IETF draft "Health Check Response Format for HTTP
APIs" (draft-inadarei-api-health-check-06); `checklist`, `gate`, `run`, `final` and `items` are ours.
"""

import contextlib
from datetime import datetime
from pathlib import Path
from typing import Literal

import msgspec

from checklist import durable
from checklist.gate import Gate
from checklist.reports.status_report import ChecklistReport, ItemReport, StatusReport, encode
from probes.outcome import Figure, Moment, Verdict

Health = Literal["pass", "warn", "fail"]


class HealthCheck(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One line of evidence as health+json has it; `limit` is ours."""

    component_id: str
    component_type: str
    status: str
    time: datetime
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
        checks: The evidence by `item:check`.
    """

    status: Health
    releaseId: str  # noqa: N815  # the draft's name
    description: str
    time: datetime
    run: str
    final: bool
    checklist: ChecklistReport
    gate: Gate
    items: tuple[ItemReport, ...]
    checks: dict[str, list[HealthCheck]]


def build(report: StatusReport, *, run: str, final: bool, time: Moment) -> ReadinessCheck:
    """Put the record of a run together.

    Args:
        report: The state of everything after the run.
        run: The id of the run.
        final: Whether it was a final check.
        time: When it ended.
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
    )


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
        for check in outcome.checks:
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
            checks.setdefault(f"{item.id}:{check.name}", []).append(line)
    return checks


def save(record: ReadinessCheck, folder: Path) -> Path:
    """Save a record under `reports/` of a folder, as a new file that is on disk when this returns.

    Raises:
        OSError: If it could not be saved.
    """
    reports = folder / "reports"
    reports.mkdir(exist_ok=True)
    stem = f"readiness_check_{record.time:%Y%m%d_%H%M%S}"
    for number in range(1, 1000):
        path = reports / (f"{stem}.json" if number == 1 else f"{stem}_{number}.json")
        with contextlib.suppress(FileExistsError):
            durable.create(path, encode(record))
            return path
    raise FileExistsError(f"{reports}: a thousand records of the same second")
