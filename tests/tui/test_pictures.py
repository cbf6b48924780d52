"""Every screen looks as it did. `make goldens` writes anew how, and a person reviews the diff.

They are kept as text, so that a review is possible. `make screenshots` makes the pictures of the README.
"""

import os
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

import pytest

from checklist.language import LANGUAGES
from tests.tui.picture import Shot, alike, svg, written
from tests.tui.scenes import SCENES, SIZES, THEMES, Stage, on_stage

REPOSITORY = Path(__file__).parents[2]
GOLDENS = Path(__file__).parent / "goldens"

WRITE = "WRITE_PICTURES" in os.environ

TRIES = 5
"""Looks at a screen that is not as it should be: on a busy machine it may not be finished yet."""


class Picture(NamedTuple):
    """A picture in the README."""

    scene: str
    language: str = "en"
    theme: str = "dark"


PICTURES = {
    "no-go": Picture("board"),
    "evidence": Picture("evidence"),
    "final-check": Picture("running"),
    "go": Picture("board-go"),
    "help": Picture("help"),
    "light": Picture("board-failed", theme="light"),
    "korean": Picture("board-failed", language="ko"),
}
PICTURE_SIZE = (100, 30)


async def shots_of(stage: Stage, *, thoroughly: bool) -> list[dict[str, Shot]]:
    return [
        {theme: await stage.shoot(size, name, thoroughly=thoroughly) for theme, name in THEMES.items()}
        for size in SIZES
    ]


@pytest.mark.parametrize("speech", LANGUAGES)
@pytest.mark.parametrize("name", SCENES)
async def test_every_screen_looks_as_it_did(
    name: str, speech: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = GOLDENS / f"{name}.{speech}.txt"
    golden = path.read_text(encoding="utf-8") if path.exists() else ""
    async with on_stage(name, speech, tmp_path_factory.getbasetemp()) as stage:
        text = ""
        for number in range(TRIES):
            shots = await shots_of(stage, thoroughly=WRITE or number > 0)
            same = all(map(alike, shots))
            last, text = text, written(shots, golden) if same else "the themes do not show the same\n"
            if text == golden:
                return
            if WRITE and same and text == last:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                return
    for themes in shots:
        for theme, shot in themes.items():
            (tmp_path / f"{shot.size}.{theme}.svg").write_text(svg(shot), encoding="utf-8")
    diff = "\n".join(unified_diff(golden.splitlines(), text.splitlines(), path.name, "now", lineterm="", n=1))
    pytest.fail(f"{name} ({speech}) looks different; as it is now: {tmp_path}/*.svg\n{diff}", pytrace=False)


@pytest.mark.parametrize("name", PICTURES)
async def test_the_pictures_in_the_readme_are_of_this_console(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scene, speech, theme = PICTURES[name]
    path = REPOSITORY / "docs" / "pictures" / f"{name}.svg"
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    async with on_stage(scene, speech, tmp_path_factory.getbasetemp(), PICTURE_SIZE) as stage:
        drawn = ""
        for number in range(TRIES):
            shot = await stage.shoot(PICTURE_SIZE, THEMES[theme], thoroughly=WRITE or number > 0)
            last, drawn = drawn, svg(shot)
            if drawn == before:
                return
            if WRITE and drawn == last:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(drawn, encoding="utf-8")
                return
    pytest.fail(f"{path.name} is out of date; `make screenshots` makes it anew", pytrace=False)


def test_every_picture_is_shown_and_refers_to_nothing_outside() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    files = {path.stem: path for path in (REPOSITORY / "docs" / "pictures").iterdir()}
    assert files.keys() == PICTURES.keys()
    for name, path in files.items():
        assert f"(docs/pictures/{name}.svg)" in readme
        drawn = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        drawn = drawn.replace("https://www.textualize.io", "")
        assert "url(#" in drawn
        assert not any(word in drawn for word in ("http:", "https:", "//", "file:", "@font-face", "/home/"))


def test_there_is_no_golden_of_a_screen_that_is_gone() -> None:
    wanted = {f"{name}.{speech}.txt" for name in SCENES for speech in LANGUAGES}
    assert {path.name for path in GOLDENS.iterdir()} == wanted
