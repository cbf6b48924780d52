"""Finds out what kind of backup a source holds, by its content."""

import fnmatch
import lzma
import zlib
from pathlib import Path

from probes.restore import borg, compression, restic
from probes.restore.drill import DamagedError
from probes.restore.parameters import Kind, RestoreParameters
from probes.restore.picking import KINDS, NothingError, pick

_HEAD = 4096


def kind_of(params: RestoreParameters) -> Kind:
    """Return the kind of the source: what was said, or what a look into it shows.

    Damage may have hit just the mark that a kind is known by; then the name decides.

    Raises:
        CannotTell: If the source is not there or must not be read.
    """
    if params.kind != "auto":
        return params.kind
    if restic.looks_like_one(params.source):
        return "restic"
    if borg.looks_like_one(params.source):
        return "borg"
    try:
        picked = pick(params)
    except NothingError:
        return "tar"
    head = _head(picked.newest)
    # pg_dump's tar format begins with its table of contents, a custom dump without data.
    in_a_tar = head.startswith(b"toc.dat\0") and head[512:517] == b"PGDMP"
    if head.startswith(b"PGDMP") or in_a_tar or b"-- PostgreSQL database" in head:
        return "postgresql"
    if head.startswith(b"REDIS0"):
        return "redis"
    # A tar archive has its mark behind the first name; nothing else is taken for one against its name.
    if head[257:262] == b"ustar":
        return "tar"
    named: tuple[Kind, ...] = ("postgresql", "redis")
    for kind in named:
        if any(fnmatch.fnmatchcase(picked.newest.name, pattern) for pattern in KINDS[kind]):
            return kind
    return "tar"


def _head(path: Path) -> bytes:
    try:
        with compression.decompressed(path) as file:
            return file.read(_HEAD)
    except (DamagedError, EOFError, OSError, zlib.error, lzma.LZMAError):
        return b""
