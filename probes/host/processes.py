"""What runs on this machine and where it listens."""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from probes.figures import held
from probes.host.parameters import HostParameters
from probes.outcome import CannotTell, Check, Reason, Verdict

Address = IPv4Address | IPv6Address

_MOST_PORTS = 65535
# linux/sock_diag.h and linux/inet_diag.h
_SOCK_DIAG, _BY_FAMILY, _V6_ONLY = 4, 20, 11
_GONE = ("zombie", "dead")
_OWN = 2
"""Above a run: the server that forked it, and the program that started that one."""
_STOPPED = ("stopped", "tracing-stop")


class Process(NamedTuple):
    """A process as the system shows it to us.

    Attributes:
        pid: Its number.
        name: The name of its program, or what it calls itself.
        line: Its command line; empty for what the kernel runs, None if it is kept from us or is gone.
        status: In psutil's words.
    """

    pid: int
    name: str
    line: str | None
    status: str

    @property
    def runs(self) -> bool:
        """Whether it does anything."""
        return self.status not in _GONE + _STOPPED


class Place(NamedTuple):
    """Where something may listen; without an address on any."""

    address: Address | None
    port: int

    def __str__(self) -> str:
        """Write it as one would in an address."""
        if self.address is None:
            return f"port {self.port}"
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"  # noqa: PLR2004  # the version


def _six_only() -> set[int]:
    """Return the ports on which a socket of IPv6 alone listens, as the kernel tells; none if it does not.

    nginx makes such sockets unless told otherwise, and `/proc` shows them like any other.
    """
    found: set[int] = set()
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
            kernel.settimeout(1)
            # A dump (flags 0x301) of all TCP sockets of IPv6 that listen (state 10).
            ask = struct.pack("=BBxxI48x", socket.AF_INET6, socket.IPPROTO_TCP, 1 << 10)
            kernel.send(struct.pack("=IHHII", 16 + len(ask), _BY_FAMILY, 0x301, 1, 0) + ask)
            while True:
                said = kernel.recv(1 << 18)
                while said:
                    length, kind = struct.unpack_from("=IH", said)
                    if kind != _BY_FAMILY:
                        return found
                    if _attribute(said[16 + 72 : length], _V6_ONLY) == b"\1":
                        found.add(int.from_bytes(said[20:22], "big"))
                    said = said[length + 3 & ~3 :]
    except (OSError, AttributeError, struct.error):
        return found


def _attribute(data: bytes, wanted: int) -> bytes:
    while data:
        length, kind = struct.unpack_from("=HH", data)
        if kind == wanted:
            return data[4:length]
        data = data[max(4, length + 3 & ~3) :]
    return b""


class Listener(NamedTuple):
    """A socket that listens; who it belongs to is known for our own processes, and to root."""

    place: Place
    pid: int | None


def processes() -> list[Process]:
    """Return all processes but gonogo's own.

    Those above it, such as the sshd of a login, have a name only: their command lines may hold our patterns.
    """
    import psutil

    own, above = {os.getpid()}, set()
    with contextlib.suppress(psutil.Error):
        parents = [parent.pid for parent in psutil.Process().parents()]
        own |= {*parents[:_OWN]}
        above = {*parents[_OWN:]}
    found = []
    for process in psutil.process_iter(["name", "cmdline", "status"]):
        words = process.info["cmdline"]
        line = None if words is None else "" if process.pid in above else " ".join(words)
        if process.pid not in own:
            found.append(Process(process.pid, process.info["name"] or "", line, process.info["status"] or ""))
    return found


def matching(pattern: str) -> list[Process]:
    """Return the processes whose name or command line matches a pattern.

    Raises:
        CannotTell: With `forbidden`, if none runs that we can see, but some are hidden from us.
    """
    every = processes()
    found = [
        each for each in every if any(fnmatchcase(text or "", pattern) for text in (each.name, each.line))
    ]
    if not any(process.runs for process in found) and not _sees_all(every):
        line = f"No {pattern} is seen, but this system hides the processes of other users."
        raise CannotTell(Reason.FORBIDDEN, line, "Run gonogo as root, or as the user that it runs as.")
    return found


