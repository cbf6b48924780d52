"""The checklist that a team begins with."""

import errno
import os
from importlib import resources
from pathlib import Path

from checklist import durable


def text() -> bytes:
    """Return the starter: a commented checklist.toml, valid as it stands."""
    return resources.files("checklist").joinpath("starter.toml").read_bytes()


def write(path: Path) -> None:
    """Write the starter as a new file, for everybody to read whom the umask lets.

    Raises:
        FileExistsError: If there is one of this name, or the status of one; both are left alone.
        OSError: If it could not be written.
    """
    status = path.with_name(f"{path.stem}.status.toml")
    # A link to nowhere is in the way as well.
    for there in (path, status):
        if os.path.lexists(there):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(there))
    durable.create(path, text(), private=False)
