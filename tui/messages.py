"""What the parts of the console tell one another."""

from dataclasses import dataclass

from textual.message import Message
from textual.notifications import SeverityLevel

from checklist.events import Event


@dataclass
class SessionEvent(Message):
    """The session announced something."""

    event: Event


@dataclass
class Announced(Message):
    """Something has ended that somebody may be waiting for, perhaps looking elsewhere.

    Attributes:
        title: What has ended.
        text: How.
        severity: How heavy that is.
    """

    title: str
    text: str
    severity: SeverityLevel = "information"


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


@dataclass
class CheckOpened(Message):
    """The operator wants to see a line of evidence whole; `name` is that of the check."""

    item: str
    name: str


@dataclass
class Filtered(Message):
    """The words of the filter are others; none shows every item."""

    words: str


@dataclass
class FilterLeft(Message):
    """The operator goes from the filter to the list."""
