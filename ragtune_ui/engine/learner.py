"""The learner: a frozen base with a LoRA adapter that takes one optimizer step at a time.

LoRA: Hu et al. 2021 (arXiv 2106.09685), on all linear layers, alpha = 2 r (science.md 4.3).
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragtune_ui.domain.errors import Stopped, TrainingError
from ragtune_ui.domain.plans import TrainingPlan
from ragtune_ui.engine.models import device, halves, load_model, product_seconds, without_known_notices

CLIP = 1.0
BETAS = (0.9, 0.999)
MICRO_TOKENS = {"cpu": 2_048, "cuda": 16_384}  # padded tokens that go through the model at once
LOGITS_AT_ONCE = 2**25  # vocabulary x learned positions whose logits are held at once


@dataclass(frozen=True)
class Row:
    """One tokenized example: ids, and which of them are learned."""

    id: str
    ids: list[int]
    learned: list[bool]

    @property
    def weight(self) -> int:
        """Learned tokens; the first token has no context to be learned from."""
        return sum(self.learned[1:])


@dataclass(frozen=True)
class Pace:
    """How to compute on this machine: CPU threads, and the type that matrix products run in."""

    threads: int
    dtype: str  # "float32" or "bfloat16"


def calibrate(seconds: float = 0.3) -> Pace:
    """The fastest pace of those tried for about ``seconds``: more threads or 16 bits only where they pay.

    Under load two threads can be slower than one, and 16 bits are slower where the processor
    lacks them, so neither is guessed. One core in four or more is left to the window.
    """
    import torch

    if device() == "cuda":
        return Pace(torch.get_num_threads(), "bfloat16" if torch.cuda.is_bf16_supported() else "float32")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    most = cores if cores < 4 else cores - 1
    counts = sorted({1, most, *(n for n in (2, 4, 8, 16, 32) if n < most)})
    tried = [Pace(n, dtype) for n in counts for dtype in ("float32", "bfloat16")]
    held, rounds = torch.get_num_threads(), 3
    try:
        times = [[_time(pace, seconds / rounds / len(tried)) for pace in tried] for _ in range(rounds)]
    finally:
        torch.set_num_threads(held)
    middle = [statistics.median(column) for column in zip(*times, strict=True)]
    best = 0
    for n in range(1, len(tried)):
        if middle[n] < 0.85 * middle[best]:  # ties go to fewer threads and full precision
            best = n
    return tried[best]


def _time(pace: Pace, seconds: float) -> float:
    import torch

    torch.set_num_threads(pace.threads)
    return product_seconds(pace.dtype, seconds)


class Learner:
    """A base model with a fresh adapter, in training."""

    def __init__(self, folder: Path, plan: TrainingPlan, pace: Pace) -> None:
        import torch
        from peft import LoraConfig, get_peft_model

        self.plan, self.pace, self.device = plan, pace, device()
        if self.device == "cpu":
            torch.set_num_threads(pace.threads)
        base = load_model(folder, "float32")
        torch.manual_seed(plan.seed)
        config = LoraConfig(
            r=plan.rank,
            lora_alpha=2 * plan.rank,
            lora_dropout=plan.dropout,
            target_modules="all-linear",
            bias="none",
            task_type="CAUSAL_LM",
        )
        with without_known_notices():
            self.model = get_peft_model(base, config)
        self.base = self.model.get_base_model()
        self.parameters = {n: p for n, p in self.model.named_parameters() if p.requires_grad}
        self.vocabulary = int(self.base.config.get_text_config().vocab_size)
        self._halves = halves(self.base)
        self.restart()

    def restart(self) -> None:
        """A fresh optimizer for the adapter as it stands."""
        import torch

        self.optimizer = torch.optim.AdamW(
            list(self.parameters.values()), lr=0.0, betas=BETAS, weight_decay=0.0, foreach=True
        )

    @property
    def size(self) -> int:
        """Numbers in the adapter."""
        return sum(p.numel() for p in self.parameters.values())

    def step(self, rows: Sequence[Row], rate: float, seed: int, should_stop: Callable[[], bool]) -> tuple[float, bool]:
        """One optimizer step; the mean loss of a learned token, and False where it was skipped.

        It is skipped, and nothing changes, where the loss or its gradient is not a finite number.
        Dropout depends on ``seed`` alone, so that a resumed run draws what an unbroken one draws.

        Raises:
            Stopped: before the step was whole; it is dropped, and nothing changes.
            TrainingError: memory ran out.
        """
        import torch

        self.model.train()
        torch.manual_seed(seed)
        weight = max(1, sum(row.weight for row in rows))
        total = 0.0
        self.optimizer.zero_grad(set_to_none=True)
        with _memory_in_words():
            for group in _until(should_stop, micro_batches(rows, MICRO_TOKENS[self.device])):
                loss = self._loss(group) / weight
                loss.backward()
                total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(list(self.parameters.values()), CLIP)
        if not (torch.isfinite(norm).item() and total == total and abs(total) != float("inf")):
            self.optimizer.zero_grad(set_to_none=True)
            return total, False
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        return total, True

    def check(self, rows: Sequence[Row], should_stop: Callable[[], bool]) -> float:
        """Mean loss of a learned token on examples that are not trained on. Raises Stopped."""
        import torch

        self.model.eval()
        with torch.no_grad(), _memory_in_words():
            groups = _until(should_stop, micro_batches(rows, 2 * MICRO_TOKENS[self.device]))
            losses = [self._loss(group).item() for group in groups]
        return sum(losses) / max(1, sum(row.weight for row in rows))

    def _loss(self, rows: Sequence[Row]) -> Any:
        """Summed loss of the learned tokens of a padded group.

        Rows are padded on the right and attention is causal, so no token sees padding and no mask
        is needed; logits are made at learned positions only.
        """
        import torch

        width = max(len(row.ids) for row in rows)
        ids = torch.tensor([row.ids + [0] * (width - len(row.ids)) for row in rows], device=self.device)
        at = [n * width + i - 1 for n, row in enumerate(rows) for i, on in enumerate(row.learned) if on and i]
        where = torch.tensor(at, dtype=torch.long, device=self.device)
        targets = ids.flatten().index_select(0, where + 1)
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.pace.dtype == "bfloat16"):
            if self._halves is None:
                logits = self.base(input_ids=ids, use_cache=False).logits
                return _entropy(logits.flatten(0, 1).index_select(0, where), targets)
            body, head = self._halves
            hidden = body(input_ids=ids, use_cache=False).last_hidden_state
            return self._head_loss(head, hidden.flatten(0, 1).index_select(0, where), targets)

    def _head_loss(self, head: Any, hidden: Any, targets: Any) -> Any:
        """The loss from hidden states; in parts that are computed twice where the logits would be large."""
        from torch.utils.checkpoint import checkpoint

        at_once = max(1, LOGITS_AT_ONCE // self.vocabulary)
        if len(targets) <= at_once:
            return _entropy(head(hidden), targets)
        parts = zip(hidden.split(at_once), targets.split(at_once), strict=True)
        return sum(checkpoint(lambda h, t: _entropy(head(h), t), h, t, use_reentrant=False) for h, t in parts)

    # --- what is kept on disk

    def write_adapter(self, folder: Path, model: str) -> None:
        """The adapter in peft's own format; ``model`` is the base's public name, never a path."""
        from peft import get_peft_model_state_dict
        from safetensors.torch import save_file

        tensors = {n: t.detach().cpu().contiguous() for n, t in get_peft_model_state_dict(self.model).items()}
        save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
        config = self.model.peft_config["default"]
        held, inference = config.base_model_name_or_path, config.inference_mode
        config.base_model_name_or_path, config.inference_mode = model, True
        try:
            config.save_pretrained(str(folder))
        finally:
            config.base_model_name_or_path, config.inference_mode = held, inference

    def adapter(self) -> dict[str, Any]:
        """A copy of the adapter's numbers, by parameter name."""
        return {name: p.detach().cpu().clone() for name, p in self.parameters.items()}

    def put_adapter(self, tensors: dict[str, Any]) -> None:
        """Take up the numbers of ``adapter()``."""
        import torch

        with torch.no_grad():
            for name, p in self.parameters.items():
                p.copy_(tensors[name])

    def moments(self) -> dict[str, Any]:
        """The optimizer's running means, by parameter name; empty before its first step."""
        return {
            f"{name}|{key}": self.optimizer.state[p][key].detach().cpu().clone()
            for name, p in self.parameters.items()
            for key in ("step", "exp_avg", "exp_avg_sq")
            if p in self.optimizer.state
        }

    def put_moments(self, tensors: dict[str, Any]) -> None:
        """Take up what ``moments()`` gave."""
        self.restart()
        for key, tensor in tensors.items():
            name, _, part = key.rpartition("|")
            p = self.parameters[name]
            self.optimizer.state[p][part] = tensor if part == "step" else tensor.to(p.device)


def micro_batches(rows: Sequence[Row], tokens: int) -> Iterator[list[Row]]:
    """Rows of like length together, at most ``tokens`` with their padding (a longer row goes alone)."""
    group: list[Row] = []
    for row in sorted(rows, key=lambda r: (len(r.ids), r.id)):
        if group and len(row.ids) * (len(group) + 1) > tokens:
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _until(should_stop: Callable[[], bool], groups: Iterable[list[Row]]) -> Iterator[list[Row]]:
    """The groups one by one. A stop is heard before each: with a slow model a whole step takes minutes."""
    for group in groups:
        if should_stop():
            raise Stopped("Stopped.", "What was finished is kept.")
        yield group


def _entropy(logits: Any, targets: Any) -> Any:
    import torch

    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")


class _memory_in_words:
    """Turns an out-of-memory error into a sentence with a remedy."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        said = str(error).lower()
        if isinstance(error, MemoryError) or (
            isinstance(error, RuntimeError) and ("out of memory" in said or "can't allocate memory" in said)
        ):
            raise TrainingError(
                "There was not enough memory for the next step.",
                "Press Resume after closing other programs; if it happens again, choose a smaller model or "
                "lower the longest example in the plan.",
                f"{type(error).__name__}: {error}",
            ) from error
