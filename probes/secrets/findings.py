"""What the scanner found, judged: a key, a value that only looks like one, or one that is accepted."""

import hashlib
import os
import re
import string
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import NamedTuple

from probes.outcome import Check, Verdict, worst
from probes.secrets.scanner import Hit

_SHOWN = 20
_SHORTEST_URL_PASSWORD = 6
_LONGEST_PLACEHOLDER = 80

_TEST_FOLDERS = frozenset({"test", "tests", "testdata", "fixtures", "spec", "specs", "__tests__"})
# A package may be called so too, and then it is shipped: only at the top these are sure to be no part of it.
_DOC_FOLDERS = frozenset({"doc", "docs", "examples", "testing"})
_PROSE = frozenset({".md", ".rst"})
_ASIDE_FILES = ("test_*", "*_test.*", "*.test.*", "*.spec.*", "conftest.py")

# Our keyword rules, and those of the engine for names of accounts and for any URL with a password.
_MILD_RULE = re.compile(r"^gonogo\.|generic|client-id|access-id|account-id")

_PLACEHOLDER = re.compile(
    r"""change[-_ ]?(?:me|this|it)|your[-_ ]|replace[-_ ]?(?:me|with|this)|to[-_]?do\b|fix[-_]?me
    |example|placeholder|dummy|sample|redacted|insert[-_ ]|fill[-_ ]?(?:me|in)|not[-_ ]?set
    |(?:goes|key|token|secret)[-_ ]?here|x{4,}|\*{3,}|\.{3,}|(?<!\d)0{8,}|12345678|abcdefgh
    |^\W*(?:x+|none|null|nil|undefined|unset|empty|secret|password|passwd|pass|token|test|guest|admin|root|user)\W*$
    |^(?:<.*>|\[[\w .-]*\]|\{\{.*\}\}|\{[\w .-]*\}|\$(?:\w+|\{.*\}|\(.*\))|%.*%)$""",
    re.IGNORECASE | re.VERBOSE,
)
_LOOKUP = re.compile(
    r"^ENC\[|\$\{|\$\(|\{\{|%\(|\{[a-z_][\w.]*\}|<[\w -]+>|environ|getenv|process\.env|^https?://",
    re.IGNORECASE,
)
# What stands after `password =` in templates and programs, and is none.
_NO_PASSWORD = re.compile(
    r"""^(?:[a-z]+[_.-])*(?:passw(?:or)?d|pwd)[_.-]?\d?$  # the name of a field
    |\{[\w.]*(?:\(.*\))?\}|%[sdrv](?![a-z0-9])|(?<![\w$])\$[A-Z_]{3}|^@.*@$  # filled in later
    |^[a-z+]+://|^(?:arn|env|file|keyring|kms|op|ref|secret\w*|sops|ssm|vault):  # an address
    |^(?:~|\.{0,2})/[\w./-]+$|^[#.:][a-z][\w-]*$  # a file, a selector
    |^\^.*\$$|\\[dwsbnu]|\(\?  # a regular expression
    |^[+.,)\]};|].*[+.({\[,]$  # the text between two quoted ones
    |^[^\W\d_]+[?.:*\u2026]$""",  # a label
    re.VERBOSE,
)
_SIGNS = frozenset(string.punctuation) - frozenset("-_./:,;[]()<>")
# Elsewhere a value without quotes is a literal; in a program it is an expression.
_PROGRAMS = frozenset(
    {
        *(".c", ".cc", ".cpp", ".cs", ".cxx", ".dart", ".ex", ".exs", ".go", ".gradle", ".groovy", ".h"),
        *(".hpp", ".hs", ".html", ".java", ".js", ".jsx", ".kt", ".kts", ".lua", ".m", ".mjs", ".php", ".pl"),
        *(".pm", ".proto", ".py", ".pyi", ".pyx", ".r", ".rb", ".rs", ".scala", ".sql", ".svelte", ".swift"),
        *(".tf", ".ts", ".tsx", ".vue", ".xml"),
    }
)
_DIGEST = re.compile(r"^(?:sha\d{1,3}|md5)[-:=]", re.IGNORECASE)
# In random letters some run of small ones is a single one. The runs are possessive: no value makes it slow.
_WORD = re.compile(r"(?:(?:[A-Z]{2,}+|[A-Z]?[a-z]{2,}+)+|[A-Za-z])\d{0,2}|\d{1,4}")
_URL_LOGIN = re.compile(r"://(?:[^:/@\s]*:)?([^@/\s]+)@")
_URL_PASSWORD = re.compile(r"://[^:/@\s]*:([^@\s]+)@")


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


