import asyncio
import errno
import os
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import msgspec
import pytest
from msgspec.structs import replace

from checklist import journal
from checklist.events import Changed, CheckEnded, CheckStarted, Ended, Event, Started
from checklist.lifecycle import RefusedError, State
from checklist.reading import FileError
from checklist.reports import records
from checklist.reports.readiness import ReadinessCheck
from checklist.reports.status_report import encode
from checklist.session import Session
from checklist.status import Status
from checklist.store import ConflictError, StoreError
from probes.outcome import Reason, Verdict
from tests.checklist.conftest import OpenSession
from tests.checklist.making import HEAD, LITTLE, little, today

NAMES = ("door", "light", "alarm", "sign-off")


def door(folder: Path, verdict: str) -> None:
    (folder / "door.verdict").write_text(verdict)


def failing(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def files(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder with its content; locks are empty and stay."""
    found = (entry for entry in folder.iterdir() if entry.is_file() and entry.suffix != ".lock")
    return {entry.name: entry.read_bytes() for entry in found}


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def ready(session: Session) -> None:
    """Attest what no probe can prove."""
    await session.attest("sign-off", by="Ann", note="looked")


async def checked(session: Session, items: list[str] | None = None) -> ReadinessCheck:
    """Check to the end."""
    result = await session.check(items)
    assert result is not None
    return result


@pytest.fixture
async def session(tmp_path: Path, open_session: OpenSession) -> Session:
    little(tmp_path)
    return open_session()


@pytest.fixture
def events(session: Session) -> list[Event]:
    told: list[Event] = []
    session.listen(told.append)
    return told


# The life of an item


async def test_a_claim_is_proven_by_the_items_own_probe_and_refuted_by_it(
    session: Session, tmp_path: Path
) -> None:
    assert session.states()["door"] is State.OPEN
    await session.claim("door", by="Ann", action="shut it")
    assert session.states()["door"] is State.RESOLVED
    found = await session.run("door")
    assert found is not None
    assert (found.verdict, session.states()["door"]) == (Verdict.PASS, State.VERIFIED)
    door(tmp_path, "fail")
    await session.run("door")
    assert session.states()["door"] is State.REOPENED
    await session.claim("door", by="Ann", action="shut it again")
    assert session.states()["door"] is State.RESOLVED
    door(tmp_path, "warn")
    await session.run("door")
    assert session.states()["door"] is State.REOPENED


async def test_every_change_is_on_disk_for_the_next_session(
    session: Session, open_session: OpenSession
) -> None:
    await session.claim("door", by="Ann", action="shut it")
    await session.run("light")
    await session.attest("sign-off", by="Bob", note="looked")
    await session.waive("alarm", by="Cleo", why="broken", until=today())
    await session.tick("door", "Lock it")
    assert open_session().status == session.status
    assert session.status.revision == 5


async def test_a_claim_made_while_the_probe_runs_is_not_proven_by_that_run(
    session: Session, tmp_path: Path
) -> None:
    (tmp_path / "door.verdict").unlink()
    os.mkfifo(tmp_path / "door.verdict")
    run = asyncio.create_task(session.run("door"))
    # The probe waits at the pipe; only then is the claim made, and only then may the probe see `pass`.
    writer = -1

    def reader_is_there() -> bool:
        nonlocal writer
        try:
            writer = os.open(tmp_path / "door.verdict", os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            assert error.errno == errno.ENXIO  # noqa: PT017  # nobody reads yet
            return False
        return True

    await until(reader_is_there)
    await session.claim("door", by="Ann", action="shut it")
    with os.fdopen(writer, "w") as pipe:
        pipe.write("pass")
    found = await run
    assert found is not None
    assert (found.verdict, session.states()["door"]) == (Verdict.PASS, State.RESOLVED)
    (tmp_path / "door.verdict").unlink()
    door(tmp_path, "pass")
    await session.run("door")
    assert session.states()["door"] is State.VERIFIED


async def test_taking_an_item_back_needs_a_new_run(session: Session) -> None:
    await session.run("light")
    await session.reopen("light", by="Cleo", why="seen it on")
    assert session.states()["light"] is State.REOPENED
    await session.run("light")
    assert session.states()["light"] is State.VERIFIED


async def test_evidence_grows_stale_by_the_clock_and_by_an_edit(
    session: Session, open_session: OpenSession, tmp_path: Path
) -> None:
    await session.run("light")
    assert open_session(timedelta(hours=23)).states()["light"] is State.VERIFIED
    assert open_session(timedelta(hours=25)).states()["light"] is State.STALE
    assert open_session(timedelta(hours=-1)).states()["light"] is State.OPEN
    little(tmp_path, text=LITTLE.replace("The light is out", "The light is off"))
    assert open_session().states()["light"] is State.STALE


async def test_a_step_is_ticked_and_unticked(session: Session) -> None:
    await session.tick("door", "Lock it")
    steps = next(entry.steps for entry in session.report().items if entry.id == "door")
    assert [(step.text, step.done) for step in steps] == [("Shut it", False), ("Lock it", True)]
    await session.tick("door", "Lock it")
    assert session.status.of("door").steps == ()


# What is refused, and changes nothing

REFUSED: dict[str, tuple[Callable[[Session], Awaitable[object]], str]] = {
    "claim of a manual item": (lambda s: s.claim("sign-off", by="A", action="x"), "manual"),
    "run of a manual item": (lambda s: s.run("sign-off"), "manual"),
    "attestation of an item with a probe": (lambda s: s.attest("door", by="A", note="x"), "probe"),
    "claim for a day to come": (
        lambda s: s.claim("door", by="A", action="x", on=today() + timedelta(days=2)),
        "not come yet",
    ),
    "claim without an action": (lambda s: s.claim("door", by="A", action=" "), "what was done"),
    "claim without a name": (lambda s: s.claim("door", by="", action="x"), "--by"),
    "attestation without a note": (lambda s: s.attest("sign-off", by="A", note="\n"), "what was seen"),
    "waiver without a reason": (lambda s: s.waive("door", by="A", why="", until=today()), "why"),
    "waiver that is over": (
        lambda s: s.waive("door", by="A", why="x", until=today() - timedelta(days=2)),
        "is past",
    ),
    "reopening without a reason": (lambda s: s.reopen("door", by="A", why=""), "why"),
    "unknown step": (lambda s: s.tick("door", "Paint it"), "no step 'Paint it'"),
    "claim of an unknown item": (lambda s: s.claim("dor", by="A", action="x"), "mean 'door'"),
    "waiver of an unknown item": (lambda s: s.waive("dor", by="A", why="x", until=today()), "'dor'"),
    "reopening of an unknown item": (lambda s: s.reopen("dor", by="A", why="x"), "'dor'"),
    "attestation of an unknown item": (lambda s: s.attest("dor", by="A", note="x"), "'dor'"),
    "run of an unknown item": (lambda s: s.run("dor"), "'dor'"),
    "run of an inhibited item": (lambda s: s.run("alarm"), "alarm waits for door"),
    "check of an unknown item": (lambda s: s.check(["light", "dor"]), "'dor'"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    session: Session, events: list[Event], tmp_path: Path, case: str
) -> None:
    action, words = REFUSED[case]
    before = files(tmp_path)
    with pytest.raises(RefusedError, match=re.escape(words)):
        await action(session)
    assert files(tmp_path) == before
    assert (session.status, session.running, events) == (Status(), {}, [])
    assert await session.undo() is None


# Undo


async def test_undo_takes_marks_back_one_by_one_and_leaves_evidence(session: Session) -> None:
    await session.claim("door", by="Ann", action="shut it")
    await session.tick("door", "Shut it")
    await session.run("door")
    await session.reopen("door", by="Cleo", why="it is open")
    assert await session.undo() == "door"
    facts = session.status.of("door")
    assert (facts.reopening, facts.steps, facts.claim is not None) == (None, ("Shut it",), True)
    assert session.states()["door"] is State.VERIFIED
    await session.undo()
    assert session.status.of("door").steps == ()
    await session.undo()
    assert session.status.of("door").claim is None
    assert session.status.of("door").evidence == facts.evidence
    assert await session.undo() is None


async def test_undo_does_not_touch_other_items(session: Session) -> None:
    await ready(session)
    await session.claim("door", by="Ann", action="shut it")
    await session.undo()
    assert session.states()["sign-off"] is State.ATTESTED


async def test_undo_never_takes_back_what_somebody_else_said(
    session: Session, open_session: OpenSession
) -> None:
    await session.claim("door", by="Ann", action="shut it")
    await open_session().claim("door", by="Bob", action="locked it")
    with pytest.raises(ConflictError):
        await session.undo()
    claim = open_session().status.of("door").claim
    assert claim is not None
    assert claim.by == "Bob"


async def test_undo_never_takes_back_what_somebody_else_said_and_we_have_seen(
    session: Session, open_session: OpenSession
) -> None:
    await session.claim("door", by="Ann", action="shut it")
    await open_session().waive("door", by="Bob", why="next week", until=today())
    await session.run("light")  # brings what Bob wrote into sight
    assert session.status.of("door").waiver is not None
    try:
        await session.undo()
    except ConflictError:
        return
    assert open_session().status.of("door").waiver is not None


# Other writers


async def test_two_sessions_that_mark_the_same_fact_are_told_and_the_first_stands(
    session: Session, events: list[Event], open_session: OpenSession
) -> None:
    other = open_session()
    await other.claim("door", by="Bob", action="locked it")
    both = 'its claim .* now "locked it" by Bob; not saved: "shut it" by Ann'
    with pytest.raises(ConflictError, match=both):
        await session.claim("door", by="Ann", action="shut it")
    assert session.status == other.status
    assert events == [Changed(None)]
    await session.claim("door", by="Ann", action="shut it too")
    claim = session.status.of("door").claim
    assert claim is not None
    assert claim.by == "Ann"


MARKS: dict[str, Callable[[Session, str], Awaitable[object]]] = {
    "claim": lambda s, by: s.claim("door", by=by, action="x"),
    "waive": lambda s, by: s.waive("door", by=by, why="x", until=today()),
    "reopen": lambda s, by: s.reopen("door", by=by, why="x"),
    "attest": lambda s, by: s.attest("sign-off", by=by, note="x"),
    "reopen manual": lambda s, by: s.reopen("sign-off", by=by, why="x"),
}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        *(("reopen", "claim"), ("reopen", "waive"), ("reopen", "reopen"), ("reopen manual", "attest")),
        *(("claim", "reopen"), ("waive", "reopen"), ("attest", "reopen manual")),
        *(("waive", "waive"), ("attest", "attest")),
    ],
)
async def test_a_mark_that_would_undo_what_somebody_else_said_meanwhile_is_a_conflict(
    session: Session, open_session: OpenSession, theirs: str, ours: str
) -> None:
    other = open_session()
    await MARKS[theirs](other, "Bob")
    with pytest.raises(ConflictError):
        await MARKS[ours](session, "Ann")
    assert open_session().status == session.status == other.status
    assert session.unsaved is None
    await MARKS[ours](session, "Ann")  # now that it has been seen


async def test_what_another_session_did_is_kept_and_seen_with_the_next_change(
    session: Session, open_session: OpenSession
) -> None:
    await open_session().attest("sign-off", by="Bob", note="looked")
    await session.claim("door", by="Ann", action="shut it")
    assert session.states()["sign-off"] is State.ATTESTED
    assert open_session().status == session.status


async def test_what_others_changed_is_followed(
    session: Session, events: list[Event], open_session: OpenSession, tmp_path: Path
) -> None:
    await session.follow()
    assert events == []
    await open_session().attest("sign-off", by="Bob", note="looked")
    await session.follow()
    assert session.states()["sign-off"] is State.ATTESTED
    assert events == [Changed(None)]
    little(tmp_path, text=LITTLE.replace('release = "1.0"', 'release = "1.1"'))
    await session.follow()
    assert (session.checklist.release, session.states()["sign-off"]) == ("1.1", State.STALE)
    assert events == [Changed(None)] * 2
    await session.follow()
    await session.refresh()
    assert events == [Changed(None)] * 2


async def test_an_edit_is_not_missed_because_the_reading_of_it_was_stopped(
    session: Session, tmp_path: Path
) -> None:
    little(tmp_path, text=LITTLE.replace('release = "1.0"', 'release = "1.1"'))
    reading = asyncio.create_task(session.refresh())
    while not session._saving.locked():
        await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await session.follow()
    assert session.checklist.release == "1.1"


async def test_what_is_written_after_an_edit_has_the_states_of_the_new_checklist(
    session: Session, tmp_path: Path
) -> None:
    little(tmp_path, text=LITTLE + '\n[[items]]\nid = "more"\ntitle = "More"\n')
    await session.follow()
    await session.attest("more", by="Ann", note="looked")
    text = (tmp_path / "checklist.status.toml").read_text()
    assert 'state = "attested"' in text


async def test_a_file_that_broke_meanwhile_is_told_and_the_last_good_one_stays(
    session: Session, tmp_path: Path
) -> None:
    known = session.checklist
    (tmp_path / "checklist.toml").write_text("[checklist")
    with pytest.raises(FileError, match=r"checklist\.toml:1: "):
        await session.follow()
    with pytest.raises(FileError):
        await session.check()
    assert session.checklist == known
    little(tmp_path)
    (tmp_path / "checklist.status.toml").write_text("revision = ")
    with pytest.raises(StoreError, match=r"status\.toml:1: "):
        await session.follow()
    assert session.status == Status()


async def test_a_file_that_cannot_be_read_any_more_closes_the_gate_until_it_can(
    session: Session, tmp_path: Path
) -> None:
    await ready(session)
    await session.check()
    assert session.gate().go
    good = session.place.checklist.read_text()
    session.place.checklist.write_text("[checklist")
    with pytest.raises(FileError):
        await session.follow()
    assert not session.gate().go
    assert "cannot be read" in session.gate().reasons[0]
    assert f"{tmp_path / 'checklist.toml'}:1: " in str(session.unread)
    session.place.checklist.write_text(good)
    await session.follow()
    assert session.gate().go


async def test_the_status_lives_beside_the_real_checklist_behind_a_link(tmp_path: Path) -> None:
    real, other = tmp_path / "real", tmp_path / "other"
    real.mkdir()
    other.mkdir()
    little(real)
    (other / "link.toml").symlink_to(real / "checklist.toml")
    session = Session.open(other / "link.toml")
    try:
        await ready(session)
        await session.check()
        assert session.gate().go
    finally:
        await session.close()
    assert [entry.name for entry in other.iterdir()] == ["link.toml"]
    assert {"checklist.status.toml", "reports"} <= {entry.name for entry in real.iterdir()}


# Saves that fail


async def test_a_mark_that_cannot_be_saved_changes_nothing_shown(
    session: Session, events: list[Event], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await session.tick("door", "Lock it")
    before, on_disk = session.status, files(tmp_path)
    events.clear()
    with monkeypatch.context() as broken:
        broken.setattr("checklist.durable.os.replace", failing)
        for mark in (
            session.claim("door", by="Ann", action="shut it"),
            session.attest("sign-off", by="Ann", note="looked"),
            session.undo(),
        ):
            with pytest.raises(StoreError, match="not saved"):
                await mark
    assert (session.status, files(tmp_path), events) == (before, on_disk, [Changed(None)] * 3)
    assert await session.undo() == "door"
    assert session.status.of("door").steps == ()


async def test_after_a_save_that_failed_there_is_no_go_until_one_succeeds(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ready(session)
    await session.check()
    assert (session.gate().go, session.unsaved) == (True, None)
    with monkeypatch.context() as broken:
        broken.setattr("checklist.durable.os.replace", failing)
        with pytest.raises(StoreError, match="No space left"):
            await session.run("light")
    # What is on disk is GO, but what the probe has just seen is not on disk.
    assert not session.gate().go
    assert session.gate().reasons[0].startswith("not everything is saved: ")
    assert "No space left" in session.gate().reasons[0]
    assert session.report().gate == session.gate()
    await session.check()
    assert (session.gate().go, session.unsaved) == (True, None)


async def test_after_a_save_that_failed_what_is_on_disk_is_shown(
    session: Session, open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_session().attest("sign-off", by="Bob", note="looked")
    with monkeypatch.context() as broken:
        broken.setattr("checklist.durable.os.replace", failing)
        with pytest.raises(StoreError):
            await session.tick("door", "Lock it")
    assert session.states()["sign-off"] is State.ATTESTED


async def test_an_outcome_that_cannot_be_saved_is_neither_shown_nor_told(
    session: Session, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("checklist.durable.os.replace", failing)
        with pytest.raises(StoreError, match="not saved"):
            await session.run("light")
    assert (session.status, session.running) == (Status(), {})
    run = events[0].run if isinstance(events[0], Started) else ""
    assert events == [Started(run, "light"), Changed(None), Ended(run, "light", None)]


async def test_a_final_check_that_cannot_be_saved_makes_no_go(
    session: Session, events: list[Event], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ready(session)
    with monkeypatch.context() as broken:
        broken.setattr("checklist.durable.os.replace", failing)
        with pytest.raises(StoreError):
            await session.check()
    assert not session.gate().go
    assert not (tmp_path / "reports").exists()
    assert not any(isinstance(event, CheckStarted | Started) for event in events)
    await session.check()
    assert session.gate().go


async def test_a_final_check_whose_record_cannot_be_saved_makes_no_go(
    session: Session, open_session: OpenSession, tmp_path: Path
) -> None:
    await ready(session)
    (tmp_path / "reports").write_text("in the way")
    told: list[Event] = []
    session.listen(told.append)
    with pytest.raises(StoreError, match="its record was not saved"):
        await session.check()
    assert isinstance(told[-1], CheckEnded)
    assert told[-1].record is None
    assert session.gate().reasons == ("no final check has run",)
    assert open_session().gate().reasons == ("no final check has run",)
    (tmp_path / "reports").unlink()
    # Only what is missing is made up for: no probe runs again.
    told.clear()
    await session.check(resume=True)
    assert not [event for event in told if isinstance(event, Started)]
    assert open_session().gate().go


@pytest.mark.parametrize("fails", ["the status", "the journal"])
async def test_a_final_check_that_cannot_be_saved_at_its_end_leaves_no_record_of_a_go(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    await ready(session)
    call = "durable.os.replace" if fails == "the status" else "journal.os.write"
    with monkeypatch.context() as broken:
        save = records.save

        def last(record: ReadinessCheck, folder: Path) -> Path:
            path = save(record, folder)
            broken.setattr(f"checklist.{call}", failing)
            return path

        broken.setattr("checklist.session.records.save", last)
        with pytest.raises(StoreError):
            await session.check()
    assert not session.gate().go
    left = [*(tmp_path / "reports").iterdir()]
    # Where only the journal could not be written the check is saved, and so is its record.
    assert (session.status.final_check is None) is (left == []) is (fails == "the status")
    await session.check()
    assert session.gate().go
    assert journal.verify(session.place.journal, session.status) is None


# Runs


async def test_a_run_is_told_from_start_to_end(session: Session, events: list[Event]) -> None:
    seen: list[tuple[bool, bool]] = []
    session.listen(lambda _: seen.append(("light" in session.running, bool(session.status.items))))
    found = await session.run("light", "my-run")
    assert events == [Started("my-run", "light"), Changed("light"), Ended("my-run", "light", found)]
    # It runs until it is recorded; what is told has happened.
    assert seen == [(True, False), (True, True), (False, True)]


SLOW = LITTLE.replace('title = "The light is out"\n', 'title = "The light is out"\nafter = []\n').replace(
    'use = "test-async"\n', 'use = "test-async"\ndo = "sleep"\ntimeout = "10m"\n', 1
)


async def test_a_run_that_is_cancelled_is_not_recorded(tmp_path: Path, open_session: OpenSession) -> None:
    little(tmp_path, text=SLOW)
    session = open_session()
    told: list[Event] = []
    session.listen(told.append)
    run = asyncio.create_task(session.run("light", "r"))
    await until(lambda: session.running)
    with pytest.raises(RefusedError, match="light is running already"):
        await session.run("light")
    session.cancel("door")
    await asyncio.sleep(0)
    assert session.running == {"light": "r"}
    session.cancel("light")
    assert await run is None
    assert (session.status, session.running) == (Status(), {})
    assert told == [Started("r", "light"), Ended("r", "light", None)]


async def test_closing_ends_what_runs(tmp_path: Path, open_session: OpenSession) -> None:
    little(tmp_path, text=SLOW.replace('"read"', '"sleep"'))
    session = open_session()
    runs = [asyncio.create_task(session.run(name)) for name in ("door", "light")]
    await until(lambda: (tmp_path / "door.verdict").read_text() != "pass")  # its process has begun
    await session.close()
    assert await asyncio.gather(*runs) == [None, None]
    assert session.status == Status()


async def test_a_doubt_is_recorded_and_proves_nothing(session: Session, tmp_path: Path) -> None:
    (tmp_path / "door.verdict").unlink()
    await session.claim("door", by="Ann", action="shut it")
    found = await session.run("door")
    assert found is not None
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, Reason.INTERNAL)
    assert session.states()["door"] is State.RESOLVED


# Checks


async def test_the_final_check_makes_go_and_saves_the_record(
    session: Session, events: list[Event], open_session: OpenSession, tmp_path: Path
) -> None:
    await ready(session)
    assert not session.gate().go
    result = await checked(session)
    assert (session.gate().verdict, result.status, result.final) == ("GO", "pass", True)
    ended = events[-1]
    assert isinstance(ended, CheckEnded)
    assert ended.whole
    assert ended.record is not None
    assert re.fullmatch(r"readiness_check_\d{8}_\d{6}\.json", ended.record.name)
    assert ended.record.parent == tmp_path / "reports"
    assert ended.record.read_bytes() == encode(result)
    record = msgspec.json.decode(ended.record.read_bytes())
    assert record["checklist"]["hash"] == session.checklist.hash
    assert record["gate"]["verdict"] == "GO"
    runs = {facts.evidence.run for facts in session.status.items.values() if facts.evidence}
    assert runs == {result.run}
    assert open_session().gate().go


CHANGES: dict[str, Callable[[Session], Awaitable[object]]] = {
    "claim": lambda s: s.claim("light", by="Ann", action="again"),
    "attestation": lambda s: s.attest("sign-off", by="Bob", note="me too"),
    "waiver": lambda s: s.waive("light", by="Bob", why="x", until=today()),
    "reopening": lambda s: s.reopen("light", by="Cleo", why="seen it"),
    "step": lambda s: s.tick("door", "Lock it"),
    "run": lambda s: s.run("light"),
    "check of one": lambda s: s.check(["light"]),
    "undo": lambda s: s.undo(),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_any_change_after_the_final_check_closes_the_gate(session: Session, change: str) -> None:
    await ready(session)
    await session.check()
    assert session.gate().go
    await CHANGES[change](session)
    assert not session.gate().go
    if change not in {"undo", "reopening", "claim"}:
        assert session.gate().reasons == ("something changed after the final check",)
    if change != "undo":
        await session.check()
        assert session.gate().go


async def test_a_go_is_for_this_very_checklist(
    session: Session, open_session: OpenSession, tmp_path: Path
) -> None:
    await ready(session)
    await session.check()
    path = session.place.checklist
    text = path.read_text()
    path.write_text("# a comment\n" + text)
    assert open_session().gate().go
    path.write_text(text.replace('title = "Test"', 'title = "Another"'))
    assert open_session().gate().reasons == ("the checklist was edited after the final check",)
    path.write_text(text + '\n[[items]]\nid = "new"\ntitle = "N"\n')
    assert not open_session().gate().go
    path.write_text(text)
    assert open_session().gate().go
    assert (tmp_path / "reports").is_dir()


async def test_a_go_grows_old(session: Session, open_session: OpenSession) -> None:
    await ready(session)
    await session.check()
    assert open_session(timedelta(hours=23)).gate().go
    assert "door: its proof is stale: older than 24h" in open_session(timedelta(hours=25)).gate().reasons
    assert not open_session(timedelta(minutes=-10)).gate().go


async def test_one_item_that_fails_makes_no_go_and_inhibits_what_comes_after_it(
    session: Session, events: list[Event], tmp_path: Path
) -> None:
    await ready(session)
    door(tmp_path, "fail")
    result = await checked(session)
    assert result.status == "fail"
    assert {event.item for event in events if isinstance(event, Started)} == {"door", "light"}
    assert (session.states()["door"], session.states()["alarm"]) == (State.OPEN, State.INHIBITED)
    assert session.status.of("alarm").evidence is None
    assert session.gate().reasons == ("door: fails: all is well", "alarm: waits for door")
    door(tmp_path, "pass")
    await session.check()
    assert session.gate().go


async def test_an_item_runs_after_the_ones_it_comes_after(session: Session, events: list[Event]) -> None:
    await session.check()
    ended = [event.item for event in events if isinstance(event, Ended)]
    started = [event.item for event in events if isinstance(event, Started)]
    assert started.index("alarm") == 2
    assert ended.index("door") < ended.index("alarm")


async def test_a_waived_item_does_not_keep_what_comes_after_it_from_running(
    session: Session, tmp_path: Path
) -> None:
    await ready(session)
    await session.waive("door", by="Bob", why="new lock on Monday", until=today())
    door(tmp_path, "fail")
    result = await checked(session)
    assert session.states()["alarm"] is State.VERIFIED
    assert (result.status, result.gate.verdict, list(result.gate.waived)) == ("warn", "GO", ["door"])


async def test_a_check_of_some_items_is_no_final_check(
    session: Session, events: list[Event], tmp_path: Path
) -> None:
    await ready(session)
    result = await checked(session, ["light", "door", "alarm", "sign-off"])
    assert not result.final
    assert events[1] == CheckStarted(result.run, ("light", "door", "alarm"), final=False)
    assert events[-1] == CheckEnded(result.run, final=False, whole=True, record=None)
    assert set(session.states().values()) == {State.VERIFIED, State.ATTESTED}
    assert session.gate().reasons == ("no final check has run",)
    assert not (tmp_path / "reports").exists()


async def test_an_item_checked_alone_whose_parent_is_not_green_does_not_run(
    session: Session, events: list[Event]
) -> None:
    await session.check(["alarm"])
    assert not [event for event in events if isinstance(event, Started)]
    assert session.states()["alarm"] is State.INHIBITED


async def test_a_final_check_of_which_one_run_is_cancelled_is_not_recorded(
    tmp_path: Path, open_session: OpenSession
) -> None:
    little(tmp_path, text=SLOW)
    session = open_session()
    told: list[Event] = []
    session.listen(told.append)
    await ready(session)
    check = asyncio.create_task(session.check())
    await until(lambda: session.states()["alarm"] is State.VERIFIED)
    session.cancel("light")
    result = await check
    assert result is not None
    assert (result.final, result.status, session.status.final_check) == (False, "fail", None)
    assert session.states()["door"] is State.VERIFIED
    assert "no final check has run" in session.gate().reasons
    assert not (tmp_path / "reports").exists()
    assert told[-1] == CheckEnded(result.run, final=True, whole=False, record=None)


async def test_a_cancelled_final_check_leaves_an_older_go_closed(
    tmp_path: Path, open_session: OpenSession
) -> None:
    little(tmp_path)
    session = open_session()
    await ready(session)
    await session.check()
    (tmp_path / "door.verdict").unlink()
    os.mkfifo(tmp_path / "door.verdict")
    check = asyncio.create_task(session.check())
    await until(lambda: session.running.keys() == {"door"})
    session.cancel()
    assert await check is None
    assert not session.gate().go
    assert len(list((tmp_path / "reports").glob("*.json"))) == 1


async def test_a_check_that_is_stopped_starts_nothing_more_and_ends(
    tmp_path: Path, open_session: OpenSession
) -> None:
    little(tmp_path, text=LITTLE.replace('"read"', '"await"').replace("door.verdict", "shut"))
    session = open_session()
    told: list[Event] = []
    session.listen(told.append)
    await session.waive("door", by="Bob", why="x", until=today())  # so that alarm would run next
    check = asyncio.create_task(session.check())
    await until(lambda: session.states()["light"] is State.VERIFIED and "door" in session.running)
    session.cancel()
    assert await check is None
    started = [event.item for event in told if isinstance(event, Started)]
    assert sorted(started) == ["door", "light"]
    assert session.running == {}
    assert isinstance(told[-1], CheckEnded)
    assert (told[-1].whole, told[-1].record) == (False, None)
    assert session.status.final_check is None
    (tmp_path / "shut").touch()
    await ready(session)
    assert await session.check() is not None
    assert session.gate().go


async def test_one_check_at_a_time(tmp_path: Path, open_session: OpenSession) -> None:
    little(tmp_path, text=SLOW)
    session = open_session()
    check = asyncio.create_task(session.check())
    await until(lambda: session.running)
    for items in (None, ["door"], []):
        with pytest.raises(RefusedError, match="a check is running already"):
            await asyncio.wait_for(session.check(items), 30)
    session.cancel()
    assert await check is None
    assert await session.check(["door"]) is not None


async def test_a_check_is_of_the_checklist_and_the_facts_as_they_are_on_disk(
    session: Session, open_session: OpenSession, tmp_path: Path
) -> None:
    await ready(open_session())
    little(tmp_path, text=LITTLE + '\n[[items]]\nid = "more"\ntitle = "M"\nprobe = {use = "test-async"}\n')
    result = await checked(session)
    assert result.gate.verdict == "GO"
    assert session.states()["more"] is State.VERIFIED


async def test_a_final_check_of_a_checklist_that_was_edited_meanwhile_does_not_count(
    session: Session, events: list[Event], open_session: OpenSession, tmp_path: Path
) -> None:
    await ready(session)
    (tmp_path / "door.verdict").unlink()
    os.mkfifo(tmp_path / "door.verdict")
    check = asyncio.create_task(session.check())
    await until(lambda: session.states()["light"] is State.VERIFIED)
    session.place.checklist.write_text(LITTLE.replace("The light is out", "The light is off"))
    await asyncio.to_thread((tmp_path / "door.verdict").write_text, "pass")
    result = await check
    assert result is not None
    assert (result.final, result.gate.verdict) == (False, "NO-GO")
    assert result.checklist.hash == session.checklist.hash == open_session().checklist.hash
    assert session.status.final_check is None
    assert not (tmp_path / "reports").exists()
    assert events[-1] == CheckEnded(result.run, final=True, whole=True, record=None)


async def test_what_somebody_else_says_while_the_record_is_written_is_in_the_record(
    session: Session, open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ready(session)
    other, save = open_session(), records.save
    said: list[Path] = []

    def slowly(*args: Any) -> Path:
        if not said:
            asyncio.run(other.reopen("door", by="Bob", why="it stands open"))
        said.append(save(*args))
        return said[-1]

    monkeypatch.setattr(records, "save", slowly)
    result = await checked(session)
    assert result.gate == session.gate() == open_session().gate()
    assert result.gate.reasons[0] == "door: reopened: it stands open"
    assert [path.exists() for path in said] == [said[0] == said[1], True]
    decided = [entry.data for entry in journal.read(session.place.journal) if entry.what == "decided"]
    assert decided == [{"gate": "NO-GO", "record": said[-1].name}]


async def test_quitting_in_the_middle_of_a_final_check_ends_it_all(
    tmp_path: Path, open_session: OpenSession
) -> None:
    little(tmp_path, text=SLOW)
    session = open_session()
    check = asyncio.create_task(session.check())
    await until(lambda: session.running)
    check.cancel()
    with pytest.raises(asyncio.CancelledError):
        await check
    assert session.running == {}
    assert session.status.final_check is None


async def test_a_final_check_waits_for_a_run_that_was_started_by_hand_and_runs_again(
    session: Session, events: list[Event], tmp_path: Path
) -> None:
    await ready(session)
    (tmp_path / "door.verdict").unlink()
    os.mkfifo(tmp_path / "door.verdict")
    by_hand = asyncio.create_task(session.run("door", "by-hand"))
    await until(lambda: "door" in session.running)
    check = asyncio.create_task(session.check())
    await until(lambda: session.states()["light"] is State.VERIFIED)
    await asyncio.to_thread((tmp_path / "door.verdict").write_text, "pass")
    await by_hand
    await asyncio.to_thread((tmp_path / "door.verdict").write_text, "pass")
    result = await check
    assert result is not None
    assert result.gate.verdict == "GO"
    runs = [event.run for event in events if isinstance(event, Ended) and event.item == "door"]
    assert runs == ["by-hand", result.run]


async def test_a_checklist_without_items_is_never_go(tmp_path: Path, open_session: OpenSession) -> None:
    little(tmp_path, text=HEAD)
    session = open_session()
    result = await checked(session)
    assert (result.status, session.gate().verdict) == ("fail", "NO-GO")


async def test_manual_items_alone_can_be_go(tmp_path: Path, open_session: OpenSession) -> None:
    little(tmp_path, text=f'{HEAD}[[items]]\nid = "sign-off"\ntitle = "T"\n')
    session = open_session()
    await session.check()
    assert session.gate().reasons == ("sign-off: nobody has attested it",)
    await ready(session)
    assert session.gate().reasons == ("something changed after the final check",)
    await session.check()
    assert session.gate().go


async def test_secrets_from_the_environment_reach_no_file(
    tmp_path: Path, open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSE_TOKEN", "hunter2hunter2")
    little(tmp_path, text=LITTLE.replace('use = "test-async"', 'use = "test-async"\ntext = "${HOUSE_TOKEN}"'))
    session = open_session()
    await ready(session)
    await session.check()
    assert session.gate().go
    written = files(tmp_path) | files(tmp_path / "reports")
    assert {"checklist.status.toml", "checklist.toml"} < set(written)
    assert len([name for name in written if name.startswith("readiness_check_")]) == 3
    assert not [name for name, data in written.items() if b"hunter2" in data]


async def test_what_a_hand_wrote_into_the_file_is_taken_for_what_it_is(
    tmp_path: Path, open_session: OpenSession
) -> None:
    little(tmp_path)
    path = tmp_path / "checklist.status.toml"
    path.write_text('revision = 3\n[items.door]\nstate = "verified"\n')
    session = open_session()
    assert session.states()["door"] is State.OPEN
    await ready(session)
    assert 'state = "open"' in path.read_text()
    assert replace(session.status, items={}, journal="") == Status(revision=4)
    assert [entry.edited for entry in journal.read(session.place.journal)] == [True]


async def test_a_run_that_is_cancelled_before_it_begins_leaves_nothing(session: Session) -> None:
    run = asyncio.create_task(session.run("light"))
    while not session.running:
        await asyncio.sleep(0)
    session.cancel("light")
    assert await run is None
    assert session.running == {}
    outcome = await session.run("light")
    assert outcome is not None


@pytest.mark.parametrize("use", ["test-async", "test-blocking"])
async def test_a_probe_remembers_its_last_run_even_after_a_restart(
    tmp_path: Path, open_session: OpenSession, use: str
) -> None:
    item = (
        f'\n[[items]]\nid = "count"\nsection = "S"\ntitle = "T"\n[items.probe]\nuse = "{use}"\ndo = "count"\n'
    )
    (tmp_path / "checklist.toml").write_text(HEAD + item)
    counts = []
    for _ in range(2):
        outcome = await open_session().run("count")
        counts.append(outcome.checks[0].observed if outcome else None)
    assert counts == [1, 2]
