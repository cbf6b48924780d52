"""Reads the files of a project that ask for packages: pyproject.toml, requirements files and lock files.

The locks are those of uv, poetry, pipenv and PEP 751; any other is read as pip-compile writes it.
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
from packaging.markers import Marker
from packaging.pylock import Pylock
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from probes.dependencies.pins import (
    Markers,
    Pin,
    Source,
    applying,
    checked,
    content,
    exact,
    holds,
    read_requirement,
    read_requirements,
)

T = TypeVar("T")

LOCKS = ("pylock.toml", "uv.lock", "poetry.lock", "Pipfile.lock", "requirements.lock")
"""Lock files, in the order in which they are looked for."""


class Project(NamedTuple):
    """What a folder says about itself.

    Attributes:
        name: The normalized name of its own package, if any.
        python: The Python versions it supports.
        sources: Every file there that asks for packages.
    """

    name: str
    python: SpecifierSet
    sources: tuple[Source, ...]


def read_project(folder: Path, requirements: Iterable[str] = (), lock: str = "") -> Project:
    """Read the files of a project.

    Args:
        folder: Where pyproject.toml and the others are.
        requirements: Requirements files, relative to the folder; none: requirements.txt, if it is there.
        lock: The lock file, relative to the folder; empty: the first of `LOCKS` that is there.

    Raises:
        CannotTell: If a file that is named is missing, or one that is there cannot be read.
    """
    name, python, sources = "", SpecifierSet(), []
    if (folder / "pyproject.toml").is_file():
        name, python, source = _pyproject(folder / "pyproject.toml")
        sources += [source] if source else []
    given = [one for one in requirements if one]
    lock = lock or next((one for one in LOCKS if (folder / one).is_file()), "")
    for one in given or ["requirements.txt"] * (folder / "requirements.txt").is_file():
        if one != lock:
            sources.append(Source(one, full=False, pins=partial(applying, read_requirements(folder / one))))
    if lock:
        sources.append(Source(lock, full=True, pins=_lock(folder / lock, lock)))
    return Project(name, python, tuple(sources))


class _ProjectTable(msgspec.Struct, rename="kebab"):
    name: str = ""
    requires_python: str = ""
    dependencies: list[str] = []


class _PoetryDependency(msgspec.Struct):
    version: str = ""
    markers: str = ""
    optional: bool = False


class _PoetryTable(msgspec.Struct):
    name: str = ""
    dependencies: dict[str, str | _PoetryDependency | list[_PoetryDependency]] = {}


class _ToolTable(msgspec.Struct):
    poetry: _PoetryTable | None = None


class _Pyproject(msgspec.Struct):
    project: _ProjectTable | None = None
    tool: _ToolTable = msgspec.field(default_factory=_ToolTable)


def _toml(path: Path, label: str, kind: type[T]) -> T:
    raw = content(path)
    return checked(label, lambda: msgspec.convert(tomllib.loads(raw.decode()), kind))


def _pyproject(path: Path) -> tuple[str, SpecifierSet, Source | None]:
    table = _toml(path, path.name, _Pyproject)
    project, poetry = table.project or _ProjectTable(), table.tool.poetry or _PoetryTable()
    pins = [read_requirement(text, path.name, constraint=False) for text in project.dependencies]
    if not project.dependencies:
        pins += checked(path.name, lambda: list(_poetry_ranges(poetry)))
    python = checked(path.name, lambda: SpecifierSet(project.requires_python))
    source = Source(path.name, full=False, pins=partial(applying, pins)) if pins else None
    return canonicalize_name(project.name or poetry.name), python, source


def _poetry_ranges(table: _PoetryTable) -> Iterator[Pin]:
    for name, value in table.dependencies.items():
        if name == "python":
            continue
        given = [_PoetryDependency(version=value)] if isinstance(value, str) else value
        for one in given if isinstance(given, list) else [given]:
            marker = Marker(one.markers) if one.markers else None
            yield Pin(canonicalize_name(name), _poetry_range(one.version), not one.optional, marker)


def _poetry_range(text: str) -> SpecifierSet | None:
    for spelling in (text, f"=={text}"):
        try:
            return SpecifierSet(spelling) if text.strip("* ") else None
        except InvalidSpecifier:
            pass
    try:
        release = list(Version(text[1:]).release)
    except InvalidVersion:
        return None  # an alternative such as "^1 || ^2" has no PEP 440 spelling
    fixed = (
        next((at for at, part in enumerate(release) if part), -1)
        if text[0] == "^"
        else min(1, len(release) - 1)
    )
    upper = [*release[:fixed], release[fixed] + 1]
    return SpecifierSet(f">={text[1:]},<{'.'.join(map(str, upper))}")


class _UvEdge(msgspec.Struct):
    name: str
    version: str = ""
    marker: str = ""
    extra: list[str] = []


class _UvPackage(msgspec.Struct, rename="kebab"):
    name: str
    version: str = ""
    source: dict[str, str] = {}
    resolution_markers: list[str] = []
    dependencies: list[_UvEdge] = []
    optional_dependencies: dict[str, list[_UvEdge]] = {}
    dev_dependencies: dict[str, list[_UvEdge]] = {}


class _UvLock(msgspec.Struct):
    version: int
    package: list[_UvPackage] = []


class _PoetryPackage(msgspec.Struct):
    name: str
    version: str
    optional: bool = False
    groups: list[str] = []
    markers: str | dict[str, str] = ""


class _PoetryLock(msgspec.Struct):
    package: list[_PoetryPackage] = []


class _PipfilePackage(msgspec.Struct):
    version: str = ""
    markers: str = ""


class _PipfileLock(msgspec.Struct):
    default: dict[str, _PipfilePackage] = {}
    develop: dict[str, _PipfilePackage] = {}


def _lock(path: Path, label: str) -> Callable[[Markers], Iterable[Pin]]:
    if path.name.endswith("uv.lock"):
        return partial(_uv, _toml(path, label, _UvLock))
    if path.name.endswith("poetry.lock"):
        return partial(_poetry, _toml(path, label, _PoetryLock))
    if path.name.endswith("Pipfile.lock"):
        raw = content(path)
        return partial(_pipfile, checked(label, lambda: msgspec.json.decode(raw, type=_PipfileLock)))
    if path.name.startswith("pylock.") and path.suffix == ".toml":
        table = _toml(path, label, dict[str, object])
        return partial(_pylock, checked(label, lambda: Pylock.from_dict(table)))
    return partial(applying, read_requirements(path))


def _uv(lock: _UvLock, markers: Markers) -> Iterator[Pin]:
    if lock.version != 1:
        raise ValueError(f"its format {lock.version} is not known here")
    packages: dict[str, list[_UvPackage]] = {}
    for package in lock.package:
        if not package.resolution_markers or any(holds(one, markers) for one in package.resolution_markers):
            packages.setdefault(package.name, []).append(package)
    local = [
        package for package in lock.package if {"virtual", "editable", "directory"} & package.source.keys()
    ]
    roots = [package for package in local if "." in package.source.values()] or local
    edges = [edge for root in roots for edge in root.dependencies]
    groups = [group for root in roots for group in (root.optional_dependencies, root.dev_dependencies)]
    others = [edge for group in groups for some in group.values() for edge in some]
    needed = _reach(edges, packages, markers)
    listed = _reach([*edges, *others], packages, markers)
    for package in (one for group in packages.values() for one in group if one not in local):
        key = (package.name, package.version)
        if key in listed:
            yield Pin(canonicalize_name(package.name), exact(package.version), key in needed)


def _reach(
    edges: list[_UvEdge], packages: Mapping[str, list[_UvPackage]], markers: Markers
) -> set[tuple[str, str]]:
    """Follow the edges whose markers hold: in this format the packages themselves carry none."""
    waiting, seen, reached = list(edges), set(), set()
    while waiting:
        edge = waiting.pop()
        key = (edge.name, edge.version, *edge.extra)
        if key in seen or not holds(edge.marker, markers):
            continue
        seen.add(key)
        for package in packages.get(edge.name, ()):
            if edge.version in ("", package.version):
                reached.add((package.name, package.version))
                waiting += package.dependencies
                waiting += [
                    one for extra in edge.extra for one in package.optional_dependencies.get(extra, ())
                ]
    return reached


def _poetry(lock: _PoetryLock, markers: Markers) -> Iterator[Pin]:
    for package in lock.package:
        # Before lock format 2.1 the file names no groups: whether production needs a package is not in it.
        groups, given = package.groups or ["unnamed"], package.markers
        texts = {group: given if isinstance(given, str) else given.get(group, "") for group in groups}
        fits = {group: holds(text, markers) for group, text in texts.items()}
        if package.optional or any(fits.values()):
            needed = not package.optional and fits.get("main", False)
            yield Pin(canonicalize_name(package.name), exact(package.version), needed)


def _pipfile(lock: _PipfileLock, markers: Markers) -> Iterator[Pin]:
    for table, needed in ((lock.default, True), (lock.develop, False)):
        for name, package in table.items():
            if holds(package.markers, markers):
                specifier = SpecifierSet(package.version) if package.version else None
                yield Pin(canonicalize_name(name), specifier, needed)


def _pylock(lock: Pylock, markers: Markers) -> Iterator[Pin]:
    usual: Mapping[str, str | AbstractSet[str]] = {
        **markers,
        "extras": frozenset(),
        "dependency_groups": frozenset(lock.default_groups or ()),
    }
    every: Mapping[str, str | AbstractSet[str]] = {
        **markers,
        "extras": frozenset(lock.extras or ()),
        "dependency_groups": frozenset(lock.dependency_groups or ()),
    }
    for package in lock.packages:
        needed, listed = (
            package.marker is None or package.marker.evaluate(one, context="lock_file")
            for one in (usual, every)
        )
        if needed or listed:
            yield Pin(package.name, exact(str(package.version or "")), needed)
