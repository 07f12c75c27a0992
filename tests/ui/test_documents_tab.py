"""Documents: rows and their remedies, uploads that outlive Gradio's folder, removal with undo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from ragtune_ui.domain.errors import Busy, DocumentError
from ragtune_ui.domain.runs import Job
from ragtune_ui.studio.documents import DocumentRow
from ragtune_ui.ui import documents_tab as tab
from tests.domain.makers import document
from tests.studio.conftest import House, library
from tests.ui.pages import HOSTILE, Bench, clean


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.fakes.gate.set()
    house.idle()


def row(id: str, questions: int = 0, passages: int = 3, **more: object) -> DocumentRow:
    made = document(id, **more)
    return DocumentRow(made, passages, "ready" if made.ready else made.status, questions)


BAD = row("b", status="password", problem="It has a password. Remove it.", passages=0, name=HOSTILE)


def test_a_row_that_needs_the_person_says_what_to_do_and_can_be_left_out() -> None:
    shown = clean(tab.table([BAD]))
    assert "It has a password. Remove it." in shown and "Leave it out" in shown and ">!<" in shown
    assert "&lt;img" in shown and "Hold back" not in shown.replace("Held back:", "")


def test_held_back_is_pressed_and_numbers_are_readable() -> None:
    shown = tab.table([row("a", held_back=True, words=12345)])
    assert 'aria-pressed="true"' in shown and "12,345" in shown


def test_a_document_with_questions_asks_before_it_goes() -> None:
    fed, free = row("a", questions=2), row("c")
    assert 'data-ask="remove-a"' in tab.table([fed]) and 'data-do="remove"' not in tab.table([fed])
    assert 'data-do="remove"' in tab.table([free])
    asked = tab.dialogs([fed, free])
    assert "2 approved questions rest" in asked and 'data-name="docs-remove-a"' in asked and "remove-c" not in asked
    assert "1 approved question rests" in tab.dialogs([row("d", questions=1)])


def test_the_pill_counts_what_needs_the_person() -> None:
    assert tab.state([]) == "" and "2 ready" in tab.state([row("a"), row("c")])
    assert "1 needs you" in tab.state([row("a"), BAD])


def test_work_shows_how_far_and_how_it_ended() -> None:
    running = Job("j", "documents", "Reading 3 files", "running", done=1, total=4, note=f"Reading {HOSTILE}", left=90.0)
    shown = clean(tab.working(running))
    assert "about 2 min" in shown and 'aria-valuenow="25"' in shown and 'data-do="stop"' in shown
    failed = Job("j", "index", "Making passages", "failed", problem="The disk is full.", remedy="Free some space.")
    assert "The disk is full." in tab.working(failed) and "Free some space." in tab.working(failed)
    assert "stopped" in tab.working(Job("j", "documents", "Reading", "stopped", note="Kept."))
    assert tab.working(None) == "" and tab.working(Job("j", "index", "Making passages", "finished", note="ok")) == ""


def test_documents_without_passages_offer_to_make_them() -> None:
    assert "1 document has no passages" in tab.unindexed([row("a", passages=0), row("c"), BAD], busy=False)
    assert tab.unindexed([row("a", passages=0)], busy=True) == "" and tab.unindexed([BAD], busy=False) == ""


def test_what_is_missing_is_said_in_words() -> None:
    assert "at least one" in tab.missing([BAD], False) and "goes on" in tab.missing([], True)
    assert "held back" in tab.missing([row("a")], False) and tab.missing([row("a", held_back=True)], False) == ""


def test_uploads_are_copied_before_the_upload_folder_is_swept(house: House, tmp_path: Path) -> None:
    house.fakes.gate.clear()
    paths = []
    for number, text in enumerate(["The red crane weighs 12 tonnes.", "The blue winch weighs 13 tonnes."]):
        path = tmp_path / "sent" / str(number) / "readme.md"  # the same name twice
        path.parent.mkdir(parents=True)
        path.write_text(text)
        paths.append(path)
    tab.upload(house.studio, house.project, [str(p) for p in paths])
    for path in paths:
        path.unlink()
    house.fakes.gate.set()
    house.idle()
    assert [d.name for d in house.project.documents() if d.ready] == ["readme.md", "readme.md"]
    assert list((house.project.folder / "incoming").iterdir()) == []


def test_a_refused_upload_leaves_nothing_behind(house: House, tmp_path: Path) -> None:
    house.fakes.gate.clear()
    house.studio.documents.add(house.project, house.files({"a.md": "The red crane weighs 12 tonnes."}))
    path = tmp_path / "b.md"
    path.write_text("The blue winch weighs 13 tonnes.")
    with pytest.raises(Busy):
        tab.upload(house.studio, house.project, [str(path)])
    assert not list((house.project.folder / "incoming").glob("*"))
    with pytest.raises(DocumentError, match="No file"):
        tab.upload(house.studio, house.project, None)


def test_a_wrong_kind_gets_a_row_with_a_remedy(house: House, tmp_path: Path) -> None:
    path = tmp_path / "tool.exe"
    path.write_bytes(b"MZ")
    tab.upload(house.studio, house.project, [str(path)])
    house.idle()
    assert "Save it as PDF" in Bench(tab, "docs", house).look(house.project.id, "")[2]


def test_a_folder_is_read_and_a_wrong_one_is_named(house: House, tmp_path: Path) -> None:
    place = tmp_path / "mine" / "sub"
    place.mkdir(parents=True)
    (place / "a.md").write_text("The red crane weighs 12 tonnes.")
    bench = Bench(tab, "docs", house)
    assert bench.press(tab.add_folder, 1, str(tmp_path / "mine"), project_id=house.project.id)[0] == ""
    house.idle()
    assert [d.name for d in house.project.documents()] == ["sub/a.md"]
    kept, message, _ = bench.press(tab.add_folder, 1, "/nowhere/<b>", project_id=house.project.id)
    assert kept == gr.skip() and "There is no folder" in clean(message)


def test_hold_back_is_a_switch(house: House) -> None:
    house.add({"a.md": "The red crane weighs 12 tonnes."})
    id = house.project.documents()[0].id
    for held in (True, False):
        tab.act(house.studio, house.project, {"do": "hold", "id": id})
        assert house.project.documents()[0].held_back is held


def test_remove_and_undo_restore_the_same_counts(house: House) -> None:
    house.add(library(3))
    before = [(r.document.name, r.passages) for r in house.studio.documents.rows(house.project)]
    id = house.project.documents()[1].id
    tab.act(house.studio, house.project, {"do": "remove", "id": id})
    house.idle()
    assert 'data-do="undo"' in Bench(tab, "docs", house).look(house.project.id, "")[1]
    tab.manage(house.studio, house.project, {"do": "undo", "id": ""})
    house.idle()
    assert [(r.document.name, r.passages) for r in house.studio.documents.rows(house.project)] == before


def test_a_removed_document_is_deleted_for_good_after_a_dialog(house: House) -> None:
    house.add(library(3))
    first, second = (d.id for d in house.project.documents()[:2])
    for id in (first, second):
        tab.act(house.studio, house.project, {"do": "remove", "id": id})
        house.idle()
    _, work, _, dialogs, _, _ = Bench(tab, "docs", house).look(house.project.id, "")[:6]
    assert all(
        f'data-ask="delete-{id}"' in work and f'data-name="docs-delete-{id}"' in dialogs for id in (first, second)
    )
    assert "Removed before (1)" in work and "kept for 7 days" in work
    tab.confirmed(house.studio, house.project, {"choice": "delete", "id": first})
    house.idle()
    assert [d.id for d in house.project.discarded_documents()] == [second]
    tab.manage(house.studio, house.project, {"do": "undo", "id": second})
    house.idle()
    assert second in [d.id for d in house.project.documents()] and house.project.discarded_documents() == []


def test_the_dialog_says_what_goes_and_what_keeps_what_it_learned() -> None:
    shown = clean(tab.dialogs([], [row("a", questions=2, name=HOSTILE)]))
    assert "2 questions about it" in shown and "cannot be undone" in shown
    assert "Frozen datasets, trained models, verdicts and packages" in shown and "keep what they learned" in shown


def test_the_dialog_removes_and_passages_can_be_made_again(house: House) -> None:
    house.add(library(2))
    tab.confirmed(house.studio, house.project, {"choice": "remove", "id": house.project.documents()[0].id})
    house.idle()
    assert len(house.project.documents()) == 1
    house.project.keep_chunks([])
    tab.manage(house.studio, house.project, {"do": "index", "id": ""})
    house.idle()
    assert house.project.chunks()


def test_stop_reaches_the_job(house: House) -> None:
    house.fakes.gate.clear()
    job = house.studio.documents.add(house.project, house.files(library(4)))
    tab.manage(house.studio, house.project, {"do": "stop", "id": job})
    house.fakes.gate.set()
    assert house.wait(job).state == "stopped"


def test_a_row_opens_and_closes_its_text(house: House) -> None:
    house.add({"a.md": "One.\fTwo."})
    id = house.project.documents()[0].id
    opened, text = tab.act(house.studio, house.project, {"do": "open", "id": id})
    words = text.split("Text that was read")[-1]
    assert (
        opened == id and "of 2" in text and "One." in words and "Two." not in words and f'data-document="{id}"' in text
    )
    assert tab.act(house.studio, house.project, {"do": "close", "id": ""}) == ("", "")
    assert tab.refresh_drawer(house.studio, house.project, "gone") == ""


def test_the_page_is_empty_then_full(house: House) -> None:
    bench = Bench(tab, "docs", house)
    pill, work, table, _, way, newer, text, adding, message = bench.look(house.project.id, "")
    assert "No documents yet" in table and "at least one" in way
    assert (pill, work, newer, text, message) == ("", "", "", "", gr.skip()) and adding["visible"] is True
    house.add(library(2))
    pill, _, table, *_ = bench.look(house.project.id, "")
    assert "2 ready" in pill and "part-0.md" in table
    assert {"docs-upload", "docs-table", "docs-folder"} <= bench.ids()


def test_without_a_project_the_page_leads_to_start_and_takes_no_files(house: House) -> None:
    bench = Bench(tab, "docs", house)
    _, _, table, *_, adding, message = bench.look("", "")
    assert "No project is open" in table and 'data-go="home"' in table and "No documents yet" not in table
    assert adding["visible"] is False and message == gr.skip()
    (row,) = bench.page._looks[-1].outputs
    hidden = {child.elem_id for column in row.children for child in column.children}
    assert hidden >= {"docs-upload", "docs-folder-add", "docs-folder-upload"}


def test_a_new_version_is_decided_on_the_page_and_can_be_taken_back(house: House) -> None:
    bench = Bench(tab, "docs", house)
    house.add({"a.md": "The red crane weighs 12 tonnes.", "b.md": "The blue winch weighs 13 tonnes."})
    house.add({"a.md": "The red crane weighs 20 tonnes.", "b.md": "The blue winch weighs 30 tonnes."})
    shown = clean(tab.refresh_versions(house.studio, house.project))
    assert "New version of a.md" in shown and "Replace all 2" in shown and "Nothing has changed yet." in shown
    first, second = (d.id for d in house.project.waiting())
    tab.manage(house.studio, house.project, {"do": "replace", "id": first})
    house.idle()
    assert "20 tonnes" in house.project.text(house.document("a.md").id)
    shown = tab.refresh_versions(house.studio, house.project)
    assert "“a.md” was replaced by a newer version." in shown and "Replace all" not in shown
    tab.manage(house.studio, house.project, {"do": "leave", "id": second})
    tab.manage(house.studio, house.project, {"do": "unreplace", "id": ""})
    house.idle()
    assert "12 tonnes" in house.project.text(house.document("a.md").id)
    tab.manage(house.studio, house.project, {"do": "both", "id": house.project.waiting()[0].id})
    house.idle()
    assert sorted(d.name for d in house.project.documents()) == ["a.md", "a.md", "b.md"]
    assert tab.versions_key(house.studio, None) == "" and tab.refresh_versions(house.studio, None) == ""
    assert "New version" not in bench.look(house.project.id, "")[5]


def test_repeated_lines_are_kept_from_the_drawer(house: House) -> None:
    house.add({"a.md": "~Head 1\nOne.\f~Head 2\nTwo."})
    id = house.project.documents()[0].id
    before = tab.drawer_key(house.studio, house.project, id)
    _, text = tab.act(house.studio, house.project, {"do": "open", "id": id})
    assert "~Head 1" in text and "Keep them in the text" in text
    tab.act(house.studio, house.project, {"do": "keep", "id": id})
    house.idle()
    assert tab.drawer_key(house.studio, house.project, id) != before
    assert "Take them off" in tab.refresh_drawer(house.studio, house.project, id)
    tab.act(house.studio, house.project, {"do": "off", "id": id})
    house.idle()
    assert "~Head" not in house.project.text(id)


def test_the_page_of_a_pdf_is_drawn_beside_its_text(house: House) -> None:
    house.add({"a.pdf": "One.\fTwo.\fThree."})
    id = house.project.documents()[0].id
    shown = str(tab.refresh_drawer(house.studio, house.project, f"{id} 1"))
    assert 'src="data:image/jpeg;base64,' in shown and "Page 2 of a.pdf as it looks" in shown
    assert ">Two.<" in shown and ">One.<" not in shown
    (house.project.folder / "documents" / id / "original.pdf").unlink()
    assert "Three." in tab.refresh_drawer(house.studio, house.project, f"{id} 99")


def test_a_folder_from_the_browser_passes_over_what_is_not_read(house: House, tmp_path: Path) -> None:
    for name in ("a.md", "photo.png", ".hidden.md"):
        (tmp_path / name).write_text("The red crane weighs 12 tonnes.")
    files = [str(tmp_path / n) for n in ("a.md", "photo.png", ".hidden.md")]
    tab.upload_folder(house.studio, house.project, files)
    house.idle()
    assert [d.name for d in house.project.documents()] == ["a.md"]
    with pytest.raises(DocumentError, match="no file that RAGTune reads"):
        tab.upload_folder(house.studio, house.project, files[1:])
