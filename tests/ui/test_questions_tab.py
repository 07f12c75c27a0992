"""Questions: evidence first, one decision at a time, undo, writing, importing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest

from ragtune_ui.domain.errors import QuestionError
from ragtune_ui.domain.questions import COLUMNS, RowProblem
from ragtune_ui.domain.runs import Job
from ragtune_ui.studio.questions import PAGE, Evidence, Imported
from ragtune_ui.ui import question_cards as shows
from ragtune_ui.ui import questions_tab as tab
from tests.domain.makers import document, question
from tests.studio.conftest import House, library
from tests.ui.pages import HOSTILE, Bench, clean, wired

ALL = ("all", "")


def held(cursor: str = "", text: str = "", answer: str = "", drafts: object = None, *seen: str) -> tuple[object, ...]:
    """What the browser sends: cursor, fields, changes not approved yet, filter, search."""
    return cursor, text, answer, drafts or {}, *(seen or ALL)


def at(house: House, number: int, text: str | None = None, answer: str | None = None, drafts: object = None):
    """What it sends with a question of the project open, its fields as they are or changed."""
    q = house.project.questions()[number]
    fields = q.question if text is None else text, q.answer if answer is None else answer
    return held(f"{house.project.id} {q.id}", *fields, drafts)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    house.add(library(5))
    yield house
    house.idle()


@pytest.fixture
def written(house: House) -> House:
    house.wait(house.studio.questions.write(house.project))
    assert len(house.project.questions()) == 30
    return house


def proposed(text: str = "Why?", **more: object):
    return question(text, **{"status": "proposed", "evidence": "Because.", "document": "d", "end": 8, **more})


def withheld(**more: object):
    return proposed(**{"kind": "withheld", "answerable": False, "evidence": "", "answer": f"At noon {HOSTILE}", **more})


def test_every_state_has_its_word() -> None:
    assert "to check" in shows.state(proposed()) and "no evidence" in shows.state(proposed(evidence=""))
    assert "approved" in shows.state(question()) and "mended" in shows.state(question(status="edited"))
    assert "rejected" in shows.state(question(status="rejected"))


def test_a_question_whose_evidence_changed_says_what_it_was() -> None:
    shown = clean(shows.warning(proposed(evidence="", outdated=f"It stops at noon. {HOSTILE}")))
    assert "evidence changed" in shown and "It stops at noon." in shown and "Mend the answer" in shown


def test_the_source_is_one_line() -> None:
    documents = {"d": document("d")}
    assert shows.source(proposed(), documents) == "d.md · page 1"
    assert shows.source(proposed(evidence="", answerable=False), documents) == "your documents do not say"
    assert shows.source(proposed(document="gone"), documents) == "no source"
    assert shows.source(withheld(), documents) == "asked without d.md"
    assert shows.source(withheld(document="gone"), documents) == "asked without its document"


def test_the_list_names_its_place_and_marks_the_open_question() -> None:
    rows = [proposed(f"Why {n}? {HOSTILE}") for n in range(PAGE)]
    shown = clean(shows.listing(rows, {}, rows[3].id, 1, 60, "all", ""))
    assert "26 to 50 of 60" in shown and shown.count('aria-current="true"') == 1 and 'data-id="2"' in shown
    assert "60 questions" not in shown and "3 questions" in shows.listing(rows[:3], {}, "", 0, 3, "all", "")
    assert "Nothing is left to check." in shows.listing([], {}, "", 0, 0, "to check", "")
    assert "No question holds" in clean(shows.listing([], {}, "", 0, 0, "all", HOSTILE))


def test_the_proving_sentence_is_underlined() -> None:
    found = Evidence("d.md", "page 1", f"# Head\n\nBefore {HOSTILE} ", "The proof.", " After.")
    shown = clean(shows.proof(proposed(), found, 2, 1200))
    assert "<u>The proof.</u>" in shown and "question 2 of 1,200" in shown and "# Head" not in shown


def test_an_unsupported_answer_warns_with_remedies() -> None:
    shown = shows.proof(proposed(evidence=""), None, 1, 1)
    assert "no evidence" in shown and "Your documents do not say" in shown and "reject it" in shown
    assert "no evidence" not in shows.proof(proposed(evidence="", answerable=False), None, 1, 1)


def test_a_question_asked_without_its_document_says_so() -> None:
    shown = clean(shows.proof(withheld(), None, 1, 1))
    assert "Asked without its document, to see whether the model admits it. The answer would be “At noon" in shown
    assert "your documents do not say" not in shown and "No passage" not in shown
    silent = shows.proof(withheld(answer=""), None, 1, 1)  # a person decided that they do not say
    assert "your documents do not say" in silent and "Asked without" not in silent


def test_purposes_are_explained_and_what_is_missing_is_named() -> None:
    tally = {"all": 9, "checked": 6, "accepted": 5, "rejected": 1, "train": 3, "dev": 1, "test": 1}
    assert "3 to learn from · 1 to check while learning · 1 held back to measure" in tab.counts(tally)
    assert "6 of 9 checked" in tab.progress(tally) and "3 still to check" in tab.missing(tally)
    assert "nothing to measure" in tab.missing({**tally, "test": 0})
    assert "Approve questions first" in tab.missing({**tally, "accepted": 0})
    assert tab.progress({**tally, "all": 0}) == ""
    assert {shows.use(proposed(split=s)) for s in ("train", "dev", "test")} == {
        "The model learns from it.", "It checks the model while it learns.", "Held back: it measures the result."
    }  # fmt: skip


def test_writing_shows_how_far_and_fails_in_words() -> None:
    running = Job("j", "questions", "Writing questions", "running", done=1, total=4, note=HOSTILE)
    assert 'data-do="stop"' in clean(tab.writing(running)) and 'aria-valuenow="25"' in tab.writing(running)
    failed = Job("j", "questions", "Writing", "failed", problem="No sentence.", remedy="Import some.")
    assert "No sentence." in tab.writing(failed) and "Import some." in tab.writing(failed)
    assert "kept" in tab.writing(Job("j", "questions", "Writing", "stopped"))
    assert tab.writing(None) == "" and tab.writing(Job("j", "train", "Training", "running")) == ""


def test_rows_left_out_are_listed() -> None:
    rows = tuple(RowProblem(n, f"empty {HOSTILE}") for n in range(2, 62))
    shown = clean(tab.outcome(Imported(3, 0, 1, rows)))
    assert "60 rows left out (the first 50)" in shown and ">51<" in shown and ">52<" not in shown
    assert "left out" not in tab.outcome(Imported(3, 0, 1, ()))


def test_the_form_has_a_choice_for_every_column() -> None:
    assert list(tab.COLUMN_WORDS) == list(COLUMNS)


def test_approve_opens_the_next_one_with_its_own_text(written: House) -> None:
    studio, project = written.studio, written.project
    second = project.questions()[1]
    cursor, text, answer, drafts, sheet, shown = tab.approve(studio, project, *at(written, 0))
    assert (cursor, sheet, drafts) == (f"{project.id} {second.id}", 0, {})
    assert (text, answer) == (second.question, second.answer)
    assert shown.count("approved") == 1 and project.questions()[0].status == "approved"


def test_changed_words_are_mended_and_empty_ones_refused(written: House) -> None:
    studio, project = written.studio, written.project
    tab.approve(studio, project, *at(written, 0, answer="ten tonnes"))
    assert project.questions()[0].status == "edited" and project.questions()[0].answer == "ten tonnes"
    with pytest.raises(QuestionError):
        tab.approve(studio, project, *at(written, 1, "", "x"))


def test_reject_silent_and_undo_in_order(written: House) -> None:
    studio, project = written.studio, written.project
    first, second = project.questions()[:2]
    assert tab.reject(studio, project, *at(written, 0))[0] == f"{project.id} {second.id}"
    tab.silent(studio, project, *at(written, 1))
    assert [q.status for q in project.questions()[:2]] == ["rejected", "approved"]
    assert not project.questions()[1].answerable
    *opened, note = tab.undo(studio, project, *at(written, 2))
    assert opened[0].endswith(second.id) and opened[2] == second.answer
    assert "Taken back: your documents do not say" in note
    assert tab.undo(studio, project, *at(written, 1))[0].endswith(first.id)
    assert project.questions()[:2] == [first, second]


def test_the_list_is_gone_through_once(written: House, monkeypatch) -> None:
    studio, project, page = written.studio, written.project, written.studio.questions.page
    tab.reject(studio, project, *at(written, 0))
    tab.approve(studio, project, *at(written, 1))
    tab.approve(studio, project, *at(written, 2, answer="ten tonnes"))
    for show, number in (("to check", 27), ("approved", 2), ("all", 30)):
        assert len(tab._ids(studio, project, show, "")) == number  # type: ignore[arg-type]
        for search in ("", " CRANE ", "TEN tonnes", "no such words"):
            sheets = [page(project, show, search, n)[0] for n in range(3)]  # type: ignore[arg-type]
            assert tab._ids(studio, project, show, search) == [q.id for rows in sheets for q in rows]  # type: ignore[arg-type]
    passes: list[object] = []
    monkeypatch.setattr(studio.questions, "page", lambda *given: passes.append(given) or page(*given))
    assert len(tab._ids(studio, project, "all", None)) == 30 and not passes  # type: ignore[arg-type]


def test_the_last_one_stays_open_and_the_round_goes_on(written: House) -> None:
    studio, project = written.studio, written.project
    last = project.questions()[-1]
    assert tab.reject(studio, project, *at(written, -1))[0].endswith(project.questions()[0].id)
    tab.approve_all(studio, project)
    assert tab.reject(studio, project, *at(written, -1))[0].endswith(last.id)


def test_the_list_follows_the_open_question(written: House) -> None:
    studio, project = written.studio, written.project
    ids = [f"{project.id} {q.id}" for q in project.questions()]
    assert tab.step(1)(studio, project, *at(written, PAGE - 1))[0:5:4] == (ids[PAGE], 1)
    assert tab.step(-1)(studio, project, *at(written, PAGE))[0:5:4] == (ids[PAGE - 1], 0)
    assert tab.step(-1)(studio, project, *at(written, 0)) == tab.step(1)(studio, project, *at(written, -1)) == gr.skip()
    assert tab.choose(studio, project, {"do": "sheet", "id": "1"}, *held())[4] == 1
    last = {"do": "open", "id": project.questions()[-1].id}
    assert tab.choose(studio, project, last, *held("", "", "", {}, "all", None))[0:5:4] == (ids[-1], 1)  # type: ignore[arg-type]


def leaving(house: House, way: str, sent: tuple[object, ...]) -> tuple[object, ...]:
    """Another question opens, by a click in the list, by Next or by Undo; the answer as the browser takes it."""
    studio, project = house.studio, house.project
    if way == "row":
        return tab.choose(studio, project, {"do": "open", "id": project.questions()[5].id}, *sent)
    if way == "next":
        return tab.step(1)(studio, project, *sent)
    tab.reject(studio, project, *at(house, 5))
    return tab.undo(studio, project, *sent)[:-1]


@pytest.mark.parametrize("way", ["row", "next", "undo"])
def test_a_change_waits_while_another_question_is_open_until_it_is_approved(written: House, way: str) -> None:
    studio, project = written.studio, written.project
    first = project.questions()[0]
    words = "Ten tonnes, with the hook and the chains.\n"
    cursor, text, answer, drafts, *_ = leaving(written, way, at(written, 0, answer=words))
    other = studio.questions.get(project, cursor.split()[1])
    assert other.id != first.id and (text, answer) == (other.question, other.answer)
    assert project.questions()[0] == first  # nothing is decided yet
    said = tab.refresh_unsaved(studio, project, *held(cursor, text, answer, drafts))
    assert "1 other change is not approved yet" in said and f'data-do="open" data-id="{first.id}"' in said
    back = tab.choose(studio, project, {"do": "open", "id": first.id}, *held(cursor, text, answer, drafts))
    assert back[1:3] == (first.question, words)
    said = tab.refresh_unsaved(studio, project, *held(*back[:4]))
    assert "Your change is not approved yet." in said and "other change" not in said
    after = tab.approve(studio, project, *held(*back[:4]))
    assert project.questions()[0].answer == words.strip() and after[3] == {}
    assert tab.refresh_unsaved(studio, project, *held(*after[:4])) == ""


@pytest.mark.parametrize("decide", [tab.reject, tab.silent])
def test_a_decision_gives_the_change_up(written: House, decide) -> None:
    studio, project = written.studio, written.project
    key = f"{project.id} {project.questions()[0].id}"
    drafts = {key: ("Why?", "Because."), "elsewhere 1": ("a", "b")}
    after = decide(studio, project, *at(written, 0, "Why?", "Because.", drafts))
    assert after[3] == {"elsewhere 1": ("a", "b")}


def test_a_change_can_be_dropped_and_one_taken_back_by_hand_is_none(written: House) -> None:
    studio, project = written.studio, written.project
    first = project.questions()[0]
    sent = at(written, 0, answer="ten tonnes", drafts={f"{project.id} {first.id}": (first.question, "ten tonnes")})
    assert f'data-do="drop" data-id="{first.id}"' in tab.refresh_unsaved(studio, project, *sent)
    dropped = tab.choose(studio, project, {"do": "drop", "id": first.id}, *sent)
    assert dropped[1:4] == (first.question, first.answer, {})
    again = at(written, 0, answer=f" {first.answer}\n", drafts=sent[3])
    assert tab.step(1)(studio, project, *again)[3] == {} and tab.refresh_unsaved(studio, project, *again) == ""


def test_a_change_is_kept_for_its_own_project(written: House) -> None:
    studio, project = written.studio, written.project
    other = studio.home.create("Other")
    other.keep_questions(project.questions())  # the same documents: the same ids
    id = project.questions()[0].id
    sent = at(written, 0, answer="ten tonnes")
    wanted = tab.first(studio, other, sent[0])
    assert wanted == f"{other.id} {id}"  # the same question, but not of this project
    begun = tab.begin(studio, other, wanted, *sent)
    assert begun[2] == other.questions()[0].answer != "ten tonnes"
    assert tab.refresh_unsaved(studio, other, *held(*begun[:4])) == ""
    back = tab.begin(studio, project, f"{project.id} {id}", *held(*begun[:4]))
    assert back[2] == "ten tonnes"
    project.keep_questions(project.questions()[1:])  # its document was removed
    assert tab.begin(studio, project, f"{project.id} {project.questions()[0].id}", *held(*back[:4]))[3] == {}


def test_the_cursor_is_held_beside_the_fields(written: House) -> None:
    """A State is the server's and changes before the browser shows the new question: a key pressed in between
    would approve it with the words of the one before."""
    bench = Bench(tab, "ask", written)
    (handler,) = wired(bench.app, "q-approve")
    cursor, question, answer = handler.inputs[1:4]
    assert not any(part.stateful for part in (cursor, question, answer)) and isinstance(cursor, gr.HTML)
    assert cursor in handler.outputs


def test_bulk_is_one_decision(written: House) -> None:
    studio, project = written.studio, written.project
    before = project.questions()
    supported = sum(q.supported for q in before)
    assert f"{supported:,} questions" in tab.approve_all(studio, project)
    tab.undo(studio, project, *held())
    assert project.questions() == before


def test_where_none_is_open_the_first_to_check_opens(written: House) -> None:
    studio, project = written.studio, written.project
    first, second = project.questions()[:2]
    studio.questions.approve(project, first.id, first.question, first.answer)
    wanted = tab.first(studio, project, "")
    assert wanted == f"{project.id} {second.id}"
    assert tab.begin(studio, project, wanted, *held())[:2] == (wanted, second.question)
    assert tab.first(studio, project, wanted) == gr.skip() and tab.first(studio, None, "") == gr.skip()
    assert tab.first(studio, project, "of another project") == wanted


def test_writing_starts_and_stops(house: House) -> None:
    tab.manage(house.studio, house.project, {"do": "write", "id": ""}, 2)
    house.idle()
    assert len(house.project.questions()) == 10  # two a document
    tab.write(house.studio, house.project, None)
    house.idle()
    assert len(house.project.questions()) == 30
    tab.manage(house.studio, house.project, {"do": "stop", "id": "gone"}, 2)


def test_a_file_is_looked_at_and_then_taken(house: House, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("Question,Reply\nHow much does the red crane weigh?,10 tonnes\n,lost\n")
    shown, button, *columns = tab.preview(house.studio, house.project, str(path))
    assert shown["visible"] and button["value"] == "Import 2 rows"
    assert [c["value"] for c in columns] == ["Question", "", "", "", "", ""] and ("Reply", "Reply") in columns[1][
        "choices"
    ]
    file, box, note = tab.take(house.studio, house.project, str(path), "Question", "Reply", "", "", "", "")
    assert file is None and box["visible"] is False and "1 question is in" in note and "Row" in note
    taken = house.project.questions()[0]
    assert taken.status == "approved" and taken.evidence == "The red crane weighs 10 tonnes."
    with pytest.raises(QuestionError, match="No column"):
        tab.take(house.studio, house.project, str(path), "", "Reply", "", "", "", "")
    with pytest.raises(QuestionError, match="no longer here"):
        tab.take(house.studio, house.project, str(tmp_path / "gone.csv"), "Question", "Reply", "", "", "", "")


def test_the_page_before_and_after_questions(house: House) -> None:
    bench = Bench(tab, "ask", house)
    nobody = (*ALL, 0, "", "", "", *held())
    author, *nothing = bench.look(house.project.id, *nobody)
    assert "the built-in reader can answer" in author
    pill, work, purposes, desk, rows, bulk, back, way, wanted, proof, unsaved, writes, takes, *_, message = nothing
    assert "No questions yet" in work and 'data-do="write"' in work and desk["visible"] is False
    assert (pill, rows, proof, unsaved) == ("", "", "", "") and "0 to learn from" in purposes
    assert back["interactive"] is False and bulk["visible"] is False
    assert writes["visible"] is True and takes["visible"] is True
    assert wanted == gr.skip() and message == gr.skip() and "Approve questions first" in way
    house.wait(house.studio.questions.write(house.project))
    cursor = f"{house.project.id} {house.project.questions()[0].id}"
    full = bench.look(house.project.id, "to check", None, 99, cursor, cursor, cursor, *at(house, 0, answer="x"))[1:]
    assert full[3]["visible"] is True and "26 to 30 of 30" in full[4] and full[5]["visible"] and "<u>" in full[9]
    assert "0 of 30 checked" in full[0] and "not approved yet" in full[10] and full[-1] == gr.skip()
    ids = {"q-list", "q-evidence", "q-question", "q-answer", "q-approve", "q-reject", "q-undo"}
    assert ids <= bench.ids()
    assert "Add documents" in bench.look(house.studio.home.create("Other").id, *nobody)[2]


def test_without_a_project_the_page_leads_to_start_and_takes_no_questions(house: House) -> None:
    shown = Bench(tab, "ask", house).look("", *ALL, 0, "", "", "", *held())
    work, (writes, takes) = shown[2], shown[12:14]
    assert "No project is open" in work and 'data-go="home"' in work and "Add documents" not in work
    assert (writes["visible"], takes["visible"], shown[-1]) == (False, False, gr.skip())


def test_the_evidence_is_read_again_only_when_it_may_have_changed(written: House) -> None:
    studio, project = written.studio, written.project
    first, second = project.questions()[:2]
    one, two = (f"{project.id} {q.id}" for q in (first, second))
    key = tab.proof_key(studio, project, one)
    assert key == tab.proof_key(studio, project, one) != tab.proof_key(studio, project, two)
    project.keep_questions([replace(first, status="rejected"), *project.questions()[1:]])
    assert tab.proof_key(studio, project, one) != key


def test_another_filter_begins_at_its_first_page(written: House) -> None:
    for field in ("ask-show", "ask-search"):
        (handler,) = wired(Bench(tab, "ask", written).app, field, "change")
        assert handler.fn(written.project.id, None)[0] == 0
