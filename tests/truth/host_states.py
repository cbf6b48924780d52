"""The states of the host rows of the table of truth."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.truth.table import row

CALM = {"load_warn": 1000, "load_fail": 1000}


@row("host", "healthy", "pass")
def healthy(_: Path) -> Iterator[dict[str, Any]]:
    yield {**CALM}
