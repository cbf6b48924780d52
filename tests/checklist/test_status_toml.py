import tomllib
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checklist import definition, lifecycle
from checklist.lifecycle import State
from checklist.reading import FileError
from checklist.status import Attestation, Claim, Evidence, Facts, FinalCheck, Reopening, Status, Waiver
from checklist.store.status_toml import format_status, parse_status
from probes.outcome import WEIGHT, Check, Outcome, Reason, Verdict, worst
from tests.checklist.making import (
    NOW,
    attestation,
    checklist,
    claim,
    evidence,
    final,
    item,
    manual,
    reopening,
    waiver,
)
from tests.conftest import REPOSITORY

PATH = Path("here/checklist.status.toml")
CACHE = item("cache")

# Everything a file can hold. Surrogates are no text: no file can hold them, and the runner strips them.
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENT = st.datetimes(timezones=ZONES)
DAY = st.dates()
PAST_DAY = st.dates(max_value=date(9998, 12, 31))
FIGURE = st.none() | st.booleans() | TEXT | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
CHECKS = st.builds(
    Check,
    name=TEXT,
    verdict=st.sampled_from(Verdict),
    observed=FIGURE,
    unit=st.none() | TEXT,
    limit=FIGURE,
    message=TEXT,
)


@st.composite
def outcomes(draw: st.DrawFn) -> Outcome:
    """Draw what does not contradict itself: a verdict as heavy as the heaviest line, or heavier."""
    checks = tuple(draw(st.lists(CHECKS, max_size=2)))
    least = WEIGHT[worst(check.verdict for check in checks)] if checks else WEIGHT[Verdict.WARN]
    verdict = draw(st.sampled_from([verdict for verdict in Verdict if WEIGHT[verdict] >= least]))
    return Outcome(
        probe=draw(TEXT),
        verdict=verdict,
        summary=draw(TEXT),
        reason=draw(st.sampled_from(Reason)) if verdict is Verdict.UNKNOWN else None,
        checks=checks,
        metrics=draw(st.dictionaries(TEXT, st.floats(allow_nan=False), max_size=2)),
        started_at=draw(MOMENT),
        duration=draw(st.floats(0, 1e6)),
    )


FACTS = st.builds(
    Facts,
    claim=st.none() | st.builds(Claim, by=TEXT, on=PAST_DAY, action=TEXT, at=MOMENT),
    attestation=st.none() | st.builds(Attestation, by=TEXT, note=TEXT, at=MOMENT, item=TEXT),
    waiver=st.none() | st.builds(Waiver, by=TEXT, why=TEXT, until=DAY, at=MOMENT, item=TEXT),
    reopening=st.none() | st.builds(Reopening, by=TEXT, why=TEXT, at=MOMENT),
    evidence=st.none() | st.builds(Evidence, outcome=outcomes(), run=TEXT, item=TEXT),
    last_pass=st.none() | MOMENT,
    steps=st.lists(TEXT, max_size=2).map(tuple),
)
FINALS = st.builds(
    FinalCheck,
    run=TEXT,
    started_at=MOMENT,
    finished_at=MOMENT,
    checklist=TEXT,
    facts=TEXT,
    revision=st.integers(0, 2**40),
)
STATUSES = st.builds(
    Status,
    revision=st.integers(0, 2**40),
    items=st.dictionaries(
        st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}", fullmatch=True), FACTS, max_size=2
    ),
    final_check=st.none() | FINALS,
)


@settings(max_examples=150, deadline=None)
@given(STATUSES, TEXT)
def test_every_fact_survives_the_trip_through_the_file(status: Status, word: str) -> None:
    text = format_status(status, dict.fromkeys(status.items, word))
    assert parse_status(text.encode().decode(), PATH) == status


FULL = Status(
    revision=12,
    items={
        "cache": Facts(claim=claim(), evidence=evidence(CACHE), last_pass=NOW, steps=("Tune it",)),
        "sign-off": Facts(attestation=attestation(manual()), reopening=reopening()),
        "v1.2": Facts(waiver=waiver()),
    },
    final_check=final(checklist(CACHE)),
)
TEXT_OF_FULL = format_status(FULL, {"cache": "verified"})


def test_the_file_is_flat_and_readable() -> None:
    table = tomllib.loads(TEXT_OF_FULL)
    cache = table["items"]["cache"]
    assert {key: cache[key] for key in ("state", "resolved_by", "resolved_on", "action", "steps_done")} == {
        "state": "verified",
        "resolved_by": "Ann",
        "resolved_on": date(2025, 6, 27),
        "action": "fixed it",
        "steps_done": ["Tune it"],
    }
    assert cache["evidence"]["checks"][0]["observed"] == 1.5
    assert table["items"]["v1.2"]["waived_until"] == date(2025, 6, 27)
    assert table["items"]["sign-off"]["attested_by"] == "Ann"
    assert (table["revision"], table["final_check"]["revision"]) == (12, 7)
    assert 'resolved_by = "Ann"\n' in TEXT_OF_FULL
    assert TEXT_OF_FULL.startswith("# ")


