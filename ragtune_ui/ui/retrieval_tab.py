"""Passages: ask what the documents should answer, see what search finds, say whether it is right, mend what is not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from ragtune_ui.domain.passages import SearchSettings
from ragtune_ui.ui import cards, cutting_panel, proof_panel
from ragtune_ui.ui.cards import Html
from ragtune_ui.ui.found_cards import chips, mend_head, mends, nothing_yet, opened, results, settings_words
from ragtune_ui.ui.page import Page, no_project
from ragtune_ui.ui.proof_cards import readiness

if TYPE_CHECKING:
    from ragtune_ui.studio.retrieval import Found
    from ragtune_ui.studio.studio import Studio

ASK = "Your question, such as: At what wind speed must lifting stop?"
Own = tuple[str, Any]  # the id of the project that something was found in, and what was found
NOTHING: Own = ("", None)
MAKING = {"index", "documents", "sample"}  # work that makes passages

# DOES ----------------------------------------------------------------------------------------


def own(project: Any, held: Own) -> Any:
    """What was found, where it belongs to the open project."""
    return held[1] if project is not None and held and held[0] == project.id else None


def _said(studio: Studio, project: Any, found: Found | None) -> dict[str, bool | None]:
    if found is None:
        return {}
    return {p.chunk.id: studio.proving.verdict_on(project, found.question, p.chunk) for p in found.passages}


def narrowed(studio: Studio, project: Any, documents: Sequence[str], tags: Sequence[str]) -> list[str] | None:
    """Ids of the documents that a search is narrowed to; None for all."""
    if not documents and not tags:
        return None
    return studio.retrieval.narrowed(project, documents or [], tags or [])


def find(studio: Studio, project: Any, question: str, documents: Sequence[str], tags: Sequence[str], beside: bool,
         number: float, balance: float, threshold: float, reranker: str) -> tuple[Own, Own]:  # fmt: skip
    """Search by the project's settings and, beside it, by other ones."""
    chosen = narrowed(studio, project, documents, tags)
    found = studio.retrieval.find(project, question or "", documents=chosen)
    if not beside:
        return (project.id, found), NOTHING
    settings = SearchSettings(int(number), float(balance), float(threshold), str(reranker or "").strip())
    other = studio.retrieval.find(project, question, settings, chosen)
    return (project.id, found), (project.id, (settings, other))


def ask(studio: Studio, project: Any, act: dict[str, str]) -> tuple[str, Own, Own]:
    """Search for an example question, which then stands in the field."""
    return act["id"], (project.id, studio.retrieval.find(project, act["id"])), NOTHING


def press(studio: Studio, project: Any, act: dict[str, str], found: Own) -> tuple[Any, ...]:
    """A button on a hit: keep a judgement, open the mending, or open the passage on its page.

    Answers (message, what is mended, mending shown, its words, what is opened).
    """
    do, id = act["do"], act["id"]
    skip = gr.skip()
    if do in ("yes", "no"):
        held = own(project, found)
        if held is None:
            return skip, skip, skip, skip, skip
        said = studio.proving.judge(project, held.question, id, do == "yes")
        return cards.note("ok", said), skip, skip, skip, skip
    if do == "mend":
        chunk = studio.mending.chunk(project, id)
        return skip, (project.id, chunk), gr.update(visible=True), chunk.text, skip
    return skip, skip, skip, skip, show(studio, project, act)


def show(studio: Studio, project: Any, act: dict[str, str]) -> Html:
    """The page of a document on which a passage stands; nothing when it is closed."""
    if act["do"] != "show":
        return Html("")
    chunk = studio.mending.chunk(project, act["id"])
    document = project.document(chunk.document)
    number = document.page_at(chunk.start)
    text = project.text(document.id)
    start = document.page_starts[number - 1] if document.page_starts else 0
    end = document.page_starts[number] if number < len(document.page_starts) else len(text)
    return opened(document, number, text[start:end], start, chunk)


def mend(studio: Studio, project: Any, act: str, held: Own, text: str) -> tuple[Any, ...]:
    """Keep a change of a passage; answers (message, what is mended, mending shown)."""
    chunk = own(project, held)
    if chunk is None:
        return gr.skip(), NOTHING, gr.update(visible=False)
    if act == "edit":
        said = studio.mending.edit(project, chunk.id, text)
    else:
        said = (studio.mending.leave_out if act == "out" else studio.mending.join)(project, chunk.id)
    return cards.note("ok", said), NOTHING, gr.update(visible=False)


