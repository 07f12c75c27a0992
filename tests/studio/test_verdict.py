"""Verdict desk: four cells over the same questions, what is withheld stays withheld, leaks are counted."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from ragtune_ui.domain.errors import Busy, VerdictError
from ragtune_ui.domain.questions import Question
from ragtune_ui.domain.scores import METRICS
from ragtune_ui.domain.verdicts import CELLS
from ragtune_ui.store import files
from tests.studio.conftest import House, wait_until


def measured(house: House):
    job = house.wait(house.studio.verdicts.measure(house.project))
    assert job.state == "finished", job
    verdict = house.studio.verdicts.latest(house.project)
    assert verdict is not None and job.note == verdict.headline and job.result["verdict"] == verdict.id
    return verdict


@pytest.fixture
def split(tuned: House) -> House:
    """Two answerable held-back questions and one whose document is withheld."""
    tests = [q for q in tuned.project.questions() if q.split == "test"]
    text = tuned.project.text(tests[0].document)
    kept = []
    for n, q in enumerate(tests):
        found = re.search(
            r"The ([^.]*) weighs", text[text.index(re.search(r"the (\w+ \w+) weigh", q.question)[1]) - 4 :]
        )
        assert found
        start = text.index(f"The {found[1]} weighs")
        end = text.index(".", start) + 1
        whole = replace(q, kind="factoid", answerable=True, evidence=text[start:end], start=start, end=end)
        kept.append(whole if n < 2 else replace(whole, kind="withheld", answerable=False, evidence="", start=0, end=0))
    others = [q for q in tuned.project.questions() if q.split != "test"]
    tuned.project.keep_questions([*others, *kept[:3]])
    tuned.fakes.asked.clear()
    return tuned


def test_four_cells_over_the_same_questions(split: House) -> None:
    verdict = measured(split)
    assert verdict.n == 3 and set(verdict.cells) == set(CELLS)
    assert all(set(cell) == set(METRICS) and cell["f1"].n == 3 for cell in verdict.cells.values())
    sides = [side for side, _ in split.fakes.asked]
    assert sides == ["base"] * 6 + ["tuned"] * 6
    asked = [re.search(r"Question: (.*)$", prompt[-1].content)[1] for _, prompt in split.fakes.asked]
    assert asked[:3] == asked[3:6] == asked[6:9] == asked[9:]
    prompts = [prompt for _, prompt in split.fakes.asked]
    assert prompts[3:6] == prompts[9:] and prompts[:3] == prompts[6:9]  # the same passages for both
    assert verdict.cells["tuned_rag"]["em"].mean == 100.0 and verdict.cells["tuned_rag"]["refusal_recall"].mean == 100.0
    assert verdict.cells["base_rag"]["em"].mean == 0.0 < verdict.cells["base_rag"]["f1"].mean
    assert verdict.difference["f1"].mean > 0 and verdict.decision == "not enough"
    assert verdict.run == split.project.runs()[0].id and verdict.made and verdict.seconds > 0


def test_an_answer_may_be_as_long_as_in_chat_and_export(split: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that names its passages last would lose them only here."""
    from ragtune_ui.engine import exporter
    from ragtune_ui.studio import chat
    from tests.studio.conftest import Speaker

    limits, real = set(), Speaker.answer
    monkeypatch.setattr(
        Speaker, "answer", lambda self, prompts, side, limit, progress: limits.add(limit)
        or real(self, prompts, side, limit, progress),
    )  # fmt: skip
    measured(split)
    assert limits == {chat.ANSWER_TOKENS} == {exporter.ANSWER_TOKENS}


def test_a_withheld_question_never_sees_its_document(split: House) -> None:
    measured(split)
    withheld = next(q for q in split.project.questions() if q.kind == "withheld")
    secret = [c.text for c in split.project.chunks() if c.document == withheld.document]
    shown = [p for _, p in split.fakes.asked if withheld.question in p[-1].content]
    assert len(shown) == 4 and sum("[1]" in p[-1].content for p in shown) == 2
    for prompt in shown:
        assert not any(text in prompt[-1].content for text in secret)
        assert withheld.answer not in prompt[-1].content
    answered = [p for _, p in split.fakes.asked if withheld.question not in p[-1].content and "[1]" in p[-1].content]
    assert answered and all(any(text in p[-1].content for text in secret) for p in answered)


def test_retrieval_is_measured_on_what_can_be_found(split: House) -> None:
    verdict = measured(split)
    assert verdict.retrieval == {"hit@1": 1.0, "hit@3": 1.0, "hit@5": 1.0, "hit@k": 1.0, "mrr": 1.0, "k": 4.0}


