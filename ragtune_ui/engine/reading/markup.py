"""Markdown that readers write: tables from rows of cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

ROWS = 10  # rows under one head; longer tables repeat it, so that each passage of theirs says what its columns mean


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as a Markdown table; the first row is its head, shorter rows are filled up."""
    width = max(map(len, rows))
    lines = ["| " + " | ".join(_cell(c) for c in [*row, *[""] * (width - len(row))]) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def long_table(rows: Sequence[Sequence[str]]) -> str:
    """A table of any length, in parts of ``ROWS`` rows, each under the same head."""
    return "\n\n".join(_parts(rows))


def _parts(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if len(rows) <= ROWS + 1:
        yield markdown_table(rows)
        return
    for start in range(1, len(rows), ROWS):
        yield markdown_table([rows[0], *rows[start : start + ROWS]])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
