"""Documents: what was uploaded, what could be read of it, and what to do where it could not."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Literal

Status = Literal["ready", "scanned", "password", "empty", "unreadable", "unsupported", "too large"]

KINDS = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
}
PAGE_BREAK = "\n\n"


@dataclass(frozen=True)
class Page:
    """One page as Markdown text. Formats without pages have one page, numbered 1."""

    number: int
    text: str


@dataclass(frozen=True)
class Parsed:
    """What a Reader gets out of one file."""

    title: str
    pages: tuple[Page, ...]
    notes: tuple[str, ...] = ()  # sentences for the person: "3 of 12 pages are pictures of text."

    @property
    def text(self) -> str:
        """All pages in one string, the coordinate system of every character span."""
        return PAGE_BREAK.join(page.text for page in self.pages)

    @property
    def page_starts(self) -> tuple[int, ...]:
        """Character offset of each page in ``text``, ascending."""
        starts, at = [], 0
        for page in self.pages:
            starts.append(at)
            at += len(page.text) + len(PAGE_BREAK)
        return tuple(starts)


@dataclass(frozen=True)
class Document:
    """One uploaded file. Its text lies beside it on the shelf; spans count characters of that text."""

    id: str
    name: str  # the file's name as the person knows it; a label, never a path
    title: str
    kind: str
    digest: str  # sha256 of the file's bytes, hexadecimal
    size: int  # bytes
    pages: int
    words: int
    page_starts: tuple[int, ...]
    status: Status = "ready"
    problem: str = ""  # what happened and what to do, where status is not "ready"
    notes: tuple[str, ...] = ()
    held_back: bool = False  # its questions measure; it is never trained on (science.md 5.1)
    added: str = ""  # ISO 8601, UTC

    @property
    def ready(self) -> bool:
        return self.status == "ready"

    def page_at(self, offset: int) -> int:
        """Page number (from 1) that holds the character ``offset``."""
        return max(1, bisect_right(self.page_starts, offset))


def kind_of(name: str) -> str | None:
    """The kind that a file name promises, or None where RAGTune does not read it."""
    dot = name.rfind(".")
    return KINDS.get(name[dot:].lower()) if dot >= 0 else None


def choose_held_back(documents: list[Document], share: float = 0.2) -> list[str]:
    """Ids of the documents to hold back for measuring: about ``share`` of all words, at least
    one document once there are four; the same for the same set of files, whatever their order."""
    ready = sorted((d for d in documents if d.ready and d.words), key=lambda d: d.digest)
    if len(ready) < 4:
        return []
    budget, held, chosen = share * sum(d.words for d in ready), 0, []
    for document in ready:
        if held + document.words <= budget:
            chosen.append(document.id)
            held += document.words
    if not chosen:  # every document is larger than the share: the smallest comes nearest
        chosen = [min(ready, key=lambda d: d.words).id]
    return chosen[: len(ready) // 2]
