"""Compare desk: the same passages for both, the turn is kept, votes are counted."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import ModelError, PassageError
from ragtune_ui.domain.passages import ChunkSettings, SearchSettings
from ragtune_ui.store import files
from ragtune_ui.studio.chat import ANSWER_TOKENS
from tests.studio.conftest import House, Speaker, facts

RED = "How much does the red crane weigh?"


def test_both_sides_answer_from_the_same_passages(tuned: House) -> None:
    seen = list(tuned.studio.chat.ask(tuned.project, f" {RED} "))
    first, last = seen[0], seen[-1]
    assert first.base is first.tuned is None and len(first.turn.passages) == 4 and not first.done
    assert last.done and last.base is not None and last.tuned is not None
    assert last.base.text == "It is about 10 tonnes or so" and last.tuned.text == "10 tonnes [1]"
    grown = [e.base.text for e in seen[1:] if e.base]
    assert grown == sorted(grown, key=len) and len(set(grown)) > 3
    prompts = dict(tuned.fakes.asked[-2:])
    assert prompts["base"] == prompts["tuned"] and RED in prompts["base"][-1].content
    (turn,) = tuned.project.turns()
    assert (turn.question, turn.base, turn.tuned) == (RED, last.base.text, last.tuned.text)
    assert turn.run == tuned.project.runs()[0].id and turn.passages == first.turn.passages and turn.at


def test_without_an_adapter_only_the_original_answers(full: House) -> None:
    last = list(full.studio.chat.ask(full.project, RED))[-1]
    assert last.tuned is None and last.base is not None and last.turn.run == ""
    assert full.project.turns()[0].tuned == "" and full.fakes.loaded == [(full.fakes.model, None)]


def test_without_passages_the_question_stands_alone(tuned: House) -> None:
    last = list(tuned.studio.chat.ask(tuned.project, RED, with_passages=False))[-1]
    assert last.turn.passages == () and last.base is not None and last.base.text == "It is heavy"


def test_passages_are_left_out_until_the_prompt_fits(tuned: House) -> None:
    passages = [p.chunk for p in tuned.studio.retrieval.find(tuned.project, RED).passages]
    words = sum(len(m.content.split()) for m in Contract().messages(RED, passages[:2]))
    tuned.fakes.positions = words + ANSWER_TOKENS + 1
    last = list(tuned.studio.chat.ask(tuned.project, RED))[-1]
    assert len(last.turn.passages) == 2 and last.turn.passages[0].text == "The red crane weighs 10 tonnes."
    tuned.fakes.positions = 1
    assert list(tuned.studio.chat.ask(tuned.project, RED))[-1].turn.passages == ()


def test_a_model_is_given_no_more_passages_than_it_keeps_apart(tuned: House) -> None:
    tuned.fakes.passages = 1
    tuned.studio.speakers.release()
    last = list(tuned.studio.chat.ask(tuned.project, RED))[-1]
    assert [c.text for c in last.turn.passages] == ["The red crane weighs 10 tonnes."]


def test_nothing_asked_or_nothing_there_is_said(house: House) -> None:
    with pytest.raises(PassageError, match="Type a question"):
        next(house.studio.chat.ask(house.project, "  "))
    with pytest.raises(PassageError, match="no passages"):
        next(house.studio.chat.ask(house.project, "Why?"))
    assert house.project.turns() == []


def test_stop_keeps_what_was_said(tuned: House) -> None:
    said: list[str] = []
    for exchange in tuned.studio.chat.ask(tuned.project, RED, should_stop=lambda: len(said) >= 4):
        if exchange.base:
            said.append(exchange.base.text)
    (turn,) = tuned.project.turns()
    assert turn.base and turn.base != "It is about 10 tonnes or so" and turn.base == said[-1]


def test_a_browser_that_leaves_keeps_what_was_said_and_frees_the_model(tuned: House) -> None:
    answer = tuned.studio.chat.ask(tuned.project, RED)
    for _ in range(4):
        next(answer)
    answer.close()
    (turn,) = tuned.project.turns()
    assert turn.base.startswith("It is") and turn.tuned
    assert list(tuned.studio.chat.ask(tuned.project, RED))[-1].done  # and nothing is held


def test_an_answer_that_grows_while_its_project_goes_to_the_trash_leaves_nothing_behind(tuned: House) -> None:
    answer = tuned.studio.chat.ask(tuned.project, RED)
    for _ in range(4):
        next(answer)
    tuned.studio.home.discard(tuned.project.id)
    assert list(answer)[-1].done
    assert not tuned.project.folder.exists()
    assert tuned.studio.home.restore(tuned.project.id).turns() == []


def test_an_answer_may_wander_from_thread_to_thread(tuned: House) -> None:
    # A web server asks each piece of a stream of whichever thread is free.
    answer = tuned.studio.chat.ask(tuned.project, RED)
    pieces = []
    while True:
        with ThreadPoolExecutor(1) as pool:
            piece = pool.submit(next, answer, None).result(10)
        if piece is None:
            break
        pieces.append(piece)
    assert pieces[-1].done and len(tuned.project.turns()) == 1
    assert list(tuned.studio.chat.ask(tuned.project, RED))[-1].done


def test_a_second_asker_waits_for_its_turn(tuned: House) -> None:
    first = tuned.studio.chat.ask(tuned.project, RED)
    next(first)
    done: list[object] = []
    other = threading.Thread(target=lambda: done.append(list(tuned.studio.chat.ask(tuned.project, RED))[-1]))
    other.start()
    other.join(0.2)
    assert done == []
    list(first)
    other.join(10)
    assert len(done) == 1 and len(tuned.project.turns()) == 2


def test_a_model_that_fails_frees_the_bench(tuned: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object):
        raise ModelError("It ran out of memory.", "Choose a smaller one.")
        yield

    with monkeypatch.context() as patched:
        patched.setattr(Speaker, "stream", broken)
        with pytest.raises(ModelError, match="memory"):
            list(tuned.studio.chat.ask(tuned.project, RED))
    assert tuned.project.turns() == []  # nothing was said, nothing is kept
    assert list(tuned.studio.chat.ask(tuned.project, RED))[-1].done


def test_votes_are_counted(tuned: House) -> None:
    for _ in range(3):
        list(tuned.studio.chat.ask(tuned.project, RED))
    one, two, three = (t.id for t in tuned.project.turns())
    chat = tuned.studio.chat
    assert chat.votes(tuned.project) == {"base": 0, "same": 0, "tuned": 0, "neither": 0}
    chat.vote(tuned.project, one, "tuned")
    chat.vote(tuned.project, two, "tuned")
    chat.vote(tuned.project, three, "neither")
    assert chat.vote(tuned.project, one, "base") == {"base": 1, "same": 0, "tuned": 1, "neither": 1}
    with pytest.raises(ModelError, match="no vote"):
        chat.vote(tuned.project, one, "maybe")
    with pytest.raises(ModelError, match="no longer there"):
        chat.vote(tuned.project, "x", "base")


def test_a_run_without_a_result_is_said(full: House) -> None:
    run = full.train("crash")
    with pytest.raises(ModelError, match="no result to compare"):
        next(full.studio.chat.ask(full.project, RED, run=run))


def test_a_model_is_loaded_once_until_its_adapter_is_trained_on(tuned: House) -> None:
    run = tuned.project.runs()[0].id
    loaded = tuned.fakes.loaded
    loaded.clear()
    for _ in range(2):
        list(tuned.studio.chat.ask(tuned.project, RED))
    adapter = tuned.project.adapter(run)
    assert adapter is not None and loaded == [(tuned.fakes.model, adapter)]
    files.publish(adapter, lambda to: (to / "adapter_model.safetensors").write_text("better"))
    list(tuned.studio.chat.ask(tuned.project, RED))
    assert loaded == [(tuned.fakes.model, adapter)] * 2
    tuned.studio.speakers.release()
    tuned.studio.speakers.release()
    list(tuned.studio.chat.ask(tuned.project, RED))
    assert len(loaded) == 3


def test_a_change_of_settings_holds_for_the_next_question(tuned: House) -> None:
    tuned.studio.retrieval.change(tuned.project, ChunkSettings(), SearchSettings(number=2))
    assert len(list(tuned.studio.chat.ask(tuned.project, RED))[-1].turn.passages) == 2
    tuned.add({"late.md": facts(["odd crane"], 77)})
    last = list(tuned.studio.chat.ask(tuned.project, "How much does the odd crane weigh?"))[-1]
    assert last.tuned is not None and last.tuned.text == "77 tonnes [1]"
