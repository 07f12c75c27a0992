"""Trash: kept for a week, brought back or deleted for good, and never by half."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from ragtune_ui.domain.changes import Before
from ragtune_ui.domain.errors import ProjectError
from ragtune_ui.store import trash
from ragtune_ui.store.projects import Home, Project
from tests.store.test_projects import a_document, keep


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def project(home: Home) -> Project:
    return home.create("Crane handbook")


def later(monkeypatch: pytest.MonkeyPatch, **ago: float) -> None:
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(**ago)
    monkeypatch.setattr(trash, "_now", lambda: then)


def test_a_project_is_deleted_after_a_week_and_not_before(
    home: Home, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = home.create("Other")
    home.discard(project.id)
    later(monkeypatch, days=6.9)
    home.tidy()
    assert [c.id for c in home.discarded()] == [project.id]
    home.discard(other.id)
    later(monkeypatch, days=7.1)
    home.tidy()
    assert [c.id for c in home.discarded()] == [other.id] and [p.name for p in home.trash.iterdir()] == [other.id]


def test_the_week_begins_anew_after_a_project_was_back(
    home: Home, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.discard(project.id)
    home.restore(project.id)
    assert not list(project.folder.glob("discarded*"))
    later(monkeypatch, days=9)
    home.discard(project.id)
    home.tidy()
    assert [c.id for c in home.discarded()] == [project.id]


def test_what_an_earlier_version_moved_there_has_its_week_from_the_first_start(
    home: Home, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.trash.mkdir()
    project.folder.replace(home.trash / project.id)
    later(monkeypatch, days=100)
    home.tidy()
    later(monkeypatch, days=106)
    home.tidy()
    assert [c.id for c in home.discarded()] == [project.id]
    later(monkeypatch, days=108)
    home.tidy()
    assert home.discarded() == [] and list(home.trash.iterdir()) == []


def test_documents_go_with_their_versions_and_vectors(
    home: Home, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fog, rain = keep(project, tmp_path, "fog.md", "Old fog."), keep(project, tmp_path, "rain.md")
    new, parsed = a_document("fog2.md", "New fog.", replaces=fog.id)
    (tmp_path / "fog2").write_bytes(b"new")
    project.keep_waiting(new, parsed, tmp_path / "fog2")
    project.replace_document(fog.id, new.id, Before())
    project.keep_waiting(new, parsed, tmp_path / "fog2")
    (project.folder / "vectors").mkdir()
    project.discard_document(fog.id)
    project.tidy()
    assert [d.id for d in project.discarded_documents()] == [fog.id] and (project.folder / "vectors").exists()
    later(monkeypatch, days=8)
    project.tidy()
    assert project.discarded_documents() == [] == project.waiting() and project.documents() == [rain]
    for shelf in ("trash", "replaced", "waiting"):
        assert not [p for p in (project.folder / shelf).rglob("*") if p.is_file()]
    assert not (project.folder / "vectors").exists()


def test_a_document_that_was_added_again_keeps_its_versions(project: Project, tmp_path: Path) -> None:
    fog = keep(project, tmp_path, "fog.md")
    project.discard_document(fog.id)
    again = keep(project, tmp_path, "fog.md")
    (project.folder / "vectors").mkdir()
    project.delete_document(fog.id)
    assert project.documents() == [again] and project.discarded_documents() == []
    assert (project.folder / "vectors").exists()


def test_deleting_for_good_leaves_nothing_and_cannot_be_done_twice(home: Home, project: Project) -> None:
    home.discard(project.id)
    home.delete(project.id)
    assert list(home.trash.iterdir()) == [] and home.discarded() == []
    for id in (project.id, "../x", ""):
        with pytest.raises(ProjectError, match="no longer there"):
            home.delete(id)


def test_what_could_not_be_deleted_is_said_and_goes_at_the_next_start(
    home: Home, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.discard(project.id)
    with monkeypatch.context() as patched:
        patched.setattr(trash.shutil, "rmtree", lambda *a, **k: (_ for _ in ()).throw(PermissionError("open")))
        with pytest.raises(ProjectError, match="Not all of it"):
            home.delete(project.id)
    assert home.discarded() == [] and len(list(home.trash.iterdir())) == 1
    home.tidy()
    assert list(home.trash.iterdir()) == []


def test_what_a_file_in_the_trash_says_is_no_path(home: Home, project: Project, tmp_path: Path) -> None:
    fog = keep(project, tmp_path, "fog.md")
    project.discard_document(fog.id)
    path = project.folder / "trash" / fog.id / "document.json"
    path.write_text(path.read_text().replace(fog.id, "../documents"))
    assert project.discarded_documents() == []
    with pytest.raises(ProjectError):
        project.delete_document("../documents")
    home.discard(project.id)
    card = home.trash / project.id / "project.json"
    card.write_text(card.read_text().replace(project.id, "../../home"))
    with pytest.raises(ProjectError):
        home.delete("../../home")
    assert card.exists()


def test_a_copy_in_the_trash_is_not_overwritten(home: Home, project: Project) -> None:
    (home.trash / project.id).mkdir(parents=True)
    with pytest.raises(ProjectError, match="in the trash already"):
        home.discard(project.id)
    assert project.here


def test_a_damaged_project_in_the_trash_does_not_hide_the_others(home: Home, project: Project) -> None:
    other = home.create("Other")
    for id in (project.id, other.id):
        home.discard(id)
    (home.trash / other.id / "project.json").write_text("{")
    assert [c.id for c in home.discarded()] == [project.id]
