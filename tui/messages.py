"""What the parts of the console tell one another."""

from dataclasses import dataclass

from textual.message import Message

from checklist.events import Event


@dataclass
class SessionEvent(Message):
    """The session announced something."""

    event: Event


@dataclass
class Refused(Message):
    """Something could not be done; `why` is a sentence for the operator."""

    why: str


@dataclass
class Highlighted(Message):
    """The cursor of the list is on another item."""

    item: str


@dataclass
class Opened(Message):
    """The operator goes into the item under the cursor."""

    item: str


@dataclass
class Left(Message):
    """The operator comes back to the list."""


@dataclass
class StepTicked(Message):
    """A step was ticked or unticked."""

    item: str
    step: str
