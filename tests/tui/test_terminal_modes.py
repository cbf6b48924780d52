"""What the console does to a real terminal, and what it leaves of it."""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.tui.terminal import Terminal

CHECKLIST = """
[checklist]
title = "Tonight"
[[items]]
id = "slow"
section = "Infrastructure"
title = "Something slow"
[items.probe]
use = "test-async"
do = "sleep"
timeout = "10m"
[[items]]
id = "sign-off"
section = "Release"
title = "The release manager has agreed"
"""
COLOUR = re.compile(rb"\x1b\[(?:[0-9;:]*;)?(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])[;:0-9]*m")
ESCAPE = "\x1b"
CTRL_C, CTRL_P, CTRL_Q, CTRL_Z = "\x03", "\x10", "\x11", "\x1a"
MOUSE_ON, MOUSE_OFF = b"\x1b[?1000h", b"\x1b[?1000l"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "checklist.toml").write_text(CHECKLIST)
    return tmp_path


@pytest.fixture
def environment(tmp_path: Path, gonogo: str) -> dict[str, str]:
    return {
        "PATH": f"{Path(gonogo).parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "HOME": str(tmp_path),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "LANG": "C.UTF-8",
        "LOGNAME": "operator",
        "PS1": "ready> ",
    }


def tour(terminal: Terminal) -> None:
    """Open every kind of window once, and leave."""
    terminal.see("Something slow")
    terminal.press(" ")
    terminal.see("enter saves")
    terminal.press(CTRL_C)
    terminal.see("ctrl+q leaves")
    terminal.press(ESCAPE)
    terminal.gone("enter saves")
    terminal.press("?")
    terminal.see("Claim the item resolved")
    terminal.press("G")
    terminal.see("bell and mouse are set in")
    terminal.press(ESCAPE)
    terminal.gone("bell and mouse are set in")
    terminal.press(":")
    terminal.see("What is to be done?")
    terminal.press("theme")
    terminal.see("Choose the colours")
    terminal.press(ESCAPE)
    terminal.gone("Choose the colours")
    terminal.press("q")
    assert terminal.ended() == 0


def test_without_colour_there_is_no_colour_at_all(
    gonogo: str, folder: Path, environment: dict[str, str]
) -> None:
    with Terminal([gonogo], folder, environment, size=(100, 30)) as terminal:
        tour(terminal)
        assert COLOUR.search(bytes(terminal.raw))
    with Terminal([gonogo], folder, {**environment, "NO_COLOR": "1"}, size=(100, 30)) as terminal:
        tour(terminal)
        assert not COLOUR.findall(bytes(terminal.raw))
        assert b"\x1b[7m" in terminal.raw or b";7;" in terminal.raw or b"\x1b[7;" in terminal.raw


def test_without_utf_8_nothing_but_ascii_is_sent(
    gonogo: str, folder: Path, environment: dict[str, str]
) -> None:
    with Terminal([gonogo], folder, {**environment, "LC_ALL": "C"}, size=(100, 30)) as terminal:
        tour(terminal)
        assert terminal.raw.isascii(), sorted(
            {*terminal.raw.decode(errors="replace")} - {*map(chr, range(128))}
        )


def test_the_smallest_terminal_shows_help_and_palette(
    gonogo: str, folder: Path, environment: dict[str, str]
) -> None:
    with Terminal([gonogo], folder, environment, size=(20, 10)) as terminal:
        terminal.see("NO-GO")
        terminal.press("?")
        terminal.see("Claim the")
        terminal.press("jjjjj")
        terminal.gone("The item")
        terminal.press(ESCAPE)
        terminal.see("Infrastr")
        terminal.press(":")
        terminal.see("What is to")
        terminal.press(ESCAPE)
        terminal.gone("What is to")
        terminal.press("q")
        assert terminal.ended() == 0


def test_ctrl_c_never_leaves_and_ctrl_q_leaves_from_anywhere(
    gonogo: str, folder: Path, environment: dict[str, str]
) -> None:
    with Terminal([gonogo], folder, environment) as terminal:
        terminal.see("Something slow")
        terminal.press(CTRL_C)
        terminal.see("ctrl+q leaves")
        terminal.press(CTRL_C + " " + CTRL_C + CTRL_C)
        terminal.see("enter saves")
        terminal.press("q")
        terminal.see("Infrastructure")
        terminal.press(CTRL_Q)
        assert terminal.ended() == 0


