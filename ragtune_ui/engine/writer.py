"""Writer: questions out of a document's own sentences, by rules first, then by a language model.

What the rules look for: definitions, questions that the document itself asks, instructions, numbers, times, people,
places, reasons, the phrases of a statement, key-value lines and tables. A draft that a filter rejects is dropped, never
mended: precision before volume. What was made from a sentence has to come back, too: a reader that is shown the passage
must give the answer (the round trip of Alberti et al. 2019, arXiv 1906.05416). Where all this finds too little, a model
asks about what is left (``writing/model.py``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.passages import Chunk, covering
from ragtune_ui.domain.ports import Answers, Progress
from ragtune_ui.domain.questions import Question, question_id
from ragtune_ui.engine.writing import model
from ragtune_ui.engine.writing.filters import sound
from ragtune_ui.engine.writing.grammar import Vocabulary
from ragtune_ui.engine.writing.layout import Found, from_layout
from ragtune_ui.engine.writing.patterns import drafts
from ragtune_ui.engine.writing.prose import Block, blocks, sentences

A_CHUNK = 3  # questions from one passage, at most
A_KIND = 2  # of these, of one kind at most
ACRONYMS = 2  # questions for what letters stand for in one document, at most

# The patterns' names, as the kinds that questions have elsewhere; others keep theirs.
KINDS = {
    **{"acronym": "definition", "table": "number"},
    **dict.fromkeys(("condition", "fact", "time", "person", "place", "faq", "pair"), "factoid"),
}


@dataclass(frozen=True)
class Made:
    """A question that a rule made, and the passage that its evidence lies in."""

    question: Question
    home: Chunk
    given: bool  # by the form of the document: a heading that asks, a table


class QuestionWriter:
    """Proposes questions (``ports.Writer``); the same text and model give the same questions."""

    def write(
        self, document: Document, text: str, chunks: Sequence[Chunk], asked: Sequence[Question] = (),
        prover: Answers | None = None, progress: Progress | None = None,
    ) -> Iterator[Question]:  # fmt: skip
        """Proposed questions, best first; evidence is ``text[start:end]`` and the answer stands in it."""
        known = {q.id for q in asked}
        fresh = [m for m in self._ruled(document, text, chunks) if m.question.id not in known]
        lost = set() if prover is None else self._lost(fresh, prover, progress or _unseen)
        yield from (m.question for m in fresh if m.question.id not in lost)

    def ask(
        self, document: Document, text: str, chunks: Sequence[Chunk], asked: Sequence[Question], speaker: Answers,
        wanted: int, progress: Progress,
    ) -> Iterator[Question]:  # fmt: skip
        """Questions by ``speaker`` about sentences that nothing was asked about; their answers stand in the text."""
        taken = [q for q in asked if q.document == document.id]
        make: Callable[[model.Written], Question] = lambda row: _asked(row, document)
        if (short := wanted - len(taken)) > 0:
            yield from model.questions(document, text, chunks, taken, speaker, short, progress, make)

    def _lost(self, made: Sequence[Made], prover: Answers, progress: Progress) -> set[str]:
        """Ids of those that do not come back; what the document's form gave away needs no proof."""
        tried = [m for m in made if not m.given]
        back = model.answers([(m.question.question, m.home) for m in tried], prover, progress)
        rows = zip(tried, back, strict=True)
        return {m.question.id for m, said in rows if not model.agrees(said, m.question.answer)}

    def _ruled(self, document: Document, text: str, chunks: Sequence[Chunk]) -> Iterator[Made]:
        seen: set[object] = set()
        given: Counter[object] = Counter()
        for found in sorted(_found(text), key=lambda f: (-f.draft.weight, f.start)):
            draft = found.draft
            words = " ".join(re.findall(r"\w+", draft.question.lower()))
            if words in seen or not sound(draft, text[found.start : found.end]):
                continue
            home = next(iter(covering(chunks, document.id, found.start, found.end)), None)
            if home is None:
                continue
            # One question a sentence or cell; few a passage, and not all of one kind.
            limits = {
                (found.start, draft.kind == "table" and draft.answer): 1,
                home.id: A_CHUNK,
                (home.id, draft.kind): A_KIND,
            }
            if draft.kind == "acronym":
                limits["acronym"] = ACRONYMS
            if any(given[key] >= limit for key, limit in limits.items()):
                continue
            seen.add(words)
            given.update(limits.keys())
            yield Made(_question(found, document, text), home, found.given)


def _found(text: str) -> Iterator[Found]:
    pieces, vocabulary = blocks(text), Vocabulary(text)
    yield from from_layout(text, pieces)
    for block in pieces:
        if block.kind not in ("heading", "row"):
            yield from _from_sentences(text, block, vocabulary)


def _from_sentences(text: str, block: Block, vocabulary: Vocabulary) -> Iterator[Found]:
    for sentence in sentences(text, block):
        if 4 <= len(sentence.text.split()) <= 45 and sentence.text[-1] in ".!":
            for draft in drafts(sentence.text, vocabulary):
                given = draft.kind == "acronym"  # spelt out beside its letters: there is nothing to prove
                yield Found(draft, sentence.start, sentence.end, given)


def _question(found: Found, document: Document, text: str) -> Question:
    draft = found.draft
    return Question(
        id=question_id(draft.question, document.id),
        question=draft.question,
        answer=draft.answer,
        evidence=text[found.start : found.end],
        document=document.id,
        start=found.start,
        end=found.end,
        kind=KINDS.get(draft.kind, draft.kind),
        split="train",
        status="proposed",
        who="written",
    )


def _asked(row: model.Written, document: Document) -> Question:
    """A question that the model wrote; its answer in the words of the document."""
    c = row.candidate
    kind = c.kind if c.kind in ("number", "definition", "reason") else "factoid"
    return Question(
        id=question_id(row.question, document.id),
        question=row.question,
        answer=c.answer,
        evidence=c.evidence,
        document=document.id,
        start=c.start,
        end=c.end,
        kind=kind,
        status="proposed",
        who="written",
    )


def _unseen(done: int, total: int, note: str) -> None:
    """Progress that nobody looks at."""
