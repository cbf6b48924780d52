"""Secrets: no key stands in the sources, and every key that must be set is set where it belongs."""

import hashlib
import os
import re
import stat
import tempfile
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import Annotated, NamedTuple

import msgspec

from probes.outcome import CannotTell, Check, Outcome, Reason, Verdict, conclude, worst
from probes.parameters import Duration, Parameters
from probes.secrets import scanner
from probes.secrets.scanner import Engine, Hit, Root

Fingerprint = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{10}$")]
Why = Annotated[str, msgspec.Meta(min_length=1)]

_SHOWN = 20
_SHORTEST_URL_PASSWORD = 6
_LONGEST_PLACEHOLDER = 80

_ASIDE_FOLDERS = frozenset(
    {"test", "tests", "testing", "testdata", "fixtures", "spec", "specs", "__tests__", "doc", "docs"}
)
_ASIDE_FILES = ("test_*", "*_test.*", "*.test.*", "*.spec.*", "conftest.py")

# Our keyword rules, and those of the engine for names of accounts and for any URL with a password.
_MILD_RULE = re.compile(r"^gonogo\.|generic|client-id|access-id|account-id")

_PLACEHOLDER = re.compile(
    r"""change[-_ ]?(?:me|this|it)|your[-_ ]|replace[-_ ]?(?:me|with|this)|to[-_]?do\b|fix[-_]?me
    |example|placeholder|dummy|sample|redacted|insert[-_ ]|fill[-_ ]?(?:me|in)|not[-_ ]?set
    |(?:goes|key|token|secret)[-_ ]?here|x{4,}|\*{3,}|\.{3,}|0{8,}|12345678|abcdefgh
    |^\W*(?:x+|none|null|nil|undefined|unset|empty|secret|password|passwd|pass|token|test|guest|admin|root|user)\W*$
    |^(?:<.*>|\[.*\]|\{.*\}|\$.*|%.*%)$""",
    re.IGNORECASE | re.VERBOSE,
)
_LOOKUP = re.compile(
    r"\$\{|\$\(|\{\{|%\(|\{[a-z_][\w.]*\}|<[\w -]+>|environ|getenv|process\.env|^https?://", re.IGNORECASE
)
_DIGEST = re.compile(r"^(?:sha\d{1,3}|md5)[-:=]", re.IGNORECASE)
# In random letters some run of small ones is a single one. The runs are possessive: no value makes it slow.
_WORD = re.compile(r"(?:(?:[A-Z]{2,}+|[A-Z]?[a-z]{2,}+)+|[A-Za-z])\d{0,2}|\d{1,4}")
_URL_PASSWORD = re.compile(r"://[^:/@\s]*:([^@\s]+)@")


class SecretsParameters(Parameters, frozen=True):
    """Whether a key stands in the sources or the git history, and whether those that must be set are set.

    A key in the format of a provider is a fail wherever it stands. A value given to a name that means a
    secret (`API_KEY = ...`) is a warn, which holds the gate as well, or a fail with `strict`; in tests and
    docs it is only mentioned. Placeholders and lookups are nothing. In a git repository the sources are the
    tracked files and those not ignored, so a key in an ignored `.env` is where it belongs. A comment such as
    `gitleaks:allow` silences nothing; `accepted` does, with its reason. Archives are not opened. Nothing is
    sent anywhere: whether a key still works is not tried.

    Attributes:
        timeout: The deadline (default 120s: a long history takes a while).
        paths: Folders and files to scan, relative to the checklist (default: its folder). Empty: none.
        history: Scan all commits of all branches, tags and stashes too (default false).
        strict: Fail on a value given to a secret name, where the default is to warn.
        exclude: More patterns of what is no source, beside lock files, digests, minified files, virtual
            environments and node_modules. Each is held against the path below its entry of `paths` and
            against every part of it.
        accepted: Findings that are known to be harmless: the fingerprint shown with the finding, and why. A
            fingerprint is 40 bits of a keyed BLAKE2b of the value, the same on every machine. It does not
            give a random key away; but the key of the hash is no secret, so whoever guesses a weak password
            can check the guess against it.
        variables: Names that must be set, to something that is no placeholder, in the environment that this
            program runs in (default: none).
        env_files: Files of variables that must have mode 0600, be untracked by git and ignored by it
            (default: `.env`, if there is one).
        engine: The kingfisher program (default: the one installed with this program, else from PATH).
    """

    timeout: Duration = "120s"
    paths: list[str] = msgspec.field(default_factory=lambda: ["."])
    history: bool = False
    strict: bool = False
    exclude: list[str] = msgspec.field(default_factory=list)
    accepted: dict[Fingerprint, Why] = msgspec.field(default_factory=dict)
    variables: list[str] = msgspec.field(default_factory=list)
    env_files: list[str] = msgspec.field(default_factory=list)
    engine: str = ""