def test_items_stand_in_one_order_and_every_fact_on_a_line_of_its_own() -> None:
    backwards = Status(revision=12, items=dict(reversed(FULL.items.items())), final_check=FULL.final_check)
    assert format_status(backwards, {"cache": "verified"}) == TEXT_OF_FULL
    several = Facts(claim=Claim(by="Ann", on=NOW.date(), action="one\ntwo\n[items.x]", at=NOW))
    text = format_status(Status(items={"a": several}), {})
    assert len(text.splitlines()) == len(
        format_status(Status(items={"a": Facts(claim=claim())}), {}).splitlines()
    )
    assert parse_status(text, PATH).of("a") == several


def test_a_state_that_somebody_types_in_is_not_believed() -> None:
    typed = TEXT_OF_FULL.replace('state = "verified"', 'state = "anything"')
    assert typed != TEXT_OF_FULL
    assert parse_status(typed, PATH) == FULL
    status = parse_status('revision = 1\n[items.cache]\nstate = "verified"\n', PATH)
    assert lifecycle.states(checklist(CACHE), status, NOW) == {"cache": State.OPEN}


def test_a_claim_with_a_day_alone_is_proven_only_when_that_day_is_over_everywhere() -> None:
    status = parse_status(
        'revision = 1\n[items.cache]\nresolved_by = "Ann"\nresolved_on = 2025-06-25\naction = "x"\n', PATH
    )
    found = status.of("cache").claim
    assert found is not None
    # Whoever reads the file, wherever: the same status. The day ends last twelve hours west of Greenwich.
    assert found.at == datetime(2025, 6, 26, 12, tzinfo=UTC) - timedelta(microseconds=1)


def test_a_claim_with_its_moment_keeps_it() -> None:
    moment = datetime(2025, 6, 25, 9, 30, tzinfo=UTC)
    status = Status(items={"cache": Facts(claim=claim(moment, on=date(2025, 6, 1)))})
    assert parse_status(format_status(status, {}), PATH) == status


CLAIM = 'resolved_by = "Ann"\nresolved_on = 2025-06-25\nresolved_at = 2025-06-25T10:00:00Z\naction = "x"\n'
WAIVER = """waived_by = "Bob"
waived_until = 2025-06-30
waived_at = 2025-06-25T10:00:00Z
waived_because = "x"
waived_item = "sha256:0"
"""
EVIDENCE = """[items.cache.evidence]
run = "r"
item = "sha256:0"
verdict = "pass"
summary = "fine"
started_at = 2025-06-25T10:00:00Z

[[items.cache.evidence.checks]]
name = "said"
verdict = "pass"
"""

FINAL = """[final_check]
run = "r"
started_at = 2025-06-25T10:00:00Z
finished_at = 2025-06-25T10:00:00Z
checklist = "c"
revision = 1
"""

