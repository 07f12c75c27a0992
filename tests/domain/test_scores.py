"""Scores against numbers worked by hand."""

import random
import re
import string
from dataclasses import replace

import numpy as np
import pytest

from ragtune_ui.domain import scores
from ragtune_ui.domain.scores import (
    METRICS,
    Bootstrap,
    Interval,
    Outcome,
    exact_match,
    hit_at,
    mrr,
    normal,
    token_f1,
    value_of,
    widening,
)

BLANK = Outcome("q", "d", True, "", "", False, em=0.0, f1=0.0, cited=0, cited_right=0, oracles=1, found=True)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The Cup-Vane, a roof!", "cupvane roof"),
        ("  an  “Ant” – 5° ", "ant 5"),
        ("Theatre", "theatre"),
        ("A.", ""),
        ("„Kran“ «там» ‚so‘ ‹oui›", "kran там so oui"),
    ],
)
def test_normal(text, plain):
    assert normal(text) == plain


def test_exact_match():
    assert exact_match("The 18 tonnes.", "18 Tonnes") == 1.0
    assert exact_match("18 tonnes each", "18 tonnes") == 0.0


@pytest.mark.parametrize(
    ("said", "gold", "f1"),
    [
        ("18 tonnes", "the 18 tonnes", 1.0),
        ("cup vane on roof", "cup vane", 2 / 3),  # precision 2/4, recall 2/2
        ("red red blue", "red blue blue", 2 / 3),  # one red and one blue shared, of 3 and 3
        ("nine", "ten", 0.0),
        ("", "ten", 0.0),
        ("the", "", 1.0),  # both are empty without the article
    ],
)
def test_token_f1(said, gold, f1):
    assert token_f1(said, gold) == pytest.approx(f1)
    assert token_f1(gold, said) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("said", "gold", "exact", "f1"),
    [
        ("每秒十四米。", "每秒十四米", 1.0, 1.0),
        ("每秒十四米", "十四米", 0.0, 0.75),  # precision 3/5, recall 3/3
        ("風速は14メートル", "14 メートル", 0.0, 2 * 5 / 13),  # 5 of 8 words, 14 among them
        ("「手机」、！", "手机", 1.0, 1.0),
        ("12、14", "14，12。", 0.0, 1.0),  # two numbers, not 1214
        ("14。", "14", 1.0, 1.0),
        ("十四米", "红色", 0.0, 0.0),
        ("เครน ๚", "เครน", 1.0, 1.0),
        ("ลมแรง", "ลม", 0.0, 2 * 1 / 5),  # pairs of letters: 4 and 1, 1 shared
        ("ม", "ลม", 0.0, 0.0),  # a letter is no word
        ("A型", "B型", 0.0, 0.5),  # no article
    ],
)
def test_scripts_without_blanks_are_scored_sign_by_sign(said, gold, exact, f1):
    assert exact_match(said, gold) == exact
    assert token_f1(said, gold) == pytest.approx(f1)
    assert token_f1(gold, said) == pytest.approx(f1)


@pytest.mark.parametrize(
    "text",
    ["The Cup-Vane, a roof!", "  an  “Ant” – 5° ", "A.", "the 18 tonnes", "1,200.5 m² — ½", "„Kran“ «там» ¿qué? l·l’a",
     "الرافعة، ١٤؟", "क्रेन। हवा", "크레인은 바람에", "Ο γερανός;", "x\u200by a\u00a0b"],
)  # fmt: skip
def test_languages_with_blanks_keep_squads_own_rule(text):
    plain = "".join(c for c in text.lower() if c not in string.punctuation + "“”„‘’‚«»‹›–—…°")
    assert normal(text) == " ".join(re.sub(r"\b(a|an|the)\b", " ", plain).split())


def test_hits_and_reciprocal_ranks():
    ranks = [1, 3, None, 2]
    assert [hit_at(ranks, k) for k in (1, 2, 3)] == [0.25, 0.5, 0.75]
    assert mrr(ranks) == pytest.approx((1 + 1 / 3 + 0 + 1 / 2) / 4)
    assert mrr(ranks, 2) == pytest.approx((1 + 0 + 0 + 1 / 2) / 4)
    assert hit_at([], 1) == mrr([]) == 0.0


FIVE = [
    replace(BLANK, em=1.0, f1=1.0, cited=2, cited_right=1),  # right, one of two passages cited right
    replace(BLANK, refused=True, cited=1),  # refused although the passage was there; its citation counts nowhere
    replace(BLANK, f1=0.5, cited=1, found=False),  # half right without the passage
    replace(BLANK, answerable=False, refused=True, em=1.0, f1=1.0, found=False),  # rightly refused
    replace(BLANK, answerable=False, cited=1, found=False),  # invented
]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("em", 2 / 5),
        ("f1", 2.5 / 5),
        ("citation_precision", 1 / 4),  # 1 right of 2 + 1 + 1
        ("citation_recall", 1 / 2),  # two answerable with the passage, one cites it
        ("refusal_precision", 1 / 2),  # two refusals, one on an unanswerable
        ("refusal_recall", 1 / 2),  # two unanswerable, one refused
        ("refusal_f1", 2 * 1 / (2 + 2)),
        ("over_refusal", 1 / 2),  # two answerable with the passage, one refused
    ],
)
def test_each_metric_by_hand(metric, value):
    assert value_of(FIVE, METRICS[metric]) == pytest.approx(value)


