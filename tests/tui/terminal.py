"""A real pseudo-terminal with a program in it, read the way a person reads it."""

import fcntl
import os
import pty
import select
import signal
import struct
import termios
from pathlib import Path
from time import monotonic
from typing import Self

import pyte
import pytest

PATIENCE = 40.0


class Terminal:
    """Runs one program in a pseudo-terminal of its own."""

    def __init__(
        self, argv: list[str], folder: Path, environment: dict[str, str], size: tuple[int, int] = (80, 24)
    ) -> None:
        columns, lines = size
        self.screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(argv[0], argv, environment)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.status: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.close()

    def close(self) -> None:
        """Close the terminal, as a window is closed."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def _read(self, seconds: float) -> bool:
        """Take in what the program wrote; tell whether it may write more."""
        ready, _, _ = select.select([self._fd], [], [], seconds)
        if ready:
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                return False
            if not data:
                return False
            self.raw += data
            self._stream.feed(data)
        return True

    def see(self, text: str, *, there: bool = True) -> None:
        """Wait until a text is on the screen."""
        deadline = monotonic() + PATIENCE
        while (text in self.text) is not there:
            if monotonic() > deadline or not self._read(0.1):
                pytest.fail(f"{'not' if there else 'still'} on the screen: {text!r}\n{self.text}")

    def come(self, text: str, since: int) -> None:
        """Wait until a text has come after so many bytes: what stood on the screen before does not count."""
        deadline = monotonic() + PATIENCE
        while text.encode() not in self.raw[since:]:
            if monotonic() > deadline or not self._read(0.1):
                pytest.fail(f"has not come: {text!r}\n{self.text}")

    def gone(self, text: str) -> None:
        """Wait until a text is no longer on the screen."""
        self.see(text, there=False)

    def press(self, keys: str) -> None:
        """Type keys as a keyboard sends them."""
        os.write(self._fd, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        self.screen.resize(lines, columns)
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def ended(self) -> int:
        """Wait for the program to end and return its exit code."""
        deadline = monotonic() + PATIENCE
        while self.status is None:
            if self._fd >= 0:
                self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
            elif monotonic() > deadline:
                pytest.fail(f"the program does not end\n{self.text}")
        while self._fd >= 0 and self._read(0.05):
            if not select.select([self._fd], [], [], 0)[0]:
                break
        return self.status
