"""The states of the restore rows of the table of truth that are dumps of databases."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.servers import backups, rdb
from tests.servers.postgresql import PostgreSQL, backdate, postgresql
from tests.servers.redis_server import closed_port
from tests.truth.table import row

Spoil = Callable[[Path], object]

# Name of the file, options of pg_dump; the end of the name says how it is compressed.
DUMPS: dict[str, tuple[str, tuple[str, ...]]] = {
    "pg custom": ("shop.dump", ("-Fc",)),
    "pg custom gz": ("shop.dump.gz", ("-Fc", "-Z0")),
    "pg in a tar": ("shop.pgdump", ("-Ft",)),
    "pg plain": ("shop.sql", ()),
    "pg plain of INSERTs": ("shop.sql", ("--inserts",)),
    "pg plain with DROPs": ("shop.sql", ("--clean", "--if-exists")),
    "pg plain with DROPs of what is not there": ("shop.sql", ("--clean",)),
    "pg plain gz": ("shop.sql.gz", ()),
    "pg plain xz": ("shop.sql.xz", ()),
    "pg plain bz2": ("shop.sql.bz2", ()),
    "pg plain zst": ("shop.sql.zst", ()),
}
THOROUGHLY = {"pg custom", "pg plain", "pg plain gz"}
PACKERS = {".gz": "gzip", ".xz": "xz", ".bz2": "bzip2", ".zst": "zstd"}


def pack(path: Path, suffix: str) -> Path:
    """Compress a file, as the suffix says."""
    subprocess.run([PACKERS[suffix], "-q", path], check=True)
    if suffix == ".zst":
        path.unlink()
    return path.with_name(path.name + suffix)


def dump(server: PostgreSQL, folder: Path, kind: str, database: str = "shop") -> Path:
    """Make a dump of one of the kinds above."""
    name, options = DUMPS[kind]
    suffix = Path(name).suffix
    if suffix not in PACKERS:
        return server.dump(folder / "backups" / name, *options, database=database)
    return pack(
        server.dump(folder / "backups" / name.removesuffix(suffix), *options, database=database), suffix
    )


def sql(folder: Path, text: str) -> Path:
    """Write a plain dump by hand."""
    path = folder / "backups" / "shop.sql"
    path.parent.mkdir()
    path.write_text(text)
    return path


@contextmanager
def without_programs(folder: Path) -> Iterator[None]:
    with patch.dict(os.environ, PATH=str(folder)):
        yield


def told(folder: Path, scratch: PostgreSQL | None, **raw: object) -> dict[str, Any]:
    return {"source": str(folder / "backups"), **({"server": scratch.url()} if scratch else {}), **raw}


# Good ones, and what nothing vouches for.


def _add_good(kind: str) -> None:
    @row("restore", f"good {kind}", "pass")
    def good(folder: Path) -> Iterator[dict[str, Any]]:
        with postgresql() as server:
            backups.vouch(dump(server, folder, kind))
            yield told(folder, server)

    if kind not in THOROUGHLY:
        return

    @row("restore", f"{kind}, one flipped byte, with a manifest", "fail archive checksum")
    def flipped(folder: Path) -> Iterator[dict[str, Any]]:
        with postgresql() as server:
            path = dump(server, folder, kind)
            backups.vouch(path)
            backups.flip(path)
            yield told(folder, server)

    @row("restore", f"{kind}, cut off in the middle", "fail restore")
    def cut(folder: Path) -> Iterator[dict[str, Any]]:
        with postgresql() as server:
            backups.cut(dump(server, folder, kind))
            yield told(folder, server, kind="postgresql")


for _kind in DUMPS:
    _add_good(_kind)


def _add_unvouched(kind: str, spoil: Spoil | None, state: str, expected: str) -> None:
    @row("restore", f"{kind}, {state}", expected)
    def make(folder: Path) -> Iterator[dict[str, Any]]:
        with postgresql() as server:
            path = dump(server, folder, kind)
            if spoil:
                spoil(path)
            yield told(folder, server)


def flip_data(path: Path) -> None:
    """Change one letter of a customer's name, which is a name after that too."""
    backups.flip(path, path.read_bytes().index("Åsa".encode()) + 3)
    text = path.read_bytes()
    path.write_bytes(text.replace(bytes([ord("a") ^ 0xFF]), b"b"))


