"""Excel and CSV: each sheet as a table with its name and head, dates and numbers as people write them."""

from __future__ import annotations

import csv
import datetime
import io
import re
import warnings
from collections.abc import Iterable
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from ragtune_ui.domain.words import counted
from ragtune_ui.engine.reading.found import Found, Problem, Sheet, damaged
from ragtune_ui.engine.reading.markup import long_table
from ragtune_ui.engine.reading.parts import checked, opened, part_of
from ragtune_ui.engine.reading.text import told

MOST_CELLS = 1_000_000  # of one file
MOST_PLACES = 20 * MOST_CELLS  # of one table, the empty ones too: far cells make a small sheet wide and long


def read_xlsx(data: bytes) -> Found:
    """One sheet a sheet of the workbook, hidden ones included. A formula that was never calculated
    stands as it was written.

    Raises:
        Problem: it is damaged, locked or holds too much.
    """
    archive = opened(data)
    uncalculated = 0
    for name in archive.namelist():
        if name.endswith((".xml", ".rels")):
            part = part_of(archive, name)
            checked(part)
            if name.startswith("xl/worksheets/"):
                uncalculated += len(re.findall(rb"<f[^>]*>[^<]*</f>\s*(?:<v\s*/>|<v>\s*</v>|</c>)", part))
    values = _book(data, values=True)
    formulas = _book(data, values=False) if uncalculated else None
    sheets, cells = [], 0
    for name in values.sheetnames:
        page = values[name]
        if not hasattr(page, "iter_rows"):  # a sheet that is one chart
            sheets.append(Sheet("", state="empty"))
            continue
        other = _cells(formulas[name]) if formulas is not None else ()
        nothing: dict[int, Any] = {}
        rows = []
        for row, written in zip_longest(_cells(page), other, fillvalue=nothing):
            both = {**written, **row} if written else row  # a result takes the place of its formula
            rows.append({n: said for n, value in both.items() for said in [_said(value)] if said.strip()})
            cells += len(row)
            if cells > MOST_CELLS:
                raise Problem("too large", "It holds more than a million cells.",
                              "Save the sheets that matter as a file of their own.")  # fmt: skip
        table = _packed(rows)
        sheets.append(Sheet(f"## {name}\n\n{long_table(table)}" if table else "", tables=int(bool(table))))
    notes = []
    if uncalculated:
        cells_said = counted(uncalculated, "cell holds a formula", "cells hold formulas")
        notes.append(f"{cells_said} without a result: open it in its program and save it to have the results read.")
    return Found(sheets, notes=notes)


def _book(data: bytes, values: bool) -> Any:
    import openpyxl

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of features that only matter for writing
            return openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=values)
    except Problem:
        raise
    except MemoryError:
        raise
    except Exception:  # whatever a broken part leads its library to
        raise damaged() from None


def _cells(page: Any) -> Iterable[dict[int, Any]]:
    """Column and value of the filled cells of each row."""
    page.reset_dimensions()  # what the file says of its own size is not to be trusted
    # The library would fill up each row with empty cells to its last one, which a format alone may have put far out.
    page._get_row = _filled
    try:
        for row in page.iter_rows(values_only=True):
            yield row or {}  # rows that the file leaves out are empty lists
    except (Problem, MemoryError):
        raise
    except Exception:
        raise damaged() from None


def _filled(row: list[dict[str, Any]], *_: Any, **__: Any) -> dict[int, Any]:
    return {cell["column"]: cell["value"] for cell in row if cell["value"] is not None}


def _said(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, datetime.datetime):
        return value.strftime("%Y-%m-%d") if value.time() == datetime.time() else value.strftime("%Y-%m-%d %H:%M")
    return str(value)


def _number(value: float) -> str:
    """The 15 digits that Excel keeps, without an exponent unless it would be all zeros."""
    short = f"{value:.15g}"
    return format(Decimal(short), "f") if "e" in short and 1e-9 <= abs(value) < 1e21 else short


def _packed(rows: list[dict[int, str]]) -> list[list[str]]:
    """Rows and columns that hold something, from the filled cells of each row."""
    rows = [row for row in rows if row]
    used = sorted({n for row in rows for n in row})
    if len(rows) * len(used) > MOST_PLACES:
        raise Problem("too large", "One of its sheets is too wide and too long to be read as one table.",
                      "Save the parts of it that matter as files of their own.")  # fmt: skip
    return [[row.get(n, "") for n in used] for row in rows]


def _trimmed(rows: list[list[str]]) -> list[list[str]]:
    """Rows and columns that hold something."""
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    width = max(map(len, rows), default=0)
    used = [n for n in range(width) if any(n < len(row) and row[n].strip() for row in rows)]
    return [[row[n] if n < len(row) else "" for n in used] for row in rows]


def read_csv(data: bytes) -> Found:
    """A table from text with commas, semicolons, tabs or bars between its cells.

    Raises:
        Problem: it is no text or holds too much.
    """
    text, notes = told(data)
    first, _, rest = text.partition("\n")
    named = re.fullmatch(r"sep=(.)\s*", first)  # a line that some programs put in front
    text = rest if named else text
    csv.field_size_limit(10_000_000)
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=named.group(1) if named else _delimiter(text)))
    except csv.Error:
        raise damaged() from None
    if sum(map(len, rows)) > MOST_CELLS:
        raise Problem("too large", "It holds more than a million cells.", "Split it into smaller files.")
    table = _trimmed(rows)
    if not table or len(table[0]) == 1 == max(map(len, table)):  # one column: plain lines
        return Found([Sheet("\n".join(row[0] for row in table))], notes=notes)
    return Found([Sheet(long_table(table), tables=1)], notes=notes)


def _delimiter(text: str) -> str:
    """The sign that parts most lines into the same number of cells."""
    lines = [line for line in text[:50_000].splitlines()[:50] if line.strip()]

    def evenness(sign: str) -> tuple[float, int]:
        counts = [len(row) for row in csv.reader(lines, delimiter=sign)]
        usual = max(set(counts), key=counts.count, default=1)
        return (counts.count(usual) / max(1, len(counts)) if usual > 1 else 0.0), usual

    return max(";\t|,", key=evenness) if lines else ","
