"""Reranker: the scores of a real cross-encoder class, order through the search, refusals in words."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from ragtune_ui.domain.errors import ModelError
from ragtune_ui.domain.passages import SearchSettings
from ragtune_ui.engine.embedder import KeywordEmbedder, built_in_folder
from ragtune_ui.engine.reranker import CrossReranker
from ragtune_ui.engine.searcher import AGAIN, LanceSearcher, worded
from tests.engine.test_searcher import CHUNKS, chunk, quiet

TEXTS = ["The winch brake is tested every Monday.", "Foam.", "The tide clerk calls the water level. " * 200]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cross-encoder with random weights and the built-in tokenizer."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    place = tmp_path_factory.mktemp("cross")
    source = built_in_folder()
    assert source is not None
    for name in ("tokenizer.json", "tokenizer_config.json"):
        if (source / name).exists():
            shutil.copy(source / name, place / name)
    torch.manual_seed(5)
    shape = BertConfig(vocab_size=30522, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                       intermediate_size=32, num_labels=1, initializer_range=0.6)  # fmt: skip
    BertForSequenceClassification(shape).save_pretrained(place)
    return place


def test_scores_agree_with_the_library_and_lie_between_0_and_1(folder: Path) -> None:
    from sentence_transformers import CrossEncoder

    ours = CrossReranker(folder, "mine").score("When is the brake tested?", TEXTS)
    theirs = CrossEncoder(str(folder), device="cpu", trust_remote_code=False, local_files_only=True, max_length=512)
    wanted = theirs.predict([("When is the brake tested?", t) for t in TEXTS])
    assert ours == pytest.approx([float(w) for w in wanted], abs=1e-4)
    assert all(0 <= s <= 1 for s in ours) and len(set(ours)) == 3
    assert CrossReranker(folder, "mine").score("x", []) == []


def test_search_takes_the_order_of_the_reranker(folder: Path, tmp_path: Path) -> None:
    judge = CrossReranker(folder, "mine")
    named: list[str] = []
    searcher = LanceSearcher(tmp_path / "i.lance", KeywordEmbedder(), reranker=lambda n: named.append(n) or judge)
    searcher.update(CHUNKS, quiet)
    plain = searcher.search(["brake"], SearchSettings(3))[0]
    again = searcher.search(["brake"], SearchSettings(3, reranker="mine"))[0]
    scores = judge.score("brake", [worded(c) for c in CHUNKS])
    best = sorted(range(5), key=lambda n: -scores[n])[:3]
    assert [p.chunk for p in again] == [CHUNKS[n] for n in best] and named == ["mine"]
    assert [p.rank for p in again] == [1, 2, 3] and all(p.score == p.again for p in again)
    assert all(p.again is None for p in plain)
    least = sorted(scores)[2]
    few = searcher.search(["brake"], SearchSettings(5, threshold=least + 1e-6, reranker="mine"))[0]
    assert len(few) == 2


class Backward:
    """Likes best what was found last."""

    def __init__(self) -> None:
        self.read: list[int] = []

    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        self.read.append(len(texts))
        return [0.1 + 0.01 * n for n in range(len(texts))]


def test_the_first_are_the_same_however_many_are_asked_for(tmp_path: Path) -> None:
    """The chat asks for 4 and the verdict for 40: what it measures at 4 must be what the chat gives."""
    judge = Backward()
    searcher = LanceSearcher(tmp_path / "i.lance", KeywordEmbedder(), reranker=lambda name: judge)
    searcher.update([chunk(n, f"{n % 7}.md", "brake " * (1 + n % 9) + f"rope {n}") for n in range(60)], quiet)
    plain = searcher.search(["brake"], SearchSettings(60))[0]
    few, some, many = (searcher.search(["brake"], SearchSettings(n, reranker="mine"))[0] for n in (4, 20, 60))
    assert judge.read == [AGAIN, AGAIN, AGAIN]
    assert few == some[:4] == many[:4] and some == many[:20]
    assert [p.chunk for p in many] == [p.chunk for p in [*plain[:AGAIN][::-1], *plain[AGAIN:]]]
    assert [p.rank for p in many] == list(range(1, 61)) and all(p.again is None for p in many[AGAIN:])
    # What was not read is worth no more than the least that was, so a bound on the score leaves the same out.
    assert sorted((p.score for p in many), reverse=True) == [p.score for p in many]
    bound = SearchSettings(60, threshold=0.15, reranker="mine")
    assert searcher.search(["brake"], bound)[0] == [p for p in some if p.score >= 0.15]


def test_a_threshold_leaves_out_what_scores_less(tmp_path: Path) -> None:
    searcher = LanceSearcher(tmp_path / "i.lance", KeywordEmbedder())
    searcher.update(CHUNKS, quiet)
    whole = searcher.search(["winch brake"], SearchSettings(5))[0]
    cut = searcher.search(["winch brake"], SearchSettings(5, threshold=whole[1].score))[0]
    assert [p.chunk for p in cut] == [p.chunk for p in whole if p.score >= whole[1].score] and len(cut) < 5


def test_what_is_no_reranker_says_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a reranker"):
        CrossReranker(tmp_path, "mine")
    source = built_in_folder()
    assert source is not None
    with pytest.raises(ModelError, match="is not a reranker"):
        CrossReranker(source, "mine")
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="no safetensors"):
        CrossReranker(tmp_path, "mine")
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(ModelError, match="cannot be loaded"):
        CrossReranker(tmp_path, "mine").score("x", ["y"])
