from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from rich.cells import cell_len

from checklist import glyphs
from checklist.journal import Entry
from checklist.session import Session
from tests.checklist.making import HEAD, LOOKED, NOW, attestation, claim, hours, item, manual, reopening
from tests.tui.conftest import open_desk, screen_text, wait_for
from tests.tui.showing import OnePane, check, found, shown
from tui import keymap
from tui.messages import CheckOpened, Left, StepTicked
from tui.widgets.detail import Detail
from tui.widgets.facts import head

ROOMY = (60, 50)
TIRED = item(cause="too little memory", steps=("Grow it", "Look again"), owner="Ann", repair="grow --by 2G")
FULL = check("memory", "fail", observed=91, unit="%", limit=80, message="Memory at 91 %.", hint="Grow it.")
WELL = check("clients", observed=12, limit=100, message="12 clients.")
WORD = check("policy", observed="lru", message="The policy is lru.")


@pytest.fixture(autouse=True)
def _same_glyphs() -> Iterator[None]:
    glyphs.choose(unicode=True)
    yield
    glyphs.choose(unicode=True)


def key_of(name: str) -> str:
    """Return the key of a binding as it comes."""
    return keymap.written(keymap.bindings()[name].key.partition(",")[0])


def plain(text: str) -> str:
    """Return what stands in the pane as running text, however it is wrapped."""
    return " ".join(line.strip("│┃╭╮╰╯─━┏┓┗┛ ▌") for line in text.splitlines())


# What comes first


async def test_what_holds_it_and_what_to_do_stand_before_everything_else() -> None:
    evidence = found(WELL, FULL, hint="Grow it.", summary="Memory at 91 %.")
    app = OnePane(shown(evidence, TIRED, attestation=None))
    async with app.run_test(size=ROOMY):
        entry = Entry(
            number=1,
            at=LOOKED,
            what="found",
            by="Bob",
            item="cache",
            why="full",
            run="run-1",
            data={},
            edited=False,
            revision=1,
            checklist="",
            facts="",
            previous="",
        )
        app.detail.tell("cache", [entry])
        await wait_for(lambda: "History" in screen_text(app), "the history")
        text = plain(screen_text(app))
        order = [
            "cache is well",
            "open",
            "then r looks again",
            "fail: Memory at 91 %.",
            "→ Grow it.",
            "$ grow --by 2G",
            "ctrl+z: the shell; fg: back here",
            "Evidence",
            "60 min ago",
            "memory",
            "clients",
            "Steps",
            "[ ] Grow it",
            "Owner: Ann",
            "History",
            "Bob: found",
        ]
        places = [text.find(words) for words in order]
        assert -1 not in places
        assert places == sorted(places), text
        assert text.count("→ Grow it.") == text.count("Memory at 91 %.") == 1
        assert app.detail.ran_by == "Bob"


@pytest.mark.parametrize("word", [{"claim": claim(NOW)}, {"reopening": reopening(NOW)}])
async def test_advice_that_may_be_followed_already_does_not_stand_first(word: dict[str, Any]) -> None:
    app = OnePane(shown(found(FULL, hint="Grow it.", summary="Memory at 91 %."), TIRED, **word))
    async with app.run_test(size=ROOMY):
        text = plain(screen_text(app))
        assert "r runs its probe" in text
        assert "Found before it was re" in text
        assert "$ grow" not in text
        assert text.find("Evidence") < text.find("Memory at 91 %.")


@pytest.mark.parametrize(
    ("about", "facts", "asked"),
    [
        (item(), {}, "never looked at: r runs its probe"),
        (item(), {"evidence": found(WELL)}, "proven by its own probe"),
        (item(), {"evidence": found(WELL, at=hours(-30))}, "its proof is too old: r runs its probe"),
        (item(), {"claim": claim()}, "claimed, not proven: r runs its probe"),
        (manual(), {}, "nobody answers for it yet: space attests it"),
        (manual(), {"attestation": attestation(manual())}, "a person's word, not measured"),
        (
            manual(),
            {"attestation": attestation(item("other"))},
            "edited since it was attested: space attests",
        ),
        (item(severity="advisory"), {}, "advisory: it does not hold the gate"),
    ],
)
def test_a_state_says_what_it_asks_for_and_which_key_does_it(
    about: Any, facts: dict[str, Any], asked: str
) -> None:
    assert asked in "\n".join(line.plain for line in head(shown(about=about, **facts), key_of))


async def test_a_proof_of_another_item_text_says_that_it_was_edited_not_that_it_is_old(
    tmp_path: Path,
) -> None:
    path = tmp_path / "checklist.toml"
    text = f'{HEAD}\n[[items]]\nid = "cache"\nsection = "S"\ntitle = "T"\n[items.probe]\nuse = "test-async"\n'
    path.write_text(text)
    session = Session.open(path)
    await session.run("cache")
    await session.close()
    path.write_text(text.replace('"T"', '"Another"'))
    report = Session.open(path).report().items[0]
    assert "edited since it was proven" in head(report, key_of)[1].plain


