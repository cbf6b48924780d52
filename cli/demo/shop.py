"""The shop of the demo: its backup, its source and the environments it is installed in, each broken."""

import os
import secrets
import shutil
import string
import subprocess
import venv
from importlib import metadata
from pathlib import Path

from cli.demo import scripts

_BACK_UP = """\
# The archive is not what was written: one byte has changed. Make a new backup, with its checksum.
name=shop-$(date +%Y%m%d-%H%M%S).tar
tar -cf "backups/$name" data
cd backups
{sum} "$name" > "$name.sha256"
echo "backups/$name is the newest backup now."
"""

_ORDERS = "order,total\n" + "".join(f"{number},{number % 90}.50\n" for number in range(1, 2001))

_PAYMENTS = """\
import os

import psutil

STRIPE_KEY = "{key}"


def workers() -> int:
    return int(os.environ.get("WORKERS", psutil.cpu_count()))
"""

_MOVE_THE_KEY = """\
# A key stands in the source. Move it to .env, which only you may read, and look it up there.
umask 077
sed -n 's/^STRIPE_KEY = "\\(.*\\)"$/STRIPE_KEY=\\1/p' shop/payments.py >> .env
sed 's/^STRIPE_KEY = ".*"$/STRIPE_KEY = os.environ["STRIPE_KEY"]/' shop/payments.py > payments.new
mv payments.new shop/payments.py
echo "The key is in .env now. Whoever has seen the source has seen it: a real one would be revoked too."
"""

PINNED = "5.9.5"

_PYPROJECT = f"""\
[project]
name = "shop"
version = "1.0.0"
dependencies = ["psutil=={PINNED}"]
"""

_LOCK = f"""\
[[package]]
name = "psutil"
version = "{PINNED}"
description = "Processes and system figures"
optional = false
python-versions = "*"
groups = ["main"]
files = []

[metadata]
lock-version = "2.1"
python-versions = "*"
content-hash = ""
"""

_INSTALL = """\
# The lock file names psutil {pinned}, and production has it. Install that in development too.
from={production}
to={development}
rm -rf $to/psutil*
cp -R $from/psutil* $to
echo "psutil {pinned} is installed in both now."
"""


def back_up(folder: Path) -> dict[str, str]:
    """Make data and a backup of it, and change one byte of that; the script makes a new one.

    Raises:
        CalledProcessError: If there is no tar or no program for checksums.
    """
    (folder / "data").mkdir()
    (folder / "backups").mkdir()
    (folder / "data" / "orders.csv").write_text(_ORDERS)
    sums = "sha256sum" if shutil.which("sha256sum") else "shasum -a 256"
    script = scripts.write(folder, "restore", _BACK_UP.replace("{sum}", sums))
    subprocess.run(["sh", str(script)], check=True, capture_output=True)  # noqa: S607  # there is one everywhere
    backup = next((folder / "backups").glob("*.tar"))
    data = bytearray(backup.read_bytes())
    data[len(data) // 2] ^= 0xFF
    backup.write_bytes(data)
    return {"BACKUP_DIR": str(folder / "backups")}


def write_source(folder: Path) -> dict[str, str]:
    """Write a source tree with a key in it; the script moves the key to where it belongs."""
    source = folder / "shop"
    source.mkdir()
    letters = string.ascii_letters + string.digits
    # Made anew for each demo, and never a real one: nothing like a key stands in this repository.
    key = "_".join(["sk", "live", "".join(secrets.choice(letters) for _ in range(24))])
    (source / "payments.py").write_text(_PAYMENTS.format(key=key))
    (source / "pyproject.toml").write_text(_PYPROJECT)
    (source / "poetry.lock").write_text(_LOCK)
    scripts.write(folder, "secrets", _MOVE_THE_KEY)
    return {"SOURCE_DIR": str(source)}


def install(folder: Path) -> dict[str, str]:
    """Make two environments with different versions of psutil; the script brings them together.

    Both get a copy of the psutil that gonogo has. What production has, calls itself the version that the
    lock file names, so that nothing need be fetched.
    """
    development = _environment(folder / "development", metadata.version("psutil"))
    production = _environment(folder / "production", PINNED)
    places = {"development": development, "production": production}
    relative = {name: os.path.relpath(place, folder) for name, place in places.items()}
    scripts.write(folder, "dependencies", _INSTALL, pinned=PINNED, **relative)
    return {
        f"{name.upper()}_PYTHON": str(folder / name / "bin" / "python")
        for name in ("development", "production")
    }


def _environment(folder: Path, version: str) -> Path:
    """Make a virtual environment with psutil of a version; return its folder of packages."""
    import psutil

    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    original = Path(psutil.__file__).parent
    shutil.copytree(original, packages / "psutil", ignore=shutil.ignore_patterns("__pycache__", "tests"))
    with (packages / "psutil" / "__init__.py").open("a") as file:
        # At its end: psutil holds what stands at the beginning against its compiled part.
        file.write(f'\n__version__ = "{version}"\n')
    told = packages / f"psutil-{version}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: psutil\nVersion: {version}\n")
    (told / "INSTALLER").write_text("gonogo demo\n")
    return packages
