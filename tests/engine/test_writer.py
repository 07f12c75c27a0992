"""The pattern writer: sentences to the questions they answer, places in the text, and what is kept out."""

import re
from pathlib import Path

import pytest

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.passages import Chunk
from ragtune_ui.domain.questions import question_id
from ragtune_ui.engine.writer import A_CHUNK, A_KIND, QuestionWriter
from ragtune_ui.engine.writing.asking import Draft, shortened
from ragtune_ui.engine.writing.clauses import parse
from ragtune_ui.engine.writing.filters import sound
from ragtune_ui.engine.writing.grammar import Vocabulary, is_name, is_role, lowered, my_words
from ragtune_ui.engine.writing.prose import blocks, plain, sentences
from ragtune_ui.engine.writing.words import third

DOCUMENT = Document("d1", "rules.md", "rules", "markdown", "x", 1, 1, 1, (0,))
SOURCES = Path(__file__).parents[2] / "assets" / "sample" / "sources"


def cut(text, size=700):
    """Passages of about ``size`` characters, cut between paragraphs."""
    edges, start = [], 0
    for gap in [*(m.end() for m in re.finditer(r"\n\s*\n", text)), len(text)]:
        if gap - start > size or gap == len(text):
            edges.append((start, gap))
            start = gap
    return [Chunk(f"c{n}", "d1", "rules.md", 1, (), a, b, text[a:b], 0) for n, (a, b) in enumerate(edges)]


def write(text, chunks=None):
    return list(QuestionWriter().write(DOCUMENT, text, cut(text) if chunks is None else chunks))


def pairs(text):
    return [(q.question, q.answer) for q in write(text)]


@pytest.mark.parametrize(
    ("sentence", "question", "answer"),
    [
        # What things are
        ("A toe plate is the loose steel flap that covers the gap.", "What is a toe plate?",
         "the loose steel flap that covers the gap"),
        ("Slack water refers to the pause between two tides.", "What does slack water refer to?",
         "the pause between two tides"),
        ("The rescue boat of the ferry is named Sprat.", "What is the rescue boat of the ferry named?", "Sprat"),
        ("Each guard files a Lift Report Form (LRF) at dusk.", "What does LRF stand for?", "Lift Report Form"),
        ("The spare motor of the gate has the part code GA-3.", "What part code does the spare motor of the gate have?",
         "GA-3"),
        # A thing, though it looks like a name
        ("Clipper Card is the transit pass of the bay.", "What is Clipper Card?", "the transit pass of the bay"),
        # Numbers
        ("The Orrelmouth ramp is 6.4 metres wide.", "How wide is the Orrelmouth ramp?", "6.4 metres"),
        ("The gate arms run on 24 volts.", "On how many volts do the gate arms run?", "24 volts"),
        ("A vehicle on a boarding ramp may weigh at most 18 tonnes.",
         "How many tonnes may a vehicle on a boarding ramp weigh?", "at most 18 tonnes"),
        ("Hydraulic hoses on Heronjack are replaced after six years.",
         "After how many years are hydraulic hoses on Heronjack replaced?", "six years"),
        ("A season ticket costs $45 per year.", "How much does a season ticket cost per year?", "$45"),
        ("There are three types of ticket at the gate.", "How many types of ticket are there at the gate?", "three"),
        # Times
        ("The hinge pins of the ramps are greased every Thursday.", "When are the hinge pins of the ramps greased?",
         "every Thursday"),
        ("The cables of the ferry are checked every 14 days.", "How often are the cables of the ferry checked?",
         "every 14 days"),
        ("The drive winch was built in 2009.", "When was the drive winch built?", "in 2009"),
        ("All entries must be signed by 5 May.", "By when must all entries be signed?", "5 May"),
        ("In 2014, the Orrelmouth ramp was rebuilt.", "In what year was the Orrelmouth ramp rebuilt?", "2014"),
        ("The water-mist system runs for 18 minutes.", "For how long does the water-mist system run?", "18 minutes"),
        # People and places
        ("Lisbet Norrow leads the ramp crew at both banks.", "Who leads the ramp crew at both banks?", "Lisbet Norrow"),
        ("The strips on the ramps are renewed each March by Abel Crewdson.",
         "By whom are the strips on the ramps renewed each March?", "Abel Crewdson"),
        ("Corvin Estley, the company electrician, keeps the key.", "Who is the company electrician?", "Corvin Estley"),
        ("The slip master is responsible for the hauling chain.", "What is the slip master responsible for?",
         "the hauling chain"),
        ("The sacks of shell are kept in the locker under the stairs.", "Where are the sacks of shell kept?",
         "in the locker under the stairs"),
        # Reasons, means and conditions
        ("Loose weed is scraped off with a bronze hoe, because a steel blade cuts the paint.",
         "Why is loose weed scraped off with a bronze hoe?", "a steel blade cuts the paint"),
        ("The slinger wears a pink helmet so that the driver can pick the slinger out.",
         "Why does the slinger wear a pink helmet?", "so that the driver can pick the slinger out"),
        ("Thick fog is measured by counting white posts.", "How is thick fog measured?", "by counting white posts"),
        ("The ferry stops all crossings when the mean wind reaches 41 knots.",
         "When does the ferry stop all crossings?", "when the mean wind reaches 41 knots"),
        ("When the gate arm fails, a red rope is hung across the ramp.", "What happens when the gate arm fails?",
         "a red rope is hung across the ramp"),
        ("If you lose your badge, call the guard at the gate.", "What should I do if I lose my badge?",
         "call the guard at the gate"),
        ("To request a new badge, email the duty desk.", "How do I request a new badge?", "email the duty desk"),
    ],
)  # fmt: skip
def test_a_sentence_gives_its_question(sentence, question, answer):
    assert (question, answer) in pairs(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "It is a numbered card that hangs on the machine.",
        "This form must be signed by 5 May.",
        "They are kept in the locker.",
        "The form that is used for travel must be signed by 5 May 2020 or later.",  # whose "is"?
        "See the section above, which is kept in the office.",
        "The following steps are kept in the office.",
        "Is the ramp 6 metres wide?",
        "The log is signed on the last Friday of each.",
        "Adobe Reader provides forms to everyone.",
        "The meeting is held every week.",  # which meeting?
        "Running limits are important.",
    ],
)
def test_an_unclear_sentence_gives_nothing(sentence):
    assert pairs(sentence) == []


