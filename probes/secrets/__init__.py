"""Secrets: no key stands in the sources, and every key that must be set is set where it belongs."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec

from probes.outcome import CannotTell, Check, Outcome, Reason, Verdict, conclude
from probes.parameters import Duration, Parameters, seconds
from probes.secrets import ages, holders, scanner, sources
from probes.secrets.findings import finding, shown, weigh
from probes.secrets.scanner import Engine
from probes.secrets.sources import Root

Fingerprint = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{10}$")]
Why = Annotated[str, msgspec.Meta(pattern=r"\S")]
VaultKey = Annotated[str, msgspec.Meta(pattern=r"^/?[^/]+(/[^/]+)+$")]


class SecretsParameters(Parameters, frozen=True):
    """Whether a key stands in the sources, whether those that must be set are set, and how old they are.

    A key in the format of a provider is a fail wherever it stands. A value given to a name that means a
    secret (`API_KEY = ...`) is a warn, which holds the gate as well, or a fail with `strict`. It takes 12
    characters that look random; after a name that ends in `password`, `passwd` or `pwd` it takes 6, of
    which one is a letter and one a digit or a sign. In tests and docs it is only mentioned: in folders such
    as `test`, `tests` and `fixtures`, in `*.md` and `*.rst`, and in `doc`, `docs`, `examples` and `testing`
    at the top, of which a `*.txt` counts at any depth. Placeholders and lookups are nothing.

    In a git repository the sources are the tracked files and those not ignored, so a key in an ignored
    `.env` is where it belongs; symbolic links are not followed. A comment such as `gitleaks:allow` silences
    nothing; `accepted` does, with its reason. Archives are not opened. A file above 256 MB is not scanned,
    which leaves the answer open. Nothing is sent anywhere: whether a key still works is not tried.

    Empty and placeholder values of variables count as missing: words such as `changeme`, `your-...`,
    `replace me`, `todo`, `fixme`, `example`, `placeholder`, `dummy`, `sample`, `...-here`, `none`, `null`,
    `secret`, `password`, `token`, `test`, `admin`; `xxxx`, `***`, `...`, `00000000`, `12345678`; and all that
    stands in `<>`, `[]`, `{}` or `%`, or after `$`. Of a URL with a login its password is held against these,
    or a user name without one.

    Attributes:
        timeout: The deadline (default 120s: a long history takes a while).
        paths: Folders and files to scan, relative to the checklist (default: its folder). Empty: none.
        history: Scan all commits of all branches, tags and stashes too, and tell of `env_files` that once
            were in git (default false).
        strict: Fail on a value given to a secret name, where the default is to warn.
        exclude: More patterns of what is no source, beside lock files, digests, minified files, pictures,
            fonts, office files, what build tools write, vendored code, virtual environments and
            node_modules. Each is held against the path below its entry of `paths` and against every part
            of it.
        accepted: Findings that are known to be harmless: the fingerprint shown with the finding, and why. A
            fingerprint is 40 bits of a keyed BLAKE2b of the value, the same on every machine. It does not
            give a random key away; but the key of the hash is no secret, so whoever guesses a weak password
            can check the guess against it.
        variables: Names that must be set, to something that is no placeholder (default: none). They are
            looked up in the environment that this program runs in, or where `process` or `pid_file` say.
        process: Look `variables` up in the running processes that have these words in their command line,
            such as `gunicorn: master`; all of them have to have them. The kernel shows the environment that
            a process was started with, to its own user and root only. One that writes over it to show a
            title (setproctitle) hides what stood there.
        pid_file: As `process`: the file with the number of the running process. With both, the process has
            to fit both.
        env_files: Files of variables that must have mode 0600, be untracked by git and ignored by it
            (default: `.env`, if there is one).
        vault: The address of a Vault or OpenBao that has to serve, as in VAULT_ADDR (default: none). An
            active node passes, and a standby too, for it hands requests on; sealed, not initialised,
            removed, a disaster recovery secondary and a standby without an active node fail. Each request is
            given 5 s, redirects are not followed.
        vault_token: The token whose life is looked up, and `vault_keys` with it. A use is taken from one
            with a limited number of uses. It needs `read` on `auth/token/lookup-self`, which the policy
            `default` gives.
        vault_namespace: The namespace of the token (default: the root namespace).
        vault_ca: A file of certificates to trust (default: SSL_CERT_FILE, else those of certifi).
        vault_token_warn: How long the token has to live yet. 72h is our own choice, a weekend; one that is
            renewed is held against a quarter of its own length where that is shorter. A token that never
            expires is a warn, one that the server refuses a fail.
        rotated: The day each key was last changed, by its name, where nothing else tells:
            `{ STRIPE_KEY = 2026-08-01 }`.
        key_files: Files of one key each, as old as their last change.
        vault_keys: Keys in a KV version 2 of `vault`, as old as their newest version: `secret/api/stripe`,
            or `team/kv/data/api/stripe` if the name of the mount has a slash.
        age_warn: From what age on a key should be changed. 90 and 180 days are our own choice; 90 is what
            cloud benchmarks such as CIS ask of access keys.
        age_fail: From what age on it had to be changed.
        engine: The kingfisher program (default: the one installed with this program, else from PATH).
    """

    timeout: Duration = "120s"
    paths: list[str] = msgspec.field(default_factory=lambda: ["."])
    history: bool = False
    strict: bool = False
    exclude: list[str] = msgspec.field(default_factory=list)
    accepted: dict[Fingerprint, Why] = msgspec.field(default_factory=dict)
    variables: list[str] = msgspec.field(default_factory=list)
    process: str = ""
    pid_file: str = ""
    env_files: list[str] = msgspec.field(default_factory=list)
    vault: str = ""
    vault_token: str = ""
    vault_namespace: str = ""
    vault_ca: str = ""
    vault_token_warn: Duration = "72h"  # noqa: S105  # a length of time
    rotated: dict[str, date] = msgspec.field(default_factory=dict)
    key_files: list[str] = msgspec.field(default_factory=list)
    vault_keys: list[VaultKey] = msgspec.field(default_factory=list)
    age_warn: Duration = "90d"
    age_fail: Duration = "180d"
    engine: str = ""


class Evidence:
    """What was found so far. A doubt about one thing hides nothing that is sure about another."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.checks: list[Check] = []
        self.metrics: dict[str, float] = {}
        self.reasons: list[Reason] = []

    @contextmanager
    def look(self, name: str) -> Iterator[None]:
        """Turn what keeps the block from telling into a line of evidence of this name."""
        try:
            yield
        except CannotTell as doubt:
            self.doubt(name, doubt)
        except PermissionError as error:
            self.doubt(name, CannotTell(Reason.FORBIDDEN, f"{error.filename} may not be read.", _MORE_RIGHTS))
        except OSError as error:  # a file for a folder, a loop of links, a disk that is broken
            message = f"{error.filename} cannot be read: {error.strerror}."
            self.doubt(name, CannotTell(Reason.MISSING, message, "Correct that path, or see what is there."))

    def doubt(self, name: str, doubt: CannotTell, observed: int | None = None) -> None:
        """Add a line that could not be told."""
        self.reasons.append(doubt.reason)
        line = Check(
            name=name, verdict=Verdict.UNKNOWN, observed=observed, message=doubt.message, hint=doubt.hint
        )
        self.checks.append(line)

    def count(self, name: str, observed: int, what: str) -> None:
        """Add a line that says how much was looked at."""
        message = f"{many(observed, what)} scanned."
        self.checks.append(Check(name=name, verdict=Verdict.PASS, observed=observed, message=message))


