"""Passages desk: settings, search, judging, and figures worked by hand."""

from __future__ import annotations

import pytest

from ragtune_ui.domain.errors import Busy, PassageError
from ragtune_ui.domain.passages import ChunkSettings, SearchSettings
from ragtune_ui.studio import retrieval
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
    assert small.fakes.updates == updates + 1 and small.project.jobs()[0].note.startswith("4 passages are ready: ")
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
        (ChunkSettings(100, 51), SearchSettings()), (ChunkSettings(), SearchSettings(4, 0.5, 1.5)),
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


def test_a_search_during_indexing_is_answered_from_what_was_there(small: House) -> None:
    small.fakes.gate.clear()
    small.studio.retrieval.start_index(small.project)
    wait_until(lambda: small.fakes.updates == 2)
    assert texts(small, "blue crane")[0] == "The blue crane weighs 13 tonnes."
    small.fakes.gate.set()
    small.idle()
    assert texts(small, "blue crane")


def test_a_search_during_the_first_indexing_gets_a_sentence_and_no_hang(house: House) -> None:
    house.fakes.gate.clear()
    house.studio.documents.add(house.project, house.files({"a.md": facts(["red crane"])}))
    wait_until(lambda: house.fakes.updates == 1)
    with pytest.raises(PassageError, match="being made"):
        house.studio.retrieval.search(house.project, ["crane"])
    house.fakes.gate.set()
    house.idle()
    assert texts(house, "red crane")


def test_a_document_on_its_way_out_is_not_found(small: House) -> None:
    small.add({"b.md": facts(["pink crane"])})
    pink = next(c for c in small.project.chunks() if "pink" in c.text)
    small.fakes.gate.clear()
    small.studio.documents.remove(small.project, pink.document)
    assert not any("pink" in text for text in texts(small, "pink crane"))
    small.fakes.gate.set()
    small.idle()


# cutting --------------------------------------------------------------------------------------


def test_only_what_changed_is_cut_and_embedded(small: House) -> None:
    cut: list[str] = []
    chunker = small.studio.chunker()
    real = type(chunker).cut
    type(chunker).cut = lambda self, document, *rest: cut.append(document.name) or real(self, document, *rest)
    try:
        small.add({"b.md": facts(["pink crane", "pink winch"])})
        assert cut == ["b.md"]
        small.wait(small.studio.retrieval.start_index(small.project))
        assert cut == ["b.md"]
    finally:
        type(chunker).cut = real
    assert small.project.jobs()[-1].result or True
    done = next(j for j in small.project.jobs() if j.what == "documents" and j.result.get("embedded") == 2)
    assert (done.result["unchanged"], done.result["removed"]) == (4, 0)


def test_a_preview_cuts_and_keeps_nothing(small: House) -> None:
    document = small.document("a.md")
    before, updates = small.project.chunks(), small.fakes.updates
    shown = small.studio.retrieval.preview(small.project, document.id, ChunkSettings(80, 8))
    assert len(shown.passages) == shown.total == 4 and shown.whole
    assert shown.model_tokens == tuple(c.tokens for c in shown.passages)
    assert (small.project.chunks(), small.fakes.updates) == (before, updates)
    assert small.project.choices().chunks == ChunkSettings()
    with pytest.raises(PassageError, match="overlap"):
        small.studio.retrieval.preview(small.project, document.id, ChunkSettings(80, 60))


def test_a_long_preview_shows_the_first_and_guesses_the_rest(house: House) -> None:
    house.add({"a.md": facts([f"red crane{n}" for n in range(100)])})
    shown = house.studio.retrieval.preview(house.project, house.document("a.md").id, ChunkSettings(80, 8))
    assert len(shown.passages) == retrieval.SHOWN and not shown.whole and 90 <= shown.total <= 110


# another search model -------------------------------------------------------------------------


def test_another_search_model_is_built_beside_and_taken_when_complete(small: House) -> None:
    change = small.studio.retrieval.start_switch
    small.fakes.gate.clear()
    id = change(small.project, "owner/other")
    wait_until(lambda: small.fakes.updates == 2)
    assert small.project.choices().embedder == "" and len(texts(small, "crane")) == 4
    small.fakes.gate.set()
    assert small.wait(id).state == "finished"
    small.idle()
    assert small.project.choices().embedder == "owner/other" and len(texts(small, "crane")) == 4
    assert not small.project.index_folder.exists()
    with pytest.raises(PassageError, match="in use already"):
        change(small.project, "owner/other")
    assert small.wait(change(small.project, "")).state == "finished"
    assert small.project.index_folder.exists() and small.project.choices().embedder == ""


def test_a_stopped_change_of_the_search_model_leaves_the_old_one(small: House) -> None:
    small.fakes.gate.clear()
    id = small.studio.retrieval.start_switch(small.project, "owner/other")
    wait_until(lambda: small.fakes.updates == 2)
    small.studio.jobs.stop(small.project, id)
    small.fakes.gate.set()
    assert small.wait(id).state == "stopped"
    assert small.project.choices().embedder == "" and len(texts(small, "crane")) == 4
    assert not small.studio.retrieval.behind(small.project)


def test_search_models_are_offered(small: House) -> None:
    models = small.studio.retrieval.models()
    assert models[0].id == "" and {m.kind for m in models} == {"meaning", "reranker"}
    assert any("languages" in m.languages for m in models) and all(m.speed > 0 and m.licence for m in models)


