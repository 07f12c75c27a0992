"""Mending desk: changes reach every desk, survive other cuts and versions, and are taken back one by one."""

from __future__ import annotations

import pytest

from ragtune_ui.domain.errors import Busy, PassageError
from ragtune_ui.domain.passages import Chunk, ChunkSettings, SearchSettings
from ragtune_ui.studio import mending
from tests.studio.conftest import House, facts


@pytest.fixture
def small(house: House) -> House:
    house.add({"a.md": facts(["red crane", "red winch", "blue ferry"])})
    return house


def passage(house: House, words: str) -> Chunk:
    return next(c for c in house.project.chunks() if words in c.text)


def reads(house: House, question: str) -> list[str]:
    return [p.chunk.text for p in house.studio.retrieval.find(house.project, question).passages]


def mend(house: House, words: str, text: str) -> str:
    said = house.studio.mending.edit(house.project, passage(house, words).id, text)
    house.idle()
    return said


def test_a_mended_passage_is_read_everywhere_and_taken_back(small: House) -> None:
    before = passage(small, "red crane")
    assert mend(small, "red crane", "The red crane weighs 99 tonnes.").startswith("Mended.")
    after = passage(small, "red crane")
    assert after.mended and after.text == "The red crane weighs 99 tonnes." and after.id != before.id
    assert (after.start, after.end) == (before.start, before.end)
    assert reads(small, "red crane")[0] == after.text
    exchange = list(small.studio.chat.ask(small.project, "How much does the red crane weigh?"))[-1]
    assert any(c.text == after.text for c in exchange.turn.passages)
    (row,) = small.studio.mending.rows(small.project)
    assert row.place == "a.md · page 1" and not row.lost
    assert "Taken back" in small.studio.mending.undo(small.project, row.mend.id)
    small.idle()
    assert passage(small, "red crane") == before and small.studio.mending.rows(small.project) == []


def test_training_data_is_made_of_the_mended_words(full: House) -> None:
    mend(full, "red crane", passage(full, "red crane").text.replace("weighs", "is said to weigh"))
    full.wait(full.studio.mixing.freeze(full.project, full.project.choices().mix))
    from tests.studio.conftest import everything

    assert "red crane is said to weigh" in everything(full.project)
    assert "The red crane weighs" not in everything(full.project)


def test_no_question_is_written_from_words_that_were_mended_away(house: House) -> None:
    house.add({"a.md": facts(["red crane", "red winch", "blue ferry"])})
    mend(house, "red crane", "The red crane was sold.")
    house.wait(house.studio.questions.write(house.project))
    asked = [q.question for q in house.project.questions()]
    assert len(asked) == 2 and not any("red crane" in q for q in asked)


def test_a_change_survives_another_cut_and_another_version(small: House) -> None:
    mend(small, "red crane", "The red crane weighs 99 tonnes.")
    small.studio.retrieval.change(small.project, ChunkSettings(80, 8), SearchSettings())
    small.idle()
    assert "99 tonnes" in passage(small, "red crane").text
    small.studio.documents.remove(small.project, small.document("a.md").id)
    small.idle()
    assert small.studio.mending.rows(small.project)[0].lost
    small.add({"a.md": "A new opening line of this file.\n\n" + facts(["red crane", "red winch"])})
    assert "99 tonnes" in passage(small, "red crane").text
    assert not small.studio.mending.rows(small.project)[0].lost


def test_changes_are_looked_for_in_their_documents_only_when_something_changed(
    small: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(small, "red crane", "The red crane weighs 99 tonnes.")
    looked: list[int] = []
    monkeypatch.setattr(mending, "patches", lambda mends, text: looked.append(len(mends)) or ([], []))
    for _ in range(3):
        assert len(small.studio.mending.rows(small.project)) == 1
    assert looked == [1]
    mend(small, "red winch", "The red winch weighs 99 tonnes.")
    looked.clear()
    assert len(small.studio.mending.rows(small.project)) == len(small.studio.mending.rows(small.project)) == 2
    assert looked == [2]
    small.project.discard_document(small.document("a.md").id)
    assert all(row.lost for row in small.studio.mending.rows(small.project))


def test_a_passage_is_left_out_and_comes_back(small: House) -> None:
    said = small.studio.mending.leave_out(small.project, passage(small, "red winch").id)
    small.idle()
    assert "Left out" in said and len(small.project.chunks()) == 2
    assert not any("winch" in text for text in reads(small, "red winch"))
    assert not small.studio.retrieval.behind(small.project)
    small.studio.mending.undo(small.project, small.studio.mending.all(small.project)[0].id)
    small.idle()
    assert passage(small, "red winch")


def test_leaving_out_all_of_a_document_is_not_unfinished_work(house: House) -> None:
    house.add({"a.md": facts(["red crane"]), "b.md": facts(["blue winch"])})
    house.studio.mending.leave_out(house.project, passage(house, "red crane").id)
    house.idle()
    assert len(house.project.chunks()) == 1 and not house.studio.retrieval.behind(house.project)


def test_two_passages_are_joined(small: House) -> None:
    small.studio.mending.join(small.project, passage(small, "red crane").id)
    small.idle()
    one = passage(small, "red crane")
    assert "red winch" in one.text and len(small.project.chunks()) == 2 and one.mended
    with pytest.raises(PassageError, match="No passage follows"):
        small.studio.mending.join(small.project, passage(small, "blue ferry").id)


def test_what_cannot_be_kept_is_said(small: House) -> None:
    desk, chunk = small.studio.mending, passage(small, "red crane")
    for text, wanted in (("  ", "would be empty"), (chunk.text, "Nothing was changed")):
        with pytest.raises(PassageError, match=wanted):
            desk.edit(small.project, chunk.id, text)
    with pytest.raises(PassageError, match="no longer there"):
        desk.edit(small.project, "x", "y")
    with pytest.raises(PassageError, match="no longer there"):
        desk.undo(small.project, "x")
    gate = small.fakes.gate
    gate.clear()
    small.studio.jobs.start(small.project, "mix", "Composing", lambda task: str(gate.wait(10)))
    with pytest.raises(Busy):
        desk.edit(small.project, chunk.id, "Other words here.")
    assert desk.all(small.project) == []
    gate.set()
    small.idle()
    assert small.studio.mending.at(small.project, chunk.document, chunk.start, chunk.end) == [chunk]
