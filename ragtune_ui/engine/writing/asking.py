"""Asking: a draft of a question, and the ways to turn a clause into one."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ragtune_ui.engine.writing import grammar
from ragtune_ui.engine.writing.clauses import Clause
from ragtune_ui.engine.writing.words import AUXILIARIES, GERUNDS, NUMBERS, PREPOSITIONS


@dataclass(frozen=True)
class Draft:
    """A question and its answer, both plain; ``kind`` names the pattern, ``weight`` (0 to 1) how sure it is."""

    question: str
    answer: str
    kind: str
    weight: float


COUNT = "(?:" + "|".join(sorted(NUMBERS, key=len, reverse=True)) + r"|\d[\d,]*(?:\.\d+)?)"
BOUND = (
    r"(?:(?:at most|at least|up to|about|around|approximately|roughly|nearly|almost|more than|less than|fewer than|"
    r"no more than|no less than|no fewer than|a minimum of|a maximum of|a total of|exactly|only|over|under) )?"
)
SPAN = r"(?:second|minute|hour|day|week|month|year|night|workday|weekday)s?"
MONTH = (
    r"(?:January|February|March|April|May|June|July|August|September|October|November|December|"
    r"Jan\.|Feb\.|Aug\.|Sept\.|Oct\.|Nov\.|Dec\.)"
)
WEEKDAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)days?"
CLOCK = r"(?:noon|midnight|\d{1,2}:\d\d(?: ?[ap]\.?m\.?)?|\d{1,2} ?[ap]\.?m\.?)"
DATE = rf"(?:\d{{1,2}} {MONTH}(?: \d{{4}})?|{MONTH}(?: \d{{1,2}}(?:st|nd|rd|th)?)?(?:,? \d{{4}})?|(?:19|20)\d\d)"
_JOINT = r"(?:,| and| or| to|,? at| on| of| through| –| -) ?"
MOMENT = rf"(?:{DATE}|{CLOCK}|{WEEKDAY})(?:{_JOINT}(?:{DATE}|{CLOCK}|{WEEKDAY}))*(?: [CEMP]T)?"
PERIOD = rf"(?:{SPAN}|quarters?|fiscal year|pay period)"
EVERY = (
    rf"(?:every|each) (?:other |second |third |{COUNT} )?(?:{PERIOD}|mornings?|evenings?|{WEEKDAY}|{MONTH}|"
    r"spring|summer|autumn|fall|winter|sprint)"
    rf"|(?:at least )?(?:once|twice|three times|{COUNT} times) (?:a|per|each|every) {PERIOD}"
    r"|daily|weekly|biweekly|monthly|quarterly|annually|yearly|hourly"
)
ORDINAL_OF_EVERY = (
    r"(?:on |at )?the (?:first|second|third|fourth|last|end|start|beginning|\d+(?:st|nd|rd|th))"
    rf"(?: {WEEKDAY}| day| week)?(?: of)? (?:each|every) {PERIOD}"
)

_SECOND_CLAUSE = re.compile(r"\b(?:when|if|which|who|because|while|unless|that|where|although|but|so)\b|[;(]")


class Asker:
    """A clause and the ways to ask about it. ``vocabulary`` tells names from words at a sentence's start."""

    def __init__(self, clause: Clause, vocabulary: grammar.Vocabulary) -> None:
        self.clause = clause
        self.subject = clause.subject if clause.name else grammar.lowered(clause.subject, vocabulary)

    def invert(self, opening: str, tail: str | None = None) -> str:
        """``opening`` + front + subject + tail, as a question in the asker's voice."""
        tail = self.clause.tail if tail is None else tail
        tail = re.sub(r"\b(?:also|then|therefore|instead|only(?= $)) ", "", f"{tail.strip(' .,;')} ").strip()
        return as_question(f"{opening} {self.clause.front} {self.subject} {tail}")

    def ends(self, pattern: str) -> re.Match[str] | None:
        """The match of ``pattern`` at the very end of the tail, after a blank."""
        return re.search(rf"(?<=\s)(?:{pattern})$", self.clause.tail.rstrip(" ."))

    def before(self, match: re.Match[str]) -> str:
        """The tail without the matched end."""
        return self.clause.tail[: match.start()].rstrip(" ,")

    def whole(self, tail: str) -> bool:
        """True where what is left of a tail is one clause that does not break off."""
        last = (tail.split() or [""])[-1]
        loose = last in (PREPOSITIONS | GERUNDS.keys() | {"and", "or", "the", "a"}) - {"up", "off", "out", "over"}
        return not loose and not _SECOND_CLAUSE.search(tail) and not self.goes_on(tail)

    def goes_on(self, tail: str) -> bool:
        """True where a second finite verb follows: ``stops the winch and sounds the siren``."""
        for found in re.finditer(r"\b(?:and|or|but|then),? (\w+)(?P<more>.*)$", tail):
            after = found["more"].split()
            if self.clause.front in ("does", "did") and grammar.finite(found[1]):
                return True
            if any(w in AUXILIARIES for w in after) or any(grammar.finite(w) for w in after[:2]):
                return True
        return False


def as_question(words: str) -> str:
    """Words with a capital at the start and a question mark at the end, in the asker's voice."""
    words = " ".join(words.split()).rstrip(" .,;:!")
    return grammar.my_words(words[0].upper() + words[1:] + "?")


def clean(answer: str) -> str:
    """An answer without the punctuation and the loose words at its end."""
    answer = answer.strip(" .,;:!–—")
    return re.sub(r"(?:,| and| or| but),? ?(?:otherwise|then|also)?$", "", answer).rstrip(" ,;:")


def shortened(answer: str, limit: int = 14) -> str:
    """A long noun phrase up to where a relative clause or a comma starts; the whole where it is short enough."""
    answer = clean(re.sub(r", (?:so|but|which means)\b.*$", "", answer))
    if len(answer.split()) <= limit:
        return answer
    adjunct = re.finditer(r" (?:across|during|within|throughout|until|after|before|while) ", answer)
    for cut in reversed(list(adjunct)):
        if 8 <= len(answer[: cut.start()].split()) <= limit:
            return clean(answer[: cut.start()])
    relative = re.finditer(r",? (?:that|which|who|where|so that|because|when) ", answer)
    # A comma before a last "and" counts things up: there is no place to stop.
    commas = [] if re.search(r",? (?:and|or) [^,]+$", answer) else re.finditer(r"[,;:(] ?|\s[–—-]\s", answer)
    for cut in (*relative, *commas):
        if 3 <= len(answer[: cut.start()].split()) <= limit:
            return clean(answer[: cut.start()])
    return answer
