"""Grammar: enough English to turn a simple statement around, and to know when it is not simple."""

from __future__ import annotations

import re

from ragtune_ui.engine.writing.words import (
    AUXILIARIES,
    DETERMINERS,
    NO_SURNAMES,
    PASTS,
    PREPOSITIONS,
    PRONOUNS,
    ROLES,
    THIRDS,
)


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
