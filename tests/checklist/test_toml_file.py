import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
from msgspec.structs import replace

from checklist import journal, lifecycle
from checklist.journal import Note
from checklist.reading import MAX_BYTES
from checklist.status import Facts, Status
from checklist.store import Change, ConflictError, StoreError, toml_file
from checklist.store.toml_file import TomlFile
from tests.checklist.making import NOW, TODAY
from tests.checklist.making import item as item_
from tests.conftest import REPOSITORY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checklist.status.toml"


def store(path: Path) -> TomlFile:
    return TomlFile(path, lambda status: dict.fromkeys(status.items, "open"))


def note(what: str = "ticked", by: str = "Ann", item: str = "cache") -> Note:
    return Note(what, by, item)


def claim(by: str, item: str = "cache") -> Change:
    def apply(status: Status) -> Status:
        facts = lifecycle.claim(status.of(item), item_(item), by=by, on=TODAY, action="fixed it", at=NOW)
        return status.having(item, facts)

    return Change(apply, note("resolved", by, item), item, ("claim",))


def tick(step: str, item: str = "cache") -> Change:
    entry = item_(item, steps=(step,))

    def apply(status: Status) -> Status:
        return status.having(item, lifecycle.tick(status.of(item), entry, step))

    return Change(apply, note("ticked", "Ann", item), item, ("steps",))


def claimant(status: Status, item: str = "cache") -> str | None:
    found = status.of(item).claim
    return found.by if found else None


def left_over(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if entry.suffix not in {".toml", ".lock", ".jsonl"}]


def failing(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


# Load and save


def test_without_a_file_nothing_is_known_and_nothing_is_made(path: Path) -> None:
    assert store(path).load() == Status()
    assert list(path.parent.iterdir()) == []


def test_a_change_is_on_disk_when_it_returns_and_counts_one_revision(path: Path) -> None:
    one = store(path).apply(claim("Ann"), Status())
    assert (one.revision, claimant(one)) == (1, "Ann")
    assert store(path).load() == one
    two = store(path).apply(tick("a"), one)
    assert (two.revision, two.of("cache").steps) == (2, ("a",))
    assert store(path).load() == two


def test_a_change_sees_the_revision_that_it_will_have(path: Path) -> None:
    seen: list[int] = []

    def look(status: Status) -> Status:
        seen.append(status.revision)
        return status

    for _ in range(3):
        store(path).apply(Change(look, note()), Status())
    assert seen == [1, 2, 3]


def test_each_item_is_written_with_its_state_in_a_word(path: Path) -> None:
    store(path).apply(claim("Ann"), Status())
    assert 'state = "open"' in path.read_text()


def test_facts_of_items_that_the_checklist_no_longer_has_are_kept(path: Path) -> None:
    known = store(path).apply(claim("Ann", "gone"), Status())
    TomlFile(path, lambda _: {}).apply(claim("Bob", "cache"), known)
    assert claimant(store(path).load(), "gone") == "Ann"


# What is there is never lost


@pytest.mark.parametrize(
    "content",
    [b"revision = [", b"revision = 1\n[items.cache]\nresolved_by = 'Ann'\n", b"revision = 1\n# \xff\n", b""],
    ids=["not TOML", "not a status", "not UTF-8", "empty"],
)
def test_a_file_that_cannot_be_read_is_named_and_never_overwritten(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"checklist\.status\.toml:\d: "):
        store(path).load()
    with pytest.raises(StoreError, match=r"checklist\.status\.toml:\d: "):
        store(path).apply(claim("Ann"), Status())
    assert path.read_bytes() == content
    assert left_over(path.parent) == []


def test_a_folder_in_the_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreError, match="cannot be read"):
        store(path).load()


@pytest.mark.parametrize("call", ["replace", "fsync", "fchmod", "fdopen"])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    known = store(path).apply(claim("Ann"), Status())
    before = path.read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr(f"checklist.durable.os.{call}", failing)
        with pytest.raises(StoreError, match="not saved: No space left"):
            store(path).apply(claim("Bob"), known)
    assert path.read_bytes() == before
    assert left_over(path.parent) == []
    assert store(path).apply(claim("Bob"), known).revision == 2


def test_a_first_save_that_fails_leaves_no_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("checklist.durable.os.replace", failing)
    with pytest.raises(StoreError):
        store(path).apply(claim("Ann"), Status())
    assert not path.exists()
    assert left_over(path.parent) == []


def test_a_status_too_large_to_be_read_again_is_refused_and_the_old_one_stands(path: Path) -> None:
    known = store(path).apply(claim("Ann"), Status())
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not saved: it would be too large"):
        store(path).apply(claim("B" * MAX_BYTES), known)
    assert path.read_bytes() == before
    assert left_over(path.parent) == []


