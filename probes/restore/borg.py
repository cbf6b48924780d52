"""The drill of a borg repository, with the borg program. It writes nothing to it but its lock.

borg keeps a cache, and notes about each repository it has seen, in the home of its user. A drill has both in
its scratch folder: a warm cache would hide damage, and the notes are the operator's own. Without notes every
repository is a new one, so borg never asks whether it was moved. It does ask whether one without encryption
is meant; the answer is yes, unless a password is set: then somebody may have put another in its place.
"""

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from probes.figures import size
from probes.outcome import CannotTell, Reason, Verdict
from probes.restore import evidence, manifest, repositories, scratch
from probes.restore.drill import (
    DamagedError,
    Findings,
    compare,
    note_age,
    note_restore,
    note_size,
    verify,
)
from probes.restore.parameters import RestoreParameters
from probes.restore.picking import series

_LINE = 200
_REMOTE = re.compile(r"ssh://|[^/]+:")
_PASSWORDS = ("BORG_PASSPHRASE", "BORG_PASSCOMMAND", "BORG_PASSPHRASE_FD")
_NO_PASSWORD = (
    Reason.CONFIG,
    "There is no password for the repository.",
    "Set password_file, or BORG_PASSCOMMAND in the environment.",
)
_LOCKED = (Reason.LIMIT, "The repository is locked.", "Wait for the backup job, then run again.")
_NOT_ONE = (Reason.MISSING, "There is no borg repository at source.", "Correct source or mount the disk.")
# By borg's own names of its errors: https://borgbackup.readthedocs.io/en/stable/internals/frontends.html
_BY_ID = {
    "PassphraseWrong": (
        Reason.AUTH,
        "The repository does not open with this password.",
        "Set password_file to the file with the right one.",
    ),
    "NoPassphraseFailure": _NO_PASSWORD,
    "PasscommandFailure": _NO_PASSWORD,
    "KeyfileNotFoundError": (
        Reason.CONFIG,
        "The key of the repository is not here.",
        "Bring it from where the backup is made: borg key export, borg key import.",
    ),
    "Cache.CacheInitAbortedError": (
        Reason.CONFIG,
        "The repository is not encrypted, although a password for it is set.",
        "Find out who made it anew; if it is meant to be so, set no password.",
    ),
    "LockTimeout": _LOCKED,
    "LockFailed": _LOCKED,
    "LockError": _LOCKED,
    "Repository.DoesNotExist": _NOT_ONE,
    "Repository.InvalidRepository": _NOT_ONE,
    "Repository.ParentPathDoesNotExist": _NOT_ONE,
    "PathNotAllowed": (
        Reason.FORBIDDEN,
        "The server does not give this repository to this user.",
        "Allow it there: borg serve --restrict-to-repository.",
    ),
}
_BY_TEXT = (
    (
        r"Permission denied \(|Host key verification failed",
        Reason.AUTH,
        "The server lets nobody in this way.",
    ),
    (r"Could not resolve hostname", Reason.DNS, "The server of the repository is not known by this name."),
    (r"Connection refused", Reason.REFUSED, "The server of the repository refuses the connection."),
    (r"Connection timed out", Reason.TIMEOUT, "The server of the repository does not answer."),
    (r"Connection closed by remote", Reason.PROTOCOL, "The server of the repository hung up."),
    (r"No space left|Disk quota", Reason.LIMIT, "A disk is full."),
    (r"PermissionError|Permission denied", Reason.FORBIDDEN, "Not permitted to read the repository."),
)
_HINTS = {
    Reason.AUTH: "Try it by hand, as the user of the drill: ssh -o BatchMode=yes HOST borg --version.",
    Reason.LIMIT: "Set scratch to a folder with more space.",
    Reason.FORBIDDEN: "Run as a user who may restore.",
    Reason.PROTOCOL: "Look whether borg is installed there: ssh HOST borg --version.",
}
_BROKEN = re.compile(r"[^\n]*(?:ntegrity|FileNotFoundError|ObjectNotFound|Errno 5\]|damaged)[^\n]*")


class _Archive(msgspec.Struct, frozen=True):
    """A backup in a repository, as `borg list --json` lists it. The times are in UTC, as TZ says."""

    name: str
    end: datetime
    hostname: str = ""

    @property
    def time(self) -> float:
        end = self.end if self.end.tzinfo else self.end.replace(tzinfo=UTC)
        return end.timestamp()

    @property
    def series(self) -> tuple[str, str]:
        return self.hostname, series(self.name)


