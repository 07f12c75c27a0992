"""Where words begin and end in any script, and numbers as people say them."""

import re
import unicodedata

import pytest

from ragtune_ui.domain.words import LETTERS, SIGNS, apart, counted, gram_recall, is_letter, size, terms


@pytest.mark.parametrize(
    ("number", "words", "said"),
    [(0, ("file",), "0 files"), (1, ("file",), "1 file"), (1200, ("file",), "1,200 files"),
     (1, ("row was", "rows were"), "1 row was"), (2, ("row was", "rows were"), "2 rows were")],
)  # fmt: skip
def test_one_is_singular(number, words, said):
    assert counted(number, *words) == said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The XK-4711, übrigens!", ["the", "xk", "4711", "übrigens"]),
        ("Кабель_2 केबल 케이블", ["кабель_2", *re.findall(r"\w+", "केबल"), "케이블"]),  # blanks: as ever
        ("风速14米。", ["风", "速", "14", "米"]),
        ("iPhone手机", ["iphone", "手", "机"]),
        ("カー・〇", ["カ", "ー", "〇"]),  # the sign that lengthens and the zero are no marks
        ("ลม ๑๔", ["ล", "ม", "๑๔"]),
        ("ខ្យល់", list("ខ្យល់")),  # signs that combine, too
        ("", []),
    ],
)
def test_terms(text, words):
    assert terms(text) == words


def test_signs_are_letters_and_never_digits_or_marks():
    signs = [chr(n) for n in range(0x0E00, 0x3FFFF) if re.match(f"[{SIGNS}{LETTERS}]", chr(n))]
    odd = {c for c in signs if unicodedata.category(c)[0] not in "LMC"}
    assert len(signs) > 90_000 and odd == {"〇", "\u309b", "\u309c"}


def test_signs_stand_apart_whatever_held_them_together():
    assert [apart(t).split() for t in ("约翰·史密斯", "ល\u200bម", "col·lega")] == [
        list("约翰史密斯"), ["ល", "ម"], ["col·lega"],
    ]  # fmt: skip


def test_a_word_takes_more_than_one_sign():
    sizes = [size(terms(t)) for t in ("wind limit", "起重机", "ลมแรงมาก", "iPhone手机吗", "")]
    assert sizes == [2, 2, 2, 3, 0]
    assert [is_letter(t) for t in ("ล", "起", "a")] == [True, False, False]


def test_gram_recall_by_hand():
    assert gram_recall("a b c d e", "x a b c d y") == 0.5  # abcd yes, bcde no
    assert gram_recall("a b c", "a b c") == 0.0  # too short to have a 4-gram
    assert gram_recall("一二三四五六七", "零一二三四五六") == 0.5  # grams of six signs
    assert gram_recall("一二三四五", "一二三四五") == 0.0
