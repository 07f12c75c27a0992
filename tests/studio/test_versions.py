"""New versions: what they touch is said first; afterwards only that is redone; and all of it has a way back."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from ragtune_ui.domain.errors import Busy, DocumentError, ProjectError
from ragtune_ui.domain.passages import Judgement
from ragtune_ui.store.projects import Project
from tests.studio.conftest import House, Reader, facts

HEADED = "~Head 1\n" + facts(["red crane"]) + "\f~Head 2\n" + facts(["blue crane"])
OLD = "# Cranes\n\n" + facts(["red crane", "blue crane", "green crane"])
NEW = "# Cranes\n\nA new rule stands first.\n\n" + facts(["red crane", "blue crane"]) + "\n\nThe green crane was sold."


@pytest.fixture
def old(house: House) -> House:
    """A project with one document, its questions approved, two of its passages judged."""
    house.add({"a.md": OLD, "b.md": facts(["red winch"], 40)})
    house.studio.questions.write(house.project)
    house.idle()
    house.studio.questions.approve_supported(house.project)
    chunks = {c.text: c for c in house.project.chunks()}
    for n in (0, 2):
        c = chunks[f"The {['red', 'blue', 'green'][n]} crane weighs {10 + n} tonnes."]
        judged = Judgement("how heavy?", c.document, c.start, c.end, True)
        house.project.keep_judgements([*house.project.judgements(), judged])
    return house


def state(house: House) -> tuple[object, ...]:
    return (
        [(d.name, d.digest, d.held_back) for d in house.project.documents()], house.project.questions(),
        house.project.judgements(), {c.id for c in house.project.chunks()},
    )  # fmt: skip


def test_what_a_new_version_touches_is_said_before_anything_changes(old: House) -> None:
    before = state(old)
    old.add({"a.md": NEW})
    assert state(old) == before
    (impact,) = old.studio.versions.waiting(old.project)
    assert (impact.name, impact.kept, len(impact.gone), len(impact.fresh)) == ("a.md", 2, 1, 2)
    assert [c.text for c in impact.gone] == ["The green crane weighs 12 tonnes."]
    assert (impact.standing, [q.question for q in impact.lost]) == (2, ["How much does the green crane weigh?"])
    assert (impact.judgements, impact.judgements_lost, impact.runs) == (2, 1, ())
    assert impact.sentence == "1 of 3 passages change or go, 2 are new, 1 question loses its evidence, 2 keep it."
    assert old.studio.versions.waiting(old.project)[0] is impact  # told once for one state of the project


def test_replacing_redoes_only_what_changed(old: House) -> None:
    ids = {c.text: c.id for c in old.project.chunks()}
    document = old.document("a.md")
    old.add({"a.md": NEW})
    job = old.wait(old.studio.versions.replace(old.project, [d.id for d in old.project.waiting()]))
    assert job.state == "finished" and job.note.startswith("The new version of “a.md” is in.")
    now = old.document("a.md")
    assert (now.id, now.version, now.added) == (document.id, 2, document.added) and now.digest != document.digest
    assert old.project.waiting() == [] and "A new rule" in old.project.text(now.id)
    questions = {q.question: q for q in old.project.questions()}
    for thing in ("red crane", "blue crane"):
        q = questions[f"How much does the {thing} weigh?"]
        assert q.accepted and old.project.text(now.id)[q.start : q.end] == q.evidence
    lost = questions["How much does the green crane weigh?"]
    assert (lost.status, lost.evidence, lost.outdated) == ("proposed", "", "The green crane weighs 12 tonnes.")
    assert questions["How much does the red winch weigh?"].accepted
    (judged,) = old.project.judgements()
    assert old.project.text(now.id)[judged.start : judged.end] == "The red crane weighs 10 tonnes."
    # Passages of the other document are the very same; the fake cutter names passages by their place.
    assert {c.id for c in old.project.chunks() if c.document != now.id} <= set(ids.values())


def test_undo_brings_the_old_version_and_its_questions_back(old: House) -> None:
    before = state(old)
    old.add({"a.md": NEW})
    old.wait(old.studio.versions.replace(old.project, [d.id for d in old.project.waiting()]))
    old.wait(old.studio.versions.undo(old.project))
    assert state(old) == before
    assert [d.name for d in old.project.waiting()] == ["a.md"]  # it may be chosen again
    assert old.project.replaced() == []
    with pytest.raises(DocumentError, match="no earlier version"):
        old.studio.versions.undo(old.project)
    old.wait(old.studio.versions.replace(old.project, [d.id for d in old.project.waiting()]))
    assert "A new rule" in old.project.text(old.document("a.md").id)


def test_undo_keeps_what_a_person_decided_since(old: House) -> None:
    old.add({"a.md": NEW})
    old.wait(old.studio.versions.replace(old.project, [d.id for d in old.project.waiting()]))
    lost = next(q for q in old.project.questions() if q.outdated)
    old.studio.questions.reject(old.project, lost.id)
    old.wait(old.studio.versions.undo(old.project))
    assert next(q for q in old.project.questions() if q.id == lost.id).status == "rejected"


def test_an_undone_decision_finds_its_evidence_in_every_version(old: House) -> None:
    """An undo brings questions back as they were before; the words that prove them may have moved since."""

    def stands() -> bool:
        text = {d.id: old.project.text(d.id) for d in old.project.documents()}
        asked = [q for q in old.project.questions() if q.evidence]
        return len(asked) >= 3 and all(text[q.document][q.start : q.end] == q.evidence for q in asked)

    old.studio.questions.undo(old.project)  # as before the approval, for another one
    old.studio.questions.approve_supported(old.project)
    old.add({"a.md": NEW})
    old.wait(old.studio.versions.replace(old.project, [d.id for d in old.project.waiting()]))
    assert stands()
    old.studio.questions.undo(old.project)
    assert stands() and not any(q.accepted for q in old.project.questions())
    old.studio.questions.approve_supported(old.project)
    old.wait(old.studio.versions.undo(old.project))
    assert stands()
    old.studio.questions.undo(old.project)
    assert stands()


def stray(house: House) -> list[str]:
    """Questions, and those that an undo would bring back, whose evidence is not where they say."""
    texts = {d.id: house.project.text(d.id) for d in house.project.documents()}
    asked = [*house.project.questions(), *(q for d in house.project.decisions() for q in d.before)]
    return [q.question for q in asked if q.evidence and texts[q.document][q.start : q.end] != q.evidence]


def full(*_: object) -> None:
    raise ProjectError("The disk is full.", "Free some space.")


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("lost", ["keep_questions", "keep_decisions", "keep_judgements"])
def test_a_replacement_that_fails_half_way_is_made_good_at_the_next_look(
    old: House, monkeypatch: pytest.MonkeyPatch, lost: str, restarted: bool
) -> None:
    id = old.document("a.md").id
    old.add({"a.md": NEW})
    (waiting,) = old.project.waiting()
    old.studio.questions.counts(old.project)  # all fits before
    with monkeypatch.context() as patched:
        patched.setattr(Project, lost, full)
        with pytest.raises(ProjectError, match="full"):
            old.studio.versions.replace(old.project, [waiting.id])
    assert old.document("a.md").version == 2 and bool(stray(old)) == (lost != "keep_judgements")
    (old.restarted() if restarted else old.studio).questions.counts(old.project)
    assert stray(old) == []
    questions = {q.question: q for q in old.project.questions() if q.document == id}
    assert questions["How much does the red crane weigh?"].accepted
    assert questions["How much does the green crane weigh?"].outdated == "The green crane weighs 12 tonnes."
    (judged,) = old.project.judgements()
    assert old.project.text(id)[judged.start : judged.end] == "The red crane weighs 10 tonnes."
    old.wait(old.studio.versions.undo(old.project))
    assert stray(old) == [] and len(old.project.judgements()) == 2


def test_a_document_held_back_since_stays_so_when_an_older_version_comes_back(old: House) -> None:
    id = old.document("a.md").id
    old.add({"a.md": NEW})
    old.wait(old.studio.versions.replace(old.project, [d.id for d in old.project.waiting()]))
    old.studio.documents.hold_back(old.project, [id])
    old.wait(old.studio.versions.undo(old.project))
    assert old.document("a.md").held_back and old.project.text(id) == OLD
    assert {q.split for q in old.project.questions() if q.document == id} == {"test"}


def test_a_removed_document_that_comes_back_beside_another_has_its_questions(house: House) -> None:
    house.add({"a.md": HEADED})
    house.ask()
    id = house.document("a.md").id
    house.wait(house.studio.reports.keep_repeated(house.project, id, True))
    house.studio.documents.remove(house.project, id)
    house.idle()
    house.add({"a.md": "A file of its own."})
    house.add({"a.md": HEADED})
    house.wait(house.studio.versions.keep_both(house.project, id))
    assert len(house.project.documents()) == 2 and stray(house) == []
    assert [q.document for q in house.project.questions() if q.accepted] == [id] * 2


def test_a_new_version_can_stand_beside_the_old_or_be_left_out(old: House) -> None:
    old.add({"a.md": NEW})
    old.wait(old.studio.versions.keep_both(old.project, old.project.waiting()[0].id))
    assert [d.name for d in old.project.documents()] == ["a.md", "b.md", "a.md"] and old.project.waiting() == []
    old.add({"b.md": facts(["red winch"], 50)})
    old.studio.versions.leave_out(old.project, old.project.waiting()[0].id)
    assert old.project.waiting() == [] and "40 tonnes" in old.project.text(old.document("b.md").id)
    for act in (old.studio.versions.replace, old.studio.versions.keep_both):
        with pytest.raises(DocumentError, match="no longer there"):
            act(old.project, "gone")


def test_files_of_one_name_are_versions_of_the_one_they_are_like(house: House) -> None:
    """Browsers send the files of a folder without its sub-folders: three files may be called README.md."""
    things = [["red crane", "blue crane"], ["red winch", "blue winch"], ["red ferry", "blue ferry"]]
    texts = [facts(t, 20 * n) + f"\n\nKept by the {t[0].split()[1]} master." for n, t in enumerate(things)]
    folders = []
    for round_ in range(2):
        folder = house.folder / f"round-{round_}"
        folder.mkdir()
        for n, text in enumerate(texts):
            (folder / f"{n}.md").write_text(text + ("\n\nSecond edition." if round_ else ""))
        folders.append(sorted(folder.iterdir()))
    add = lambda paths: house.wait(house.studio.documents.add(house.project, [("README.md", p) for p in paths]))
    add(folders[0])
    assert len(house.project.documents()) == 3
    add(folders[1][::-1])
    waiting = house.project.waiting()
    assert len(waiting) == 3 and len({d.replaces for d in waiting}) == 3
    for new in waiting:
        old, now = house.project.text(new.replaces), house.project.waiting_text(new.id)
        assert now.startswith(old)
    house.wait(house.studio.versions.replace(house.project, [d.id for d in waiting]))
    (house.folder / "other.md").write_text(facts(["gold mast", "teal mast"], 90))
    add([house.folder / "other.md"])  # like none of them: a document of its own
    assert house.project.waiting() == [] and len(house.project.documents()) == 4


def test_a_newer_version_takes_the_place_of_one_that_waits(old: House) -> None:
    old.add({"a.md": NEW})
    old.add({"a.md": NEW + "\n\nThird edition."})
    assert len(old.project.waiting()) == 1
    old.wait(old.studio.versions.replace(old.project, [old.project.waiting()[0].id]))
    assert "Third edition." in old.project.text(old.document("a.md").id)
    old.add({"a.md": OLD})  # the first edition again: its name and bytes are those of a document that is here
    old.wait(old.studio.versions.replace(old.project, [old.project.waiting()[0].id]))
    assert old.document("a.md").version == 3 and old.project.text(old.document("a.md").id) == OLD


def test_a_busy_bench_refuses_before_anything_is_replaced(old: House) -> None:
    old.add({"a.md": NEW})
    before, waiting = state(old), old.project.waiting()
    old.fakes.gate.clear()
    old.studio.jobs.start(old.project, "mix", "Composing", lambda task: str(old.fakes.gate.wait(10)))
    for act in (lambda: old.studio.versions.replace(old.project, [waiting[0].id]),
                lambda: old.studio.versions.keep_both(old.project, waiting[0].id)):  # fmt: skip
        with pytest.raises(Busy):
            act()
    old.fakes.gate.set()
    old.idle()
    assert state(old) == before and old.project.waiting() == waiting


def test_a_version_whose_document_was_removed_is_not_offered(old: House) -> None:
    old.add({"a.md": NEW})
    old.studio.documents.remove(old.project, old.document("a.md").id)
    old.idle()
    assert old.studio.versions.waiting(old.project) == []


def test_trained_models_that_learned_from_a_document_are_named(full: House) -> None:
    run = full.train()
    document = next(d for d in full.project.documents() if not d.held_back)
    full.add({document.name: full.project.text(document.id) + "\n\nMore."})
    (impact,) = full.studio.versions.waiting(full.project)
    assert impact.runs == (run,)
    held = next(d for d in full.project.documents() if d.held_back)
    full.add({held.name: full.project.text(held.id) + "\n\nMore."})
    assert next(i for i in full.studio.versions.waiting(full.project) if i.document == held.id).runs == ()


# archives, reports ----------------------------------------------------------------------------


def test_each_file_of_an_archive_is_a_document(house: House) -> None:
    file = house.folder / "all.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.md", facts(["red crane"]))
        archive.writestr("in/b.md", facts(["red winch"]))
        archive.writestr("photo.png", "x")
    broken = house.folder / "bad.zip"
    broken.write_bytes(b"no")
    job = house.wait(house.studio.documents.add(house.project, [("all.zip", file), ("bad.zip", broken)]))
    assert sorted(d.name for d in house.project.documents()) == ["all.zip/a.md", "all.zip/in/b.md", "bad.zip"]
    assert "1 file inside archives or e-mails left out (all.zip/photo.png): it is no kind" in job.note
    bad = house.document("bad.zip")
    assert (bad.status, bad.problem) == ("unreadable", "The archive is damaged or incomplete. Pack it again.")
    assert not (house.project.folder / "incoming").exists() or not list((house.project.folder / "incoming").iterdir())


def test_an_archive_without_documents_says_so(house: House) -> None:
    file = house.folder / "x.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photo.png", "x")
    house.wait(house.studio.documents.add(house.project, [("x.zip", file)]))
    assert "holds no document" in house.document("x.zip").problem


def test_a_better_copy_takes_the_row_of_one_that_could_not_be_read(house: House) -> None:
    house.add({"a.md": "!locked"})
    house.add({"a.md": facts(["red crane"])})
    assert [(d.name, d.status) for d in house.project.documents()] == [("a.md", "ready")]


def test_near_copies_of_files_and_pages_are_told(house: House) -> None:
    long = facts([f"thing {'abcdefghij'[n]}{'klmnopqrst'[m]}" for n in range(6) for m in range(10)])
    house.add({"a.md": long + "\fOther words " * 12, "b.md": long + "\f" + long.replace("weighs", "costs much"),
               "c.md": facts(["red crane"])})  # fmt: skip
    a, b, c = (house.document(n).id for n in ("a.md", "b.md", "c.md"))
    pages = house.studio.reports.of(house.project, b).pages
    assert [(p.page, p.document, p.other_page, p.share) for p in pages] == [(1, a, 1, 1.0)]
    house.add({"d.md": long + "\fOther words " * 12 + "!"})
    d = house.document("d.md").id
    said = house.studio.reports.alike(house.project)
    assert set(said) == {a, d} and "“d.md”" in said[a] and said[d].endswith("One of them is enough.")
    assert house.studio.reports.of(house.project, d).files[0].name == "a.md"
    assert house.studio.reports.of(house.project, c).files == ()


def test_repeated_lines_can_be_kept_and_questions_follow(house: House) -> None:
    house.add({"a.md": "~Head 1\n" + facts(["red crane"]) + "\f~Head 2\n" + facts(["blue crane"])})
    house.studio.questions.write(house.project)
    house.idle()
    house.studio.questions.approve_supported(house.project)
    id = house.document("a.md").id
    report = house.studio.reports.of(house.project, id).report
    assert report is not None and [(r.line, r.pages) for r in report.repeated] == [("~Head 1", 2)]
    assert "Head" not in house.project.text(id)
    for keep in (True, False):
        job = house.wait(house.studio.reports.keep_repeated(house.project, id, keep))
        assert job.state == "finished" and job.note.startswith(f"Repeated lines {'stay in' if keep else 'are off'}")
        assert house.document("a.md").keep_repeated is keep and ("~Head 2" in house.project.text(id)) is keep
        for q in house.project.questions():
            assert q.accepted and house.project.text(id)[q.start : q.end] == q.evidence
    house.wait(house.studio.reports.keep_repeated(house.project, id, True))
    house.studio.questions.undo(house.project)
    for q in house.project.questions():
        assert not q.accepted and house.project.text(id)[q.start : q.end] == q.evidence


def test_a_document_held_back_while_it_is_read_again_stays_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.add({"a.md": HEADED})
    id, real = house.document("a.md").id, Reader.read

    def read(reader: Reader, file: Path, kind: str, **more: object):
        house.studio.documents.hold_back(house.project, [id])
        return real(reader, file, kind, **more)

    monkeypatch.setattr(Reader, "read", read)
    assert house.wait(house.studio.reports.keep_repeated(house.project, id, True)).state == "finished"
    assert house.document("a.md").held_back and house.document("a.md").keep_repeated


def test_reading_again_that_fails_half_way_is_made_good_at_the_next_look(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.add({"a.md": HEADED})
    house.ask()
    with monkeypatch.context() as patched:
        patched.setattr(Project, "keep_questions", full)
        job = house.wait(house.studio.reports.keep_repeated(house.project, house.document("a.md").id, True))
    assert (job.state, job.problem) == ("failed", "The disk is full.") and stray(house)
    assert house.studio.versions.waiting(house.project) == [] and stray(house) == []
    assert all(q.accepted for q in house.project.questions())


def test_the_original_beside_the_text(house: House) -> None:
    house.add({"a.md": facts(["red crane"]), "b.pdf": facts(["red winch"]), "c.txt": "Grüße von hier".encode("utf-16")})
    a, b = house.document("a.md").id, house.document("b.pdf").id
    assert house.studio.reports.source(house.project, a) == facts(["red crane"])
    assert house.studio.reports.source(house.project, b) == ""
    assert house.studio.reports.source(house.project, house.document("c.txt").id) == "Grüße von hier"
    assert house.studio.reports.of(house.project, b).drawable and not house.studio.reports.of(house.project, a).drawable
    assert house.studio.reports.picture(house.project, b, 2) == b"original.pdf 2 900"
    for n in range(40):
        house.studio.reports.picture(house.project, b, n)
    assert len(house.studio.reports._pictures) == 24
    (house.project.folder / "documents" / b / "original.pdf").unlink()
    with pytest.raises(DocumentError, match="no longer there"):
        house.studio.reports.picture(house.project, b, 1)
    job = house.wait(house.studio.reports.keep_repeated(house.project, b, True))
    assert (job.state, job.problem) == ("failed", "The original is no longer there.")


def test_the_language_is_kept(house: House) -> None:
    house.add({"a.md": "Die Bremsen werden am Montag geprüft, und der Meister trägt es in das Buch ein. Das ist alt."})
    assert house.document("a.md").language == "German"
    assert replace(house.document("a.md"), language="").unit == "page"
