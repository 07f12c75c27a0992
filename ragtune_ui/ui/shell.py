"""The shell: rail, pages, one shared tick. ``build_app(studio)`` is the whole window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from ragtune_ui.domain.runs import Job, time_words
from ragtune_ui.ui import (
    cards,
    chat_tab,
    documents_tab,
    home_tab,
    mix_tab,
    questions_tab,
    retrieval_tab,
    ship_tab,
    train_tab,
    verdict_tab,
)
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.page import ASSETS, Page, fingerprint

TABS = (
    ("home", home_tab),
    ("docs", documents_tab),
    ("find", retrieval_tab),
    ("ask", questions_tab),
    ("mix", mix_tab),
    ("train", train_tab),
    ("chat", chat_tab),
    ("verdict", verdict_tab),
    ("share", ship_tab),
)
LOW_DISK = 2e9  # bytes; below it the machine card warns
LOW_MEMORY = 0.10  # share of all memory
_SANS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Liberation Sans", "Arial", "sans-serif"]
_MONO = ["ui-monospace", "Menlo", "Consolas", "Liberation Mono", "monospace"]

# SHOWS ---------------------------------------------------------------------------------------


def brand(projects: Sequence[tuple[str, str]], chosen: str) -> Html:
    """Logo, name and the choice of project: (id, name) each."""
    options = [tag("option", name, value=id, selected=id == chosen) for id, name in projects]
    if chosen not in [id for id, _ in projects]:
        options.insert(0, tag("option", "No project open", value="", selected=True, disabled=True))
    select = tag("select", *options, id="project-pick", aria_label="Project", data_do="pick", disabled=not projects)
    logo = Html((ASSETS / "logo.svg").read_text(encoding="utf-8"))
    return tag(
        "div", tag("span", logo, cls="logo"), tag("div", tag("span", "RAGTune", cls="name"), select), cls="brand"
    )


_SAID = {
    "done": "done",
    "part": "begun",
    "ready": "ready",
    "running": "running",
    "needs": "needs you",
    "blocked": "not yet",
}


def rail(steps: Sequence[Any]) -> Html:
    """The nine pages with their state: number or mark, title, status line."""
    rows = []
    for n, step in enumerate(steps):
        mark = {"done": "✓", "needs": "!", "running": ""}.get(step.state, "⌂" if n == 0 else str(n))
        if n == 0:
            mark = "⌂"
        rows.append(
            tag("li", tag("button",
                tag("span", mark, cls="mark", aria_hidden="true"),
                tag("span", tag("span", step.title, cls="step-title"),
                    tag("span", f" ({_SAID[step.state]}) ", cls="sr-only"),
                    tag("span", step.line, cls="step-line"), cls="step-words"),
                type="button", cls=f"step {step.state}", data_go=step.key, title=f"Alt+{n}"))
        )  # fmt: skip
    return tag("nav", tag("ol", *rows), aria_label="Project steps")


def job_card(job: Job | None, where: tuple[str, str] | None = None) -> Html:
    """What runs, how far, how long still, and Stop; what ended last; or that nothing runs.

    ``where`` is the other project (id, name) that the work is in: it is named and can be opened; Stop stands there.
    """
    if job is None:
        body = tag("p", "Progress of longer work shows here, on every page.", cls="sub")
        return tag("section", tag("h2", "Nothing running"), body, cls="job", aria_label="Running work")
    title = job.title or job.what
    if job.ended:
        line = f"{job.problem} {job.remedy}".strip() if job.state == "failed" else job.note
        words = tag("p", line, cls="sub") if line else Html("")
        return tag(
            "section", tag("h2", f"{title}: {job.state}"), words, cls=f"job {job.state}", aria_label="Running work"
        )
    percent = f"{job.share:.0%}".replace("%", " %")
    name, between = (f"{title}, in {where[1]}", ": ") if where else (title, " · ")
    head = f"{name}{between}{percent}" if job.total else name
    rows: list[tuple[str, object]] = [("Time left", time_words(job.left) if job.left is not None else "not known yet")]
    if job.saved:
        rows.append(("Saved point", f"{job.saved:,}"))
    act = cards.button("Stop", do="stop", id=job.id, kind="small danger", label=f"Stop: {title}")
    if where:
        act = cards.button("Open this project", do="open", id=where[0], kind="small", label=f"Open {where[1]}")
    return tag("section", tag("h2", head), cards.bar(job.share, head) if job.total else "", cards.facts(rows), act,
               cls="job running", aria_label="Running work")  # fmt: skip


def machine_card(machine: Any) -> Html:
    """Processor or GPU, memory, disk, network; amber with advice where memory or disk runs low."""
    low = machine.disk_free < LOW_DISK or machine.memory_free < LOW_MEMORY * machine.memory_total
    memory = f"{machine.memory_free / 1e9:.1f} of {machine.memory_total / 1e9:.0f} GB"
    rows = [("Computer", machine.device), ("Memory free", memory), ("Disk free", cards.size_words(machine.disk_free)),
            ("Network", "on, when you ask" if machine.network else "off – all local")]  # fmt: skip
    advice = tag("p", machine.advice, cls="sub") if machine.advice else ""
    return tag(
        "section", cards.facts(rows), advice, cls="machine low" if low else "machine", aria_label="This computer"
    )


KEYS = (
    ("Alt+0 to Alt+8", "open a page"),
    ("Ctrl+Enter", "the main button of the page"),
    ("/", "the search field"),
    ("A, R, U", "approve, reject, undo (Questions)"),
    ("↑ ↓", "previous, next question"),
    ("?", "this help"),
    ("Esc", "close a dialog"),
)
WORDS = (
    ("Passage", "a piece of a document that search can find (chunk)"),
    ("Error", "how far the model's words are from the right ones; lower is better (loss)"),
    ("Saved point", "what training has learned so far, kept on disk (checkpoint)"),
    ("Adapter", "the small file that holds what training taught the model (LoRA)"),
    ("Held-back questions", "never trained on; they only measure (hold-out set)"),
    ("Answers from sources", "practice in answering from passages, some of them misleading (RAFT)"),
    ("Subject reading", "practice in reading your documents as they are, for their words and style (DAP)"),
    ("Word pieces", "what a model reads and writes: short words, or parts of longer ones (tokens)"),
)


def help_dialog() -> Html:
    """Keys and words, in a dialog that ``?`` opens."""
    keys = tag("dl", *(tag("div", tag("dt", tag("kbd", key)), tag("dd", what)) for key, what in KEYS), cls="keys")
    words = tag("dl", *(tag("div", tag("dt", word), tag("dd", what)) for word, what in WORDS), cls="keys words")
    single = tag(
        "label", Html('<input type="checkbox" id="single-keys" checked>'), " Single-key shortcuts", cls="check"
    )
    return tag("dialog", tag("h2", "Help", id="help-title"), tag("h3", "Keys"), keys, single, tag("h3", "Words"), words,
               tag("div", tag("button", "Close", type="button", cls="btn", data_close=True), cls="actions end"),
               cls="ask help", data_name="help", aria_labelledby="help-title")  # fmt: skip


def foot() -> Html:
    """Theme and help."""
    return tag("div", tag("button", "Light / dark", type="button", cls="btn small", data_theme_switch=True),
               tag("button", "Help", type="button", cls="btn small", data_help=True), cls="foot")  # fmt: skip


def menu_bar() -> Html:
    """What opens the rail in a window too narrow to hold it."""
    return tag(
        "div",
        tag("button", "Menu", type="button", cls="btn small", data_rail=True),
        tag("strong", "RAGTune"),
        cls="menu-bar",
    )


# BUILD ---------------------------------------------------------------------------------------


def theme() -> gr.themes.Base:
    """System fonts only; every colour comes from the tokens in ``theme.css``."""
    return gr.themes.Base(font=_SANS, font_mono=_MONO)


def look() -> dict[str, Any]:
    """What ``launch`` needs to make the window look and behave like ours."""
    script = (ASSETS / "shell.js").read_text(encoding="utf-8")
    return {"theme": theme(), "css_paths": [ASSETS / "theme.css"], "head": f"<script>\n{script}\n</script>",
            "favicon_path": ASSETS / "logo.svg"}  # fmt: skip


def build_app(studio: Any) -> gr.Blocks:
    """The window of a studio, not yet launched."""
    app = gr.Blocks(title="RAGTune", analytics_enabled=False, fill_width=True, delete_cache=(600, 3600))
    with app:
        Shell(studio).build(app)
    return app


class Shell:
    """The rail and the pages of one window, and the beat that keeps them fresh."""

    def __init__(self, studio: Any) -> None:
        self.studio = studio
        # The secret is no secret: it only has to be the same at every start, so that the choice survives.
        self.project = gr.BrowserState("", storage_key="ragtune-project", secret="ragtune")
        self.step = gr.State("home")
        self.shown = gr.State({})

    def build(self, app: gr.Blocks) -> None:
        """Layout above, wiring below."""
        gr.HTML(menu_bar(), apply_default_css=False, js_on_load=None, elem_id="menu-bar")
        with gr.Column(elem_id="rail", min_width=268):
            self.parts = [gr.HTML(elem_id=f"rail-{name}", apply_default_css=False,
                                  js_on_load="ragtune.rail(element, trigger, watch); // 'select'")
                          for name in ("brand", "steps", "job", "machine")]  # fmt: skip
            gr.HTML(Html(foot() + help_dialog()), apply_default_css=False, js_on_load=None, elem_id="rail-foot")
        looks = " ".join(f"'look_{key}'" for key, _ in TABS)  # Gradio allows the events that are named here
        feed = f"watch('value', () => ragtune.way(props.value, trigger)); // {looks}"
        self.way = gr.HTML({}, html_template="<i></i>", elem_id="way", apply_default_css=False,
                           js_on_load=feed)  # fmt: skip
        self.pages = []
        with gr.Tabs(selected="home", elem_id="pages") as self.tabs:
            for key, module in TABS:
                with gr.Tab(key, id=key, elem_id=f"page-{key}"):
                    page = Page(self.studio, key, self.project, self.way)
                    module.build(page)
                    self.pages.append(page)
        self.wire(app)

    def wire(self, app: gr.Blocks) -> None:
        for page in self.pages:
            page.wire()
        quiet: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        looked = [c for page in self.pages for c in (page.seen, *page.look_inputs)]
        beat: dict[str, Any] = {"inputs": [self.project, self.step, self.shown, *looked],
                                "outputs": [*self.parts, self.shown, self.way], **quiet}  # fmt: skip
        gr.Timer(1).tick(self.beat, **beat)
        app.load(self.beat, **beat)
        self.project.change(self.beat, **beat, trigger_mode="always_last")
        brand, steps, job, _ = self.parts
        steps.select(self.open, outputs=[self.tabs, self.step, self.way], **quiet, trigger_mode="always_last")
        brand.select(self.pick, outputs=[self.project], **quiet)
        job.select(self.attend, inputs=[self.project], outputs=[self.project], **quiet)

    # DOES ------------------------------------------------------------------------------------

    def open(self, act: gr.EventData) -> list[Any]:
        """Have a page look at the disk, and show it where the browser could not do so alone."""
        pages = {page.key: page for page in self.pages}
        key = act._data.get("step")
        key = key if key in pages else "home"
        return [gr.skip() if act._data.get("there") else gr.Tabs(selected=key), key, pages[key].fire_changed("open")]

    def pick(self, act: gr.EventData) -> Any:
        """Work on another project."""
        return act._data.get("id", "")

    def attend(self, act: gr.EventData, project_id: str) -> Any:
        """Ask the running work to stop, which keeps what it finished; or open the project that it is in."""
        do, id = act._data.get("do"), str(act._data.get("id", ""))
        if do == "stop":
            self.studio.jobs.stop(self.pages[0].opened(project_id), id)
        return id if do == "open" else gr.skip()

    def beat(self, project_id: str, step: str, shown: dict[str, str], *looked: Any) -> Any:
        """The tick: the rail where it changed, and a nudge to the open page where that would change."""
        project = self.pages[0].opened(project_id)
        values = [
            brand([(p.id, p.name) for p in self.studio.projects()], project.id if project else ""),
            rail(self.studio.steps(project)),
            self.work_card(project),
            machine_card(self.studio.machine()),
        ]
        marks = {str(n): fingerprint(value) for n, value in enumerate(values)}
        parts = [
            gr.skip() if shown.get(n) == mark else value for (n, mark), value in zip(marks.items(), values, strict=True)
        ]
        nudge = self._nudge(project_id, step, list(looked))
        return gr.skip() if marks == shown and nudge is None else [*parts, marks, nudge or gr.skip()]

    def work_card(self, project: Any) -> Html:
        """The job card: what runs in this project, else in another, for which this one has to wait; else what ended."""
        job = self.studio.jobs.current(project)
        other = self.studio.jobs.elsewhere(project) if job is None or job.ended else None
        return job_card(other[1], (other[0].id, other[0].name)) if other else job_card(job)

    def _nudge(self, project_id: str, step: str, looked: list[Any]) -> dict[str, Any] | None:
        for page in self.pages:
            seen, values = looked[0], looked[1 : 1 + len(page.look_inputs)]
            looked = looked[1 + len(page.look_inputs) :]
            if page.key == step:
                return page.fire_changed("tick") if page.stale(project_id, seen, values) else None
        return None
