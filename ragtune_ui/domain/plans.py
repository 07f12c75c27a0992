"""The training plan: what is trained, how, and in which stages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ragtune_ui.domain.errors import PlanError
from ragtune_ui.domain.examples import Example


@dataclass(frozen=True)
class TrainingPlan:
    """How to train. Defaults are for the built-in reader on a laptop (science.md 4.1, first column)."""

    rank: int = 32  # adapter size (LoRA r); alpha is always 2 r
    learning_rate: float = 1e-3  # task stage
    reading_rate: float = 5e-4  # subject-reading stage
    rounds: float = 4.0  # epochs over the task examples
    reading_rounds: float = 1.0  # epochs over the subject-reading examples
    batch: int = 8  # examples a step
    max_length: int = 1024  # word pieces (tokens) of an example, at most
    dropout: float = 0.05  # LoRA dropout
    check_every: int = 10  # steps between checks on unseen examples
    save_every: int = 20  # steps between saved points (checkpoints)
    patience: int = 0  # stop after so many checks without a better one; 0: never
    seed: int = 42

    def __post_init__(self) -> None:
        bounds: dict[str, tuple[float, float]] = {
            "rank": (1, 256), "learning_rate": (1e-6, 1e-1), "reading_rate": (1e-6, 1e-1), "rounds": (0.1, 50),
            "reading_rounds": (0.1, 50), "batch": (1, 256), "max_length": (64, 32_768), "dropout": (0, 0.5),
            "check_every": (1, 10_000), "save_every": (1, 10_000), "patience": (0, 1_000),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            if not low <= getattr(self, name) <= high:
                label = name.replace("_", " ")
                raise PlanError(f"The {label} is {getattr(self, name):g}; it must lie between {low:g} and {high:g}.")


@dataclass(frozen=True)
class RunSheet:
    """What the worker process of a run reads: everything it needs, as plain values."""

    model: str  # model id, for people
    model_folder: str
    dataset: str  # dataset id
    dataset_folder: str  # holds examples.jsonl and dev.jsonl
    order: str  # "mixed" or "dap first"
    plan: TrainingPlan


@dataclass(frozen=True)
class Stage:
    """One pass of training with its own examples, rate and step count."""

    name: Literal["reading", "tuning"]
    steps: int
    learning_rate: float
    rounds: float


def stages(plan: TrainingPlan, examples: Sequence[Example], order: str) -> tuple[Stage, ...]:
    """The stages of a plan on a dataset: one, or subject reading before tuning.

    Raises:
        PlanError: there is no example to train on.
    """
    reading = [e for e in examples if e.lane == "dap"] if order == "dap first" else []
    tuning = len(examples) - len(reading)
    found = []
    if reading:
        steps = steps_of(len(reading), plan.reading_rounds, plan.batch)
        found.append(Stage("reading", steps, plan.reading_rate, plan.reading_rounds))
    if tuning:
        found.append(Stage("tuning", steps_of(tuning, plan.rounds, plan.batch), plan.learning_rate, plan.rounds))
    if not found:
        raise PlanError("The dataset is empty.", "Compose a mix first.")
    return tuple(found)


def steps_of(examples: int, rounds: float, batch: int) -> int:
    """Optimizer steps for ``rounds`` over ``examples``, the last batch of all counted whole."""
    return max(1, math.ceil(examples * rounds / batch))


def rate_at(step: int, stage: Stage) -> float:
    """Learning rate of a step (from 0): linear warm-up over 5 % of the steps (at least one, at most
    ten steps for short stages), then cosine to a tenth (science.md 4.1)."""
    warm = min(max(1, round(0.05 * stage.steps)), 10, stage.steps)
    if step < warm:
        return stage.learning_rate * (step + 1) / warm
    progress = (step - warm) / max(1, stage.steps - warm)
    return stage.learning_rate * (0.1 + 0.45 * (1 + math.cos(math.pi * min(1.0, progress))))


def halved(plan: TrainingPlan) -> TrainingPlan:
    """The plan with half the batch: the remedy where memory ran out."""
    return replace(plan, batch=max(1, plan.batch // 2))
