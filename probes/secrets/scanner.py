"""The scanner behind the secrets probe: which files are sources, and what stands in them and in git."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import msgspec

from probes.outcome import CannotTell, Reason

_RULES = Path(__file__).with_name("rules.yml")
_ENDED_WELL = {0, 200, 205}  # nothing found, found, found and proven to work

# Not sources: what others wrote, what a tool generated, and digests, which look like keys.
_SKIPPED_FOLDERS = frozenset(
    {
        *(".git", ".hg", ".svn", ".venv", "venv", ".tox", ".nox", "site-packages", "__pycache__"),
        *("node_modules", "bower_components", ".mypy_cache", ".ruff_cache", ".pytest_cache"),
    }
)
_SKIPPED_FILES = (
    *("*.lock", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "go.sum"),
    *("*.md5", "*.sha1", "*.sha256", "*.sha512", "MD5SUMS", "SHA*SUMS"),
    *("*.min.js", "*.min.css", "*.map", "*.pyc"),
)
# A repository whose files it may not read is none to git.
_CLOSED = re.compile("permission denied|dubious ownership|not a git repository", re.IGNORECASE)
_GLOB = re.compile(r"[][*?{}!\\]")


class Root(NamedTuple):
    """A folder or file to scan, and the git repository it lies in, if any.

    Attributes:
        path: Absolute, without symbolic links.
        repository: The repository's own folder (shared by its worktrees), or None.
        top: The top of the working tree.
        shallow: Whether the clone has only the newest commits.
    """

    path: Path
    repository: Path | None = None
    top: Path = Path()
    shallow: bool = False

    @property
    def folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent

    def below(self, path: Path) -> str:
        """Give a path as seen from here."""
        return _as_written(os.path.relpath(path, self.folder))


class Hit(NamedTuple):
    """What the engine found at one place.

    Attributes:
        path: Absolute path; a file of the history may not exist any more.
        relative: The path as seen from its root.
        rule: The engine's name of the rule.
        value: The key itself. It must not leave this process.
        commit: A commit it stands in, if it comes from the history.
    """

    path: str
    relative: str
    line: int
    rule: str
    value: str
    commit: str = ""


class Engine(NamedTuple):
    """How to run kingfisher.

    Attributes:
        program: Path or name; empty for the one installed with this program, else the one on PATH.
        home: A private folder for what it writes.
        rule_cache: The folder for its compiled rules.
    """

    program: str
    home: str
    rule_cache: str


# -- what to scan


def find_root(given: str) -> Root:
    """Look up a path and its repository.

    Raises:
        CannotTell: If it does not exist, or git does not read its repository.
    """
    path = Path(given).resolve()
    if not path.exists():
        raise CannotTell(Reason.MISSING, f"{given} does not exist: correct `paths`.")
    if not in_repository(path):
        return Root(path)
    folder = path if path.is_dir() else path.parent
    asked = ("--path-format=absolute", "--git-common-dir", "--show-toplevel")
    answer = _git(folder, "rev-parse", *asked).stdout
    repository, top = (Path(line) for line in os.fsdecode(answer).splitlines()[:2])
    return Root(path, repository, top, (repository / "shallow").exists())


def in_repository(path: Path) -> bool:
    """Whether the path or a folder above it has a `.git`."""
    return any((folder / ".git").exists() for folder in (path, *path.parents))


def is_tracked(path: Path) -> bool:
    """Whether git tracks the file."""
    return bool(_git(path.parent, "ls-files", "--cached", "--", f":(literal){path.name}").stdout)


def is_ignored(path: Path) -> bool:
    """Whether git ignores the file."""
    return _git(path.parent, "check-ignore", "-q", "--", path.name, other=1).returncode == 0


def _git(folder: Path, *arguments: str, other: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run git to read: it starts no monitor and takes no lock.

    Raises:
        CannotTell: If it ends with another code than 0 or the other one given: then it says nothing.
    """
    settings = ["-c", "core.fsmonitor=false", "--no-optional-locks"]
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *settings, *arguments],  # noqa: S607  # the operator's own git
            env=_environment() | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise CannotTell(Reason.MISSING, "git is not installed, and a repository is to be read.") from None
    if answer.returncode not in (0, other):
        lines = answer.stderr.decode(errors="replace").strip().splitlines() or [f"code {answer.returncode}"]
        why = next((line for line in lines if line.startswith("fatal")), lines[0])[:200]
        reason = Reason.FORBIDDEN if _CLOSED.search(why) else Reason.PROTOCOL
        message = f"git could not look into {folder} ({why}): mend the repository, or its owner and mode."
        raise CannotTell(reason, message)
    return answer


def _environment() -> dict[str, str]:
    """The environment without settings of git, which a git hook leaves there, and of the engine."""
    steering = ("GIT_", "KF_", "KINGFISHER_")
    return {name: value for name, value in os.environ.items() if not name.startswith(steering)}


