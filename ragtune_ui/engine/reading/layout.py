"""Lines of PDF pages to Markdown: columns in reading order, headings by size, paragraphs joined."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from ragtune_ui.engine.reading.lines import Line

LARGER = 1.1  # times the size of running text, from which a line may be a heading
LEVELS = 4  # heading levels told apart by size
HEADING_CHARACTERS = 200
COLUMN_LINES = 4  # lines each of two columns must have, at least
EDGE = 3  # lines at the top and at the bottom of a page that may be a header or a footer


class Style(NamedTuple):
    """What a document looks like: the size of its running text, heading sizes, and how far lines stand apart."""

    body: float
    levels: dict[float, int]  # rounded size -> heading level
    bold: bool  # running text is bold: then bold lines are no headings


def style_of(pages: Iterable[Sequence[Line]]) -> Style:
    """The style of a document, from all its lines."""
    sizes: Counter[float] = Counter()
    bold = whole = 0
    for lines in pages:
        for text, _, _, _, size, heavy in lines:
            sizes[_rounded(size)] += len(text)
            whole += len(text)
            bold += len(text) if heavy else 0
    sizes.pop(0.0, None)
    body = max(sizes, key=lambda s: sizes[s], default=10.0)
    larger = sorted((s for s in sizes if s >= LARGER * body and sizes[s] < 0.3 * whole), reverse=True)
    # Sizes that hardly differ are one level; what is left over shares the last.
    levels: dict[float, int] = {}
    level, before = 0, 0.0
    for size in larger:
        if not before or size < 0.94 * before:
            level, before = min(LEVELS, level + 1), size
        levels[size] = level
    return Style(body, levels, bold > 0.4 * whole)


def _rounded(size: float) -> float:
    return round(2 * size) / 2


# Headers and footers.


def running(margins: Sequence[Sequence[Line]]) -> dict[str, int]:
    """Shapes of header and footer lines that many pages repeat, digits aside, and on how many pages each stands.
    ``margins`` are the ``margin`` lines of each page."""
    seen: Counter[str] = Counter()
    for lines in margins:
        seen.update({shape(line.text) for line in lines})
    least = max(3, 0.3 * len(margins))
    return {said: times for said, times in seen.items() if times >= least and said}


def margin(lines: Sequence[Line], style: Style) -> list[Line]:
    """The lines of a page that may be its header or footer."""
    return [line for line in edges(lines) if _may_run(line, lines, style)]


def _may_run(line: Line, lines: Sequence[Line], style: Style) -> bool:
    said = shape(line.text)
    if not line.size or len(said) > 120:
        return False
    if said == "0":  # a page number stands alone at the very edge; a figure of a table does not
        ys = [other.y for other in lines]
        return line.y >= max(ys) - 2 or line.y <= min(ys) + 2
    return not (_level(line, style) and said != line.text)  # "Chapter 3" as a heading is a heading


def shape(text: str) -> str:
    """A line with its numbers made alike: ``Page 3 of 12`` and ``Page 4 of 12`` meet."""
    return " ".join(re.sub(r"\d+", "0", text).split())


def edges(lines: Sequence[Line]) -> list[Line]:
    """The lines that stand highest and lowest on a page, apart from the rest."""
    tall = sorted(lines, key=lambda line: -line.y)
    top, bottom = _apart(tall), _apart(tall[::-1])
    return top if len(top) == len(tall) else top + bottom


def _apart(lines: Sequence[Line]) -> list[Line]:
    """The first few rows up to a gap; none where the text goes on without one."""
    rows = 1
    for n, (line, after) in enumerate(pairwise(lines), start=1):
        step = abs(line.y - after.y)
        if step > 1.6 * max(line.size, after.size):
            return list(lines[:n])
        rows += step > 0.5 * line.size
        if rows > EDGE:
            return []
    return list(lines)


def without(lines: Sequence[Line], margin: Sequence[Line], repeated: dict[str, int]) -> list[Line]:
    """The lines of a page without its headers and footers. A page that says nothing else keeps them."""
    gone = {id(line) for line in margin if shape(line.text) in repeated}
    kept = [line for line in lines if id(line) not in gone]
    return kept if kept or not gone else list(lines)


# Reading order.


def in_order(lines: Sequence[Line]) -> tuple[list[list[Line]], int]:
    """Runs of lines in reading order, each run from one column, and how many columns the page has."""
    gutter = _gutter(lines)
    if gutter is None:
        return [_downwards(lines)], 1
    runs: list[list[Line]] = []
    most = 2
    left: list[Line] = []
    right: list[Line] = []

    def close() -> None:
        nonlocal most, left, right
        sides = [in_order(side) for side in (left, right) if side]
        runs.extend(run for inner, _ in sides for run in inner)
        most = max(most, sum(columns for _, columns in sides))
        left, right = [], []

    for line in sorted(lines, key=lambda line: -line.y):
        if line.x0 >= gutter - 3:
            right.append(line)
        elif line.x1 <= gutter:
            left.append(line)
        else:
            close()
            runs.append([line])
    close()
    return _together(runs), most


def _together(runs: list[list[Line]]) -> list[list[Line]]:
    """Lines over both columns that follow one another are one run."""
    joined: list[list[Line]] = []
    for run in runs:
        if joined and len(run) == 1 and joined[-1][-1].y > run[0].y and abs(joined[-1][-1].x0 - run[0].x0) < 40:
            joined[-1].extend(run)
        else:
            joined.append(run)
    return joined


def _gutter(lines: Sequence[Line]) -> float | None:
    """Where the second column starts; None on a page of one column."""
    if len(lines) < 2 * COLUMN_LINES:
        return None
    x0, x1 = min(line.x0 for line in lines), max(line.x1 for line in lines)
    width = x1 - x0
    starts = Counter(round(line.x0) for line in lines if line.x0 > x0 + 0.2 * width)
    if not starts:
        return None
    start, times = starts.most_common(1)[0]
    if times < COLUMN_LINES:
        return None
    right = [line for line in lines if line.x0 >= start - 3]
    left = [line for line in lines if line.x1 <= start + 1 and line.x0 < start - 3]
    across = len(lines) - len(right) - len(left)
    if min(len(left), len(right)) < COLUMN_LINES or across > 0.4 * len(lines):
        return None
    beside = min(max(a.y for a in left), max(a.y for a in right)) - max(min(a.y for a in left), min(a.y for a in right))
    lowest = min(max(a.y for a in side) - min(a.y for a in side) for side in (left, right))
    # A true gutter stays free: a list with its numbers far out has text beside each number only.
    wide = sum(line.x1 - line.x0 for line in left) / len(left)
    return float(start) if beside > 0.5 * lowest and wide > 0.12 * width else None


def _downwards(lines: Sequence[Line]) -> list[Line]:
    """Lines from top to bottom, those of one row from left to right; as they are where they already stand so."""
    if all(a.y - b.y > 0.3 * a.size for a, b in pairwise(lines)):
        return list(lines)
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: -line.y):
        if rows and line.size and rows[-1][0].size and rows[-1][0].y - line.y < 0.35 * max(line.size, rows[-1][0].size):
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in (sorted(row, key=lambda line: line.x0) if len(row) > 1 else row)]


# Paragraphs.

_ITEM = re.compile(r"(?:[•▪◦●‣–·○■\uf0b7\uf0a7*-]\s+|\d{1,3}[.)]\s+|[a-z][.)]\s+|\([a-z0-9]{1,3}\)\s+)(?=\S)")
_BULLET = re.compile(r"[•▪◦●‣–·○■\uf0b7\uf0a7]\s*")
_LONE = re.compile(r"(?:[•▪◦●‣·○■\uf0b7\uf0a7]|\d{1,3}[.)])$")
_LEADERS = re.compile(r"(?:\s?\.){4,}\s*")
_HYPHENS = ("-", "\xad", "\ufffe", "\x02")


def markdown_of(runs: Sequence[Sequence[Line]], style: Style, joins: frozenset[str] = frozenset()) -> str:
    """Markdown of a page: its runs of lines as headings, paragraphs, list items and tables.

    ``joins`` are words of the document that are known to be written with a hyphen.
    """
    blocks: list[str] = []
    for run in runs:
        step = _step(run)
        current: list[Line] = []
        # The right edge of the lines around each four, because quotes and columns have edges of their own.
        rights = [max(near.x1 for near in run[max(0, n - 5) : n + 9]) for n in range(0, len(run), 4)]
        right = 0.0
        for n, line in enumerate(run):
            right = rights[n // 4]
            if current and _parts(current, line, style, step, right):
                blocks.append(_block(current, style, joins, right))
                current = []
            current.append(line)
        if current:
            blocks.append(_block(current, style, joins, right))
    return _continued(blocks)


def _continued(blocks: list[str]) -> str:
    """Blocks parted by empty lines; a sentence that stops at the foot of a column goes on in the next."""
    out: list[str] = []
    for block in blocks:
        if not block:
            continue
        plain = out and not out[-1].startswith(("#", "|", "- ")) and "\n" not in out[-1]
        if (
            plain
            and block[:1].islower()
            and len(out[-1]) > 40
            and out[-1][-1] not in ".!?:;|"
            and block[1:2] not in ".)"
        ):
            out[-1] = _glued(out[-1], block, frozenset())
        elif out and _ITEM.match(block) and _ITEM.match(out[-1]):
            out[-1] += "\n" + block  # items of one list stand together
        else:
            out.append(block)
    return "\n\n".join(out)


def _step(lines: Sequence[Line]) -> float:
    """How far the lines of a run usually stand apart, in parts of their size."""
    steps = Counter(
        round((a.y - b.y) / a.size, 1)
        for a, b in pairwise(lines)
        if a.size and abs(a.size - b.size) < 1 and 0.8 * a.size < a.y - b.y < 2.6 * a.size
    )
    return max(steps, key=lambda s: (steps[s], -s), default=1.2)


def _parts(current: list[Line], line: Line, style: Style, step: float, right: float) -> bool:
    """True where ``line`` begins something new after the lines of ``current``."""
    before = current[-1]
    if not line.size or not before.size:
        return True
    gap = before.y - line.y
    if abs(gap) < 0.35 * max(before.size, line.size):  # the same row
        return False
    level, level_before = _level(line, style), _level(before, style)
    if level != level_before or (level and gap > 1.45 * line.size):
        return True
    if level:
        return False
    if len(current) == 1 and _LONE.match(before.text):
        return False
    if _ITEM.match(line.text) and (
        line.text[0] not in "-*–·" or line.x0 <= current[0].x0 + 2 or before.x1 < right - 30
    ):
        return True
    heads = line.bold and before.bold and not style.bold  # headings stand wider than the text around them
    if gap < 0 or gap > (step + (0.45 if heads else 0.28)) * line.size:
        return True
    ended = before.text[-1] in '.!?:;"”»)'
    if line.bold != before.bold and ended:
        return True
    if ended and before.x1 < right - 0.12 * max(1.0, right - current[0].x0):
        return True
    item = bool(_ITEM.match(current[0].text))
    indent = line.x0 - before.x0
    return not item and len(current) > 1 and ended and 0.8 * line.size < indent < 5 * line.size


def _level(line: Line, style: Style) -> int:
    """The heading level that a line's size says; 0 for running text."""
    if line.size < LARGER * style.body - 0.25 or len(line.text) > HEADING_CHARACTERS:
        return 0
    return style.levels.get(_rounded(line.size), 0)