def finding(hit: Hit) -> Finding:
    """Say what is known of a hit, without the noise around its value."""
    own = hit.rule.startswith("gonogo.")
    path = shown(hit.path)
    return Finding(
        path=path,
        line=hit.line,
        rule=hit.rule.partition(".")[2],
        value=hit.value.rstrip(",;") if own else hit.value,
        mild=_MILD_RULE.search(hit.rule) is not None,
        # The folder of the tests may itself be the one that is scanned.
        aside=_is_aside(hit.relative if PurePosixPath(path).is_absolute() else path),
        commit=hit.commit[:10],
    )


def _is_aside(relative: str) -> bool:
    path = PurePosixPath(relative.lower())
    folders = path.parts[:-1]
    if not _TEST_FOLDERS.isdisjoint(folders) or not _DOC_FOLDERS.isdisjoint(folders[:1]):
        return True
    if path.suffix in _PROSE or (path.suffix == ".txt" and not _DOC_FOLDERS.isdisjoint(folders)):
        return True
    return any(fnmatch(path.name, pattern) for pattern in _ASIDE_FILES)


def shown(path: str) -> str:
    """Write a path as the operator would: relative to the checklist's folder if it lies in there."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def is_placeholder(value: str) -> bool:
    """Whether a value stands for one that nobody filled in; of a URL with a login the secret part counts."""
    login = _URL_LOGIN.search(value)
    return _PLACEHOLDER.search(login[1] if login else value.strip()) is not None


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
    if finding.rule.startswith("password-"):
        return not _is_password(finding)
    return all(_WORD.fullmatch(part) for part in re.split(r"[\W_]+", value) if part)


def _is_password(finding: Finding) -> bool:
    """Whether what was given to the name of a password, short as it may be, is one as it stands."""
    value, suffix = finding.value, PurePosixPath(finding.path.lower()).suffix
    if finding.rule == "password-unquoted" and suffix in _PROGRAMS:
        return False
    mixed = any(sign.isalpha() for sign in value) and any(sign.isdigit() or sign in _SIGNS for sign in value)
    return mixed and _NO_PASSWORD.search(value) is None


def weigh(
    findings: list[Finding], accepted: Mapping[str, str], *, strict: bool
) -> tuple[list[Check], dict[str, float]]:
    """Sort the findings into those held against the release, the accepted ones, and those only mentioned."""
    real = [one for one in findings if not _is_dummy(one)]
    hard: dict[str, str] = {}
    for one in real:
        if not one.mild:
            hard[one.place] = hard.get(one.place, "") + "\n" + one.value
    unique = {
        (one.place, one.value): one
        for one in sorted(real, key=lambda one: (not one.mild, one.rule))
        # A loose pattern that saw the same key, not another one on that line.
        if not (one.mild and one.value in hard.get(one.place, ""))
    }
    ordered = sorted(unique.values(), key=lambda one: (one.mild, bool(one.commit), one.path, one.line))
    known = {one.fingerprint for one in ordered if one.fingerprint in accepted}
    unknown = [one for one in ordered if one.fingerprint not in accepted]
    aside = [one for one in unknown if one.mild and one.aside]
    held = [_held(one, strict=strict) for one in unknown if not (one.mild and one.aside)]
    checks = held[:_SHOWN]
    if rest := held[_SHOWN:]:
        checks.append(
            Check(
                name="more keys",
                verdict=worst(check.verdict for check in rest),
                observed=len(rest),
                limit=0,
                message=f"{len(rest)} more keys than are shown here.",
                hint="Deal with those above first: these come up once some of them are gone or accepted.",
            )
        )
    if aside:
        where = ", ".join(one.place for one in aside[:3]) + (", ..." if aside[3:] else "")
        many = "1 value in tests and docs looks like a key" if len(aside) == 1 else ""
        many = many or f"{len(aside)} values in tests and docs look like keys"
        message = f"{many}, which holds nothing up: {where}."
        checks.append(
            Check(name="tests and docs", verdict=Verdict.PASS, observed=len(aside), message=message)
        )
    if accepted:
        gone = ", ".join(sorted(set(accepted) - known))
        message = f"{len(known)} accepted." + (f" Not found any more, take them out: {gone}." if gone else "")
        checks.append(Check(name="accepted", verdict=Verdict.PASS, observed=len(known), message=message))
    return checks, {
        "findings": float(len(held)),
        "findings_accepted": float(len(known)),
        "findings_in_tests_and_docs": float(len(aside)),
    }


def _held(one: Finding, *, strict: bool) -> Check:
    hint = "Revoke it, and let the program read a new one from the environment."
    if one.commit:
        hint = "Revoke it and issue a new one: every clone holds it."
    if one.mild or one.commit:
        when = "Revoked" if one.commit and not one.mild else "No secret"
        hint += f' {when}? Accept it with a reason: accepted = {{ "{one.fingerprint}" = "why" }}.'
    return Check(
        name=one.place,
        verdict=Verdict.WARN if one.mild and not strict else Verdict.FAIL,
        observed=one.rule,
        message=f"{one.place} holds a key: {one.rule}, fingerprint {one.fingerprint}.",
        hint=hint,
    )
