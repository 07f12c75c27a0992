"""Zipped documents (Word, PowerPoint, Excel, EPUB): limits on what they unpack to, and parts without entities."""

from __future__ import annotations

import io
import posixpath
import xml.etree.ElementTree as ET
import zipfile
import zlib

from ragtune_ui.engine.reading.found import UNPACKED_BYTES, Problem, damaged, locked

MOST_PARTS = 20_000


def opened(data: bytes) -> zipfile.ZipFile:
    """The archive of a zipped document. Raises Problem where it is broken, locked or unpacks to too much."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        parts = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError):
        raise damaged() from None
    if any(part.flag_bits & 1 for part in parts):
        raise locked()
    if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > UNPACKED_BYTES:
        raise Problem("too large", "The file unpacks to more than 200 MB.", "Remove its pictures or split it.")
    return archive


def part_of(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of one part. Raises Problem where it is missing, broken or larger than it says."""
    try:
        with archive.open(name) as part:
            size = archive.getinfo(name).file_size
            data = part.read(size + 1)
    except (KeyError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError, EOFError, zlib.error):
        raise damaged() from None
    if len(data) > size:
        raise damaged()
    return data


def tree_of(archive: zipfile.ZipFile, name: str) -> ET.Element:
    """The parsed XML of one part. Raises Problem where it is broken or declares entities."""
    data = part_of(archive, name)
    checked(data)
    try:
        return ET.fromstring(data)
    except (ET.ParseError, ValueError, LookupError):
        raise damaged() from None


def checked(data: bytes) -> None:
    """Refuse XML with a document type: no such program writes one, and the entities in it could read
    other files or grow without end."""
    head = data[:65_536]
    if b"<!ENTITY" in head or b"<!DOCTYPE" in head or b"<\0!\0D\0O\0C\0T" in head or b"\0<\0!\0D\0O\0C\0T" in head:
        raise Problem("unreadable", "The file holds instructions that no document needs.",
                      "Open it in its own program, save it under a new name and add that.")  # fmt: skip


def relations(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """What a part points to: id -> (last word of its type, name of the target part)."""
    folder, name = posixpath.split(part)
    place = f"{folder}/_rels/{name}.rels"
    if place not in archive.namelist():
        return {}
    found = {}
    for node in tree_of(archive, place):
        if node.get("TargetMode") == "External":
            continue
        target = node.get("Target", "")
        full = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
        found[node.get("Id", "")] = (node.get("Type", "").rsplit("/", 1)[-1], full)
    return found


def local(node: ET.Element) -> str:
    """The name of an element without its namespace."""
    return node.tag.rsplit("}", 1)[-1] if isinstance(node.tag, str) else ""
