"""Prose: Markdown taken apart into blocks and plain sentences that remember where they stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

BlockKind = Literal["heading", "item", "step", "row", "paragraph"]


@dataclass(frozen=True)
class Block:
    """A piece of Markdown without its marker (``#``, ``-``, ``1.``, ``>``); ``text[start:end]`` is its source."""

    kind: BlockKind
    start: int
    end: int
    level: int = 0  # of a heading


@dataclass(frozen=True)
class Sentence:
    """A plain sentence, free of links and emphasis; ``source[start:end]`` is the same with all its marks."""

    text: str
    start: int
    end: int


_FENCE = re.compile(r"\s*(```|~~~)")
_HEADING = re.compile(r"\s{0,3}(#{1,6})\s+(?=\S)")
_STEP = re.compile(r"\s*\d{1,2}[.)]\s+(?=\S)")
_ITEM = re.compile(r"\s*[-*+•]\s+(?=\S)")
_QUOTE = re.compile(r"\s*(?:>\s*)+")
_BOLD_LINE = re.compile(r"\s*(\*\*|__)(?=\S)(?P<said>[^*_]+?)\1:?\s*")
_NOT_PROSE = re.compile(r"\s*(?:<[/!a-zA-Z][^>]*>\s*|\{[%#].*|\[[^\]]+\]:\s.*|[-*_=]{3,}\s*)$")


def blocks(text: str) -> list[Block]:
    """The blocks of a Markdown text in order; code, front matter and bare HTML lines are left out."""
    found: list[Block] = []
    open_block: Block | None = None
    fenced = quoted = False
    for start, end in _lines(text, _front_matter(text)):
        line = text[start:end]
        if _FENCE.match(line):
            fenced, open_block = not fenced, None
            continue
        if fenced or not line.strip() or _NOT_PROSE.match(line):
            open_block = None
            continue
        opened, was_quoted = _opened(line, start, end, text), quoted
        quoted = opened is not None and _QUOTE.match(line) is not None
        if (
            opened is None or (quoted and was_quoted)
        ) and open_block is not None:  # the line goes on with the block before it
            found[-1] = open_block = Block(open_block.kind, open_block.start, end)
            continue
        block = opened or Block("paragraph", start + len(line) - len(line.lstrip()), end)
        found.append(block)
        open_block = None if block.kind in ("heading", "row") else block
    return found


def _front_matter(text: str) -> int:
    closed = re.match(r"---\s*\n.*?\n---\s*\n", text, re.DOTALL)
    return closed.end() if closed else 0


def _lines(text: str, at: int) -> Iterator[tuple[int, int]]:
    for line in text[at:].splitlines(keepends=True):
        yield at, at + len(line.rstrip())
        at += len(line)


def _opened(line: str, start: int, end: int, text: str) -> Block | None:
    """The block that a line begins by its marker, or None for a plain line."""
    if mark := _HEADING.match(line):
        return Block("heading", start + mark.end(), end, len(mark[1]))
    if line.lstrip().startswith("|"):
        return Block("row", start + len(line) - len(line.lstrip()), end)
    if mark := _STEP.match(line):
        return Block("step", start + mark.end(), end)
    if mark := _ITEM.match(line):
        return Block("item", start + mark.end(), end)
    if mark := _QUOTE.match(line):
        return Block("paragraph", start + mark.end(), end)
    bold = _BOLD_LINE.fullmatch(line)
    # A line that is all bold is a heading only if nothing goes on right below it but an answer.
    if bold and (bold["said"].rstrip().endswith("?") or text[end : end + 2] in ("\n\n", "")):
        return Block("heading", start + bold.start("said"), start + bold.end("said"), 7)
    return None


_DROPPED = re.compile(
    r"""!\[[^\]]*\]\([^)]*\)        # pictures
      | \[\^[^\]]+\]                # footnote marks
      | \]\(\{%.*?%\}[^)]*\)        # the far half of a link, to a template
      | \]\((?:[^()\s]|\([^()\s]*\))*(?:\s+"[^"]*")?\)
      | \{%.*?%\} | \{\{.*?\}\} | \{:[^}]*\}
      | </?[a-zA-Z][^<>]*>
      | \*+ | (?<!\w)_+ | _+(?!\w) | `+ | \\(?=[^\w\s])
      | (?<=\n)\s*>\s?""",
    re.VERBOSE | re.DOTALL,
)


def plain(source: str) -> tuple[str, list[int]]:
    """The words of a piece of Markdown with single blanks, and the offset of each character in ``source``."""
    keep = [True] * len(source)
    for mark in _DROPPED.finditer(source):
        keep[mark.start() : mark.end()] = [False] * len(mark[0])
        if mark[0].startswith("]"):
            opening = source.rfind("[", 0, mark.start())
            if opening >= 0:
                keep[opening] = False
    said: list[str] = []
    places: list[int] = []
    for place, char in enumerate(source):
        if not keep[place]:
            continue
        if char.isspace():
            if not said or said[-1] == " ":
                continue
            char = " "
        said.append(char)
        places.append(place)
    return "".join(said), places


_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|approx|no|nos|fig|mr|mrs|ms|dr|prof|st|inc|ltd|co|dept|sec|art|p|pp|cf|ca)|\b[A-Za-z])\.$",
    re.IGNORECASE,
)
_STOP = re.compile(r"[.!?][\"”’)]*(?=\s+[\"“(]?[A-Z0-9]|\s*$)")


def sentences(source: str, block: Block) -> list[Sentence]:
    """The sentences of a block, plain, each with its place in ``source``."""
    said, places = plain(source[block.start : block.end])
    found, start = [], 0
    for stop in _STOP.finditer(said):
        if _ABBREVIATION.search(said[start : stop.start() + 1]) and stop.end() < len(said.rstrip()):
            continue
        found.append((start, stop.end()))
        start = stop.end()
    if said[start:].strip():
        found.append((start, len(said)))
    made = []
    for first, last in found:
        text = said[first:last]
        first += len(text) - len(text.lstrip())
        last -= len(text) - len(text.rstrip())
        if first < last:
            low, high = _with_marks(source, block.start + places[first], block.start + places[last - 1] + 1)
            made.append(Sentence(said[first:last], max(low, block.start), min(high, block.end)))
    return made


def _with_marks(source: str, start: int, end: int) -> tuple[int, int]:
    """A span widened over the marks that belong to its first and last word, so that none is cut in two."""
    while start > 0 and source[start - 1] in "*_`[":
        start -= 1
    closing = re.compile(r"(?:\*+|_+|`+|\]\([^)]*\))+").match(source, end)
    return start, closing.end() if closing else end
