"""Documents: what was uploaded, what could be read of it, and what to do where it could not."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Status = Literal["ready", "scanned", "password", "empty", "unreadable", "unsupported", "too large"]

PageState = Literal["text", "empty", "picture", "garbled"]

KINDS = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".pptx": "pptx",
    ".xlsx": "xlsx",
    ".csv": "csv",
    ".tsv": "csv",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".md": "markdown",
    ".markdown": "markdown",
    ".txt": "text",
    ".epub": "epub",
    ".eml": "mail",
    ".zip": "zip",
}
READABLE = "PDF, Word, PowerPoint, Excel, CSV, HTML, Markdown, text, e-books (EPUB), e-mails (.eml) or a ZIP of these"
UNITS = {"pptx": "slide", "xlsx": "sheet", "epub": "chapter"}
HOLDERS = ("zip", "mail")  # kinds that may hold further files
PAGE_BREAK = "\n\n"
LEAST_TO_HOLD_BACK = 4  # documents; of fewer, some of the questions are held back instead of one of them


@dataclass(frozen=True)
class Page:
    """One page as Markdown text: a slide, a sheet or a chapter where the format has those. Formats
    without pages have one page, numbered 1."""

    number: int
    text: str
    columns: int = 1
    tables: int = 0
    state: PageState = "text"


@dataclass(frozen=True)
class Repeated:
    """A header or footer line that was taken off the pages; numbers in it may differ from page to page."""

    line: str
    pages: int


@dataclass(frozen=True)
class Parsed:
    """What a Reader gets out of one file."""

    title: str
    pages: tuple[Page, ...]
    notes: tuple[str, ...] = ()  # sentences for the person: "3 of 12 pages are pictures of text."
    repeated: tuple[Repeated, ...] = ()

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
class Unpacked:
    """The files inside a ZIP or e-mail: (name inside, where it was put), and (name, why it was left out)."""

    files: tuple[tuple[str, Path], ...]
    left_out: tuple[tuple[str, str], ...] = ()


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
    language: str = ""  # in English words, as "German"; "" where it could not be told
    keep_repeated: bool = False  # header and footer lines stay in its text, as the person chose
    version: int = 1  # counts up when a newer file takes its place
    replaces: str = ""  # id of the document that this file is a newer version of, while the person decides

    @property
    def unit(self) -> str:
        """What one of its pages is called: page, slide, sheet or chapter."""
        return UNITS.get(self.kind, "page")

    @property
    def ready(self) -> bool:
        return self.status == "ready"

    def page_at(self, offset: int) -> int:
        """Page number (from 1) that holds the character ``offset``."""
        return max(1, bisect_right(self.page_starts, offset))


def unit_of(name: str) -> str:
    """What a page of a file of that name is called: page, slide, sheet or chapter."""
    return UNITS.get(kind_of(name) or "", "page")


def kind_of(name: str) -> str | None:
    """The kind that a file name promises, or None where RAGTune does not read it."""
    dot = name.rfind(".")
    return KINDS.get(name[dot:].lower()) if dot >= 0 else None


def choose_held_back(documents: list[Document], share: float = 0.2) -> list[str]:
    """Ids of the documents to hold back for measuring: about ``share`` of all words, at least
    one document once there are ``LEAST_TO_HOLD_BACK``; the same for the same set of files, whatever their order."""
    ready = sorted((d for d in documents if d.ready and d.words), key=lambda d: d.digest)
    if len(ready) < LEAST_TO_HOLD_BACK:
        return []
    budget, held, chosen = share * sum(d.words for d in ready), 0, []
    for document in ready:
        if held + document.words <= budget:
            chosen.append(document.id)
            held += document.words
    if not chosen:  # every document is larger than the share: the smallest comes nearest
        chosen = [min(ready, key=lambda d: d.words).id]
    return chosen[: len(ready) // 2]