class Sources(NamedTuple):
    """What is to be scanned.

    Attributes:
        files: The absolute path of each file, as the engine writes it, and its path below its root.
        closed: Files and folders among them that this user may not read.
    """

    files: dict[str, str]
    closed: list[str]


def find_sources(roots: list[Root], exclude: Iterable[str], private: set[Path]) -> Sources:
    """List the files that count: in a repository those tracked or not ignored, elsewhere all.

    Args:
        roots: Where to look.
        exclude: Patterns of what does not count, beside lock files and the like.
        private: Files that may hold keys, so that they count only if git tracks them.
    """
    patterns = [pattern.rstrip("/") for pattern in exclude]
    sources = Sources({}, [])
    for root in roots:
        for path in _files(root, sources.closed):
            allowed = path in private and not (root.repository and is_tracked(path))
            if allowed or _is_excluded(root.below(path), patterns):
                continue
            sources.files[_as_written(str(path))] = root.below(path)
            if not os.access(path, os.R_OK):
                sources.closed.append(_as_written(str(path)))
    return sources


def _files(root: Root, closed: list[str]) -> Iterator[Path]:
    if root.repository:
        here = "." if root.path.is_dir() else f":(literal){root.path.name}"
        asked = ("-z", "--cached", "--others", "--exclude-standard", "--", here)
        listed = _git(root.folder, "ls-files", *asked)
        closed += re.findall(r"could not open directory '(.*)'", listed.stderr.decode(errors="replace"))
        for name in sorted(set(os.fsdecode(listed.stdout).split("\0")) - {""}):
            path = root.folder / name
            if _is_plain(path):
                yield path
            elif (path / ".git").exists():  # a submodule, or a repository inside this one
                yield from _files(find_root(str(path)), closed)
            elif path.is_dir() and not path.is_symlink():  # a submodule whose repository is gone
                yield from _files(Root(path), closed)
    elif root.path.is_file():
        yield root.path
    else:
        refused: list[OSError] = []
        for folder, folders, names in os.walk(root.path, onerror=refused.append):
            folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
            yield from filter(_is_plain, (Path(folder, name) for name in names))
        closed += [_as_written(str(error.filename)) for error in refused]


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except PermissionError:  # it counts, and is reported as closed
        return True
    except OSError:  # tracked, but deleted from the working tree
        return False


def _is_excluded(relative: str, patterns: list[str]) -> bool:
    path = PurePosixPath(relative)
    if not _SKIPPED_FOLDERS.isdisjoint(path.parts[:-1]):
        return True
    if any(fnmatch(path.name, pattern) for pattern in _SKIPPED_FILES):
        return True
    return any(fnmatch(text, pattern) for pattern in patterns for text in (relative, *path.parts))


def _as_written(path: str) -> str:
    """Write bytes that are not UTF-8 as the engine does."""
    return os.fsencode(path).decode(errors="replace")


# -- what the engine says


class _Rule(msgspec.Struct):
    id: str


class _Commit(msgspec.Struct):
    id: str


class _Past(msgspec.Struct):
    repository_url: str
    commit: _Commit


class _Match(msgspec.Struct):
    path: str
    line: int
    snippet: str
    git_metadata: _Past | None = None


class _Finding(msgspec.Struct):
    rule: _Rule
    finding: _Match


class _Scan(msgspec.Struct):
    status: str


class _Scope(msgspec.Struct):
    fetched_commit_count: int = 0


class _Target(msgspec.Struct):
    key: str
    scan: _Scan
    git: _Scope | None = None


class _Audit(msgspec.Struct):
    repositories: list[_Target]


class _Totals(msgspec.Struct):
    blobs_scanned: int


class _Metadata(msgspec.Struct):
    summary: _Totals


class _Report(msgspec.Struct):
    findings: list[_Finding]
    audit: _Audit
    metadata: _Metadata


def scan_sources(engine: Engine, roots: list[Root], sources: Sources) -> list[Hit]:
    """Scan the files as they are.

    Raises:
        CannotTell: If the engine is not there, breaks off, or reads nothing.
    """
    skip = [f"--exclude={pattern}" for root in roots for pattern in _spared(root)]
    targets = dict.fromkeys(str(root.path) for root in roots)
    report = _run(engine, "--git-history=none", *skip, "--", *targets, partial=bool(sources.closed))
    if report.metadata.summary.blobs_scanned == 0:
        raise CannotTell(
            Reason.MISSING, f"The scanner read nothing of {', '.join(targets)}: are the files empty?"
        )
    matches = [(found.rule.id, found.finding) for found in report.findings]
    # The engine knows nothing of .gitignore and may have seen more than the sources.
    return [
        Hit(match.path, sources.files[match.path], match.line, rule, match.snippet)
        for rule, match in matches
        if match.path in sources.files
    ]


