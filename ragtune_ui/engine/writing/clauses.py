"""Clauses: a sentence's statements, from the tree that a parser makes of it (``english.py``).

After Heilman and Smith 2010 ("Good question!", NAACL, section 3): statements are simplified first, by leaving out what
stands between commas or brackets, and by taking out what is joined or relative as statements of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ragtune_ui.engine.writing import english
from ragtune_ui.engine.writing.grammar import is_name, is_role
from ragtune_ui.engine.writing.words import (
    BASES,
    CLAUSE_WORDS,
    DETERMINERS,
    GERUNDS,
    NO_SURNAMES,
    PASTS,
    PERSONAL,
    PREPOSITIONS,
    PRONOUNS,
)


@dataclass(frozen=True)
class Clause:
    """A statement taken apart: ``subject`` + ``finite`` + ``rest``.

    ``front`` is the word that a question puts before the subject (an auxiliary, or do, does, did)
    and ``tail`` what follows the subject then: "must" + "be signed", "does" + "carry 690 volts".
    """

    subject: str
    finite: str
    rest: str
    front: str
    tail: str
    verb: str  # base form or participle, the word that carries the meaning; "be" for a bare copula
    negated: bool = False
    name: bool = False  # the subject begins with a name
    person: bool = False  # the subject is somebody's name

    @property
    def passive(self) -> bool:
        return self.front in ("is", "are", "was", "were") and self.verb != "be"

    @property
    def copula(self) -> bool:
        return self.verb == "be"

    @property
    def none(self) -> bool:
        """True where the subject is nothing: "no further action"."""
        return self.subject.lower().startswith("no ")

    @property
    def who(self) -> bool:
        """True where the subject is a role or, with a verb for people, a name; "Adobe Reader provides" is none."""
        return is_role(self.subject) or (is_name(self.subject) and self.verb in PERSONAL)


_SUBJECTS = ("nsubj", "nsubjpass")
_AUXILIARIES = ("aux", "auxpass")
_NO_PARTS = (*_SUBJECTS, *_AUXILIARIES, "punct", "cc", "conj", "preconj", "dep", "intj", "meta", "parataxis")
FRONTS = {"VBD": "did", "VBZ": "does", "VBP": "do"}
NAMED_KINDS = ("NORP", "PERSON", "ORG", "GPE", "LOC", "FAC", "PRODUCT", "EVENT", "WORK_OF_ART", "LAW", "LANGUAGE")
_LOST = frozenset("this these that those such another here there it they he she".split())  # noqa: SIM905


def parse(text: str) -> Clause | None:
    """The clause of a simple statement, its subject first, or None where its grammar is not certain."""
    doc = english.read(text.strip().rstrip(".!"))
    roots = [t for t in doc if t.head == t]
    if len(roots) != 1 or roots[0].pos_ not in ("VERB", "AUX"):
        return None
    verb = roots[0]
    kids = list(verb.children)
    subjects = [k for k in kids if k.dep_ in _SUBJECTS and k.i < verb.i]
    if len(subjects) != 1 or any(k.dep_ in ("expl", "mark") and k.i < verb.i for k in kids):
        return None
    auxiliaries = [k for k in kids if k.dep_ in _AUXILIARIES and k.i < verb.i and k.tag_ != "TO"]
    finite = auxiliaries[0] if auxiliaries else verb
    if finite.i == 0 or finite.i > 12 or (not auxiliaries and not _front(verb)) or subjects[0].i > finite.i:
        return None
    words, rest = _said(doc[: finite.i]).split(), _said(doc[finite.i + 1 :])
    if not doc[finite.i - 1].whitespace_ or not words or not _names_something(words) or not rest:
        return None
    subject = " ".join(words)
    person = subjects[0].ent_type_ == "PERSON" and subjects[0].pos_ == "PROPN" and words[-1] not in NO_SURNAMES
    negated, name = any(k.dep_ == "neg" for k in kids), begins_with_name(doc)
    if auxiliaries:
        base = "be" if verb.lemma_ == "be" or verb.tag_ == "VBG" else verb.lower_
        return Clause(subject, finite.text, rest, finite.lower_, rest, base, negated, name, person)
    if verb.lemma_ == "be":
        return Clause(subject, verb.text, rest, verb.lower_, rest, "be", negated, name, person)
    base = verb.lemma_.lower()
    return Clause(subject, verb.text, rest, _front(verb), f"{base} {rest}", base, negated, name, person)


def _front(verb: Any) -> str:
    """ "did", "does" or "do" for a finite main verb; "" for what is none. A base form behind a plural is finite."""
    plural = any(k.dep_ in _SUBJECTS and k.tag_ in ("NNS", "NNPS") for k in verb.children)
    if plural and verb.lower_ == verb.lemma_ and verb.lower_ not in PASTS and verb.tag_ in ("VB", "VBD", "VBN"):
        return "do"
    return FRONTS.get(verb.tag_, "")


def begins_with_name(words: Any) -> bool:
    """True where the first token is a name or made of one: "Li Tan", "American", "ABC"."""
    first = words[0]
    if first.pos_ == "PROPN" and len(words) > 1 and words[1].pos_ == "PROPN" and words[1].text[:1].isupper():
        return True  # "Doctor Who"
    alone = len(words) < 2 or first.pos_ == "PROPN" or words[1].pos_ != "NOUN"  # "Hydraulic hoses" is none
    return bool(first.ent_type_ in NAMED_KINDS and first.pos_ != "DET" and alone)


def _said(tokens: Any) -> str:
    return str(tokens.text).strip()


def _names_something(words: list[str]) -> bool:
    """True where words before a verb can be its subject, and name something by themselves."""
    first, small = words[0].lower(), [w.lower() for w in words]
    if words[-1][-1] in ",;:" or first in PREPOSITIONS | CLAUSE_WORDS or first in GERUNDS or first in _LOST:
        return False
    if any(re.fullmatch(r"[-–—/]|.*—.*|.*[’'](?:ll|ve|re|d|t)", w) for w in small):
        return False
    if first in BASES and len(words) > 1 and small[1] not in ("of", "for"):  # an order: "Book your flight ..."
        return False
    if len(words) == 1 and (first in PRONOUNS or first in DETERMINERS):
        return False
    vague = ("only", "first", "best", "reason", "way", "time")
    if first in ("the", "a", "an") and len(words) > 1 and small[1] in vague:
        return False
    return not (len(words) > 1 and set(small) & {"you", "we", "i", "it", "they"})


# ---------------------------------------------------------------- every statement of a sentence


@dataclass(frozen=True)
class Part:
    """A phrase beside a verb, without what it could do without. ``role`` is its dependency: "dobj", "prep", ..."""

    head: Any
    role: str
    words: tuple[Any, ...]

    @property
    def text(self) -> str:
        return joined(self.words)

    @property
    def points(self) -> bool:
        """True where it points at something said elsewhere: "with it", "those of the crew"."""
        return any(t.lower_ in POINTING and t.tag_ != "IN" for t in self.words)

    @property
    def owned(self) -> bool:
        """True where all that it points with is "its", "their", "his", "her"."""
        return all(t.lower_ in _OWNERS for t in self.words if t.lower_ in POINTING and t.tag_ != "IN")

    @property
    def object(self) -> Any | None:
        """The one noun behind the preposition, or the head itself where there is none."""
        if self.role not in ("prep", "agent"):
            return self.head
        found = [t for t in self.head.children if t.dep_ == "pobj"]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class Statement:
    """One statement: a subject, its verb, and the phrases behind, between and before both."""

    verb: Any
    subject: Part
    auxiliaries: tuple[Any, ...]
    after: tuple[Part, ...]
    between: tuple[Part, ...]  # adverbs: "unsuccessfully"
    before: tuple[Part, ...]  # "In 1962, ..."

    @property
    def front(self) -> str:
        """The word that a question puts before the subject."""
        if self.auxiliaries:
            return str(self.auxiliaries[0].lower_)
        return str(self.verb.lower_) if self.verb.lemma_ == "be" else _front(self.verb)

    @property
    def main(self) -> list[str]:
        """The words of the verb that follow the subject in a question."""
        if self.auxiliaries:
            return [*(a.text for a in self.auxiliaries[1:]), self.verb.text]
        return [] if self.verb.lemma_ == "be" else [self.verb.lemma_]


_OWNERS = frozenset(("its", "their", "his", "her"))
POINTING = frozenset(
    (
        *("he", "she", "it", "they", "him", "her", "them", "his", "hers", "its", "their", "theirs", "this", "these"),
        *("that", "those", "such", "here", "there", "who", "which", "whom", "i", "we", "you", "us", "me", "my", "our"),
        *("your", "one", "ones", "both", "another", "former", "latter", "same", "other", "others", "himself"),
        *("herself", "itself", "themselves", "respectively", "latters", "etc", "e.g.", "i.e."),
    )
)
_OPTIONAL = ("relcl", "acl", "appos", "advcl", "prep", "amod", "parataxis", "punct")


def statements(text: str) -> Iterator[Statement]:
    """The statements that a sentence makes: the main one, what is joined to it, and relative clauses behind commas."""
    doc = english.read(text)
    roots = [t for t in doc if t.head == t]
    if len(roots) != 1 or text.rstrip().endswith("?") or re.search(r"[:;]\s", text):
        return
    joined_to = [t for t in roots[0].conjuncts if t.dep_ == "conj"]
    for verb in (roots[0], *joined_to, *(t for t in doc if t.dep_ == "relcl")):
        if verb.pos_ in ("VERB", "AUX") and (made := _statement(verb)) is not None:
            yield made


def _statement(verb: Any) -> Statement | None:
    kids = list(verb.children)
    if any(k.dep_ in ("neg", "expl", "mark") for k in kids):
        return None
    auxiliaries = [k for k in kids if k.dep_ in _AUXILIARIES and k.i < verb.i]
    subjects = [k for k in kids if k.dep_ in _SUBJECTS and k.i < verb.i]
    if verb.dep_ == "conj" and not subjects:
        subjects, auxiliaries = _shared(verb, auxiliaries)
    if len(subjects) != 1:
        return None
    if verb.dep_ == "relcl":
        pronoun, noun = subjects[0], verb.head
        if pronoun.lower_ not in ("which", "who") or verb.doc[pronoun.i - 1].text != "," or noun.i > pronoun.i:
            return None
        if (pronoun.lower_ == "who") != (noun.ent_type_ == "PERSON" or is_role(noun.text)):
            return None  # the parser took the wrong noun
        subject = Part(noun, "nsubj", tuple(t for t in needed(noun) if t.i < pronoun.i))
    else:
        subject = Part(subjects[0], "nsubj", needed(subjects[0]))
    first = auxiliaries[0] if auxiliaries else verb
    if (
        first.tag_ in ("TO", "VBG")
        or (auxiliaries and first.tag_ in ("VB", "VBN"))
        or not (auxiliaries or _front(verb))
    ):
        return None
    if not subject.words or subject.points or subject.head.pos_ not in ("NOUN", "PROPN"):
        return None
    after, between, before = [], [], []
    for kid in kids:
        if kid.dep_ in _NO_PARTS:
            continue
        part = Part(kid, kid.dep_, needed(kid))
        if kid.i > verb.i and part.words:
            after.append(part)
        elif kid.dep_ in ("prep", "npadvmod", "advmod", "advcl"):
            if kid.left_edge.i < subject.head.left_edge.i:
                before.append(part)
            elif kid.dep_ == "advmod" and kid.lower_ not in _SAYS_LITTLE and verb.dep_ != "relcl":
                between.append(Part(kid, "advmod", (kid,)))
    return Statement(verb, subject, tuple(auxiliaries), tuple(after), tuple(between), tuple(before))


_SAYS_LITTLE = frozenset(
    (
        *("also", "then", "thus", "however", "therefore", "still", "now", "later", "soon", "only", "even", "instead"),
        *("often", "usually", "finally", "eventually", "subsequently", "currently", "initially", "originally", "first"),
        *("already", "just", "generally", "typically", "again", "once", "today", "both", "all", "each", "further"),
    )
)


def _shared(verb: Any, own: list[Any]) -> tuple[list[Any], list[Any]]:
    """The subject of the verb that this one is joined to, and its auxiliaries where this one has none."""
    first = verb.head
    while first.dep_ == "conj" and not any(k.dep_ in _SUBJECTS for k in first.children):
        first = first.head
    kids = list(first.children)
    if any(k.dep_ in ("neg", "expl", "mark") for k in kids):
        return [], own
    auxiliaries = [k for k in kids if k.dep_ in _AUXILIARIES and k.i < first.i]
    if not own and verb.tag_ in ("VBN", "VBG", "VB"):
        own = auxiliaries
        if verb.tag_ == "VBN" and any(k.dep_ == "dobj" for k in verb.children):
            return [], own  # "was based on trade and involved colonies": a past form that looks like a participle
        if not own:
            return [], own
    return [k for k in kids if k.dep_ in _SUBJECTS], own


def needed(head: Any) -> tuple[Any, ...]:
    """The words of a phrase without what stands behind a comma, a dash or in brackets, and loose ends."""
    doc, drop = head.doc, set()
    for token in head.subtree:
        if token == head or token.left_edge.i <= head.i:
            continue
        before = doc[token.left_edge.i - 1]
        breaks = before.text in (",", "(", "–", "—", ":", ";") or (before.text == "-" and doc[before.i - 1].whitespace_)
        if token.dep_ in _OPTIONAL and breaks:
            drop |= {*token.subtree, before}
    kept, depth = [], 0
    for token in sorted(head.subtree, key=lambda t: t.i):
        depth += token.text == "("
        if depth == 0 and token not in drop:
            kept.append(token)
        depth = max(0, depth - (token.text == ")"))
    while kept and ((kept[-1].is_punct and kept[-1].text not in ('"', "”", "%", "'", "’")) or kept[-1].dep_ == "cc"):
        kept.pop()
    while kept and kept[0].is_punct and kept[0].text not in ('"', "“"):
        kept.pop(0)
    return tuple(kept)


def joined(words: Sequence[Any]) -> str:
    """Tokens as text, with blanks where the sentence has them."""
    return re.sub(r"\s+", " ", "".join(t.text_with_ws for t in words)).strip()
