"""Formats: the bytes of one file to titled Markdown pages. Runs in the child process of ``parsing``."""

from __future__ import annotations

import asyncio
import html
import io
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

TEXT_BYTES = 50 * 1024**2  # of text out of one file
UNPACKED_BYTES = 200 * 1024**2  # of one DOCX, all parts together
PLAIN_FROM = 3_000  # pages; longer PDFs are read about eight times faster, without marked headings
MARKING_SECONDS = 30  # to find headings and tables of a PDF; after that its plain text is taken
SLOW = "Its headings and tables could not be made out in time, so it was read as plain lines."
SCANT = 25  # characters; a page with fewer and with pictures on it is taken for a scan

_WORD_MIME = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_NAMES = {"pdf": "a PDF", "docx": "a Word document", "html": "a web page", "markdown": "Markdown", "text": "plain text"}
_FOREIGN = (
    (b"{\\rtf", "an RTF document", "Save it as a Word document (.docx) or a PDF and add that."),
    (b"\x89PNG", "a picture", "Run text recognition on it and add the PDF or text that it gives."),
    (b"\xff\xd8\xff", "a picture", "Run text recognition on it and add the PDF or text that it gives."),
    (b"GIF8", "a picture", "Run text recognition on it and add the PDF or text that it gives."),
    (b"II*\x00", "a picture", "Run text recognition on it and add the PDF or text that it gives."),
    (b"MM\x00*", "a picture", "Run text recognition on it and add the PDF or text that it gives."),
    (b"\x1f\x8b", "a compressed archive", "Unpack it and add the documents inside."),
    (b"7z\xbc\xaf", "a compressed archive", "Unpack it and add the documents inside."),
    (b"Rar!", "a compressed archive", "Unpack it and add the documents inside."),
)


class Problem(Exception):
    """A file that gives no text: the status of its row, what happened and what to do."""

    def __init__(self, status: str, happened: str, remedy: str) -> None:
        super().__init__(happened)
        self.status, self.happened, self.remedy = status, happened, remedy


def damaged(what: str = "The file") -> Problem:
    """The problem of a file that is broken or cut off."""
    return Problem(
        "unreadable", f"{what} is damaged or incomplete.", "Open it in its own program and save it again, then add it."
    )


def parse(data: bytes, kind: str, stem: str) -> dict[str, Any]:
    """Title, page texts (Markdown) and notes of one file, as ``{"title", "pages", "notes"}``.

    Raises:
        Problem: the file is empty, protected, scanned, damaged or of another format.
    """
    if not data.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise Problem("empty", "The file is empty.", "Check that it was saved, or leave it out.")
    found = sniff(data, kind)
    readers: dict[str, Callable[[bytes], tuple[str, list[str], list[str]]]] = {
        "pdf": read_pdf, "docx": read_docx, "html": read_html, "markdown": read_markdown, "text": read_text,
    }  # fmt: skip
    title, pages, notes = readers[found](data)
    if found != kind:
        notes.append(f"Its name says {_NAMES[kind]}, but it is {_NAMES[found]}; it was read as {_NAMES[found]}.")
    pages = [clean(page) for page in pages]
    if not any(re.search(r"\w", page) for page in pages):
        raise Problem("empty", "The file has no text.", "Check that it is the right file, or leave it out.")
    if sum(len(page.encode()) for page in pages) > TEXT_BYTES:
        raise Problem("too large", "The file holds more than 50 MB of text.", "Split it into smaller files.")
    return {"title": title_of(title, pages, stem), "pages": pages, "notes": notes}


def sniff(data: bytes, kind: str) -> str:
    """The kind that the bytes show, whatever the name says.

    Raises:
        Problem: it is of a format that RAGTune does not read, or text in place of a PDF or DOCX.
    """
    head = data[:1024]
    if b"%PDF-" in head:
        return "pdf"
    if head.startswith(b"PK\x03\x04"):
        return _zip_kind(data, kind)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise locked()
        raise unsupported("an old Word, Excel or PowerPoint file", "Save it as a Word document (.docx) or a PDF.")
    for magic, what, remedy in _FOREIGN:
        if head.startswith(magic):
            raise unsupported(what, remedy)
    if kind in ("pdf", "docx"):
        name = "PDF" if kind == "pdf" else "Word document"
        raise Problem("unreadable", f"It is named like a {name} but is none, or it is damaged.",
                      f"Open it, save it as a {name} and add that.")  # fmt: skip
    if kind != "html" and re.match(rb"(\xef\xbb\xbf)?\s*(<!doctype html|<html[\s>])", head, re.IGNORECASE):
        return "html"
    return kind


