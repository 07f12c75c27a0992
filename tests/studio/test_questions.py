"""Questions desk: written, imported in every shape, checked by a person, and every decision undone."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ragtune_ui.domain.endpoints import Endpoint
from ragtune_ui.domain.errors import PassageError, QuestionError
from ragtune_ui.domain.questions import WITHHELD_SHARE, Question
from ragtune_ui.store.tables import read_table
from ragtune_ui.studio import questions as questions_desk
from ragtune_ui.studio.questions import PAGE, Imported
from ragtune_ui.studio.studio import Studio
from tests.studio.conftest import House, facts

HEADERS = ["Question", "Answer", "Source", "Split", "Answerable", "Evidence"]


@pytest.fixture
def read(house: House) -> House:
    """A house with documents in sub-folders, two of one name."""
    house.add(
        {
            "cranes.md": "# Cranes\n\n" + facts(["red crane", "blue crane"]) + "\n\nThe crane master is Ada Strake.",
            "old/winches.md": facts(["red winch"], 50),
            "new/winches.md": facts(["red winch"], 70),
        }
    )
    return house


def bring(house: House, name: str, data: bytes | str, columns: Mapping[str, str] | None = None) -> Imported:
    path = house.folder / f"upload{Path(name).suffix}"
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return house.studio.questions.import_file(house.project, path, name, columns)


def table(rows: list[list[object]], mark: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=mark).writerows(rows)
    return out.getvalue()


# writing --------------------------------------------------------------------------------------


def test_documents_are_held_back_before_the_first_question_is_written(house: House) -> None:
    house.add()
    assert not any(d.held_back for d in house.project.documents())
    job = house.wait(house.studio.questions.write(house.project))
    questions = house.project.questions()
    assert (job.state, job.note) == ("finished", "30 questions are waiting to be checked.") and len(questions) == 30
    held = {d.id for d in house.project.documents() if d.held_back}
    assert len(held) == 1
    for q in questions:
        assert (q.split == "test") == (q.document in held)
        assert q.status == "proposed" and q.who == "written"
    withheld = [q for q in questions if q.kind == "withheld"]
    assert all(q.split == "test" and not q.answerable and not q.evidence and q.answer for q in withheld)
    assert {q.split for q in questions} == {"train", "dev", "test"}


def test_of_few_documents_a_fifth_of_the_questions_measures(house: House) -> None:
    """One handbook is a whole project: it must end in a verdict, too."""
    house.add({"a.md": facts([f"{n}th crane" for n in range(60)])})
    house.wait(house.studio.questions.write(house.project))
    splits = Counter(q.split for q in house.project.questions())
    assert not any(d.held_back for d in house.project.documents())
    assert splits.total() == 60 and 5 <= splits["test"] <= 20 and splits["train"] > 30 and splits["dev"]
    assert all(q.answerable and q.evidence for q in house.project.questions())
    house.studio.questions.approve_supported(house.project)
    assert len(house.studio.verdicts.questions(house.project)) == splits["test"]
    learned = {q.id for q in house.studio.mixing.pools(house.project).questions}
    assert learned.isdisjoint(q.id for q in house.project.questions() if q.split != "train")


def test_few_documents_give_more_questions_each(house: House) -> None:
    """One handbook must give enough to learn from and to measure with."""
    house.add({"a.md": facts(["red crane"])})
    assert house.studio.questions.fair(house.project) == questions_desk.WANTED
    house.add({f"{n}.md": facts([f"{n}th crane"], n) for n in range(14)})
    assert house.studio.questions.fair(house.project) == questions_desk.FAIR
    assert house.studio.questions.fair(house.project, 6) == 10


def test_importing_without_splits_holds_documents_back(house: House) -> None:
    house.add()
    asked = [
        ["question", "answer", "source"],
        *(["How heavy?", f"{10 + 20 * n} tonnes", f"part-{n}.md"] for n in range(5)),
    ]
    bring(house, "q.csv", table(asked))
    (held,) = (d.id for d in house.project.documents() if d.held_back)
    assert [q.split for q in house.project.questions() if q.document == held] == ["test"]
    assert {q.split for q in house.project.questions() if q.document != held} <= {"train", "dev"}


def test_questions_without_a_document_measure_too(house: House) -> None:
    """What the documents do not say rests on none of them; some of it must measure, or refusing is never measured."""
    house.add()
    rows = [[f"Who painted the {n}th crane?", "", "false"] for n in range(40)]
    bring(house, "q.csv", table([["question", "answer", "answerable"], *rows]))
    splits = Counter(q.split for q in house.project.questions())
    assert splits.total() == 40 and 3 <= splits["test"] <= 15


def test_a_third_of_the_held_back_questions_is_asked_with_the_document_withheld(house: House) -> None:
    things = [f"{a}{n} crane" for a in "abcdefgh" for n in range(40)]
    house.add({f"{n}.md": facts(things[n * 80 : n * 80 + 80]) for n in range(4)})
    house.studio.documents.hold_back(house.project, [d.id for d in house.project.documents()])
    house.wait(house.studio.questions.write(house.project))
    questions = house.project.questions()
    share = sum(q.kind == "withheld" for q in questions) / len(questions)
    assert len(questions) == 320 and all(q.split == "test" for q in questions)
    assert share == pytest.approx(WITHHELD_SHARE, abs=0.08)
    before = questions
    house.project.keep_questions([])
    house.wait(house.studio.questions.write(house.project))
    assert house.project.questions() == before  # decided by the question, the same every time


def test_writing_again_adds_what_is_new_only(house: House) -> None:
    house.add({"a.md": facts(["red crane"])})
    house.wait(house.studio.questions.write(house.project))
    house.add({"b.md": facts(["red crane", "red winch"], 30)})
    assert house.wait(house.studio.questions.write(house.project)).result == {"written": 1}
    assert [q.question for q in house.project.questions()] == [
        "How much does the red crane weigh?", "How much does the red winch weigh?",
    ]  # fmt: skip


def test_the_model_asks_where_patterns_find_too_little_and_a_search_must_find_what_it_asks(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.project.choose(model=str(house.fakes.model))  # a larger one: the built-in reader does not write
    monkeypatch.setattr(questions_desk, "WANTED", 3)
    monkeypatch.setattr(questions_desk, "FOUND_WITHIN", 1)
    house.add({"a.md": facts(["red crane", "blue crane", "red winch"]), "b.md": "The old sailor is Ada Strake."})
    job = house.wait(house.studio.questions.write(house.project))
    asked = {q.question: q for q in house.project.questions()}
    assert "What is it?" not in asked  # nothing tells which passage it means
    assert asked["Who is the old sailor?"].evidence == "The old sailor is Ada Strake."
    assert job.result == {"written": 4} and house.fakes.written == [("b.md", 1)]
    assert house.fakes.loaded == [(house.fakes.model, None)]


def test_the_built_in_reader_proves_and_no_other_model_is_loaded_where_rules_suffice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions_desk, "WANTED", 2)
    house.add({"a.md": facts(["red crane", "blue crane", "red winch"])})
    house.wait(house.studio.questions.write(house.project))
    built_in = house.studio.model_folder("built-in")
    assert house.fakes.loaded == [(built_in, None)] and house.fakes.proved == ["a.md"]


def test_a_document_in_another_language_is_not_proven_by_a_reader_of_english(house: House) -> None:
    house.add({"a.md": facts(["red crane"])})
    document = house.document("a.md")
    with house.studio.authors.proving(replace(document, language="German")) as prover:
        assert prover is None
    with house.studio.authors.proving(replace(document, language="English")) as prover:
        assert prover is not None


def test_a_limit_caps_each_document(house: House) -> None:
    house.add()
    house.wait(house.studio.questions.write(house.project, limit=2))
    assert len(house.project.questions()) == 10


def test_the_built_in_reader_writes_nothing(house: House) -> None:
    house.add({"a.md": facts(["red crane"]) + "\n\nThe red sailor is Ada Strake."})
    house.wait(house.studio.questions.write(house.project))
    assert len(house.project.questions()) == 1 and house.fakes.written == []


def test_a_model_asks_within_the_limit(house: House) -> None:
    house.project.choose(model=str(house.fakes.model))  # a larger one: the built-in reader does not write
    house.add({"a.md": "\n\n".join(f"The {n} sailor is Ada {n.title()}." for n in ("red", "blue", "green"))})
    house.wait(house.studio.questions.write(house.project, limit=2))
    assert {wanted for _, wanted in house.fakes.written} == {2}


def test_a_model_on_a_server_writes_until_it_is_taken_back(house: House) -> None:
    house.add({"a.md": "The red sailor is Ada Strake."})
    authors, project = house.studio.authors, house.project
    assert authors.name(project) == "Reader" and authors.models("127.0.0.1:11434") == ["big", "small"]
    for url, model, said in (
        ("", "big", "not the address"),
        ("http://me:secret@127.0.0.1/v1", "big", "must not hold a name"),
        ("127.0.0.1:1", "", "No model is chosen"),
        ("127.0.0.1:1", "huge", "no model named"),
    ):
        with pytest.raises(QuestionError, match=said):
            authors.choose(project, url, model)
    assert not project.choices().endpoint.url
    authors.choose(project, "127.0.0.1:11434", "big")
    assert authors.name(project) == "big at http://127.0.0.1:11434/v1"
    house.wait(house.studio.questions.write(project))
    assert [str(model) for model, _ in house.fakes.loaded][-1] == str(Path("http://127.0.0.1:11434/v1"))
    house.fakes.away = True
    with pytest.raises(QuestionError, match="No model server answers"):
        authors.choose(project, "127.0.0.1:1", "big")
    assert house.restarted().open(project.id).choices().endpoint.model == "big"
    authors.forget(project)
    assert authors.name(project) == "Reader"


def test_a_server_on_another_computer_must_be_allowed_by_whoever_started(house: House) -> None:
    house.add({"a.md": "The red sailor is Ada Strake."})
    authors, project = house.studio.authors, house.project
    with pytest.raises(QuestionError, match="not on this computer"):
        authors.choose(project, "models.example", "big")
    project.choose(endpoint=Endpoint("https://models.example/v1", "big"))  # as it came with somebody's project
    loaded = len(house.fakes.loaded)
    with pytest.raises(QuestionError, match="not on this computer") as error:
        house.studio.questions.write(project)
    assert "RAGTUNE_SERVERS=models.example" in error.value.remedy and len(house.fakes.loaded) == loaded
    allowed = replace(house.settings, servers=("models.example",), network=False)
    studio = Studio(allowed, house.fakes.engines())
    assert studio.authors.choose(project, "models.example", "big").url == "https://models.example/v1"


def test_the_author_stays_while_it_writes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.project.choose(model=str(house.fakes.model))  # a larger one: the built-in reader does not write
    from tests.studio.conftest import Writer

    real = Writer.ask

    def ask(self, *rest):
        house.project.choose(endpoint=Endpoint("http://127.0.0.1:1/v1", "big"))
        yield from real(self, *rest)

    monkeypatch.setattr(Writer, "ask", ask)
    house.add({f"{n}.md": f"The {n} sailor is Ada {n.title()}." for n in ("red", "blue")})
    house.wait(house.studio.questions.write(house.project))
    assert len(house.fakes.written) == 2 and {m for m, _ in house.fakes.loaded} == {house.fakes.model}


def test_the_limit_counts_new_questions_only(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.project.choose(model=str(house.fakes.model))  # a larger one: the built-in reader does not write
    names = [f"a{n}" for n in range(9)]
    house.add({"a.md": "\n\n".join(f"The {n} sailor is Ada {n.title()}." for n in names)})
    for _ in range(3):
        house.wait(house.studio.questions.write(house.project, limit=2))
    assert [wanted for _, wanted in house.fakes.written] == [2, 2, 4, 4, 4, 4, 6, 6, 6, 6, 6, 6]


def test_without_passages_or_facts_there_is_nothing_to_write(house: House) -> None:
    with pytest.raises(QuestionError, match="no passages"):
        house.studio.questions.write(house.project)
    house.add({"a.md": "Nothing weighs anything here."})
    job = house.wait(house.studio.questions.write(house.project))
    assert job.state == "failed" and "No sentence" in job.problem and "Import" in job.remedy


def test_writing_again_says_that_nothing_is_new(house: House) -> None:
    house.add()
    house.wait(house.studio.questions.write(house.project))
    job = house.wait(house.studio.questions.write(house.project))
    assert (job.state, job.note) == (
        "finished",
        "Nothing new: the questions that these documents give are here already.",
    )


def test_documents_in_another_language_are_named_as_the_reason(house: House) -> None:
    german = "Die Schicht beginnt um sechs Uhr. Jeder Kran wird vor der Arbeit von zwei Personen geprüft. " * 4
    house.add({"a.md": german})
    assert house.document("a.md").language == "German"
    job = house.wait(house.studio.questions.write(house.project))
    assert job.state == "failed" and "in German" in job.problem and "any language" in job.remedy


def test_a_stop_keeps_the_questions_of_finished_documents(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.studio.conftest import Writer

    real, seen = Writer.write, []

    def write(self, document, text, chunks, *rest):
        seen.append(document)
        if len(seen) == 2:
            house.studio.jobs.stop(house.project, house.project.jobs()[0].id)
        yield from real(self, document, text, chunks, *rest)

    house.add()
    monkeypatch.setattr(Writer, "write", write)
    assert house.wait(house.studio.questions.write(house.project)).state == "stopped"
    assert len(house.project.questions()) == 6


def test_a_document_held_back_while_questions_are_written_measures(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.studio.conftest import Writer

    house.add()
    house.studio.documents.ensure_held_back(house.project)
    late, real = next(d.id for d in house.project.documents() if not d.held_back), Writer.write

    def write(self, document, text, chunks, *rest):
        if document.id == late:
            house.studio.documents.hold_back(house.project, [late])
        yield from real(self, document, text, chunks, *rest)

    monkeypatch.setattr(Writer, "write", write)
    assert house.wait(house.studio.questions.write(house.project)).result == {"written": 30}
    assert [q.split for q in house.project.questions() if q.document == late] == ["test"] * 6


# importing ------------------------------------------------------------------------------------

ROWS: list[list[object]] = [
    HEADERS,
    ["How heavy is the red crane?", "10 tonnes", "cranes.md", "train", "true", ""],
    ["Who is the master?", "ada  STRAKE", "", "dev", "", "The crane master is Ada Strake."],
    ["How deep is the harbour?", "", "", "test", "no", ""],
]


def check(house: House, imported: Imported) -> None:
    assert (imported.added, imported.doubled, imported.without_evidence, imported.problems) == (3, 0, 0, ())
    red, master, deep = house.project.questions()
    cranes = house.document("cranes.md")
    text = house.project.text(cranes.id)
    assert (red.document, red.split, red.status, red.who) == (cranes.id, "train", "approved", "import")
    assert red.evidence == text[red.start : red.end] == "The red crane weighs 10 tonnes."
    assert (master.document, master.split, master.evidence) == (cranes.id, "dev", "The crane master is Ada Strake.")
    assert text[master.start : master.end] == master.evidence
    assert (deep.answerable, deep.answer, deep.evidence, deep.document, deep.split) == (False, "", "", "", "test")


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_csv_in_every_dress(read: House, mark: str, encoding: str) -> None:
    imported = bring(read, "q.csv" if mark != "\t" else "q.tsv", table(ROWS, mark).encode(encoding))
    check(read, imported)
    assert imported.sentence == "3 questions are in."


@pytest.mark.parametrize("name", ["q.jsonl", "q.ndjson", "q.json"])
def test_json_in_every_dress(read: House, name: str) -> None:
    records = [{h.lower(): c for h, c in zip(HEADERS, row, strict=True)} for row in ROWS[1:]]
    records[2]["answerable"] = False
    text = json.dumps(records) if name == "q.json" else "\r\n".join(["", *map(json.dumps, records), ""])
    check(read, bring(read, name, "\ufeff" + text))


def workbook(rows: list[list[object]], path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)


def test_excel(read: House) -> None:
    path = read.folder / "upload"  # the place of an upload need not carry the ending
    workbook([*ROWS[:3], [*ROWS[3][:4], False, None]], path)
    preview = read.studio.questions.preview(path, "Q.XLSX")
    assert (preview.rows, preview.headers) == (3, tuple(HEADERS))
    assert preview.columns == {h.lower(): h for h in HEADERS}
    check(read, read.studio.questions.import_file(read.project, path, "Q.XLSX"))


def test_umlauts_survive_every_encoding(read: House) -> None:
    for n, encoding in enumerate(["utf-8", "utf-8-sig", "utf-16", "cp1252"]):
        bring(read, "q.csv", f"Frage;Antwort\nWie groß ist Ö{n}?;“zwölf” – 5 €\n".encode(encoding))
    assert [(q.question, q.answer) for q in read.project.questions()] == [
        (f"Wie groß ist Ö{n}?", "“zwölf” – 5 €") for n in range(4)
    ]


def test_lines_are_lines_only_at_newlines(read: House) -> None:
    record = {"question": "What\u2028is\x85this?", "answer": "a"}
    assert bring(read, "q.jsonl", json.dumps(record, ensure_ascii=False) + "\n").added == 1
    assert bring(read, "q.csv", 'question,answer\n"Two\nlines?",a\rWhy?,b\n').added == 2


BAD: list[list[object]] = [
    HEADERS,
    ["", "an answer", "", "", "", ""],  # row 2
    ["", "", "", "", "", ""],
    ["Why?", "", "", "", "", ""],  # row 4
    ["How heavy is the red crane?", "10 tonnes", "", "", "", ""],
    ["Who?", "Ada", "", "exam", "", ""],  # row 6
    ["Who else?", "Ada", "", "", "perhaps", ""],  # row 7
]


@pytest.mark.parametrize("kind", ["csv", "xlsx", "csv below blank lines", "xlsx below blank lines"])
def test_bad_rows_are_reported_by_their_spreadsheet_row(read: House, kind: str) -> None:
    lead: list[list[object]] = [[], [None, None]] if "blank" in kind else []
    path = read.folder / "upload.bin"
    if kind.startswith("xlsx"):
        workbook([*lead, *BAD], path)
    else:
        path.write_text("\n" * len(lead) + table(BAD))
    imported = read.studio.questions.import_file(read.project, path, f"q.{kind[:4].strip()}")
    assert imported.added == 1
    assert [p.row - len(lead) for p in imported.problems] == [2, 4, 6, 7]
    words = ["question is empty", "answer is empty", "'exam'", "'perhaps'"]
    assert all(word in p.problem for word, p in zip(words, imported.problems, strict=True))
    assert "4 rows were left out; the first is row" in imported.sentence


@pytest.mark.parametrize("lead", [0, 2])
def test_bad_lines_of_a_file_without_a_header_are_counted_from_one(read: House, lead: int) -> None:
    """JSONL has no header row, and an editor counts its blank lines."""
    records = [dict(zip(HEADERS, row, strict=True)) if any(row) else {} for row in BAD[1:]]
    lines = [json.dumps(r) if r else "" for r in records]
    imported = bring(read, "q.jsonl", "\n" * lead + "\n".join(lines))
    assert [p.row - lead for p in imported.problems] == [1, 3, 5, 6]
    assert bring(read, "q.json", json.dumps(records)).problems == tuple(
        replace(p, row=p.row - lead) for p in imported.problems
    )


def test_doubled_rows_come_in_once(read: House) -> None:
    rows = [HEADERS[:2], ["Why  now?", "a"], ["why now?", "b"], ["Why then?", "c"]]
    first = bring(read, "q.csv", table(rows))
    assert (first.added, first.doubled) == (2, 1) and "1 was here already" in first.sentence
    assert [q.answer for q in read.project.questions()] == ["a", "c"]
    again = bring(read, "q.csv", table(rows))
    assert (again.added, again.doubled) == (0, 3)
    assert len(read.project.questions()) == 2


def test_the_same_questions_with_a_source_come_in_once(read: House) -> None:
    rows = [["How heavy is the red crane?", "10 tonnes"], ["Who is the master?", "Ada Strake"], ["Mood?", "merry"]]
    bring(read, "q.csv", table([HEADERS[:2], *rows]))
    before = read.project.questions()
    sourced = [HEADERS[:3], *([f" {q.upper()}", a.upper(), "cranes.md"] for q, a in rows)]
    again = bring(read, "q.csv", table(sourced))
    assert (again.added, again.doubled, again.filled, again.differing) == (0, 3, 0, 0)
    assert read.project.questions() == before
    read.project.keep_questions([])
    bring(read, "q.csv", table(sourced))
    assert bring(read, "q.csv", table([HEADERS[:2], *rows])).added == 0 and len(read.project.questions()) == 3


def test_importing_again_fills_in_the_evidence_and_holds_it_back(read: House) -> None:
    cranes = read.document("cranes.md")
    read.studio.documents.hold_back(read.project, [cranes.id])
    short = [HEADERS[0], HEADERS[1], HEADERS[3]]
    assert bring(read, "q.csv", table([short, ["Who leads?", "Zzyzx", "train"]])).without_evidence == 1
    proof = "The crane master is Ada Strake."
    row = ["Who leads?", "zzyzx", "cranes.md", "", "", proof]
    again = bring(read, "q.csv", table([HEADERS, row]))
    assert again.sentence == "0 questions are in. 1 was here already, 1 has its evidence now."
    (found,) = read.project.questions()
    assert (found.evidence, found.document, found.split, found.answer) == (proof, cranes.id, "test", "Zzyzx")
    assert read.project.text(cranes.id)[found.start : found.end] == proof
    assert bring(read, "q.csv", table([HEADERS, row])).filled == 0


def test_another_answer_to_a_question_that_is_here_is_told_and_changes_nothing(read: House) -> None:
    bring(read, "q.csv", table([HEADERS[:2], ["How heavy is the red crane?", "10 tonnes"], ["Mood?", "merry"]]))
    read.studio.questions.approve(read.project, read.project.questions()[1].id, "Which mood?", "grim")
    before = read.project.questions()
    rows = [["How heavy is the red crane?", "11 tonnes", "cranes.md"], ["Mood?", "merry", ""], ["Why?", "so", ""]]
    again = bring(read, "q.csv", table([HEADERS[:3], *rows]))
    assert (again.added, again.doubled, again.differing) == (1, 2, 2)
    assert "2 were here already, 2 have another answer here (not changed)." in again.sentence
    assert read.project.questions()[:2] == before and len({q.id for q in read.project.questions()}) == 3


def test_the_same_words_about_another_document_are_another_question(read: House) -> None:
    rows = [["How heavy is the red winch?", "50 tonnes", "old/winches.md"]]
    rows.append([rows[0][0], "70 tonnes", "new/winches.md"])
    assert bring(read, "q.csv", table([HEADERS[:3], *rows])).added == 2
    assert bring(read, "q.csv", table([HEADERS[:3], *rows])).doubled == 2
    assert [q.answer for q in read.project.questions()] == ["50 tonnes", "70 tonnes"]


def test_evidence_is_found_without_a_source(read: House) -> None:
    imported = bring(
        read, "q.csv", table([HEADERS[:2], ["How heavy is the blue crane?", "11 tonnes"], ["Mood?", "merry"]])
    )
    assert (imported.added, imported.without_evidence) == (2, 1)
    blue, mood = read.project.questions()
    assert (blue.document, blue.evidence) == (read.document("cranes.md").id, "The blue crane weighs 11 tonnes.")
    assert (mood.document, mood.evidence, mood.supported) == ("", "", False)


def test_evidence_may_be_said_in_other_words(read: House) -> None:
    said = "the blue crane weighs 11 tonnes when dry"
    bring(read, "q.csv", table([HEADERS[:2], ["How heavy is the blue crane?", said]]))
    assert read.project.questions()[0].evidence == "The blue crane weighs 11 tonnes."


HANDBOOK = """Edition 2015

