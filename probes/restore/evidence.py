"""The lines of evidence of a restore drill: figures in, checks out."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from probes.figures import CLOCK_TOLERANCE, size, span
from probes.outcome import Check, Verdict
from probes.restore import manifest
from probes.restore.picking import counted

JOB = "Look at the backup job and its last log"
"""What to do about a backup that is not as it should be."""

ANOTHER = "Make a new backup and restore that one; then look at the job and at the disk it writes to."
"""What to do about a backup that is damaged."""


def newest(verdict: Verdict, message: str, name: str | None = None, *, hint: str = "") -> Check:
    return Check(name="newest backup", verdict=verdict, message=message, observed=name, hint=hint)


def archive_size(observed: int, floor: int) -> Check:
    """Judge the size of a backup against a floor; nothing at all is never enough."""
    floor = max(floor, 1)
    enough = observed >= floor
    return Check(
        name="backup size",
        verdict=Verdict.PASS if enough else Verdict.FAIL,
        observed=observed,
        unit="B",
        limit=floor,
        message=f"{size(observed)}." if enough else f"{size(observed)}, at least {size(floor)} expected.",
        hint="" if enough else f"{JOB}; if so little is right, lower min_size." if observed else f"{JOB}.",
    )


def size_change(observed: int, previous: int, shrink: float) -> Check:
    """Judge the size of a backup against the one before."""
    change = 100 * (observed - previous) / previous
    message = f"{change:+.0f} % against the backup before ({size(previous)})"
    shrank = change < -shrink
    if shrank:
        message += f", -{shrink:g} % allowed"
    return Check(
        name="size change",
        verdict=Verdict.FAIL if shrank else Verdict.PASS,
        observed=round(change, 1),
        unit="%",
        limit=-shrink,
        message=f"{message}.",
        hint="Find out what is missing; if it was deleted on purpose, raise shrink for one drill."
        if shrank
        else "",
    )


def age(now: float, content: float, what: str, allowed: float) -> Check:
    """Judge the age of a backup, given the time that it shows."""
    observed = now - content
    when = datetime.fromtimestamp(content).astimezone().isoformat(" ", "minutes")
    verdict, message, hint = Verdict.PASS, f"{span(observed)} old: {what} is of {when}.", ""
    if observed > allowed:
        verdict = Verdict.FAIL
        message = f"{span(observed)} old, {span(allowed)} allowed: {what} is of {when}."
        hint = f"{JOB}; then make a backup now."
    elif observed < -CLOCK_TOLERANCE:
        verdict = Verdict.FAIL
        message = f"{what} is of {when}, in the future, so its age proves nothing."
        hint = "Correct the clock of the machine that makes the backup, or of this one: timedatectl."
    return Check(
        name="backup age",
        verdict=verdict,
        observed=round(observed),
        unit="s",
        limit=allowed,
        message=message,
        hint=hint,
    )


def restored(name: str, files: int, total: int, note: str = "") -> Check:
    """Judge what came out of a restore: no file at all is no backup."""
    return Check(
        name="restore",
        verdict=Verdict.PASS if files else Verdict.FAIL,
        observed=files,
        limit=1,
        message=f"{counted(files, 'file')}, {size(total)} restored{note}."
        if files
        else f"{name} restores to no file at all.",
        hint="" if files else "Look at what the backup job reads: the folder may be empty or not mounted.",
    )


def not_restored(message: str, hint: str) -> Check:
    return Check(name="restore", verdict=Verdict.FAIL, message=message, hint=hint)


def restore_time(took: float, target: float) -> Check:
    """Judge how long the restore took (RTO)."""
    slow = took > target
    return Check(
        name="restore time",
        verdict=Verdict.WARN if slow else Verdict.PASS,
        observed=round(took, 3),
        unit="s",
        limit=target,
        message=f"{span(took)}, {span(target)} is the target." if slow else f"{span(took)}.",
        hint="Restore from a faster place, or agree on more time and set restore_target." if slow else "",
    )


def archive_checksum(archive: Path, proofs: Iterable[Path]) -> Check:
    """Hold an archive against the manifests beside it, of which every one has to list it and agree."""

    def failed(message: str, hint: str, observed: str | None = None) -> Check:
        return Check(name=name, verdict=Verdict.FAIL, observed=observed, message=message, hint=hint)

    name = "archive checksum"
    algorithms: set[str] = set()
    for proof in proofs:
        try:
            entries = [entry for entry in manifest.read(proof) if Path(entry.name).name == archive.name]
        except manifest.ManifestError as error:
            return failed(f"Nothing is proven: {error}.", write_one(archive.name))
        if not entries:
            return failed(f"{proof.name} does not list {archive.name}.", write_one(archive.name))
        if not all(manifest.matches(archive, entry) for entry in entries):
            message = f"{archive.name} is not as {proof.name} says."
            return failed(message, "Take it for damaged: make a new backup, and test the disk.", "differs")
        algorithms |= {entry.algorithm for entry in entries}
    if not algorithms:
        return failed(f"No manifest lies beside {archive.name}.", write_one(archive.name))
    return Check(
        name=name,
        verdict=Verdict.PASS,
        observed="same",
        message=f"{archive.name} is as its manifest says{_weakness(algorithms)}.",
    )


def file_checksums(root: Path, proofs: Iterable[Path], *, whole: bool) -> tuple[Check, bool]:
    """Hold the restored files against the manifests among them: none may differ or lack.

    Args:
        root: Where the files were restored to.
        proofs: The manifests.
        whole: Whether they list the whole backup, so that none may be unlisted. Sidecars of single files do
            not.

    Returns:
        The evidence, and whether it speaks of every file.
    """
    name = "file checksums"
    try:
        compared = manifest.compare(root, proofs)
    except manifest.ManifestError as error:
        hint = f"Write it anew when the backup is made: {_LIST_ALL}."
        message = f"Nothing is proven: {error}."
        return Check(name=name, verdict=Verdict.FAIL, message=message, hint=hint), True
    unlisted = compared.extra if whole else []
    kinds = ((compared.wrong, "not as listed"), (compared.missing, "missing"), (unlisted, "not listed"))
    found = [
        f"{len(names)} {word} ({names[0]}{', …' if len(names) > 1 else ''})" for names, word in kinds if names
    ]
    check = Check(
        name=name,
        verdict=Verdict.FAIL if found else Verdict.PASS,
        observed=sum(len(names) for names, _ in kinds),
        limit=0,
        message=f"Of the restored files {', '.join(found)}."
        if found
        else f"{counted(compared.matching, 'file')} {'is' if compared.matching == 1 else 'are'} as listed"
        f"{_weakness(compared.algorithms)}.",
        hint="Make a new backup; if only the list is wrong, write it just before the backup is made."
        if found
        else "",
    )
    return check, whole or not compared.extra


def no_manifest_inside(wanted: str) -> Check:
    return Check(
        name="checksums",
        verdict=Verdict.FAIL,
        message=f"The backup holds no {wanted}.",
        hint=f"Write it just before the backup is made: {_LIST_ALL}.",
    )


def nothing_to_compare(archive: str) -> Check:
    return Check(
        name="checksums",
        verdict=Verdict.WARN,
        message="The backup can be read, but no manifest says what all was in it.",
        hint=write_one(archive),
    )


def verification(command: str, code: int, said: str) -> Check:
    """Judge the end of the verification command."""
    end = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
    return Check(
        name="verification command",
        verdict=Verdict.FAIL if code else Verdict.PASS,
        observed=code,
        limit=0,
        message=f"{command}: {end}{f': {said}' if said else ''}.",
        hint="Find out what the restored data lacks, or what the command expects." if code else "",
    )


_LIST_ALL = "find . -type f ! -name SHA256SUMS -exec sha256sum {} + > SHA256SUMS"


def write_one(archive: str) -> str:
    """Say how to make a manifest."""
    return f"Write one when the backup is made: sha256sum {archive} > {archive}.sha256."


def _weakness(algorithms: Iterable[str]) -> str:
    names = set(algorithms)
    if names - manifest.WEAK:
        return ""
    return f" ({' and '.join(sorted(names))} alone shows damage, not tampering; sha256 shows both)"
