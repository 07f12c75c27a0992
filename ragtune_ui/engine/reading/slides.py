"""PowerPoint: each slide with its number, title, text, tables and speaker notes."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zipfile

from ragtune_ui.engine.reading.found import Found, Sheet, damaged, pictures_said
from ragtune_ui.engine.reading.markup import markdown_table
from ragtune_ui.engine.reading.parts import local, opened, relations, tree_of

_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_ID = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_OUTSIDE = ("dt", "ftr", "sldNum", "hdr", "sldImg")  # date, footer, number: on every slide


def read_pptx(data: bytes) -> Found:
    """One sheet a slide, hidden ones included, in the order of the show.

    Raises:
        Problem: it is damaged, locked or unpacks to too much.
    """
    archive = opened(data)
    if "ppt/presentation.xml" not in archive.namelist():
        raise damaged()
    targets = relations(archive, "ppt/presentation.xml")
    order = [n for n in tree_of(archive, "ppt/presentation.xml").iter() if local(n) == "sldId"]
    names = [targets[node.get(_ID, "")][1] for node in order if node.get(_ID, "") in targets]
    sheets, silent = [], []
    for number, name in enumerate(names, start=1):
        text, tables, pictures = _slide(archive, name)
        if not text and pictures:
            silent.append(number)
        sheets.append(Sheet(text, tables=tables, state="picture" if not text and pictures else ""))
    if not sheets:
        raise damaged()
    return Found(sheets, notes=[pictures_said(silent, len(sheets), "slide")] if silent else [])


def _slide(archive: zipfile.ZipFile, name: str) -> tuple[str, int, bool]:
    """Markdown of a slide with its speaker notes, its tables, and whether it shows pictures."""
    tree = tree_of(archive, name)
    title, blocks, tables = "", [], 0
    for shape in _shapes(tree):
        kind = _placeholder(shape)
        if kind in _OUTSIDE:
            continue
        for table in shape.iter(f"{_DRAWING}tbl"):
            rows = [[_said(cell) for cell in row if local(cell) == "tc"] for row in table if local(row) == "tr"]
            if rows:
                blocks.append(markdown_table(rows))
                tables += 1
        if local(shape) != "sp":
            continue
        text = _paragraphs(shape)
        if kind in ("title", "ctrTitle") and text and not title:
            title = " ".join(text.replace("\n- ", " ").removeprefix("- ").split())
        elif text:
            blocks.append(text)
    pictures = any(local(node) in ("pic", "blip", "chart") for node in tree.iter())
    spoken = [_notes(archive, target) for kind, target in relations(archive, name).values() if kind == "notesSlide"]
    parts = [f"## {title}" if title else "", *blocks, *(f"Speaker notes: {said}" for said in spoken if said)]
    return "\n\n".join(p for p in parts if p), tables, pictures


def _shapes(tree: ET.Element) -> list[ET.Element]:
    """Text shapes and table frames, also those inside groups, in the order of the file."""
    return [node for node in tree.iter() if local(node) in ("sp", "graphicFrame")]


def _placeholder(shape: ET.Element) -> str:
    return next((node.get("type", "body") for node in shape.iter() if local(node) == "ph"), "")


def _paragraphs(shape: ET.Element) -> str:
    """The paragraphs of a shape; several are a list, indented by their level."""
    lines = []
    for paragraph in shape.iter(f"{_DRAWING}p"):
        text = " ".join(_said(paragraph).split())
        if text:
            settings = paragraph.find(f"{_DRAWING}pPr")
            level = settings.get("lvl", "0") if settings is not None else "0"
            lines.append("  " * (int(level) if re.fullmatch(r"\d", level) else 0) + f"- {text}")
    return "\n".join(lines) if len(lines) > 1 else "".join(lines).strip().removeprefix("- ")


def _said(node: ET.Element) -> str:
    found = []
    for inner in node.iter():
        if local(inner) == "t":
            found.append(inner.text or "")
        elif local(inner) == "br" or (local(inner) == "p" and found):
            found.append(" ")
    return "".join(found)


def _notes(archive: zipfile.ZipFile, name: str) -> str:
    if name not in archive.namelist():
        return ""
    shapes = (s for s in _shapes(tree_of(archive, name)) if _placeholder(s) not in (*_OUTSIDE, ""))
    return " ".join(" ".join(_said(shape).split()) for shape in shapes).strip()
