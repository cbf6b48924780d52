import os
from pathlib import Path

import pytest

from probes import network
from probes.outcome import CannotTell, Outcome, Reason, Verdict
from probes.runner import Runner
from tests.probes.conftest import RunProbe
from tests.servers.certificates import Authority, self_signed, with_chain
from tests.servers.network import Peer, server, silent


def line(outcome: Outcome, name: str) -> str:
    return next(check.message for check in outcome.checks if check.name == name)


async def test_an_untrusted_certificate_still_tells_its_dates(run_probe: RunProbe, tmp_path: Path) -> None:
    certificate = Authority(tmp_path).sign(days=-3)
    with server(silent, certificate.server_side) as port:
        outcome = await run_probe("tls", address=f"127.0.0.1:{port}", timeout="30s")

    assert outcome.verdict is Verdict.FAIL
    assert line(outcome, "expiry").startswith("The certificate expired 3.0 d ago, on 2")
    assert outcome.metrics["certificate_days_left"] == pytest.approx(-3, abs=0.1)
    assert "intermediate" in outcome.hint


async def test_limits_on_the_days_left_can_be_set(run_probe: RunProbe, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with server(silent, authority.sign(days=20).server_side) as port:
        outcome = await run_probe(
            "tls", address=f"127.0.0.1:{port}", ca_file=str(authority.file), days_warn=10, timeout="30s"
        )

    assert outcome.verdict is Verdict.PASS, outcome


async def test_a_self_signed_certificate_is_trusted_when_it_is_named(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path)
    with server(silent, certificate.server_side) as port:
        outcome = await run_probe(
            "tls", address=f"127.0.0.1:{port}", ca_file=str(certificate.file), timeout="30s"
        )

    assert outcome.verdict is Verdict.PASS, outcome


async def test_a_name_that_cannot_be_one_is_a_matter_of_configuration(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    with server(silent, self_signed(tmp_path).server_side) as port:
        outcome = await run_probe("tls", address=f"127.0.0.1:{port}", server_name=".example")

    assert outcome.reason is Reason.CONFIG
    assert outcome.hint


def test_a_file_without_a_certificate_is_called_so(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    with pytest.raises(CannotTell, match="has no certificate in it"):
        network.trusting(str(empty))


@pytest.mark.parametrize("use", ["tls", "tcp"])
async def test_the_authorities_lie_where_the_checklist_does(use: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    runner = Runner(authority.folder)
    with server(silent, authority.sign().server_side) as port:
        raw = {"address": f"127.0.0.1:{port}", "ca_file": authority.file.name, "timeout": "30s"}
        outcome = await runner.run(use, raw | ({"tls": True} if use == "tcp" else {}))
    await runner.close()

    assert outcome.verdict is Verdict.PASS, outcome


async def test_a_file_of_authorities_that_never_ends_holds_up_nobody(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    outcome = await run_probe("tls", address="127.0.0.1:1", ca_file=str(tmp_path / "pipe"), timeout="500ms")
    with (tmp_path / "pipe").open("w"):
        pass  # lets the thread go

    assert outcome.reason is Reason.CONFIG, outcome


async def test_what_was_not_seen_of_a_certificate_is_not_told(run_probe: RunProbe, tmp_path: Path) -> None:
    context = self_signed(tmp_path, names="DNS:other.test").server_side
    served: list[None] = []

    def once(peer: Peer) -> None:
        if not served:
            served.append(None)
            peer.sock = context.wrap_socket(peer.sock, server_side=True)
        peer.sock.close()

    with server(once) as port:
        outcome = await run_probe("tls", address=f"127.0.0.1:{port}", timeout="30s")

    assert [(check.name, check.verdict) for check in outcome.checks] == [("chain", Verdict.FAIL)]


async def test_whose_certificate_of_the_chain_has_expired_is_told(
    run_probe: RunProbe, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    between = authority.intermediate(days=-2)
    with server(silent, with_chain(between.sign(), between).server_side) as port:
        outcome = await run_probe(
            "tls", address=f"127.0.0.1:{port}", ca_file=str(authority.file), timeout="30s"
        )

    assert outcome.summary.startswith("Another certificate of its chain has expired")
    assert "intermediate" in outcome.hint
