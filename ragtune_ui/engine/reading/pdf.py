"""PDF: every page with its true number, pictures of text named, headers and footers found over all pages."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pypdfium2_raw as raw

from ragtune_ui.engine.reading.found import SCANT, Found, Problem, Sheet, damaged, locked, pictures_said, scanned
from ragtune_ui.engine.reading.layout import (
    hyphenated,
    in_order,
    margin,
    markdown_of,
    running,
    shape,
    style_of,
    without,
)
from ragtune_ui.engine.reading.lines import Line, PageReader

AT_ONCE = 1_000  # pages whose lines are in memory together; headers are looked for among them
MOST_PAGES = 20_000
PICTURED = 0.25  # of a page that a picture covers, for the page to be one


def read_pdf(file: Path, keep_repeated: bool = False) -> Found:
    """The pages of a PDF as Markdown.

    Raises:
        Problem: it is damaged, locked, a scan, or has more pages than ``MOST_PAGES``.
    """
    document = opened(file)
    try:
        number = raw.FPDF_GetPageCount(document)
        if number > MOST_PAGES:
            raise Problem("too large", f"It has {number:,} pages; the limit is {MOST_PAGES:,}.", "Split it.")
        found = Found([], _title(document))
        for start in range(0, number, AT_ONCE):
            _read_part(document, range(start, min(start + AT_ONCE, number)), keep_repeated, found)
    finally:
        raw.FPDF_CloseDocument(document)
    if not found.sheets:
        raise damaged()
    _judge(found)
    return found


def opened(file: Path) -> Any:
    """The open document, to be closed with ``FPDF_CloseDocument``. Raises Problem where it is damaged or locked."""
    raw.FPDF_InitLibrary()  # does nothing the second time
    document = raw.FPDF_LoadDocument(os.fsencode(file), None)
    if document:
        return document
    raise locked() if raw.FPDF_GetLastError() == raw.FPDF_ERR_PASSWORD else damaged()


def _title(document: Any) -> str:
    size = raw.FPDF_GetMetaText(document, b"Title", None, 0)
    if not 2 < size < 10_000:
        return ""
    room = ctypes.create_string_buffer(size)
    raw.FPDF_GetMetaText(document, b"Title", room, size)
    return room.raw[: size - 2].decode("utf-16-le", "replace").replace("\x00", "").strip()


def _read_part(document: Any, numbers: range, keep_repeated: bool, found: Found) -> None:
    pages = list(_pages(document, numbers))
    every = [lines for lines, _, _ in pages]
    style = style_of(every)
    joins = hyphenated(every)
    margins = [margin(lines, style) for lines in every]
    repeated = running(margins)
    for line_shape, times in repeated.items():
        said = next(a.text for lines in margins for a in lines if shape(a.text) == line_shape)
        found.repeated[said] = found.repeated.get(said, 0) + times
    for (lines, tables, pictured), edge in zip(pages, margins, strict=True):
        runs, columns = in_order(lines if keep_repeated else without(lines, edge, repeated))
        text = markdown_of(runs, style, joins)
        scant = len("".join(text.split())) < SCANT
        found.sheets.append(Sheet(text, columns, tables, "picture" if scant and pictured else ""))


def _pages(document: Any, numbers: range) -> Iterator[tuple[list[Line], int, bool]]:
    """Lines, tables, and whether there are pictures or drawings on a page that says next to nothing."""
    reader = PageReader()
    for number in numbers:
        page = raw.FPDF_LoadPage(document, number)
        if not page:  # one broken page does not lose the others
            yield [], 0, False
            continue
        try:
            lines, tables = reader.lines(page)
            said = sum(len(line.text) for line in lines)
            yield lines, tables, said < 2 * SCANT and (_pictured(page) if said else _draws(page))
        finally:
            raw.FPDF_ClosePage(page)


def _draws(page: Any) -> bool:
    shapes = (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_FORM)
    number = raw.FPDFPage_CountObjects(page)
    return any(raw.FPDFPageObj_GetType(raw.FPDFPage_GetObject(page, n)) in shapes for n in range(min(number, 500)))


def _pictured(page: Any) -> bool:
    """True where a picture covers a good part of a page: a scan with a stamp or a page number in true text."""
    edges = [ctypes.c_float() for _ in range(4)]
    whole = raw.FPDF_GetPageWidthF(page) * raw.FPDF_GetPageHeightF(page)
    for n in range(min(raw.FPDFPage_CountObjects(page), 500)):
        thing = raw.FPDFPage_GetObject(page, n)
        if raw.FPDFPageObj_GetType(thing) == raw.FPDF_PAGEOBJ_IMAGE:
            raw.FPDFPageObj_GetBounds(thing, *map(ctypes.byref, edges))
            x0, y0, x1, y1 = (edge.value for edge in edges)
            if (x1 - x0) * (y1 - y0) > PICTURED * whole:
                return True
    return False


def _judge(found: Found) -> None:
    """Say which pages are pictures; a document of pictures is a scan."""
    scans = [n for n, sheet in enumerate(found.sheets, start=1) if sheet.state == "picture"]
    readable = sum(len("".join(sheet.text.split())) >= SCANT for sheet in found.sheets)
    if scans and len(scans) >= 10 * readable:
        raise scanned(len(found.sheets))
    if scans:
        found.notes.append(pictures_said(scans, len(found.sheets)))
