import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checklist.test_schema import FULL, ITEM, OURS, SCHEMA

TAPLO = str(Path(sys.executable).with_name("taplo"))


def taplo(path: Path, schema: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TAPLO, "check", "--no-auto-config", "--schema", schema.as_uri(), str(path)],
        env={"HOME": str(schema.parent), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "checklist.schema.json"
    path.write_text(json.dumps(SCHEMA))
    return path


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.parent.name)
def test_taplo_accepts_ours(path: Path, written: Path) -> None:
    done = taplo(path, written)
    assert done.returncode == 0, done.stderr


def test_taplo_accepts_every_key(tmp_path: Path, written: Path) -> None:
    (tmp_path / "checklist.toml").write_text(FULL)
    done = taplo(tmp_path / "checklist.toml", written)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('role = "disk"', '"disk" is not one of ["cache","queue","session","store"]'),
        ("memory_warn = -1", "-1 is less than the minimum of 0"),
        ("rolle = 1", "'rolle' was unexpected"),
        ('url = "a ${HOME"', '"a ${HOME" does not match'),
        ("write_test = 1", '1 is not of type "boolean"'),
    ],
)
def test_taplo_says_what_is_wrong_and_where(line: str, said: str, tmp_path: Path, written: Path) -> None:
    path = tmp_path / "checklist.toml"
    path.write_text(f'{ITEM}[items.probe]\nuse = "redis"\n{line}\n')
    done = taplo(path, written)
    assert done.returncode != 0
    assert said in done.stderr
    assert line in done.stderr


def test_taplo_finds_a_schema_that_lies_beside_the_checklist(tmp_path: Path, written: Path) -> None:
    path = tmp_path / "checklist.toml"
    (tmp_path / "checklist.schema.json").write_bytes(written.read_bytes())
    command = [TAPLO, "check", "--no-auto-config", str(path)]
    path.write_text(f"#:schema checklist.schema.json\n{ITEM}")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    path.write_text(f"#:schema checklist.schema.json\n{ITEM}onwer = 1\n")
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_taplo_needs_no_network(tmp_path: Path, written: Path) -> None:
    """All of its traffic would come to a proxy of ours; that it would is seen with its online catalogs."""
    path = tmp_path / "checklist.toml"
    path.write_text(FULL)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        environment = {"HTTPS_PROXY": address, "HTTP_PROXY": address}
        proxy.setblocking(False)
        assert taplo(path, written, **environment).returncode == 0
        with pytest.raises(BlockingIOError):
            proxy.accept()
        proxy.settimeout(30)
        online = subprocess.Popen(
            [TAPLO, "check", "--no-auto-config", "--default-schema-catalogs", str(path)],
            env={"HOME": str(tmp_path), **environment},
            stderr=subprocess.DEVNULL,
        )
        try:
            connection, _ = proxy.accept()
            connection.close()
        finally:
            online.kill()
            online.wait()
