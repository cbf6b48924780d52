"""What a file asks of the packages of an environment.

The `dependencies` probe imports this when it runs, not before: `packaging` is slow to import.
"""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import product
from operator import and_
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
from packaging.markers import Marker, default_environment
from packaging.pylock import PylockValidationError
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from probes.dependencies.commits import Commits, other_commit, with_commits
from probes.outcome import CannotTell, Reason

Markers = Mapping[str, str]
"""The marker fields of PEP 508 with their values in the environment that is looked at."""

Ranges = tuple[SpecifierSet, ...]
"""Alternative sets of versions; none at all where no version is stated."""

T = TypeVar("T")

ANY: Ranges = (SpecifierSet(),)


class Target(NamedTuple):
    """What a file is read for.

    Attributes:
        markers: The marker values of the environment.
        extras: The normalized names of the project's extras that belong there.
        groups: The normalized names of the dependency groups that belong there.
    """

    markers: Markers
    extras: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()


class Pin(NamedTuple):
    """One entry of a file.

    Attributes:
        name: The normalized name of the package; empty for a path or URL that does not tell.
        allowed: The versions allowed; none for a path or URL, whose version is not stated.
        needed: Whether the package must be installed. If not, the entry only binds its version.
        marker: Where the entry counts; None for everywhere.
        extras: The extras of the package that are asked for.
        hashes: The digests of the files that may be installed, as "sha256:...".
        fixed: Whether the entry means one state of the package even if it states no version: a commit.
        commits: The commit that is to be installed; none where it comes from no repository.
    """

    name: str
    allowed: Ranges = ANY
    needed: bool = True
    marker: Marker | None = None
    extras: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    fixed: bool = False
    commits: Commits = {}  # noqa: RUF012  # never written to


class Wanted(NamedTuple):
    """What one file asks of one package in one environment.

    Attributes:
        allowed: Alternative sets of versions; none at all stands for any version.
        needed: Whether the package must be installed.
        extras: As in `Pin`.
        hashes: As in `Pin`.
        fixed: As in `Pin`.
        commits: The commits that may be installed; none where any may.
        derived: Whether not the file but an extra of an installed package asks for it.
    """

    allowed: Ranges
    needed: bool = True
    extras: frozenset[str] = frozenset()
    hashes: frozenset[str] = frozenset()
    fixed: bool = False
    commits: Commits = {}  # noqa: RUF012  # never written to
    derived: bool = False

    def __str__(self) -> str:
        """Write an exact version bare, as a lock shows it, and a range as it stands."""
        versions = self.exact or [str(one) or "any version" for one in self.allowed]
        return with_commits(" or ".join(versions), self.commits) or "unversioned"

    @property
    def exact(self) -> list[str]:
        """The versions allowed, if the file names them exactly; otherwise none."""
        versions = [_only(one) for one in self.allowed]
        return [*dict.fromkeys(filter(None, versions))] if all(versions) else []

    @property
    def pinned(self) -> bool:
        """Whether the file means one state of the package."""
        return self.fixed or bool(self.exact)

    def accepts(self, version: str, commits: Iterable[str] = ()) -> bool:
        """Tell whether this version is what the file asks for, by the rules of PEP 440, and this commit.

        Where either side knows no commit, the version alone decides.
        """
        if other_commit(self.commits, commits):
            return False
        return not self.allowed or any(one.contains(version, prereleases=True) for one in self.allowed)


def _only(versions: SpecifierSet) -> str:
    exact = [one.version for one in versions if one.operator in ("==", "===")]
    return next((version for version in exact if not version.endswith(".*")), "")


class Source(NamedTuple):
    """A file that asks for packages.

    Attributes:
        label: The file's path as the operator knows it.
        full: Whether it is a lock: a complete list, in which a repeated name gives an alternative. In any
            other file a repeated name narrows the versions.
        pins: Its entries that count for a target.
        extras: The normalized names of the project's extras that it knows.
        groups: The normalized names of the dependency groups that it knows.
        python: The Pythons it is meant for; none where it does not say.
    """

    label: str
    full: bool
    pins: Callable[[Target], Iterable[Pin]]
    extras: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    python: Ranges = ()

    def select(self, target: Target) -> dict[str, Wanted]:
        """Return what the file asks for in an environment, by normalized package name."""
        return joined(checked(self.label, lambda: list(self.pins(target))), full=self.full)


def joined(pins: Iterable[Pin], *, full: bool) -> dict[str, Wanted]:
    """Join the entries of each package; see `Source.full`."""
    groups: dict[str, list[Pin]] = {}
    for pin in pins:
        if pin.name:
            groups.setdefault(pin.name, []).append(pin)
    wanted = {}
    for name, group in groups.items():
        # What a lock holds for an extra that is not expected is no alternative to what is.
        counting = [pin for pin in group if pin.needed] if full else group
        sets = [pin.allowed for pin in counting or group if pin.allowed]
        if full:
            allowed = dict.fromkeys(one for alternatives in sets for one in alternatives)
        else:
            allowed = dict.fromkeys(reduce(and_, choice) for choice in product(*sets) if choice)
        commits = {commit: link for pin in counting or group for commit, link in pin.commits.items()}
        wanted[name] = Wanted(
            tuple(allowed),
            any(pin.needed for pin in group),
            frozenset().union(*(pin.extras for pin in group)),
            frozenset().union(*(pin.hashes for pin in group)),
            any(pin.fixed for pin in group),
            # Where one alternative of a lock comes from no repository, no commit is wrong.
            {} if full and not all(pin.commits for pin in counting or group) else commits,
        )
    return wanted


