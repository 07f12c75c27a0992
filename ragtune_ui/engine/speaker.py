"""The speaker: one loaded model that answers as it was and as it was tuned, side by side.

Both sides of a comparison go through the model as rows of one batch, so its weights are read
once for both; the adapter is added to the tuned rows only. The same loop serves the chat's two
rows and the verdict's hundreds.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ragtune_ui.domain.errors import ModelError
from ragtune_ui.domain.examples import Message
from ragtune_ui.domain.ports import Progress, Reply
from ragtune_ui.engine.models import accepts, device, load_model, load_tokenizer, passages_of, positions_of
from ragtune_ui.engine.tokens import end_ids, lowers, prompt_ids, restore

SIDES = ("base", "tuned")
LOOP = 6  # tokens; a run of so many that came before in the same answer is not said again
BATCH_TOKENS = {"cpu": 6_144, "cuda": 65_536}  # padded prompt and answer tokens answered at once
BATCH_ROWS = {"cpu": 12, "cuda": 64}
TELL_EVERY = 1.0  # seconds
FULL_PRECISION_BYTES = 2**31  # a model of at most this size runs on a CPU in 32 bits


class ModelSpeaker:
    """A base model and at most one adapter (the Speaker port).

    Raises:
        ModelError: on making it, where the model or the adapter cannot be loaded.
    """

    def __init__(self, model_folder: Path, adapter_folder: Path | None = None) -> None:
        self._lock = threading.Lock()
        self.tokenizer = load_tokenizer(model_folder)
        self.tokenizer.padding_side = "left"
        self.model: Any = load_model(model_folder, _precision(model_folder))
        self.positions = positions_of(self.model)
        self.passages = passages_of(self.model.config.to_dict())
        self._ends = end_ids(self.tokenizer, self.model)
        self._lowers = lowers(self.tokenizer)
        self._tuned_from: int | None = None  # the first row of the batch that the adapter is added to
        self.tuned = adapter_folder is not None
        self._take_over(_adapter(adapter_folder) if adapter_folder is not None else {})

    def stream(
        self, messages: Sequence[Message], sides: Sequence[str], limit: int, should_stop: Callable[[], bool]
    ) -> Iterator[Reply]:
        """Greedy answers of the named sides to the same prompt, in step, as they grow.

        Each side's last Reply has ``done``; a stop ends both where they are.
        """
        order = sorted(set(sides), key=SIDES.index)
        prompt = self._prompt(messages, limit)
        source, began = _source(messages), time.monotonic()
        rows = [_Row(prompt, side == "tuned") for side in order]
        for fresh in self._grow(rows, limit):
            stop = should_stop()
            for n in fresh:
                rows[n].done |= stop
                yield self._reply(order[n], rows[n], source, began)
            if stop:
                break
        for n, row in enumerate(rows):
            if not row.done:  # stopped before or between its tokens
                row.done = True
                yield self._reply(order[n], row, source, began)

    def answer(self, prompts: Sequence[Sequence[Message]], side: str, limit: int, progress: Progress) -> list[str]:
        """Greedy answers to many prompts by one side, in order; the same text as ``stream`` gives.

        Prompts of like length share a batch. Raises Stopped through ``progress``.
        """
        rows = self._answered(prompts, side, limit, progress)
        return [self._text(row, _source(messages)) for row, messages in zip(rows, prompts, strict=True)]

    def whole(self, prompts: Sequence[Sequence[Message]], side: str, limit: int, progress: Progress) -> list[str]:
        """As ``answer``, and "" for each answer that had not come to its end after ``limit`` tokens."""
        rows = self._answered(prompts, side, limit, progress)
        told = zip(rows, prompts, strict=True)
        return [self._text(row, _source(messages)) if row.ended else "" for row, messages in told]

    def _answered(self, prompts: Sequence[Sequence[Message]], side: str, limit: int, progress: Progress) -> list[_Row]:
        rows = [_Row(self._prompt(messages, limit), side == "tuned") for messages in prompts]
        done = 0
        progress(done, len(rows), "")
        for batch in _batches(rows, limit):
            told = time.monotonic()
            for _ in self._grow(batch, limit):
                if time.monotonic() - told > TELL_EVERY:  # so that a stop is heard within a batch
                    progress(done, len(rows), "")
                    told = time.monotonic()
            done += len(batch)
            progress(done, len(rows), "")
        return rows

    def fits(self, messages: Sequence[Message], room: int) -> bool:
        """True where the prompt leaves ``room`` tokens for the answer within the model's positions."""
        return len(prompt_ids(messages, self.tokenizer)) + room <= self.positions

    def close(self) -> None:
        """Give the memory back."""
        self.model = None
        if device() == "cuda":
            import torch

            torch.cuda.empty_cache()

    def _prompt(self, messages: Sequence[Message], limit: int) -> list[int]:
        return prompt_ids(messages, self.tokenizer, max(1, self.positions - limit))

    def _reply(self, side: str, row: _Row, source: str, began: float) -> Reply:
        return Reply(side, self._text(row, source), len(row.said), time.monotonic() - began, row.done)  # type: ignore[arg-type]

    def _text(self, row: _Row, source: str) -> str:
        text = self.tokenizer.decode(row.said, skip_special_tokens=True).strip()
        return restore(text, source) if self._lowers else text

    # --- the loop

    def _grow(self, rows: list[_Row], limit: int) -> Iterator[list[int]]:
        """Lengthen the rows' answers token by token; after each step, which rows got further or ended.

        Rows that are tuned stand last. A row that has ended leaves the batch.
        """
        if self.model is None:
            raise ModelError("The model was put away.", "Ask again; it is loaded anew.")
        if any(row.tuned for row in rows) and not self.tuned:
            raise ModelError("There is no tuned model yet.", "Train one first.")
        batch = _Batch(self.model, rows)
        alive = list(range(len(rows)))
        while alive and limit > 0:
            logits = self._forward(batch, [rows[n] for n in alive])
            fresh, left = alive, []
            for place, n in enumerate(alive):
                token = _choose(logits[place], rows[n].said, LOOP)
                rows[n].done = rows[n].ended = token in self._ends
                if not rows[n].done:
                    rows[n].said.append(token)
                    rows[n].done = len(rows[n].said) >= limit
                if not rows[n].done:
                    left.append(place)
            alive = [alive[place] for place in left]
            yield fresh
            alive = [n for n in alive if not rows[n].done]  # a stop may have ended some meanwhile
            if alive:
                batch.keep([place for place in left if not rows[fresh[place]].done])
                batch.append([rows[n].said[-1] for n in alive])

    def _forward(self, batch: _Batch, rows: Sequence[_Row]) -> Any:
        """Logits of the next token of each row, with the adapter added to the tuned ones."""
        import torch

        tuned = [n for n, row in enumerate(rows) if row.tuned]
        with self._lock, torch.inference_mode():
            self._tuned_from = tuned[0] if tuned else None
            return batch.forward()

    # --- the adapter

    def _take_over(self, adapter: dict[str, tuple[Any, Any]]) -> None:
        """Give every linear layer a forward that knows few rows, and its part of the adapter, unmerged."""
        import torch

        layers = {n: m for n, m in self.model.named_modules() if isinstance(m, torch.nn.Linear)}
        for name, (down, up) in adapter.items():
            if name not in layers or tuple(layers[name].weight.shape) != (up.shape[0], down.shape[1]):
                raise ModelError("The tuned model does not fit this base model.", "Choose the model it was trained on.")
        for name, layer in layers.items():
            part = adapter.get(name)
            layer.forward = self._linear(layer, part and tuple(t.to(layer.weight) for t in part))

    def _linear(self, layer: Any, part: tuple[Any, Any] | None) -> Callable[[Any], Any]:
        from torch.nn.functional import linear

        def forward(x: Any) -> Any:
            y = _few_rows(x, layer.weight, layer.bias)
            if part is not None and self._tuned_from is not None:
                y[self._tuned_from :] += linear(linear(x[self._tuned_from :], part[0]), part[1])
            return y

        return forward


