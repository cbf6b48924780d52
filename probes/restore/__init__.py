"""Proves that the newest backup can be restored, by restoring it into a scratch folder and comparing it."""

import fnmatch
import os
import re
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Annotated, Literal, NamedTuple

import msgspec

from probes.figures import size, span
from probes.outcome import CannotTell, Check, Outcome, Reason, Verdict, conclude
from probes.parameters import Duration, Parameters, seconds
from probes.restore import evidence, manifest, restic, scratch

_ARCHIVES = ["*.tar", "*.tar.gz", "*.tgz", "*.tar.bz2", "*.tbz2", "*.tar.xz", "*.txz", "*.tar.zst"]
_TAIL = 4096
_LINE = 200


class RestoreParameters(Parameters, frozen=True):
    """What the restore drill is told.

    The newest archive of a folder is the one whose file was written last. How old it is, is then judged by
    its content, because a copy of an old backup is a young file.

    Attributes:
        timeout: The deadline of the whole drill. Default 30m: twice the default of `restore_target`.
        source: Folder with backups, one archive, or a restic repository (a folder, or a URL as `s3:…`).
        kind: What the source is: `tar`, `restic`, or `auto` to find out.
        pattern: Names of the archives in the folder, as shell patterns. Default: tar, plain or compressed.
            Several series in one folder (`db-*`, `files-*`) want an item each, with a pattern each.
        manifest: Where checksums are expected: `beside` the archive (ARCHIVE.sha256, SHA256SUMS), `inside` it
            (for the files in it), the name of a manifest inside it, or `auto` for all that there are. One
            inside has to list every file, unless it is the sidecar of a single one (FILE.sha1).
        max_age: Oldest acceptable content (RPO). Default 26h: a daily job and two hours of grace.
        age_from: `content` is the newest entry of an archive; `file` is the archive's own modification time,
            right only for data that may rest for longer than `max_age`. A snapshot has a time of its own.
        min_size: Smallest acceptable size in bytes, of an archive or of a snapshot's files. Default 1.
        shrink: Percentage by which a backup may be smaller than the one before. Default 50, after
            post-mortems in which dumps of a few hundred bytes went unseen for months.
        command: Program and arguments that check the restored data, run in the restored folder without a
            shell; exit code 0 is a pass. The program is looked up here, never in the backup. Default: none.
        restore_target: Longest acceptable restore (RTO); beyond it the verdict is warn. Default 15m, a house
            value: set what was agreed.
        password_file: File with the password of a restic repository. Default: restic's own variables.
        scratch: Folder to restore into. Default: the system's folder for temporary files.
        max_bytes: Most bytes to restore, against archives that unpack to no end. Default 100 GiB.
        max_files: Most entries to restore. Default one million.
        outside_links: What to do with links in an archive that lead outside of it: `refuse` the archive, or
            `skip` them.
    """

    timeout: Duration = "30m"
    source: str = ""
    kind: Literal["auto", "tar", "restic"] = "auto"
    pattern: list[str] = msgspec.field(default_factory=lambda: list(_ARCHIVES))
    manifest: str = "auto"
    max_age: Duration = "26h"
    age_from: Literal["content", "file"] = "content"
    min_size: Annotated[int, msgspec.Meta(ge=0)] = 1
    shrink: Annotated[float, msgspec.Meta(ge=0, le=100)] = 50
    command: list[str] = msgspec.field(default_factory=list)
    restore_target: Duration = "15m"
    password_file: str = ""
    scratch: str = ""
    max_bytes: Annotated[int, msgspec.Meta(gt=0)] = 100 * 2**30
    max_files: Annotated[int, msgspec.Meta(gt=0)] = 1_000_000
    outside_links: Literal["refuse", "skip"] = "refuse"


class _Findings(NamedTuple):
    """What a drill found, filled in as it goes so that an early end keeps what there is."""

    checks: list[Check]
    metrics: dict[str, float]


def probe(params: RestoreParameters) -> Outcome:
    """Restore the newest backup into a private scratch folder, compare it, and remove it again."""
    if not params.source:
        raise CannotTell(Reason.CONFIG, "Not configured: set source to the folder of the backups.")
    found = _Findings([], {})
    is_restic = params.kind == "restic" or (params.kind == "auto" and restic.looks_like_one(params.source))
    with scratch.folder(params.scratch) as folder:
        target = folder / "restored"
        target.mkdir()
        name = _drill_restic(params, target, found) if is_restic else _drill_tar(params, target, found)
    if folder.exists():
        message = f"{folder} could not be removed; remove it: it holds restored data."
        found.checks.append(Check(name="clean-up", verdict=Verdict.WARN, message=message))
    return conclude(found.checks, _summary(name, found.metrics), found.metrics)


