"""Reads what is installed in a Python environment: here, behind a command such as ssh, or in a folder."""

import os
import re
import selectors
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from probes.outcome import CannotTell, Reason


class Environment(NamedTuple):
    """What is installed somewhere.

    Attributes:
        name: What the checklist calls it.
        packages: The versions of every package, by normalized name; more than one if it is there twice.
        broken: Metadata folders that tell no name or version.
        markers: The marker fields of PEP 508 with their values there.
    """

    name: str
    packages: dict[str, list[str]]
    broken: list[str]
    markers: dict[str, str]


class _Listing(msgspec.Struct):
    packages: list[tuple[str | None, str | None, str]]
    closed: list[str]
    markers: dict[str, str]


_BEGIN = "gonogo-packages:"
# It goes in on stdin, so that no shell on the way to the interpreter has anything to quote.
_SCRIPT = rf"""
import json, os, platform, sys
from importlib.metadata import distributions
path = sys.argv[1:] or sys.path
packages = []
for one in distributions(path=path):
    try:
        name, version = one.metadata.get("Name"), one.metadata.get("Version")
    except Exception:
        name = version = None
    packages.append((name, version, os.path.realpath(str(getattr(one, "_path", "")))))
v = sys.implementation.version
print("\n{_BEGIN}" + json.dumps({{
    "packages": packages,
    "closed": [one for one in path if os.path.isdir(one) and not os.access(one, os.R_OK | os.X_OK)],
    "markers": {{
        "implementation_name": sys.implementation.name,
        "implementation_version": "%d.%d.%d" % v[:3] + ("" if v[3] == "final" else v[3][0] + str(v[4])),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }},
}}))
"""
_MOST_OUTPUT = 16 << 20
_CANNOT_EXECUTE, _COMMAND_NOT_FOUND = 126, 127  # exit codes of every shell, of env, ssh and docker exec
_SIGNS = {
    "could not resolve": Reason.DNS,
    "connection refused": Reason.REFUSED,
    "timed out": Reason.TIMEOUT,
    "permission denied": Reason.AUTH,
    "host key verification": Reason.AUTH,
    "no such": Reason.MISSING,
}


