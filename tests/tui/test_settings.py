import os
import stat
from pathlib import Path

import pytest

from tests.tui.conftest import open_desk, wait_for
from tui import settings
from tui.settings import Settings

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def configure(home: Path, text: str) -> Settings:
    path = home / ".config" / "gonogo" / "config.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return settings.load()


def test_without_files_everything_is_as_it_comes(home: Path) -> None:
    assert settings.load() == Settings()
    assert settings.config_file() == home / ".config/gonogo/config.toml"


def test_the_folders_of_the_xdg_specification_count(home: Path) -> None:
    environment = {"HOME": str(home), "XDG_CONFIG_HOME": "/etc/a", "XDG_STATE_HOME": "relative"}
    assert settings.config_file(environment) == Path("/etc/a/gonogo/config.toml")
    assert settings.state_file(environment) == home / ".local/state/gonogo/console.toml"


def test_what_is_set_counts(home: Path) -> None:
    text = 'bell = true\ndesktop_notification = "osc9"\nmouse = false\n[keys]\nrun = "n, f5"\nhelp = "H,?"\n'
    found = configure(home, text)
    assert found.troubles == ()
    assert (found.bell, found.desktop_notification, found.mouse) == (True, "osc9", False)
    assert found.keys == {"run": "n,f5", "help": "H,question_mark"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("mouse = false\nbel = true", 2, "unknown key 'bel'; did you mean 'bell'?"),
        ('mouse = false\nbell = "yes"', 2, "bell: expected true or false, got 'yes'"),
        ('mouse = false\ndesktop_notification = "osc8"', 2, "expected one of off, osc9, osc777, got 'osc8'"),
        ("mouse = false\n[keys]\nrunn = 'n'", 3, "no binding 'runn'; did you mean 'run'?"),
        ("mouse = false\n[keys]\nrun = 3", 3, "expected keys such as"),
        ("mouse = false\n[keys]\nrun = 'spcae'", 3, "'spcae' is no key; did you mean 'space'?"),
        ("mouse = false\n[keys]\nrun = 'F5'", 3, "did you mean 'f5'?"),
        ("mouse = false\n[keys]\nrun = 'shift+r'", 3, "did you mean 'R'?"),
        ("mouse = false\n[keys]\nrun = ''", 3, "'' is no key"),
        ("mouse = false\n[keys]\nrun = 'q'", 3, "q is the key of quit already"),
        ("mouse = false\n[keys]\nrun = 'ctrl+q'", 3, "ctrl+q always leaves"),
        ("mouse = false\n[keys]\nquit-always = 'Q'", 3, "keeps its key"),
        ("mouse = false\n[keys]\nquit = 'escape'", 3, "esc goes back"),
        ("mouse = false\n[keys]\nfilter-keep = 'x'", 3, "part of what is typed"),
    ],
)
def test_what_is_wrong_is_told_by_its_line_and_the_rest_counts(
    home: Path, text: str, line: int, said: str
) -> None:
    found = configure(home, text)
    assert found.mouse is False
    assert found.keys == {}
    [trouble] = found.troubles
    assert trouble.startswith(f"{settings.config_file()}:{line}: ")
    assert said in trouble


@pytest.mark.parametrize("text", ["keys = [", "keys = 3", '"" = 1', '"a\\nb" = 1', "\0"])
def test_a_file_that_cannot_be_used_is_told_and_counts_for_nothing(home: Path, text: str) -> None:
    found = configure(home, text)
    assert len(found.troubles) == 1
    assert found == Settings(troubles=found.troubles)


def test_a_folder_in_place_of_the_file_is_told() -> None:
    settings.config_file().mkdir(parents=True)
    assert "cannot be read" in settings.load().troubles[0]


def test_a_pipe_in_place_of_the_file_is_told_and_not_waited_for() -> None:
    settings.config_file().parent.mkdir(parents=True)
    os.mkfifo(settings.config_file())
    assert "not a file" in settings.load().troubles[0]


async def test_the_console_opens_on_a_bad_file_and_says_what_is_wrong(home: Path, tmp_path: Path) -> None:
    found = configure(home, "[keys]\nrunn = 'n'\nrun = '['\n")
    async with open_desk(tmp_path, settings=found) as desk:
        await desk.see("did you mean 'run'?")
        desk.verdict("cache", "pass")
        await desk.press("left_square_bracket")
        await desk.state("cache", "verified")


async def test_a_key_that_was_chosen_stands_in_footer_help_and_palette(home: Path, tmp_path: Path) -> None:
    found = configure(home, "[keys]\nrun = 'n,f5'\nfinal-check = 'r'\n")
    async with open_desk(tmp_path, settings=found) as desk:
        await desk.see("n Run")
        await desk.see("r Final check")
        await desk.press("question_mark")
        await desk.see("n f5  ")
        await desk.press("escape")
        await desk.press("ctrl+p")
        await desk.see("Run  n f5")
        await desk.press("escape")
        await desk.press("f5")
        await desk.state("cache", "verified")
        assert desk.session.states()["slow"] == "open"


async def test_the_theme_that_was_chosen_is_there_at_the_next_start(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.press("ctrl+p")
        await desk.type("theme")
        await desk.see("Choose the colours")
        await desk.press("enter")
        await desk.see("Which theme?")
        await desk.type("nord")
        await desk.see("dark")
        await desk.press("enter")
        await wait_for(lambda: settings.load().theme == "nord", "it is kept")
    assert stat.S_IMODE(settings.state_file().stat().st_mode) == 0o600
    async with open_desk(tmp_path, settings=settings.load()) as desk:
        assert desk.app.theme == "nord"


async def test_the_environment_wins_and_an_unknown_theme_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_desk(tmp_path, settings=Settings(theme="of-another-version")) as desk:
        assert desk.app.theme == "textual-dark"
    monkeypatch.setenv("TEXTUAL_THEME", "textual-dark")
    async with open_desk(tmp_path, settings=Settings(theme="nord")) as desk:
        assert desk.app.theme == "textual-dark"


async def test_a_theme_that_cannot_be_kept_is_told_once_and_holds(home: Path, tmp_path: Path) -> None:
    (home / ".local").write_text("in the way")
    async with open_desk(tmp_path) as desk:
        for theme in ("nord", "dracula"):
            desk.app.theme = theme
            await desk.see("is not kept")
        assert desk.text.count("is not kept") == 1
        assert desk.app.theme == "dracula"
