"""Openings: questions that the start or the whole of a sentence answers, before any clause is taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ragtune_ui.engine.writing import grammar
from ragtune_ui.engine.writing.asking import (
    BOUND,
    COUNT,
    Draft,
    as_question,
    clean,
    shortened,
)
from ragtune_ui.engine.writing.clauses import parse
from ragtune_ui.engine.writing.words import ALSO_NOUNS, BASES, DETERMINERS, PREPOSITIONS

_UNCLEAR = re.compile(r"\b(?:it|they|them|this|that|these|those|he|she|so|any of|either)\b", re.IGNORECASE)


def all_openings(text: str, vocabulary: grammar.Vocabulary) -> Iterator[Draft]:
    """The questions of every pattern here; ``text`` is one plain sentence."""
    for pattern in (acronyms, condition, duty, purpose, there_are):
        yield from pattern(text, vocabulary)


def acronyms(text: str, vocabulary: grammar.Vocabulary) -> Iterator[Draft]:
    """``Paid Time Off (PTO)`` -> ``What does PTO stand for?``"""
    small = "of|the|and|for|to|in|on"
    for found in re.finditer(rf"((?:[A-Z][\w-]+ )(?:(?:[A-Z][\w-]+|{small}) ){{0,6}})\(([A-Z]{{2,7}})\)", text):
        words, letters = found[1].split(), found[2]
        for size in range(len(words), 0, -1):
            name = words[-size:]
            if "".join(w[0] for w in name if w[0].isupper()) == letters and name[0][0].isupper():
                yield Draft(f"What does {letters} stand for?", " ".join(name), "acronym", 0.6)
                break


def condition(text: str, vocabulary: grammar.Vocabulary) -> Iterator[Draft]:
    """``When the gate arm fails, a red rope is hung ...`` -> ``What happens when the gate arm fails?``"""
    found = re.match(
        r"(?P<when>When|If|After|Once) (?P<if>[^,;:]{8,70}), (?:then )?(?P<then>[^;:]+)$", text.rstrip(".!")
    )
    if not found or _UNCLEAR.search(found["if"]) or re.search(r"\b(?:you|we|I)\b", found["if"]) or "," in found["then"]:
        return
    states = [w for w in found["if"].split()[1:] if grammar.finite(w) or w in ("has", "have")]
    clause = parse(found["then"][:1].upper() + found["then"][1:])
    if states and clause is not None and clause.subject.lower() not in ("you", "we"):
        asked = f"What happens {found['when'].lower()} {grammar.lowered(found['if'], vocabulary)}"
        yield Draft(as_question(asked), clean(found["then"]), "procedure", 0.8)


_ORDER = r"(?:please )?(?P<then>(?P<verb>[a-z]+) (?P<next>[\w’'-]+)[^;:]*)"
_HAPPENS = re.compile(r"(?:receive|see|get|hear|be|have|feel|find|expect|know|not|only)\b")


def _what_to_do(found: re.Match[str]) -> str:
    """The part after the comma if it says what to do, by an order or by "you must"; "" otherwise."""
    must = re.match(
        r"you(?:’ll|'ll)? (?:must|should|need to|will need to|have to|can) (?P<do>[a-z]+ .+)", found["then"]
    )
    if must:
        return "" if _HAPPENS.match(must["do"]) else must["do"]
    if re.search(r", (?:make|you|please|or|and)\b", found["then"]):
        return ""
    opens = found["next"].lower() in DETERMINERS | PREPOSITIONS | {"this"} or found["verb"] not in ALSO_NOUNS
    return found["then"] if found["verb"] in BASES | {"do"} and opens else ""


def duty(text: str, vocabulary: grammar.Vocabulary) -> Iterator[Draft]:
    """``If you lose your badge, call the guard`` -> ``What should I do if I lose my badge?``"""
    found = re.match(
        rf"(?P<when>When|If|Once|After|Before) (?P<if>(?:you|your) [^,;:]{{6,90}}), {_ORDER}$", text.rstrip(".!")
    )
    if not found or _UNCLEAR.search(found["if"]) or re.search(r"\b(?:would like|want) to\b", found["if"]):
        return
    if answer := _what_to_do(found):
        asked = f"What should I do {found['when'].lower()} {found['if']}"
        yield Draft(as_question(asked), shortened(answer), "procedure", 0.85)


def purpose(text: str, vocabulary: grammar.Vocabulary) -> Iterator[Draft]:
    """``To request a badge, email the desk`` -> ``How do I request a badge?``"""
    wish = r"If you(?:’d like|'d like| would like| want| need) to"
    goal = rf"(?P<goal>(?P<first>[a-z]+) [^,;:]{{4,70}}), {_ORDER}$"
    found = re.match(rf"(?:To|In order to|{wish}) {goal}", text.rstrip(".!"))
    if not found or found["first"] not in BASES or _UNCLEAR.search(found["goal"]):
        return
    if answer := _what_to_do(found):
        yield Draft(as_question(f"How do I {found['goal']}"), shortened(answer), "procedure", 0.9)


def there_are(text: str, vocabulary: grammar.Vocabulary) -> Iterator[Draft]:
    """``There are three types of leave`` -> ``How many types of leave are there?``"""
    place = r"(?P<rest> (?:in|on|at|for|of the) [^,;:()]+)?[.!:]?$"
    found = re.match(rf"There (?:are|were) (?P<a>{BOUND}{COUNT}) (?P<what>[a-z][\w ’'-]+?){place}", text)
    if found is None or _UNCLEAR.search(found["what"] + (found["rest"] or "")) or len(found["what"].split()) > 6:
        return
    if re.search(r"\w+s\b", found["what"]) and not re.search(r"\b(?:you|we|to|more|other|main|key)\b", found["what"]):
        asked = f"How many {found['what']} are there{found['rest'] or ''}"
        yield Draft(as_question(asked), found["a"], "number", 0.8)
