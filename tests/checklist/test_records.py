import errno
import os
import stat
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from checklist import durable, journal, schema
from checklist.journal import Entry, Note
from checklist.reading import FileError
from checklist.reports import readiness, records, resolution, status_report
from checklist.reports.readiness import ReadinessCheck
from checklist.reports.resolution import ResolutionReport
from checklist.status import Facts, Status
from probes.outcome import Verdict
from tests.checklist.making import NOW, checklist, evidence, hours, item, manual, outcome, proven
from tests.checklist.test_gate_properties import World, worlds

LIST = checklist(item("cache"), item("jobs"), manual("sign-off"))
STEM = "readiness_check_20250627_120000"
BROKEN = proven(LIST).having("cache", Facts(evidence=evidence(LIST.by_id["cache"], "fail")))


def check(status: Status, **changes: Any) -> ReadinessCheck:
    report = status_report.build(LIST, status, NOW)
    return replace(readiness.build(report, run="run-1", final=True, time=NOW, by="Ann"), **changes)


RECORD = check(proven(LIST))
RESOLUTION = resolution.build(status_report.build(LIST, BROKEN, NOW), [], NOW)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "reports").iterdir())


# What is in them


def test_a_readiness_check_says_who_ran_it_and_on_what_evidence() -> None:
    about = replace(RECORD.items[0], evidence=outcome(summary="another"))
    other = readiness.evidence_hash(about.evidence or outcome())
    assert RECORD.by == "Ann"
    assert set(RECORD.evidence_hash) == {"cache", "jobs"}
    assert RECORD.evidence_hash["cache"] == readiness.evidence_hash(RECORD.items[0].evidence or outcome())
    assert RECORD.evidence_hash["cache"].startswith("sha256:")
    assert RECORD.evidence_hash["cache"] != other


def test_the_hash_of_an_outcome_does_not_hang_on_the_order_of_its_figures() -> None:
    one, other = (
        replace(outcome(), metrics=dict(pairs)) for pairs in ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)])
    )
    assert readiness.evidence_hash(one) == readiness.evidence_hash(other)


def entries(world: World) -> list[Entry]:
    """Return a journal in which every item was found to fail."""
    fields = dict.fromkeys(("by", "why", "run", "checklist", "facts", "previous"), "x")
    return [
        Entry(
            number=1,
            at=NOW,
            what="found",
            item=about.id,
            data={"verdict": "fail"},
            edited=False,
            revision=1,
            **fields,
        )
        for about in world.whole.items
    ]


VALIDATORS = {
    name: jsonschema.Draft202012Validator(schema.of_record(kind)) for name, kind in records.KINDS.items()
}


@settings(max_examples=40, deadline=None)
@given(worlds(), worlds())
def test_records_survive_the_trip_through_json_and_fit_their_schema(before: World, world: World) -> None:
    old, new = (
        readiness.build(
            status_report.build(one.whole, one.status, one.now), run="r", final=True, time=one.now
        )
        for one in (before, world)
    )
    report = status_report.build(world.whole, world.status, world.now)
    documents: list[ReadinessCheck | ResolutionReport] = [
        old,
        replace(new, changes=readiness.compare(old, new, "before.json"), problem="why"),
        resolution.build(report, entries(world), world.now),
    ]
    for document in documents:
        data = records.render(document)[".json"]
        assert msgspec.json.decode(data, type=type(document)) == document
        kind = next(name for name, one in records.KINDS.items() if one is type(document))
        VALIDATORS[kind].validate(msgspec.json.decode(data))


@pytest.mark.parametrize("kind", records.KINDS)
def test_a_schema_refuses_what_is_no_such_record(kind: str) -> None:
    validator = VALIDATORS[kind]
    validator.check_schema(schema.of_record(records.KINDS[kind]))
    document = RECORD if kind == "readiness_check" else RESOLUTION
    good = msgspec.json.decode(status_report.encode(document))
    assert validator.is_valid(good)
    for spoilt in ({}, [], good | {"gate": {}}, good | {"time": 5}, good | {"items": [{}]}):
        assert not validator.is_valid(spoilt)
    good["items"][0]["state"] = "sure"
    assert not validator.is_valid(good)


# Saving


