"""The verdict: each decision can be reached, and says why."""

from dataclasses import replace

import pytest

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.scores import Interval, Outcome
from ragtune_ui.domain.verdicts import CELLS, Check, _misses, _say, judge, judge_reply, reach, signed
from tests.domain.makers import asked, library, question

CONTRACT = Contract()
REFUSAL = CONTRACT.refusal


def reply_to(n, reply, passages):
    return judge_reply(asked()[n], reply, [library()[p] for p in passages], CONTRACT)


def test_a_right_answer_with_its_passage():
    o = reply_to(0, "18 tonnes [2]", [3, 0])
    assert (o.em, o.f1, o.cited, o.cited_right, o.oracles, o.found) == (1.0, 1.0, 1, 1, 1, True)
    assert (o.question, o.document, o.answer, o.refused) == (asked()[0].id, "ramps.md", "18 tonnes", False)


def test_numbers_of_no_passage_count_as_wrong_citations():
    o = reply_to(0, "about 18 tonnes [1][7]", [3, 0])
    assert (o.cited, o.cited_right, o.em) == (2, 0, 0.0)
    assert o.f1 == pytest.approx(0.8)  # 2 shared, 3 and 2 words: 4 / 5


def test_a_refusal_of_an_answerable_question_scores_0():
    o = reply_to(0, REFUSAL, [1, 2])
    assert (o.refused, o.em, o.f1, o.found, o.oracles) == (True, 0.0, 0.0, False, 0)


def test_closed_book_has_no_passages():
    o = reply_to(0, "18 tonnes [1]", [])
    assert (o.f1, o.cited, o.cited_right, o.found) == (1.0, 1, 0, False)


@pytest.mark.parametrize(("reply", "score"), [(REFUSAL, 1.0), ("The moon.", 0.0), ("", 0.0)])
def test_an_unanswerable_question_wants_a_refusal(reply, score):
    q = question("Who owns the moon?", "", answerable=False)
    o = judge_reply(q, reply, library()[:2], CONTRACT)
    assert (o.em, o.f1, o.document, o.answerable) == (score, score, q.id, False)


ASKED = [question(f"Q{n}?", "yes", document=f"d{n}", evidence="e", end=1) for n in range(20)] + [
    question(f"U{n}?", "", answerable=False) for n in range(4)
]


def cell(f1=1.0, refuse_unknown=True, refuse_known=0, found=True):
    """Outcomes to ``ASKED``: one score for the answerable; the first ``refuse_known`` of them are refused."""
    made = []
    for n, q in enumerate(ASKED):
        refused = n < refuse_known if q.answerable else refuse_unknown
        score = (0.0 if refused else f1) if q.answerable else float(refused)
        cited = 0 if refused else 1
        made.append(
            Outcome(q.id, q.document or q.id, q.answerable, "r", "r", refused, score, score, cited,
                    cited * q.answerable, 1, q.answerable and found)
        )  # fmt: skip
    return made


def verdict(base, tuned, leaked=0, n=24, hit=0.9, documents=20):
    closed, found = cell(0.0, refuse_unknown=False), {} if hit is None else {"hit@k": hit}
    cells = {"base": closed, "base_rag": base, "tuned": closed, "tuned_rag": tuned}
    cut = {
        name: [replace(o, document=f"d{i % documents}") if o.answerable else o for i, o in enumerate(outcomes[:n])]
        for name, outcomes in cells.items()
    }
    return judge("v", "r", ASKED[:n], cut, found, leaked, made="now", seconds=2.0)


def marks(v):
    return [c.mark for c in v.checks]


def test_use():
    v = verdict(cell(0.5, refuse_unknown=False), cell(1.0))
    assert v.decision == "use" and "It now admits when your documents are silent" in v.sentence
    # 20 questions from 0.5 to 1 and 4 from 0 to 1: 14 / 24 = 58 points.
    assert v.difference["f1"].mean == pytest.approx(100 * 14 / 24) and v.sentence.startswith("+58 points")
    assert marks(v) == ["good"] * 6
    assert set(v.cells) == set(CELLS) and v.n == 24 and v.misses == ()
    assert (v.id, v.run, v.made, v.seconds, v.retrieval) == ("v", "r", "now", 2.0, {"hit@k": 0.9})


def test_careful_where_a_check_is_red():
    leaked = verdict(cell(0.5), cell(1.0), leaked=3)
    assert leaked.decision == "careful" and "(3 of 24)" in leaked.sentence
    timid = verdict(cell(0.3), cell(1.0, refuse_known=3))  # 3 of 20 refused, over the bound of 10 %
    assert timid.decision == "careful" and "15 % wrongly refused" in timid.sentence
    bold = verdict(cell(0.3, refuse_unknown=False), cell(1.0, refuse_unknown=False))
    assert bold.decision == "careful" and "(0 % of 4)" in bold.sentence and "admits" not in bold.sentence
    astray = [replace(o, cited=2) if o.answerable else o for o in cell(1.0)]
    vague = verdict(cell(0.3), astray)
    assert vague.decision == "careful" and "(50 % right)" in vague.sentence


