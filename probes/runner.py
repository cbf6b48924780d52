"""Runs a probe, wherever it has to run, and answers for what comes back.

The runner owns deadlines, cancellation, concurrency and cleaning. Whatever happens, a run ends with an
`Outcome`: doubt, bad parameters and bugs are `unknown` with a reason.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import cast

import msgspec

from probes import registry
from probes.clean import clean, is_secret_name, secrets_of
from probes.forkserver import expect_outcome
from probes.outcome import CannotTell, Check, Memory, Outcome, Reason, Verdict, now, unknown
from probes.parameters import FOLDER, Expanded, Parameters, convert, expand, filled, seconds
from probes.registry import BrokenProbeError, Probe, ProbeNotFoundError
from probes.workers import Workers, late

MAX_WAITING = 64
"""Probes that wait for the network at the same time."""

# Reasons that a better address, path or credential in the environment could cure.
_CURABLE = frozenset(Reason) - {Reason.CRASHED, Reason.INTERNAL, Reason.LIMIT}


_NONE: Mapping[str, str] = {}

# What another attempt would find again.
_NOT_CURED = {Reason.CONFIG, Reason.INTERNAL}


class Runner:
    """Runs probes, many at a time."""

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        """Prepare to run probes in a folder.

        Args:
            folder: What relative paths in parameters are relative to: the checklist's folder.
            environment: Where `${NAME}` is looked up; this process's own by default.
        """
        self._folder = folder
        self._environment = os.environ if environment is None else environment
        self._workers = Workers()
        self._waiting = asyncio.Semaphore(MAX_WAITING)
        # More computing probes than cores would only spoil one another's deadline.
        self._computing = asyncio.Semaphore(max(4, os.cpu_count() or 1))

    async def run(
        self,
        use: str,
        raw: Mapping[str, object],
        memory: Memory | None = None,
        *,
        variables: Mapping[str, str] = _NONE,
        lax: bool = False,
    ) -> Outcome:
        """Run one probe to its end or its deadline, again if that is asked for.

        Args:
            use: The probe's name.
            raw: Its parameters as they stand in the checklist, `${NAME}` and all.
            memory: What the last run of the same item kept, if there was one.
            variables: Values that stand in `raw` already, by name: the name may say that one is a secret.
            lax: Read numbers and booleans out of text, as for a command line.

        Returns:
            The outcome of the last attempt, cleaned. A deadline counts from the moment the probe starts, not
            from the moment it began to queue. With retries the run began when its first attempt did.

        Raises:
            asyncio.CancelledError: If the run was cancelled; its process has been told to end.
        """
        started_at, started = now(), time.monotonic()
        expanded = Expanded({}, {}, ())
        secrets = secrets_of({**variables, **_texts(raw)})
        try:
            probe = registry.find(use)
            expanded = expand(raw, self._environment)
            # What a variable is made of may have names that tell nothing: its own name counts.
            named = filled(variables, self._environment)
            secrets = secrets_of({**named, **_texts(expanded.values), **expanded.read})
            given = convert(expanded.values, probe.parameters, lax=lax)
            async with self._waiting if probe.waits else self._computing:
                started_at, started = now(), time.monotonic()
                outcome = clean(await self._execute(probe, given, memory or {}), secrets)
            outcome = await self._retry(probe, given, outcome, memory or {}, secrets)
        except CannotTell as doubt:
            outcome = unknown(doubt.reason, doubt.message, doubt.hint)
        except ProbeNotFoundError as error:
            outcome = unknown(Reason.CONFIG, f"Cannot run: {error}.", "Correct use, or install that probe.")
        except msgspec.ValidationError as error:
            advice = f"Correct it; gonogo probe {use} --describe tells what it takes."
            outcome = unknown(Reason.CONFIG, f"Bad parameters: {error}.", advice)
        except BrokenProbeError as error:
            outcome = unknown(Reason.INTERNAL, str(error), "Repair or remove the package it comes in.")
        duration = round(time.monotonic() - started, 6)
        if outcome.verdict is Verdict.UNKNOWN and not outcome.memory:
            # What was not seen now is for the next run to see.
            outcome = msgspec.structs.replace(outcome, memory=dict(memory or {}))
        outcome = clean(_advise(outcome, expanded), secrets)
        return msgspec.structs.replace(outcome, probe=use, started_at=started_at, duration=duration)

    async def close(self) -> None:
        """End everything this runner has started; return when nothing is left."""
        await self._workers.close()

    async def _retry(
        self, probe: Probe, given: Parameters, first: Outcome, memory: Memory, secrets: tuple[str, ...]
    ) -> Outcome:
        """Look again until a pass, as often as asked. It would cure no bug, and no parameter that is wrong.

        Each attempt is told what the last run kept, not what the last attempt did: what grew between two runs
        did grow, however often one looks.
        """
        outcome = first
        for attempt in range(2, given.retries + 2):
            # With a line of evidence it did look, as a plugin does that says it is set up wrongly.
            if outcome.verdict is Verdict.PASS or (outcome.reason in _NOT_CURED and not outcome.checks):
                break
            before = outcome
            await asyncio.sleep(seconds(given.retry_wait))
            async with self._waiting if probe.waits else self._computing:
                outcome = clean(await self._execute(probe, given, memory), secrets)
            if outcome.verdict is Verdict.PASS:
                outcome = _passed_late(outcome, before, attempt, given.retries + 1)
        return outcome

    async def _execute(self, probe: Probe, given: Parameters, memory: Memory) -> Outcome:
        deadline = seconds(given.timeout)
        if not probe.waits:
            values = msgspec.to_builtins(given)
            return await self._workers.run(probe.name, values, memory, str(self._folder), deadline)
        limit = asyncio.timeout(deadline)
        folder = FOLDER.set(self._folder)
        try:
            async with limit:
                found = await cast("Awaitable[Outcome]", probe.function(*probe.arguments(given, memory)))
            outcome = clean(expect_outcome(found))
        except CannotTell as doubt:
            outcome = unknown(doubt.reason, doubt.message, doubt.hint)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancelled the run: something inside the probe was, and nothing there was ready for it.
            outcome = probe.bug(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever goes wrong in a probe is its outcome
            outcome = probe.bug(error)
        finally:
            FOLDER.reset(folder)
        # Whatever it still said: a probe may have swallowed the cancellation.
        return late(deadline) if limit.expired() else outcome


def _passed_late(outcome: Outcome, before: Outcome, attempt: int, most: int) -> Outcome:
    line = f"Passed on attempt {attempt} of {most}; the one before found {before.verdict}: {before.summary}"
    check = Check(name="attempts", verdict=Verdict.PASS, observed=attempt, limit=most, message=line)
    summary = f"{outcome.summary} Passed on attempt {attempt} of {most}."
    return msgspec.structs.replace(outcome, summary=summary, checks=(check, *outcome.checks))


def _advise(outcome: Outcome, expanded: Expanded) -> Outcome:
    """Name the environment variables that a doubt may come from: the probe cannot know where a value was."""
    if outcome.reason not in _CURABLE:
        return outcome
    advice = [outcome.hint] if outcome.hint else []
    if expanded.defaulted:
        advice.append(f"Set {' and '.join(expanded.defaulted)}.")
    # A password does not decide whether a server is there.
    asked = outcome.reason in {Reason.AUTH, Reason.FORBIDDEN}
    if read := [name for name in expanded.read if asked or not is_secret_name(name) or _is_address(name)]:
        advice.append(f"Check {' and '.join(read)}.")
    return msgspec.structs.replace(outcome, hint=" ".join(advice))


def _is_address(name: str) -> bool:
    return name.upper().endswith(("_URL", "_DSN"))


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    """Return the parameters that are texts, also in tables: a password may stand in them literally."""
    texts: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, str):
            texts[name] = value
        elif isinstance(value, Mapping):
            texts |= {f"{name}.{inner}": text for inner, text in _texts(value).items()}
    return texts
