"""Lines of a PDF page with their place: the fast way, and the careful way for pages with gaps in their lines."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import pypdfium2_raw as raw

from ragtune_ui.engine.reading.tables import FIELD, REMARK, TICKED, Word, tables_in

GAP = 1.1  # of the line's height; a wider gap between two pieces of a line parts cells or columns
SHORT = 90  # characters; only shorter lines are asked whether they are bold
NARROW = 0.3  # of the size, a character; narrower lines are asked whether they stand upright
TICK = "☒"
ASIDE = 1.0  # the size that is given to words that run along the margin: too small for a heading

# The parser puts a mark in place of a hyphen and the line end after it.
_LINES = re.compile(r"[^\r\n\ufffe\x02]+[\ufffe\x02]?")
_BOLD = re.compile(rb"bold|black|heavy|-medi|^cmbx", re.IGNORECASE)  # weights told by a file are often wrong or missing
_WORDS = re.compile(r"[^\s\ufffe\x02]+[\ufffe\x02]?")


class Line(NamedTuple):
    """A line of text: edges and baseline in points, up is more. A ``size`` of 0 marks a finished table."""

    text: str
    x0: float
    x1: float
    y: float
    size: float
    bold: bool


class Filled(NamedTuple):
    """What a person has filled in on a page, and the box where it stands in points, up is more."""

    text: str
    x0: float
    x1: float
    low: float
    high: float
    field: bool  # of a form, which belongs to what is printed before it; a tick to what is printed after it


class PageReader:
    """Reads the lines of page after page of one open document, with buffers that are made once."""

    def __init__(self) -> None:
        self._room = 0
        self._grow(20_000)
        self._name = ctypes.create_string_buffer(80)
        self._fonts: dict[bytes, bool] = {}
        self._left, self._right, self._bottom, self._top = (ctypes.c_double() for _ in range(4))
        self._refs = tuple(map(ctypes.byref, (self._left, self._right, self._bottom, self._top)))

    def lines(self, page: Any, filled: Sequence[Filled] = ()) -> tuple[list[Line], int]:
        """The lines of a page in the order of the file, or of their rows, with what is filled in at its place, and
        how many tables there are."""
        text_page = raw.FPDFText_LoadPage(page)
        try:
            return self._lines(page, text_page, filled)
        finally:
            raw.FPDFText_ClosePage(text_page)

    def _lines(self, page: Any, text_page: Any, filled: Sequence[Filled]) -> tuple[list[Line], int]:
        text, exact = self._text(text_page)
        turn = _turn(text_page, len(text))
        lines = self._quick(text_page, text, exact, turn)
        objects = raw.FPDFPage_CountObjects(page)
        gaps = self._gaps(text_page) if exact and (objects > len(lines) + 3 or objects < 3) else []
        if filled and not exact:
            return lines + [Line(*word[:6]) for word in _placed(filled, lines, turn)], 0
        if not gaps and not filled:
            return lines, 0
        words = self._words(text_page, text, self._parted(text_page, text, gaps), turn)
        words += _placed(filled, words, turn)
        rows, tables = tables_in(words, page if not turn else None, raw)
        return [Line(*row) for row in rows], tables

    def _text(self, text_page: Any) -> tuple[str, bool]:
        """The text, and whether its characters stand at the places that the page counts."""
        number = raw.FPDFText_CountChars(text_page)
        if number <= 0:
            return "", True
        if number + 1 > self._room:
            self._grow(2 * number)
        got = raw.FPDFText_GetText(text_page, 0, number, self._units)
        text = ctypes.string_at(self._buffer, 2 * max(0, got - 1)).decode("utf-16-le", "replace")
        return text, len(text) == number

    def _grow(self, number: int) -> None:
        self._room = number
        self._buffer = ctypes.create_string_buffer(2 * number + 2)
        self._units = ctypes.cast(self._buffer, ctypes.POINTER(ctypes.c_ushort))

    def _quick(self, text_page: Any, text: str, exact: bool, turn: int) -> list[Line]:
        """One line a line of the text; only its first and last character are looked up."""
        left, right, bottom, top = self._refs
        origin, box, size_of = raw.FPDFText_GetCharOrigin, raw.FPDFText_GetCharBox, raw.FPDFText_GetFontSize
        lines = []
        for match in _LINES.finditer(text):
            piece = match.group()
            bare = piece.strip()
            if not bare:
                continue
            first = match.start() + len(piece) - len(piece.lstrip())
            last = first + len(bare) - 1
            if not exact:
                first, last = (raw.FPDFText_GetCharIndexFromTextIndex(text_page, n) for n in (first, last))
            origin(text_page, first, left, bottom)
            x, y = self._left.value, self._bottom.value
            box(text_page, last, left, right, bottom, top)
            size = size_of(text_page, first)
            if turn:
                line = Line(bare, *_upright(x, self._right.value, y, self._top.value, turn), size, False)
            elif self._right.value - x < NARROW * size * len(bare) and _angle(text_page, first):
                line = Line(bare, 0.0, 0.0, -10_000.0 - 10 * len(lines), ASIDE, False)
            else:
                bold = len(bare) < SHORT and self._bold(text_page, first)
                line = Line(bare, x, self._right.value, y, size, bold)
            lines.append(line)
        return lines

    def _bold(self, text_page: Any, n: int) -> bool:
        """True where the name of a character's font says that it is bold."""
        raw.FPDFText_GetFontInfo(text_page, n, self._name, len(self._name), None)
        name = self._name.value.split(b"+", 1)[-1]
        if name not in self._fonts:
            self._fonts[name] = bool(_BOLD.search(name))
        return self._fonts[name]

    def _gaps(self, text_page: Any) -> list[tuple[float, float, float]]:
        """(from, to, height) where pieces that follow one another on a line stand well apart: cells, or columns
        that are written row by row."""
        left, right, bottom, top = self._refs
        gaps = []
        before = None
        for n in range(raw.FPDFText_CountRects(text_page, 0, -1)):
            raw.FPDFText_GetRect(text_page, n, left, top, right, bottom)
            x0, x1, y0, y1 = self._left.value, self._right.value, self._bottom.value, self._top.value
            if before is not None:
                high = max(y1 - y0, before[3] - before[2])
                if abs(y0 - before[2]) < 0.5 * high and not -GAP * high < x0 - before[1] < GAP * high:
                    gaps.append((before[1], x0, y0 + high / 2))
            before = (x0, x1, y0, y1)
        return gaps

    def _parted(self, text_page: Any, text: str, gaps: list[tuple[float, float, float]]) -> list[tuple[int, int]]:
        """(first, last character) of each word; a word that a gap runs through is two."""
        left, right, bottom, top = self._refs
        spans = []
        for match in _WORDS.finditer(text):
            first, last = match.start(), match.end() - 1
            raw.FPDFText_GetCharBox(text_page, first, left, right, bottom, top)
            x0, low, high = self._left.value, self._bottom.value, self._top.value
            raw.FPDFText_GetCharBox(text_page, last, left, right, bottom, top)
            inside = [g for g in gaps if x0 < g[0] and g[1] < self._right.value and low - 4 < g[2] < high + 4]
            if inside:
                for n in range(first, last):
                    raw.FPDFText_GetCharBox(text_page, n + 1, left, right, bottom, top)
                    if self._left.value >= inside[0][1] - 1:
                        spans.append((first, n))
                        first = n + 1
                        break
            spans.append((first, last))
        return spans

    def _words(self, text_page: Any, text: str, spans: list[tuple[int, int]], turn: int) -> list[Word]:
        left, right, bottom, top = self._refs
        words = []
        for number, (first, last) in enumerate(spans):
            raw.FPDFText_GetCharOrigin(text_page, first, left, bottom)
            x, y = self._left.value, self._bottom.value
            raw.FPDFText_GetCharBox(text_page, last, left, right, bottom, top)
            x1 = self._right.value
            size = raw.FPDFText_GetFontSize(text_page, first)
            bold = self._bold(text_page, first)
            if turn:
                x, x1, y = _upright(x, x1, y, self._top.value, turn)
            elif x1 - x < NARROW * size * (last - first + 1) and _angle(text_page, first):
                x, x1, y, size = 0.0, 0.0, -10_000.0 - 10 * number, ASIDE
            words.append(Word(text[first : last + 1], x, max(x, x1), y, size, bold, number))
        return words