def test_a_heading_that_asks_is_answered_by_what_follows():
    text = "## Who may drive the crane?\n\nOnly trained staff may drive the crane.\n\n## Is it safe in fog?\n\nYes.\n"
    assert pairs(text) == [("Who may drive the crane?", "trained staff")]  # "it" points elsewhere
    text = "## Can I bring a dog on board?\n\nYes, on a lead. Cats are not allowed.\n"
    assert pairs(text) == [("Can I bring a dog on board?", "Yes")]
    assert write(text)[0].evidence == "Yes, on a lead."


def test_a_heading_to_do_is_answered_by_an_order_only():
    assert pairs("## Renew your pass\n\nFill in the blue card at the ticket hut before noon.\n") == [
        ("How do I renew my pass?", "Fill in the blue card at the ticket hut before noon")
    ]
    assert pairs("## Renew your pass\n\nPasses were once made of tin and lead in the old days.\n") == []
    assert pairs("## Work schedule\n\nFill in the blue card at the ticket hut before noon.\n") == []  # a noun


def test_question_and_answer_pairs_in_the_text():
    text = "Q: How long is the crossing?\n\nA: The crossing takes nine minutes at slack water.\n"
    assert ("How long is the crossing?", "The crossing takes nine minutes at slack water") in pairs(text)
    bold = "**Where can I buy a token?**\n\nTokens are sold in the hall beside the lane.\n"
    assert ("Where can I buy a token?", "Tokens are sold in the hall beside the lane") in pairs(bold)


