"""Written passages for the built-in reader: invented documents, questions in other words, questions they leave open.

``written/*.txt`` were written for this model, sentence by sentence and not by rule: practical prose (rules, manuals,
notes, records), questions as a person asks who has not read it, and questions about the same things that the document
does not answer. Public reading sets take the first from encyclopedias and lack the last. Nothing of the program's
sample is in them. One item a line::

    # Title of a document
    P: a passage
    Q: a question that it answers? | the answer, word for word
    N: a question that no passage of this document answers?
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

FOLDER = Path(__file__).with_suffix("")
HELD_BACK = 20  # one document in so many is never trained on


@dataclass(frozen=True)
class Document:
    """``asked`` holds (passage, question, answer), ``open`` (passage near which it was asked, question)."""

    title: str
    passages: list[str] = field(default_factory=list)
    asked: list[tuple[int, str, str]] = field(default_factory=list)
    open: list[tuple[int, str]] = field(default_factory=list)

    @property
    def held_back(self) -> bool:
        return int(hashlib.sha256(self.title.encode()).hexdigest(), 16) % HELD_BACK == 0


def documents(folder: Path = FOLDER) -> list[Document]:
    """Every document of the folder's files, in their order. Raises ValueError for a line that fits nowhere."""
    made: list[Document] = []
    for path in sorted(folder.glob("*.txt")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            kind, _, rest = line.partition(" ")
            if kind == "#":
                made.append(Document(rest))
            elif kind == "P:" and made:
                made[-1].passages.append(rest)
            elif kind == "Q:" and made and made[-1].passages:
                question, _, answer = rest.rpartition(" | ")
                if not question or answer not in made[-1].passages[-1]:
                    raise ValueError(f"{path.name}, line {number}: the answer is not in the passage")
                made[-1].asked.append((len(made[-1].passages) - 1, question, answer))
            elif kind == "N:" and made and made[-1].passages:
                made[-1].open.append((len(made[-1].passages) - 1, rest))
            elif line.strip():
                raise ValueError(f"{path.name}, line {number}: neither #, P:, Q: nor N:, or in the wrong place")
    return made
