import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.checklist.making import little

Done = subprocess.CompletedProcess[str]
Call = Callable[..., Done]


@pytest.fixture
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the operator is called `operator`, whoever runs the tests."""
    home = tmp_path_factory.mktemp("home")
    git = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CEILING_DIRECTORIES": "/"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "XDG_"))}
    return {**kept, **git, "HOME": str(home), "LOGNAME": "operator", "USER": "operator"}


@pytest.fixture
def call(gonogo: str, tmp_path: Path, surroundings: dict[str, str]) -> Call:
    """Call the installed command in `tmp_path`, as a pipeline would."""

    def call_(*args: str, cwd: Path = tmp_path, **environment: str) -> Done:
        return subprocess.run(
            [gonogo, *args],
            cwd=cwd,
            env={**surroundings, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call_


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the little checklist, in which everything passes."""
    little(tmp_path)
    return tmp_path


def files(folder: Path) -> dict[str, bytes]:
    """Return every file under a folder with its content; locks are empty and stay."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}
