"""HTTP for the sentry probe, on the road that the Sentry SDK takes: its proxies and its certificates.

Kept apart because it imports urllib3, which is slow to import.
"""

import json
import os
import re
import ssl
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from http import HTTPStatus
from http.client import BadStatusLine
from typing import Any, NamedTuple, NoReturn, Self
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

import certifi
from urllib3 import BaseHTTPResponse, PoolManager, ProxyManager, Timeout, exceptions, make_headers

from probes.outcome import CannotTell, Reason

AGENT = "gonogo-probe/1"
DIRECT = "none"
_MAX_BODY = 4 * 1024 * 1024
_CHUNK = 64 * 1024


class Answer(NamedTuple):
    """What an HTTP server answered.

    Attributes:
        status: The status code.
        headers: The headers; their names may be looked up in any case.
        body: The body, cut off after 4 MiB.
        proxy: Host and port of the proxy it came through; empty if there was none.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    proxy: str = ""

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return HTTPStatus(200) <= self.status < HTTPStatus(300)

    @property
    def table(self) -> dict[str, object]:
        """The JSON object in the body; empty if there is none."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def rows(self, name: str) -> list[dict[str, object]]:
        """Return the objects in a list of the body; none if the body is something else."""
        listed = self.table.get(name)
        return [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []

    @property
    def target(self) -> str:
        """Host and port that it redirects to; empty if it names no host."""
        return host_of(self.headers.get("Location", ""))


def host_of(url: str) -> str:
    """Return host and port of an address, which need not be well formed."""
    match = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)", url)
    return match[1].rpartition("@")[2] if match else ""


def proxy_for(url: str, given: str) -> str:
    """Return the address of the proxy to go through; empty for the direct way.

    Args:
        url: Where to go.
        given: The proxy to use, "none" for the direct way, or nothing for the one that the Sentry SDK for
            Python (2.75) takes from the environment: that of `https_proxy` for https, else that of
            `http_proxy`, unless host or host:port ends with an entry of `no_proxy`. An empty entry, as a
            comma too many makes, matches every host there, so it does here.
    """
    if given:
        return "" if given.lower() == DIRECT else given
    parts, proxies = urlsplit(url), getproxies()
    netloc = host_of(url)
    exempt = [entry.strip() for entry in proxies["no"].split(",")] if proxies.get("no") else []
    if any((parts.hostname or "").endswith(entry) or netloc.endswith(entry) for entry in exempt):
        return ""
    return (parts.scheme == "https" and proxies.get("https")) or proxies.get("http") or ""


class Client:
    """HTTP without retries and redirects, up to a moment on the monotonic clock."""

    def __init__(self, ends: float, proxy: str = "") -> None:
        """Take the moment and the `proxy` parameter, see `proxy_for`."""
        self.ends = ends
        self._proxy = proxy
        self._managers: dict[str, PoolManager] = {}

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        for manager in self._managers.values():
            manager.clear()

    def ask(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        patience: float = float("inf"),
    ) -> Answer:
        """GET an address, or POST the body to it.

        Args:
            url: The address.
            headers: To send along.
            body: To POST; None for a GET.
            patience: Seconds to wait at most.

        Raises:
            CannotTell: If there is no answer, or a proxy in between wants credentials.
        """
        if not url.startswith(("http://", "https://")):
            raise CannotTell(
                Reason.CONFIG, "An address lacks its scheme.", "Begin it with https:// or http://."
            )
        proxy = ""
        ends = min(self.ends, time.monotonic() + patience)
        try:
            proxy = proxy_for(url, self._proxy)
            with closing(
                self._manager(proxy).request(
                    "GET" if body is None else "POST",
                    url,
                    body=body,
                    headers={"User-Agent": AGENT, **(headers or {})},
                    retries=False,
                    redirect=False,
                    timeout=Timeout(total=max(0.05, ends - time.monotonic())),
                    preload_content=False,
                )
            ) as response:
                answer = Answer(response.status, response.headers, _body(response, ends), host_of(proxy))
        except (exceptions.HTTPError, TimeoutError, ValueError) as error:
            _give_up(error, host_of(url), host_of(proxy))
        if answer.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
            raise _turned_away(answer.proxy or host_of(url), answer.status, host_of(url))
        return answer

    def _manager(self, proxy: str) -> PoolManager:
        """Return the pool for a proxy, with the certificates that the SDK would trust and show."""
        if proxy in self._managers:
            return self._managers[proxy]
        environment = os.environ.get
        options: dict[str, Any] = {
            "cert_reqs": "CERT_REQUIRED",
            "ca_certs": environment("SSL_CERT_FILE") or environment("REQUESTS_CA_BUNDLE") or certifi.where(),
            "cert_file": environment("CLIENT_CERT_FILE"),
            "key_file": environment("CLIENT_KEY_FILE"),
        }
        if not proxy:
            manager = PoolManager(**options)
        elif proxy.startswith("socks"):
            manager = _socks(proxy, options)
        else:
            # The SDK sends no credentials out of the environment's address; the parameter's stand for the
            # `proxy_headers` that an application gives it.
            parts = urlsplit(proxy)
            login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
            shown = make_headers(proxy_basic_auth=login) if self._proxy and parts.username else None
            manager = ProxyManager(proxy, proxy_headers=shown, **options)
        self._managers[proxy] = manager
        return manager


