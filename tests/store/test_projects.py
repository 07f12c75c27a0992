"""Projects: folders with shelves; names are labels, ids are checked, everything comes back as it was kept."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from ragtune_ui.domain.changes import Before
from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.documents import Document, Page, Parsed
from ragtune_ui.domain.errors import Busy, ProjectError
from ragtune_ui.domain.examples import Example, Message
from ragtune_ui.domain.mixes import Dataset, DatasetMix, count, digest_of
from ragtune_ui.domain.passages import Judgement, SearchSettings
from ragtune_ui.domain.plans import RunSheet, TrainingPlan
from ragtune_ui.domain.questions import Decision
from ragtune_ui.domain.scores import Interval
from ragtune_ui.domain.verdicts import CELLS, Check, Miss, Verdict
from ragtune_ui.store.projects import UNDO_DEPTH, Card, Home, Project, Turn, open_folder, short_id
from tests.domain.makers import chunk, library, question

HOSTILE = ["../x", "/etc", "", "a/b", "a" * 300, ".", "..", ".trash", "A", "a b", "a\x00", "con:", "~", "ä", "a\n"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def project(home: Home) -> Project:
    return home.create("Crane handbook", "About cranes.")


# the home -------------------------------------------------------------------------------------


def test_a_home_that_is_not_there_has_no_project(home: Home) -> None:
    assert home.projects() == [] and home.discarded() == []
    assert not home.folder.exists()


def test_create_open_rename(home: Home) -> None:
    made = home.create("  Crane \n handbook ", "About cranes.")
    assert (made.name, made.card.about) == ("Crane handbook", "About cranes.")
    assert home.open(made.id) == made and hash(home.open(made.id)) == hash(made)
    assert made != home.create("Crane handbook") and made != "x"
    assert home.rename(made.id, " Winch\tbook ").name == "Winch book"
    assert made.name == "Winch book" and made.card.created


@pytest.mark.parametrize("name", ["", "   ", "\n\t"])
def test_a_project_needs_a_name(home: Home, project: Project, name: str) -> None:
    for ask in (lambda: home.create(name), lambda: home.rename(project.id, name)):
        with pytest.raises(ProjectError, match="needs a name"):
            ask()
    assert [p.name for p in home.projects()] == ["Crane handbook"]


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>",
        "../../etc",
        "港の資料",
        "C:\\x",
        "con",
        "$(id)",
        "\u202egnp.exe",
        "name" * 200,
        "\ud800",
    ],
)
def test_a_name_is_a_label_and_never_a_path(home: Home, name: str) -> None:
    made = home.create(name)
    assert made.folder.parent == home.folder and made.folder.is_dir()
    assert all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in made.id) and len(made.id) <= 64
    shown = name.replace("\ud800", "?")[:80]
    assert home.open(made.id).name == shown
    assert [p.name for p in home.projects()] == [shown]
    assert [p.name for p in home.folder.iterdir()] == [made.id]


@pytest.mark.parametrize("id", HOSTILE)
def test_a_hostile_id_opens_nothing(home: Home, project: Project, tmp_path: Path, id: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "project.json").write_text((project.folder / "project.json").read_text())
    before = sorted(tmp_path.rglob("*"))
    for ask in (home.open, home.discard, home.restore, lambda i: home.rename(i, "New")):
        with pytest.raises(ProjectError) as caught:
            ask(id)
        assert caught.value.remedy
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_is_no_project_is_refused(home: Home, tmp_path: Path) -> None:
    (home.folder / "photos").mkdir(parents=True)
    for ask in (lambda: home.open("photos"), lambda: open_folder(tmp_path)):
        with pytest.raises(ProjectError, match=r"no project\.json"):
            ask()
    with pytest.raises(ProjectError):
        home.open("nowhere")


def test_a_newer_project_is_not_touched(home: Home, project: Project) -> None:
    path = project.folder / "project.json"
    newer = {**json.loads(path.read_text()), "schema": 2, "colour": "blue"}
    path.write_text(json.dumps(newer))
    with pytest.raises(ProjectError, match="newer version") as caught:
        home.open(project.id)
    assert "Update" in caught.value.remedy
    assert json.loads(path.read_text()) == newer


def test_a_damaged_project_does_not_hide_the_others(home: Home, project: Project) -> None:
    other = home.create("Second")
    (project.folder / "project.json").write_bytes(b"\x00" * 50)
    assert home.projects() == [other]
    with pytest.raises(ProjectError, match=r"project\.json"):
        home.open(project.id)


def test_the_project_touched_last_stands_first(home: Home) -> None:
    first, second = home.create("First"), home.create("Second")
    import os

    for at, made in enumerate((second, first)):
        for path in (made.folder, made.folder / "project.json"):
            os.utime(path, (1000 + at, 1000 + at))
    assert [p.name for p in home.projects()] == ["First", "Second"]
    first.choose(preset="Other")
    second.keep_questions([question()])
    os.utime(second.folder / "questions.jsonl", (9e9, 9e9))
    assert [p.name for p in home.projects()] == ["Second", "First"]


def test_discard_and_restore(home: Home, project: Project) -> None:
    project.keep_questions([question()])
    home.discard(project.id)
    assert home.projects() == [] and [c.id for c in home.discarded()] == [project.id]
    with pytest.raises(ProjectError):
        home.open(project.id)
    assert home.restore(project.id).questions() == [question()]
    assert home.discarded() == []
    with pytest.raises(ProjectError, match="trash"):
        home.restore(project.id)


def test_what_was_written_beside_a_project_in_the_trash_comes_back_with_it(home: Home, project: Project) -> None:
    project.keep_questions([question()])
    home.discard(project.id)
    project.keep_judgements([])  # too late: it makes the folder anew
    assert project.folder.exists() and home.projects() == []
    assert home.restore(project.id).questions() == [question()]
    assert [p.name for p in project.folder.glob("set-aside-*/*")] == ["judgements.jsonl"]


def test_a_project_does_not_come_back_over_another(home: Home, project: Project) -> None:
    home.discard(project.id)
    shutil.copytree(home.trash / project.id, project.folder)  # brought back by hand
    with pytest.raises(ProjectError, match="there already"):
        home.restore(project.id)
    assert [c.id for c in home.discarded()] == [project.id]


def test_a_project_in_which_work_runs_is_not_discarded(home: Home, project: Project) -> None:
    log = project.log(project.new_job("index"))
    log.append("asked", what="index", title="Making passages")
    with pytest.raises(Busy, match="running"):
        home.discard(project.id)
    assert home.open(project.id) == project
    log.append("finished", note="")
    home.discard(project.id)
    assert home.projects() == []


def test_ids_are_safe_and_differ() -> None:
    assert short_id("Größe & Co / ../x").startswith("gr-e-co-x-")
    assert short_id("Größe") != short_id("Größe")
    assert len(short_id("港")) == 12 and short_id("a" * 100).startswith("a" * 24 + "-")


# choices --------------------------------------------------------------------------------------


def test_choices_change_one_by_one(project: Project) -> None:
    assert project.choices().preset == "Balanced"
    project.choose(search=SearchSettings(7, 0.25))
    project.choose(mix=DatasetMix(raft=50, plain=50), folders=("/a", "/b"))
    found = Project(project.folder).choices()
    assert (found.search, found.mix.raft, found.folders) == (SearchSettings(7, 0.25), 50, ("/a", "/b"))


def test_model_folders_of_all_projects_are_known_once(home: Home, project: Project) -> None:
    assert home.model_folders() == []
    project.choose(folders=("/a", "/b"))
    home.create("Second").choose(folders=("/b", "/c"))
    assert sorted(home.model_folders()) == ["/a", "/b", "/c"]


def test_choices_of_two_windows_are_both_kept(project: Project) -> None:
    def change(**changes: object) -> None:
        for _ in range(15):
            Project(project.folder).choose(**changes)

    threads = [
        threading.Thread(target=change, kwargs=c)
        for c in ({"preset": "Assistant"}, {"model": "mine"}, {"folders": ("x",)}, {"search": SearchSettings(9)})
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = project.choices()
    assert (found.preset, found.model, found.folders, found.search.number) == ("Assistant", "mine", ("x",), 9)


def test_choices_that_cannot_be_are_damage(project: Project) -> None:
    project.choose(preset="Other")
    path = project.folder / "choices.json"
    path.write_text(path.read_text().replace('"raft": 70', '"raft": 71'))
    with pytest.raises(ProjectError, match=r"choices\.json"):
        project.choices()


# documents ------------------------------------------------------------------------------------


def a_document(name: str = "fog.md", text: str = "Fog.", **more: object) -> tuple[Document, Parsed]:
    parsed = Parsed(name, (Page(1, text), Page(2, "Rain.")))
    values = {"id": name.replace(".", "-"), "name": name, "title": name, "kind": "markdown", "digest": name, "size": 4}
    made = Document(**{**values, "pages": 2, "words": 2, "page_starts": parsed.page_starts, **more})  # type: ignore
    return made, parsed


def keep(project: Project, tmp_path: Path, *args: object, **more: object) -> Document:
    document, parsed = a_document(*args, **more)  # type: ignore[arg-type]
    original = tmp_path / "upload.bin"
    original.write_bytes(b"original bytes")
    project.keep_document(document, parsed, original)
    return document


def test_a_document_comes_back_with_text_and_original(project: Project, tmp_path: Path) -> None:
    text = "Fog.\r\nTwo\rthree\x0b \u2028 ümlaut \udc80"
    document = keep(project, tmp_path, "Fog.MD", text)
    assert project.documents() == [document] and project.document(document.id) == document
    assert project.text(document.id) == text.replace("\udc80", "?") + "\n\nRain."
    assert project.text(document.id)[document.page_starts[1] :] == "Rain."
    assert (project.folder / "documents" / document.id / "original.md").read_bytes() == b"original bytes"
    with pytest.raises(ProjectError, match="no longer there"):
        project.document("other")


def test_a_file_without_text_is_kept_as_a_row_alone(project: Project, tmp_path: Path) -> None:
    document, _ = a_document("a.zip", status="unsupported", problem="Other kind.")
    project.keep_document(document, None, tmp_path / "not there")
    assert project.documents() == [document] and project.text(document.id) == ""
    names = {p.name for p in (project.folder / "documents" / document.id).iterdir()}
    assert names == {"text.md", "document.json", "manifest.json"}


def test_a_half_written_document_is_no_document(project: Project, tmp_path: Path) -> None:
    document = keep(project, tmp_path)
    shelf = project.folder / "documents"
    for left in (".new-77-0123abcd-rain-md", ".new-old-0123abcd-fog-md"):
        (shelf / left).mkdir()
        (shelf / left / "document.json").write_bytes((shelf / document.id / "document.json").read_bytes())
    assert project.documents() == [document]


def test_documents_stand_in_the_order_of_adding(project: Project, tmp_path: Path) -> None:
    for name, added in (("c.md", "2"), ("a.md", "1"), ("b.md", "1")):
        keep(project, tmp_path, name, added=added)
    assert [d.name for d in project.documents()] == ["a.md", "b.md", "c.md"]
    project.change_document(replace(project.documents()[0], held_back=True))
    assert [d.held_back for d in project.documents()] == [True, False, False]


def test_a_missing_text_is_said(project: Project, tmp_path: Path) -> None:
    document = keep(project, tmp_path)
    path = project.folder / "documents" / document.id / "text.md"
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ProjectError, match=r"cannot be read: text\.md"):
        project.text(document.id)
    path.unlink()
    with pytest.raises(ProjectError, match=r"missing: text\.md"):
        project.text(document.id)


def test_documents_go_to_the_trash_and_come_back(project: Project, tmp_path: Path) -> None:
    fog, rain = keep(project, tmp_path, "fog.md"), keep(project, tmp_path, "rain.md")
    project.discard_document(fog.id)
    assert project.documents() == [rain] and project.discarded_documents() == [fog]
    assert project.restore_document(fog.id) == fog
    assert project.documents() == [fog, rain] and project.discarded_documents() == []
    for _ in range(2):  # a second time takes the place of the first in the trash
        project.discard_document(fog.id)
        keep(project, tmp_path, "fog.md")
    assert [d.id for d in project.discarded_documents()] == [fog.id]


def test_a_document_added_again_in_the_meantime_stays(project: Project, tmp_path: Path) -> None:
    fog = keep(project, tmp_path, "fog.md")
    project.discard_document(fog.id)
    again = keep(project, tmp_path, "fog.md", held_back=True)
    assert project.restore_document(fog.id) == again
    assert project.documents() == [again] and project.discarded_documents() == []


def test_a_document_added_again_that_reads_otherwise_is_not_deleted_by_the_way_back(
    project: Project, tmp_path: Path
) -> None:
    fog = keep(project, tmp_path, "fog.md")
    project.discard_document(fog.id)
    again = keep(project, tmp_path, "fog.md", "Thick fog.")
    with pytest.raises(ProjectError, match=r"“fog\.md” was added again since and reads otherwise") as caught:
        project.restore_document(fog.id)
    assert "Use the one that is here" in caught.value.remedy
    assert project.documents() == [again] and project.text(fog.id).startswith("Thick fog.")
    assert project.discarded_documents() == [fog] and project.discarded_text(fog.id).startswith("Fog.")
    project.drop_document(fog.id)
    project.keep_document(replace(again, status="unreadable"), None, tmp_path / "not there")  # a row without a text
    assert project.restore_document(fog.id) == fog and project.text(fog.id).startswith("Fog.")
    assert project.discarded_documents() == [] and project.discarded_text(fog.id) == ""


@pytest.mark.parametrize("id", HOSTILE)
def test_a_hostile_document_id_moves_nothing(project: Project, tmp_path: Path, id: str) -> None:
    fog = keep(project, tmp_path, "fog.md")
    project.discard_document(fog.id)
    before = sorted(tmp_path.rglob("*"))
    for ask in (project.discard_document, project.restore_document, project.document):
        with pytest.raises(ProjectError):
            ask(id)
    assert sorted(tmp_path.rglob("*")) == before


def test_tidying_clears_what_a_crash_left(project: Project, tmp_path: Path) -> None:
    import os

    document = keep(project, tmp_path)
    for shelf in ("", "documents", "datasets", "verdicts", "chats", "exports"):
        left = project.folder / shelf / ".new-0123abcd-x"
        left.parent.mkdir(exist_ok=True)
        left.write_text("half")
        os.utime(left, (1000, 1000))
    project.tidy()
    assert list(project.folder.rglob(".new-*")) == [] and project.documents() == [document]


# shelves of lines -----------------------------------------------------------------------------


def test_lines_come_back_with_nested_tuples(project: Project) -> None:
    chunks = [replace(c, heading=("A", "B \u2028")) for c in library()]
    said = [Judgement("Why?", "d", 1, 2, True, "now"), Judgement("Why?", "d", 3, 4, False)]
    asked = [question("Why\n\x85?"), question("Who?", status="rejected", answerable=False, answer="")]
    turns = [Turn("t", "run-1", "Why?", "because", "", (chunk("c", "Text", heading=("H",)),), "same", "now")]
    assert [project.chunks(), project.judgements(), project.questions(), project.turns()] == [[], [], [], []]
    project.keep_chunks(chunks)
    project.keep_judgements(said)
    project.keep_questions(asked)
    project.keep_turns(turns)
    again = Project(project.folder)
    assert again.chunks() == chunks and again.judgements() == said
    assert again.questions() == asked and again.turns() == turns


def test_undo_goes_so_far_and_no_further(project: Project) -> None:
    made = [Decision((question(f"Why {n}?"),), f"approved {n}") for n in range(UNDO_DEPTH + 5)]
    project.keep_decisions(made)
    assert project.decisions() == made[5:]


def test_a_damaged_shelf_says_which(project: Project) -> None:
    project.keep_questions([question()])
    with (project.folder / "questions.jsonl").open("ab") as f:
        f.write(b'{"id": 3}\n')
    with pytest.raises(ProjectError, match=r"Line 2 of questions\.jsonl"):
        project.questions()


# datasets, runs, verdicts ---------------------------------------------------------------------


def a_dataset(text: str = "Why?") -> Dataset:
    made = Example("e1", "raft", "answer", (Message("user", text), Message("assistant", "x [1]")), passages=("a", "b"))
    reading = Example("e2", "dap", "text", text="read", trains="all")
    digest = digest_of([made, reading])
    return Dataset(digest[:12], DatasetMix(), Contract(), count([made, reading]), (made, reading), (made,), digest)


def test_a_dataset_is_frozen_once(project: Project) -> None:
    dataset = a_dataset()
    manifest = project.keep_dataset(dataset, [question()])
    assert project.keep_dataset(dataset, [question()]).id == manifest.id
    assert project.datasets() == [project.dataset(dataset.id)]
    kept = project.dataset(dataset.id)
    assert (kept.digest, kept.counts, kept.dev, kept.mix) == (dataset.digest, dataset.counts, 1, dataset.mix)
    assert kept.questions == {question().id: "Why?\nbecause"}
    assert tuple(project.examples(dataset.id)) == dataset.examples
    assert digest_of(project.examples(dataset.id)) == dataset.digest
    with pytest.raises(ProjectError, match="dataset"):
        project.dataset("other")


def test_datasets_stand_latest_first_and_whole(project: Project) -> None:
    older, newer = a_dataset("Why?"), a_dataset("Who?")
    for made, at in ((older, "2020"), (newer, "2021")):
        project.keep_dataset(made, [])
        path = project.dataset_folder(made.id) / "dataset.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "made": at}))
    half = project.folder / "datasets" / ".new-1-x"
    half.mkdir()
    (half / "dataset.json").write_text("{")
    assert [m.id for m in project.datasets()] == [newer.id, older.id]


SHEET = RunSheet("built-in", "/models/a", "d1", "/data/d1", "mixed", TrainingPlan(rank=8))


def test_runs_have_sheets_logs_and_adapters(project: Project) -> None:
    first, second = project.new_run(SHEET), project.new_run(replace(SHEET, order="dap first"))
    assert first.startswith("run-001-") and second.startswith("run-002-")
    assert project.sheet(first) == SHEET and project.sheet(second).order == "dap first"
    assert project.runs() == []
    with pytest.raises(ProjectError, match="training"):
        project.run(first)
    for run in (first, second):
        project.log(project.run_folder(run)).append("asked", what="train", title=run)
    assert [j.id for j in project.runs()] == [second, first] and project.run(first).title == first
    assert project.adapter(first) is None
    (project.run_folder(first) / "adapter").mkdir()
    assert project.adapter(first) is None
    (project.run_folder(first) / "adapter" / "manifest.json").write_text("{}")
    assert project.adapter(first) == project.run_folder(first) / "adapter"
    assert project.run_folder("../../x").parent == project.folder / "runs"


def test_jobs_stand_beside_runs(project: Project) -> None:
    folder = project.new_job("index")
    assert folder.parent == project.folder / "jobs" and folder.name.startswith("index-") and not folder.exists()
    project.log(folder).append("asked", what="index", title="Making passages")
    assert [j.title for j in project.jobs()] == ["Making passages"] and project.runs() == []


def test_verdicts_come_back_latest_first(project: Project) -> None:
    cells = {cell: {"f1": Interval(1.0, 0.5, 2.0, 30)} for cell in CELLS}
    older = Verdict(
        "v1", "run-1", "use", "Good.", "Very.", 30, cells, {"f1": Interval(3, 1, 5)}, {"mrr": 0.5},
        (Check("good", "Better", "+3"),), (Miss("Why?", "a", "b", "c", "d"),), "2020", 1.5, ("note",),
    )  # fmt: skip
    newer = replace(older, id="v2", made="2021")
    assert project.verdicts() == []
    project.keep_verdict(newer)
    project.keep_verdict(older)
    (project.folder / "verdicts" / ".new-abc-v3.json").write_text("{")
    assert project.verdicts() == [newer, older]
    path = project.folder / "verdicts" / "v1.json"
    kept = json.loads(path.read_text())
    for later in ("documents", "unit", "adapter"):  # not in verdicts of the first make
        del kept[later]
    path.write_text(json.dumps(kept))
    assert project.verdicts() == [newer, older] and older.unit is None


def test_a_card_is_what_it_says(project: Project) -> None:
    assert project.card == Card(project.id, "Crane handbook", project.card.created, 1, "About cranes.")
    assert project.touched > 0 and project.readable


# new versions ---------------------------------------------------------------------------------


def a_version(project: Project, folder: Path, old: Document, text: str = "Thick fog.") -> Document:
    document, parsed = a_document(text=text)
    waits = replace(document, id=f"new-{len(text)}", digest=text, replaces=old.id)
    original = folder / "newer"
    original.write_bytes(text.encode())
    project.keep_waiting(waits, parsed, original)
    return waits


def test_a_new_version_waits_takes_the_place_and_goes_back(project: Project, tmp_path: Path) -> None:
    old = replace(keep(project, tmp_path), held_back=True)
    project.change_document(old)
    waits = a_version(project, tmp_path, old)
    assert project.waiting() == [waits] and project.documents() == [old]
    assert project.waiting_text(waits.id).startswith("Thick fog.")
    before = Before(judgements=(Judgement("q", old.id, 0, 3, True),))
    mine = project.replace_document(old.id, waits.id, before)
    assert (mine.id, mine.version, mine.held_back, mine.digest, mine.replaces) == (old.id, 2, True, "Thick fog.", "")
    assert project.documents() == [mine] and project.text(old.id).startswith("Thick fog.")
    assert project.replaced() == [old] and project.before(old) == before and project.waiting() == []
    project.restore_version(old)
    assert project.documents() == [old] and project.text(old.id).startswith("Fog.") and project.replaced() == []
    assert [d.replaces for d in project.waiting()] == [old.id] and project.before(old) == Before()
    for waiting, id in (("gone", old.id), (project.waiting()[0].id, "gone")):
        with pytest.raises(ProjectError, match="no longer there"):
            project.replace_document(id, waiting, Before())


def test_an_older_version_is_held_back_as_the_newer_one_is(project: Project, tmp_path: Path) -> None:
    old = keep(project, tmp_path)
    mine = project.replace_document(old.id, a_version(project, tmp_path, old).id, Before())
    project.change_document(replace(mine, held_back=True))
    assert project.replaced_text(old).startswith("Fog.")
    project.restore_version(old)
    assert project.documents() == [replace(old, held_back=True)]


def test_one_new_version_waits_for_a_document(project: Project, tmp_path: Path) -> None:
    old = keep(project, tmp_path)
    a_version(project, tmp_path, old)
    later = a_version(project, tmp_path, old, "Thicker still.")
    assert project.waiting() == [later]
    project.release_waiting(later)
    assert project.waiting() == [] and [d.replaces for d in project.documents()] == ["", ""]


def test_only_so_many_replaced_versions_are_kept(project: Project, tmp_path: Path, monkeypatch) -> None:
    from ragtune_ui.store import papers

    monkeypatch.setattr(papers, "REPLACED", 2)
    old = keep(project, tmp_path)
    for n in range(4):
        project.replace_document(old.id, a_version(project, tmp_path, old, "x" * (n + 1)).id, Before())
    assert len(list((project.folder / "replaced").iterdir())) == 2
    assert [d.version for d in project.replaced()] == [4]


def test_a_report_lies_beside_its_document(project: Project, tmp_path: Path) -> None:
    document = keep(project, tmp_path)
    report = project.report(document.id)
    assert report is not None and [page.words for page in report.pages] == [1, 1]
    original = project.original(document.id)
    assert original is not None and original.read_bytes() == b"original bytes"
    project.reread_document(replace(document, keep_repeated=True), Parsed("t", (Page(1, "Other words"),)))
    assert project.text(document.id) == "Other words" and project.documents()[0].keep_repeated
    assert project.report("nothing") is None and project.original("nothing") is None
    original = project.original(document.id)
    assert original is not None
    original.unlink()
    with pytest.raises(ProjectError, match="no longer there"):
        project.reread_document(document, Parsed("t", ()))
    project.drop_document(document.id)
    assert project.documents() == [] and project.discarded_documents() == []
