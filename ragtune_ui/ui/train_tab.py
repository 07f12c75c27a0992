"""Train: choose a model, start, watch, stop and keep, go on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from ragtune_ui.domain.plans import TrainingPlan, halved, steps_of
from ragtune_ui.domain.runs import Job, reading_of, smooth, time_words
from ragtune_ui.ui import cards, charts, model_choice, trained
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.form import Form, choice, number, slider
from ragtune_ui.ui.page import Page, no_project

# FORM ----------------------------------------------------------------------------------------

ROWS = {
    "rank": choice(
        "Adapter size (LoRA rank)",
        [(str(n), n) for n in (4, 8, 16, 32, 64, 128)],
        "Larger learns more and needs more memory; smaller forgets less.",
    ),
    "rounds": number(
        "Rounds (epochs)",
        "Times every example is seen. More: lower error, then learning by heart.",
        whole=False,
        low=0.1,
        high=50,
    ),
    "reading_rounds": number(
        "Rounds of subject reading",
        "Only with “subject reading first”. One is usual; more memorises.",
        whole=False,
        low=0.1,
        high=50,
    ),
    "batch": number(
        "Examples in one step (batch)",
        "Larger: calmer, needs more memory. Halve it when memory runs out.",
        low=1,
        high=256,
    ),
    "learning_rate": number(
        "Learning rate",
        "Size of a step. Higher learns faster, then becomes unstable; lower is slow.",
        whole=False,
        low=1e-6,
        high=1e-1,
    ),
    "reading_rate": number(
        "Learning rate of subject reading",
        "Lower than the other, so that reading does not undo skill.",
        whole=False,
        low=1e-6,
        high=1e-1,
    ),
    "max_length": number(
        "Longest example, in word pieces (tokens)",
        "Longer ones are left out. More needs more memory.",
        low=64,
        high=32_768,
    ),
    "dropout": slider(
        "Share left out at random (dropout)", 0, 0.5, 0.01, "0 to 0.5. Higher guards against learning by heart."
    ),
    "check_every": number(
        "Steps between checks on unseen examples", "Fewer: a finer dashed line, slower training.", low=1, high=10_000
    ),
    "save_every": number(
        "Steps between saved points", "Fewer: less is lost when the power fails, more disk is used.", low=1, high=10_000
    ),
    "patience": number("Stop after so many checks without a better one", "0: never stop early.", low=0, high=1_000),
    "seed": number("Seed", "The same seed and dataset give the same training."),
}
FORM = Form(TrainingPlan, ROWS)

# SHOWS ---------------------------------------------------------------------------------------


def plan_tiles(ready: Any, memory_free: int, disk_free: int) -> Html:
    """What a start would cost: time, memory, disk, examples, each with its basis."""
    time_said = time_words(ready.seconds) if ready.seconds is not None else "not known yet"
    need = ready.model.memory if ready.model else 0
    memory = f"needs about {cards.size_words(need)}" if need else "need not known"
    return cards.tiles(
        [
            ("Time", time_said, ready.basis),
            ("Memory free", cards.size_words(memory_free), memory),
            ("Disk free", cards.size_words(disk_free), "saved points need 0.5 GB"),
            ("Examples", f"{ready.examples:,}", f"about {ready.steps:,} steps"),
        ]
    )


def live_tiles(job: Job, check_every: int) -> Html:
    """Progress, time left, error, error on unseen examples, speed."""
    far = f"step {job.done:,} of {job.total:,}" if job.total else "getting the model ready"
    error = f"{smooth(job.steps)[-1][1]:.3f}" if job.steps else "–"
    unseen = f"{job.checks[-1][1]:.3f}" if job.checks else "–"
    best = f"best {job.best[1]:.3f} at step {job.best[0]:,}" if job.best else f"checked every {check_every:,} steps"
    if job.ended:
        left = ("Saved point", f"step {job.saved:,}" if job.saved else "none", "kept on disk")
    else:
        ago = time_words(max(5.0, job.updated - job.started)).removeprefix("about ")
        known = time_words(job.left) if job.left is not None else "not known yet"
        left = ("Time left", known, f"{ago} so far" if job.left is not None else "known after five steps")
    return cards.tiles(
        [
            ("Progress", f"{job.share:.0%}".replace("%", " %"), far),
            left,
            ("Error (loss)", error, "lower is better"),
            ("On unseen examples", unseen, best),
            ("Speed", f"{job.speed:,.0f}" if job.speed else "–", "word pieces a second"),
        ]
    )


def reading(job: Job) -> Html:
    """The plain sentence under the chart."""
    if job.ended or not job.steps:
        return Html("")
    stage = "Subject reading. " if job.stage == "reading" else ""
    kept = f" Last saved point: step {job.saved:,}." if job.saved else ""
    return tag("p", f"{stage}{reading_of(job)}{kept}", cls="reading", role="status")


def left_a_model(job: Job) -> bool:
    """False where nothing was learned, or nothing that beat the original model."""
    return job.done > 0 and job.result.get("kept_step") != 0


def outcome(job: Job, batch: int = 2) -> Html:
    """How a training ended and what can be done now; with a ``batch`` of one example, halving it is no way."""
    where = f"Continue from step {job.saved:,}" if job.saved else "Start it again from the beginning"
    again = cards.button(where, do="resume", id=job.id, kind="small")
    looked = [("Compare answers", "chat"), ("Measure it", "verdict")]
    said = f"{trained.name(job.id)}"
    if job.state == "finished":
        kind: cards.Kind = "ok" if left_a_model(job) else "warn"
        return cards.note(kind, f"{said} is finished. {job.note}".strip(), actions=looked if kind == "ok" else [])
    if job.state == "stopped":
        kept = job.note or f"Stopped at step {job.done:,}."
        return cards.note("info", f"{said}: {kept}", actions=[*(looked if left_a_model(job) else []), again])
    if job.state == "interrupted":
        lost = f"Nothing before step {job.saved:,} is lost." if job.saved else "There was no saved point yet."
        return cards.note(
            "warn", f"{said} was interrupted at step {job.done:,}. {job.note}".strip(), lost, actions=[again]
        )
    half = cards.button("Start again with half the batch", do="half", id=job.id, kind="small")
    short = "memory" in job.problem.lower() and batch > 1
    return cards.note("error", job.problem, job.remedy, job.details, [half, again] if short else [again])


def composing(job: Job | None) -> Html:
    """The dataset that is composed before a training starts, or why that did not work."""
    if job is None or (job.ended and job.state not in ("failed", "interrupted")):
        return Html("")
    if job.ended:
        return cards.note("error", job.problem or job.note, job.remedy, job.details)
    note = f"{job.title}. {job.note}".strip()
    return tag("div", tag("p", note, cls="sub"), cards.bar(job.share, note), cls="card stack", role="status")


def history(rows: Sequence[tuple[Job, str, str, str]]) -> Html:
    """All trainings, the latest first: (job, model, dataset, verdict) each."""
    words: dict[str, tuple[cards.Kind, str]] = {
        "finished": ("ok", "finished"),
        "stopped": ("info", "stopped"),
        "failed": ("error", "failed"),
        "interrupted": ("warn", "interrupted"),
        "running": ("run", "running"),
        "waiting": ("run", "starting"),
    }
    found = []
    for job, model, dataset, verdict in rows:
        kind, said = words[job.state]
        act = ""
        if job.ended and job.state != "finished":
            act = cards.button(
                f"Continue from step {job.saved:,}" if job.saved else "Start again",
                do="resume",
                id=job.id,
                kind="small",
                label=f"Continue {trained.name(job.id)}",
            )
        best = f"{job.best[1]:.3f}" if job.best else "–"
        line = charts.spark([loss for _, loss in smooth(job.steps)][-200:], f"Error of {trained.name(job.id)}")
        title = Html(tag("strong", trained.name(job.id)) + tag("p", f"{model} · {dataset}", cls="sub"))
        steps = f"{job.done:,} of {job.total:,}"
        found.append((title, cards.pill(kind, said), steps, line, best, verdict or "not measured", act))
    heads = ("Training", "State", "Steps", "Error", "Best unseen", "Verdict", "")
    return cards.table(heads, found, "Trainings", "None yet.", numbers=(2, 4))


# DOES ----------------------------------------------------------------------------------------


def mark_of(studio: Any, project: Any) -> str:
    """Which plan the form shows."""
    return f"{project.id} {project.choices().preset} {studio.training.plan(project)}"


def follow(studio: Any, project: Any, shown: str) -> Any:
    """The form shows the project's plan, once for each project, preset and change of the plan from elsewhere."""
    mark = mark_of(studio, project) if project else ""
    if mark == shown or project is None:
        return gr.skip()
    plan = studio.training.plan(project)
    return [*FORM.write(plan), next((p.name for p in studio.mixing.presets() if p.plan == plan), None), mark]