def test_without_an_unanswerable_question_silence_is_not_measured():
    v = verdict(cell(0.3), cell(1.0), n=20)
    assert v.checks[3].mark == "care" and "not measured" in v.checks[3].figure and v.decision == "use"
    for name in ("refusal_precision", "refusal_recall", "refusal_f1"):
        assert v.difference[name].n == 0 and all(v.cells[c][name].n == 0 for c in CELLS)


def test_what_could_not_be_measured_is_no_good_mark():
    """Where the search found nothing, none is wrongly refused: nobody knows. A search without a question that has a
    right passage is not at fault."""
    v = verdict(cell(0.3), cell(1.0, found=False))
    assert v.checks[2] == Check("care", v.checks[2].label, "not measured: search found no right passage")
    mute = [replace(o, cited=0) for o in cell(1.0)]
    assert verdict(cell(0.3), mute).checks[4] == Check("bad", "The passages it names prove the answer", "it names none")
    assert verdict(cell(0.3), cell(1.0), hit=None).checks[5].figure.startswith("not measured")


def test_fewer_wrong_refusals_are_no_admission():
    """Silent documents were admitted before, too: only the wrong refusals went, and refusal F1 rose by them."""
    v = verdict(cell(0.5, refuse_known=15), cell(1.0))
    assert v.decision == "use" and v.difference["refusal_f1"].low > 0
    assert v.difference["refusal_recall"].mean == 0 and "admits" not in v.sentence


def test_no_difference_and_its_checks():
    v = verdict(cell(0.5), cell(0.5), hit=0.5)
    assert v.decision == "no difference" and "includes zero" in v.sentence
    assert marks(v) == ["care", "good", "good", "good", "good", "care"]


def test_do_not_use():
    v = verdict(cell(1.0), cell(0.5))
    assert v.decision == "do not use" and "−42 points" in v.sentence  # 20 x 0.5 / 24
    assert v.checks[0].mark == "bad"


def test_not_enough():
    v = verdict(cell(0.0), cell(1.0), n=19)
    assert v.decision == "not enough" and v.sentence.startswith("19 held-back questions of at least 20")


def test_use_says_nothing_of_refusals_where_they_did_not_improve():
    gains = {"f1": Interval(9, 2, 16, 30), "refusal_recall": Interval(3, -2, 8, 30)}
    decision, _, sentence = _say(gains, [Check("care", "Search", "70 %")], 30, "for all")
    assert decision == "use" and sentence.endswith("between +2 and +16 for all.")


def test_the_sentence_says_what_the_range_holds_for():
    """Of five documents on, it is about other documents; below, only about other questions of the same ones."""
    many = verdict(cell(0.5), cell(1.0))
    assert (many.unit, many.documents) == ("document", 20) and "for other documents of this kind." in many.sentence
    few = verdict(cell(0.5), cell(1.0), documents=3)
    assert (few.unit, few.documents) == ("question", 3)
    assert few.sentence.startswith("+42 points of answer overlap (F1), 95 % sure between ")
    assert " for other questions about these 3 documents." in few.sentence
    chance = verdict(cell(0.5), cell(0.5))
    assert "for other documents of this kind: the range includes zero" in chance.sentence
    assert reach("question", 1) == "for other questions about this document"
    assert reach("question", 0) == "for other questions of this kind"


def test_each_cause_of_a_miss_is_named():
    wrong = cell(0.0, refuse_unknown=False)
    wrong[0] = replace(wrong[0], found=False)
    wrong[1] = replace(wrong[1], refused=True)
    wrong[3] = replace(wrong[3], f1=0.5)  # half right is no miss
    misses = verdict(cell(1.0), wrong).misses
    causes = [m.cause for m in misses]
    assert causes[:3] == [
        "the passage was not found",
        "found, but it said the documents are silent",
        "found, but not used well",
    ]
    assert causes[-1] == "answered although the documents are silent"
    assert len(misses) == 23 and misses[0].question == "Q0?" and all(m.remedy for m in misses)


def test_a_withheld_question_expects_a_refusal():
    """It keeps its answer, which its document says; asked without that document, the answer is wrong."""
    held = question("Who owns the moon?", "The baker.", answerable=False, kind="withheld", document="d")
    bare = question("Who owns the sun?", "The miller.", answerable=False)
    plain = question("Who owns the boat?", "The smith.", evidence="e", end=1)
    asked_ = [held, bare, plain]
    misses = _misses(asked_, [judge_reply(q, "Some cook.", library()[:2], CONTRACT) for q in asked_])
    assert [m.expected for m in misses] == ["", "", "The smith."]
    assert misses[0].cause == "answered although its document was left out"


@pytest.mark.parametrize(("points", "words"), [(12.4, "+12"), (-3.0, "−3"), (0.4, "0"), (-0.4, "0")])
def test_signed(points, words):
    assert signed(points) == words
