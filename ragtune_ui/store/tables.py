"""Tables: the rows of a CSV, JSONL, JSON or Excel file that a person brings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ragtune_ui.domain.errors import QuestionError


def read_table(path: Path, name: str) -> list[dict[str, Any]]:
    """The rows of a CSV (comma, semicolon or tab), JSONL, JSON or Excel file, as header -> cell.

    The n-th of them is the n-th row of the file: a header and blank lines stay, as {}, so that whoever
    finds fault with a row can say which.

    Raises:
        QuestionError: another kind of file, an empty one, or one that cannot be read; with the row.
    """
    ending = Path(name).suffix.lower()
    if path.stat().st_size == 0:
        raise QuestionError("The file is empty.", "Choose one with a header row and questions.")
    try:
        if ending in (".csv", ".tsv", ".txt"):
            rows = _csv_rows(path.read_bytes())
        elif ending in (".jsonl", ".ndjson", ".json"):
            rows = _json_rows(path.read_text(encoding="utf-8-sig"))
        elif ending in (".xlsx", ".xlsm"):
            rows = _excel_rows(path)
        else:
            raise QuestionError(
                f"RAGTune cannot take questions from a “{ending or 'nameless'}” file.",
                "Save it as CSV, JSONL or Excel (.xlsx).",
            )
    except QuestionError:
        raise
    except Exception as error:  # a damaged workbook fails in a hundred ways: zip, XML, dates, missing parts
        raise QuestionError(
            "The file cannot be read as a table.", "Save it again as CSV (UTF-8) or Excel (.xlsx).", str(error)
        ) from error
    if not any(rows):
        raise QuestionError("The file has no rows below its header.", "Add questions and import it again.")
    return rows


def _csv_rows(data: bytes) -> list[dict[str, Any]]:
    for encoding in ("utf-8-sig", "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "cp1252"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise QuestionError("The file is not text.", "Save it again as CSV (UTF-8).")
    mark = max(",;\t", key=text.strip("\r\n").split("\n")[0].count)
    return _records(list(csv.reader(io.StringIO(text, newline=""), delimiter=mark)))


def _records(table: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Header -> cell for each line of a table below its header, the first line that holds anything."""
    at = next((n for n, line in enumerate(table) if _filled(line)), len(table))
    headers = ["" if h is None else str(h) for line in table[at : at + 1] for h in line]
    below = [{h: c for h, c in zip(headers, line, strict=False) if h and _filled(line)} for line in table[at + 1 :]]
    return [{}] * (at + 1) + below


def _filled(line: Sequence[Any]) -> bool:
    return any(cell not in (None, "") for cell in line)


def _json_rows(text: str) -> list[dict[str, Any]]:
    if text.lstrip().startswith("["):
        records = json.loads(text)
        return [r if isinstance(r, dict) else {} for r in records]
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            rows.append({})
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise QuestionError(f"Line {number} is not valid JSON.", "Mend that line and import again.") from error
        if not isinstance(record, dict):
            raise QuestionError(f"Line {number} is not a record with named values.", "Mend that line.")
        rows.append(record)
    return rows


def _excel_rows(path: Path) -> list[dict[str, Any]]:
    from openpyxl import load_workbook

    with path.open("rb") as f:
        book = load_workbook(f, read_only=True, data_only=True)
        return _records(list(book.worksheets[0].iter_rows(values_only=True)))
