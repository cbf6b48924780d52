"""The language is the one that was asked for, and its catalogue is whole."""

import io
import re
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from checklist import language
from checklist.lifecycle import State

REPOSITORY = Path(__file__).parents[2]
CATALOGUE = REPOSITORY / "checklist" / "locale" / "ko" / "LC_MESSAGES" / "gonogo.po"
FIELD = re.compile(r"\{\{|\}\}|\{[^{}]*\}")


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    yield
    language.choose("en", {})


def tool() -> Any:
    """Return tools/catalogue as a module; its name has no suffix."""
    loader = SourceFileLoader("catalogue", str(REPOSITORY / "tools" / "catalogue"))
    spec = spec_from_loader("catalogue", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def known() -> Catalog:
    with CATALOGUE.open("rb") as file:
        return read_po(file, "ko", abort_invalid=True)


def messages() -> list[Message]:
    return [message for message in known() if message.id]


# Which language


@pytest.mark.parametrize(
    ("environment", "chosen"),
    [
        ({}, "en"),
        ({"LANG": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko_KR.utf8"}, "ko"),
        ({"LANG": "ko.UTF-8@dict"}, "ko"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "ko_KR"}, "en"),
        ({"LANG": "ko_KR.EUC-KR"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "ko_KR.UTF-8"}, "ko"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, "en"),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": ""}, "ko"),
        ({"LANG": "en_US.UTF-8", "LANGUAGE": "de:ko:en"}, "ko"),
        ({"LANG": "C", "LANGUAGE": "ko"}, "en"),
        ({"LANG": "de_DE.UTF-8", "LANGUAGE": "fr:nl"}, "en"),
    ],
)
def test_the_environment_says_which_language(environment: dict[str, str], chosen: str) -> None:
    language.choose("", environment)
    assert language.current() == chosen
    assert environment["LANGUAGE"] == chosen


def test_a_language_that_is_asked_for_wins() -> None:
    language.choose("ko", {"LANG": "en_US.UTF-8"})
    assert language.gettext("verified") == "검증됨"
    language.choose("en", {"LANG": "ko_KR.UTF-8"})
    assert language.gettext("verified") == "verified"


def test_what_is_not_in_the_catalogue_is_said_in_english() -> None:
    language.choose("ko", {})
    assert language.gettext("Nobody says this.") == "Nobody says this."
    assert language.gettext("") == ""
    assert language.ngettext("{number} such", "{number} such ones", 2) == "{number} such ones"


# The catalogue: run `make catalogue`, and translate what it names


def test_every_text_is_in_the_catalogue_and_no_other() -> None:
    assert {message.id for message in messages()} == set(tool().texts())


def test_every_text_is_translated() -> None:
    texts = [(message, message.string) for message in messages()]
    said = [(message, text if isinstance(text, str) else "".join(text or ())) for message, text in texts]
    assert [message.id for message, text in said if not text.strip() or message.fuzzy] == []


def fields(text: str) -> list[str]:
    return sorted(FIELD.findall(text))


@pytest.mark.parametrize("message", messages(), ids=lambda message: str(message.id)[:40])
def test_a_translation_has_the_very_same_fields(message: Message) -> None:
    texts = [message.id] if isinstance(message.id, str) else [*message.id]
    said = [message.string] if isinstance(message.string, str) else [*(message.string or ())]
    # What is said of one and of several is filled in alike: a translation of both takes the fields of either.
    assert all(fields(text) in [fields(one) for one in texts] for text in said if text)


def test_what_is_compiled_is_what_is_written() -> None:
    module, compiled = tool(), io.BytesIO()
    new = module.updated(known(), "ko")
    write_mo(compiled, new)
    assert CATALOGUE.with_suffix(".mo").read_bytes() == compiled.getvalue()
    written = io.BytesIO()
    write_po(written, new, width=100, sort_output=True, include_lineno=False)
    assert CATALOGUE.read_bytes() == written.getvalue()


def test_nothing_of_a_machine_or_a_day_is_in_the_catalogue() -> None:
    head = CATALOGUE.read_text().partition("\n\n")[0]
    assert "Date" not in head
    assert "Generated" not in head
    assert str(REPOSITORY) not in CATALOGUE.read_text()


def test_words_of_states_are_short() -> None:
    language.choose("ko", {})
    words = [language.gettext(state) for state in State]
    assert len(set(words)) == len(State)
    assert max(2 * len(word) for word in words) <= 8
