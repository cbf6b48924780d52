"""Asks a Vault or an OpenBao over plain HTTP whether it serves, how long a token lives, how old a key is.

The protocol is that of HashiCorp's and OpenBao's API pages for /sys/health, /auth/token/lookup-self and the
metadata of KV version 2. Kept apart because urllib3 is slow to import.
"""

import contextlib
import os
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple, NoReturn, TypeVar
from urllib.parse import quote, urlsplit

import certifi
import msgspec
from urllib3 import PoolManager, Timeout, exceptions

from probes.figures import held, span
from probes.outcome import CannotTell, Check, Reason, Verdict, now

_PATIENCE = 5.0
"""Seconds for one request: a health check that takes longer is no answer."""
_MAX_BODY = 1024 * 1024
_CHUNK = 64 * 1024
_HOUR = 3600.0

T = TypeVar("T")


class _State(NamedTuple):
    verdict: Verdict
    name: str
    means: str
    hint: str = ""


_STATES = {
    200: _State(Verdict.PASS, "active", "is active and serves"),
    429: _State(Verdict.PASS, "standby", "is a standby and hands requests on to the active node"),
    473: _State(
        Verdict.PASS, "performance standby", "is a performance standby: it serves reads and hands writes on"
    ),
    472: _State(
        Verdict.FAIL,
        "disaster recovery secondary",
        "is a disaster recovery secondary, which serves nobody until it is promoted",
        "Give the address of the primary cluster as vault, or promote this one.",
    ),
    474: _State(
        Verdict.FAIL,
        "standby without an active node",
        "is a standby that cannot reach an active node",
        "Look for the active node and the network between them: vault operator raft list-peers.",
    ),
    501: _State(
        Verdict.FAIL,
        "not initialised",
        "is not initialised and holds nothing yet",
        "Initialise it: vault operator init.",
    ),
    503: _State(
        Verdict.FAIL, "sealed", "is sealed and gives nothing out", "Unseal it: vault operator unseal."
    ),
    530: _State(
        Verdict.FAIL,
        "removed from its cluster",
        "was removed from its cluster and serves nobody",
        "Take it out of the address, or clear its data and join again: vault operator raft join.",
    ),
}
"""The states of a server by the status of its health request."""


class _Health(msgspec.Struct):
    initialized: bool
    sealed: bool
    version: str = "?"


class _Token(msgspec.Struct):
    ttl: float
    renewable: bool = False
    creation_ttl: float = 0.0
    period: float = 0.0
    explicit_max_ttl: float = 0.0
    creation_time: float = 0.0
    num_uses: int = 0
    expire_time: str | None = None


class _Version(msgspec.Struct):
    created_time: datetime
    deletion_time: str = ""
    destroyed: bool = False


class _Metadata(msgspec.Struct):
    versions: dict[str, _Version]
    current_version: int


