"""Verdict desk: held-back questions, four cells, one honest sentence."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import VerdictError
from ragtune_ui.domain.passages import Chunk
from ragtune_ui.domain.ports import Speaker
from ragtune_ui.domain.questions import Question
from ragtune_ui.domain.ranks import DEPTH
from ragtune_ui.domain.recipes.raft import holds_answer, usable
from ragtune_ui.domain.scores import Outcome, hit_at, mrr
from ragtune_ui.domain.verdicts import CELLS, Verdict, judge, judge_reply
from ragtune_ui.store.projects import Project, now
from ragtune_ui.studio.chat import ANSWER_TOKENS, fitted
from ragtune_ui.studio.jobs import Task

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio


class Verdicts:
    """What a person can ask for on the Verdict page."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    def questions(self, project: Project) -> list[Question]:
        """The held-back questions: accepted, split "test", of documents that are still there."""
        here = {d.id for d in project.documents() if d.ready}
        asked = [q for q in project.questions() if q.split == "test" and usable(q)]
        return [q for q in asked if q.document in here or not q.evidence]

    def measure(self, project: Project, run: str = "") -> str:
        """Measure a run (the latest usable one for "", or for one of another project) in the background; returns the
        job's id.

        Raises:
            VerdictError: there is nothing to measure, or nothing to measure with. Busy.
        """
        run = self._run(project, run)
        self._held_back(project)

        def work(task: Task) -> str:
            return self.judge(project, run, task).headline

        return self._studio.jobs.start(project, "verdict", "Measuring both models", work)

    def judge(self, project: Project, run: str, task: Task) -> Verdict:
        """The verdict on a run, measured and kept."""
        run = self._run(project, run)
        began = time.monotonic()
        questions = self._held_back(project)
        model, contract, adapter = self._studio.chat.setting(project, run)
        measured = project.adapter_digest(run)
        task.progress(0, 4 * len(questions), "Finding passages")
        ranked = self._ranked(project, questions)
        with self._studio.speakers.using(model, adapter) as speaker:
            number = project.choices().search.number
            number = min(number, speaker.passages or number)
            given = [
                fitted(speaker, contract, q.question, found[:number], ANSWER_TOKENS)
                for q, found in zip(questions, ranked, strict=True)
            ]
            outcomes = self._cells(speaker, contract, questions, given, task)
        all_done = 4 * len(questions)
        verdict = judge(
            id=f"verdict-{uuid.uuid4().hex[:8]}",
            run=run,
            questions=questions,
            outcomes=outcomes,
            retrieval=self._retrieval(project, questions, ranked, number),
            leaked=self._leaked(project, run, questions),
            made=now(),
            seconds=time.monotonic() - began,
            heard=lambda done, total: task.progress(all_done, all_done, "Working out how sure that is"),
            adapter=measured,
        )
        project.keep_verdict(verdict)
        task.result(verdict=verdict.id, decision=verdict.decision)
        return verdict

    def latest(self, project: Project) -> Verdict | None:
        """The verdict made last."""
        return next(iter(project.verdicts()), None)

    def behind(self, project: Project, verdict: Verdict) -> bool:
        """True where the run was trained on since: the verdict is about weights that it no longer has."""
        now = project.adapter_digest(verdict.run)
        return bool(verdict.adapter and now) and now != verdict.adapter

    # inside --------------------------------------------------------------------------------

    def _run(self, project: Project, run: str) -> str:
        usable_runs = [j.id for j in self._studio.training.usable(project)]
        if not usable_runs:
            raise VerdictError("There is no trained model to measure yet.", "Train one first.")
        run = self._studio.training.chosen(project, run)
        if run not in usable_runs:
            raise VerdictError("This training left no result to measure.", "Choose a finished one.")
        return run

    def _held_back(self, project: Project) -> list[Question]:
        questions = self.questions(project)
        if not questions:
            raise VerdictError(
                "There are no held-back questions to measure with.",
                "Hold a document back on the Documents page, and approve questions about it on the Questions page.",
            )
        return questions

    def _ranked(self, project: Project, questions: Sequence[Question]) -> list[list[Chunk]]:
        """Passages for each question. Where a question is asked with its document withheld, that
        document and all passages that hold the answer are left out."""
        found = self._studio.retrieval.search(project, [q.question for q in questions], number=4 * DEPTH)
        least = project.choices().search.threshold
        ranked = []
        for question, passages in zip(questions, found, strict=True):
            chunks = [p.chunk for p in passages if p.score >= least]
            if question.kind == "withheld":
                chunks = [c for c in chunks if c.document != question.document and not holds_answer(c, question)]
            ranked.append(chunks)
        return ranked

    def _cells(
        self,
        speaker: Speaker,
        contract: Contract,
        questions: Sequence[Question],
        given: Sequence[list[Chunk]],
        task: Task,
    ) -> dict[str, list[Outcome]]:
        n = len(questions)
        outcomes: dict[str, list[Outcome]] = {}
        for place, cell in enumerate(CELLS):
            shown = given if cell.endswith("_rag") else [[] for _ in questions]
            prompts = [
                contract.messages(q.question, p) if p else contract.closed_book(q.question)
                for q, p in zip(questions, shown, strict=True)
            ]
            side = "tuned" if cell.startswith("tuned") else "base"
            who = "The tuned model" if side == "tuned" else "The original model"
            how = "with passages" if cell.endswith("_rag") else "from memory"

            def progress(done: int, total: int, note: str, place: int = place, who: str = who, how: str = how) -> None:
                task.progress(place * n + done, 4 * n, f"{who} answers {how}")

            replies = speaker.answer(prompts, side, ANSWER_TOKENS, progress)
            outcomes[cell] = [
                judge_reply(q, reply, p, contract) for q, reply, p in zip(questions, replies, shown, strict=True)
            ]
        return outcomes

    def _retrieval(
        self, project: Project, questions: Sequence[Question], ranked: Sequence[Sequence[Chunk]], number: int
    ) -> dict[str, float]:
        """How well the search served these questions; ``number`` is how many passages the models were given."""
        chunks = project.chunks()
        ranks = []
        for question, found in zip(questions, ranked, strict=True):
            if question.evidence:
                oracles = {c.id for c in question.oracles(chunks)}
                ranks.append(next((n for n, c in enumerate(found, 1) if c.id in oracles), None))
        if not ranks:  # nothing can be found for questions without an answer
            return {"k": float(number)}
        return {
            "hit@1": hit_at(ranks, 1),
            "hit@3": hit_at(ranks, 3),
            "hit@5": hit_at(ranks, 5),
            "hit@k": hit_at(ranks, number),
            "mrr": mrr(ranks, DEPTH),
            "k": float(number),
        }

    def _leaked(self, project: Project, run: str, questions: Sequence[Question]) -> int:
        """Held-back questions that stand, word for word, in the training examples of the run."""
        trained = project.examples(project.sheet(run).dataset)
        ids = {e.question for e in trained if e.question}
        asked = "\n".join(m.content.lower() for e in trained if e.lane == "raft" for m in e.prompt)
        return sum(q.id in ids or f"question: {q.question.lower().strip()}" in asked for q in questions)
