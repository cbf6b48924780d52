"""What a file asks of the packages of an environment, and the reader of requirements files.

The `dependencies` probe imports this when it runs, not before: `packaging` is slow to import.
"""

import codecs
import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial, reduce
from operator import and_
from pathlib import Path
from typing import NamedTuple, TypeVar
from urllib.parse import unquote

from packaging.markers import Marker, default_environment
from packaging.pylock import PylockValidationError
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from probes.outcome import CannotTell, Reason

Markers = Mapping[str, str]
"""The marker fields of PEP 508 with their values in the environment that is looked at."""

T = TypeVar("T")


class Pin(NamedTuple):
    """One entry of a file.

    Attributes:
        name: The normalized name of the package; empty for a path or URL that does not tell.
        specifier: The versions allowed; None for a path or URL, whose version is not stated.
        needed: Whether the package must be installed. If not, the entry only binds its version.
        marker: Where the entry counts; None for everywhere.
    """

    name: str
    specifier: SpecifierSet | None
    needed: bool = True
    marker: Marker | None = None


class Wanted(NamedTuple):
    """What one file asks of one package in one environment.

    Attributes:
        allowed: Alternative sets of versions; none at all stands for any version.
        needed: Whether the package must be installed.
    """

    allowed: tuple[SpecifierSet, ...]
    needed: bool

    def __str__(self) -> str:
        """Write an exact version bare, as a lock shows it, and a range as it stands."""
        return " or ".join(
            self.exact or [str(one) or "any version" for one in self.allowed] or ["unversioned"]
        )

    @property
    def exact(self) -> list[str]:
        """The versions allowed, if the file names them exactly; otherwise none."""
        parts = [part for one in self.allowed for part in one if part.operator in ("==", "===")]
        if len(parts) < len(self.allowed) or any(part.version.endswith(".*") for part in parts):
            return []
        return list(dict.fromkeys(part.version for part in parts))

    def accepts(self, version: str) -> bool:
        """Tell whether this version is what the file asks for."""
        return not self.allowed or any(one.contains(version, prereleases=True) for one in self.allowed)


class Source(NamedTuple):
    """A file that asks for packages.

    Attributes:
        label: The file's path as the operator knows it.
        full: Whether it is a lock: a complete list, in which a repeated name gives an alternative. In any
            other file a repeated name narrows the versions.
        pins: Its entries that count under the given marker values.
    """

    label: str
    full: bool
    pins: Callable[[Markers], Iterable[Pin]]

    def select(self, markers: Markers) -> dict[str, Wanted]:
        """Return what the file asks for in an environment, by normalized package name."""
        groups: dict[str, list[Pin]] = {}
        for pin in checked(self.label, lambda: list(self.pins(markers))):
            if pin.name:
                groups.setdefault(pin.name, []).append(pin)
        wanted = {}
        for name, group in groups.items():
            sets = [pin.specifier for pin in group if pin.specifier is not None]
            allowed = dict.fromkeys(sets if self.full or not sets else [reduce(and_, sets)])
            wanted[name] = Wanted(tuple(allowed), any(pin.needed for pin in group))
        return wanted


def own_markers() -> Markers:
    """Return the marker values of the Python that runs this."""
    return {key: str(value) for key, value in default_environment().items()}


def distinct(versions: Iterable[str]) -> list[str]:
    """Return the versions without repetition: `7.2` and `7.2.0` are one."""
    kept: dict[Version | str, str] = {}
    for version in versions:
        try:
            kept.setdefault(Version(version), version)
        except InvalidVersion:
            kept.setdefault(version, version)
    return list(kept.values())


def checked(label: str, work: Callable[[], T]) -> T:
    """Do a piece of reading; turn its complaint into a doubt that names the file."""
    try:
        return work()
    except (ValueError, PylockValidationError) as error:
        # Every error of tomllib, msgspec and packaging is a ValueError but this one.
        doubt = str(error).partition("\n")[0]
        raise CannotTell(
            Reason.CONFIG, f"{label} cannot be read: {doubt}. Correct it or write it anew."
        ) from error


def content(path: Path) -> bytes:
    """Read a file, or say why it cannot be read."""
    try:
        return path.read_bytes()
    except PermissionError as error:
        raise CannotTell(Reason.FORBIDDEN, f"{path} may not be read: allow it to this user.") from error
    except OSError as error:
        raise CannotTell(
            Reason.MISSING, f"{path} cannot be opened ({error.strerror}): check its path."
        ) from error


