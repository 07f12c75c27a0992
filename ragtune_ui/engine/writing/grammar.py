"""Grammar: enough English to turn a simple statement around, and to know when it is not simple."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ragtune_ui.engine.writing.words import (
    ALSO_NOUNS,
    AUXILIARIES,
    BASES,
    CLAUSE_WORDS,
    DETERMINERS,
    GERUNDS,
    MODALS,
    NO_SURNAMES,
    NUMBERS,
    PARTICIPLES,
    PASTS,
    PERSONAL,
    PREPOSITIONS,
    PRONOUNS,
    ROLES,
    THIRDS,
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


def is_role(phrase: str) -> bool:
    """True for a role: "the ferry master on watch"."""
    head = re.split(rf"\s(?:{'|'.join(PREPOSITIONS)}|who|that)\s", phrase.lower(), maxsplit=1)[0].split()
    return bool(head) and head[-1].strip(",.") in ROLES


def is_name(phrase: str) -> bool:
    """True for what looks like a person's name: two or three capitalised words, none of a place or a thing."""
    words = phrase.split()
    named = 2 <= len(words) <= 3 and all(re.fullmatch(r"[A-Z][a-z]+(?:-[A-Z][a-z]+)?", w) for w in words)
    return named and words[0].lower() not in DETERMINERS and words[-1] not in NO_SURNAMES


def finite(word: str) -> bool:
    """True for a form that says when something happens: "carries", "carried", "is"."""
    return word in THIRDS or word in PASTS or word in AUXILIARIES or word in ("has", "had")


def parse(text: str) -> Clause | None:
    """The clause of a simple statement, or None where its grammar is not certain.

    The subject is a noun phrase of at most nine words without commas, relative clauses or lone pronouns.
    """
    words = text.rstrip(".!").split()
    for at in range(1, min(10, len(words) - 1)):
        word = words[at]
        if word.lower() in AUXILIARIES:
            return _auxiliary(words, at) if _subject(words[:at]) else None
        if word.lower() in CLAUSE_WORDS or words[at - 1][-1] in ",;:)":
            return None
        clause = _main(words, at)
        if clause is not None:
            return clause
    return None


_LOST = frozenset("this these that those such another here there it they he she".split())  # noqa: SIM905


def _subject(words: list[str]) -> bool:
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
    if (
        first in ("the", "a", "an")
        and len(words) > 1
        and small[1] in ("only", "first", "best", "reason", "way", "time")
    ):
        return False
    return not (len(words) > 1 and set(small) & {"you", "we", "i", "it", "they"})


_ADVERBS = frozenset(("not", "never", "also", "only", "usually", "always", "then", "typically", "generally"))


def _auxiliary(words: list[str], at: int) -> Clause | None:
    front, after = words[at].lower(), words[at + 1 :]
    negated = front == "cannot" or after[0].lower() in ("not", "never")
    rest = " ".join(after)
    tail = f"not {rest}" if front == "cannot" else rest
    content = [w.lower() for w in after if w.lower() not in _ADVERBS]
    if not content or after[0][-1] in ",;:":
        return None
    if front in MODALS:
        verb = content[1] if content[0] == "be" and len(content) > 1 and _participle(content[1]) else content[0]
    else:
        first = content[1] if content[0].endswith("ly") and len(content) > 1 else content[0]
        verb = first if _participle(first) else "be"
    front = "can" if front == "cannot" else front
    return Clause(" ".join(words[:at]), words[at], rest, front, tail, verb.strip(",."), negated)


def _participle(word: str) -> bool:
    word = word.strip(",.;:")
    return word in PARTICIPLES or (word.endswith("ed") and len(word) > 4 and word not in ("need", "speed"))


def _main(words: list[str], at: int) -> Clause | None:
    """The clause whose main verb is ``words[at]``; None where that word may be a noun or a participle."""
    word, before, after = words[at], words[:at], words[at + 1 :]
    perfect = word in ("has", "have", "had") and _participle(after[0].lower())  # an auxiliary there: "has taken"
    opens = perfect or _opens_object(after[0]) or (word in ("take", "takes", "took") and after[0] == "place")
    if word.lower() != word or not opens or not _subject(before) or not _closed(before):
        return None
    if THIRDS.get(before[-1], before[-1]) in BASES - ALSO_NOUNS and before[-1] in THIRDS:
        return None  # "the drill takes place": "takes" is the verb
    subject, rest = " ".join(before), " ".join(after)
    if perfect:
        return Clause(subject, word, rest, word, rest, after[0].lower())
    plural = _plural(before)
    if word in THIRDS and not plural:
        base, front = THIRDS[word], "does"
    elif word in BASES and plural:
        base, front = word, "do"
    elif word in PASTS and not _later_verb(after):
        base, front = PASTS[word], "did"
    else:
        return None
    return Clause(subject, word, rest, front, f"{base} {rest}", base)


