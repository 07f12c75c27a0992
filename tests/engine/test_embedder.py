"""Embedder: the built-in weights, their check, the fast path against float32, the stand-in without weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from ragtune_ui.domain.errors import ModelError, Stopped
from ragtune_ui.engine import embedder
from ragtune_ui.engine.embedder import KeywordEmbedder, TransformerEmbedder, batches, built_in_folder, embedder_from

TEXTS = [
    "The winch brake is tested every Monday.",
    "",
    "Kabel 🚢 naïve " * 200,  # longer than the model reads
    "Foam ruins the brake linings.",
    "When do they check the brake of the winch?",
]


@pytest.fixture(scope="module")
def built_in() -> TransformerEmbedder:
    made = embedder_from("built-in")
    assert isinstance(made, TransformerEmbedder)
    return made


def small_copy(folder: Path, **pooling: bool) -> Path:
    """A sentence-transformers folder with random weights and the built-in tokenizer."""
    import torch
    from transformers import BertConfig, BertModel

    source = built_in_folder()
    assert source is not None
    for name in ("tokenizer.json", "modules.json", "sentence_bert_config.json"):
        shutil.copy(source / name, folder / name)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling or {"pooling_mode_mean_tokens": True}))
    torch.manual_seed(3)
    shape = BertConfig(
        vocab_size=30522, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    BertModel(shape).save_pretrained(folder)
    return folder


def test_built_in_gives_unit_vectors_in_order(built_in: TransformerEmbedder) -> None:
    vectors = np.array(built_in.embed(TEXTS))
    assert vectors.shape == (5, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
    likeness = vectors @ vectors[4]
    assert likeness[0] > 0.6 > likeness[3]
    again = np.array([built_in.embed([text])[0] for text in TEXTS])
    assert (again * vectors).sum(1).min() > 0.995  # batches and order change nothing that matters
    assert built_in.embed([]).shape == (0, 384)


def test_fast_path_agrees_with_float32(built_in: TransformerEmbedder) -> None:
    folder = built_in_folder()
    assert folder is not None
    exact = np.array(TransformerEmbedder(folder, "exact", half=False).embed(TEXTS))
    half = np.array(TransformerEmbedder(folder, "half", half=True).embed(TEXTS))
    assert (exact * half).sum(1).min() >= 0.995


def test_agrees_with_the_library_it_stands_for(built_in: TransformerEmbedder) -> None:
    from transformers import AutoModel, AutoTokenizer

    folder = str(built_in_folder())
    model = AutoModel.from_pretrained(folder, local_files_only=True, trust_remote_code=False).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    encoded = tokenizer(TEXTS[0], return_tensors="pt")
    mean = model(**encoded).last_hidden_state[0].mean(0).detach().numpy()
    assert float(mean @ np.array(built_in.embed(TEXTS[:1])[0]) / np.linalg.norm(mean)) > 0.995


def test_progress_counts_up_and_may_stop(built_in: TransformerEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder.batches, "__defaults__", (64,))
    heard: list[tuple[int, int]] = []
    built_in.embed(TEXTS, lambda done, total, note: heard.append((done, total)))
    assert [done for done, _ in heard] == sorted(done for done, _ in heard)
    assert heard[-1] == (5, 5)
    assert len(heard) > 1

    def stop(done: int, total: int, note: str) -> None:
        raise Stopped("Stopped.")

    with pytest.raises(Stopped):
        built_in.embed(TEXTS, stop)
    assert len(built_in.embed(TEXTS[:1])) == 1  # a stop breaks nothing


def test_batches_hold_each_row_once_within_the_budget() -> None:
    lengths = [5, 200, 7, 90, 3, 3, 256, 12]
    made = list(batches(lengths, 300))
    assert sorted(row for batch in made for row in batch) == list(range(8))
    assert all(len(batch) * max(lengths[r] for r in batch) <= 300 for batch in made)
    assert lengths[made[0][0]] == 256


def test_altered_weights_give_the_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder, "WEIGHTS", "0" * 64)
    assert built_in_folder() is None
    assert embedder_from("built-in").name == "keyword-level"


def test_a_missing_package_gives_the_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder, "PACKAGE", "no_such_package_here")
    assert embedder_from("built-in").name == "keyword-level"


def test_the_package_is_never_imported() -> None:
    import sys

    embedder_from("built-in").embed(["words"])
    assert embedder.PACKAGE not in sys.modules


def test_keyword_vectors_meet_on_stems_and_stay_the_same() -> None:
    made = KeywordEmbedder()
    vectors = np.array(made.embed(["The brakes are tested", "Testing a brake", "Violet ink", "the of", ""]))
    assert vectors.shape == (5, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert vectors[0] @ vectors[1] > 0.9
    assert abs(vectors[0] @ vectors[2]) < 0.3
    assert np.allclose(np.array(KeywordEmbedder().embed(["Violet ink"]))[0], vectors[2])
    assert made.tokenizer_file is None


def test_a_folder_is_read_and_its_fingerprint_is_its_own(tmp_path: Path, built_in: TransformerEmbedder) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
    mean = embedder_from(str(small_copy(first)))
    cls = embedder_from(str(small_copy(second, pooling_mode_cls_token=True)))
    assert len({mean.fingerprint, cls.fingerprint, built_in.fingerprint}) == 3
    assert mean.fingerprint == embedder_from(str(first)).fingerprint
    assert np.array(mean.embed(TEXTS)).shape == (5, 16)
    assert not np.allclose(mean.embed(TEXTS[:1]), cls.embed(TEXTS[:1]), atol=1e-3)


def test_folders_that_cannot_be_used_say_so(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not of a kind"):
        embedder_from(str(tmp_path))
    small_copy(tmp_path, pooling_mode_max_tokens=True)
    with pytest.raises(ModelError, match="not of a kind"):
        embedder_from(str(tmp_path))
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"lacks model\.safetensors"):
        embedder_from(str(tmp_path))


def test_a_hub_model_that_is_not_here_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="not on this computer"):
        embedder_from("somebody/some-model")
