"""Hybrid: plain instructions beside the retrieval examples, so that everyday skill is kept.

The targets are, by default, what the base model itself says before training (self-replay,
SDFT: arXiv 2402.13669): nothing of it has to be relearned, and nothing has to be licensed.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from ragtune_ui.domain.examples import Example, Message, PlainPrompt
from ragtune_ui.domain.mixes import DatasetMix, Tools


def examples(prompts: Sequence[PlainPrompt], tools: Tools, mix: DatasetMix, wanted: int) -> list[Example]:
    """``wanted`` plain examples; prompts are drawn without repeats in an order fixed by the seed.

    An own answer that is not there ("": it found no end) or not worth replaying gives way to the written one.
    """
    order = sorted(prompts, key=lambda p: p.id)
    random.Random(f"{mix.seed}:plain").shuffle(order)
    made: list[Example] = []
    for prompt in order:
        if len(made) == wanted:
            break
        own = (tools.own_answers or {}).get(prompt.id, "")
        answer = own if own and not degenerate(own) else prompt.answer
        made.append(
            Example(
                id=f"plain-{prompt.id}",
                lane="plain",
                kind="plain",
                messages=(Message("user", prompt.prompt), Message("assistant", answer)),
            )
        )
    return made


def degenerate(text: str) -> bool:
    """True for a reply not worth replaying: empty, over 512 words, or going round in circles."""
    words = text.split()
    if not words or len(words) > 512:
        return True
    if len(words) < 12:
        return False
    trigrams = [tuple(words[i : i + 3]) for i in range(len(words) - 2)]
    return len(set(trigrams)) < 0.6 * len(trigrams)
