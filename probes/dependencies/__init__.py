"""Holds the packages of environments against each other and against the project's own files."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from probes import parameters
from probes.dependencies.environments import Environment, normal, read_environment
from probes.outcome import CannotTell, Check, Outcome, Reason, Verdict, conclude

if TYPE_CHECKING:
    from probes.dependencies.pins import Wanted
    from probes.dependencies.project_files import Project


class DependenciesParameters(parameters.Parameters, frozen=True):
    """What to compare.

    Attributes:
        project: Folder with pyproject.toml and the lock files. Default: the folder of the checklist.
        requirements: Requirements files, relative to the project. Default: its requirements.txt, if there.
        lock: The lock file, relative to the project. Default: the first that is there of pylock.toml,
            uv.lock, poetry.lock, Pipfile.lock and requirements.lock.
        environments: The environments by name; none by default. Each is a Python (a path, or a name on PATH),
            a command that ends in one ("ssh -o BatchMode=yes host python3", as one text or as a list), or a
            site-packages folder. Any Python from 3.8 on will do; the project's own code is not imported.
        critical: Packages that must be the same everywhere: any difference fails; none by default. A
            difference in any other package warns. Without a lock file that holds for every package but pip,
            setuptools and wheel; with one, a package that it does not name may be missing somewhere.
    """

    project: str = "."
    requirements: list[str] = msgspec.field(default_factory=list)
    lock: str = ""
    environments: dict[str, str | list[str]] = msgspec.field(default_factory=dict)
    critical: list[str] = msgspec.field(default_factory=list)


class _Matrix(NamedTuple):
    """Everything that was read.

    Attributes:
        project: What the files say.
        environments: Those that were read.
        unread: The names of the others.
        wanted: What each file asks for: by the environment's name, then by the file's label. Without an
            environment, what they ask for in the Python that runs this, under the name "".
    """

    project: "Project"
    environments: list[Environment]
    unread: list[str]
    wanted: "dict[str, dict[str, dict[str, Wanted]]]"


_MOST_LINES = 20
_MOST_NAMES = 5
_READING = (
    0.8  # the share of the deadline for the environments; what is left is for saying which one was slow
)
_SEEDS = {"pip", "setuptools", "wheel"}  # they come with an environment; nobody asked for them


def probe(params: DependenciesParameters) -> Outcome:
    """Compare every package in pyproject.toml, requirements files, the lock and each environment."""
    from probes.dependencies import pins, project_files  # they import packaging, which is slow

    folder = Path(params.project or ".")
    if not folder.is_dir():
        raise CannotTell(Reason.MISSING, f"There is no project folder {folder}: correct `project`.")
    project = project_files.read_project(folder, params.requirements, params.lock)
    labels = [source.label for source in project.sources]
    if len(labels) + len(params.environments) <= 1:
        raise CannotTell(
            Reason.CONFIG,
            "There is nothing to compare: name two environments, or one and a project with a lock file, "
            "a requirements file or dependencies in pyproject.toml.",
        )
    environments, doubts = _read_all(params)
    views: dict[str, Mapping[str, str]] = {one.name: one.markers for one in environments} or {
        "": pins.own_markers()
    }
    wanted = {
        view: {source.label: source.select(markers) for source in project.sources}
        for view, markers in views.items()
    }
    matrix = _Matrix(project, environments, list(doubts), wanted)

    critical = list(dict.fromkeys(normal(name) for name in params.critical if name))
    others = sorted(_names(matrix) - {*critical, project.name})
    drift = [line for name in others if (line := _package(name, matrix))]
    told = {*critical, *(line.name.removeprefix("package ") for line in drift)}
    beyond = _beyond(matrix) - told
    # What a lock leaves out, such as the tools of development, may be anywhere; without one all must agree.
    apart = set[str]()
    if len(environments) > 1 and not any(source.full for source in project.sources):
        apart, beyond = beyond, apart
    checks = [_doubt(name, doubt) for name, doubt in doubts.items()]
    checks += [_environment(one, matrix) for one in environments]
    checks += [_critical_package(name, matrix) for name in critical]
    checks += drift[:_MOST_LINES]
    if more := drift[_MOST_LINES:]:
        some = _some([line.name.removeprefix("package ") for line in more])
        message = f"+{len(more)} more: {some}."
        checks.append(Check(name="more packages", verdict=Verdict.WARN, observed=len(more), message=message))
    checks += _only_in_some(apart, matrix)
    compared = len({*others, *critical, *apart} - beyond)
    columns = [*(one.name for one in environments), *labels]
    rest = f"; {_packages(len(beyond))} beyond {_and(labels)} not compared" if beyond else ""
    return conclude(
        checks or [Check(name="packages", verdict=Verdict.PASS, observed=len(others))],
        f"{_packages(compared)} compared, the same in {_and(columns)}{rest}.",
        {"compared_packages": compared, "drifting_packages": len(drift) + len(apart)},
        reason=next((doubt.reason for doubt in doubts.values()), Reason.CONFIG),
    )


def _read_all(params: DependenciesParameters) -> tuple[list[Environment], dict[str, CannotTell]]:
    environments: list[Environment] = []
    doubts: dict[str, CannotTell] = {}
    end = time.monotonic() + _READING * parameters.seconds(params.timeout)
    for at, (name, place) in enumerate(params.environments.items()):
        share = (end - time.monotonic()) / (len(params.environments) - at)
        try:
            environments.append(read_environment(name, place, share))
        except CannotTell as doubt:
            doubts[name] = doubt
    return environments, doubts


def _names(matrix: _Matrix) -> set[str]:
    """Return the packages worth comparing: those a file names and those installed more than once."""
    named = {name for view in matrix.wanted.values() for wants in view.values() for name in wants}
    installed = Counter(name for one in matrix.environments for name in one.packages)
    twice = {name for one in matrix.environments for name, found in one.packages.items() if len(found) > 1}
    return named | twice | {name for name, times in installed.items() if times > 1 and name not in _SEEDS}


def _beyond(matrix: _Matrix) -> set[str]:
    """Return the packages that no file asks for and that not all environments have, or the only one has."""
    installed = Counter(name for one in matrix.environments for name in one.packages)
    asked = {
        name
        for view in matrix.wanted.values()
        for source in matrix.project.sources
        for name, want in view[source.label].items()
        # A lock binds what it names; in any other file a mere constraint does not say where it belongs.
        if source.full or want.needed
    }
    most = max(2, len(matrix.environments))
    uneven = {name for name, times in installed.items() if times < most}
    return uneven - asked - _SEEDS - {matrix.project.name}


def _only_in_some(names: set[str], matrix: _Matrix) -> Iterator[Check]:
    """Yield one line for each set of environments that alone have some of the packages."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(names):
        having = tuple(one.name for one in matrix.environments if name in one.packages)
        groups.setdefault(having, []).append(name)
    for having, group in groups.items():
        lacking = [one.name for one in matrix.environments if one.name not in having]
        verb, them = ("is", "it") if len(group) == 1 else ("are", "them")
        message = (
            f"{_packages(len(group))} {verb} in {_and(having)}, not in {_and(lacking)}, and no file asks for"
            f" {them}: {_some(group, _MOST_LINES)}; install or remove {them}, or write a lock file."
        )
        name = f"only in {_and(having)}"
        yield Check(name=name, verdict=Verdict.WARN, observed=len(group), limit=0, message=message)


