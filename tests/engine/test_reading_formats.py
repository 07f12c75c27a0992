"""Slides, sheets, tables of text, e-books, e-mails and archives: what is inside them, and where it stood."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragtune_ui.domain.documents import kind_of
from ragtune_ui.domain.errors import DocumentError
from ragtune_ui.engine.reader import DocumentReader
from ragtune_ui.engine.reading.archives import MOST_FILES, safe_name
from ragtune_ui.engine.reading.markup import ROWS
from tests.engine.makers import epub, mail, pdf_of, pptx, xlsx, zipped


@pytest.fixture(scope="module")
def reader() -> Iterator[DocumentReader]:
    reader = DocumentReader()
    yield reader
    reader.close()


def read(reader: DocumentReader, folder: Path, name: str, content: bytes):
    (folder / name).write_bytes(content)
    return reader.read(folder / name, kind_of(name) or "text")


# slides ---------------------------------------------------------------------------------------


def test_slides_have_their_number_title_notes_and_tables(reader: DocumentReader, tmp_path: Path) -> None:
    slides = [("Winch safety", [], "Welcome everybody."), ("Three rules", ["Pin home", "Lamp white", "Horn once"], ""),
              ("", ["Only words"], "Ask for questions.")]  # fmt: skip
    parsed = read(reader, tmp_path, "talk.pptx", pptx(slides, table=[["Code", "Meaning"], ["W-11", "Pull | high"]]))
    assert parsed.title == "Winch safety"
    assert [page.text for page in parsed.pages] == [
        "## Winch safety\n\nSpeaker notes: Welcome everybody.",
        "## Three rules\n\n- Pin home\n- Lamp white\n- Horn once",
        "Only words\n\n| Code | Meaning |\n| --- | --- |\n| W-11 | Pull \\| high |\n\n"
        "Speaker notes: Ask for questions.",
    ]
    assert [page.tables for page in parsed.pages] == [0, 0, 1]


def test_a_slide_that_is_a_picture_is_named(reader: DocumentReader, tmp_path: Path) -> None:
    content = pptx([("Words", ["here"], ""), ("", [], "")])
    (tmp_path / "x").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "x", "a") as archive:  # the second slide's file is the first by number
        space = "http://schemas.openxmlformats.org/presentationml/2006/main"
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("ppt/slides/slide1.xml", f'<p:sld xmlns:p="{space}"><p:pic/></p:sld>')
    parsed = read(reader, tmp_path, "talk.pptx", (tmp_path / "x").read_bytes())
    assert [page.state for page in parsed.pages] == ["text", "picture"]
    assert parsed.notes == ("1 of 2 slides is a picture without text: 2.",)


# sheets ---------------------------------------------------------------------------------------


def test_sheets_have_their_name_and_head(reader: DocumentReader, tmp_path: Path) -> None:
    rows = [["Part", "Stock", "Checked"], ["Filter", 4, datetime.datetime(2026, 11, 9)], [None, None, None],
            ["Cap", 2.5, True]]  # fmt: skip
    parsed = read(reader, tmp_path, "stock.xlsx", xlsx({"Spare parts": rows, "Empty": [], "Codes": [["W-11", "high"]]}))
    assert [page.text for page in parsed.pages] == [
        "## Spare parts\n\n| Part | Stock | Checked |\n| --- | --- | --- |\n"
        "| Filter | 4 | 2026-11-09 |\n| Cap | 2.5 | yes |",
        "",
        "## Codes\n\n| W-11 | high |\n| --- | --- |",
    ]
    assert [page.state for page in parsed.pages] == ["text", "empty", "text"]


def test_long_tables_repeat_their_head(reader: DocumentReader, tmp_path: Path) -> None:
    rows = [["Number", "Name"], *([n, f"name {n}"] for n in range(1, 2 * ROWS + 2))]
    text = read(reader, tmp_path, "a.xlsx", xlsx({"All": rows})).text
    assert text.count("| Number | Name |") == 3 and text.count("name ") == 2 * ROWS + 1


def test_formulas_without_results_stand_as_they_were_written(reader: DocumentReader, tmp_path: Path) -> None:
    parsed = read(reader, tmp_path, "sum.xlsx", xlsx({"Sums": [["a", "b"], [1, "=SUM(A2:A9)"]]}))
    assert "| 1 | =SUM(A2:A9) |" in parsed.text
    assert parsed.notes == (
        "1 cell holds a formula without a result: open it in its program and save it to have the results read.",
    )


@pytest.mark.parametrize(
    ("content", "codec"),
    [("Name;Load\nRed crane;12,5\n\"Blue; old\";9", "utf-8"), ("Name\tLoad\nRed crane\t12,5\nBlue; old\t9", "utf-16"),
     ("sep=|\nName|Load\nRed crane|12,5\nBlue; old|9", "cp1252"),
     ("Name,Load\nRed crane,\"12,5\"\nBlue; old,9", "utf-8-sig")],
)  # fmt: skip
def test_tables_of_text_by_any_sign_and_encoding(
    reader: DocumentReader, tmp_path: Path, content: str, codec: str
) -> None:
    parsed = read(reader, tmp_path, "loads.csv", content.encode(codec))
    assert parsed.text == "| Name | Load |\n| --- | --- |\n| Red crane | 12,5 |\n| Blue; old | 9 |"
    assert (parsed.title, parsed.pages[0].tables) == ("loads", 1)


def test_one_column_is_lines(reader: DocumentReader, tmp_path: Path) -> None:
    parsed = read(reader, tmp_path, "a.csv", b"Red crane\nBlue winch\n")
    assert (parsed.text, parsed.pages[0].tables) == ("Red crane\nBlue winch", 0)


# e-books, e-mails -----------------------------------------------------------------------------


def test_chapters_of_an_e_book_in_reading_order(reader: DocumentReader, tmp_path: Path) -> None:
    parsed = read(reader, tmp_path, "b.epub", epub(["<h1>One</h1><p>First words.</p>", "<h1>Two</h1><p>More.</p>"]))
    assert parsed.title == "The crane book"
    assert [page.text for page in parsed.pages] == ["# One\n\nFirst words.", "# Two\n\nMore."]


def test_a_copy_protected_e_book_is_said(reader: DocumentReader, tmp_path: Path) -> None:
    lock = {"META-INF/encryption.xml": '<encryption><CipherReference URI="OPS/text/c 0.xhtml"/></encryption>'}
    with pytest.raises(DocumentError, match="copy protection") as caught:
        read(reader, tmp_path, "b.epub", epub(["<p>x</p>"], **lock))
    assert caught.value.status == "password"
    font = {"META-INF/encryption.xml": '<encryption><CipherReference URI="OPS/font.otf"/></encryption>'}
    assert read(reader, tmp_path, "c.epub", epub(["<p>Free words</p>"], **font)).text == "Free words"


def test_an_e_mail_has_its_heads_text_and_attachments(reader: DocumentReader, tmp_path: Path) -> None:
    content = mail("The winch\nis tested.", "Prüfung der Winde", [("plan.pdf", b"x" * 3000), ("photo.jpg", b"y")])
    parsed = read(reader, tmp_path, "m.eml", content)
    assert parsed.title == "Prüfung der Winde"
    assert parsed.text == (
        "# Prüfung der Winde\n\nFrom: Bryde Callan <b@example.org>\nTo: all@example.org\n"
        "Date: Mon, 09 Nov 2026 08:00:00 +0000\n\nThe winch\nis tested.\n\n"
        "Attachments: plan.pdf (3 KB), photo.jpg (1 KB)"
    )


def test_an_e_mail_of_markup_alone_and_one_of_a_wrong_encoding(reader: DocumentReader, tmp_path: Path) -> None:
    text = read(reader, tmp_path, "h.eml", mail("", html="<p>Hello <b>you</b></p>")).text
    assert "Hello **you**" in text
    odd = b"Subject: =?utf-8?b?V8OkcmU=?=\nContent-Type: text/plain; charset=no-such\n\nGr\xfc\xdfe\n"
    parsed = read(reader, tmp_path, "o.eml", odd)
    assert (parsed.title, parsed.text) == ("Wäre", "# Wäre\n\nGrüße")


# archives -------------------------------------------------------------------------------------


def unpack(reader: DocumentReader, folder: Path, name: str, content: bytes):
    (folder / name).write_bytes(content)
    return reader.unpack(folder / name, kind_of(name) or "zip", folder / "out")


def test_an_archive_gives_its_documents_with_their_names(reader: DocumentReader, tmp_path: Path) -> None:
    inner = zipped({"deep/note.txt": "Inside two archives."})
    parts = {"a.md": "# A", "folder/b.csv": "x;y", "folder/inner.zip": inner, "photo.png": b"\x89PNG",
             "__MACOSX/a.md": "junk", ".hidden.md": "junk", "folder/": ""}  # fmt: skip
    found = unpack(reader, tmp_path, "all.zip", zipped(parts))
    assert [name for name, _ in found.files] == ["a.md", "folder/b.csv", "folder/inner.zip/deep/note.txt"]
    assert [path.read_text() for _, path in found.files] == ["# A", "x;y", "Inside two archives."]
    assert found.left_out == (("photo.png", "it is no kind of document that RAGTune reads"),)


def test_attachments_are_documents_of_their_own(reader: DocumentReader, tmp_path: Path) -> None:
    content = mail("See attached.", attachments=[("../rules.md", b"# Rules"), ("photo.jpg", b"y")])
    found = unpack(reader, tmp_path, "m.eml", content)
    assert [(name, path.read_bytes()) for name, path in found.files] == [("rules.md", b"# Rules")]
    assert [name for name, _ in found.left_out] == ["photo.jpg"]


def test_hostile_archives_write_nothing_outside(reader: DocumentReader, tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.md")
    link.external_attr = 0o120777 << 16
    file = tmp_path / "evil.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../../up.md", "up")
        archive.writestr("/etc/root.md", "root")
        archive.writestr("C:\\win\\w.md", "w")
        archive.writestr(link, "/etc/passwd")
    found = reader.unpack(file, "zip", tmp_path / "out")
    assert [name for name, _ in found.files] == ["up.md", "etc/root.md", "win/w.md"]
    assert found.left_out == (("link.md", "it is a link to another place"),)
    assert all(path.parent == tmp_path / "out" for _, path in found.files)
    assert {p.name for p in tmp_path.iterdir()} == {"evil.zip", "out"}


@pytest.mark.parametrize(
    ("make", "says"),
    [(lambda: zipped({"a.txt": "0" * (60 * 1024**2)}), "far more than it should"),
     (lambda: zipped({f"{n}.md": "" for n in range(MOST_FILES + 1)}), "more than 5,000 files"),
     (lambda: zipped({"a.md": "text"})[:-40], "damaged"),
     (lambda: zipped({"outer.zip": zipped({"a.txt": "0" * (60 * 1024**2)})}), "far more than it should")],
)  # fmt: skip
def test_bombs_and_broken_archives_are_refused(reader: DocumentReader, tmp_path: Path, make, says: str) -> None:
    with pytest.raises(DocumentError, match=says):
        unpack(reader, tmp_path, "a.zip", make())


def test_archives_in_archives_have_an_end(reader: DocumentReader, tmp_path: Path) -> None:
    content = zipped({"end.md": "x"})
    for _ in range(5):
        content = zipped({"in.zip": content})
    found = unpack(reader, tmp_path, "a.zip", content)
    assert found.files == () and "too often" in found.left_out[0][1]


def test_names_from_archives_are_labels() -> None:
    assert safe_name("..\\..\\a/./b\0.md") == "a/b.md" and len(safe_name("x" * 999)) == 300


def test_a_page_is_drawn(reader: DocumentReader, tmp_path: Path) -> None:
    from io import BytesIO

    from PIL import Image

    file = tmp_path / "a.pdf"
    file.write_bytes(pdf_of(lambda canvas, n: canvas.rect(0, 0, 595, 842, fill=n % 2), 2))
    first, second = (Image.open(BytesIO(reader.picture(file, n, 300))) for n in (1, 2))
    assert first.size == (300, 425)
    assert first.getpixel((150, 200)) < (20, 20, 20) and second.getpixel((150, 200)) > (240, 240, 240)
    with pytest.raises(DocumentError, match="page is damaged"):
        reader.picture(file, 3, 300)
