"""The states of the http, tcp and tls rows of the table of truth."""

import gzip
import ssl
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.servers.certificates import Authority, Certificate, self_signed, with_chain
from tests.servers.network import (
    Talk,
    answering,
    dripping,
    full_port,
    page,
    resetting,
    saying,
    server,
    silent,
)
from tests.servers.redis_server import closed_port
from tests.servers.stub import Answer, Request, stub
from tests.truth.table import row

NOWHERE = "gonogo.invalid"
BRIEF = {"timeout": "2s"}
# A busy machine is no slow server.
HTTP = {"latency_warn": "20s", "latency_fail": "25s"}
TCP = {"connect_warn": "20s", "connect_fail": "25s", "timeout": "30s"}
PATIENT = {"timeout": "30s"}


# --- http


def http(state: str, expected: str, respond: Callable[[Request], Answer | None], **parameters: Any) -> None:
    """Add a row that asks a stub for its page."""

    @row("http", state, expected)
    def make(_: Path) -> Iterator[dict[str, Any]]:
        with stub(respond) as site:
            yield {"url": f"http://127.0.0.1:{site.port}/", **HTTP, **parameters}


def raw(probe: str, state: str, expected: str, talk: Talk, **parameters: Any) -> None:
    """Add a row with a server that behaves as told from the first byte on."""

    @row(probe, state, expected)
    def make(_: Path) -> Iterator[dict[str, Any]]:
        with server(talk) as port:
            match probe:
                case "http":
                    yield {"url": f"http://127.0.0.1:{port}/", **HTTP, **parameters}
                case "tcp":
                    yield {"address": f"127.0.0.1:{port}", **TCP, **parameters}
                case _:
                    yield {"address": f"127.0.0.1:{port}", **PATIENT, **parameters}


def health(body: bytes, status: int = 200, **headers: str) -> Callable[[Request], Answer]:
    return lambda _: Answer(status, body, {"Content-Type": "application/health+json", **headers})


def at(routes: dict[str, Answer]) -> Callable[[Request], Answer]:
    return lambda request: routes.get(request.path, Answer(404))


def moved(to: str, status: int = 302) -> Answer:
    return Answer(status, b"", {"Location": to})


def late(_: Request) -> Answer:
    time.sleep(0.6)
    return Answer(200)


WELL = {
    "contains": "pass",
    "matches": r'"version":\s*"\d+"',
    "json": {"status": "pass", "nodes.0.up": True},
    "header_contains": {"content-type": "json", "X-Frame-Options": ""},
}
PAGE = b'{"status": "pass", "version": "7", "nodes": [{"up": true}]}'
BOMB = gzip.compress(bytes(64 * 1024 * 1024))

http("healthy", "pass", health(PAGE, **{"X-Frame-Options": "DENY"}), **WELL)
http("healthy, any 2xx", "pass", health(b"", 204), status=["2xx"])
http("healthy, 404 is right", "pass", health(b"", 404), status=[404])
http(
    "healthy, page above the cap", "pass", health(b"here" + b"." * 100_000), contains="here", body_limit=1000
)
http("wrong status", "fail status", health(b"", 503))
http("text missing", "fail contains", health(PAGE), contains="down")
http("pattern missing", "fail matches", health(PAGE), matches=r"version\d")
http("JSON value wrong", "fail json status", health(b'{"status": "fail"}'), json={"status": "pass"})
http("JSON value missing", "fail json a.b", health(b'{"a": {}}'), json={"a.b": 1})
http("JSON is none", "fail json status", health(b"<html>"), json={"status": "pass"})
http("header missing", "fail header X-Frame-Options", health(PAGE), header_contains={"X-Frame-Options": ""})
http("header wrong", "fail header content-type", health(PAGE), header_contains={"content-type": "text/html"})
http("slow", "warn latency", late, latency_warn="500ms")
http("very slow", "fail latency", late, latency_warn="100ms", latency_fail="500ms")
http(
    "text beyond the cap",
    "unknown config; unknown contains",
    health(b"." * 9999 + b"here"),
    contains="here",
    body_limit=99,
)
http(
    "decompression bomb",
    "unknown config; unknown contains",
    health(BOMB, **{"Content-Encoding": "gzip"}),
    contains="here",
)
http(
    "expression without an end",
    "unknown config",
    health(b"a" * 64 + b"!"),
    matches="(a+)+$",
)
http("redirect unexpected", "fail status", lambda _: moved("/login"))
http(
    "redirect expected",
    "pass",
    lambda _: moved("/login"),
    status=[302],
    header_contains={"location": "/login"},
)
http("redirect followed", "pass", at({"/": moved("/a", 301), "/a": moved("b"), "/b": Answer()}), redirects=2)
http("one redirect too many", "fail redirect", at({"/": moved("/a"), "/a": moved("/b")}), redirects=1)
http("redirect loop", "fail redirect", at({"/": moved("/a"), "/a": moved("/")}), redirects=5)
http("redirect to nowhere", "fail redirect", lambda _: Answer(302), redirects=5)
http("hung", "unknown timeout", lambda _: None, **BRIEF)

