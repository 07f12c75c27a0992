"""Languages, likeness and parse reports."""

import random

import pytest

from ragtune_ui.domain.documents import Page, Parsed, Repeated
from ragtune_ui.domain.languages import language_of
from ragtune_ui.domain.likeness import COMMON, likeness, near_copies, sketch_of
from ragtune_ui.domain.reports import report_of

# One sentence in each language.
SAID = {
    "English": "The brakes are tested on Monday, and the master of the harbour writes it into the book. It is not dry.",
    "German": "Die Bremsen werden am Montag geprüft, und der Hafenmeister trägt es in das Buch ein. Das ist nicht neu.",
    "French": "Les freins sont vérifiés le lundi et le maître du port les note dans le livre qui est sur la table.",
    "Spanish": "Los frenos se prueban el lunes y el capitán del puerto lo anota en el libro que está en la mesa.",
    "Italian": "I freni sono provati il lunedì e il comandante del porto li annota nel libro che è sulla tavola.",
    "Portuguese": "Os freios são testados na segunda e o capitão do porto anota isso no "
    "livro que está na mesa, não em outro.",
    "Dutch": "De remmen worden op maandag getest en de havenmeester schrijft het in het boek dat op de tafel ligt.",
    "Swedish": "Bromsarna provas på måndag och hamnkaptenen skriver det i boken som "
    "ligger på bordet. Det är inte nytt för den.",
    "Danish": "Bremserne prøves på mandag, og havnefogeden skriver det i bogen, som "
    "blev købt af havnen. Det er ikke nyt for dem.",
    "Polish": "Hamulce są sprawdzane w poniedziałek i kapitan portu wpisuje to do "
    "książki, która leży na stole. Nie jest to nowe.",
    "Russian": "Тормоза проверяют в понедельник, и капитан порта записывает это в книгу.",
    "Ukrainian": "Гальма перевіряють у понеділок, і капітан порту записує це в книгу, що лежить на столі.",
    "Chinese": "刹车在星期一测试，港长把结果写在书里。",
    "Japanese": "ブレーキは月曜日に試験され、港長が帳簿に記入します。",
    "Korean": "브레이크는 월요일에 점검하고 항만장이 장부에 적는다.",
    "Arabic": "تختبر الفرامل يوم الاثنين ويكتب مدير الميناء ذلك في الكتاب.",
    "Hebrew": "הבלמים נבדקים ביום שני ומנהל הנמל רושם זאת בספר.",
    "Greek": "Τα φρένα δοκιμάζονται τη Δευτέρα και ο λιμενάρχης το γράφει στο βιβλίο.",
}


@pytest.mark.parametrize("language", SAID)
def test_a_language_is_told_from_a_sentence(language):
    assert language_of(SAID[language]) == language


@pytest.mark.parametrize("text", ["", "W-11 84 kN", "Lantern Maid", "x = 3; y = foo(bar) " * 40, "12 13 14 " * 50])
def test_no_language_is_named_where_nothing_tells_it(text):
    assert language_of(text) == ""


def words(seed, number=400):
    rng = random.Random(seed)
    return [f"w{rng.randrange(5000)}" for _ in range(number)]


def test_likeness_is_near_the_true_share():
    for changed in (0, 20, 100, 400):
        a, b = words(1), words(1)
        b[:changed] = words(2)[:changed]
        groups = [set(zip(t, t[1:], t[2:], t[3:], strict=False)) for t in (a, b)]
        true = len(groups[0] & groups[1]) / len(groups[0] | groups[1])
        assert likeness(sketch_of(" ".join(a)), sketch_of(" ".join(b))) == pytest.approx(true, abs=0.15)


def test_short_texts_have_no_sketch_and_are_like_nothing():
    assert sketch_of("a few words only") == () and likeness((), (1, 2)) == 0.0


def test_near_copies_are_found_among_many():
    sketches = {f"d{n}": sketch_of(" ".join(words(n))) for n in range(60)}
    near = words(7)
    near[200:204] = ["other"] * 4
    sketches |= {"copy": sketches["d3"], "near": sketch_of(" ".join(near))}
    pairs = near_copies(sketches)
    assert [(a, b) for a, b, _ in pairs] == [("d3", "copy"), ("d7", "near")]
    assert pairs[0][2] == 1.0 and 0.8 <= pairs[1][2] < 1


def test_many_copies_of_one_page_are_found_without_comparing_all():
    page = sketch_of(" ".join(words(1)))
    pairs = near_copies({f"p{n}": page for n in range(COMMON + 5)})
    assert [(a, b) for a, b, _ in pairs] == [(f"p{n}", f"p{n + 1}") for n in range(COMMON + 4)]


def test_a_report_counts_what_was_found():
    text = " ".join(words(1))
    pages = (Page(1, text, columns=2, tables=1), Page(2, "", state="picture"), Page(3, "\ue000", state="garbled"),
             Page(4, "", state="empty"), Page(5, text, tables=2))  # fmt: skip
    report = report_of(Parsed("t", pages, (), (Repeated("Page 1", 5),)))
    assert [page.words for page in report.pages] == [400, 0, 1, 0, 400]
    assert (report.tables, report.column_pages) == (3, [1])
    assert [report.numbers(state) for state in ("picture", "garbled", "empty")] == [[2], [3], [4]]
    assert report.pages[0].sketch == report.pages[4].sketch != () and report.sketch
    assert report.repeated == (Repeated("Page 1", 5),)
    assert report_of(Parsed("t", (Page(1, text),))).pages[0].sketch == ()
