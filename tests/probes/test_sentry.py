import gzip
import itertools
import json
import re
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.request import Request as Call
from urllib.request import urlopen

import pytest
import sentry_sdk

from probes import sentry
from probes.outcome import Outcome, Reason, Verdict
from probes.sentry import SentryParameters, client
from tests.probes.conftest import RunProbe
from tests.servers.bugsink import Bugsink, bugsink
from tests.servers.stub import Answer, Request, Stub, stub

KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "a-token-for-the-stub"


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bugsink]:
    with bugsink(tmp_path_factory.mktemp("healthy") / "bugsink") as server:
        yield server


@pytest.fixture(scope="session")
def scant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bugsink]:
    """A Bugsink that takes one event in five minutes."""
    folder = tmp_path_factory.mktemp("scant") / "bugsink"
    with bugsink(folder, MAX_EVENTS_PER_PROJECT_PER_5_MINUTES=1) as server:
        yield server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def dsn_of(server: Stub, scheme: str = "http") -> str:
    return f"{scheme}://{KEY}@127.0.0.1:{server.port}/7"


def verdicts(outcome: Outcome) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in outcome.checks}


def events_in(server: Bugsink) -> list[dict[str, object]]:
    """Return what Bugsink's API tells of every event of the probe's issue, in full."""

    def get(path: str) -> dict:
        url = f"http://127.0.0.1:{server.port}/api/canonical/0/{path}"
        with urlopen(Call(url, headers={"Authorization": f"Bearer {server.token}"})) as response:
            return json.load(response)

    (issue,) = get(f"issues/?project={server.project}")["results"]
    return [get(f"events/{row['id']}/") for row in get(f"events/?issue={issue['id']}")["results"]]


def sent(request: Request) -> dict:
    """Return the event in an envelope."""
    return json.loads(request.body.splitlines()[2])


def tracker(
    api: Callable[[str], Answer], accepted: dict[str, str] | None = None
) -> Callable[[Request], Answer]:
    """Accept every event as Sentry does, and answer the API with what `api` says of the event's id."""
    newest = ""

    def respond(request: Request) -> Answer:
        nonlocal newest
        if request.method == "POST":
            newest = sent(request)["event_id"]
            return Answer(200, json.dumps({"id": newest}).encode(), accepted or {})
        return api(newest)

    return respond


def found(event_id: str) -> Answer:
    return Answer(200, json.dumps({"eventID": event_id}).encode())


def not_found(_: str) -> Answer:
    return Answer(404, b'{"detail": "Event not found"}')


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
    assert verdicts(outcome) == dict.fromkeys(("health", "accepted", "quota", "stored"), Verdict.PASS)
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
    assert "not proven to be stored: set a token" in outcome.summary


async def test_a_token_that_bugsink_does_not_know_proves_nothing(
    run_probe: RunProbe, healthy: Bugsink
) -> None:
    outcome = await run_probe("sentry", dsn=healthy.dsn, token="0" * 40)

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.AUTH)
    assert verdicts(outcome)["accepted"] is Verdict.PASS


async def test_a_wrong_key_fails_and_is_not_repeated(run_probe: RunProbe, healthy: Bugsink) -> None:
    outcome = await run_probe("sentry", dsn=healthy.dsn.replace(healthy.key, KEY), token=healthy.token)

    assert outcome.verdict is Verdict.FAIL
    assert "refuses the event with 403, wrong key or project" in outcome.summary
    assert KEY not in repr(outcome)


async def test_a_wrong_project_fails(run_probe: RunProbe, healthy: Bugsink) -> None:
    outcome = await run_probe("sentry", dsn=healthy.dsn + "99", token=healthy.token)

    assert outcome.verdict is Verdict.FAIL
    assert "copy the DSN anew" in outcome.summary


async def test_a_project_over_its_quota_fails_with_the_time_until_it_takes_events_again(
    run_probe: RunProbe, scant: Bugsink
) -> None:
    for _ in range(2):
        outcome = await run_probe("sentry", dsn=scant.dsn, token=scant.token)

    assert outcome.verdict is Verdict.FAIL
    assert outcome.checks[0].observed == 429
    assert "quota used up, for 60 s by the limit of the key" in outcome.summary


async def test_sentrys_own_api_on_bugsink_is_never_a_pass(run_probe: RunProbe, healthy: Bugsink) -> None:
    outcome = await run_probe(
        "sentry", dsn=healthy.dsn, token=healthy.token, organization="acme", wait="100ms"
    )

    assert outcome.verdict is Verdict.WARN
    assert "check `organization` and `project`" in outcome.summary


async def test_a_tracker_that_is_down_is_refused(run_probe: RunProbe) -> None:
    outcome = await run_probe("sentry", dsn=f"http://{KEY}@127.0.0.1:{free_port()}/1", token=TOKEN)

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.REFUSED)


async def test_a_name_that_does_not_resolve_is_dns(run_probe: RunProbe) -> None:
    outcome = await run_probe("sentry", dsn=f"https://{KEY}@sentry.invalid/1")

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.DNS)