def test_no_metric_is_forgotten_above():
    assert set(METRICS) == {
        "em", "f1", "citation_precision", "citation_recall", "refusal_precision", "refusal_recall", "refusal_f1",
        "over_refusal",
    }  # fmt: skip


def test_a_metric_with_nothing_to_count_is_0():
    assert value_of([BLANK], METRICS["refusal_precision"]) == 0.0
    assert value_of([], METRICS["f1"]) == 0.0


def outcomes(values, documents=None):
    documents = documents or range(len(values))
    return [
        replace(BLANK, question=f"q{n}", document=f"d{d}", f1=float(v))
        for n, (v, d) in enumerate(zip(values, documents, strict=True))
    ]


F1 = METRICS["f1"]


def bootstrap(first, second, metric, **more):
    """One metric of ``first``, or of ``second`` minus ``first``."""
    if second is None:
        return Bootstrap({"first": first}, {"m": metric}, **more).interval("m", "first")
    return Bootstrap({"first": first, "second": second}, {"m": metric}, **more).interval("m", "second", than="first")


def test_bootstrap_of_nothing():
    assert bootstrap([], None, F1) == Interval(0.0, 0.0, 0.0, 0)


def test_bootstrap_of_equal_scores_has_no_width():
    assert bootstrap(outcomes([0.25] * 8), None, F1) == Interval(25.0, 25.0, 25.0, 8)


def test_bootstrap_is_paired():
    # Scores vary widely, every question gains 0.3: the difference has no width.
    low = outcomes([0.0, 0.7, 0.1, 0.5, 0.3, 0.6])
    high = outcomes([0.3, 1.0, 0.4, 0.8, 0.6, 0.9])
    gain = bootstrap(low, high, F1, resamples=500)
    assert (gain.mean, gain.low, gain.high) == pytest.approx((30, 30, 30))
    assert gain.clear and bootstrap(high, low, F1, resamples=500).clear


def test_bootstrap_half_width_is_the_textbook_one():
    # 100 independent questions, half right: 1.96 x sqrt(0.25 / 100) = 9.8 points.
    interval = bootstrap(outcomes([0, 1] * 50), None, F1)
    assert interval.mean == 50
    assert (interval.high - interval.low) / 2 == pytest.approx(9.8, abs=0.5)
    assert interval == bootstrap(outcomes([0, 1] * 50), None, F1)


def test_n_is_the_number_of_replies_that_a_metric_looks_at():
    drawn = Bootstrap({"some": [replace(o, question=f"q{n}") for n, o in enumerate(FIVE)]})
    counted = {measure: drawn.interval(measure, "some").n for measure in METRICS}
    assert counted == {
        "em": 5, "f1": 5,
        "citation_precision": 3,  # three cite and do not refuse
        "citation_recall": 2, "over_refusal": 2,  # two are answerable and had the passage
        "refusal_precision": 2, "refusal_recall": 2, "refusal_f1": 3,  # two refused, two unanswerable
    }  # fmt: skip


def test_nothing_is_measured_where_nothing_counts():
    """No question without an answer, no passage found, no passage named: 0 % would be a figure of nothing."""
    blind = [replace(BLANK, question=f"q{n}", found=False, refused=n > 2) for n in range(5)]
    citing = [replace(o, found=True, cited=1, refused=False) for o in blind]
    drawn = Bootstrap({"blind": blind, "citing": citing})
    nothing = Interval(0.0, 0.0, 0.0, 0)
    for measure in set(METRICS) - {"em", "f1"}:
        assert drawn.interval(measure, "blind") == nothing
        assert drawn.interval(measure, "citing", than="blind") == nothing
    assert drawn.interval("citation_precision", "citing").n == drawn.interval("over_refusal", "citing").n == 5


