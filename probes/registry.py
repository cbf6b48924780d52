"""Finds probes by name through the entry-point group `gonogo.probes`, the built-in ones like anybody's."""

import inspect
import traceback
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, NamedTuple, cast, get_type_hints

from probes.outcome import Memory, Outcome, Reason, unknown
from probes.parameters import Parameters

GROUP = "gonogo.probes"

AsyncProbe = Callable[..., Awaitable[Outcome]]
BlockingProbe = Callable[..., Outcome]


class ProbeNotFoundError(LookupError):
    """No installed probe has this name."""

    def __init__(self, name: str) -> None:
        """Name the probe that was asked for; the message lists those there are."""
        super().__init__(f"no probe is called {name!r}; there are {', '.join(names())}")


class BrokenProbeError(TypeError):
    """An installed entry point does not lead to a probe."""


class Probe(NamedTuple):
    """A probe as the runner sees it.

    Attributes:
        name: What a checklist calls it by in `use`.
        parameters: Its parameter struct.
        function: `async def` where it waits for the network, `def` where it computes or may block.
        waits: Whether `function` is `async def` and so belongs on the event loop.
        remembers: Whether it takes what its last run kept (`Outcome.memory`) as a second argument.
        package: The name and version of the package it comes in.
        issues: Where that package wants bugs to be reported, or "" if it does not say.
    """

    name: str
    parameters: type[Parameters]
    function: AsyncProbe | BlockingProbe
    waits: bool
    remembers: bool
    package: str
    issues: str

    def arguments(self, given: Parameters, memory: Memory) -> tuple[Parameters] | tuple[Parameters, Memory]:
        """Return what to call the function with."""
        return (given, memory) if self.remembers else (given,)

    def bug(self, error: BaseException) -> Outcome:
        """Return the outcome of a run that ended in an unforeseen error: what, where, and whom to tell."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
        return unknown(
            Reason.INTERNAL,
            f"Bug in the {self.name} probe: {type(error).__name__}: {error}{place}",
            f"Report this line to the makers of {self.package}{self.issues and ': ' + self.issues}.",
        )


@cache
def _installed() -> dict[str, dict[str, EntryPoint]]:
    """Return what is offered under each name, by the place it leads to."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in sorted(entry_points(group=GROUP)):
        found.setdefault(point.name, {})[point.value] = point
    return found


def names() -> list[str]:
    """Return the names of all installed probes, in alphabetical order. Imports none of them."""
    return list(_installed())


@cache
def find(name: str) -> Probe:
    """Load a probe by name.

    The parameter struct is read off the annotation of the function's first parameter; one with a second
    parameter is also given the memory of the last run.

    Raises:
        ProbeNotFoundError: If no installed package offers a probe of this name.
        BrokenProbeError: If the package offers something that is not a probe, that does not
            load, or of the same name as another package's.
    """
    try:
        offers = _installed()[name]
    except KeyError:
        raise ProbeNotFoundError(name) from None
    point, *others = offers.values()
    if others:
        # Which of them the checklist means is not for the alphabet to say.
        raise BrokenProbeError(f"several packages offer a probe {name!r}: {', '.join(offers)}")
    try:
        function = point.load()
        kinds = _kinds(function)
    except (Exception, SystemExit) as error:
        raise BrokenProbeError(f"probe {name!r} ({point.value}) cannot be loaded: {error}") from error
    if not kinds or not isinstance(kinds[0], type) or not issubclass(kinds[0], Parameters) or kinds[2:]:
        raise BrokenProbeError(f"probe {name!r} ({point.value}) takes no Parameters struct")
    return Probe(
        name,
        kinds[0],
        cast("AsyncProbe", function),
        waits=inspect.iscoroutinefunction(function),
        remembers=len(kinds) > 1,
        package=f"{point.dist.name} {point.dist.version}" if point.dist else name,
        issues=_issues(point),
    )


def _kinds(function: Any) -> list[object]:  # noqa: ANN401  # whatever a package offers
    """Return the annotations of a function's parameters."""
    if not callable(function):
        return []
    hints = get_type_hints(function)
    hints.pop("return", None)
    return list(hints.values())


def _issues(point: EntryPoint) -> str:
    """Return the address a package names for bugs, under one of the well-known labels of its metadata."""
    urls = point.dist.metadata.get_all("Project-URL") if point.dist else None
    known = {"issues", "bugs", "issue", "bug", "tracker", "issuetracker", "bugtracker"}
    for label, _, url in (entry.partition(",") for entry in urls or ()):
        if "".join(filter(str.isalnum, label.lower())) in known:
            return str(url).strip()
    return ""
