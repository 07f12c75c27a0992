"""Samples: real training examples as a table, what the model sees beside what it learns to answer."""

from __future__ import annotations

from collections.abc import Sequence

from ragtune_ui.domain.examples import Example
from ragtune_ui.ui import cards
from ragtune_ui.ui.cards import Html, Kind, tag

_KINDS: dict[str, tuple[Kind, str]] = {
    "answer": ("info", "Answer from sources (RAFT)"),
    "clean": ("info", "From the right passage alone"),
    "refusal": ("warn", "“Your documents do not say”"),
    "plain": ("quiet", "Everyday instruction"),
    "text": ("quiet", "Subject reading"),
}


def seen(example: Example) -> str:
    """What the model sees, in one line."""
    if example.text:
        return _short(example.text)
    asked = example.prompt[-1].content if example.prompt else ""
    if example.lane != "raft":
        return f"“{_short(asked)}”"
    question = asked.rsplit("Question:", 1)[-1].strip()
    useful = f"{len(example.oracles)} of them useful" if example.oracles else "none useful"
    return f"“{_short(question)}” + {len(example.passages)} passage{'s' * (len(example.passages) != 1)}, {useful}"


def _short(words: str, limit: int = 160) -> str:
    line = " ".join(words.split())
    return line if len(line) <= limit else f"{line[:limit].rsplit(' ', 1)[0]} …"


def table(examples: Sequence[Example]) -> Html:
    """One real example of each kind, the whole of it behind a line that opens."""
    rows = []
    for example in examples:
        kind, word = _KINDS.get(example.kind, ("quiet", example.kind))
        whole = [
            Html(
                tag("h4", {"system": "Instruction", "user": "The model sees"}[m.role])
                + tag("p", cards.lines(m.content))
            )
            for m in example.prompt
        ]
        more = cards.folded("Whole example", *whole) if whole else ""
        target = "It reads this passage as it stands." if example.text else example.target
        rows.append((cards.pill(kind, word), Html(tag("span", seen(example)) + more), cards.lines(target)))
    return cards.table(
        ("Kind", "The model sees", "It learns to answer"),
        rows,
        "One example of each kind",
        "There is nothing to learn from yet. Approve some questions first.",
    )
