"""Does a server take connections, and does it say what it should?

A connection alone proves little: the kernel takes connections for a process that hangs. So where the server
has something to say, tell the probe what to expect.
"""

import asyncio

from probes import network
from probes.clean import clean_text
from probes.figures import held
from probes.outcome import CannotTell, Check, Outcome, Reason, Verdict, conclude
from probes.parameters import Duration, Parameters, seconds

_MOST = 65536
_SHOWN = 100
_LONG = 4
_PLAIN = 100
"""Milliseconds from which on a tenth of one says nothing."""

_WITH_TLS = "Set tls = true, or correct the address."
_SHARE = 0.8
_TLS_ALERT = b"\x15\x03"


class TcpParameters(Parameters, frozen=True, kw_only=True):
    r"""Where to connect to, and what to expect there.

    A wrong answer fails. A server that cannot be reached, that hangs up or that stays silent is unknown, with
    the reason. Without `expect` a connection that is taken passes, be it by a process that hangs.

    Attributes:
        timeout: The deadline of each attempt; four fifths of it go to the server. Default 10 s, our own
            choice.
        address: `host:port`, `[IPv6]:port`, or `/path` of a Unix socket.
        tls: Whether to speak TLS, with the certificate verified. What is wrong with a certificate, and how
            long it lasts, the tls probe tells.
        server_name: With `tls`: the name that the certificate has to fit, where it is not the host of
            `address`. Default: that host.
        ca_file: With `tls`: a PEM file of the authorities to trust, instead of all others. Default: the
            system's (`SSL_CERT_FILE` and `SSL_CERT_DIR` choose others), and certifi's where the system has
            none.
        send: A text to send first. Line ends are part of it: in TOML send = "PING\r\n", in double quotes; on
            a command line `gonogo probe tcp send=$'PING\r\n'`, for there a backslash is only a backslash.
            Default: nothing is sent.
        expect: A text that has to be in what the server says, such as "+PONG". Its answer is taken to be
            whole when it hangs up, has said 64 KiB, or has been silent for a quarter of the time after its
            last word. Default: nothing is read.
        connect_warn: Time to connect, without the name lookup, above which the verdict is warn. Default 1 s:
            after that the first packet is sent again (RFC 6298), so one was lost.
        connect_fail: As `connect_warn`, for fail. Default 3 s, when the second one was lost too.
    """

    address: str
    tls: bool = False
    server_name: str = ""
    ca_file: str = ""
    send: str = ""
    expect: str = ""
    connect_warn: Duration = "1s"
    connect_fail: Duration = "3s"
    timeout: Duration = "10s"


async def probe(params: TcpParameters) -> Outcome:
    """Connect, send, and read until the expected text is there."""
    place = network.address(params.address)
    name = network.name_to_prove(place, params.server_name) if params.tls else ""
    clock = asyncio.get_running_loop().time
    ends = clock() + _SHARE * seconds(params.timeout)
    context = await network.trusted(params.ca_file, ends - clock()) if params.tls else None
    sock, took = await network.connect(place, ends - clock())
    checks = [_connected(took * 1000, params, str(place))]
    try:
        stream = await network.stream(sock, context, name, ends - clock())
    except OSError as error:
        raise network.obstacle(error, str(place), "TLS handshake") from None
    try:
        stream.writer.write(params.send.encode())
        if params.expect:
            said = await _answer(stream, params, place, ends - clock())
            checks.append(_judged(said, params, str(place)))
    finally:
        # Without a farewell, which in TLS would be another round trip.
        stream.writer.transport.abort()
    answer = " and answers as expected" if params.expect else ""
    return conclude(checks, f"{place} takes connections{answer}.", {"connect_ms": round(took * 1000, 2)})


def _connected(took: float, params: TcpParameters, where: str) -> Check:
    limits = (seconds(params.connect_warn) * 1000, seconds(params.connect_fail) * 1000)
    words = (
        f"{where} took the connection after {took:{'.1f' if took < _PLAIN else '.0f'}} ms",
        "Look at the network between and at the server's load",
    )
    return held("connect", took, limits, words, unit="ms")


async def _answer(
    stream: network.Stream, params: TcpParameters, place: network.Address, wait: float
) -> bytes:
    """Read until the expected text is there or the answer is over.

    Raises:
        CannotTell: If the server said nothing, or never came to an end.
    """
    clock = asyncio.get_running_loop().time
    ends, said, expected = clock() + wait, b"", params.expect.encode()
    while len(said) < _MOST:
        left = ends - clock()
        broken: OSError = ConnectionResetError()
        try:
            async with asyncio.timeout(min(left, wait / 4) if said else left):
                more = await stream.reader.read(_MOST - len(said))
        except TimeoutError as error:
            if not said:
                raise network.obstacle(error, str(place), "answer") from None
            if clock() >= ends:
                message = f"{place} drips: {len(said)} bytes in the given time, and no end of them."
                hint = "Find out what slows it, or raise the timeout."
                raise CannotTell(Reason.TIMEOUT, message, hint) from None
            break
        except OSError as error:
            more, broken = b"", error
        if not more and not said:
            if not params.tls and await network.speaks_tls(place, left / 2):
                raise network.wants_tls(str(place), _WITH_TLS)
            raise network.obstacle(broken, str(place), "answer")
        said += more
        if not more or expected in said[-len(expected) - len(more) :]:
            break
    return said


def _judged(said: bytes, params: TcpParameters, where: str) -> Check:
    if not params.tls and said.startswith(_TLS_ALERT):
        raise network.wants_tls(where, _WITH_TLS)
    # Servers like to repeat what they do not understand, and that may be a password.
    sent = sorted((word for word in params.send.split() if len(word) >= _LONG), key=len, reverse=True)
    words = " ".join(clean_text(said.decode(errors="replace"), sent).split())
    shown = words[:_SHOWN] + "…" * (len(words) > _SHOWN)
    if params.expect.encode() in said:
        return Check(
            name="answer",
            verdict=Verdict.PASS,
            observed=shown,
            limit=params.expect,
            message=f"{where} says: {shown}",
        )
    return Check(
        name="answer",
        verdict=Verdict.FAIL,
        observed=shown,
        limit=params.expect,
        message=f"{where} does not say what is expected, but: {shown}",
        hint="Check that the right server listens there and is well, and that `expect` is what it says.",
    )
