"""Searching: one model a name, indexes where the settings put them, vectors in the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragtune_ui.domain.errors import ModelError, PassageError
from ragtune_ui.engine import embedder
from ragtune_ui.engine.searching import Searching
from ragtune_ui.settings import Settings
from tests.engine.test_searcher import CHUNKS, found, quiet


def settings(home: Path, **environ: str) -> Settings:
    return Settings.from_env(environ, str(home))


@pytest.fixture(autouse=True)
def without_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder, "PACKAGE", "no_such_package_here")  # the keyword-level stand-in loads at once


def test_a_model_is_made_once_and_named_by_its_source(tmp_path: Path) -> None:
    search = Searching(settings(tmp_path))
    assert search.model("") is search.model("built-in")
    with pytest.raises(ModelError):
        search.model(str(tmp_path))
    with pytest.raises(ModelError, match="not a reranker"):
        search.reranker(str(tmp_path))
    assert search.chunker("").count(["one two"]) == [2]


def test_an_index_lies_in_its_project_and_vectors_beside_it(tmp_path: Path) -> None:
    project = tmp_path / "home" / "crane-1"
    searcher = Searching(settings(tmp_path / "home")).searcher(project / "index.lance", "")
    searcher.update(CHUNKS, quiet)
    assert sorted(p.name for p in project.iterdir()) == ["index.lance", "vectors"]


def test_an_index_lies_where_the_settings_say(tmp_path: Path) -> None:
    root = f"file://{tmp_path}/far/"
    search = Searching(settings(tmp_path / "home", RAGTUNE_INDEX=root, RAGTUNE_INDEX_OPTIONS='{"timeout": "9s"}'))
    searcher = search.searcher(tmp_path / "home" / "crane-1" / "index.lance", "")
    searcher.update(CHUNKS, quiet)
    assert found(searcher, "winch brake")[0] == CHUNKS[0].text
    assert (tmp_path / "far" / "crane-1" / "index.lance").is_dir()
    assert [p.name for p in (tmp_path / "home" / "crane-1").iterdir()] == ["vectors"]


def test_options_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    search = Searching(settings(tmp_path, RAGTUNE_INDEX="s3://b", RAGTUNE_INDEX_OPTIONS="region"))
    with pytest.raises(PassageError, match="RAGTUNE_INDEX_OPTIONS"):
        search.searcher(tmp_path / "crane-1" / "index.lance", "")