@pytest.mark.parametrize(
    ("document", "stem"),
    [(RECORD, STEM), (RESOLUTION, "issue_resolution_report_20250627_120000")],
    ids=["readiness", "resolution"],
)
def test_a_record_is_saved_in_three_forms_of_one_name(
    tmp_path: Path, document: ReadinessCheck | ResolutionReport, stem: str
) -> None:
    path = records.save(document, tmp_path)
    assert path == tmp_path / "reports" / f"{stem}.json"
    assert names(tmp_path) == [f"{stem}.html", f"{stem}.json", f"{stem}.md"]
    assert msgspec.json.decode(path.read_bytes(), type=type(document)) == document
    assert path.with_suffix(".html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert path.with_suffix(".md").read_text("utf-8").startswith("# **")
    assert {stat.S_IMODE(one.stat().st_mode) & 0o111 for one in path.parent.iterdir()} == {0}


def test_records_of_the_same_second_stand_side_by_side(tmp_path: Path) -> None:
    saved = [records.save(RECORD, tmp_path).name for _ in range(3)]
    assert saved == [f"{STEM}.json", f"{STEM}_2.json", f"{STEM}_3.json"]
    assert len(names(tmp_path)) == 9


@pytest.mark.parametrize("suffix", [".json", ".md", ".html"])
def test_a_name_is_free_only_if_none_of_the_three_is_taken(tmp_path: Path, suffix: str) -> None:
    taken = tmp_path / "reports" / f"{STEM}{suffix}"
    taken.parent.mkdir()
    taken.write_text("mine")
    assert records.save(RECORD, tmp_path).name == f"{STEM}_2.json"
    assert taken.read_text() == "mine"
    assert len(names(tmp_path)) == 4


@pytest.mark.parametrize("suffix", [".json", ".md", ".html"])
def test_a_name_taken_at_the_last_moment_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    rival = records.render(RECORD)[suffix]
    real = durable.create

    def late(path: Path, data: bytes, *, private: bool) -> None:
        if path.name == f"{STEM}{suffix}":
            path.write_bytes(rival)
        real(path, data, private=private)

    monkeypatch.setattr(durable, "create", late)
    assert records.save(RECORD, tmp_path).name == f"{STEM}_2.json"
    assert names(tmp_path) == sorted(
        [f"{STEM}{suffix}", *(f"{STEM}_2{one}" for one in (".html", ".json", ".md"))]
    )


@pytest.mark.parametrize("suffix", [".json", ".md", ".html"])
@pytest.mark.parametrize("stands", [True, False], ids=["the file stands", "the file does not"])
def test_a_record_that_cannot_be_saved_whole_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, *, stands: bool
) -> None:
    real = durable.create

    def full(path: Path, data: bytes, *, private: bool) -> None:
        if path.suffix == suffix:
            if stands:
                real(path, data, private=private)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path, data, private=private)

    monkeypatch.setattr(durable, "create", full)
    with pytest.raises(OSError, match="No space"):
        records.save(RECORD, tmp_path)
    assert names(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("not a folder")
    with pytest.raises(OSError, match="reports"):
        records.save(RECORD, tmp_path)


def test_a_text_that_is_no_utf8_does_not_keep_a_record_from_being_saved(tmp_path: Path) -> None:
    path = records.save(replace(RECORD, description="a\udc80b"), tmp_path)
    assert readiness.read(path).description == "a?b"
    assert (
        readiness.build(
            status_report.build(LIST, BROKEN, NOW), run="r", final=True, time=NOW, by="Ann\udcff\x1b[2J"
        ).by
        == "Ann"
    )


# Finding and reading them


def decided(folder: Path, *names: str) -> Path:
    """Return a journal that tells of final checks with these records."""
    path, status, line = folder / "checklist.journal.jsonl", Status(), ""
    for name in names:
        note = Note("decided", "Ann", run="r", data={"gate": "GO", "record": name})
        line = journal.compose(note, at=NOW, checklist="", before=status, after=status, last=line)
        journal.append(path, line)
    return path


def test_the_newest_record_is_the_one_that_the_journal_tells_of_last_whatever_its_name_says(
    tmp_path: Path,
) -> None:
    assert readiness.newest(tmp_path, tmp_path / "checklist.journal.jsonl") is None
    book = decided(tmp_path, "readiness_check_20250628_000000.json", "readiness_check_20250627_120000_2.json")
    records.save(check(proven(LIST), time=hours(24)), tmp_path)
    found = readiness.newest(tmp_path, book)
    assert found == tmp_path / "reports" / "readiness_check_20250627_120000_2.json"


@pytest.mark.parametrize("name", ["../checklist.toml", "readiness_check_1.json", "x\x1b[2J"])
def test_a_name_that_is_none_of_a_record_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileError, match="is no name of a readiness check"):
        readiness.newest(tmp_path, decided(tmp_path, name))


