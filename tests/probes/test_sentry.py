import base64
import contextlib
import gzip
import itertools
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
import sentry_sdk
from sentry_sdk.transport import HttpTransport
from urllib3 import ProxyManager

from probes import sentry
from probes.outcome import Check, Outcome, Reason, Verdict
from probes.sentry import SentryParameters, client, protocol
from tests.conftest import REPOSITORY
from tests.probes.conftest import RunProbe
from tests.servers.bugsink import Bugsink, bugsink
from tests.servers.proxy import proxy
from tests.servers.sentry_stub import KEY, TOKEN, found, not_found, sent
from tests.servers.sentry_stub import sentry as tracker
from tests.servers.stub import Answer, Stub, stub

SENTRY = {"token": TOKEN, "organization": "acme", "health": "none"}
COUNTS = "statsPeriod=24h&interval=1d&field=sum%28quantity%29&groupBy=outcome&category=error&project=7"


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bugsink]:
    with bugsink(tmp_path_factory.mktemp("healthy") / "bugsink") as server:
        yield server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def dsn_of(server: Stub, scheme: str = "http") -> str:
    return f"{scheme}://{KEY}@127.0.0.1:{server.port}/7"


def verdicts(outcome: Outcome) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in outcome.checks}


def line_of(outcome: Outcome, name: str) -> Check:
    return next(check for check in outcome.checks if check.name == name)


def events_in(server: Bugsink) -> list[dict[str, object]]:
    """Return what Bugsink's API tells of every event of the probe's issue, in full."""
    issues = server.ask(f"issues/?project={server.project}")["results"]
    (issue,) = [issue for issue in issues if issue["calculated_value"] == protocol.TITLE]
    return [
        server.ask(f"events/{row['id']}/") for row in server.ask(f"events/?issue={issue['id']}")["results"]
    ]


async def test_an_event_that_bugsink_shows_again_passes(run_probe: RunProbe, healthy: Bugsink) -> None:
    outcome = await run_probe(
        "sentry",
        dsn=healthy.dsn,
        token=healthy.token,
        environment="staging",
        release="1.2.3",
        health=f"http://127.0.0.1:{healthy.port}/health/ready",
    )

    assert outcome.verdict is Verdict.PASS, outcome
    assert verdicts(outcome) == dict.fromkeys(
        ("accepted", "quota", "stored", "retention", "health"), Verdict.PASS
    )
    assert outcome.metrics["stored_after_s"] * 1000 >= outcome.metrics["accepted_ms"] > 0
    event_id = re.search(r"[0-9a-f]{32}", outcome.summary)
    assert event_id
    stored = {str(event["event_id"]).replace("-", ""): event["data"] for event in events_in(healthy)}
    data = stored[event_id[0]]
    assert isinstance(data, dict)
    assert (data["environment"], data["release"], data["level"]) == ("staging", "1.2.3", "info")


async def test_every_run_lands_in_the_same_issue(run_probe: RunProbe, healthy: Bugsink) -> None:
    for release in ("1", "2"):
        outcome = await run_probe("sentry", dsn=healthy.dsn, token=healthy.token, release=release)
        assert outcome.verdict is Verdict.PASS, outcome

    assert len(events_in(healthy)) >= 2


async def test_without_a_token_acceptance_is_only_a_warning(run_probe: RunProbe, healthy: Bugsink) -> None:
    outcome = await run_probe("sentry", dsn=healthy.dsn)

    assert outcome.verdict is Verdict.WARN
    assert verdicts(outcome)["accepted"] is Verdict.PASS
    assert "not proven to be stored" in outcome.summary
    assert outcome.hint == "Set a token for the tracker's API."


async def test_a_wrong_key_fails_and_is_not_repeated(run_probe: RunProbe, healthy: Bugsink) -> None:
    outcome = await run_probe("sentry", dsn=healthy.dsn.replace(healthy.key, KEY), token=healthy.token)

    assert outcome.verdict is Verdict.FAIL
    assert "refuses the event with 403: wrong key or project" in outcome.summary
    assert outcome.hint == "Copy the DSN anew from the project's settings."
    assert KEY not in repr(outcome)


