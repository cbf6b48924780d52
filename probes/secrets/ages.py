"""How old a key is, wherever its date comes from: the item, a file, or Vault."""

from datetime import UTC, date, datetime
from pathlib import Path

from probes.figures import held, span
from probes.outcome import CannotTell, Check, Reason, now

_DAY = 86400.0


def check_age(key: str, changed: datetime, limits: tuple[float, float], source: str) -> Check:
    """Hold the age of a key against the limits.

    Args:
        key: Its name.
        changed: When it was last changed.
        limits: From how many seconds on it should have been changed, and from how many on it had to be.
        source: Who says so.

    Raises:
        CannotTell: If it is to be changed only in the future.
    """
    age = (now() - changed).total_seconds()
    if age < -_DAY:  # a date names no time zone
        message = f"{key} was last changed on {changed:%Y-%m-%d}, {source}, which is in the future."
        raise CannotTell(Reason.CONFIG, message, "Correct that date, or the clock of this machine.")
    age = max(0.0, age)
    words = f"{key} was last changed {span(age)} ago, {source}"
    hint = "issue a new key, hand it to the program, then revoke the old one"
    bounds = (limits[0] / _DAY, limits[1] / _DAY)
    return held(f"age of {key}", age / _DAY, bounds, (words, hint), unit="d")


def of_day(day: date) -> datetime:
    """Return the beginning of a day, so that a key is never taken for younger than it is."""
    return datetime(day.year, day.month, day.day).astimezone()


def of_file(path: Path) -> datetime:
    """Return when a file of a key was last written.

    Raises:
        CannotTell: If it is not there, or empty, so that there is no key in it.
    """
    try:
        facts = path.stat()
    except FileNotFoundError:
        raise CannotTell(Reason.MISSING, f"{path} does not exist.", "Correct key_files.") from None
    if not path.is_file() or not facts.st_size:
        raise CannotTell(Reason.MISSING, f"{path} is no file with a key in it.", "Correct key_files.")
    return datetime.fromtimestamp(facts.st_mtime, UTC)