def _zip_kind(data: bytes, kind: str) -> str:
    try:
        names = set(zipfile.ZipFile(io.BytesIO(data)).namelist())
    except (zipfile.BadZipFile, ValueError, OSError):
        raise damaged() from None
    if "word/document.xml" in names:
        return "docx"
    if any(name.startswith("xl/") for name in names):
        raise unsupported("a spreadsheet", "Save the sheet as a PDF and add that.")
    if any(name.startswith("ppt/") for name in names):
        raise unsupported("a presentation", "Save it as a PDF and add that.")
    if kind == "docx" and "[Content_Types].xml" in names:
        raise damaged()
    raise unsupported("an archive or another kind of document", "Save its text as a PDF or Word document (.docx).")


def unsupported(what: str, remedy: str) -> Problem:
    """The problem of a format that RAGTune does not read."""
    return Problem("unsupported", f"It is {what}, which RAGTune does not read.", remedy)


def locked() -> Problem:
    """The problem of a file behind a password."""
    return Problem("password", "It is password-protected.", "Save a copy without the password and add it again.")


# Formats: each gives (title or "", page texts, notes).


def read_pdf(data: bytes) -> tuple[str, list[str], list[str]]:
    """The pages of a PDF, each with its true number, empty ones kept."""
    plain, pictured = _pdf_plain(data)
    title, texts = "", plain
    notes = []
    if len(plain) <= PLAIN_FROM:
        title, texts, notes = _pdf_structured(data, plain)
    else:
        notes.append("It is very long, so its headings and tables were read as plain lines.")
    scans = [n for n, text in enumerate(texts, start=1) if len("".join(text.split())) < SCANT and n in pictured]
    readable = sum(len("".join(text.split())) >= SCANT for text in texts)
    if scans and len(scans) >= 10 * readable:
        raise Problem("scanned", "It has pictures of text, no text.",
                      "Run text recognition on it and add it again, or leave it out.")  # fmt: skip
    if scans:
        verb = "is a picture" if len(scans) == 1 else "are pictures"
        notes.insert(0, f"{len(scans)} of {len(texts)} pages {verb} without text: {_pages(scans)}.")
    return title, without_running_lines(texts), notes


def _pdf_plain(data: bytes) -> tuple[list[str], set[int]]:
    """Plain text of each page, and the numbers of pages with pictures or drawings on them."""
    import pypdfium2
    from pypdfium2 import raw

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", 0) == raw.FPDF_ERR_PASSWORD:
            raise locked() from None
        raise damaged() from None
    texts, pictured = [], set()
    for number in range(len(document)):
        try:
            page = document[number]
            texts.append(page.get_textpage().get_text_bounded().replace("\r\n", "\n").replace("\ufffe", ""))
            if len(texts[-1].strip()) < SCANT and _draws(page, raw):
                pictured.add(number + 1)
            page.close()
        except pypdfium2.PdfiumError:  # one broken page does not lose the others
            texts.append("")
    if not texts:
        raise damaged()
    return texts, pictured


def _draws(page: Any, raw: Any) -> bool:
    shapes = (raw.FPDF_PAGEOBJ_IMAGE, raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_FORM)
    return any(True for _ in page.get_objects(filter=shapes, max_depth=2))


