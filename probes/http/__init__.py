"""Does an address answer over HTTP as it should: status, headers, body, in time?"""

import contextlib
import json
import re
import signal
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import msgspec

from probes import network
from probes.clean import clean, secrets_of
from probes.figures import held, sentence, size
from probes.outcome import CannotTell, Check, Outcome, Reason, Verdict, conclude
from probes.parameters import Duration, Parameters, seconds

if TYPE_CHECKING:
    from probes.http.client import Answer, Place

_AGENT = "gonogo-probe/1"
# Parts of the deadline: up to when the next byte is waited for, and up to when the exchange has to be over.
_WAIT, _EXCHANGE = 0.7, 0.8
_MATCHING_S = 2.0
_MOVED = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD = frozenset({307, 308})
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SHOWN = 100

Status = (
    Annotated[str, msgspec.Meta(pattern=r"^[1-5]([0-9]{2}|xx)$(?!\n)")]
    | Annotated[int, msgspec.Meta(ge=100, le=599)]
)
"""A status code, or all of a kind: 204, "2xx"."""

Size = Annotated[int, msgspec.Meta(ge=1, le=2**30)]
"""A number of bytes."""


class HttpParameters(Parameters, frozen=True, kw_only=True):
    """What to ask for, and what the answer has to be.

    A wrong answer fails. No answer is unknown, with the reason: name, connection, time, TLS, or no HTTP.
    The request goes straight to the server: proxies of the environment (`HTTPS_PROXY`) are not used. Nothing
    is tried twice.

    Attributes:
        timeout: The deadline of each attempt. Seven tenths of it are for the server's silence, eight for the
            whole exchange.
        url: `http://` or `https://`. User information in it is sent as basic authentication.
        method: GET, HEAD or POST. Default GET.
        headers: Headers to send, such as `{ Authorization = "Bearer ${TOKEN}" }`. Default: none but those of
            every client.
        body: A text to send with POST. Default: none.
        status: The status codes that are right, such as `[200, 204]` or `["2xx"]`. Default: 200 alone.
        header_contains: Headers that have to be in the answer, each with a text that has to be in its value;
            "" where any value will do. Default: none.
        contains: A text that has to be in the body, read as UTF-8. Default: none.
        matches: A regular expression (Python's) that has to match somewhere in the body. One that does not
            come to an end within 2 s is cut off, and the verdict is unknown. Default: none.
        json: Values that have to be in a JSON body, each by its path, such as
            `{ "status" = "pass", "nodes.0.up" = true }`. A dot leads into an object or, with a number after
            it, a list. Default: none.
        redirects: How many redirects to follow. A redirect from https to http fails; headers, user
            information and body go to no other scheme, host or port than those of `url`. Default 0: a
            redirect is the answer, and held against `status`.
        latency_warn: Time from the name lookup to the last byte, redirects included, above which the verdict
            is warn. Default 1 s, as published alert rules for the blackbox exporter have it, and about what a
            user's train of thought bears.
        latency_fail: As `latency_warn`, for fail. Default 10 s, about what a user's attention bears.
        body_limit: Bytes of the body, after decompression, that are read at most. What is expected and not
            found in them is unknown if there is more. Default 1 MiB, our own choice.
        ca_file: A PEM file of the authorities to trust, instead of all others. Default: the system's
            (`SSL_CERT_FILE` and `SSL_CERT_DIR` choose others), and certifi's where the system has none.
    """

    url: str
    method: Literal["GET", "HEAD", "POST"] = "GET"
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    body: str = ""
    status: Annotated[list[Status], msgspec.Meta(min_length=1)] = msgspec.field(default_factory=lambda: [200])
    header_contains: dict[str, str] = msgspec.field(default_factory=dict)
    contains: str = ""
    matches: str = ""
    json: dict[str, str | int | float | bool] = msgspec.field(default_factory=dict)
    redirects: Annotated[int, msgspec.Meta(ge=0, le=20)] = 0
    latency_warn: Duration = "1s"
    latency_fail: Duration = "10s"
    body_limit: Size = 1024 * 1024
    ca_file: str = ""


class _Found(NamedTuple):
    """How the exchange ended: the last answer, where it came from, and what there is to say of redirects."""

    answer: "Answer"
    place: "Place"
    redirect: Check | None = None


