"""Proves that error tracking takes an event in and can show it again.

An answer of 200 only says that the event was accepted: where the consumers behind it lag, it is stored hours
later or never. So the probe sends one event and looks for that very event through the API. It speaks the
protocol itself, because a Sentry client hands out an event id whether or not anything arrived.
"""

import time
import uuid

from probes.figures import Count, Limit
from probes.outcome import CannotTell, Outcome, conclude
from probes.parameters import Duration, Parameters, seconds


class SentryParameters(Parameters, frozen=True):
    """Where events go, and how to look for them again.

    One event of level info is sent with every run. All of them have the same fingerprint, so they make one
    issue.

    Attributes:
        dsn: The DSN that production uses.
        token: A token for the API: for Sentry with the scopes `project:read` and, for the share of dropped
            errors, `org:read`; for Bugsink with `issues:read`, `events:read` and, for the retention,
            `projects:read`. Default: none, and the event can only be shown to be accepted, which is a
            warning.
        api: Base address of the API, such as `https://sentry.example.com`. Default: the DSN's own host, for
            sentry.io the host behind `ingest.`.
        organization: Slug or number of the organization; it selects Sentry's own API. Default: the number in
            a sentry.io DSN. Where there is none, the API is taken to be Bugsink's.
        project: Slug or number of the project in Sentry's API. Default: the number in the DSN.
        environment: The environment that the event carries. Default: none.
        release: The release that the event carries. Default: none.
        proxy: Address of the proxy to go through, such as `http://proxy.example.com:3128`; user and password
            in it are sent to it. "none" goes the direct way. Default: empty, the one that the Sentry SDK for
            Python would take from HTTPS_PROXY, HTTP_PROXY and NO_PROXY where the probe runs.
        health: Address of a health page, such as `https://sentry.example.com/_health/?full`; anything but
            200 and a clean bill is a warning. "none" asks none. Default: empty, the pages that self-hosted
            Sentry, Relay and Bugsink have by themselves, each where it answers as such; at sentry.io none.
        wait: How long to look for the event. It ends earlier where `timeout` would cut it off. Default 15 s,
            `delay_warn` and some room.
        delay_warn: Ingestion delay above which the verdict is warn. Default 10 s, a rule of thumb: a tracker
            that keeps up takes a second or two.
        delay_fail: Ingestion delay above which the verdict is fail. Default 60 s, a rule of thumb: the people
            on call would look at a stale picture. It takes a `wait` and a `timeout` above it to be reached.
        dropped_warn: Percentage of the last 24 hours' errors turned away (rate limits, invalid, abuse) above
            which the verdict is warn, where Sentry's API tells. What filters and SDKs drop is a choice and
            not counted. Default 1, our own choice: dashboards of a lossless pipeline show 0.
        dropped_fail: The same for fail. Default 10, our own choice: every tenth error is not seen.
        dropped_least: How many errors have to be turned away for their share to be judged. Default 10, our
            own choice: one bad event in a quiet night is no trend.
        retention_warn: Percentage of the events that a Bugsink project may keep, above which the verdict is
            warn, because at 100 it evicts older events for new ones. Default 90, our own choice; a project
            that is meant to live at its limit takes 100.
    """

    dsn: str
    token: str = ""
    api: str = ""
    organization: str = ""
    project: str = ""
    environment: str = ""
    release: str = ""
    proxy: str = ""
    health: str = ""
    wait: Duration = "15s"
    delay_warn: Duration = "10s"
    delay_fail: Duration = "60s"
    dropped_warn: Limit = 1
    dropped_fail: Limit = 10
    dropped_least: Count = 10
    retention_warn: Limit = 90


def probe(params: SentryParameters) -> Outcome:
    """Send one event with the DSN and look for that very event through the API."""
    # The rest is for the runner: at the deadline it ends the probe, and the evidence with it.
    ends = time.monotonic() + 0.8 * seconds(params.timeout)
    # They bring urllib3 and sentry-sdk, slow to import.
    from probes.sentry import evidence, protocol
    from probes.sentry.client import Client

    dsn = protocol.parse(params.dsn)
    token = protocol.sendable(params.token, "token")
    evidence.expect_address(params.health)
    event_id = uuid.uuid4().hex
    with Client(ends, params.proxy.strip()) as client:
        # Asked first, or it would lengthen the delay that is measured.
        health = evidence.of_health(client, dsn, params)
        sent = time.monotonic()
        answer = protocol.send(client, dsn, event_id, params.environment, params.release)
        took_ms = round((time.monotonic() - sent) * 1000, 1)
        if not (answer.ok and protocol.is_id(answer.table.get("id"), event_id)):
            return conclude([evidence.of_refusal(answer, dsn), *health])
        checks = evidence.of_acceptance(answer, took_ms)
        metrics = {"accepted_ms": took_ms}
        if not token:
            return conclude([*checks, evidence.NO_TOKEN, *health], None, metrics)
        api = protocol.api_of(
            client, dsn, token, api=params.api, organization=params.organization, project=params.project
        )
        try:
            stored = evidence.of_storing(api, event_id, params, sent, ends)
        except CannotTell as doubt:
            stored = evidence.of_doubt(doubt)
            return conclude([*checks, stored, *health], None, metrics, reason=doubt.reason)
        others = evidence.of_other_events(api, params)
    if isinstance(stored.observed, float):
        metrics["stored_after_s"] = stored.observed
    metrics |= {f"{check.name}_pct": float(check.observed) for check in others if check.observed is not None}
    summary = f"Event {event_id} was accepted in {took_ms:g} ms and found again after {stored.observed} s."
    return conclude([*checks, stored, *others, *health], summary, metrics)
