"""Says what is wrong with the files, or what this console may not do, for as long as it is so."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from checklist.language import gettext as _
from checklist.reading import FileError
from checklist.session import Session
from tui.words import KeyOf, outside, trouble


class Banner(Static):
    """A few lines below the verdict; not there while there is nothing to say."""

    DEFAULT_CSS = """
    Banner {
        height: auto;
        max-height: 4;
        padding: 0 1;
        color: $text-warning;
        background: $warning-muted;
        display: none;
        &.-said { display: block; }
    }
    """

    def show(self, lines: Sequence[str]) -> None:
        """Show lines, or nothing."""
        self.set_class(bool(lines), "-said")
        self.update(Content("\n").join(map(outside, lines)).stylize("bold"))


def warnings(session: Session, key_of: KeyOf) -> list[str]:
    """Say what is not as usual for as long as it is so."""
    lines = []
    if session.readonly:
        lines.append(_("Read-only: nothing is run or changed from here."))
    folder = f"{session.place.checklist.parent}/"
    if wrong := session.unread:
        lines.append(trouble(wrong).removeprefix(folder))
        last = _("What was read last is shown.")
        edit = _("What was read last is shown; {key} opens the file at that line.")
        lines.append(edit.format(key=key_of("edit")) if isinstance(wrong, FileError) else last)
    elif session.unsaved:
        lost = session.unsaved.removeprefix(folder)
        lines.append(
            _("What was done last does not count: {why}. Mend that, then do it again.").format(why=lost)
        )
    return lines