_MORE_RIGHTS = "Run as a user who may read it."


def probe(params: SecretsParameters) -> Outcome:
    """Scan the sources, then look at the variables, the files that hold them, the Vault and the ages."""
    found = Evidence()
    env_files = [Path(path) for path in params.env_files if path]
    if not env_files and Path(".env").is_file():
        env_files = [Path(".env")]
    if paths := [path for path in params.paths if path]:
        with found.look("sources"):
            _scan(params, [sources.find_root(path) for path in paths], env_files, found)
    elif params.history and not env_files:
        found.doubt("history", CannotTell(Reason.CONFIG, "No history is named.", "Name paths."))
    _check_variables(params, found)
    for path in env_files:
        with found.look(shown(os.path.realpath(path))):
            found.checks.append(holders.check_env_file(path, history=params.history))
    _check_vault(params, found)
    _check_ages(params, found)
    if not found.checks:
        hint = "Name paths, variables, env_files, vault, rotated or key_files."
        raise CannotTell(Reason.CONFIG, "Nothing to look at.", hint)
    reason = found.reasons[0] if found.reasons else Reason.FORBIDDEN
    return conclude(found.checks, _summary(params, found), found.metrics, reason=reason)


def _summary(params: SecretsParameters, found: Evidence) -> str:
    files = found.metrics.get("source_files")
    parts = [] if files is None else [f"no key in {many(int(files), 'source file')}"]
    if params.history and files is not None:
        parts.append("none in the history")
    if accepted := found.metrics.get("findings_accepted"):
        parts.append(f"{accepted:.0f} accepted")
    if params.variables:
        parts.append(f"{many(len(params.variables), 'variable')} set")
    if params.vault:
        parts.append("the Vault serves")
    if aged := sum(check.name.startswith("age of ") for check in found.checks):
        parts.append(f"{many(aged, 'key')} young enough")
    text = ", ".join(parts) or "every file of variables is private"
    if aside := int(found.metrics.get("findings_in_tests_and_docs", 0)):
        looks = "looks like one" if aside == 1 else "look like keys"
        text += f"; {many(aside, 'value')} in tests and docs {looks}"
    return f"{text[0].upper()}{text[1:]}."


