"""The states of the dependencies probe: real environments, and files as their tools write them."""

import json
import re
import shutil
import socket
import sys
import venv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from tests.servers.environments import LOCKS, NEW, NEW_LOCK, OLD, OLD_LOCK, copy_psutil, install, site, write
from tests.truth.table import row

dependencies = partial(row, "dependencies")
Given = dict[str, Any]
CRITICAL = {"critical": ["psutil"]}


def state(name: str, expected: str, make: Callable[[Path], Given]) -> None:
    """Add a row whose state is only files: nothing has to be ended."""

    @dependencies(name, expected)
    def made(folder: Path) -> Iterator[Given]:
        yield make(folder)


def files(given: Given, **texts: str) -> Callable[[Path], Given]:
    """Return what makes a project of these files."""
    return lambda folder: {"project": write(folder / "project", **texts), **given}


PYPROJECT = '[project]\nname = "demo"\ndependencies = ["psutil{}"]\n'


def other_hashes(lock: str) -> str:
    """Return a lock with each hash changed in its first digit."""
    return re.sub("(?<=sha256:).", lambda digit: f"{15 - int(digit[0], 16):x}", lock)


# Two environments


def environments(development: Any, production: Any, **given: Any) -> Given:
    return {"project": "", "environments": {"development": development, "production": production}, **given}


@dependencies("equal", "pass")
def equal(folder: Path) -> Iterator[Given]:
    shutil.copy(OLD_LOCK, folder / "requirements.lock")
    yield {**environments(OLD, OLD, **CRITICAL), "project": "."}


@dependencies("equal, no project asked for", "pass")
def equal_alone(folder: Path) -> Iterator[Given]:  # noqa: ARG001  # the state is the same everywhere
    yield environments(OLD, OLD, **CRITICAL)


for is_critical in (True, False):
    name = "critical" if is_critical else "other"
    verdict = "fail" if is_critical else "warn"
    more = CRITICAL if is_critical else {}
    against = f"{verdict} package psutil"

    state(
        f"psutil 5.9.5 against 7.2.2, {name}",
        against,
        lambda _, more=more: environments(OLD, NEW, **more),
    )
    state(
        f"psutil of one Python by another's folder, {name}",
        against,
        lambda folder, more=more: environments(OLD, str(copy_psutil(NEW, folder / "site")), **more),
    )
    state(
        f"lock newer than environment, {name}",
        against,
        files({"environments": {"production": OLD}, **more}, requirements_lock=NEW_LOCK.read_text()),
    )
    state(
        f"lock older than environment, {name}",
        against,
        files({"environments": {"production": NEW}, **more}, requirements_lock=OLD_LOCK.read_text()),
    )
    state(
        f"requirements and lock differ, {name}",
        against,
        files(
            {"environments": {"production": NEW}, **more},
            requirements_txt="psutil==5.9.5\n",
            requirements_lock=NEW_LOCK.read_text(),
        ),
    )
    state(
        f"requirements and lock differ, no environment, {name}",
        against,
        files(more, requirements_txt="psutil==5.9.5\n", requirements_lock=NEW_LOCK.read_text()),
    )
    state(
        f"not installed, {name}",
        against,
        lambda folder, more=more: {
            "project": write(folder, requirements_lock=OLD_LOCK.read_text()),
            "environments": {"production": site(folder / "site", redis="5.0.1")},
            **more,
        },
    )
    state(
        f"duplicate dist-info, {name}",
        against,
        lambda folder, more=more: environments(
            OLD, str(copy_psutil(NEW, copy_psutil(OLD, folder / "site"))), **more
        ),
    )
    state(
        f"local version, {name}",
        against,
        lambda folder, more=more: {
            "project": write(folder, requirements_lock=NEW_LOCK.read_text()),
            "environments": {"production": site(folder / "site", psutil="7.2.2+patched1")},
            **more,
        },
    )
    state(
        f"hash-only change between requirements and lock, {name}",
        against,
        files(
            {"environments": {"production": NEW}, **more},
            requirements_txt=other_hashes(NEW_LOCK.read_text()),
            requirements_lock=NEW_LOCK.read_text(),
        ),
    )
    state(
        f"unpinned, {name}",
        "warn package psutil" if is_critical else "warn unpinned",
        files({"environments": {"production": OLD}, **more}, requirements_txt="psutil>=5\n"),
    )

