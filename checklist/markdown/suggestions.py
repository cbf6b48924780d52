"""Which probe could prove an item, by the words of its title and cause. Rather none than a wrong one."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Suggestion(NamedTuple):
    """A probe that fits, and the word of the item that says so."""

    probe: str
    word: str


TABLES: Mapping[str, Mapping[str, object]] = {
    "redis": {"url": "${REDIS_URL}", "role": "cache", "timeout": "10s"},
    "dependencies": {
        "project": "${SOURCE_DIR}",
        "timeout": "60s",
        "environments": {"development": "${DEVELOPMENT_PYTHON}", "production": "${PRODUCTION_PYTHON}"},
    },
    "secrets": {"paths": ["${SOURCE_DIR}"], "timeout": "2m"},
    "sentry": {"dsn": "${SENTRY_DSN}", "token": "${SENTRY_TOKEN:-}", "timeout": "60s"},
    "restore": {"source": "${BACKUP_DIR}", "max_age": "26h", "timeout": "30m"},
}
"""The parameters of each; a variable that is not set makes the item `unknown`, and unknown never passes."""


_ADDRESS = re.compile(r"https?://\S*", re.IGNORECASE)


class _Rule(NamedTuple):
    """The words that speak for a probe, and those that show that something else is meant."""

    speaks: re.Pattern[str]
    against: re.Pattern[str]


def _rule(speaks: tuple[str, ...], against: tuple[str, ...]) -> _Rule:
    return _Rule(*(re.compile("|".join(words), re.IGNORECASE) for words in (speaks, against)))


_RULES: Mapping[str, _Rule] = {
    "redis": _rule(
        (r"\bredis\b", r"레디스", r"\bcach(?:e|es|ing)\b", r"캐시"),
        (
            *(
                r"browser",
                r"\bcdn\b",
                r"\bhttp\b",
                r"header",
                r"\bbuild\b",
                r"docker",
                r"\bpip\b",
                r"\bdns\b",
            ),
            *(r"memcached", r"varnish", r"cloudfront", r"브라우저", r"빌드"),
            r"\b(?:page|disk|query|file|cpu|l[123]|static|image|opcode) cach",
            *(r"cache-control", r"정적", r"페이지 ?캐시", r"디스크 ?캐시"),
        ),
    ),
    "dependencies": _rule(
        (
            r"\bdependenc(?:y|ies)\b",
            r"의존성",
            r"\b(?:package|library|lib|python|psutil)(?:'s)?\b[^.;]{0,20}\bversions?\b",
            r"\bversions?\b[^.;]{0,30}\b(?:packages?|librar(?:y|ies)|mismatch(?:es)?|drift)\b",
            r"\bversions?\b[^.;]{0,30}\bdo(?:es)? not match\b",
            r"버전[이은의\s]{0,3}(?:불일치|충돌|다르|다름|고정)",
            r"(?:라이브러리|패키지|psutil)[의\s]{0,3}버전",
        ),
        (
            *(r"\bpress\b", r"\bteams?\b", r"\blegal\b", r"\bapi versions?\b", r"api 버전", r"팀", r"부서"),
            r"\bdependenc(?:y|ies) (?:on|between|with|is|are (?:down|not|un)|fail|injection|graph)",
            r"\b(?:external|downstream|upstream|service|third-party|missing) dependenc",
            *(r"licen[sc]e", r"의존성 ?(?:주입|그래프)", r"외부 ?의존성", r"라이선스"),
        ),
    ),
    "secrets": _rule(
        (
            r"\b(?:api|secret|access|private|encryption|signing|hard-?coded)[ _-]keys?\b",
            r"\bsecrets\b",
            r"\bkeys? (?:is|are|was|were)? ?(?:hard-?coded|leaked|in the source)\b",
            r"\bhard-?coded\b[^.;]{0,20}\b(?:keys?|passwords?|credentials?|tokens?)\b",
            r"\benvironment variables?\b",
            r"환경 ?변수",
            r"(?:api|인증|비밀|암호화|접근|액세스|서명) ?키(?!보드)",
            r"(?<![가-힣])키(?:가|를|는|의)? ?(?:노출|유출|하드 ?코딩|코드)",
            r"시크릿",
            r"하드 ?코딩된 (?:키|비밀번호)",
        ),
        (r"\btrade secrets?\b", r"\bsecrets of\b"),
    ),
    "sentry": _rule(
        (r"\bsentry\b", r"센트리", r"\bmonitoring\b", r"모니터링", r"\berror tracking\b", r"오류 추적"),
        (
            *(r"prometheus", r"grafana", r"datadog", r"zabbix", r"nagios", r"new relic", r"cloudwatch"),
            *(r"uptime", r"\bcosts?\b", r"\bbudgets?\b", r"\bscreens?\b", r"\bon-?call\b"),
            *(r"dashboard", r"\breal user\b", r"\b(?:cpu|memory|disk|business|ssl)\b"),
            *(r"비용", r"예산", r"화면", r"대시보드", r"성능", r"담당"),
        ),
    ),
    "restore": _rule(
        (
            r"\bback(?:-?ups?|(?:ed|ing|s)? up)\b",
            r"\brestor(?:e|es|ed|ing|ation)\b",
            r"\b(?:disaster|database|data) recovery\b",
            r"\brecovery (?:test|drill|procedure)\b",
            *(r"백업", r"복원", r"복구"),
        ),
        (
            r"\bback-?up (?:contact|person|owner|speaker|plan|role|operator)s?\b",
            r"\b(?:recovery|restor\w*) time\b|\brto\b",
            *(r"\bstate restored\b", r"\bbuilding\b"),
            *(r"\bpassword\b", r"\baccount\b", r"purchases?", r"default settings", r"\bon-?call\b"),
            *(r"(?:백업|복구|복원) ?(?:담당|인력|요원|목표)", r"(?:장애|서비스) ?복구", r"비밀번호", r"계정"),
        ),
    ),
}


def suggest(title: str, cause: str) -> Suggestion | None:
    """Return the one probe that the title speaks of or, if it speaks of none, the cause.

    Where either speaks of two, none is suggested: a wrong probe would prove the wrong thing. The address of a
    page that a text points to says nothing.
    """
    for text in (_ADDRESS.sub("", title), _ADDRESS.sub("", cause)):
        found = list(_spoken_of(text))
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _spoken_of(text: str) -> Iterator[Suggestion]:
    for probe, rule in _RULES.items():
        if (found := rule.speaks.search(text)) and not rule.against.search(text):
            yield Suggestion(probe, found[0])