def _closed(subject: list[str]) -> bool:
    """True where the words before a verb form make a whole noun phrase, so that the form is not its noun."""
    last, first = subject[-1].lower(), subject[0].lower()
    if last in ("you", "we"):
        return True
    if last in DETERMINERS | PREPOSITIONS | {"and", "or", "not"} or last.endswith(("'s", "’s", "s’", "ly")):
        return False
    return len(subject) > 1 or first in ("everyone", "nobody") or subject[0][0].isupper()


def _plural(subject: list[str]) -> bool:
    joined = " ".join(subject)
    head = re.split(r"\s(?:of|on|at|in|for|with|from|by)\s", joined, maxsplit=1)[0].split()[-1].lower()
    if head in ("you", "we", "people", "staff", "crew", "crews") or " and " in joined:
        return True
    if subject[0].lower() in ("a", "an", "each", "every", "one", "another"):
        return False
    return head.endswith("s") and not head.endswith(("ss", "us", "is")) and not (len(subject) == 1 and joined.isupper())


_OPENERS = (
    DETERMINERS | PREPOSITIONS | NUMBERS | {"that", "whether", "only", "more", "less", "you", "us", "how", "what"}
)


def _opens_object(word: str) -> bool:
    lower = word.lower().strip(",.")
    if lower in _OPENERS or word[0].isdigit() or word[0] in '$£€“"' or word[0].isupper():
        return True
    return lower.endswith("s") and lower not in AUXILIARIES and lower not in THIRDS and len(lower) > 3


def _later_verb(after: list[str]) -> bool:
    """True where a later finite verb shows that an -ed form before it was a participle."""
    for word in after:
        if word.lower() in CLAUSE_WORDS or word.endswith((",", ";")) or word.lower() == "and":
            return False
        if word.lower() in AUXILIARIES or word.lower() in ("has", "have", "had"):
            return True
    return False


_SUBJECT_BEFORE = frozenset(
    (
        *("do", "did", "must", "may", "can", "should", "will", "would", "could", "shall", "are", "were", "if", "when"),
        *("that", "before", "after", "once", "while", "because", "how", "as", "than", "until", "unless", "whether"),
    )
)
_SMALL_FIRST = DETERMINERS | PRONOUNS | ROLES | _SUBJECT_BEFORE | {"you", "we", "only", "nobody", "everyone"}


class Vocabulary:
    """Which words of a document are names: those with a capital inside a sentence."""

    def __init__(self, text: str) -> None:
        self.names = frozenset(re.findall(r"[a-z,;] ([A-Z][\w’'-]*)", text))
        self.common = frozenset(re.findall(r"(?<![.!?#] )\b[a-z][\w’'-]*", text))


def lowered(phrase: str, vocabulary: Vocabulary) -> str:
    """A phrase for the middle of a sentence: its first letter small unless the word is a name in this document."""
    words = phrase.split()
    first, small = words[0], words[0][0].lower() + words[0][1:]
    if first.lower() in _SMALL_FIRST and not first.isupper():
        return " ".join([small, *words[1:]])
    if re.match(r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|January|February|March|April|June|July|August", first):
        return phrase
    if first[1:] != first[1:].lower() or any(c.isdigit() for c in first) or (words[1:] and words[1][0].isupper()):
        return phrase  # "TTS", "Tharn Staithe ramp"
    common = small in vocabulary.common or len(words) > 1 or first.endswith("s")
    return phrase if first in vocabulary.names or not common else " ".join([small, *words[1:]])


_AFTER_I = AUXILIARIES | {"have", "need", "want", "don’t", "don't", "can’t", "can't", "won’t", "won't"}
_MINE = {"your": "my", "yours": "mine", "yourself": "myself"}


def my_words(question: str) -> str:
    """A question put in the asker's voice: you -> I or me, your -> my."""
    words = question.split()
    for at, word in enumerate(words):
        core = word.rstrip("?,.")
        tail = word[len(core) :]
        if core.lower() in _MINE:
            words[at] = _MINE[core.lower()] + tail
        if core.lower() != "you":
            continue
        # "that you" and "do you" have a subject; after any other word it is an object.
        before = words[at - 1].lower() if at else ""
        after = words[at + 1].rstrip("?,.").lower() if at + 1 < len(words) else ""
        words[at] = ("I" if (before in _SUBJECT_BEFORE or after in _AFTER_I) and not tail else "me") + tail
        if words[at] == "I" and before in ("are", "were"):
            words[at - 1] = "am" if before == "are" else "was"
        elif words[at] == "I" and after in ("are", "were"):
            words[at + 1] = "am" if after == "are" else "was"
    return " ".join(words)
