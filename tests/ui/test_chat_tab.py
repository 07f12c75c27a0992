"""Compare: shows and does alone."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from ragtune_ui.domain.errors import RagtuneError
from ragtune_ui.domain.passages import Chunk
from ragtune_ui.domain.ports import Reply
from ragtune_ui.domain.runs import Job
from ragtune_ui.studio.speakers import Speakers
from ragtune_ui.ui import chat_tab, trained
from tests.studio.conftest import House
from tests.ui.pages import Bench, wired

CHUNK = Chunk("c1", "d1", "crane<i>.pdf", 3, ("Wind",), 0, 9, "Stop at 20 m/s.", 5)
TURN = SimpleNamespace(
    id="ab", run="run-002-x", question="When?", base="At 20.", tuned="At 20 m/s [1]", passages=(CHUNK,), vote=""
)
HOSTILE = "<img src=x onerror=alert(1)> ![x](http://198.51.100.7/) ${alert(1)} [1]"


def test_an_answer_says_whether_it_names_its_passage() -> None:
    assert "names passage 1" in chat_tab.backing("At 20 m/s [1]", 1)
    assert "names no passage" in chat_tab.backing("At 20 m/s [7]", 1)
    assert "documents are silent" in chat_tab.backing("Your documents do not say.", 1)
    assert "from memory" in chat_tab.backing("At 20 m/s", 0)


def test_a_pane_escapes_the_model_and_makes_citations_buttons() -> None:
    shown = chat_tab.pane(chat_tab.head("tuned", 1, False, "Training 2"), "<q>", HOSTILE, 1)
    assert "<img" not in shown and "&lt;q&gt;" in shown and 'data-cite="1"' in shown
    assert "data-cite" not in chat_tab.pane(chat_tab.head("base", 0, False, "m"), "q", "See [2]", 1)


def test_hidden_names_are_not_on_screen_and_the_side_is_fixed_by_the_turn() -> None:
    assert chat_tab.order("ab", False) == ("base", "tuned")
    assert chat_tab.order("ab", True) == ("tuned", "base") and chat_tab.order("aa", True) == ("base", "tuned")
    row = chat_tab.vote_row(TURN, True, {})
    assert "A is better" in row and "Original" not in row
    assert row.index('data-id="ab tuned"') < row.index('data-id="ab base"')


def test_votes_wait_for_two_answers_and_show_their_counts() -> None:
    assert chat_tab.vote_row(None, False, {}).count("disabled") == 4
    row = chat_tab.vote_row(SimpleNamespace(**{**vars(TURN), "vote": "same"}), False, {"same": 3})
    assert "disabled" not in row and "✓ About the same" in row and "about the same 3" in row


def test_passages_stand_once_and_are_escaped() -> None:
    assert "crane&lt;i&gt;.pdf" in chat_tab.sources([CHUNK], True)
    assert "from memory" in chat_tab.sources([], True) and "once you ask" in chat_tab.sources([], False)


def test_speed_is_left_out_where_there_is_none() -> None:
    assert chat_tab.stats(Reply("base", "one two three four", 5, 2.0, True)) == "2.0 words/s · 2.0 s"
    assert chat_tab.stats(Reply("base", "", 0, 0.0, True)) == ""


class Studio:
    """Just enough of a studio to ask one question."""

    def __init__(self, usable: list[Job]) -> None:
        self.training = SimpleNamespace(usable=lambda project: usable)
        self.chat, self.given = self, []
        self.speakers = Speakers(lambda model, adapter: SimpleNamespace(close=lambda: None))

    def ask(self, project: object, question: str, run: str, with_passages: bool):  # type: ignore[no-untyped-def]
        yield SimpleNamespace(turn=TURN, base=None, tuned=None, done=False)
        reply = Reply("base", "At 20.", 3, 1.0, True)
        yield SimpleNamespace(turn=TURN, base=reply, tuned=Reply("tuned", "At 20 m/s [1]", 5, 2.0, True), done=True)

    def vote(self, project: object, turn: str, vote: str) -> None:
        self.given.append((turn, vote))

    def votes(self, project: object) -> dict[str, int]:
        return {"same": 3}


PROJECT = SimpleNamespace(
    sheet=lambda run: SimpleNamespace(model="built-in"),
    choices=lambda: SimpleNamespace(model="built-in"),
    turns=lambda: [TURN],
)


def test_both_panes_grow_over_passages_that_are_sent_once() -> None:
    steps = list(chat_tab.ask(Studio([Job(id="run-002-x")]), PROJECT, " When? ", "", True, False))
    assert "getting the model ready" in steps[0][0] and "When?" in steps[0][1]
    assert "crane&lt;i&gt;.pdf" in steps[1][2] and isinstance(steps[-1][2], dict)
    assert "At 20." in steps[-1][0] and 'data-cite="1"' in steps[-1][1]
    assert steps[-1][3] == ["ab", {"base": "2.0 words/s · 1.0 s", "tuned": "2.0 words/s · 2.0 s"}]
    assert [step[4] for step in steps] == [False, False, True]  # only what was said is kept


def test_an_answer_that_waits_for_another_says_so() -> None:
    studio = Studio([])
    with studio.speakers.using(Path("model"), None):
        assert "Your answer comes right after it" in next(chat_tab.ask(studio, PROJECT, "When?", "", True, False))[0]
    assert "getting the model ready" in next(chat_tab.ask(studio, PROJECT, "When?", "", True, False))[0]


def test_stop_before_the_first_word_brings_the_page_back_as_it_was(tmp_path: Path) -> None:
    look, cancel = wired(Bench(chat_tab, "chat", House(tmp_path)).app, "chat-stop")
    signal, message = look.fn("", None, False)
    assert (signal["look"], signal["why"], message) == ("chat", "changed", "") and len(cancel.cancels) == 2
    assert look.fn("", None, True) == [gr.skip(), ""]  # what was said is on the disk in a moment, not yet


def test_an_answer_under_way_does_not_go_on_in_another_project(tmp_path: Path) -> None:
    bench = Bench(chat_tab, "chat", House(tmp_path))
    fns = list(bench.app.fns.values())
    look, cancel = (fn for fn in fns if (bench.page.project._id, "change") in fn.targets)
    assert set(cancel.cancels) == {fn._id for fn in fns if fn.name == "ask"}
    assert look.fn("", None)[-1]["look"] == "chat"


def test_without_a_tuned_model_the_right_side_says_so() -> None:
    steps = list(chat_tab.ask(Studio([]), PROJECT, "When?", "", True, False))
    assert "no tuned model yet" in steps[-1][1] and 'data-go="train"' in steps[-1][1]


def test_an_empty_question_is_refused_in_words() -> None:
    with pytest.raises(RagtuneError):
        next(chat_tab.ask(Studio([]), PROJECT, "  ", "", True, False))


def test_a_vote_goes_to_the_last_turn() -> None:
    studio = Studio([])
    chat_tab.vote(studio, PROJECT, {"do": "vote", "id": "ab same"})
    chat_tab.vote(studio, PROJECT, {"do": "else", "id": "ab same"})
    assert studio.given == [("ab", "same")]


def test_a_vote_for_an_earlier_question_is_refused() -> None:
    """A button pressed late must not change the vote on the question that came after it."""
    studio = Studio([])
    with pytest.raises(RagtuneError, match="earlier question"):
        chat_tab.vote(studio, PROJECT, {"do": "vote", "id": "aa same"})
    assert studio.given == []


def test_votes_wait_while_answers_grow_and_are_for_the_new_question(tmp_path: Path) -> None:
    steps = list(chat_tab.ask(Studio([Job(id="run-002-x")]), PROJECT, "When?", "", True, False))
    assert [step[5].count("disabled") for step in steps] == [4, 4, 0]
    assert steps[-1][5].count('data-id="ab ') == 4 and "about the same 3" in steps[0][5]
    ask = next(fn for fn in Bench(chat_tab, "chat", House(tmp_path)).app.fns.values() if fn.name == "ask")
    assert ask.outputs[5].elem_id == "chat-votes"


def test_a_question_from_before_the_training_says_so() -> None:
    turn = SimpleNamespace(**{**vars(TURN), "run": "", "tuned": ""})
    studio = Studio([Job(id="run-002-x")])
    base, tuned = chat_tab.panes(studio, PROJECT, "", turn, {"base": "At 20.", "tuned": None}, False)
    assert "Trained after this was asked; ask again." in tuned and "Stopped before" not in base + tuned
    stopped = SimpleNamespace(**{**vars(TURN), "tuned": ""})
    _, tuned = chat_tab.panes(studio, PROJECT, "run-002-x", stopped, {"base": "At 20.", "tuned": None}, False)
    assert "Stopped before it answered." in tuned and "ask again" not in tuned


def test_a_training_that_was_picked_goes_with_its_project(tmp_path: Path) -> None:
    house, act = House(tmp_path), SimpleNamespace(_data={})
    build = lambda page: (page.header("Compare", "Ask."), trained.picker(page))
    page = Bench(SimpleNamespace(build=build), "chat", house).page  # type: ignore[arg-type]
    _, picked, _, seen = page.look(act, house.project.id, {}, "run-001-aaaa")
    assert picked == gr.skip()
    _, picked, _, _ = page.look(act, house.studio.home.create("Yard").id, seen, "run-001-aaaa")
    assert picked == ""


def test_trainings_are_chosen_by_name() -> None:
    jobs = [Job(id="run-003-b", done=50), Job(id="run-002-x", done=9)]
    assert trained.name("run-003-b") == "Training 3" and "50 steps" in trained.words(jobs[0])
    shown = trained.select(jobs, "run-002-x")
    assert shown.index("selected") > shown.index("run-002-x") and trained.select([], "") == ""