async def test_what_waits_names_what_it_waits_for(tmp_path: Path) -> None:
    text = (
        f'{HEAD}\n[[items]]\nid = "a"\nsection = "S"\ntitle = "A"\n'
        '[[items]]\nid = "b"\nsection = "S"\ntitle = "B"\nafter = ["a"]\n[items.probe]\nuse = "test-async"\n'
    )
    async with open_desk(tmp_path, text) as desk:
        await desk.press("j")
        await desk.see("inhibited  waits for a")


async def test_the_last_final_checks_become_a_trend_beside_the_figure() -> None:
    newest = check("memory", observed=9, limit=10)
    app = OnePane(shown(found(newest)))
    async with app.run_test(size=ROOMY):
        assert "█" not in screen_text(app)
        past = [found(check("memory", observed=value, limit=10), at=hours(-9 + value)) for value in (1, 5)]
        app.detail.trace("cache", past)
        await wait_for(lambda: "memory  9 / 10  ━━━━━━─┃──  ▁▅█" in screen_text(app), "the trend")
        app.detail.trace("another", past)
        await wait_for(lambda: "█" not in screen_text(app), "a trend of another item is not shown")


# The cursor


async def test_the_cursor_goes_over_evidence_and_steps_and_opens_and_ticks() -> None:
    app = OnePane(shown(found(WELL, FULL), TIRED))
    async with app.run_test(size=ROOMY) as pilot:
        assert app.cursor == "memory"
        await pilot.press("enter", "j", "right", "space", "j", "space", "j", "l", "j", "k")
        assert app.cursor == "Grow it"
        await pilot.press("escape")
        opened, also, refused, ticked, again, left = app.messages
        assert (opened.name, also.name) == ("memory", "clients")  # type: ignore[attr-defined]  # by its kind below
        assert (ticked.step, again.step) == ("Grow it", "Look again")  # type: ignore[attr-defined]  # as above
        assert isinstance(refused, str)
        assert isinstance(opened, CheckOpened)
        assert isinstance(ticked, StepTicked)
        assert isinstance(left, Left)


@pytest.mark.parametrize("unicode", [True, False])
async def test_the_cursor_is_seen_without_colour_and_only_with_the_focus(*, unicode: bool) -> None:
    glyphs.choose(unicode=unicode)
    app = OnePane(shown(found(WELL, FULL)))
    async with app.run_test(size=ROOMY) as pilot:
        cursor = glyphs.glyphs().cursor
        await pilot.press("j")
        assert [line[1] for line in screen_text(app).splitlines() if "clients" in line] == [cursor]
        app.set_focus(None)
        await pilot.pause()
        assert f"{cursor}" not in "".join(line[1] for line in screen_text(app).splitlines()[1:-1])


async def test_steps_of_the_same_words_can_each_be_reached() -> None:
    app = OnePane(shown(about=item(steps=("Again", "Again", "Last"))))
    async with app.run_test(size=ROOMY) as pilot:
        await pilot.press("j", "j")
        assert app.cursor == "Last"


async def test_a_click_opens_a_line_of_evidence_and_ticks_a_step() -> None:
    app = OnePane(shown(found(WELL, FULL), TIRED))
    async with app.run_test(size=ROOMY) as pilot:
        for words in ("clients", "[ ] Look again", "Owner"):
            lines = screen_text(app).splitlines()
            await pilot.click(offset=(5, next(y for y, line in enumerate(lines) if words in line)))
        opened, ticked = app.messages
        assert isinstance(opened, CheckOpened)
        assert isinstance(ticked, StepTicked)
        assert (opened.name, ticked.step) == ("clients", "Look again")


async def test_the_cursor_stays_on_its_line_when_the_evidence_is_another() -> None:
    app = OnePane(shown(found(FULL, WELL)))
    async with app.run_test(size=ROOMY) as pilot:
        await pilot.press("j")
        assert app.cursor == "clients"
        app.detail.show(shown(found(WORD, WELL)), NOW, None)
        assert app.cursor == "clients"
        app.detail.show(shown(found(WORD)), NOW, None)
        assert app.cursor == "policy"


async def test_letters_that_come_in_parts_are_drawn_whole() -> None:
    parts = normalize("NFD", "한글 제목")
    async with OnePane(shown(about=item(title=f"{parts}\u200d", steps=(parts,)))).run_test(
        size=ROOMY
    ) as pilot:
        assert screen_text(pilot.app).count("한글 제목") == 2


