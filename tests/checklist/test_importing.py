"""An imported list on disk: the checklist and its status, both or neither."""

from pathlib import Path

import pytest

from checklist import importing, journal, markdown
from checklist.markdown import Imported
from checklist.opening import Place, open_store
from checklist.store import StoreError
from tests.checklist.making import NOW, little
from tests.checklist.test_journal import _full

LIST = "# L\n## S\n- [x] **Redis is up**\n"


def imported() -> Imported:
    return markdown.read(LIST, Path("L.md"), by="Ann", at=NOW)


def test_behind_a_link_the_checklist_itself_is_replaced_and_the_claims_are_beside_it(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real, link = little(tmp_path / "real"), tmp_path / "checklist.toml"
    link.symlink_to(real)
    place, found = Place(link), imported()
    importing.save(found, place, Path("L.md"), "Ann")
    assert link.is_symlink()
    assert real.read_text() == found.toml
    assert open_store(place, found.checklist).load().items == found.facts


def test_if_only_the_journal_cannot_be_written_checklist_and_status_are_both_the_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, found = Place(little(tmp_path)), imported()
    monkeypatch.setattr(journal.os, "write", _full)
    with pytest.raises(StoreError, match="the change is saved, but not told there yet"):
        importing.save(found, place, Path("L.md"), "Ann")
    assert place.checklist.read_text() == found.toml
    assert open_store(place, found.checklist).load().items == found.facts


def test_if_the_status_cannot_be_written_the_checklist_is_as_it_was(tmp_path: Path) -> None:
    place = Place(little(tmp_path))
    old = place.checklist.read_bytes()
    place.journal.mkdir()
    with pytest.raises(StoreError, match="not saved: Is a directory"):
        importing.save(imported(), place, Path("L.md"), "Ann")
    assert (place.checklist.read_bytes(), place.status.exists()) == (old, False)
