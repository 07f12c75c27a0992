"""Plans: bounds in words, stages, steps and the rate of each step."""

import pytest

from ragtune_ui.domain.errors import PlanError
from ragtune_ui.domain.examples import Example
from ragtune_ui.domain.plans import Stage, TrainingPlan, halved, rate_at, stages, steps_of

EXAMPLES = [Example(f"r{n}", "raft", "answer") for n in range(20)] + [
    Example(f"d{n}", "dap", "text") for n in range(10)
]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"learning_rate": 1.0}, "The learning rate is 1; it must lie between 1e-06 and 0.1."),
        ({"rank": 0}, "The rank is 0; it must lie between 1 and 256."),
        ({"dropout": float("nan")}, "The dropout is nan"),
    ],
)
def test_a_plan_out_of_bounds_says_so(values, says):
    with pytest.raises(PlanError, match=says):
        TrainingPlan(**values)


def test_one_stage_where_all_is_mixed():
    # 30 examples, 3 rounds, 8 a step: 11.25, so 12.
    assert stages(TrainingPlan(rounds=3), EXAMPLES, "mixed") == (Stage("tuning", 12, 1e-3, 3.0),)


def test_two_stages_where_reading_comes_first():
    # 10 examples once, 8 a step: 2. 20 examples three times: 7.5, so 8.
    assert stages(TrainingPlan(rounds=3), EXAMPLES, "dap first") == (
        Stage("reading", 2, 5e-4, 1.0),
        Stage("tuning", 8, 1e-3, 3.0),
    )
    assert [s.name for s in stages(TrainingPlan(rounds=3), EXAMPLES[20:], "dap first")] == ["reading"]


def test_an_empty_dataset_is_an_error():
    with pytest.raises(PlanError, match="empty"):
        stages(TrainingPlan(), [], "mixed")


def test_steps_are_at_least_one():
    assert [steps_of(1, 0.1, 8), steps_of(8, 1, 8), steps_of(9, 1, 8)] == [1, 1, 2]


def test_the_rate_rises_then_falls_to_a_tenth():
    stage = Stage("tuning", 100, 1.0, 3.0)  # 5 steps of warm-up
    assert [round(rate_at(n, stage), 6) for n in (0, 1, 4, 5)] == [0.2, 0.4, 1.0, 1.0]
    # Half-way through the cosine, step 52.5: 0.1 + 0.45 x 1 = 0.55.
    assert (rate_at(52, stage) + rate_at(53, stage)) / 2 == pytest.approx(0.55, abs=1e-6)
    assert rate_at(100, stage) == rate_at(200, stage) == pytest.approx(0.1)
    falling = [rate_at(n, stage) for n in range(5, 100)]
    assert falling == sorted(falling, reverse=True)


def test_warm_up_is_one_to_ten_steps():
    assert rate_at(0, Stage("tuning", 1, 1.0, 1)) == 1.0
    assert rate_at(9, Stage("tuning", 1_000, 1.0, 1)) == 1.0 > rate_at(8, Stage("tuning", 1_000, 1.0, 1))


def test_halved_stops_at_one():
    assert [halved(TrainingPlan(batch=b)).batch for b in (8, 3, 1)] == [4, 1, 1]
