"""Trained: which training a page is about. Compare, Verdict and Take away choose it the same way."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from ragtune_ui.domain.runs import Job
from ragtune_ui.ui import cards
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.page import Page


def name(run: str) -> str:
    """A run's id as people say it: ``Training 3``."""
    number = run.split("-")[1] if run.count("-") else run
    return f"Training {int(number)}" if number.isdigit() else run


def model_name(model: str) -> str:
    """A base model's id as people say it."""
    return "Built-in reader" if model == "built-in" else model.rstrip("/").rsplit("/", 1)[-1]


def small_model(model: str) -> Html:
    """What the built-in reader is, with the way to a larger model; nothing for any other."""
    if model != "built-in":
        return Html("")
    return cards.note(
        "info",
        "This is the built-in reader: small, for trying things out.",
        "For real work choose a larger model. Train shows what each costs: download, memory and time.",
        actions=[("Choose a larger model", "train")],
    )


def words(job: Job) -> str:
    """One line on a training: ``Training 3, 22 Nov 16:02, 81 steps``."""
    when = time.strftime("%-d %b %H:%M", time.localtime(job.started)) if job.started else ""
    return ", ".join(part for part in (name(job.id), when, f"{job.done:,} steps") if part)


def select(jobs: list[Job], chosen: str) -> Html:
    """The choice among trainings that left a result; "" and unknown ids mean the latest."""
    if not jobs:
        return Html("")
    known = chosen if any(j.id == chosen for j in jobs) else jobs[0].id
    options = [tag("option", words(j), value=j.id, selected=j.id == known) for j in jobs]
    return tag("label", tag("span", "Trained model", cls="sub"), tag("select", *options, data_do="run"), cls="pick")


def picker(page: Page) -> Any:
    """The choice on a page, wired; returns the State that holds the chosen run ("" for the latest).
    Another project has trainings of its own: the choice goes when one is opened."""
    chosen = gr.State("")
    page.per_project(chosen, "")
    shown = page.html(elem_id=f"{page.key}-run", elem_classes="tight")
    page.on(shown.select, lambda studio, project, act: str(act.get("id", "")), outputs=[chosen], acts=True)
    page.on_look(
        lambda studio, project, run: select(studio.training.usable(project), run) if project else Html(""),
        outputs=[shown],
        inputs=[chosen],
    )
    return chosen