def _few_rows(x: Any, weight: Any, bias: Any) -> Any:
    """``linear(x, weight, bias)``, a quarter of its time on a CPU for the two to four rows of a chat.

    For so few rows the library's kernel rearranges the whole weight first; turned round, as weight
    times rows, it reads it once.
    """
    import torch

    rows = x.shape[:-1].numel()
    if x.is_cuda or x.dtype != torch.float32 or not 2 <= rows <= 4:
        return torch.nn.functional.linear(x, weight, bias)
    y = torch.mm(weight, x.reshape(rows, -1).T).T.reshape(*x.shape[:-1], -1)
    return y if bias is None else y + bias


@dataclass
class _Row:
    """One answer in the making."""

    prompt: list[int]
    tuned: bool
    said: list[int] = field(default_factory=list)
    done: bool = False
    ended: bool = False  # by the model itself, not by the limit or a stop


class _Batch:
    """Rows that step together: the next ids, where they stand, and the keys and values so far.

    Prompts are padded on the left; positions are given explicitly, so that a model with absolute
    positions sees each prompt begin at 0.
    """

    def __init__(self, model: Any, rows: Sequence[_Row]) -> None:
        import torch
        from transformers import DynamicCache

        self.model = model
        place = next(model.parameters()).device
        width = max(len(row.prompt) for row in rows)
        gaps = [width - len(row.prompt) for row in rows]
        pad = model.config.get_text_config().pad_token_id or 0
        pairs = list(zip(gaps, rows, strict=True))
        self.ids = torch.tensor([[pad] * gap + row.prompt for gap, row in pairs], device=place)
        self.mask = torch.tensor([[0] * gap + [1] * (width - gap) for gap in gaps], device=place)
        self.positions = (self.mask.cumsum(-1) - 1).clamp(min=0)
        self.padded = any(gaps)
        self.cache = DynamicCache(config=model.config)
        self.last_only = {"logits_to_keep": 1} if accepts(model, "logits_to_keep") else {}

    def forward(self) -> Any:
        out = self.model(
            input_ids=self.ids,
            attention_mask=self.mask if self.padded else None,
            position_ids=self.positions,
            past_key_values=self.cache,
            use_cache=True,
            **self.last_only,
        )
        return out.logits[:, -1].float()

    def keep(self, places: list[int]) -> None:
        """Let go of the rows that are not named."""
        import torch

        if len(places) == len(self.ids):
            return
        at = torch.tensor(places, device=self.ids.device)
        self.cache.batch_select_indices(at)
        self.mask, self.positions = self.mask[at], self.positions[at]
        self.ids = self.ids[at]

    def append(self, tokens: list[int]) -> None:
        """The tokens to read next, one a row."""
        import torch

        self.ids = torch.tensor(tokens, device=self.ids.device)[:, None]
        self.mask = torch.cat([self.mask, torch.ones_like(self.ids)], dim=1)
        self.positions = self.positions[:, -1:] + 1


