"""What a session announces, in order, to whoever draws it."""

from pathlib import Path
from typing import NamedTuple

from probes.outcome import Outcome


class Started(NamedTuple):
    """A probe started."""

    run: str
    item: str


class Ended(NamedTuple):
    """A probe ended; no outcome means that it was cancelled or could not be recorded."""

    run: str
    item: str
    outcome: Outcome | None


class Changed(NamedTuple):
    """Facts changed and are on disk. No item means that any may have changed."""

    item: str | None


class CheckStarted(NamedTuple):
    """A check of several items started, or goes on where it was stopped: then some are done."""

    run: str
    items: tuple[str, ...]
    final: bool
    done: tuple[str, ...] = ()


class CheckEnded(NamedTuple):
    """A check ended: whole, or stopped before every probe had run. `record` is the file of a final check."""

    run: str
    final: bool
    whole: bool
    record: Path | None


Event = Started | Ended | Changed | CheckStarted | CheckEnded
