"""Runs a program that checks something by itself: a plugin of the Nagios family, or a script of one's own.

The exit code decides: 0 passes, 1 is degraded, 2 has failed, 3 could not tell. Any other one, and a signal,
says nothing about what was to be checked, and is `unknown`. Performance data become lines of evidence and
figures for trends; they neither lighten nor outweigh the exit code.

A program that has more to say writes one JSON object to standard output, with the fields of
`probes.outcome.Outcome`, of which `verdict` and `summary` must be there; a pass has at least one check, and
an unknown verdict a `reason`. Nothing else may be on standard output:

    {"verdict": "warn", "summary": "Two of three replicas answer.", "hint": "Start the third.",
     "checks": [{"name": "replicas", "verdict": "warn", "observed": 2, "limit": 3, "message": "2 of 3."}],
     "metrics": {"replicas": 2}}

Then the object decides, unless the exit code says worse. What `gonogo probe USE --format json` writes is such
an object: `command = ["ssh", "db1", "gonogo", "probe", "host", "--format", "json"]` looks at another machine.
"""

import os
import re
import signal
from pathlib import Path
from typing import Annotated

import msgspec

from probes.clean import clean, secrets_of, strip
from probes.command import plugin, process
from probes.figures import size
from probes.outcome import WEIGHT, CannotTell, Check, Outcome, Reason, Verdict, unknown
from probes.parameters import Parameters

_VERDICTS = (Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.UNKNOWN)
_CANNOT_EXECUTE, _NOT_FOUND, _SIGNALLED = 126, 127, 128  # what a shell says
# An object that begins a line, whatever was written before it.
_OFFER = re.compile(r"^[ \t]*\{", re.MULTILINE)
_SSH_FAILED = 255  # where it does not hand on the exit code of the program over there
# The runner finds by it what has left its session.
_ALWAYS_PASSED = "GONOGO_RUN"


class CommandParameters(Parameters, frozen=True):
    """Which program to run, and in what surroundings.

    Everybody on the machine can read the arguments of a running program. Hand a secret over in an environment
    variable that is named in `environment`, and not in `command`.

    Attributes:
        command: The program and its arguments, a list with one word an entry; no shell reads them. With
            `shell` one text.
        shell: Hand the text of `command` to `/bin/sh -c`. Off by default: quoting goes wrong, and a value of
            `${NAME}` would be read as shell code.
        environment: Names of the environment variables it gets, beside `LC_ALL=C`, which keeps numbers and
            messages the same everywhere. One that is not set is left out. The default is our own choice: what
            programs need to find others, their settings and a place for temporary files.
        folder: Its working directory, relative to the checklist's folder, which is also the default.
        output_limit: Bytes of output and error messages together from which on it is ended, 64 KiB; our own
            choice, 8 times what Nagios reads of a plugin.
    """

    command: list[str] | str
    shell: bool = False
    environment: list[str] = msgspec.field(default_factory=lambda: ["PATH", "HOME", "USER", "TMPDIR"])
    folder: str = ""
    output_limit: Annotated[int, msgspec.Meta(ge=1024, le=4 * 1024 * 1024)] = 64 * 1024


def probe(params: CommandParameters) -> Outcome:
    """Run the program and judge what it says."""
    words = _words(params)
    environment = {name: os.environ[name] for name in params.environment if name in os.environ}
    marks = {_ALWAYS_PASSED: mark} if (mark := os.environ.get(_ALWAYS_PASSED)) else {}
    ended = process.run(words, params.folder, environment | marks | {"LC_ALL": "C"}, params.output_limit)
    name = "The shell command" if params.shell else Path(words[0]).name
    # A program may well repeat what it was handed over.
    return clean(_judge(ended, name, params.output_limit), secrets_of(environment))


def _words(params: CommandParameters) -> list[str]:
    match params.command:
        case str(text) if params.shell and text.strip():
            return ["/bin/sh", "-c", text]
        case [program, *_] if not params.shell and program.strip():
            return [*params.command]
        case str(text) if text.strip():
            found, hint = "Command is one text, but shell is not set.", "Write a list: one word an entry."
        case [_, *_] if params.shell:
            found, hint = "Command is a list, but shell is set.", "Write one text, or take shell away."
        case _:
            found, hint = "Command names no program.", "Set command: the program, then its arguments."
    raise CannotTell(Reason.CONFIG, found, hint)


