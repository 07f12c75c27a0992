"""The reader's written passages: answers stand where they are said to, and what is left open is left open."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from tests.engine.makers import recipe

ASSETS = Path(__file__).resolve().parents[2] / "assets"
RUN = 8  # words in a row that no two texts of different authors share


@pytest.fixture(scope="module")
def written() -> ModuleType:
    return recipe("written")


@pytest.fixture(scope="module")
def documents(written: ModuleType) -> list:
    return written.documents()


def test_each_document_can_be_learned_from(documents: list) -> None:
    assert len({d.title for d in documents}) == len(documents) > 1_000
    for d in documents:
        assert len(d.passages) > 1 and d.asked and d.open, d.title
        assert all(q.endswith("?") for _, q, _ in d.asked) and all(q.endswith("?") for _, q in d.open), d.title
        assert all(answer in d.passages[n] for n, _, answer in d.asked), d.title


def test_no_question_is_both_answered_and_left_open(documents: list) -> None:
    for d in documents:
        asked = Counter([q for _, q, _ in d.asked] + [q for _, q in d.open])
        assert max(asked.values()) == 1, (d.title, asked.most_common(1))


def test_nothing_of_the_sample_is_in_them(documents: list) -> None:
    sample = [p.read_text(encoding="utf-8") for p in (ASSETS / "sample" / "sources").glob("*.md")]
    lines = (ASSETS / "sample" / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    sample += [row["question"] for row in map(json.loads, lines)]
    known = {run for text in sample for run in _runs(text)}
    assert len(known) > 3_000
    for d in documents:
        for text in (*d.passages, *(q for _, q, _ in d.asked), *(q for _, q in d.open)):
            assert not known & set(_runs(text)), text


def test_some_documents_are_held_back(documents: list) -> None:
    assert 0.03 < sum(d.held_back for d in documents) / len(documents) < 0.07


def test_a_line_that_fits_nowhere_is_named(written: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("# T\nP: It opens at nine.\nQ: When? | ten\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.txt, line 3"):
        written.documents(tmp_path)
    (tmp_path / "a.txt").write_text("# T\nP: It opens at nine.\nWhen?\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"a\.txt, line 3"):
        written.documents(tmp_path)


def _runs(text: str) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return [tuple(words[n : n + RUN]) for n in range(len(words) - RUN + 1)]
