"""JSON Schemas: of checklist.toml for editors, of the records for the programs that read them.

Editors check and complete TOML with taplo (Even Better TOML is the same program). taplo 0.9 knows drafts 4 to
7 of JSON Schema; it completes from `properties`, `anyOf` and `allOf`, and does not look into `if` and `then`.
A choice by `oneOf` would complete as well, but then every mistake reads "not valid under any of the schemas".
"""

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from checklist.definition import NAME, VARIABLE, Checklist, File, Item
from probes import registry
from probes.describe import introduction, settings
from probes.parameters import Parameters

Schema = dict[str, Any]
"""A JSON Schema as data."""

_REFERENCE = r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}"
_REFERRING: Schema = {"$ref": "#/definitions/referring"}
_SOUND: Schema = {"$ref": "#/definitions/sound"}
_REFERENCES: Schema = {
    "referring": {
        "description": "A value with a ${NAME} somewhere in it: it can only be judged when the probe runs.",
        "anyOf": [
            {"type": "string", "pattern": r"\$\{"},
            {"type": "array", "contains": _REFERRING},
            {"type": "object", "not": {"additionalProperties": {"not": _REFERRING}}},
            {"type": "object", "not": {"propertyNames": {"not": _REFERRING}}},
        ],
    },
    "sound": {
        "description": "A value in which every ${ begins ${NAME} or ${NAME:-default}.",
        # As `bad_reference` has it: what is left without the references has no `${`.
        "pattern": rf"^({_REFERENCE}|\$(?!({_REFERENCE})*\{{)|[^$])*$",
        "items": _SOUND,
        "additionalProperties": _SOUND,
    },
}


def of_checklist() -> Schema:
    """Return the JSON Schema (draft 7) of checklist.toml, with the parameters of every installed probe.

    It accepts all that `checklist.definition` accepts, and refuses what a schema can refuse: not double ids,
    circles in `after`, names of time zones, nor what only Python's types tell apart (a date from a text).
    The parameters of a probe that cannot be loaded are free.
    """
    whole = msgspec.json.schema(File, schema_hook=_free)
    schema: Schema = _inlined(whole, whole.pop("$defs"))
    tables = schema["properties"]
    item = tables["items"]["items"]
    head = tables["checklist"]
    head["description"], item["description"] = Checklist.__doc__, Item.__doc__
    head["properties"]["environment"]["description"] = "Where its items must be true; `--env` overrules it."
    tables["environments"] = _environments()
    item["properties"]["steps"]["uniqueItems"] = True
    item["properties"]["probe"], definitions = _probe()
    schema = _worded(_without_null({**schema, "definitions": {**_REFERENCES, **definitions}}))
    title = "checklist.toml: what must be true before a release"
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": title, **schema}


def of_record(kind: type[msgspec.Struct]) -> Schema:
    """Return the JSON Schema (draft 2020-12) of a record that is written as JSON."""
    schema = _worded(msgspec.json.schema(kind))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": kind.__name__, **schema}


def _readiness() -> Schema:
    from checklist.reports.readiness import ReadinessCheck

    return of_record(ReadinessCheck)


def _resolution() -> Schema:
    from checklist.reports.resolution import ResolutionReport

    return of_record(ResolutionReport)


def _outcome() -> Schema:
    from probes.outcome import Outcome

    return of_record(Outcome)


SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "checklist": of_checklist,
    "readiness": _readiness,
    "resolution": _resolution,
    "outcome": _outcome,
}
"""The schemas there are, by what they describe."""


def _environments() -> Schema:
    names = {"pattern": f"^{VARIABLE.pattern}$(?!\\n)"}
    value = {"description": "What ${NAME} stands for.", "type": "string", "minLength": 1, "allOf": [_SOUND]}
    return {
        "description": "The environments that `--env` can name, each with what it sets for ${NAME}.",
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME.pattern}$(?!\\n)"},
        "additionalProperties": {"type": "object", "propertyNames": names, "additionalProperties": value},
    }


