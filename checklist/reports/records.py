"""Records on disk: each as JSON for programs, and as Markdown and HTML beside it for people."""

import contextlib
from pathlib import Path

import msgspec

from checklist import durable
from checklist.language import gettext as _
from checklist.reports.blocks import rewritten, to_html, to_markdown
from checklist.reports.pages import readiness_page, resolution_page
from checklist.reports.readiness import ReadinessCheck
from checklist.reports.resolution import ResolutionReport
from checklist.reports.status_report import encode

KINDS: dict[str, type[msgspec.Struct]] = {
    "readiness_check": ReadinessCheck,
    "issue_resolution_report": ResolutionReport,
}
"""The records there are, by what the name of their file begins with."""


def render(document: ReadinessCheck | ResolutionReport) -> dict[str, bytes]:
    """Return a record in every form, by the suffix of its file; the JSON comes first."""
    page = readiness_page(document) if isinstance(document, ReadinessCheck) else resolution_page(document)
    return {
        ".json": _encode(document),
        ".md": to_markdown(page).encode(),
        ".html": to_html(page).encode(),
    }


def _encode(document: msgspec.Struct) -> bytes:
    try:
        return encode(document)
    except UnicodeEncodeError:
        plain = rewritten(msgspec.to_builtins(document), _encodable)
        return msgspec.json.format(msgspec.json.encode(plain)) + b"\n"


def _encodable(text: str) -> str:
    """Return a text with a question mark for what cannot be written as UTF-8."""
    return text.encode(errors="replace").decode()


def save(document: ReadinessCheck | ResolutionReport, folder: Path) -> Path:
    """Save a record under `reports/` of a folder, in new files that are on disk when this returns.

    Returns:
        The JSON file; the others have the same name with another suffix.

    Raises:
        OSError: If one of them could not be saved; then none is there.
    """
    files = render(document)
    reports = folder / "reports"
    durable.make_folder(reports)
    kind = next(name for name, type_ in KINDS.items() if isinstance(document, type_))
    stem = f"{kind}_{document.time:%Y%m%d_%H%M%S}"
    for number in range(1, 1000):
        path = reports / (f"{stem}.json" if number == 1 else f"{stem}_{number}.json")
        if any(path.with_suffix(suffix).exists() for suffix in files):
            continue
        # Somebody else may take the name at this very moment.
        with contextlib.suppress(FileExistsError):
            _create(path, files)
            return path
    raise FileExistsError(_("{folder}: a thousand records of the same second").format(folder=reports))


def remove(path: Path) -> None:
    """Take a record away again whose final check could not be recorded, as far as that can be done."""
    for suffix in (".json", ".md", ".html"):
        with contextlib.suppress(OSError):
            path.with_suffix(suffix).unlink()


def _create(path: Path, files: dict[str, bytes]) -> None:
    ours: list[Path] = []
    try:
        for suffix, data in files.items():
            ours.append(path.with_suffix(suffix))
            durable.create(ours[-1], data, private=False)
    except BaseException as error:
        if isinstance(error, FileExistsError):
            ours.pop()
        for left in ours:
            # The last one may stand or not: the sync of the folder is what fails last.
            with contextlib.suppress(OSError):
                if left.read_bytes() == files[left.suffix]:
                    left.unlink()
        raise
