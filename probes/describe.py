"""What a probe can be told, in words: for `gonogo probe USE --describe`, for help and for documentation."""

import inspect
import re
from typing import NamedTuple

import msgspec
from msgspec.inspect import (
    BoolType,
    DictType,
    FloatType,
    IntType,
    ListType,
    LiteralType,
    StrType,
    StructType,
    Type,
    UnionType,
    type_info,
)

from probes.parameters import Parameters

_DURATION = "ms|s|m|h|d"


class Setting(NamedTuple):
    """One parameter of a probe.

    Attributes:
        name: The key in the checklist.
        kind: What it takes, in words: "text", "number, at least 0", `"cache" or "queue"`.
        default: As it would be written in the checklist; None for a key that has to be given.
        words: What it means, its unit, and where its default comes from.
    """

    name: str
    kind: str
    default: str | None
    words: str


def introduction(kind: type[Parameters]) -> str:
    """Return what the documentation of a parameter struct says before it comes to the single keys."""
    return (inspect.getdoc(kind) or "").partition("Attributes:")[0].strip()


def settings(kind: type[Parameters]) -> tuple[Setting, ...]:
    """Return what a probe can be told, its own keys first, then those common to all probes."""
    words = _documented(Parameters) | _documented(kind)
    common = {field.name for field in msgspec.structs.fields(Parameters)}
    info = type_info(kind)
    if not isinstance(info, StructType):
        raise TypeError(f"{kind.__name__} is no struct")
    found = [
        Setting(
            field.encode_name,
            _kind(field.type),
            None if field.required else _written(_default(field)),
            words.get(field.name, ""),
        )
        for field in info.fields
    ]
    return tuple(sorted(found, key=lambda setting: setting.name in common))


def _documented(kind: type[Parameters]) -> dict[str, str]:
    """Return the words that a docstring has for each attribute."""
    _, _, listed = (inspect.getdoc(kind) or "").partition("Attributes:\n")
    entries = re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*|\n(?=\n* {8}))*)", listed, re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def _default(field: msgspec.inspect.Field) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _written(value: object) -> str:
    """Write a value as TOML does."""
    match value:
        case bool():
            return "true" if value else "false"
        case list() | tuple():
            return f"[{', '.join(map(_written, value))}]"
        case dict():
            return "{" + ", ".join(f"{key} = {_written(part)}" for key, part in value.items()) + "}"
        case str():
            return msgspec.json.encode(value).decode()
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _kind(kind: Type) -> str:
    match kind:
        case msgspec.inspect.Metadata(type=inner):
            return _kind(inner)
        case ListType(item_type=inner):
            return f"list: {_kind(inner)}"
        case DictType(value_type=inner):
            return f"table: {_kind(inner)}"
        case UnionType(types=types):
            return " or ".join(map(_kind, types))
        case StructType(fields=fields):
            return "table with " + ", ".join(field.encode_name for field in fields)
        case _:
            return _scalar(kind)


def _scalar(kind: Type) -> str:
    match kind:
        case StrType(pattern=pattern):
            return "length of time" if pattern and _DURATION in pattern else "text"
        case BoolType():
            return "true or false"
        case IntType() | FloatType():
            return ("whole number" if isinstance(kind, IntType) else "number") + _bounds(kind)
        case LiteralType(values=values):
            return " or ".join(map(_written, values))
        case _:
            return type(kind).__name__.removesuffix("Type").lower()


def _bounds(kind: IntType | FloatType) -> str:
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    bounds = [
        f"{word} {_written(getattr(kind, name))}"
        for name, word in words.items()
        if getattr(kind, name) is not None
    ]
    return f", {' and '.join(bounds)}" if bounds else ""
