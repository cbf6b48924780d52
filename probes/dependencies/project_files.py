"""Reads the files of a project that ask for packages: pyproject.toml, requirements files and the lock."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from probes.dependencies.locks import LOCKS, read_lock
from probes.dependencies.pins import Ranges, Source, applying
from probes.dependencies.pyproject import read_pyproject
from probes.dependencies.requirements import read_requirements


class Project(NamedTuple):
    """What a folder says about itself.

    Attributes:
        name: The normalized name of its own package, if any.
        sources: Every file there that asks for packages.
        python: The Pythons that each file is meant for, by its label, where it says so.
    """

    name: str = ""
    sources: tuple[Source, ...] = ()
    python: dict[str, Ranges] = {}  # noqa: RUF012  # never written to


def read_project(folder: Path, requirements: Iterable[str] = (), lock: str = "") -> Project:
    """Read the files of a project.

    Args:
        folder: Where pyproject.toml and the others are.
        requirements: Requirements files, relative to the folder; none: requirements.txt, if it is there.
        lock: The lock file, relative to the folder; empty: the first of `LOCKS` that is there.

    Raises:
        CannotTell: If a file that is named is missing, or one that is there cannot be read.
    """
    name, sources = "", list[Source]()
    if (folder / "pyproject.toml").is_file():
        name, source = read_pyproject(folder / "pyproject.toml")
        sources.append(source)
    asked = sources[0].pins if sources else None
    given = [one for one in requirements if one]
    lock = lock or next((one for one in LOCKS if (folder / one).is_file()), "")
    given = given or ["requirements.txt"] * (folder / "requirements.txt").is_file()
    sources += [
        Source(one, full=False, pins=partial(applying, read_requirements(folder / one)))
        for one in given
        if one != lock
    ]
    if lock:
        sources.append(read_lock(folder / lock, lock, name, asked))
    return Project(name, tuple(sources), {source.label: source.python for source in sources if source.python})