def _summary(name: str, metrics: dict[str, float]) -> str:
    return (
        f"{name}, {span(metrics.get('backup_age_s', 0))} old, was restored: "
        f"{metrics.get('restored_files', 0):.0f} files, {size(metrics.get('restored_bytes', 0))} "
        f"in {span(metrics.get('restore_s', 0))}"
    )


def _drill_tar(params: RestoreParameters, target: Path, found: _Findings) -> str:
    from probes.restore import archives  # the libraries of every compression, for a run alone

    checks = found.checks
    pick = _pick(params)
    if pick is None:
        checks.append(evidence.newest(Verdict.FAIL, f"{params.source} holds no backup; look at its job."))
        return ""
    archive, previous, other_series = pick
    before = archive.stat()
    aside = f"; {other_series} other series in this folder not looked at" if other_series else ""
    checks.append(evidence.newest(Verdict.PASS, f"{archive.name}{aside}.", archive.name))
    _note_size(params, before.st_size, previous.stat().st_size if previous else 0, found)
    if not before.st_size:
        return archive.name
    proofs = manifest.beside(archive) if params.manifest in {"auto", "beside"} else []
    if proofs or params.manifest == "beside":
        checks.append(evidence.archive_checksum(archive, proofs))
        if checks[-1].verdict is Verdict.FAIL:
            _check_unchanged(archive, before)
            return archive.name
    limits = archives.Limits(params.max_bytes, params.max_files, scratch.room(target, 2 * before.st_size))
    content, what = before.st_mtime, "The archive"
    started = time.monotonic()
    try:
        skip = params.outside_links == "skip"
        restored = archives.restore(archive, target, limits, skip_outside_links=skip)
    except archives.RefusedError as error:
        checks.append(evidence.not_restored(f"{archive.name} is not safe to restore: {error}."))
    except archives.DamagedError as error:
        _check_unchanged(archive, before)
        message = f"{archive.name} cannot be restored: {error}; make a new backup and look at its job."
        checks.append(evidence.not_restored(message))
    else:
        _check_unchanged(archive, before)
        took = time.monotonic() - started
        if params.age_from == "content" and restored.newest is not None:
            content, what = restored.newest, "The newest file in it"
        note = f", {restored.skipped} links that lead outside left out" if restored.skipped else ""
        checks.append(evidence.restored(archive.name, restored.files, restored.bytes, note))
        _note_restore(params, restored.files, restored.bytes, took, found)
        if restored.files:
            _compare(params, target, checks, vouched_by=bool(proofs), archive=archive.name)
            _verify(params.command, target, checks)
    _note_age(params, content, what, found)
    return archive.name


def _drill_restic(params: RestoreParameters, target: Path, found: _Findings) -> str:
    checks = found.checks
    repository = restic.Repository(params.source, params.password_file)
    try:
        snapshots = restic.snapshots(repository)
    except restic.DamagedError as error:
        checks.append(evidence.newest(Verdict.FAIL, f"The repository is damaged: {error}; run restic check."))
        return ""
    if not snapshots:
        checks.append(
            evidence.newest(Verdict.FAIL, "The repository holds no snapshot; look at the backup job.")
        )
        return ""
    newest = snapshots[-1]
    name = f"Snapshot {newest.id[:8]}"
    before = [one for one in snapshots[:-1] if (one.hostname, one.paths) == (newest.hostname, newest.paths)]
    checks.append(evidence.newest(Verdict.PASS, f"{name} of {', '.join(newest.paths)}.", newest.id[:8]))
    _note_age(params, newest.time.timestamp(), "The snapshot", found)
    try:
        stats = restic.stats(repository, newest)
        previous = restic.stats(repository, before[-1]).total_size if before else 0
        _note_size(params, stats.total_size, previous, found)
        if stats.total_size > params.max_bytes or stats.total_file_count > params.max_files:
            raise CannotTell(
                Reason.LIMIT,
                f"{name} holds {stats.total_file_count} entries, {size(stats.total_size)}; "
                "if that is right, raise max_files and max_bytes.",
            )
        scratch.room(target, stats.total_size)
        started = time.monotonic()
        restic.restore(repository, newest, target)
    except restic.DamagedError as error:
        message = f"{name} cannot be restored: {error}; run restic check --read-data."
        checks.append(evidence.not_restored(message))
        return name
    took = time.monotonic() - started
    files = len(manifest.regular_files(target))
    checks.append(evidence.restored(name, files, stats.total_size, " and read back as stored"))
    _note_restore(params, files, stats.total_size, took, found)
    if files:
        # restic names what it stores by its SHA-256: the repository is its own manifest.
        _compare(params, target, checks, vouched_by=True, archive=name)
        _verify(params.command, target, checks)
    return name


