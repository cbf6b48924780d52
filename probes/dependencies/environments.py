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
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from probes.dependencies.commits import Commits, installed_commit
from probes.outcome import CannotTell, Reason


class Environment(NamedTuple):
    """What is installed somewhere.

    Attributes:
        name: What the checklist calls it.
        packages: The versions of every package, by normalized name; more than one if it is there twice.
        commits: The commit of each package that was installed from a repository, by normalized name.
        requires: The requirements of each package that belong to one of its extras, by normalized name.
        broken: Metadata folders that tell no name or version, or that a broken uninstallation left.
        markers: The marker fields of PEP 508 with their values there.
        pythons: The full versions that its Python may have: one, unless only the folder's name tells it;
            none if nothing does, and the markers are those of the Python that runs this.
        installer: The command that installs a package there, but for the package; none where only the
            system's package manager may install (PEP 668).
    """

    name: str
    packages: dict[str, list[str]]
    commits: dict[str, Commits]
    requires: dict[str, list[str]]
    broken: list[Path]
    markers: dict[str, str]
    pythons: tuple[str, ...]
    installer: tuple[str, ...]


class _Listing(msgspec.Struct):
    packages: list[tuple[str | None, str | None, str, list[str], str]]
    closed: list[str]
    managed: bool
    markers: dict[str, str]


