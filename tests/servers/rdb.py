"""Makes RDB files with real Redis servers."""

import struct
import time
from pathlib import Path

from tests.servers.backups import HOUR
from tests.servers.redis_server import redis_server

_POLYNOMIAL = 0x95AC9329AC4BC9B5  # CRC-64 of Jones, reflected


def rdb(target: Path, *commands: tuple[object, ...], keys: int = 200, checksum: bool = True) -> Path:
    """Write the file of a server that holds so many keys, and what these commands put there."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.parent.parent / f"live-{target.name}"
    options = ["--dbfilename", target.name, "--rdbchecksum", "yes" if checksum else "no", "--databases", "64"]
    with redis_server(folder, *options) as server, server.client() as client:
        for number in range(keys):
            client.set(f"key:{number}", f"value {number} " * 5)
        for command in (*commands, ("SAVE",)):
            client.execute_command(*command)  # type: ignore[no-untyped-call]  # it has no types
    return (folder / target.name).rename(target)


def backdate(path: Path, hours: float) -> None:
    """Let a file say that it was saved some hours ago, and be in order."""
    content = bytearray(path.read_bytes())
    # The time is a text, written as a number of 32 bits.
    start = content.index(b"ctime") + len("ctime\xc2")
    content[start : start + 4] = struct.pack("<i", int(time.time() - hours * HOUR))
    path.write_bytes(content[:-8] + _crc64(bytes(content[:-8])).to_bytes(8, "little"))


def _crc64(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_POLYNOMIAL if crc & 1 else 0)
    return crc
