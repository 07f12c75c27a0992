"""Proof panel of the Passages page: the test of the search, the map of what it reaches, and the advisor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from ragtune_ui.domain.runs import Job
from ragtune_ui.studio.advisor import FEWEST
from ragtune_ui.ui import cards, charts
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.page import Page
from ragtune_ui.ui.proof_cards import advice, chart, outcome, sections

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

TESTS = "Asks every approved question, and each one you judged here, and looks for its passage."
ADVICE = (
    "Tries passage lengths, the weight of meaning against words, and the number of passages on your test questions."
)

# SHOWS ---------------------------------------------------------------------------------------


def working(job: Job | None) -> Html:
    """How far a job of this panel is, with a way to stop it; how it failed; else nothing."""
    if job is None:
        return Html("")
    if not job.ended:
        said, stop = cards.going_on(job)
        return Html(tag("div", said, stop, cls="split") + cards.bar(job.share, job.title))
    if job.state == "failed":
        return cards.note("error", job.problem, job.remedy, job.details)
    return Html("") if job.state == "finished" else cards.note("warn", f"{job.title}: {job.state}.", job.note)


# DOES ----------------------------------------------------------------------------------------


def measure(studio: Studio, project: Any) -> None:
    """Test the search in the background."""
    studio.proving.start_test(project)


def advise(studio: Studio, project: Any) -> None:
    """Try other settings in the background."""
    studio.advisor.start(project)


def answer(studio: Studio, project: Any, act: dict[str, str]) -> Html:
    """Use the advice, take it back."""
    if act["do"] == "use":
        return cards.note("ok", studio.advisor.use(project))
    return cards.note("ok", studio.advisor.undo(project))


def stop(studio: Studio, project: Any, act: dict[str, str]) -> None:
    studio.jobs.stop(project, act["id"])


def _last(project: Any, what: str) -> Job | None:
    return next((j for j in project.jobs() if j.what == what), None)


def refresh(studio: Studio, project: Any) -> tuple[Any, ...]:
    """Work, figures, map, sections, advice."""
    if project is None:
        return Html(""), Html(""), chart(None, {}, {}), Html(""), Html(""), Html("")
    coverage, questions = studio.proving.coverage(project), len(studio.proving.wanted(project))
    chunks = {c.id: c for c in project.chunks()}
    names = {d.id: d.name for d in project.documents()}
    busy = studio.jobs.holder() is not None
    return (
        working(_last(project, "proof")),
        outcome(studio.proving.tested(project), studio.proving.stale(project), questions),
        chart(coverage, chunks, names),
        sections(coverage),
        working(_last(project, "advice")),
        advice(studio.advisor.latest(project), questions, FEWEST, busy),
    )


def mark(studio: Studio, project: Any) -> Any:
    """Differs whenever ``refresh`` would show something else."""
    if project is None:
        return None
    names = ("search-test.json", "coverage.json", "advice.json", "chunks.jsonl", "choices.json", "questions.jsonl",
             "judgements.jsonl")  # fmt: skip
    paths = [project.folder / name for name in names]
    jobs = [_last(project, what) for what in ("proof", "advice")]
    return [[p.stat().st_mtime_ns if p.exists() else 0 for p in paths], [j and [j.id, j.seq] for j in jobs],
            studio.jobs.holder()]  # fmt: skip


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page, show: Callable[..., Any], sheet: Any) -> None:
    """The two cards. ``show`` opens a passage in ``sheet``."""
    with gr.Column(elem_classes="card"):
        page.html(cards.section("Does search find the right passage?", TESTS))
        with gr.Row():
            check = gr.Button("Test the search", elem_id="find-test", elem_classes="tight", interactive=True)
        untested = page.note()
        work = page.html(elem_id="find-testing")
        figures = page.html(elem_id="find-tested")
        drawn = charts.live("find-map", "Map of passages", height=380)
        reached = page.html(elem_id="find-reached")
    with gr.Column(elem_classes="card"):
        page.html(cards.section("Would other settings find more?", ADVICE))
        with gr.Row():
            better = gr.Button("Find better settings", elem_id="find-advise", elem_classes="tight", interactive=True)
        trying = page.html(elem_id="find-trying")
        advised = page.html(elem_id="find-advice")
        note = page.note()

    # The test and the advisor run in the background and can be stopped.
    page.on(check.click, measure, note=untested)
    page.on(better.click, advise, note=note)
    page.on([work.select, trying.select], stop, acts=True)
    # Advice is used and taken back.
    page.on(advised.select, answer, outputs=[note], acts=True, note=note)
    # A section that nothing reaches opens on its page.
    page.on(reached.select, show, outputs=[sheet], acts=True, changed=False)
    page.on_look(refresh, [work, figures, drawn, reached, trying, advised], key=mark)
