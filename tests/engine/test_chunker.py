"""Chunker: exact spans, headings, pages, sizes, and the same ids every time."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from ragtune_ui.domain.documents import Document, Page, Parsed
from ragtune_ui.domain.errors import PassageError
from ragtune_ui.domain.passages import Chunk, ChunkSettings
from ragtune_ui.engine.chunker import PassageChunker
from ragtune_ui.engine.embedder import built_in_folder

SETTINGS = ChunkSettings(size=48, overlap=8)


@pytest.fixture(scope="module")
def chunker() -> PassageChunker:
    folder = built_in_folder()
    assert folder is not None
    return PassageChunker(folder / "tokenizer.json")


def document(*pages: str, name: str = "winch-rules.md") -> tuple[Document, str]:
    parsed = Parsed("Winch", tuple(Page(n, text) for n, text in enumerate(pages, start=1)))
    made = Document("d1", name, "Winch", "markdown", "0" * 64, 1, len(pages), 1, parsed.page_starts)
    return made, parsed.text


def cut(chunker: PassageChunker, *pages: str, settings: ChunkSettings = SETTINGS) -> list[Chunk]:
    made, text = document(*pages)
    chunks = chunker.cut(made, text, settings)
    assert all(text[c.start : c.end] == c.text == c.text.strip() for c in chunks)
    assert [c.start for c in chunks] == sorted(c.start for c in chunks)
    assert all(c.page == made.page_at(c.end - 1) for c in chunks)  # none crosses a page
    return chunks


def sentences(count: int, seed: int = 1) -> str:
    text = "winch cable brake drum motor 84 kN Öl naïve 🚢 level ferry tide crane oil, lamp; grease"
    words = text.split()
    draw = random.Random(seed)
    return " ".join(" ".join(draw.choices(words, k=9)).capitalize() + "." for _ in range(count))


def test_each_section_is_a_passage_under_its_headings(chunker: PassageChunker) -> None:
    chunks = cut(
        chunker,
        f"# Winch\n\n## Brakes\n\n{sentences(2)}\n\n"
        f"### Testing [rules](x.md)\n\n{sentences(2, 2)}\n\n## *Oil* ##\n\n{sentences(2, 3)}",
    )
    assert [c.heading for c in chunks] == [
        ("Winch", "Brakes"),
        ("Winch", "Brakes", "Testing rules"),
        ("Winch", "Oil"),
    ]
    assert chunks[0].text.startswith("# Winch\n\n## Brakes\n\n")  # a bare heading leads what follows it
    assert chunks[1].text.startswith("### Testing")
    assert {c.title for c in chunks} == {"winch-rules.md"}


def test_headings_carry_over_pages_and_pages_are_true(chunker: PassageChunker) -> None:
    chunks = cut(chunker, f"# Winch\n\n{sentences(2)}", "", f"{sentences(2, 2)}\n\n## Oil\n\n{sentences(2, 3)}")
    assert [(c.page, c.heading) for c in chunks] == [(1, ("Winch",)), (3, ("Winch",)), (3, ("Winch", "Oil"))]


def test_no_passage_is_longer_than_asked_and_no_word_is_lost(chunker: PassageChunker) -> None:
    text = f"# Winch\n\n{sentences(40)}\n\n## Table\n\n| a | b |\n|---|---|\n" + "".join(
        f"| row {n} | {sentences(1, n)} |\n" for n in range(20)
    )
    chunks = cut(chunker, text)
    assert max(c.tokens for c in chunks) <= SETTINGS.size
    covered = set().union(*(range(c.start, c.end) for c in chunks))
    lost = "".join(letter for n, letter in enumerate(text) if letter.isalnum() and n not in covered)
    assert lost in ("", "Table")  # a heading may stay in the path alone where its table leaves no room
    assert chunks[-1].heading == ("Winch", "Table")
    # The count is the tokenizer's own.
    assert [len(chunker._tokenizer.encode(c.text, add_special_tokens=False)) for c in chunks] == [
        c.tokens for c in chunks
    ]


def test_overlap_repeats_the_end_of_the_passage_before(chunker: PassageChunker) -> None:
    def shared(chunks: list[Chunk]) -> int:
        return sum(max(0, a.end - b.start) for a, b in pairwise(chunks))

    text = sentences(60)
    assert shared(cut(chunker, text, settings=ChunkSettings(48, 0))) == 0
    assert shared(cut(chunker, text, settings=ChunkSettings(48, 20))) > 100


def test_pieces_of_a_long_section_are_even(chunker: PassageChunker) -> None:
    chunks = cut(chunker, f"# Winch\n\n{sentences(7)}", settings=ChunkSettings(80, 0))
    assert len(chunks) == 2
    assert min(c.tokens for c in chunks) >= 30


def test_headings_without_words_are_no_passages(chunker: PassageChunker) -> None:
    chunks = cut(chunker, f"# Winch\n\n{sentences(3)}\n\n## Later\n\n### Much later\n")
    assert len(chunks) == 1
    assert cut(chunker, "# Only a heading\n\n## And another") != []  # better than a document without passages
    assert cut(chunker, "") == []


def test_tiny_sections_join_their_neighbour(chunker: PassageChunker) -> None:
    chunks = cut(chunker, f"# Winch\n\n{sentences(2)}\n\n## Contact\n\nAsk Ada Lume.")
    assert len(chunks) == 1
    assert chunks[0].text.endswith("Ask Ada Lume.")


def test_marks_in_code_blocks_are_no_headings(chunker: PassageChunker) -> None:
    chunks = cut(
        chunker, f"# Real\n\n{sentences(1)}\n\n```sh\n# not a heading\nrun the winch test now\n```\n\nEnd of it."
    )
    assert {c.heading for c in chunks} == {("Real",)}


def test_underlined_headings_count_and_rules_do_not(chunker: PassageChunker) -> None:
    chunks = cut(
        chunker, f"Winch\n=====\n\n{sentences(3)}\n\n---\n\n{sentences(3, 2)}\n\nOil\n---\n\n{sentences(3, 3)}"
    )
    assert [c.heading for c in chunks][:1] == [("Winch",)]
    assert [c.heading for c in chunks][-1:] == [("Winch", "Oil")]
    assert {c.heading for c in chunks} == {("Winch",), ("Winch", "Oil")}


def test_ids_are_the_same_again_and_differ_by_document(chunker: PassageChunker) -> None:
    made, text = document(f"# Winch\n\n{sentences(30)}")
    first = chunker.cut(made, text, SETTINGS)
    folder = built_in_folder()
    assert folder is not None
    assert PassageChunker(folder / "tokenizer.json").cut(made, text, SETTINGS) == first
    assert len({c.id for c in first}) == len(first)
    assert all(len(c.id) == 16 for c in first)


def test_works_without_a_tokenizer_file() -> None:
    chunks = cut(PassageChunker(None), f"# Winch\n\n{sentences(30)}")
    assert len(chunks) > 3
    assert max(c.tokens for c in chunks) <= SETTINGS.size


@pytest.mark.parametrize("settings", [ChunkSettings(8, 0), ChunkSettings(100, 60), ChunkSettings(100, -1)])
def test_settings_without_room_are_refused(chunker: PassageChunker, settings: ChunkSettings) -> None:
    with pytest.raises(PassageError) as caught:
        cut(chunker, "Words", settings=settings)
    assert caught.value.remedy.startswith("Choose")
