"""Makes certificates with openssl: authorities, and what they sign for any name and any time."""

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

_CONFIG = """
[ca]
default_ca = this
[this]
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
default_md = sha256
policy = anything
unique_subject = no
copy_extensions = copy
[anything]
commonName = supplied
"""


class Certificate(NamedTuple):
    """A certificate, with whatever the server sends after it, and its key."""

    file: Path
    key: Path

    @property
    def server_side(self) -> ssl.SSLContext:
        """What a server needs to serve it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key)
        return context


def _openssl(*argv: object) -> None:
    subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True, stdin=subprocess.DEVNULL)


def self_signed(folder: Path, name: str = "self", names: str = "IP:127.0.0.1") -> Certificate:
    """Make a certificate that vouches for itself."""
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", made.key)
    _openssl(
        *("req", "-x509", "-out", made.file, "-subj", f"/CN={name}", "-days", "90", *key),
        *("-addext", f"subjectAltName={names}"),
    )
    return made


class Authority:
    """A certificate authority, trusted by nobody but those who are given `file`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.name = name
        self.certificate = self_signed(self.folder, name, "DNS:authority.test")
        self.file = self.certificate.file
        self._prepare()

    def _prepare(self) -> None:
        (self.folder / "index.txt").touch()
        (self.folder / "openssl.cnf").write_text(_CONFIG.format(folder=self.folder))

    def sign(
        self,
        name: str = "server",
        *,
        names: str = "IP:127.0.0.1,DNS:localhost",
        days: float = 90,
        since: float = 30,
        authority: bool = False,
    ) -> Certificate:
        """Sign a certificate that began `since` days ago and ends in `days` days."""
        made = Certificate(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        request = self.folder / f"{name}.csr"
        kind = "critical,CA:true" if authority else "CA:false"
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", made.key)
        _openssl(
            *("req", "-new", "-out", request, "-subj", f"/CN={name}", *key),
            *("-addext", f"subjectAltName={names}", "-addext", f"basicConstraints={kind}"),
        )
        # Only `openssl ca` of OpenSSL 3.0 takes the dates.
        _openssl(
            *("ca", "-batch", "-notext", "-rand_serial", "-config", self.folder / "openssl.cnf"),
            *("-cert", self.file, "-keyfile", self.certificate.key, "-in", request, "-out", made.file),
            *("-startdate", _moment(-since), "-enddate", _moment(days)),
        )
        return made

    def intermediate(self, name: str = "intermediate", *, days: float = 90) -> "Authority":
        """Sign another authority."""
        other = Authority.__new__(Authority)
        other.folder, other.name = self.folder / name, name
        other.folder.mkdir()
        other.certificate = self.sign(name, days=days, authority=True)
        other.file = other.certificate.file
        other._prepare()
        return other


def with_chain(certificate: Certificate, *authorities: Authority) -> Certificate:
    """Return the certificate with those of its authorities after it, as a server should send it."""
    chain = certificate.file.with_suffix(".chain.pem")
    parts = [certificate.file, *(authority.file for authority in authorities)]
    chain.write_text("".join(part.read_text() for part in parts))
    return Certificate(chain, certificate.key)


def _moment(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")
