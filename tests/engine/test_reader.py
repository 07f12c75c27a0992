"""Reader: the sample, each format's traps, and hostile files that must become one row each."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragtune_ui.domain.documents import Parsed, kind_of
from ragtune_ui.domain.errors import DocumentError, Stopped
from ragtune_ui.domain.passages import find_span
from ragtune_ui.engine import parsing
from ragtune_ui.engine.reader import DocumentReader

OLD = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600  # how an OLE file starts
SAMPLE = Path(__file__).resolve().parents[2] / "assets" / "sample"


@pytest.fixture(scope="module")
def reader() -> Iterator[DocumentReader]:
    reader = DocumentReader(file_limit=5 * 1024**2)
    yield reader
    reader.close()


def read(reader: DocumentReader, folder: Path, name: str, content: bytes) -> Parsed:
    file = folder / name
    file.write_bytes(content)
    return reader.read(file, kind_of(name) or "text")


def failure(reader: DocumentReader, folder: Path, name: str, content: bytes) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        read(reader, folder, name, content)
    assert caught.value.sentence.startswith(("It ", "The file ", "Reading it "))
    assert caught.value.remedy
    assert str(folder) not in caught.value.sentence + caught.value.details
    return caught.value


def pdf(*pages: str | None, password: str = "") -> bytes:
    """A PDF with a line of text a page; None draws a picture instead, "" leaves the page blank."""
    from PIL import Image
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    target = io.BytesIO()
    canvas = Canvas(target, encrypt=StandardEncryption(password) if password else None)
    picture = ImageReader(Image.new("RGB", (40, 40), "grey"))
    for text in pages:
        if text is None:
            canvas.drawImage(picture, 0, 0, 400, 600)
        elif text:
            for n, line in enumerate(text.splitlines()):
                canvas.drawString(72, 700 - 30 * n, line)
        canvas.showPage()
    canvas.save()
    return target.getvalue()


def docx(text: str = "The winch is tested on Monday.", **parts: str) -> bytes:
    from docx import Document

    document = Document()
    document.add_heading("Winch rules", level=1)
    document.add_paragraph(text)
    target = io.BytesIO()
    document.save(target)
    if parts:
        with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
    return target.getvalue()


def test_every_sample_document_holds_its_evidence(reader: DocumentReader) -> None:
    texts = {f.name: reader.read(f, kind_of(f.name) or "") for f in sorted((SAMPLE / "documents").iterdir())}
    rows = [json.loads(line) for line in (SAMPLE / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
    proven = [row for row in rows if row["evidence"]]
    missing = [row["id"] for row in proven if find_span(texts[row["source"]].text, row["evidence"]) is None]
    assert len(proven) == 160
    assert missing == []


def test_pdf_has_its_pages_headings_lists_and_tables(reader: DocumentReader) -> None:
    parsed = reader.read(SAMPLE / "documents" / "drive-winch.pdf", "pdf")
    assert parsed.title == "Drive Winch of the Lantern Maid"
    assert [page.number for page in parsed.pages] == [1, 2, 3]
    assert parsed.pages[0].text.startswith("# Drive Winch of the Lantern Maid\n\n## What the drive winch is\n")
    assert "\n1. Push the holding pin" in parsed.pages[2].text
    assert "| W-11 | Pull too high |" in parsed.pages[2].text
    assert "- page 2" not in parsed.text  # the running footer


def test_html_loses_navigation_footer_and_front_matter(reader: DocumentReader) -> None:
    parsed = reader.read(SAMPLE / "documents" / "drills-and-rescue.html", "html")
    assert parsed.title == "Drills and the Rescue Boat"
    assert parsed.text.startswith("# Drills and the Rescue Boat")
    assert "Log out" not in parsed.text
    assert "out of date" not in parsed.text
    assert "1. The person who sees the fall" in parsed.text


def test_html_in_its_declared_encoding(reader: DocumentReader, tmp_path: Path) -> None:
    page = '<html><head><meta charset="iso-8859-1"><title>Übersicht</title></head><body><p>Grüße</p></body></html>'
    parsed = read(reader, tmp_path, "a.html", page.encode("latin-1"))
    assert (parsed.title, parsed.text) == ("Übersicht", "Grüße")


def test_docx_has_headings_and_one_page(reader: DocumentReader) -> None:
    parsed = reader.read(SAMPLE / "documents" / "guide-cables.docx", "docx")
    assert parsed.title == "Cables and Anchor Blocks"
    assert len(parsed.pages) == 1
    assert "\n## Fortnightly inspection\n" in parsed.text
    assert "\n- a spare handset" in parsed.text


def test_markdown_front_matter_gives_the_title_and_goes(reader: DocumentReader, tmp_path: Path) -> None:
    source = '---\ntitle: "Leave: how to"\ntags: [a]\n---\n# Heading\n\nText  with *marks*.\n\n| a | b |\n|---|---|\n'
    parsed = read(reader, tmp_path, "leave.md", source.encode())
    assert parsed.title == "Leave: how to"
    assert parsed.text == "# Heading\n\nText  with *marks*.\n\n| a | b |\n|---|---|"


def test_a_rule_at_the_top_is_no_front_matter(reader: DocumentReader, tmp_path: Path) -> None:
    parsed = read(reader, tmp_path, "a.md", b"---\n\nJust a paragraph, and a line.\n\n---\n\nMore.")
    assert "Just a paragraph" in parsed.text
    assert "More." in parsed.text


def test_pictures_go_and_their_captions_stay(reader: DocumentReader, tmp_path: Path) -> None:
    source = b'# T\n\nSee ![the plan](https://example.org/x.png) and <img src="http://example.org/y.gif"> [link](https://e.org).'
    parsed = read(reader, tmp_path, "a.md", source)
    assert parsed.text == "# T\n\nSee the plan and  [link](https://e.org)."


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_text_in_any_usual_encoding(reader: DocumentReader, tmp_path: Path, codec: str) -> None:
    parsed = read(reader, tmp_path, "notes.txt", "Prüfung – 12 €\r\nzweite Zeile".encode(codec))
    assert parsed.text == "Prüfung – 12 €\nzweite Zeile"
    assert parsed.title == "notes"


@pytest.mark.parametrize("name", ["notes.txt", "notes.md", "notes.csv", "notes.html"])
def test_a_damaged_place_spoils_no_other(reader: DocumentReader, tmp_path: Path, name: str) -> None:
    lines = "<p>Die Prüfung der größeren Körbe: Öl, Ketten, Bügel – alles geprüft für März.</p>\n" * 3
    parsed = read(reader, tmp_path, name, lines.encode().replace(b"Kette", b"K\xe9tte", 1))
    assert parsed.text.count("Prüfung der größeren Körbe") == 3 and "K\ufffdtten" in parsed.text
    assert parsed.notes == (
        "1 damaged place in it shows as \ufffd: what stood there is lost. "
        "If it matters, save the file again from its own program.",
    )


@pytest.mark.parametrize("codec", ["cp1252", "cp1251", "shift_jis", "gb18030", "big5", "euc_kr"])
def test_older_encodings_are_not_taken_for_damage(codec: str) -> None:
    from ragtune_ui.engine.reading.text import told

    text = {
        "cp1252": "GRÖSSE „ÄÖ“ – Größe und Maß, 12 € für Öl; café à la crème.",
        "cp1251": "Тормоза проверяют в понедельник утром, а кран стоит.",
        "shift_jis": "ブレーキは月曜日に試験されます。クレーンは動きません。",
        "gb18030": "刹车在星期一的早上测试，这是一个规定，大的吊车不动。",
        "big5": "煞車在星期一的早上測試，這是一個規定，大的吊車不動。",
        "euc_kr": "브레이크는 월요일 아침에 시험합니다. 크레인은 서 있습니다.",
    }[codec]
    assert told(text.encode(codec)) == (text, [])


def test_partly_scanned_pdf_keeps_its_pages_and_says_so(reader: DocumentReader, tmp_path: Path) -> None:
    line = "This page holds enough text to be a page of text."
    parsed = read(reader, tmp_path, "part.pdf", pdf(line, None, "", line))
    assert [bool(page.text) for page in parsed.pages] == [True, False, False, True]
    assert parsed.notes == ("1 of 4 pages is a picture without text: 2.",)


@pytest.mark.parametrize(
    ("name", "make", "status", "says"),
    [
        ("zero.md", lambda: b"", "empty", "empty"),
        ("blank.txt", lambda: b" \n\t\n", "empty", "empty"),
        ("only-title.md", lambda: b"---\ntitle: x\n---\n", "empty", "no text"),
        ("blank.pdf", lambda: pdf("", ""), "empty", "no text"),
        ("locked.pdf", lambda: pdf("secret words", password="x"), "password", "password-protected"),
        ("scan.pdf", lambda: pdf(None, None), "scanned", "pictures of text"),
        ("cut.pdf", lambda: pdf("Some words on a page.")[:500], "unreadable", "damaged"),
        ("fake.pdf", lambda: b"%PDF-1.7\n" + b"nothing here " * 40, "unreadable", "damaged"),
        ("words.pdf", lambda: b"only words", "unreadable", "named like a PDF"),
        ("cut.docx", lambda: docx()[:3000], "unreadable", "damaged"),
        ("locked.docx", lambda: OLD + "EncryptedPackage".encode("utf-16-le"), "password", "password-protected"),
        ("old.docx", lambda: OLD, "unsupported", "old Word"),
        ("noise.txt", lambda: bytes(range(256)) * 20, "unreadable", "not a text file"),
        ("picture.txt", lambda: b"\x89PNG\r\n\x1a\n" + b"\x00" * 50, "unsupported", "a picture"),
        ("large.txt", lambda: b"word " * 1_200_000, "too large", "limit is 5 MB"),
    ],
)  # fmt: skip
def test_a_file_without_text_says_why(
    reader: DocumentReader, tmp_path: Path, name: str, make, status: str, says: str
) -> None:
    error = failure(reader, tmp_path, name, make())
    assert error.status == status
    assert says in str(error)


def test_a_missing_file_says_so(reader: DocumentReader, tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be opened"):
        reader.read(tmp_path / "gone.pdf", "pdf")


def test_wrong_endings_are_read_as_what_the_file_is(reader: DocumentReader, tmp_path: Path) -> None:
    as_text = read(reader, tmp_path, "report.txt", pdf("Words of a page, long enough to count."))
    assert as_text.text.startswith("Words of a page")
    assert as_text.notes == ("Its name says plain text, but it is a PDF; it was read as a PDF.",)
    assert "Monday" in read(reader, tmp_path, "report.pdf", docx()).text
    assert read(reader, tmp_path, "page.txt", b"<!DOCTYPE html><title>T</title><p>Hello you</p>").text == "Hello you"
    sheet = io.BytesIO()
    with zipfile.ZipFile(sheet, "w") as archive:
        archive.writestr("xl/workbook.bin", "x")
    assert failure(reader, tmp_path, "sheet.docx", sheet.getvalue()).status == "unsupported"


def test_word_bombs_and_entities_are_refused(reader: DocumentReader, tmp_path: Path) -> None:
    bomb = docx(**{"word/media/x.bin": "0" * (210 * 1024**2)})
    assert len(bomb) < 1024**2
    assert failure(reader, tmp_path, "bomb.docx", bomb).status == "too large"
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>')
    assert "instructions" in str(failure(reader, tmp_path, "entity.docx", target.getvalue()))


def test_a_time_out_ends_one_file_and_not_the_reader(tmp_path: Path) -> None:
    reader = DocumentReader(seconds=0.0)
    try:
        assert "longer than" in str(failure(reader, tmp_path, "slow.pdf", pdf("Words")))
        reader._seconds = 60
        assert "Words of" in read(reader, tmp_path, "again.pdf", pdf("Words of a page, long enough to count.")).text
    finally:
        reader.close()


def test_a_stop_ends_the_reading_and_not_the_reader(tmp_path: Path) -> None:
    def stop(done: int, total: int, note: str) -> None:
        raise Stopped("Stopped.")

    file = tmp_path / "slow.csv"
    file.write_text("a;b;c;d\n" * 240_000)  # a second or more of work
    reader = DocumentReader()
    try:
        with pytest.raises(Stopped):
            reader.read(file, "csv", progress=stop)
        assert "Words" in read(reader, tmp_path, "again.txt", b"Words of a page").text
    finally:
        reader.close()


def test_a_dead_child_is_one_error_and_then_replaced(tmp_path: Path) -> None:
    reader = DocumentReader(renew_after=2)
    try:
        assert read(reader, tmp_path, "a.md", b"First words here").text
        first = reader._child
        assert first is not None
        first.kill()
        first.wait()
        assert read(reader, tmp_path, "b.md", b"Second words here").text == "Second words here"
        second = reader._child
        assert second is not None and second.pid != first.pid
        assert read(reader, tmp_path, "c.md", b"Third words here").text
        assert reader._child is None  # two files served
    finally:
        reader.close()


def test_the_child_ends_when_its_pipe_closes(tmp_path: Path) -> None:
    reader = DocumentReader()
    read(reader, tmp_path, "a.md", b"Some words here")
    child = reader._child
    assert child is not None and child.stdin is not None
    child.stdin.close()
    assert child.wait(timeout=10) == 0
    reader.close()


def test_the_child_is_limited_and_sees_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setenv("SOME_TOKEN", "hush")
    reader = DocumentReader()
    try:
        read(reader, tmp_path, "a.md", b"Some words here")
        child = reader._child
        assert child is not None
        if not hasattr(resource, "prlimit"):
            pytest.skip("limits of another process can be read on Linux only")
        assert resource.prlimit(child.pid, resource.RLIMIT_AS)[0] == parsing.MEMORY
        assert resource.prlimit(child.pid, resource.RLIMIT_NOFILE)[0] == parsing.OPEN_FILES
        assert 0 < resource.prlimit(child.pid, resource.RLIMIT_CPU)[0] < 120
        assert b"SOME_TOKEN" not in Path(f"/proc/{child.pid}/environ").read_bytes()
    finally:
        reader.close()
