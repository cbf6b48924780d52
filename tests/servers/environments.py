"""Python environments to compare: two real ones from `.parts`, and folders with the metadata of packages."""

import shutil
from pathlib import Path

_REPOSITORY = Path(__file__).parents[2]

OLD, NEW = (str(_REPOSITORY / ".parts" / part / "bin" / "python") for part in ("psutil-old", "psutil-new"))
"""Pythons of environments that hold psutil 5.9.5 and psutil 7.2.2."""

OLD_LOCK, NEW_LOCK = (_REPOSITORY / "tests" / "servers" / f"psutil-{part}.lock" for part in ("old", "new"))
"""What these environments were installed from, as pip-compile wrote it."""

LOCKS = _REPOSITORY / "tests" / "probes" / "data" / "dependencies"
"""A lock of each kind, with psutil 5.9.5; `extras` has some with psutil 7.2.2, extras and groups."""


def packages_of(python: str) -> Path:
    """Return the site-packages folder of an environment."""
    return next(Path(python).parents[1].glob("lib/python*/site-packages"))


def install(name: str, version: str, folder: Path, *lines: str) -> Path:
    """Put what an installer leaves of a package into a folder: its metadata, with further lines."""
    metadata = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    metadata.mkdir(parents=True)
    text = "\n".join(["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *lines, ""])
    (metadata / "METADATA").write_text(text)
    return folder


def site(folder: Path, **versions: str) -> str:
    """Make a site-packages folder of packages with these versions."""
    for name, version in versions.items():
        install(name, version, folder)
    return str(folder)


def copy_psutil(python: str, folder: Path) -> Path:
    """Copy the metadata of psutil out of an environment."""
    for metadata in packages_of(python).glob("psutil-*.dist-info"):
        shutil.copytree(metadata, folder / metadata.name)
    return folder


def write(folder: Path, **files: str) -> str:
    """Write files whose names have `_` for the dot; return the folder as a parameter."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)
    return str(folder)
