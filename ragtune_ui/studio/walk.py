"""The whole way without a window: documents in, verdict and report out, over the same desks."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ragtune_ui.domain.errors import QuestionError, RagtuneError
from ragtune_ui.domain.records import to_record
from ragtune_ui.domain.runs import Job, loss_drop, time_words
from ragtune_ui.domain.verdicts import CELLS, Verdict
from ragtune_ui.domain.words import counted
from ragtune_ui.store import files
from ragtune_ui.store.presets import Preset, preset_named
from ragtune_ui.store.projects import Project
from ragtune_ui.studio.jobs import Task, Work

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

WRITTEN_PER_DOCUMENT = 6  # questions at least that the product writes for one document when no file is given
WRITTEN_TEST = 120  # of these, held-back questions measured at most


@dataclass(frozen=True)
class Order:
    """What was asked for on the command line."""

    documents: Path
    questions: Path | None = None
    preset: str = "Balanced"
    model: str = "built-in"
    report: Path | None = None
    name: str = ""
    say: Callable[[str], None] = print


def walk(studio: Studio, order: Order) -> Verdict:
    """Walk all desks to a verdict and write the report.

    Raises:
        RagtuneError: a desk could not do its part; what was finished before is kept in the project.
    """
    preset = preset_named(studio.mixing.presets(), order.preset)
    found = studio.documents.folder(str(order.documents))
    project = studio.home.create(order.name or order.documents.resolve().name)
    order.say(f"Project: {project.id}")
    project.choose(mix=preset.mix, preset=preset.name)
    studio.training.choose_model(project, order.model)

    def read(task: Task) -> str:
        added = studio.documents.read(project, found, task)
        if not added.added:
            raise RagtuneError("None of the files could be read.", "Open the project to see what to do for each.")
        studio.documents.ensure_held_back(project)
        studio.retrieval.index(project, task)
        return f"{added.sentence} {counted(len(project.chunks()), 'passage')}."

    _do(studio, project, order, "documents", "Reading the documents", read)
    _do(studio, project, order, "questions", "Questions", lambda task: _questions(studio, project, order, task))
    _do(studio, project, order, "mix", "Composing the dataset", lambda task: _compose(studio, project, preset, task))
    run = _train(studio, project, preset, order)
    _do(studio, project, order, "verdict", "Measuring", lambda task: studio.verdicts.judge(project, run, task).headline)
    verdict = next(v for v in project.verdicts() if v.run == run)
    if order.report is not None:
        files.write_text(order.report, _json(report(studio, project, run, verdict)))
        order.say(f"Report: {order.report}")
    order.say(verdict.headline)
    order.say(verdict.sentence)
    return verdict


def _questions(studio: Studio, project: Project, order: Order, task: Task) -> str:
    if order.questions is not None:
        imported = studio.questions.import_file(project, order.questions, order.questions.name)
        if not imported.added:
            raise QuestionError("No row of the questions file could be used.", imported.sentence)
        return imported.sentence
    studio.questions.write_all(project, task, studio.questions.fair(project, WRITTEN_PER_DOCUMENT))
    approved = studio.questions.approve_supported(project)
    tests = [q for q in project.questions() if q.split == "test"]
    over = {q.id for q in tests[WRITTEN_TEST:]}
    if over:
        kept = [replace(q, status="rejected") if q.id in over else q for q in project.questions()]
        project.keep_questions(kept)
    return f"{approved - len(over):,} questions written by RAGTune and taken as they are; nobody has checked them."


def _compose(studio: Studio, project: Project, preset: Preset, task: Task) -> str:
    frozen = studio.mixing.compose(project, preset.mix, task)
    studio.speakers.release()
    return ", ".join(f"{lane} {frozen.counts[lane]:,}" for lane in ("raft", "plain", "dap"))


def _train(studio: Studio, project: Project, preset: Preset, order: Order) -> str:
    dataset = studio.mixing.current(project)
    if dataset is None:
        raise RagtuneError("The dataset is missing.", "Start again.")
    run = studio.training.launch(project, dataset, preset.plan)
    _ended(studio.jobs.wait(project, run, _teller(order.say, "Training")), order)
    return run


def _do(studio: Studio, project: Project, order: Order, what: str, title: str, work: Work) -> None:
    id = studio.jobs.start(project, what, title, work)
    _ended(studio.jobs.wait(project, id, _teller(order.say, title)), order)


def _ended(job: Job, order: Order) -> None:
    if job.state == "finished":
        order.say(f"{job.title}: {job.note}")
        return
    happened = job.problem or job.note or "It was stopped."
    raise RagtuneError(f"{job.title}: {happened}", job.remedy, job.details)


def _teller(say: Callable[[str], None], title: str) -> Callable[[Job], None]:
    """Prints how far a job is, at most every five seconds and only when it has moved."""
    last = [time.monotonic(), -1.0]

    def tell(job: Job) -> None:
        if job.ended or not job.total or time.monotonic() - last[0] < 5 or job.done == last[1]:
            return
        last[0], last[1] = time.monotonic(), job.done
        left = f", {time_words(job.left)} left" if job.left is not None else ""
        loss = f", error (loss) {job.steps[-1][1]:.3f}" if job.steps else ""
        say(f"{title}: {job.share:.0%} ({job.done:,} of {job.total:,}){loss}{left}")

    return tell


def report(studio: Studio, project: Project, run: str, verdict: Verdict) -> dict[str, Any]:
    """The report's values: four cells, the difference, the sentence, retrieval, training, counts."""
    job = project.run(run)
    first, last = loss_drop(job)
    dataset = project.dataset(project.sheet(run).dataset)
    documents = project.documents()

    def plain(cell: Mapping[str, Any]) -> dict[str, dict[str, float]]:
        return {name: {"mean": i.mean, "low": i.low, "high": i.high, "n": i.n} for name, i in cell.items()}

    return {
        "project": project.id,
        "run": run,
        "model": project.sheet(run).model,
        "cells": {cell: plain(verdict.cells[cell]) for cell in CELLS},
        "difference": plain(verdict.difference),
        "decision": verdict.decision,
        "sentence": f"{verdict.headline} {verdict.sentence}",
        "questions_measured": verdict.n,
        "questions_from": sorted({q.who for q in studio.verdicts.questions(project)}),
        "retrieval": verdict.retrieval,
        "training": {
            "loss_start": first,
            "loss_end": last,
            "seconds": job.result.get("seconds", 0.0),
            "tokens": job.result.get("tokens", job.tokens),
            "steps": job.done,
        },
        "counts": {
            "documents": sum(d.ready for d in documents),
            "documents_not_read": sum(not d.ready for d in documents),
            "documents_held_back": sum(d.held_back for d in documents),
            "passages": len(project.chunks()),
            **{f"questions_{k}": v for k, v in studio.questions.counts(project).items()},
            **{f"examples_{k}": v for k, v in dataset.counts.items()},
        },
        "checks": to_record(verdict.checks),
        "adapter": str(project.adapter(run)),
    }


def _json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, indent=1) + "\n"


def run_command(studio: Studio, order: Order) -> int:
    """``walk`` for a terminal: exit code 0 when a verdict was reached, else 1 with what to do."""
    try:
        walk(studio, order)
    except RagtuneError as error:
        print(error.sentence, file=sys.stderr)
        print("What was finished is kept: open the project in the window to go on from there.", file=sys.stderr)
        return 1
    return 0