def _block(lines: Sequence[Line], style: Style, joins: frozenset[str], right: float) -> str:
    first = lines[0]
    if not first.size:
        return first.text
    text, heading = first.text, _level(first, style)
    for before, line in pairwise(lines):
        broken = not heading and _broken(before, line, right)
        text = f"{text}\n{line.text}" if broken else _glued(text, line.text, joins)
    text = _LEADERS.sub(" ... ", text) if "...." in text or ". . . ." in text else text
    level = _level(first, style)
    if level and len(text) <= HEADING_CHARACTERS and re.search(r"\w", text):
        return f"{'#' * level} {text}"
    if _is_bold_heading(lines, text, style):
        return f"{'#' * min(5, max(style.levels.values(), default=1) + 1)} {text}"
    return _BULLET.sub("- ", text, count=1) if _BULLET.match(text) and len(text) > 2 else _guarded(text)


def _broken(before: Line, line: Line, right: float) -> bool:
    """True where a line was ended on purpose: the next word would have found room on it."""
    if before.y - line.y < 0.35 * line.size or before.text[-1] in _HYPHENS:
        return False
    letter = (line.x1 - line.x0) / max(1, len(line.text))
    word = len(line.text.split(" ", 1)[0]) + 1
    return before.x1 + 1.2 * word * letter + line.size < right and before.x1 < right - 0.1 * (right - before.x0)


