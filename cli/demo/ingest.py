"""The error tracker of the demo: as much of Sentry as sends an event in and finds it again. Loopback only.

`python -m cli.demo.ingest FILE` takes a free port, says in a line of JSON where it is and with which keys,
and answers until its standard input ends. FILE holds how many events it takes a minute; it is read anew for
each, and beyond it they are turned away with 429, as Sentry does when a quota is used up.
"""

import json
import re
import secrets
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ORGANIZATION, PROJECT = "shop", 1
_MINUTE_S = 60
_MOST_BYTES = 1024 * 1024


class _Tracker(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, quota: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.quota = quota
        self.key, self.token = secrets.token_hex(16), secrets.token_hex(32)
        self.events: dict[str, float] = {}
        self.lock = threading.Lock()

    def take(self, event: str) -> bool:
        """Take an event in, if the quota allows."""
        with self.lock:
            now = time.monotonic()
            lately = sum(now - at < _MINUTE_S for at in self.events.values())
            if lately >= int(self.quota.read_text()):
                return False
            self.events[event] = now
            return True

    def handle_error(self, *_: object) -> None:
        """Stay silent about clients that went away: the console has the terminal."""


class _Handler(BaseHTTPRequestHandler):
    server: _Tracker

    def do_POST(self) -> None:
        """Take an envelope: its header, the header of its item and the event, a line each."""
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _MOST_BYTES))
        if self.path != f"/api/{PROJECT}/envelope/":
            self._answer(HTTPStatus.NOT_FOUND, {"detail": "Not found"})
        elif f"sentry_key={self.server.key}" not in self.headers.get("X-Sentry-Auth", ""):
            self._answer(HTTPStatus.FORBIDDEN, {"detail": "Unknown key"})
        elif self.server.take(event := str(json.loads(body.splitlines()[0])["event_id"])):
            self._answer(HTTPStatus.OK, {"id": event})
        else:
            limits = f"{_MINUTE_S}:error:project:quota_used_up"
            headers = {"Retry-After": str(_MINUTE_S), "X-Sentry-Rate-Limits": limits}
            self._answer(HTTPStatus.TOO_MANY_REQUESTS, {"detail": "The quota is used up"}, headers)

    def do_GET(self) -> None:
        """Find an event again."""
        found = re.fullmatch(f"/api/0/projects/{ORGANIZATION}/{PROJECT}/events/([0-9a-f]+)/", self.path)
        if not found:
            self._answer(HTTPStatus.NOT_FOUND, {"detail": "Not found"})
        elif self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self._answer(HTTPStatus.UNAUTHORIZED, {"detail": "Invalid token"})
        elif found[1] in self.server.events:
            self._answer(HTTPStatus.OK, {"eventID": found[1]})
        else:
            self._answer(HTTPStatus.NOT_FOUND, {"detail": "Event not found"})

    def _answer(self, status: int, table: dict[str, str], headers: dict[str, str] | None = None) -> None:
        body = json.dumps(table).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def main() -> None:
    """Serve until standard input ends."""
    tracker = _Tracker(Path(sys.argv[1]))
    threading.Thread(target=tracker.serve_forever, daemon=True).start()
    dsn = f"http://{tracker.key}@127.0.0.1:{tracker.server_address[1]}/{PROJECT}"
    sys.stdout.write(json.dumps({"dsn": dsn, "token": tracker.token}) + "\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
