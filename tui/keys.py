"""Every key of the console in one place: footer, help, palette and the user's keymap read these lists.

Descriptions and tooltips are translated where they are shown.
"""

from typing import NamedTuple

from textual.binding import Binding

from checklist.language import marked


def _key(
    id_: str,
    key: str,
    action: str,
    name: str,
    tooltip: str,
    *,
    shown: str = "",
    footer: bool = False,
    first: bool = False,
) -> Binding:
    """Return a binding.

    Args:
        id_: What the operator's keymap calls it.
        key: Its keys.
        action: What it does.
        name: What it is called.
        tooltip: What it does, in a few words.
        shown: How its key is written where that is not the first of them.
        footer: Whether it is worth its place in the footer.
        first: Whether it works before all others, in front of a window and while something is typed too.
    """
    shown_ = shown or None
    return Binding(key, action, name, footer, key_display=shown_, priority=first, tooltip=tooltip, id=id_)


CONSOLE = (
    _key(
        "quit",
        "q",
        "quit",
        marked("Quit"),
        marked("Leave; every run is stopped, every mark is saved already"),
        footer=True,
    ),
    _key("quit-always", "ctrl+q", "quit", marked("Quit"), marked("Leave, from anywhere"), first=True),
    _key(
        "how-to-quit", "ctrl+c", "how_to_quit", marked("How to quit"), marked("Say how to leave"), first=True
    ),
    _key(
        "help",
        "question_mark,f1",
        "help",
        marked("Help"),
        marked("What every key does"),
        shown="?",
        footer=True,
    ),
    _key(
        "palette",
        "colon,ctrl+p",
        "command_palette",
        marked("Menu"),
        marked("Find what can be done by its name"),
        footer=True,
    ),
    _key(
        "mouse",
        "m",
        "toggle_mouse",
        marked("Mouse"),
        marked("Leave the mouse to the terminal, to select text with it, or take it back"),
    ),
    _key(
        "suspend",
        "ctrl+z",
        "suspend_process",
        marked("Suspend"),
        marked("Back to the shell; fg comes back"),
        first=True,
    ),
)
"""Keys that work everywhere."""

BOARD = (
    _key(
        "mark",
        "space",
        "mark",
        marked("Resolve"),
        marked("Claim the item resolved, or attest it if it is manual; asks for the action taken"),
        shown="space",
        footer=True,
    ),
    _key("run", "r", "run", marked("Run"), marked("Run this item's own probe again"), footer=True),
    _key(
        "run-open",
        "R",
        "run_open",
        marked("Run open"),
        marked("Run the probes of all that is not green"),
        footer=True,
    ),
    _key(
        "final-check",
        "F",
        "final_check",
        marked("Final check"),
        marked("Run every probe in one go; it alone can make GO"),
        footer=True,
    ),
    _key(
        "cancel",
        "x",
        "cancel",
        marked("Stop"),
        marked("Stop the run of this item; if it is not running, stop all runs"),
        footer=True,
    ),
    _key("reopen", "o", "reopen", marked("Reopen"), marked("Take the item back to open; asks why")),
    _key(
        "waive",
        "w",
        "waive",
        marked("Waive"),
        marked("Accept the item as it is up to a day; asks why, and who approved"),
    ),
    _key("undo", "u", "undo", marked("Undo"), marked("Take the last mark back"), footer=True),
    _key(
        "filter",
        "slash",
        "filter",
        marked("Filter"),
        marked("Show only what has these words"),
        shown="/",
        # The key after it is a letter already, also of what was pasted.
        first=True,
    ),
    _key(
        "sort",
        "s",
        "sort",
        marked("Sort"),
        marked("By the checklist, by what is most pressing, by the day it is due, by owner"),
    ),
    _key("edit", "e", "edit", marked("Edit"), marked("Edit the checklist in $EDITOR, at this item")),
    _key("copy", "y", "copy", marked("Copy"), marked("Copy the evidence to the clipboard of the terminal")),
)
"""Keys of the board, whatever part of it has the focus."""

LIST = (
    _key("down", "down,j", "move(1)", marked("Down"), marked("Next item")),
    _key("up", "up,k", "move(-1)", marked("Up"), marked("Item before")),
    _key("page-down", "pagedown,ctrl+d", "page(1)", marked("Page down"), marked("A page down")),
    _key("page-up", "pageup,ctrl+u", "page(-1)", marked("Page up"), marked("A page up")),
    _key("first", "home,g", "edge(-1)", marked("First"), marked("First item")),
    _key("last", "end,G", "edge(1)", marked("Last"), marked("Last item")),
    _key("next-panel", "tab", "panel(1)", marked("Next panel"), marked("First item of the next panel")),
    _key(
        "previous-panel",
        "shift+tab",
        "panel(-1)",
        marked("Panel before"),
        marked("First item of the panel before"),
    ),
    _key(
        "open",
        "enter,right,l",
        "open",
        marked("Open"),
        marked("Go into the item: look at its evidence, tick its steps"),
        shown="enter",
    ),
    _key("clear", "escape", "clear", marked("Clear filter"), marked("Show every item again"), shown="esc"),
)
"""Keys of the list of items."""