def _pdf_structured(data: bytes, plain: list[str]) -> tuple[str, list[str], list[str]]:
    """Title, Markdown pages and notes; a page where the structured reading lost text keeps its plain text."""
    try:
        found = extract(data, "application/pdf")
    except RuntimeError as error:  # the plain reading worked: better that than nothing
        return "", plain, [SLOW] if "timed out" in str(error) else []
    pages = {page.page_number: mended(page.content) for page in found.pages or []}
    texts = [
        marked if len("".join(marked.split())) >= 0.6 * len("".join(text.split())) else text
        for text, marked in ((text, pages.get(n, "")) for n, text in enumerate(plain, start=1))
    ]
    return found.metadata.title or "", texts, []


def mended(text: str) -> str:
    """List items of a PDF as Markdown writes them: ``- 1\\. Push`` becomes ``1. Push``."""
    text = re.sub(r"^(\s*)- (\d{1,3})\\?([.)]) ", r"\1\2\3 ", text, flags=re.MULTILINE)
    return re.sub(r"^(\s*)- [•▪◦●‣–·]\s*", r"\1- ", text, flags=re.MULTILINE)


def without_running_lines(texts: list[str]) -> list[str]:
    """Pages without the header and footer lines that most pages repeat, page numbers aside."""
    if len(texts) < 3:
        return texts

    def shape(line: str) -> str:  # "Chapter 3" as a heading is a heading, however many chapters there are
        return line.strip() if line.startswith("#") else re.sub(r"\d+", "0", line).strip()

    def edges(text: str) -> set[str]:
        lines = [shape(line) for line in text.splitlines() if line.strip()]
        return {line for line in (lines[:1] + lines[-1:]) if len(line) <= 120}

    seen = Counter(line for text in texts for line in edges(text))
    repeated = {line for line, times in seen.items() if times >= max(3, 0.6 * len(texts))}

    def stripped(text: str) -> str:
        lines = text.strip().splitlines()
        if lines and shape(lines[-1]) in repeated:
            lines.pop()
        if lines and shape(lines[0]) in repeated:
            lines.pop(0)
        # A page that says nothing else, such as a form filled in by hand, keeps its line.
        return "\n".join(lines).strip() or text.strip()

    return [stripped(text) for text in texts] if repeated else texts


def read_docx(data: bytes) -> tuple[str, list[str], list[str]]:
    """The text of a Word document, one page: where pages break is up to the program that shows it."""
    archive = zipfile.ZipFile(io.BytesIO(data))
    parts = archive.infolist()
    if any(part.flag_bits & 1 for part in parts):
        raise locked()
    if sum(part.file_size for part in parts) > UNPACKED_BYTES:
        raise Problem("too large", "The file unpacks to more than 200 MB.", "Remove its pictures or split it.")
    try:
        with archive.open("word/document.xml") as part:
            declared = b"<!DOCTYPE" in part.read(4096)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise damaged() from None
    if declared:  # no word processor writes one; entities in it could read other files or grow without end
        raise Problem("unreadable", "The file holds instructions that no Word document needs.",
                      "Open it in Word, save it under a new name and add that.")  # fmt: skip
    try:
        found = extract(data, _WORD_MIME)
    except RuntimeError:
        raise damaged() from None
    return found.metadata.title or "", [found.content], []


def read_html(data: bytes) -> tuple[str, list[str], list[str]]:
    """The text of a web page without its navigation and footer."""
    text = decoded(data)
    named = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    title = " ".join(html.unescape(named.group(1)).split()) if named else ""
    text = text.replace(named.group(0), "", 1) if named else text
    text = re.sub(r"(<meta[^>]+charset\s*=\s*[\"']?)[\w-]+", r"\1utf-8", text, flags=re.IGNORECASE)
    try:
        found = extract(text.encode(), "text/html")
    except RuntimeError:
        raise damaged() from None
    return title, [found.content], []


def read_markdown(data: bytes) -> tuple[str, list[str], list[str]]:
    """Markdown as it was written, without the YAML block at its head, which may name the title."""
    text = decoded(data)
    block = re.match(r"---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*$\n?", text, re.DOTALL | re.MULTILINE)
    # A rule at the top of a page looks the same; YAML starts with a key.
    if not block or not re.match(r"(?:[ \t]*(?:#.*)?\n)*[\w\"'-][\w \"'-]*:(?:\s|$)", block.group(1)):
        return "", [text], []
    named = re.search(r"^title[ \t]*:[ \t]*(.+?)[ \t]*$", block.group(1), re.MULTILINE | re.IGNORECASE)
    title = named.group(1).strip() if named else ""
    if len(title) > 1 and title[0] in "\"'" and title[-1] == title[0]:
        title = title[1:-1]
    return "" if title in (">", "|", ">-", "|-") else title, [text[block.end() :]], []


