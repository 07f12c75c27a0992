"""Layout: questions that a document's form gives away: headings, pairs, numbered steps and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ragtune_ui.engine.writing.asking import Draft, as_question
from ragtune_ui.engine.writing.clauses import parse
from ragtune_ui.engine.writing.prose import Block, plain, sentences
from ragtune_ui.engine.writing.words import ALSO_NOUNS, BASES, DETERMINERS, GERUNDS


@dataclass(frozen=True)
class Found:
    """A draft and the place of its evidence: ``text[start:end]``."""

    draft: Draft
    start: int
    end: int
    given: bool = True  # by the form of the document, instead of being made from a sentence


def from_layout(text: str, pieces: Sequence[Block]) -> Iterator[Found]:
    """The questions that the blocks of a Markdown text give away."""
    header: list[str] = []
    for at, block in enumerate(pieces):
        if block.kind == "row":
            cells = _cells(text, block)
            if at == 0 or pieces[at - 1].kind != "row":
                header = cells
            elif len(cells) == len(header) and not all(re.fullmatch(r":?-+:?", c) for c in cells):
                yield from _row(header, cells, block, _above(text, pieces, at))
        elif block.kind == "heading":
            yield from _heading(text, pieces, at)
        else:
            yield from _pair(text, pieces, at)
            yield from _first_step(text, pieces, at)


def _above(text: str, pieces: Sequence[Block], at: int) -> str:
    """The nearest heading above, as words; "" where it is none that names a thing."""
    for before in range(at - 1, -1, -1):
        if (block := pieces[before]).kind == "heading":
            said = plain(text[block.start : block.end])[0].strip(" :")
            return said if 1 <= len(said.split()) <= 6 and not said.endswith("?") else ""
    return ""


# ---------------------------------------------------------------- headings and what stands below them

_WH = re.compile(r"(?:how|what|when|where|who|why|which|can|do|does|is|are|should|will|may|must)\b", re.IGNORECASE)
_WH_FRONT = re.compile(r"(?:What|Who|Where|When|How|Why) (?:is|are|do|does|can|should|must) \w+")


def _heading(text: str, pieces: Sequence[Block], at: int) -> Iterator[Found]:
    """A heading that asks, or that names something to do, with the first words below it as the answer."""
    question = _asked_by(plain(text[pieces[at].start : pieces[at].end])[0].strip(" :"))
    below = pieces[at + 1] if at + 1 < len(pieces) else None
    if question and below is not None and below.kind not in ("heading", "row"):
        yield from _answered(text, question, below)


def _asked_by(heading: str) -> str | None:
    """The heading as a question: itself, or ``How do I ...?`` for something to do."""
    heading = re.sub(r"^\s*(?:\d+[.)]|Q\d*[:.])\s*", "", heading)
    words = heading.split()
    if heading.endswith("?") and len(words) >= 4 and _WH.match(heading):
        return heading[0].upper() + heading[1:]
    if _WH_FRONT.match(heading) and 4 <= len(words) <= 12:
        return f"{heading}?"
    if not 2 <= len(words) <= 9 or words[1][0].isupper():
        return None
    first = words[0].lower()
    base = GERUNDS.get(first) or (first if first in BASES else None)
    if base is None or (first in ALSO_NOUNS and words[1].lower() not in DETERMINERS | {"for"}):
        return None
    return as_question(f"How do I {base} {' '.join(words[1:])}")


def _answered(text: str, question: str, below: Block) -> Iterator[Found]:
    """The question, if the block below it starts with its answer."""
    said = sentences(text, below)[:1]
    if said and said[0].text[-1] in ".!" and (answer := _reply(question, said[0].text.rstrip(" .!"))):
        yield Found(Draft(question, answer, "faq", 0.9), said[0].start, said[0].end)


# What a sentence must hold to answer a question of the document's own.
_FITS = {
    "Who": re.compile(r"\b(?:[Cc]ontact|[Aa]sk|[Ee]mail|[Rr]each out)\b.*(?:@|#|[A-Z])|\bemployees?\b|\bstaff\b"),
    "When": re.compile(r"\d|\b(?:when|before|after|during|once|every|as soon as|until|by|if|on|day|week|month)\b"),
    "Where": re.compile(r"\b(?:in|at|on|under|from|to)\b"),
    "Why": re.compile(r"\b(?:because|so that|so|to|since|for)\b"),
}
_ADVICE = re.compile(r"(?:You (?:can|must|should|may)|To|First|Go)\b")


def _reply(question: str, words: str) -> str:
    """The part of a sentence that answers a question of the document's own; "" where none is sure to."""
    asked, clause = question.split()[0], parse(words)
    if asked not in ("How", "What", "Which", *_FITS):
        said = re.match(r"(?:Yes|No)\b", words)
        return said[0] if said else ""
    if asked == "Who" and clause is not None and clause.rest.lower() in question.lower():
        return clause.subject.removeprefix("Only ")
    if asked in _FITS and not _FITS[asked].search(words):
        return ""
    if re.match(r"How (?:do|can|should|must|may) (?:I|we|you)\b", question):
        first, second = [*words.lower().split(), "", ""][:2]
        order = first in BASES and (first not in ALSO_NOUNS or second in DETERMINERS)
        if not order and not _ADVICE.match(words):
            return ""
        if goal := re.match(r"To [^,]+, (?P<do>[a-z].+)", words):
            return goal["do"]
    what = re.match(r"What (?:is|are|does) (?:an? |the )?(?P<thing>.+?)(?: mean| stand for)?\?$", question)
    if what and clause is not None and clause.copula and what["thing"].lower() in clause.subject.lower():
        return clause.rest
    return words


