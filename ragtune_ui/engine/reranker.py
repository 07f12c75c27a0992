"""Reranker: a cross-encoder reads question and passage together, which is slower and sharper than vectors.

Any sequence-classification model with one output works, such as the ms-marco MiniLM family. None is built in.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ragtune_ui.domain.errors import ModelError

BATCH = 16  # pairs read at once
POSITIONS = 512  # word pieces of question and passage together, at most


class CrossReranker:
    """The cross-encoder in ``folder`` (``ports.Reranker``).

    Raises:
        ModelError: on construction, where the folder holds no such model.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        self._model: Any = None
        self._tokenizer: Any = None
        self._lock = threading.Lock()
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            config = {}
        kinds = config.get("architectures") or [""]
        labels = len(config.get("id2label") or {"0": ""})
        if not kinds[0].endswith("ForSequenceClassification") or labels != 1:
            raise ModelError(
                f"{name} is not a reranker.",
                "Choose a cross-encoder with one output, such as cross-encoder/ms-marco-MiniLM-L6-v2, or none.",
            )
        if not list(folder.glob("*.safetensors")):
            raise ModelError(
                f"The reranker {name} has no safetensors weights.", "Choose one that has, or search without a reranker."
            )

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the question, 0 to 1 (the logistic of the model's output).

        Raises:
            ModelError: the files cannot be loaded.
        """
        import torch

        with self._lock:
            self._load()
        order = sorted(range(len(texts)), key=lambda n: -len(texts[n]))
        scores = [0.0] * len(texts)
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            batch = self._tokenizer(
                [question] * len(rows), [texts[n] for n in rows], truncation="longest_first",
                max_length=POSITIONS, padding=True, return_tensors="pt",
            ).to(self._model.device)  # fmt: skip
            with torch.inference_mode():
                found = torch.sigmoid(self._model(**batch).logits.float().reshape(-1)).cpu().tolist()
            for row, value in zip(rows, found, strict=True):
                scores[row] = float(value)
        return scores

    def _load(self) -> None:
        if self._model is not None:
            return
        import torch
        from safetensors import SafetensorError
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(
                str(self._folder), local_files_only=True, trust_remote_code=False
            )
            model = AutoModelForSequenceClassification.from_pretrained(
                str(self._folder), local_files_only=True, trust_remote_code=False, use_safetensors=True,
                dtype=torch.float32,
            )  # fmt: skip
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise ModelError(
                f"The reranker {self._name} cannot be loaded.", "Choose another one, or none.", type(error).__name__
            ) from None
        self._model = model.eval().to("cuda" if torch.cuda.is_available() else "cpu")
