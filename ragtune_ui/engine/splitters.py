"""Splitters: text cut every so many word pieces, or into whole sentences."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence

Span = tuple[int, int]

_SHORT = re.compile(
    r"e\.g|i\.e|z\.b|d\.h|etc|vs|cf|dr|mrs?|ms|prof|nos?|nr|figs?|eq|pp?|vol|al|st|approx|dept|inc|ltd|bzw|ca|abs"
)
_END = re.compile(r"[.!?]+[\"'”’)\]]*(?=\s)|[。！？]+|\n\s*")


def fixed(text: str, pieces: Sequence[Span], size: int, overlap: int) -> Iterator[Span]:
    """Spans of ``size`` word pieces, each repeating ``overlap`` of the one before; words stay whole.

    ``pieces`` are the (start, end) offsets of the word pieces of ``text``.
    """
    first = 0
    while first < len(pieces):
        last = min(first + size, len(pieces))
        if last < len(pieces):
            whole = last
            while whole > first + 1 and not _between_words(text, pieces, whole):
                whole -= 1
            last = whole if whole > first + 1 else last
        yield pieces[first][0], pieces[last - 1][1]
        if last == len(pieces):
            return
        following = max(first + 1, last - overlap)
        while following < last and not _between_words(text, pieces, following):
            following += 1
        first = following


def sentences(text: str, pieces: Sequence[Span], size: int, overlap: int) -> Iterator[Span]:
    """Spans of whole sentences, together at most ``size`` word pieces; the last sentences that fit into
    ``overlap`` stand in the next span again. A sentence that is too long alone is cut as ``fixed`` does."""
    starts = [start for start, _ in pieces]
    count = lambda span: bisect_left(starts, span[1]) - bisect_left(starts, span[0])
    held: list[Span] = []
    for sentence in sentence_spans(text):
        if held and count((held[0][0], sentence[1])) > size:
            yield held[0][0], held[-1][1]
            room = min(overlap, size - count(sentence))
            while held and count((held[0][0], held[-1][1])) > room:
                held.pop(0)
        if count(sentence) > size:
            low, high = bisect_left(starts, sentence[0]), bisect_left(starts, sentence[1])
            *whole, rest = fixed(text, pieces[low:high], size, overlap)
            yield from whole
            sentence, held = rest, []
        held.append(sentence)
    if held:
        yield held[0][0], held[-1][1]


def sentence_spans(text: str) -> Iterator[Span]:
    """Where each sentence, list item and heading of ``text`` stands, without blanks around it."""
    at = 0
    for end in (m.end() for m in _END.finditer(text) if not _abbreviates(text, m)):
        piece = text[at:end]
        if piece.strip():
            yield at + len(piece) - len(piece.lstrip()), at + len(piece.rstrip())
        at = end
    if text[at:].strip():
        yield at + len(text[at:]) - len(text[at:].lstrip()), len(text.rstrip())


def _abbreviates(text: str, mark: re.Match[str]) -> bool:
    """True for the full stop of "e.g.", of an initial and of an ordinal, where no sentence ends."""
    if mark.group() != ".":
        return False
    word = re.search(r"[\w.]+$", text[max(0, mark.start() - 12) : mark.start()])
    bare = word.group().lower() if word else ""
    after = text[mark.end() : mark.end() + 2].lstrip()
    return bool(_SHORT.fullmatch(bare)) or (len(bare) == 1 and bare.isalpha()) or after[:1].islower()


def _between_words(text: str, pieces: Sequence[Span], n: int) -> bool:
    return pieces[n - 1][1] < pieces[n][0] or not (text[pieces[n][0] - 1].isalnum() and text[pieces[n][0]].isalnum())