def _is_bold_heading(lines: Sequence[Line], text: str, style: Style) -> bool:
    """A short line in bold type that ends like no sentence heads what follows."""
    if style.bold or len(lines) > 2 or not 2 < len(text) < 90 or not all(line.bold for line in lines):
        return False
    return text[-1] not in ".,;:!" and bool(re.search(r"[^\W\d_]{2}", text)) and lines[0].size >= 0.92 * style.body


def _guarded(text: str) -> str:
    """Text that would be taken for a heading mark in Markdown keeps its sign."""
    return "\\" + text if text.startswith("#") else text


def _glued(text: str, more: str, joins: frozenset[str]) -> str:
    """Two lines of a paragraph; a word that was parted at the end of the line is whole again."""
    if text[-1] in _HYPHENS and len(text) > 1 and text[-2].isalpha() and more[:1].isalpha():
        tail, head = re.search(r"[^\W\d_]+$", text[:-1]), re.match(r"[^\W\d_]+", more)
        hard = text[-1] != "\xad" and tail and head and f"{tail.group()}-{head.group()}".lower() in joins
        if hard or (text[-1] == "-" and not more[0].islower()):
            return f"{text[:-1]}-{more}"
        return text[:-1] + more
    return f"{text} {more}"


def hyphenated(pages: Iterable[Sequence[Line]]) -> frozenset[str]:
    """Words that the document writes with a hyphen inside a line, where nothing forced it."""
    found: set[str] = set()
    for lines in pages:
        for line in lines:
            if "-" in line.text:
                found.update(w.lower() for w in re.findall(r"[^\W\d_]+-[^\W\d_]+", line.text))
    return frozenset(found)
