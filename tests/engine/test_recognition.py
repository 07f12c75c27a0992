"""Text recognition: scanned pages become text where it is installed; the choice and the notes work without it."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from ragtune_ui.domain.errors import DocumentError, Stopped
from ragtune_ui.engine import reader as module
from ragtune_ui.engine.reader import DocumentReader
from ragtune_ui.engine.reading.recognition import installed
from tests.engine.makers import PROSE, pdf_of

LINES = ("The holding pin of the drive winch", "is painted orange and weighs 12 kilograms.")


def scanned(*pages: tuple[str, ...] | None) -> bytes:
    """A PDF whose pages are pictures of lines; None is a page of true text."""
    from PIL import Image, ImageDraw, ImageFont
    from reportlab.lib.utils import ImageReader

    def draw(canvas, number: int) -> None:
        lines = pages[number - 1]
        if lines is None:
            canvas.drawString(60, 700, PROSE[:80])
            return
        picture = Image.new("L", (1240, 1754), 255)
        for n, line in enumerate(lines):
            ImageDraw.Draw(picture).text((150, 200 + 60 * n), line, 0, ImageFont.load_default(40))
        target = io.BytesIO()
        picture.save(target, "PNG")
        canvas.drawImage(ImageReader(target), 0, 0, 595, 842)

    return pdf_of(draw, len(pages))


@pytest.mark.skipif(not installed(), reason="text recognition (requirements-ocr.txt) is not installed")
def test_scanned_pages_become_text(tmp_path: Path) -> None:
    file = tmp_path / "scan.pdf"
    file.write_bytes(scanned(LINES, None, LINES))
    reader, seen = DocumentReader(), []
    try:
        parsed = reader.read(file, "pdf", progress=lambda done, total, note: seen.append(note))
    finally:
        reader.close()
    assert "holding pin" in parsed.pages[0].text and "12 kilograms" in parsed.pages[2].text
    assert parsed.notes == ("2 pages were read by text recognition, which may misread: 1, 3.",)
    assert "Recognising text, page 3 of 3" in seen


class Child(DocumentReader):
    """A reader whose child process answers as told."""

    def __init__(self, texts: dict[int, str]) -> None:
        super().__init__()
        self.texts = texts

    def _asked(self, request, progress):
        if request["do"] == "recognise":
            return {"text": self.texts[request["page"]]}
        return super()._asked(request, progress)


@pytest.fixture
def able(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "installed", lambda: True)


def read(folder: Path, texts: dict[int, str], *pages: tuple[str, ...] | None, progress=None):
    file = folder / "scan.pdf"
    file.write_bytes(scanned(*pages))
    reader = Child(texts)
    try:
        return reader.read(file, "pdf", progress=progress)
    finally:
        reader.close()


def test_what_was_recognised_is_named_and_what_was_not_too(able: None, tmp_path: Path) -> None:
    parsed = read(tmp_path, {1: "Found words", 3: ""}, LINES, None, LINES)
    assert [page.state for page in parsed.pages] == ["text", "text", "picture"]
    assert parsed.pages[0].text == "Found words" and parsed.pages[1].text.startswith("The harbour master")
    assert parsed.notes == (
        "1 of 3 pages is a picture without text: 3.",
        "1 page was read by text recognition, which may misread: 1.",
    )


def test_a_whole_scan_is_read_or_says_that_nothing_was_found(able: None, tmp_path: Path) -> None:
    assert read(tmp_path, {1: "Found words", 2: "More"}, LINES, LINES).text == "Found words\n\nMore"
    with pytest.raises(DocumentError, match="no text could be recognised") as caught:
        read(tmp_path, {1: " ", 2: ""}, LINES, LINES)
    assert caught.value.status == "scanned"


def test_recognising_can_be_stopped_between_pages(able: None, tmp_path: Path) -> None:
    def progress(done: int, total: int, note: str) -> None:
        if done == 1:
            raise Stopped("Stopped.")

    with pytest.raises(Stopped):
        read(tmp_path, {1: "a", 2: "b"}, LINES, LINES, progress=progress)


def test_without_it_a_scan_is_a_problem(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "installed", lambda: False)
    with pytest.raises(DocumentError, match="pictures of text"):
        read(tmp_path, {}, LINES)
