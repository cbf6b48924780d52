"""Reads what pyproject.toml asks for: by PEP 621, in groups by PEP 735, and in Poetry's tables."""

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import msgspec
from packaging.dependency_groups import DependencyGroupResolver
from packaging.markers import Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from probes.dependencies.commits import at_commit
from probes.dependencies.pins import ANY, Pin, Ranges, Source, Target, applying, checked, names, read_toml
from probes.dependencies.requirements import read_requirement


class _ProjectTable(msgspec.Struct, rename="kebab"):
    name: str = ""
    requires_python: str = ""
    dependencies: list[str] = []
    optional_dependencies: dict[str, list[str]] = {}


class _PoetryDependency(msgspec.Struct):
    version: str = ""
    markers: str = ""
    python: str = ""
    platform: str = ""
    git: str = ""
    rev: str = ""
    subdirectory: str = ""
    extras: list[str] = []
    optional: bool = False


PoetryTable = dict[str, str | _PoetryDependency | list[_PoetryDependency]]


class _PoetryGroup(msgspec.Struct, rename="kebab"):
    dependencies: PoetryTable = {}
    include_groups: list[str] = []


class _Poetry(msgspec.Struct, rename="kebab"):
    name: str = ""
    dependencies: PoetryTable = {}
    dev_dependencies: PoetryTable = {}
    group: dict[str, _PoetryGroup] = {}
    extras: dict[str, list[str]] = {}


class _Tools(msgspec.Struct):
    poetry: _Poetry = msgspec.field(default_factory=_Poetry)


class _Pyproject(msgspec.Struct, rename="kebab"):
    project: _ProjectTable = msgspec.field(default_factory=_ProjectTable)
    dependency_groups: dict[str, list[str | dict[str, str]]] = {}
    tool: _Tools = msgspec.field(default_factory=_Tools)


def read_pyproject(path: Path) -> tuple[str, Source]:
    """Return the normalized name of the project, empty if it has none, and what the file asks for.

    An extra or a group counts only where it is expected: two of them may exclude each other.

    Raises:
        CannotTell: If the file cannot be opened or read.
    """
    table = read_toml(path, path.name, _Pyproject)
    return canonicalize_name(table.project.name or table.tool.poetry.name), checked(
        path.name, partial(_source, table, path.name)
    )


def _source(table: _Pyproject, label: str) -> Source:
    project, poetry = table.project, table.tool.poetry
    read = partial(read_requirement, where=label, constraint=False)
    base = [read(text) for text in project.dependencies]
    if not project.dependencies:
        base += _poetry_pins(poetry.dependencies)
    extras = {extra: [read(text) for text in texts] for extra, texts in project.optional_dependencies.items()}
    for extra, packages in poetry.extras.items():
        extras[extra] = [Pin(canonicalize_name(package)) for package in packages]
    groups = {group: list(_poetry_group(group, poetry.group, ())) for group in poetry.group}
    if poetry.dev_dependencies:
        groups["dev"] = [*groups.get("dev", ()), *_poetry_pins(poetry.dev_dependencies)]
    resolver = DependencyGroupResolver(table.dependency_groups)
    for group in table.dependency_groups:
        groups[group] = [read(str(one)) for one in resolver.resolve(group)] + groups.get(group, [])
    python: Ranges = (SpecifierSet(project.requires_python),) if project.requires_python else ()
    if not python and isinstance(asked := poetry.dependencies.get("python", ""), str) and asked:
        python = poetry_ranges(asked)
    own = canonicalize_name(project.name or poetry.name)
    pins = partial(_pins, own, base, _spelled(extras), _spelled(groups))
    return Source(label, full=False, pins=pins, extras=names(extras), groups=names(groups), python=python)


def _spelled(tables: Mapping[str, list[Pin]]) -> dict[str, list[Pin]]:
    return {canonicalize_name(name): pins for name, pins in tables.items()}


