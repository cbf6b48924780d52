"""Every row of the table of truth, each a real state. `make truth` prints them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from probes.outcome import Verdict
from probes.runner import Runner
from tests.truth import (  # noqa: F401  # each adds its rows
    command_states,
    dependencies_states,
    host_states,
    network_states,
    redis_states,
    restore_databases_states,
    restore_states,
    secrets_states,
    sentry_states,
)
from tests.truth.table import ROWS, Row, got


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[Runner]:
    runner = Runner(tmp_path)
    yield runner
    await runner.close()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.probe}: {row.state}")
async def test_the_probe_tells_the_truth(
    row: Row, tmp_path: Path, runner: Runner, record_property: Callable[[str, object], None]
) -> None:
    cells = [f"{ROWS.index(row):04}", row.probe, row.state, row.expected]
    record_property("row", (*cells, "could not be made"))
    with row.make(tmp_path) as parameters:
        outcome = await runner.run(row.probe, parameters)
    record_property("row", (*cells, got(outcome)))
    assert got(outcome) == row.expected, outcome
    if outcome.verdict is not Verdict.PASS:
        assert outcome.hint, f"says what is wrong, but not what to do: {outcome}"


def test_no_row_stands_in_the_table_twice() -> None:
    names = [(row.probe, row.state) for row in ROWS]
    assert len(names) == len(set(names))
