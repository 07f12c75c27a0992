"""Small nouns for the tests: a harbour with eight passages and a search that ranks by shared words."""

from __future__ import annotations

from collections.abc import Sequence

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.examples import PlainPrompt
from ragtune_ui.domain.mixes import Tools
from ragtune_ui.domain.passages import Chunk, marks
from ragtune_ui.domain.questions import Question, question_id

SENTENCES = {
    "ramps.md": [
        "The long ramp may carry at most 18 tonnes.",
        "The short ramp is closed to every lorry in winter.",
        "The hinge pins are greased every Thursday morning.",
        "The gate arm runs on 24 volts from a box.",
    ],
    "fog.md": [
        "The ferry stops when fewer than three white posts are seen.",
        "A lookout stands at the bow with a hand bell.",
        "The radar is not used to judge the fog.",
        "Wind is read from the cup vane on the roof.",
    ],
}
ANSWERS = [
    ("ramps.md", 0, "How much may the long ramp carry?", "18 tonnes"),
    ("ramps.md", 1, "When is the short ramp closed to every lorry?", "in winter"),
    ("ramps.md", 2, "When are the hinge pins greased?", "every Thursday morning"),
    ("ramps.md", 3, "On how many volts does the gate arm run?", "24 volts"),
    ("fog.md", 0, "When does the ferry stop?", "fewer than three white posts"),
    ("fog.md", 1, "Who stands at the bow?", "A lookout"),
]


def chunk(id: str, text: str, document: str = "d", start: int = 0, **more: object) -> Chunk:
    values = {"title": f"{document}.md", "page": 1, "heading": (), "end": start + len(text), "tokens": 10, **more}
    return Chunk(id=id, document=document, start=start, text=text, **values)  # type: ignore[arg-type]


def document(id: str, words: int = 100, **more: object) -> Document:
    values = {"name": f"{id}.md", "title": id, "kind": "markdown", "digest": id, "size": 1, "pages": 1, **more}
    return Document(id=id, words=words, page_starts=(0,), **values)  # type: ignore[arg-type]


def question(text: str = "Why?", answer: str = "because", **more: object) -> Question:
    values = {"id": question_id(text), "status": "approved", **more}
    return Question(question=text, answer=answer, **values)  # type: ignore[arg-type]


def library() -> list[Chunk]:
    """Eight passages, each one sentence, numbered ``ramps.md-0`` and so on."""
    made = []
    for name, sentences in SENTENCES.items():
        at = 0
        for n, sentence in enumerate(sentences):
            made.append(chunk(f"{name}-{n}", sentence, name, at, title=name))
            at += len(sentence) + 1
    return made


def asked() -> list[Question]:
    """Six questions, each proven by one passage of ``library``."""
    found = []
    for name, n, text, answer in ANSWERS:
        proof = next(c for c in library() if c.id == f"{name}-{n}")
        found.append(
            question(text, answer, evidence=proof.text, document=name, start=proof.start, end=proof.end, split="train")
        )
    return found


def prompts(number: int = 12) -> list[PlainPrompt]:
    return [PlainPrompt(f"e{n:03}", f"Say the number {n}.", f"It is {n}.") for n in range(number)]


def tools(chunks: Sequence[Chunk] | None = None, **more: object) -> Tools:
    """Tools whose search ranks by the number of words shared with the question."""
    pool = list(library() if chunks is None else chunks)

    def search(questions: Sequence[str]) -> list[list[Chunk]]:
        return [sorted(pool, key=lambda c: (-len(marks(q, c.text)), c.id)) for q in questions]

    return Tools(search=search, contract=Contract(), **more)  # type: ignore[arg-type]
