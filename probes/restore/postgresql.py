"""The drill of PostgreSQL dumps, custom (`pg_dump -Fc`) and plain: into a scratch database of a server.

pg_restore turns a custom dump into SQL, and that or a plain dump is sent to the server statement by
statement, so that no psql and no shell reads it. It runs with the rights of the role in `server`: give one
that may create databases and nothing else, as what a dump says could reach all that the role may reach.
"""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, NamedTuple

from probes.outcome import CannotTell, Check, Reason, Verdict
from probes.restore import compression, evidence, libpq, scratch_database, unpacking
from probes.restore.drill import (
    Backup,
    DamagedError,
    Findings,
    check_unchanged,
    note_age,
    note_restore,
    open_backup,
    verify,
)
from probes.restore.libpq import Connection, ServerError
from probes.restore.parameters import RestoreParameters
from probes.restore.picking import counted
from probes.restore.scratch_database import obstacle
from probes.restore.sqlscript import MetaCommandError, Script

_HEAD = 4096
_LINE = 200
_CUSTOM = (b"PGDMP", b"toc.dat\0")
"""How the formats begin that pg_restore reads: custom, and tar with its first name."""

_OTHERS = ((b"-- MySQL dump", "MySQL"), (b"-- MariaDB dump", "MariaDB"), (b"PRAGMA foreign_keys", "SQLite"))
_ARCHIVE_OPTIONS = (
    *("--exit-on-error", "--no-owner", "--no-privileges", "--no-comments", "--no-security-labels"),
    *("--no-publications", "--no-subscriptions", "--no-tablespaces"),
)
# The same for a plain dump. Roles and tablespaces of the old server need not be on this one, and a
# subscription would keep the scratch database from being dropped.
_LEFT_OUT = re.compile(
    rb"(?:ALTER\s.*\sOWNER\s+TO\s+(?:\"[^\"]+\"|[\w$\x80-\xff]+);|(?:GRANT|REVOKE|SECURITY\s+LABEL|COMMENT\s+ON"
    rb"|ALTER\s+DEFAULT\s+PRIVILEGES|(?:CREATE|ALTER)\s+(?:PUBLICATION|SUBSCRIPTION)|SET\s+SESSION\s+AUTHORIZATION"
    rb"|SET\s+(?:SESSION\s+|LOCAL\s+)?(?:ROLE|default_tablespace))\b.*|;)",
    re.IGNORECASE | re.DOTALL,
)
_WHOLE_SERVER = re.compile(
    rb"(?:(?:CREATE|ALTER|DROP)\s+(?:DATABASE|ROLE|GROUP|TABLESPACE|USER(?!\s+MAPPING))|ALTER\s+SYSTEM)\b",
    re.IGNORECASE,
)
# A program or a file stands in quotes, and in them anything may stand.
_FILES = re.compile(rb"COPY\b(?!(?:\"[^\"]*\"|[^\"'$])*\sFROM\s+stdin\b)", re.IGNORECASE)
_TABLE = rb"(?:\"[^\"]*\"|[^\s\"])+\s+"
# pg_dump --clean drops what an empty database does not have. pg_dump and pg_restore since 17 set what servers
# before 17 do not know.
_NEEDLESS = re.compile(
    rb"DROP\s|ALTER\s+(?:TABLE|DOMAIN)\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?"
    + _TABLE
    + rb"(?:ALTER\s+COLUMN\s+"
    + _TABLE
    + rb")?(?:DROP|DETACH)\s|SET\s+transaction_timeout\s",
    re.IGNORECASE,
)
_NOT_THERE = {"3F000", "42704", "42883", "42P01"}
_FOR_ROLES = re.compile(rb"CREATE\s+(?:POLICY|USER\s+MAPPING)\b", re.IGNORECASE)
_VERSION = re.compile(r"Dumped (?:from database|by pg_dump) version (\d+)")
_CREATED = re.compile(r"Archive created at (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)")
_UNREADABLE = re.compile(r"unsupported version|compression (?:is )?not supported|not built with|this build")

