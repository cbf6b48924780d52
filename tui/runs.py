"""What runs now, as the events of a session tell it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from checklist.events import CheckEnded, CheckStarted, Ended, Event, Started
from probes.outcome import Outcome, Verdict


@dataclass
class Runs:
    """The runs and the check that are going on.

    Attributes:
        check: The check of several items that is going on, if there is one.
        done: The verdict by item of that check which has ended; None for one that was stopped.
        lasted: How long the run that ended last has taken, in seconds.
    """

    check: CheckStarted | None = None
    done: dict[str, Verdict | None] = field(default_factory=dict)
    lasted: float = 0.0
    _started: dict[str, float] = field(default_factory=dict)

    def take(self, event: Event, known: Mapping[str, Outcome | None]) -> None:
        """Take in an event.

        Args:
            event: What the session announced.
            known: The evidence by item, for a check that goes on where it was stopped.
        """
        match event:
            case Started(_, item):
                self._started[item] = time.monotonic()
            case Ended(run, item, outcome):
                begun = self._started.pop(item, None)
                self.lasted = time.monotonic() - begun if begun is not None else 0.0
                if self.check and run == self.check.run:
                    self.done[item] = outcome.verdict if outcome else None
            case CheckStarted(done=done):
                evidence = {item: known.get(item) for item in done}
                self.check = event
                self.done = {item: found.verdict if found else None for item, found in evidence.items()}
            case CheckEnded():
                self.check, self.done = None, {}

    @property
    def seconds(self) -> dict[str, float]:
        """For how long each item has been running."""
        moment = time.monotonic()
        return {item: moment - started for item, started in self._started.items()}

    def __contains__(self, item: object) -> bool:
        """Tell whether an item is running."""
        return item in self._started

    def __bool__(self) -> bool:
        """Tell whether anything is going on."""
        return bool(self._started or self.check)
