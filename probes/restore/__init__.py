"""Proves that the newest backup can be restored, by restoring it into a scratch folder and comparing it."""

import importlib

from probes.figures import size, span
from probes.outcome import CannotTell, Check, Outcome, Reason, Verdict, conclude
from probes.restore import detection, schedule, scratch
from probes.restore.drill import Drill, Findings
from probes.restore.parameters import RestoreParameters
from probes.restore.picking import counted

_MODULES = {"tar": "tar", "restic": "restic", "borg": "borg", "postgresql": "postgresql", "redis": "rdb"}


def probe(params: RestoreParameters) -> Outcome:
    """Restore the newest backup into a private scratch folder, compare it, and remove it again."""
    if not params.source:
        raise CannotTell(
            Reason.CONFIG, "Not configured: source is not set.", "Set source to the folder of the backups."
        )
    found = Findings([], {})
    kind = detection.kind_of(params)
    # Of five kinds one is needed, and each brings libraries of its own.
    drill: Drill = importlib.import_module(f"probes.restore.{_MODULES[kind]}").drill
    with scratch.folder(params.scratch) as folder:
        target = folder / "restored"
        target.mkdir()
        name = drill(params, target, found)
    if folder.exists():
        found.checks.append(
            Check(
                name="clean-up",
                verdict=Verdict.WARN,
                message=f"{folder} could not be removed.",
                hint=f"Remove it, it holds restored data: rm -r {folder}.",
            )
        )
    if params.schedule:
        found.checks.append(schedule.look(params.schedule))
    return conclude(found.checks, _summary(name, found.metrics), found.metrics)


def _summary(name: str, metrics: dict[str, float]) -> str:
    figures = [
        counted(int(metrics[f"restored_{word}s"]), word)
        for word in ("file", "table", "row", "key")
        if f"restored_{word}s" in metrics
    ]
    if "restored_bytes" in metrics:
        figures.append(size(metrics["restored_bytes"]))
    took, age = span(metrics.get("restore_s", 0)), span(metrics.get("backup_age_s", 0))
    return f"{name}, {age} old, was restored in {took}: {', '.join(figures)}."