def use_preset(studio: Any, project: Any, name: str) -> list[Any]:
    plan = next(p.plan for p in studio.mixing.presets() if p.name == name)
    studio.training.keep_plan(project, plan)
    return [*FORM.write(plan), mark_of(studio, project)]


def keep(studio: Any, project: Any, plan: TrainingPlan) -> Any:
    """The form shows this plan already: the mark says so, lest it be written into the next field while one types."""
    if project is None:
        return gr.skip()
    studio.training.keep_plan(project, plan)
    return mark_of(studio, project)


def start(studio: Any, project: Any, plan: TrainingPlan) -> None:
    studio.training.start(project, plan)


def stop(studio: Any, project: Any, act: Mapping[str, Any]) -> None:
    job = studio.training.latest(project)
    if act.get("choice") == "stop" and job is not None and not job.ended:
        studio.training.stop(project, job.id)


def go_on(studio: Any, project: Any, act: Mapping[str, Any]) -> None:
    """Continue from the last saved point; or, with half the batch, from the beginning."""
    if act.get("do") == "resume":
        studio.training.resume(project, act["id"])
    elif act.get("do") == "half":
        studio.training.start(project, halved(project.sheet(act["id"]).plan))


def stand(studio: Any, project: Any, *values: Any) -> list[Any]:
    """A cheap value that changes whenever the page would."""
    if project is None:
        return [None]
    job, latest = studio.jobs.current(project), studio.training.latest(project)
    marks = [[j.id, j.seq] if j else None for j in (job, latest)]
    machine = studio.machine()  # in tenths of a GB, so that the figures do not flicker
    room = [round(machine.memory_free / 2e8), round(machine.disk_free / 1e9)]
    return [
        project.touched,
        *marks,
        studio.jobs.holder(),
        [m.id for m in project.datasets()],
        room,
        len(project.verdicts()),
    ]


