"""Days in a named time zone: they begin and end where a checklist says, not where a program runs."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

_OF_THE_MACHINE = frozenset({"localtime", "posixrules"})
"""Files beside the zones that mean another zone on every machine."""


def is_zone(name: str) -> bool:
    """Tell whether there is a time zone of this IANA name."""
    if name in _OF_THE_MACHINE:
        return False
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return False
    return True


def day(moment: datetime, zone: str) -> date:
    """Return the day that a moment falls on in a zone.

    Raises:
        ValueError: If there is no such zone.
    """
    try:
        return moment.astimezone(ZoneInfo(zone)).date()
    except (OSError, LookupError) as error:
        raise ValueError(f"no time zone {zone!r}") from error
