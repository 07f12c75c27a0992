"""Scores: answers, citations, refusals, retrieval, and how sure one can be of a difference."""

from __future__ import annotations

import math
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from statistics import NormalDist
from typing import Literal

import numpy as np

from ragtune_ui.domain.words import apart, is_letter


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval, all in percent (0 to 100), differences in points; of nothing where ``n``, the
    number of replies that count, is 0."""

    mean: float
    low: float
    high: float
    n: int = 0

    @property
    def clear(self) -> bool:
        """True where the interval leaves out 0 (for differences)."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Outcome:
    """One model's reply to one held-back question, scored. Shares are 0 to 1."""

    question: str  # question id
    document: str  # the unit of resampling; for unanswerable questions, the question itself
    answerable: bool
    reply: str
    answer: str  # the reply without citations
    refused: bool
    em: float
    f1: float
    cited: int  # passages cited
    cited_right: int  # of these, oracles
    oracles: int  # oracles among the passages given
    found: bool  # an oracle was among the passages given


def normal(text: str) -> str:
    """Lower case, without punctuation, articles and doubled blanks (SQuAD's own rule); of scripts without
    blanks each sign stands alone, as in CMRC 2018."""
    text = re.sub(r"\b(a|an|the)\b", " ", text.lower().translate(_PUNCTUATION))
    return " ".join(apart(text).split())


# SQuAD's rule joins what a mark parts. Marks of scripts without blanks part what no blank does: 12、14 are two numbers.
_OTHER_BLOCKS = (  # Thai and Lao, Burmese, Khmer, Chinese and Japanese, these upright, small and wide
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3000, 0x30FF), (0xFE10, 0xFE6F), (0xFF00, 0xFFEF),
)  # fmt: skip
_PUNCTUATION = str.maketrans("", "", string.punctuation + "“”„‘’‚«»‹›–—…°") | {
    sign: " "
    for first, last in _OTHER_BLOCKS
    for sign in range(first, last + 1)
    if unicodedata.category(chr(sign)).startswith("P")
}


def exact_match(said: str, gold: str) -> float:
    return float(normal(said) == normal(gold))


def token_f1(said: str, gold: str) -> float:
    """Harmonic mean of word precision and recall after ``normal``; 1 where both are empty."""
    a, b = _units(said), _units(gold)
    if not a or not b:
        return float(a == b)
    common = sum((Counter(a) & Counter(b)).values())
    return 0.0 if common == 0 else 2 * common / (len(a) + len(b))


def _units(text: str) -> list[str]:
    """The words of ``normal``. A lone letter stands in nearly every answer, so letters count with their neighbours."""
    found: list[str] = []
    for letters, run in groupby(normal(text).split(), is_letter):
        words = list(run)
        found += map("".join, pairwise(words)) if letters and len(words) > 1 else words
    return found


def hit_at(ranks: Sequence[int | None], k: int) -> float:
    """Share of questions whose first oracle stands at rank ``k`` or better (ranks from 1, None: not found)."""
    return sum(r is not None and r <= k for r in ranks) / len(ranks) if ranks else 0.0


def mrr(ranks: Sequence[int | None], k: int = 10) -> float:
    """Mean reciprocal rank of the first oracle, 0 beyond ``k``."""
    return sum(1 / r for r in ranks if r is not None and r <= k) / len(ranks) if ranks else 0.0


FEWEST_DOCUMENTS = 5  # that answers rest on, for an interval over documents
BLOCK = 1_000_000  # counts of resamples held at once
Unit = Literal["document", "question"]
Ratio = Callable[[Outcome], tuple[float, float]]
"""A metric as the parts of one fraction: it is the sum of the first over the sum of the second.
Every metric here has this form, so 10,000 resamples are two matrix products."""


def _always(value: Callable[[Outcome], float]) -> Ratio:
    return lambda o: (value(o), 1.0)


METRICS: Mapping[str, Ratio] = {
    # Over all questions; for an unanswerable one, a refusal counts 1 and all else 0.
    "em": _always(lambda o: o.em),
    "f1": _always(lambda o: o.f1),
    # Of the passages cited in answers, the share that are oracles.
    "citation_precision": lambda o: (0.0, 0.0) if o.refused else (float(o.cited_right), float(o.cited)),
    # Of the answerable questions whose oracle was given, the share whose reply cites an oracle.
    "citation_recall": lambda o: (
        (float(o.cited_right > 0 and not o.refused), 1.0) if o.answerable and o.found else (0.0, 0.0)
    ),
    # Of the refusals, the share on unanswerable questions; of those questions, the share refused.
    "refusal_precision": lambda o: (float(o.refused and not o.answerable), float(o.refused)),
    "refusal_recall": lambda o: (float(o.refused and not o.answerable), float(not o.answerable)),
    "refusal_f1": lambda o: (2.0 * (o.refused and not o.answerable), float(o.refused) + float(not o.answerable)),
    # Of the answerable questions whose oracle was given, the share refused all the same. A refusal where
    # the search missed the passage is right, so it does not count.
    "over_refusal": lambda o: (float(o.refused), 1.0) if o.answerable and o.found else (0.0, 0.0),
}


