"""Compares the clock of this machine with the `Date` header of an HTTP server."""

import time
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import partial
from typing import NoReturn
from urllib.parse import urlsplit

from probes.figures import held, span
from probes.host.parameters import HostParameters
from probes.outcome import CannotTell, Check, Reason
from probes.parameters import seconds

_PATIENCE = 5.0
"""Seconds to wait for the answer; half of what the whole run is given."""


def clock(params: HostParameters) -> Iterator[Check]:
    """Judge how far the clock of this machine is from that of the reference.

    Raises:
        CannotTell: If the reference does not answer, or without a date.
    """
    from probes.network import aside

    host = _host(params.clock)
    try:
        # Neither a hung name lookup nor a server that drips may cost what the other checks have found.
        date, before, after = aside(partial(_ask, params.clock, host)).result(_PATIENCE)
    except TimeoutError:
        hint = "Name a server that answers over HTTP, or repair it."
        raise CannotTell(Reason.TIMEOUT, f"{host} does not answer.", hint) from None
    skew = offset(date, before, after)
    side = "behind" if skew > 0 else "ahead of"
    figures = (
        f"This clock is {span(abs(skew))} {side} that of {host}" if skew else f"This clock is that of {host}"
    )
    hint = "set it, and keep it right with NTP: timedatectl set-ntp true; chronyc tracking"
    limits = (seconds(params.clock_warn), seconds(params.clock_fail))
    yield held("clock", abs(skew), limits, (figures, hint), unit="s")


def offset(date: float, before: float, after: float) -> float:
    """Return by how many seconds the reference is ahead, at the least; 0 if the clocks may well agree.

    The answer was dated between sending and receiving, and the date is cut off to the second: only what lies
    outside of all that is a difference.

    Args:
        date: The date of the answer, in seconds since the epoch.
        before: When the request was sent, by this clock.
        after: When the answer had come, by this clock.
    """
    if date > after:
        return date - after
    return min(0.0, date + 1 - before)


def _host(url: str) -> str:
    from probes.network import ascii_host

    try:
        parts = urlsplit(url.strip())
        port = f":{parts.port}" if parts.port else ""
        ascii_host(url)
    except ValueError:
        _wrong()
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        _wrong()
    return parts.hostname + port


def _wrong() -> NoReturn:
    hint = "Write it like https://www.example.org/."
    raise CannotTell(Reason.CONFIG, "The clock's address is not one of HTTP.", hint)


def _ask(url: str, host: str) -> tuple[float, float, float]:
    """Return the date of an answer, and this clock before and after it, in seconds since the epoch."""
    import urllib3
    from urllib3 import exceptions

    from probes.network import ascii_host

    hint = "Name a server that answers over HTTP, or repair it."
    timeout = urllib3.Timeout(connect=_PATIENCE, read=_PATIENCE)
    with urllib3.PoolManager(retries=False, timeout=timeout) as pool:
        before = time.time()
        try:
            answer = pool.request(
                "HEAD",
                ascii_host(url.strip()),
                redirect=False,
                preload_content=False,
                headers={"Cache-Control": "no-cache"},
            )
        except exceptions.NameResolutionError:
            raise CannotTell(Reason.DNS, f"There is no server of the name {host}.", hint) from None
        except exceptions.NewConnectionError:
            raise CannotTell(Reason.REFUSED, f"{host} takes no connection.", hint) from None
        except exceptions.TimeoutError:
            raise CannotTell(Reason.TIMEOUT, f"{host} does not answer.", hint) from None
        except exceptions.SSLError:
            # A certificate looks expired, or not yet valid, to a clock that is wrong.
            advice = "Look at its certificate, and at the date here; or name an http:// address."
            raise CannotTell(Reason.TLS, f"No trusted connection to {host}.", advice) from None
        except exceptions.LocationValueError:
            _wrong()
        except exceptions.HTTPError:
            raise CannotTell(Reason.PROTOCOL, f"{host} does not answer in HTTP.", hint) from None
        after = time.time()
        try:
            date = parsedate_to_datetime(answer.headers.get("Date", ""))
            # A cache adds how long it has kept the answer.
            age = float(int(answer.headers.get("Age", "0")))
        except (ValueError, OverflowError):
            found = f"{host} answers without a date that can be read."
            raise CannotTell(Reason.PROTOCOL, found, "Name a server that sends a Date header.") from None
        finally:
            answer.close()
    # A date without an offset is in UTC.
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() + age, before, after
