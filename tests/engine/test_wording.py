"""Wording: what reads as a question passes, the ways a small model stumbles do not."""

import pytest

from ragtune_ui.engine.writing.wording import well_worded

SOURCE = (
    "In 1911 the Orrelmouth company ordered a new slewing crane. It was built by Ada Strake and paints were carried on "
    "two barges. Six forces act on the hook. The crew greases the ring every spring. The company abandoned the dock. "
    "The maximum load and the age of the crane, and the difference of hook and boom, stand in the book."
)


@pytest.mark.parametrize(
    "question",
    [
        "When did the Orrelmouth company order a crane?",
        "Who built the crane of the Orrelmouth company?",
        "How many forces act on the hook?",
        "What did the company abandon?",
        "What is greased by the crew every spring?",
        "In what year was the crane ordered?",
        "On what were the paints carried?",
        "Who was the slewing crane built by?",
        "How often does the crew grease the ring?",
        "What must the crew do with the ring?",
        "What is the difference between the crane hook and the crane boom?",
        "What is the maximum load the crane is rated to carry?",
        "How many forces has the company ordered?",
        "What's the age of the crane?",
    ],
)
def test_questions_pass(question):
    assert well_worded(question, SOURCE)


@pytest.mark.parametrize(
    "question",
    [
        "When did the new slewing crane?",
        "How many barges of the crew?",
        "What is the crane of the company is ordered by?",
        "How many forces was on the hook?",
        "What was the the crane?",
        "What was the crane company of the crane company?",
        "When was the crane built by the?",
        "The crane was built by Ada Strake?",
        "How many paints are not be carried?",
        "Which treaty ended the war between France and Prussia?",
        "What year did the company ordered?",
        "",
    ],
)
def test_stumbles_do_not(question):
    assert not well_worded(question, SOURCE)
