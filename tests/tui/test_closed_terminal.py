"""What becomes of a console whose terminal is closed while it draws."""

import contextlib
import os
import pty

from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from tests.conftest import wait_until
from tests.tui.conftest import Desk
from tui.terminal import Driver, Forgiving


def test_writing_to_a_closed_terminal_neither_ends_the_thread_that_writes_nor_fills_its_queue() -> None:
    ours, theirs = pty.openpty()
    file = os.fdopen(theirs, "w", buffering=1)
    os.close(ours)
    writer = WriterThread(Forgiving(file))  # type: ignore[arg-type]  # as much of a file as it asks for
    writer.start()
    for _ in range(3 * MAX_QUEUED_WRITES):
        writer._queue.put("a frame\n", timeout=20)
    writer._queue.put(None, timeout=20)
    wait_until(lambda: not writer.is_alive(), "the thread has written all")
    with contextlib.suppress(OSError):
        file.close()


async def test_the_console_draws_on_a_terminal_that_may_be_closed(desk: Desk) -> None:
    assert desk.app.driver_class is Driver
