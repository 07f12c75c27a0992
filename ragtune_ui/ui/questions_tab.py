"""Questions: each with the sentence that answers it, to approve, mend or reject."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from ragtune_ui.domain.errors import QuestionError, RagtuneError
from ragtune_ui.domain.questions import COLUMNS
from ragtune_ui.domain.runs import Job, time_words
from ragtune_ui.domain.words import counted
from ragtune_ui.studio.questions import PAGE
from ragtune_ui.ui import author_panel, cards, question_cards
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.page import Page, no_project

if TYPE_CHECKING:
    from ragtune_ui.studio.questions import Filter, Imported
    from ragtune_ui.studio.studio import Studio

PURPOSE = (
    "Each question comes with the sentence that answers it. "
    "Approve what is right, mend what is nearly right, reject the rest."
)
WHY = (
    "The model learns from questions with their answers, and is measured by them. "
    "RAGTune writes some from your documents, or takes yours from a file below."
)
LISTED = 50  # problem rows of an import that are shown

# FORM ----------------------------------------------------------------------------------------

COUNTED = dict.fromkeys(("all", "checked", "accepted", "rejected", "train", "dev", "test"), 0)
FILTERS: list[tuple[str, Filter]] = [("To check", "to check"), ("Approved", "approved"), ("All", "all")]
SMALL: Mapping[str, Any] = {"size": "sm", "interactive": True}
FOLDED: Mapping[str, Any] = {"open": False, "elem_classes": "card"}
NOT_HERE = ("(not in this file)", "")
COLUMN_WORDS: Mapping[str, str] = {
    "question": "Question",
    "answer": "Answer",
    "source": "Document it is about",
    "split": "Use (train, dev, test)",
    "answerable": "Answered there (true, false)",
    "evidence": "Sentence that proves it",
}

# SHOWS ---------------------------------------------------------------------------------------


def counts(tally: Mapping[str, int]) -> Html:
    """How many approved questions serve which purpose."""
    said = [f"{tally['train']:,} to learn from", f"{tally['dev']:,} to check while learning",
            f"{tally['test']:,} held back to measure", f"{tally['rejected']:,} rejected"]  # fmt: skip
    return tag("p", "Approved: " + " · ".join(said), cls="sub")


def progress(tally: Mapping[str, int]) -> Html:
    """The pill beside the title."""
    kind: cards.Kind = "ok" if tally["checked"] == tally["all"] else "info"
    return cards.pill(kind, f"{tally['checked']:,} of {tally['all']:,} checked") if tally["all"] else Html("")


def writing(job: Job | None) -> Html:
    """Question writing: how far it is, with Stop; or how it ended, where that needs a word."""
    if job is None or job.what != "questions":
        return Html("")
    if not job.ended:
        left = time_words(job.left) if job.left is not None else "time left not known yet"
        stop = cards.button("Stop", do="stop", id=job.id, kind="small danger", label="Stop writing questions")
        said = tag("p", f"{job.note or 'Starting'} · {left} · questions appear as they are written", cls="sub")
        return tag("div", tag("div", tag("h2", job.title), stop, cls="split"), cards.bar(job.share, job.title), said,
                   cls="card")  # fmt: skip
    if job.state == "failed":
        return cards.note("error", job.problem, job.remedy, job.details, [("Open Documents", "docs")])
    if job.state == "finished":
        return cards.note("ok", job.note)
    return cards.note("warn", "Writing questions stopped.", "What was written is kept. Write again to go on.")


def beginning(passages: int, busy: bool) -> Html:
    """What the page shows before there are questions."""
    if not passages:
        return cards.empty("Questions come from your documents", "Add documents first: their passages are asked about.",
                           cards.button("Add documents", go="docs", kind="primary"))  # fmt: skip
    button = cards.button("Write questions", do="write", kind="primary")
    return Html("") if busy else cards.empty("No questions yet", WHY, button)


def outcome(imported: Imported) -> Html:
    """What became of an imported file, with the rows left out, counted as a spreadsheet counts them."""
    rows = imported.problems
    said = cards.note("warn" if rows or not imported.added else "ok", imported.sentence)
    if not rows:
        return said
    left = f" (the first {LISTED})" if len(rows) > LISTED else ""
    table = cards.table(["Row", "What is wrong"], [[f"{r.row:,}", r.problem] for r in rows[:LISTED]], "Rows left out",
                        numbers=(0,))  # fmt: skip
    return Html(said + cards.folded(f"{counted(len(rows), 'row')} left out{left}", table))


def missing(tally: Mapping[str, int]) -> str:
    """What stands between this page and the next, in words."""
    if not tally["accepted"]:
        return "Approve questions first: the model learns from them."
    if not tally["test"]:
        return "No approved question is held back: the verdict will have nothing to measure with."
    left = tally["all"] - tally["checked"]
    return f"{left:,} still to check; you may go on without them." if left else ""


# DOES ----------------------------------------------------------------------------------------


def _ids(studio: Studio, project: Any, show: Filter, search: str) -> list[str]:
    return [q.id for q in studio.questions.found(project, show, search or "")]


def _sheet_of(studio: Studio, project: Any, show: Filter, search: str, id: str) -> int:
    """The page of the list that holds a question; 0 where none does."""
    found = _ids(studio, project, show, search)
    return found.index(id) // PAGE if id in found else 0


@dataclass(frozen=True)
class Held:
    """What the browser holds of the page: the open question with its fields as they stand, and the list's filter."""

    cursor: str  # "project question", as the same question may stand in two projects; "" where none is open
    text: str
    answer: str
    drafts: Mapping[str, tuple[str, str]]  # changed question and answer that are not approved yet, by cursor
    show: Filter
    search: str

    def decided(self) -> Held:
        """The same after a decision about the open question: its change is approved, or given up."""
        return replace(self, drafts={key: draft for key, draft in self.drafts.items() if key != self.cursor})

    def kept(self, studio: Studio) -> Held:
        """The same with the fields among the drafts where they were changed, before they show another question."""
        rest = self.decided()
        changed = {self.cursor: (self.text, self.answer)} if self.changed(studio) else {}
        return replace(self, drafts={**rest.drafts, **changed})

    def changed(self, studio: Studio) -> bool:
        """True where the fields say something else than the shelf does of their question."""
        project, _, id = (self.cursor or "").rpartition(" ")
        try:
            found = studio.questions.get(studio.open(project), id)
        except RagtuneError:  # gone meanwhile, or none was open
            return False
        fields = ((self.text or "").strip(), (self.answer or "").strip())
        return fields != (found.question.strip(), found.answer.strip())


