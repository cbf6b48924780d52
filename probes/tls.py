"""Is a server's certificate in order, and for how much longer?

It shakes hands as a client would. Where the certificate is not accepted it looks again with the one objection
put aside, so that a certificate which is expired and self-signed and for another name is called all three,
with its dates. What it learns that way is only read: nothing but the handshake is ever sent.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal, NamedTuple

import msgspec

from probes import network
from probes.figures import Limit, held, span
from probes.outcome import CannotTell, Check, Outcome, Verdict, conclude
from probes.parameters import Duration, Parameters, seconds

_DAY = 86400
# X509_V_FLAG_NO_CHECK_TIME, for which Python has no name.
_ANY_TIME = 0x200000
# OpenSSL's numbers of what is wrong with a certificate (X509_V_ERR_*), by the check they belong to.
_CHECK = {10: "expiry", 9: "valid from", 62: "host name", 64: "host name"}
_CHAIN = "chain"


class TlsParameters(Parameters, frozen=True, kw_only=True):
    """Which server to look at, and how long its certificate has to last.

    An expired, foreign, self-signed or untrusted certificate fails; a server that cannot be reached, or that
    speaks no TLS, is unknown. Of the chain only the server's own certificate tells its dates: that another
    one in it has expired is seen when it has. Whether a certificate was revoked is not asked.

    Attributes:
        timeout: The deadline of each attempt; four fifths of it go to the handshakes. Default 10 s, our own
            choice: a handshake takes two or three round trips.
        address: `host:port` or `[IPv6]:port`. The port is 443 where none is given.
        server_name: The name to ask for and to hold the certificate against, where it is not the host of
            `address`. Default: that host.
        ca_file: A PEM file of the authorities to trust, instead of all others. Default: the system's
            (`SSL_CERT_FILE` and `SSL_CERT_DIR` choose others), and certifi's where the system has none.
        days_warn: Days left below which the verdict is warn. Default 21, a third of the way below the 30 days
            at which Let's Encrypt's clients renew: a renewal has been failing for more than a week.
        days_fail: As `days_warn`, for fail. Default 7: too few for a renewal by hand and a weekend.
        version: The oldest version of TLS that is good enough, "1.2" or "1.3". Of the versions that both
            sides know the newest is taken, so it tells what clients of today get. Default 1.2: RFC 8996
            deprecates the older ones.
    """

    address: str
    server_name: str = ""
    ca_file: str = ""
    days_warn: Limit = 21.0
    days_fail: Limit = 7.0
    version: Literal["1.2", "1.3"] = "1.2"
    timeout: Duration = "10s"


class _Certificate(NamedTuple):
    """What a handshake showed: validity in seconds since 1970, and the version of TLS."""

    starts: float
    ends: float
    version: str


Objections = dict[str, ssl.SSLCertVerificationError]
"""Why a certificate is not accepted, by the check that says so."""


async def probe(params: TlsParameters) -> Outcome:
    """Shake hands and judge the certificate."""
    place = network.address(params.address, port=443)
    name = network.name_to_prove(place, params.server_name)
    clock = asyncio.get_running_loop().time
    ends = clock() + 0.8 * seconds(params.timeout)
    context = await network.trusted(params.ca_file, ends - clock())
    objections: Objections = {}
    try:
        seen = await _look(place, name, context, objections, ends)
    except ssl.SSLError as error:
        if not network.too_old(error):
            raise network.obstacle(error, str(place), "TLS handshake") from None
        return conclude([_version("older", "1.2", str(place))])
    except OSError as error:
        raise network.obstacle(error, str(place), "TLS handshake") from None
    checks = [
        _accepted(_CHAIN, "trusted", "Its chain leads to a trusted authority.", objections),
        *_named(seen, name, objections),
        *_dates(seen, objections, params),
    ]
    metrics = {}
    if seen:
        checks.append(_version(seen.version, params.version, str(place)))
        metrics = {"certificate_days_left": round((seen.ends - time.time()) / _DAY, 2)}
    return conclude(checks, f"The certificate of {place} is good until {_date(seen)}.", metrics)


async def _look(
    place: network.Address, name: str, context: ssl.SSLContext, objections: Objections, ends: float
) -> _Certificate | None:
    """Shake hands until nothing is objected to; None where even then no certificate is to be had."""
    while True:
        try:
            return _read(await _handshake(place, name, context, ends))
        except ssl.SSLCertVerificationError as error:
            check = _CHECK.get(error.verify_code, _CHAIN)
            if check in objections:
                return None
            objections[check] = error
            if check == _CHAIN:
                # Python reads no dates from a certificate it does not trust: so trust this one for itself.
                with contextlib.suppress(OSError, CannotTell):
                    peer = _peer(await _handshake(place, name, network.anybody(), ends))
                    context.load_verify_locations(cadata=peer.getpeercert(binary_form=True) or b"")
            elif check == "host name":
                context.check_hostname = False
            else:
                context.verify_flags |= _ANY_TIME
        except (OSError, CannotTell):
            if objections:
                return None
            raise


async def _handshake(
    place: network.Address, name: str, context: ssl.SSLContext, ends: float
) -> network.Stream:
    clock = asyncio.get_running_loop().time
    sock, _ = await network.connect(place, ends - clock())
    stream = await network.stream(sock, context, name, ends - clock())
    # Without a farewell, which would be another round trip; what is asked for later is already known.
    stream.writer.transport.abort()
    return stream


def _peer(stream: network.Stream) -> ssl.SSLObject:
    found: ssl.SSLObject = stream.get("ssl_object")
    return found


def _read(stream: network.Stream) -> _Certificate:
    peer = _peer(stream)
    fields = peer.getpeercert() or {}
    starts, ends = (ssl.cert_time_to_seconds(str(fields[key])) for key in ("notBefore", "notAfter"))
    return _Certificate(starts, ends, str(peer.version()).removeprefix("TLSv"))


def _accepted(check: str, observed: str, message: str, objections: Objections) -> Check:
    error = objections.get(check)
    if error is None:
        return Check(name=check, verdict=Verdict.PASS, observed=observed, message=message)
    words = error.verify_message
    message = f"The certificate is not accepted: {words.rstrip('.')}."
    return Check(name=check, verdict=Verdict.FAIL, observed=words, message=message, hint=network.cure(error))


def _named(seen: _Certificate | None, name: str, objections: Objections) -> Iterator[Check]:
    # Where the look ended before the name was compared there is nothing to tell.
    if seen or "host name" in objections:
        yield _accepted("host name", name, f"It is issued for {name}.", objections)


def _dates(seen: _Certificate | None, objections: Objections, params: TlsParameters) -> Iterator[Check]:
    now = time.time()
    if not seen:
        for check in ("valid from", "expiry"):
            if check in objections:
                yield _accepted(check, "", "", objections)
        return
    since = _accepted(
        "valid from", _date(seen, "starts"), f"It is valid since {_date(seen, 'starts')}.", objections
    )
    if seen.starts > now:
        message = f"It is valid only from {_date(seen, 'starts')} on, in {span(seen.starts - now)}."
        since = msgspec.structs.replace(since, observed=_date(seen, "starts"), message=message)
    yield since
    if seen.ends > now and "expiry" in objections:
        yield msgspec.structs.replace(
            _accepted("expiry", "", "", objections),
            message=f"Another certificate of its chain has expired; its own is good until {_date(seen)}.",
            hint="Serve the current intermediate certificates, or correct the file of ca_file.",
        )
        return
    left = seen.ends - now
    words = f"expires in {span(left)}" if left > 0 else f"expired {span(-left)} ago"
    limits = (params.days_warn, params.days_fail)
    advice = "Renew the certificate, and reload the server so that it serves the new one"
    yield held(
        "expiry",
        left / _DAY,
        limits,
        (f"The certificate {words}, on {_date(seen)}", advice),
        unit="d",
        falling=True,
    )


def _date(seen: _Certificate | None, which: Literal["starts", "ends"] = "ends") -> str:
    moment = getattr(seen, which, None)
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M UTC") if moment else "a date not told"


def _version(found: str, wanted: str, where: str) -> Check:
    good = found in {"1.2", "1.3"} and found >= wanted
    return Check(
        name="version",
        verdict=Verdict.PASS if good else Verdict.FAIL,
        observed=found,
        limit=wanted,
        message=f"{where} agrees on TLS {found}."
        if found != "older"
        else f"{where} offers no TLS 1.2 or newer.",
        hint="" if good else f"Allow TLS {wanted} or newer in the server's configuration.",
    )
