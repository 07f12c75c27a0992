"""Where a project stands: the nine steps of the rail, each with its state and one line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ragtune_ui.domain.questions import tally
from ragtune_ui.domain.verdicts import SAID
from ragtune_ui.domain.words import counted
from ragtune_ui.store.projects import Project

if TYPE_CHECKING:
    from ragtune_ui.studio.studio import Studio

StepState = Literal["done", "part", "ready", "running", "needs", "blocked"]
TITLES = {
    "home": "Start",
    "docs": "Documents",
    "find": "Passages",
    "ask": "Questions",
    "mix": "Mix",
    "train": "Train",
    "chat": "Compare",
    "verdict": "Verdict",
    "share": "Take away",
}


@dataclass(frozen=True)
class Step:
    """One row of the rail."""

    key: str
    title: str
    state: StepState
    line: str


def steps(studio: Studio, project: Project | None) -> list[Step]:
    """The nine steps; without a project all but the first are blocked."""
    if project is None:
        return [Step("home", TITLES["home"], "ready", "Choose or begin a project")] + [
            Step(key, title, "blocked", "Needs a project") for key, title in list(TITLES.items())[1:]
        ]
    makers = (_docs, _find, _ask, _mix, _train, _chat, _verdict, _share)
    rows = [Step("home", TITLES["home"], "done", project.name)]
    for key, make in zip(list(TITLES)[1:], makers, strict=True):
        state, line = make(studio, project)
        rows.append(Step(key, TITLES[key], state, line))
    return rows


def _running(studio: Studio, project: Project, *kinds: str) -> str:
    for what in kinds:
        job = studio.jobs.running(project, what)
        if job is not None:
            return f"{job.title}: {job.share:.0%}" if job.total else job.title
    return ""


def _docs(studio: Studio, project: Project) -> tuple[StepState, str]:
    busy = _running(studio, project, "documents", "sample")
    documents = project.documents()
    bad = sum(not d.ready for d in documents)
    files = counted(len(documents), "file")
    if busy:
        return "running", busy
    if not documents:
        return "ready", "Add your first files"
    return ("needs", f"{files}, {bad} need help") if bad else ("done", files)


def _find(studio: Studio, project: Project) -> tuple[StepState, str]:
    busy = _running(studio, project, "index")
    if busy:
        return "running", busy
    number = len(project.chunks())
    return ("done", counted(number, "passage")) if number else ("blocked", "Needs documents")


def _ask(studio: Studio, project: Project) -> tuple[StepState, str]:
    busy = _running(studio, project, "questions")
    counts = tally(project.questions())
    if busy:
        return "running", busy
    if not counts["all"]:
        return ("ready", "Write or import some") if project.chunks() else ("blocked", "Needs passages")
    done = counts["checked"] == counts["all"]
    return ("done" if done else "part"), f"{counts['checked']:,} of {counts['all']:,} checked"


def _mix(studio: Studio, project: Project) -> tuple[StepState, str]:
    busy = _running(studio, project, "mix")
    if busy:
        return "running", busy
    if not any(q.accepted for q in project.questions()) and not project.chunks():
        return "blocked", "Needs questions"
    mix = project.choices().mix
    line = f"{mix.name}: {mix.raft} / {mix.plain} / {mix.dap}"
    return ("done" if studio.training.fitting_dataset(project) else "ready"), line


def _train(studio: Studio, project: Project) -> tuple[StepState, str]:
    job = studio.training.latest(project)
    if job is not None and not job.ended:
        return "running", f"Step {job.done:,} of {job.total:,}"
    if job is None:
        trainable = any(q.accepted and q.split == "train" for q in project.questions()) or project.choices().mix.dap
        return ("ready", "Ready to start") if project.chunks() and trainable else ("blocked", "Needs questions")
    if job.state == "finished":
        return "done", "Finished"
    if job.state == "stopped":
        return "part", f"Stopped at step {job.done:,}"
    return "needs", f"{'Interrupted' if job.state == 'interrupted' else 'Failed'} at step {job.done:,}"


def _chat(studio: Studio, project: Project) -> tuple[StepState, str]:
    usable = studio.training.usable(project)
    if not usable:
        return ("ready", "Original model only") if project.chunks() else ("blocked", "Needs documents")
    number = len(project.turns())
    return ("done" if number else "ready"), f"{counted(number, 'question')} compared" if number else "Ready to compare"


def _verdict(studio: Studio, project: Project) -> tuple[StepState, str]:
    busy = _running(studio, project, "verdict")
    if busy:
        return "running", busy
    verdict = studio.verdicts.latest(project)
    if verdict is not None and studio.verdicts.behind(project, verdict):
        return "ready", "Trained on since"
    if verdict is not None:
        return "done", SAID[verdict.decision]
    return ("ready", "Ready to measure") if studio.training.usable(project) else ("blocked", "Needs a trained model")


def _share(studio: Studio, project: Project) -> tuple[StepState, str]:
    busy = _running(studio, project, "ship")
    if busy:
        return "running", busy
    packed = studio.shipping.shipments(project)
    if packed:
        return ("ready", "Trained on since") if all(s.behind for s in packed) else ("done", "Packed")
    return ("ready", "Ready to pack") if studio.training.usable(project) else ("blocked", "Needs a trained model")
