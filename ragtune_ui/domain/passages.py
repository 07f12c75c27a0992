"""Passages: pieces of documents with their place, and what a search says about them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ragtune_ui.domain.documents import Document, unit_of
from ragtune_ui.domain.words import goes_on, terms

Splitter = Literal["headings", "fixed", "sentences"]


@dataclass(frozen=True)
class ChunkSettings:
    """How documents are cut. 160 pieces keep four passages, question and answer within the
    1,024 positions of the built-in reader; overlap 10 % (science.md 1.4)."""

    size: int = 160  # word pieces (tokens of the embedder), at most
    overlap: int = 16  # word pieces, at most
    splitter: Splitter = "headings"  # along headings and paragraphs; every ``size`` pieces; whole sentences


@dataclass(frozen=True)
class SearchSettings:
    """How passages are found: the same in the search page, the training data, chat and verdict."""

    number: int = 4  # passages returned (k)
    balance: float = 0.5  # weight of meaning (dense) against words (lexical), 0 to 1
    threshold: float = 0.0  # passages that score less are left out, 0 to 1; 0 leaves none out
    reranker: str = ""  # a cross-encoder that reads the best again: a folder or hub id; "" none


@dataclass(frozen=True)
class Chunk:
    """A piece of one document; ``start`` and ``end`` are character offsets in its text."""

    id: str
    document: str
    title: str  # the document's file name, for people and prompts
    page: int
    heading: tuple[str, ...]
    start: int
    end: int
    text: str  # as a person mended it, where one did; else the document's own characters
    tokens: int
    mended: bool = False

    @property
    def place(self) -> str:
        """Where it stands, for people: ``page 3 · Wind limits``."""
        return " · ".join([f"{unit_of(self.title)} {self.page}", *self.heading[-1:]])


@dataclass(frozen=True)
class Passage:
    """A chunk that a search returned. Scores are 0 to 1, larger is better."""

    chunk: Chunk
    rank: int
    score: float  # fused
    dense: float  # meaning: cosine similarity, clipped at 0
    lexical: float  # words: BM25 over its best in this search
    again: float | None = None  # what a reranker said; then ``score`` is this


@dataclass(frozen=True)
class Updated:
    """What one update of an index did, in passages."""

    embedded: int = 0  # read by the search model
    known: int = 0  # new to the index, with a vector that was kept from before
    unchanged: int = 0
    removed: int = 0

    @property
    def sentence(self) -> str:
        """``9 read, 3 known from before, 1,309 unchanged, 2 removed.``"""
        parts = [(self.embedded, "read"), (self.known, "known from before"), (self.unchanged, "unchanged"),
                 (self.removed, "removed")]  # fmt: skip
        said = ", ".join(f"{number:,} {word}" for number, word in parts if number)
        return f"{said or 'nothing to do'}."


@dataclass(frozen=True)
class SearchModel:
    """A model that search may use: one that makes vectors ("meaning"), or one that reads again ("reranker")."""

    id: str  # owner/name on the hub; "" is the built-in one
    title: str
    kind: Literal["meaning", "reranker"]
    size: int  # bytes to download
    languages: str
    speed: float  # relative to the built-in model
    licence: str
    about: str


@dataclass(frozen=True)
class Judgement:
    """ "This answers it" or "Not this", said by a person about one passage and question."""

    question: str
    document: str
    start: int
    end: int
    relevant: bool
    at: str = ""


def overlaps(chunk: Chunk, document: str, start: int, end: int) -> bool:
    """True where the chunk shares characters with a span of the same document."""
    return chunk.document == document and chunk.start < end and start < chunk.end


def covering(chunks: Sequence[Chunk], document: str, start: int, end: int) -> list[Chunk]:
    """The chunks that hold a span: those with all of it if any, else those that share some."""
    touching = [c for c in chunks if overlaps(c, document, start, end)]
    whole = [c for c in touching if c.start <= start and end <= c.end]
    return whole or touching


_WORDS = re.compile(r"\w+", re.UNICODE)
_SMALL = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be by can do does for from has have how i if in is it its many may much must of on or "
        "should that the their then there this to was were what when where which who whom whose why will with you your",
    )
)


def stem(word: str) -> str:
    """A rough English stem, for marking only: "lifting", "lifts" and "lift" meet; "wind" and "window" do not."""
    word = word.lower()
    for ending in ("ingly", "edly", "ings", "ing", "ies", "ied", "ed", "es", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending in ("ies", "ied") else "")
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def root(word: str) -> str:
    """The stem of a word that tells something; "" for small words such as "the" and "what"."""
    return "" if word.lower() in _SMALL else stem(word)


def marks(question: str, text: str) -> list[tuple[int, int]]:
    """Character spans in ``text`` of words that share a stem with the question's content words."""
    wanted = {stem(w) for w in _WORDS.findall(question) if w.lower() not in _SMALL and len(w) > 1}
    return [m.span() for m in _WORDS.finditer(text) if stem(m.group()) in wanted]


