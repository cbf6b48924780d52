"""The formats of `gonogo check` and `gonogo status`, by name."""

from importlib import import_module

from checklist.reports import text
from checklist.reports.view import View, held, verdict


def render(name: str, view: View) -> str:
    """Return what there is to tell in a format, if that is not JSON. Only its own module is imported."""
    if name == "text":
        told = verdict(view), [hold.line for hold in held(view)]
        return text.status(view.report, view.now, view.changes, told)
    return str(import_module(f"checklist.reports.{name}").render(view))
