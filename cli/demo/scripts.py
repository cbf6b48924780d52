"""The scripts that repair the demo: a few plain lines each, for people to read before they run them."""

import shlex
from pathlib import Path


def write(folder: Path, item: str, text: str, **values: object) -> Path:
    """Write the script that repairs an item of the demo in a folder.

    Args:
        folder: The folder of the demo, in which the script runs wherever it is called from.
        item: The id of the item.
        text: Its lines after the first two. Every `{name}` in them becomes a value, quoted for the shell.
        values: These values.
    """
    path = folder / "fix" / item
    path.parent.mkdir(exist_ok=True)
    quoted = {name: shlex.quote(str(value)) for name, value in values.items()}
    path.write_text(f"#!/bin/sh\nset -eu\ncd {shlex.quote(str(folder))}\n{text.format(**quoted)}")
    path.chmod(0o700)
    return path


def command(path: Path) -> str:
    """Return what to type to run a script: also where nothing in its folder may be executed by itself."""
    return f"sh {shlex.quote(str(path))}"
