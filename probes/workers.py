"""The runner's end of the fork server: one call a run, which ends when its process has ended."""

import asyncio
import contextlib
import itertools
import signal
import sys
from asyncio.subprocess import PIPE, Process

import msgspec

from probes.forkserver import GRACE, MARK, MAX_OUTCOME, Answer, Start, Stop
from probes.outcome import Memory, Outcome, Reason, Verdict, unknown


class Workers:
    """Runs blocking probes in killable processes. The server is started at the first run."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._server: Process | None = None
        self._closed = False
        self._reader: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()

    async def run(
        self, use: str, values: dict[str, object], memory: Memory, folder: str, deadline: float
    ) -> Outcome:
        """Run a blocking probe in a process of its own.

        Args:
            use: The probe's name.
            values: Its parameters, with the environment filled in. They travel through a pipe, so that
                neither a process list nor a file ever shows them.
            memory: What its last run kept.
            folder: The working directory of the run.
            deadline: Seconds until the process is ended and the outcome is `unknown: timeout`, whatever the
                dying process still says.

        Cancelling ends the process too, without waiting for its end.
        """
        if self._closed:
            return unknown(Reason.CRASHED, "Not run: the program is ending.")
        try:
            server = await self._started()
        except OSError as error:
            return unknown(
                Reason.FORBIDDEN if isinstance(error, PermissionError) else Reason.MISSING,
                f"The process that runs probes cannot be started: {error.strerror}: {sys.executable}.",
                "Run gonogo as a user who may run the Python that it is installed in.",
            )
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send(server, Start(number, use, values, folder, dict(memory)))
        try:
            async with asyncio.timeout(deadline):
                return _outcome(await asyncio.shield(answer))
        except TimeoutError:
            self._send(server, Stop(number))
            # The server kills after GRACE; a little more covers a machine that is busy.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE + 2):
                    await asyncio.shield(answer)
            return late(deadline)
        except asyncio.CancelledError:
            self._send(server, Stop(number))
            raise

    async def close(self) -> None:
        """End all runs and the server; return when nothing is left."""
        self._closed = True
        if self._server is None:
            return
        server, self._server = self._server, None
        if server.stdin is not None:
            server.stdin.close()
        try:
            async with asyncio.timeout(GRACE * 2 + 1):
                await server.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                server.kill()
            await server.wait()
            await asyncio.to_thread(_end_marked, server.pid)
        if self._reader is not None:
            await self._reader

    async def _started(self) -> Process:
        async with self._starting:
            if self._server is None or self._reader is None or self._reader.done():
                self._server = await asyncio.create_subprocess_exec(
                    sys.executable,
                    # Without the current folder on the path: it may hold a `probes` or `psutil` of its own.
                    *("-P", "-m", "probes.forkserver"),
                    stdin=PIPE,
                    stdout=PIPE,
                    stderr=PIPE,
                    # A session of its own: ctrl-c in the terminal is for us to act on.
                    start_new_session=True,
                    limit=MAX_OUTCOME * 2,
                )
                self._reader = asyncio.create_task(self._read(self._server), name="probe answers")
            return self._server

    def _send(self, server: Process, order: Start | Stop) -> None:
        if server.stdin is not None and not server.stdin.is_closing():
            server.stdin.write(msgspec.json.encode(order) + b"\n")

    async def _read(self, server: Process) -> None:
        """Hand each answer to its waiting run, until the server ends."""
        decoder = msgspec.json.Decoder(Answer)
        stdout = server.stdout
        while stdout is not None and (line := await stdout.readline()):
            answer = decoder.decode(line)
            waiting = self._waiting.pop(answer.run, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)
        said = (await server.stderr.read()).decode(errors="replace") if server.stderr else ""
        code = await server.wait()
        if self._waiting:
            # It did not end because it was asked to, so it left things undone.
            await asyncio.to_thread(_end_marked, server.pid)
        lost = Outcome(
            verdict=Verdict.UNKNOWN,
            reason=Reason.CRASHED,
            summary=f"The probe server ended with {code}: {said.strip().rpartition(chr(10))[2] or 'no word'}",
        )
        for number, waiting in self._waiting.items():
            if not waiting.done():
                waiting.set_result(Answer(number, outcome=lost))
        self._waiting.clear()


def late(deadline: float) -> Outcome:
    """Return the outcome of a run that was ended at its deadline."""
    return unknown(
        Reason.TIMEOUT,
        f"No result within {deadline:g} s; the probe was ended.",
        "Find out what it waited for, or raise its timeout.",
    )


def _outcome(answer: Answer) -> Outcome:
    if answer.outcome is not None:
        return answer.outcome
    if answer.signal is not None:
        name = signal.Signals(answer.signal).name
        return unknown(Reason.CRASHED, f"The probe's process was killed by {name}.")
    return unknown(Reason.CRASHED, f"The probe's process ended with exit code {answer.exit} and no outcome.")


def _end_marked(server: int) -> None:
    """Kill whatever a server left behind that was itself killed."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK, "").startswith(f"{server}."):
                process.kill()
