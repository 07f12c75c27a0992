"""Models: loaded from a folder, never from elsewhere, with nothing in them that could run."""

from __future__ import annotations

import inspect
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ragtune_ui.domain.errors import ModelError


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder.

    Raises:
        ModelError: there is none that can be read.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except Exception as error:
        raise ModelError(
            "The model's tokenizer could not be read.",
            "Copy the model's folder again, with all its files.",
            f"{type(error).__name__}: {error}",
        ) from error


def load_model(folder: Path, dtype: str) -> Any:
    """The causal language model of a folder, in evaluation mode, in "float32" or "bfloat16".

    Raises:
        ModelError: it is not here, incomplete, or needs code that RAGTune does not run.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            str(folder),
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
            dtype=getattr(torch, dtype),
        )
    except MemoryError as error:
        raise ModelError(
            "There is not enough memory to load the model.", "Close other programs, or choose a smaller model."
        ) from error
    except Exception as error:
        raise ModelError(
            "The model could not be loaded.",
            "Choose another model, or copy its folder again with all its files.",
            f"{type(error).__name__}: {error}",
        ) from error
    return model.eval().to(device())


def device() -> str:
    """The device to compute on: "cuda" where there is one, else "cpu"."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def positions_of(model: Any) -> int:
    """The longest prompt and answer together, in tokens."""
    config = model.config.get_text_config()
    return int(getattr(config, "max_position_embeddings", None) or 2048)


def passages_of(config: Mapping[str, Any]) -> int:
    """How many passages a model keeps apart at most, where its configuration says so (``task_specific_params``,
    the place that transformers leaves for such hints); else 0."""
    hints = config.get("task_specific_params")
    retrieval = hints.get("retrieval") if isinstance(hints, Mapping) else None
    passages = retrieval.get("passages") if isinstance(retrieval, Mapping) else None
    # Anyone may have written a model's configuration: what is no count says nothing.
    return passages if isinstance(passages, int) and passages > 0 and passages is not True else 0


def product_seconds(dtype: str, seconds: float = 0.0) -> float:
    """Mean seconds of one matrix product in "float32" or "bfloat16" with the threads set, tried for ``seconds`` and at
    least twice. Processors that list 16-bit instructions may still be twice as slow with them, so it is tried."""
    import torch

    kind = getattr(torch, dtype)
    left, right = torch.ones(512, 384, dtype=kind), torch.ones(384, 1024, dtype=kind)
    left @ right
    began, done = time.perf_counter(), 0
    while done < 2 or time.perf_counter() - began < seconds:
        left @ right
        done += 1
    return (time.perf_counter() - began) / done


def halves(model: Any) -> tuple[Any, Callable[[Any], Any]] | None:
    """The model as (body, head): ids to hidden states, hidden states to logits.

    Lets a caller pay for the vocabulary only at the positions it needs. None for a model whose
    two halves do not give what the whole gives (extra scaling, another layout): tried, not guessed.
    """
    import torch

    body = getattr(model, model.base_model_prefix, None)
    head = getattr(model, "lm_head", None) or getattr(model, "cls", None)
    if body is None or head is None:
        return None
    was_training = model.training
    model.eval()
    probe = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6]], device=next(model.parameters()).device)
    probe = probe % model.config.get_text_config().vocab_size
    try:
        with torch.no_grad():
            whole = model(input_ids=probe, use_cache=False).logits
            parts = head(body(input_ids=probe, use_cache=False).last_hidden_state)
        same = whole.shape == parts.shape and torch.allclose(whole.float(), parts.float(), rtol=1e-3, atol=1e-3)
    except (TypeError, AttributeError, RuntimeError):
        same = False
    finally:
        model.train(was_training)
    return (body, head) if same else None


def accepts(model: Any, name: str) -> bool:
    """True where the model's call knows an argument."""
    return name in inspect.signature(model.forward).parameters


def public_name(id: str) -> str:
    """The name of a model that may leave this computer: a hub id as it is, a folder without its path."""
    return Path(id).name if Path(id).is_absolute() else id


def licence_of(folder: Path) -> str:
    """The licence that the model card beside the weights names; "" where there is none."""
    card = folder / "README.md"
    head = card.read_text(encoding="utf-8", errors="replace")[:5_000] if card.is_file() else ""
    found = re.search(r"^license:\s*([\w.-]+)\s*$", head, re.MULTILINE)
    return found.group(1) if found else ""


@contextmanager
def without_known_notices() -> Iterator[None]:
    """Silences what peft and transformers say to each other's developers, and nothing else."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        yield
