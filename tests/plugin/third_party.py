"""Probes as a third party would install them, that can be told to misbehave."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from probes.outcome import CannotTell, Check, Memory, Outcome, Reason, Verdict, conclude
from probes.parameters import Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping


class Misbehaviour(Parameters, frozen=True):
    """What to do.

    Attributes:
        do: The behaviour.
        file: A file to write a process id, or read a verdict.
        text: Something to say.
        count: How many.
    """

    do: str = "pass"
    file: str = ""
    text: str = "all is well"
    count: int = 0


_SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
_STUBBORN = (
    "import os, signal, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "os.setsid() if os.getpid() != os.getsid(0) else None\n"
    "if os.fork(): time.sleep(600)\n"
    "os.setsid()\n"
    "open(sys.argv[1], 'a').write(f'{os.getpid()}\\n')\n"
    "time.sleep(600)\n"
)


def _say(verdict: Verdict, text: str) -> Outcome:
    return conclude([Check(name="said", verdict=verdict, observed=1.0, limit=2, message=text)], text)


def _count(params: Misbehaviour, memory: Memory) -> Outcome:
    """Fail until it has been run often enough, by its memory or, over several attempts, by its file."""
    runs = int(memory.get("runs", 0)) + 1
    if params.file:
        with Path(params.file).open("a+") as note:
            note.write("run\n")
            note.seek(0)
            runs = len(note.readlines())
    verdict = Verdict.PASS if runs >= params.count else Verdict.FAIL
    line = Check(name="runs", verdict=verdict, observed=runs, message=f"Run {runs}.", hint="Wait.")
    return conclude([line], f"Run {runs}.", memory={"runs": runs})


def _odd(params: Misbehaviour) -> Outcome:
    """Return what a careless probe may return."""
    match params.do:
        case "contradict":
            line = Check(name="database", verdict=Verdict.FAIL, message="gone")
            return Outcome(verdict=Verdict.PASS, summary="fine", checks=(line,))
        case "text verdict":
            return Outcome(verdict="pass", summary="fine")  # type: ignore[arg-type]  # a third party's mistake
        case "surrogate":
            return _say(Verdict.FAIL, "file \udce9 is damaged")
        case "nan":
            line = Check(name="said", verdict=Verdict.FAIL, observed=float("nan"), message="lost")
            return conclude([line], metrics={"lost": float("nan")})
        case _:
            return conclude([Check(name="said", verdict=Verdict.PASS)], metrics={"a": "text"})  # type: ignore[dict-item]  # a third party's mistake


def blocks(params: Misbehaviour, memory: Memory) -> Outcome:
    """Misbehave in a process."""
    if params.do == "count":
        return _count(params, memory)
    note = Path(params.file) if params.file else None
    if note is not None and params.do not in {"read", "await"}:
        with note.open("a") as out:
            out.write(f"{os.getpid()}\n")
    match params.do:
        case "read":
            return _say(Verdict((note or Path()).read_text().strip()), params.text)
        case "await":
            while not (note or Path()).exists():
                time.sleep(0.01)
        case "folder":
            return _say(Verdict.PASS, str(Path.cwd()))
        case "raise":
            raise ValueError(params.text)
        case "doubt":
            raise CannotTell(Reason.MISSING, params.text, "Look again.")
        case "nothing":
            return None  # type: ignore[return-value]  # a third party's mistake
        case "sleep":
            time.sleep(600)
        case "ignore-term":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                time.sleep(600)
        case "clean-up":
            try:
                time.sleep(600)
            finally:
                Path(params.text).write_text("cleaned")
        case "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "exit":
            os._exit(3)
        case "leave-child":
            with Path(params.file).open("a") as out:
                out.write(f"{subprocess.Popen(_SLEEPER, start_new_session=True).pid}\n")
        case "escape":
            subprocess.Popen([sys.executable, "-c", _STUBBORN, params.file], start_new_session=True, env={})
            while len(Path(params.file).read_text().split()) < 2:
                time.sleep(0.01)
            time.sleep(600)
        case "contradict" | "text verdict" | "surrogate" | "nan" | "text-metric":
            return _odd(params)
        case "huge":
            return _say(Verdict.PASS, "x" * params.count)
    return _say(Verdict.PASS, params.text)


async def waits(params: Misbehaviour, memory: Memory) -> Outcome:
    """Misbehave on the loop."""
    match params.do:
        case "count":
            return _count(params, memory)
        case "raise":
            raise ValueError(params.text)
        case "timeout":
            raise TimeoutError(params.text)
        case "nothing":
            return None  # type: ignore[return-value]  # a third party's mistake
        case "sleep":
            await asyncio.sleep(600)
        case "linger":
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(600)
        case "exit":
            sys.exit(3)
        case "cancel":
            other = asyncio.create_task(asyncio.sleep(600))
            other.cancel()
            await other
        case "contradict" | "text verdict" | "surrogate" | "nan" | "text-metric":
            return _odd(params)
    return _say(Verdict.PASS, params.text)


def hides(params: Misbehaviour, memory: "Mapping[str, float]") -> Outcome:
    """Have a type that only a type checker can see."""
    return _say(Verdict.PASS, f"{params.text} {memory}")