def normal(name: str) -> str:
    """Return the one spelling of a package name, by PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_environment(name: str, place: str | list[str], limit: float) -> Environment:
    """List the packages of an environment.

    Args:
        name: What the checklist calls it.
        place: A Python, a command that ends in one, or a site-packages folder.
        limit: Seconds it may take.

    Raises:
        CannotTell: If it cannot be read, or not all of it.
    """
    folder = _folder(place)
    # A folder too is read in another process: on a dead network mount it can be ended.
    command = [sys.executable] if folder else _command(name, place)
    listing = _ask(name, [*command, "-I", "-", *([str(folder)] if folder else [])], limit)
    if listing.closed:
        message = f"{name}: this user may not read {listing.closed[0]}, so packages could go unseen."
        raise CannotTell(Reason.FORBIDDEN, message)
    if folder and not listing.packages:
        message = f"{name}: no package is installed in {folder}; name a site-packages folder or a Python."
        raise CannotTell(Reason.MISSING, message)
    markers = {**listing.markers, **(_python_of(folder, listing.markers) if folder else {})}
    found: dict[str, dict[Path, list[str]]] = {}
    broken = []
    for package, version, metadata in dict.fromkeys(listing.packages):
        if package and version:
            # In the same folder, one installation over another. In a later folder of the path it is only
            # shadowed, as the system's packages are in an environment that lets them in.
            found.setdefault(normal(package), {}).setdefault(Path(metadata).parent, []).append(version)
        else:
            broken.append(Path(metadata).name)
    packages = {package: next(iter(folders.values())) for package, folders in found.items()}
    return Environment(name, packages, broken, markers)


def _folder(place: str | list[str]) -> Path | None:
    if isinstance(place, str) and place and os.path.isdir(os.path.expanduser(place)):  # noqa: PTH111, PTH112  # Path raises on a long command
        return Path(place).expanduser().resolve()
    return None


def _command(name: str, place: str | list[str]) -> list[str]:
    if isinstance(place, list):
        words = place
    elif os.path.isfile(os.path.expanduser(place)):  # noqa: PTH111, PTH113  # as in _folder
        words = [str(Path(place).expanduser())]
    else:
        try:
            words = shlex.split(place)
        except ValueError as error:
            raise CannotTell(
                Reason.CONFIG, f"The command of environment {name} is broken: {error}."
            ) from error
    if not words or not all(words):
        raise CannotTell(
            Reason.CONFIG,
            f"The environment {name} is not configured: set it to its Python, a command that reaches one, "
            "or its site-packages folder.",
        )
    return words


def _python_of(folder: Path, markers: dict[str, str]) -> dict[str, str]:
    """Find which Python a site-packages folder belongs to, by the pyvenv.cfg above it or by its path."""
    for parent in list(folder.parents)[:3]:
        with suppress(OSError):
            text = (parent / "pyvenv.cfg").read_text(errors="replace")
            if match := re.search(r"(?m)^version(?:_info)?\s*=\s*((\d+\.\d+)\.\d+)", text):
                return {"python_version": match[2], "python_full_version": match[1]}
    match = re.search(r"python(\d+\.\d+)", str(folder))
    if match and match[1] != markers["python_version"]:
        return {"python_version": match[1], "python_full_version": f"{match[1]}.0"}
    return {}


def _ask(name: str, argv: list[str], limit: float) -> _Listing:
    code, out, complaint = _run(name, argv, limit)
    _, begin, rest = out.rpartition(f"\n{_BEGIN}".encode())
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        if begin:
            return msgspec.json.decode(rest.partition(b"\n")[0], type=_Listing)
    last = (complaint.strip().splitlines() or [""])[-1][:200]
    said = f" ({last})" if last else ""
    if code < 0:
        cause = signal.strsignal(-code) or f"signal {-code}"
        raise CannotTell(Reason.CRASHED, f"{name}: {argv[0]} was ended by a signal: {cause}.")
    if code == _CANNOT_EXECUTE:
        raise CannotTell(Reason.FORBIDDEN, f"{name}: the Python behind {argv[0]} may not be run{said}.")
    if code == _COMMAND_NOT_FOUND:
        raise CannotTell(
            Reason.MISSING, f"{name}: there is no Python behind {argv[0]}{said}; correct its path."
        )
    reason = next((reason for sign, reason in _SIGNS.items() if code and sign in complaint.lower()), None)
    if reason:
        raise CannotTell(reason, f"{name}: {argv[0]} did not reach a Python{said}; run it by hand.")
    message = (
        f"{name}: {argv[0]} answered, but not as Python 3.8 or newer does{said}; correct the environment."
    )
    raise CannotTell(Reason.PROTOCOL, message)


def _run(name: str, argv: list[str], limit: float) -> tuple[int, bytes, str]:
    with tempfile.TemporaryFile() as script:
        script.write(_SCRIPT.encode())
        script.seek(0)
        try:
            process = subprocess.Popen(
                argv,
                stdin=script,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,  # without a terminal ssh cannot stop to ask for a password
            )
        except PermissionError as error:
            raise CannotTell(Reason.FORBIDDEN, f"{name}: this user may not run {argv[0]}.") from error
        except (OSError, ValueError) as error:
            message = f"{name}: {argv[0]} cannot be run; correct the path or create the environment."
            raise CannotTell(Reason.MISSING, message) from error
    with process:
        try:
            return _collect(process, time.monotonic() + limit)
        except TimeoutError as error:
            message = (
                f"{name}: {argv[0]} gave no answer within {limit:.1f} s; run it by hand or raise timeout."
            )
            raise CannotTell(Reason.TIMEOUT, message) from error
        except OverflowError as error:
            message = f"{name}: {argv[0]} prints without end; name a Python."
            raise CannotTell(Reason.PROTOCOL, message) from error
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)


def _collect(process: subprocess.Popen[bytes], end: float) -> tuple[int, bytes, str]:
    """Read to the end, but no longer than the process lives: what it started may hold its pipes open."""
    out, complaint = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        for stream, held in ((process.stdout, out), (process.stderr, complaint)):
            if stream:
                selector.register(stream, selectors.EVENT_READ, held)
        while selector.get_map():
            ready = selector.select(min(0.1, max(end - time.monotonic(), 0)))
            for key, _ in ready:
                data = os.read(key.fd, 1 << 16)
                key.data.extend(data)
                if not data:
                    selector.unregister(key.fileobj)
            del complaint[:-4096]
            if len(out) > _MOST_OUTPUT:
                raise OverflowError
            if time.monotonic() > end:
                raise TimeoutError
            if not ready and process.poll() is not None:
                break
    try:
        return process.wait(max(end - time.monotonic(), 0)), bytes(out), complaint.decode(errors="replace")
    except subprocess.TimeoutExpired as error:
        raise TimeoutError from error
