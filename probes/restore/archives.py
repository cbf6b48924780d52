"""Restores tar archives, for real and safely: whatever one holds, nothing is written outside the target.

The checks are made here and not by tarfile's data filter, which Python has only since 3.11.4.
"""

import copy
import errno
import io
import lzma
import os
import stat
import tarfile
import time
import zlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple, cast

from probes.figures import CLOCK_TOLERANCE, size
from probes.outcome import CannotTell, Reason
from probes.restore.compression import decompressed
from probes.restore.drill import DamagedError

_BLOCK = 512
_CHUNK = 2**18
# File data is copied in chunks of `_CHUNK`; only a header that is itself a bomb asks for more at once.
_MAX_READ = 2**20

# GNU tar's own types of entries: the name of the archive, and the list of a folder.
_LABEL, _DUMPDIR = b"V", b"D"

# As many as Linux follows; a path with more of them leads nowhere.
_MAX_LINKS = 40


class RefusedError(Exception):
    """The archive holds something that must not be restored.

    Attributes:
        hint: What to do next.
    """

    def __init__(self, message: str, hint: str = "Find out who made it; trust nothing in it.") -> None:
        super().__init__(message)
        self.hint = hint


class Limits(NamedTuple):
    """What a restore may take up.

    Attributes:
        bytes: Size of all files together; also of the decompressed archive beyond them.
        files: Number of entries.
        room: Bytes that may be written before the disk counts as full.
    """

    bytes: int
    files: int
    room: int


class Restored(NamedTuple):
    """What came out of an archive.

    Attributes:
        files: Number of regular files.
        bytes: Their size.
        newest: Modification time of the newest entry, those of the future left aside; None if all are.
        skipped: Number of links that lead outside and were left out.
    """

    files: int
    bytes: int
    newest: float | None
    skipped: int


class _Forward:
    """A stream that tarfile can only read onwards, so that nothing is decompressed twice.

    It remembers the last block read: tarfile takes an unreadable header for the end of the archive, and only
    that block tells the two apart.
    """

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        self._position = 0
        self.last = b""

    def read(self, size: int) -> bytes:
        if size > _MAX_READ:
            raise RefusedError(f"it has a header of {size} bytes")
        self.last = self._file.read(size)
        self._position += len(self.last)
        return self.last

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if position < self._position:
            raise DamagedError("it refers back to an earlier part of itself")
        while gap := position - self._position:
            if not self.read(min(gap, _CHUNK)):
                raise DamagedError("it ends too early")


def restore(archive: Path, target: Path, limits: Limits, *, skip_outside_links: bool = False) -> Restored:
    """Restore an archive into an empty folder and read it to its very end, with the sums of the compression.

    Symbolic links are made last: while files are being written there is none, so none can lead them outside.

    Raises:
        RefusedError: If it holds an entry that is unsafe to restore. Nothing is written outside the target.
        DamagedError: If it is truncated, corrupted or no tar archive.
        CannotTell: If a limit ended the restore, or the compression cannot be read here.
    """
    try:
        with decompressed(archive) as file:
            return _extract(_Forward(file), target, limits, skip_outside_links=skip_outside_links)
    except EOFError as error:
        raise DamagedError("it ends too early") from error
    except (tarfile.TarError, zlib.error, lzma.LZMAError, RecursionError, ValueError, OverflowError) as error:
        raise DamagedError(str(error) or type(error).__name__) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            raise CannotTell(
                Reason.LIMIT,
                "The disk of the scratch folder has no space or no inode left.",
                "Set scratch to a folder with more of both: df -h, df -i.",
            ) from error
        # The decompressors report damage as an OSError without a number.
        raise DamagedError(error.strerror or str(error)) from error


def _extract(stream: _Forward, target: Path, limits: Limits, *, skip_outside_links: bool) -> Restored:
    # The path is resolved, so that any link found below it comes from the archive.
    target = target.resolve()
    latest = time.time() + CLOCK_TOLERANCE
    entries = files = total = 0
    newest: float | None = None
    links: dict[str, tarfile.TarInfo] = {}
    with tarfile.open(fileobj=cast("io.BufferedIOBase", stream), mode="r:") as tar:
        # Versions that have filters warn or filter once more when told nothing.
        tar.extraction_filter = lambda member, _: member
        while (member := tar.next()) is not None:
            # tarfile keeps every entry; of a million that would be a gigabyte.
            tar.members.clear()  # type: ignore[attr-defined]  # public, but not in the stubs
            if member.type == _LABEL:
                continue
            if member.type == _DUMPDIR:
                raise CannotTell(
                    Reason.CONFIG,
                    "The backup is an incremental archive (tar --listed-incremental), which is not drilled.",
                    "Drill one that is whole, made without --listed-incremental; set pattern to its name.",
                )
            _check_name(member.name)
            entries += 1
            if member.isfile():
                files += 1
                total += member.size
            _check_limits(entries, total, limits)
            if member.mtime <= latest:
                newest = max(member.mtime, newest or 0.0)
            _place(tar, member, target, links)
        _check_end(stream, limits)
        skipped = _make_links(tar, links, target, skip_outside_links=skip_outside_links)
    return Restored(files, total, newest, skipped)


