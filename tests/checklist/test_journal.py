import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from checklist import durable, journal
from checklist.journal import Broken, Note
from checklist.lifecycle import RefusedError
from checklist.reading import FileError
from checklist.status import Facts, Status
from checklist.store import Change, StoreError
from checklist.store.toml_file import TomlFile, journal_path
from tests.checklist.making import NOW, claim
from tests.conftest import REPOSITORY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "checklist.status.toml"


def store(path: Path) -> TomlFile:
    return TomlFile(path, lambda _: {}, "sha256:list", lambda: NOW)


def step(text: str, item: str = "cache") -> Change:
    """Return a change that ticks a step, whatever is ticked."""

    def apply(status: Status) -> Status:
        facts = status.of(item)
        return status.having(item, replace(facts, steps=(*facts.steps, text)))

    return Change(apply, Note("ticked", "Ann", item, data={"step": text}), item)


def write(path: Path, *texts: str) -> Path:
    """Tick steps, and return the journal."""
    for text in texts:
        store(path).apply(step(text), store(path).load())
    return journal_path(path)


def verify(path: Path) -> Broken | None:
    return journal.verify(journal_path(path), store(path).load())


def lines(book: Path) -> list[bytes]:
    return book.read_bytes().splitlines(keepends=True)


def test_every_change_is_one_line_that_says_who_when_what_and_about_which_checklist(path: Path) -> None:
    book = write(path, "one", "둘")
    first, second = journal.read(book)
    assert (first.number, first.at, first.by, first.what, first.item) == (1, NOW, "Ann", "ticked", "cache")
    assert (first.data, first.checklist, first.revision) == ({"step": "one"}, "sha256:list", 1)
    assert (first.previous, first.edited) == ("", False)
    assert (second.number, second.revision, second.previous) == (2, 2, first.hash)
    assert second.facts == store(path).load().digest != first.facts
    assert "둘" in book.read_text()
    assert verify(path) is None
    assert all(json.loads(line) for line in lines(book))


def test_the_hashes_are_what_the_documentation_says(path: Path) -> None:
    from hashlib import sha256

    book = write(path, "one", "two")
    one, two = (line.rstrip(b"\n") for line in lines(book))
    own = sha256(one.rpartition(b',"hash":"')[0]).hexdigest()
    assert json.loads(one)["hash"] == f"sha256:{own}" == json.loads(two)["previous"]


def test_a_refused_or_failed_change_leaves_no_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = write(path, "one")
    before = book.read_bytes()

    def refuse(_: Status) -> Status:
        raise RefusedError("no")

    with pytest.raises(RefusedError):
        store(path).apply(Change(refuse, Note("ticked")), Status())
    with monkeypatch.context() as broken:
        broken.setattr(durable.os, "replace", _full)
        with pytest.raises(StoreError):
            write(path, "two")
    assert book.read_bytes() == before
    assert verify(path) is None


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_journal_that_cannot_be_written_keeps_the_change_from_being_made(path: Path) -> None:
    journal_path(path).mkdir()
    with pytest.raises(StoreError, match="Is a directory"):
        write(path, "one")
    assert not path.exists()


# Tampering

Tamper = Callable[[list[bytes]], list[bytes]]

