"""The lines of evidence of a restore drill: figures in, checks out."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from probes.figures import CLOCK_TOLERANCE, size, span
from probes.outcome import Check, Verdict
from probes.restore import manifest


def newest(verdict: Verdict, message: str, name: str | None = None) -> Check:
    return Check(name="newest backup", verdict=verdict, message=message, observed=name)


def archive_size(observed: int, floor: int) -> Check:
    """Judge the size of a backup against a floor; nothing at all is never enough."""
    floor = max(floor, 1)
    return Check(
        name="backup size",
        verdict=Verdict.PASS if observed >= floor else Verdict.FAIL,
        observed=observed,
        unit="B",
        limit=floor,
        message=f"{size(observed)}."
        if observed >= floor
        else f"{size(observed)}, at least {size(floor)} expected; look at the backup job.",
    )


def size_change(observed: int, previous: int, shrink: float) -> Check:
    """Judge the size of a backup against the one before."""
    change = 100 * (observed - previous) / previous
    message = f"{change:+.0f} % against the backup before ({size(previous)})"
    if change < -shrink:
        message += f", -{shrink:g} % allowed; find out what is missing"
    return Check(
        name="size change",
        verdict=Verdict.FAIL if change < -shrink else Verdict.PASS,
        observed=round(change, 1),
        unit="%",
        limit=-shrink,
        message=f"{message}.",
    )


def age(now: float, content: float, what: str, allowed: float) -> Check:
    """Judge the age of a backup, given the time that it shows."""
    observed = now - content
    when = datetime.fromtimestamp(content).astimezone().isoformat(" ", "minutes")
    verdict, message = Verdict.PASS, f"{span(observed)} old: {what} is of {when}."
    if observed > allowed:
        verdict = Verdict.FAIL
        message = (
            f"{span(observed)} old, {span(allowed)} allowed: {what} is of {when}; look at the backup job."
        )
    elif observed < -CLOCK_TOLERANCE:
        verdict = Verdict.FAIL
        message = f"{what} is of {when}, in the future, so its age proves nothing; correct the clocks."
    return Check(
        name="backup age", verdict=verdict, observed=round(observed), unit="s", limit=allowed, message=message
    )


def restored(name: str, files: int, total: int, note: str = "") -> Check:
    """Judge what came out of a restore: no file at all is no backup."""
    return Check(
        name="restore",
        verdict=Verdict.PASS if files else Verdict.FAIL,
        observed=files,
        limit=1,
        message=f"{files} files, {size(total)} restored{note}."
        if files
        else f"{name} restores to no file at all; look at what the backup job reads.",
    )


def not_restored(message: str) -> Check:
    return Check(name="restore", verdict=Verdict.FAIL, message=message)


def restore_time(took: float, target: float) -> Check:
    """Judge how long the restore took (RTO)."""
    slow = took > target
    return Check(
        name="restore time",
        verdict=Verdict.WARN if slow else Verdict.PASS,
        observed=round(took, 3),
        unit="s",
        limit=target,
        message=f"{span(took)}, {span(target)} is the target; restore from a faster place or agree on more."
        if slow
        else f"{span(took)}.",
    )


def archive_checksum(archive: Path, proofs: Iterable[Path]) -> Check:
    """Hold an archive against the manifests beside it, of which every one has to list it and agree."""
    name = "archive checksum"
    algorithms: set[str] = set()
    for proof in proofs:
        try:
            entries = [entry for entry in manifest.read(proof) if Path(entry.name).name == archive.name]
        except manifest.ManifestError as error:
            return Check(
                name=name,
                verdict=Verdict.FAIL,
                message=f"Nothing is proven: {error}; {write_one(archive.name)}.",
            )
        if not entries:
            message = f"{proof.name} does not list {archive.name}; {write_one(archive.name)}."
            return Check(name=name, verdict=Verdict.FAIL, message=message)
        if not all(manifest.matches(archive, entry) for entry in entries):
            message = (
                f"{archive.name} is not as {proof.name} says; take it for damaged and make a new backup."
            )
            return Check(name=name, verdict=Verdict.FAIL, observed="differs", message=message)
        algorithms |= {entry.algorithm for entry in entries}
    if not algorithms:
        message = f"No manifest lies beside {archive.name}; {write_one(archive.name)}."
        return Check(name=name, verdict=Verdict.FAIL, message=message)
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
        return Check(name=name, verdict=Verdict.FAIL, message=f"Nothing is proven: {error}."), True
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
        message=f"Of the restored files {', '.join(found)}; take the backup for damaged and make a new one."
        if found
        else f"{compared.matching} files are as listed{_weakness(compared.algorithms)}.",
    )
    return check, whole or not compared.extra


def no_manifest_inside(wanted: str) -> Check:
    message = f"The backup holds no {wanted}; write it when the backup is made: sha256sum."
    return Check(name="checksums", verdict=Verdict.FAIL, message=message)


def nothing_to_compare(archive: str) -> Check:
    message = (
        "Nothing to compare with: the backup can be read, but no manifest says what all was in it; "
        f"{write_one(archive)}."
    )
    return Check(name="checksums", verdict=Verdict.WARN, message=message)


def verification(command: str, code: int, said: str) -> Check:
    """Judge the end of the verification command."""
    end = f"ended by signal {-code}" if code < 0 else f"exit code {code}"
    message = f"{command}: {end}{f': {said}' if said else ''}"
    if code:
        message += "; find out what the restored data lacks"
    return Check(
        name="verification command",
        verdict=Verdict.FAIL if code else Verdict.PASS,
        observed=code,
        limit=0,
        message=f"{message}.",
    )


def write_one(archive: str) -> str:
    """Say how to make a manifest."""
    return f"write one when the backup is made: sha256sum {archive} > {archive}.sha256"


def _weakness(algorithms: Iterable[str]) -> str:
    names = set(algorithms)
    if names - manifest.WEAK:
        return ""
    return f" ({' and '.join(sorted(names))} alone shows damage, not tampering; sha256 shows both)"
