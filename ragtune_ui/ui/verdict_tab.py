"""Verdict: one honest sentence first, then the figures and their ranges, then what went wrong and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from ragtune_ui.domain.runs import Job, time_words
from ragtune_ui.domain.scores import FEWEST_DOCUMENTS, Interval
from ragtune_ui.domain.verdicts import LEAST_QUESTIONS, SAID, Verdict, reach, signed
from ragtune_ui.ui import cards, charts, trained
from ragtune_ui.ui.cards import Html, tag
from ragtune_ui.ui.page import Page, no_project

# FORM ----------------------------------------------------------------------------------------

FIRST, MOST = 6, 100  # wrong answers at once, and in all
KINDS = {"use": "ok", "careful": "warn", "no difference": "warn", "do not use": "error", "not enough": "info"}
ICONS = {"use": "✓", "careful": "!", "no difference": "=", "do not use": "✗", "not enough": "…"}
SHOWN = (
    ("f1", "Question answered correctly"),
    ("citation_precision", "Passages it names prove it"),
    ("refusal_f1", "Admits when documents are silent"),
)
METRIC_WORDS = {
    "em": "Answered word for word (exact match)",
    "f1": "Question answered correctly (F1)",
    "citation_precision": "Named passages that prove the answer (citation precision)",
    "citation_recall": "Answers that name a proving passage (citation recall)",
    "refusal_precision": "Refusals that were right (refusal precision)",
    "refusal_recall": "Silent documents admitted (refusal recall)",
    "refusal_f1": "Admits when documents are silent (refusal F1)",
    "over_refusal": "Wrongly refused (over-refusal)",
}
CELL_WORDS = {
    "base": "Original, from memory",
    "base_rag": "Original, with passages",
    "tuned": "Tuned, from memory",
    "tuned_rag": "Tuned, with passages",
}

# SHOWS ---------------------------------------------------------------------------------------


def banner(verdict: Verdict) -> Html:
    """The sentence, first."""
    icon = tag("span", ICONS[verdict.decision], " ", aria_hidden="true")
    return tag(
        "section",
        tag("h2", icon, verdict.headline),
        tag("p", verdict.sentence),
        cls=f"verdict-banner {KINDS[verdict.decision]}",
        role="status",
    )


def plot(verdict: Verdict) -> Html:
    """Original and tuned with their ranges; nothing where there is too little to judge."""
    if verdict.decision == "not enough":
        return Html("")
    rows = [(label, verdict.cells["base_rag"][name], verdict.cells["tuned_rag"][name]) for name, label in SHOWN]
    head = cards.section("Original □ and tuned ●, with the range we can be 95 % sure of")
    return tag("section", head, charts.dot_range(rows), cls="card")


def checks(verdict: Verdict) -> Html:
    """What to look at before relying on it."""
    if verdict.decision == "not enough":
        return Html("")
    icons = {"good": ("ok", "fine"), "care": ("warn", "look"), "bad": ("error", "stop")}
    rows = [(cards.pill(*icons[c.mark]), c.label, c.figure) for c in verdict.checks]  # type: ignore[arg-type]
    return tag(
        "section",
        cards.section("Checks before you rely on it"),
        cards.table(("", "Check", "Figure"), rows, "Checks before you rely on it", numbers=(2,)),
        cls="card",
    )


def interval(value: Interval) -> str:
    """``63 % (58 to 68)``; a dash where nothing was counted."""
    return f"{value.mean:.0f} % ({value.low:.0f} to {value.high:.0f})" if value.n else "–"


def ranges(verdict: Verdict) -> str:
    """What the ranges are and what they hold for."""
    made = "Ranges are 95 % intervals from 10,000 resamples"
    if verdict.unit is None:
        return f"{made} by document, or by question where there were fewer than {FEWEST_DOCUMENTS} documents."
    holds = f"They hold {reach(verdict.unit, verdict.documents)}"
    if verdict.unit == "document":
        return f"{made} of {verdict.documents} whole documents with all their questions. {holds}."
    few = f"of the questions: fewer than {FEWEST_DOCUMENTS} documents say little of how documents differ"
    return f"{made} {few}. {holds}, not for other documents."


def all_figures(verdict: Verdict) -> Html:
    """Every metric of all four cells with its range, and how well search did."""
    heads = ("Measure", *CELL_WORDS.values(), "Difference")
    rows = []
    for name, label in METRIC_WORDS.items():
        change = verdict.difference.get(name)
        seen = change if change and change.n else None
        moved = f"{signed(seen.mean)} ({signed(seen.low)} to {signed(seen.high)})" if seen else "–"
        rows.append((label, *(interval(verdict.cells[cell][name]) for cell in CELL_WORDS), moved))
    found = verdict.retrieval
    k = int(found.get("k", 0))
    search = [
        ("Right passage first", found.get("hit@1")),
        ("Among the first three", found.get("hit@3")),
        ("Among the first five", found.get("hit@5")),
        (f"Among the {k} that were given", found.get("hit@k")),
    ]
    facts = cards.facts([(label, f"{100 * v:.0f} %") for label, v in search if v is not None])
    note = tag("p", ranges(verdict), cls="caption")
    return cards.folded(
        "All figures, also without passages",
        cards.table(heads, rows, "All figures", numbers=range(1, 6)),
        tag("h3", "How well search did"),
        facts,
        note,
    )


def misses(verdict: Verdict) -> Html:
    """Wrong answers with their likely cause and what to do."""
    rows = [
        (m.question, m.expected or "Your documents do not say.", m.said or "–", m.cause, m.remedy)
        for m in verdict.misses
    ]
    heads = ("Question", "Expected", "It said", "Likely cause", "What to do")
    body = cards.table(heads, rows[:FIRST], "Wrong answers", "None: every held-back question was answered well enough.")
    rest = rows[FIRST:MOST]
    more = cards.folded(f"{len(rest)} more", cards.table(heads, rest, "More wrong answers")) if rest else ""
    ways = (
        tag(
            "div",
            cards.button("Open Passages", go="find", kind="small"),
            cards.button("Open Questions", go="ask", kind="small"),
            cards.button("Open Mix", go="mix", kind="small"),
            cls="actions",
        )
        if rows
        else ""
    )
    return tag(
        "section",
        cards.section("What the tuned model got wrong", f"{len(rows):,} of {verdict.n:,} questions."),
        body,
        more,
        ways,
        cls="card",
    )


def basis(verdict: Verdict) -> str:
    """What was measured, when, how long it took."""
    took = time_words(max(5.0, verdict.seconds)).removeprefix("about ")
    when = verdict.made[:16].replace("T", " ")
    return f"{trained.name(verdict.run)}, {verdict.n:,} held-back questions, measured {when} UTC in {took}."


def whole(verdict: Verdict, model: str = "", behind: bool = False) -> Html:
    """The verdict from the sentence down to the last figure; ``model`` is the base model it is about, ``behind``
    that the run was trained on since."""
    later = cards.note(
        "warn", "Trained on since: measure again.", "This verdict is about the model as it was before."
    ) if behind else ""  # fmt: skip
    about = tag("p", basis(verdict), cls="sub")
    said = [tag("p", note, cls="sub") for note in verdict.notes]
    return tag(
        "div",
        later,
        banner(verdict),
        about,
        *said,
        trained.small_model(model),
        plot(verdict),
        checks(verdict),
        misses(verdict),
        tag("section", all_figures(verdict), cls="card"),
        cls="stack",
    )


def held_back(questions: Sequence[Any]) -> Html:
    """How many questions there are to measure with, and who wrote them."""
    n = len(questions)
    written = sum(q.who == "written" for q in questions)
    notes = []
    if n < LEAST_QUESTIONS:
        notes.append(
            cards.note(
                "warn",
                f"Not enough to say: {n} of at least {LEAST_QUESTIONS} held-back questions.",
                "Approve more of the questions that are held back, or hold another document back.",
                actions=[("Open Questions", "ask")],
            )
        )
    if written:
        notes.append(
            cards.note(
                "info",
                f"RAGTune, and no person, wrote {written:,} of these {n:,} questions.",
                "Read some of them before you rely on the figures.",
                actions=[("Open Questions", "ask")],
            )
        )
    head = tag(
        "p", f"{n:,} held-back questions that the model never saw. Both models get the same passages.", cls="sub"
    )
    return tag("div", head, *notes, cls="stack")


def progress(job: Job | None) -> Html:
    """How far measuring is, or why it ended without a verdict."""
    if job is None or job.state == "finished":
        return Html("")
    if not job.ended:
        left = f" {time_words(job.left).capitalize()} left." if job.left is not None else ""
        note = f"{job.note or job.title}: {job.done:,} of {job.total:,}.{left}" if job.total else job.title
        stop = cards.button("Stop measuring", do="stop", id=job.id, kind="small danger")
        return tag(
            "div",
            tag("p", note),
            cards.bar(job.share, note),
            tag("div", stop, cls="actions"),
            cls="card stack",
            role="status",
        )
    if job.state == "failed":
        return cards.note("error", job.problem, job.remedy, job.details)
    return cards.note("info", job.note or "Measuring was stopped; no verdict was made.")


def earlier(verdicts: Sequence[Verdict]) -> Html:
    """All verdicts of the project, the latest first."""
    rows = [
        (
            trained.name(v.run),
            v.headline,
            f"{v.n:,}",
            interval(v.cells["base_rag"]["f1"]),
            interval(v.cells["tuned_rag"]["f1"]),
            v.made[:16].replace("T", " "),
        )
        for v in verdicts
    ]
    heads = ("Training", "Verdict", "Questions", "Original", "Tuned", "Made (UTC)")
    return cards.table(heads, rows, "Earlier verdicts", numbers=(2,))


# DOES ----------------------------------------------------------------------------------------


def measure(studio: Any, project: Any, run: str) -> None:
    studio.verdicts.measure(project, run)


def stop(studio: Any, project: Any, act: Mapping[str, Any]) -> None:
    if act.get("do") == "stop":
        studio.jobs.stop(project, str(act.get("id", "")))


def stand(studio: Any, project: Any, *values: Any) -> list[Any]:
    """A cheap value that changes whenever the page would."""
    if project is None:
        return [None]
    job = next((j for j in project.jobs() if j.what == "verdict"), None)
    runs = [j.id for j in studio.training.usable(project)]
    return [
        project.touched,
        runs,
        [project.adapter_digest(id) for id in runs],
        [v.id for v in project.verdicts()],
        studio.jobs.holder(),
        job and [job.id, job.seq],
        *values,
    ]


def look(studio: Any, project: Any, run: str) -> list[Any]:
    """The page from the disk: the verdict on the chosen run, or what is missing for one."""
    if project is None:
        nothing = no_project()
        return [
            Html(""),
            nothing,
            Html(""),
            Html(""),
            gr.update(interactive=False),
            Html(""),
            gr.update(visible=False),
            Html(""),
        ]
    usable = [j.id for j in studio.training.usable(project)]
    chosen = run if run in usable else next(iter(usable), "")
    verdicts = project.verdicts()
    verdict = next((v for v in verdicts if v.run == chosen), None)
    questions = studio.verdicts.questions(project)
    job = next((j for j in project.jobs() if j.what == "verdict"), None)
    reason = why_not(bool(usable), len(questions), studio.jobs.holder())
    behind = verdict is not None and studio.verdicts.behind(project, verdict)
    if verdict is not None:
        body = whole(verdict, project.sheet(chosen).model, behind)
    elif not usable:
        body = cards.empty(
            "There is no trained model to measure yet",
            "The verdict compares it with the original on questions that it never saw.",
            cards.button("Open Train", go="train"),
        )
    else:
        body = cards.empty(
            "Did training help?",
            "Both models answer the held-back questions, with the passages and without. "
            "Then one sentence says whether to use the tuned one, and how sure that is.",
        )
    pill = cards.pill(KINDS[verdict.decision], SAID[verdict.decision]) if verdict else Html("")  # type: ignore[arg-type]
    pill = cards.pill("warn", "Trained on since") if behind else pill
    again = "Measure again" if verdict else "Measure both models"
    return [
        pill,
        body,
        held_back(questions),
        progress(job),
        gr.update(interactive=not reason, value=again),
        tag("p", reason, cls="sub") if reason else Html(""),
        gr.update(visible=len(verdicts) > 1),
        earlier(verdicts),
    ]


def why_not(trained_model: bool, questions: int, holder: str | None) -> str:
    """Why measuring has to wait; "" where it may start."""
    if not trained_model:
        return "Needs a trained model first."
    if not questions:
        return "There are no held-back questions yet: hold a document back on the Documents page."
    return f"“{holder}” is running. One at a time on this computer." if holder else ""


# BUILD ---------------------------------------------------------------------------------------


def build(page: Page) -> None:
    """Layout above, wiring below."""
    pill = page.header("Verdict", "Did training help? Both models answer questions that neither was trained on.")
    run = trained.picker(page)
    working = page.html(elem_id="verdict-progress")
    body = page.html(elem_id="verdict-body")
    with gr.Column(elem_classes="card"):
        count = page.html(elem_id="verdict-questions")
        go = gr.Button(
            "Measure both models", variant="primary", elem_id="verdict-go", elem_classes="key-main", interactive=False
        )
        reason = page.html(elem_id="verdict-reason")
    with gr.Accordion("Earlier verdicts", open=False, visible=False, elem_classes="card") as several:
        past = page.html(elem_id="verdict-history")
    page.next("share", "Next: Take away")

    # Measure in the background.
    page.on(go.click, measure, [run])
    # Stop measuring.
    page.on(working.select, stop, acts=True)
    page.on_look(look, [pill, body, count, working, go, reason, several, past], [run], key=stand)
