"""A release night that is always the same: its checklist, what its probes find, and how far it has come.

Nothing is measured and no clock is read, so that every run of the tests and every picture shows the same.
Only the probes and the clock are stand-ins; what they lead to, the session works out and saves as ever.
"""

import asyncio
import itertools
import shutil
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest import mock

from checklist import definition
from checklist.opening import Place, open_store
from checklist.session import Session
from probes.outcome import Check, Memory, Outcome, Reason, Verdict
from probes.runner import Runner

TONIGHT = datetime(2025, 6, 27, 22, 0, tzinfo=UTC)

FOUND = datetime(2025, 5, 13, 10, 0, tzinfo=UTC)
"""When the five issues were found."""

CHECKLIST = Path(__file__).with_name("night.toml").read_text(encoding="utf-8")

GIB = 1 << 30


def _check(name: str, verdict: str, message: str, hint: str = "", **figures: object) -> Check:
    return Check(name=name, verdict=Verdict(verdict), message=message, hint=hint, **figures)  # type: ignore[arg-type]  # of the kinds that a check has


def _memory(share: float) -> Check:
    said = f"{share:.0%} of maxmemory is used under noeviction: writes are refused when it is full"
    verdict = "pass" if share < 0.75 else "warn" if share < 0.9 else "fail"
    hint = "Raise maxmemory, or let keys expire." if verdict != "pass" else ""
    return _check("memory", verdict, said, hint, observed=round(share * 100, 1), unit="%", limit=75)


BAD: Mapping[str, tuple[Check, ...]] = {
    "redis": (
        _memory(0.94),
        _check("clients", "pass", "connected clients", observed=212, limit=9000),
        _check("evicted keys", "pass", "none since the last run", observed=0, unit="1/s", limit=1),
        _check(
            "rejected connections",
            "warn",
            "some were turned away since the last run",
            "Raise maxclients.",
            observed=7,
            limit=0,
        ),
        _check("ping p99", "pass", "", observed=0.8, unit="ms", limit=10),
    ),
    "dependencies": (
        _check(
            "psutil",
            "fail",
            "development has 5.9.5, production has 5.9.8",
            "Install both from one lock file.",
            observed="5.9.8",
            limit="5.9.5",
        ),
        _check("other packages", "pass", "41 packages are the same", observed=41),
    ),
    "secrets": (
        _check(
            "source",
            "fail",
            "1 key: settings.py:12, generic API key (sk_l****)",
            "Move it to the environment and revoke it.",
            observed=1,
            limit=0,
        ),
        _check("variables", "pass", "all 3 are set", observed=3),
    ),
    "sentry": (
        _check("ingest", "warn", "429: the event was rate limited", "Wait 60 s, or raise the quota."),
    ),
    "restore": (
        _check("age", "pass", "the newest backup is young enough", observed=7.2, unit="h", limit=26),
        _check(
            "checksum", "fail", "db.dump differs from its checksum", "Take a new backup, and compare again."
        ),
    ),
}
"""What was wrong that day, by probe."""

GOOD: Mapping[str, tuple[Check, ...]] = {
    "redis": (_memory(0.61), *BAD["redis"][1:3], BAD["redis"][4]),
    "tcp": (_check("connect", "pass", "it answers", observed=0.004, unit="s", limit=1),),
    "host": (
        _check("disk /", "pass", "", observed=48, unit="%", limit=80),
        _check("memory available", "pass", "", observed=11 * GIB, unit="B", limit=2 * GIB),
        _check("load per core", "pass", "", observed=0.4, limit=1),
    ),
    "dependencies": (_check("psutil", "pass", "5.9.5 everywhere", observed="5.9.5"),),
    "http": (_check("latency", "pass", "200 OK", observed=0.21, unit="s", limit=1),),
    "secrets": (_check("source", "pass", "no key in 412 files", observed=0, limit=0),),
    "tls": (_check("expires in", "pass", "until 2025-09-30", observed=94, unit="d", limit=21),),
    "sentry": (_check("round trip", "pass", "the event was found again", observed=2.1, unit="s", limit=30),),
    "command": (_check("archive", "pass", "all of yesterday is there"),),
    "restore": (_check("checksum", "pass", "all 14 files match", observed=14),),
}
"""What is found once everything is repaired."""

NIGHT: Mapping[str, tuple[Check, ...]] = {
    **GOOD,
    "redis": BAD["redis"],
    "http": (),
    "sentry": BAD["sentry"],
    "command": (_check("archive", "warn", "yesterday's logs are not there yet", "Look at the job's log."),),
    "restore": BAD["restore"],
}
"""What the final check of the night finds: some claims were not true, and one page does not answer."""

SECONDS = {"redis": 0.04, "secrets": 6.3, "restore": 48.0, "dependencies": 2.7, "sentry": 3.2, "http": 10.0}


class Clock:
    """A clock that stands until it is set."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at


class Probes(Runner):
    """Finds what it is told to find, at once; what is in `slow` never ends by itself."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        super().__init__(folder, {})
        self._clock = clock
        self.finds: Mapping[str, tuple[Check, ...]] = NIGHT
        self.slow: frozenset[str] = frozenset()

    async def run(
        self,
        use: str,
        raw: Mapping[str, object],  # noqa: ARG002  # as a runner
        memory: Memory | None = None,  # noqa: ARG002  # as a runner
        *,
        variables: Mapping[str, str] | None = None,  # noqa: ARG002  # as a runner
        lax: bool = False,  # noqa: ARG002  # as a runner
    ) -> Outcome:
        """Return what is to be found."""
        if use in self.slow:
            await asyncio.Event().wait()
        return found(use, self.finds[use], self._clock())


