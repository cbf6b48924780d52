"""Finds and opens what belongs to a checklist file. Starts nothing, so that reading a status costs little."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from checklist import lifecycle
from checklist.definition import Checklist
from checklist.status import Status
from checklist.store.toml_file import TomlFile

Clock = Callable[[], datetime]


def now() -> datetime:
    """Return the time of the wall clock with its UTC offset."""
    return datetime.now().astimezone()


def status_path(checklist: Path) -> Path:
    """Return where the status of a checklist file lives: `checklist.status.toml` for `checklist.toml`."""
    return checklist.with_name(f"{checklist.stem}.status.toml")


def open_store(path: Path, checklist: Checklist, clock: Clock = now) -> TomlFile:
    """Return the store for a checklist file."""

    def words(status: Status) -> dict[str, str]:
        return {item: state.value for item, state in lifecycle.states(checklist, status, clock()).items()}

    return TomlFile(status_path(path), words)