Notice 3: read everything.

No boat leaves after dark.

Each lift needs 5 slings, and ferry crews wear 7 badges.

A form is valid when 5 inspectors have signed it.

Smoking on the quay: no, never.

Tickets for the ferry are sold on board. They are 7 crowns."""


@pytest.mark.parametrize("source", ["handbook.md", ""])
@pytest.mark.parametrize("searched", [True, False], ids=["searched", "unsearched"])
def test_a_short_answer_is_proven_by_the_sentence_that_is_about_its_question(
    house: House, monkeypatch: pytest.MonkeyPatch, source: str, searched: bool
) -> None:
    """Not by the first "5" of the document, be it within 2015; also where a search finds nothing that answers."""
    house.add(
        {"handbook.md": HANDBOOK, "other.md": "How many inspectors must sign? Here 5 inspectors sign it, too: no."}
    )
    other, desk = house.document("other.md"), house.studio.retrieval
    if not searched:
        monkeypatch.setattr(desk, "search", lambda project, questions, **how: [[] for _ in questions])
    rows = [["How many inspectors must sign?", "5"], ["Is smoking allowed?", "No"]]
    rows += [["How much are ferry tickets?", "7"], ["Which edition is it?", "201"]]
    bring(house, "q.csv", table([HEADERS[:3], *([*row, source] for row in rows)]))
    five, no, seven, edition = house.project.questions()
    assert not edition.evidence
    if source:
        assert five.evidence == "A form is valid when 5 inspectors have signed it."
        assert no.evidence == "Smoking on the quay: no, never."
        assert not searched or seven.evidence == "They are 7 crowns."  # its passage says of what
    else:
        assert five.document == (other.id if searched else "")


def test_passages_that_are_being_made_do_not_keep_rows_with_a_source_out(
    read: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def search(*_: object, **__: object) -> None:
        raise PassageError("The passages are being made.", "Search again when that is finished.")

    monkeypatch.setattr(read.studio.retrieval, "search", search)
    rows = [HEADERS[:3], ["How heavy is the blue crane?", "11 tonnes", "cranes.md"]]
    bring(read, "q.csv", table(rows))
    assert read.project.questions()[0].evidence == "The blue crane weighs 11 tonnes."
    with pytest.raises(PassageError):
        bring(read, "q.csv", table([*rows, ["Who is the master?", "Ada Strake", ""]]))


def test_mended_passages_prove_what_they_say_now(read: House) -> None:
    """Their words stand elsewhere than in the document, whose characters evidence is made of."""
    red = next(c for c in read.project.chunks() if "red crane" in c.text)
    read.studio.mending.edit(read.project, red.id, f"By the {'very ' * 20}last count, {red.text}")
    read.idle()
    row = ["How heavy is the red crane?", "10 tonnes", ""]
    bring(read, "q.csv", table([HEADERS[:3], row, ["What does the red crane weigh?", "10 tonnes", "cranes.md"]]))
    assert [q.evidence for q in read.project.questions()] == ["The red crane weighs 10 tonnes."] * 2


@pytest.mark.parametrize("source", ["new/winches.md", "NEW/Winches.md", "new\\winches.md"])
def test_a_source_in_a_sub_folder_is_that_one(read: House, source: str) -> None:
    bring(read, "q.csv", table([HEADERS[:3], ["How heavy is the red winch?", "70 tonnes", source]]))
    (found,) = read.project.questions()
    assert (found.document, found.evidence) == (read.document("new/winches.md").id, "The red winch weighs 70 tonnes.")


@pytest.mark.parametrize("source", ["C:\\docs\\cranes.md", "/a/b/CRANES.md", "cranes.pdf", "cranes"])
def test_a_source_elsewhere_or_of_another_kind_is_known_by_its_name(read: House, source: str) -> None:
    bring(read, "q.csv", table([HEADERS[:3], ["How heavy is the red crane?", "10 tonnes", source]]))
    assert read.project.questions()[0].document == read.document("cranes.md").id


def test_an_answer_that_its_source_does_not_hold_has_no_evidence(read: House) -> None:
    imported = bring(read, "q.csv", table([HEADERS[:3], ["How heavy?", "99 tonnes", "cranes.md"]]))
    assert imported.without_evidence == 1 and read.project.questions()[0].document == ""


def test_questions_about_held_back_documents_measure(read: House) -> None:
    cranes = read.document("cranes.md")
    read.studio.documents.hold_back(read.project, [cranes.id])
    bring(read, "q.csv", table([HEADERS[:3], ["How heavy is the red crane?", "10 tonnes", "cranes.md"]]))
    (found,) = read.project.questions()
    assert (found.split, found.kind, found.answerable) == ("test", "factoid", True)


def test_questions_follow_a_document_that_is_held_back_or_released(read: House) -> None:
    """Held back, it is never trained on: its questions measure, and an undo does not bring them into training."""
    desk, project, id = read.studio.questions, read.project, read.document("cranes.md").id
    read.studio.documents.hold_back(project, [])
    asked = [
        ["How heavy is the red crane?", "10 tonnes", "cranes.md"],
        ["Who is the master?", "Ada Strake", "cranes.md"],
    ]
    bring(read, "q.csv", table([HEADERS[:3], *asked, ["How heavy is the red winch?", "50 tonnes", "old/winches.md"]]))
    splits = lambda here: {
        q.question: q.split for q in project.questions() if (q.document == id) is here and q.evidence
    }
    before, others = splits(True), splits(False)
    assert len(before) == 2 and len(others) == 1 and set(before.values()) != {"test"}
    desk.reject(project, next(q.id for q in project.questions() if q.document == id))
    read.studio.documents.hold_back(project, [id])
    assert set(splits(True).values()) == {"test"} and splits(False) == others
    desk.undo(project)
    assert set(splits(True).values()) == {"test"}
    read.studio.documents.hold_back(project, [])
    assert splits(True) == before


def test_an_index_that_is_ahead_of_the_shelf_does_no_harm(read: House) -> None:
    read.project.discard_document(read.document("cranes.md").id)  # and the index not made again yet
    imported = bring(read, "q.csv", table([HEADERS[:2], ["How heavy is the red crane?", "10 tonnes"]]))
    assert (imported.added, imported.without_evidence) == (1, 1)


def test_a_column_may_be_chosen(read: House) -> None:
    text = table([["Thema", "Lösung"], ["Why?", "because"]])
    with pytest.raises(QuestionError, match="no column with questions") as caught:
        bring(read, "q.csv", text)
    assert "choose the column" in caught.value.remedy
    assert bring(read, "q.csv", text, {"question": "Thema", "answer": "Lösung"}).added == 1


HOSTILE = {
    "empty.csv": b"",
    "blank.csv": b"\n\n",
    "header.csv": b"question,answer\n",
    "bytes.csv": b"\x81\x8d\x8f\x90\x9d",
    "wide.csv": b"question,answer\n" + b"x" * 200_000 + b",a\n",
    "torn.jsonl": b'{"question": "a"',
    "torn.json": b'[{"question": "a"',
    "list.jsonl": b"[1, 2]",
    "number.jsonl": b"7\n",
    "deep.json": b"[" * 200_000,
    "latin.jsonl": '{"question": "ä"}'.encode("latin-1"),
    "text.xlsx": b"no zip at all",
    "zip.xlsx": b"PK\x05\x06" + b"\x00" * 18,
    "q.pdf": b"%PDF",
    "nameless": b"x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_file_that_is_no_table_is_said(read: House, name: str) -> None:
    with pytest.raises(QuestionError) as caught:
        bring(read, name, HOSTILE[name])
    assert caught.value.remedy and read.project.questions() == []
    assert "JSON" in str(caught.value) or "file" in str(caught.value) or "Line" in str(caught.value)


def test_a_workbook_damaged_anywhere_is_read_or_said(read: House) -> None:
    import random

    path = read.folder / "upload.xlsx"
    workbook(ROWS, path)
    whole, rng = path.read_bytes(), random.Random(7)
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 30)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(bytes(data[: rng.randrange(len(data)) if rng.random() < 0.3 else None]))
        try:
            assert isinstance(read_table(path, "q.xlsx"), list)
        except QuestionError as error:
            assert error.remedy


def test_only_records_of_a_json_list_count(read: House) -> None:
    imported = bring(
        read, "q.json", json.dumps([3, {"question": "", "answer": "a"}, {"question": "Why?", "answer": "b"}])
    )
    assert (imported.added, [p.row for p in imported.problems]) == (1, [2])


# deciding -------------------------------------------------------------------------------------


@pytest.fixture
def asked(house: House) -> House:
    house.add({"a.md": facts(["red crane", "red winch", "red ferry"])})
    house.wait(house.studio.questions.write(house.project))
    return house


def statuses(house: House) -> list[str]:
    return [q.status for q in house.project.questions()]


def test_every_decision_can_be_undone_even_after_a_restart(asked: House) -> None:
    desk, project = asked.studio.questions, asked.project
    one, two, three = project.questions()
    assert desk.approve(project, one.id, one.question, one.answer).status == "approved"
    assert desk.approve(project, two.id, "How heavy is the winch?", two.answer).status == "edited"
    silent = desk.say_silent(project, three.id, three.question)
    assert (silent.answerable, silent.answer, silent.evidence, silent.status) == (False, "", "", "approved")
    assert desk.reject(project, one.id).status == "rejected"
    assert statuses(asked) == ["rejected", "edited", "approved"]
    assert desk.counts(project)["checked"] == 3
    later = asked.restarted().questions
    said = [later.undo(project).said for _ in range(4)]
    assert said == ["rejected", "your documents do not say", "approved", "approved"]
    assert project.questions() == [one, two, three] and project.decisions() == []
    with pytest.raises(QuestionError, match="nothing to undo"):
        later.undo(project)


def test_approving_all_is_one_step(asked: House) -> None:
    desk, project = asked.studio.questions, asked.project
    bare = Question("x", "Why?", "because")
    project.keep_questions([*project.questions(), bare])
    desk.reject(project, project.questions()[0].id)
    assert desk.approve_supported(project) == 2
    assert statuses(asked) == ["rejected", "approved", "approved", "proposed"]
    with pytest.raises(QuestionError, match="No question is waiting"):
        desk.approve_supported(project)
    assert desk.undo(project).said == "approved 2"
    assert statuses(asked) == ["rejected", "proposed", "proposed", "proposed"]


@pytest.mark.parametrize(
    ("text", "answer", "wanted"), [("  ", "a", "question is empty"), ("Why?", " ", "answer is empty")]
)
def test_nothing_empty_is_approved(asked: House, text: str, answer: str, wanted: str) -> None:
    id = asked.project.questions()[0].id
    with pytest.raises(QuestionError, match=wanted):
        asked.studio.questions.approve(asked.project, id, text, answer)
    assert statuses(asked)[0] == "proposed" and asked.project.decisions() == []
    with pytest.raises(QuestionError, match="no longer there"):
        asked.studio.questions.reject(asked.project, "x")


def test_decisions_of_many_windows_and_a_writer_are_all_kept(house: House) -> None:
    house.add({f"{n}.md": facts([f"{c}{n} crane" for c in "abcdefgh"]) for n in range(4)})
    house.wait(house.studio.questions.write(house.project))
    ids = [q.id for q in house.project.questions()]
    house.add({"late.md": facts([f"{c}9 crane" for c in "abcdefgh"])})

    def approve(part: list[str]) -> None:
        for id in part:
            q = house.studio.questions.get(house.project, id)
            house.studio.questions.approve(house.project, id, q.question, q.answer or "x")

    threads = [threading.Thread(target=approve, args=(ids[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    job = house.wait(house.studio.questions.write(house.project))
    for thread in threads:
        thread.join()
    questions = house.project.questions()
    assert job.result == {"written": 8} and len(questions) == 40
    assert sum(q.status != "proposed" for q in questions) == 32 and len(house.project.decisions()) == 32


# looking --------------------------------------------------------------------------------------


def test_pages_filters_and_the_next_to_check(full: House) -> None:
    desk, project = full.studio.questions, full.project
    first, found = desk.page(project)
    assert (len(first), found) == (PAGE, 30) and len(desk.page(project, page=1)[0]) == 5
    assert desk.page(project, search=" RED ")[1] == 6 and desk.page(project, search="21 tonnes")[1] >= 0
    assert desk.next_to_check(project) == ""
    again = project.questions()
    project.keep_questions([replace(again[0], status="rejected"), replace(again[1], status="proposed"), *again[2:]])
    assert desk.page(project, "to check") == ([project.questions()[1]], 1)
    assert desk.page(project, "approved")[1] == 28 and desk.page(project, "all")[1] == 30
    assert desk.next_to_check(project) == desk.next_to_check(project, again[5].id) == again[1].id
    assert desk.next_to_check(project, again[1].id) == again[1].id


def test_evidence_is_cut_out_of_its_surroundings(read: House) -> None:
    bring(read, "q.csv", table(ROWS))
    red, _, deep = read.project.questions()
    found = read.studio.questions.evidence(read.project, red)
    assert found is not None
    assert (found.document, found.place, found.before, found.after) == ("cranes.md", "page 1 · Cranes", "", "")
    assert found.sentence == "The red crane weighs 10 tonnes."
    assert read.studio.questions.evidence(read.project, deep) is None
    inner = replace(red, start=red.start + 4, end=red.start + 13, evidence="red crane")
    cut = read.studio.questions.evidence(read.project, inner)
    assert cut is not None and (cut.before, cut.sentence, cut.after) == ("The ", "red crane", " weighs 10 tonnes.")
    read.project.keep_chunks([])
    bare = read.studio.questions.evidence(read.project, inner)
    assert bare is not None and (bare.place, bare.before, bare.after) == ("page 1", "", "")
