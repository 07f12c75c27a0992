"""Documents desk: a bad file never stops the batch, the same file comes in once, removing can be undone."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from ragtune_ui.domain.errors import Busy, DocumentError, ProjectError
from ragtune_ui.store import files
from ragtune_ui.studio.documents import Added
from tests.studio.conftest import House, facts, library, wait_until


def names(house: House) -> list[str]:
    return sorted(d.name for d in house.project.documents())


def test_files_are_read_cut_and_indexed(house: House) -> None:
    job = house.add({"a.md": "# Cranes\n\n" + facts(["red crane", "blue crane"]), "b.txt": facts(["red winch"])})
    assert (job.state, job.what, job.title, job.note) == ("finished", "documents", "Reading 2 files", "2 files in.")
    assert names(house) == ["a.md", "b.txt"]
    document = house.document("a.md")
    assert (document.title, document.kind, document.pages, document.words) == ("A", "markdown", 1, 14)
    rows = house.studio.documents.rows(house.project)
    assert [(r.document.name, r.passages, r.status, r.questions) for r in rows] == [
        ("a.md", 2, "ready", 0), ("b.txt", 1, "ready", 0),
    ]  # fmt: skip
    assert [c.text for c in house.project.chunks() if c.document == document.id] == [
        "The red crane weighs 10 tonnes.", "The blue crane weighs 11 tonnes.",
    ]  # fmt: skip


def test_a_bad_file_never_stops_the_batch(house: House) -> None:
    batch = house.files(
        {
            "1.md": "!encrypted",
            "2.exe": b"MZ",
            "3.md": "  ",
            "4.pdf": b"x" * (2 * 2**20 + 1),
            "5.md": facts(["red crane"]),
        }
    )
    gone, secret, folder = house.folder / "gone.md", house.folder / "secret.md", house.folder / "folder.md"
    folder.mkdir()
    secret.write_text("x")
    secret.chmod(0)
    batch[2:2] = [("gone.md", gone), ("folder.md", folder)]
    job = house.wait(house.studio.documents.add(house.project, batch))
    assert job.state == "finished" and job.note == "1 file in. 6 files not read: see the table for what to do."
    shown = {r.document.name: (r.status, r.document.problem) for r in house.studio.documents.rows(house.project)}
    assert shown["1.md"] == ("password", "It is encrypted. Mend it.")
    assert shown["2.exe"][0] == "other kind of file" and "Save it as PDF" in shown["2.exe"][1]
    assert shown["3.md"][0] == "empty"
    assert shown["4.pdf"][0] == "too large" and "2 MB" in shown["4.pdf"][1]
    assert shown["gone.md"][0] == shown["folder.md"][0] == "not readable"
    assert shown["5.md"] == ("ready", "")
    assert all(problem for status, problem in shown.values() if status != "ready")
    assert not house.studio.documents.rows(house.project)[0].document.ready  # what needs the person stands first
    assert house.studio.documents.rows(house.project)[-1].document.name == "5.md"
    assert len(house.project.chunks()) == 1
    assert len(job.result["problems"]) == 6 and job.result["added"] == 1


def test_a_file_that_may_not_be_opened_is_a_row(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = house.files({"a.md": facts(["red crane"]), "b.md": facts(["red winch"])})
    real = Path.open

    def refused(self: Path, *args: object, **more: object):
        if self.name == "a.md":
            raise PermissionError(13, "no")
        return real(self, *args, **more)

    monkeypatch.setattr(Path, "open", refused)
    house.wait(house.studio.documents.add(house.project, batch))
    assert {r.document.name: r.status for r in house.studio.documents.rows(house.project)} == {
        "a.md": "not readable", "b.md": "ready",
    }  # fmt: skip


def test_a_large_or_strange_file_is_not_copied(house: House) -> None:
    house.add({"big.pdf": b"x" * (2 * 2**20 + 1), "a.zip": b"PK", "b.exe": b"MZ"})
    assert list(house.project.folder.rglob("original*")) == []


def test_the_same_file_comes_in_once(house: House) -> None:
    house.add({"a.md": facts(["red crane"])})
    before = house.fakes.updates
    job = house.add({"a.md": facts(["red crane"]), "copy of a.md": facts(["red crane"])})
    assert job.note == "No new file is in. 2 files already here." and job.result["already"] == ["a.md", "copy of a.md"]
    assert names(house) == ["a.md"] and house.fakes.updates == before
    job = house.add({"a.md": facts(["red winch"])})  # other content under a known name is a new version
    assert names(house) == ["a.md"] and [d.name for d in house.project.waiting()] == ["a.md"]
    assert job.note == "No new file is in. 1 file is a new version: decide below."


def test_a_file_that_failed_may_be_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.studio.conftest import Reader

    with monkeypatch.context() as patched:
        patched.setattr(Reader, "read", lambda *_, **__: (_ for _ in ()).throw(DocumentError("No.", status="scanned")))
        house.add({"a.md": facts(["red crane"])})
    assert [d.status for d in house.project.documents()] == ["scanned"]
    house.add({"a.md": facts(["red crane"])})
    assert [d.status for d in house.project.documents()] == ["ready"] and len(house.project.chunks()) == 1


def test_a_name_that_is_no_text_is_shown_all_the_same(house: House) -> None:
    path = house.folder / os.fsdecode(b"r\xe4d.md")
    path.write_text(facts(["red crane"]))
    job = house.wait(house.studio.documents.add(house.project, [(path.name, path)]))
    assert job.state == "finished" and names(house) == ["r?d.md"]


def test_hostile_names_stay_labels(house: House) -> None:
    wild = ["../../x.md", "<img src=x>.md", "a\u2028b.md", "/etc/passwd.md", "x" * 300 + ".md", "C:\\x.md"]
    path = house.files({"a.md": facts(["red crane"])})[0][1]
    for n, name in enumerate(wild):
        path.write_text(facts(["red crane"], n))
        assert house.wait(house.studio.documents.add(house.project, [(name, path)])).state == "finished"
    assert names(house) == sorted(wild)
    assert {p.name for p in (house.project.folder / "documents").iterdir()} == {d.id for d in house.project.documents()}
    assert not (house.project.folder.parent / "x.md").exists()


class Nested:
    """Unpacks files that name what is inside them, a name a line after "holds"; reads anything. Counts both."""

    def __init__(self) -> None:
        self.read_names: list[str] = []

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from ragtune_ui.domain.documents import Unpacked
        from tests.studio.conftest import Reader

        real = Reader.read

        def read(reader: Reader, file: Path, kind: str, **more: object):
            self.read_names.append(file.read_text().splitlines()[0])
            return real(reader, file, kind, **more)

        def unpack(reader: Reader, file: Path, kind: str, to: Path, progress=None) -> Unpacked:
            inside = json.loads(file.read_text().partition("holds ")[2] or "{}")
            to.mkdir(parents=True)
            files = []
            for n, (name, content) in enumerate(inside.items()):
                (to / f"{n}{Path(name).suffix}").write_text(content)
                files.append((name, to / f"{n}{Path(name).suffix}"))
            return Unpacked(tuple(files), (("logo.png", "it is no document"), ("big.zip", "the archive is damaged")))

        monkeypatch.setattr(Reader, "read", read)
        monkeypatch.setattr(Reader, "unpack", unpack)


def nested(levels: int, level: int = 1) -> str:
    """A mail that holds a file and, but for the last, the next mail."""
    inside = {f"f{level}.md": f"file {level}"} | ({"m.eml": nested(levels, level + 1)} if level < levels else {})
    return f"level {level}\nholds {json.dumps(inside)}"


def test_mails_in_mails_are_read_once_each_and_have_an_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    readers = Nested()
    readers.install(monkeypatch)
    job = house.add({"m.eml": nested(3)})
    assert readers.read_names == ["level 1", "file 1", "level 2", "file 2", "level 3", "file 3"]
    assert names(house) == [
        "m.eml", "m.eml/f1.md", "m.eml/m.eml", "m.eml/m.eml/f2.md", "m.eml/m.eml/m.eml", "m.eml/m.eml/m.eml/f3.md",
    ]  # fmt: skip
    assert job.note.startswith("6 files in. 3 files inside archives or e-mails left out (m.eml/big.zip, ")
    readers.read_names.clear()
    job = house.add({"n.eml": "deep " + nested(9)})
    assert [name for name in readers.read_names if name.endswith(("4", "5"))] == ["level 4"]
    assert ["n.eml/m.eml/m.eml/m.eml/f4.md", "e-mails are packed into one another too often"] in job.result["left_out"]
    assert ["n.eml/m.eml/m.eml/m.eml/m.eml", "e-mails are packed into one another too often"] in job.result["left_out"]


def test_what_comes_out_of_one_mail_has_a_limit(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from ragtune_ui.studio import documents

    readers = Nested()
    readers.install(monkeypatch)
    monkeypatch.setattr(documents, "MAIL_FILES", 3)
    inner = "inner\nholds " + json.dumps({"c.md": "c", "d.md": "d"})
    content = "outer\nholds " + json.dumps({"a.md": "a", "in.eml": inner, "e.md": "e"})
    job = house.add({"m.eml": content, "n.eml": "other " + content.replace('"a"', '"aa"')})
    assert readers.read_names[:4] == ["outer", "a", "inner", "e"] and "d" not in readers.read_names
    why = "the e-mail and those inside it hold more than 3 files"
    assert ["m.eml/in.eml/c.md", why] in job.result["left_out"] and ["m.eml/in.eml/d.md", why] in job.result["left_out"]
    assert "aa" in readers.read_names  # the next mail has a count of its own
    monkeypatch.setattr(documents, "MAIL_BYTES", 40)
    job = house.add({"o.eml": "third\nholds " + json.dumps({"a.md": "k" * 30, "b.md": "l" * 30})})
    assert ["o.eml/b.md", "the e-mail and those inside it unpack to more than 1 GB"] in job.result["left_out"]


def test_mails_have_the_limits_of_archives() -> None:
    from ragtune_ui.engine.reading import archives
    from ragtune_ui.studio import documents

    assert (documents.MAIL_DEPTH, documents.MAIL_FILES, documents.MAIL_BYTES) == (
        archives.DEPTH, archives.MOST_FILES, archives.MOST_BYTES,
    )  # fmt: skip


def test_no_file_is_no_job(house: House) -> None:
    with pytest.raises(DocumentError, match="No file"):
        house.studio.documents.add(house.project, [])
    assert house.project.jobs() == []


def test_a_stop_keeps_the_files_read_and_the_next_batch_indexes_them(house: House, monkeypatch) -> None:
    from tests.studio.conftest import Reader

    real, read = Reader.read, []

    def slow(self: Reader, file: Path, kind: str, **more: object):
        if len(read) == 2:
            house.studio.jobs.stop(house.project, house.project.jobs()[0].id)
            wait_until(lambda: True)
        read.append(file)
        return real(self, file, kind, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Reader, "read", slow)
        job = house.add()
    assert job.state == "stopped" and len(house.project.documents()) == 3 and house.project.chunks() == []
    assert house.studio.retrieval.behind(house.project)
    batch = {d.name: library()[d.name] for d in house.project.documents()}
    assert house.add(batch).result["added"] == 0
    assert len(house.project.chunks()) == 18 and not house.studio.retrieval.behind(house.project)


def test_a_full_disk_is_one_sentence(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from ragtune_ui.store import files

    real = shutil.copyfile

    def full(a: Path, b: Path) -> None:
        if Path(a).name == "part-2.md":
            raise OSError(28, "full")
        real(a, b)

    monkeypatch.setattr(files.shutil, "copyfile", full)
    job = house.add()
    assert (job.state, job.problem) == ("failed", "The disk is full.") and "Free some space" in job.remedy
    assert names(house) == ["part-0.md", "part-1.md"]
    assert list(house.project.folder.rglob(".new-*")) == []


def test_the_sentence_of_a_batch() -> None:
    assert Added((), (), ()).sentence == "No new file is in."
    assert Added(("a",) * 1200, ("b",), (("c", "d"),)).sentence.startswith(
        "1,200 files in. 1 file already here. 1 file not"
    )


# folders --------------------------------------------------------------------------------------


def test_a_folder_is_read_with_its_sub_folders(house: House) -> None:
    root = house.folder / "in"
    for name in ("b.md", "a/c.TXT", "a/b/d.html", ".hidden.md", ".git/e.md", "a/picture.png", "z.MD"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(facts(["red crane"]))
    outside = house.folder / "outside"
    outside.mkdir()
    (outside / "secret.md").write_text("secret")
    (root / "link.md").symlink_to(outside / "secret.md")
    (root / "linked").symlink_to(outside)
    os.mkfifo(root / "pipe.md")
    found = house.studio.documents.folder(f"  {root} ")
    assert [name for name, _ in found] == ["b.md", "z.MD", "a/c.TXT", "a/b/d.html"]
    assert all(path.is_file() and path.is_relative_to(root) for _, path in found)


@pytest.mark.parametrize("folder", ["", "  ", "/nowhere/at/all", "~nobody-of-that-name/x", "a\x00b"])
def test_a_folder_that_is_not_there_is_said(house: House, folder: str) -> None:
    with pytest.raises(DocumentError, match="no folder"):
        house.studio.documents.folder(folder)


def test_a_folder_without_readable_files_is_said(house: House, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_text("x")
    with pytest.raises(DocumentError, match="no file that RAGTune reads"):
        house.studio.documents.folder(str(tmp_path / "in"))


# removing -------------------------------------------------------------------------------------


def counts(house: House) -> tuple[object, ...]:
    rows = house.studio.documents.rows(house.project)
    outlook = house.studio.mixing.outlook(house.project, house.project.choices().mix)
    return (
        sorted((r.document.name, r.passages, r.questions, r.document.held_back) for r in rows),
        len(house.project.chunks()), house.studio.questions.counts(house.project), outlook.plan.counts,
        house.studio.proving.tested(house.project), sorted(c.id for c in house.project.chunks()),
    )  # fmt: skip


def test_removing_and_bringing_back_restores_every_count(full: House) -> None:
    before = counts(full)
    gone = next(d for d in full.project.documents() if not d.held_back)
    said = full.studio.documents.remove(full.project, gone.id)
    full.idle()
    assert said.startswith(f"“{gone.name}” is removed. 6 approved questions lose their source.")
    assert gone.name not in names(full) and counts(full) != before
    assert all(p.chunk.document != gone.id for p in full.studio.retrieval.search(full.project, ["crane"], 40)[0])
    thing = next(q for q in full.project.questions() if q.document == gone.id)
    evidence = full.studio.questions.evidence(full.project, thing)
    assert evidence is not None and (evidence.document, evidence.sentence) == ("source removed", thing.evidence)
    assert full.studio.documents.undo_remove(full.project) == f"“{gone.name}” is back."
    full.idle()
    assert counts(full) == before


def test_questions_of_a_removed_document_are_not_promised_to_a_mix(full: House) -> None:
    gone = next(d for d in full.project.documents() if not d.held_back)
    before = full.studio.mixing.pools(full.project).questions
    full.studio.documents.remove(full.project, gone.id)
    full.idle()
    after = full.studio.mixing.pools(full.project).questions
    assert {q.id for q in before} - {q.id for q in after} == {q.id for q in before if q.document == gone.id} != set()
    assert all(q.document != gone.id for q in after)


def test_a_busy_bench_refuses_before_anything_is_moved(full: House) -> None:
    gone = full.project.documents()[0]
    before = counts(full)
    gate = full.fakes.gate
    gate.clear()
    full.studio.jobs.start(full.project, "mix", "Composing", lambda task: str(gate.wait(10)))
    with pytest.raises(Busy, match="Composing"):
        full.studio.documents.remove(full.project, gone.id)
    gate.set()
    full.idle()
    assert counts(full) == before
    full.studio.documents.remove(full.project, gone.id)
    full.idle()
    gate.clear()
    full.studio.jobs.start(full.project, "mix", "Composing", lambda task: str(gate.wait(10)))
    with pytest.raises(Busy):
        full.studio.documents.undo_remove(full.project)
    assert [d.id for d in full.project.discarded_documents()] == [gone.id]


def test_what_is_not_there_cannot_be_removed_or_brought_back(house: House) -> None:
    with pytest.raises(DocumentError, match="no longer there"):
        house.studio.documents.remove(house.project, "x")
    with pytest.raises(DocumentError, match="nothing to bring back"):
        house.studio.documents.undo_remove(house.project)


def test_removed_added_again_and_brought_back_is_there_once(house: House) -> None:
    house.add({"a.md": facts(["red crane"])})
    house.studio.documents.remove(house.project, house.document("a.md").id)
    house.idle()
    house.add({"a.md": facts(["red crane"])})
    house.studio.documents.undo_remove(house.project)
    house.idle()
    assert names(house) == ["a.md"] and len(house.project.chunks()) == 1


HEADED = "~Head 1\n" + facts(["red crane"]) + "\f~Head 2\n" + facts(["blue crane"], 11)


def put_away(house: House) -> str:
    """A document in the trash with its header lines, held back, with questions and a judgement; returns its id."""
    house.add({"a.md": HEADED, "b.md": facts(["red winch"], 40)})
    house.ask()
    id = house.document("a.md").id
    blue = next(c for c in house.project.chunks() if "blue" in c.text)
    house.studio.proving.judge(house.project, "how heavy?", blue.id, True)
    house.wait(house.studio.reports.keep_repeated(house.project, id, True))
    house.studio.documents.hold_back(house.project, [id])
    house.studio.documents.remove(house.project, id)
    house.idle()
    return id


@pytest.mark.parametrize("emptied", [False, True])
def test_a_removed_file_added_again_has_its_questions_at_their_places(house: House, emptied: bool) -> None:
    """Without its header lines, as files are read at first: every word stands elsewhere than it did."""
    id = put_away(house)
    if emptied:
        shutil.rmtree(house.project.folder / "trash")
    house.add({"a.md": HEADED})
    text = house.project.text(id)
    assert "Head" not in text and house.document("a.md").held_back != emptied
    asked = [q for q in house.project.questions() if q.document == id]
    assert len(asked) == 2 and all(q.accepted and text[q.start : q.end] == q.evidence for q in asked)
    before = [q for d in house.project.decisions() for q in d.before if q.document == id]
    assert len(before) == 2 and all(text[q.start : q.end] == q.evidence for q in before)
    words = [text[j.start : j.end] for j in house.project.judgements()]
    assert words == ([] if emptied else ["The blue crane weighs 11 tonnes."])  # which holds no words to look for


def test_a_removed_file_that_reads_otherwise_by_now_is_not_deleted_by_the_way_back(house: House) -> None:
    id = put_away(house)
    house.add({"a.md": HEADED})
    before = house.project.text(id), house.project.questions(), house.project.judgements()
    with pytest.raises(ProjectError, match=r"“a\.md” was added again since and reads otherwise"):
        house.studio.documents.undo_remove(house.project, id)
    house.idle()
    assert (house.project.text(id), house.project.questions(), house.project.judgements()) == before
    assert [d.id for d in house.project.discarded_documents()] == [id]
    assert "Head" in house.project.discarded_text(id)


def test_what_is_deleted_for_good_is_in_no_file_but_what_was_made_from_it(tuned: House) -> None:
    project, studio = tuned.project, tuned.studio
    gone = next(d for d in project.documents() if not d.held_back)
    things = re.findall(r"The (\w+ \w+) weighs", project.text(gone.id))
    kept = len(project.questions()) - sum(q.document == gone.id for q in project.questions())
    own = [c for c in project.chunks() if c.document == gone.id]
    studio.proving.judge(project, f"How heavy is the {things[0]}?", own[0].id, True)
    studio.mending.edit(project, own[1].id, f"The {things[1]} weighs little.")
    tuned.idle()
    studio.retrieval.tag(project, [gone.id], "secret-tag")
    list(studio.chat.ask(project, f"How much does the {things[0]} weigh?"))
    studio.proving.start_test(project)
    tuned.idle()
    (project.folder / "vectors").mkdir()
    searcher = studio.retrieval._searcher(project)

    def holding(*words: str) -> set[str]:
        found = (p for p in project.folder.rglob("*") if p.is_file() and any(w in p.read_text() for w in words))
        return {p.relative_to(project.folder).parts[0] for p in found}

    assert {"documents", "questions.jsonl", "mends.jsonl", "chats", "datasets"} <= holding(*things)
    studio.documents.remove(project, gone.id)
    tuned.idle()
    assert [(r.document.id, r.questions) for r in studio.documents.removed(project)] == [(gone.id, 6)]
    assert studio.documents.delete(project, gone.id) == f"“{gone.name}” is deleted for good."
    tuned.idle()
    assert holding(*things, "secret-tag") == {"datasets"} and not (project.folder / "vectors").exists()
    assert "coverage.json" not in holding(gone.name) and len(project.questions()) == kept
    assert studio.documents.removed(project) == [] and not project.jobs()[0].problem
    assert studio.retrieval._searcher(project) is not searcher  # which knew the vectors of the texts
    with pytest.raises(DocumentError, match="no longer there"):
        studio.documents.delete(project, gone.id)


def test_a_start_deletes_what_was_in_the_trash_for_a_week(full: House) -> None:
    document, other = full.project.documents()[0], full.studio.home.create("Other")
    full.studio.home.discard(other.id)
    full.studio.documents.remove(full.project, document.id)
    full.idle()
    for folder in (full.studio.home.trash / other.id, full.project.folder / "trash" / document.id):
        files.write_record(folder / "discarded.json", {"at": "2020-01-01T00:00:00+00:00"})
    full.restarted().recover()
    assert full.studio.home.discarded() == [] == full.project.discarded_documents()
    assert any(q.document == document.id for q in full.project.questions())  # a person's work


def test_deleting_waits_for_a_free_bench_and_spares_what_was_added_again(full: House) -> None:
    gone = full.project.documents()[0]
    text = full.project.text(gone.id)
    full.studio.documents.remove(full.project, gone.id)
    full.idle()
    full.fakes.gate.clear()
    full.studio.jobs.start(full.project, "mix", "Composing", lambda task: str(full.fakes.gate.wait(10)))
    with pytest.raises(Busy):
        full.studio.documents.delete(full.project, gone.id)
    assert [d.id for d in full.project.discarded_documents()] == [gone.id]
    full.fakes.gate.set()
    full.idle()
    full.add({gone.name: text})
    before = full.project.questions()
    full.studio.documents.delete(full.project, gone.id)
    full.idle()
    assert full.project.questions() == before and gone.id in [d.id for d in full.project.documents()]
    assert any(c.document == gone.id for c in full.project.chunks())


def test_an_earlier_one_can_be_brought_back(full: House) -> None:
    first, second = full.project.documents()[:2]
    for document in (first, second):
        full.studio.documents.remove(full.project, document.id)
        full.idle()
    assert full.studio.documents.undo_remove(full.project, first.id) == f"“{first.name}” is back."
    full.idle()
    assert [r.document.id for r in full.studio.documents.removed(full.project)] == [second.id]


# held back, pages -----------------------------------------------------------------------------


def test_documents_are_held_back_once(house: House) -> None:
    house.add()
    house.studio.documents.ensure_held_back(house.project)
    held = [d.id for d in house.project.documents() if d.held_back]
    assert len(held) == 1
    other = next(d.id for d in house.project.documents() if not d.held_back)
    house.studio.documents.hold_back(house.project, [other])
    house.studio.documents.ensure_held_back(house.project)
    assert [d.id for d in house.project.documents() if d.held_back] == [other]


def test_few_documents_hold_none_back(house: House) -> None:
    house.add(library(3))
    house.studio.documents.ensure_held_back(house.project)
    assert not any(d.held_back for d in house.project.documents())


def test_pages_of_a_document(house: House) -> None:
    house.add({"a.md": "One.\f\nTwo\r\nlines.\fThree.", "b.md": "!locked"})
    document, pages = house.studio.documents.text(house.project, house.document("a.md").id)
    assert document.pages == 3 and pages == [(1, "One."), (2, "Two\r\nlines."), (3, "Three.")]
    assert house.studio.documents.text(house.project, house.document("b.md").id)[1] == []
    with pytest.raises(ProjectError):
        house.studio.documents.text(house.project, "../../x")
