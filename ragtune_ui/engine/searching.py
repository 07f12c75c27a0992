"""Searching: search models, rerankers and indexes by name, each loaded once and shared."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ragtune_ui.engine.chunker import PassageChunker
from ragtune_ui.engine.embedder import AnyEmbedder, embedder_from, folder_of
from ragtune_ui.engine.reranker import CrossReranker
from ragtune_ui.engine.searcher import LanceSearcher
from ragtune_ui.engine.shelf import options_from
from ragtune_ui.settings import Settings

T = TypeVar("T")


class Searching:
    """What search needs, by the settings of this start. ``source``: "" for the settings' own search model,
    "built-in", a folder or a hub id."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[tuple[str, str], object] = {}
        self._lock = threading.RLock()

    def model(self, source: str) -> AnyEmbedder:
        """The search model. Raises ModelError in words."""
        source = source or self._settings.embedder
        return self._once("model", source, lambda: embedder_from(source, self._settings.network))

    def reranker(self, source: str) -> CrossReranker:
        """The cross-encoder of a folder or hub id. Raises ModelError in words."""
        return self._once("reranker", source,
                          lambda: CrossReranker(folder_of(source, self._settings.network), source))  # fmt: skip

    def chunker(self, source: str) -> PassageChunker:
        """What cuts in the word pieces of a search model."""
        return PassageChunker(self.model(source).tokenizer_file)

    def searcher(self, folder: Path, source: str) -> LanceSearcher:
        """The index of a project's folder, where the settings put it; vectors stay in the project.

        Raises:
            PassageError: RAGTUNE_INDEX_OPTIONS is not readable. ModelError: the search model cannot be used.
        """
        root = self._settings.index.rstrip("/")
        place = f"{root}/{folder.parent.name}/{folder.name}" if root else folder
        options = options_from(self._settings.index_options)
        return LanceSearcher(place, self.model(source), folder.parent / "vectors", options, self.reranker)

    def _once(self, kind: str, source: str, make: Callable[[], T]) -> T:
        with self._lock:
            if (kind, source) not in self._made:
                self._made[kind, source] = make()
            return self._made[kind, source]  # type: ignore[return-value]
