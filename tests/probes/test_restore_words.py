"""What an operator reads when there is something else than a backup, or when a backup is bad."""

import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from probes.outcome import Check, Outcome, Reason, Verdict
from probes.restore import repositories
from probes.restore.parameters import RestoreParameters
from probes.restore.picking import KINDS, pick
from tests.servers import backups

Drill = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder the backups lie in; its name has to be quoted in a shell."""
    folder = tmp_path / "our backups"
    folder.mkdir()
    return folder


@pytest.fixture
def drill(run_probe: Drill, store: Path, tmp_path: Path) -> Drill:
    """Run a restore drill of the store."""
    (tmp_path / "password").write_text(backups.PASSWORD)

    async def run(**raw: object) -> Outcome:
        return await run_probe("restore", **{"source": str(store), **raw})

    return run


def line(outcome: Outcome, name: str) -> Check:
    return next(check for check in outcome.checks if check.name == name)


# What lies there.


@pytest.mark.parametrize(
    ("name", "word"),
    [("b.zip", "tar"), ("b.7z", "tar"), ("shop.sql.gpg", "Decrypt"), ("app.tgz.age", "Decrypt")],
)
async def test_a_backup_that_is_not_read_is_named(drill: Drill, store: Path, name: str, word: str) -> None:
    (store / name).write_bytes(b"x")
    outcome = await drill()
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert name in outcome.summary
    assert "no backup" not in outcome.summary
    assert word in outcome.hint


async def test_what_is_no_backup_is_named_too(drill: Drill, store: Path) -> None:
    for name in ("README", "app.tgz.part", "lost+found", "old", "x"):
        (store / name).mkdir()
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "holds no backup, only README, app.tgz.part, lost+found and 2 others." in outcome.summary


async def test_an_empty_folder_is_said_to_be_empty(drill: Drill) -> None:
    assert "is empty" in (await drill()).summary


async def test_names_that_do_not_fit_the_pattern_are_shown(drill: Drill, store: Path) -> None:
    (store / "b.zip").write_bytes(b"x")
    outcome = await drill(pattern=["db-*.dump"])
    assert outcome.verdict is Verdict.FAIL
    assert "holds no backup named db-*.dump, only b.zip." in outcome.summary


@pytest.mark.parametrize("kind", ["auto", "tar", "postgresql"])
async def test_a_dump_that_is_a_folder_is_named(drill: Drill, store: Path, kind: str) -> None:
    (store / "shop").mkdir()
    (store / "shop" / "toc.dat").write_bytes(b"PGDMP")
    outcome = await drill(kind=kind)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert "shop is a dump in the directory format" in outcome.summary
    assert "pg_dump --format=custom" in outcome.hint


@pytest.mark.parametrize(
    ("kind", "make"), [("restic", backups.repository), ("borg", backups.borg_repository)]
)
@pytest.mark.parametrize("said", [True, False])
async def test_a_repository_without_its_config_is_damaged(
    drill: Drill, store: Path, tmp_path: Path, *, kind: str, make: Callable[..., Path], said: bool
) -> None:
    make(store, backups.data(tmp_path / "app"))
    (store / "config").unlink()
    raw = {"kind": kind} if said else {}
    outcome = await drill(password_file=str(tmp_path / "password"), **raw)
    assert outcome.verdict is Verdict.FAIL
    assert f"The {kind} repository is damaged: its file config is not there." in outcome.summary
    assert "Bring config back" in outcome.hint


async def test_all_that_is_not_looked_at_is_told(drill: Drill, store: Path, tmp_path: Path) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app"), store / "app-2.tgz"))
    for name in ("app-1.tgz", "db-1.sql.gz", "db-2.sql.gz", "dump.rdb", "old.zip"):
        (store / name).write_bytes(b"x" * 300_000)
        backups.touch(store / name, hours=5)
    (store / "shop").mkdir()
    (store / "shop" / "toc.dat").write_bytes(b"PGDMP")
    for kind in ("auto", "tar"):
        said = line(await drill(kind=kind), "newest backup").message
        first, others = said.split("; ")
        assert first == "app-2.tgz"
        assert others == (
            "4 other series in this folder not looked at: db-2.sql.gz, dump.rdb, old.zip and 1 other."
        )


async def test_with_a_pattern_only_its_series_count(drill: Drill, store: Path, tmp_path: Path) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app"), store / "app-2.tgz"))
    (store / "db-1.sql.gz").write_bytes(b"x")
    assert line(await drill(pattern=["app-*"]), "newest backup").message == "app-2.tgz."


async def test_snapshots_of_other_paths_are_told(drill: Drill, store: Path, tmp_path: Path) -> None:
    backups.repository(store, backups.data(tmp_path / "a"), hours=2)
    backups.restic(store, "backup", backups.data(tmp_path / "b"))
    outcome = await drill(password_file=str(tmp_path / "password"))
    assert "1 other series in this repository not looked at" in line(outcome, "newest backup").message


# Hints.


@pytest.mark.parametrize(
    ("kind", "make"), [("restic", backups.repository), ("borg", backups.borg_repository)]
)
async def test_the_command_in_the_hint_runs(
    drill: Drill,
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    kind: str,
    make: Callable[..., Path],
) -> None:
    make(store, backups.data(tmp_path / "app"))
    pack = backups.largest_pack(store)
    backups.flip(pack)
    outcome = await drill(password_file=str(tmp_path / "password"))
    command = outcome.hint.partition(f": {kind}")[2]
    assert str(store) in command
    backups.flip(pack)
    monkeypatch.setenv("RESTIC_PASSWORD", backups.PASSWORD)
    monkeypatch.setenv("BORG_PASSPHRASE", backups.PASSWORD)
    monkeypatch.setenv("BORG_BASE_DIR", str(tmp_path / "borg-home"))
    as_typed = ["sh", "-c", f"{kind}{command.removesuffix('.')}"]
    done = subprocess.run(as_typed, check=False, capture_output=True)  # noqa: ASYNC221  # nothing else is to run
    assert done.returncode == 0, done


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("rest:https://user:hidden@host/r", "'rest:https://…@host/r'"),
        ("rest:https://hidden@host/r", "'rest:https://…@host/r'"),
        ("rest:https://user:hid/den@host/r", "'rest:https://…@host/r'"),
        ("rest:https://user:hid@den@host/r", "'rest:https://…@host/r'"),
        ("ssh://backup:hidden@host/./r", "'ssh://…@host/./r'"),
        ("ssh://backup@host/./r", "ssh://backup@host/./r"),
        ("sftp:backup@host:/r", "sftp:backup@host:/r"),
        ("backup@host:r s", "'backup@host:r s'"),
        ("s3:https://host/bucket", "s3:https://host/bucket"),
    ],
)
def test_a_location_in_a_hint_holds_no_secret(location: str, shown: str) -> None:
    assert repositories.quoted(location) == shown


@pytest.mark.parametrize(
    ("kind", "make"), [("restic", backups.repository), ("borg", backups.borg_repository)]
)
async def test_a_password_file_that_is_not_there_is_named(
    drill: Drill, store: Path, tmp_path: Path, *, kind: str, make: Callable[..., Path]
) -> None:
    make(store, backups.data(tmp_path / "app"))
    outcome = await drill(kind=kind, password_file="/nope")
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.MISSING)
    assert outcome.summary == "/nope, the password_file, is not there."
    assert outcome.hint


# Words.


async def test_one_is_not_said_in_the_plural(drill: Drill, store: Path) -> None:
    backups.vouch(backups.handmade(store / "app.tgz", backups.entry("a", b"x")))
    outcome = await drill()
    assert line(outcome, "restore").message == "1 file, 1 B restored."
    assert ": 1 file, 1 B." in outcome.summary


def test_a_wrong_kind_is_told_the_words() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"kind": "zip"}, RestoreParameters)
    assert "typing" not in str(caught.value)
    assert "Literal" not in str(RestoreParameters.__annotations__["kind"].__args__)


def test_each_kind_of_file_is_picked_by_its_usual_ending(store: Path) -> None:
    for kind, endings in KINDS.items():
        for ending in endings:
            path = store / ending.replace("*", "x")
            path.write_bytes(b"x")
            assert pick(RestoreParameters(source=str(store), kind=kind)).newest == path
            path.unlink()