# ---------------------------------------------------------------- pairs and steps

_NO_KEYS = frozenset(
    (
        *(
            "note",
            "resource",
            "resources",
            "link",
            "links",
            "source",
            "slides",
            "recording",
            "example",
            "tip",
            "warning",
        ),
        *("update", "updated", "see", "step", "day"),
    )
)
_ANSWER = r"\**(?:A|Answer)\**\s*[:.]\**\s+"


def _pair(text: str, pieces: Sequence[Block], at: int) -> Iterator[Found]:
    """``Q: ...`` with ``A: ...`` behind or below it; ``Deadline: 5 May`` under a heading."""
    block = pieces[at]
    said, places = plain(text[block.start : block.end])
    asked = re.match(r"(?:Q|Question)\s*[:.]\s+(?P<q>.+?\?)\s*(?:(?:A|Answer)\s*[:.]\s+(?P<a>.+))?$", said)
    if asked and asked["a"]:
        yield from _answered(text, asked["q"], Block("paragraph", block.start + places[asked.start("a")], block.end))
    elif asked and at + 1 < len(pieces):
        below = pieces[at + 1]
        if mark := re.match(_ANSWER, text[below.start : below.end]):
            yield from _answered(text, asked["q"], Block("paragraph", below.start + mark.end(), below.end))
    key = re.match(r"(?P<key>[A-Z][a-z]+(?: [a-z]+){0,3}):\s+(?P<value>\S.*)$", said)
    heading = _above(text, pieces, at)
    if key and heading and re.search(r"\d", key["value"]) and key["key"].lower().split()[0] not in _NO_KEYS:
        question = as_question(f"What is the {key['key'].lower()} for {heading}")
        yield Found(Draft(question, key["value"].strip(" ."), "pair", 0.6), block.start, block.end)


def _first_step(text: str, pieces: Sequence[Block], at: int) -> Iterator[Found]:
    """``To renew the hose:`` and numbered steps -> ``What is the first step to renew the hose?``"""
    said = sentences(text, pieces[at])
    if not said or [b.kind for b in pieces[at + 1 : at + 3]] != ["step", "step"]:
        return
    goal = re.search(
        r"\b[Tt]o (?P<do>(?P<verb>[a-z]+) [^,.:;]{4,60}?)(?:,? (?:follow|do|take|use|complete)\b[^:]*|, you[^:]*)?:$",
        said[-1].text,
    )
    first = sentences(text, pieces[at + 1])
    if goal and goal["verb"] in BASES and first:
        question = as_question(f"What is the first step to {goal['do']}")
        yield Found(Draft(question, first[0].text.strip(" .:"), "procedure", 0.8), said[-1].start, first[0].end)


# ---------------------------------------------------------------- tables

_PROPERTY = r"[A-Z]?[a-z]+(?: [a-z]+){0,3}"
_NOUN = r"(?!Name|Item|What|Topic|Title|Term|Key|Field|Heading)[A-Z][a-z]+"
_VAGUE = re.compile(
    r"^(?:notes?|comments?|description|details?|links?|examples?|items?|what|how|why|who|use|status|name)\b",
    re.IGNORECASE,
)
_EMPTY = re.compile(r"(?:yes|no|n/?a|x|tbd|-+|—)$", re.IGNORECASE)


def _cells(text: str, block: Block) -> list[str]:
    return [plain(cell)[0].strip() for cell in text[block.start : block.end].strip().strip("|").split("|")]


def _row(header: Sequence[str], cells: Sequence[str], block: Block, heading: str) -> Iterator[Found]:
    """``Under "Ramps", what is the width for the ramp "North"?`` from a row whose first cell names it."""
    key, noun = cells[0], header[0]
    if not 1 <= len(key.split()) <= 6 or not re.match(r"[\w(]", key) or re.fullmatch(r"[\d.,]+", key):
        return
    named = f'"{key}"'
    if re.fullmatch(_NOUN, noun) and noun.lower() not in key.lower():
        named = f'the {noun.lower()} "{key}"'
    for column, cell in zip(header[1:], cells[1:], strict=True):
        # Without a name for the rows, they are the properties and the columns the things.
        what, whose = (column, named) if noun else (key, f'"{column}"')
        if (
            not re.fullmatch(_PROPERTY, what)
            or _VAGUE.match(what)
            or not 1 <= len(cell.split()) <= 6
            or _EMPTY.match(cell)
        ):
            continue
        plural = what.lower().endswith("s") and not what.lower().endswith("ss")
        asked = f"{'what are' if plural else 'what is'} the {what.lower()} for {whose}"
        question = as_question(f'Under "{heading}", {asked}' if heading else asked)
        yield Found(Draft(question, cell, "table", 0.7), block.start, block.end)