_TABLES = (
    b"SELECT format('%I.%I', nspname, relname), relforcerowsecurity "
    b"FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
    b"WHERE relkind = 'r' AND nspname !~ '^pg_' AND nspname <> 'information_schema' "
    # Of an extension is what CREATE EXTENSION makes, dump or no dump.
    b"AND NOT EXISTS (SELECT FROM pg_depend "
    b"WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')"
)


class _Source(NamedTuple):
    """A dump that is ready to be read.

    Attributes:
        path: Where it is.
        archive: Whether pg_restore has to read it.
        summed: Whether the backup is compressed as a whole, with a sum of all that is in it.
        encoding: Of the scratch database.
        created: When it was made, in seconds since the epoch, if it says so.
    """

    path: Path
    archive: bool
    summed: bool
    encoding: str
    created: float | None


class _RefusedError(Exception):
    """The dump holds something that is not run."""


def drill(params: RestoreParameters, target: Path, found: Findings) -> str:
    """Restore the newest dump. See `probes.restore.drill`."""
    backup = open_backup(params, found)
    if backup is None:
        return ""
    if not params.server:
        raise CannotTell(
            Reason.CONFIG,
            "Not configured: server is not set.",
            "Set server to a PostgreSQL server with a role that may create databases, never the live one: "
            'server = "host=HOST user=ROLE dbname=postgres", the password in PGPASSWORD.',
        )
    name, content, what = backup.path.name, backup.before.st_mtime, "The dump's file"
    try:
        source = _prepare(backup, target, params.max_bytes)
        if params.age_from == "content" and source.created is not None:
            # It has no time zone, so it may seem to be later than it was; but never than its file.
            content, what = min(source.created, content), "The dump"
        _restore(params, source, target, backup, found)
    except _RefusedError as error:
        hint = "Find out who made this dump and what with; pg_dump writes no such thing."
        found.checks.append(evidence.not_restored(f"{name} is not safe to restore: {error}.", hint))
    except DamagedError as error:
        check_unchanged(backup.path, backup.before)
        hint = "Make a new backup, and look at how this one came to be so: disk, transfer, backup job."
        found.checks.append(evidence.not_restored(f"{name} cannot be restored: {error}.", hint))
    note_age(params, content, what, found)
    return name


def _restore(
    params: RestoreParameters, source: _Source, target: Path, backup: Backup, found: Findings
) -> None:
    keywords = libpq.parse(params.server)
    started = time.monotonic()
    with scratch_database.database(keywords, source.encoding, found.checks) as database:
        here = {**keywords, "dbname": database, "application_name": "gonogo"}
        signed = _load(params, source, here)
        check_unchanged(backup.path, backup.before)
        took = time.monotonic() - started
        tables, rows, variables = _count(here)
        found.checks.append(_restored(backup.path.name, tables, rows))
        note_restore(params, took, found, restored_tables=tables, restored_rows=rows)
        if rows:
            # pg_dump signs the end of a plain dump.
            if not backup.vouched and not (source.summed and signed):
                found.checks.append(evidence.nothing_to_compare(backup.path.name))
            verify(params.command, target, found.checks, variables)


def _restored(name: str, tables: int, rows: int) -> Check:
    message, hint = f"{counted(tables, 'table')} with {counted(rows, 'row')} restored.", ""
    if not tables:
        message = f"{name} restores to a database without a table."
        hint = "Look at which database the backup job dumps: pg_dump --dbname."
    elif not rows:
        message = f"{name} restores to {counted(tables, 'table')} without a row."
        hint = "Look at the options of the backup job: --schema-only leaves all data out."
    return Check(
        name="restore",
        verdict=Verdict.PASS if rows else Verdict.FAIL,
        observed=rows,
        limit=1,
        message=message,
        hint=hint,
    )


