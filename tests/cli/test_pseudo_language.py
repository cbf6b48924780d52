"""A language in which each letter of ours is another: what is left in ASCII was forgotten."""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo

from checklist import definition, glyphs, language, lifecycle
from cli.main import command, main
from probes import registry
from tests.checklist.test_language import FIELD, messages

Say = Callable[..., str]

LIST = """
[checklist]
title = "점검 1"
release = "1.0"
environment = "운영"
plan = ["하나"]
notes = ["둘"]

[[items]]
id = "1"
section = "가"
title = "첫째"
owner = "김"
due = 2025-06-25
cause = "까닭"
steps = ["닫기"]
[items.probe]
use = "test-blocking"
do = "read"
file = "1.txt"
text = "그렇다"

[[items]]
id = "2"
section = "가"
title = "둘째"
severity = "advisory"
[items.probe]
use = "test-blocking"
do = "doubt"
text = "모른다"

[[items]]
id = "3"
section = "나"
title = "셋째"
after = ["1"]
[items.probe]
use = "test-async"
text = "그렇다"

[[items]]
id = "4"
section = "나"
title = "넷째"
"""
MARKDOWN = """# 목록
- release: 1.0
- four eyes: 글쎄
- time zone: 어딘가

글

```
코드
```

- [x] **첫째**
  - due: 내일
  - id: 첫째
  - probe: `{ use = 1 }`
  - waived: 그렇다
  - severity: 높음
  - after: 9
  - fresh for: 하루
- [ ] 둘째
  - resolved by: 김
- [~] 셋째
  1. [?] 단계
  2. 단계
- [-] Redis 넷째
"""
HEAD = '[checklist]\ntitle = "1"\n'
ITEM = HEAD + '[[items]]\nid = "1"\ntitle = "1"\n'
WRONG_LISTS = (
    "",
    "[checklist]\n",
    '[checklist]\ntitle = ""\n',
    "[checklist]\ntitle = 1\n",
    '[checklist]\ntitle = "1"\nrelase = 1\n',
    HEAD + '[policy]\ntime_zone = "1"\n',
    HEAD + '[environments.1]\n1 = "1"\n',
    HEAD + "[environments.1]\n_ = 1\n",
    HEAD + '[environments.1]\n_ = "${"\n',
    HEAD + "[[items]]\n",
    ITEM + 'severity = "1"\n',
    HEAD + '[[items]]\nid = "가"\ntitle = "1"\n',
    ITEM + "due = 1\n",
    ITEM + 'steps = ["1", "1"]\n',
    ITEM + 'after = ["2"]\n',
    ITEM + 'after = ["1"]\n',
    ITEM + 'fresh_for = "1"\n',
    ITEM + "[items.probe]\n",
    ITEM + '[items.probe]\nuse = "test-async"\ndo = 1\n',
    ITEM + '[items.probe]\nuse = "test-async"\ndo = "${"\n',
    HEAD + 2 * '[[items]]\nid = "1"\ntitle = "1"\n',
    '<<<<<<< 1\n[checklist]\ntitle = "1"\n=======\n',
)
CALLS: tuple[tuple[str, ...], ...] = (
    ("resolve", "9", "--action", "고침"),
    ("resolve", "4", "--action", "고침"),
    ("resolve", "1", "--action", " "),
    ("resolve", "1", "--action", "고침", "--on", "2999-01-01"),
    ("attest", "1", "--note", "봄"),
    ("waive", "1", "--why", "나중", "--until", "2001-01-01"),
    ("waive", "1", "--why", "나중", "--until", "2001"),
    ("check", "3"),
    ("check", "9"),
    ("check", "--resume"),
    ("check", "--section", "9"),
    ("status", "--only", "9"),
    ("status", "--owner", "9"),
    ("status", "--owner", "김", "--state", "verified"),
    ("status", "--env", "9"),
    ("status", "--checklist", "9/9"),
    ("status", "-o", "9/9"),
    ("status", "-o", "checklist.toml"),
    ("status", "--state", "9"),
    ("status", "9"),
    ("log", "--verify", "-n", "1"),
    ("log", "--item", "9"),
    ("log", "-n", "9가"),
    ("log", "-n", "0"),
    ("report", "-o", "9.9"),
    ("report", "readiness"),
    ("import", "9", "--by", "김"),
    ("import", "checklist.toml", "--by", "김"),
    ("init",),
    ("init", "9"),
    ("probe",),
    ("probe", "test-async", "9"),
    ("probe", "test-async", "do=1", "do=2"),
    ("probe", "test-async", "9=9"),
    ("probe", "test-async", "count=가"),
    ("9",),
    ("9/9",),
    ("--env", "9"),
    (),
)
HELPS = [("-h",), *((name, "-h") for name in sorted(command.commands))]
KEYED = (definition._Head, definition._Item, definition.Policy, registry.find("test-async").parameters)
NAMES = {
    *(
        "GO",
        "NO",
        "gonogo",
        "GONOGO",
        "WARNING",
        "TOML",
        "JSON",
        "Schema",
        "Markdown",
        "HTML",
        "UTF",
        "UTC",
        "DNS",
        "git",
    ),
    # Names of files, keys, options' values and probes.
    *(
        "checklist",
        "toml",
        "status",
        "journal",
        "jsonl",
        "reports",
        "environments",
        "tmp",
        "txt",
        "md",
        "html",
        "json",
    ),
    *(word for kind in KEYED for name in kind.__struct_fields__ for word in name.split("_")),
    *(
        "items",
        "policy",
        "use",
        "count",
        "do",
        "file",
        "text",
        "test",
        "async",
        "blocking",
        "redis",
        "blocker",
        "advisory",
    ),
    *(state.value for state in lifecycle.State),
    *registry.names(),
    # What the test probe says, and where a reader of TOML stopped.
    *("said", "Look", "again", "relase", "sha", "lang"),
    # What the system says.
    *("Is", "directory", "No", "such", "or"),
}
"""What is the same in every language."""
SYNTAX = re.compile(
    r"--?[a-z]+|\[?[A-Z=]+\]?\.*(?=\s|$|[]:])|\[[a-z|-]+\]|::\w+ [^:]*::|\|.*|sha256:\w+|\b\w{8}T\w{6}-\w+"
    r"|\d{4}-\d\d-\d\d(?:T| )\S+|%\S+|\$\{NAME\}|gonogo [a-z]+(?: --\w+)*|readiness\w*|issue_\w+|\w+/\w+"
)


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Say]:
    """Run the command in the pseudo-language on a checklist of digits and Hangul; return what it says."""
    folder = tmp_path / "1"
    folder.mkdir()
    (folder / "checklist.toml").write_text(LIST)
    (folder / "1.txt").write_text("fail")
    place = tmp_path / "locale" / "ko" / "LC_MESSAGES" / "gonogo.mo"
    place.parent.mkdir(parents=True)
    catalogue = Catalog("ko")
    for message in messages():
        known = message.string
        text = known[0] if isinstance(known, tuple | list) else message.id
        catalogue.add(
            message.id, (disguised(text),) if isinstance(message.id, tuple | list) else disguised(text)
        )
    with place.open("wb") as file:
        write_mo(file, catalogue)
    monkeypatch.setattr(language, "_FOLDER", tmp_path / "locale")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LANGUAGE", "")  # as it was afterwards

    def say_(*args: str) -> str:
        monkeypatch.setattr(sys, "argv", ["gonogo", "--lang", "ko", *args])
        with contextlib.suppress(SystemExit):
            main()
        told = "".join(capfd.readouterr())
        return told.replace(str(folder), "").replace(str(tmp_path), "")

    yield say_
    language.choose("en", {})
    glyphs.choose(unicode=True)