def _probe() -> tuple[Schema, Schema]:
    """Return the schema of the table `probe`, and the definitions it refers to."""
    kinds = {name: kind for name in registry.names() if (kind := _kind(name))}
    references, parts = msgspec.json.schema_components(
        kinds.values(), schema_hook=_free, ref_template="#/definitions/{name}"
    )
    definitions: Schema = dict(parts)
    known: dict[str, dict[str, Schema]] = {}
    rules: list[Schema] = []
    for (name, kind), reference in zip(kinds.items(), references, strict=True):
        definition = reference["$ref"].rpartition("/")[2]
        definitions[definition] = _told(parts[definition], kind)
        for key, rule in parts[definition]["properties"].items():
            known.setdefault(key, {})[name] = rule
        chosen = {"properties": {"use": {"const": name}}, "required": ["use"]}
        rules.append({"if": chosen, "then": reference})
    use = {"description": "The name of the probe.", "enum": registry.names()}
    completed = {"use": use} | {key: _merged(found) for key, found in known.items()}
    table: Schema = {
        "description": "The sense bound to the item; without one it is manual.",
        "type": "object",
        "properties": {"use": use},
        "required": ["use"],
        # Beside an empty schema the first one decides nothing: it is what editors complete from.
        "allOf": [{"anyOf": [{}, {"properties": completed}]}, *rules],
    }
    return table, definitions


def _kind(name: str) -> type[Parameters] | None:
    """Return what a probe can be told, or None where that cannot be known."""
    try:
        return registry.find(name).parameters
    except registry.BrokenProbeError:
        return None


def _free(_kind: type) -> Schema:
    """Return the schema of a type of which a schema can say nothing; an empty one is taken for none."""
    return {"description": "Anything."}


def _told(schema: Schema, kind: type[Parameters]) -> Schema:
    """Return the schema of a probe's parameters as they stand in a checklist."""
    properties = schema["properties"]
    for field in msgspec.structs.fields(kind):
        if field.default_factory is not msgspec.NODEFAULT:
            properties[field.encode_name]["default"] = msgspec.to_builtins(field.default_factory())
    judged: dict[str, Schema] = {}
    for name, _, _, words in settings(kind):
        rule = dict(properties[name])
        judged[name] = {"description": words, "if": _REFERRING, "then": _SOUND, "else": rule}
        properties[name]["description"] = words
    return {**schema, "description": introduction(kind), "properties": {"use": {}, **judged}}


def _merged(found: Mapping[str, Schema]) -> Schema:
    """Return what an editor shows and completes for a key that several probes may have, by probe."""
    words: dict[str, list[str]] = {}
    for name, rule in found.items():
        words.setdefault(rule.get("description", ""), []).append(name)
    said = [f"`{'`, `'.join(names)}`: {text}" for text, names in words.items()]
    merged: Schema = {"description": "\n\n".join(said)}
    plain = [{key: value for key, value in rule.items() if key != "description"} for rule in found.values()]
    return merged if any(rule != plain[0] for rule in plain) else {**plain[0], **merged}


def _inlined(value: Any, parts: Schema) -> Any:  # noqa: ANN401  # any part of a schema
    """Return a schema with each reference replaced by what it refers to."""
    if isinstance(value, list):
        return [_inlined(part, parts) for part in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        value = {**parts[value["$ref"].rpartition("/")[2]], **value}
        del value["$ref"]
    return {key: _inlined(part, parts) for key, part in value.items()}


def _without_null(value: Any) -> Any:  # noqa: ANN401  # any part of a schema
    """Return a schema without null, which TOML does not have; but taplo takes `inf` and `nan` for it."""
    if isinstance(value, list):
        return [_without_null(part) for part in value if part != {"type": "null"}]
    if not isinstance(value, dict):
        return value
    plain = {key: _without_null(part) for key, part in value.items()}
    if plain.get("default", ...) is None:
        del plain["default"]
    if plain.get("type") == "number":
        plain["type"] = ["number", "null"]
    match plain.get("anyOf"):
        case [dict(only)]:
            del plain["anyOf"]
            return {**only, **plain}
    return plain


def _worded(value: Any) -> Any:  # noqa: ANN401  # any part of a schema
    """Return a schema in which the words that a docstring has for an attribute stand with its property."""
    if isinstance(value, list):
        return [_worded(part) for part in value]
    if not isinstance(value, dict):
        return value
    # The name of a struct says nothing to people; one that is a table is a property of that name.
    worded = {key: _worded(part) for key, part in value.items() if key != "title" or isinstance(part, dict)}
    text = worded.get("description")
    if isinstance(text, str):
        introduction, _, listed = inspect.cleandoc(text).partition("Attributes:\n")
        worded["description"] = introduction.strip()
        for name, words in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", listed, re.MULTILINE):
            if name in worded.get("properties", {}):
                worded["properties"][name].setdefault("description", " ".join(words.split()))
    return worded
