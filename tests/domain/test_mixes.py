"""The mix: bounds in words, exact counts, shortages, digests."""

import random

import pytest

from ragtune_ui.domain.errors import MixError
from ragtune_ui.domain.examples import Example, Message
from ragtune_ui.domain.mixes import DatasetMix, Stock, count, digest_of, plan_mix, split_exactly


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"raft": 60}, "add up to 90 %"),
        ({"raft": 130, "plain": -30}, "between 0 and 100 %"),
        ({"withheld": 60}, "0 to 50 %"),
        ({"withheld": 40, "clean": 70}, "more than 100 %"),
        ({"size": 0}, "between 1 and 100,000"),
        ({"distractors": 10}, "Misleading passages"),
        ({"variants": 0}, "variants between 1 and 20"),
    ],
)
def test_a_mix_that_cannot_be_says_so(values, sentence):
    with pytest.raises(MixError, match=sentence):
        DatasetMix(**values)


@pytest.mark.parametrize(
    ("total", "shares", "counts"),
    [
        (240, (70, 30, 0), (168, 72, 0)),
        (10, (33, 33, 34), (3, 3, 4)),  # 3.3, 3.3, 3.4: the largest remainder wins
        (1, (50, 50, 0), (1, 0, 0)),  # a tie goes by order
        (10, (14, 84, 2), (2, 8, 0)),  # 1.4, 8.4, 0.2: a tie that floating point would break wrongly
        (7, (0, 100, 0), (0, 7, 0)),
        (0, (70, 30, 0), (0, 0, 0)),
    ],
)
def test_split_exactly_by_hand(total, shares, counts):
    assert split_exactly(total, dict(zip(("raft", "plain", "dap"), shares, strict=True))) == dict(
        zip(("raft", "plain", "dap"), counts, strict=True)
    )


def test_split_exactly_sums_and_stays_within_one_of_the_share():
    rng = random.Random(7)
    for _ in range(500):
        a, b = sorted(rng.randint(0, 100) for _ in range(2))
        shares = {"raft": a, "plain": b - a, "dap": 100 - b}
        total = rng.randint(0, 5_000)
        counts = split_exactly(total, shares)
        assert sum(counts.values()) == total
        assert all(abs(counts[lane] - total * share / 100) < 1 for lane, share in shares.items())
        assert all(counts[lane] == 0 for lane, share in shares.items() if share == 0)


def test_plan_mix_gives_the_wanted_counts_where_there_is_enough():
    plan = plan_mix(DatasetMix(size=100), Stock(questions=50, chunks=9, prompts=260))
    assert (plan.counts, plan.shortages, plan.total) == ({"raft": 70, "plain": 30, "dap": 0}, (), 100)


def test_plan_mix_says_which_lane_is_short_and_by_how_much():
    plan = plan_mix(DatasetMix(raft=60, plain=30, dap=10, size=100), Stock(questions=5, chunks=4, prompts=30))
    assert plan.counts == {"raft": 20, "plain": 10, "dap": 3}  # five questions, four variants each
    assert plan.total == 33
    assert [(s.lane, s.wanted, s.available) for s in plan.shortages] == [("raft", 60, 20)]
    assert plan.shortages[0].sentence == "only 5 approved questions to learn from: 20 instead of 60"
    plan = plan_mix(DatasetMix(raft=60, plain=30, dap=10, size=100), Stock(questions=50, chunks=4, prompts=12))
    assert plan.counts == {"raft": 60, "plain": 12, "dap": 4} and [s.lane for s in plan.shortages] == ["plain", "dap"]


def test_few_questions_do_not_drown_in_everyday_instructions():
    for questions in range(1, 40):
        plan = plan_mix(DatasetMix(size=200), Stock(questions=questions, chunks=9, prompts=260))
        assert plan.counts["raft"] == min(140, 4 * questions)
        assert plan.counts["plain"] == pytest.approx(plan.counts["raft"] * 30 / 70, abs=0.5)
    none = plan_mix(DatasetMix(size=200), Stock(questions=0, chunks=9, prompts=260))
    assert none.counts == {"raft": 0, "plain": 60, "dap": 0}


def example(id, lane="raft", kind="answer"):
    return Example(id, lane, kind, (Message("user", "q"), Message("assistant", "ä")))


def test_count_names_every_lane_and_the_kinds_there_are():
    made = [example("1"), example("2", kind="refusal"), example("3", "plain", "plain")]
    assert count(made) == {"raft": 2, "plain": 1, "dap": 0, "plain/plain": 1, "raft/answer": 1, "raft/refusal": 1}


def test_digest_changes_with_the_order_and_the_words():
    first = digest_of([example("1"), example("2")])
    assert first == digest_of([example("1"), example("2")])
    assert len({first, digest_of([example("2"), example("1")]), digest_of([example("1")])}) == 3


def test_prompt_and_target():
    assert [m.role for m in example("1").prompt] == ["user"]
    assert example("1").target == "ä"
    assert Example("t", "dap", "text", text="read me").target == "read me"