def _judge(ended: process.Ended, name: str, most: int) -> Outcome:
    if ended.cut:
        return unknown(
            Reason.LIMIT,
            f"{name} wrote more than {size(most)} and was ended.",
            "Let it say less, or raise output_limit.",
        )
    # What writes UTF-8 with a mark at its beginning means nothing by it.
    output = strip(ended.output.decode(errors="replace").removeprefix("\ufeff")).strip()
    words = output or _last_line(ended.errors)
    if ended.code not in range(len(_VERDICTS)):
        return _strange(ended.code, name, words.partition("\n")[0])
    verdict = _VERDICTS[ended.code]
    if (offer := _OFFER.search(output)) and '"verdict"' in output[offer.start() :]:
        return _offered(output[offer.start() :], verdict, name, ended.code, output[: offer.start()].strip())
    said = plugin.read(words)
    text = said.text or f"{name} exited with {ended.code} and said nothing."
    hint = "" if verdict is Verdict.PASS else f"Act on what {name} says, or run it by hand to see more."
    if verdict is Verdict.UNKNOWN:
        hint = f"Run {name} by hand: exit code 3 says that its arguments are wrong or that it could not look."
    checks = [
        Check(name="exit", verdict=verdict, observed=ended.code, limit=0, message=text, hint=hint),
        *_details(said),
        *(measured.check(verdict) for measured in said.measured),
    ]
    return Outcome(
        verdict=verdict,
        # In its own words: a path or a name is not written with a capital.
        summary=text,
        hint=hint,
        # Plugins keep this exit code for wrong arguments; what they cannot reach is critical to them.
        reason=Reason.CONFIG if verdict is Verdict.UNKNOWN else None,
        checks=tuple(checks),
        metrics={each.metric: each.value for each in said.measured if each.value is not None},
    )


def _details(said: plugin.Said) -> list[Check]:
    """Return what is worth reading but decides nothing."""
    found = []
    if said.more:
        found.append(Check(name="long output", verdict=Verdict.PASS, message=said.more))
    if said.broken:
        # A gate must not stay shut because a plugin writes its figures badly: its exit code was clear.
        line = f"Not readable and left out: {' '.join(said.broken)}."
        found.append(Check(name="performance data", verdict=Verdict.PASS, message=line))
    return found


def _strange(code: int, name: str, words: str) -> Outcome:
    """Return the outcome of an exit code that is no verdict."""
    said = f" and said: {words.rstrip('.')}" if words else ""
    number = -code if code < 0 else code - _SIGNALLED
    if number in {*signal.Signals}:
        found = f"{name} was killed by {signal.Signals(number).name}{said}."
        return unknown(Reason.CRASHED, found, f"Find out who ended {name}, or repair it.")
    found = f"{name} exited with {code}{said}."
    if code == _NOT_FOUND:
        return unknown(
            Reason.MISSING, found, "Install the program that it did not find, or correct its PATH."
        )
    if code == _CANNOT_EXECUTE:
        return unknown(Reason.FORBIDDEN, found, "Allow the program that it calls to be run: chmod +x.")
    if name == "ssh" and code == _SSH_FAILED:
        hint = "Make this user's login there work without a question: ssh -o BatchMode=yes HOST true."
        return unknown(Reason.REFUSED, found, hint)
    hint = f"Let {name} exit as plugins do: 0 for pass, 1 for warn, 2 for fail, 3 if it cannot tell."
    return unknown(Reason.PROTOCOL, found, hint)


def _offered(output: str, by_exit: Verdict, name: str, code: int, before: str) -> Outcome:
    """Read the outcome that the program wrote itself."""
    hint = f"Repair what {name} writes: a JSON object with the fields of an outcome."
    if before:
        # Whose outcome it is cannot be known: this program's, or that of another whose words it repeats.
        line = f"{name} wrote an outcome, but not at the beginning of its output."
        return unknown(Reason.PROTOCOL, line, "Let it write everything else to standard error.")
    try:
        found = msgspec.json.decode(output, type=Outcome)
    except msgspec.MsgspecError as error:
        return unknown(Reason.PROTOCOL, f"{name} wrote an outcome that cannot be read: {error}.", hint)
    if not found.summary.strip():
        return unknown(Reason.PROTOCOL, f"{name} wrote an outcome without a summary.", hint)
    if WEIGHT[by_exit] > WEIGHT[found.verdict]:
        line = f"{name} wrote the verdict {found.verdict}, but exited with {code}, which is {by_exit}."
        return unknown(
            Reason.PROTOCOL, line, f"Repair {name}: its exit code may not say worse than it writes."
        )
    advice = found.hint or next((check.hint for check in found.checks if check.hint), "")
    if found.verdict is not Verdict.PASS and not advice:
        advice = f"Act on what {name} says, or run it by hand to see more."
    # What a program keeps between two runs is its own affair.
    return msgspec.structs.replace(found, hint=advice, memory={})


def _last_line(errors: bytes) -> str:
    """Return what a program complained of last: the error itself, where a trace comes before it."""
    lines = strip(errors.decode(errors="replace")).split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
