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


def test_numbers_keep_the_digits_of_their_cells(reader: DocumentReader, tmp_path: Path) -> None:
    said = {123456789.25: "123456789.25", 12345678901.5: "12345678901.5", 0.1 + 0.2: "0.3", 2.5: "2.5",
            0.00001: "0.00001", -1234567890123.45: "-1234567890123.45", 3e20: "300000000000000000000",
            6.02e23: "6.02e+23"}  # fmt: skip
    rows = [["Name", "Number"], *(["x", number] for number in said)]
    table = read(reader, tmp_path, "n.xlsx", xlsx({"All": rows})).text
    assert [line.split(" | ")[1].rstrip(" |") for line in table.splitlines()[4:]] == list(said.values())


def test_the_last_columns_of_a_wide_sheet_are_read(reader: DocumentReader, tmp_path: Path) -> None:
    rows = [[f"Day {n}" for n in range(1, 601)], [n * 2 for n in range(1, 601)]]
    lines = read(reader, tmp_path, "wide.xlsx", xlsx({"Days": rows})).text.splitlines()
    assert lines[2].endswith("| Day 600 |") and lines[4].endswith("| 1198 | 1200 |")


def test_far_cells_of_an_empty_sheet_cost_nothing(reader: DocumentReader, tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    page = book.active
    page["A1"], page["XFD1048576"], page.title = "near", "far", "Plan"
    for row in range(2, 102):  # a hundred rows of all columns are more than a million places
        page.cell(row, 1).value, page.cell(row, 16_384).value = "left", row
    book.save(tmp_path / "far.xlsx")
    parsed = reader.read(tmp_path / "far.xlsx", "xlsx")
    assert parsed.text.startswith("## Plan\n\n| near |  |\n| --- | --- |\n| left | 2 |") and "|  | far |" in parsed.text


def test_a_table_too_wide_and_too_long_is_refused() -> None:
    from ragtune_ui.engine.reading.found import Problem
    from ragtune_ui.engine.reading.sheets import _packed

    with pytest.raises(Problem, match="too wide and too long"):
        _packed([{n: "x"} for n in range(5_000)])


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


def boxed(kind: str, *parts: str) -> str:
    """A part of a mail that holds others."""
    mark = f"mark-{kind}-{len(parts)}-{sum(map(len, parts))}"
    inner = "".join(f"--{mark}\n{part}\n" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{mark}"\n\n{inner}--{mark}--\n'


PLAIN, PAGE = "Content-Type: text/plain\n\n{}\n", "Content-Type: text/html\n\n<p>{}</p>\n"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [(boxed("mixed", PAGE.format("The body."), PLAIN.format("The footer.")), "The body.\n\nThe footer."),
     (boxed("alternative", PLAIN.format("Only this."), PAGE.format("Not that.")), "Only this."),
     (boxed("alternative", PLAIN.format(" "), PAGE.format("Then that.")), "Then that."),
     (boxed("alternative", PLAIN.format("Plain."), boxed("related", PAGE.format("Page."))), "Plain."),
     (boxed("mixed", boxed("alternative", PLAIN.format("First."), PAGE.format("Again.")), PAGE.format("Second."),
            boxed("related", PAGE.format("Third."))), "First.\n\nSecond.\n\nThird.")],
)  # fmt: skip
def test_an_e_mail_says_all_of_its_parts_and_one_of_those_that_say_the_same(
    reader: DocumentReader, tmp_path: Path, body: str, wanted: str
) -> None:
    assert read(reader, tmp_path, "m.eml", f"Subject: x\n{body}".encode()).text == f"# x\n\n{wanted}"


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


def forwarded(levels: int) -> bytes:
    """A mail in a mail, as mail programs forward them: not as a file with a name but as a message."""
    from email.message import EmailMessage

    inner: EmailMessage | None = None
    for level in range(levels, 0, -1):
        message = EmailMessage()
        message["Subject"], message["From"] = f"Level {level}", "a@example.org"
        message.set_content(f"This is level {level}.")
        message.add_attachment(f"# File {level}".encode(), maintype="text", subtype="markdown", filename=f"f{level}.md")
        if inner is not None:
            message.add_attachment(inner)
        inner = message
    assert inner is not None
    return inner.as_bytes()


def test_an_attached_e_mail_comes_out_whole_and_once(reader: DocumentReader, tmp_path: Path) -> None:
    content = forwarded(5)
    found = unpack(reader, tmp_path, "m.eml", content)
    assert [name for name, _ in found.files] == ["f1.md", "Level 2.eml"]
    inside = reader.unpack(found.files[1][1], "mail", tmp_path / "deeper")
    assert [name for name, _ in inside.files] == ["f2.md", "Level 3.eml"]
    text = read(reader, tmp_path, "n.eml", content).text
    assert "f1.md (1 KB), Level 2.eml" in text and "f2.md" not in text and "level 2" not in text


def test_e_mails_packed_too_deep_are_left_out_in_words(reader: DocumentReader, tmp_path: Path) -> None:
    content = f"Subject: deepest\n\n{'x' * 40}\n".encode()
    for level in range(400):
        content = b"Subject: level %d\nContent-Type: message/rfc822\n\n" % level + content
    content = b"Subject: top\n" + boxed("mixed", PLAIN.format("Words."), "PLACE").encode().replace(
        b"PLACE", b"Content-Type: message/rfc822\n\n" + content
    )
    assert "Words." in read(reader, tmp_path, "m.eml", content).text
    found = unpack(reader, tmp_path, "m.eml", content)
    assert len(found.files) + len(found.left_out) == 1
    assert all("too often" in why for _, why in found.left_out)


def test_attachments_have_a_limit_and_a_bad_archive_loses_no_other(reader: DocumentReader, tmp_path: Path) -> None:
    bomb, many = zipped({"a.txt": "0" * (60 * 1024**2)}), zipped({f"{n}.md": "" for n in range(MOST_FILES + 1)})
    attached = [("bomb.zip", bomb), ("many.zip", many), ("good.md", b"# Good"), ("cut.zip", bomb[:-40])]
    found = unpack(reader, tmp_path, "m.eml", mail("See attached.", attachments=attached))
    assert [name for name, _ in found.files] == ["good.md"]
    assert found.left_out == (
        ("bomb.zip", "the archive unpacks to far more than it should"),
        ("many.zip", "the archive holds more than 5,000 files"),
        ("cut.zip", "the archive is damaged or incomplete"),
    )
    named = "Content-Type: text/plain; name=a.md\n\nx\n"
    content = f"Subject: x\n{boxed('mixed', *[named] * (MOST_FILES + 2))}".encode()
    found = unpack(reader, tmp_path, "n.eml", content)
    assert len(found.files) == MOST_FILES and "more than 5,000 files" in found.left_out[0][1]


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
