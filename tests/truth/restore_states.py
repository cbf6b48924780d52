"""The states of the restore rows of the table of truth: archives and repositories."""

import gzip
import json
import os
import shutil
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.servers import backups
from tests.truth.table import row

Parameters = dict[str, Any]

ENDINGS = ("tar", "tgz", "tbz2", "txz", "tar.zst")


def store(folder: Path) -> Path:
    """Return the folder that the backups lie in."""
    (folder / "backups").mkdir(exist_ok=True)
    return folder / "backups"


def packed(folder: Path, ending: str = "tgz", *, vouched: bool = True, **data: Any) -> Path:
    """Make a good archive in the store."""
    source = backups.data(folder / "app", **data)
    archive = backups.archive(source, store(folder) / f"app.{ending}", hours=data.get("hours", 1))
    if vouched:
        backups.vouch(archive)
    return archive


def parameters(folder: Path, **more: Any) -> Parameters:
    # How fast this machine is must not decide.
    return {"source": str(store(folder)), "scratch": str(scratch(folder)), "restore_target": "30m", **more}


def scratch(folder: Path) -> Path:
    path = folder / "outer" / "scratch"
    path.mkdir(parents=True, exist_ok=True)
    return path


def add(state: str, expected: str, make: Callable[[Path], Parameters]) -> None:
    """Add a row whose state needs no cleaning."""

    @row("restore", state, expected)
    def of_a_folder(folder: Path) -> Iterator[Parameters]:
        yield make(folder)
        left = [path for path in scratch(folder).parent.rglob("*") if path != scratch(folder)]
        assert not left, f"the drill left something behind, or wrote outside: {left}"


# Archives.


def _good(ending: str) -> Callable[[Path], Parameters]:
    def make(folder: Path) -> Parameters:
        packed(folder, ending)
        return parameters(folder)

    return make


def _spoiled(ending: str, how: Callable[[Path], None], *, vouched: bool) -> Callable[[Path], Parameters]:
    def make(folder: Path) -> Parameters:
        how(packed(folder, ending, vouched=vouched))
        return parameters(folder)

    return make


for ending in ENDINGS:
    add(f"good {ending}", "pass", _good(ending))
    for word, how in (("one flipped byte", backups.flip), ("truncated", backups.cut)):
        add(f"{ending}, {word}", "fail archive checksum", _spoiled(ending, how, vouched=True))
        # In a plain archive a flipped byte of content shows in no other way than by a checksum.
        seen = word == "truncated" or ending != "tar"
        if seen:
            state = f"{ending}, {word}, no manifest"
            add(state, "fail restore", _spoiled(ending, how, vouched=False))


def with_list_inside(folder: Path, spoil: Callable[[Path], None], tool: str = "sha256sum") -> Path:
    """Make an archive whose files are spoiled after they were listed."""
    source = backups.data(folder / "app")
    (source / "SHA256SUMS").write_bytes(backups.sums(tool, source))
    spoil(source)
    return backups.archive(source, store(folder) / "app.tar")


def _listed(spoil: Callable[[Path], None], tool: str = "sha256sum") -> Callable[[Path], Parameters]:
    def make(folder: Path) -> Parameters:
        with_list_inside(folder, spoil, tool)
        return parameters(folder)

    return make


def _more(source: Path) -> None:
    (source / "unlisted").write_text("x")


def _less(source: Path) -> None:
    (source / "dump.sql").unlink()


def _flipped(source: Path) -> None:
    backups.flip(source / "dump.sql")


def _emptied(source: Path) -> None:
    (source / "SHA256SUMS").write_text("")


def _outside(source: Path) -> None:
    (source / "SHA256SUMS").write_text(f"{'0' * 64}  ../../../../etc/hostname\n")


add("manifest inside", "pass", _listed(lambda _: None))
add("md5 manifest inside", "pass", _listed(lambda _: None, "md5sum"))
add("tar, one flipped byte, manifest inside", "fail file checksums", _listed(_flipped))
add("extra file", "fail file checksums", _listed(_more))
add("file of the manifest missing", "fail file checksums", _listed(_less))
add("empty manifest inside", "fail file checksums", _listed(_emptied))
add("manifest leads outside", "fail file checksums", _listed(_outside))


