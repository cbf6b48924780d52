from pathlib import Path

import pytest

from probes import network
from probes.outcome import CannotTell, Outcome, Reason, Verdict
from tests.probes.conftest import RunProbe
from tests.servers.certificates import Authority, self_signed
from tests.servers.network import server, silent


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
