"""Starts real PostgreSQL servers on free ports of 127.0.0.1, each with a database `shop` to dump."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from tests.servers.redis_server import free_port

PASSWORD = "a long password of a scratch server"
ORDERS = 2000
CUSTOMERS = 50
TABLES = 3

_PARTS = Path(__file__).parents[2] / ".parts"
_TEMPLATE = _PARTS / "postgresql"
_START = 30.0
_ATTEMPTS = 5

_ROLES = f"""
CREATE ROLE drill LOGIN CREATEDB PASSWORD '{PASSWORD}';
CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}';
CREATE DATABASE shop;
CREATE DATABASE hollow;
"""
# What a dump of grown software holds: owners and rights of roles that are nowhere else, quoting of each kind,
# names to be quoted, statements within statements.
_SHOP = r"""
CREATE ROLE shopkeeper;
CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, note text DEFAULT 'it''s; "new" \ here');
CREATE TABLE orders (id serial PRIMARY KEY, customer integer REFERENCES customers, total numeric, token text);
CREATE TABLE "Odd ""name"";" ("a;b" text);
ALTER TABLE orders OWNER TO shopkeeper;
GRANT SELECT ON orders TO guest;
COMMENT ON TABLE orders IS 'a; comment -- with /* all';
INSERT INTO customers SELECT n, E'Åsa \\ "quoted"; ' || n FROM generate_series(1, 50) AS n;
INSERT INTO orders (customer, total, token)
    SELECT 1 + n % 50, n, md5(n::text) || md5((n * 7)::text) FROM generate_series(1, 2000) AS n;
INSERT INTO "Odd ""name"";" VALUES (E'tab\t line\nend \\.'), (E'\\.'), (NULL);
CREATE VIEW large AS SELECT * FROM orders WHERE total > 10;
CREATE FUNCTION half(n integer) RETURNS integer LANGUAGE sql
    BEGIN ATOMIC SELECT CASE WHEN n > 1 THEN n / 2 ELSE 0 END; SELECT n / 2; END;
CREATE FUNCTION talk() RETURNS text LANGUAGE plpgsql
    AS $body$BEGIN /* ; */ RETURN $$\connect; 'x$$; END$body$;
CREATE RULE quiet AS ON DELETE TO customers DO INSTEAD (SELECT 1; SELECT 2);
"""


class PostgreSQL:
    """A running server.

    Attributes:
        port: On 127.0.0.1.
    """

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, role: str = "drill", password: str = PASSWORD, database: str = "postgres") -> str:
        """Return where a role connects to; `drill` may create databases, `guest` may not."""
        return f"postgresql://{role}:{password.replace(' ', '%20')}@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, database: str = "postgres", role: str = "postgres") -> str:
        """Run SQL as an administrator would; return what it printed, one row a line."""
        command = ["psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", statement]
        return subprocess.run(
            command, env=self._environment(database, role), check=True, capture_output=True, text=True
        ).stdout.strip()

    def dump(self, target: Path, *options: str, database: str = "shop", program: str = "pg_dump") -> Path:
        """Write a dump with pg_dump or pg_dumpall and these options."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as output:
            environment = self._environment(database, "postgres")
            subprocess.run([program, *options], env=environment, stdout=output, check=True)
        return target

    def dump_folder(self, target: Path, database: str = "shop") -> Path:
        """Write a dump in the directory format."""
        target.parent.mkdir(parents=True, exist_ok=True)
        command = ["pg_dump", "--format=directory", f"--file={target}"]
        subprocess.run(command, env=self._environment(database, "postgres"), check=True)
        return target

    def databases(self) -> list[str]:
        """Return the names of all databases."""
        return self.run("SELECT datname FROM pg_database ORDER BY 1").split("\n")

    def _environment(self, database: str, role: str) -> dict[str, str]:
        return {
            "PATH": f"{_programs()}:{os.environ.get('PATH', os.defpath)}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": role,
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": database,
        }


