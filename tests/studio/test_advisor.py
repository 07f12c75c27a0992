"""Advisor desk: the grid keeps the reading room, the gain is honest, use and undo, stop."""

from __future__ import annotations

import threading

import pytest

from ragtune_ui.domain.errors import PassageError
from ragtune_ui.domain.passages import ChunkSettings, SearchSettings
from ragtune_ui.studio import advisor
from ragtune_ui.studio.advisor import Setting, grid
from tests.studio.conftest import House, facts, library

NOW = Setting(ChunkSettings(), SearchSettings())


def test_the_grid_keeps_the_room_that_the_model_reads() -> None:
    settings = grid(NOW, "")
    assert settings[0] == NOW and len(set(settings)) == len(settings) > 15
    room = NOW.chunks.size * NOW.search.number
    assert all(s.chunks.size * s.search.number <= room for s in settings)
    assert {s.chunks.size for s in settings} == {80, 120, 160, 240, 320}
    assert all(0 <= s.chunks.overlap <= s.chunks.size // 2 for s in settings)
    assert not any(s.search.reranker for s in settings)
    assert sum(s.search.reranker == "mine" for s in grid(NOW, "mine")) == 5
    small = grid(Setting(ChunkSettings(40, 20), SearchSettings(1)), "")
    assert {s.chunks.size for s in small} == {40}


def test_too_few_questions_are_no_ground_for_advice(house: House) -> None:
    house.add({"a.md": facts(["red crane"])})
    with pytest.raises(PassageError, match="advice needs at least"):
        house.studio.advisor.start(house.project)
    assert house.studio.advisor.latest(house.project) is None
    with pytest.raises(PassageError, match="no advice yet"):
        house.studio.advisor.use(house.project)


def test_good_settings_are_left_as_they_are(full: House) -> None:
    job = full.wait(full.studio.advisor.start(full.project))
    assert job.state == "finished" and "as good as any" in job.note
    advice = full.studio.advisor.latest(full.project)
    assert advice is not None and not advice.changes and advice.best.search == SearchSettings()
    assert advice.before.mean == 100 and advice.tried > 15 and advice.questions > 20
    assert not (full.project.folder / "trial.lance").exists()
    assert full.fakes.updates == 1 + 4  # its own index, and one for each other length


def test_more_passages_than_the_model_is_given_are_no_gain(house: House) -> None:
    # As below, but the model takes one passage: where it stands first, four shorter ones would not help it more.
    house.add(library(5, 6))
    house.fakes.passages = 1
    house.studio.retrieval.change(house.project, ChunkSettings(320, 32), SearchSettings(1))
    house.idle()
    for chunk in house.project.chunks():
        house.studio.proving.judge(house.project, f"{chunk.text.split()[1]} weighs, {chunk.start}?", chunk.id, True)
    house.wait(house.studio.advisor.start(house.project))
    advice = house.studio.advisor.latest(house.project)
    assert advice is not None and not advice.changes and advice.gain.mean == 0


def test_a_better_setting_is_used_and_taken_back(house: House) -> None:
    # With one passage a question the fake, which breaks ties by place, misses each thing but the first of
    # its colour when its question says the colour alone; four short passages would hold it.
    house.add(library(5, 6))
    house.studio.retrieval.change(house.project, ChunkSettings(320, 32), SearchSettings(1))
    house.idle()
    for chunk in house.project.chunks():
        thing = chunk.text.split()[1]
        house.studio.proving.judge(house.project, f"{thing} weighs, number {chunk.start}?", chunk.id, True)
    house.wait(house.studio.advisor.start(house.project))
    advice = house.studio.advisor.latest(house.project)
    assert advice is not None and advice.changes and advice.gain.low > 0 and advice.after.mean > advice.before.mean
    assert "In use" in house.studio.advisor.use(house.project)
    house.idle()
    assert house.project.choices().chunks == advice.best.chunks and house.project.choices().search == advice.best.search
    used = house.studio.advisor.latest(house.project)
    assert used is not None and used.used
    assert "Back as before" in house.studio.advisor.undo(house.project)
    house.idle()
    assert house.project.choices().search == SearchSettings(1)
    (house.project.folder / "advice.json").write_text("{}")
    assert house.studio.advisor.latest(house.project) is None


def test_a_stop_leaves_no_trial_behind(full: House, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    real = advisor._asked
    monkeypatch.setattr(advisor, "_asked", lambda *a: (begun.set(), go_on.wait(10), real(*a))[2])
    id = full.studio.advisor.start(full.project)
    begun.wait(10)
    full.studio.jobs.stop(full.project, id)
    go_on.set()
    assert full.wait(id).state == "stopped"
    assert full.studio.advisor.latest(full.project) is None and not (full.project.folder / "trial.lance").exists()
