"""Searcher: exact updates, stops, damage, other models, odd questions, filters and the order of what is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ragtune_ui.domain.errors import PassageError, Stopped
from ragtune_ui.domain.passages import Chunk, SearchSettings, Updated
from ragtune_ui.domain.ports import Progress
from ragtune_ui.engine import searcher as module
from ragtune_ui.engine import vectors
from ragtune_ui.engine.embedder import KeywordEmbedder
from ragtune_ui.engine.searcher import LanceSearcher, fused

FACTS = [
    ("winch.md", "The winch brake is tested every Monday before the first crossing."),
    ("winch.md", "The gearbox holds 38 litres of green oil. Part number XK-4711."),
    ("tide.md", "The tide clerk calls the water level every thirty minutes."),
    ("tide.md", "Flood boards are made of larch and fitted by the harbour cadets."),
    ("fire.md", "Foam is not used in the engine well, because foam ruins brake linings."),
]


class CountingEmbedder(KeywordEmbedder):
    """The real keyword embedder; remembers what it was asked for."""

    def __init__(self, fingerprint: str = "keyword-1-384") -> None:
        super().__init__()
        self.fingerprint = fingerprint
        self.seen: list[str] = []

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> list[list[float]]:
        vectors = super().embed(texts, progress)
        self.seen.extend(texts)
        return vectors


def chunk(n: int, document: str, text: str, heading: tuple[str, ...] = ("Rules",)) -> Chunk:
    return Chunk(f"{n:016x}", document, document, 1, heading, 100 * n, 100 * n + len(text), text, len(text.split()))


CHUNKS = [chunk(n, document, text) for n, (document, text) in enumerate(FACTS)]


def quiet(done: int, total: int, note: str) -> None:
    pass


def found(searcher: LanceSearcher, question: str, balance: float = 0.5, **options: object) -> list[str]:
    (passages,) = searcher.search([question], SearchSettings(5, balance), **options)  # type: ignore[arg-type]
    return [p.chunk.text for p in passages]


@pytest.fixture
def searcher(tmp_path: Path) -> LanceSearcher:
    made = LanceSearcher(tmp_path / "index.lance", CountingEmbedder())
    made.update(CHUNKS, quiet)
    return made


def test_no_index_finds_nothing_and_makes_no_folder(tmp_path: Path) -> None:
    searcher = LanceSearcher(tmp_path / "index.lance", KeywordEmbedder())
    assert searcher.count() == 0
    assert searcher.search(["a", "b"], SearchSettings()) == [[], []]
    assert list(tmp_path.iterdir()) == []


def test_finds_ranks_and_scores(searcher: LanceSearcher) -> None:
    questions = ["When is the brake of the winch tested?", "What are flood boards made of?", "XK-4711"]
    results = searcher.search(questions, SearchSettings(3, 0.5))
    assert [r[0].chunk for r in results] == [CHUNKS[0], CHUNKS[3], CHUNKS[1]]
    for passages in results:
        assert [p.rank for p in passages] == [1, 2, 3]
        assert [p.score for p in passages] == sorted((p.score for p in passages), reverse=True)
        assert all(0 <= value <= 1 for p in passages for value in (p.score, p.dense, p.lexical))
        assert all(p.score == pytest.approx((p.dense + p.lexical) / 2, abs=1e-6) for p in passages)
        assert passages[0].lexical == 1.0
    assert searcher.search([], SearchSettings()) == []


def test_balance_moves_between_words_and_meaning() -> None:
    dense, lexical = np.array([0.9, 0.1]), np.array([0.2, 1.0])
    assert list(fused(dense, lexical, 1.0)) == [0.9, 0.1]
    assert list(fused(dense, lexical, 0.0)) == [0.2, 1.0]
    assert fused(dense, lexical, 0.5) == pytest.approx([0.55, 0.55])


def test_update_embeds_only_what_is_new_and_forgets_what_is_gone(searcher: LanceSearcher) -> None:
    embedder = searcher._embedder
    assert isinstance(embedder, CountingEmbedder)
    embedder.seen.clear()
    searcher.update(CHUNKS, quiet)
    assert embedder.seen == []
    renamed = replace(CHUNKS[2], title="tides.md")
    fresh = chunk(9, "new.md", "Anchors are painted orange.")
    searcher.update([CHUNKS[0], renamed, fresh], quiet)
    assert sorted(embedder.seen) == sorted([module.worded(renamed), module.worded(fresh)])
    assert searcher.count() == 3
    assert found(searcher, "Which colour are anchors?")[0] == fresh.text
    (passages,) = searcher.search(["tide clerk water level"], SearchSettings())
    assert passages[0].chunk == renamed
    assert not any("larch" in text for text in found(searcher, "flood boards larch"))
    searcher.update([], quiet)
    assert searcher.count() == 0
    assert found(searcher, "winch") == []
    searcher.update(CHUNKS, quiet)
    assert searcher.count() == 5


def test_another_searcher_sees_the_update(searcher: LanceSearcher) -> None:
    other = LanceSearcher(searcher._shelf.place, KeywordEmbedder())
    assert other.count() == 5
    searcher.update([*CHUNKS, chunk(9, "new.md", "Anchors are painted orange.")], quiet)
    assert other.count() == 6
    assert found(other, "anchors orange")[0] == "Anchors are painted orange."


def test_another_searcher_sees_a_table_built_anew(tmp_path: Path) -> None:
    first = LanceSearcher(tmp_path / "index.lance", CountingEmbedder("one"))
    first.update(CHUNKS[:2], quiet)
    assert first.count() == 2
    other = LanceSearcher(tmp_path / "index.lance", CountingEmbedder("two"))
    other.update(CHUNKS[2:], quiet)
    assert first.count() == 3  # not the two it remembers, though both tables have the same version
    with pytest.raises(PassageError):
        first.search(["winch"], SearchSettings())


def test_a_search_goes_on_beside_an_update(searcher: LanceSearcher) -> None:
    seen: list[int] = []

    def look(done: int, total: int, note: str) -> None:
        seen.append(len(found(searcher, "winch brake")))

    searcher.update([*CHUNKS, chunk(9, "new.md", "Anchors are painted orange.")], look)
    assert seen and min(seen) == 5


def test_a_stop_keeps_what_was_embedded_and_the_next_update_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "SLICE", 2)
    monkeypatch.setattr(vectors, "SHORT", 16)
    embedder = CountingEmbedder()
    searcher = LanceSearcher(tmp_path / "index.lance", embedder)

    def stop_late(done: int, total: int, note: str) -> None:
        assert total == 5
        if done >= 4:
            raise Stopped("Stopped.")

    with pytest.raises(Stopped):
        searcher.update(CHUNKS, stop_late)
    kept = searcher.count()
    assert kept == 2
    assert found(searcher, "gearbox oil", balance=0.0)[0] == CHUNKS[1].text
    embedder.seen.clear()
    heard: list[tuple[int, int]] = []
    searcher.update(CHUNKS, lambda done, total, note: heard.append((done, total)))
    assert len(embedder.seen) == 5 - kept
    assert heard[0] == (0, 3) and heard[-1] == (3, 3)
    assert searcher.count() == 5


def test_another_model_is_told_and_rebuilt(searcher: LanceSearcher) -> None:
    other = LanceSearcher(searcher._shelf.place, CountingEmbedder("keyword-2-384"))
    with pytest.raises(PassageError) as caught:
        other.search(["winch"], SearchSettings())
    assert caught.value.remedy.startswith("Re-index")
    other.update(CHUNKS[:3], quiet)
    assert isinstance(other._embedder, CountingEmbedder) and len(other._embedder.seen) == 4 - 1
    assert found(other, "winch brake")[0] == CHUNKS[0].text
    with pytest.raises(PassageError):
        searcher.search(["winch"], SearchSettings())


@pytest.mark.parametrize("part", ["_versions", "data"])
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_torn_index_finds_nothing_and_is_rebuilt(searcher: LanceSearcher, part: str, harm: str) -> None:
    files = [f for f in (Path(searcher._shelf.place) / "passages.lance" / part).rglob("*") if f.is_file()]
    assert files
    for file in files:
        if harm == "gone":
            file.unlink()
        else:
            file.write_bytes(file.read_bytes()[:20])
    fresh = LanceSearcher(searcher._shelf.place, KeywordEmbedder())
    assert fresh.count() == 0
    assert fresh.search(["winch"], SearchSettings()) == [[]]
    fresh.update(CHUNKS, quiet)
    assert fresh.count() == 5
    assert found(fresh, "winch brake monday")[0] == CHUNKS[0].text


def test_documents_limit_what_is_found(searcher: LanceSearcher) -> None:
    only = found(searcher, "winch brake", documents=["tide.md", "fire.md", 'it\'s "odd"'])
    assert set(only) == {CHUNKS[2].text, CHUNKS[3].text, CHUNKS[4].text}
    assert only[0] == CHUNKS[4].text
    assert found(searcher, "winch", documents=[]) == []
    assert found(searcher, "winch", documents=["nobody"]) == []


@pytest.mark.parametrize(
    "question",
    ["", "   ", "***", '"', "a:b AND (", "\x00", "\ud800", "' OR 1=1 --", "the of and", "日本語 кабель", "🚢",
     "winch " * 5000, "x" * 100_000, "\\ / [ ] { } ^ ~ ? :", "NOT winch -brake +oil"],
)  # fmt: skip
def test_no_question_breaks_a_search(searcher: LanceSearcher, question: str) -> None:
    (passages,) = searcher.search([question], SearchSettings(4))
    assert len(passages) == 4


def test_headings_help_to_find(tmp_path: Path) -> None:
    searcher = LanceSearcher(tmp_path / "index.lance", KeywordEmbedder())
    under = chunk(1, "rules.md", "It is tested every Monday.", ("Rescue boat",))
    searcher.update([under, chunk(2, "rules.md", "It is tested every Sunday.", ("Fire pump",))], quiet)
    assert found(searcher, "When is the rescue boat tested?")[0] == under.text


def test_equal_scores_keep_reading_order(tmp_path: Path) -> None:
    searcher = LanceSearcher(tmp_path / "index.lance", KeywordEmbedder())
    same = [chunk(n, "a.md", "The same words.") for n in (4, 2, 7)]
    searcher.update(same, quiet)
    (passages,) = searcher.search(["same words"], SearchSettings())
    assert [p.chunk.start for p in passages] == [200, 400, 700]


# What an update does, in numbers ----------------------------------------------------------------


def test_adding_one_document_to_242_embeds_only_that_one(tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    searcher = LanceSearcher(tmp_path / "index.lance", embedder, tmp_path / "vectors")
    shelf_of = [chunk(n, f"d{n // 3}.md", f"Rule {n} of document {n // 3} of the handbook.") for n in range(242 * 3)]
    assert searcher.update(shelf_of, quiet) == Updated(726, 0, 0, 0)
    embedder.seen.clear()
    fresh = [chunk(1000 + n, "new.md", f"Anchor {n} is orange.") for n in range(4)]
    heard: list[tuple[int, int]] = []
    updated = searcher.update([*shelf_of, *fresh], lambda done, total, note: heard.append((done, total)))
    assert updated == Updated(4, 0, 726, 0) and len(embedder.seen) == 4
    assert heard[-1] == (4, 4) and max(total for _, total in heard) == 4
    assert updated.sentence == "4 read, 726 unchanged."


def test_cutting_anew_and_back_embeds_nothing_that_is_known(tmp_path: Path) -> None:
    embedder = CountingEmbedder()
    searcher = LanceSearcher(tmp_path / "index.lance", embedder, tmp_path / "vectors")
    searcher.update(CHUNKS, quiet)
    other = [replace(c, id=f"x{c.id}", text=f"{c.text} And more.") for c in CHUNKS]
    assert searcher.update(other, quiet) == Updated(5, 0, 0, 5)
    assert searcher.update(CHUNKS, quiet) == Updated(0, 5, 0, 5)
    assert found(searcher, "winch brake")[0] == CHUNKS[0].text
    fresh = LanceSearcher(tmp_path / "other.lance", embedder, tmp_path / "vectors")
    assert fresh.update([*CHUNKS, *other], quiet) == Updated(0, 10, 0, 0)
    assert Updated().sentence == "nothing to do."


def test_what_replaces_is_found_only_when_it_is_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searcher = LanceSearcher(tmp_path / "index.lance", CountingEmbedder())
    searcher.update(CHUNKS, quiet)
    other = [replace(c, id=f"x{c.id}", text=f"{c.text} And more.") for c in CHUNKS]
    during: list[str] = []

    def look(done: int, total: int, note: str) -> None:
        if note != "Ready":
            during.extend(found(searcher, "winch brake"))

    searcher.update(other, look)
    assert during and not any("And more" in text for text in during)
    assert all("And more" in text for text in found(searcher, "winch brake"))

    def stop(done: int, total: int, note: str) -> None:
        raise Stopped("Stopped.")

    with pytest.raises(Stopped):
        searcher.update([*CHUNKS[:2], chunk(77, "z.md", "Never seen.")], stop)
    assert searcher.count() == 5 and all("And more" in text for text in found(searcher, "winch brake"))


def test_one_question_and_many_get_the_same(searcher: LanceSearcher) -> None:
    questions = ["When is the brake of the winch tested?", "larch", "XK-4711", "", "foam in the engine well"] * 3
    together = searcher.search(questions, SearchSettings(3))
    alone = [searcher.search([q], SearchSettings(3))[0] for q in questions]
    assert [[p.chunk.id for p in some] for some in together] == [[p.chunk.id for p in some] for some in alone]
    for some, one in zip(together, alone, strict=True):
        assert [p.score for p in some] == pytest.approx([p.score for p in one], abs=1e-5)


def test_the_map_lays_like_near_like(tmp_path: Path) -> None:
    searcher = LanceSearcher(tmp_path / "index.lance", KeywordEmbedder())
    assert searcher.plane() == {}
    winch = [chunk(n, "w.md", f"The winch brake and the winch drum, part {n}.") for n in range(6)]
    tide = [chunk(10 + n, "t.md", f"The tide clerk reads the tide table, line {n}.") for n in range(6)]
    searcher.update([*winch, *tide], quiet)
    places = searcher.plane()
    assert set(places) == {c.id for c in (*winch, *tide)}
    assert all(-1 <= v <= 1 for place in places.values() for v in place)
    side = [places[c.id][0] > 0 for c in (*winch, *tide)]
    assert len(set(side[:6])) == len(set(side[6:])) == 1 and side[0] != side[6]
    assert searcher.plane() == places
