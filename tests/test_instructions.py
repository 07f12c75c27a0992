"""The everyday instructions: whole, without doubles, short, and readable as plain prompts."""

import json
from pathlib import Path

import pytest

from ragtune_ui.domain.examples import PlainPrompt
from ragtune_ui.domain.recipes.hybrid import degenerate
from ragtune_ui.domain.records import from_record

FOLDER = Path(__file__).parents[1] / "assets" / "instructions"
LINES = (FOLDER / "everyday.jsonl").read_text(encoding="utf-8").splitlines()
PROMPTS = [from_record(PlainPrompt, json.loads(line)) for line in LINES]


def test_there_are_260_numbered_in_order():
    assert [p.id for p in PROMPTS] == [f"e{n:03}" for n in range(1, 261)]


def test_no_prompt_comes_twice():
    assert len({" ".join(p.prompt.lower().split()) for p in PROMPTS}) == len(PROMPTS)


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda p: p.id)
def test_prompts_and_answers_are_short_and_clean(prompt):
    assert 2 <= len(prompt.prompt.split()) <= 60
    assert 1 <= len(prompt.answer.split()) <= 40
    for text in (prompt.prompt, prompt.answer):
        assert text == text.strip() and "  " not in text and "\n" not in text
    assert not degenerate(prompt.answer)


SUMS = {
    "What is 7 plus 8?": 7 + 8,
    "Work out 45 minus 17.": 45 - 17,
    "What is 6 times 9?": 6 * 9,
    "Divide 84 by 7.": 84 // 7,
    "What is half of 130?": 130 // 2,
    "How much is 25 percent of 80?": 80 // 4,
    "Add these numbers: 12, 20 and 9.": 12 + 20 + 9,
    "What is 15 squared?": 15 * 15,
    "What is the average of 4, 6 and 8?": (4 + 6 + 8) // 3,
    "What is 100 minus 1?": 100 - 1,
}


def test_the_sums_are_right():
    assert {p.prompt: int(p.answer) for p in PROMPTS if p.prompt in SUMS} == SUMS


def test_the_licence_lies_beside_them():
    assert "CC0 1.0" in (FOLDER / "LICENSE").read_text(encoding="utf-8")
    assert "everyday.jsonl" in (FOLDER / "README.md").read_text(encoding="utf-8")