state(
    "one environment has more, no lock tells why",
    "warn only in development",
    lambda folder: environments(
        site(folder / "one", psutil="5.9.5", flask="3.0.0"), site(folder / "two", psutil="5.9.5")
    ),
)
state(
    "local version on both sides and in the lock",
    "pass",
    lambda folder: {
        "project": write(
            folder, requirements_lock="psutil==7.2.2+patched1\n", requirements_txt="psutil==7.2.2"
        ),
        "environments": {"production": site(folder / "site", psutil="7.2.2+patched1")},
        **CRITICAL,
    },
)
state(
    "lock has the hashes of fewer files than requirements",
    "pass",
    files(
        {"environments": {"production": NEW}, **CRITICAL},
        requirements_txt=NEW_LOCK.read_text(),
        requirements_lock="\n".join(NEW_LOCK.read_text().splitlines()[:2]).rstrip("\\ "),
    ),
)
state(
    "critical package nowhere",
    "unknown config; unknown package psuitl",
    lambda folder: environments(OLD, OLD, critical=["psuitl"]),  # noqa: ARG005  # as above
)

# Locks of every kind

for lock in ("pylock.toml", "uv.lock", "poetry.lock", "Pipfile.lock", "requirements.lock"):

    def locked(folder: Path, lock: str = lock, python: str = OLD, cut: float = 1) -> Given:
        text = (LOCKS / lock).read_text()
        (folder / lock).write_text(text[: int(len(text) * cut)])
        return {"environments": {"production": python}, **CRITICAL}

    state(f"{lock}, healthy", "pass", locked)
    state(f"{lock}, stale", "fail package psutil", partial(locked, python=NEW))
    state(f"{lock}, cut in the middle", "unknown config", partial(locked, cut=0.6))
    state(
        f"{lock}, cut to nothing",
        # Nothing is asked for is what an empty requirements file says; no other lock is ever empty.
        "warn pins" if lock == "requirements.lock" else "unknown config",
        lambda folder, locked=locked: {**locked(folder, cut=0), "critical": []},
    )
    state(
        f"{lock}, a package of a development group of another version",
        "pass" if lock == "requirements.lock" else "warn package redis",
        lambda folder, locked=locked: {
            **locked(folder),
            "environments": {"production": str(install("redis", "4.0", copy_psutil(OLD, folder / "site")))},
        },
    )

# Extras and groups

LOCKED = {"psutil": "7.2.2"}
WEB = {"urllib3": "2.8.0"}
DEV = {"click": "8.5.1", "pluggy": "1.7.0"}


def grouped(folder: Path, lock: str, packages: dict[str, str], given: Given) -> Given:
    for name in ("pyproject.toml", lock):
        shutil.copy(LOCKS / "extras" / name, folder)
    return {"environments": {"production": site(folder / "site", **packages)}, **given}


for name, expected, packages, given in (
    ("neither extras nor groups expected", "pass", LOCKED, {}),
    ("extra expected and there", "pass", LOCKED | WEB, {"extras": ["web"]}),
    ("extra expected and missing", "warn package urllib3", LOCKED, {"extras": ["web"]}),
    ("group expected and there", "pass", LOCKED | DEV, {"groups": {"production": ["dev"]}}),
    ("group expected and missing", "warn package click, package pluggy", LOCKED, {"groups": ["dev"]}),
    ("extra not expected, other version", "warn package urllib3", LOCKED | {"urllib3": "1.26"}, {}),
):
    for lock in ("uv.lock", "pylock.toml", "poetry.lock"):
        state(f"{lock}: {name}", expected, partial(grouped, lock=lock, packages=packages, given=given))