def _choose(logits: Any, said: Sequence[int], loop: int) -> int:
    """The likeliest next token that does not say a run of ``loop`` tokens a second time."""
    token = int(logits.argmax())
    banned = _banned(said, loop)
    if token not in banned:
        return token
    logits = logits.clone()
    logits[list(banned)] = -math.inf
    return int(logits.argmax())


def _banned(said: Sequence[int], loop: int) -> set[int]:
    """Tokens that would complete a run of ``loop`` tokens that was said before; the prompt may be quoted."""
    if len(said) < loop:
        return set()
    tail = list(said[len(said) - loop + 1 :])
    return {said[i + loop - 1] for i in range(len(said) - loop + 1) if list(said[i : i + loop - 1]) == tail}


def _batches(rows: Sequence[_Row], limit: int) -> Iterator[list[_Row]]:
    """Rows of like length together, within what is answered at once; the longest first, so that a
    lack of memory shows at the start."""
    tokens, most = BATCH_TOKENS[device()], BATCH_ROWS[device()]
    batch: list[_Row] = []
    for row in sorted(rows, key=lambda r: -len(r.prompt)):
        width = len(batch[0].prompt) + limit if batch else 0
        if batch and (len(batch) == most or width * (len(batch) + 1) > tokens):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _source(messages: Sequence[Message]) -> str:
    """What capitals are taken from: the prompt, its passages before its instruction."""
    return "\n".join(m.content for m in sorted(messages, key=lambda m: m.role == "system"))


def _precision(folder: Path) -> str:
    """32 bits on a CPU where the model is small, so that a batch and a single row say the same."""
    import torch

    if device() == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    weights = sum(f.stat().st_size for f in folder.glob("*.safetensors"))
    return "float32" if weights <= FULL_PRECISION_BYTES else "bfloat16"


def _adapter(folder: Path) -> dict[str, tuple[Any, Any]]:
    """The (down, up) matrices of a LoRA adapter in peft's format, by layer; the scale is in the second.

    Raises:
        ModelError: the adapter is not a plain LoRA, or its files are missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        scale = float(config["lora_alpha"]) / (int(config["r"]) ** (0.5 if config.get("use_rslora") else 1))
        tensors = load_file(folder / "adapter_model.safetensors")
        names = [key.removesuffix(".lora_A.weight") for key in tensors if key.endswith(".lora_A.weight")]
        pairs = {name: (tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"]) for name in names}
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ModelError(
            "The tuned model's files are missing or damaged.",
            "Train again, or restore the project from a backup.",
            f"{type(error).__name__}: {error}",
        ) from error
    extras = ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "fan_in_fan_out")
    plain = config.get("peft_type") == "LORA" and config.get("bias", "none") == "none"
    if not plain or any(map(config.get, extras)) or len(tensors) != 2 * len(pairs):
        raise ModelError("The tuned model is of a kind that RAGTune does not run.", "Train it with RAGTune.")
    return {name.removeprefix("base_model.model."): (down, up.float() * scale) for name, (down, up) in pairs.items()}