async def test_long_text_scrolls_to_its_end_and_back_with_every_key() -> None:
    long = check("log", "fail", message="\n".join(f"line {number}" for number in range(60)))
    app = OnePane(shown(found(long, WELL), item(steps=("The last step",))))
    async with app.run_test(size=(40, 15)) as pilot:
        for down, up in (("G", "g"), ("end", "home")):
            await pilot.press(down)
            assert "Owner" in screen_text(app)
            await pilot.press(up)
            assert "cache is well" in screen_text(app)
        for _ in range(90):
            await pilot.press("j")
        assert "The last step" in screen_text(app)
        assert app.cursor == "The last step"
        await pilot.press("pageup", "ctrl+u")
        assert app.cursor in {"log", "clients"}
        for _ in range(90):
            await pilot.press("k")
        assert "cache is well" in screen_text(app)
        assert app.cursor == "log"
        await pilot.press("pagedown")
        assert "line 1" in screen_text(app)


async def test_without_anything_to_open_the_keys_say_so() -> None:
    app = OnePane(shown(about=manual()))
    async with app.run_test(size=ROOMY) as pilot:
        await pilot.press("enter", "space", "j", "k", "g", "G", "pageup", "pagedown")
        assert [type(message) for message in app.messages] == [str, str]


# Drawing no more than needed


async def test_while_a_probe_runs_only_the_line_that_says_so_is_drawn_and_once_a_second() -> None:
    app = OnePane(shown(found(FULL, WELL), TIRED))
    async with app.run_test(size=ROOMY) as pilot:
        drawn: list[int] = []
        real = Detail.render_line

        def counted(self: Detail, y: int) -> Any:
            drawn.append(y)
            return real(self, y)

        app.detail.show(app.item, NOW, 0.0)
        await wait_for(lambda: "running for 0 s" in screen_text(app), "it runs")
        screen_text(app)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Detail, "render_line", counted)
            for quarter in range(1, 4):
                app.detail.show(app.item, NOW, quarter / 4)
            app.detail.tell("another", ())
            await pilot.pause()
            assert drawn == []
            app.detail.show(app.item, NOW, 1.0)
            await pilot.pause()
            assert len(set(drawn)) == 1
            await wait_for(lambda: "running for 1 s" in screen_text(app), "a second later")


# Any terminal


@pytest.mark.parametrize("unicode", [True, False])
@pytest.mark.parametrize("width", [4, 8, 20, 33, 80, 200])
async def test_any_width_and_any_script_fits(width: int, *, unicode: bool) -> None:
    glyphs.choose(unicode=unicode)
    korean = check(
        "메모리 사용량", "fail", observed=91, unit="%", limit=80, message="메모리가 부족합니다. " * 9
    )
    long = check("x" * 150, "warn", observed="y" * 90, limit="z" * 90, hint="[/] [b]go[/b]")
    about = item(title="캐시 서버가 정상이다 [/", steps=("한 단계 " * 20,), repair="고치다 " * 20)
    app = OnePane(shown(found(korean, long, FULL, WELL), about))
    async with app.run_test(size=(width, 24)) as pilot:
        for _ in range(12):
            await pilot.press("j")
        assert all(cell_len(line) == width for line in screen_text(app).splitlines())
        if not unicode:
            texts = [line.plain for block in app.detail.whole(width) for _indent, line in block.lines]
            assert not set("".join(texts)) & set("→━─┃▁▂▃▄▅▆▇█✓✗…▌")


# What is copied


async def test_a_secret_of_the_environment_is_in_nothing_that_is_copied_or_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CACHE_TOKEN", "hunter2-and-more")
    text = (
        f'{HEAD}\n[[items]]\nid = "cache"\nsection = "S"\ntitle = "T"\nrepair = "use ${{CACHE_TOKEN}}"\n'
        '[items.probe]\nuse = "test-blocking"\ndo = "doubt"\ntext = "Refused ${CACHE_TOKEN}."\n'
    )
    async with open_desk(tmp_path, text) as desk:
        await desk.press("r")
        await desk.see("Refused ***.")
        detail = desk.app.screen.query_one(Detail)
        assert "hunter2" not in desk.text + detail.copied
        assert "Refused ***." in detail.copied
        assert "use ${CACHE_TOKEN}" in detail.copied


async def test_with_the_cursor_on_a_line_of_evidence_that_line_is_copied() -> None:
    app = OnePane(shown(found(FULL, WELL)))
    async with app.run_test(size=ROOMY) as pilot:
        await pilot.press("j")
        assert app.detail.copied == "✓ cache: clients  12 (limit 100)  12 clients.\n"
        app.set_focus(None)
        await pilot.pause()
        assert app.detail.copied.count("\n") == 4


async def test_the_keys_that_are_told_are_those_that_were_chosen() -> None:
    app = OnePane(shown())
    app.set_keymap({"run": "question_mark", "cancel": "f9"})
    async with app.run_test(size=ROOMY):
        app.detail.show(app.item, NOW, 3)
        await wait_for(lambda: "never looked at: ? runs its probe" in screen_text(app), "the key")
        assert "running for 3 s; f9 stops it" in screen_text(app)
