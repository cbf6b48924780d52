import asyncio
import gzip
import hashlib
import io
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest

from probes.outcome import Check, Outcome, Reason, Verdict
from probes.restore.drill import DamagedError
from probes.restore.sqlscript import MetaCommandError, Script
from tests.conftest import wait_until
from tests.servers import rdb
from tests.servers.postgresql import CUSTOMERS, ORDERS, PASSWORD, TABLES, PostgreSQL, postgresql

RunProbe = Callable[..., Awaitable[Outcome]]
Drill = Callable[..., Awaitable[Outcome]]

ODDITIES = 3


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as server:
        yield server


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


@pytest.fixture
def drill(run_probe: RunProbe, store: Path, server: PostgreSQL) -> Drill:
    """Run a restore drill, and hold it to leaving nothing on the server."""

    async def run(**raw: object) -> Outcome:
        before = server.databases()
        outcome = await run_probe("restore", **{"source": str(store), "server": server.url(), **raw})
        assert server.databases() == before
        return outcome

    return run


def line(outcome: Outcome, name: str) -> Check:
    return next(check for check in outcome.checks if check.name == name)


def content(server: PostgreSQL) -> str:
    """Return what the live database and its server hold, as one text."""
    live = server.run("SELECT * FROM orders ORDER BY id; SELECT * FROM customers ORDER BY id", "shop")
    return live + server.run(
        "SELECT rolname, rolpassword FROM pg_authid ORDER BY 1; TABLE pg_db_role_setting"
    )


# What is found out.


@pytest.mark.parametrize("options", [["-Fc"], []], ids=["custom", "plain"])
async def test_tables_and_rows_are_counted_and_nothing_else_on_the_server_changes(
    drill: Drill, store: Path, server: PostgreSQL, *, options: list[str]
) -> None:
    server.dump(store / ("shop.dump" if options else "shop.sql"), *options)
    before = content(server)
    outcome = await drill()
    assert content(server) == before
    rows = ORDERS + CUSTOMERS + ODDITIES
    assert line(outcome, "restore").message == f"{TABLES} tables with {rows:,} rows restored."
    assert (outcome.metrics["restored_tables"], outcome.metrics["restored_rows"]) == (TABLES, rows)
    assert 0 < outcome.metrics["restore_s"] < 60
    assert 0 <= outcome.metrics["backup_age_s"] < 60


_COMPARE = """
import os, subprocess, sys
password, server = os.environ["PGPASSWORD"], os.environ["PGDATABASE"]
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        assert password not in open(f"/proc/{pid}/cmdline").read(), "the password is in a process list"
    except OSError:
        pass
def read(database):
    query = 'SELECT * FROM orders ORDER BY id; SELECT * FROM customers ORDER BY id; TABLE "Odd ""name"";"'
    query += "; SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname IN ('half', 'talk') ORDER BY 1"
    command = ["psql", "-X", "-d", database, "-c", query]
    environment = {**os.environ, "PGUSER": "postgres"}
    return subprocess.run(command, env=environment, check=True, capture_output=True).stdout
assert server.startswith("gonogo_restore_")
assert len(read(server)) > 100_000
assert read(server) == read("shop"), "not the same"
"""


@pytest.mark.parametrize(
    "options", [["-Fc"], ["-Ft"], [], ["--inserts"], ["--column-inserts", "--clean", "--if-exists"]]
)
async def test_what_is_restored_is_what_was_dumped_and_the_command_sees_it(
    drill: Drill, store: Path, tmp_path: Path, server: PostgreSQL, *, options: list[str]
) -> None:
    server.dump(store / "shop.dump", *options)
    (tmp_path / "compare.py").write_text(_COMPARE)
    outcome = await drill(kind="postgresql", command=[sys.executable, str(tmp_path / "compare.py")])
    assert line(outcome, "verification command").observed == 0, outcome
    assert PASSWORD not in str(outcome)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
