"""The drill of a restic repository, with the restic program. It writes nothing to it but its lock."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

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

_REMOTE = re.compile(r"(?:s3|sftp|rest|b2|azure|gs|swift|rclone|local):")
_LINES = 200
_LINE = 200
_BROKEN = re.compile(
    r"invalid data|ciphertext verification|unexpected EOF|hash mismatch|does not match|"
    r"(?:could not|failed to) load|returned error, retrying after \S+ open \S+ no such file"
)
_LOST = re.compile(r"unexpected EOF|no such file or directory")
_RETRY = re.compile(r" returned error, retrying after [\w.]+")
_EXIT_CODES = {10: Reason.MISSING, 11: Reason.LIMIT, 12: Reason.AUTH}
# The order counts: the text of a refused connection also asks "Is there a repository?".
_OBSTACLES = (
    (Reason.AUTH, r"wrong password|no key found|401 Unauthorized|SignatureDoesNotMatch|InvalidAccessKey"),
    (Reason.CONFIG, r"empty password|[Rr]esolving password failed"),
    (Reason.LIMIT, r"already locked|no space left|quota exceeded"),
    (Reason.FORBIDDEN, r"permission denied|[Aa]ccess ?[Dd]enied|403 Forbidden"),
    (Reason.REFUSED, r"connection refused"),
    (Reason.DNS, r"no such host|server misbehaving"),
    (Reason.TLS, r"x509:|tls:"),
    (Reason.TIMEOUT, r"i/o timeout|deadline exceeded"),
    (Reason.MISSING, r"Is there a repository|repository does not exist|unable to open config file"),
)
_WORDS = {
    Reason.AUTH: (
        "The repository does not open with this password.",
        "Set password_file to the file with the right one.",
    ),
    Reason.CONFIG: (
        "There is no password for the repository.",
        "Set password_file, or RESTIC_PASSWORD_FILE in the environment.",
    ),
    Reason.LIMIT: (
        "The repository is locked or a disk is full.",
        "Wait for the backup job or free space, then run again: restic list locks.",
    ),
    Reason.FORBIDDEN: ("Not permitted to read the repository.", "Run as a user who may restore."),
    Reason.REFUSED: (
        "The server of the repository refuses the connection.",
        "Start it, or correct source.",
    ),
    Reason.DNS: ("The server of the repository is not known by this name.", "Correct source."),
    Reason.TLS: (
        "The server of the repository shows a certificate that is not trusted here.",
        "Install the certificate of its issuer: RESTIC_CACERT.",
    ),
    Reason.TIMEOUT: ("The server of the repository does not answer.", "Look at the network between."),
    Reason.MISSING: ("There is no restic repository at source.", "Correct source or mount the disk."),
}


class Snapshot(msgspec.Struct, frozen=True):
    """A backup in a repository, as `restic snapshots --json` lists it."""

    id: str
    time: datetime
    paths: list[str]
    hostname: str = ""


class Stats(msgspec.Struct, frozen=True):
    """What a restore of a snapshot takes up; folders count as entries."""

    total_size: int
    total_file_count: int


S = TypeVar("S")


class Repository(NamedTuple):
    """Where a repository is and how it opens.

    Attributes:
        location: Folder or URL, as restic's own RESTIC_REPOSITORY.
        password_file: File with its password; None to leave that to restic's environment variables.
    """

    location: str
    password_file: Path | None

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return not _REMOTE.match(self.location)

    @property
    def command(self) -> str:
        """How to begin a command by hand."""
        return f"restic -r {repositories.quoted(str(self.folder) if self.is_local else self.location)}"

    @property
    def folder(self) -> Path:
        """The folder of a local repository."""
        return Path(self.location).expanduser().absolute()


class _Said(NamedTuple):
    code: int
    output: bytes
    lines: list[str]


def drill(params: RestoreParameters, target: Path, found: Findings) -> str:
    """Restore the newest snapshot. See `probes.restore.drill`."""
    checks = found.checks
    repository = Repository(params.source, repositories.password_file(params.password_file))
    how_much = f"Look how much is lost: {repository.command} check --read-data."
    if repository.is_local and _remains(repository) and not os.path.lexists(repository.folder / "config"):
        checks.append(repositories.without_config("restic"))
        return ""
    try:
        listed = snapshots(repository)
    except DamagedError as error:
        checks.append(repositories.damaged("restic", error, how_much))
        return ""
    if not listed:
        message = "The repository holds no snapshot."
        checks.append(evidence.newest(Verdict.FAIL, message, hint=f"{evidence.JOB}."))
        return ""
    newest = listed[-1]
    name = f"Snapshot {newest.id[:8]}"
    before = [one for one in listed[:-1] if (one.hostname, one.paths) == (newest.hostname, newest.paths)]
    others = len({(one.hostname, tuple(one.paths)) for one in listed}) - 1
    aside = f"; {others} other series in this repository not looked at" if others else ""
    checks.append(
        evidence.newest(Verdict.PASS, f"{name} of {', '.join(newest.paths)}{aside}.", newest.id[:8])
    )
    note_age(params, newest.time.timestamp(), "The snapshot", found)
    try:
        held = stats(repository, newest)
        previous = stats(repository, before[-1]).total_size if before else 0
        note_size(params, held.total_size, previous, found)
        if held.total_size > params.max_bytes or held.total_file_count > params.max_files:
            raise CannotTell(
                Reason.LIMIT,
                f"{name} holds {size(held.total_size)} in {held.total_file_count:,} files and folders.",
                "If that is right, raise max_files and max_bytes.",
            )
        scratch.room(target, held.total_size)
        started = time.monotonic()
        restore(repository, newest, target)
    except DamagedError as error:
        checks.append(evidence.not_restored(f"{name} cannot be restored: {error}.", how_much))
        return name
    took = time.monotonic() - started
    files = len(manifest.regular_files(target))
    checks.append(evidence.restored(name, files, held.total_size, " and read back as stored"))
    note_restore(params, took, found, restored_files=files, restored_bytes=held.total_size)
    if files:
        # restic names what it stores by its SHA-256: the repository is its own manifest.
        compare(params, target, checks, vouched_by=True, archive=name)
        verify(params.command, target, checks)
    return name


def looks_like_one(location: str) -> bool:
    """Tell whether a location is a restic repository, by its URL or by what the folder holds."""
    repository = Repository(location, None)
    return not repository.is_local or _remains(repository)


def _remains(repository: Repository) -> bool:
    """Tell whether a folder is a restic repository, even one whose config is lost."""
    return all(os.path.lexists(repository.folder / part / ".") for part in ("data", "keys", "snapshots"))


def snapshots(repository: Repository) -> list[Snapshot]:
    """Return the snapshots of a repository, the newest last.

    Raises:
        DamagedError: If one of them, or the repository itself, is unreadable.
        CannotTell: If restic could not look.
    """
    said = _run(repository, "snapshots", "--json")
    # With an unreadable snapshot restic 0.14 complains, leaves it out and ends with 0.
    unreadable = [line for line in said.lines if _BROKEN.search(line)]
    if said.code or unreadable:
        raise _problem(said, repository)
    found = _decode(said.output, list[Snapshot]) if said.output.strip() not in {b"", b"null"} else []
    return sorted(found, key=lambda snapshot: snapshot.time)


def stats(repository: Repository, snapshot: Snapshot) -> Stats:
    """Return what a snapshot restores to. Raises as `snapshots` does."""
    said = _run(repository, "stats", "--json", snapshot.id)
    if said.code:
        raise _problem(said, repository)
    return _decode(said.output, Stats)


def restore(repository: Repository, snapshot: Snapshot, target: Path) -> None:
    """Restore a snapshot and compare every file with what was stored. Raises as `snapshots` does."""
    said = _run(repository, "restore", snapshot.id, "--target", str(target), "--verify")
    if said.code:
        raise _problem(said, repository, restoring=True)


def _decode(output: bytes, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(output, type=kind)
    except msgspec.DecodeError as error:
        raise CannotTell(
            Reason.PROTOCOL,
            f"restic answered something unexpected: {error}.",
            "Look at what it is: restic version.",
        ) from error


def _run(repository: Repository, *arguments: str) -> _Said:
    program = shutil.which("restic")
    if program is None:
        raise CannotTell(
            Reason.MISSING,
            "restic is not installed here.",
            "Install it (apt install restic): the drill restores with it.",
        )
    # A warm cache would hide damage of the repository itself.
    options = ["--no-cache"]
    if repository.is_local and not os.access(repository.folder / "locks", os.W_OK):
        options.append("--no-lock")
    lines: list[str] = []
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(
            [program, *options, *arguments],
            env=_environment(repository),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process,
    ):
        try:
            for line in process.stderr or ():
                if len(lines) < _LINES:
                    lines.append(line.strip())
                # restic tries ten times over 45 s, which helps on a network and never on a disk.
                if repository.is_local and _RETRY.search(line) and _LOST.search(line):
                    process.terminate()
            code = process.wait()
        except BaseException:
            process.kill()
            raise
        output.seek(0)
        return _Said(code, output.read(), lines)


def _environment(repository: Repository) -> dict[str, str]:
    # Not as arguments: those are seen in every process list, and URLs may carry a password.
    location = str(repository.folder) if repository.is_local else repository.location
    environment = {**os.environ, "RESTIC_REPOSITORY": location}
    environment.pop("RESTIC_REPOSITORY_FILE", None)
    if repository.password_file:
        environment["RESTIC_PASSWORD_FILE"] = str(repository.password_file)
        environment.pop("RESTIC_PASSWORD", None)
        environment.pop("RESTIC_PASSWORD_COMMAND", None)
    return environment


def _problem(said: _Said, repository: Repository, *, restoring: bool = False) -> Exception:
    # What a restore says of a single file is about the backup or the scratch disk, not about being let in.
    own = [line for line in said.lines if not line.startswith("ignoring error") or "no space left" in line]
    text = "\n".join(own)
    damaged = next((line for line in said.lines if _BROKEN.search(line)), "")
    reason = _EXIT_CODES.get(said.code) or next(
        (why for why, sign in _OBSTACLES if re.search(sign, text)), None
    )
    if reason and not (damaged and reason is Reason.MISSING):
        message, hint = _WORDS[reason]
        return CannotTell(reason, message, hint.replace("restic list", f"{repository.command} list"))
    shown = damaged or next(iter(said.lines), f"exit code {said.code}")
    where = str(repository.folder) if repository.is_local else repository.location
    shown = _RETRY.sub("", shown.removeprefix("ignoring error for ").replace(where, "the repository"))
    shown = shown[:_LINE].rstrip(". ")
    if damaged or restoring:
        return DamagedError(shown)
    return CannotTell(
        Reason.PROTOCOL,
        f"restic could not read the repository: {shown}.",
        f"Try it by hand: {repository.command} snapshots.",
    )
