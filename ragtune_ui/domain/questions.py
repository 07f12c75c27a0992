"""Questions with their evidence, the person's decisions about them, and the rows they come in."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import Literal

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.errors import QuestionError
from ragtune_ui.domain.passages import Chunk, covering, find_span, find_spans, sentence_around, shared
from ragtune_ui.domain.words import gram_recall

Split = Literal["train", "dev", "test"]
QuestionStatus = Literal["proposed", "approved", "edited", "rejected"]
Origin = Literal["sample", "import", "written", "search", "chat"]
DEV_SHARE = 0.12  # of the questions to learn from, kept for the dashed line
TEST_SHARE = 0.2  # of the questions, kept to measure with where no document is held back
WITHHELD_SHARE = 1 / 3  # of written held-back questions, asked with their document withheld


@dataclass(frozen=True)
class Question:
    """A question, its answer and the span of a document that proves it.

    ``start`` and ``end`` are character offsets of ``evidence`` in the document's text; they are
    0, 0 where there is none. ``answerable`` False means: the documents do not say.
    """

    id: str
    question: str
    answer: str
    evidence: str = ""
    document: str = ""  # document id
    start: int = 0
    end: int = 0
    kind: str = "factoid"
    split: Split = "train"
    status: QuestionStatus = "proposed"
    answerable: bool = True
    who: Origin = "written"
    outdated: str = ""  # the evidence it had before its document changed, while it waits to be checked again

    @property
    def accepted(self) -> bool:
        return self.status in ("approved", "edited")

    @property
    def supported(self) -> bool:
        """True where a sentence of a document proves the answer, or nothing has to."""
        return bool(self.evidence) or not self.answerable

    def oracles(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """The chunks that hold the evidence, whole where possible; none for the unanswerable."""
        return covering(chunks, self.document, self.start, self.end) if self.evidence else []


@dataclass(frozen=True)
class Decision:
    """One step of the undo stack: the questions as they were before."""

    before: tuple[Question, ...]
    said: str  # "approved", "rejected", "edited", "approved 96"


@dataclass(frozen=True)
class RowProblem:
    """A row of an imported file that could not be used, counted as its editor counts: a header is row 1 there,
    and a file without one has its first record in row 1."""

    row: int
    problem: str


@dataclass(frozen=True)
class Row:
    """One usable row of an imported file."""

    row: int
    question: str
    answer: str
    source: str = ""
    split: Split | None = None
    answerable: bool = True
    evidence: str = ""


COLUMNS: dict[str, tuple[str, ...]] = {
    "question": ("question", "questions", "query", "prompt", "frage", "q"),
    "answer": ("answer", "answers", "response", "completion", "expected", "antwort", "a"),
    "source": ("source", "file", "document", "filename", "file name", "quelle"),
    "split": ("split", "set", "part"),
    "answerable": ("answerable", "has answer", "has_answer"),
    "evidence": ("evidence", "quote", "sentence", "support"),
}
_SPLITS: dict[str, Split] = {
    "train": "train", "training": "train", "dev": "dev", "validation": "dev", "valid": "dev", "val": "dev",
    "test": "test", "held-back": "test", "held back": "test", "heldback": "test", "holdout": "test",
}  # fmt: skip
_NO = {"false", "no", "n", "0", "nein", "unanswerable"}
_YES = {"true", "yes", "y", "1", "ja", "", "answerable"}


def guess_columns(headers: Sequence[str]) -> dict[str, str]:
    """Field to header, for the headers that say what they are; case and blanks do not matter."""
    clean = {re.sub(r"[\s_]+", " ", h).strip().lower(): h for h in headers}
    return {
        field: clean[word]
        for field, words in COLUMNS.items()
        for word in [next((w for w in words if w in clean), None)]
        if word is not None
    }


def read_rows(
    records: Iterable[Mapping[str, object]], columns: Mapping[str, str]
) -> tuple[list[Row], list[RowProblem]]:
    """Rows that can be used and the reasons why others cannot. ``records`` has one for each row of the file.

    Raises:
        QuestionError: the column with the questions is not named.
    """
    if "question" not in columns:
        raise QuestionError(
            "The file has no column with questions.",
            "Name one column 'question', or choose the column that holds the questions.",
        )
    rows: list[Row] = []
    problems: list[RowProblem] = []
    for number, record in enumerate(records, start=1):
        cell = {f: str(record.get(h, "") if record.get(h) is not None else "").strip() for f, h in columns.items()}
        said = cell.get("answerable", "").lower()
        split = cell.get("split", "").lower()
        answer = cell.get("answer", "")
        if not any(cell.values()):
            continue
        if not cell["question"]:
            problems.append(RowProblem(number, "the question is empty"))
        elif said not in _NO | _YES:
            problems.append(RowProblem(number, f"'answerable' says {said!r}; write true or false"))
        elif split and split not in _SPLITS:
            problems.append(RowProblem(number, f"'split' says {split!r}; write train, dev or test"))
        elif not answer and said not in _NO:
            problems.append(RowProblem(number, "the answer is empty; write it, or put 'false' under 'answerable'"))
        else:
            rows.append(
                Row(number, cell["question"], answer, cell.get("source", ""),
                    _SPLITS[split] if split else None, said not in _NO, cell.get("evidence", ""))
            )  # fmt: skip
    return rows, problems


def document_named(documents: Sequence[Document], source: str) -> Document | None:
    """The document that a row names as its source, wherever its file lies and of whatever kind it is there."""
    whole = source.replace("\\", "/").strip().lower()
    wanted = PurePosixPath(whole).name
    if not wanted:
        return None
    exact = {d.name.lower(): d for d in documents}  # names may hold sub-folders
    names = {PurePosixPath(d.name).name.lower(): d for d in documents}
    stems = {PurePosixPath(d.name).stem.lower(): d for d in documents}
    return exact.get(whole) or names.get(wanted) or stems.get(PurePosixPath(wanted).stem)


PLACES = 200  # of an answer in one text that are weighed: "a" stands everywhere


def imported(row: Row, near: Sequence[Chunk], texts: Mapping[str, str], source: str = "") -> Question:
    """The approved question of a row, with its evidence where there is any.

    ``near`` are the passages that a search finds for it, best first; ``source`` is the id of the document that
    the row names, from which they come then; ``texts`` are those of all documents, by id.
    """
    proof = _proof(row, near, texts, source) if row.answerable else None
    document, start, end = proof or ("", 0, 0)
    return Question(
        id=question_id(row.question, row.source),
        question=row.question,
        answer=row.answer if row.answerable else "",
        evidence=texts[document][start:end] if proof else "",
        document=document,
        start=start,
        end=end,
        status="approved",
        answerable=row.answerable,
        who="import",
    )


def _proof(row: Row, near: Sequence[Chunk], texts: Mapping[str, str], source: str) -> tuple[str, int, int] | None:
    """Document and span that prove a row: its own quote if it names its source; else the first passage that holds
    quote or answer; else the answer anywhere in its source; else the passage that shares most of the answer's
    4-grams (at least half)."""
    quoted = find_span(texts[source], row.evidence) if source else None
    if quoted:
        return source, *quoted
    for chunk in near:
        text = texts[chunk.document]
        held = _held(text[chunk.start : chunk.end], row)
        if held and (not chunk.mended or _held(chunk.text, row)):  # what a person mended away proves nothing
            return chunk.document, *sentence_around(text, chunk.start + held[0], chunk.start + held[1])
    answered = _answered(texts[source], row) if source else None
    if answered:
        return source, *sentence_around(texts[source], *answered)
    best = max(near, key=lambda c: gram_recall(row.answer, c.text), default=None)
    if best is not None and gram_recall(row.answer, best.text) >= 0.5:
        return best.document, best.start, best.end
    return None


def _held(text: str, row: Row) -> tuple[int, int] | None:
    return find_span(text, row.evidence) or _answered(text, row)


def _answered(text: str, row: Row) -> tuple[int, int] | None:
    """Where the answer stands: a short one stands in many places, and that whose sentence shares most words
    with the question is meant."""

    def told(place: tuple[int, int]) -> int:
        left, right = sentence_around(text, *place)
        return shared(row.question, text[left:right])

    return max(islice(find_spans(text, row.answer, whole=True), PLACES), key=told, default=None)


def merged(shelf: Sequence[Question], new: Iterable[tuple[Question, str]]) -> tuple[list[Question], Counter[str]]:
    """The shelf with imported questions, each of which comes with the id of the document that its row names, if any;
    and how many were "added", "filled" with the evidence that they lacked here, "differing" from the answer that is
    here and stays, or the "same"."""
    questions = list(shelf)
    ids = {q.id: n for n, q in enumerate(questions)}  # a person may have changed the words
    asked: dict[str, list[int]] = {}
    for n, q in enumerate(questions):
        asked.setdefault(question_id(q.question), []).append(n)
    became: Counter[str] = Counter()
    for question, source in new:
        alike = asked.setdefault(question_id(question.question), [])
        at = ids.get(question.id, next((n for n in alike if _same(questions[n], question, source)), None))
        if at is None:
            ids[question.id] = len(questions)
            alike.append(len(questions))
            questions.append(question)
            became["added"] += 1
        elif _told(questions[at]) != _told(question):
            became["differing"] += 1
        else:
            whole = _filled(questions[at], question)
            became["same" if whole == questions[at] else "filled"] += 1
            questions[at] = whole
    return questions, became


def _same(here: Question, new: Question, source: str) -> bool:
    """True where a question in the same words is the same one. It is not where its row names another document, of
    which the answer is another; one that came without a source rests on a guess, and is the same."""
    named = here.id != question_id(here.question)
    return not (source and named and here.document != source and _told(here) != _told(new))


def _told(question: Question) -> str:
    """The answer, whatever case and white space; "" where the documents do not say."""
    return " ".join(question.answer.lower().split())


def _filled(here: Question, new: Question) -> Question:
    """A question with the evidence that another import of it has found, where it has none and needs some."""
    if here.evidence or not here.answerable or not new.evidence:
        return here
    split = new.split if new.split == "test" else here.split  # what is held back now measures
    return replace(here, evidence=new.evidence, document=new.document, start=new.start, end=new.end, split=split,
                   outdated="")  # fmt: skip


def assigned(question: Question, document: Document | None, apart: bool) -> Question:
    """The question in its split: held-back documents measure, a few others draw the dashed line.

    Of written questions about held-back documents a third is asked with that document withheld, so
    that refusing is measured too. Where none is held back apart from the others (not ``apart``), as of too few,
    a share of the questions measures, and of those about no document always (science.md 5.1, track A:
    same documents, new questions). Decided by the question's id, so the same every time.
    """
    draw = int(hashlib.sha256(question.id.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
    if document is not None and document.held_back:
        if question.who == "written" and draw < WITHHELD_SHARE:
            question = replace(question, kind="withheld", answerable=False, evidence="", start=0, end=0)
        return replace(question, split="test")
    if draw < TEST_SHARE and (document is None or not apart):
        return replace(question, split="test")
    split: Split = "dev" if draw > 1 - DEV_SHARE else "train"
    return replace(question, split=split)


def question_id(question: str, document: str = "") -> str:
    """A short id that is the same for the same question about the same document."""
    return hashlib.sha256(f"{document}\n{' '.join(question.lower().split())}".encode()).hexdigest()[:12]


def decided(question: Question, status: QuestionStatus, text: str | None = None, answer: str | None = None) -> Question:
    """The question after a person's decision. Approving changed words makes it "edited" (mended).

    Raises:
        QuestionError: the question would be empty, or answerable without an answer.
    """
    new = replace(question, status=status, outdated="",
                  question=(question.question if text is None else text).strip(),
                  answer=(question.answer if answer is None else answer).strip())  # fmt: skip
    if new.accepted:
        if not new.question:
            raise QuestionError("The question is empty.", "Write it, or reject it.")
        if new.answerable and not new.answer:
            raise QuestionError("The answer is empty.", "Write it, or say that your documents do not say.")
        if (new.question, new.answer) != (question.question, question.answer):
            new = replace(new, status="edited")
    return new


def tally(questions: Iterable[Question]) -> dict[str, int]:
    """Counts the pages need: all, checked, accepted, rejected, train, dev, test (accepted only)."""
    everything = list(questions)
    accepted = [q for q in everything if q.accepted]
    counts = {
        "all": len(everything),
        "checked": sum(q.status != "proposed" for q in everything),
        "accepted": len(accepted),
        "rejected": sum(q.status == "rejected" for q in everything),
    }
    counts.update({s: sum(q.split == s for q in accepted) for s in ("train", "dev", "test")})
    return counts