for name, expected, packages, given in (
    ("extra of extras expected and missing", "warn package urllib3", LOCKED, {"extras": ["all"]}),
    ("group that a group includes, missing", "warn package click", LOCKED, {"groups": ["lint"]}),
    ("extra that no file knows", "unknown config", LOCKED, {"extras": ["wbe"]}),
    ("group that no file knows", "unknown config", LOCKED, {"groups": ["dve"]}),
    ("group of an unknown environment", "unknown config", LOCKED, {"groups": {"staging": ["dev"]}}),
    ("more than the lock, which may be", "pass", LOCKED | {"flask": "3.0"}, {}),
    ("more than the lock", "warn extra in production", LOCKED | {"flask": "3.0"}, {"exact": ["production"]}),
    ("no more than the lock", "pass", LOCKED, {"exact": ["production"]}),
):
    state(name, expected, partial(grouped, lock="uv.lock", packages=packages, given=given))

GROUPED = """
[project]
name = "demo"
dependencies = ["psutil==7.2.2"]
[project.optional-dependencies]
web = ["urllib3>=2,<3"]
gpu = ["urllib3>=3"]
all = ["demo[web]"]
[dependency-groups]
lint = ["click==8.5.1"]
dev = ["pluggy==1.7.0", {include-group = "lint"}]
"""
for name, expected, packages, given in (
    ("neither extras nor groups expected", "pass", LOCKED | {"urllib3": "1.26"}, {}),
    ("extra in range but unpinned", "warn unpinned", LOCKED | WEB, {"extras": ["all"]}),
    ("extra missing", "warn package urllib3, unpinned", LOCKED, {"extras": ["web"]}),
    (
        "extra out of range",
        "warn package urllib3, unpinned",
        LOCKED | {"urllib3": "1.26"},
        {"extras": ["web"]},
    ),
    ("extras that exclude each other, one expected", "warn unpinned", LOCKED | WEB, {"extras": ["web"]}),
    ("group and the one it includes", "pass", LOCKED | DEV, {"groups": ["dev"]}),
    (
        "group and the one it includes, missing",
        "warn package click, package pluggy",
        LOCKED,
        {"groups": ["dev"]},
    ),
    ("exact without a lock", "unknown config", LOCKED, {"exact": ["production"]}),
):
    state(
        f"pyproject.toml: {name}",
        expected,
        lambda folder, packages=packages, given=given: {
            "project": write(folder, pyproject_toml=GROUPED),
            "environments": {"production": site(folder / "site", **packages)},
            **given,
        },
    )

state(
    "group that includes itself",
    "unknown config",
    files(
        {"environments": {"production": OLD}},
        pyproject_toml='[dependency-groups]\na = [{include-group = "b"}]\nb = [{include-group = "a"}]\n',
    ),
)
FAST = (
    "Provides-Extra: fast",
    "Requires-Dist: loop>=2; extra == 'fast'",
    "Requires-Dist: slow; extra == 'slow'",
)
for name, expected, packages in (
    ("there", "pass", {"loop": "2.1"}),
    ("missing", "warn package loop", {}),
    ("too old", "warn package loop", {"loop": "1.0"}),
):
    state(
        f"extra of a requirement: what it needs is {name}",
        expected,
        lambda folder, packages=packages: {
            "project": write(folder, requirements_txt="web[fast]==1.0\n"),
            "environments": {
                "production": str(install("web", "1.0", Path(site(folder / "site", **packages)), *FAST))
            },
        },
    )

# Poetry's ranges

