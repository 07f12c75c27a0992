"""Recipes: from questions, passages and prompts to examples. One file a strategy; ``compose`` mixes them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ragtune_ui.domain.errors import MixError
from ragtune_ui.domain.examples import LANES, Example, Lane
from ragtune_ui.domain.mixes import Dataset, DatasetMix, Pools, Stock, Tools, count, digest_of, plan_mix
from ragtune_ui.domain.ports import Progress
from ragtune_ui.domain.questions import Question
from ragtune_ui.domain.recipes import dap, hybrid, raft


def compose(
    mix: DatasetMix, pools: Pools, dev: Sequence[Question], tools: Tools, progress: Progress | None = None
) -> Dataset:
    """The dataset of a mix. The same mix, pools and tools give the same bytes.

    Raises:
        MixError: nothing can be composed from what there is.
        Stopped: passed on from ``progress``, which hears of each answer from sources.
    """
    stock = Stock(sum(raft.usable(q) for q in pools.questions), len(pools.chunks), len(pools.prompts))
    plan = plan_mix(mix, stock)
    if plan.total == 0:
        raise MixError("There is nothing to learn from yet.", "Approve some questions, or add documents.")
    drawn: dict[Lane, list[Example]] = {
        "raft": raft.examples(pools.questions, pools.chunks, tools, mix, plan.counts["raft"], progress=progress),
        "plain": hybrid.examples(pools.prompts, tools, mix, plan.counts["plain"]),
        "dap": dap.examples(pools.chunks, mix, plan.counts["dap"]),
    }
    held_out = raft.examples(dev, pools.chunks, tools, mix, min(2 * len(dev), 40), salt="dev")
    rng = random.Random(f"{mix.seed}:order")
    if mix.order == "dap first":
        later = drawn["raft"] + drawn["plain"]
        rng.shuffle(drawn["dap"])
        rng.shuffle(later)
        ordered = drawn["dap"] + later
    else:
        ordered = [example for lane in LANES for example in drawn[lane]]
        rng.shuffle(ordered)
    if not ordered:
        raise MixError("There is nothing to learn from yet.", "Approve some questions, or add documents.")
    return Dataset(
        id=digest_of([*ordered, *held_out])[:12],  # with the unseen: a stopped training goes on with the same ones
        mix=mix,
        contract=tools.contract,
        counts=count(ordered),
        examples=tuple(ordered),
        dev=tuple(held_out),
        digest=digest_of(ordered),
    )