def _id(project: Any, cursor: str) -> str:
    """The question that is open in this project; "" where none is, or one of another project."""
    whose, _, id = (cursor or "").rpartition(" ")
    return id if project and whose == project.id else ""


# Cursor and fields travel together in one answer, so that no key press can meet the text of one question
# under the cursor of another.
Opened = tuple[Any, ...]  # cursor, question, answer, drafts, page of the list, the list


def _open(studio: Studio, project: Any, id: str, held: Held) -> Opened:
    question, cursor = studio.questions.get(project, id), f"{project.id} {id}"
    sheet = _sheet_of(studio, project, held.show, held.search, id)
    text, answer = held.drafts.get(cursor, (question.question, question.answer))
    return cursor, text, answer, held.drafts, sheet, _list(studio, project, held.show, held.search, sheet, id)


def choose(studio: Studio, project: Any, act: dict[str, str], *given: Any) -> Opened:
    """Open a question, turn the page of the list, or drop the change of the open question."""
    held = Held(*given)
    if act["do"] == "sheet":
        return *[gr.skip()] * 4, int(act["id"]), gr.skip()
    return _open(studio, project, act["id"], held.decided() if act["do"] == "drop" else held.kept(studio))


def _go_on(studio: Studio, project: Any, held: Held) -> Opened:
    id = _id(project, held.cursor)
    return _open(studio, project, studio.questions.next_to_check(project, id) or id, held.decided())


