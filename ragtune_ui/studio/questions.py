"""Questions desk: written or imported, checked against their evidence, approved by the person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.errors import QuestionError, RagtuneError
from ragtune_ui.domain.passages import Chunk, find_span
from ragtune_ui.domain.ports import Progress
from ragtune_ui.domain.questions import (
    Decision,
    Question,
    Row,
    RowProblem,
    assigned,
    decided,
    document_named,
    guess_columns,
    imported,
    merged,
    question_id,
    read_rows,
    tally,
)
from ragtune_ui.domain.words import counted
from ragtune_ui.store.projects import Project
from ragtune_ui.store.tables import read_table
from ragtune_ui.studio.jobs import Task

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

Filter = Literal["to check", "approved", "all"]
PAGE = 25
WANTED = 150  # questions in all, shared out by length: where rules find fewer, a model asks
FOUND_WITHIN = 10  # places among which a search must find what the model asked about
FAIR = 20  # questions of a document, unless there are too few documents for ``WANTED``


@dataclass(frozen=True)
class Evidence:
    """A question's passage, cut into what stands before, the sentence that proves it, and after."""

    document: str
    place: str
    before: str
    sentence: str
    after: str


@dataclass(frozen=True)
class Imported:
    """What became of an imported file."""

    added: int
    doubled: int
    without_evidence: int
    problems: tuple[RowProblem, ...]
    filled: int = 0  # of the doubled: those that had no evidence here, and have it now
    differing: int = 0  # of the doubled: those that have another answer here

    @property
    def sentence(self) -> str:
        added = counted(self.added, "question is", "questions are")
        lacking = f", {self.without_evidence:,} without evidence" if self.without_evidence else ""
        parts = [f"{added} in{lacking}."]
        if self.doubled:
            filled = f", {counted(self.filled, 'has its', 'have their')} evidence now" if self.filled else ""
            other = f", {counted(self.differing, 'has', 'have')} another answer here (not changed)"
            parts.append(
                f"{counted(self.doubled, 'was', 'were')} here already{filled}{other if self.differing else ''}."
            )
        if self.problems:
            first, lost = self.problems[0], counted(len(self.problems), "row was", "rows were")
            parts.append(f"{lost} left out; the first is row {first.row}: {first.problem}.")
        return " ".join(parts)


@dataclass(frozen=True)
class Preview:
    """The columns of a file and what they seem to hold."""

    headers: tuple[str, ...]
    columns: dict[str, str]  # field -> header
    rows: int


