"""The reader's invented passages: what they are said to answer they answer, and silence is silence."""

from __future__ import annotations

import random
from types import ModuleType

import pytest

from tests.engine.makers import recipe

DRAWS = 400


@pytest.fixture(scope="module")
def invented() -> ModuleType:
    return recipe("invented")


def test_the_oracle_holds_the_answer(invented: ModuleType) -> None:
    for n in range(DRAWS):
        asked = invented.question(random.Random(n), 1 + n % 4, False)
        assert len(asked.passages) == 1 + n % 4
        assert asked.answer.lower() in asked.passages[asked.oracle][1].lower(), asked


@pytest.mark.parametrize("silent", [True, False])
def test_the_wanted_fact_is_laid_out_once_or_not_at_all(
    invented: ModuleType, silent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int, str]] = []
    lay_out = invented._laid_out

    def seen(kind, facts, rng):
        told.extend((f.thing, f.detail, f.case) for f in facts if kind is invented.KINDS[asked_kind[0]])
        return lay_out(kind, facts, rng)

    monkeypatch.setattr(invented, "_laid_out", seen)
    for n in range(DRAWS):
        told.clear()
        asked_kind = [random.Random(n).choice(list(invented.KINDS))]
        asked = invented.question(random.Random(n), 1 + n % 4, silent)
        assert asked.kind == asked_kind[0] and (asked.oracle == -1) == silent
        assert told.count((asked.wanted.thing, asked.wanted.detail, asked.wanted.case)) == (0 if silent else 1)


def test_a_question_does_not_tell_its_answer_and_draws_repeat(invented: ModuleType) -> None:
    for n in range(DRAWS):
        asked = invented.question(random.Random(n), 2, n % 2 == 0)
        assert asked == invented.question(random.Random(n), 2, n % 2 == 0)
        assert asked.question.endswith("?") and "{" not in asked.question + asked.passages[0][1]
        assert len(asked.answer) < 4 or asked.answer.lower() not in asked.question.lower(), asked


def test_cases_are_told_apart(invented: ModuleType) -> None:
    """The wanted detail of the wanted thing stands in another case, and the passages are silent all the same."""
    misses = 0
    for n in range(DRAWS):
        asked = invented.question(random.Random(n), 1, True)
        detail = invented.KINDS[asked.kind].details[asked.wanted.detail]
        others = [c for c in detail.cases if c and c != asked.wanted.case]
        text = asked.passages[0][1]
        misses += any(c in text for c in others) and asked.wanted.thing in text
    assert misses > DRAWS // 20