class Finding(NamedTuple):
    """One key and its place. The value is never shown.

    Attributes:
        path: As the operator sees it.
        mild: Found by a name or a loose pattern, not by a provider's format.
        aside: In tests or docs.
        commit: Where it stands in the history, if it is only there.
    """

    path: str
    line: int
    rule: str
    value: str
    mild: bool
    aside: bool
    commit: str

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}" + (f" in commit {self.commit}" if self.commit else "")

    @property
    def fingerprint(self) -> str:
        """The same for a value wherever it stands, so that an accepted one may move."""
        return hashlib.blake2b(self.value.encode(), key=b"gonogo secrets v1", digest_size=5).hexdigest()


def probe(params: SecretsParameters) -> Outcome:
    """Scan the sources, then look at the variables and at the files that hold them."""
    try:
        return _look(params)
    except PermissionError as error:
        message = f"{error.filename} may not be read: run as a user who may."
        raise CannotTell(Reason.FORBIDDEN, message) from None


def _look(params: SecretsParameters) -> Outcome:
    env_files = [Path(path) for path in params.env_files if path]
    if not env_files and Path(".env").is_file():
        env_files = [Path(".env")]
    checks: list[Check] = []
    metrics: dict[str, float] = {}
    if roots := [scanner.find_root(path) for path in params.paths if path]:
        checks, metrics = _scan(params, roots, {path.resolve() for path in env_files})
    checks += [_variable_check(name) for name in params.variables if name]
    checks += [_env_file_check(path) for path in env_files]
    if not checks:
        raise CannotTell(Reason.CONFIG, "Nothing to look at: name paths, variables or env_files.")
    return conclude(checks, _summary(params, metrics), metrics, reason=Reason.MISSING)


def _summary(params: SecretsParameters, metrics: dict[str, float]) -> str:
    parts = [f"no key in {metrics['source_files']:.0f} source files"] if metrics else []
    if params.history:
        parts.append("none in the history")
    if accepted := metrics.get("findings_accepted"):
        parts.append(f"{accepted:.0f} accepted")
    if params.variables:
        parts.append(f"{len(params.variables)} variables set")
    text = ", ".join(parts) or "every file of variables is private"
    return f"{text[0].upper()}{text[1:]}."


# -- keys where they do not belong


def _scan(
    params: SecretsParameters, roots: list[Root], env_files: set[Path]
) -> tuple[list[Check], dict[str, float]]:
    sources = scanner.find_sources(roots, params.exclude, env_files)
    if not sources.files:
        names = ", ".join(params.paths)
        raise CannotTell(
            Reason.MISSING, f"No source file in {names}: there is none, or git ignores them all."
        )
    scanned = [_count("source files", len(sources.files), "source files")]
    if closed := sources.closed:
        message = f"{len(closed)} not readable, {_shown(closed[0])} first: scan as a user who may read all."
        line = Check(name="unreadable", verdict=Verdict.UNKNOWN, observed=len(closed), message=message)
        scanned.append(line)
    with tempfile.TemporaryDirectory(prefix="gonogo-secrets-") as home:
        engine = Engine(params.engine, home, _rule_cache(home))
        findings = [_finding(hit) for hit in scanner.scan_sources(engine, roots, sources)]
        current = {(finding.path, finding.value) for finding in findings}
        for root in roots if params.history else []:
            hits, commits = scanner.scan_history(engine, root, params.exclude)
            past = [_finding(hit) for hit in hits]
            findings += [finding for finding in past if (finding.path, finding.value) not in current]
            name = f"history of {_shown(str(root.path))}"
            scanned.append(_count(name, commits, "commits", shallow=root.shallow))
    checks, counts = _weigh(findings, params)
    return [*checks, *scanned], {"source_files": float(len(sources.files)), **counts}


