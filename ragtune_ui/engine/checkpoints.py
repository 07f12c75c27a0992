"""Checkpoints: everything a run needs to go on as if it had never stopped, in safetensors and JSON."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ragtune_ui.domain.errors import TrainingError
from ragtune_ui.domain.plans import RunSheet
from ragtune_ui.domain.records import from_record, to_record
from ragtune_ui.engine.learner import Learner, Pace

KEPT = 2  # newest checkpoints that stay; the best adapter so far lies inside each

Publish = Callable[[Path, Callable[[Path], None]], None]


@dataclass(frozen=True)
class Position:
    """Where a run stands at the end of an optimizer step. The order of the data, the dropout and
    the rate are functions of the seed and the step, so no generator's state has to be kept."""

    step: int = 0  # over all stages
    losses: tuple[float, ...] = ()  # one a step that counted
    tokens: int = 0
    seconds: float = 0.0
    skipped: int = 0  # steps in a row whose loss was not a number
    best_step: int = -1
    best_loss: float | None = None
    worse: int = 0  # checks since the best one
    checked: int = -1  # step of the latest check
    fingerprint: dict[str, str] = field(default_factory=dict)
    pace: Pace = field(default_factory=lambda: Pace(1, "float32"))


def fingerprint(sheet: RunSheet) -> dict[str, str]:
    """What must be the same for a run to go on: its examples, its unseen examples, model and plan."""
    data, model = Path(sheet.dataset_folder), Path(sheet.model_folder)
    weights = sorted(f for f in model.glob("*.safetensors"))
    return {
        "training examples": _digest(data / "examples.jsonl"),
        "unseen examples": _digest(data / "dev.jsonl"),
        "model": _sha("".join(_digest(f) for f in [*weights, model / "config.json", model / "tokenizer.json"])),
        "training plan": _sha(json.dumps([to_record(sheet.plan), sheet.order], sort_keys=True)),
    }


def write(run: Path, learner: Learner, position: Position, best: dict[str, Any] | None, model: str, publish: Publish):
    """Publish ``run/checkpoints/step-000020`` and let go of the oldest."""
    from safetensors.torch import save_file

    def fill(folder: Path) -> None:
        learner.write_adapter(folder, model)
        save_file(learner.moments(), folder / "optimizer.safetensors")
        if best is not None:
            save_file(best, folder / "best.safetensors")
        text = json.dumps(to_record(position), indent=1)
        (folder / "position.json").write_text(text + "\n", encoding="utf-8")

    publish(run / "checkpoints" / f"step-{position.step:06d}", fill)
    for old in _newest_first(run)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)


def latest(run: Path, now: dict[str, str], verified: Callable[[Path], bool]) -> tuple[Path, Position] | None:
    """The newest complete checkpoint of a run and where it stands; None where there is none.

    Raises:
        TrainingError: it was made from other examples, another model or another plan.
    """
    for folder in _newest_first(run):
        if not verified(folder):
            continue
        position = from_record(Position, json.loads((folder / "position.json").read_text(encoding="utf-8")))
        other = [name for name, digest in now.items() if position.fingerprint.get(name) != digest]
        if other:
            raise TrainingError(
                f"This run cannot go on: the {' and the '.join(other)} changed since it was saved.",
                "Start a new run; the saved points of this one stay as they are.",
            )
        return folder, position
    return None


def load(folder: Path, learner: Learner, fresh: bool) -> dict[str, Any] | None:
    """Put a checkpoint into the learner; the best adapter so far, if one was kept.

    ``fresh`` leaves the optimizer's memory behind: the next step begins a stage.
    """
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    set_peft_model_state_dict(learner.model, load_file(folder / "adapter_model.safetensors"))
    if not fresh:
        learner.put_moments(load_file(folder / "optimizer.safetensors"))
    best = folder / "best.safetensors"
    return load_file(best) if best.exists() else None


def _newest_first(run: Path) -> list[Path]:
    return sorted((run / "checkpoints").glob("step-*"), reverse=True)


def _digest(file: Path) -> str:
    if not file.exists():
        return ""
    with file.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
