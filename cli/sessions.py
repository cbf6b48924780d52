"""Opening a session, and doing one thing with it."""

import os
import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NoReturn, TypeVar

from checklist.language import gettext as _
from cli.exits import Exit, narrate, refuse

if TYPE_CHECKING:
    from checklist.opening import Place
    from checklist.session import Session

T = TypeVar("T")


def need_terminal() -> None:
    """End with a word on what to do instead, unless there is a terminal on which the console can draw."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        refuse(_("the console needs a terminal; in a script use `gonogo status` or `gonogo check`"))
    # Textual looks at neither and would draw all the same.
    if (kind := os.environ.get("TERM", "")) in {"", "dumb"}:
        said = _("the console cannot draw on a terminal of kind {kind}: set TERM, or use `gonogo status`")
        refuse(said.format(kind=kind or "?"))


def open_session(place: "Place", by: str | None = None) -> "Session":
    """Open a session, or say what is wrong and end.

    Args:
        place: Where the checklist and its records lie.
        by: Who is at the keyboard, if that was said.
    """
    from checklist.opening import export
    from checklist.reading import FileError
    from checklist.session import Session
    from checklist.store import StoreError
    from cli.options import name_of

    try:
        session = Session.open(place.checklist, place.environment, name_of(by))
    except (FileError, StoreError) as error:
        refuse(str(error))
    export(session.checklist.variables)
    return session


def run(session: "Session", action: Callable[[], Awaitable[T]]) -> T:
    """Do one thing with a session and end everything it started, whatever happens."""
    import asyncio

    from checklist.lifecycle import RefusedError
    from checklist.reading import FileError
    from checklist.store import StoreError

    async def whole() -> T:
        try:
            return await action()
        finally:
            await session.close()

    try:
        return asyncio.run(whole())
    except (RefusedError, FileError, StoreError) as error:
        refuse(str(error))


def interrupted(advice: str = "") -> NoReturn:
    """Say that the operator stopped it, and end."""
    narrate(f"gonogo: {_('interrupted; what had ended is recorded, the rest was stopped')}{advice}")
    sys.exit(Exit.INTERRUPTED)
