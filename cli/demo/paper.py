"""The checklist of the demo: the one that ships, with what was due and claimed in 2025, and the repairs."""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import tomli_w

from checklist import definition
from checklist.opening import Place, open_store
from checklist.session import Session
from checklist.zones import day
from probes.outcome import now

NAME = "gonogo demo"
"""Who does what the demo does by itself, in the journal."""

_HOST = "Advisory in this demo: it looks at your own machine, whose room is no part of the play."
_CACHE = "In this demo it may take a second to answer: every other probe works on the same machine."
_PATIENCE = {"latency_warn": "1s", "latency_fail": "2s"}
_SIGNED = "Notes read together; the release manager rolls back to the last release by hand, up to 06:00"


def shipped() -> Path:
    """Return the folder of the checklist that ships and the examples; a wheel carries a copy beside this."""
    carried = Path(__file__).with_name("shipped")
    return carried if carried.is_dir() else Path(__file__).parents[2]


def write(folder: Path, repairs: Mapping[str, str], missing: Mapping[str, str]) -> None:
    """Write the checklist into a folder, and claim what was claimed.

    Args:
        folder: Where to.
        repairs: The command that repairs an item, by its id.
        missing: Why an item cannot be played here, by its id: the demo waives it until tomorrow.

    Raises:
        FileError, StoreError, OSError: If anything could not be read or written.
    """
    example = shipped() / "examples" / "2025-05-13" / "checklist.toml"
    known = definition.load(example)
    more: dict[str, dict[str, object]] = {item.id: {"due": item.due} for item in known.items if item.due}
    for item, command in repairs.items():
        more.setdefault(item, {})["repair"] = command
    more["host"] = {"severity": "advisory", "notes": [_HOST]}
    more["cache"] |= {"notes": [_CACHE]}
    path = folder / "checklist.toml"
    path.write_text(
        _with((shipped() / "checklist.toml").read_text(), {"id": more, "use": {"redis": _PATIENCE}})
    )
    asyncio.run(_say(path, Place(example), missing))


def _with(text: str, more: Mapping[str, Mapping[str, Mapping[str, object]]]) -> str:
    """Return the text of a checklist with more keys in some of its tables, below their `id` or `use`."""

    def keys(found: re.Match[str]) -> str:
        return f"{found[0]}\n{tomli_w.dumps(more[found[1]].get(found[2], {}))}".rstrip()

    return re.sub(r'^(id|use) = "(.+?)".*$', keys, text, flags=re.MULTILINE)


async def _say(path: Path, example: Place, missing: Mapping[str, str]) -> None:
    """Say of each item what was said of it then, the earliest first."""
    session = Session.open(path, operator=NAME)
    facts = open_store(example, definition.load(example.checklist)).load().items
    claims = [(facts[item].claim, item) for item in facts]
    try:
        for claim, item in sorted(
            ((claim, item) for claim, item in claims if claim), key=lambda said: said[0].on
        ):
            await session.claim(item, by=claim.by, action=claim.action, on=claim.on)
        await session.attest("sign-off", by="Release manager", note=_SIGNED)
        tomorrow = day(now(), session.checklist.policy.time_zone) + timedelta(days=1)
        for item, why in missing.items():
            await session.waive(item, by=NAME, why=why, until=tomorrow)
    finally:
        await session.close()