def test_a_folder_that_cannot_be_synced_does_not_make_a_save_that_stands_a_failure(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Some network file systems refuse to sync a folder; what is told must be what is on disk.
    known = store(path).apply(claim("Ann"), Status())
    sync = os.fsync

    def picky(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        sync(handle)

    monkeypatch.setattr("checklist.durable.os.fsync", picky)
    assert claimant(store(path).apply(claim("Bob"), known)) == "Bob"
    assert claimant(store(path).load()) == "Bob"


def test_a_change_that_fails_saves_nothing(path: Path) -> None:
    def apply(_: Status) -> Status:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        store(path).apply(Change(apply, note()), Status())
    assert not path.exists()
    assert store(path).apply(claim("Ann"), Status()).revision == 1


# Modes and links


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_file_keeps_its_mode(path: Path, mode: int) -> None:
    known = store(path).apply(claim("Ann"), Status())
    path.chmod(mode)
    store(path).apply(claim("Bob"), known)
    assert path.stat().st_mode & 0o7777 == mode


def test_a_new_file_is_private(path: Path) -> None:
    mask = os.umask(0)
    try:
        store(path).apply(claim("Ann"), Status())
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("there", [True, False], ids=["to a file", "to nothing yet"])
def test_a_symbolic_link_stays_one(path: Path, tmp_path: Path, there: bool) -> None:
    target = tmp_path / "elsewhere" / "real.toml"
    target.parent.mkdir()
    known = store(target).apply(claim("Ann"), Status()) if there else Status()
    path.symlink_to(Path("elsewhere") / "real.toml")
    store(path).apply(claim("Bob"), known)
    assert path.is_symlink()
    assert claimant(store(target).load()) == "Bob"


# Several writers


def test_two_who_change_the_same_fact_are_told_and_both_values_stay_in_sight(path: Path) -> None:
    known = store(path).load()
    theirs = store(path).apply(claim("Ann"), known)
    with pytest.raises(ConflictError) as conflict:
        store(path).apply(claim("Bob"), known)
    error = conflict.value
    assert (error.item, error.fact) == ("cache", "claim")
    assert 'It is now "fixed it" by Ann; not saved: "fixed it" by Bob.' in str(error)
    assert store(path).load() == theirs
    assert claimant(known) is None
    assert claimant(store(path).apply(claim("Bob"), theirs)) == "Bob"


def test_a_conflict_over_what_is_gone_or_counted_says_so_in_words(path: Path) -> None:
    known = store(path).apply(claim("Ann"), Status())
    gone = store(path).apply(Change(lambda status: status.having("cache", Facts()), note()), known)
    with pytest.raises(ConflictError, match='It is now none; not saved: "fixed it" by Bob'):
        store(path).apply(claim("Bob"), known)
    store(path).apply(tick("a"), gone)
    with pytest.raises(ConflictError, match=r"steps meanwhile\. It is now a; not saved: a, b"):
        store(path).apply(tick("b"), gone)


@pytest.mark.parametrize("other", [claim("Bob", "host"), tick("a")], ids=["other item", "other fact"])
def test_two_who_change_different_facts_both_stand(path: Path, other: Change) -> None:
    known = store(path).load()
    store(path).apply(claim("Ann"), known)
    both = store(path).apply(other, known)
    assert both.revision == 2
    assert claimant(both) == "Ann"
    assert both.of("cache").steps == ("a",) or claimant(both, "host") == "Bob"
    assert store(path).load() == both


def test_who_takes_back_what_another_has_replaced_is_told(path: Path) -> None:
    mine = store(path).apply(claim("Ann"), Status())
    store(path).apply(claim("Bob"), mine)
    back = Change(lambda status: status.having("cache", Facts()), note(), "cache", ("claim",))
    with pytest.raises(ConflictError):
        store(path).apply(back, mine)
    assert claimant(store(path).load()) == "Bob"


def test_a_status_file_that_was_removed_starts_anew(path: Path) -> None:
    known = store(path).apply(claim("Ann"), Status())
    path.unlink()
    fresh = store(path).apply(tick("a"), replace(known, revision=41))
    assert (fresh.revision, claimant(fresh)) == (1, None)


HOLD = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_held_by_another_program_is_an_error_that_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toml_file, "LOCK_SECONDS", 0.1)
    known = store(path).apply(claim("Ann"), Status())
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, f"{path}.lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match="lock"):
            store(path).apply(claim("Bob"), known)
        assert store(path).load() == known
        holder.communicate(b"")
    assert claimant(store(path).apply(claim("Bob"), known)) == "Bob"


TICKS = """
import sys
from pathlib import Path
from checklist import lifecycle
from checklist.journal import Note
from checklist.store import Change
from checklist.store.toml_file import TomlFile
from tests.checklist import making
store, item = TomlFile(Path(sys.argv[1]), lambda status: {}), sys.argv[2]
known = store.load()
entry = making.item(item, steps=tuple(f"step {number}" for number in range(25)))
for number in range(25):
    def apply(status):
        return status.having(item, lifecycle.tick(status.of(item), entry, f"step {number}"))
    known = store.apply(Change(apply, Note("ticked", "Ann", item), item, ("steps",)), known)
"""


def test_four_programs_at_once_lose_no_change(path: Path) -> None:
    names = [f"item{number}" for number in range(4)]
    programs = [
        subprocess.Popen([sys.executable, "-c", TICKS, str(path), name], cwd=REPOSITORY) for name in names
    ]
    assert [program.wait() for program in programs] == [0] * 4
    status = store(path).load()
    assert status.revision == 100
    for name in names:
        assert status.of(name).steps == tuple(f"step {number}" for number in range(25))
    assert left_over(path.parent) == []
    assert journal.verify(toml_file.journal_path(path), status) is None
    assert len(journal.read(toml_file.journal_path(path))) == 100