def test_numbered_steps_and_key_lines():
    steps = "To restart the winch, follow these steps:\n\n1. Push the holding pin home.\n2. Ring twice.\n"
    (found,) = [q for q in write(steps) if q.question == "What is the first step to restart the winch?"]
    assert found.answer == "Push the holding pin home" and found.evidence == steps[: steps.index("\n2.")]
    assert ("What is the deadline for Autumn entries?", "5 May at noon") in pairs(
        "## Autumn entries\n\n- **Deadline:** 5 May at noon\n"
    )


def test_tables_ask_for_a_cell_by_its_row_and_column():
    text = "## Gates\n\n| Ramp | Arm length | Notes |\n|---|---|---|\n| North | 7.0 m | old |\n| South | n/a | - |\n"
    (found,) = write(text)
    assert found.question == 'Under "Gates", what is the arm length for the ramp "North"?'
    assert (found.answer, found.evidence) == ("7.0 m", "| North | 7.0 m | old |")
    turned = "| | Ferry | Crane |\n|---|---|---|\n| Top speed | 6 knots | 2 knots |\n"
    assert ('What is the top speed for "Crane"?', "2 knots") in pairs(turned)


def test_marks_are_left_out_of_the_words_and_kept_in_the_evidence():
    text = "Intro words.\n\n> The **rescue boat** of the [Lantern Maid](https://a.example/(y)) is\n> named `Sprat`.\n"
    (found,) = write(text)
    assert (found.question, found.answer) == ("What is the rescue boat of the Lantern Maid named?", "Sprat")
    assert found.evidence.startswith("The **rescue boat**") and found.evidence.endswith("`Sprat`.")


def test_code_front_matter_and_bare_html_are_not_read():
    hidden = "The pump is 6 metres wide.\n"
    text = f"---\ntitle: x\nabout: {hidden}---\n\n```\n{hidden}```\n\n<div>\n\n{{% {hidden[:-1]} %}}\n"
    assert pairs(text) == []
    assert pairs(f"{text}\n{hidden}") == [("How wide is the pump?", "6 metres")]


@pytest.mark.parametrize("source", sorted(SOURCES.glob("*.md")), ids=lambda p: p.stem)
def test_every_question_about_the_sample_is_proven_where_it_says(source):
    text = source.read_text(encoding="utf-8")
    chunks = cut(text)
    questions = write(text, chunks)
    assert len(questions) >= 6
    for q in questions:
        assert q.evidence == text[q.start : q.end]
        assert q.answer in " ".join(q.evidence.split())
        assert any(c.start <= q.start and q.end <= c.end for c in q.oracles(chunks))
        assert q.id == question_id(q.question, "d1") and q.document == "d1"
        assert (q.split, q.status, q.who, q.answerable) == ("train", "proposed", "written", True)
        assert 4 <= len(q.question.split()) <= 25 and 1 <= len(q.answer.split()) <= 14
        assert q.question.endswith("?") and q.answer.lower() not in q.question.lower()
    assert questions == write(text, chunks)


def test_a_passage_gives_few_questions_and_not_all_of_one_kind():
    text = " ".join(
        f"The {name} ramp is {n + 3} metres wide." for n, name in enumerate(("north", "south", "east", "west"))
    )
    assert len(write(text)) == A_KIND
    text += " The hinge pins are greased every Thursday. A ramp is a steel deck that floats."
    assert len(write(text)) == A_CHUNK


def test_the_surest_come_first_and_none_twice():
    text = (
        "A ramp is a steel deck that floats.\n\nThe north ramp is 6 metres wide.\n\nThe north ramp is 6 metres wide.\n"
    )
    assert [q.question for q in write(text)] == ["How wide is the north ramp?", "What is a ramp?"]


def test_no_passage_no_question():
    assert write("The north ramp is 6 metres wide.", []) == []
    assert write("") == []


EVIDENCE = "The hinge pins of the ramp are greased every Thursday at https://x.example [now] by them."


