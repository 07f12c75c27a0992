"""Wording: whether what a small model wrote is a question that a person would ask, told without any model."""

from __future__ import annotations

import re
from itertools import pairwise

from ragtune_ui.engine.writing.words import (
    ALSO_NOUNS,
    AUXILIARIES,
    BASES,
    DETERMINERS,
    GERUNDS,
    PARTICIPLES,
    PASTS,
    PREPOSITIONS,
    THIRDS,
    past,
    third,
)

ON_TOPIC = 0.5  # of the telling words of a question stand in what it was written from, at least
_ASKING = frozenset(("what", "who", "whom", "whose", "which", "when", "where", "why", "how"))
_BE = frozenset(("is", "are", "was", "were"))
_TAKE_A_BASE = frozenset(("do", "does", "did", "can", "could", "will", "would", "should", "must", "may", "might"))
_HAVE = frozenset(("has", "have", "had"))
_LINKS = frozenset(("that", "and", "or", "if", "because", "as", "than", "while", "but", "to")) | _ASKING
_SMALL = (
    _BE | _TAKE_A_BASE | _HAVE | _LINKS | AUXILIARIES | DETERMINERS | PREPOSITIONS | frozenset(("many", "much", "not"))
)


def well_worded(question: str, source: str) -> bool:
    """True where ``question`` reads as one and is about ``source``, the text it was written from."""
    words = re.findall(r"[\w'’-]+", re.sub(r"(?<=what|when)['’]s|(?<=who|how)['’]s", " is", question.lower()))
    known = set(re.findall(r"[\w'’-]+", source.lower()))
    asking = next((n for n, w in enumerate(words) if w in _ASKING), None)
    if asking is None or words[-1] in DETERMINERS | {"and", "or", "not"} or _stutters(words):
        return False
    return _has_its_verbs(words, asking, known) and _on_topic(words, known)


def _stutters(words: list[str]) -> bool:
    """True where a word follows itself, or a pair of telling words comes twice."""
    pairs = list(pairwise(words))
    telling = [p for p in pairs if not set(p) & _SMALL]
    return any(a == b for a, b in pairs) or len(set(telling)) < len(telling)


def _has_its_verbs(words: list[str], asking: int, known: set[str]) -> bool:
    rest = words[asking + 1 :]
    bes = [n for n, w in enumerate(rest) if w in _BE]
    between = rest[bes[0] + 1 : bes[-1]] if len(bes) > 1 else []
    clause = any(b in DETERMINERS and a not in PREPOSITIONS for a, b in pairwise(between))  # "the load the crane"
    if len(bes) > 1 and not clause and not _LINKS & set(between):
        return False  # "what is the shape of the river is"
    if any(rest[n + 1 + (rest[n + 1 : n + 2] == ["not"]) :][:1] == ["be"] for n in bes):
        return False
    first = next((n for n, w in enumerate(rest) if w in AUXILIARIES | _TAKE_A_BASE | _HAVE), None)
    if rest[:1] == ["many"] and first is not None and rest[first] in ("is", "was"):
        return False
    if first is None:  # the asked-for is the subject: "who said", "how many forces act on"
        said = rest if words[asking] == "who" else rest[1:]
        return any(w in PASTS or w in THIRDS or _verb(w, said[n + 1 :], known) for n, w in enumerate(said))
    if rest[first] in _TAKE_A_BASE:
        after = rest[first + 1 :]
        return any(_verb(w, after[n + 1 :], known) for n, w in enumerate(after) if n or len(after) == 1)
    return len(rest) > first + 1


def _verb(word: str, after: list[str], known: set[str]) -> bool:
    """True for the base form of a verb: a sure one, one that stands like one, or one that the source inflects."""
    if word in BASES | {"be", "do"}:
        ends = not after or after[0] in DETERMINERS | PREPOSITIONS
        return word not in ALSO_NOUNS or ends or third(word) in known
    return len(word) > 2 and (past(word) in known or (third(word) in known and set(after[:1]) <= DETERMINERS))


def _on_topic(words: list[str], known: set[str]) -> bool:
    telling = [w for w in words if w not in _SMALL]
    stems = {w[:4] for w in known}
    forms = PARTICIPLES | PASTS | THIRDS | GERUNDS
    there = [w in known or w[:4] in stems or any(forms.get(k) == w for k in known) for w in telling]
    return bool(telling) and sum(there) >= ON_TOPIC * len(telling)
