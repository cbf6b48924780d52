"""The states of the sentry rows: in a real Bugsink, and in stubs where it cannot be brought into them."""

import contextlib
import os
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Any

from tests.servers.bugsink import bugsink, consumer
from tests.servers.proxy import proxy
from tests.servers.sentry_stub import KEY, TOKEN, Respond, found, not_found, sentry
from tests.servers.stub import Answer, Request, stub
from tests.truth.table import row

State = Iterator[Mapping[str, Any]]
SENTRY = {"token": TOKEN, "organization": "acme"}
LOGIN = Answer(200, b"<html><form>Please log in</form></html>")


def stubbed(state: str, expected: str, respond: Callable[[], Respond], **parameters: Any) -> None:
    """Add a row of a stub that answers as told."""

    @row("sentry", state, expected)
    def make(_: Path) -> State:
        with stub(respond()) as server:
            yield {"dsn": f"http://{KEY}@127.0.0.1:{server.port}/7", **SENTRY, **parameters}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def listener(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Run a server that talks to each connection on its own terms; yield its port."""

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(20)
                    serve(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield int(server.getsockname()[1])
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set variables for the runner's processes."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


# A real tracker.


@row("sentry", "healthy Bugsink", "pass")
def healthy(folder: Path) -> State:
    with bugsink(folder / "bugsink") as server:
        yield {"dsn": server.dsn, "token": server.token, "environment": "staging", "release": "1.2.3"}


@row("sentry", "healthy Bugsink, its health page named", "pass")
def health_page_named(folder: Path) -> State:
    with bugsink(folder / "bugsink") as server:
        yield {"dsn": server.dsn, "token": server.token, "health": f"{server.url}/health/ready"}


@row("sentry", "wrong key", "fail accepted")
def wrong_key(folder: Path) -> State:
    with bugsink(folder / "bugsink") as server:
        yield {"dsn": server.dsn.replace(server.key, KEY), "token": server.token}


@row("sentry", "wrong project", "fail accepted")
def wrong_project(folder: Path) -> State:
    with bugsink(folder / "bugsink") as server:
        yield {"dsn": f"{server.dsn}99", "token": server.token}


@row("sentry", "quota of the project used up", "fail accepted")
def quota(folder: Path) -> State:
    with bugsink(folder / "bugsink", MAX_EVENTS_PER_PROJECT_PER_5_MINUTES=1) as server:
        server.send(2)
        yield {"dsn": server.dsn, "token": server.token}


@row("sentry", "no token", "warn stored")
def no_token(folder: Path) -> State:
    with bugsink(folder / "bugsink") as server:
        yield {"dsn": server.dsn}


@row("sentry", "wrong token", "unknown auth; unknown stored")
def wrong_token(folder: Path) -> State:
    with bugsink(folder / "bugsink") as server:
        yield {"dsn": server.dsn, "token": "0" * 40}


@row("sentry", "accepted but never stored: no consumer runs", "warn stored")
def never_stored(folder: Path) -> State:
    with bugsink(folder / "bugsink", queued=True) as server:
        yield {"dsn": server.dsn, "token": server.token, "wait": "1s"}


@row("sentry", "accepted but never stored: the project keeps nothing", "warn stored, retention")
def keeps_nothing(folder: Path) -> State:
    with bugsink(folder / "bugsink") as server:
        server.keep(0)
        yield {"dsn": server.dsn, "token": server.token, "wait": "1s"}


def slow_ingestion(expected: str, **limits: str) -> None:
    @row("sentry", f"slow ingestion, limits {' and '.join(limits.values())}", expected)
    def make(folder: Path) -> State:
        with bugsink(folder / "bugsink", queued=True) as server, contextlib.ExitStack() as stack:
            # The consumer begins well after the event has come, at the earliest 1.5 s from here.
            late = threading.Timer(1.5, lambda: stack.enter_context(consumer(folder / "bugsink")))
            late.start()
            stack.callback(late.join)
            stack.callback(late.cancel)
            yield {"dsn": server.dsn, "token": server.token, "wait": "40s", "timeout": "60s", **limits}


slow_ingestion("pass", delay_warn="40s", delay_fail="50s")
slow_ingestion("warn stored", delay_warn="1ms", delay_fail="50s")
slow_ingestion("fail stored", delay_warn="1ms", delay_fail="2ms")


@row("sentry", "retention nearly full", "warn retention")
def nearly_full(folder: Path) -> State:
    with bugsink(folder / "bugsink") as server:
        server.keep(11)
        server.send(9)
        yield {"dsn": server.dsn, "token": server.token}


@row("sentry", "retention full, as it is meant to be", "pass")
def full(folder: Path) -> State:
    with bugsink(folder / "bugsink") as server:
        server.keep(1)
        server.send(1)
        yield {"dsn": server.dsn, "token": server.token, "retention_warn": 100}


@row("sentry", "Sentry's API asked of a Bugsink", "warn stored")
def not_sentry(folder: Path) -> State:
    with bugsink(folder / "bugsink") as server:
        yield {"dsn": server.dsn, "token": server.token, "organization": "acme", "wait": "1s"}


# What lies on the way.


@row("sentry", "down", "unknown refused")
def down(_: Path) -> State:
    yield {"dsn": f"http://{KEY}@127.0.0.1:{free_port()}/1", "token": TOKEN}


@row("sentry", "unknown host", "unknown dns")
def unknown_host(_: Path) -> State:
    yield {"dsn": f"https://{KEY}@sentry.invalid/1", "token": TOKEN}


stubbed("hang", "unknown timeout", lambda: lambda _: None, timeout="3s")


def drip(start: bytes, byte: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(start)
        # Ends when the probe hangs up, or with the server's patience.
        for _ in range(200):
            connection.sendall(byte)
            sleep(0.1)

    return serve


def odd_server(state: str, expected: str, serve: Callable[[socket.socket], None], **more: Any) -> None:
    @row("sentry", state, expected)
    def make(_: Path) -> State:
        with listener(serve) as port:
            yield {"dsn": f"http://{KEY}@127.0.0.1:{port}/1", "health": "none", **SENTRY, **more}


def greet(connection: socket.socket) -> None:
    connection.sendall(b"220 mail.example.com ESMTP\r\n")
    connection.recv(65536)


START = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n"
odd_server("dripping headers", "unknown timeout", drip(START, b"X: y\r\n"), timeout="3s")
odd_server("dripping body", "unknown timeout", drip(START + b"\r\n", b" "), timeout="3s")
odd_server("hangs up", "unknown protocol", lambda connection: connection.close())
odd_server("mail server on the port", "unknown protocol", greet)


@row("sentry", "TLS to a plain port", "unknown tls")
def tls_to_plain(_: Path) -> State:
    with stub(sentry()) as server:
        yield {"dsn": f"https://{KEY}@127.0.0.1:{server.port}/7", **SENTRY}


def certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that nobody has signed but itself, with its key in one file."""
    made = folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-keyout", "key.pem", "-out", made.name, "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return made


@contextmanager
def over_tls(folder: Path, respond: Respond) -> Iterator[tuple[str, Path]]:
    """Run a stub behind TLS; yield the DSN and the certificate."""
    made = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, folder / "key.pem")
    with stub(respond) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield f"https://{KEY}@127.0.0.1:{server.port}/7", made


