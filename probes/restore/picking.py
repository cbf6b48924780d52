"""Picks the newest backup of a folder, and says what else lies there."""

import contextlib
import fnmatch
import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from probes.outcome import CannotTell, Reason
from probes.restore import manifest
from probes.restore.parameters import Kind, RestoreParameters

KINDS: dict[Kind, tuple[str, ...]] = {
    "tar": (
        *("*.tar", "*.tar.gz", "*.tgz", "*.tar.bz2", "*.tbz2", "*.tbz", "*.tar.xz", "*.txz"),
        *("*.tar.zst", "*.tzst"),
    ),
    "postgresql": (
        *("*.dump", "*.pgdump", "*.sql", "*.sql.gz", "*.sql.bz2", "*.sql.xz", "*.sql.zst"),
        *("*.dump.gz", "*.dump.zst"),
    ),
    "redis": ("*.rdb", "*.rdb.gz", "*.rdb.zst"),
}
"""The usual endings of the kinds that are files."""

_ENCRYPTED = ("*.gpg", "*.pgp", "*.asc", "*.age", "*.enc")
_NOT_READ = (
    *("*.zip", "*.7z", "*.rar", "*.cpio", "*.cpio.gz", "*.lz4", "*.lzo", "*.lz", "*.Z", "*.aof", "*.bak"),
    *("*.sqlite", "*.sqlite3", "*.db", "*.archive", "*.xbstream", "*.img", "*.img.gz", "*.iso", "*.qcow2"),
)
"""Endings of backups that no drill reads."""

_SHOWN = 3


class Pick(NamedTuple):
    """The file to drill.

    Attributes:
        newest: The newest backup.
        previous: The one before it in the same series, or None.
        others: The newest of each other series in the folder.
    """

    newest: Path
    previous: Path | None
    others: list[str]


class NothingError(Exception):
    """The folder holds no backup. The text says what it holds, as a sentence."""


def pick(params: RestoreParameters) -> Pick:
    """Pick the newest backup of `source`, which may be that file itself.

    Raises:
        NothingError: If the folder holds none.
        CannotTell: If `source` is not there or must not be read, or holds backups that are not drilled.
    """
    source = Path(params.source).expanduser().absolute()
    patterns = [pattern for pattern in params.pattern if pattern]
    usual = [ending for endings in KINDS.values() for ending in endings]
    wanted: Sequence[str] = patterns or (usual if params.kind == "auto" else KINDS.get(params.kind, ()))
    try:
        mode = source.stat().st_mode
        if stat.S_ISREG(mode):
            return Pick(source, None, [])
        if not stat.S_ISDIR(mode):
            raise CannotTell(
                Reason.CONFIG,
                f"{params.source} is neither file nor folder.",
                "Set source to the folder of the backups.",
            )
        with os.scandir(source) as entries:
            names = sorted(entry.name for entry in entries)
        # Of a folder that is closed to us, as lost+found, nothing is known.
        folders = [name for name in ["", *names] if os.path.isfile(source / name / "toc.dat")]  # noqa: PTH113  # Path.is_file raises
        times = _times(source, names, wanted)
        # Who sets a pattern knows of the others.
        all_times = times if patterns else _times(source, names, (*usual, *_ENCRYPTED, *_NOT_READ))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CannotTell(
            Reason.MISSING, f"There is no {params.source}.", "Correct source or mount the disk."
        ) from error
    except PermissionError as error:
        raise CannotTell(
            Reason.FORBIDDEN, f"Not permitted to read {params.source}.", "Run as a user who may restore."
        ) from error
    if not times:
        if folders:
            raise CannotTell(
                Reason.CONFIG,
                f"{folders[0] or params.source} is a dump in the directory format (pg_dump -Fd), "
                "which is not drilled.",
                "Dump to one file: pg_dump --format=custom DATABASE.",
            )
        if not patterns:
            _look_for_unread(params.source, names)
        raise NothingError(_what_lies_there(params.source, names, patterns))
    ordered = sorted(times, key=lambda path: (times[path], path.name))
    newest = ordered[-1]
    same = [path for path in ordered[:-1] if series(path.name) == series(newest.name)]
    latest = {series(path.name): path.name for path in sorted(all_times, key=lambda path: all_times[path])}
    others = [name for key, name in sorted(latest.items()) if key != series(newest.name)]
    return Pick(
        newest, same[-1] if same else None, others + ([] if patterns else list(filter(None, folders)))
    )


def series(name: str) -> str:
    """Return what the names of one series of backups have in common: all but the digits."""
    return re.sub(r"\d+", "#", name)


def counted(number: int, word: str) -> str:
    """Return a number of things in words, given the word for one: "1 file", "2,000 files"."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def listed(names: list[str]) -> str:
    """Return some names as a list, the first few and how many more."""
    shown, more = names[:_SHOWN], len(names) - _SHOWN
    if more > 0:
        return f"{', '.join(shown)} and {more} other{'' if more == 1 else 's'}"
    return ", ".join(shown)


def _times(source: Path, names: list[str], patterns: Sequence[str]) -> dict[Path, float]:
    """Return the regular files of these names with their modification times."""
    # A link such as latest.tar.gz names the same backup once more. A wide pattern takes in the manifests.
    backups = {
        (source / name).resolve()
        for name in names
        if _named(name, patterns) and not manifest.is_manifest(name)
    }
    times = {}
    for path in backups:
        # A rotation may take one away just now.
        with contextlib.suppress(FileNotFoundError):
            info = path.stat()
            if stat.S_ISREG(info.st_mode):
                times[path] = info.st_mtime
    return times


def _named(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _look_for_unread(source: str, names: list[str]) -> None:
    """Name backups that no drill reads.

    Raises:
        CannotTell: If there are some.
    """
    for patterns, how in (
        (_ENCRYPTED, "Decrypt the newest where the drill can read it, and set source to that."),
        (
            _NOT_READ,
            "Make the backup as tar, restic, borg, pg_dump or RDB, as with tar -czf BACKUP.tgz FOLDER.",
        ),
    ):
        if found := [name for name in names if _named(name, patterns)]:
            raise CannotTell(Reason.CONFIG, f"{source} holds {listed(found)}, which is not drilled.", how)


def _what_lies_there(source: str, names: list[str], patterns: list[str]) -> str:
    if not names:
        return f"{source} holds no backup: it is empty."
    wanted = f" named {' or '.join(patterns)}" if patterns else ""
    return f"{source} holds no backup{wanted}, only {listed(names)}."
