"""What a new version of a file touches: passages, questions, judgements; and where evidence stands in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ragtune_ui.domain.passages import Chunk, Judgement, find_span
from ragtune_ui.domain.questions import Question
from ragtune_ui.domain.words import counted

CONTEXT = 400  # characters before a place by which equal sentences are told apart


@dataclass(frozen=True)
class Before:
    """Questions and judgements as they were, and as a new version left them, for the way back."""

    questions: tuple[tuple[Question, Question], ...] = ()
    judgements: tuple[Judgement, ...] = ()
    judged_after: tuple[Judgement, ...] = ()


@dataclass(frozen=True)
class Impact:
    """What a new version of a document would change, before it does."""

    document: str  # id of the document that it replaces
    waiting: str  # id of the new version
    name: str
    kept: int  # passages that stay word for word
    gone: tuple[Chunk, ...]  # passages that are no longer in it
    fresh: tuple[Chunk, ...]  # passages that are new in it
    standing: int  # questions whose evidence is still there
    lost: tuple[Question, ...]  # questions whose evidence is not
    judgements: int  # "this answers it / not this" about its passages
    judgements_lost: int
    runs: tuple[str, ...] = ()  # trainings that learned from the old version

    @property
    def sentence(self) -> str:
        """``9 of 41 passages change, 3 questions lose their evidence.``"""
        before = self.kept + len(self.gone)
        whole, fresh = counted(before, "passage"), counted(len(self.fresh), "is", "are")
        parts = [f"{len(self.gone):,} of {whole} change or go, {fresh} new"]
        if self.standing or self.lost:
            parts.append(counted(len(self.lost), "question loses its evidence", "questions lose their evidence"))
            parts.append(counted(self.standing, "keeps it", "keep it"))
        return f"{', '.join(parts)}."


def impact_of(
    document: str, waiting: str, name: str, chunks: Sequence[Chunk], new_chunks: Sequence[Chunk],
    questions: Iterable[Question], judgements: Iterable[Judgement], old: str, new: str, runs: Sequence[str] = (),
) -> Impact:  # fmt: skip
    """What changes for a document when its text ``old`` becomes ``new``, cut into ``new_chunks``."""
    have, want = Counter(c.text for c in chunks), Counter(c.text for c in new_chunks)
    asked = [q for q in questions if q.document == document and q.evidence]
    judged = [j for j in judgements if j.document == document]
    lost = tuple(q for q in asked if moved(old, new, q.start, q.end, q.evidence) is None)
    return Impact(
        document, waiting, name,
        kept=(have & want).total(),
        gone=_only(chunks, have - want),
        fresh=_only(new_chunks, want - have),
        standing=len(asked) - len(lost),
        lost=lost,
        judgements=len(judged),
        judgements_lost=sum(moved(old, new, j.start, j.end) is None for j in judged),
        runs=tuple(runs),
    )  # fmt: skip


def _only(chunks: Sequence[Chunk], texts: Counter[str]) -> tuple[Chunk, ...]:
    left, found = Counter(texts), []
    for chunk in chunks:
        if left[chunk.text] > 0:
            left[chunk.text] -= 1
            found.append(chunk)
    return tuple(found)


def moved(old: str, new: str, start: int, end: int, said: str = "") -> tuple[int, int] | None:
    """Where the words ``old[start:end]`` stand in ``new``; None where they are not, word for word.

    Of several places, the one whose surroundings are most alike. ``said`` are the words where they are known: an
    ``old`` text that says something else there is not the one that they were taken from, and the nearest place counts.
    """
    words = said or old[start:end]
    if not words.strip():
        return None
    places = [m.start() for m in re.finditer(re.escape(words), new)]
    if not places:
        return find_span(new, words)  # white space and list marks may differ
    if len(places) == 1:
        return places[0], places[0] + len(words)

    def alike(at: int) -> tuple[int, float]:
        if old[start:end] != words:
            return 0, -abs(at - start)
        return _shared(old[max(0, start - CONTEXT) : start], new[max(0, at - CONTEXT) : at]), -abs(
            at / max(1, len(new)) - start / max(1, len(old))
        )

    best = max(places, key=alike)
    return best, best + len(words)


def _shared(a: str, b: str) -> int:
    """How many characters two texts have in common, counted from their ends."""
    number = 0
    for x, y in zip(reversed(a), reversed(b), strict=False):
        if x != y:
            break
        number += 1
    return number


def carried(document: str, old: str, new: str, questions: Sequence[Question]) -> list[Question]:
    """All questions after the text of a document changed. Evidence that still stands is followed to its place;
    a question without it is to be checked again, with the old evidence beside it."""
    return [_question(q, old, new) if q.document == document and q.evidence else q for q in questions]


def followed(document: str, old: str, new: str, judgements: Sequence[Judgement]) -> list[Judgement]:
    """All judgements after the text of a document changed, without those whose words are gone."""
    return [k for j in judgements for k in ([j] if j.document != document else _judgement(j, old, new))]


def settled(document: str, old: str, new: str, questions: Sequence[Question]) -> list[Question]:
    """All questions, with those followed into the text of a document whose evidence is not where they say, as where
    only the text was written before the power went. ``old`` is the text before, as far as it is known."""

    def astray(q: Question) -> bool:
        held = q.document == document and q.answerable and bool(q.evidence)
        return held and new[q.start : q.end] != q.evidence

    return [_question(q, old, new) if astray(q) else q for q in questions]


def _question(question: Question, old: str, new: str) -> Question:
    span = moved(old, new, question.start, question.end, question.evidence)
    if span is not None:
        return replace(question, start=span[0], end=span[1], evidence=new[span[0] : span[1]])
    status = question.status if question.status == "rejected" else "proposed"
    return replace(question, start=0, end=0, evidence="", outdated=question.evidence, status=status)


def _judgement(judgement: Judgement, old: str, new: str) -> list[Judgement]:
    span = moved(old, new, judgement.start, judgement.end)
    return [replace(judgement, start=span[0], end=span[1])] if span is not None else []


def returned(document: str, new: str, old: str, now: Sequence[Question], before: Before) -> list[Question]:
    """Questions after the way back from the text ``new`` to ``old``: as they were. Those that a person has changed
    since stay so; their evidence is followed to its place in the old text."""
    was = {after.id: (first, after) for first, after in before.questions}

    def back(question: Question) -> Question:
        first, after = was.get(question.id, (question, None))
        return first if question == after else carried(document, new, old, [question])[0]

    return [back(q) for q in now]
