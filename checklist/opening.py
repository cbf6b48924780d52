"""Finds and opens what belongs to a checklist file. Starts nothing, so that reading a status costs little."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from checklist import lifecycle
from checklist.definition import Checklist
from checklist.status import Status
from checklist.store.toml_file import TomlFile
from probes.outcome import now

Clock = Callable[[], datetime]


def status_path(checklist: Path) -> Path:
    """Return where the status lives: `checklist.status.toml` beside the real `checklist.toml`."""
    real = checklist.resolve()
    return real.with_name(f"{real.stem}.status.toml")


def open_store(path: Path, checklist: Checklist, clock: Clock = now) -> TomlFile:
    """Return the store for a checklist file."""

    def words(status: Status) -> dict[str, str]:
        return {item: state.value for item, state in lifecycle.states(checklist, status, clock()).items()}

    return TomlFile(status_path(path), words)