_LINK = re.compile(r"(?<![\w\])])!?\[([^\[\]\n]*)\]\((?:[^()\n]|\([^()\n]*\))*\)")  # not f[x](y)
_BOLD = re.compile(r"\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*")


def readable(text: str) -> str:
    """A passage without heading marks, targets of links, marks of bold words and empty lines: for cards and prompts,
    where its place stands beside it and an address is nothing but word pieces."""
    text = _LINK.sub(r"\1", re.sub(r"(?m)^#{1,6}[ \t]+", "", text))
    return re.sub(r"\n{2,}", "\n", _BOLD.sub(r"\1", text))


def shared(question: str, text: str) -> int:
    """How many of the question's content words stand in ``text``."""
    return len({root(w) for w in terms(question)} & {root(w) for w in terms(text)} - {""})


def find_spans(text: str, wanted: str, whole: bool = False) -> Iterator[tuple[int, int]]:
    """Everywhere that ``wanted`` stands in ``text``, whatever the white space, list marks or case, those of its own
    case first. ``whole``: not within longer words or numbers; a quote of a passage may be cut there, an answer not."""
    words = re.findall(r"\S+", wanted)
    if not words:
        return
    pattern = r"(?:[\s>|*_#-]+)".join(re.escape(w) for w in words)
    seen: set[tuple[int, int]] = set()
    for flag in (re.NOFLAG, re.IGNORECASE):
        for span in (m.span() for m in re.finditer(pattern, text, flag)):
            if span not in seen and not (whole and any(goes_on(text, edge) for edge in span)):
                seen.add(span)
                yield span


def find_span(text: str, wanted: str) -> tuple[int, int] | None:
    """The first of ``find_spans``; None if there is none."""
    return next(find_spans(text, wanted), None)


# Where a sentence ends without a blank: behind its full stop, and behind the quote or bracket that closes with it.
_END = r"(?:(?<=[。！？])(?![」』”’）。！？])|(?<=[。！？][」』”’）]))"


def sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """The sentence, list item or line that holds a span."""
    line = max(0, text.rfind("\n", 0, start))  # what stands before it does not matter, and is long in a long document
    before = [line + m.end() for m in re.finditer(rf"[ \t]*\n\s*(?:[-*|]\s*)?|(?<=[.!?])\s+|{_END}", text[line:start])]
    left = before[-1] if before else 0
    after = re.search(rf"(?<=[.!?])\s|\n|{_END}", text[max(start, end - 1) :])
    right = max(start, end - 1) + after.start() if after else len(text)
    return left, max(right, end)


def place_of(document: Document, start: int, heading: tuple[str, ...] = ()) -> str:
    """``handbook.pdf · page 3 · Wind limits``."""
    return " · ".join([document.name, f"{document.unit} {document.page_at(start)}", *heading[-1:]])
