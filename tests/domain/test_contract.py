"""The contract: one prompt form, and replies read back whatever their spacing and case."""

import pytest

from ragtune_ui.domain.contract import Answer, Contract
from tests.domain.makers import chunk

CONTRACT = Contract()


def test_messages_number_the_passages_in_the_given_order():
    shown = [chunk("b", "Wind  is\nmeasured.", title="fog-rules.md", heading=("Fog", "Wind")), chunk("a", "Ramps {x}.")]
    system, user = CONTRACT.messages("  How is wind measured? ", shown)
    assert (system.role, system.content) == ("system", CONTRACT.instruction)
    assert user.role == "user"
    assert user.content == (
        "Question: How is wind measured?\n\n[1] fog rules, Wind: Wind is measured.\n\n[2] d: Ramps {x}.\n\n"
        "Question: How is wind measured?"
    )


def test_an_adapter_of_version_1_is_asked_as_it_was_trained():
    _, user = Contract(version=1).messages("How is wind measured?", [chunk("a", "Ramps {x}.")])
    assert user.content == "[1] d: Ramps {x}.\n\nQuestion: How is wind measured?"


def test_closed_book_shows_the_question_alone():
    (only,) = CONTRACT.closed_book(" What is fog? ")
    assert (only.role, only.content) == ("user", "Question: What is fog?")


def test_the_instruction_quotes_the_refusal():
    assert CONTRACT.refusal in CONTRACT.instruction


@pytest.mark.parametrize(
    ("oracles", "target"),
    [([1], "18 tonnes [1]"), ([3, 1], "18 tonnes [1][3]"), ([], "18 tonnes")],
)
def test_target_names_its_passages_in_ascending_order(oracles, target):
    assert CONTRACT.target(" 18 tonnes ", oracles) == target


@pytest.mark.parametrize(
    ("reply", "text", "citations"),
    [
        ("18 tonnes [1]", "18 tonnes", (1,)),
        ("18 tonnes[1][3]", "18 tonnes", (1, 3)),
        ("  18\n tonnes .\n[ 2 ]\n[12] ", "18 tonnes", (2, 12)),
        ("18 TONNES [2] [2].", "18 TONNES", (2,)),
        ("[1] 18 tonnes", "18 tonnes", (1,)),
        ("18 tonnes", "18 tonnes", ()),
        ("", "", ()),
        ("[123] tonnes", "[123] tonnes", ()),  # three digits are no passage number
    ],
)
def test_read_takes_a_reply_apart(reply, text, citations):
    assert CONTRACT.read(reply) == Answer(text, citations, refused=False)


@pytest.mark.parametrize("answer", ["18 tonnes", "the cup vane, on the roof", "4 Capstan Row", "3.5"])
@pytest.mark.parametrize("oracles", [(1,), (2, 4)])
@pytest.mark.parametrize("form", ["{}", "  {}\n", "\n{}."])
def test_read_returns_what_target_wrote(answer, oracles, form):
    said = CONTRACT.read(form.format(CONTRACT.target(answer, oracles)))
    assert said == Answer(answer, oracles, refused=False)


@pytest.mark.parametrize(
    "reply",
    [
        "Your documents do not say.",
        "your documents DO NOT say",
        "Your documents don't say.",
        "Your documents don’t say.",
        "  Your\ndocuments  do not say. [1]",
        "Sorry, your documents do not say!",
    ],
)
def test_read_sees_a_refusal(reply):
    assert CONTRACT.read(reply).refused


@pytest.mark.parametrize("reply", ["", "[2]", "Documents say 18 tonnes.", "I do not know."])
def test_read_sees_no_refusal_where_there_is_none(reply):
    assert not CONTRACT.read(reply).refused


def test_several_numbers_in_one_bracket_are_citations_and_no_part_of_the_answer():
    read = Contract().read("Mondays at noon [1, 3].")
    assert (read.text, read.citations) == ("Mondays at noon", (1, 3))