def cut_between_statements(path: Path) -> None:
    text = path.read_bytes()
    backups.cut(path, text.index(b"-- Name: customers customers_pkey;") - 4)


for _kind, _spoil, _state, _expected in (
    ("pg custom", None, "no manifest", "warn checksums"),
    ("pg custom gz", None, "no manifest", "pass"),
    ("pg plain", None, "no manifest", "warn checksums"),
    ("pg plain gz", None, "no manifest", "pass"),
    ("pg custom", backups.flip, "one flipped byte, no manifest", "fail restore"),
    ("pg custom gz", backups.flip, "one flipped byte, no manifest", "fail restore"),
    ("pg plain gz", backups.flip, "one flipped byte, no manifest", "fail restore"),
    ("pg plain zst", backups.flip, "one flipped byte, no manifest", "fail restore"),
    # Another letter in a name is a name again: that nothing can tell is what the warning says.
    ("pg plain", flip_data, "one letter changed, no manifest", "warn checksums"),
    ("pg plain", cut_between_statements, "cut off between two statements", "fail restore"),
    ("pg custom", lambda path: backups.cut(path, 0), "empty file", "fail backup size"),
    ("pg plain", lambda path: backups.cut(path, 0), "empty file", "fail backup size"),
    ("pg custom", lambda path: backups.flip(path, 0), "mark flipped, no manifest", "fail restore"),
    ("pg custom", lambda path: backdate(path, 72), "3 days old", "fail backup age; warn checksums"),
    ("pg plain gz", lambda path: backups.touch(path, 72), "3 days old", "fail backup age"),
):
    _add_unvouched(_kind, _spoil, _state, _expected)


# What is in them.


