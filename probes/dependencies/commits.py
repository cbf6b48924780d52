"""Commits: what tells two states of a package apart that comes from a repository under one version."""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

import msgspec

Commits = Mapping[str, str]
"""Whole commit ids, each with the link that pip installs it from, such as "git+https://host/path@…"."""

_SHORT = 10  # digits; git itself shows 7 to 10, by the size of the repository


class _Vcs(msgspec.Struct):
    vcs: str
    commit_id: str


class _DirectUrl(msgspec.Struct):
    url: str
    vcs_info: _Vcs
    subdirectory: str = ""


def at_commit(url: str, commit: str, subdirectory: str = "", vcs: str = "git") -> Commits:
    """Return a commit with its link, in which what may be a password is masked: the link is shown.

    Args:
        url: The repository, also as a requirement or uv writes it, with a prefix, a query or a fragment.
        commit: The commit. There is none in the answer if this is a branch, a tag or a short id.
        subdirectory: Where in the repository the package is, unless the URL tells.
        vcs: The tool, unless the URL begins with it.
    """
    if not re.fullmatch("[0-9a-f]{40,64}", commit):
        return {}
    base = re.split("[?#]", url)[0].removesuffix(f"@{commit}")
    base = re.sub(r"^([\w.-]+@[^/:]+):", r"ssh://\1/", base)
    base = re.sub("(?<=://)(?!git@)[^/]*@", "***@", base)
    told = re.search("[?#&]subdirectory=([^&#]+)", url)
    inner = unquote(told[1]) if told else subdirectory
    prefix = "" if re.match(r"[a-z]+\+", base) else f"{vcs}+"
    return {commit: f"{prefix}{base}@{commit}" + (f"#subdirectory={inner}" if inner else "")}


def installed_commit(direct_url: str) -> Commits:
    """Return the commit that an installed package was made from, by its direct_url.json (PEP 610).

    A wheel that was built elsewhere has no such file, and one from a folder or an archive no commit.
    """
    try:
        origin = msgspec.json.decode(direct_url, type=_DirectUrl)
    except msgspec.DecodeError:
        return {}
    return at_commit(origin.url, origin.vcs_info.commit_id, origin.subdirectory, origin.vcs_info.vcs)


def other_commit(one: Iterable[str], two: Iterable[str]) -> bool:
    """Tell whether both sides know commits and have none in common."""
    mine, yours = {*one}, {*two}
    return bool(mine and yours) and mine.isdisjoint(yours)


def with_commits(version: str, commits: Iterable[str]) -> str:
    """Write a version, if there is one, and the commits that it is of."""
    some = " or ".join(f"commit {one[:_SHORT]}" for one in commits)
    return " at ".join(filter(None, [version, some]))