@row("sentry", "certificate that nobody trusts", "unknown tls")
def untrusted(folder: Path) -> State:
    with over_tls(folder, sentry()) as (dsn, _):
        yield {"dsn": dsn, **SENTRY}


@row("sentry", "certificate trusted through SSL_CERT_FILE", "pass")
def trusted(folder: Path) -> State:
    with over_tls(folder, sentry()) as (dsn, made), environment(SSL_CERT_FILE=str(made)):
        yield {"dsn": dsn, **SENTRY}


@row("sentry", "plain to a TLS port", "unknown protocol")
def plain_to_tls(folder: Path) -> State:
    with over_tls(folder, sentry()) as (dsn, _):
        yield {"dsn": dsn.replace("https", "http"), **SENTRY}


# Proxies. One that is refused by name is told apart from the tracker behind it.


def through_proxy(state: str, expected: str, refuse: int = 0, scheme: str = "http") -> None:
    @row("sentry", f"proxy: {state}", expected)
    def make(_: Path) -> State:
        with proxy(refuse) as way, stub(sentry()) as server:
            yield {"dsn": f"{scheme}://{KEY}@127.0.0.1:{server.port}/7", "proxy": way.url, **SENTRY}


through_proxy("healthy behind it", "pass")
through_proxy("wants credentials", "unknown auth", 407)
through_proxy("forbids the host", "fail accepted", 403)
through_proxy("wants credentials for a tunnel", "unknown auth", 407, "https")
through_proxy("forbids the tunnel", "unknown forbidden", 403, "https")
through_proxy("does not reach the tracker", "unknown refused", 502, "https")


