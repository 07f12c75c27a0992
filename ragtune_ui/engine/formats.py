"""Formats: one file to titled Markdown pages, whatever its name says. Runs in the child process of ``parsing``."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ragtune_ui.engine.reading.found import TEXT_BYTES, Found, Problem, damaged, locked, pages_said, unsupported

HEAD = 4096  # bytes that tell the format
_NOTHING = b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"
_NAMES = {
    "pdf": "a PDF", "docx": "a Word document", "pptx": "a PowerPoint presentation", "xlsx": "an Excel workbook",
    "csv": "a table of text (CSV)", "html": "a web page", "markdown": "Markdown", "text": "plain text",
    "epub": "an e-book", "mail": "an e-mail", "zip": "a ZIP archive",
}  # fmt: skip
_BINARY = ("pdf", "docx", "pptx", "xlsx", "epub", "zip")  # formats with marks of their own, which plain text lacks
_PICTURE = ("a picture", "Run text recognition on it and add the PDF or text that it gives.")
_PACKED = ("a compressed archive", "Unpack it, or pack it again as ZIP, and add that.")
_FOREIGN = (
    (b"{\\rtf", "an RTF document", "Save it as a Word document (.docx) or a PDF and add that."),
    (b"\x89PNG", *_PICTURE), (b"\xff\xd8\xff", *_PICTURE), (b"GIF8", *_PICTURE), (b"II*\x00", *_PICTURE),
    (b"MM\x00*", *_PICTURE), (b"\x1f\x8b", *_PACKED), (b"7z\xbc\xaf", *_PACKED), (b"Rar!", *_PACKED),
    (b"MZ", "a program", "Add the documents that belong to it."),
    (b"\x7fELF", "a program", "Add the documents that belong to it."),
)  # fmt: skip


def parse(file: Path, kind: str, stem: str, keep_repeated: bool = False) -> dict[str, Any]:
    """Title, pages (``[text, columns, tables, state]``), notes and repeated lines of one file.

    Raises:
        Problem: the file is empty, protected, scanned, damaged or of another format.
    """
    with file.open("rb") as f:
        head = f.read(HEAD)
    if not head.strip(_NOTHING) and _blank(file):
        raise Problem("empty", "The file is empty.", "Check that it was saved, or leave it out.")
    told = sniff(file, head, kind)
    if told == "zip":
        raise unsupported("an archive or another kind of document", "Save its text as a PDF or Word document (.docx).")
    found = _read(file, told, keep_repeated)
    if told != kind:
        found.notes.append(f"Its name says {_NAMES[kind]}, but it is {_NAMES[told]}; it was read as {_NAMES[told]}.")
    for sheet in found.sheets:
        sheet.text = clean(sheet.text)
        sheet.state = sheet.state or state_of(sheet.text)
    if not any(re.search(r"\w", sheet.text) for sheet in found.sheets):
        raise Problem("empty", "The file has no text.", "Check that it is the right file, or leave it out.")
    if sum(len(sheet.text.encode()) for sheet in found.sheets) > TEXT_BYTES:
        raise Problem("too large", "The file holds more than 50 MB of text.", "Split it into smaller files.")
    garbled = [n for n, sheet in enumerate(found.sheets, start=1) if sheet.state == "garbled"]
    if garbled:
        found.notes.append(_garbled(garbled, len(found.sheets)))
    return {
        "title": title_of(found.title, [sheet.text for sheet in found.sheets], stem),
        "pages": [[s.text, s.columns, s.tables, s.state] for s in found.sheets],
        "notes": found.notes,
        "repeated": list(found.repeated.items()),
    }


def _blank(file: Path) -> bool:
    with file.open("rb") as f:
        while part := f.read(1024**2):
            if part.strip(_NOTHING):
                return False
    return True


def _read(file: Path, kind: str, keep_repeated: bool) -> Found:
    """What the reader of a kind finds; each one's library is loaded when it is first needed."""
    if kind == "pdf":  # straight from the disk: half of a large PDF is pictures that nobody reads
        from ragtune_ui.engine.reading.pdf import read_pdf

        return read_pdf(file, keep_repeated)
    from ragtune_ui.engine.reading import books, mail, sheets, slides, text

    readers: dict[str, Callable[[bytes], Found]] = {
        "docx": books.read_docx, "epub": books.read_epub, "pptx": slides.read_pptx, "xlsx": sheets.read_xlsx,
        "csv": sheets.read_csv, "html": text.read_html, "markdown": text.read_markdown, "text": text.read_text,
        "mail": mail.read_mail,
    }  # fmt: skip
    return readers[kind](file.read_bytes())


