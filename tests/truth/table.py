"""The table of truth: states that are made for real, and what the probe has to say about each of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from probes.outcome import WEIGHT, Outcome, Verdict

Make = Callable[[Path], Iterator[Mapping[str, Any]]]


class Row(NamedTuple):
    """One state.

    Attributes:
        probe: The probe that looks.
        state: What is true, in a few words.
        expected: What the probe has to say, as `got` writes it.
        make: Makes the state in an empty folder, yields the parameters to run the probe with, and ends what
            it started.
    """

    probe: str
    state: str
    expected: str
    make: Callable[[Path], AbstractContextManager[Mapping[str, Any]]]


ROWS: list[Row] = []


def row(probe: str, state: str, expected: str) -> Callable[[Make], Make]:
    """Add a row to the table: its state is made by the decorated generator function."""

    def add(make: Make) -> Make:
        ROWS.append(Row(probe, state, expected, contextmanager(make)))
        return make

    return add


def got(outcome: Outcome) -> str:
    """Write an outcome as the table does: the verdict, the reason of a doubt, each check that did not pass.

    So a row of a healthy state reads "pass", and one false alarm anywhere makes it another text. Examples:
    "fail memory", "fail memory; warn eviction policy", "unknown refused", "warn clients, latency".
    """
    parts = [f"unknown {outcome.reason}"] if outcome.verdict is Verdict.UNKNOWN else []
    for verdict in sorted(Verdict, key=lambda verdict: -WEIGHT[verdict]):
        names = [check.name for check in outcome.checks if check.verdict is verdict]
        if names and verdict is not Verdict.PASS:
            parts.append(f"{verdict} {', '.join(names)}")
    return "; ".join(parts) or str(outcome.verdict)
