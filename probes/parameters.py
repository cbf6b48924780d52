"""What a probe is told: a frozen struct, read strictly, with the environment filled in at the last moment."""

import contextlib
import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec

from probes.outcome import CannotTell, Reason

Duration = Annotated[
    str, msgspec.Meta(pattern=r"^[0-9]{1,6}(\.[0-9]{1,6})?(ms|s|m|h|d)$(?!\n)", examples=["10s", "1.5h"])
]
"""A length of time as people write it: a number and ms, s, m, h or d."""

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(duration: str) -> float:
    """Return a `Duration` in seconds."""
    unit = duration.lstrip("0123456789.")
    return float(duration.removesuffix(unit)) * _SECONDS[unit]


FOLDER: ContextVar[Path] = ContextVar("folder", default=Path())
"""What relative paths are relative to. A probe in a process of its own runs there; one on the loop cannot."""


class Parameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every probe can be told.

    A probe's own parameters derive from this: the fields are the TOML keys, their types and constraints are
    the validation, and the class docstring is the help. A key without a default is required.

    Attributes:
        timeout: The deadline of each attempt. When it passes the probe is ended and the verdict is
            `unknown: timeout`.
        retries: How many times to look again after anything but a pass. None by default: a probe that passes
            only now and then has seen something. A pass on a later attempt says so.
        retry_wait: The time between two attempts.
    """

    timeout: Duration = "30s"
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    retry_wait: Duration = "1s"


P = TypeVar("P", bound=Parameters)

_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


class Expanded(msgspec.Struct, frozen=True):
    """A raw parameter table with the environment filled in.

    Attributes:
        values: The table, ready to be converted.
        read: The variables that were set, with the values taken from them.
        defaulted: The variables that were not set, and for which a default that is not empty was taken.
    """

    values: dict[str, object]
    read: dict[str, str]
    defaulted: tuple[str, ...]


def expand(raw: Mapping[str, object], environment: Mapping[str, str] = os.environ) -> Expanded:
    """Replace `${NAME}` and `${NAME:-default}` in every string of a raw parameter table.

    A variable that is empty counts as not set, as in a shell's `:-`.

    Raises:
        CannotTell: With `config`, if a variable without a default is not set, or one leaves an entry of a
            list empty.
    """
    read: dict[str, str] = {}
    defaulted: list[str] = []
    missing: list[str] = []
    emptied: list[str] = []

    def one(match: re.Match[str]) -> str:
        name = match["name"]
        if value := environment.get(name):
            read[name] = value
            return value
        if match["default"] is None:
            missing.append(name)
            return ""
        if match["default"]:
            defaulted.append(name)
        return match["default"]

    def walk(value: object) -> object:
        if isinstance(value, str):
            return _REFERENCE.sub(one, value)
        if isinstance(value, list | tuple):
            whole = [walk(part) for part in value]
            emptied.extend(str(raw) for raw, part in zip(value, whole, strict=True) if part == "" != raw)
            return whole
        if isinstance(value, Mapping):
            return {key: walk(part) for key, part in value.items()}
        return value

    values = {key: walk(value) for key, value in raw.items()}
    _refuse_gaps(missing, emptied)
    return Expanded(values, read, tuple(dict.fromkeys(defaulted)))


def filled(variables: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return variables with the environment filled in, without those that need one which is not set."""
    found: dict[str, str] = {}
    for name, value in variables.items():
        with contextlib.suppress(CannotTell):
            found[name] = str(expand({name: value}, environment).values[name])
    return found


def _refuse_gaps(missing: list[str], emptied: list[str]) -> None:
    if missing:
        names, verb = " and ".join(dict.fromkeys(missing)), "is" if len(set(missing)) == 1 else "are"
        raise CannotTell(Reason.CONFIG, f"Not configured: {names} {verb} not set.", f"Set {names}.")
    if emptied:
        # Left out, it would be an expectation that nobody looks at.
        names = " and ".join(
            dict.fromkeys(found["name"] for raw in emptied for found in _REFERENCE.finditer(raw))
        )
        line = f"Not configured: without {names} an entry of a list is empty."
        raise CannotTell(Reason.CONFIG, line, f"Set {names}, or take that entry out of the checklist.")


def substitute(value: object, variables: Mapping[str, str]) -> object:
    """Return a raw parameter with each `${NAME}` that `variables` names replaced by the text it has there.

    That text may refer to the environment in its turn.
    """
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: variables.get(found["name"], found[0]), value)
    if isinstance(value, Mapping):
        return {key: substitute(part, variables) for key, part in value.items()}
    return [substitute(part, variables) for part in value] if isinstance(value, list | tuple) else value


def needed(value: object) -> list[str]:
    """Return the variables that a raw parameter needs: those that it gives no default for, each once."""
    if isinstance(value, str):
        found = (match["name"] for match in _REFERENCE.finditer(value) if match["default"] is None)
        return list(dict.fromkeys(found))
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return list(dict.fromkeys(name for part in parts for name in needed(part)))


def bad_reference(value: object) -> str | None:
    """Return the first text in a raw parameter that begins a `${...}` which cannot be one, or None."""
    if isinstance(value, str):
        rest = _REFERENCE.sub("", value)
        return rest[rest.index("${") :] if "${" in rest else None
    parts = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((broken for part in parts if (broken := bad_reference(part))), None)


def convert(raw: Mapping[str, object], kind: type[P], *, lax: bool = False) -> P:
    """Read a raw table as the parameters of a probe.

    Args:
        raw: The table as it stands in the TOML file, or after `expand`.
        kind: The probe's parameter struct.
        lax: Accept numbers and booleans written as text, as a command line gives them.

    Raises:
        msgspec.ValidationError: On an unknown key, a wrong type or a missing or impossible value. The
            message ends with the path of the offending key.
    """
    return msgspec.convert(dict(raw), kind, strict=not lax)
