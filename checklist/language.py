"""The language in which people are told things: gettext catalogues, English being what the source says.

Only what gonogo itself says is translated. A checklist stays in the language it is written in, and what a
probe found stays as the probe said it: evidence is compared from run to run, whoever ran it.
"""

import gettext as _gettext
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path

LANGUAGES = ("en", "ko")
"""The languages there are. English needs no catalogue."""

_DOMAIN = "gonogo"
_FOLDER = Path(__file__).parent / "locale"


class _Current:
    catalogue: _gettext.NullTranslations = _gettext.NullTranslations()
    name = "en"


def gettext(text: str) -> str:
    """Return a text in the language that was chosen."""
    # The translation of an empty text is the head of the catalogue.
    return _Current.catalogue.gettext(text) if text else ""


def ngettext(one: str, many: str, number: int) -> str:
    """Return the one of two texts that a number asks for, in the language that was chosen."""
    return _Current.catalogue.ngettext(one, many, number)


def marked(text: str) -> str:
    """Return a text as it is; it is translated where it is shown."""
    return text


def current() -> str:
    """Return the language that was chosen."""
    return _Current.name


def every(text: str) -> tuple[str, ...]:
    """Return a text in each of the languages: people look for a word in the one that they think in."""
    return tuple(_catalogue(name).gettext(text) for name in LANGUAGES)


def _catalogue(name: str) -> _gettext.NullTranslations:
    return _gettext.translation(_DOMAIN, _FOLDER, [name], fallback=True)


def choose(language: str = "", environment: MutableMapping[str, str] = os.environ) -> None:
    """Choose the language of every text from now on.

    Args:
        language: One of `LANGUAGES`; empty for the one that the environment asks for.
        environment: Where LANGUAGE, LC_ALL, LC_MESSAGES and LANG are looked for. LANGUAGE is set in it, as
            libraries that translate for themselves, click for one, go by it.
    """
    name = language or _wanted(environment)
    _Current.name = name
    _Current.catalogue = _catalogue(name)
    environment["LANGUAGE"] = name
    _gettext.bindtextdomain(_DOMAIN, str(_FOLDER))
    _gettext.textdomain(_DOMAIN)


def is_utf8(environment: Mapping[str, str] = os.environ, *, coerced: bool | None = None) -> bool:
    """Tell whether the locale is a UTF-8 one by its name, which a host need not have installed.

    Args:
        environment: Where LC_ALL, LC_CTYPE and LANG are looked for.
        coerced: Whether Python found the C locale and set LC_CTYPE itself (PEP 538): then that says nothing.
            If not said, as this Python did.
    """
    coerced = bool(sys.flags.utf8_mode) if coerced is None else coerced
    names = ("LC_ALL", "LANG") if coerced else ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((value for name in names if (value := environment.get(name))), "C")
    return re.search(r"utf-?8\b", locale, re.IGNORECASE) is not None


def _wanted(environment: Mapping[str, str]) -> str:
    locale = next((v for k in ("LC_ALL", "LC_MESSAGES", "LANG") if (v := environment.get(k))), "C")
    # What cannot be shown is not chosen; nor does LANGUAGE count where nobody asked for a locale.
    if _base(locale) in {"C", "POSIX"} or not is_utf8(environment):
        return "en"
    asked = [_base(word) for word in (*environment.get("LANGUAGE", "").split(":"), locale)]
    return next((word for word in asked if word in LANGUAGES), "en")


def _base(locale: str) -> str:
    return re.split(r"[_.@]", locale)[0]