class Questions:
    """What a person can ask for on the Questions page."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio

    # looking -------------------------------------------------------------------------------

    def found(self, project: Project, show: Filter = "all", search: str = "") -> list[Question]:
        """All questions that the list holds."""
        words = search.strip().lower()
        return [
            q
            for q in project.questions()
            if (show == "all" or (q.status == "proposed") == (show == "to check"))
            and (show != "approved" or q.accepted)
            and words in f"{q.question} {q.answer}".lower()
        ]

    def page(
        self, project: Project, show: Filter = "all", search: str = "", page: int = 0
    ) -> tuple[list[Question], int]:
        """The questions of one page of the list, and how many the filter finds in all."""
        wanted = self.found(project, show, search)
        return wanted[page * PAGE : (page + 1) * PAGE], len(wanted)

    def counts(self, project: Project) -> dict[str, int]:
        """``tally`` of all questions."""
        with suppress(RagtuneError):  # what stands in its way is said where something is to be changed
            self._studio.versions.settle(project)
        return tally(project.questions())

    def get(self, project: Project, id: str) -> Question:
        found = next((q for q in project.questions() if q.id == id), None)
        if found is None:
            raise QuestionError("That question is no longer there.", "Choose another one from the list.")
        return found

    def next_to_check(self, project: Project, after: str = "") -> str:
        """Id of the next question to check behind ``after`` (round the end), or "" when all are checked."""
        questions = project.questions()
        at = next((n for n, q in enumerate(questions) if q.id == after), -1)
        behind = questions[at + 1 :] + questions[: at + 1]
        return next((q.id for q in behind if q.status == "proposed"), "")

    def evidence(self, project: Project, question: Question) -> Evidence | None:
        """The sentence that proves the answer within its surroundings; None where there is none."""
        if not question.evidence:
            return None
        document = next((d for d in project.documents() if d.id == question.document), None)
        if document is None:
            return Evidence("source removed", "", "", question.evidence, "")
        oracles = question.oracles(project.chunks())
        text = project.text(document.id)
        left, right = (oracles[0].start, oracles[0].end) if oracles else (question.start, question.end)
        left, right = min(left, question.start), max(right, question.end)
        place = oracles[0].place if oracles else f"page {document.page_at(question.start)}"
        parts = text[left : question.start], text[question.start : question.end], text[question.end : right]
        return Evidence(document.name, place, *parts)

    # deciding ------------------------------------------------------------------------------

    def approve(self, project: Project, id: str, text: str, answer: str) -> Question:
        """Approve a question as it stands in the form; changed words make it "edited"."""
        return self._decide(project, decided(self.get(project, id), "approved", text, answer), "approved")

    def reject(self, project: Project, id: str) -> Question:
        return self._decide(project, decided(self.get(project, id), "rejected"), "rejected")

    def say_silent(self, project: Project, id: str, text: str) -> Question:
        """Approve it as a question that the documents do not answer."""
        question = replace(self.get(project, id), answerable=False, answer="", evidence="", start=0, end=0)
        return self._decide(project, decided(question, "approved", text), "your documents do not say")

    def approve_supported(self, project: Project) -> int:
        """Approve every question to check whose evidence is there; returns how many. One undo takes all back."""
        with project.changing():
            waiting = [q for q in project.questions() if q.status == "proposed" and q.supported]
            if not waiting:
                raise QuestionError("No question is waiting that has its evidence.", "Write or import questions first.")
            changed = {q.id: replace(q, status="approved") for q in waiting}
            self._keep(project, changed, Decision(tuple(waiting), f"approved {len(waiting):,}"))
        return len(waiting)

    def undo(self, project: Project) -> Decision:
        """Take the latest decision back; works after a reload too."""
        with project.changing():
            decisions = project.decisions()
            if not decisions:
                raise QuestionError("There is nothing to undo.", "Approve or reject a question first.")
            before = {q.id: q for q in decisions[-1].before}
            project.keep_questions([before.get(q.id, q) for q in project.questions()])
            project.keep_decisions(decisions[:-1])
        return decisions[-1]

    def follow(self, project: Project, documents: Sequence[Document]) -> None:
        """Questions about documents that are held back from now on measure; those about released ones are learned from.

        One asked with its document withheld goes on measuring: it has no evidence to learn from.
        """
        turned = {d.id: d for d in documents}
        apart = any(d.held_back for d in project.documents())

        def change(question: Question) -> Question:
            document = turned.get(question.document)
            if document is None:
                return question
            if document.held_back:
                return replace(question, split="test")
            return assigned(question, document, apart) if question.split == "test" and question.evidence else question

        if turned:
            self.amend(project, lambda asked: [change(q) for q in asked])

    def amend(self, project: Project, change: Callable[[Sequence[Question]], Sequence[Question]]) -> None:
        """Change all questions because their documents did, also as an undo would bring them back."""
        with project.changing():
            project.keep_questions(change(project.questions()))
            decisions = [replace(d, before=tuple(change(d.before))) for d in project.decisions()]
            project.keep_decisions(decisions)

    def _decide(self, project: Project, new: Question, said: str) -> Question:
        self._keep(project, {new.id: new}, Decision((self.get(project, new.id),), said))
        return new

    def _keep(self, project: Project, changed: Mapping[str, Question], decision: Decision) -> None:
        with project.changing():
            project.keep_questions([changed.get(q.id, q) for q in project.questions()])
            project.keep_decisions([*project.decisions(), decision])

    # writing -------------------------------------------------------------------------------

    def write(self, project: Project, limit: int = 0) -> str:
        """Write questions from the documents in the background.

        Raises:
            QuestionError: there are no passages yet. Busy: other heavy work runs.
        """
        if not project.chunks():
            raise QuestionError("There are no passages to ask about.", "Add documents first.")
        self._studio.authors.check(project.choices())

        def work(task: Task) -> str:
            added = self.write_all(project, task, limit)
            if not added:
                return self._nothing_new(project)
            return f"{counted(added, 'question is', 'questions are')} waiting to be checked."

        return self._studio.jobs.start(project, "questions", "Writing questions", work)

    def fair(self, project: Project, least: int = FAIR) -> int:
        """How many questions to write of each document so that about ``WANTED`` come together, ``least`` or more."""
        ready = sum(d.ready for d in project.documents())
        return max(least, ceil(WANTED / max(1, ready)))

    def _nothing_new(self, project: Project) -> str:
        """What to say where writing gave no question: all are there already, or none can be made of these documents."""
        if any(q.who != "import" for q in project.questions()):
            return "Nothing new: the questions that these documents give are here already."
        foreign = sorted({d.language for d in project.documents() if d.ready} - {"", "English"})
        if foreign:
            raise QuestionError(
                f"Questions are written from English sentences; these documents are in {' and '.join(foreign)}.",
                "Import questions from a file: they may be in any language.",
            )
        raise QuestionError(
            "No sentence in these documents could be turned into a question.",
            "Import questions from a file, or add documents with plain sentences.",
        )

    def write_all(self, project: Project, task: Task, limit: int = 0) -> int:
        """Write proposed questions from every ready document; returns how many are new.

        Documents to hold back are chosen before the first question is written (science.md 5.1). Rules come
        first, and the built-in reader must be able to answer what they make; where they give a document less than
        its share of ``WANTED``, a model asks (see ``Authors``). A search must find what is asked about.
        ``limit`` caps the number of new questions for each document; 0 is no cap.
        """
        self._studio.documents.ensure_held_back(project)
        writer = self._studio.writer()
        by_document: dict[str, list[Chunk]] = {}
        for chunk in project.chunks():
            by_document.setdefault(chunk.document, []).append(chunk)
        documents = [d for d in project.documents() if d.ready]
        new: Counter[str] = Counter()
        for done, document in enumerate(documents):
            task.progress(done, len(documents), f"Reading {document.name}")
            own, text = by_document.get(document.id, []), project.text(document.id)
            progress = _within(task, done, len(documents), f"Reading {document.name}")
            with self._studio.authors.proving(document) as prover:
                proposed = list(writer.write(document, text, own, project.questions(), prover, progress))
            new[document.id] = self._add(project, document, own, self._found(project, proposed, own), limit)
        room = {d.id: limit - new[d.id] if limit else WANTED for d in documents}
        added = new.total() + self._ask_model(project, documents, by_document, room, task)
        task.progress(len(documents), len(documents), "Written")
        task.result(written=added)
        return added

    def _ask_model(
        self,
        project: Project,
        documents: Sequence[Document],
        by_document: Mapping[str, list[Chunk]],
        room: Mapping[str, int],
        task: Task,
    ) -> int:
        """Questions by a model for English documents that have less than their share; ``room``: new ones, at most."""
        choices, added = project.choices(), 0  # whoever writes when the work begins writes to its end
        if not self._studio.authors.writes(choices):
            return 0
        have = Counter(q.document for q in project.questions())
        passages = sum(map(len, by_document.values()))
        share = {d.id: ceil(WANTED * len(by_document.get(d.id, [])) / max(1, passages)) for d in documents}
        share = {id: min(number, have[id] + room[id]) for id, number in share.items()}
        short = [d for d in documents if have[d.id] < share[d.id] and d.language in ("", "English")]
        for done, document in enumerate(short):
            own, text, wanted = by_document[document.id], project.text(document.id), share[document.id]
            progress = _within(task, done, len(short), f"Asking about {document.name}")
            with self._studio.authors.using(choices) as author:
                asked = project.questions()
                written = list(self._studio.writer().ask(document, text, own, asked, author, wanted, progress))
            added += self._add(project, document, own, self._found(project, written, own), room[document.id])
        return added

    def _found(self, project: Project, written: Sequence[Question], chunks: Sequence[Chunk]) -> list[Question]:
        """Those of which a search finds a passage with the evidence: the others could mean anything."""
        if not written:
            return []
        hits = self._studio.retrieval.search(project, [q.question for q in written], number=FOUND_WITHIN)
        oracles = [{c.id for c in q.oracles(chunks)} for q in written]
        return [q for q, ids, ps in zip(written, oracles, hits, strict=True) if ids & {p.chunk.id for p in ps}]

    def _add(
        self,
        project: Project,
        document: Document,
        chunks: Sequence[Chunk],
        proposed: Iterable[Question],
        limit: int = 0,
    ) -> int:
        """Put what is new of the proposed on the shelf; returns how many that were."""
        proposed = list(proposed)  # before the shelf is held: writing may take a while
        with project.changing():
            shelf, here = project.questions(), {d.id: d for d in project.documents()}
            document = here.get(document.id, document)  # again: it may have been held back meanwhile
            known = {question_id(q.question) for q in shelf}
            fresh: list[Question] = []
            apart = any(d.held_back for d in here.values())
            for question in proposed:
                key = question_id(question.question)
                if key in known or not _still_said(question, chunks):
                    continue
                known.add(key)
                fresh.append(assigned(question, document, apart))
                if limit and len(fresh) == limit:
                    break
            project.keep_questions([*shelf, *fresh])
        return len(fresh)

    # importing -----------------------------------------------------------------------------

    def preview(self, path: Path, name: str) -> Preview:
        """The columns of a CSV, JSONL or Excel file and the guess what each holds."""
        records = read_table(path, name)
        headers = tuple(dict.fromkeys(h for record in records for h in record))
        return Preview(headers, guess_columns(headers), sum(map(bool, records)))

    def import_file(
        self, project: Project, path: Path, name: str, columns: Mapping[str, str] | None = None
    ) -> Imported:
        """Add the rows of a file as approved questions, each with its evidence where it can be found. What is here
        already keeps its answer.

        Raises:
            QuestionError: the file cannot be read, or no column holds questions.
        """
        records = read_table(path, name)
        headers = list(dict.fromkeys(h for record in records for h in record))
        rows, problems = read_rows(records, columns or guess_columns(headers))
        if not any(row.split for row in rows):
            self._studio.documents.ensure_held_back(project)
        documents = {d.id: d for d in project.documents() if d.ready}
        texts = {id: project.text(id) for id in documents}
        sources = {r: document_named(list(documents.values()), r.source) for r in rows if r.answerable}
        near = self._near(project, sources)
        proven = []
        for row in rows:
            source = sources.get(row)
            named = source.id if source else ""
            found = [c for c in near.get(row, []) if c.document in texts]  # an index may be ahead of the shelf
            proven.append((row, imported(row, found, texts, named), named))
        with project.changing():
            shelf, here = project.questions(), {d.id: d for d in project.documents()}
            apart = any(d.held_back for d in here.values())  # now: some may have been held back meanwhile
            placed = [
                (replace(q, split=row.split) if row.split else assigned(q, here.get(q.document or named), apart), named)
                for row, q, named in proven
            ]
            questions, became = merged(shelf, placed)
            project.keep_questions(questions)
        fresh = questions[len(shelf) :]
        return Imported(len(fresh), len(placed) - len(fresh), sum(not q.supported for q in fresh), tuple(problems),
                        became["filled"], became["differing"])  # fmt: skip

    def _near(self, project: Project, sources: Mapping[Row, Document | None]) -> dict[Row, list[Chunk]]:
        """What a search finds for each row, in its source alone where it names one."""
        asked: dict[str, list[Row]] = {}
        for row, source in sources.items() if project.chunks() else ():
            asked.setdefault(source.id if source else "", []).append(row)
        near: dict[Row, list[Chunk]] = {}
        for id, rows in asked.items():
            wanted = [f"{r.question} {r.answer}" for r in rows]
            try:
                found = self._studio.retrieval.search(project, wanted, number=10, documents=[id] if id else None)
            except RagtuneError:
                if not id:
                    raise
                continue  # the text of its source may prove a row without a search
            near.update({row: [p.chunk for p in passages] for row, passages in zip(rows, found, strict=True)})
        return near


def _within(task: Task, done: int, total: int, note: str) -> Progress:
    """Progress on one of ``total`` documents, of which ``done`` are finished."""
    return lambda part, of, _: task.progress(100 * done + 100 * part // max(1, of), 100 * total, note)


def _still_said(question: Question, chunks: Sequence[Chunk]) -> bool:
    """False where a person mended the words away that would prove the answer."""
    oracles = question.oracles(chunks)
    still = all(find_span(c.text, question.evidence) for c in oracles if c.mended)
    return not question.evidence or (bool(oracles) and still)
