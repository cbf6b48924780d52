"""The drill of tar archives, plain or compressed, with or without checksums."""

import time
from pathlib import Path

from probes.restore import archives, evidence, scratch
from probes.restore.drill import (
    DamagedError,
    Findings,
    check_unchanged,
    compare,
    note_age,
    note_restore,
    open_backup,
    verify,
)
from probes.restore.parameters import RestoreParameters


def drill(params: RestoreParameters, target: Path, found: Findings) -> str:
    """Restore the newest archive. See `probes.restore.drill`."""
    checks = found.checks
    backup = open_backup(params, found)
    if backup is None:
        return ""
    name, before = backup.path.name, backup.before
    limits = archives.Limits(params.max_bytes, params.max_files, scratch.room(target, 2 * before.st_size))
    content, what = before.st_mtime, "The archive"
    started = time.monotonic()
    try:
        skip = params.outside_links == "skip"
        restored = archives.restore(backup.path, target, limits, skip_outside_links=skip)
    except archives.RefusedError as error:
        checks.append(evidence.not_restored(f"{name} is not safe to restore: {error}.", error.hint))
    except DamagedError as error:
        check_unchanged(backup.path, before)
        checks.append(evidence.not_restored(f"{name} cannot be restored: {error}.", evidence.ANOTHER))
    else:
        check_unchanged(backup.path, before)
        took = time.monotonic() - started
        if params.age_from == "content" and restored.newest is not None:
            content, what = restored.newest, "The newest file in it"
        links = "link that leads" if restored.skipped == 1 else "links that lead"
        note = f", {restored.skipped} {links} outside left out" if restored.skipped else ""
        checks.append(evidence.restored(name, restored.files, restored.bytes, note))
        note_restore(params, took, found, restored_files=restored.files, restored_bytes=restored.bytes)
        if restored.files:
            compare(params, target, checks, vouched_by=backup.vouched, archive=name)
            verify(params.command, target, checks)
    note_age(params, content, what, found)
    return name
