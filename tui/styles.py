"""Styles that more than one screen or widget shares; each has its own beside its code."""

CSS = """
.window {
    width: 76;
    max-width: 95%;
    height: auto;
    max-height: 95%;
    overflow-y: auto;
    border: round $primary;
    background: $surface;
    padding: 0 1;
    scrollbar-size-vertical: 1;
}
SearchIcon {
    display: none;
}
Toast {
    max-width: 90%;
    padding: 0 1;
}
/* A wide letter that lies across the edge of something below it is lost: no message reaches over the list. */
Board.-usual Toast, Board.-wide Toast {
    max-width: 45%;
}
"""

ASCII = """
.-ascii {
    .window, Input, Input:focus, OptionList, OptionList:focus { border: ascii $border; }
    Pane { border: ascii $foreground 35%; }
    Pane:focus { border: ascii $primary; }
    CommandInput, CommandInput:focus { border: blank; }
    Filter Input, Filter Input:focus { border: none; }
    CommandList, CommandList:focus { border: none; border-bottom: ascii $border; }
    CommandPalette #--input { border: ascii $border; }
    CommandPalette #--input.--list-visible { border-bottom: none; }
    CommandPalette LoadingIndicator { border-bottom: ascii $border; }
    Toast.-information { border: none; border-left: ascii $success; }
    Toast.-warning { border: none; border-left: ascii $warning; }
    Toast.-error { border: none; border-left: ascii $error; }
    Tooltip { border: none; }
}
"""
"""What Textual draws its frames with is not in ASCII."""

NO_COLOR = """
OptionList:nocolor > .option-list--option-highlighted,
CommandList:nocolor > .option-list--option-highlighted {
    text-style: bold underline;
}
Input:nocolor > .input--cursor,
Input:nocolor > .input--selection {
    text-style: bold underline;
}
App:nocolor Toast {
    border: round $foreground;
}
"""
"""Where there is no colour, a place that stands out by its colour alone does not stand out.

Underlined, as Textual drops `reverse` where it puts these styles together.
"""