def look(studio: Any, project: Any) -> list[Any]:
    """The parts of the page that follow what runs."""
    if project is None:
        nothing = no_project()
        off, hidden = gr.update(interactive=False), gr.update(visible=False)
        return [Html(""), nothing, hidden, hidden, Html(""), {}, Html(""), hidden, off, Html(""), Html("")]
    job = studio.training.latest(project)
    mixing = next((j for j in project.jobs() if j.what in ("mix", "model")), None)
    fresh = mixing if mixing and (job is None or mixing.updated > job.updated) else None
    running = job is not None and not job.ended
    ready = studio.training.readiness(project, studio.training.plan(project))
    start = gr.update(interactive=ready.ready, value="Training …" if running else "Start training")
    done = job is not None and job.state in ("finished", "stopped") and left_a_model(job)
    return [
        cards.pill("run", f"training, step {job.done:,}") if running else _pill(ready),
        Html(composing(fresh) + (_ended(project, job) if job and job.ended and fresh is None else "")),
        gr.update(visible=job is not None),
        gr.update(visible=not running),
        live_tiles(job, project.sheet(job.id).plan.check_every) if job else Html(""),
        charts.loss(job, border_of(project, job)) if job else {},
        reading(job) if job else Html(""),
        gr.update(visible=running),
        start,
        Html("") if running else reason_words(ready),
        cards.next_bar("chat", "Next: Compare answers", "" if done else "Compare works without training, too."),
    ]


def _ended(project: Any, job: Job) -> Html:
    return outcome(job, project.sheet(job.id).plan.batch)


def _pill(ready: Any) -> Html:
    return (
        cards.pill("ok", f"ready: {ready.examples:,} examples") if ready.ready else cards.pill("warn", "not ready yet")
    )


def reason_words(ready: Any) -> Html:
    """Why the start button waits, with the way out."""
    if ready.ready:
        return tag("p", "You may close this window: training goes on, and you will find it here.", cls="sub")
    ways = {"document": ("Open Documents", "docs"), "question": ("Open Questions", "ask")}
    way = next((w for word, w in ways.items() if word in ready.reason), None)
    link = cards.button(way[0], go=way[1], kind="link") if way else ""
    return tag("p", ready.reason, " ", link, cls="sub", role="status")