def _missing_from_the_manifest(folder: Path) -> Parameters:
    source = backups.data(folder / "app")
    (source / "MD5SUMS").write_bytes(backups.sums("md5sum", source, leave_out=["dump.sql"]))
    backups.archive(source, store(folder) / "app.tgz")
    return parameters(folder)


def _beside(content: bytes) -> Callable[[Path], Parameters]:
    def make(folder: Path) -> Parameters:
        packed(folder, vouched=False).with_name("app.tgz.sha256").write_bytes(content)
        return parameters(folder)

    return make


def _bsd(folder: Path) -> Parameters:
    archive = packed(folder, vouched=False)
    archive.with_name("app.tgz.md5").write_bytes(backups.printed("md5sum", "--tag", archive))
    return parameters(folder)


add("file missing from the manifest", "fail file checksums", _missing_from_the_manifest)
add("empty manifest", "fail archive checksum", _beside(b""))
add("garbled manifest", "fail archive checksum", _beside(b"<html>404</html>\n"))
add("manifest of another archive", "fail archive checksum", _beside(b"0" * 64 + b"  other.tgz\n"))
add("md5 manifest in the BSD form", "pass", _bsd)
add("no manifest", "warn checksums", _spoiled("tgz", lambda _: None, vouched=False))


def _no_bytes(folder: Path) -> Parameters:
    (store(folder) / "app.tgz").touch()
    return parameters(folder)


def _no_files(folder: Path) -> Parameters:
    (folder / "app").mkdir()
    backups.vouch(backups.archive(folder / "app", store(folder) / "app.tgz"))
    return parameters(folder)


def _no_archive(folder: Path) -> Parameters:
    (store(folder) / "app.tar").write_bytes(b"<html>503 Service Unavailable</html>\n" * 40)
    return parameters(folder)


def _old(folder: Path) -> Parameters:
    packed(folder, hours=72)
    return parameters(folder)


def _copy_of_an_old_one(folder: Path) -> Parameters:
    backups.touch(packed(folder, hours=72), 0)
    return parameters(folder)


def _shrunk(folder: Path) -> Parameters:
    backups.vouch(backups.archive(backups.data(folder / "a"), store(folder) / "app-1.tgz", hours=25))
    backups.vouch(backups.archive(backups.data(folder / "b", size=30_000), store(folder) / "app-2.tgz"))
    return parameters(folder)


def _slow(folder: Path) -> Parameters:
    packed(folder)
    return parameters(folder, restore_target="0s")


def _verified(command: list[str]) -> Callable[[Path], Parameters]:
    def make(folder: Path) -> Parameters:
        packed(folder)
        return parameters(folder, command=command)

    return make


def _zip(folder: Path) -> Parameters:
    (store(folder) / "b.zip").write_bytes(b"PK")
    return parameters(folder)


def _only_unknown_files(folder: Path) -> Parameters:
    (store(folder) / "app.tgz.part").write_bytes(b"being written")
    (store(folder) / "README").write_text("our backups\n")
    return parameters(folder)


add("archive of 0 bytes", "fail backup size", _no_bytes)
add("empty archive", "fail restore", _no_files)
add("error page in place of an archive", "fail restore", _no_archive)
add("newest backup 3 days old", "fail backup age", _old)
add("fresh copy of a backup 3 days old", "fail backup age", _copy_of_an_old_one)
add("backup shrunk by 90 %", "fail size change", _shrunk)
add("restore slower than its target", "warn restore time", _slow)
add("verification command passes", "pass", _verified(["grep", "-q", "9.50", "app/orders/2025.csv"]))
add("verification command fails", "fail verification command", _verified(["grep", "-q", "x", "app/latest"]))
add("verification command is not there", "unknown missing", _verified(["gonogo-no-such-program"]))
add("source missing", "unknown missing", lambda folder: parameters(folder, source=str(folder / "nowhere")))
add("source not set", "unknown config", lambda folder: parameters(folder, source=""))
add("source is a device", "unknown config", lambda folder: parameters(folder, source="/dev/zero"))
add("empty folder", "fail newest backup", parameters)
add("folder of unknown files only", "fail newest backup", _only_unknown_files)
add("folder of a zip file only", "unknown config", _zip)
add("scratch missing", "unknown missing", lambda folder: parameters(folder, scratch=str(folder / "nowhere")))


# Hostile archives. `add` holds each to writing nothing outside.