def disguised(text: str) -> str:
    """Return a text of ours with other letters, its fields as they are."""
    kept = re.split(f"({FIELD.pattern})", text)
    letters = {
        ord(letter): chr(0x430 + (ord(letter.lower()) - ord("a")))
        for letter in map(chr, range(65, 123))
        if letter.isalpha()
    }
    return "".join(part if part.startswith(("{", "}")) else part.translate(letters) for part in kept)


def forgotten(told: str) -> set[str]:
    return set(re.findall(r"[A-Za-z]{2,}", SYNTAX.sub(" ", told.replace("\\", "")))) - NAMES


@pytest.mark.parametrize("args", CALLS, ids=" ".join)
def test_no_mistake_is_told_in_english(say: Say, args: tuple[str, ...]) -> None:
    told = say(*args)
    assert told.strip()
    assert forgotten(told) == set(), told


@pytest.mark.parametrize("args", HELPS, ids=" ".join)
def test_no_help_is_in_english(say: Say, args: tuple[str, ...]) -> None:
    told = say(*args)
    assert forgotten(told) - {*command.commands, "resolution", "readiness", "outcome", "LIST"} == set(), told


@pytest.mark.parametrize("text", WRONG_LISTS, ids=range(len(WRONG_LISTS)))
def test_no_mistake_in_a_checklist_is_told_in_english(say: Say, text: str) -> None:
    Path("checklist.toml").write_text(text)
    told = say("status")
    assert forgotten(told) == set(), told


def test_nothing_of_a_whole_night_is_told_in_english(say: Say) -> None:
    night = (
        ("status",),
        ("check", "--by", "김"),
        ("resolve", "1", "--action", "고침", "--by", "김"),
        ("status",),
        ("attest", "4", "--note", "봄", "--by", "이"),
        ("waive", "2", "--why", "나중", "--until", "2999-01-01", "--by", "박"),
        ("waive", "1", "--why", "나중", "--until", "2999-01-01", "--by", "박"),
        ("status",),
        ("reopen", "1", "--why", "또", "--by", "이"),
        ("status",),
        ("check", "1", "2", "3", "4", "--by", "김"),
        ("check", "--by", "김"),
        ("log",),
        ("log", "--verify"),
        ("report", "--format", "markdown"),
        ("report", "readiness", "--format", "markdown"),
        ("status", "--format", "markdown"),
        ("status", "--format", "github"),
        ("status", "--format", "nagios"),
        ("status", "--only", "1", "--format", "markdown"),
    )
    for args in night:
        told = say(*args)
        assert told.strip(), args
        assert forgotten(told) == set(), f"{args}: {told}"
    Path("1.txt").write_text("pass")
    told = say("check", "--by", "김")
    assert forgotten(told) == set(), told


def test_nothing_of_an_import_is_told_in_english(say: Say, tmp_path: Path) -> None:
    (tmp_path / "1.md").write_text(MARKDOWN)
    (tmp_path / "2").mkdir()
    told = say("import", str(tmp_path / "1.md"), "-o", str(tmp_path / "2"), "--by", "김")
    assert forgotten(told) - {"Redis", "four", "eyes", "REDIS", "URL", "by", "item"} == set(), told
    assert len(told.splitlines()) > 10
