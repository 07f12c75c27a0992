"""RAFT: question and passages, the oracle among distractors or withheld, to a grounded answer.

After Zhang et al. 2024 (arXiv 2403.10131), with four changes:
distractors come from the project's own retriever instead of at random (2505.06914,
2410.05983); passages that also hold the answer are not distractors; where the oracle is
withheld the target is a refusal instead of the answer, because training answers on passages
that lack them invites invention (ChatQA, 2401.10225); and half of the examples keep the order of
the search, in which the chat shows passages, so that a small model may learn what a rank is worth.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from itertools import islice

from ragtune_ui.domain.examples import Example, Message
from ragtune_ui.domain.mixes import DatasetMix, Tools
from ragtune_ui.domain.passages import Chunk, overlaps
from ragtune_ui.domain.ports import Progress
from ragtune_ui.domain.questions import Question
from ragtune_ui.domain.words import counted, gram_recall, size, terms

HARD_RANKS = 12  # distractors are drawn from this many best-ranked passages that are not oracles
RANDOM_SHARE = 0.25  # of the distractors: drawn from anywhere, so that easy ones are seen too
SHUFFLED_SHARE = 0.5  # of the examples: passages in any order; the others stand as the search ranks them


def usable(question: Question) -> bool:
    """True where a question can become an example: accepted, and proven or known to be unanswerable."""
    return question.accepted and question.supported


def examples(
    questions: Sequence[Question],
    chunks: Sequence[Chunk],
    tools: Tools,
    mix: DatasetMix,
    wanted: int,
    salt: str = "train",
    progress: Progress | None = None,
) -> list[Example]:
    """``wanted`` examples (fewer where questions or passages do not allow), spread evenly over the questions.

    Every question comes once before any comes twice; each round draws other distractors, another
    order and, by share, another kind.
    """
    asked = [q for q in questions if usable(q)]
    if not asked or wanted <= 0:
        return []
    known = {c.id for c in chunks}  # the search may see held-back documents; examples must not
    found = [[c for c in ranked if c.id in known] for ranked in tools.search([q.question for q in asked])]
    pairs = _order(asked, mix, wanted)
    kinds = _kinds(asked, pairs, wanted, mix, salt)
    own = defaultdict(list)  # by document, or each example would look through all passages for its evidence
    for chunk in chunks:
        own[chunk.document].append(chunk)
    made: list[Example] = []
    for round_, n in pairs:
        if len(made) == wanted:
            break
        question = asked[n]
        each = random.Random(f"{mix.seed}:{salt}:{question.id}:{round_}")
        kind = kinds[len(made)] if question.answerable else "refusal"
        if progress is not None:
            progress(len(made), wanted, "Choosing misleading passages")
        oracles = question.oracles(own[question.document])
        id = f"{salt}-{question.id}-{round_}"
        example = _example(question, kind, oracles, found[n], chunks, tools, mix, each, id)
        if example is not None:
            made.append(example)
    return made


def advice(questions: Sequence[Question], mix: DatasetMix, wanted: int) -> str:
    """How many examples are refusals, where questions that the documents do not answer make them more than the mix
    says; "" elsewhere."""
    asked = [q for q in questions if usable(q)]
    lacking = sum(not q.answerable for q in asked)
    if not lacking or wanted <= 0:
        return ""
    pairs = _order(asked, mix, wanted)[:wanted]
    kinds = _kinds(asked, pairs, wanted, mix, "train")
    refused = sum(not asked[n].answerable or kind == "refusal" for (_, n), kind in zip(pairs, kinds, strict=False))
    share = round(100 * refused / len(pairs))
    if share <= mix.withheld:
        return ""
    many = counted(lacking, "question that your documents do not answer comes",
                   "questions that your documents do not answer come")  # fmt: skip
    said = f"{many} on top: {share} % of the answers from sources are “your documents do not say”."
    return f"{said} Approve more questions that have an answer, or the model learns to refuse." if share >= 50 else said


def _most_refusals(wanted: int) -> int:
    return (wanted + 1) // 2  # more, and a small model learns that refusing is mostly right


def _order(asked: Sequence[Question], mix: DatasetMix, wanted: int) -> list[tuple[int, int]]:
    """(round, number of the question) for each example that can be made, round by round. Unanswerable questions
    beyond half of what is wanted come last, where nothing else is left."""
    pairs = [(round_, n) for round_ in range(mix.variants) for n in range(len(asked))]
    late = [pair for pair in pairs if not asked[pair[1]].answerable][_most_refusals(wanted) :]
    beyond = set(late)
    return [pair for pair in pairs if pair not in beyond] + late


def _kinds(
    asked: Sequence[Question], pairs: Sequence[tuple[int, int]], wanted: int, mix: DatasetMix, salt: str
) -> list[str]:
    """The kind of each example, if its question has an answer. The share of refusals is one of answerable questions;
    unanswerable ones come on top, but where both would be more than half of all, fewer are withheld."""
    rng = random.Random(f"{mix.seed}:raft:{salt}")
    refusals = round(wanted * mix.withheld / 100)
    clean = round(wanted * mix.clean / 100)
    kinds = ["refusal"] * refusals + ["clean"] * clean + ["answer"] * max(0, wanted - refusals - clean)
    rng.shuffle(kinds)
    kinds = kinds[:wanted]
    answerable = [asked[n].answerable for _, n in pairs[:wanted]]
    withheld = [at for at, (kind, has) in enumerate(zip(kinds, answerable, strict=False)) if kind == "refusal" and has]
    room = max(0, _most_refusals(wanted) - answerable.count(False))
    for at in rng.sample(withheld, max(0, len(withheld) - room)):
        kinds[at] = "answer"
    return kinds


def _example(
    question: Question,
    kind: str,
    oracles: Sequence[Chunk],
    ranked: Sequence[Chunk],
    chunks: Sequence[Chunk],
    tools: Tools,
    mix: DatasetMix,
    rng: random.Random,
    id: str,
) -> Example | None:
    if question.answerable and not oracles:
        return None
    oracle = list(oracles[:1]) if kind != "refusal" else []
    proof = {o.id for o in oracles}
    lacking = (c for c in ranked if c.id not in proof and not holds_answer(c, question))
    number = 0 if kind == "clean" else mix.distractors + (kind == "refusal")
    if kind == "answer":
        number = rng.randint(max(1, mix.distractors - 1), mix.distractors)
    shown = oracle + _distractors(list(islice(lacking, HARD_RANKS)), chunks, question, oracles, number, rng)
    if not shown:
        return None
    rng.shuffle(shown)
    if rng.random() >= SHUFFLED_SHARE:  # as they will stand in the chat: a rank says something, too
        rank = {c.id: n for n, c in enumerate(ranked)}
        shown.sort(key=lambda c: rank.get(c.id, len(rank)))
    if kind == "refusal":
        target = tools.contract.refusal
    else:
        target = tools.contract.target(question.answer, [n for n, c in enumerate(shown, 1) if c in oracle])
    messages = (*tools.contract.messages(question.question, shown), Message("assistant", target))
    return Example(
        id=id,
        lane="raft",
        kind=kind,
        messages=messages,
        passages=tuple(c.id for c in shown),
        oracles=tuple(c.id for c in oracle),
        question=question.id,
    )


def _distractors(
    hard: Sequence[Chunk],
    chunks: Sequence[Chunk],
    question: Question,
    oracles: Sequence[Chunk],
    number: int,
    rng: random.Random,
) -> list[Chunk]:
    pool = list(hard)
    rng.shuffle(pool)
    chosen = pool[: number - round(number * RANDOM_SHARE)] if chunks else pool[:number]
    taken = {c.id for c in chosen} | {o.id for o in oracles}
    for _ in range(20 * number):
        if len(chosen) >= number or not chunks:
            break
        other = chunks[rng.randrange(len(chunks))]
        if other.id not in taken and not holds_answer(other, question):
            chosen.append(other)
            taken.add(other.id)
    return chosen


def holds_answer(chunk: Chunk, question: Question) -> bool:
    """True where a passage may answer the question too, so it must not count as a distractor.

    The string test is for answers of two or more words or with a digit (a lone common word
    stands everywhere); the 4-gram test is ChatQA's, with its bound of 0.1 for "really a distractor".
    """
    if not question.answer:
        return False
    if question.evidence and overlaps(chunk, question.document, question.start, question.end):
        return True  # a piece of the evidence, cut by the edge of a passage
    answer, text = terms(question.answer), terms(chunk.text)
    telling = size(answer) >= 2 or any(c.isdigit() for c in question.answer)
    if telling and f" {' '.join(answer)} " in f" {' '.join(text)} ":
        return True
    return gram_recall(question.evidence or question.answer, chunk.text) > 0.5 or (
        size(answer) >= 4 and gram_recall(question.answer, chunk.text) > 0.1
    )
