"""Words: where they begin and end in any script, and numbers as people say them."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Scripts that put no blanks between words; each sign counts as a word of its own. Digits and punctuation are no signs.
SIGNS = (
    "\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9f"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese
)
LETTERS = (  # signs of which each is a sound alone, as ours are
    "\u0e01-\u0e3a\u0e40-\u0e4e"  # Thai
    "\u0e81-\u0ece\u0edc-\u0edf"  # Lao
    "\u1000-\u103f\u1050-\u108f\u109a-\u109d"  # Burmese
    "\u1780-\u17d3\u17d7\u17dc\u17dd"  # Khmer
)
_SIGN, _LETTER = (re.compile(f"[{signs}]") for signs in (SIGNS, LETTERS))
_TERM = re.compile(f"[{SIGNS}{LETTERS}]|[^\\W{SIGNS}{LETTERS}]+")
_INNER = f"[^\\W_{SIGNS}{LETTERS}]"  # of words between blanks; an underscore is a mark of Markdown
_WITHIN = re.compile(rf"(?<={_INNER})(?={_INNER})|(?<=\d[.,:])(?=\d)|(?<=\d)(?=[.,:]\d)")
_APART = re.compile(f"([{SIGNS}{LETTERS}])[\u200b·‧]?")  # a blank of no width, and the dot within foreign names


def terms(text: str) -> list[str]:
    """The words of a text in lower case, without marks; scripts without blanks sign by sign."""
    return _TERM.findall(text.lower())


def apart(text: str) -> str:
    """The text with blanks around each sign of a script that has none."""
    return _APART.sub(r" \1 ", text)


def goes_on(text: str, at: int) -> bool:
    """True where a word or a number goes on at this place, as 2015 and 6.5 do before the 5. Scripts without blanks
    do not tell."""
    return bool(_WITHIN.match(text, at))


def is_letter(term: str) -> bool:
    """True for one sign that is a mere letter of a script without blanks."""
    return bool(_LETTER.match(term))


def size(words: Sequence[str]) -> float:
    """How many words these terms amount to, where a word takes a sign and a half of Chinese or four letters of Thai."""
    signs, letters = sum(bool(_SIGN.match(w)) for w in words), sum(map(is_letter, words))
    return len(words) - signs / 3 - letters * 3 / 4


def gram_recall(said: str, text: str, n: int = 4) -> float:
    """Share of the n-grams of ``said`` that stand in ``text``; 0 where ``said`` is shorter than n words.

    In scripts without blanks a gram is as many signs as n words take.
    """
    words = terms(said)
    n = round(n * len(words) / size(words)) if words else n
    grams = {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
    if not grams:
        return 0.0
    source = terms(text)
    there = {tuple(source[i : i + n]) for i in range(len(source) - n + 1)}
    return len(grams & there) / len(grams)


def counted(number: int, one: str, many: str = "") -> str:
    """``1 question``, ``1,200 questions``; ``many`` is for plurals that take more than an s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
