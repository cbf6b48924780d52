"""Answers for a stub that acts as Sentry does: its envelope endpoint, its API and its health pages."""

import json
from collections.abc import Callable, Mapping
from urllib.parse import parse_qs, urlsplit

from tests.servers.stub import Answer, Request

KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "a-token-for-the-stub"

Respond = Callable[[Request], Answer | None]
Find = Callable[[str], Answer | None]


def sent(request: Request) -> dict[str, object]:
    """Return the event in an envelope."""
    return json.loads(request.body.splitlines()[2])


def found(event_id: str) -> Answer:
    return Answer(200, json.dumps({"eventID": event_id}).encode())


def not_found(_: str) -> Answer:
    return Answer(404, b'{"detail": "Event not found"}')


def sentry(
    find: Find = found,
    *,
    limits: str = "",
    outcomes: Mapping[str, int] | None = None,
    pages: Mapping[str, Answer | None] | None = None,
) -> Respond:
    """Return what accepts every event.

    Args:
        find: Answers the API's question for the newest event.
        limits: The rate limits that are announced with acceptance.
        outcomes: What stats_v2 counts; None for a token that may not ask.
        pages: Other paths, and what is there.
    """
    newest = ""

    def respond(request: Request) -> Answer | None:
        nonlocal newest
        path, asked = urlsplit(request.path).path, parse_qs(urlsplit(request.path).query)
        if pages and path in pages:
            return pages[path]
        if request.method == "POST":
            newest = str(sent(request)["event_id"])
            headers = {"X-Sentry-Rate-Limits": limits} if limits else {}
            return Answer(200, json.dumps({"id": newest}).encode(), headers)
        if not path.startswith(("/api/0/", "/api/canonical/0/")):
            return Answer(404, b"<html>Not Found</html>")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return Answer(401, b'{"detail": "Invalid token"}')
        if not path.endswith("/stats_v2/"):
            return find(newest)
        if outcomes is None:
            return Answer(403, b'{"detail": "You do not have permission to perform this action."}')
        # What Sentry's query demands (sentry/snuba/outcomes.py).
        if asked.get("field") != ["sum(quantity)"] or asked.get("groupBy") != ["outcome"]:
            return Answer(400, b'{"detail": "Invalid field"}')
        if asked.get("category") != ["error"] or not asked.get("project", [""])[0].isdecimal():
            return Answer(400, b'{"detail": "Query must have category as groupby or filter"}')
        groups = [
            {
                "by": {"outcome": name},
                "totals": {"sum(quantity)": count},
                "series": {"sum(quantity)": [count]},
            }
            for name, count in outcomes.items()
        ]
        return Answer(200, json.dumps({"start": "", "end": "", "groups": groups}).encode())

    return respond