FILTER = (
    _key("filter-keep", "enter,down", "keep", marked("Keep"), marked("Keep the filter and go to the list")),
    _key(
        "filter-clear",
        "escape",
        "clear",
        marked("Clear"),
        marked("Show every item again"),
        shown="esc",
        footer=True,
    ),
)
"""Keys while the words of a filter are typed."""

DETAIL = (
    _key(
        "back", "escape,left,h", "back", marked("Back"), marked("Back to the list"), shown="esc", footer=True
    ),
    _key("stop-down", "down,j", "go(1)", marked("Down"), marked("Next line of evidence or step")),
    _key("stop-up", "up,k", "go(-1)", marked("Up"), marked("Line of evidence or step before")),
    _key("detail-page-down", "pagedown,ctrl+d", "page(1)", marked("Page down"), marked("A page down")),
    _key("detail-page-up", "pageup,ctrl+u", "page(-1)", marked("Page up"), marked("A page up")),
    _key("detail-first", "home,g", "edge(-1)", marked("First"), marked("To the beginning")),
    _key("detail-last", "end,G", "edge(1)", marked("Last"), marked("To the end")),
    _key(
        "whole",
        "enter,right,l",
        "whole",
        marked("Whole"),
        marked("Show the line of evidence whole; tick the step"),
        shown="enter",
        footer=True,
    ),
    _key(
        "tick",
        "space",
        "tick",
        marked("Tick step"),
        marked("Tick the step or untick it"),
        shown="space",
        footer=True,
    ),
    _key("detail-list", "tab,shift+tab", "back", marked("List"), marked("Back to the list"), shown="tab"),
)
"""Keys inside an item."""

EVIDENCE = (
    _key(
        "evidence-back", "escape,left,h,q", "close", marked("Back"), marked("Back"), shown="esc", footer=True
    ),
    _key(
        "evidence-copy",
        "y",
        "copy",
        marked("Copy"),
        marked("Copy it to the clipboard of the terminal"),
        footer=True,
    ),
    _key("evidence-down", "down,j", "scroll_down", marked("Down"), marked("Down")),
    _key("evidence-up", "up,k", "scroll_up", marked("Up"), marked("Up")),
    _key(
        "evidence-next", "n,right,l", "other(1)", marked("Next"), marked("Next line of evidence"), footer=True
    ),
    _key(
        "evidence-previous",
        "p",
        "other(-1)",
        marked("Before"),
        marked("Line of evidence before"),
        footer=True,
    ),
)
"""Keys while a line of evidence is shown whole."""

HELP = (
    _key(
        "help-back",
        "escape,question_mark,f1,q,enter,left,h",
        "close",
        marked("Back"),
        marked("Back"),
        shown="esc",
        footer=True,
    ),
    _key("help-down", "down,j", "scroll(1)", marked("Down"), marked("Down")),
    _key("help-up", "up,k", "scroll(-1)", marked("Up"), marked("Up")),
    _key("help-page-down", "pagedown,ctrl+d,space", "page(1)", marked("Page down"), marked("A page down")),
    _key("help-page-up", "pageup,ctrl+u", "page(-1)", marked("Page up"), marked("A page up")),
    _key("help-first", "home,g", "edge(-1)", marked("First"), marked("To the beginning")),
    _key("help-last", "end,G", "edge(1)", marked("Last"), marked("To the end")),
)
"""Keys of this list itself."""

PROMPT = (
    _key(
        "prompt-cancel",
        "escape",
        "cancel",
        marked("Cancel"),
        marked("Go back; nothing is marked"),
        shown="esc",
    ),
)
"""Keys while a question is asked. All others are a part of the answer."""

CHOICE = (
    _key(
        "choice-cancel", "escape", "cancel", marked("Cancel"), marked("Go back; nothing is done"), shown="esc"
    ),
    _key("choice-down", "j", "next", marked("Down"), marked("Next way")),
    _key("choice-up", "k", "previous", marked("Up"), marked("Way before")),
)
"""Keys while there is a choice between a few ways."""


class Group(NamedTuple):
    """Keys that belong together in help, under a heading."""

    title: str
    bindings: tuple[Binding, ...]


GROUPS = (
    Group(marked("The item under the cursor"), BOARD),
    Group(marked("Everywhere"), CONSOLE),
    Group(marked("The list"), LIST),
    Group(marked("While a filter is typed"), FILTER),
    Group(marked("Inside an item"), DETAIL),
    Group(marked("A line of evidence"), EVIDENCE),
    Group(marked("While a question is asked"), PROMPT),
    Group(marked("While there is a choice"), CHOICE),
    Group(marked("In this help"), HELP),
)
"""Every binding there is, by where it works."""

_AHEAD = tuple(binding for binding in CONSOLE if binding.priority)
PLACES = (
    (*LIST, *BOARD, *CONSOLE),
    (*FILTER, *BOARD, *CONSOLE),
    (*DETAIL, *BOARD, *CONSOLE),
    (*EVIDENCE, *_AHEAD),
    (*HELP, *_AHEAD),
    (*PROMPT, *_AHEAD),
    (*CHOICE, *_AHEAD),
)
"""Bindings that can be pressed at the same moment, by where one is; those of the inner part come first."""
