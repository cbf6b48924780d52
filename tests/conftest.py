import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

REPOSITORY = Path(__file__).parents[1]

# The programs that tests start must find the third-party test probes as an installed package too.
os.environ["PYTHONPATH"] = str(REPOSITORY / "tests" / "plugin")
# What the operator who runs the tests has set must not decide them.
for name in [*os.environ]:
    if name.startswith(
        ("REDIS_", "SENTRY_", "BACKUP_", "GONOGO_", "NO_COLOR", "PRODUCTION_", "DEVELOPMENT_")
    ):
        del os.environ[name]


@pytest.fixture
def gonogo() -> str:
    """The installed command."""
    return str(Path(sys.executable).with_name("gonogo"))


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Wait for a condition; fail with its name when it does not come true in a generous time."""
    deadline = monotonic() + seconds
    while not condition():
        if monotonic() > deadline:
            pytest.fail(f"never came true: {what}")
        sleep(0.02)
