"""Every package against every file and every environment: where they differ, and how to mend it."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations, permutations
from typing import NamedTuple

from probes.dependencies.commits import other_commit, with_commits
from probes.dependencies.environments import Environment
from probes.dependencies.pins import Source, Wanted, distinct, local_build
from probes.dependencies.project_files import Project
from probes.outcome import Check, Verdict

SEEDS = frozenset({"pip", "setuptools", "wheel"})
"""Packages that come with an environment; nobody asked for them."""

_MOST_NAMES = 5
_MOST_COMMANDS = 3
_LOCKING = {
    "uv.lock": "uv lock",
    "poetry.lock": "poetry lock",
    "Pipfile.lock": "pipenv lock",
    "pylock.toml": "uv export --format pylock.toml --output-file pylock.toml",
}


class Matrix(NamedTuple):
    """Everything that was read.

    Attributes:
        project: What the files say.
        environments: Those that were read.
        unread: The names of the others.
        wanted: What each file asks for: by the environment's name, then by the file's label. Without an
            environment, what they ask for in the Python that runs this, under the name "".
    """

    project: Project
    environments: list[Environment]
    unread: list[str]
    wanted: Mapping[str, Mapping[str, Mapping[str, Wanted]]]

    def wants(self, name: str) -> list[Wanted]:
        """Return all that is asked of a package."""
        views = self.wanted.values()
        return [wants[name] for view in views for wants in view.values() if name in wants]

    def compares(self, name: str) -> bool:
        """Tell whether a package stands in two places at least, and in an environment if there is one."""
        present = sum(name in one.packages for one in self.environments)
        views = self.wanted.values()
        labels = {label for view in views for label, wants in view.items() if name in wants}
        return present + len(labels) > 1 and bool(present or not self.environments)


class Problem(NamedTuple):
    """What is wrong with a package, in words that go on after it, and what to do, as a sentence."""

    found: str
    hint: str


def compared_names(matrix: Matrix) -> set[str]:
    """Return the packages worth comparing: those a file names and those installed more than once."""
    named = {name for view in matrix.wanted.values() for wants in view.values() for name in wants}
    installed = Counter(name for one in matrix.environments for name in one.packages)
    twice = {name for one in matrix.environments for name, found in one.packages.items() if len(found) > 1}
    return named | twice | {name for name, times in installed.items() if times > 1 and name not in SEEDS}


def names_beyond(matrix: Matrix) -> set[str]:
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
    return uneven - asked - SEEDS - {matrix.project.name}


def names_unpinned(matrix: Matrix) -> set[str]:
    """Return the packages asked for that no file fixes. That the lock lacks one is another finding."""
    return {
        name
        for view in matrix.wanted.values()
        for wants in view.values()
        for name, want in wants.items()
        if want.needed and not want.derived and not _fixed(name, view, matrix.project.sources)
    } - {*SEEDS, matrix.project.name}


def _fixed(name: str, view: Mapping[str, Mapping[str, Wanted]], sources: Sequence[Source]) -> bool:
    if any(source.full and name not in view[source.label] for source in sources):
        return True
    return any(wants[name].pinned for wants in view.values() if name in wants)


def package_check(name: str, matrix: Matrix) -> Check | None:
    """Return the line of a package that differs somewhere, None for any other."""
    problems = _problems(name, matrix, critical=False)
    return _line(name, matrix, Verdict.WARN, problems) if problems else None


def critical_check(name: str, matrix: Matrix) -> Check:
    """Return the line of a package that must be the same everywhere."""
    if problems := _problems(name, matrix, critical=True):
        return _line(name, matrix, Verdict.FAIL, problems)
    if matrix.unread:
        them = "it" if len(matrix.unread) == 1 else "them"
        found = f"{listed(matrix.unread)} could not be read"
        hint = f"Do for {listed(matrix.unread)} what stands there, to compare {name} with {them}."
        return _line(name, matrix, Verdict.UNKNOWN, [Problem(found, hint)])
    wants = matrix.wants(name)
    present = [one for one in matrix.environments if name in one.packages]
    if not present and (matrix.environments or not wants):
        problem = Problem("it is nowhere", f"Correct {name} in critical: no environment has such a package.")
        return _line(name, matrix, Verdict.UNKNOWN, [problem])
    if any(wants_of for view in matrix.wanted.values() for wants_of in view.values()) and not any(
        want.pinned for want in wants
    ):
        pin = f"{name}=={present[0].packages[name][0]}" if present else f"{name} with =="
        hint = f"Pin {pin}, or make a lock file with uv lock, poetry lock or pip-compile."
        return _line(name, matrix, Verdict.WARN, [Problem("no file pins it to one version", hint)])
    return _line(name, matrix, Verdict.PASS, [])


def _problems(name: str, matrix: Matrix, *, critical: bool) -> list[Problem]:
    """Return what is wrong with a package; what has to be mended first stands last."""
    against_files = [*_against_files(name, matrix), *_local_builds(name, matrix)]
    # Where a file says which environment is wrong, that they differ goes without saying.
    among = [] if against_files else _among_environments(name, matrix, critical=critical)
    twice = [
        Problem(
            f"{one.name} has it installed more than once",
            f"Delete it and every {name.replace('-', '_')}-*.dist-info there, then install it once: "
            f"{_installing([one], name, matrix)}.",
        )
        for one in matrix.environments
        if len(one.packages.get(name, ())) > 1
    ]
    return [*against_files, *among, *twice, *_among_files(name, matrix)]


def _against_files(name: str, matrix: Matrix) -> list[Problem]:
    # Files that blame the same environments share a sentence.
    other: dict[tuple[str, ...], list[str]] = {}
    lacking: dict[tuple[str, ...], list[str]] = {}
    for source in matrix.project.sources:
        wants = {one.name: matrix.wanted[one.name][source.label].get(name) for one in matrix.environments}
        found = {one.name: one.packages.get(name, [""])[0] for one in matrix.environments}
        commits = {one.name: one.commits.get(name, ()) for one in matrix.environments}
        wrong = tuple(
            at
            for at, want in wants.items()
            if want and found[at] and not want.accepts(found[at], commits[at])
        )
        absent = tuple(at for at, want in wants.items() if want and want.needed and not found[at])
        other.setdefault(wrong, []).append(source.label)
        lacking.setdefault(absent, []).append(source.label)
    locks = {source.label for source in matrix.project.sources if source.full}
    problems = []
    for where, labels in other.items():
        if where:
            found_wrong = f"{_subject(where, 'is', 'are')} not what {_subject(labels, 'asks', 'ask')} for"
            version = "the locked version" if locks & {*labels} else f"what {listed(labels)} allows"
            hint = f"Install {version} there: {_installing(_named(where, matrix), name, matrix)}."
            problems.append(Problem(found_wrong, hint))
    for where, labels in lacking.items():
        if where:
            found_none = f"{_subject(labels, 'asks', 'ask')} for it, {_subject(where, 'has', 'have')} none"
            hint = f"Install it there: {_installing(_named(where, matrix), name, matrix)}."
            problems.append(Problem(found_none, hint))
    return problems


def _local_builds(name: str, matrix: Matrix) -> list[Problem]:
    """Find builds such as 7.2.2+cu1 where every file says 7.2.2: PEP 440 lets that pass."""
    where, labels = [], dict[str, None]()
    for one in matrix.environments:
        wants = {label: view[name] for label, view in matrix.wanted[one.name].items() if name in view}
        exact = {label: want.exact for label, want in wants.items() if want.exact}
        version = one.packages.get(name, [""])[0]
        accepted = all(want.accepts(version) for want in wants.values())
        if accepted and local_build(version, [each for some in exact.values() for each in some]):
            where.append(one)
            labels |= dict.fromkeys(exact)
    if not where:
        return []
    found = f"{_subject([one.name for one in where], 'has', 'have')} a local build of it"
    hint = (
        f"Install the release there: {_installing(where, name, matrix)}; "
        f"or pin the local build in {listed([*labels])}."
    )
    return [Problem(found, hint)]


def _among_environments(name: str, matrix: Matrix, *, critical: bool) -> list[Problem]:
    versions = {one.name: one.packages[name][0] for one in matrix.environments if name in one.packages}
    full = [source.label for source in matrix.project.sources if source.full]
    # A lock may give each platform and Python another version, or none: then each environment agrees with it.
    locked = {
        one.name for one in matrix.environments if any(name in matrix.wanted[one.name][it] for it in full)
    }
    different = distinct(versions.values())
    if len(different) > 1 and (critical or not locked):
        newest = different[-1]
        others = [at for at, version in versions.items() if distinct([version, newest])[1:]]
        commands = _commands(_named(others, matrix), dict.fromkeys(others, f"{name}=={newest}"))
        hint = f"Install one version in all, for example the newest there is: {commands}."
        return [Problem(f"{listed(list(versions))} differ", hint)]
    commits = {one.name: one.commits[name] for one in matrix.environments if name in one.commits}
    if any(other_commit(*two) for two in combinations(commits.values(), 2)) and (critical or not locked):
        first = next(iter(commits))
        others = [at for at in commits if other_commit(commits[at], commits[first])]
        (link,) = commits[first].values()
        commands = _commands(_named(others, matrix), dict.fromkeys(others, f"{name} @ {link}"))
        hint = f"Install one commit in all, for example that of {first}: {commands}."
        return [Problem(f"{listed(list(commits))} differ", hint)]
    absent = [one.name for one in matrix.environments if one.name not in versions]
    unexplained = [at for at in absent if at in locked or not locked]
    if critical and versions and unexplained:
        commands = _commands(
            _named(unexplained, matrix), dict.fromkeys(unexplained, f"{name}=={different[-1]}")
        )
        return [Problem(_subject(unexplained, "has none", "have none"), f"Install it there: {commands}.")]
    return []


def _among_files(name: str, matrix: Matrix) -> list[Problem]:
    """Say where the files contradict each other about a package."""
    problems = {}
    for view in matrix.wanted.values():
        for one, two in combinations(matrix.project.sources, 2):
            mine, yours = view[one.label].get(name), view[two.label].get(name)
            # The files that an installer would check: where one of them lists none, nothing is checked.
            if mine and yours and _other_artifact(mine, yours):
                found = f"{one.label} and {two.label} pin this version with no hash in common"
                hint = f"Find out which of them has the index's hashes, then make the other anew{_lock(two)}."
                problems[one.label, two.label] = Problem(found, hint)
        for one, two in permutations(matrix.project.sources, 2):
            mine, yours = view[one.label].get(name), view[two.label].get(name)
            if mine and mine.needed and not mine.derived and not yours and two.full:
                found = f"{one.label} asks for it, {two.label} lacks it"
                hint = f"Make {two.label} anew{_lock(two)}."
                problems[one.label, two.label] = Problem(found, hint)
            told = (two.label, one.label) in problems
            if mine and yours and not told and _contradict(mine, yours):
                lock = next((source for source in (one, two) if source.full), None)
                plain = two if one is lock else one
                hint = f"Make {two.label} and {one.label} agree: correct one of them."
                if lock:
                    hint = f"Correct {plain.label}, or make {lock.label} anew{_lock(lock)}."
                problems[one.label, two.label] = Problem(f"{one.label} contradicts {two.label}", hint)
    return list(problems.values())


def _contradict(one: Wanted, two: Wanted) -> bool:
    """Tell whether an exact wish and another do not go together: 7.2.2 lets 7.2.2+cu1 be locked."""
    agree = any(map(two.accepts, one.exact)) or any(map(one.accepts, two.exact))
    return other_commit(one.commits, two.commits) or (bool(one.exact) and not agree)


def _other_artifact(one: Wanted, two: Wanted) -> bool:
    """Tell whether two pins of the same version share no file, as far as their digests can be compared."""
    if not set(one.exact) & set(two.exact):
        return False
    kinds = {each.partition(":")[0] for each in one.hashes} & {each.partition(":")[0] for each in two.hashes}
    return bool(kinds) and not one.hashes & two.hashes


def _lock(source: Source) -> str:
    command = _LOCKING.get(source.label.rpartition("/")[2], "")
    if not command and source.full:
        command = f"pip-compile --generate-hashes --output-file {shlex.quote(source.label)}"
    return f": {command}" if command else ""


def _named(names: Sequence[str], matrix: Matrix) -> list[Environment]:
    return [one for one in matrix.environments if one.name in names]


def _installing(where: Sequence[Environment], name: str, matrix: Matrix) -> str:
    """Return the commands that install what the files ask for: the lock, where there is one, is the last."""
    requirements = {}
    for one in where:
        wants = [wants[name] for wants in matrix.wanted[one.name].values() if name in wants]
        want = next((want for want in reversed(wants) if want.exact), wants[-1] if wants else None)
        text = f"=={want.exact[-1]}" if want and want.exact else ""
        if want and not want.exact and want.allowed:
            text = str(want.allowed[-1])
        link = next((link for want in reversed(wants) for link in want.commits.values()), "")
        requirements[one.name] = f"{name} @ {link}" if link else f"{name}{text}"
    return _commands(where, requirements)


def _commands(where: Sequence[Environment], requirements: Mapping[str, str]) -> str:
    lines = [_command(one, requirements[one.name]) for one in where[:_MOST_COMMANDS]]
    rest = [one.name for one in where[_MOST_COMMANDS:]]
    return " and ".join(lines) + (f", likewise in {listed(rest)}" if rest else "")


def _command(one: Environment, requirement: str) -> str:
    name, _, link = requirement.partition(" @ ")
    if not one.installer:
        return f"{requirement}, in a virtual environment or with the system's package manager"
    # pip passes over another commit of a version that is there.
    again = ("--force-reinstall", "--no-deps") if link and name in one.packages else ()
    # ssh gives its words to a shell there, for which ">=6" is a file to write.
    far = one.installer[0].rpartition("/")[2] == "ssh"
    return shlex.join([*one.installer, *again, shlex.quote(requirement) if far else requirement])


def _line(name: str, matrix: Matrix, verdict: Verdict, problems: Sequence[Problem]) -> Check:
    cells = {
        one.name: with_commits(" and ".join(one.packages.get(name, ["none"])), one.commits.get(name, ()))
        for one in matrix.environments
    }
    cells |= dict.fromkeys(matrix.unread, "not read")
    asked = {}
    for source in matrix.project.sources:
        texts = [
            str(view[source.label][name]) for view in matrix.wanted.values() if name in view[source.label]
        ]
        if texts:
            asked[source.label] = " or ".join(dict.fromkeys(texts))
    row = ", ".join(f"{column} {cell}" for column, cell in {**cells, **asked}.items())
    found = [f"{name}: {row}" if row else name, *(problem.found for problem in problems)]
    return Check(
        name=f"package {name}",
        verdict=verdict,
        observed=", ".join(dict.fromkeys(cells.values())) or None,
        limit=list(asked.values())[-1] if asked else None,
        message=f"{'; '.join(found)}.",
        hint=problems[-1].hint if problems else "",
    )


def listed(names: Sequence[str]) -> str:
    """Write names as a list: "a", "a and b", "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _subject(names: Sequence[str], one: str, many: str) -> str:
    return f"{listed(names)} {one if len(names) == 1 else many}"


def packages(count: int) -> str:
    """Write a number of packages."""
    return f"{count} package{'' if count == 1 else 's'}"


def some(names: Sequence[str], most: int = _MOST_NAMES) -> str:
    """Write the first names and how many more there are."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
