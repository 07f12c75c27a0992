"""A page of a PDF as a picture, for looking at the original beside its text."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ragtune_ui.engine.reading.found import damaged
from ragtune_ui.engine.reading.pdf import opened

LARGEST = 12_000_000  # dots of a picture
QUALITY = 80


def picture_of(file: Path, page: int, width: int) -> str:
    """The page (from 1) as a JPEG of about ``width`` dots, in base64.

    Raises:
        Problem: the file is damaged, or has no such page.
    """
    target = io.BytesIO()
    drawn(file, page, lambda across, _: width / across).to_pil().convert("RGB").save(target, "JPEG", quality=QUALITY)
    return base64.b64encode(target.getvalue()).decode()


def drawn(file: Path, page: int, scale: Callable[[float, float], float]) -> Any:
    """The page as a bitmap of pypdfium2. ``scale`` says, from its width and height in points, how many dots a
    point is; pages as large as the plan of a ship are drawn smaller."""
    import pypdfium2

    raw_document = opened(file)  # tells damaged and locked files in words
    document = pypdfium2.PdfDocument(raw_document, autoclose=True)
    try:
        if not 1 <= page <= len(document):
            raise damaged("The page")
        sheet = document[page - 1]
        across, down = (max(1.0, side) for side in sheet.get_size())
        return sheet.render(scale=min(scale(across, down), (LARGEST / (across * down)) ** 0.5))
    finally:
        document.close()
