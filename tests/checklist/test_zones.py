import pytest

from checklist.zones import is_zone


@pytest.mark.parametrize("name", ["UTC", "Asia/Seoul", "America/New_York"])
def test_an_iana_name_is_a_zone(name: str) -> None:
    assert is_zone(name)


@pytest.mark.parametrize(
    "name", ["", "Asia", "../UTC", "/etc/localtime", "Mars/Base", "localtime", "posixrules"]
)
def test_what_means_nothing_or_something_else_on_every_machine_is_none(name: str) -> None:
    assert not is_zone(name)