def look_before(studio: Any, project: Any) -> list[Any]:
    """The parts of the page that are there before a start: costs, models, earlier trainings."""
    if project is None:
        return [Html(""), Html(""), gr.update(visible=False), {}]
    machine = studio.machine()
    ready = studio.training.readiness(project, studio.training.plan(project))
    runs = project.runs()
    several = [(trained.name(j.id), j) for j in runs if j.steps][:5]
    return [
        plan_tiles(ready, machine.memory_free, machine.disk_free),
        history([row_of(project, job) for job in runs]),
        gr.update(visible=len(several) > 1),
        charts.curves(several) if len(several) > 1 else {},
    ]


def row_of(project: Any, job: Job) -> tuple[Job, str, str, str]:
    """What the history tells of a training besides its own log."""
    sheet = project.sheet(job.id)
    mix = next((m.mix.name for m in project.datasets() if m.id == sheet.dataset), "no longer there")
    verdict = next((v.headline for v in project.verdicts() if v.run == job.id), "")
    model = trained.model_name(sheet.model)
    return job, model, mix, verdict


def border_of(project: Any, job: Job) -> int:
    """The step at which subject reading ends and tuning starts; 0 for one stage."""
    sheet = project.sheet(job.id)
    manifest = next((m for m in project.datasets() if m.id == sheet.dataset), None)
    reading = manifest.counts.get("dap", 0) if manifest and sheet.order == "dap first" else 0
    return steps_of(reading, sheet.plan.reading_rounds, sheet.plan.batch) if reading else 0


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Layout above, wiring below."""
    names = [p.name for p in page.studio.mixing.presets()]
    pill = page.header("Train", "The model practises on your examples. You may close this window: training goes on.")
    status = page.html(elem_id="train-status")
    with gr.Column(visible=False) as live:
        tiles = page.html(elem_id="train-tiles")
        chart = charts.live("train-chart", "Error while training")
        sentence = page.html(elem_id="train-reading")
    with gr.Column() as before:
        costs = page.html(elem_id="train-costs")
        model_choice.build(page)
    with gr.Row():
        begin = gr.Button(
            "Start training", variant="primary", elem_id="train-start", elem_classes="key-main", interactive=False
        )
        halt = gr.Button("Stop and keep what it learned", variant="stop", elem_id="train-stop", visible=False)
    reason = page.html(elem_id="train-reason")
    refused = page.note()
    plan = FORM.start("train")
    with gr.Accordion("Settings for the curious", open=False, elem_id="train-settings", elem_classes="card"):
        preset = gr.Radio(names, label="Start from the settings of", elem_id="train-preset", interactive=True)
        with gr.Row(elem_classes="two"):
            with gr.Column():
                plan.put("rank", "rounds", "batch", "learning_rate", "max_length", "seed")
            with gr.Column():
                plan.put()
    with gr.Column(elem_classes="card"):
        page.html(cards.section("Earlier trainings"))
        past = page.html(elem_id="train-history")
        with gr.Accordion("Compare their curves", open=False, visible=False) as several:
            curves = charts.live("train-curves", "Errors of several trainings", 280)
    onward = page.next("chat", "Next: Compare answers")
    stopping = page.confirm(
        "stop",
        "Stop this training?",
        "It stops within the current step. What it learned is kept, and you can continue later.",
        [("stop", "Stop and keep what it learned", "danger")],
        no="Go on",
    )
    shown = gr.State("")

    # The page was opened, or another project or preset, or the batch was halved: the form shows that plan.
    opened = getattr(page.way, f"look_{page.key}")
    page.on(opened, follow, [shown], [*plan.outputs, preset, shown], project=False, changed=False)
    # The settings of another preset were chosen.
    page.on(preset.input, use_preset, [preset], [*plan.outputs, shown])
    # A setting was left: it is kept, and the figures above follow.
    page.on(plan.left, keep, outputs=[shown], form=plan, note=refused, project=False)
    # Start; the dataset is composed first where needed.
    page.on(begin.click, start, form=plan, note=refused)
    # Stop, after asking.
    page.opens(halt, "stop")
    page.on(stopping.submit, stop, acts=True)
    # Go on from a saved point.
    page.on([status.select, past.select], go_on, acts=True)
    page.on_look(look, [pill, status, live, before, tiles, chart, sentence, halt, begin, reason, onward], key=stand)
    page.on_look(look_before, [costs, past, several, curves], key=stand)