_BEGIN = "gonogo-packages:"
# It goes in on stdin, so that no shell on the way to the interpreter has anything to quote.
_SCRIPT = rf"""
import json, os, platform, re, site, sys, sysconfig
from importlib.metadata import distributions
path = sys.argv[1:]
if not path:
    # -I keeps what lies about from being imported, but hides these two from what is listed.
    path = [os.path.abspath(one) for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    config = os.path.join(sys.prefix, "pyvenv.cfg")
    text = open(config).read() if sys.prefix != sys.base_prefix and os.path.isfile(config) else ""
    alone = re.search(r"(?im)^include-system-site-packages\s*=\s*false", text)
    user = site.getusersitepackages()
    if not alone and os.path.isdir(user) and not os.environ.get("PYTHONNOUSERSITE"):
        path.append(user)
        site.addsitedir(user)
    path += sys.path
packages, closed = [], [one for one in path if os.path.isdir(one) and not os.access(one, os.R_OK | os.X_OK)]
for one in distributions(path=path):
    try:
        name, version = one.metadata.get("Name"), one.metadata.get("Version")
        requires = [text for text in one.requires or () if "extra" in text]
    except Exception:
        name, version, requires = None, None, []
    place = os.path.realpath(str(getattr(one, "_path", "")))
    if not (name and version):
        files = [place] + [os.path.join(place, each) for each in ("METADATA", "PKG-INFO")]
        closed += [each for each in files if os.path.exists(each) and not os.access(each, os.R_OK)]
    try:
        origin = one.read_text("direct_url.json") or ""
    except Exception:
        origin = ""
    packages.append((name, version, place, requires, origin))
v = sys.implementation.version
print("\n{_BEGIN}" + json.dumps({{
    "packages": packages,
    "closed": closed,
    "managed": sys.prefix == sys.base_prefix
    and os.path.isfile(os.path.join(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")),
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
_NOT_IN_CONTAINER = "executable file not found"
# What ssh, docker, podman and kubectl say, in the order in which it is looked for; then what to do.
_SIGNS = {
    _NOT_IN_CONTAINER: (Reason.MISSING, "Correct the path of the Python there, or install one"),
    "host key verification": (Reason.AUTH, "Compare the host's key and accept it once"),
    "daemon socket": (Reason.FORBIDDEN, "Let this user use Docker"),
    "could not resolve": (Reason.DNS, "Correct the host's name, or mend its DNS entry"),
    "daemon running": (Reason.REFUSED, "Start Docker: systemctl start docker"),
    "is not running": (Reason.REFUSED, "Start the container"),
    "was refused": (Reason.REFUSED, "Start the server there, or correct host and port"),
    "connection refused": (Reason.REFUSED, "Start the SSH server there, or correct host and port"),
    "connection closed": (Reason.REFUSED, "See in the SSH server's log why it closes the connection"),
    "connection reset": (Reason.REFUSED, "See in the SSH server's log why it resets the connection"),
    "no route to host": (Reason.REFUSED, "Start that host, or mend the route to it"),
    "unreachable": (Reason.REFUSED, "Mend the network between here and there"),
    "timed out": (Reason.TIMEOUT, "Start that host, or let its firewall pass this one"),
    "forbidden": (Reason.FORBIDDEN, "Let this user run commands there"),
    "permission denied": (Reason.AUTH, "Put this user's public key there, or correct the user"),
    "no such": (Reason.MISSING, "Create it, or correct its name"),
    "notfound": (Reason.MISSING, "Create it, or correct its name"),
}
_MOST_AT_ONCE = 32
_SECRET = re.compile(r"(?i)((?:pass|secret|token|key|auth)[a-z0-9_]*=).+")
_OPTION = re.compile("(?i)--[a-z-]*(?:pass|secret|token)[a-z-]*")  # its value is the next word


def normal(name: str) -> str:
    """Return the one spelling of a package name, by PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_environments(
    places: Mapping[str, str | list[str]], end: float
) -> tuple[list[Environment], dict[str, CannotTell]]:
    """List the packages of environments, all at the same time.

    Args:
        places: Where each one is, by name; see `read_environment`.
        end: When the last one has to have answered, on the monotonic clock.

    Returns:
        Those that could be read, and by name why the others could not.
    """
    from concurrent.futures import ThreadPoolExecutor  # it imports logging, which most commands do without

    def read(name: str) -> Environment | CannotTell:
        try:
            return read_environment(name, places[name], end - time.monotonic())
        except CannotTell as doubt:
            return doubt

    with ThreadPoolExecutor(min(len(places), _MOST_AT_ONCE) or 1) as threads:
        found = dict(zip(places, threads.map(read, places), strict=True))
    return (
        [one for one in found.values() if isinstance(one, Environment)],
        {name: one for name, one in found.items() if isinstance(one, CannotTell)},
    )


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
        hint = f"Let this user read it: chmod -R go+rX {shlex.quote(listing.closed[0])}."
        raise CannotTell(Reason.FORBIDDEN, message, hint)
    if folder and not listing.packages:
        message = f"{name}: no package is installed in {folder}."
        raise CannotTell(Reason.MISSING, message, f"Set {name} to a site-packages folder or a Python.")
    markers = listing.markers
    pythons: tuple[str, ...] = (markers["python_full_version"].rstrip("+"),)
    if folder and (pythons := _pythons_of(folder)):
        short = ".".join(pythons[0].split(".")[:2])
        if len(pythons) == 1 or short != markers["python_version"]:
            markers = {**markers, "python_version": short, "python_full_version": pythons[0]}
    found: dict[str, dict[Path, list[str]]] = {}
    requires: dict[str, list[str]] = {}
    commits: dict[str, Commits] = {}
    broken = []
    for metadata, (package, version, _, extras, origin) in {one[2]: one for one in listing.packages}.items():
        path = Path(metadata)
        # pip renames what it removes to begin with ~, and leaves it so if it is interrupted.
        if not (package and version) or path.name.startswith("~"):
            broken.append(path)
            continue
        # In the same folder, one installation over another. In a later folder of the path it is only
        # shadowed, as the system's packages are in an environment that lets them in.
        folders = found.setdefault(normal(package), {})
        versions = folders.setdefault(path.parent, [])
        # Debian's cryptography has both a dist-info and an egg-info of the one version.
        if version not in versions:
            versions.append(version)
        requires.setdefault(normal(package), extras)
        if len(folders) == 1 and (commit := installed_commit(origin)):
            commits[normal(package)] = commit
    return Environment(
        name,
        {package: next(iter(folders.values())) for package, folders in found.items()},
        commits,
        requires,
        broken,
        markers,
        pythons,
        () if listing.managed and not folder else _installer(folder, command, has_pip="pip" in found),
    )


def _installer(folder: Path | None, command: list[str], *, has_pip: bool) -> tuple[str, ...]:
    if folder:
        home = next((one for one in folder.parents[:3] if (one / "bin" / "python").exists()), None)
        if not home:
            return ("python3", "-m", "pip", "install", "--upgrade", "--target", str(folder))
        command = [str(home / "bin" / "python")]
    if len(command) == 1 and not has_pip:
        return ("python3", "-m", "pip", "--python", *command, "install")
    return (*_harmless(command), "-m", "pip", "install")


def _harmless(command: list[str]) -> list[str]:
    """Mask what may be a password in a command: it is shown, for the operator to type."""
    words = [_SECRET.sub(r"\1***", word) for word in command]
    if Path(words[0]).name == "sshpass":
        words = [re.sub("^(-p).+", r"\1***", word) for word in words]
        words = ["***" if before == "-p" else word for before, word in zip(["", *words], words, strict=False)]
    return [
        "***" if _OPTION.fullmatch(before) else word
        for before, word in zip(["", *words], words, strict=False)
    ]


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
            message = f"The command of environment {name} is broken: {error}."
            hint = f"Quote it as for a shell, or give {name} as a list of words."
            raise CannotTell(Reason.CONFIG, message, hint) from error
    if not words or not all(words):
        raise CannotTell(
            Reason.CONFIG,
            f"The environment {name} is not configured.",
            f"Set {name} to its Python, a command that reaches one, or its site-packages folder.",
        )
    return words


