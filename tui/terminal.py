"""What the console asks of its terminal beyond drawing: clipboard, bell, mouse, an editor, the shell."""

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO
from weakref import WeakSet

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from checklist.language import gettext as _
from probes.clean import strip
from tui.settings import Settings

CLIPBOARD = 100_000
"""Bytes of an escape sequence beyond which many terminals cut what is copied, or drop it."""

PATIENCE = 2.0
"""Seconds that tmux has to take a text."""

_away: WeakSet[App[Any]] = WeakSet()
"""Consoles whose terminal is with another program: nothing is written to it."""


class Driver(LinuxDriver):
    """Textual's driver, for a terminal that may be closed at any time."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # as Textual gives them
        """Write to standard error, as Textual does."""
        super().__init__(*args, **kwargs)
        self._file: Any = Forgiving(self._file)


class Forgiving:
    """A terminal: what is written to it when it is closed is lost, and whoever writes goes on.

    An error would end Textual's thread that writes, and with it everything: the console then waits for ever
    for room in a queue that nobody empties, and what it runs, runs on.
    """

    def __init__(self, file: TextIO) -> None:
        """Write to a file."""
        self._file = file

    def write(self, text: str) -> None:
        """Write a text."""
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        """Send on what was written."""
        with suppress(OSError):
            self._file.flush()

    def fileno(self) -> int:
        """Return the number of the file."""
        return self._file.fileno()


def copy(app: App[Any], text: str) -> str:
    """Copy a text to the clipboard, and return a sentence on where it went.

    No terminal tells whether it took it.
    """
    if os.environ.get("TMUX") and _to_tmux(text):
        return _("Copied to tmux, and sent on to the clipboard of the terminal.")
    app.copy_to_clipboard(text)
    if len(text.encode()) * 4 / 3 > CLIPBOARD:
        return _("Sent to the clipboard of the terminal; it is long, and many terminals cut it.")
    return _("Sent to the clipboard of the terminal.")


def _to_tmux(text: str) -> bool:
    """Give a text to tmux, which keeps it and sends it on to the terminal where that is allowed."""
    try:
        ended = subprocess.run(
            ["tmux", "load-buffer", "-w", "-"],  # noqa: S607  # the operator's tmux, from their PATH
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0


def announce(app: App[Any], settings: Settings, title: str, text: str) -> None:
    """Tell an operator who looks elsewhere, by the bell and on the desktop, as far as that is set."""
    if settings.bell:
        _write(app, "\a")
    title, text = _plain(title), _plain(text)
    match settings.desktop_notification:
        case "osc9":
            _write(app, _through_tmux(f"\x1b]9;{title}: {text}\x1b\\"))
        case "osc777":
            _write(app, _through_tmux(f"\x1b]777;notify;{title};{text}\x1b\\"))


def _plain(text: str) -> str:
    """Return a text as one that can stand in an escape sequence, where a semicolon ends it."""
    return " ".join(strip(text).split()).replace(";", ",")


def _through_tmux(sequence: str) -> str:
    """Wrap a sequence so that tmux hands it on, if its `allow-passthrough` is on."""
    if not os.environ.get("TMUX"):
        return sequence
    return "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def _write(app: App[Any], sequence: str) -> None:
    # The one way past Textual's drawing; its own `bell` and `copy_to_clipboard` go this way.
    driver = app._driver  # noqa: SLF001  # there is no public one
    if driver is not None and not app.is_headless and app not in _away:
        driver.write(sequence)


def has_mouse(app: App[Any]) -> bool:
    """Tell whether the mouse is the console's."""
    return bool(getattr(app._driver, "_mouse", False))  # noqa: SLF001  # as `give_mouse`


def give_mouse(app: App[Any], *, console: bool) -> None:
    """Give the mouse to the console, or leave it to the terminal, which then selects text with it."""
    # Textual decides this once, at start. What its driver does at start and at the end of a suspension goes
    # by `_mouse`, so that the choice outlasts them.
    driver: Any = app._driver  # noqa: SLF001  # there is no public way to do this at run time
    if driver is None or not hasattr(driver, "_enable_mouse_support"):
        return
    if console:
        driver._mouse = True  # noqa: SLF001  # as above
        driver._enable_mouse_support()  # noqa: SLF001  # as above
        if driver._mouse_pixels:  # noqa: SLF001  # as above
            driver._enable_mouse_pixels()  # noqa: SLF001  # as above
    else:
        driver._disable_mouse_support()  # noqa: SLF001  # as above
        driver._mouse = False  # noqa: SLF001  # as above