POETRY = (
    '[tool.poetry]\nname = "demo"\n[tool.poetry.dependencies]\npython = "{python}"\nnumbers = {numbers}\n'
)
for text, inside, outside in (
    ('"^1.2"', "1.9", "2.0"),
    ('"^0.2.3"', "0.2.9", "0.3.0"),
    ('"^0.0.3"', "0.0.3", "0.0.4"),
    ('"~1.2"', "1.2.9", "1.3"),
    ('"~1"', "1.9", "2.0"),
    ('"1.*"', "1.9", "2.0"),
    ('"^1.2 || ^3.4"', "3.9", "2.0"),
    ('">=1.2,<2.0 | ==3.0"', "3.0", "3.1"),
    ('">= 1.2, !=1.5"', "1.6", "1.5"),
    ('{version = "^1.2", optional = true}', "1.3", "2.0"),
    ('[{version = "^1", python = "<3.10"}, {version = "^2", python = ">=3.10"}]', "2.4", "1.4"),
    ('[{version = "^1", platform = "win32"}, {version = "^2", markers = "os_name != \'nt\'"}]', "2.4", "1.4"),
):
    for version, expected in ((inside, "pass"), (outside, "warn package numbers")):
        state(
            f"poetry: {text} and {version}",
            expected,
            lambda folder, text=text, version=version: {
                "project": write(
                    folder,
                    pyproject_toml=POETRY.format(python="^3.8", numbers=text),
                    # A lock that says the same keeps the range from being a matter of its own.
                    requirements_lock=f"numbers=={version}\n",
                ),
                "environments": {
                    "production": site(folder / "lib" / "python3.12" / "site-packages", numbers=version)
                },
            },
        )

POETRY_GROUPS = """
[tool.poetry]
name = "demo"
[tool.poetry.group.test.dependencies]
pytest = "8.0"
[tool.poetry.group.dev]
include-groups = ["test"]
[tool.poetry.group.dev.dependencies]
ruff = "0.17.6"
"""
for packages, groups, expected in (
    ({"unrelated": "1.0", "pytest": "8.0", "ruff": "0.17.6"}, ["dev"], "pass"),
    ({"unrelated": "1.0"}, ["dev"], "warn package pytest, package ruff"),
    ({"unrelated": "1.0", "pytest": "8.0"}, ["test"], "pass"),
):
    state(
        f"poetry: group {groups[0]} where {' and '.join(packages)} are",
        expected,
        lambda folder, packages=packages, groups=groups: {
            "project": write(folder, pyproject_toml=POETRY_GROUPS),
            "environments": {"production": site(folder / "site", **packages)},
            "groups": groups,
        },
    )

# Markers and Pythons

MARKED = "psutil==5.9.5\ntomli==2.0.1; python_version < '3.10'\ncolorama==0.4.6; sys_platform == 'win32'\n"
for python, expected in (("3.12", "pass"), ("3.9", "warn package tomli")):
    state(
        f"marker that excludes a package from Python 3.10 on, for Python {python}",
        expected,
        lambda folder, python=python: {
            "project": write(folder, requirements_txt=MARKED),
            "environments": {
                "production": str(copy_psutil(OLD, folder / "lib" / f"python{python}" / "site-packages"))
            },
        },
    )
state(
    "marker excluded",
    "pass",
    files({"environments": {"production": OLD}, **CRITICAL}, requirements_txt=MARKED),
)

PYTHON = '[project]\nname = "demo"\nrequires-python = "{}"\n'
POETRY_PYTHON = '[tool.poetry]\nname = "demo"\n[tool.poetry.dependencies]\npython = "{}"\n'
for name, text, expected in (
    ("met", PYTHON.format(">=3.8"), "pass"),
    ("met by its latest patch", PYTHON.format(">=3.12.4"), "pass"),
    ("not met", PYTHON.format(">=3.13"), "warn environment production"),
    ("of poetry met", POETRY_PYTHON.format("^3.8 || ^4"), "pass"),
    ("of poetry not met", POETRY_PYTHON.format("~3.11"), "warn environment production"),
):
    state(
        f"requires-python {name}",
        expected,
        lambda folder, text=text: {
            "project": write(folder, pyproject_toml=text, requirements_lock="numbers==1.0\n"),
            "environments": {
                "production": site(folder / "lib" / "python3.12" / "site-packages", numbers="1.0")
            },
        },
    )
state(
    "requires-python not met by a real Python",
    "warn environment production",
    files(
        {"environments": {"production": OLD}, **CRITICAL},
        pyproject_toml=PYTHON.format(">=3.99"),
        requirements_lock=OLD_LOCK.read_text(),
    ),
)
state(
    "lock made for another Python",
    "warn environment production",
    lambda folder: {
        "project": write(folder, uv_lock=(LOCKS / "uv.lock").read_text().replace(">=3.11", ">=3.13")),
        "environments": {
            "production": str(copy_psutil(OLD, folder / "lib" / "python3.12" / "site-packages"))
        },
    },
)

