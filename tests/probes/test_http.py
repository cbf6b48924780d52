import json
import socket

import pytest

from probes.http import client
from probes.outcome import Outcome, Reason, Verdict
from tests.probes.conftest import RunProbe
from tests.servers.network import answering, dripping, page, server
from tests.servers.stub import Answer, Request, stub

SECRET = "a-very-secret-token"
PATIENT = {"latency_warn": "20s", "latency_fail": "25s"}


def everything(outcome: Outcome) -> str:
    """All that an outcome says, without the times."""
    lines = [(check.name, str(check.observed), check.message, check.hint) for check in outcome.checks]
    return json.dumps([outcome.summary, outcome.hint, lines])


async def test_headers_and_body_are_sent(run_probe: RunProbe) -> None:
    with stub(lambda _: Answer(201)) as site:
        outcome = await run_probe(
            "http",
            url=f"http://user:p%40ss@127.0.0.1:{site.port}/a?b=c",
            method="POST",
            headers={"X-Token": SECRET},
            body="hello",
            status=["2xx"],
            **PATIENT,
        )

    assert outcome.verdict is Verdict.PASS, outcome
    (request,) = site.requests
    assert (request.method, request.path, request.body) == ("POST", "/a?b=c", b"hello")
    assert request.headers["X-Token"] == SECRET
    assert request.headers["Authorization"] == "Basic dXNlcjpwQHNz"


async def test_a_redirect_takes_credentials_to_no_other_server(run_probe: RunProbe) -> None:
    with (
        stub(lambda _: Answer(200)) as other,
        stub(lambda _: Answer(302, b"", {"Location": f"http://127.0.0.1:{other.port}/"})) as site,
    ):
        outcome = await run_probe(
            "http",
            url=f"http://user:{SECRET}@127.0.0.1:{site.port}/",
            headers={"X-Token": SECRET},
            redirects=1,
            **PATIENT,
        )

    assert outcome.verdict is Verdict.PASS, outcome
    assert {"Authorization", "X-Token"} <= set(site.requests[0].headers)
    assert not {"Authorization", "X-Token"} & set(other.requests[0].headers)


async def test_a_redirect_keeps_credentials_on_the_same_server(run_probe: RunProbe) -> None:
    def respond(request: Request) -> Answer:
        return Answer(200) if request.path == "/b" else Answer(302, b"", {"Location": "/b"})

    with stub(respond) as site:
        url = f"http://127.0.0.1:{site.port}/"
        await run_probe("http", url=url, headers={"X-Token": SECRET}, redirects=1)

    assert [request.headers.get("X-Token") for request in site.requests] == [SECRET, SECRET]


async def test_a_body_is_not_sent_on_to_another_server(run_probe: RunProbe) -> None:
    with (
        stub(lambda _: Answer(200)) as other,
        stub(lambda _: Answer(307, b"", {"Location": f"http://127.0.0.1:{other.port}/"})) as site,
    ):
        url = f"http://127.0.0.1:{site.port}/"
        outcome = await run_probe("http", url=url, method="POST", body="secret", redirects=1)

    assert outcome.verdict is Verdict.FAIL
    assert [check.observed for check in outcome.checks] == ["other host"]
    assert not other.requests


async def test_what_a_server_repeats_of_a_secret_is_masked(run_probe: RunProbe) -> None:
    def echo(request: Request) -> Answer:
        return Answer(200, json.dumps({"you": request.headers["Authorization"]}).encode())

    with stub(echo) as site:
        outcome = await run_probe(
            "http",
            url=f"http://127.0.0.1:{site.port}/",
            headers={"Authorization": f"Bearer {SECRET}"},
            json={"you": "nobody"},
        )

    assert outcome.verdict is Verdict.FAIL
    assert SECRET not in everything(outcome)


@pytest.mark.parametrize("headers", [{"X": f"{SECRET}\n"}, {"X": f"{SECRET}é"}, {"X Y": "1"}])
async def test_a_header_that_cannot_be_sent_is_named_without_its_value(
    run_probe: RunProbe, headers: dict[str, str]
) -> None:
    outcome = await run_probe("http", url="http://127.0.0.1:1/", headers=headers)

    assert outcome.reason is Reason.CONFIG
    assert f"The header {next(iter(headers))} cannot be sent" in outcome.summary
    assert SECRET not in everything(outcome)


async def test_an_expression_that_is_none_is_called_so(run_probe: RunProbe) -> None:
    outcome = await run_probe("http", url="http://127.0.0.1:1/", matches="(")

    assert outcome.reason is Reason.CONFIG
    assert "no regular expression" in outcome.summary


async def test_true_is_not_one(run_probe: RunProbe) -> None:
    with stub(lambda _: Answer(200, b'{"up": true}')) as site:
        url = f"http://127.0.0.1:{site.port}/"
        outcome = await run_probe("http", url=url, json={"up": 1}, **PATIENT)

    assert outcome.verdict is Verdict.FAIL


async def test_a_dripping_server_is_called_so(run_probe: RunProbe) -> None:
    with server(dripping(b"HTTP/1.1 200 OK\r\nX: ")) as port:
        outcome = await run_probe("http", url=f"http://127.0.0.1:{port}/", timeout="6s")

    assert outcome.reason is Reason.TIMEOUT
    assert f"127.0.0.1:{port} drips" in outcome.summary


async def test_proxies_of_the_environment_are_not_used(
    run_probe: RunProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with server(answering(page())) as port:
        outcome = await run_probe("http", url=f"http://127.0.0.1:{port}/", **PATIENT)

    assert outcome.verdict is Verdict.PASS, outcome


async def test_an_ipv6_address_is_understood(run_probe: RunProbe) -> None:
    with socket.socket(socket.AF_INET6) as holder:
        holder.bind(("::1", 0))
        port = holder.getsockname()[1]
        outcome = await run_probe("http", url=f"http://[::1]:{port}/")

    assert outcome.reason is Reason.REFUSED
    assert f"[::1]:{port} refuses" in outcome.summary


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://müller.example/a", "xn--mller-kva.example"),
        ("https://Ann:pw@BÜCHER.example:8443/", "xn--bcher-kva.example"),
        ("https://plain.example/ü", "plain.example"),
        ("http://[::1]:80/", "::1"),
    ],
)
def test_an_international_name_is_an_address_too(url: str, host: str) -> None:
    assert client.place(url).host == host
