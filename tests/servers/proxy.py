"""A proxy on loopback: passes requests on, opens tunnels, or refuses both."""

import http.client
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol
from urllib.parse import urlsplit


class Proxy(Protocol):
    """A running proxy.

    Attributes:
        url: Its address.
        asked: Method and target of what it was asked, in order.
        logins: The credentials it was shown, in order.
    """

    url: str
    asked: list[str]
    logins: list[str]


class _Server(ThreadingHTTPServer):
    # `server_close` then waits for every handler, so that no thread outlives its test.
    daemon_threads = False

    def __init__(self, refuse: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refuse = refuse
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[str] = []
        self.logins: list[str] = []

    def handle_error(self, *_: object) -> None:
        """Stay silent about clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def _let_in(self) -> bool:
        self.server.asked.append(f"{self.command} {self.path}")
        self.server.logins.extend(filter(None, [self.headers["Proxy-Authorization"]]))
        if self.server.refuse:
            self.send_response(self.server.refuse)
            self.send_header("Content-Length", "0")
            self.end_headers()
        return not self.server.refuse

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._let_in():
            return
        target = urlsplit(self.path)
        connection = http.client.HTTPConnection(target.netloc, timeout=10)
        headers = {name: value for name, value in self.headers.items() if not name.startswith("Proxy-")}
        try:
            connection.request(self.command, self.path.removeprefix(f"http://{target.netloc}"), body, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = _forward  # noqa: N815  # the names that http.server looks up

    def do_CONNECT(self) -> None:
        if not self._let_in():
            return
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as far:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: far, far: self.connection}
            while readable := select.select(list(ends), [], [], 10)[0]:
                for end in readable:
                    data = end.recv(65536)
                    if not data:
                        self.close_connection = True
                        return
                    ends[end].sendall(data)

    def log_message(self, *_: object) -> None:
        """Log nothing: tests read `asked`."""


@contextmanager
def proxy(refuse: int = 0) -> Iterator[Proxy]:
    """Run a proxy; one that refuses answers everything with that status."""
    server = _Server(refuse)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