TAMPERED: dict[str, tuple[Tamper, int, str]] = {
    "a word": (lambda all_: [all_[0], all_[1].replace(b"two", b"TWO"), *all_[2:]], 2, "changed after"),
    "a word of the last": (lambda all_: [*all_[:3], all_[3].replace(b"four", b"4")], 4, "changed after"),
    "its time": (lambda all_: [all_[0].replace(b"2025-", b"2024-"), *all_[1:]], 1, "changed after"),
    "its hash": (lambda all_: [all_[0].replace(b'"hash":"sha256:', b'"hash":"sha256:0'), *all_[1:]], 1, ""),
    "one gone": (lambda all_: [all_[0], *all_[2:]], 2, "written as line 3"),
    "the first gone": (lambda all_: all_[1:], 1, "written as line 2"),
    "the last gone": (lambda all_: all_[:2], 3, "last changed by line 4"),
    "all gone": (lambda _: [], 1, "last changed by line 4"),
    "two swapped": (lambda all_: [all_[0], all_[2], all_[1], all_[3]], 2, "written as line 3"),
    "one twice": (lambda all_: [all_[0], *all_], 2, "written as line 1"),
    "no JSON": (lambda all_: [*all_[:2], b"hello\n", *all_[2:]], 3, "not a line"),
    "an empty line": (lambda all_: [*all_[:2], b"\n", *all_[2:]], 3, "not a line"),
    "no UTF-8": (lambda all_: [all_[0].replace(b"Ann", b"\xff\xfe"), *all_[1:]], 1, ""),
    "another key": (lambda all_: [all_[0].replace(b'"by"', b'"who"'), *all_[1:]], 1, "not a line"),
    "nested too deeply": (lambda all_: [b"[" * 100_000 + b"\n", *all_], 1, ""),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_the_first_broken_line_is_named(path: Path, how: str) -> None:
    book = write(path, "one", "two", "three", "four")
    tamper, line, message = TAMPERED[how]
    book.write_bytes(b"".join(tamper(lines(book))))
    broken = verify(path)
    assert broken is not None
    assert (broken.line, message in broken.message) == (line, True), broken


def test_a_line_whose_own_hash_was_made_to_fit_betrays_itself_by_the_next_one(path: Path) -> None:
    book = write(path, "one", "two", "three")
    all_ = lines(book)
    forged = all_[1].replace(b"two", b"TWO").rstrip(b"\n")
    body = forged.rpartition(b',"hash":"')[0]
    all_[1] = body + b',"hash":"' + journal._digest(body).encode() + b'"}\n'
    book.write_bytes(b"".join(all_))
    assert verify(path) == Broken(2, "it is not the line that line 3 was written after")


def test_a_whole_journal_written_anew_does_not_fit_the_status(path: Path, tmp_path: Path) -> None:
    write(path, "one", "two")
    (tmp_path / "other").mkdir()
    forged = write(tmp_path / "other" / "checklist.status.toml", "eins", "zwei")
    journal_path(path).write_bytes(forged.read_bytes())
    broken = verify(path)
    assert broken is not None
    assert "last changed by line 2" in broken.message


def test_a_status_changed_by_hand_is_found_out_and_told_with_the_next_change(path: Path) -> None:
    book = write(path, "one", "two")
    path.write_text(path.read_text().replace('"two"', '"2"'))
    assert verify(path) == Broken(2, "the status was changed since by something other than gonogo")
    write(path, "three")
    assert [entry.edited for entry in journal.read(book)] == [False, False, True]
    assert verify(path) is None


def test_a_status_without_its_journal_line_is_found_out(path: Path) -> None:
    write(path, "one", "two")
    text = path.read_text()
    path.write_text("\n".join(line for line in text.splitlines() if not line.startswith("journal =")))
    broken = verify(path)
    assert broken is not None
    assert "knows nothing of it" in broken.message
    assert text.count("Ann") == 1
    path.write_text(text.replace("Ann", "Bob"))
    broken = verify(path)
    assert broken is not None
    assert "it was edited" in broken.message


def test_a_new_status_goes_on_with_the_old_journal(path: Path) -> None:
    book = write(path, "one", "two")
    path.unlink()
    write(path, "three")
    assert [(entry.number, entry.revision) for entry in journal.read(book)] == [(1, 1), (2, 2), (3, 1)]
    assert verify(path) is None


def test_a_status_from_before_the_journal_is_no_break_but_told(path: Path) -> None:
    path.write_text("revision = 5\n[items.cache]\nsteps_done = ['one']\n")
    assert verify(path) is None
    book = write(path, "two")
    (entry,) = journal.read(book)
    assert (entry.number, entry.revision, entry.edited) == (1, 6, True)
    assert verify(path) is None


def test_nothing_recorded_is_nothing_broken(path: Path) -> None:
    assert verify(path) is None
    assert journal.read(journal_path(path)) == []


def test_a_journal_that_is_being_written_is_not_broken(path: Path) -> None:
    write(path, *map(str, range(20)))
    stop = threading.Event()

    def go_on() -> None:
        while not stop.is_set():
            write(path, "more")

    writer = threading.Thread(target=go_on)
    writer.start()
    try:
        assert {store(path).verify() for _ in range(100)} == {None}
    finally:
        stop.set()
        writer.join()
    book = journal_path(path)
    book.write_bytes(b"".join(lines(book)[1:]))
    assert (
        store(path).verify()
        == verify(path)
        == Broken(1, "it was written as line 2: lines before it are missing, or new")
    )


# Crashes


@pytest.mark.parametrize("kept", [0, 1, 50, -2, -1])
def test_an_append_that_a_crash_prevented_or_cut_short_is_made_up_for(path: Path, kept: int) -> None:
    book = write(path, "one", "two", "three")
    all_ = lines(book)
    book.write_bytes(b"".join(all_[:2]) + all_[2][:kept])
    assert verify(path) is None  # the status knows the line: it is not lost
    write(path, "four")
    assert lines(book)[:3] == all_
    assert [entry.number for entry in journal.read(book)] == [1, 2, 3, 4]
    assert verify(path) is None


def test_the_very_first_append_may_be_cut_short_too(path: Path) -> None:
    book = write(path, "one")
    whole = lines(book)
    book.write_bytes(whole[0][:20])
    write(path, "two")
    assert lines(book)[:1] == whole
    assert verify(path) is None


def test_half_a_line_of_something_else_is_not_built_upon(path: Path) -> None:
    book = write(path, "one", "two")
    with book.open("ab") as file:
        file.write(b"scribble")
    write(path, "three")
    assert b"scribble\n" in lines(book)
    assert verify(path) == Broken(3, "not a line of a journal: JSON is malformed: invalid character (byte 0)")


def test_what_a_merge_leaves_behind_is_called_by_its_name(path: Path) -> None:
    book = write(path, "one", "two")
    first, second = lines(book)
    book.write_bytes(first + b"<<<<<<< HEAD\n" + second + b"=======\n>>>>>>> night\n")
    said = "a merge left both sides here: keep one of them, that of the status"
    assert verify(path) == Broken(2, said)
    with pytest.raises(FileError, match=f":2: {said}"):
        journal.read(book)
    text = path.read_text()
    path.write_text(f"{text}\n<<<<<<< HEAD\n=======\n[items.x]\n>>>>>>> night\n")
    with pytest.raises(
        StoreError, match=rf"toml:{text.count(chr(10)) + 2}: a merge left both sides here: keep one"
    ):
        verify(path)


def test_a_write_that_fails_after_the_status_is_saved_is_told_and_made_up_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = write(path, "one")
    with monkeypatch.context() as broken:
        broken.setattr(journal.os, "write", _full)
        with pytest.raises(StoreError, match=r"checklist\.journal\.jsonl: the change is saved, but"):
            write(path, "two")
    assert store(path).load().of("cache").steps == ("one", "two")
    write(path, "three")
    assert [entry.data["step"] for entry in journal.read(book)] == ["one", "two", "three"]
    assert verify(path) is None


def test_no_change_is_made_as_long_as_the_one_before_cannot_be_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = write(path, "one")
    with monkeypatch.context() as broken:
        broken.setattr(journal.os, "write", _full)
        with pytest.raises(StoreError, match="the change is saved, but not told there yet"):
            write(path, "two")
        with pytest.raises(StoreError, match="not saved: No space left"):
            write(path, "three")
    assert store(path).load().of("cache").steps == ("one", "two")
    write(path, "four")
    assert [entry.data["step"] for entry in journal.read(book)] == ["one", "two", "four"]
    assert verify(path) is None


def test_a_long_line_is_found_from_the_end(path: Path) -> None:
    write(path, "one", "x" * 300_000, "y" * 600_000, "three")
    assert verify(path) is None
    book = journal_path(path)
    book.write_bytes(b"".join(lines(book)[:3]))
    assert journal.last_line(book).encode() + b"\n" == lines(book)[2]
    write(path, "four")
    assert [entry.number for entry in journal.read(book)] == [1, 2, 3, 4, 5]


def test_reading_names_the_line_that_is_none(path: Path) -> None:
    book = write(path, "one", "two")
    book.write_bytes(lines(book)[0] + b"{}\n")
    with pytest.raises(FileError, match=r"journal\.jsonl:2: not a line of a journal"):
        journal.read(book)


def test_the_journal_is_private_and_the_history_of_an_item_is_its_lines(path: Path) -> None:
    book = write(path, "one")
    store(path).apply(step("other", "jobs"), store(path).load())
    assert book.stat().st_mode & 0o777 == 0o600
    assert [entry.data["step"] for entry in journal.of_item(journal.read(book), "jobs")] == ["other"]


def test_facts_decide_the_digest_not_their_order() -> None:
    one = Status(items={"a": Facts(claim=claim()), "b": Facts()})
    two = Status(items={"b": Facts(), "a": Facts(claim=claim())}, revision=3, journal="x")
    assert one.digest == two.digest


KILLED = """
import sys
from pathlib import Path
from tests.checklist.test_journal import step, store
path = Path(sys.argv[1])
for number in range(10_000):
    store(path).apply(step(str(number)), store(path).load())
    print(number, flush=True)
"""


def test_killed_at_any_moment_nothing_acknowledged_is_missing_from_the_journal(path: Path) -> None:
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            for _ in range(20):
                writer.stdout.readline()
            writer.kill()
            acknowledged = [line for line in writer.stdout.read().split("\n") if line]
        assert verify(path) is None
        write(path, "after the kill")
        assert verify(path) is None
        said = [entry.data["step"] for entry in journal.read(journal_path(path))]
        assert said == list(store(path).load().of("cache").steps)
        assert set(acknowledged) <= set(said)


def test_the_last_of_the_history_of_one_item_is_read_alone(path: Path) -> None:
    book = write(path, "one", '"item":"jobs",')
    for text in ("a", "b", "c"):
        store(path).apply(step(text, "jobs"), store(path).load())
    write(path, "two")
    assert [entry.data["step"] for entry in journal.history(book, "jobs", 2)] == ["b", "c"]
    assert [entry.number for entry in journal.history(book, "jobs", 9)] == [3, 4, 5]
    assert [entry.number for entry in journal.history(book, "cache", 9)] == [1, 2, 6]
    assert journal.history(book, "gone", 9) == []
    assert journal.history(path.with_name("none.jsonl"), "jobs", 9) == []