def test_bootstrap_draws_whole_documents():
    # Each of 6 documents holds one right and one wrong answer: whole documents always give one half.
    interval = bootstrap(outcomes([0, 1] * 6, [n // 2 for n in range(12)]), None, F1)
    assert (interval.low, interval.high) == (50.0, 50.0)


def test_bootstrap_draws_questions_where_documents_are_few():
    interval = bootstrap(outcomes([0, 1] * 4, [n // 2 for n in range(8)]), None, F1)
    assert interval.low < 50 < interval.high


@pytest.mark.parametrize(("documents", "t"), [(5, 2.7764), (6, 2.5706), (10, 2.2622), (30, 2.0452), (101, 1.9840)])
def test_widening_is_t_over_z_for_so_many_documents(documents, t):
    assert widening(documents) == pytest.approx(t / 1.95996 * (documents / (documents - 1)) ** 0.5, abs=1e-3)


@pytest.mark.parametrize(("documents", "each"), [(5, 10), (7, 8), (10, 6)])
def test_one_interval_in_twenty_misses_also_with_few_documents(documents, each, monkeypatch):
    """Gains of mean 0, documents of sd 0.10, questions of sd 0.35: 0 should lie outside in 5 % of 600 trials."""

    def missed():
        rng = np.random.default_rng(7)
        clear = 0
        for trial in range(600):
            gains = rng.normal(0, 0.10, (documents, 1)) + rng.normal(0, 0.35, (documents, each))
            at = [n // each for n in range(documents * each)]
            zero = outcomes([0] * len(at), at)
            clear += bootstrap(zero, outcomes(gains.ravel(), at), F1, seed=trial, resamples=1000).clear
        return clear / 600

    assert 0.02 < missed() < 0.075
    monkeypatch.setattr(scores, "widening", lambda documents: 1.0)
    assert missed() > 0.09  # the plain percentiles


def test_below_five_documents_nothing_is_widened(monkeypatch):
    at = [n // 5 for n in range(20)]
    plain = bootstrap(outcomes([0, 1, 1, 0] * 5, at), None, F1)
    monkeypatch.setattr(scores, "widening", lambda documents: 2.0)
    assert bootstrap(outcomes([0, 1, 1, 0] * 5, at), None, F1) == plain


def test_a_widened_range_stays_within_what_can_be():
    shares = bootstrap(outcomes([1, 1, 1, 1, 1, 0]), None, F1)
    assert shares.low >= 0 and shares.high == 100
    gain = bootstrap(outcomes([0, 0, 0, 0, 0, 1]), outcomes([1, 1, 1, 1, 1, 0]), F1)
    assert gain.low >= -100 and gain.high == 100


def test_clear_means_zero_is_outside():
    assert Interval(5, 1, 9).clear and Interval(-5, -9, -1).clear
    assert not Interval(5, 0, 9).clear and not Interval(0, -1, 1).clear


def test_unanswerable_questions_do_not_make_two_documents_many():
    """Two documents with ten answers each and ten lone unanswerables: resampled by question, so the interval
    is that of 30 questions and not of 12 groups of which two weigh everything."""
    answered = [replace(BLANK, question=f"q{n}", document=f"d{n % 2}", f1=float(n % 2)) for n in range(20)]
    silent = [replace(BLANK, question=f"s{n}", document=f"s{n}", answerable=False) for n in range(10)]
    by_question = bootstrap([*answered, *silent], None, METRICS["f1"])
    assert by_question.high - by_question.low < 36  # a share of a third over 30: about +-17 points


def mixed(seed):
    """Forty replies of all kinds over three documents."""
    r = random.Random(seed)
    return [
        replace(BLANK, question=f"q{n}", document=f"d{n % 3}", answerable=n % 4 > 0, refused=r.random() < 0.3,
                f1=r.random(), cited=r.randint(0, 2))
        for n in range(40)
    ]  # fmt: skip


@pytest.mark.parametrize("block", [1_000_000, 1000])
def test_ranges_are_those_of_one_draw_for_each_metric(block, monkeypatch):
    """Figures of the first make, which drew anew for each metric, all resamples at once."""
    monkeypatch.setattr(scores, "BLOCK", block)
    drawn = Bootstrap({"first": mixed(1), "second": mixed(2)})
    for measure, of, than, low, high in (
        ("f1", "first", "", 42.76300654664972, 62.337043692772625),
        ("f1", "second", "first", -8.159391305706933, 19.552906746394548),
        ("refusal_f1", "first", "", 0.0, 52.17391304347826),
        ("refusal_f1", "second", "first", -44.44444444444444, 31.144450800915276),
        ("over_refusal", "second", "first", -23.076923076923077, 16.666666666666664),
    ):
        found = drawn.interval(measure, of, than)
        assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)


def test_resamples_are_drawn_once_in_blocks_and_a_stop_is_heard(monkeypatch):
    real, sizes, heard = np.random.default_rng, [], []

    class Watched:
        def __init__(self, seed):
            self._random = real(seed)

        def multinomial(self, n, shares, size):
            sizes.append((n, size))
            return self._random.multinomial(n, shares, size=size)

    monkeypatch.setattr(np.random, "default_rng", Watched)
    answers = {name: outcomes([0, 1] * 1000) for name in ("a", "b", "c")}
    drawn = Bootstrap(answers, heard=lambda done, total: heard.append((done, total)))
    for measure in METRICS:
        drawn.interval(measure, "a"), drawn.interval(measure, "b", than="c")
    assert sum(size for _, size in sizes) == 10_000 and all(n * size <= scores.BLOCK for n, size in sizes)
    assert heard == [(500 * n, 10_000) for n in range(20)]

    def stop(done, total):
        if done:
            raise KeyboardInterrupt

    sizes.clear()
    with pytest.raises(KeyboardInterrupt):
        Bootstrap(answers, heard=stop)
    assert len(sizes) == 1
