"""Proving desk: does search find the right passage? Judgements, the test of the search, the map of its reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ragtune_ui.domain.errors import PassageError, RagtuneError
from ragtune_ui.domain.passages import Chunk, ChunkSettings, Judgement, Passage, SearchSettings, overlaps
from ragtune_ui.domain.ranks import DEPTH, Answers, Ranking, Span, hit, measured, ndcg, reciprocal
from ragtune_ui.domain.scores import Interval
from ragtune_ui.domain.words import counted
from ragtune_ui.store import files
from ragtune_ui.store.projects import Project, now
from ragtune_ui.studio.jobs import Task
from ragtune_ui.studio.mixing import digest_of_passages

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

T = TypeVar("T")
BLOCK = 256  # questions asked at a time, so that a stop is heard
SECTIONS = 200  # sections listed that nothing reaches, at most


@dataclass(frozen=True)
class Tested:
    """How retrieval does on questions whose passage is known; intervals in percent, MRR and nDCG too."""

    questions: int
    hit1: Interval
    hit3: Interval
    hit5: Interval
    hit_k: Interval
    mrr: Interval
    ndcg: Interval
    k: int
    search: SearchSettings
    chunks: ChunkSettings
    at: str = ""
    embedder: str | None = None  # the search model; None in a record of an earlier make, which did not say
    passages: str = ""  # digest of the passages; "" likewise


@dataclass(frozen=True)
class Point:
    """A passage on the map of meaning; both figures lie in -1 to 1."""

    chunk: str
    x: float
    y: float
    reached: bool


@dataclass(frozen=True)
class Section:
    """A heading of a document under which no passage was reached."""

    document: str
    name: str
    page: int
    passages: int
    words: int
    chunk: str  # its first passage


@dataclass(frozen=True)
class Coverage:
    """What questions and answers reach of the documents."""

    points: tuple[Point, ...]
    sections: tuple[Section, ...]  # largest first
    questions: int
    at: str = ""

    @property
    def reached(self) -> int:
        return sum(p.reached for p in self.points)


class Proving:
    """What a person can ask about the search itself."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    # judging -------------------------------------------------------------------------------

    def judge(self, project: Project, question: str, chunk_id: str, relevant: bool) -> str:
        """Keep "This answers it" or "Not this"; says what the test set now holds."""
        chunk = self._studio.mending.chunk(project, chunk_id)
        key = (question, chunk.document, chunk.start, chunk.end)
        with project.changing():
            kept = [j for j in project.judgements() if (j.question, j.document, j.start, j.end) != key]
            project.keep_judgements([*kept, Judgement(*key, relevant=relevant, at=now())])
        number = len(self.wanted(project))
        return f"Kept. {counted(number, 'question tests', 'questions test')} the search now."

    def verdict_on(self, project: Project, question: str, chunk: Chunk) -> bool | None:
        """What the person said last about a passage for a question, if anything: about this very passage, else about
        most of its text, as passages cut by other settings have it."""
        said = [j for j in reversed(project.judgements())
                if j.question == question and overlaps(chunk, j.document, j.start, j.end)]  # fmt: skip
        exact = [j for j in said if (j.start, j.end) == (chunk.start, chunk.end)]
        most = [j for j in said if 2 * (min(j.end, chunk.end) - max(j.start, chunk.start)) > chunk.end - chunk.start]
        return next((j.relevant for j in exact + most), None)

    # testing -------------------------------------------------------------------------------

    def wanted(self, project: Project) -> dict[str, list[Span]]:
        """The test set: each question with the spans that answer it, by "This answers it" and by accepted
        questions with evidence. What proves nothing any more, as its document is gone, is left out."""
        here = {c.document for c in project.chunks()}
        found: dict[str, list[Span]] = {}
        for j in project.judgements():
            if j.relevant and j.document in here:
                found.setdefault(j.question, []).append((j.document, j.start, j.end))
        for q in project.questions():
            if q.accepted and q.evidence and q.document in here:
                found.setdefault(q.question, []).append((q.document, q.start, q.end))
        return found

    def start_test(self, project: Project) -> str:
        """Ask every test question, measure, and draw the map, in the background."""

        def work(task: Task) -> str:
            tested = self.test(project, task)
            return f"{tested.questions:,} questions: right passage in the first five {tested.hit5.mean:.0f} %."

        if not self.wanted(project):
            raise PassageError(
                "No question tests the search yet.", "Press “This answers it” on a right passage, or approve questions."
            )
        return self._studio.jobs.start(project, "proof", "Testing the search", work)

    def test(self, project: Project, task: Task) -> Tested:
        """Measure the search on the test set by the project's settings, and keep figures and map."""
        wanted, choices = self.wanted(project), project.choices()
        found = self.asked(project, list(wanted), task)
        answers = Answers(project.chunks())
        rankings = [answers.ranking(q, spans, p) for (q, spans), p in zip(wanted.items(), found, strict=True)]
        k = self._studio.training.given(project, choices.search.number)
        one, three, five, among = (_hits(rankings, n) for n in (1, 3, 5, k))
        tested = Tested(len(rankings), one, three, five, among, measured(rankings, reciprocal),
                        measured(rankings, ndcg), k, choices.search, choices.chunks, now(),
                        choices.embedder, self._digest(project))  # fmt: skip
        files.write_record(project.folder / "search-test.json", tested)
        files.write_record(project.folder / "coverage.json", self._coverage(project, found, k))
        return tested

    def asked(self, project: Project, questions: Sequence[str], task: Task) -> list[list[Passage]]:
        """The first passages for each question, block by block. Raises Stopped."""
        depth = max(DEPTH, project.choices().search.number)
        found: list[list[Passage]] = []
        for start in range(0, len(questions), BLOCK):
            task.progress(start, len(questions), "Asking the test questions")
            part = questions[start : start + BLOCK]
            found += self._studio.retrieval.search(project, part, number=depth)
        task.progress(len(questions), len(questions), "Measuring")
        return found

    def tested(self, project: Project) -> Tested | None:
        """The last test; None where there was none or its file is of an earlier make."""
        return _read(project.folder / "search-test.json", Tested)

    def stale(self, project: Project) -> str:
        """Why the last test no longer says how the search is now; "" where it does."""
        tested, choices = self.tested(project), project.choices()
        if tested is None:
            return ""
        if (tested.search, tested.chunks) != (choices.search, choices.chunks):
            return "The settings have changed since."
        if tested.embedder not in (None, choices.embedder):
            return "Another search model is in use since."
        if tested.passages not in ("", self._digest(project)):
            return "The passages have changed since."
        if tested.k != self._studio.training.given(project, choices.search.number):
            return "The chosen model is given another number of passages since."
        names = ("chunks.jsonl", "judgements.jsonl", "questions.jsonl")
        rests_on = [project.folder / name for name in names]  # the page asks every second
        if tested.questions != files.derived(("wanted", project.folder), rests_on, lambda: len(self.wanted(project))):
            return "The test questions have changed since."
        return ""

    def _digest(self, project: Project) -> str:
        rests_on = [project.folder / "chunks.jsonl"]
        return files.derived(("tested", project.folder), rests_on, lambda: digest_of_passages(project.chunks()))

    # coverage ------------------------------------------------------------------------------

    def coverage(self, project: Project) -> Coverage | None:
        """The map that was drawn with the last test; None where there is none."""
        return _read(project.folder / "coverage.json", Coverage)

    def _coverage(self, project: Project, found: Sequence[Sequence[Passage]], k: int) -> Coverage:
        """Every passage with its place; reached is what a question finds, a person pointed at or the chat was given."""
        chunks = project.chunks()
        reached = {p.chunk.id for passages in found for p in passages[:k]}
        reached |= {c.id for turn in project.turns() for c in turn.passages}
        answers = Answers(chunks)
        for spans in self.wanted(project).values():
            reached |= answers.holding(spans)
        places = self._studio.retrieval.plane(project)
        points = tuple(Point(c.id, round(places[c.id][0], 4), round(places[c.id][1], 4), c.id in reached)
                       for c in chunks if c.id in places)  # fmt: skip
        return Coverage(points, tuple(_sections(chunks, reached)), len(found), now())


def _hits(rankings: Sequence[Ranking], k: int) -> Interval:
    return measured(rankings, lambda r: hit(r, k))


def _sections(chunks: Sequence[Chunk], reached: set[str]) -> list[Section]:
    """Sections of which no passage was reached, largest first."""
    groups: dict[tuple[str, tuple[str, ...]], list[Chunk]] = {}
    for chunk in chunks:
        groups.setdefault((chunk.document, chunk.heading[:2]), []).append(chunk)
    found = [
        Section(own[0].document, " · ".join([own[0].title, *path[-1:]]), own[0].page, len(own),
                sum(len(c.text.split()) for c in own), own[0].id)
        for (_, path), own in groups.items()
        if not any(c.id in reached for c in own)
    ]  # fmt: skip
    return sorted(found, key=lambda s: -s.words)[:SECTIONS]


def _read(path: Path, kind: type[T]) -> T | None:
    if not path.exists():
        return None
    try:
        found: T = files.cached(path, kind, files.read_record)
    except RagtuneError:
        return None
    return found
