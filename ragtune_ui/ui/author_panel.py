"""Author panel of the Questions page: which model writes where rules find too few."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from ragtune_ui.domain.endpoints import EXAMPLE, Endpoint
from ragtune_ui.domain.words import counted
from ragtune_ui.ui import cards
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.page import Page

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

SERVERS = (
    "If a program such as Ollama or LM Studio runs a larger model for you, RAGTune can ask it (any server that speaks "
    "the OpenAI protocol). It is shown passages of your documents, with the documents' names."
)

# SHOWS ---------------------------------------------------------------------------------------


def author(name: str, endpoint: Endpoint, allowed: bool, writes: bool = True) -> Html:
    """Who writes, and where the passages go for it."""
    if not writes:
        said = (
            "RAGTune writes by rules, and keeps what the built-in reader can answer and the search can find. For more "
            "questions choose a larger model on the Train page, or name a model server here."
        )
        return tag("p", said, cls="sub")
    first = "RAGTune writes by rules first. Where they find too few, this model writes: "
    if not endpoint.url:
        return tag("p", first, tag("strong", name), " ", cards.pill("ok", "on this computer"), cls="sub")
    if not allowed:
        where = cards.pill("error", "not allowed: another computer")
    elif not endpoint.local:
        where = cards.pill("warn", f"passages are sent to {endpoint.host}")
    elif endpoint.model.endswith("cloud"):
        where = cards.pill("warn", "runs elsewhere: passages leave this computer")
    else:
        where = cards.pill("info", "passages go to another program on this computer")
    back = cards.button("Use the model of this project", do="forget", kind="small")
    return tag("div", tag("p", first, tag("strong", name), " ", where, cls="sub"), back, cls="split")


# DOES ----------------------------------------------------------------------------------------


def find(studio: Studio, project: Any, url: str) -> tuple[Any, Html]:
    """The models of a server, into the choices."""
    names = studio.authors.models(url)
    if not names:
        return gr.skip(), cards.note("warn", "The server has no model yet.", "Fetch one with its own program first.")
    there = counted(len(names), "model is", "models are")
    found = cards.note("ok", f"{there} there. Choose one, then press “Let it write”.")
    return gr.update(choices=names, value=None), found


def choose(studio: Studio, project: Any, url: str, model: str | None) -> Html:
    chosen = studio.authors.choose(project, url, model or "")
    return cards.note("ok", f"{chosen.model} writes questions from now on. Each must pass the same checks.")


def forget(studio: Studio, project: Any, act: dict[str, str]) -> Html:
    studio.authors.forget(project)
    return cards.note("ok", "The model of this project writes again.")


def refresh(studio: Studio, project: Any) -> Html:
    if project is None:
        return Html("")
    authors, choices = studio.authors, project.choices()
    endpoint = choices.endpoint
    return author(authors.name(project), endpoint, authors.allowed(endpoint), authors.writes(choices))


def mark(studio: Studio, project: Any) -> Any:
    """Differs whenever ``refresh`` would show something else."""
    return project and [project.choices().model, project.choices().endpoint]


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Who writes, and a folded part to name a server."""
    who = page.html(elem_id="ask-author")
    with gr.Accordion("Let a model server write instead", open=False, elem_id="ask-server"):
        page.html(tag("p", SERVERS, cls="sub"))
        with gr.Row():
            url = gr.Textbox(EXAMPLE, label="Address of the server", elem_id="ask-server-url", max_lines=1, scale=3,
                             interactive=True)  # fmt: skip
            look = gr.Button("Find its models", elem_id="ask-server-find", elem_classes="tight", interactive=True)
        with gr.Row():
            model = gr.Dropdown([], label="Model", elem_id="ask-server-model", allow_custom_value=True, scale=3,
                                interactive=True)  # fmt: skip
            use = gr.Button("Let it write", elem_id="ask-server-use", elem_classes="tight", interactive=True)
        note = page.note()

    # A server shows its models first; the one that is chosen writes until it is taken back.
    page.on(look.click, find, [url], [model, note], note=note)
    page.on(use.click, choose, [url, model], [note], note=note)
    page.on(who.select, forget, outputs=[page.message], acts=True)
    page.on_look(refresh, [who], key=mark)
