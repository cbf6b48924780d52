import gzip
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from probes.outcome import Check, Outcome, Reason, Verdict
from probes.restore import archives, detection, picking, schedule
from probes.restore.parameters import RestoreParameters
from tests.servers import backups

Drill = Callable[..., Awaitable[Outcome]]
RunProbe = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The folder the backups lie in."""
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Where restores go; apart, so that anything left or written beside it shows."""
    folder = tmp_path / "outer" / "scratch"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def drill(run_probe: RunProbe, store: Path, scratch: Path) -> Drill:
    """Run a restore drill, and hold it to leaving nothing behind."""

    async def run(**raw: object) -> Outcome:
        outcome = await run_probe("restore", **{"source": str(store), "scratch": str(scratch), **raw})
        assert written_around(scratch) == []
        return outcome

    return run


def written_around(scratch: Path) -> list[Path]:
    return [path for path in [*scratch.iterdir(), *scratch.parent.iterdir()] if path != scratch]


def line(outcome: Outcome, name: str) -> Check:
    return next(check for check in outcome.checks if check.name == name)


def names(outcome: Outcome) -> list[str]:
    return [check.name for check in outcome.checks]


# Archives that are as they should be.


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
@pytest.mark.parametrize(("tool", "suffix"), [("md5sum", "md5"), ("sha256sum", "sha256")])
async def test_an_archive_with_a_manifest_beside_it_passes(
    drill: Drill, tmp_path: Path, store: Path, *, ending: str, tool: str, suffix: str
) -> None:
    archive = backups.archive(backups.data(tmp_path / "app"), store / f"app-20250513.{ending}")
    backups.vouch(archive, tool, suffix)
    outcome = await drill()
    assert outcome.verdict is Verdict.PASS, outcome
    assert line(outcome, "archive checksum").verdict is Verdict.PASS
    assert ("md5 alone" in line(outcome, "archive checksum").message) == (suffix == "md5")
    assert line(outcome, "restore").observed == 3
    assert outcome.metrics["restored_files"] == 3
    assert outcome.metrics["restored_bytes"] > 300_000
    assert outcome.metrics["backup_age_s"] == pytest.approx(3600, abs=300)
    assert "restore_s" in outcome.metrics
    assert outcome.summary.startswith(f"app-20250513.{ending}, 6")
    assert re.search(r" min old, was restored in [\d.]+ s: 3 files, ", outcome.summary)


@pytest.mark.parametrize("ending", ["tar", "tgz"])
@pytest.mark.parametrize(("tool", "name"), [("md5sum", "MD5SUMS"), ("sha256sum", "manifest.sha256")])
async def test_an_archive_with_a_manifest_inside_passes(
    drill: Drill, tmp_path: Path, store: Path, *, ending: str, tool: str, name: str
) -> None:
    source = backups.data(tmp_path / "app")
    (source / name).write_bytes(backups.sums(tool, source))
    backups.archive(source, store / f"app.{ending}")
    outcome = await drill()
    assert outcome.verdict is Verdict.PASS, outcome
    assert "3 files are as listed" in line(outcome, "file checksums").message
    assert ("md5 alone" in line(outcome, "file checksums").message) == (tool == "md5sum")


