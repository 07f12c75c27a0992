"""DAP: continued language modelling on the documents, for their words and style.

Each example is one passage with its place; the loss covers all of it. Raw text alone is
measured to help little or to hurt on small corpora (AdaptLLM, arXiv 2309.09530; EntiGraph,
2409.07431), so no preset leans on it and ``advice`` says when to leave it out.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from ragtune_ui.domain.examples import Example
from ragtune_ui.domain.mixes import DatasetMix
from ragtune_ui.domain.passages import Chunk

FEW_TOKENS = 200_000


def examples(chunks: Sequence[Chunk], mix: DatasetMix, wanted: int) -> list[Example]:
    """``wanted`` passages to read, none twice, in an order fixed by the seed."""
    order = sorted(chunks, key=lambda c: c.id)
    random.Random(f"{mix.seed}:dap").shuffle(order)
    return [
        Example(
            id=f"dap-{chunk.id}",
            lane="dap",
            kind="text",
            text="\n".join([*chunk.heading[-1:], chunk.text]),
            trains="all",
            passages=(chunk.id,),
        )
        for chunk in order[:wanted]
    ]


def advice(tokens: int) -> str:
    """One sentence on whether subject reading is worth it for a corpus of ``tokens`` (science.md 2.2)."""
    if tokens < FEW_TOKENS:
        return f"Your text is short ({tokens:,} word pieces): 0 % advised."
    if tokens < 2_000_000:
        return "Optional for a corpus of this size; the verdict tells whether it paid."
    return "Recommended for a corpus of this size if its words are unusual."
