"""Reads a backup that is one file, compressed or not, with what can go wrong told apart."""

import contextlib
import errno
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from probes.figures import size
from probes.outcome import CannotTell, Reason
from probes.restore import compression, scratch
from probes.restore.drill import DamagedError

_CHUNK = 2**18


@contextlib.contextmanager
def reading(path: Path, most: int) -> Iterator[Callable[[int], bytes]]:
    """Give a function that reads up to so many bytes of a backup, decompressed, and none at its end.

    That function raises:
        DamagedError: If the compression shows damage.
        CannotTell: If there is more than `most` bytes of it.
    """
    with compression.decompressed(path) as stream:

        def read(length: int) -> bytes:
            try:
                return stream.read(length)
            except EOFError as error:
                raise DamagedError("it ends too early") from error
            except (OSError, zlib.error, lzma.LZMAError) as error:
                raise DamagedError(str(error)) from error

        yield limited(read, path.name, most)


def limited(read: Callable[[int], bytes], name: str, most: int) -> Callable[[int], bytes]:
    """Return a function that reads as the given one does, but no more than so many bytes of a backup."""
    left = most

    def read_on(length: int) -> bytes:
        nonlocal left
        data = read(length)
        left -= len(data)
        if left < 0:
            raise CannotTell(
                Reason.LIMIT,
                f"{name} unpacks to more than {size(most)}, which is max_bytes.",
                "If that is right, raise max_bytes.",
            )
        return data

    return read_on


def copy(source: Path, target: Path, most: int) -> None:
    """Write a backup, decompressed, to a new file on the scratch disk. Raises as `reading` does.

    Raises:
        CannotTell: If the disk has no room for it.
    """
    room = scratch.room(target.parent, source.stat().st_size)
    full = CannotTell(
        Reason.LIMIT,
        f"The scratch disk has no room for {source.name}.",
        "Set scratch to a folder with more space.",
    )
    with reading(source, most) as read, target.open("xb") as file:
        while data := read(_CHUNK):
            room -= len(data)
            if room < 0:
                raise full
            try:
                file.write(data)
                file.flush()
            except OSError as error:
                if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
                    raise full from error
                raise
