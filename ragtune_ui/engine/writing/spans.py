"""Spans: what in a sentence is worth asking for, found without any model."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ragtune_ui.engine.writing.asking import CLOCK, COUNT, DATE, EVERY, clean
from ragtune_ui.engine.writing.clauses import parse
from ragtune_ui.engine.writing.grammar import Vocabulary
from ragtune_ui.engine.writing.words import AUXILIARIES, CLAUSE_WORDS, DETERMINERS, PREPOSITIONS, PRONOUNS


@dataclass(frozen=True)
class Span:
    """Words of a sentence that may be an answer; ``weight`` (0 to 1) says how well such answers are asked for."""

    answer: str
    kind: str
    weight: float


_UNIT = (
    r"(?: ?(?:%|°[CF]?|[kKmMµ]?(?:W|V|A|Pa|bar|N|Nm|m|g|l|L|Hz|J|Wh)\b|km/h|m/s|mm|cm|km|kg|mg|ml|mph|ft|in|lb|psi|rpm)"
    r"(?![\w/])|[- ](?!(?:and|or|of|in|to|is|are|was|were|by|for|with|on|at|from|that|which|if|when)\b)[a-z]{3,}s?\b)?"
)
_NUMBER = re.compile(
    rf"(?<![\w.,/-])(?:[$£€] ?)?(?:{COUNT}){_UNIT}(?: (?:to|and|or|–|-) {COUNT}{_UNIT})?(?![\w/-])", re.I
)
_TIME = re.compile(rf"\b(?:(?i:{EVERY})|{DATE}(?:,? (?:19|20)\d\d)?|{CLOCK})\b")
_NAME = re.compile(
    r"(?<![\w.])[A-Z][\w’'&-]*(?:(?: (?:of|de|von|van|and|the|for)){0,2} [A-Z0-9][\w’'&-]*)*(?: \d{1,4})?(?![\w])"
)
_QUOTED = re.compile(r"[“\"]([^”\"]{3,60})[”\"]")
_AFTER = re.compile(
    r"\b(?P<word>by|with|from|into|in|at|on|through|via|for|called|named|known as|without|under|over|behind|"
    r"because|before|after|until|unless|to) (?=(?P<said>[^,.;:()]+))"
)
_STARTS = DETERMINERS | {"his", "her", "its", "their", "your", "our"}
NOUN_WORDS = (1, 8)


def spans(sentence: str, vocabulary: Vocabulary) -> Iterator[Span]:
    """Candidate answers of a plain sentence: numbers with units, times, names, terms, noun phrases, reasons."""
    taken: list[tuple[int, int]] = []

    def fresh(start: int, end: int) -> bool:
        if any(start < e and s < end for s, e in taken):
            return False
        taken.append((start, end))
        return True

    for pattern, kind, weight in ((_TIME, "time", 0.9), (_NUMBER, "number", 1.0)):
        for found in pattern.finditer(sentence):
            if fresh(*found.span()) and not re.fullmatch(r"(?:one|a|an|1|2|3)", found[0], re.IGNORECASE):
                yield Span(found[0].strip(" ,"), kind, weight)
    for found in _NAME.finditer(sentence):
        if _named(found, sentence, vocabulary) and fresh(*found.span()):
            yield Span(found[0], "name", 0.9)
    for found in _QUOTED.finditer(sentence):
        if fresh(*found.span(1)):
            yield Span(found[1].strip(" .,"), "term", 0.6)
    clause = parse(sentence)
    if clause is not None and clause.copula and not clause.negated and 3 <= len(clause.rest.split()) <= 14:
        yield Span(clean(clause.rest), "definition", 0.5)
    for found in _AFTER.finditer(sentence):
        phrase = _phrase(found["word"], found["said"])
        start = found.start("said")
        if phrase and fresh(start, start + len(phrase)):
            yield Span(phrase, "reason" if found["word"] in ("because", "to") else "thing", 0.7)


def _named(found: re.Match[str], sentence: str, vocabulary: Vocabulary) -> bool:
    """True for a name; a word that has its capital from the sentence's start is one only if it is one elsewhere."""
    first = found[0].split()[0]
    if found.start() > 0 and not re.search(r"[.!?:]\s*[\"“(]?$", sentence[: found.start()]):
        return first.lower() not in PRONOUNS and len(found[0]) > 1
    if first.lower() in _STARTS | PRONOUNS | PREPOSITIONS | CLAUSE_WORDS:
        return False
    return first in vocabulary.names and len(found[0].split()) > 1


def _phrase(word: str, said: str) -> str:
    """The noun phrase (or, after "because" and "to", the clause) that begins ``said``; "" where none is clear."""
    words = said.split()
    whole = word in ("because", "before", "after", "until", "unless", "to")
    if not whole:
        stop = PREPOSITIONS | CLAUSE_WORDS | AUXILIARIES | {"and", "or", "but", "then", "has", "have", "had"}
        ends = (n for n, w in enumerate(words) if n and w.lower() in stop - {"of"})
        words = words[: next(ends, len(words))]
    if not words or words[0].lower() in PRONOUNS | {"this", "that", "these", "those", "which", "whom", "it", "them"}:
        return ""
    if word == "to" and (words[0].lower() in _STARTS or len(words) < 3):
        return ""
    low, high = NOUN_WORDS
    content = [w for w in words if w.lower() not in _STARTS | PREPOSITIONS]
    return clean(" ".join(words)) if low <= len(words) <= high + 4 * whole and content else ""