# What is wrong, the line that must be named, and the words that must be said.
WRONG: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "empty file": ("", 1, ("revision",)),
    "not TOML": ("revision = 1\n[items.cache\n", 2, ("TOML",)),
    "revision is text": ('# a\nrevision = "1"\n', 2, ("revision: expected a whole number, got '1'",)),
    "unknown key": ("revision = 1\nrevison = 2\n", 2, ("'revison'", "'revision'")),
    "items is no table": ("revision = 1\nitems = 3\n", 2, ("items",)),
    "an item is no table": (
        "revision = 1\n[items]\ncache = 3\n",
        3,
        ("items.cache: expected a table, got 3",),
    ),
    "unknown key of an item": ('revision = 1\n[items.cache]\nstat = "x"\n', 3, ("items.cache", "'state'")),
    "wrong type": (
        "revision = 1\n[items.cache]\nsteps_done = 3\n",
        3,
        ("items.cache.steps_done: expected a list, got 3",),
    ),
    "wrong type of a word": (
        "revision = 1\n[items.cache]\n" + CLAIM.replace('"Ann"', "3"),
        3,
        ("items.cache.resolved_by: expected a text, got 3",),
    ),
    "moment without an offset": (
        "revision = 1\n[items.cache]\n" + CLAIM.replace("Z", ""),
        5,
        ("items.cache.resolved_at", "timezone"),
    ),
    "half a claim": (
        'revision = 1\n\n[items.cache]\nresolved_by = "Ann"\n',
        3,
        ("items.cache", "resolved_on"),
    ),
    "claim without an action": (
        "revision = 1\n[items.cache]\n" + CLAIM.replace('action = "x"\n', ""),
        2,
        ("items.cache", "'action'"),
    ),
    "claim without a name": (
        "revision = 1\n[items.cache]\n" + CLAIM.replace('resolved_by = "Ann"\n', ""),
        2,
        ("items.cache", "'resolved_by'"),
    ),
    "half a waiver": (
        'revision = 1\n[items.a]\n[items.cache]\nwaived_by = "Bob"\n',
        3,
        ("items.cache", "waived_because"),
    ),
    "waiver of nothing": (
        "revision = 1\n[items.cache]\n" + WAIVER.replace('waived_item = "sha256:0"\n', ""),
        2,
        ("items.cache", "'waived_item'"),
    ),
    "claim of the last year there is": (
        'revision = 1\n[items.cache]\nresolved_by = "Ann"\nresolved_on = 9999-12-31\naction = "x"\n',
        4,
        ("items.cache.resolved_on", "9999-12-31"),
    ),
    "half an attestation": (
        'revision = 1\n[items.cache]\nattested_by = "Bob"\n',
        2,
        ("items.cache", "note"),
    ),
    "half a reopening": ('revision = 1\n[items.cache]\nreopened_by = "Bob"\n', 2, ("reopened_because",)),
    "half a final check": ('revision = 1\n[final_check]\nrun = "r"\n', 2, ("final_check", "started_at")),
    "final check without an offset": (
        'revision = 1\n[final_check]\nrun = "r"\nstarted_at = 2025-06-25T10:00:00\n',
        4,
        ("final_check.started_at", "timezone"),
    ),
    "evidence is no table": (
        "revision = 1\n[items.cache]\nevidence = 3\n",
        3,
        ("items.cache.evidence: expected a table, got 3",),
    ),
    "unknown verdict": (
        "revision = 1\n" + EVIDENCE.replace('"pass"\nsum', '"fine"\nsum'),
        5,
        ("items.cache.evidence.verdict", "fine"),
    ),
    "pass without a check": (
        "revision = 1\n" + EVIDENCE.partition("[[")[0],
        2,
        ("items.cache.evidence", "pass needs at least one check"),
    ),
    "pass with a failed check": (
        "revision = 1\n"
        + EVIDENCE.replace('name = "said"\nverdict = "pass"', 'name = "x"\nverdict = "fail"'),
        2,
        ("items.cache.evidence", "lighter than the worst"),
    ),
    "doubt without a reason": (
        "revision = 1\n" + EVIDENCE.replace('"pass"\nsum', '"unknown"\nsum'),
        2,
        ("items.cache.evidence", "reason"),
    ),
    "evidence without a run": (
        "revision = 1\n" + EVIDENCE.replace('run = "r"\n', ""),
        2,
        ("items.cache.evidence", "run"),
    ),
    "evidence without an offset": (
        "revision = 1\n" + EVIDENCE.replace("Z", ""),
        7,
        ("items.cache.evidence.started_at", "timezone"),
    ),
    "a check of a wrong type": (
        "revision = 1\n" + EVIDENCE.replace('name = "said"', "name = 3"),
        10,
        ("items.cache.evidence.checks", "name"),
    ),
    "last pass without an offset": (
        "revision = 1\n[items.cache]\nlast_pass = 2025-06-25T10:00:00\n",
        3,
        ("items.cache.last_pass", "timezone"),
    ),
    "unknown key of evidence": (
        "revision = 1\n" + EVIDENCE.replace('summary = "fine"', 'sumary = "x"\nsummary = "fine"'),
        6,
        ("items.cache.evidence", "sumary"),
    ),
    "unknown key of the final check": (
        "revision = 1\n" + FINAL + "revison = 1\n",
        8,
        ("final_check", "revison"),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_file_line_and_key(case: str) -> None:
    text, line, words = WRONG[case]
    with pytest.raises(FileError) as error:
        parse_status(text, PATH)
    assert str(error.value).startswith(f"{PATH}:{line}: ")
    for word in words:
        assert word in error.value.message


def test_the_evidence_of_these_cases_is_good_when_nothing_is_wrong_with_it() -> None:
    found = parse_status("revision = 1\n" + EVIDENCE, PATH).of("cache").evidence
    assert found is not None
    assert found.outcome.checks[0].name == "said"
    waived = parse_status("revision = 1\n[items.cache]\n" + WAIVER, PATH).of("cache").waiver
    assert waived is not None
    assert waived.item == "sha256:0"


@given(st.text(alphabet="[]{}=\"'.#ab1 \n-:", max_size=60))
def test_whatever_is_in_a_file_it_is_a_status_or_an_error_that_names_it(text: str) -> None:
    for document in (text, "revision = 1\n" + text, "revision = 1\n[items.a]\n" + text):
        try:
            parse_status(document, PATH)
        except FileError as error:
            assert str(error).startswith(f"{PATH}:")  # noqa: PT017  # both ends are right


def test_the_record_that_ships_is_a_status_of_its_checklist() -> None:
    folder = REPOSITORY / "examples" / "2025-05-13"
    status = parse_status((folder / "checklist.status.toml").read_text(), PATH)
    shipped = definition.load(folder / "checklist.toml")
    assert set(status.items) == set(shipped.by_id)
    assert set(lifecycle.states(shipped, status, NOW).values()) == {State.RESOLVED}
