"""Take away: the result as files that work without this program, proven to give the same answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ragtune_ui.domain.contract import Contract
from ragtune_ui.domain.errors import ShippingError
from ragtune_ui.domain.runs import Job
from ragtune_ui.ui import cards, trained
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.page import Page, no_project

# FORM ----------------------------------------------------------------------------------------

Fetched = tuple[str, str, str]  # what is packed, where its zip may be fetched, and what the button says
NOTHING: Fetched = ("", "", "")
BEHIND = ("Trained on since: pack it again.", "What lies here is the model as it was before.")
PARTS = (("Adapter (small; needs the original model)", "adapter"), ("Whole model (adapter merged in)", "merged"))

# SHOWS ---------------------------------------------------------------------------------------


def costs(sizes: Mapping[str, int], needed: int, disk_free: int) -> Html:
    """How large the parts are, how much room the chosen ones need, and how much there is."""
    rows = [
        (label.split(" (")[0], f"about {cards.size_words(sizes[part])}") for label, part in PARTS if sizes.get(part)
    ]
    rows.append(("Needed at most, as folder and as zip", f"about {cards.size_words(needed)}" if needed else "–"))
    rows.append(("Disk free", cards.size_words(disk_free)))
    return cards.facts(rows)


def progress(job: Job | None) -> Html:
    """How far packing is, or why it failed."""
    if job is None or job.state == "finished":
        return Html("")
    if not job.ended:
        note = job.note or job.title
        return tag("div", tag("p", note), cards.bar(job.share, note), cls="card stack", role="status")
    if job.state == "failed":
        return cards.note("error", job.problem, job.remedy, job.details)
    return cards.note("info", job.note or "Packing was stopped; nothing was written.")


def ready(shipment: Any) -> Html:
    """What lies ready: proof, folder, zip."""
    proven = shipment.same == shipment.of
    said = f"Same {shipment.same} of {shipment.of} answers after loading it again."
    pill = cards.pill("ok" if proven else "warn", said)
    rows = [
        ("Training", trained.name(shipment.run)),
        ("Zip", cards.size_words(shipment.size)),
        ("Made (UTC)", shipment.made[:16].replace("T", " ")),
    ]
    folder = tag(
        "div",
        tag("code", shipment.folder),
        cards.copy_button(str(shipment.folder), "Copy the folder's path"),
        cls="split",
    )
    care = (
        ""
        if proven
        else cards.note(
            "warn",
            "Some answers changed on the way.",
            "Compare them before you pass the model on; rounding of merged weights can do this.",
        )
    )
    return tag(
        "section",
        cards.section("Ready to take away"),
        cards.note("warn", *BEHIND) if shipment.behind else "",
        tag("p", pill),
        folder,
        cards.facts(rows),
        care,
        cls="card stack",
    )


def history(shipments: Sequence[Any]) -> Html:
    """All exports that lie ready, the latest first."""
    rows = [
        (
            f"{trained.name(s.run)}, trained on since" if s.behind else trained.name(s.run),
            f"{s.same} of {s.of}",
            cards.size_words(s.size),
            s.made[:16].replace("T", " "),
            cards.copy_button(str(s.folder), "Copy path"),
        )
        for s in shipments
    ]
    return cards.table(("Training", "Same answers", "Zip", "Made (UTC)", ""), rows, "Taken away before", numbers=(1, 2))


def contract_words(contract: Contract) -> Html:
    """The prompt the model was trained on: whoever uses it elsewhere needs the very same."""
    first = [("Then", contract.question)] if contract.version > 1 else []
    rows = [
        ("Instruction", contract.instruction),
        *first,
        ("Each passage", contract.passage),
        ("And again" if first else "Then", contract.question),
        ("When the documents are silent", contract.refusal),
    ]
    body = [Html(tag("dt", name) + tag("dd", tag("code", value))) for name, value in rows]
    asked = [contract.question, ""] if first else []
    text = "\n".join([contract.instruction, "", *asked, contract.passage, "", contract.question])
    return tag("div", tag("dl", *body, cls="prompt"), cards.copy_button(text, "Copy the prompt"), cls="stack")


# DOES ----------------------------------------------------------------------------------------


def pack(studio: Any, project: Any, run: str, parts: Sequence[str]) -> Fetched:
    studio.shipping.export(project, run, list(parts))
    return NOTHING  # a zip fetched before would be the old one


def fetch(studio: Any, project: Any, run: str, served: Callable[[Path], str]) -> Fetched:
    """The zip, copied by ``served`` to where the browser may get it: projects themselves are never served.

    Raises:
        ShippingError: nothing is packed, or there is no room for the copy.
    """
    shipment = shipment_of(studio, project, run)
    if shipment is None:
        raise ShippingError("Nothing is packed yet.", "Choose what to take away and pack it.")
    if shipment.behind:
        raise ShippingError(*BEHIND)
    try:
        place = served(shipment.archive)
    except OSError as error:
        remedy = "Copy the folder's path and take the files from there."
        raise ShippingError("There is no room for a copy of the zip.", remedy, str(error)) from error
    label = f"Save {trained.name(shipment.run)} ({cards.size_words(shipment.size)})"
    return packed(studio, project, run), place, label


def offered(studio: Any, project: Any, run: str, fetched: Fetched) -> Any:
    """The button that saves the fetched zip, while the page is about it and its copy was not swept."""
    mark, place, label = fetched
    if not mark or mark != packed(studio, project, run) or not Path(place).exists():
        return gr.update(value=None, visible=False)
    return gr.update(value=place, visible=True, label=label)


def packed(studio: Any, project: Any, run: str) -> str:
    """Project, training and time of what lies ready for the chosen run; "" where nothing does, or nothing of now."""
    shipment = shipment_of(studio, project, run) if project else None
    return f"{project.id} {shipment.run} {shipment.made}" if shipment and not shipment.behind else ""


def shipment_of(studio: Any, project: Any, run: str) -> Any:
    """What lies ready for the chosen run."""
    usable = [j.id for j in studio.training.usable(project)]
    chosen = run if run in usable else next(iter(usable), "")
    return next((s for s in studio.shipping.shipments(project) if s.run == chosen), None)


def stand(studio: Any, project: Any, *values: Any) -> list[Any]:
    """A cheap value that changes whenever the page would."""
    if project is None:
        return [None]
    job = next((j for j in project.jobs() if j.what == "ship"), None)
    runs = [j.id for j in studio.training.usable(project)]
    return [
        project.id,
        runs,
        [(s.run, s.made, s.behind) for s in studio.shipping.shipments(project)],
        studio.jobs.holder(),
        job and [job.id, job.seq],
        *values,
    ]


def look(studio: Any, project: Any, run: str, parts: Sequence[str]) -> list[Any]:
    """The page from the disk."""
    if project is None:
        off, hidden = gr.update(interactive=False), gr.update(visible=False)
        return [Html(""), no_project(), Html(""), off, Html(""), hidden, Html(""), hidden, Html("")]
    usable = [j.id for j in studio.training.usable(project)]
    chosen = run if run in usable else next(iter(usable), "")
    job = next((j for j in project.jobs() if j.what == "ship"), None)
    done, shipments = shipment_of(studio, project, chosen), studio.shipping.shipments(project)
    reason = why_not(bool(usable), list(parts), studio.jobs.holder())
    result = ready(done) if done else Html("")
    if not usable:
        result = cards.empty(
            "There is no trained model to take away yet",
            "Afterwards its files work without this program.",
            cards.button("Open Train", go="train"),
        )
    pill = cards.pill("ok", "packed") if done else Html("")
    pill = cards.pill("warn", "Trained on since") if done and done.behind else pill
    contract = studio.chat.setting(project, chosen)[1] if chosen else Contract()
    sizes = studio.shipping.sizes(project, chosen) if chosen else {}
    needed = studio.shipping.needed(project, chosen, list(parts)) if chosen else 0
    return [
        pill,
        Html(progress(job) + result),
        costs(sizes, needed, studio.machine().disk_free),
        gr.update(interactive=not reason, value="Pack it again" if done else "Pack it"),
        tag("p", reason, cls="sub") if reason else Html(""),
        gr.update(visible=done is not None and not done.behind),
        contract_words(contract),
        gr.update(visible=len(shipments) > 0),
        history(shipments),
    ]


def why_not(trained_model: bool, parts: Sequence[str], holder: str | None) -> str:
    """Why packing has to wait; "" where it may start."""
    if not trained_model:
        return "Needs a trained model first."
    if not parts:
        return "Choose the adapter, the whole model, or both."
    return f"“{holder}” is running. One at a time on this computer." if holder else ""


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Layout above, wiring below."""
    pill = page.header("Take away", "The tuned model as files of your own, with the prompt it was trained on.")
    run = trained.picker(page)
    with gr.Row(elem_classes="two wide-left"):
        with gr.Column(elem_classes="card"):
            parts = gr.CheckboxGroup(
                list(PARTS),
                value=["adapter", "merged"],
                label="What to take",
                elem_id="share-parts",
                info="Afterwards it is loaded again and five answers are compared.",
                interactive=True,
            )
            go = gr.Button("Pack it", variant="primary", elem_id="share-go", elem_classes="key-main", interactive=False)
            reason = page.html(elem_id="share-reason")
        with gr.Column(elem_classes="card"):
            page.html(cards.section("Size"))
            room = page.html(elem_id="share-costs")
    result = page.html(elem_id="share-result")
    with gr.Row(visible=False) as downloads:
        get = gr.Button("Get the zip in the browser", elem_id="share-get", elem_classes="tight")
        zip_file = gr.DownloadButton(
            "Save the zip", visible=False, elem_id="share-zip", elem_classes="tight", interactive=True
        )
    with gr.Accordion("The prompt it was trained on", open=False, elem_classes="card"):
        prompt = page.html(elem_id="share-prompt")
    with gr.Accordion("Taken away before", open=False, visible=False, elem_classes="card") as several:
        past = page.html(elem_id="share-history")

    fetched = gr.State(NOTHING)

    # Pack in the background; it loads the result again and compares.
    page.on(go.click, pack, [run, parts], [fetched])
    # The zip is put where the browser may fetch it, only when it is asked for.
    page.on(
        get.click,
        lambda studio, project, chosen: fetch(studio, project, chosen, page.download),
        [run],
        [fetched],
    )
    page.relook(parts.change)
    page.on_look(look, [pill, result, room, go, reason, downloads, prompt, several, past], [run, parts], key=stand)
    page.on_look(offered, [zip_file], [run, fetched])
