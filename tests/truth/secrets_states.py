"""The states of the secrets rows of the table of truth."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from probes.secrets.findings import Finding
from tests.probes.planted import HEX, KINDS, Planter
from tests.servers import vault
from tests.servers.redis_server import closed_port
from tests.servers.stub import Answer, stub
from tests.truth.table import row

State = Iterator[dict[str, Any]]

NOTHING: dict[str, Any] = {"paths": []}


@contextmanager
def variables(**values: str | None) -> Iterator[None]:
    """Set variables of this environment, or unset them with None."""
    before = {name: os.environ.get(name) for name in values}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: dict[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


@contextmanager
def sources(folder: Path, **files: str) -> Iterator[None]:
    """Write files; while they are scanned the compiled rules of all rows are kept in one place."""
    for name, text in files.items():
        write(folder / name, text)
    shared = folder.parent.parent if folder.parent.name.startswith("popen-") else folder.parent
    with variables(XDG_CACHE_HOME=str(shared / "cache")):
        yield


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


# With these, a commit of the same content is the same commit on every machine.
_WHO = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (
        ("NAME", "Operator"),
        ("EMAIL", "operator@invalid"),
        ("DATE", "2026-01-01T00:00:00Z"),
    )
}


def git(folder: Path, *arguments: str) -> None:
    quiet = ["-c", "commit.gpgsign=false", "-c", "core.hooksPath=/dev/null"]
    subprocess.run(
        ["git", "-C", folder, *quiet, *arguments], check=True, capture_output=True, env=os.environ | _WHO
    )


def repository(folder: Path, ignore: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    git(folder, "init", "--quiet", "--object-format=sha1")
    write(folder / ".gitignore", ignore)
    return folder


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Change")


def line(key: str) -> str:
    return f'value = """{key}"""\n'


def key() -> str:
    return Planter().github()


# -- keys in sources


@row("secrets", "clean tree", "pass")
def clean_tree(folder: Path) -> State:
    text = 'import os\n\nAPI_KEY = os.environ["API_KEY"]\npassword = "changeme-please-1"\n'
    with sources(folder, **{"src/app.py": text, "README.md": "API_KEY=<your key here>\n"}):
        yield {}


def planted_key(kind: str) -> Callable[[Path], State]:
    def make(folder: Path) -> State:
        with sources(folder, **{"src/app.py": "import os\n\n" + line(getattr(Planter(), kind)())}):
            yield {}

    return make


for _kind in KINDS:
    row("secrets", f"planted key: {_kind}", "fail src/app.py:3")(planted_key(_kind))


@row("secrets", "value of a secret name", "warn app.py:1")
def named_value(folder: Path) -> State:
    with sources(folder, **{"app.py": f'API_KEY = "{Planter().text(32, HEX)}"\n'}):
        yield {}


@row("secrets", "value of a secret name, strict", "fail app.py:1")
def named_value_strict(folder: Path) -> State:
    with sources(folder, **{"app.py": f'API_KEY = "{Planter().text(32, HEX)}"\n'}):
        yield {"strict": True}


@row("secrets", "value of a secret name in tests and docs", "pass")
def named_value_aside(folder: Path) -> State:
    text = f'API_KEY = "{Planter().text(32, HEX)}"\n'
    with sources(folder, **{"tests/test_app.py": text, "docs/start.md": text}):
        yield {"strict": True}


@row("secrets", "value of a secret name, only the tests scanned", "pass")
def named_value_in_tests(folder: Path) -> State:
    with sources(folder, **{"tests/truth/states.py": f'API_KEY = "{Planter().text(32, HEX)}"\n'}):
        yield {"paths": ["tests"]}


@row("secrets", "value of a secret name in docs below the top", "warn src/docs/settings.py:1")
def named_value_in_a_package(folder: Path) -> State:
    with sources(folder, **{"src/docs/settings.py": f'DB_PASSWORD = "{Planter().text(20)}"\n'}):
        yield {}


@row("secrets", "short password", "warn compose.yml:3")
def short_password(folder: Path) -> State:
    text = "db:\n  environment:\n    - MYSQL_ROOT_PASSWORD={}\n".format("Winter" + "24!")
    with sources(folder, **{"compose.yml": text}):
        yield {}


@row("secrets", "AWS key pair", "fail aws.cfg:1; warn aws.cfg:2")
def aws_key_pair(folder: Path) -> State:
    name, secret = Planter().aws_pair()
    text = f"aws_access_key_id = {name}\naws_secret_access_key = {secret}\n"
    with sources(folder, **{"aws.cfg": text}):
        yield {}


@row("secrets", "key in a UTF-16 file", "fail settings.ps1:1")
def utf_16(folder: Path) -> State:
    with sources(folder, **{"app.py": "x = 1\n"}):
        (folder / "settings.ps1").write_bytes(line(key()).encode("utf-16"))
        yield {}


@row("secrets", "key of a provider in tests", "fail tests/live.py:1")
def live_key_in_tests(folder: Path) -> State:
    with sources(folder, **{"tests/live.py": line(key())}):
        yield {}


def with_history(folder: Path) -> None:
    repository(folder)
    write(folder / "config.py", line(key()))
    commit(folder)
    write(folder / "config.py", "value = None\n")
    commit(folder)


@row("secrets", "key in history only", "fail config.py:1 in commit a6f4f9a4cd")
def key_in_history(folder: Path) -> State:
    with sources(folder):
        with_history(folder)
        yield {"history": True}


@row("secrets", "key in history only, history not asked for", "pass")
def key_in_history_unasked(folder: Path) -> State:
    with sources(folder):
        with_history(folder)
        yield {}


@row("secrets", "shallow clone", "unknown missing; unknown history of shallow")
def shallow_clone(folder: Path) -> State:
    with sources(folder):
        with_history(repository(folder / "origin"))
        git(folder, "clone", "--quiet", "--depth", "1", (folder / "origin").as_uri(), "shallow")
        yield {"paths": ["shallow"], "history": True}


@row("secrets", "history without a repository", "unknown missing; unknown history of .")
def no_repository(folder: Path) -> State:
    with sources(folder, **{"app.py": "x = 1\n"}):
        yield {"history": True}


@row("secrets", "repository that git does not trust", "unknown forbidden; unknown sources")
def repository_of_another(folder: Path) -> State:
    with sources(folder):
        write(repository(folder / "project") / "app.py", "x = 1\n")
        real = subprocess.run(["which", "git"], check=True, capture_output=True, text=True).stdout.strip()
        # As git's own tests do it: another owner takes root.
        script = f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {real} "$@"\n'
        write(folder / "bin" / "git", script, 0o755)
        with variables(PATH=f"{folder / 'bin'}:{os.environ['PATH']}", HOME=str(folder)):
            yield {"paths": ["project"]}


@row("secrets", "key in a file that a link points to, outside", "pass")
def link_out(folder: Path) -> State:
    with sources(folder, **{"outside.py": line(key()), "project/app.py": "x = 1\n"}):
        (folder / "project" / "link.py").symlink_to(folder / "outside.py")
        yield {"paths": ["project"]}


@row("secrets", "key at the end of 20 MB", "fail large.py:1")
def key_in_large_file(folder: Path) -> State:
    with sources(folder, **{"large.py": "x" * 20_000_000 + " " + line(key())}):
        yield {}


@row("secrets", "file above 256 MB", "unknown limit; unknown large files")
def huge_file(folder: Path) -> State:
    with sources(folder, **{"app.py": "x = 1\n", "huge.sql": ""}):
        os.truncate(folder / "huge.sql", 260 * 1024 * 1024)
        yield {}


def only_passed_over(name: str) -> Callable[[Path], State]:
    """Plant a key where the engine does not look: such a file is no source that anybody vouched for."""

    def make(folder: Path) -> State:
        with sources(folder, **{f"tree/{name}": line(key())}):
            yield {"paths": ["tree"]}

    return make


for _name in ("logo.svg", "gradlew", "go.mod", "vendor/github.com/acme/lib.go", "static/jquery-ui.js"):
    row("secrets", f"nothing but {_name}", "unknown missing; unknown sources")(only_passed_over(_name))


@row("secrets", "tree of 0 files", "unknown missing; unknown sources")
def no_files(folder: Path) -> State:
    (folder / "empty").mkdir()
    yield {"paths": ["empty"]}


@row("secrets", "all files ignored by git", "unknown missing; unknown sources")
def all_ignored(folder: Path) -> State:
    write(repository(folder, ignore="/build/\n") / "build" / "app.py", line(key()))
    yield {"paths": ["build"]}


@row("secrets", "path missing", "unknown missing; unknown sources")
def path_missing(_: Path) -> State:
    yield {"paths": ["src"]}


@row("secrets", "scanner missing", "unknown missing; unknown sources")
def scanner_missing(folder: Path) -> State:
    with sources(folder, **{"app.py": "x = 1\n"}):
        yield {"engine": str(folder / "kingfisher")}


@row("secrets", "scanner breaks off", "unknown protocol; unknown sources")
def scanner_breaks_off(folder: Path) -> State:
    with sources(folder, **{"app.py": "x = 1\n"}):
        write(folder / "kingfisher", "#!/bin/sh\nexit 1\n", 0o755)
        yield {"engine": str(folder / "kingfisher")}


@row("secrets", "path missing beside a variable that is missing", "fail GONOGO_ROW_KEY; unknown sources")
def doubt_and_failure(_: Path) -> State:
    with variables(GONOGO_ROW_KEY=None):
        yield {"paths": ["src"], "variables": ["GONOGO_ROW_KEY"]}


# -- accepted findings


def fingerprint(value: str) -> str:
    return Finding("", 1, "", value, mild=False, aside=False, commit="").fingerprint


@row("secrets", "baseline accepted", "pass")
def accepted(folder: Path) -> State:
    with sources(folder, **{"app.py": line(key())}):
        yield {"accepted": {fingerprint(key()): "revoked in May, kept as a sample"}}


@row("secrets", "baseline accepted, another key of the same kind", "fail app.py:2")
def accepted_another(folder: Path) -> State:
    with sources(folder, **{"app.py": line(key()) + line(Planter(1).github())}):
        yield {"accepted": {fingerprint(key()): "revoked in May, kept as a sample"}}


@row("secrets", "accepted finding that is gone", "pass")
def accepted_gone(folder: Path) -> State:
    with sources(folder, **{"app.py": "x = 1\n"}):
        yield {"accepted": {fingerprint(key()): "revoked in May, kept as a sample"}}


# -- files of variables


def env_file(folder: Path, mode: int = 0o600) -> None:
    write(folder / ".env", f"API_KEY={key()}\n", mode)


@row("secrets", "key in .env private and ignored", "pass")
def env_private(folder: Path) -> State:
    with sources(folder):
        env_file(repository(folder, ignore=".env\n"))
        yield {}


@row("secrets", "key in .env tracked", "fail .env:1, .env")
def env_tracked(folder: Path) -> State:
    with sources(folder):
        env_file(repository(folder))
        commit(folder)
        yield {}


@row("secrets", "key in .env tracked, though ignored", "fail .env:1, .env")
def env_tracked_ignored(folder: Path) -> State:
    with sources(folder):
        env_file(repository(folder, ignore=".env\n"))
        git(folder, "add", "--force", ".env")
        yield {}


@row("secrets", "key in .env untracked and not ignored", "warn .env")
def env_untracked(folder: Path) -> State:
    with sources(folder):
        env_file(repository(folder))
        yield {}


@row("secrets", "key in .env world-readable", "fail .env")
def env_world_readable(folder: Path) -> State:
    with sources(folder):
        env_file(repository(folder, ignore=".env\n"), 0o644)
        yield {}


@row("secrets", "key in .env group-readable", "warn .env")
def env_group_readable(folder: Path) -> State:
    with sources(folder):
        env_file(repository(folder, ignore=".env\n"), 0o640)
        yield {}


@row("secrets", ".env once in git", "warn .env")
def env_once_tracked(folder: Path) -> State:
    with sources(folder):
        write(repository(folder, ignore=".env\n") / ".env", "PASSWORD=short\n", 0o600)
        git(folder, "add", "--force", ".env")
        commit(folder)
        git(folder, "rm", "--quiet", "--cached", ".env")
        commit(folder)
        yield {"history": True}


@row("secrets", "env file missing", "unknown missing; unknown prod.env")
def env_missing(_: Path) -> State:
    yield NOTHING | {"env_files": ["prod.env"]}


# -- variables


def variable(value: str | None) -> Callable[[Path], State]:
    def make(_: Path) -> State:
        with variables(GONOGO_ROW_KEY=value):
            yield NOTHING | {"variables": ["GONOGO_ROW_KEY"]}

    return make


for _state, _value, _expected in (
    ("variable set", Planter().text(24), "pass"),
    ("variable missing", None, "fail GONOGO_ROW_KEY"),
    ("variable empty", "", "fail GONOGO_ROW_KEY"),
    ("placeholder: changeme", "changeme", "fail GONOGO_ROW_KEY"),
    ("placeholder: <your key>", "<your key>", "fail GONOGO_ROW_KEY"),
    ("placeholder: xxxxxxxx", "xxxxxxxx", "fail GONOGO_ROW_KEY"),
    ("placeholder: ${API_KEY}", "${API_KEY}", "fail GONOGO_ROW_KEY"),
    ("placeholder as a password in a URL", "postgres://app:changeme@db/app", "fail GONOGO_ROW_KEY"),
    (
        "URL with a password, of a host called sample",
        f"postgres://root:{Planter().text(16)}@sample-db/todo",
        "pass",
    ),
):
    row("secrets", _state, _expected)(variable(_value))


@contextmanager
def service(folder: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process with a name of its own and just these variables."""
    script = folder / f"{folder.name}-service.py"
    write(script, "import sys\nprint('up', flush=True)\nsys.stdin.read()\n")
    process = subprocess.Popen(
        [sys.executable, script], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    process.stdout.readline()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@row("secrets", "variable set in a running process", "pass")
def process_set(folder: Path) -> State:
    with variables(GONOGO_ROW_KEY=None), service(folder, GONOGO_ROW_KEY=Planter().text(24)):
        yield NOTHING | {"variables": ["GONOGO_ROW_KEY"], "process": f"{folder.name}-service"}


@row("secrets", "variable missing in a running process", "fail GONOGO_ROW_KEY")
def process_missing(folder: Path) -> State:
    with variables(GONOGO_ROW_KEY=Planter().text(24)), service(folder, OTHER="1"):
        yield NOTHING | {"variables": ["GONOGO_ROW_KEY"], "process": f"{folder.name}-service"}


@row("secrets", "placeholder in one of two running processes", "fail GONOGO_ROW_KEY")
def process_placeholder(folder: Path) -> State:
    good = service(folder, GONOGO_ROW_KEY=Planter().text(24))
    with good, service(folder, GONOGO_ROW_KEY="changeme"):
        yield NOTHING | {"variables": ["GONOGO_ROW_KEY"], "process": f"{folder.name}-service"}


@row("secrets", "variable missing in the process of a pid file", "fail GONOGO_ROW_KEY")
def pid_file(folder: Path) -> State:
    with service(folder, OTHER="1") as process:
        write(folder / "service.pid", f"{process.pid}\n")
        yield NOTHING | {"variables": ["GONOGO_ROW_KEY"], "pid_file": "service.pid"}


@row("secrets", "pid file of a process that ended", "unknown missing; unknown process")
def pid_file_stale(folder: Path) -> State:
    with service(folder, OTHER="1") as process:
        write(folder / "service.pid", f"{process.pid}\n")
    yield NOTHING | {"variables": ["GONOGO_ROW_KEY"], "pid_file": "service.pid"}


@row("secrets", "pid file whose number another process has", "unknown missing; unknown process")
def pid_file_reused(folder: Path) -> State:
    with service(folder, GONOGO_ROW_KEY=Planter().text(24)) as process:
        write(folder / "service.pid", f"{process.pid}\n")
        os.utime(folder / "service.pid", (time.time() - 86400,) * 2)
        yield NOTHING | {"variables": ["GONOGO_ROW_KEY"], "pid_file": "service.pid"}


@row("secrets", "process that does not run", "unknown missing; unknown process")
def process_down(folder: Path) -> State:
    yield NOTHING | {"variables": ["GONOGO_ROW_KEY"], "process": f"{folder.name}-service"}


@row("secrets", "process that shows no environment", "unknown missing; unknown process")
def process_blank(folder: Path) -> State:
    with service(folder):
        yield NOTHING | {"variables": ["GONOGO_ROW_KEY"], "process": f"{folder.name}-service"}


# -- Vault


@row("secrets", "OpenBao active, token with weeks to live", "pass")
def vault_active(folder: Path) -> State:
    with vault.active(folder) as bao:
        yield NOTHING | {"vault": bao.url, "vault_token": bao.token(policies=["default"], ttl="480h")}


@row("secrets", "OpenBao active, no token", "pass")
def vault_no_token(folder: Path) -> State:
    with vault.active(folder) as bao:
        yield NOTHING | {"vault": bao.url + "/"}


@row("secrets", "OpenBao not initialised", "fail vault")
def vault_uninitialised(folder: Path) -> State:
    with vault.openbao(folder) as bao:
        yield NOTHING | {"vault": bao.url, "vault_token": "s.anything"}


@row("secrets", "OpenBao sealed", "fail vault")
def vault_sealed(folder: Path) -> State:
    with vault.active(folder) as bao:
        token = bao.token(policies=["default"], ttl="480h")
        bao.do("PUT", "sys/seal")
        yield NOTHING | {"vault": bao.url, "vault_token": token, "vault_keys": ["secret/api/stripe"]}


@row("secrets", "OpenBao standby", "pass")
def vault_standby(folder: Path) -> State:
    with vault.standby(folder) as bao:
        yield NOTHING | {"vault": bao.url, "vault_token": bao.token(policies=["default"], ttl="480h")}


@row("secrets", "OpenBao down", "unknown refused; unknown vault")
def vault_down(_: Path) -> State:
    with closed_port() as port:
        yield NOTHING | {"vault": f"http://127.0.0.1:{port}"}


@row("secrets", "TLS to an OpenBao without", "unknown tls; unknown vault")
def vault_tls_to_plain(folder: Path) -> State:
    with vault.openbao(folder) as bao:
        yield NOTHING | {"vault": f"https://127.0.0.1:{bao.port}"}


@row("secrets", "token of OpenBao expired", "fail vault token")
def token_expired(folder: Path) -> State:
    with vault.active(folder) as bao:
        token = bao.token(policies=["default"], ttl="1s")
        time.sleep(1.5)
        yield NOTHING | {"vault": bao.url, "vault_token": token, "vault_keys": ["secret/api/stripe"]}


@row("secrets", "token of OpenBao revoked", "fail vault token")
def token_revoked(folder: Path) -> State:
    with vault.active(folder) as bao:
        token = bao.token(policies=["default"], ttl="480h")
        bao.do("POST", "auth/token/revoke", {"token": token})
        yield NOTHING | {"vault": bao.url, "vault_token": token}


@row("secrets", "token of OpenBao with hours to live", "warn vault token")
def token_ending(folder: Path) -> State:
    with vault.active(folder) as bao:
        token = bao.token(policies=["default"], ttl="20h", renewable=False)
        yield NOTHING | {"vault": bao.url, "vault_token": token}


@row("secrets", "token of OpenBao that is renewed every hour", "pass")
def token_renewed(folder: Path) -> State:
    with vault.active(folder) as bao:
        token = bao.token(policies=["default"], period="1h")
        yield NOTHING | {"vault": bao.url, "vault_token": token}


@row("secrets", "token of an hour that nobody renews any more", "warn vault token")
def token_not_renewed(_: Path) -> State:
    with vault.vault_stub(ttl=timedelta(minutes=10), renewable_for=3600) as server:
        yield NOTHING | {"vault": f"http://127.0.0.1:{server.port}", "vault_token": vault.TOKEN}


@row("secrets", "root token of OpenBao", "warn vault token")
def token_root(folder: Path) -> State:
    with vault.active(folder) as bao:
        yield NOTHING | {"vault": bao.url, "vault_token": bao.root}


@row("secrets", "token of OpenBao that may not look at itself", "unknown forbidden; unknown vault token")
def token_closed(folder: Path) -> State:
    with vault.active(folder) as bao:
        token = bao.token(policies=["none"], no_default_policy=True, ttl="480h")
        yield NOTHING | {"vault": bao.url, "vault_token": token}


@row("secrets", "namespace that OpenBao does not have", "unknown protocol; unknown vault token")
def no_namespace(folder: Path) -> State:
    with vault.active(folder) as bao:
        yield NOTHING | {"vault": bao.url, "vault_token": bao.root, "vault_namespace": "nowhere"}


for _status, _state, _expected in (
    (200, "active", "pass"),
    (429, "standby", "pass"),
    (472, "disaster recovery secondary", "fail vault"),
    (473, "performance standby", "pass"),
    (474, "standby without an active node", "fail vault"),
    (501, "not initialised", "fail vault"),
    (503, "sealed", "fail vault"),
    (530, "removed", "fail vault"),
    (500, "broken", "unknown protocol; unknown vault"),
):

    def vault_state(_: Path, status: int = _status) -> State:
        with vault.vault_stub(status) as server:
            url = f"http://127.0.0.1:{server.port}"
            yield NOTHING | {"vault": url, "vault_token": vault.TOKEN}

    row("secrets", f"Vault answers {_status}, {_state}", _expected)(vault_state)


@row("secrets", "Vault sealed behind a proxy that answers 200", "fail vault")
def vault_sealed_200(_: Path) -> State:
    with vault.vault_stub(200, sealed=True) as server:
        yield NOTHING | {"vault": f"http://127.0.0.1:{server.port}"}


def not_a_vault(answer: Answer | None) -> Callable[[Path], State]:
    def make(_: Path) -> State:
        with stub(lambda _: answer) as server:
            yield NOTHING | {"vault": f"http://127.0.0.1:{server.port}", "vault_token": vault.TOKEN}

    return make


for _state, _answer, _expected in (
    ("login page in place of Vault", Answer(200, b"<html>Log in</html>"), "unknown protocol; unknown vault"),
    (
        "another server's JSON in place of Vault",
        Answer(200, b'{"ok": true}'),
        "unknown protocol; unknown vault",
    ),
    ("rate limit of a proxy before Vault", Answer(429, b"slow down"), "unknown protocol; unknown vault"),
    (
        "redirect in place of Vault",
        Answer(307, headers={"Location": "https://other.invalid/v1/sys/health"}),
        "unknown protocol; unknown vault",
    ),
    (
        "endless answer in place of Vault",
        Answer(200, b'{"initialized": true, "sealed": ' + b" " * 5_000_000 + b"false}"),
        "unknown protocol; unknown vault",
    ),
    ("Vault hangs", None, "unknown timeout; unknown vault"),
):
    row("secrets", _state, _expected)(not_a_vault(_answer))


@row("secrets", "address of Vault malformed", "unknown config; unknown vault")
def vault_bad_address(_: Path) -> State:
    yield NOTHING | {"vault": "vault.internal:8200"}


# -- the age of keys


def today() -> date:
    return datetime.now().astimezone().date()


DAYS = ((1, "pass"), (100, "warn age of {}"), (200, "fail age of {}"))

for _days, _expected in DAYS:

    def by_date(_: Path, days: int = _days) -> State:
        yield NOTHING | {"rotated": {"STRIPE_KEY": today() - timedelta(days)}}

    def by_file(folder: Path, days: int = _days) -> State:
        write(folder / "db.key", Planter().text(24), 0o600)
        os.utime(folder / "db.key", (time.time() - days * 86400,) * 2)
        yield NOTHING | {"key_files": ["db.key"]}

    def by_vault(_: Path, days: int = _days) -> State:
        with vault.vault_stub(age=timedelta(days)) as server:
            url = f"http://127.0.0.1:{server.port}"
            yield NOTHING | {"vault": url, "vault_token": vault.TOKEN, "vault_keys": ["secret/api/stripe"]}

    row("secrets", f"key {_days} d old by its date", _expected.format("STRIPE_KEY"))(by_date)
    row("secrets", f"key {_days} d old by its file", _expected.format("db.key"))(by_file)
    row("secrets", f"key {_days} d old by Vault", _expected.format("secret/api/stripe"))(by_vault)


@row("secrets", "key changed today", "pass")
def rotated_today(_: Path) -> State:
    yield NOTHING | {"rotated": {"STRIPE_KEY": today()}}


@row("secrets", "key to be changed next month", "unknown config; unknown age of STRIPE_KEY")
def rotated_ahead(_: Path) -> State:
    yield NOTHING | {"rotated": {"STRIPE_KEY": today() + timedelta(30)}}


@row("secrets", "file of a key missing", "unknown missing; unknown age of db.key")
def key_file_missing(_: Path) -> State:
    yield NOTHING | {"key_files": ["db.key"]}


def with_key(bao: vault.Bao, *, may_read: bool = True) -> dict[str, Any]:
    """Write a key into OpenBao; return the parameters of a token that may read its metadata."""
    bao.put("api/stripe")
    rule = 'path "secret/metadata/*" { capabilities = ["read"] }' if may_read else ""
    bao.do("PUT", "sys/policies/acl/look", {"policy": rule + ' path "nothing" { capabilities = ["read"] }'})
    token = bao.token(policies=["default", "look"], ttl="480h")
    return NOTHING | {"vault": bao.url, "vault_token": token, "vault_keys": ["secret/api/stripe"]}


@row("secrets", "fresh key in OpenBao", "pass")
def kv_fresh(folder: Path) -> State:
    with vault.active(folder) as bao:
        yield with_key(bao)


@row("secrets", "key in OpenBao above the limit, its metadata just changed", "warn age of secret/api/stripe")
def kv_old(folder: Path) -> State:
    with vault.active(folder) as bao:
        given = with_key(bao)
        time.sleep(1.2)
        bao.do("POST", "secret/metadata/api/stripe", {"custom_metadata": {"owner": "shop"}})
        yield given | {"age_warn": "1s"}


@row("secrets", "key in OpenBao deleted", "unknown missing; unknown age of secret/api/stripe")
def kv_deleted(folder: Path) -> State:
    with vault.active(folder) as bao:
        given = with_key(bao)
        bao.do("DELETE", "secret/data/api/stripe")
        yield given


@row("secrets", "key that OpenBao does not have", "unknown missing; unknown age of secret/api/none")
def kv_missing(folder: Path) -> State:
    with vault.active(folder) as bao:
        yield with_key(bao) | {"vault_keys": ["secret/api/none"]}


@row(
    "secrets",
    "key in OpenBao that the token may not see",
    "unknown forbidden; unknown age of secret/api/stripe",
)
def kv_closed(folder: Path) -> State:
    with vault.active(folder) as bao:
        yield with_key(bao, may_read=False)
