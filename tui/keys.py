"""Every key of the console in one place: footer, help and palette read these lists."""

from textual.binding import Binding

CONSOLE = (
    Binding(
        "q", "quit", "Quit", tooltip="Leave; every run is stopped, every mark is saved already", id="quit"
    ),
    Binding("ctrl+q", "quit", "Quit", show=False, tooltip="Leave", id="quit-always"),
    Binding("question_mark", "help", "Help", key_display="?", tooltip="What every key does", id="help"),
)
"""Keys that work everywhere."""

BOARD = (
    Binding(
        "space",
        "mark",
        "Resolve",
        key_display="space",
        tooltip="Claim the item resolved, or attest it if it is manual; asks for the action taken",
        id="mark",
    ),
    Binding("r", "run", "Run", tooltip="Run this item's own probe again", id="run"),
    Binding("R", "run_open", "Run open", tooltip="Run the probes of all that is not green", id="run-open"),
    Binding(
        "F",
        "final_check",
        "Final check",
        tooltip="Run every probe in one go; it alone can make GO",
        id="final-check",
    ),
    Binding(
        "x",
        "cancel",
        "Stop",
        tooltip="Stop the run of this item; if it is not running, stop all runs",
        id="cancel",
    ),
    Binding("o", "reopen", "Reopen", tooltip="Take the item back to open; asks why", id="reopen"),
    Binding(
        "w",
        "waive",
        "Waive",
        show=False,
        tooltip="Accept the item as it is up to a day; asks why, and who approved",
        id="waive",
    ),
    Binding("u", "undo", "Undo", show=False, tooltip="Take the last mark back", id="undo"),
)
"""Keys of the board, whatever part of it has the focus."""

LIST = (
    Binding("down,j", "move(1)", "Down", show=False, tooltip="Next item", id="down"),
    Binding("up,k", "move(-1)", "Up", show=False, tooltip="Item before", id="up"),
    Binding("pagedown", "page(1)", "Page down", show=False, tooltip="A page down", id="page-down"),
    Binding("pageup", "page(-1)", "Page up", show=False, tooltip="A page up", id="page-up"),
    Binding("home,g", "edge(-1)", "First", show=False, tooltip="First item", id="first"),
    Binding("end,G", "edge(1)", "Last", show=False, tooltip="Last item", id="last"),
    Binding(
        "tab", "panel(1)", "Next panel", show=False, tooltip="First item of the next panel", id="next-panel"
    ),
    Binding(
        "shift+tab",
        "panel(-1)",
        "Panel before",
        show=False,
        tooltip="First item of the panel before",
        id="previous-panel",
    ),
    Binding(
        "enter,right,l",
        "open",
        "Open",
        show=False,
        key_display="enter",
        tooltip="Go into the item: tick steps, scroll its evidence",
        id="open",
    ),
)
"""Keys of the list of items."""

DETAIL = (
    Binding("escape,left,h", "back", "Back", key_display="esc", tooltip="Back to the list", id="back"),
    Binding(
        "down,j",
        "step(1)",
        "Down",
        show=False,
        tooltip="Next step, then on through the evidence",
        id="step-down",
    ),
    Binding("up,k", "step(-1)", "Up", show=False, tooltip="Step before", id="step-up"),
    Binding(
        "space", "tick", "Tick step", key_display="space", tooltip="Tick the step or untick it", id="tick"
    ),
)
"""Keys inside an item."""

HELP_ORDER = (
    ("The item under the cursor", BOARD),
    ("The list", LIST),
    ("Inside an item", DETAIL),
    ("Everywhere", CONSOLE),
)
