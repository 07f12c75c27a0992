"""Parse reports: what reading a file gave, page by page, for the person to check."""

from __future__ import annotations

from dataclasses import dataclass

from ragtune_ui.domain.documents import PageState, Parsed, Repeated
from ragtune_ui.domain.likeness import PAGE_SKETCH, Sketch, sketch_of


@dataclass(frozen=True)
class PageReport:
    """One page: how much it says, and what was found on it."""

    number: int
    words: int
    state: PageState = "text"
    columns: int = 1
    tables: int = 0
    sketch: Sketch = ()


@dataclass(frozen=True)
class Report:
    """What reading one file gave."""

    pages: tuple[PageReport, ...] = ()
    repeated: tuple[Repeated, ...] = ()
    sketch: Sketch = ()

    def numbers(self, state: PageState) -> list[int]:
        """The pages in one state: ``empty``, ``picture`` or ``garbled``."""
        return [page.number for page in self.pages if page.state == state]

    @property
    def tables(self) -> int:
        return sum(page.tables for page in self.pages)

    @property
    def column_pages(self) -> list[int]:
        """Pages that were read column by column."""
        return [page.number for page in self.pages if page.columns > 1]


def report_of(parsed: Parsed) -> Report:
    """The report of what a reader got out of a file."""
    pages = tuple(
        PageReport(
            page.number, len(page.text.split()), page.state, page.columns, page.tables,
            sketch_of(page.text, PAGE_SKETCH) if len(parsed.pages) > 1 else (),
        )
        for page in parsed.pages
    )  # fmt: skip
    return Report(pages, parsed.repeated, sketch_of(parsed.text))
