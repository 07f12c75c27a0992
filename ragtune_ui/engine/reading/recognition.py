"""Text recognition for scanned pages, where its two packages are installed (requirements-ocr.txt).

The weights come inside the package: nothing is downloaded.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any

from ragtune_ui.engine.reading.found import Problem

DOTS = 200  # an inch; print of 8 points is 22 dots high then
SURE = 0.5  # how sure it must be of a line, 0 to 1
_NEEDED = ("rapidocr", "onnxruntime")


def installed() -> bool:
    """True where scanned pages can be read."""
    return all(importlib.util.find_spec(name) is not None for name in _NEEDED)


def recognised(file: Path, page: int) -> str:
    """The text on a page (from 1), lines from top to bottom, paragraphs parted by empty lines.

    Raises:
        Problem: text recognition is not installed.
    """
    from ragtune_ui.engine.reading.pictures import drawn

    if not installed():
        raise Problem("scanned", "It has pictures of text, and text recognition is not installed.",
                      "Install it (see “Scanned pages” in the README), or add a copy with text.")  # fmt: skip
    picture = drawn(file, page, lambda *_: DOTS / 72).to_numpy()
    found = _engine()(picture)
    if found.boxes is None or found.txts is None:
        return ""
    lines = [
        (text, box[:, 0].min(), box[:, 0].max(), box[:, 1].min(), box[:, 1].max())
        for text, box, sure in zip(found.txts, found.boxes, found.scores, strict=True)
        if sure >= SURE
    ]
    return _joined(lines)


def _joined(lines: list[tuple[Any, ...]]) -> str:
    """Lines (text, left, right, top, bottom) in reading order as paragraphs."""
    from ragtune_ui.engine.reading.layout import in_order, markdown_of, style_of
    from ragtune_ui.engine.reading.lines import Line

    # All of one size, because boxes of recognised lines tell it too roughly for headings.
    high = sorted(bottom - top for _, _, _, top, bottom in lines)
    size = float(high[len(high) // 2]) * 0.7 if high else 10.0
    placed = [Line(t, float(x0), float(x1), -float(bottom), size, False) for t, x0, x1, _, bottom in lines if t.strip()]
    runs, _ = in_order(placed)
    return markdown_of(runs, style_of([placed]))


@functools.cache
def _engine() -> Any:
    import logging

    from rapidocr import RapidOCR

    logging.getLogger("RapidOCR").setLevel(logging.ERROR)
    return RapidOCR(params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": 1})
