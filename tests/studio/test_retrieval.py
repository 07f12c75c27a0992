"""Passages desk: settings, search, judging, and figures worked by hand."""

from __future__ import annotations

import threading

import pytest

from ragtune_ui.domain.errors import Busy, PassageError
from ragtune_ui.domain.passages import ChunkSettings, SearchSettings
from ragtune_ui.studio import retrieval
from ragtune_ui.studio.retrieval import first_rank
from tests.studio.conftest import House, facts, wait_until

SETTINGS = (ChunkSettings(), SearchSettings())


@pytest.fixture
def small(house: House) -> House:
    house.add({"a.md": "# Red things\n\n" + facts(["red crane", "red winch", "red ferry", "blue crane"])})
    return house


def texts(house: House, question: str) -> list[str]:
    return [p.chunk.text for p in house.studio.retrieval.find(house.project, question).passages]


# settings -------------------------------------------------------------------------------------


def test_only_other_chunk_settings_make_passages_again(small: House) -> None:
    change, updates = small.studio.retrieval.change, small.fakes.updates
    assert change(small.project, ChunkSettings(), SearchSettings(number=2, balance=1.0)) is False
    assert small.project.choices().search == SearchSettings(2, 1.0) and small.fakes.updates == updates
    ids = {c.id for c in small.project.chunks()}
    assert change(small.project, ChunkSettings(80, 8), SearchSettings()) is True
    small.idle()
    assert small.fakes.updates == updates + 1 and small.project.jobs()[0].note == "4 passages are ready."
    assert small.project.choices().chunks == ChunkSettings(80, 8) and not ids & {c.id for c in small.project.chunks()}
    assert change(small.project, ChunkSettings(80, 8), SearchSettings()) is False


def test_settings_without_documents_start_nothing(house: House) -> None:
    assert house.studio.retrieval.change(house.project, ChunkSettings(80, 8), SearchSettings()) is False
    assert house.project.jobs() == [] and house.project.choices().chunks == ChunkSettings(80, 8)


@pytest.mark.parametrize(
    ("chunks", "search"),
    [
        (ChunkSettings(39, 0), SearchSettings()), (ChunkSettings(1001, 0), SearchSettings()),
        (ChunkSettings(100, 100), SearchSettings()), (ChunkSettings(100, -1), SearchSettings()),
        (ChunkSettings(), SearchSettings(0)), (ChunkSettings(), SearchSettings(21)),
        (ChunkSettings(), SearchSettings(4, 1.1)), (ChunkSettings(), SearchSettings(4, -0.1)),
    ],
)  # fmt: skip
def test_settings_out_of_range_are_refused(small: House, chunks: ChunkSettings, search: SearchSettings) -> None:
    with pytest.raises(PassageError) as caught:
        small.studio.retrieval.change(small.project, chunks, search)
    assert caught.value.remedy
    assert (small.project.choices().chunks, small.project.choices().search) == SETTINGS


def test_a_busy_bench_leaves_the_settings_as_they_are(small: House) -> None:
    gate = small.fakes.gate
    gate.clear()
    small.studio.jobs.start(small.project, "mix", "Composing", lambda task: str(gate.wait(10)))
    with pytest.raises(Busy):
        small.studio.retrieval.change(small.project, ChunkSettings(80, 8), SearchSettings())
    assert (small.project.choices().chunks, small.project.choices().search) == SETTINGS
    gate.set()
    small.idle()
    assert small.studio.retrieval.change(small.project, ChunkSettings(80, 8), SearchSettings()) is True


# searching ------------------------------------------------------------------------------------


def test_the_best_passage_stands_first(small: House) -> None:
    found = small.studio.retrieval.find(small.project, "  How much does the \n blue crane weigh? ")
    assert found.question == "How much does the blue crane weigh?" and found.seconds >= 0
    assert [p.rank for p in found.passages] == [1, 2, 3, 4]
    assert found.passages[0].chunk.text == "The blue crane weighs 13 tonnes."
    small.studio.retrieval.change(small.project, ChunkSettings(), SearchSettings(number=1))
    assert len(texts(small, "crane")) == 1


def test_nothing_asked_and_nothing_there_are_said(house: House) -> None:
    with pytest.raises(PassageError, match="Type a question"):
        house.studio.retrieval.find(house.project, " \n ")
    with pytest.raises(PassageError, match="no passages yet"):
        house.studio.retrieval.find(house.project, "Why?")


def test_a_search_during_indexing_gets_a_sentence_and_no_hang(small: House) -> None:
    small.fakes.gate.clear()
    small.studio.retrieval.start_index(small.project)
    wait_until(lambda: small.fakes.updates == 2)
    with pytest.raises(PassageError, match="being made"):
        small.studio.retrieval.find(small.project, "crane")
    small.fakes.gate.set()
    small.idle()
    assert texts(small, "blue crane")


