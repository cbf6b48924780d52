import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest

REPOSITORY = Path(__file__).parents[1]

# The programs that tests start must find the third-party test probes as an installed package too.
# First this tree: the one that is installed may be another.
os.environ["PYTHONPATH"] = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "tests" / "plugin")))
# Started in the background of a script, this process ignores ctrl-c, and so would all that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
# What the operator who runs the tests has set must not decide them.
_DECIDING = (
    *("REDIS_", "SENTRY_", "BACKUP_", "SOURCE_", "PRODUCTION_", "DEVELOPMENT_"),
    *("GONOGO_", "GIT_", "RESTIC_", "BORG_", "PG", "VAULT_", "BAO_", "NO_COLOR", "XDG_"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_", "REQUESTS_CA_BUNDLE", "CLIENT_"),
    *("LANG", "LC_"),
)
for name in [*os.environ]:
    if name.upper().startswith(_DECIDING):
        del os.environ[name]
# English, with every glyph.
os.environ["LC_ALL"] = "C.UTF-8"
# Where no terminal is, as in CI, nothing says of which kind those are that tests open.
os.environ["TERM"] = "xterm-256color"


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
