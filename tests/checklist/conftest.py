from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from checklist import definition
from checklist.opening import Place, open_store
from checklist.session import Session
from probes.outcome import now
from probes.runner import Runner

OpenSession = Callable[..., Session]


@pytest.fixture
async def open_session(tmp_path: Path) -> AsyncIterator[OpenSession]:
    """Open sessions on the checklist in `tmp_path`, with a clock that may be ahead; close them at the end."""
    opened: list[Session] = []

    def open_(ahead: timedelta = timedelta()) -> Session:
        path = tmp_path / "checklist.toml"
        whole = definition.load(path)

        def clock() -> datetime:
            return now() + ahead

        place = Place(path)
        session = Session(place, whole, open_store(place, whole, clock), Runner(tmp_path), clock=clock)
        opened.append(session)
        return session

    yield open_
    for session in opened:
        await session.close()
