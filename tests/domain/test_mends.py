"""Mends: changes of passages survive other cuts, other readings and each other, and can be taken back alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ragtune_ui.domain.mends import Mend, Patch, changes, located, mended, of_document, patched, patches
from ragtune_ui.domain.passages import Chunk
from tests.domain.makers import document

TEXT = (
    "# Wind\n\nLifting stops at 14 m/s at the mast head. The foreman decides alone.\n\n"
    "Grease the slewing ring every 250 hours. Note it in the green book."
)


def cut(*spans: tuple[int, int], text: str = TEXT) -> list[Chunk]:
    return [Chunk(f"c{a}-{b}", "d1", "a.md", 1, (), a, b, text[a:b], 9) for a, b in spans]


def edit(old: str, new: str, text: str = TEXT, id: str = "m1") -> Mend:
    at = text.index(old)
    return Mend(id, "edit", "d1", "a.md", at, at + len(old), old, new)


def words(texts) -> list[int]:
    return [len(t.split()) for t in texts]


WIND = TEXT[TEXT.index("Lifting") : TEXT.index("\n\nGrease")]
GREASE = TEXT[TEXT.index("Grease") :]
SPAN = (TEXT.index("Lifting"), TEXT.index("Lifting") + len(WIND))
REST = (TEXT.index("Grease"), len(TEXT))


def test_changes_are_words_and_white_space_is_none() -> None:
    assert changes("at 14 m/s now", "at  20\nm/s now") == [Patch(3, 5, "20")]
    assert changes("one two", "one two three") == [Patch(7, 7, " three")]
    assert changes("one two three", "one three") == [Patch(4, 8, "")]
    assert changes("same", "same") == []


def test_an_edit_changes_words_whatever_the_cut() -> None:
    mends = [edit(WIND, WIND.replace("14 m/s", "20 m/s"))]
    whole = mended(cut(SPAN, REST), mends, TEXT, words)
    assert whole[0].text == WIND.replace("14", "20") and whole[0].mended and whole[0].tokens == len(WIND.split())
    assert (whole[0].start, whole[0].end) == SPAN and whole[1] == cut(REST)[0]
    assert whole[0].id != cut(SPAN)[0].id
    middle = TEXT.index("The foreman")
    parts = mended(cut((SPAN[0], middle), (middle, SPAN[1])), mends, TEXT, words)
    assert parts[0].text.startswith("Lifting stops at 20 m/s") and not parts[1].mended
    one = mended(cut((0, len(TEXT))), mends, TEXT, words)
    assert "20 m/s" in one[0].text and "14" not in one[0].text and "250 hours" in one[0].text


def test_a_cut_through_a_change_puts_new_words_where_the_old_began() -> None:
    mends = [edit("at the mast head", "in any blow")]
    at = TEXT.index("mast")
    first, second = mended(cut((SPAN[0], at), (at, SPAN[1])), mends, TEXT, words)
    assert first.text == "Lifting stops at 14 m/s in any blow"
    assert second.text == ". The foreman decides alone."


def test_left_out_text_is_in_no_passage() -> None:
    out = Mend("m1", "out", "d1", "a.md", *SPAN, WIND)
    assert [c.text for c in mended(cut(SPAN, REST), [out], TEXT, words)] == [GREASE]
    (whole,) = mended(cut((0, len(TEXT))), [out], TEXT, words)
    assert "Lifting" not in whole.text and "Grease" in whole.text


def test_joined_passages_are_one_and_stay_one_when_cut_otherwise() -> None:
    join = Mend("m1", "join", "d1", "a.md", SPAN[0], REST[1], TEXT[SPAN[0] : REST[1]])
    (one,) = mended(cut(SPAN, REST), [join], TEXT, words)
    assert one.text == TEXT[SPAN[0] :] and one.mended and (one.start, one.end) == (SPAN[0], REST[1])
    middle = TEXT.index("The foreman")
    (three,) = mended(cut((SPAN[0], middle), (middle, SPAN[1]), REST), [join], TEXT, words)
    assert three.text == TEXT[SPAN[0] :]
    head = cut((0, 6))[0]
    assert mended([head, *cut(SPAN, REST)], [join], TEXT, words)[0] == head


def test_a_join_keeps_the_mended_words_of_its_parts() -> None:
    join = Mend("m2", "join", "d1", "a.md", SPAN[0], REST[1], TEXT[SPAN[0] : REST[1]])
    (one,) = mended(cut(SPAN, REST), [edit(WIND, WIND.replace("14", "20")), join], TEXT, words)
    assert "20 m/s" in one.text and "250 hours" in one.text


def test_a_later_change_wins_and_undo_gives_the_earlier_back() -> None:
    first = edit(WIND, WIND.replace("14", "20"))
    second = edit(WIND, WIND.replace("14", "20").replace("alone", "with the clerk"), id="m2")
    read = lambda mends: mended(cut(SPAN), mends, TEXT, words)[0].text
    assert "20 m/s" in read([first, second]) and "with the clerk" in read([first, second])
    assert "20 m/s" in read([first]) and "alone" in read([first])
    assert mended(cut(SPAN), [], TEXT, words) == cut(SPAN)


def test_a_quote_is_found_where_it_moved_to() -> None:
    mend = edit(WIND, WIND.replace("14", "20"))
    moved = f"A new first page.\n\n{TEXT}"
    assert located(mend, TEXT) == SPAN
    assert located(mend, moved) == (SPAN[0] + 19, SPAN[1] + 19)
    twice = f"{WIND}\n\n{moved}"
    assert located(mend, twice) == (0, len(WIND)) or located(mend, twice) is not None
    spaced = TEXT.replace("Lifting stops", "Lifting\nstops")
    assert located(mend, spaced) is not None
    assert "20 m/s" in mended(cut((0, len(spaced)), text=spaced), [mend], spaced, words)[0].text
    assert located(mend, "Nothing of it.") is None


def test_of_two_like_quotes_the_nearer_is_meant() -> None:
    text = "Stop at once. " * 3
    mend = Mend("m1", "out", "d1", "a.md", 27, 40, "Stop at once.")
    assert located(mend, text) == (28, 41)


def test_a_passage_rewritten_in_part_keeps_the_change() -> None:
    mend = edit(WIND, WIND.replace("14 m/s", "20 m/s"))
    rewritten = TEXT.replace("The foreman decides alone.", "The foreman and the clerk decide.")
    (one,) = mended(cut((0, len(rewritten)), text=rewritten), [mend], rewritten, words)
    assert "20 m/s" in one.text and "the clerk decide" in one.text
    assert patches([mend], rewritten)[1] == []


@pytest.mark.parametrize("kind", ["edit", "out", "join"])
def test_a_mend_whose_words_are_gone_is_named_and_changes_nothing(kind: str) -> None:
    text = "Another text altogether, about the tide and its tables."
    mend = replace(edit(WIND, WIND.replace("14", "20")), kind=kind)
    made, lost = patches([mend], text)
    assert (made, lost) == ([], ["m1"])
    assert mended(cut((0, len(text)), text=text), [mend], text, words) == cut((0, len(text)), text=text)


def test_words_around_must_agree_on_both_sides() -> None:
    mend = edit(WIND, WIND.replace("14 m/s", "20 m/s"))
    assert patches([mend], "# Wind\n\nLifting stops at 14 knots in the bay only. All else is new.")[1] == ["m1"]
    added = edit("The foreman decides alone.", "The foreman decides alone, at once.")
    assert patches([added], "The foreman decides. All else is new.")[1] == ["m1"]
    far = edit(WIND, WIND.replace("14", "20"))
    assert patches([far], "Lifting stops at some wind, which was 14 m/s in the past.")[1] == ["m1"]


def test_a_mend_belongs_to_its_file_and_the_next_version_of_it() -> None:
    mend = edit(WIND, "x")
    assert of_document([mend], document("d1")) == [mend]
    assert of_document([mend], replace(document("d9"), name="a.md")) == [mend]
    assert of_document([mend], replace(document("d9"), name="b.md")) == []
    # A namesake beside the mended document has words of its own.
    assert of_document([mend], replace(document("d9"), name="a.md"), {"d1", "d9"}) == []
    assert of_document([mend], document("d1"), {"d1", "d9"}) == [mend]


def test_patched_leaves_what_lies_outside() -> None:
    assert patched("abc def", [Patch(0, 3, "X"), Patch(4, 7, "Y")], 4, 7) == "Y"
    assert patched("abc def", [Patch(4, 4, "new ")], 4, 7) == "new def"