@pytest.mark.parametrize("command", ["gonogo", "make"])
def test_ctrl_z_goes_to_the_shell_and_fg_comes_back_with_what_runs(
    folder: Path, environment: dict[str, str], command: str
) -> None:
    bash = shutil.which("bash")
    assert bash, "bash is essential on Debian"
    (folder / "Makefile").write_text("run:\n\t@gonogo\n")
    argv = [bash, "--norc", "--noprofile", "-i"]
    with Terminal(argv, folder, environment, size=(100, 30)) as terminal:
        terminal.see("ready>")
        terminal.press(f"{command}\n")
        terminal.see("Something slow")
        terminal.press("r")
        terminal.see("running for")
        for _ in range(2):
            before = len(terminal.raw)
            terminal.press(CTRL_Z)
            terminal.come("Stopped", before)
            terminal.come("ready>", terminal.raw.rfind(b"Stopped"))
            terminal.press("stty -a | tr ' ' '\\n' | grep -x -e icanon -e echo | paste -sd+\n")
            terminal.see("icanon+echo")
            # In the background it waits for its turn.
            terminal.press("bg\n")
            terminal.press("echo mar''ker\n")
            terminal.see("marker")
            terminal.press("clear\n")
            terminal.gone("running for")
            terminal.press("fg\n")
            terminal.see("running for")
        terminal.press("x")
        terminal.gone("running for")
        terminal.press("q")
        terminal.see("ready>")
        terminal.press("exit\n")
        terminal.ended()
        for taken, given_back in ((b"?1049h", b"?1049l"), (b"?25l", b"?25h"), (b"?1000h", b"?1000l")):
            assert -1 < terminal.raw.rfind(taken) < terminal.raw.rfind(given_back)


def test_ctrl_z_without_a_shell_says_so_and_does_not_stand_still(
    gonogo: str, folder: Path, environment: dict[str, str]
) -> None:
    with Terminal([gonogo], folder, environment) as terminal:
        terminal.see("Something slow")
        terminal.press(CTRL_Z)
        terminal.see("There is no shell here")
        terminal.press("q")
        assert terminal.ended() == 0


def test_the_mouse_is_left_to_the_terminal_and_taken_back(folder: Path, environment: dict[str, str]) -> None:
    bash = shutil.which("bash")
    assert bash, "bash is essential on Debian"
    argv = [bash, "--norc", "--noprofile", "-i"]
    with Terminal(argv, folder, environment, size=(100, 30)) as terminal:
        terminal.see("ready>")
        terminal.press("gonogo\n")
        terminal.see("Something slow")
        assert MOUSE_ON in terminal.raw
        terminal.press("m")
        terminal.see("The mouse is the terminal's")
        assert terminal.raw.rfind(MOUSE_ON) < terminal.raw.rfind(MOUSE_OFF)
        mark = len(terminal.raw)
        terminal.press(CTRL_Z)
        terminal.see("Stopped")
        terminal.see("ready>")
        terminal.press("clear\n")
        terminal.gone("Something slow")
        terminal.press("fg\n")
        terminal.see("Something slow")
        terminal.press(":")
        terminal.see("What is to be done?")
        terminal.press("theme")
        terminal.see("Choose the colours")
        terminal.press("\r")
        terminal.see("Which theme?")
        terminal.press("nord\r")
        terminal.see("Something slow")
        assert MOUSE_ON not in terminal.raw[mark:]
        terminal.press("m")
        terminal.see("The mouse is the console's")
        assert MOUSE_ON in terminal.raw[mark:]
        terminal.press("q")
        terminal.see("ready>")


def test_a_mouse_that_was_not_wanted_is_never_taken(
    gonogo: str, folder: Path, environment: dict[str, str]
) -> None:
    (folder / ".config" / "gonogo").mkdir(parents=True)
    (folder / ".config" / "gonogo" / "config.toml").write_text("mouse = false\n")
    with Terminal([gonogo], folder, environment) as terminal:
        terminal.see("Something slow")
        assert MOUSE_ON not in terminal.raw
        terminal.press("m")
        terminal.see("The mouse is the console's")
        assert MOUSE_ON in terminal.raw
        terminal.press("q")
        assert terminal.ended() == 0
        assert terminal.raw.rfind(MOUSE_ON) < terminal.raw.rfind(MOUSE_OFF)


def test_what_is_chosen_stands_out_without_colour(
    gonogo: str, folder: Path, environment: dict[str, str]
) -> None:
    with Terminal([gonogo], folder, {**environment, "NO_COLOR": "1"}) as terminal:
        terminal.see("Something slow")
        terminal.press(":")
        terminal.see("Run this item's own probe")
        first = next(y for y, line in enumerate(terminal.screen.display) if "Resolve  space" in line)
        assert terminal.screen.buffer[first][4].underscore
        assert not terminal.screen.buffer[first + 3][4].underscore
        terminal.press(ESCAPE)
        terminal.gone("Run this item's own probe")
        terminal.press("q")
        assert terminal.ended() == 0