_LINK = {"type": tarfile.SYMTYPE}
_HARD = {"type": tarfile.LNKTYPE}
HOSTILE = {
    "path with ..": [backups.entry("../../escaped", b"x")],
    "path with .. inside": [backups.entry("a/../../../escaped", b"x")],
    "absolute link": [backups.entry("out", linkname="/etc", **_LINK)],
    "link that leads outside": [backups.entry("out", linkname="../../../x", **_LINK)],
    "file through a link": [backups.entry("o", linkname="../..", **_LINK), backups.entry("o/escaped", b"x")],
    "absolute hard link": [backups.entry("out", linkname="/etc/hostname", **_HARD)],
    "hard link that leads outside": [backups.entry("out", linkname="../../x", **_HARD)],
    "device": [backups.entry("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)],
    "block device": [backups.entry("disk", type=tarfile.BLKTYPE, devmajor=8, devminor=0)],
    "named pipe": [backups.entry("pipe", type=tarfile.FIFOTYPE)],
    "header bomb": [backups.entry("header", b"x" * 2**21, type=tarfile.GNUTYPE_LONGNAME)],
}


def _hostile(entries: list[tuple[tarfile.TarInfo, bytes]]) -> Callable[[Path], Parameters]:
    def make(folder: Path) -> Parameters:
        good = backups.entry("good", b"x")
        backups.vouch(backups.handmade(store(folder) / "app.tar.gz", good, *entries))
        return parameters(folder)

    return make


for state, entries in HOSTILE.items():
    add(f"hostile: {state}", "fail restore", _hostile(entries))


def _absolute(folder: Path) -> Parameters:
    return _hostile([backups.entry(str(folder / "outer" / "escaped"), b"x")])(folder)


def _concatenated(path: Path, part: bytes, times: int, *, size: int = 0) -> None:
    """Write a gzip file of a header and a part many times over, without ever holding it all."""
    member = tarfile.TarInfo("zeros")
    member.size = size
    packed_part = gzip.compress(part, 1)
    with path.open("wb") as file:
        if size:
            file.write(gzip.compress(member.tobuf()))
        for _ in range(times):
            file.write(packed_part)
        file.write(gzip.compress(bytes(1024)))


def _bomb(folder: Path) -> Parameters:
    _concatenated(store(folder) / "app.tgz", bytes(2**22), 256, size=2**30)
    return parameters(folder, max_bytes=10**7)


def _bomb_behind_the_end(folder: Path) -> Parameters:
    _concatenated(store(folder) / "app.tgz", bytes(2**22), 256)
    return parameters(folder, max_bytes=10**7)


def _a_million_entries(folder: Path) -> Parameters:
    headers = b"".join(backups.entry(f"file{number}")[0].tobuf() for number in range(1000))
    _concatenated(store(folder) / "app.tgz", headers, 1001)
    return parameters(folder, max_files=5000)


def _sparse(folder: Path) -> Parameters:
    (folder / "app").mkdir()
    with (folder / "app" / "sparse").open("wb") as file:
        file.truncate(2**43)
    backups.printed("tar", "--sparse", "-cf", store(folder) / "app.tar", "-C", folder, "app")
    return parameters(folder, max_bytes=2**60)


add("hostile: absolute path", "fail restore", _absolute)
add("hostile: bomb of 1 GiB", "unknown limit", _bomb)
add("hostile: bomb behind the end of the archive", "unknown limit", _bomb_behind_the_end)
add("hostile: a million entries", "unknown limit", _a_million_entries)
add("no space: backup larger than any disk here", "unknown limit", _sparse)


# Repositories.


def password_file(folder: Path, password: str = backups.PASSWORD) -> str:
    path = folder / "password"
    path.write_text(f"{password}\n")
    return str(path)


def opened(folder: Path, **more: Any) -> Parameters:
    return parameters(folder, **{"password_file": password_file(folder), **more})


Make = Callable[..., Path]


def _repository(make: Make, spoil: Callable[[Path], None] | None = None, **more: Any) -> Any:
    """Return a maker of a repository in the store, of one archive of the same data."""

    def of(folder: Path) -> Parameters:
        make(store(folder), backups.data(folder / "app"))
        if spoil:
            spoil(store(folder))
        return opened(folder, **more)

    return of


def _repository_of_another_age(make: Make) -> Callable[[Path], Parameters]:
    def of(folder: Path) -> Parameters:
        make(store(folder), backups.data(folder / "app"), hours=72)
        return opened(folder)

    return of


def _repository_that_shrank(make: Make) -> Callable[[Path], Parameters]:
    def of(folder: Path) -> Parameters:
        source = backups.data(folder / "app")
        make(store(folder), source, hours=2)
        (source / "dump.sql").write_bytes(os.urandom(30_000))
        if make is backups.repository:
            backups.restic(store(folder), "backup", source)
        else:
            backups.borg(folder / "borg-home", "create", f"{store(folder)}::app-2", source)
        return opened(folder)

    return of


def _repository_of_nothing(make: Make) -> Callable[[Path], Parameters]:
    def of(folder: Path) -> Parameters:
        (folder / "app").mkdir()
        make(store(folder), folder / "app", hours=0)
        return opened(folder, min_size=0)

    return of


def _bare_repository(make: Make) -> Callable[[Path], Parameters]:
    def of(folder: Path) -> Parameters:
        make(store(folder))
        return opened(folder)

    return of


def _wrong_password(make: Make) -> Callable[[Path], Parameters]:
    def of(folder: Path) -> Parameters:
        make(store(folder), backups.data(folder / "app"))
        return parameters(folder, password_file=password_file(folder, "wrong"))

    return of


def _config_is_gone(repository: Path) -> None:
    (repository / "config").unlink()


def _pack_is_gone(repository: Path) -> None:
    backups.largest_pack(repository).unlink()


def _snapshot_is_cut(repository: Path) -> None:
    backups.cut(next((repository / "snapshots").iterdir()))


def _manifest_is_flipped(repository: Path) -> None:
    segments = sorted((repository / "data" / "0").iterdir(), key=lambda path: int(path.name))
    backups.flip(segments[-2])


for kind, make in (("restic", backups.repository), ("borg", backups.borg_repository)):
    add(f"good {kind}", "pass", _repository(make))
    add(f"{kind}, kind named", "pass", _repository(make, kind=kind))
    add(
        f"{kind}, one flipped byte",
        "fail restore",
        _repository(make, lambda path: backups.flip(backups.largest_pack(path))),
    )
    add(
        f"{kind}, truncated",
        # borg checks the length of a segment as soon as it opens the repository.
        "fail restore" if kind == "restic" else "fail newest backup",
        _repository(make, lambda path: backups.cut(backups.largest_pack(path))),
    )
    add(
        f"{kind}, data file gone",
        "fail restore" if kind == "restic" else "fail newest backup",
        _repository(make, _pack_is_gone),
    )
    add(f"{kind}, newest 3 days old", "fail backup age", _repository_of_another_age(make))
    add(f"{kind}, shrunk by 90 %", "fail size change", _repository_that_shrank(make))
    add(f"{kind}, of an empty folder", "fail backup size, restore", _repository_of_nothing(make))
    add(f"{kind}, repository without a backup", "fail newest backup", _bare_repository(make))
    add(f"{kind}, wrong password", "unknown auth", _wrong_password(make))
    add(f"{kind}, no password", "unknown config", _repository(make, password_file=""))
    add(f"{kind}, password file missing", "unknown missing", _repository(make, password_file="nowhere"))
    add(f"{kind}, no repository", "unknown missing", lambda folder, kind=kind: opened(folder, kind=kind))
    add(f"{kind}, config gone", "fail newest backup", _repository(make, _config_is_gone))
    add(
        f"{kind}, config gone, kind named",
        "fail newest backup",
        _repository(make, _config_is_gone, kind=kind),
    )
    add(f"{kind}, beyond max_bytes", "unknown limit", _repository(make, max_bytes=1000))
    add(f"{kind}, beyond max_files", "unknown limit", _repository(make, max_files=2))
    add(
        f"{kind}, verification command fails",
        "fail verification command",
        _repository(make, command=["false"]),
    )

add("restic, snapshot truncated", "fail newest backup", _repository(backups.repository, _snapshot_is_cut))
add(
    "borg, manifest flipped",
    "fail newest backup",
    _repository(backups.borg_repository, _manifest_is_flipped),
)


def _plain_borg(folder: Path) -> Parameters:
    backups.borg_repository(store(folder), backups.data(folder / "app"), encryption="none")
    return parameters(folder)


def _plain_borg_in_place_of_another(folder: Path) -> Parameters:
    return {**_plain_borg(folder), "password_file": password_file(folder)}


def _moved_borg(folder: Path) -> Parameters:
    backups.borg_repository(folder / "before", backups.data(folder / "app"))
    (folder / "before").rename(folder / "backups")
    return opened(folder)


add("borg, not encrypted", "pass", _plain_borg)
add("borg, not encrypted although it should be", "unknown config", _plain_borg_in_place_of_another)
add("borg, moved", "pass", _moved_borg)


@row("restore", "restic, locked", "unknown limit")
def restic_locked(folder: Path) -> Iterator[Parameters]:
    backups.repository(store(folder), backups.data(folder / "app"))
    with backups.exclusive_lock(store(folder)):
        yield opened(folder)


@row("restore", "borg, locked", "unknown limit")
def borg_locked(folder: Path) -> Iterator[Parameters]:
    backups.borg_repository(store(folder), backups.data(folder / "app"))
    with backups.borg_lock(store(folder)):
        yield opened(folder)


# Tools that are missing, disks that are full.


def _without(program: str, make: Callable[[Path], Parameters]) -> None:
    @row("restore", f"{program} is missing", "unknown missing")
    def without_a_tool(folder: Path) -> Iterator[Parameters]:
        given = make(folder)
        with backups.path_of(folder):
            assert not shutil.which(program)
            yield given


_without("zstd", _good("tar.zst"))
_without("restic", _repository(backups.repository))
_without("borg", _repository(backups.borg_repository))


@contextmanager
def full_disk(folder: Path, options: str) -> Iterator[Parameters]:
    """Yield the parameters of a scratch folder on a small disk; where that cannot be, of a huge backup."""
    with backups.small_disk(folder / "small", options) as mounted:
        yield {"scratch": str(folder / "small")} if mounted else _sparse(folder)


def _no_space(kind: str, options: str, make: Callable[[Path], Parameters]) -> None:
    @row("restore", f"no space: {kind}", "unknown limit")
    def on_a_small_disk(folder: Path) -> Iterator[Parameters]:
        (folder / "made").mkdir()
        given = make(folder / "made")
        with full_disk(folder, options) as disk:
            yield {**given, **disk}


def _many_files(folder: Path) -> Parameters:
    files = [backups.entry(f"file{number}", b"x") for number in range(200)]
    backups.vouch(backups.handmade(store(folder) / "app.tgz", *files))
    return parameters(folder)


_no_space("smaller than the archive", "size=256k", _good("tar.zst"))
_no_space("smaller than what is in it", "size=2m", lambda folder: _zeros(folder, 8 * 2**20))
_no_space("no inode left", "size=8m,nr_inodes=50", _many_files)
_no_space("restic", "size=256k", _repository(backups.repository))
_no_space("borg", "size=256k", _repository(backups.borg_repository))


def _zeros(folder: Path, size: int) -> Parameters:
    backups.vouch(backups.handmade(store(folder) / "app.tgz", backups.entry("zeros", bytes(size))))
    return parameters(folder)


# The schedule: a hint.

WORD = "gonogo-test-backup"


def _scheduled(state: str, expected: str, *, crontab: str = "", timers: str = "[]", **more: Any) -> None:
    @row("restore", f"schedule: {state}", expected)
    def with_programs(folder: Path) -> Iterator[Parameters]:
        packed(folder, **more)
        backups.program(folder / "bin" / "crontab", crontab)
        backups.program(folder / "bin" / "systemctl", timers)
        with backups.path_of(folder / "bin", os.environ["PATH"]):
            yield parameters(folder, schedule=WORD)


def _timer(following: float | None) -> str:
    following = following and int(following * 1e6)
    timer = {"next": following, "left": 1, "last": None, "passed": None}
    return json.dumps([{**timer, "unit": f"{WORD}.timer", "activates": f"{WORD}.service"}])


_scheduled("in the crontab", "pass", crontab=f"# m h\nMAILTO=root\n0 3 * * * /opt/{WORD} --all")
_scheduled("commented out", "warn schedule", crontab=f"#0 3 * * * /opt/{WORD}")
_scheduled("by a systemd timer", "pass", timers=_timer(time.time() + 3600))
_scheduled("by a timer that is off", "warn schedule", timers=_timer(None))
_scheduled("nowhere", "warn schedule")
_scheduled("but the backup is old", "fail backup age", crontab=f"0 3 * * * {WORD}", hours=72)
