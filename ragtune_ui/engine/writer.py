"""Writer: questions out of a document's own sentences, by patterns first, then by a language model.

What the patterns look for: definitions, questions that the document itself asks, instructions, numbers, times, people,
places, reasons, key-value lines and tables. A draft that a filter rejects is dropped, never mended: precision before
volume. Where they find too little, the model asks about what is left (``writing/model.py``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

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


class QuestionWriter:
    """Proposes questions (``ports.Writer``); the same text and model give the same questions."""

    def write(
        self, document: Document, text: str, chunks: Sequence[Chunk], asked: Sequence[Question] = (),
        speaker: Answers | None = None, wanted: int = 0, progress: Progress | None = None,
    ) -> Iterator[Question]:  # fmt: skip
        """Proposed questions, best first; evidence is ``text[start:end]`` and the answer stands in it."""
        known = {q.id for q in asked}
        fresh = [q for q in self._patterned(document, text, chunks) if q.id not in known]
        yield from fresh
        taken = [*fresh, *(q for q in asked if q.document == document.id)]
        short = wanted - len(taken)
        if speaker is not None and short > 0:
            make: Callable[[model.Written], Question] = lambda row: _asked(row, document)
            yield from model.questions(document, text, chunks, taken, speaker, short, progress or _unseen, make)

    def _patterned(self, document: Document, text: str, chunks: Sequence[Chunk]) -> Iterator[Question]:
        seen: set[object] = set()
        given: Counter[object] = Counter()
        for found in sorted(_found(text), key=lambda f: (-f.draft.weight, f.start)):
            draft = found.draft
            words = " ".join(re.findall(r"\w+", draft.question.lower()))
            if words in seen or not sound(draft, text[found.start : found.end]):
                continue
            home = next((c.id for c in covering(chunks, document.id, found.start, found.end)), None)
            if home is None:
                continue
            # One question a sentence or cell; few a passage, and not all of one kind.
            limits = {
                (found.start, draft.kind == "table" and draft.answer): 1,
                home: A_CHUNK,
                (home, draft.kind): A_KIND,
            }
            if draft.kind == "acronym":
                limits["acronym"] = ACRONYMS
            if any(given[key] >= limit for key, limit in limits.items()):
                continue
            seen.add(words)
            given.update(limits.keys())
            yield _question(found, document, text)


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
                yield Found(draft, sentence.start, sentence.end)


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
