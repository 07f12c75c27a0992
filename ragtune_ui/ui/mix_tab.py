"""Mix: what the model practises. Presets first, three linked sliders second, then real samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from ragtune_ui.domain.errors import RagtuneError
from ragtune_ui.domain.examples import LANES
from ragtune_ui.domain.mixes import DatasetMix
from ragtune_ui.domain.recipes.raft import usable
from ragtune_ui.domain.runs import Job, time_words
from ragtune_ui.ui import cards, charts, samples
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.form import Form, Row, choice, number, slider, text
from ragtune_ui.ui.page import Page, fingerprint, no_project

# FORM ----------------------------------------------------------------------------------------


def share(label: str, elem_id: str, info: str, top: int = 100) -> Row:
    """A slider in percent under an id of its own."""
    return Row(
        label,
        lambda value, elem_id_=elem_id, **_: gr.Slider(
            0, top, value, step=1, label=label, info=info, elem_id=elem_id_, interactive=True
        ),
    )


ROWS = {
    "name": text("Name of this mix"),
    "raft": share("Answers from sources (RAFT)", "mix-a", "Question and several passages, only some of them useful."),
    "plain": share(
        "Everyday instructions (hybrid)", "mix-b", "Keeps general skill; below 20 % models start to forget it."
    ),
    "dap": share(
        "Subject reading (domain-adaptive)", "mix-c", "Plain text, for words and style. For large collections."
    ),
    "withheld": share(
        "Of the RAFT share: “your documents do not say”",
        "mix-refuse",
        "Teaches the model to admit when no passage answers.",
        50,
    ),
    "clean": slider(
        "Of the RAFT share: right passage alone",
        0,
        50,
        1,
        "Percent without misleading passages. More: easier to learn, less resistant to noise.",
    ),
    "distractors": slider(
        "Misleading passages beside the right one",
        1,
        9,
        1,
        "Found by your own search. More: stricter, longer examples, slower training.",
    ),
    "variants": slider(
        "Examples made from one question, at most",
        1,
        20,
        1,
        "Each with other passages, half of them in another order. More: larger dataset, more repetition.",
    ),
    "size": number(
        "Examples in all",
        "More: better results up to what your questions give, and longer training.",
        low=1,
        high=100_000,
    ),
    "order": choice(
        "Order",
        (("Everything mixed", "mixed"), ("Subject reading first", "dap first")),
        "Reading first makes two stages: words and style, then answering.",
    ),
    "plain_targets": choice(
        "Everyday instructions are answered by",
        (("the original model itself", "own"), ("texts that came with RAGTune", "written")),
        "Its own answers keep its manner; nothing has to be learned anew.",
    ),
    "seed": number("Seed", "The same seed gives the same dataset."),
}
FORM = Form(DatasetMix, ROWS)
Sampled = tuple[str, str, Html]  # the project that samples were made for, what they depend on, and their table
NOTHING: Sampled = ("", "", Html(""))
SHARES = ("raft", "plain", "dap")
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
MORE = ("size", "variants", "distractors", "clean", "order", "plain_targets", "seed")

# SHOWS ---------------------------------------------------------------------------------------


def preset_choices(presets: Sequence[Any]) -> list[tuple[str, str]]:
    """What the radio says and its value, for each preset."""
    return [(f"{p.name} (recommended)" if p.recommended else p.name, p.name) for p in presets]


def preset_words(presets: Sequence[Any]) -> str:
    """When to choose which preset."""
    return " ".join(f"{p.name}: {p.about}" for p in presets)


def named(mix: DatasetMix, presets: Sequence[Any]) -> DatasetMix:
    """The mix under an honest name: a preset's name only while it is that preset."""
    taken = {p.name: p.mix for p in presets}
    if not mix.name or (mix.name in taken and taken[mix.name] != mix):
        return replace(mix, name="Own mix")
    return mix