def keep_words(studio: Studio, project: Any, held: Own, text: str) -> tuple[Any, ...]:
    return mend(studio, project, "edit", held, text or "")


def leave_out(studio: Studio, project: Any, held: Own, text: str) -> tuple[Any, ...]:
    return mend(studio, project, "out", held, text)


def join(studio: Studio, project: Any, held: Own, text: str) -> tuple[Any, ...]:
    return mend(studio, project, "join", held, text)


def cancel(studio: Studio, project: Any) -> tuple[Any, ...]:
    return NOTHING, gr.update(visible=False)


def unmend(studio: Studio, project: Any, act: dict[str, str]) -> Html:
    """Take one change back."""
    return cards.note("ok", studio.mending.undo(project, act["id"]))


def tag_them(studio: Studio, project: Any, documents: Sequence[str], tags: str) -> tuple[Html, str]:
    """Give the chosen documents tags; answers (message, an empty field)."""
    return cards.note("ok", studio.retrieval.tag(project, documents or [], tags or "")), ""


def choices(studio: Studio, project: Any) -> list[Any]:
    """Documents and tags to narrow by."""
    documents = [(d.name, d.id) for d in project.documents() if d.ready]
    used = sorted({t for tags in studio.retrieval.tags(project).values() for t in tags})
    return [gr.update(choices=documents, value=[]), gr.update(choices=used, value=[])]


def listed(studio: Studio, project: Any) -> str:
    """Changes when documents or tags do."""
    if project is None:
        return ""
    return f"{project.id} {[d.id for d in project.documents() if d.ready]} {studio.retrieval.tags(project)}"


def make(studio: Studio, project: Any, act: dict[str, str]) -> None:
    """Make the passages that a stop left undone, in the background."""
    studio.retrieval.start_index(project)


def _making(studio: Studio, project: Any) -> Html:
    """That passages are being made; or that they have to be, and a button."""
    running = {j.what: j.title for j in project.jobs() if not j.ended}
    if "index" in running:
        said = f"{running['index']}: until that is finished, search answers from the passages before."
        return cards.note("info", said)
    wrong = "" if MAKING & set(running) else studio.retrieval.outdated(project)
    button = cards.button("Make passages", do="make", kind="small")
    remedy = "Until they are made, search answers from the passages that are there."
    return cards.note("warn", wrong, remedy, actions=[button]) if wrong else Html("")


