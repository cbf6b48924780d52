"""Lines of evidence about whole environments and files; those about one package are in `matrix`."""

import shlex
from collections.abc import Iterator

from probes.dependencies.environments import Environment
from probes.dependencies.matrix import SEEDS, Matrix, listed, packages, some
from probes.outcome import Check, Verdict

_MOST_NAMED = 20


def environment_check(one: Environment, matrix: Matrix) -> Check:
    """Say what an environment is, whether its Python fits the files, and what is broken in it."""
    python = ".".join(one.pythons[0].split(".")[: 3 if len(one.pythons) == 1 else 2]) if one.pythons else ""
    message = f"{one.name}: {packages(len(one.packages))}, "
    message += f"Python {python}" if python else "Python not known"
    for source in matrix.project.sources:
        known = {*matrix.wanted[one.name][source.label], *SEEDS, matrix.project.name}
        if source.full and (extra := sorted(one.packages.keys() - known)):
            message += f", {len(extra)} of them not in {source.label} ({some(extra)})"
    problems = []
    for label, ranges in matrix.project.python.items():
        fits = any(each.contains(full, prereleases=True) for each in ranges for full in one.pythons)
        if one.pythons and not fits:
            asked = " or ".join(map(str, ranges))
            found = f"{label} asks for Python {asked}"
            problems.append((found, f"Make {one.name} anew with Python {asked}, or correct {label}."))
    if one.broken:
        left = [path.name for path in one.broken]
        hint = f"Delete {some(list(map(str, one.broken)))}, and install that package again."
        problems.append((f"broken metadata in {some(left)}", hint))
    return Check(
        name=f"environment {one.name}",
        verdict=Verdict.WARN if problems else Verdict.PASS,
        observed=len(one.packages),
        message=f"{'; '.join([message, *(found for found, _ in problems)])}.",
        hint=problems[0][1] if problems else "",
    )


def more_packages(drift: list[Check]) -> Iterator[Check]:
    """Yield one line for the differences beyond those that have a line of their own."""
    if drift:
        names = [line.name.removeprefix("package ") for line in drift]
        yield Check(
            name="more packages",
            verdict=Verdict.WARN,
            observed=len(drift),
            limit=0,
            message=f"+{len(drift)} more: {some(names)}.",
            hint="Install each environment anew from the lock file.",
        )


def extra_check(one: Environment, matrix: Matrix) -> Check:
    """Say what an environment has that no file names."""
    known = {name for wants in matrix.wanted[one.name].values() for name in wants}
    names = sorted(one.packages.keys() - known - SEEDS - {matrix.project.name})
    hint = "Remove them there, or lock them."
    if names and one.installer[-1:] == ("install",):
        command = shlex.join([*one.installer[:-1], "uninstall", "--yes", *names])
        hint = f"Remove them there, or lock them: {command}."
    labels = listed([source.label for source in matrix.project.sources])
    return Check(
        name=f"extra in {one.name}",
        verdict=Verdict.WARN if names else Verdict.PASS,
        observed=len(names),
        limit=0,
        message=f"{one.name} has {packages(len(names))} beyond {labels}"
        + (f": {some(names, _MOST_NAMED)}." if names else "."),
        hint=hint if names else "",
    )


def pin_checks(project: str, matrix: Matrix, unpinned: list[str]) -> Iterator[Check]:
    """Say what the files leave open, if they do."""
    if project and not any(wants for view in matrix.wanted.values() for wants in view.values()):
        yield Check(
            name="pins",
            verdict=Verdict.WARN,
            observed=0,
            message=f"No file in {project} asks for any package, so nothing says which is right.",
            hint="Correct project, make a lock file with uv lock, poetry lock or pip-compile, or set project "
            'to "" to compare the environments alone.',
        )
    if unpinned:
        verb = "is" if len(unpinned) == 1 else "are"
        yield Check(
            name="unpinned",
            verdict=Verdict.WARN,
            observed=len(unpinned),
            limit=0,
            message=f"{packages(len(unpinned))} {verb} asked for, but pinned to one version by no "
            f"file: {some(unpinned, _MOST_NAMED)}.",
            hint="Make a lock file with uv lock, poetry lock or pip-compile, or pin each with ==.",
        )


def only_in_some(names: set[str], matrix: Matrix) -> Iterator[Check]:
    """Yield one line for each set of environments that alone have some of the packages."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(names):
        having = tuple(one.name for one in matrix.environments if name in one.packages)
        groups.setdefault(having, []).append(name)
    for having, group in groups.items():
        lacking = [one.name for one in matrix.environments if one.name not in having]
        verb, them = ("is", "it") if len(group) == 1 else ("are", "them")
        yield Check(
            name=f"only in {listed(having)}",
            verdict=Verdict.WARN,
            observed=len(group),
            limit=0,
            message=f"{packages(len(group))} {verb} in {listed(having)}, not in {listed(lacking)}, "
            f"and no file asks for {them}: {some(group, _MOST_NAMED)}.",
            hint=f"Install or remove {them}, or make a lock file that tells where what belongs, "
            "or set lock to the file that pip-compile wrote.",
        )