async def test_a_tracker_that_never_answers_is_a_timeout_in_the_probes_own_words(run_probe: RunProbe) -> None:
    with stub(lambda _: None) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), timeout="8s")

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.TIMEOUT)
    assert "No answer from 127.0.0.1" in outcome.summary


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        " ",
        f"https://{KEY}",
        "https://sentry.example.com/1",
        f"https://{KEY}@sentry.example.com/shop",
        f"ftp://{KEY}@sentry.example.com/1",
        f"https://{KEY}@sentry.example.com:port/1",
        f"https://{KEY}@[::1/1",
        f"https://{KEY}ä@sentry.example.com/1",
        KEY,
    ],
)
async def test_a_malformed_dsn_is_a_matter_of_configuration_and_not_repeated(
    run_probe: RunProbe, dsn: str
) -> None:
    outcome = await run_probe("sentry", dsn=dsn)

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert KEY not in repr(outcome)


@pytest.mark.parametrize("wrong", [{"token": "two\nlines"}, {"health": "127.0.0.1/health"}])
async def test_a_parameter_that_cannot_be_used_is_a_matter_of_configuration(
    run_probe: RunProbe, wrong: dict[str, str]
) -> None:
    with stub(tracker(found)) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), **wrong)
        assert server.requests == []

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.CONFIG)
    assert "two" not in outcome.summary


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(500), "answers 500, broken or overloaded"),
        (Answer(503, b'{"detail": "no  consumers"}'), "It said: no consumers"),
        (Answer(200, b"<html>Please log in</html>"), "a login page"),
        (Answer(200, b'{"id": "00000000000000000000000000000000"}'), "not with the id of the event"),
        (Answer(200, b"[]"), "not with the id of the event"),
        (Answer(302, headers={"Location": "https://user:pw@sso.example.com/in"}), "to sso.example.com with"),
        (Answer(301, headers={"Location": "/login"}), "redirects to another path with 301"),
        (Answer(404), "does not take the event, with 404"),
        (Answer(413, b'{"message": "too large"}'), "It said: too large"),
        (Answer(401, headers={"X-Sentry-Error": "bad header"}), "It said: bad header"),
        (Answer(403, f'{{"detail": "no {KEY} here"}}'.encode()), "It said: no *** here"),
        (Answer(429), "quota used up, for a time not told"),
        (Answer(429, headers={"Retry-After": "17"}), "for 17 s"),
        (
            Answer(429, headers={"X-Sentry-Rate-Limits": "5:span:key, 90:error;default:project:spike"}),
            "for 90 s by the limit of the project (spike)",
        ),
    ],
)
async def test_an_answer_that_is_not_the_events_id_fails(
    run_probe: RunProbe, answer: Answer, words: str
) -> None:
    with stub(lambda _: answer) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), **SENTRY)
        assert [request.method for request in server.requests] == ["POST"]

    assert outcome.verdict is Verdict.FAIL
    assert words in outcome.summary
    assert KEY not in repr(outcome)


@pytest.mark.parametrize(
    ("header", "verdict"),
    [
        ("86400:transaction;span:organization", Verdict.PASS),
        ("60:error:key:used_up", Verdict.WARN),
        ("60:transaction:key, 30::organization", Verdict.WARN),
    ],
)
async def test_a_limit_announced_with_acceptance_counts_only_if_it_holds_for_errors(
    run_probe: RunProbe, header: str, verdict: Verdict
) -> None:
    with stub(tracker(limits=header)) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), **SENTRY)

    assert outcome.verdict is verdict
    assert verdicts(outcome)["quota"] is verdict


async def test_sentrys_api_is_asked_by_organization_and_project_with_the_token(run_probe: RunProbe) -> None:
    with stub(tracker(found)) as ingest, stub(lambda r: found(r.path.split("/")[-2])) as api:
        outcome = await run_probe(
            "sentry",
            dsn=dsn_of(ingest),
            token=f"{TOKEN}\n",
            api=f"http://127.0.0.1:{api.port}/api/0/",
            organization="acme",
            project="web shop",
            health="none",
        )
        event = sent(ingest.requests[0])

    assert outcome.verdict is Verdict.PASS, outcome
    assert [request.path for request in api.requests] == [
        f"/api/0/projects/acme/web%20shop/events/{event['event_id']}/",
        f"/api/0/organizations/acme/stats_v2/?{COUNTS}",
    ]
    assert api.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in repr(ingest.requests)


async def test_an_accepted_event_that_is_never_stored_is_a_warning(run_probe: RunProbe) -> None:
    with stub(tracker(not_found)) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), **SENTRY, wait="100ms")

    assert outcome.verdict is Verdict.WARN
    assert verdicts(outcome) == {
        "accepted": Verdict.PASS,
        "quota": Verdict.PASS,
        "stored": Verdict.WARN,
    }
    assert "not found again" in outcome.summary
    assert "stored_after_s" not in outcome.metrics


