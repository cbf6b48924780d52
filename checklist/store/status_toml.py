"""The status as TOML text: flat, one short table an item, so that people can read it and git can merge it."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import TypeVar

import msgspec
import tomli_w

from checklist.language import gettext as _
from checklist.reading import FileError, Wrong, explain, needs, parse_toml
from checklist.status import (
    Attestation,
    Claim,
    Evidence,
    Facts,
    FinalCheck,
    Reopening,
    Status,
    UnfinishedCheck,
    Waiver,
)
from checklist.toml_lines import find_line
from checklist.zones import is_zone
from probes.outcome import Moment, Outcome

_HEADER = """\
# The state of checklist.toml, written by gonogo. Change it with the console or with `gonogo resolve`,
# `attest`, `waive` and `reopen`; a state typed in here is not believed.

"""

# Each word somebody gave: the fact, its struct, and its fields by their key in the file.
_WORDS: Mapping[str, tuple[type[msgspec.Struct], Mapping[str, str]]] = {
    "claim": (Claim, {"resolved_by": "by", "resolved_on": "on", "resolved_at": "at", "action": "action"}),
    "attestation": (
        Attestation,
        {"attested_by": "by", "attested_at": "at", "note": "note", "attested_item": "item"},
    ),
    "waiver": (
        Waiver,
        {
            "waived_by": "by",
            "waived_until": "until",
            "waived_zone": "zone",
            "waived_at": "at",
            "waived_because": "why",
            "waived_item": "item",
        },
    ),
    "reopening": (Reopening, {"reopened_by": "by", "reopened_at": "at", "reopened_because": "why"}),
}


_LAST_YEAR = 9999
_LAST_ZONE = timezone(timedelta(hours=-12))
"""Where a day ends last."""

_SAME: Mapping[str, str] = {}
T = TypeVar("T")


class _Rest(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What an item's table holds besides the words."""

    state: str = ""
    steps_done: tuple[str, ...] = ()
    last_pass: Moment | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    revision: int
    final_check: FinalCheck | None = None
    unfinished_check: UnfinishedCheck | None = None
    journal: str = ""
    items: dict[str, object] = {}


def format_status(status: Status, words: Mapping[str, str]) -> str:
    """Return the text of a status file.

    Args:
        status: What to write.
        words: The state of each item in a word, for readers; it is never read back.
    """
    table: dict[str, object] = {"revision": status.revision}
    if status.journal:
        table["journal"] = status.journal
    for name in ("final_check", "unfinished_check"):
        if (check := getattr(status, name)) is not None:
            table[name] = msgspec.to_builtins(check, builtin_types=(datetime,))
    table["items"] = {
        name: _item_table(facts, words.get(name, "")) for name, facts in sorted(status.items.items())
    }
    return _HEADER + tomli_w.dumps(table, multiline_strings=False)


def _item_table(facts: Facts, state: str) -> dict[str, object]:
    table: dict[str, object] = {"state": state} if state else {}
    for fact, (_kind, keys) in _WORDS.items():
        word = getattr(facts, fact)
        if word is not None:
            table |= {key: getattr(word, field) for key, field in keys.items()}
    if facts.steps:
        table["steps_done"] = list(facts.steps)
    if facts.last_pass is not None:
        table["last_pass"] = facts.last_pass
    if facts.evidence is not None:
        outcome = msgspec.to_builtins(facts.evidence.outcome, builtin_types=(datetime,))
        table["evidence"] = _without_none({"run": facts.evidence.run, "item": facts.evidence.item, **outcome})
    return table


def _without_none(value: Mapping[str, object]) -> dict[str, object]:
    """TOML has no null: an absent key says the same."""
    table = {key: part for key, part in value.items() if part is not None}
    if isinstance(checks := table.get("checks"), list | tuple):
        table["checks"] = [_without_none(check) for check in checks]
    return table


def parse_status(text: str, path: Path) -> Status:
    """Read a status from the text of its file; `path` is for messages only.

    Raises:
        FileError: If it is not TOML or not a status; names the line and the key.
    """
    raw = parse_toml(text, path)
    try:
        file = _convert(raw, _File, ())
        items = {
            name: _facts(dict(_convert(table, dict[str, object], ("items", name))), ("items", name))
            for name, table in file.items.items()
        }
    except Wrong as error:
        place = ".".join(str(part) for part in error.path)
        line = find_line(text, error.path) or 1
        raise FileError(path, line, f"{place}: {error.message}" if place else error.message) from None
    return Status(
        revision=file.revision,
        items=items,
        final_check=file.final_check,
        unfinished_check=file.unfinished_check,
        journal=file.journal,
    )


def _facts(table: dict[str, object], where: tuple[str, ...]) -> Facts:
    if type(day := table.get("resolved_on")) is date:
        # Where only the day is known, evidence proves the claim if it is younger than that day everywhere.
        if day.year >= _LAST_YEAR:
            message = _("{day} is not a day on which something was resolved").format(day=day)
            raise Wrong((*where, "resolved_on"), message)
        table.setdefault("resolved_at", datetime.combine(day, time.max, _LAST_ZONE))
    given: dict[str, object] = {}
    for fact, (kind, keys) in _WORDS.items():
        if present := {field: table.pop(key) for key, field in keys.items() if key in table}:
            inverse = {field: key for key, field in keys.items()}
            given[fact] = word = _convert(present, kind, where, inverse)
            if isinstance(word, Waiver) and not is_zone(word.zone):
                message = _("no time zone {name!r}").format(name=word.zone)
                raise Wrong((*where, "waived_zone"), message)
    if "evidence" in table:
        given["evidence"] = _evidence(table.pop("evidence"), (*where, "evidence"))
    rest = _convert(table, _Rest, where)
    return Facts(last_pass=rest.last_pass, steps=rest.steps_done, **given)  # type: ignore[arg-type]  # by _WORDS


def _evidence(table: object, where: tuple[str, ...]) -> Evidence:
    outcome = dict(_convert(table, dict[str, object], where))
    evidence: dict[str, object] = {key: outcome.pop(key) for key in ("run", "item") if key in outcome}
    evidence["outcome"] = _convert(outcome, Outcome, where)
    return _convert(evidence, Evidence, where)


def _convert(raw: object, kind: type[T], where: tuple[str, ...], keys: Mapping[str, str] = _SAME) -> T:
    """Convert a part of the file; `keys` names the key in the file of each field."""
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        fault = explain(error, raw, {"": kind})
        missing = fault.missing
        message = needs(keys.get(missing, missing)) if missing else fault.message
        inner = tuple(keys.get(part, part) if isinstance(part, str) else part for part in fault.path)
        raise Wrong((*where, *inner), message) from None
