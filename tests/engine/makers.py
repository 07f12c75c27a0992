"""Documents made on the spot: PDFs, Office files, e-books, e-mails and archives."""

from __future__ import annotations

import importlib.util
import io
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

PROSE = (
    "The harbour master decides each morning whether the ferry sails, and he writes the reason into the green book "
    "that lies beside the barometer in the upper office. Nobody else may change an entry once it is dry. "
)


def pdf_file(objects: Sequence[bytes]) -> bytes:
    """A PDF written by hand: its objects from 1 on, of which the first is the catalog."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, part in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(places) + 1, start))


def recipe(name: str) -> ModuleType:
    """A module of the built-in reader's recipe, which is no part of the package."""
    path = Path(__file__).resolve().parents[2] / "assets" / "models" / "reader" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def pdf_of(draw, pages: int = 1, size: tuple[float, float] = (595, 842), **settings: object) -> bytes:
    """A PDF whose pages are drawn by ``draw(canvas, number)``, numbers from 1."""
    from reportlab.pdfgen.canvas import Canvas

    target = io.BytesIO()
    canvas = Canvas(target, pagesize=size, **settings)
    for number in range(1, pages + 1):
        draw(canvas, number)
        canvas.showPage()
    canvas.save()
    return target.getvalue()


def flowing(story: Sequence[object], **settings: object) -> bytes:
    """A PDF of paragraphs, tables and headings that flow over its pages."""
    from reportlab.platypus import SimpleDocTemplate

    target = io.BytesIO()
    SimpleDocTemplate(target, **settings).build(list(story))
    return target.getvalue()


def zipped(parts: dict[str, str | bytes], **flags: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return target.getvalue()


_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_A = "http://schemas.openxmlformats.org/drawingml/2006/main"
_P = "http://schemas.openxmlformats.org/presentationml/2006/main"


def _relations(targets: Sequence[tuple[str, str]]) -> str:
    inner = "".join(
        f'<Relationship Id="r{n}" Type="{_REL}/{kind}" Target="{target}"/>' for n, (kind, target) in enumerate(targets)
    )
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    return f'<Relationships xmlns="{space}">{inner}</Relationships>'


def _shape(kind: str, paragraphs: Sequence[str]) -> str:
    texts = "".join(f"<a:p><a:r><a:t>{text}</a:t></a:r></a:p>" for text in paragraphs)
    return f'<p:sp><p:nvSpPr><p:nvPr><p:ph type="{kind}"/></p:nvPr></p:nvSpPr><p:txBody>{texts}</p:txBody></p:sp>'


def pptx(slides: Sequence[tuple[str, Sequence[str], str]], table: Sequence[Sequence[str]] = ()) -> bytes:
    """A presentation of (title, paragraphs, speaker notes); ``table`` stands on the last slide."""
    opening = f'xmlns:a="{_A}" xmlns:p="{_P}" xmlns:r="{_REL}"'
    parts: dict[str, str | bytes] = {"[Content_Types].xml": "<Types/>"}
    # The files are numbered backwards, so that their order in the archive is not the order of the show.
    files = [f"slides/slide{len(slides) - n}.xml" for n in range(len(slides))]
    order = "".join(f'<p:sldId id="{256 + n}" r:id="r{n}"/>' for n in range(len(slides)))
    parts["ppt/presentation.xml"] = f"<p:presentation {opening}><p:sldIdLst>{order}</p:sldIdLst></p:presentation>"
    parts["ppt/_rels/presentation.xml.rels"] = _relations([("slide", file) for file in files])
    for number, (file, (title, paragraphs, notes)) in enumerate(zip(files, slides, strict=True), start=1):
        shapes = (_shape("title", [title]) if title else "") + (_shape("body", paragraphs) if paragraphs else "")
        shapes += _shape("sldNum", [str(number)])
        if table and number == len(slides):
            cell = "<a:tc><a:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></a:txBody></a:tc>"
            rows = "".join(f"<a:tr>{''.join(map(cell.format, row))}</a:tr>" for row in table)
            inner = f"<a:graphic><a:graphicData><a:tbl>{rows}</a:tbl></a:graphicData></a:graphic>"
            shapes += f"<p:graphicFrame>{inner}</p:graphicFrame>"
        parts[f"ppt/{file}"] = f"<p:sld {opening}><p:cSld><p:spTree>{shapes}</p:spTree></p:cSld></p:sld>"
        if notes:
            parts[f"ppt/slides/_rels/{file.split('/')[1]}.rels"] = _relations(
                [("notesSlide", f"../notesSlides/n{number}.xml")]
            )
            inner = _shape("body", [notes]) + _shape("sldNum", [str(number)])
            tree = f"<p:cSld><p:spTree>{inner}</p:spTree></p:cSld>"
            parts[f"ppt/notesSlides/n{number}.xml"] = f"<p:notes {opening}>{tree}</p:notes>"
    return zipped(parts)


def xlsx(sheets: dict[str, Sequence[Sequence[object]]]) -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        for row in rows:
            page.append(list(row))
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def epub(chapters: Sequence[str], title: str = "The crane book", **more: str | bytes) -> bytes:
    items = "".join(f'<item id="c{n}" href="text/c%20{n}.xhtml"/>' for n in range(len(chapters)))
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": f"<package><metadata><title>{title}</title></metadata><manifest>{items}</manifest>"
        f"<spine>{spine}</spine></package>",
    }
    for n, chapter in enumerate(chapters):
        parts[f"OPS/text/c {n}.xhtml"] = (
            '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>'
            f'<html xmlns="http://www.w3.org/1999/xhtml"><head><title>x</title></head><body>{chapter}</body></html>'
        )
    return zipped(parts | more)


def mail(
    text: str, subject: str = "Winch test", attachments: Sequence[tuple[str, bytes]] = (), html: str = ""
) -> bytes:
    from email.message import EmailMessage

    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "Bryde Callan <b@example.org>", "all@example.org"
    message["Date"] = "Mon, 9 Nov 2026 08:00:00 +0000"
    if text:
        message.set_content(text)
    if html:
        (message.add_alternative if text else message.set_content)(html, subtype="html")
    for name, content in attachments:
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=name)
    return message.as_bytes()
