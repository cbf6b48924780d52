"""Runs each blocking probe in a process of its own, and leaves none of them behind.

`python -m probes.forkserver` is started once by the runner (`probes.workers`). It forks a child a run, which
is cheap because everything is already imported. It never runs a probe itself, so it cannot hang or crash with
one; it is the reaper of all its descendants, so that even one which forked twice and left its session cannot
escape; and when the runner goes away, however it went, standard input ends and everything here ends with it.

Standard input takes one JSON object a line: `{"do": "start", "run": 7, "use": "host", "values": {...},
"folder": "/srv"}` and `{"do": "stop", "run": 7}`. Standard output answers once a run, when nothing of it is
left: `{"run": 7, "outcome": {...}}`, or with `"signal": 11` or `"exit": 1` in place of an outcome that never
came.
"""

import contextlib
import ctypes
import fcntl
import os
import selectors
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import msgspec

from probes import parameters, registry
from probes.clean import clean
from probes.outcome import CannotTell, Memory, Outcome, Reason, unknown

GRACE = 2.0
"""Seconds between TERM and KILL."""

PATIENCE = 0.5
"""Seconds to wait for killed processes to be gone. One that is caught in the kernel, or was started with
other rights, may never go; it must not hold up the others."""

MAX_OUTCOME = 8 * 1024 * 1024
"""Bytes of an encoded outcome that are taken from a child."""