def test_a_stopped_index_is_behind_and_made_good(small: House) -> None:
    small.fakes.gate.clear()
    id = small.studio.retrieval.start_index(small.project)
    wait_until(lambda: small.fakes.updates == 2)
    small.studio.jobs.stop(small.project, id)
    small.fakes.gate.set()
    assert small.wait(id).state == "stopped"
    assert small.studio.retrieval.behind(small.project)
    small.wait(small.studio.retrieval.start_index(small.project))
    assert not small.studio.retrieval.behind(small.project) and len(texts(small, "crane")) == 4


# judging --------------------------------------------------------------------------------------


def test_judging_is_kept_and_figures_are_right(small: House) -> None:
    # Each question shares "red" with three passages and one more word with its own, so that ranks are
    # known: of the fake's tie order (place in the text) "red ferry" alone stands behind two others.
    chunks = {c.text: c for c in small.project.chunks()}
    winch, ferry, blue = (
        chunks[f"The {t} tonnes."] for t in ("red winch weighs 11", "red ferry weighs 12", "blue crane weighs 13")
    )
    judge, tested = small.studio.retrieval.judge, small.studio.retrieval.tested
    assert tested(small.project) == retrieval.Tested(0)
    assert judge(small.project, "red winch?", winch.id, True).startswith("Kept. 1 questions test the search")
    assert "first five: 100%" in judge(small.project, "red?", ferry.id, True)  # rank 3 of 4
    judge(small.project, "red crane?", blue.id, True)  # shares one word with red winch, ferry and blue crane: rank 4
    judge(small.project, "no word", winch.id, False)  # a "not this" is no test
    found = tested(small.project)
    assert (found.questions, found.k) == (3, 4)
    assert found.hit1 == pytest.approx(1 / 3) and found.hit3 == pytest.approx(2 / 3)
    assert found.hit5 == found.hit_k == 1.0
    assert found.mrr == pytest.approx((1 + 1 / 3 + 1 / 4) / 3)
    small.studio.retrieval.change(small.project, ChunkSettings(), SearchSettings(number=2))
    assert tested(small.project).hit_k == pytest.approx(1 / 3) and tested(small.project).k == 2


def test_a_judgement_may_be_changed(small: House) -> None:
    chunk = small.project.chunks()[0]
    ask = lambda: small.studio.retrieval.verdict_on(small.project, "Why?", chunk)
    assert ask() is None
    small.studio.retrieval.judge(small.project, "Why?", chunk.id, True)
    assert ask() is True
    small.studio.retrieval.judge(small.project, "Why?", chunk.id, False)
    assert ask() is False and len(small.project.judgements()) == 1
    assert small.studio.retrieval.verdict_on(small.project, "Why?", small.project.chunks()[1]) is None
    with pytest.raises(PassageError, match="no longer there"):
        small.studio.retrieval.judge(small.project, "Why?", "x", True)


def test_judgements_of_two_windows_are_all_kept(small: House) -> None:
    chunk = small.project.chunks()[0]

    def judge(who: int) -> None:
        for n in range(8):
            small.studio.retrieval.judge(small.project, f"{who} {n}?", chunk.id, True)

    threads = [threading.Thread(target=judge, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(small.project.judgements()) == 32


def test_a_judgement_on_a_removed_document_is_no_test(small: House) -> None:
    small.add({"b.md": facts(["pink crane"])})
    pink = next(c for c in small.project.chunks() if "pink" in c.text)
    small.studio.retrieval.judge(small.project, "pink crane?", pink.id, True)
    assert small.studio.retrieval.tested(small.project).questions == 1
    small.studio.documents.remove(small.project, pink.document)
    small.idle()
    assert small.studio.retrieval.tested(small.project) == retrieval.Tested(0)


def test_accepted_questions_test_the_search_too(full: House) -> None:
    found = full.studio.retrieval.tested(full.project)
    proven = [q for q in full.project.questions() if q.accepted and q.evidence]
    assert found.questions == len(proven) > 20 and found.hit1 == found.mrr == 1.0


def test_suggestions_come_from_the_material(small: House) -> None:
    assert small.studio.retrieval.suggestions(small.project) == ["What is said about red things?"]
    small.ask()
    assert len(small.studio.retrieval.suggestions(small.project, 2)) == 2
    assert all("weigh?" in s for s in small.studio.retrieval.suggestions(small.project, 2))
    assert small.studio.retrieval.suggestions(small.project, 9)[-1] == "What is said about red things?"
    small.add({"c.md": "# **What is _new_?**\n\nMuch is."})
    assert "What is new?" in small.studio.retrieval.suggestions(small.project, 9)


def test_the_first_rank_of_an_oracle(small: House) -> None:
    passages = small.studio.retrieval.find(small.project, "crane").passages
    assert first_rank(passages, [passages[2].chunk.id, passages[1].chunk.id]) == 2
    assert first_rank(passages, ["x"]) is None and first_rank([], ["x"]) is None
