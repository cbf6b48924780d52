"""Reads checksum manifests, as md5sum, sha256sum and the BSD tools write them, and checks files by them."""

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from probes.outcome import CannotTell, Reason

WEAK = frozenset({"md5", "sha1"})
"""Algorithms that show accidental damage but not tampering."""

MAX_BYTES = 256 * 2**20
"""A manifest larger than this is not read: it would be held in memory."""

_SUFFIXES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "b2")
_BY_LENGTH = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
_LIST_NAME = re.compile(
    rf"(?:(?:{'|'.join(_SUFFIXES)})sums?(?:\.txt)?|(?:manifest|checksums?)(?:[.-](?:{'|'.join(_SUFFIXES)}))?(?:\.txt)?)",
    re.IGNORECASE,
)
_SIDECAR_NAME = re.compile(rf".+\.(?:{'|'.join(_SUFFIXES)})(?:sums?)?", re.IGNORECASE)
_GNU = re.compile(r"(?P<digest>[0-9A-Fa-f]{32,128}) [ *](?P<name>.+)", re.DOTALL)
_BSD = re.compile(
    r"(?P<algorithm>[A-Za-z0-9/-]+) \((?P<name>.+)\) = (?P<digest>[0-9A-Fa-f]{32,128})", re.DOTALL
)
_BARE = re.compile(r"[0-9A-Fa-f]{32,128}")
_ESCAPE = re.compile(r"\\([\\nr])")


class ManifestError(Exception):
    """The manifest itself is no proof: empty, malformed, or pointing outside its folder."""


class Entry(NamedTuple):
    """One line of a manifest."""

    name: str
    algorithm: str
    digest: str


class Comparison(NamedTuple):
    """How a folder stands against its manifests.

    Attributes:
        matching: Number of files whose content is as listed.
        wrong: Files whose content is not as listed.
        missing: Listed files that are not there.
        extra: Files that are there and not listed, manifests left aside.
        algorithms: The algorithms of the manifests.
    """

    matching: int
    wrong: list[str]
    missing: list[str]
    extra: list[str]
    algorithms: frozenset[str]


def is_list(name: str) -> bool:
    """Tell whether a file of this name lists checksums of a folder, as SHA256SUMS or manifest.md5 do."""
    return _LIST_NAME.fullmatch(name) is not None


def is_manifest(name: str) -> bool:
    """Tell whether a file of this name holds checksums, of a folder or of one file."""
    return is_list(name) or _SIDECAR_NAME.fullmatch(name) is not None


def beside(archive: Path) -> list[Path]:
    """Return the manifests that lie beside an archive: its own, or one of the folder."""
    stem = re.sub(r"\.(?:tgz|tbz2?|txz|tzst|(?:tar|sql|dump)(?:\.\w+)?|pgdump|rdb)$", "", archive.name)
    own = {
        f"{name}.{suffix}{end}"
        for name in (archive.name, stem)
        for suffix in _SUFFIXES
        for end in ("", "sum")
    }
    with os.scandir(archive.parent) as entries:
        names = sorted(entry.name for entry in entries if entry.name in own or is_list(entry.name))
    return [archive.parent / name for name in names]


def read(path: Path) -> list[Entry]:
    """Read a manifest. Names stay as they are written.

    Raises:
        ManifestError: If it has no entry, or a line that is none.
        CannotTell: If it uses an algorithm that is not known here.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ManifestError(f"{path.name} is larger than any manifest should be")
    lines = os.fsdecode(path.read_bytes()).split("\n")
    entries = []
    for number, raw in enumerate(lines, 1):
        line = raw.removesuffix("\r")
        if line and not line.startswith("#"):
            entries.append(_entry(path.name, number, line))
    if not entries:
        raise ManifestError(f"{path.name} lists nothing")
    return entries


def _entry(manifest: str, number: int, line: str) -> Entry:
    escaped = line.startswith("\\")
    body = line.removeprefix("\\") if escaped else line
    if match := _BSD.fullmatch(body):
        algorithm = match["algorithm"].lower().replace("-", "_")
    elif match := _GNU.fullmatch(body):
        algorithm = _by_length(manifest, number, match["digest"])
    elif _BARE.fullmatch(body):
        # A lone digest speaks of the file that the manifest is named after.
        name = _own_file(manifest)
        return Entry(name, _by_length(manifest, number, body), body.lower())
    else:
        raise ManifestError(f"line {number} of {manifest} is no checksum line")
    if algorithm not in hashlib.algorithms_available or algorithm.startswith("shake"):
        raise CannotTell(
            Reason.MISSING,
            f"Line {number} of {manifest} uses {algorithm}, which is not known here.",
            "Write the manifest with sha256sum.",
        )
    if len(match["digest"]) != 2 * _new(algorithm).digest_size:
        raise ManifestError(f"line {number} of {manifest} has a digest of the wrong length for {algorithm}")
    name = match["name"]
    if escaped:
        name = _ESCAPE.sub(lambda found: {"\\": "\\", "n": "\n", "r": "\r"}[found[1]], name)
    return Entry(name, algorithm, match["digest"].lower())


def _own_file(sidecar: str) -> str:
    return re.sub(r"\.\w+$", "", sidecar)


def _by_length(manifest: str, number: int, digest: str) -> str:
    try:
        algorithm = _BY_LENGTH[len(digest)]
    except KeyError:
        raise ManifestError(f"line {number} of {manifest} has a digest of an unknown length") from None
    # Both are 512 bits long; only the name of the file tells them apart.
    return "blake2b" if algorithm == "sha512" and re.search(r"(?i)(^|\.)b2", manifest) else algorithm


def _new(algorithm: str) -> "hashlib._Hash":
    return hashlib.new(algorithm, usedforsecurity=False)


def matches(path: Path, entry: Entry) -> bool:
    """Tell whether a file's content is what the entry says."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: _new(entry.algorithm)).hexdigest() == entry.digest


def compare(root: Path, manifests: Iterable[Path]) -> Comparison:
    """Hold every regular file under `root` against manifests, whose names are relative to their own folder.

    The sidecar of one file may name it by the path it had elsewhere: it speaks of the one beside it.

    Raises:
        ManifestError: If a manifest is no proof.
    """
    files = regular_files(root)
    inside = root.resolve()
    wrong: list[str] = []
    missing: list[str] = []
    listed: set[str] = set()
    proofs: set[str] = set()
    algorithms: set[str] = set()
    for manifest in manifests:
        proofs.add(str(manifest.relative_to(root)))
        own = "" if is_list(manifest.name) else _own_file(manifest.name)
        for entry in read(manifest):
            name = PurePosixPath(entry.name)
            if name.name == own:
                name = PurePosixPath(own)
            if name.is_absolute() or ".." in name.parts:
                raise ManifestError(f"{manifest.name} lists {entry.name}, outside of its folder")
            path = manifest.parent / name
            relative = str(path.relative_to(root))
            listed.add(relative)
            algorithms.add(entry.algorithm)
            # A restored symbolic link may lead to a live file outside, which would prove nothing.
            if not path.is_file() or not path.resolve().is_relative_to(inside):
                missing.append(relative)
            elif not matches(path, entry):
                wrong.append(relative)
    extra = sorted(files - listed - proofs)
    return Comparison(
        len(listed) - len({*missing, *wrong}),
        sorted({*wrong}),
        sorted({*missing}),
        extra,
        frozenset(algorithms),
    )


def regular_files(root: Path) -> set[str]:
    """Return the names of all regular files under a folder, relative to it. Follows no link."""
    found = set()
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                found.add(str(path.relative_to(root)))
    return found
