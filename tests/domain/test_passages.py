"""Passages: spans, stems, marks and places."""

import pytest

from ragtune_ui.domain.passages import (
    Updated,
    covering,
    find_span,
    find_spans,
    marks,
    overlaps,
    place_of,
    readable,
    root,
    sentence_around,
    shared,
    stem,
)
from tests.domain.makers import chunk, document


def marked(question, text):
    return [text[a:b] for a, b in marks(question, text)]


def test_overlap_needs_a_shared_character_and_the_same_document():
    c = chunk("c", "0123456789", "d", 10)
    assert overlaps(c, "d", 19, 30) and overlaps(c, "d", 0, 11)
    assert not overlaps(c, "d", 20, 30) and not overlaps(c, "d", 0, 10)
    assert not overlaps(c, "other", 12, 14)


def test_covering_prefers_whole_and_falls_back_on_pieces():
    left, both, right = chunk("l", "x" * 10, "d", 0), chunk("b", "x" * 20, "d", 5), chunk("r", "x" * 10, "d", 15)
    assert covering([left, both, right], "d", 8, 16) == [both]
    assert covering([left, right], "d", 8, 16) == [left, right]
    assert covering([left, right], "d", 10, 15) == []


@pytest.mark.parametrize(
    ("words", "root"),
    [
        (("lift", "lifts", "lifted", "lifting", "Liftings"), "lift"),
        (("battery", "batteries"), "battery"),
        (("carried", "carries"), "carry"),
        (("grease", "greased"), "greas"),
        (("slowly",), "slow"),
        (("is", "bed", "sing"), None),  # too short to lose an ending
    ],
)
def test_stems_meet(words, root):
    assert [stem(w) for w in words] == ([root] * len(words) if root else list(words))


def test_marks_find_inflected_words_and_nothing_longer():
    assert marked("How is the wind read?", "Wind, winds; the window is rewind.") == ["Wind", "winds"]
    assert marked("Who greases the pins?", "Pins are greased by Abel.") == ["Pins", "greased"]


def test_marks_pass_over_small_words():
    assert marks("What is it for?", "What it is for.") == []


@pytest.mark.parametrize(
    ("text", "wanted", "span"),
    [
        ("The ramp is wide.", "ramp is", (4, 11)),
        ("The ramp\n  is wide.", "ramp is", (4, 13)),
        ("The **ramp** is wide.", "ramp is", (6, 15)),
        ("> one\n> two", "one two", (2, 11)),
        ("The Ramp. The ramp.", "ramp", (14, 18)),  # exact case before any case
        ("The RAMP", "ramp", (4, 8)),
        ("Costs (12 %) more", "(12 %)", (6, 12)),
        ("nothing", "something", None),
        ("nothing", "  ", None),
    ],
)
def test_find_span(text, wanted, span):
    assert find_span(text, wanted) == span


@pytest.mark.parametrize(
    ("text", "wanted", "places"),
    [
        ("Edition 2015. 15, 5a and 5 sign.", "5", [25]),
        ("6.5 or 5.25 or 5,000 or 5:30, then 5.", "5", [35]),
        ("5, _5_ **5** (5) 5% -5", "5", [0, 4, 9, 14, 17, 21]),
        ("A notice: nothing is known. No.", "No", [28]),
        ("no, No", "No", [4, 0]),  # its own case first
        ("prewritten ten  minutes, ten minutesless", "ten minutes", [11]),
        ("Größe Übergröße", "größe", [0]),
        ("the end.a", ".a", [7]),  # begins with a mark: no telling
        ("(12 %)x", "(12 %)", [0]),
        ("重15吨，5名检查员，第5条", "5", [5, 12]),  # signs part nothing, digits do
        ("三名检查员必须签字", "检查员", [2]),
        ("ห้ามสูบบุหรี่", "สูบ", [4]),
        ("nothing", " ", []),
    ],
)
def test_an_answer_is_not_found_within_longer_words(text, wanted, places):
    assert [start for start, _ in find_spans(text, wanted, whole=True)] == places


def test_a_quote_may_be_cut_within_a_word():
    assert [*find_spans("prewritten", "written")] == [(3, 10)] and find_span("prewritten", "written") == (3, 10)
    assert [*find_spans("prewritten", "written", whole=True)] == []


def test_shared_counts_content_words_once_in_any_script():
    assert shared("How many inspectors must sign?", "Inspectors sign; an inspector signs what many must.") == 2
    assert shared("要几名检查员签字？", "五名检查员必须签字。") == 6
    assert shared("Why?", "What?") == 0


@pytest.mark.parametrize(
    ("text", "inside", "sentence"),
    [
        ("One is here. Two is there! Three?", "Two", "Two is there!"),
        ("One is 3.5 m long. Two.", "3.5", "One is 3.5 m long."),
        ("Head\n\n- First item\n- Second item\n", "Second", "Second item"),
        ("Head.\n- First item.\n- Second item.\n", "Second", "Second item."),
        ("| a | b |\n| 1 | 2 |", "1", "1 | 2 |"),
        ("only words", "words", "only words"),
        ("Ends with it.", "it.", "Ends with it."),
        ("Head\n\n\n  * First. Second", "First", "First."),
        ("One.\nTwo", "One", "One."),
        ("\nTwo", "Two", "Two"),
        ("风速超过十米时停机。检查员签字！谁签？", "签字", "检查员签字！"),
        ("他说：「停机。」然后走了。", "停", "他说：「停机。」"),
        ("他说：「停机。」然后走了。", "走", "然后走了。"),
    ],
)
def test_sentence_around(text, inside, sentence):
    at = text.index(inside)
    start, end = sentence_around(text, at, at + len(inside))
    assert text[start:end] == sentence


def test_places_are_said_for_people():
    c = chunk("c", "x", page=3, heading=("Rules", "Wind limits"))
    assert c.place == "page 3 · Wind limits"
    assert chunk("c", "x").place == "page 1"
    assert place_of(document("fog"), 5, ("A", "B")) == "fog.md · page 1 · B"


def test_small_words_have_no_root():
    assert (root("What"), root("the"), root("Winches"), root("4711")) == ("", "", "winch", "4711")


def test_an_update_says_what_it_did():
    assert Updated(9, 3, 1309, 2).sentence == "9 read, 3 known from before, 1,309 unchanged, 2 removed."
    assert Updated().sentence == "nothing to do."


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("## Wind\n\nStop at 20 m/s.", "Wind\nStop at 20 m/s."),
        ('Ask for [Military Leave](#military-leave) or [EAP]({% page "/a/#b" %}).', "Ask for Military Leave or EAP."),
        ("See ![the crane](a.png) and [x](http://a.b/c_(d)).", "See the crane and x."),
        ("On **active duty**, 2 ** 3 and a*b*c.", "On active duty, 2 ** 3 and a*b*c."),
        ("f[x](y) and [1] and [a] (b)", "f[x](y) and [1] and [a] (b)"),
    ],
)
def test_what_a_reader_sees_has_no_marks_or_addresses(written: str, read: str) -> None:
    assert readable(written) == read
