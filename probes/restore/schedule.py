"""Looks for the backup job in the crontabs and systemd timers of this machine.

A hint and no more: a job that is scheduled may fail every night. Age and content of the backup decide.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from probes.outcome import Check, Verdict

_TABLES = ("crontab", "anacrontab", "cron.d")
_SCRIPTS = ("cron.hourly", "cron.daily", "cron.weekly")
# Time and date, then perhaps a user, then a command; or a setting, which starts nothing.
_SETTING = re.compile(r"\s*[A-Za-z_]\w*\s*=")
_PATIENCE = 10.0


class _Timer(msgspec.Struct, frozen=True):
    """A line of `systemctl list-timers --output=json`; `next` is in microseconds, nothing if it is off."""

    unit: str = ""
    activates: str | None = None
    next: int | None = None


def look(word: str, etc: Path = Path("/etc")) -> Check:
    """Say whether a job is scheduled here that has a word in its line, its script's or its timer's name.

    Args:
        word: The word, in small or capital letters.
        etc: Where the system's crontabs are.
    """
    found = next(_places(word.lower(), etc), None)
    if found:
        message = f"{word} is scheduled: {found}."
        return Check(name="schedule", verdict=Verdict.PASS, observed=found, message=message)
    return Check(
        name="schedule",
        verdict=Verdict.WARN,
        message=f"No crontab and no active timer that this user can see on this machine names {word}.",
        hint="Schedule the backup job (crontab -e); if it runs on another machine, leave schedule out.",
    )


def _places(word: str, etc: Path) -> Iterator[str]:
    own = _said("crontab", "-l")
    yield from _lines("the crontab of this user", own, word)
    for table in (path for name in _TABLES for path in _files(etc / name)):
        try:
            yield from _lines(str(table), table.read_text(errors="replace"), word)
        except OSError:
            continue
    for script in (path for name in _SCRIPTS for path in _files(etc / name)):
        # run-parts starts what may be run and leaves the rest.
        if word in script.name.lower() and os.access(script, os.X_OK):
            yield str(script)
    for whose in ("--system", "--user"):
        yield from _timers(_said("systemctl", whose, "list-timers", "--all", "--output=json"), word)


def _lines(where: str, text: str, word: str) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        runs = line.strip() and not line.lstrip().startswith("#") and not _SETTING.match(line)
        if runs and word in line.lower():
            # The rest of the line may hold a password.
            yield f"{where}, line {number}"


def _timers(output: str, word: str) -> Iterator[str]:
    try:
        timers = msgspec.json.decode(output or "[]", type=list[_Timer])
    except msgspec.DecodeError:
        # Before version 247 it prints a table, whatever was asked for.
        return
    for timer in timers:
        if timer.next and word in f"{timer.unit} {timer.activates or ''}".lower():
            when = datetime.fromtimestamp(timer.next / 1e6).astimezone().isoformat(" ", "minutes")
            yield f"{timer.unit}, next at {when}"


def _files(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if entry.is_file())
    except NotADirectoryError:
        return [path]
    except OSError:
        return []


def _said(program: str, *arguments: str) -> str:
    """Return what a program printed; nothing if it is not there or failed, as systemctl in a container."""
    if not (found := shutil.which(program)):
        return ""
    try:
        done = subprocess.run(
            [found, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