def _sees_all(every: list[Process]) -> bool:
    """Tell whether no process is hidden from us, neither its command line nor all of it (`hidepid`)."""
    import psutil

    return 1 in psutil.pids() and all(each.line is not None or each.status in _GONE for each in every)


def running(pattern: str) -> Iterator[Check]:
    """Judge whether a process that must run does."""
    found = matching(pattern)
    count = sum(process.runs for process in found)
    if count:
        line = f"{pattern} runs: {_pids(found)}."
        yield Check(name=f"running {pattern}", verdict=Verdict.PASS, observed=count, limit=1, message=line)
        return
    stopped = [process for process in found if process.status in _STOPPED]
    if stopped:
        line, hint = f"{pattern} is stopped: {_pids(stopped)}.", f"Let it go on: kill -CONT {stopped[0].pid}."
    elif found:
        line = f"{pattern} has ended and is left as a zombie: {_pids(found)}."
        hint = "Start it again, and see to its parent, which does not notice."
    else:
        line, hint = f"{pattern} does not run.", "Start it, and read in its log why it ended."
    yield Check(name=f"running {pattern}", verdict=Verdict.FAIL, observed=0, limit=1, message=line, hint=hint)


def not_running(pattern: str) -> Iterator[Check]:
    """Judge whether a process that must not be there is."""
    found = [process for process in matching(pattern) if process.status not in _GONE]
    name = f"not running {pattern}"
    if not found:
        line = f"{pattern} does not run."
        yield Check(name=name, verdict=Verdict.PASS, observed=0, limit=0, message=line)
        return
    yield Check(
        name=name,
        verdict=Verdict.FAIL,
        observed=len(found),
        limit=0,
        message=f"{pattern} runs: {_pids(found)}.",
        hint=f"Stop it, and keep it from being started again: kill {found[0].pid}.",
    )


def files_of(pattern: str, params: HostParameters) -> Iterator[Check]:
    """Judge the open files of each process against its own limit; the worst of them speaks.

    Raises:
        CannotTell: If there is no such process, or if its files are not ours to count.
    """
    import psutil

    counted = []
    for process in matching(pattern):
        try:
            handle = psutil.Process(process.pid)
            used, (most, _) = handle.num_fds(), handle.rlimit(psutil.RLIMIT_NOFILE)
        except psutil.NoSuchProcess:
            continue
        except psutil.AccessDenied:
            found = f"The open files of {process.name} (pid {process.pid}) may not be counted."
            raise CannotTell(Reason.FORBIDDEN, found, "Run gonogo as root, or as the user of it.") from None
        except AttributeError:
            found = "This system does not tell how many files a process may open."
            raise CannotTell(Reason.MISSING, found, "Take files_of away.") from None
        if most > 0:
            counted.append((used / most, used, most, process))
    if not counted:
        found = f"{pattern} does not run."
        raise CannotTell(Reason.MISSING, found, "Start it, or correct files_of.")
    share, used, most, worst = max(counted)
    figures = f"{used} of {most} files open that {worst.name} (pid {worst.pid}) may open"
    hint = f"find out what it keeps open (ls -l /proc/{worst.pid}/fd), or raise its limit (LimitNOFILE=)"
    limits = (params.files_warn, params.files_fail)
    yield held(f"files of {pattern}", 100 * share, limits, (figures, hint))


def place(text: str) -> Place:
    """Read a port, or an address and a port: "443", "127.0.0.1:6379", "[::1]:443".

    Raises:
        CannotTell: If it is neither.
    """
    address, _, port = text.strip().rpartition(":")
    bracketed = address.startswith("[") and address.endswith("]")
    try:
        where = None if not address or address == "*" else ip_address(address[1:-1] if bracketed else address)
        number = int(port) if port.isascii() and port.isdigit() else 0
        if not 0 < number <= _MOST_PORTS or (where is not None and (where.version == 6) is not bracketed):  # noqa: PLR2004  # the version
            raise ValueError(text)  # noqa: TRY301  # one way out for all that it is not
    except ValueError:
        found = f"{text} is neither a port nor an address and a port."
        hint = 'Write it like "443", "127.0.0.1:6379" or "[::1]:443".'
        raise CannotTell(Reason.CONFIG, found, hint) from None
    return Place(where, number)


