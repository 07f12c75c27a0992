"""Awkward files, each through the real reader with its real limits: no crash, no hang, and either text or a
sentence that a person can act on."""

from __future__ import annotations

import io
import re
import struct
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ragtune_ui.domain.documents import Status, kind_of
from ragtune_ui.domain.errors import DocumentError
from ragtune_ui.engine.reader import DocumentReader
from tests.engine.makers import PROSE, epub, mail, pdf_file, pdf_of, pptx, xlsx, zipped

SECONDS = 90
LINE = "The crane lifts at most 12 tonnes, and the foreman decides when it stops."
_JARGON = re.compile(
    r"traceback|exception|error|xml|zip ?file|parse|codec|utf|unicode|byte|null|stack|entity|exit code|/|\\\\|object",
    re.IGNORECASE,
)
_STATUSES = set(Status.__args__)  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def reader() -> Iterator[DocumentReader]:
    reader = DocumentReader(seconds=SECONDS)
    yield reader
    reader.close()


# PDFs -----------------------------------------------------------------------------------------


def lined(*texts: str, **settings: object) -> bytes:
    def draw(canvas, number: int) -> None:
        for n, line in enumerate(texts[number - 1].split("\n")):
            canvas.drawString(60, 760 - 16 * n, line)

    return pdf_of(draw, len(texts), **settings)


def locked(owner_only: bool = False) -> bytes:
    from reportlab.lib.pdfencrypt import StandardEncryption

    return lined(LINE, encrypt=StandardEncryption("" if owner_only else "secret", ownerPassword="boss", canPrint=0))


