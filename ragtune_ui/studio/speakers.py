"""Loaded models: at most one base with one adapter in memory, shared by chat, data and verdict."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ragtune_ui.domain.ports import Speaker


class Speakers:
    """Keeps the model that was used last; another one takes its place and its memory."""

    def __init__(self, make: Callable[[Path, Path | None], Speaker]) -> None:
        self._make = make
        self._lock = threading.RLock()
        self._key: tuple[Path, Path | None] | None = None
        self._speaker: Speaker | None = None

    def get(self, model: Path, adapter: Path | None) -> Speaker:
        """The speaker of a model and adapter, loaded if it is not the one in memory.

        Raises:
            ModelError: its files cannot be used.
        """
        with self._lock:
            key = (model, adapter)
            if self._speaker is None or self._key != key:
                self.release()
                self._speaker, self._key = self._make(model, adapter), key
            return self._speaker

    @contextmanager
    def using(self, model: Path, adapter: Path | None) -> Iterator[Speaker]:
        """The speaker, held for one answer: a second asker waits for its turn."""
        with self._lock:
            yield self.get(model, adapter)

    def release(self) -> None:
        """Give the memory of the loaded model back."""
        with self._lock:
            if self._speaker is not None:
                self._speaker.close()
            self._speaker = self._key = None
