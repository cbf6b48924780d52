"""Reads compressed files as a stream, whatever they are compressed with."""

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO

from probes.outcome import CannotTell, Reason
from probes.restore.drill import DamagedError

_GZIP, _BZIP2, _XZ, _ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"
_SKIPPED = tuple(bytes([low]) + b"\x2a\x4d\x18" for low in range(0x50, 0x60))
"""How a zstd file may begin as well, as those of pzstd: with a frame that says nothing."""

_LINE = 200


def decompressed(path: Path) -> io.BufferedIOBase:
    """Open a file for reading, through the decompressor that its first bytes ask for; the caller closes it.

    To find all damage it has to be read to its end. Damage shows as what the decompressor raises: EOFError,
    zlib.error, lzma.LZMAError, OSError without a number, or DamagedError.

    Raises:
        CannotTell: If it must not be read, or the compression cannot be read here.
    """
    try:
        with path.open("rb") as file:
            head = file.read(6)
    except PermissionError as error:
        raise CannotTell(
            Reason.FORBIDDEN, f"Not permitted to read {path}.", "Run as a user who may restore."
        ) from error
    if head.startswith(_GZIP):
        return gzip.open(path)
    if head.startswith(_BZIP2):
        return bz2.open(path)
    if head.startswith(_XZ):
        return lzma.open(path)
    if head.startswith((_ZSTD, *_SKIPPED)):
        return _zstd(path)
    return path.open("rb")


def has_sum(path: Path) -> bool:
    """Tell whether a compressed file is known to have a sum of all that is in it: zstd and xz need not."""
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(_ZSTD):
        return bool(head[4] & 0x04)
    return head.startswith((_GZIP, _BZIP2)) or (head.startswith(_XZ) and head[7] != 0)


def _zstd(path: Path) -> "_Zstd":
    program = shutil.which("zstd")
    if program is None:
        raise CannotTell(
            Reason.MISSING,
            f"{path.name} is compressed with zstd, which is not installed here.",
            "Install it (apt install zstd): the drill decompresses with it.",
        )
    said = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the stream
    process = subprocess.Popen(
        # Windows above 128 MiB, as --long makes them, are refused by default.
        [program, "--decompress", "--stdout", "--quiet", "--no-progress", "--long=31", "--", path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=said,
    )
    return _Zstd(process, said)


class _Zstd(io.BufferedIOBase):
    """A zstd file read through the zstd program: Python has no decompressor for it before 3.14."""

    def __init__(self, process: "subprocess.Popen[bytes]", said: IO[bytes]) -> None:
        self._process = process
        self._said = said

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        output = self._process.stdout
        assert output is not None  # noqa: S101  # a pipe was asked for
        data = output.read(-1 if size is None else size)
        # The end of its output is an end of the file only if the program says so.
        if (size is None or size < 0 or len(data) < size) and self._process.wait():
            self._said.seek(0)
            said = self._said.read().decode(errors="replace").strip().rpartition(" : ")[2]
            raise DamagedError(f"zstd: {said.splitlines()[0][:_LINE].rstrip('. ') if said else 'it failed'}")
        return data

    def close(self) -> None:
        if not self.closed:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._said.close()
        super().close()
