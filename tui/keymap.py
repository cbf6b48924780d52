"""Keys that an operator chose: what may be chosen, and how keys are written for people."""

import string
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from textual.binding import Binding
from textual.keys import Keys

from checklist.language import gettext as _
from checklist.reading import nearest
from tui import keys

FIXED = ("quit-always", "how-to-quit")
"""These keep their keys, so that there is always a way out, whatever else was chosen."""


def _name(character: str) -> str:
    """Return Textual's name for the key of a character: question_mark for `?`."""
    return next(iter(Binding.make_bindings([Binding(character, "")]))).key


_CHARACTERS = {_name(character): character for character in string.punctuation if character != ","}
_CHARACTERS["comma"] = ","
_NAMES = {name for key in Keys if (name := key.value.rpartition("+")[2]).isalnum()} - {"return"}
_NAMES |= {*_CHARACTERS, "space"}
_MODIFIERS = ("ctrl", "alt", "shift")
_WRITTEN = {"escape": "esc", "pagedown": "pgdn", "pageup": "pgup"}
_READ = {short: name for name, short in _WRITTEN.items()}


def bindings() -> dict[str, Binding]:
    """Return every binding by its id."""
    return {str(one.id): one for group in keys.GROUPS for one in group.bindings}


def keys_of(binding: Binding, chosen: Mapping[str, str]) -> list[str]:
    """Return the keys of a binding, those that were chosen or its own."""
    return chosen.get(str(binding.id), binding.key).split(",")


def written(key: str) -> str:
    """Return a key as people write it: `question_mark` is ?, `escape` is esc."""
    *modifiers, name = key.split("+")
    return "+".join([*modifiers, _WRITTEN.get(name) or _CHARACTERS.get(name, name)])


def checked(wanted: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Tell which of the keys that an operator wants can be had.

    Args:
        wanted: Keys, separated by commas, by the id of their binding.

    Returns:
        What is chosen, in Textual's names, and what is wrong with the others, both by id.
    """
    known = bindings()
    chosen: dict[str, str] = {}
    wrong: dict[str, str] = {}
    for name, text in wanted.items():
        if name not in known:
            near = nearest(name, known)
            wrong[name] = _("there is no binding {name!r}{hint}").format(name=name, hint=near)
            continue
        words = [_named(word) for word in ("comma" if text == "," else text).split(",")]
        if objection := next(filter(None, (_objection(known[name], word) for word in words)), ""):
            wrong[name] = objection
        else:
            if "escape" in known[name].key.split(","):
                words.append("escape")
            chosen[name] = ",".join(dict.fromkeys(words))
    # What was wanted gives way to what is there, until nothing is in the way of anything.
    while clash := next(_clashes(chosen), None):
        loser, other, key = clash
        del chosen[loser]
        wrong[loser] = _("{key} is the key of {other} already").format(key=written(key), other=other)
    return chosen, wrong


def _named(word: str) -> str:
    """Return a key by Textual's name for it."""
    word = "space" if word.isspace() else word.strip()
    *modifiers, name = word.split("+")
    return _name(word) if len(word) == 1 else "+".join([*modifiers, _READ.get(name, name)])


def _is_key(key: str) -> bool:
    *modifiers, name = key.split("+")
    if not {*modifiers} <= {*_MODIFIERS}:
        return False
    # With a modifier a terminal sends no capital, and what it sends for shift and a letter is the capital.
    letter = len(name) == 1 and name.isprintable() and not (modifiers and name.isupper())
    return (letter and modifiers != ["shift"]) or (len(name) > 1 and name in _NAMES)


def _objection(binding: Binding, key: str) -> str:
    if not _is_key(key):
        other = next((one for one in (key.lower(), key.removeprefix("shift+").upper()) if _is_key(one)), "")
        hint = _("; did you mean {key!r}?").format(key=other) if other else nearest(key, sorted(_NAMES))
        return _("{key!r} is no key{hint}").format(key=key, hint=hint)
    if binding.id in FIXED:
        return _("this one keeps its key: it is the way out that is always there")
    if key in {"ctrl+q", "ctrl+c"}:
        return _("{key} always leaves, or says how").format(key=key)
    if key == "escape" and "escape" not in binding.key.split(","):
        return _("esc goes back, and does nothing else")
    if binding in (*keys.FILTER, *keys.PROMPT) and (len(key) == 1 or key in {*_CHARACTERS, "space"}):
        return _("{key} is a part of what is typed there").format(key=written(key))
    return ""


def _clashes(chosen: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield what was chosen, the binding that is in its way in the same place, and the key."""
    for place in keys.PLACES:
        for one, other in combinations(place, 2):
            shared = _common(keys_of(one, chosen), keys_of(other, chosen))
            # Some share a key by design: inside an item space ticks a step.
            for key in () if _common(keys_of(one, {}), keys_of(other, {})) else sorted(shared):
                loser, winner = (one, other) if str(one.id) in chosen else (other, one)
                yield str(loser.id), str(winner.id), key


def _common(some: Iterable[str], others: Iterable[str]) -> set[str]:
    return {*some} & {*others}