def _pins(
    own: str,
    base: Iterable[Pin],
    extras: Mapping[str, list[Pin]],
    groups: Mapping[str, list[Pin]],
    target: Target,
) -> Iterator[Pin]:
    waiting = [*base, *(pin for group in sorted(target.groups) for pin in groups.get(group, ()))]
    asked, seen = sorted(target.extras), set[str]()
    while waiting or asked:
        for pin in applying(waiting, target):
            # An extra may gather others: all = ["demo[fast,small]"].
            if pin.name == own:
                asked += sorted(pin.extras)
            else:
                yield pin
        extra = asked.pop() if asked else ""
        waiting = [] if extra in seen else extras.get(extra, [])
        seen.add(extra)


def _poetry_group(name: str, groups: Mapping[str, _PoetryGroup], above: tuple[str, ...]) -> Iterator[Pin]:
    if name in above or name not in groups:
        raise ValueError(f"the group {name} is included, but " + ("by itself" if name in above else "absent"))
    yield from _poetry_pins(groups[name].dependencies)
    for inner in groups[name].include_groups:
        yield from _poetry_group(inner, groups, (*above, name))


def _poetry_pins(table: PoetryTable) -> Iterator[Pin]:
    for name, one in poetry_entries(table):
        yield Pin(
            name,
            poetry_ranges(one.version) if one.version else (),
            needed=not one.optional,
            marker=poetry_marker(one),
            extras=names(one.extras),
            fixed=bool(re.fullmatch("[0-9a-f]{40}", one.rev)),
            commits=at_commit(one.git, one.rev, one.subdirectory),
        )


def poetry_entries(table: PoetryTable) -> Iterator[tuple[str, _PoetryDependency]]:
    """Return each entry of a table of Poetry's with its normalized name, but for Python itself."""
    for name, value in table.items():
        if name != "python":
            given = [_PoetryDependency(version=value)] if isinstance(value, str) else value
            for one in given if isinstance(given, list) else [given]:
                yield canonicalize_name(name), one


def poetry_marker(one: _PoetryDependency) -> Marker | None:
    """Return where an entry of Poetry's counts; None for everywhere."""
    parts = [one.markers] if one.markers else []
    if one.platform:
        parts.append(f'sys_platform == "{one.platform}"')
    if one.python and (ranges := [part for part in poetry_ranges(one.python) if part]):
        choices = (
            " and ".join(
                f'python_full_version {each.operator} "{each.version}"' for each in sorted(part, key=str)
            )
            for part in ranges
        )
        parts.append(" or ".join(f"({choice})" for choice in choices))
    return Marker(" and ".join(f"({part})" for part in parts)) if parts else None


def poetry_ranges(text: str) -> Ranges:
    """Read a version constraint of Poetry: `^1.2`, `~1.2`, `1.*`, `>=1,<2`, alternatives between `||`.

    https://python-poetry.org/docs/dependency-specification/

    Raises:
        ValueError: If it is none.
    """
    ranges = []
    for alternative in re.split(r"\|\|?", text):
        parts = re.sub(r"([<>=!~^])\s+", r"\1", alternative).replace(",", " ").split()
        if not parts:
            raise ValueError(f"{text!r} is no version constraint")
        joined = SpecifierSet()
        for part in parts:
            joined &= _poetry_part(part)
        ranges.append(joined)
    return tuple(ranges) if all(ranges) else ANY


def _poetry_part(text: str) -> SpecifierSet:
    if text == "*":
        return SpecifierSet()
    for spelling in (text, f"=={text}"):
        try:
            return SpecifierSet(spelling)
        except InvalidSpecifier:
            pass
    if text[0] not in "^~":
        raise ValueError(f"{text!r} is no version constraint")
    release = list(Version(text[1:]).release)
    # A caret frees all behind the first part that is not zero, a tilde all behind the second part.
    first = next((at for at, part in enumerate(release) if part), len(release) - 1)
    kept = first if text[0] == "^" else min(1, len(release) - 1)
    upper = [*release[:kept], release[kept] + 1]
    return SpecifierSet(f">={text[1:]},<{'.'.join(map(str, upper))}")