@row("restore", "pg custom of an empty database", "fail restore")
def hollow_custom(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        dump(server, folder, "pg custom", "hollow")
        yield told(folder, server)


@row("restore", "pg plain of an empty database", "fail restore")
def hollow_plain(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        dump(server, folder, "pg plain", "hollow")
        yield told(folder, server)


@row("restore", "pg directory format", "unknown config")
def directory(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        server.dump_folder(folder / "backups" / "shop")
        yield told(folder, server)


@row("restore", "pg custom without data", "fail restore")
def schema_only(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        server.dump(folder / "backups" / "shop.dump", "-Fc", "--schema-only")
        yield told(folder, server)


@row("restore", "pg plain that creates its database", "unknown config")
def create(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        server.dump(folder / "backups" / "shop.sql", "--create")
        yield told(folder, server)


@row("restore", "pg custom that could create its database", "warn checksums")
def create_custom(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        server.dump(folder / "backups" / "shop.dump", "-Fc", "--create")
        yield told(folder, server)


@row("restore", "pg_dumpall", "unknown config")
def dumpall(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        server.dump(folder / "backups" / "all.sql", program="pg_dumpall")
        yield told(folder, server)


_HOSTILE = {
    r"\connect shop": "unknown config",
    "ALTER ROLE drill PASSWORD 'x';": "unknown config",
    "SELECT 1; -- x\nDROP DATABASE shop;": "unknown config",
    "/* x */ DROP/**/DATABASE shop;": "unknown config",
    r"\! touch escaped": "fail restore",
    r"\restrict a`touch escaped`": "fail restore",
    r"SELECT 1 \g |touch escaped": "fail restore",
    "COPY kept TO PROGRAM 'touch escaped';": "fail restore",
    "COPY kept FROM '/etc/passwd';": "fail restore",
    "COPY kept TO PROGRAM 'touch escaped # FROM stdin';": "fail restore",
    "DO $$BEGIN EXECUTE 'COPY (SELECT 1) TO ' || 'PROGRAM ''touch escaped'''; END$$;": "unknown forbidden",
    "DO $$BEGIN EXECUTE 'COPY kept ' || 'FROM ''/etc/hostname'''; END$$;": "unknown forbidden",
    "SELECT lo_import('/etc/hostname');": "unknown forbidden",
    "CREATE EXTENSION file_fdw;": "unknown forbidden",
}


def _add_hostile(line: str, expected: str) -> None:
    @row("restore", f"pg plain with {line}", expected)
    def hostile(folder: Path) -> Iterator[dict[str, Any]]:
        sql(folder, f"CREATE TABLE kept (id int);\nINSERT INTO kept VALUES (1);\n{line}\n")
        with postgresql() as server:
            yield told(folder, server)
            assert "shop" in server.databases()
        assert not list(folder.rglob("escaped"))


for _line, _expected in _HOSTILE.items():
    _add_hostile(_line, _expected)


# What would let such a line run, were it hidden well enough. In each, `drill` may also create databases.
_POWERS = {
    "superuser": "ALTER ROLE drill SUPERUSER",
    "CREATEROLE": "ALTER ROLE drill CREATEROLE",
    "runs programs": "GRANT pg_execute_server_program TO drill",
    "reads files": "GRANT pg_read_server_files TO drill",
    "writes files": "GRANT pg_write_server_files TO drill",
    "by way of another role": "CREATE ROLE r; GRANT pg_execute_server_program TO r; GRANT r TO drill",
    "by SET ROLE": "ALTER ROLE drill NOINHERIT; GRANT pg_execute_server_program TO drill",
    "member of a superuser": "GRANT postgres TO drill",
}


def _add_power(state: str, grant: str) -> None:
    @row("restore", f"pg scratch server: role that may do too much, {state}", "unknown config")
    def make(folder: Path) -> Iterator[dict[str, Any]]:
        escaped = Path(tempfile.gettempdir()) / f"gonogo-escaped-{os.getpid()}-{time.time_ns()}"
        run = f"DO $$BEGIN EXECUTE 'COPY (SELECT 1) TO ' || 'PROGRAM ''touch {escaped}'''; END$$;"
        sql(folder, f"CREATE TABLE kept (id int);\nINSERT INTO kept VALUES (1);\n{run}\n")
        try:
            with postgresql() as server:
                server.run(grant)
                yield told(folder, server)
                assert not [name for name in server.databases() if "gonogo" in name]
            assert not escaped.exists(), "the dump ran a program on the server"
        finally:
            escaped.unlink(missing_ok=True)


for _state, _grant in _POWERS.items():
    _add_power(_state, _grant)


@row("restore", "pg scratch server: superuser that becomes a weak role", "unknown config")
def superuser_in_disguise(folder: Path) -> Iterator[dict[str, Any]]:
    sql(folder, "RESET ROLE;\nCREATE TABLE kept (id int);\n")
    with postgresql() as server:
        yield told(folder, server, server=f"{server.url('postgres')}?options=-c%20role%3Ddrill")


@row("restore", "dump of MySQL in a .sql", "unknown protocol")
def mysql(folder: Path) -> Iterator[dict[str, Any]]:
    sql(folder, "-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\nCREATE TABLE `kept` (`id` int);\n")
    with postgresql() as server:
        yield told(folder, server)


@row("restore", "pg custom of a newer pg_dump", "unknown missing")
def newer_archive(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        backups.flip(dump(server, folder, "pg custom"), 6)  # its minor version, now above 200
        yield told(folder, server)


@row("restore", "pg plain of a newer server", "unknown config")
def newer_server(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        path = dump(server, folder, "pg plain")
        new = path.read_text().replace("version 15", "version 99").replace("SET lock_", "SET later_lock_")
        path.write_text(new)
        yield told(folder, server)


@row("restore", "pg plain that needs an extension", "unknown missing")
def extension(folder: Path) -> Iterator[dict[str, Any]]:
    sql(folder, "CREATE EXTENSION nowhere_to_be_found WITH SCHEMA public;\n")
    with postgresql() as server:
        yield told(folder, server)


@row("restore", "pg plain gz that unpacks beyond max_bytes", "unknown limit")
def bomb(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        dump(server, folder, "pg plain gz")
        yield told(folder, server, max_bytes=50_000)


@row("restore", "pg custom shrunk by 90 %", "fail size change")
def shrunk(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        newest = dump(server, folder, "pg custom").rename(folder / "backups" / "shop-2.dump")
        backups.vouch(newest)
        before = folder / "backups" / "shop-1.dump"
        before.write_bytes(newest.read_bytes() * 10)
        backups.touch(before, 24)
        yield told(folder, server)


# The scratch server.


def _add_server(state: str, expected: str, url: Callable[[PostgreSQL], str]) -> None:
    @row("restore", f"pg scratch server: {state}", expected)
    def make(folder: Path) -> Iterator[dict[str, Any]]:
        sql(folder, "CREATE TABLE kept (id int);\n")
        with postgresql() as server:
            yield told(folder, server, server=url(server))


for _state, _expected, _url in (
    ("wrong password", "unknown auth", lambda server: server.url(password="wrong")),
    ("unknown role", "unknown auth", lambda server: server.url("nobody")),
    ("no password", "unknown auth", lambda server: f"host=127.0.0.1 port={server.port} user=drill"),
    ("role without CREATEDB", "unknown forbidden", lambda server: server.url("guest")),
    ("no such database", "unknown config", lambda server: server.url(database="nowhere")),
    ("TLS to plain", "unknown tls", lambda server: f"{server.url()}?sslmode=require"),
):
    _add_server(_state, _expected, _url)


def _add_nowhere(state: str, expected: str, **raw: str) -> None:
    @row("restore", f"pg scratch server: {state}", expected)
    def make(folder: Path) -> Iterator[dict[str, Any]]:
        sql(folder, "CREATE TABLE kept (id int);\n")
        yield told(folder, None, **raw)


_add_nowhere("not named", "unknown config")
_add_nowhere("bad URL", "unknown config", server="postgresql://drill:hidden@[::1/postgres")
_add_nowhere("unknown host", "unknown dns", server="postgresql://drill@nowhere.invalid/postgres")
_add_nowhere("no socket", "unknown refused", server="host=/nowhere user=drill dbname=postgres")


@row("restore", "pg scratch server: closed port", "unknown refused")
def closed(folder: Path) -> Iterator[dict[str, Any]]:
    sql(folder, "CREATE TABLE kept (id int);\n")
    with closed_port() as port:
        yield told(folder, None, server=f"host=127.0.0.1 port={port} user=drill")


@row("restore", "pg scratch server: silent", "unknown timeout")
def silent(folder: Path) -> Iterator[dict[str, Any]]:
    sql(folder, "CREATE TABLE kept (id int);\n")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        yield told(folder, None, server=f"host=127.0.0.1 port={port} user=drill connect_timeout=1")


@row("restore", "pg scratch server: full", "unknown limit")
def full(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql("max_connections=1", "superuser_reserved_connections=0", "max_wal_senders=0") as server:
        sql(folder, "CREATE TABLE kept (id int);\n")
        yield told(folder, server)


@row("restore", "pg verification query passes", "warn checksums")
def verified(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        dump(server, folder, "pg custom")
        query = "SELECT 1 / (count(*) - 1999) FROM orders"
        yield told(folder, server, command=["psql", "-X", "-v", "ON_ERROR_STOP=1", "-c", query])


@row("restore", "pg verification query fails", "fail verification command; warn checksums")
def not_verified(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        dump(server, folder, "pg custom")
        query = "SELECT 1 / (count(*) - 2000) FROM orders"
        yield told(folder, server, command=["psql", "-X", "-v", "ON_ERROR_STOP=1", "-c", query])


@row("restore", "pg_restore missing", "unknown missing")
def no_pg_restore(folder: Path) -> Iterator[dict[str, Any]]:
    with postgresql() as server:
        dump(server, folder, "pg custom")
        with without_programs(folder):
            yield told(folder, server)


# Redis.


def _add_rdb(
    state: str,
    expected: str,
    spoil: Spoil | None = None,
    *,
    commands: tuple[tuple[object, ...], ...] = (),
    keys: int = 200,
    checksum: bool = True,
    **raw: object,
) -> None:
    @row("restore", f"RDB {state}", expected)
    def make(folder: Path) -> Iterator[dict[str, Any]]:
        path = rdb.rdb(folder / "backups" / "dump.rdb", *commands, keys=keys, checksum=checksum)
        if spoil:
            spoil(path)
        yield told(folder, None, **raw)


def _lay_larger_before(path: Path) -> None:
    before = path.with_name("dump-1.rdb")
    before.write_bytes(path.read_bytes() * 10)
    backups.touch(before, 24)
    path.rename(path.with_name("dump-2.rdb"))


def _make_newer(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"REDIS0010", b"REDIS0099"))


def _backdate_content(path: Path) -> None:
    rdb.backdate(path, 72)
    backups.touch(path, 0)


_SHORT_LIVED = (("SET", "a", 1, "PX", 500),)
_add_rdb("good", "pass")
_add_rdb("good, with a manifest", "pass", backups.vouch)
_add_rdb("good, gz", "pass", lambda path: pack(path, ".gz"))
_add_rdb("good, zst", "pass", lambda path: pack(path, ".zst"))
_add_rdb("in two databases", "pass", commands=(("SELECT", 3), ("SET", "a", 1)))
_add_rdb("in the 41st database", "pass", commands=(("SELECT", 40), ("SET", "a", 1)))
_add_rdb("without a checksum", "warn checksums", checksum=False)
_add_rdb("without a checksum, with a manifest", "pass", backups.vouch, checksum=False)
_add_rdb("one flipped byte", "fail restore", backups.flip)
_add_rdb("one flipped byte, gz", "fail restore", lambda path: backups.flip(pack(path, ".gz")))
_add_rdb("mark flipped", "fail restore", lambda path: backups.flip(path, 0))
_add_rdb("cut off in the middle", "fail restore", backups.cut)
_add_rdb("cut off in its checksum", "fail restore", lambda path: backups.cut(path, path.stat().st_size - 1))
_add_rdb("empty file", "fail backup size", lambda path: backups.cut(path, 0))
_add_rdb("no RDB at all", "fail restore", lambda path: path.write_text("<html>404 not found</html>"))
_add_rdb("of 0 keys", "fail restore", keys=0)
_add_rdb("of expired keys", "fail restore", lambda _: time.sleep(0.6), keys=0, commands=_SHORT_LIVED)
_add_rdb("3 days old", "fail backup age", lambda path: rdb.backdate(path, 72))
_add_rdb("3 days old, copied just now", "fail backup age", _backdate_content)
_add_rdb("shrunk by 90 %", "fail size change", _lay_larger_before)
_add_rdb("of a newer Redis", "unknown missing", _make_newer)
_add_rdb("unpacks beyond max_bytes", "unknown limit", lambda path: pack(path, ".gz"), max_bytes=1000)
_CLI = ["redis-cli", "-e", "-s", "redis.sock"]
_add_rdb("verification command passes", "pass", command=[*_CLI, "GET", "key:1"])
_add_rdb("verification command fails", "fail verification command", command=[*_CLI, "LLEN", "key:1"])


@row("restore", "RDB, Redis missing", "unknown missing")
def no_redis(folder: Path) -> Iterator[dict[str, Any]]:
    rdb.rdb(folder / "backups" / "dump.rdb")
    with without_programs(folder):
        yield told(folder, None)
