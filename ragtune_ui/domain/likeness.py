"""Likeness: how much two texts share, from small sketches of each (MinHash).

A sketch holds the smallest hashes of a text's word groups: two texts that share a part of their groups share the
same part of their smallest hashes. See Broder, "On the resemblance and containment of documents", 1997.
"""

from __future__ import annotations

import re
import zlib
from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise

GROUP = 4  # words a group
SKETCH = 64  # hashes a text
PAGE_SKETCH = 16  # hashes a page
NEAR = 0.8  # from this likeness on, texts are near copies
SHORTEST = 20  # word groups; shorter texts are alike by chance
COMMON = 200  # texts that share a hash; more and it is boilerplate that tells nothing

Sketch = tuple[int, ...]


def sketch_of(text: str, size: int = SKETCH) -> Sketch:
    """The ``size`` smallest hashes of a text's word groups, ascending; none for a text that is too short."""
    words = [zlib.crc32(word.encode()) for word in re.findall(r"\w+", text.lower())]
    if len(words) < SHORTEST + GROUP:
        return ()
    # Each group is mixed to one number, because checksums of like words are alike.
    groups = {
        (a * 0x9E3779B1 + b * 0x85EBCA77 + c * 0xC2B2AE3D + d * 0x27D4EB2F) * 0x9E3779B97F4A7C15 >> 24 & 0xFFFFFFFF
        for a, b, c, d in zip(words, words[1:], words[2:], words[3:], strict=False)
    }
    return tuple(sorted(groups)[:size])


def likeness(a: Sketch, b: Sketch) -> float:
    """The estimated share of word groups that two texts have in common, 0 to 1."""
    if not a or not b:
        return 0.0
    size = min(len(a), len(b))
    smallest = sorted({*a, *b})[:size]
    return len(set(smallest) & set(a) & set(b)) / len(smallest)


def near_copies(sketches: Mapping[str, Sketch], near: float = NEAR) -> list[tuple[str, str, float]]:
    """Pairs of names (in their order) whose texts are near copies, with their likeness, the most alike first."""
    held: dict[int, list[str]] = defaultdict(list)
    for name, sketch in sketches.items():
        for value in sketch:
            held[value].append(name)
    place = {name: n for n, name in enumerate(sketches)}
    shared: dict[tuple[str, str], int] = defaultdict(int)
    for names in held.values():
        if 1 < len(names) <= COMMON:
            for n, first in enumerate(names):
                for second in names[n + 1 :]:
                    shared[first, second] += 1
        elif len(names) > COMMON:  # copies of one page: each is compared with the next alone
            for first, second in pairwise(names):
                shared[first, second] += 1
    found = [
        (a, b, likeness(sketches[a], sketches[b]))
        for (a, b), times in shared.items()
        if times >= 0.5 * near * min(len(sketches[a]), len(sketches[b]))
    ]
    alike = [(a, b, share) for a, b, share in found if share >= near]
    return sorted(alike, key=lambda row: (-row[2], place[row[0]], place[row[1]]))