def by_hand(pages: int, content: bytes = b"BT /F 12 Tf 60 700 Td (The crane lifts at most 12 tonnes today.) Tj ET",
            extra: bytes = b"", kids: bytes = b"", box: bytes = b"0 0 595 842") -> bytes:  # fmt: skip
    """A PDF written part by part; all pages share one content, so that 10,000 of them are a small file."""
    refs = kids or b" ".join(b"%d 0 R" % (5 + n) for n in range(pages))
    parts = [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count %d/Kids[%s]>>" % (pages, refs),
             b"<</Length %d%s>>stream\n%s\nendstream" % (len(content), extra, content),
             b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"]  # fmt: skip
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 3 0 R/Resources<</Font<</F 4 0 R>>>>>>" % box
    return pdf_file([*parts, *[page] * pages])


def scan() -> bytes:
    return pdf_of(lambda canvas, _: canvas.rect(40, 40, 500, 700, fill=1), 2)


def written_in(font: str, text: str) -> bytes:
    """Text in a font of this computer that has its signs, else in one that lacks them."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfbase.ttfonts import TTFont

    file = Path(f"/usr/share/fonts/truetype/dejavu/{font}.ttf")

    def draw(canvas, _) -> None:
        if file.exists():
            pdfmetrics.registerFont(TTFont(font, str(file)))
            canvas.setFont(font, 12)
        elif font.startswith("Heisei"):
            pdfmetrics.registerFont(UnicodeCIDFont(font))
            canvas.setFont(font, 12)
        for n, line in enumerate(text.split("\n")):
            canvas.drawString(60, 740 - 16 * n, line)

    return pdf_of(draw)


def endless() -> bytes:
    return by_hand(1, b"BT /F 8 Tf 9 700 Td " + b"(crane lifts ) Tj " * 60_000 + b"ET")


def turned() -> bytes:
    def draw(canvas, _) -> None:
        canvas.rotate(90)
        canvas.drawString(100, -300, LINE)

    return pdf_of(draw)


def columns() -> bytes:
    from reportlab.lib.utils import simpleSplit

    def draw(canvas, _) -> None:
        for x in (60, 320):
            for n, line in enumerate(simpleSplit(PROSE * 3, "Helvetica", 10, 220)):
                canvas.setFont("Helvetica", 10)
                canvas.drawString(x, 740 - 12 * n, line)

    return pdf_of(draw)


def many_boxes() -> bytes:
    return pdf_of(
        lambda c, _: [c.rect(n % 70 * 8, n // 70 * 8, 7, 7) for n in range(6000)] and c.drawString(60, 800, LINE)
    )


# Text, markup, tables -------------------------------------------------------------------------


def bomb_of_entities(root: str = "html") -> bytes:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE {root} [<!ENTITY l0 "lollollol">{levels}]><{root}><body>&l9;</body></{root}>'.encode()


FOREIGN_ENTITY = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
FOREIGN = FOREIGN_ENTITY + b"<a>&x;</a>"


def word(body: str, head: str = "", **parts: str | bytes) -> bytes:
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    types = (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Override PartName="/word/document.xml" '
        'ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
    )
    document = f'{head}<w:document xmlns:w="{space}"><w:body>{body}</w:body></w:document>'
    return zipped({"[Content_Types].xml": types, "word/document.xml": document, **parts})


PARAGRAPH = f"<w:p><w:r><w:t>{LINE}</w:t></w:r></w:p>"
OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600


def broken_at(content: bytes, part: str) -> bytes:
    """An archive one of whose parts does not unpack."""
    place = zipfile.ZipFile(io.BytesIO(content)).getinfo(part).header_offset + 30 + len(part)
    return content[: place + 5] + b"\xff\xff\xff\xff" + content[place + 9 :]


def png() -> bytes:
    row = zlib.compress(b"\x00" + b"\xff" * 30)
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 10, 1, 8, 2, 0, 0, 0)) + chunk(b"IDAT", row)


def nested_zip(depth: int) -> bytes:
    content = zipped({"end.md": LINE})
    for _ in range(depth):
        content = zipped({"inner.zip": content})
    return content


def linked() -> bytes:
    link, target = zipfile.ZipInfo("link.md"), io.BytesIO()
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr("real.md", LINE)
    return target.getvalue()


# name -> (how it is made, words of the text, or of the sentence after "!")
CORPUS: dict[str, tuple[Callable[[], bytes], str]] = {
    # PDFs
    "locked.pdf": (locked, "!password"),
    "printing-forbidden.pdf": (lambda: locked(owner_only=True), "crane lifts"),
    "cut-in-half.pdf": (lambda: lined(*[LINE] * 40)[:9000], "!damaged"),
    "head-only.pdf": (lambda: b"%PDF-1.7\n", "!damaged"),
    "no-table-of-parts.pdf": (lambda: re.sub(rb"\d{10} 00000 n", b"9999999999 00000 n", lined(LINE)), "crane lifts"),
    "junk-before.pdf": (lambda: b"junk\r\n" * 50 + lined(LINE), "crane lifts"),
    "junk-after.pdf": (lambda: lined(LINE) + b"\x00" * 5000, "crane lifts"),
    "scan.pdf": (scan, "!pictures"),
    "blank.pdf": (lambda: lined("", ""), "!no text"),
    "turned.pdf": (turned, "crane lifts"),
    "two-columns.pdf": (columns, "harbour master"),
    "table.pdf": (lambda: lined("Code  Meaning\nW-11  Pull too high\nW-14  Oil too hot"), "W-14"),
    "right-to-left.pdf": (lambda: written_in("DejaVuSans", "הבלמים נבדקים ביום שני בבוקר"), ""),
    "arabic.pdf": (lambda: written_in("DejaVuSans", "تختبر الفرامل يوم الاثنين صباحا"), ""),
    "japanese.pdf": (lambda: written_in("HeiseiMin-W3", "ブレーキは月曜日に試験されます。"), ""),
    "ten-thousand-pages.pdf": (lambda: by_hand(10_000), "crane lifts"),
    "too-many-pages.pdf": (lambda: by_hand(20_001), "!pages"),
    "no-pages.pdf": (lambda: by_hand(0), "!damaged"),
    "pages-in-a-circle.pdf": (lambda: by_hand(1, kids=b"2 0 R"), "!"),
    "giant-page.pdf": (lambda: by_hand(1, box=b"0 0 200000 200000"), "crane lifts"),
    "page-of-no-size.pdf": (lambda: by_hand(1, box=b"0 0 0 0"), "crane lifts"),
    "swollen-content.pdf": (lambda: by_hand(1, zlib.compress(b" " * 60_000_000), b"/Filter/FlateDecode"), "!no text"),
    "broken-content.pdf": (lambda: by_hand(1, b"x\x9cnonsense" * 9, b"/Filter/FlateDecode"), "!no text"),
    "endless-text.pdf": (lambda: endless(), "crane lifts"),
    "thousands-of-boxes.pdf": (many_boxes, "crane lifts"),
    "word-inside.pdf": (lambda: word(PARAGRAPH), "crane lifts"),
    "text-inside.pdf": (LINE.encode, "!named like"),
    # text
    "empty.txt": (lambda: b"", "!empty"),
    "only-blanks.md": (lambda: b" \n\t\n" * 200, "!empty"),
    "only-zeros.txt": (lambda: b"\x00" * 5000, "!empty"),
    "zeros-between.txt": (lambda: b"crane\x00lifts\x00" * 200, "!not a text file"),
    "noise.txt": (lambda: bytes(range(256)) * 40, "!not a text file"),
    "one-line.txt": (lambda: b"crane lifts " * 400_000, "crane lifts"),
    "no-letters.txt": (lambda: b"--- *** ### \n" * 50, "!no text"),
    "utf-16.txt": (lambda: LINE.encode("utf-16"), "crane lifts"),
    "utf-16-without-mark.txt": (lambda: LINE.encode("utf-16-be"), "crane lifts"),
    "utf-32.txt": (lambda: LINE.encode("utf-32"), "crane lifts"),
    "western.txt": (lambda: "Die Prüfung der größeren Körbe".encode("cp1252"), "größeren"),
    "russian.txt": (lambda: "Тормоза проверяют в понедельник утром".encode("cp1251"), "Тормоза"),
    "japanese.txt": (lambda: "ブレーキは月曜日に試験されます。".encode("shift_jis"), "月曜日"),
    "chinese.txt": (lambda: "刹车在星期一的早上测试，这是一个规定。".encode("gb18030"), "星期一"),
    "hebrew.md": (lambda: "# בלמים\n\nהבלמים נבדקים ביום שני".encode(), "הבלמים"),
    "emoji.md": (lambda: ("🏗️ " + LINE + " \ud83d").encode("utf-8", "surrogatepass"), "crane lifts"),
    "program.txt": (lambda: b"\x7fELF" + b"\x01" * 400, "!program"),
    "picture.md": (png, "!picture"),
    "old-word.docx": (lambda: OLD, "!old Word"),
    "rtf.txt": (lambda: rb"{\rtf1 " + LINE.encode() + b"}", "!RTF"),
    # web pages
    "deep.html": (lambda: b"<div>" * 100_000 + LINE.encode(), ""),
    "entities.html": (lambda: b"<p>" + LINE.encode() + b"</p>" + bomb_of_entities(), ""),
    "unclosed.html": (lambda: b"<table><tr><td>" + LINE.encode() + b"<script>", "crane lifts"),
    "only-script.html": (lambda: b"<html><script>let a = 1</script></html>", "!no text"),
    "refers-out.html": (lambda: b'<img src="http://192.0.2.1/a.png"><p>' + LINE.encode(), "crane lifts"),
    # Word, PowerPoint, Excel
    "good.docx": (lambda: word(PARAGRAPH), "crane lifts"),
    "cut.docx": (lambda: word(PARAGRAPH)[:300], "!damaged"),
    "broken-part.docx": (lambda: broken_at(word(PARAGRAPH * 50), "word/document.xml"), "!damaged"),
    "entity-bomb.docx": (lambda: word(PARAGRAPH, bomb_of_entities("a").decode().split("<a>")[0]), "!instructions"),
    "reads-other-files.docx": (lambda: word(PARAGRAPH.replace(LINE, "&x;"), FOREIGN_ENTITY.decode()), "!instructions"),
    "swollen.docx": (lambda: word(PARAGRAPH, **{"word/media/a.bin": b"0" * (210 * 1024**2)}), "!200 MB"),
    "locked.docx": (lambda: OLD + "EncryptedPackage".encode("utf-16-le"), "!password"),
    "deep.docx": (lambda: word("<w:p>" * 3000 + "</w:p>" * 3000), ""),
    "locked.xlsx": (lambda: OLD + "EncryptedPackage".encode("utf-16-le"), "!password"),
    "cut.xlsx": (lambda: xlsx({"A": [[LINE]]})[:900], "!damaged"),
    "formulas.xlsx": (lambda: xlsx({"A": [["sum", "=SUM(B1:B9)"], ["loop", "=A2"]]}), "=SUM"),
    "huge-cell.xlsx": (lambda: xlsx({"A": [["crane lifts " * 2700, 1]]}), "crane lifts"),
    "far-cell.xlsx": (lambda: far_cell(), "crane lifts"),
    "empty.xlsx": (lambda: xlsx({"A": [], "B": []}), "!no text"),
    "many-cells.xlsx": (lambda: many_cells(), "!million cells"),
    "entity.xlsx": (lambda: with_part(xlsx({"A": [["x"]]}), "xl/workbook.xml", FOREIGN), "!instructions"),
    "no-slides.pptx": (lambda: pptx([]), "!damaged"),
    "lost-slide.pptx": (lambda: without_part(pptx([("Crane lifts", ["x"], "")]), "ppt/slides/slide1.xml"), "!damaged"),
    "right-to-left.pptx": (lambda: pptx([("בלמים", ["הבלמים נבדקים"], "")]), "הבלמים"),
    # tables of text, books, mails, archives
    "uneven.csv": (lambda: b"a;b;c\ncrane lifts;2\n1;2;3;4;5\n\"open", "crane lifts"),
    "zeros.csv": (lambda: b"a,b\x00\n" * 500, "!"),
    "long-field.csv": (lambda: b'a,"' + b"crane lifts " * 300_000, "crane lifts"),
    "formula.csv": (lambda: b"=cmd|' /C calc'!A0,x\ncrane lifts,y\n", "crane lifts"),
    "no-order.epub": (lambda: with_part(epub([]), "OPS/book.opf", b"<package/>"), "!damaged"),
    "good.epub": (lambda: epub([f"<p>{LINE}</p>"]), "crane lifts"),
    "entity.epub": (lambda: with_part(epub([]), "META-INF/container.xml", FOREIGN), "!instructions"),
    "odd-letters.eml": (lambda: b"Subject: x\nContent-Type: text/plain; charset=x-klingon\n\nGr\xfc\xdfe", "Grüße"),
    "no-mail.eml": (LINE.encode, "!none"),
    "endless-parts.eml": (lambda: boxed_mail(300), "crane lifts"),
    "broken-base64.eml": (lambda: b"Subject: crane\nContent-Transfer-Encoding: base64\n\n!!!!====", "crane"),
    "html-only.eml": (lambda: mail("", html=f"<p>{LINE}</p>"), "crane lifts"),
    "bomb.zip": (lambda: zipped({"a.txt": "0" * (300 * 1024**2)}), "!far more"),
    "bomb-in-zip.zip": (lambda: zipped({"b.zip": zipped({"a.txt": "0" * (60 * 1024**2)})}), "!far more"),
    "too-deep.zip": (lambda: nested_zip(6), ""),
    "three-deep.zip": (lambda: nested_zip(2), "inner.zip/inner.zip/end.md"),
    "climbs-out.zip": (lambda: zipped({"../../../../tmp/evil.md": LINE}), "tmp/evil.md"),
    "links-out.zip": (linked, "real.md"),
    "cut.zip": (lambda: zipped({"a.md": LINE * 100})[:-30], "!damaged"),
    "no-zip.zip": (lambda: LINE.encode(), "!damaged"),
    "many-files.zip": (lambda: zipped({f"{n}.md": "" for n in range(5_001)}), "!5,000 files"),
}  # fmt: skip


def far_cell() -> bytes:
    import openpyxl

    book = openpyxl.Workbook()
    book.active["A1"], book.active["XFD1048576"] = LINE, "far"
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def many_cells() -> bytes:
    row = '<row r="{0}">' + "".join(f'<c r="{c}{{0}}"><v>1</v></c>' for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ") + "</row>"
    rows = "".join(row.format(n) for n in range(1, 40_001))
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = f'<worksheet xmlns="{space}"><sheetData>{rows}</sheetData></worksheet>'
    return with_part(xlsx({"A": [["x"]]}), "xl/worksheets/sheet1.xml", sheet.encode())


def with_part(content: bytes, name: str, part: bytes | None) -> bytes:
    old = zipfile.ZipFile(io.BytesIO(content))
    parts: dict[str, str | bytes] = {n: old.read(n) for n in old.namelist() if n != name}
    return zipped(parts if part is None else {**parts, name: part})


def without_part(content: bytes, name: str) -> bytes:
    return with_part(content, name, None)


def boxed_mail(depth: int) -> bytes:
    inner = f"Content-Type: text/plain\n\n{LINE}\n"
    for n in range(depth):
        inner = f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n{inner}\n--b{n}--\n'
    return f"Subject: deep\n{inner}".encode()


def test_the_corpus_is_large_enough() -> None:
    assert len(CORPUS) >= 60


@pytest.mark.parametrize("name", CORPUS)
def test_text_or_a_sentence_to_act_on(reader: DocumentReader, tmp_path: Path, name: str) -> None:
    make, wanted = CORPUS[name]
    file = tmp_path / name
    file.write_bytes(make())
    began = time.monotonic()
    try:
        if kind_of(name) == "zip":
            found = reader.unpack(file, "zip", tmp_path / "out")
            text = "\n".join([n for n, _ in found.files] + [why for _, why in found.left_out])
            assert all(path.parent == tmp_path / "out" for _, path in found.files)
        else:
            parsed = reader.read(file, kind_of(name) or "text")
            text = parsed.text
            assert len(parsed.pages) >= 1 and all(page.number == n for n, page in enumerate(parsed.pages, start=1))
            assert re.search(r"\w", text)
    except DocumentError as error:
        assert wanted.startswith("!") or not wanted, f"{name}: {error.sentence}"
        assert wanted[1:] in error.sentence, error.sentence
        assert error.status in _STATUSES - {"ready"}
        assert str(error).startswith(("It ", "The ", "Reading it ")) and str(error).endswith(".")
        assert error.remedy.endswith(".") and error.remedy[0].isupper()
        assert not _JARGON.search(error.sentence.replace(file.name, "").replace(".xlsx, .pptx", "")), error.sentence
        assert "limits" not in error.details and "Traceback" not in error.details
    else:
        assert not wanted.startswith("!"), f"{name} gave text: {text[:200]!r}"
        assert wanted in text
        assert "root:" not in text
    assert time.monotonic() - began < SECONDS
