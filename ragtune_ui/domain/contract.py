"""The prompt contract: how passages and question become messages and how a reply is read back.

One object, stored with every dataset and adapter, and used by training, chat, verdict and
export alike: a model is only as good as the prompt it was trained on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ragtune_ui.domain.examples import Message
from ragtune_ui.domain.passages import Chunk, readable

_CITATION = re.compile(r"\[\s*\d{1,2}(?:\s*[,;]\s*\d{1,2})*\s*\]")  # [1], and [1, 2] as larger models write it


@dataclass(frozen=True)
class Answer:
    """A reply, read: the answer's words alone, the passages it cites (numbers from 1), the refusal."""

    text: str
    citations: tuple[int, ...]
    refused: bool


@dataclass(frozen=True)
class Contract:
    """How a prompt is put together. ``instruction`` goes first, as the system message; ``refusal`` is
    the one sentence that says the documents are silent (small models learn one form best).

    Since version 2 the question stands before the passages and after them: a model that only looks
    back then knows, while it reads, what it reads for (query-aware contextualization, Liu et al. 2023,
    section 4.2). Datasets and adapters of version 1 keep the form they were made with.
    """

    version: int = 2
    instruction: str = (
        "Answer the question from the numbered passages only. Be short, and end with the number of the "
        "passage that proves the answer, like [1]. If the passages do not say, write exactly: "
        "Your documents do not say."
    )
    passage: str = "[{number}] {title}: {text}"
    question: str = "Question: {question}"
    refusal: str = "Your documents do not say."

    def messages(self, question: str, passages: Sequence[Chunk]) -> tuple[Message, ...]:
        """The prompt with passages; numbers follow the given order, from 1."""
        shown = self.shown(passages)
        asked = self.question.format(question=question.strip())
        parts = [asked, *shown, asked] if shown and self.version > 1 else [*shown, asked]
        return (Message("system", self.instruction), Message("user", "\n\n".join(parts)))

    def shown(self, passages: Sequence[Chunk]) -> list[str]:
        """The passages as a prompt shows them, numbered from 1."""
        return [
            self.passage.format(number=n, title=_heading(chunk), text=" ".join(readable(chunk.text).split()))
            for n, chunk in enumerate(passages, start=1)
        ]

    def closed_book(self, question: str) -> tuple[Message, ...]:
        """The prompt without passages: the "no retrieval" half of the four cells."""
        return (Message("user", self.question.format(question=question.strip())),)

    def target(self, answer: str, oracles: Sequence[int]) -> str:
        """What a grounded reply looks like: the answer, then its passages. ``oracles`` count from 1."""
        return f"{answer.strip()} {''.join(f'[{n}]' for n in sorted(oracles))}".strip()

    def read(self, reply: str) -> Answer:
        """A reply taken apart; tolerant of case, spacing and line breaks, equally for both models."""
        citations = tuple(dict.fromkeys(int(n) for mark in _CITATION.findall(reply) for n in re.findall(r"\d+", mark)))
        text = " ".join(_CITATION.sub(" ", reply).split()).strip(" .")
        return Answer(text, citations, _plain(self.refusal) in _plain(text) if text else False)


def _heading(chunk: Chunk) -> str:
    stem = chunk.title.rsplit(".", 1)[0].replace("-", " ").replace("_", " ")
    return f"{stem}, {chunk.heading[-1]}" if chunk.heading else stem


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower().replace("’", "'").replace("don't", "do not")))
