"""Who is at the keyboard."""

import getpass
import subprocess


def name() -> str:
    """Return git's user.name, else the login name; empty if neither is known."""
    try:
        said = subprocess.run(
            ["git", "config", "user.name"],  # noqa: S607  # the operator's own git, wherever it is
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5,
            check=False,
        ).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        said = ""
    if said:
        return said
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
