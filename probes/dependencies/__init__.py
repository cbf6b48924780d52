"""Holds the packages of environments against each other and against the project's own files."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from probes import parameters
from probes.dependencies.environments import Environment, normal, read_environments
from probes.outcome import CannotTell, Check, Outcome, Reason, Verdict, conclude

if TYPE_CHECKING:
    from probes.dependencies.pins import Target, Wanted
    from probes.dependencies.project_files import Project


class DependenciesParameters(parameters.Parameters, frozen=True):
    """What to compare.

    Attributes:
        timeout: As for every probe. All environments are read at the same time, and each may take 80 % of
            it: our own choice, so that there is time left to say which one was slow.
        project: Folder with pyproject.toml and the lock files. Default: the folder of the checklist. Empty:
            no project, only the environments are compared; nothing then says which of them is right.
        requirements: Requirements files, relative to the project. Default: its requirements.txt, if there.
        lock: The lock file, relative to the project. Default: the first that is there of pylock.toml,
            uv.lock, poetry.lock, Pipfile.lock and requirements.lock.
        environments: The environments by name; none by default. Each is a Python (a path, or a name on PATH),
            a command that ends in one ("ssh -o BatchMode=yes host python3", as one text or as a list), or a
            site-packages folder. Any Python from 3.8 on will do; the project's own code is not imported.
            A Python is read as it would start for the user who runs gonogo, or for the one as whom the
            command runs it: with the PYTHONPATH that its command sets or that host or container gives it,
            and with that user's own packages (~/.local) unless PYTHONNOUSERSITE or a virtual environment
            without the system's packages shuts them out. No PYTHON... variable of gonogo's own is passed on.
            Where neither a pyvenv.cfg above a folder nor its path tells its Python, markers are taken from
            the Python that runs this, and that it fits requires-python is not checked.
        critical: Packages that must be the same everywhere: any difference fails; none by default. A
            difference in any other package warns. Without a lock file that holds for every package but pip,
            setuptools and wheel; with one, a package that it does not name may be missing somewhere.
            Two commits of a repository differ under one version too, where both sides tell theirs: a lock
            or a link with a whole commit, and the direct_url.json that an installer leaves (PEP 610).
        extras: The project's extras that are to be installed, as a list for all environments or as lists by
            the environment's name. None by default: what only an extra needs may then be missing.
        groups: The dependency groups that are to be installed, in the same two forms; none by default.
            They are those of PEP 735 or of Poetry, or the categories of a Pipfile, such as "develop".
        exact: Names of environments that may hold nothing but what the files name, and pip, setuptools and
            wheel. None by default: tools of development are often no part of a lock.
    """

    project: str = "."
    requirements: list[str] = msgspec.field(default_factory=list)
    lock: str = ""
    environments: dict[str, str | list[str]] = msgspec.field(default_factory=dict)
    critical: list[str] = msgspec.field(default_factory=list)
    extras: list[str] | dict[str, list[str]] = msgspec.field(default_factory=list)
    groups: list[str] | dict[str, list[str]] = msgspec.field(default_factory=list)
    exact: list[str] = msgspec.field(default_factory=list)


_MOST_LINES = 20
_READING = 0.8  # of the deadline; see `timeout`


def probe(params: DependenciesParameters) -> Outcome:
    """Compare every package in pyproject.toml, requirements files, the lock and each environment."""
    end = time.monotonic() + _READING * parameters.seconds(params.timeout)
    # They import packaging, which is slow.
    from probes.dependencies import lines
    from probes.dependencies import matrix as compare
    from probes.dependencies.project_files import Project, read_project

    folder = Path(params.project)
    if not folder.is_dir():
        hint = "Correct project: the folder with pyproject.toml and the lock file."
        raise CannotTell(Reason.MISSING, f"There is no project folder {folder}.", hint)
    project = read_project(folder, params.requirements, params.lock) if params.project else Project()
    _refuse_strangers(params, project)
    labels = [source.label for source in project.sources]
    if len(labels) + len(params.environments) <= 1:
        raise CannotTell(
            Reason.CONFIG,
            "There is nothing to compare.",
            "Name two environments, or one and a project with a lock file, a requirements file or "
            "dependencies in pyproject.toml.",
        )
    environments, doubts = read_environments(params.environments, end)
    matrix = compare.Matrix(project, environments, list(doubts), _wanted(params, project, environments))

    critical = list(dict.fromkeys(normal(name) for name in params.critical if name))
    others = sorted(compare.compared_names(matrix) - {*critical, project.name})
    drift = [line for name in others if (line := compare.package_check(name, matrix))]
    told = {*critical, *(line.name.removeprefix("package ") for line in drift)}
    beyond = compare.names_beyond(matrix) - told
    # What a lock leaves out, such as the tools of development, may be anywhere; without one all must agree.
    apart = set[str]()
    if len(environments) > 1 and not any(source.full for source in project.sources):
        apart, beyond = beyond, apart
    unpinned = sorted(compare.names_unpinned(matrix) - {*critical})
    checks = [_doubt(name, doubt) for name, doubt in doubts.items()]
    checks += [lines.environment_check(one, matrix) for one in environments]
    checks += [compare.critical_check(name, matrix) for name in critical]
    checks += drift[:_MOST_LINES]
    checks += lines.more_packages(drift[_MOST_LINES:])
    checks += lines.only_in_some(apart, matrix)
    checks += [lines.extra_check(one, matrix) for one in environments if one.name in params.exact]
    checks += lines.pin_checks(params.project, matrix, unpinned)
    compared = sum(map(matrix.compares, {*others, *critical} - beyond)) + len(apart)
    if not compared and all(check.verdict is Verdict.PASS for check in checks):
        hint = "Compare with a lock file, a requirements file or an environment that names packages."
        raise CannotTell(Reason.CONFIG, "There is no package to compare.", hint)
    columns = compare.listed([*(one.name for one in environments), *labels])
    rest = f"; {compare.packages(len(beyond))} beyond {compare.listed(labels)} not compared" if beyond else ""
    return conclude(
        checks or [Check(name="packages", verdict=Verdict.PASS, observed=len(others))],
        f"{compare.packages(compared)} compared, the same in {columns}{rest}.",
        {
            "compared_packages": compared,
            "drifting_packages": len(drift) + len(apart),
            "unpinned_packages": len(unpinned),
        },
        reason=next((doubt.reason for doubt in doubts.values()), Reason.CONFIG),
    )


def _refuse_strangers(params: DependenciesParameters, project: "Project") -> None:
    """Refuse a name that nothing answers to: what it asks for would silently not be looked at.

    Raises:
        CannotTell: With `config`.
    """
    extras = {normal(one) for source in project.sources for one in source.extras}
    groups = {normal(one) for source in project.sources for one in source.groups}
    for key, given, known in (("extras", params.extras, extras), ("groups", params.groups, groups)):
        lists = list(given.values()) if isinstance(given, dict) else [given]
        if strange := [one for some in lists for one in some if normal(one) not in known]:
            message = f"No file of the project knows {strange[0]}, which {key} names."
            names = ", ".join(sorted(known)) or "none"
            raise CannotTell(Reason.CONFIG, message, f"Correct {key}; the files have: {names}.")
        _refuse_strange_environment(key, given if isinstance(given, dict) else (), params)
    _refuse_strange_environment("exact", params.exact, params)
    if params.exact and not any(source.full for source in project.sources):
        hint = "Make one with uv lock or poetry lock, set lock to what pip-compile wrote, or take exact out."
        raise CannotTell(Reason.CONFIG, "There is no lock file for exact to go by.", hint)


def _refuse_strange_environment(
    key: str, given: Mapping[str, object] | list[str] | tuple[()], params: DependenciesParameters
) -> None:
    if strange := [one for one in given if one not in params.environments]:
        message = f"There is no environment {strange[0]}, which {key} names."
        raise CannotTell(Reason.CONFIG, message, f"Correct {key}, or add {strange[0]} to environments.")


def _wanted(
    params: DependenciesParameters, project: "Project", environments: list[Environment]
) -> dict[str, dict[str, dict[str, "Wanted"]]]:
    from probes.dependencies import pins  # as in probe

    if not environments:
        target = _target(params, "", pins.own_markers())
        return {"": {source.label: source.select(target) for source in project.sources}}
    wanted = {}
    for one in environments:
        target = _target(params, one.name, one.markers)
        view = wanted[one.name] = {source.label: source.select(target) for source in project.sources}
        for source in project.sources:
            # A lock lists what its extras need; of any other file only the installed packages know it.
            if not source.full:
                view[source.label] = pins.with_extras(view[source.label], one.requires, one.markers)
    return wanted


def _target(params: DependenciesParameters, environment: str, markers: Mapping[str, str]) -> "Target":
    from probes.dependencies import pins  # as in probe

    extras, groups = (
        given.get(environment, []) if isinstance(given, dict) else given
        for given in (params.extras, params.groups)
    )
    return pins.Target(markers, pins.names(extras), pins.names(groups))


def _doubt(name: str, doubt: CannotTell) -> Check:
    return Check(name=f"environment {name}", verdict=Verdict.UNKNOWN, message=doubt.message, hint=doubt.hint)
