"""Retrieval desk: passages made, indexed and found; the same search for page, data, chat and verdict."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ragtune_ui.domain.errors import PassageError
from ragtune_ui.domain.passages import Chunk, ChunkSettings, Judgement, Passage, SearchSettings, covering
from ragtune_ui.domain.ports import Searcher
from ragtune_ui.domain.scores import hit_at, mrr
from ragtune_ui.store.projects import Project, now
from ragtune_ui.studio.jobs import Task

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

DEPTH = 10  # ranks looked at when retrieval is measured


@dataclass(frozen=True)
class Found:
    """What one search gave."""

    question: str
    passages: tuple[Passage, ...]
    seconds: float


@dataclass(frozen=True)
class Tested:
    """How retrieval does on questions whose passage is known. Shares are 0 to 1."""

    questions: int
    hit1: float = 0.0
    hit3: float = 0.0
    hit5: float = 0.0
    hit_k: float = 0.0
    mrr: float = 0.0
    k: int = 0


class Retrieval:
    """What a person can ask for on the Passages page, and the search all other desks use."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._searchers: dict[Path, Searcher] = {}
        self._lock = threading.RLock()
        self._indexing = False

    # index ---------------------------------------------------------------------------------

    def start_index(self, project: Project, title: str = "Making passages") -> str:
        """Make passages and index them in the background."""

        def work(task: Task) -> str:
            self.index(project, task)
            return f"{len(project.chunks()):,} passages are ready."

        return self._studio.jobs.start(project, "index", title, work)

    def index(self, project: Project, task: Task) -> None:
        """Cut every ready document and make the index hold exactly these passages."""
        settings = project.choices().chunks
        chunker = self._studio.chunker()
        documents = [d for d in project.documents() if d.ready]
        chunks: list[Chunk] = []
        for done, document in enumerate(documents):
            task.progress(done, len(documents), f"Cutting {document.name}")
            chunks += chunker.cut(document, project.text(document.id), settings)
        project.keep_chunks(chunks)
        with self._lock:
            self._indexing = True
            try:
                self._searcher(project).update(chunks, task.progress)
            finally:
                self._indexing = False

    def behind(self, project: Project) -> bool:
        """True where a stop or a crash left documents without passages, or passages out of the index."""
        chunks = project.chunks()
        cut = {c.document for c in chunks}
        if any(d.ready and d.words and d.id not in cut for d in project.documents()):
            return True
        with self._lock:
            return self._searcher(project).count() != len(chunks)

    def change(self, project: Project, chunks: ChunkSettings, search: SearchSettings) -> bool:
        """Keep new settings; True where passages have to be made again (that job is started)."""
        if not 0 <= search.balance <= 1 or not 1 <= search.number <= 20:
            raise PassageError("The number of passages lies between 1 and 20.", "Move the slider back.")
        if not 40 <= chunks.size <= 1000 or not 0 <= chunks.overlap < chunks.size:
            raise PassageError("Passages are 40 to 1,000 word pieces long.", "Choose a length in that range.")
        again = project.choices().chunks != chunks and bool(project.documents())
        if again:
            self._studio.jobs.ensure_free()
        project.choose(chunks=chunks, search=search)
        if again:
            self.start_index(project, "Making passages again")
        return again

    # search --------------------------------------------------------------------------------

    def find(self, project: Project, question: str) -> Found:
        """The passages for one question, best first.

        Raises:
            PassageError: nothing was asked, or there is no passage yet.
        """
        question = " ".join(question.split())
        if not question:
            raise PassageError("Type a question first.", "Ask one that your documents should answer.")
        if not project.chunks():
            raise PassageError("There are no passages yet.", "Add documents first.")
        began = time.perf_counter()
        found = self.search(project, [question])[0]
        return Found(question, tuple(found), time.perf_counter() - began)

    def search(
        self,
        project: Project,
        questions: Sequence[str],
        number: int | None = None,
        documents: Sequence[str] | None = None,
    ) -> list[list[Passage]]:
        """Ranked passages for many questions by the project's own settings, in one batch.

        Raises:
            PassageError: passages are being indexed, which may take minutes.
        """
        if self._indexing:
            raise PassageError("The passages are being made.", "Search again when that is finished.")
        settings = project.choices().search
        if number is not None:
            settings = replace(settings, number=number)
        with self._lock:
            return self._searcher(project).search(questions, settings, documents)

    def _searcher(self, project: Project) -> Searcher:
        if project.folder not in self._searchers:
            self._searchers[project.folder] = self._studio.engines.searcher(project.index_folder)
        return self._searchers[project.folder]

    # judging -------------------------------------------------------------------------------

    def judge(self, project: Project, question: str, chunk_id: str, relevant: bool) -> str:
        """Keep "This answers it" or "Not this"; says what the test set now holds."""
        chunk = next((c for c in project.chunks() if c.id == chunk_id), None)
        if chunk is None:
            raise PassageError("That passage is no longer there.", "Search again.")
        key = (question, chunk.document, chunk.start, chunk.end)
        with project.changing():
            kept = [j for j in project.judgements() if (j.question, j.document, j.start, j.end) != key]
            project.keep_judgements([*kept, Judgement(*key, relevant=relevant, at=now())])
        tested = self.tested(project)
        return (
            f"Kept. {tested.questions} questions test the search; right passage in the first five: {tested.hit5:.0%}."
        )

    def verdict_on(self, project: Project, question: str, chunk: Chunk) -> bool | None:
        """What the person said about a passage for a question, if anything."""
        for j in project.judgements():
            if j.question == question and j.document == chunk.document and j.start < chunk.end and chunk.start < j.end:
                return j.relevant
        return None

    def tested(self, project: Project) -> Tested:
        """Retrieval measured on the person's own "This answers it" and on accepted questions with evidence."""
        chunks = project.chunks()
        here = {c.document for c in chunks}  # what proves nothing any more, as its document is gone, is no test
        wanted: dict[str, list[tuple[str, int, int]]] = {}
        for j in project.judgements():
            if j.relevant and j.document in here:
                wanted.setdefault(j.question, []).append((j.document, j.start, j.end))
        for q in project.questions():
            if q.accepted and q.evidence and q.document in here:
                wanted.setdefault(q.question, []).append((q.document, q.start, q.end))
        if not wanted or not chunks:
            return Tested(0)
        found = self.search(project, list(wanted), number=DEPTH)
        ranks = [
            first_rank(passages, [c.id for span in spans for c in covering(chunks, *span)])
            for passages, spans in zip(found, wanted.values(), strict=True)
        ]
        k = project.choices().search.number
        return Tested(
            len(wanted), hit_at(ranks, 1), hit_at(ranks, 3), hit_at(ranks, 5), hit_at(ranks, k), mrr(ranks), k
        )

    def suggestions(self, project: Project, number: int = 4) -> list[str]:
        """Example questions from the person's own material: accepted questions first, then headings."""
        asked = [q.question for q in project.questions() if q.accepted][:number]
        if len(asked) >= number:
            return asked
        headings = dict.fromkeys(
            c.heading[-1] for c in project.chunks() if c.heading and len(c.heading[-1].split()) >= 2
        )
        return asked + [_ask(h) for h in list(headings)[: number - len(asked)]]


def first_rank(passages: Sequence[Passage], oracles: Sequence[str]) -> int | None:
    """Rank (from 1) of the first passage that is an oracle; None where none is."""
    return next((p.rank for p in passages if p.chunk.id in set(oracles)), None)


def _ask(heading: str) -> str:
    heading = re.sub(r"[*_`#]+", "", heading).strip(" .:")
    return heading if heading.endswith("?") else f"What is said about {heading[:1].lower()}{heading[1:]}?"