def stop(app: App[Any]) -> str:
    """Go back to the shell until it brings the console back; return why not, if there is none to go to."""
    if not _can_leave(app) or not _has_shell():
        return _("There is no shell here to go back to.")
    with _left(app):
        # The driver's own answers to the signals are put off, or the terminal would be given back twice: that
        # to SIGCONT may come when the terminal is taken already, and two threads would read the keys.
        before = [
            (number, signal.signal(number, signal.SIG_DFL)) for number in (signal.SIGTSTP, signal.SIGCONT)
        ]
        try:
            _stop_group()
            # Sent on in the background it stops again: it is not its turn to draw.
            while os.tcgetpgrp(sys.__stdin__.fileno()) != os.getpgrp():  # type: ignore[union-attr]  # a terminal
                _stop_group()
        finally:
            for number, handler in before:
                signal.signal(number, handler)
    return ""


def _stop_group() -> None:
    """Stop everything in our process group; return when it is brought back."""
    # Textual stops this process alone: a shell that started `make` would go on waiting for make.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    os.killpg(0, signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    # Sent to the group the signal may reach another thread, and this one would go on for a moment.
    signal.pthread_kill(threading.get_ident(), signal.SIGTSTP)


def _can_leave(app: App[Any]) -> bool:
    driver = app._driver  # noqa: SLF001  # as above
    return driver is not None and driver.can_suspend


def _has_shell() -> bool:
    """Tell whether a process above us, in our session, has us as a job; without one we would stay stopped."""
    import psutil

    try:
        for parent in psutil.Process().parents():
            if os.getsid(parent.pid) != os.getsid(0):
                return False
            if os.getpgid(parent.pid) != os.getpgrp():
                return True
    except (psutil.Error, OSError):
        pass
    return False


@contextmanager
def _left(app: App[Any]) -> Iterator[None]:
    """Give the terminal away for a while; the console goes on, and draws nothing."""
    _away.add(app)
    try:
        # Textual would go on drawing into a queue that nobody empties, and stand still when it is full. The
        # batch is over before the terminal is back, or what is drawn first would be lost.
        with app.suspend(), app.batch_update():
            yield
    finally:
        _away.discard(app)


def is_away(app: App[Any]) -> bool:
    """Tell whether another program has the terminal: ctrl+c is meant for that one."""
    return app in _away


async def edit(app: App[Any], path: Path, line: int) -> str:
    """Open a file at a line in the operator's editor; return what went wrong, if anything did.

    The event loop goes on meanwhile, and with it every run.
    """
    if is_away(app):
        # It is open already: the key was typed ahead.
        return ""
    words = _editor()
    if not words:
        return _("There is no editor: set EDITOR to the one that you use.")
    if not _can_leave(app):
        return _("There is no terminal here that an editor could have.")
    # A trouble must not leave this block as an exception: Textual would not take the terminal back.
    with _left(app):
        try:
            # In the console's own process group: ctrl+z in the editor stops both, and fg brings both back.
            editor = await asyncio.create_subprocess_exec(*_command(words, path, line))
        except OSError as error:
            return _("{editor} cannot be started: {why}.").format(editor=words[0], why=error.strerror)
        try:
            code = await editor.wait()
        finally:
            # Only when the console ends meanwhile is it still there.
            if editor.returncode is None:
                editor.terminate()
    return _("{editor} ended with exit code {code}.").format(editor=words[0], code=code) if code else ""


def _editor() -> list[str]:
    """Return the words of the operator's editor, or nothing."""
    for variable in ("VISUAL", "EDITOR"):
        value = os.environ.get(variable, "")
        try:
            if words := shlex.split(value):
                return words
        except ValueError:
            return [value]
    return next(([name] for name in ("vi", "nano") if shutil.which(name)), [])


_PLUS = {
    "vi",
    "vim",
    "nvim",
    "view",
    "nano",
    "pico",
    "micro",
    "emacs",
    "emacsclient",
    "kak",
    "joe",
    "jed",
    "ne",
    "mg",
}
_COLON = {"hx", "helix", "subl", "zed"}
_GOTO = {"code", "codium", "cursor", "code-insiders"}
_RETURNS_AT_ONCE = {"subl", "zed"} | _GOTO


def _command(words: list[str], path: Path, line: int) -> list[str]:
    """Return the words that open a file at a line, as far as this editor is known to take one."""
    name = Path(words[0]).name
    if name in _RETURNS_AT_ONCE and not {"--wait", "-w"} & {*words}:
        words = [*words, "--wait"]
    if name in _PLUS:
        return [*words, f"+{line}", str(path)]
    if name in _GOTO:
        return [*words, "--goto", f"{path}:{line}"]
    return [*words, f"{path}:{line}" if name in _COLON else str(path)]