def _rule_cache(private: str) -> str:
    """Return where the engine keeps its compiled rules: to compile them anew takes it about 5 s."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base) / "gonogo" / "kingfisher"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return private
    return str(folder) if os.access(folder, os.W_OK) else private


def _count(name: str, observed: int, what: str, *, shallow: bool = False) -> Check:
    if shallow:
        message = f"Only the newest {observed} {what} are in this shallow clone: git fetch --unshallow."
        return Check(name=name, verdict=Verdict.UNKNOWN, observed=observed, message=message)
    return Check(name=name, verdict=Verdict.PASS, observed=observed, message=f"{observed} {what} scanned.")


def _finding(hit: Hit) -> Finding:
    own = hit.rule.startswith("gonogo.")
    return Finding(
        path=_shown(hit.path),
        line=hit.line,
        rule=hit.rule.partition(".")[2],
        value=hit.value.rstrip(",;") if own else hit.value,
        mild=_MILD_RULE.search(hit.rule) is not None,
        aside=_is_aside(hit.relative),
        commit=hit.commit[:10],
    )


def _is_aside(relative: str) -> bool:
    path = PurePosixPath(relative.lower())
    in_folder = not _ASIDE_FOLDERS.isdisjoint(path.parts[:-1])
    return in_folder or any(fnmatch(path.name, pattern) for pattern in _ASIDE_FILES)


def _shown(path: str) -> str:
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def is_placeholder(value: str) -> bool:
    """Whether a value stands for one that nobody filled in."""
    return _PLACEHOLDER.search(value.strip()) is not None


def _is_dummy(finding: Finding) -> bool:
    """Whether the value only holds a place, is looked up elsewhere, or is made of plain words."""
    value = finding.value
    if url := _URL_PASSWORD.search(value):
        password = url[1]
        short = len(password) < _SHORTEST_URL_PASSWORD
        return short or is_placeholder(password) or _LOOKUP.search(password) is not None
    # In a long value, such as a private key, these few letters turn up by chance.
    if len(value) <= _LONGEST_PLACEHOLDER and is_placeholder(value):
        return True
    if not finding.mild:
        return False
    if _LOOKUP.search(value) or _DIGEST.search(value):
        return True
    return all(_WORD.fullmatch(part) for part in re.split(r"[\W_]+", value) if part)


def _weigh(findings: list[Finding], params: SecretsParameters) -> tuple[list[Check], dict[str, float]]:
    """Sort the findings into those held against the release, the accepted ones, and those only mentioned."""
    real = [finding for finding in findings if not _is_dummy(finding)]
    hard = {finding.place for finding in real if not finding.mild}
    unique = {
        (finding.place, finding.value): finding
        for finding in sorted(real, key=lambda one: (not one.mild, one.rule))
        if not (finding.mild and finding.place in hard)
    }
    ordered = sorted(unique.values(), key=lambda one: (one.mild, bool(one.commit), one.path, one.line))
    known = {one.fingerprint for one in ordered if one.fingerprint in params.accepted}
    unknown = [one for one in ordered if one.fingerprint not in params.accepted]
    aside = [one for one in unknown if one.mild and one.aside]
    held = [_finding_check(one, params.strict) for one in unknown if not (one.mild and one.aside)]
    checks = held[:_SHOWN]
    if rest := held[_SHOWN:]:
        message = f"+{len(rest)} more, shown once some of those above are gone or accepted."
        verdict = worst(check.verdict for check in rest)
        checks.append(Check(name="more keys", verdict=verdict, observed=len(rest), limit=0, message=message))
    if aside:
        where = ", ".join(one.place for one in aside[:3]) + (", ..." if aside[3:] else "")
        message = (
            f"{len(aside)} values in tests and docs look like keys, not held against the release: {where}"
        )
        checks.append(
            Check(name="tests and docs", verdict=Verdict.PASS, observed=len(aside), message=message)
        )
    if params.accepted:
        gone = ", ".join(sorted(set(params.accepted) - known))
        message = f"{len(known)} findings accepted." + (
            f" Not found any more, take them out: {gone}." if gone else ""
        )
        checks.append(Check(name="accepted", verdict=Verdict.PASS, observed=len(known), message=message))
    return checks, {
        "findings": float(len(held)),
        "findings_accepted": float(len(known)),
        "findings_in_tests_and_docs": float(len(aside)),
    }


def _finding_check(finding: Finding, strict: bool) -> Check:
    advice = "revoke it and let the program read a new one from the environment"
    if finding.commit:
        advice = "every clone holds it: revoke it and issue a new one"
    message = f"{finding.place}: {finding.rule}, fingerprint {finding.fingerprint}; {advice}."
    if finding.mild:
        message += " No secret? Put the fingerprint and the reason into `accepted`."
    verdict = Verdict.WARN if finding.mild and not strict else Verdict.FAIL
    return Check(name=finding.place, verdict=verdict, observed=finding.rule, message=message)


# -- keys where they belong


def _variable_check(name: str) -> Check:
    value = os.environ.get(name)
    state = "set"
    if value is None:
        state = "not set"
    elif not value.strip():
        state = "empty"
    elif is_placeholder(value):
        state = "a placeholder"
    if state == "set":
        return Check(name=name, verdict=Verdict.PASS, observed=state, limit="set", message=f"{name} is set.")
    message = f"{name} is {state}: give it its real value in the environment of the release."
    return Check(name=name, verdict=Verdict.FAIL, observed=state, limit="set", message=message)


def _env_file_check(path: Path) -> Check:
    real = path.resolve()
    name = _shown(str(real))
    if not real.is_file():
        message = f"{name} is not there: create it, or correct `env_files`."
        return Check(name=name, verdict=Verdict.UNKNOWN, observed="missing", message=message)
    mode = stat.S_IMODE(real.stat().st_mode)
    verdicts, advice = [Verdict.PASS], []
    if mode & 0o077:
        verdicts.append(Verdict.FAIL if mode & 0o007 else Verdict.WARN)
        who = "everybody" if mode & 0o007 else "its group"
        advice.append(f"mode {mode:04o} lets {who} in: chmod 600 {name}")
    if scanner.in_repository(real):
        if scanner.is_tracked(real):
            verdicts.append(Verdict.FAIL)
            advice.append(f"git tracks it: git rm --cached {name}, ignore it, revoke every key in it")
        elif not scanner.is_ignored(real):
            verdicts.append(Verdict.WARN)
            advice.append(f"git does not ignore it and could take it in: add {real.name} to .gitignore")
    message = (
        f"{name}: {'; '.join(advice)}." if advice else f"{name} is private: keys in it are where they belong."
    )
    return Check(name=name, verdict=worst(verdicts), observed=f"{mode:04o}", limit="0600", message=message)