@pytest.mark.parametrize("options", [["-Fc"], []], ids=["custom", "plain"])
async def test_a_database_in_another_encoding_is_restored(
    drill: Drill, store: Path, server: PostgreSQL, *, encoding: str, options: list[str]
) -> None:
    server.run(f"CREATE DATABASE old TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        server.run("CREATE TABLE names (name text); INSERT INTO names VALUES (chr(229))", "old")
        server.dump(store / "old.dump", *options, database="old")
        outcome = await drill(kind="postgresql")
    finally:
        server.run("DROP DATABASE old")
    assert line(outcome, "restore").verdict is Verdict.PASS


# What stands in the way.


def _write(store: Path, text: str) -> None:
    (store / "shop.sql").write_text(
        f"CREATE TABLE kept (id integer);\nINSERT INTO kept VALUES (1);\n{text}\n"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("DO $$BEGIN RAISE disk_full; END$$;", Reason.LIMIT),
        ("SELECT pg_terminate_backend(pg_backend_pid());", Reason.REFUSED),
        ("CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION f();", Reason.FORBIDDEN),
        ("SELECT pg_read_file('/etc/hostname');", Reason.FORBIDDEN),
        ("CREATE EXTENSION pg_stat_statements;", Reason.FORBIDDEN),
        ("CREATE POLICY p ON kept TO gone USING (true);", Reason.MISSING),
    ],
)
async def test_what_the_server_cannot_do_is_not_held_against_the_dump(
    drill: Drill, store: Path, *, text: str, reason: Reason
) -> None:
    _write(store, text)
    outcome = await drill()
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, reason)
    assert outcome.hint


@pytest.mark.parametrize(
    "text",
    [
        "DO $$BEGIN EXECUTE 'COPY (SELECT 1) TO ' || 'PROGRAM ''true'''; END$$;",
        "DO $$BEGIN EXECUTE 'COPY (SELECT 1) TO ' || '''/tmp/x'''; END$$;",
        "DO $$BEGIN EXECUTE 'COPY kept FROM ' || '''/etc/hostname'''; END$$;",
        "SELECT pg_read_file('/etc/hostname');",
        "SELECT lo_export(1, '/tmp/x');",
    ],
)
async def test_a_dump_that_reaches_for_the_machine_is_given_no_rights(
    drill: Drill, store: Path, text: str
) -> None:
    _write(store, text)
    assert (await drill()).hint == (
        "A dump that runs programs or reads files on the server is not one of pg_dump: find out who made it, "
        "and restore nothing from it."
    )


async def test_no_hint_asks_for_a_superuser(drill: Drill, store: Path) -> None:
    for text in (
        "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION f();",
        "CREATE EXTENSION file_fdw;",
    ):
        _write(store, text)
        hint = (await drill()).hint
        assert "must not be a superuser" in hint or "trusted = true" in hint
        assert "as a superuser" not in hint


async def test_a_role_that_may_do_too_much_is_told_how_to_make_another(
    drill: Drill, store: Path, server: PostgreSQL
) -> None:
    _write(store, "")
    outcome = await drill(server=server.url("postgres"))
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert "it is a superuser" in outcome.summary
    assert "CREATE ROLE drill LOGIN CREATEDB" in outcome.hint


async def test_an_error_names_its_line_and_no_value_of_the_data(drill: Drill, store: Path) -> None:
    _write(store, "COPY kept FROM stdin;\n7\nsomebody@example.com\n\\.")
    outcome = await drill()
    assert line(outcome, "restore").verdict is Verdict.FAIL
    assert "at line 6 the server says: invalid input syntax for type integer" in outcome.summary
    assert "somebody" not in str(outcome)


async def test_owners_rights_and_tablespaces_of_the_old_server_are_not_needed(
    drill: Drill, store: Path
) -> None:
    _write(
        store,
        "SET default_tablespace = fast;\nALTER TABLE kept OWNER TO gone;\nGRANT ALL ON TABLE kept TO gone;\n"
        "ALTER DEFAULT PRIVILEGES FOR ROLE gone GRANT ALL ON TABLES TO gone;\n"
        "SET SESSION AUTHORIZATION 'gone';\n"
        "CREATE SUBSCRIPTION s CONNECTION 'host=live' PUBLICATION p WITH (connect = false);\n",
    )
    assert line(await drill(), "restore").verdict is Verdict.PASS


_FORCED = "ALTER TABLE kept ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
_DROPS = """
ALTER TABLE ONLY public."no table" DROP CONSTRAINT c;
ALTER TABLE t ALTER COLUMN i DROP DEFAULT;
DROP TABLE t;
DROP FUNCTION f(integer);
DROP SCHEMA s;
DROP TYPE s.t;
DROP EXTENSION e;
"""