def _doubt(name: str, doubt: CannotTell) -> Check:
    return Check(name=f"environment {name}", verdict=Verdict.UNKNOWN, message=doubt.message)


def _environment(one: Environment, matrix: _Matrix) -> Check:
    python = one.markers["python_full_version"].rstrip("+")
    message = f"{one.name}: {_packages(len(one.packages))}, Python {python}"
    for source in matrix.project.sources:
        known = {*matrix.wanted[one.name][source.label], *_SEEDS, matrix.project.name}
        if source.full and (extra := sorted(one.packages.keys() - known)):
            message += f", {len(extra)} of them not in {source.label} ({_some(extra)})"
    problems = []
    if not matrix.project.python.contains(python, prereleases=True):
        problems.append(f"pyproject.toml asks for Python {matrix.project.python}: change one of them")
    if one.broken:
        problems.append(
            f"broken metadata in {_some(one.broken)}: reinstall that package or remove the folder"
        )
    return Check(
        name=f"environment {one.name}",
        verdict=Verdict.WARN if problems else Verdict.PASS,
        observed=len(one.packages),
        message=f"{'; '.join([message, *problems])}.",
    )


def _package(name: str, matrix: _Matrix) -> Check | None:
    problems = _problems(name, matrix, critical=False)
    return _line(name, matrix, Verdict.WARN, problems) if problems else None


def _critical_package(name: str, matrix: _Matrix) -> Check:
    if problems := _problems(name, matrix, critical=True):
        return _line(name, matrix, Verdict.FAIL, problems)
    if matrix.unread:
        return _line(name, matrix, Verdict.UNKNOWN, [f"{_and(matrix.unread)} could not be read: see there"])
    wants = [wants[name] for view in matrix.wanted.values() for wants in view.values() if name in wants]
    present = [one for one in matrix.environments if name in one.packages]
    if not present and (matrix.environments or not wants):
        return _line(name, matrix, Verdict.UNKNOWN, ["it is nowhere: correct its name in `critical`"])
    if matrix.project.sources and not any(want.exact for want in wants):
        return _line(name, matrix, Verdict.WARN, ["no file pins it to one version: write a lock file"])
    return _line(name, matrix, Verdict.PASS, [])