class _Listing(msgspec.Struct, frozen=True):
    archives: list[_Archive]


class _Line(msgspec.Struct, frozen=True):
    message: str = ""
    msgid: str = ""
    levelname: str = ""


class _Repository(NamedTuple):
    location: str
    is_local: bool
    environment: dict[str, str]
    ssh_log: Path


def looks_like_one(location: str) -> bool:
    """Tell whether a location is a borg repository, by its URL or by what the folder holds."""
    if location.startswith("ssh://"):
        return True
    folder = Path(location).expanduser()
    try:
        if (folder / "data").is_dir() and (folder / "config").exists():
            return b"[repository]" in (folder / "config").read_bytes()
        return _lost_its_config(folder)
    except OSError:
        return False


def _lost_its_config(folder: Path) -> bool:
    if os.path.lexists(folder / "config"):
        return False
    try:
        mark = (folder / "README").read_bytes()
        return (folder / "data").is_dir() and mark.startswith(b"This is a Borg Backup repository")
    except OSError:
        return False


def drill(params: RestoreParameters, target: Path, found: Findings) -> str:
    """Restore the newest archive. See `probes.restore.drill`."""
    checks = found.checks
    repository = _repository(params, target.parent)
    if repository.is_local and _lost_its_config(Path(repository.location)):
        checks.append(repositories.without_config("borg"))
        return ""
    how_much = f"Look how much is lost: borg check --verify-data {repositories.quoted(repository.location)}."
    try:
        listed = _archives(repository)
    except DamagedError as error:
        checks.append(repositories.damaged("borg", error, how_much))
        return ""
    if not listed:
        message = "The repository holds no archive."
        checks.append(evidence.newest(Verdict.FAIL, message, hint=f"{evidence.JOB}."))
        return ""
    newest = listed[-1]
    name = f"Archive {newest.name}"
    before = [archive for archive in listed[:-1] if archive.series == newest.series]
    others = len({archive.series for archive in listed}) - 1
    aside = f"; {others} other series in this repository not looked at" if others else ""
    checks.append(evidence.newest(Verdict.PASS, f"{name}{aside}.", newest.name))
    note_age(params, newest.time, "The archive", found)
    try:
        entries, total = _stats(repository, newest)
        note_size(params, total, _stats(repository, before[-1])[1] if before else 0, found)
        if total > params.max_bytes or entries > params.max_files:
            raise CannotTell(
                Reason.LIMIT,
                f"{name} holds {size(total)} in {entries:,} files and folders.",
                "If that is right, raise max_files and max_bytes.",
            )
        scratch.room(target, total)
        started = time.monotonic()
        _extract(repository, newest, target)
    except DamagedError as error:
        checks.append(evidence.not_restored(f"{name} cannot be restored: {error}.", how_much))
        return name
    took = time.monotonic() - started
    files = len(manifest.regular_files(target))
    checks.append(evidence.restored(name, files, total, " and read back as stored"))
    note_restore(params, took, found, restored_files=files, restored_bytes=total)
    if files:
        # borg names what it stores by a keyed hash: the repository is its own manifest.
        compare(params, target, checks, vouched_by=True, archive=name)
        verify(params.command, target, checks)
    return name


def _repository(params: RestoreParameters, folder: Path) -> _Repository:
    is_local = not _REMOTE.match(params.source)
    location = str(Path(params.source).expanduser().absolute()) if is_local else params.source
    home = folder / "borg"
    home.mkdir()
    environment = {
        **os.environ,
        "BORG_CACHE_DIR": str(home / "cache"),
        "BORG_SECURITY_DIR": str(home / "security"),
        "BORG_CONFIG_DIR": str(home / "config"),
        "TZ": "UTC",
    }
    keys = _keys_of_the_operator()
    if keys.is_dir():
        environment["BORG_KEYS_DIR"] = str(keys)
    # borg may end before it has read what ssh says; a file keeps it.
    ssh_log = home / "ssh.log"
    environment.setdefault("BORG_RSH", shlex.join(["ssh", "-o", "BatchMode=yes", "-E", str(ssh_log)]))
    # Both would send its messages elsewhere, or ask for an answer.
    for name in ("BORG_LOGGING_CONF", "BORG_DISPLAY_PASSPHRASE"):
        environment.pop(name, None)
    if path := repositories.password_file(params.password_file):
        for name in _PASSWORDS:
            environment.pop(name, None)
        environment["BORG_PASSCOMMAND"] = shlex.join(["cat", str(path)])
    has_password = any(environment.get(name) for name in _PASSWORDS)
    environment["BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK"] = "no" if has_password else "yes"
    return _Repository(location, is_local, environment, ssh_log)