def _pythons_of(folder: Path) -> tuple[str, ...]:
    """Find which Python a site-packages folder belongs to, by the pyvenv.cfg above it or by its path."""
    for parent in list(folder.parents)[:3]:
        with suppress(OSError):
            text = (parent / "pyvenv.cfg").read_text(errors="replace")
            if match := re.search(r"(?m)^version(?:_info)?\s*=\s*(\d+\.\d+\.\d+)", text):
                return (match[1],)
    match = re.search(r"python(\d+\.\d+)", str(folder))
    return (f"{match[1]}.0", f"{match[1]}.99") if match else ()


def _ask(name: str, argv: list[str], limit: float) -> _Listing:
    code, out, complaint = _run(name, argv, limit)
    _, begin, rest = out.rpartition(f"\n{_BEGIN}".encode())
    with suppress(msgspec.DecodeError, UnicodeDecodeError):
        if begin:
            return msgspec.json.decode(rest.partition(b"\n")[0], type=_Listing)
    last = (complaint.strip().splitlines() or [""])[-1][:200].rstrip(".")
    said = f" ({last})" if last else ""
    reason, found, advice = _obstacle(code, complaint.lower(), silent=not out.strip())
    raise CannotTell(reason, f"{name}: {argv[0]} {found}{said}.", f"{advice}; then {_by_hand(argv)}.")


def _obstacle(code: int, complaint: str, *, silent: bool) -> tuple[Reason, str, str]:
    """Return why no Python answered: the reason, what was found and what to do."""
    if code < 0:
        cause = signal.strsignal(-code) or f"signal {-code}"
        advice = "Look for its end in the log of the kernel: dmesg"
        return Reason.CRASHED, f"was ended by a signal: {cause}", advice
    sign = next((sign for sign in _SIGNS if code and sign in complaint), "")
    # A container's runtime ends with one of them for want of a program.
    if code in (_CANNOT_EXECUTE, _COMMAND_NOT_FOUND) and sign != _NOT_IN_CONTAINER:
        if code == _CANNOT_EXECUTE:
            return Reason.FORBIDDEN, "reaches a Python that may not be run", "Let this user run it"
        return Reason.MISSING, "reaches no Python", "Correct the path of the Python there, or install one"
    if sign:
        reason, advice = _SIGNS[sign]
        return reason, "did not reach a Python", advice
    if not code and silent:
        advice = "Let the command pass on its input: docker exec -i, kubectl exec -i, ssh without -n"
        return Reason.PROTOCOL, "ended without a word, as a Python does that gets no input", advice
    advice = "Let the command end in a Python 3.8 or newer"
    return Reason.PROTOCOL, "answered, but not as Python 3.8 or newer does", advice


def _by_hand(argv: list[str]) -> str:
    command = argv[: argv.index("-I")] if "-I" in argv else argv
    return f"try it by hand: {shlex.join([*_harmless(command), '-V'])}"


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
                # What is set for gonogo itself says nothing about an environment.
                env={key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
                start_new_session=True,  # without a terminal ssh cannot stop to ask for a password
            )
        except PermissionError as error:
            message = f"{name}: this user may not run {argv[0]}."
            hint = f"Let this user run it: chmod a+rx {shlex.quote(argv[0])}."
            raise CannotTell(Reason.FORBIDDEN, message, hint) from error
        except (OSError, ValueError) as error:
            message = f"{name}: {argv[0]} is not there, or cannot be run."
            hint = f"Create the environment or correct its path; then {_by_hand(argv)}."
            raise CannotTell(Reason.MISSING, message, hint) from error
    with process:
        try:
            return _collect(process, time.monotonic() + limit)
        except TimeoutError as error:
            message = f"{name}: {argv[0]} gave no answer within {limit:.1f} s."
            hint = f"Raise timeout if that host is slow, or {_by_hand(argv)}."
            raise CannotTell(Reason.TIMEOUT, message, hint) from error
        except OverflowError as error:
            message = f"{name}: {argv[0]} prints without end."
            hint = f"Set {name} to a Python, or a command that ends in one."
            raise CannotTell(Reason.PROTOCOL, message, hint) from error
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