def proxied(state: str, expected: str, address: Callable[[], str]) -> None:
    @row("sentry", f"proxy: {state}", expected)
    def make(_: Path) -> State:
        with stub(sentry()) as server:
            dsn = f"http://{KEY}@127.0.0.1:{server.port}/7"
            yield {"dsn": dsn, "proxy": address(), "health": "none", **SENTRY}


proxied("down", "unknown refused", lambda: f"http://127.0.0.1:{free_port()}")
proxied("unknown host", "unknown dns", lambda: "http://proxy.invalid:3128")
proxied("malformed address", "unknown config", lambda: "proxy.example.com:3128")
proxied("none wanted", "pass", lambda: "none")


@row("sentry", "proxy: its login page answers 200", "fail accepted")
def captive(_: Path) -> State:
    with stub(lambda _: LOGIN) as way:
        yield {"dsn": f"http://{KEY}@sentry.invalid/7", "proxy": f"http://127.0.0.1:{way.port}", **SENTRY}


@row("sentry", "proxy: tunnel to a tracker over TLS, from the environment", "pass")
def tunnel(folder: Path) -> State:
    with over_tls(folder, sentry()) as (dsn, made), proxy() as way:
        with environment(HTTPS_PROXY=way.url, SSL_CERT_FILE=str(made)):
            yield {"dsn": dsn, **SENTRY}
        assert way.asked[0].startswith("CONNECT 127.0.0.1:")


@row("sentry", "proxy: down, from the environment", "unknown refused")
def proxy_down_in_environment(_: Path) -> State:
    with stub(sentry()) as server, environment(HTTP_PROXY=f"http://127.0.0.1:{free_port()}"):
        yield {"dsn": f"http://{KEY}@127.0.0.1:{server.port}/7", **SENTRY}


@row("sentry", "proxy: down, but NO_PROXY exempts the tracker", "pass")
def exempt(_: Path) -> State:
    way = {"HTTP_PROXY": f"http://127.0.0.1:{free_port()}", "NO_PROXY": "example.com,127.0.0.1"}
    with stub(sentry()) as server, environment(**way):
        yield {"dsn": f"http://{KEY}@127.0.0.1:{server.port}/7", **SENTRY}


# DSNs.

for name, malformed in {
    "empty": "",
    "no project": f"https://{KEY}@sentry.example.com/",
    "no key": "https://sentry.example.com/1",
    "project in words": f"https://{KEY}@sentry.example.com/shop",
    "scheme ftp": f"ftp://{KEY}@sentry.example.com/1",
    "port in words": f"https://{KEY}@sentry.example.com:port/1",
    "bracket open": f"https://{KEY}@[::1/1",
    "letter out of place": f"https://{KEY}é@sentry.example.com/1",
    "only the key": KEY,
}.items():

    @row("sentry", f"malformed DSN: {name}", "unknown config")
    def malformed_dsn(_: Path, dsn: str = malformed) -> State:
        yield {"dsn": dsn}


# Answers to the event. All of them come for every path, the health pages' too.


def answered(state: str, expected: str, answer: Answer) -> None:
    stubbed(state, expected, lambda: lambda _: answer)


for status in (500, 502, 503):
    answered(f"answers {status}", "fail accepted", Answer(status, b"<html>Trouble</html>"))
answered("login page answering 200", "fail accepted", LOGIN)
answered("redirect to https", "fail accepted", Answer(301, headers={"Location": "https://127.0.0.1/"}))
answered("redirect to a login", "fail accepted", Answer(302, headers={"Location": "/login"}))
answered("event too large for it", "fail accepted", Answer(413))
answered("answers with another event's id", "fail accepted", Answer(200, b'{"id": "%s"}' % (b"0" * 32)))
answered("body of 8 MiB", "fail accepted", Answer(200, b" " * (8 << 20)))
answered("quota of a Sentry used up", "fail accepted", Answer(429, headers={"Retry-After": "60"}))