def read_text(data: bytes) -> tuple[str, list[str], list[str]]:
    """Plain text as it was written."""
    return "", [decoded(data)], []


def extract(data: bytes, mime: str) -> Any:
    """What xberg gets out of bytes it is handed; it never opens an address or a path itself."""
    import xberg

    config = xberg.ExtractionConfig(
        use_cache=False,
        disable_ocr=True,
        extraction_timeout_secs=MARKING_SECONDS,
        escape_markdown=False,
        output_format=xberg.OutputFormat("markdown"),
        pages=xberg.PageConfig(extract_pages=mime == "application/pdf"),
        html_options=xberg.ConversionOptions(
            extract_metadata=False, skip_images=True, exclude_selectors=["nav", "footer", "[role=navigation]"]
        ),
    )
    result = asyncio.run(xberg.extract(xberg.ExtractInput(kind="bytes", bytes=data, mime_type=mime), config))
    if not result.results:
        raise RuntimeError(result.errors[0].message if result.errors else "no result")
    return result.results[0]


def decoded(data: bytes) -> str:
    """Text from bytes: by their mark, as UTF-8, as unmarked UTF-16, by an HTML declaration, else cp1252.

    Raises:
        Problem: the bytes are no text.
    """
    for mark, codec in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return _lines(data.decode(codec, errors="replace"))
    sample = data[:4096]
    for codec, zeros in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[::2])):
        if len(sample) > 3 and zeros.count(0) > 0.4 * len(zeros) and sample.count(0) < 0.6 * len(sample):
            return _lines(data.decode(codec, errors="replace"))
    controls = sum(sample.count(bytes([c])) for c in range(32) if c not in (9, 10, 12, 13, 27))
    if 0 in sample or controls > 0.02 * len(sample):
        raise Problem("unreadable", "It is not a text file.", "Add the document itself, as PDF, Word, HTML or text.")
    declared = re.search(rb"<meta[^>]+charset\s*=\s*[\"']?([\w-]+)", sample, re.IGNORECASE)
    for codec in ("utf-8", declared.group(1).decode() if declared else "cp1252"):
        try:
            return _lines(data.decode(codec))
        except (UnicodeDecodeError, LookupError):
            continue
    return _lines(data.decode("cp1252", errors="replace"))


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


_PICTURES = re.compile(r"!\[([^\]\n]*)\](?:\([^)\n]*\)|\[[^\]\n]*\])|<img\b[^>]*>", re.IGNORECASE)
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def clean(text: str) -> str:
    """Page text without pictures (their caption stays) and control characters: a preview that
    loads a picture from elsewhere would tell that place who is reading."""
    return _CONTROLS.sub("", _PICTURES.sub(lambda m: m.group(1) or "", _CONTROLS.sub(" ", text))).strip()


_JUNK = re.compile(r"microsoft word|untitled|^document\d*$|\.(docx?|pdf|indd|tex|html?|qxd|rtf)$", re.IGNORECASE)


def title_of(named: str, pages: Sequence[str], stem: str) -> str:
    """The document's own title, else its first heading, else the file's name without its ending."""
    found = re.search(r"^#{1,2}[ \t]+(.+?)[ \t#]*$", "\n".join(pages)[:20_000], re.MULTILINE)
    heading = re.sub(r"[*_`]|\[([^\]]*)\]\([^)]*\)", r"\1", found.group(1)).strip() if found else ""
    named = " ".join(named.split())
    if named and not _JUNK.search(named):
        # "Drills | The site's name": the heading alone is the better name.
        return (heading if heading and named.startswith(heading) else named)[:200]
    return (heading or stem)[:200]


def _pages(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:12]))
    return f"{shown} and {len(numbers) - 12} more" if len(numbers) > 12 else shown
