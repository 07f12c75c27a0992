"""Tables of a PDF page: words in the cells of a ruled grid, or in columns that line up over several rows."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ragtune_ui.engine.reading.markup import markdown_table

MOST_RULES = 1_500  # drawn lines of a page that are looked at; maps and plans have more
THIN = 2.5  # points; a thinner box is a rule
NEAR = 3.0  # points between rules that meet
FIELD = -2  # place of what is filled into a field: it goes on with what is printed before it
TICKED = -4  # place of a tick in a box: what is printed after it goes on with it
REMARK = 10_000_000  # first place of remarks that are written on a page
PROSE = 5.0  # words in a cell of the first column, on average; columns of more are text, not a table


class Word(NamedTuple):
    """A word with its edges and baseline in points, up is more."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool
    place: int  # among the words of the page, in the order of the file; or one of FIELD, TICKED, REMARK on


Piece = tuple[str, float, float, float, float, bool]  # what a ``lines.Line`` is made of; size 0: a table


def tables_in(words: Sequence[Word], page: Any, raw: Any) -> tuple[list[Piece], int]:
    """The lines of a page, tables in their place as Markdown, from top to bottom; and how many tables there are."""
    found: list[Piece] = []
    rest = list(words)
    for box, columns, rows in _grids(_rules(page, raw)):
        inside = [w for w in rest if box[0] <= (w.x0 + w.x1) / 2 <= box[2] and box[1] <= w.y + w.size / 3 <= box[3]]
        table = _filled(inside, columns, rows)
        if table:
            found.append((markdown_table(table), box[0], box[2], box[3], 0.0, False))
            taken = set(map(id, inside))
            rest = [w for w in rest if id(w) not in taken]
    ruled = len(found)
    rows_of = [_segments(row) for row in _rows(rest)]
    for first, last, cells in _aligned(rows_of):
        x0 = min(s[0].x0 for s in rows_of[first])
        top = rows_of[first][0][0]
        found.append((markdown_table(cells), x0, max(s[-1].x1 for s in rows_of[first]), top.y, 0.0, False))
        for n in range(first, last + 1):
            rows_of[n] = []
    tables = len(found)
    found += [_line(segment) for row in rows_of for segment in row]
    return sorted(found, key=lambda piece: (-piece[3], piece[1])), max(tables, ruled)


def _line(segment: Sequence[Word]) -> Piece:
    first = segment[0]
    size = max(w.size for w in segment)
    text = " ".join(w.text for w in segment)
    return text, first.x0, segment[-1].x1, first.y, size, all(w.bold for w in segment)


# Rows and segments.