def _place(
    tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, links: dict[str, tarfile.TarInfo]
) -> None:
    """Extract one entry, but lay symbolic links aside."""
    original = links.get(_plain(member.linkname)) if member.islnk() else None
    if original is not None:
        # A hard link to a symbolic link is the same symbolic link once more.
        original = copy.copy(original)
        original.name = member.name
        member = original
    if member.issym():
        links[_plain(member.name)] = member
        return
    if member.islnk():
        if _leads_outside("", member.linkname, {}):
            raise RefusedError(f"it holds a link that leads outside, {member.name} -> {member.linkname}")
        if not os.path.lexists(target / member.linkname):
            raise DamagedError(f"{member.name} is a link to {member.linkname}, which it does not hold")
    elif not member.isfile() and not member.isdir():
        raise RefusedError(f"it holds a device or pipe, {member.name}", "Leave it out of the backup.")
    tar.extract(_tamed(member), target)


def _tamed(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Return an entry as ours: nobody else may write to it, and no special bit has a meaning."""
    tamed = copy.copy(member)
    tamed.uid, tamed.gid, tamed.uname, tamed.gname = os.geteuid(), os.getegid(), "", ""
    if member.isdir():
        tamed.mode = 0o755
    else:
        runnable = 0o111 if member.mode & stat.S_IXUSR else 0
        tamed.mode = member.mode & (0o644 | runnable) | 0o600
    return tamed


def _make_links(
    tar: tarfile.TarFile, links: dict[str, tarfile.TarInfo], target: Path, *, skip_outside_links: bool
) -> int:
    skipped = 0
    for link in links.values():
        # Asked of all links together: one that is harmless now may lead outside by another made later.
        if _leads_outside(str(PurePosixPath(link.name).parent), link.linkname, links):
            if not skip_outside_links:
                raise RefusedError(
                    f"it holds a link that leads outside, {link.name} -> {link.linkname}",
                    'If that is meant, set outside_links = "skip".',
                )
            skipped += 1
            continue
        folder = str((target / link.name).parent)
        if os.path.realpath(folder) != folder:
            raise RefusedError(f"it holds a path that leads through a link, {link.name}")
        tar.extract(_tamed(link), target)
    return skipped


def _leads_outside(folder: str, path: str, links: dict[str, tarfile.TarInfo]) -> bool:
    """Tell whether a path, seen from a folder of the archive, leaves the archive at any step.

    The links of the archive are followed by their names alone, because what is on the disk is not complete
    yet and because no resolver of the system copes with a path longer than it allows.
    """
    here = list(PurePosixPath(folder).parts)
    ahead = [path]
    followed = 0
    while ahead:
        path = ahead.pop()
        if path.startswith("/"):
            return True
        step, _, rest = path.partition("/")
        if rest := rest.lstrip("/"):
            ahead.append(rest)
        if step == "..":
            if not here:
                return True
            here.pop()
        elif step not in {"", "."}:
            here.append(step)
            link = links.get("/".join(here))
            if link is not None:
                followed += 1
                if followed > _MAX_LINKS:
                    return False
                here.pop()
                ahead.append(link.linkname)
    return False


def _plain(name: str) -> str:
    return str(PurePosixPath(name))


def _check_name(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute():
        raise RefusedError(
            f"it holds an absolute path, {name}", "Write it with relative paths: tar -C FOLDER -cf ARCHIVE ."
        )
    if ".." in path.parts:
        raise RefusedError(f"it holds a path that leads outside, {name}")


def _check_limits(entries: int, total: int, limits: Limits) -> None:
    if entries > limits.files:
        raise CannotTell(
            Reason.LIMIT,
            f"The backup holds more than {limits.files} entries.",
            "If that is right, raise max_files.",
        )
    if total > limits.bytes:
        raise CannotTell(
            Reason.LIMIT,
            f"The backup holds more than {size(limits.bytes)}.",
            "If that is right, raise max_bytes.",
        )
    if total > limits.room:
        raise CannotTell(
            Reason.LIMIT,
            f"The backup holds more than the {size(limits.room)} that may be filled here.",
            "Set scratch to a folder with more space.",
        )


def _check_end(stream: _Forward, limits: Limits) -> None:
    if stream.last != bytes(_BLOCK):
        where = stream.tell() - len(stream.last)
        if len(stream.last) < _BLOCK:
            raise DamagedError(f"it ends at byte {where} without an end mark")
        raise DamagedError(f"the header at byte {where} is unreadable")
    # Reading on to the end makes the decompressors check their sums. What follows, tar would not restore.
    padding = 0
    while chunk := stream.read(_CHUNK):
        padding += len(chunk)
        _check_limits(0, padding, limits._replace(room=limits.bytes))
        if chunk.count(0) != len(chunk):
            raise DamagedError("data follows its end mark")
