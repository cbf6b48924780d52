"""A stub HTTP server on loopback, for states that a real server cannot be brought into."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Protocol


class Request(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}


class Stub(Protocol):
    """A running stub.

    Attributes:
        port: The free port it took on 127.0.0.1.
        requests: What it was asked, in order.
    """

    port: int
    requests: list[Request]


class _Server(ThreadingHTTPServer):
    # `server_close` then waits for every handler, so that no thread outlives its test.
    daemon_threads = False

    def __init__(self, respond: Callable[[Request], Answer | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.respond = respond
        self.port: int = self.server_address[1]
        self.requests: list[Request] = []
        self.ended = threading.Event()

    def handle_error(self, *_: object) -> None:
        """Stay silent about clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _handle(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        request = Request(self.command, self.path, dict(self.headers), self.rfile.read(length))
        self.server.requests.append(request)
        answer = self.server.respond(request)
        if answer is None:
            self.server.ended.wait()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = _handle  # noqa: N815  # the names that http.server looks up

    def log_message(self, *_: object) -> None:
        """Log nothing: tests read `requests`."""


@contextmanager
def stub(respond: Callable[[Request], Answer | None]) -> Iterator[Stub]:
    """Run a server that answers every request as told; None hangs until the end of the block."""
    server = _Server(respond)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