def listeners() -> list[Listener]:
    """Return every TCP socket of this machine, or of this container, that listens.

    Raises:
        CannotTell: If this system shows them to root only.
    """
    import psutil

    try:
        found = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        line = "This system shows to root alone what listens."
        raise CannotTell(Reason.FORBIDDEN, line, "Run gonogo as root.") from None
    return [
        Listener(Place(_plain(socket.laddr.ip), socket.laddr.port), socket.pid)
        for socket in found
        if socket.status == psutil.CONN_LISTEN and socket.laddr
    ]


def listening(text: str) -> Iterator[Check]:
    """Judge whether something listens where it must."""
    wanted = place(text)
    everywhere = [each for each in listeners() if each.place.port == wanted.port]
    found = [each for each in everywhere if _covers(each.place, wanted)]
    if wanted.address is not None and wanted.address.version == 4 and wanted.port in _six_only():  # noqa: PLR2004  # the version
        found = [each for each in found if each.place.address and each.place.address.version == 4]  # noqa: PLR2004  # the version
    name = f"listening {text}"
    if found:
        line = f"{_names(found)}."
        yield Check(name=name, verdict=Verdict.PASS, observed=str(found[0].place), message=line)
        return
    line, hint = f"Nothing listens on {wanted}.", "Start what serves it, and read in its log why it ended."
    if everywhere:
        line = f"Nothing listens on {wanted}; {_names(everywhere)}."
        hint = "Correct the address it binds to."
    yield Check(name=name, verdict=Verdict.FAIL, observed="nothing", message=line, hint=hint)


def not_listening(text: str) -> Iterator[Check]:
    """Judge whether something listens where nothing may."""
    wanted = place(text)
    found = [each for each in listeners() if _covers(each.place, wanted)]
    name = f"not listening {text}"
    if not found:
        line = f"Nothing listens on {wanted}."
        yield Check(name=name, verdict=Verdict.PASS, observed="nothing", message=line)
        return
    yield Check(
        name=name,
        verdict=Verdict.FAIL,
        observed=str(found[0].place),
        message=f"{_names(found)}.",
        hint="Stop it, or bind it to an address that only those who need it can reach.",
    )


def _covers(bound: Place, wanted: Place) -> bool:
    """Tell whether a socket that is bound to one place answers at another."""
    if bound.port != wanted.port:
        return False
    if wanted.address is None or bound.address == wanted.address or bound.address is None:
        return True
    # The unspecified address of IPv6 answers for IPv4 as well.
    return bound.address.is_unspecified and bound.address.version >= wanted.address.version


def _plain(address: str) -> Address:
    """Read an address as the system writes it; an IPv4 one may come in the clothes of IPv6."""
    found = ip_address(address.partition("%")[0])
    return (found.ipv4_mapped if isinstance(found, IPv6Address) else None) or found


def _names(found: list[Listener]) -> str:
    import psutil

    words = []
    for each in dict.fromkeys(found):
        who = "something"
        if each.pid is not None:
            with contextlib.suppress(psutil.Error):
                who = f"{psutil.Process(each.pid).name()} (pid {each.pid})"
        words.append(f"{who} listens on {each.place}")
    text = ", ".join(dict.fromkeys(words))
    return text[:1].upper() + text[1:] if text.startswith("something") else text


def _pids(found: list[Process]) -> str:
    most = 5
    numbers = ", ".join(str(process.pid) for process in found[:most])
    return f"pid {numbers}" + (f" and {len(found) - most} more" if len(found) > most else "")
