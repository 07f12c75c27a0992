"""The opened document: report, original beside text, pages turned; and what a new version touches."""

from __future__ import annotations

from ragtune_ui.domain.changes import Impact
from ragtune_ui.domain.documents import Repeated
from ragtune_ui.domain.reports import PageReport, Report
from ragtune_ui.studio.reports import Alike, Findings
from ragtune_ui.ui import document_drawer as view
from tests.domain.makers import chunk, document, question
from tests.ui.pages import HOSTILE, clean


def findings(pages: int = 3, report: Report | None = None, **more: object) -> Findings:
    alike = more.pop("files", ()), more.pop("near", ())
    return Findings(document("a", pages=pages, **more), report, *alike, False, None)  # type: ignore[arg-type]


def test_pages_are_turned_one_by_one() -> None:
    pages = [(n, f"text {n} {HOSTILE}") for n in range(1, 4)]
    first = clean(view.drawer(findings(), pages, 0, b"", ""))
    last = clean(view.drawer(findings(), pages, 99, b"", ""))
    assert "text 1" in first and "text 2" not in first and 'data-id="a 1"' in first and "of 3" in first
    assert "text 3" in last and 'data-id="a 1"' in last
    assert first.count("disabled") == last.count("disabled") == 1
    thousands = view.drawer(findings(9000), [(n, "x") for n in range(1, 9001)], 4000, b"", "")
    assert thousands.count("<option") < 300 and 'value="a 4000" selected' in thousands


def test_a_long_text_without_pages_is_turned_in_parts() -> None:
    text = "\n".join(f"line {n}" for n in range(6000))
    parts = view.parts([(1, text)])
    assert "".join(parts) == text and all(len(p) <= view.PART for p in parts) and len(parts) > 1
    assert view.parts([(1, "x" * 50_000)])[0] == "x" * view.PART
    assert "Part 2" in view.drawer(findings(1), [(1, text)], 0, b"", "")


def test_the_report_says_what_wants_a_look() -> None:
    pages = (PageReport(1, 5, "text", 2, 1), PageReport(2, 0, "picture"), PageReport(3, 0, "empty"),
             PageReport(4, 3, "garbled"))  # fmt: skip
    report = Report(pages, (Repeated(HOSTILE, 4),))
    near = (Alike(1, "b", HOSTILE, 7, 0.93),)
    files = (Alike(0, "b", HOSTILE, 0, 1.0),)
    shown = clean(view.report(findings(4, report, near=near, files=files, kind="pdf", version=2)))
    for words in ("Pictures without text", "Garbled", "Empty", "taken off", "on 4 pages", "page 7: 93%", "100%",
                  "not told"):  # fmt: skip
        assert words in shown, words
    assert 'data-id="a 1"' in shown and 'data-do="keep"' in shown and "In columns" in shown and "Version" in shown
    assert "before there were reports" in view.report(findings())


def test_a_page_without_text_says_why() -> None:
    report = Report((PageReport(1, 0, "picture"), PageReport(2, 0, "empty")))
    pages = [(1, ""), (2, "")]
    assert "picture of text" in view.drawer(findings(2, report), pages, 0, b"", "")
    assert "no text on this page" in view.drawer(findings(2, report), pages, 1, b"", "")


def test_the_original_stands_beside_the_text() -> None:
    pages = [(1, "words")]
    assert "data:image/jpeg" in view.drawer(findings(1, kind="pdf"), pages, 0, b"jpeg", "")
    assert "&lt;b&gt;" in view.drawer(findings(1, kind="html"), pages, 0, b"", "<b>words</b>")
    assert "in its own program" in view.drawer(findings(1, kind="docx"), pages, 0, b"", "")
    assert "Original" not in view.drawer(findings(1, kind="zip"), pages, 0, b"", "")
    locked = findings(0, status="password", problem="It has a password. Remove it.")
    assert "It has a password" in view.drawer(locked, [], 0, b"", "")


def test_what_a_new_version_touches_is_listed() -> None:
    gone = tuple(chunk(f"c{n}", f"old {n} {HOSTILE}") for n in range(12))
    fresh, lost = (chunk("x", "new " * 200),), (question("Why?", "so"),)
    impact = Impact("a", "w", HOSTILE, 3, gone, fresh, 4, lost, 5, 1, ("run-001",))
    shown = clean(view.versions([impact], [], False))
    for words in ("12 of 15 passages", "and 4 more", "Questions to check again: 1", "Why?", "run-001", "judgement",
                  "new new"):  # fmt: skip
        assert words in shown, words
    assert all(f'data-do="{do}"' in shown for do in ("replace", "both", "leave")) and "Replace all" not in shown
    assert 'data-id="w w"' in view.versions([impact, impact], [], False)
    assert (
        "was replaced" in view.versions([], [document("a")], False) and view.versions([], [document("a")], True) == ""
    )