def test_the_share_found_looks_as_far_as_the_models_are_given(split: House) -> None:
    """With twenty passages a question, one at rank 15 is among them; the mean rank looks at the first ten."""
    desk, project = split.studio.verdicts, split.project
    question = next(q for q in desk.questions(project) if q.evidence)
    oracle = next(c for c in question.oracles(project.chunks()))
    others = [c for c in project.chunks() if c.id not in {o.id for o in question.oracles(project.chunks())}]
    ranked = [*others[:14], oracle]
    assert desk._retrieval(project, [question], [ranked], 20)["hit@k"] == 1.0
    assert desk._retrieval(project, [question], [ranked], 4)["hit@k"] == 0.0
    assert desk._retrieval(project, [question], [ranked], 20)["mrr"] == 0.0
    silent = replace(question, evidence="", answerable=False)
    assert desk._retrieval(project, [silent], [ranked], 4) == {"k": 4.0}  # nothing to find, so no share of it


def test_leaks_are_counted(split: House) -> None:
    assert "0 of 3" in {c.figure for c in measured(split).checks}
    trained = split.project.examples(split.project.datasets()[0].id)
    seen = next(e for e in trained if e.lane == "raft")
    source = next(q for q in split.project.questions() if q.id == seen.question)
    questions = split.project.questions()
    leaked = replace(questions[-2], question=source.question.upper())  # word for word, under another id
    split.project.keep_questions([*questions[:-2], leaked, questions[-1]])
    assert "1 of 3" in {c.figure for c in measured(split).checks}
    split.project.keep_questions([replace(source, split="test"), *questions[-2:]])
    assert "1 of 3" in {c.figure for c in measured(split).checks}


def test_what_is_missing_is_said(full: House) -> None:
    with pytest.raises(VerdictError, match="no trained model"):
        full.studio.verdicts.measure(full.project)
    run = full.train("crash")
    with pytest.raises(VerdictError, match="no trained model"):
        full.studio.verdicts.measure(full.project, run)
    good = full.train()
    with pytest.raises(VerdictError, match="no result to measure"):
        full.studio.verdicts.measure(full.project, run)
    full.project.keep_questions([q for q in full.project.questions() if q.split != "test"])
    with pytest.raises(VerdictError, match="no held-back questions") as caught:
        full.studio.verdicts.measure(full.project, good)
    assert "Questions page" in caught.value.remedy
    full.project.keep_questions([Question("x", "Why?", "because", split="test", status="proposed")])
    with pytest.raises(VerdictError, match="no held-back questions"):
        full.studio.verdicts.measure(full.project, good)
    assert full.studio.verdicts.latest(full.project) is None


def test_questions_about_a_removed_document_are_not_asked(split: House) -> None:
    desk = split.studio.verdicts
    answerable, withheld = desk.questions(split.project)[:2], desk.questions(split.project)[2:]
    assert all(q.evidence for q in answerable) and withheld
    split.studio.documents.remove(split.project, answerable[0].document)
    assert desk.questions(split.project) == withheld
    split.idle()
    split.studio.documents.undo_remove(split.project)
    assert desk.questions(split.project) == [*answerable, *withheld]


def test_measuring_is_heavy_work_and_can_be_stopped(split: House) -> None:
    gate = split.fakes.gate
    gate.clear()
    id = split.studio.jobs.start(split.project, "index", "Making passages", lambda task: str(gate.wait(10)))
    with pytest.raises(Busy):
        split.studio.verdicts.measure(split.project)
    gate.set()
    split.wait(id)

    def stop_then(real):
        def answer(self, prompts, side, limit, progress):
            split.studio.jobs.stop(split.project, split.project.jobs()[0].id)
            return real(self, prompts, side, limit, progress)

        return answer

    from tests.studio.conftest import Speaker

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Speaker, "answer", stop_then(Speaker.answer))
        assert split.wait(split.studio.verdicts.measure(split.project)).state == "stopped"
    wait_until(lambda: split.studio.jobs.holder() is None)
    assert split.studio.verdicts.latest(split.project) is None
    assert measured(split).n == 3  # and the model is free again


def test_a_verdict_is_behind_once_its_run_is_trained_on(split: House) -> None:
    """A stopped run is measured, then continued: the same run, other weights."""
    verdict, desk = measured(split), split.studio.verdicts
    assert verdict.adapter == split.project.adapter_digest(verdict.run) != ""
    assert not desk.behind(split.project, verdict)

    def weights(text: str) -> None:
        folder = split.project.run_folder(verdict.run) / "adapter"
        files.publish(folder, lambda to: files.write_text(to / "adapter_model.safetensors", text))

    weights("trained on")
    assert desk.behind(split.project, verdict)
    assert not desk.behind(split.project, replace(verdict, adapter=""))  # kept by an older version: nobody knows
    assert not desk.behind(split.project, measured(split))
    assert split.project.adapter_digest("run-of-nobody") == ""


def test_a_stop_is_heard_while_the_ranges_are_worked_out(split: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from ragtune_ui.studio import verdict

    real = verdict.judge

    def stop_first(**given):
        split.studio.jobs.stop(split.project, split.project.jobs()[0].id)
        return real(**given)

    monkeypatch.setattr(verdict, "judge", stop_first)
    assert split.wait(split.studio.verdicts.measure(split.project)).state == "stopped"
    assert split.studio.verdicts.latest(split.project) is None
