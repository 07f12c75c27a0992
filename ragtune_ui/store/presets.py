"""Presets: TOML files that a person may read and write, loaded strictly into the domain's own nouns."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragtune_ui.domain.errors import PlanError, RagtuneError
from ragtune_ui.domain.mixes import DatasetMix
from ragtune_ui.domain.passages import SearchModel
from ragtune_ui.domain.plans import TrainingPlan
from ragtune_ui.domain.records import from_record


@dataclass(frozen=True)
class Preset:
    """A named starting point: a mix, a plan, and a sentence on when to choose it."""

    name: str
    about: str
    recommended: bool
    mix: DatasetMix
    plan: TrainingPlan


def load_presets(folder: Path) -> list[Preset]:
    """All presets of a folder, the recommended one first, then by name.

    Raises:
        PlanError: a file has an unknown key, a wrong value, or is no TOML; it names file and key.
    """
    found = [_load(path) for path in sorted(folder.glob("*.toml")) if not path.name.endswith("models.toml")]
    return sorted(found, key=lambda p: (not p.recommended, p.name))


def load_search_models(file: Path) -> list[SearchModel]:
    """The search models and rerankers that a file names, in its order.

    Raises:
        PlanError: an unknown key, a wrong value, or no TOML; it names what.
    """
    try:
        table: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
        return [from_record(SearchModel, row, f"model {n}") for n, row in enumerate(table.get("model", []), start=1)]
    except (OSError, ValueError) as error:
        raise PlanError(f"The list {file.name} is not readable.", "Mend it.", str(error)) from error
    except RagtuneError as error:
        raise PlanError(f"The list {file.name}: {error}", error.remedy) from error


def preset_named(presets: list[Preset], name: str) -> Preset:
    """The preset of that name, whatever the case.

    Raises:
        PlanError: there is none; it lists the names.
    """
    for preset in presets:
        if preset.name.lower() == name.strip().lower():
            return preset
    raise PlanError(f"There is no preset called {name!r}.", f"Choose one of: {', '.join(p.name for p in presets)}.")


def _load(path: Path) -> Preset:
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlanError(f"The preset {path.name} is not readable.", "Mend or remove it.", str(error)) from error
    unknown = sorted(set(table) - {"name", "about", "recommended", "mix", "plan"})
    if unknown:
        raise PlanError(f"The preset {path.name} has an unknown key: {unknown[0]}.", "Mend or remove it.")
    name = str(table.get("name", path.stem))
    try:
        return Preset(
            name=name,
            about=str(table.get("about", "")),
            recommended=bool(table.get("recommended", False)),
            mix=from_record(DatasetMix, {**table.get("mix", {}), "name": name}, "mix"),
            plan=from_record(TrainingPlan, table.get("plan", {}), "plan"),
        )
    except RagtuneError as error:
        raise PlanError(f"The preset {path.name}: {error}", error.remedy) from error
