"""The line of keys at the bottom."""

from textual.screen import Screen
from textual.widgets import Footer
from textual.widgets._footer import FooterKey  # not exported, and the only way to know a key from the others


class KeyLine(Footer):
    """The keys that are worth a place, drawn anew when one looks otherwise, not at every step of a cursor."""

    def __init__(self) -> None:
        """Draw nothing yet."""
        super().__init__(compact=True, show_command_palette=False)
        self._drawn: object = None

    def bindings_changed(self, screen: Screen[object]) -> None:
        """Draw the keys anew, or only take over why one does nothing, which may be about another item now."""
        if not (self.is_attached and screen is self.screen and screen.app.app_focus):
            return
        active = screen.active_bindings
        shown = {key: one for key, one in active.items() if one.binding.show}
        drawn = [(key, one.binding.description, one.enabled) for key, one in shown.items()]
        if self._drawn != drawn:
            self._drawn = drawn
            super().bindings_changed(screen)
            return
        for key in self.query(FooterKey):
            if key.key in shown:
                key.tooltip = shown[key.key].tooltip
