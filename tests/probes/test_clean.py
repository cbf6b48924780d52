import math
from datetime import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.clean import MAX_CHECKS, MAX_TEXT, clean, clean_text, redact, secrets_of, strip
from probes.outcome import Check, Outcome, Reason, Verdict


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain [/ text", "plain [/ text"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("a\x1b]52;c;aGVsbG8=\x07b", "ab"),
        ("a\x1b]0;title\x1b\\b", "ab"),
        ("a\x1b]8;;unterminated", "a"),
        ("a\x1bPdevice\x1b\\b", "ab"),
        ("a\rb\bc\x00d\x7f", "abcd"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("safe\u202egnp.exe", "safegnp.exe"),
        ("한국어 ✓", "한국어 ✓"),
        ("lone \ud800 surrogate", "lone  surrogate"),
    ],
)
def test_text_from_outside_is_made_harmless(raw: str, shown: str) -> None:
    assert strip(raw) == shown


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_nothing_a_terminal_obeys_survives(raw: str) -> None:
    shown = clean_text(raw)
    assert not [c for c in shown if (ord(c) < 32 and c not in "\n\t") or 127 <= ord(c) < 160]
    shown.encode()
    assert strip(shown) == shown


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("redis://user:pw@host:6379/0", "redis://***@host:6379/0"),
        ("redis://:p@ss@host/0", "redis://***@host/0"),
        ("https://abcdef@sentry.example/1 refused", "https://***@sentry.example/1 refused"),
        ("Authorization: Bearer abcdefghijkl.mno", "Authorization: Bearer ***"),
        ("Basic authentication failed", "Basic authentication failed"),
        ("Basic dXNlcjpwYXNzd29yZA==", "Basic ***"),
        ("X-Sentry-Auth: sentry_key=0123456789abcdef", "X-Sentry-Auth: sentry_key=***"),
        (
            "mail ops@example.org about https://example.org/a@b",
            "mail ops@example.org about https://example.org/a@b",
        ),
    ],
)
def test_secrets_that_show_by_their_form_are_masked(raw: str, shown: str) -> None:
    assert redact(raw) == shown


def test_a_variable_is_secret_by_its_name_or_by_the_user_part_of_its_address() -> None:
    assert secrets_of({"API_KEY": "opensesame"}) == ("opensesame",)
    assert set(secrets_of({"CACHE": "redis://u:s%40fe@host/0"})) == {"s%40fe", "s@fe"}
    assert secrets_of({"BACKUP_DIR": "/var/backups", "HOST": "db.example.org"}) == ()
    assert secrets_of({"PASSWORD_FILE": "/run/secrets/password"}) == ()
    assert secrets_of({"BROKEN": "http://[half"}) == ("http://[half",)


def test_an_outcome_is_cleaned_in_every_text_and_figure() -> None:
    line = Check(
        name="n\x1b[1m",
        verdict=Verdict.FAIL,
        observed="hunter2",
        limit=math.nan,
        unit="\x07B",
        message="said hunter2" + "!" * 5_000,
    )
    outcome = Outcome(
        verdict=Verdict.FAIL,
        summary="\x1b]52;c;x\x07hunter2",
        checks=(line,) * (MAX_CHECKS + 1),
        metrics={"ratio\x00": math.inf, "delay_ms\x00": 1.0},
    )
    cleaned = clean(outcome, ["hunter2"])
    assert cleaned.summary == "***"
    assert cleaned.metrics == {"delay_ms": 1.0}
    assert len(cleaned.checks) == MAX_CHECKS
    first = cleaned.checks[0]
    assert (first.name, first.observed, first.limit, first.unit) == ("n", "***", None, "B")
    assert len(first.message) == MAX_TEXT
    assert "hunter2" not in str(cleaned)
    assert msgspec.json.decode(msgspec.json.encode(cleaned), type=Outcome) == cleaned


def test_the_heaviest_lines_are_kept_and_the_rest_is_counted() -> None:
    lines = [Check(name=str(n), verdict=Verdict.PASS) for n in range(MAX_CHECKS + 5)]
    lines.append(Check(name="grave", verdict=Verdict.FAIL, message="it is gone"))
    cleaned = clean(Outcome(verdict=Verdict.FAIL, summary="it is gone", checks=tuple(lines)))
    assert len(cleaned.checks) == MAX_CHECKS
    assert cleaned.checks[0].name == "grave"
    assert cleaned.checks[-1].observed == 7


@pytest.mark.parametrize(
    ("verdict", "reason", "checks"),
    [
        ("pass", None, ()),
        ("pass", None, ("fail",)),
        ("warn", None, ("pass", "unknown")),
        ("pass", "config", ("pass",)),
        ("unknown", None, ()),
    ],
)
def test_an_outcome_that_contradicts_itself_cannot_be_made_nor_read(
    verdict: str, reason: str | None, checks: tuple[str, ...]
) -> None:
    lines = tuple(Check(name="line", verdict=Verdict(one)) for one in checks)
    with pytest.raises(ValueError, match=r"pass|verdict"):
        Outcome(verdict=Verdict(verdict), reason=Reason(reason) if reason else None, summary="", checks=lines)
    table = {
        "verdict": verdict,
        "summary": "",
        "checks": [{"name": "line", "verdict": one} for one in checks],
    }
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(table | ({"reason": reason} if reason else {}), Outcome)


def test_an_outcome_survives_a_trip_through_json() -> None:
    line = Check(name="memory", verdict=Verdict.WARN, observed=80.5, unit="%", limit=75, message="full")
    outcome = Outcome(
        probe="redis",
        verdict=Verdict.WARN,
        summary="full",
        checks=(line,),
        metrics={"a": 1.0},
        started_at=datetime.fromisoformat("2026-11-23T10:00:00+09:00"),
        duration=0.25,
    )
    assert msgspec.json.decode(msgspec.json.encode(outcome), type=Outcome) == outcome
