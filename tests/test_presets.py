"""Every preset in the tree loads strictly, and a wrong one says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragtune_ui.domain.errors import PlanError
from ragtune_ui.domain.mixes import DatasetMix
from ragtune_ui.domain.plans import TrainingPlan
from ragtune_ui.store.presets import load_presets, preset_named

PRESETS = Path(__file__).resolve().parent.parent / "presets"


FILES = sorted(p for p in PRESETS.rglob("*.toml") if not p.name.endswith("models.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_each_preset_loads(path: Path) -> None:
    preset = next(p for p in load_presets(path.parent) if p.name.lower().replace(" ", "-") == path.stem)
    assert sum(preset.mix.shares().values()) == 100
    assert preset.about
    assert preset.mix.name == preset.name


def test_the_four_presets_are_there_and_one_is_recommended() -> None:
    presets = load_presets(PRESETS)
    assert {p.name for p in presets} == {"Specialist", "Balanced", "Assistant", "DAP then RAFT"}
    assert [p.name for p in presets if p.recommended] == ["Balanced"] == [presets[0].name]
    assert preset_named(presets, "dap THEN raft").mix.order == "dap first"


def test_a_new_project_starts_as_the_recommended_preset() -> None:
    recommended = load_presets(PRESETS)[0]
    assert (recommended.mix, recommended.plan) == (DatasetMix(), TrainingPlan())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("[mix]\nraff = 70", "raff"),
        ("[mix]\nraft = 70\nplain = 20", "90 %"),
        ("[mix]\nraft = 'much'", "whole number"),
        ("[plan]\nrank = 0", "rank"),
        ("colour = 'blue'", "colour"),
        ("[mix", "not readable"),
    ],
)
def test_a_wrong_preset_is_refused_in_words(tmp_path: Path, text: str, wanted: str) -> None:
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        load_presets(tmp_path)
    assert wanted in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(PlanError) as caught:
        preset_named(load_presets(PRESETS), "Wizard")
    assert "Balanced" in caught.value.remedy
