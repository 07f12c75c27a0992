"""The mix: three lanes with shares, counted exactly, composed once, frozen."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import MixError
from ragtune_ui.domain.examples import LANES, Example, Lane, PlainPrompt
from ragtune_ui.domain.passages import Chunk
from ragtune_ui.domain.questions import Question
from ragtune_ui.domain.records import to_record


@dataclass(frozen=True)
class DatasetMix:
    """What the model practises. Shares are whole percents and add up to 100."""

    name: str = "Balanced"
    raft: int = 70  # answers from sources
    plain: int = 30  # everyday instructions
    dap: int = 0  # subject reading
    withheld: int = 25  # percent of the raft lane: oracle taken out, target is the refusal
    clean: int = 15  # percent of the raft lane: oracle alone, no distractors
    distractors: int = 3  # misleading passages beside the oracle, at most
    variants: int = 4  # raft examples from one question, at most (other distractors, other order)
    size: int = 200  # examples in all
    order: Literal["mixed", "dap first"] = "mixed"  # one stage, or subject reading before the rest
    plain_targets: Literal["own", "written"] = "own"  # the base model's own answers (SDFT), or ours
    seed: int = 42

    def __post_init__(self) -> None:
        shares = {lane: getattr(self, lane) for lane in LANES}
        if any(not 0 <= share <= 100 for share in shares.values()):
            raise MixError("Each share lies between 0 and 100 %.", "Move the slider back into that range.")
        if sum(shares.values()) != 100:
            raise MixError(
                f"The three shares add up to {sum(shares.values())} %; they must reach 100 %.",
                "Change one share, or choose a preset.",
            )
        if not 0 <= self.withheld <= 50:
            raise MixError("'Your documents do not say' may be 0 to 50 % of the answers from sources.")
        if self.withheld + self.clean > 100:
            raise MixError("The parts of the answers from sources add up to more than 100 %.")
        if not 1 <= self.size <= 100_000:
            raise MixError("The number of examples lies between 1 and 100,000.")
        if not 1 <= self.distractors <= 9 or not 1 <= self.variants <= 20:
            raise MixError("Misleading passages lie between 1 and 9, variants between 1 and 20.")

    def shares(self) -> dict[Lane, int]:
        return {lane: getattr(self, lane) for lane in LANES}


def split_exactly(total: int, shares: Mapping[Lane, int]) -> dict[Lane, int]:
    """Whole counts in the ratio of ``shares`` that sum to ``total`` (largest remainder; ties go by order)."""
    weight = sum(shares.values())
    # Whole numbers throughout: as floats, 1.4 and 8.4 have different remainders and the tie goes wrong.
    counts = {lane: total * share // weight for lane, share in shares.items()}
    by_remainder = sorted(shares, key=lambda lane: (-(total * shares[lane] % weight), LANES.index(lane)))
    for lane in by_remainder[: total - sum(counts.values())]:
        counts[lane] += 1
    return counts


@dataclass(frozen=True)
class Shortage:
    """A lane that has less than its share asks for: "only 418 approved questions: 1,672 instead of 2,000"."""

    lane: Lane
    wanted: int
    available: int
    sentence: str


@dataclass(frozen=True)
class MixPlan:
    """What composing would give, in counts, before it is done."""

    counts: dict[Lane, int]
    shortages: tuple[Shortage, ...] = ()

    @property
    def total(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Stock:
    """How much there is to draw from, in numbers."""

    questions: int  # accepted, answerable, with evidence, split "train"
    chunks: int  # passages of documents that are not held back
    prompts: int  # plain instructions


def plan_mix(mix: DatasetMix, stock: Stock) -> MixPlan:
    """Counts a lane can really deliver, and a sentence for each lane that falls short.

    Where there are too few questions, the other lanes keep their ratio to the answers from sources: else
    a few questions would drown in everyday instructions, against the shares that were asked for.
    """
    wanted = split_exactly(mix.size, mix.shares())
    available: dict[Lane, int] = {
        "raft": stock.questions * mix.variants,
        "plain": stock.prompts,
        "dap": stock.chunks,
    }
    why = {
        "raft": f"only {stock.questions:,} approved questions to learn from",
        "plain": f"only {stock.prompts:,} everyday instructions",
        "dap": f"only {stock.chunks:,} passages to read",
    }
    asked = wanted["raft"]
    if 0 < available["raft"] < asked:
        less = {lane: max(1, round(n * available["raft"] / asked)) for lane, n in wanted.items() if n}
        wanted = {**wanted, **less, "raft": asked}
    shortages = tuple(
        Shortage(lane, wanted[lane], available[lane], f"{why[lane]}: {available[lane]:,} instead of {wanted[lane]:,}")
        for lane in LANES
        if available[lane] < wanted[lane]
    )
    return MixPlan({lane: min(wanted[lane], available[lane]) for lane in LANES}, shortages)


@dataclass(frozen=True)
class Pools:
    """What the lanes draw from. Held-back documents and questions must not be in here."""

    questions: Sequence[Question]
    chunks: Sequence[Chunk]
    prompts: Sequence[PlainPrompt]


@dataclass(frozen=True)
class Tools:
    """What recipes may use: ``search(questions) -> ranked chunks a question`` is the project's own
    retriever (one batch), ``contract`` the prompt, ``own_answers`` the base model's replies by
    prompt id (None: use the written ones)."""

    search: Callable[[Sequence[str]], Sequence[Sequence[Chunk]]]
    contract: Contract
    own_answers: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Dataset:
    """An immutable snapshot. ``digest`` is the sha256 of the examples in order."""

    id: str
    mix: DatasetMix
    contract: Contract
    counts: dict[str, int]  # examples by lane, and by kind as "raft/refusal"
    examples: tuple[Example, ...] = field(repr=False)
    dev: tuple[Example, ...] = field(repr=False)  # held-out examples for the dashed line; never trained on
    digest: str = ""


def count(examples: Sequence[Example]) -> dict[str, int]:
    """Examples by lane and by ``lane/kind``."""
    by_lane = Counter(e.lane for e in examples)
    by_kind = Counter(f"{e.lane}/{e.kind}" for e in examples)
    return {**{lane: by_lane.get(lane, 0) for lane in LANES}, **dict(sorted(by_kind.items()))}


def digest_of(examples: Sequence[Example]) -> str:
    """sha256 over the examples' canonical JSON lines."""
    sha = hashlib.sha256()
    for example in examples:
        sha.update(json.dumps(to_record(example), sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return sha.hexdigest()