@pytest.mark.parametrize(
    "text",
    [
        _FORCED,
        f"{_FORCED}\nCREATE POLICY p ON kept USING (id::text = current_setting('shop.tenant'));",
        _DROPS,
        "SET transaction_timeout = 0;",
    ],
    ids=["policies for the owner", "of a setting", "drops in an empty database", "pg_restore 17"],
)
async def test_a_healthy_dump_is_restored(drill: Drill, store: Path, *, text: str) -> None:
    _write(store, text)
    assert line(await drill(), "restore").message == "1 table with 1 row restored."


async def test_a_dump_with_drops_is_restored(drill: Drill, store: Path, server: PostgreSQL) -> None:
    server.dump(store / "shop.sql", "--clean")
    assert line(await drill(), "restore").verdict is Verdict.PASS


async def test_a_second_dump_in_the_file_has_to_be_whole_too(
    drill: Drill, store: Path, server: PostgreSQL, tmp_path: Path
) -> None:
    whole = server.dump(tmp_path / "one", "-t", "customers").read_bytes()
    second = server.dump(tmp_path / "two", "-t", "orders").read_bytes()
    cut = second[: second.index(b"-- Data for Name: orders") - 4]
    (store / "shop.sql.gz").write_bytes(gzip.compress(whole + cut))
    assert line(await drill(), "restore").verdict is Verdict.FAIL


@pytest.mark.parametrize("program", [["zstd", "--no-check", "-q"], ["xz", "--check=none"]], ids=["zst", "xz"])
async def test_a_compression_without_a_sum_proves_nothing(
    drill: Drill, store: Path, server: PostgreSQL, *, program: list[str]
) -> None:
    server.dump(store / "shop.sql")
    subprocess.run([*program, store / "shop.sql"], check=True)  # noqa: ASYNC221  # nothing else is to run
    (store / "shop.sql").unlink(missing_ok=True)
    assert line(await drill(), "checksums").verdict is Verdict.WARN


@pytest.mark.parametrize("where", ["server", "environment"])
async def test_the_command_sees_the_scratch_database_beside_a_service_file(
    drill: Drill,
    store: Path,
    server: PostgreSQL,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    where: str,
) -> None:
    service = f"host=127.0.0.1\nport={server.port}\nuser=drill\npassword={PASSWORD}\ndbname=postgres\n"
    (tmp_path / "services").write_text(f"[scratch]\n{service}")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    raw = {"server": "service=scratch"}
    if where == "environment":
        monkeypatch.setenv("PGSERVICE", "scratch")
        raw = {}
    _write(store, "")
    outcome = await drill(command=["psql", "-X", "-A", "-t", "-c", "TABLE kept"], **raw)
    assert line(outcome, "verification command").message == "psql: exit code 0: 1."


async def test_limits_of_an_application_do_not_end_the_drill(store: Path, run_probe: RunProbe) -> None:
    with postgresql("idle_session_timeout=700ms") as own:
        _write(store, "SELECT pg_sleep(2);")
        outcome = await run_probe("restore", source=str(store), server=own.url())
        assert line(outcome, "restore").verdict is Verdict.PASS
        assert not [name for name in own.databases() if "gonogo" in name]


async def test_a_password_need_not_be_utf_8(drill: Drill, store: Path, server: PostgreSQL) -> None:
    _write(store, "")
    outcome = await drill(server=f"postgresql://drill:gr%FC%DFe@127.0.0.1:{server.port}/postgres")
    assert outcome.reason is Reason.AUTH


async def test_a_value_that_became_a_name_is_not_shown(drill: Drill, store: Path) -> None:
    _write(store, "INSERT INTO kept VALUES (somebody);")
    outcome = await drill()
    assert line(outcome, "restore").verdict is Verdict.FAIL
    assert "somebody" not in str(outcome)


# What is left behind.


async def test_at_the_deadline_the_scratch_database_is_dropped(drill: Drill, store: Path) -> None:
    _write(store, "SELECT pg_sleep(600);")
    outcome = await drill(timeout="3s")
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.TIMEOUT)


