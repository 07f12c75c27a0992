"""Known vectors: each text is embedded once, whatever stops, tears or restarts in between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ragtune_ui.domain.errors import Stopped
from ragtune_ui.engine import vectors as module
from ragtune_ui.engine.vectors import KnownVectors
from tests.engine.test_searcher import CountingEmbedder

TEXTS = [f"Anchor {n} is painted in colour {n}." for n in range(7)]


@pytest.fixture
def embedder() -> CountingEmbedder:
    return CountingEmbedder()


def test_a_text_is_embedded_once_and_stays_known(tmp_path: Path, embedder: CountingEmbedder) -> None:
    first, made = KnownVectors(tmp_path, embedder).embed([*TEXTS, TEXTS[0]])
    assert made == 7 and len(embedder.seen) == 7 and first.shape == (8, 384)
    assert np.array_equal(first[0], first[7])
    again, made = KnownVectors(tmp_path, embedder).embed(TEXTS[::-1])
    assert made == 0 and len(embedder.seen) == 7 and np.array_equal(again[::-1], first[:7])


def test_another_search_model_knows_nothing_of_it(tmp_path: Path, embedder: CountingEmbedder) -> None:
    KnownVectors(tmp_path, embedder).embed(TEXTS)
    other = CountingEmbedder("other-model")
    assert not KnownVectors(tmp_path, other).has(TEXTS[0])
    assert KnownVectors(tmp_path, other).embed(TEXTS)[1] == 7


def test_a_stop_keeps_the_slices_that_were_done(
    tmp_path: Path, embedder: CountingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE", 2)
    monkeypatch.setattr(module, "SHORT", 16)

    def stop(done: int, total: int, note: str) -> None:
        if done >= 4:
            raise Stopped("Stopped.")

    known = KnownVectors(tmp_path, embedder)
    with pytest.raises(Stopped):
        known.embed(TEXTS, stop)
    fresh = KnownVectors(tmp_path, embedder)
    kept = [fresh.has(t) for t in TEXTS]
    assert kept[:2] == [True, True] and not kept[-1]
    assert fresh.embed(TEXTS)[1] == kept.count(False)


@pytest.mark.parametrize("harm", ["torn", "zeros"])
def test_a_damaged_file_costs_only_what_is_damaged(tmp_path: Path, embedder: CountingEmbedder, harm: str) -> None:
    whole, _ = KnownVectors(tmp_path, embedder).embed(TEXTS)
    (file,) = tmp_path.iterdir()
    data = file.read_bytes()
    size = len(data) // 7
    file.write_bytes(data[:-5] if harm == "torn" else data[:-size] + data[-size:][:16] + bytes(size - 16))
    again, made = KnownVectors(tmp_path, embedder).embed(TEXTS)
    assert made == 1 and np.allclose(again, whole)
    assert KnownVectors(tmp_path, embedder).embed(TEXTS)[1] == 0


def test_a_file_that_grew_too_large_loses_its_older_half(
    tmp_path: Path, embedder: CountingEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    KnownVectors(tmp_path, embedder).embed(TEXTS)
    monkeypatch.setattr(module, "MOST", 1000)
    known = KnownVectors(tmp_path, embedder)
    assert [known.has(t) for t in TEXTS] == [False] * 3 + [True] * 4


def test_a_folder_that_cannot_be_written_costs_time_alone(tmp_path: Path, embedder: CountingEmbedder) -> None:
    (tmp_path / "file").write_text("in the way")
    known = KnownVectors(tmp_path / "file", embedder)
    assert known.embed(TEXTS)[1] == 7 and known.embed(TEXTS)[1] == 0
    assert KnownVectors(None, embedder).embed([])[0].shape[0] == 0


def test_short_texts_go_in_larger_slices() -> None:
    assert module._slice(["x" * 2000] * 400) == module.SLICE
    assert module._slice(["short"] * 5000) == 16 * module.SLICE
    assert module._slice(["one"]) == 1