def _prepare(backup: Backup, target: Path, most: int) -> _Source:
    """Find out what kind of dump it is, and make it a file that pg_restore can read if it is one for that."""
    path = backup.path
    with unpacking.reading(path, most) as read:
        head = read(_HEAD)
        if program := next((name for sign, name in _OTHERS if sign in head), None):
            raise CannotTell(
                Reason.PROTOCOL,
                f"{path.name} is a dump of {program}, not of PostgreSQL.",
                "Set source or pattern to the dumps of PostgreSQL.",
            )
        with path.open("rb") as file:
            compressed = file.read(len(head)) != head
        summed = compressed and compression.has_sum(path)
        encoding = "SQL_ASCII" if b"client_encoding = 'SQL_ASCII'" in head else "UTF8"
        if not head.startswith(_CUSTOM):
            if b"\0" in head:
                raise DamagedError("it begins neither as a custom nor as a plain dump does")
            return _Source(path, False, summed, encoding, None)
        if compressed:
            path = target / "dump"
            unpacking.copy(backup.path, path, most)
    listing = _list(path)
    created = None
    if match := _CREATED.search(listing):
        # Of the clock on the wall where it was made, which is taken to be that of here.
        created = datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").astimezone().timestamp()
    return _Source(path, True, summed, encoding, created)


def _pg_restore() -> str:
    program = shutil.which("pg_restore")
    if program is None:
        raise CannotTell(
            Reason.MISSING,
            "pg_restore is not installed here.",
            "Install it: apt install postgresql-client. The drill reads custom dumps with it.",
        )
    return program


