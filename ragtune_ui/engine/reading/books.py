"""Word documents and e-books, whose insides are markup in a zipped file."""

from __future__ import annotations

import posixpath
import re
import urllib.parse
import zipfile

from ragtune_ui.engine.reading.found import Found, Problem, Sheet, damaged
from ragtune_ui.engine.reading.parts import checked, local, opened, part_of, tree_of
from ragtune_ui.engine.reading.text import decoded, extract, page_of

_WORD_MIME = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MOST_CHAPTERS = 2_000


def read_docx(data: bytes) -> Found:
    """The text of a Word document, one page: where pages break is up to the program that shows it.

    Raises:
        Problem: it is damaged, locked or unpacks to too much.
    """
    archive = opened(data)
    checked(part_of(archive, "word/document.xml")[:65_536])
    try:
        found = extract(data, _WORD_MIME)
    except RuntimeError:
        raise damaged() from None
    return Found([Sheet(found.content)], found.metadata.title or "")


def read_epub(data: bytes) -> Found:
    """The chapters of an e-book in reading order, one sheet each.

    Raises:
        Problem: it is damaged, copy-protected or unpacks to too much.
    """
    archive = opened(data)
    names = set(archive.namelist())
    if "META-INF/container.xml" not in names:
        raise damaged()
    roots = [node.get("full-path", "") for node in tree_of(archive, "META-INF/container.xml").iter()]
    package = next((root for root in roots if root), "")
    book = tree_of(archive, package)
    title = next((" ".join((n.text or "").split()) for n in book.iter() if local(n) == "title"), "")
    items = {n.get("id", ""): n.get("href", "") for n in book.iter() if local(n) == "item"}
    spine = [items.get(n.get("idref", ""), "") for n in book.iter() if local(n) == "itemref"]
    folder = posixpath.dirname(package)
    places = [posixpath.normpath(posixpath.join(folder, urllib.parse.unquote(href))) for href in spine if href]
    chapters = [place for place in places if place in names][:MOST_CHAPTERS]
    if _protected(archive, chapters):
        raise Problem("password", "It is an e-book with copy protection.",
                      "Add a copy without protection, such as a PDF from its publisher.")  # fmt: skip
    if not chapters:
        raise damaged()
    return Found([Sheet(_chapter(archive, place)) for place in chapters], title)


def _chapter(archive: zipfile.ZipFile, place: str) -> str:
    data = part_of(archive, place)
    if b"<!ENTITY" in data[:65_536]:
        checked(data)
    source = re.sub(r"^\s*<\?xml[^>]*\?>", "", decoded(data))
    return page_of(source)[1] if source.strip() else ""


def _protected(archive: zipfile.ZipFile, chapters: list[str]) -> bool:
    """True where chapters are encrypted; fonts often are, and do not matter."""
    if "META-INF/encryption.xml" not in archive.namelist():
        return False
    listed = {n.get("URI", "") for n in tree_of(archive, "META-INF/encryption.xml").iter()}
    return any(place in listed for place in chapters)
