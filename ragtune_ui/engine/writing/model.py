"""Model: questions that a language model writes for spans of a document, kept if it can answer them itself.

Round trip (Alberti et al. 2019, arXiv 1906.05416): answer -> question -> answer. A question whose
answer comes back out of its passage is about that answer, and can be answered from there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.examples import Message
from ragtune_ui.domain.passages import Chunk, covering
from ragtune_ui.domain.ports import Answers, Progress
from ragtune_ui.domain.questions import Question
from ragtune_ui.domain.scores import token_f1
from ragtune_ui.engine.writing.asking import Draft
from ragtune_ui.engine.writing.filters import sound
from ragtune_ui.engine.writing.grammar import Vocabulary
from ragtune_ui.engine.writing.prose import blocks, sentences
from ragtune_ui.engine.writing.spans import spans
from ragtune_ui.engine.writing.wording import well_worded

ASK = "Write a question whose answer is: {answer}"  # the built-in reader was taught these words
INSTRUCTION = (  # for larger models; the built-in reader has no ear for it
    "Write one short question in plain words. It must be clear to somebody who does not see the passage, and its "
    "answer must be exactly the words given. Write nothing but the question."
)
QUESTION_TOKENS, ANSWER_TOKENS = 32, 24
A_PASSAGE = 2  # spans of one passage that are asked for
TRIED = 2.5  # spans for each question that is wanted: the rest is lost to the filters
AGREES = 0.5  # token F1 of the answer that came back, at least
SENTENCE_WORDS = (5, 50)


@dataclass(frozen=True)
class Candidate:
    """A span of a passage to write a question for; its sentence stands in the document from ``start`` to ``end``."""

    chunk: Chunk
    start: int
    end: int
    evidence: str
    context: str  # the sentence and its neighbours within the passage
    answer: str
    kind: str
    weight: float


@dataclass(frozen=True)
class Written:
    """A question that was written, and what became of it."""

    candidate: Candidate
    question: str
    wording: bool  # it stands alone and does not give itself away
    back: str = ""  # the answer that came back
    survives: bool = False


def candidates(document: Document, text: str, chunks: Sequence[Chunk]) -> list[Candidate]:
    """What to ask for: the best span of each sentence, at most two a passage, those without any other first."""
    vocabulary = Vocabulary(text)
    prose = [s for block in blocks(text) if block.kind not in ("heading", "row") for s in sentences(text, block)]
    by_chunk: dict[str, list[Candidate]] = {}
    for n, sentence in enumerate(prose):
        if not SENTENCE_WORDS[0] <= len(sentence.text.split()) <= SENTENCE_WORDS[1]:
            continue
        home = next(iter(covering(chunks, document.id, sentence.start, sentence.end)), None)
        if home is None:
            continue
        near = [s for s in prose[max(0, n - 1) : n + 2] if home.start <= s.start and s.end <= home.end]
        evidence = text[sentence.start : sentence.end]
        context = text[near[0].start : near[-1].end] if near else evidence
        found = [
            Candidate(home, sentence.start, sentence.end, evidence, context, s.answer, s.kind, s.weight)
            for s in spans(sentence.text, vocabulary)
        ]
        if found:
            by_chunk.setdefault(home.id, []).append(max(found, key=lambda c: c.weight))
    ranked = [sorted(cs, key=lambda c: -c.weight)[:A_PASSAGE] for cs in by_chunk.values()]
    return [c for place in range(A_PASSAGE) for cs in ranked for c in cs[place : place + 1]]


def prompt(candidate: Candidate) -> tuple[Message, ...]:
    """What the model is shown: the sentences around the answer, and before and after them what to write."""
    asked = ASK.format(answer=candidate.answer)
    shown = Contract().shown([replace(candidate.chunk, text=candidate.context)])[0]
    return (Message("system", INSTRUCTION), Message("user", f"{asked}\n\n{shown}\n\n{asked}"))


def write(wanted: Sequence[Candidate], speaker: Answers, progress: Progress) -> list[Written]:
    """A question for each candidate, tried by its wording and by the round trip through ``speaker``."""
    asked = speaker.answer([prompt(c) for c in wanted], "base", QUESTION_TOKENS, _half(progress, 0))
    drafts = [Draft(_as_question(q), c.answer, c.kind, c.weight) for q, c in zip(asked, wanted, strict=True)]
    rows = [Written(c, d.question, _stands(d, c)) for c, d in zip(wanted, drafts, strict=True)]
    tried = [r for r in rows if r.wording]
    replies = answers([(r.question, r.candidate.chunk) for r in tried], speaker, _half(progress, 1))
    back = {id(r): reply for r, reply in zip(tried, replies, strict=True)}
    return [
        Written(
            r.candidate, r.question, r.wording, back.get(id(r), ""), agrees(back.get(id(r), ""), r.candidate.answer)
        )
        for r in rows
    ]


def answers(asked: Sequence[tuple[str, Chunk]], speaker: Answers, progress: Progress) -> list[str]:
    """What ``speaker`` answers to each question from its passage, without citations."""
    contract = Contract()
    prompts = [contract.messages(question, [chunk]) for question, chunk in asked]
    return [contract.read(r).text for r in speaker.answer(prompts, "base", ANSWER_TOKENS, progress)]


def agrees(back: str, answer: str) -> bool:
    """True where an answer that came back says the same: half of the words, or one holds the other."""
    figures, wanted = (set(re.findall(r"\d+(?:[.,:]\d+)*", t)) for t in (back, answer))
    if not back or (wanted and not wanted & figures):
        return False  # "6.4 metres" is not "2.1 metres", however many words they share
    one, other = (" ".join(t.lower().split()).strip(" .") for t in (back, answer))
    return token_f1(back, answer) >= AGREES or f" {one} " in f" {other} " or f" {other} " in f" {one} "


def questions(
    document: Document,
    text: str,
    chunks: Sequence[Chunk],
    taken: Sequence[Question],
    speaker: Answers,
    wanted: int,
    progress: Progress,
    make: Callable[[Written], Question],
) -> Iterator[Question]:
    """Up to ``wanted`` questions about sentences that none of ``taken`` rests on; Stopped passes through."""
    free = [
        c
        for c in candidates(document, text, chunks)
        if not any(q.document == document.id and q.start < c.end and c.start < q.end for q in taken)
    ]
    some = free[: max(1, int(wanted * TRIED))]
    if some:
        kept = [row for row in write(some, speaker, progress) if row.survives]
        yield from (make(row) for row in kept[:wanted])


def _stands(draft: Draft, candidate: Candidate) -> bool:
    """True for a question in good words that stands alone and is about its source."""
    source = " ".join((candidate.chunk.title, *candidate.chunk.heading, candidate.context))
    question = draft.question
    return question.endswith("?") and sound(draft, candidate.evidence) and well_worded(question, source)


def _as_question(reply: str) -> str:
    words = " ".join(reply.split()).strip(' "')
    words = words[: words.index("?") + 1] if "?" in words else words
    return words[:1].upper() + words[1:]


def _half(progress: Progress, which: int) -> Progress:
    """The first or second half of one bar."""
    return lambda done, total, note: progress(which * total + done, 2 * total, note)
