"""The drill of Redis RDB files: into a scratch server that listens on nothing but a socket in the folder.

The server works on a copy, so whatever it does to its file the backup stays as it is.
"""

import contextlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from probes.figures import size
from probes.outcome import CannotTell, Check, Reason, Verdict
from probes.restore import evidence, unpacking
from probes.restore.drill import (
    DamagedError,
    Findings,
    check_unchanged,
    note_age,
    note_restore,
    open_backup,
    verify,
)
from probes.restore.parameters import RestoreParameters
from probes.restore.picking import counted

_FILE, _SOCKET, _LOG = "dump.rdb", "redis.sock", "redis.log"
_LONGEST_SOCKET = 103
"""Bytes in the path of a socket that every system allows; Linux allows 107."""

_MEMORY = 0.8
"""Share of the free memory that a scratch server may take: production may run beside it."""

_LINE = 200
_AUX = re.compile(r"AUX FIELD (ctime|used-mem) = '(\d+)'")
_DATABASE = re.compile(r"Selecting DB ID (\d+)")
_EXPIRED = re.compile(r"\[info\] (\d+) already expired")
_BROKEN = re.compile(
    r"RDB ERROR DETECTED ---\n(?:\[offset \d+\] )?(.*)"
    r"|# ((?:Wrong|Short|Fatal|Internal|Bad|Unexpected|Terminating|Can't|The RDB).*)"
)
# What shows that the programs here are too old or too bare, and not that the file is damaged.
_TOO_OLD = re.compile(r"Can't handle RDB format version|no matching module|module data I can't load")
_OUT_OF_ROOM = re.compile(r"Out Of Memory|Cannot allocate memory|No space left")


class _Facts(NamedTuple):
    """What redis-check-rdb says about a file.

    Attributes:
        created: When it was saved, in seconds since the epoch, if it says so.
        memory: Bytes that the server which saved it used, 0 if it does not say.
        expired: Number of keys whose time is over, which no server loads.
        summed: Whether it has a checksum of all that is in it.
        databases: Number of databases that a server needs for it.
    """

    created: float | None
    memory: int
    expired: int
    summed: bool
    databases: int


def drill(params: RestoreParameters, target: Path, found: Findings) -> str:
    """Restore the newest RDB file. See `probes.restore.drill`."""
    backup = open_backup(params, found)
    if backup is None:
        return ""
    name, content, what = backup.path.name, backup.before.st_mtime, "The file"
    try:
        started = time.monotonic()
        unpacking.copy(backup.path, target / _FILE, params.max_bytes)
        facts = _check(target)
        if params.age_from == "content" and facts.created is not None:
            content, what = facts.created, "The content"
        check_unchanged(backup.path, backup.before)
        free = psutil.virtual_memory().available * _MEMORY
        if facts.memory > free:
            raise CannotTell(
                Reason.LIMIT,
                f"{name} needs {size(facts.memory)} of memory, and {size(free)} may be used.",
                "Run the drill on a machine with more memory.",
            )
        with _server(target, facts.databases) as databases:
            took = time.monotonic() - started
            keys = sum(databases.values())
            found.checks.append(_restored(name, databases, facts.expired))
            note_restore(params, took, found, restored_keys=keys)
            if keys:
                if not backup.vouched and not facts.summed:
                    found.checks.append(evidence.nothing_to_compare(name))
                socket = target / _SOCKET
                variables = {"REDIS_SOCKET": str(socket), "REDIS_URL": f"unix://{socket}"}
                verify(params.command, target, found.checks, variables)
    except DamagedError as error:
        check_unchanged(backup.path, backup.before)
        hint = "Make a new backup, and look at how this one came to be so: disk, transfer, backup job."
        found.checks.append(evidence.not_restored(f"{name} cannot be restored: {error}.", hint))
    note_age(params, content, what, found)
    return name