def _programs() -> Path:
    """Return the folder of the newest server, which Debian keeps off PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return found[-1] if found else Path(shutil.which("postgres") or "/usr/bin/postgres").resolve().parent


def _as_owner(*command: str | Path) -> list[str | Path]:
    """Return a command as a user that the server agrees to run as; it ends when this process does."""
    change = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    return ["setpriv", *change, "--pdeathsig=KILL", "--", *command]


def _give(folder: Path) -> None:
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        subprocess.run(["chown", "-R", f"{owner.pw_uid}:{owner.pw_gid}", folder], check=True)


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", "--reflink=auto", source, target], check=True)


def _make(data: Path) -> None:
    """Make a cluster with the databases in it."""
    secret = data.parent / "password"
    secret.write_text(PASSWORD)
    _give(data.parent)
    options = ["--no-sync", "--auth=scram-sha-256", "--username=postgres", "--wal-segsize=1"]
    options += ["--encoding=UTF8", "--locale=C", f"--pwfile={secret}"]
    initdb = _programs() / "initdb"
    subprocess.run(_as_owner(initdb, *options, data), cwd="/", check=True, capture_output=True)
    with _running(data) as server:
        # A database cannot be made together with anything else.
        for statement in filter(str.strip, _ROLES.split("\n")):
            server.run(statement)
        server.run(_SHOP, "shop")


def _template() -> Path:
    """Return a folder with a cluster in it, made once for all test runs."""
    _PARTS.mkdir(exist_ok=True)
    with FileLock(_PARTS / "postgresql.lock"):
        stamp = f"{_programs()} {_SHOP} {_ROLES}"
        mark = _TEMPLATE / "made-of"
        if not mark.is_file() or mark.read_text() != stamp:
            shutil.rmtree(_TEMPLATE, ignore_errors=True)
            _TEMPLATE.mkdir()
            with _folder() as draft:
                _make(draft / "data")
                _copy(draft / "data", _TEMPLATE / "data")
            mark.write_text(stamp)
    return _TEMPLATE / "data"


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder that the server's user can enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="gonogo-postgresql-"))
    try:
        _give(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(data: Path, *options: str) -> Iterator[PostgreSQL]:
    settings = ["listen_addresses=127.0.0.1", f"unix_socket_directories={data.parent}", "fsync=off"]
    settings += [
        "full_page_writes=off",
        "autovacuum=off",
        "shared_buffers=16MB",
        "max_connections=20",
        *options,
    ]
    flags = [part for setting in settings for part in ("-c", setting)]
    log = data.parent / "log"
    for _ in range(_ATTEMPTS):
        port = free_port()
        command = _as_owner(_programs() / "postgres", "-D", data, "-p", str(port), *flags)
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd="/", stdout=output, stderr=output, start_new_session=True)
        try:
            end = time.monotonic() + _START
            while process.poll() is None and not _ready(data):
                if time.monotonic() > end:
                    raise TimeoutError(log.read_text())
                time.sleep(0.02)
            if process.poll() is None:
                yield PostgreSQL(port)
                return
        finally:
            # Its immediate shutdown, which ends its children too.
            if process.poll() is None:
                process.send_signal(3)
            process.wait()
    raise RuntimeError(log.read_text())


def _ready(data: Path) -> bool:
    try:
        return "ready" in (data / "postmaster.pid").read_text()
    except FileNotFoundError:
        return False


@contextmanager
def postgresql(*options: str) -> Iterator[PostgreSQL]:
    """Run a server of its own, with these settings, each as `name=value`."""
    template = _template()
    with _folder() as folder:
        _copy(template, folder / "data")
        with _running(folder / "data", *options) as server:
            yield server


def backdate(path: Path, hours: float) -> None:
    """Let a custom dump say that it was made some hours ago, and its file too."""
    then = time.time() - hours * 3600
    moment = time.localtime(then)
    parts = (
        moment.tm_sec,
        moment.tm_min,
        moment.tm_hour,
        moment.tm_mday,
        moment.tm_mon - 1,
        moment.tm_year - 1900,
    )
    with path.open("r+b") as file:
        # Behind the mark, the version, three sizes and the compression; each number is a sign and 32 bits.
        file.seek(16)
        file.write(b"".join(b"\0" + part.to_bytes(4, "little") for part in parts))
    os.utime(path, (then, then))
