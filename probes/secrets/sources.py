"""Which files are sources: those that git tracks or could take in, elsewhere all of them."""

import os
import re
import stat
import subprocess
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from probes.outcome import CannotTell, Reason

MAX_SIZE = 256
"""Size in MB of the largest file that is scanned, which is the engine's own limit."""

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
# What the engine's own rules pass over, whatever it holds: nobody may vouch for it. Pictures, fonts and
# office files, what build tools write, and copies of other people's code.
_PASSED_OVER = (
    *("*.bmp", "*.gif", "*.ico", "*.jpg", "*.jpeg", "*.png", "*.svg", "*.tif", "*.tiff", "*.webp"),
    *(
        "*.eot",
        "*.otf",
        "*.ttf",
        "*.woff",
        "*.woff2",
        "*.doc",
        "*.docx",
        "*.pdf",
        "*.xls",
        "*.xlsx",
        "*.ppt*",
    ),
    *("go.mod", "go.work", "gradlew", "gradlew.bat", "mvnw", "mvnw.cmd", "verification-metadata.xml"),
    *(".gitleaks.toml", "gitleaks.toml", "*.refactorlog", "swagger-ui*.js", "swaggerui*.js"),
)
_PASSED_OVER_PATHS = (
    *("vendor/github.com/*", "vendor/golang.org/*", "vendor/google.golang.org/*", "vendor/gopkg.in/*"),
    *("vendor/modules.txt", "vendor/bundle/*", "vendor/ruby/*", "lib64/python*", "lib/python*"),
    *("static/jquery*", "static/angular*", "static/bootstrap*"),
)
# A repository whose files it may not read is none to git.
_CLOSED = re.compile("permission denied|dubious ownership|not a git repository", re.IGNORECASE)
GLOB = re.compile(r"[][*?{}!\\]")


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


def find_root(given: str) -> Root:
    """Look up a path and its repository.

    Raises:
        CannotTell: If it does not exist, or git does not read its repository.
    """
    path = Path(os.path.realpath(given))  # Path.resolve ends in a RuntimeError in a loop of links
    if not path.exists():
        raise CannotTell(Reason.MISSING, f"{given} does not exist.", "Correct paths.")
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


def last_commit_of(path: Path) -> str:
    """Return the newest commit on any branch that changed the file; "" if none ever did."""
    asked = ("log", "--all", "--max-count=1", "--format=%h", "--", f":(literal){path.name}")
    return _git(path.parent, *asked).stdout.decode().strip()


def count_commits(root: Root) -> int:
    """Return how many commits the repository holds on all branches, tags and stashes."""
    return int(_git(root.folder, "rev-list", "--all", "--count").stdout)


def count_missing(root: Root) -> int:
    """Return how many objects a partial clone never fetched. git is not let fetch them here."""
    if not any((root.repository or root.top).glob("objects/pack/*.promisor")):
        return 0
    listed = _git(root.folder, "rev-list", "--all", "--objects", "--missing=print").stdout
    return sum(line.startswith(b"?") for line in listed.splitlines())


def paths_of(root: Root, found: Iterable[tuple[str, str]]) -> dict[tuple[str, str], set[str]]:
    """Return all paths, from the top, at which the contents of a commit's files ever stood.

    Args:
        root: Its repository is asked.
        found: Commit and path of each.
    """
    blobs: dict[tuple[str, str], bytes] = {}
    for commit, path in found:
        blobs[commit, path] = _git(root.folder, "rev-parse", "--verify", f"{commit}:{path}").stdout.strip()
    if not blobs:
        return {}
    asked = [f"--find-object={blob.decode()}" for blob in set(blobs.values())]
    log = _git(
        root.folder, "log", "--all", "-m", "--format=", "--raw", "-z", "--no-abbrev", "--no-renames", *asked
    )
    paths: dict[bytes, set[str]] = {}
    words = iter(log.stdout.split(b"\0"))
    for facts, name in zip(words, words, strict=False):
        _, _, before, after, _ = facts.split()
        for blob in (before, after):
            paths.setdefault(blob, set()).add(os.fsdecode(name))
    return {key: {key[1]} | paths.get(blob, set()) for key, blob in blobs.items()}