def found(use: str, checks: tuple[Check, ...], at: datetime) -> Outcome:
    """Return the outcome of these lines of evidence; without any, the probe came to no end."""
    if not checks:
        return Outcome(
            probe=use,
            verdict=Verdict.UNKNOWN,
            reason=Reason.TIMEOUT,
            summary="no answer within 10 s",
            hint="See whether the server is up, or give the probe a longer timeout.",
            started_at=at,
            duration=10.0,
        )
    rank = [Verdict.PASS, Verdict.WARN, Verdict.UNKNOWN, Verdict.FAIL]
    worst = max(checks, key=lambda check: rank.index(check.verdict))
    return Outcome(
        probe=use,
        verdict=worst.verdict,
        summary=f"{worst.name}: {worst.message}" if worst.message else worst.name,
        hint=worst.hint,
        checks=checks,
        started_at=at,
        duration=SECONDS.get(use, 0.2),
    )


Night = Callable[[Session, Clock, Probes], Coroutine[object, object, None]]


def open_session(path: Path, at: datetime) -> tuple[Session, Clock, Probes]:
    """Open a checklist with the stand-ins. Its path is shown at times; a relative one never differs."""
    clock, place = Clock(at), Place(path)
    probes = Probes(place.folder, clock)
    checklist = definition.load(path)
    store = open_store(place, checklist, clock)
    return Session(place, checklist, store, probes, clock=clock, operator="operator"), clock, probes


async def begins(session: Session, clock: Clock, probes: Probes) -> None:
    """Everything of 2025-05-13 is claimed to be resolved, and nothing of it is proven."""
    probes.finds = BAD
    for item in ("cache", "dependencies", "secrets", "sentry", "restore"):
        await session.run(item)
    for item, by, day, action in (
        ("secrets", "Security team", 22, "Made a .env file and replaced the keys in the source"),
        ("dependencies", "백엔드팀", 23, "psutil을 5.9.5로 고정하고 poetry.lock을 만들었다"),
        ("sentry", "DevOps team", 25, "Set retention to 30 days, restarted the service"),
        ("restore", "인프라팀", 26, "md5로 확인하는 백업과 복원 스크립트를 만들었다"),
        ("cache", "Infrastructure team", 27, "Raised maxmemory to 4 GB, eviction policy allkeys-lru"),
    ):
        clock.at = datetime(2025, 6, day, 15, 0, tzinfo=UTC)
        await session.claim(item, by=by, action=action)
    probes.finds = GOOD
    clock.at = TONIGHT - timedelta(hours=30)
    await session.run("host")
    clock.at = TONIGHT - timedelta(hours=3)
    await session.waive(
        "penetration-test", by="CISO", why="the rest is behind the VPN", until=date(2025, 7, 4)
    )
    await session.run("certificate")
    clock.at = TONIGHT - timedelta(minutes=40)
    await session.tick("sign-off", "Read the release notes together")
    await session.attest("sign-off", by="Release manager", note="read with all teams")
    clock.at = TONIGHT


async def failed(session: Session, clock: Clock, probes: Probes) -> None:
    """The final check of the night has proven some of the claims and refuted others."""
    await begins(session, clock, probes)
    # Some checks of the days before, so that the figures have a past.
    for hours, share in ((50, 0.58), (26, 0.71), (8, 0.79), (2, 0.86)):
        clock.at = TONIGHT - timedelta(hours=hours)
        probes.finds = {**GOOD, "redis": (_memory(share), *GOOD["redis"][1:])}
        await session.check()
    clock.at = TONIGHT - timedelta(minutes=4)
    probes.finds = NIGHT
    await session.check()
    clock.at = TONIGHT


async def stopped(session: Session, clock: Clock, probes: Probes) -> None:
    """A final check was stopped before all of it was done."""
    await begins(session, clock, probes)
    clock.at = TONIGHT - timedelta(minutes=15)
    await start_slow(session, clock, probes)
    session.cancel()
    while session.running:
        await asyncio.sleep(0)


async def start_slow(session: Session, clock: Clock, probes: Probes) -> None:
    """Begin the final check of the night; two of its probes never end."""
    probes.finds, probes.slow = NIGHT, frozenset({"secrets", "restore"})
    session.start = asyncio.create_task(session.check())  # type: ignore[attr-defined]  # kept alive with it
    while set(session.running) != {"secrets", "restore"}:
        await asyncio.sleep(0.001)
    clock.at += timedelta(seconds=95)


async def proven(session: Session, clock: Clock, probes: Probes) -> None:
    """All was repaired, and the final check says GO."""
    await failed(session, clock, probes)
    clock.at = TONIGHT - timedelta(minutes=2)
    probes.finds = GOOD
    await session.check()
    clock.at = TONIGHT


_made: dict[Night, Path] = {}


async def make(night: Night, folder: Path, keep: Path) -> None:
    """Have a night's files in a folder. They are made once, and kept in another folder."""
    if night not in _made:
        _made[night] = keep / night.__name__
        _made[night].mkdir()
        (_made[night] / "checklist.toml").write_text(CHECKLIST, encoding="utf-8")
        with numbered():
            session, clock, probes = open_session(_made[night] / "checklist.toml", FOUND)
            await night(session, clock, probes)
            await session.close()
    shutil.copytree(_made[night], folder, dirs_exist_ok=True)


def numbered() -> AbstractContextManager[object]:
    """Number the runs, as an id of the real ones is never the same."""
    numbers = itertools.count(1)
    return mock.patch("checklist.session._new_run", side_effect=lambda: f"run-{next(numbers)}")
