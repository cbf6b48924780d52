"""What every screen shares: its keys in the language that was chosen, and why one of them does nothing."""

import dataclasses
from typing import TypeVar

from textual import events
from textual.binding import ActiveBinding, Binding
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Input
from textual.widgets._footer import FooterKey  # not exported, and the only way to know a key that was clicked

from checklist.language import gettext as _
from tui import keymap

T = TypeVar("T")


class Page(Screen[T]):
    """A screen.

    A screen says with `why_not` which of its keys do nothing now, and with `label` what a key is called for
    what is under the cursor; when that changes it calls `refresh_bindings`. `Console.run_action` asks
    `why_not` before it does anything, so a key, a click on it in the footer and a command of the palette are
    all refused in the same words, and an action itself need not look again.
    """

    def why_not(self, action: str) -> str:  # noqa: ARG002  # for screens to override
        """Return a sentence on why an action, as a binding names it, cannot be done now; empty if it can."""
        return ""

    def label(self, action: str) -> str:  # noqa: ARG002  # for screens to override
        """Return what an action is called now, translated; empty for what its binding says."""
        return ""

    def refuse(self, why: str) -> None:
        """Tell the operator why something is not done."""
        self.notify(why, severity="warning")

    def refuses(self, action: str, node: DOMNode) -> bool:
        """Refuse an action of a screen or widget that cannot be done now; tell whether it was refused."""
        # Textual's own widgets may have actions of the same name: only keys of the console are asked about.
        keys = (one for one in type(node).BINDINGS if isinstance(one, Binding) and is_ours(one))
        why = self.why_not(action) if any(one.action == action for one in keys) else ""
        if why:
            self.refuse(why)
        return bool(why)

    def shown(self, binding: Binding) -> Binding:
        """Return a binding with its name and tooltip as they are to be read now."""
        if not is_ours(binding):
            return binding
        name, tip = binding.description, binding.tooltip
        return dataclasses.replace(binding, description=self.label(binding.action) or _(name), tooltip=_(tip))

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys that work now, in the language that was chosen; those that do nothing are disabled."""
        found: dict[str, ActiveBinding] = {}
        for key, (node, binding, enabled, _tip) in super().active_bindings.items():
            one = self.shown(binding)
            if isinstance(self.focused, Input):
                # Its first key may be a letter of what is typed: `?`, where only f1 is still a key.
                one = dataclasses.replace(one, key_display=keymap.written(key))
            why = self.why_not(one.action) if is_ours(binding) else ""
            found[key] = ActiveBinding(node, one, enabled and not why, why or one.tooltip)
        return found

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Have a disabled key in the footer say why, as it does when it is pressed."""
        key = event.widget.key if isinstance(event.widget, FooterKey) else ""
        if active := self.active_bindings.get(key):
            self.refuses(active.binding.action, active.node)


class Window(ModalScreen[T], Page[T]):
    """A screen in front of another one.

    `ModalScreen` stands first, as a class inherits the styles of its first base alone.
    """


def is_ours(binding: Binding) -> bool:
    """Tell a binding of the console from those that Textual's widgets bring."""
    return binding.id is not None