async def test_an_event_not_found_beyond_the_longest_delay_allowed_fails(run_probe: RunProbe) -> None:
    with stub(tracker(not_found)) as server:
        outcome = await run_probe(
            "sentry",
            dsn=dsn_of(server),
            token=TOKEN,
            organization="acme",
            wait="100ms",
            delay_warn="0ms",
            delay_fail="0ms",
        )

    assert outcome.verdict is Verdict.FAIL


async def test_the_search_ends_before_the_deadline_so_that_its_evidence_is_not_lost(
    run_probe: RunProbe,
) -> None:
    with stub(tracker(not_found)) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), **SENTRY, wait="1h", timeout="3s")

    assert outcome.verdict is Verdict.WARN
    assert "not found again" in outcome.summary


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [
        ({"delay_warn": "1h", "delay_fail": "2h"}, Verdict.PASS),
        ({"delay_warn": "1ms", "delay_fail": "2h"}, Verdict.WARN),
        ({"delay_warn": "1ms", "delay_fail": "2ms"}, Verdict.FAIL),
    ],
)
async def test_slow_ingestion_is_looked_for_again_and_held_against_its_limits(
    run_probe: RunProbe, limits: dict[str, str], verdict: Verdict
) -> None:
    lag = itertools.chain([not_found("")] * 2, itertools.repeat(None))
    with stub(tracker(lambda event_id: next(lag) or found(event_id))) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), **SENTRY, **limits)
        assert [request.method for request in server.requests if "/events/" in request.path] == ["GET"] * 3

    assert outcome.verdict is verdict
    assert outcome.metrics["stored_after_s"] == outcome.checks[2].observed


async def test_trouble_of_the_api_that_passes_is_waited_out(run_probe: RunProbe) -> None:
    answers = iter([Answer(503), Answer(429)])
    with stub(tracker(lambda event_id: next(answers, None) or found(event_id))) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), **SENTRY)

    assert outcome.verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("answer", "organization", "verdict", "reason"),
    [
        (Answer(401), "acme", Verdict.UNKNOWN, Reason.AUTH),
        (Answer(403), "acme", Verdict.UNKNOWN, Reason.FORBIDDEN),
        (Answer(429), "acme", Verdict.UNKNOWN, Reason.LIMIT),
        (Answer(302, headers={"Location": "https://x.example/"}), "acme", Verdict.UNKNOWN, Reason.PROTOCOL),
        (Answer(200, b"<html>Sign in</html>"), "acme", Verdict.UNKNOWN, Reason.PROTOCOL),
        (Answer(200, b"<html>Sign in</html>"), "", Verdict.UNKNOWN, Reason.PROTOCOL),
        (Answer(404), "", Verdict.UNKNOWN, Reason.PROTOCOL),
        (Answer(502), "acme", Verdict.FAIL, None),
        (Answer(502), "", Verdict.FAIL, None),
    ],
)
async def test_an_api_that_does_not_let_us_look_is_never_a_pass(
    run_probe: RunProbe, answer: Answer, organization: str, verdict: Verdict, reason: Reason | None
) -> None:
    with stub(tracker(lambda _: answer)) as server:
        outcome = await run_probe(
            "sentry", dsn=dsn_of(server), token=TOKEN, organization=organization, wait="100ms"
        )

    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert outcome.checks[0].verdict is Verdict.PASS
    assert outcome.summary.startswith("The event was accepted, but")
    assert outcome.hint


async def test_an_api_that_is_down_keeps_the_evidence_of_acceptance(run_probe: RunProbe) -> None:
    with stub(tracker(found)) as server:
        outcome = await run_probe(
            "sentry", dsn=dsn_of(server), token=TOKEN, api=f"http://127.0.0.1:{free_port()}"
        )

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.REFUSED)
    assert verdicts(outcome)["accepted"] is Verdict.PASS


async def test_a_compressed_answer_is_read(run_probe: RunProbe) -> None:
    def packed(event_id: str) -> Answer:
        return Answer(200, gzip.compress(found(event_id).body), {"Content-Encoding": "gzip"})

    with stub(tracker(packed)) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), **SENTRY)

    assert outcome.verdict is Verdict.PASS


