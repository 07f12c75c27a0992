"""Proving desk: judgements, figures worked by hand, the map of what is reached."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import replace

import pytest

from ragtune_ui.domain.errors import PassageError
from ragtune_ui.domain.passages import ChunkSettings, SearchSettings
from ragtune_ui.store import files
from ragtune_ui.studio import proving
from tests.studio.conftest import House, facts


@pytest.fixture
def small(house: House) -> House:
    house.add({"a.md": "# Red things\n\n" + facts(["red crane", "red winch", "red ferry", "blue crane"])})
    return house


def measured(house: House) -> proving.Tested:
    job = house.wait(house.studio.proving.start_test(house.project))
    assert job.state == "finished" and "right passage in the first five" in job.note
    found = house.studio.proving.tested(house.project)
    assert found is not None
    return found


# judging --------------------------------------------------------------------------------------


def test_judging_is_kept_and_figures_are_right(small: House) -> None:
    # Each question shares "red" with three passages and one more word with its own, so that ranks are
    # known: of the fake's tie order (place in the text) "red ferry" alone stands behind two others.
    chunks = {c.text: c for c in small.project.chunks()}
    winch, ferry, blue = (
        chunks[f"The {t} tonnes."] for t in ("red winch weighs 11", "red ferry weighs 12", "blue crane weighs 13")
    )
    judge = small.studio.proving.judge
    with pytest.raises(PassageError, match="No question tests"):
        small.studio.proving.start_test(small.project)
    assert small.studio.proving.tested(small.project) is None and small.studio.proving.stale(small.project) == ""
    assert judge(small.project, "red winch?", winch.id, True) == "Kept. 1 question tests the search now."
    assert judge(small.project, "red?", ferry.id, True).startswith("Kept. 2 questions test")  # rank 3 of 4
    judge(small.project, "red crane?", blue.id, True)  # shares one word with red winch, ferry and blue crane: rank 4
    judge(small.project, "no word", winch.id, False)  # a "not this" is no test
    found = measured(small)
    assert (found.questions, found.k) == (3, 4)
    assert found.hit1.mean == pytest.approx(100 / 3) and found.hit3.mean == pytest.approx(200 / 3)
    assert found.hit5.mean == found.hit_k.mean == 100 and found.hit1.low < found.hit1.mean < found.hit1.high
    assert found.mrr.mean == pytest.approx(100 * (1 + 1 / 3 + 1 / 4) / 3)
    assert found.ndcg.mean == pytest.approx(100 * (1 + 1 / math.log2(4) + 1 / math.log2(5)) / 3)
    assert small.studio.proving.stale(small.project) == ""
    small.studio.retrieval.change(small.project, ChunkSettings(), SearchSettings(number=2))
    assert "settings" in small.studio.proving.stale(small.project)
    assert measured(small).hit_k.mean == pytest.approx(100 / 3) and measured(small).k == 2
    small.fakes.passages = 1  # what the model is not given, it does not read
    assert "number of passages" in small.studio.proving.stale(small.project)
    assert measured(small).hit_k.mean == pytest.approx(100 / 3) and measured(small).k == 1
    judge(small.project, "blue crane?", blue.id, True)
    assert "questions" in small.studio.proving.stale(small.project)


def test_a_judgement_may_be_changed(small: House) -> None:
    chunk = small.project.chunks()[0]
    ask = lambda: small.studio.proving.verdict_on(small.project, "Why?", chunk)
    assert ask() is None
    small.studio.proving.judge(small.project, "Why?", chunk.id, True)
    assert ask() is True
    small.studio.proving.judge(small.project, "Why?", chunk.id, False)
    assert ask() is False and len(small.project.judgements()) == 1
    assert small.studio.proving.verdict_on(small.project, "Why?", small.project.chunks()[1]) is None
    with pytest.raises(PassageError, match="no longer there"):
        small.studio.proving.judge(small.project, "Why?", "x", True)


def test_a_judgement_is_about_its_own_passage_and_not_the_one_beside_it(small: House) -> None:
    project, desk = small.project, small.studio.proving
    first = project.chunks()[0]  # of 31 characters
    beside = replace(first, id="beside", start=first.start + 20, end=first.end + 20)
    wider = replace(first, id="wider", end=first.end + 2)
    project.keep_chunks([first, beside, wider])
    said = lambda *chunks: [desk.verdict_on(project, "Why?", chunk) for chunk in chunks]
    desk.judge(project, "Why?", first.id, True)
    assert said(first, beside, wider) == [True, None, True]
    desk.judge(project, "Why?", beside.id, False)
    assert said(first, beside, wider) == [True, False, True]
    desk.judge(project, "Why?", wider.id, False)
    assert said(first, beside, wider) == [True, False, False]
    assert said(replace(first, id="moved", start=first.start + 1)) == [False]  # of two on most of it, the latest


def test_judgements_of_two_windows_are_all_kept(small: House) -> None:
    chunk = small.project.chunks()[0]

    def judge(who: int) -> None:
        for n in range(8):
            small.studio.proving.judge(small.project, f"{who} {n}?", chunk.id, True)

    threads = [threading.Thread(target=judge, args=(who,)) for who in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(small.project.judgements()) == 32


def test_a_judgement_on_a_removed_document_is_no_test(small: House) -> None:
    small.add({"b.md": facts(["pink crane"])})
    pink = next(c for c in small.project.chunks() if "pink" in c.text)
    small.studio.proving.judge(small.project, "pink crane?", pink.id, True)
    assert len(small.studio.proving.wanted(small.project)) == 1
    small.studio.documents.remove(small.project, pink.document)
    small.idle()
    assert small.studio.proving.wanted(small.project) == {}


def test_accepted_questions_test_the_search_too(full: House) -> None:
    found = measured(full)
    proven = [q for q in full.project.questions() if q.accepted and q.evidence]
    assert found.questions == len(proven) > 20 and found.hit1.mean == found.mrr.mean == 100


# the map --------------------------------------------------------------------------------------


def test_the_map_says_what_is_reached_and_lists_what_is_not(house: House) -> None:
    house.add({"a.md": "# Red\n\n" + facts(["red crane"]) + "\n\n# Blue\n\n" + facts(["blue winch", "blue ferry"]),
               "b.md": facts([f"gold mast{n}" for n in range(6)])})  # fmt: skip
    crane = next(c for c in house.project.chunks() if "red crane" in c.text)
    house.studio.proving.judge(house.project, "red crane weighs?", crane.id, True)
    house.studio.retrieval.change(house.project, ChunkSettings(), SearchSettings(number=1))
    assert house.studio.proving.coverage(house.project) is None
    measured(house)
    found = house.studio.proving.coverage(house.project)
    assert found is not None and found.questions == 1 and found.reached == 1 and len(found.points) == 9
    assert next(p for p in found.points if p.reached).chunk == crane.id
    assert [(s.name, s.passages) for s in found.sections] == [("b.md", 6), ("a.md · Blue", 2)]
    assert found.sections[0].chunk == next(c.id for c in house.project.chunks() if "mast0" in c.text)


def test_figures_of_other_passages_or_another_search_model_are_out_of_date(small: House) -> None:
    project, desk = small.project, small.studio.proving
    winch = next(c for c in project.chunks() if "winch" in c.text)
    desk.judge(project, "red winch?", winch.id, True)

    def then() -> str:
        """What is said after a change; the search is tested anew for the next one."""
        small.idle()
        said = desk.stale(project)
        measured(small)
        assert desk.stale(project) == ""
        return said

    assert then() == ""
    small.add({"b.md": facts(["pink crane"])})
    assert "passages have changed" in then()
    small.studio.mending.edit(project, winch.id, "The red winch weighs 99 tonnes.")
    assert "passages have changed" in then()
    small.wait(small.studio.retrieval.start_index(project))  # the same again is no change
    assert then() == ""
    small.studio.retrieval.start_switch(project, "owner/other")
    assert "search model" in then()
    path = project.folder / "search-test.json"
    earlier = {k: v for k, v in files.read_json(path).items() if k not in ("embedder", "passages")}
    small.add({"c.md": facts(["grey crane"])})
    files.write_record(path, earlier)
    assert desk.tested(project) is not None and desk.stale(project) == ""


def test_a_damaged_test_file_is_no_test(small: House) -> None:
    (small.project.folder / "search-test.json").write_text("{")
    (small.project.folder / "coverage.json").write_text('{"colour": 1}')
    assert small.studio.proving.tested(small.project) is None and small.studio.proving.coverage(small.project) is None


def test_a_test_can_be_stopped(full: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proving, "BLOCK", 1)
    real, begun = full.studio.retrieval.search, threading.Event()
    slow = lambda *a, **k: (begun.set(), time.sleep(0.02), real(*a, **k))[2]
    monkeypatch.setattr(full.studio.retrieval, "search", slow)
    id = full.studio.proving.start_test(full.project)
    begun.wait(10)
    full.studio.jobs.stop(full.project, id)
    assert full.wait(id).state == "stopped" and full.studio.proving.tested(full.project) is None