def probe(params: HttpParameters) -> Outcome:
    """Ask, follow redirects as far as allowed, and judge the answer."""
    started = time.monotonic()
    from probes.http import client  # brings urllib3, slow to import

    whole = seconds(params.timeout)
    place = client.place(params.url)
    pattern = _pattern(params.matches)
    headers = _sendable(params.headers)
    if place.credentials and not any(name.lower() == "authorization" for name in headers):
        headers["Authorization"] = place.credentials
    drips = CannotTell(
        Reason.TIMEOUT,
        f"{place.where} drips: its answer had begun to come, but had no end in the given time.",
        "Find out what slows it, or raise the timeout.",
    )
    asked = time.monotonic()
    with _deadline(started + _EXCHANGE * whole, drips):
        found = _ask(params, place, headers, started + _WAIT * whole)
    took = (time.monotonic() - asked) * 1000
    if found.redirect and found.redirect.verdict is Verdict.FAIL:
        return clean(conclude([found.redirect]), _secrets(headers))
    endless = CannotTell(
        Reason.CONFIG,
        f"The expression of matches came to no end within {_MATCHING_S:g} s on this body.",
        "Write it without repetitions inside repetitions.",
    )
    with _deadline(time.monotonic() + _MATCHING_S, endless):
        body = list(_body(found.answer, params, pattern))
    checks = [
        *([found.redirect] if found.redirect else []),
        _status(found, params),
        _latency(took, params, found.place.where),
        *_headers(found.answer, params),
        *body,
    ]
    summary = f"{found.place.shown} answers {found.answer.status} in {took:.3g} ms."
    metrics = {"latency_ms": round(took, 2), "body_bytes": float(len(found.answer.body))}
    # A server may repeat what it was sent.
    return clean(conclude(checks, summary, metrics, reason=Reason.CONFIG), _secrets(headers))


@contextlib.contextmanager
def _deadline(ends: float, doubt: CannotTell) -> Iterator[None]:
    """Raise the doubt at a moment, whatever is going on: urllib3 and re have no deadline of their own."""

    def ring(*_: object) -> None:
        raise doubt

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(0.01, ends - time.monotonic()))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise CannotTell(
            Reason.CONFIG, f"The text of matches is no regular expression: {error}.", "Correct matches."
        ) from None


