from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from probes.outcome import Outcome
from probes.runner import Runner

RunProbe = Callable[..., Awaitable[Outcome]]


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[Runner]:
    runner = Runner(tmp_path)
    yield runner
    await runner.close()


@pytest.fixture
def run_probe(runner: Runner) -> RunProbe:
    """Run a probe by name with the parameters a checklist would give it, in the folder `tmp_path`."""

    async def run(use: str, **raw: Any) -> Outcome:
        return await runner.run(use, raw)

    return run
