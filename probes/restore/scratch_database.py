"""A database on a PostgreSQL server to restore into: fresh, and gone afterwards, also after a killed run."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping

from probes.outcome import CannotTell, Check, Reason, Verdict
from probes.restore.libpq import Connection, ServerError

_PREFIX = "gonogo_restore_"
_OLDEST = 130000
"""The first server that drops a database in which somebody still is."""

_LEFT = (
    "SELECT datname FROM pg_database d WHERE datname ~ '^{prefix}[0-9a-f]{{16}}$' "
    "AND pg_get_userbyid(datdba) = current_user "
    "AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.application_name = d.datname)"
)

_OBSTACLES = (
    ("53", Reason.LIMIT, "Free space, memory or connections of the scratch server."),
    ("57P", Reason.REFUSED, "Look into the log of the scratch server: it was shut down or has crashed."),
    (
        "42501",
        Reason.FORBIDDEN,
        "Grant the role in server that one right, where it can be granted; it must not be a superuser.",
    ),
    ("25006", Reason.CONFIG, "Name another server: this one is a standby, which takes no writes."),
)


# What a role can reach it may use, whether it inherits it or has to say SET ROLE. Of a session that gave up
# its first role, a dump can take that up again.
_POWERS = b"""
SELECT CASE WHEN rolsuper THEN 1 WHEN rolcreaterole THEN 2 ELSE 3 END,
rolname, rolname = session_user, session_user
FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER') AND (rolsuper OR rolcreaterole
OR rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'))
ORDER BY 1, 3 DESC, 2 LIMIT 1
"""
_WORDS = {
    "1": "a superuser",
    "2": "one that makes roles (CREATEROLE)",
    "3": "one for programs or files of the server",
}
# As far as they name what they forbid: of other messages the server's language is not known.
_REACHES_OUT = re.compile(
    r"external program|COPY (?:from|to) a file|pg_\w+_server_\w+ .*COPY"
    r"|function (?:pg_read_\w*file|pg_ls_\w+|pg_stat_file|lo_import|lo_export)\b"
)


@contextlib.contextmanager
def database(keywords: Mapping[str, str], encoding: str, checks: list[Check]) -> Iterator[str]:
    """Make a database, and drop it at the end whatever happened; first drop what killed drills left.

    One in use is known by a session that calls itself by the database's name, which every host sees. It is
    there before the database is, and the server ends it when the drill is gone.

    Args:
        keywords: Where the server is.
        encoding: Of the database.
        checks: Where to add that it could not be dropped.

    Raises:
        CannotTell: If it cannot be made.
    """
    name = _PREFIX + secrets.token_hex(8)
    admin = Connection(
        {"dbname": os.environ.get("PGDATABASE", "postgres"), **keywords, "application_name": name}
    )
    try:
        if admin.version < _OLDEST:
            raise CannotTell(
                Reason.CONFIG,
                f"The scratch server is PostgreSQL {admin.version // 10000}.",
                "Name one of version 13 or later in server.",
            )
        _check_role(admin)
        try:
            _sweep(admin)
            _create(admin, name, encoding)
            yield name
        finally:
            try:
                admin.cancel()
                _drop(admin, name)
            except ServerError as error:
                checks.append(_not_dropped(name, error))
    finally:
        admin.close()


def _check_role(admin: Connection) -> None:
    try:
        rows = admin.run(_POWERS)
    except ServerError as error:
        raise obstacle(error) or CannotTell(
            Reason.PROTOCOL,
            f"The scratch server does not say what the role of server may do: {error.message}.",
            "Look into the log of the scratch server.",
        ) from error
    for power, through, itself, name in rows:
        what = f"it is {_WORDS[power]}" if itself == "t" else f"it is a member of {through}, {_WORDS[power]}"
        raise CannotTell(
            Reason.CONFIG,
            f"The role of server, {name}, may do everything that a hostile dump asks for: {what}.",
            "Make one for drills, and name it in server: CREATE ROLE drill LOGIN CREATEDB PASSWORD '…'.",
        )


def _sweep(admin: Connection) -> None:
    # Where it fails, so does the making of a database, which says why.
    with contextlib.suppress(ServerError):
        for (left,) in admin.run(_LEFT.format(prefix=_PREFIX).encode()):
            with contextlib.suppress(ServerError):
                _drop(admin, left)


def _create(admin: Connection, name: str, encoding: str) -> None:
    try:
        ((usual,),) = admin.run(
            b"SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = 'template0'"
        )
        # The usual locale keeps what the data rely on, as lower(); C goes with every encoding.
        locale = "" if usual == encoding else f" ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
        admin.run(f"CREATE DATABASE {name} TEMPLATE template0{locale}".encode())
    except ServerError as error:
        if error.code == "42501":
            raise CannotTell(
                Reason.FORBIDDEN,
                "The role in server may not create databases.",
                "Let it, as an administrator of the scratch server: ALTER ROLE … CREATEDB.",
            ) from error
        raise obstacle(error) or CannotTell(
            Reason.PROTOCOL,
            f"No scratch database could be made: {error.message}.",
            "Look into the log of the scratch server.",
        ) from error


def _drop(admin: Connection, name: str) -> None:
    admin.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


def _not_dropped(name: str, error: ServerError) -> Check:
    return Check(
        name="clean-up",
        verdict=Verdict.WARN,
        message=f"The scratch database {name} could not be dropped: {error.message}.",
        hint=f"Drop it, it holds restored data: DROP DATABASE {name} WITH (FORCE).",
    )


def obstacle(error: ServerError) -> CannotTell | None:
    """Return what kept the server from restoring, if it was not the dump."""
    if not error.code:
        return CannotTell(
            Reason.REFUSED,
            "The scratch server ended the connection.",
            "Look into the log of the scratch server: it was shut down or has crashed.",
        )
    if error.code == "42501" and _REACHES_OUT.search(error.message):
        return CannotTell(
            Reason.FORBIDDEN,
            f"The scratch server says: {error.message}.",
            "A dump that runs programs or reads files on the server is not one of pg_dump: find out who made "
            "it, and restore nothing from it.",
        )
    for code, reason, hint in _OBSTACLES:
        if error.code.startswith(code):
            return CannotTell(reason, f"The scratch server says: {error.message}.", hint)
    return None
