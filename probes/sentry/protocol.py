"""What is said to Sentry and Bugsink: one event sent, looked for again, and what their APIs tell beside it.

It judges nothing. Kept apart because it imports sentry-sdk, which is slow to import.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, urlencode

from sentry_sdk.envelope import Envelope, Item, PayloadRef
from sentry_sdk.utils import BadDsn, Dsn

from probes.outcome import CannotTell, Reason
from probes.sentry.client import AGENT, Answer, Client, host_of

TITLE = "gonogo probe: error tracking takes events"
_HOSTED = "sentry.io"
_ASIDE_S = 5.0
"""How long an answer is worth waiting for that the verdict does not hang on."""


def is_id(found: object, event_id: str) -> bool:
    """Tell whether a value from a server is this event id, which servers write with or without dashes."""
    return isinstance(found, str) and found.replace("-", "").lower() == event_id


def parse(dsn: str) -> Dsn:
    """Read a DSN.

    Raises:
        CannotTell: If it is missing or malformed. No part of it is repeated.
    """
    if not dsn.strip():
        raise CannotTell(Reason.CONFIG, "No DSN is given.", "Set the DSN that production uses.")
    try:
        return Dsn(sendable(dsn, "DSN"))
    except BadDsn as error:
        # Only the words before what it quotes, which may be the key.
        what = re.split(r"[ (]*'", str(error))[0]
    except ValueError:
        what = "bad host or port"
    raise CannotTell(
        Reason.CONFIG,
        f"The DSN is malformed ({what}).",
        "Copy it whole from the project's settings: scheme, key, @, host, a slash and the project's number.",
    )


def sendable(text: str, what: str) -> str:
    """Return text that may go into a header, without the white space around it.

    Raises:
        CannotTell: If it may not. HTTP libraries would quote it in their error.
    """
    text = text.strip()
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise CannotTell(
            Reason.CONFIG,
            f"The {what} has characters in it that cannot be sent.",
            f"Set the {what} anew, without spaces and line breaks.",
        )
    return text


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
    auth = dsn.to_auth(AGENT)
    headers = {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth.to_header()}
    return client.ask(auth.get_api_url(), headers, envelope.serialize())


class RateLimit(NamedTuple):
    """A limit that a tracker announces: for how many seconds, by whose limit, and why where it says so."""

    seconds: int
    scope: str
    reason: str


def limits_on_errors(answer: Answer) -> list[RateLimit]:
    """Return the limits on errors, of the header's `SECONDS:CATEGORY;CATEGORY:SCOPE:REASON, ...`."""
    limits = []
    for entry in answer.headers.get("X-Sentry-Rate-Limits", "").split(","):
        duration, categories, scope, reason, *_ = [*entry.strip().split(":"), "", "", ""]
        # No category at all means every category.
        concerned = not categories or {"error", "default"} & set(categories.split(";"))
        if re.fullmatch("[0-9]{1,9}", duration) and int(duration) and concerned:
            limits.append(RateLimit(int(duration), scope or "server", reason))
    return limits


def said(answer: Answer, dsn: Dsn) -> str:
    """Return the server's own words, without the DSN's keys, which some servers repeat."""
    table = answer.table
    words = answer.headers.get("X-Sentry-Error") or table.get("detail") or table.get("message")
    if not isinstance(words, str):
        return ""
    for secret in filter(None, (dsn.public_key, dsn.secret_key)):
        words = words.replace(secret, "***")
    return " ".join(words.split())[:200]


class Health(NamedTuple):
    """What a health page says: whether all is well, and if not, what it complains of."""

    healthy: bool
    words: str


def read_health(answer: Answer) -> Health | None:
    """Read a health page of Sentry, Relay or Bugsink; None if the answer is not one.

    Sentry's `/_health/` answers "ok", with `?full` an object with `problems` and `healthy`, with 500 if
    there are any (sentry/middleware/health.py); Relay's `is_healthy` (docs.sentry.io, Relay, Monitoring);
    Bugsink's `/health/ready` "OK".
    """
    problems = answer.table.get("problems")
    if isinstance(problems, list) and "healthy" in answer.table:
        return Health(
            answer.ok and not problems, " ".join(str(problems[0]).split())[:200] if problems else ""
        )
    if isinstance(healthy := answer.table.get("is_healthy"), bool):
        return Health(answer.ok and healthy, "is_healthy is false")
    if answer.ok and answer.body.strip().lower() == b"ok":
        return Health(healthy=True, words="")
    return None