def refresh(studio: Studio, project: Any, found: Own, other: Own, mending: Own) -> tuple[Any, ...]:
    """Hits, examples and changes, where they belong to the open project."""
    search, beside, held = own(project, found), own(project, other), own(project, mending)
    chunks = project.chunks() if project else []
    mine = f"Your settings: {settings_words(project.choices().search)}" if beside else ""
    given = studio.training.keeps_apart(project) if search else 0
    return (
        readiness(studio.proving.tested(project), studio.proving.stale(project)) if project else Html(""),
        chips(studio.retrieval.suggestions(project)) if chunks else Html(""),
        no_project() if project is None
        else results(search, _said(studio, project, search), mine, given) if search else nothing_yet(len(chunks)),
        results(beside[1], _said(studio, project, beside[1]), f"Other: {settings_words(beside[0])}", given)
        if beside else Html(""),
        _making(studio, project) if project else Html(""),
        mend_head(held) if held else Html(""),
        mends(studio.mending.rows(project)) if project else Html(""),
        cards.next_bar("ask", "Next: Questions", "" if chunks else "Passages come with the first document."),
    )  # fmt: skip


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Layout above, wiring below."""
    pill = page.header("Find passages", "Ask as your colleagues would. What is not found here, the model cannot use.")
    with gr.Row():
        question = gr.Textbox(label="Your question", show_label=False, placeholder=ASK, elem_id="find-q", max_lines=1,
                              elem_classes="key-search", scale=5, interactive=True)  # fmt: skip
        go = gr.Button("Find", variant="primary", elem_id="find-go", elem_classes="key-main", scale=1, interactive=True)
    examples = page.html(elem_id="find-examples")
    ways = _ways(page)
    busy = page.html(elem_id="find-busy", elem_classes="note-slot")
    said = page.note()
    with gr.Column(visible=False, elem_classes="card", elem_id="find-mend") as box:
        head = page.html()
        words = gr.Textbox(label="The passage", lines=6, max_lines=18, elem_id="find-mend-text", interactive=True)
        with gr.Row():
            save = gr.Button("Keep these words", elem_id="find-mend-keep", elem_classes="tight", interactive=True)
            joins = gr.Button("Join with the next", elem_id="find-mend-join", elem_classes="tight", interactive=True)
            out = gr.Button("Leave out", variant="stop", elem_id="find-mend-out", elem_classes="tight",
                            interactive=True)  # fmt: skip
            back = gr.Button("Cancel", elem_id="find-mend-cancel", elem_classes="tight", interactive=True)
    sheet = page.html(elem_id="find-sheet")
    with gr.Row(elem_classes="beside", elem_id="find-columns"):
        hits = page.html(elem_id="find-results")
        others = page.html(elem_id="find-others")
    changed = page.html(elem_id="find-mends")
    found, other, mending = gr.State(NOTHING), gr.State(NOTHING), gr.State(NOTHING)
    proof_panel.build(page, show, sheet)
    cutting_panel.build(page)
    lists = gr.HTML("", html_template="<i></i>", elem_classes="dialog-slot", apply_default_css=False,
                    js_on_load=page.script("signal.js"))  # fmt: skip
    way = page.next("ask", "Next: Questions")

    # A question is searched for, by one setting or two; an example question as well.
    waits: dict[str, Any] = {"show_progress": "minimal", "show_progress_on": hits}
    page.on([go.click, question.submit], find, [question, *ways.values()], [found, other], **waits)
    page.on(examples.select, ask, outputs=[question, found, other], acts=True, **waits)
    # Hits are judged, mended and opened on their page.
    for column in (hits, others):
        for done in page.on(column.select, press, [found], [page.message, mending, box, words, sheet], acts=True):
            done.then(None, js=page.script("passages.js"), api_visibility="private")
    page.on(sheet.select, show, outputs=[sheet], acts=True, changed=False)
    # Neither the page of a document nor the words of a passage stay for another project.
    page.per_project(sheet, "")
    page.per_project(box, gr.update(visible=False))
    # Passages that a stop left undone are made.
    page.on(busy.select, make, acts=True)
    # A passage is reworded, joined or left out; each change can be taken back.
    for button, work in ((save, keep_words), (joins, join), (out, leave_out)):
        page.on(button.click, work, [mending, words], [said, mending, box], note=said)
    page.on(back.click, cancel, outputs=[mending, box])
    page.on(changed.select, unmend, outputs=[said], acts=True, note=said)
    # Documents and tags to narrow by follow the project.
    page.on(lists.select, choices, outputs=[ways["documents"], ways["tags"]], changed=False)
    # The page shows hits with what was said about them.
    page.on_look(refresh, [pill, examples, hits, others, busy, head, changed, way], [found, other, mending])
    page.on_look(listed, [lists])


def _ways(page: Page) -> dict[str, Any]:
    """What a search may be narrowed to and compared with."""
    with gr.Accordion("Narrow or compare", open=False, elem_classes="card", elem_id="find-ways"):
        with gr.Row(elem_classes="two stack"):
            with gr.Column():
                many: dict[str, Any] = {"value": [], "multiselect": True, "interactive": True}
                documents = gr.Dropdown([], label="Only these documents", info="None chosen: all.",
                                        elem_id="find-documents", **many)  # fmt: skip
                tags = gr.Dropdown([], label="Only documents with these tags", elem_id="find-tags", **many)
                named = gr.Textbox(label="Tag the chosen documents", placeholder="Such as: safety, 2026", max_lines=1,
                                   elem_id="find-tag", info="Commas between tags; empty takes their tags away.",
                                   interactive=True)  # fmt: skip
                give = gr.Button("Tag them", elem_id="find-tag-go", elem_classes="tight", interactive=True)
            with gr.Column():
                beside = gr.Checkbox(False, label="Show other settings beside", elem_id="find-beside",
                                     info="The same question twice; nothing is kept.", interactive=True)  # fmt: skip
                number = gr.Slider(1, 20, 4, step=1, label="Passages", elem_id="find-b-number", interactive=True)
                balance = gr.Slider(0, 1, 0.8, step=0.05, label="Words (0) or meaning (1)", elem_id="find-b-balance",
                                    interactive=True)  # fmt: skip
                threshold = gr.Slider(0, 1, 0, step=0.05, label="Least score", elem_id="find-b-threshold",
                                      interactive=True)  # fmt: skip
                reranker = cutting_panel.reranker_field(page, "find-b-reranker")
        note = page.note()
    page.on(give.click, tag_them, [documents, named], [note, named], note=note)
    return {"documents": documents, "tags": tags, "beside": beside, "number": number, "balance": balance,
            "threshold": threshold, "reranker": reranker}  # fmt: skip
