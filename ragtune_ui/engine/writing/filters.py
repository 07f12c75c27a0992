"""Filters: what a question must be to be worth a person's look (standing alone, proven, short, not given away)."""

from __future__ import annotations

import re

from ragtune_ui.engine.writing.asking import Draft
from ragtune_ui.engine.writing.words import AUXILIARIES, PREPOSITIONS

QUESTION_WORDS = (4, 25)
ANSWER_WORDS = (1, 14)

_POINTS_ELSEWHERE = re.compile(
    r"\b(?:this|these|those|it|they|them|he|she|him|here|there\b(?!\?| (?:in|on|at|for|of)\b)|above|below|following|"
    r"former|latter|aforementioned|such|that (?:is|are|was|means)|see|example|i\.e|e\.g|another|others?|"
    r"(?:both|either)(?= of\b|\?)|same|above-mentioned|page|section)\b",
    re.IGNORECASE,
)
_LOST_ANSWER = re.compile(
    r"(?:it|its|they|their|this|that|he|his|she|her|here|see|there)\b|.*\b(?:these|those|following|below|above)\b",
    re.IGNORECASE,
)
_LEFTOVERS = re.compile(r"https?:|www\.|\]\(|[\[\]{}<>|*`#\\=]|\.(?:com|gov|org|html)\b|@\w|__|\s[’']\s|;|TL;?DR")
_NOUNS_OF_CONTEXT = (
    "form|process|intent|team|meeting|document|person|list|policy|goal|purpose|idea|point|answer|result|first|next|last|"
    "rest|work|project|information|data|system|program|group|tool|company|following|people|request|email|plan|page|question|questions|"
    "best|role|manager|user|users|app|site|website|channel|guide|link|template"
)
_UNNAMED = re.compile(
    rf"\b(?:is|are|was|were|does|do|did|must|may|can|should|will) the (?:{_NOUNS_OF_CONTEXT})"
    r"(?: (?:set|held|kept|made|done|due|used|based|\w+ed))?\?$",
    re.IGNORECASE,
)
_SMALL = frozenset(
    (
        *("a", "an", "the", "of", "to", "in", "on", "at", "by", "for", "with", "and", "or", "is", "are", "was", "were"),
        *("be", "do", "does", "did", "i", "my", "me", "we", "our"),
    )
)


_TORN = re.compile(r"\b(?:via|in|at|of|with|for) (?:via|in|at|of|with)\b")


def sound(draft: Draft, evidence: str) -> bool:
    """True where a draft passes every filter; ``evidence`` is the source of the sentence that proves it."""
    asked = re.findall(r"[\w'-]+", draft.question.lower())
    said = re.findall(r"[\w'-]+", draft.answer.lower())
    return (
        QUESTION_WORDS[0] <= len(draft.question.split()) <= QUESTION_WORDS[1]
        and ANSWER_WORDS[0] <= len(draft.answer.split()) <= ANSWER_WORDS[1]
        and bool(said)
        and " ".join(draft.answer.split()) in " ".join(evidence.split())
        and _stands_alone(draft, asked)
        and _well_formed(draft)
        and not _given_away(draft, asked, said)
    )


def _stands_alone(draft: Draft, asked: list[str]) -> bool:
    content = [w for w in asked[1:] if w not in _SMALL and w not in AUXILIARIES]
    needed = 1 if draft.kind in ("definition", "acronym", "faq") else 2
    if len(content) < needed or _UNNAMED.search(draft.question) or _POINTS_ELSEWHERE.search(draft.question):
        return False
    return not _LOST_ANSWER.match(draft.answer)


def _well_formed(draft: Draft) -> bool:
    question, answer = draft.question, draft.answer
    # What a link or a picture held is gone from "ask in" and "via in Slack".
    if (
        answer.split()[-1] in PREPOSITIONS - {"up", "off", "out", "over"}
        or _TORN.search(question)
        or re.match(r"\w+:", answer)
    ):
        return False
    if _LEFTOVERS.search(question) or _LEFTOVERS.search(answer) or re.search(r"\(|[-–,]\?$", question):
        return False
    return answer.count("(") == answer.count(")") and answer.count('"') % 2 == question.count('"') % 2 == 0


def _given_away(draft: Draft, asked: list[str], said: list[str]) -> bool:
    """True where the question holds its answer, or the answer only says the question again."""
    if f" {' '.join(said)} " in f" {' '.join(asked)} ":
        return True
    telling, known = {w for w in said if w not in _SMALL}, set(asked[1:])
    if telling and len(telling & known) > 0.6 * len(telling):
        return True
    new = telling - known - {"you", "your", "should", "may", "can", "must"}
    return draft.kind == "faq" and len(said) > 3 and len(new) < 4
