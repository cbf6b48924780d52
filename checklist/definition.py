"""What must be true before a release: the structs of checklist.toml, read strictly."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from checklist.language import gettext as _
from checklist.language import marked
from checklist.reading import (
    Fault,
    FileError,
    Wrong,
    explain,
    nearest,
    parse_toml,
    read_text,
    value_at,
)
from checklist.toml_lines import find_line, lines_of
from checklist.zones import is_zone
from probes import registry
from probes.parameters import Duration, bad_reference, convert, substitute

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$(?!\n)")]
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
Text = Annotated[str, msgspec.Meta(min_length=1)]


class Binding(msgspec.Struct, frozen=True):
    """Which probe proves an item, with its parameters as written: `${NAME}` is not yet filled in."""

    use: str
    parameters: dict[str, object]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules a team has set itself, from `[policy]`.

    Attributes:
        four_eyes: A waiver holds only if somebody else approved it than who claimed the item resolved.
        time_zone: The IANA name of the zone in which days begin and end: due dates, claims, waivers.
    """

    four_eyes: bool = False
    time_zone: str = "UTC"


class Item(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One thing that must be true.

    Attributes:
        id: Stable name; the status file refers to it.
        section: The panel it is shown in.
        title: What must be true, in words.
        severity: `blocker` holds the gate; `advisory` is shown and reported only.
        cause: What was suspected when the item was found open.
        owner: Who sees to it.
        due: Last day on which it should be resolved.
        steps: What to do, in order.
        links: Where to read more.
        notes: What else is known about it, a line each.
        repair: The command that usually repairs it here; shown with what its probe advises, never run.
        after: Ids of items that must be green before this one means anything.
        fresh_for: How long evidence proves anything.
        probe: The sense bound to the item; None makes it manual.
        release: The release it must be true for, from the head of the checklist.
        environment: Where it must be true, likewise, or the environment that was chosen.
        policy: The rules of the checklist it stands in.
    """

    id: str
    section: str
    title: str
    severity: Literal["blocker", "advisory"]
    cause: str
    owner: str
    due: date | None
    steps: tuple[str, ...]
    links: tuple[str, ...]
    after: tuple[str, ...]
    fresh_for: Duration
    probe: Binding | None
    notes: tuple[str, ...] = ()
    repair: str = ""
    release: str = ""
    environment: str = ""
    policy: Policy = Policy()

    @cached_property
    def hash(self) -> str:
        """Identity of what must be true: evidence or a word about anything else counts for nothing."""
        return _digest(self)


class Checklist(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A whole checklist.

    Attributes:
        title: What it is called.
        release: The release it is for.
        environment: Where its items must be true: the environment that was chosen, or the one in its head.
        items: What must be true, in order.
        policy: The rules a team has set itself.
        plan: How the list is worked through, in order.
        links: Where to read more.
        notes: What else is known, a line each.
        variables: What `[environments.NAME]` sets for the chosen environment, as written. It stands in the
            parameters of the probes already.
    """

    title: str
    release: str
    environment: str
    items: tuple[Item, ...]
    policy: Policy = Policy()
    plan: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    variables: dict[str, str] = {}

    @cached_property
    def hash(self) -> str:
        """Identity of what is checked; comments and layout do not count."""
        return _digest(self)

    @cached_property
    def by_id(self) -> Mapping[str, Item]:
        """The items by id."""
        return {item.id: item for item in self.items}

    @cached_property
    def sections(self) -> Mapping[str, tuple[Item, ...]]:
        """The items by section, in the order in which the sections first appear."""
        sections: dict[str, list[Item]] = {}
        for item in self.items:
            sections.setdefault(item.section, []).append(item)
        return {name: tuple(items) for name, items in sections.items()}


def _digest(value: msgspec.Struct) -> str:
    return "sha256:" + hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()


class _Head(msgspec.Struct, forbid_unknown_fields=True):
    title: Text
    release: str = ""
    environment: str = ""
    plan: tuple[Text, ...] = ()
    links: tuple[Text, ...] = ()
    notes: tuple[Text, ...] = ()


class _Item(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    id: Id
    title: Text
    section: Text = "General"
    severity: Literal["blocker", "advisory"] = "blocker"
    cause: str = ""
    owner: str = ""
    due: date | None = None
    steps: tuple[Text, ...] = ()
    links: tuple[Text, ...] = ()
    notes: tuple[Text, ...] = ()
    repair: str = ""
    after: tuple[str, ...] = ()
    fresh_for: Duration = "24h"
    probe: dict[str, object] | None = None


class File(msgspec.Struct, forbid_unknown_fields=True):
    """A checklist file as it stands, table by table."""

    checklist: _Head
    policy: Policy = Policy()
    environments: dict[str, dict[str, object]] = {}
    items: tuple[_Item, ...] = ()


_EXPECTED_REFERENCE = marked("expected ${{NAME}} or ${{NAME:-default}}, got {text!r}")
_KEYS = {
    "": File,
    "checklist": _Head,
    "policy": Policy,
    "items": _Item,
}


def load(path: Path, environment: str = "") -> Checklist:
    """Read a checklist file, for one of its environments if one is named.

    Raises:
        FileError: If it cannot be read, is not TOML, does not describe a checklist, or has no such
            environment.
    """
    return parse(read_text(path), path, environment)


def lines(path: Path) -> dict[str, int]:
    """Return the line of its file on which each item begins, if it has one of its own.

    Raises:
        FileError: As `load`.
    """
    text = read_text(path)
    return dict(zip(parse(text, path).by_id, lines_of(text, "items"), strict=False))


def parse(text: str, path: Path, environment: str = "") -> Checklist:
    """Read a checklist from the text of its file; `path` is for messages only.

    Raises:
        FileError: As `load`; names file, line, item and key.
    """
    raw = parse_toml(text, path)
    try:
        return _build(raw, environment)
    except Wrong as error:
        raise FileError(path, find_line(text, error.path) or 1, error.message) from None
    except RecursionError:
        raise FileError(path, None, _("not usable: nested too deeply")) from None


def _build(raw: dict[str, object], environment: str) -> Checklist:
    try:
        file = msgspec.convert(raw, File)
    except msgspec.ValidationError as error:
        fault = explain(error, raw, _KEYS)
        raise Wrong(fault.path, _about(raw, fault)) from None
    if not is_zone(file.policy.time_zone):
        message = _('expected the name of a time zone such as "Asia/Seoul", got {text!r}')
        message = message.format(text=file.policy.time_zone)
        raise Wrong(("policy", "time_zone"), f"[policy]: time_zone: {message}")
    variables = _variables(file.environments, environment)
    head = file.checklist
    head.environment = environment or head.environment
    items = tuple(_item(entry, index, file, variables) for index, entry in enumerate(file.items))
    _check_relations(items)
    return Checklist(
        **msgspec.structs.asdict(head), policy=file.policy, variables=dict(variables), items=items
    )


def _variables(environments: Mapping[str, Mapping[str, object]], chosen: str) -> Mapping[str, str]:
    """Return what the chosen environment sets; nothing is chosen by an empty name."""
    read: dict[str, dict[str, str]] = {}
    for name, table in environments.items():
        if not NAME.fullmatch(name):
            message = _("expected letters, digits, . _ -")
            raise Wrong(("environments", name), f"[environments]: {name!r}: {message}")
        for variable, value in table.items():
            where, label = ("environments", name, variable), f"[environments.{name}]: {variable}"
            if not VARIABLE.fullmatch(variable):
                message = _("expected the name of a variable: letters, digits, _")
                raise Wrong(where, f"{label}: {message}")
            if not isinstance(value, str) or not value:
                raise Wrong(where, f"{label}: {_('expected a text that is not empty')}")
            if broken := bad_reference(value):
                raise Wrong(where, f"{label}: {_(_EXPECTED_REFERENCE).format(text=broken)}")
            read.setdefault(name, {})[variable] = value
    if not chosen:
        return {}
    if chosen not in environments:
        there = _("; there are {names}").format(names=", ".join(environments)) if environments else ""
        message = _("no environment {name!r}").format(name=chosen)
        raise Wrong(("environments",), message + (nearest(chosen, environments) or there))
    return read.get(chosen, {})


def _item(entry: _Item, index: int, file: File, variables: Mapping[str, str]) -> Item:
    if len(set(entry.steps)) < len(entry.steps):
        message = f"steps: {_('two steps have the same text')}"
        raise Wrong(("items", index, "steps"), about(entry.id, message))
    fields = msgspec.structs.asdict(entry)
    fields["probe"] = None if entry.probe is None else _binding(entry.id, entry.probe, index, variables)
    head = file.checklist
    return Item(**fields, release=head.release, environment=head.environment, policy=file.policy)


def _binding(item: str, table: dict[str, object], index: int, variables: Mapping[str, str]) -> Binding:
    where = ("items", index, "probe")
    use = table.get("use")
    if not isinstance(use, str):
        message = _('its probe needs a `use`, such as `use = "redis"`')
        raise Wrong((*where, "use"), about(item, message))
    parameters = {key: value for key, value in table.items() if key != "use"}
    for name, value in parameters.items():
        if broken := bad_reference(value):
            message = of_probe(use, f"{name}: {_(_EXPECTED_REFERENCE).format(text=broken)}")
            raise Wrong((*where, name), about(item, message))
    parameters = {key: substitute(value, variables) for key, value in parameters.items()}
    try:
        kind = registry.find(use).parameters
    except (registry.ProbeNotFoundError, registry.BrokenProbeError) as error:
        raise Wrong((*where, "use"), about(item, str(error))) from None
    checked = dict(parameters)
    while True:
        try:
            convert(checked, kind)
        except msgspec.ValidationError as error:
            fault = explain(error, checked, {"": kind})
            key = fault.path[0] if fault.path else None
            # What the environment fills in can only be judged when the probe runs.
            if key in kind.__struct_fields__ and "${" in str(checked[key]):
                del checked[key]
                continue
            if fault.missing in parameters:
                break
            message = about(item, of_probe(use, fault.under(fault.path)))
            raise Wrong((*where, *fault.path), message) from None
        break
    return Binding(use, parameters)


def _check_relations(items: tuple[Item, ...]) -> None:
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        if item.id in seen:
            message = about(item.id, _("another item has this id already"))
            raise Wrong(("items", index, "id"), message)
        seen[item.id] = index
    for index, item in enumerate(items):
        for parent in item.after:
            if parent not in seen:
                message = _("no item {id!r}").format(id=parent) + nearest(parent, seen)
                raise Wrong(("items", index, "after"), about(item.id, f"after: {message}"))
    after = {item.id: item.after for item in items}
    done: set[str] = set()
    for item in items:
        if cycle := _cycle(item.id, after, done):
            where = ("items", seen[cycle[0]], "after")
            raise Wrong(where, about(cycle[0], f"after: {in_a_circle(cycle)}"))


def in_a_circle(ids: Sequence[str]) -> str:
    """Say that items come after each other in a circle: each after the next one."""
    return _("goes in a circle: {items}").format(items=_(" after ").join(ids))


def _cycle(start: str, after: Mapping[str, tuple[str, ...]], done: set[str]) -> list[str]:
    """Return the ids along a cycle reachable from `start`, or nothing; remember in `done` what has none."""
    trail = [start]
    pending = [iter(after[start])]
    while pending:
        parent = next(pending[-1], None)
        if parent is None:
            done.add(trail.pop())
            pending.pop()
        elif parent in trail:
            return [*trail[trail.index(parent) :], parent]
        elif parent not in done:
            trail.append(parent)
            pending.append(iter(after[parent]))
    return []


def about(item: str, message: str) -> str:
    """Say which item a message is about."""
    return _("item {item!r}: {message}").format(item=item, message=message)


def of_probe(use: str, message: str) -> str:
    """Say which probe a message is about."""
    return _("probe {name}: {message}").format(name=use, message=message)


def _about(raw: object, fault: Fault) -> str:
    """Say which item or table a fault is in."""
    match list(fault.path):
        case ["items", int(index), *rest]:
            name = value_at(raw, ("items", index, "id"))
            if isinstance(name, str):
                return about(name, fault.under(rest))
            return _("item number {number}: {message}").format(number=index + 1, message=fault.under(rest))
        case [str(table), *rest] if rest:
            return f"[{table}]: {fault.under(rest)}"
    return fault.under(fault.path)
