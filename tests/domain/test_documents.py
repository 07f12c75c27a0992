"""Documents: pages and offsets, kinds, and which documents are held back."""

import random
from dataclasses import replace

import pytest

from ragtune_ui.domain.documents import Page, Parsed, choose_held_back, kind_of
from tests.domain.makers import document


def test_page_starts_are_the_offsets_of_the_pages_in_the_joined_text():
    parsed = Parsed("t", (Page(1, "one"), Page(2, ""), Page(3, "three")))
    assert parsed.text == "one\n\n\n\nthree"
    assert parsed.page_starts == (0, 5, 7)  # 3 + 2, then 0 + 2
    assert [parsed.text[s:].startswith(p.text) for s, p in zip(parsed.page_starts, parsed.pages, strict=True)] == [
        True
    ] * 3


def test_page_at_counts_a_page_from_its_first_character():
    doc = replace(document("d"), page_starts=(0, 5, 7))
    assert [doc.page_at(n) for n in (0, 4, 5, 6, 7, 99)] == [1, 1, 2, 2, 3, 3]
    assert replace(doc, page_starts=()).page_at(10) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.PDF", "pdf"), ("b.tar.htm", "html"), ("c.markdown", "markdown"), ("d.exe", None), ("README", None)],
)
def test_kind_of_goes_by_the_ending(name, kind):
    assert kind_of(name) == kind


def test_ready_follows_the_status():
    assert document("d").ready
    assert not document("d", status="scanned").ready


def test_fewer_than_four_readable_documents_hold_nothing_back():
    three = [document(f"d{n}") for n in range(3)]
    assert choose_held_back(three) == []
    assert choose_held_back([*three, document("x", status="empty"), document("y", words=0)]) == []


def test_about_a_fifth_is_held_back_whatever_the_order():
    documents = [document(f"d{n:02}") for n in range(10)]
    chosen = choose_held_back(documents)
    assert chosen == ["d00", "d01"]  # 200 of 1,000 words, in the order of the digests
    random.Random(1).shuffle(documents)
    assert choose_held_back(documents) == chosen


def test_a_document_over_the_budget_is_passed_over():
    # 1,000 words in all, so 200 to hold back: "a" is too large, "b" and "d" fit, "c" would make it 300.
    documents = [document("a", 600), document("b", 150), document("c", 200), document("d", 50)]
    assert choose_held_back(documents) == ["b", "d"]


def test_where_every_document_is_over_the_budget_the_smallest_is_held_back():
    documents = [document("a", 900), document("b", 500), document("c", 400), document("d", 600)]
    assert choose_held_back(documents) == ["c"]  # a fifth of 2,400 is 480; "c" fits
    documents = [document("a", 260), document("b", 250), document("c", 240), document("d", 250)]
    assert choose_held_back(documents) == ["c"]  # a fifth of 1,000 is 200; none fits


def test_never_more_than_half_of_the_documents_are_held_back():
    documents = [document("z", 10_000), *(document(f"d{n}", 10) for n in range(5))]
    assert choose_held_back(documents) == ["d0", "d1", "d2"]  # 3 of 6, though 5 small ones fit in 2,010 words
