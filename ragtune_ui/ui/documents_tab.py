"""Documents: files in, what could be read of them, and what to do where it could not."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from ragtune_ui.domain.documents import LEAST_TO_HOLD_BACK, READABLE, kind_of
from ragtune_ui.domain.errors import DocumentError, RagtuneError
from ragtune_ui.domain.runs import Job
from ragtune_ui.domain.words import counted
from ragtune_ui.ui import cards, document_drawer
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.page import Page, no_project

if TYPE_CHECKING:
    from ragtune_ui.studio.documents import DocumentRow
    from ragtune_ui.studio.studio import Studio

WORK = ("documents", "sample", "index")  # the jobs that this page tells of

# FORM ----------------------------------------------------------------------------------------

UPLOAD = "PDF, Word, PowerPoint, Excel, CSV, HTML, Markdown, text, e-books, e-mails, or a ZIP of these"
FOLDER = "Such as: ~/Documents/handbooks"

# SHOWS ---------------------------------------------------------------------------------------


def state(rows: Sequence[DocumentRow]) -> Html:
    """The pill beside the title."""
    bad = sum(not row.document.ready for row in rows)
    if not rows:
        return Html("")
    if bad:
        return cards.pill("warn", f"{bad} need{'s' if bad == 1 else ''} you")
    return cards.pill("ok", f"{len(rows):,} ready")


def working(job: Job | None) -> Html:
    """The card of reading or indexing: how far, how long still, Stop; or how it ended."""
    if job is None:
        return Html("")
    if not job.ended:
        said, stop = cards.going_on(job)
        return tag("div", tag("div", tag("h2", job.title), stop, cls="split"), cards.bar(job.share, job.title), said,
                   cls="card", aria_live="off")  # fmt: skip
    if job.state == "finished":
        return cards.note("ok", job.note) if job.what != "index" else Html("")
    if job.state == "failed":
        return cards.note("error", job.problem, job.remedy, job.details)
    return cards.note("warn", f"{job.title}: {job.state}.", job.note)


def unindexed(rows: Sequence[DocumentRow], busy: bool) -> Html:
    """What to do where documents were read and their passages were not made."""
    left = sum(row.document.ready and not row.passages for row in rows)
    if busy or not left:
        return Html("")
    make = cards.button("Make passages", do="index", kind="small")
    said = counted(left, "document has", "documents have")
    return cards.note("warn", f"{said} no passages yet.", "Search finds them once they are made.", actions=[make])


# Two buttons stand side by side where the window is wide enough, else one under the other.
_ROOM = "min-width: calc((100vw - 1024px) * 0.52)"
_KIND: dict[str, cards.Kind] = {"ready": "ok", "unreadable": "error", "too large": "error", "unsupported": "error"}


def _row(row: DocumentRow) -> list[object]:
    document = row.document
    sentences = [document.problem, *document.notes] if not document.ready else [*document.notes, row.alike]
    name = tag("button", document.name, type="button", cls="btn link", data_do="open", data_id=document.id,
               style="padding: 0; text-align: left")  # fmt: skip
    said = cards.join(tag("p", s, cls="sub") for s in sentences if s)
    held = document.held_back
    hold = tag("button", "✓ Held back" if held else "Hold back", type="button", cls="btn small", data_do="hold",
               data_id=document.id, aria_pressed="true" if held else "false",
               aria_label=f"Hold back {document.name}")  # fmt: skip
    out = cards.button("Remove" if document.ready else "Leave it out", id=document.id, kind="small danger",
                       do="" if row.questions else "remove", ask=f"remove-{document.id}" if row.questions else "",
                       label=f"Remove {document.name}")  # fmt: skip
    figures = [f"{document.pages:,}", f"{row.passages:,}", document.language] if document.ready else ["", "", ""]
    said = cards.join([tag("p", counted(document.words, "word"), cls="sub") if document.ready else "", said])
    pill = cards.pill(_KIND.get(document.status, "warn"), row.status)
    # Cells may break anywhere, for long file names; buttons may not, and the sentence needs room.
    what = tag("div", name, said, style="min-width: 104px")
    buttons = (tag("span", b, style="white-space: nowrap") for b in ([hold, out] if document.ready else [out]))
    return [what, *figures, pill, tag("div", *buttons, cls="actions", style=f"margin-top: 0; {_ROOM}")]


def table(rows: Sequence[DocumentRow]) -> Html:
    """All documents; those that need the person stand first."""
    if not rows:
        return cards.empty(
            "No documents yet",
            "Add the files that hold what people ask about: handbooks, rules, minutes. Everything else builds on them.",
        )
    heads = ["Document", "Pages", "Passages", "Language", "State", ""]
    whole = cards.table(heads, [_row(row) for row in rows], "Documents", numbers=(1, 2))
    held = "Held back: never trained on. Questions about it measure whether tuning helped."
    return tag("div", whole, tag("p", held, cls="caption"), cls="card")


def dialogs(rows: Sequence[DocumentRow], gone: Sequence[DocumentRow] = ()) -> Html:
    """A question for each document on which approved questions rest, and for each removed one."""
    made = []
    for row in rows:
        if row.questions:
            said = counted(row.questions, "approved question rests", "approved questions rest")
            body = tag("p", f"{said} on it and would lose the passage that proves the answer. "
                       "For 7 days you can bring it back; then it is deleted for good.")  # fmt: skip
            made.append(cards.dialog(f"docs-remove-{row.document.id}", f"Remove “{row.document.name}”?", body,
                                     [("remove", "Remove document", "danger")]))  # fmt: skip
    for row in gone:
        asked = counted(row.questions, "question", "questions")
        goes = ("Its file, text and earlier versions are deleted, and what quotes it: "
                f"{asked} about it, your mends and judgements of its passages, and answers compared over them. "
                "This cannot be undone.")  # fmt: skip
        stays = ("Frozen datasets, trained models, verdicts and packages made with it keep what they learned from it. "
                 "If these are to go, too, delete the project.")  # fmt: skip
        made.append(cards.dialog(f"docs-delete-{row.document.id}", f"Delete “{row.document.name}” for good?",
                                 cards.join([tag("p", goes), tag("p", stays)]),
                                 [("delete", "Delete for good", "danger")]))  # fmt: skip
    return cards.join(made)


def removed(rows: Sequence[DocumentRow]) -> Html:
    """The way back for what was removed last, and for the others; and the way out for good."""
    if not rows:
        return Html("")
    first, *others = [(row.document.id, row.document.name) for row in rows]
    note = cards.note("quiet", f"“{first[1]}” is removed.", "It is kept for 7 days.", actions=_ways(*first, "Undo"))
    if not others:
        return note
    body = [[name, tag("div", *_ways(id, name, "Bring back"), cls="actions", style="margin-top: 0")]
            for id, name in others]  # fmt: skip
    table = cards.table(["Document", ""], body, "Documents removed before")
    return Html(note + cards.folded(f"Removed before ({len(others)})", table))


def _ways(id: str, name: str, back: str) -> list[Html]:
    return [
        cards.button(back, do="undo", id=id, kind="small", label=f"Bring {name} back"),
        cards.button("Delete for good", ask=f"delete-{id}", id=id, kind="small danger",
                     label=f"Delete {name} for good"),
    ]  # fmt: skip


def missing(rows: Sequence[DocumentRow], busy: bool) -> str:
    """What stands between this page and the next, in words."""
    if busy:
        return "Reading goes on while you look around."
    if not any(row.document.ready for row in rows):
        return "Add at least one document that can be read."
    if any(row.document.held_back for row in rows):
        return ""
    if sum(row.document.ready for row in rows) < LEAST_TO_HOLD_BACK:
        return "With so few documents, a fifth of the questions is held back to measure with."
    return "No document is held back yet: writing questions chooses some."


# DOES ----------------------------------------------------------------------------------------


def upload(studio: Studio, project: Any, files: Sequence[str] | None) -> None:
    """Read uploaded files in the background, from copies of ours: Gradio sweeps its own after an hour."""
    folder = _incoming(studio, project)
    try:
        job = studio.documents.add(project, staged(folder, files or []))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    studio.jobs.then(project, job, lambda: shutil.rmtree(folder, ignore_errors=True))


def _incoming(studio: Studio, project: Any) -> Path:
    """A fresh place for uploads; what stopped reading left behind is swept."""
    place: Path = project.folder / "incoming"
    if studio.jobs.running(project, "documents") is None:
        shutil.rmtree(place, ignore_errors=True)
    return place / uuid.uuid4().hex[:8]


def staged(folder: Path, files: Sequence[str]) -> list[tuple[str, Path]]:
    """The files under ``folder``, as (name, place); linked where the disk allows it, else copied."""
    found = []
    for number, file in enumerate(files):
        place = folder / str(number) / Path(file).name
        place.parent.mkdir(parents=True)
        try:
            os.link(file, place)
        except OSError:
            shutil.copyfile(file, place)
        found.append((place.name, place))
    return found


def add_folder(studio: Studio, project: Any, folder: str) -> str:
    """Read a folder of this computer; and an empty field."""
    studio.documents.add(project, studio.documents.folder(folder or ""))
    return ""


def upload_folder(studio: Studio, project: Any, files: Sequence[str] | None) -> None:
    """Read the files of a folder that the browser sent; what RAGTune does not read is passed over."""
    known = [file for file in files or [] if kind_of(file) and not Path(file).name.startswith(".")]
    if not known:
        raise DocumentError("That folder holds no file that RAGTune reads.", f"Choose one with {READABLE}.")
    upload(studio, project, known)


def act(studio: Studio, project: Any, act: dict[str, str]) -> Any:
    """What a button in a row or in the drawer asks for; answers which page is open, and what it shows."""
    do, id = act["do"], act["id"]
    if do in ("open", "close"):
        opened = id if do == "open" else ""
        return opened, refresh_drawer(studio, project, opened)
    if do == "remove":
        studio.documents.remove(project, id)
    elif do in ("keep", "off"):
        studio.reports.keep_repeated(project, id, do == "keep")
    elif do == "hold":
        held = {d.id for d in project.documents() if d.held_back}
        studio.documents.hold_back(project, sorted(held ^ {id}))
    return gr.skip()


def confirmed(studio: Studio, project: Any, act: dict[str, str]) -> None:
    """What a dialog was answered with: a document is removed, or deleted for good."""
    do = studio.documents.delete if act["choice"] == "delete" else studio.documents.remove
    do(project, act["id"])


def manage(studio: Studio, project: Any, act: dict[str, str]) -> None:
    """Stop reading, make passages, bring a document back, or decide about a new version."""
    if act["do"] == "stop":
        studio.jobs.stop(project, act["id"])
    elif act["do"] == "replace":
        studio.versions.replace(project, act["id"].split())
    elif act["do"] == "both":
        studio.versions.keep_both(project, act["id"])
    elif act["do"] == "leave":
        studio.versions.leave_out(project, act["id"])
    elif act["do"] == "unreplace":
        studio.versions.undo(project)
    elif act["do"] == "index":
        studio.retrieval.start_index(project)
    elif act["do"] == "undo":
        studio.documents.undo_remove(project, act["id"])


def refresh(studio: Studio, project: Any) -> tuple[Any, ...]:
    """Everything on the page but the fields and the drawer."""
    rows = studio.documents.rows(project) if project else []
    job = studio.jobs.current(project) if project else None
    job = job if job is not None and job.what in WORK else None
    busy = job is not None and not job.ended
    gone = studio.documents.removed(project) if project else []
    return (
        state(rows),
        cards.join([working(job), unindexed(rows, busy), removed(gone)]),
        no_project() if project is None else table(rows) if rows or not busy else Html(""),
        dialogs(rows, gone),
        cards.next_bar("find", "Next: Passages", missing(rows, busy)),
    )


def refresh_versions(studio: Studio, project: Any) -> Html:
    """The new versions that wait, and the one replaced last."""
    if project is None:
        return Html("")
    busy = studio.jobs.holder() is not None
    return document_drawer.versions(studio.versions.waiting(project), project.replaced()[:1], busy)


def versions_key(studio: Studio, project: Any) -> Any:
    if project is None:
        return ""
    rests = [len(project.questions()), len(project.judgements()), len(project.chunks())]
    return [[d.id for d in project.waiting()], [(d.id, d.version) for d in project.replaced()], rests,
            [d.id for d in project.documents()], studio.jobs.holder() is not None]  # fmt: skip


def refresh_drawer(studio: Studio, project: Any, opened: str) -> Html:
    """The page of the document that is open, "" while none is."""
    id, _, at = opened.partition(" ")
    if project is None or id not in [d.id for d in project.documents()]:
        return Html("")
    findings = studio.reports.of(project, id)
    _, pages = studio.documents.text(project, id)
    number, picture = max(0, min(int(at or 0), len(pages) - 1)), b""
    if findings.drawable and pages:
        with suppress(RagtuneError):  # the text is worth showing all the same
            picture = studio.reports.picture(project, id, number + 1)
    source = studio.reports.source(project, id)
    return document_drawer.drawer(findings, pages, int(at or 0), picture, source)


def drawer_key(studio: Studio, project: Any, opened: str) -> Any:
    if project is None or not opened:
        return [opened, ""]
    return [opened, [(d.id, d.version, d.keep_repeated, d.words) for d in project.documents()]]


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Layout above, wiring below."""
    pill = page.header("Documents", "Add what the model should know. The text is taken out here, on this computer.")
    with gr.Row(elem_classes="two wide-left stack") as adding:
        with gr.Column(elem_classes="card"):
            files = gr.File(label=UPLOAD, file_count="multiple", elem_id="docs-upload", height=170, interactive=True)
        with gr.Column(elem_classes="card"):
            folder = gr.Textbox(label="Folder on this computer", placeholder=FOLDER, elem_id="docs-folder", max_lines=1,
                                info="Its sub-folders come too.", interactive=True)  # fmt: skip
            add = gr.Button("Add folder", elem_id="docs-folder-add", interactive=True)
            sent = gr.UploadButton("Choose a folder ...", file_count="directory", elem_id="docs-folder-upload",
                                   interactive=True)  # fmt: skip
    work = page.html(elem_id="docs-work")
    newer = page.html(elem_id="docs-versions")
    rows = page.html(elem_id="docs-table")
    asked = page.html(elem_classes="dialog-slot")
    text = page.html(elem_id="docs-text")
    opened = gr.State("")
    way = page.next("find", "Next: Passages")

    # Files that were dropped or chosen are read in the background; the field is free for more at once.
    page.on(files.upload, upload, [files])[0].then(None, None, [files], js="() => null", api_visibility="private")
    # A folder is read with its sub-folders.
    page.on([add.click, folder.submit], add_folder, [folder], [folder])
    # A folder that was chosen in the browser comes without its sub-folders' names.
    page.on(sent.upload, upload_folder, [sent])
    # Rows open, hold back and remove; the drawer turns pages and closes. What was opened comes into view.
    for done in page.on([rows.select, text.select], act, outputs=[opened, text], acts=True):
        done.then(None, js=page.script("documents.js"), api_visibility="private")
    # A document with approved questions is removed, and any is deleted for good, after its dialog.
    page.on(asked.submit, confirmed, acts=True)
    # Stop, make passages, undo; replace by a new version, keep both, leave out, bring the old one back.
    page.on([work.select, newer.select], manage, acts=True)
    # The page shows what the project folder holds.
    page.on_look(refresh, [pill, work, rows, asked, way])
    page.on_look(refresh_versions, [newer], key=versions_key)
    page.on_look(refresh_drawer, [text], [opened], key=drawer_key)
    # Without a project there is no place for files.
    page.on_look(lambda studio, project: gr.update(visible=project is not None), [adding])
