"""The palette: what can be done now, found by its name."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from textual.app import App
from textual.command import CommandPalette, Hit, Hits, Provider
from textual.content import Content

from checklist.language import gettext as _
from tui import keymap, keys
from tui.page import Page

if TYPE_CHECKING:
    from tui.app import Console

LEFT_OUT = ("palette", "quit-always", "how-to-quit")
"""What makes no sense where the palette is open already, or stands there under another key."""


class Offer(NamedTuple):
    """One thing to choose.

    Attributes:
        name: What it is called.
        others: What else it may be looked for by.
        help: What it does.
        key: The key that does it too.
        run: Does it.
    """

    name: str
    others: str
    help: str
    key: str
    run: Callable[[], object]


class _Offers(Provider):
    """Finds among what is offered, in its order as long as nothing is typed."""

    def offers(self) -> Iterable[Offer]:
        """Return what is offered."""
        raise NotImplementedError

    async def discover(self) -> Hits:
        """Show everything."""
        for number, offer in enumerate(self.offers()):
            yield _hit(offer, -number, Content(offer.name))

    async def search(self, query: str) -> Hits:
        """Show what has these letters in its name, its English name or what it does."""
        matcher = self.matcher(query)
        found = False
        for offer in self.offers():
            # Letters far apart in a sentence are no find, as they are in a name.
            inside = query.casefold() in offer.others.casefold()
            if score := matcher.match(offer.name) or inside / 2:
                found = True
                yield _hit(offer, score, matcher.highlight(offer.name))
        if not found:
            yield _hit(Offer(_("Nothing has this name"), "", "", "", lambda: None), 1, Content())


def _hit(offer: Offer, score: float, name: Content) -> Hit:
    shown = Content.assemble(name or Content(offer.name), "  ", (offer.key, "$text-muted"))
    return Hit(score, shown, offer.run, text=offer.name, help=offer.help)


class Commands(_Offers):
    """Everything that a key does here, and the themes."""

    def offers(self) -> Iterable[Offer]:
        """Return the keys of the screen, then those of the console, in the order of help."""
        app, screen = cast("Console", self.app), self.screen
        here = [one for group in keys.GROUPS for one in group.bindings if one in type(screen).BINDINGS]
        everywhere = [one for one in keys.CONSOLE if one.id not in LEFT_OUT]
        for binding in (*here, *everywhere):
            node = screen if binding in here else app
            shown = screen.shown(binding) if isinstance(screen, Page) else binding
            key = " ".join(map(keymap.written, keymap.keys_of(binding, app.settings.keys)))
            words = f"{binding.description} {shown.tooltip}"
            run = partial(app.run_action, binding.action, node)
            yield Offer(shown.description, words, shown.tooltip, key, run)
        yield Offer(
            _("Theme"), "Theme", _("Choose the colours; they are kept"), "", partial(choose_theme, app)
        )


class Themes(_Offers):
    """Every theme there is."""

    def offers(self) -> Iterable[Offer]:
        """Return the themes by name."""
        for name, theme in sorted(self.app.available_themes.items()):
            kind = _("dark") if theme.dark else _("light")
            if theme.ansi:
                kind = _("the colours of the terminal")
            yield Offer(name, "", kind, "", partial(setattr, self.app, "theme", name))


def choose_command(app: App[Any]) -> None:
    """Open the palette."""
    app.push_screen(CommandPalette([Commands], placeholder=_("What is to be done?")))


def choose_theme(app: App[Any]) -> None:
    """Open the palette of themes."""
    app.push_screen(CommandPalette([Themes], placeholder=_("Which theme?")))
