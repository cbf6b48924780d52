"""Talks to Sentry and Bugsink for the sentry probe: sends one event, looks for it again, judges nothing.

Kept apart because it imports urllib3 and sentry-sdk, which are slow to import.
"""

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple, NoReturn
from urllib.parse import quote

import certifi
from sentry_sdk.envelope import Envelope, Item, PayloadRef
from sentry_sdk.utils import BadDsn, Dsn
from urllib3 import PoolManager, Timeout, exceptions

from probes.outcome import CannotTell, Reason

TITLE = "gonogo probe: error tracking takes events"
_AGENT = "gonogo-probe/1"
_HOSTED = ".sentry.io"
_MAX_BODY = 4 * 1024 * 1024


class Answer(NamedTuple):
    """What an HTTP server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether the status is one of success."""
        return HTTPStatus(200) <= self.status < HTTPStatus(300)

    @property
    def table(self) -> dict[str, object]:
        """The JSON object in the body; empty if there is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def rows(self) -> list[dict[str, object]]:
        """The objects of a listing; none if the body is something else."""
        results = self.table.get("results")
        return [row for row in results if isinstance(row, dict)] if isinstance(results, list) else []

    @property
    def target(self) -> str:
        """Host and port that it redirects to; empty if it names no host."""
        return host_of(self.headers.get("Location", ""))


def is_id(found: object, event_id: str) -> bool:
    """Tell whether a value from a server is this event id, which servers write with or without dashes."""
    return isinstance(found, str) and found.replace("-", "").lower() == event_id


def host_of(url: str) -> str:
    """Return host and port of an address, which need not be well formed."""
    match = re.match(r"https?://([^/?#]*)", url)
    return match[1].rpartition("@")[2] if match else ""


def parse(dsn: str) -> Dsn:
    """Read a DSN.

    Raises:
        CannotTell: If it is missing or malformed. No part of it is repeated.
    """
    if not dsn.strip():
        raise CannotTell(Reason.CONFIG, "No DSN is given: set the DSN that production uses.")
    shape = "it has to look like https://KEY@HOST/PROJECT_NUMBER"
    try:
        return Dsn(sendable(dsn, "DSN"))
    except BadDsn as error:
        # Only the words before what it quotes, which may be the key.
        what = re.split(r"[ (]*'", str(error))[0]
        raise CannotTell(Reason.CONFIG, f"The DSN is malformed ({what}): {shape}.") from None
    except ValueError:
        raise CannotTell(Reason.CONFIG, f"The DSN is malformed (bad host or port): {shape}.") from None


def sendable(text: str, what: str) -> str:
    """Return text that may go into a header, without the white space around it.

    Raises:
        CannotTell: If it may not. HTTP libraries would quote it in their error.
    """
    text = text.strip()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise CannotTell(Reason.CONFIG, f"The {what} has characters in it that cannot be sent: set it anew.")
    return text


class Client(PoolManager):
    """HTTP without retries and redirects, up to a moment on the monotonic clock."""

    def __init__(self, ends: float) -> None:
        """Trust the certificates that the Sentry SDK would, or it would be another road than production's."""
        trusted = os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE") or certifi.where()
        super().__init__(cert_reqs="CERT_REQUIRED", ca_certs=trusted)
        self.ends = ends

    def ask(self, url: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        """GET an address, or POST the body to it.

        Raises:
            CannotTell: If there is no answer.
        """
        if not url.startswith(("http://", "https://")):
            raise CannotTell(Reason.CONFIG, "An address lacks its scheme: begin it with https:// or http://.")
        try:
            with closing(
                self.request(
                    "GET" if body is None else "POST",
                    url,
                    body=body,
                    headers={"User-Agent": _AGENT, **(headers or {})},
                    retries=False,
                    redirect=False,
                    timeout=Timeout(total=max(0.05, self.ends - time.monotonic())),
                    preload_content=False,
                )
            ) as response:
                return Answer(response.status, response.headers, response.read(_MAX_BODY))
        except (exceptions.HTTPError, UnicodeError) as error:
            _give_up(error, host_of(url))


def _give_up(error: Exception, host: str) -> NoReturn:
    # Subclasses first: a name that does not resolve is a failed connection, which is a timeout.
    match error:
        case exceptions.LocationValueError() | UnicodeError():
            doubt = CannotTell(Reason.CONFIG, f"The address of {host} is malformed: correct it.")
        case exceptions.NameResolutionError():
            doubt = CannotTell(Reason.DNS, f"The name of {host} does not resolve: check it and DNS.")
        case exceptions.NewConnectionError():
            advice = "check that it runs and that the network lets this host through"
            doubt = CannotTell(Reason.REFUSED, f"No connection to {host}: {advice}.")
        case exceptions.TimeoutError():
            advice = "check that it is alive and what lies between"
            doubt = CannotTell(Reason.TIMEOUT, f"No answer from {host} in time: {advice}.")
        case exceptions.SSLError():
            advice = "check the certificate, and that the scheme fits the port"
            doubt = CannotTell(Reason.TLS, f"No TLS with {host} ({error.args[0]}): {advice}.")
        case _:
            advice = "check that it speaks HTTP and what stands in front of it"
            doubt = CannotTell(Reason.PROTOCOL, f"{host} broke off the exchange: {advice}.")
    raise doubt from error


def send(client: Client, dsn: Dsn, event_id: str, environment: str, release: str) -> Answer:
    """Send one event through the envelope endpoint.

    Raises:
        CannotTell: If there is no answer.
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    event = {
        "event_id": event_id,
        "timestamp": now,
        "platform": "other",
        "level": "info",
        "logger": "gonogo",
        "logentry": {"message": TITLE},
        "fingerprint": ["gonogo-probe"],
        "tags": {"probe": "gonogo"},
        **({"environment": environment} if environment else {}),
        **({"release": release} if release else {}),
    }
    item = Item(PayloadRef(json=event), type="event")
    envelope = Envelope({"event_id": event_id, "sent_at": now}, [item])
    auth = dsn.to_auth(_AGENT)
    headers = {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth.to_header()}
    return client.ask(auth.get_api_url(), headers, envelope.serialize())


def api_base(dsn: Dsn, given: str) -> str:
    """Return the address below which the API lies: the given one, or what follows from the DSN."""
    if given.strip():
        return re.sub(r"(/api(/canonical)?/0)?/*$", "", given.strip())
    # o1.ingest.de.sentry.io takes events in, de.sentry.io answers for them.
    host = re.sub(r"^.*\bingest\.", "", dsn.netloc) if dsn.host.endswith(_HOSTED) else dsn.netloc
    return f"{dsn.scheme}://{host}{dsn.path}".rstrip("/")


def lookup(
    client: Client, dsn: Dsn, event_id: str, token: str, *, api: str, organization: str, project: str
) -> Callable[[], int]:
    """Return what looks for the event once.

    It returns 200 if the event is there, 404 if it is not (yet), the status if the API is in trouble, and
    raises CannotTell if it does not let us look.
    """
    base = api_base(dsn, api)
    if not organization and dsn.host.endswith(_HOSTED):
        organization = dsn.org_id or ""

    def ask(path: str) -> Answer:
        answer = client.ask(base + path, {"Authorization": f"Bearer {token}"})
        _let_in(answer, host_of(base))
        return answer

    def in_sentry() -> int:
        path = "/".join(quote(part, safe="") for part in (organization, project or dsn.project_id))
        answer = ask(f"/api/0/projects/{path}/events/{event_id}/")
        if answer.ok and not is_id(answer.table.get("eventID"), event_id):
            return HTTPStatus.NOT_FOUND
        return answer.status

    def in_bugsink() -> int:
        # Bugsink finds no event by the id it was sent with; so read the newest events of our own issue.
        issues = ask(f"/api/canonical/0/issues/?project={dsn.project_id}&sort=last_seen&order=desc")
        if issues.status == HTTPStatus.NOT_FOUND:
            what = f"no Bugsink at {host_of(base)} shows this project"
            raise CannotTell(Reason.PROTOCOL, f"{what}; correct `api`, or set `organization` for Sentry.")
        worst = issues.status
        for issue in issues.rows:
            if issue.get("calculated_value") == TITLE:
                events = ask(f"/api/canonical/0/events/?issue={quote(str(issue.get('id')))}")
                if any(is_id(event.get("event_id"), event_id) for event in events.rows):
                    return HTTPStatus.OK
                worst = max(worst, events.status)
        return worst if worst != HTTPStatus.OK else HTTPStatus.NOT_FOUND

    return in_sentry if organization else in_bugsink


def _let_in(answer: Answer, host: str) -> None:
    """Raise CannotTell unless this is JSON, "not found" or trouble that may pass."""
    status = answer.status
    if status == HTTPStatus.UNAUTHORIZED:
        raise CannotTell(Reason.AUTH, f"{host} does not know the token; make a new one.")
    if status == HTTPStatus.FORBIDDEN:
        needs = "project:read in Sentry, issues:read and events:read in Bugsink"
        raise CannotTell(Reason.FORBIDDEN, f"the token may not look at {host}; give it {needs}.")
    if answer.ok and answer.table:
        return
    passing = status in {HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS}
    if not (passing or status >= HTTPStatus.INTERNAL_SERVER_ERROR):
        what = f"redirects to {answer.target}" if answer.target else f"answers {status} and no JSON"
        advice = "set `api` to its address, and `organization` for Sentry"
        raise CannotTell(Reason.PROTOCOL, f"{host} {what} where the API should be; {advice}.")