def scan_history(engine: Engine, root: Root, exclude: Iterable[str]) -> tuple[list[Hit], int]:
    """Scan all commits of a root's repository; return what stands below the root, and how many there are.

    Each value is reported once for a path, however many commits it stayed in.

    Raises:
        CannotTell: If there is no repository, or the engine is not there or breaks off.
    """
    if root.repository is None:
        raise CannotTell(
            Reason.MISSING, f"{root.path} lies in no git repository: there is no history to scan."
        )
    # Given a linked worktree, the engine reports all commits as read and has read none. So it is given the
    # repository's own folder.
    report = _run(engine, "--git-history=full", "--", str(root.repository))
    patterns = [pattern.rstrip("/") for pattern in exclude]
    hits: dict[tuple[str, str], Hit] = {}
    for found in report.findings:
        match = found.finding
        path = root.top / match.path
        if match.git_metadata is None or not path.is_relative_to(root.path):
            continue
        # The engine goes on into the repositories of submodules and worktrees, which lie in there.
        inner = Path(match.git_metadata.repository_url)
        if any(inner.is_relative_to(root.repository / name) for name in ("modules", "worktrees")):
            continue
        relative = root.below(path)
        if not _is_excluded(relative, patterns):
            commit = match.git_metadata.commit.id
            hit = Hit(str(path), relative, match.line, found.rule.id, match.snippet, commit)
            hits.setdefault((relative, match.snippet), hit)
    commits = sum(part.git.fetched_commit_count for part in report.audit.repositories if part.git)
    known = _git(root.folder, "rev-list", "--all", "--count").stdout.decode().strip()
    if commits < int(known):
        raise CannotTell(Reason.INTERNAL, f"The scanner read {commits} of {known} commits of {root.path}.")
    return list(hits.values()), commits


def _spared(root: Root) -> list[str]:
    """Patterns that spare the engine what is large or closed and no source. This decides nothing."""
    if root.path.is_file() or _GLOB.search(str(root.path)):
        return []
    patterns = [f"{root.path}/**/{name}" for name in sorted(_SKIPPED_FOLDERS)]
    if root.repository:
        asked = ("-z", "--others", "--ignored", "--exclude-standard", "--directory")
        names = os.fsdecode(_git(root.path, "ls-files", *asked).stdout).split("\0")
        spared = [name for name in names if name.endswith("/") or not os.access(root.path / name, os.R_OK)]
        patterns += [f"{root.path}/{name.rstrip('/')}" for name in spared[:500] if not _GLOB.search(name)]
    return patterns


def _find_engine(asked: str) -> str:
    beside = Path(sys.executable).with_name("kingfisher")
    name = asked or (str(beside) if beside.is_file() else "kingfisher")
    found = shutil.which(name)
    if found is None:
        raise CannotTell(Reason.MISSING, f"The scanner {name} is not there: pip install kingfisher-bin.")
    return found


def _run(engine: Engine, *arguments: str, partial: bool = False) -> _Report:
    """Run the engine. What it prints holds the values found: it goes through a pipe, never into a file."""
    program = _find_engine(engine.program)
    options = ["--no-validate", "--no-update-check", "--quiet", "--format=json", f"--rules-path={_RULES}"]
    options += ["--no-dedup", "--no-ignore", "--no-extract-archives"]
    homes = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    try:
        ended = subprocess.run(
            [program, "scan", *options, f"--rule-cache-dir={engine.rule_cache}", *arguments],
            env=_environment() | dict.fromkeys(homes, engine.home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise CannotTell(Reason.MISSING, f"The scanner {program} does not start: {error.strerror}.") from None
    if ended.returncode < 0:
        raise CannotTell(Reason.CRASHED, f"The scanner was ended by signal {-ended.returncode}.")
    if ended.returncode not in _ENDED_WELL:
        why = ended.stderr.decode(errors="replace").strip().partition("\n")[0][:200]
        raise CannotTell(Reason.INTERNAL, f"The scanner ended with code {ended.returncode}: {why}")
    try:
        # A second object, with the totals once more, follows the report.
        raw, _ = json.JSONDecoder().raw_decode(ended.stdout.decode(errors="replace"))
        report = msgspec.convert(raw, _Report)
    except ValueError:
        # The text of these errors may quote the report, so it is not passed on.
        raise CannotTell(
            Reason.PROTOCOL, "The scanner's report cannot be read: is it kingfisher 2.14?"
        ) from None
    for part in report.audit.repositories:
        if part.scan.status != "completed" and not (partial and part.scan.status == "partial"):
            where = part.key.removeprefix("local:")
            message = (
                f"The scanner could not read all of {where}: scan as a user who may, or exclude the rest."
            )
            raise CannotTell(Reason.FORBIDDEN, message)
    return report