HOST = """
import atexit, json, sys, threading
import sentry_sdk
from probes import sentry

events = []
sentry_sdk.init("https://key@host.example.com/1", transport=events.append, default_integrations=False)
sentry_sdk.set_tag("owner", "host")

def state():
    scopes = sentry_sdk.get_global_scope(), sentry_sdk.get_isolation_scope(), sentry_sdk.get_current_scope()
    known = [id(sentry_sdk.get_client()), *map(id, scopes), scopes[1]._tags, len(scopes[1]._breadcrumbs)]
    return [*known, sorted(thread.name for thread in threading.enumerate())]

def run():
    outcome = sentry.probe(sentry.SentryParameters(**json.loads(sys.argv[1])))
    assert outcome.verdict == "pass", outcome

before = state()
run()
assert state() == before, (before, state())
# Some libraries register a hook when they are first used, by whomever.
hooks = atexit._ncallbacks()
run()
assert atexit._ncallbacks() == hooks
assert events == []
sentry_sdk.capture_message("the host's own")
assert len(events) == 1
"""


def test_the_sdk_of_the_host_process_is_left_as_it_was() -> None:
    with stub(tracker(outcomes={"accepted": 1})) as server:
        parameters = json.dumps({"dsn": dsn_of(server), **SENTRY})
        command = [sys.executable, "-c", HOST, parameters]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPOSITORY)

    assert done.returncode == 0, done.stderr


def test_a_host_process_without_the_sdk_has_no_client_afterwards() -> None:
    with stub(tracker()) as server:
        outcome = sentry.probe(SentryParameters(dsn=dsn_of(server), **SENTRY))

    assert outcome.verdict is Verdict.PASS
    assert not sentry_sdk.get_client().is_active()


async def test_shares_and_retention_become_metrics(run_probe: RunProbe, healthy: Bugsink) -> None:
    outcomes = {"accepted": 60, "rate_limited": 20, "invalid": 15, "abuse": 5, "filtered": 1000}
    limits = {"dropped_warn": 40, "dropped_fail": 40}
    with stub(tracker(outcomes=outcomes)) as server:
        in_sentry = await run_probe("sentry", dsn=dsn_of(server), **SENTRY, **limits)
    in_bugsink = await run_probe("sentry", dsn=healthy.dsn, token=healthy.token, retention_warn=0)

    assert (in_sentry.verdict, in_sentry.metrics["dropped_pct"]) == (Verdict.PASS, 40.0)
    assert in_bugsink.verdict is Verdict.WARN
    assert in_bugsink.metrics["retention_pct"] == line_of(in_bugsink, "retention").observed


@pytest.mark.parametrize(("least", "verdict"), [(3, Verdict.FAIL), (4, Verdict.PASS)])
async def test_a_share_of_few_dropped_errors_is_not_judged(
    run_probe: RunProbe, least: int, verdict: Verdict
) -> None:
    with stub(tracker(outcomes={"accepted": 3, "invalid": 3})) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), **SENTRY, dropped_least=least)

    assert line_of(outcome, "dropped").verdict is verdict


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'{"groups": 1}',
        b'{"groups": [1, {}, {"by": {"outcome": 1}, "totals": 2}]}',
        b'{"groups": [{"by": {"outcome": "invalid"}, "totals": {"sum(quantity)": "99"}}]}',
    ],
)
async def test_counts_in_another_form_are_no_alarm(run_probe: RunProbe, body: bytes) -> None:
    pages = {"/api/0/organizations/acme/stats_v2/": Answer(200, body)}
    with stub(tracker(pages=pages)) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), **SENTRY)

    assert outcome.verdict is Verdict.PASS


async def test_health_pages_are_asked_before_the_event_and_without_the_token(run_probe: RunProbe) -> None:
    with stub(tracker()) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), **SENTRY | {"health": ""})
        requests = server.requests[:]

    assert outcome.verdict is Verdict.PASS
    assert [request.path for request in requests[:4]] == [
        "/_health/?full",
        "/health/ready",
        "/api/relay/healthcheck/ready/",
        "/api/7/envelope/",
    ]
    assert TOKEN not in repr(requests[:4])


@pytest.mark.parametrize("host", ["o1.ingest.de.sentry.io", "sentry.io"])
def test_hosted_sentry_is_asked_for_no_health_page(host: str) -> None:
    dsn = protocol.parse(f"https://k@{host}/2")

    assert list(protocol.health_pages(dsn, "")) == []


