"""A real Bugsink on loopback, from `.parts/bugsink`, with a project and a token in it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen
from uuid import uuid4

from filelock import FileLock

_PART = Path(__file__).parents[2] / ".parts" / "bugsink"
_PYTHON = _PART / "bin" / "python"
# Inside the part, so that it goes when another Bugsink is installed.
_TEMPLATE = _PART / "template"

_SETTINGS = """
import json, os
from bugsink.settings.default import *

SECRET_KEY = "a key for servers that live as long as a test run"
ALLOWED_HOSTS = ["127.0.0.1"]
SNAPPEA = {
    "TASK_ALWAYS_EAGER": "BUGSINK_QUEUED" not in os.environ,
    "WAKEUP_CALLS_DIR": os.path.abspath("wakeup"),
}
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
BUGSINK = {
    "BASE_URL": "http://127.0.0.1:" + os.environ.get("BUGSINK_PORT", "0"),
    "PHONEHOME": False,
    "INGEST_STORE_BASE_DIR": os.path.abspath("ingest"),
    **json.loads(os.environ.get("BUGSINK_SETTINGS", "{}")),
}
"""

_SEED = """
import json, os
os.environ["DJANGO_SETTINGS_MODULE"] = "bugsink_conf"
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
call_command("migrate", "snappea", database="snappea", verbosity=0)
from bsmain.models import AuthToken
from projects.models import Project
from teams.models import Team
project = Project.objects.create(name="shop", slug="shop", team=Team.objects.create(name="operations"))
token = AuthToken.create_full_access().token
with open("seed.json", "w") as file:
    json.dump({"project": project.pk, "key": project.sentry_key.hex, "token": token}, file)
"""

# Each is one process, so that ending it ends all of it; and it ends itself when its standard input closes,
# which happens however the test run ends.
_FOLLOW = """
import os, sys, threading

def follow():
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=follow, daemon=True).start()
"""

_SERVE = """
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

server = Server(("127.0.0.1", 0), WSGIRequestHandler)
os.environ["BUGSINK_PORT"] = str(server.server_port)
from bugsink.wsgi import application
server.set_app(application)
print(server.server_port, flush=True)
os.dup2(2, 1)
server.serve_forever()
"""

_WORK = """
os.environ["DJANGO_SETTINGS_MODULE"] = "bugsink_conf"
import django
django.setup()
from snappea.foreman import Foreman
Foreman().run_forever()
"""


class Bugsink(NamedTuple):
    """A running Bugsink.

    Attributes:
        port: The port on 127.0.0.1.
        project: The number of its only project.
        key: The public key of that project's DSN.
        token: A token that may do everything through the API.
    """

    port: int
    project: int
    key: str
    token: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dsn(self) -> str:
        return f"http://{self.key}@127.0.0.1:{self.port}/{self.project}"

    def ask(self, path: str, change: dict[str, object] | None = None) -> Any:
        """GET what the API tells below `/api/canonical/0/`, or PATCH it."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        body = None if change is None else json.dumps(change).encode()
        url = f"{self.url}/api/canonical/0/{path}"
        request = Request(url, body, headers, method="PATCH" if body else "GET")  # noqa: S310  # our own http
        with urlopen(request) as response:  # noqa: S310  # as above
            return json.load(response)

    def send(self, count: int) -> None:
        """Send that many events; those over a quota are turned away."""
        auth = {"X-Sentry-Auth": f"Sentry sentry_key={self.key}, sentry_version=7"}
        for _ in range(count):
            event = json.dumps({"event_id": uuid4().hex, "platform": "other", "message": "An error"})
            header = json.dumps({"event_id": json.loads(event)["event_id"]})
            item = json.dumps({"type": "event", "length": len(event)})
            body = f"{header}\n{item}\n{event}\n".encode()
            url = f"{self.url}/api/{self.project}/envelope/"
            with suppress(HTTPError), urlopen(Request(url, body, auth)):  # noqa: S310  # our own http
                pass

    def keep(self, most: int) -> None:
        """Let the project keep that many events at most."""
        self.ask(f"projects/{self.project}/", {"retention_max_event_count": most})


def _environment(folder: Path, settings: dict[str, object], *, queued: bool = False) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(folder),
        "BUGSINK_SETTINGS": json.dumps(settings),
        **({"BUGSINK_QUEUED": "1"} if queued else {}),
    }


@contextmanager
def _running(script: str, folder: Path, log: IO[bytes], environment: dict[str, str]) -> Iterator[IO[bytes]]:
    """Run a script of Bugsink's Python, and end it; yield its standard output."""
    with subprocess.Popen(
        [_PYTHON, "-c", _FOLLOW + script],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout
            yield process.stdout
        finally:
            process.kill()


def _template() -> Path:
    """Return a folder with a migrated database in it, made once for all test runs."""
    if not _PYTHON.exists():
        raise FileNotFoundError(f"{_PYTHON} is missing: `make test` installs it")
    with FileLock(_PART / "template.lock"):
        if not _TEMPLATE.is_dir():
            draft = _TEMPLATE.with_suffix(".draft")
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            (draft / "bugsink_conf.py").write_text(_SETTINGS)
            subprocess.run([_PYTHON, "-c", _SEED], cwd=draft, env=_environment(draft, {}), check=True)
            draft.rename(_TEMPLATE)
    return _TEMPLATE


@contextmanager
def bugsink(folder: Path, *, queued: bool = False, **settings: object) -> Iterator[Bugsink]:
    """Run a Bugsink of its own in `folder`, which is made.

    Args:
        folder: Where its database and its log go.
        queued: Leave what was accepted in a queue, which needs a `consumer`.
        settings: What to add to the `BUGSINK` settings.
    """
    shutil.copytree(_template(), folder)
    (folder / "bugsink_conf.py").write_text(_SETTINGS)
    environment = _environment(folder, settings, queued=queued)
    with (
        (folder / "log").open("wb") as log,
        _running(_SERVE, folder, log, environment) as output,
    ):
        port = output.readline()
        assert port, (folder / "log").read_text()
        yield Bugsink(int(port), **json.loads((folder / "seed.json").read_text()))


@contextmanager
def consumer(folder: Path) -> Iterator[None]:
    """Run what stores the events that the Bugsink in `folder` has queued."""
    with (
        (folder / "consumer.log").open("wb") as log,
        _running(_WORK, folder, log, _environment(folder, {}, queued=True)),
    ):
        yield
