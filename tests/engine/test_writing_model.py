"""Questions by a model: what is asked for, and that only what comes back survives."""

from itertools import pairwise

import pytest

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.passages import Chunk
from ragtune_ui.domain.questions import Question
from ragtune_ui.engine.writer import QuestionWriter
from ragtune_ui.engine.writing import model
from ragtune_ui.engine.writing.grammar import Vocabulary
from ragtune_ui.engine.writing.spans import spans

DOCUMENT = Document("d1", "rules.md", "rules", "markdown", "x", 1, 1, 1, (0,))
TEXT = (
    "In fog the mate posts a lookout on the Tharn bow within nine minutes.\n\n"
    "Every spring the crew paints the old hull with red lead at Orrelmouth.\n"
)


@pytest.mark.parametrize(
    ("sentence", "wanted"),
    [
        ("The pump of the dock runs at 2,900 rpm and stops at 85 °C.", {"2,900 rpm": "number", "85 °C": "number"}),
        ("The head office stands at 4 Capstan Row since 6 January 1911.", {"6 January 1911": "time"}),
        ("Last year the line was bought by the Orrelmouth Crossing Company.", {"Orrelmouth Crossing Company": "name"}),
        ("A red tag is a numbered card that forbids a start.", {"a numbered card that forbids a start": "definition"}),
        ("The guard stops the belt because the sensor is blind in snow.", {"the sensor is blind in snow": "reason"}),
        (
            "Grease is pressed into the slewing ring with a hand pump.",
            {"the slewing ring": "thing", "a hand pump": "thing"},
        ),
    ],
)
def test_spans_are_what_people_ask_for(sentence, wanted):
    found = {s.answer: s.kind for s in spans(sentence, Vocabulary(sentence))}
    assert found.items() >= wanted.items(), found
    assert all(answer in sentence for answer in found)


def test_a_candidate_is_shown_between_its_neighbours():
    text = "The crew is ready. The mate posts a lookout within nine minutes. The bell rings. All sleep.\n"
    whole = [Chunk("c", "d1", "rules.md", 1, (), 0, len(text), text, 0)]
    (found,) = [c for c in model.candidates(DOCUMENT, text, whole) if "nine minutes" in c.evidence]
    assert found.context == "The crew is ready. The mate posts a lookout within nine minutes. The bell rings."


def test_spans_leave_out_words_that_point_elsewhere():
    found = {s.answer for s in spans("With it the crew ties them to that, and she waits.", Vocabulary(""))}
    assert not found


class Parrot:
    """A model with prepared words: it asks ``questions`` by answer, and answers ``answers`` by question."""

    def __init__(self, questions, answers):
        self.questions, self.answers, self.seen = questions, answers, []

    def answer(self, prompts, side, limit, progress):
        assert side == "base"
        said = []
        for done, prompt in enumerate(prompts):
            progress(done, len(prompts), "")
            text = prompt[-1].content
            self.seen.append(text)
            wanted = text.rpartition("whose answer is: ")[2] if "whose answer is: " in text else ""
            asked = text.rpartition("Question: ")[2]
            said.append(self.questions.get(wanted, "hm") if wanted else self.answers.get(asked, "no idea"))
        return said


def chunks():
    cut = TEXT.index("\n\n") + 2
    return [
        Chunk("c1", "d1", "rules.md", 1, (), 0, cut, TEXT[:cut], 0),
        Chunk("c2", "d1", "rules.md", 1, (), cut, len(TEXT), TEXT[cut:], 0),
    ]


def written(parrot, wanted=5, asked=()):
    seen = []
    found = QuestionWriter().ask(
        DOCUMENT, TEXT, chunks(), asked, parrot, wanted, lambda done, total, note: seen.append((done, total))
    )
    return list(found), seen


GOOD = "M: when does the crew paint the hull at Orrelmouth?"


def test_only_what_comes_back_survives():
    answers = {c.answer for c in model.candidates(DOCUMENT, TEXT, chunks())}
    assert "Every spring" in answers
    parrot = Parrot({a: f"M: what about the {n} hull of the dock ({a})?" for n, a in enumerate(answers)}, {})
    parrot.questions["Every spring"] = f"{GOOD[:1].lower()}{GOOD[1:]} And then?"
    parrot.answers = {GOOD: "every spring, they say"}
    kept, seen = written(parrot)
    assert [(q.question, q.answer, q.status, q.who) for q in kept] == [(GOOD, "Every spring", "proposed", "written")]
    assert TEXT[kept[0].start : kept[0].end] == kept[0].evidence and kept[0].answer in kept[0].evidence
    assert seen[0][0] == 0 and all(a / n <= b / m for (a, n), (b, m) in pairwise(seen))
    (asked,) = [text for text in parrot.seen if text.endswith("is: Every spring")]
    assert asked.startswith("Write a question whose answer is: Every spring\n\n[1] rules: Every spring the crew")
    assert "lookout" not in asked  # another passage


def test_what_rules_made_of_a_sentence_must_come_back_and_what_the_form_gave_need_not():
    text = "The ramp of Orrelmouth is 6.4 metres wide. The gate of Orrelmouth is 2.1 metres high.\n\n"
    text += "Q: How long is the crossing?\n\nA: The crossing takes nine minutes at slack water.\n"
    whole = [Chunk("c", "d1", "rules.md", 1, (), 0, len(text), text, 0)]
    every = {q.question for q in QuestionWriter().write(DOCUMENT, text, whole)}
    wide, high, given = (
        "How wide is the ramp of Orrelmouth?",
        "How high is the gate of Orrelmouth?",
        "How long is the crossing?",
    )
    assert every >= {wide, high, given}
    parrot, seen = Parrot({}, {wide: "about 6.4 metres", high: "6.4 metres"}), []
    tell = lambda done, total, note: seen.append(done)
    proven = {q.question for q in QuestionWriter().write(DOCUMENT, text, whole, (), parrot, tell)}
    assert wide in proven and given in proven and high not in proven and seen
    assert not any(text.endswith(f"Question: {given}") for text in parrot.seen)


def test_the_model_is_not_asked_where_enough_is_there():
    parrot = Parrot({}, {})
    assert written(parrot, wanted=0)[0] == [] and parrot.seen == []


def test_sentences_that_were_asked_about_are_left_alone():
    (spring,) = [c for c in model.candidates(DOCUMENT, TEXT, chunks()) if c.answer == "Every spring"]
    before = Question("q", "When?", "Every spring", "x", "d1", spring.start, spring.end)
    parrot = Parrot({"Every spring": GOOD}, {GOOD: "every spring"})
    assert written(parrot, asked=[before])[0] == []


@pytest.mark.parametrize(
    ("back", "answer", "same"),
    [("nine minutes", "within nine minutes", True), ("the nine minutes.", "nine minutes", True), ("", "nine", False),
     ("ten hours", "nine minutes", False), ("nine", "ninety", False),
     ("6.4 metres", "2.1 metres", False), ("in 1855", "1855", True)],
)  # fmt: skip
def test_agreement_is_by_words(back, answer, same):
    assert model.agrees(back, answer) is same