def approve(studio: Studio, project: Any, *given: Any) -> Opened:
    held = Held(*given)
    studio.questions.approve(project, _id(project, held.cursor), held.text, held.answer)
    return _go_on(studio, project, held)


def reject(studio: Studio, project: Any, *given: Any) -> Opened:
    held = Held(*given)
    studio.questions.reject(project, _id(project, held.cursor))
    return _go_on(studio, project, held)


def silent(studio: Studio, project: Any, *given: Any) -> Opened:
    """Approve it as one that the documents do not answer."""
    held = Held(*given)
    studio.questions.say_silent(project, _id(project, held.cursor), held.text)
    return _go_on(studio, project, held)


def undo(studio: Studio, project: Any, *given: Any) -> Opened:
    """Take the latest decision back and open its question."""
    held = Held(*given).kept(studio)  # before the shelf says again what it did before
    last = studio.questions.undo(project)
    return *_open(studio, project, last.before[0].id, held), cards.note("info", f"Taken back: {last.said}.")


def step(way: int) -> Any:
    """A handler that opens the next question of the list (1) or the one before (-1)."""

    def move(studio: Studio, project: Any, *given: Any) -> Any:
        held = Held(*given)
        found, id = _ids(studio, project, held.show, held.search), _id(project, held.cursor)
        at = found.index(id) + way if id in found else 0
        return _open(studio, project, found[at], held.kept(studio)) if 0 <= at < len(found) else gr.skip()

    return move


def approve_all(studio: Studio, project: Any) -> Html:
    number = studio.questions.approve_supported(project)
    return cards.note("ok", f"Approved: {counted(number, 'question')} with evidence. One Undo takes all back.")


def write(studio: Studio, project: Any, limit: float | None) -> None:
    fair = studio.questions.fair(project) if limit is None else int(limit)
    studio.questions.write(project, max(0, fair))


def manage(studio: Studio, project: Any, act: dict[str, str], limit: float | None) -> None:
    """Begin writing, or stop it."""
    if act["do"] == "stop":
        studio.jobs.stop(project, act["id"])
    else:
        write(studio, project, limit)


def preview(studio: Studio, project: Any, file: str) -> list[Any]:
    """The columns of a file in the choices, prefilled by the guess; the import button says how many rows."""
    seen = studio.questions.preview(Path(file), Path(file).name)
    choices = [NOT_HERE, *((h, h) for h in seen.headers)]
    columns = [gr.update(choices=choices, value=seen.columns.get(field, "")) for field in COLUMNS]
    return [gr.update(visible=True), gr.update(value=f"Import {counted(seen.rows, 'row')}"), *columns]


def take(studio: Studio, project: Any, file: str | None, *columns: str) -> tuple[Any, Any, Html]:
    """Import the rows of the file by the chosen columns."""
    if not file or not Path(file).exists():
        raise QuestionError("The file is no longer here.", "Choose it again.")
    chosen = {field: header for field, header in zip(COLUMNS, columns, strict=True) if header}
    if "question" not in chosen:
        raise QuestionError("No column is chosen for the question.", "Choose the column that holds the questions.")
    imported = studio.questions.import_file(project, Path(file), Path(file).name, chosen)
    return None, gr.update(visible=False), outcome(imported)


def refresh(studio: Studio, project: Any, show: Filter, search: str, sheet: int, cursor: str) -> tuple[Any, ...]:
    """Everything on the page but the fields and the evidence."""
    questions = project.questions() if project else []
    tally = studio.questions.counts(project) if project else COUNTED
    job = studio.jobs.current(project) if project else None
    busy, passages = job is not None and not job.ended, len(project.chunks()) if project else 0
    ready = sum(q.status == "proposed" and q.supported for q in questions)
    return (
        progress(tally),
        Html(writing(job) + ("" if questions else beginning(passages, busy))) if project else no_project(),
        counts(tally),
        gr.update(visible=bool(questions)),
        _list(studio, project, show, search, sheet, _id(project, cursor)) if questions else Html(""),
        gr.update(visible=ready > 0, value=f"Approve all {ready:,} with evidence"),
        gr.update(interactive=bool(project and project.decisions())),
        cards.next_bar("mix", "Next: Mix", missing(tally)),
    )


