"""The recipes: what each example shows, what it must never show, and the same bytes for the same seed."""

import json
from dataclasses import replace

import pytest

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import MixError, Stopped
from ragtune_ui.domain.mixes import DatasetMix, Pools, digest_of
from ragtune_ui.domain.recipes import compose, dap, hybrid, raft
from ragtune_ui.domain.records import to_record
from tests.domain.makers import asked, chunk, library, prompts, question, tools

MIX = DatasetMix(raft=60, plain=30, dap=10, withheld=30, clean=20, size=30, variants=4)
POOLS = Pools(asked(), library(), prompts())


def made(mix=MIX, pools=POOLS, dev=(), with_tools=None):
    return compose(mix, pools, dev, with_tools or tools())


def as_bytes(dataset):
    return "\n".join(json.dumps(to_record(e)) for e in (*dataset.examples, *dataset.dev)).encode()


def text_of(example):
    return " ".join([example.text, *(m.content for m in example.prompt if m.role == "user")])


def test_compose_counts_add_up():
    dataset = made()
    assert len(dataset.examples) == 30
    assert {lane: dataset.counts[lane] for lane in ("raft", "plain", "dap")} == {"raft": 18, "plain": 9, "dap": 3}
    # 30 % of 18 is 5.4, so 5 refusals; 20 % is 3.6, so 4 alone; 9 are left.
    assert [dataset.counts[f"raft/{k}"] for k in ("refusal", "clean", "answer")] == [5, 4, 9]
    assert dataset.id == dataset.digest[:12]
    assert len({e.id for e in dataset.examples}) == 30


def test_the_same_seed_gives_the_same_bytes_and_another_does_not():
    first = made(dev=asked()[:2])
    assert as_bytes(first) == as_bytes(made(dev=asked()[:2]))
    assert first.digest != made(replace(MIX, seed=43)).digest


def test_every_question_comes_once_before_any_comes_twice():
    order = [e.question for e in raft.examples(asked(), library(), tools(), MIX, 18)]
    assert len(set(order[:6])) == len(set(order[6:12])) == 6


@pytest.mark.parametrize("seed", range(8))
def test_what_raft_examples_show(seed):
    questions = {q.id: q for q in asked()}
    for example in raft.examples(asked(), library(), tools(), replace(MIX, seed=seed, size=24), 24):
        q = questions[example.question]
        (oracle,) = q.oracles(library())
        prompt = text_of(example)
        assert prompt.endswith(f"Question: {q.question}")
        shown = [next(c for c in library() if c.id == id) for id in example.passages]
        assert all(f"[{n}] " in prompt and c.text in prompt for n, c in enumerate(shown, 1))
        assert len(set(example.passages)) == len(example.passages)
        others = [c for c in shown if c.id != oracle.id]
        assert not any(q.answer.lower() in c.text.lower() for c in others)
        if example.kind == "refusal":
            assert oracle.id not in example.passages and example.oracles == ()
            assert q.evidence not in prompt
            assert example.target == Contract().refusal
            assert len(shown) == 4
        else:
            number = example.passages.index(oracle.id) + 1
            assert example.target == f"{q.answer} [{number}]"
            assert example.oracles == (oracle.id,)
            assert len(shown) == 1 if example.kind == "clean" else 3 <= len(shown) <= 4


def test_the_oracle_stands_in_different_places():
    answers = [e for e in raft.examples(asked(), library(), tools(), MIX, 24) if e.kind == "answer"]
    assert len({e.passages.index(e.oracles[0]) for e in answers}) > 1


def test_half_of_the_examples_keep_the_order_of_the_search():
    kept = []
    for e in raft.examples(asked(), library(), tools(), replace(MIX, variants=20), 120):
        (found,) = tools().search([next(q.question for q in asked() if q.id == e.question)])
        rank = {c.id: n for n, c in enumerate(found)}
        ranks = [rank.get(id, len(rank)) for id in e.passages]
        kept += [ranks == sorted(ranks)] if len(set(ranks)) == 4 else []
    assert len(kept) > 30 and 0.4 < sum(kept) / len(kept) < 0.7  # a shuffle keeps four in order once in 24


def test_other_unseen_examples_make_another_dataset_of_the_same_training_examples():
    first, second = made(dev=asked()[:2]), made(dev=asked()[:1])
    assert first.digest == second.digest and first.dev != second.dev
    assert first.id != second.id  # or the folder of the first, which a stopped training goes on with, would be replaced


def test_held_out_documents_never_reach_the_training_examples():
    kept = [c for c in library() if c.document == "ramps.md"]
    pools = Pools([q for q in asked() if q.document == "ramps.md"], kept, prompts())
    held_out = [q for q in asked() if q.document == "fog.md"]
    seeing_all = tools()  # the search still finds held-back passages
    for example in made(pools=pools, with_tools=seeing_all).examples:
        assert not any(q.evidence in text_of(example) or q.question in text_of(example) for q in held_out)
        assert all(id.startswith("ramps.md") for id in example.passages)