def health_pages(dsn: Dsn, api: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the health pages that there may be: the name of the check, and addresses of which one is enough.

    Sentry's hosted service has none.
    """
    if not _is_hosted(dsn):
        web = api_base(dsn, api)
        yield "health", (f"{web}/_health/?full", f"{web}/health/ready")
        yield "relay health", (f"{api_base(dsn, '')}/api/relay/healthcheck/ready/",)


def find_health(client: Client, dsn: Dsn, api: str, patience: float) -> Iterator[tuple[str, Health]]:
    """Yield what the health pages say that answer as such. Whatever else answers there is no health page."""
    for name, pages in health_pages(dsn, api):
        for page in pages:
            try:
                health = read_health(client.ask(page, patience=patience))
            except CannotTell as doubt:
                # A page that hangs is not worth hanging on the next one too.
                if doubt.reason is Reason.TIMEOUT:
                    return
                continue
            if health:
                yield name, health
                break


def _is_hosted(dsn: Dsn) -> bool:
    # Older DSNs name the domain itself.
    return f".{dsn.host}".endswith(f".{_HOSTED}")


def api_base(dsn: Dsn, given: str) -> str:
    """Return the address below which the API lies: the given one, or what follows from the DSN."""
    if given.strip():
        return re.sub(r"(/api(/canonical)?/0)?/*$", "", given.strip())
    # o1.ingest.de.sentry.io takes events in, de.sentry.io answers for them.
    host = re.sub(r"^.*\bingest\.", "", dsn.netloc) if _is_hosted(dsn) else dsn.netloc
    return f"{dsn.scheme}://{host}{dsn.path}".rstrip("/")


class Api:
    """The API of a tracker, asked with a token."""

    def __init__(self, client: Client, dsn: Dsn, token: str, base: str) -> None:
        """Take what every question needs."""
        self._client = client
        self._token = token
        self._base = base
        self._dsn = dsn

    def find(self, event_id: str) -> int:
        """Look for an event once.

        Returns:
            200 if it is there, 404 if it is not (yet), or the status if the API is in trouble.

        Raises:
            CannotTell: If the API does not let us look.
        """
        raise NotImplementedError

    def outcomes(self) -> dict[str, int] | None:
        """Return how many errors of the last 24 hours had which outcome; None where this is not told."""
        return None

    def kept(self) -> tuple[int, int] | None:
        """Return how many events are kept, and how many may be; None where this is not told."""
        return None

    def _ask(self, path: str) -> Answer:
        answer = self._client.ask(self._base + path, {"Authorization": f"Bearer {self._token}"})
        _let_in(answer, host_of(self._base))
        return answer

    def _told(self, path: str) -> Answer | None:
        """Ask for what is good to know; None if it is not to be had."""
        try:
            answer = self._client.ask(
                self._base + path, {"Authorization": f"Bearer {self._token}"}, patience=_ASIDE_S
            )
        except CannotTell:
            return None
        return answer if answer.ok else None


class SentryApi(Api):
    """Sentry's own API, `/api/0/`."""

    def __init__(
        self, client: Client, dsn: Dsn, token: str, base: str, *, organization: str, project: str
    ) -> None:
        """Take what every question needs, and where the project is."""
        super().__init__(client, dsn, token, base)
        self._organization = quote(organization, safe="")
        self._project = quote(project or dsn.project_id, safe="")

    def find(self, event_id: str) -> int:
        """Look for an event once, see `Api.find`. The token needs the scope project:read."""
        answer = self._ask(f"/api/0/projects/{self._organization}/{self._project}/events/{event_id}/")
        if answer.ok and not is_id(answer.table.get("eventID"), event_id):
            return HTTPStatus.NOT_FOUND
        return answer.status

    def outcomes(self) -> dict[str, int] | None:
        """Return the outcomes of the last 24 hours. The token needs the scope org:read.

        Documented as "Retrieve Event Counts for an Organization (v2)"; the project has to be a number there.
        """
        asked = {
            "statsPeriod": "24h",
            "interval": "1d",
            "field": "sum(quantity)",
            "groupBy": "outcome",
            "category": "error",
            "project": self._dsn.project_id,
        }
        answer = self._told(f"/api/0/organizations/{self._organization}/stats_v2/?{urlencode(asked)}")
        if answer is None or not isinstance(answer.table.get("groups"), list):
            return None
        found: dict[str, int] = {}
        for group in answer.rows("groups"):
            by, totals = group.get("by"), group.get("totals")
            outcome = by.get("outcome") if isinstance(by, Mapping) else None
            count = totals.get("sum(quantity)") if isinstance(totals, Mapping) else None
            if isinstance(outcome, str) and isinstance(count, int):
                found[outcome] = found.get(outcome, 0) + count
        return found


class BugsinkApi(Api):
    """Bugsink's API, `/api/canonical/0/`, as of Bugsink 2.6."""

    def find(self, event_id: str) -> int:
        """Look for an event once, see `Api.find`. The token needs issues:read and events:read."""
        # Bugsink finds no event by the id it was sent with; so read the newest events of our own issue.
        project = quote(self._dsn.project_id, safe="")
        issues = self._ask(f"/api/canonical/0/issues/?project={project}&sort=last_seen&order=desc")
        if issues.status == HTTPStatus.NOT_FOUND:
            raise CannotTell(
                Reason.PROTOCOL,
                f"No Bugsink at {host_of(self._base)} shows this project.",
                "Correct `api`, or set `organization` if it is a Sentry.",
            )
        worst = issues.status
        for issue in issues.rows("results"):
            if issue.get("calculated_value") == TITLE:
                events = self._ask(f"/api/canonical/0/events/?issue={quote(str(issue.get('id')))}")
                if any(is_id(event.get("event_id"), event_id) for event in events.rows("results")):
                    return HTTPStatus.OK
                worst = max(worst, events.status)
        return worst if worst != HTTPStatus.OK else HTTPStatus.NOT_FOUND

    def kept(self) -> tuple[int, int] | None:
        """Return the project's stored events and its limit on them. The token needs projects:read."""
        answer = self._told(f"/api/canonical/0/projects/{quote(self._dsn.project_id, safe='')}/")
        if answer is None:
            return None
        stored = answer.table.get("stored_event_count")
        most = answer.table.get("retention_max_event_count")
        return (stored, most) if isinstance(stored, int) and isinstance(most, int) else None


def api_of(client: Client, dsn: Dsn, token: str, *, api: str, organization: str, project: str) -> Api:
    """Return Sentry's API where an organization is given or part of the DSN, else Bugsink's."""
    base = api_base(dsn, api)
    if not organization and _is_hosted(dsn):
        organization = dsn.org_id or ""
    if organization:
        return SentryApi(client, dsn, token, base, organization=organization, project=project)
    return BugsinkApi(client, dsn, token, base)


def _let_in(answer: Answer, host: str) -> None:
    """Raise CannotTell unless this is JSON, "not found" or trouble that may pass."""
    status = answer.status
    if status == HTTPStatus.UNAUTHORIZED:
        raise CannotTell(Reason.AUTH, f"{host} does not know the token.", "Make a new token and set it.")
    if status == HTTPStatus.FORBIDDEN:
        needs = "project:read in Sentry, issues:read and events:read in Bugsink"
        raise CannotTell(Reason.FORBIDDEN, f"{host} does not let the token look.", f"Give it {needs}.")
    if answer.ok and answer.table:
        return
    passing = status in {HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS}
    if not (passing or status >= HTTPStatus.INTERNAL_SERVER_ERROR):
        what = f"redirects to {answer.target}" if answer.target else f"answers {status} and no JSON"
        raise CannotTell(
            Reason.PROTOCOL,
            f"{host} {what} where the API should be.",
            "Set `api` to its address, and `organization` if it is a Sentry.",
        )