def _rows(words: Iterable[Word]) -> list[list[Word]]:
    """Words grouped by baseline, from top to bottom, each row from left to right."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda w: -w.y):
        if rows and abs(rows[-1][0].y - word.y) < 0.4 * max(word.size, rows[-1][0].size):
            rows[-1].append(word)
        else:
            rows.append([word])
    return [sorted(row, key=lambda w: w.x0) for row in rows]


_MARK = re.compile(r"(?:[•▪◦●‣–·○■\uf0b7\uf0a7-]|\(?(?:\d{1,3}|[a-zA-Z])[.)])$")


def _segments(row: list[Word]) -> list[list[Word]]:
    """A row cut where words stand more than about a letter apart, or come from different places of the file."""
    segments = [[row[0]]]
    for word in row[1:]:
        before = segments[-1][-1]
        gap = (word.x0 - before.x1) / max(word.size, 4)
        follows = 0 < word.place - before.place <= 1
        filled = word.place == FIELD or before.place == TICKED
        marked = len(segments[-1]) == 1 and follows and gap < 5 and _MARK.match(before.text)
        if gap > (1.0 if follows else 0.4) and not marked and not filled:
            segments.append([word])
        else:
            segments[-1].append(word)
    return segments


# Ruled grids.


def _rules(page: Any, raw: Any) -> tuple[list[tuple[float, float, float]], list[tuple[float, float, float]]]:
    """Drawn level lines (y, from, to) and upright lines (x, from, to) of a page; none without a page."""
    if page is None:
        return [], []
    level: list[tuple[float, float, float]] = []
    upright: list[tuple[float, float, float]] = []
    number = raw.FPDFPage_CountObjects(page)
    edges = [ctypes.c_float() for _ in range(4)]
    refs = [ctypes.byref(e) for e in edges]
    for n in range(min(number, 4 * MOST_RULES)):
        thing = raw.FPDFPage_GetObject(page, n)
        if raw.FPDFPageObj_GetType(thing) != raw.FPDF_PAGEOBJ_PATH:
            continue
        raw.FPDFPageObj_GetBounds(thing, *refs)
        x0, y0, x1, y1 = (e.value for e in edges)
        for a, b, c, d in _sides(thing, raw, x0, y0, x1, y1):
            if abs(d - b) < THIN < abs(c - a):
                level.append(((b + d) / 2, min(a, c), max(a, c)))
            elif abs(c - a) < THIN < abs(d - b):
                upright.append(((a + c) / 2, min(b, d), max(b, d)))
        if len(level) + len(upright) > MOST_RULES:
            return [], []
    return level, upright


def _sides(thing: Any, raw: Any, x0: float, y0: float, x1: float, y1: float) -> Iterable[tuple[float, ...]]:
    """The straight pieces of a path: itself where it is thin, its sides where it is a box, else its segments."""
    if x1 - x0 < THIN or y1 - y0 < THIN:
        return [(x0, y0, x1, y1)]
    number = raw.FPDFPath_CountSegments(thing)
    if number <= 6:
        return [(x0, y0, x1, y0), (x0, y1, x1, y1), (x0, y0, x0, y1), (x1, y0, x1, y1)]
    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(thing, matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    sides, before = [], None
    for n in range(min(number, MOST_RULES)):
        segment = raw.FPDFPath_GetPathSegment(thing, n)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        at = (matrix.a * x.value + matrix.c * y.value + matrix.e, matrix.b * x.value + matrix.d * y.value + matrix.f)
        if before is not None and raw.FPDFPathSegment_GetType(segment) == raw.FPDF_SEGMENT_LINETO:
            sides.append((*before, *at))
        before = at
    return sides


Box = tuple[float, float, float, float]


def _grids(
    rules: tuple[list[tuple[float, float, float]], list[tuple[float, float, float]]],
) -> list[tuple[Box, list[float], list[float]]]:
    """Boxes of rules that touch, with the places of their upright lines (left to right) and level lines
    (top to bottom)."""
    level, upright = rules
    boxes: list[tuple[Box, set[float], set[float]]] = []
    pieces: list[tuple[Box, set[float], set[float]]] = [((a, y, b, y), set(), {y}) for y, a, b in level]
    pieces += [((x, a, x, b), {x}, set()) for x, a, b in upright]
    for box, xs, ys in pieces:
        apart = []
        for other in boxes:
            if _touch(box, other[0]):
                o = other[0]
                box = (min(box[0], o[0]), min(box[1], o[1]), max(box[2], o[2]), max(box[3], o[3]))
                xs, ys = xs | other[1], ys | other[2]
            else:
                apart.append(other)
        boxes = [*apart, (box, xs, ys)]
    found = []
    for box, xs, ys in boxes:
        columns, rows = _distinct(xs), _distinct(ys)[::-1]
        if len(columns) >= 3 and len(rows) >= 3:
            found.append((box, columns, rows))
    return found


def _touch(a: Box, b: Box) -> bool:
    return a[0] <= b[2] + NEAR and b[0] <= a[2] + NEAR and a[1] <= b[3] + NEAR and b[1] <= a[3] + NEAR


def _distinct(values: Iterable[float]) -> list[float]:
    kept: list[float] = []
    for value in sorted(values):
        if not kept or value - kept[-1] > NEAR:
            kept.append(value)
    return kept


def _filled(words: Sequence[Word], columns: list[float], rows: list[float]) -> list[list[str]]:
    """The cells of a grid, rows and columns without a word left out; none where it is no table."""
    cells: dict[tuple[int, int], list[Word]] = {}
    for word in words:
        row = sum(word.y + word.size / 3 < y for y in rows[1:-1])
        column = sum((word.x0 + word.x1) / 2 > x for x in columns[1:-1])
        cells.setdefault((row, column), []).append(word)
    used_rows, used_columns = sorted({r for r, _ in cells}), sorted({c for _, c in cells})
    if len(used_rows) < 2 or len(used_columns) < 2:
        return []
    return [[_said(cells.get((r, c), [])) for c in used_columns] for r in used_rows]


def _said(words: Sequence[Word]) -> str:
    return " ".join(w.text for row in _rows(words) for w in row)


# Columns that line up.


def _aligned(rows: list[list[list[Word]]]) -> list[tuple[int, int, list[list[str]]]]:
    """(first row, last row, cells) of each run of rows whose pieces stand in the same columns."""
    found, start = [], 0
    while start < len(rows):
        end = start
        while end < len(rows) and _goes_on(rows, start, end):
            end += 1
        cells = _columns(rows[start:end]) if end - start >= 2 else []
        if cells:
            found.append((start, end - 1, cells))
        start = max(end, start + 1)
    return found


def _goes_on(rows: list[list[list[Word]]], start: int, n: int) -> bool:
    row = rows[n]
    if not row:
        return False
    if n > start:
        before = rows[n - 1][0][0]
        if before.y - row[0][0].y > 3.2 * max(before.size, row[0][0].size):
            return False
        if len(row) == 1:  # the second line of a cell other than the first
            return row[0][0].x0 > rows[start][0][-1].x1
    return len(row) >= 2


def _columns(rows: list[list[list[Word]]]) -> list[list[str]]:
    """Cells of rows in columns; none where the columns do not line up or hold running text."""
    spans: list[list[float]] = []
    for x0, x1 in sorted((s[0].x0, s[-1].x1) for row in rows for s in row):
        if spans and x0 < spans[-1][1] - 1:
            spans[-1][1] = max(spans[-1][1], x1)
        else:
            spans.append([x0, x1])
    full = [row for row in rows if len(row) >= 2]
    if len(spans) < 2 or len(full) < (3 if len(spans) == 2 else 2) or max(map(len, full)) < len(spans) - 1:
        return []
    leading = [row[0] for row in full]
    if sum(map(len, leading)) > PROSE * len(leading):
        return []
    # A row of a table is written from cell to cell; columns of text are not.
    if 3 * sum(row[1][0].place - row[0][-1].place == 1 for row in full) < len(full):
        return []
    cells: list[list[str]] = []
    for row in rows:
        line = [""] * len(spans)
        for segment in row:
            column = next(n for n, span in enumerate(spans) if segment[0].x0 <= span[1])
            line[column] = f"{line[column]} {' '.join(w.text for w in segment)}".strip()
        if len(row) == 1 and cells:
            cells[-1] = [f"{a} {b}".strip() for a, b in zip(cells[-1], line, strict=True)]
        else:
            cells.append(line)
    return cells
