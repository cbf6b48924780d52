"""The parts that the drills of all kinds of backups have in common.

A kind is a module with one function, `drill(params, target, found) -> str`: it restores the newest backup
into the empty private folder `target`, adds its evidence to `found` and returns the name of the backup. It
raises `CannotTell` where it could not look. `target` is removed afterwards, whatever is in it.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, NamedTuple

from probes.outcome import CannotTell, Check, Reason, Verdict
from probes.parameters import seconds
from probes.restore import evidence, manifest, picking
from probes.restore.parameters import RestoreParameters
from probes.restore.picking import listed

_TAIL = 4096
_LINE = 200


class DamagedError(Exception):
    """The backup cannot give back what was stored in it. The text says why, without a full stop."""


class Findings(NamedTuple):
    """What a drill found, filled in as it goes so that an early end keeps what there is."""

    checks: list[Check]
    metrics: dict[str, float]


Drill = Callable[[RestoreParameters, Path, Findings], str]
"""What the module of a kind offers."""


class Backup(NamedTuple):
    """A file that is to be restored.

    Attributes:
        path: Where it is.
        before: Its state when the drill began.
        vouched: Whether manifests beside it agree with it.
    """

    path: Path
    before: os.stat_result
    vouched: bool


def open_backup(params: RestoreParameters, found: Findings) -> Backup | None:
    """Pick the newest backup, note its size, and hold it against the manifests beside it.

    Returns:
        The backup, or None if the evidence already says that there is nothing to restore.

    Raises:
        CannotTell: If it could not be looked at.
    """
    try:
        path, previous, others = picking.pick(params)
    except picking.NothingError as nothing:
        hint = "Look at the backup job; if its backups have other names, set pattern."
        found.checks.append(evidence.newest(Verdict.FAIL, str(nothing), hint=hint))
        return None
    try:
        before = path.stat()
        size_before = previous.stat().st_size if previous else 0
    except FileNotFoundError as error:
        raise CannotTell(
            Reason.LIMIT, "A backup went away during the drill.", "Run again when the backup job is done."
        ) from error
    aside = f"; {len(others)} other series in this folder not looked at: {listed(others)}" if others else ""
    found.checks.append(evidence.newest(Verdict.PASS, f"{path.name}{aside}.", path.name))
    note_size(params, before.st_size, size_before, found)
    if not before.st_size:
        return None
    proofs = manifest.beside(path) if params.manifest in {"auto", "beside"} else []
    if proofs or params.manifest == "beside":
        found.checks.append(evidence.archive_checksum(path, proofs))
        if found.checks[-1].verdict is Verdict.FAIL:
            check_unchanged(path, before)
            return None
    return Backup(path, before, bool(proofs))


def check_unchanged(path: Path, before: os.stat_result) -> None:
    """Tell damage from a backup job that is still writing.

    Raises:
        CannotTell: If the file is not as it was.
    """
    try:
        now = path.stat()
    except FileNotFoundError:
        now = None
    if now is None or (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise CannotTell(
            Reason.LIMIT, f"{path.name} changed during the drill.", "Run again when the backup job is done."
        )


def note_size(params: RestoreParameters, observed: int, previous: int, found: Findings) -> None:
    """Note the size of the backup in bytes, and that of the one before, 0 if there is none."""
    found.metrics["backup_bytes"] = observed
    found.checks.append(evidence.archive_size(observed, params.min_size))
    if previous:
        found.checks.append(evidence.size_change(observed, previous, params.shrink))


def note_age(params: RestoreParameters, content: float, what: str, found: Findings) -> None:
    """Note the age of the backup.

    Args:
        params: With the age that is allowed.
        content: Time of the content in seconds since the epoch.
        what: What has that time, as the subject of a sentence: "The newest file in it".
        found: Where to note it.
    """
    now = time.time()
    found.metrics["backup_age_s"] = now - content
    found.checks.append(evidence.age(now, content, what, seconds(params.max_age)))


def note_restore(params: RestoreParameters, took: float, found: Findings, **counts: float) -> None:
    """Note how many seconds a restore took and, as metrics, what came out: restored_files, restored_bytes."""
    found.metrics.update(restore_s=took, **counts)
    found.checks.append(evidence.restore_time(took, seconds(params.restore_target)))


def compare(
    params: RestoreParameters, target: Path, checks: list[Check], *, vouched_by: bool, archive: str
) -> None:
    """Hold restored files against the manifests among them.

    Args:
        params: With the manifest that is expected.
        target: Where the files were restored to.
        checks: Where to add the evidence.
        vouched_by: Whether something else already proves the content.
        archive: Name of the backup.
    """
    proofs = _manifests_inside(params.manifest, target)
    if proofs:
        named = params.manifest not in {"auto", "inside"}
        whole = named or any(manifest.is_list(proof.name) for proof in proofs)
        check, speaks_of_all = evidence.file_checksums(target, proofs, whole=whole)
        checks.append(check)
        if speaks_of_all:
            return
    if params.manifest not in {"auto", "beside"}:
        wanted = "manifest" if params.manifest == "inside" else params.manifest
        checks.append(evidence.no_manifest_inside(wanted))
    elif not vouched_by:
        checks.append(evidence.nothing_to_compare(archive))


def _manifests_inside(wanted: str, target: Path) -> list[Path]:
    if wanted == "beside":
        return []
    top = target
    # Archives mostly hold one folder, and restic restores the whole path down to it.
    while len(inner := list(top.iterdir())) == 1 and inner[0].is_dir() and not inner[0].is_symlink():
        top = inner[0]
    if wanted in {"auto", "inside"}:
        candidates = sorted(path for path in top.iterdir() if manifest.is_manifest(path.name))
    else:
        candidates = [top / wanted, target / wanted][: 1 if top == target else 2]
    return [path for path in candidates if path.is_file() and path.resolve().is_relative_to(target.resolve())]


def verify(
    command: list[str], folder: Path, checks: list[Check], environment: Mapping[str, str | None] | None = None
) -> None:
    """Run the verification command, if there is one.

    Args:
        command: Program and arguments.
        folder: Where to run it.
        checks: Where to add the evidence.
        environment: Variables to set beside those of this process, as where the scratch database is;
            None for those to leave out.

    Raises:
        CannotTell: If it cannot be run.
    """
    if not command or not command[0]:
        return
    name = command[0]
    # A backup must not bring the program that judges it.
    program = str(Path(name).expanduser().absolute()) if "/" in name else shutil.which(name)
    missing = CannotTell(
        Reason.MISSING, f"The verification command {name} is not there.", "Install it, or correct command."
    )
    if program is None:
        raise missing
    variables = {**os.environ, **(environment or {})}
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(
                [program, *command[1:]],
                cwd=folder,
                env={name: value for name, value in variables.items() if value is not None},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except FileNotFoundError as error:
            raise missing from error
        except OSError as error:
            raise CannotTell(
                Reason.FORBIDDEN,
                f"The verification command {name} cannot be run: {error.strerror}.",
                f"Make it a program that this user may run: chmod +x {name}.",
            ) from error
        checks.append(evidence.verification(name, done.returncode, _last_line(output)))


def _last_line(output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - _TAIL))
    lines = output.read().decode(errors="replace").split("\n")
    return next((line.strip()[:_LINE] for line in reversed(lines) if line.strip()), "")