def _placed(filled: Sequence[Filled], printed: Sequence[Word | Line], turn: int) -> list[Word]:
    """What is filled in as words, a line of it each, on the baseline of what is printed beside it."""
    sizes = sorted(word.size for word in printed if word.size > ASIDE)
    usual = sizes[len(sizes) // 2] if sizes else 10.0
    words = []
    for number, value in enumerate(filled):
        x0, x1, low, high = _box(value, turn)
        lines = [" ".join(line.split()) for line in value.text.splitlines() if line.strip()]
        size = max(1.0, min(usual, (high - low) / max(1, len(lines))))
        beside = [word.y for word in printed if low - 1 <= word.y <= low + 0.6 * (high - low)]
        for n, line in enumerate(lines):
            y = high - (n + 1) * min(1.2 * size, (high - low) / len(lines))
            if high - low < 3 * size and len(lines) == 1:  # it stands in the middle of its box
                middle = (low + high) / 2 - 0.35 * size
                y = min(beside, key=lambda place: abs(place - middle)) if beside else middle
            end = min(x1, x0 + 0.5 * size * len(line))
            place = (TICKED if line == TICK else FIELD) if value.field else REMARK + 2 * number
            words.append(Word(line, x0, max(x0, end), y, size, False, place))
    return words


def _box(value: Filled, turn: int) -> tuple[float, float, float, float]:
    """(left, right, low, high) of a box once the text on its page stands upright."""
    _, x0, x1, low, high, _ = value
    if turn == 1:
        return -high, -low, x0, x1
    if turn == 2:
        return -x1, -x0, -high, -low
    return (low, high, -x1, -x0) if turn == 3 else (x0, x1, low, high)


def _angle(text_page: Any, n: int) -> int:
    """Quarter turns (0 to 3, with the clock) of one character."""
    return round(raw.FPDFText_GetCharAngle(text_page, n) / 1.5708) % 4


def _turn(text_page: Any, number: int) -> int:
    """Quarter turns of the text on a page, told from a few of its characters."""
    votes = [0, 0, 0, 0]
    for n in range(0, number, max(1, number // 5)):
        votes[_angle(text_page, n)] += 1
    return max(range(4), key=lambda turn: votes[turn])


def _upright(x0: float, x1: float, y0: float, y1: float, turn: int) -> tuple[float, float, float]:
    """(left, right, baseline) of turned text as they are once it stands upright."""
    if turn == 1:
        return -y0, -y1, x0
    if turn == 2:
        return -x0, -x1, -y0
    return y0, y1, -x0
