"""Finds probes by name through the entry-point group `gonogo.probes`, the built-in ones like anybody's."""

import inspect
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple, cast, get_type_hints

from probes.outcome import Outcome
from probes.parameters import Parameters

GROUP = "gonogo.probes"

AsyncProbe = Callable[[Parameters], Awaitable[Outcome]]
BlockingProbe = Callable[[Parameters], Outcome]


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
    """

    name: str
    parameters: type[Parameters]
    function: AsyncProbe | BlockingProbe
    waits: bool


@cache
def _installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in sorted(entry_points(group=GROUP))}


def names() -> list[str]:
    """Return the names of all installed probes, in alphabetical order. Imports none of them."""
    return list(_installed())


@cache
def find(name: str) -> Probe:
    """Load a probe by name.

    The parameter struct is read off the annotation of the function's only parameter.

    Raises:
        ProbeNotFoundError: If no installed package offers a probe of this name.
        BrokenProbeError: If the package offers something that is not a probe, or that does not import.
    """
    try:
        point = _installed()[name]
    except KeyError:
        raise ProbeNotFoundError(name) from None
    try:
        function = point.load()
    except Exception as error:
        raise BrokenProbeError(f"probe {name!r} ({point.value}) does not import: {error}") from error
    kind = _parameter_struct(function)
    if kind is None:
        raise BrokenProbeError(f"probe {name!r} ({point.value}) takes no single Parameters struct")
    return Probe(name, kind, cast("AsyncProbe", function), inspect.iscoroutinefunction(function))


def _parameter_struct(function: Any) -> type[Parameters] | None:  # noqa: ANN401  # whatever a package offers
    if not callable(function):
        return None
    hints = get_type_hints(function)
    hints.pop("return", None)
    kinds = list(hints.values())
    if len(kinds) == 1 and isinstance(kinds[0], type) and issubclass(kinds[0], Parameters):
        return kinds[0]
    return None
