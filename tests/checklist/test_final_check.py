"""A final check that was stopped half way, and how it is gone on with."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from checklist import journal
from checklist.events import Changed, CheckEnded, CheckStarted, Ended, Event, Started
from checklist.lifecycle import RefusedError, State
from checklist.reports import readiness
from checklist.session import Session
from tests.checklist.conftest import OpenSession
from tests.checklist.making import HEAD, today

ITEMS = """
[[items]]
id = "door"
title = "The door is shut"
steps = ["Shut it"]
[items.probe]
use = "test-blocking"
do = "read"
file = "door.verdict"

[[items]]
id = "light"
title = "The light is out"
[items.probe]
use = "test-async"

[[items]]
id = "alarm"
title = "The alarm is on"
after = ["door"]
[items.probe]
use = "test-async"

[[items]]
id = "guard"
title = "The guard is there: it takes a while"
[items.probe]
use = "test-blocking"
do = "await"
file = "guard.came"

[[items]]
id = "dog"
title = "The dog is fed by the guard"
after = ["guard"]
[items.probe]
use = "test-async"

[[items]]
id = "sign-off"
title = "Somebody has looked"
"""
EARLY, LATE = ("door", "light", "alarm"), ("guard", "dog")


@pytest.fixture
async def session(tmp_path: Path, open_session: OpenSession) -> Session:
    (tmp_path / "checklist.toml").write_text(HEAD + ITEMS)
    (tmp_path / "door.verdict").write_text("pass")
    session = open_session()
    await session.attest("sign-off", by="Ann", note="looked")
    return session


@pytest.fixture
def events(session: Session) -> list[Event]:
    told: list[Event] = []
    session.listen(told.append)
    return told


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def stop_half_way(session: Session, *, seen: tuple[str, ...] = EARLY, resume: bool = False) -> str:
    """Begin a final check, or go on with it, and stop it while the guard is awaited; return its id."""
    check = asyncio.create_task(session.check(resume=resume))

    def waits() -> bool:
        going = session.unfinished()
        return going is not None and session.seen_by(going.run) == seen and [*session.running] == ["guard"]

    await until(waits)
    session.cancel()
    assert await check is None
    stopped = session.unfinished()
    assert stopped is not None
    return stopped.run


def let_the_guard_come(folder: Path) -> None:
    (folder / "guard.came").touch()


def found(session: Session) -> Counter[tuple[str, str]]:
    """Return how often each item was found in which run, as the journal has it."""
    entries = journal.read(session.place.journal)
    return Counter((entry.item, entry.run) for entry in entries if entry.what == "found")


def records(session: Session) -> list[Path]:
    return sorted(session.place.records.glob("reports/readiness_check_*.json"))


async def test_a_check_that_was_stopped_is_gone_on_with_as_one_run(
    session: Session, events: list[Event], tmp_path: Path
) -> None:
    run = await stop_half_way(session)
    began = session.unfinished()
    assert began is not None
    assert "no final check has run" in session.gate().reasons
    assert records(session) == []
    let_the_guard_come(tmp_path)
    events.clear()
    result = await session.check(resume=True)
    assert result is not None
    assert (result.run, result.final, result.gate.verdict) == (run, True, "GO")
    assert events[0] == CheckStarted(run, (*EARLY, *LATE), final=True, done=EARLY)
    assert [event.item for event in events if isinstance(event, Started)] == [*LATE]
    assert [event.run for event in events if isinstance(event, Ended)] == [run, run]
    assert events[-1] == CheckEnded(run, final=True, whole=True, record=records(session)[0])
    assert found(session) == dict.fromkeys([(name, run) for name in (*EARLY, *LATE)], 1)
    final = session.status.final_check
    assert final is not None
    assert (final.run, final.started_at) == (run, began.started_at)
    assert session.gate().go
    assert [session.unfinished(), session.status.unfinished_check] == [None, None]
    assert journal.verify(session.place.journal, session.status) is None


async def test_another_session_goes_on_after_the_first_has_quit(
    session: Session, open_session: OpenSession, tmp_path: Path
) -> None:
    check = asyncio.create_task(session.check())
    await until(lambda: [*session.running] == ["guard"] and session.states()["alarm"] is State.VERIFIED)
    await session.close()
    assert await check is None
    let_the_guard_come(tmp_path)
    other = open_session()
    stopped = other.unfinished()
    assert stopped is not None
    assert other.seen_by(stopped.run) == EARLY
    result = await other.check(resume=True)
    assert result is not None
    assert (result.run, result.gate.verdict, open_session().gate().line) == (stopped.run, "GO", "GO")
    assert found(other) == dict.fromkeys([(name, stopped.run) for name in (*EARLY, *LATE)], 1)


async def test_it_may_be_stopped_more_than_once(session: Session, tmp_path: Path) -> None:
    run = await stop_half_way(session)
    assert await stop_half_way(session, resume=True) == run
    assert await stop_half_way(session, resume=True) == run
    let_the_guard_come(tmp_path)
    assert await session.check(resume=True) is not None
    assert session.gate().go
    assert set(found(session).values()) == {1}


async def test_of_a_check_of_which_one_run_was_stopped_only_that_one_is_run(
    session: Session, tmp_path: Path
) -> None:
    check = asyncio.create_task(session.check())
    await until(lambda: [*session.running] == ["guard"] and session.states()["alarm"] is State.VERIFIED)
    session.cancel("guard")
    result = await check
    assert result is not None
    assert (result.final, session.gate().go) == (False, False)
    let_the_guard_come(tmp_path)
    again = await session.check(resume=True)
    assert again is not None
    assert (again.run, again.gate.verdict) == (result.run, "GO")


async def test_two_sessions_that_go_on_at_once_share_one_run(
    session: Session, open_session: OpenSession, tmp_path: Path
) -> None:
    run = await stop_half_way(session)
    let_the_guard_come(tmp_path)
    await asyncio.gather(session.check(resume=True), open_session().check(resume=True))
    last = open_session()
    assert {ran for _, ran in found(last)} == {run}
    assert {found(last)[name, run] for name in EARLY} == {1}
    # What one of them still finds after the other has ended it is a change: no harm but a check more.
    assert last.gate().go or last.gate().reasons == ("something changed after the final check",)


async def test_a_final_check_does_not_count_when_another_one_has_begun(
    session: Session, open_session: OpenSession, tmp_path: Path
) -> None:
    await stop_half_way(session)
    going = asyncio.create_task(session.check(resume=True))
    await until(lambda: "guard" in session.running)
    other = open_session()
    begun = asyncio.create_task(other.check())
    await until(lambda: "guard" in other.running)
    let_the_guard_come(tmp_path)
    first, second = await asyncio.gather(going, begun)
    assert first is not None
    assert second is not None
    assert (first.final, second.final) == (False, True)


# To go on is no second try


@pytest.mark.parametrize("verdict", ["fail", "warn"])
async def test_what_failed_before_the_stop_stays_so_and_what_waits_for_it_never_runs(
    session: Session, tmp_path: Path, verdict: str
) -> None:
    (tmp_path / "door.verdict").write_text(verdict)
    run = await stop_half_way(session, seen=("door", "light"))
    (tmp_path / "door.verdict").write_text("pass")
    let_the_guard_come(tmp_path)
    result = await session.check(resume=True)
    assert result is not None
    assert (result.run, result.final, result.gate.verdict) == (run, True, "NO-GO")
    assert found(session) == dict.fromkeys([(name, run) for name in ("door", "light", *LATE)], 1)
    assert session.states()["alarm"] is State.INHIBITED
    assert session.unfinished() is None
    new = await session.check()
    assert new is not None
    assert (new.gate.verdict, new.run != run) == ("GO", True)


async def test_a_new_final_check_runs_everything_again(session: Session, tmp_path: Path) -> None:
    run = await stop_half_way(session)
    let_the_guard_come(tmp_path)
    result = await session.check()
    assert result is not None
    assert result.run != run
    assert Counter(name for name, _ in found(session)) == dict.fromkeys(EARLY, 2) | dict.fromkeys(LATE, 1)
    assert result.gate.verdict == "GO"


async def test_evidence_of_the_first_part_grows_old_like_any_other(
    session: Session, open_session: OpenSession, tmp_path: Path
) -> None:
    text = (HEAD + ITEMS).replace(
        'title = "The light is out"', 'title = "The light is out"\nfresh_for = "1s"'
    )
    (tmp_path / "checklist.toml").write_text(text)
    session = open_session()
    await session.attest("sign-off", by="Ann", note="looked again")
    await stop_half_way(session)
    await until(lambda: session.states()["light"] is State.STALE)
    let_the_guard_come(tmp_path)
    result = await session.check(resume=True)
    assert result is not None
    assert result.gate.reasons == ("light: its proof is stale: older than 1s",)


# What keeps it from being gone on with


async def edit(session: Session) -> None:
    text = session.place.checklist.read_text()
    session.place.checklist.write_text(text.replace("The light is out", "The light is off"))


async def mark_and_undo(session: Session) -> None:
    await session.tick("door", "Shut it")
    await session.undo()


async def finish(session: Session) -> None:
    let_the_guard_come(session.place.folder)
    await session.check(resume=True)


CHANGES: dict[str, Callable[[Session], Awaitable[object]]] = {
    "a claim": lambda s: s.claim("door", by="Ann", action="shut it"),
    "a claim about what has not run": lambda s: s.claim("dog", by="Ann", action="fed it"),
    "a waiver": lambda s: s.waive("dog", by="Ann", why="no dog", until=today()),
    "an attestation": lambda s: s.attest("sign-off", by="Bob", note="looked too"),
    "a reopening": lambda s: s.reopen("door", by="Cleo", why="seen it open"),
    "a step": lambda s: s.tick("door", "Shut it"),
    "a mark that was taken back": mark_and_undo,
    "a run by hand": lambda s: s.run("light"),
    "a check of some items": lambda s: s.check(["light"]),
    "an edit": edit,
    "its own end": finish,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("by", ["this session", "another"])
async def test_once_anything_else_has_changed_it_cannot_be_gone_on_with(
    session: Session, events: list[Event], open_session: OpenSession, change: str, by: str
) -> None:
    await stop_half_way(session)
    await CHANGES[change](session if by == "this session" else open_session())
    events.clear()
    before = session.place.status.read_bytes()
    for one in (session, open_session()):
        with pytest.raises(RefusedError, match="no final check to go on with"):
            await one.check(resume=True)
        assert one.unfinished() is None
    assert session.place.status.read_bytes() == before
    assert not [event for event in events if not isinstance(event, Changed)]
    assert open_session().gate().go is (change == "its own end")


async def test_an_edit_that_was_taken_back_changes_nothing(session: Session, tmp_path: Path) -> None:
    await stop_half_way(session)
    text = session.place.checklist.read_text()
    await edit(session)
    await session.follow()
    assert session.unfinished() is None
    session.place.checklist.write_text(text)
    let_the_guard_come(tmp_path)
    result = await session.check(resume=True)
    assert result is not None
    assert result.gate.verdict == "GO"


async def test_where_nothing_was_stopped_there_is_nothing_to_go_on_with(
    session: Session, events: list[Event], tmp_path: Path
) -> None:
    let_the_guard_come(tmp_path)
    for _ in range(2):
        before = session.place.status.read_bytes()
        with pytest.raises(RefusedError, match="no final check to go on with"):
            await session.check(resume=True)
        assert session.place.status.read_bytes() == before
        assert not [event for event in events if isinstance(event, Started | CheckStarted)]
        await session.check()
        assert session.gate().go
        events.clear()


# What is told first is the beginning, and then of each of five items start, outcome and end.
CLOSED = 2 + 3 * 5 + 1


@pytest.mark.parametrize("moment", range(1, CLOSED + 2))
async def test_wherever_it_is_stopped_there_is_go_only_with_a_record_and_all_else_can_be_gone_on_with(
    session: Session, events: list[Event], open_session: OpenSession, tmp_path: Path, moment: int
) -> None:
    let_the_guard_come(tmp_path)
    session.listen(lambda _: session.cancel() if len(events) == moment else None)
    await session.check()
    await session.close()
    other = open_session()
    assert other.gate().go is bool(records(other))
    if other.unfinished():
        await other.check(resume=True)
    elif not other.gate().go:
        await other.check()
    assert (other.gate().line, len(records(other))) == ("GO", 1)
    assert readiness.read(records(other)[0]).gate.go