async def test_what_a_killed_drill_left_is_dropped_by_the_next_one(
    run_probe: RunProbe, store: Path, server: PostgreSQL
) -> None:
    before = server.databases()
    _write(store, "SELECT pg_sleep(600);")
    raw = {"source": str(store), "server": server.url()}
    drill = asyncio.ensure_future(run_probe("restore", **raw))
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query ~ '^SELECT pg_sleep'"
    while server.run(sleeping) == "0":
        await asyncio.sleep(0.1)
    for forkserver in psutil.Process().children():
        if "probes.forkserver" in forkserver.cmdline():
            for process in forkserver.children():
                process.kill()
    assert (await drill).reason is Reason.CRASHED
    assert len(server.databases()) == len(before) + 1
    _write(store, "")
    assert line(await run_probe("restore", **raw), "restore").verdict is Verdict.PASS
    assert server.databases() == before


async def test_only_what_is_surely_left_over_is_dropped(
    run_probe: RunProbe, store: Path, server: PostgreSQL
) -> None:
    mine, used, others, named = (
        f"gonogo_restore_{word}" for word in ("0" * 16, "1" * 16, "2" * 16, "of_the_shop")
    )
    for name in (mine, used, named):
        server.run(f"CREATE DATABASE {name}", role="drill")
    server.run(f"CREATE DATABASE {others}")
    user = psutil.Popen(
        ["psql", "-X", "-c", "SELECT pg_sleep(600)", f"{server.url()}?application_name={used}"],
        env={**os.environ},
    )
    try:
        wait_until(lambda: used in server.run("SELECT application_name FROM pg_stat_activity"), "in use")
        _write(store, "")
        await run_probe("restore", source=str(store), server=server.url())
        assert {used, others, named} <= set(server.databases())
        assert mine not in server.databases()
    finally:
        user.kill()
        user.wait()
        for name in (used, others, named):
            server.run(f"DROP DATABASE {name} WITH (FORCE)")


# Statements.


@pytest.mark.parametrize("step", [1, 7, 100_000])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1;",
        "SELECT 'it''s; \\' AS \"a;\"\"b\";",
        "SELECT E'it\\'s; \\\\', e'\\\n';",
        "SELECT E'it''s \\'; ';",
        'CREATE FUNCTION begin(begin date, "end" date) RETURNS TABLE(begin date) AS $$;$$ LANGUAGE sql;',
        "SELECT name'x;' FROM t;",
        "SELECT $$a; 'b$$, $x$ $$; $y$ $x$, a$b$c;",
        "SELECT 'a\n;\nb';",
        "CREATE RULE r AS ON DELETE TO t DO INSTEAD (SELECT 1; SELECT 2);",
        "CREATE OR REPLACE FUNCTION f()\nBEGIN ATOMIC SELECT CASE WHEN 1 THEN 2 END; SELECT 1; END;",
        "CREATE FUNCTION f(n int DEFAULT CASE WHEN true THEN 1 END) RETURNS int AS 'x' LANGUAGE c;",
        "SELECT 'Åsa \\', \"Å\";",
    ],
)
def test_a_statement_is_cut_where_the_server_would_end_it(statement: str, step: int) -> None:
    text = f"-- before; 'it\n\\restrict AbC1\n\n{statement} BEGIN;\n\\unrestrict AbC1\nCOMMIT;\n"
    script = _script(text, step)
    assert [part.decode() for part in script.statements()] == [statement, "BEGIN;", "COMMIT;"]


@pytest.mark.parametrize(
    "text",
    [
        "/* ; /* ' */ ; */ DROP/**/DATABASE x;",
        "DROP -- ; '\nDATABASE x;",
        "SELECT 1; -- a\n/* b\n;\n*/ DROP DATABASE x;",
    ],
)
def test_a_remark_hides_nothing(text: str) -> None:
    *_, last = _script(text, 100).statements()
    assert last.split() == [b"DROP", b"DATABASE", b"x;"]


def test_a_line_without_an_end_is_not_held_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probes.restore.sqlscript._MAX_STATEMENT", 1000)
    read = iter([b"x" * 600] * 3)
    with pytest.raises(DamagedError):
        list(Script(lambda _: next(read)).statements())
    assert next(read)


