"""The verdict: four cells, the differences that matter, the checks, one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.passages import Chunk
from ragtune_ui.domain.questions import Question
from ragtune_ui.domain.scores import METRICS, Bootstrap, Interval, Outcome, Unit, exact_match, token_f1

Cell = Literal["base", "base_rag", "tuned", "tuned_rag"]
CELLS: tuple[Cell, ...] = ("base", "base_rag", "tuned", "tuned_rag")
Mark = Literal["good", "care", "bad"]
Decision = Literal["use", "careful", "no difference", "do not use", "not enough"]
SAID: dict[Decision, str] = {  # a decision in a few words, for a pill or the list of steps
    "use": "Training helped",
    "careful": "Helped, with care",
    "no difference": "No clear difference",
    "do not use": "Worse: keep original",
    "not enough": "Not enough to say",
}
LEAST_QUESTIONS = 20  # below it no judgement; the interval of a share would be wider than +-22 points
OVER_REFUSAL_BOUND = 10.0  # percent of answerable questions refused although the passage was there
SILENCE_BOUND = 50.0  # percent of unanswerable questions refused: below it, it invents more often than not
CITATION_BOUND = 80.0  # percent of the passages named that prove the answer


@dataclass(frozen=True)
class Check:
    """One line of "checks before you rely on it"."""

    mark: Mark
    label: str
    figure: str


@dataclass(frozen=True)
class Miss:
    """One held-back question the tuned model got wrong, with the likely cause and what to do."""

    question: str
    expected: str  # "": that the documents do not say
    said: str
    cause: str
    remedy: str


@dataclass(frozen=True)
class Verdict:
    """The result of measuring one run. Intervals are percent; differences are tuned_rag minus base_rag."""

    id: str
    run: str
    decision: Decision
    headline: str
    sentence: str
    n: int
    cells: dict[str, dict[str, Interval]]  # cell -> metric -> interval
    difference: dict[str, Interval]
    retrieval: dict[str, float]  # hit@1, hit@3, hit@5, mrr: 0 to 1
    checks: tuple[Check, ...]
    misses: tuple[Miss, ...]
    made: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = field(default=())
    documents: int = 0  # that the answers to the questions rest on
    unit: Unit | None = None  # what was resampled for the ranges; None in verdicts made before this was kept
    adapter: str = ""  # digest of the adapter that was measured; "" in verdicts made before this was kept


def judge_reply(question: Question, reply: str, passages: Sequence[Chunk], contract: Contract) -> Outcome:
    """One reply scored against its question and the passages the model was given (none: closed book)."""
    answer = contract.read(reply)
    oracles = {o.id for o in question.oracles(passages)}
    cited = [passages[n - 1].id if 1 <= n <= len(passages) else "" for n in answer.citations]
    if question.answerable:
        em = 0.0 if answer.refused else exact_match(answer.text, question.answer)
        f1 = 0.0 if answer.refused else token_f1(answer.text, question.answer)
    else:
        em = f1 = float(answer.refused)
    return Outcome(
        question=question.id,
        document=question.document or question.id,
        answerable=question.answerable,
        reply=reply,
        answer=answer.text,
        refused=answer.refused,
        em=em,
        f1=f1,
        cited=len(cited),
        cited_right=sum(c in oracles for c in cited),
        oracles=len(oracles),
        found=bool(oracles),
    )


def judge(
    id: str,
    run: str,
    questions: Sequence[Question],
    outcomes: Mapping[str, Sequence[Outcome]],
    retrieval: Mapping[str, float],
    leaked: int,
    made: str = "",
    seconds: float = 0.0,
    heard: Callable[[int, int], None] = lambda done, total: None,
    adapter: str = "",
) -> Verdict:
    """The verdict over the four cells; ``outcomes`` hold the same questions in the same order.

    ``leaked`` is how many of the held-back questions stand in the training examples; ``heard(done, total)`` is
    called while the ranges are worked out, and what it raises ends that.
    """
    drawn = Bootstrap(outcomes, heard=heard)
    cells: dict[str, dict[str, Interval]] = {
        cell: {name: drawn.interval(name, cell) for name in METRICS} for cell in CELLS
    }
    difference = {name: drawn.interval(name, "tuned_rag", than="base_rag") for name in METRICS}
    silent = sum(not q.answerable for q in questions)
    checks = _checks(difference, cells, retrieval, leaked, len(questions), silent)
    decision, headline, sentence = _say(difference, checks, len(questions), reach(drawn.unit, drawn.documents))
    return Verdict(
        id=id,
        run=run,
        decision=decision,
        headline=headline,
        sentence=sentence,
        n=len(questions),
        cells=cells,
        difference=difference,
        retrieval=dict(retrieval),
        checks=checks,
        misses=tuple(_misses(questions, outcomes["tuned_rag"])),
        made=made,
        seconds=seconds,
        documents=drawn.documents,
        unit=drawn.unit,
        adapter=adapter,
    )


def reach(unit: Unit, documents: int) -> str:
    """What a range holds for: few documents tell how other questions about them would fare, no more."""
    if unit == "document":
        return "for other documents of this kind"
    if documents > 1:
        return f"for other questions about these {documents} documents"
    return "for other questions about this document" if documents else "for other questions of this kind"


def _checks(
    difference: Mapping[str, Interval],
    cells: Mapping[str, Mapping[str, Interval]],
    retrieval: Mapping[str, float],
    leaked: int,
    n: int,
    silent: int,
) -> tuple[Check, ...]:
    """What must hold before a model is relied on; ``silent`` of the ``n`` questions have no answer in the documents."""
    gain, tuned = difference["f1"], cells["tuned_rag"]
    over, admits, cites, hit = (
        tuned["over_refusal"], tuned["refusal_recall"], tuned["citation_precision"], retrieval.get("hit@k"),
    )  # fmt: skip
    return (
        Check(
            "good" if gain.low > 0 else "bad" if gain.high < 0 else "care",
            "Better than the original on held-back questions",
            f"{signed(gain.mean)} points",
        ),
        Check("good" if leaked == 0 else "bad", "No held-back question was seen in training", f"{leaked} of {n}"),
        Check(
            "care" if not over.n else "good" if over.mean <= OVER_REFUSAL_BOUND else "bad",
            "Does not say “your documents do not say” when they do",
            f"{over.mean:.0f} % wrongly refused" if over.n else "not measured: search found no right passage",
        ),
        Check(
            "care" if not silent else "good" if admits.mean >= SILENCE_BOUND else "bad",
            "Says “your documents do not say” when they do not",
            f"{admits.mean:.0f} % of {silent}" if silent else "not measured: no such question is held back",
        ),
        Check(
            "good" if cites.mean >= CITATION_BOUND else "bad",
            "The passages it names prove the answer",
            f"{cites.mean:.0f} % right" if cites.n else "it names none",
        ),
        Check(
            "good" if hit is not None and hit >= 0.8 else "care",
            "Search finds the right passage",
            f"{100 * hit:.0f} % of questions" if hit is not None else "not measured: no question has a right passage",
        ),
    )


def _say(difference: Mapping[str, Interval], checks: Sequence[Check], n: int, holds: str) -> tuple[Decision, str, str]:
    """The decision, its headline and its sentence; ``holds`` says what the range holds for."""
    gain = difference["f1"]
    between = f"95 % sure between {signed(gain.low)} and {signed(gain.high)} {holds}"
    spread = f"{signed(gain.mean)} points of answer overlap (F1), {between}"
    if n < LEAST_QUESTIONS:
        return (
            "not enough",
            "Not enough to say.",
            f"{n} held-back questions of at least {LEAST_QUESTIONS} that are needed. Approve more, then measure again.",
        )
    if gain.high < 0:
        return "do not use", "Training made it worse. Do not use this model; keep the original.", f"{spread}."
    if gain.low <= 0:
        return (
            "no difference",
            "No clear difference. Keep the original model.",
            f"{spread}: the range includes zero, so chance alone could explain it.",
        )
    red = [c for c in checks if c.mark == "bad"]
    if red:
        return (
            "careful",
            "Training helped, but do not rely on it yet.",
            f"{spread}. First look at: {red[0].label.lower()} ({red[0].figure}).",
        )
    # Refusal F1 would rise by fewer wrong refusals, too.
    silent = " It now admits when your documents are silent." if difference["refusal_recall"].low > 0 else ""
    return "use", "Training helped. You can use this model for questions about these documents.", f"{spread}.{silent}"


def _misses(questions: Sequence[Question], outcomes: Sequence[Outcome]) -> list[Miss]:
    found = []
    for question, outcome in zip(questions, outcomes, strict=True):
        if outcome.f1 >= 0.5:
            continue
        if not question.answerable:
            withheld = question.kind == "withheld" and question.answer
            cause, remedy = (
                f"answered although {'its document was left out' if withheld else 'the documents are silent'}",
                "raise the share of “your documents do not say”",
            )
        elif not outcome.found:
            cause, remedy = "the passage was not found", "mend the search on the Passages page"
        elif outcome.refused:
            cause, remedy = (
                "found, but it said the documents are silent",
                "lower the share of “your documents do not say”",
            )
        else:
            cause, remedy = "found, but not used well", "approve more questions of this kind and train again"
        expected = question.answer if question.answerable else ""  # else a refusal, also where an answer is withheld
        found.append(Miss(question.question, expected, outcome.reply, cause, remedy))
    return found


def signed(points: float) -> str:
    """``+12`` or ``−3``, with a real minus sign."""
    rounded = round(points)
    return f"+{rounded}" if rounded > 0 else f"−{abs(rounded)}" if rounded < 0 else "0"
