"""The lines of evidence of the sentry probe: what an answer means, and what to do about it.

Kept apart because what it builds on is slow to import.
"""

import math
import time
from http import HTTPStatus

from sentry_sdk.utils import Dsn

from probes.figures import grade, held
from probes.outcome import CannotTell, Check, Reason, Verdict, worst
from probes.parameters import seconds
from probes.sentry import SentryParameters, protocol
from probes.sentry.client import DIRECT, Answer, Client
from probes.sentry.protocol import Api, Health, RateLimit

_POLL_S = 0.5

_TURNED_AWAY = {
    "rate_limited": "Raise the quota or the key's rate limit, or send less; see the project's Stats page.",
    "invalid": "See on the project's Stats page why: too large, too old, or from an origin not allowed.",
    "abuse": "Find out who floods the project: its abuse limit is in force.",
}
"""Outcomes of Sentry that lose an error nobody meant to lose, and what to do about each.

Not among them: `filtered` and `client_discard`, which are mostly inbound filters, `before_send` and sampling.
"""


def expect_address(health: str) -> None:
    """Refuse a health page that is no address, before anything is sent.

    Raises:
        CannotTell: With `config`.
    """
    if health not in {"", DIRECT} and not health.startswith(("http://", "https://")):
        message = "The address of the health page lacks its scheme."
        raise CannotTell(Reason.CONFIG, message, "Begin it with https:// or http://.")


def of_health(client: Client, dsn: Dsn, params: SentryParameters) -> list[Check]:
    """Return what the health pages say: a warning at worst, for the event decides what works."""
    if params.health == DIRECT:
        return []
    # The event needs most of the time.
    patience = min(5.0, (client.ends - time.monotonic()) / 4)
    if not params.health:
        found = protocol.find_health(client, dsn, params.api, patience)
        return [_of_page(name, health) for name, health in found]
    try:
        answer = client.ask(params.health, patience=patience)
    except CannotTell as doubt:
        return [_warn("health", "no answer", f"The health page cannot be read: {doubt.message}", doubt.hint)]
    told = protocol.read_health(answer)
    if told is None:
        healthy = answer.status == HTTPStatus.OK
        told = Health(healthy=healthy, words="" if healthy else f"it answers {answer.status}")
    return [_of_page("health", told)]


def _of_page(name: str, health: Health) -> Check:
    if health.healthy:
        message = "The health page says that all is well."
        return Check(name=name, verdict=Verdict.PASS, observed="healthy", message=message)
    complaint = f": {health.words.rstrip('.')}" if health.words else ""
    message = f"The health page does not say that all is well{complaint}."
    return _warn(name, "unhealthy", message, "Look at the tracker's services and logs.")


def _warn(name: str, observed: str, message: str, hint: str) -> Check:
    return Check(name=name, verdict=Verdict.WARN, observed=observed, message=message, hint=hint)


NO_TOKEN = _warn(
    "stored",
    "not looked up",
    "The event was accepted, but not proven to be stored: there is no token to look it up with.",
    "Set a token for the tracker's API.",
)


def of_acceptance(answer: Answer, took_ms: float) -> list[Check]:
    """Return the lines on an event that was accepted, and on the next ones."""
    message = f"The event was accepted in {took_ms:g} ms."
    accepted = Check(name="accepted", verdict=Verdict.PASS, observed=took_ms, unit="ms", message=message)
    if limits := protocol.limits_on_errors(answer):
        words = _in_words(limits[0])
        message = f"The next errors will be turned away, {words}."
        return [accepted, _warn("quota", words, message, "Raise the quota or send less.")]
    message = "No limit on errors is in force."
    return [accepted, Check(name="quota", verdict=Verdict.PASS, observed="no limit", message=message)]


def _in_words(limit: RateLimit) -> str:
    why = f" ({limit.reason})" if limit.reason else ""
    return f"for {limit.seconds} s by the limit of the {limit.scope}{why}"


def of_refusal(answer: Answer, dsn: Dsn) -> Check:
    """Return the line on an event that was not accepted."""
    found, hint = _problem(answer)
    through = f", through the proxy {answer.proxy}" if answer.proxy else ""
    words = protocol.said(answer, dsn).rstrip(".")
    return Check(
        name="accepted",
        verdict=Verdict.FAIL,
        observed=answer.status,
        limit=200,
        message=f"{dsn.netloc} {found}{through}." + (f" It said: {words}." if words else ""),
        hint=hint,
    )