def holds(marker: Marker | str | None, markers: Markers) -> bool:
    """Tell whether a marker, or none, is true in an environment in which no extra is asked for."""
    if isinstance(marker, str):
        marker = Marker(marker) if marker else None
    return marker is None or marker.evaluate({**markers, "extra": ""})


def applying(pins: Iterable[Pin], markers: Markers) -> Iterator[Pin]:
    """Return the pins whose markers are true in an environment."""
    return (pin for pin in pins if holds(pin.marker, markers))


def exact(version: str) -> SpecifierSet | None:
    """Return the set of this one version; None if there is no version."""
    return SpecifierSet(f"=={version}") if version else None


# Requirements files: the format is pip's, https://pip.pypa.io/en/stable/reference/requirements-file-format/

_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
_INCLUDES = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}
_EDITABLE = ("-e", "--editable")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # what a PowerShell redirection writes


def read_requirements(path: Path) -> list[Pin]:
    """Read a requirements file and those it includes.

    Raises:
        CannotTell: If a file cannot be opened, includes a URL or holds a line that is no requirement.
    """
    return list(_requirements(path, constraint=False, seen=set()))


def _requirements(path: Path, *, constraint: bool, seen: set[tuple[Path, bool]]) -> Iterator[Pin]:
    key = (path.resolve(), constraint)
    if key in seen:
        return
    seen.add(key)
    raw = content(path)
    encoding = "utf-16" if raw.startswith(_UTF16) else "utf-8-sig"
    for number, line in _lines(checked(path.name, lambda: raw.decode(encoding))):
        where = f"{path.name}, line {number},"
        text, options = checked(where, partial(_split, line))
        if text:
            yield read_requirement(text, where, constraint=constraint)
            continue
        for flag, value in options:
            if flag in _EDITABLE:
                yield read_requirement(value, where, constraint=constraint)
            elif flag in _INCLUDES:
                if "://" in value:
                    raise CannotTell(Reason.CONFIG, f"{where} includes a URL: keep a copy beside it instead.")
                yield from _requirements(path.parent / value, constraint=_INCLUDES[flag], seen=seen)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    held, start = "", 1
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            held += line.rstrip("\\")
            continue
        # The blank keeps a comment one when it follows a continuation.
        whole = _COMMENT.sub("", f"{held} {line}" if line.lstrip().startswith("#") else held + line).strip()
        if whole:
            yield start, _VARIABLE.sub(lambda match: os.environ.get(match[1]) or match[0], whole)
        held, start = "", number + 1


def _split(line: str) -> tuple[str, list[tuple[str, str]]]:
    words = line.split()
    end = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    options = []
    rest = iter(shlex.split(" ".join(words[end:])))
    for word in rest:
        flag, _, value = word.partition("=") if word.startswith("--") else (word[:2], "", word[2:])
        if not value and (flag in _INCLUDES or flag in _EDITABLE):
            value = next(rest, "")
        options.append((flag, value))
    return " ".join(words[:end]), options


def read_requirement(text: str, where: str, *, constraint: bool) -> Pin:
    """Read one requirement, path or URL. A constraint binds the version without asking for the package."""
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        # A URL may itself hold a semicolon; only one with a blank behind it begins a marker.
        link, _, condition = text.partition("; " if "://" in text else ";")
        if not re.search(r"[/\\]|^\.|\.(whl|zip|tar\.gz)$", link.strip()):
            # The text itself stays unsaid: it may carry a password.
            message = f"{where} is not a requirement: correct it."
            raise CannotTell(Reason.CONFIG, message) from None
        name, specifier = _link(link.strip())
        marker = checked(where, lambda: Marker(condition)) if condition.strip() else None
    else:
        name, marker = canonicalize_name(requirement.name), requirement.marker
        specifier = _link(requirement.url)[1] if requirement.url else requirement.specifier
    return Pin(name, specifier, needed=not constraint, marker=marker)


def _link(link: str) -> tuple[str, SpecifierSet | None]:
    file = unquote(re.split("[?#]", link)[0].rstrip("/").rpartition("/")[2])
    for parse in (parse_wheel_filename, parse_sdist_filename):
        try:
            name, version = parse(file)[:2]
        except ValueError:
            continue
        return canonicalize_name(name), exact(str(version))
    egg = _EGG.search(link)
    return canonicalize_name(egg[1]) if egg else "", None
