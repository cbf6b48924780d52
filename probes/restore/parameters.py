"""What the restore drill is told."""

from typing import Annotated, Literal

import msgspec

from probes.parameters import Duration, Parameters

Kind = Literal["tar", "restic", "borg", "postgresql", "redis"]
"""What a backup is; each is drilled by a module of its own."""


class RestoreParameters(Parameters, frozen=True):
    """What the restore drill is told.

    The newest backup of a folder is the one whose file was written last. How old it is, is then judged by
    its content, because a copy of an old backup is a young file.

    Attributes:
        timeout: The deadline of the whole drill. Default 30m: twice the default of `restore_target`.
        source: Folder with backups, one backup, or a restic or borg repository (a folder, or a URL as
            `s3:…` or `ssh://…`). Required.
        kind: What the source is: `tar`, `restic`, `borg`, `postgresql` (custom or plain dumps), `redis` (RDB
            files), or `auto`, the default, to find out by the content of the newest. The evidence names
            what else lies in the folder and was not looked at.
        pattern: Names of the backups in the folder, as shell patterns. Default: the usual endings of the
            kind. Several series in one folder (`db-*`, `files-*`) want an item each, with a pattern each.
        manifest: Where checksums are expected: `beside` the backup (BACKUP.sha256, SHA256SUMS), `inside` it
            (for the files in it), the name of a manifest inside it, or `auto`, the default, for all that
            there are. One inside has to list every file, unless it is the sidecar of a single one
            (FILE.sha1). Some backups vouch for themselves: restic and borg repositories, RDB files with
            their checksum (rdbchecksum yes), and plain or custom dumps compressed as a whole (gzip, bzip2,
            or xz and zstd with a sum) that pg_dump signed at their end. All others without a manifest are
            `warn checksums`: custom and plain dumps as they are, and archives, compressed or not.
        max_age: Oldest acceptable content (RPO). Default 26h: a daily job and two hours of grace.
        age_from: `content` is the time that the backup itself tells, the newest entry of an archive; it is
            the default, because copying does not change it. `file` is the file's own modification time,
            right for data that may rest for longer than `max_age`, and for PostgreSQL dumps from another
            time zone, as the time in them has none.
        min_size: Smallest acceptable size in bytes, of a file or of a snapshot's files. Default 1: what has
            no content is no backup, and how large yours must be nobody else can know.
        shrink: Percentage by which a backup may be smaller than the one before. Default 50, after
            post-mortems in which dumps of a few hundred bytes went unseen for months.
        command: Program and arguments that check the restored data, run in the restored folder without a
            shell; exit code 0 is a pass. The program is looked up here, never in the backup. Default: none.
            For PostgreSQL, PGHOST to PGDATABASE lead to the scratch database: `["psql", "-X", "-v",
            "ON_ERROR_STOP=1", "-c", "…"]`. For Redis the scratch server is at `redis.sock` in that folder,
            and REDIS_SOCKET and REDIS_URL name it: `["redis-cli", "-e", "-s", "redis.sock", …]`.
        restore_target: Longest acceptable restore (RTO); beyond it the verdict is warn. Default 15m, a house
            value: set what was agreed.
        password_file: File with the password of a restic or borg repository. Default: none, which leaves it
            to the variables of the program (RESTIC_PASSWORD_FILE, BORG_PASSCOMMAND and the like).
        server: Connection string or URL, as libpq takes it, of the PostgreSQL server (13 or later) in which a
            scratch database may be made; never the live one, and not through a pooler. Give a role that may
            create databases and nothing else (CREATE ROLE drill LOGIN CREATEDB): what a dump says runs with
            its rights. A role that is, or can become, a superuser, or may make roles, run programs or use
            files on the server is refused. Extensions that are not trusted (pg_stat_statements) want
            `trusted = true` in their .control file there; what only a superuser may make, as an event
            trigger, cannot be drilled. The password is best left to PGPASSWORD or ~/.pgpass.
            connect_timeout in it is in seconds, 10 where it is missing, a house value. Default: none.
        schedule: A word by which the backup job is known in this machine's crontabs and systemd timers, as
            `backup` or `restic`. Where none is found the verdict is warn: age and content decide, not this.
            Default: none, which leaves the check out.
        scratch: Folder to restore into. Default: the system's folder for temporary files.
        max_bytes: Most bytes to restore, against archives that unpack to no end; of a PostgreSQL dump, most
            bytes of SQL. Default 100 GiB, a house value. Whatever it is, a tenth of the free space of the
            scratch disk is left alone.
        max_files: Most entries to restore, against archives that use up all inodes. Default one million, a
            house value.
        outside_links: What to do with links in an archive that lead outside of it: `refuse` the archive, the
            default, as none should hold them, or `skip` them.
    """

    timeout: Duration = "30m"
    source: str = ""
    kind: Literal["auto", Kind] = "auto"
    pattern: list[str] = msgspec.field(default_factory=list)
    manifest: str = "auto"
    max_age: Duration = "26h"
    age_from: Literal["content", "file"] = "content"
    min_size: Annotated[int, msgspec.Meta(ge=0)] = 1
    shrink: Annotated[float, msgspec.Meta(ge=0, le=100)] = 50
    command: list[str] = msgspec.field(default_factory=list)
    restore_target: Duration = "15m"
    password_file: str = ""
    server: str = ""
    schedule: str = ""
    scratch: str = ""
    max_bytes: Annotated[int, msgspec.Meta(gt=0)] = 100 * 2**30
    max_files: Annotated[int, msgspec.Meta(gt=0)] = 1_000_000
    outside_links: Literal["refuse", "skip"] = "refuse"