def _problem(answer: Answer) -> tuple[str, str]:
    """Say what an answer that accepts nothing is, and what to do about it."""
    status = answer.status
    if answer.ok:
        found = f"answers {status}, but not with the id of the event: a login page or another server"
        return found, "Check host and path of the DSN, or take its path out of the proxy's login."
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return f"turns events away with 429, {_pause(answer)}", "Raise the quota or send less."
    if status == HTTPStatus.FORBIDDEN and answer.proxy and not answer.table:
        found = "refuses the event with 403, and not in a tracker's words"
        return found, "Allow the tracker's host on the proxy, or exempt it with NO_PROXY."
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        found = f"refuses the event with {status}: wrong key or project, or the project is disabled"
        return found, "Copy the DSN anew from the project's settings."
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        found = "does not take an event of 1 kB, with 413"
        return found, "Raise the limit on request bodies, in the server or the proxy before it."
    if status < HTTPStatus.BAD_REQUEST:
        found = f"redirects to {answer.target or 'another path'} with {status}, which SDKs do not follow"
        return found, "Correct scheme and host of the DSN, or take its path out of the proxy's login."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"answers {status}, broken or overloaded", "Look at the tracker's services and logs."
    return f"does not take the event, with {status}", "Check host and path of the DSN."


def _pause(answer: Answer) -> str:
    if limits := protocol.limits_on_errors(answer):
        return f"quota used up, {_in_words(limits[0])}"
    pause = answer.headers.get("Retry-After", "")
    return f"quota used up, for {pause} s" if pause.isdecimal() else "quota used up, for a time not told"


def of_storing(api: Api, event_id: str, params: SentryParameters, sent: float, ends: float) -> Check:
    """Look for the event until it is found or the wait is over.

    Raises:
        CannotTell: If the API does not let us look.
    """
    limits = (seconds(params.delay_warn), seconds(params.delay_fail))
    until = min(sent + seconds(params.wait), ends)
    while (status := api.find(event_id)) != HTTPStatus.OK and time.monotonic() + _POLL_S < until:
        time.sleep(_POLL_S)
    delay = round(time.monotonic() - sent, 3)
    if status == HTTPStatus.OK:
        words = f"The event was found again after {delay:g} s"
        return held("stored", delay, limits, (words, "Look at the tracker's queues and consumers."), unit="s")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise CannotTell(Reason.LIMIT, "The API answers 429.", "Run again when its limit has passed.")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Check(
            name="stored",
            verdict=Verdict.FAIL,
            observed=status,
            limit=200,
            message=f"The event was accepted, but the API answers {status}: nobody can look at errors.",
            hint="Look at the tracker's services and logs.",
        )
    return Check(
        name="stored",
        verdict=worst([Verdict.WARN, grade(delay, limits)[0]]),
        observed="not found",
        unit="s",
        limit=round(until - sent, 3),
        message=f"The event was accepted, but not found again within {delay:g} s.",
        hint="Look at the tracker's queues and consumers, and check `organization` and `project`.",
    )


def of_doubt(doubt: CannotTell) -> Check:
    """Return the line on an event that was accepted, while the API does not let us look for it."""
    message = f"The event was accepted, but cannot be looked up: {doubt.message}"
    return Check(name="stored", verdict=Verdict.UNKNOWN, message=message, hint=doubt.hint)


def of_other_events(api: Api, params: SentryParameters) -> list[Check]:
    """Return the lines on what the API tells of all events. What it does not tell has no line."""
    checks = []
    if (outcomes := api.outcomes()) is not None:
        lost = {name: outcomes.get(name, 0) for name in _TURNED_AWAY}
        away = sum(lost.values())
        count = away + outcomes.get("accepted", 0)
        limits = (params.dropped_warn, params.dropped_fail)
        if away < params.dropped_least:
            limits = (math.inf, math.inf)
        words = f"{away} of {count} errors of the last 24 hours were turned away"
        hint = _TURNED_AWAY[max(lost, key=lambda name: lost[name])]
        checks.append(held("dropped", 100 * away / max(1, count), limits, (words, hint)))
    if (kept := api.kept()) is not None:
        stored, most = kept
        words = f"{stored} events are kept of {most} that the project may keep"
        hint = "Raise the retention in the project's settings, or set retention_warn = 100 if it may fill up."
        share = 100 * stored / most if most else 100.0
        checks.append(held("retention", share, (params.retention_warn, math.inf), (words, hint)))
    return checks
