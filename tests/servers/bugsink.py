"""A real Bugsink on loopback, from `.parts/bugsink`, with a project and a token in it."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

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
SNAPPEA = {"TASK_ALWAYS_EAGER": True}
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

# One process, so that ending it ends the server; and it ends itself when its standard input closes, which
# happens however the test run ends.
_SERVE = """
import os, sys, threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

def follow():
    sys.stdin.read()
    os._exit(0)

class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

server = Server(("127.0.0.1", 0), WSGIRequestHandler)
os.environ["BUGSINK_PORT"] = str(server.server_port)
from bugsink.wsgi import application
server.set_app(application)
threading.Thread(target=follow, daemon=True).start()
print(server.server_port, flush=True)
os.dup2(2, 1)
server.serve_forever()
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
    def dsn(self) -> str:
        return f"http://{self.key}@127.0.0.1:{self.port}/{self.project}"


def _environment(folder: Path, settings: dict[str, object]) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": str(folder),
        "BUGSINK_SETTINGS": json.dumps(settings),
    }


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
def bugsink(folder: Path, **settings: object) -> Iterator[Bugsink]:
    """Run a Bugsink of its own in `folder`, which is made.

    Args:
        folder: Where its database and its log go.
        settings: What to add to the `BUGSINK` settings.
    """
    shutil.copytree(_template(), folder)
    (folder / "bugsink_conf.py").write_text(_SETTINGS)
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [_PYTHON, "-c", _SERVE],
            cwd=folder,
            env=_environment(folder, settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            assert process.stdout
            port = process.stdout.readline()
            assert port, (folder / "log").read_text()
            yield Bugsink(int(port), **json.loads((folder / "seed.json").read_text()))
        finally:
            process.kill()
