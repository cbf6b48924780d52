"""Reads lock files: those of uv, poetry, pipenv and PEP 751; any other is read as pip-compile writes it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path

import msgspec
from packaging.markers import Marker
from packaging.pylock import Package, Pylock
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from probes.dependencies.commits import Commits, at_commit
from probes.dependencies.pins import (
    ANY,
    Pin,
    Source,
    Target,
    applying,
    checked,
    content,
    exactly,
    holds,
    names,
    read_toml,
)
from probes.dependencies.pyproject import PoetryTable, poetry_entries, poetry_marker, poetry_ranges
from probes.dependencies.requirements import read_requirements

LOCKS = ("pylock.toml", "uv.lock", "poetry.lock", "Pipfile.lock", "requirements.lock")
"""Lock files, in the order in which they are looked for."""


def read_lock(
    path: Path, label: str, own: str = "", asked: Callable[[Target], Iterable[Pin]] | None = None
) -> Source:
    """Read a lock file, of the kind that its name tells.

    Args:
        path: Where it is.
        label: What the operator calls it.
        own: The normalized name of the project. One lock may serve a whole workspace.
        asked: What the project's pyproject.toml asks for. Old locks of Poetry do not tell.

    Raises:
        CannotTell: If it cannot be opened or read.
    """
    if path.name.endswith("uv.lock"):
        lock = read_toml(path, label, _UvLock)
        return checked(label, lambda: _uv_source(lock, label, own))
    if path.name.endswith("poetry.lock"):
        poetry = read_toml(path, label, _PoetryLock)
        return checked(label, lambda: _poetry_source(poetry, label, asked))
    if path.name.endswith("Pipfile.lock"):
        raw = content(path)
        return checked(label, lambda: _pipfile_source(raw, label))
    if path.name.startswith("pylock.") and path.suffix == ".toml":
        table = read_toml(path, label, dict[str, object])
        return checked(label, lambda: _pylock_source(Pylock.from_dict(table), label))
    return Source(label, full=True, pins=partial(applying, read_requirements(path)))


class _UvEdge(msgspec.Struct):
    name: str
    version: str = ""
    marker: str = ""
    extra: list[str] = []


class _UvFile(msgspec.Struct):
    hash: str = ""


class _UvPackage(msgspec.Struct, rename="kebab"):
    name: str
    version: str = ""
    source: dict[str, str] = {}
    resolution_markers: list[str] = []
    dependencies: list[_UvEdge] = []
    optional_dependencies: dict[str, list[_UvEdge]] = {}
    dev_dependencies: dict[str, list[_UvEdge]] = {}
    sdist: _UvFile | None = None
    wheels: list[_UvFile] = []


class _UvManifest(msgspec.Struct, rename="kebab"):
    dependency_groups: dict[str, list[_UvEdge]] = {}


class _UvLock(msgspec.Struct, rename="kebab"):
    version: int
    requires_python: str = ""
    package: list[_UvPackage] = []
    manifest: _UvManifest = msgspec.field(default_factory=_UvManifest)


def _uv_source(lock: _UvLock, label: str, own: str) -> Source:
    if lock.version != 1:
        raise ValueError(f"its format {lock.version} is not known here")
    roots = _uv_roots(lock, own)
    if not roots and not lock.manifest.dependency_groups:
        raise ValueError("it names no project that the packages are for")
    tables = [table for one in lock.package for table in (one.optional_dependencies, one.dev_dependencies)]
    edges = [edge for table in tables for some in table.values() for edge in some]
    edges += [edge for one in lock.package for edge in one.dependencies]
    if lacking := {edge.name for edge in edges} - {one.name for one in lock.package}:
        raise ValueError(f"it is cut off: it lacks {min(lacking)}")
    return Source(
        label,
        full=True,
        pins=partial(_uv, lock, roots),
        extras=names(extra for root in roots for extra in root.optional_dependencies),
        groups=names(
            [
                *lock.manifest.dependency_groups,
                *(group for root in roots for group in root.dev_dependencies),
            ]
        ),
        python=(SpecifierSet(lock.requires_python),) if lock.requires_python else (),
    )


def _uv_local(package: _UvPackage) -> bool:
    return bool({"virtual", "editable", "directory"} & package.source.keys())


def _uv_roots(lock: _UvLock, own: str) -> list[_UvPackage]:
    local = [package for package in lock.package if _uv_local(package)]
    named = [package for package in local if canonicalize_name(package.name) == own]
    return named or [package for package in local if "." in package.source.values()] or local


def _uv(lock: _UvLock, roots: list[_UvPackage], target: Target) -> Iterator[Pin]:
    # Where extras or groups exclude each other, uv writes them into markers: extra == 'extra-4-demo-fast'.
    kinds = [("extra", one) for one in target.extras] + [("group", one) for one in target.groups]
    marks = [f"{kind}-{len(root.name)}-{root.name}-{one}" for root in roots for kind, one in kinds]
    holding = partial(holds, markers=target.markers, extras=marks)
    packages: dict[str, list[_UvPackage]] = {}
    for package in lock.package:
        if not package.resolution_markers or any(map(holding, package.resolution_markers)):
            packages.setdefault(package.name, []).append(package)
    asked, others = [edge for root in roots for edge in root.dependencies], list[_UvEdge]()
    tables = [(lock.manifest.dependency_groups, target.groups)]
    for root in roots:
        tables += [(root.optional_dependencies, target.extras), (root.dev_dependencies, target.groups)]
    for table, expected in tables:
        for name, edges in table.items():
            (asked if canonicalize_name(name) in expected else others).extend(edges)
    # The other members of a workspace may be installed beside this one, but need not be.
    members = [one for one in lock.package if _uv_local(one)]
    for member in members:
        tables_of = [*member.optional_dependencies.values(), *member.dev_dependencies.values()]
        others += [edge for table in [member.dependencies, *tables_of] for edge in table]
    needed = _reach(asked, packages, holding)
    listed = _reach([*asked, *others], packages, holding)
    own = roots if len(roots) == 1 else []
    listed |= {(one.name, one.version) for one in members if one not in own and "virtual" not in one.source}
    for package in (one for group in packages.values() for one in group):
        key = (package.name, package.version)
        if key in listed:
            origin = package.source.get("git", "")
            files = [*package.wheels, *([package.sdist] if package.sdist else [])]
            yield Pin(
                canonicalize_name(package.name),
                exactly(package.version),
                key in needed and "virtual" not in package.source,
                hashes=frozenset(file.hash for file in files if file.hash),
                fixed=True,
                commits=at_commit(origin, origin.rpartition("#")[2]),
            )


def _reach(
    edges: list[_UvEdge], packages: Mapping[str, list[_UvPackage]], holding: Callable[[str], bool]
) -> set[tuple[str, str]]:
    """Follow the edges whose markers hold: in this format the packages themselves carry none."""
    waiting, seen, reached = list(edges), set(), set()
    while waiting:
        edge = waiting.pop()
        key = (edge.name, edge.version, *edge.extra)
        if key in seen or not holding(edge.marker):
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


class _PoetryFile(msgspec.Struct):
    hash: str = ""


class _PoetryOrigin(msgspec.Struct):
    url: str = ""
    resolved_reference: str = ""
    subdirectory: str = ""


class _PoetryPackage(msgspec.Struct):
    name: str
    version: str
    optional: bool = False
    groups: list[str] = []
    markers: str | dict[str, str] = ""
    files: list[_PoetryFile] = []
    source: _PoetryOrigin = msgspec.field(default_factory=_PoetryOrigin)
    dependencies: PoetryTable = {}


class _PoetryMetadata(msgspec.Struct, rename="kebab"):
    python_versions: str = ""


class _PoetryLock(msgspec.Struct):
    package: list[_PoetryPackage]
    metadata: _PoetryMetadata  # it stands last, so that a file that is cut off lacks it
    extras: dict[str, list[str]] = {}


def _poetry_source(lock: _PoetryLock, label: str, asked: Callable[[Target], Iterable[Pin]] | None) -> Source:
    python = lock.metadata.python_versions
    return Source(
        label,
        full=True,
        pins=partial(_poetry, lock, asked),
        extras=names(lock.extras),
        groups=names(group for package in lock.package for group in package.groups) - {"main"},
        python=poetry_ranges(python) if python else (),
    )


def _poetry(
    lock: _PoetryLock, asked: Callable[[Target], Iterable[Pin]] | None, target: Target
) -> Iterator[Pin]:
    reached = _poetry_reach(lock, asked(target), target) if asked else set()
    direct = {
        canonicalize_name(name)
        for extra, some in lock.extras.items()
        if canonicalize_name(extra) in target.extras
        for name in some
    }
    for package in lock.package:
        name = canonicalize_name(package.name)
        # Before lock format 2.1 the file names no groups; pyproject.toml then tells what production needs.
        groups, given = package.groups or ["main" if name in reached else "unnamed"], package.markers
        texts = {group: given if isinstance(given, str) else given.get(group, "") for group in groups}
        fits = {group for group, text in texts.items() if holds(text, target.markers, target.extras)}
        if not package.optional:
            needed = bool(names(fits) & {"main", *target.groups})
        else:
            # What an extra brings in carries it as a marker, or, before format 2.1, stands in its list.
            needed = bool(fits) and (name in direct or ("extra" in str(given) and bool(target.extras)))
        if package.optional or fits:
            hashes = frozenset(file.hash for file in package.files if file.hash)
            origin = package.source
            commits = at_commit(origin.url, origin.resolved_reference, origin.subdirectory)
            yield Pin(name, exactly(package.version), needed, hashes=hashes, fixed=True, commits=commits)


def _poetry_reach(lock: _PoetryLock, asked: Iterable[Pin], target: Target) -> set[str]:
    packages: dict[str, list[_PoetryPackage]] = {}
    for package in lock.package:
        packages.setdefault(canonicalize_name(package.name), []).append(package)
    waiting, seen = [(pin.name, pin.extras) for pin in asked if pin.needed], set[tuple[str, frozenset[str]]]()
    while waiting:
        at = waiting.pop()
        if at in seen or at[0] not in packages:
            continue
        seen.add(at)
        choices = [
            {
                (name, names(one.extras))
                for name, one in poetry_entries(package.dependencies)
                if holds(poetry_marker(one), target.markers, at[1])
            }
            for package in packages[at[0]]
        ]
        # Which of several versions counts here the file does not tell: only what each of them needs is sure.
        waiting += set.intersection(*choices)
    return {name for name, _ in seen}


class _PipfilePackage(msgspec.Struct):
    version: str = ""
    markers: str = ""
    git: str = ""
    ref: str = ""
    subdirectory: str = ""
    hashes: list[str] = []


class _PipfileRequires(msgspec.Struct):
    python_version: str = ""
    python_full_version: str = ""


class _PipfileMeta(msgspec.Struct):
    requires: _PipfileRequires = msgspec.field(default_factory=_PipfileRequires)


def _pipfile_source(raw: bytes, label: str) -> Source:
    tables = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    if "default" not in tables:
        raise ValueError("it has no table of default packages")
    requires = msgspec.json.decode(tables.pop("_meta", b"{}"), type=_PipfileMeta).requires
    python = requires.python_full_version or (requires.python_version and f"{requires.python_version}.*")
    groups = {
        name: list(_pipfile(msgspec.json.decode(table, type=dict[str, _PipfilePackage])))
        for name, table in tables.items()
    }
    return Source(
        label,
        full=True,
        pins=partial(_pipfile_pins, groups),
        groups=names(groups) - {"default"},
        python=exactly(python),
    )


def _pipfile(table: Mapping[str, _PipfilePackage]) -> Iterator[Pin]:
    for name, package in table.items():
        # A star stands where no version was locked.
        stated = package.version.strip("* ")
        yield Pin(
            canonicalize_name(name),
            (SpecifierSet(stated),) if stated else ANY if package.version else (),
            marker=Marker(package.markers) if package.markers else None,
            hashes=frozenset(package.hashes),
            fixed=bool(package.ref),
            commits=at_commit(package.git, package.ref, package.subdirectory),
        )


def _pipfile_pins(groups: Mapping[str, Iterable[Pin]], target: Target) -> Iterator[Pin]:
    for group, pins in groups.items():
        needed = canonicalize_name(group) in {"default", *target.groups}
        yield from (pin._replace(needed=needed) for pin in applying(pins, target))


def _pylock_source(lock: Pylock, label: str) -> Source:
    return Source(
        label,
        full=True,
        pins=partial(_pylock, lock),
        extras=names(lock.extras or ()),
        groups=names(lock.dependency_groups or ()),
        python=(lock.requires_python,) if lock.requires_python else (),
    )


def _pylock(lock: Pylock, target: Target) -> Iterator[Pin]:
    usual: Mapping[str, str | AbstractSet[str]] = {
        **target.markers,
        "extras": target.extras,
        "dependency_groups": target.groups | frozenset(lock.default_groups or ()),
    }
    every: Mapping[str, str | AbstractSet[str]] = {
        **target.markers,
        "extras": frozenset(lock.extras or ()),
        "dependency_groups": frozenset(lock.dependency_groups or ()),
    }
    for package in lock.packages:
        needed, listed = (
            package.marker is None or package.marker.evaluate(one, context="lock_file")
            for one in (usual, every)
        )
        if needed or listed:
            hashes = frozenset(_pylock_hashes(package))
            commits: Commits = {}
            if vcs := package.vcs:
                place = vcs.url or str(vcs.path or "")
                commits = at_commit(place, vcs.commit_id, str(vcs.subdirectory or ""), vcs.type)
            allowed = exactly(str(package.version or ""))
            yield Pin(package.name, allowed, needed, hashes=hashes, fixed=True, commits=commits)


def _pylock_hashes(package: Package) -> Iterator[str]:
    for file in (package.archive, package.sdist, *(package.wheels or ())):
        for kind, digest in (file.hashes if file else {}).items():
            yield f"{kind}:{digest}"
