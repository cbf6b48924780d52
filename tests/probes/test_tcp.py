import asyncio
import threading

import pytest

from probes.network import Address, address
from probes.outcome import CannotTell, Reason, Verdict
from probes.parameters import convert
from probes.tcp import TcpParameters, _connected
from tests.probes.conftest import RunProbe
from tests.servers.network import Peer, saying, server

PATIENT = {"connect_warn": "20s", "connect_fail": "25s"}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("example.org:25", Address("example.org", 25)),
        ("[::1]:25", Address("::1", 25)),
        ("/run/x.sock", Address("", 0, "/run/x.sock")),
        ("unix:///run/x.sock", Address("", 0, "/run/x.sock")),
    ],
)
def test_addresses_are_read(text: str, place: Address) -> None:
    assert address(text) == place


@pytest.mark.parametrize("text", ["", "a", "a:", ":1", "a:65536", "::1", "[::1", "u:secret@h:1", "a b:1"])
def test_a_bad_address_is_not_repeated(text: str) -> None:
    with pytest.raises(CannotTell) as caught:
        address(text)

    assert caught.value.reason is Reason.CONFIG
    assert "secret" not in caught.value.message + caught.value.hint


async def test_a_server_on_the_second_address_of_a_name_is_found(run_probe: RunProbe) -> None:
    """localhost is ::1 first on most machines, and the server listens on 127.0.0.1 alone."""
    with server(saying(b"hello")) as port:
        outcome = await run_probe("tcp", address=f"localhost:{port}", expect="hello", **PATIENT)

    assert outcome.verdict is Verdict.PASS, outcome


async def test_an_answer_in_pieces_is_put_together(run_probe: RunProbe) -> None:
    def talk(peer: Peer) -> None:
        for piece in (b"hel", b"lo wo", b"rld"):
            peer.sock.sendall(piece)
            peer.ended.wait(0.05)
        peer.ended.wait()

    with server(talk) as port:
        outcome = await run_probe("tcp", address=f"127.0.0.1:{port}", expect="hello world", **PATIENT)

    assert outcome.verdict is Verdict.PASS, outcome


async def test_what_is_sent_arrives_and_is_masked_where_it_is_repeated(run_probe: RunProbe) -> None:
    heard: list[bytes] = []
    said = threading.Event()

    def talk(peer: Peer) -> None:
        heard.append(peer.sock.recv(100))
        peer.sock.sendall(b"ERR unknown: " + heard[0])
        said.set()

    with server(talk) as port:
        outcome = await run_probe(
            "tcp", address=f"127.0.0.1:{port}", send="AUTH hunter22\r\n", expect="+OK", **PATIENT
        )

    assert heard == [b"AUTH hunter22\r\n"]
    assert outcome.verdict is Verdict.FAIL
    assert "hunter22" not in str(outcome)


async def test_a_cancelled_run_ends_at_once(run_probe: RunProbe) -> None:
    with server(lambda peer: peer.ended.wait() and None) as port:
        run = asyncio.create_task(run_probe("tcp", address=f"127.0.0.1:{port}", expect="x"))
        await asyncio.sleep(0.2)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(5):
                await run


@pytest.mark.parametrize(("took", "words"), [(0.84, "0.8 ms"), (99.96, "100.0 ms"), (1030.4, "1030 ms")])
def test_the_time_to_connect_is_a_plain_number(took: float, words: str) -> None:
    params = convert({"address": "a:1"}, TcpParameters)

    assert f"after {words}, limit" in _connected(took, params, "a:1").message
