"""Whatever the command says, it says in the language that was chosen."""

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from cli.help import Option
from cli.main import command
from tests.cli.conftest import Call

REPOSITORY = Path(__file__).parents[2]
MODULES = [path for folder in ("checklist", "cli", "tui") for path in (REPOSITORY / folder).rglob("*.py")]

# --lang


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "args", [("--lang", "ko", "status"), ("status", "--lang", "ko"), ("--lang=ko", "status")]
)
def test_lang_stands_before_or_after_the_command(call: Call, args: tuple[str, ...]) -> None:
    done = call(*args)
    assert (done.returncode, "최종 점검을 한 적이 없습니다" in done.stdout) == (1, True)


@pytest.mark.usefixtures("folder")
def test_lang_wins_over_the_environment_and_the_environment_is_heard(call: Call) -> None:
    assert "미해결" in call("status", LC_ALL="ko_KR.UTF-8").stdout
    assert "미해결" not in call("status", "--lang", "en", LC_ALL="ko_KR.UTF-8").stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--lang", "ko", "stats"), "'stats' 명령이 없습니다. 혹시 'status'입니까? 도움말: gonogo -h"),
        (("status", "--wat9", "--lang", "ko"), "'--wat9' 옵션이 없습니다."),
        (("--lang", "ko", "resolve", "door"), "필요한 옵션이 빠졌습니다: '--action'."),
        (("--lang", "xx", "status"), "Invalid value for '--lang': 'xx' is not one of 'en', 'ko'."),
        (("status", "--lang"), "Option '--lang' requires an argument."),
    ],
)
def test_mistakes_of_the_call_are_told_in_that_language_too(
    call: Call, args: tuple[str, ...], said: str
) -> None:
    done = call(*args)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    "args", [("-h", "--lang", "ko"), ("--lang", "ko", "-h"), ("--lang", "ko", "status", "-h")]
)
def test_help_is_in_that_language(call: Call, args: tuple[str, ...]) -> None:
    done = call(*args)
    assert (done.returncode, "사용법: gonogo" in done.stdout) == (0, True)
    assert (
        max(sum(1 + ("가" <= letter <= "힣") for letter in line) for line in done.stdout.splitlines()) <= 80
    )


def test_what_one_session_wrote_in_one_language_another_reads_in_another(call: Call, folder: Path) -> None:
    (folder / "door.verdict").write_text("fail")
    call("--lang", "ko", "check")
    call("--lang", "ko", "waive", "door", "--why", "later", "--until", "2999-01-01")
    status = call("status").stdout
    assert "waived by operator until 2999-01-01: later" in status
    assert "fail, just now: all is well" in status
    (folder / "door.verdict").write_text("pass")
    done = call("check")
    assert "door fixed: open → verified" in done.stdout
    told = call("log").stdout
    assert "found fail: all is well" in told
    assert "waived (2999-01-01, UTC): later" in told
    assert call("log", "--verify", "--lang", "ko").returncode == 0
    assert "프로브 결과 실패" in call("log", "--lang", "ko").stdout
    record = call("report", "readiness", "--format", "markdown", "--lang", "ko").stdout
    assert "상태의 뜻" in record


@pytest.mark.usefixtures("folder")
def test_programs_read_the_same_in_every_language(call: Call) -> None:
    call("check")
    for form, read in READERS.items():
        english, korean = (call("status", "--format", form, "--lang", name).stdout for name in ("en", "ko"))
        assert read(english) == read(korean) != []
    assert call("status", "--format", "nagios", "--lang", "ko").stdout.startswith("GONOGO WARNING: NO-GO")
    assert call("status", "--state", "verified", "--lang", "ko").returncode == 0


READERS: dict[str, Callable[[str], object]] = {
    "json": lambda text: [(item["id"], item["state"]) for item in json.loads(text)["items"]],
    "junit": lambda text: [(one.tag, sorted(one.attrib), one.get("type")) for one in fromstring(text).iter()],  # noqa: S314  # ours
    "prometheus": str.splitlines,
    "github": lambda text: re.findall(r"^::\w+ [^:]*::", text, re.MULTILINE),
    "nagios": lambda text: re.findall(r"(\w+)=", text),
}
"""What a program takes from each format."""


# What the source says


def is_said(name: str) -> bool:
    return name in {
        *("RefusedError", "StoreError", "FileError", "Wrong", "refuse", "narrate", "BadParameter"),
        *("notify", "Content", "styled", "Static", "Label"),
    }


KEYS = {
    "gonogo",
    "policy",
    "time",
    "zone",
    "time_zone",
    "environments",
    "after",
    "steps",
    "probe",
    "id",
    "resolved",
    "on",
    "keys",
}
"""Names of keys, and our own: they are the same in every language."""


def called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def spoken(node: ast.AST) -> Iterator[str]:
    """Return the texts that stand in an expression as they are, outside of any call in it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif not isinstance(node, ast.Call):
        for part in ast.iter_child_nodes(node):
            yield from spoken(part)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_text_for_people_goes_through_gettext(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    bare = [
        f"{path.name}:{node.lineno}: {text!r}"
        for node in calls
        if is_said(called(node))
        for text in told(node)
        if set(re.findall(r"[A-Za-z_]{2,}", text)) - KEYS
    ]
    assert bare == []


def told(node: ast.Call) -> Iterator[str]:
    """Return the texts of a call for people: a place in a file comes before, styles and the like behind."""
    name = called(node)
    first, last = (1 if name in {"Wrong", "FileError"} else 0), (1 if name in {"styled", "notify"} else None)
    for part in node.args[first:last]:
        yield from spoken(part)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_what_goes_through_gettext_is_a_text_as_it_stands(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    wrong = [
        f"{path.name}:{node.lineno}"
        for node in calls
        if called(node) in {"_", "gettext", "ngettext", "marked"} and isinstance(node.func, ast.Name)
        for part in node.args
        if isinstance(part, ast.JoinedStr | ast.BinOp)
        or (isinstance(part, ast.Call) and called(part) == "format")
    ]
    assert wrong == []


def at_import(node: ast.AST) -> Iterator[ast.Call]:
    """Return the calls that are made when a module is read: before anybody has chosen a language."""
    for part in ast.iter_child_nodes(node):
        inside = isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from at_import(part.args if inside else part)
        if isinstance(part, ast.Call):
            yield part


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nothing_is_translated_before_a_language_is_chosen(path: Path) -> None:
    calls = at_import(ast.parse(path.read_text()))
    assert [node.lineno for node in calls if called(node) in {"_", "gettext", "ngettext"}] == []


def test_every_command_and_option_can_be_translated() -> None:
    for one in command.commands.values():
        assert getattr(one, "source", None), one.name
        options = [option for option in one.params if getattr(option, "help", None)]
        assert all(isinstance(option, Option) for option in options), one.name
