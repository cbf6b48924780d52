from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from checklist import journal
from checklist.journal import Note
from checklist.reports import readiness, records, status_report, trend
from checklist.session import Session
from checklist.status import Evidence, Status
from probes.outcome import Check, Outcome, Verdict
from tests.checklist.making import HEAD, NOW, checklist, hours, item, outcome, proven

CACHE = item("cache")
LIST = checklist(CACHE, item("jobs"))


def figure(value: Any, name: str = "memory", unit: str | None = "B") -> Check:
    return Check(name=name, verdict=Verdict.PASS, observed=value, unit=unit, limit=100)


def seen(*lines: Check, at: datetime = NOW, probe: str = "test-async") -> Outcome:
    return replace(outcome("fail", at), checks=lines, probe=probe)


def values(found: dict[str, trend.Trend], name: str = "memory") -> list[float]:
    return [point.value for point in found[name]]


class Folder:
    """A folder with the records and the journal of a checklist."""

    def __init__(self, path: Path, name: str = "checklist") -> None:
        self.path = path
        self.journal = path / f"{name}.journal.jsonl"
        self.paths: list[Path] = []

    def checked(self, *lines: Check, at: datetime) -> Path:
        """Save the record of a final check, and tell of it in the journal."""
        facts = replace(
            proven(LIST).of("cache"), evidence=Evidence(outcome=seen(*lines, at=at), run="r", item=CACHE.hash)
        )
        report = status_report.build(LIST, proven(LIST).having("cache", facts), at)
        path = records.save(readiness.build(report, run="r", final=True, time=at), self.path)
        self.tell(path.name)
        self.paths.append(path)
        return path

    def tell(self, record: str) -> None:
        note = Note("decided", data={"gate": "GO", "record": record})
        last = journal.last_line(self.journal)
        line = journal.compose(
            note, at=NOW, checklist=LIST.hash, before=Status(), after=Status(revision=1), last=last
        )
        journal.append(self.journal, line)

    def past(self, name: str = "cache", **last: int) -> list[Any]:
        found = trend.past(self.path, self.journal, name, **last)
        return [outcome.checks[0].observed for outcome in found]


def test_the_last_final_checks_are_looked_back_on_oldest_first(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for number in range(5):
        folder.checked(figure(number), at=hours(number))
    assert folder.past() == [0, 1, 2, 3, 4]
    assert folder.past(last=2) == [3, 4]
    assert folder.past("nobody") == []


def test_the_journal_says_which_is_the_last_not_the_time_in_a_name(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for number, hour in enumerate((3, 1, 2)):
        folder.checked(figure(number), at=hours(hour))
    assert folder.past() == [0, 1, 2]


def test_another_checklist_in_the_same_folder_is_another_trend(tmp_path: Path) -> None:
    ours, theirs = Folder(tmp_path), Folder(tmp_path, "other")
    ours.checked(figure(1), at=hours(1))
    theirs.checked(figure(2), at=hours(2))
    assert (ours.past(), theirs.past()) == ([1], [2])


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b'{"items": 3}', b"\xff\xfe", b"[" * 100_000, b'{"items":[{"id":"jobs"}]}', None],
)
def test_a_record_that_is_gone_broken_or_foreign_is_passed_over(tmp_path: Path, data: bytes | None) -> None:
    folder = Folder(tmp_path)
    for number in range(3):
        folder.checked(figure(number), at=hours(number))
    if data is None:
        folder.paths[1].unlink()
    else:
        folder.paths[1].write_bytes(data)
    assert folder.past() == [0, 2]


def test_without_a_journal_or_with_one_that_cannot_be_trusted_there_is_no_trend(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert folder.past() == []
    folder.checked(figure(1), at=NOW)
    folder.tell("../../etc/passwd")
    assert folder.past() == []
    folder.journal.write_text('{"what":"decided",}\n')
    assert folder.past() == []


def test_evidence_that_stood_over_several_checks_counts_once(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    same = figure(7)
    first = folder.checked(same, at=NOW)
    folder.tell(first.name)
    assert folder.past() == [7]


def test_of_a_thousand_records_only_the_last_ones_are_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Folder(tmp_path)
    path = folder.checked(figure(1), at=NOW)
    line = folder.journal.read_bytes()
    folder.journal.write_bytes(line * 1000)
    opened: list[Path] = []
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(path) or read(path))
    assert folder.past() == [1]
    assert opened == [path] * trend.LAST


def test_the_newest_run_ends_a_trend_and_is_in_it_once() -> None:
    before = [seen(figure(value), at=hours(value)) for value in (1, 2, 3)]
    assert values(trend.trends(before, seen(figure(9), at=hours(9)))) == [1, 2, 3, 9]
    assert values(trend.trends(before, before[-1])) == [1, 2, 3]
    assert values(trend.trends([], before[0])) == [1]


def test_another_unit_another_probe_and_what_is_no_number_are_left_out() -> None:
    newest = seen(figure(5), figure("lru", "policy"), figure(True, "on"), at=hours(9))
    before = [
        seen(figure(1), at=hours(1)),
        seen(figure(2, unit="KiB"), at=hours(2)),
        seen(figure(3), at=hours(3), probe="another"),
        seen(figure("much"), at=hours(4)),
        seen(figure(float("inf")), at=hours(5)),
        seen(figure(10**400), at=hours(6)),
        seen(figure(None), figure(7, "policy"), at=hours(7)),
        seen(at=hours(8)),
    ]
    found = trend.trends(before, newest)
    assert set(found) == {"memory"}
    assert values(found) == [1, 5]
    assert found["memory"][0] == (hours(1), 1)


def test_lines_of_one_name_have_no_trend_as_nobody_can_tell_them_apart() -> None:
    twice = seen(figure(1), figure(2), figure(3, "clients"))
    assert set(trend.trends([], twice)) == {"clients"}


async def test_a_session_tells_what_its_own_final_checks_found(tmp_path: Path) -> None:
    path = tmp_path / "checklist.toml"
    path.write_text(
        f'{HEAD}\n[[items]]\nid = "runs"\nsection = "S"\ntitle = "T"\n'
        '[items.probe]\nuse = "test-blocking"\ndo = "count"\n'
    )
    session = Session.open(path, operator="Ann")
    try:
        assert await session.trend("runs") == []
        for _ in range(3):
            await session.check()
        assert [found.checks[0].observed for found in await session.trend("runs")] == [1, 2, 3]
    finally:
        await session.close()
