"""Ranks: how well a search does on questions whose passages are known, and which settings would do better."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TypeVar

import numpy as np

from ragtune_ui.domain.passages import Chunk, Passage, covering
from ragtune_ui.domain.scores import FEWEST_DOCUMENTS, Interval, widening

DEPTH = 10  # ranks that mean reciprocal rank and nDCG look at
Span = tuple[str, int, int]  # document id, start, end
K = TypeVar("K")


@dataclass(frozen=True)
class Ranking:
    """What one question got: the ranks (from 1) of passages that answer it, of all that do."""

    question: str
    document: str  # the unit of resampling: where the answer stands
    ranks: tuple[int, ...]
    relevant: int


def hit(ranking: Ranking, k: int) -> float:
    """1 where a passage that answers stands among the first ``k``."""
    return float(any(r <= k for r in ranking.ranks))


def reciprocal(ranking: Ranking, k: int = DEPTH) -> float:
    """One over the rank of the first passage that answers; 0 beyond ``k``."""
    return max((1.0 / r for r in ranking.ranks if r <= k), default=0.0)


def ndcg(ranking: Ranking, k: int = DEPTH) -> float:
    """Discounted gain of the passages that answer over the best order's (Järvelin and Kekäläinen 2002)."""
    best = sum(1 / math.log2(n + 1) for n in range(1, min(k, ranking.relevant) + 1))
    return sum(1 / math.log2(r + 1) for r in ranking.ranks if r <= k) / best if best else 0.0


def interval(values: Sequence[float], documents: Sequence[str], seed: int = 42, resamples: int = 2000) -> Interval:
    """Mean and 95 % bootstrap interval in percent; whole documents are drawn, and the range widened for so few
    (``scores.widening``), where there are at least ``scores.FEWEST_DOCUMENTS``, else questions."""
    if not values:
        return Interval(0.0, 0.0, 0.0, 0)
    wide = len(set(documents)) >= FEWEST_DOCUMENTS
    keys = documents if wide else [str(n) for n in range(len(values))]
    group = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    rows = np.array([group[key] for key in keys])
    sums, sizes = np.bincount(rows, np.array(values, dtype=float)), np.bincount(rows)
    drawn = np.random.default_rng(seed).multinomial(len(group), [1 / len(group)] * len(group), size=resamples)
    mean, ends = 100 * float(np.mean(values)), np.percentile(100 * (drawn @ sums) / (drawn @ sizes), [2.5, 97.5])
    if wide:
        ends = mean + (ends - mean) * widening(len(group))
    low, high = np.clip(ends, *((0, 100) if min(values) >= 0 else (-100, 100)))
    return Interval(mean, float(low), float(high), len(values))


def measured(rankings: Sequence[Ranking], value: Callable[[Ranking], float]) -> Interval:
    """A measure over questions, with its interval."""
    return interval([value(r) for r in rankings], [r.document for r in rankings])


class Answers:
    """Where answers stand, looked up fast: the passages of ``chunks`` that hold a span."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self._of: dict[str, list[Chunk]] = {}
        for chunk in chunks:
            self._of.setdefault(chunk.document, []).append(chunk)

    def holding(self, spans: Sequence[Span]) -> set[str]:
        """Ids of the passages that hold one of the spans."""
        return {c.id for span in spans for c in covering(self._of.get(span[0], []), *span)}

    def ranking(self, question: str, spans: Sequence[Span], passages: Sequence[Passage]) -> Ranking:
        """What a question with answers at ``spans`` got in ``passages``."""
        right = self.holding(spans)
        ranks = tuple(n for n, p in enumerate(passages, start=1) if p.chunk.id in right)
        return Ranking(question, spans[0][0], ranks, len(right))


def reweighed(passages: Sequence[Passage], balance: float) -> list[Passage]:
    """The same passages in the order of another weight of meaning against words."""
    weighed = [replace(p, score=balance * p.dense + (1.0 - balance) * p.lexical) for p in passages]
    order = sorted(weighed, key=lambda p: (-p.score, -p.dense, -p.lexical, p.rank))
    return [replace(p, rank=n) for n, p in enumerate(order, start=1)]


# Choosing settings ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Choice:
    """Which of the settings tried is best, and what it gains, honestly: on questions that had no say in it."""

    best: str
    gain: Interval  # points of the share of questions whose passage the model gets to read
    before: Interval
    after: Interval
    likely: str  # the best by figures alone; differs from ``best`` where the gain could be chance


def halves(rankings: Sequence[Ranking]) -> list[bool]:
    """Which half each question belongs to: whole documents where there are at least four, always the same."""
    many = len({r.document for r in rankings}) >= 4
    keys = list(dict.fromkeys(r.document if many else r.question for r in rankings))
    order = sorted(keys, key=lambda key: sha256(key.encode()).hexdigest())
    sizes = {key: sum((r.document if many else r.question) == key for r in rankings) for key in keys}
    first: set[str] = set()
    held = 0
    for key in order:
        if 2 * (held + sizes[key]) <= len(rankings) or not first:
            first.add(key)
            held += sizes[key]
    return [(r.document if many else r.question) in first for r in rankings]


def best_of(tried: Mapping[str, Sequence[Ranking]], numbers: Mapping[str, int], now: str,
            rows: Sequence[int]) -> tuple[str, str]:  # fmt: skip
    """(what to use, what is best by figures alone) of the settings ``tried``, judged on ``rows`` of the questions.

    The measure is the share of questions with a right passage among those that the model reads (``numbers``);
    ties go by the first right rank, then to ``now``. What is not clearly better than ``now`` is not used.
    """
    documents = [tried[now][n].document for n in rows]

    def values(name: str) -> list[float]:
        return [hit(tried[name][n], numbers[name]) for n in rows]

    def order(name: str) -> tuple[float, float, bool]:
        return (round(sum(values(name)), 6), round(sum(reciprocal(tried[name][n]) for n in rows), 3), name == now)

    likely = max(tried, key=order)
    if likely == now:
        return now, now
    gain = interval([a - b for a, b in zip(values(likely), values(now), strict=True)], documents)
    return (likely if gain.low > 0 else now), likely


def advised(tried: Mapping[str, Sequence[Ranking]], numbers: Mapping[str, int], now: str) -> Choice:
    """The best settings by all questions, and their gain by two-fold cross-validation: each half of the
    questions is measured with what the other half chose."""
    whole = range(len(tried[now]))
    side = halves(tried[now])
    best, likely = best_of(tried, numbers, now, whole)
    chosen = {half: best_of(tried, numbers, now, [n for n in whole if side[n] != half])[1] for half in (False, True)}
    documents = [r.document for r in tried[now]]
    before = [hit(r, numbers[now]) for r in tried[now]]
    names = [now if best == now else chosen[side[n]] for n in whole]
    after = [hit(tried[name][n], numbers[name]) for n, name in zip(whole, names, strict=True)]
    gain = interval([a - b for a, b in zip(after, before, strict=True)], documents)
    return Choice(best, gain, interval(before, documents), interval(after, documents), likely)
