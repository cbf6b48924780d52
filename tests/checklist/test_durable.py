import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from checklist import durable

Write = Callable[[Path, bytes], None]


def failing(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


@pytest.mark.parametrize(("write", "place"), [(durable.replace, "replace"), (durable.create, "link")])
@pytest.mark.parametrize("data", [b"", b"x"], ids=["empty", "short"])
def test_a_file_is_synced_before_it_takes_its_place_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write, place: str, data: bytes
) -> None:
    calls: list[str] = []

    def told(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def tell(*args: object) -> object:
            calls.append(name)
            return call(*args)

        return tell

    for name in ("fsync", place):
        monkeypatch.setattr(f"checklist.durable.os.{name}", told(name, getattr(os, name)))
    write(tmp_path / "file", data)
    assert calls == ["fsync", place, "fsync"]
    assert (tmp_path / "file").read_bytes() == data
    assert names(tmp_path) == ["file"]


def test_what_is_there_is_never_overwritten_by_a_new_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        durable.create(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("call", ["link", "fsync", "fdopen"])
def test_a_new_file_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(f"checklist.durable.os.{call}", failing)
    with pytest.raises(OSError, match="No space left"):
        durable.create(tmp_path / "file", b"new")
    assert names(tmp_path) == []


@pytest.mark.parametrize("write", [durable.replace, durable.create])
@pytest.mark.parametrize(
    ("number", "told"), [(errno.EINVAL, False), (errno.ENOTSUP, False), (errno.EIO, True)]
)
def test_a_folder_that_has_no_sync_is_no_failure_but_one_whose_sync_fails_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write, number: int, told: bool
) -> None:
    sync = os.fsync

    def picky(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        sync(handle)

    monkeypatch.setattr("checklist.durable.os.fsync", picky)
    if told:
        with pytest.raises(OSError, match="Input/output error"):
            write(tmp_path / "file", b"new")
    else:
        write(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_new_folder_is_synced_into_the_one_above_and_so_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(durable, "sync_folder", synced.append)
    durable.make_folder(tmp_path / "a" / "b")
    durable.make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    assert synced == [tmp_path, tmp_path / "a"]
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        durable.make_folder(tmp_path / "file" / "c")
