"""Ranks: measures worked by hand, intervals, and a choice of settings that does not fool itself."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ragtune_ui.domain.passages import Passage
from ragtune_ui.domain.ranks import (
    Answers,
    Ranking,
    advised,
    best_of,
    halves,
    hit,
    interval,
    measured,
    ndcg,
    reciprocal,
    reweighed,
)  # fmt: skip
from ragtune_ui.domain.scores import widening
from tests.domain.makers import chunk


def ranking(*ranks: int, relevant: int = 1, question: str = "q", document: str = "d") -> Ranking:
    return Ranking(question, document, ranks, relevant)


def test_measures_by_hand() -> None:
    second = ranking(2)
    assert (hit(second, 1), hit(second, 2), hit(ranking(), 9)) == (0.0, 1.0, 0.0)
    assert reciprocal(second) == 0.5 and reciprocal(ranking(11)) == 0.0 and reciprocal(ranking()) == 0.0
    assert ndcg(ranking(1)) == 1.0 and ndcg(second) == pytest.approx(1 / math.log2(3))
    both = ranking(1, 3, relevant=2)
    assert ndcg(both) == pytest.approx((1 + 0.5) / (1 + 1 / math.log2(3)))
    assert ndcg(ranking(relevant=0)) == 0.0 and ndcg(ranking(11)) == 0.0


def test_intervals_hold_the_mean_and_draw_whole_documents() -> None:
    assert interval([], []).n == 0
    sure = interval([1.0] * 8, [str(n) for n in range(8)])
    assert (sure.mean, sure.low, sure.high) == (100.0, 100.0, 100.0)
    values = [1.0] * 50 + [0.0] * 50
    loose = interval(values, [str(n) for n in range(100)])
    clustered = interval(values, [str(n // 10) for n in range(100)])
    assert loose.low < 50 < loose.high and clustered.high - clustered.low > 2 * (loose.high - loose.low)
    # Ten documents show too little of how documents differ: the range is wider than the percentiles of resamples.
    sums = np.array([sum(values[n : n + 10]) for n in range(0, 100, 10)])
    drawn = np.random.default_rng(42).multinomial(10, [0.1] * 10, size=2000)
    plain = np.percentile(drawn @ sums, [2.5, 97.5])
    assert (clustered.high - clustered.low) == pytest.approx(widening(10) * (plain[1] - plain[0]), rel=1e-6)
    few = interval(values, ["a"] * 50 + ["b"] * 50)  # two documents say nothing about documents
    assert few.high - few.low == pytest.approx(loose.high - loose.low, abs=2)
    assert measured([ranking(1), ranking(2)], lambda r: hit(r, 1)).mean == 50.0


def test_answers_are_found_by_their_span() -> None:
    near, far = chunk("c1", "One two three.", start=0), chunk("c2", "Four five.", start=50)
    answers = Answers([near, far])
    passages = [Passage(far, 1, 0.9, 0.9, 0.9), Passage(near, 2, 0.5, 0.5, 0.5)]
    assert answers.ranking("q", [(near.document, 4, 7)], passages) == Ranking("q", near.document, (2,), 1)
    assert answers.ranking("q", [("gone", 4, 7)], passages) == Ranking("q", "gone", (), 0)
    assert answers.holding([(near.document, 4, 7), (far.document, 51, 53)]) == {"c1", "c2"}


def test_another_balance_is_another_order() -> None:
    passages = [Passage(chunk("a", "A."), 1, 0.6, 0.9, 0.3), Passage(chunk("b", "B."), 2, 0.55, 0.1, 1.0)]
    assert [p.chunk.id for p in reweighed(passages, 0.0)] == ["b", "a"]
    again = reweighed(passages, 1.0)
    assert [(p.chunk.id, p.rank, p.score) for p in again] == [("a", 1, 0.9), ("b", 2, 0.1)]


def grid(now: list[int], other: list[int], documents: int = 20) -> dict[str, list[Ranking]]:
    return {
        name: [ranking(r, question=f"q{n}", document=f"d{n % documents}") for n, r in enumerate(ranks)]
        for name, ranks in (("now", now), ("other", other))
    }


def test_a_clear_gain_is_advised_and_measured_on_the_other_half() -> None:
    tried = grid([9] * 60 + [1] * 40, [1] * 100)
    choice = advised(tried, {"now": 4, "other": 4}, "now")
    assert choice.best == choice.likely == "other"
    assert choice.gain.mean == 60 and choice.gain.low > 0 and choice.before.mean == 40 and choice.after.mean == 100


def test_what_may_be_chance_is_named_and_not_advised() -> None:
    tried = grid([9] * 2 + [1] * 38, [9] * 1 + [1] * 39)
    choice = advised(tried, {"now": 4, "other": 4}, "now")
    assert (choice.best, choice.likely) == ("now", "other") and choice.gain.mean == 0.0


def test_no_better_setting_keeps_what_is() -> None:
    tried = grid([1] * 40, [1] * 40)
    assert best_of(tried, {"now": 4, "other": 4}, "now", range(40)) == ("now", "now")
    worse = grid([1] * 40, [5] * 40)
    assert best_of(worse, {"now": 4, "other": 4}, "now", range(40)) == ("now", "now")
    assert best_of(worse, {"now": 4, "other": 8}, "now", range(40))[1] == "now"  # as many, but lower


def test_halves_are_even_and_split_no_document() -> None:
    many = [ranking(1, question=f"q{n}", document=f"d{n % 12}") for n in range(120)]
    side = halves(many)
    assert 40 <= sum(side) <= 60
    for document in {r.document for r in many}:
        assert len({s for s, r in zip(side, many, strict=True) if r.document == document}) == 1
    few = [ranking(1, question=f"q{n}", document="d") for n in range(10)]
    assert sum(halves(few)) == 5 and halves(few) == halves(few)
