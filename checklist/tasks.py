"""Two things that asyncio leaves to its users."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import TypeVar, cast

T = TypeVar("T")


async def in_thread(work: Callable[[], T]) -> T:
    """Do blocking work in a thread that cannot hold the program open, as `asyncio.to_thread` does."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def set_(value: T | None, error: Exception | None) -> None:
        if not result.done():
            result.set_exception(error) if error else result.set_result(cast("T", value))

    def run() -> None:
        value: T | None = None
        failed: Exception | None = None
        try:
            value = work()
        except Exception as error:  # noqa: BLE001  # raised again where it is awaited
            failed = error
        # The loop may be gone by now: then nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(set_, value, failed)

    threading.Thread(target=run, name="gonogo-disk", daemon=True).start()
    return await asyncio.shield(result)


async def to_its_end(work: Coroutine[object, object, T]) -> T:
    """Do what must not stop half way: whoever is cancelled meanwhile is cancelled too late."""
    task = asyncio.create_task(work)
    while not task.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(task)
    return task.result()


def is_cancelled() -> bool:
    """Tell whether it is the current task itself that is being cancelled, not one it waits for."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0
