"""Passages: ask what the documents should answer, see what search finds, and say whether it is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from ragtune_ui.domain.passages import ChunkSettings, SearchSettings, readable
from ragtune_ui.ui import cards
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.form import Form, slider
from ragtune_ui.ui.page import Page

if TYPE_CHECKING:
    from ragtune_ui.studio.retrieval import Found, Tested
    from ragtune_ui.studio.studio import Studio

ASK = "Your question, such as: At what wind speed must lifting stop?"
TESTS = "Asks every approved question, and each one you judged here, and looks for its passage."
ENOUGH = 0.8  # share of questions found in the first five from which the pill is green

# FORM ----------------------------------------------------------------------------------------

SEARCH = Form(
    SearchSettings,
    {
        "number": slider("Passages for a question", 1, 20, 1, "More: less is missed, more is read that misleads."),
        "balance": slider("Words or meaning", 0, 1, 0.05, "0 compares words only, 1 compares meaning only."),
    },
)  # fmt: skip
CHUNKS = Form(
    ChunkSettings,
    {
        "size": slider("Passage length, in word pieces (tokens)", 40, 1000, 10,
                       "Longer keeps more together; the built-in model reads four passages of up to 160."),
        "overlap": slider("Overlap, in word pieces", 0, 200, 2, "What a passage repeats of the one before it."),
    },
)  # fmt: skip

# SHOWS ---------------------------------------------------------------------------------------


def results(found: Found, said: Mapping[str, bool | None]) -> Html:
    """The hits of a search; ``said`` holds what the person said of each, by chunk id."""
    if not found.passages:
        return cards.empty("Nothing was found for this question", "Use fewer words, or the words of your documents.",
                           cards.button("Check the documents", go="docs"))  # fmt: skip
    many = f"{len(found.passages):,} passages" if len(found.passages) > 1 else "1 passage"
    line = f"{many} in {time_taken(found.seconds)} · best match first · marked words come from your question"
    buttons = {p.chunk.id: judging(p.chunk.id, p.rank, said.get(p.chunk.id)) for p in found.passages}
    shown = [replace(p, chunk=replace(p.chunk, text=readable(p.chunk.text))) for p in found.passages]
    weak = "" if any(p.lexical for p in found.passages) else cards.note(
        "warn", "No passage holds a word of your question; these come nearest in meaning.", "Use fewer or other words.",
        actions=[("Check the documents", "docs")])  # fmt: skip
    return Html(tag("p", line, cls="sub", role="status") + weak + cards.hits(shown, found.question, buttons))


def judging(chunk: str, rank: int, said: bool | None) -> list[Html]:
    """The two judgements on a hit; the one that was given is pressed."""

    def press(text: str, do: str, chosen: bool) -> Html:
        return tag("button", f"✓ {text}" if chosen else text, type="button", cls="btn small", data_do=do, data_id=chunk,
                   aria_pressed="true" if chosen else "false", aria_label=f"{text}: passage {rank}")  # fmt: skip

    return [press("This answers it", "yes", said is True), press("Not this", "no", said is False)]


def time_taken(seconds: float) -> str:
    """A short time: ``38 ms``, ``1.2 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.95 else f"{seconds:.1f} s"


def chips(questions: Sequence[str]) -> Html:
    """Example questions to press."""
    if not questions:
        return Html("")
    buttons = [cards.button(q, do="ask", id=q, kind="small") for q in questions]
    return Html(tag("p", "Try one of these:", cls="sub") + tag("div", *buttons, cls="actions"))


def nothing_yet(chunks: int) -> Html:
    """What the page shows before something was asked."""
    if not chunks:
        return cards.empty("There are no passages yet", "Passages are made when documents are read.",
                           cards.button("Add documents", go="docs", kind="primary"))  # fmt: skip
    return cards.empty("Ask a question your documents should answer",
                       "You see the passages that the model would be given, and why they were found.")  # fmt: skip


def readiness(tested: Tested | None) -> Html:
    """The pill beside the title: how the search does on questions whose passage is known."""
    if tested is None or not tested.questions:
        return Html("")
    right = round(tested.hit5 * tested.questions)
    kind: cards.Kind = "ok" if tested.hit5 >= ENOUGH else "warn"
    return cards.pill(kind, f"{tested.questions:,} questions, right passage in the first five: {right:,}")


def outcome(tested: Tested | None) -> Html:
    """The figures of the last test of the search."""
    if tested is None:
        return Html("")
    if not tested.questions:
        return cards.note("info", "No question tests the search yet.",
                          "Press “This answers it” on a right passage, or approve questions.")  # fmt: skip
    rows = [(f"Right passage {where}", f"{share:.0%}".replace("%", " %"), f"of {tested.questions:,} questions")
            for where, share in (("first", tested.hit1), ("in the first three", tested.hit3),
                                 ("in the first five", tested.hit5),
                                 (f"among the {tested.k} the model reads", tested.hit_k))]  # fmt: skip
    return cards.tiles(rows)


# DOES ----------------------------------------------------------------------------------------


Own = tuple[str, Any]  # the id of the project that something was found in, and what was found


def _own(project: Any, held: Own) -> Any:
    return held[1] if project is not None and held[0] == project.id else None


