"""Examples: one noun for everything a model is trained on, before any tokenizer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Lane = Literal["raft", "plain", "dap"]
LANES: tuple[Lane, ...] = ("raft", "plain", "dap")


@dataclass(frozen=True)
class Message:
    """One turn. The last message of an Example is what is learned, if it trains "completion"."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Example:
    """One training example.

    ``kind``: "answer" (oracle among distractors), "clean" (oracle alone), "refusal" (distractors
    only), "plain" (an instruction), "text" (subject reading). ``text`` is set for "text" alone,
    ``messages`` for all others. ``passages`` and ``oracles`` are chunk ids in prompt order.
    ``trains`` is "completion" (loss on the last message only) or "all".
    """

    id: str
    lane: Lane
    kind: str
    messages: tuple[Message, ...] = ()
    text: str = ""
    trains: Literal["completion", "all"] = "completion"
    passages: tuple[str, ...] = ()
    oracles: tuple[str, ...] = ()
    question: str = ""  # question id

    @property
    def prompt(self) -> tuple[Message, ...]:
        return self.messages[:-1]

    @property
    def target(self) -> str:
        return self.messages[-1].content if self.messages else self.text


@dataclass(frozen=True)
class PlainPrompt:
    """A plain instruction with a written answer; ``answer`` may be replaced by the base model's own."""

    id: str
    prompt: str
    answer: str
