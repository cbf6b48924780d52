"""The keys a Markdown list may use, in Korean and English, and the values that have a form of their own."""

import re
from datetime import date

from checklist.language import marked

ITEM_KEYS = {
    "cause": ("cause", "suspected cause", "예상 원인", "원인"),
    "owner": ("owner", "담당자", "담당"),
    "due": ("due", "due date", "deadline", "해결 기한", "기한"),
    "steps": ("steps", "how to resolve", "해결 방법"),
    "resolved on": ("resolved on", "해결 완료일", "완료일"),
    "action taken": ("action taken", "조치 내용"),
    "resolved by": ("resolved by", "완료자", "조치자"),
    "id": ("id",),
    "severity": ("severity", "심각도"),
    "after": ("after", "선행 항목"),
    "fresh for": ("fresh for", "유효 기간"),
    "probe": ("probe", "프로브"),
    "links": ("links", "references", "참고", "참고 링크"),
    "notes": ("notes", "비고", "메모"),
    "repair": ("repair", "복구 명령", "조치 명령"),
    "evidence": ("evidence",),
    "waived": ("waived",),
    "attested": ("attested",),
    "reopened": ("reopened",),
}
"""What can be said of an item, and under which words."""

HEAD_KEYS = {
    "release": ("release", "릴리스", "배포 버전"),
    "environment": ("environment", "환경", "배포 환경"),
    "time zone": ("time zone", "시간대"),
    "four eyes": ("four eyes",),
}
"""What can be said of the whole list."""

HEADINGS = {
    "plan": ("action plan", "plan", "조치 계획"),
    "links": ("references", "links", "참고", "참고 링크", "참고 자료"),
    "notes": ("notes", "비고", "메모"),
}
"""What stands under a heading of these words, where it is no item."""

NOT_TAKEN = {
    "evidence": marked("evidence is not taken over: run the probe anew"),
    "waived": marked("a waiver is not taken over: give it anew"),
    "attested": marked("an attestation is not taken over: give it anew"),
    "reopened": marked("a reopening is not taken over: the item is open as it is"),
}
"""What is written for readers alone: whoever vouched for something did not vouch for a Markdown file.

Translated where it is shown."""


def _plain(word: str) -> str:
    return re.sub(r"[\s_-]", "", word.casefold())


def _by_word(keys: dict[str, tuple[str, ...]]) -> dict[str, str]:
    return {_plain(word): key for key, words in keys.items() for word in words}


_ITEM, _HEAD, _HEADINGS = _by_word(ITEM_KEYS), _by_word(HEAD_KEYS), _by_word(HEADINGS)


def item_key(word: str) -> str | None:
    """Return the key of an item that a word stands for, or None."""
    return _ITEM.get(_plain(word))


def head_key(word: str) -> str | None:
    """Return the key of a list that a word stands for, or None."""
    return _HEAD.get(_plain(word))


def place(heading: str) -> str | None:
    """Return what stands under a heading ("plan", "links", "notes"), or None."""
    return _HEADINGS.get(_plain(re.sub(r"^\d+[.)]\s*", "", heading)))


_DAY = re.compile(
    r"(\d{4})(?:-(\d{1,2})-(\d{1,2})|\.\s?(\d{1,2})\.\s?(\d{1,2})\.?|/(\d{1,2})/(\d{1,2})"
    r"|\s?년\s?(\d{1,2})\s?월\s?(\d{1,2})\s?일)"
    r"(?:\s?\((?:[월화수목금토일](?:요일)?|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*)\))?",
    re.ASCII,
)


def day(text: str) -> date | None:
    """Return the day a text names (2025-06-25, 2025.06.25, 2025/06/25, 2025년 6월 25일), or None."""
    if (found := _DAY.fullmatch(text.strip())) is None:
        return None
    year, month, of_month = (int(part) for part in found.groups() if part)
    try:
        return date(year, month, of_month)
    except ValueError:
        return None


def truth(text: str) -> bool | None:
    """Return whether a text says yes; None if it says neither yes nor no."""
    return {"yes": True, "true": True, "예": True, "no": False, "false": False, "아니요": False}.get(
        text.strip().casefold()
    )