# Damaged environments and files

for what in ("broken-1.0.dist-info", "~sutil-5.9.4.dist-info"):

    def damaged(folder: Path, what: str = what) -> Given:
        path = copy_psutil(OLD, folder / "site")
        (path / what).mkdir()
        if what.startswith("~"):
            (path / what / "METADATA").write_text("Metadata-Version: 2.1\nName: psutil\nVersion: 5.9.4\n")
        return environments(OLD, str(path), **CRITICAL)

    state(f"{what.partition('-')[0]} dist-info", "warn environment production", damaged)

CHECKED = {"environments": {"production": OLD}, **CRITICAL}
for name, expected, texts in (
    ("range in pyproject.toml not met", "fail package psutil", {"pyproject_toml": PYPROJECT.format(">=7")}),
    (
        "range in pyproject.toml met, unpinned",
        "warn package psutil",
        {"pyproject_toml": PYPROJECT.format("<7")},
    ),
    ("-r and -c followed", "pass", {"requirements_txt": "-r base.in\n-c bound.in\n", "base_in": "psutil\n"}),
    (
        "-r from two files, which is no cycle",
        "pass",
        {
            "requirements_txt": "-r base.in\n-r more.in\n",
            "base_in": "-r bound.in\n",
            "more_in": "-r bound.in\n",
        },
    ),
    (
        "-r in a cycle",
        "unknown config",
        {"requirements_txt": "-r base.in\n", "base_in": "-r requirements.txt\n"},
    ),
    ("-r of a missing file", "unknown missing", {"requirements_txt": "-r nowhere.in\n"}),
    ("a line that is no requirement", "unknown config", {"requirements_txt": "psutil 5.9.5\n"}),
    (
        "a commit instead of a version",
        "pass",
        {"requirements_txt": f"psutil @ git+https://x.org/p@{'a' * 40}\n"},
    ),
    (
        "a branch instead of a version",
        "warn package psutil",
        {"requirements_txt": "psutil @ git+https://x.org/p\n"},
    ),
    (
        "requirements.txt asks for what the lock lacks",
        "warn package redis",
        {
            "requirements_txt": "psutil==5.9.5\nredis==5.0.1\n",
            "requirements_lock": OLD_LOCK.read_text(),
        },
    ),
):
    state(name, expected, files(CHECKED, bound_in="psutil==5.9.5\n", **texts))

# What there is to compare

for name, expected, given in (
    ("empty project, one environment", "unknown config", {"environments": {"production": OLD}}),
    ("empty project, no environment", "unknown config", {}),
    ("empty project, two equal environments", "warn pins", environments(OLD, OLD)),
    ("empty project, two equal environments, critical", "warn pins", environments(OLD, OLD, **CRITICAL)),
    ("project without dependencies", "warn pins", {"environments": {"production": OLD}}),
):
    state(
        name,
        expected,
        lambda folder, name=name, given=given: {
            **given,
            "project": write(
                folder, **({"pyproject_toml": PYTHON.format(">=3.8")} if "without" in name else {})
            ),
        },
    )
state(
    "nothing that the lock names has to be there, and nothing is",
    "unknown config",
    lambda folder: {
        "project": write(folder, poetry_lock='[[package]]\nname = "psutil"\nversion = "5.9.5"\n[metadata]\n'),
        "environments": {"production": site(folder / "site", redis="5.0.1")},
    },
)
state("project missing", "unknown missing", lambda folder: {**CHECKED, "project": f"{folder}/nowhere"})

# Ways to reach an environment