raw("http", "healthy HEAD", "pass", answering(page(b"", "200 OK", "Content-Type: text/html")), method="HEAD")
raw("http", "silent", "unknown timeout", silent, **BRIEF)
raw("http", "dripping head", "unknown timeout", dripping(b"HTTP/1.1 200 OK\r\nX: "), **BRIEF)
raw(
    "http",
    "dripping body",
    "unknown timeout",
    dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"),
    **BRIEF,
)
raw("http", "reset", "unknown protocol", resetting)
raw("http", "hangs up", "unknown protocol", answering(b""), timeout="8s")
raw("http", "not HTTP", "unknown protocol", saying(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"))
raw("http", "short body", "unknown protocol", answering(page(b"." * 100)[:-50]))
raw(
    "http",
    "body not as encoded",
    "unknown protocol",
    answering(page(b"no gzip", "200 OK", "Content-Encoding: gzip")),
)


@row("http", "refused", "unknown refused")
def http_refused(_: Path) -> Iterator[dict[str, Any]]:
    with closed_port() as port:
        yield {"url": f"http://127.0.0.1:{port}/"}


@row("http", "no answer to connections", "unknown timeout")
def http_firewalled(_: Path) -> Iterator[dict[str, Any]]:
    with full_port() as port:
        yield {"url": f"http://127.0.0.1:{port}/", **BRIEF}


@row("http", "unknown host", "unknown dns")
def http_unknown_host(_: Path) -> Iterator[dict[str, Any]]:
    yield {"url": f"https://{NOWHERE}/"}


for wrong in ("localhost/health", "ftp://localhost/", "http://", "http://localhost:70000/", "http://[::1/"):

    @row("http", f"bad URL: {wrong}", "unknown config")
    def http_bad_url(_: Path, url: str = wrong) -> Iterator[dict[str, Any]]:
        yield {"url": url}


# --- tcp

raw("tcp", "healthy", "pass", silent)
raw("tcp", "banner right", "pass", saying(b"220 mail.example ESMTP\r\n"), expect="ESMTP")
raw("tcp", "banner wrong", "fail answer", saying(b"SSH-2.0-OpenSSH_9.2p1\r\n"), expect="ESMTP", timeout="4s")
raw("tcp", "silent", "unknown timeout", silent, expect="ESMTP", **BRIEF)
raw("tcp", "dripping", "unknown timeout", dripping(b"2"), expect="ESMTP", timeout="4s")
raw("tcp", "reset", "unknown protocol", resetting, send="x", expect="ESMTP")
raw("tcp", "hangs up", "unknown protocol", lambda _: None, expect="ESMTP")
raw("tcp", "floods", "fail answer", saying(b"." * 10_000_000), expect="ESMTP")
raw("tcp", "plain server asked for TLS", "unknown tls", saying(b"220 mail\r\n"), tls=True)


@row("tcp", "healthy Unix socket", "pass")
def tcp_unix(folder: Path) -> Iterator[dict[str, Any]]:
    with server(saying(b"+PONG"), path=folder / "socket"):
        yield {"address": f"unix://{folder / 'socket'}", "send": "PING", "expect": "+PONG", **TCP}


@row("tcp", "slow network", "warn connect")
def tcp_slow(_: Path) -> Iterator[dict[str, Any]]:
    with full_port(opens=True) as port:
        yield {"address": f"127.0.0.1:{port}", **TCP, "connect_warn": "500ms"}


@row("tcp", "very slow network", "fail connect")
def tcp_very_slow(_: Path) -> Iterator[dict[str, Any]]:
    with full_port(opens=True) as port:
        yield {"address": f"127.0.0.1:{port}", **TCP, "connect_fail": "500ms"}


@row("tcp", "refused", "unknown refused")
def tcp_refused(_: Path) -> Iterator[dict[str, Any]]:
    with closed_port() as port:
        yield {"address": f"127.0.0.1:{port}"}


@row("tcp", "no such socket", "unknown refused")
def tcp_no_socket(folder: Path) -> Iterator[dict[str, Any]]:
    yield {"address": str(folder / "socket")}


@row("tcp", "no answer to connections", "unknown timeout")
def tcp_firewalled(_: Path) -> Iterator[dict[str, Any]]:
    with full_port() as port:
        yield {"address": f"127.0.0.1:{port}", **BRIEF}


@row("tcp", "unknown host", "unknown dns")
def tcp_unknown_host(_: Path) -> Iterator[dict[str, Any]]:
    yield {"address": f"{NOWHERE}:25"}


for wrong in ("localhost", "::1:25", "localhost:0", "tcp://localhost:25"):

    @row("tcp", f"bad address: {wrong}", "unknown config")
    def tcp_bad_address(_: Path, address: str = wrong) -> Iterator[dict[str, Any]]:
        yield {"address": address}


# --- certificates: what the tls probe says of each, and what http and tcp do

Make = Callable[[Authority], Certificate]


def served(state: str, says: str, make: Make, *, trusted: bool, ca: bool = True, **parameters: Any) -> None:
    """Add a row for tls, http and tcp with a server that has this certificate."""

    def serve(folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        authority = Authority(folder)
        context = make(authority).server_side
        with server(answering(page(b"here")), context) as port:
            yield port, {"ca_file": str(authority.file)} if ca else {}

    @row("tls", state, says)
    def tls(folder: Path) -> Iterator[dict[str, Any]]:
        for port, given in serve(folder):
            yield {"address": f"127.0.0.1:{port}", **PATIENT, **given, **parameters}

    other = "pass" if trusted else "unknown tls"

    @row("http", f"certificate: {state}", other)
    def https(folder: Path) -> Iterator[dict[str, Any]]:
        for port, given in serve(folder):
            yield {"url": f"https://127.0.0.1:{port}/", "contains": "here", **HTTP, **given}

    @row("tcp", f"certificate: {state}", other)
    def tcp(folder: Path) -> Iterator[dict[str, Any]]:
        asked = {"tls": True, "send": "GET / HTTP/1.0\r\n\r\n", "expect": "200 OK"}
        for port, given in serve(folder):
            yield {"address": f"127.0.0.1:{port}", **asked, **TCP, **given}


def by_intermediate(authority: Authority, *, complete: bool = True) -> Certificate:
    between = authority.intermediate()
    certificate = between.sign()
    return with_chain(certificate, between) if complete else certificate


def by_expired_intermediate(authority: Authority) -> Certificate:
    between = authority.intermediate(days=-2)
    return with_chain(between.sign(), between)


def by_root_sent_along(authority: Authority) -> Certificate:
    return with_chain(authority.sign(), authority)


served("good", "pass", Authority.sign, trusted=True)
served("good, by an intermediate", "pass", by_intermediate, trusted=True)
served("expired", "fail expiry", lambda ca: ca.sign(days=-3), trusted=False)
served("expired intermediate", "fail expiry", by_expired_intermediate, trusted=False)
served("future", "fail valid from", lambda ca: ca.sign(since=-3), trusted=False)
served("wrong host", "fail host name", lambda ca: ca.sign(names="DNS:other.test,IP:127.0.0.2"), trusted=False)
served("self-signed", "fail chain", lambda ca: self_signed(ca.folder), trusted=False)
served("unknown issuer", "fail chain", Authority.sign, trusted=False, ca=False)
served("unknown issuer, sent along", "fail chain", by_root_sent_along, trusted=False, ca=False)
served("intermediate not sent", "fail chain", lambda ca: by_intermediate(ca, complete=False), trusted=False)
served(
    "expired, wrong host, unknown issuer",
    "fail chain, host name, expiry",
    lambda ca: ca.sign(names="DNS:other.test", days=-3),
    trusted=False,
    ca=False,
)
served("expires in 20 days", "warn expiry", lambda ca: ca.sign(days=20), trusted=True)
served("expires in 6 days", "fail expiry", lambda ca: ca.sign(days=6), trusted=True)
served("22 days left", "pass", lambda ca: ca.sign(days=22), trusted=True)


def tls(state: str, says: str, change: Callable[[ssl.SSLContext], None], **parameters: Any) -> None:
    """Add a row with a good certificate and a server that is set up in another way."""

    @row("tls", state, says)
    def make(folder: Path) -> Iterator[dict[str, Any]]:
        authority = Authority(folder)
        context = authority.sign().server_side
        change(context)
        with server(silent, context) as port:
            yield {"address": f"127.0.0.1:{port}", "ca_file": str(authority.file), **PATIENT, **parameters}


def old(context: ssl.SSLContext) -> None:
    # What OpenSSL itself holds for too weak has to be asked for.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1


def middle(context: ssl.SSLContext) -> None:
    context.maximum_version = ssl.TLSVersion.TLSv1_2


tls("TLS 1.1 only", "fail version", old)
tls("TLS 1.2 only", "pass", middle)
tls("TLS 1.2, 1.3 wanted", "fail version", middle, version="1.3")
tls("TLS 1.3, 1.3 wanted", "pass", lambda _: None, version="1.3")
tls("name asked for by server_name", "pass", lambda _: None, server_name="localhost")
raw("tls", "plain server", "unknown tls", saying(b"220 mail.example ESMTP\r\n"))
raw("tls", "silent", "unknown timeout", silent, **BRIEF)
raw("tls", "reset", "unknown protocol", resetting)
raw("tls", "dripping", "unknown timeout", dripping(b"\x16\x03\x03\x3f\xff"), **BRIEF)


@row("tls", "refused", "unknown refused")
def tls_refused(_: Path) -> Iterator[dict[str, Any]]:
    with closed_port() as port:
        yield {"address": f"127.0.0.1:{port}"}


@row("tls", "no answer to connections", "unknown timeout")
def tls_firewalled(_: Path) -> Iterator[dict[str, Any]]:
    with full_port() as port:
        yield {"address": f"127.0.0.1:{port}", **BRIEF}


@row("tls", "unknown host", "unknown dns")
def tls_unknown_host(_: Path) -> Iterator[dict[str, Any]]:
    yield {"address": NOWHERE}


@row("tls", "bad address", "unknown config")
def tls_bad_address(_: Path) -> Iterator[dict[str, Any]]:
    yield {"address": "https://localhost/"}


@row("tls", "no file of authorities", "unknown config")
def tls_no_ca_file(_: Path) -> Iterator[dict[str, Any]]:
    yield {"address": "localhost", "ca_file": "missing.pem"}


@row("http", "plain server asked for TLS", "unknown tls")
def http_tls_to_plain(_: Path) -> Iterator[dict[str, Any]]:
    with stub(lambda _: Answer()) as site:
        yield {"url": f"https://127.0.0.1:{site.port}/", "timeout": "6s"}


@row("http", "TLS server asked without", "unknown tls")
def http_plain_to_tls(folder: Path) -> Iterator[dict[str, Any]]:
    with server(answering(page()), self_signed(folder).server_side) as port:
        yield {"url": f"http://127.0.0.1:{port}/"}


@row("http", "redirect away from TLS", "fail redirect")
def http_downgrade(folder: Path) -> Iterator[dict[str, Any]]:
    authority = Authority(folder)
    answer = page(b"", "302 Found", "Location: http://127.0.0.1/")
    with server(answering(answer), authority.sign().server_side) as port:
        yield {"url": f"https://127.0.0.1:{port}/", "ca_file": str(authority.file), "redirects": 3, **HTTP}


@row("tcp", "TLS server asked without", "unknown tls")
def tcp_plain_to_tls(folder: Path) -> Iterator[dict[str, Any]]:
    with server(silent, self_signed(folder).server_side) as port:
        yield {"address": f"127.0.0.1:{port}", "send": "PING\r\n", "expect": "+PONG", **TCP}