@pytest.mark.parametrize(
    ("environment", "dsn"),
    [
        ({}, "https://k@errors.example.com/1"),
        ({"HTTPS_PROXY": "http://secure:1"}, "https://k@errors.example.com/1"),
        (
            {"https_proxy": "http://lower:1", "HTTPS_PROXY": "http://upper:1"},
            "https://k@errors.example.com/1",
        ),
        ({"HTTP_PROXY": "http://plain:1"}, "https://k@errors.example.com/1"),
        ({"HTTPS_PROXY": "http://secure:1"}, "http://k@errors.example.com/1"),
        ({"HTTP_PROXY": "http://plain:1"}, "http://k@errors.example.com/1"),
        ({"ALL_PROXY": "http://all:1"}, "http://k@errors.example.com/1"),
        ({"HTTP_PROXY": "http://plain:1", "NO_PROXY": "example.com"}, "http://k@errors.example.com/1"),
        ({"HTTP_PROXY": "http://plain:1", "NO_PROXY": "a.example, .com"}, "http://k@errors.example.com/1"),
        ({"HTTP_PROXY": "http://plain:1", "NO_PROXY": "*"}, "http://k@errors.example.com/1"),
        ({"HTTP_PROXY": "http://plain:1", "NO_PROXY": "a.example,"}, "http://k@errors.example.com/1"),
        ({"HTTP_PROXY": "http://plain:1", "NO_PROXY": "com:8000"}, "http://k@errors.example.com:8000/1"),
        ({"HTTP_PROXY": "http://plain:1", "NO_PROXY": "com:8000"}, "http://k@errors.example.com/1"),
        ({"HTTP_PROXY": "http://plain:1", "no_proxy": "com:80"}, "http://k@errors.example.com:80/1"),
    ],
)
def test_the_way_is_that_of_the_sdk(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], dsn: str
) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    sdk = sentry_sdk.Client(dsn, default_integrations=False, transport=HttpTransport)
    with contextlib.closing(sdk):
        pool = sdk.transport._pool
        expected = str(pool.proxy) if isinstance(pool, ProxyManager) else ""

    url = protocol.parse(dsn).to_auth("test").get_api_url()
    assert client.proxy_for(url, "") == expected
    assert client.proxy_for(url, "none") == ""
    assert client.proxy_for(url, "http://given:1") == "http://given:1"


async def test_the_event_the_api_and_the_health_pages_take_the_proxy(run_probe: RunProbe) -> None:
    with proxy() as way, stub(tracker()) as server:
        outcome = await run_probe(
            "sentry",
            dsn=dsn_of(server),
            **SENTRY | {"health": ""},
            proxy=way.url.replace("//", "//me:s%40cret@"),
        )
        base = f"http://127.0.0.1:{server.port}"

        assert outcome.verdict is Verdict.PASS, outcome
        assert way.asked[3] == f"POST {base}/api/7/envelope/"
        assert len(way.asked) == len(server.requests) == 6
        assert set(way.logins) == {"Basic " + base64.b64encode(b"me:s@cret").decode()}


@pytest.mark.parametrize("refuse", [403, 407, 502])
async def test_what_a_proxy_turns_away_names_the_proxy_and_not_its_password(
    run_probe: RunProbe, refuse: int
) -> None:
    with proxy(refuse) as way:
        outcome = await run_probe(
            "sentry",
            dsn=f"http://{KEY}@sentry.invalid/1",
            proxy=way.url.replace("//", "//me:s3cret@"),
            **SENTRY,
        )

    assert f"proxy {way.url.removeprefix('http://')}" in outcome.summary
    assert outcome.hint
    assert "s3cret" not in repr(outcome)


async def test_a_socks_proxy_without_pysocks_is_a_missing_package(run_probe: RunProbe) -> None:
    outcome = await run_probe(
        "sentry", dsn=f"http://{KEY}@127.0.0.1/1", proxy="socks5://127.0.0.1:1", **SENTRY
    )

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.MISSING)
    assert "pip install PySocks" in outcome.hint


@pytest.mark.parametrize(
    ("dsn", "given", "base"),
    [
        ("https://k@o1.ingest.sentry.io/2", "", "https://sentry.io"),
        ("https://k@o1.ingest.de.sentry.io/2", "", "https://de.sentry.io"),
        ("https://k@o1.us.ingest.sentry.io/2", "", "https://sentry.io"),
        ("https://k@errors.example.com:8443/below/2", "", "https://errors.example.com:8443/below"),
        ("https://k@ingest.example.com/2", "", "https://ingest.example.com"),
        ("https://k@relay.example.com/2", " https://errors.example.com/ ", "https://errors.example.com"),
        ("https://k@relay.example.com/2", "https://e.example.com/api/canonical/0/", "https://e.example.com"),
    ],
)
def test_the_api_is_looked_for_where_the_dsn_lets_it_be_expected(dsn: str, given: str, base: str) -> None:
    assert protocol.api_base(protocol.parse(dsn), given) == base
