"""Finds and opens what belongs to a checklist file. Starts nothing, so that reading a status costs little."""

import os
from collections.abc import Callable, Mapping, MutableMapping
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from checklist import lifecycle
from checklist.definition import Checklist
from checklist.status import Status
from checklist.store.toml_file import TomlFile, journal_path
from probes.outcome import now
from probes.parameters import filled

Clock = Callable[[], datetime]


class Place(NamedTuple):
    """Where a checklist and what is recorded about it lie.

    Attributes:
        checklist: The checklist file.
        environment: The environment that was chosen; empty for none. Each has records of its own.
    """

    checklist: Path
    environment: str = ""

    @property
    def folder(self) -> Path:
        """What relative paths of probes are relative to: the folder of the real file."""
        return self.checklist.resolve().parent

    @property
    def records(self) -> Path:
        """The folder of status, journal and reports."""
        return self.folder / "environments" / self.environment if self.environment else self.folder

    @property
    def status(self) -> Path:
        """The status file: `checklist.status.toml` for `checklist.toml`."""
        return self.records / f"{self.checklist.resolve().stem}.status.toml"

    @property
    def journal(self) -> Path:
        """The journal beside it: beside the real file, as the store writes it."""
        return journal_path(self.status.resolve())


def open_store(place: Place, checklist: Checklist, clock: Clock = now) -> TomlFile:
    """Return the store of a checklist."""

    def words(status: Status) -> dict[str, str]:
        return {item: state.value for item, state in lifecycle.states(checklist, status, clock()).items()}

    return TomlFile(place.status, words, checklist.hash, clock)


def export(variables: Mapping[str, str], environment: MutableMapping[str, str] = os.environ) -> None:
    """Set the variables of the chosen environment for every program that a probe starts.

    One that refers to a variable which is not set is taken away: what it was before is another environment's.
    """
    values = filled(variables, environment)
    for name in variables.keys() - values.keys():
        environment.pop(name, None)
    environment.update(values)
