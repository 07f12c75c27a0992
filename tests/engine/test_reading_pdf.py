"""PDF reading: columns in order, tables as tables, headings by size, headers off, words whole, pages upright."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragtune_ui.engine.reading.found import Problem
from ragtune_ui.engine.reading.pdf import read_pdf
from tests.engine.makers import PROSE, flowing, pdf_file, pdf_of

ROWS = [["Part", "Part code", "Kept in stock"], ["Return filter", "RF-88", "4"], ["Breather cap", "BC-17", "6"],
        ["Jib cylinder seal set", "JS-52", "2"]]  # fmt: skip
MARKED = "| Part | Part code | Kept in stock |\n| --- | --- | --- |\n| Return filter | RF-88 | 4 |\n"


def found(folder: Path, content: bytes, **more: bool):
    file = folder / "a.pdf"
    file.write_bytes(content)
    return read_pdf(file, **more)


def paragraph(canvas, text: str, x: float, y: float, width: float, size: float = 10) -> float:
    """Draw wrapped lines; returns where the next line would stand."""
    from reportlab.lib.utils import simpleSplit

    canvas.setFont("Helvetica", size)
    for line in simpleSplit(text, "Helvetica", size, width):
        canvas.drawString(x, y, line)
        y -= 1.2 * size
    return y


def styles():
    from reportlab.lib.styles import getSampleStyleSheet

    return getSampleStyleSheet()


def test_two_columns_are_read_one_after_the_other(tmp_path: Path) -> None:
    left, right = "Left column. " + PROSE * 3, "Right column. " + PROSE * 3

    def draw(canvas, _) -> None:
        canvas.setFont("Helvetica-Bold", 18)
        canvas.drawString(60, 780, "A title over both columns of the page")
        paragraph(canvas, right, 310, 740, 220)  # the order of the file is not the order of reading
        paragraph(canvas, left, 60, 740, 220)

    sheet = found(tmp_path, pdf_of(draw)).sheets[0]
    assert sheet.columns == 2 and sheet.tables == 0
    assert sheet.text == f"# A title over both columns of the page\n\n{left.strip()}\n\n{right.strip()}"


def test_columns_written_row_by_row_are_read_one_after_the_other(tmp_path: Path) -> None:
    from reportlab.lib.utils import simpleSplit

    left, right = "Left column. " + PROSE * 3, "Right column. " + PROSE * 3
    pairs = zip(*(simpleSplit(t, "Helvetica", 10, 220) for t in (left, right)), strict=False)

    def draw(canvas, _) -> None:
        canvas.setFont("Helvetica", 10)
        for n, (a, b) in enumerate(pairs):
            canvas.drawString(60, 740 - 12 * n, a)
            canvas.drawString(310, 740 - 12 * n, b)

    sheet = found(tmp_path, pdf_of(draw)).sheets[0]
    assert (sheet.columns, sheet.tables) == (2, 0)
    assert sheet.text.startswith("Left column. The harbour master") and "\n\nRight column. The" in sheet.text
    assert "beside the barometer in the upper office" in sheet.text.split("Right column")[0]


def test_three_columns(tmp_path: Path) -> None:
    def draw(canvas, _) -> None:
        for n, name in enumerate(["First", "Second", "Third"]):
            paragraph(canvas, f"{name} column. " + PROSE * 2, 40 + 180 * n, 740, 150)

    sheet = found(tmp_path, pdf_of(draw)).sheets[0]
    places = [sheet.text.index(f"{name} column") for name in ("First", "Second", "Third")]
    assert sheet.columns == 3 and places == sorted(places)
    assert sheet.text.count("Nobody else may change an entry once it is dry.") == 6


@pytest.mark.parametrize("ruled", [True, False])
def test_tables_stay_tables_ruled_or_not(tmp_path: Path, ruled: bool) -> None:
    from reportlab.lib import colors
    from reportlab.platypus import Paragraph, Table, TableStyle

    table = Table(ROWS)
    if ruled:
        table.setStyle(TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)]))
    body = styles()["BodyText"]
    sheet = found(tmp_path, flowing([Paragraph(PROSE, body), table, Paragraph("After the table.", body)])).sheets[0]
    assert sheet.tables == 1
    assert sheet.text.startswith("The harbour master") and sheet.text.endswith("After the table.")
    assert MARKED in sheet.text


def test_cells_of_several_lines_stay_one_cell(tmp_path: Path) -> None:
    from reportlab.lib import colors
    from reportlab.platypus import Paragraph, Table, TableStyle

    body = styles()["BodyText"]
    cells = [
        ["Code", "What to do"],
        ["W-11", Paragraph(PROSE, body)],
        ["W-14 | hot", Paragraph("Check the fan.", body)],
    ]
    table = Table(cells, colWidths=[80, 200], style=TableStyle([("GRID", (0, 0), (-1, -1), 0.5, colors.black)]))
    sheet = found(tmp_path, flowing([table])).sheets[0]
    assert sheet.text == (
        f"| Code | What to do |\n| --- | --- |\n| W-11 | {PROSE.strip()} |\n| W-14 \\| hot | Check the fan. |"
    )


def test_headings_by_size_and_by_weight(tmp_path: Path) -> None:
    from reportlab.platypus import Paragraph

    s = styles()
    story = [Paragraph("The title", s["Title"]), Paragraph("A chapter", s["Heading1"]), Paragraph(PROSE, s["BodyText"]),
             Paragraph("<b>A small heading</b>", s["BodyText"]), Paragraph(PROSE, s["BodyText"]),
             Paragraph("Another chapter", s["Heading1"]), Paragraph(PROSE, s["BodyText"])]  # fmt: skip
    lines = found(tmp_path, flowing(story)).sheets[0].text.split("\n\n")
    assert lines[:2] == ["# The title", "# A chapter"] or lines[:2] == ["# The title", "## A chapter"]
    level = lines[1].split(" ")[0]
    assert lines[3] == f"{level}# A small heading" and lines[5] == f"{level} Another chapter"
    assert lines[2] == PROSE.strip()


def test_headers_and_footers_go_are_told_and_may_be_kept(tmp_path: Path) -> None:
    def draw(canvas, number: int) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(60, 810, "Crane handbook" if number % 2 else "Third edition, 2026")
        canvas.drawString(280, 30, f"Page {number} of 6")
        paragraph(canvas, f"Text number {number}. " + PROSE, 60, 740, 400)

    content = pdf_of(draw, 6)
    read = found(tmp_path, content)
    assert all(s.text == f"Text number {n}. {PROSE.strip()}" for n, s in enumerate(read.sheets, start=1))
    assert read.repeated == {"Crane handbook": 3, "Third edition, 2026": 3, "Page 1 of 6": 6}
    kept = found(tmp_path, content, keep_repeated=True)
    assert kept.sheets[0].text.startswith("Crane handbook\n\nText number 1.")
    assert kept.sheets[5].text.endswith("Page 6 of 6") and kept.repeated == read.repeated


def test_chapter_headings_are_no_running_header(tmp_path: Path) -> None:
    def draw(canvas, number: int) -> None:
        canvas.setFont("Helvetica", 20)
        canvas.drawString(60, 780, f"Chapter {number}")
        paragraph(canvas, PROSE * 2, 60, 740, 400)

    read = found(tmp_path, pdf_of(draw, 5))
    assert [s.text.split("\n")[0] for s in read.sheets] == [f"# Chapter {n}" for n in range(1, 6)]
    assert read.repeated == {}


def test_a_page_that_says_nothing_but_its_header_keeps_it(tmp_path: Path) -> None:
    def draw(canvas, number: int) -> None:
        canvas.setFont("Helvetica", 10)
        canvas.drawString(60, 810, "Form for the yearly survey of the hull")
        if number != 2:
            paragraph(canvas, PROSE, 60, 740, 400)

    assert found(tmp_path, pdf_of(draw, 4)).sheets[1].text == "Form for the yearly survey of the hull"


def test_words_parted_at_the_line_end_are_whole_again(tmp_path: Path) -> None:
    lines = [
        "The Lantern Maid has a well-known safety record, and its main-",
        "tenance is done by the crew of the well-",
        "known yard in Pinder's Cove, which is paid by the muni-",
        "cipality.",
    ]

    def draw(canvas, _) -> None:
        for n, line in enumerate(lines):
            canvas.drawString(60, 740 - 14 * n, line)

    text = found(tmp_path, pdf_of(draw)).sheets[0].text
    assert "its maintenance is done" in text and "municipality." in text
    assert text.count("well-known") == 2


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_turned_pages_are_read_upright(tmp_path: Path, degrees: int) -> None:
    def draw(canvas, _) -> None:
        canvas.translate(300, 400)
        canvas.rotate(degrees)
        paragraph(canvas, "First sentence. " + PROSE, -250, 100, 400)
        paragraph(canvas, "Last paragraph of the page.", -250, 0, 400)

    text = found(tmp_path, pdf_of(draw)).sheets[0].text
    assert text == f"First sentence. {PROSE.strip()}\n\nLast paragraph of the page."


def test_words_along_the_margin_do_not_cut_the_text(tmp_path: Path) -> None:
    def draw(canvas, _) -> None:
        paragraph(canvas, PROSE * 2, 100, 740, 400)
        canvas.translate(40, 500)
        canvas.rotate(90)
        canvas.setFont("Helvetica", 20)
        canvas.drawString(0, 0, "arXiv:1601.03642v1")

    text = found(tmp_path, pdf_of(draw)).sheets[0].text
    assert text.startswith((PROSE * 2).strip()) and text.endswith("arXiv:1601.03642v1") and "#" not in text


def test_lists_keep_their_items_and_addresses_their_lines(tmp_path: Path) -> None:
    lines = [
        "Push these in order:",
        "1. The holding pin, with care",
        "2. The winch key",
        "• The lamp",
        "",
        "Harbour Office",
        "Quay 4",
        "Orrelmouth",
    ]

    def draw(canvas, _) -> None:
        paragraph(canvas, PROSE, 60, 780, 470, 12)
        for n, line in enumerate(lines):
            canvas.drawString(60, 700 - 14.4 * n, line)

    text = found(tmp_path, pdf_of(draw)).sheets[0].text
    assert "Push these in order:\n\n1. The holding pin, with care\n2. The winch key" in text
    assert "- The lamp" in text and text.endswith("Harbour Office\nQuay 4\nOrrelmouth")


def test_scanned_pages_are_named_and_a_scan_is_a_problem(tmp_path: Path) -> None:
    def draw(canvas, number: int) -> None:
        if number == 1:
            paragraph(canvas, PROSE, 60, 700, 400)
        else:
            canvas.rect(60, 60, 400, 600, fill=1)

    read = found(tmp_path, pdf_of(draw, 2))
    assert [s.state for s in read.sheets] == ["", "picture"]
    assert read.notes == ["1 of 2 pages is a picture without text: 2."]
    with pytest.raises(Problem) as caught:
        found(tmp_path, pdf_of(lambda canvas, _: canvas.rect(60, 60, 400, 600, fill=1), 3))
    assert (caught.value.status, caught.value.pages) == ("scanned", 3)


def test_long_documents_are_read_in_parts_with_the_true_numbers(tmp_path: Path, monkeypatch) -> None:
    from ragtune_ui.engine.reading import pdf

    monkeypatch.setattr(pdf, "AT_ONCE", 4)
    monkeypatch.setattr(pdf, "MOST_PAGES", 10)
    content = pdf_of(
        lambda canvas, n: canvas.drawString(60, 700, f"This is the text of sheet {'abcdefghij'[n - 1]}."), 10
    )
    assert [s.text[-2] for s in found(tmp_path, content).sheets] == list("abcdefghij")
    monkeypatch.setattr(pdf, "MOST_PAGES", 9)
    with pytest.raises(Problem, match="10 pages; the limit is 9"):
        found(tmp_path, content)


def form(fields: bytes, *parts: bytes, content: bytes = b"", catalog: bytes = b"/AcroForm<</Fields[%s]>>") -> bytes:
    """A PDF of one page, written by hand: ``parts`` are objects from 6 on, ``fields`` refers to them."""
    objects = [b"<</Type/Catalog/Pages 2 0 R%s>>" % (catalog % fields if b"%s" in catalog else catalog),
               b"<</Type/Pages/Count 1/Kids[5 0 R]>>", b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
               b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
               b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 3 0 R/Resources<</Font<</F 4 0 R>>>>"
               b"/Annots[%s]>>" % fields, *parts]  # fmt: skip
    return pdf_file(objects)


PRINTED = b"BT /F 12 Tf 60 700 Td (Name of the master:) Tj ET BT /F 12 Tf 60 660 Td (Load in tonnes:) Tj ET"
WIDGET = b"<</Type/Annot/Subtype/Widget/FT/Tx/T(%s)/V(%s)/F %d/Rect[200 %d 400 %d]>>"


@pytest.mark.parametrize("catalog", [b"/AcroForm<</Fields[%s]>>", b""])  # a page taken out of a form has none
def test_what_is_filled_into_a_form_stands_by_what_is_printed(tmp_path: Path, catalog: bytes) -> None:
    fields = [WIDGET % (b"load", b"12.5", 4, 655, 675), WIDGET % (b"master", b"Bryde Callan", 4, 695, 715),
              WIDGET % (b"hidden", b"No word", 2, 755, 775),
              b"<</Type/Annot/Subtype/FreeText/F 4/Contents(Ask the yard\\rfirst)/Rect[60 590 260 620]>>",
              b"<</Type/Annot/Subtype/Text/Contents(A note on paper)/Rect[300 300 320 320]>>"]  # fmt: skip
    content = form(b"6 0 R 7 0 R 8 0 R 9 0 R 10 0 R", *fields, content=PRINTED, catalog=catalog)
    read = found(tmp_path, content)
    assert read.sheets[0].text == ("Name of the master: Bryde Callan\n\nLoad in tonnes: 12.5\n\nAsk the yard\nfirst")
    assert (read.sheets[0].state, read.notes) == ("", [])


def test_boxes_choices_and_long_fields_of_a_form(tmp_path: Path) -> None:
    def draw(canvas, _) -> None:
        fields = canvas.acroForm
        canvas.drawString(60, 690, "Remarks:")
        fields.textfield(
            name="r", x=200, y=620, width=200, height=80, value="Oil low.\nBelt worn.", fieldFlags="multiline"
        )
        for n, (name, ticked) in enumerate([("Crane was tested.", True), ("Winch was tested.", False)]):
            canvas.drawString(90, 590 - 25 * n, name)
            fields.checkbox(name=name, x=60, y=586 - 25 * n, size=16, checked=ticked)
        canvas.drawString(60, 530, "Yard:")
        fields.choice(name="y", x=200, y=523, width=120, height=20, value="Pinder", options=["Orrel", "Pinder"])
        canvas.drawString(60, 500, "Word:")
        fields.textfield(name="p", x=200, y=493, width=120, height=20, value="secret", fieldFlags="password")
        canvas.drawString(60, 470, "Shift:")
        for n, name in enumerate(("early", "late")):
            canvas.drawString(220 + 80 * n, 470, name)
            fields.radio(name="s", value=name, x=200 + 80 * n, y=466, selected=name == "late", size=16)

    text = " ".join(found(tmp_path, pdf_of(draw)).sheets[0].text.split())
    assert text == (
        "Remarks: Oil low. Belt worn. ☒ Crane was tested. Winch was tested. Yard: Pinder Word: Shift: early ☒ late"
    )


def test_fields_of_a_ruled_table_stand_in_its_cells(tmp_path: Path) -> None:
    def draw(canvas, _) -> None:
        for y in (700, 670, 640):
            canvas.line(60, y, 360, y)
        for x in (60, 160, 260, 360):
            canvas.line(x, 640, x, 700)
        for n, name in enumerate(("Part", "Stock", "Checked")):
            canvas.drawString(65 + 100 * n, 680, name)
            canvas.acroForm.textfield(
                name=name, x=162 + 100 * (n - 1), y=642, width=90, height=26, value=["Filter", "4", "Monday"][n]
            )

    sheet = found(tmp_path, pdf_of(draw)).sheets[0]
    assert sheet.text == "| Part | Stock | Checked |\n| --- | --- | --- |\n| Filter | 4 | Monday |"


def test_a_scan_that_is_filled_in_is_a_scan_all_the_same(tmp_path: Path) -> None:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    value = "Bryde Callan has tested this winch on Monday with a load of twelve tonnes"

    def draw(canvas, _) -> None:
        canvas.drawImage(ImageReader(Image.new("RGB", (20, 28), "grey")), 0, 0, 595, 842)
        canvas.acroForm.textfield(name="m", x=200, y=713, width=200, height=20, value=value)

    sheet = found(tmp_path, pdf_of(draw)).sheets[0]
    assert (sheet.state, sheet.text) == ("picture", value)


def test_a_drawing_with_a_remark_is_text(tmp_path: Path) -> None:
    words = "The winch stands here and is tested on Monday"
    remark = b"<</Type/Annot/Subtype/FreeText/F 4/Contents(%s)/Rect[60 600 260 620]>>" % words.encode()
    read = found(tmp_path, form(b"6 0 R", remark, content=b"60 60 400 600 re S", catalog=b""))
    assert (read.sheets[0].state, read.sheets[0].text) == ("", words)