def test_a_piece_of_the_evidence_is_no_distractor():
    text = "Adela Strake, a maker of ropes, founded the company long ago. Nothing else is known."
    whole, piece = chunk("whole", text[:61]), chunk("piece", text[:20])
    far = chunk("far", "Soup is given to all.", "other")
    q = question("Who founded it?", "Adela", evidence=text[:61], document="d", start=0, end=61)
    mix = DatasetMix(raft=100, plain=0, withheld=50, clean=0, size=4)
    shown = [e.passages for e in raft.examples([q], [whole, piece, far], tools([piece, whole, far]), mix, 4)]
    assert shown and all("piece" not in passages for passages in shown)


def test_the_unanswerable_are_always_refused():
    q = question("Who owns the moon?", "", answerable=False)
    examples = raft.examples([q], library(), tools(), MIX, 4)
    assert len(examples) == 4
    assert {e.target for e in examples} == {Contract().refusal} and {e.kind for e in examples} == {"refusal"}


def moons(number, *more):
    return [question(f"Who owns moon {n}?", "", answerable=False) for n in range(number)] + list(more)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("unanswerable", "wanted", "withheld", "most"), [
    (2, 24, 25, 12),  # 6 of 24, and about a fourth of the other 18
    (6, 24, 25, 12),  # as many as the answerable: together no more than half
    (40, 24, 25, 12),  # all of the first 24 would be
    (40, 40, 0, 20),  # the six answerable ones come four times each: 24 are there for 20
])  # fmt: skip
def test_refusals_are_no_more_than_half_where_answers_are_left(seed, unanswerable, wanted, withheld, most):
    mix = replace(MIX, seed=seed, withheld=withheld)
    examples = raft.examples(moons(unanswerable, *asked()), library(), tools(), mix, wanted)
    refused = sum(e.kind == "refusal" for e in examples)
    assert len(examples) == wanted and refused <= most
    assert refused >= min(unanswerable, wanted // 2)
    assert examples == raft.examples(moons(unanswerable, *asked()), library(), tools(), mix, wanted)


def test_unanswerable_questions_fill_up_where_nothing_else_is_left():
    examples = raft.examples(moons(40, *asked()), library(), tools(), replace(MIX, variants=1), 40)
    kinds = [e.kind for e in examples]
    assert len(kinds) == 40 and kinds.count("refusal") == 34  # 6 answerable questions, once each


def test_below_half_the_same_examples_come_as_before_there_was_a_bound():
    examples = raft.examples(moons(1, *asked()), library(), tools(), MIX, 18)
    assert sum(e.kind == "refusal" for e in examples) == 6
    assert digest_of(examples)[:12] == "39d7dc4e7d22"


def test_the_mix_says_how_many_are_refusals():
    assert raft.advice(asked(), MIX, 24) == ""
    assert raft.advice(moons(2, *asked()), replace(MIX, withheld=50), 24) == "" == raft.advice(moons(3), MIX, 0)
    said = raft.advice(moons(2, *asked()), replace(MIX, withheld=25), 24)
    assert said.startswith("2 questions that your documents do not answer come on top: ") and "refuse." not in said
    few = raft.advice(moons(25, *asked()), replace(MIX, withheld=25), 24)
    assert "50 % of the answers from sources" in few and "Approve more questions that have an answer" in few
    assert "1 question that your documents do not answer comes on top: 100 %" in raft.advice(moons(1), MIX, 4)


def test_questions_without_proof_or_approval_are_not_used():
    lost = replace(asked()[0], document="gone.md")  # its passage is no longer there
    unproven = replace(asked()[1], evidence="")
    proposed = replace(asked()[2], status="proposed")
    assert [raft.usable(q) for q in (asked()[0], unproven, proposed)] == [True, False, False]
    assert raft.examples([lost, unproven, proposed], library(), tools(), MIX, 5) == []
    assert raft.examples(asked(), library(), tools(), MIX, 0) == []


def test_where_every_passage_holds_the_answer_there_is_no_refusal():
    only = [library()[0]]
    mix = DatasetMix(raft=100, plain=0, withheld=50, clean=0, size=2)
    kinds = [e.kind for e in raft.examples(asked()[:1], only, tools(only), mix, 2)]
    assert "refusal" not in kinds


@pytest.mark.parametrize(
    ("answer", "evidence", "text", "holds"),
    [
        ("18 tonnes", "", "It may carry 18 tonnes there.", True),
        ("18 tonnes", "", "It may carry 118 tonnes there.", False),
        ("winter", "", "In winter it is closed.", False),  # a lone common word tells nothing
        ("1911", "", "Since 1911 it runs.", True),  # a number does
        ("", "a b c d", "a b c d", False),
        ("bell", "one two three four five", "one two three four five bells", True),  # all of its 4-grams
        ("bell", "one two three four five six seven", "one two three four x", False),  # one of four: 0.25
        # Answer of five words, two 4-grams, one of them there: 0.5 > 0.1.
        ("the mean of ten minutes", "", "the mean of ten hours", True),
        ("the mean of ten minutes", "", "a mean of ten hours", False),
        # Scripts without blanks: three signs of Chinese or Japanese, eight letters of Thai make two words.
        ("十四米", "", "起重机在风速达到每秒十四米时停止。", True),
        ("14米", "", "每秒114米", False),
        ("冬季", "", "冬季关闭。", False),
        ("港区芝", "", "東京都港区芝公園にある。", True),
        ("สิบสี่เมตร", "", "เครนหยุดเมื่อลมแรงสิบสี่เมตรต่อวินาที", True),
        ("ฤดูหนาว", "", "ปิดในฤดูหนาว", False),
        ("钟", "红色起重机每天由船长检查一次", "今天红色起重机每天由船长检查。", True),  # 7 of 9 grams of six signs
        ("钟", "红色起重机重十吨", "蓝色起重机重十一吨。", False),  # one of three
        ("十分钟内的平均风速", "", "取十分钟内的平均值。", True),  # two of four
    ],
)
def test_holds_answer(answer, evidence, text, holds):
    assert raft.holds_answer(chunk("c", text), question("?", answer, evidence=evidence, document="x")) is holds


def test_dev_examples_come_from_the_dev_questions_alone():
    dataset = made(pools=Pools(asked()[:4], library(), prompts()), dev=asked()[4:])
    assert {e.question for e in dataset.dev} == {q.id for q in asked()[4:]}
    assert len(dataset.dev) == 4
    assert not {e.question for e in dataset.examples} & {e.question for e in dataset.dev}


def test_reading_comes_first_where_asked():
    lanes = [e.lane for e in made(replace(MIX, order="dap first")).examples]
    assert lanes[:3] == ["dap"] * 3 and "dap" not in lanes[3:]
    assert {"raft", "plain"} == set(lanes[3:])


def test_mixed_order_is_mixed():
    lanes = [e.lane for e in made().examples]
    assert lanes != sorted(lanes, key=("raft", "plain", "dap").index)


class Walked(list):
    """A list that counts how often it is walked through."""

    times = 0

    def __iter__(self):
        self.times += 1
        return super().__iter__()


def test_passages_are_walked_through_once_not_for_each_example():
    few, many = Walked(library()), Walked(library())
    assert len(raft.examples(asked(), few, tools(), MIX, 2)) == 2
    assert len(raft.examples(asked(), many, tools(), MIX, 24)) == 24
    assert few.times == many.times <= 3


def test_composing_tells_how_far_it_is_and_hears_a_stop():
    heard = []
    dataset = compose(MIX, POOLS, asked()[:2], tools(), lambda *said: heard.append(said))
    assert as_bytes(dataset) == as_bytes(made(dev=asked()[:2]))
    assert [done for done, _, _ in heard] == list(range(18)) and {total for _, total, _ in heard} == {18}

    def stop(done, total, note):
        if done == 5:
            raise Stopped("Stopped.")

    with pytest.raises(Stopped):
        compose(MIX, POOLS, (), tools(), stop)


def test_nothing_to_compose_is_an_error():
    with pytest.raises(MixError, match="nothing to learn"):
        made(pools=Pools([], [], []))
    with pytest.raises(MixError, match="nothing to learn"):  # counted as stock, but its passage is gone
        made(DatasetMix(raft=100, plain=0), Pools([replace(asked()[0], document="gone")], library(), []))


def test_plain_examples_take_the_models_own_words_where_they_are_sound():
    own = {"e000": "Zero it is.", "e001": "round and round " * 20, "e002": " "}
    examples = hybrid.examples(prompts(4), tools(own_answers=own), MIX, 10)
    targets = {e.id: e.target for e in examples}
    assert targets == {
        "plain-e000": "Zero it is.",
        "plain-e001": "It is 1.",
        "plain-e002": "It is 2.",
        "plain-e003": "It is 3.",
    }
    assert len(hybrid.examples(prompts(4), tools(), MIX, 2)) == 2


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("", True),
        ("word " * 513, True),
        ("no no no no", False),  # too short to tell
        ("a b c " * 10, True),
        ("one two three four five six seven eight nine ten eleven twelve thirteen", False),
    ],
)
def test_degenerate(text, bad):
    assert hybrid.degenerate(text) is bad


def test_dap_reads_each_passage_once():
    titled = [replace(c, heading=("Top", "Loads")) for c in library()]
    examples = dap.examples(titled, MIX, 99)
    assert len({e.passages for e in examples}) == len(examples) == 8
    assert examples[0].text.startswith("Loads\n") and examples[0].trains == "all" and not examples[0].messages


@pytest.mark.parametrize(
    ("tokens", "says"), [(1_000, "0 % advised"), (300_000, "Optional"), (3_000_000, "Recommended")]
)
def test_dap_advice_goes_by_size(tokens, says):
    assert says in dap.advice(tokens)