@pytest.mark.parametrize(
    ("question", "answer", "passes"),
    [
        ("When are the hinge pins greased?", "every Thursday", True),
        ("When are the hinge pins greased?", "every Friday", False),  # not in the evidence
        ("When are they greased each week?", "every Thursday", False),  # points elsewhere
        ("Are the hinge pins greased every Thursday?", "every Thursday", False),  # given away
        ("When are pins?", "every Thursday", False),  # too short
        (f"When are {'the hinge pins ' * 9} greased?", "every Thursday", False),  # too long
        ("Where are the hinge pins greased?", "at https://x.example", False),
        ("Where are the hinge pins greased?", "[now]", False),
        ("By whom are the hinge pins greased?", "them.", True),
        ("What is the process?", "every Thursday", False),  # which one?
        ("When are the hinge pins greased (all)?", "every Thursday", False),
    ],
)
def test_filters(question, answer, passes):
    assert sound(Draft(question, answer, "time", 1.0), EVIDENCE) is passes


def test_sentences_remember_where_they_stand():
    text = "# Head\n\nDr. Rudd came at 5 p.m. on Friday. It rained, e.g. in May.\n- One **two**. Three\n  four.\n"
    found = [(b.kind, [s.text for s in sentences(text, b)]) for b in blocks(text)]
    assert found == [
        ("heading", ["Head"]),
        ("paragraph", ["Dr. Rudd came at 5 p.m. on Friday.", "It rained, e.g. in May."]),
        ("item", ["One two.", "Three four."]),
    ]
    spans = [text[s.start : s.end] for b in blocks(text) for s in sentences(text, b)]
    assert spans[-2:] == ["One **two**.", "Three\n  four."]


def test_plain_maps_each_character():
    source = "a **b** [c d](http://x) ![p](q) <br> e_f"
    said, places = plain(source)
    assert said == "a b c d e_f"
    assert [source[p] for p in places] == list(said)


@pytest.mark.parametrize(
    ("text", "front", "subject", "verb"),
    [
        ("The ramp must be signed off today.", "must", "The ramp", "signed"),
        ("The drive winch carries two drums.", "does", "The drive winch", "carry"),
        ("The ramp crews keep a bale of straw.", "do", "The ramp crews", "keep"),
        ("The old ramp sank in a gale.", "did", "The old ramp", "sink"),
        ("The shore crew has taken the rope.", "has", "The shore crew", "taken"),
        ("The gauge cannot be read in fog.", "can", "The gauge", "read"),
    ],
)
def test_clauses(text, front, subject, verb):
    clause = parse(text)
    assert (clause.front, clause.subject, clause.verb) == (front, subject, verb)


@pytest.mark.parametrize(
    "text",
    ["Book your flight when you can see the fare.", "In fog a lookout is at the bow.", "Running limits are here.",
     "We’ll meet when pilots are there.", "Ring twice."],
)  # fmt: skip
def test_no_clause_where_the_grammar_is_unsure(text):
    assert parse(text) is None


def test_words():
    vocabulary = Vocabulary("The ferry met Heronjack. Weed grows. Then weed is cut by Concur.")
    firsts = {"Weed": "weed", "The ramp": "the ramp", "Burns": "burns"}
    firsts |= {name: name for name in ("Heronjack", "TTS staff", "Tharn Staithe ramp")}
    assert {phrase: lowered(phrase, vocabulary) for phrase in firsts} == firsts
    assert my_words("What should you do if you are late and your desk calls you?") == (
        "What should I do if I am late and my desk calls me?"
    )
    assert [third(b) for b in ("carry", "pass", "have", "lift", "pay")] == ["carries", "passes", "has", "lifts", "pays"]
    assert is_role("the ferry master on watch") and not is_role("the ferry on watch")
    assert is_name("Lisbet Norrow") and not is_name("Capstan Row") and not is_name("The Maid")


def test_a_long_answer_ends_before_its_clause():
    long = "a fixed rope of steel that keeps the ferry and her crew on the line and out of every harm"
    assert shortened(long) == "a fixed rope of steel"
    assert shortened("a rope, so that nobody falls") == "a rope"
    assert shortened("a short one") == "a short one"


def test_broken_text_breaks_nothing():
    for text in (
        "|",
        "| a |\n|",
        "**",
        "[](",
        "1. ",
        "Q: x?\n\nA:",
        "#",
        "To go:\n1. a\n2. b",
        "\x00 is a b.",
        "a" * 5000,
    ):
        write(text)