def _problems(name: str, matrix: _Matrix, *, critical: bool) -> list[str]:
    against_files = _against_files(name, matrix)
    # Where a file says which environment is wrong, that they differ goes without saying.
    among = [] if against_files else _among_environments(name, matrix, critical=critical)
    twice = [
        f"{one.name} has it installed more than once: remove it and install it again"
        for one in matrix.environments
        if len(one.packages.get(name, ())) > 1
    ]
    return [*against_files, *among, *twice, *_among_files(name, matrix)]


def _against_files(name: str, matrix: _Matrix) -> list[str]:
    # Files that blame the same environments share a sentence.
    other: dict[tuple[str, ...], list[str]] = {}
    lacking: dict[tuple[str, ...], list[str]] = {}
    for source in matrix.project.sources:
        wants = {one.name: matrix.wanted[one.name][source.label].get(name) for one in matrix.environments}
        found = {one.name: one.packages.get(name, [""])[0] for one in matrix.environments}
        wrong = tuple(at for at, want in wants.items() if want and found[at] and not want.accepts(found[at]))
        absent = tuple(at for at, want in wants.items() if want and want.needed and not found[at])
        other.setdefault(wrong, []).append(source.label)
        lacking.setdefault(absent, []).append(source.label)
    problems = [
        f"{_subject(where, 'is', 'are')} not what {_subject(labels, 'asks', 'ask')} for: reinstall it there"
        for where, labels in other.items()
        if where
    ]
    return problems + [
        f"{_subject(labels, 'asks', 'ask')} for it, {_subject(where, 'has', 'have')} none: install it"
        for where, labels in lacking.items()
        if where
    ]


def _among_environments(name: str, matrix: _Matrix, *, critical: bool) -> list[str]:
    from probes.dependencies import pins  # as in probe

    versions = {one.name: one.packages[name][0] for one in matrix.environments if name in one.packages}
    full = [source.label for source in matrix.project.sources if source.full]
    # A lock may give each platform and Python another version, or none: then each environment agrees with it.
    locked = {
        one.name for one in matrix.environments if any(name in matrix.wanted[one.name][it] for it in full)
    }
    if len(pins.distinct(versions.values())) > 1 and (critical or not locked):
        return [f"{_and(list(versions))} differ: install one version in all"]
    absent = [one.name for one in matrix.environments if one.name not in versions]
    unexplained = [at for at in absent if at in locked or not locked]
    if critical and versions and unexplained:
        return [f"{_subject(unexplained, 'has', 'have')} none: install it"]
    return []


def _among_files(name: str, matrix: _Matrix) -> list[str]:
    """Say where the files contradict each other about a package."""
    problems = {}
    for view in matrix.wanted.values():
        for one, two in permutations(matrix.project.sources, 2):
            mine, yours = view[one.label].get(name), view[two.label].get(name)
            if mine and mine.needed and not yours and two.full:
                problems[one.label, two.label] = f"{one.label} asks for it, {two.label} lacks it: lock again"
            told = (two.label, one.label) in problems
            if mine and yours and mine.exact and not told and not any(map(yours.accepts, mine.exact)):
                problems[one.label, two.label] = f"{one.label} contradicts {two.label}: lock again"
    return list(problems.values())


def _line(name: str, matrix: _Matrix, verdict: Verdict, problems: list[str]) -> Check:
    cells = {one.name: " and ".join(one.packages.get(name, ["none"])) for one in matrix.environments}
    cells |= dict.fromkeys(matrix.unread, "not read")
    asked = {}
    for source in matrix.project.sources:
        texts = [
            str(view[source.label][name]) for view in matrix.wanted.values() if name in view[source.label]
        ]
        if texts:
            asked[source.label] = " or ".join(dict.fromkeys(texts))
    row = ", ".join(f"{column} {cell}" for column, cell in {**cells, **asked}.items())
    return Check(
        name=f"package {name}",
        verdict=verdict,
        observed=", ".join(dict.fromkeys(cells.values())) or None,
        limit=list(asked.values())[-1] if asked else None,
        message=f"{'; '.join([f'{name}: {row}', *problems])}.",
    )


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _subject(names: Sequence[str], one: str, many: str) -> str:
    return f"{_and(names)} {one if len(names) == 1 else many}"


def _packages(count: int) -> str:
    return f"{count} package{'' if count == 1 else 's'}"


def _some(names: Sequence[str], most: int = _MOST_NAMES) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