async def test_manifests_in_the_bsd_form_and_of_a_whole_folder_are_understood(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    archive = backups.archive(backups.data(tmp_path / "app"), store / "app.tgz")
    (store / "SHA512SUMS").write_bytes(backups.sums("sha512sum", store))
    (store / "app.sha256").write_bytes(backups.printed("sha256sum", "--tag", archive))
    outcome = await drill()
    assert outcome.verdict is Verdict.PASS, outcome


async def test_a_file_name_with_a_newline_is_found_in_the_manifest(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    source = backups.data(tmp_path / "app")
    (source / "two\nlines\\").write_text("odd but legal")
    (source / "SHA256SUMS").write_bytes(backups.sums("sha256sum", source))
    backups.archive(source, store / "app.tar")
    assert (await drill()).verdict is Verdict.PASS


async def test_hard_links_and_links_inside_are_restored(drill: Drill, tmp_path: Path, store: Path) -> None:
    source = backups.data(tmp_path / "app")
    os.link(source / "dump.sql", source / "same.sql")
    os.link(source / "latest", source / "same-latest", follow_symlinks=False)
    (source / "SHA256SUMS").write_bytes(backups.sums("sha256sum", source))
    backups.archive(source, store / "app.tgz")
    command = ["sh", "-c", "cmp app/dump.sql app/same.sql && cat app/latest app/same-latest"]
    outcome = await drill(command=command)
    assert outcome.verdict is Verdict.PASS, outcome


async def test_without_any_manifest_readability_is_only_a_warning_that_says_how_to_make_one(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    backups.archive(backups.data(tmp_path / "app"), store / "app.tgz")
    outcome = await drill()
    assert outcome.verdict is Verdict.WARN
    assert "sha256sum app.tgz > app.tgz.sha256" in outcome.hint


async def test_one_archive_can_be_the_source(drill: Drill, tmp_path: Path, store: Path) -> None:
    archive = backups.archive(backups.data(tmp_path / "app"), store / "app.backup")
    backups.vouch(archive)
    assert (await drill(source=str(archive))).verdict is Verdict.PASS


# Damage.


@pytest.mark.parametrize("ending", ["tar", "tgz", "tar.xz", "tar.bz2"])
@pytest.mark.parametrize("where", ["beside", "inside"])
async def test_one_flipped_byte_fails(
    drill: Drill, tmp_path: Path, store: Path, ending: str, where: str
) -> None:
    source = backups.data(tmp_path / "app")
    if where == "inside":
        (source / "SHA256SUMS").write_bytes(backups.sums("sha256sum", source))
    archive = backups.archive(source, store / f"app.{ending}")
    if where == "beside":
        backups.vouch(archive)
    assert (await drill()).verdict is Verdict.PASS
    backups.flip(archive)
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    decisive = {check.name for check in outcome.checks if check.verdict is Verdict.FAIL}
    assert decisive <= {"archive checksum", "file checksums", "restore"}


@pytest.mark.parametrize("ending", ["tgz", "tar.xz", "tar.bz2"])
async def test_one_flipped_byte_in_a_compressed_archive_fails_without_a_manifest(
    drill: Drill, tmp_path: Path, store: Path, ending: str
) -> None:
    archive = backups.archive(backups.data(tmp_path / "app"), store / f"app.{ending}")
    backups.flip(archive)
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert line(outcome, "restore").verdict is Verdict.FAIL


async def test_a_flipped_byte_in_the_gzip_trailer_fails(drill: Drill, tmp_path: Path, store: Path) -> None:
    archive = backups.archive(backups.data(tmp_path / "app"), store / "app.tgz")
    backups.flip(archive, archive.stat().st_size - 6)
    assert (await drill()).verdict is Verdict.FAIL


async def test_a_flipped_byte_in_a_later_header_of_a_plain_archive_fails_without_a_manifest(
    drill: Drill, store: Path
) -> None:
    files = [backups.entry(name, b"x" * 512) for name in ("a", "b", "c")]
    archive = backups.handmade(store / "app.tar", *files)
    backups.flip(archive, 1024 + 10)
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "header at byte 1024 is unreadable" in outcome.summary


@pytest.mark.parametrize("ending", ["tar", "tgz", "tar.xz", "tar.bz2"])
async def test_a_truncated_archive_fails(drill: Drill, tmp_path: Path, store: Path, ending: str) -> None:
    archive = backups.archive(backups.data(tmp_path / "app"), store / f"app.{ending}")
    backups.cut(archive)
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "cannot be restored" in line(outcome, "restore").message


async def test_an_archive_cut_between_two_entries_fails(drill: Drill, store: Path) -> None:
    archive = backups.handmade(store / "app.tar", *(backups.entry(name, b"x" * 512) for name in "abc"))
    backups.cut(archive, 2048)
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "without an end mark" in outcome.summary


async def test_data_after_the_end_mark_fails(drill: Drill, store: Path) -> None:
    archive = backups.handmade(store / "app.tar", backups.entry("a", b"x"))
    archive.write_bytes(archive.read_bytes() + b"more" * 128)
    assert "data follows its end mark" in (await drill()).summary


@pytest.mark.parametrize("content", [b"", b"not an archive at all", b"\x1f\x8b\x08\x00 neither"])
async def test_what_is_no_archive_fails(drill: Drill, store: Path, content: bytes) -> None:
    (store / "app.tar.gz").write_bytes(content)
    assert (await drill()).verdict is Verdict.FAIL


@pytest.mark.parametrize("ending", ["tar", "tgz"])
async def test_an_archive_without_any_file_fails(
    drill: Drill, tmp_path: Path, store: Path, ending: str
) -> None:
    (tmp_path / "nothing").mkdir()
    backups.vouch(backups.archive(tmp_path / "nothing", store / f"app.{ending}"))
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "no file at all" in line(outcome, "restore").message


# Manifests that are no proof.


@pytest.mark.parametrize("content", [b"", b"\n# nothing\n", b"<html>not found</html>\n", b"0123  app.tgz\n"])
@pytest.mark.parametrize("where", ["beside", "inside"])
async def test_an_empty_or_garbled_manifest_fails(
    drill: Drill, tmp_path: Path, store: Path, where: str, content: bytes
) -> None:
    source = backups.data(tmp_path / "app")
    (store / "app.tgz.md5" if where == "beside" else source / "MD5SUMS").write_bytes(content)
    backups.archive(source, store / "app.tgz")
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "Nothing is proven" in outcome.summary


async def test_a_manifest_that_does_not_list_the_archive_fails(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    backups.archive(backups.data(tmp_path / "app"), store / "app.tgz")
    (store / "app.tgz.md5").write_text("d41d8cd98f00b204e9800998ecf8427e  other.tgz\n")
    assert "does not list app.tgz" in (await drill()).summary


async def test_a_restored_file_that_the_manifest_does_not_list_fails(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    source = backups.data(tmp_path / "app")
    (source / "SHA256SUMS").write_bytes(backups.sums("sha256sum", source, leave_out=["dump.sql"]))
    backups.vouch(backups.archive(source, store / "app.tgz"))
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "1 not listed (app/dump.sql)" in outcome.summary


async def test_a_listed_file_that_was_not_restored_fails(drill: Drill, tmp_path: Path, store: Path) -> None:
    source = backups.data(tmp_path / "app")
    (source / "SHA256SUMS").write_bytes(backups.sums("sha256sum", source))
    (source / "dump.sql").unlink()
    backups.vouch(backups.archive(source, store / "app.tgz"))
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "1 missing (app/dump.sql)" in outcome.summary


@pytest.mark.parametrize("name", ["../../../etc/hostname", "/etc/hostname"])
async def test_a_manifest_that_points_outside_fails(
    drill: Drill, tmp_path: Path, store: Path, name: str
) -> None:
    source = backups.data(tmp_path / "app")
    (source / "SHA256SUMS").write_text(f"{'0' * 64}  {name}\n")
    backups.archive(source, store / "app.tgz")
    assert "outside of its folder" in (await drill()).summary


@pytest.mark.parametrize("wanted", ["beside", "inside", "LIST.sha256"])
async def test_a_manifest_that_is_asked_for_and_not_there_fails(
    drill: Drill, tmp_path: Path, store: Path, wanted: str
) -> None:
    backups.archive(backups.data(tmp_path / "app"), store / "app.tgz")
    assert (await drill(manifest=wanted)).verdict is Verdict.FAIL


async def test_a_manifest_under_a_name_of_its_own_is_found_inside(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    source = backups.data(tmp_path / "app")
    (source / "LIST").write_bytes(backups.sums("sha256sum", source))
    backups.archive(source, store / "app.tgz")
    assert (await drill(manifest="LIST")).verdict is Verdict.PASS
    assert (await drill(manifest="app/LIST")).verdict is Verdict.PASS


# Sidecars: checksums of a single file, which vouch for nothing else.


def with_sidecar(folder: Path, listed_as: str = "lib.jar") -> Path:
    source = backups.data(folder)
    (source / "lib.jar").write_bytes(b"a library")
    digest = backups.printed("sha1sum", source / "lib.jar").split()[0].decode()
    (source / "lib.jar.sha1").write_text(f"{digest}  {listed_as}\n" if listed_as else digest)
    return source


@pytest.mark.parametrize("listed_as", ["", "lib.jar", "build/lib.jar", "/home/build/lib.jar"])
async def test_a_sidecar_of_one_restored_file_demands_nothing_of_the_others(
    drill: Drill, tmp_path: Path, store: Path, listed_as: str
) -> None:
    backups.vouch(backups.archive(with_sidecar(tmp_path / "app", listed_as), store / "app.tgz"))
    outcome = await drill()
    assert outcome.verdict is Verdict.PASS, outcome
    assert "1 file is as listed" in line(outcome, "file checksums").message


async def test_a_sidecar_that_does_not_agree_with_its_file_fails(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    source = with_sidecar(tmp_path / "app")
    backups.flip(source / "lib.jar")
    backups.vouch(backups.archive(source, store / "app.tgz"))
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "1 not as listed (app/lib.jar)" in outcome.summary


@pytest.mark.parametrize(("wanted", "verdict"), [("auto", Verdict.WARN), ("inside", Verdict.FAIL)])
async def test_a_sidecar_of_one_file_is_no_proof_of_the_others(
    drill: Drill, tmp_path: Path, store: Path, wanted: str, verdict: Verdict
) -> None:
    backups.archive(with_sidecar(tmp_path / "app"), store / "app.tgz")
    outcome = await drill(manifest=wanted)
    assert outcome.verdict is verdict
    assert line(outcome, "file checksums").verdict is Verdict.PASS
    assert line(outcome, "checksums").verdict is verdict
    assert "damaged" not in outcome.summary


async def test_sidecars_of_all_restored_files_prove_them(drill: Drill, store: Path) -> None:
    digest = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    sidecar = backups.entry("a.sql.sha256", f"{digest}  a.sql\n".encode())
    backups.handmade(store / "app.tgz", backups.entry("a.sql", b"x"), sidecar)
    assert (await drill(manifest="inside")).verdict is Verdict.PASS
    assert (await drill()).verdict is Verdict.PASS


async def test_a_list_demands_all_files_also_beside_a_sidecar(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    source = with_sidecar(tmp_path / "app")
    (source / "SHA256SUMS").write_bytes(backups.sums("sha256sum", source, leave_out=["dump.sql"]))
    backups.vouch(backups.archive(source, store / "app.tgz"))
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "1 not listed (app/dump.sql)" in outcome.summary


async def test_a_manifest_named_by_the_parameter_demands_all_files_whatever_its_name(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    backups.vouch(backups.archive(with_sidecar(tmp_path / "app"), store / "app.tgz"))
    outcome = await drill(manifest="lib.jar.sha1")
    assert outcome.verdict is Verdict.FAIL
    assert "3 not listed" in outcome.summary


# Age and size.


async def test_a_newest_backup_of_three_days_ago_fails(drill: Drill, tmp_path: Path, store: Path) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app", hours=72), store / "app.tgz", hours=72))
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert line(outcome, "backup age").verdict is Verdict.FAIL
    assert line(outcome, "backup age").limit == 26 * 3600
    assert "3.0 d old" in outcome.summary
    assert (await drill(max_age="4d")).verdict is Verdict.PASS


async def test_a_fresh_copy_of_an_old_backup_fails_unless_the_file_is_to_be_believed(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app", hours=72), store / "app.tgz", hours=0))
    assert line(await drill(), "backup age").verdict is Verdict.FAIL
    assert (await drill(age_from="file")).verdict is Verdict.PASS


async def test_entries_dated_in_the_future_do_not_make_a_backup_young(drill: Drill, store: Path) -> None:
    now = int(time.time())
    old = backups.entry("old", b"x", mtime=now - 72 * 3600)
    backups.handmade(store / "app.tar", old, backups.entry("future", b"x", mtime=now + 10**7))
    assert line(await drill(), "backup age").observed == pytest.approx(72 * 3600, abs=300)


async def test_an_archive_dated_in_the_future_fails(drill: Drill, tmp_path: Path, store: Path) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app"), store / "app.tgz", hours=-48))
    assert "in the future" in (await drill(age_from="file")).summary


async def test_a_backup_that_shrank_by_ninety_percent_fails(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "a"), store / "app-1.tgz", hours=25))
    small = backups.data(tmp_path / "b", size=30_000)
    backups.vouch(backups.archive(small, store / "app-2.tgz"))
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    change = line(outcome, "size change")
    assert change.verdict is Verdict.FAIL
    assert change.observed == pytest.approx(-90, abs=1)
    assert (await drill(shrink=95)).verdict is Verdict.PASS


async def test_size_is_compared_within_a_series_and_a_link_is_no_backup_of_its_own(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "a"), store / "files-1.tgz", hours=2))
    newest = backups.archive(backups.data(tmp_path / "b", size=3000), store / "db-1.tgz")
    (store / "latest.tgz").symlink_to(newest.name)
    backups.vouch(newest)
    outcome = await drill()
    assert outcome.verdict is Verdict.PASS, outcome
    assert line(outcome, "newest backup").observed == "db-1.tgz"
    assert "1 other series" in line(outcome, "newest backup").message
    assert "size change" not in names(outcome)
    assert line(await drill(pattern=["files-*.tgz"]), "newest backup").observed == "files-1.tgz"


async def test_a_backup_below_the_smallest_size_fails(drill: Drill, tmp_path: Path, store: Path) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app"), store / "app.tgz"))
    assert line(await drill(min_size=10**6), "backup size").verdict is Verdict.FAIL


async def test_a_restore_slower_than_its_target_is_a_warning(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app"), store / "app.tgz"))
    outcome = await drill(restore_target="0s")
    assert outcome.verdict is Verdict.WARN
    assert line(outcome, "restore time").verdict is Verdict.WARN


# The verification command.


async def test_the_verification_command_sees_the_restored_files(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app"), store / "app.tgz"))
    outcome = await drill(command=["grep", "-c", "9.50", "app/orders/2025.csv"])
    assert outcome.verdict is Verdict.PASS
    assert line(outcome, "verification command").message == "grep: exit code 0: 1."


async def test_a_verification_command_that_fails_shows_its_last_line_only(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app"), store / "app.tgz"))
    outcome = await drill(command=["sh", "-c", "echo customer data; echo no orders of today >&2; exit 3"])
    assert outcome.verdict is Verdict.FAIL
    assert line(outcome, "verification command").observed == 3
    assert "exit code 3: no orders of today" in outcome.summary
    assert "customer data" not in outcome.summary


async def test_a_verification_command_that_is_not_there_is_unknown(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    source = backups.data(tmp_path / "app")
    (source / "check").write_text("#!/bin/sh\nexit 0\n")
    (source / "check").chmod(0o755)
    backups.vouch(backups.archive(source, store / "app.tgz"))
    shutil.rmtree(source)
    for command in ("no-such-program", "./app/check"):
        outcome = await drill(command=[command])
        assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.MISSING)


# Hostile archives. The fixture holds each to writing nothing outside.

ABSOLUTE = Path(tempfile.gettempdir(), f"gonogo-escaped-{os.getpid()}")
_LINK = {"type": tarfile.SYMTYPE}


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ([backups.entry("../../escaped", b"x")], "leads outside"),
        ([backups.entry("a/../../../escaped", b"x")], "leads outside"),
        ([backups.entry(str(ABSOLUTE), b"x")], "absolute path"),
        ([backups.entry("out", linkname="../../..", **_LINK), backups.entry("out/escaped", b"x")], ""),
        ([backups.entry("out", linkname="/etc", **_LINK)], "link that leads outside"),
        ([backups.entry("out", linkname="../../../x", **_LINK)], "link that leads outside"),
        ([backups.entry("out", linkname="/etc/hostname", type=tarfile.LNKTYPE)], "link that leads outside"),
        ([backups.entry("out", linkname="../../x", type=tarfile.LNKTYPE)], "link that leads outside"),
        ([backups.entry("lost", linkname="nowhere", type=tarfile.LNKTYPE)], "does not hold"),
        ([backups.entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)], "device or pipe"),
        ([backups.entry("pipe", type=tarfile.FIFOTYPE)], "device or pipe"),
        ([backups.entry("header", b"x" * 2**21, type=tarfile.GNUTYPE_LONGNAME)], "header of"),
        ([backups.entry("late", b"x", mtime=2**80)], "cannot be restored"),
    ],
)
async def test_a_hostile_archive_is_refused(
    drill: Drill, store: Path, entries: list[tuple[tarfile.TarInfo, bytes]], why: str
) -> None:
    good = backups.entry("good", b"x")
    backups.vouch(backups.handmade(store / "app.tar.gz", good, *entries))
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert why in line(outcome, "restore").message
    assert not list(ABSOLUTE.parent.glob(ABSOLUTE.name))


async def test_a_chain_of_links_that_hides_where_it_leads_writes_nothing_outside(
    drill: Drill, store: Path
) -> None:
    # Longer than any path may be, so that a resolver gives up halfway and takes the rest for harmless.
    entries, name = [], ""
    for letter in "abcdefghijklmnop":
        entries.append(backups.entry(f"{name}{letter * 247}", type=tarfile.DIRTYPE))
        entries.append(backups.entry(f"{name}{letter}", linkname=letter * 247, **_LINK))
        name += f"{letter}/"
    entries.append(backups.entry(f"{name}{'l' * 254}", linkname="../" * 16, **_LINK))
    entries.append(backups.entry("escape", linkname=f"{name}{'l' * 254}/../../..", **_LINK))
    entries.append(backups.entry("escape/escaped", b"x"))
    backups.vouch(backups.handmade(store / "app.tar", *entries))
    assert (await drill()).verdict is not Verdict.PASS


async def test_a_link_that_leads_outside_only_by_a_later_link_is_refused(drill: Drill, store: Path) -> None:
    folder = backups.entry("p/q/r", type=tarfile.DIRTYPE)
    out = backups.entry("out", linkname="p/q/r/up/../../../..", **_LINK)
    up = backups.entry("p/q/r/up", linkname="../../..", **_LINK)
    backups.vouch(backups.handmade(store / "app.tar", backups.entry("good", b"x"), folder, out, up))
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "link that leads outside, out -> p/q/r/up" in line(outcome, "restore").message


async def test_a_link_is_not_made_through_another_link(drill: Drill, store: Path) -> None:
    through = [backups.entry("to", linkname="d", **_LINK), backups.entry("to/in", linkname="good", **_LINK)]
    folder = backups.entry("d", type=tarfile.DIRTYPE)
    backups.vouch(backups.handmade(store / "app.tar", backups.entry("good", b"x"), folder, *through))
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "path that leads through a link, to/in" in line(outcome, "restore").message


async def test_links_that_lead_in_a_circle_or_nowhere_are_harmless(drill: Drill, store: Path) -> None:
    links = [("a", "b"), ("b", "./a"), ("current", "releases/../releases/5/"), ("top", "."), ("./d/up", "..")]
    entries = [backups.entry(name, linkname=leads_to, **_LINK) for name, leads_to in links]
    backups.vouch(backups.handmade(store / "app.tar", backups.entry("good", b"x"), *entries))
    outcome = await drill(command=["sh", "-c", "cat d/up/top/good && readlink a"])
    assert outcome.verdict is Verdict.PASS, outcome
    assert line(outcome, "verification command").message == "sh: exit code 0: xb."


async def test_restored_files_are_our_own_and_nobody_else_may_write_to_them(
    drill: Drill, store: Path
) -> None:
    owner = {"uid": 12345, "gid": 12345, "uname": "daemon", "gname": "daemon"}
    folder = backups.entry("d", type=tarfile.DIRTYPE, mode=0o7777, **owner)
    tool = backups.entry("d/tool", b"x", mode=0o6777, **owner)
    closed = backups.entry("closed", b"x", mode=0o1017, **owner)
    hard = backups.entry("hard", linkname="d/tool", type=tarfile.LNKTYPE, mode=0o6777, **owner)
    soft = backups.entry("soft", linkname="closed", **_LINK, **owner)
    backups.vouch(backups.handmade(store / "app.tar", folder, tool, closed, hard, soft))
    show = "stat --format '%a %u %g' d d/tool closed; stat --format '%u %g' soft"
    outcome = await drill(command=["sh", "-c", f"({show}) | tr '\\n' ' '"])
    us = f"{os.geteuid()} {os.getegid()}"
    said = line(outcome, "verification command").message
    assert said == f"sh: exit code 0: 755 {us} 755 {us} 604 {us} {us}."


def test_a_restore_needs_no_filter_of_tarfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Python 3.11.0 to 3.11.3 have none, and that of Debian 12 is one of them.
    for name in ("data_filter", "FilterError"):
        monkeypatch.delattr(tarfile, name, raising=False)
    hard = backups.entry("d/hard", linkname="file", type=tarfile.LNKTYPE)
    soft = backups.entry("d/soft", linkname="../file", **_LINK)
    archive = backups.handmade(tmp_path / "app.tgz", backups.entry("file", b"x"), hard, soft)
    target = tmp_path / "target"
    target.mkdir()
    restored = archives.restore(archive, target, archives.Limits(10**5, 10, 10**5))
    assert (restored.files, restored.bytes) == (1, 1)
    assert (target / "d" / "hard").read_bytes() == (target / "d" / "soft").read_bytes() == b"x"
    pipe = backups.handmade(tmp_path / "pipe.tar", backups.entry("pipe", type=tarfile.FIFOTYPE))
    with pytest.raises(archives.RefusedError, match="device or pipe"):
        archives.restore(pipe, target, archives.Limits(10**5, 10, 10**5))


async def test_links_outside_can_be_left_out(drill: Drill, store: Path) -> None:
    link = backups.entry("localtime", linkname="/usr/share/zoneinfo/UTC", **_LINK)
    backups.vouch(backups.handmade(store / "etc.tar", link, backups.entry("hosts", b"x")))
    assert (await drill()).verdict is Verdict.FAIL
    outcome = await drill(outside_links="skip")
    assert outcome.verdict is Verdict.PASS
    assert "1 link that leads outside left out" in line(outcome, "restore").message


@pytest.mark.parametrize(
    ("limit", "word"), [({"max_bytes": 10**6}, "976.6 KiB"), ({"max_files": 2}, "2 entries")]
)
async def test_an_archive_beyond_a_limit_is_unknown(
    drill: Drill, store: Path, limit: dict[str, int], word: str
) -> None:
    zeros = [backups.entry(name, bytes(10**6)) for name in ("a", "b", "c")]
    backups.vouch(backups.handmade(store / "app.tgz", *zeros))
    outcome = await drill(**limit)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.LIMIT)
    assert word in outcome.summary
    assert outcome.hint == f"If that is right, raise {next(iter(limit))}."
    assert (await drill()).verdict is Verdict.PASS


async def test_zeros_without_end_behind_an_archive_are_unknown(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    archive = backups.handmade(tmp_path / "app.tar", backups.entry("a", b"x"))
    with archive.open("ab") as file:
        file.truncate(2**24)
    (store / "app.tgz").write_bytes(backups.printed("gzip", "--stdout", archive))
    outcome = await drill(max_bytes=10**6)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.LIMIT)


async def test_a_sparse_file_larger_than_the_disk_is_unknown(
    drill: Drill, store: Path, tmp_path: Path
) -> None:
    (tmp_path / "app").mkdir()
    with (tmp_path / "app" / "sparse").open("wb") as file:
        file.truncate(2**43)
    backups.printed("tar", "--sparse", "-cf", store / "app.tar", "-C", tmp_path, "app")
    outcome = await drill(max_bytes=2**60)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.LIMIT)
    assert "Set scratch" in outcome.hint


# Could not look.


@pytest.mark.parametrize("source", ["", "${GONOGO_TEST_UNSET:-}"])
async def test_without_a_source_it_is_not_configured(drill: Drill, source: str) -> None:
    outcome = await drill(source=source)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert "Set source to the folder of the backups" in outcome.hint


async def test_a_folder_without_a_backup_fails(drill: Drill, store: Path) -> None:
    (store / "app.tar.gz.part").write_bytes(b"being written")
    outcome = await drill()
    assert outcome.verdict is Verdict.FAIL
    assert "holds no backup" in outcome.summary


# Under root no permission counts, so the drill is then run as somebody else.
_LOOK = """
import os, sys
from probes import restore
from probes.restore import archives
from probes.outcome import CannotTell
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
try:
    restore.probe(restore.RestoreParameters(source=sys.argv[1], scratch=sys.argv[2]))
except CannotTell as doubt:
    print(doubt.reason)
"""


@pytest.mark.parametrize("what", ["folder", "archive", "scratch", "lost+found"])
def test_what_may_not_be_entered_is_unknown(what: str) -> None:
    # The folders of pytest are private to its user, so that somebody else would never come as far as here.
    with tempfile.TemporaryDirectory() as outer:
        folder, scratch = Path(outer, "backups"), Path(outer, "scratch")
        archive = backups.archive(backups.data(folder / "app"), folder / "app.tgz")
        scratch.mkdir()
        closed = folder / "lost+found"
        closed.mkdir()
        for path, mode in ((Path(outer), 0o755), (scratch, 0o777), (archive, 0o644), (folder, 0o755)):
            path.chmod(mode)
        {"folder": folder, "archive": archive, "scratch": scratch, "lost+found": closed}[what].chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", _LOOK, folder, scratch],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        folder.chmod(0o700)
        scratch.chmod(0o700)
    # What else lies in the folder is no concern of the drill.
    expected = "" if what == "lost+found" else "forbidden"
    assert (done.returncode, done.stdout.strip()) == (0, expected), done.stderr


# The scratch folder.


async def test_restored_data_is_private_while_it_exists(drill: Drill, tmp_path: Path, store: Path) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app"), store / "app.tgz"))
    outcome = await drill(command=["stat", "--format", "%a", ".."])
    assert "exit code 0: 700" in line(outcome, "verification command").message


async def test_read_only_folders_do_not_outlive_the_drill(drill: Drill, tmp_path: Path, store: Path) -> None:
    source = backups.data(tmp_path / "app")
    (source / "orders").chmod(0o500)
    backups.repository(store, source)
    outcome = await drill(password_file=_password(tmp_path))
    (source / "orders").chmod(0o700)
    assert outcome.verdict is Verdict.PASS, outcome


# As on another host or in another container, no process here has the number of the one that began the drill.
_ELSEWHERE = """
import os, sys
from pathlib import Path
from probes.restore import scratch
with scratch.folder(sys.argv[1]) as folder:
    (folder / "restored").mkdir()
    if os.fork():
        os._exit(0)
    print(os.getpid(), folder, flush=True)
    sys.stdin.read()
"""


@contextmanager
def drill_elsewhere(scratch: Path) -> Iterator[tuple[int, Path]]:
    """Yield the process and the folder of a drill that lives until the end of the context."""
    with subprocess.Popen(
        [sys.executable, "-c", _ELSEWHERE, scratch],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        pid, _, folder = process.stdout.readline().strip().partition(" ")
        assert process.wait(30) == 0
        yield int(pid), Path(folder)


async def test_the_live_drill_of_another_host_is_not_swept(
    run_probe: RunProbe, tmp_path: Path, store: Path, scratch: Path
) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app"), store / "app.tgz"))
    with drill_elsewhere(scratch) as (_, folder):
        outcome = await run_probe("restore", source=str(store), scratch=str(scratch))
        assert outcome.verdict is Verdict.PASS
        assert written_around(scratch) == [folder]
        assert (folder / "restored").exists()


async def test_what_killed_runs_left_is_swept_and_nothing_else(
    run_probe: RunProbe, tmp_path: Path, store: Path, scratch: Path
) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app"), store / "app.tgz"))
    with drill_elsewhere(scratch) as (pid, stale):
        os.kill(pid, signal.SIGKILL)
    (stale / "restored").chmod(stat.S_IRUSR)
    keep = [scratch / "gonogo-restore-abcd1234", scratch / "gonogo-restore-notes", scratch / "other-abcd1234"]
    for folder in keep:
        (folder / "restored").mkdir(parents=True)
    outside = backups.data(tmp_path / "outside")
    (outside / "lock").touch()
    (outside / "orders").chmod(0o755)
    link = scratch / "gonogo-restore-link1234"
    link.symlink_to(outside)
    outcome = await run_probe("restore", source=str(store), scratch=str(scratch))
    assert outcome.verdict is Verdict.PASS
    assert sorted(written_around(scratch)) == sorted([*keep, link])
    assert (outside / "dump.sql").exists()
    assert stat.S_IMODE((outside / "orders").stat().st_mode) == 0o755


async def test_a_drill_that_runs_out_of_time_leaves_nothing(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app"), store / "app.tgz"))
    outcome = await drill(command=["sleep", "60"], timeout="2s")
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.TIMEOUT)


# restic.


def _password(tmp_path: Path, password: str = backups.PASSWORD) -> str:
    file = tmp_path / "password"
    file.write_text(password)
    return str(file)


async def test_a_healthy_repository_passes(drill: Drill, tmp_path: Path, store: Path) -> None:
    source = backups.data(tmp_path / "app")
    (source / "SHA256SUMS").write_bytes(backups.sums("sha256sum", source))
    backups.repository(store, source)
    outcome = await drill(
        password_file=_password(tmp_path), command=["find", ".", "-name", "dump.sql", "-size", "+1k"]
    )
    assert outcome.verdict is Verdict.PASS, outcome
    assert line(outcome, "restore").observed == 4
    assert line(outcome, "file checksums").verdict is Verdict.PASS
    assert "/app/dump.sql" in line(outcome, "verification command").message
    assert outcome.metrics["backup_age_s"] == pytest.approx(3600, abs=300)
    assert backups.PASSWORD not in str(outcome)


async def test_the_password_may_come_from_restics_own_environment(
    drill: Drill, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups.repository(store, backups.data(tmp_path / "app"))
    monkeypatch.setenv("RESTIC_PASSWORD", backups.PASSWORD)
    outcome = await drill()
    assert outcome.verdict is Verdict.PASS, outcome


async def test_a_flipped_byte_in_a_pack_fails(drill: Drill, tmp_path: Path, store: Path) -> None:
    backups.repository(store, backups.data(tmp_path / "app"))
    backups.flip(backups.largest_pack(store))
    outcome = await drill(password_file=_password(tmp_path))
    assert outcome.verdict is Verdict.FAIL
    assert "ciphertext verification failed" in line(outcome, "restore").message


async def test_a_truncated_pack_fails(drill: Drill, tmp_path: Path, store: Path) -> None:
    backups.repository(store, backups.data(tmp_path / "app"))
    backups.cut(backups.largest_pack(store))
    outcome = await drill(password_file=_password(tmp_path))
    assert outcome.verdict is Verdict.FAIL
    assert "Load(" in line(outcome, "restore").message
    assert f"restic -r {store} check --read-data" in line(outcome, "restore").hint


async def test_a_truncated_index_fails(drill: Drill, tmp_path: Path, store: Path) -> None:
    backups.repository(store, backups.data(tmp_path / "app"))
    backups.cut(next((store / "index").iterdir()))
    outcome = await drill(password_file=_password(tmp_path))
    assert outcome.verdict is Verdict.FAIL


async def test_a_snapshot_of_an_empty_folder_fails(drill: Drill, tmp_path: Path, store: Path) -> None:
    (tmp_path / "nothing").mkdir()
    backups.repository(store, tmp_path / "nothing")
    outcome = await drill(password_file=_password(tmp_path))
    assert outcome.verdict is Verdict.FAIL
    assert line(outcome, "restore").observed == 0


@pytest.mark.parametrize("kind", ["auto", "restic"])
async def test_a_wrong_password_is_unknown(drill: Drill, tmp_path: Path, store: Path, kind: str) -> None:
    backups.repository(store)
    outcome = await drill(password_file=_password(tmp_path, "wrong"), kind=kind)
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.AUTH)


async def test_no_password_is_not_configured(drill: Drill, store: Path) -> None:
    backups.repository(store)
    outcome = await drill()
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)


async def test_a_server_that_refuses_the_connection_is_unknown(
    drill: Drill, tmp_path: Path, unused_tcp_port: int
) -> None:
    location = f"rest:http://user:hidden@127.0.0.1:{unused_tcp_port}/"
    outcome = await drill(source=location, password_file=_password(tmp_path))
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.REFUSED)
    assert "hidden" not in str(outcome)


async def test_without_restic_it_is_unknown(
    drill: Drill, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups.repository(store)
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = await drill(password_file=_password(tmp_path))
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.MISSING)
    assert "apt install restic" in outcome.hint


# borg.


def state_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


async def test_borg_writes_neither_to_the_repository_nor_to_the_home_of_the_operator(
    drill: Drill, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    source = backups.data(tmp_path / "app")
    (source / "SHA256SUMS").write_bytes(backups.sums("sha256sum", source))
    backups.borg_repository(store, source)
    before = state_of(store)
    outcome = await drill(password_file=_password(tmp_path))
    assert outcome.verdict is Verdict.PASS, outcome
    assert state_of(store) == before
    assert list(home.iterdir()) == []
    assert line(outcome, "file checksums").observed == 0
    assert outcome.metrics["backup_age_s"] == pytest.approx(3600, abs=300)
    assert outcome.summary.startswith("Archive app-1, 6")
    assert backups.PASSWORD not in str(outcome)


async def test_the_time_of_an_archive_is_right_in_every_zone(
    drill: Drill, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups.borg_repository(store, backups.data(tmp_path / "app"))
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    outcome = await drill(password_file=_password(tmp_path))
    assert outcome.metrics["backup_age_s"] == pytest.approx(3600, abs=300)


@pytest.mark.parametrize("variable", ["BORG_PASSPHRASE", "BORG_PASSCOMMAND"])
async def test_the_password_may_come_from_borgs_own_environment(
    drill: Drill, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    backups.borg_repository(store, backups.data(tmp_path / "app"))
    values = {"BORG_PASSPHRASE": backups.PASSWORD, "BORG_PASSCOMMAND": f"echo '{backups.PASSWORD}'"}
    monkeypatch.setenv(variable, values[variable])
    outcome = await drill()
    assert outcome.verdict is Verdict.PASS, outcome


async def test_a_password_file_rules_out_the_environment_and_may_have_any_name(
    drill: Drill, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups.borg_repository(store, backups.data(tmp_path / "app"))
    monkeypatch.setenv("BORG_PASSPHRASE", "of another repository")
    odd = tmp_path / "it's $HOME's; password"
    odd.write_text(backups.PASSWORD)
    assert (await drill(password_file=str(odd))).verdict is Verdict.PASS


async def test_a_repository_whose_key_file_is_not_here_is_unknown(
    drill: Drill, tmp_path: Path, store: Path
) -> None:
    backups.borg_repository(store, backups.data(tmp_path / "app"), encryption="keyfile-blake2")
    outcome = await drill(password_file=_password(tmp_path))
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert "borg key import" in outcome.hint


async def test_a_key_file_of_the_operator_is_used_where_it_is(
    drill: Drill, tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups.borg_repository(store, backups.data(tmp_path / "app"), encryption="keyfile-blake2")
    monkeypatch.setenv("BORG_BASE_DIR", str(tmp_path / "borg-home"))
    outcome = await drill(password_file=_password(tmp_path))
    assert outcome.verdict is Verdict.PASS, outcome


async def test_archives_are_compared_within_their_series(drill: Drill, tmp_path: Path, store: Path) -> None:
    home = tmp_path / "borg-home"
    backups.borg_repository(store, backups.data(tmp_path / "a"))
    small = backups.data(tmp_path / "b", size=3000)
    backups.borg(home, "create", f"{store}::files-1", small)
    outcome = await drill(password_file=_password(tmp_path))
    assert outcome.verdict is Verdict.PASS, outcome
    assert line(outcome, "newest backup").observed == "files-1"
    assert "1 other series" in line(outcome, "newest backup").message
    assert "size change" not in names(outcome)
    backups.borg(home, "create", f"{store}::app-2", small)
    assert line(await drill(password_file=_password(tmp_path)), "size change").verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("location", "reason"),
    [("ssh://127.0.0.1:{port}/./x", Reason.REFUSED), ("ssh://nowhere.invalid/./x", Reason.DNS)],
)
async def test_a_borg_server_that_cannot_be_reached_is_unknown(
    drill: Drill, tmp_path: Path, unused_tcp_port: int, location: str, reason: Reason
) -> None:
    source = location.format(port=unused_tcp_port)
    outcome = await drill(source=source, password_file=_password(tmp_path))
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, reason), outcome
    assert outcome.hint


async def test_without_ssh_a_borg_server_is_unknown_and_not_damaged(
    drill: Drill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BORG_RSH", "gonogo-no-such-program")
    outcome = await drill(source="ssh://127.0.0.1/./x", password_file=_password(tmp_path))
    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.MISSING), outcome
    assert "apt install openssh-client" in outcome.hint


# zstd.


async def test_an_archive_with_a_long_window_is_read(drill: Drill, tmp_path: Path, store: Path) -> None:
    # Only of a pipe, whose length it cannot know, does zstd make so large a window of so small a file.
    archive = backups.archive(backups.data(tmp_path / "app"), tmp_path / "app.tar")
    packed = backups.printed("sh", "-c", f"cat {archive} | zstd --ultra --long=30 --stdout")
    (store / "app.tar.zst").write_bytes(packed)
    backups.vouch(store / "app.tar.zst")
    assert (await drill(age_from="file")).verdict is Verdict.PASS


def test_no_zstd_lives_on_when_its_archive_is_refused(tmp_path: Path) -> None:
    entries = [backups.entry("good", os.urandom(2**22)), backups.entry("/bad", b"x")]
    tar = backups.handmade(tmp_path / "app.tar", backups.entry("/bad", b"x"), *entries)
    archive = tmp_path / "app.tar.zst"
    archive.write_bytes(backups.printed("zstd", "--stdout", tar))
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(archives.RefusedError):
        archives.restore(archive, target, archives.Limits(10**8, 10, 10**8))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


# What a source is.


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("app.tgz", b"PGDMP\x01", "postgresql"),
        ("app.sql", b"--\n-- PostgreSQL database dump\n--\n", "postgresql"),
        (
            "all.sql.gz",
            gzip.compress(b"--\n-- PostgreSQL database cluster dump\n--\n", mtime=0),
            "postgresql",
        ),
        ("broken.sql.gz", b"\x1f\x8b\x08\x00broken", "postgresql"),
        ("broken.dump", b"XGDMP\x01", "postgresql"),
        ("app.tar", b"toc.dat".ljust(257, b"\0") + b"ustar".ljust(255, b"\0") + b"PGDMP", "postgresql"),
        ("files.tar", b"toc.dat".ljust(257, b"\0") + b"ustar", "tar"),
        ("dump.rdb", b"REDIS0011", "redis"),
        ("dump.tar", b"REDIS0011", "redis"),
        ("broken.rdb", b"XEDIS0011", "redis"),
        ("files.dump", b"x" * 257 + b"ustar", "tar"),
        ("app.tar", b"anything", "tar"),
    ],
)
def test_a_file_is_what_it_holds_and_only_then_what_it_is_called(
    store: Path, name: str, content: bytes, kind: str
) -> None:
    (store / name).write_bytes(content)
    assert detection.kind_of(RestoreParameters(source=str(store))) == kind
    assert detection.kind_of(RestoreParameters(source=str(store / name))) == kind
    assert detection.kind_of(RestoreParameters(source=str(store), kind="borg")) == "borg"


def test_a_kind_that_is_named_looks_at_its_own_files_only(store: Path) -> None:
    for name in ("app.tgz", "app.dump", "app.rdb"):
        (store / name).write_bytes(b"x")
        backups.touch(store / name, hours=len(name))
    for kind, name in (("tar", "app.tgz"), ("postgresql", "app.dump"), ("redis", "app.rdb")):
        picked = picking.pick(msgspec.convert({"source": str(store), "kind": kind}, RestoreParameters))
        assert picked.newest.name == name
        assert len(picked.others) == 2


# The schedule.

_JOB = "gonogo-test-job"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """A folder like /etc, without any job in it."""
    for name in ("cron.d", "cron.daily"):
        (tmp_path / "etc" / name).mkdir(parents=True)
    return tmp_path / "etc"


@pytest.mark.parametrize("table", ["crontab", "anacrontab", "cron.d/app"])
def test_a_job_in_a_table_of_the_system_is_found_and_its_line_not_shown(etc: Path, table: str) -> None:
    (etc / table).write_text(
        f"# jobs\nPATH=/opt/{_JOB}\n0 3 * * * root PASSWORD=hidden /opt/{_JOB.upper()}\n"
    )
    check = schedule.look(_JOB, etc)
    assert check.verdict is Verdict.PASS
    assert check.observed == f"{etc / table}, line 3"
    assert "hidden" not in str(check)


@pytest.mark.parametrize("text", [f"#0 3 * * * root {_JOB}\n", f"NAME={_JOB}\n", "", "\xff\n"])
def test_a_line_that_starts_nothing_is_no_job(etc: Path, text: str) -> None:
    (etc / "crontab").write_text(text, encoding="latin-1")
    check = schedule.look(_JOB, etc)
    assert check.verdict is Verdict.WARN
    assert "crontab -e" in check.hint


def test_a_script_counts_only_if_it_can_be_run(etc: Path) -> None:
    script = etc / "cron.daily" / f"{_JOB}-nightly"
    script.write_text("#!/bin/sh\n")
    assert schedule.look(_JOB, etc).verdict is Verdict.WARN
    script.chmod(0o755)
    assert schedule.look(_JOB, etc).verdict is Verdict.PASS


@pytest.mark.parametrize("said", ["NEXT LEFT LAST PASSED UNIT ACTIVATES", "", "{}", '[{"next": "soon"}]'])
def test_a_systemctl_that_knows_no_json_is_no_obstacle(
    etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    backups.program(tmp_path / "bin" / "systemctl", said)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert schedule.look(_JOB, etc).verdict is Verdict.WARN


def test_without_cron_and_systemd_it_is_only_a_warning(
    etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert schedule.look(_JOB, etc / "nowhere").verdict is Verdict.WARN


async def test_without_a_word_there_is_no_such_check(drill: Drill, tmp_path: Path, store: Path) -> None:
    backups.vouch(backups.archive(backups.data(tmp_path / "app"), store / "app.tgz"))
    assert "schedule" not in names(await drill())