def limited(state: str, expected: str, limits: str) -> None:
    stubbed(f"rate limit {state}", expected, lambda: sentry(limits=limits))


limited("of another category", "pass", "86400:transaction;span:organization, 60:replay:key")
limited("of errors", "warn quota", "60:transaction:key, 60:error:project:spike")
limited("of everything", "warn quota", "60::organization")
limited("that is not one", "pass", "soon:error:key, 0:error:key, ,::")


# The API of Sentry.

stubbed("healthy Sentry", "pass", sentry)
stubbed("accepted but never stored in Sentry", "warn stored", lambda: sentry(not_found), wait="1s")
stubbed("the API shows another event", "warn stored", lambda: sentry(lambda _: found("0" * 32)), wait="1s")
stubbed("token that Sentry does not know", "unknown auth; unknown stored", sentry, token="another")

for state, expected, told in (
    ("the token may not look", "unknown forbidden; unknown stored", Answer(403, b'{"detail": "no"}')),
    ("the API's limit is reached", "unknown limit; unknown stored", Answer(429)),
    ("the API is broken", "fail stored", Answer(502)),
    ("the API is behind a login page", "unknown protocol; unknown stored", LOGIN),
):
    stubbed(state, expected, lambda told=told: sentry(lambda _: told), wait="1s")

KEPT = {"accepted": 980, "filtered": 90_000, "client_discard": 5_000, "cardinality_limited": 500}
for state, expected, outcomes in (
    ("nothing dropped but by choice", "pass", KEPT),
    ("no errors in 24 h", "pass", {}),
    ("5 of 10 errors dropped, too few to judge", "pass", {"accepted": 5, "invalid": 5}),
    ("2 % of errors dropped", "warn dropped", KEPT | {"rate_limited": 15, "invalid": 5}),
    ("20 % of errors dropped", "fail dropped", KEPT | {"rate_limited": 245}),
    ("20 % of errors dropped as abuse", "fail dropped", KEPT | {"abuse": 245}),
):
    stubbed(state, expected, lambda outcomes=outcomes: sentry(outcomes=outcomes))


# Health pages.

SICK = Answer(
    500, b'{"problems": ["Background workers have not checked in."], "healthy": {"CeleryAlive": false}}'
)
WELL = Answer(200, b'{"problems": [], "healthy": {"CeleryAlive": true}}')
RELAY = "/api/relay/healthcheck/ready/"
for state, expected, pages in (
    (
        "healthy pages of Sentry and Relay",
        "pass",
        {"/_health/": WELL, RELAY: Answer(200, b'{"is_healthy":true}')},
    ),
    ("health page red while events pass", "warn health", {"/_health/": SICK}),
    (
        "Relay's page red while events pass",
        "warn relay health",
        {RELAY: Answer(503, b'{"is_healthy":false}')},
    ),
    ("health page behind a login", "pass", {"/_health/": LOGIN, "/health/ready": Answer(302)}),
    (
        "health pages forbidden by a proxy",
        "pass",
        dict.fromkeys(("/_health/", "/health/ready", RELAY), Answer(503)),
    ),
):
    stubbed(state, expected, lambda pages=pages: sentry(pages=pages))

stubbed(
    "health page hangs while events pass", "pass", lambda: sentry(pages={"/_health/": None}), timeout="8s"
)


@row("sentry", "health page named, red while events pass", "warn health")
def named_red(_: Path) -> State:
    with stub(sentry(pages={"/up": Answer(503)})) as server:
        base = f"127.0.0.1:{server.port}"
        yield {"dsn": f"http://{KEY}@{base}/7", "health": f"http://{base}/up", **SENTRY}


@row("sentry", "health page named, and down", "warn health")
def named_down(_: Path) -> State:
    with stub(sentry()) as server:
        dsn = f"http://{KEY}@127.0.0.1:{server.port}/7"
        yield {"dsn": dsn, "health": f"http://127.0.0.1:{free_port()}/up", **SENTRY}


@row("sentry", "health page named without a scheme", "unknown config")
def named_wrong(_: Path) -> State:
    def never(_: Request) -> Answer:
        raise AssertionError("nothing may be sent")

    with stub(never) as server:
        yield {"dsn": f"http://{KEY}@127.0.0.1:{server.port}/7", "health": "127.0.0.1/up", **SENTRY}
