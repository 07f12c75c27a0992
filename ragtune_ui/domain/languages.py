"""Languages: which one a text is written in, told from its script and its small words."""

from __future__ import annotations

import re
from collections import Counter

SAMPLE = 20_000  # characters that are looked at
ENOUGH = 5  # small words there must be before a language is named

_SMALL_WORDS = {
    "English": "the of and to in is that for it was with as be are not this by from or have an which at they you",
    "German": "der die und das in den von zu mit ist des sich nicht ein eine auf dem für werden im auch als wird oder",
    "French": "le la les de des et est un une du en que dans pour qui pas sur par au il plus ce sont avec ou cette",
    "Spanish": "el la los las de que y en un una por con para se del es no al lo como más su este pero sus ha",
    "Italian": "il la di che e in un una per non con del della è sono le gli dei si da al come più anche questo nel",
    "Portuguese": "o a os as de que e em um uma para com não do da no na por se mais como foi dos das ao são pelo",
    "Dutch": "de het een van en in is dat op te voor met zijn niet aan er door ook als bij naar wordt deze om worden",
    "Swedish": "och att det som en på är av för med den till inte om ett har de vid kan från ska eller var när",
    "Danish": "og at det er en til på af for med den som ikke de der et har kan om skal ved eller også fra efter blev",
    "Norwegian": "og i det er en til på av for med den som ikke de et har kan om skal ved eller også blir fra å være",
    "Finnish": "ja on ei se että oli hän ovat mutta myös kun tai joka niin kuin voi sen sekä jos mukaan olla ne",
    "Polish": "i w na z się do nie jest to że o jak dla po przez od są oraz lub może być przy tym który nie za",
    "Czech": "a v se na je že s z do o i jako pro za by nebo tak po jsou od při které který není být má jeho",
    "Hungarian": "a az és hogy nem is egy ez van volt meg csak de mint vagy már kell ki lehet el még azt be ha",
    "Romanian": "și de la în a cu pe nu că din este un o pentru care mai sau se fi prin sunt al ale după acest",
    "Turkish": "ve bir bu için ile de da olarak olan daha çok gibi en ne kadar sonra her veya ise var olduğu değil",
    "Indonesian": "yang dan di untuk dengan dari pada ini dalam tidak adalah akan itu ke atau oleh juga dapat sebagai",
    "Vietnamese": "và của là có các cho không được trong một với những người này khi đến từ về để như tại đã",
}
_WORDS = {name: frozenset(words.split()) for name, words in _SMALL_WORDS.items()}
# Letters that one language has and its neighbours lack weigh more than small words, which they share.
_LETTERS = {
    "Swedish": "äå", "Danish": "æø", "Norwegian": "æø", "German": "ßü", "Polish": "łąęśź", "Czech": "řůě",
    "Portuguese": "ãõ", "Spanish": "ñ¿", "Romanian": "țșă", "Turkish": "ğışİ", "Hungarian": "őű",
}  # fmt: skip
_SCRIPTS = (
    ("Japanese", r"[\u3040-\u30ff]", 0.05), ("Korean", r"[\uac00-\ud7af]", 0.2), ("Chinese", r"[\u4e00-\u9fff]", 0.2),
    ("Arabic", r"[\u0600-\u06ff]", 0.3), ("Hebrew", r"[\u0590-\u05ff]", 0.3), ("Greek", r"[\u0370-\u03ff]", 0.3),
    ("Thai", r"[\u0e00-\u0e7f]", 0.3), ("Hindi", r"[\u0900-\u097f]", 0.3),
    ("Ukrainian", r"[іїєґІЇЄҐ]", 0.03), ("Russian", r"[\u0400-\u04ff]", 0.3),
)  # fmt: skip


def language_of(text: str) -> str:
    """The language of a text in English words, as "German"; "" where it is too short or not among those known."""
    sample = text[:SAMPLE]
    letters = len(re.findall(r"[^\W\d_]", sample))
    for name, pattern, share in _SCRIPTS:
        if letters >= ENOUGH and len(re.findall(pattern, sample)) >= share * letters:
            return name
    words = Counter(re.findall(r"[^\W\d_]+", sample.lower()))
    scores = {name: float(sum(words[w] for w in small)) for name, small in _WORDS.items()}
    best = max(scores.values())
    several = max(sum(w in words for w in small) for small in _WORDS.values()) >= 3  # a letter of a formula is no word
    if not several or best < ENOUGH or best < 0.06 * words.total():
        return ""
    for name, signs in _LETTERS.items():
        marked = sum(sample.lower().count(sign) for sign in signs)
        scores[name] += min(marked, 0.5 * scores[name])
    return max(scores, key=lambda name: scores[name])
