"""What the presets in the tree do not show: order, case, defaults, files that are no preset."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragtune_ui.domain.errors import PlanError
from ragtune_ui.domain.plans import TrainingPlan
from ragtune_ui.store.presets import load_presets, load_search_models, preset_named


def test_a_bare_preset_has_the_defaults_and_the_name_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("about = 'Short.'")
    (tmp_path / "models.toml").write_text("anything = [")
    (tmp_path / "readme.md").write_text("no preset")
    (preset,) = load_presets(tmp_path)
    assert (preset.name, preset.about, preset.recommended, preset.mix.name) == ("mine", "Short.", False, "mine")
    assert preset.plan == TrainingPlan()


def test_the_recommended_one_stands_first_then_by_name(tmp_path: Path) -> None:
    for name, recommended in (("a", "false"), ("c", "true"), ("b", "false")):
        (tmp_path / f"{name}.toml").write_text(f"recommended = {recommended}")
    assert [p.name for p in load_presets(tmp_path)] == ["c", "a", "b"]
    assert preset_named(load_presets(tmp_path), " B ").name == "b"


def test_bytes_that_are_no_text_are_said(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PlanError, match=r"mine\.toml is not readable"):
        load_presets(tmp_path)


def test_no_folder_no_preset(tmp_path: Path) -> None:
    assert load_presets(tmp_path / "none") == []
    with pytest.raises(PlanError, match="no preset called"):
        preset_named([], "x")


@pytest.mark.parametrize(
    ("text", "wanted"), [("colour = 1", "colour"), ("[plan]\nbatch = 0", "batch"), ("[mix]\nx = 1", "x")]
)
def test_a_wrong_key_or_value_names_the_file(tmp_path: Path, text: str, wanted: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(PlanError, match=rf"mine\.toml.*{wanted}"):
        load_presets(tmp_path)


def test_search_models_load_strictly(tmp_path: Path) -> None:
    file = tmp_path / "search-models.toml"
    row = '[[model]]\nid = ""\ntitle = "A"\nkind = "meaning"\nsize = 1\nlanguages = "x"\nspeed = 1\n'
    file.write_text(row + 'licence = "MIT"\nabout = "Good."\n')
    (model,) = load_search_models(file)
    assert (model.title, model.kind, model.speed) == ("A", "meaning", 1.0)
    for text, wanted in ((row, "lacks the key"), ("[[model", "not readable")):
        file.write_text(text)
        with pytest.raises(PlanError, match=wanted):
            load_search_models(file)
    with pytest.raises(PlanError, match="not readable"):
        load_search_models(tmp_path / "none.toml")