def _said(studio: Studio, project: Any, found: Found | None) -> dict[str, bool | None]:
    if found is None:
        return {}
    return {p.chunk.id: studio.retrieval.verdict_on(project, found.question, p.chunk) for p in found.passages}


def find(studio: Studio, project: Any, question: str) -> Own:
    return project.id, studio.retrieval.find(project, question or "")


def ask(studio: Studio, project: Any, act: dict[str, str]) -> tuple[str, Own]:
    """Search for an example question, which then stands in the field."""
    return act["id"], (project.id, studio.retrieval.find(project, act["id"]))


def judge(studio: Studio, project: Any, act: dict[str, str], found: Own) -> Html:
    """Keep "This answers it" or "Not this"."""
    question = _own(project, found).question
    return cards.note("ok", studio.retrieval.judge(project, question, act["id"], act["do"] == "yes"))


def measure(studio: Studio, project: Any) -> Own:
    return project.id, studio.retrieval.tested(project)


def keep(studio: Studio, project: Any, chunks: ChunkSettings, *search: Any) -> Html:
    """Keep the settings; says when passages are made again."""
    again = studio.retrieval.change(project, chunks, SEARCH.read(dict(zip(SEARCH.names, search, strict=True))))
    if again:
        return cards.note("info", "Kept. Passages are made again now; search follows when that is done.")
    return cards.note("ok", "Kept. The next search, the chat and the training data use it.")


def load(studio: Studio, project: Any) -> list[Any]:
    """The kept settings, into the sliders."""
    choices = project.choices()
    return [*CHUNKS.write(choices.chunks), *SEARCH.write(choices.search)]


def refresh(studio: Studio, project: Any, found: Own, tested: Own) -> tuple[Any, ...]:
    """Hits, examples and figures, where they belong to the open project."""
    search, test = _own(project, found), _own(project, tested)
    chunks = project.chunks() if project else []
    index = studio.jobs.running(project, "index") if project else None
    return (
        readiness(test),
        chips(studio.retrieval.suggestions(project)) if chunks else Html(""),
        results(search, _said(studio, project, search)) if search else nothing_yet(len(chunks)),
        outcome(test),
        cards.note("info", f"{index.title}: search answers when that is finished.") if index else Html(""),
        cards.next_bar("ask", "Next: Questions", "" if chunks else "Passages come with the first document."),
    )


def kept(studio: Studio, project: Any) -> str:
    """Changes when the sliders have to be set anew: another project, or settings kept elsewhere."""
    return f"{project.id} {project.choices().chunks} {project.choices().search}" if project else ""


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Layout above, wiring below."""
    pill = page.header("Find passages", "Ask as your colleagues would. What is not found here, the model cannot use.")
    with gr.Row():
        question = gr.Textbox(label="Your question", show_label=False, placeholder=ASK, elem_id="find-q", max_lines=1,
                              elem_classes="key-search", scale=5, interactive=True)  # fmt: skip
        go = gr.Button("Find", variant="primary", elem_id="find-go", elem_classes="key-main", scale=1, interactive=True)
    examples = page.html(elem_id="find-examples")
    busy = page.html(elem_id="find-busy", elem_classes="note-slot")
    hits = page.html(elem_id="find-results")
    with gr.Column(elem_classes="card"):
        page.html(cards.section("Does search find the right passage?", TESTS))
        with gr.Row():
            check = gr.Button("Test the search", elem_id="find-test", elem_classes="tight", interactive=True)
        figures = page.html(elem_id="find-tested")
    with gr.Accordion("How it searches", open=False, elem_classes="card", elem_id="find-how"):
        with gr.Row(elem_classes="two stack"):
            with gr.Column():
                search = SEARCH.start("find").put()
            with gr.Column():
                chunks = CHUNKS.start("find").put()
        page.html(tag("p", "A new passage length or overlap means making all passages again.", cls="sub"))
        with gr.Row():
            settle = gr.Button("Keep these settings", elem_id="find-keep", elem_classes="tight", interactive=True)
        kept_note = page.note()
    found, tested = gr.State(("", None)), gr.State(("", None))
    settings = gr.HTML("", html_template="<i></i>", elem_classes="dialog-slot", apply_default_css=False,
                       js_on_load=page.script("signal.js"))  # fmt: skip
    way = page.next("ask", "Next: Questions")

    # A question is searched for; an example question as well.
    waits: dict[str, Any] = {
        "show_progress": "minimal",
        "show_progress_on": hits,
    }  # the first one loads the search model
    page.on([go.click, question.submit], find, [question], [found], **waits)
    page.on(examples.select, ask, outputs=[question, found], acts=True, **waits)
    # A judgement on a hit is kept.
    page.on(hits.select, judge, [found], [page.message], acts=True)
    # The search is tested when asked to.
    page.on(check.click, measure, outputs=[tested], show_progress="minimal", show_progress_on=figures)
    # Settings are kept by the button, and loaded when the project changes.
    page.on(settle.click, keep, search.outputs, [kept_note], form=chunks, note=kept_note)
    page.on(settings.select, load, outputs=[*chunks.outputs, *search.outputs], changed=False)
    # The page shows hits with what was said about them.
    page.on_look(refresh, [pill, examples, hits, figures, busy, way], [found, tested])
    page.on_look(kept, [settings])
