import base64
from pathlib import Path
from typing import Any

import pytest

from tui import terminal
from tui.settings import Settings


class Wire:
    """A console's way to its terminal, written down."""

    is_headless = False

    def __init__(self) -> None:
        self.written = ""
        self._driver = self

    def write(self, data: str) -> None:
        self.written += data

    def copy_to_clipboard(self, text: str) -> None:
        self.write(f"\x1b]52;c;{base64.b64encode(text.encode()).decode()}\a")


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("TMUX", raising=False)
    return Wire()


def test_nothing_is_sent_that_was_not_asked_for(wire: Any) -> None:
    terminal.announce(wire, Settings(), "GO", "all is well")
    assert wire.written == ""


@pytest.mark.parametrize(
    ("settings", "written"),
    [
        (Settings(bell=True), "\a"),
        (Settings(desktop_notification="osc9"), "\x1b]9;GO: all, then is well\x1b\\"),
        (Settings(desktop_notification="osc777"), "\x1b]777;notify;GO;all, then is well\x1b\\"),
        (Settings(bell=True, desktop_notification="osc9"), "\a\x1b]9;GO: all, then is well\x1b\\"),
    ],
)
def test_bell_and_desktop_are_told_in_words_that_end_no_sequence(
    wire: Any, settings: Settings, written: str
) -> None:
    terminal.announce(wire, settings, "GO", "all; then\n\x1b\x07 is well")
    assert wire.written == written


@pytest.mark.parametrize("text", ["\x1b\\\x07\x9c\x1b]0;t\x07", "4;1;50", "\x9b31m"])
def test_no_text_can_leave_its_sequence(wire: Any, text: str) -> None:
    terminal.announce(wire, Settings(desktop_notification="osc777"), text, text)
    inside = wire.written.removeprefix("\x1b]777;notify;").removesuffix("\x1b\\")
    assert inside.isprintable()
    assert inside.count(";") == 1


def test_inside_tmux_a_sequence_is_wrapped_for_the_terminal(
    wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUX", "/somewhere,1,0")
    terminal.announce(wire, Settings(desktop_notification="osc9"), "GO", "well")
    assert wire.written == "\x1bPtmux;\x1b\x1b]9;GO: well\x1b\x1b\\\x1b\\"


def test_copying_says_where_it_went_and_when_it_may_be_cut(wire: Any) -> None:
    assert terminal.copy(wire, "증거") == "Sent to the clipboard of the terminal."
    assert wire.written == "\x1b]52;c;7Kad6rGw\a"
    assert "many terminals cut it" in terminal.copy(wire, "x" * 80_000)


TMUX = """#!/bin/sh
echo "$*" > {folder}/words
cat > {folder}/text
exit {code}
"""


@pytest.mark.parametrize("code", [0, 1])
def test_inside_tmux_the_text_goes_to_a_buffer_as_well(
    wire: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    (tmp_path / "tmux").write_text(TMUX.format(folder=tmp_path, code=code))
    (tmp_path / "tmux").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("TMUX", "/somewhere,1,0")
    said = terminal.copy(wire, "evidence")
    assert (tmp_path / "words").read_text() == "load-buffer -w -\n"
    assert (tmp_path / "text").read_text() == "evidence"
    # An old tmux knows no -w; then it is asked as any terminal is.
    assert ("tmux" in said) == (code == 0)
    assert ("]52;" in wire.written) == (code != 0)


@pytest.mark.parametrize(
    ("editor", "words"),
    [
        ("vi", ["vi", "+7", "c.toml"]),
        ("/usr/bin/nvim -R", ["/usr/bin/nvim", "-R", "+7", "c.toml"]),
        ("nano", ["nano", "+7", "c.toml"]),
        ("emacs -nw", ["emacs", "-nw", "+7", "c.toml"]),
        ("micro", ["micro", "+7", "c.toml"]),
        ("kak", ["kak", "+7", "c.toml"]),
        ("hx", ["hx", "c.toml:7"]),
        ("code", ["code", "--wait", "--goto", "c.toml:7"]),
        ("code --wait", ["code", "--wait", "--goto", "c.toml:7"]),
        ("zed", ["zed", "--wait", "c.toml:7"]),
        ("'my editor' --x", ["my editor", "--x", "c.toml"]),
    ],
)
def test_an_editor_is_told_the_line_in_its_own_way(
    monkeypatch: pytest.MonkeyPatch, editor: str, words: list[str]
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", editor)
    assert terminal._command(terminal._editor(), Path("c.toml"), 7) == words


async def test_an_editor_that_is_open_is_neither_opened_again_nor_ended(wire: Any) -> None:
    terminal._away.add(wire)
    try:
        assert await terminal.edit(wire, Path("c.toml"), 1) == ""
    finally:
        terminal._away.discard(wire)
