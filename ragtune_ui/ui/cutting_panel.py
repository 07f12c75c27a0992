"""Cutting panel of the Passages page: how documents are cut and searched, previewed live, and the search model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from ragtune_ui.domain.passages import ChunkSettings, SearchModel, SearchSettings
from ragtune_ui.ui import cards
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.form import Form, Row, choice, slider
from ragtune_ui.ui.found_cards import preview
from ragtune_ui.ui.page import Page

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

CHUNKS = Form(
    ChunkSettings,
    {
        "size": slider("Passage length, in word pieces (tokens)", 40, 1000, 10,
                       "Longer keeps more together; the built-in model has room for 640 in all."),
        "overlap": slider("Overlap, in word pieces", 0, 200, 2, "What a passage repeats of the one before it."),
        "splitter": choice("Where to cut", [("Along headings", "headings"), ("Whole sentences", "sentences"),
                                            ("Every so many word pieces", "fixed")],
                           "Along headings suits handbooks and rules."),
    },
)  # fmt: skip

# FORM ----------------------------------------------------------------------------------------


def reranker_field(page: Page, elem_id: str) -> Any:
    """A field for a reranker: none, one of the list, or a folder that is typed."""
    offers = [("None", ""), *((m.title, m.id) for m in page.studio.retrieval.models() if m.kind == "reranker")]
    return gr.Dropdown(offers, value="", label="Read the best again (reranker)", allow_custom_value=True,
                       info="Slower and sharper. One of the list, or a folder on this computer.", elem_id=elem_id,
                       interactive=True)  # fmt: skip


def search_form(page: Page) -> Form[SearchSettings]:
    """The settings of the search, as a form."""

    def reranker(value: str, elem_id: str) -> Any:
        field = reranker_field(page, elem_id)
        field.value = value
        return field

    return Form(
        SearchSettings,
        {
            "number": slider("Passages for a question", 1, 20, 1, "More: less is missed, more is read that misleads."),
            "balance": slider("Words or meaning", 0, 1, 0.05, "0 compares words only, 1 compares meaning only."),
            "threshold": slider("Least score", 0, 1, 0.05, "Passages that score less are left out. 0 leaves none out."),
            "reranker": Row("Read the best again (reranker)", reranker),
        },
    )  # fmt: skip


# SHOWS ---------------------------------------------------------------------------------------


def models(offers: list[SearchModel], used: str, size: int, busy: bool) -> Html:
    """Search models: size, languages, speed, and a button for each that is not in use. ``size`` passages change."""
    rows = []
    for model in offers:
        if model.kind != "meaning":
            continue
        if model.id == used:
            act: Html = cards.pill("ok", "in use")
        else:
            act = cards.button("Use it", do="switch", id=model.id or "built-in", kind="small", disabled=busy,
                               label=f"Use {model.title}")  # fmt: skip
        name = tag("div", tag("strong", model.title), tag("p", model.about, cls="sub"))
        rows.append([name, model.languages, cards.size_words(model.size), speed(model.speed), act])
    heads = ["Search model", "Languages", "Size", "Speed", ""]
    said = f"A change reads all {size:,} passages once more, beside the index that is in use; search goes on meanwhile."
    other = "" if any(m.id == used for m in offers) else tag("p", f"In use: {used}", cls="sub")
    return Html(cards.table(heads, rows, "Search models", numbers=(2,)) + other + tag("p", said, cls="caption"))


def speed(value: float) -> str:
    """``as the built-in``, ``half as fast``."""
    return "as the built-in" if value >= 1 else f"{100 * value:.0f} % of the built-in"


# DOES ----------------------------------------------------------------------------------------


def keep(studio: Studio, project: Any, chunks: ChunkSettings, *search: Any) -> Html:
    """Keep the settings; says when passages are made again."""
    settings = SearchSettings(*_read(search))
    again = studio.retrieval.change(project, chunks, settings)
    if again:
        return cards.note("info", "Kept. Passages are made again now; search answers from the old ones until then.")
    return cards.note("ok", "Kept. The next search, the chat, the training data and the verdict use it.")


def _read(values: tuple[Any, ...]) -> tuple[int, float, float, str]:
    number, balance, threshold, reranker = values
    return int(number), float(balance), float(threshold), str(reranker or "").strip()


def look(studio: Studio, project: Any, document: str, size: float, overlap: float, splitter: str) -> Html:
    """How the chosen document would be cut."""
    if not document:
        first = next((d.id for d in project.documents() if d.ready), "")
        if not first:
            return tag("p", "Add a document to see how it would be cut.", cls="empty-line")
        document = first
    settings = CHUNKS.read({"size": size, "overlap": overlap, "splitter": splitter})
    return preview(studio.retrieval.preview(project, document, settings), "the model")


def load(studio: Studio, project: Any) -> list[Any]:
    """The kept settings, into the sliders; the documents to preview."""
    kept = project.choices()
    documents = [(d.name, d.id) for d in project.documents() if d.ready]
    first = documents[0][1] if documents else None
    search = [gr.update(value=getattr(kept.search, n)) for n in ("number", "balance", "threshold", "reranker")]
    return [*CHUNKS.write(kept.chunks), *search, gr.update(choices=documents, value=first)]


def kept(studio: Studio, project: Any) -> str:
    """Changes when the sliders have to be set anew: another project, or settings kept elsewhere."""
    if project is None:
        return ""
    choices = project.choices()
    return f"{project.id} {choices.chunks} {choices.search} {[d.id for d in project.documents() if d.ready]}"


def switch(studio: Studio, project: Any, act: dict[str, str]) -> Html:
    """Change the search model, in the background."""
    return use_model(studio, project, "" if act["id"] == "built-in" else act["id"])


def use_model(studio: Studio, project: Any, source: str) -> Html:
    if not (source or "").strip() and not project.choices().embedder:
        return cards.note("info", "Name a folder or a model first.")
    studio.retrieval.start_switch(project, source or "")
    return cards.note("info", "The new index is being built beside the old one, which answers until it is complete.")


def refresh(studio: Studio, project: Any) -> Html:
    if project is None:
        return Html("")
    used, busy = project.choices().embedder, studio.jobs.holder() is not None
    return models(studio.retrieval.models(), used, len(project.chunks()), busy)


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Two folded cards: settings with their preview, and the search model."""
    with gr.Accordion("How it cuts and searches", open=False, elem_classes="card", elem_id="find-how"):
        with gr.Row(elem_classes="two stack"):
            with gr.Column():
                search = search_form(page).start("find").put()
            with gr.Column():
                chunks = CHUNKS.start("find").put()
        document = gr.Dropdown([], label="Preview on this document", elem_id="find-preview-document", interactive=True)
        shown = page.html(elem_id="find-preview")
        page.html(tag("p", "A new length, overlap or way of cutting means making all passages again.", cls="sub"))
        with gr.Row():
            settle = gr.Button("Keep these settings", elem_id="find-keep", elem_classes="tight", interactive=True)
        note = page.note()
    with gr.Accordion("Search model", open=False, elem_classes="card", elem_id="find-models"):
        table = page.html(elem_id="find-models-table")
        with gr.Row():
            own = gr.Textbox(label="A folder on this computer, or a model's name on the hub", elem_id="find-model-own",
                             max_lines=1, interactive=True)  # fmt: skip
            use = gr.Button("Use it", elem_id="find-model-use", elem_classes="tight", interactive=True)
        about = page.note()
    settings = gr.HTML("", html_template="<i></i>", elem_classes="dialog-slot", apply_default_css=False,
                       js_on_load=page.script("signal.js"))  # fmt: skip

    # The preview follows each move of a slider; nothing is indexed.
    cutting = [document, *chunks.outputs]
    page.on([c.change for c in cutting], look, cutting, [shown], note=note, changed=False, trigger_mode="always_last")
    # Settings are kept by the button, and loaded when the project changes.
    page.on(settle.click, keep, search.outputs, [note], form=chunks, note=note)
    page.on(settings.select, load, outputs=[*chunks.outputs, *search.outputs, document], changed=False)
    # Another search model is indexed beside the one in use.
    page.on(table.select, switch, outputs=[about], acts=True, note=about)
    page.on(use.click, use_model, [own], [about], note=about)
    page.on_look(kept, [settings])
    page.on_look(refresh, [table])
