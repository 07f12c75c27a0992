"""What the stages need done, and nothing about who does it. ``app.py`` fills these ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.documents import Document, Parsed, Unpacked
from ragtune_ui.domain.endpoints import Endpoint
from ragtune_ui.domain.examples import Message
from ragtune_ui.domain.passages import Chunk, ChunkSettings, Passage, SearchSettings, Updated
from ragtune_ui.domain.questions import Question

Progress = Callable[[int, int, str], None]
"""``progress(done, total, note)``. It raises ``errors.Stopped`` when the person asked for a stop."""


class Reader(Protocol):
    """Reads in a limited child process. ``progress`` is called about four times a second and may raise Stopped."""

    def read(self, file: Path, kind: str, keep_repeated: bool = False, progress: Progress | None = None) -> Parsed:
        """The text of one file, page by page; ``keep_repeated``: with the headers and footers of its pages.

        Raises:
            DocumentError: with a status and a sentence, for every file that gives no text.
        """

    def unpack(self, file: Path, kind: str, to: Path, progress: Progress | None = None) -> Unpacked:
        """The files inside a ZIP or e-mail, put into the folder ``to``. Raises DocumentError."""

    def picture(self, file: Path, page: int, width: int) -> bytes:
        """A page of a PDF as a JPEG, about ``width`` points wide. Raises DocumentError."""


class Chunker(Protocol):
    def cut(self, document: Document, text: str, settings: ChunkSettings, most: int = 0) -> list[Chunk]:
        """Passages in reading order, the first ``most`` if given. Ids are the same for the same document and span."""

    def count(self, texts: Sequence[str], model: Path | None = None) -> list[int]:
        """Word pieces of each text, by the search model's tokenizer, or by that of a model's folder.

        Raises:
            ModelError: the folder has no tokenizer that can be read.
        """


class Embedder(Protocol):
    name: str
    fingerprint: str  # changes when vectors would

    def embed(self, texts: Sequence[str], progress: Progress | None = None) -> np.ndarray:
        """One unit vector a text: [texts, dimensions], float32."""


class Reranker(Protocol):
    def score(self, question: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the question, 0 to 1. Both are read together, so it is slow and sharp."""


class Searcher(Protocol):
    """The index of one project, a folder that can be rebuilt from the documents at any time."""

    def update(self, chunks: Sequence[Chunk], progress: Progress) -> Updated:
        """Make the index hold exactly ``chunks``; only texts never seen before are embedded. Searches
        meanwhile are answered from what was there. Without any chunk the index goes. Raises Stopped."""

    def search(
        self, questions: Sequence[str], settings: SearchSettings, documents: Sequence[str] | None = None
    ) -> list[list[Passage]]:
        """Ranked passages for each question; ``documents`` limits to these document ids."""

    def count(self) -> int:
        """Passages in the index; 0 where there is none."""

    def plane(self) -> dict[str, tuple[float, float]]:
        """Where each passage lies on a map of meaning, by id: alike is near. Both figures lie in -1 to 1."""


class Writer(Protocol):
    def write(
        self, document: Document, text: str, chunks: Sequence[Chunk], asked: Sequence[Question] = (),
        prover: Answers | None = None, progress: Progress | None = None,
    ) -> Iterator[Question]:  # fmt: skip
        """Proposed questions with evidence from one document by rules, best first within it.

        With a ``prover``, a question that was made from a sentence is kept only if the prover can answer it
        from its passage. ``progress`` may raise Stopped.
        """

    def ask(
        self, document: Document, text: str, chunks: Sequence[Chunk], asked: Sequence[Question], speaker: Answers,
        wanted: int, progress: Progress,
    ) -> Iterator[Question]:  # fmt: skip
        """Questions that ``speaker`` writes where the document has fewer than ``wanted`` among those ``asked``:
        each of these it could also answer from its passage. ``progress`` may raise Stopped."""


@dataclass(frozen=True)
class ModelChoice:
    """A model a person may choose. ``source`` is "built-in", a folder or a hub id."""

    id: str  # "built-in", an absolute folder, or "owner/name"
    title: str
    source: Literal["built-in", "folder", "hub"]
    size: int  # bytes on disk or to download
    memory: int  # bytes needed to train it, an estimate
    licence: str
    about: str
    positions: int  # longest prompt and answer, in tokens
    here: bool  # its files are on this computer
    problem: str = ""  # why it cannot be used, in words
    passages: int = 0  # it keeps so many apart at most; 0: as many as its positions hold


class Catalog(Protocol):
    def choices(self) -> list[ModelChoice]:
        """The built-in model, folders that were added, and hub models."""

    def folder(self, id: str, progress: Progress, allow_download: bool = False) -> Path:
        """Where the model's checked files lie; downloads a hub model if allowed.

        Raises:
            ModelError: unknown, incomplete, unsafe (pickle, code), or not here and no download allowed.
        """

    def look(self, folder: Path) -> ModelChoice:
        """What kind of model a folder holds. Raises ModelError in words."""


@dataclass(frozen=True)
class Reply:
    """A piece of streamed answers: side "base" or "tuned", the whole text so far."""

    side: Literal["base", "tuned"]
    text: str
    tokens: int
    seconds: float
    done: bool


class Answers(Protocol):
    """A model that answers prompts."""

    def answer(self, prompts: Sequence[Sequence[Message]], side: str, limit: int, progress: Progress) -> list[str]:
        """Greedy answers to many prompts by one side ("base" or "tuned"), in order."""

    def close(self) -> None:
        """Give the memory back."""


class Server(Answers, Protocol):
    """A model on a server; it has one side."""

    def models(self) -> list[str]:
        """Names of the models the server has. Raises QuestionError."""


class Speaker(Answers, Protocol):
    """One loaded base model, with at most one adapter beside it."""

    passages: int  # it keeps so many apart at most; 0: as many as its positions hold

    def stream(
        self, messages: Sequence[Message], sides: Sequence[str], limit: int, should_stop: Callable[[], bool]
    ) -> Iterator[Reply]:
        """Greedy answers of the named sides to the same prompt, in step, as they grow."""

    def whole(self, prompts: Sequence[Sequence[Message]], side: str, limit: int, progress: Progress) -> list[str]:
        """As ``answer``, and "" for each answer that had not come to its end after ``limit`` tokens."""

    def fits(self, messages: Sequence[Message], room: int) -> bool:
        """True where the prompt leaves ``room`` tokens for the answer within the model's positions."""


class Exporter(Protocol):
    def export(
        self, run: Path, model: Path, to: Path, contract: Contract, parts: Sequence[str],
        checks: Sequence[tuple[Sequence[Message], str]], progress: Progress,
    ) -> Mapping[str, object]:  # fmt: skip
        """Write ``parts`` ("adapter", "merged") under ``to`` and load them again from there: the
        returned report says how many of ``checks`` (prompt, tuned answer) came out the same."""


@dataclass(frozen=True)
class Engines:
    """Factories of the doers, called when a desk first needs one, so that importing stays light."""

    reader: Callable[[], Reader]
    chunker: Callable[[str], Chunker]  # search model: "built-in", a folder or a hub id; "" is the one of the settings
    searcher: Callable[[Path, str], Searcher]  # the index folder of a project, search model
    writer: Callable[[], Writer]
    catalog: Callable[[], Catalog]
    speaker: Callable[[Path, Path | None], Speaker]  # model folder, adapter folder
    server: Callable[[Endpoint], Server]
    worker: Callable[[Path], list[str]]  # run folder -> command line of the process that trains it
    exporter: Callable[[], Exporter]
