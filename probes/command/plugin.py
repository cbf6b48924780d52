"""Reads what a plugin of the Nagios family writes: text, long text, performance data, ranges. Starts nothing.

The grammar is that of the Monitoring Plugins Development Guidelines, sections "Plugin Output for Nagios",
"Performance data" and "Threshold and Ranges". It is wider in one point: numbers may have an exponent, because
plugins that print with `%g` write one.
"""

import math
import re
from typing import NamedTuple

from probes.outcome import WEIGHT, Check, Verdict

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"(?P<inside>@)?(?:(?P<start>~|{_NUMBER})?(?P<colon>:))?(?P<end>{_NUMBER})?")
_ENTRY = re.compile(r"(?:'(?P<quoted>(?:[^']|'')*)'|(?P<plain>[^\s'=]+))=(?P<fields>\S*)")
_VALUE = re.compile(rf"(?P<value>U|{_NUMBER})(?P<unit>[^\d\s;'\"]*)")
_FIELDS = 5

# What a figure for trends is called ends in its unit.
_SUFFIXES = {"%": "percent", "B": "bytes", "KB": "kb", "MB": "mb", "GB": "gb", "TB": "tb"}


class Range(NamedTuple):
    """A threshold. Start and end belong to it.

    Attributes:
        start: Its lower end; minus infinity for `~`.
        end: Its upper end.
        inside: Whether a value inside of it raises the alert, `@`, and not one outside.
        text: How it was written.
    """

    start: float
    end: float
    inside: bool
    text: str

    def alerts(self, value: float) -> bool:
        """Tell whether a value raises the alert."""
        return (self.start <= value <= self.end) is self.inside

    @property
    def limit(self) -> float | str:
        """The one bound it has, as a number; the whole range in its own words if it has two."""
        if not self.inside and self.start in {0, -math.inf} and math.isfinite(self.end):
            return self.end
        return self.start if not self.inside and self.end == math.inf else self.text


class Measured(NamedTuple):
    """One entry of the performance data.

    Attributes:
        label: Its name.
        value: The figure; None where the plugin could not determine it (`U`).
        unit: Its unit, "" for a count.
        warn: The range that is degraded to leave.
        critical: The range that is a failure to leave.
    """

    label: str
    value: float | None
    unit: str
    warn: Range | None
    critical: Range | None

    @property
    def metric(self) -> str:
        """What the figure is called in trends: the label, then the unit."""
        return f"{self.label}_{_SUFFIXES.get(self.unit, self.unit)}" if self.unit else self.label

    def check(self, heaviest: Verdict) -> Check:
        """Return the line of evidence of this figure.

        Args:
            heaviest: What the exit code says. A figure beyond its range weighs no more than that: the exit
                code is the plugin's judgement, and many plugins write limits that are no ranges (check_swap
                fails below its limits, which read as ranges would fail above them).
        """
        if self.value is None:
            return Check(
                name=self.label, verdict=Verdict.PASS, message=f"{self.label} could not be determined."
            )
        verdict, crossed = Verdict.PASS, self.warn or self.critical
        for step, bounds in ((Verdict.WARN, self.warn), (Verdict.FAIL, self.critical)):
            if bounds and bounds.alerts(self.value):
                verdict, crossed = step, bounds
        line = f"{self.label} is {self.value:g}{' ' * bool(self.unit)}{self.unit}"
        if crossed:
            line += f", limit {crossed.limit if isinstance(crossed.limit, str) else f'{crossed.limit:g}'}"
        if heaviest is Verdict.PASS and verdict is not Verdict.PASS:
            line += ", which read as a range is crossed, but the exit code says OK"
        verdict = min(verdict, heaviest, key=WEIGHT.__getitem__)
        return Check(
            name=self.label,
            verdict=verdict,
            observed=self.value,
            unit=self.unit or None,
            limit=crossed.limit if crossed else None,
            message=f"{line}.",
            hint="" if verdict is Verdict.PASS else f"Bring {self.label} back within its limit.",
        )


class Said(NamedTuple):
    """What a plugin wrote.

    Attributes:
        text: The first line, up to the performance data.
        more: The lines after it, without theirs.
        measured: The performance data that could be read.
        broken: Entries that could not be read, as they stand.
    """

    text: str
    more: str
    measured: tuple[Measured, ...]
    broken: tuple[str, ...]


def read(output: str) -> Said:
    """Take an output apart: `TEXT|DATA`, then lines of text, and after a second `|` data again."""
    first, _, rest = output.partition("\n")
    text, _, data = first.partition("|")
    more, _, rest_of_data = rest.partition("|")
    measured, broken = _entries(f"{data} {rest_of_data}")
    return Said(text.strip(), more.strip(), measured, broken)


def parse_range(text: str) -> Range:
    """Read a range: `10`, `10:`, `~:10`, `10:20`, `@10:20`.

    Raises:
        ValueError: If it is none, or if it starts above its end.
    """
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no range")
    start = -math.inf if match["start"] == "~" else float(match["start"] or 0)
    end = math.inf if match["end"] is None else float(match["end"])
    if start > end:
        raise ValueError(f"{text!r} starts above its end")
    return Range(start, end, match["inside"] is not None, text)


def _entries(data: str) -> tuple[tuple[Measured, ...], tuple[str, ...]]:
    measured, broken = [], []
    data = data.strip()
    while data:
        match = _ENTRY.match(data)
        words = match[0] if match else data.split(maxsplit=1)[0]
        try:
            measured.append(_entry(match))
        except ValueError:
            broken.append(words)
        data = data[len(words) :].lstrip()
    return tuple(measured), tuple(broken)


def _entry(match: re.Match[str] | None) -> Measured:
    if match is None:
        raise ValueError("no entry begins here")
    label = match["plain"] or (match["quoted"] or "").replace("''", "'")
    value, *bounds = match["fields"].removesuffix(";").split(";")
    figure = _VALUE.fullmatch(value)
    bounds += [""] * (_FIELDS - 1 - len(bounds))
    if figure is None or not label or len(bounds) >= _FIELDS:
        raise ValueError(f"{match[0]!r} is no performance data")
    warn, critical = (parse_range(text) if text else None for text in bounds[:2])
    for text in filter(None, bounds[2:]):
        float(text)
    number = None if figure["value"] == "U" else float(figure["value"])
    return Measured(label, number, figure["unit"], warn, critical)