MARK = "GONOGO_RUN"
"""The environment variable that every process of a run inherits: `SERVER_PID.RUN`."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
# Loaded here, because a child must not load anything before it has shed what it inherited.
_C = ctypes.CDLL(None)
_HANDLED = {signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGTERM}


class Start(msgspec.Struct, tag_field="do", tag="start"):
    """Start a run."""

    run: int
    use: str
    values: dict[str, object]
    folder: str
    memory: dict[str, float | int | str] = {}


class Stop(msgspec.Struct, tag_field="do", tag="stop"):
    """End a run: TERM, then after `GRACE` KILL."""

    run: int


class Answer(msgspec.Struct, omit_defaults=True):
    """The end of a run; nothing of it is left."""

    run: int
    outcome: Outcome | None = None
    signal: int | None = None
    exit: int | None = None


@dataclass
class _Run:
    run: int
    pid: int
    pipe: int
    received: bytearray = field(default_factory=bytearray)
    kill_at: float | None = None


def execute(use: str, values: dict[str, object], memory: Memory) -> Outcome:
    """Run a blocking probe here and now. Doubt and bugs become `unknown`; nothing is raised.

    Raises:
        ProbeNotFoundError, BrokenProbeError, ValidationError: If the runner asked for what it cannot have.
    """
    probe = registry.find(use)
    given = parameters.convert(values, probe.parameters)
    try:
        # Cleaned here too, because what is not clean may not even be encoded.
        return clean(expect_outcome(probe.function(*probe.arguments(given, memory))))
    except CannotTell as doubt:
        return clean(unknown(doubt.reason, doubt.message, doubt.hint))
    except Exception as error:  # noqa: BLE001  # whatever goes wrong in a probe is its outcome
        return clean(probe.bug(error))


def expect_outcome(found: object) -> Outcome:
    """Return what a probe returned, if it is an outcome.

    Raises:
        TypeError: If it is not.
        ValidationError: If a part of it is not what its type says, such as a verdict that is a mere text.
    """
    if not isinstance(found, Outcome):
        raise TypeError(f"it returned {type(found).__name__}, not an Outcome")
    return msgspec.convert(msgspec.to_builtins(found), Outcome)


def _child(order: Start, pipe: int) -> NoReturn:
    """Become the process of one run: own session, nothing inherited but the pipe, and never return."""
    status = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in _HANDLED:
            signal.signal(number, signal.SIG_DFL)
        # TERM unwinds the stack, so that a probe's `finally` cleans up.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        os.environ[MARK] = f"{os.getppid()}.{order.run}"
        if sys.platform == "linux":
            # Should the server be killed, nobody would be left to end this run.
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        # Out of the way of the numbers they are to get.
        pipe = fcntl.fcntl(pipe, fcntl.F_DUPFD, 10)
        null = fcntl.fcntl(os.open(os.devnull, os.O_RDWR), fcntl.F_DUPFD, 10)
        for target, source in ((3, pipe), (0, null), (1, null), (2, null)):
            os.dup2(source, target, inheritable=target < 3)  # noqa: PLR2004  # the standard three
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        os.chdir(order.folder)
        data = msgspec.json.encode(execute(order.use, order.values, order.memory))
        if len(data) > MAX_OUTCOME:
            data = msgspec.json.encode(unknown(Reason.LIMIT, f"The outcome was {len(data)} bytes long."))
        with os.fdopen(3, "wb") as out:
            out.write(data + b"\n")
        status = 0
    except SystemExit:
        pass
    finally:
        os._exit(status)


class _Server:
    def __init__(self) -> None:
        self.runs: dict[int, _Run] = {}
        self.selector = selectors.DefaultSelector()
        self.pending = bytearray()
        self.closing = False
        self.asked_to_end = False
        self.decoder = msgspec.json.Decoder(Start | Stop)

    def serve(self) -> None:
        _become_reaper()
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask_to_end)
        self.selector.register(wake_read, selectors.EVENT_READ, None)
        self.selector.register(0, selectors.EVENT_READ, None)
        while self.runs or not self.closing:
            for key, _ in self.selector.select(self._patience()):
                if key.fd == wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake_read, 4096)
                    if self.asked_to_end:
                        self.close()
                elif key.fd == 0:
                    self._read_orders()
                else:
                    self._read_outcome(key.data)
            self._kill_overdue()
            self._reap()
        self._sweep()

    def _ask_to_end(self, *_: object) -> None:
        self.asked_to_end = True

    def _patience(self) -> float | None:
        moments = [run.kill_at for run in self.runs.values() if run.kill_at is not None]
        return max(0.0, min(moments) - time.monotonic()) if moments else None

    def _read_orders(self) -> None:
        data = os.read(0, 65536)
        if not data:
            self.close()
            return
        self.pending += data
        while (end := self.pending.find(b"\n")) >= 0:
            order = self.decoder.decode(bytes(self.pending[:end]))
            del self.pending[: end + 1]
            if isinstance(order, Start):
                self._start(order)
            elif order.run in self.runs:
                self._stop(self.runs[order.run])

    def _start(self, order: Start) -> None:
        with contextlib.suppress(registry.ProbeNotFoundError, registry.BrokenProbeError):
            registry.find(order.use)  # imported once here, so that no child has to
        read, write = os.pipe()
        # A child must never run the handlers of the server.
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        pid = os.fork()
        if pid == 0:
            _child(order, write)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        os.close(write)
        os.set_blocking(read, False)
        run = self.runs[order.run] = _Run(order.run, pid, read)
        self.selector.register(read, selectors.EVENT_READ, run)

    def _read_outcome(self, run: _Run) -> None:
        try:
            data = os.read(run.pipe, 65536)
        except BlockingIOError:
            return
        if not data or len(run.received) > MAX_OUTCOME:
            self.selector.unregister(run.pipe)
        run.received += data

    def _stop(self, run: _Run) -> None:
        if run.kill_at is None:
            run.kill_at = time.monotonic() + GRACE
            # A stopped process takes no TERM until it is continued.
            _signal([run.pid, *_descendants(run.pid)], signal.SIGTERM, signal.SIGCONT)

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for run in self.runs.values():
            if run.kill_at is not None and run.kill_at <= now:
                # Stopped first, it can start nothing while its descendants are counted.
                _signal([run.pid], signal.SIGSTOP)
                _signal([*_descendants(run.pid), run.pid], signal.SIGKILL)
                run.kill_at = now + GRACE

    def _reap(self) -> None:
        by_pid = {run.pid: run for run in self.runs.values()}
        ended: list[Answer] = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if run := by_pid.get(pid):
                ended.append(self._finish(run, os.waitstatus_to_exitcode(status)))
        if ended:
            self._sweep()
            for answer in ended:
                self._answer(answer)

    def _finish(self, run: _Run, code: int) -> Answer:
        while run.pipe in self.selector.get_map():
            before = len(run.received)
            self._read_outcome(run)
            if len(run.received) == before:
                break
        with contextlib.suppress(KeyError):
            self.selector.unregister(run.pipe)
        os.close(run.pipe)
        del self.runs[run.run]
        if run.received.endswith(b"\n"):
            with contextlib.suppress(msgspec.MsgspecError):
                return Answer(run.run, outcome=msgspec.json.decode(bytes(run.received), type=Outcome))
        return Answer(run.run, signal=-code) if code < 0 else Answer(run.run, exit=code)

    def _answer(self, answer: Answer) -> None:
        data = memoryview(msgspec.json.encode(answer) + b"\n")
        try:
            while data:
                data = data[os.write(1, data) :]
        except BrokenPipeError:
            self.close()

    def _sweep(self) -> None:
        """Kill every descendant that belongs to no living run."""
        known = {run.pid for run in self.runs.values()}
        marks = {f"{os.getpid()}.{run.run}" for run in self.runs.values()}
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            strangers = [pid for pid in _children(os.getpid()) if pid not in known]
            doomed = [pid for pid in strangers if not _belongs(pid, known, marks)]
            if not doomed:
                break
            for pid in doomed:
                _signal([pid], signal.SIGSTOP)
                _signal([*_descendants(pid), pid], signal.SIGKILL)
            time.sleep(0.001)
            for pid in doomed:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)

    def close(self) -> None:
        """End all runs, take no more orders; `serve` returns when nothing is left."""
        if not self.closing:
            self.closing = True
            with contextlib.suppress(KeyError):
                self.selector.unregister(0)
        for run in list(self.runs.values()):
            self._stop(run)


def _become_reaper() -> None:
    """Let orphaned descendants fall to this process instead of to init. Linux only; elsewhere a no-op."""
    if sys.platform == "linux":
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    _C.prctl(option, value, 0, 0, 0)


def _children(pid: int) -> list[int]:
    """Return the direct children of a process, zombies included."""
    # The kernel's own list, one a thread, costs a hundredth of reading every process's parent.
    lists = list(Path(f"/proc/{pid}/task").glob("*/children"))
    with contextlib.suppress(OSError):
        if lists:
            return [int(word) for each in lists for word in each.read_text().split()]
    import psutil

    with contextlib.suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children()]
    return []


def _descendants(pid: int) -> list[int]:
    found = _children(pid)
    for child in found:
        found.extend(_children(child))
    return found


def _belongs(pid: int, known: set[int], marks: set[str]) -> bool:
    """Tell whether an orphan was started by a run that is still going: same session, or same mark."""
    import psutil

    try:
        if os.getsid(pid) in known:
            return True
        return bool(marks) and psutil.Process(pid).environ().get(MARK) in marks
    except (ProcessLookupError, psutil.Error):
        return False


def _signal(pids: list[int], *numbers: signal.Signals) -> None:
    for pid in pids:
        for number in numbers:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)


if __name__ == "__main__":
    # It must be there already when processes are to be ended; the console needs but the names above.
    import psutil  # noqa: F401  # as above

    _Server().serve()