class _Answer(NamedTuple):
    status: int
    body: bytes
    location: str

    @property
    def errors(self) -> list[str] | None:
        """What Vault itself gives as the cause; None if this is no error of Vault."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, list[str]]).get("errors")
        except msgspec.DecodeError:
            return None


class Vault:
    """One server, by its address, and the token to ask it with."""

    def __init__(self, address: str, token: str = "", namespace: str = "", authorities: str = "") -> None:
        """Prepare to ask; nothing is sent yet.

        Args:
            address: As in VAULT_ADDR, without the path of the API.
            token: Sent with all but the health request; never to where a server redirects to.
            namespace: Sent with all but the health request, which is refused with one.
            authorities: A file of certificates to trust; empty for those that Python programs trust.

        Raises:
            CannotTell: If one of them cannot be sent.
        """
        self._address = address.strip().rstrip("/")
        try:
            parts = urlsplit(self._address)
            self.host = parts.hostname or ""
            self.host += f":{parts.port}" if parts.port else ""
        except ValueError:
            self.host = ""
        if not self.host or not self._address.startswith(("http://", "https://")):
            hint = "Write it as https://HOST:8200."
            raise CannotTell(Reason.CONFIG, "The address of the Vault is malformed.", hint)
        headers = {"X-Vault-Token": token.strip(), "X-Vault-Namespace": namespace.strip()}
        for name, value in headers.items():
            if not (value.isascii() and value.isprintable()) or " " in value:
                raise CannotTell(Reason.CONFIG, f"{name} holds what cannot be sent.", "Set it anew.")
        self._headers = {name: value for name, value in headers.items() if value}
        trusted = authorities or os.environ.get("SSL_CERT_FILE") or certifi.where()
        if not os.access(trusted, os.R_OK):
            message = f"The certificates in {trusted} cannot be read."
            raise CannotTell(Reason.CONFIG, message, "Correct vault_ca or SSL_CERT_FILE.")
        self._pool = PoolManager(cert_reqs="CERT_REQUIRED", ca_certs=trusted)

    def check_health(self) -> Check:
        """Say which of its states it is in.

        A standby node passes: it hands requests on, and in a cluster most nodes are one.

        Raises:
            CannotTell: If nobody answers, or somebody who is no Vault.
        """
        answer = self._get("sys/health", {})
        try:
            health = msgspec.json.decode(answer.body, type=_Health)
            state = _STATES[answer.status]
        except (msgspec.DecodeError, KeyError):
            self._is_no_vault(answer)
        if state.verdict is Verdict.PASS and (health.sealed or not health.initialized):
            # What stands in between may ask for other codes (`sealedcode=200`); the words stay.
            state = _STATES[503 if health.initialized else 501]
        return Check(
            name="vault",
            verdict=state.verdict,
            observed=state.name,
            limit="active",
            message=f"The Vault at {self.host} (version {health.version}) {state.means}.",
            hint=state.hint,
        )

    def check_token(self, warn: float) -> Check:
        """Hold the life of the token against a limit in seconds.

        A token that is renewed need not live that long at once: it is held against a quarter of its own
        length where that is shorter. Clients renew when two thirds have passed (LifetimeWatcher of the Vault
        API client).

        Raises:
            CannotTell: If the server does not tell.
        """
        answer = self._get("auth/token/lookup-self", self._headers)
        if answer.status == HTTPStatus.FORBIDDEN:
            return self._refused(answer)
        token = self._data(answer, _Token, "the token")
        if token.expire_time is None and token.ttl <= 0:
            return Check(
                name="vault token",
                verdict=Verdict.WARN,
                observed="never expires",
                limit=f"{warn / _HOUR:g} h",
                message="The Vault token never expires, as a root token: whoever steals it keeps it.",
                hint="Give the release a token that ends: vault token create -policy=NAME -period=72h.",
            )
        if token.num_uses:
            left = max(0, token.num_uses)  # it says -1 of the last one
            return Check(
                name="vault token",
                verdict=Verdict.WARN if left else Verdict.FAIL,
                observed=left,
                limit="no limit of uses",
                message=f"The Vault token has {left} uses left: each request, such as this one, takes one.",
                hint="Give the release a token without a limit of uses: vault token create -policy=NAME.",
            )
        final = token.creation_time + token.explicit_max_ttl - now().timestamp()
        if token.explicit_max_ttl and final < warn:
            words = f"The Vault token ends for good in {span(final)}, renewed or not"
            hint = "issue a new one: vault token create"
            return held(
                "vault token", final / _HOUR, (warn / _HOUR, 0.0), (words, hint), unit="h", falling=True
            )
        length = token.period or token.creation_ttl
        renewed = token.renewable and 0 < length / 4 < warn
        words = f"The Vault token ends in {span(token.ttl)}"
        if renewed:
            words += f" unless it is renewed, which makes that {span(length)} again"
        hint = (
            "see why nobody renews it: vault token renew"
            if renewed
            else "issue a new one: vault token create"
        )
        limits = (length / 4 if renewed else warn) / _HOUR, 0.0
        return held("vault token", token.ttl / _HOUR, limits, (words, hint), unit="h", falling=True)

    def changed(self, key: str) -> datetime:
        """Return when the value of a key in KV version 2 was last written.

        It is the time of the newest version. `updated_time` is not: a change of the metadata moves it too.

        Args:
            key: Mount and path. The mount is what stands before the first slash, or before `/data/`.

        Raises:
            CannotTell: If there is no such key, it was deleted, or the token may not look.
        """
        mount, _, path = key.strip("/").partition("/data/" if "/data/" in key else "/")
        address = f"{mount}/metadata/{path}"
        answer = self._get(quote(address), self._headers)
        if answer.status == HTTPStatus.NOT_FOUND:
            message = f"{key} is not in the Vault, or {mount} is no mount of KV version 2."
            raise CannotTell(Reason.MISSING, message, f"Look it up: vault kv metadata get {mount}/{path}.")
        if answer.status == HTTPStatus.FORBIDDEN:
            hint = f'Give the token: path "{address}" {{ capabilities = ["read"] }}.'
            raise CannotTell(Reason.FORBIDDEN, f"The token may not read the metadata of {key}.", hint)
        found = self._data(answer, _Metadata, key)
        version = found.versions.get(str(found.current_version))
        if version is None or version.destroyed or version.deletion_time:
            hint = f"Write it anew, or bring it back: vault kv undelete -versions=N {mount}/{path}."
            raise CannotTell(Reason.MISSING, f"The newest version of {key} was deleted.", hint)
        return version.created_time

    def _refused(self, answer: _Answer) -> Check:
        """Tell a token that is none (any more) from one that may not look at itself.

        The server gives one code for both. A refusal by policy is a list with a count of errors.
        """
        errors = " ".join(answer.errors or [])
        if "permission denied" not in errors:
            self._is_no_vault(answer)
        if "error occurred" in errors and "invalid token" not in errors and "bad token" not in errors:
            hint = 'Give it: path "auth/token/lookup-self" { capabilities = ["read"] }.'
            raise CannotTell(Reason.FORBIDDEN, "The Vault token may not look at itself.", hint)
        return Check(
            name="vault token",
            verdict=Verdict.FAIL,
            observed="refused",
            message=f"The Vault at {self.host} refuses the token: expired, revoked, or never its own.",
            hint="Issue a new one: vault token create -policy=NAME -period=72h.",
        )

    def _data(self, answer: _Answer, kind: type[T], what: str) -> T:
        if answer.status == HTTPStatus.OK:
            with contextlib.suppress(msgspec.DecodeError, KeyError):
                data = msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])["data"]
                return msgspec.json.decode(data, type=kind)
        if answer.errors is None:
            self._is_no_vault(answer)
        # Without a route or a namespace it says 404, sealed meanwhile 503: its own words tell best.
        said = " ".join(" ".join(answer.errors).split())[:200] or "no more"
        message = f"The Vault at {self.host} says {answer.status} about {what}: {said}."
        raise CannotTell(
            Reason.PROTOCOL, message, "Correct vault_namespace, or look into the log of the server."
        )

    def _is_no_vault(self, answer: _Answer) -> NoReturn:
        if answer.location:
            message = f"{self.host} redirects to {answer.location}, where the token is not sent."
            raise CannotTell(
                Reason.PROTOCOL, message, "Give the address it redirects to as vault, if it is yours."
            )
        message = f"{self.host} answers {answer.status}, but not as a Vault does."
        raise CannotTell(Reason.PROTOCOL, message, "Correct vault, or see what stands in front of it.")

    def _get(self, path: str, headers: Mapping[str, str]) -> _Answer:
        ends = time.monotonic() + _PATIENCE
        try:
            with closing(
                self._pool.request(
                    "GET",
                    f"{self._address}/v1/{path}",
                    headers={"User-Agent": "gonogo-probe/1", "X-Vault-Request": "true", **headers},
                    retries=False,
                    redirect=False,
                    timeout=Timeout(total=_PATIENCE),
                    preload_content=False,
                )
            ) as response:
                location = urlsplit(response.headers.get("Location", "")).netloc.rpartition("@")[2]
                body = bytearray()
                while len(body) < _MAX_BODY and (chunk := response.read1(_CHUNK)):
                    body += chunk
                    # The library's own limit begins anew with every byte.
                    if time.monotonic() > ends:
                        self._give_up(TimeoutError())
                return _Answer(response.status, bytes(body), location)
        except (exceptions.HTTPError, TimeoutError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> NoReturn:
        # Subclasses first: a name that does not resolve is a failed connection, which is a timeout.
        match error:
            case exceptions.LocationValueError() | UnicodeError():
                doubt = CannotTell(
                    Reason.CONFIG, "The address of the Vault is malformed.", "Write it as https://HOST:8200."
                )
            case exceptions.NameResolutionError():
                doubt = CannotTell(
                    Reason.DNS, f"The name of {self.host} does not resolve.", "Correct vault, or mend DNS."
                )
            case exceptions.NewConnectionError():
                doubt = CannotTell(
                    Reason.REFUSED,
                    f"No connection to the Vault at {self.host}.",
                    "Start it, correct vault, or let this host through the network.",
                )
            case exceptions.TimeoutError() | TimeoutError():
                doubt = CannotTell(
                    Reason.TIMEOUT,
                    f"No answer from the Vault at {self.host} within {_PATIENCE:g} s.",
                    "See whether it is alive, and what lies between.",
                )
            case exceptions.SSLError():
                doubt = CannotTell(
                    Reason.TLS,
                    f"No TLS with the Vault at {self.host}: {error.args[0]}.",
                    "Give the certificate of its authority as vault_ca, or http:// if it speaks no TLS.",
                )
            case _:
                doubt = CannotTell(
                    Reason.PROTOCOL,
                    f"{self.host} broke off the exchange.",
                    "See whether the scheme fits the port, and what stands in front of it.",
                )
        raise doubt from None
