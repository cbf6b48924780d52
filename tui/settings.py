"""What an operator has set for every console: keys, bell, mouse; and what the console keeps for itself."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import tomli_w

from checklist import durable
from checklist.language import gettext as _
from checklist.reading import FileError, explain, parse_toml, read_text
from checklist.toml_lines import find_line
from tui import keymap

Notification = Literal["off", "osc9", "osc777"]


class _Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file as people write it."""

    bell: bool = False
    desktop_notification: Notification = "off"
    mouse: bool = True
    keys: dict[str, object] = {}


class Settings(msgspec.Struct, frozen=True):
    """What is set.

    Attributes:
        keys: Keys, separated by commas, by the id of their binding.
        bell: Whether the terminal's bell rings when a run has ended.
        desktop_notification: The escape sequence by which the terminal is asked to notify the desktop.
        mouse: Whether the mouse is the console's at start.
        theme: The theme that was chosen last; empty if none was.
        troubles: What is wrong with the files, a line each; all else in them counts.
    """

    keys: dict[str, str] = {}
    bell: bool = False
    desktop_notification: Notification = "off"
    mouse: bool = True
    theme: str = ""
    troubles: tuple[str, ...] = ()


def config_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file in which an operator sets what is to be different."""
    return _folder(environment, "XDG_CONFIG_HOME", ".config") / "config.toml"


def state_file(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file in which the console keeps what was chosen in it."""
    return _folder(environment, "XDG_STATE_HOME", ".local/state") / "console.toml"


def _folder(environment: Mapping[str, str], variable: str, default: str) -> Path:
    base = Path(environment.get(variable, ""))
    # The XDG specification: a path that is not absolute counts for nothing.
    return (
        base if base.is_absolute() else Path(environment.get("HOME") or "~").expanduser() / default
    ) / "gonogo"


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read both files. What is wrong in them is told in `troubles`, and as good as not written."""
    path = config_file(environment)
    troubles: list[str] = []
    raw, text = _read(path, troubles)
    while True:
        try:
            options = msgspec.convert(raw, _Options)
            break
        except msgspec.ValidationError as error:
            fault = explain(error, raw, {"": _Options})
            place = fault.path
            troubles.append(str(FileError(path, find_line(text, place), fault.under(place))))
            # What is wrong is taken out and the rest is read again; a key of odd letters cannot be found.
            if not place or place[0] not in raw:
                options = _Options()
                break
            del raw[str(place[0])]
    wanted: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for name, keys in options.keys.items():
        if isinstance(keys, str):
            wanted[name] = keys
        else:
            wrong[name] = _('expected keys such as "n" or "f5,ctrl+r"')
    chosen, objections = keymap.checked(wanted)
    for name, why in {**wrong, **objections}.items():
        line = find_line(text, ("keys", name))
        troubles.append(str(FileError(path, line, f"keys.{name}: {why}")))
    state, _text = _read(state_file(environment), troubles)
    theme = state.get("theme")
    return Settings(
        keys=chosen,
        bell=options.bell,
        desktop_notification=options.desktop_notification,
        mouse=options.mouse,
        theme=theme if isinstance(theme, str) else "",
        troubles=tuple(troubles),
    )


def _read(path: Path, troubles: list[str]) -> tuple[dict[str, Any], str]:
    """Return a file, parsed and as text; nothing if it is not there or cannot be read."""
    if _is_pipe(path):
        troubles.append(str(FileError(path, None, _("not a file"))))
        return {}, ""
    try:
        text = read_text(path)
        return parse_toml(text, path), text
    except FileError as error:
        if not isinstance(error.__context__, FileNotFoundError):
            troubles.append(str(error))
        return {}, ""


def _is_pipe(path: Path) -> bool:
    """Tell whether opening it would wait for whoever writes to it, and the console never open."""
    try:
        return path.is_fifo()
    except OSError:
        return False


def keep_theme(theme: str, environment: Mapping[str, str] = os.environ) -> None:
    """Keep a theme for the next start.

    Raises:
        OSError: If it could not be written.
    """
    path = state_file(environment)
    durable.make_folder(path.parent)
    durable.replace(path, tomli_w.dumps({"theme": theme}).encode())