class _Pick(NamedTuple):
    newest: Path
    previous: Path | None
    other_series: int


def _pick(params: RestoreParameters) -> _Pick | None:
    source = Path(params.source).expanduser().absolute()
    try:
        if not stat.S_ISDIR(source.stat().st_mode):
            return _Pick(source, None, 0)
        with os.scandir(source) as entries:
            names = [entry.name for entry in entries]
        patterns = [pattern for pattern in params.pattern if pattern] or _ARCHIVES
        # A link such as latest.tar.gz names the same backup once more.
        archives = {
            (source / name).resolve()
            for name in names
            if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns) and (source / name).is_file()
        }
        ordered = sorted(archives, key=lambda path: (path.stat().st_mtime, path.name))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CannotTell(
            Reason.MISSING, f"There is no {params.source}; correct source or mount the disk."
        ) from error
    except PermissionError as error:
        raise CannotTell(
            Reason.FORBIDDEN, f"Not permitted to read {params.source}; run as a user who may restore."
        ) from error
    if not ordered:
        return None
    newest = ordered[-1]
    same = [path for path in ordered[:-1] if _series(path) == _series(newest)]
    return _Pick(newest, same[-1] if same else None, len({_series(path) for path in ordered}) - 1)


def _series(path: Path) -> str:
    return re.sub(r"\d+", "#", path.name)


def _check_unchanged(archive: Path, before: os.stat_result) -> None:
    """Tell damage from a backup job that is still writing."""
    try:
        now = archive.stat()
    except FileNotFoundError:
        now = None
    if now is None or (now.st_size, now.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise CannotTell(
            Reason.LIMIT, f"{archive.name} changed during the drill; run again when the backup job is done."
        )


def _note_size(params: RestoreParameters, observed: int, previous: int, found: _Findings) -> None:
    found.metrics["backup_bytes"] = observed
    found.checks.append(evidence.archive_size(observed, params.min_size))
    if previous:
        found.checks.append(evidence.size_change(observed, previous, params.shrink))


def _note_age(params: RestoreParameters, content: float, what: str, found: _Findings) -> None:
    now = time.time()
    found.metrics["backup_age_s"] = now - content
    found.checks.append(evidence.age(now, content, what, seconds(params.max_age)))


def _note_restore(params: RestoreParameters, files: int, total: int, took: float, found: _Findings) -> None:
    found.metrics.update(restore_s=took, restored_files=files, restored_bytes=total)
    found.checks.append(evidence.restore_time(took, seconds(params.restore_target)))


def _compare(
    params: RestoreParameters, target: Path, checks: list[Check], *, vouched_by: bool, archive: str
) -> None:
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


def _verify(command: list[str], target: Path, checks: list[Check]) -> None:
    if not command or not command[0]:
        return
    name = command[0]
    # A backup must not bring the program that judges it.
    program = str(Path(name).expanduser().absolute()) if "/" in name else shutil.which(name)
    missing = CannotTell(Reason.MISSING, f"The verification command {name} is not there; install it.")
    if program is None:
        raise missing
    with tempfile.TemporaryFile() as output:
        try:
            done = subprocess.run(
                [program, *command[1:]],
                cwd=target,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        except FileNotFoundError as error:
            raise missing from error
        except OSError as error:
            raise CannotTell(
                Reason.FORBIDDEN, f"The verification command {name} cannot be run: {error.strerror}."
            ) from error
        checks.append(evidence.verification(name, done.returncode, _last_line(output)))


def _last_line(output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - _TAIL))
    lines = output.read().decode(errors="replace").split("\n")
    return next((line.strip()[:_LINE] for line in reversed(lines) if line.strip()), "")