for name, expected, place in (
    ("behind env -i", "pass", ["env", "-i", OLD]),
    ("behind env -i, as text", "pass", f"env -i {OLD}"),
    ("behind a shell with a banner", "pass", ["sh", "-c", 'echo Welcome; exec "$@"', "sh", OLD]),
    ("missing", "unknown missing", "no/such/python"),
    ("behind a program that is missing", "unknown missing", ["no-such-program", "-x", OLD]),
    ("missing behind env", "unknown missing", ["env", "-i", "no/such/python"]),
    ("not configured", "unknown config", ""),
    ("no Python", "unknown protocol", ["echo", "hello"]),
    ("killed", "unknown crashed", ["sh", "-c", "kill -9 $$"]),
    ("folder without packages", "unknown missing", "."),
):
    doubt = "; unknown environment production, package psutil"
    state(
        f"environment {name}",
        expected + (doubt if expected.startswith("unknown") else ""),
        lambda folder, place=place: {  # noqa: ARG005  # the state is the same everywhere
            **environments(OLD, place, **CRITICAL),
            "timeout": "60s",
        },
    )
state(
    "environment missing, nothing critical",
    "unknown missing; unknown environment production",
    lambda folder: environments(OLD, f"{folder}/python"),
)
state(
    "environment missing, another one differs",
    "fail package psutil; unknown environment staging",
    lambda folder: {
        **environments(OLD, NEW, **CRITICAL),
        "environments": {"development": OLD, "production": NEW, "staging": f"{folder}/python"},
    },
)


@dependencies("environment behind ssh, refused", "unknown refused; unknown environment production")
def ssh_refused(folder: Path) -> Iterator[Given]:
    with socket.socket() as closed:  # bound, but nobody listens
        closed.bind(("127.0.0.1", 0))
        port = str(closed.getsockname()[1])
        ssh = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={folder}/known"]
        yield environments(OLD, [*ssh, "-p", port, "127.0.0.1", "python3"])


@dependencies(
    "three environments hang, one answers",
    "unknown timeout; unknown environment a, environment b, environment c",
)
def hanging(folder: Path) -> Iterator[Given]:  # noqa: ARG001  # as above
    stuck = ["sh", "-c", "exec sleep 60"]
    places = {"a": stuck, "b": stuck, "c": stuck, "last": OLD}
    yield {"project": "", "environments": places, "timeout": "10s"}


@dependencies("environments that are read at the same time", "pass")
def together(folder: Path) -> Iterator[Given]:
    # Each answers only when the other one has been asked too.
    wait = 'touch "$1"; until [ -e "$2" ]; do sleep 0.05; done; exec "$3"'
    one, two = str(folder / "one"), str(folder / "two")
    yield environments(
        ["sh", "-c", f"{wait} -I -", "sh", one, two, OLD], ["sh", "-c", f"{wait} -I -", "sh", two, one, OLD]
    )


# Workspaces, old locks, and what an interpreter sees

WORKSPACE = """
version = 1
requires-python = ">=3.8"
[[package]]
name = "demo"
version = "1.0"
source = { editable = "." }
dependencies = [{ name = "psutil" }]
[[package]]
name = "member"
version = "1.0"
source = { editable = "packages/member" }
dependencies = [{ name = "redis" }]
[[package]]
name = "psutil"
version = "7.2.2"
source = { registry = "https://packages.example.org/simple" }
[[package]]
name = "redis"
version = "5.0.1"
source = { registry = "https://packages.example.org/simple" }
"""
MEMBER = '[project]\nname = "member"\ndependencies = ["redis==5.0.1"]\n'
ROOT = '[project]\nname = "demo"\ndependencies = ["psutil==7.2.2"]\n'
ALL = {"demo": "1.0", "member": "1.0", "psutil": "7.2.2", "redis": "5.0.1"}
for name, expected, pyproject, packages in (
    ("the root and all members", "pass", ROOT, ALL),
    ("a member's package of another version", "warn package redis", ROOT, ALL | {"redis": "4.0"}),
    ("one member alone", "pass", MEMBER, {"member": "1.0", "redis": "5.0.1"}),
    ("one member alone, its package missing", "warn package redis", MEMBER, {"member": "1.0"}),
):
    state(
        f"uv workspace: {name}",
        expected,
        lambda folder, pyproject=pyproject, packages=packages: {
            "project": write(folder, pyproject_toml=pyproject, uv_lock=WORKSPACE),
            "environments": {"production": site(folder / "site", **packages)},
            "exact": ["production"],
        },
    )

