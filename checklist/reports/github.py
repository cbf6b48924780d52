"""Workflow commands of GitHub Actions: an annotation at the line of each item that is not proven.

What holds is an `::error`, what is waived or advisory a `::warning`, the verdict a `::notice`. GitHub reads a
command at the beginning of a line, so no text from outside ever begins one.
"""

from collections.abc import Iterable

from checklist.reports.blocks import one_line
from checklist.reports.text import advice, summary
from checklist.reports.view import Hold, View, excused, held, verdict

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _DATA | str.maketrans({":": "%3A", ",": "%2C"})


def render(view: View) -> str:
    """Return the report as workflow commands, a line each."""
    notice = [f"{verdict(view)}: {summary(view.report)}", *view.changes]
    return "".join(
        [
            _command("notice", {"title": "gonogo"}, notice),
            *(_annotation("error", hold, view) for hold in held(view)),
            *(_annotation("warning", hold, view) for hold in excused(view)),
        ]
    )


def _annotation(kind: str, hold: Hold, view: View) -> str:
    item = hold.item
    if item is None:
        return _command(kind, {"file": view.path, "title": "gonogo"}, [hold.words])
    place = {"file": view.path, "line": str(view.lines.get(item.id, "")), "title": f"{item.id}: {item.title}"}
    return _command(kind, place, [hold.words, *advice(item)])


def _command(kind: str, properties: dict[str, str], message: Iterable[str]) -> str:
    cleaned = {name: one_line(value) for name, value in properties.items()}
    known = ",".join(f"{name}={value.translate(_PROPERTY)}" for name, value in cleaned.items() if value)
    return f"::{kind} {known}::{chr(10).join(map(one_line, message)).translate(_DATA)}\n"
