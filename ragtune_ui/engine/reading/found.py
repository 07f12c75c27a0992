"""What reading a file gives: pages, or the problem in words."""

from __future__ import annotations

TEXT_BYTES = 50 * 1024**2  # of text out of one file
UNPACKED_BYTES = 200 * 1024**2  # of one zipped document, all parts together
SCANT = 25  # characters; a page with fewer and with pictures on it is taken for a picture of text


class Sheet:
    """One page as it was found. ``state`` is one of ``domain.documents.PageState``, "" to tell it from the text."""

    # Plain classes, because dataclasses take longer to import than a small PDF to read.
    __slots__ = ("columns", "state", "tables", "text")

    def __init__(self, text: str, columns: int = 1, tables: int = 0, state: str = "") -> None:
        self.text, self.columns, self.tables, self.state = text, columns, tables, state


class Found:
    """The pages of one file, its own title if it has one, sentences for the person, and how many pages each
    header or footer line stood on."""

    def __init__(self, sheets: list[Sheet], title: str = "", notes: list[str] | None = None) -> None:
        self.sheets, self.title, self.notes = sheets, title, notes if notes is not None else []
        self.repeated: dict[str, int] = {}


class Problem(Exception):
    """A file that gives no text: the status of its row, what happened and what to do. ``pages`` is how
    many pages a scan has, for text recognition."""

    def __init__(self, status: str, happened: str, remedy: str, pages: int = 0) -> None:
        super().__init__(happened)
        self.status, self.happened, self.remedy, self.pages = status, happened, remedy, pages


def damaged(what: str = "The file") -> Problem:
    """The problem of a file that is broken or cut off."""
    return Problem(
        "unreadable", f"{what} is damaged or incomplete.", "Open it in its own program and save it again, then add it."
    )


def unsupported(what: str, remedy: str) -> Problem:
    """The problem of a format that RAGTune does not read."""
    return Problem("unsupported", f"It is {what}, which RAGTune does not read.", remedy)


def locked() -> Problem:
    """The problem of a file behind a password."""
    return Problem("password", "It is password-protected.", "Save a copy without the password and add it again.")


def scanned(pages: int) -> Problem:
    """The problem of a file whose pages are pictures."""
    return Problem(
        "scanned",
        "It has pictures of text, no text.",
        "Run text recognition on it and add it again, or leave it out.",
        pages,
    )


def pictures_said(numbers: list[int], whole: int, unit: str = "page") -> str:
    """The note about pages that are pictures of text."""
    verb = "is a picture" if len(numbers) == 1 else "are pictures"
    return f"{len(numbers)} of {whole} {unit}s {verb} without text: {pages_said(numbers)}."


def pages_said(numbers: list[int]) -> str:
    """``1, 2, 5 and 12 more``."""
    shown = ", ".join(map(str, numbers[:12]))
    return f"{shown} and {len(numbers) - 12} more" if len(numbers) > 12 else shown
