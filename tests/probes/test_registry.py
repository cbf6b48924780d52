"""Probes are found by their entry points, whoever made them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from probes import registry
from probes.describe import settings
from tests.conftest import REPOSITORY

BUILT_IN = ("command", "dependencies", "host", "http", "redis", "restore", "secrets", "sentry", "tcp", "tls")

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "queue-depth"
version = "2.1"
dependencies = ["gonogo"]

"""


def documented() -> tuple[str, str]:
    """Return module and entry point of the example that the documentation gives."""
    text = (REPOSITORY / "docs" / "writing-a-probe.md").read_text()
    module, entry = re.findall(
        r"^```(?:python|toml)\n# (?:queue_depth|pyproject).*\n([^`]*)^```", text, re.MULTILINE
    )
    return module, entry


def test_the_probes_that_ship_are_installed() -> None:
    assert set(BUILT_IN) <= set(registry.names())


@pytest.mark.parametrize("use", BUILT_IN)
def test_every_parameter_is_documented(use: str) -> None:
    silent = [setting.name for setting in settings(registry.find(use).parameters) if not setting.words]
    assert silent == []


def test_a_package_of_somebody_else_brings_a_probe(tmp_path: Path, gonogo: str) -> None:
    project, installed, jobs = tmp_path / "project", tmp_path / "installed", tmp_path / "jobs"
    module, entry = documented()
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT + entry)
    (project / "queue_depth.py").write_text(module)
    jobs.mkdir()
    for number in range(3):
        (jobs / f"{number}").touch()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    where = ["--no-index", "--no-deps", "--no-build-isolation", "--target", installed, project]
    subprocess.run([*pip, *where], check=True)

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        surroundings = {**os.environ, "PYTHONPATH": str(installed)}
        command = [gonogo, "probe", *arguments]
        return subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)

    assert {"queue-depth", *BUILT_IN} <= set(call("--list").stdout.split())
    described = call("queue-depth", "--describe").stdout
    assert "\n\nmost  (whole number, at least 0; default 200)\n    Jobs that may wait." in described
    assert call("queue-depth", f"folder={jobs}").returncode == 0
    done = call("queue-depth", f"folder={jobs}", "most=1")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "✗ queue-depth: fail: 3 jobs wait, limit 2.",
        "  → Start another worker: systemctl start worker@2.",
        "  ✗ jobs  3 (limit 2)  3 jobs wait, limit 2.",
    ]
    missing = call("queue-depth", "folder=nowhere")
    assert (missing.returncode, missing.stdout.splitlines()) == (
        3,
        ["? queue-depth: unknown (missing): There is no nowhere.", "  → Correct folder."],
    )