# narrowing ------------------------------------------------------------------------------------


def test_searches_are_narrowed_by_document_and_tag(small: House) -> None:
    small.add({"b.md": facts(["pink crane"])})
    desk, project = small.studio.retrieval, small.project
    a, b = small.document("a.md").id, small.document("b.md").id
    assert desk.narrowed(project, [], []) == [a, b] and desk.narrowed(project, [b], []) == [b]
    assert "1 document tagged: safety, 2026" in desk.tag(project, [b], " safety, 2026,, safety ")
    assert desk.tags(project) == {"b.md": ["safety", "2026"]}
    assert desk.narrowed(project, [], ["2026", "x"]) == [b] and desk.narrowed(project, [a], ["2026"]) == []
    found = desk.find(project, "crane", documents=desk.narrowed(project, [], ["safety"]))
    assert [p.chunk.document for p in found.passages] == [b]
    assert "gone" in desk.tag(project, [b], " ") and desk.tags(project) == {}
    with pytest.raises(PassageError, match="No document is chosen"):
        desk.tag(project, [], "x")


def test_other_settings_beside_change_nothing(small: House) -> None:
    found = small.studio.retrieval.find(small.project, "crane", SearchSettings(number=2))
    assert len(found.passages) == 2 and small.project.choices().search == SearchSettings()


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


def stopped(house: House, id: str, update: int) -> None:
    """Stop a job while its passages go into the index."""
    wait_until(lambda: house.fakes.updates == update)
    house.studio.jobs.stop(house.project, id)
    house.fakes.gate.set()
    assert house.wait(id).state == "stopped"


def test_passages_behind_their_settings_are_made_by_the_same_settings(small: House) -> None:
    desk, project, other = small.studio.retrieval, small.project, ChunkSettings(80, 8)
    assert desk.outdated(project) == ""
    small.fakes.gate.clear()
    assert desk.change(project, other, SearchSettings()) is True
    stopped(small, project.jobs()[0].id, 2)
    assert project.choices().chunks == other and desk.behind(project)
    fresh = small.restarted().retrieval
    assert "earlier settings" in fresh.outdated(project) and not fresh._searchers  # no index was opened for it
    trial = desk.trial(project, other, lambda *said: None)
    assert len(trial.chunks) == 4 and not {c.id for c in trial.chunks} & {c.id for c in project.chunks()}
    trial.close()

    small.fakes.gate.clear()
    mix = small.studio.jobs.start(project, "mix", "Composing", lambda task: str(small.fakes.gate.wait(10)))
    assert desk.change(project, other, SearchSettings(number=3)) is False and project.choices().search.number == 3
    small.fakes.gate.set()
    small.wait(mix)

    assert desk.change(project, other, SearchSettings(number=3)) is True
    small.idle()
    assert desk.outdated(project) == "" and not desk.behind(project)
    assert desk.trial(project, other, lambda *said: None).chunks == project.chunks()
    assert desk.change(project, other, SearchSettings()) is False


def test_a_document_stopped_on_its_way_into_the_search_is_told(small: House) -> None:
    small.fakes.gate.clear()
    stopped(small, small.studio.documents.add(small.project, small.files({"b.md": facts(["pink crane"])})), 2)
    assert "all of your documents" in small.studio.retrieval.outdated(small.project)
    small.wait(small.studio.retrieval.start_index(small.project))
    assert small.studio.retrieval.outdated(small.project) == ""


def test_settings_without_documents_are_nothing_to_make(small: House) -> None:
    small.studio.documents.remove(small.project, small.document("a.md").id)
    small.idle()
    assert small.studio.retrieval.change(small.project, ChunkSettings(80, 8), SearchSettings()) is False
    assert small.studio.retrieval.outdated(small.project) == ""


# examples -------------------------------------------------------------------------------------


def test_suggestions_come_from_the_material(small: House) -> None:
    assert small.studio.retrieval.suggestions(small.project) == ["What is said about red things?"]
    small.ask()
    assert len(small.studio.retrieval.suggestions(small.project, 2)) == 2
    assert all("weigh?" in s for s in small.studio.retrieval.suggestions(small.project, 2))
    assert small.studio.retrieval.suggestions(small.project, 9)[-1] == "What is said about red things?"
    small.add({"c.md": "# **What is _new_?**\n\nMuch is."})
    assert "What is new?" in small.studio.retrieval.suggestions(small.project, 9)


def test_what_was_deleted_is_not_found_though_the_index_still_has_it(full: House) -> None:
    gone = full.project.documents()[0]
    full.project.discard_document(gone.id)
    full.project.delete_document(gone.id)  # as the emptying of the trash does, after an indexing that was stopped
    assert all(p.chunk.document != gone.id for p in full.studio.retrieval.search(full.project, ["crane"], 40)[0])


def test_an_index_in_object_storage_goes_with_its_project(full: House) -> None:
    full.studio.home.discard(full.project.id)
    held = full.studio.home.held(full.project.id)
    full.studio.retrieval.drop(held)
    assert held.index_folder.exists()  # a folder goes with the project, whole
    object.__setattr__(full.studio.settings, "index", "s3://bucket/index")
    full.studio.retrieval.drop(held)
    assert not held.index_folder.exists()
