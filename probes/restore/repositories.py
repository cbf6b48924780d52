"""What the drills of restic and borg repositories have in common."""

import os
import re
import shlex
from pathlib import Path

from probes.outcome import CannotTell, Check, Reason, Verdict
from probes.restore import evidence

_SECRET = re.compile(r"://(?!.*://).*@", re.DOTALL)
_NAME_ONLY = re.compile(r"ssh://[^:@/]+@[^@]*")


def quoted(location: str) -> str:
    """Return a location as a shell takes it. Where a URL may hold a password, it is masked."""
    # Of ssh the name before the host is no secret, and nobody connects without it.
    safe = location if _NAME_ONLY.fullmatch(location) else _SECRET.sub("://…@", location)
    return shlex.quote(safe)


def password_file(name: str) -> Path | None:
    """Return the file with the password; None where none is set.

    Raises:
        CannotTell: If it is not there or must not be read.
    """
    if not name:
        return None
    path = Path(name).expanduser().absolute()
    # It is not opened here: it may be a pipe.
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise CannotTell(
            Reason.MISSING,
            f"{name}, the password_file, is not there.",
            "Correct password_file, or write the password of the repository to that file.",
        ) from error
    except OSError:
        allowed = False
    else:
        allowed = os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids)
    if not allowed:
        raise CannotTell(
            Reason.FORBIDDEN,
            f"{name}, the password_file, may not be read.",
            "Let the user of the drill read it: chown, chmod 600.",
        )
    return path


def damaged(kind: str, why: object, hint: str) -> Check:
    """Return the evidence that nothing of a repository can be restored."""
    return evidence.newest(Verdict.FAIL, f"The {kind} repository is damaged: {why}.", hint=hint)


def without_config(kind: str) -> Check:
    """Return the evidence of a repository that lacks the file without which it does not open."""
    return damaged(
        kind,
        "its file config is not there",
        "Bring config back from a copy of the repository; without it nothing in there can be restored, so if "
        f"there is no copy begin a new one: {kind} init, and make a backup now.",
    )
