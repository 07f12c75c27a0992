"""Sentences taken apart, each phrase asked for, and the parser that has to be the tested one."""

import pytest

from ragtune_ui.domain.errors import QuestionError
from ragtune_ui.engine.writing import english
from ragtune_ui.engine.writing.clauses import needed, statements
from ragtune_ui.engine.writing.constituents import asked
from ragtune_ui.engine.writing.grammar import Vocabulary


def questions(sentence):
    return [(d.question, d.answer) for d in asked(sentence, Vocabulary(sentence))]


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        # Times and places, behind the verb and before the subject
        ("The Fresno Theatre was opened by the mayor in 1926.",
         "In what year was the Fresno Theatre opened by the mayor?", "1926"),
        ("On 18 April 1521, Martin Luther appeared before the Diet of Worms.",
         "When did Martin Luther appear before the Diet of Worms?", "On 18 April 1521"),
        ("The annual exhibition of the Science Museum was held in Berlin.",
         "Where was the annual exhibition of the Science Museum held?", "in Berlin"),
        # Numbers, objects, names, agents
        ("The Fresno Traction Company operated 47 streetcars over 49 miles of track.",
         "How many streetcars did the Fresno Traction Company operate over 49 miles of track?", "47"),
        ("In 1262, Li Tan instigated a revolt against Mongol rule.", "What did Li Tan instigate in 1262?",
         "a revolt against Mongol rule"),
        ("The launch center at Cape Canaveral was designed by Kurt Debus.",
         "By whom was the launch center at Cape Canaveral designed?", "Kurt Debus"),
        # Subjects
        ("David Booth donated $300 million to the University of Chicago.",
         "Who donated $300 million to the University of Chicago?", "David Booth"),
        ("The largest independent school in Newcastle is Heaton Academy.",
         "What is the largest independent school in Newcastle?", "Heaton Academy"),
        # Reasons
        ("The second invasion of Japan failed because of a typhoon.", "Why did the second invasion of Japan fail?",
         "because of a typhoon"),
        # Joined and relative clauses are statements of their own
        ("Victoria became a colony in 1851 and achieved self-government in 1855.",
         "In what year did Victoria achieve self-government?", "1855"),
        ("The album was produced by Quincy Jones, who was born in Chicago in 1933.",
         "In what year was Quincy Jones born in Chicago?", "1933"),
        # Appositions
        ("Martin Luther, the founder of the Lutheran church, was born in Eisleben.",
         "Who is the founder of the Lutheran church?", "Martin Luther"),
    ],
)  # fmt: skip
def test_a_phrase_is_asked_for(sentence, question, answer):
    assert (question, answer) in questions(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "He was born in Berlin in 1933.",  # who?
        "No French troops were stationed in Canada in 1754.",
        "The two companies agreed to the deal on April 27, 1966.",  # which two?
        "The rights were granted to its white colonies in 1855.",  # whose?
        "It rained.",
        "Was the Fresno Theatre opened in 1926?",
        "The ferry does not run in Berlin in 1926.",
    ],
)
def test_what_points_elsewhere_or_denies_is_not_asked_about(sentence):
    assert questions(sentence) == []


def test_statements_are_the_main_one_the_joined_and_the_relative():
    sentence = "Kublai, who was born in 1215, won the war and founded a dynasty."
    found = {s.verb.text: (s.subject.text, s.front) for s in statements(sentence)}
    assert found == {"won": ("Kublai", "did"), "founded": ("Kublai", "did"), "born": ("Kublai", "was")}


def test_a_phrase_goes_without_what_stands_behind_a_comma_or_in_brackets():
    doc = english.read("The tower (built in 1990), which is tall, stands here.")
    (tower,) = [t for t in doc if t.text == "tower"]
    assert [t.text for t in needed(tower)] == ["The", "tower"]


def test_the_parser_must_be_there_and_the_tested_one(monkeypatch):
    monkeypatch.setattr(english, "SHA256", "0" * 64)
    with pytest.raises(QuestionError, match="not the one that was tested") as error:
        english._folder()
    assert "requirements.txt" in error.value.remedy
    monkeypatch.setattr(english, "PACKAGE", "no_such_package")
    with pytest.raises(QuestionError, match="not installed"):
        english._folder()
