"""Puts the production of the demo together."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from checklist.language import marked
from cli.demo import cache, paper, scripts, shop, tracker
from probes.secrets.sources import in_repository

_NO_REDIS = "redis-server is not installed here"
IN_REPOSITORY = marked(
    "the folder for temporary files is inside a git repository, which has a say about what is a source:"
    " set TMPDIR to another folder"
)


@contextlib.contextmanager
def running(folder: Path, say: Callable[[str], None]) -> Iterator[dict[str, str]]:
    """Make the production and its checklist in an empty folder, and run what has to run.

    Args:
        folder: Where to, as an absolute path.
        say: Told the id of each item before it is broken.

    Yields:
        The variables that the probes of the checklist are told by.

    Raises:
        CalledProcessError, FileError, OSError, RuntimeError, StoreError: If it cannot be made.
    """
    if in_repository(folder):
        raise RuntimeError(IN_REPOSITORY)
    # What runs is on this machine: no proxy stands in between, whatever the operator's environment says.
    variables = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    missing = {} if cache.is_possible() else {"cache": _NO_REDIS}
    with contextlib.ExitStack() as parts:
        if missing:
            variables["REDIS_URL"] = cache.NOWHERE
        else:
            say("cache")
            variables["REDIS_URL"] = parts.enter_context(cache.running(folder))
        say("sentry")
        variables |= parts.enter_context(tracker.running(folder))
        for item, make in (
            ("restore", shop.back_up),
            ("secrets", shop.write_source),
            ("dependencies", shop.install),
        ):
            say(item)
            variables |= make(folder)
        repairs = {script.name: scripts.command(script) for script in (folder / "fix").iterdir()}
        paper.write(folder, repairs, missing)
        yield variables