@pytest.mark.parametrize("step", [1, 100_000])
def test_the_data_of_a_table_are_not_taken_for_statements(step: int) -> None:
    script = _script("COPY t FROM stdin;\n1\t';\n\\\\.\n\\.\nSELECT 2;\nCOPY u FROM stdin;\n\\.\n", step)
    found = []
    for statement in script.statements():
        found.append(statement)
        if statement.startswith(b"COPY"):
            found.append(b"".join(script.data()))
    assert found == [b"COPY t FROM stdin;", b"1\t';\n\\\\.\n", b"SELECT 2;", b"COPY u FROM stdin;", b""]


def test_backslashes_escape_where_an_old_dump_says_so() -> None:
    script = _script("SET standard_conforming_strings = off;\nSELECT 'it\\'s;';\n", 100)
    assert list(script.statements())[1] == b"SELECT 'it\\'s;';"


@pytest.mark.parametrize("text", ["SELECT 1", "SELECT 'a;\n", "SELECT $$;", "SELECT (1;\n", "/* ;"])
def test_an_end_within_a_statement_is_damage(text: str) -> None:
    with pytest.raises(DamagedError):
        list(_script(text, 100).statements())


@pytest.mark.parametrize(
    "text", ["\\! ls\n", "SELECT 1 \\gexec\n", "\\.\n", "\\unrestrict `ls`\n", "SELECT (\\! ls\n"]
)
def test_a_command_for_psql_is_none_for_the_server(text: str) -> None:
    with pytest.raises(MetaCommandError):
        list(_script(text, 100).statements())


def _script(text: str, step: int) -> Script:
    file = io.BytesIO(text.encode())
    return Script(lambda length: file.read(min(length, step)))


# Redis.


def state(folder: Path) -> list[tuple[int, int, bytes]]:
    return [
        (path.stat().st_ino, path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).digest())
        for path in sorted(folder.iterdir())
    ]


@pytest.fixture
def redis_drill(run_probe: RunProbe, store: Path) -> Drill:
    """Run a drill of an RDB file, and hold it to leaving it, and no server."""

    async def run(**raw: object) -> Outcome:
        before = state(store)
        outcome = await run_probe("restore", **{"source": str(store), **raw})
        assert state(store) == before
        assert not [process for process in psutil.Process().children(True) if "redis" in process.name()]
        return outcome

    return run


async def test_keys_are_counted_by_database(redis_drill: Drill, store: Path) -> None:
    rdb.rdb(store / "dump.rdb", ("SELECT", 5), ("SET", "a", 1), ("SET", "b", 1, "EX", 3600), keys=7)
    outcome = await redis_drill()
    assert line(outcome, "restore").message == "9 keys restored (db0 7, db5 2)."
    assert outcome.metrics["restored_keys"] == 9
    assert 0 <= outcome.metrics["backup_age_s"] < 60


async def test_the_command_is_told_where_the_scratch_server_is(
    redis_drill: Drill, store: Path, tmp_path: Path
) -> None:
    rdb.rdb(store / "dump.rdb")
    script = tmp_path / "check.py"
    script.write_text(
        "import os, redis\n"
        "assert redis.Redis.from_url(os.environ['REDIS_URL']).dbsize() == 200\n"
        "assert redis.Redis(unix_socket_path=os.environ['REDIS_SOCKET']).get('key:1')\n"
        "assert os.stat('redis.sock').st_mode & 0o077 == 0\n"
    )
    outcome = await redis_drill(command=[sys.executable, str(script)])
    assert outcome.verdict is Verdict.PASS, outcome


async def test_at_the_deadline_the_scratch_server_ends(redis_drill: Drill, store: Path) -> None:
    rdb.rdb(store / "dump.rdb")
    outcome = await redis_drill(command=["sleep", "600"], timeout="3s")
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.TIMEOUT)


async def test_no_key_is_named_when_one_cannot_be_read(redis_drill: Drill, store: Path) -> None:
    path = rdb.rdb(store / "dump.rdb", ("SET", "somebody@example.com", "x" * 40), keys=0)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"@example.com") + 20])
    outcome = await redis_drill()
    assert "Unexpected EOF reading RDB file" in outcome.summary
    assert "somebody" not in str(outcome)


async def test_a_path_too_long_for_a_socket_is_said(redis_drill: Drill, store: Path, tmp_path: Path) -> None:
    rdb.rdb(store / "dump.rdb")
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    outcome = await redis_drill(scratch=str(deep))
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert "shorter" in outcome.hint