def back(terminal: Terminal, mark: int) -> None:
    """Wait until the console has its screen again; what is read here knows one screen for all programs."""
    wait_until(lambda: terminal._read(0.05) and b"?1049h" in terminal.raw[mark:], "the console is back")


PASS = 'use = "test-async"\ndo = "pass"'
EDITOR = """#!/bin/sh
echo "$0 $* color=${NO_COLOR-none}" > args
echo EDITING
read answer
echo "# $answer" >> "$2"
exit "${CODE:-0}"
"""


@pytest.fixture
def editor(folder: Path) -> str:
    path = folder / "vim"
    path.write_text(EDITOR)
    path.chmod(0o755)
    return str(path)


def test_the_editor_opens_at_the_line_and_runs_go_on(
    gonogo: str, folder: Path, environment: dict[str, str], editor: str
) -> None:
    text = CHECKLIST.replace('do = "sleep"\ntimeout = "10m"', 'do = "pass"').replace("Tonight", "Tonight!")
    (folder / "checklist.toml").write_text(text)
    line = text[: text.index('id = "sign-off"')].count("\n")
    with Terminal([gonogo], folder, {**environment, "VISUAL": editor, "NO_COLOR": "1"}) as terminal:
        terminal.see("Something slow")
        terminal.press("Ge")
        terminal.see("EDITING")
        assert b"?1049l" in terminal.raw
        # A key for the editor is none for the console.
        mark = len(terminal.raw)
        terminal.press("q\n")
        back(terminal, mark)
        assert (folder / "args").read_text() == f"{editor} +{line} {folder}/checklist.toml color=1\n"
        assert (folder / "checklist.toml").read_text().endswith("# q\n")
        terminal.press("?")
        terminal.see("Claim the item")
        terminal.press(ESCAPE)
        terminal.gone("Claim the item")
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("/no/such/editor -x", "cannot be started"),
        ("false", "exit code 1"),
        ("sh -c 'kill $$'", "exit code -15"),
    ],
)
def test_an_editor_that_fails_is_told_of(
    gonogo: str, folder: Path, environment: dict[str, str], value: str, said: str
) -> None:
    with Terminal([gonogo], folder, {**environment, "EDITOR": value}, size=(160, 30)) as terminal:
        terminal.see("Something slow")
        terminal.press("e")
        terminal.see(said)
        terminal.press("q")
        assert terminal.ended() == 0


def test_ctrl_c_in_the_editor_is_the_editors(
    gonogo: str, folder: Path, environment: dict[str, str], editor: str
) -> None:
    with Terminal([gonogo], folder, {**environment, "EDITOR": editor}, size=(160, 30)) as terminal:
        terminal.see("Something slow")
        terminal.press("e")
        terminal.see("EDITING")
        terminal.press(CTRL_C)
        terminal.see("exit code -2")
        terminal.press("q")
        assert terminal.ended() == 0


def test_what_runs_ends_while_the_editor_is_open(
    gonogo: str, folder: Path, environment: dict[str, str], editor: str
) -> None:
    items = "".join(
        f'[[items]]\nid = "i{n}"\nsection = "S"\ntitle = "T"\n[items.probe]\n{PASS}\n' for n in range(60)
    )
    (folder / "checklist.toml").write_text(CHECKLIST + items)
    status = folder / "checklist.status.toml"
    with Terminal([gonogo], folder, {**environment, "EDITOR": editor}) as terminal:
        terminal.see("Something slow")
        terminal.press("Re")
        terminal.see("EDITING")
        # More is drawn meanwhile than Textual's queue would hold.
        wait_until(lambda: status.exists() and status.read_text().count('verdict = "pass"') > 50, "it ran")
        mark = len(terminal.raw)
        terminal.press("\n")
        back(terminal, mark)
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.mark.parametrize("kind", ["", "dumb"])
def test_a_terminal_that_cannot_be_drawn_on_is_told_and_left_alone(
    gonogo: str, folder: Path, environment: dict[str, str], kind: str
) -> None:
    with Terminal([gonogo], folder, {**environment, "TERM": kind}) as terminal:
        assert terminal.ended() == 2
        assert "set TERM" in terminal.text
        assert b"\x1b" not in terminal.raw
