"""Splitters: every word in a passage, none too long, sentences and words whole."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.errors import ModelError
from ragtune_ui.domain.passages import ChunkSettings
from ragtune_ui.engine.chunker import PassageChunker
from ragtune_ui.engine.embedder import built_in_folder
from ragtune_ui.engine.splitters import fixed, sentence_spans, sentences

TEXT = "# Rules\n\n" + "\n\n".join(
    f"Section {n} says that Dr. Low must check the winch, e.g. on Mondays. It takes {n} minutes! Is it needed? Yes."
    for n in range(1, 40)
)
DOCUMENT = Document("d1", "rules.md", "Rules", "markdown", "", 0, 1, 1, (0,))


@pytest.fixture(scope="module")
def chunker() -> PassageChunker:
    folder = built_in_folder()
    assert folder is not None
    return PassageChunker(folder / "tokenizer.json")


@pytest.mark.parametrize("splitter", ["headings", "fixed", "sentences"])
@pytest.mark.parametrize(("size", "overlap"), [(60, 0), (60, 20), (160, 16), (400, 200)])
def test_every_word_is_in_a_passage_and_none_is_too_long(
    chunker: PassageChunker, splitter: str, size: int, overlap: int
) -> None:
    chunks = chunker.cut(DOCUMENT, TEXT, ChunkSettings(size, overlap, splitter))
    assert all(TEXT[c.start : c.end] == c.text and c.tokens <= size for c in chunks)
    covered = set()
    for c in chunks:
        covered |= set(range(c.start, c.end))
    words = [m for m in re.finditer(r"\w+", TEXT) if not set(range(*m.span())) <= covered]
    assert not words
    assert [c.start for c in chunks] == sorted(c.start for c in chunks)
    assert len({c.id for c in chunks}) == len(chunks)
    assert all(c.heading == ("Rules",) for c in chunks)


def test_sentences_stay_whole(chunker: PassageChunker) -> None:
    for c in chunker.cut(DOCUMENT, TEXT, ChunkSettings(60, 10, "sentences")):
        assert re.match(r"(#|Section|It takes|Is it|Yes)", c.text) and c.text[-1] in ".!?"


def test_fixed_lengths_are_even_and_repeat_what_was_asked(chunker: PassageChunker) -> None:
    chunks = chunker.cut(DOCUMENT, TEXT, ChunkSettings(100, 20, "fixed"))
    assert all(85 <= c.tokens <= 100 for c in chunks[:-1])
    for before, after in pairwise(chunks):
        assert 0 < chunker.count([TEXT[after.start : before.end]])[0] <= 20


def test_the_default_cuts_as_it_always_did(chunker: PassageChunker) -> None:
    assert ChunkSettings() == ChunkSettings(160, 16, "headings")


def test_the_first_passages_are_those_of_the_whole(chunker: PassageChunker) -> None:
    for splitter in ("headings", "fixed", "sentences"):
        settings = ChunkSettings(60, 10, splitter)
        assert chunker.cut(DOCUMENT, TEXT, settings, 3) == chunker.cut(DOCUMENT, TEXT, settings)[:3]


def test_pages_are_never_crossed(chunker: PassageChunker) -> None:
    text = "First page has words enough to stand alone.\n\nSecond page has words enough to stand alone."
    document = replace(DOCUMENT, pages=2, page_starts=(0, text.index("Second")))
    for splitter in ("headings", "fixed", "sentences"):
        assert [c.page for c in chunker.cut(document, text, ChunkSettings(100, 0, splitter))] == [1, 2]


def test_abbreviations_initials_and_other_scripts() -> None:
    text = "Ask Dr. A. Low, i.e. the clerk. See No. 4!\n- An item\n停止。再开始。 Done"
    assert [text[a:b] for a, b in sentence_spans(text)] == [
        "Ask Dr. A. Low, i.e. the clerk.", "See No. 4!", "- An item", "停止。", "再开始。", "Done",
    ]  # fmt: skip
    assert list(sentence_spans("  \n ")) == [] and list(fixed("", [], 10, 2)) == []


def test_a_word_longer_than_a_passage_is_cut_all_the_same() -> None:
    text = "x" * 50
    pieces = [(n, n + 1) for n in range(50)]
    assert "".join(text[a:b] for a, b in fixed(text, pieces, 20, 0)) == text
    assert [b - a for a, b in sentences(text, pieces, 20, 0)] == [20, 20, 10]


def test_word_pieces_of_another_model_are_counted(chunker: PassageChunker, tiny_model, tmp_path) -> None:
    own, other = chunker.count(["The winch brake."]), chunker.count(["The winch brake."], tiny_model)
    assert own == [5] or own[0] > 2
    assert other[0] > own[0] and chunker.count(["a b"], tiny_model)[0] >= 2
    with pytest.raises(ModelError, match="cannot be counted"):
        chunker.count(["x"], tmp_path)