def ring(outlook: Any, mix: DatasetMix, stock: tuple[int, int, int]) -> Html:
    """The donut, with what there is to draw from as numbers for the browser."""
    questions, chunks, prompts = stock
    numbers = json.dumps({"questions": questions, "chunks": chunks, "prompts": prompts})
    drawn = charts.donut(mix.shares(), outlook.plan.counts, outlook.plan.total)
    return tag("div", drawn, data_stock=numbers)


def plan_card(outlook: Any, seconds: float | None, basis: str) -> Html:
    """What the mix gives: examples, length, time, each with its basis; shortages and advice in words."""
    counts = outlook.plan.counts
    time_said = time_words(seconds) if seconds is not None else "not known yet"
    rows = [
        ("Examples", f"{outlook.plan.total:,}"),
        *((charts.LANE_WORDS[lane], f"{counts[lane]:,}") for lane in LANES if counts[lane]),
        ("Word pieces in one round", f"about {outlook.tokens:,}"),
        ("Training time", time_said),
    ]
    short = {s.sentence: s.lane for s in outlook.plan.shortages}
    notes = [shortage(line, short[line]) if line in short else cards.note("info", line) for line in outlook.advice]
    basis_line = tag("p", f"Time: {basis}.", cls="caption") if basis else ""
    return tag("div", cards.facts(rows), basis_line, *notes, cls="plan stack")


def shortage(sentence: str, lane: str) -> Html:
    """A lane that has less than its share asks for, with the way to more."""
    ways = {"raft": [("Open Questions", "ask")], "dap": [("Open Documents", "docs")]}
    return cards.note("warn", f"{sentence[:1].upper()}{sentence[1:]}.", actions=ways.get(lane, []))


def frozen_table(manifests: Sequence[Any], since: str) -> Html:
    """Frozen datasets, the latest first, with their counts; the latest can follow what changed ``since``."""
    rows = []
    for n, m in enumerate(manifests):
        state: Html = cards.pill("warn", since) if since else cards.pill("ok", "up to date")
        act = cards.button("Update the mix", do="update", id=m.id, kind="small")
        counts = [f"{m.counts.get(lane, 0):,}" for lane in LANES]
        when = m.made[:16].replace("T", " ")
        rows.append(
            (
                m.mix.name,
                when,
                *counts,
                m.counts.get("raft/refusal", 0),
                (state if n == 0 else ""),
                act if n == 0 and since else "",
            )
        )
    heads = ("Name", "Frozen (UTC)", "From sources", "Everyday", "Reading", "“do not say”", "State", "")
    return cards.table(
        heads,
        rows,
        "Frozen datasets",
        "None yet. Training freezes the mix by itself if you do not.",
        numbers=(2, 3, 4, 5),
    )


def job_line(job: Job | None) -> Html:
    """How far composing is, or how it ended."""
    if job is None:
        return Html("")
    if not job.ended:
        note = job.note or job.title
        return tag("div", tag("p", note, cls="sub"), cards.bar(job.share, note), cls="stack")
    if job.state == "failed":
        return cards.note("error", job.problem, job.remedy, job.details)
    return cards.note("ok" if job.state == "finished" else "info", job.note)


def ready_pill(outlook: Any, fitting: bool) -> Html:
    """Where the mix stands, in a word."""
    if not outlook.plan.total:
        return cards.pill("warn", "nothing to learn from yet")
    kind, said = ("ok", "frozen") if fitting else ("info", "ready")
    return cards.pill(kind, f"{said}: {outlook.plan.total:,} examples")  # type: ignore[arg-type]


# DOES ----------------------------------------------------------------------------------------


def follow(studio: Any, project: Any, shown: str) -> Any:
    """The form shows the project's mix when another project was opened; what is being moved stays."""
    if project is None or shown == project.id:
        return gr.skip()
    return [*FORM.write(project.choices().mix), project.id]


def use_preset(studio: Any, project: Any, name: str) -> list[Any]:
    preset = studio.mixing.use_preset(project, name)
    return FORM.write(preset.mix)


