"""The production of examples/2025-05-13, made of real parts, two of which are not well yet."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.conftest import REPOSITORY
from tests.servers import backups
from tests.servers.bugsink import Bugsink, bugsink
from tests.servers.environments import OLD, OLD_LOCK, copy_psutil, packages_of
from tests.servers.redis_server import RedisServer, redis_server

LIST = REPOSITORY / "examples" / "2025-05-13" / "LIST.md"

_MAIN = """
import os

import psutil

API_KEY = os.environ["API_KEY"]
print(psutil.cpu_count())
"""
_PYPROJECT = '[project]\nname = "shop"\nversion = "1.0.0"\ndependencies = ["psutil==5.9.5"]\n'


class Production(NamedTuple):
    """What the items of the list are about.

    Attributes:
        redis: The cache, short of memory under noeviction.
        backup: The newest archive, damaged.
        sentry: Where errors go.
        variables: Where the probes of the imported list find all of it.
    """

    redis: RedisServer
    backup: Path
    sentry: Bugsink
    variables: Mapping[str, str]

    def exhaust_the_cache(self) -> None:
        """Leave the cache too little memory, and let it drop nothing to make room."""
        self.redis.run("CONFIG", "SET", "maxmemory", "2mb", "maxmemory-policy", "noeviction")
        self.redis.fill()

    def repair_the_cache(self) -> None:
        self.redis.run("CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru")

    def spoil_the_backup(self) -> None:
        backups.flip(self.backup)

    def repair_the_backup(self) -> None:
        """Flip the byte back."""
        backups.flip(self.backup)


@contextmanager
def production(folder: Path) -> Iterator[Production]:
    """Make all of it in a folder, and run what has to run."""
    source, store = folder / "shop", folder / "backups"
    _sources(source)
    store.mkdir()
    backup = backups.archive(backups.data(folder / "data"), store / "shop.tar.gz")
    backups.vouch(backup)
    with redis_server(folder / "redis") as redis, bugsink(folder / "bugsink") as sentry:
        variables = {
            "REDIS_URL": redis.url,
            "SOURCE_DIR": str(source),
            "DEVELOPMENT_PYTHON": _environment(folder / "development"),
            "PRODUCTION_PYTHON": OLD,
            "SENTRY_DSN": sentry.dsn,
            "SENTRY_TOKEN": sentry.token,
            "BACKUP_DIR": str(store),
        }
        made = Production(redis, backup, sentry, variables)
        made.exhaust_the_cache()
        made.spoil_the_backup()
        yield made


def _sources(folder: Path) -> None:
    """Make a source tree that is under git and holds no key."""
    folder.mkdir()
    texts = {"main.py": _MAIN, "pyproject.toml": _PYPROJECT, ".gitignore": ".env\n"}
    texts["requirements.lock"] = OLD_LOCK.read_text()
    for name, text in texts.items():
        (folder / name).write_text(text)
    who = ("-c", "user.name=Operator", "-c", "user.email=operator@invalid", "-c", "commit.gpgsign=false")
    hermetic = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message", "Begin")):
        subprocess.run(["git", *who, *words], cwd=folder, env=hermetic, check=True)


def _environment(folder: Path) -> str:
    """Make a virtual environment with the psutil that production has; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = str(folder / "bin" / "python")
    copy_psutil(OLD, packages_of(python))
    return python