def test_a_journal_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="cannot be read"):
        readiness.newest(tmp_path, tmp_path)
    (book := tmp_path / "checklist.journal.jsonl").write_text('{}\n{"what":"decided"}\n')
    with pytest.raises(FileError, match=":2: not a line of a journal"):
        readiness.newest(tmp_path, book)


def test_a_saved_record_is_read_again(tmp_path: Path) -> None:
    assert readiness.read(records.save(RECORD, tmp_path)) == RECORD


def test_a_record_from_before_the_new_keys_is_read(tmp_path: Path) -> None:
    raw = msgspec.json.decode(status_report.encode(RECORD))
    for key in ("by", "evidence_hash", "changes", "problem"):
        del raw[key]
    path = tmp_path / "old.json"
    path.write_bytes(msgspec.json.encode(raw))
    assert readiness.read(path) == replace(RECORD, by="", evidence_hash={}, changes=None, problem="")


GOOD = status_report.encode(RECORD)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not valid JSON"),
        (b'{\n "status": "pass",\n oops', ":3: not valid JSON"),
        (GOOD[:-20], "not valid JSON"),
        (b"[]", "not a readiness check: Expected `object`"),
        (b"{}", "not a readiness check: Object missing required field"),
        (
            GOOD.replace(b'"fail"', b'"sure"').replace(b'"GO"', b"5"),
            r"Expected `str`, got `int` - at `\$.gate.verdict`",
        ),
        (GOOD.replace(b'"verified"', b'"sure"'), "Invalid enum value 'sure'"),
        (GOOD.replace(b"12:00:00Z", b"12:00:00"), "timezone"),
        (GOOD.replace(b'"verdict": "pass"', b'"verdict": "unknown"'), "an unknown verdict has a reason"),
        (GOOD.replace(b"Test", b"\xff"), "not valid JSON"),
        (b"[" * 100_000, "not"),
    ],
    ids=range(11),
)
def test_a_broken_record_is_refused_in_one_clear_line(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(data)
    with pytest.raises(FileError, match=message) as caught:
        readiness.read(path)
    assert str(caught.value).startswith(str(path))
    assert str(caught.value).isprintable()


def test_a_record_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        readiness.read(tmp_path / "none.json")
    with pytest.raises(FileError, match="cannot be read"):
        readiness.read(tmp_path)


# Compared with the one before


def test_the_first_record_has_nothing_to_compare_with(tmp_path: Path) -> None:
    found = readiness.compared(RECORD, tmp_path, tmp_path / "checklist.journal.jsonl")
    assert (found.changes, found.problem) == (None, "")


def test_a_record_is_compared_with_the_newest_one(tmp_path: Path) -> None:
    before = [
        records.save(check(BROKEN, time=hours(-2), run="older"), tmp_path),
        records.save(check(proven(LIST), time=hours(-1), run="newer"), tmp_path),
    ]
    found = readiness.compared(check(BROKEN), tmp_path, decided(tmp_path, *(path.name for path in before)))
    assert found.problem == ""
    assert found.changes is not None
    assert (found.changes.run, found.changes.previous) == ("newer", "readiness_check_20250627_110000.json")
    assert [one.item for one in found.changes.broke] == ["cache"]
    assert readiness.read(records.save(found, tmp_path)) == found


@pytest.mark.parametrize(("text", "why"), [("{\n\n oops", ":3: not valid JSON"), (None, ": no such file")])
def test_a_previous_record_that_cannot_be_read_is_told_and_not_passed_over(
    tmp_path: Path, text: str | None, why: str
) -> None:
    name = "readiness_check_20250627_110000.json"
    book = decided(tmp_path, records.save(check(proven(LIST), time=hours(-2)), tmp_path).name, name)
    if text is not None:
        (tmp_path / "reports" / name).write_text(text)
    found = readiness.compared(RECORD, tmp_path, book)
    assert found.changes is None
    assert found.problem.startswith(f"not compared with the check before: {name}{why}")
    assert str(tmp_path) not in found.problem
    assert Verdict.PASS.value == found.status