def keep(studio: Any, project: Any, act: dict[str, Any], mix: DatasetMix) -> Any:
    kept = studio.mixing.keep(project, named(mix, studio.mixing.presets()))
    return kept.name


def freeze(studio: Any, project: Any, mix: DatasetMix) -> Any:
    honest = named(mix, studio.mixing.presets())
    studio.mixing.freeze(project, honest)
    return honest.name


def update(studio: Any, project: Any, act: dict[str, Any]) -> None:
    if act.get("do") == "update":
        studio.mixing.update(project, act["id"])


def another(studio: Any, project: Any, mix: DatasetMix, turn: int) -> tuple[Sampled, int]:
    table = samples.table(studio.mixing.samples(project, mix, turn + 1))
    return (project.id, _rests(project), table), turn + 1


def first_samples(studio: Any, project: Any, sampled: Sampled) -> Any:
    """Samples by themselves, once for each mix: searching for misleading passages takes a moment."""
    rests = _rests(project) if project else ""
    if project is None or sampled[:2] == (project.id, rests):
        return gr.skip()
    if studio.jobs.holder():  # while passages are made, a search would wait for all of them
        return gr.skip()
    try:
        return project.id, rests, samples.table(studio.mixing.samples(project, project.choices().mix))
    except RagtuneError:
        return project.id, rests, samples.table([])


def _rests(project: Any) -> str:
    """What samples depend on: the mix, and the questions that are approved, as they stand."""
    return f"{project.choices().mix} {fingerprint([q for q in project.questions() if usable(q)])}"


def own_samples(studio: Any, project: Any, sampled: Sampled) -> Html:
    """The samples, where they were made for the open project; else what they wait for."""
    if project is None:
        return Html("")
    holder = studio.jobs.holder()
    waits = f"They come when “{holder}” is finished." if holder else "Looking for examples …"
    return sampled[2] if sampled[0] == project.id else tag("p", waits, cls="empty-line")


def samples_key(studio: Any, project: Any, sampled: Sampled) -> list[Any]:
    """Another answer is another key, so that one of another project has the samples of this one made."""
    return [sampled, studio.jobs.holder()]


def stand(studio: Any, project: Any) -> list[Any]:
    """A cheap value that changes whenever the page would."""
    if project is None:
        return []
    job = studio.jobs.current(project)
    return [project.touched, [m.id for m in project.datasets()], job and [job.id, job.seq]]


def look(studio: Any, project: Any) -> list[Any]:
    """The page from the disk; the sliders are not in it."""
    if project is None:
        return [Html(""), Html(""), no_project(), Html(""), Html(""), gr.skip(), cards.next_bar("train", "Next: Train")]
    mix = project.choices().mix
    outlook = studio.mixing.outlook(project, mix)
    ready = studio.training.readiness(project, studio.training.plan(project))
    manifests = project.datasets()
    since = studio.mixing.since(project, manifests[0]) if manifests else ""
    preset = next((p.name for p in studio.mixing.presets() if p.name == mix.name), None)
    missing = "" if outlook.plan.total else "Approve some questions first: there is nothing to learn from."
    job = next((j for j in project.jobs() if j.what == "mix"), None)
    return [
        ready_pill(outlook, studio.training.fitting_dataset(project) is not None),
        ring(outlook, mix, stock_of(studio, project)),
        plan_card(outlook, ready.seconds, ready.basis),
        frozen_table(manifests, since),
        job_line(job),
        gr.update(value=preset),
        cards.next_bar("train", "Next: Train", missing),
    ]


