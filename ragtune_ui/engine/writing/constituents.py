"""Constituents: each phrase of a statement asked for in turn, by what the parser says it is.

``patterns.py`` looks for turns of phrase; here any verb will do, so that running prose gives questions too. A question
must name something (``_telling``), because a person reads it without the passage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from ragtune_ui.engine.writing import english, grammar
from ragtune_ui.engine.writing.asking import Draft, as_question
from ragtune_ui.engine.writing.clauses import POINTING, Part, Statement, begins_with_name, joined, needed, statements
from ragtune_ui.engine.writing.words import third

LONGEST = 18  # words of phrases behind the verb that a question repeats
_MUST_STAY = frozenset(("dobj", "attr", "acomp", "oprd", "xcomp", "ccomp", "agent", "dative", "prt", "pcomp"))
_DATED = re.compile(
    r"\d{4}|\d0s|centur|January|February|March|April|May\b|June|July|August|September|October|November|December"
)
_LINKS_UP = re.compile(
    r"(?:as a (?:result|consequence)|in (?:addition|contrast|fact|general|particular|turn|this)|by contrast|"
    r"for (?:example|instance)|of course|on the (?:other|contrary)|as such)\b",
    re.IGNORECASE,
)
_LASTS = re.compile(r"\b(?:second|minute|hour|day|night|week|month|year|decade|centur)")
_YEAR = re.compile(r"(?:1\d|20)\d\d$")
_PLACED = frozenset(
    (
        *("be", "hold", "locate", "situate", "bear", "find", "live", "build", "station", "bury", "die", "establish"),
        *("open", "settle", "study", "grow", "crown", "stand", "lie", "base", "meet", "sign", "fight", "discover"),
        *("introduce", "teach", "occur", "begin", "start", "headquarter", "keep", "store", "work", "arrive"),
    )
)
# Verbs whose object says little by itself, or that mean something else without it.
_LIGHT = frozenset(
    (
        *("have", "take", "make", "give", "play", "see", "find", "get", "do", "include", "become", "begin", "form"),
        *("say", "use", "serve", "show", "know", "bring", "keep", "leave", "let", "put", "set", "call", "mean"),
        *("suggest", "consider", "follow", "describe", "represent", "remain", "cause", "allow", "enable", "exist"),
        "involve",
    )
)
_NAMING = frozenset(("call", "name", "title", "know", "rename", "dub", "nickname", "term"))
_ABOUT = frozenset(
    (
        *("about", "some", "approximately", "around", "the", "over", "nearly", "almost", "more", "than", "at", "least"),
        *("only", "up", "to", "an", "estimated", "a", "total", "of", "most", "under", "roughly", "exactly", "less"),
    )
)
_PEOPLE = ("PERSON",)
_GROUPS = ("ORG", "NORP", "GPE")
_VAGUE = frozenset(
    (
        *("many", "some", "most", "several", "few", "no", "any", "various", "certain", "much", "more", "all", "every"),
        *("new", "early", "late", "recent", "similar", "different", "similarly", "example", "part", "number", "lot"),
    )
)
_SAYS_NOTHING = frozenset(
    (
        *("thing", "way", "example", "case", "fact", "part", "number", "people", "person", "time", "result", "reason"),
        *("area", "group", "type", "kind", "form", "use", "role", "concept", "idea", "problem", "study", "effort"),
    )
)


def asked(text: str, vocabulary: grammar.Vocabulary) -> Iterator[Draft]:
    """The questions that the statements of a sentence answer."""
    for statement in statements(text):
        ask = _Ask(statement, vocabulary)
        for pattern in (ask.times, ask.places, ask.numbers, ask.objects, ask.names, ask.agents, ask.reasons):
            yield from pattern()
        yield from ask.superlatives()
        yield from ask.subjects()
    yield from _appositions(text, vocabulary)


class _Ask:
    """The ways to ask about one statement."""

    def __init__(self, statement: Statement, vocabulary: grammar.Vocabulary) -> None:
        self.said = statement
        self.lemma = statement.verb.lemma_
        self.vocabulary = vocabulary
        self.subject = self._small(statement.subject.words)
        adjuncts = ("prep", "npadvmod")
        self.before = [
            p
            for p in statement.before
            if p.role in adjuncts
            and not (p.points or _LINKS_UP.match(p.text))
            and len(p.words) <= 8
            and _whole(p.words)
        ]

    def times(self) -> Iterator[Draft]:
        """``... was opened in 1887`` -> ``In what year was ... opened?``"""
        for part in (*self.said.after, *self.before):
            thing = part.object
            if part.role not in ("prep", "npadvmod") or thing is None or thing.ent_type_ != "DATE":
                continue
            words = [t for t in part.words if part.role != "prep" or t != part.head]
            if not all(t.ent_type_ == "DATE" or t.lower_ in ("the", ",", "of") for t in words):
                continue
            last, doc = part.words[-1].i, part.head.doc
            if last + 2 < len(doc) and doc[last + 1].text == "," and _YEAR.match(doc[last + 2].text):
                continue  # "on September 23", and the year behind the comma
            date, preposition = joined(words), part.head.lower_ if part.role == "prep" else ""
            answer = date
            if _YEAR.match(date) and preposition == "in":
                opening = "In what year"
            elif _DATED.search(date) and preposition in ("in", "on", "at", ""):
                opening, answer = "When", part.text
            elif _DATED.search(date) and preposition in ("since", "until", "by"):
                opening = {"since": "Since when", "until": "Until when", "by": "By when"}[preposition]
            elif preposition == "for" and _LASTS.search(date):
                opening = "For how long"
            else:
                continue
            yield from self._inverted(opening, part, answer, "time", 0.88)

    def places(self) -> Iterator[Draft]:
        """``... was held in Leazes Park`` -> ``Where was ... held?``"""
        if self.lemma not in _PLACED or any(p.role == "attr" for p in self.said.after):
            return
        for part in (*self.said.after, *self.before):
            thing = part.object
            if part.role != "prep" or part.head.lower_ not in ("in", "at", "on", "near") or thing is None:
                continue
            if thing.ent_type_ in ("GPE", "LOC", "FAC") and not part.points:
                yield from self._inverted("Where", part, part.text, "place", 0.8)

    def numbers(self) -> Iterator[Draft]:
        """``... completed 18 passes`` -> ``How many passes did ... complete?``"""
        for part in self.said.after:
            if part.role != "dobj" or part.points:
                continue
            if part.head.ent_type_ == "MONEY" and self.lemma in ("cost", "pay", "raise", "spend", "receive", "earn"):
                opening = "How much" if self.lemma == "cost" else "How much money"
                yield from self._inverted(opening, part, part.text, "number", 0.85)
                continue
            counts = [t for t in part.head.children if t.dep_ == "nummod" and t.i < part.head.i]
            if len(counts) != 1 or part.head.tag_ != "NNS" or part.head.ent_type_ in ("DATE", "TIME", "MONEY"):
                continue
            number = needed(counts[0])
            lead = [t for t in part.words if t.i < number[0].i]
            rest = [t for t in part.words if t.i > number[-1].i]
            joint = rest[0].pos_ == "PUNCT" or any(t.dep_ in ("cc", "conj") for t in rest)
            if not joint and all(t.lower_ in _ABOUT for t in lead):
                answer = joined([t for t in part.words if t.i <= number[-1].i and t.lower_ != "the"])
                yield from self._inverted(f"How many {joined(rest)}", part, answer, "number", 0.9)

    def objects(self) -> Iterator[Draft]:
        """``... instigated a revolt`` -> ``What did ... instigate?``"""
        if self.lemma in _LIGHT or self.said.front in ("has", "have", "had"):
            return
        for part in self.said.after:
            if part.role == "dobj" and not part.points and len(part.words) <= 9 and _names(part):
                person = part.head.ent_type_ in _PEOPLE
                yield from self._inverted("Whom" if person else "What", part, part.text, "fact", 0.62)

    def names(self) -> Iterator[Draft]:
        """``... is called the Quad`` -> ``What is ... called?``"""
        for part in self.said.after:
            if part.role == "oprd" and self.lemma in _NAMING and len(part.words) <= 7 and part.head.pos_ == "PROPN":
                yield from self._inverted("What", part, part.text, "fact", 0.84)

    def agents(self) -> Iterator[Draft]:
        """``... was designed by Kurt Debus`` -> ``By whom was ... designed?``"""
        for part in self.said.after:
            thing = part.object
            if part.role != "agent" or thing is None or part.points or not 2 <= len(part.words) <= 9:
                continue
            words = [t for t in part.words if t != part.head]
            if any(t.lower_ == "rather" for t in words) or thing.pos_ not in ("NOUN", "PROPN"):
                continue
            people = thing.ent_type_ in (*_PEOPLE, *_GROUPS) or grammar.is_role(joined(words))
            opening, weight = ("By whom", 0.82) if people else ("By what", 0.6)
            yield from self._inverted(opening, part, joined(words), "person" if people else "fact", weight)

    def reasons(self) -> Iterator[Draft]:
        """``... failed because of a typhoon`` -> ``Why did ... fail?``"""
        for part in self.said.after:
            if part.points or len(part.words) > 14:
                continue
            marks = [k for k in part.head.children if k.dep_ == "mark" and k.lower_ == "because"]
            if part.role == "advcl" and marks:
                answer = joined([t for t in part.words if t not in marks])
                yield from self._inverted("Why", part, answer, "reason", 0.85)
            elif part.role == "prep" and part.head.lower_ in ("because", "due"):
                yield from self._inverted("Why", part, part.text, "reason", 0.75)

    def superlatives(self) -> Iterator[Draft]:
        """``X is the largest bank of Y`` -> ``What is the largest bank of Y?`` and the other way round."""
        part = next((p for p in self.said.after if p.role == "attr"), None)
        if part is None or self.lemma != "be" or self.said.auxiliaries or part.head.pos_ not in ("NOUN", "PROPN"):
            return
        subject = self.said.subject
        person = "PERSON" in (subject.head.ent_type_, part.head.ent_type_)
        opening = f"{'Who' if person else 'What'} {self.said.verb.lower_}"
        kept = self._kept(part)
        if kept is None or not _whole(subject.words) or not _whole(part.words):
            return
        behind, words = self._texts(kept), [t for p in kept for t in p.words]
        if _singles_out(subject) and part.head.pos_ == "PROPN" and len(part.words) <= 8:
            if _telling([*subject.words, *words]):
                yield Draft(as_question(" ".join((opening, self.subject, *behind))), part.text, "fact", 0.85)
            return
        named = subject.head.pos_ == "PROPN" and len(subject.words) <= 8 and not part.points
        if named and _singles_out(part) and part.words[0].lower_ == "the" and _telling([*part.words, *words]):
            asked = " ".join((opening, self._small(part.words), *behind))
            yield Draft(as_question(asked), subject.text, "fact", 0.85)

    def subjects(self) -> Iterator[Draft]:
        """``Li Tan instigated a revolt in 1262`` -> ``Who instigated a revolt in 1262?``"""
        subject, kept = self.said.subject, self._kept(None, owned=False)
        if not kept or self.lemma in ("be", "have", "include", "consist", "become") or not _names(subject):
            return
        if len(subject.words) > 8 or subject.words[0].lower_ in _VAGUE or not _whole(subject.words):
            return
        head = subject.head
        special = any(t.dep_ == "poss" or t.pos_ == "PROPN" for t in head.children)
        if head.pos_ == "PROPN" and head.ent_type_ == "PERSON" and len(subject.words) <= 4:
            opening, weight = "Who", 0.8
        elif head.tag_ == "NN" and special:
            role = grammar.is_role(subject.text)
            opening, weight = ("Who", 0.7) if role else (f"Which {head.lower_}", 0.66)
        else:
            return
        verb, adverbs = self.said.verb, [p.text for p in self.said.between]
        if self.said.auxiliaries:
            finite = {"are": "is", "were": "was", "have": "has", "do": "does"}.get(self.said.front, self.said.front)
            main = [finite, *adverbs, *(a.text for a in self.said.auxiliaries[1:]), verb.text]
        else:
            main = [*adverbs, third(verb.lemma_) if verb.tag_ == "VBP" else verb.text]
        words = [t for p in kept for t in p.words]
        if _content([t for t in words if t.ent_type_ != "DATE"]) >= 2 and _content(words) >= 3 and _named(words):
            asked = " ".join((opening, *main, *self._texts(kept)))
            yield Draft(as_question(asked), subject.text, "subject", weight)

    # ------------------------------------------------------------------ putting together

    def _inverted(self, opening: str, part: Part, answer: str, kind: str, weight: float) -> Iterator[Draft]:
        """The question that begins with ``opening`` and leaves ``part`` out, if it can be asked."""
        subject, kept = self.said.subject, self._kept(part)
        if kept is None or not _whole(subject.words) or not _whole(part.words) or _counts_up(subject):
            return
        passive = any(a.dep_ == "auxpass" for a in self.said.auxiliaries)
        if passive and part.role != "dobj" and any(p.role == "dobj" for p in self.said.after):
            return  # a passive with an object is a slip of the parser
        adverbs = [p.text for p in self.said.between]
        words = [opening, self.said.front, self.subject, *adverbs, *self.said.main, *self._texts(kept)]
        if _telling([*subject.words, *(t for p in kept for t in p.words)]):
            yield Draft(as_question(" ".join(words)), answer, kind, weight)

    def _kept(self, without: Part | None, owned: bool = True) -> list[Part] | None:
        """The phrases behind and before the statement but one; None where what must stay cannot.

        ``owned``: "its" may stay, because its owner, the subject of an active statement, is named.
        """
        owned = owned and self.said.subject.head.dep_ != "nsubjpass"
        kept, length = [], 0
        for part in self.said.after:
            if part == without:
                continue
            clear = not part.points or (owned and part.owned)
            if not clear and part.role != "advcl":
                return None  # what is left would say less than the sentence
            aim = part.role == "advcl" and part.words[0].tag_ == "TO" and clear  # "the first to present a concert"
            if (part.role in ("ccomp", "advcl", "mark") and not aim) or not clear or not _whole(part.words):
                if part.role in _MUST_STAY:
                    return None
                continue
            if _LINKS_UP.match(part.text):
                continue
            length += len(part.words)
            if length <= LONGEST or part.role in _MUST_STAY:
                kept.append(part)
        return [*kept, *(p for p in self.before if p != without)]

    def _texts(self, parts: Sequence[Part]) -> list[str]:
        return [self._small(p.words) for p in parts]

    def _small(self, words: Sequence[Any]) -> str:
        """Words for the middle of a sentence; a name keeps its capital."""
        text = joined(words)
        if words[0].pos_ in ("ADP", "DET", "SCONJ", "PRON", "ADV") and not begins_with_name(words):
            return text[0].lower() + text[1:]
        return text if begins_with_name(words) or not text[:1].isupper() else grammar.lowered(text, self.vocabulary)


def _appositions(text: str, vocabulary: grammar.Vocabulary) -> Iterator[Draft]:
    """``Li Tan, the son-in-law of a powerful official, ...`` -> ``Who is the son-in-law of a powerful official?``"""
    for token in english.read(text):
        if token.dep_ != "appos" or token.head.pos_ != "PROPN" or token.pos_ != "NOUN" or token.i < token.head.i:
            continue
        words, doc = needed(token), token.doc
        name = tuple(t for t in needed(token.head) if t.i < token.left_edge.i - 1)
        if not name or doc[token.left_edge.i - 1].text != "," or words[0].lower_ != "the" or not 3 <= len(words) <= 14:
            continue
        role = grammar.is_role(joined(words))
        if not (role or _telling(words)) or any(t.lower_ in POINTING for t in words) or not _whole(words):
            continue
        person = token.head.ent_type_ == "PERSON" or role
        opening = "Who is" if person else "What is"
        yield Draft(as_question(f"{opening} {grammar.lowered(joined(words), vocabulary)}"), joined(name), "fact", 0.72)


def _whole(words: Sequence[Any]) -> bool:
    """True where nothing was cut out of the middle, and nothing was joined to what is gone."""
    return (
        bool(words)
        and all(b.i - a.i == 1 for a, b in pairwise(words))
        and not any(t.text in ('"', "“", "”", ";", ":", "=") for t in words)
    )


def _names(part: Part) -> bool:
    """True where a phrase names something by itself."""
    head = part.head
    if head.pos_ == "PROPN":
        return True
    telling = [t for t in part.words if t.pos_ in ("NOUN", "ADJ", "PROPN", "NUM") and t.lower_ not in _VAGUE]
    return head.pos_ == "NOUN" and head.lemma_ not in _SAYS_NOTHING and len(telling) >= 2


def _counts_up(part: Part) -> bool:
    """True for "no troops" and "the two companies": which ones?"""
    first, second = part.words[0].lower_, part.words[1].pos_ if len(part.words) > 1 else ""
    return first == "no" or (first == "the" and second == "NUM" and part.head.pos_ != "PROPN")


def _singles_out(part: Part) -> bool:
    """True for "the largest ...", "the first ...", "the capital of ..."."""
    marks = ("first", "last", "only", "official", "main", "primary", "capital")
    return len(part.words) >= 4 and any(t.tag_ in ("JJS", "RBS") or t.lower_ in marks for t in part.words)


def _content(words: Sequence[Any]) -> int:
    return sum(t.pos_ in ("NOUN", "PROPN", "VERB", "ADJ", "NUM") and t.lower_ not in _VAGUE for t in words)


def _named(words: Sequence[Any]) -> bool:
    return any(t.pos_ in ("PROPN", "NUM") for t in words)


def _telling(words: Sequence[Any]) -> bool:
    """True where words that a question repeats name something, or describe it closely; "the programme" does neither."""
    if any(_bare(t) for t in words) and not any(t.pos_ == "PROPN" and t.ent_type_ != "DATE" for t in words):
        return False
    return _content(words) >= (2 if _named(words) else 4)


def _bare(token: Any) -> bool:
    """True for the noun of "the meeting": which one?"""
    filled = token.dep_ in ("nsubj", "nsubjpass", "dobj")
    return filled and token.pos_ == "NOUN" and [k.lower_ for k in token.children if k.pos_ != "PUNCT"] == ["the"]
