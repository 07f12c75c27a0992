"""Writer: questions out of a document's own sentences, without any language model.

What it looks for: definitions, questions that the document itself asks, instructions, numbers, times, people, places,
reasons, key-value lines and tables. A draft that a filter rejects is dropped, never mended: precision before volume.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.passages import Chunk, covering
from ragtune_ui.domain.questions import Question, question_id
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


class PatternWriter:
    """Proposes questions by patterns (``ports.Writer``); the same text gives the same questions."""

    def write(self, document: Document, text: str, chunks: Sequence[Chunk]) -> Iterator[Question]:
        """Proposed questions, best first; evidence is ``text[start:end]`` and the answer stands in it."""
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