def _list(studio: Studio, project: Any, show: Filter, search: str, sheet: int, id: str) -> Html:
    search = search or ""
    _, total = studio.questions.page(project, show, search)
    sheet = max(0, min(sheet, (total - 1) // PAGE))
    rows, _ = studio.questions.page(project, show, search, sheet)
    return question_cards.listing(rows, {d.id: d for d in project.documents()}, id, sheet, total, show, search)


def first(studio: Studio, project: Any, cursor: str) -> Any:
    """Where no question is open: the cursor of the one to open, the first to check, else the first."""
    questions = project.questions() if project else []
    if not questions or any(q.id == _id(project, cursor) for q in questions):
        return gr.skip()
    return f"{project.id} {studio.questions.next_to_check(project) or questions[0].id}"


def begin(studio: Studio, project: Any, wanted: str, *given: Any) -> Opened:
    """Open the question that ``first`` names."""
    return _open(studio, project, _id(project, wanted), Held(*given).kept(studio))


def refresh_proof(studio: Studio, project: Any, cursor: str) -> Html:
    """The evidence of the open question."""
    questions = project.questions() if project else []
    at = next((n for n, q in enumerate(questions) if q.id == _id(project, cursor)), None)
    if at is None:
        return Html("")
    found = studio.questions.evidence(project, questions[at])
    return question_cards.proof(questions[at], found, at + 1, len(questions))


def proof_key(studio: Studio, project: Any, cursor: str) -> Any:
    questions = project.questions() if project else []
    open_one = next((repr(q) for q in questions if q.id == _id(project, cursor)), "")
    rest = [len(project.chunks()), [d.id for d in project.documents()]] if open_one else []
    return [open_one, len(questions), *rest]


def refresh_unsaved(studio: Studio, project: Any, *given: Any) -> Html:
    """What is changed and not approved yet: the open question, and others of this project."""
    held = Held(*given)
    mended, there = held.changed(studio), {q.id for q in project.questions()} if project else set()
    others = [id for id in (_id(project, key) for key in held.drafts if key != held.cursor) if id in there]
    return question_cards.unsaved(_id(project, held.cursor) if mended else "", others)


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Layout above, wiring below."""
    pill = page.header("Questions", PURPOSE)
    work = page.html(elem_id="ask-work")
    with gr.Row(elem_classes="two wide-right", visible=False, elem_id="ask-desk") as desk:
        with gr.Column(elem_classes="card"):
            show = gr.Radio(FILTERS, value="all", label="Show", elem_id="ask-show", interactive=True)
            search = gr.Textbox("", label="Search", elem_id="ask-search", elem_classes="key-search", max_lines=1,
                                interactive=True)  # fmt: skip
            rows = page.html(elem_id="q-list", elem_classes="key-list")
            purposes = page.html(elem_id="ask-counts")
            bulk = gr.Button("Approve all with evidence", elem_id="ask-all", visible=False, **SMALL)
            unfit = page.note()
        with gr.Column(elem_classes="card key-pane"):
            evidence = page.html(elem_id="q-evidence")
            question = gr.Textbox(label="Question", lines=2, elem_id="q-question", interactive=True)
            answer = gr.Textbox(label="Answer", lines=3, elem_id="q-answer", interactive=True)
            unsaved = page.html(elem_id="q-unsaved")
            with gr.Row():
                yes = gr.Button("✓ Approve (A)", variant="primary", elem_id="q-approve", min_width=130,
                                interactive=True, elem_classes=["key-a", "key-main"])  # fmt: skip
                no = gr.Button("✗ Reject (R)", variant="stop", elem_id="q-reject", interactive=True, min_width=130,
                               elem_classes="key-r")  # fmt: skip
                back = gr.Button("Undo (U)", elem_id="q-undo", elem_classes="key-u", interactive=False, min_width=130)
            with gr.Row():
                mute = gr.Button("Your documents do not say", elem_id="q-silent", scale=2, min_width=190, **SMALL)
                up = gr.Button("↑ Back", elem_id="q-up", elem_classes="key-up", min_width=70, **SMALL)
                down = gr.Button("↓ Next", elem_id="q-down", elem_classes="key-down", min_width=70, **SMALL)
    with gr.Accordion("Write questions from the documents", elem_id="ask-writing", **FOLDED) as writes:
        page.html(tag("p", "From the sentences of your documents; none that stands here already.", cls="sub"))
        author_panel.build(page)
        limit = gr.Number(None, label="At most, for each document", minimum=0, precision=0, elem_id="ask-limit",
                          info="Empty: 20, or more of few documents, so that 150 come together. 0: no limit.",
                          interactive=True)  # fmt: skip
        new = gr.Button("Write questions", elem_id="ask-write", interactive=True)
        unwritten = page.note()
    with gr.Accordion("Import questions from a file", elem_id="ask-import", **FOLDED) as takes:
        page.html(tag("p", "CSV, JSONL or Excel (.xlsx) with a header row; all of it counts as approved.", cls="sub"))
        file = gr.File(label="File with questions", elem_id="ask-file", height=120, interactive=True)
        trouble = page.note(lasting=True)  # rows left out are worth a look at the documents meanwhile
        with gr.Column(visible=False) as mapping:
            with gr.Row():
                columns = [gr.Dropdown([NOT_HERE], value="", label=words, elem_id=f"ask-{field}", interactive=True)
                           for field, words in COLUMN_WORDS.items()]  # fmt: skip
            imports = gr.Button("Import", elem_id="ask-import-rows", interactive=True)
    sheet, drafts = gr.State(0), gr.State({})
    # The cursor stays in the browser beside the fields: a State is the server's, and an answer ahead of them.
    cursor = gr.HTML("", html_template="<i></i>", elem_classes="dialog-slot", apply_default_css=False, js_on_load=None)
    wanted = gr.HTML("", html_template="<i></i>", elem_classes="dialog-slot", apply_default_css=False,
                     js_on_load=page.script("signal.js"))  # fmt: skip
    way = page.next("mix", "Next: Mix")
    here = [cursor, question, answer, drafts, show, search]
    opened = [cursor, question, answer, drafts, sheet, rows]

    # The list opens questions and turns its pages; up and down do the same by key.
    moved = page.on([rows.select, unsaved.select], choose, here, opened, acts=True)
    moved += page.on(up.click, step(-1), here, opened)
    moved += page.on(down.click, step(1), here, opened)
    # Where none is open, the first to check opens; the fields are written when a question opens, and only then.
    moved += page.on(wanted.select, begin, [wanted, *here], opened)
    # A decision opens the next question; Undo the one it takes back.
    moved += page.on(yes.click, approve, here, opened)
    moved += page.on(no.click, reject, here, opened)
    moved += page.on(mute.click, silent, here, opened)
    moved += page.on(back.click, undo, here, [*opened, page.message])
    # Whatever was opened is scrolled into sight within the list.
    for done in moved:
        done.then(None, js=page.script("questions.js"), api_visibility="private")
    page.on(bulk.click, approve_all, outputs=[page.message], note=unfit)
    # Questions are written in the background, until done or stopped.
    page.on(new.click, write, [limit], note=unwritten)
    page.on(work.select, manage, [limit], acts=True)
    # A file shows its columns first, then its rows come in.
    page.on(file.upload, preview, [file], [mapping, imports, *columns], note=trouble)
    page.on(imports.click, take, [file, *columns], [file, mapping, trouble], note=trouble)
    # Another filter shows its first page.
    page.on([show.change, search.change], lambda studio, project: 0, outputs=[sheet])
    # The page shows what the project holds.
    page.on_look(refresh, [pill, work, purposes, desk, rows, bulk, back, way], [show, search, sheet, cursor])
    page.on_look(first, [wanted], [cursor])
    page.on_look(refresh_proof, [evidence], [cursor], key=proof_key)
    page.on_look(refresh_unsaved, [unsaved], here)
    # Without a project there is no place for questions.
    page.on_look(lambda studio, project: [gr.update(visible=project is not None)] * 2, [writes, takes])
