"""Passages: hits and what can be done about them, mending, comparing, the test, the advice, the preview."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from ragtune_ui.domain.errors import PassageError
from ragtune_ui.domain.mends import Mend
from ragtune_ui.domain.passages import ChunkSettings, Passage, SearchModel, SearchSettings
from ragtune_ui.domain.scores import Interval
from ragtune_ui.studio.advisor import Advice, Setting
from ragtune_ui.studio.mending import Mended
from ragtune_ui.studio.proving import Coverage, Point, Section
from ragtune_ui.studio.proving import Tested as Figures
from ragtune_ui.studio.retrieval import Found, Preview
from ragtune_ui.ui import cutting_panel, found_cards, proof_cards, proof_panel
from ragtune_ui.ui import retrieval_tab as tab
from tests.domain.makers import chunk, document
from tests.studio.conftest import House, library
from tests.ui.pages import HOSTILE, Bench, clean, wired

NOTHING = tab.NOTHING
SURE = Interval(90.0, 80.0, 95.0, 12)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.add(library(3))
    yield house
    house.idle()


def passage(text: str = "Text.", lexical: float = 0.7, **more: object) -> Passage:
    return Passage(chunk("c1", text, **more), 1, 0.9, 0.8, lexical)


def figures(questions: int = 12, hit5: float = 92.0) -> Figures:
    five = Interval(hit5, 70.0, 99.0, questions)
    return Figures(questions, SURE, SURE, five, SURE, SURE, SURE, 4, SearchSettings(), ChunkSettings())


# shows ----------------------------------------------------------------------------------------


def test_hits_show_marks_scores_and_what_can_be_done() -> None:
    shown = clean(
        found_cards.results(Found("wind?", (passage(f"## Wind\n\nThe wind. {HOSTILE}"),), 0.038), {"c1": True})
    )
    assert "1 passage in 38 ms" in shown and "<mark>wind</mark>" in shown and "0.90" in shown and "0.70" in shown
    assert "✓ This answers it" in shown and "✓ Not this" not in shown and "##" not in shown
    assert 'data-do="mend"' in shown and 'data-do="show"' in shown and "mended" not in shown
    again = Passage(chunk("c1", "Text.", mended=True), 1, 0.6, 0.8, 0.7, 0.6)
    shown = clean(found_cards.results(Found("x", (again,), 1.23), {}, "Other"))
    assert "Read again" in shown and "mended" in shown and "1.2 s" in shown and "<h2>Other</h2>" in shown


def test_no_hit_has_a_next_action_and_weak_ones_are_called_so() -> None:
    assert "Check the documents" in found_cards.results(Found("x", (), 0.1), {})
    assert "No passage holds a word" in found_cards.results(Found("x", (passage(lexical=0.0),), 0.1), {})
    assert "No passage holds a word" not in found_cards.results(Found("x", (passage(),), 0.1), {})
    two = Found("x", (passage(), passage()), 0.1)
    assert "the chosen model is given the best 1" in found_cards.results(two, {}, given=1)
    assert "is given the best" not in found_cards.results(two, {}, given=2) + found_cards.results(two, {})


def test_settings_are_said_in_words() -> None:
    assert found_cards.settings_words(SearchSettings()) == "4 passages, 50 % meaning, 50 % words"
    said = found_cards.settings_words(SearchSettings(1, 0.8, 0.25, "cross-encoder/mini"))
    assert said == "1 passage, 80 % meaning, 20 % words, score at least 0.25, read again by mini"


def test_before_anything_was_asked() -> None:
    assert 'data-go="docs"' in found_cards.nothing_yet(0) and "Ask a question" in found_cards.nothing_yet(3)
    assert "&lt;img" in clean(found_cards.chips([HOSTILE])) and found_cards.chips([]) == ""


def test_a_page_is_opened_with_its_passage_lit() -> None:
    shown = clean(
        found_cards.opened(document("d"), 2, f"Before. {HOSTILE} After.", 100, chunk("c", "x" * 7, start=100))
    )
    assert "<mark>Before.</mark>" in shown and "Page 2" in shown and 'data-do="close"' in shown
    assert "mended" in found_cards.opened(document("d"), 1, "Text.", 0, chunk("c", "Text.", mended=True))


def test_changes_are_listed_with_a_way_back() -> None:
    rows = [
        Mended(Mend("m1", "edit", "d", "a.md", 0, 4, "Text", HOSTILE + " word" * 60), "a.md · page 1", False),
        Mended(Mend("m2", "out", "d", "a.md", 0, 4, "Text"), "a.md · page 1", True),
        Mended(Mend("m3", "join", "d", "a.md", 0, 4, "Text"), "a.md · page 1", False),
    ]
    shown = clean(found_cards.mends(rows))
    assert "reworded" in shown and "no longer fits" in shown and "joined" in shown and "…" in shown
    assert shown.count('data-do="undo"') == 3 and found_cards.mends([]) == ""


def test_a_preview_shows_bands_with_their_word_pieces() -> None:
    cut = (chunk("a", f"# Top\n\nOne. {HOSTILE}", tokens=10), chunk("b", "Two.", tokens=20, mended=True))
    shown = clean(found_cards.preview(Preview(document("d"), cut, (7,), 2, True, 0.02), "the model"))
    assert "2 passages · 10 to 20 word pieces, 15 on average" in shown and "nothing is indexed" in shown
    assert "10 word pieces · 7 by the model" in shown and "20 word pieces · mended" in shown
    many = found_cards.preview(Preview(document("d"), cut, (), 90, False, 0.02), "the model")
    assert "about 90 passages, the first 2 shown" in many
    assert "No passage" in found_cards.preview(Preview(document("d"), (), (), 0, True, 0.0), "the model")


def test_the_test_speaks_in_counts_and_ranges() -> None:
    assert "12 questions, right passage in the first five: 11" in proof_cards.readiness(figures())
    assert "warn" in proof_cards.readiness(figures(hit5=50)) and proof_cards.readiness(None) == ""
    old = proof_cards.readiness(figures(), "The settings have changed since.")
    assert "out of date" in old and "right passage" not in old and proof_cards.readiness(None, "It has changed.") == ""
    shown = proof_cards.outcome(figures(), "", 12)
    assert "90 %" in shown and "between 80 and 95 %" in shown and "0.90" in shown and "nDCG" in shown
    assert "The settings have changed" in proof_cards.outcome(figures(), "The settings have changed since.", 12)
    assert "No question tests" in proof_cards.outcome(None, "", 0)
    assert "1 question is ready" in proof_cards.outcome(None, "", 1) and "3 questions are" in proof_cards.outcome(
        None, "", 3
    )


def test_the_map_has_a_dot_a_passage_and_hollow_ones_are_not_reached() -> None:
    chunks = {f"c{n}": chunk(f"c{n}", "Text.", f"d{n % 7}", title=HOSTILE) for n in range(14)}
    coverage = Coverage(tuple(Point(c, 0.1, 0.2, n < 7) for n, c in enumerate(chunks)), (), 3)
    drawn = proof_cards.chart(coverage, chunks, {f"d{n}": f"{HOSTILE} {n}" for n in range(7)})
    data = drawn["figure"]["data"]
    assert sum(len(d["x"]) for d in data) == 14 and len(data) == 10
    assert {d["marker"]["symbol"] for d in data} == {"circle", "circle-open"}
    assert "<img" not in str(data) and any("3 other documents" in d["name"] for d in data)
    assert drawn["summary"].startswith("7 of 14 passages are reached by 3 test questions")
    assert proof_cards.chart(None, {}, {})["figure"] is None and proof_cards.chart(coverage, {}, {})["figure"] is None


def test_sections_that_nothing_reaches_are_listed() -> None:
    some = tuple(Section("d", f"a.md · {HOSTILE} {n}", 1, 2, 30, f"c{n}") for n in range(15))
    shown = clean(proof_cards.sections(Coverage((), some, 3)))
    assert shown.count('data-do="show"') == 15 and "3 more" in shown
    assert "Every section is reached" in proof_cards.sections(Coverage((), (), 3)) and proof_cards.sections(None) == ""


def test_advice_says_what_it_gains_or_that_there_is_nothing_to_gain() -> None:
    now, other = Setting(ChunkSettings(), SearchSettings()), Setting(ChunkSettings(80, 8), SearchSettings(8))
    gain = Interval(5.0, 1.0, 9.0, 40)
    better = Advice(now, other, other, gain, SURE, SURE, 40, 26)
    shown = proof_cards.advice(better, 40, 8, False)
    assert "+5.0 points (between +1.0 and +9.0)" in shown and 'data-do="use"' in shown and "80 word pieces" in shown
    used = Advice(now, other, other, gain, SURE, SURE, 40, 26, used=True)
    assert 'data-do="undo"' in proof_cards.advice(used, 40, 8, False)
    same = Advice(now, now, now, gain, SURE, SURE, 40, 26)
    assert "Keep your settings" in proof_cards.advice(same, 40, 8, False)
    chance = Advice(now, now, other, gain, SURE, SURE, 40, 26)
    assert "may be chance" in proof_cards.advice(chance, 40, 8, False)
    assert "at least 8 test questions; 3 so far" in proof_cards.advice(None, 3, 8, False)
    assert proof_cards.advice(None, 8, 8, False) == ""


def test_search_models_are_offered_with_size_and_languages() -> None:
    offers = [SearchModel("", "Mini", "meaning", 91_000_000, "English", 1.0, "MIT", HOSTILE),
              SearchModel("a/b", "Big", "meaning", 4_000_000_000, "Many", 0.13, "MIT", "Good."),
              SearchModel("c/d", "Judge", "reranker", 1, "Many", 0.5, "MIT", "Good.")]  # fmt: skip
    shown = clean(cutting_panel.models(offers, "", 1200, False))
    assert "in use" in shown and 'data-id="a/b"' in shown and "13 % of the built-in" in shown and "Judge" not in shown
    assert "1,200 passages" in shown and "In use: /my/folder" in cutting_panel.models(offers, "/my/folder", 1, True)


# does -----------------------------------------------------------------------------------------


def asked(house: House, question: str = "How much does the red crane weigh?", beside: bool = False, **more: object):
    values = {"documents": [], "tags": [], **more}
    return tab.find(house.studio, house.project, question, values["documents"], values["tags"], beside, 2, 0.8, 0, "")


PANELS = 8  # outputs of the two panels, which are built before the tab's own look


def look(house: House, found=NOTHING, other=NOTHING, mending=NOTHING, project_id: str = "") -> list:
    """Pill, examples, hits, the other hits, note, what is mended, changes, way on, lists, message."""
    return Bench(tab, "find", house).look(project_id or house.project.id, found, other, mending)[PANELS:]


def test_find_judge_and_see_it_pressed(house: House) -> None:
    studio, project = house.studio, house.project
    found, other = asked(house)
    right = found[1].passages[0].chunk
    assert "red crane" in right.text and other == NOTHING
    said = tab.press(studio, project, {"do": "yes", "id": right.id}, found)
    assert "Kept. 1 question tests" in said[0] and look(house, found)[2].count("✓ This answers it") == 1
    tab.press(studio, project, {"do": "no", "id": right.id}, found)
    assert look(house, found)[2].count("✓ Not this") == 1
    assert tab.press(studio, project, {"do": "yes", "id": right.id}, NOTHING) == tuple([gr.skip()] * 5)


def test_two_settings_stand_side_by_side(house: House) -> None:
    found, other = asked(house, beside=True)
    assert len(found[1].passages) == 4 and len(other[1][1].passages) == 2
    shown = look(house, found, other)
    assert "Your settings: 4 passages" in shown[2] and "Other: 2 passages, 80 % meaning" in shown[3]
    assert house.project.choices().search == SearchSettings()


def test_a_search_is_narrowed(house: House) -> None:
    other = house.document("part-1.md").id
    found, _ = asked(house, documents=[other])
    assert {p.chunk.document for p in found[1].passages} == {other}
    assert "tagged: dry" in tab.tag_them(house.studio, house.project, [other], "dry")[0]
    assert tab.choices(house.studio, house.project)[1]["choices"] == ["dry"]
    assert {p.chunk.document for p in asked(house, tags=["dry"])[0][1].passages} == {other}
    assert "dry" in tab.listed(house.studio, house.project) and tab.listed(house.studio, None) == ""


def test_a_passage_is_mended_joined_left_out_and_taken_back(house: House) -> None:
    studio, project = house.studio, house.project
    found, _ = asked(house)
    first = found[1].passages[0].chunk
    _, mending, box, words, _ = tab.press(studio, project, {"do": "mend", "id": first.id}, found)
    assert box["visible"] and words == first.text and "Mend this passage" in look(house, found, NOTHING, mending)[5]
    note, held, box = tab.keep_words(studio, project, mending, "The red crane weighs 99 tonnes.")
    house.idle()
    assert "Mended" in note and held == NOTHING and not box["visible"]
    assert any("99 tonnes" in p.chunk.text for p in asked(house)[0][1].passages)
    assert "reworded" in look(house)[6]
    mend = studio.mending.all(project)[0]
    assert "Taken back" in tab.unmend(studio, project, {"do": "undo", "id": mend.id})
    house.idle()
    chunk = house.project.chunks()[0]
    assert "Joined" in tab.join(studio, project, (project.id, chunk), "")[0]
    house.idle()
    chunk = house.project.chunks()[-1]
    assert "Left out" in tab.leave_out(studio, project, (project.id, chunk), "")[0]
    house.idle()
    assert tab.keep_words(studio, project, NOTHING, "x")[2]["visible"] is False
    assert tab.cancel(studio, project)[0] == NOTHING


def test_a_passage_opens_on_its_page(house: House) -> None:
    chunk = house.project.chunks()[1]
    shown = tab.press(house.studio, house.project, {"do": "show", "id": chunk.id}, NOTHING)[4]
    assert f"<mark>{chunk.text}</mark>" in shown and chunk.title in shown
    assert tab.show(house.studio, house.project, {"do": "close", "id": ""}) == ""


def test_a_hit_of_another_project_is_not_shown(house: House) -> None:
    found, _ = asked(house)
    other = house.studio.home.create("Other")
    shown = look(house, found, project_id=other.id)
    assert "There are no passages yet" in shown[2] and "red crane" not in str(shown)


def test_an_opened_page_and_a_passage_to_mend_go_with_their_project(house: House) -> None:
    bench = Bench(tab, "find", house)
    other = house.studio.home.create("Other")
    looks = next(fn for fn in bench.app.fns.values() if bench.page.seen in fn.outputs)
    names = [c.elem_id for c in looks.outputs]
    *_, seen = bench.page.look(SimpleNamespace(_data={}), house.project.id, {}, NOTHING, NOTHING, NOTHING)
    for project_id in (other.id, ""):
        shown = bench.page.look(SimpleNamespace(_data={}), project_id, seen, NOTHING, NOTHING, NOTHING)
        assert shown[names.index("find-sheet")] == "" and shown[names.index("find-mend")]["visible"] is False


def test_without_a_project_the_page_leads_to_start(house: House) -> None:
    hits = Bench(tab, "find", house).look("", NOTHING, NOTHING, NOTHING)[PANELS + 2]
    assert "No project is open" in hits and 'data-go="home"' in hits and "no passages yet" not in hits


def test_nothing_asked_is_a_message(house: House) -> None:
    bench = Bench(tab, "find", house)
    outputs = bench.press(tab.find, 2, " ", [], [], False, 4, 0.5, 0, "", project_id=house.project.id)
    assert outputs[0] == gr.skip() and "Type a question first." in outputs[2]


def test_an_example_stands_in_the_field_and_is_searched(house: House) -> None:
    text, (home, found), other = tab.ask(house.studio, house.project, {"do": "ask", "id": "the red crane"})
    assert (text, home, other) == ("the red crane", house.project.id, NOTHING) and found.question == "the red crane"


def test_the_search_is_tested_and_advised(house: House) -> None:
    studio, project = house.studio, house.project
    house.ask()
    proof_panel.measure(studio, project)
    house.idle()
    work, shown, drawn, reached, trying, advised = proof_panel.refresh(studio, project)
    assert (work, trying) == ("", "") and "Right passage first" in shown and drawn["figure"]["data"]
    assert "passages are reached" in reached and advised == ""
    mark = proof_panel.mark(studio, project)
    proof_panel.advise(studio, project)
    house.idle()
    assert proof_panel.mark(studio, project) != mark
    assert "Keep your settings" in proof_panel.refresh(studio, project)[5]
    assert "In use" in proof_panel.answer(studio, project, {"do": "use", "id": ""})
    assert "Back as before" in proof_panel.answer(studio, project, {"do": "undo", "id": ""})
    assert proof_panel.refresh(studio, None)[1] == "" and proof_panel.mark(studio, None) is None


def test_the_pill_does_not_show_figures_of_another_search(house: House) -> None:
    house.ask()
    proof_panel.measure(house.studio, house.project)
    house.idle()
    assert "right passage in the first five" in look(house)[0]
    house.project.choose(search=SearchSettings(7))
    assert "out of date" in look(house)[0] and "right passage" not in look(house)[0]


def test_passages_behind_their_settings_are_said_with_a_button(house: House) -> None:
    assert look(house)[4] == ""
    house.project.choose(chunks=ChunkSettings(80, 8))  # as "Making passages again" leaves it when it is stopped
    shown = look(house)[4]
    assert "still cut by your earlier settings" in shown and 'data-do="make"' in shown
    bench = Bench(tab, "find", house)
    assert wired(bench.app, "find-busy", "select")
    house.fakes.gate.clear()
    assert bench.press(tab.make, 0, project_id=house.project.id, act={"do": "make"})[0] == ""
    shown = look(house)[4]
    assert "until that is finished" in shown and "earlier settings" not in shown and 'data-do="make"' not in shown
    house.fakes.gate.set()
    house.idle()
    assert look(house)[4] == ""


def test_settings_are_kept_and_say_when_passages_are_made_again(house: House) -> None:
    studio, project = house.studio, house.project
    before = cutting_panel.kept(studio, project)
    assert "Kept. The next search" in cutting_panel.keep(studio, project, ChunkSettings(), 7, 0.25, 0.1, "")
    assert project.choices().search == SearchSettings(7, 0.25, 0.1) and cutting_panel.kept(studio, project) != before
    other = ChunkSettings(80, 8, "sentences")
    assert "made again" in cutting_panel.keep(studio, project, other, 7, 0.25, 0.1, "")
    house.idle()
    loaded = cutting_panel.load(studio, project)
    assert [u["value"] for u in loaded[:-1]] == [80, 8, "sentences", 7, 0.25, 0.1, ""]
    assert loaded[-1]["value"] == house.project.documents()[0].id
    with pytest.raises(PassageError):
        cutting_panel.keep(studio, project, ChunkSettings(50, 60), 7, 0.25, 0.1, "")


def test_the_preview_follows_the_sliders_and_keeps_nothing(house: House) -> None:
    before = house.project.choices()
    first = house.document("part-0.md").id
    assert "part-0.md: 6 passages" in cutting_panel.look(house.studio, house.project, first, 80, 8, "headings")
    assert "part-0.md" in cutting_panel.look(house.studio, house.project, "", 80, 8, "fixed")
    assert house.project.choices() == before
    empty = house.studio.home.create("Empty")
    assert "Add a document" in cutting_panel.look(house.studio, empty, "", 80, 8, "fixed")


def test_the_search_model_is_changed_in_the_background(house: House) -> None:
    studio, project = house.studio, house.project
    assert "Name a folder" in cutting_panel.use_model(studio, project, " ")
    assert "beside the old one" in cutting_panel.switch(studio, project, {"do": "switch", "id": "owner/other"})
    house.idle()
    assert project.choices().embedder == "owner/other" and "Built in" not in cutting_panel.refresh(studio, None)
    assert "in use" in cutting_panel.refresh(studio, project)


def test_the_page_offers_questions_of_the_documents(house: House) -> None:
    shown = look(house)
    assert "What is said about part 0?" in shown[1] and "Ask a question" in shown[2] and 'data-go="ask"' in shown[7]
    assert shown[-1] == gr.skip()
    ids = {"find-q", "find-go", "find-results", "find-others", "find-number", "find-balance", "find-threshold",
           "find-reranker", "find-size", "find-overlap", "find-splitter", "find-map", "find-mend-text"}  # fmt: skip
    bench = Bench(tab, "find", house)
    assert ids <= bench.ids() and bench.look("", NOTHING, NOTHING, NOTHING)[-1] == gr.skip()