def _restored(name: str, databases: dict[str, int], expired: int) -> Check:
    keys = sum(databases.values())
    each = ", ".join(f"{database} {count}" for database, count in databases.items())
    message, hint = f"{counted(keys, 'key')} restored ({each}).", ""
    if not keys:
        message = f"{name} restores to no key at all."
        hint = "Look at which server the backup job reads: redis-cli INFO keyspace."
        if expired:
            message = f"{name} restores to no key at all: {counted(expired, 'key')} expired since."
            hint = "Save more often, or do not rely on a backup for data that expire."
    return Check(
        name="restore",
        verdict=Verdict.PASS if keys else Verdict.FAIL,
        observed=keys,
        limit=1,
        message=message,
        hint=hint,
    )


def _program(part: str) -> str:
    for family in ("redis", "valkey"):
        if program := shutil.which(f"{family}-{part}"):
            return program
    raise CannotTell(
        Reason.MISSING,
        f"redis-{part} is not installed here.",
        "Install it: apt install redis-server. The drill restores with it; it need not run as a service.",
    )


def _check(target: Path) -> _Facts:
    done = subprocess.run(
        [_program("check-rdb"), _FILE],
        cwd=target,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise _problem(done.stdout, done.returncode, "redis-check-rdb")
    fields = {name: int(value) for name, value in _AUX.findall(done.stdout)}
    expired = _EXPIRED.search(done.stdout)
    return _Facts(
        created=fields.get("ctime"),
        memory=fields.get("used-mem", 0),
        expired=int(expired[1]) if expired else 0,
        summed="Checksum OK" in done.stdout,
        databases=1 + max(map(int, _DATABASE.findall(done.stdout)), default=0),
    )


def _problem(said: str, code: int, who: str) -> Exception:
    """Return what ended a program. What it was reading is left out: that would be a key."""
    match = _BROKEN.search(said)
    shown = f"{who}: {(match[1] or match[2])[:_LINE].rstrip('. ') if match else f'exit code {code}'}"
    if _TOO_OLD.search(said):
        return CannotTell(
            Reason.MISSING,
            f"The file cannot be read by the Redis that is installed here: {shown}.",
            "Install the version of Redis that saved the file, and its modules.",
        )
    if code < 0 or _OUT_OF_ROOM.search(said):
        return CannotTell(
            Reason.LIMIT,
            f"The file could not be read to its end: {shown}.",
            "Look at the memory and the scratch disk of this machine, and run again.",
        )
    return DamagedError(shown)


@contextlib.contextmanager
def _server(target: Path, databases: int) -> Iterator[dict[str, int]]:
    """Run a server with the file in it; give the number of keys by database."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    socket = target / _SOCKET
    if len(os.fsencode(socket)) > _LONGEST_SOCKET:
        raise CannotTell(
            Reason.CONFIG,
            f"The path of the scratch folder is too long for a socket in it: {target}.",
            "Set scratch to a folder with a shorter path.",
        )
    log = target / _LOG
    options = {"port": "0", "unixsocket": _SOCKET, "unixsocketperm": "700", "dir": ".", "dbfilename": _FILE}
    # Nothing is ever saved, and nothing that is expected is evicted.
    options |= {"save": "", "appendonly": "no", "daemonize": "no", "maxmemory": "0"}
    options |= {"databases": str(databases)}
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [_program("server"), *arguments],
            cwd=target,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            with redis.Redis(
                unix_socket_path=str(socket), retry=Retry(NoBackoff(), 0), decode_responses=True
            ) as client:
                while True:
                    try:
                        client.ping()
                        break
                    except redis.RedisError:
                        # Not there yet, or still loading.
                        if process.poll() is not None:
                            said = log.read_text(errors="replace")
                            raise _problem(said, process.returncode, "redis-server") from None
                        time.sleep(0.02)
                keyspace = client.info("keyspace")
            yield {str(name): int(facts["keys"]) for name, facts in keyspace.items()}
        finally:
            process.kill()
