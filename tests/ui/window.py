"""A window with a studio made of plain values, for tests: ``python -m tests.ui.window PORT`` serves it, and with
``questions`` behind the port the whole window on fake engines, with thirty questions to check."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ragtune_ui.domain.errors import ModelError, PassageError, ProjectError
from ragtune_ui.domain.passages import Chunk, Passage
from ragtune_ui.domain.plans import TrainingPlan
from ragtune_ui.domain.runs import Job

HOSTILE = '<img src=x onerror="window.hit=1"> ${window.hit=2} {{window.hit=3}} ![x](http://198.51.100.7/p.png)'
TEXTS = ("Stop lifting when the wind reaches 20 m/s.", "Empty containers stay down.", HOSTILE)
CHUNKS = [Chunk(f"c{n}", "d1", HOSTILE, n, (HOSTILE,), 0, len(t), t, 9) for n, t in enumerate(TEXTS, start=1)]


class Jobs:
    """One job, or none; ``pace`` steps a second; in the project ``place``, or in every one where that is None."""

    def __init__(self) -> None:
        self.began = 0.0
        self.pace = 3.0
        self.place: Any = None

    def current(self, project: Any) -> Job | None:
        return self.job() if self.place in (None, project) else None

    def elsewhere(self, project: Any) -> tuple[Any, Job] | None:
        job = self.job()
        return (self.place, job) if job is not None and self.place not in (None, project) else None

    def job(self) -> Job | None:
        if not self.began:
            return None
        done = min(240, 1 + int(self.pace * (time.time() - self.began)))
        steps = tuple((n, 1 + 1.4 * math.exp(-n / 60) + 0.1 * math.sin(n)) for n in range(1, done + 1))
        checks = tuple((n, 1.2 + 1.2 * math.exp(-n / 60)) for n in range(20, done + 1, 20))
        return Job("run-1", "train", "Training", "running", done=done, total=240, steps=steps, checks=checks, left=20.0)

    def stop(self, project: Any, job: str) -> None:
        self.began = 0.0


class FakeStudio:
    """What the shell asks of a studio."""

    def __init__(self) -> None:
        self.jobs = Jobs()
        self.marked = 0
        self.shelf = [SimpleNamespace(id="crane-1", name="Harbour crane"), SimpleNamespace(id="bad-2", name=HOSTILE)]

    def projects(self) -> list[Any]:
        return self.shelf

    def open(self, id: str) -> Any:
        found = next((p for p in self.shelf if p.id == id), None)
        if found is None:
            raise ProjectError("There is no such project.", "Choose one from the list.")
        return found

    def steps(self, project: Any) -> list[Any]:
        titles = ["Start", "Documents", "Passages", "Questions", "Mix", "Train", "Compare", "Verdict", "Take-away"]
        keys = ["home", "docs", "find", "ask", "mix", "train", "chat", "verdict", "share"]
        states = ["done", "done", "done", "part", "done", "ready", "ready", "needs", "blocked"]
        rows = list(zip(keys, titles, states if project else ["blocked"] * 9, strict=True))
        return [
            SimpleNamespace(key=k, title=t, state=s, line=project.name if project else "Needs a project")
            for k, t, s in rows
        ]

    def machine(self) -> Any:
        return SimpleNamespace(
            device="CPU only", memory_free=18.2e9, memory_total=23e9, disk_free=71e9, network=False, advice=""
        )


def tabs() -> tuple[tuple[str, Any], ...]:
    """Nine small pages that use all of Page, Form, cards and charts."""
    import gradio as gr

    from ragtune_ui.ui import cards, charts
    from ragtune_ui.ui.form import Form, kept, number
    from ragtune_ui.ui.page import Page

    plan = TrainingPlan()
    rows = {name: kept(name) for name in vars(plan)} | {"batch": number("Examples a step")}
    form = Form(TrainingPlan, rows)

    def home(page: Page) -> None:
        page.header("Start", "Begin.")
        begin = gr.Button("Continue", variant="primary", elem_id="home-continue")
        page.on(begin.click, lambda studio, project: "crane-1", outputs=[page.project], project=False, go="docs")

    def find(page: Page) -> None:
        def search(studio: Any, project: Any, question: str) -> Any:
            if not question.strip():
                raise PassageError(f"The question is empty {HOSTILE}.", "Type one.")
            hits = [Passage(c, n, 0.9, 0.8, 0.7) for n, c in enumerate(CHUNKS, start=1)]
            return cards.hits(hits, question, {"c1": [cards.button("This answers it", do="yes", id="c1")]})

        def mark(studio: Any, project: Any, act: dict[str, str]) -> None:
            studio.marked += act == {"do": "yes", "id": "c1"}

        pill = page.header("Passages", "Find.")
        question = gr.Textbox("wind", label="Question", elem_id="find-q", elem_classes="key-search", interactive=True)
        go = gr.Button("Find", variant="primary", elem_id="find-go", elem_classes="key-main")
        hits = page.html(elem_id="find-results")
        page.next("ask", "Next: Questions")
        page.on([go.click, question.submit], search, [question], [hits])
        page.on(hits.select, mark, acts=True)
        page.on_look(lambda studio, project: cards.pill("ok", f"{studio.marked} marked"), [pill])

    def train(page: Page) -> None:
        def start(studio: Any, project: Any, plan: TrainingPlan) -> None:
            studio.jobs.began = time.time()

        def stop(studio: Any, project: Any, act: dict[str, str]) -> None:
            if act["choice"] == "keep":
                studio.jobs.stop(project, "run-1")

        page.header("Train", "Learn.")
        chart = charts.live("train-chart", "Error over steps")
        fields = form.start("train").put()
        begin = gr.Button("Start training", variant="primary", elem_id="train-start")
        end = gr.Button("Stop", variant="stop", elem_id="train-stop")
        asked = page.confirm("stop", "Stop training?", "What it learned stays.", [("keep", "Stop and keep", "primary")])
        page.opens(end, "stop")
        page.html(cards.tag("div", style="height:900px"))
        page.on(begin.click, start, form=fields)
        page.on(asked.submit, stop, acts=True)
        page.on_look(lambda studio, project: charts.loss(studio.jobs.current(project) or Job()), [chart])

    def chat(page: Page) -> None:
        def ask(studio: Any, project: Any, question: str) -> Iterator[Any]:
            for n in range(1, 6):
                yield cards.answer("word " * n + "[2]", 3)
                time.sleep(0.05)
            if question == "missing":
                raise ModelError("The model files are not here.", "Choose the built-in model.")
            if question == "bug":
                raise KeyError("canary-detail")

        page.header("Compare", "Ask.")
        question = gr.Textbox(label="Question", elem_id="chat-q", interactive=True)
        send = gr.Button("Ask both", variant="primary", elem_id="chat-send")
        answer = page.html(elem_id="chat-answer")
        page.html(cards.sources(CHUNKS), elem_id="chat-src")
        page.on(send.click, ask, [question], [answer])

    def plain(title: str) -> Any:
        return lambda page: page.header(title, "One sentence.")

    made = {"home": home, "docs": plain("Documents"), "find": find, "ask": plain("Questions"), "mix": plain("Mix"),
            "train": train, "chat": chat, "verdict": plain("Verdict"), "share": plain("Take away")}  # fmt: skip
    return tuple((key, SimpleNamespace(build=build)) for key, build in made.items())


def main(port: int, name: str = "small") -> None:
    """Serve until killed."""
    from ragtune_ui.ui import guard

    guard.environment(os.environ)
    from ragtune_ui.ui import shell

    settings: Any = SimpleNamespace(home=Path(tempfile.gettempdir()) / "no-such-home", file_limit=1_000_000)
    studio: Any = FakeStudio()
    if name == "questions":
        studio = harbour(Path(tempfile.mkdtemp()))
        settings = studio.settings
    else:
        shell.TABS = tabs()
    app = shell.build_app(studio)
    app.queue(**guard.queue_settings()).launch(**guard.launch_settings(settings, port), **shell.look())


def harbour(folder: Path) -> Any:
    """A studio of fakes with five documents and the questions written from them."""
    from tests.studio.conftest import House, library

    house = House(folder)
    house.add(library(5))
    house.wait(house.studio.questions.write(house.project))
    return house.studio


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