def many(count: int, what: str) -> str:
    """Write a number of things."""
    return f"{count} {what}" + ("" if count == 1 else "s")


def _scan(params: SecretsParameters, roots: list[Root], env_files: list[Path], found: Evidence) -> None:
    listed = sources.find_sources(roots, params.exclude, {Path(os.path.realpath(path)) for path in env_files})
    if not listed.files:
        message = f"No source file in {', '.join(params.paths)}: there is none, or git ignores them all."
        raise CannotTell(Reason.MISSING, message, "Correct paths.")
    with tempfile.TemporaryDirectory(prefix="gonogo-secrets-") as home:
        engine = Engine(params.engine, home, _rule_cache(home))
        findings = [finding(hit) for hit in scanner.scan_sources(engine, roots, listed)]
        current = {(one.path, one.value) for one in findings}
        past = Evidence()
        for root in roots if params.history else []:
            name = f"history of {shown(str(root.path))}"
            with past.look(name):
                hits, commits = scanner.scan_history(engine, root, params.exclude)
                earlier = [finding(hit) for hit in hits]
                findings += [one for one in earlier if (one.path, one.value) not in current]
                if root.shallow:
                    message = f"Only the newest {many(commits, 'commit')} can be seen in this shallow clone."
                    hint = f"Fetch the rest: git -C {root.top} fetch --unshallow."
                    past.doubt(name, CannotTell(Reason.MISSING, message, hint), commits)
                else:
                    past.count(name, commits, "commit")
    checks, counts = weigh(findings, params.accepted, strict=params.strict)
    found.metrics.update({"source_files": float(len(listed.files)), **counts})
    found.checks += checks
    found.count("source files", len(listed.files), "source file")
    for path in listed.empty:
        message = f"No source file in {shown(path)}: there is none, or git ignores them all."
        found.doubt(shown(path), CannotTell(Reason.MISSING, message, "Correct paths."))
    if closed := listed.closed:
        message = f"{len(closed)} not readable, {shown(closed[0])} first."
        found.doubt("unreadable", CannotTell(Reason.FORBIDDEN, message, _MORE_RIGHTS), len(closed))
    if large := listed.large:
        message = f"{len(large)} above {sources.MAX_SIZE} MB were not scanned, {shown(large[0])} first."
        hint = f'If they are no sources, exclude them: exclude = ["{Path(large[0]).name}"].'
        found.doubt("large files", CannotTell(Reason.LIMIT, message, hint), len(large))
    found.checks += past.checks
    found.reasons += past.reasons


def _rule_cache(private: str) -> str:
    """Return where the engine keeps its compiled rules: to compile them anew takes it about 5 s."""
    try:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        folder = Path(base) / "gonogo" / "kingfisher"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: a user without a home, as in many containers
        return private
    return str(folder) if os.access(folder, os.W_OK) else private


def _check_variables(params: SecretsParameters, found: Evidence) -> None:
    names = [name for name in params.variables if name]
    with found.look("process"):
        where = holders.this_environment()
        if params.process or params.pid_file:
            if not names:
                message = "A process is named, but no variable to look up in it."
                raise CannotTell(Reason.CONFIG, message, "Name them in variables.")
            where = holders.process_environments(params.process, params.pid_file)
        found.checks += [holders.check_variable(name, where) for name in names]


def _check_vault(params: SecretsParameters, found: Evidence) -> None:
    if not params.vault:
        if params.vault_keys or params.vault_token:
            hint = "Give its address as vault, or leave vault_token and vault_keys out."
            found.doubt("vault", CannotTell(Reason.CONFIG, "No Vault is named to ask.", hint))
        return
    with found.look("vault"):
        from probes.secrets.vault import Vault

        vault = Vault(params.vault, params.vault_token, params.vault_namespace, params.vault_ca)
        health = vault.check_health()
        found.checks.append(health)
        if health.verdict is Verdict.FAIL:
            return
        if params.vault_token:
            with found.look("vault token"):
                token = vault.check_token(seconds(params.vault_token_warn))
                found.checks.append(token)
                if token.verdict is Verdict.FAIL:
                    return
        for key in params.vault_keys:
            with found.look(f"age of {key}"):
                found.checks.append(
                    ages.check_age(key, vault.changed(key), _limits(params), "says the Vault")
                )


def _check_ages(params: SecretsParameters, found: Evidence) -> None:
    for key, day in params.rotated.items():
        with found.look(f"age of {key}"):
            found.checks.append(ages.check_age(key, ages.of_day(day), _limits(params), "says its item"))
    for file in params.key_files:
        key = shown(str(Path(file).absolute()))
        with found.look(f"age of {key}"):
            changed = ages.of_file(Path(file))
            found.checks.append(ages.check_age(key, changed, _limits(params), "says its file"))


def _limits(params: SecretsParameters) -> tuple[float, float]:
    return seconds(params.age_warn), seconds(params.age_fail)
