"""The line of keys at the bottom."""

from collections.abc import Sequence

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Footer
from textual.widgets._footer import FooterKey  # not exported, and the only way to know a key from the others

KEPT = frozenset({"help", "command_palette"})
"""Actions that lead to all the others: their keys stand on every line, however short."""


class KeyLine(Footer):
    """The keys that are worth a place, drawn anew when one looks otherwise, not at every step of a cursor."""

    def __init__(self) -> None:
        """Draw nothing yet."""
        super().__init__(compact=True, show_command_palette=False)
        self._drawn: object = None

    def compose(self) -> ComposeResult:
        """The keys that there is room for."""
        keys = [key for key in super().compose() if isinstance(key, FooterKey)]
        yield from fitted(keys, self.app.size.width)

    def on_resize(self) -> None:
        """Choose anew what there is room for."""
        self._drawn = None
        self.bindings_changed(self.screen)

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


def fitted(keys: Sequence[FooterKey], width: int) -> list[FooterKey]:
    """Return the keys that fit into so many cells: what does nothing now goes first, then the last ones."""
    left = list(keys)
    spare = [key for key in reversed(keys) if key.action not in KEPT]
    spare.sort(key=lambda key: not key.has_class("-disabled"))
    for key in spare:
        # Between two keys, and between a key and its name, one cell.
        if sum(cell_len(one.key_display) + cell_len(one.description) + 2 for one in left) - 1 <= width:
            break
        left.remove(key)
    return left
