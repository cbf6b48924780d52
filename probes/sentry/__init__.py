"""Proves that error tracking takes an event in and can show it again.

An answer of 200 only says that the event was accepted: where the consumers behind it lag, it is stored hours
later or never. So the probe sends one event and looks for that very event through the API. It speaks the
protocol itself, because a Sentry client hands out an event id whether or not anything arrived.
"""

import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from probes.figures import grade
from probes.outcome import CannotTell, Check, Outcome, Reason, Verdict, conclude, worst
from probes.parameters import Duration, Parameters, seconds

if TYPE_CHECKING:
    from sentry_sdk.utils import Dsn

    from probes.sentry.client import Answer

_POLL_S = 0.5


class SentryParameters(Parameters, frozen=True):
    """Where events go, and how to look for them again.

    One event of level info is sent with every run. All of them have the same fingerprint, so they make one
    issue.

    Attributes:
        dsn: The DSN that production uses.
        token: A token for the API: for Sentry with the scope `project:read`, for Bugsink with `issues:read`
            and `events:read`. Without one the event can only be shown to be accepted, which is a warning.
        api: Base address of the API, such as `https://sentry.example.com`. Default: the DSN's own host, for
            sentry.io the host behind `ingest.`.
        organization: Slug or number of the organization; it selects Sentry's own API. Default: the number in
            a sentry.io DSN. Where there is none, the API is taken to be Bugsink's.
        project: Slug or number of the project in Sentry's API. Default: the number in the DSN.
        environment: The environment that the event carries. Default: none.
        release: The release that the event carries. Default: none.
        health: Address of a health page to ask first, such as `https://sentry.example.com/_health/`.
            Default: none is asked.
        wait: How long to look for the event. It ends earlier where `timeout` would cut it off. Default 15 s,
            `delay_warn` and some room.
        delay_warn: Ingestion delay above which the verdict is warn. Default 10 s, a rule of thumb: a tracker
            that keeps up takes a second or two.
        delay_fail: Ingestion delay above which the verdict is fail. Default 60 s, a rule of thumb: the people
            on call would look at a stale picture. It takes a `wait` and a `timeout` above it to be reached.
    """

    dsn: str
    token: str = ""
    api: str = ""
    organization: str = ""
    project: str = ""
    environment: str = ""
    release: str = ""
    health: str = ""
    wait: Duration = "15s"
    delay_warn: Duration = "10s"
    delay_fail: Duration = "60s"


def probe(params: SentryParameters) -> Outcome:
    """Send one event with the DSN and look for that very event through the API."""
    # The rest is for the runner: at the deadline it ends the probe, and the evidence with it.
    ends = time.monotonic() + 0.8 * seconds(params.timeout)
    from probes.sentry import client as sentry  # brings urllib3 and sentry-sdk, slow to import

    dsn = sentry.parse(params.dsn)
    token = sentry.sendable(params.token, "token")
    event_id = uuid.uuid4().hex
    with sentry.Client(ends) as client:
        checks = [_healthy(client.ask(params.health).status)] if params.health else []
        sent = time.monotonic()
        answer = sentry.send(client, dsn, event_id, params.environment, params.release)
        took_ms = round((time.monotonic() - sent) * 1000, 1)
        if not (answer.ok and sentry.is_id(answer.table.get("id"), event_id)):
            return conclude([*checks, _refused(answer, dsn)])
        checks += _accepted(answer, took_ms)
        metrics = {"accepted_ms": took_ms}
        if not token:
            message = (
                "Accepted, but not proven to be stored: set a token, so that the event can be looked up."
            )
            stored = Check(name="stored", verdict=Verdict.WARN, observed="not looked up", message=message)
            return conclude([*checks, stored], None, metrics)
        look = sentry.lookup(
            client,
            dsn,
            event_id,
            token,
            api=params.api,
            organization=params.organization,
            project=params.project,
        )
        try:
            stored = _stored(look, params, sent, ends)
        except CannotTell as doubt:
            message = f"Accepted, but it cannot be looked up: {doubt.message}"
            stored = Check(name="stored", verdict=Verdict.UNKNOWN, message=message)
            return conclude([*checks, stored], None, metrics, reason=doubt.reason)
    if isinstance(stored.observed, float):
        metrics["stored_after_s"] = stored.observed
    summary = f"Event {event_id} was accepted in {took_ms:g} ms and found again after {stored.observed} s."
    return conclude([*checks, stored], summary, metrics)


def _healthy(status: int) -> Check:
    if status == HTTPStatus.OK:
        verdict, message = Verdict.PASS, "The health page answers 200."
    else:
        verdict = Verdict.FAIL
        message = f"The health page answers {status}, not 200: look at the server's services and logs."
    return Check(name="health", verdict=verdict, observed=status, limit=200, message=message)


