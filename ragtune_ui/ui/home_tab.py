"""Start: pick up where you left off, begin a project, or try the sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from ragtune_ui.domain.errors import Busy
from ragtune_ui.ui import cards
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.page import Page

if TYPE_CHECKING:
    from ragtune_ui.studio.progress import Step
    from ragtune_ui.studio.studio import Machine, Studio

LISTED = 8  # projects whose next step is worked out every second; the others stand below by name
BEGUN = ("done", "part", "needs", "running")

# FORM ----------------------------------------------------------------------------------------

NAME = "Such as: Crane handbook"

# SHOWS ---------------------------------------------------------------------------------------


def explanation(first: bool) -> Html:
    """What retrieval and tuning are, in three lines; folded once there is a project."""
    lines = cards.join([
        tag("p", tag("strong", "Retrieval"), " cuts your documents into passages and finds those that fit a question.",
            cls="text"),
        tag("p", tag("strong", "Tuning"), " lets a language model practise answering from passages, naming its source,"
            " and saying so when your documents do not say.", cls="text"),
        tag("p", tag("strong", "The verdict"), " asks both models held-back questions and tells whether tuning helped."
            " All of it happens on this computer, unless you name a server yourself.", cls="text"),
    ])  # fmt: skip
    if not first:
        return cards.folded("What RAGTune does", lines)
    return tag("div", cards.section("What RAGTune does"), lines, cls="card")


def computer(machine: Machine) -> Html:
    """What this computer has, for the first look; whole gigabytes, so that it does not flicker."""
    free, total, disk = (round(n / 1e9) for n in (machine.memory_free, machine.memory_total, machine.disk_free))
    rows = [("Processor", machine.device), ("Memory free", f"{free} of {total} GB"), ("Disk free", f"{disk:,} GB")]
    said = cards.pill("warn", machine.advice) if machine.advice else cards.pill("ok", "enough for the sample")
    return tag("div", tag("div", cards.section("This computer"), said, cls="split"), cards.facts(rows), cls="card")


def next_step(steps: Sequence[Step]) -> Step:
    """Where to go on: the first step that is neither done nor blocked, else the last one."""
    return next((s for s in steps[1:] if s.state not in ("done", "blocked")), steps[-1])


def going_on(id: str, name: str, steps: Sequence[Step]) -> Html:
    """The card that takes one project up again."""
    step = next_step(steps)
    begun = cards.facts([(s.title, s.line) for s in steps[1:] if s.state in BEGUN])
    button = cards.button("Continue", do="open", id=id, go=step.key, kind="primary", label=f"Continue {name}")
    return Html(cards.section(f"Continue: {name}", f"Next: {step.title}. {step.line}.") + begun
                + tag("div", button, cls="actions"))  # fmt: skip


def sample(first: bool) -> Html:
    """The card of the sample; it holds the main button as long as there is no project."""
    said = "Twelve documents of an invented ferry company with their questions. About 8 min, no files needed."
    button = cards.button("Try the sample", do="sample", kind="primary" if first else "")
    return Html(cards.section("Try the sample", said) + tag("div", button, cls="actions"))


def projects(rows: Sequence[tuple[str, str, Step | None]], open_id: str) -> Html:
    """The table of projects: (id, name, next step) each."""
    if not rows:
        return Html("")
    body = [
        [
            Html(tag("strong", name) + (" " + cards.pill("info", "open") if id == open_id else "")),
            f"{step.title}: {step.line}" if step else "",
            tag(
                "div",
                cards.button("Open", do="open", id=id, go=step.key if step else "docs", kind="small",
                             label=f"Open {name}"),
                cards.button("Rename", do="rename", id=id, kind="small", label=f"Rename {name}"),
                cards.button("Move to trash", ask=f"discard-{id}", id=id, kind="small danger",
                             label=f"Move {name} to the trash"),
                cls="actions",
                style="margin-top: 0",
            ),
        ]
        for id, name, step in rows
    ]  # fmt: skip
    table = cards.table(["Project", "Next step", ""], body, "Your projects")
    return tag("div", cards.section("Your projects"), table, cls="card")


def dialogs(rows: Sequence[tuple[str, str]], held: Sequence[tuple[str, str]] = ()) -> Html:
    """One question for each project: (id, name), and for each in the trash."""
    said = ("Documents, questions and trained models go with it. For 7 days you can bring it back from this page; "
            "then it is deleted for good.")  # fmt: skip
    lost = ("Its documents, questions, datasets, trained models, verdicts and packages are deleted from this computer. "
            "This cannot be undone. What you copied or downloaded elsewhere stays there.")  # fmt: skip
    return cards.join([
        *(cards.dialog(f"home-discard-{id}", f"Move “{name}” to the trash?", tag("p", said),
                       [("discard", "Move to trash", "danger")]) for id, name in rows),
        *(cards.dialog(f"home-delete-{id}", f"Delete “{name}” for good?", tag("p", lost),
                       [("delete", "Delete for good", "danger")]) for id, name in held),
    ])  # fmt: skip


def trash(rows: Sequence[tuple[str, str]]) -> Html:
    """Projects that can be brought back or deleted for good: (id, name) each."""
    if not rows:
        return Html("")
    body = [
        [
            name,
            tag(
                "div",
                cards.button("Bring back", do="restore", id=id, kind="small", label=f"Bring {name} back"),
                cards.button("Delete for good", ask=f"delete-{id}", id=id, kind="small danger",
                             label=f"Delete {name} for good"),
                cls="actions",
                style="margin-top: 0",
            ),
        ]
        for id, name in rows
    ]  # fmt: skip
    table = cards.table(["Project", ""], body, "Projects in the trash")
    kept = tag("p", "What has been here for 7 days is deleted for good when RAGTune starts.", cls="caption")
    return cards.folded(f"Trash ({len(rows)})", table, kept)


# DOES ----------------------------------------------------------------------------------------


def create(studio: Studio, project: Any, name: str) -> tuple[str, str]:
    """A new project, opened; and an empty name field."""
    return studio.home.create(name or "").id, ""


def try_sample(studio: Studio, project: Any, act: dict[str, str]) -> str:
    return studio.sample().id


def choose(studio: Studio, project: Any, act: dict[str, str]) -> tuple[Any, Any, Any, Any]:
    """Open a project, or show the field that renames it."""
    chosen = studio.open(act["id"])
    if act["do"] == "rename":
        return gr.skip(), chosen.id, chosen.name, gr.update(visible=True)
    return chosen.id, gr.skip(), gr.skip(), gr.skip()


def rename(studio: Studio, project: Any, id: str, name: str) -> Any:
    studio.home.rename(id, name or "")
    return gr.update(visible=False)


def leave(studio: Studio, project: Any) -> Any:
    return gr.update(visible=False)


def discard(studio: Studio, project: Any, act: dict[str, str]) -> tuple[Any, Html]:
    """Move a project to the trash, with the way back in the message."""
    gone = studio.open(act["id"])
    job, name = studio.jobs.current(gone), gone.name
    if job is not None and not job.ended:
        raise Busy(f"“{job.title}” is still running in “{name}”.", "Stop it first; its finished part is kept.")
    studio.home.discard(gone.id)
    undo = cards.button("Undo", do="restore", id=gone.id, kind="small")
    was_open = project is not None and project.id == gone.id
    return "" if was_open else gr.skip(), cards.note("ok", f"“{name}” is in the trash.", actions=[undo])


def confirmed(studio: Studio, project: Any, act: dict[str, str]) -> tuple[Any, Html]:
    """What a dialog was answered with: a project goes to the trash, or out of it for good."""
    if act["choice"] == "delete":
        return gr.skip(), cards.note("ok", studio.delete(act["id"]))
    return discard(studio, project, act)


def restore(studio: Studio, project: Any, act: dict[str, str]) -> Html:
    return cards.note("ok", f"“{studio.home.restore(act['id']).name}” is back.")


def refresh(studio: Studio, project: Any) -> tuple[Any, ...]:
    """Everything on the page but the fields."""
    found = studio.projects()
    recent = project or (found[0] if found else None)
    ways = {p.id: next_step(studio.steps(p)) for p in found[:LISTED]}
    first = not found
    held = [(card.id, card.name) for card in studio.home.discarded()]
    return (
        explanation(first),
        computer(studio.machine()) if first else Html(""),
        going_on(recent.id, recent.name, studio.steps(recent)) if recent else Html(""),
        gr.update(visible=recent is not None),
        sample(first),
        projects([(p.id, p.name, ways.get(p.id)) for p in found], project.id if project else ""),
        dialogs([(p.id, p.name) for p in found], held),
        trash(held),
    )


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Layout above, wiring below."""
    page.header("Start", "Pick up where you left off, or begin something new.")
    with gr.Row(equal_height=True):
        with gr.Column(elem_classes="card", visible=False, min_width=250) as resume:
            latest = page.html(elem_id="home-continue")
        with gr.Column(elem_classes="card", min_width=250):
            page.html(cards.section("New project", "One project holds the documents of one subject."))
            name = gr.Textbox(label="Name", placeholder=NAME, elem_id="home-name", max_lines=1, interactive=True)
            make = gr.Button("Make project", elem_id="home-create", interactive=True)
        with gr.Column(elem_classes="card", min_width=250):
            offered = page.html(sample(True), elem_id="home-sample")
    renamed = gr.State("")
    with gr.Column(elem_classes="card", visible=False) as naming:
        new = gr.Textbox(label="New name", elem_id="home-new-name", max_lines=1, interactive=True)
        with gr.Row():
            keep = gr.Button("Rename", elem_id="home-rename", elem_classes="tight", interactive=True)
            stay = gr.Button("Cancel", elem_id="home-rename-cancel", elem_classes="tight", interactive=True)
    listed = page.html(elem_id="home-projects")
    asked = page.html(elem_classes="dialog-slot")
    held = page.html(elem_id="home-trash")
    what = page.html(elem_id="home-what")
    machine = page.html(elem_id="home-machine")

    # A name makes a project and opens its Documents page.
    page.on([make.click, name.submit], create, [name], [page.project, name], project=False, go="docs")
    # The sample opens on Documents, where its reading shows.
    page.on(offered.select, try_sample, outputs=[page.project], project=False, acts=True, go="docs")
    # Continue and Open make a project the open one (the browser turns the page), Rename shows its field.
    chosen = [page.project, renamed, new, naming]
    page.on([latest.select, listed.select], choose, outputs=chosen, project=False, acts=True)
    # The new name is kept, or not.
    page.on([keep.click, new.submit], rename, [renamed, new], [naming], project=False)
    page.on(stay.click, leave, outputs=[naming], project=False)
    # A project goes to the trash, or out of it for good, after its dialog; message and trash bring it back.
    page.on(asked.submit, confirmed, outputs=[page.project, page.message], project=False, acts=True)
    page.on([page.message.select, held.select], restore, outputs=[page.message], project=False, acts=True)
    # The page shows what the home folder holds.
    page.on_look(refresh, [what, machine, latest, resume, offered, listed, asked, held])