def _git(folder: Path, *arguments: str, other: int = 0) -> subprocess.CompletedProcess[bytes]:
    """Run git to read: it starts no monitor and takes no lock.

    Raises:
        CannotTell: If it ends with another code than 0 or the other one given: then it says nothing.
    """
    settings = ["-c", "core.fsmonitor=false", "--no-optional-locks"]
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *settings, *arguments],  # noqa: S607  # the operator's own git
            env=quiet_environment() | {"LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        message = "git is not installed, and a repository is to be read."
        raise CannotTell(Reason.MISSING, message, "Install git.") from None
    if answer.returncode not in (0, other):
        lines = answer.stderr.decode(errors="replace").strip().splitlines() or [f"code {answer.returncode}"]
        why = next((line for line in lines if line.startswith("fatal")), lines[0])[:200]
        reason = Reason.FORBIDDEN if _CLOSED.search(why) else Reason.PROTOCOL
        hint = "Mend the repository, or its owner and mode."
        if "dubious ownership" in why:
            hint = f"Run as its owner, or trust it: git config --global --add safe.directory {folder}."
        raise CannotTell(reason, f"git could not look into {folder} ({why}).", hint)
    return answer


def quiet_environment() -> dict[str, str]:
    """Return the environment without settings of git, which a git hook leaves there, and of the engine."""
    steering = ("GIT_", "KF_", "KINGFISHER_")
    return {name: value for name, value in os.environ.items() if not name.startswith(steering)}


class Sources(NamedTuple):
    """What is to be scanned.

    Attributes:
        files: The absolute path of each file, as the engine writes it, and its path below its root.
        closed: Files and folders among them that this user may not read.
        large: Files among them above `MAX_SIZE`.
        barred: What this user may not read and does not count. The engine must not stumble over it.
        empty: Roots without a file that counts.
    """

    files: dict[str, str]
    closed: list[str]
    large: list[str]
    barred: list[str]
    empty: list[str]


def find_sources(roots: list[Root], exclude: Iterable[str], private: set[Path]) -> Sources:
    """List the files that count: in a repository those tracked or not ignored, elsewhere all.

    Args:
        roots: Where to look.
        exclude: Patterns of what does not count, beside lock files and the like.
        private: Files that may hold keys, so that they count only if git tracks them.
    """
    patterns = list(exclude)
    sources = Sources({}, [], [], [], [])
    for root in roots:
        refused: list[str] = []
        counted = 0
        for path in _files(root, refused):
            allowed = path in private and not (root.repository and is_tracked(path))
            if allowed or is_excluded(root.below(path), patterns):
                if not os.access(path, os.R_OK):
                    sources.barred.append(str(path))
                continue
            counted += 1
            written = _as_written(str(path))
            sources.files[written] = root.below(path)
            if not os.access(path, os.R_OK):
                sources.closed.append(written)
            elif path.stat().st_size > MAX_SIZE * 10**6:
                sources.large.append(written)
        for name in refused:
            barred = is_excluded(root.below(Path(name)), patterns)
            (sources.barred if barred else sources.closed).append(name)
        if not counted:
            sources.empty.append(str(root.path))
    return sources


def _files(root: Root, closed: list[str]) -> Iterator[Path]:
    if root.repository:
        here = "." if root.path.is_dir() else f":(literal){root.path.name}"
        asked = ("-z", "--cached", "--others", "--exclude-standard", "--", here)
        listed = _git(root.folder, "ls-files", *asked)
        refused = re.findall(r"could not open directory '(.*)'", listed.stderr.decode(errors="replace"))
        closed += [str(root.folder / name) for name in refused]
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
        errors: list[OSError] = []
        for folder, folders, names in os.walk(root.path, onerror=errors.append):
            folders[:] = [name for name in folders if name not in _SKIPPED_FOLDERS]
            yield from filter(_is_plain, (Path(folder, name) for name in names))
        closed += [_as_written(str(error.filename)) for error in errors]


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except PermissionError:  # it counts, and is reported as closed
        return True
    except OSError:  # tracked, but deleted from the working tree
        return False


def is_excluded(relative: str, patterns: Iterable[str]) -> bool:
    """Whether a path, seen from its root, is no source by its name or by one of the operator's patterns."""
    path = PurePosixPath(relative)
    if not _SKIPPED_FOLDERS.isdisjoint(path.parts[:-1]):
        return True
    if any(fnmatch(path.name, pattern) for pattern in (*_SKIPPED_FILES, *_PASSED_OVER)):
        return True
    if any(fnmatch(f"/{relative}", f"*/{pattern}") for pattern in _PASSED_OVER_PATHS):
        return True
    given = [pattern.rstrip("/") for pattern in patterns]
    return any(fnmatch(text, pattern) for pattern in given for text in (relative, *path.parts))


def _as_written(path: str) -> str:
    """Write bytes that are not UTF-8 as the engine does."""
    return os.fsencode(path).decode(errors="replace")


def spared(root: Root, roots: Iterable[Root]) -> list[str]:
    """Return patterns that spare the engine what is large or closed and no source. This decides nothing.

    What was asked for by name, as another root, stays: the engine holds every pattern against every file.
    """
    targets = [other.path for other in roots]
    if root.path.is_file() or GLOB.search(str(root.path)):
        return []
    skipped = _SKIPPED_FOLDERS - {part for path in targets for part in path.parts}
    patterns = [f"{root.path}/**/{name}/**" for name in sorted(skipped)]
    if root.repository:
        asked = ("-z", "--others", "--ignored", "--exclude-standard", "--directory")
        names = os.fsdecode(_git(root.path, "ls-files", *asked).stdout).split("\0")
        spared = [name for name in names if name.endswith("/") or not os.access(root.path / name, os.R_OK)]
        spared = [
            name for name in spared if not any(path.is_relative_to(root.path / name) for path in targets)
        ]
        patterns += [f"{root.path}/{name.rstrip('/')}" for name in spared[:500] if not GLOB.search(name)]
    return patterns
