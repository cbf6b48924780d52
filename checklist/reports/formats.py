"""The formats that other programs read, by name."""

from importlib import import_module

from checklist.reports.view import View

NAMES = ("junit", "markdown", "prometheus", "nagios", "github")


def render(name: str, view: View) -> str:
    """Return what there is to tell in one of `NAMES`. Only that format's module is imported."""
    return str(import_module(f"checklist.reports.{name}").render(view))
