"""Who writes: named, on which computer, and changed back with one press."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from ragtune_ui.domain.endpoints import Endpoint
from ragtune_ui.domain.errors import QuestionError
from ragtune_ui.ui import author_panel as panel
from ragtune_ui.ui import questions_tab
from tests.studio.conftest import House
from tests.ui.pages import HOSTILE, Bench, clean


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.idle()


def test_where_passages_go_is_said() -> None:
    own = clean(panel.author(f"Reader {HOSTILE}", Endpoint(), True))
    assert "on this computer<" in own and "data-do" not in own
    local = panel.author("big", Endpoint("http://127.0.0.1:1/v1", "big"), True)
    assert "another program" in local and 'data-do="forget"' in local
    assert "leave this computer" in panel.author("big-cloud", Endpoint("http://127.0.0.1:1/v1", "big-cloud"), True)
    far = Endpoint("https://models.example/v1", "big")
    assert "sent to models.example" in panel.author("big", far, True)
    assert "not allowed" in panel.author("big", far, False)


def test_a_server_is_looked_at_chosen_and_taken_back(house: House) -> None:
    studio, project = house.studio, house.project
    update, note = panel.find(studio, project, "127.0.0.1:1")
    assert (update["choices"], update["value"]) == (["big", "small"], None) and "2 models are there" in note
    assert "small writes" in panel.choose(studio, project, "127.0.0.1:1", "small")
    assert "small at http://127.0.0.1:1/v1" in panel.refresh(studio, project)
    before = panel.mark(studio, project)
    panel.forget(studio, project, {"do": "forget", "id": ""})
    assert "the built-in reader can answer" in panel.refresh(studio, project) and panel.mark(studio, project) != before
    assert panel.refresh(studio, None) == "" and panel.mark(studio, None) is None


def test_a_server_without_models_is_said(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house.studio.authors, "models", lambda url: [])
    update, note = panel.find(house.studio, house.project, "127.0.0.1:1")
    assert update == gr.skip() and "no model yet" in note


def test_nothing_changes_where_no_server_answers(house: House) -> None:
    house.fakes.away = True
    bench = Bench(questions_tab, "ask", house)
    said = bench.press(panel.choose, 1, "127.0.0.1:1", "big", project_id=house.project.id)
    assert "No model server answers" in str(said[1]) and not house.project.choices().endpoint.url
    with pytest.raises(QuestionError):
        panel.find(house.studio, house.project, "127.0.0.1:1")
    assert {"ask-author", "ask-server-url", "ask-server-find", "ask-server-model", "ask-server-use"} <= bench.ids()
