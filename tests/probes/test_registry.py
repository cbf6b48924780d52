"""Probes are found by their entry points, whoever made them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from probes import registry
from probes.describe import settings

BUILT_IN = ("command", "dependencies", "host", "http", "redis", "restore", "secrets", "sentry", "tcp", "tls")

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "queue-depth"
version = "2.1"
dependencies = ["gonogo"]

[project.entry-points."gonogo.probes"]
queue-depth = "queue_depth:probe"
"""

MODULE = '''
from pathlib import Path

from probes.figures import Count, held
from probes.outcome import Outcome, conclude
from probes.parameters import Parameters


class QueueParameters(Parameters, frozen=True):
    """How many jobs wait.

    Attributes:
        folder: Where the jobs lie, one file each.
        most: Jobs that may wait.
    """

    folder: str
    most: Count = 2


def probe(params: QueueParameters) -> Outcome:
    jobs = len(list(Path(params.folder).iterdir()))
    words = (f"{jobs} jobs wait", "start another worker")
    return conclude([held("jobs", jobs, (params.most, params.most), words, unit=None)])
'''


def test_the_probes_that_ship_are_installed() -> None:
    assert set(BUILT_IN) <= set(registry.names())


@pytest.mark.parametrize("use", BUILT_IN)
def test_every_parameter_is_documented(use: str) -> None:
    silent = [setting.name for setting in settings(registry.find(use).parameters) if not setting.words]
    assert silent == []


def test_a_package_of_somebody_else_brings_a_probe(tmp_path: Path, gonogo: str) -> None:
    project, installed, jobs = tmp_path / "project", tmp_path / "installed", tmp_path / "jobs"
    (project / "queue_depth").mkdir(parents=True)
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "queue_depth" / "__init__.py").write_text(MODULE)
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

    listed = call("--list").stdout.split()
    assert {"queue-depth", *BUILT_IN} <= set(listed)
    described = call("queue-depth", "--describe").stdout
    assert "\n\nmost  (whole number, at least 0; default 2)\n    Jobs that may wait.\n" in described
    done = call("queue-depth", f"folder={jobs}")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "✗ queue-depth: fail: 3 jobs wait, limit 2.",
        "  → Start another worker.",
        "  ✗ jobs  3 (limit 2)  3 jobs wait, limit 2.",
    ]
