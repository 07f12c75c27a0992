"""Vectors: what the search model made of a text is kept by the text's content, so that no text is read twice.

One file for each search model: records of a text's digest and its vector, appended. It is a cache:
a torn end is cut off, and losing the file costs time and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragtune_ui.domain.ports import Embedder, Progress

if TYPE_CHECKING:
    import numpy as np

SLICE = 256  # passages embedded and kept at a time: what a stop or a crash may lose
SHORT = 800  # characters that count as one passage: questions go in larger slices
DIGEST = 16  # bytes of the sha256 of a text
MOST = 512 * 2**20  # bytes a file may grow to; then its older half goes


class KnownVectors:
    """The vectors of one search model in ``folder``; None keeps them in memory alone."""

    def __init__(self, folder: Path | None, embedder: Embedder) -> None:
        self._folder = folder
        self._embedder = embedder
        self._vectors: dict[bytes, np.ndarray] = {}
        self._loaded = False
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> tuple[np.ndarray, int]:
        """The vectors of ``texts`` in order, and how many of them had to be made now.

        Raises:
            Stopped: passed on from ``progress``; what was made before is kept.
        """
        import numpy as np

        digests = [_digest(text) for text in texts]
        with self._lock:
            self._load()
            held = {d: self._vectors[d] for d in digests if d in self._vectors}
        fresh = list({d: text for d, text in zip(digests, texts, strict=True) if d not in held}.items())
        start = 0
        while start < len(fresh):
            part = fresh[start : start + _slice([text for _, text in fresh[start : start + 16 * SLICE]])]

            def report(done: int, _: int, note: str, start: int = start) -> None:
                if progress is not None:
                    progress(start + done, len(fresh), note)

            report(0, 0, "Reading passages for their meaning")
            vectors = np.asarray(self._embedder.embed([text for _, text in part], report), dtype=np.float32)
            self._keep([d for d, _ in part], vectors)
            held |= dict(zip([d for d, _ in part], vectors, strict=True))
            start += len(part)
        return np.stack([held[d] for d in digests]) if digests else np.zeros((0, 1), dtype=np.float32), len(fresh)

    def has(self, text: str) -> bool:
        """True where the text's vector is kept."""
        with self._lock:
            self._load()
            return _digest(text) in self._vectors

    # The file.

    def _load(self) -> None:
        import numpy as np

        if self._loaded:
            return
        self._loaded = True
        file = self._file()
        if file is None:
            return
        kind = _record(int(file.stem.rsplit("-", 1)[-1]))
        size = file.stat().st_size
        if size % kind.itemsize:
            os.truncate(file, size - size % kind.itemsize)
        records = np.fromfile(file, dtype=kind)
        if size > MOST:
            records = records[len(records) // 2 :]
            records.tofile(file.with_suffix(".new"))
            file.with_suffix(".new").replace(file)
        # A page that the disk lost reads as zeros: only vectors of length 1 count.
        records = records[np.abs(np.linalg.norm(records["vector"], axis=1) - 1.0) < 0.05]
        self._vectors = dict(zip(map(bytes, records["digest"]), records["vector"], strict=True))

    def _keep(self, digests: list[bytes], vectors: np.ndarray) -> None:
        import numpy as np

        records = np.zeros(len(digests), dtype=_record(vectors.shape[1]))
        records["digest"] = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, DIGEST)
        records["vector"] = vectors
        with self._lock:
            self._vectors |= dict(zip(digests, records["vector"], strict=True))
            if self._folder is None:
                return
            with suppress(OSError):  # a full disk costs time at the next update, no more
                self._folder.mkdir(parents=True, exist_ok=True)
                with (self._folder / f"{self._embedder.fingerprint}-{vectors.shape[1]}.bin").open("ab") as f:
                    f.write(records.tobytes())

    def _file(self) -> Path | None:
        if self._folder is None or not self._folder.is_dir():
            return None
        return next(iter(sorted(self._folder.glob(f"{self._embedder.fingerprint}-*.bin"))), None)


def _slice(texts: Sequence[str]) -> int:
    """How many of ``texts`` make a slice: ``SLICE`` passages, or more texts that are shorter."""
    left = SLICE * SHORT
    for number, text in enumerate(texts):
        left -= min(SHORT, max(len(text), SHORT // 16))
        if left < 0:
            return max(1, number)
    return len(texts)


def _record(width: int) -> np.dtype[Any]:
    import numpy as np

    return np.dtype([("digest", np.uint8, (DIGEST,)), ("vector", np.float32, (width,))])


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()[:DIGEST]