def _body(response: BaseHTTPResponse, ends: float) -> bytes:
    """Read a body up to a size and a moment: the library's timeout begins anew with every byte that drips."""
    read = bytearray()
    while len(read) < _MAX_BODY and (chunk := response.read1(_CHUNK)):
        read += chunk
        if time.monotonic() > ends:
            raise TimeoutError
    return bytes(read)


def _socks(proxy: str, options: dict[str, Any]) -> PoolManager:
    try:
        from urllib3.contrib.socks import SOCKSProxyManager
    except ImportError:
        message = "The proxy speaks SOCKS, for which PySocks is missing here."
        hint = 'Install it: pip install PySocks. An SDK without it goes the direct way: proxy = "none".'
        raise CannotTell(Reason.MISSING, message, hint) from None
    return SOCKSProxyManager(proxy, **options)


def _give_up(error: Exception, host: str, proxy: str) -> NoReturn:
    if not isinstance(error, exceptions.ProxyError):
        raise _doubt(error, host) from error
    if status := re.search(r"Tunnel connection failed: (\d{3})", str(error.original_error)):
        raise _turned_away(proxy, int(status[1]), host) from error
    raise _doubt(error.original_error, proxy, "The proxy ") from error


def _doubt(error: Exception, host: str, who: str = "") -> CannotTell:
    """Say why there is no answer from a host, or from a proxy if it begins with that word."""
    far = f"{who.lower()}{host}"
    # Subclasses first: a name that does not resolve is a failed connection, which is a timeout.
    match error:
        case exceptions.ProxySchemeUnknown():
            found, hint = "The address of the proxy is malformed.", "Begin it with http:// or https://."
            return CannotTell(Reason.CONFIG, found, hint)
        case exceptions.LocationValueError() | ValueError():
            return CannotTell(Reason.CONFIG, f"The address of {far} is malformed.", "Correct it.")
        case exceptions.NameResolutionError():
            name = re.sub(r":[0-9]*$", "", host)
            hint = f"Check the name and this machine's DNS: getent hosts {name}."
            return CannotTell(Reason.DNS, f"The name of {far} does not resolve.", hint)
        case exceptions.NewConnectionError():
            hint = "Check that it runs and that the network lets this host through."
            return CannotTell(Reason.REFUSED, f"No connection to {far}.", hint)
        case exceptions.TimeoutError() | TimeoutError():
            hint = "Check that it is alive, and what lies between."
            return CannotTell(Reason.TIMEOUT, f"No answer from {far} in time.", hint)
        case exceptions.SSLError():
            return _no_tls(error, far)
        case exceptions.ProtocolError(args=(_, BadStatusLine() as cause)) if not isinstance(cause, OSError):
            found, hint = f"{who}{host} does not answer in HTTP.", "Check host, port and scheme."
            return CannotTell(Reason.PROTOCOL, found, hint)
        case _:
            hint = "Check that it speaks HTTP, that the scheme fits the port, and what stands in front of it."
            return CannotTell(Reason.PROTOCOL, f"{who}{host} broke off the exchange.", hint)


def _no_tls(error: exceptions.SSLError, host: str) -> CannotTell:
    cause = error.args[0] if error.args else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        found = f"The certificate of {host} is not trusted: {cause.verify_message.rstrip('.')}."
        hint = "Renew it, or name its authority in SSL_CERT_FILE, here and where the application runs."
        return CannotTell(Reason.TLS, found, hint)
    hint = "Check the certificate, and that the scheme fits the port."
    return CannotTell(Reason.TLS, f"No TLS with {host} ({cause}).", hint)


def _turned_away(proxy: str, status: int, host: str) -> CannotTell:
    """Return the doubt that a proxy's answer leaves."""
    told = str(status)
    with suppress(ValueError):
        told += f" {HTTPStatus(status).phrase}"
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        found = f"The proxy {proxy} wants credentials ({told})."
        hint = (
            "Give the application's SDK `proxy_headers`, it sends none from HTTPS_PROXY; and put user and"
            " password into this probe's `proxy`."
        )
        return CannotTell(Reason.AUTH, found, hint)
    found = f"The proxy {proxy} does not let us through to {host} ({told})."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        hint = "Check that the tracker runs and that the proxy reaches it, or exempt it with NO_PROXY."
        return CannotTell(Reason.REFUSED, found, hint)
    return CannotTell(
        Reason.FORBIDDEN, found, "Allow the tracker's host on the proxy, or exempt it with NO_PROXY."
    )
