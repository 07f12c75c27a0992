"""Lexicon: BM25 worked by hand, pairs, small words, stems, scripts without blanks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ragtune_ui.engine.lexicon import K1, PAIRS, B, Lexicon

TEXTS = ["The wind limit is ten.", "A limit of loads. The wind is measured.", "Larch boards.", ""]


def best(texts: list[str], question: str) -> int:
    return int(Lexicon(texts).scores(question).argmax())


def test_one_word_by_hand() -> None:
    found = Lexicon(TEXTS).scores("larch")
    lengths = [3, 4, 2, 0]  # without small words: wind limit ten; limit loads wind measured; larch boards
    rarity = math.log(1 + (4 - 1 + 0.5) / (1 + 0.5))
    weight = rarity * (K1 + 1) / (1 + K1 * (1 - B + B * 2 / (sum(lengths) / 4)))
    assert found[2] == pytest.approx(weight, rel=1e-5)
    assert found[[0, 1, 3]].tolist() == [0, 0, 0]


def test_neighbours_count_for_more_than_the_same_words_apart() -> None:
    lexicon = Lexicon(TEXTS)
    both, apart = lexicon.scores("wind limit"), lexicon.scores("limit wind")
    assert both[0] > apart[0] > 0
    assert both[0] - apart[0] == pytest.approx(PAIRS * both[0] / (1 + PAIRS), rel=0.5)


def test_small_words_and_endings_do_not_matter() -> None:
    lexicon = Lexicon(TEXTS)
    assert not lexicon.scores("the of and is what").any()
    assert np.array_equal(lexicon.scores("Boards"), lexicon.scores("what is the board"))
    assert not Lexicon([]).scores("wind").any() and len(Lexicon([]).scores("wind")) == 0
    assert not Lexicon(["the"]).scores("the wind").any()


def test_unknown_words_break_pairs_and_nothing_else() -> None:
    lexicon = Lexicon(TEXTS)
    assert lexicon.scores("wind zebra limit")[0] < lexicon.scores("wind limit")[0]
    assert lexicon.scores("zebra").sum() == 0


def test_part_numbers_and_other_scripts_are_found() -> None:
    texts = [
        "Part number XK-4711.",
        "起重机在风速十四米时停止。",
        "Кабель проверяют каждый день.",
        "Die Kupplung prüfen.",
        "เครนหยุดเมื่อลมแรง ๑๔ เมตร",
        "ការចតនាវា",
    ]
    assert [best(texts, q) for q in ("xk-4711", "风速", "кабель", "Kupplung", "ลมแรง", "ចត")] == [*range(6)]


def test_a_pasted_page_counts_its_first_words() -> None:
    lexicon = Lexicon(TEXTS)
    assert np.array_equal(lexicon.scores("wind " * 64 + "larch " * 9), lexicon.scores("wind " * 64))