def sniff(file: Path, head: bytes, kind: str) -> str:
    """The kind that the bytes show, whatever the name says.

    Raises:
        Problem: it is of a format that RAGTune does not read, or text in place of another format.
    """
    if b"%PDF-" in head[:1024]:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(file, kind)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if "EncryptedPackage".encode("utf-16-le") in file.read_bytes():
            raise locked()
        raise unsupported("an old Word, Excel or PowerPoint file",
                          "Save it in the newer format (.docx, .xlsx, .pptx) or as a PDF.")  # fmt: skip
    for magic, what, remedy in _FOREIGN:
        if head.startswith(magic):
            raise unsupported(what, remedy)
    if kind in _BINARY:
        name = _NAMES[kind].split(" ", 1)[1]
        raise Problem("unreadable", f"It is named like {_NAMES[kind]} but is none, or it is damaged.",
                      f"Open it, save it as {name} and add that.")  # fmt: skip
    page = re.match(rb"(\xef\xbb\xbf)?\s*(<!doctype html|<html[\s>])", head, re.IGNORECASE)
    return "html" if page and kind not in ("html", "mail") else kind


def _zip_kind(file: Path, kind: str) -> str:
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            first = archive.read("mimetype")[:64] if "mimetype" in names else b""
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, RuntimeError, KeyError):
        raise damaged() from None
    for name, found in (("word/document.xml", "docx"), ("ppt/presentation.xml", "pptx"), ("xl/workbook.xml", "xlsx")):
        if name in names:
            return found
    if "META-INF/container.xml" in names or first.startswith(b"application/epub"):
        return "epub"
    if first.startswith(b"application/vnd.oasis"):
        raise unsupported("an OpenDocument file", "Save it as Word, Excel, PowerPoint or PDF and add that.")
    if any(name.startswith("xl/") for name in names):
        raise unsupported("a workbook in a form of its own (.xlsb)", "Save it as an Excel workbook (.xlsx).")
    if "[Content_Types].xml" in names:
        raise damaged()
    return "zip"


_PICTURES = re.compile(r"!\[([^\]\n]*)\](?:\([^)\n]*\)|\[[^\]\n]*\])|<img\b[^>]*>", re.IGNORECASE)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def clean(text: str) -> str:
    """Page text without pictures (their caption stays) and control characters: a preview that
    loads a picture from elsewhere would tell that place who is reading."""
    text = _CONTROLS.sub(" ", text)
    return (_PICTURES.sub(lambda m: m.group(1) or "", text) if "![" in text or "<" in text else text).strip()


def state_of(text: str) -> str:
    """``text``, ``empty`` or ``garbled``: signs that stand for nothing, as fonts without a key give them."""
    words = len(re.findall(r"\w", text))
    if not words:
        return "empty"
    bad = len(re.findall("[\ufffd\ue000-\uf8ff]|\\(cid:\\d+\\)", text))
    solid = len(re.sub(r"[\s|#*_.\-]", "", text))
    return "garbled" if bad > 0.05 * words or (solid > 200 and words < 0.4 * solid) else "text"


def _garbled(numbers: list[int], whole: int) -> str:
    if whole == 1:
        return "Its text is garbled: many of its signs mean nothing. Save it again from its own program."
    verb = "is" if len(numbers) == 1 else "are"
    return (
        f"{len(numbers)} of {whole} pages {verb} garbled, with signs that mean nothing: {pages_said(numbers)}. "
        "Save it again from its own program."
    )


_JUNK = re.compile(
    r"microsoft word|untitled|^\(?anonymous\)?$|^document\d*$|\.(docx?|pdf|indd|tex|html?|qxd|rtf)$", re.IGNORECASE
)


def title_of(named: str, pages: Sequence[str], stem: str) -> str:
    """The document's own title, else its first heading, else the file's name without its ending."""
    found = re.search(r"^#{1,2}[ \t]+(.+?)[ \t#]*$", "\n".join(pages[:40])[:20_000], re.MULTILINE)
    heading = re.sub(r"[*_`]|\[([^\]]*)\]\([^)]*\)", r"\1", found.group(1)).strip() if found else ""
    named = " ".join(named.split())
    if named and not _JUNK.search(named):
        # "Drills | The site's name": the heading alone is the better name.
        return (heading if heading and named.startswith(heading) else named)[:200]
    return (heading or stem)[:200]
