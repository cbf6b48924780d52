import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from probes.outcome import Check, Outcome, Reason, Verdict
from tests.probes import planted
from tests.probes.planted import Planter
from tests.servers.stub import Answer, Request, Stub, stub
from tests.servers.vault import TOKEN, vault_stub

Scan = Callable[..., Awaitable[Outcome]]


@pytest.fixture
def scan(
    run_probe: Callable[..., Awaitable[Outcome]],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Scan:
    """Run the probe; the engine compiles its rules once for all tests instead of in each."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared / "cache"))

    async def run(**given: Any) -> Outcome:
        return await run_probe("secrets", **{"timeout": "120s", **given})

    return run


@pytest.fixture
def planter() -> Planter:
    return Planter()


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Operator", "-c", "user.email=operator@invalid", "-c", "commit.gpgsign=false"]
    ended = subprocess.run(
        ["git", "-C", folder, *who, *arguments], check=True, capture_output=True, text=True
    )
    return ended.stdout


def repository(folder: Path, ignore: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet")
    (folder / ".gitignore").write_text(ignore)
    return folder


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Change")


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def keyed(outcome: Outcome) -> dict[str, Check]:
    return {check.name: check for check in outcome.checks}


def fingerprint(check: Check) -> str:
    return check.message.partition("fingerprint ")[2][:10]


async def test_a_tree_without_keys_passes_and_says_how_many_files_it_scanned(
    scan: Scan, tmp_path: Path
) -> None:
    write(tmp_path / "app.py", "import os\n\nAPI_KEY = os.environ['API_KEY']\n")
    write(tmp_path / "lib" / "deep" / "more.py", "x = 1\n")

    outcome = await scan()

    assert outcome.verdict is Verdict.PASS
    assert keyed(outcome)["source files"].observed == 2
    assert outcome.metrics["source_files"] == 2


async def test_keys_of_providers_fail_at_their_lines_and_their_values_are_told_nobody(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    keys = planter.one_of_each()
    for kind, key in keys.items():
        write(tmp_path / "src" / f"{kind}.py", f'import os\n\nvalue = """{key}"""\n')

    outcome = await scan()

    failed = {check.name: check for check in outcome.checks if check.verdict is Verdict.FAIL}
    assert failed.keys() == {f"src/{kind}.py:3" for kind in planted.KINDS}
    assert len({fingerprint(check) for check in failed.values()}) == len(planted.KINDS)
    told = msgspec.json.encode(outcome).decode()
    assert [kind for kind, key in keys.items() if any(part in told for part in key.split("\n"))] == []


async def test_the_secret_half_of_a_cloud_key_pair_and_a_url_with_a_password_are_found(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    name, secret = planter.aws_pair()
    url = planter.postgres_url()
    write(tmp_path / "aws.cfg", f"aws_access_key_id = {name}\naws_secret_access_key = {secret}\n")
    write(tmp_path / "db.py", f'\nDATABASE = "{url}"\n')

    outcome = await scan()

    lines = keyed(outcome)
    assert {"aws.cfg:1", "aws.cfg:2", "db.py:2"} <= lines.keys()
    assert secret not in str(outcome)
    assert url not in str(outcome)


HARD_CODED = {
    "plain.py": 'API_KEY = "{}"',
    "typed.py": 'api_key: str = "{}"',
    "default.py": 'key = os.getenv("API_KEY", "{}")',
    "item.py": 'config["db_password"] = "{}"',
    "header.py": 'headers = {{"Authorization": "Bearer {}"}}',
    "client.ts": "  secretKey: '{}',",
    "client.json": '  "auth_token": "{}",',
    "prod.env": "DB_PASS={}",
    "comment.env": "export TOKEN={}  # until June",
    "compose.yml": "      - POSTGRES_PASSWORD={}",
    "values.yaml": "  password: {}",
    "windows.ini": "secret_key = {}\r",
}


async def test_a_hard_coded_value_of_a_secret_name_is_a_warning_and_a_failure_when_strict(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    values = {name: planter.text(32, planted.HEX) for name in HARD_CODED}
    for name, line in HARD_CODED.items():
        write(tmp_path / name, "\n" + line.format(values[name]) + "\n")

    mild, strict = await scan(), await scan(strict=True)

    assert mild.verdict is Verdict.WARN
    assert strict.verdict is Verdict.FAIL
    places = {f"{name}:2" for name in HARD_CODED}
    assert {check.name for check in mild.checks if check.verdict is Verdict.WARN} == places
    assert {check.name for check in strict.checks if check.verdict is Verdict.FAIL} == places
    assert [name for name, value in values.items() if value in str(mild)] == []


HARMLESS = [
    'API_KEY = "changeme-please-1"',
    'API_KEY = "your-key-here-123"',
    'API_KEY = "xxxxxxxxxxxxxxxx1"',
    'API_KEY = "<insert-1-key-here>"',
    "API_KEY=${API_KEY:-nothing-1234}",
    'password = "{{ vault_password_2 }}"',
    'token = os.environ["SERVICE_TOKEN_V2"]',
    "password = get_password_from_vault1(user)",
    'token_url = "https://login.invalid/oauth2/t0ken"',
    'secret = "database-credentials-v2"',
    'secret = "getTokenFromHTTPServer2"',
    'author = "A1b2C3d4E5f6G7h8"',
    "password: sha256:9f86d081884c7d659a2feaa0c55ad015",
    'DATABASE = "postgres://postgres:postgres@localhost/app"',
    'DATABASE = "postgres://app:${DB_PASSWORD}@db.internal.corp.net/app"',
]


async def test_placeholders_lookups_and_plain_words_are_no_keys(scan: Scan, tmp_path: Path) -> None:
    write(tmp_path / "settings.py", "\n".join(HARMLESS))

    outcome = await scan(strict=True)

    assert [HARMLESS[int(name.rpartition(":")[2]) - 1] for name in keyed(outcome) if ":" in name] == []
    assert outcome.verdict is Verdict.PASS


SHORT = {
    "compose.yml": "      - MYSQL_ROOT_PASSWORD={}",
    "compose2.yml": "      REDIS_PASSWORD: '{}'",
    "plain.yml": "  password: {}",
    "settings.py": "PASSWORD = '{}'",
    "call.py": 'connect("db", user="app", password="{}")',
    "typed.py": 'db_password: str = "{}"',
    "item.py": 'config["DB-PASSWD"] = "{}"',
    "client.ts": "  dbPassword: '{}',",
    "client.json": '  "admin_pwd": "{}",',
    "prod.env": "export DB_PASSWORD={}  # until June",
    "Dockerfile": "ENV POSTGRES_PASSWORD={}",
    "app.properties": "spring.datasource.password={}",
    "windows.ini": "passwd = {}\r",
}
WEAK = [
    "Winter" + "24!",
    "hunter" + "22",
    "tr0ub4" + "dor&3",
    "Summer" + "2026!",
    "P@ss" + "word1",
    "abc" + "123",
]


@pytest.mark.parametrize("value", WEAK)
async def test_a_short_literal_password_is_a_warning_and_a_failure_when_strict(
    value: str, scan: Scan, tmp_path: Path
) -> None:
    for name, line in SHORT.items():
        write(tmp_path / name, "\n" + line.format(value) + "\n")

    mild, strict = await scan(), await scan(strict=True)

    places = {f"{name}:2" for name in SHORT}
    assert {check.name for check in mild.checks if check.verdict is Verdict.WARN} == places
    assert {check.name for check in strict.checks if check.verdict is Verdict.FAIL} == places
    assert value not in str(mild)


NO_PASSWORDS = {
    "app.py": """
password = os.environ["DB_PASSWORD1"]
password = getpass(prompt1)
password = settings.db[0].password2
password: str
password: Optional[str1] = None
def login(user2, password=password2):
password = None
password = True
password = "{0}:{1}"
password = "%s-%s"
password = "${DB_PASSWORD1}"
password = "$DB_PASSWORD1"
password = "{{ db_password1 }}"
password = "$(cat /run/secrets/db1)"
password = "<your-password-1>"
password = "password2"
password = "new_password1"
password = "Password:"
password = "Vergessen?"
password = "Passwort*"
password = "user.password-1"
password = "current-password"
password = "/run/secrets/db_password1"
password = "vault:secret/db#password1"
password = "arn:aws:secretsmanager:eu-1:123:secret:db1"
password = "#password-2"
password = r"^[a-z0-9]{8,}$"
body = "user=a&password=" + quote(secret1) + "&x=1"
body = "user=a&password="+secret1+"&x=1"
password_field = "user2x"
passwords = "user2x"
password = "{planter.text(20)}"
password = "12345678"
password = "2026-01-01"
""",
    "values.yml": """
password: ${DB_PASSWORD1}
password: {{ db_password1 }}
password: *default1
password: &default1
password: !vault1
password: $PASSWORD1
password: $(cat2)
password: true
password: null
password: changeme1
password: string
password: /run/secrets/db1
PWD=/home/user1
OLD_PWD=$(pwd1)
""",
    "Model.kt": "  password: Array<String?>,\n  password: user2.password1,\n  password = other1\n",
    "de.json": '{"password": "Passwort", "new_password": "Neues-Passwort", "ask_password": "Willkommen?"}\n',
}


async def test_what_is_no_literal_password_is_none(scan: Scan, tmp_path: Path) -> None:
    for name, text in NO_PASSWORDS.items():
        write(tmp_path / name, text)

    outcome = await scan(strict=True)

    places = [name.rpartition(":") for name in keyed(outcome) if ":" in name]
    assert [NO_PASSWORDS[name].split("\n")[int(number) - 1] for name, _, number in places] == []
    assert outcome.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("path", "aside"),
    [
        ("docs/settings.py", True),
        ("doc/settings.py", True),
        ("examples/settings.py", True),
        ("src/docs/settings.py", False),
        ("src/testing/settings.py", False),
        ("src/examples/settings.py", False),
        ("src/docs/start.rst", True),
        ("src/docs/start.txt", True),
        ("README.md", True),
        ("passwords.txt", False),
        ("src/tests/settings.py", True),
        ("src/test/settings.py", True),
    ],
)
async def test_only_tests_prose_and_the_docs_at_the_top_are_spared(
    path: str, aside: bool, scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    write(tmp_path / path, f"DB_PASSWORD={planter.text(20)!r}\n")

    outcome = await scan()

    assert outcome.metrics["findings_in_tests_and_docs"] == aside
    assert outcome.verdict is (Verdict.PASS if aside else Verdict.WARN)


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "No key in 2 source files; 1 value in tests and docs looks like one."),
        (2, "No key in 2 source files; 2 values in tests and docs look like keys."),
    ],
)
async def test_a_pass_says_first_that_values_in_tests_and_docs_look_like_keys(
    count: int, words: str, scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    write(tmp_path / "app.py", "x = 1\n")
    write(tmp_path / "docs" / "a.md", "".join(f"PASSWORD={planter.text(20)}\n" for _ in range(count)))

    outcome = await scan()

    assert (outcome.verdict, outcome.summary) == (Verdict.PASS, words)
    assert keyed(outcome)["tests and docs"].message.startswith(words.partition("; ")[2].partition(" in ")[0])


async def test_values_in_tests_and_docs_are_mentioned_but_a_providers_key_fails_there_too(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    write(tmp_path / "tests" / "test_login.py", f'password = "{planter.text(20)}"\n')
    write(tmp_path / "docs" / "start.md", f"\nPASSWORD={planter.text(20)}\n")

    mentioned = await scan(strict=True)
    write(tmp_path / "tests" / "live.py", f'key = "{planter.github()}"\n')
    live = await scan()

    assert mentioned.verdict is Verdict.PASS
    assert mentioned.metrics["findings_in_tests_and_docs"] == 2
    assert "docs/start.md:2" in keyed(mentioned)["tests and docs"].message
    assert keyed(live)["tests/live.py:1"].verdict is Verdict.FAIL


async def test_an_accepted_fingerprint_holds_nothing_up_wherever_the_value_stands(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    key = planter.github()
    write(tmp_path / "one.py", f'key = "{key}"\n')
    known = fingerprint(keyed(await scan())["one.py:1"])
    (tmp_path / "one.py").rename(tmp_path / "two.py")

    accepted = await scan(accepted={known: "revoked in May, kept as a sample"})
    write(tmp_path / "new.py", f'key = "{planter.github()}"\n')
    new = await scan(accepted={known: "revoked in May, kept as a sample"})

    assert accepted.verdict is Verdict.PASS
    assert accepted.metrics["findings_accepted"] == 1
    assert new.verdict is Verdict.FAIL
    assert "two.py:1" not in keyed(new)


async def test_an_acceptance_that_matches_nothing_any_more_is_pointed_out(scan: Scan, tmp_path: Path) -> None:
    write(tmp_path / "app.py", "x = 1\n")

    outcome = await scan(accepted={"0123456789": "gone long ago"})

    assert outcome.verdict is Verdict.PASS
    assert "0123456789" in keyed(outcome)["accepted"].message


async def test_an_acceptance_needs_a_reason(scan: Scan, tmp_path: Path) -> None:
    write(tmp_path / "app.py", "x = 1\n")

    outcome = await scan(accepted={"0123456789": ""})

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)


async def test_a_comment_in_the_source_silences_no_finding(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    write(tmp_path / "app.py", f'key = "{planter.github()}"  # gitleaks:allow kingfisher:ignore\n')

    outcome = await scan()

    assert outcome.verdict is Verdict.FAIL


async def test_lock_files_environments_and_excluded_patterns_are_no_sources(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    line = f'token = "{planter.github()}"\n'
    for path in (
        "uv.lock",
        "node_modules/a/index.js",
        ".venv/lib/a.py",
        "sums.sha256",
        "old/a.py",
        "a/old.sql",
    ):
        write(tmp_path / path, line)
    write(tmp_path / "app.py", "x = 1\n")

    outcome = await scan(exclude=["old/", "*.sql"])

    assert outcome.verdict is Verdict.PASS
    assert keyed(outcome)["source files"].observed == 1


async def test_many_keys_are_capped_with_the_gravest_first(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    write(tmp_path / "a.py", "".join(f'password = "{planter.text(32, planted.HEX)}"\n' for _ in range(30)))
    write(tmp_path / "z.py", f'key = "{planter.github()}"\n')

    outcome = await scan()

    assert outcome.checks[0].name == "z.py:1"
    assert outcome.metrics["findings"] == 31
    assert keyed(outcome)["more keys"].observed == 11
    assert len(outcome.checks) < 25


async def test_odd_file_names_hide_no_key(scan: Scan, tmp_path: Path, planter: Planter) -> None:
    repository(tmp_path / "repo")
    for name in ("we ird.py", "[b]{r}*.py", "日本.py", os.fsdecode(b"bytes\xff.py")):
        write(tmp_path / "repo" / name, f'key = "{planter.github()}"\n')

    outcome = await scan(paths=["repo"])

    assert outcome.metrics["findings"] == 4


@pytest.mark.parametrize("closed", ["closed.py", "closed"])
def test_a_source_that_may_not_be_read_leaves_the_answer_open(
    closed: str, gonogo: str, tmp_path: Path
) -> None:
    write(tmp_path / "app.py", "x = 1\n")
    write(tmp_path / "closed.py", "x = 1\n")
    write(tmp_path / "closed" / "app.py", "x = 1\n")
    (tmp_path / closed).chmod(0)
    # Root reads everything, unless it gives that power away.
    powers = "-dac_override,-dac_read_search"
    modest = ["setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}"] if os.geteuid() == 0 else []

    ended = subprocess.run(
        [*modest, gonogo, "probe", "secrets", "--format", "json"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    (tmp_path / closed).chmod(0o700)

    outcome = msgspec.json.decode(ended.stdout, type=Outcome)
    assert outcome.verdict is Verdict.UNKNOWN
    assert closed in keyed(outcome)["unreadable"].message


async def test_in_a_repository_ignored_files_are_no_sources_but_new_ones_are(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    repository(tmp_path, ignore="/build/\nlocal.py\n")
    for path in ("build/a.py", "local.py", "src/build/a.py", "new.py"):
        write(tmp_path / path, f'key = "{planter.github()}"\n')

    outcome = await scan()

    failed = {check.name for check in outcome.checks if check.verdict is Verdict.FAIL}
    assert failed == {"src/build/a.py:1", "new.py:1"}


async def test_a_key_only_in_the_history_is_found_when_the_history_is_asked_for(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    repository(tmp_path)
    key = planter.github()
    write(tmp_path / "config" / "old.py", f'\nkey = "{key}"\n')
    commit(tmp_path)
    first = git(tmp_path, "rev-parse", "HEAD")[:10]
    (tmp_path / "config" / "old.py").write_text("key = None\n")
    commit(tmp_path)

    now, ever = await scan(), await scan(history=True)

    assert now.verdict is Verdict.PASS
    assert ever.verdict is Verdict.FAIL
    assert keyed(ever)[f"config/old.py:2 in commit {first}"].verdict is Verdict.FAIL
    assert keyed(ever)["history of ."].observed == 2
    assert key not in str(ever)


async def test_the_history_is_read_from_a_linked_worktree_and_on_other_branches(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    main = repository(tmp_path / "main")
    commit(main)
    git(main, "switch", "--quiet", "--create", "side")
    write(main / "side.py", f'key = "{planter.github()}"\n')
    commit(main)
    git(main, "switch", "--quiet", "--detach", "HEAD~1")
    git(main, "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))

    outcome = await scan(paths=["linked"], history=True)

    assert any(check.name.startswith("linked/side.py:1 in commit") for check in outcome.checks)


async def test_a_shallow_clone_cannot_vouch_for_the_history(scan: Scan, tmp_path: Path) -> None:
    origin = repository(tmp_path / "origin")
    for number in range(2):
        write(origin / "a.py", f"x = {number}\n")
        commit(origin)
    git(tmp_path, "clone", "--quiet", "--depth", "1", origin.as_uri(), "shallow")

    outcome = await scan(paths=["shallow"], history=True)

    assert outcome.verdict is Verdict.UNKNOWN
    assert "newest 1 commit" in outcome.summary
    assert "--unshallow" in outcome.hint


async def test_a_repository_that_git_does_not_read_is_unknown(scan: Scan, tmp_path: Path) -> None:
    write(tmp_path / ".git" / "HEAD", "damaged\n")
    write(tmp_path / "app.py", "x = 1\n")

    outcome = await scan()

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.FORBIDDEN)


async def test_a_repository_whose_files_git_cannot_list_is_unknown_beside_a_clean_one(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    write(tmp_path / "a" / "app.py", "x = 1\n")
    write(repository(tmp_path / "b") / "app.py", f'key = "{planter.github()}"\n')
    commit(tmp_path / "b")
    (tmp_path / "b" / ".git" / "index").write_text("damaged")

    outcome = await scan(paths=["a", "b"])

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.PROTOCOL)
    assert f"git could not look into {tmp_path / 'b'} (fatal:" in outcome.summary


def with_submodule(folder: Path, key: str) -> Path:
    """Make a repository with another one in it, `sub`, that holds a key; return the latter."""
    write(repository(folder / "origin") / "app.py", f'key = "{key}"\n')
    commit(folder / "origin")
    write(repository(folder / "top") / "main.py", "x = 1\n")
    origin = str(folder / "origin")
    git(folder / "top", "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", origin, "sub")
    commit(folder / "top")
    return folder / "top" / "sub"


async def test_a_key_in_a_submodule_is_found_even_where_its_git_folder_is_gone(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    inner = with_submodule(tmp_path, planter.github())

    whole = await scan(paths=["top"])
    (inner / ".git").unlink()
    bare = await scan(paths=["top"])

    assert keyed(whole)["top/sub/app.py:1"].verdict is Verdict.FAIL
    assert keyed(bare)["top/sub/app.py:1"].verdict is Verdict.FAIL


async def test_a_submodule_whose_files_git_cannot_list_is_unknown(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    with_submodule(tmp_path, planter.github())
    (tmp_path / "top" / ".git" / "modules" / "sub" / "index").write_text("damaged")

    outcome = await scan(paths=["top"])

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.PROTOCOL)


async def test_whether_an_env_file_is_tracked_is_unknown_where_git_cannot_tell(
    scan: Scan, tmp_path: Path
) -> None:
    repository(tmp_path)
    write(tmp_path / ".env", "PORT=1\n")
    (tmp_path / ".env").chmod(0o600)
    commit(tmp_path)
    (tmp_path / ".git" / "index").write_text("damaged")

    outcome = await scan(paths=[])

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.PROTOCOL)


async def test_a_history_whose_commits_git_cannot_count_is_unknown(scan: Scan, tmp_path: Path) -> None:
    repository(tmp_path)
    write(tmp_path / "a.py", "x = 1\n")
    commit(tmp_path)
    (tmp_path / ".git" / "refs" / "heads" / "gone").write_text("1" * 40 + "\n")

    outcome = await scan(history=True)

    assert outcome.verdict is Verdict.UNKNOWN


async def test_a_key_in_a_private_ignored_env_file_is_where_it_belongs(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    repository(tmp_path, ignore=".env\n")
    write(tmp_path / ".env", f"API_KEY={planter.github()}\n")
    (tmp_path / ".env").chmod(0o600)

    outcome = await scan()

    assert outcome.verdict is Verdict.PASS
    assert "where they belong" in keyed(outcome)[".env"].message


async def test_a_tracked_env_file_fails_and_so_do_the_keys_in_it(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    repository(tmp_path)
    write(tmp_path / ".env", f"API_KEY={planter.github()}\n")
    (tmp_path / ".env").chmod(0o600)
    commit(tmp_path)

    lines = keyed(await scan())

    assert lines[".env"].verdict is lines[".env:1"].verdict is Verdict.FAIL
    assert "tracked by git" in lines[".env"].message
    assert "git rm --cached .env" in lines[".env"].hint


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [(0o600, Verdict.PASS), (0o400, Verdict.PASS), (0o640, Verdict.WARN), (0o604, Verdict.FAIL)],
)
async def test_the_mode_of_an_env_file_says_who_may_read_it(
    mode: int, verdict: Verdict, scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    write(tmp_path / "prod.env", f"API_KEY={planter.github()}\n")
    (tmp_path / "prod.env").chmod(mode)

    outcome = await scan(paths=[], env_files=["prod.env"])

    assert outcome.verdict is verdict
    assert keyed(outcome)["prod.env"].observed == f"{mode:04o}"


@pytest.mark.parametrize(
    ("value", "verdict", "state"),
    [
        (None, Verdict.FAIL, "not set"),
        ("", Verdict.FAIL, "empty"),
        ("changeme", Verdict.FAIL, "a placeholder"),
        ("xxx", Verdict.FAIL, "a placeholder"),
        ("your-key-here", Verdict.FAIL, "a placeholder"),
        ("<api key>", Verdict.FAIL, "a placeholder"),
        ("TODO", Verdict.FAIL, "a placeholder"),
        ("q7Jm2-Zr90", Verdict.PASS, "set"),
    ],
)
async def test_a_required_variable_must_be_set_to_something_real(
    value: str | None, verdict: Verdict, state: str, scan: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is not None:
        monkeypatch.setenv("GONOGO_TEST_KEY", value)

    outcome = await scan(paths=[], variables=["GONOGO_TEST_KEY"])

    assert outcome.verdict is verdict
    assert keyed(outcome)["GONOGO_TEST_KEY"].observed == state
    assert value is None or len(value) < 5 or value not in str(outcome)


async def test_nothing_to_look_at_is_unknown(scan: Scan) -> None:
    outcome = await scan(paths=[])

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)


async def test_a_missing_engine_is_unknown(scan: Scan, tmp_path: Path) -> None:
    write(tmp_path / "app.py", "x = 1\n")

    outcome = await scan(engine=str(tmp_path / "kingfisher"))

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.MISSING)


@pytest.mark.parametrize(
    ("does", "reason"),
    [
        ("print('{}')", Reason.PROTOCOL),
        ("sys.exit(3)", Reason.PROTOCOL),
        ("os.kill(os.getpid(), 9)", Reason.CRASHED),
    ],
)
async def test_an_engine_that_breaks_off_or_speaks_otherwise_is_unknown(
    does: str, reason: Reason, scan: Scan, tmp_path: Path
) -> None:
    engine = tmp_path / "engine"
    write(engine, f"#!{sys.executable}\nimport os, sys\n{does}\n")
    engine.chmod(0o755)

    outcome = await scan(engine=str(engine))

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, reason)


async def test_a_run_leaves_nothing_behind_but_the_compiled_rules(
    scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planter: Planter
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(home))
    write(tmp_path / "src" / "app.py", f'key = "{planter.github()}"\n')

    outcome = await scan(paths=["src"])

    assert outcome.verdict is Verdict.FAIL
    assert [entry.name for entry in home.iterdir()] == ["gonogo"]
    assert [entry.name for entry in (home / "gonogo").iterdir()] == ["kingfisher"]


async def test_where_no_cache_can_be_kept_the_scan_works_all_the_same(
    scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planter: Planter
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    write(tmp_path / "src" / "app.py", f'key = "{planter.github()}"\n')

    outcome = await scan(paths=["src"])

    assert outcome.verdict is Verdict.FAIL


async def test_a_failure_is_not_hidden_by_a_doubt_about_something_else(scan: Scan) -> None:
    outcome = await scan(paths=["src"], variables=["GONOGO_TEST_KEY"])

    assert outcome.verdict is Verdict.FAIL
    assert "GONOGO_TEST_KEY is not set" in outcome.summary
    assert "src does not exist" in keyed(outcome)["sources"].message


# -- running processes


def by_hand(gonogo: str, folder: Path, *arguments: str, before: tuple[str, ...] = ()) -> Outcome:
    """Run the probe by the command, whose own command line then has the parameters in it."""
    command = [*before, gonogo, "probe", "secrets", "--format", "json", "paths=[]", *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    return msgspec.json.decode(ended.stdout, type=Outcome)


def test_the_run_itself_is_not_taken_for_the_process_that_it_names(gonogo: str, tmp_path: Path) -> None:
    outcome = by_hand(gonogo, tmp_path, 'variables=["PATH"]', "process=no-such-service-runs")

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.MISSING)


def test_a_process_that_may_not_be_looked_into_leaves_the_answer_open(gonogo: str, tmp_path: Path) -> None:
    write(tmp_path / "init.pid", "1\n")
    # Root may look into any, unless it gives that power away.
    powers = "-dac_override,-dac_read_search,-sys_ptrace"
    modest = ("setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}") if os.geteuid() == 0 else ()

    outcome = by_hand(gonogo, tmp_path, 'variables=["PATH"]', "pid_file=init.pid", before=modest)

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.FORBIDDEN)
    assert "ps -o user= -p 1" in outcome.hint


async def test_a_value_in_a_running_process_is_told_nobody(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    value = planter.text(24)
    command = [sys.executable, "-c", f"import sys  # {tmp_path.name}\nsys.stdin.read()"]
    service = await asyncio.create_subprocess_exec(*command, stdin=PIPE, env={"GONOGO_TEST_KEY": value})
    outcome = await scan(paths=[], variables=["GONOGO_TEST_KEY", "OTHER"], process=tmp_path.name)
    service.kill()
    await service.wait()

    assert keyed(outcome)["GONOGO_TEST_KEY"].verdict is Verdict.PASS
    assert keyed(outcome)["OTHER"].observed == "not set"
    assert value not in str(outcome)


async def test_a_process_without_variables_to_look_up_is_a_slip(scan: Scan) -> None:
    outcome = await scan(paths=[], process="gunicorn")

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)


# -- Vault and the age of keys


def address(server: Stub) -> str:
    return f"http://127.0.0.1:{server.port}"


async def test_the_token_is_sent_to_the_vault_alone_and_not_where_it_redirects_to(scan: Scan) -> None:
    with vault_stub() as other, stub(lambda request: redirected(request, other)) as server:
        outcome = await scan(paths=[], vault=address(server), vault_token=TOKEN)

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.PROTOCOL)
    assert f"redirects to 127.0.0.1:{other.port}" in outcome.summary
    assert other.requests == []
    assert [request.headers.get("X-Vault-Token") for request in server.requests] == [None, TOKEN]
    assert TOKEN not in str(outcome)


def redirected(request: Request, target: Stub) -> Answer:
    if request.path == "/v1/sys/health":
        return Answer(200, b'{"initialized": true, "sealed": false}')
    return Answer(307, headers={"Location": address(target) + request.path})


async def test_a_namespace_goes_with_the_token_but_not_with_the_question_for_health(scan: Scan) -> None:
    with vault_stub() as server:
        outcome = await scan(paths=[], vault=address(server), vault_token=TOKEN, vault_namespace="shop")

    assert outcome.verdict is Verdict.PASS
    assert [request.headers.get("X-Vault-Namespace") for request in server.requests] == [None, "shop"]


async def test_the_mount_of_a_key_may_have_a_slash(scan: Scan) -> None:
    keys = ["secret/api/stripe", "/team/kv/data/api/stripe"]
    with vault_stub() as server:
        await scan(paths=[], vault=address(server), vault_token=TOKEN, vault_keys=keys)

    asked = [request.path for request in server.requests if "metadata" in request.path]
    assert asked == ["/v1/secret/metadata/api/stripe", "/v1/team/kv/metadata/api/stripe"]


async def test_a_token_with_a_line_break_in_it_is_not_sent_and_not_shown(scan: Scan) -> None:
    with vault_stub() as server:
        outcome = await scan(paths=[], vault=address(server), vault_token="hvs.one\nhvs.two")

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert server.requests == []
    assert "hvs." not in str(outcome)


@pytest.mark.parametrize("given", [{"vault_token": TOKEN}, {"vault_keys": ["secret/api/stripe"]}])
async def test_keys_of_a_vault_that_is_not_named_are_a_slip(given: dict[str, Any], scan: Scan) -> None:
    outcome = await scan(paths=[], **given)

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)


@pytest.mark.parametrize("key", ["stripe", "secret/", "secret//stripe"])
async def test_a_key_without_mount_and_path_is_a_slip(key: str, scan: Scan) -> None:
    outcome = await scan(paths=[], vault="http://127.0.0.1:1", vault_keys=[key])

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)


async def test_the_limits_of_age_can_be_given(scan: Scan) -> None:
    yesterday = datetime.now().astimezone().date() - timedelta(1)

    outcome = await scan(paths=[], rotated={"STRIPE_KEY": yesterday}, age_warn="12h", age_fail="1d")

    line = keyed(outcome)["age of STRIPE_KEY"]
    assert (line.verdict, line.unit, line.limit) == (Verdict.FAIL, "d", 1)


def test_a_date_can_be_given_on_the_command_line(gonogo: str, tmp_path: Path) -> None:
    outcome = by_hand(gonogo, tmp_path, "rotated={STRIPE_KEY = 2024-02-29}")

    assert keyed(outcome)["age of STRIPE_KEY"].verdict is Verdict.FAIL


async def test_an_empty_file_holds_no_key(scan: Scan, tmp_path: Path) -> None:
    write(tmp_path / "db.key", "")

    outcome = await scan(paths=[], key_files=["db.key"])

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.MISSING)


async def test_a_path_below_a_folder_that_is_skipped_is_scanned_when_it_is_named(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    write(tmp_path / "app.py", "x = 1\n")
    write(tmp_path / "venv" / "own" / "app.py", f'key = "{planter.github()}"\n')

    assert (await scan(paths=[".", "venv/own"])).verdict is Verdict.FAIL


async def test_a_file_named_as_a_folder_that_is_skipped_is_scanned(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    write(tmp_path / "venv", f'key = "{planter.github()}"\n')
    write(tmp_path / "app.py", "x = 1\n")

    assert keyed(await scan())["venv:1"].verdict is Verdict.FAIL


async def test_a_path_without_a_source_is_unknown_beside_one_with_some(scan: Scan, tmp_path: Path) -> None:
    write(tmp_path / "src" / "app.py", "x = 1\n")
    (tmp_path / "build").mkdir()

    outcome = await scan(paths=["src", "build"])

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.MISSING)


async def test_an_accepted_key_hides_no_other_value_on_its_line(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    write(tmp_path / "a.json", f'{{"t": "{planter.github()}", "password": "{planter.text(16)}"}}\n')
    first = await scan()

    outcome = await scan(accepted={fingerprint(first.checks[0]): "revoked"})

    assert outcome.verdict is Verdict.WARN


async def test_a_partial_clone_cannot_vouch_for_the_history(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    origin = repository(tmp_path / "origin")
    git(origin, "config", "uploadpack.allowFilter", "true")
    for text in (planter.github(), "none"):
        write(origin / "a.py", f'key = "{text}"\n')
        commit(origin)
    git(tmp_path, "clone", "--quiet", "--filter=blob:none", origin.as_uri(), "partial")

    outcome = await scan(paths=["partial"], history=True)

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.MISSING)


async def test_a_key_of_the_history_is_found_at_each_path_it_stood_at(
    scan: Scan, tmp_path: Path, planter: Planter
) -> None:
    repository(tmp_path)
    write(tmp_path / "lib" / "a.py", f'key = "{planter.github()}"\n')
    write(tmp_path / "src" / "b.py", "x = 1\n")
    commit(tmp_path)
    git(tmp_path, "mv", "lib/a.py", "src/a.py")
    commit(tmp_path)
    git(tmp_path, "rm", "--quiet", "src/a.py")
    commit(tmp_path)

    assert (await scan(paths=["src"], history=True)).verdict is Verdict.FAIL


async def test_a_history_without_paths_is_a_slip(scan: Scan) -> None:
    outcome = await scan(paths=[], history=True, variables=["PATH"])

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)


@pytest.mark.parametrize(
    "value", ['{"type": "service_account"}', '["shop.acme.io"]', "$k3_v)q9w2e(8r^7t&y6u", "100000000"]
)
async def test_a_real_value_is_no_placeholder(
    value: str, scan: Scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GONOGO_TEST_KEY", value)

    assert (await scan(paths=[], variables=["GONOGO_TEST_KEY"])).verdict is Verdict.PASS


@pytest.mark.parametrize("given", [{"paths": ["loop"]}, {"paths": [], "key_files": ["loop"]}])
async def test_a_loop_of_links_is_unknown(given: dict[str, Any], scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    assert (await scan(**given)).reason is Reason.MISSING