def stock_of(studio: Any, project: Any) -> tuple[int, int, int]:
    """Questions, passages and instructions to draw from."""
    pools = studio.mixing.pools(project)
    return sum(map(usable, pools.questions)), len(pools.chunks), len(pools.prompts)


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Layout above, wiring below."""
    presets = page.studio.mixing.presets()
    pill = page.header("Training mix", "Decide what the model practises. The three shares always add up to 100\u00a0%.")
    with gr.Column(elem_classes="card"):
        preset = gr.Radio(
            preset_choices(presets),
            label="Start from",
            info=preset_words(presets),
            elem_id="mix-preset",
            interactive=True,
        )
    fields = FORM.start("mix")
    with gr.Row(elem_classes="two wide-left"):
        with gr.Column(elem_classes="card mix-moves"):
            fields.put(*SHARES, "withheld")
        with gr.Column(elem_classes="card"):
            donut = gr.HTML(
                elem_id="mix-donut",
                apply_default_css=False,
                js_on_load=f"{page.script('mix.js')}\nragtune.mix.mount(element, trigger, watch); // 'select'",
            )
            plan = page.html(elem_id="mix-plan")
    with gr.Accordion("More settings", open=False, elem_classes="card mix-moves"), gr.Row(elem_classes="two"):
        with gr.Column():
            fields.put(*MORE[:4])
        with gr.Column():
            fields.put(*MORE[4:])
    with gr.Column(elem_classes="card"):
        page.html(
            cards.section("What one example of each kind looks like", "Made from your own questions and passages.")
        )
        shown_samples = page.html(elem_id="mix-samples")
        with gr.Row():
            more = gr.Button("Show another of each", size="sm", elem_id="mix-another", elem_classes="tight")
    with gr.Column(elem_classes="card"):
        page.html(cards.section("Frozen datasets", "A frozen dataset never changes; training names the one it used."))
        frozen = page.html(elem_id="mix-frozen")
        with gr.Row(elem_classes="page-head"):
            fields.put("name")
            save = gr.Button("Save and freeze this mix", elem_id="mix-freeze", elem_classes="key-main tight")
        said = page.note()
        job = page.html(elem_id="mix-job")
    onward = page.next("train", "Next: Train")
    shown, sampled, turn = gr.State(""), gr.State(NOTHING), gr.State(0)

    shares = [fields[name] for name in SHARES]
    drawn = [*shares, fields["size"], fields["variants"]]
    for n, lane in enumerate(shares):
        # A share was moved: the other two follow, in the browser.
        others = [other for other in shares if other is not lane]
        lane.input(None, inputs=[lane], outputs=others, js=f"(value) => ragtune.mix.move({n}, value)", **QUIET)
    for field in drawn:
        # A figure changed, by hand or by a preset: the ring follows, in the browser.
        field.change(None, inputs=drawn, js="(...values) => { window.ragtune.mix?.show(...values); }", **QUIET)
    # The page was opened, or another project: the form shows its mix, and samples are made.
    opened = getattr(page.way, f"look_{page.key}")
    followed = page.on(opened, follow, [shown], [*fields.outputs, shown], project=False, changed=False)
    followed[0].then(
        None, inputs=[page.project, *shares], js="(...now) => { window.ragtune.mix?.adopt(...now); }", **QUIET
    )
    page.on(opened, first_samples, [sampled], [sampled], project=False, changed=False)
    # A preset was chosen.
    chosen = page.on(preset.input, use_preset, [preset], fields.outputs)
    chosen[0].then(None, inputs=shares, js="(...now) => { ragtune.mix.adopt(null, ...now); }", **QUIET)
    # The sliders were left: their values are kept.
    page.on(donut.select, keep, outputs=[fields["name"]], form=fields, acts=True)
    # Other samples.
    page.on(more.click, another, [turn], [sampled, turn], form=fields)
    # Freeze what is set, or freeze the latest again with the questions of today.
    page.on(save.click, freeze, outputs=[fields["name"]], form=fields, note=said)
    page.on(frozen.select, update, acts=True, note=said)
    page.on_look(look, [pill, donut, plan, frozen, job, preset, onward], key=stand)
    # They may come late, from a search that began in another project: only those of the open one are shown.
    page.on_look(own_samples, [shown_samples], [sampled], key=samples_key)
