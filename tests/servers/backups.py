"""Makes real backups, with the tools that operators make them with, and hostile ones that no tool makes."""

import io
import os
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

HOUR = 3600.0
PASSWORD = "a long password of a test"


def data(folder: Path, *, hours: float = 1, size: int = 300_000) -> Path:
    """Fill a folder with files that were written some hours ago. Their content does not compress."""
    (folder / "orders").mkdir(parents=True)
    (folder / "dump.sql").write_bytes(os.urandom(size))
    (folder / "orders" / "2025.csv").write_text("id,total\n1,9.50\n")
    (folder / "orders" / "notes with spaces.txt").write_text("kept\n")
    (folder / "latest").symlink_to("orders/2025.csv")
    touch(folder, hours)
    return folder


def printed(*command: str | Path) -> bytes:
    """Run a program; return what it printed."""
    return subprocess.run(command, check=True, capture_output=True).stdout


def touch(folder: Path, hours: float) -> None:
    """Set the times of a file, or of a folder and all in it, to some hours ago."""
    then = time.time() - hours * HOUR
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (then, then), follow_symlinks=False)


def sums(tool: str, folder: Path, *, leave_out: Iterable[str] = ()) -> bytes:
    """Return the checksum list of a folder's files, as `find` and a tool such as sha256sum make it."""
    found = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = [str(path.relative_to(folder)) for path in found]
    names = [name for name in names if name not in leave_out]
    return subprocess.run([tool, *names], cwd=folder, check=True, capture_output=True).stdout


def archive(source: Path, target: Path, *, hours: float = 1) -> Path:
    """Pack a folder with GNU tar, compressed as the target's name says."""
    subprocess.run(
        ["tar", "--create", "--auto-compress", "--file", target, "-C", source.parent, source.name], check=True
    )
    touch(target, hours)
    return target


def vouch(target: Path, tool: str = "sha256sum", suffix: str = "sha256") -> Path:
    """Lay a manifest beside an archive, as `sha256sum X > X.sha256` does."""
    manifest = target.with_name(f"{target.name}.{suffix}")
    done = subprocess.run([tool, target.name], cwd=target.parent, check=True, capture_output=True)
    manifest.write_bytes(done.stdout)
    return manifest


def flip(path: Path, position: int | None = None) -> None:
    """Change one byte, by default in the middle, and keep size and times."""
    before = path.stat()
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(before.st_size // 2 if position is None else position)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 0xFF]))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def cut(path: Path, size: int | None = None) -> None:
    """Cut a file off, by default in the middle."""
    before = path.stat()
    path.chmod(0o600)
    os.truncate(path, before.st_size // 2 if size is None else size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def entry(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """Return one entry for `handmade`, with any field of a tar header set."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    member.mtime = int(time.time() - HOUR)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, content


def handmade(target: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    """Write an archive entry by entry, as an attacker would."""
    mode = "w:gz" if target.name.endswith("gz") else "w"
    with tarfile.open(target, mode) as tar:
        for member, content in entries:
            tar.addfile(member, io.BytesIO(content))
    return target


def restic(repository: Path, *arguments: str | Path) -> str:
    """Run restic on a repository whose password is `PASSWORD`; return what it printed."""
    return subprocess.run(
        ["restic", "--no-cache", "--quiet", "--repo", repository, *arguments],
        env={**os.environ, "RESTIC_PASSWORD": PASSWORD},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def repository(folder: Path, *sources: Path, hours: float = 1) -> Path:
    """Make a restic repository with one snapshot, of some hours ago, of each source."""
    restic(folder, "init")
    for source in sources:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - hours * HOUR))
        restic(folder, "backup", "--time", when, source)
    return folder


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Keep a repository locked by a restic process that reads it at 1 KiB/s."""
    with subprocess.Popen(
        ["restic", "--no-cache", "--repo", folder, "--limit-download", "1", "check", "--read-data"],
        env={**os.environ, "RESTIC_PASSWORD": PASSWORD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            _wait_for(lambda: any((folder / "locks").iterdir()), process)
            yield
        finally:
            process.kill()


def borg(home: Path, *arguments: str | Path, password: str = PASSWORD) -> str:
    """Run borg with a home of its own; return what it printed. Its home must not be the operator's."""
    return subprocess.run(
        ["borg", *arguments],
        env={**_without_borg(), "BORG_BASE_DIR": str(home), "BORG_PASSPHRASE": password} | _YES,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def borg_repository(
    folder: Path, *sources: Path, hours: float = 1, encryption: str = "repokey-blake2"
) -> Path:
    """Make a borg repository with one archive, of some hours ago, of each source: app-1, app-2 and so on."""
    home = folder.parent / "borg-home"
    borg(home, "init", "--encryption", encryption, folder)
    for number, source in enumerate(sources, 1):
        when = datetime.fromtimestamp(time.time() - hours * HOUR - len(sources) + number, UTC)
        stamp = f"--timestamp={when:%Y-%m-%dT%H:%M:%S}"
        borg(home, "create", stamp, f"{folder}::app-{number}", source)
    return folder


@contextmanager
def borg_lock(folder: Path) -> Iterator[None]:
    """Keep a borg repository locked, as a running backup does."""
    with subprocess.Popen(
        ["borg", "with-lock", folder, "sleep", "600"],
        env={**_without_borg(), "BORG_BASE_DIR": str(folder.parent / "borg-home"), **_YES}
        | {"BORG_PASSPHRASE": PASSWORD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            _wait_for((folder / "lock.exclusive").exists, process)
            yield
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def largest_segment(folder: Path) -> Path:
    """Return the segment file that holds most of a borg repository's data."""
    return _largest(folder / "data")


_YES = {"BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes"}


def _without_borg() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("BORG_")}


def _wait_for(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError("the repository was never locked")
        time.sleep(0.02)


def _largest(folder: Path) -> Path:
    return max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)


@contextmanager
def small_disk(folder: Path, options: str) -> Iterator[bool]:
    """Mount a small tmpfs, where this user may; say whether it was done."""
    folder.mkdir()
    mounted = (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
        ).returncode
        == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def path_of(*folders: Path | str) -> Iterator[None]:
    """Let programs be found in these folders only."""
    before = os.environ["PATH"]
    os.environ["PATH"] = os.pathsep.join(map(str, folders))
    try:
        yield
    finally:
        os.environ["PATH"] = before


def program(path: Path, prints: str) -> Path:
    """Write a program that prints a text, whatever it is asked."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{prints}\nEND\n")
    path.chmod(0o755)
    return path


def largest_pack(folder: Path) -> Path:
    """Return the pack file that holds most of a repository's data."""
    return _largest(folder / "data")