async def test_tls_to_a_port_without_it_is_tls(run_probe: RunProbe) -> None:
    with stub(tracker(found)) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server, "https"))

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.TLS)


async def test_a_tracker_that_never_answers_is_a_timeout_in_the_probes_own_words(run_probe: RunProbe) -> None:
    with stub(lambda _: None) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), timeout="8s")

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.TIMEOUT)
    assert "No answer from 127.0.0.1" in outcome.summary


async def test_a_server_that_breaks_off_is_another_protocol(run_probe: RunProbe) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"220 mail.example.com ESMTP\r\n")

        thread = threading.Thread(target=hang_up)
        thread.start()
        outcome = await run_probe("sentry", dsn=f"http://{KEY}@127.0.0.1:{listener.getsockname()[1]}/1")
        thread.join()

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.PROTOCOL)


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
        (Answer(404), "check host and path"),
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
        outcome = await run_probe("sentry", dsn=dsn_of(server), token=TOKEN)
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
    with stub(tracker(found, {"X-Sentry-Rate-Limits": header})) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), token=TOKEN, organization="acme")

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
        )
        event = sent(ingest.requests[0])

    assert outcome.verdict is Verdict.PASS, outcome
    assert [request.path for request in api.requests] == [
        f"/api/0/projects/acme/web%20shop/events/{event['event_id']}/"
    ]
    assert api.requests[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert TOKEN not in repr(ingest.requests)


async def test_an_accepted_event_that_is_never_stored_is_a_warning(run_probe: RunProbe) -> None:
    with stub(tracker(not_found)) as server:
        outcome = await run_probe(
            "sentry", dsn=dsn_of(server), token=TOKEN, organization="acme", wait="100ms"
        )

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
        outcome = await run_probe(
            "sentry", dsn=dsn_of(server), token=TOKEN, organization="acme", wait="1h", timeout="3s"
        )

    assert outcome.verdict is Verdict.WARN
    assert "not found again" in outcome.summary


async def test_another_event_than_the_one_sent_is_not_found(run_probe: RunProbe) -> None:
    with stub(tracker(lambda _: found("0" * 32))) as server:
        outcome = await run_probe(
            "sentry", dsn=dsn_of(server), token=TOKEN, organization="acme", wait="100ms"
        )

    assert outcome.verdict is Verdict.WARN


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
        outcome = await run_probe("sentry", dsn=dsn_of(server), token=TOKEN, organization="acme", **limits)
        assert [request.method for request in server.requests] == ["POST", "GET", "GET", "GET"]

    assert outcome.verdict is verdict
    assert outcome.metrics["stored_after_s"] == outcome.checks[-1].observed


async def test_trouble_of_the_api_that_passes_is_waited_out(run_probe: RunProbe) -> None:
    answers = iter([Answer(503), Answer(429)])
    with stub(tracker(lambda event_id: next(answers, None) or found(event_id))) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), token=TOKEN, organization="acme")

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
    assert outcome.summary.startswith("Accepted, but")


async def test_an_api_that_is_down_keeps_the_evidence_of_acceptance(run_probe: RunProbe) -> None:
    with stub(tracker(found)) as server:
        outcome = await run_probe(
            "sentry", dsn=dsn_of(server), token=TOKEN, api=f"http://127.0.0.1:{free_port()}"
        )

    assert (outcome.verdict, outcome.reason) == (Verdict.UNKNOWN, Reason.REFUSED)
    assert verdicts(outcome)["accepted"] is Verdict.PASS


async def test_an_unhealthy_health_page_fails_though_events_are_accepted(run_probe: RunProbe) -> None:
    healthless = tracker(found)

    def respond(request: Request) -> Answer:
        return Answer(500, b'{"problems": []}') if request.path == "/_health/" else healthless(request)

    with stub(respond) as server:
        outcome = await run_probe(
            "sentry",
            dsn=dsn_of(server),
            token=TOKEN,
            organization="acme",
            health=f"http://127.0.0.1:{server.port}/_health/",
        )

    assert outcome.verdict is Verdict.FAIL
    assert verdicts(outcome)["health"] is Verdict.FAIL
    assert verdicts(outcome)["stored"] is Verdict.PASS


async def test_a_compressed_answer_is_read(run_probe: RunProbe) -> None:
    def packed(event_id: str) -> Answer:
        return Answer(200, gzip.compress(found(event_id).body), {"Content-Encoding": "gzip"})

    with stub(tracker(packed)) as server:
        outcome = await run_probe("sentry", dsn=dsn_of(server), token=TOKEN, organization="acme")

    assert outcome.verdict is Verdict.PASS


def test_no_client_of_the_sdk_is_left_behind() -> None:
    with stub(tracker(found)) as server:
        outcome = sentry.probe(SentryParameters(dsn=dsn_of(server), token=TOKEN, organization="acme"))

    assert outcome.verdict is Verdict.PASS
    assert not sentry_sdk.get_client().is_active()


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
    assert client.api_base(client.parse(dsn), given) == base
