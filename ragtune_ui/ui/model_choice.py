"""Model choice: which model is trained. The built-in one, a folder, or a download that asks first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from ragtune_ui.domain.errors import RagtuneError
from ragtune_ui.domain.ports import ModelChoice
from ragtune_ui.domain.words import counted
from ragtune_ui.studio.training import ALLOWING
from ragtune_ui.ui import cards
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.page import Page

# SHOWS ---------------------------------------------------------------------------------------


def time_beside(size: int, reader: int) -> str:
    """How long a model trains beside the built-in reader, from their sizes in bytes; "" where one is not known."""
    times = size / reader if size and reader else 0
    return "" if times < 1.5 else f"about {times:.0f} times as long as the built-in reader"


def model_card(model: ModelChoice, chosen: bool, network: bool, free: int, reader: int = 0) -> Html:
    """One model: what it is good for, what it costs (download, memory, time), licence, and whether it is here.

    ``free`` is the memory, ``reader`` the built-in model's size, both in bytes.
    """
    short, longer = model.memory - free, time_beside(model.size, reader)
    fits = (
        cards.pill("ok", "fits") if short <= 0 else cards.pill("warn", f"needs {cards.size_words(short)} more memory")
    )
    here = cards.pill("ok", "on this computer") if model.here else cards.pill("quiet", "needs download")
    rows = [
        ("Size" if model.here else "Download", cards.size_words(model.size)),
        ("Memory to train", f"about {cards.size_words(model.memory)}"),
        *([("Time to train", longer)] if longer else []),
        ("Licence", model.licence),
        ("Longest text", f"{model.positions:,} word pieces"),
        *([("Passages at once", f"the best {model.passages}")] if model.passages else []),
    ]
    if chosen:
        act: Html = tag("p", cards.pill("info", "chosen"))
    elif model.here:
        act = cards.button("Choose it", do="choose", id=model.id, kind="small", label=f"Choose {model.title}")
    elif network:
        act = cards.button("Download it", ask=f"download-{model.id}", id=model.id, kind="small",
                           label=f"Download {model.title}")  # fmt: skip
    else:
        act = switched_off()
    problem = tag("p", model.problem, cls="caption") if model.problem and (model.here or model.source != "hub") else ""
    pills = tag("p", here, " ", fits if model.memory and not model.problem else "")
    return tag(
        "li",
        tag("h3", model.title),
        pills,
        tag("p", model.about, cls="sub"),
        cards.facts(rows),
        problem,
        act,
        cls="card stack",
        aria_current="true" if chosen else None,
    )


def switched_off() -> Html:
    """Why nothing can be downloaded, and the whole command that allows it."""
    said = "Downloads are switched off. To allow them, close RAGTune and start it with"
    command = tag("div", tag("code", ALLOWING), cards.copy_button(ALLOWING), cls="split")
    return Html(tag("p", said, cls="caption") + command)


def dialogs(models: Sequence[ModelChoice]) -> Html:
    """A question for each model that can be downloaded: which one, and how much comes in."""
    return cards.join(
        cards.dialog(f"train-download-{m.id}", f"Download {m.title}?", tag("p", download_words(m)),
                     [("download", "Download it", "primary")]) for m in models if not m.here and m.source == "hub"
    )  # fmt: skip


def download_words(model: ModelChoice) -> str:
    """What a download brings in, and that nothing goes out."""
    size = f"{cards.size_words(model.size)} are" if model.size else "Its files are"
    return f"{size} fetched from the Hugging Face hub once and kept on this computer. Nothing of yours is sent."


def model_cards(models: Sequence[ModelChoice], chosen: str, network: bool, free: int) -> Html:
    """The models in three groups: built in, added folders, and those to download (folded)."""
    near = [m for m in models if m.here or m.source != "hub" or m.id == chosen]
    far = [m for m in models if m not in near]
    reader = next((m.size for m in models if m.source == "built-in"), 0)

    def group(found: Sequence[ModelChoice]) -> Html:
        return tag("ul", *(model_card(m, m.id == chosen, network, free, reader) for m in found), cls="cards")

    more = cards.folded(f"{counted(len(far), 'more model')} can be downloaded", group(far)) if far else ""
    return Html(group(near) + more)


# DOES ----------------------------------------------------------------------------------------


def choose(studio: Any, project: Any, act: Mapping[str, Any]) -> None:
    if act.get("do") == "choose":
        studio.training.choose_model(project, act["id"])


def add_folder(studio: Any, project: Any, path: str) -> str:
    if not (path or "").strip():
        raise RagtuneError("No folder was named.", "Type where the model's folder is on this computer.")
    studio.training.choose_model(project, path.strip())
    return ""


def download(studio: Any, project: Any, act: Mapping[str, Any]) -> None:
    if act.get("choice") == "download":
        studio.training.download(project, act["id"])


def models_of(studio: Any, project: Any) -> list[ModelChoice]:
    """The models to choose from, with the folders that this project added."""
    found = {m.id: m for m in studio.training.models()}
    for folder in project.choices().folders:
        path = str(Path(folder).expanduser())
        if path not in found and folder not in found:
            try:
                found[path] = studio.catalog().look(Path(path))
            except RagtuneError as error:
                found[path] = ModelChoice(path, Path(path).name, "folder", 0, 0, "–", "", 0, False, error.sentence)
    return list(found.values())


def stand(studio: Any, project: Any) -> list[Any]:
    """A cheap value that changes whenever the cards would."""
    if project is None:
        return [None]
    machine, choices = studio.machine(), project.choices()
    downloads = [(j.id, j.state) for j in project.jobs() if j.what == "model"]
    return [choices.model, choices.folders, downloads, machine.network, round(machine.memory_free / 5e8)]


def look(studio: Any, project: Any) -> list[Html]:
    """The models, from the catalog and the project's choice, and the questions before their downloads."""
    if project is None:
        return [Html(""), Html("")]
    machine, models = studio.machine(), models_of(studio, project)
    shown = model_cards(models, project.choices().model, machine.network, machine.memory_free)
    return [shown, dialogs(models)]


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Layout above, wiring below."""
    with gr.Column(elem_classes="card"):
        page.html(
            cards.section("Model", "What is trained. Its own files are never changed: training makes a small adapter.")
        )
        models = page.html(elem_id="train-models")
        with gr.Row(elem_classes="page-head"):
            folder = gr.Textbox(
                label="Model in a folder on this computer",
                placeholder="Path of a folder with config.json",
                elem_id="train-folder",
                interactive=True,
            )
            add = gr.Button("Use this folder", size="md", elem_id="train-folder-go", elem_classes="tight")
        refused = page.note()
    asked = page.html(elem_classes="dialog-slot")

    # Another model: one of the list, a folder, or a download after asking.
    page.on(models.select, choose, acts=True, note=refused)
    page.on([add.click, folder.submit], add_folder, [folder], [folder], note=refused)
    page.on(asked.submit, download, acts=True, note=refused)
    page.on_look(look, [models, asked], key=stand)