def _sendable(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers to send. The library would quote a value that cannot be sent."""
    for name, value in headers.items():
        if not (_NAME.fullmatch(name) and value.isascii() and value.isprintable()):
            raise CannotTell(
                Reason.CONFIG,
                f"The header {name} cannot be sent: there are characters in it that may not be.",
                "Correct headers; a line break at the end of a variable is a likely cause.",
            )
    own = {name.lower() for name in headers}
    return {**({} if "user-agent" in own else {"User-Agent": _AGENT}), **headers}


def _secrets(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return what was sent that nobody else may read: credentials, with and without the word before them."""
    known = {
        name: value
        for name, value in headers.items()
        if secrets_of({name: value}) or "cookie" in name.lower()
    }
    parts = {part for value in known.values() for part in (value, value.partition(" ")[2])}
    return tuple(sorted(filter(None, parts), key=len, reverse=True))


def _ask(params: HttpParameters, first: "Place", headers: Mapping[str, str], ends: float) -> _Found:
    """Ask, and follow redirects up to the first that may not be followed."""
    from probes.http import client

    context = network.trusting(params.ca_file)
    method, body, place = params.method, params.body, first._replace(credentials="")
    seen: list[tuple[str, Place]] = []
    while True:
        answer = client.fetch(
            place,
            method,
            headers if place.origin == first.origin else {"User-Agent": _AGENT},
            body,
            context=context,
            ends=ends,
            most=params.body_limit,
        )
        seen.append((method, place))
        if not params.redirects:
            return _Found(answer, place)
        if answer.status not in _MOVED or _fits(answer.status, params.status):
            return _Found(answer, place, _followed(len(seen) - 1, params, place))
        if answer.status not in _KEEPS_METHOD and method == "POST":
            method, body = "GET", ""
        try:
            after = client.place(answer.headers.get("Location", ""), place)
        except CannotTell:
            return _stopped(answer, place, "no address", "names no address that can be followed", params)
        shown = after.shown
        if place.scheme == "https" and after.scheme == "http":
            return _stopped(answer, place, "downgrade", f"leads away from TLS, to {shown}", params)
        if body and after.origin != first.origin:
            return _stopped(answer, place, "other host", f"would send the body on to {shown}", params)
        if (method, after) in seen:
            return _stopped(answer, place, "loop", f"leads back to {shown}", params)
        if len(seen) > params.redirects:
            return _stopped(answer, place, "one more", f"leads on to {shown}, one too many", params)
        place = after


def _followed(count: int, params: HttpParameters, place: "Place") -> Check:
    return Check(
        name="redirect",
        verdict=Verdict.PASS,
        observed=count,
        limit=params.redirects,
        message=f"{count} redirects led to {place.shown}.",
    )


def _stopped(answer: "Answer", place: "Place", observed: str, why: str, params: HttpParameters) -> _Found:
    hints = {
        "loop": "Break the circle: often a proxy and the server behind it disagree on http and https.",
        "downgrade": "Redirect to https: often the server does not know that a proxy before it speaks TLS.",
    }
    line = Check(
        name="redirect",
        verdict=Verdict.FAIL,
        observed=observed,
        limit=params.redirects,
        message=f"The redirect of {place.shown} {why}.",
        hint=hints.get(observed, "Correct the redirect, or give the address where it should end as url."),
    )
    return _Found(answer, place, line)


def _fits(status: int, wanted: list[Status]) -> bool:
    return any(str(one) in {str(status), f"{status // 100}xx"} for one in wanted)


def _status(found: _Found, params: HttpParameters) -> Check:
    status = found.answer.status
    right = _fits(status, params.status)
    wanted = ", ".join(map(str, params.status))
    known = status in set(HTTPStatus)
    answered = f"{found.place.shown} answers {status}" + (f" ({HTTPStatus(status).phrase})" if known else "")
    return Check(
        name="status",
        verdict=Verdict.PASS if right else Verdict.FAIL,
        observed=status,
        limit=wanted,
        message=f"{answered}." if right else f"{answered}, not {wanted}.",
        hint="" if right else _advice(found),
    )


def _advice(found: _Found) -> str:
    status = found.answer.status
    if status in _MOVED:
        from probes.http import client

        try:
            target = f"to {client.place(found.answer.headers.get('Location', ''), found.place).shown}"
        except CannotTell:
            target = "nowhere"
        return f"It leads {target}: correct url, or follow it with redirects = 1."
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return "Send credentials in headers, or ask an address that needs none."
    if status == HTTPStatus.NOT_FOUND:
        return "Correct the path in url, or deploy what is missing there."
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "Ask less often, or raise the limit for this client."
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "Look at the log of the server, and of the one behind it if this is a proxy."
    return "Correct the request, or name this status in status if it is right."


def _latency(took: float, params: HttpParameters, where: str) -> Check:
    limits = (seconds(params.latency_warn) * 1000, seconds(params.latency_fail) * 1000)
    words = (
        f"{where} had answered after {took:.3g} ms",
        "Look at the server's load and at what it waits for",
    )
    return held("latency", took, limits, words, unit="ms")


def _headers(answer: "Answer", params: HttpParameters) -> Iterator[Check]:
    for name, text in params.header_contains.items():
        value = answer.headers.get(name)
        # The value itself is not shown: it may be a secret, such as a cookie.
        observed = "missing" if value is None else "as expected" if text in value else "something else"
        right = observed == "as expected"
        yield Check(
            name=f"header {name}",
            verdict=Verdict.PASS if right else Verdict.FAIL,
            observed=observed,
            limit=text or "any",
            message=f"The header {name} is {observed}.",
            hint="" if right else f"Have the server, or a proxy before it, set {name}.",
        )


def _body(answer: "Answer", params: HttpParameters, pattern: re.Pattern[str]) -> Iterator[Check]:
    text = answer.body.decode(errors="replace")
    if params.contains:
        found = params.contains in text
        yield _expected("contains", params.contains, "found" if found else "not found", answer, right=found)
    if params.matches:
        found = bool(pattern.search(text))
        yield _expected("matches", params.matches, "found" if found else "not found", answer, right=found)
    if params.json:
        yield from _values(answer, params.json)


def _values(answer: "Answer", expected: Mapping[str, str | float | bool]) -> Iterator[Check]:
    document: object = None
    missing = "missing"
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        missing = "no JSON"
    for path, wanted in expected.items():
        try:
            value = _at(document, path.split("."))
        except LookupError:
            yield _expected(f"json {path}", wanted, missing, answer, right=False)
            continue
        # In Python true equals 1.
        right = value == wanted and isinstance(value, bool) is isinstance(wanted, bool)
        # No more of the body than the one value that was asked for.
        shown = (
            json.dumps(value, ensure_ascii=False) if not isinstance(value, dict | list) else "not one value"
        )
        yield _expected(f"json {path}", wanted, shown.strip('"')[:_SHOWN], answer, right=right)


def _at(value: object, path: list[str]) -> object:
    """Return what a path leads to.

    Raises:
        LookupError: If it leads nowhere.
    """
    for part in path:
        if isinstance(value, dict):
            value = value[part]
        elif isinstance(value, list) and part.isdecimal():
            value = value[int(part)]
        else:
            raise LookupError(part)
    return value


def _expected(
    name: str, wanted: str | float | bool, observed: str, answer: "Answer", *, right: bool
) -> Check:
    if right:
        verdict, hint = Verdict.PASS, ""
    elif answer.whole:
        verdict, hint = Verdict.FAIL, "Look at the page and at the server's log; or correct what is expected."
    else:
        verdict, hint = Verdict.UNKNOWN, "Raise body_limit, or ask for a smaller page."
    part = "" if answer.whole else f" in the first {size(len(answer.body))} of the body"
    return Check(
        name=name,
        verdict=verdict,
        observed=observed,
        limit=wanted,
        message=sentence(f"`{name}` is {observed}{part}, expected: {wanted}"),
        hint=hint,
    )
