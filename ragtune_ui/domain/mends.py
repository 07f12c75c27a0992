"""Mends: what a person changed in passages, kept apart from the document so that it survives reading and cutting anew.

A mend quotes the document's own text. Wherever that quote stands after the next reading, and however the
passages are cut there, the same words are changed.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ragtune_ui.domain.documents import Document
from ragtune_ui.domain.passages import Chunk, find_span

MendKind = Literal["edit", "out", "join"]
AROUND = 60  # characters on each side by which a changed word is found where its passage reads otherwise now
SCANT = 12  # characters of words; a passage of which less is left is no passage


@dataclass(frozen=True)
class Mend:
    """One change: other words ("edit"), left out of search ("out"), or one passage out of two ("join")."""

    id: str
    kind: MendKind
    document: str  # document id
    name: str  # the file's name, which its next version keeps
    start: int  # where the quote stood when this was said
    end: int
    quote: str  # the document's own text
    text: str = ""  # what it reads now, for "edit"
    at: str = ""


@dataclass(frozen=True)
class Patch:
    """``text`` instead of the characters from ``start`` to ``end`` of a document."""

    start: int
    end: int
    text: str


def of_document(mends: Iterable[Mend], document: Document, here: Collection[str] = ()) -> list[Mend]:
    """The mends of a document or of an earlier version of its file, oldest first.

    ``here`` are the ids of all documents: a mend of one of them is no other's, whatever its name.
    """
    return [m for m in mends if m.document == document.id or (m.name == document.name and m.document not in here)]


def located(mend: Mend, text: str) -> tuple[int, int] | None:
    """Where the quote of a mend stands in ``text``: where it stood, else the nearest place, else the place
    that differs in white space and marks alone; None if nowhere."""
    if text[mend.start : mend.end] == mend.quote:
        return mend.start, mend.end
    places = [m.start() for m in re.finditer(re.escape(mend.quote), text)]
    if places:
        nearest = min(places, key=lambda at: abs(at - mend.start))
        return nearest, nearest + len(mend.quote)
    return find_span(text, mend.quote)


def changes(before: str, after: str) -> list[Patch]:
    """What turns ``before`` into ``after``, word by word; other white space between the same words is no change."""
    old, new = (list(re.finditer(r"\s+|\w+|[^\w\s]", side)) for side in (before, after))
    found = []
    for a, b, c, d in _runs(_bare(old), _bare(new)):
        start = old[a].start() if a < len(old) else len(before)
        words = after[new[c].start() : new[d - 1].end()] if d > c else ""
        found.append(Patch(start, old[b - 1].end() if b > a else start, words))
    return found


def _runs(old: list[str], new: list[str]) -> list[tuple[int, int, int, int]]:
    """(from, to) in ``old`` and ``new`` of each change; changes with nothing but a blank between them are one."""
    runs: list[tuple[int, int, int, int]] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        if runs and old[runs[-1][1] : a] == [" "] == new[runs[-1][3] : c]:
            runs[-1] = (runs[-1][0], b, runs[-1][2], d)
        else:
            runs.append((a, b, c, d))
    return runs


def _bare(tokens: Sequence[re.Match[str]]) -> list[str]:
    return [" " if t.group().isspace() else t.group() for t in tokens]


def patches(mends: Sequence[Mend], text: str) -> tuple[list[Patch], list[str]]:
    """What edits and passages left out change in a document, in its order, and the ids of the mends whose
    words no longer stand there. A later mend replaces what an earlier one said of the same words."""
    made: list[Patch] = []
    lost: list[str] = []
    for mend in mends:
        place = located(mend, text)
        if mend.kind == "join":
            lost += [] if place else [mend.id]
            continue
        if place is None:
            found = _scattered(mend, text)
        elif mend.kind == "out":
            found = [Patch(*place, "")]
        else:
            at = place[0]
            found = [replace(p, start=at + p.start, end=at + p.end) for p in changes(text[slice(*place)], mend.text)]
        if not found and place is None:
            lost.append(mend.id)
        spans = [place] if place else [(p.start, p.end) for p in found]
        made = [p for p in made if not any(_meets(p, span) for span in spans)] + found
    return sorted(made, key=lambda p: (p.start, p.end)), lost


def mended(chunks: Sequence[Chunk], mends: Sequence[Mend], text: str,
           count: Callable[[Sequence[str]], list[int]]) -> list[Chunk]:  # fmt: skip
    """The passages of one document after its mends: joined, reworded, left out.

    Spans stay those of the document, so that evidence, tests and judgements keep their place. ``count``
    gives word pieces.
    """
    if not mends:
        return list(chunks)
    whole = _joined(chunks, [s for m in mends if m.kind == "join" and (s := located(m, text))], text)
    found, changed = [], []
    made, _ = patches(mends, text)
    for chunk in whole:
        reads = patched(text, made, chunk.start, chunk.end)
        if reads == chunk.text and chunk in chunks:
            found.append(chunk)
        elif sum(map(len, re.findall(r"\w+", reads))) >= SCANT:
            digest = hashlib.sha256(f"{chunk.document}\n{chunk.start}\n{chunk.end}\n{reads}".encode()).hexdigest()
            changed.append(len(found))
            found.append(replace(chunk, id=digest[:16], text=reads, mended=True))
    for at, tokens in zip(changed, count([found[at].text for at in changed]) if changed else [], strict=True):
        found[at] = replace(found[at], tokens=tokens)
    return found


def patched(text: str, made: Sequence[Patch], start: int, end: int) -> str:
    """``text[start:end]`` with the patches in it. New words belong to where the old ones begin."""
    parts, at = [], start
    for patch in made:
        if patch.end < start or patch.start >= end or (patch.end == start and patch.start < start):
            continue
        parts.append(text[at : max(at, patch.start)])
        if patch.start >= start:
            parts.append(patch.text)
        at = max(at, patch.end)
    return "".join([*parts, text[at:end]]).strip()


def _joined(chunks: Sequence[Chunk], spans: Sequence[tuple[int, int]], text: str) -> list[Chunk]:
    """The passages, those that mostly lie in one of ``spans`` made one."""
    found: list[Chunk] = []
    span_of: list[tuple[int, int] | None] = []
    for chunk in chunks:
        half = (chunk.end - chunk.start) / 2
        span = next((s for s in spans if min(chunk.end, s[1]) - max(chunk.start, s[0]) > half), None)
        if span is not None and span_of and span_of[-1] == span:
            first = found.pop()
            chunk = replace(first, end=max(first.end, chunk.end), text=text[first.start : max(first.end, chunk.end)])
            span_of.pop()
        found.append(chunk)
        span_of.append(span)
    return found


def _scattered(mend: Mend, text: str) -> list[Patch]:
    """The changes of an edit one by one, each found by the words around it: its passage was rewritten in part."""
    if mend.kind != "edit":
        return []
    found = []
    for patch in changes(mend.quote, mend.text):
        before = mend.quote[max(0, patch.start - AROUND) : patch.start].partition(" ")[2]
        after = mend.quote[patch.end : patch.end + AROUND].rpartition(" ")[0]
        left = find_span(text, before) if before.strip() else None
        if left is None or not mend.quote[patch.start : patch.end].strip():
            continue
        rest = find_span(text[left[1] : left[1] + len(mend.quote)], mend.quote[patch.start : patch.end])
        if rest is None or rest[0] > 3 or not _follows(text[left[1] + rest[1] :], after):
            continue
        found.append(Patch(left[1] + rest[0], left[1] + rest[1], patch.text))
    return found


def _follows(text: str, words: str) -> bool:
    """True where ``text`` goes on with at least the first of ``words``."""
    first = words.split()[:1]
    return not first or text.split()[:1] == first


def _meets(patch: Patch, span: tuple[int, int]) -> bool:
    return patch.start < max(span[1], span[0] + 1) and span[0] < max(patch.end, patch.start + 1)
