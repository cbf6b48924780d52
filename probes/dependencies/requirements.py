"""Reads requirements files. The format is pip's.

https://pip.pypa.io/en/stable/reference/requirements-file-format/
"""

import codecs
import hashlib
import os
import re
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from probes.dependencies.commits import at_commit
from probes.dependencies.pins import Pin, Ranges, checked, content, exactly, names
from probes.outcome import CannotTell, Reason

_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")
_COMMIT = re.compile(r"@([0-9a-f]{40})(?:[#?]|$)")
_INCLUDES = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}
_EDITABLE = ("-e", "--editable")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # what a PowerShell redirection writes
_DIGESTS = {name: 2 * hashlib.new(name).digest_size for name in ("sha256", "sha384", "sha512")}  # pip's


def read_requirements(path: Path) -> list[Pin]:
    """Read a requirements file and those it includes.

    Raises:
        CannotTell: If a file cannot be opened, includes a URL or itself, is cut off, or holds a line that is
            no requirement.
    """
    return list(_requirements(path, _Way(constraint=False, above=()), set()))


class _Way(NamedTuple):
    """How a file came to be included: as what, and by which files."""

    constraint: bool
    above: tuple[Path, ...]


def _requirements(path: Path, way: _Way, seen: set[tuple[Path, bool]]) -> Iterator[Pin]:
    real = path.resolve()
    if (real, way.constraint) in seen:
        return
    seen.add((real, way.constraint))
    raw = content(path)
    encoding = "utf-16" if raw.startswith(_UTF16) else "utf-8-sig"
    text = checked(path.name, lambda: raw.decode(encoding))
    for number, line in checked(path.name, lambda: list(_lines(text))):
        where = f"{path.name}, line {number},"
        requirement, options = checked(where, partial(_split, line))
        if requirement:
            hashes = checked(where, partial(_hashes, options))
            yield read_requirement(requirement, where, constraint=way.constraint)._replace(hashes=hashes)
            continue
        for flag, value in options:
            if flag in _EDITABLE:
                yield read_requirement(value, where, constraint=way.constraint)
            elif flag in _INCLUDES:
                inner = _included(path, value, where)
                if inner.resolve() in (*way.above, real):
                    # uv passes it over; pip follows it until its recursion ends.
                    message = f"{where} leads back to {inner.name}, which pip cannot install."
                    raise CannotTell(Reason.CONFIG, message, f"Take that line out of {path.name}.")
                yield from _requirements(inner, _Way(_INCLUDES[flag], (*way.above, real)), seen)


def _included(path: Path, value: str, where: str) -> Path:
    if "://" in value:
        raise CannotTell(
            Reason.CONFIG, f"{where} includes a URL.", f"Keep a copy beside {path.name} and include that."
        )
    return path.parent / value


def _lines(text: str) -> Iterator[tuple[int, str]]:
    held, start = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            held += line.rstrip("\\")
            continue
        # The blank keeps a comment one when it follows a continuation.
        whole = _COMMENT.sub("", f"{held} {line}" if line.lstrip().startswith("#") else held + line).strip()
        if whole:
            yield start, _VARIABLE.sub(lambda match: os.environ.get(match[1]) or match[0], whole)
        held, start = "", number + 1
    if held:
        raise ValueError("it is cut off: its last line goes on")


def _split(line: str) -> tuple[str, list[tuple[str, str]]]:
    words = line.split()
    end = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    options = []
    rest = iter(shlex.split(" ".join(words[end:])))
    for word in rest:
        flag, _, value = word.partition("=") if word.startswith("--") else (word[:2], "", word[2:])
        if not value and (flag in _INCLUDES or flag in _EDITABLE or flag == "--hash"):
            value = next(rest, "")
        options.append((flag, value))
    return " ".join(words[:end]), options


def _hashes(options: list[tuple[str, str]]) -> frozenset[str]:
    hashes = frozenset(value for flag, value in options if flag == "--hash")
    for one in hashes:
        kind, _, digest = one.partition(":")
        if len(digest) != _DIGESTS.get(kind) or not re.fullmatch("[0-9a-f]+", digest):
            raise ValueError("a hash is cut off or none that pip knows")
    if any("--hash".startswith(flag) and flag != "--hash" for flag, _ in options):
        raise ValueError("a hash is cut off")
    return hashes


def read_requirement(text: str, where: str, *, constraint: bool) -> Pin:
    """Read one requirement, path or URL. A constraint binds the version without asking for the package."""
    extras: frozenset[str] = frozenset()
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        # A URL may itself hold a semicolon; only one with a blank behind it begins a marker.
        link, _, condition = text.partition("; " if "://" in text else ";")
        if not re.search(r"[/\\]|^\.|\.(whl|zip|tar\.gz)$", link.strip()):
            # The text itself stays unsaid: it may carry a password.
            message = f"{where} is not a requirement."
            raise CannotTell(Reason.CONFIG, message, "Correct that line, or take it out.") from None
        url: str | None = link.strip()
        name, allowed = _link(link.strip())
        marker = checked(where, lambda: Marker(condition)) if condition.strip() else None
    else:
        name, marker, url = canonicalize_name(requirement.name), requirement.marker, requirement.url
        allowed = _link(url)[1] if url else (requirement.specifier,)
        extras = names(requirement.extras)
    found = _COMMIT.search(url or "")
    return Pin(
        name,
        allowed,
        needed=not constraint,
        marker=marker,
        extras=extras,
        fixed=bool(found),
        commits=at_commit(url, found[1]) if url and found else {},
    )


def _link(link: str) -> tuple[str, Ranges]:
    file = unquote(re.split("[?#]", link)[0].rstrip("/").rpartition("/")[2])
    for parse in (parse_wheel_filename, parse_sdist_filename):
        try:
            name, version = parse(file)[:2]
        except ValueError:
            continue
        return canonicalize_name(name), exactly(str(version))
    egg = _EGG.search(link)
    return canonicalize_name(egg[1]) if egg else "", ()
