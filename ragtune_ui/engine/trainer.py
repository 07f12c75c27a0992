"""The trainer: examples and a plan to an adapter, as a loop that can be stopped and gone on with.

Everything durable is handed in: where events go, how a folder is published, when to stop. The
run's course is a function of its sheet: the order of the examples, the dropout and the rate
follow from the seed and the step, so a run that was stopped and resumed ends, on a CPU, with
the same bytes as one that was not. A stop is heard within a step or a check, which is dropped
and done anew where the run goes on.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ragtune_ui.domain.errors import Stopped, TrainingError
from ragtune_ui.domain.examples import Example
from ragtune_ui.domain.plans import RunSheet, Stage, rate_at, stages
from ragtune_ui.domain.records import from_record
from ragtune_ui.domain.words import counted
from ragtune_ui.engine import checkpoints
from ragtune_ui.engine.checkpoints import Position, Publish
from ragtune_ui.engine.learner import Learner, Pace, Row, calibrate
from ragtune_ui.engine.models import load_tokenizer, positions_of, public_name
from ragtune_ui.engine.tokens import encode

SKIPS = 3  # steps in a row whose loss may fail to be a number
UNSEEN = 32  # unseen examples of a check, at most: it must not cost more than it tells

Emit = Callable[..., object]


def train(
    run: Path,
    sheet: RunSheet,
    emit: Emit,
    should_stop: Callable[[], bool],
    publish: Publish,
    verified: Callable[[Path], bool],
    pace: Pace | None = None,
) -> None:
    """Train the run in a folder, from its newest complete checkpoint if there is one.

    Leaves ``run/adapter`` in peft's format (none where no step was taken), checkpoints under
    ``run/checkpoints`` and these events: started, stage, step, check, checkpoint, result, finished or
    stopped (domain/runs.py).

    Raises:
        TrainingError: nothing to train on, a loss that is not a number, too little memory, or a
            checkpoint made from something else. ModelError: the model cannot be loaded.
        OSError: the disk is full.
    """
    _Run(run, sheet, emit, should_stop, publish, verified, pace).go()


class _Run:
    """One run in the making: the learner, where it stands, and what it says about itself."""

    def __init__(
        self,
        folder: Path,
        sheet: RunSheet,
        emit: Emit,
        should_stop: Callable[[], bool],
        publish: Publish,
        verified: Callable[[Path], bool],
        pace: Pace | None,
    ) -> None:
        self.folder, self.sheet, self.plan = folder, sheet, sheet.plan
        self.emit, self.should_stop, self.publish, self.verified = emit, should_stop, publish, verified
        self.fingerprint = checkpoints.fingerprint(sheet)
        found = checkpoints.latest(folder, self.fingerprint, verified)
        self.at = found[1] if found else Position(fingerprint=self.fingerprint, pace=pace or calibrate())
        self.saved_in = found[0] if found else None
        self.best: dict[str, Any] | None = None
        self.ended = ""  # why it ended before its time, where a person stopped it

    def go(self) -> None:
        self._prepare()
        resumed = {"resumed": self.at.step} if self.saved_in else {}
        self.emit("started", pid=os.getpid(), total=self.total, **resumed)
        try:
            self._learn()
        except Stopped:
            self.ended = "Stopped before the first step. Nothing was learned yet."
            if self.at.step:
                self.ended = f"Stopped at step {self.at.step:,} of {self.total:,}; it can go on from there."
        self._close()

    def _prepare(self) -> None:
        """Read and tokenize the examples, load the model, take up a checkpoint."""
        data, tokenizer = Path(self.sheet.dataset_folder), load_tokenizer(Path(self.sheet.model_folder))
        self.learner = Learner(Path(self.sheet.model_folder), self.plan, self.at.pace)
        length = min(self.plan.max_length, positions_of(self.learner.base))
        examples, rows, too_long = _tokenized(data / "examples.jsonl", tokenizer, length)
        self._ensure_enough_fits(examples, too_long, length)
        self.left_out = len(too_long)
        _, unseen, _ = _tokenized(data / "dev.jsonl", tokenizer, length)
        self.unseen = sorted(unseen, key=lambda row: _rank(self.plan.seed, "unseen", row.id))[:UNSEEN]
        self.stages = stages(self.plan, examples, self.sheet.order)
        self.total = sum(stage.steps for stage in self.stages)
        reading = {e.id for e in examples if e.lane == "dap"} if self.sheet.order == "dap first" else set()
        self.rows = {
            "reading": [row for row in rows if row.id in reading],
            "tuning": [row for row in rows if row.id not in reading],
        }
        if self.saved_in is not None:
            starts = [sum(s.steps for s in self.stages[:n]) for n in range(len(self.stages))]
            self.best = checkpoints.load(self.saved_in, self.learner, fresh=self.at.step in starts)

    def _ensure_enough_fits(self, examples: Sequence[Example], too_long: Sequence[Example], length: int) -> None:
        """Without any answer from sources there would be a training, but not the one that was asked for."""
        lost = {example.lane for example in too_long} - {example.lane for example in examples}
        if "raft" not in lost and (examples or not lost):
            return
        what = "answer from sources" if "raft" in lost else "example"
        whose, way = "plan allows", "Raise the longest example in the plan"
        if length < self.plan.max_length:
            whose, way = "model can read", "Choose a model that reads more at once"
        raise TrainingError(
            f"Not one {what} fits into the {length:,} word pieces that the {whose}.",
            f"{way}, or compose a mix with fewer or shorter passages.",
        )

    def _learn(self) -> None:
        """Every stage to its end, or until the patience runs out. Raises Stopped."""
        first = 0
        for stage in self.stages:
            if self.at.step < first + stage.steps:
                self.emit("stage", name=stage.name, steps=stage.steps)
                if not self._stage(stage, first):
                    break
            first += stage.steps
        self._check(stage)

    def _stage(self, stage: Stage, first: int) -> bool:
        """Train one stage to its end; False where the patience runs out before it.

        A check comes before the step that follows it, so that a run stopped in a check begins with it.
        """
        rows = self.rows[stage.name]
        if self.at.step == first:
            self.learner.restart()
        while self.at.step < first + stage.steps:
            if self.at.step % self.plan.check_every == 0 and self._check(stage):
                return False
            self._step(stage, self.at.step - first, rows)
            if self.at.step % self.plan.save_every == 0 and self.at.step < self.total:
                self._save()
        return True

    def _step(self, stage: Stage, number: int, rows: Sequence[Row]) -> None:
        batch = step_rows(rows, number, stage, self.plan.batch, self.plan.seed)
        rate, began = rate_at(number, stage), time.monotonic()
        seed = int.from_bytes(_rank(self.plan.seed, "dropout", str(self.at.step))[:6], "big")
        loss, counted = self.learner.step(batch, rate, seed, self.should_stop)
        took, tokens, step = time.monotonic() - began, sum(len(row.ids) for row in batch), self.at.step + 1
        self.at = replace(self.at, step=step, tokens=self.at.tokens + tokens, seconds=self.at.seconds + took)
        if not counted:
            self._skip()
            return
        self.at = replace(self.at, losses=(*self.at.losses, loss), skipped=0)
        self.emit("step", step=step, loss=loss, rate=rate, tokens=tokens, seconds=took)

    def _skip(self) -> None:
        self.at = replace(self.at, skipped=self.at.skipped + 1)
        if self.at.skipped > SKIPS:
            raise TrainingError(
                f"The loss was not a number {self.at.skipped} steps in a row, up to step {self.at.step:,}.",
                "Start a new run with a lower learning rate, for example half of it.",
            )

    def _check(self, stage: Stage) -> bool:
        """Measure on unseen examples, once a step; True where the plan's patience has run out.

        Patience and the best model are for tuning alone, and begin with it: what unseen answers
        lose while the model only reads says nothing of what it will answer.
        """
        if self.unseen and self.at.checked != self.at.step:
            self._measure(stage)
        return 0 < self.plan.patience <= self.at.worse

    def _measure(self, stage: Stage) -> None:
        loss = self.learner.check(self.unseen, self.should_stop)
        self.at = replace(self.at, checked=self.at.step)
        if not math.isfinite(loss):
            return
        self.emit("check", step=self.at.step, loss=loss)
        if stage.name == "reading":
            return
        if self.at.best_loss is None or loss < self.at.best_loss:
            self.at = replace(self.at, best_loss=loss, best_step=self.at.step, worse=0)
            self.best = self.learner.adapter() if self.plan.patience else None
        else:
            self.at = replace(self.at, worse=self.at.worse + 1)

    def _save(self) -> None:
        checkpoints.write(self.folder, self.learner, self.at, self.best, public_name(self.sheet.model), self.publish)
        self.emit("checkpoint", step=self.at.step)

    def _close(self) -> None:
        """The last checkpoint, the adapter, and the figures."""
        if self.at.step:
            self._save()
        kept = self.at.step
        if not self.ended and self.plan.patience and self.best is not None:
            kept = self.at.best_step
            self.learner.put_adapter(self.best)
        if self.at.losses and kept:  # else it would be an untrained model that the other pages take for the latest one
            name = public_name(self.sheet.model)
            self.publish(self.folder / "adapter", lambda to: self.learner.write_adapter(to, name))
        elif not self.ended and (self.folder / "adapter").exists():  # of an earlier stop, and no better than the base
            shutil.rmtree(self.folder / "adapter")
        self.emit("result", **self._figures(kept))
        if self.ended:
            self.emit("stopped", note=self.ended)
        else:
            self.emit("finished", note=self._summary(kept))

    def _figures(self, kept: int) -> dict[str, Any]:
        losses = self.at.losses
        tenth = max(1, len(losses) // 10)
        return {
            "loss_first": statistics.fmean(losses[:tenth]) if losses else None,
            "loss_last": statistics.fmean(losses[-tenth:]) if losses else None,
            "steps": self.at.step,
            "kept_step": kept,
            "seconds": round(self.at.seconds, 2),
            "tokens": self.at.tokens,
            "adapter_parameters": self.learner.size,
            "examples": sum(len(rows) for rows in self.rows.values()),
            "left_out": self.left_out,
            "unseen": len(self.unseen),
            "threads": self.at.pace.threads,
            "precision": self.at.pace.dtype,
        }

    def _summary(self, kept: int) -> str:
        said = [f"{self.at.step:,} steps."]
        if self.at.step < self.total:
            said.append("It ended early: the unseen examples stopped getting better.")
        if not kept:
            said.append(
                "No step answered unseen examples better than the original model, so there is no tuned one. Try half "
                "the learning rate, or approve more questions."
            )
        elif kept < self.at.step:
            said.append(f"The model of step {kept:,} was kept, the best on unseen examples.")
        if self.left_out:
            said.append(f"{counted(self.left_out, 'example was', 'examples were')} left out: too long.")
        if not self.unseen:
            said.append("There were no unseen examples to check on.")
        return " ".join(said)


def step_rows(rows: Sequence[Row], step: int, stage: Stage, batch: int, seed: int) -> list[Row]:
    """The rows of one step of a stage (from 0): every row once a round, each round in another order.

    A row's place depends on the seed, the stage, the round and its id, and on nothing else.
    """
    end = min((step + 1) * batch, math.ceil(len(rows) * stage.rounds - 1e-9), stage.steps * batch)
    places = range(step * batch, max(end, step * batch + 1))
    orders = {
        n: sorted(rows, key=lambda row, n=n: _rank(seed, f"{stage.name}:{n}", row.id))
        for n in {place // len(rows) for place in places}
    }
    return [orders[place // len(rows)][place % len(rows)] for place in places]


def _rank(seed: int, what: str, id: str) -> bytes:
    return hashlib.sha256(f"{seed}:{what}:{id}".encode()).digest()


def _tokenized(file: Path, tokenizer: Any, length: int) -> tuple[list[Example], list[Row], list[Example]]:
    """The examples of a JSON-lines file that fit, their rows, and the examples that do not fit."""
    if not file.exists():
        return [], [], []
    lines = [line for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
    examples, rows, too_long = [], [], []
    for line in lines:
        example = from_record(Example, json.loads(line))
        try:
            row = Row(example.id, *encode(example, tokenizer, length))
        except TrainingError:
            row = None
        if row is not None and row.weight:
            examples.append(example)
            rows.append(row)
        else:
            too_long.append(example)
    return examples, rows, too_long