def _accepted(answer: "Answer", took_ms: float) -> list[Check]:
    message = f"The event was accepted in {took_ms:g} ms."
    accepted = Check(name="accepted", verdict=Verdict.PASS, observed=took_ms, unit="ms", message=message)
    if limits := _limits(answer):
        message = f"The next errors will be turned away, {limits[0]}: raise the quota or send less."
        quota = Check(name="quota", verdict=Verdict.WARN, observed=limits[0], message=message)
    else:
        message = "No limit on errors is in force."
        quota = Check(name="quota", verdict=Verdict.PASS, observed="no limit", message=message)
    return [accepted, quota]


def _refused(answer: "Answer", dsn: "Dsn") -> Check:
    message = f"{dsn.netloc} {_problem(answer)}.{_said(answer, dsn)}"
    return Check(name="accepted", verdict=Verdict.FAIL, observed=answer.status, limit=200, message=message)


def _problem(answer: "Answer") -> str:
    status = answer.status
    if answer.ok:
        return (
            f"answers {status} but not with the id of the event, a login page or another server in its place:"
            " check host and path of the DSN"
        )
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        pause = answer.headers.get("Retry-After", "")
        told = f"for {pause} s" if pause.isdecimal() else "for a time not told"
        limit = (_limits(answer) or [told])[0]
        return f"turns events away with 429, quota used up, {limit}: raise the quota or send less"
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return (
            f"refuses the event with {status}, wrong key or project, or the project is disabled: copy the DSN"
            " anew from the project's settings"
        )
    if status < HTTPStatus.BAD_REQUEST:
        return (
            f"redirects to {answer.target or 'another path'} with {status}, which SDKs do not follow: correct"
            " scheme and host of the DSN, or take this path out of the proxy's login"
        )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"answers {status}, broken or overloaded: look at its services and logs"
    return f"does not take the event, with {status}: check host and path of the DSN"


def _limits(answer: "Answer") -> list[str]:
    """Put into words the limits on errors, of the header's `SECONDS:CATEGORIES:SCOPE:REASON, ...`."""
    limits = []
    for entry in answer.headers.get("X-Sentry-Rate-Limits", "").split(","):
        duration, categories, scope, reason, *_ = [*entry.strip().split(":"), "", "", ""]
        # No category at all means every category.
        if duration and (not categories or {"error", "default"} & set(categories.split(";"))):
            why = f" ({reason})" if reason else ""
            limits.append(f"for {duration} s by the limit of the {scope or 'server'}{why}")
    return limits


def _said(answer: "Answer", dsn: "Dsn") -> str:
    """Return the server's own words, without the DSN's keys, which some servers repeat."""
    table = answer.table
    words = answer.headers.get("X-Sentry-Error") or table.get("detail") or table.get("message")
    if not isinstance(words, str):
        return ""
    for secret in filter(None, (dsn.public_key, dsn.secret_key)):
        words = words.replace(secret, "***")
    return f" It said: {' '.join(words.split())[:200]}"


def _stored(look: Callable[[], int], params: SentryParameters, sent: float, ends: float) -> Check:
    """Look for the event until it is found or the wait is over."""
    warn, fail = seconds(params.delay_warn), seconds(params.delay_fail)
    until = min(sent + seconds(params.wait), ends)
    while (status := look()) != HTTPStatus.OK and time.monotonic() + _POLL_S < until:
        time.sleep(_POLL_S)
    delay = round(time.monotonic() - sent, 3)
    verdict, limit = grade(delay, (warn, fail))
    if status == HTTPStatus.OK:
        message = f"The event was found again after {delay:g} s"
        if verdict is Verdict.PASS:
            message += "."
        else:
            message += f", more than {limit:g} s: ingestion lags; look at queues and consumers."
        return Check(name="stored", verdict=verdict, observed=delay, unit="s", limit=limit, message=message)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise CannotTell(Reason.LIMIT, "the API answers 429; run again when its limit has passed.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"Accepted, but the API answers {status}: nobody can look at errors; see the server's logs."
        return Check(name="stored", verdict=Verdict.FAIL, observed=status, limit=200, message=message)
    message = (
        f"Accepted, but not found again within {delay:g} s: ingestion lags or drops events; look at queues"
        " and consumers, check `organization` and `project`, or raise `wait`."
    )
    return Check(
        name="stored",
        verdict=worst([Verdict.WARN, verdict]),
        observed="not found",
        unit="s",
        limit=seconds(params.wait),
        message=message,
    )
