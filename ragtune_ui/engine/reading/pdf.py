"""PDF: every page with its true number, pictures of text named, headers and footers found over all pages."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

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
from ragtune_ui.engine.reading.lines import TICK, Filled, Line, PageReader

AT_ONCE = 1_000  # pages whose lines are in memory together; headers are looked for among them
MOST_PAGES = 20_000
MOST_BYTES = 10_000_000  # of what is filled into one field
MOST_MARKS = 5_000  # fields, remarks and links of a page that are looked at
PICTURED = 0.25  # of a page that a picture covers, for the page to be one


def read_pdf(file: Path, keep_repeated: bool = False) -> Found:
    """The pages of a PDF as Markdown.

    Raises:
        Problem: it is damaged, locked, a scan, or has more pages than ``MOST_PAGES``.
    """
    document = opened(file)
    plan = raw.FPDF_FORMFILLINFO(version=2)  # has to live as long as the form
    form = raw.FPDFDOC_InitFormFillEnvironment(document, plan) if raw.FPDF_GetFormType(document) else None
    try:
        number = raw.FPDF_GetPageCount(document)
        if number > MOST_PAGES:
            raise Problem("too large", f"It has {number:,} pages; the limit is {MOST_PAGES:,}.", "Split it.")
        found = Found([], _title(document))
        for start in range(0, number, AT_ONCE):
            _read_part(document, form, range(start, min(start + AT_ONCE, number)), keep_repeated, found)
    finally:
        if form:
            raw.FPDFDOC_ExitFormFillEnvironment(form)
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


def _read_part(document: Any, form: Any, numbers: range, keep_repeated: bool, found: Found) -> None:
    pages = list(_pages(document, form, numbers))
    every = [page.lines for page in pages]
    style = style_of(every)
    joins = hyphenated(every)
    margins = [margin(lines, style) for lines in every]
    repeated = running(margins)
    for line_shape, times in repeated.items():
        said = next(a.text for lines in margins for a in lines if shape(a.text) == line_shape)
        found.repeated[said] = found.repeated.get(said, 0) + times
    for page, edge in zip(pages, margins, strict=True):
        runs, columns = in_order(page.lines if keep_repeated else without(page.lines, edge, repeated))
        text = markdown_of(runs, style, joins)
        scant = len("".join(text.split())) - page.filled < SCANT
        found.sheets.append(Sheet(text, columns, page.tables, "picture" if scant and page.pictured else ""))


class _Page(NamedTuple):
    lines: list[Line]
    tables: int = 0
    pictured: bool = False  # there are pictures or drawings on it, and next to no print
    filled: int = 0  # signs that are filled in, not printed


def _pages(document: Any, form: Any, numbers: range) -> Iterator[_Page]:
    reader = PageReader()
    for number in numbers:
        page = raw.FPDF_LoadPage(document, number)
        if not page:  # one broken page does not lose the others
            yield _Page([])
            continue
        try:
            values = list(_filled(page, form))
            lines, tables = reader.lines(page, values)
            filled = sum(len("".join(value.text.split())) for value in values)
            said = sum(len(line.text) for line in lines)
            pictured = said - filled < 2 * SCANT and (_pictured(page) if said else _draws(page))
            yield _Page(lines, tables, pictured, filled)
        finally:
            raw.FPDF_ClosePage(page)


def _filled(page: Any, form: Any) -> Iterator[Filled]:
    """What is filled into the fields of a page, and remarks that are written on it."""
    box = raw.FS_RECTF()
    for n in range(min(raw.FPDFPage_GetAnnotCount(page), MOST_MARKS)):
        mark = raw.FPDFPage_GetAnnot(page, n)
        if not mark:
            continue
        try:
            kind = raw.FPDFAnnot_GetSubtype(mark)
            if kind not in (raw.FPDF_ANNOT_WIDGET, raw.FPDF_ANNOT_FREETEXT) or raw.FPDFAnnot_GetFlags(mark) & _UNSEEN:
                continue
            text = _value(mark, form) if kind == raw.FPDF_ANNOT_WIDGET else _string(mark, b"Contents")
            if text.strip() and raw.FPDFAnnot_GetRect(mark, box):
                low, high = sorted((box.bottom, box.top))
                left, right = sorted((box.left, box.right))
                yield Filled(text, left, right, low, high, kind == raw.FPDF_ANNOT_WIDGET)
        finally:
            raw.FPDFPage_CloseAnnot(mark)


_UNSEEN = raw.FPDF_ANNOT_FLAG_HIDDEN | raw.FPDF_ANNOT_FLAG_NOVIEW
_TICKED = (raw.FPDF_FORMFIELD_CHECKBOX, raw.FPDF_FORMFIELD_RADIOBUTTON)
_CHOSEN = (raw.FPDF_FORMFIELD_COMBOBOX, raw.FPDF_FORMFIELD_LISTBOX)


def _value(field: Any, form: Any) -> str:
    """What a field says; a ticked box a tick, an empty one, a button and a password nothing."""
    kind = raw.FPDFAnnot_GetFormFieldType(form, field) if form else -1
    if kind < 0:  # pages that were taken out of a form still show what was filled in
        return _string(field, b"V") if _string(field, b"FT") in ("Tx", "Ch") else ""
    if kind in _TICKED:
        state = _string(field, b"AS") or _string(field, b"V")
        return TICK if state not in ("", "Off") else ""
    if kind not in (raw.FPDF_FORMFIELD_TEXTFIELD, *_CHOSEN):
        return ""
    if kind not in _CHOSEN and raw.FPDFAnnot_GetFormFieldFlags(form, field) & raw.FPDF_FORMFLAG_TEXT_PASSWORD:
        return ""
    options = range(min(raw.FPDFAnnot_GetOptionCount(form, field), MOST_MARKS) if kind in _CHOSEN else 0)
    chosen = [n for n in options if raw.FPDFAnnot_IsOptionSelected(form, field, n)]
    if chosen:
        return ", ".join(_said(raw.FPDFAnnot_GetOptionLabel, form, field, n) for n in chosen)
    return _said(raw.FPDFAnnot_GetFormFieldValue, form, field)


def _string(mark: Any, key: bytes) -> str:
    return _said(raw.FPDFAnnot_GetStringValue, mark, key)


def _said(call: Callable[..., int], *about: Any) -> str:
    """The string that a call of the library writes into a room; asked for its size first."""
    size = call(*about, None, 0)
    if not 2 < size < MOST_BYTES:
        return ""
    room = (ctypes.c_ushort * (size // 2 + 1))()
    call(*about, room, size)
    return bytes(room)[: size - 2].decode("utf-16-le", "replace")


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