POETRY_OLD = """
[[package]]
name = "requests"
version = "2.31.0"
optional = false
[package.dependencies]
idna = ">=2.5,<4"
win = {version = "*", markers = "sys_platform == \'win32\'"}
[[package]]
name = "idna"
version = "3.7"
optional = false
[[package]]
name = "win"
version = "1.0"
optional = false
[[package]]
name = "pytest"
version = "8.0"
optional = false
[metadata]
lock-version = "2.0"
"""
POETRY_MAIN = (
    '[tool.poetry]\nname = "demo"\n[tool.poetry.dependencies]\nrequests = "^2"\n'
    '[tool.poetry.group.dev.dependencies]\npytest = "^8"\n'
)
for packages, groups, expected in (
    ({"requests": "2.31.0", "idna": "3.7"}, [], "pass"),
    ({"requests": "2.31.0"}, [], "warn package idna"),
    ({"requests": "2.31.0", "idna": "3.7"}, ["dev"], "warn package pytest"),
):
    state(
        f"poetry.lock of Poetry 1.8: {' and '.join(packages)}, groups {groups}",
        expected,
        lambda folder, packages=packages, groups=groups: {
            "project": write(folder, pyproject_toml=POETRY_MAIN, poetry_lock=POETRY_OLD),
            "environments": {"production": site(folder / "site", **packages)},
            "groups": groups,
        },
    )

state(
    "Debian's dist-info and egg-info of one version",
    "pass",
    lambda folder: environments(OLD, str(with_egg_info(copy_psutil(OLD, folder / "site"))), **CRITICAL),
)


def with_egg_info(folder: Path) -> Path:
    (folder / "psutil.egg-info").mkdir()
    (folder / "psutil.egg-info" / "PKG-INFO").write_text(
        "Metadata-Version: 2.1\nName: psutil\nVersion: 5.9.5\n"
    )
    return folder


for version, expected in (("5.9.5", "pass"), ("7.2.2", "fail package psutil")):

    def path_of(folder: Path, version: str = version) -> Given:
        vendor = site(folder / "vendor", psutil=version)
        return environments(OLD, ["env", f"PYTHONPATH={vendor}", OLD], **CRITICAL)

    state(f"PYTHONPATH puts psutil {version} before 5.9.5", expected, path_of)
state(
    "a container's command without its input",
    "unknown protocol; unknown environment production",
    lambda _: environments(OLD, ["sh", "-c", 'exec "$@" </dev/null', "sh", OLD]),
)


# Commits of a repository, of one version

WISH, OTHER = "1" * 40, "2" * 40
GIT = "https://example.org/lib"
COMMITS = {
    "uv.lock": f"""
version = 1
[[package]]
name = "demo"
version = "1.0"
source = {{ virtual = "." }}
dependencies = [{{ name = "lib" }}]
[[package]]
name = "lib"
version = "0.1.0"
source = {{ git = "{GIT}?rev=main#{WISH}" }}
""",
    "poetry.lock": f"""
[[package]]
name = "lib"
version = "0.1.0"
optional = false
groups = ["main"]
files = []
[package.source]
type = "git"
url = "{GIT}"
reference = "main"
resolved_reference = "{WISH}"
[metadata]
lock-version = "2.1"
""",
    "Pipfile.lock": json.dumps({"default": {"lib": {"git": GIT, "ref": WISH}}}),
    "pylock.toml": f"""
lock-version = "1.0"
created-by = "uv"
[[packages]]
name = "lib"
version = "0.1.0"
vcs = {{ type = "git", url = "{GIT}", requested-revision = "main", commit-id = "{WISH}" }}
""",
    "requirements.lock": f"lib @ git+{GIT}@{WISH}\n",
    "requirements.txt": f"-e git+{GIT}@{WISH}#egg=lib\n",
    "pyproject.toml": f'[project]\nname = "demo"\ndependencies = ["lib @ git+{GIT}@{WISH}"]\n',
    "pyproject.toml of Poetry": (
        f'[tool.poetry]\nname = "demo"\n[tool.poetry.dependencies]\nlib = {{git = "{GIT}", rev = "{WISH}"}}\n'
    ),
}


