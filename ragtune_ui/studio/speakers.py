"""Loaded models: at most one base with one adapter in memory, shared by chat, data and verdict."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ragtune_ui.domain.ports import Speaker
from ragtune_ui.store.files import MANIFEST


class Speakers:
    """Keeps the model that was used last; another one takes its place and its memory."""

    def __init__(self, make: Callable[[Path, Path | None], Speaker]) -> None:
        self._make = make
        # No RLock: an answer that streams may be begun in one thread and ended in another.
        self._lock = threading.Lock()
        self._key: tuple[Path, Path | None, int] | None = None
        self._speaker: Speaker | None = None

    @contextmanager
    def using(self, model: Path, adapter: Path | None) -> Iterator[Speaker]:
        """The speaker of a model and adapter, held for one answer: a second asker waits for its turn.

        It is loaded if it is not the one in memory, or if the adapter was trained on since.

        Raises:
            ModelError: its files cannot be used.
        """
        with self._lock:
            key = (model, adapter, _made(adapter))
            if self._speaker is None or self._key != key:
                self._close()
                self._speaker, self._key = self._make(model, adapter), key
            yield self._speaker

    @property
    def busy(self) -> bool:
        """True while someone holds the speaker: another asker has to wait."""
        return self._lock.locked()

    def release(self) -> None:
        """Give the memory of the loaded model back."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._speaker is not None:
            self._speaker.close()
        self._speaker = self._key = None


def _made(adapter: Path | None) -> int:
    """When an adapter was published: a training that went on replaces it under the same name."""
    try:
        return (adapter / MANIFEST).stat().st_mtime_ns if adapter else 0
    except FileNotFoundError:
        return 0