def with_extras(
    wanted: Mapping[str, Wanted], requires: Mapping[str, Sequence[str]], markers: Markers
) -> dict[str, Wanted]:
    """Add what the extras asked for need, as the installed packages themselves tell it.

    Args:
        wanted: What a file asks for.
        requires: The requirements of each installed package that belong to one of its extras.
        markers: The marker values of the environment.
    """
    full = dict(wanted)
    waiting = [(name, extra) for name, one in wanted.items() for extra in one.extras]
    seen = set()
    while waiting:
        package, extra = waiting.pop()
        if (package, extra) in seen:
            continue
        seen.add((package, extra))
        for text in requires.get(package, ()):
            try:
                one = Requirement(text)
            except ValueError:
                continue  # old metadata holds much that is none, and the installer passed it over too
            if not holds(one.marker, markers, [extra]):
                continue
            name = canonicalize_name(one.name)
            waiting += [(name, canonicalize_name(more)) for more in one.extras]
            before = full.get(name, Wanted((one.specifier,), derived=True))
            narrowed = dict.fromkeys(each & one.specifier for each in before.allowed)
            full[name] = before._replace(allowed=tuple(narrowed), needed=True)
    return full


def own_markers() -> Markers:
    """Return the marker values of the Python that runs this."""
    return {key: str(value) for key, value in default_environment().items()}


def distinct(versions: Iterable[str]) -> list[str]:
    """Return the versions without repetition, the lowest first: `7.2` and `7.2.0` are one."""
    kept: dict[Version | str, str] = {}
    for version in versions:
        kept.setdefault(_key(version), version)
    return [kept[key] for key in sorted(kept, key=lambda key: (isinstance(key, Version), key))]


def local_build(version: str, exact: Iterable[str]) -> bool:
    """Tell whether a version is a local build, such as 7.2.2+cu1, of none but other exact versions."""
    key = _key(version)
    others = [_key(one) for one in exact]
    return isinstance(key, Version) and bool(key.local) and bool(others) and key not in others


def _key(version: str) -> Version | str:
    try:
        return Version(version)
    except InvalidVersion:
        return version


def checked(label: str, work: Callable[[], T]) -> T:
    """Do a piece of reading; turn its complaint into a doubt that names the file."""
    try:
        return work()
    except ExceptionGroup as error:  # packaging's, for dependency groups
        raise _doubt(label, error.exceptions[0]) from error
    except (ValueError, PylockValidationError) as error:
        # Every other error of tomllib, msgspec and packaging is a ValueError.
        raise _doubt(label, error) from error


def _doubt(label: str, error: Exception) -> CannotTell:
    found = str(error).partition("\n")[0].rstrip(".")
    return CannotTell(
        Reason.CONFIG,
        f"{label} cannot be read: {found}.",
        f"Correct {label}, write it anew with its tool, or take it from version control again.",
    )


def content(path: Path) -> bytes:
    """Read a file, or say why it cannot be read."""
    try:
        return path.read_bytes()
    except PermissionError as error:
        hint = f"Allow this user to read it: chmod +r {path}."
        raise CannotTell(Reason.FORBIDDEN, f"{path} may not be read.", hint) from error
    except OSError as error:
        message = f"{path} cannot be opened: {error.strerror}."
        raise CannotTell(Reason.MISSING, message, "Put the file there, or correct its path.") from error


def read_toml(path: Path, label: str, kind: type[T]) -> T:
    """Read a file.

    Raises:
        CannotTell: If it cannot be opened, is no TOML or does not fit the struct.
    """
    raw = content(path)
    return checked(label, lambda: msgspec.convert(tomllib.loads(raw.decode()), kind))


def holds(marker: Marker | str | None, markers: Markers, extras: Iterable[str] = ()) -> bool:
    """Tell whether a marker, or none, is true in an environment, for one of the extras or without any."""
    if isinstance(marker, str):
        marker = Marker(marker) if marker else None
    return marker is None or any(marker.evaluate({**markers, "extra": extra}) for extra in ["", *extras])


def applying(pins: Iterable[Pin], target: Target) -> Iterator[Pin]:
    """Return the pins whose markers are true for a target."""
    return (pin for pin in pins if holds(pin.marker, target.markers))


def exactly(version: str) -> Ranges:
    """Return the set of this one version; none if there is no version."""
    return (SpecifierSet(f"=={version}"),) if version else ()


def names(given: Iterable[str]) -> frozenset[str]:
    """Return names in their one spelling."""
    return frozenset(canonicalize_name(one) for one in given)
