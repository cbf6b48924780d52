"""Keys where they belong: variables of this program or of a running one, and files of variables."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from probes.figures import CLOCK_TOLERANCE
from probes.outcome import CannotTell, Check, Reason, Verdict, worst
from probes.secrets import sources
from probes.secrets.findings import is_placeholder, shown

if TYPE_CHECKING:
    import psutil

_BAD = ("not set", "empty", "a placeholder")


class Holder(NamedTuple):
    """An environment that has to hold the keys.

    Attributes:
        name: What the operator knows it by.
        variables: Names and values. The values must not leave this process.
        cure: How to change it.
    """

    name: str
    variables: Mapping[str, str]
    cure: str


def this_environment() -> list[Holder]:
    """Return the environment that this program runs in."""
    return [
        Holder("this environment", os.environ, "Give it its real value in the environment of the release.")
    ]


def check_variable(name: str, holders: list[Holder]) -> Check:
    """Say whether a variable is set to something real in every holder. No value is shown."""
    states = [(_state(holder.variables.get(name)), holder) for holder in holders]
    bad = [(state, holder) for state, holder in states if state in _BAD]
    if not bad:
        where = f"{len(holders)} processes" if holders[1:] else holders[0].name
        message = f"{name} is set in {where}."
        return Check(name=name, verdict=Verdict.PASS, observed="set", limit="set", message=message)
    state, holder = min(bad, key=lambda one: _BAD.index(one[0]))
    more = f", and wrong in {len(bad) - 1} more" if bad[1:] else ""
    return Check(
        name=name,
        verdict=Verdict.FAIL,
        observed=state,
        limit="set",
        message=f"{name} is {state} in {holder.name}{more}.",
        hint=holder.cure,
    )


def _state(value: str | None) -> str:
    if value is None:
        return "not set"
    if not value.strip():
        return "empty"
    return "a placeholder" if is_placeholder(value) else "set"


# -- running processes


def process_environments(words: str, pid_file: str) -> list[Holder]:
    """Read the environment of a running service, as it was when its processes started.

    Args:
        words: What stands in the command line of each of its processes; empty for any.
        pid_file: The file with the number of its process; empty to look through all.

    Raises:
        CannotTell: If there is no such process, or this user may not look into it.
    """
    import psutil

    found = [_of_pid_file(Path(pid_file))] if pid_file else _others()
    holders: list[Holder] = []
    closed: list[CannotTell] = []
    for process in found:
        try:
            if words and words not in " ".join(process.cmdline()):
                continue
            name = f"{process.name()} (process {process.pid})"
            variables = process.environ()
            # A long title (setproctitle) overwrites the environment, and its words are no names.
            if variables and not any(re.search(r"\s", key) for key in variables):
                cure = f"Give it its real value where {process.name()} is started, and restart that."
                holders.append(Holder(name, variables, cure))
            else:
                hint = "Look at what it is started with: name its file of variables in env_files."
                closed.append(CannotTell(Reason.MISSING, f"{name} shows no environment.", hint))
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            message = f"The environment of process {process.pid} may not be read."
            hint = f"Run as its user or as root: ps -o user= -p {process.pid}."
            closed.append(CannotTell(Reason.FORBIDDEN, message, hint))
    if closed:
        raise closed[0]
    if not holders:
        what = f"has {words!r} in its command line" if words else f"has the number in {pid_file}"
        hint = "Start the service, or correct process and pid_file."
        raise CannotTell(Reason.MISSING, f"No running process {what}.", hint)
    return holders


def _of_pid_file(path: Path) -> "psutil.Process":
    import psutil

    hint = "Start the service, or correct pid_file."
    try:
        number, written = int(path.read_text()), path.stat().st_mtime
    except FileNotFoundError:
        raise CannotTell(Reason.MISSING, f"{path} does not exist.", hint) from None
    except ValueError:
        raise CannotTell(Reason.CONFIG, f"{path} holds no process number.", hint) from None
    try:
        process = psutil.Process(number)
        reused = process.create_time() > written + CLOCK_TOLERANCE
    except (psutil.NoSuchProcess, ValueError):
        raise CannotTell(Reason.MISSING, f"Process {number} of {path} does not run.", hint) from None
    if reused:
        message = f"Process {number} started after {path} was written: another one has its number now."
        raise CannotTell(Reason.MISSING, message, hint)
    return process


def _others() -> "list[psutil.Process]":
    """List all processes but this program and those that started it: the words stand in theirs too."""
    import psutil

    own = psutil.Process()
    spared = {own.pid, *(parent.pid for parent in own.parents())}
    return [process for process in psutil.process_iter() if process.pid not in spared]


# -- files of variables


def check_env_file(path: Path, *, history: bool) -> Check:
    """Say who may read a file of variables, and what git knows of it.

    Raises:
        CannotTell: If it is not there, or git cannot tell.
    """
    real = Path(os.path.realpath(path))
    name = shown(str(real))
    if not real.is_file():
        raise CannotTell(Reason.MISSING, f"{name} is not there.", "Create it, or correct env_files.")
    facts = real.stat()
    mode = stat.S_IMODE(facts.st_mode)
    faults = [*_mode_faults(mode, name), *_git_faults(real, name, history=history)]
    found = ", ".join(fault for _, fault, _ in faults) or "is private: keys in it are where they belong"
    return Check(
        name=name,
        verdict=worst([Verdict.PASS, *(verdict for verdict, _, _ in faults)]),
        observed=f"{mode:04o}",
        limit="0600",
        message=f"{name} of {_user(facts.st_uid)} {found}.",
        hint=" ".join(hint for _, _, hint in faults),
    )


def _mode_faults(mode: int, name: str) -> Iterator[tuple[Verdict, str, str]]:
    if mode & 0o077:
        all_ = mode & 0o007
        verdict, who = (Verdict.FAIL, "everybody") if all_ else (Verdict.WARN, "its group")
        yield verdict, f"lets {who} in (mode {mode:04o})", f"Close it: chmod 600 {name}."


def _git_faults(real: Path, name: str, *, history: bool) -> Iterator[tuple[Verdict, str, str]]:
    if not sources.in_repository(real):
        return
    if sources.is_tracked(real):
        hint = f"Take it out: git rm --cached {name}. Then ignore it, and revoke every key in it."
        yield Verdict.FAIL, "is tracked by git", hint
        return
    if not sources.is_ignored(real):
        hint = f"Put {real.name} into .gitignore."
        yield Verdict.WARN, "is not ignored by git, which could take it in", hint
    if history and (commit := sources.last_commit_of(real)):
        hint = "Revoke every key that ever stood in it: every clone holds them."
        yield Verdict.WARN, f"was once in git (commit {commit})", hint


def _user(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
