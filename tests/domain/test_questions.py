"""Questions: decisions, imported rows and counts."""

import pytest

from ragtune_ui.domain.errors import QuestionError
from ragtune_ui.domain.questions import Row, RowProblem, decided, guess_columns, question_id, read_rows, tally
from tests.domain.makers import chunk, question


def test_guess_columns_ignores_case_blanks_and_underscores():
    assert guess_columns(["  Query ", "EXPECTED", "File_Name", "Has Answer", "n"]) == {
        "question": "  Query ",
        "answer": "EXPECTED",
        "source": "File_Name",
        "answerable": "Has Answer",
    }


def test_guess_columns_takes_the_plainest_name_first():
    assert guess_columns(["q", "question", "a"])["question"] == "question"
    assert guess_columns(["number", "text"]) == {}


def test_read_rows_needs_a_question_column():
    with pytest.raises(QuestionError, match="no column with questions") as caught:
        read_rows([], {"answer": "a"})
    assert "question" in caught.value.remedy


def test_read_rows_sorts_the_usable_from_the_others():
    columns = {"question": "Q", "answer": "A", "source": "F", "split": "S", "answerable": "Y", "evidence": "E"}
    records = [
        {},  # row 1: the header
        {"Q": " How wide? ", "A": 6.4, "F": "ramps.md", "S": "Train", "Y": "", "E": "It is 6.4 m."},  # row 2
        {"Q": "", "A": "x"},  # row 3
        {"Q": None, "A": None},  # row 4: blank, passed over
        {"Q": "How deep?", "A": ""},  # row 5
        {"Q": "How high?", "A": "", "Y": False, "S": "held-back"},  # row 6
        {"Q": "How old?", "A": "9", "Y": "perhaps"},  # row 7
        {"Q": "How far?", "A": "9", "S": "third"},  # row 8
        {"Q": "How fast?", "A": "9 knots", "S": "validation", "Y": True},  # row 9
    ]
    rows, problems = read_rows(records, columns)
    assert rows == [
        Row(2, "How wide?", "6.4", "ramps.md", "train", True, "It is 6.4 m."),
        Row(6, "How high?", "", "", "test", False, ""),
        Row(9, "How fast?", "9 knots", "", "dev", True, ""),
    ]
    assert problems == [
        RowProblem(3, "the question is empty"),
        RowProblem(5, "the answer is empty; write it, or put 'false' under 'answerable'"),
        RowProblem(7, "'answerable' says 'perhaps'; write true or false"),
        RowProblem(8, "'split' says 'third'; write train, dev or test"),
    ]


def test_question_id_forgets_case_and_spacing_but_not_the_document():
    assert question_id("How  Wide?", "d") == question_id("how wide?", "d") != question_id("how wide?", "e")
    assert len(question_id("x")) == 12


def test_decisions():
    q = question("How wide?", "6 m", status="proposed")
    assert decided(q, "approved").status == "approved"
    assert decided(q, "approved", text=" How wide? ").status == "approved"
    changed = decided(q, "approved", answer="6.4 m")
    assert (changed.status, changed.answer, changed.question) == ("edited", "6.4 m", "How wide?")
    assert decided(q, "rejected", text="").status == "rejected"


@pytest.mark.parametrize(("text", "answer", "what"), [(" ", None, "question"), (None, "", "answer")])
def test_an_empty_question_or_answer_cannot_be_approved(text, answer, what):
    with pytest.raises(QuestionError, match=f"The {what} is empty"):
        decided(question("How wide?", "6 m"), "approved", text, answer)


def test_a_question_that_the_documents_leave_open_needs_no_answer():
    assert decided(question("How wide?", "", answerable=False), "approved").accepted


def test_supported_and_oracles():
    c = chunk("c", "The ramp is 6 m wide.", "d")
    proven = question(evidence="6 m wide", document="d", start=12, end=20)
    assert proven.supported and proven.oracles([c]) == [c]
    assert question(answerable=False).supported and question(answerable=False).oracles([c]) == []
    assert not question().supported


def test_tally_counts_splits_of_the_accepted_only():
    counts = tally(
        [
            question("a", split="train"),
            question("b", split="test", status="edited"),
            question("c", split="dev", status="rejected"),
            question("d", split="train", status="proposed"),
        ]
    )
    assert counts == {"all": 4, "checked": 3, "accepted": 2, "rejected": 1, "train": 1, "dev": 0, "test": 1}
