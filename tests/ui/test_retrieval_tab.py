"""Passages: hits with what was said of them, the test of the search, and its settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from ragtune_ui.domain.errors import PassageError
from ragtune_ui.domain.passages import ChunkSettings, Passage, SearchSettings
from ragtune_ui.studio import retrieval
from ragtune_ui.studio.retrieval import Found
from ragtune_ui.ui import retrieval_tab as tab
from tests.domain.makers import chunk
from tests.studio.conftest import House, library
from tests.ui.pages import HOSTILE, Bench, clean

NOTHING = ("", None)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.add(library(3))
    yield house
    house.idle()


def test_hits_show_marks_scores_and_what_was_said() -> None:
    passage = Passage(chunk("c1", f"## Wind\n\nStop when the wind rises. {HOSTILE}"), 1, 0.9, 0.8, 0.7)
    shown = clean(tab.results(Found("wind?", (passage,), 0.038), {"c1": True}))
    assert "1 passage in 38 ms" in shown and "<mark>wind</mark>" in shown and "0.90" in shown and "0.70" in shown
    assert "✓ This answers it" in shown and "✓ Not this" not in shown and "##" not in shown


def test_no_hit_has_a_next_action() -> None:
    assert "Check the documents" in tab.results(Found("x", (), 0.1), {})


def test_hits_without_a_shared_word_are_called_weak() -> None:
    def shown(lexical: float) -> str:
        return tab.results(Found("x", (Passage(chunk("c1", "Text."), 1, 0.1, 0.2, lexical),), 0.1), {})

    assert "No passage holds a word" in shown(0.0) and "No passage holds a word" not in shown(0.3)


def test_times_and_texts_are_readable() -> None:
    assert tab.time_taken(0.0381) == "38 ms" and tab.time_taken(1.23) == "1.2 s"
    assert tab.readable("# A\n\n## B\n\nOne # two\n\n\nthree") == "A\nB\nOne # two\nthree"


def test_example_questions_are_text() -> None:
    assert "&lt;img" in clean(tab.chips([HOSTILE])) and tab.chips([]) == ""


def test_before_anything_was_asked() -> None:
    assert 'data-go="docs"' in tab.nothing_yet(0) and "Ask a question" in tab.nothing_yet(3)


def test_the_test_speaks_in_counts() -> None:
    tested = retrieval.Tested(12, 0.5, 0.75, 11 / 12, 11 / 12, 0.7, 4)
    assert "12 questions, right passage in the first five: 11" in tab.readiness(tested)
    assert (
        "warn" in tab.readiness(retrieval.Tested(10, hit5=0.5))
        and tab.readiness(None) == ""
        and tab.readiness(retrieval.Tested(0)) == ""
    )
    assert (
        "50 %" in tab.outcome(tested)
        and "No question tests" in tab.outcome(retrieval.Tested(0))
        and tab.outcome(None) == ""
    )


def test_find_then_judge_then_test(house: House) -> None:
    studio, project = house.studio, house.project
    found = tab.find(studio, project, "How much does the red crane weigh?")
    right = found[1].passages[0].chunk
    assert "red crane" in right.text
    bench = Bench(tab, "find", house)
    assert "Kept. 1 questions" in tab.judge(studio, project, {"do": "yes", "id": right.id}, found)
    shown = bench.look(project.id, found, NOTHING)[2]
    assert shown.count("✓ This answers it") == 1 and shown.count("✓ Not this") == 0
    tab.judge(studio, project, {"do": "no", "id": right.id}, found)
    assert bench.look(project.id, found, NOTHING)[2].count("✓ Not this") == 1
    tab.judge(studio, project, {"do": "yes", "id": right.id}, found)
    tested = tab.measure(studio, project)
    assert tested[1].questions == 1 and "first five: 1" in bench.look(project.id, found, tested)[0]


def test_a_hit_of_another_project_is_not_shown(house: House) -> None:
    found = tab.find(house.studio, house.project, "red crane")
    other = house.studio.home.create("Other")
    shown = Bench(tab, "find", house).look(other.id, found, NOTHING)
    assert "There are no passages yet" in shown[2] and "red crane" not in str(shown)


def test_nothing_asked_is_a_message(house: House) -> None:
    bench = Bench(tab, "find", house)
    outputs = bench.press(tab.find, 1, " ", project_id=house.project.id)
    assert outputs[0] == gr.skip() and "Type a question first." in outputs[1]


def test_an_example_stands_in_the_field_and_is_searched(house: House) -> None:
    text, (home, found) = tab.ask(house.studio, house.project, {"do": "ask", "id": "the red crane"})
    assert text == "the red crane" and home == house.project.id and found.question == "the red crane"


def test_settings_are_kept_and_say_when_passages_are_made_again(house: House) -> None:
    studio, project = house.studio, house.project
    before = tab.kept(studio, project)
    assert "Kept. The next search" in tab.keep(studio, project, ChunkSettings(), 7, 0.25)
    assert project.choices().search == SearchSettings(7, 0.25) and tab.kept(studio, project) != before
    assert "made again" in tab.keep(studio, project, ChunkSettings(80, 8), 7, 0.25)
    house.idle()
    assert [u["value"] for u in tab.load(studio, project)] == [80, 8, 7, 0.25]
    with pytest.raises(PassageError):
        tab.keep(studio, project, ChunkSettings(50, 60), 7, 0.25)


def test_the_page_offers_questions_of_the_documents(house: House) -> None:
    bench = Bench(tab, "find", house)
    pill, chips, shown, figures, busy, way, kept, message = bench.look(house.project.id, NOTHING, NOTHING)
    assert "What is said about part 0?" in chips and "Ask a question" in shown and 'data-go="ask"' in way
    assert (pill, figures, busy, message) == ("", "", "", gr.skip()) and house.project.id in kept
    assert {
        "find-q",
        "find-go",
        "find-results",
        "find-number",
        "find-balance",
        "find-size",
        "find-overlap",
    } <= bench.ids()
    assert bench.look("", NOTHING, NOTHING)[-1] == gr.skip()