def _keys_of_the_operator() -> Path:
    """Return the folder of key files, which stays where the operator has it."""
    if own := os.environ.get("BORG_KEYS_DIR"):
        return Path(own)
    if config := os.environ.get("BORG_CONFIG_DIR"):
        return Path(config, "keys")
    if base := os.environ.get("BORG_BASE_DIR"):
        return Path(base, ".config", "borg", "keys")
    config = os.environ.get("XDG_CONFIG_HOME") or str(Path("~/.config").expanduser())
    return Path(config, "borg", "keys")


def _archives(repository: _Repository) -> list[_Archive]:
    output = _run(repository, "list", "--json", "--format", "{end}{hostname}", repository.location)
    try:
        found = msgspec.json.decode(output, type=_Listing).archives
    except msgspec.DecodeError as error:
        raise CannotTell(
            Reason.PROTOCOL,
            f"borg answered something unexpected: {error}.",
            "Look at what it is: borg --version.",
        ) from error
    return sorted(found, key=lambda archive: archive.time)


def _stats(repository: _Repository, archive: _Archive) -> tuple[int, int]:
    """Return the number of entries of an archive and the bytes they restore to.

    `borg info` tells as much, but only after it has read all archives of the repository into its cache.
    """
    where = f"{repository.location}::{archive.name}"
    lines = _run(repository, "list", "--format", "{size}{NL}", where).split()
    return len(lines), sum(map(int, lines))


def _extract(repository: _Repository, archive: _Archive, target: Path) -> None:
    plain = ("--numeric-ids", "--noflags", "--noacls", "--noxattrs")
    _run(repository, "extract", *plain, f"{repository.location}::{archive.name}", folder=target)


def _run(repository: _Repository, *arguments: str, folder: Path | None = None) -> bytes:
    program = shutil.which("borg")
    if program is None:
        raise CannotTell(
            Reason.MISSING,
            "borg is not installed here.",
            "Install it (apt install borgbackup): the drill restores with it.",
        )
    options = ["--log-json"]
    if repository.is_local and not os.access(repository.location, os.W_OK):
        options.append("--bypass-lock")
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        code = subprocess.run(
            [program, *options, *arguments],
            cwd=folder,
            env=repository.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            check=False,
        ).returncode
        errors.seek(0)
        if code:
            text = errors.read().decode(errors="replace")
            if repository.ssh_log.exists():
                text += repository.ssh_log.read_text(errors="replace")
            raise _problem(code, text, repository, restoring=folder is not None)
        output.seek(0)
        return output.read()


def _problem(code: int, text: str, repository: _Repository, *, restoring: bool) -> Exception:
    lines = [line for raw in text.splitlines() if (line := _line(raw))]
    for line in lines:
        if line.msgid in _BY_ID:
            return CannotTell(*_BY_ID[line.msgid])
    everything = "\n".join([text, *(line.message for line in lines)])
    said = [line.message for line in lines if line.levelname in {"ERROR", "CRITICAL", "WARNING"}]
    damaged = next((match for message in said if (match := _BROKEN.search(message))), None)
    if not repository.is_local and "FileNotFoundError" in everything:
        # What is not there is the program that connects, not a part of the repository.
        message = "The program that connects to the server of the repository is not here."
        return CannotTell(
            Reason.MISSING, message, "Install it (apt install openssh-client), or correct BORG_RSH."
        )
    if damaged is None:
        for sign, reason, message in _BY_TEXT:
            if re.search(sign, everything):
                return CannotTell(reason, message, _HINTS.get(reason, "Correct source, or start the server."))
    shown = damaged[0] if damaged else next(iter(said), f"exit code {code}").strip().splitlines()[0]
    shown = shown.replace(repository.location, "the repository").strip()[:_LINE].rstrip(". ")
    if damaged or restoring:
        return DamagedError(shown)
    return CannotTell(
        Reason.PROTOCOL,
        f"borg could not read the repository: {shown}.",
        f"Try it by hand: borg list {repositories.quoted(repository.location)}.",
    )


def _line(raw: str) -> _Line | None:
    # A prompt for a password stands before the first brace, on the same line.
    start = raw.find("{")
    if start < 0:
        return None
    try:
        return msgspec.json.decode(raw[start:], type=_Line)
    except msgspec.DecodeError:
        return None
