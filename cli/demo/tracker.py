"""Runs the error tracker of the demo, with its quota used up."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from checklist.language import marked
from cli.demo import ingest, scripts

_FIX = """\
# The tracker takes no event any more: its quota is used up. Raise it.
echo 1000 > sentry/quota
echo "The tracker takes $(cat sentry/quota) events a minute now."
"""


@contextlib.contextmanager
def running(folder: Path) -> Iterator[dict[str, str]]:
    """Run the tracker, and write the script that repairs it; yields the variables that lead to it.

    Raises:
        RuntimeError: If it does not come up.
    """
    quota = folder / "sentry" / "quota"
    quota.parent.mkdir()
    quota.write_text("0\n")
    scripts.write(folder, "sentry", _FIX)
    with subprocess.Popen(
        # Without the current folder on the path: it may hold a `cli` of its own.
        [sys.executable, "-P", "-m", "cli.demo.ingest", str(quota)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            if not line:
                raise RuntimeError(marked("the error tracker does not start; another time it may"))
            said = json.loads(line)
            yield {
                "SENTRY_DSN": said["dsn"],
                "SENTRY_TOKEN": said["token"],
                "SENTRY_API": "",
                "SENTRY_ORGANIZATION": ingest.ORGANIZATION,
                "SENTRY_PROJECT": str(ingest.PROJECT),
            }
        finally:
            process.kill()
