"""Help in the language that was chosen: click takes its texts long before anybody has chosen one."""

import inspect
from collections.abc import Iterable, Sequence
from itertools import pairwise
from unicodedata import east_asian_width

import click

from checklist.language import LANGUAGES
from checklist.language import gettext as _

_FILLER = "\ufdd0"
"""Stands behind a wide letter while click counts letters for cells; never a letter itself."""


def _filled(text: str) -> str:
    return "".join(f"{one}{_FILLER}" if east_asian_width(one) in "WF" else one for one in text)


class _Formatter(click.HelpFormatter):
    """A formatter that knows wide letters."""

    def write_text(self, text: str) -> None:
        super().write_text(_filled(text))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        super().write_dl([(_filled(name), _filled(text)) for name, text in rows], col_max, col_spacing)

    def getvalue(self) -> str:
        return super().getvalue().replace(_FILLER, "")


class _Context(click.Context):
    formatter_class = _Formatter


class _Told:
    """Something whose help is translated when it is shown."""

    source: str | None = None
    """Its help as the source says it, which is what a catalogue knows it by."""

    @property
    def help(self) -> str | None:
        """The help in the language that was chosen."""
        return _(self.source) if self.source else None

    @help.setter  # noqa: A003  # it is called as click calls it
    def help(self, text: str | None) -> None:
        self.source = inspect.cleandoc(text) if text else None


class Option(_Told, click.Option):
    """An option whose help is translated."""


class Command(_Told, click.Command):
    """A command whose help is translated, and that takes `--lang`."""

    context_class = _Context

    def __init__(self, *args: object, **settings: object) -> None:
        super().__init__(*args, **settings)  # type: ignore[arg-type]  # whatever click passes
        self.params.append(_language())

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Return `--help`, with words that are translated."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = _("Show this message and exit.")
        return option


class Group(Command, click.Group):
    """A group of commands whose help is translated."""


def _language() -> click.Option:
    # It is obeyed by `main`, before anything is said; here it is checked and explained.
    return Option(
        ["--lang"],
        type=click.Choice(LANGUAGES),
        expose_value=False,
        help="The language. Default: that of the environment.",
    )


def asked_language(words: Sequence[str]) -> str:
    """Return the language that the words of a call ask for, before click reads them; empty for none."""
    for word, following in pairwise([*words, ""]):
        name, equals, value = word.partition("=")
        if name == "--lang":
            wanted = value if equals else following
            return wanted if wanted in LANGUAGES else ""
        if word == "--":
            break
    return ""
