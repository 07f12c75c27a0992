"""Lexicon: which passages share words with a question (BM25), in memory, the same for one question and thousands.

Beside single words it knows pairs of neighbours, so that "wind limit" counts for more than "wind"
here and "limit" there. Scripts without blanks are taken sign by sign, which the pairs join again.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ragtune_ui.domain.passages import root
from ragtune_ui.domain.words import terms

# Measured on SQuAD 1.1 dev (10,570 questions, 2,067 passages), right passage first: k1 1.2 and b 0.75 without
# pairs and with the small words 78.3 %; without small words 79.2 %; k1 0.9 79.5 %; with pairs 81.0 %.
K1 = 0.9
B = 0.75
PAIRS = 0.3  # weight of a pair against a word
QUESTION_WORDS = 64  # words of a question that count; a pasted page would take seconds

NOWHERE, SMALL = -1, -2  # a word that no text holds; one that says nothing


class Lexicon:
    """The words of ``texts``, row by row, ready to be asked."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._words: dict[str, int] = {}
        self._known: dict[str, int] = {}  # a word as written -> its number, or SMALL
        ids = [self._numbers(text) for text in texts]
        lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
        flat = np.fromiter((n for row in ids for n in row), dtype=np.int64, count=int(lengths.sum()))
        owner = np.repeat(np.arange(len(ids)), lengths)
        self._rows = len(ids)
        self._size = max(1, len(self._words))
        self._single = _postings(flat, owner, lengths, self._size)
        beside = owner[1:] == owner[:-1]
        pairs = flat[:-1][beside] * self._size + flat[1:][beside]
        self._pairs, places = np.unique(pairs, return_inverse=True)
        self._double = _postings(places, owner[1:][beside], np.maximum(lengths - 1, 0), len(self._pairs))

    def scores(self, question: str) -> np.ndarray:
        """BM25 of each row, 0 where it shares no word: [rows], float32."""
        total = np.zeros(self._rows, dtype=np.float32)
        numbers = self._numbers(question, add=False)[:QUESTION_WORDS]
        for number in dict.fromkeys(n for n in numbers if n >= 0):
            _add(total, self._single, number, 1.0)
        wanted = {a * self._size + b for a, b in pairwise(numbers) if a >= 0 and b >= 0}
        for pair in sorted(wanted):
            place = int(np.searchsorted(self._pairs, pair))
            if place < len(self._pairs) and self._pairs[place] == pair:
                _add(total, self._double, place, PAIRS)
        return total

    def _numbers(self, text: str, add: bool = True) -> list[int]:
        """The numbers of a text's words in order; ``NOWHERE`` for one that is in no text."""
        known, found = self._known, []
        for word in terms(text):
            number = known.get(word)
            if number is None:
                number = self._number(word, add)
            if number != SMALL:
                found.append(number)
        return found

    def _number(self, word: str, add: bool) -> int:
        base = root(word)
        if base and not add:
            return self._words.get(base, NOWHERE)
        self._known[word] = self._words.setdefault(base, len(self._words)) if base else SMALL
        return self._known[word]


_Postings = tuple[np.ndarray, np.ndarray, np.ndarray]  # where each term begins, rows, weights


def _postings(terms: np.ndarray, owner: np.ndarray, lengths: np.ndarray, size: int) -> _Postings:
    """For each term the rows that hold it and what it adds to their score."""
    rows = max(1, len(lengths))
    keys, counts = np.unique(terms * rows + owner, return_counts=True)
    term, row = np.divmod(keys, rows)
    begin = np.searchsorted(term, np.arange(size + 1))
    held = np.diff(begin)
    rarity = np.log1p((rows - held + 0.5) / (held + 0.5))
    longer = lengths / max(1e-9, float(lengths.mean())) if len(lengths) else lengths
    weights = rarity[term] * counts * (K1 + 1) / (counts + K1 * (1 - B + B * longer[row]))
    return begin, row.astype(np.int32), weights.astype(np.float32)


def _add(total: np.ndarray, postings: _Postings, term: int, weight: float) -> None:
    begin, rows, weights = postings
    part = slice(begin[term], begin[term + 1])
    total[rows[part]] += np.float32(weight) * weights[part]  # a row stands once under each term
