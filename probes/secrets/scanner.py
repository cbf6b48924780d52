"""The scanner behind the secrets probe: what stands in the sources, and in the history of git."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec

from probes.outcome import CannotTell, Reason
from probes.secrets.sources import (
    GLOB,
    MAX_SIZE,
    Root,
    Sources,
    count_commits,
    count_missing,
    is_excluded,
    paths_of,
    quiet_environment,
    spared,
)

_RULES = Path(__file__).with_name("rules.yml")
_VERSION = "The engine has to be kingfisher 2, from 2.14 on."
_ENDED_WELL = {0, 200, 205}  # nothing found, found, found and proven to work


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
    patterns = [pattern for root in roots for pattern in spared(root, roots)]
    patterns += [path.rstrip("/") for path in sources.barred if not GLOB.search(path)]
    skip = [f"--exclude={pattern}" for pattern in patterns]
    targets = dict.fromkeys(str(root.path) for root in roots)
    report = _run(engine, "--git-history=none", *skip, "--", *targets, partial=bool(sources.closed))
    if report.metadata.summary.blobs_scanned == 0:
        message = f"The scanner read nothing of {', '.join(targets)}."
        raise CannotTell(Reason.MISSING, message, "Correct paths: the files that are there are empty.")
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
        message = f"{root.path} lies in no git repository, so it has no history to scan."
        raise CannotTell(Reason.MISSING, message, "Correct paths, or take history out.")
    if missing := count_missing(root):
        message = f"{missing} files and folders of the history were never fetched into this partial clone."
        hint = f"Fetch them: git -C {root.top} fetch --refetch --no-filter."
        raise CannotTell(Reason.MISSING, message, hint)
    # Given a linked worktree, the engine reports all commits as read and has read none. So it is given the
    # repository's own folder.
    report = _run(engine, "--git-history=full", "--", str(root.repository))
    patterns = list(exclude)
    hits: dict[tuple[str, str], Hit] = {}
    matches: list[tuple[str, str, _Finding]] = []
    for found in report.findings:
        past = found.finding.git_metadata
        if past is None:
            continue
        # The engine goes on into the repositories of submodules and worktrees, which lie in there.
        inner = Path(past.repository_url)
        if not any(inner.is_relative_to(root.repository / name) for name in ("modules", "worktrees")):
            matches.append((past.commit.id, found.finding.path, found))
    # The engine names one path of a content, which may have stood at others too, that count more.
    everywhere = paths_of(root, {(commit, path) for commit, path, _ in matches})
    for commit, first, found in matches:
        for name in sorted(everywhere[commit, first]):
            path = root.top / name
            relative = root.below(path)
            if path.is_relative_to(root.path) and not is_excluded(relative, patterns):
                match = found.finding
                hit = Hit(str(path), relative, match.line, found.rule.id, match.snippet, commit)
                hits.setdefault((relative, match.snippet), hit)
    commits = sum(part.git.fetched_commit_count for part in report.audit.repositories if part.git)
    known = count_commits(root)
    if commits < known:
        message = f"The scanner read {commits} of {known} commits of {root.path}."
        raise CannotTell(Reason.PROTOCOL, message, f"Mend the repository: git -C {root.path} fsck.")
    return list(hits.values()), commits


def _find_engine(asked: str) -> str:
    beside = Path(sys.executable).with_name("kingfisher")
    name = asked or (str(beside) if beside.is_file() else "kingfisher")
    found = shutil.which(name)
    if found is None:
        hint = "Correct engine." if asked else "Install it: pip install kingfisher-bin."
        raise CannotTell(Reason.MISSING, f"The scanner {name} is not there.", hint)
    return found


def _run(engine: Engine, *arguments: str, partial: bool = False) -> _Report:
    """Run the engine. What it prints holds the values found: it goes through a pipe, never into a file."""
    program = _find_engine(engine.program)
    options = ["--no-validate", "--no-update-check", "--quiet", "--format=json", f"--rules-path={_RULES}"]
    options += ["--no-dedup", "--no-ignore", "--no-extract-archives", f"--max-file-size={MAX_SIZE}"]
    homes = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    try:
        ended = subprocess.run(
            [program, "scan", *options, f"--rule-cache-dir={engine.rule_cache}", *arguments],
            env=quiet_environment() | dict.fromkeys(homes, engine.home),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        message = f"The scanner {program} does not start: {error.strerror}."
        raise CannotTell(
            Reason.MISSING, message, "Correct engine: it takes a program of this machine."
        ) from None
    if ended.returncode < 0:
        message = f"The scanner was ended by signal {-ended.returncode}."
        raise CannotTell(Reason.CRASHED, message, "Run again; after signal 9 give it more memory first.")
    if ended.returncode not in _ENDED_WELL:
        why = ended.stderr.decode(errors="replace").strip().partition("\n")[0][:200]
        message = f"The scanner ended with code {ended.returncode}: {why or 'it said nothing'}."
        raise CannotTell(Reason.PROTOCOL, message, f"{_VERSION} Look at: {program} --version.")
    try:
        # A second object, with the totals once more, follows the report.
        raw, _ = json.JSONDecoder().raw_decode(ended.stdout.decode(errors="replace"))
        report = msgspec.convert(raw, _Report)
    except ValueError:
        # The text of these errors may quote the report, so it is not passed on.
        message = "The scanner's report cannot be read."
        raise CannotTell(Reason.PROTOCOL, message, f"{_VERSION} Look at: {program} --version.") from None
    for part in report.audit.repositories:
        if part.scan.status != "completed" and not (partial and part.scan.status == "partial"):
            where = part.key.removeprefix("local:")
            hint = "Scan as a user who may read it, or exclude the rest."
            raise CannotTell(Reason.FORBIDDEN, f"The scanner could not read all of {where}.", hint)
    return report
