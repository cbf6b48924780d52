import pytest

from checklist.markdown.suggestions import TABLES, suggest
from probes import registry
from probes.parameters import convert, substitute

SPOKEN_OF = {
    "redis": [
        "Redis is up",
        "The cache is healthy",
        "캐시 서버 상태 degraded",
        "레디스 메모리",
        "Caching works",
        "Redis (https://wiki.example.com/cdn) is up",
    ],
    "dependencies": [
        *(
            "The version of psutil does not match",
            "psutil 버전 불일치",
            "Dependencies are pinned",
            "의존성 고정",
        ),
        *("Library versions are the same everywhere", "라이브러리 버전 통일", "Version mismatch"),
    ],
    "secrets": [
        *("No API key in the source", "Some API keys are not environment variables", "API 키 노출"),
        *(
            "일부 키가 코드에 하드코딩됨",
            "Hard-coded passwords are gone",
            "환경 변수 분리",
            "Secrets are rotated",
        ),
    ],
    "sentry": ["Sentry is degraded", "Monitoring works", "모니터링 점검", "Errors arrive in Sentry"],
    "restore": [
        "The last backup restores",
        "Its data is backed up daily",
        "Restore test",
        "백업 복원 테스트",
        "데이터 복구 훈련",
        "Disaster recovery",
    ],
}

NOT_SPOKEN_OF = [
    *("Keyboard shortcuts documented", "Press release version approved", "Key stakeholders informed"),
    *("Version 2 is announced", "Public API version documented", "Dependencies on other teams agreed"),
    *("Browser cache headers are set", "The CDN cache is purged", "Docker build cache is warm"),
    *(
        "Backup contact named",
        "Backup on-call person knows",
        "Password recovery page tested",
        "Donkey key ring",
    ),
    *("Account recovery works", "Restore default settings button", "Monitors for the office bought"),
    *("Grafana monitoring dashboards", "Monitoring costs are known", "Primary key of the orders table"),
    *(
        "키보드 단축키 문서화",
        "스키마 변경 검토",
        "쿠키 동의 문구",
        "보도 자료 버전 승인",
        "백업 담당자 지정",
    ),
    *("See https://example.com/redis for the rota", "[Runbook](https://wiki/sentry) is read"),
    *("It degrades gracefully while dependencies are not working", "Fallback for every external dependency"),
    *("Dependencies failing is survived", "Dependency injection configured", "의존성 주입 설정"),
    *("Licences of third-party dependencies", "오픈소스 의존성 라이선스 검토"),
    *("Cache-Control is set", "Query cache of MySQL off", "L1 cache misses", "The page cache is warm"),
    *("Monitoring of CPU and memory", "Dashboards for monitoring", "핵심 성능 지표 모니터링"),
    *("모니터링 담당자 지정", "복구 담당자 연락처", "서비스 복구 시간 목표", "장애 복구 절차 문서화"),
    *("Data can be restored within the RTO", "State restored after a reboot"),
    *("계정 복구 안내 페이지", "팀 간 의존성 합의", "브라우저 캐시 삭제 안내", "Lunch is ready", ""),
]


@pytest.mark.parametrize(
    ("probe", "title"), [(probe, title) for probe, of in SPOKEN_OF.items() for title in of]
)
def test_a_probe_is_suggested_by_what_an_item_speaks_of(probe: str, title: str) -> None:
    found = suggest(title, "")
    assert found is not None
    assert found.probe == probe
    assert found.word in title


@pytest.mark.parametrize("title", NOT_SPOKEN_OF)
def test_a_word_that_means_something_else_suggests_nothing(title: str) -> None:
    assert suggest(title, "") is None


def test_two_probes_are_none() -> None:
    assert suggest("The backup of Redis restores", "") is None


def test_the_title_goes_before_the_cause() -> None:
    assert suggest("It is slow", "Redis is full") == ("redis", "Redis")
    assert suggest("Sentry is silent", "Redis is full") == ("sentry", "Sentry")
    assert suggest("The backup of Redis restores", "Sentry") is None


@pytest.mark.parametrize("probe", TABLES)
def test_what_is_suggested_is_what_the_probe_accepts(probe: str) -> None:
    names = ("REDIS_URL", "SOURCE_DIR", "DEVELOPMENT_PYTHON", "PRODUCTION_PYTHON", "BACKUP_DIR")
    given = dict.fromkeys(names, "redis://example.com") | {"SENTRY_DSN": "https://a@example.com/1"}
    table = substitute(TABLES[probe], given)
    assert isinstance(table, dict)
    convert(table, registry.find(probe).parameters)