def lib(folder: Path, commit: str, **origin: Any) -> str:
    """Make a site-packages folder of `lib` 0.1.0 as an installer leaves it; no commit: of a wheel."""
    install("lib", "0.1.0", folder)
    if commit or origin:
        told = {"url": GIT, "vcs_info": {"vcs": "git", "commit_id": commit}} if commit else origin
        (folder / "lib-0.1.0.dist-info" / "direct_url.json").write_text(json.dumps(told))
    return str(folder)


def locked_commit(folder: Path, commit: str, file: str, given: Given, **origin: Any) -> Given:
    (folder / file.split(maxsplit=1)[0]).write_text(COMMITS[file])
    return {"environments": {"production": lib(folder / "site", commit, **origin)}, **given}


for file in COMMITS:
    for name, expected, commit, given in (
        ("the same", "pass", WISH, {"critical": ["lib"]}),
        ("another", "warn package lib", OTHER, {}),
        ("another, critical", "fail package lib", OTHER, {"critical": ["lib"]}),
        ("not told", "pass", "", {"critical": ["lib"]}),
    ):
        state(
            f"commit in {file}: {name}",
            expected,
            partial(locked_commit, commit=commit, file=file, given=given),
        )
for name, origin in (
    ("a folder", {"url": "file:///src/lib", "dir_info": {"editable": True}}),
    ("an archive", {"url": "https://example.org/lib.tar.gz", "archive_info": {}}),
    ("nothing that can be read", {"url": 1}),
):
    state(
        f"commit in uv.lock: installed from {name}",
        "pass",
        partial(locked_commit, commit="", file="uv.lock", given={"critical": ["lib"]}, **origin),
    )
for name, expected, one, two, given in (
    ("the same", "pass", WISH, WISH, {"critical": ["lib"]}),
    ("different", "warn package lib", WISH, OTHER, {}),
    ("different, critical", "fail package lib", WISH, OTHER, {"critical": ["lib"]}),
    ("one not told", "pass", WISH, "", {"critical": ["lib"]}),
):
    state(
        f"commits of two environments: {name}",
        expected,
        lambda folder, one=one, two=two, given=given: environments(
            lib(folder / "one", one), lib(folder / "two", two), **given
        ),
    )
for name, expected, commit in (("the same", "pass", WISH), ("different", "fail package lib", OTHER)):
    state(
        f"commits of requirements.txt and uv.lock: {name}",
        expected,
        lambda folder, commit=commit: {
            **locked_commit(folder, WISH, "uv.lock", {"critical": ["lib"]}),
            "environments": {},
            "project": write(folder, requirements_txt=f"lib @ git+{GIT}@{commit}\n"),
        },
    )

# The user's own packages


def users_psutil(folder: Path, python: str) -> list[str]:
    """Return a command that runs a Python whose user has a psutil 7.2.2 of their own."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site(folder / "user" / "lib" / version / "site-packages", psutil="7.2.2")
    return ["env", f"PYTHONUSERBASE={folder}/user", python]


def lonely(folder: Path, *, shared: bool) -> list[str]:
    """Return the Python of a virtual environment to which a .pth file adds the packages of another one."""
    venv.create(folder / "venv", symlinks=True, system_site_packages=shared)
    (path,) = (folder / "venv").glob("lib/python*/site-packages")
    (path / "more.pth").write_text(str(copy_psutil(OLD, folder / "more" / "site-packages")))
    return users_psutil(folder, f"{folder}/venv/bin/python")


for shared, expected in ((False, "pass"), (True, "fail package psutil")):
    state(
        f"user's psutil and a virtual environment {'with' if shared else 'without'} the system's packages",
        expected,
        lambda folder, shared=shared: {
            "project": write(folder, requirements_lock=OLD_LOCK.read_text()),
            "environments": {"production": lonely(folder, shared=shared)},
            **CRITICAL,
        },
    )