def _list(path: Path) -> str:
    done = subprocess.run(
        [_pg_restore(), "--list", path],
        env={**os.environ, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise _unreadable(done.stderr, done.returncode)
    return done.stdout


def _unreadable(said: str, code: int) -> Exception:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    line = next((line for line in lines if "error:" in line), f"exit code {code}")
    shown = line.removeprefix("pg_restore: ").removeprefix("error: ")[:_LINE].rstrip(". ")
    if code < 0:
        return CannotTell(
            Reason.LIMIT,
            f"pg_restore was ended by signal {-code}.",
            "Look at the memory of this machine (dmesg), and run again.",
        )
    if _UNREADABLE.search(line):
        return CannotTell(
            Reason.MISSING,
            f"pg_restore cannot read this dump: {shown}.",
            "Install the client programs of the PostgreSQL version that made the dump.",
        )
    return DamagedError(f"pg_restore: {shown}")


def _count(keywords: Mapping[str, str]) -> tuple[int, int, dict[str, str | None]]:
    """Return the number of tables in a database and of the rows in all of them, and how to connect to it."""
    connection = Connection(keywords)
    try:
        tables = connection.run(_TABLES)
        rows = sum(_rows(connection, name.encode(), forced == "t") for name, forced in tables)
        return len(tables), rows, connection.variables
    except ServerError as error:
        raise obstacle(error) or DamagedError(f"its tables cannot be read: {error.message}") from error
    finally:
        connection.close()


def _rows(connection: Connection, table: bytes, forced: bool) -> int:
    if forced:
        # Policies that hold for the owner too would hide rows. The command is to find them as they were.
        connection.run(b"BEGIN")
        connection.run(b"ALTER TABLE " + table + b" NO FORCE ROW LEVEL SECURITY")
    ((count,),) = connection.run(b"SELECT count(*) FROM ONLY " + table)
    if forced:
        connection.run(b"ROLLBACK")
    return int(count)


def _load(params: RestoreParameters, source: _Source, keywords: Mapping[str, str]) -> bool:
    """Send a dump to the scratch database, until the first error.

    Not in one transaction: the database is dropped anyway, and one with many tables would need more locks
    than a server has by default.

    Returns:
        Whether pg_dump signed its end.
    """
    connection = Connection(keywords)
    try:
        reading = _converted if source.archive else unpacking.reading
        with reading(source.path, params.max_bytes) as read:
            script = Script(read)
            try:
                return _send(script, connection)
            except ServerError as error:
                raise _explained(error, script, connection.version // 10000) from error
            except MetaCommandError as error:
                if str(error) in {"\\connect", "\\c"}:
                    raise _of_whole_server(source.path.name) from error
                raise _RefusedError(f"line {script.line} tells psql to run the command {error}") from error
    finally:
        connection.close()


def _send(script: Script, connection: Connection) -> bool:
    for statement in script.statements():
        if "PostgreSQL database cluster dump" in script.notes or _WHOLE_SERVER.match(statement):
            raise _of_whole_server("The dump")
        if _FILES.match(statement):
            raise _RefusedError(f"line {script.line} copies from or to somewhere outside of it")
        if _LEFT_OUT.fullmatch(statement):
            continue
        try:
            connection.run(statement, script.data())
        except ServerError as error:
            if error.code in _NOT_THERE and _NEEDLESS.match(statement):
                continue
            raise _lacking(error, statement) or error from error
    signed = script.notes.count("PostgreSQL database dump complete")
    # A file may be several dumps, one behind the other.
    if script.notes.count("PostgreSQL database dump") > signed:
        raise DamagedError("it ends before the line that pg_dump writes last")
    return signed > 0


def _lacking(error: ServerError, statement: bytes) -> CannotTell | None:
    """Return what the scratch server lacks for a statement, if it is that."""
    said = f"The scratch server lacks what the dump needs: {error.message}."
    if re.match(rb"CREATE\s+EXTENSION\b", statement, re.IGNORECASE):
        if error.code[:2] in {"0A", "58"}:
            return CannotTell(Reason.MISSING, said, "Install that extension on the scratch server.")
        if error.code == "42501":
            return CannotTell(
                Reason.FORBIDDEN,
                f"The scratch server says: {error.message}.",
                "Write trusted = true into the .control file of that extension on the scratch server.",
            )
    if error.code == "42704" and _FOR_ROLES.match(statement):
        return CannotTell(
            Reason.MISSING,
            said,
            "Make that role on the scratch server; it needs no rights: CREATE ROLE … NOLOGIN.",
        )
    return None


def _explained(error: ServerError, script: Script, here: int) -> Exception:
    if known := obstacle(error):
        return known
    version = max((int(major) for major in _VERSION.findall("\n".join(script.notes))), default=0)
    if version > here:
        return CannotTell(
            Reason.CONFIG,
            f"The dump is of PostgreSQL {version}, the scratch server is {here} "
            f"and does not take it: {error.message}.",
            f"Name a server of version {version} or later in server.",
        )
    return DamagedError(f"at line {script.line} the server says: {error.message[:_LINE]}")


def _of_whole_server(name: str) -> CannotTell:
    return CannotTell(
        Reason.CONFIG,
        f"{name} is of a whole server (pg_dumpall) or creates its database itself (pg_dump --create), "
        "so it would leave the scratch database.",
        "Dump each database by itself and without --create: pg_dump --format=custom DATABASE.",
    )


@contextlib.contextmanager
def _converted(path: Path, most: int) -> Iterator[Callable[[int], bytes]]:
    """Read a custom dump as SQL. What pg_restore stumbles over becomes `DamagedError`."""
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            [_pg_restore(), *_ARCHIVE_OPTIONS, "--file=-", path],
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as process,
    ):
        output: IO[bytes] | None = process.stdout
        assert output is not None  # noqa: S101  # a pipe was asked for

        def read(length: int) -> bytes:
            data = output.read(length)
            # The end of its output is an end of the dump only if it says so.
            if len(data) < length and process.wait():
                said.seek(0)
                raise _unreadable(said.read().decode(errors="replace"), process.returncode)
            return data

        try:
            yield unpacking.limited(read, path.name, most)
        finally:
            process.kill()
