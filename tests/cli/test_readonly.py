"""`gonogo --readonly`: a console to look only."""

import sys
from pathlib import Path

import pytest

from checklist.session import Session
from cli.main import main


@pytest.mark.parametrize(
    ("args", "readonly"),
    [
        ((), False),
        (("--readonly",), True),
        (("--readonly", "checklist.toml"), True),
        (("checklist.toml", "--readonly"), True),
        (("--lang", "en", "--readonly", "--checklist", "checklist.toml"), True),
    ],
)
def test_the_console_is_opened_to_look_only_if_that_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], readonly: bool
) -> None:
    opened: list[bool] = []

    def open_console(session: Session) -> int:
        opened.append(session.readonly)
        return 0

    monkeypatch.setenv("LANGUAGE", "")  # as it was afterwards
    monkeypatch.chdir(folder)
    monkeypatch.setattr("tui.app.open_console", open_console)
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "argv", ["gonogo", *args])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert opened == [readonly]


def test_a_command_takes_no_readonly(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LANGUAGE", "")
    monkeypatch.setattr(sys, "argv", ["gonogo", "--readonly", "status"])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert "--readonly" in capfd.readouterr().err