# No refusal can be right where every question has an answer: then these say nothing.
OF_SILENCE = {"refusal_precision", "refusal_recall", "refusal_f1"}


def value_of(outcomes: Sequence[Outcome], metric: Ratio) -> float:
    """The metric over ``outcomes``, 0 to 1; 0 where nothing counts."""
    parts = [metric(o) for o in outcomes]
    below = sum(b for _, b in parts)
    return sum(a for a, _ in parts) / below if below else 0.0


def widening(documents: int) -> float:
    """How many times wider than the percentiles of resamples a 95 % interval over so few documents has to be.

    Resampling a handful of documents shows too little of how documents differ: t of D - 1 degrees of freedom takes
    the place of the normal 1.96, and D - 1 that of D in the spread. The "expanded percentile interval" of
    Hesterberg, What Teachers Should Know About the Bootstrap (2015), with the t and D / (D - 1) for few clusters of
    Cameron and Miller, A Practitioner's Guide to Cluster-Robust Inference (2015). The quantile of t is the series
    26.7.5 of Abramowitz and Stegun (1964), right to 0.001 from 4 degrees of freedom on.
    """
    x, free = NormalDist().inv_cdf(0.975), documents - 1
    t = (
        x
        + (x**3 + x) / (4 * free)
        + (5 * x**5 + 16 * x**3 + 3 * x) / (96 * free**2)
        + (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / (384 * free**3)
        + (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / (92160 * free**4)
    )
    return t / x * math.sqrt(documents / free)


class Bootstrap:
    """Every metric of several answers to the same questions in the same order, over the same resamples.

    Resampled by document, whole documents with all their questions (science.md 6); where the answerable
    questions rest on fewer than ``FEWEST_DOCUMENTS``, by question, because an interval over three documents
    would be noise. Over documents the interval is widened (``widening``), by the number of those that answers
    rest on, also for a measure of other questions: rather too wide than too narrow.

    The resamples are drawn once, a block at a time: drawing takes nearly all of the time, and of 2,000 questions
    all of them at once are 160 MB. ``heard(done, total)`` is called before each block; what it raises ends the work.
    """

    def __init__(
        self,
        answers: Mapping[str, Sequence[Outcome]],
        metrics: Mapping[str, Ratio] = METRICS,
        seed: int = 42,
        resamples: int = 10_000,
        heard: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self._answers, self._metrics = answers, metrics
        asked = next(iter(answers.values()))
        self.documents = len({o.document for o in asked if o.answerable})  # that answers rest on
        whole = self.documents >= FEWEST_DOCUMENTS
        self.unit: Unit = "document" if whole else "question"
        self._wide = widening(self.documents) if whole else 1.0
        keys = [o.document if whole else o.question for o in asked]
        group = {key: n for n, key in enumerate(dict.fromkeys(keys))}
        rows, units = np.array([group[key] for key in keys], dtype=int), len(group)
        sums = np.zeros((2, units, len(answers) * len(metrics)))
        silent = any(not o.answerable for o in asked)
        self._column: dict[tuple[str, str], int] = {}
        self._counted: dict[tuple[str, str], int] = {}  # replies that a metric looks at
        for name, outcomes in answers.items():
            for measure, metric in metrics.items():
                column = self._column[name, measure] = len(self._column)
                parts = np.array([metric(o) for o in outcomes], dtype=float).reshape(-1, 2)
                looks = silent or measure not in OF_SILENCE
                self._counted[name, measure] = int((parts[:, 1] > 0).sum()) if looks else 0
                for side in (0, 1):
                    sums[side, :, column] = np.bincount(rows, parts[:, side], units)
        self._samples = np.zeros((len(self._column), resamples))
        random = np.random.default_rng(seed)
        block = max(1, BLOCK // max(1, units))
        for start in range(0, resamples if units else 0, block):
            heard(start, resamples)
            size = min(block, resamples - start)
            draws = random.multinomial(units, [1 / units] * units, size=size).astype(float)
            above, below = draws @ sums[0], draws @ sums[1]
            ratios = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
            self._samples[:, start : start + size] = ratios.T

    def interval(self, measure: str, of: str, than: str = "") -> Interval:
        """Mean and 95 % interval of a metric of the answers ``of``, or how much it is more than that of
        ``than``: paired, as both answer the same questions."""
        n = min(self._counted[name, measure] for name in (of, than or of))
        if not n:
            return Interval(0.0, 0.0, 0.0, 0)
        metric = self._metrics[measure]
        mean, samples = value_of(self._answers[of], metric), self._samples[self._column[of, measure]]
        if than:
            mean = mean - value_of(self._answers[than], metric)
            samples = samples - self._samples[self._column[than, measure]]
        low, high = (self._wide * (float(end) - mean) + mean for end in np.percentile(samples, [2.5, 97.5]))
        return Interval(100 * mean, 100 * max(low, -1.0 if than else 0.0), 100 * min(high, 1.0), n)
